//! What the flusher does for a log: sync, cut, delete.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;

use super::{LaneError, Outcome, Task, Work};
use crate::bug::Bug;
use crate::files::Directory;
use crate::producers::Producers;
use crate::replay;
use crate::scan::{ScanError, Scanner};
use crate::segment::{self, SNAPSHOT, Segment, absent_is_fine};
use crate::sidecars::{self, Extent, SegmentFacts};
use crate::sys::{self, File, Fs, Mode, is_no_room};
use crate::{index, transactions};

/// Makes segments durable, and what has to be durable with them.
pub(crate) struct FlushJob {
    pub(crate) directory: Arc<Directory>,
    /// Each with whether it is sealed: then its indexes are synced too.
    pub(crate) segments: Vec<(Arc<Segment>, bool)>,
    pub(crate) end_offset: i64,
    /// The leader epochs, when they changed since the last flush.
    pub(crate) epochs: Option<Bytes>,
    /// Producer snapshots and the offsets they hold up to.
    pub(crate) snapshots: Vec<(i64, Bytes)>,
    /// Files are written and not synced: whoever closes very many logs syncs the file system once.
    pub(crate) sync_follows: bool,
}

impl FlushJob {
    pub(super) fn start(&self, fs: &dyn Fs) {
        for (segment, _) in self.segments.iter().filter(|_| !self.sync_follows) {
            if let Ok(log) = segment.log.open(fs, Mode::Write) {
                log.start_sync();
            }
        }
    }

    /// Gives the largest offset whose snapshot is written.
    fn sync(&self, fs: &dyn Fs) -> io::Result<Option<i64>> {
        let segments = if self.sync_follows {
            &[]
        } else {
            &self.segments[..]
        };
        for (segment, sealed) in segments {
            let synced = segment.log.open(fs, Mode::Write)?.sync_data();
            if !Bug::IgnoredSync.is_on() {
                synced?;
            }
            if *sealed {
                segment.index.open(fs, Mode::Create)?.sync_data()?;
                segment.time_index.open(fs, Mode::Create)?.sync_data()?;
                match segment.txn_index.open(fs, Mode::Write) {
                    Ok(file) => file.sync_data()?,
                    Err(error) => absent_is_fine(Err(error))?,
                }
            }
        }
        let directory = self.directory.path();
        if let Some(epochs) = &self.epochs {
            sys::put(
                fs,
                &directory.join(EPOCHS_FILE),
                epochs.clone(),
                !self.sync_follows,
            )?;
        }
        let mut snapshots_to = None;
        for (offset, snapshot) in &self.snapshots {
            let path = directory.join(segment::file_name(*offset, SNAPSHOT));
            match sys::put(fs, &path, snapshot.clone(), !self.sync_follows) {
                // The start of the log then takes the one before and walks further.
                Err(error) if is_no_room(&error) => break,
                put => put?,
            }
            snapshots_to = Some(*offset);
        }
        let named = |(segment, _): &(Arc<Segment>, bool)| segment.names_synced.load(Ordering::Relaxed);
        let all_named = self.epochs.is_none() && self.snapshots.is_empty() && segments.iter().all(named);
        if !self.sync_follows && !all_named {
            fs.sync_dir(&directory)?;
            for (segment, _) in segments {
                segment.names_synced.store(true, Ordering::Relaxed);
            }
        }
        Ok(snapshots_to)
    }
}

/// Kafka's name for where leader epochs begin.
pub(crate) const EPOCHS_FILE: &str = "leader-epoch-checkpoint";

/// Our own file beside a log that is new or was cut: what the log directory's checkpoints say of this log counts
/// only up to the offset in here, until they have been written again. A recovery point from before a cut, or of a
/// deleted log of the same name, would let what was appended since and never synced pass unchecked; such a log
/// start would hide records. An empty file, as a new log has it, means 0.
///
/// ```text
/// 0        version
/// 4711     offset
/// ```
pub(crate) const RECOVERY_BOUND_FILE: &str = "recovery-bound";

