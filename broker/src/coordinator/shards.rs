//! What all coordinators have in common: a shard for each partition of an internal topic that this broker leads.
//! A shard is loaded from its partition's log, writes what it decides into it, and speaks once that is committed.

use std::collections::BTreeMap;

use klamm_protocol::record::{Batch, RecordsError};
use klamm_protocol::{DecodeError, ErrorCode};

use super::outbox::Outbox;
use crate::Now;

/// Why a partition of a coordinator's topic cannot be loaded.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub(crate) enum LoadError {
    /// A batch cannot be read.
    #[error("the batch at offset {offset} cannot be read: {source}")]
    Batch {
        /// Base offset of the batch.
        offset: i64,
        /// What is wrong with it.
        source: RecordsError,
    },
    /// A record is not what its key says.
    #[error("the record at offset {offset} cannot be read: {source}")]
    Record {
        /// Offset of the record.
        offset: i64,
        /// What is wrong with it.
        source: DecodeError,
    },
}

/// One go at loading a partition. A later one of the same partition makes it void, so that reads of the log which
/// come late do no harm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LoadId {
    partition: i32,
    sequence: u64,
}

/// One partition of a coordinator's topic as a state machine: records and time in, records and replies out.
pub(crate) trait Shard {
    /// What it has to say to somebody.
    type Reply;

    /// Takes over what a batch of the log says. Batches come in the order of the log.
    ///
    /// # Errors
    /// When it is damaged. The shard is of no use then.
    fn replay(&mut self, batch: &Batch) -> Result<(), LoadError>;

    /// The log is read up to its end at `log_end_offset`: timers begin, and requests may come. `leader_epoch` is
    /// that of the partition.
    fn start(&mut self, now: Now, log_end_offset: i64, leader_epoch: i32);

    /// When something is due.
    fn next_deadline_ms(&self) -> Option<u64>;

    /// Does everything that is due.
    fn tick(&mut self, now: Now);

    /// What it has said.
    fn outbox(&mut self) -> &mut Outbox<Self::Reply>;

    /// Ends it: everybody who waits is refused with `error`.
    fn refuse_all(self, error: ErrorCode) -> Vec<Self::Reply>;
}

/// A partition that this broker coordinates.
#[derive(Debug)]
pub(super) enum Slot<S> {
    /// Its log is being read.
    Loading(LoadId, S),
    /// It serves.
    Active(S),
}

/// The shards of a coordinator, by partition.
#[derive(Debug)]
pub(crate) struct Shards<S> {
    pub(super) slots: BTreeMap<i32, Slot<S>>,
    next_load: u64,
}

impl<S: Shard> Shards<S> {
    pub(super) fn new() -> Shards<S> {
        Shards {
            slots: BTreeMap::new(),
            next_load: 0,
        }
    }

    /// The shard of a partition.
    ///
    /// # Errors
    /// COORDINATOR_LOAD_IN_PROGRESS, NOT_COORDINATOR.
    pub(super) fn active(&mut self, partition: i32) -> Result<&mut S, ErrorCode> {
        match self.slots.get_mut(&partition) {
            Some(Slot::Active(shard)) => Ok(shard),
            Some(Slot::Loading(..)) => Err(ErrorCode::COORDINATOR_LOAD_IN_PROGRESS),
            None => Err(ErrorCode::NOT_COORDINATOR),
        }
    }

    pub(super) fn all_active(&mut self) -> impl Iterator<Item = &mut S> {
        self.slots.values_mut().filter_map(|slot| match slot {
            Slot::Active(shard) => Some(shard),
            Slot::Loading(..) => None,
        })
    }

    /// What may be said now, and the batches to be appended, by partition.
    pub(super) fn drain(&mut self, batch_bytes_max: usize) -> (Vec<S::Reply>, Vec<(i32, Batch)>) {
        let mut replies = Vec::new();
        let mut batches = Vec::new();
        for (partition, slot) in &mut self.slots {
            let Slot::Active(shard) = slot else { continue };
            let outbox = shard.outbox();
            replies.extend(std::iter::from_fn(|| outbox.take_reply()));
            let taken = std::iter::from_fn(|| outbox.take_batch(batch_bytes_max));
            batches.extend(taken.map(|batch| (*partition, batch)));
        }
        (replies, batches)
    }

