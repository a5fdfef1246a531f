//! One stretch of a log: a `.log` file of batches and the indexes beside it, all named by the base offset.
//!
//! ```text
//! 00000000000000004711.log         record batches, one behind the other, nothing else; its size is its end
//! 00000000000000004711.index       see `index`
//! 00000000000000004711.timeindex   see `index`
//! 00000000000000004711.txnindex    see `transactions`; only where a transaction was aborted
//! 00000000000000004711.snapshot    see `producers`; the state up to offset 4711
//! ```

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::files::{Directory, LazyFile};
use crate::sys::{Fs, Mode};

pub(crate) const LOG: &str = ".log";
pub(crate) const INDEX: &str = ".index";
pub(crate) const TIME_INDEX: &str = ".timeindex";
pub(crate) const TXN_INDEX: &str = ".txnindex";
pub(crate) const SNAPSHOT: &str = ".snapshot";
/// Added to the name of a file that is about to go.
pub(crate) const DELETED: &str = ".deleted";

/// Added to the name of a file that compaction is writing.
pub(crate) const CLEANED: &str = ".cleaned";
/// Added to the name of a compacted `.log` that is complete and takes the old one's place.
pub(crate) const SWAP: &str = ".swap";

/// The name of the file that belongs to an offset.
pub(crate) fn file_name(offset: i64, suffix: &str) -> String {
    format!("{offset:020}{suffix}")
}

/// The offset that a file name with this suffix carries.
pub(crate) fn offset_of(name: &str, suffix: &str) -> Option<i64> {
    let digits = name.strip_suffix(suffix)?;
    if digits.len() != 20 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    digits.parse().ok()
}

impl std::fmt::Debug for Segment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "segment {}", self.base_offset)
    }
}

/// The files of a segment, shared by the core, the lane and readers.
pub(crate) struct Segment {
    pub(crate) directory: Arc<Directory>,
    pub(crate) base_offset: i64,
    pub(crate) log: LazyFile,
    pub(crate) index: LazyFile,
    pub(crate) time_index: LazyFile,
    pub(crate) txn_index: LazyFile,
    /// Up to where space is reserved in the `.log` file.
    pub(crate) reserved: AtomicU64,
    /// Whether the names of its files are durable.
    pub(crate) names_synced: AtomicBool,
    /// Odd from before anything but an append happens to its files until the core knows of it: what a reader then,
    /// or one of before, finds odd says nothing about the disk.
    version: AtomicU64,
}

impl Segment {
    pub(crate) fn new(directory: &Arc<Directory>, base_offset: i64, names_synced: bool) -> Arc<Segment> {
        let file = |suffix| LazyFile::new(directory, base_offset, suffix);
        Arc::new(Segment {
            directory: Arc::clone(directory),
            base_offset,
            log: file(LOG),
            index: file(INDEX),
            time_index: file(TIME_INDEX),
            txn_index: file(TXN_INDEX),
            reserved: AtomicU64::new(0),
            names_synced: AtomicBool::new(names_synced),
            version: AtomicU64::new(0),
        })
    }

    pub(crate) fn version(&self) -> u64 {
        self.version.load(Ordering::Acquire)
    }

    /// The files are about to be cut, replaced or removed.
    pub(crate) fn changes(&self) {
        self.version.fetch_or(1, Ordering::AcqRel);
    }

    /// The core knows what the files are now.
    pub(crate) fn settled(&self) {
        let version = self.version();
        self.version.store(version.next_multiple_of(2), Ordering::Release);
    }

    /// Whether the files are what they were when [`Segment::version`] was this.
    pub(crate) fn is_still(&self, version: u64) -> bool {
        version.is_multiple_of(2) && self.version() == version
    }

    fn files(&self) -> [&LazyFile; 4] {
        [&self.log, &self.index, &self.time_index, &self.txn_index]
    }

    /// Makes the files that every segment has.
    pub(crate) fn create(&self, fs: &dyn Fs) -> io::Result<()> {
        for file in [&self.log, &self.index, &self.time_index] {
            file.open(fs, Mode::Create)?;
        }
        Ok(())
    }

    /// Marks all files as about to go: after this no start of the log will find them. The log goes last, as what
    /// is left of a segment without it is swept away at the next start.
    pub(crate) fn mark_deleted(&self, fs: &dyn Fs) -> io::Result<()> {
        self.changes();
        for file in self.files().into_iter().rev() {
            let path = file.path();
            file.close();
            absent_is_fine(fs.rename(&path, &self.directory.path().join(deleted_name(file))))?;
        }
        Ok(())
    }

    /// Removes what [`Segment::mark_deleted`] marked. Whoever still reads a file keeps it until done.
    pub(crate) fn remove_deleted(&self, fs: &dyn Fs) -> io::Result<()> {
        for file in self.files() {
            absent_is_fine(fs.remove(&self.directory.path().join(deleted_name(file))))?;
        }
        Ok(())
    }
}

fn deleted_name(file: &LazyFile) -> String {
    format!("{}{DELETED}", file.name())
}

/// A file that is not there needs no removing.
pub(crate) fn absent_is_fine(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result,
    }
}
