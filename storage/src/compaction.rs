//! Compaction: of the records with one key the newest stays (Kafka: `Cleaner`).
//!
//! A [`CompactJob`] runs on a thread that may wait long. It reads the newest offset of every key in the part of the
//! log that no compaction has seen (the keys in memory are bounded; what does not fit waits for the next job), and
//! writes each segment that has something to lose anew, as `.cleaned` files under the same base offset. The log
//! then has the lane put them in place. Offsets never change, and neither does any record that stays.
//!
//! What else stays: records without a key; the batches that their producers may send again, empty if need be (Kafka
//! keeps the last one of each producer); transaction markers. Records of aborted transactions go. A tombstone stays for `delete.retention.ms`
//! after the first compaction that sees it: that fixes the delete horizon in the batch's head (KIP-534).

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::Arc;

use bytes::Bytes;
use klamm_protocol::record::{Batch, BatchBuilder, BatchHeader, INFLATE_LIMIT_BYTES, Record};

use crate::bug::Bug;
use crate::index::Indexer;
use crate::scan::{ScanError, Scanner};
use crate::segment::{self, CLEANED, INDEX, LOG, Segment, TIME_INDEX};
use crate::sidecars::{Extent, Shape};
use crate::sys::{File, Fs, Mode};
use crate::transactions::{self, Aborted};

/// What a key costs in memory beside its bytes.
const KEY_OVERHEAD_BYTES: usize = 80;
/// Batches are read, and collected for writing, in pieces of about this size.
const PIECE_BYTES: usize = 256 * 1024;

/// A compaction of one log's sealed segments.
pub struct CompactJob {
    pub(crate) fs: Arc<dyn Fs>,
    /// From the beginning of the log on, all of them complete and below what may be compacted.
    pub(crate) segments: Vec<Extent>,
    /// All segments that name aborted transactions: the marker may lie far behind the records.
    pub(crate) aborted_in: Vec<Extent>,
    /// Where the part begins that no compaction has seen.
    pub(crate) first_dirty: i64,
    /// The offset behind the last segment.
    pub(crate) end: i64,
    /// The last offset of each batch that its producer may send again, and that has to be recognised then.
    pub(crate) remembered: BTreeSet<i64>,
    pub(crate) now_ms: i64,
    pub(crate) delete_retention_ms: i64,
    pub(crate) index_interval_bytes: u64,
    /// Bytes of memory for keys.
    pub(crate) memory_bytes: usize,
}

/// What a compaction has made: for [`Log::on_compacted`](crate::Log::on_compacted).
pub struct Compacted {
    /// Each segment that gets new files, and their shape.
    pub(crate) segments: Vec<(Arc<Segment>, Shape)>,
    /// Up to where the log is compacted now.
    pub(crate) compacted_to: i64,
}

/// The newest offset of each key, as far as keys fit into memory.
struct Newest {
    offsets: BTreeMap<Box<[u8]>, i64>,
    /// Everything between the first dirty offset and this one is in there.
    end: i64,
}

impl CompactJob {
    /// Reads and writes for as long as it takes. Nothing of the log changes.
    ///
    /// # Errors
    /// Of the disk. `InvalidData` when there is no batch where one should be, and no other try will find one;
    /// `NotFound` and `UnexpectedEof` when segments went while they were read.
    pub fn run(self) -> io::Result<Compacted> {
        let compacted = self.compact();
        if compacted.is_err() {
            // Perhaps the disk is full.
            remove_cleaned(&*self.fs, self.segments.iter().map(|extent| &extent.segment));
        }
        compacted
    }

    fn compact(&self) -> io::Result<Compacted> {
        let aborted = self.aborted()?;
        let newest = self.newest(&aborted)?;
        let mut segments = Vec::new();
        for extent in self
            .segments
            .iter()
            .filter(|extent| extent.segment.base_offset < newest.end)
        {
            let cleaned = self.clean(extent, &newest, &aborted);
            if let Some(shape) = cleaned.map_err(|error| in_file(error, extent))? {
                segments.push((Arc::clone(&extent.segment), shape));
            }
        }
        Ok(Compacted {
            segments,
            compacted_to: newest.end,
        })
    }

