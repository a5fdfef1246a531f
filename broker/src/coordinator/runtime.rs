//! [`Coordinator`]: the door of this room. It keeps the shards, sends every request to the shards of its
//! groups, and lets answers out when what they tell is committed.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use klamm_protocol::messages::delete_groups::{DeletableGroupResult, DeleteGroupsRequest};
use klamm_protocol::messages::describe_groups::{DescribeGroupsRequest, DescribedGroup};
use klamm_protocol::messages::heartbeat::HeartbeatResponse;
use klamm_protocol::messages::join_group::{JoinGroupRequest, JoinGroupResponse};
use klamm_protocol::messages::leave_group::LeaveGroupResponse;
use klamm_protocol::messages::list_groups::ListGroupsRequest;
use klamm_protocol::messages::offset_commit::OffsetCommitRequest;
use klamm_protocol::messages::offset_delete::{OffsetDeleteRequest, OffsetDeleteResponse};
use klamm_protocol::messages::offset_fetch::{
    OffsetFetchRequest, OffsetFetchRequestGroup, OffsetFetchRequestTopics, OffsetFetchResponseGroup,
    OffsetFetchResponseTopics,
};
use klamm_protocol::messages::sync_group::{SyncGroupRequest, SyncGroupResponse};
use klamm_protocol::record::{Batch, BatchBuilder, Compression, INFLATE_LIMIT_BYTES, RecordsError};
use klamm_protocol::{DecodeError, ErrorCode, Str};

use super::config::{CoordinatorConfig, partition_of_group};
use super::gather::{Gather, Kind};
use super::interface::{
    Call, Caller, GroupRequest, GroupResponse, Output, Part, Reply, Topics, fit_version, no_offset,
    refused_join,
};
use super::offsets::{plan_commit, plan_delete};
use super::shard::Shard;
use crate::random::Random;
use crate::{Now, RequestId};

/// Why a partition of `__consumer_offsets` cannot be loaded.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum LoadError {
    /// A batch cannot be read.
    #[error("the batch at offset {offset} cannot be read: {source}")]
    Batch {
        /// Base offset of the batch.
        offset: i64,
        /// What is wrong with it.
        source: RecordsError,
    },
    /// A record is not what its key says.
    #[error("the record at offset {offset} cannot be read: {source}")]
    Record {
        /// Offset of the record.
        offset: i64,
        /// What is wrong with it.
        source: DecodeError,
    },
}

/// One go at loading a partition. A later one of the same partition makes it void, so that reads of the log which
/// come late do no harm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LoadId {
    partition: i32,
    sequence: u64,
}

/// A partition that this broker coordinates.
#[derive(Debug)]
enum Slot {
    /// Its log is being read.
    Loading(LoadId, Shard),
    /// It serves.
    Active(Shard),
}

/// The group coordinator of a broker, over all partitions of `__consumer_offsets` that it leads.
///
/// Whoever drives it tells it what happens and then takes what it wants from [`drain`](Self::drain):
///
/// ```text
/// leader of a partition        start_loading, load_batch.., loaded or load_failed
/// a request                    request
/// Output::Append was appended  appended; could not be: failed, then start_loading again
/// high watermark moved         committed
/// not leader any more          unloaded
/// next_deadline_ms has come    tick
/// topics were deleted          topics_deleted
/// ```
#[derive(Debug)]
pub struct Coordinator {
    config: Arc<CoordinatorConfig>,
    random: Random,
    slots: BTreeMap<i32, Slot>,
    next_load: u64,
    /// Answers that come from several shards.
    gathers: BTreeMap<RequestId, Gather>,
    /// Answers that may leave.
    outputs: VecDeque<Output>,
}

impl Coordinator {
    /// A coordinator of no partition yet. Member ids come from `seed`.
    pub fn new(config: CoordinatorConfig, seed: u64) -> Coordinator {
        Coordinator {
            config: Arc::new(config),
            random: Random::new(seed),
            slots: BTreeMap::new(),
            next_load: 0,
            gathers: BTreeMap::new(),
            outputs: VecDeque::new(),
        }
    }

