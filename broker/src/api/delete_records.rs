//! DeleteRecords (key 21): moves the log start offset up. -1 means up to the high watermark (KIP-107).

use klamm_protocol::ErrorCode;
use klamm_protocol::messages::delete_records::{
    DeleteRecordsPartition, DeleteRecordsPartitionResult, DeleteRecordsRequest, DeleteRecordsResponse,
    DeleteRecordsTopicResult,
};
use klamm_storage::LogKey;

use crate::api::Caller;
use crate::cluster::is_internal;
use crate::node::Node;
use crate::replicas::OPEN_TIMEOUT_MS;

/// Handles a request.
pub(crate) fn handle(node: &mut Node, caller: Caller, request: DeleteRecordsRequest) {
    let named = request.topics.iter();
    let keys = node.logs_named(named.map(|topic| {
        (
            &topic.name,
            topic.partitions.iter().map(|asked| asked.partition_index),
        )
    }));
    node.when_open(keys, OPEN_TIMEOUT_MS, move |node| respond(node, caller, request));
}

fn respond(node: &mut Node, caller: Caller, request: DeleteRecordsRequest) {
    let mut response = DeleteRecordsResponse::default();
    for topic in request.topics {
        let partitions = topic.partitions.iter().map(|asked| {
            let deleted = delete(node, &topic.name, asked);
            DeleteRecordsPartitionResult {
                partition_index: asked.partition_index,
                low_watermark: *deleted.as_ref().unwrap_or(&-1),
                error_code: deleted.err().unwrap_or(ErrorCode::NONE),
            }
        });
        let partitions = partitions.collect();
        response.topics.push(DeleteRecordsTopicResult {
            name: topic.name,
            partitions,
        });
    }
    node.answer(&caller, response);
}

fn delete(node: &mut Node, topic: &str, asked: &DeleteRecordsPartition) -> Result<i64, ErrorCode> {
    if is_internal(topic) {
        return Err(ErrorCode::INVALID_TOPIC_EXCEPTION);
    }
    let topic = node
        .cluster
        .topic_by_name(topic)
        .ok_or(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)?;
    let key = LogKey {
        topic_id: topic.id,
        partition: asked.partition_index,
    };
    let partition = node.partitions.online(&key).map_err(|absent| absent.code())?;
    if !partition.config.cleanup_delete {
        return Err(ErrorCode::POLICY_VIOLATION);
    }
    let high_watermark = partition.high_watermark();
    let offset = if asked.offset == -1 {
        high_watermark
    } else {
        asked.offset
    };
    if offset < 0 || offset > high_watermark {
        return Err(ErrorCode::OFFSET_OUT_OF_RANGE);
    }
    let jobs = node.out.lane(partition.lane);
    let start = partition.log.delete_records_before(offset, jobs);
    // A log that is being closed stays as it is.
    if start < offset {
        return Err(ErrorCode::NOT_LEADER_OR_FOLLOWER);
    }
    Ok(start)
}
