//! What happens by the clock: Raft's ticks, retention, syncs that are due, checkpoints.
//!
//! Nothing here looks at all partitions at once: a sweep goes round them in steps, one step an event.

use std::collections::BTreeSet;
use std::io;

use klamm_storage::sys::is_no_room;
use klamm_storage::{Compacted, LogKey};

use crate::LaneId;
use crate::disks::Disk;
use crate::hosting;
use crate::job::{CompactLog, Job};
use crate::node::{Node, Phase};
use crate::partition::Partition;
use crate::partitions::{Idle, Slot};

/// The time between two ticks of Raft.
const RAFT_TICK_MS: u64 = 100;

/// How many partitions a step of a sweep looks at.
const SWEEP_STEP: usize = 128;

/// The time between two steps of a sweep.
const SWEEP_PAUSE_MS: u64 = 2;

/// Logs that nobody needs are opened in the background, so that their retention goes on: after a clean shutdown
/// slowly and later (Kafka: `log.initial.task.delay.ms`), after a crash at once, as they have to be recovered.
const WAKE_DELAY_MS: u64 = 30_000;

/// The time between two looks for idle logs, after a clean shutdown and after a crash.
const WAKE_PAUSE_MS: [u64; 2] = [10, 2];

/// How many logs are being opened at most before another idle one is.
const WAKING_MAX: usize = 8;

/// The time between two lines in the log about how far recovery is.
const PROGRESS_MS: u64 = 5_000;

/// So soon after a sync the checkpoints are written, at the latest.
const SYNCED_CHECKPOINT_MS: u64 = 5_000;

/// Most memory for the keys of a log that is compacted; one log is at a time.
const COMPACTION_BYTES: usize = 64 << 20;

/// When what is due.
pub(crate) struct Schedule {
    raft_ms: u64,
    sweep_ms: u64,
    /// The partition behind which a sweep goes on; `None` at its beginning.
    swept: Option<LogKey>,
    /// When retention is due with the next sweep that begins; until then a sweep is for compaction.
    retain_ms: u64,
    retaining: bool,
    checkpoint_ms: u64,
    /// When to look after the log directories.
    disks_ms: u64,
    waking: Waking,
    /// The broker stops, and has too many logs to sync each.
    pub closes_many: bool,
    /// The log that is being compacted.
    compacting: Option<LogKey>,
    /// A sweep passed by logs that may have to be compacted, while it was.
    passed_by: bool,
    /// Partitions with records that have to be synced by then.
    flushes: BTreeSet<(u64, LogKey)>,
}

/// How far the opening of idle logs is.
struct Waking {
    /// When the next look is due; `u64::MAX` when all are open.
    at_ms: u64,
    /// The partition behind which to look.
    behind: Option<LogKey>,
    /// After a crash.
    recovers: bool,
    /// How many logs there are to open, since when, and when it was last told how far that is.
    logs: usize,
    since_ms: u64,
    told_ms: u64,
}

impl Schedule {
    /// Everything begins with the first event.
    pub fn new() -> Schedule {
        Schedule {
            raft_ms: 0,
            sweep_ms: 0,
            swept: None,
            retain_ms: 0,
            retaining: false,
            checkpoint_ms: 0,
            disks_ms: 0,
            waking: Waking {
                at_ms: u64::MAX,
                behind: None,
                recovers: false,
                logs: 0,
                since_ms: 0,
                told_ms: 0,
            },
            closes_many: false,
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
                .min(self.waking.at_ms)
                .min(flush_ms),
        )
    }

    /// The log directories want to be looked after by then.
    pub fn look_after_disks_at(&mut self, at_ms: u64) {
        self.disks_ms = self.disks_ms.min(at_ms);
    }

