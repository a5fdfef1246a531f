//! Where records are: the first, the next, and the first since a time.

use std::collections::BTreeMap;

use klamm_protocol::Str;
use klamm_protocol::messages::list_offsets::{ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic};

use super::{Admin, by_topic};
use crate::Error;

/// Which offset is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeSpec {
    /// The first that is there.
    Earliest,
    /// The one that the next record gets.
    Latest,
    /// The first record with this timestamp or a later one, in milliseconds since 1970.
    Since(i64),
}

impl TimeSpec {
    /// As it travels.
    fn timestamp(self) -> i64 {
        match self {
            TimeSpec::Latest => -1,
            TimeSpec::Earliest => -2,
            TimeSpec::Since(ms) => ms,
        }
    }
}

/// What was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    /// `None`: no record is so late.
    pub offset: Option<i64>,
    /// Of the record found, -1 when no single record was asked for.
    pub timestamp_ms: i64,
}

impl Admin {
    /// Looks up offsets, each at the leader of its partition.
    ///
    /// # Errors
    /// [`Error::NoTopic`], [`Error::NoPartition`], [`Error::Refused`], those of asking.
    pub async fn offsets(
        &self,
        wanted: &BTreeMap<(Str, i32), TimeSpec>,
    ) -> Result<BTreeMap<(Str, i32), Found>, Error> {
        let ask = async || {
            let mut by_leader: BTreeMap<i32, Vec<_>> = BTreeMap::new();
            for ((topic, partition), spec) in wanted {
                let leader = self.cluster.leader(topic, *partition).await?;
                let partition = ListOffsetsPartition {
                    partition_index: *partition,
                    timestamp: spec.timestamp(),
                    ..Default::default()
                };
                by_leader
                    .entry(leader)
                    .or_default()
                    .push((topic.clone(), partition));
            }
            let mut found = BTreeMap::new();
            for (leader, partitions) in by_leader {
                let topics = by_topic(partitions);
                let topics = topics
                    .into_iter()
                    .map(|(name, partitions)| ListOffsetsTopic { name, partitions });
                let request = ListOffsetsRequest {
                    replica_id: -1,
                    topics: topics.collect(),
                    timeout_ms: 30_000,
                    ..Default::default()
                };
                let answer = self.cluster.ask(leader, &request).await?;
                for topic in answer.topics {
                    for partition in topic.partitions {
                        let key = (topic.name.clone(), partition.partition_index);
                        let what = || format!("looking up offsets of {}-{}", key.0, key.1);
                        self.check_leader(&topic.name, Error::check(what, partition.error_code, None))
                            .await?;
                        let offset = (partition.offset >= 0).then_some(partition.offset);
                        let timestamp_ms = partition.timestamp;
                        found.insert(key, Found { offset, timestamp_ms });
                    }
                }
            }
            Ok(found)
        };
        self.cluster.retrying(ask).await
    }
}
