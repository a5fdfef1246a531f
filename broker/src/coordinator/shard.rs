//! One partition of `__consumer_offsets` as a state machine: the groups that it keeps, their timers, and what
//! they have to say. Pure: records and time in, records and answers out.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;
use klamm_protocol::record::control::ControlRecord;
use klamm_protocol::record::{Batch, INFLATE_LIMIT_BYTES};
use klamm_protocol::{DecodeError, ErrorCode, Str};

use super::config::CoordinatorConfig;
use super::group::Group;
use super::interface::{GroupResponse, Reply, refused_join};
use super::outbox::Outbox;
use super::rebalance::Context;
use super::records::{self, Stored};
use super::shards::{LoadError, Shard};
use super::timers::{Timer, Timers};
use crate::Now;
use crate::random::Random;

/// The groups of one partition.
#[derive(Debug)]
pub(crate) struct GroupShard {
    config: Arc<CoordinatorConfig>,
    pub(super) groups: BTreeMap<Str, Group>,
    timers: Timers,
    outbox: Outbox<Reply>,
    random: Random,
    /// The groups that each producer's open transaction has offsets of.
    producers: Producers,
    commits: u64,
}

/// Groups by producer id.
pub(super) type Producers = BTreeMap<i64, BTreeSet<Str>>;

impl GroupShard {
    /// A shard that has not read its log yet.
    pub fn new(config: Arc<CoordinatorConfig>, seed: u64) -> GroupShard {
        GroupShard {
            config,
            groups: BTreeMap::new(),
            timers: Timers::default(),
            outbox: Outbox::default(),
            random: Random::new(seed),
            producers: Producers::new(),
            commits: 0,
        }
    }

    /// Its groups, what they need to act, and chance.
    pub(super) fn parts(&mut self, now: Now) -> (&mut BTreeMap<Str, Group>, Context<'_>, &mut Random) {
        let cx = Context {
            now,
            config: &self.config,
            timers: &mut self.timers,
            outbox: &mut self.outbox,
            commits: &mut self.commits,
        };
        (&mut self.groups, cx, &mut self.random)
    }

    /// The same, with what producers have open transactions instead of chance.
    pub(super) fn transactional_parts(
        &mut self,
        now: Now,
    ) -> (&mut BTreeMap<Str, Group>, Context<'_>, &mut Producers) {
        let cx = Context {
            now,
            config: &self.config,
            timers: &mut self.timers,
            outbox: &mut self.outbox,
            commits: &mut self.commits,
        };
        (&mut self.groups, cx, &mut self.producers)
    }

    /// Writes the end of a producer's transaction; `token` is answered when it is committed.
    pub(super) fn end_transaction(&mut self, token: u64, marker: Batch, commit: bool) {
        let producer_id = marker.header().producer_id;
        self.outbox.marker(marker);
        self.outbox.reply(Reply::Ended(token, ErrorCode::NONE));
        self.transaction_ended(producer_id, commit);
    }

    fn transaction_ended(&mut self, producer_id: i64, commit: bool) {
        for id in self.producers.remove(&producer_id).unwrap_or_default() {
            let Some(group) = self.groups.get_mut(&id) else {
                continue;
            };
            group.end_transaction(producer_id, commit);
            // Nobody ever joined it, and nothing came of its offsets.
            if group.is_blank() && group.protocol_type.is_none() && group.generation == 0 {
                self.groups.remove(&id);
            }
        }
    }

    /// Takes over what a record of the log says.
    fn replay_record(
        &mut self,
        producer_id: Option<i64>,
        key: &Bytes,
        value: Option<&Bytes>,
    ) -> Result<(), DecodeError> {
        match records::read(key, value)? {
            Stored::Offset {
                group,
                topic,
                partition,
                value: Some(mut offset),
            } => {
                self.commits += 1;
                offset.order = self.commits;
                let known = self
                    .groups
                    .entry(group.clone())
                    .or_insert_with(|| Group::empty(group.clone(), None));
                match producer_id {
                    None => known.set_offset(topic, partition, offset),
                    Some(producer_id) => {
                        known.set_pending(producer_id, topic, partition, offset);
                        self.producers.entry(producer_id).or_default().insert(group);
                    }
                }
            }
            Stored::Offset {
                group,
                topic,
                partition,
                value: None,
            } => {
                if let Some(group) = self.groups.get_mut(&group) {
                    group.remove_offset(&topic, partition);
                    group.drop_pending(&topic, partition);
                }
            }
            Stored::Group { group: id, value } => {
                let (offsets, pending) = self
                    .groups
                    .remove(&id)
                    .map(|group| (group.offsets, group.pending))
                    .unwrap_or_default();
                let mut group = match value {
                    Some(value) => Group::from_record(id.clone(), value),
                    None if offsets.is_empty() && pending.is_empty() => return Ok(()),
                    None => Group::empty(id.clone(), None),
                };
                group.offsets = offsets;
                group.pending = pending;
                self.groups.insert(id, group);
            }
            Stored::Other => {}
        }
        Ok(())
    }
}

