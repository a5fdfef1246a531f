//! All partitions of this broker, by topic id: those that serve, those whose log is being opened, and those that do not
//! serve.

use std::collections::BTreeMap;

use klamm_protocol::ErrorCode;
use klamm_storage::LogKey;

use crate::LaneId;
use crate::disks::Points;
use crate::partition::Partition;

/// Where a partition of this broker stands.
pub(crate) enum Slot {
    /// Nobody has needed it yet, so its log is not open: there may be very many. Whoever needs it, or the upkeep
    /// that goes round, has it opened ([`Node::begin_opening`](crate::Node::begin_opening)).
    Idle(Idle),
    /// A blocking job opens or recovers its log in a directory of this lane.
    Opening(LaneId),
    /// It serves.
    Online(Box<Partition>),
    /// It does not serve, for this reason. Where it has no place in a directory, the lane is that of the metadata.
    Failed(LaneId, Why),
}

/// Why a partition of this broker does not serve.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Why {
    /// Its log directory failed, or is not here.
    Disk,
    /// Its log is damaged.
    Damage,
    /// Its log cannot be opened before there is room.
    Room,
}

/// What is known of a log that is not open.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Idle {
    /// The lane of the log directory that it lies in, or is to lie in.
    pub lane: LaneId,
    /// What the checkpoints say of it; `None` when nothing lies there yet.
    pub points: Option<Points>,
}

impl Slot {
    fn is_opening(&self) -> bool {
        matches!(self, Slot::Opening(_))
    }
}

/// Why a partition does not serve.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Absent {
    /// This broker has no such partition.
    Unknown,
    /// Its log is not open yet; a client that asks again will find it.
    Opening,
    /// It does not serve; a client cannot do anything about it.
    Failed,
}

impl Absent {
    /// What a client is told.
    pub fn code(self) -> ErrorCode {
        match self {
            Absent::Unknown => ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
            Absent::Opening => ErrorCode::NOT_LEADER_OR_FOLLOWER,
            Absent::Failed => ErrorCode::KAFKA_STORAGE_ERROR,
        }
    }
}

/// The partitions. Invariant: a topic id that was deleted never comes back.
#[derive(Default)]
pub(crate) struct Partitions {
    slots: BTreeMap<LogKey, Slot>,
    /// How many of them are being opened.
    opening: usize,
}

impl Partitions {
    /// A partition that serves, to change it.
    pub fn online(&mut self, key: &LogKey) -> Result<&mut Partition, Absent> {
        match self.slots.get_mut(key) {
            Some(Slot::Online(partition)) if partition.log.is_offline() => Err(Absent::Failed),
            Some(Slot::Online(partition)) => Ok(partition),
            Some(Slot::Idle(_) | Slot::Opening(_)) => Err(Absent::Opening),
            Some(Slot::Failed(..)) => Err(Absent::Failed),
            None => Err(Absent::Unknown),
        }
    }

    /// A partition that serves, to look at it.
    pub fn get_online(&self, key: &LogKey) -> Result<&Partition, Absent> {
        match self.slots.get(key) {
            Some(Slot::Online(partition)) if partition.log.is_offline() => Err(Absent::Failed),
            Some(Slot::Online(partition)) => Ok(partition),
            Some(Slot::Idle(_) | Slot::Opening(_)) => Err(Absent::Opening),
            Some(Slot::Failed(..)) => Err(Absent::Failed),
            None => Err(Absent::Unknown),
        }
    }

    pub fn get_mut(&mut self, key: &LogKey) -> Option<&mut Slot> {
        self.slots.get_mut(key)
    }

    pub fn get(&self, key: &LogKey) -> Option<&Slot> {
        self.slots.get(key)
    }

    pub fn insert(&mut self, key: LogKey, slot: Slot) {
        self.opening += usize::from(slot.is_opening());
        let before = self.slots.insert(key, slot);
        self.opening -= usize::from(before.is_some_and(|slot| slot.is_opening()));
    }

    pub fn remove(&mut self, key: &LogKey) -> Option<Slot> {
        let slot = self.slots.remove(key)?;
        self.opening -= usize::from(slot.is_opening());
        Some(slot)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    pub fn iter(&self) -> impl Iterator<Item = (&LogKey, &Slot)> {
        self.slots.iter()
    }

    /// The first partitions behind `after`, at most `count`: to go round all of them in small steps.
    pub fn keys_after(&self, after: Option<LogKey>, count: usize) -> Vec<LogKey> {
        use std::ops::Bound::{Excluded, Unbounded};
        let from = after.map_or(Unbounded, Excluded);
        self.slots
            .range((from, Unbounded))
            .take(count)
            .map(|(key, _)| *key)
            .collect()
    }

    /// How many partitions there are up to this one. Looks at all of them.
    pub fn count_up_to(&self, last: LogKey) -> usize {
        self.slots.range(..=last).count()
    }

    /// How many partitions have their logs being opened.
    pub fn opening(&self) -> usize {
        self.opening
    }
}
