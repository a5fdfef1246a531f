//! Reading: from the tail at once, from segments with a job for a thread that may wait.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::BytesMut;
use klamm_protocol::Records;
use klamm_protocol::record::{Batch, INFLATE_LIMIT_BYTES};
use thiserror::Error;

use super::{Log, Phase};
use crate::LogKey;
use crate::bug::Bug;
use crate::index::{OffsetIndex, TimeIndex, TimestampOffset};
use crate::scan::{ScanError, Scanner};
use crate::sidecars::{Extent, READ_HEADS, is_time_of, start_position};
use crate::sys::{File, Fs, Mode, read_exact_at};
use crate::tail::TailRead;
use crate::transactions::{self, AbortedTransaction};

/// Whole batches. The first may begin before the offset asked for; the reader leaves out what it has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Extents {
    /// The bytes, shared with the tail or with a mapping of the segment.
    pub records: Records,
    /// Where to read on: the offset behind the last batch, or the one asked for when there is none.
    pub next_offset: i64,
}

/// What [`Log::read`] gives.
pub enum Read {
    /// Here it is.
    Ready(Extents),
    /// It lies on disk.
    Job(ReadJob),
}

/// Why nothing can be read.
#[derive(Debug, Error)]
pub enum ReadError {
    /// `OFFSET_OUT_OF_RANGE`.
    #[error("offset {offset} is not in [{start}, {end}]")]
    OutOfRange {
        /// What was asked for.
        offset: i64,
        /// The log start offset.
        start: i64,
        /// The log end offset.
        end: i64,
    },
    /// The disk has failed; see [`Log::is_offline`].
    #[error("the log is offline: {0}")]
    Offline(String),
    /// The segment was deleted or cut meanwhile: ask the log again.
    #[error("the log has changed under the read")]
    Gone,
    /// What lies there is no batch, or nothing: bytes have changed since they were written. This concerns the log
    /// alone.
    #[error("{file} is damaged near offset {offset}: {reason}")]
    Damaged {
        /// The file.
        file: PathBuf,
        /// An offset at or before the damage.
        offset: i64,
        /// What is wrong, and where in the file.
        reason: String,
    },
    /// The disk does not give it. This concerns the log directory.
    #[error(transparent)]
    Io(io::Error),
}

/// What goes wrong while one segment is read.
enum Trouble {
    Io(io::Error),
    Damage(String),
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Trouble {
        match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::UnexpectedEof => Trouble::Damage(error.to_string()),
            _ => Trouble::Io(error),
        }
    }
}

impl From<ScanError> for Trouble {
    fn from(error: ScanError) -> Trouble {
        match error {
            ScanError::Io(error) => error.into(),
            error @ ScanError::Batch { .. } => Trouble::Damage(error.to_string()),
        }
    }
}

impl Trouble {
    /// What it means for who reads at `offset`: whatever is odd about files that have been cut, replaced or removed
    /// meanwhile is no damage.
    fn at(self, extent: &Extent, offset: i64) -> ReadError {
        let segment = &extent.segment;
        if !segment.is_still(extent.version) || segment.directory.is_going() {
            return ReadError::Gone;
        }
        match self {
            Trouble::Io(error) => {
                let text = format!("{}: {error}", segment.log.path().display());
                ReadError::Io(io::Error::new(error.kind(), text))
            }
            Trouble::Damage(reason) => ReadError::Damaged {
                file: segment.log.path(),
                offset: offset.max(segment.base_offset),
                reason,
            },
        }
    }
}

impl Log {
    /// Reads whole batches from the one that holds `from` on, at most `max_bytes` of them (but one whatever its
    /// size with `at_least_one`), none with an offset at or beyond `bound`. The bound is the high watermark, the
    /// last stable offset or, for a follower, the log end offset; the written end is a bound by itself.
    ///
    /// One answer never spans two segments, so that it never skips an offset.
    ///
    /// # Errors
    /// [`ReadError::OutOfRange`] and [`ReadError::Offline`]; the others come from jobs.
    pub fn read(
        &self,
        from: i64,
        bound: i64,
        max_bytes: usize,
        at_least_one: bool,
    ) -> Result<Read, ReadError> {
        self.check_readable()?;
        let (start, end) = (self.log_start_offset, self.log_end_offset);
        let from = if Bug::SkippedStart.is_on() {
            from.max(start)
        } else {
            from
        };
        if from < start || from > end {
            return Err(ReadError::OutOfRange {
                offset: from,
                start,
                end,
            });
        }
        let bound = bound.min(self.written_end());
        let ready = |records, next_offset| Ok(Read::Ready(Extents { records, next_offset }));
        if from >= bound {
            return ready(Records::default(), from);
        }
        if let TailRead::Hit { parts, next_offset } = self.tail.read(from, bound, max_bytes, at_least_one) {
            return ready(Records::from_parts(parts), next_offset);
        }
        let extents = self.extents_from(from);
        let fs = Arc::clone(&self.fs);
        Ok(Read::Job(ReadJob {
            key: self.key,
            fs,
            extents,
            from,
            bound,
            max_bytes,
            at_least_one,
            copies: false,
        }))
    }

