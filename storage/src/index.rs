//! The sparse indexes beside a segment: where an offset lies, and which offset a time belongs to.
//!
//! Both are hints. A reader looks at the batch that an entry points to and reads the segment from its start when
//! the batch does not fit, so a damaged index costs time and never an answer. All numbers are big-endian.
//!
//! ```text
//! NNN.index      8 bytes an entry, ascending
//!   0  4  offset of the last record of a batch, minus the segment's base offset
//!   4  4  where that batch begins in the .log file
//!
//! NNN.timeindex  12 bytes an entry, ascending in both
//!   0  8  the largest timestamp in the segment up to here, milliseconds since 1970
//!   8  4  last offset of the batch that has it, minus the segment's base offset
//! ```
//! The last entry of a sealed segment's time index carries the largest timestamp of the whole segment.

use std::io;

use klamm_protocol::record::BatchHeader;

use crate::sys::{File, read_exact_at};

/// Bytes of an entry in the offset index.
pub(crate) const OFFSET_ENTRY: u64 = 8;
/// Bytes of an entry in the time index.
pub(crate) const TIME_ENTRY: u64 = 12;

/// A timestamp and the offset of the record (or the last of the batch) that has it; `ms` is -1 for none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TimestampOffset {
    pub(crate) ms: i64,
    pub(crate) offset: i64,
}

impl TimestampOffset {
    pub(crate) const NONE: TimestampOffset = TimestampOffset { ms: -1, offset: -1 };
}

/// One entry of the offset index, made absolute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct OffsetEntry {
    pub(crate) offset: i64,
    pub(crate) position: u64,
}

/// Appends an offset entry to `out`; the segment rolls before an offset or a position outgrows its field.
pub(crate) fn put_offset(out: &mut Vec<u8>, base_offset: i64, entry: OffsetEntry) {
    out.extend(relative(base_offset, entry.offset).to_be_bytes());
    let position = i32::try_from(entry.position).expect("a segment is shorter than 2 GiB");
    out.extend(position.to_be_bytes());
}

/// Appends a time entry to `out`.
pub(crate) fn put_time(out: &mut Vec<u8>, base_offset: i64, entry: TimestampOffset) {
    out.extend(entry.ms.to_be_bytes());
    out.extend(relative(base_offset, entry.offset).to_be_bytes());
}

fn relative(base_offset: i64, offset: i64) -> i32 {
    i32::try_from(offset - base_offset).expect("a segment spans less than 2^31 offsets")
}

/// Decides which batches of a segment get an entry (Kafka: `LogSegment.append`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Indexer {
    base_offset: i64,
    bytes_since_entry: u64,
    max_timestamp: TimestampOffset,
    last_time_entry: TimestampOffset,
}

impl Indexer {
    /// At the start of a segment.
    pub(crate) fn new(base_offset: i64) -> Indexer {
        let none = TimestampOffset::NONE;
        Indexer {
            base_offset,
            bytes_since_entry: 0,
            max_timestamp: none,
            last_time_entry: none,
        }
    }

    /// In the middle of one: behind its last entries, with what was found there.
    pub(crate) fn resume(
        base_offset: i64,
        bytes_since_entry: u64,
        max_timestamp: TimestampOffset,
        last_time_entry: TimestampOffset,
    ) -> Indexer {
        Indexer {
            base_offset,
            bytes_since_entry,
            max_timestamp,
            last_time_entry,
        }
    }

    /// The largest timestamp of the segment so far.
    pub(crate) fn max_timestamp(&self) -> TimestampOffset {
        self.max_timestamp
    }

    /// Takes the batch at `position` into account; puts entries out when more than `interval` bytes went by.
    pub(crate) fn batch(
        &mut self,
        header: &BatchHeader,
        position: u64,
        interval: u64,
        index: &mut Vec<u8>,
        time_index: &mut Vec<u8>,
    ) {
        if header.max_timestamp_ms > self.max_timestamp.ms {
            self.max_timestamp = TimestampOffset {
                ms: header.max_timestamp_ms,
                offset: header.last_offset(),
            };
        }
        if self.bytes_since_entry > interval {
            put_offset(
                index,
                self.base_offset,
                OffsetEntry {
                    offset: header.last_offset(),
                    position,
                },
            );
            self.put_time(time_index);
            self.bytes_since_entry = 0;
        }
        self.bytes_since_entry += header.total_size() as u64;
    }

