//! What a log does beside taking batches in: flush, retention, truncation, and its end.

use std::path::PathBuf;
use std::sync::Arc;

use super::{Log, Phase, SegmentState, Truncation};
use crate::checkpoint;
use crate::lane::{DeleteJob, FlushJob, LaneJob, RemoveJob, TruncateJob, Work};
use crate::segment::Segment;
use crate::sidecars::Extent;

/// So many bytes of a log are not durable at most, though nobody asks for it: a start after a crash has to check
/// them, and what the disk gets in small portions it never has to take in one large one.
const FLUSH_BYTES: u64 = 64 << 20;

/// A log that never had a producer and is no longer than this gets no snapshot when it is closed.
const SHORT_BYTES: u64 = 64 << 10;

impl Log {
    /// Syncs all that was appended, as soon as it is written. The recovery point moves when the disk has done so.
    pub fn flush(&mut self, jobs: &mut Vec<LaneJob>) {
        self.flush.wanted_to = self.log_end_offset;
        self.flush_if_due(jobs);
    }

    /// What comes with time: segments whose retention is over go, producers expire, `flush.ms` is kept. To be
    /// called now and then (Kafka: every `log.retention.check.interval.ms`). Gives how many segments go.
    pub fn retain(&mut self, now_ms: i64, high_watermark: i64, jobs: &mut Vec<LaneJob>) -> usize {
        self.now_ms = now_ms;
        if self.phase != Phase::Open || self.truncation.is_some() {
            return 0;
        }
        self.producers.expire(now_ms, self.config.producer_expiration_ms);
        let flush_ms = self.config.flush_ms.unwrap_or(i64::MAX);
        if self.epochs_changed || self.now_ms.saturating_sub(self.last_flush_ms) >= flush_ms {
            self.emit_flush(jobs);
        }
        self.delete_expired(high_watermark.min(self.written_end), jobs)
    }

    /// Moves the log start up to `offset` (DeleteRecords): what lies below can no longer be read, and whole
    /// segments below go. The caller has made sure that the high watermark is not below. Gives the log start.
    ///
    /// The log start is durable once the log directory's checkpoint has it.
    pub fn delete_records_before(&mut self, offset: i64, jobs: &mut Vec<LaneJob>) -> i64 {
        if self.phase == Phase::Open && self.truncation.is_none() {
            self.log_start_offset = self.log_start_offset.max(offset.min(self.written_end));
            self.epochs_changed |= self.epochs.truncate_from_start(self.log_start_offset);
            self.delete_first_segments(self.segments_below_start(), jobs);
        }
        self.log_start_offset
    }

    /// Cuts off everything at or beyond `offset` (a batch that holds it goes as a whole). At once for readers and
    /// for the next append; on disk before anything that is appended after it.
    ///
    /// Until then producers are unknown ([`Log::check_producer`]), and appended batches wait in memory.
    pub fn truncate_to(&mut self, offset: i64, jobs: &mut Vec<LaneJob>) {
        if offset < self.log_end_offset {
            self.cut(offset.max(self.log_start_offset), false, jobs);
        }
    }

    /// Throws everything away and begins anew at `offset`: a follower whose leader has nothing older, or a Raft log
    /// that a snapshot replaces. A crash on the way leaves the old log, a beginning of it, or an empty one.
    pub fn truncate_fully_and_start_at(&mut self, offset: i64, jobs: &mut Vec<LaneJob>) {
        self.cut(offset, true, jobs);
    }

    fn cut(&mut self, offset: i64, reset: bool, jobs: &mut Vec<LaneJob>) {
        if self.phase != Phase::Open {
            return;
        }
        if reset {
            self.tail.truncate(i64::MIN);
            self.epochs_changed |= self.epochs.truncate_from_end(i64::MIN);
            self.log_start_offset = offset;
            self.log_end_offset = offset;
        } else {
            self.end_at(offset);
        }
        match &mut self.truncation {
            Some(truncation) if !reset && offset >= truncation.offset => {
                truncation
                    .held
                    .retain(|batch| batch.header().last_offset() < offset);
                let held_end = truncation
                    .held
                    .last()
                    .map(|batch| batch.header().last_offset() + 1);
                let end = held_end.unwrap_or(truncation.offset);
                self.end_at(end);
            }
            Some(truncation) => {
                truncation.held.clear();
                if truncation.running {
                    let reset = reset || truncation.again.is_some_and(|(_, reset)| reset);
                    truncation.again = Some((offset, reset));
                } else {
                    truncation.offset = offset;
                    truncation.reset |= reset;
                }
            }
            None => {
                let truncation = Truncation {
                    offset,
                    reset,
                    held: Vec::new(),
                    running: false,
                    again: None,
                };
                self.truncation = Some(truncation);
            }
        }
        self.start_truncation(jobs);
    }

