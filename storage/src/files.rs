//! Files that open when they are needed, within a bound on how many are open at once.

use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock, Weak};

use crate::segment;
use crate::sys::{File, Fs, Mode};

/// Bounds the files that are open at a time; the least recently used close first. One for the whole process.
pub struct OpenFiles {
    limit: usize,
    clock: AtomicU64,
    open: Mutex<Vec<Weak<Slot>>>,
}

impl OpenFiles {
    /// At most `limit` files stay open. One more for each thread that is at work on a closed one is possible.
    pub fn new(limit: usize) -> OpenFiles {
        OpenFiles {
            limit: limit.max(8),
            clock: AtomicU64::new(0),
            open: Mutex::new(Vec::new()),
        }
    }

    fn touch(&self, slot: &Slot) {
        slot.used
            .store(self.clock.fetch_add(1, Ordering::Relaxed), Ordering::Relaxed);
    }

    /// Takes an open file on the list, and closes the eighth that was used longest ago when the list is full.
    fn opened(&self, slot: &Arc<Slot>) {
        let mut open = lock(&self.open);
        open.push(Arc::downgrade(slot));
        if open.len() <= self.limit {
            return;
        }
        let mut held: Vec<Arc<Slot>> = open.iter().filter_map(Weak::upgrade).collect();
        held.retain(|slot| lock(&slot.file).is_some());
        held.sort_by_key(|slot| slot.used.load(Ordering::Relaxed));
        let surplus = held.len().saturating_sub(self.limit - self.limit / 8);
        for slot in held.drain(..surplus) {
            *lock(&slot.file) = None;
        }
        *open = held.iter().map(Arc::downgrade).collect();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Every guarded value here is replaced whole, so it is valid after any panic.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Our own file beside a log, empty: the disk has failed under it. The page cache may hold bytes that a failed sync
/// has lost, and that no later sync will bring to the disk: the next start of the log writes them again. The file lives
/// no longer than the page cache, or it is on the disk.
pub(crate) const DOUBT_FILE: &str = "disk-failed";

/// The directory of one log. All its files are named through it, so that renaming it takes one change.
pub(crate) struct Directory {
    path: RwLock<PathBuf>,
    pub(crate) open_files: Arc<OpenFiles>,
    /// Appends of this generation or an older one are refused: one before them failed.
    broken_generation: AtomicU64,
    /// The log is being removed.
    going: AtomicBool,
}

impl Directory {
    pub(crate) fn new(path: PathBuf, open_files: Arc<OpenFiles>) -> Directory {
        Directory {
            path: RwLock::new(path),
            open_files,
            broken_generation: AtomicU64::new(0),
            going: AtomicBool::new(false),
        }
    }

    pub(crate) fn go(&self) {
        self.going.store(true, Ordering::Release);
    }

    /// Whether files may be missing because the log is being removed.
    pub(crate) fn is_going(&self) -> bool {
        self.going.load(Ordering::Acquire)
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.path.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn set_path(&self, path: PathBuf) {
        *self.path.write().unwrap_or_else(PoisonError::into_inner) = path;
    }

    /// Leaves a mark that the disk failed under this log: see [`DOUBT_FILE`].
    pub(crate) fn cast_doubt(&self, fs: &dyn Fs) {
        // Where this cannot be written, no log can be opened either.
        let _ = fs.open(&self.path().join(DOUBT_FILE), Mode::Create);
    }

    pub(crate) fn break_generation(&self, generation: u64) {
        self.broken_generation.fetch_max(generation, Ordering::AcqRel);
    }

    /// Generations begin at 1.
    pub(crate) fn is_broken(&self, generation: u64) -> bool {
        generation <= self.broken_generation.load(Ordering::Acquire)
    }
}

struct Slot {
    file: Mutex<Option<Arc<dyn File>>>,
    used: AtomicU64,
}

/// One file of a log, opened on first use. Before that it takes next to no memory: there may be very many.
pub(crate) struct LazyFile {
    directory: Arc<Directory>,
    offset: i64,
    suffix: &'static str,
    slot: OnceLock<Arc<Slot>>,
}

impl LazyFile {
    /// The file that belongs to an offset.
    pub(crate) fn new(directory: &Arc<Directory>, offset: i64, suffix: &'static str) -> LazyFile {
        LazyFile {
            directory: Arc::clone(directory),
            offset,
            suffix,
            slot: OnceLock::new(),
        }
    }

    pub(crate) fn name(&self) -> String {
        segment::file_name(self.offset, self.suffix)
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.directory.path().join(self.name())
    }

    /// The open file; `mode` says what happens when it has to be opened. `Mode::Read` is widened to writing, as
    /// readers and the writer share the handle.
    pub(crate) fn open(&self, fs: &dyn Fs, mode: Mode) -> io::Result<Arc<dyn File>> {
        let slot = self.slot.get_or_init(|| {
            Arc::new(Slot {
                file: Mutex::new(None),
                used: AtomicU64::new(0),
            })
        });
        self.directory.open_files.touch(slot);
        let mut file = lock(&slot.file);
        if let Some(file) = &*file {
            return Ok(Arc::clone(file));
        }
        let mode = if mode == Mode::Read { Mode::Write } else { mode };
        let opened = fs.open(&self.path(), mode)?;
        *file = Some(Arc::clone(&opened));
        drop(file);
        self.directory.open_files.opened(slot);
        Ok(opened)
    }

    /// Closes the handle, so that the next use opens what stands under the name then.
    pub(crate) fn close(&self) {
        if let Some(slot) = self.slot.get() {
            *lock(&slot.file) = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::memory::MemoryFs;

    #[test]
    fn the_files_open_at_once_are_bounded_and_come_back() {
        let fs = MemoryFs::new();
        let directory = Arc::new(Directory::new(PathBuf::from("/"), Arc::new(OpenFiles::new(8))));
        let files: Vec<_> = (0..100)
            .map(|n| LazyFile::new(&directory, n, segment::LOG))
            .collect();
        for file in files.iter().chain(&files) {
            file.open(&fs, Mode::Create).unwrap();
            let open = files
                .iter()
                .filter(|file| file.slot.get().is_some_and(|slot| lock(&slot.file).is_some()))
                .count();
            assert!(open <= 8, "{open} files are open");
        }
    }
}