    /// The segment ends here: its largest timestamp is put out if that has not been done.
    pub(crate) fn seal(&mut self, time_index: &mut Vec<u8>) {
        self.put_time(time_index);
    }

    fn put_time(&mut self, time_index: &mut Vec<u8>) {
        if self.max_timestamp.ms > self.last_time_entry.ms {
            put_time(time_index, self.base_offset, self.max_timestamp);
            self.last_time_entry = self.max_timestamp;
        }
    }
}

/// A read-only look at an offset index.
pub(crate) struct OffsetIndex<'a> {
    file: &'a dyn File,
    base_offset: i64,
    entries: u64,
}

impl<'a> OffsetIndex<'a> {
    pub(crate) fn new(file: &'a dyn File, base_offset: i64) -> io::Result<OffsetIndex<'a>> {
        Ok(OffsetIndex {
            file,
            base_offset,
            entries: file.len()? / OFFSET_ENTRY,
        })
    }

    pub(crate) fn entry(&self, number: u64) -> io::Result<OffsetEntry> {
        let mut bytes = [0; 8];
        read_exact_at(self.file, number * OFFSET_ENTRY, &mut bytes)?;
        let [a, b, c, d, e, f, g, h] = bytes;
        Ok(OffsetEntry {
            offset: self.base_offset + i64::from(i32::from_be_bytes([a, b, c, d])),
            position: u64::from(u32::from_be_bytes([e, f, g, h])),
        })
    }

    pub(crate) fn last(&self) -> io::Result<Option<OffsetEntry>> {
        self.entries
            .checked_sub(1)
            .map(|number| self.entry(number))
            .transpose()
    }

    /// The last entry with an offset at or below `offset`.
    pub(crate) fn entry_at_or_below(&self, offset: i64) -> io::Result<Option<OffsetEntry>> {
        let found = partition_point(self.entries, |n| Ok(self.entry(n)?.offset <= offset))?;
        found.checked_sub(1).map(|number| self.entry(number)).transpose()
    }

    /// The position of that entry; 0 when there is none.
    pub(crate) fn position_of(&self, offset: i64) -> io::Result<u64> {
        Ok(self.entry_at_or_below(offset)?.map_or(0, |entry| entry.position))
    }

    /// The last entry whose position is at or below `position`.
    pub(crate) fn entry_before(&self, position: u64) -> io::Result<Option<OffsetEntry>> {
        let found = partition_point(self.entries, |n| Ok(self.entry(n)?.position <= position))?;
        found.checked_sub(1).map(|number| self.entry(number)).transpose()
    }

    /// Bytes of the entries that point below `position`: what remains of the index when the log is cut there.
    pub(crate) fn len_below(&self, position: u64) -> io::Result<u64> {
        let found = partition_point(self.entries, |n| Ok(self.entry(n)?.position < position))?;
        Ok(found * OFFSET_ENTRY)
    }
}

/// A read-only look at a time index.
pub(crate) struct TimeIndex<'a> {
    file: &'a dyn File,
    base_offset: i64,
    entries: u64,
}

