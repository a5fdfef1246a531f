//! What the lane reports: written, synced, cut, or failed.

use super::{Log, Phase, SegmentState, Truncation};
use crate::lane::{LaneDone, LaneError, LaneJob, Outcome, Task, Truncated};

/// What a report has changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// [`Log::acknowledged_end`] has moved on: answers may be due.
    pub acknowledged: bool,
    /// Records at or beyond this offset are gone from the log, and nobody has seen them: their appends failed. The
    /// offsets will be given out again.
    pub lost_from: Option<i64>,
    /// The log went offline by this report; see [`Log::is_offline`].
    pub offline: bool,
    /// The disk had no room: the append failed, or what it was waits for [`Log::retry`].
    pub no_room: bool,
}

impl Log {
    /// Takes the report of one job. May hand out more.
    pub fn on_done(&mut self, done: LaneDone, jobs: &mut Vec<LaneJob>) -> Progress {
        debug_assert_eq!(done.key, self.key, "a report of another log");
        let (acknowledged_before, was_offline) = (self.acknowledged_end(), self.is_offline());
        self.outbox.finished(jobs);
        let mut progress = Progress::default();
        let current = done.generation == self.generation;
        match done.outcome {
            Outcome::Written {
                base_offset,
                size,
                end_offset,
            } => {
                self.append_finished(base_offset);
                if current {
                    self.written(base_offset, size, end_offset);
                }
            }
            Outcome::Synced {
                end_offset,
                snapshots_to,
            } => {
                if current && let Some(written) = snapshots_to {
                    self.snapshots.retain(|(offset, _)| *offset > written);
                }
                self.synced(end_offset, current);
            }
            Outcome::Truncated(truncated) => progress.lost_from = self.truncated(*truncated, jobs),
            Outcome::Deleted => {}
            Outcome::Swapped(merged, all) => self.swapped(merged, all),
            Outcome::Removed => self.phase = Phase::Deleted,
            Outcome::Unbound => self.bound = None,
            Outcome::PutOff { work, error } => {
                progress.no_room = true;
                if matches!(
                    self.phase,
                    Phase::Closing | Phase::ClosingSeal | Phase::ClosingFlush
                ) {
                    // Nobody is going to wait for room.
                    self.set_offline(&error.to_string());
                } else {
                    self.put_off.push(work);
                }
            }
            Outcome::Failed { task, error } => {
                progress.no_room = matches!(error, LaneError::NoRoom(_));
                progress.lost_from = self.failed(task, error, current);
            }
        }
        if !self.is_offline() {
            self.start_truncation(jobs);
            self.flush_if_due(jobs);
            self.close_if_idle(jobs);
        }
        progress.acknowledged = self.acknowledged_end() > acknowledged_before;
        progress.offline = self.is_offline() && !was_offline;
        progress
    }

    fn append_finished(&mut self, base_offset: i64) {
        if let Some(state) = self.segments.get_mut(&base_offset) {
            state.appends_in_flight = state.appends_in_flight.saturating_sub(1);
        }
    }

    fn written(&mut self, base_offset: i64, size: u64, end_offset: i64) {
        if let Some(state) = self.segments.get_mut(&base_offset) {
            self.flush.unsynced_bytes += size.saturating_sub(state.written);
            state.written = state.written.max(size);
        }
        self.written_end = self.written_end.max(end_offset);
        while self
            .pending
            .front()
            .is_some_and(|pending| pending.end_offset <= end_offset)
        {
            self.pending.pop_front();
        }
    }

    fn synced(&mut self, end_offset: i64, current: bool) {
        self.flush.in_flight = false;
        if !current {
            return;
        }
        self.synced_end = self.synced_end.max(end_offset);
        self.flush.unsynced_base = self.flush.unsynced_base.max(self.flush.next_unsynced_base);
        if self.phase == Phase::ClosingFlush {
            self.phase = Phase::Closed;
        }
    }

    /// Gives the offset from which on appends were given up.
    fn failed(&mut self, task: Task, error: LaneError, current: bool) -> Option<i64> {
        if let Task::Append { base_offset } = task {
            self.append_finished(base_offset);
        }
        match error {
            LaneError::Disk(reason) => {
                self.set_offline(&reason);
                None
            }
            LaneError::NoRoom(reason) if task == Task::Other => {
                self.set_offline(&reason);
                None
            }
            LaneError::NoRoom(_) | LaneError::Predecessor => current.then(|| self.give_up_pending()),
        }
    }

    /// Appends failed: the log ends again where it is written.
    fn give_up_pending(&mut self) -> i64 {
        let end = self.written_end;
        self.generation += 1;
        let undos = self.pending.iter().rev().map(|pending| pending.producer);
        self.producers.undo(undos, end);
        if let Some(first) = self.pending.front() {
            self.segments.split_off(&(first.base_offset + 1));
            if let Some(state) = self.segments.get_mut(&first.base_offset) {
                state.shape = first.before;
            }
        }
        self.pending.clear();
        self.snapshots.retain(|(offset, _)| *offset <= end);
        match &mut self.truncation {
            // All that failed was to be cut off anyway.
            Some(truncation) if truncation.reset || truncation.offset <= end => return self.log_end_offset,
            Some(truncation) => {
                truncation.offset = end;
                truncation.held.clear();
            }
            None => {}
        }
        self.end_at(end);
        end
    }

    /// What is in memory ends at `end`.
    pub(super) fn end_at(&mut self, end: i64) {
        self.tail.truncate(end);
        self.epochs_changed |= self.epochs.truncate_from_end(end);
        self.log_end_offset = end;
    }

    /// The end was cut off. Gives the offset from which on waiting batches were given up, which happens only when
    /// the cut was asked for inside a batch.
    fn truncated(&mut self, truncated: Truncated, jobs: &mut Vec<LaneJob>) -> Option<i64> {
        let Truncation {
            offset,
            mut held,
            again,
            ..
        } = self.truncation.take()?;
        let Truncated {
            end_offset,
            last,
            producers,
        } = truncated;
        let base_offset = last.segment.base_offset;
        last.segment.settled();
        self.segments
            .insert(base_offset, SegmentState::from_facts(last, self.now_ms));
        self.producers = producers;
        self.written_end = end_offset;
        self.synced_end = self.synced_end.min(end_offset);
        self.flush.unsynced_base = self.flush.unsynced_base.min(base_offset);
        if let Some((again, reset)) = again.filter(|(again, reset)| *reset || *again < end_offset) {
            self.truncation = Some(Truncation {
                offset: again,
                reset,
                held,
                running: false,
                again: None,
            });
            return None;
        }
        let mut lost_from = None;
        if end_offset < offset {
            self.end_at(end_offset);
            lost_from = (!held.is_empty()).then_some(end_offset);
            held.clear();
        }
        self.place_held(&held, jobs);
        lost_from
    }
}
