//! DescribeLogDirs (key 35): what lies in this broker's log directories (KIP-113).

use std::collections::{BTreeMap, BTreeSet};

use klamm_protocol::messages::describe_log_dirs::{
    DescribeLogDirsPartition, DescribeLogDirsRequest, DescribeLogDirsResponse, DescribeLogDirsResult,
    DescribeLogDirsTopic,
};
use klamm_protocol::{ErrorCode, Str};

use crate::LaneId;
use crate::api::Caller;
use crate::node::Node;
use crate::partitions::Slot;

/// Handles a request.
pub(crate) fn handle(node: &mut Node, caller: Caller, request: DescribeLogDirsRequest) {
    let asked: Option<BTreeSet<(Str, i32)>> = request.topics.map(|topics| {
        let topics = topics.into_iter();
        topics
            .flat_map(|topic| {
                topic
                    .partitions
                    .into_iter()
                    .map(move |index| (topic.topic.clone(), index))
            })
            .collect()
    });
    let mut by_lane: BTreeMap<LaneId, BTreeMap<Str, Vec<DescribeLogDirsPartition>>> = BTreeMap::new();
    for (key, slot) in node.partitions.iter() {
        let Slot::Online(partition) = slot else { continue };
        if asked
            .as_ref()
            .is_some_and(|asked| !asked.contains(&(partition.topic.clone(), key.partition)))
        {
            continue;
        }
        let described = DescribeLogDirsPartition {
            partition_index: key.partition,
            partition_size: i64::try_from(partition.log.size_bytes()).unwrap_or(i64::MAX),
            ..DescribeLogDirsPartition::default()
        };
        let topics = by_lane.entry(partition.lane).or_default();
        topics.entry(partition.topic.clone()).or_default().push(described);
    }
    let results = node.disks.iter().map(|dir| {
        let topics = by_lane.remove(&dir.lane).unwrap_or_default().into_iter();
        DescribeLogDirsResult {
            error_code: if dir.failed {
                ErrorCode::KAFKA_STORAGE_ERROR
            } else {
                ErrorCode::NONE
            },
            log_dir: dir.path.to_string_lossy().into_owned().into(),
            topics: topics
                .map(|(name, partitions)| DescribeLogDirsTopic { name, partitions })
                .collect(),
            ..DescribeLogDirsResult::default()
        }
    });
    let results = results.collect();
    node.answer(
        &caller,
        DescribeLogDirsResponse {
            results,
            ..DescribeLogDirsResponse::default()
        },
    );
}
