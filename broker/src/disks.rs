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

use klamm_storage::log_dir::{FoundLog, LogDir};
use klamm_storage::sys::is_no_room;
use klamm_storage::{LaneDone, Log, LogKey};

use crate::LaneId;
use crate::job::{Job, OpenLog, RemoveLog, WriteCheckpoints};
use crate::node::{Node, Phase};
use crate::partitions::Slot;
use crate::room::Room;

/// Topic and partition: what a log's directory is called.
pub(crate) type LogName = (String, i32);

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
    /// What the checkpoints said about logs that are not open yet.
    unopened: Arc<BTreeMap<LogName, Points>>,
    /// Names whose directories somebody works on: to open them or to remove them.
    taken: BTreeSet<LogName>,
    /// Names of logs that are gone and that the checkpoints on the disk may still tell of.
    stale: BTreeSet<LogName>,
    /// The same, while checkpoints without them are being written.
    clearing: BTreeSet<LogName>,
    /// Checkpoints are being written.
    writing: bool,
    /// Logs that were found at the start and that nobody has claimed: their directories have these names.
    unclaimed: BTreeSet<LogName>,
    /// Logs that cannot be created yet, because another one had their name.
    held: Vec<OpenLog>,
    /// How much room there is; see [`crate::room`].
    pub room: Room,
    /// A job looks after it.
    pub looking: bool,
    /// Logs that have something to do that found no room.
    pub waiting: BTreeSet<LogKey>,
    /// Logs that could not be opened for want of room.
    pub postponed: Vec<OpenLog>,
}

/// A log that is being removed.
pub(crate) struct Removing {
    lane: LaneId,
    name: LogName,
    pub log: Log,
}

/// What the checkpoints say about one log; 0 where they say nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Points {
    pub recovery_point: i64,
    pub log_start_offset: i64,
    pub high_watermark: i64,
    pub compacted_to: i64,
}

/// A log that was found on a disk at the start.
pub(crate) struct Found {
    pub lane: LaneId,
    pub log: FoundLog,
}

impl Disk {
    /// A directory with the checkpoints that were read in it, and the names of the logs that were found.
    pub fn new(
        lane: LaneId,
        path: PathBuf,
        dir: Option<LogDir>,
        mut points: BTreeMap<LogName, Points>,
        found: &BTreeSet<LogName>,
    ) -> Disk {
        let stale = points
            .keys()
            .filter(|name| !found.contains(*name))
            .cloned()
            .collect();
        points.retain(|name, _| found.contains(name));
        Disk {
            lane,
            path,
            failed: dir.is_none(),
            dir: dir.map(Arc::new),
            partitions: 0,
            unopened: Arc::new(points),
            taken: BTreeSet::new(),
            stale,
            clearing: BTreeSet::new(),
            writing: false,
            unclaimed: BTreeSet::new(),
            held: Vec::new(),
            room: Room::Ample { held: false },
            looking: false,
            waiting: BTreeSet::new(),
            postponed: Vec::new(),
        }
    }

    /// Nobody works on the directory of this log any more. One that is open speaks for itself from now on. Of one
    /// that is not, the checkpoints go on to say what they said: how much of it was durable must not be forgotten
    /// only because it is damaged.
    pub fn opened(&mut self, name: &LogName, is_open: bool) {
        self.taken.remove(name);
        if is_open {
            self.forget_points(name);
        }
    }

    /// A log goes out of service: the checkpoints go on to say this of it.
    pub fn closed(&mut self, name: LogName, points: Points) {
        Arc::make_mut(&mut self.unopened).insert(name, points);
    }

    /// What the checkpoints said about a log that is not open yet.
    pub fn points(&self, name: &LogName) -> Points {
        self.unopened.get(name).copied().unwrap_or_default()
    }

    fn forget_points(&mut self, name: &LogName) {
        if self.unopened.contains_key(name) {
            Arc::make_mut(&mut self.unopened).remove(name);
        }
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

    /// Whether nothing is left of an older log of this name.
    fn is_free(&self, name: &LogName) -> bool {
        [&self.taken, &self.unclaimed, &self.stale, &self.clearing]
            .iter()
            .all(|names| !names.contains(name))
    }
}

impl Node {
    /// Opens a log by a job. A `fresh` one is created, once nothing is left of an older log of its name.
    pub(crate) fn open_by_job(&mut self, fresh: bool, job: OpenLog) {
        let lane = job.lane;
        let disk = self.disk_mut(lane);
        if fresh && !disk.is_free(&job.name) {
            disk.held.push(job);
            return self.release_held(lane);
        }
        disk.taken.insert(job.name.clone());
        self.push_job(Job::OpenLog(job));
    }

    /// Creates the logs whose names are free now.
    fn release_held(&mut self, lane: LaneId) {
        let disk = self.disk_mut(lane);
        let mut stale = false;
        for job in std::mem::take(&mut disk.held) {
            let disk = self.disk_mut(lane);
            stale |= disk.stale.contains(&job.name);
            if disk.is_free(&job.name) {
                disk.taken.insert(job.name.clone());
                self.push_job(Job::OpenLog(job));
            } else {
                disk.held.push(job);
            }
        }
        if stale && self.disk_mut(lane).is_idle() {
            self.write_checkpoints(lane, None);
        }
    }

