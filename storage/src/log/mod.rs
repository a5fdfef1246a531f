//! One partition's log: a core that decides and never touches the disk.
//!
//! `append` gives batches their place and hands out jobs; `on_done` learns what the disk made of them; `read`
//! answers from memory or with a job. Jobs go to the log directory's [lane](crate::lane), reads to any thread that
//! may wait. Only [`Log::open`] works on the disk itself.
//!
//! Invariant: log start offset <= recovery point <= written end <= log end offset, but for the log start, which
//! [`Log::delete_records_before`] may move up to the written end.
//!
//! Read on in `append`, `done` (what comes back), `upkeep` (flush, retention, truncation, end), `compact` and `read`.

mod append;
mod compact;
mod done;
mod read;
mod upkeep;

#[cfg(test)]
mod compact_model_tests;
#[cfg(test)]
mod compact_tests;
#[cfg(test)]
mod crash_tests;
#[cfg(test)]
mod idle_tests;
#[cfg(test)]
mod recovery_tests;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use klamm_protocol::record::{Batch, BatchHeader};

pub(crate) use append::SEGMENT_BYTES_MAX;
pub use append::{AppendError, Appended};
pub use done::Progress;
pub use read::{AbortedJob, Extents, Found, Lookup, LookupJob, Read, ReadError, ReadJob};

use crate::LogKey;
use crate::bug::Bug;
use crate::epochs::LeaderEpochs;
use crate::files::{Directory, OpenFiles};
use crate::lane::{LaneJob, Work};
use crate::producers::{ProducerCheck, ProducerError, ProducerState, Producers, Undo};
use crate::recovery::{self, OpenError, Recovered};
use crate::segment::Segment;
use crate::sidecars::{Extent, SegmentFacts, Shape};
use crate::sys::Fs;
use crate::tail::{LogTail, Tail};

/// What a topic's configuration says about its logs. Kafka's names and defaults.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogConfig {
    /// `segment.bytes`: a segment is never larger.
    pub segment_bytes: u64,
    /// `segment.ms`: a segment spans no more time than this.
    pub segment_ms: i64,
    /// `segment.index.bytes`: a segment ends when one of its indexes is so large.
    pub segment_index_bytes: u64,
    /// `index.interval.bytes`: one index entry for so many bytes.
    pub index_interval_bytes: u64,
    /// `cleanup.policy` contains `delete`.
    pub delete: bool,
    /// `cleanup.policy` contains `compact`.
    pub compact: bool,
    /// `retention.ms`, `None` for -1.
    pub retention_ms: Option<i64>,
    /// `retention.bytes`, `None` for -1.
    pub retention_bytes: Option<u64>,
    /// `flush.messages`: so many records may be written and not synced.
    pub flush_messages: Option<i64>,
    /// `flush.ms`: records may be written and not synced for so long.
    pub flush_ms: Option<i64>,
    /// `producer.id.expiration.ms`.
    pub producer_expiration_ms: i64,
    /// `min.cleanable.dirty.ratio` in percent: so much of what may be compacted has to be new.
    pub min_dirty_percent: u8,
    /// `min.compaction.lag.ms`: younger records are not compacted away.
    pub min_compaction_lag_ms: i64,
    /// `max.compaction.lag.ms`: older records are compacted, however few they are.
    pub max_compaction_lag_ms: i64,
    /// `delete.retention.ms`: so long a tombstone stays after the first compaction that sees it.
    pub delete_retention_ms: i64,
    /// A record counts as acknowledged once it is synced, and not when it is in the page cache.
    pub fsync_acknowledged: bool,
}

impl Default for LogConfig {
    fn default() -> LogConfig {
        LogConfig {
            segment_bytes: 1 << 30,
            segment_ms: 7 * 24 * 3_600_000,
            segment_index_bytes: 10 << 20,
            index_interval_bytes: 4096,
            delete: true,
            compact: false,
            retention_ms: Some(7 * 24 * 3_600_000),
            retention_bytes: None,
            flush_messages: None,
            flush_ms: None,
            producer_expiration_ms: 24 * 3_600_000,
            min_dirty_percent: 50,
            min_compaction_lag_ms: 0,
            max_compaction_lag_ms: i64::MAX,
            delete_retention_ms: 24 * 3_600_000,
            fsync_acknowledged: false,
        }
    }
}

