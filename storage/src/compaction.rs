//! Compaction: of the records with one key the newest stays (Kafka: `Cleaner`).
//!
//! A [`CompactJob`] runs on a thread that may wait long. It reads the newest offset of every key in the part of the
//! log that no compaction has seen (the keys in memory are bounded; what does not fit waits for the next job), and
//! writes each segment that has something to lose anew, as `.cleaned` files under the same base offset; neighbours
//! that fit into one segment become one. The log then has the lane put them in place. Offsets never change, and
//! neither does any record that stays.
//!
//! What else stays: records without a key; the batches that their producers may send again, empty if need be (Kafka
//! keeps the last one of each producer). Records of aborted transactions go. A tombstone stays for
//! `delete.retention.ms` after the first compaction that sees it: that fixes the delete horizon in the batch's head
//! (KIP-534). So does the marker of a transaction, after the first compaction that finds no batch left of it; from
//! then on the index of aborted transactions does not name that one either. It must not outlive the marker: who leaves
//! out an aborted transaction does so up to its marker.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use klamm_protocol::record::{Batch, BatchBuilder, BatchHeader, INFLATE_LIMIT_BYTES, Record};

use crate::bug::Bug;
use crate::files::Directory;
use crate::index::Indexer;
use crate::log::SEGMENT_BYTES_MAX;
use crate::producers::EndedTransaction;
use crate::replay::Damaged;
use crate::scan::{ScanError, Scanner};
use crate::segment::{
    self, CLEANED, INDEX, LOG, SNAPSHOT, SWAP, Segment, TIME_INDEX, TXN_INDEX, absent_is_fine,
};
use crate::sidecars::{Extent, Shape};
use crate::sys::{File, Fs, Mode, is_no_room};
use crate::transactions;

/// What a key costs in memory beside its bytes.
const KEY_OVERHEAD_BYTES: usize = 80;
/// Batches are read, and collected for writing, in pieces of about this size.
const PIECE_BYTES: usize = 256 * 1024;

/// Our own file beside a log, and empty: it was compacted some time, so that there may be offsets without a record,
/// whatever the topic's configuration says now.
pub(crate) const COMPACTED_FILE: &str = "compacted";

/// A compaction of one log's sealed segments.
pub struct CompactJob {
    pub(crate) fs: Arc<dyn Fs>,
    pub(crate) directory: Arc<Directory>,
    /// Of the log, when the job began.
    pub(crate) generation: u64,
    /// From the beginning of the log on, all of them complete and below what may be compacted; those together that fit
    /// into one.
    pub(crate) groups: Vec<Vec<Extent>>,
    /// All segments that name aborted transactions: the marker may lie far behind the records.
    pub(crate) aborted_in: Vec<Extent>,
    /// Where the part begins that no compaction has seen.
    pub(crate) first_dirty: i64,
    /// The offset behind the last segment.
    pub(crate) end: i64,
    /// The last offset of each batch that its producer may send again, and that has to be recognised then.
    pub(crate) remembered: BTreeSet<i64>,
    /// Producers of which nothing but a marker may be left that tells of them, with their epochs.
    pub(crate) marked: BTreeMap<i64, i16>,
    pub(crate) now_ms: i64,
    pub(crate) delete_retention_ms: i64,
    pub(crate) index_interval_bytes: u64,
    /// Bytes of memory for keys.
    pub(crate) memory_bytes: usize,
}

/// What a compaction has made: for [`Log::on_compacted`](crate::Log::on_compacted).
pub struct Compacted {
    pub(crate) generation: u64,
    pub(crate) merged: Vec<Merged>,
    /// Up to where the log is compacted now.
    pub(crate) compacted_to: i64,
}

/// Segments that follow each other, and the shape of the new files that take their place under the name of the first.
#[derive(Debug)]
pub(crate) struct Merged {
    pub(crate) segments: Vec<Arc<Segment>>,
    pub(crate) shape: Shape,
    /// The new files count.
    begun: bool,
}

