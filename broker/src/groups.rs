//! The group coordinator at work: its records go through the partitions of `__consumer_offsets` like anybody's,
//! and it is told what became of them.
//!
//! A shard is loaded by reading its partition from the log when that opens; from the moment that this broker is
//! to have the log, its groups are answered with COORDINATOR_LOAD_IN_PROGRESS. When an append fails, the shard is
//! loaded again.

use std::collections::BTreeMap;

use klamm_consensus::MetadataImage;
use klamm_protocol::ids::TopicId;
use klamm_protocol::record::Batches;
use klamm_protocol::{Str, Uuid};
use klamm_storage::{Extents, LogKey, Read};

use crate::RequestId;
use crate::api::Caller;
use crate::cluster::CONSUMER_OFFSETS;
use crate::config::BrokerConfig;
use crate::coordinator::{
    self, Coordinator, CoordinatorConfig, GroupRequest, GroupResponse, LoadId, Output, Topics,
};
use crate::job::{Job, ReadFailure};
use crate::node::Node;
use crate::partitions::Absent;
use crate::router::Response;

/// How many bytes of a partition are read into its shard in one step.
const LOAD_STEP_BYTES: usize = 1 << 20;

/// The coordinator, and what it takes to send its answers.
pub(crate) struct Groups {
    coordinator: Coordinator,
    config: CoordinatorConfig,
    seed: u64,
    callers: BTreeMap<RequestId, Caller>,
    /// The topic that its shards live in.
    topic: Option<TopicId>,
    /// Something happened since it was last asked what it wants.
    stirred: bool,
}

impl Groups {
    pub fn new(config: &BrokerConfig, seed: u64) -> Groups {
        let config = CoordinatorConfig::from(config);
        let coordinator = Coordinator::new(config.clone(), seed);
        Groups {
            coordinator,
            config,
            seed,
            callers: BTreeMap::new(),
            topic: None,
            stirred: false,
        }
    }

    pub fn next_deadline_ms(&self) -> Option<u64> {
        self.coordinator.next_deadline_ms()
    }

    /// This is `__consumer_offsets`. Its number of partitions decides where groups live, whatever the settings say
    /// by now. Says whether that has changed: then everything has to be loaded anew.
    pub fn topic_is(&mut self, topic: TopicId, partitions: usize) -> bool {
        let partitions = i32::try_from(partitions).expect("partitions are counted in 32 bits");
        self.topic = Some(topic);
        if partitions == self.config.partitions {
            return false;
        }
        for partition in 0..self.config.partitions {
            self.unload(partition);
        }
        self.config.partitions = partitions;
        true
    }

    /// Whether this is a partition of `__consumer_offsets`.
    pub fn owns(&self, key: LogKey) -> bool {
        self.topic == Some(key.topic_id)
    }

    pub fn committed(&mut self, key: LogKey, high_watermark: i64) {
        self.coordinator.committed(key.partition, high_watermark);
        self.stirred = true;
    }

    /// A partition is not served here any more.
    pub fn unload(&mut self, partition: i32) {
        self.coordinator.unloaded(partition);
        self.stirred = true;
    }
}

/// What the coordinator may ask about topics.
struct Catalogue<'a>(&'a MetadataImage);

impl Topics for Catalogue<'_> {
    fn id_of(&self, name: &str) -> Option<Uuid> {
        self.0.topic_by_name(name).map(|topic| topic.id.0)
    }

    fn name_of(&self, id: Uuid) -> Option<Str> {
        self.0.topic(TopicId(id)).map(|topic| topic.name.clone())
    }

    fn has_partition(&self, name: &str, partition: i32) -> bool {
        let index = usize::try_from(partition).unwrap_or(usize::MAX);
        self.0
            .topic_by_name(name)
            .is_some_and(|topic| index < topic.partitions.len())
    }
}

/// Hands a request to the coordinator.
pub(crate) fn request(node: &mut Node, caller: Caller, request: GroupRequest) {
    let Some(info) = node.connections.get(&caller.id.connection) else {
        return;
    };
    let from = coordinator::Caller {
        id: caller.id,
        version: caller.version,
        client_id: caller.client_id.clone().unwrap_or_default(),
        client_host: format!("/{}", info.peer.ip().to_canonical()).into(),
    };
    node.groups.callers.insert(caller.id, caller);
    let image = node.cluster.image().clone();
    node.groups
        .coordinator
        .request(node.now, from, request, &Catalogue(&image));
    node.groups.stirred = true;
}

/// Topics are gone, and with them what was committed for them.
pub(crate) fn topics_deleted(node: &mut Node, names: &[Str]) {
    if names.iter().any(|name| **name == *CONSUMER_OFFSETS) {
        node.groups.topic = None;
    }
    node.groups.coordinator.topics_deleted(node.now, names);
    node.groups.stirred = true;
}

pub(crate) fn tick(node: &mut Node) {
    if node
        .groups
        .next_deadline_ms()
        .is_some_and(|deadline| deadline <= node.now.elapsed_ms)
    {
        node.groups.coordinator.tick(node.now);
        node.groups.stirred = true;
    }
}

