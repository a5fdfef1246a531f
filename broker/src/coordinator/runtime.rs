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
use klamm_protocol::messages::txn_offset_commit::TxnOffsetCommitRequest;
use klamm_protocol::record::Batch;
use klamm_protocol::{ErrorCode, Str};

use super::config::{CoordinatorConfig, partition_of_key};
use super::gather::{Gather, Kind};
use super::interface::{
    Call, Caller, GroupRequest, GroupResponse, Output, Part, Reply, Topics, fit_version, no_offset,
    refused_join,
};
use super::offsets::{plan_commit, plan_delete, plan_transactional_commit};
use super::shard::GroupShard;
use super::shards::{Sharded, Shards, Slot};
use crate::random::Random;
use crate::{Now, RequestId};

/// The group coordinator of a broker, over all partitions of `__consumer_offsets` that it leads.
///
/// Whoever drives it tells it what happens and then takes what it wants from [`drain`](Self::drain):
///
/// ```text
/// a request                    request
/// topics were deleted          topics_deleted
/// anything else                as for all coordinators: see Sharded
/// ```
#[derive(Debug)]
pub struct Coordinator {
    config: Arc<CoordinatorConfig>,
    random: Random,
    shards: Shards<GroupShard>,
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
            shards: Shards::new(),
            gathers: BTreeMap::new(),
            outputs: VecDeque::new(),
        }
    }

    /// Every group that is served, for tests to look into.
    #[cfg(test)]
    pub(super) fn groups(&self) -> impl Iterator<Item = &super::group::Group> {
        let shards = self.shards.slots.values().filter_map(|slot| match slot {
            Slot::Active(shard) => Some(shard),
            Slot::Loading(..) => None,
        });
        shards.flat_map(|shard| shard.groups.values())
    }

    /// The partition of `__consumer_offsets` that keeps a group: what FindCoordinator asks.
    pub fn partition_of(&self, group: &str) -> i32 {
        partition_of_key(group, self.config.partitions)
    }

    /// Topics are gone: so are the offsets committed for them.
    pub fn topics_deleted(&mut self, now: Now, topics: &[Str]) {
        for shard in self.shards.all_active() {
            shard.topics_deleted(now, topics);
        }
    }

    /// Takes what the coordinator wants done, in order. Call it after whatever was told, and again after
    /// carrying out what it gave, until it gives nothing. Records of requests in between two calls share
    /// batches.
    pub fn drain(&mut self) -> Vec<Output> {
        let (replies, batches) = self.shards.drain(self.config.batch_bytes_max);
        for reply in replies {
            self.let_out(reply);
        }
        let appends = batches
            .into_iter()
            .map(|(partition, batch)| Output::Append { partition, batch });
        self.outputs.drain(..).chain(appends).collect()
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
            GroupRequest::TxnOffsetCommit(request) => self.commit_in_transaction(call, request, topics),
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

    fn commit_in_transaction(
        &mut self,
        call: &Call,
        mut request: TxnOffsetCommitRequest,
        topics: &dyn Topics,
    ) {
        let plan = plan_transactional_commit(call.version, &mut request, topics);
        let mut partitions = plan.topics.iter().flat_map(|topic| &topic.partitions);
        if !partitions.any(|partition| partition.error_code == ErrorCode::NONE) {
            return self.let_out(Reply::Whole(call.waiter(), GroupResponse::TxnOffsetCommit(plan)));
        }
        let refused = GroupResponse::TxnOffsetCommit(plan.clone());
        let group = request.group_id.clone();
        self.ask_group(call, &group, check_group(&group), refused, |shard| {
            shard.commit_in_transaction(call, request, plan);
        });
    }

    /// Writes the end of a transaction into a partition; [`Output::Ended`] tells when it is committed.
    pub fn end_transaction(&mut self, partition: i32, token: u64, marker: Batch, commit: bool) {
        match self.shards.active(partition) {
            Ok(shard) => shard.end_transaction(token, marker, commit),
            Err(error) => self.let_out(Reply::Ended(token, error)),
        }
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
        let require_stable = request.require_stable;
        let groups = groups_of_fetch(call.version, request);
        self.gather(call, Kind::Fetch, groups.len());
        for (slot, group) in groups.into_iter().enumerate() {
            let refused = Part::Fetched(nothing_fetched(&group));
            let group_id = group.group_id.clone();
            self.ask_part(call, slot, &group_id, refused, |shard| {
                shard.fetch(call, slot, group, require_stable, topics)
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
        self.gather(call, Kind::List, self.shards.slots.len());
        let mut loading = Vec::new();
        for (slot, shard) in self.shards.slots.values_mut().enumerate() {
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
        ask: impl FnOnce(&mut GroupShard),
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
        ask: impl FnOnce(&mut GroupShard),
    ) {
        match self.active(group) {
            Ok(shard) => ask(shard),
            Err(error) => {
                refused.refuse(error);
                self.let_out(Reply::Part(call.id, slot, refused));
            }
        }
    }

    fn active(&mut self, group: &str) -> Result<&mut GroupShard, ErrorCode> {
        self.shards
            .active(partition_of_key(group, self.config.partitions))
    }

    fn is_loading(&mut self, group: &str) -> bool {
        matches!(self.active(group), Err(ErrorCode::COORDINATOR_LOAD_IN_PROGRESS))
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
}

impl Sharded for Coordinator {
    type Shard = GroupShard;

    fn shards(&mut self) -> &mut Shards<GroupShard> {
        &mut self.shards
    }

    fn get_shards(&self) -> &Shards<GroupShard> {
        &self.shards
    }

    fn new_shard(&mut self) -> GroupShard {
        GroupShard::new(self.config.clone(), self.random.next())
    }

    fn let_out(&mut self, reply: Reply) {
        match reply {
            Reply::Whole(to, mut response) => {
                fit_version(&mut response, to.version);
                self.outputs.push_back(Output::Answer(to.id, response));
            }
            Reply::Ended(token, code) => self.outputs.push_back(Output::Ended(token, code)),
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
