//! The disk's own tail, without a log: what a write takes at a steady rate under several ways of writing, and what a
//! read takes.
//!
//! Files of 1 GiB are written one after the other; the fifth last one goes. A second thread does what a log's flusher
//! would.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use rustix::fs::{Advice, FallocateFlags};

use crate::times::{Clock, Times};

const WRITE_BYTES: usize = 128 << 10;
const BYTES_PER_SECOND: u64 = 100_000_000;
const FILE_BYTES: u64 = 1 << 30;
const FILES_KEPT: u64 = 4;
const RESERVE_BYTES: u64 = 16 << 20;
const START_BYTES: u64 = 8 << 20;
const SYNC_BYTES: u64 = 64 << 20;
const READ_FILE_BYTES: u64 = 1 << 30;
const READ_BYTES: usize = 1 << 20;
/// Direct writes begin on a multiple of this in memory.
const ALIGNMENT: usize = 4096;

#[derive(Clone, Copy, Default)]
struct Way {
    /// Space is reserved ahead.
    reserved: bool,
    /// The writeback of every [`START_BYTES`] is started as soon as they are written.
    started: bool,
    /// Every [`SYNC_BYTES`] are synced as soon as they are written.
    synced: bool,
    /// Past the page cache.
    direct: bool,
}

/// What the second thread does.
enum Chore {
    StartWriteback(Arc<File>, u64, u64),
    Sync(Arc<File>),
    Remove(PathBuf),
}

impl Chore {
    fn run(self) -> io::Result<()> {
        match self {
            Chore::StartWriteback(file, position, len) => start_writeback(&file, position, len),
            Chore::Sync(file) => file.sync_data(),
            Chore::Remove(path) => fs::remove_file(path),
        }
    }
}

pub fn writes(directory: &Path, seconds: Duration) -> io::Result<()> {
    let (reserved, started, synced, direct) = (true, true, true, true);
    let none = Way::default();
    #[rustfmt::skip]
    let ways = [
        ("plain", none),
        ("reserved", Way { reserved, ..none }),
        ("writeback started every 8 MiB", Way { started, ..none }),
        ("reserved, writeback started every 8 MiB", Way { reserved, started, ..none }),
        ("reserved, synced every 64 MiB", Way { reserved, synced, ..none }),
        ("reserved, direct", Way { reserved, direct, ..none }),
    ];
    for (name, way) in ways {
        let directory = tempfile::tempdir_in(directory)?;
        match write_steadily(directory.path(), way, seconds) {
            Ok(times) => times.print(name),
            Err(error) => println!("  {name:<44} skipped: {error}"),
        }
        directory.close()?;
        // What this way has left to the disk is not to be the next one's.
        rustix::fs::sync();
    }
    Ok(())
}

fn write_steadily(directory: &Path, way: Way, seconds: Duration) -> io::Result<Times> {
    let (chores, todo) = mpsc::channel::<Chore>();
    let flusher = std::thread::spawn(move || todo.into_iter().try_for_each(Chore::run));
    let memory = vec![0x5a; WRITE_BYTES + ALIGNMENT];
    let aligned = memory.as_ptr().align_offset(ALIGNMENT);
    let block = &memory[aligned..aligned + WRITE_BYTES];
    let path = |number: u64| directory.join(format!("{number}"));
    let give = |chore| {
        chores
            .send(chore)
            .map_err(|_| io::Error::other("the second thread failed"))
    };
    let interval = Duration::from_nanos(WRITE_BYTES as u64 * 1_000_000_000 / BYTES_PER_SECOND);
    let (mut clock, mut times, began) = (Clock::start(interval), Times::default(), Instant::now());
    for number in 0.. {
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        if way.direct {
            options.custom_flags(libc::O_DIRECT);
        }
        let file = Arc::new(options.open(path(number))?);
        if number >= FILES_KEPT {
            give(Chore::Remove(path(number - FILES_KEPT)))?;
        }
        for position in (0..FILE_BYTES).step_by(WRITE_BYTES) {
            if began.elapsed() >= seconds {
                drop(chores);
                return flusher.join().expect("no chore panics").map(|()| times);
            }
            let from = clock.tick();
            if way.reserved && position.is_multiple_of(RESERVE_BYTES) {
                rustix::fs::fallocate(&file, FallocateFlags::KEEP_SIZE, position, RESERVE_BYTES)?;
            }
            file.write_all_at(block, position)?;
            times.add(from);
            let end = position + WRITE_BYTES as u64;
            if way.started && end.is_multiple_of(START_BYTES) {
                let start = end - START_BYTES;
                give(Chore::StartWriteback(Arc::clone(&file), start, START_BYTES))?;
            }
            if way.synced && end.is_multiple_of(SYNC_BYTES) {
                give(Chore::Sync(Arc::clone(&file)))?;
            }
        }
    }
    unreachable!("the loop has no end")
}