/// What [`Log::open`] has to know.
#[derive(Clone)]
pub struct OpenOptions {
    /// Which log it is. A directory of another topic id is refused.
    pub key: LogKey,
    /// Where it lies; created when it is not there.
    pub directory: PathBuf,
    /// The topic's configuration.
    pub config: LogConfig,
    /// The memory for the newest batches, shared by all logs.
    pub tail: Arc<Tail>,
    /// The bound on open files, shared by all logs.
    pub open_files: Arc<OpenFiles>,
    /// Up to where the log is durable, from the log directory's checkpoint; 0 when that does not say.
    pub recovery_point: i64,
    /// Where the log starts, from the log directory's checkpoint; 0 when that does not say. A log that is created
    /// begins there.
    pub log_start_offset: i64,
    /// Up to where the log is compacted, from the log directory's checkpoint; 0 when that does not say.
    pub compacted_to: i64,
    /// The log directory was shut down cleanly: nothing is checked that need not be.
    pub clean: bool,
    /// Milliseconds since 1970.
    pub now_ms: i64,
}

/// One partition's log.
pub struct Log {
    key: LogKey,
    fs: Arc<dyn Fs>,
    directory: Arc<Directory>,
    config: LogConfig,
    tail: LogTail,
    /// By base offset; the last one is appended to. Never empty. Most logs have one: a node of the map has room for
    /// eleven, so they are boxed.
    segments: BTreeMap<i64, Box<SegmentState>>,
    log_start_offset: i64,
    log_end_offset: i64,
    written_end: i64,
    synced_end: i64,
    /// Batches that the lane has not reported yet, oldest first.
    pending: VecDeque<Pending>,
    epochs: LeaderEpochs,
    epochs_changed: bool,
    /// The newest leader epoch has no records yet. What is told again at every start need not be stored.
    epoch_is_empty: bool,
    producers: Producers,
    /// A producer wrote to the log, or a snapshot lies beside it: it has to be said who is remembered.
    had_producers: bool,
    /// Snapshots that are not on the disk yet, with the offsets they hold up to. The next flush writes them.
    snapshots: Vec<(i64, Bytes)>,
    /// Goes up when appends are given up: what is reported of older ones no longer counts.
    generation: u64,
    outbox: Outbox,
    /// What found no room on the disk, for [`Log::retry`].
    put_off: Vec<Work>,
    flush: Flush,
    truncation: Option<Truncation>,
    /// A file bounds the recovery point in the log directory's checkpoint, which may be from before a cut.
    bound: Option<i64>,
    /// Up to where a compaction has been.
    compacted_to: i64,
    /// The same, once what a compaction has made is in place.
    compacted_next: Option<i64>,
    compacting: bool,
    /// What a compaction has made is being put in place.
    swapping: bool,
    /// A compaction found damage.
    uncleanable: bool,
    phase: Phase,
    /// When it was opened, the disk was as [`Log::close`] leaves it.
    was_settled: bool,
    /// See [`Log::close_unsynced`].
    sync_follows: bool,
    last_flush_ms: i64,
    now_ms: i64,
}

/// A segment as the core knows it: what it has handed to the lane.
struct SegmentState {
    segment: Arc<Segment>,
    shape: Shape,
    /// Bytes that the lane has reported written.
    written: u64,
    appends_in_flight: usize,
    created_ms: i64,
    modified_ms: i64,
}

/// What has to be put back when an append fails.
struct Pending {
    end_offset: i64,
    base_offset: i64,
    before: Shape,
    producer: Undo,
}

/// The jobs of this log that the lane has, and those that must wait for one that has to be alone.
#[derive(Default)]
struct Outbox {
    in_flight: usize,
    alone: bool,
    held: VecDeque<LaneJob>,
    /// Something was asked of the disk since the log was opened.
    was_used: bool,
}

#[derive(Default)]
struct Flush {
    in_flight: bool,
    /// Segments below this base offset are synced with their indexes, once the flush in flight is done.
    next_unsynced_base: i64,
    /// The first segment that is not.
    unsynced_base: i64,
    /// Bytes written since the last flush began.
    unsynced_bytes: u64,
    /// Somebody asked that everything below be synced.
    wanted_to: i64,
}

