//! Topics: list, describe, create, delete, more partitions, fewer records.

use std::collections::BTreeMap;

use klamm_protocol::messages::create_partitions::{CreatePartitionsRequest, CreatePartitionsTopic};
use klamm_protocol::messages::create_topics::{
    CreatableReplicaAssignment, CreatableTopic, CreatableTopicConfig, CreateTopicsRequest,
};
use klamm_protocol::messages::delete_records::{
    DeleteRecordsPartition, DeleteRecordsRequest, DeleteRecordsTopic,
};
use klamm_protocol::messages::delete_topics::DeleteTopicsRequest;
use klamm_protocol::{ErrorCode, Str};

use super::{Admin, by_topic};
use crate::cluster::known_topic;
use crate::{Error, PicturedTopic};

/// How long the cluster may take for a change.
const CHANGE_TIMEOUT_MS: i32 = 30_000;

/// A topic to be created.
#[derive(Clone, Debug, Default)]
pub struct NewTopic {
    /// Its name.
    pub name: Str,
    /// How many; `None` for the broker's default.
    pub partitions: Option<i32>,
    /// Copies of each partition; `None` for the broker's default.
    pub replication_factor: Option<i16>,
    /// Broker ids of partition 0, 1, ...; then the two counts stay `None`.
    pub assignment: Vec<Vec<i32>>,
    /// Configurations that differ from the broker's.
    pub configs: Vec<(Str, Str)>,
}

impl Admin {
    /// All topics by name.
    ///
    /// # Errors
    /// Those of asking.
    pub async fn topics(&self) -> Result<BTreeMap<Str, PicturedTopic>, Error> {
        Ok(self.cluster.refresh(None, false).await?.topics.clone())
    }

    /// One topic.
    ///
    /// # Errors
    /// [`Error::NoTopic`], those of asking.
    pub async fn topic(&self, name: &Str) -> Result<PicturedTopic, Error> {
        let ask = async || {
            let picture = self
                .cluster
                .refresh(Some(std::slice::from_ref(name)), false)
                .await?;
            known_topic(&picture, name).cloned()
        };
        self.cluster.retrying(ask).await
    }

    /// Creates topics. With `only_validate` nothing is created.
    ///
    /// # Errors
    /// Those of asking; inside, what is wrong with each topic.
    pub async fn create_topics(
        &self,
        topics: &[NewTopic],
        only_validate: bool,
    ) -> Result<Vec<(Str, Result<(), Error>)>, Error> {
        let request = CreateTopicsRequest {
            topics: topics.iter().map(creatable).collect(),
            timeout_ms: CHANGE_TIMEOUT_MS,
            validate_only: only_validate,
        };
        let answer = self.cluster.ask_any(&request).await?;
        let results = answer.topics.into_iter().map(|topic| {
            let what = || format!("creating topic {}", topic.name);
            let result = Error::check(what, topic.error_code, topic.error_message.as_ref());
            (topic.name, result)
        });
        Ok(results.collect())
    }

    /// Deletes topics and their records.
    ///
    /// # Errors
    /// Those of asking; inside, [`Error::NoTopic`] or what else is wrong with each topic.
    pub async fn delete_topics(&self, names: &[Str]) -> Result<Vec<(Str, Result<(), Error>)>, Error> {
        let request = DeleteTopicsRequest {
            topic_names: names.to_vec(),
            timeout_ms: CHANGE_TIMEOUT_MS,
            ..Default::default()
        };
        let answer = self.cluster.ask_any(&request).await?;
        let results = answer.responses.into_iter().map(|topic| {
            let name = topic.name.unwrap_or_default();
            let result = match topic.error_code {
                ErrorCode::UNKNOWN_TOPIC_OR_PARTITION => Err(Error::NoTopic { topic: name.clone() }),
                code => Error::check(
                    || format!("deleting topic {name}"),
                    code,
                    topic.error_message.as_ref(),
                ),
            };
            (name, result)
        });
        Ok(results.collect())
    }

    /// Raises a topic's number of partitions to `count`.
    ///
    /// # Errors
    /// [`Error::Refused`], for instance when it would become fewer; those of asking.
    pub async fn create_partitions(&self, name: &Str, count: i32) -> Result<(), Error> {
        let topic = CreatePartitionsTopic {
            name: name.clone(),
            count,
            assignments: None,
        };
        let request = CreatePartitionsRequest {
            topics: vec![topic],
            timeout_ms: CHANGE_TIMEOUT_MS,
            validate_only: false,
        };
        let answer = self.cluster.ask_any(&request).await?;
        for result in answer.results {
            let what = || format!("changing the partitions of topic {name}");
            Error::check(what, result.error_code, result.error_message.as_ref())?;
        }
        Ok(())
    }

    /// Deletes the records of a partition before an offset, -1 for all of them. Gives the first offset that is left.
    ///
    /// # Errors
    /// [`Error::Refused`] with OFFSET_OUT_OF_RANGE when the partition does not reach so far; those of asking.
    pub async fn delete_records(&self, topic: &Str, partition: i32, before: i64) -> Result<i64, Error> {
        let offset = DeleteRecordsPartition {
            partition_index: partition,
            offset: before,
        };
        let topics = by_topic([(topic.clone(), offset)]);
        let topics = topics
            .into_iter()
            .map(|(name, partitions)| DeleteRecordsTopic { name, partitions });
        let request = DeleteRecordsRequest {
            topics: topics.collect(),
            timeout_ms: CHANGE_TIMEOUT_MS,
        };
        let ask = async || {
            let leader = self.cluster.leader(topic, partition).await?;
            let answer = self.cluster.ask(leader, &request).await?;
            let results = answer.topics.into_iter().flat_map(|topic| topic.partitions);
            let mut first = before;
            for result in results {
                let what = || format!("deleting records of {topic}-{partition} before {before}");
                self.check_leader(topic, Error::check(what, result.error_code, None))
                    .await?;
                first = result.low_watermark;
            }
            Ok(first)
        };
        self.cluster.retrying(ask).await
    }

    /// Passes a result on; when it says that the leader is elsewhere, asks who leads now.
    pub(super) async fn check_leader<T>(&self, topic: &Str, result: Result<T, Error>) -> Result<T, Error> {
        if result.as_ref().is_err_and(Error::retriable) {
            self.cluster
                .refresh(Some(std::slice::from_ref(topic)), false)
                .await?;
        }
        result
    }
}

fn creatable(topic: &NewTopic) -> CreatableTopic {
    let assigned = !topic.assignment.is_empty();
    let assignment = |(partition_index, broker_ids): (i32, &Vec<i32>)| CreatableReplicaAssignment {
        partition_index,
        broker_ids: broker_ids.clone(),
    };
    CreatableTopic {
        name: topic.name.clone(),
        num_partitions: topic.partitions.filter(|_| !assigned).unwrap_or(-1),
        replication_factor: topic.replication_factor.filter(|_| !assigned).unwrap_or(-1),
        assignments: (0..).zip(&topic.assignment).map(assignment).collect(),
        configs: topic
            .configs
            .iter()
            .map(|(name, value)| CreatableTopicConfig {
                name: name.clone(),
                value: Some(value.clone()),
            })
            .collect(),
    }
}
