//! What has to happen before a produced batch may be appended and takes too long for the core. Its log has to be
//! open; it gets another codec where the topic asks for one (`compression.type`), and every record is looked at
//! where the topic is compacted and wants keys.
//!
//! Batches are worked on by a job. Meanwhile later Produce requests of the same connection queue up behind, so
//! that what a producer sends is appended in the order in which it was sent. That is also why a log that is being
//! opened is waited for: of several batches under way, refusing the first ones and appending the next would put
//! them out of order for good, since a log that knows nothing of a producer takes any sequence (KIP-360).

use std::collections::VecDeque;

use klamm_protocol::record::{
    Batch, BatchBuilder, Compression, INFLATE_LIMIT_BYTES, ProducedRules, RecordsError,
};
use klamm_protocol::{ErrorCode, Str};
use klamm_storage::LogKey;

use crate::api::Caller;
use crate::api::produce::{self, ProduceCall, Rejected};
use crate::config::{TopicCompression, TopicConfig};
use crate::job::Job;
use crate::node::Node;
use crate::{ConnectionId, LaneId};

/// Produce requests of one connection that are not appended yet, oldest first.
pub(crate) type Queue = VecDeque<Queued>;

/// A Produce request that waits for its logs or its batches, or for one before it.
pub(crate) struct Queued {
    caller: Caller,
    call: ProduceCall,
    /// The number of what it waits for itself: logs that are being opened, or a job that works on its batches.
    waits_for: Option<u64>,
}

/// What is to be done to one batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Treatment {
    /// The codec that it is to have.
    codec: Option<Compression>,
    key_required: bool,
    /// Every record of a compressed batch is looked at.
    walk: bool,
    inflate_limit_bytes: usize,
}

/// A batch on its way through a job, and where in its request it stands.
pub(crate) struct Patient {
    topic: usize,
    partition: usize,
    batch: Batch,
    treatment: Treatment,
}

/// A batch that is ready, or why it cannot be appended.
pub(crate) struct Prepared {
    topic: usize,
    partition: usize,
    batch: Result<Batch, Rejected>,
}

/// Gives a request back if it can be appended now; else it is queued.
pub(crate) fn prepare(
    node: &mut Node,
    caller: Caller,
    mut call: ProduceCall,
) -> Option<(Caller, ProduceCall)> {
    let connection = caller.id.connection;
    let is_first = node.preparing.get(&connection).is_none_or(VecDeque::is_empty);
    let waits_for = match await_logs(node, &caller, &call) {
        None => begin_job(node, &caller, &mut call),
        opening => opening,
    };
    if waits_for.is_none() && is_first {
        return Some((caller, call));
    }
    let queue = node.preparing.entry(connection).or_default();
    queue.push_back(Queued {
        caller,
        call,
        waits_for,
    });
    None
}

/// Lets a request go on once all its logs are open, or have failed, or its time is over.
fn await_logs(node: &mut Node, caller: &Caller, call: &ProduceCall) -> Option<u64> {
    let mut opening = Vec::new();
    for topic in &call.topics {
        let Ok(topic_id) = produce::resolve(node, caller, topic) else {
            continue;
        };
        let keys = topic.partitions.iter().map(|partition| LogKey {
            topic_id,
            partition: partition.index,
        });
        opening.extend(keys.filter(|key| node.is_opening(key)));
    }
    if opening.is_empty() {
        return None;
    }
    let id = node.next_job_id();
    let connection = caller.id.connection;
    let timeout_ms = u64::try_from(call.timeout_ms).unwrap_or(0);
    node.when_open(opening, timeout_ms, move |node| on_open(node, connection, id));
    Some(id)
}

fn on_open(node: &mut Node, connection: ConnectionId, id: u64) {
    let Some(queue) = node.preparing.get_mut(&connection) else {
        return;
    };
    let Some(at) = queue.iter().position(|queued| queued.waits_for == Some(id)) else {
        return;
    };
    let Some(mut queued) = queue.remove(at) else {
        return;
    };
    queued.waits_for = begin_job(node, &queued.caller, &mut queued.call);
    let queue = node.preparing.entry(connection).or_default();
    queue.insert(at, queued);
    commit_ready(node, connection);
}

fn begin_job(node: &mut Node, caller: &Caller, call: &mut ProduceCall) -> Option<u64> {
    let (patients, lane) = take_patients(node, caller, call);
    (!patients.is_empty()).then(|| {
        let id = node.next_job_id();
        node.push_job(Job::prepare(id, lane, caller.id.connection, patients));
        id
    })
}