    /// Hands the cut to the lane once nothing else of this log is there, nor a swap half done for want of room.
    pub(super) fn start_truncation(&mut self, jobs: &mut Vec<LaneJob>) {
        let idle = self.outbox.is_idle() && !self.swapping;
        let Some(truncation) = self
            .truncation
            .as_mut()
            .filter(|truncation| idle && !truncation.running)
        else {
            return;
        };
        truncation.running = true;
        let (offset, reset) = (truncation.offset, truncation.reset);
        self.generation += 1;
        self.pending.clear();
        self.compacted_to = self.compacted_to.min(offset);
        let first_doomed = if reset { i64::MIN } else { offset + 1 };
        let mut doomed = self.segments.split_off(&first_doomed);
        // A flush that waits for room speaks of what is cut off; and with everything, what is on its way out goes.
        let mut already_doomed = Vec::new();
        self.put_off.retain_mut(|work| match work {
            Work::Flush(_) => {
                self.flush.in_flight = false;
                false
            }
            Work::Delete(job) if reset => {
                already_doomed.append(&mut job.segments);
                false
            }
            _ => true,
        });
        if self.segments.is_empty() && !reset {
            // The cut lies before the first segment, which can only be empty then.
            let (base_offset, first) = doomed.pop_first().expect("there is always a segment");
            self.segments.insert(base_offset, first);
        }
        self.snapshots
            .retain(|(held_up_to, _)| !reset && *held_up_to <= offset);
        let kept = self.segments.values().map(|state| Extent {
            segment: Arc::clone(&state.segment),
            size: state.written,
            modified_ms: state.modified_ms,
            version: state.segment.version(),
        });
        let kept: Vec<Extent> = kept.collect();
        let fresh = reset.then(|| Segment::new(&self.directory, offset, false));
        if let Some(fresh) = &fresh {
            // Stands for the log until the lane has made it.
            self.segments
                .insert(offset, SegmentState::empty(Arc::clone(fresh), self.now_ms));
        }
        self.epochs_changed = false;
        // An earlier cut may have bounded it lower, and nothing says yet that the checkpoint has been written since.
        let bound = self.bound.map_or(offset, |bound| bound.min(offset));
        self.bound = Some(bound);
        let job = TruncateJob {
            directory: Arc::clone(&self.directory),
            offset,
            kept,
            fresh,
            doomed: already_doomed
                .into_iter()
                .chain(doomed.into_values().map(|state| state.segment))
                .collect(),
            epochs: checkpoint::epochs_text(self.epochs.entries()),
            bound,
            now_ms: self.now_ms,
        };
        self.emit(Work::Truncate(Box::new(job)), jobs);
    }

    /// Tells that the log directory's checkpoint durably says `recovery_point` for this log.
    pub fn on_checkpointed(&mut self, recovery_point: i64, jobs: &mut Vec<LaneJob>) {
        let right = self.bound.is_some() && self.truncation.is_none() && recovery_point <= self.synced_end;
        if right && self.phase == Phase::Open {
            self.emit(Work::Unbind(Arc::clone(&self.directory)), jobs);
        }
    }

    /// Does again what found no room on the disk before: [`Progress::no_room`](super::Progress::no_room) has told of it.
    pub fn retry(&mut self, jobs: &mut Vec<LaneJob>) {
        for work in std::mem::take(&mut self.put_off) {
            self.emit(work, jobs);
        }
    }