    fn aborted(&self) -> io::Result<Vec<Aborted>> {
        let mut aborted = Vec::new();
        for extent in &self.aborted_in {
            match extent.segment.txn_index.open(&*self.fs, Mode::Read) {
                Ok(file) => transactions::read_all(&*file, &mut aborted)?,
                Err(error) => segment::absent_is_fine(Err(error))?,
            }
        }
        Ok(aborted)
    }

    fn newest(&self, aborted: &[Aborted]) -> io::Result<Newest> {
        let mut newest = Newest {
            offsets: BTreeMap::new(),
            end: self.first_dirty,
        };
        let mut used_bytes = 0;
        for extent in &self.segments {
            let log = extent.segment.log.open(&*self.fs, Mode::Read)?;
            let mut scanner = Scanner::new(&*log, 0, extent.size, PIECE_BYTES);
            while let Some((position, header)) = next(&mut scanner).map_err(|error| in_file(error, extent))? {
                if header.last_offset() < self.first_dirty {
                    continue;
                }
                if used_bytes > self.memory_bytes {
                    return Ok(newest);
                }
                newest.end = header.last_offset() + 1;
                if header.is_control() || is_aborted(&header, aborted) {
                    continue;
                }
                let records = records(&scanner, position, &header);
                for record in records.map_err(|error| in_file(error, extent))? {
                    let Some(key) = record.key else { continue };
                    let offset = header.base_offset + i64::from(record.offset_delta);
                    if let Some(known) = newest.offsets.get_mut(&key[..]) {
                        *known = offset;
                    } else {
                        used_bytes += key.len() + KEY_OVERHEAD_BYTES;
                        newest.offsets.insert(key.to_vec().into(), offset);
                    }
                }
            }
        }
        // Everything was read, also where compaction has left nothing at the end.
        newest.end = self.end;
        Ok(newest)
    }

    /// Writes a segment anew; `None` when nothing of it would change.
    fn clean(&self, extent: &Extent, newest: &Newest, aborted: &[Aborted]) -> io::Result<Option<Shape>> {
        let log = extent.segment.log.open(&*self.fs, Mode::Read)?;
        let mut scanner = Scanner::new(&*log, 0, extent.size, PIECE_BYTES);
        let mut changes = false;
        while !changes && let Some((position, header)) = next(&mut scanner)? {
            changes = !matches!(
                self.judge(&scanner, position, &header, newest, aborted)?,
                Verdict::Keep
            );
        }
        if !changes {
            return Ok(None);
        }
        let mut output = Output::create(&*self.fs, &extent.segment, self.index_interval_bytes)?;
        let mut scanner = Scanner::new(&*log, 0, extent.size, PIECE_BYTES);
        while let Some((position, header)) = next(&mut scanner)? {
            match self.judge(&scanner, position, &header, newest, aborted)? {
                Verdict::Keep => output.push(&header, [scanner.whole(position, &header)?])?,
                Verdict::Drop => {}
                Verdict::Replace(batch) => output.push(batch.header(), batch.parts())?,
            }
        }
        output.finish(&*self.fs, &extent.segment).map(Some)
    }

    fn judge(
        &self,
        scanner: &Scanner<'_>,
        position: u64,
        header: &BatchHeader,
        newest: &Newest,
        aborted: &[Aborted],
    ) -> io::Result<Verdict> {
        if header.is_control() {
            return Ok(Verdict::Keep);
        }
        let is_remembered = header.has_producer_id() && self.remembered.contains(&header.last_offset());
        if header.record_count == 0 {
            return Ok(if is_remembered {
                Verdict::Keep
            } else {
                Verdict::Drop
            });
        }
        let gone = is_aborted(header, aborted);
        let all = records(scanner, position, header)?;
        let count = all.len();
        let horizon = header.delete_horizon_ms();
        let tombstones_stay = horizon.is_none_or(|horizon_ms| self.now_ms < horizon_ms);
        let stays = |record: &Record| {
            let offset = header.base_offset + i64::from(record.offset_delta);
            let Some(key) = &record.key else { return !gone };
            let is_newest = newest
                .offsets
                .get(&key[..])
                .is_none_or(|newest| offset > *newest || offset == *newest && !Bug::LostKey.is_on());
            !gone && is_newest && (record.value.is_some() || tombstones_stay)
        };
        let kept: Vec<Record> = all.into_iter().filter(stays).collect();
        if kept.is_empty() && !is_remembered {
            return Ok(Verdict::Drop);
        }
        let has_tombstone = kept
            .iter()
            .any(|record| record.key.is_some() && record.value.is_none());
        let fixes_horizon = has_tombstone && horizon.is_none() && header.base_offset < newest.end;
        if kept.len() == count && !fixes_horizon {
            return Ok(Verdict::Keep);
        }
        let horizon = if fixes_horizon {
            Some(self.now_ms.saturating_add(self.delete_retention_ms))
        } else {
            horizon
        };
        Ok(Verdict::Replace(Box::new(rebuild(header, &kept, horizon))))
    }
}