    /// Something became durable: that is worth a checkpoint soon, as the next start checks less then. Writing one
    /// looks at all partitions, so that many of them have it less often.
    pub fn synced(&mut self, now_ms: u64, partitions: usize) {
        let soon_ms = now_ms + SYNCED_CHECKPOINT_MS + partitions as u64 / 2;
        self.checkpoint_ms = self.checkpoint_ms.min(soon_ms);
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
        if self.schedule.waking.at_ms <= now_ms {
            self.wake_idle();
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

    /// The broker starts: what lies on its disks will be opened, whether somebody needs it or not.
    pub(crate) fn begin_waking(&mut self) {
        let crashed = |disk: &Disk| disk.dir.as_ref().is_some_and(|dir| dir.clean_epoch().is_none());
        let recovers = self.disks.iter().any(crashed);
        self.schedule.waking.recovers = recovers;
        let lies_there =
            |slot: &Slot| matches!(slot, Slot::Idle(Idle { points: Some(_), .. }) | Slot::Opening(_));
        let slots = self.partitions.iter().map(|(_, slot)| slot);
        self.schedule.waking.logs = slots.filter(|slot| lies_there(slot)).count();
        self.schedule.waking.at_ms = if recovers { 0 } else { WAKE_DELAY_MS };
    }

    /// One step of opening the logs that lie on the disks and that nobody has needed yet.
    pub(crate) fn wake_idle(&mut self) {
        let now_ms = self.now.elapsed_ms;
        let waking = &self.schedule.waking;
        let (recovers, behind) = (waking.recovers, waking.behind);
        if waking.at_ms == u64::MAX || (waking.at_ms > now_ms && !recovers) {
            return;
        }
        if !matches!(self.phase, Phase::Running) {
            self.schedule.waking.at_ms = u64::MAX;
            return;
        }
        self.schedule.waking.at_ms = now_ms + WAKE_PAUSE_MS[usize::from(recovers)];
        if self.partitions.opening() >= WAKING_MAX {
            return;
        }
        if recovers && now_ms >= self.schedule.waking.told_ms {
            let total = self.partitions.len();
            if self.schedule.waking.told_ms > 0 {
                let done = behind.map_or(0, |behind| self.partitions.count_up_to(behind));
                tracing::info!("recovering logs: {done} of {total} partitions are through");
            } else {
                self.schedule.waking.since_ms = now_ms;
            }
            self.schedule.waking.told_ms = now_ms + PROGRESS_MS;
        }
        let keys = self.partitions.keys_after(behind, SWEEP_STEP);
        for key in &keys {
            if matches!(self.partitions.get(key), Some(Slot::Idle(idle)) if idle.points.is_some()) {
                self.begin_opening(key);
            }
            self.schedule.waking.behind = Some(*key);
            if self.partitions.opening() >= WAKING_MAX {
                return;
            }
        }
        if keys.len() < SWEEP_STEP && self.partitions.opening() == 0 {
            self.schedule.waking.at_ms = u64::MAX;
            let Waking { logs, since_ms, .. } = self.schedule.waking;
            if recovers && logs > 0 {
                let took_ms = now_ms - since_ms;
                tracing::info!(
                    "recovered {logs} logs in {}.{} s",
                    took_ms / 1000,
                    took_ms % 1000 / 100
                );
            }
            // Those that were opened have not been looked after yet.
            self.schedule.sweep_ms = now_ms;
            self.schedule.retain_ms = now_ms;
        }
    }

    /// One step of going round all partitions: retention, producers that nobody has heard of for long, compaction.
    fn sweep(&mut self) {
        let config = &self.config.log;
        let retain_every_ms = config.retention_check_interval_ms.max(1);
        if self.schedule.swept.is_none() {
            let now_ms = self.now.elapsed_ms;
            self.schedule.retaining = self.schedule.retain_ms <= now_ms;
            if self.schedule.retaining {
                self.schedule.retain_ms = now_ms + retain_every_ms;
            }
        }
        let compacts = config.cleaner_enable;
        let memory_bytes = config.cleaner_dedupe_buffer_bytes.min(COMPACTION_BYTES);
        let keys = self.partitions.keys_after(self.schedule.swept, SWEEP_STEP);
        let done = keys.len() < SWEEP_STEP;
        let pause_ms = if done {
            // Before either is due again there is nothing to see.
            let left_ms = self.schedule.retain_ms.saturating_sub(self.now.elapsed_ms);
            let backoff_ms = if compacts {
                config.cleaner_backoff_ms
            } else {
                u64::MAX
            };
            left_ms.min(backoff_ms).max(1)
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
            if self.schedule.retaining {
                partition.retain(self.now.unix_ms, jobs);
            }
            if !compacts {
                continue;
            }
            self.schedule.passed_by |= self.schedule.compacting.is_some() && partition.config.cleanup_compact;
            if self.schedule.compacting.is_none()
                && !short.contains(&partition.lane)
                && let Some(job) = partition.compact(self.now.unix_ms, memory_bytes)
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