/// Does what can be done again after any failure for want of room.
pub(super) fn run(fs: &dyn Fs, mut work: Work) -> Outcome {
    let (result, directory) = match &mut work {
        Work::Flush(job) => {
            let end_offset = job.end_offset;
            (
                job.sync(fs).map(|snapshots_to| Outcome::Synced {
                    end_offset,
                    snapshots_to,
                }),
                &job.directory,
            )
        }
        Work::Truncate(job) => {
            let cut = job.cut(fs);
            (
                cut.map(|truncated| Outcome::Truncated(Box::new(truncated))),
                &job.directory,
            )
        }
        Work::Delete(job) => (job.delete(fs).map(|()| Outcome::Deleted), &job.directory),
        Work::Remove(job) => (job.remove(fs).map(|()| Outcome::Removed), &job.directory),
        Work::Unbind(directory) => {
            let path = directory.path().join(RECOVERY_BOUND_FILE);
            let removed = absent_is_fine(fs.remove(&path));
            (removed.map(|()| Outcome::Unbound), &*directory)
        }
        Work::Swap(job) => {
            let all = job.swap(fs);
            let swapped = all.map(|all| Outcome::Swapped(std::mem::take(&mut job.merged), all));
            (swapped, &job.directory)
        }
        Work::Append(_) => unreachable!("it is not done again"),
    };
    match result.map_err(|error| LaneError::of(&error, &directory.path())) {
        Ok(outcome) => outcome,
        Err(error @ LaneError::NoRoom(_)) => Outcome::PutOff { work, error },
        Err(error) => {
            directory.cast_doubt(fs);
            Outcome::Failed {
                task: Task::Other,
                error,
            }
        }
    }
}

/// Cuts the log's end off, or all of it.
pub(crate) struct TruncateJob {
    pub(crate) directory: Arc<Directory>,
    /// Where the log shall end.
    pub(crate) offset: i64,
    /// The segments that remain, oldest first, with their sizes; the last one is cut. With `fresh`, there is none.
    pub(crate) kept: Vec<Extent>,
    /// The segment to begin with when everything goes.
    pub(crate) fresh: Option<Arc<Segment>>,
    /// Segments that go as a whole, oldest first.
    pub(crate) doomed: Vec<Arc<Segment>>,
    /// The leader epochs that remain.
    pub(crate) epochs: Bytes,
    /// Up to where a checkpointed recovery point counts from now on.
    pub(crate) bound: i64,
    pub(crate) now_ms: i64,
}

/// What a log is after a cut.
#[derive(Debug)]
pub(crate) struct Truncated {
    /// Where it ends: below what was asked for when that lay inside a batch.
    pub(crate) end_offset: i64,
    pub(crate) last: SegmentFacts,
    pub(crate) producers: Producers,
}

impl TruncateJob {
    /// The order matters. The bound comes first, so that a crash anywhere behind it is recovered from the cut on.
    /// Whole segments go from the newest down, so that what is left is always a log without a gap.
    fn cut(&mut self, fs: &dyn Fs) -> io::Result<Truncated> {
        let directory = self.directory.path();
        let bound = Bytes::from(format!("0\n{}\n", self.bound));
        sys::replace(fs, &directory.join(RECOVERY_BOUND_FILE), bound)?;
        for segment in self.doomed.iter().rev() {
            segment.mark_deleted(fs)?;
        }
        fs.sync_dir(&directory)?;
        let (end_offset, last) = match &self.fresh {
            Some(fresh) => {
                fresh.create(fs)?;
                fs.sync_dir(&directory)?;
                fresh.names_synced.store(true, Ordering::Relaxed);
                let extent = Extent {
                    segment: Arc::clone(fresh),
                    size: 0,
                    modified_ms: self.now_ms,
                    version: fresh.version(),
                };
                (self.offset, sidecars::facts(fs, &extent)?)
            }
            None => {
                let last = self
                    .kept
                    .last_mut()
                    .expect("a cut without a fresh segment keeps one");
                let (end_offset, size) = cut_segment(fs, &last.segment, last.size, self.offset)?;
                last.size = size;
                (end_offset, sidecars::facts(fs, last)?)
            }
        };
        sys::replace(fs, &directory.join(EPOCHS_FILE), self.epochs.clone())?;
        for entry in fs.list_dir(&directory)? {
            if segment::offset_of(&entry.name, SNAPSHOT).is_some_and(|offset| offset > end_offset) {
                fs.remove(&directory.join(&entry.name))?;
            }
        }
        let producers = replay::load_producers(fs, &directory, &self.kept, end_offset)?;
        for segment in &self.doomed {
            segment.remove_deleted(fs)?;
        }
        Ok(Truncated {
            end_offset,
            last,
            producers,
        })
    }
}

