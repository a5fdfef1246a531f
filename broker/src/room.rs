//! A full disk is a state and no failure.
//!
//! Each log directory holds a little of its disk in reserve (`klamm.reserve.bytes`). When something finds no room
//! there, records of producers are refused (KAFKA_STORAGE_ERROR, which they try again), and half of the reserve is
//! given back: metadata, checkpoints, deletions and the offsets of groups go on. When that is used up too, the rest
//! is given back and the groups stop, so that topics can be deleted to the last. Reads go on all the time.
//!
//! As soon as the whole reserve can be taken again, and some more, everything is as before. The same look finds
//! directories that were taken away under us.

use std::io;

use klamm_storage::LogKey;

use crate::LaneId;
use crate::hosting;
use crate::job::{Job, LookAfter, Reserve};
use crate::node::Node;
use crate::partitions::{Slot, Why};

/// How long to wait before the reserve is given back: what was on its way to the disk must not eat it up.
const GIVE_AFTER_MS: u64 = 200;
/// How often a full disk is looked after.
const SHORT_INTERVAL_MS: u64 = 1_000;
/// How often any other.
const INTERVAL_MS: u64 = 5_000;

/// Said once, when it begins.
pub(crate) const NO_ROOM: &str =
    "the log directory has no room left: producers are refused until there is some";

/// How much room a log directory has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Room {
    /// Enough. `held`: the reserve is taken; else nobody has tried yet.
    Ample { held: bool },
    /// None for records of producers. `halves` of the reserve are held: 2, 1 or 0.
    Short { halves: u8 },
    /// None for anything that can wait.
    Out,
}

impl Room {
    /// Whether records of producers are taken.
    pub fn is_ample(self) -> bool {
        matches!(self, Room::Ample { .. })
    }

    /// Bytes that are held of a reserve.
    fn held(self, reserve: u64) -> u64 {
        match self {
            Room::Ample { held: true } => reserve,
            Room::Short { halves } => reserve / 2 * u64::from(halves),
            Room::Ample { held: false } | Room::Out => 0,
        }
    }
}

impl Node {
    /// Something found no room in a log directory.
    pub(crate) fn on_no_room(&mut self, lane: LaneId) {
        let soon_ms = self.now.elapsed_ms + GIVE_AFTER_MS;
        let disk = self.disk_mut(lane);
        if disk.failed {
            return;
        }
        match disk.room {
            Room::Ample { .. } => {
                disk.room = Room::Short { halves: 2 };
                tracing::error!(dir = %disk.path.display(), "{NO_ROOM}");
                self.schedule.look_after_disks_at(soon_ms);
            }
            // Before anything is given back, this is no news.
            Room::Short { halves: 2 } | Room::Out => {}
            Room::Short { .. } => {
                disk.room = Room::Out;
                tracing::warn!(dir = %disk.path.display(), "the reserve runs out: groups and transactions are not served either");
                self.give_reserve(lane);
                for key in self.coordinated_in(lane) {
                    hosting::not_served(self, key);
                }
            }
        }
    }

    /// A log has something to do that found no room.
    pub(crate) fn on_put_off(&mut self, lane: LaneId, key: LogKey) {
        self.disk_mut(lane).waiting.insert(key);
        self.on_no_room(lane);
    }

    /// The metadata log found no room; it tries again by itself.
    pub(crate) fn on_metadata_no_room(&mut self) {
        let metadata = &self.config.metadata_log_dir;
        let lane = self.disks.iter().find(|disk| disk.path == *metadata);
        if let Some(lane) = lane.map(|disk| disk.lane) {
            self.on_no_room(lane);
        }
    }