/// So many threads sync files, where it is not one: as many as a lane has flushers.
const SYNC_THREADS: usize = 8;
const SYNC_FILES: [usize; 3] = [12, 100, 1000];
const SYNC_ROUNDS: u64 = 20;
/// What each file got since it was synced last.
const SYNC_WRITE_BYTES: usize = 4 << 10;

/// Makes the last write to each of these files durable.
type SyncAll = dyn Fn(&[File]) -> io::Result<()>;

/// What a round of syncs takes: many files were written to, and all are to be durable.
pub fn syncs(directory: &Path) -> io::Result<()> {
    let ways: [(&str, &SyncAll); 6] = [
        ("one after the other", &|files| {
            files.iter().try_for_each(File::sync_data)
        }),
        ("one after the other, writeback of all started", &|files| {
            start_all(files)?;
            files.iter().try_for_each(File::sync_data)
        }),
        ("eight threads", &sync_with_threads),
        ("eight threads, writeback of all started", &|files| {
            start_all(files)?;
            sync_with_threads(files)
        }),
        ("eight threads, each starts its own", &|files| {
            in_threads(files, |own| {
                start_all(own)?;
                own.iter().try_for_each(File::sync_data)
            })
        }),
        ("syncfs", &|files| Ok(rustix::fs::syncfs(&files[0])?)),
    ];
    for count in SYNC_FILES {
        let directory = tempfile::tempdir_in(directory)?;
        let open = |number| File::create(directory.path().join(format!("{number}")));
        let files: Vec<File> = (0..count).map(open).collect::<io::Result<_>>()?;
        for file in &files {
            rustix::fs::fallocate(file, FallocateFlags::KEEP_SIZE, 0, RESERVE_BYTES)?;
        }
        rustix::fs::sync();
        let (block, mut position) = (vec![0x5a; SYNC_WRITE_BYTES], 0);
        for (name, sync_all) in ways {
            let mut times = Times::default();
            for _ in 0..SYNC_ROUNDS {
                for file in &files {
                    file.write_all_at(&block, position)?;
                }
                position += SYNC_WRITE_BYTES as u64;
                let from = Instant::now();
                sync_all(&files)?;
                times.add(from);
            }
            times.print(&format!("{count} files, {name}"));
        }
    }
    Ok(())
}

fn start_all(files: &[File]) -> io::Result<()> {
    let start = |file: &File| start_writeback(file, 0, 0);
    files.iter().try_for_each(start)
}

fn sync_with_threads(files: &[File]) -> io::Result<()> {
    in_threads(files, |own| own.iter().try_for_each(File::sync_data))
}

fn in_threads(files: &[File], work: impl Fn(&[File]) -> io::Result<()> + Sync) -> io::Result<()> {
    std::thread::scope(|scope| {
        let parts = files.chunks(files.len().div_ceil(SYNC_THREADS));
        let threads: Vec<_> = parts.map(|own| scope.spawn(|| work(own))).collect();
        let join = |thread: std::thread::ScopedJoinHandle<'_, io::Result<()>>| thread.join();
        threads
            .into_iter()
            .try_for_each(|thread| join(thread).expect("no sync panics"))
    })
}

