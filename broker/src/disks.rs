//! The log directories of this broker: which have failed, what their checkpoints are to say, and which logs wait
//! for a checkpoint before they may be created.
//!
//! Checkpoints name logs by topic name and partition, and a name can be given to another topic. What a checkpoint
//! says about the old one must never be believed of the new one: so a log whose name a checkpoint knows is
//! created only after a checkpoint without the name is on the disk, and after the old log has left its directory.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use klamm_storage::checkpoint::Offsets;
use klamm_storage::log_dir::{FoundLog, LogDir};
use klamm_storage::{LaneDone, Log, LogKey};

use crate::LaneId;
use crate::job::{Job, OpenLog, WriteCheckpoints};
use crate::node::Node;
use crate::partitions::Slot;

/// A log directory.
pub(crate) struct Disk {
    pub lane: LaneId,
    pub path: PathBuf,
    /// The directory in use; `None` where the disk failed at the start.
    pub dir: Option<Arc<LogDir>>,
    /// The disk failed: nothing new goes there, and what was there does not serve.
    pub failed: bool,
    /// Partitions that lie in it.
    pub partitions: usize,
    /// Logs whose names the checkpoints on the disk know.
    named: BTreeSet<(String, i32)>,
    /// What the checkpoints said about logs that are not open yet.
    unopened: BTreeMap<(String, i32), Points>,
    /// Checkpoints are being written.
    writing: bool,
    /// Logs that jobs are opening.
    opening: BTreeSet<(String, i32)>,
    /// Logs that were found at the start and that nobody has claimed: their directories have these names.
    unclaimed: BTreeSet<(String, i32)>,
    /// Logs that cannot be created yet, because another one had their name.
    held: Vec<OpenLog>,
}

/// A log that is being removed.
pub(crate) struct Removing {
    lane: LaneId,
    name: (String, i32),
    log: Log,
}

/// What the checkpoints say about one log; 0 where they say nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Points {
    pub recovery_point: i64,
    pub log_start_offset: i64,
    pub high_watermark: i64,
}

/// A log that was found on a disk at the start, and what the checkpoints say about it.
pub(crate) struct Found {
    pub lane: LaneId,
    pub log: FoundLog,
    pub points: Points,
}

impl Disk {
    pub fn new(
        lane: LaneId,
        path: PathBuf,
        dir: Option<LogDir>,
        points: &BTreeMap<(String, i32), Points>,
    ) -> Disk {
        Disk {
            lane,
            path,
            failed: dir.is_none(),
            dir: dir.map(Arc::new),
            partitions: 0,
            named: points.keys().cloned().collect(),
            unopened: points.clone(),
            writing: false,
            opening: BTreeSet::new(),
            unclaimed: BTreeSet::new(),
            held: Vec::new(),
        }
    }

    /// A log is open, or cannot be: from now on it speaks for itself.
    pub fn opened(&mut self, name: &(String, i32)) {
        self.unopened.remove(name);
        self.opening.remove(name);
    }

    /// A log lies there, whoever it belongs to.
    pub fn found(&mut self, log: &FoundLog) {
        self.unclaimed.insert((log.topic.clone(), log.partition));
    }

    /// A log that lay there belongs to a topic of the cluster.
    pub fn claimed(&mut self, log: &FoundLog) {
        self.unclaimed.remove(&(log.topic.clone(), log.partition));
    }

    /// Whether nothing is being written here any more.
    pub fn is_idle(&self) -> bool {
        !self.writing
    }
}

impl Node {
    /// Opens a log by a job. A `fresh` one is created, once nothing is left of an older log of its name.
    pub(crate) fn open_by_job(&mut self, fresh: bool, job: OpenLog) {
        let lane = job.lane;
        if !fresh {
            self.disk_mut(lane).opening.insert(job.name.clone());
            return self.push_job(Job::OpenLog(job));
        }
        self.disk_mut(lane).held.push(job);
        self.release_held(lane);
    }

    /// Creates the logs whose names are free now.
    pub(crate) fn release_held(&mut self, lane: LaneId) {
        let leaving: BTreeSet<&(String, i32)> = self
            .removing
            .values()
            .filter(|log| log.lane == lane)
            .map(|log| &log.name)
            .collect();
        let disk = self
            .disks
            .iter_mut()
            .find(|disk| disk.lane == lane)
            .expect("a lane of a log directory");
        let mut free = Vec::new();
        let mut known = false;
        for job in std::mem::take(&mut disk.held) {
            known |= disk.named.contains(&job.name);
            let taken = leaving.contains(&job.name)
                || disk.opening.contains(&job.name)
                || disk.unclaimed.contains(&job.name);
            if taken || disk.named.contains(&job.name) {
                disk.held.push(job);
            } else {
                disk.opening.insert(job.name.clone());
                free.push(job);
            }
        }
        let must_write = known && !disk.writing;
        for job in free {
            self.push_job(Job::OpenLog(job));
        }
        if must_write {
            self.write_checkpoints(lane, None);
        }
    }

