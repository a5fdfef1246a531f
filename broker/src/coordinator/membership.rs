//! JoinGroup, SyncGroup, Heartbeat and LeaveGroup: what members ask of their group.

use std::collections::BTreeMap;

use bytes::Bytes;
use klamm_protocol::messages::heartbeat::{HeartbeatRequest, HeartbeatResponse};
use klamm_protocol::messages::join_group::{JoinGroupRequest, JoinGroupResponse};
use klamm_protocol::messages::leave_group::{
    LeaveGroupRequest, LeaveGroupResponse, MemberIdentity, MemberResponse,
};
use klamm_protocol::messages::sync_group::SyncGroupRequest;
use klamm_protocol::{ErrorCode, Str};

use super::group::{Group, Member, State};
use super::interface::{Call, GroupResponse, Waiter};
use super::rebalance::Context;
use super::shard::GroupShard;
use crate::random::Random;

/// From this version of JoinGroup on, a new member is first given an id and has to come back with it (KIP-394).
const FIRST_VERSION_WITH_REQUIRED_ID: i16 = 4;
/// From this version of JoinGroup on, a leader can be told to leave the assignment as it is (KIP-814).
const FIRST_VERSION_WITH_SKIP_ASSIGNMENT: i16 = 9;

/// A JoinGroup request, owned: nothing of it pins the frame that it came in.
struct Join {
    waiter: Waiter,
    member_id: Str,
    protocol_type: Str,
    member: Member,
}

impl Join {
    fn new(call: &Call, request: JoinGroupRequest) -> Join {
        // Version 0 has one timeout for both.
        let rebalance_timeout_ms = if call.version == 0 {
            request.session_timeout_ms
        } else {
            request.rebalance_timeout_ms
        };
        let protocols = request.protocols.iter();
        Join {
            waiter: call.waiter(),
            member_id: request.member_id.detached(),
            protocol_type: request.protocol_type.detached(),
            member: Member {
                instance_id: request.group_instance_id.as_ref().map(Str::detached),
                client_id: call.client_id.detached(),
                client_host: call.client_host.detached(),
                rebalance_timeout_ms,
                session_timeout_ms: request.session_timeout_ms,
                protocols: protocols
                    .map(|p| (p.name.detached(), detached(&p.metadata)))
                    .collect(),
                assignment: Bytes::new(),
                is_new: true,
            },
        }
    }
}

fn detached(bytes: &Bytes) -> Bytes {
    Bytes::copy_from_slice(bytes)
}

impl GroupShard {
    /// JoinGroup: answered when the next generation begins, or at once if that is not needed.
    pub(super) fn join(&mut self, call: &Call, request: JoinGroupRequest) {
        let known = self.groups.contains_key(&request.group_id);
        let (groups, mut cx, random) = self.parts(call.now);
        let protocols = request.protocols.iter();
        let bytes: usize = protocols
            .map(|protocol| protocol.name.len() + protocol.metadata.len())
            .sum();
        if bytes > cx.config.batch_bytes_max {
            // More than could ever be stored. Kafka finds that out at the end of the rebalance.
            return cx.refuse_join(call.waiter(), Str::EMPTY, ErrorCode::UNKNOWN_SERVER_ERROR);
        }
        if !known && !request.member_id.is_empty() {
            let member_id = request.member_id.detached();
            return cx.refuse_join(call.waiter(), member_id, ErrorCode::UNKNOWN_MEMBER_ID);
        }
        let group_id = request.group_id.detached();
        let before = cx.outbox.produced();
        let group = groups
            .entry(group_id.clone())
            .or_insert_with(|| Group::empty(group_id, Some(call.now.unix_ms)));
        group.join(Join::new(call, request), random, &mut cx);
        if !known && cx.outbox.produced() == before {
            // Kafka has every group in the log that was ever joined; what it is, is not decided yet.
            Group::empty(group.id.clone(), group.state_since_ms).store(&mut cx);
        }
    }

    /// SyncGroup: answered when the leader's is there.
    pub(super) fn sync(&mut self, call: &Call, request: SyncGroupRequest) {
        let (groups, mut cx, _) = self.parts(call.now);
        match groups.get_mut(&request.group_id) {
            Some(group) if group.state != State::Empty => group.sync(call.waiter(), request, &mut cx),
            _ => cx.refuse_sync(call.waiter(), ErrorCode::UNKNOWN_MEMBER_ID),
        }
    }