/// While the end of the log is cut off, batches that follow wait here.
struct Truncation {
    /// Where the log shall end; with `reset`, where it shall begin anew.
    offset: i64,
    reset: bool,
    held: Vec<Batch>,
    /// The lane has the job. Before that, what is in flight has to come back.
    running: bool,
    /// Another cut was asked for meanwhile: its offset, and whether it is a reset.
    again: Option<(i64, bool)>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Phase {
    Open,
    /// `close` waits for what is in flight, then completes the time index, then syncs.
    Closing,
    ClosingSeal,
    ClosingFlush,
    Closed,
    Deleting,
    Deleted,
    Offline(String),
}

impl Outbox {
    fn emit(&mut self, job: LaneJob, jobs: &mut Vec<LaneJob>) {
        self.was_used = true;
        self.held.push_back(job);
        self.release(jobs);
    }

    fn finished(&mut self, jobs: &mut Vec<LaneJob>) {
        self.in_flight -= 1;
        self.alone &= self.in_flight > 0;
        self.release(jobs);
    }

    fn release(&mut self, jobs: &mut Vec<LaneJob>) {
        while let Some(next) = self.held.front() {
            if self.alone || (next.is_barrier() && self.in_flight > 0) {
                return;
            }
            self.alone = next.is_barrier();
            self.in_flight += 1;
            jobs.extend(self.held.pop_front());
        }
    }

    fn is_idle(&self) -> bool {
        self.in_flight == 0 && self.held.is_empty()
    }
}

impl SegmentState {
    fn empty(segment: Arc<Segment>, now_ms: i64) -> Box<SegmentState> {
        let shape = Shape::empty(segment.base_offset);
        SegmentState::from_facts(
            SegmentFacts {
                segment,
                shape,
                modified_ms: now_ms,
            },
            now_ms,
        )
    }

    fn from_facts(facts: SegmentFacts, created_ms: i64) -> Box<SegmentState> {
        let SegmentFacts {
            segment,
            shape,
            modified_ms,
        } = facts;
        Box::new(SegmentState {
            segment,
            shape,
            written: shape.size,
            appends_in_flight: 0,
            created_ms,
            modified_ms,
        })
    }

    /// The largest timestamp, or where records carry none when the segment was last appended to.
    fn largest_timestamp_ms(&self) -> i64 {
        match self.shape.indexer.max_timestamp().ms {
            -1 => self.modified_ms,
            ms => ms,
        }
    }

    /// The timestamp of the first batch, or where that has none when the segment was begun.
    fn first_timestamp_ms(&self) -> i64 {
        match self.shape.first_timestamp_ms {
            Some(ms) if ms >= 0 => ms,
            _ => self.created_ms,
        }
    }

    /// What is written of it.
    fn extent(&self) -> Extent {
        Extent {
            segment: Arc::clone(&self.segment),
            size: self.written,
            modified_ms: self.modified_ms,
            version: self.segment.version(),
        }
    }

