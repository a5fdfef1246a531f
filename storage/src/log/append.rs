//! Taking batches in: offsets, index entries, segments; and the jobs that bring them to disk.

use std::sync::Arc;

use klamm_protocol::record::Batch;
use klamm_protocol::record::control::ControlRecord;
use thiserror::Error;

use super::{Log, LogConfig, Pending, Phase, SegmentState};
use crate::lane::{AppendJob, IndexPart, LaneJob, Work};
use crate::segment::Segment;
use crate::transactions;

/// Where batches have come to lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Appended {
    /// The offset of the first record.
    pub first_offset: i64,
    /// The offset of the last record; one less than the first when there was no batch.
    pub last_offset: i64,
}

/// Why nothing was appended.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum AppendError {
    /// The disk has failed; see [`Log::is_offline`].
    #[error("the log is offline: {0}")]
    Offline(String),
    /// [`Log::close`] or [`Log::delete`] was called.
    #[error("the log is closed")]
    Closed,
    /// `RECORD_LIST_TOO_LARGE`: the batch is larger than a segment may be.
    #[error("a batch of {size} bytes is larger than a segment of {limit}")]
    TooLarge {
        /// Bytes of the batch.
        size: u64,
        /// `segment.bytes`.
        limit: u64,
    },
    /// A batch of the leader's that does not follow the log's end: the follower has to fetch from its own end.
    #[error("offset {got} does not follow the log's end {end}")]
    DoesNotFollow {
        /// The log end offset.
        end: i64,
        /// The batch's base offset.
        got: i64,
    },
    /// A batch whose leader epoch is older than the log's latest.
    #[error("leader epoch {got} is older than {latest}")]
    StaleEpoch {
        /// The log's latest epoch.
        latest: i32,
        /// The batch's.
        got: i32,
    },
    /// Offsets have run out: 2^63 records.
    #[error("no offset is left")]
    OutOfOffsets,
}

/// A job in the making: batches for one segment.
pub(super) struct Draft {
    job: AppendJob,
    base_offset: i64,
}

impl Log {
    /// Appends batches as the leader: gives them offsets and the leader epoch. Nothing is copied. What may not be
    /// in the log (a retry, a gap) has been found with [`Log::check_producer`] before.
    ///
    /// They may be acknowledged once [`Log::acknowledged_end`] has passed them. An append can still fail then, and
    /// [`Progress::lost_from`](super::Progress::lost_from) says so.
    ///
    /// # Errors
    /// [`AppendError`]; then none of the batches was appended.
    pub fn append(
        &mut self,
        mut batches: Vec<Batch>,
        leader_epoch: i32,
        now_ms: i64,
        jobs: &mut Vec<LaneJob>,
    ) -> Result<Appended, AppendError> {
        if let Some(latest) = self.epochs.latest().filter(|latest| *latest > leader_epoch) {
            return Err(AppendError::StaleEpoch {
                latest,
                got: leader_epoch,
            });
        }
        let mut next_offset = self.log_end_offset;
        for batch in &mut batches {
            batch.assign(next_offset, leader_epoch);
            next_offset = batch
                .header()
                .last_offset()
                .checked_add(1)
                .ok_or(AppendError::OutOfOffsets)?;
        }
        self.append_placed(batches, now_ms, jobs)
    }

    /// Appends batches that have their offsets and leader epochs already: as a follower, or as a Raft log.
    ///
    /// # Errors
    /// [`AppendError`]; then none of the batches was appended. [`AppendError::DoesNotFollow`] unless each begins
    /// where the one before ended (or later, in a compacted log).
    pub fn append_replicated(
        &mut self,
        batches: Vec<Batch>,
        now_ms: i64,
        jobs: &mut Vec<LaneJob>,
    ) -> Result<Appended, AppendError> {
        let mut end = self.log_end_offset;
        let mut latest = self.epochs.latest().unwrap_or(-1);
        for batch in &batches {
            let header = batch.header();
            let (got, epoch) = (header.base_offset, header.leader_epoch);
            if got < end || (got > end && !self.config.compact) {
                return Err(AppendError::DoesNotFollow { end, got });
            }
            if epoch < latest {
                return Err(AppendError::StaleEpoch { latest, got: epoch });
            }
            latest = epoch;
            end = header
                .last_offset()
                .checked_add(1)
                .ok_or(AppendError::OutOfOffsets)?;
        }
        self.append_placed(batches, now_ms, jobs)
    }

