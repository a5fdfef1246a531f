//! Entries that wait until enough bytes have become readable in *any* of their partitions: Fetch.

use std::collections::{BTreeMap, BTreeSet};

use klamm_storage::LogKey;

use super::{Index, Patience, WaitId};
use crate::ConnectionId;

struct Entry<T> {
    payload: T,
    keys: Vec<LogKey>,
    /// Bytes that have to come before it is given back.
    missing: u64,
    /// Only bytes below the last stable offset count.
    stable: bool,
    patience: Patience,
}

/// The table. `T` is what the owner wants back.
pub(crate) struct WaitForBytes<T> {
    index: Index,
    entries: BTreeMap<WaitId, Entry<T>>,
    by_key: BTreeSet<(LogKey, WaitId)>,
}

impl<T> WaitForBytes<T> {
    pub fn new() -> Self {
        WaitForBytes {
            index: Index::default(),
            entries: BTreeMap::new(),
            by_key: BTreeSet::new(),
        }
    }

    /// Parks `payload` until `missing` more bytes can be read in `keys` together; with `stable`, by readers of
    /// committed records.
    pub fn park(&mut self, payload: T, keys: Vec<LogKey>, missing: u64, stable: bool, patience: Patience) {
        let id = self.index.insert(patience);
        self.by_key.extend(keys.iter().map(|key| (*key, id)));
        self.entries.insert(
            id,
            Entry {
                payload,
                keys,
                missing,
                stable,
                patience,
            },
        );
    }

    /// `bytes` more can be read in `key`, `stable_bytes` more by readers of committed records: returns what has
    /// enough by that, oldest first.
    pub fn credit(&mut self, key: LogKey, bytes: u64, stable_bytes: u64) -> Vec<T> {
        let ids: Vec<WaitId> = self.of_key(key);
        let mut ready = Vec::new();
        for id in ids {
            let entry = self.entries.get_mut(&id).expect("every key belongs to an entry");
            let bytes = if entry.stable { stable_bytes } else { bytes };
            entry.missing = entry.missing.saturating_sub(bytes);
            if entry.missing == 0 {
                ready.extend(self.take(id));
            }
        }
        ready
    }

    /// Something about `key` changed that its readers have to be told (deleted, failed): returns them all.
    pub fn wake(&mut self, key: LogKey) -> Vec<T> {
        self.of_key(key)
            .into_iter()
            .filter_map(|id| self.take(id))
            .collect()
    }

    /// Returns what has waited until its deadline.
    pub fn expire(&mut self, now_ms: u64) -> Vec<T> {
        self.index
            .due(now_ms)
            .into_iter()
            .filter_map(|id| self.take(id))
            .collect()
    }

    /// The next moment at which [`WaitForBytes::expire`] returns something.
    pub fn next_deadline_ms(&self) -> Option<u64> {
        self.index.next_deadline_ms()
    }

    /// Drops what waits for a connection that is gone.
    pub fn disconnect(&mut self, connection: ConnectionId) {
        for id in self.index.of_connection(connection) {
            self.take(id);
        }
    }

    /// Gives everything back.
    pub fn drain(&mut self) -> Vec<T> {
        let ids: Vec<WaitId> = self.entries.keys().copied().collect();
        ids.into_iter().filter_map(|id| self.take(id)).collect()
    }

    fn of_key(&self, key: LogKey) -> Vec<WaitId> {
        self.by_key
            .range((key, WaitId::MIN)..=(key, WaitId::MAX))
            .map(|(_, id)| *id)
            .collect()
    }

    fn take(&mut self, id: WaitId) -> Option<T> {
        let entry = self.entries.remove(&id)?;
        self.index.remove(id, entry.patience);
        for key in entry.keys {
            self.by_key.remove(&(key, id));
        }
        Some(entry.payload)
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
    fn bytes_of_several_partitions_add_up_and_an_entry_is_given_back_once() {
        let mut waiting = WaitForBytes::new();
        waiting.park("f", vec![key(0), key(1)], 100, false, FOREVER);
        assert!(waiting.credit(key(0), 60, 60).is_empty());
        assert!(waiting.credit(key(2), 60, 60).is_empty());
        assert_eq!(waiting.credit(key(1), 40, 40), ["f"]);
        assert!(waiting.credit(key(0), 100, 100).is_empty());
        assert!(waiting.by_key.is_empty());
    }

    #[test]
    fn a_deleted_partition_wakes_its_readers_and_nobody_else() {
        let mut waiting = WaitForBytes::new();
        waiting.park("both", vec![key(0), key(1)], 1, false, FOREVER);
        waiting.park("other", vec![key(1)], 1, false, FOREVER);
        assert_eq!(waiting.wake(key(0)), ["both"]);
        assert_eq!(waiting.credit(key(1), 1, 1), ["other"]);
    }

    #[test]
    fn deadlines_and_disconnects_leave_nothing_behind() {
        let mut waiting = WaitForBytes::new();
        waiting.park(
            "late",
            vec![key(0)],
            1,
            false,
            Patience {
                deadline_ms: Some(10),
                connection: None,
            },
        );
        let of_connection = Patience {
            deadline_ms: Some(20),
            connection: Some(ConnectionId(7)),
        };
        waiting.park("gone", vec![key(0)], 1, false, of_connection);
        assert_eq!(waiting.next_deadline_ms(), Some(10));
        assert!(waiting.expire(9).is_empty());
        assert_eq!(waiting.expire(10), ["late"]);
        waiting.disconnect(ConnectionId(7));
        assert!(waiting.entries.is_empty() && waiting.by_key.is_empty());
        assert!(waiting.index.by_deadline.is_empty() && waiting.index.by_connection.is_empty());
    }

    #[test]
    fn a_reader_of_committed_records_waits_for_those_alone() {
        let mut waiting = WaitForBytes::new();
        waiting.park("all", vec![key(0)], 10, false, FOREVER);
        waiting.park("committed", vec![key(0)], 10, true, FOREVER);
        assert_eq!(waiting.credit(key(0), 10, 0), ["all"]);
        assert_eq!(waiting.credit(key(0), 1, 11), ["committed"]);
    }
}
