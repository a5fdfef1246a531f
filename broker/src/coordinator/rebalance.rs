//! How a group moves from state to state. Kafka: `GroupMetadataManager`, its classic half.
//!
//! ```text
//!          first member joins            everybody has joined, or time is up
//!  Empty ────────────────────► Preparing ────────────────────────► Completing ──► Stable
//!    ▲                         Rebalance ◄─────────────────────── Rebalance       │
//!    │  nobody is left            │   ▲     somebody joins, leaves or fails       │
//!    └────────────────────────────┘   └───────────────────────────────────────────┘
//! ```
//! The step from Completing to Stable is the leader's SyncGroup with the assignment.

use bytes::Bytes;
use klamm_protocol::messages::join_group::{JoinGroupResponse, JoinGroupResponseMember};
use klamm_protocol::messages::sync_group::SyncGroupResponse;
use klamm_protocol::{ErrorCode, Str};

use super::config::CoordinatorConfig;
use super::group::{Group, InitialDelay, State};
use super::interface::{GroupResponse, Reply, Waiter, refused_join};
use super::outbox::Outbox;
use super::records;
use super::timers::{Timer, Timers};
use crate::Now;

/// What a group needs of its shard to act.
pub(super) struct Context<'a> {
    pub now: Now,
    pub config: &'a CoordinatorConfig,
    pub timers: &'a mut Timers,
    pub outbox: &'a mut Outbox<Reply>,
    /// Commits of offsets so far, in the order of the log.
    pub commits: &'a mut u64,
}

impl Context<'_> {
    pub fn answer(&mut self, to: Waiter, response: GroupResponse) {
        self.outbox.reply(Reply::Whole(to, response));
    }

    pub fn answer_join(&mut self, to: Waiter, response: JoinGroupResponse) {
        self.answer(to, GroupResponse::JoinGroup(response));
    }

    pub fn refuse_join(&mut self, to: Waiter, member_id: Str, error: ErrorCode) {
        self.answer_join(to, refused_join(member_id, error));
    }

    pub fn answer_sync(&mut self, to: Waiter, error_code: ErrorCode, response: SyncGroupResponse) {
        self.answer(
            to,
            GroupResponse::SyncGroup(SyncGroupResponse {
                error_code,
                ..response
            }),
        );
    }

    pub fn refuse_sync(&mut self, to: Waiter, error: ErrorCode) {
        self.answer_sync(to, error, SyncGroupResponse::default());
    }

    fn deadline_ms(&self, after_ms: u64) -> u64 {
        self.now.elapsed_ms.saturating_add(after_ms)
    }

    fn set(&mut self, timer: Timer, after_ms: u64) {
        let deadline_ms = self.deadline_ms(after_ms);
        self.timers.set(timer, deadline_ms);
    }
}

impl Group {
    /// Writes the group as it is now into the log.
    pub fn store(&self, cx: &mut Context<'_>) {
        cx.outbox
            .record(records::group_record(cx.now.unix_ms, &self.id, &self.to_record()));
    }

    fn enter(&mut self, state: State, cx: &Context<'_>) {
        self.state = state;
        self.state_since_ms = Some(cx.now.unix_ms);
    }

    /// The member has been heard of: its session begins anew.
    pub fn renew_session(&self, member_id: &Str, cx: &mut Context<'_>) {
        let timeout_ms = self
            .members
            .get(member_id)
            .map_or(0, |member| member.session_timeout_ms);
        self.set_session(member_id, u64::try_from(timeout_ms).unwrap_or(0), cx);
    }

    /// Gives the member this long to show itself.
    pub fn set_session(&self, member_id: &Str, timeout_ms: u64, cx: &mut Context<'_>) {
        cx.set(
            Timer::Session {
                group: self.id.clone(),
                member: member_id.clone(),
            },
            timeout_ms,
        );
    }

    /// Takes a member out and answers what waits of it: it does not belong to the group any more, and may
    /// join anew.
    pub fn expel(&mut self, member_id: &Str, cx: &mut Context<'_>) {
        cx.timers.cancel(&Timer::Session {
            group: self.id.clone(),
            member: member_id.clone(),
        });
        if let Some(waiter) = self.joins.remove(member_id) {
            cx.refuse_join(waiter, Str::EMPTY, ErrorCode::UNKNOWN_MEMBER_ID);
        }
        for waiter in self.remove(member_id) {
            cx.refuse_sync(waiter, ErrorCode::UNKNOWN_MEMBER_ID);
        }
    }

    /// Something has changed who is in the group or what they want: begins a rebalance, or, where one is under
    /// way, ends its wait if this was what it waited for.
    pub fn rebalance(&mut self, cx: &mut Context<'_>) {
        match self.state {
            State::PreparingRebalance => self.complete_join_if_ready(cx),
            State::Empty | State::CompletingRebalance | State::Stable => self.prepare_rebalance(cx),
        }
    }

