//! Writing batches, and the index entries that go with them.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;

use super::{LaneDone, LaneError, Outcome, Task};
use crate::LogKey;
use crate::bug::Bug;
use crate::files::LazyFile;
use crate::segment::Segment;
use crate::sys::{Fs, Mode};

/// A file grows by steps of a quarter of its size, between these bounds; none below the first.
const RESERVE_MIN: u64 = 64 * 1024;
const RESERVE_MAX: u64 = 16 * 1024 * 1024;

/// Bytes for one of the indexes.
#[derive(Default)]
pub(crate) struct IndexPart {
    pub(crate) position: u64,
    pub(crate) bytes: Vec<u8>,
}

/// Batches for the end of one segment.
pub(crate) struct AppendJob {
    pub(crate) segment: Arc<Segment>,
    pub(crate) position: u64,
    pub(crate) size: u64,
    pub(crate) parts: Vec<Bytes>,
    /// The offset behind the last batch.
    pub(crate) end_offset: i64,
    pub(crate) index: IndexPart,
    pub(crate) time_index: IndexPart,
    pub(crate) txn_index: IndexPart,
    /// Nothing follows in this segment.
    pub(crate) seals: bool,
}

impl AppendJob {
    pub(super) fn base_offset(&self) -> i64 {
        self.segment.base_offset
    }

    pub(super) fn bytes(&self) -> usize {
        usize::try_from(self.size).unwrap_or(usize::MAX)
    }

    fn end(&self) -> u64 {
        self.position + self.size
    }
}

/// Writes the appends of one segment: one `pwritev` for all that are whole and in a row.
pub(super) fn run(fs: &dyn Fs, key: LogKey, jobs: Vec<(u64, AppendJob)>, dones: &mut Vec<LaneDone>) {
    let mut row: Vec<(u64, AppendJob)> = Vec::with_capacity(jobs.len());
    for (generation, job) in jobs {
        if row
            .last()
            .is_some_and(|(last, before)| *last != generation || before.end() != job.position)
        {
            write_row(fs, key, std::mem::take(&mut row), dones);
        }
        row.push((generation, job));
    }
    write_row(fs, key, row, dones);
}

fn write_row(fs: &dyn Fs, key: LogKey, mut row: Vec<(u64, AppendJob)>, dones: &mut Vec<LaneDone>) {
    let Some((generation, first)) = row.first() else {
        return;
    };
    let (generation, segment) = (*generation, Arc::clone(&first.segment));
    let error = if segment.directory.is_broken(generation) {
        Some(LaneError::Predecessor)
    } else {
        write(fs, &segment, &mut row).err().map(|error| {
            segment.directory.break_generation(generation);
            let error = LaneError::of(&error, &segment.log.path());
            if matches!(error, LaneError::Disk(_)) {
                segment.directory.cast_doubt(fs);
            }
            error
        })
    };
    dones.extend(row.into_iter().map(|(_, job)| {
        let outcome = match &error {
            Some(error) => Outcome::Failed {
                task: Task::Append {
                    base_offset: segment.base_offset,
                },
                error: error.clone(),
            },
            None => Outcome::Written {
                base_offset: segment.base_offset,
                size: job.end(),
                end_offset: job.end_offset,
            },
        };
        LaneDone {
            key,
            generation,
            outcome,
        }
    }));
}

fn write(fs: &dyn Fs, segment: &Segment, row: &mut [(u64, AppendJob)]) -> io::Result<()> {
    let position = row[0].1.position;
    if position == 0 {
        segment.create(fs)?;
    }
    let log = segment.log.open(fs, Mode::Write)?;
    let mut parts = Vec::with_capacity(row.iter().map(|(_, job)| job.parts.len()).sum());
    for (_, job) in row.iter_mut() {
        parts.append(&mut job.parts);
    }
    let last = &row[row.len() - 1].1;
    let (end, seals) = (last.end(), last.seals);
    let result = (|| {
        reserve_ahead(segment, &*log, position, end)?;
        log.write_at(position, &parts)?;
        append_index(fs, &segment.index, row.iter_mut().map(|(_, job)| &mut job.index))?;
        append_index(
            fs,
            &segment.time_index,
            row.iter_mut().map(|(_, job)| &mut job.time_index),
        )?;
        append_index(
            fs,
            &segment.txn_index,
            row.iter_mut().map(|(_, job)| &mut job.txn_index),
        )
    })();
    match result {
        Ok(()) => {
            // Gives back the space reserved beyond the end, which is a courtesy and no duty.
            if seals && segment.reserved.load(Ordering::Relaxed) > end {
                let _ = log.set_len(end);
            }
            Ok(())
        }
        Err(_) if Bug::IgnoredNoRoom.is_on() => Ok(()),
        Err(error) => {
            segment.reserved.store(0, Ordering::Relaxed);
            // Whoever looks at the files finds them as if nothing had been tried, even after a power cut: the
            // producer is about to hear that its records are not there.
            log.set_len(position)?;
            log.sync_data()?;
            // Left-over index entries are written over by the next append, or found wrong by the next start.
            let job = &row[0].1;
            for (file, index) in [
                (&segment.index, &job.index),
                (&segment.time_index, &job.time_index),
                (&segment.txn_index, &job.txn_index),
            ] {
                if let Ok(file) = file.open(fs, Mode::Write) {
                    let _ = file.set_len(index.position);
                }
            }
            Err(error)
        }
    }
}

/// Entries of all jobs lie in a row; only the position of the first counts.
fn append_index<'a>(
    fs: &dyn Fs,
    file: &LazyFile,
    parts: impl Iterator<Item = &'a mut IndexPart>,
) -> io::Result<()> {
    let (mut position, mut bytes) = (0, Vec::new());
    for part in parts.filter(|part| !part.bytes.is_empty()) {
        if bytes.is_empty() {
            position = part.position;
        }
        bytes.append(&mut part.bytes);
    }
    if bytes.is_empty() {
        return Ok(());
    }
    file.open(fs, Mode::Create)?.write_at(position, &[bytes.into()])
}

fn reserve_ahead(segment: &Segment, log: &dyn crate::sys::File, position: u64, end: u64) -> io::Result<()> {
    let step = (end / 4).min(RESERVE_MAX);
    if step < RESERVE_MIN || end <= segment.reserved.load(Ordering::Relaxed) {
        return Ok(());
    }
    let wanted = (end + step).next_multiple_of(RESERVE_MIN);
    match log.reserve(position, wanted - position) {
        Ok(()) => {
            segment.reserved.store(wanted, Ordering::Relaxed);
            Ok(())
        }
        // No room for the step: perhaps there is for the bytes themselves, and the write will tell.
        Err(error) if matches!(LaneError::of(&error, &segment.log.path()), LaneError::NoRoom(_)) => Ok(()),
        Err(error) => Err(error),
    }
}