    /// Looks an offset up by time. A job, as it reads indexes and batches.
    ///
    /// # Errors
    /// [`ReadError::Offline`].
    pub fn find(&self, what: Lookup, bound: i64) -> Result<LookupJob, ReadError> {
        self.check_readable()?;
        let bound = bound.min(self.written_end());
        let states = self.segments.values().filter(|state| state.written > 0);
        let with_time = states.map(|state| (state.extent(), state.shape.indexer.max_timestamp()));
        let extents: Vec<(Extent, TimestampOffset)> = match what {
            Lookup::AtOrAfter(ms) => with_time.filter(|(_, max)| max.ms >= ms).collect(),
            // The first of the largest: later segments do not have it earlier.
            Lookup::MaxTimestamp => with_time
                .filter(|(_, max)| max.offset < bound && max.offset >= self.log_start_offset)
                .reduce(|a, b| if b.1.ms > a.1.ms { b } else { a })
                .into_iter()
                .collect(),
        };
        Ok(LookupJob {
            key: self.key,
            fs: Arc::clone(&self.fs),
            extents,
            what,
            start: self.log_start_offset,
            bound,
        })
    }

    /// [`Log::find`] for the first record with a timestamp of `ms` or later.
    ///
    /// # Errors
    /// [`ReadError::Offline`].
    pub fn find_by_timestamp(&self, ms: i64, bound: i64) -> Result<LookupJob, ReadError> {
        self.find(Lookup::AtOrAfter(ms), bound)
    }

    fn check_readable(&self) -> Result<(), ReadError> {
        match &self.phase {
            Phase::Offline(reason) => Err(ReadError::Offline(reason.clone())),
            Phase::Deleting | Phase::Deleted => Err(ReadError::Gone),
            _ => Ok(()),
        }
    }

    /// The segments from the one that holds `from` on, as far as they are written. A compacted segment may end
    /// before `from`, so the next one with anything in it comes along.
    fn extents_from(&self, from: i64) -> Vec<Extent> {
        let first = self
            .segments
            .range(..=from)
            .next_back()
            .map_or(from, |(base_offset, _)| *base_offset);
        let written = self
            .segments
            .range(first..)
            .filter(|(_, state)| state.written > 0);
        written.take(2).map(|(_, state)| state.extent()).collect()
    }
}

/// A read from disk, to be run on a thread that may wait.
pub struct ReadJob {
    key: LogKey,
    fs: Arc<dyn Fs>,
    extents: Vec<Extent>,
    from: i64,
    bound: i64,
    max_bytes: usize,
    at_least_one: bool,
    copies: bool,
}

impl ReadJob {
    /// The same, giving bytes of its own and none that are lent from the file: for who looks into them. A page that
    /// the kernel dropped and that the disk then does not give again ends a process that touches it, but not one that
    /// hands it to a socket.
    #[must_use]
    pub fn copied(self) -> ReadJob {
        ReadJob { copies: true, ..self }
    }

    /// Which log it reads.
    pub fn key(&self) -> LogKey {
        self.key
    }

    /// At most so many bytes come from it, but for a first batch that is larger.
    pub fn max_bytes(&self) -> usize {
        self.max_bytes
    }

    /// Reads.
    ///
    /// # Errors
    /// [`ReadError::Gone`], [`ReadError::Damaged`] or [`ReadError::Io`].
    pub fn run(self) -> Result<Extents, ReadError> {
        for extent in &self.extents {
            let read = self.read_segment(extent);
            if let Some(extents) = read.map_err(|trouble| trouble.at(extent, self.from))? {
                return Ok(extents);
            }
            if !extent.segment.is_still(extent.version) {
                // What lies where it ended is another file now.
                return Err(ReadError::Gone);
            }
        }
        Ok(Extents {
            records: Records::default(),
            next_offset: self.from,
        })
    }