    fn append_placed(
        &mut self,
        batches: Vec<Batch>,
        now_ms: i64,
        jobs: &mut Vec<LaneJob>,
    ) -> Result<Appended, AppendError> {
        match &self.phase {
            Phase::Open => {}
            Phase::Offline(reason) => return Err(AppendError::Offline(reason.clone())),
            _ => return Err(AppendError::Closed),
        }
        let limit = self.config.segment_bytes.min(SEGMENT_BYTES_MAX);
        if let Some(batch) = batches.iter().find(|batch| batch.size() as u64 > limit) {
            return Err(AppendError::TooLarge {
                size: batch.size() as u64,
                limit,
            });
        }
        let first_offset = batches
            .first()
            .map_or(self.log_end_offset, |batch| batch.header().base_offset);
        self.now_ms = now_ms;
        let mut draft = None;
        for batch in batches {
            let header = batch.header();
            let begins = self.epochs.assign(header.leader_epoch, header.base_offset);
            self.epochs_changed |= begins | std::mem::take(&mut self.epoch_is_empty);
            self.tail.push(&batch);
            self.log_end_offset = header.last_offset() + 1;
            match &mut self.truncation {
                Some(truncation) => truncation.held.push(batch),
                None => self.place(&batch, &mut draft, jobs),
            }
        }
        self.send(draft, jobs);
        Ok(Appended {
            first_offset,
            last_offset: self.log_end_offset - 1,
        })
    }

    /// Gives batches that waited for a truncation their place.
    pub(super) fn place_held(&mut self, batches: &[Batch], jobs: &mut Vec<LaneJob>) {
        let mut draft = None;
        for batch in batches {
            self.place(batch, &mut draft, jobs);
        }
        self.send(draft, jobs);
    }

    /// Puts a batch at the end of the active segment, or of the next one.
    fn place(&mut self, batch: &Batch, draft: &mut Option<Draft>, jobs: &mut Vec<LaneJob>) {
        let header = batch.header();
        if self.is_roll_due(batch) {
            self.roll(header.base_offset, draft.take(), jobs);
        }
        self.had_producers |= header.has_producer_id();
        let producer = self.producers.undo_for(header);
        let control = header
            .is_control()
            .then(|| ControlRecord::of(batch).ok())
            .flatten();
        let ended = self.producers.appended(header, control);
        let (interval, now_ms) = (self.config.index_interval_bytes, self.now_ms);
        let state = self.active_mut();
        let base_offset = state.segment.base_offset;
        let draft = draft.get_or_insert_with(|| Draft::at_end_of(state));
        let (before, job) = (state.shape, &mut draft.job);
        let shape = &mut state.shape;
        let (index, time_index) = (&mut job.index.bytes, &mut job.time_index.bytes);
        shape
            .indexer
            .batch(header, shape.size, interval, index, time_index);
        if let Some(ended) = ended.filter(|ended| ended.aborted) {
            transactions::put_aborted(&mut job.txn_index.bytes, &ended);
        }
        job.parts
            .extend(batch.parts().into_iter().filter(|part| !part.is_empty()));
        job.size += batch.size() as u64;
        job.end_offset = header.last_offset() + 1;
        shape.size += batch.size() as u64;
        shape.index_len = job.index.end();
        shape.time_index_len = job.time_index.end();
        shape.txn_index_len = job.txn_index.end();
        shape.first_timestamp_ms.get_or_insert(header.max_timestamp_ms);
        state.modified_ms = now_ms;
        self.pending.push_back(Pending {
            end_offset: job.end_offset,
            base_offset,
            before,
            producer,
        });
    }