    /// Begins a rebalance: everybody has to join again.
    pub fn prepare_rebalance(&mut self, cx: &mut Context<'_>) {
        if self.state == State::CompletingRebalance {
            self.give_up_assignment(ErrorCode::REBALANCE_IN_PROGRESS, cx);
        }
        self.pending_syncs.clear();
        cx.timers.cancel(&Timer::Sync(self.id.clone()));
        if self.state == State::Empty {
            // The first members of a group tend to come together: wait a little, so that they do not rebalance
            // once for each of them.
            let delay_ms = cx.config.initial_rebalance_delay_ms;
            let remaining_ms = self.rebalance_timeout_ms().saturating_sub(delay_ms);
            self.initial_delay = Some(InitialDelay {
                delay_ms,
                remaining_ms,
            });
            self.enter(State::PreparingRebalance, cx);
            cx.set(Timer::Join(self.id.clone()), delay_ms);
        } else {
            self.enter(State::PreparingRebalance, cx);
            if self.everybody_joined() {
                self.complete_join(cx);
            } else {
                cx.set(Timer::Join(self.id.clone()), self.rebalance_timeout_ms());
            }
        }
    }

    /// Ends the wait for members if nobody is missing. The first wait of a group takes its time regardless.
    pub fn complete_join_if_ready(&mut self, cx: &mut Context<'_>) {
        let waits = self.state == State::PreparingRebalance && self.initial_delay.is_none();
        if waits && self.everybody_joined() {
            self.complete_join(cx);
        }
    }

    /// The time to join is up, or, in the first rebalance of a group, a part of it.
    pub fn join_time_is_up(&mut self, cx: &mut Context<'_>) {
        if self.state != State::PreparingRebalance {
            return;
        }
        match self.initial_delay {
            Some(InitialDelay {
                delay_ms,
                remaining_ms,
            }) if self.new_member_added && remaining_ms > 0 => {
                self.new_member_added = false;
                let next = InitialDelay {
                    delay_ms: cx.config.initial_rebalance_delay_ms.min(remaining_ms),
                    remaining_ms: remaining_ms.saturating_sub(delay_ms),
                };
                self.initial_delay = Some(next);
                cx.set(Timer::Join(self.id.clone()), next.delay_ms);
            }
            _ => self.complete_join(cx),
        }
    }

    /// Begins the next generation with those that have joined. Dynamic members that have not are out; static
    /// ones keep their place until their session ends.
    pub fn complete_join(&mut self, cx: &mut Context<'_>) {
        cx.timers.cancel(&Timer::Join(self.id.clone()));
        let joins = &self.joins;
        let absent = self
            .members
            .iter()
            .filter(|(id, member)| member.instance_id.is_none() && !joins.contains_key(*id));
        let absent: Vec<Str> = absent.map(|(id, _)| id.clone()).collect();
        for member_id in &absent {
            tracing::info!(group = %self.id, member = %member_id, "member did not join in time");
            self.expel(member_id, cx);
        }
        self.initial_delay = None;
        self.new_member_added = false;
        if self.members.is_empty() {
            self.begin_empty_generation(cx);
        } else if self.elect_joined_leader() {
            self.begin_generation(cx);
        } else {
            // Only static members are left, and none has come back yet: their sessions decide.
            cx.set(Timer::Join(self.id.clone()), self.rebalance_timeout_ms());
        }
    }

    fn begin_empty_generation(&mut self, cx: &mut Context<'_>) {
        self.generation = self.generation.wrapping_add(1);
        self.protocol = None;
        self.leader = None;
        self.subscribed_topics = self.read_subscriptions();
        self.pending_syncs.clear();
        self.enter(State::Empty, cx);
        tracing::info!(group = %self.id, generation = self.generation, "group is empty");
        self.store(cx);
    }

    fn begin_generation(&mut self, cx: &mut Context<'_>) {
        self.generation = self.generation.wrapping_add(1);
        self.protocol = self.select_protocol();
        self.subscribed_topics = self.read_subscriptions();
        self.enter(State::CompletingRebalance, cx);
        let (generation, members) = (self.generation, self.members.len());
        tracing::info!(group = %self.id, generation, members, "generation begins");
        self.pending_syncs = self.members.keys().cloned().collect();
        for member_id in self.members.keys().cloned().collect::<Vec<_>>() {
            if let Some(waiter) = self.joins.remove(&member_id) {
                cx.answer_join(waiter, self.joined(&member_id));
            }
            if let Some(member) = self.members.get_mut(&member_id) {
                member.is_new = false;
            }
            self.renew_session(&member_id, cx);
        }
        cx.set(Timer::Sync(self.id.clone()), self.rebalance_timeout_ms());
    }