    /// Every group that is served, for tests to look into.
    #[cfg(test)]
    pub(super) fn groups(&self) -> impl Iterator<Item = &super::group::Group> {
        let shards = self.slots.values().filter_map(|slot| match slot {
            Slot::Active(shard) => Some(shard),
            Slot::Loading(..) => None,
        });
        shards.flat_map(|shard| shard.groups.values())
    }

    /// The partition of `__consumer_offsets` that keeps a group: what FindCoordinator asks.
    pub fn partition_of(&self, group: &str) -> i32 {
        partition_of_group(group, self.config.partitions)
    }

    /// The partition is led by this broker now; its groups are loading.
    pub fn start_loading(&mut self, partition: i32) -> LoadId {
        self.unloaded(partition);
        let load = LoadId {
            partition,
            sequence: self.next_load,
        };
        self.next_load += 1;
        let shard = Shard::new(self.config.clone(), self.random.next());
        self.slots.insert(partition, Slot::Loading(load, shard));
        load
    }

    /// Reads a batch of the partition's log. Batches come in order, all below the log end offset.
    ///
    /// # Errors
    /// When it cannot be read. The partition then has no coordinator, as after [`failed`](Self::failed).
    pub fn load_batch(&mut self, load: LoadId, batch: &Batch) -> Result<(), LoadError> {
        let Some(shard) = self.loading(load) else {
            return Ok(());
        };
        let replayed = replay(shard, batch);
        if replayed.is_err() {
            self.failed(load.partition);
        }
        replayed
    }

    /// All of the log below `log_end_offset` has been read: the partition serves from now on.
    pub fn loaded(&mut self, now: Now, load: LoadId, log_end_offset: i64) {
        if self.loading(load).is_some()
            && let Some(Slot::Loading(_, mut shard)) = self.slots.remove(&load.partition)
        {
            shard.start(now, log_end_offset);
            self.slots.insert(load.partition, Slot::Active(shard));
        }
    }

    /// The log could not be read. True if this is the load that counts: only then is there reason to try again.
    pub fn load_failed(&mut self, load: LoadId) -> bool {
        let counts = self.loading(load).is_some();
        if counts {
            self.failed(load.partition);
        }
        counts
    }

    fn loading(&mut self, load: LoadId) -> Option<&mut Shard> {
        match self.slots.get_mut(&load.partition) {
            Some(Slot::Loading(current, shard)) if *current == load => Some(shard),
            _ => None,
        }
    }

    /// The partition is not led by this broker any more: its groups are served elsewhere.
    pub fn unloaded(&mut self, partition: i32) {
        let Some(Slot::Loading(_, shard) | Slot::Active(shard)) = self.slots.remove(&partition) else {
            return;
        };
        for reply in shard.refuse_all(ErrorCode::NOT_COORDINATOR) {
            self.let_out(reply);
        }
    }

    /// An append to the log failed. What the shard has told nobody yet is forgotten;
    /// to serve again it has to be loaded again.
    pub fn failed(&mut self, partition: i32) {
        self.unloaded(partition);
    }

    /// The oldest batch of the partition that was not yet reported has been appended, up to `last_offset`.
    pub fn appended(&mut self, partition: i32, last_offset: i64) {
        if let Some(Slot::Active(shard)) = self.slots.get_mut(&partition) {
            shard.outbox.appended(last_offset);
        }
    }

    /// The high watermark of the partition is there now.
    pub fn committed(&mut self, partition: i32, high_watermark: i64) {
        if let Some(Slot::Active(shard)) = self.slots.get_mut(&partition) {
            shard.outbox.committed(high_watermark);
        }
    }

    /// Topics are gone: so are the offsets committed for them.
    pub fn topics_deleted(&mut self, now: Now, topics: &[Str]) {
        for slot in self.slots.values_mut() {
            if let Slot::Active(shard) = slot {
                shard.topics_deleted(now, topics);
            }
        }
    }

    /// Does what is due. Call it at [`next_deadline_ms`](Self::next_deadline_ms) or soon after.
    pub fn tick(&mut self, now: Now) {
        for slot in self.slots.values_mut() {
            if let Slot::Active(shard) = slot {
                shard.tick(now);
            }
        }
    }

    /// When [`tick`](Self::tick) has something to do, in [`Now::elapsed_ms`].
    pub fn next_deadline_ms(&self) -> Option<u64> {
        let deadlines = self.slots.values().filter_map(|slot| match slot {
            Slot::Active(shard) => shard.next_deadline_ms(),
            Slot::Loading(..) => None,
        });
        deadlines.min()
    }

