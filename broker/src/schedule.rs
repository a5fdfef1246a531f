//! What happens by the clock: Raft's ticks, retention, syncs that are due, checkpoints.
//!
//! Nothing here looks at all partitions at once: a sweep goes round them in steps, one step an event.

use std::collections::BTreeSet;
use std::io;

use klamm_storage::sys::is_no_room;
use klamm_storage::{Compacted, LogKey};

use crate::LaneId;
use crate::hosting;
use crate::job::{CompactLog, Job};
use crate::node::Node;
use crate::partition::Partition;
use crate::partitions::Slot;

/// The time between two ticks of Raft.
const RAFT_TICK_MS: u64 = 100;

/// How many partitions a step of a sweep looks at.
const SWEEP_STEP: usize = 128;

/// The time between two steps of a sweep.
const SWEEP_PAUSE_MS: u64 = 2;

/// Memory for the keys of a log that is compacted; one log is at a time.
const COMPACTION_BYTES: usize = 64 << 20;

/// When what is due.
pub(crate) struct Schedule {
    raft_ms: u64,
    sweep_ms: u64,
    /// The partition behind which a sweep goes on; `None` at its beginning.
    swept: Option<LogKey>,
    checkpoint_ms: u64,
    /// When to look after the log directories.
    disks_ms: u64,
    /// The log that is being compacted.
    compacting: Option<LogKey>,
    /// A sweep passed by logs that may have to be compacted, while it was.
    passed_by: bool,
    /// Partitions with records that have to be synced by then.
    flushes: BTreeSet<(u64, LogKey)>,
}

impl Schedule {
    /// Everything begins with the first event.
    pub fn new() -> Schedule {
        Schedule {
            raft_ms: 0,
            sweep_ms: 0,
            swept: None,
            checkpoint_ms: 0,
            disks_ms: 0,
            compacting: None,
            passed_by: false,
            flushes: BTreeSet::new(),
        }
    }

    pub fn next_deadline_ms(&self) -> Option<u64> {
        let flush_ms = self.flushes.first().map_or(u64::MAX, |(deadline, _)| *deadline);
        Some(
            self.raft_ms
                .min(self.sweep_ms)
                .min(self.checkpoint_ms)
                .min(self.disks_ms)
                .min(flush_ms),
        )
    }

    /// The log directories want to be looked after by then.
    pub fn look_after_disks_at(&mut self, at_ms: u64) {
        self.disks_ms = self.disks_ms.min(at_ms);
    }

    /// A partition was appended to: where its topic has `flush.ms`, a sync becomes due.
    pub fn appended(&mut self, key: LogKey, partition: &mut Partition, now_ms: u64) {
        if let Some(flush_ms) = partition.config.flush_ms
            && !std::mem::replace(&mut partition.flush_scheduled, true)
        {
            self.flushes.insert((now_ms.saturating_add(flush_ms), key));
        }
    }
}

impl Node {
    pub(crate) fn run_schedule(&mut self) {
        let now_ms = self.now.elapsed_ms;
        if self.schedule.raft_ms <= now_ms {
            self.schedule.raft_ms = now_ms + RAFT_TICK_MS;
            self.cluster.tick();
            self.register();
        }
        hosting::tick(self);
        while let Some(&(deadline_ms, key)) = self.schedule.flushes.first()
            && deadline_ms <= now_ms
        {
            self.schedule.flushes.pop_first();
            if let Ok(partition) = self.partitions.online(&key) {
                partition.flush_scheduled = false;
                partition.log.flush(self.out.lane(partition.lane));
            }
        }
        if self.schedule.disks_ms <= now_ms {
            self.schedule.disks_ms = self.look_after_disks();
        }
        if self.schedule.sweep_ms <= now_ms {
            self.sweep();
        }
        if self.schedule.checkpoint_ms <= now_ms {
            let first = self.schedule.checkpoint_ms == 0;
            self.schedule.checkpoint_ms = now_ms + self.config.log.recovery_checkpoint_interval_ms.max(1_000);
            if !first {
                self.checkpoint();
            }
        }
    }

    /// One step of going round all partitions: retention, and producers that nobody has heard of for long.
    fn sweep(&mut self) {
        let keys = self.partitions.keys_after(self.schedule.swept, SWEEP_STEP);
        let done = keys.len() < SWEEP_STEP;
        let pause_ms = if done {
            self.config.log.retention_check_interval_ms.max(1)
        } else {
            SWEEP_PAUSE_MS
        };
        self.schedule.sweep_ms = self.now.elapsed_ms + pause_ms;
        self.schedule.swept = if done { None } else { keys.last().copied() };
        // Compaction takes room before it gives any.
        let short = self.disks.iter().filter(|disk| !disk.room.is_ample());
        let short: Vec<LaneId> = short.map(|disk| disk.lane).collect();
        for key in keys {
            let Some(Slot::Online(partition)) = self.partitions.get_mut(&key) else {
                continue;
            };
            let jobs = self.out.lane(partition.lane);
            partition.retain(self.now.unix_ms, jobs);
            self.schedule.passed_by |= self.schedule.compacting.is_some() && partition.config.cleanup_compact;
            if self.schedule.compacting.is_none()
                && !short.contains(&partition.lane)
                && let Some(job) = partition.compact(self.now.unix_ms, COMPACTION_BYTES)
            {
                self.schedule.compacting = Some(key);
                let lane = partition.lane;
                self.out.job(Job::Compact(CompactLog { key, lane, job }));
            }
        }
    }

    /// A compaction is through. Its log may be gone meanwhile.
    pub(crate) fn on_compacted(&mut self, key: LogKey, result: io::Result<Compacted>) {
        self.schedule.compacting = None;
        if std::mem::take(&mut self.schedule.passed_by) && result.is_ok() {
            self.schedule.sweep_ms = self.schedule.sweep_ms.min(self.now.elapsed_ms + SWEEP_PAUSE_MS);
        }
        let Some(Slot::Online(partition)) = self.partitions.get_mut(&key) else {
            return;
        };
        match result {
            Ok(compacted) => {
                let jobs = self.out.lane(partition.lane);
                partition.log.on_compacted(compacted, jobs);
            }
            Err(error) => {
                let damaged = error.kind() == io::ErrorKind::InvalidData;
                partition.log.on_compaction_failed(damaged);
                let (lane, name) = (partition.lane, crate::partition::name(&partition.topic, key));
                match error.kind() {
                    io::ErrorKind::InvalidData => {
                        tracing::error!(partition = %name, %error, "the log is damaged, and is not compacted any more");
                    }
                    // Retention was quicker.
                    io::ErrorKind::NotFound | io::ErrorKind::UnexpectedEof => {}
                    _ if is_no_room(&error) => {
                        tracing::warn!(partition = %name, %error, "no room to compact the log");
                    }
                    _ => self.on_disk_failed(lane, &error.to_string()),
                }
            }
        }
    }
}
