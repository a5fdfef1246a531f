//! Logs on the disk, with the threads of a lane as a broker has them: what an append takes at a steady rate until it
//! may be acknowledged, and how many bytes a second go in and out beside plain copies.

use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::time::{Duration, Instant, SystemTime};

use klamm_protocol::record::{Batch, BatchBuilder, Compression};
use klamm_storage::lane::Lane;
use klamm_storage::sys::{Fs, RealFs};
use klamm_storage::{LaneDone, LaneJob};
use klamm_storage::{Log, LogConfig, LogKey, OpenFiles, OpenOptions, Read, Tail};

use crate::times::{Clock, Times};

const TICK: Duration = Duration::from_millis(1);
const TICKS_PER_SECOND: usize = 1000;
const RECORD_BYTES: usize = 1 << 10;
const QUEUE_BYTES: usize = 64 << 20;
const TAIL_BYTES: usize = 16 << 20;
const OPEN_FILES: usize = 10_000;
/// So much goes in and out for each figure of `throughput`.
const VOLUME_BYTES: u64 = 4 << 30;
const COPY_BYTES: usize = 1 << 20;

/// Logs of one directory and the lane that works for them.
struct Disk {
    state: Mutex<State>,
    lane: OnceLock<Lane>,
}

#[derive(Default)]
struct State {
    logs: Vec<Log>,
    /// For each log the end offsets of appends that may not be acknowledged yet, and the time they count from.
    waiting: Vec<VecDeque<(i64, Instant)>>,
    waiting_count: usize,
    times: Times,
}

impl Disk {
    fn open(directory: &Path, logs: usize, fsync_acknowledged: bool) -> io::Result<Arc<Disk>> {
        let fs: Arc<dyn Fs> = Arc::new(RealFs);
        let (tail, open_files) = (Tail::new(TAIL_BYTES), Arc::new(OpenFiles::new(OPEN_FILES)));
        let config = LogConfig {
            fsync_acknowledged,
            ..LogConfig::default()
        };
        let mut state = State::default();
        for number in 0..logs {
            let options = OpenOptions {
                key: LogKey {
                    partition: i32::try_from(number).map_err(io::Error::other)?,
                    ..LogKey::default()
                },
                directory: directory.join(format!("bench-{number}")),
                config: config.clone(),
                tail: Arc::clone(&tail),
                open_files: Arc::clone(&open_files),
                recovery_point: 0,
                log_start_offset: 0,
                compacted_to: 0,
                // What lies there was flushed.
                clean: true,
                now_ms: now_ms(),
            };
            state
                .logs
                .push(Log::open(&fs, options).map_err(io::Error::other)?);
            state.waiting.push(VecDeque::new());
        }
        let disk = Arc::new(Disk {
            state: Mutex::new(state),
            lane: OnceLock::new(),
        });
        let weak: Weak<Disk> = Arc::downgrade(&disk);
        let report = move |dones| {
            if let Some(disk) = weak.upgrade() {
                disk.on_done(dones);
            }
        };
        let lane = Lane::start("bench", fs, QUEUE_BYTES, Box::new(report))?;
        let _ = disk.lane.set(lane);
        Ok(disk)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lane(&self) -> &Lane {
        self.lane.get().expect("it is set before anybody knows the disk")
    }

    /// Appends a batch to each of these logs; they count from the same time.
    fn append(&self, logs: impl Iterator<Item = usize>, batch: &Batch, from: Instant) -> io::Result<()> {
        let (mut jobs, now_ms) = (Vec::new(), now_ms());
        let mut state = self.state();
        for number in logs {
            let appended = state.logs[number].append(vec![batch.clone()], 0, now_ms, &mut jobs);
            let end = appended.map_err(io::Error::other)?.last_offset + 1;
            state.waiting[number].push_back((end, from));
            state.waiting_count += 1;
        }
        drop(state);
        self.lane().submit(jobs);
        Ok(())
    }

    fn on_done(&self, dones: Vec<LaneDone>) {
        let mut jobs: Vec<LaneJob> = Vec::new();
        let mut state = self.state();
        let State {
            logs,
            waiting,
            waiting_count,
            times,
        } = &mut *state;
        for done in dones {
            assert!(done.error().is_none(), "the disk failed: {done:?}");
            let number = usize::try_from(done.key().partition).expect("it was one");
            logs[number].on_done(done, &mut jobs);
            let acknowledged = logs[number].acknowledged_end();
            while let Some((_, from)) = waiting[number].pop_front_if(|(end, _)| *end <= acknowledged) {
                *waiting_count -= 1;
                times.add(from);
            }
        }
        drop(state);
        self.lane().submit(jobs);
    }

    /// Waits until every append may be acknowledged.
    fn settle(&self) {
        while self.state().waiting_count > 0 {
            std::thread::sleep(TICK);
        }
    }
}

fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    i64::try_from(since.unwrap_or_default().as_millis()).unwrap_or(i64::MAX)
}

/// A batch of one record, of `bytes` in all.
fn batch(bytes: usize) -> Batch {
    let of = |value: usize| {
        let mut batch = BatchBuilder::new(Compression::None);
        batch.append(now_ms(), None, Some(&vec![0x5a; value]));
        batch.finish()
    };
    let overhead = of(bytes).size() - bytes;
    of(bytes - overhead)
}