    /// Kafka: `LogSegment.shouldRoll`.
    fn is_roll_due(&self, batch: &Batch) -> bool {
        let (base_offset, state) = self.active();
        let (shape, header) = (&state.shape, batch.header());
        if shape.size == 0 {
            // Nothing to leave behind, unless the offsets have jumped too far for this base.
            return header.last_offset() - base_offset > i64::from(i32::MAX);
        }
        let span_ms = match shape.first_timestamp_ms {
            Some(first) if first >= 0 && header.max_timestamp_ms >= 0 => {
                header.max_timestamp_ms.saturating_sub(first)
            }
            _ => self.now_ms.saturating_sub(state.created_ms),
        };
        let index_limit = self.config.segment_index_bytes;
        shape.size + batch.size() as u64 > self.config.segment_bytes.min(SEGMENT_BYTES_MAX)
            || span_ms > self.segment_ms()
            || shape.index_len + crate::index::OFFSET_ENTRY > index_limit
            // One entry stays free for the largest timestamp at the end.
            || shape.time_index_len + 2 * crate::index::TIME_ENTRY > index_limit
            || header.last_offset() - base_offset > i64::from(i32::MAX)
    }

    /// What waits to be compacted must not wait in an active segment (Kafka: `LogConfig.maxSegmentMs`).
    fn segment_ms(&self) -> i64 {
        let LogConfig {
            compact,
            segment_ms,
            max_compaction_lag_ms,
            ..
        } = self.config;
        if compact && max_compaction_lag_ms > 0 {
            segment_ms.min(max_compaction_lag_ms)
        } else {
            segment_ms
        }
    }

    /// Seals the active segment with the last job for it, and begins another.
    pub(super) fn roll(&mut self, base_offset: i64, draft: Option<Draft>, jobs: &mut Vec<LaneJob>) {
        let now_ms = self.now_ms;
        let state = self.active_mut();
        let mut draft = draft.unwrap_or_else(|| Draft::at_end_of(state));
        draft.job.end_offset = base_offset;
        draft.job.seals = true;
        state.shape.indexer.seal(&mut draft.job.time_index.bytes);
        state.shape.time_index_len = draft.job.time_index.end();
        self.send(Some(draft), jobs);
        self.had_producers = true;
        self.snapshots.push((base_offset, self.producers.snapshot()));
        let segment = Segment::new(&self.directory, base_offset, false);
        self.segments
            .insert(base_offset, SegmentState::empty(segment, now_ms));
    }

    /// Puts the largest timestamp so far into the active segment's time index, as the log is about to close.
    pub(super) fn seal_time_index(&mut self, jobs: &mut Vec<LaneJob>) {
        let end_offset = self.log_end_offset;
        let state = self.active_mut();
        if state.shape.size == 0 {
            return;
        }
        let mut draft = Draft::at_end_of(state);
        state.shape.indexer.seal(&mut draft.job.time_index.bytes);
        state.shape.time_index_len = draft.job.time_index.end();
        draft.job.end_offset = end_offset;
        draft.job.seals = true;
        self.send(Some(draft), jobs);
    }

    fn send(&mut self, draft: Option<Draft>, jobs: &mut Vec<LaneJob>) {
        let Some(Draft { job, base_offset }) = draft else {
            return;
        };
        let state = self
            .segments
            .get_mut(&base_offset)
            .expect("a draft is for a segment that is there");
        state.appends_in_flight += 1;
        let job = LaneJob {
            key: self.key,
            generation: self.generation,
            work: Work::Append(job),
        };
        self.outbox.emit(job, jobs);
    }
}

/// Positions in an offset index have 31 bits.
pub(crate) const SEGMENT_BYTES_MAX: u64 = i32::MAX as u64;

impl Draft {
    fn at_end_of(state: &SegmentState) -> Draft {
        let shape = &state.shape;
        let part = |position| IndexPart {
            position,
            bytes: Vec::new(),
        };
        let job = AppendJob {
            segment: Arc::clone(&state.segment),
            position: shape.size,
            size: 0,
            parts: Vec::new(),
            end_offset: 0,
            index: part(shape.index_len),
            time_index: part(shape.time_index_len),
            txn_index: part(shape.txn_index_len),
            seals: false,
        };
        Draft {
            job,
            base_offset: state.segment.base_offset,
        }
    }
}

impl IndexPart {
    fn end(&self) -> u64 {
        self.position + self.bytes.len() as u64
    }
}