enum Verdict {
    Keep,
    Drop,
    Replace(Box<Batch>),
}

/// The batch with other records, at the same offsets, for the same producer.
fn rebuild(header: &BatchHeader, records: &[Record], delete_horizon_ms: Option<i64>) -> Batch {
    let codec = header
        .compression()
        .expect("its records were read, so the codec is known");
    let mut builder = BatchBuilder::new(codec);
    builder.at(header.base_offset, header.leader_epoch);
    builder.producer(header.producer_id, header.producer_epoch, header.base_sequence);
    if header.is_transactional() {
        builder.transactional();
    }
    if let Some(horizon_ms) = delete_horizon_ms {
        builder.delete_horizon(horizon_ms);
    }
    for record in records {
        builder.append_record(record);
    }
    builder.last_offset_delta(header.last_offset_delta);
    let mut batch = builder.finish();
    if header.attributes.is_log_append_time() {
        batch.set_log_append_time(header.max_timestamp_ms);
    }
    batch
}

fn is_aborted(header: &BatchHeader, aborted: &[Aborted]) -> bool {
    header.is_transactional()
        && aborted.iter().any(|transaction| {
            transaction.producer_id == header.producer_id
                && (transaction.first_offset..=transaction.last_offset).contains(&header.base_offset)
        })
}

fn next(scanner: &mut Scanner<'_>) -> io::Result<Option<(u64, BatchHeader)>> {
    scanner.next_header().map_err(|error| match error {
        ScanError::Io(error) => error,
        error @ ScanError::Batch { .. } => invalid(error.to_string()),
    })
}

