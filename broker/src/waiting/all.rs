//! Entries that wait until *all* their partitions have reached an offset: Produce, group records.

use std::collections::{BTreeMap, BTreeSet};

use klamm_storage::LogKey;

use super::{Index, Patience, WaitId};
use crate::ConnectionId;

/// A partition has to reach a high watermark of at least `offset`.
type Condition = (LogKey, i64);

struct Entry<T> {
    payload: T,
    /// Conditions not met yet.
    open: BTreeSet<Condition>,
    patience: Patience,
}

/// The table. `T` is what the owner wants back.
pub(crate) struct WaitForAll<T> {
    index: Index,
    entries: BTreeMap<WaitId, Entry<T>>,
    by_condition: BTreeSet<(Condition, WaitId)>,
}

impl<T> WaitForAll<T> {
    pub fn new() -> Self {
        WaitForAll {
            index: Index::default(),
            entries: BTreeMap::new(),
            by_condition: BTreeSet::new(),
        }
    }

    /// Parks `payload` until every one of `conditions` is met.
    ///
    /// They must be open at this moment: one that already holds is never looked at again.
    pub fn park(&mut self, payload: T, conditions: impl IntoIterator<Item = Condition>, patience: Patience) {
        let id = self.index.insert(patience);
        let open: BTreeSet<Condition> = conditions.into_iter().collect();
        assert!(!open.is_empty(), "what waits for nothing is never given back");
        self.by_condition
            .extend(open.iter().map(|condition| (*condition, id)));
        self.entries.insert(
            id,
            Entry {
                payload,
                open,
                patience,
            },
        );
    }

    /// The high watermark of `key` is `offset`: returns what is ready by it, oldest first.
    pub fn advance(&mut self, key: LogKey, offset: i64) -> Vec<T> {
        self.settle(key, i64::MIN, offset, |_| {})
    }

    /// `key` will not get any further (deleted, failed): its conditions are dropped and `mark` may note so in
    /// each payload. Returns what waits for nothing else.
    pub fn fail(&mut self, key: LogKey, mark: impl FnMut(&mut T)) -> Vec<T> {
        self.settle(key, i64::MIN, i64::MAX, mark)
    }

    /// The same for those alone who wait for more than `offset`: what lies behind it is lost.
    pub fn fail_beyond(&mut self, key: LogKey, offset: i64, mark: impl FnMut(&mut T)) -> Vec<T> {
        self.settle(key, offset.saturating_add(1), i64::MAX, mark)
    }

    /// Drops the conditions of `key` on offsets in `[from, to]`.
    fn settle(&mut self, key: LogKey, from: i64, to: i64, mut mark: impl FnMut(&mut T)) -> Vec<T> {
        let range = ((key, from), WaitId::MIN)..=((key, to), WaitId::MAX);
        let met: Vec<(Condition, WaitId)> = self.by_condition.range(range).copied().collect();
        let mut ready = BTreeSet::new();
        for (condition, id) in met {
            self.by_condition.remove(&(condition, id));
            let entry = self
                .entries
                .get_mut(&id)
                .expect("every condition belongs to an entry");
            entry.open.remove(&condition);
            mark(&mut entry.payload);
            if entry.open.is_empty() {
                ready.insert(id);
            }
        }
        ready
            .into_iter()
            .filter_map(|id| self.take(id))
            .map(|(payload, _)| payload)
            .collect()
    }

    /// Returns what has waited until its deadline, with the partitions it still waited for.
    pub fn expire(&mut self, now_ms: u64) -> Vec<(T, Vec<LogKey>)> {
        self.index
            .due(now_ms)
            .into_iter()
            .filter_map(|id| self.take(id))
            .collect()
    }

    /// The next moment at which [`WaitForAll::expire`] returns something.
    pub fn next_deadline_ms(&self) -> Option<u64> {
        self.index.next_deadline_ms()
    }

    /// Drops what waits for a connection that is gone.
    pub fn disconnect(&mut self, connection: ConnectionId) {
        for id in self.index.of_connection(connection) {
            self.take(id);
        }
    }

    fn take(&mut self, id: WaitId) -> Option<(T, Vec<LogKey>)> {
        let entry = self.entries.remove(&id)?;
        self.index.remove(id, entry.patience);
        for condition in &entry.open {
            self.by_condition.remove(&(*condition, id));
        }
        Some((
            entry.payload,
            entry.open.into_iter().map(|(key, _)| key).collect(),
        ))
    }
}

#[cfg(test)]
mod tests {
    use klamm_protocol::{Uuid, ids::TopicId};

    use super::*;

    fn key(partition: i32) -> LogKey {
        LogKey {
            topic_id: TopicId(Uuid::ZERO),
            partition,
        }
    }

    const FOREVER: Patience = Patience {
        deadline_ms: None,
        connection: None,
    };

    #[test]
    fn every_condition_must_hold_before_an_entry_is_given_back_and_it_is_given_back_once() {
        let mut waiting = WaitForAll::new();
        waiting.park("p", [(key(0), 5), (key(1), 3)], FOREVER);
        assert!(waiting.advance(key(0), 5).is_empty());
        assert!(waiting.advance(key(1), 2).is_empty());
        assert_eq!(waiting.advance(key(1), 3), ["p"]);
        assert!(waiting.advance(key(1), 9).is_empty());
    }

    #[test]
    fn a_failed_partition_is_marked_and_the_others_are_still_waited_for() {
        let mut waiting = WaitForAll::new();
        waiting.park(vec!["p"], [(key(0), 5), (key(1), 3)], FOREVER);
        assert!(waiting.fail(key(0), |payload| payload.push("failed")).is_empty());
        assert_eq!(waiting.advance(key(1), 3), [vec!["p", "failed"]]);
    }

    #[test]
    fn a_deadline_names_the_partitions_that_were_late() {
        let mut waiting = WaitForAll::new();
        waiting.park(
            "p",
            [(key(0), 5), (key(1), 3)],
            Patience {
                deadline_ms: Some(10),
                connection: None,
            },
        );
        assert!(waiting.advance(key(0), 5).is_empty());
        assert_eq!(waiting.next_deadline_ms(), Some(10));
        assert!(waiting.expire(9).is_empty());
        assert_eq!(waiting.expire(10), [("p", vec![key(1)])]);
        assert_eq!(waiting.next_deadline_ms(), None);
    }

    #[test]
    fn nothing_is_left_behind_by_a_connection_that_goes_away() {
        let mut waiting = WaitForAll::new();
        let patience = Patience {
            deadline_ms: Some(10),
            connection: Some(ConnectionId(7)),
        };
        waiting.park("p", [(key(0), 5)], patience);
        waiting.disconnect(ConnectionId(7));
        assert!(waiting.entries.is_empty() && waiting.by_condition.is_empty());
        assert!(waiting.index.by_deadline.is_empty() && waiting.index.by_connection.is_empty());
    }
}