    fn loading(&mut self, load: LoadId) -> Option<&mut S> {
        match self.slots.get_mut(&load.partition) {
            Some(Slot::Loading(current, shard)) if *current == load => Some(shard),
            _ => None,
        }
    }
}

/// A coordinator, to those who load its shards and tell it what becomes of its batches.
///
/// ```text
/// leader of a partition        start_loading, load_batch.., loaded or load_failed
/// a batch was appended         appended; could not be: failed, then start_loading again
/// high watermark moved         committed
/// not leader any more          unloaded
/// next_deadline_ms has come    tick
/// ```
pub(crate) trait Sharded {
    /// One of its partitions.
    type Shard: Shard;

    /// All of them.
    fn shards(&mut self) -> &mut Shards<Self::Shard>;

    /// The same, to look at.
    fn get_shards(&self) -> &Shards<Self::Shard>;

    /// A shard that has not read its log yet.
    fn new_shard(&mut self) -> Self::Shard;

    /// Passes on what a shard has said.
    fn let_out(&mut self, reply: <Self::Shard as Shard>::Reply);

    /// The partition is led by this broker now; its log will be read.
    fn start_loading(&mut self, partition: i32) -> LoadId {
        self.unloaded(partition);
        let shard = self.new_shard();
        let shards = self.shards();
        let load = LoadId {
            partition,
            sequence: shards.next_load,
        };
        shards.next_load += 1;
        shards.slots.insert(partition, Slot::Loading(load, shard));
        load
    }

    /// Reads a batch of the partition's log. Batches come in order, all below the log end offset.
    ///
    /// # Errors
    /// When it cannot be read. The partition then has no coordinator, as after [`failed`](Self::failed).
    fn load_batch(&mut self, load: LoadId, batch: &Batch) -> Result<(), LoadError> {
        let Some(shard) = self.shards().loading(load) else {
            return Ok(());
        };
        let replayed = shard.replay(batch);
        if replayed.is_err() {
            self.failed(load.partition);
        }
        replayed
    }

    /// All of the log below `log_end_offset` has been read: the partition serves from now on.
    fn loaded(&mut self, now: Now, load: LoadId, log_end_offset: i64, leader_epoch: i32) {
        let shards = self.shards();
        if shards.loading(load).is_some()
            && let Some(Slot::Loading(_, mut shard)) = shards.slots.remove(&load.partition)
        {
            shard.start(now, log_end_offset, leader_epoch);
            shards.slots.insert(load.partition, Slot::Active(shard));
        }
    }

    /// The log could not be read. True if this is the load that counts: only then is there reason to try again.
    fn load_failed(&mut self, load: LoadId) -> bool {
        let counts = self.shards().loading(load).is_some();
        if counts {
            self.failed(load.partition);
        }
        counts
    }

    /// The partition is not led by this broker any more: it is served elsewhere.
    fn unloaded(&mut self, partition: i32) {
        let removed = self.shards().slots.remove(&partition);
        let Some(Slot::Loading(_, shard) | Slot::Active(shard)) = removed else {
            return;
        };
        for reply in shard.refuse_all(ErrorCode::NOT_COORDINATOR) {
            self.let_out(reply);
        }
    }

    /// An append to the log failed. What the shard has told nobody yet is forgotten;
    /// to serve again it has to be loaded again.
    fn failed(&mut self, partition: i32) {
        self.unloaded(partition);
    }

    /// The oldest batch of the partition that was not yet reported has been appended, up to `last_offset`.
    fn appended(&mut self, partition: i32, last_offset: i64) {
        if let Ok(shard) = self.shards().active(partition) {
            shard.outbox().appended(last_offset);
        }
    }

    /// The high watermark of the partition is there now.
    fn committed(&mut self, partition: i32, high_watermark: i64) {
        if let Ok(shard) = self.shards().active(partition) {
            shard.outbox().committed(high_watermark);
        }
    }

    /// Does what is due. Call it at [`next_deadline_ms`](Self::next_deadline_ms) or soon after.
    fn tick(&mut self, now: Now) {
        for shard in self.shards().all_active() {
            shard.tick(now);
        }
    }

    /// When [`tick`](Self::tick) has something to do, in [`Now::elapsed_ms`].
    fn next_deadline_ms(&self) -> Option<u64> {
        let deadlines = self.get_shards().slots.values().filter_map(|slot| match slot {
            Slot::Active(shard) => shard.next_deadline_ms(),
            Slot::Loading(..) => None,
        });
        deadlines.min()
    }
}
