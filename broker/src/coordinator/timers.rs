//! Timers as data: what is to happen when. Nothing here looks at a clock.

use std::collections::{BTreeMap, BTreeSet};

use klamm_protocol::Str;

/// What a timer is for. There is at most one of each.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Timer {
    /// A member that does not show itself by then is out.
    Session {
        /// Its group.
        group: Str,
        /// Its member id.
        member: Str,
    },
    /// The group stops waiting for members to join.
    Join(Str),
    /// The group stops waiting for members to ask for their assignment.
    Sync(Str),
    /// Offsets are looked through for expired ones.
    ExpireOffsets,
}

/// All timers of one shard.
#[derive(Debug, Default)]
pub(super) struct Timers {
    deadlines: BTreeMap<Timer, u64>,
    /// The same, soonest first.
    order: BTreeSet<(u64, Timer)>,
}

impl Timers {
    /// Sets a timer, or sets it anew.
    pub fn set(&mut self, timer: Timer, deadline_ms: u64) {
        self.cancel(&timer);
        self.order.insert((deadline_ms, timer.clone()));
        self.deadlines.insert(timer, deadline_ms);
    }

    /// Forgets a timer, if it is set.
    pub fn cancel(&mut self, timer: &Timer) {
        if let Some((timer, deadline_ms)) = self.deadlines.remove_entry(timer) {
            self.order.remove(&(deadline_ms, timer));
        }
    }

    /// When the soonest is due.
    pub fn next_deadline_ms(&self) -> Option<u64> {
        self.order.first().map(|(deadline_ms, _)| *deadline_ms)
    }

    /// Takes the soonest of those that are due.
    pub fn take_due(&mut self, elapsed_ms: u64) -> Option<Timer> {
        if self.next_deadline_ms()? > elapsed_ms {
            return None;
        }
        let (_, timer) = self.order.pop_first()?;
        self.deadlines.remove(&timer);
        Some(timer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timer_set_anew_fires_once_and_at_the_later_time() {
        let mut timers = Timers::default();
        timers.set(Timer::Join("g".into()), 10);
        timers.set(Timer::Sync("g".into()), 20);
        timers.set(Timer::Join("g".into()), 30);
        assert_eq!(timers.next_deadline_ms(), Some(20));
        assert_eq!(timers.take_due(19), None);
        assert_eq!(timers.take_due(30), Some(Timer::Sync("g".into())));
        assert_eq!(timers.take_due(30), Some(Timer::Join("g".into())));
        assert_eq!(timers.take_due(u64::MAX), None);
    }

    #[test]
    fn a_cancelled_timer_does_not_fire() {
        let mut timers = Timers::default();
        timers.set(Timer::ExpireOffsets, 1);
        timers.cancel(&Timer::ExpireOffsets);
        timers.cancel(&Timer::ExpireOffsets);
        assert_eq!(timers.take_due(u64::MAX), None);
    }
}
