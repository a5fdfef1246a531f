//! Every touch of a disk goes through the two traits here: [`Fs`] names things, [`File`] holds bytes.
//!
//! [`RealFs`] is the operating system. [`memory::MemoryFs`] keeps a live image (what the process sees) and a
//! durable one (what a power cut leaves), and can be told to fail or to stop at any call: the simulator and the
//! crash tests of this crate run on it. Nothing here knows what a log is.

mod real;

#[cfg(any(test, feature = "sim"))]
pub mod memory;

pub use real::RealFs;

use std::io;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;

/// What [`Fs::open`] does about a file that is, or is not, there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// The file must exist; it is only read.
    Read,
    /// The file must exist; it is read and written.
    Write,
    /// The file is created where it is missing, and kept as it is where not; read and written.
    Create,
    /// The file is created, or emptied; read and written.
    Truncate,
}

/// One name in a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DirEntry {
    /// The name inside its directory. Names that are not UTF-8 are never listed: no file of ours has one.
    pub name: String,
    /// Whether it is a directory itself.
    pub is_dir: bool,
    /// Bytes in the file; 0 for a directory.
    pub len: u64,
    /// When the content last changed, in milliseconds since 1970.
    pub modified_ms: i64,
}

/// Room on the disk of a directory, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Space {
    /// What the whole file system holds.
    pub total: u64,
    /// What this process may still use of it.
    pub usable: u64,
}

/// An exclusive lock on a file; dropping it (or the end of the process) gives it back.
pub trait FileLock: Send + Sync {}

/// A file system. Directories are durable only after [`Fs::sync_dir`].
pub trait Fs: Send + Sync {
    /// Opens a file.
    ///
    /// # Errors
    /// `NotFound` where the mode asks for a file that is not there, or a directory on the way is missing.
    fn open(&self, path: &Path, mode: Mode) -> io::Result<Arc<dyn File>>;

    /// The names in a directory, sorted.
    fn list_dir(&self, path: &Path) -> io::Result<Vec<DirEntry>>;

    /// The names in a directory and whether each is a directory, sorted: [`Fs::list_dir`] without a look at each.
    fn list_names(&self, path: &Path) -> io::Result<Vec<(String, bool)>> {
        let entries = self.list_dir(path)?.into_iter();
        Ok(entries.map(|entry| (entry.name, entry.is_dir)).collect())
    }

    /// Creates a directory and those above it; nothing happens when it exists.
    fn create_dir(&self, path: &Path) -> io::Result<()>;

    /// Gives a file or a directory another name; a file that has that name is replaced at once.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Removes a file. Whoever has it open goes on reading it.
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// Removes a directory with all that is in it.
    fn remove_dir_all(&self, path: &Path) -> io::Result<()>;

    /// Makes the names in a directory durable. For errors see [`File::sync_data`].
    fn sync_dir(&self, path: &Path) -> io::Result<()>;

    /// Makes everything durable that was written to the file system on which `path` lies: one wait for the disk
    /// where syncing file by file would be many (`syncfs`).
    fn sync_all(&self, path: &Path) -> io::Result<()>;

    /// Whether a file or directory of that name exists.
    fn exists(&self, path: &Path) -> io::Result<bool>;

    /// How much room there is where a directory lies.
    fn space(&self, path: &Path) -> io::Result<Space>;

    /// Locks a file (creating it) against every other process.
    ///
    /// # Errors
    /// `WouldBlock` when another holder has it.
    fn lock(&self, path: &Path) -> io::Result<Box<dyn FileLock>>;
}

/// An open file. Positions and lengths are in bytes. Several threads may use one file at once.
pub trait File: Send + Sync {
    /// Where the file ends.
    fn len(&self) -> io::Result<u64>;

    /// Whether the file holds nothing.
    fn is_empty(&self) -> io::Result<bool> {
        Ok(self.len()? == 0)
    }

    /// Reads until `into` is full or the file ends; gives the number of bytes read.
    fn read_at(&self, position: u64, into: &mut [u8]) -> io::Result<usize>;

