//! The indexes beside a segment as recovery sees them: whether they fit, what they say, and making them again.
//!
//! Nothing here is believed that a batch does not confirm.

use std::io;
use std::sync::Arc;

use klamm_protocol::record::BatchHeader;

use crate::files::LazyFile;
use crate::index::{self, Indexer, OffsetIndex, TimeIndex, TimestampOffset};
use crate::scan::{ScanError, Scanner};
use crate::segment::{Segment, absent_is_fine};
use crate::sys::{self, File, Fs, Mode};

/// Read-ahead for looking at heads.
pub(crate) const READ_HEADS: usize = 8 * 1024;
/// A segment and how many of its bytes count.
#[derive(Clone)]
pub(crate) struct Extent {
    pub(crate) segment: Arc<Segment>,
    pub(crate) size: u64,
    /// When the `.log` file last changed, milliseconds since 1970.
    pub(crate) modified_ms: i64,
    /// [`Segment::version`] of what is meant.
    pub(crate) version: u64,
}

/// What the core has to know of a segment.
pub(crate) struct SegmentFacts {
    pub(crate) segment: Arc<Segment>,
    pub(crate) shape: Shape,
    /// When it was last appended to, milliseconds since 1970.
    pub(crate) modified_ms: i64,
}

/// How far the files of a segment reach, and what the next append has to know.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    pub(crate) size: u64,
    pub(crate) index_len: u64,
    pub(crate) time_index_len: u64,
    pub(crate) txn_index_len: u64,
    pub(crate) indexer: Indexer,
    /// Max timestamp of the first batch; time-based rolling counts from it.
    pub(crate) first_timestamp_ms: Option<i64>,
}

impl Shape {
    pub(crate) fn empty(base_offset: i64) -> Shape {
        Shape {
            size: 0,
            index_len: 0,
            time_index_len: 0,
            txn_index_len: 0,
            indexer: Indexer::new(base_offset),
            first_timestamp_ms: None,
        }
    }
}

impl std::fmt::Debug for SegmentFacts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "segment {}: {:?}", self.segment.base_offset, self.shape)
    }
}

/// The indexes of a segment, made anew.
pub(crate) struct Rebuilt {
    indexer: Indexer,
    index: Vec<u8>,
    time_index: Vec<u8>,
}

impl Rebuilt {
    pub(crate) fn new(base_offset: i64) -> Rebuilt {
        Rebuilt {
            indexer: Indexer::new(base_offset),
            index: Vec::new(),
            time_index: Vec::new(),
        }
    }

    pub(crate) fn batch(&mut self, header: &BatchHeader, position: u64, interval: u64) {
        self.indexer
            .batch(header, position, interval, &mut self.index, &mut self.time_index);
    }

    /// Files are replaced as a whole: one that a crash left half made could not be told from a right one. Their names
    /// are left to be synced by the caller.
    pub(crate) fn write(mut self, fs: &dyn Fs, segment: &Segment, sealed: bool) -> io::Result<()> {
        if sealed {
            self.indexer.seal(&mut self.time_index);
        }
        for (file, bytes) in [
            (&segment.index, self.index),
            (&segment.time_index, self.time_index),
        ] {
            file.close();
            sys::put(fs, &file.path(), bytes.into(), true)?;
        }
        Ok(())
    }
}

/// Whether the indexes can belong to the segment: whole entries, the last one inside it, and not simply gone.
pub(crate) fn sidecars_fit(fs: &dyn Fs, extent: &Extent, interval: u64) -> io::Result<bool> {
    let segment = &extent.segment;
    let open = |file: &LazyFile| match file.open(fs, Mode::Write) {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    };
    let (Some(index), Some(time_index)) = (open(&segment.index)?, open(&segment.time_index)?) else {
        return Ok(false);
    };
    if index.len()? % index::OFFSET_ENTRY != 0 || time_index.len()? % index::TIME_ENTRY != 0 {
        return Ok(false);
    }
    if index.is_empty()? && extent.size > 2 * interval {
        // Perhaps a segment of one batch, perhaps an index that never reached the disk.
        return Ok(false);
    }
    let log = segment.log.open(fs, Mode::Write)?;
    if let Some(last) = OffsetIndex::new(&*index, segment.base_offset)?.last()? {
        match head_at(&*log, last.position, extent.size)? {
            Some(header) if header.last_offset() == last.offset => {}
            _ => return Ok(false),
        }
    }
    match TimeIndex::new(&*time_index, segment.base_offset)?.last()? {
        Some(last) => is_time_of(fs, segment, &*log, extent.size, last),
        None => Ok(true),
    }
}

