//! The operating system's files. All system calls and all `unsafe` of this crate are in this file.

use std::io;
use std::io::ErrorKind;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::UNIX_EPOCH;

use bytes::{Bytes, BytesMut};
use rustix::fs::{FallocateFlags, FlockOperation, Mode as Permissions, OFlags};
use rustix::io::Errno;

use super::{DirEntry, File, FileLock, Fs, Mode, Space, sync_error};

/// Linux takes at most so many parts in one `pwritev`.
const PARTS_MAX: usize = 1024;
/// Up to here bytes are copied out of the page cache: cheaper than faulting pages in.
const COPY_MAX: usize = 32 * 1024;
/// Mappings begin and end on multiples of this, so that a growing file is seldom mapped anew. It costs address
/// space only: pages beyond the end of the file are never touched.
const MAP_STEP: u64 = 64 * 1024 * 1024;

/// The file system of the machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct RealFs;

impl Fs for RealFs {
    fn open(&self, path: &Path, mode: Mode) -> io::Result<Arc<dyn File>> {
        let flags = match mode {
            Mode::Read => OFlags::RDONLY,
            Mode::Write => OFlags::RDWR,
            Mode::Create => OFlags::RDWR | OFlags::CREATE,
            Mode::Truncate => OFlags::RDWR | OFlags::CREATE | OFlags::TRUNC,
        };
        let fd = rustix::fs::open(path, flags | OFlags::CLOEXEC, Permissions::from_raw_mode(0o644))?;
        Ok(Arc::new(RealFile {
            fd,
            mappings: Mutex::default(),
        }))
    }

    fn list_dir(&self, path: &Path) -> io::Result<Vec<DirEntry>> {
        let mut entries = Vec::new();
        for entry in std::fs::read_dir(path)? {
            let entry = entry?;
            let Ok(name) = entry.file_name().into_string() else {
                continue;
            };
            let metadata = match entry.metadata() {
                Ok(metadata) => metadata,
                Err(error) if error.kind() == ErrorKind::NotFound => continue,
                Err(error) => return Err(error),
            };
            let modified = metadata
                .modified()?
                .duration_since(UNIX_EPOCH)
                .unwrap_or_default();
            entries.push(DirEntry {
                name,
                is_dir: metadata.is_dir(),
                len: if metadata.is_dir() { 0 } else { metadata.len() },
                modified_ms: i64::try_from(modified.as_millis()).unwrap_or(i64::MAX),
            });
        }
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(entries)
    }

    fn list_names(&self, path: &Path) -> io::Result<Vec<(String, bool)>> {
        let mut names = Vec::new();
        for entry in std::fs::read_dir(path)? {
            let entry = entry?;
            if let Ok(name) = entry.file_name().into_string() {
                names.push((name, entry.file_type()?.is_dir()));
            }
        }
        names.sort();
        Ok(names)
    }