    /// Takes what the coordinator wants done, in order. Call it after whatever was told, and again after
    /// carrying out what it gave, until it gives nothing. Records of requests in between two calls share
    /// batches.
    pub fn drain(&mut self) -> Vec<Output> {
        let mut replies = Vec::new();
        let mut batches = Vec::new();
        for (partition, slot) in &mut self.slots {
            let Slot::Active(shard) = slot else { continue };
            replies.extend(std::iter::from_fn(|| shard.outbox.take_reply()));
            while let Some(records) = shard.outbox.take_records(self.config.batch_bytes_max) {
                let mut batch = BatchBuilder::new(Compression::None);
                for record in &records {
                    batch.append(record.timestamp_ms, Some(&record.key), record.value.as_deref());
                }
                batches.push(Output::Append {
                    partition: *partition,
                    batch: batch.finish(),
                });
            }
        }
        for reply in replies {
            self.let_out(reply);
        }
        self.outputs.drain(..).chain(batches).collect()
    }

    /// Takes a request. Its answer comes out of [`drain`](Self::drain) sooner or later, exactly one.
    pub fn request(&mut self, now: Now, caller: Caller, request: GroupRequest, topics: &dyn Topics) {
        let Caller {
            id,
            version,
            client_id,
            client_host,
        } = caller;
        let call = &Call {
            now,
            id,
            version,
            client_id,
            client_host,
        };
        match request {
            GroupRequest::JoinGroup(request) => {
                let check = check_group(&request.group_id).and_then(|()| self.check_session(&request));
                if let Err(error) = check {
                    let refused = GroupResponse::JoinGroup(refused_join(request.member_id, error));
                    return self.let_out(Reply::Whole(call.waiter(), refused));
                }
                let refused = GroupResponse::JoinGroup(JoinGroupResponse::default());
                let group = request.group_id.clone();
                self.ask_group(call, &group, check, refused, |shard| shard.join(call, request));
            }
            GroupRequest::SyncGroup(request) => {
                let refused = GroupResponse::SyncGroup(SyncGroupResponse::default());
                let check = check_protocol(version, &request).and_then(|()| check_group(&request.group_id));
                let group = request.group_id.clone();
                self.ask_group(call, &group, check, refused, |shard| shard.sync(call, request));
            }
            GroupRequest::Heartbeat(request) => {
                let refused = GroupResponse::Heartbeat(HeartbeatResponse::default());
                let check = check_group(&request.group_id);
                if check.is_ok() && self.is_loading(&request.group_id) {
                    // Nothing is known yet that speaks against it.
                    return self.let_out(Reply::Whole(call.waiter(), refused));
                }
                self.ask_group(call, &request.group_id, check, refused, |shard| {
                    shard.heartbeat(call, &request)
                });
            }
            GroupRequest::LeaveGroup(request) => {
                let refused = GroupResponse::LeaveGroup(LeaveGroupResponse::default());
                let check = check_group(&request.group_id);
                let group = request.group_id.clone();
                self.ask_group(call, &group, check, refused, |shard| shard.leave(call, request));
            }
            GroupRequest::OffsetCommit(request) => self.commit(call, request, topics),
            GroupRequest::OffsetFetch(request) => self.fetch(call, request, topics),
            GroupRequest::OffsetDelete(request) => self.delete_offsets(call, &request, topics),
            GroupRequest::DescribeGroups(request) => self.describe(call, request),
            GroupRequest::ListGroups(request) => self.list(call, &request),
            GroupRequest::DeleteGroups(request) => self.delete(call, request),
        }
    }

    fn commit(&mut self, call: &Call, mut request: OffsetCommitRequest, topics: &dyn Topics) {
        let plan = plan_commit(call.version, &mut request, topics);
        let mut partitions = plan.topics.iter().flat_map(|topic| &topic.partitions);
        if !partitions.any(|partition| partition.error_code == ErrorCode::NONE) {
            return self.let_out(Reply::Whole(call.waiter(), GroupResponse::OffsetCommit(plan)));
        }
        let refused = GroupResponse::OffsetCommit(plan.clone());
        let group = request.group_id.clone();
        self.ask_group(call, &group, Ok(()), refused, |shard| {
            shard.commit(call, request, plan)
        });
    }

