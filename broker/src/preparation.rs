//! What has to happen before a produced batch may be appended and takes too long for the core. Its log has to be
//! open; what an old producer sends becomes a batch; it gets another codec where the topic asks for one
//! (`compression.type`), and every record is looked at where the topic is compacted and wants keys.
//!
//! Batches are worked on by a job. Meanwhile later Produce requests of the same connection queue up behind, so
//! that what a producer sends is appended in the order in which it was sent. That is also why a log that is being
//! opened is waited for: of several batches under way, refusing the first ones and appending the next would put
//! them out of order for good, since a log that knows nothing of a producer takes any sequence (KIP-360).

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use bytes::Bytes;
use klamm_protocol::record::legacy::{self, UpRules};
use klamm_protocol::record::{
    Batch, BatchBuilder, Compression, INFLATE_LIMIT_BYTES, ProducedRules, RecordsError,
};
use klamm_protocol::{ErrorCode, Str};
use klamm_storage::LogKey;

use crate::ConnectionId;
use crate::api::Caller;
use crate::api::produce::{self, ProduceCall, ProducePartition, Produced, Rejected};
use crate::config::{TopicCompression, TopicConfig};
use crate::coordinator::transactions::{Enlist, Enlisted};
use crate::job::Job;
use crate::node::Node;
use crate::old_clients::Conversion;
use crate::transactions;

/// The most that the batches of one request may take once they are prepared: as much as a request may bring
/// (`socket.request.max.bytes`). With another codec they can grow a thousandfold.
const PREPARED_BYTES_MAX: usize = 100 << 20;

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
    /// What the topic allows a batch to take (`max.message.bytes`).
    batch_bytes_max: usize,
}

/// A batch on its way through a job, and where in its request it stands.
pub(crate) struct Patient {
    topic: usize,
    partition: usize,
    produced: Produced,
    treatment: Treatment,
}

/// A batch that is ready, or why it cannot be appended.
pub(crate) struct Prepared {
    topic: usize,
    partition: usize,
    batch: Result<Batch, Rejected>,
    /// What was converted from an old format, if anything was.
    converted: Conversion,
}