/// Does what the coordinator wants done, until it wants nothing more.
pub(crate) fn follow(node: &mut Node) {
    while std::mem::take(&mut node.groups.stirred) {
        for output in node.groups.coordinator.drain() {
            match output {
                Output::Answer(id, response) => {
                    if let Some(caller) = node.groups.callers.remove(&id) {
                        node.answer(&caller, response);
                    }
                }
                Output::Append { partition, batch } => {
                    let Some(topic_id) = node.groups.topic else {
                        continue;
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
                    node.groups.stirred = true;
                    match appended {
                        Ok(last_offset) => node.groups.coordinator.appended(partition, last_offset),
                        Err(code) => {
                            tracing::error!(partition, ?code, "a group's records could not be appended");
                            reload(node, key);
                        }
                    }
                }
            }
        }
    }
}

/// What the shard believes is not what the log has: it is forgotten, and read again if it can be.
pub(crate) fn reload(node: &mut Node, key: LogKey) {
    node.groups.coordinator.failed(key.partition);
    if node.partitions.get_online(&key).is_ok() {
        load(node, key);
    }
}

/// Groups live in other partitions from now on: a new coordinator loads all that are open.
pub(crate) fn load_all(node: &mut Node, topic_id: TopicId) {
    // What the old one still has to say goes first.
    follow(node);
    node.groups.coordinator = Coordinator::new(node.groups.config.clone(), node.groups.seed);
    for partition in 0..node.groups.config.partitions {
        load(node, LogKey { topic_id, partition });
    }
}

/// Begins to read a partition of `__consumer_offsets` into its shard, once its log is open: to be called again
/// then.
///
/// While it is being opened, this broker already is the coordinator that FindCoordinator names. NOT_COORDINATOR
/// would send clients looking for another one, and some of them (librdkafka) hand it on to the application.
pub(crate) fn load(node: &mut Node, key: LogKey) {
    match node.partitions.get_online(&key) {
        Ok(partition) => {
            let (from, end) = (partition.log.log_start_offset(), partition.log.log_end_offset());
            let load = node.groups.coordinator.start_loading(key.partition);
            load_from(node, key, load, from, end);
        }
        // Nothing is read in this load: the one that begins when the log is open takes its place.
        Err(Absent::Opening) => {
            node.groups.coordinator.start_loading(key.partition);
        }
        Err(_) => {}
    }
}

fn load_from(node: &mut Node, key: LogKey, load: LoadId, from: i64, end: i64) {
    node.groups.stirred = true;
    let Ok(partition) = node.partitions.get_online(&key) else {
        node.groups.coordinator.load_failed(load);
        return;
    };
    if from >= end {
        node.groups.coordinator.loaded(node.now, load, end);
        return node
            .groups
            .coordinator
            .committed(key.partition, partition.high_watermark());
    }
    let lane = partition.lane;
    match partition.read(from, end, LOAD_STEP_BYTES, true) {
        Ok(Read::Ready(extents)) => load_records(node, key, load, &extents, end),
        Ok(Read::Job(job)) => {
            let id = node.next_job_id();
            node.reads.insert(
                id,
                Box::new(move |node, mut results| match results.pop() {
                    Some(Ok(extents)) => load_records(node, key, load, &extents, end),
                    // A segment went while it was read: what is left begins later.
                    Some(Err(ReadFailure::Gone)) => {
                        if node.groups.coordinator.load_failed(load) {
                            reload(node, key);
                        }
                    }
                    Some(Err(ReadFailure::Disk)) | None => {
                        node.groups.coordinator.load_failed(load);
                    }
                }),
            );
            node.push_job(Job::read(id, lane, vec![job]));
        }
        Err(code) => {
            tracing::error!(
                partition = key.partition,
                ?code,
                "the groups of a partition cannot be loaded"
            );
            node.groups.coordinator.load_failed(load);
        }
    }
}

fn load_records(node: &mut Node, key: LogKey, load: LoadId, extents: &Extents, end: i64) {
    for batch in Batches::new(extents.records.to_bytes()) {
        let loaded = match batch {
            Ok(batch) => {
                let loaded = node.groups.coordinator.load_batch(load, &batch);
                loaded.map_err(|error| error.to_string())
            }
            Err(error) => Err(error.to_string()),
        };
        if let Err(error) = loaded {
            tracing::error!(
                partition = key.partition,
                error,
                "the groups of a partition cannot be loaded"
            );
            node.groups.stirred = true;
            node.groups.coordinator.load_failed(load);
            return;
        }
    }
    // No batch between here and the end: what was there is deleted.
    let from = if extents.records.is_empty() {
        end
    } else {
        extents.next_offset
    };
    load_from(node, key, load, from, end);
}

impl From<GroupResponse> for Response {
    fn from(response: GroupResponse) -> Response {
        match response {
            GroupResponse::JoinGroup(response) => response.into(),
            GroupResponse::SyncGroup(response) => response.into(),
            GroupResponse::Heartbeat(response) => response.into(),
            GroupResponse::LeaveGroup(response) => response.into(),
            GroupResponse::OffsetCommit(response) => response.into(),
            GroupResponse::OffsetFetch(response) => response.into(),
            GroupResponse::OffsetDelete(response) => response.into(),
            GroupResponse::DescribeGroups(response) => response.into(),
            GroupResponse::ListGroups(response) => response.into(),
            GroupResponse::DeleteGroups(response) => response.into(),
        }
    }
}

/// The broker stops: every group has to look for another coordinator.
pub(crate) fn stop(node: &mut Node) {
    for partition in 0..node.groups.config.partitions {
        node.groups.unload(partition);
    }
}
