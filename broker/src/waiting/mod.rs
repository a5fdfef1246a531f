//! Answers that wait: for offsets to be acknowledged ([`WaitForAll`]), for bytes to arrive ([`WaitForBytes`]),
//! for a deadline, or for a connection that goes away meanwhile.
//!
//! What is to be done with an entry that is ready is its owner's affair: these tables only know conditions.

mod all;
mod bytes;

use std::collections::BTreeSet;

pub(crate) use all::WaitForAll;
pub(crate) use bytes::WaitForBytes;

use crate::ConnectionId;

/// An entry of a table; never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct WaitId(u64);

impl WaitId {
    const MIN: WaitId = WaitId(0);
    const MAX: WaitId = WaitId(u64::MAX);
}

/// Until when an entry waits, and for whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Patience {
    /// Monotonic time at which it is given back; `None`: it waits for its condition only.
    pub deadline_ms: Option<u64>,
    /// It is dropped when this connection goes away.
    pub connection: Option<ConnectionId>,
}

/// The index that both tables share: entries by deadline and by connection.
#[derive(Default)]
struct Index {
    next: u64,
    by_deadline: BTreeSet<(u64, WaitId)>,
    by_connection: BTreeSet<(ConnectionId, WaitId)>,
}

impl Index {
    fn insert(&mut self, patience: Patience) -> WaitId {
        let id = WaitId(self.next);
        self.next += 1;
        self.by_deadline
            .extend(patience.deadline_ms.map(|deadline| (deadline, id)));
        self.by_connection
            .extend(patience.connection.map(|connection| (connection, id)));
        id
    }

    fn remove(&mut self, id: WaitId, patience: Patience) {
        if let Some(deadline) = patience.deadline_ms {
            self.by_deadline.remove(&(deadline, id));
        }
        if let Some(connection) = patience.connection {
            self.by_connection.remove(&(connection, id));
        }
    }

    fn due(&self, now_ms: u64) -> Vec<WaitId> {
        self.by_deadline
            .range(..=(now_ms, WaitId::MAX))
            .map(|(_, id)| *id)
            .collect()
    }

    fn of_connection(&self, connection: ConnectionId) -> Vec<WaitId> {
        let range = (connection, WaitId::MIN)..=(connection, WaitId::MAX);
        self.by_connection.range(range).map(|(_, id)| *id).collect()
    }

    fn next_deadline_ms(&self) -> Option<u64> {
        self.by_deadline.first().map(|(deadline, _)| *deadline)
    }
}