    /// `None` when the segment ends before the offset.
    fn read_segment(&self, extent: &Extent) -> Result<Option<Extents>, Trouble> {
        let (segment, size) = (&extent.segment, extent.size);
        let log = &*segment.log.open(&*self.fs, Mode::Read)?;
        let start = start_position(&*self.fs, segment, log, size, self.from)?;
        let mut scanner = Scanner::new(log, start, size, READ_HEADS);
        let (position, first) = loop {
            match scanner.next_header()? {
                Some((position, header)) if header.last_offset() >= self.from => break (position, header),
                Some(_) => {}
                None => return Ok(None),
            }
        };
        let first_size = first.total_size() as u64;
        let nothing = Extents {
            records: Records::default(),
            next_offset: self.from,
        };
        let fits = self.at_least_one || first_size <= self.max_bytes as u64;
        if first.last_offset() >= self.bound || !fits {
            if first.last_offset() >= self.bound {
                // A head that is wrong may say that it reaches as far, and its readers would wait for ever.
                Scanner::new(log, position, size, READ_HEADS).next_checked()?;
            }
            return Ok(Some(nothing));
        }
        // From here on everything is whole batches up to `end`, of which `next_offset` is the offset behind.
        let (mut end, mut next_offset) = (position + first_size, first.last_offset() + 1);
        let limit = size.min(position + self.max_bytes as u64);
        if let Some((boundary, behind)) = self.boundary_before(extent, log, limit)?
            && boundary > end
            && behind <= self.bound
        {
            (end, next_offset) = (boundary, behind);
        }
        let mut scanner = Scanner::new(log, end, size, READ_HEADS);
        while end < limit {
            let Some((position, header)) = scanner.next_header()? else {
                break;
            };
            let behind = position + header.total_size() as u64;
            if behind > limit || header.last_offset() >= self.bound {
                break;
            }
            (end, next_offset) = (behind, header.last_offset() + 1);
        }
        let len = usize::try_from(end - position).expect("what was asked for fits into memory");
        let bytes = if self.copies {
            let mut bytes = BytesMut::zeroed(len);
            read_exact_at(log, position, &mut bytes)?;
            bytes.freeze()
        } else {
            log.map(position, len)?
        };
        Ok(Some(Extents {
            records: Records::from(bytes),
            next_offset,
        }))
    }

    /// The end of the last indexed batch that ends at or below `limit`, and the offset behind it. Saves walking
    /// over all batches of a large read.
    fn boundary_before(&self, extent: &Extent, log: &dyn File, limit: u64) -> io::Result<Option<(u64, i64)>> {
        let segment = &extent.segment;
        let index = match segment.index.open(&*self.fs, Mode::Read) {
            Ok(index) => index,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let index = OffsetIndex::new(&*index, segment.base_offset)?;
        // An entry names the last offset of the batch that begins at its position.
        let by_offset = index.entry_at_or_below(self.bound - 1)?;
        let by_position = index.entry_before(limit)?;
        let Some(entry) = by_offset
            .into_iter()
            .chain(by_position)
            .min_by_key(|entry| entry.position)
        else {
            return Ok(None);
        };
        let head = Scanner::new(log, entry.position, extent.size, READ_HEADS).next_header();
        Ok(match head {
            Ok(Some((position, header)))
                if header.last_offset() == entry.offset && position + header.total_size() as u64 <= limit =>
            {
                Some((position + header.total_size() as u64, header.last_offset() + 1))
            }
            // A batch beyond the limit, or an index that is wrong: walk.
            _ => None,
        })
    }
}

/// What [`Log::find`] looks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lookup {
    /// The first record with this timestamp or a later one, milliseconds since 1970.
    AtOrAfter(i64),
    /// The record with the largest timestamp, the first of them (KIP-734).
    MaxTimestamp,
}

/// A record found by its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    /// Its offset.
    pub offset: i64,
    /// Its timestamp, milliseconds since 1970.
    pub timestamp_ms: i64,
    /// The leader epoch of its batch.
    pub leader_epoch: i32,
}

/// A look-up on disk, to be run on a thread that may wait.
pub struct LookupJob {
    key: LogKey,
    fs: Arc<dyn Fs>,
    extents: Vec<(Extent, TimestampOffset)>,
    what: Lookup,
    start: i64,
    bound: i64,
}

impl LookupJob {
    /// Which log it reads.
    pub fn key(&self) -> LogKey {
        self.key
    }