    fn create_dir(&self, path: &Path) -> io::Result<()> {
        std::fs::create_dir_all(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        std::fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        std::fs::remove_file(path)
    }

    fn remove_dir_all(&self, path: &Path) -> io::Result<()> {
        std::fs::remove_dir_all(path)
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let directory = rustix::fs::open(path, flags, Permissions::empty())?;
        rustix::fs::fsync(directory).map_err(|error| sync_error(&error.into()))
    }

    fn sync_all(&self, path: &Path) -> io::Result<()> {
        let flags = OFlags::RDONLY | OFlags::CLOEXEC;
        let any = rustix::fs::open(path, flags, Permissions::empty())?;
        Ok(rustix::fs::syncfs(any)?)
    }

    fn exists(&self, path: &Path) -> io::Result<bool> {
        path.try_exists()
    }

    fn space(&self, path: &Path) -> io::Result<Space> {
        let stat = rustix::fs::statvfs(path)?;
        Ok(Space {
            total: stat.f_blocks.saturating_mul(stat.f_frsize),
            usable: stat.f_bavail.saturating_mul(stat.f_frsize),
        })
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn FileLock>> {
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::CLOEXEC;
        let fd = rustix::fs::open(path, flags, Permissions::from_raw_mode(0o644))?;
        rustix::fs::flock(&fd, FlockOperation::NonBlockingLockExclusive)?;
        Ok(Box::new(RealLock { _fd: fd }))
    }
}

/// The lock goes with the descriptor.
struct RealLock {
    _fd: OwnedFd,
}

impl FileLock for RealLock {}

struct RealFile {
    fd: OwnedFd,
    /// Also held while the file is cut, so that nothing is lent meanwhile.
    mappings: Mutex<Mappings>,
}

#[derive(Default)]
struct Mappings {
    /// The newest one: new pieces are lent from it.
    newest: Option<Arc<Mapping>>,
    /// Those before it, for as long as pieces of them are lent.
    older: Vec<Weak<Mapping>>,
}

impl Mappings {
    /// The next piece is lent from another mapping.
    fn put_by(&mut self) {
        self.older.retain(|mapping| mapping.strong_count() > 0);
        self.older.extend(self.newest.take().as_ref().map(Arc::downgrade));
    }

    /// Where the last piece ends that somebody may hold; 0 when nothing is lent.
    fn lent_end(&self) -> u64 {
        let newest = self
            .newest
            .clone()
            .filter(|mapping| Arc::strong_count(mapping) > 2);
        let older = self.older.iter().filter_map(Weak::upgrade);
        let ends = newest.into_iter().chain(older);
        ends.map(|mapping| mapping.lent_end.load(Ordering::Relaxed))
            .max()
            .unwrap_or(0)
    }
}

/// A read-only mapping from byte 0 on, shared by all that was lent from it.
struct Mapping {
    map: memmap2::Mmap,
    /// Nothing that was ever lent from it reaches beyond.
    lent_end: AtomicU64,
}

/// A piece of a mapping; what `Bytes` holds on to.
struct Lent {
    mapping: Arc<Mapping>,
    start: usize,
    end: usize,
}

impl AsRef<[u8]> for Lent {
    fn as_ref(&self) -> &[u8] {
        &self.mapping.map[self.start..self.end]
    }
}

impl RealFile {
    fn mappings(&self) -> MutexGuard<'_, Mappings> {
        // The guarded value is valid after any panic: what is in it is replaced whole.
        self.mappings.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn copy(&self, position: u64, len: usize) -> io::Result<Bytes> {
        let mut bytes = BytesMut::zeroed(len);
        super::read_exact_at(self, position, &mut bytes)?;
        Ok(bytes.freeze())
    }
}

impl File for RealFile {
    fn len(&self) -> io::Result<u64> {
        let stat = rustix::fs::fstat(&self.fd)?;
        u64::try_from(stat.st_size).map_err(|_| ErrorKind::InvalidData.into())
    }

    fn read_at(&self, position: u64, into: &mut [u8]) -> io::Result<usize> {
        let mut done = 0;
        while done < into.len() {
            match rustix::io::pread(&self.fd, &mut into[done..], position + done as u64) {
                Ok(0) => break,
                Ok(read) => done += read,
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(done)
    }

    fn write_at(&self, mut position: u64, parts: &[Bytes]) -> io::Result<()> {
        let (mut part, mut offset) = (0, 0);
        loop {
            while part < parts.len() && offset == parts[part].len() {
                (part, offset) = (part + 1, 0);
            }
            if part == parts.len() {
                return Ok(());
            }
            let last = parts.len().min(part + PARTS_MAX);
            let mut slices = Vec::with_capacity(last - part);
            slices.push(io::IoSlice::new(&parts[part][offset..]));
            slices.extend(parts[part + 1..last].iter().map(|bytes| io::IoSlice::new(bytes)));
            let mut written = match rustix::io::pwritev(&self.fd, &slices, position) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(written) => written,
                Err(Errno::INTR) => continue,
                Err(error) => return Err(error.into()),
            };
            position += written as u64;
            while written > 0 {
                let step = written.min(parts[part].len() - offset);
                written -= step;
                offset += step;
                if offset == parts[part].len() {
                    (part, offset) = (part + 1, 0);
                }
            }
        }
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut mappings = self.mappings();
        if mappings.lent_end() > len {
            return Err(ErrorKind::ResourceBusy.into());
        }
        if len < self.len()? {
            mappings.put_by();
        }
        Ok(rustix::fs::ftruncate(&self.fd, len)?)
    }

    fn sync_data(&self) -> io::Result<()> {
        rustix::fs::fdatasync(&self.fd).map_err(|error| sync_error(&error.into()))
    }

    fn start_sync(&self) {
        // SAFETY: numbers, and a descriptor that is open for as long as `self` lives. Whatever goes wrong is told by the
        // sync that follows.
        unsafe { libc::sync_file_range(self.fd.as_raw_fd(), 0, 0, libc::SYNC_FILE_RANGE_WRITE) };
    }

    fn reserve(&self, position: u64, len: u64) -> io::Result<()> {
        if len == 0 {
            return Ok(());
        }
        match rustix::fs::fallocate(&self.fd, FallocateFlags::KEEP_SIZE, position, len) {
            Ok(()) | Err(Errno::OPNOTSUPP | Errno::NOSYS) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    fn map(&self, position: u64, len: usize) -> io::Result<Bytes> {
        if len <= COPY_MAX {
            return self.copy(position, len);
        }
        let end = position + len as u64;
        let mut mappings = self.mappings();
        if end > self.len()? {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        let mapping = match &mappings.newest {
            Some(mapping) if mapping.map.len() as u64 >= end => Arc::clone(mapping),
            _ => {
                let step = end.next_multiple_of(MAP_STEP);
                let size = usize::try_from(step).map_err(|_| ErrorKind::InvalidInput)?;
                // SAFETY: the mapping is read-only and shared. Bytes below the end of a segment file never
                // change once written, and the file is never cut below the end of a piece that is lent (`set_len`
                // looks under the same lock), so a slice handed out stays as it was. No page beyond the end of the file
                // is touched: `end` was compared with the length under the lock. No other process writes our
                // files: the log directory is locked.
                let map = unsafe { memmap2::MmapOptions::new().len(size).map(&self.fd) };
                let Ok(map) = map else {
                    // As many mappings as a process may have, perhaps. That is not the disk's fault: a copy will tell.
                    drop(mappings);
                    return self.copy(position, len);
                };
                let mapping = Arc::new(Mapping {
                    map,
                    lent_end: AtomicU64::new(0),
                });
                mappings.put_by();
                mappings.newest = Some(Arc::clone(&mapping));
                mapping
            }
        };
        mapping.lent_end.fetch_max(end, Ordering::Relaxed);
        drop(mappings);
        let start = usize::try_from(position).map_err(|_| ErrorKind::InvalidInput)?;
        let lent = Lent {
            mapping,
            start,
            end: start + len,
        };
        // Fault the pages in here, where waiting is allowed, and as a system call: a bad disk is then an error
        // and not SIGBUS. A kernel before 5.14 does not know the advice; then the pages are read ahead.
        let advise = |advice| lent.mapping.map.advise_range(advice, start, len);
        let populated = match advise(memmap2::Advice::PopulateRead) {
            Err(error) if error.kind() == ErrorKind::InvalidInput => advise(memmap2::Advice::WillNeed),
            result => result,
        };
        match populated {
            Ok(()) => Ok(Bytes::from_owner(lent)),
            // For want of memory, or the disk does not give it: a copy will tell.
            Err(_) => self.copy(position, len),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file() -> (tempfile::TempDir, Arc<dyn File>) {
        let dir = tempfile::tempdir().unwrap();
        let file = RealFs.open(&dir.path().join("f"), Mode::Create).unwrap();
        (dir, file)
    }

    #[test]
    fn write_at_writes_more_parts_than_one_system_call_takes() {
        let (_dir, file) = file();
        let parts: Vec<Bytes> = (0..3000u32)
            .map(|n| Bytes::copy_from_slice(&n.to_be_bytes()))
            .collect();
        file.write_at(7, &parts).unwrap();
        assert_eq!(file.len().unwrap(), 7 + 12_000);
        assert_eq!(file.map(7, 12_000).unwrap(), parts.concat());
    }

    #[test]
    fn a_file_is_not_cut_while_its_bytes_are_lent() {
        let (_dir, file) = file();
        file.write_at(0, &[Bytes::from(vec![5; 100_000])]).unwrap();
        let lent = file.map(1000, 90_000).unwrap();
        assert_eq!(file.set_len(50).unwrap_err().kind(), ErrorKind::ResourceBusy);
        // What lies behind all that is lent may go: an append that failed half-way.
        file.set_len(91_000).unwrap();
        assert_eq!(file.len().unwrap(), 91_000);
        assert!(lent.iter().all(|byte| *byte == 5));
        file.set_len(100_000).unwrap();
        drop(lent);
        file.set_len(50).unwrap();
        assert_eq!(file.map(0, 51).unwrap_err().kind(), ErrorKind::UnexpectedEof);
        assert_eq!(file.map(0, 90_000).unwrap_err().kind(), ErrorKind::UnexpectedEof);
    }

    #[test]
    fn what_was_lent_before_the_file_outgrew_its_mapping_is_not_cut_either() {
        let (_dir, file) = file();
        file.write_at(0, &[Bytes::from(vec![5; 100_000])]).unwrap();
        let lent = file.map(1000, 90_000).unwrap();
        file.write_at(MAP_STEP, &[Bytes::from(vec![6; 100_000])]).unwrap();
        drop(file.map(MAP_STEP, 100_000).unwrap());
        file.set_len(MAP_STEP).unwrap();
        assert_eq!(file.set_len(50).unwrap_err().kind(), ErrorKind::ResourceBusy);
        assert!(lent.iter().all(|byte| *byte == 5));
    }

    #[test]
    fn what_cannot_be_mapped_is_copied() {
        let memory = rustix::fs::memfd_create("f", rustix::fs::MemfdFlags::CLOEXEC).unwrap();
        let file = RealFile {
            fd: memory,
            mappings: Mutex::default(),
        };
        // More than a process has addresses for.
        let position = 1 << 47;
        file.write_at(position, &[Bytes::from(vec![5; 100_000])]).unwrap();
        assert_eq!(file.map(position + 7, 90_000).unwrap(), vec![5; 90_000]);
    }

    #[test]
    fn reserved_space_does_not_move_the_end() {
        let (_dir, file) = file();
        file.write_at(0, &[Bytes::from_static(b"abc")]).unwrap();
        file.reserve(0, 1 << 20).unwrap();
        file.reserve(0, 0).unwrap();
        assert_eq!(file.len().unwrap(), 3);
    }

    #[test]
    fn a_lock_has_one_holder() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(".lock");
        let held = RealFs.lock(&path).unwrap();
        assert_eq!(RealFs.lock(&path).err().unwrap().kind(), ErrorKind::WouldBlock);
        drop(held);
        RealFs.lock(&path).unwrap();
    }
}
