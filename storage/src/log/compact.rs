//! When a log is compacted, and what comes of it; the work itself is in [`crate::compaction`].

use std::sync::Arc;

use super::{Log, LogConfig, Phase, SEGMENT_BYTES_MAX, SegmentState};
use crate::compaction::{CompactJob, Compacted, Merged, SwapJob};
use crate::lane::{LaneJob, Work};
use crate::segment::Segment;
use crate::sidecars::{Extent, SegmentFacts};

/// Segments that may become one.
struct Group {
    extents: Vec<Extent>,
    first_offset: i64,
    bytes: u64,
    index_bytes: u64,
    time_index_bytes: u64,
}

impl Group {
    fn new(first_offset: i64) -> Group {
        Group {
            extents: Vec::new(),
            first_offset,
            bytes: 0,
            index_bytes: 0,
            time_index_bytes: 0,
        }
    }

    /// Adds a segment with the offset behind it, unless one segment cannot hold all (Kafka:
    /// `Cleaner.groupSegmentsBySize`).
    fn take(&mut self, state: &SegmentState, end: i64, config: &LogConfig) -> bool {
        let shape = &state.shape;
        let bytes = self.bytes + shape.size;
        let index_bytes = self.index_bytes + shape.index_len;
        let time_index_bytes = self.time_index_bytes + shape.time_index_len;
        let fits = bytes <= config.segment_bytes.min(SEGMENT_BYTES_MAX)
            && index_bytes.max(time_index_bytes) <= config.segment_index_bytes
            && end - self.first_offset <= i64::from(i32::MAX);
        if !fits && !self.extents.is_empty() {
            return false;
        }
        self.extents.push(state.extent());
        (self.bytes, self.index_bytes, self.time_index_bytes) = (bytes, index_bytes, time_index_bytes);
        true
    }
}

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
        let (mut groups, mut dirty_bytes, mut bytes, mut last_end) = (Vec::<Group>::new(), 0, 0, 0);
        let mut overdue = false;
        for ((base_offset, state), end) in candidates {
            bytes += state.shape.size;
            last_end = *end;
            if *end > self.compacted_to {
                dirty_bytes += state.shape.size;
                overdue |= state.first_timestamp_ms() < oldest_ms;
            }
            let last = groups.last_mut();
            if !last.is_some_and(|group| group.take(state, *end, &self.config)) {
                let mut group = Group::new(*base_offset);
                group.take(state, *end, &self.config);
                groups.push(group);
            }
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
        let aborted_in = with_aborted.map(|state| state.extent());
        Some(CompactJob {
            fs: Arc::clone(&self.fs),
            aborted_in: aborted_in.collect(),
            groups: groups.into_iter().map(|group| group.extents).collect(),
            directory: Arc::clone(&self.directory),
            generation: self.generation,
            first_dirty: self.compacted_to.max(self.log_start_offset),
            end: last_end,
            remembered: self.producers.remembered(),
            marked: self.producers.marked(),
            now_ms,
            delete_retention_ms: self.config.delete_retention_ms,
            index_interval_bytes: self.config.index_interval_bytes,
            memory_bytes,
        })
    }

    /// Puts what a compaction has made in place, unless the log was cut or opened again since it began. All of it or
    /// nothing: a tombstone may lie in one segment, and what it deletes in another.
    pub fn on_compacted(&mut self, compacted: Compacted, jobs: &mut Vec<LaneJob>) {
        self.compacting = false;
        if self.phase != Phase::Open || self.truncation.is_some() {
            return;
        }
        let Compacted {
            generation,
            merged,
            compacted_to,
        } = compacted;
        let all = || merged.iter().flat_map(|merged| &merged.segments);
        if generation != self.generation || !all().all(|segment| self.is_there(segment)) {
            let made = merged.iter().map(|merged| merged.first().clone()).collect();
            self.emit_swap(Vec::new(), made, jobs);
            return;
        }
        if merged.is_empty() {
            self.compacted_to = compacted_to;
            return;
        }
        self.compacted_next = Some(compacted_to);
        // Later compactions are going to forget the names of aborted transactions whose records went with this one.
        self.tail.forget_below(compacted_to);
        self.emit_swap(merged, Vec::new(), jobs);
    }

    /// Until that is done, another compaction would write over the same files, and a crash would leave the old ones.
    fn emit_swap(&mut self, merged: Vec<Merged>, useless: Vec<Arc<Segment>>, jobs: &mut Vec<LaneJob>) {
        self.compacting = true;
        self.swapping = true;
        let job = SwapJob {
            directory: Arc::clone(&self.directory),
            merged,
            useless,
        };
        self.emit(Work::Swap(job), jobs);
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
    pub(super) fn swapped(&mut self, merged: Vec<Merged>, all: bool) {
        self.compacting = false;
        self.swapping = false;
        // Where something did not get into place, the next compaction begins again at the beginning.
        let next = self.compacted_next.take();
        self.compacted_to = if all { next.unwrap_or(self.compacted_to) } else { 0 };
        for Merged { segments, shape, .. } in merged {
            let states = segments
                .iter()
                .map(|segment| self.segments.remove(&segment.base_offset));
            let states: Vec<_> = states.collect();
            let (Some(Some(first)), Some(Some(last))) = (states.first(), states.last()) else {
                // The log was closed or taken offline meanwhile.
                continue;
            };
            let base_offset = segments[0].base_offset;
            let facts = SegmentFacts {
                segment: Segment::new(&self.directory, base_offset, true),
                shape,
                modified_ms: last.modified_ms,
            };
            let state = SegmentState::from_facts(facts, first.created_ms);
            self.segments.insert(base_offset, state);
        }
    }

    /// Everything counts as new to compaction.
    #[cfg(test)]
    pub(super) fn forget_compactions(&mut self) {
        self.compacted_to = 0;
    }

    fn is_there(&self, segment: &Arc<Segment>) -> bool {
        let state = self.segments.get(&segment.base_offset);
        state.is_some_and(|state| Arc::ptr_eq(&state.segment, segment))
    }
}