    /// Looks; `None` when there is no such record below the bound.
    ///
    /// # Errors
    /// As for [`ReadJob::run`].
    pub fn run(self) -> Result<Option<Found>, ReadError> {
        for (extent, max) in &self.extents {
            let wanted_ms = match self.what {
                Lookup::AtOrAfter(ms) => ms,
                Lookup::MaxTimestamp => max.ms,
            };
            let found = self.search(extent, wanted_ms);
            if let Some(found) = found.map_err(|trouble| trouble.at(extent, self.start))? {
                return Ok(Some(found).filter(|found| found.offset < self.bound));
            }
        }
        Ok(None)
    }

    fn search(&self, extent: &Extent, wanted_ms: i64) -> Result<Option<Found>, Trouble> {
        let (segment, fs) = (&extent.segment, &*self.fs);
        let log = segment.log.open(fs, Mode::Read)?;
        let older = match segment.time_index.open(fs, Mode::Read) {
            Ok(file) => TimeIndex::new(&*file, segment.base_offset)?.last_below(wanted_ms)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(error.into()),
        };
        // An entry that its batch does not confirm says nothing.
        let older = match older {
            Some(entry) => is_time_of(fs, segment, &*log, extent.size, entry)?.then_some(entry),
            None => None,
        };
        let from = older.map_or(self.start, |entry| entry.offset.max(self.start));
        let start = start_position(fs, segment, &*log, extent.size, from)?;
        let mut scanner = Scanner::new(&*log, start, extent.size, READ_HEADS);
        while let Some((position, header)) = scanner.next_header()? {
            let damaged = |reason: String| Trouble::Damage(format!("at position {position}: {reason}"));
            // The ends of transactions count, as in Kafka: what was written last may be one.
            if header.last_offset() < self.start || header.max_timestamp_ms < wanted_ms {
                continue;
            }
            let bytes = scanner.whole(position, &header)?;
            let batch = Batch::parse(bytes).map_err(|error| damaged(error.to_string()))?;
            let records = batch
                .records(INFLATE_LIMIT_BYTES)
                .map_err(|error| damaged(error.to_string()))?;
            for record in records {
                let record = record.map_err(|error| damaged(error.to_string()))?;
                let offset = header.base_offset + i64::from(record.offset_delta);
                if record.timestamp_ms >= wanted_ms && offset >= self.start {
                    let leader_epoch = header.leader_epoch;
                    return Ok(Some(Found {
                        offset,
                        timestamp_ms: record.timestamp_ms,
                        leader_epoch,
                    }));
                }
            }
        }
        Ok(None)
    }
}

/// The aborted transactions that touch what a `read_committed` consumer is given, to be run on a thread that may
/// wait.
pub struct AbortedJob {
    key: LogKey,
    fs: Arc<dyn Fs>,
    extents: Vec<Extent>,
    from: i64,
    until: i64,
}

impl Log {
    /// The aborted transactions with records in `[from, until)`.
    ///
    /// # Errors
    /// [`ReadError::Offline`].
    pub fn aborted_transactions(&self, from: i64, until: i64) -> Result<AbortedJob, ReadError> {
        self.check_readable()?;
        let first = self
            .segments
            .range(..=from)
            .next_back()
            .map_or(from, |(base_offset, _)| *base_offset);
        let with_entries = self
            .segments
            .range(first..)
            .filter(|(_, state)| state.shape.txn_index_len > 0);
        let extents = with_entries.map(|(_, state)| state.extent()).collect();
        Ok(AbortedJob {
            key: self.key,
            fs: Arc::clone(&self.fs),
            extents,
            from,
            until,
        })
    }
}

impl AbortedJob {
    /// Which log it reads.
    pub fn key(&self) -> LogKey {
        self.key
    }

    /// Whether there is nothing to look at: the answer is empty and costs nothing.
    pub fn is_empty(&self) -> bool {
        self.extents.is_empty()
    }

    /// Looks; in the order of first offsets.
    ///
    /// # Errors
    /// As for [`ReadJob::run`].
    pub fn run(self) -> Result<Vec<AbortedTransaction>, ReadError> {
        let mut found = Vec::new();
        for extent in &self.extents {
            let file = extent.segment.txn_index.open(&*self.fs, Mode::Read);
            let is_last = file
                .and_then(|file| transactions::collect_aborted(&*file, self.from, self.until, &mut found));
            if is_last.map_err(|error| Trouble::from(error).at(extent, self.from))? {
                break;
            }
        }
        found.sort_unstable();
        // A crash amid a compaction may have left an entry in two files.
        found.dedup();
        Ok(found)
    }
}