    /// Nobody works on a directory any more.
    pub(crate) fn release(&mut self, lane: LaneId, name: &LogName) {
        self.disk_mut(lane).taken.remove(name);
        self.release_held(lane);
    }

    /// Removes a log and its files. Until its lane is done with it, what comes back about it goes to it.
    pub(crate) fn delete_log(&mut self, key: LogKey, lane: LaneId, name: LogName, mut log: Log) {
        let disk = self.disk_mut(lane);
        if let Some(dir) = disk.dir.clone() {
            disk.taken.insert(name.clone());
            disk.stale.insert(name.clone());
            log.delete(dir.delete_path(&name.0, key), self.out.lane(lane));
            self.removing.insert(key, Removing { lane, name, log });
        }
    }

    /// A lane has done something about a log that is being removed.
    pub(crate) fn on_removing(&mut self, key: LogKey, done: LaneDone) {
        let Some(mut removing) = self.removing.remove(&key) else {
            return;
        };
        let lane = removing.lane;
        let progress = removing.log.on_done(done, self.out.lane(lane));
        let offline = removing.log.offline_reason().map(str::to_owned);
        if removing.log.is_deleted() || offline.is_some() {
            self.release(lane, &removing.name);
        } else {
            self.removing.insert(key, removing);
        }
        if progress.no_room {
            self.on_put_off(lane, key);
        }
        if let Some(reason) = offline.filter(|_| progress.offline) {
            self.on_disk_failed(lane, &reason);
        }
    }

    /// Removes the files of a log that is not open, because it is damaged or there was no room to open it.
    pub(crate) fn remove_unopened(&mut self, key: LogKey, lane: LaneId, name: LogName) {
        let disk = self.disk_mut(lane);
        disk.postponed.retain(|job| job.key != key);
        if let Some(dir) = disk.dir.clone().filter(|_| !disk.failed) {
            disk.forget_points(&name);
            disk.stale.insert(name.clone());
            disk.taken.insert(name.clone());
            self.push_job(Job::RemoveLog(RemoveLog { lane, dir, name, key }));
        }
    }

    /// The files of a log that was not open are gone, or cannot be removed.
    pub(crate) fn on_log_removed(&mut self, lane: LaneId, name: &LogName, result: io::Result<()>) {
        self.release(lane, name);
        match result {
            Err(error) if is_no_room(&error) => self.on_no_room(lane),
            Err(error) => self.on_disk_failed(lane, &error.to_string()),
            Ok(()) => {}
        }
    }

    /// A log that no topic owns was put aside, or could not be.
    pub(crate) fn on_put_aside(&mut self, lane: LaneId, log: &FoundLog, result: io::Result<()>) {
        match result {
            Ok(()) => {
                let name = (log.topic.clone(), log.partition);
                let disk = self.disk_mut(lane);
                disk.claimed(log);
                disk.forget_points(&name);
                disk.stale.insert(name);
                self.release_held(lane);
            }
            // The next start tries again.
            Err(error) if is_no_room(&error) => self.on_no_room(lane),
            Err(error) => self.on_disk_failed(lane, &format!("{}: {error}", log.path.display())),
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
        let mut open = Vec::new();
        let mut bounded = Vec::new();
        for (key, slot) in self.partitions.iter() {
            if let Slot::Online(partition) = slot
                && partition.lane == lane
            {
                let points = partition.points();
                if partition.log.is_recovery_bounded() {
                    bounded.push((*key, points.recovery_point));
                }
                open.push((partition.topic.clone(), key.partition, points));
            }
        }
        // Logs may have been closed without syncing them.
        let sync_first = !matches!(self.phase, Phase::Running);
        let disk = self.disk_mut(lane);
        let Some(dir) = disk.dir.clone() else { return };
        disk.writing = true;
        disk.clearing = std::mem::take(&mut disk.stale);
        let unopened = Arc::clone(&disk.unopened);
        self.push_job(Job::WriteCheckpoints(WriteCheckpoints {
            lane,
            dir,
            unopened,
            open,
            bounded,
            sync_first,
            clean,
        }));
    }

    /// Checkpoints are written, or cannot be. `bounded` are logs that wait for theirs, and what it says.
    pub(crate) fn on_checkpointed(&mut self, lane: LaneId, result: io::Result<Vec<(LogKey, i64)>>) {
        let disk = self.disk_mut(lane);
        disk.writing = false;
        let mut cleared = std::mem::take(&mut disk.clearing);
        match result {
            Ok(bounded) => {
                for (key, recovery_point) in bounded {
                    if let Ok(partition) = self.partitions.online(&key) {
                        partition.log.on_checkpointed(recovery_point, self.out.lane(lane));
                    }
                }
                self.release_held(lane);
            }
            Err(error) if is_no_room(&error) => {
                disk.stale.append(&mut cleared);
                self.on_no_room(lane);
            }
            Err(error) => self.on_disk_failed(lane, &format!("checkpoints: {error}")),
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