/// A job has prepared batches.
pub(crate) fn on_prepared(node: &mut Node, connection: ConnectionId, job: u64, prepared: Vec<Prepared>) {
    let Some(queue) = node.preparing.get_mut(&connection) else {
        return;
    };
    if let Some(queued) = queue.iter_mut().find(|queued| queued.waits_for == Some(job)) {
        queued.waits_for = None;
        for Prepared {
            topic,
            partition,
            batch,
        } in prepared
        {
            queued.call.topics[topic].partitions[partition].batch = batch;
        }
    }
    commit_ready(node, connection);
}

/// Appends what waits for nothing any more, in order.
fn commit_ready(node: &mut Node, connection: ConnectionId) {
    let Some(queue) = node.preparing.get_mut(&connection) else {
        return;
    };
    let mut ready = Vec::new();
    while let Some(queued) = queue.pop_front_if(|queued| queued.waits_for.is_none()) {
        ready.push(queued);
    }
    if queue.is_empty() {
        node.preparing.remove(&connection);
    }
    for Queued { caller, call, .. } in ready {
        produce::commit(node, caller, call);
    }
}

/// Takes the batches out of a request that something has to be done to. In their place stands an error until
/// they come back.
fn take_patients(node: &Node, caller: &Caller, call: &mut ProduceCall) -> (Vec<Patient>, LaneId) {
    let mut patients = Vec::new();
    let mut lane = LaneId::METADATA;
    for (topic_at, topic) in call.topics.iter_mut().enumerate() {
        let Ok(topic_id) = produce::resolve(node, caller, topic) else {
            continue;
        };
        for (partition_at, partition) in topic.partitions.iter_mut().enumerate() {
            let key = LogKey {
                topic_id,
                partition: partition.index,
            };
            let (Ok(online), Ok(batch)) = (node.partitions.get_online(&key), &partition.batch) else {
                continue;
            };
            let Some(treatment) = treatment(&online.config, batch, node.config.validate_compressed) else {
                continue;
            };
            lane = online.lane;
            let absent = Err(ErrorCode::UNKNOWN_SERVER_ERROR.into());
            if let Ok(batch) = std::mem::replace(&mut partition.batch, absent) {
                patients.push(Patient {
                    topic: topic_at,
                    partition: partition_at,
                    batch,
                    treatment,
                });
            }
        }
    }
    (patients, lane)
}

fn treatment(config: &TopicConfig, batch: &Batch, validate_compressed: bool) -> Option<Treatment> {
    let wanted = match config.compression {
        TopicCompression::Producer => None,
        TopicCompression::Uncompressed => Some(Compression::None),
        TopicCompression::Gzip => Some(Compression::Gzip),
        TopicCompression::Snappy => Some(Compression::Snappy),
        TopicCompression::Lz4 => Some(Compression::Lz4),
        TopicCompression::Zstd => Some(Compression::Zstd),
    };
    let codec = wanted.filter(|codec| batch.header().compression() != Some(*codec));
    let treatment = Treatment {
        codec,
        key_required: config.cleanup_compact,
        // Plain batches have been walked already.
        walk: validate_compressed && batch.header().compression() != Some(Compression::None),
        inflate_limit_bytes: INFLATE_LIMIT_BYTES.min(config.max_decompressed_bytes as usize),
    };
    (treatment.codec.is_some() || treatment.key_required || treatment.walk).then_some(treatment)
}

impl Patient {
    /// Does it: on a thread that may take its time.
    pub fn treat(self) -> Prepared {
        let Patient {
            topic,
            partition,
            batch,
            treatment,
        } = self;
        Prepared {
            topic,
            partition,
            batch: treat(batch, treatment),
        }
    }
}

fn treat(mut batch: Batch, treatment: Treatment) -> Result<Batch, Rejected> {
    if treatment.key_required || treatment.walk {
        batch.validate_produced(&ProducedRules {
            key_required: treatment.key_required,
            walk_compressed: treatment.walk,
            inflate_limit_bytes: treatment.inflate_limit_bytes,
            ..ProducedRules::default()
        })?;
    }
    match treatment.codec {
        None => Ok(batch),
        Some(codec) => recompress(&batch, codec, treatment.inflate_limit_bytes).map_err(|error| Rejected {
            code: ErrorCode::INVALID_RECORD,
            message: Some(error.to_string()),
            record: None,
        }),
    }
}

fn recompress(batch: &Batch, codec: Compression, limit_bytes: usize) -> Result<Batch, RecordsError> {
    let header = batch.header();
    let mut builder = BatchBuilder::new(codec);
    builder.producer(header.producer_id, header.producer_epoch, header.base_sequence);
    for record in batch.records(limit_bytes)? {
        let record = record?;
        let headers: Vec<(&str, Option<&[u8]>)> = record
            .headers
            .iter()
            .map(|(key, value): &(Str, _)| (&**key, value.as_deref()))
            .collect();
        let (key, value) = (record.key.as_deref(), record.value.as_deref());
        builder.append_with_headers(record.timestamp_ms, key, value, &headers);
    }
    Ok(builder.finish())
}