/// The newest offset of each key, as far as keys fit into memory.
struct Newest {
    offsets: BTreeMap<Box<[u8]>, i64>,
    /// Everything between the first dirty offset and this one is in there.
    end: i64,
}

/// By producer id and marker.
type Aborted = BTreeMap<(i64, i64), EndedTransaction>;

/// What a compaction knows while it goes through the log from its beginning.
struct Pass<'a> {
    job: &'a CompactJob,
    newest: Newest,
    aborted: Aborted,
    /// Producers with batches in a transaction whose marker is still to come.
    in_transaction: BTreeSet<i64>,
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
            let firsts = self.groups.iter().filter_map(|group| group.first());
            remove_cleaned(&*self.fs, firsts.map(|extent| &extent.segment));
        }
        compacted
    }

    fn compact(&self) -> io::Result<Compacted> {
        let aborted = self.aborted()?;
        let newest = self.newest(&aborted)?;
        let compacted_to = newest.end;
        let mut pass = Pass {
            job: self,
            newest,
            aborted,
            in_transaction: BTreeSet::new(),
        };
        let mut merged = Vec::new();
        for group in &self.groups {
            let reached = group
                .iter()
                .take_while(|extent| extent.segment.base_offset < compacted_to);
            let group = &group[..reached.count()];
            if let Some(shape) = pass.clean(group)? {
                let segments = group.iter().map(|extent| Arc::clone(&extent.segment));
                merged.push(Merged {
                    segments: segments.collect(),
                    shape,
                    begun: false,
                });
            }
        }
        if !merged.is_empty() {
            let directory = self.directory.path();
            self.fs.open(&directory.join(COMPACTED_FILE), Mode::Create)?;
            // A start that finishes a swap has to find every name.
            self.fs.sync_dir(&directory)?;
        }
        Ok(Compacted {
            generation: self.generation,
            merged,
            compacted_to,
        })
    }

    fn aborted(&self) -> io::Result<Aborted> {
        let mut aborted = Vec::new();
        for extent in &self.aborted_in {
            match extent.segment.txn_index.open(&*self.fs, Mode::Read) {
                Ok(file) => transactions::read_all(&*file, &mut aborted)?,
                Err(error) => absent_is_fine(Err(error))?,
            }
        }
        let by_marker = |ended: EndedTransaction| ((ended.producer_id, ended.last_offset), ended);
        Ok(aborted.into_iter().map(by_marker).collect())
    }

    fn newest(&self, aborted: &Aborted) -> io::Result<Newest> {
        let mut newest = Newest {
            offsets: BTreeMap::new(),
            end: self.first_dirty,
        };
        let mut used_bytes = 0;
        for extent in self.groups.iter().flatten() {
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
}

impl Pass<'_> {
    /// Writes segments anew, as one; `None` when nothing would change.
    fn clean(&mut self, group: &[Extent]) -> io::Result<Option<Shape>> {
        let Some(first) = group.first() else {
            return Ok(None);
        };
        if group.len() == 1 {
            let before = self.in_transaction.clone();
            if !self.changes(first).map_err(|error| in_file(error, first))? {
                return Ok(None);
            }
            self.in_transaction = before;
        }
        let CompactJob {
            fs,
            index_interval_bytes,
            ..
        } = self.job;
        let mut output = Output::create(&**fs, &first.segment, *index_interval_bytes)?;
        for extent in group {
            self.copy(extent, &mut output)
                .map_err(|error| in_file(error, extent))?;
        }
        let named = |extent: &Extent| extent.segment.base_offset == first.segment.base_offset;
        let had_txn_index = self.job.aborted_in.iter().any(named);
        output.finish(&**fs, &first.segment, had_txn_index).map(Some)
    }

    fn changes(&mut self, extent: &Extent) -> io::Result<bool> {
        let log = extent.segment.log.open(&*self.job.fs, Mode::Read)?;
        let mut scanner = Scanner::new(&*log, 0, extent.size, PIECE_BYTES);
        while let Some((position, header)) = next(&mut scanner)? {
            if !matches!(self.judge(&scanner, position, &header)?, Verdict::Keep) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn copy(&mut self, extent: &Extent, output: &mut Output) -> io::Result<()> {
        let log = extent.segment.log.open(&*self.job.fs, Mode::Read)?;
        let mut scanner = Scanner::new(&*log, 0, extent.size, PIECE_BYTES);
        while let Some((position, header)) = next(&mut scanner)? {
            if header.is_control()
                && self.in_transaction.contains(&header.producer_id)
                && let Some(ended) = self.aborted.get(&(header.producer_id, header.last_offset()))
            {
                transactions::put_aborted(&mut output.txn_index, ended);
            }
            match self.judge(&scanner, position, &header)? {
                Verdict::Keep => output.push(&header, [scanner.whole(position, &header)?])?,
                Verdict::Drop => {}
                Verdict::Replace(batch) => output.push(batch.header(), batch.parts())?,
            }
        }
        Ok(())
    }

    fn judge(&mut self, scanner: &Scanner<'_>, position: u64, header: &BatchHeader) -> io::Result<Verdict> {
        if header.is_control() {
            return self.judge_marker(scanner, position, header);
        }
        if header.is_transactional() {
            self.in_transaction.insert(header.producer_id);
        }
        let Pass {
            job, newest, aborted, ..
        } = self;
        let is_remembered = header.has_producer_id() && job.remembered.contains(&header.last_offset());
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
        let tombstones_stay = horizon.is_none_or(|horizon_ms| job.now_ms < horizon_ms);
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
            Some(job.horizon_ms())
        } else {
            horizon
        };
        Ok(Verdict::Replace(Box::new(rebuild(header, &kept, horizon))))
    }

    /// Kafka: `CleanedTransactionMetadata.onControlBatchRead`.
    fn judge_marker(
        &mut self,
        scanner: &Scanner<'_>,
        position: u64,
        header: &BatchHeader,
    ) -> io::Result<Verdict> {
        let ends_something = self.in_transaction.remove(&header.producer_id);
        let job = self.job;
        let tells_of_producer = job.marked.get(&header.producer_id) == Some(&header.producer_epoch);
        if ends_something || tells_of_producer || !header.is_transactional() {
            return Ok(Verdict::Keep);
        }
        Ok(match header.delete_horizon_ms() {
            Some(horizon_ms) if horizon_ms <= job.now_ms => Verdict::Drop,
            None if header.base_offset < self.newest.end => {
                let records = records(scanner, position, header)?;
                Verdict::Replace(Box::new(rebuild(header, &records, Some(job.horizon_ms()))))
            }
            _ => Verdict::Keep,
        })
    }
}

impl CompactJob {
    fn horizon_ms(&self) -> i64 {
        self.now_ms.saturating_add(self.delete_retention_ms)
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
    if header.is_control() {
        builder.control();
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

fn is_aborted(header: &BatchHeader, aborted: &Aborted) -> bool {
    // Transactions of one producer follow each other.
    let from = (header.producer_id, header.base_offset);
    let next = aborted.range(from..=(header.producer_id, i64::MAX)).next();
    header.is_transactional() && next.is_some_and(|(_, ended)| ended.first_offset <= header.base_offset)
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
    let records: Vec<Record> = records.collect::<Result<_, _>>().map_err(|error| at(&error))?;
    // A compressed batch is taken by its head alone, unless the topic was compacted already.
    let deltas = || records.iter().map(|record| record.offset_delta);
    let ascend = deltas().zip(deltas().skip(1)).all(|(one, next)| one < next);
    let inside = deltas().all(|delta| (0..=header.last_offset_delta).contains(&delta));
    if !ascend || !inside {
        return Err(invalid(format!(
            "at position {position}: offsets of records that its head does not have"
        )));
    }
    Ok(records)
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
    txn_index: Vec<u8>,
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
            txn_index: Vec::new(),
        })
    }

    fn push(&mut self, header: &BatchHeader, parts: impl IntoIterator<Item = Bytes>) -> io::Result<()> {
        if self.shape.size + header.total_size() as u64 > SEGMENT_BYTES_MAX {
            return Err(invalid("a segment that has become larger than one may be"));
        }
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

    /// Everything is durable when this returns. A segment that had an index of aborted transactions gets an empty one
    /// instead of none.
    fn finish(mut self, fs: &dyn Fs, segment: &Segment, had_txn_index: bool) -> io::Result<Shape> {
        self.write()?;
        self.file.sync_data()?;
        let indexer: &mut Indexer = &mut self.shape.indexer;
        indexer.seal(&mut self.time_index);
        self.shape.index_len = self.index.len() as u64;
        self.shape.time_index_len = self.time_index.len() as u64;
        self.shape.txn_index_len = self.txn_index.len() as u64;
        let has_txn_index = had_txn_index || !self.txn_index.is_empty();
        let txn_index = has_txn_index.then_some((TXN_INDEX, self.txn_index));
        let indexes = [(INDEX, self.index), (TIME_INDEX, self.time_index)];
        for (suffix, content) in indexes.into_iter().chain(txn_index) {
            let file = fs.open(&cleaned(segment, suffix), Mode::Truncate)?;
            file.write_at(0, &[content.into()])?;
            file.sync_data()?;
        }
        Ok(self.shape)
    }
}

fn cleaned(segment: &Segment, suffix: &str) -> PathBuf {
    let name = segment::file_name(segment.base_offset, suffix);
    segment.directory.path().join(format!("{name}{CLEANED}"))
}

/// Puts the new files of segments in place of the old ones.
pub(crate) struct SwapJob {
    pub(crate) directory: Arc<Directory>,
    pub(crate) merged: Vec<Merged>,
    /// New files were made for these, and some of the segments are no longer there that were read for them.
    pub(crate) useless: Vec<Arc<Segment>>,
}

impl SwapJob {
    /// Oldest first. Whatever fails for want of room once a group has begun can be done again; before that, its new files
    /// go, and those of the groups behind it.
    ///
    /// Gives whether all are in place.
    pub(crate) fn swap(&mut self, fs: &dyn Fs) -> io::Result<bool> {
        remove_cleaned(fs, self.useless.iter());
        for number in 0..self.merged.len() {
            let merged = &mut self.merged[number];
            if !merged.begun {
                merged.segments.iter().for_each(|segment| segment.changes());
                match merged.begin(fs) {
                    Err(error) if is_no_room(&error) => {
                        merged.segments.iter().for_each(|segment| segment.settled());
                        let left = self.merged.drain(number..);
                        let firsts: Vec<_> = left.map(|merged| Arc::clone(merged.first())).collect();
                        remove_cleaned(fs, firsts.iter());
                        return Ok(false);
                    }
                    begun => begun?,
                }
                merged.begun = true;
            }
            merged.finish(fs)?;
        }
        Ok(true)
    }
}

impl Merged {
    pub(crate) fn first(&self) -> &Arc<Segment> {
        self.segments.first().expect("a group is not empty")
    }

    /// From this rename on the new log counts: a start of the log finishes what is left to do, making the indexes again
    /// but for that of aborted transactions, which is there. Before it, the old files stand.
    fn begin(&self, fs: &dyn Fs) -> io::Result<()> {
        let log = &self.first().log;
        let swap = log.path().with_file_name(format!("{}{SWAP}", log.name()));
        fs.rename(&cleaned(self.first(), LOG), &swap)
    }

    /// Whatever of this was done before is not there to be done again.
    fn finish(&self, fs: &dyn Fs) -> io::Result<()> {
        let (first, others) = (self.first(), &self.segments[1..]);
        let directory = first.directory.path();
        fs.sync_dir(&directory)?;
        for segment in others.iter().rev() {
            segment.mark_deleted(fs)?;
        }
        put_txn_index(fs, &directory, first.base_offset)?;
        for (file, suffix) in [(&first.index, INDEX), (&first.time_index, TIME_INDEX)] {
            absent_is_fine(fs.rename(&cleaned(first, suffix), &file.path()))?;
        }
        // Neither the old index of aborted transactions nor a segment that is in the new log may meet that log.
        fs.sync_dir(&directory)?;
        let log = first.log.path();
        let swap = log.with_file_name(format!("{}{SWAP}", first.log.name()));
        absent_is_fine(fs.rename(&swap, &log))?;
        for file in [&first.log, &first.index, &first.time_index, &first.txn_index] {
            file.close();
        }
        fs.sync_dir(&directory)?;
        for segment in others {
            segment.remove_deleted(fs)?;
            let snapshot = segment::file_name(segment.base_offset, SNAPSHOT);
            absent_is_fine(fs.remove(&directory.join(snapshot)))?;
        }
        Ok(())
    }
}

/// Puts the index of aborted transactions that a compaction has made in place of the old one. An empty one is none.
fn put_txn_index(fs: &dyn Fs, directory: &Path, base_offset: i64) -> io::Result<()> {
    let path = directory.join(segment::file_name(base_offset, TXN_INDEX));
    let made = path.with_file_name(format!("{}{CLEANED}", segment::file_name(base_offset, TXN_INDEX)));
    let is_empty = match fs.open(&made, Mode::Read) {
        Ok(file) => file.is_empty()?,
        Err(error) => return absent_is_fine(Err(error)),
    };
    if is_empty {
        absent_is_fine(fs.remove(&path))?;
        fs.remove(&made)
    } else {
        fs.rename(&made, &path)
    }
}

/// What was made for nothing goes; what stays all the same goes at the next start.
fn remove_cleaned<'a>(fs: &dyn Fs, segments: impl Iterator<Item = &'a Arc<Segment>>) {
    for segment in segments {
        for suffix in [LOG, INDEX, TIME_INDEX, TXN_INDEX] {
            let _ = fs.remove(&cleaned(segment, suffix));
        }
    }
}

/// Finishes the swaps that a crash has interrupted; the indexes are made again by whoever checks them next.
///
/// Of the segments that were merged, those are known by their offsets in whose place the new one has something. One
/// behind these may come back as it was: the compaction did not come to its end, and the next one begins where it did.
pub(crate) fn finish_swaps(fs: &dyn Fs, directory: &Path) -> io::Result<()> {
    let entries = fs.list_dir(directory)?;
    let swaps = entries.iter().filter_map(|entry| entry.name.strip_suffix(SWAP));
    let mut finished = false;
    for name in swaps {
        finished = true;
        let swap = directory.join(format!("{name}{SWAP}"));
        let Some(base_offset) = segment::offset_of(name, LOG) else {
            fs.remove(&swap)?;
            continue;
        };
        let last_offset = last_offset(fs, &swap, base_offset)?;
        for other in entries.iter().rev() {
            let offset = segment::offset_of(&other.name, LOG);
            if offset.is_some_and(|offset| base_offset < offset && offset <= last_offset) {
                // Its indexes have no log any more, and go as such.
                fs.remove(&directory.join(&other.name))?;
            }
        }
        put_txn_index(fs, directory, base_offset)?;
        fs.sync_dir(directory)?;
        for suffix in [INDEX, TIME_INDEX] {
            let path = directory.join(segment::file_name(base_offset, suffix));
            absent_is_fine(fs.remove(&path))?;
        }
        fs.rename(&swap, &directory.join(name))?;
    }
    if finished { fs.sync_dir(directory) } else { Ok(()) }
}

fn last_offset(fs: &dyn Fs, path: &Path, base_offset: i64) -> io::Result<i64> {
    let log = fs.open(path, Mode::Read)?;
    let mut scanner = Scanner::new(&*log, 0, log.len()?, PIECE_BYTES);
    let mut last = base_offset;
    loop {
        match scanner.next_checked() {
            Ok(Some((_, header))) => last = header.last_offset(),
            Ok(None) => return Ok(last),
            Err(ScanError::Io(error)) => return Err(error),
            Err(error @ ScanError::Batch { .. }) => {
                return Err(io::Error::other(Damaged {
                    file: path.to_owned(),
                    base_offset,
                    reason: error.to_string(),
                }));
            }
        }
    }
}