    /// Looks whether directories are there, and whether those that had no room have some. Gives when to look again.
    pub(crate) fn look_after_disks(&mut self) -> u64 {
        let reserve = self.config.log.reserve_bytes;
        let lanes: Vec<LaneId> = self.disks.iter().map(|disk| disk.lane).collect();
        let mut short = false;
        for lane in lanes {
            let disk = self.disk_mut(lane);
            let Some(dir) = disk.dir.clone().filter(|_| !disk.failed) else {
                continue;
            };
            let room = disk.room;
            short |= !room.is_ample();
            if room == (Room::Short { halves: 2 }) {
                disk.room = Room::Short { halves: 1 };
                self.give_reserve(lane);
                continue;
            }
            if !std::mem::replace(&mut disk.looking, true) {
                let reserve = match room {
                    Room::Ample { held: true } => None,
                    _ => Some(Reserve {
                        held: room.held(reserve),
                        wanted: reserve,
                    }),
                };
                self.push_job(Job::LookAfter(LookAfter { lane, dir, reserve }));
            }
            if !room.is_ample() {
                self.do_again(lane);
            }
        }
        self.now.elapsed_ms + if short { SHORT_INTERVAL_MS } else { INTERVAL_MS }
    }

    /// Gives back what is not to be held any more.
    fn give_reserve(&mut self, lane: LaneId) {
        let reserve = self.config.log.reserve_bytes;
        let disk = self.disk_mut(lane);
        if let Some(dir) = disk.dir.clone() {
            let held = disk.room.held(reserve);
            self.push_job(Job::GiveReserve(lane, dir, held));
        }
    }

    /// Part of the reserve is given back.
    pub(crate) fn on_reserve_given(&mut self, lane: LaneId, result: io::Result<()>) {
        match result {
            Ok(()) => self.do_again(lane),
            Err(error) => self.on_disk_failed(lane, &error.to_string()),
        }
    }

    /// A directory was looked after: it has room or not, or it is not what it was.
    pub(crate) fn on_looked_after(&mut self, lane: LaneId, taken: Option<bool>, result: io::Result<()>) {
        let disk = self.disk_mut(lane);
        disk.looking = false;
        if let Err(error) = result {
            return self.on_disk_failed(lane, &error.to_string());
        }
        let before = disk.room;
        match taken {
            None => {}
            Some(false) if before.is_ample() => self.on_no_room(lane),
            Some(false) => {}
            Some(true) => {
                disk.room = Room::Ample { held: true };
                if !before.is_ample() {
                    tracing::info!(dir = %disk.path.display(), "the log directory has room again");
                    self.do_again(lane);
                    self.open_postponed(lane);
                }
                if before == Room::Out {
                    for key in self.coordinated_in(lane) {
                        hosting::on_log(self, key);
                    }
                }
            }
        }
    }

    /// Does again what found no room.
    fn do_again(&mut self, lane: LaneId) {
        for key in std::mem::take(&mut self.disk_mut(lane).waiting) {
            if let Some(removing) = self.removing.get_mut(&key) {
                removing.log.retry(self.out.lane(lane));
            } else if let Some(Slot::Online(partition)) = self.partitions.get_mut(&key) {
                partition.log.retry(self.out.lane(lane));
            }
        }
    }

    /// Opens logs that could not be opened for want of room.
    fn open_postponed(&mut self, lane: LaneId) {
        for job in std::mem::take(&mut self.disk_mut(lane).postponed) {
            if !matches!(self.partitions.get(&job.key), Some(Slot::Failed(_, Why::Room))) {
                continue;
            }
            self.partitions.insert(job.key, Slot::Opening(lane));
            hosting::on_log(self, job.key);
            self.open_by_job(true, job);
        }
    }

    fn coordinated_in(&self, lane: LaneId) -> Vec<LogKey> {
        let in_lane = |slot: &Slot| matches!(slot, Slot::Online(partition) if partition.lane == lane);
        let partitions = self.partitions.iter();
        partitions
            .filter(|(key, slot)| hosting::is_coordinators(self, **key) && in_lane(slot))
            .map(|(key, _)| *key)
            .collect()
    }
}
