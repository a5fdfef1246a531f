//! OffsetForLeaderEpoch (key 23): where a leader epoch ends, for clients that check whether their log is still
//! this one (KIP-320).

use klamm_protocol::ErrorCode;
use klamm_protocol::messages::offset_for_leader_epoch::{
    EpochEndOffset, OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse, OffsetForLeaderPartition,
    OffsetForLeaderTopicResult,
};

use crate::api::Caller;
use crate::node::Node;
use crate::partition::Partition;
use crate::replicas::OPEN_TIMEOUT_MS;

/// Handles a request.
pub(crate) fn handle(node: &mut Node, caller: Caller, request: OffsetForLeaderEpochRequest) {
    let named = request.topics.iter();
    let keys = node
        .logs_named(named.map(|topic| (&topic.topic, topic.partitions.iter().map(|asked| asked.partition))));
    node.when_open(keys, OPEN_TIMEOUT_MS, move |node| respond(node, caller, request));
}

fn respond(node: &mut Node, caller: Caller, request: OffsetForLeaderEpochRequest) {
    let topics = request.topics.into_iter().map(|topic| {
        let topic_id = node.cluster.topic_by_name(&topic.topic).map(|topic| topic.id);
        let partitions = topic.partitions.iter().map(|asked| {
            let found = topic_id
                .ok_or(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)
                .and_then(|topic_id| node.partition_of(topic_id, asked.partition))
                .and_then(|partition| end_of_epoch(partition, asked));
            let (error_code, end) = match found {
                Ok(end) => (ErrorCode::NONE, end),
                Err(code) => (code, None),
            };
            let (leader_epoch, end_offset) = end.unwrap_or((-1, -1));
            EpochEndOffset {
                error_code,
                partition: asked.partition,
                leader_epoch,
                end_offset,
            }
        });
        OffsetForLeaderTopicResult {
            partitions: partitions.collect(),
            topic: topic.topic,
        }
    });
    let response = OffsetForLeaderEpochResponse {
        topics: topics.collect(),
        ..Default::default()
    };
    node.answer(&caller, response);
}

/// The largest epoch up to the one asked for, and the offset at which it ends; `None` if there is none.
fn end_of_epoch(
    partition: &Partition,
    asked: &OffsetForLeaderPartition,
) -> Result<Option<(i32, i64)>, ErrorCode> {
    partition.check_epoch(asked.current_leader_epoch)?;
    Ok(partition.log.end_offset_for_epoch(asked.leader_epoch))
}