    fn delete_offsets(&mut self, call: &Call, request: &OffsetDeleteRequest, topics: &dyn Topics) {
        let plan = plan_delete(request, topics);
        let refused = GroupResponse::OffsetDelete(OffsetDeleteResponse::default());
        let group = &request.group_id;
        self.ask_group(call, group, check_group(group), refused, |shard| {
            shard.delete_offsets(call, group, plan)
        });
    }

    fn fetch(&mut self, call: &Call, request: OffsetFetchRequest, topics: &dyn Topics) {
        let groups = groups_of_fetch(call.version, request);
        self.gather(call, Kind::Fetch, groups.len());
        for (slot, group) in groups.into_iter().enumerate() {
            let refused = Part::Fetched(nothing_fetched(&group));
            let group_id = group.group_id.clone();
            self.ask_part(call, slot, &group_id, refused, |shard| {
                shard.fetch(call, slot, group, topics)
            });
        }
    }

    fn describe(&mut self, call: &Call, request: DescribeGroupsRequest) {
        let with_operations = request.include_authorized_operations;
        self.gather(call, Kind::Describe, request.groups.len());
        for (slot, group) in request.groups.into_iter().enumerate() {
            let refused = DescribedGroup {
                group_id: group.clone(),
                ..DescribedGroup::default()
            };
            self.ask_part(call, slot, &group.clone(), Part::Described(refused), |shard| {
                shard.describe(call, slot, group, with_operations);
            });
        }
    }

    fn delete(&mut self, call: &Call, request: DeleteGroupsRequest) {
        let mut groups = request.groups_names;
        let mut seen = BTreeSet::new();
        groups.retain(|group| seen.insert(group.clone()));
        self.gather(call, Kind::Delete, groups.len());
        for (slot, group) in groups.into_iter().enumerate() {
            let refused = DeletableGroupResult {
                group_id: group.clone(),
                ..DeletableGroupResult::default()
            };
            self.ask_part(call, slot, &group.clone(), Part::Deleted(refused), |shard| {
                shard.delete(call, slot, group);
            });
        }
    }

    fn list(&mut self, call: &Call, request: &ListGroupsRequest) {
        self.gather(call, Kind::List, self.slots.len());
        let mut loading = Vec::new();
        for (slot, shard) in self.slots.values_mut().enumerate() {
            match shard {
                Slot::Active(shard) => shard.list(call, slot, request),
                Slot::Loading(..) => loading.push(slot),
            }
        }
        for slot in loading {
            let part = Part::Listed(ErrorCode::COORDINATOR_LOAD_IN_PROGRESS, Vec::new());
            self.let_out(Reply::Part(call.id, slot, part));
        }
    }

    /// Has the shard of a group answer, or answers for it.
    fn ask_group(
        &mut self,
        call: &Call,
        group: &str,
        check: Result<(), ErrorCode>,
        mut refused: GroupResponse,
        ask: impl FnOnce(&mut Shard),
    ) {
        match check.and_then(|()| self.active(group)) {
            Ok(shard) => ask(shard),
            Err(error) => {
                refused.refuse(error);
                self.let_out(Reply::Whole(call.waiter(), refused));
            }
        }
    }

    /// Has the shard of a group give its part of an answer, or gives it for it.
    fn ask_part(
        &mut self,
        call: &Call,
        slot: usize,
        group: &str,
        mut refused: Part,
        ask: impl FnOnce(&mut Shard),
    ) {
        match self.active(group) {
            Ok(shard) => ask(shard),
            Err(error) => {
                refused.refuse(error);
                self.let_out(Reply::Part(call.id, slot, refused));
            }
        }
    }

    fn active(&mut self, group: &str) -> Result<&mut Shard, ErrorCode> {
        match self
            .slots
            .get_mut(&partition_of_group(group, self.config.partitions))
        {
            Some(Slot::Active(shard)) => Ok(shard),
            Some(Slot::Loading(..)) => Err(ErrorCode::COORDINATOR_LOAD_IN_PROGRESS),
            None => Err(ErrorCode::NOT_COORDINATOR),
        }
    }

    fn is_loading(&self, group: &str) -> bool {
        matches!(self.slots.get(&self.partition_of(group)), Some(Slot::Loading(..)))
    }

