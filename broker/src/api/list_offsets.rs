//! ListOffsets (key 2): the ends of logs, and offsets by timestamp.
//!
//! Ends are answered at once. A timestamp is looked up by a job where the index has to be read from the disk.
//! Version 0 comes from before records had timestamps: it asks for the begins of segments, by when they were written.

use klamm_protocol::ErrorCode;
use klamm_protocol::messages::list_offsets::{
    ListOffsetsPartition, ListOffsetsPartitionResponse, ListOffsetsRequest, ListOffsetsResponse,
    ListOffsetsTopicResponse,
};
use klamm_storage::{Lookup, LookupJob};

use crate::LaneId;
use crate::api::Caller;
use crate::job::{FoundOffset, Job, ReadFailure};
use crate::node::Node;
use crate::partition::Partition;
use crate::replicas::OPEN_TIMEOUT_MS;

const READ_COMMITTED: i8 = 1;

/// Timestamps that mean something else (Kafka: `ListOffsetsRequest`).
const LATEST: i64 = -1;
const EARLIEST: i64 = -2;
const MAX_TIMESTAMP: i64 = -3;
const EARLIEST_LOCAL: i64 = -4;
const LATEST_TIERED: i64 = -5;
const EARLIEST_PENDING_UPLOAD: i64 = -6;

/// What is known of one partition's answer.
enum Step {
    Known(FoundOffset),
    /// What version 0 is answered.
    Segments(Vec<i64>),
    Job(LaneId, LookupJob),
}

/// Handles a request.
pub(crate) fn handle(node: &mut Node, caller: Caller, request: ListOffsetsRequest) {
    let named = request.topics.iter();
    let keys = node.logs_named(named.map(|topic| {
        (
            &topic.name,
            topic.partitions.iter().map(|asked| asked.partition_index),
        )
    }));
    node.when_open(keys, OPEN_TIMEOUT_MS, move |node| respond(node, caller, request));
}

fn respond(node: &mut Node, caller: Caller, request: ListOffsetsRequest) {
    let read_committed = request.isolation_level == READ_COMMITTED;
    let mut response = ListOffsetsResponse::default();
    let mut jobs = Vec::new();
    let mut places = Vec::new();
    let mut lane = LaneId::METADATA;
    for (topic_at, topic) in request.topics.into_iter().enumerate() {
        let topic_id = node.cluster.topic_by_name(&topic.name).map(|topic| topic.id);
        let mut partitions = Vec::with_capacity(topic.partitions.len());
        for (partition_at, asked) in topic.partitions.iter().enumerate() {
            let step = check_timestamp(asked.timestamp, caller.version)
                .and_then(|()| topic_id.ok_or(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION))
                .and_then(|topic_id| node.partition_of(topic_id, asked.partition_index))
                .and_then(|partition| match caller.version {
                    0 => Ok(Step::Segments(segments_before(
                        partition,
                        asked,
                        node.now.unix_ms,
                    ))),
                    _ => look_up(partition, asked, read_committed),
                });
            let known = match step {
                Ok(Step::Known(known)) => Ok(known),
                Ok(Step::Segments(offsets)) => {
                    partitions.push(ListOffsetsPartitionResponse {
                        partition_index: asked.partition_index,
                        old_style_offsets: offsets,
                        ..Default::default()
                    });
                    continue;
                }
                Ok(Step::Job(of, job)) => {
                    lane = of;
                    jobs.push(job);
                    places.push((topic_at, partition_at));
                    Ok(FoundOffset::NOTHING)
                }
                Err(code) => Err(code),
            };
            partitions.push(answer(&caller, asked.partition_index, known));
        }
        response.topics.push(ListOffsetsTopicResponse {
            name: topic.name,
            partitions,
        });
    }
    if jobs.is_empty() {
        return node.answer(&caller, response);
    }
    let then = move |node: &mut Node, results: Vec<Result<FoundOffset, ReadFailure>>| {
        for ((topic, partition), result) in places.into_iter().zip(results) {
            let result = result.map_err(|failure| match failure {
                // A retriable code: whoever asks again asks another log.
                ReadFailure::Gone => ErrorCode::NOT_LEADER_OR_FOLLOWER,
                ReadFailure::Disk => ErrorCode::KAFKA_STORAGE_ERROR,
            });
            let place = &mut response.topics[topic].partitions[partition];
            *place = answer(&caller, place.partition_index, result);
        }
        node.answer(&caller, response);
    };
    let id = node.next_job_id();
    node.lookups.insert(id, Box::new(then));
    node.push_job(Job::look_up(id, lane, jobs));
}