    /// Syncs everything, with a snapshot of the producers, so that the next start need not look. No append is taken
    /// any more; the log is closed when [`Log::is_closed`] says so.
    pub fn close(&mut self, jobs: &mut Vec<LaneJob>) {
        if self.phase == Phase::Open && self.was_settled && !self.outbox.was_used && !self.epochs_changed {
            self.phase = Phase::Closed;
        }
        if self.phase == Phase::Open {
            self.phase = Phase::Closing;
            self.retry(jobs);
            self.close_if_idle(jobs);
        }
    }

    /// The same without waiting for the disk: for whoever closes very many logs, and then makes all of them durable
    /// with one [`Fs::sync_all`](crate::sys::Fs::sync_all) before anybody is told their recovery points.
    pub fn close_unsynced(&mut self, jobs: &mut Vec<LaneJob>) {
        self.sync_follows = true;
        self.close(jobs);
    }

    /// Whether [`Log::close`] is through, or will never be because the disk failed.
    pub fn is_closed(&self) -> bool {
        matches!(self.phase, Phase::Closed | Phase::Offline(_) | Phase::Deleted)
    }

    /// Removes the log from the disk, under another name first: see
    /// [`LogDir::delete_path`](crate::log_dir::LogDir::delete_path). Appends and reads fail from now on; who is
    /// reading reads on. A log of the same name must not be opened before [`Log::is_deleted`].
    pub fn delete(&mut self, target: PathBuf, jobs: &mut Vec<LaneJob>) {
        if matches!(self.phase, Phase::Deleting | Phase::Deleted) {
            return;
        }
        self.phase = Phase::Deleting;
        self.directory.go();
        self.put_off.clear();
        self.tail.truncate(i64::MIN);
        self.truncation = None;
        let directory = Arc::clone(&self.directory);
        self.emit(Work::Remove(RemoveJob { directory, target }), jobs);
    }

    /// Whether [`Log::delete`] is through.
    pub fn is_deleted(&self) -> bool {
        self.phase == Phase::Deleted
    }

    pub(super) fn emit(&mut self, work: Work, jobs: &mut Vec<LaneJob>) {
        let job = LaneJob {
            key: self.key,
            generation: self.generation,
            work,
        };
        self.outbox.emit(job, jobs);
    }

    /// One flush at a time; what is written meanwhile waits for the next.
    pub(super) fn flush_if_due(&mut self, jobs: &mut Vec<LaneJob>) {
        if self.phase != Phase::Open {
            return;
        }
        let unsynced = self.written_end - self.synced_end;
        let sealed = self
            .segments
            .range(self.flush.unsynced_base..)
            .next()
            .is_some_and(|(base, state)| *base < self.active().0 && state.is_written());
        let messages = self.config.flush_messages.unwrap_or(i64::MAX);
        let much = self.flush.unsynced_bytes >= FLUSH_BYTES;
        let wanted = self.flush.wanted_to > self.synced_end || self.config.fsync_acknowledged;
        if sealed || (unsynced > 0 && (much || wanted || unsynced >= messages)) {
            self.emit_flush(jobs);
        }
    }

    fn emit_flush(&mut self, jobs: &mut Vec<LaneJob>) {
        if self.flush.in_flight || self.truncation.is_some() {
            return;
        }
        let closing = self.phase == Phase::ClosingFlush;
        let active = self.active().0;
        let mut segments = Vec::new();
        let mut next_unsynced_base = self.flush.unsynced_base;
        let mut complete = true;
        for (base_offset, state) in self.segments.range(self.flush.unsynced_base..) {
            if state.written > 0 {
                let sealed = (*base_offset < active || closing) && state.is_written();
                segments.push((Arc::clone(&state.segment), sealed));
            }
            // Everything up to here is complete, so the next flush begins behind it.
            complete &= *base_offset < active && state.is_written();
            if complete {
                let next = self.segments.range(base_offset + 1..).next();
                next_unsynced_base = next.map_or(active, |(next, _)| *next);
            }
        }
        let written_end = self.written_end;
        // A snapshot says that everything below it is durable, indexes and all.
        let durable = if closing { written_end } else { next_unsynced_base };
        let snapshots = self.snapshots.iter().filter(|(offset, _)| *offset <= durable);
        let snapshots = snapshots.cloned().collect();
        let epochs = self
            .epochs_changed
            .then(|| checkpoint::epochs_text(self.epochs.entries()));
        self.epochs_changed = false;
        self.flush.in_flight = true;
        self.flush.unsynced_bytes = 0;
        self.flush.next_unsynced_base = next_unsynced_base;
        self.last_flush_ms = self.now_ms;
        let directory = Arc::clone(&self.directory);
        let job = FlushJob {
            directory,
            segments,
            end_offset: written_end,
            epochs,
            snapshots,
            sync_follows: self.sync_follows,
        };
        self.emit(Work::Flush(job), jobs);
    }