    /// Heartbeat: keeps the member's session alive and tells it when to join again.
    pub(super) fn heartbeat(&mut self, call: &Call, request: &HeartbeatRequest) {
        let (groups, mut cx, _) = self.parts(call.now);
        let group = groups.get(&request.group_id).ok_or(ErrorCode::UNKNOWN_MEMBER_ID);
        let error_code = group.map_or_else(|error| error, |group| group.heartbeat(request, &mut cx));
        let response = HeartbeatResponse {
            error_code,
            ..HeartbeatResponse::default()
        };
        cx.answer(call.waiter(), GroupResponse::Heartbeat(response));
    }

    /// LeaveGroup: takes members out of the group, one or (from version 3 on) several.
    pub(super) fn leave(&mut self, call: &Call, request: LeaveGroupRequest) {
        let (groups, mut cx, _) = self.parts(call.now);
        let identities = if call.version < 3 {
            vec![MemberIdentity {
                member_id: request.member_id,
                ..MemberIdentity::default()
            }]
        } else {
            request.members
        };
        let mut group = groups.get_mut(&request.group_id);
        let mut somebody_left = false;
        let mut members = Vec::with_capacity(identities.len());
        for MemberIdentity {
            member_id,
            group_instance_id,
            ..
        } in identities
        {
            let left = match &mut group {
                Some(group) => group.leave(&member_id, group_instance_id.as_deref(), &mut cx),
                None => Err(ErrorCode::UNKNOWN_MEMBER_ID),
            };
            somebody_left |= left.is_ok();
            let error_code = left.err().unwrap_or(ErrorCode::NONE);
            members.push(MemberResponse {
                member_id,
                group_instance_id,
                error_code,
            });
        }
        if let Some(group) = group.filter(|group| somebody_left && group.state != State::Empty) {
            group.rebalance(&mut cx);
        }
        let response = LeaveGroupResponse {
            members,
            ..LeaveGroupResponse::default()
        };
        cx.answer(call.waiter(), GroupResponse::LeaveGroup(response));
    }
}

impl Group {
    fn join(&mut self, join: Join, random: &mut Random, cx: &mut Context<'_>) {
        let is_new = join.member_id.is_empty();
        if !self.accepts(&join.member_id, cx.config.group_size_max) {
            let member_id = join.member_id;
            self.expel(&member_id, cx);
            cx.refuse_join(join.waiter, Str::EMPTY, ErrorCode::GROUP_MAX_SIZE_REACHED);
        } else if !self.supports(&join.protocol_type, &join.member.protocols) {
            cx.refuse_join(
                join.waiter,
                join.member_id,
                ErrorCode::INCONSISTENT_GROUP_PROTOCOL,
            );
        } else if is_new {
            self.join_anew(join, random, cx);
        } else if self.pending_joins.contains(&join.member_id) {
            match join.member.instance_id {
                // Ids are only promised to dynamic members.
                Some(_) => cx.refuse_join(join.waiter, Str::EMPTY, ErrorCode::UNKNOWN_SERVER_ERROR),
                None => self.add_and_rebalance(join, cx),
            }
        } else {
            self.join_again(join, cx);
        }
    }

    /// Whether there is room for the member. While a rebalance waits for members, those count that have
    /// joined: so a group over a lowered limit loses those that come last.
    fn accepts(&self, member_id: &str, size_max: usize) -> bool {
        match self.state {
            State::Empty => true,
            State::PreparingRebalance => self.joins.contains_key(member_id) || self.joins.len() < size_max,
            State::CompletingRebalance | State::Stable => {
                self.members.contains_key(member_id) || self.members.len() < size_max
            }
        }
    }