    /// Removes a log and its files. Until its lane is done with it, what comes back about it goes to it.
    pub(crate) fn delete_log(&mut self, key: LogKey, lane: LaneId, name: (String, i32), mut log: Log) {
        if let Some(dir) = self.disk_mut(lane).dir.clone() {
            log.delete(dir.delete_path(&name.0, key), self.out.lane(lane));
            self.removing.insert(key, Removing { lane, name, log });
        }
    }

    /// A lane has done something about a log that is being removed.
    pub(crate) fn on_removing(&mut self, key: LogKey, done: LaneDone) {
        let Some(Removing { lane, log, .. }) = self.removing.get_mut(&key) else {
            return;
        };
        let lane = *lane;
        let progress = log.on_done(done, self.out.lane(lane));
        if log.is_deleted() || log.is_offline() {
            self.removing.remove(&key);
            self.release_held(lane);
        }
        if progress.offline {
            self.on_disk_failed(lane);
        }
    }

    /// A log that no topic owns was put aside, or could not be.
    pub(crate) fn on_put_aside(&mut self, lane: LaneId, log: &FoundLog, result: io::Result<()>) {
        match result {
            Ok(()) => {
                self.disk_mut(lane).claimed(log);
                self.release_held(lane);
            }
            Err(error) => {
                tracing::error!(path = %log.path.display(), %error, "a log cannot be put aside");
                self.on_disk_failed(lane);
            }
        }
    }

    /// Writes the checkpoints of every directory.
    pub(crate) fn checkpoint(&mut self) {
        let idle = self.disks.iter().filter(|disk| !disk.failed && !disk.writing);
        for lane in idle.map(|disk| disk.lane).collect::<Vec<_>>() {
            self.write_checkpoints(lane, None);
        }
    }

    /// Writes the checkpoints of a directory, and with `clean` the marker of a clean shutdown behind them.
    pub(crate) fn write_checkpoints(&mut self, lane: LaneId, clean: Option<i64>) {
        let disk = self.disk_mut(lane);
        for job in &disk.held {
            disk.unopened.remove(&job.name);
        }
        let mut points = disk.unopened.clone();
        let mut keys = Vec::new();
        for (key, slot) in self.partitions.iter() {
            if let Slot::Online(partition) = slot
                && partition.lane == lane
            {
                let now = Points {
                    recovery_point: partition.log.recovery_point(),
                    log_start_offset: partition.log.log_start_offset(),
                    high_watermark: partition.high_watermark(),
                };
                keys.push((*key, now.recovery_point));
                points.insert((partition.topic.to_string(), key.partition), now);
            }
        }
        let disk = self.disk_mut(lane);
        let Some(dir) = disk.dir.clone() else { return };
        disk.writing = true;
        disk.named = points.keys().cloned().collect();
        let offsets = |of: fn(&Points) -> i64| -> Offsets {
            points
                .iter()
                .map(|(name, points)| (name.clone(), of(points)))
                .collect()
        };
        let job = WriteCheckpoints {
            lane,
            dir,
            keys,
            recovery_points: offsets(|points| points.recovery_point),
            log_starts: offsets(|points| points.log_start_offset),
            high_watermarks: offsets(|points| points.high_watermark),
            clean,
        };
        self.push_job(Job::WriteCheckpoints(job));
    }

    /// Checkpoints are written, or cannot be.
    pub(crate) fn on_checkpointed(&mut self, lane: LaneId, result: io::Result<Vec<(LogKey, i64)>>) {
        let disk = self.disk_mut(lane);
        disk.writing = false;
        match result {
            Ok(keys) => {
                for (key, recovery_point) in keys {
                    if let Ok(partition) = self.partitions.online(&key) {
                        partition.log.on_checkpointed(recovery_point, self.out.lane(lane));
                    }
                }
                self.release_held(lane);
            }
            Err(error) => {
                tracing::error!(dir = %disk.path.display(), %error, "the checkpoints cannot be written");
                self.on_disk_failed(lane);
            }
        }
        self.go_on_stopping();
    }

    /// Logs in a failed directory that were to be created there.
    pub(crate) fn take_held(&mut self, lane: LaneId) -> Vec<LogKey> {
        std::mem::take(&mut self.disk_mut(lane).held)
            .into_iter()
            .map(|job| job.key)
            .collect()
    }

    pub(crate) fn disk_mut(&mut self, lane: LaneId) -> &mut Disk {
        self.disks
            .iter_mut()
            .find(|disk| disk.lane == lane)
            .expect("every lane but the metadata's has a disk")
    }
}
