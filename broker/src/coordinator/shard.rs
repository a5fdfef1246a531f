//! One partition of `__consumer_offsets` as a state machine: the groups that it keeps, their timers, and what
//! they have to say. Pure: records and time in, records and answers out.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use klamm_protocol::{DecodeError, ErrorCode, Str};

use super::config::CoordinatorConfig;
use super::group::Group;
use super::interface::{GroupResponse, Reply, refused_join};
use super::outbox::Outbox;
use super::rebalance::Context;
use super::records::{self, Stored};
use super::timers::{Timer, Timers};
use crate::Now;
use crate::random::Random;

/// The groups of one partition.
#[derive(Debug)]
pub(super) struct Shard {
    config: Arc<CoordinatorConfig>,
    pub(super) groups: BTreeMap<Str, Group>,
    timers: Timers,
    pub(super) outbox: Outbox,
    random: Random,
}

impl Shard {
    /// A shard that has not read its log yet.
    pub fn new(config: Arc<CoordinatorConfig>, seed: u64) -> Shard {
        Shard {
            config,
            groups: BTreeMap::new(),
            timers: Timers::default(),
            outbox: Outbox::default(),
            random: Random::new(seed),
        }
    }

    /// Its groups, what they need to act, and chance.
    pub(super) fn parts(&mut self, now: Now) -> (&mut BTreeMap<Str, Group>, Context<'_>, &mut Random) {
        let cx = Context {
            now,
            config: &self.config,
            timers: &mut self.timers,
            outbox: &mut self.outbox,
        };
        (&mut self.groups, cx, &mut self.random)
    }

    /// Takes over what a record of the log says. The order of records is the order of the log.
    ///
    /// # Errors
    /// When the record is damaged. The shard is of no use then.
    pub fn replay(&mut self, key: &Bytes, value: Option<&Bytes>) -> Result<(), DecodeError> {
        match records::read(key, value)? {
            Stored::Offset {
                group,
                topic,
                partition,
                value: Some(offset),
            } => {
                let group = self
                    .groups
                    .entry(group.clone())
                    .or_insert_with(|| Group::empty(group, None));
                group.set_offset(topic, partition, offset);
            }
            Stored::Offset {
                group,
                topic,
                partition,
                value: None,
            } => {
                if let Some(group) = self.groups.get_mut(&group) {
                    group.remove_offset(&topic, partition);
                }
            }
            Stored::Group { group: id, value } => {
                let offsets = self
                    .groups
                    .remove(&id)
                    .map(|group| group.offsets)
                    .unwrap_or_default();
                let mut group = match value {
                    Some(value) => Group::from_record(id.clone(), value),
                    None if offsets.is_empty() => return Ok(()),
                    None => Group::empty(id.clone(), None),
                };
                group.offsets = offsets;
                self.groups.insert(id, group);
            }
            Stored::Other => {}
        }
        Ok(())
    }

    /// The log is read up to its end at `log_end_offset`: sessions begin, and requests may come.
    pub fn start(&mut self, now: Now, log_end_offset: i64) {
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

    /// When something is due.
    pub fn next_deadline_ms(&self) -> Option<u64> {
        self.timers.next_deadline_ms()
    }

    /// Does everything that is due.
    pub fn tick(&mut self, now: Now) {
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

    /// Ends the shard: everybody who waits is refused with `error`.
    pub fn refuse_all(self, error: ErrorCode) -> Vec<Reply> {
        let mut replies: Vec<Reply> = self.outbox.refuse_all(error).collect();
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