    fn is_written(&self) -> bool {
        self.written == self.shape.size && self.appends_in_flight == 0
    }
}

impl Log {
    /// Opens a log, or creates it. Reads and writes the disk: for a thread that may wait.
    ///
    /// After a crash everything from the recovery point on is checked and then synced, so the recovery point of an
    /// open log is its end.
    ///
    /// # Errors
    /// [`OpenError`]; none of them changes what lies there below the recovery point.
    pub fn open(fs: &Arc<dyn Fs>, options: OpenOptions) -> Result<Log, OpenError> {
        let directory = Directory::new(options.directory.clone(), Arc::clone(&options.open_files));
        let directory = Arc::new(directory);
        let recovered = recovery::open(&**fs, &directory, &options)?;
        let Recovered {
            log_start_offset,
            log_end_offset,
            recovery_point,
            ..
        } = recovered;
        let states = recovered.segments.into_iter().map(|facts| {
            let base_offset = facts.segment.base_offset;
            (base_offset, SegmentState::from_facts(facts, options.now_ms))
        });
        let segments: BTreeMap<i64, Box<SegmentState>> = states.collect();
        let active_base = *segments
            .last_key_value()
            .expect("recovery gives at least one segment")
            .0;
        Ok(Log {
            key: options.key,
            fs: Arc::clone(fs),
            directory,
            config: options.config,
            tail: LogTail::new(&options.tail),
            segments,
            log_start_offset,
            log_end_offset,
            written_end: log_end_offset,
            synced_end: recovery_point,
            pending: VecDeque::new(),
            epochs: recovered.epochs,
            epochs_changed: false,
            epoch_is_empty: false,
            had_producers: recovered.had_producers,
            producers: recovered.producers,
            snapshots: Vec::new(),
            generation: 1,
            outbox: Outbox::default(),
            put_off: Vec::new(),
            flush: Flush {
                unsynced_base: active_base,
                ..Flush::default()
            },
            truncation: None,
            bound: recovered.bound,
            compacted_to: recovered.compacted_to,
            compacted_next: None,
            compacting: false,
            swapping: false,
            uncleanable: false,
            phase: Phase::Open,
            was_settled: recovered.is_settled,
            sync_follows: false,
            last_flush_ms: options.now_ms,
            now_ms: options.now_ms,
        })
    }

    /// Which log this is.
    pub fn key(&self) -> LogKey {
        self.key
    }

    /// The first offset that can be read.
    pub fn log_start_offset(&self) -> i64 {
        self.log_start_offset
    }

    /// The offset that the next record gets.
    pub fn log_end_offset(&self) -> i64 {
        self.log_end_offset
    }

    /// The offset behind the last record that is in the page cache. Nothing beyond it is ever read.
    pub fn written_end(&self) -> i64 {
        if Bug::EarlyPublish.is_on() {
            return self.log_end_offset;
        }
        self.below_cut(self.written_end)
    }

    /// The offset behind the last record that is durable; what the log directory's checkpoint is to say.
    pub fn recovery_point(&self) -> i64 {
        self.below_cut(self.synced_end)
    }

    /// Where the log starts, for the log directory's checkpoint; 0 where its first segment tells. Never beyond what
    /// [`Log::recovery_point`] says at the same time: of a log that ends before it starts, something is damaged.
    pub fn checkpointed_start(&self) -> i64 {
        let first = self.segments.keys().next().copied();
        let start = self.log_start_offset.min(self.recovery_point());
        if first.is_some_and(|first| first < start) {
            start
        } else {
            0
        }
    }

    /// The offset behind the last record that may be acknowledged: the written end, or the recovery point where
    /// the topic asks for fsync. This is a replica's position.
    pub fn acknowledged_end(&self) -> i64 {
        if self.config.fsync_acknowledged {
            self.recovery_point()
        } else {
            self.written_end()
        }
    }

    /// Whether the log waits to hear that its recovery point is in the checkpoint: see [`Log::on_checkpointed`].
    pub fn is_recovery_bounded(&self) -> bool {
        self.bound.is_some()
    }

    /// Whether the disk has failed under this log. It then takes no appends and gives no reads until it is opened
    /// again.
    pub fn is_offline(&self) -> bool {
        matches!(self.phase, Phase::Offline(_))
    }

    /// Why [`Log::is_offline`].
    pub fn offline_reason(&self) -> Option<&str> {
        match &self.phase {
            Phase::Offline(reason) => Some(reason),
            _ => None,
        }
    }

    /// Takes the log offline, as when another log's job found the disk failing.
    pub fn set_offline(&mut self, reason: &str) {
        if !matches!(self.phase, Phase::Offline(_) | Phase::Closed | Phase::Deleted) {
            self.phase = Phase::Offline(reason.to_owned());
        }
    }

    /// Bytes of all segments, as far as handed to the lane.
    pub fn size_bytes(&self) -> u64 {
        self.segments.values().map(|segment| segment.shape.size).sum()
    }

    /// Where each segment begins and when it was last appended to (milliseconds since 1970), oldest first.
    pub fn segment_times(&self) -> impl DoubleEndedIterator<Item = (i64, i64)> {
        self.segments
            .iter()
            .map(|(&base_offset, segment)| (base_offset, segment.modified_ms))
    }