    fn join_anew(&mut self, mut join: Join, random: &mut Random, cx: &mut Context<'_>) {
        let name = join.member.instance_id.as_ref().unwrap_or(&join.member.client_id);
        join.member_id = Str::from(format!("{name}-{}", random_uuid(random)));
        if let Some(instance_id) = &join.member.instance_id {
            match self.static_members.get(instance_id).cloned() {
                Some(old_id) => self.replace_and_rebalance(join, &old_id, cx),
                None => self.add_and_rebalance(join, cx),
            }
        } else if join.waiter.version >= FIRST_VERSION_WITH_REQUIRED_ID {
            self.pending_joins.insert(join.member_id.clone());
            let timeout_ms = u64::try_from(join.member.session_timeout_ms).unwrap_or(0);
            self.set_session(&join.member_id, timeout_ms, cx);
            cx.refuse_join(join.waiter, join.member_id, ErrorCode::MEMBER_ID_REQUIRED);
        } else {
            self.add_and_rebalance(join, cx);
        }
    }

    fn join_again(&mut self, join: Join, cx: &mut Context<'_>) {
        if let Err(error) = self.check_member(&join.member_id, join.member.instance_id.as_deref()) {
            return cx.refuse_join(join.waiter, join.member_id, error);
        }
        let protocols = self.members.get(&join.member_id).map(|member| &member.protocols);
        let is_unchanged = protocols == Some(&join.member.protocols);
        match self.state {
            // It may have missed the answer to its last join: told again, it can go on in this generation.
            State::CompletingRebalance if is_unchanged => {
                cx.answer_join(join.waiter, self.joined(&join.member_id));
            }
            // A leader that joins knows of a change that only it can see, such as more partitions.
            State::Stable if is_unchanged && !self.is_leader(&join.member_id) => {
                cx.answer_join(join.waiter, self.joined(&join.member_id));
            }
            State::PreparingRebalance | State::CompletingRebalance | State::Stable => {
                self.update_member(join, cx);
                self.rebalance(cx);
            }
            State::Empty => cx.refuse_join(join.waiter, join.member_id, ErrorCode::UNKNOWN_MEMBER_ID),
        }
    }

    fn add_and_rebalance(&mut self, join: Join, cx: &mut Context<'_>) {
        if self.members.is_empty() {
            self.protocol_type = Some(join.protocol_type);
        }
        if self.initial_delay.is_some() {
            self.new_member_added = true;
        }
        self.add(join.member_id.clone(), join.member);
        self.joins.insert(join.member_id.clone(), join.waiter);
        self.set_session(&join.member_id, cx.config.new_member_join_timeout_ms, cx);
        self.rebalance(cx);
    }

    fn update_member(&mut self, join: Join, cx: &mut Context<'_>) {
        self.set_protocols(&join.member_id, join.member.protocols);
        if let Some(member) = self.members.get_mut(&join.member_id) {
            member.rebalance_timeout_ms = join.member.rebalance_timeout_ms;
            member.session_timeout_ms = join.member.session_timeout_ms;
        }
        if let Some(older) = self.joins.insert(join.member_id.clone(), join.waiter) {
            // The client asks again before it has an answer, so it gave up on the first.
            cx.refuse_join(older, join.member_id, ErrorCode::REBALANCE_IN_PROGRESS);
        }
    }

    /// A static member has come back: it takes over from its former self (KIP-345).
    fn replace_and_rebalance(&mut self, join: Join, old_id: &Str, cx: &mut Context<'_>) {
        let (waiter, new_id) = (join.waiter, join.member_id.clone());
        let (old_leader, instance) = (self.leader.clone(), join.member.instance_id.clone());
        tracing::info!(group = %self.id, ?instance, %old_id, %new_id, "static member comes back");
        if let Some(join) = self.joins.remove(old_id) {
            cx.refuse_join(join, old_id.clone(), ErrorCode::FENCED_INSTANCE_ID);
        }
        for sync in self.replace_static(old_id, &new_id) {
            cx.refuse_sync(sync, ErrorCode::FENCED_INSTANCE_ID);
        }
        self.renew_session(&new_id, cx);
        self.update_member(join, cx);
        match self.state {
            // Nothing changes for the others: it goes on where it was.
            State::Stable if self.select_protocol() == self.protocol => {
                self.joins.remove(&new_id);
                let mut response = JoinGroupResponse {
                    members: Vec::new(),
                    ..self.joined(&new_id)
                };
                if waiter.version >= FIRST_VERSION_WITH_SKIP_ASSIGNMENT {
                    response = self.joined(&new_id);
                    response.skip_assignment = self.is_leader(&new_id);
                } else if self.is_leader(&new_id) {
                    // Told that it leads, it would assign anew. So the old one leads.
                    response.leader = old_leader.unwrap_or_default();
                }
                self.store(cx);
                cx.answer_join(waiter, response);
            }
            // The leader may be assigning to the old id already.
            State::CompletingRebalance => self.prepare_rebalance(cx),
            State::Stable | State::PreparingRebalance | State::Empty => self.rebalance(cx),
        }
    }