/// What is no batch is as good as the end.
fn whole(next: Result<Option<(u64, BatchHeader)>, ScanError>) -> io::Result<Option<(u64, BatchHeader)>> {
    match next {
        Ok(found) => Ok(found),
        Err(ScanError::Batch { .. }) => Ok(None),
        Err(ScanError::Io(error)) => Err(error),
    }
}

/// The head of the batch that begins at `position`, if one does.
fn head_at(log: &dyn File, position: u64, size: u64) -> io::Result<Option<BatchHeader>> {
    match Scanner::new(log, position, size, BatchHeader::SIZE).next_header() {
        Ok(found) => Ok(found.map(|(_, header)| header)),
        Err(ScanError::Batch { .. }) => Ok(None),
        Err(ScanError::Io(error)) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
        Err(ScanError::Io(error)) => Err(error),
    }
}

/// Whether a time index entry says what the batch it names says.
pub(crate) fn is_time_of(
    fs: &dyn Fs,
    segment: &Segment,
    log: &dyn File,
    size: u64,
    entry: TimestampOffset,
) -> io::Result<bool> {
    let start = start_position(fs, segment, log, size, entry.offset)?;
    let mut scanner = Scanner::new(log, start, size, READ_HEADS);
    loop {
        match scanner.next_header() {
            Ok(Some((_, header))) if header.last_offset() < entry.offset => {}
            Ok(Some((_, header))) => {
                return Ok(header.last_offset() == entry.offset && header.max_timestamp_ms == entry.ms);
            }
            Ok(None) | Err(ScanError::Batch { .. }) => return Ok(false),
            Err(ScanError::Io(error)) => return Err(error),
        }
    }
}

/// Where to begin walking in order to meet the batch that holds `offset`. The index only proposes: the batch it
/// points to is looked at, and anything odd means the start of the segment.
pub(crate) fn start_position(
    fs: &dyn Fs,
    segment: &Segment,
    log: &dyn File,
    size: u64,
    offset: i64,
) -> io::Result<u64> {
    let index = match segment.index.open(fs, Mode::Write) {
        Ok(index) => index,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
        Err(error) => return Err(error),
    };
    let position = OffsetIndex::new(&*index, segment.base_offset)?.position_of(offset)?;
    match Scanner::new(log, position, size, BatchHeader::SIZE).next_header() {
        Ok(Some((_, header))) if (segment.base_offset..=offset).contains(&header.base_offset) => Ok(position),
        Ok(_) | Err(ScanError::Batch { .. }) => Ok(0),
        Err(ScanError::Io(error)) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(0),
        Err(ScanError::Io(error)) => Err(error),
    }
}

/// The facts of a segment. What its time index does not say yet is found by walking from the last index entry on.
pub(crate) fn facts(fs: &dyn Fs, extent: &Extent) -> io::Result<SegmentFacts> {
    let (segment, size, base_offset) = (&extent.segment, extent.size, extent.segment.base_offset);
    let mut shape = Shape::empty(base_offset);
    shape.size = size;
    shape.index_len = segment.index.open(fs, Mode::Create)?.len()?;
    let time_index = segment.time_index.open(fs, Mode::Create)?;
    shape.time_index_len = time_index.len()?;
    match segment.txn_index.open(fs, Mode::Write) {
        Ok(file) => shape.txn_index_len = file.len()?,
        Err(error) => absent_is_fine(Err(error))?,
    }
    let last = TimeIndex::new(&*time_index, base_offset)?
        .last()?
        .unwrap_or(TimestampOffset::NONE);
    shape.indexer = Indexer::resume(base_offset, 0, last, last);
    if size > 0 {
        let log = segment.log.open(fs, Mode::Write)?;
        let start = start_position(fs, segment, &*log, size, i64::MAX)?;
        let mut no_entries = (Vec::new(), Vec::new());
        let mut scanner = Scanner::new(&*log, start, size, READ_HEADS);
        while let Some((position, header)) = whole(scanner.next_header())? {
            // No entry is due before the next append: all that counts is what went by since the last one.
            let (index, time_index) = &mut no_entries;
            shape
                .indexer
                .batch(&header, position, u64::MAX, index, time_index);
        }
        let first = Scanner::new(&*log, 0, size, BatchHeader::SIZE).next_header();
        shape.first_timestamp_ms = whole(first)?.map(|(_, first)| first.max_timestamp_ms);
    }
    Ok(SegmentFacts {
        segment: Arc::clone(segment),
        shape,
        modified_ms: extent.modified_ms,
    })
}