    fn check_session(&self, request: &JoinGroupRequest) -> Result<(), ErrorCode> {
        let allowed = self.config.session_timeout_min_ms..=self.config.session_timeout_max_ms;
        let is_allowed = allowed.contains(&request.session_timeout_ms);
        if is_allowed {
            Ok(())
        } else {
            Err(ErrorCode::INVALID_SESSION_TIMEOUT)
        }
    }

    fn gather(&mut self, call: &Call, kind: Kind, parts: usize) {
        let gather = Gather::new(call.waiter(), kind, parts);
        if parts == 0 {
            self.let_out(gather.finish());
        } else {
            self.gathers.insert(call.id, gather);
        }
    }

    fn let_out(&mut self, reply: Reply) {
        match reply {
            Reply::Whole(to, mut response) => {
                fit_version(&mut response, to.version);
                self.outputs.push_back(Output::Answer(to.id, response));
            }
            Reply::Part(id, slot, part) => {
                let gather = self
                    .gathers
                    .get_mut(&id)
                    .expect("a part belongs to an answer that is gathered");
                if gather.put(slot, part) {
                    let gather = self.gathers.remove(&id).expect("it was found above");
                    self.let_out(gather.finish());
                }
            }
        }
    }
}

fn check_group(group: &str) -> Result<(), ErrorCode> {
    if group.is_empty() {
        Err(ErrorCode::INVALID_GROUP_ID)
    } else {
        Ok(())
    }
}

/// From version 5 on, a SyncGroup has to name the protocol that it belongs to (KIP-559).
fn check_protocol(version: i16, request: &SyncGroupRequest) -> Result<(), ErrorCode> {
    let is_named = request.protocol_type.is_some() && request.protocol_name.is_some();
    if version < 5 || is_named {
        Ok(())
    } else {
        Err(ErrorCode::INCONSISTENT_GROUP_PROTOCOL)
    }
}

/// The groups that an OffsetFetch asks for; before version 8 that is one, said in another way.
fn groups_of_fetch(version: i16, request: OffsetFetchRequest) -> Vec<OffsetFetchRequestGroup> {
    if version >= 8 {
        return request.groups;
    }
    let topics = request.topics.map(|topics| {
        let topics = topics.into_iter().map(|topic| OffsetFetchRequestTopics {
            name: topic.name,
            partition_indexes: topic.partition_indexes,
            ..OffsetFetchRequestTopics::default()
        });
        topics.collect()
    });
    vec![OffsetFetchRequestGroup {
        group_id: request.group_id,
        topics,
        ..OffsetFetchRequestGroup::default()
    }]
}

/// What is answered about a group that nothing can be said about: its partitions, each without an offset.
fn nothing_fetched(group: &OffsetFetchRequestGroup) -> OffsetFetchResponseGroup {
    let topics = group
        .topics
        .iter()
        .flatten()
        .map(|topic| OffsetFetchResponseTopics {
            name: topic.name.clone(),
            topic_id: topic.topic_id,
            partitions: topic
                .partition_indexes
                .iter()
                .map(|index| no_offset(*index, ErrorCode::NONE))
                .collect(),
        });
    OffsetFetchResponseGroup {
        group_id: group.group_id.clone(),
        topics: topics.collect(),
        error_code: ErrorCode::NONE,
    }
}

/// Replays a batch. Markers of transactions are passed over, and so is what belongs to a transaction: the
/// coordinator does not serve TxnOffsetCommit, so nothing of the kind is written here.
fn replay(shard: &mut Shard, batch: &Batch) -> Result<(), LoadError> {
    let header = batch.header();
    if header.is_control() || header.is_transactional() {
        return Ok(());
    }
    let offset = header.base_offset;
    let records = batch
        .records(INFLATE_LIMIT_BYTES)
        .map_err(|source| LoadError::Batch { offset, source })?;
    for record in records {
        let record = record.map_err(|source| LoadError::Batch { offset, source })?;
        let Some(key) = &record.key else { continue };
        let offset = offset + i64::from(record.offset_delta);
        let replayed = shard.replay(key, record.value.as_ref());
        replayed.map_err(|source| LoadError::Record { offset, source })?;
    }
    Ok(())
}
