//! Walking over the heads of a log's batches to learn again what was known: producers, leader epochs.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use klamm_protocol::record::control::ControlRecord;
use klamm_protocol::record::{Batch, BatchError, BatchHeader};
use thiserror::Error;
use tracing::warn;

use crate::producers::Producers;
use crate::scan::{ScanError, Scanner};
use crate::segment::{self, SNAPSHOT, Segment};
use crate::sidecars::{Extent, READ_HEADS, start_position};
use crate::sys::{self, Fs, Mode};

/// No snapshot of producers is larger: 5 million of them.
const SNAPSHOT_LIMIT: usize = 256 * 1024 * 1024;

/// A segment cannot be walked to its end. Travels as an [`io::Error`].
#[derive(Debug, Error)]
#[error("{file} is damaged: {reason}")]
pub(crate) struct Damaged {
    pub(crate) file: PathBuf,
    pub(crate) base_offset: i64,
    pub(crate) reason: String,
}

/// The producers as they are at `end_offset`: the newest snapshot that is whole, and what was appended since.
pub(crate) fn load_producers(
    fs: &dyn Fs,
    directory: &Path,
    kept: &[Extent],
    end_offset: i64,
) -> io::Result<Producers> {
    let (mut producers, from) = newest_snapshot(fs, directory, kept, end_offset)?;
    replay(fs, kept, from, |_, header, control| {
        producers.appended(header, control);
        Ok(())
    })?;
    producers.replicated(i64::MAX);
    Ok(producers)
}

/// The newest snapshot at or below `limit`, and the offset from which on batches have to be replayed on it.
/// Damaged ones are removed.
///
/// One from before the first segment is of no use: its producers may have written since what nobody can replay any
/// more. The one where the first segment begins may always be taken, as all that is kept comes after it.
pub(crate) fn newest_snapshot(
    fs: &dyn Fs,
    directory: &Path,
    kept: &[Extent],
    limit: i64,
) -> io::Result<(Producers, i64)> {
    let first = kept.first().map_or(0, |extent| extent.segment.base_offset);
    let usable = first..=limit.max(first);
    for entry in fs.list_dir(directory)?.iter().rev() {
        let Some(offset) = segment::offset_of(&entry.name, SNAPSHOT).filter(|offset| usable.contains(offset))
        else {
            continue;
        };
        let path = directory.join(&entry.name);
        match sys::read_all(fs, &path, SNAPSHOT_LIMIT) {
            Ok(bytes) => match Producers::from_snapshot(&bytes) {
                Some(mut producers) => {
                    forget_ended(fs, kept, &mut producers, offset)?;
                    return Ok((producers, offset));
                }
                None => {
                    warn!(path = %path.display(), "removing a damaged producer snapshot");
                    fs.remove(&path)?;
                }
            },
            Err(error) if error.kind() == io::ErrorKind::InvalidData => fs.remove(&path)?,
            Err(error) => return Err(error),
        }
    }
    Ok((Producers::default(), 0))
}

/// A transaction that was open at `offset` may have ended since, and compaction have taken its marker with all of its
/// records: then nothing would end it any more.
fn forget_ended(fs: &dyn Fs, kept: &[Extent], producers: &mut Producers, offset: i64) -> io::Result<()> {
    let Some(first) = producers.first_unstable_offset() else {
        return Ok(());
    };
    let mut with_records = BTreeSet::new();
    replay_while(fs, kept, first, |_, header, _| {
        let is_before = header.base_offset < offset;
        if is_before && header.is_transactional() && !header.is_control() {
            with_records.insert(header.producer_id);
        }
        Ok(is_before)
    })?;
    producers.keep_open(&with_records);
    Ok(())
}

/// Calls `with` for the head of each batch with an offset at or beyond `from`, and what it says if it is a control
/// batch.
pub(crate) fn replay(
    fs: &dyn Fs,
    kept: &[Extent],
    from: i64,
    mut with: impl FnMut(&Arc<Segment>, &BatchHeader, Option<ControlRecord>) -> io::Result<()>,
) -> io::Result<()> {
    replay_while(fs, kept, from, |segment, header, control| {
        with(segment, header, control).map(|()| true)
    })
}

fn damaged(segment: &Segment, position: u64, error: &BatchError) -> io::Error {
    io::Error::other(Damaged {
        file: segment.log.path(),
        base_offset: segment.base_offset,
        reason: format!("at position {position}: {error}"),
    })
}

/// As [`replay`], until `with` gives false.
pub(crate) fn replay_while(
    fs: &dyn Fs,
    kept: &[Extent],
    from: i64,
    mut with: impl FnMut(&Arc<Segment>, &BatchHeader, Option<ControlRecord>) -> io::Result<bool>,
) -> io::Result<()> {
    let first = kept
        .partition_point(|extent| extent.segment.base_offset <= from)
        .saturating_sub(1);
    for Extent { segment, size, .. } in &kept[first..] {
        if *size == 0 || from == i64::MAX {
            continue;
        }
        let log = segment.log.open(fs, Mode::Write)?;
        let start = start_position(fs, segment, &*log, *size, from)?;
        let mut scanner = Scanner::new(&*log, start, *size, READ_HEADS);
        loop {
            let (position, header) = match scanner.next_header() {
                Ok(None) => break,
                Ok(Some(found)) => found,
                Err(ScanError::Io(error)) => return Err(error),
                Err(ScanError::Batch { position, error }) => {
                    return Err(damaged(segment, position, &error));
                }
            };
            if header.last_offset() < from {
                continue;
            }
            let mut control = None;
            if header.is_control() {
                let batch = Batch::parse(scanner.whole(position, &header)?);
                let batch = batch.map_err(|error| damaged(segment, position, &error))?;
                control = ControlRecord::of(&batch).ok();
            }
            if !with(segment, &header, control)? {
                return Ok(());
            }
        }
    }
    Ok(())
}