    /// Writes all parts, one behind the other, from `position` on (`pwritev`).
    ///
    /// # Errors
    /// Any error may leave a part of the bytes written.
    fn write_at(&self, position: u64, parts: &[Bytes]) -> io::Result<()>;

    /// Cuts or lengthens (with zeros) the file, and gives back what was reserved beyond its end.
    ///
    /// # Errors
    /// `ResourceBusy` when bytes beyond the new end are lent out by [`File::map`]: then nothing has happened.
    fn set_len(&self, len: u64) -> io::Result<()>;

    /// Makes all bytes written so far durable, and the length (`fdatasync`). An error means that they may be
    /// lost for good: it must never be answered by trying again. Therefore it is never `StorageFull`, which is.
    fn sync_data(&self) -> io::Result<()>;

    /// Has the disk begin with what a sync would wait for. Promises nothing and waits for nothing.
    fn start_sync(&self) {}

    /// Reserves space for `len` bytes, perhaps none, from `position` on without moving the end of the file.
    ///
    /// # Errors
    /// `StorageFull` when the space is not there. A file system that cannot reserve does nothing.
    fn reserve(&self, position: u64, len: u64) -> io::Result<()>;

    /// Lends bytes without copying where that pays; they stay as they are for as long as somebody holds them.
    ///
    /// # Errors
    /// `UnexpectedEof` when the file ends before `position + len`.
    fn map(&self, position: u64, len: usize) -> io::Result<Bytes>;
}

/// Whether an error says that there is no room, or no descriptor, at the moment: trying again later may work.
pub fn is_no_room(error: &io::Error) -> bool {
    // EMFILE and ENFILE have no kind of their own.
    matches!(
        error.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
    ) || matches!(error.raw_os_error(), Some(23 | 24))
}

/// What a failed sync gives, whatever its reason: a file system that looks for room only then (and so says
/// `ENOSPC`) has lost the bytes all the same.
fn sync_error(error: &io::Error) -> io::Error {
    io::Error::other(format!("sync failed: {error}"))
}

/// Reads exactly `into.len()` bytes.
///
/// # Errors
/// `UnexpectedEof` when the file ends before.
pub fn read_exact_at(file: &dyn File, position: u64, into: &mut [u8]) -> io::Result<()> {
    if file.read_at(position, into)? == into.len() {
        return Ok(());
    }
    Err(io::Error::new(
        io::ErrorKind::UnexpectedEof,
        "the file ends before the bytes asked for",
    ))
}

/// The whole of a small file.
///
/// # Errors
/// `InvalidData` when the file is longer than `limit` bytes.
pub fn read_all(fs: &dyn Fs, path: &Path, limit: usize) -> io::Result<Vec<u8>> {
    let file = fs.open(path, Mode::Read)?;
    let len = usize::try_from(file.len()?).unwrap_or(usize::MAX);
    if len > limit {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "the file is larger than any of its kind",
        ));
    }
    let mut content = vec![0; len];
    read_exact_at(&*file, 0, &mut content)?;
    Ok(content)
}

/// Replaces a small file so that a crash leaves the old or the new content, never a mixture: written beside it
/// (`.tmp`), synced, renamed, and the directory synced.
///
/// # Errors
/// `StorageFull` when there is no room: then the old content stands, and it can be tried again.
pub fn replace(fs: &dyn Fs, path: &Path, content: Bytes) -> io::Result<()> {
    let directory = path.parent().ok_or(io::ErrorKind::InvalidInput)?;
    put(fs, path, content, true)?;
    fs.sync_dir(directory)
}

/// The same, with the name left to be synced by the caller, and without `sync` the content too.
pub(crate) fn put(fs: &dyn Fs, path: &Path, content: Bytes, sync: bool) -> io::Result<()> {
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(".tmp");
    let temporary = Path::new(&temporary);
    let file = fs.open(temporary, Mode::Truncate)?;
    // A disk without room says so here, where trying again is all it takes, and not at the sync.
    file.reserve(0, content.len() as u64)?;
    file.write_at(0, &[content])?;
    if sync {
        file.sync_data()?;
    }
    fs.rename(temporary, path)
}