    /// The current generation, as a member is told of it; the leader gets to know everybody.
    pub fn joined(&self, member_id: &Str) -> JoinGroupResponse {
        let members = if self.is_leader(member_id) {
            self.joined_members()
        } else {
            Vec::new()
        };
        JoinGroupResponse {
            error_code: ErrorCode::NONE,
            generation_id: self.generation,
            protocol_type: self.protocol_type.clone(),
            protocol_name: self.protocol.clone(),
            leader: self.leader.clone().unwrap_or_default(),
            member_id: member_id.clone(),
            members,
            ..JoinGroupResponse::default()
        }
    }

    fn joined_members(&self) -> Vec<JoinGroupResponseMember> {
        let members = self.members.iter().map(|(id, member)| JoinGroupResponseMember {
            member_id: id.clone(),
            group_instance_id: member.instance_id.clone(),
            metadata: member.metadata(self.protocol.as_ref()),
        });
        members.collect()
    }

    /// The leader has said who gets what: everybody that asked is told, and the log keeps it.
    ///
    /// An assignment that the log cannot take is refused to all, and they have to start over.
    pub fn assign(&mut self, mut assignments: impl FnMut(&Str) -> Bytes, cx: &mut Context<'_>) {
        for (member_id, member) in &mut self.members {
            member.assignment = assignments(member_id);
        }
        self.enter(State::Stable, cx);
        let record = records::group_record(cx.now.unix_ms, &self.id, &self.to_record());
        if !record.fits(cx.config.batch_bytes_max) {
            tracing::warn!(group = %self.id, bytes = record.size(), "assignment is too large to be stored");
            self.state = State::CompletingRebalance;
            self.give_up_assignment(ErrorCode::UNKNOWN_SERVER_ERROR, cx);
            self.prepare_rebalance(cx);
            return;
        }
        cx.outbox.record(record);
        for (member_id, waiter) in std::mem::take(&mut self.syncs) {
            cx.answer_sync(waiter, ErrorCode::NONE, self.synced(&member_id));
            self.renew_session(&member_id, cx);
        }
    }

    /// What is a member's in the current generation.
    pub fn synced(&self, member_id: &Str) -> SyncGroupResponse {
        SyncGroupResponse {
            protocol_type: self.protocol_type.clone(),
            protocol_name: self.protocol.clone(),
            assignment: self
                .members
                .get(member_id)
                .map(|m| m.assignment.clone())
                .unwrap_or_default(),
            ..SyncGroupResponse::default()
        }
    }

    fn give_up_assignment(&mut self, error: ErrorCode, cx: &mut Context<'_>) {
        for member in self.members.values_mut() {
            member.assignment = Bytes::new();
        }
        for (member_id, waiter) in std::mem::take(&mut self.syncs) {
            cx.refuse_sync(waiter, error);
            self.renew_session(&member_id, cx);
        }
    }

    /// The time to ask for the assignment is up: who has not asked is out.
    pub fn sync_time_is_up(&mut self, cx: &mut Context<'_>) {
        let awaits_syncs = matches!(self.state, State::CompletingRebalance | State::Stable);
        if !awaits_syncs || self.pending_syncs.is_empty() {
            return;
        }
        for member_id in std::mem::take(&mut self.pending_syncs) {
            tracing::info!(group = %self.id, member = %member_id, "member did not ask for its assignment");
            self.expel(&member_id, cx);
        }
        self.prepare_rebalance(cx);
    }

    /// The member has asked for its assignment.
    pub fn has_synced(&mut self, member_id: &Str, cx: &mut Context<'_>) {
        self.pending_syncs.remove(member_id);
        if self.pending_syncs.is_empty() {
            cx.timers.cancel(&Timer::Sync(self.id.clone()));
        }
    }

    /// The session of a member, or of one that was only promised an id, is over.
    pub fn session_is_over(&mut self, member_id: &Str, cx: &mut Context<'_>) {
        if self.pending_joins.remove(member_id) {
            if self.state == State::PreparingRebalance && self.everybody_joined() {
                self.complete_join(cx);
            }
        } else if self.members.contains_key(member_id) && !self.hears_from(member_id) {
            tracing::info!(group = %self.id, member = %member_id, "member failed: its session is over");
            self.expel(member_id, cx);
            match self.state {
                State::Stable | State::CompletingRebalance => self.prepare_rebalance(cx),
                State::PreparingRebalance if self.everybody_joined() => self.complete_join(cx),
                State::PreparingRebalance | State::Empty => {}
            }
        }
    }
}