/// Cuts a segment before the batch that holds `offset`; gives the end offset and the size that remain.
fn cut_segment(fs: &dyn Fs, segment: &Arc<Segment>, size: u64, offset: i64) -> io::Result<(i64, u64)> {
    segment.changes();
    let mut log = segment.log.open(fs, Mode::Create)?;
    let start = sidecars::start_position(fs, segment, &*log, size, offset - 1)?;
    // Nothing but whole batches counts: an append that failed may have left a piece.
    let (mut end_offset, mut cut) = (segment.base_offset, start);
    let mut scanner = Scanner::new(&*log, start, size, sidecars::READ_HEADS);
    loop {
        match scanner.next_header() {
            Ok(Some((position, header))) if header.last_offset() < offset => {
                end_offset = header.last_offset() + 1;
                cut = position + header.total_size() as u64;
            }
            Ok(_) | Err(ScanError::Batch { .. }) => break,
            Err(ScanError::Io(error)) => return Err(error),
        }
    }
    match log.set_len(cut) {
        Ok(()) => log.sync_data()?,
        Err(error) if error.kind() == io::ErrorKind::ResourceBusy => {
            log = replace_by_prefix(fs, segment, &*log, cut)?;
        }
        Err(error) => return Err(error),
    }
    drop(log);
    segment.reserved.store(0, Ordering::Relaxed);
    let index = segment.index.open(fs, Mode::Create)?;
    let len = index::OffsetIndex::new(&*index, segment.base_offset)?.len_below(cut)?;
    cut_sidecar(&*index, len)?;
    let time_index = segment.time_index.open(fs, Mode::Create)?;
    let len = index::TimeIndex::new(&*time_index, segment.base_offset)?.len_below(end_offset)?;
    cut_sidecar(&*time_index, len)?;
    match segment.txn_index.open(fs, Mode::Write) {
        Ok(file) => cut_sidecar(&*file, transactions::len_below(&*file, end_offset)?)?,
        Err(error) => absent_is_fine(Err(error))?,
    }
    Ok((end_offset, cut))
}

fn cut_sidecar(file: &dyn File, len: u64) -> io::Result<()> {
    file.set_len(len)?;
    file.sync_data()
}

/// Bytes beyond the cut are lent to readers: the segment gets a file of its own, and they keep the old one.
fn replace_by_prefix(fs: &dyn Fs, segment: &Segment, log: &dyn File, len: u64) -> io::Result<Arc<dyn File>> {
    const STEP: u64 = 1024 * 1024;
    let path = segment.log.path();
    let temporary = path.with_extension("log.tmp");
    let copy = fs.open(&temporary, Mode::Truncate)?;
    let mut position = 0;
    while position < len {
        let step = usize::try_from(STEP.min(len - position)).expect("a step fits");
        let mut bytes = vec![0; step];
        sys::read_exact_at(log, position, &mut bytes)?;
        copy.write_at(position, &[bytes.into()])?;
        position += step as u64;
    }
    copy.sync_data()?;
    drop(copy);
    fs.rename(&temporary, &path)?;
    fs.sync_dir(&segment.directory.path())?;
    segment.log.close();
    segment.log.open(fs, Mode::Write)
}

/// Removes whole segments from the beginning of the log.
pub(crate) struct DeleteJob {
    pub(crate) directory: Arc<Directory>,
    /// Oldest first.
    pub(crate) segments: Vec<Arc<Segment>>,
    /// The segment that is left when all others go. It is made durable first: a directory without any segment
    /// would start again at a lower offset.
    pub(crate) left: Arc<Segment>,
    /// The producers where that segment begins, unless they are on the disk already: what tells of them is removed.
    pub(crate) snapshot: Option<Bytes>,
}

impl DeleteJob {
    fn delete(&self, fs: &dyn Fs) -> io::Result<()> {
        let directory = self.directory.path();
        if let Some(snapshot) = &self.snapshot {
            let path = directory.join(segment::file_name(self.left.base_offset, SNAPSHOT));
            sys::put(fs, &path, snapshot.clone(), true)?;
            fs.sync_dir(&directory)?;
        }
        if !self.left.names_synced.load(Ordering::Relaxed) {
            self.left.create(fs)?;
            fs.sync_dir(&directory)?;
            self.left.names_synced.store(true, Ordering::Relaxed);
        }
        for segment in &self.segments {
            segment.mark_deleted(fs)?;
            let snapshot = segment::file_name(segment.base_offset, SNAPSHOT);
            absent_is_fine(fs.remove(&directory.join(snapshot)))?;
        }
        for segment in &self.segments {
            segment.remove_deleted(fs)?;
        }
        Ok(())
    }
}

/// Removes a log with its directory.
pub(crate) struct RemoveJob {
    pub(crate) directory: Arc<Directory>,
    /// The name the directory bears until it is gone; see [`crate::log_dir`].
    pub(crate) target: PathBuf,
}

impl RemoveJob {
    fn remove(&self, fs: &dyn Fs) -> io::Result<()> {
        let path = self.directory.path();
        let parent = path.parent().ok_or(io::ErrorKind::InvalidInput)?;
        absent_is_fine(fs.rename(&path, &self.target))?;
        self.directory.set_path(self.target.clone());
        fs.sync_dir(parent)?;
        match fs.remove_dir_all(&self.target) {
            // A compaction under way has put a file back: under this name, the next start removes it.
            Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => Ok(()),
            result => absent_is_fine(result),
        }
    }
}