impl<'a> TimeIndex<'a> {
    pub(crate) fn new(file: &'a dyn File, base_offset: i64) -> io::Result<TimeIndex<'a>> {
        Ok(TimeIndex {
            file,
            base_offset,
            entries: file.len()? / TIME_ENTRY,
        })
    }

    pub(crate) fn entry(&self, number: u64) -> io::Result<TimestampOffset> {
        let mut bytes = [0; 12];
        read_exact_at(self.file, number * TIME_ENTRY, &mut bytes)?;
        let [a, b, c, d, e, f, g, h, i, j, k, l] = bytes;
        Ok(TimestampOffset {
            ms: i64::from_be_bytes([a, b, c, d, e, f, g, h]),
            offset: self.base_offset + i64::from(i32::from_be_bytes([i, j, k, l])),
        })
    }

    pub(crate) fn last(&self) -> io::Result<Option<TimestampOffset>> {
        self.entries
            .checked_sub(1)
            .map(|number| self.entry(number))
            .transpose()
    }

    /// The last entry with a timestamp below `ms`: all records up to its offset are older than `ms`... or equal
    /// to the entry's own timestamp, so a search may begin behind them.
    pub(crate) fn last_below(&self, ms: i64) -> io::Result<Option<TimestampOffset>> {
        let found = partition_point(self.entries, |n| Ok(self.entry(n)?.ms < ms))?;
        found.checked_sub(1).map(|number| self.entry(number)).transpose()
    }

    /// Bytes of the entries with an offset below `offset`: what remains when the log is cut there.
    pub(crate) fn len_below(&self, offset: i64) -> io::Result<u64> {
        let found = partition_point(self.entries, |n| Ok(self.entry(n)?.offset < offset))?;
        Ok(found * TIME_ENTRY)
    }
}

/// The number of leading entries for which `holds`.
fn partition_point(entries: u64, holds: impl Fn(u64) -> io::Result<bool>) -> io::Result<u64> {
    let (mut low, mut high) = (0, entries);
    while low < high {
        let middle = low + (high - low) / 2;
        if holds(middle)? {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    Ok(low)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::memory::MemoryFs;
    use crate::sys::{Fs, Mode};
    use std::path::Path;

    #[test]
    fn an_offset_is_found_at_the_last_entry_not_beyond_it() {
        let fs = MemoryFs::new();
        let file = fs.open(Path::new("/i"), Mode::Create).unwrap();
        let mut bytes = Vec::new();
        for (offset, position) in [(104, 50), (109, 90), (120, 200)] {
            put_offset(&mut bytes, 100, OffsetEntry { offset, position });
        }
        assert_eq!(bytes[..8], [0, 0, 0, 4, 0, 0, 0, 50]);
        file.write_at(0, &[bytes.into()]).unwrap();
        let index = OffsetIndex::new(&*file, 100).unwrap();
        for (offset, position) in [
            (100, 0),
            (103, 0),
            (104, 50),
            (108, 50),
            (109, 90),
            (119, 90),
            (500, 200),
        ] {
            assert_eq!(index.position_of(offset).unwrap(), position, "offset {offset}");
        }
        for (position, boundary) in [(0, 0), (49, 0), (50, 50), (199, 90), (200, 200), (999, 200)] {
            let entry = index.entry_before(position).unwrap();
            assert_eq!(
                entry.map_or(0, |entry| entry.position),
                boundary,
                "position {position}"
            );
        }
        assert_eq!(index.len_below(90).unwrap(), 8);
    }

    #[test]
    fn a_search_by_time_begins_behind_the_last_older_entry() {
        let fs = MemoryFs::new();
        let file = fs.open(Path::new("/t"), Mode::Create).unwrap();
        let mut bytes = Vec::new();
        for (ms, offset) in [(1000, 3), (2000, 7), (3000, 9)] {
            put_time(&mut bytes, 0, TimestampOffset { ms, offset });
        }
        assert_eq!(bytes[..12], [0, 0, 0, 0, 0, 0, 3, 232, 0, 0, 0, 3]);
        file.write_at(0, &[bytes.into()]).unwrap();
        let index = TimeIndex::new(&*file, 0).unwrap();
        assert_eq!(index.last_below(1000).unwrap(), None);
        assert_eq!(
            index.last_below(2001).unwrap(),
            Some(TimestampOffset { ms: 2000, offset: 7 })
        );
        assert_eq!(
            index.last().unwrap(),
            Some(TimestampOffset { ms: 3000, offset: 9 })
        );
        assert_eq!(index.len_below(9).unwrap(), 24);
    }
}
