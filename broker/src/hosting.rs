//! Coordinators at work: their records go through the partitions of an internal topic like anybody's, and they are
//! told what became of them.
//!
//! A shard is loaded by reading its partition from the log when that opens; from the moment that this broker is
//! to have the log, whoever asks is answered with COORDINATOR_LOAD_IN_PROGRESS. When an append fails, the shard is
//! loaded again.

use klamm_protocol::Str;
use klamm_protocol::ids::TopicId;
use klamm_protocol::record::{Batch, Batches};
use klamm_storage::{Extents, LogKey, Read};

use crate::coordinator::transactions::TransactionCoordinator;
use crate::coordinator::{Coordinator, LoadId, Sharded};
use crate::job::{Job, ReadFailure};
use crate::markers;
use crate::node::Node;
use crate::partitions::Absent;

/// How many bytes of a partition are read into its shard in one step.
const LOAD_STEP_BYTES: usize = 1 << 20;

/// A coordinator and the topic that its shards live in.
pub(crate) struct Host<C> {
    pub coordinator: C,
    topic: Option<TopicId>,
    /// Partitions of the topic. Their number decides where a key lives, whatever the settings say by now.
    partitions: i32,
    /// Something happened since it was last asked what it wants.
    pub stirred: bool,
}

impl<C: Sharded> Host<C> {
    pub fn new(coordinator: C, partitions: i32) -> Host<C> {
        Host {
            coordinator,
            topic: None,
            partitions,
            stirred: false,
        }
    }

    pub fn partitions(&self) -> i32 {
        self.partitions
    }

    /// Whether this is a partition of its topic.
    fn owns(&self, key: LogKey) -> bool {
        self.topic == Some(key.topic_id)
    }

    fn unload(&mut self, partition: i32) {
        self.coordinator.unloaded(partition);
        self.stirred = true;
    }

    fn committed(&mut self, partition: i32, high_watermark: i64) {
        self.coordinator.committed(partition, high_watermark);
        self.stirred = true;
    }
}

/// A kind of coordinator that a node has.
pub(crate) trait Hosted: Sharded + Sized + 'static {
    /// The topic that its shards live in.
    const TOPIC: &'static str;

    /// The one of this node.
    fn host(node: &mut Node) -> &mut Host<Self>;

    /// One that knows nothing yet, for a topic of so many partitions.
    fn renew(node: &mut Node, partitions: i32) -> Self;

    /// Does what it wants done, until it wants nothing more.
    fn follow(node: &mut Node);
}

/// Does what all coordinators want done.
pub(crate) fn follow(node: &mut Node) {
    while node.groups.host.stirred || node.transactions.host.stirred {
        Coordinator::follow(node);
        TransactionCoordinator::follow(node);
    }
}

/// The topic of a coordinator is there, or has more partitions than before: then everything lives elsewhere, and is
/// loaded anew.
pub(crate) fn topic_is(node: &mut Node, name: &Str, topic_id: TopicId, partitions: usize) {
    let partitions = i32::try_from(partitions).expect("partitions are counted in 32 bits");
    if **name == *Coordinator::TOPIC {
        lives_in::<Coordinator>(node, topic_id, partitions);
    } else if **name == *TransactionCoordinator::TOPIC {
        lives_in::<TransactionCoordinator>(node, topic_id, partitions);
    }
}

fn lives_in<C: Hosted>(node: &mut Node, topic_id: TopicId, partitions: i32) {
    let host = C::host(node);
    host.topic = Some(topic_id);
    if partitions == host.partitions {
        return;
    }
    for partition in 0..host.partitions {
        host.unload(partition);
    }
    // What the old one still has to say goes first.
    C::follow(node);
    let coordinator = C::renew(node, partitions);
    let host = C::host(node);
    host.coordinator = coordinator;
    host.partitions = partitions;
    for partition in 0..partitions {
        load::<C>(node, LogKey { topic_id, partition });
    }
}