    fn sync(&mut self, waiter: Waiter, request: SyncGroupRequest, cx: &mut Context<'_>) {
        let member_id = request.member_id.detached();
        if let Err(error) = self.check_sync(&request) {
            return cx.refuse_sync(waiter, error);
        }
        match self.state {
            State::PreparingRebalance => cx.refuse_sync(waiter, ErrorCode::REBALANCE_IN_PROGRESS),
            State::CompletingRebalance => {
                if let Some(older) = self.syncs.insert(member_id.clone(), waiter) {
                    // The client asks again before it has an answer, so it gave up on the first.
                    cx.refuse_sync(older, ErrorCode::REBALANCE_IN_PROGRESS);
                }
                self.has_synced(&member_id, cx);
                if self.is_leader(&member_id) {
                    // The last of several for one member counts, as in Kafka.
                    let given = request.assignments.iter().map(|a| (&a.member_id, &a.assignment));
                    let given: BTreeMap<&Str, &Bytes> = given.collect();
                    self.assign(
                        |id| given.get(id).map(|bytes| detached(bytes)).unwrap_or_default(),
                        cx,
                    );
                }
            }
            State::Stable => {
                self.has_synced(&member_id, cx);
                cx.answer_sync(waiter, ErrorCode::NONE, self.synced(&member_id));
            }
            State::Empty => cx.refuse_sync(waiter, ErrorCode::UNKNOWN_MEMBER_ID),
        }
    }

    fn check_sync(&self, request: &SyncGroupRequest) -> Result<(), ErrorCode> {
        self.check_member(&request.member_id, request.group_instance_id.as_deref())?;
        let differ =
            |theirs: &Option<Str>, ours: &Option<Str>| theirs.is_some() && ours.is_some() && theirs != ours;
        if request.generation_id != self.generation {
            Err(ErrorCode::ILLEGAL_GENERATION)
        } else if differ(&request.protocol_type, &self.protocol_type)
            || differ(&request.protocol_name, &self.protocol)
        {
            Err(ErrorCode::INCONSISTENT_GROUP_PROTOCOL)
        } else {
            Ok(())
        }
    }

    fn heartbeat(&self, request: &HeartbeatRequest, cx: &mut Context<'_>) -> ErrorCode {
        let member_id = &request.member_id;
        if let Err(error) = self.check_member(member_id, request.group_instance_id.as_deref()) {
            return error;
        }
        if request.generation_id != self.generation {
            return ErrorCode::ILLEGAL_GENERATION;
        }
        self.renew_session(&member_id.detached(), cx);
        match self.state {
            State::PreparingRebalance => ErrorCode::REBALANCE_IN_PROGRESS,
            State::CompletingRebalance | State::Stable | State::Empty => ErrorCode::NONE,
        }
    }

    /// Takes a member out; by its instance id alone, if no member id is given: so administrators do it.
    fn leave(&mut self, id: &str, instance: Option<&str>, cx: &mut Context<'_>) -> Result<(), ErrorCode> {
        let member_id = if id.is_empty() {
            let owner = instance.and_then(|instance| self.static_members.get(instance));
            owner.ok_or(ErrorCode::UNKNOWN_MEMBER_ID)?.clone()
        } else {
            if !self.pending_joins.contains(id) {
                self.check_member(id, instance)?;
            }
            Str::from(id)
        };
        tracing::info!(group = %self.id, member = %member_id, "member leaves");
        self.expel(&member_id, cx);
        Ok(())
    }
}

/// A random (version 4) UUID in the usual notation: 8-4-4-4-12 hexadecimal digits.
fn random_uuid(random: &mut Random) -> String {
    let high = random.next() & !0xf000 | 0x4000;
    let low = random.next() & !(0b11 << 62) | 0b10 << 62;
    format!(
        "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
        high >> 32,
        high >> 16 & 0xffff,
        high & 0xffff,
        low >> 48,
        low & 0xffff_ffff_ffff
    )
}
