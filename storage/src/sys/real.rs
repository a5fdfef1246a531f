//! The operating system's files. All system calls and all `unsafe` of this crate are in this file.

use std::io;
use std::io::ErrorKind;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::UNIX_EPOCH;

use bytes::{Bytes, BytesMut};
use rustix::fs::{FallocateFlags, FlockOperation, Mode as Permissions, OFlags};
use rustix::io::Errno;

use super::{DirEntry, File, FileLock, Fs, Mode};

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
            mapping: Mutex::new(None),
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
        Ok(rustix::fs::fsync(directory)?)
    }

    fn exists(&self, path: &Path) -> io::Result<bool> {
        path.try_exists()
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
    /// The newest mapping of the file. Also held while the file is cut, so that nothing is lent meanwhile.
    mapping: Mutex<Option<Arc<Mapping>>>,
}

/// A read-only mapping from byte 0 on, shared by all that was lent from it.
struct Mapping(memmap2::Mmap);

/// A piece of a mapping; what `Bytes` holds on to.
struct Lent {
    mapping: Arc<Mapping>,
    start: usize,
    end: usize,
}

impl AsRef<[u8]> for Lent {
    fn as_ref(&self) -> &[u8] {
        &self.mapping.0[self.start..self.end]
    }
}

impl RealFile {
    fn mapping(&self) -> MutexGuard<'_, Option<Arc<Mapping>>> {
        // The guarded value is valid after any panic: it is replaced whole.
        self.mapping.lock().unwrap_or_else(PoisonError::into_inner)
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
        let mut mapping = self.mapping();
        let shorter = len < self.len()?;
        if shorter
            && mapping
                .as_ref()
                .is_some_and(|mapping| Arc::strong_count(mapping) > 1)
        {
            return Err(ErrorKind::ResourceBusy.into());
        }
        if shorter {
            *mapping = None;
        }
        Ok(rustix::fs::ftruncate(&self.fd, len)?)
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(rustix::fs::fdatasync(&self.fd)?)
    }

    fn reserve(&self, position: u64, len: u64) -> io::Result<()> {
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
        let mut current = self.mapping();
        if end > self.len()? {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        let mapping = match &*current {
            Some(mapping) if mapping.0.len() as u64 >= end => Arc::clone(mapping),
            _ => {
                let step = end.next_multiple_of(MAP_STEP);
                let size = usize::try_from(step).map_err(|_| ErrorKind::InvalidInput)?;
                // SAFETY: the mapping is read-only and shared. Bytes below the end of a segment file never
                // change once written, and the file is never cut while a piece is lent (`set_len` looks under
                // the same lock), so a slice handed out stays as it was. No page beyond the end of the file
                // is touched: `end` was compared with the length under the lock. No other process writes our
                // files: the log directory is locked.
                let map = unsafe { memmap2::MmapOptions::new().len(size).map(&self.fd)? };
                let mapping = Arc::new(Mapping(map));
                *current = Some(Arc::clone(&mapping));
                mapping
            }
        };
        drop(current);
        let start = usize::try_from(position).map_err(|_| ErrorKind::InvalidInput)?;
        let lent = Lent {
            mapping,
            start,
            end: start + len,
        };
        // Fault the pages in here, where waiting is allowed, and as a system call: a bad disk is then an error
        // and not SIGBUS. A kernel before 5.14 does not know the advice; then the pages are read ahead.
        match lent
            .mapping
            .0
            .advise_range(memmap2::Advice::PopulateRead, start, len)
        {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::InvalidInput => {
                lent.mapping
                    .0
                    .advise_range(memmap2::Advice::WillNeed, start, len)?;
            }
            Err(error) => return Err(error),
        }
        Ok(Bytes::from_owner(lent))
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
        assert!(lent.iter().all(|byte| *byte == 5));
        file.set_len(100_000).unwrap();
        drop(lent);
        file.set_len(50).unwrap();
        assert_eq!(file.map(0, 51).unwrap_err().kind(), ErrorKind::UnexpectedEof);
        assert_eq!(file.map(0, 90_000).unwrap_err().kind(), ErrorKind::UnexpectedEof);
    }

    #[test]
    fn reserved_space_does_not_move_the_end() {
        let (_dir, file) = file();
        file.write_at(0, &[Bytes::from_static(b"abc")]).unwrap();
        file.reserve(0, 1 << 20).unwrap();
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