/// A topic is gone, and with it the coordinator that lived there.
pub(crate) fn topic_is_gone(node: &mut Node, name: &Str) {
    if **name == *Coordinator::TOPIC {
        node.groups.host.topic = None;
    } else if **name == *TransactionCoordinator::TOPIC {
        node.transactions.host.topic = None;
    }
}

/// The high watermark of a partition is there now.
pub(crate) fn committed(node: &mut Node, key: LogKey, high_watermark: i64) {
    if node.groups.host.owns(key) {
        node.groups.host.committed(key.partition, high_watermark);
    } else if node.transactions.host.owns(key) {
        node.transactions.host.committed(key.partition, high_watermark);
    }
}

/// Whether a coordinator keeps what it knows in this partition.
pub(crate) fn is_coordinators(node: &Node, key: LogKey) -> bool {
    node.groups.host.owns(key) || node.transactions.host.owns(key)
}

/// A partition is not served here any more, nor is what lives in it.
pub(crate) fn not_served(node: &mut Node, key: LogKey) {
    if node.groups.host.owns(key) {
        node.groups.host.unload(key.partition);
    } else if node.transactions.host.owns(key) {
        node.transactions.host.unload(key.partition);
    }
}

/// The log of a partition is being opened, or is open now.
pub(crate) fn on_log(node: &mut Node, key: LogKey) {
    if node.groups.host.owns(key) {
        load::<Coordinator>(node, key);
    } else if node.transactions.host.owns(key) {
        load::<TransactionCoordinator>(node, key);
    }
}

/// Appends to a partition failed: what a shard believes may not be what the log has.
pub(crate) fn on_lost(node: &mut Node, key: LogKey) {
    if node.groups.host.owns(key) {
        reload::<Coordinator>(node, key);
    } else if node.transactions.host.owns(key) {
        reload::<TransactionCoordinator>(node, key);
    }
}

/// The broker stops: everybody has to look for another coordinator.
pub(crate) fn stop(node: &mut Node) {
    for partition in 0..node.groups.host.partitions {
        node.groups.host.unload(partition);
    }
    for partition in 0..node.transactions.host.partitions {
        node.transactions.host.unload(partition);
    }
}

/// The earliest deadline of a coordinator.
pub(crate) fn next_deadline_ms(node: &Node) -> Option<u64> {
    [
        node.groups.host.coordinator.next_deadline_ms(),
        node.transactions.host.coordinator.next_deadline_ms(),
        node.transactions.deliveries.next_deadline_ms(),
    ]
    .into_iter()
    .flatten()
    .min()
}

/// Has the coordinators do what is due.
pub(crate) fn tick(node: &mut Node) {
    tick_one::<Coordinator>(node);
    tick_one::<TransactionCoordinator>(node);
    markers::tick(node);
}

fn tick_one<C: Hosted>(node: &mut Node) {
    let now = node.now;
    let host = C::host(node);
    let deadline_ms = host.coordinator.next_deadline_ms();
    if deadline_ms.is_some_and(|deadline_ms| deadline_ms <= now.elapsed_ms) {
        host.coordinator.tick(now);
        host.stirred = true;
    }
}

/// Appends a coordinator's batch, and tells it so.
pub(crate) fn append<C: Hosted>(node: &mut Node, partition: i32, batch: Batch) {
    let Some(topic_id) = C::host(node).topic else {
        return;
    };
    let key = LogKey { topic_id, partition };
    let now_ms = node.now.unix_ms;
    let appended = match node.partitions.online(&key) {
        Ok(found) => {
            let jobs = node.out.lane(found.lane);
            found.append(batch, now_ms, jobs).map(|placed| placed.last_offset)
        }
        Err(absent) => Err(absent.code()),
    };
    let host = C::host(node);
    host.stirred = true;
    match appended {
        Ok(last_offset) => host.coordinator.appended(partition, last_offset),
        Err(code) => {
            tracing::error!(
                topic = C::TOPIC,
                partition,
                ?code,
                "a coordinator's records could not be appended"
            );
            reload::<C>(node, key);
        }
    }
}