/// Appends of single records, each a batch of its own, in turn to all logs.
pub fn paced(directory: &Path, seconds: Duration) -> io::Result<()> {
    for fsync in [true, false] {
        for rate in [20_000, 100_000] {
            for logs in [12, 100, 1000] {
                let times = pace(directory, seconds, fsync, rate, logs)?;
                let class = if fsync { "fsync" } else { "page cache" };
                times.print(&format!("{class}, {rate}/s over {logs} partitions"));
                rustix::fs::sync();
            }
        }
    }
    Ok(())
}

fn pace(directory: &Path, seconds: Duration, fsync: bool, rate: usize, logs: usize) -> io::Result<Times> {
    let directory = tempfile::tempdir_in(directory)?;
    let disk = Disk::open(directory.path(), logs, fsync)?;
    let (batch, a_tick) = (batch(RECORD_BYTES), rate / TICKS_PER_SECOND);
    // The first record of a log takes syncs of names and of its leader epoch that no later one does.
    disk.append(0..logs, &batch, Instant::now())?;
    disk.settle();
    disk.state().times = Times::default();
    let (mut clock, began, mut next) = (Clock::start(TICK), Instant::now(), 0);
    while began.elapsed() < seconds {
        let from = clock.tick();
        disk.append((next..next + a_tick).map(|number| number % logs), &batch, from)?;
        next += a_tick;
    }
    disk.settle();
    let times = std::mem::take(&mut disk.state().times);
    Ok(times)
}

/// Bytes a second into a log and out of it, beside what the machine does without one.
pub fn throughput(directory: &Path) -> io::Result<()> {
    let (source, mut target) = (vec![0x5a; COPY_BYTES], vec![0; COPY_BYTES]);
    let steps = || (0..VOLUME_BYTES).step_by(COPY_BYTES);
    let directory = tempfile::tempdir_in(directory)?;
    rate("memcpy, 1 MiB at a time", || {
        for _ in steps() {
            std::hint::black_box(&mut target).copy_from_slice(std::hint::black_box(&source));
        }
        Ok(())
    })?;
    let path = directory.path().join("plain");
    let plain = File::options()
        .read(true)
        .write(true)
        .create_new(true)
        .open(&path)?;
    rate("write, 1 MiB at a time as dd does", || {
        steps().try_for_each(|position| plain.write_all_at(&source, position))
    })?;
    rate("fdatasync of that, as dd conv=fdatasync", || plain.sync_data())?;
    for hotness in ["hot", "cold"] {
        if hotness == "cold" {
            forget(&plain)?;
        }
        rate(&format!("pread, 1 MiB at a time, {hotness}"), || {
            steps().try_for_each(|position| plain.read_exact_at(&mut target, position))
        })?;
    }
    std::fs::remove_file(&path)?;
    drop(plain);
    rustix::fs::sync();
    for (name, bytes) in [("1 MiB", 1 << 20), ("16 KiB", 16 << 10)] {
        let directory = tempfile::tempdir_in(directory.path())?;
        let mut disk = Disk::open(directory.path(), 1, false)?;
        let batch = batch(bytes);
        rate(&format!("append, batches of {name}"), || {
            append_all(&disk, &batch)
        })?;
        rate("flush of that", || flush(&disk))?;
        for hotness in ["hot", "cold"] {
            if hotness == "cold" {
                // What is mapped cannot be forgotten.
                drop(disk);
                disk = Disk::open(directory.path(), 1, false)?;
                for entry in std::fs::read_dir(directory.path().join("bench-0"))? {
                    forget(&File::open(entry?.path())?)?;
                }
            }
            rate(&format!("read, 1 MiB at a time and copied, {hotness}"), || {
                read_all(&disk.state().logs[0], &mut target)
            })?;
        }
        drop(disk);
        directory.close()?;
        rustix::fs::sync();
    }
    Ok(())
}

fn append_all(disk: &Disk, batch: &Batch) -> io::Result<()> {
    for _ in 0..VOLUME_BYTES / batch.size() as u64 {
        while disk.lane().is_full() {
            std::thread::sleep(TICK / 10);
        }
        disk.append(std::iter::once(0), batch, Instant::now())?;
    }
    disk.settle();
    Ok(())
}

fn flush(disk: &Disk) -> io::Result<()> {
    loop {
        let (mut jobs, mut state) = (Vec::new(), disk.state());
        let log = &mut state.logs[0];
        if log.recovery_point() == log.log_end_offset() {
            return Ok(());
        }
        log.flush(&mut jobs);
        drop(state);
        disk.lane().submit(jobs);
        std::thread::sleep(TICK);
    }
}

fn read_all(log: &Log, target: &mut [u8]) -> io::Result<()> {
    let (mut next, end) = (log.log_start_offset(), log.log_end_offset());
    while next < end {
        let read = log.read(next, end, COPY_BYTES, true).map_err(io::Error::other)?;
        let extents = match read {
            Read::Ready(extents) => extents,
            Read::Job(job) => job.run().map_err(io::Error::other)?,
        };
        for part in extents.records.parts() {
            std::hint::black_box(&mut *target)[..part.len()].copy_from_slice(part);
        }
        next = extents.next_offset;
    }
    Ok(())
}

/// The file leaves the page cache.
fn forget(file: &File) -> io::Result<()> {
    Ok(rustix::fs::fadvise(
        file.as_fd(),
        0,
        None,
        rustix::fs::Advice::DontNeed,
    )?)
}

fn rate(name: &str, run: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
    let began = Instant::now();
    run()?;
    let taken = began.elapsed().as_secs_f64();
    println!(
        "  {name:<44} {:>6.0} MB/s, {taken:>6.2} s",
        VOLUME_BYTES as f64 / taken / 1e6
    );
    Ok(())
}