/// Gives a request back if it can be appended now; else it is queued.
pub(crate) fn prepare(
    node: &mut Node,
    caller: Caller,
    mut call: ProduceCall,
) -> Option<(Caller, ProduceCall)> {
    if caller.version < produce::BATCHES_SINCE {
        note_short_sets(node, &caller, &call);
    }
    let connection = caller.id.connection;
    let is_first = node.preparing.get(&connection).is_none_or(VecDeque::is_empty);
    let waits_for = match await_logs(node, &caller, &call) {
        None => begin_job(node, &caller, &mut call).or_else(|| verify(node, &caller, &mut call)),
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

/// Counts what was converted in the connection's task.
fn note_short_sets(node: &mut Node, caller: &Caller, call: &ProduceCall) {
    let mut price = Conversion::default();
    for partition in call.topics.iter().flat_map(|topic| &topic.partitions) {
        if let Ok(Produced::Batch(batch)) = &partition.batch {
            price.add(Conversion {
                records: u64::try_from(batch.header().record_count).unwrap_or(0),
                bytes: batch.size() as u64,
                us: 0,
            });
        }
    }
    note_price(node, caller, price);
}

fn note_price(node: &mut Node, caller: &Caller, price: Conversion) {
    if let Some(used) = caller.old_use.as_ref().filter(|_| price.records > 0) {
        node.old_clients.converted(used, price);
    }
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
        opening.extend(keys.filter(|key| node.begin_opening(key)));
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
    with_queued(node, connection, id, |node, queued| {
        let Queued { caller, call, .. } = queued;
        begin_job(node, caller, call).or_else(|| verify(node, caller, call))
    });
}

/// What a queued request waited for has come: `then` says what it waits for next.
fn with_queued(
    node: &mut Node,
    connection: ConnectionId,
    id: u64,
    then: impl FnOnce(&mut Node, &mut Queued) -> Option<u64>,
) {
    let Some(queue) = node.preparing.get_mut(&connection) else {
        return;
    };
    let Some(at) = queue.iter().position(|queued| queued.waits_for == Some(id)) else {
        return;
    };
    let Some(mut queued) = queue.remove(at) else {
        return;
    };
    queued.waits_for = then(node, &mut queued);
    let queue = node.preparing.entry(connection).or_default();
    queue.insert(at, queued);
    commit_ready(node, connection);
}

fn begin_job(node: &mut Node, caller: &Caller, call: &mut ProduceCall) -> Option<u64> {
    let patients = take_patients(node, caller, call);
    (!patients.is_empty()).then(|| {
        let id = node.next_job_id();
        node.push_job(Job::prepare(id, caller.id.connection, patients));
        id
    })
}

/// A job has prepared batches.
pub(crate) fn on_prepared(
    node: &mut Node,
    connection: ConnectionId,
    job: u64,
    took_us: u64,
    prepared: Vec<Prepared>,
) {
    let mut price = Conversion {
        us: took_us,
        ..Conversion::default()
    };
    for one in &prepared {
        price.add(one.converted);
    }
    with_queued(node, connection, job, |node, queued| {
        note_price(node, &queued.caller, price);
        for Prepared {
            topic,
            partition,
            batch,
            converted: _,
        } in prepared
        {
            queued.call.topics[topic].partitions[partition].batch = batch.map(Produced::Batch);
        }
        verify(node, &queued.caller, &mut queued.call)
    });
}

/// From this version of Produce on, a partition becomes part of the transaction by itself (KIP-890).
const ADDED_SINCE: i16 = 12;

/// From this version on, clients know TRANSACTION_ABORTABLE.
const ABORTABLE_SINCE: i16 = 11;

/// Whether a transactional batch in such a request has to belong to a transaction that its coordinator knows.
pub(crate) fn is_verified(node: &Node, caller: &Caller) -> bool {
    caller.version >= ADDED_SINCE || node.config.transactions.verify
}

/// Asks the coordinator about batches that begin a transaction in their partition: there has to be somebody who ends
/// it (KIP-890). The last step, so that little can happen between the answer and the append.
fn verify(node: &mut Node, caller: &Caller, call: &mut ProduceCall) -> Option<u64> {
    let batches = call.topics.iter().flat_map(|topic| &topic.partitions);
    let headers = batches.filter_map(ProducePartition::ready).map(Batch::header);
    let mut producers = headers
        .filter(|header| header.is_transactional())
        .map(|header| (header.producer_id, header.producer_epoch));
    let (producer_id, producer_epoch) = producers.next()?;
    let is_one = producers.all(|other| other == (producer_id, producer_epoch));
    if call.transactional_id.is_none() {
        refuse_all(call, ErrorCode::TRANSACTIONAL_ID_AUTHORIZATION_FAILED);
        return None;
    }
    if !is_one {
        refuse_all(call, ErrorCode::INVALID_PRODUCER_ID_MAPPING);
        return None;
    }
    if !is_verified(node, caller) {
        return None;
    }
    let partitions = beginning(node, caller, call);
    if partitions.is_empty() {
        return None;
    }
    let adds = caller.version >= ADDED_SINCE;
    let request = Enlist {
        transactional_id: call.transactional_id.clone().unwrap_or_default(),
        producer_id,
        producer_epoch,
        partitions: partitions.clone(),
        verify_only: !adds,
        version: if adds { transactions::EPOCH_BUMP } else { 0 },
    };
    let (id, connection) = (node.next_job_id(), caller.id.connection);
    transactions::enlist(node, &request, move |node, enlisted| {
        with_queued(node, connection, id, |node, queued| {
            refuse_unknown(node, queued, &partitions, enlisted);
            None
        });
    });
    Some(id)
}

/// The partitions in which batches of the request begin a transaction.
fn beginning(node: &mut Node, caller: &Caller, call: &ProduceCall) -> BTreeMap<Str, BTreeSet<i32>> {
    let mut partitions: BTreeMap<Str, BTreeSet<i32>> = BTreeMap::new();
    let now_ms = node.now.unix_ms;
    for topic in &call.topics {
        let Ok(topic_id) = produce::resolve(node, caller, topic) else {
            continue;
        };
        for asked in &topic.partitions {
            let key = LogKey {
                topic_id,
                partition: asked.index,
            };
            let (Ok(online), Some(batch)) = (node.partitions.online(&key), asked.ready()) else {
                continue;
            };
            if batch.header().is_transactional() && online.begins_transaction(batch.header(), now_ms) {
                partitions
                    .entry(online.topic.clone())
                    .or_default()
                    .insert(asked.index);
            }
        }
    }
    partitions
}

/// Takes out the batches that are in no transaction.
fn refuse_unknown(
    node: &Node,
    queued: &mut Queued,
    asked: &BTreeMap<Str, BTreeSet<i32>>,
    enlisted: Enlisted,
) {
    let version = queued.caller.version;
    let (refused, code) = match &enlisted.result {
        Ok(missing) if version >= ABORTABLE_SINCE => (missing, ErrorCode::TRANSACTION_ABORTABLE),
        Ok(missing) => (missing, ErrorCode::INVALID_TXN_STATE),
        Err(ErrorCode::PRODUCER_FENCED) => (asked, ErrorCode::INVALID_PRODUCER_EPOCH),
        // Clients send it again, as Kafka has them do: older ones do not know what else it could mean.
        Err(ErrorCode::CONCURRENT_TRANSACTIONS) if version < ADDED_SINCE => {
            (asked, ErrorCode::NOT_ENOUGH_REPLICAS)
        }
        Err(ErrorCode::NOT_COORDINATOR | ErrorCode::COORDINATOR_LOAD_IN_PROGRESS) => {
            (asked, ErrorCode::NOT_ENOUGH_REPLICAS)
        }
        Err(code) => (asked, *code),
    };
    for topic in &mut queued.call.topics {
        let Ok(topic_id) = produce::resolve(node, &queued.caller, topic) else {
            continue;
        };
        let name = node.cluster.topic_by_id(topic_id).map(|topic| &topic.name);
        let Some(indexes) = name.and_then(|name| refused.get(name)) else {
            continue;
        };
        let partitions = topic.partitions.iter_mut();
        for partition in partitions.filter(|partition| indexes.contains(&partition.index)) {
            let is_transactional = partition
                .ready()
                .is_some_and(|batch| batch.header().is_transactional());
            if is_transactional {
                partition.batch = Err(code.into());
            }
        }
    }
}

fn refuse_all(call: &mut ProduceCall, code: ErrorCode) {
    for partition in call.topics.iter_mut().flat_map(|topic| &mut topic.partitions) {
        partition.batch = Err(code.into());
    }
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
fn take_patients(node: &Node, caller: &Caller, call: &mut ProduceCall) -> Vec<Patient> {
    let mut patients = Vec::new();
    for (topic_at, topic) in call.topics.iter_mut().enumerate() {
        let Ok(topic_id) = produce::resolve(node, caller, topic) else {
            continue;
        };
        for (partition_at, partition) in topic.partitions.iter_mut().enumerate() {
            let key = LogKey {
                topic_id,
                partition: partition.index,
            };
            let (Ok(online), Ok(produced)) = (node.partitions.get_online(&key), &partition.batch) else {
                continue;
            };
            let Some(treatment) = treatment(&online.config, produced, node.config.validate_compressed) else {
                continue;
            };
            let absent = Err(ErrorCode::UNKNOWN_SERVER_ERROR.into());
            if let Ok(produced) = std::mem::replace(&mut partition.batch, absent) {
                patients.push(Patient {
                    topic: topic_at,
                    partition: partition_at,
                    produced,
                    treatment,
                });
            }
        }
    }
    patients
}

fn treatment(config: &TopicConfig, produced: &Produced, validate_compressed: bool) -> Option<Treatment> {
    let wanted = match config.compression {
        TopicCompression::Producer => None,
        TopicCompression::Uncompressed => Some(Compression::None),
        TopicCompression::Gzip => Some(Compression::Gzip),
        TopicCompression::Snappy => Some(Compression::Snappy),
        TopicCompression::Lz4 => Some(Compression::Lz4),
        TopicCompression::Zstd => Some(Compression::Zstd),
    };
    let present = match produced {
        Produced::Batch(batch) => batch.header().compression(),
        Produced::Set(_) => None,
    };
    let treatment = Treatment {
        codec: wanted.filter(|codec| present != Some(*codec)),
        key_required: config.cleanup_compact,
        // Plain batches have been walked already.
        walk: validate_compressed && present != Some(Compression::None),
        inflate_limit_bytes: INFLATE_LIMIT_BYTES.min(config.max_decompressed_bytes as usize),
        batch_bytes_max: config.max_message_bytes as usize,
    };
    let is_set = matches!(produced, Produced::Set(_));
    (is_set || treatment.codec.is_some() || treatment.key_required || treatment.walk).then_some(treatment)
}

/// Treats the batches of one request: on a thread that may take its time. No further one is kept once they take
/// [`PREPARED_BYTES_MAX`].
pub(crate) fn treat_all(patients: Vec<Patient>) -> Vec<Prepared> {
    let mut left_bytes = PREPARED_BYTES_MAX;
    let treated = patients.into_iter().map(|patient| {
        let mut converted = Conversion::default();
        let treatment = Treatment {
            batch_bytes_max: patient.treatment.batch_bytes_max.min(left_bytes),
            ..patient.treatment
        };
        let batch = match patient.produced {
            Produced::Batch(batch) => treat(batch, treatment),
            Produced::Set(set) => convert(set, treatment, &mut converted),
        };
        left_bytes = left_bytes.saturating_sub(batch.as_ref().map_or(0, Batch::size));
        Prepared {
            topic: patient.topic,
            partition: patient.partition,
            batch,
            converted,
        }
    });
    treated.collect()
}

fn convert(set: Bytes, treatment: Treatment, converted: &mut Conversion) -> Result<Batch, Rejected> {
    // Nothing is inflated that would be refused as it is.
    if !legacy::is_plain(&set) && set.len() > treatment.batch_bytes_max {
        return Err(ErrorCode::MESSAGE_TOO_LARGE.into());
    }
    let bytes = set.len() as u64;
    let rules = UpRules {
        key_required: treatment.key_required,
        inflate_limit_bytes: treatment.inflate_limit_bytes,
    };
    let batch = legacy::up_convert(set, &rules)?;
    let records = u64::try_from(batch.header().record_count).unwrap_or(0);
    *converted = Conversion {
        records,
        bytes,
        us: 0,
    };
    treat(
        batch,
        Treatment {
            // All of it has just been done.
            key_required: false,
            walk: false,
            ..treatment
        },
    )
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
    let codec = treatment
        .codec
        .filter(|codec| batch.header().compression() != Some(*codec));
    let batch = match codec {
        None => batch,
        Some(codec) => {
            recompress(&batch, codec, treatment.inflate_limit_bytes).map_err(|error| Rejected {
                code: ErrorCode::INVALID_RECORD,
                message: Some(error.to_string()),
                record: None,
            })?
        }
    };
    if batch.size() > treatment.batch_bytes_max {
        return Err(ErrorCode::MESSAGE_TOO_LARGE.into());
    }
    Ok(batch)
}

fn recompress(batch: &Batch, codec: Compression, limit_bytes: usize) -> Result<Batch, RecordsError> {
    let header = batch.header();
    let mut builder = BatchBuilder::new(codec);
    builder.producer(header.producer_id, header.producer_epoch, header.base_sequence);
    if header.is_transactional() {
        builder.transactional();
    }
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