/// Starts the writeback of a part of a file; a length of 0 is up to its end.
fn start_writeback(file: &File, position: u64, len: u64) -> io::Result<()> {
    let (position, len) = (position.cast_signed(), len.cast_signed());
    let flags = libc::SYNC_FILE_RANGE_WRITE;
    // SAFETY: plain numbers, and a descriptor that is open for as long as `file` lives.
    let result = unsafe { libc::sync_file_range(file.as_raw_fd(), position, len, flags) };
    if result == 0 {
        return Ok(());
    }
    Err(io::Error::last_os_error())
}

/// Each read brings [`READ_BYTES`] to a socket whose other end throws away what comes.
pub fn reads(directory: &Path) -> io::Result<()> {
    let ways: [(&str, &ReadOne); 3] = [("pread", &copied), ("mapping", &mapped), ("sendfile", &sent)];
    for hotness in ["hot", "cold"] {
        for (name, one) in ways {
            // A file for each: where the disk is virtual, its host remembers what was read.
            let file = tempfile::tempfile_in(directory)?;
            let block = vec![0x5a; READ_BYTES];
            for position in (0..READ_FILE_BYTES).step_by(READ_BYTES) {
                file.write_all_at(&block, position)?;
            }
            file.sync_data()?;
            if hotness == "cold" {
                rustix::fs::fadvise(file.as_fd(), 0, None, Advice::DontNeed)?;
            }
            // SAFETY: nobody else knows the file, and it is not cut before the mapping goes.
            let map = unsafe { memmap2::Mmap::map(&file)? };
            let began = Instant::now();
            let times = read_all(&file, &map, one)?;
            let rate = READ_FILE_BYTES as f64 / began.elapsed().as_secs_f64() / 1e6;
            times.print(&format!("{name}, {hotness}: {rate:.0} MB/s"));
        }
    }
    Ok(())
}

type ReadOne = dyn Fn(&File, &memmap2::Mmap, &mut UnixStream, u64) -> io::Result<()>;

fn copied(file: &File, _: &memmap2::Mmap, socket: &mut UnixStream, position: u64) -> io::Result<()> {
    let mut bytes = vec![0; READ_BYTES];
    file.read_exact_at(&mut bytes, position)?;
    socket.write_all(&bytes)
}

fn mapped(_: &File, map: &memmap2::Mmap, socket: &mut UnixStream, position: u64) -> io::Result<()> {
    let start = usize::try_from(position).map_err(io::Error::other)?;
    map.advise_range(memmap2::Advice::PopulateRead, start, READ_BYTES)?;
    socket.write_all(&map[start..start + READ_BYTES])
}

fn sent(file: &File, _: &memmap2::Mmap, socket: &mut UnixStream, mut position: u64) -> io::Result<()> {
    let end = position + READ_BYTES as u64;
    while position < end {
        let left = usize::try_from(end - position).map_err(io::Error::other)?;
        if rustix::fs::sendfile(&*socket, file, Some(&mut position), left)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(())
}

fn read_all(file: &File, map: &memmap2::Mmap, one: &ReadOne) -> io::Result<Times> {
    let (mut socket, mut sink) = UnixStream::pair()?;
    let drain = std::thread::spawn(move || {
        let mut bytes = vec![0; READ_BYTES];
        while sink.read(&mut bytes).is_ok_and(|read| read > 0) {}
    });
    let mut times = Times::default();
    for position in (0..READ_FILE_BYTES).step_by(READ_BYTES) {
        let from = Instant::now();
        one(file, map, &mut socket, position)?;
        times.add(from);
    }
    drop(socket);
    drain.join().expect("the thread only reads");
    Ok(times)
}
