//! When a log is compacted, and what comes of it; the work itself is in [`crate::compaction`].

use std::sync::Arc;

use super::{Log, Phase, SegmentState};
use crate::compaction::{CompactJob, Compacted, SwapJob};
use crate::lane::{LaneJob, Work};
use crate::segment::Segment;
use crate::sidecars::{Extent, SegmentFacts, Shape};

impl Log {
    /// A compaction, if one is due: for a thread that may wait long. `memory_bytes` bounds the keys it holds at a
    /// time. Until [`Log::on_compacted`] or [`Log::on_compaction_failed`] there is no other.
    ///
    /// Compacted is what lies in complete and synced segments below the high watermark and below any open
    /// transaction, and is older than `min.compaction.lag.ms`. It is due when enough of that is new
    /// (`min.cleanable.dirty.ratio`), or some of it is older than `max.compaction.lag.ms`.
    pub fn compact(&mut self, now_ms: i64, high_watermark: i64, memory_bytes: usize) -> Option<CompactJob> {
        let ready =
            self.phase == Phase::Open && self.truncation.is_none() && !self.compacting && !self.uncleanable;
        if !ready || !self.config.compact {
            return None;
        }
        let limit = self.last_stable_offset(high_watermark.min(self.written_end));
        let youngest_ms = now_ms.saturating_sub(self.config.min_compaction_lag_ms);
        let ends = self.segments.keys().skip(1);
        let candidates = self
            .segments
            .iter()
            .zip(ends)
            .take_while(|((base_offset, state), end)| {
                **end <= limit
                    && **base_offset < self.flush.unsynced_base
                    && state.is_written()
                    && (self.config.min_compaction_lag_ms == 0 || state.largest_timestamp_ms() <= youngest_ms)
            });
        let oldest_ms = now_ms.saturating_sub(self.config.max_compaction_lag_ms);
        let (mut segments, mut dirty_bytes, mut bytes, mut last_end) = (Vec::new(), 0, 0, 0);
        let mut overdue = false;
        for ((_, state), end) in candidates {
            bytes += state.shape.size;
            last_end = *end;
            if *end > self.compacted_to {
                dirty_bytes += state.shape.size;
                overdue |= state.first_timestamp_ms() < oldest_ms;
            }
            segments.push(Extent {
                segment: Arc::clone(&state.segment),
                size: state.written,
                modified_ms: state.modified_ms,
                version: state.segment.version(),
            });
        }
        let enough = dirty_bytes * 100 >= bytes * u64::from(self.config.min_dirty_percent);
        if dirty_bytes == 0 || !(enough || overdue) {
            return None;
        }
        self.compacting = true;
        let with_aborted = self
            .segments
            .values()
            .filter(|state| state.shape.txn_index_len > 0);
        let aborted_in = with_aborted.map(|state| Extent {
            segment: Arc::clone(&state.segment),
            size: state.written,
            modified_ms: state.modified_ms,
            version: state.segment.version(),
        });
        Some(CompactJob {
            fs: Arc::clone(&self.fs),
            aborted_in: aborted_in.collect(),
            segments,
            first_dirty: self.compacted_to.max(self.log_start_offset),
            end: last_end,
            remembered: self.producers.remembered(),
            now_ms,
            delete_retention_ms: self.config.delete_retention_ms,
            index_interval_bytes: self.config.index_interval_bytes,
            memory_bytes,
        })
    }

    /// Puts what a compaction has made in place, as far as the segments it was made from are still there.
    pub fn on_compacted(&mut self, compacted: Compacted, jobs: &mut Vec<LaneJob>) {
        self.compacting = false;
        if self.phase != Phase::Open || self.truncation.is_some() {
            return;
        }
        let Compacted {
            mut segments,
            compacted_to,
        } = compacted;
        let made = segments.len();
        segments.retain(|(segment, _)| self.is_there(segment));
        let all = segments.len() == made;
        if segments.is_empty() {
            if all {
                self.compacted_to = compacted_to;
            }
            return;
        }
        // Until they are in place, another compaction would write over them, and a crash would leave the old ones.
        self.compacting = true;
        self.compacted_next = all.then_some(compacted_to);
        self.emit(Work::Swap(SwapJob { segments }), jobs);
    }

    /// Up to where the log is compacted; what the log directory's checkpoint is to say.
    pub fn compacted_to(&self) -> i64 {
        self.compacted_to
    }

    /// A compaction came to nothing; a later one tries again, unless it found damage that all would find.
    pub fn on_compaction_failed(&mut self, damaged: bool) {
        self.compacting = false;
        self.uncleanable |= damaged;
    }

    /// The segments have their new files. Whoever still reads the old ones finds out by the batches.
    pub(super) fn swapped(&mut self, segments: Vec<(Arc<Segment>, Shape)>, all: bool) {
        self.compacting = false;
        // Where something did not get into place, the next compaction begins again at the beginning.
        let next = self.compacted_next.take();
        self.compacted_to = if all { next.unwrap_or(self.compacted_to) } else { 0 };
        for (segment, mut shape) in segments {
            if !self.is_there(&segment) {
                continue;
            }
            let base_offset = segment.base_offset;
            let Some(old) = self.segments.get(&base_offset) else {
                continue;
            };
            shape.txn_index_len = old.shape.txn_index_len;
            let (created_ms, modified_ms) = (old.created_ms, old.modified_ms);
            let segment = Segment::new(&self.directory, base_offset, true);
            let facts = SegmentFacts {
                segment,
                shape,
                modified_ms,
            };
            self.segments
                .insert(base_offset, SegmentState::from_facts(facts, created_ms));
        }
    }

    fn is_there(&self, segment: &Arc<Segment>) -> bool {
        let state = self.segments.get(&segment.base_offset);
        state.is_some_and(|state| Arc::ptr_eq(&state.segment, segment))
    }
}