    pub(super) fn close_if_idle(&mut self, jobs: &mut Vec<LaneJob>) {
        let idle = |log: &Log| log.outbox.is_idle() && log.truncation.is_none();
        if self.phase == Phase::Closing && idle(self) {
            self.phase = Phase::ClosingSeal;
            self.seal_time_index(jobs);
        }
        if self.phase == Phase::ClosingSeal && idle(self) {
            self.phase = Phase::ClosingFlush;
            // Of a short log the next start has read the batches as fast as a snapshot that says nothing. But a producer
            // that was forgotten must not come back out of an older snapshot, with a sequence that is not its last.
            if self.had_producers || self.size_bytes() > SHORT_BYTES {
                self.snapshots.push((self.written_end, self.producers.snapshot()));
            }
            self.emit_flush(jobs);
        }
    }

    /// How many segments lie wholly below the log start.
    fn segments_below_start(&self) -> usize {
        let next_bases = self.segments.keys().skip(1);
        next_bases
            .take_while(|next| **next <= self.log_start_offset)
            .count()
    }

    fn delete_expired(&mut self, high_watermark: i64, jobs: &mut Vec<LaneJob>) -> usize {
        let mut expired = self.segments_below_start();
        let mut excess = match self.config.retention_bytes {
            Some(limit) if self.config.delete => self.size_bytes().saturating_sub(limit),
            _ => 0,
        };
        let ends = self.segments.keys().skip(1).copied().chain([self.log_end_offset]);
        for (number, (state, end)) in self.segments.values().zip(ends).enumerate() {
            let size = state.shape.size;
            let old = self.config.delete
                && self.config.retention_ms.is_some_and(|retention_ms| {
                    self.now_ms.saturating_sub(state.largest_timestamp_ms()) > retention_ms
                });
            let below_start = number < expired;
            let last = number + 1 == self.segments.len();
            if (size == 0 && last)
                || end > high_watermark
                || !(below_start || old || (excess > 0 && excess >= size))
            {
                break;
            }
            excess = excess.saturating_sub(size);
            expired = expired.max(number + 1);
        }
        if expired == self.segments.len() {
            self.roll(self.log_end_offset, None, jobs);
        }
        self.delete_first_segments(expired, jobs)
    }

    /// Deletes up to `count` of the oldest segments, as far as nothing is still written to them: none while the log is
    /// compacted. What a compaction makes of several counts as a whole, and the files of one segment may hold the
    /// records of the next by then.
    fn delete_first_segments(&mut self, count: usize, jobs: &mut Vec<LaneJob>) -> usize {
        let complete = self
            .segments
            .values()
            .take_while(|state| state.is_written())
            .count();
        let count = count.min(complete).min(self.segments.len() - 1);
        if count == 0 || self.compacting {
            return 0;
        }
        let mut segments = Vec::with_capacity(count);
        for _ in 0..count {
            let (_, state) = self.segments.pop_first().expect("one more than that are there");
            segments.push(state.segment);
        }
        let (first, state) = self
            .segments
            .first_key_value()
            .expect("one more than that were there");
        let (first, left) = (*first, Arc::clone(&state.segment));
        self.log_start_offset = self.log_start_offset.max(first);
        self.flush.unsynced_base = self.flush.unsynced_base.max(first);
        self.epochs_changed |= self.epochs.truncate_from_start(self.log_start_offset);
        let pending = self.snapshots.iter().find(|(offset, _)| *offset == first);
        let job = DeleteJob {
            directory: Arc::clone(&self.directory),
            segments,
            left,
            snapshot: pending.map(|(_, snapshot)| snapshot.clone()),
        };
        self.emit(Work::Delete(job), jobs);
        count
    }
}