impl Shard for GroupShard {
    type Reply = Reply;

    fn replay(&mut self, batch: &Batch) -> Result<(), LoadError> {
        let header = batch.header();
        if header.is_control() {
            if let Ok(ControlRecord::EndTransaction { commit, .. }) = ControlRecord::of(batch) {
                self.transaction_ended(header.producer_id, commit);
            }
            return Ok(());
        }
        let producer_id = header.is_transactional().then_some(header.producer_id);
        let offset = header.base_offset;
        let records = batch
            .records(INFLATE_LIMIT_BYTES)
            .map_err(|source| LoadError::Batch { offset, source })?;
        for record in records {
            let record = record.map_err(|source| LoadError::Batch { offset, source })?;
            let Some(key) = &record.key else { continue };
            let offset = offset + i64::from(record.offset_delta);
            let replayed = self.replay_record(producer_id, key, record.value.as_ref());
            replayed.map_err(|source| LoadError::Record { offset, source })?;
        }
        Ok(())
    }

    fn start(&mut self, now: Now, log_end_offset: i64, _: i32) {
        // A group whose last offset was deleted one by one leaves nothing in a compacted log.
        self.outbox = Outbox::after_loading(log_end_offset);
        let interval_ms = self.config.offsets_retention_check_interval_ms;
        let (groups, mut cx, _) = self.parts(now);
        cx.timers
            .set(Timer::ExpireOffsets, now.elapsed_ms.saturating_add(interval_ms));
        for group in groups.values_mut() {
            for member_id in group.members.keys() {
                group.renew_session(member_id, &mut cx);
            }
            if group.members.len() > cx.config.group_size_max {
                group.prepare_rebalance(&mut cx);
            }
        }
    }

    fn next_deadline_ms(&self) -> Option<u64> {
        self.timers.next_deadline_ms()
    }

    fn outbox(&mut self) -> &mut Outbox<Reply> {
        &mut self.outbox
    }

    fn tick(&mut self, now: Now) {
        while let Some(timer) = self.timers.take_due(now.elapsed_ms) {
            if timer == Timer::ExpireOffsets {
                self.expire_offsets(now);
                let next_ms = now
                    .elapsed_ms
                    .saturating_add(self.config.offsets_retention_check_interval_ms);
                self.timers.set(timer, next_ms);
                continue;
            }
            let (groups, mut cx, _) = self.parts(now);
            let (Timer::Session { group, .. } | Timer::Join(group) | Timer::Sync(group)) = &timer else {
                continue;
            };
            let Some(group) = groups.get_mut(group) else {
                continue;
            };
            match &timer {
                Timer::Session { member, .. } => group.session_is_over(member, &mut cx),
                Timer::Join(_) => group.join_time_is_up(&mut cx),
                Timer::Sync(_) => group.sync_time_is_up(&mut cx),
                Timer::ExpireOffsets => {}
            }
        }
    }

    fn refuse_all(self, error: ErrorCode) -> Vec<Reply> {
        let mut replies: Vec<Reply> = self.outbox.into_replies().collect();
        replies.iter_mut().for_each(|reply| reply.refuse(error));
        for group in self.groups.into_values() {
            for waiter in group.joins.into_values() {
                let response = GroupResponse::JoinGroup(refused_join(Str::EMPTY, error));
                replies.push(Reply::Whole(waiter, response));
            }
            for waiter in group.syncs.into_values() {
                let mut response = GroupResponse::SyncGroup(Default::default());
                response.refuse(error);
                replies.push(Reply::Whole(waiter, response));
            }
        }
        replies
    }
}