/// What the shard believes is not what the log has: it is forgotten, and read again if it can be.
fn reload<C: Hosted>(node: &mut Node, key: LogKey) {
    C::host(node).coordinator.failed(key.partition);
    if node.partitions.get_online(&key).is_ok() {
        load::<C>(node, key);
    }
}

/// Begins to read a partition into its shard, once its log is open: to be called again then.
///
/// While it is being opened, this broker already is the coordinator that FindCoordinator names. NOT_COORDINATOR
/// would send clients looking for another one, and some of them (librdkafka) hand it on to the application.
fn load<C: Hosted>(node: &mut Node, key: LogKey) {
    match node.partitions.get_online(&key) {
        Ok(partition) => {
            let (from, end) = (partition.log.log_start_offset(), partition.log.log_end_offset());
            let load = C::host(node).coordinator.start_loading(key.partition);
            load_from::<C>(node, key, load, from, end);
        }
        // Nothing is read in this load: the one that begins when the log is open takes its place.
        Err(Absent::Opening) => {
            C::host(node).coordinator.start_loading(key.partition);
        }
        Err(_) => {}
    }
}

fn load_from<C: Hosted>(node: &mut Node, key: LogKey, load: LoadId, from: i64, end: i64) {
    C::host(node).stirred = true;
    let now = node.now;
    let Ok(partition) = node.partitions.get_online(&key) else {
        C::host(node).coordinator.load_failed(load);
        return;
    };
    if from >= end {
        let (high_watermark, leader_epoch) = (partition.high_watermark(), partition.leader_epoch);
        let coordinator = &mut C::host(node).coordinator;
        coordinator.loaded(now, load, end, leader_epoch);
        return coordinator.committed(key.partition, high_watermark);
    }
    let lane = partition.lane;
    match partition.read(from, end, LOAD_STEP_BYTES, true) {
        Ok(Read::Ready(extents)) => load_records::<C>(node, key, load, &extents, end),
        Ok(Read::Job(job)) => {
            let id = node.next_job_id();
            node.reads.insert(
                id,
                Box::new(move |node, mut results| match results.pop() {
                    Some(Ok(extents)) => load_records::<C>(node, key, load, &extents, end),
                    // A segment went while it was read: what is left begins later.
                    Some(Err(ReadFailure::Gone)) => {
                        if C::host(node).coordinator.load_failed(load) {
                            reload::<C>(node, key);
                        }
                    }
                    Some(Err(ReadFailure::Disk)) | None => {
                        C::host(node).coordinator.load_failed(load);
                    }
                }),
            );
            node.push_job(Job::read(id, lane, vec![job.copied()]));
        }
        Err(code) => cannot_load::<C>(node, key, load, code.name()),
    }
}

fn load_records<C: Hosted>(node: &mut Node, key: LogKey, load: LoadId, extents: &Extents, end: i64) {
    for batch in Batches::new(extents.records.to_bytes()) {
        let loaded = match batch {
            Ok(batch) => {
                let loaded = C::host(node).coordinator.load_batch(load, &batch);
                loaded.map_err(|error| error.to_string())
            }
            Err(error) => Err(error.to_string()),
        };
        if let Err(error) = loaded {
            return cannot_load::<C>(node, key, load, &error);
        }
    }
    // No batch between here and the end: what was there is deleted.
    let from = if extents.records.is_empty() {
        end
    } else {
        extents.next_offset
    };
    load_from::<C>(node, key, load, from, end);
}

fn cannot_load<C: Hosted>(node: &mut Node, key: LogKey, load: LoadId, error: &str) {
    tracing::error!(
        topic = C::TOPIC,
        partition = key.partition,
        error,
        "what lives in a partition cannot be loaded"
    );
    let host = C::host(node);
    host.stirred = true;
    host.coordinator.load_failed(load);
}