/// Timestamps with a meaning of their own have come one by one.
fn check_timestamp(timestamp: i64, version: i16) -> Result<(), ErrorCode> {
    let since = match timestamp {
        LATEST | EARLIEST | 0.. => 0,
        MAX_TIMESTAMP => 7,
        EARLIEST_LOCAL => 8,
        LATEST_TIERED => 9,
        EARLIEST_PENDING_UPLOAD => 11,
        _ => return Err(ErrorCode::UNSUPPORTED_VERSION),
    };
    if version >= since {
        Ok(())
    } else {
        Err(ErrorCode::UNSUPPORTED_VERSION)
    }
}

fn look_up(
    partition: &Partition,
    asked: &ListOffsetsPartition,
    read_committed: bool,
) -> Result<Step, ErrorCode> {
    partition.check_epoch(asked.current_leader_epoch)?;
    let bound = if read_committed {
        partition.last_stable_offset()
    } else {
        partition.high_watermark()
    };
    let leader_epoch = partition.leader_epoch;
    let end = |offset| {
        Step::Known(FoundOffset {
            timestamp_ms: -1,
            offset,
            leader_epoch,
        })
    };
    let lookup = match asked.timestamp {
        LATEST => return Ok(end(bound)),
        EARLIEST | EARLIEST_LOCAL => return Ok(end(partition.log.log_start_offset())),
        // Nothing lies in another tier.
        LATEST_TIERED | EARLIEST_PENDING_UPLOAD => return Ok(Step::Known(FoundOffset::NOTHING)),
        MAX_TIMESTAMP => Lookup::MaxTimestamp,
        timestamp_ms => Lookup::AtOrAfter(timestamp_ms),
    };
    let job = partition
        .log
        .find(lookup, bound)
        .map_err(|_| ErrorCode::KAFKA_STORAGE_ERROR)?;
    Ok(Step::Job(partition.lane, job))
}

/// Begins of segments that were last written at the asked time or before, latest first; the end of the log counts as
/// one that is written now (Kafka: `UnifiedLog.legacyFetchOffsetsBefore`).
fn segments_before(partition: &Partition, asked: &ListOffsetsPartition, now_ms: i64) -> Vec<i64> {
    let (log, high_watermark) = (&partition.log, partition.high_watermark());
    let (start_offset, end_offset) = (log.log_start_offset(), log.log_end_offset());
    let begins = log.segment_times().rev();
    // An empty last segment begins where the log ends.
    let begins = begins.map(|(offset, modified_ms)| (offset.max(start_offset), modified_ms));
    let ends = std::iter::once((end_offset, now_ms)).chain(begins.filter(|begin| begin.0 < end_offset));
    let most = usize::try_from(asked.max_num_offsets).unwrap_or(0);
    if asked.timestamp == EARLIEST {
        return Vec::from_iter((most > 0).then_some(start_offset));
    }
    let mut offsets: Vec<i64> = ends
        .skip_while(|(_, time_ms)| asked.timestamp != LATEST && *time_ms > asked.timestamp)
        .map(|(offset, _)| offset)
        .take(most)
        .collect();
    // What is not committed is shown to nobody.
    if let Some(first) = offsets.first_mut() {
        *first = (*first).min(high_watermark);
    }
    offsets.dedup();
    offsets
}

fn answer(
    caller: &Caller,
    partition_index: i32,
    found: Result<FoundOffset, ErrorCode>,
) -> ListOffsetsPartitionResponse {
    let mut response = ListOffsetsPartitionResponse {
        partition_index,
        ..Default::default()
    };
    match found {
        Err(code) => response.error_code = code,
        Ok(found) => {
            response.timestamp = found.timestamp_ms;
            response.offset = found.offset;
            if caller.version >= 4 {
                response.leader_epoch = found.leader_epoch;
            }
        }
    }
    response
}