    /// How many segments there are.
    pub fn segment_count(&self) -> usize {
        self.segments.len()
    }

    /// The leader epochs and where they begin.
    pub fn leader_epochs(&self) -> &LeaderEpochs {
        &self.epochs
    }

    /// Where an epoch ended, as `(epoch, end offset)`: see [`LeaderEpochs::end_offset_for`].
    pub fn end_offset_for_epoch(&self, epoch: i32) -> Option<(i32, i64)> {
        self.epochs.end_offset_for(epoch, self.log_end_offset)
    }

    /// Notes that a leader with this epoch took over at the end of the log, before it appends anything.
    pub fn assign_leader_epoch(&mut self, epoch: i32) {
        self.epoch_is_empty |= self.epochs.assign(epoch, self.log_end_offset);
    }

    /// The configuration in force.
    pub fn config(&self) -> &LogConfig {
        &self.config
    }

    /// Puts another configuration in force; what it means for segments there are is seen at the next append and
    /// at the next [`Log::retain`].
    pub fn set_config(&mut self, config: LogConfig) {
        self.config = config;
    }

    /// Whether a producer's batch may be appended, was appended before, or is refused. Only a leader asks; what a
    /// leader has appended, its followers take over unasked.
    ///
    /// # Errors
    /// [`ProducerError`], which has a wire code for each case.
    pub fn check_producer(&self, header: &BatchHeader) -> Result<ProducerCheck, ProducerError> {
        if self.truncation.is_some() && header.has_producer_id() {
            return Err(ProducerError::Truncating);
        }
        self.producers.check(header)
    }

    /// A batch was refused that will be sent again, and those behind it may come first: they are not to overtake it.
    pub fn refused(&mut self, header: &BatchHeader) {
        self.producers.refused(header);
    }

    /// Whether a transaction marker may be appended. `epoch_bumped`: its epoch is above that of the transaction.
    ///
    /// # Errors
    /// [`ProducerError::InvalidEpoch`], [`ProducerError::CoordinatorFenced`], [`ProducerError::Truncating`].
    pub fn check_marker(
        &self,
        producer_id: i64,
        producer_epoch: i16,
        coordinator_epoch: i32,
        epoch_bumped: bool,
    ) -> Result<(), ProducerError> {
        if self.truncation.is_some() {
            return Err(ProducerError::Truncating);
        }
        self.producers
            .check_marker(producer_id, producer_epoch, coordinator_epoch, epoch_bumped)
    }

    /// What the log remembers of one producer.
    pub fn producer(&self, producer_id: i64) -> Option<ProducerState> {
        self.producers.get(producer_id)
    }

    /// The producers that the log remembers, by id.
    pub fn producers(&self) -> impl Iterator<Item = ProducerState> {
        self.producers.iter()
    }

    /// How many producer ids the log remembers.
    pub fn producer_count(&self) -> usize {
        self.producers.len()
    }

    /// The offset below which no transaction is open, given the high watermark: the end of what a consumer with
    /// `read_committed` sees.
    pub fn last_stable_offset(&self, high_watermark: i64) -> i64 {
        self.producers
            .first_unstable_offset()
            .map_or(high_watermark, |first| first.min(high_watermark))
    }

    /// Tells that the high watermark has moved: transactions whose marker lies below it are stable.
    pub fn on_high_watermark(&mut self, high_watermark: i64) {
        self.producers.replicated(high_watermark);
    }

    /// While the log is being cut, what lies beyond the cut is gone already.
    fn below_cut(&self, offset: i64) -> i64 {
        match &self.truncation {
            Some(truncation) if truncation.reset => offset.min(self.log_start_offset),
            Some(truncation) => offset.min(truncation.offset),
            None => offset,
        }
    }

    /// Whether a truncation is on its way to the disk.
    pub fn is_truncating(&self) -> bool {
        self.truncation.is_some()
    }

    fn active(&self) -> (i64, &SegmentState) {
        let (base_offset, state) = self.segments.last_key_value().expect("there is always a segment");
        (*base_offset, state)
    }

    fn active_mut(&mut self) -> &mut SegmentState {
        self.segments
            .last_entry()
            .expect("there is always a segment")
            .into_mut()
    }
}