fn invalid(what: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

/// Damage is told with its place.
fn in_file(error: io::Error, extent: &Extent) -> io::Error {
    match error.kind() {
        io::ErrorKind::InvalidData => invalid(format!("{}: {error}", extent.segment.log.path().display())),
        _ => error,
    }
}

fn records(scanner: &Scanner<'_>, position: u64, header: &BatchHeader) -> io::Result<Vec<Record>> {
    let at = |error: &dyn std::error::Error| invalid(format!("at position {position}: {error}"));
    let batch = Batch::parse(scanner.whole(position, header)?).map_err(|error| at(&error))?;
    let records = batch.records(INFLATE_LIMIT_BYTES).map_err(|error| at(&error))?;
    records.collect::<Result<_, _>>().map_err(|error| at(&error))
}

/// The new files of a segment, on their way.
struct Output {
    file: Arc<dyn File>,
    pending: Vec<Bytes>,
    pending_bytes: usize,
    written: u64,
    shape: Shape,
    interval: u64,
    index: Vec<u8>,
    time_index: Vec<u8>,
}

impl Output {
    fn create(fs: &dyn Fs, segment: &Segment, interval: u64) -> io::Result<Output> {
        Ok(Output {
            file: fs.open(&cleaned(segment, LOG), Mode::Truncate)?,
            pending: Vec::new(),
            pending_bytes: 0,
            written: 0,
            shape: Shape::empty(segment.base_offset),
            interval,
            index: Vec::new(),
            time_index: Vec::new(),
        })
    }

    fn push(&mut self, header: &BatchHeader, parts: impl IntoIterator<Item = Bytes>) -> io::Result<()> {
        let Shape {
            indexer,
            size,
            first_timestamp_ms,
            ..
        } = &mut self.shape;
        indexer.batch(
            header,
            *size,
            self.interval,
            &mut self.index,
            &mut self.time_index,
        );
        first_timestamp_ms.get_or_insert(header.max_timestamp_ms);
        *size += header.total_size() as u64;
        self.pending_bytes += header.total_size();
        self.pending
            .extend(parts.into_iter().filter(|part| !part.is_empty()));
        if self.pending_bytes > PIECE_BYTES {
            self.write()
        } else {
            Ok(())
        }
    }

    fn write(&mut self) -> io::Result<()> {
        self.file
            .write_at(self.written, &std::mem::take(&mut self.pending))?;
        self.written += self.pending_bytes as u64;
        self.pending_bytes = 0;
        Ok(())
    }

    /// Everything is durable when this returns.
    fn finish(mut self, fs: &dyn Fs, segment: &Segment) -> io::Result<Shape> {
        self.write()?;
        self.file.sync_data()?;
        let indexer: &mut Indexer = &mut self.shape.indexer;
        indexer.seal(&mut self.time_index);
        self.shape.index_len = self.index.len() as u64;
        self.shape.time_index_len = self.time_index.len() as u64;
        for (suffix, content) in [(INDEX, self.index), (TIME_INDEX, self.time_index)] {
            let file = fs.open(&cleaned(segment, suffix), Mode::Truncate)?;
            file.write_at(0, &[content.into()])?;
            file.sync_data()?;
        }
        Ok(self.shape)
    }
}

fn cleaned(segment: &Segment, suffix: &str) -> std::path::PathBuf {
    let name = segment::file_name(segment.base_offset, suffix);
    segment.directory.path().join(format!("{name}{CLEANED}"))
}

/// Puts the new files of segments in place of the old ones.
pub(crate) struct SwapJob {
    pub(crate) segments: Vec<(Arc<Segment>, Shape)>,
}

impl SwapJob {
    /// For each segment: from the first rename on (`.log.swap`) a start of the log finishes what is left to do,
    /// making the indexes again. Before it, the old files stand.
    ///
    /// Gives how many were put in place: all, unless the disk has no room for the names. Then the new files of the
    /// others are gone.
    pub(crate) fn swap(&self, fs: &dyn Fs) -> io::Result<usize> {
        for (number, (segment, _)) in self.segments.iter().enumerate() {
            segment.changes();
            let directory = segment.directory.path();
            let log = segment.log.path();
            let swap = directory.join(format!("{}{}", segment.log.name(), segment::SWAP));
            match fs.rename(&cleaned(segment, LOG), &swap) {
                Err(error) if error.kind() == io::ErrorKind::StorageFull => {
                    segment.settled();
                    remove_cleaned(fs, self.segments[number..].iter().map(|(segment, _)| segment));
                    return Ok(number);
                }
                renamed => renamed?,
            }
            fs.sync_dir(&directory)?;
            for (file, suffix) in [(&segment.index, INDEX), (&segment.time_index, TIME_INDEX)] {
                fs.rename(&cleaned(segment, suffix), &file.path())?;
                file.close();
            }
            fs.rename(&swap, &log)?;
            segment.log.close();
            fs.sync_dir(&directory)?;
        }
        Ok(self.segments.len())
    }
}

/// What was made for nothing goes; what stays all the same goes at the next start.
fn remove_cleaned<'a>(fs: &dyn Fs, segments: impl Iterator<Item = &'a Arc<Segment>>) {
    for segment in segments {
        for suffix in [LOG, INDEX, TIME_INDEX] {
            let _ = fs.remove(&cleaned(segment, suffix));
        }
    }
}

/// Finishes the swaps that a crash has interrupted; the indexes are made again by whoever checks them next.
pub(crate) fn finish_swaps(fs: &dyn Fs, directory: &std::path::Path) -> io::Result<()> {
    let mut finished = false;
    for entry in fs.list_dir(directory)? {
        let Some(name) = entry.name.strip_suffix(segment::SWAP) else {
            continue;
        };
        if let Some(base_offset) = segment::offset_of(name, LOG) {
            for suffix in [INDEX, TIME_INDEX] {
                let path = directory.join(segment::file_name(base_offset, suffix));
                segment::absent_is_fine(fs.remove(&path))?;
            }
            fs.rename(&directory.join(&entry.name), &directory.join(name))?;
        } else {
            fs.remove(&directory.join(&entry.name))?;
        }
        finished = true;
    }
    if finished { fs.sync_dir(directory) } else { Ok(()) }
}
