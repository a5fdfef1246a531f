//! How a broker stops in good order, so that the next start need not check anything:
//!
//! 1. Whoever waits is answered; groups are told to look for another coordinator.
//! 2. Every log is closed: written, synced, its time index sealed. Nothing is appended any more.
//! 3. The checkpoints are written, and behind them the marker of a clean shutdown.
//!
//! A directory that failed takes no part. One that hangs would hold this up for ever: whoever drives the node
//! decides how long to wait.

use std::collections::BTreeSet;

use klamm_storage::LogKey;

use crate::LaneId;
use crate::api::fetch;
use crate::hosting;
use crate::node::{Effect, Node, Phase};
use crate::partitions::Slot;

/// So many logs are synced one by one when the broker stops; if there are more, the file system as a whole.
const SYNCED_ONE_BY_ONE_MAX: usize = 32;

impl Node {
    pub(crate) fn on_shutdown(&mut self) {
        if !matches!(self.phase, Phase::Running) {
            return;
        }
        if let Some(summary) = self.old_clients.summary() {
            tracing::info!("{summary}");
        }
        hosting::stop(self);
        for call in self.fetches.drain() {
            fetch::resume(self, call);
        }
        let online = self
            .partitions
            .iter()
            .filter(|(_, slot)| matches!(slot, Slot::Online(_)));
        let keys: BTreeSet<LogKey> = online.map(|(key, _)| *key).collect();
        self.schedule.closes_many = keys.len() > SYNCED_ONE_BY_ONE_MAX;
        self.phase = Phase::Closing(keys.clone());
        for key in keys {
            self.close_log(key);
        }
        self.go_on_stopping();
    }

    /// Whether the next start may believe all logs of a directory. Those that were not opened are as they were at
    /// this start. Of those that could not be, or that were given up, nobody has closed the files.
    fn is_recovered(&self, lane: LaneId) -> bool {
        let disk = self.disks.iter().find(|disk| disk.lane == lane);
        let was_clean =
            disk.is_some_and(|disk| disk.dir.as_ref().is_some_and(|dir| dir.clean_epoch().is_some()));
        let waits = |slot: &Slot| match slot {
            Slot::Idle(idle) => idle.lane == lane && idle.points.is_some() && !was_clean,
            Slot::Failed(failed, _) => *failed == lane,
            Slot::Opening(_) | Slot::Online(_) => false,
        };
        !self.partitions.iter().any(|(_, slot)| waits(slot))
    }

    /// Closes a log; [`Node::on_maybe_closed`] hears when it is.
    pub(crate) fn close_log(&mut self, key: LogKey) {
        if let Some(Slot::Online(partition)) = self.partitions.get_mut(&key) {
            let jobs = self.out.lane(partition.lane);
            if self.schedule.closes_many {
                partition.log.close_unsynced(jobs);
            } else {
                partition.log.close(jobs);
            }
        }
        self.on_maybe_closed(key);
    }

    /// A lane reported about a log, or took it away: perhaps that was what the end waits for.
    pub(crate) fn on_maybe_closed(&mut self, key: LogKey) {
        let Phase::Closing(keys) = &mut self.phase else {
            return;
        };
        let busy = match self.partitions.get(&key) {
            Some(Slot::Online(partition)) => !partition.log.is_closed() && !partition.log.is_offline(),
            _ => false,
        };
        if !busy && keys.remove(&key) && keys.is_empty() {
            self.go_on_stopping();
        }
    }

    /// Takes the next step of stopping, if all of the one before is done.
    pub(crate) fn go_on_stopping(&mut self) {
        match &self.phase {
            Phase::Closing(keys) if keys.is_empty() && self.partitions.opening() == 0 => {
                if self.disks.iter().any(|disk| !disk.failed && !disk.is_idle()) {
                    return;
                }
                self.phase = Phase::Marking;
                let healthy = self.disks.iter().filter(|disk| !disk.failed);
                for lane in healthy.map(|disk| disk.lane).collect::<Vec<_>>() {
                    // A log that was not recovered since the last crash has to be at the next start.
                    let clean = self.is_recovered(lane).then_some(self.broker_epoch);
                    self.write_checkpoints(lane, clean);
                }
                self.go_on_stopping();
            }
            Phase::Marking if self.disks.iter().all(|disk| disk.failed || disk.is_idle()) => {
                self.phase = Phase::Stopped;
                self.push(Effect::Stopped);
            }
            Phase::Running | Phase::Closing(_) | Phase::Marking | Phase::Stopped => {}
        }
    }
}
