//! A log over a file system in memory, with a lane that runs when the test says so.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use klamm_protocol::Uuid;
use klamm_protocol::ids::TopicId;
use klamm_protocol::record::control::ControlRecord;
use klamm_protocol::record::{Batch, BatchBuilder, BatchError, Batches, Compression};

use super::*;
use crate::lane::{self, LaneJob};
use crate::producers::ProducerCheck;
use crate::segment::{self, SNAPSHOT};
use crate::sys::memory::MemoryFs;
use crate::transactions::AbortedTransaction;

pub(super) const DIR: &str = "/data/t-0";

pub(super) fn key() -> LogKey {
    LogKey {
        topic_id: TopicId(Uuid([1; 16])),
        partition: 0,
    }
}

/// A log and its jobs.
pub(super) struct Bench {
    pub(super) fs: MemoryFs,
    pub(super) shared: Arc<dyn Fs>,
    pub(super) log: Log,
    pub(super) jobs: Vec<LaneJob>,
    pub(super) progress: Vec<Progress>,
}

pub(super) fn options(config: &LogConfig, tail: &Arc<Tail>) -> OpenOptions {
    OpenOptions {
        key: key(),
        directory: PathBuf::from(DIR),
        config: config.clone(),
        tail: Arc::clone(tail),
        open_files: Arc::new(OpenFiles::new(64)),
        recovery_point: 0,
        log_start_offset: 0,
        compacted_to: 0,
        clean: false,
        now_ms: 1000,
    }
}

pub(super) fn small() -> LogConfig {
    LogConfig {
        segment_bytes: 2000,
        index_interval_bytes: 200,
        ..LogConfig::default()
    }
}

pub(super) fn batch(value: &[u8], timestamp_ms: i64) -> Batch {
    let mut builder = BatchBuilder::new(Compression::None);
    builder.append(timestamp_ms, Some(b"k"), Some(value));
    builder.finish()
}

pub(super) fn idempotent(id: i64, epoch: i16, sequence: i32, records: i32) -> Batch {
    let mut builder = BatchBuilder::new(Compression::None);
    builder.producer(id, epoch, sequence);
    for _ in 0..records {
        builder.append(1000, None, Some(b"v"));
    }
    builder.finish()
}

impl Bench {
    pub(super) fn new(config: &LogConfig) -> Bench {
        Bench::open(MemoryFs::new(), config, |_| {})
    }

    pub(super) fn open(fs: MemoryFs, config: &LogConfig, with: impl FnOnce(&mut OpenOptions)) -> Bench {
        Bench::try_open(fs, config, with).unwrap()
    }

    pub(super) fn try_open(
        fs: MemoryFs,
        config: &LogConfig,
        with: impl FnOnce(&mut OpenOptions),
    ) -> Result<Bench, OpenError> {
        let tail = Tail::new(1 << 20);
        let mut options = options(config, &tail);
        with(&mut options);
        let shared = fs.shared();
        let log = Log::open(&shared, options)?;
        Ok(Bench {
            fs,
            shared,
            log,
            jobs: Vec::new(),
            progress: Vec::new(),
        })
    }

    pub(super) fn append(&mut self, batches: Vec<Batch>) -> Appended {
        self.log.append(batches, 0, 1000, &mut self.jobs).unwrap()
    }

    /// Runs the lane until nothing is left to do.
    pub(super) fn settle(&mut self) {
        while !self.jobs.is_empty() {
            let jobs = std::mem::take(&mut self.jobs);
            for done in lane::run(&self.shared, jobs) {
                self.progress.push(self.log.on_done(done, &mut self.jobs));
            }
        }
    }

    /// What a consumer with `read_committed` is given from `from` on. It leaves out an aborted transaction from its
    /// first offset up to its marker.
    pub(super) fn read_committed(&self, from: i64, bound: i64) -> Vec<Batch> {
        let aborted = self.log.aborted_transactions(from, bound).unwrap().run().unwrap();
        let mut aborted = aborted.into_iter().peekable();
        let mut left_out = std::collections::BTreeSet::new();
        let mut batches = self.read_all(from, bound, 1000).unwrap();
        batches.retain(|batch| {
            let header = batch.header();
            let begins = |ended: &AbortedTransaction| ended.first_offset <= header.last_offset();
            while let Some(ended) = aborted.next_if(begins) {
                left_out.insert(ended.producer_id);
            }
            if let Ok(ControlRecord::EndTransaction { commit: false, .. }) = ControlRecord::of(batch) {
                left_out.remove(&header.producer_id);
            }
            let left_out = header.is_transactional() && left_out.contains(&header.producer_id);
            !left_out && !header.is_control()
        });
        batches
    }

    /// All batches in `[from, bound)`, read as a consumer does.
    pub(super) fn read_all(&self, from: i64, bound: i64, max_bytes: usize) -> Result<Vec<Batch>, ReadError> {
        let (mut next, mut batches) = (from, Vec::new());
        loop {
            let extents = match self.log.read(next, bound, max_bytes, true)? {
                Read::Ready(extents) => extents,
                Read::Job(job) => job.run()?,
            };
            if extents.records.is_empty() {
                assert_eq!(extents.next_offset, next);
                return Ok(batches);
            }
            for batch in Batches::new(extents.records.to_bytes()) {
                let damaged = |error: BatchError| ReadError::Damaged {
                    file: PathBuf::new(),
                    offset: next,
                    reason: error.to_string(),
                };
                let batch = batch.map_err(damaged)?;
                if batch.header().last_offset() < next {
                    let reason = "a batch before the offset asked for".to_owned();
                    return Err(ReadError::Damaged {
                        file: PathBuf::new(),
                        offset: next,
                        reason,
                    });
                }
                next = batch.header().last_offset() + 1;
                batches.push(batch);
            }
            if extents.next_offset != next {
                let reason = format!(
                    "batches up to {next}, and {} is said to come next",
                    extents.next_offset
                );
                return Err(ReadError::Damaged {
                    file: PathBuf::new(),
                    offset: next,
                    reason,
                });
            }
        }
    }

    pub(super) fn offsets(&self) -> Vec<i64> {
        let all = self
            .read_all(self.log.log_start_offset(), i64::MAX, 1 << 20)
            .unwrap();
        all.iter().map(|batch| batch.header().base_offset).collect()
    }

    pub(super) fn files(&self) -> Vec<String> {
        let entries = self.fs.list_dir(Path::new(DIR)).unwrap();
        entries.into_iter().map(|entry| entry.name).collect()
    }

    pub(super) fn forget_tail(&mut self) {
        self.log.tail.truncate(i64::MIN);
    }
}

#[test]
fn a_flush_that_is_asked_for_covers_what_is_not_written_or_while_another_is_on_its_way() {
    let mut bench = Bench::new(&LogConfig::default());
    bench.append(vec![batch(b"a", 1)]);
    bench.log.flush(&mut bench.jobs);
    assert_eq!(bench.jobs.len(), 1, "nothing is written yet");
    let written = lane::run(&bench.shared, std::mem::take(&mut bench.jobs));
    for done in written {
        bench.log.on_done(done, &mut bench.jobs);
    }
    let first_flush = std::mem::take(&mut bench.jobs);
    assert_eq!(first_flush.len(), 1);
    bench.append(vec![batch(b"b", 2)]);
    bench.settle();
    bench.log.flush(&mut bench.jobs);
    assert!(bench.jobs.is_empty(), "one flush at a time");
    bench.jobs = first_flush;
    bench.settle();
    assert_eq!(bench.log.recovery_point(), 2);
}

#[test]
fn what_is_appended_can_be_read_once_it_is_written() {
    let mut bench = Bench::new(&LogConfig::default());
    let appended = bench.append(vec![batch(b"a", 1), batch(b"b", 2)]);
    assert_eq!((appended.first_offset, appended.last_offset), (0, 1));
    assert_eq!(bench.log.acknowledged_end(), 0);
    assert!(bench.offsets().is_empty(), "nobody sees what is not written");
    bench.settle();
    assert_eq!(bench.log.acknowledged_end(), 2);
    assert_eq!(bench.offsets(), [0, 1]);
    bench.forget_tail();
    assert_eq!(bench.offsets(), [0, 1]);
    assert!(matches!(
        bench.log.read(3, 9, 9, true),
        Err(ReadError::OutOfRange { .. })
    ));
}

#[test]
fn segments_roll_and_reads_never_skip_at_their_ends() {
    let mut bench = Bench::new(&small());
    for number in 0..100u8 {
        bench.append(vec![batch(&[number; 100], i64::from(number))]);
    }
    bench.settle();
    assert!(bench.log.segment_count() > 5);
    bench.forget_tail();
    let expected: Vec<i64> = (0..100).collect();
    for max_bytes in [1, 170, 300, 1000, 5000] {
        let read = bench.read_all(0, i64::MAX, max_bytes).unwrap();
        let offsets: Vec<i64> = read.iter().map(|batch| batch.header().base_offset).collect();
        assert_eq!(offsets, expected, "max_bytes {max_bytes}");
    }
    for bound in 0..100 {
        assert_eq!(bench.read_all(0, bound, 700).unwrap().len() as i64, bound);
    }
    for from in 0..100 {
        assert_eq!(bench.read_all(from, 100, 700).unwrap().len() as i64, 100 - from);
    }
}

#[test]
fn a_read_without_at_least_one_respects_its_limit() {
    let mut bench = Bench::new(&LogConfig::default());
    bench.append(vec![batch(&[0; 500], 1)]);
    bench.settle();
    for _ in 0..2 {
        let extents = match bench.log.read(0, 1, 100, false).unwrap() {
            Read::Ready(extents) => extents,
            Read::Job(job) => job.run().unwrap(),
        };
        assert_eq!(extents, Extents::default());
        bench.forget_tail();
    }
}

#[test]
fn with_fsync_a_record_counts_when_it_is_synced() {
    let config = LogConfig {
        fsync_acknowledged: true,
        ..LogConfig::default()
    };
    let mut bench = Bench::new(&config);
    bench.append(vec![batch(b"a", 1)]);
    let jobs = std::mem::take(&mut bench.jobs);
    for done in lane::run(&bench.shared, jobs) {
        bench.log.on_done(done, &mut bench.jobs);
    }
    assert_eq!((bench.log.written_end(), bench.log.acknowledged_end()), (1, 0));
    bench.settle();
    assert_eq!(bench.log.acknowledged_end(), 1);
    for seed in 0..20 {
        let reopened = Bench::open(bench.fs.power_cut(seed), &config, |_| {});
        assert_eq!(reopened.offsets(), [0], "seed {seed}");
    }
}

#[test]
fn with_flush_messages_at_four_three_records_wait_and_the_fourth_syncs_them() {
    let config = LogConfig {
        flush_messages: Some(4),
        ..LogConfig::default()
    };
    let mut bench = Bench::new(&config);
    for number in 0..12 {
        let synced = number / 4 * 4;
        assert_eq!(bench.log.recovery_point(), synced, "before record {number}");
        bench.append(vec![batch(b"a", 1)]);
        bench.settle();
        assert_eq!(
            bench.log.acknowledged_end(),
            number + 1,
            "nobody waits for the sync"
        );
    }
    assert_eq!(bench.log.recovery_point(), 12);
    for seed in 0..20 {
        let reopened = Bench::open(bench.fs.power_cut(seed), &config, |_| {});
        assert_eq!(reopened.offsets(), (0..12).collect::<Vec<_>>(), "seed {seed}");
    }
}

#[test]
fn a_clean_shutdown_needs_no_check_and_keeps_producers() {
    let mut bench = Bench::new(&small());
    for sequence in 0..50 {
        bench.append(vec![idempotent(7, 0, sequence, 1)]);
    }
    bench.log.close(&mut bench.jobs);
    bench.settle();
    assert!(bench.log.is_closed());
    let recovery_point = bench.log.recovery_point();
    assert_eq!(recovery_point, 50);
    let fs = bench.fs.power_cut(1);
    let reopened = Bench::open(fs, &small(), |options| {
        options.clean = true;
        options.recovery_point = recovery_point;
    });
    assert_eq!(reopened.log.log_end_offset(), 50);
    let check = |sequence| {
        reopened
            .log
            .check_producer(idempotent(7, 0, sequence, 1).header())
    };
    assert!(matches!(
        check(49),
        Ok(ProducerCheck::Duplicate { base_offset: 49, .. })
    ));
    assert_eq!(check(50), Ok(ProducerCheck::New));
    assert!(check(51).is_err());
}

#[test]
fn a_full_disk_fails_the_append_and_keeps_what_was_acknowledged() {
    let mut bench = Bench::new(&LogConfig::default());
    bench.append(vec![idempotent(7, 0, 0, 1)]);
    bench.settle();
    bench.fs.set_capacity(300);
    bench.append(vec![idempotent(7, 0, 1, 1)]);
    bench.append(vec![batch(&[0; 200], 1)]);
    bench.settle();
    let lost: Vec<_> = bench
        .progress
        .iter()
        .filter_map(|progress| progress.lost_from)
        .collect();
    assert_eq!(lost, [1]);
    assert_eq!((bench.log.log_end_offset(), bench.log.acknowledged_end()), (1, 1));
    assert!(!bench.log.is_offline());
    bench.fs.set_capacity(u64::MAX);
    let retried = idempotent(7, 0, 1, 1);
    assert_eq!(bench.log.check_producer(retried.header()), Ok(ProducerCheck::New));
    bench.append(vec![retried]);
    bench.settle();
    assert_eq!(bench.offsets(), [0, 1]);
    let reopened = Bench::open(bench.fs.kill(), &LogConfig::default(), |_| {});
    assert_eq!(reopened.offsets(), [0, 1]);
}

#[test]
fn a_cut_is_durable_before_what_follows_it() {
    let mut bench = Bench::new(&small());
    for number in 0..60u8 {
        bench.append(vec![batch(&[number; 100], 1)]);
    }
    bench.settle();
    let held = bench.read_all(0, 60, 1 << 20).unwrap();
    bench.log.truncate_to(25, &mut bench.jobs);
    assert_eq!(
        (bench.log.log_end_offset(), bench.log.acknowledged_end()),
        (25, 25)
    );
    bench
        .log
        .append(vec![batch(b"other", 1)], 1, 1000, &mut bench.jobs)
        .unwrap();
    assert_eq!(bench.jobs.len(), 1, "the append waits for the cut");
    bench.settle();
    assert_eq!(bench.log.log_end_offset(), 26);
    assert_eq!(bench.log.leader_epochs().entries(), [(0, 0), (1, 25)]);
    assert_eq!(held.len(), 60, "what was lent stays");
    for _ in 0..2 {
        assert_eq!(bench.offsets(), (0..26).collect::<Vec<_>>());
        bench.forget_tail();
    }
    for seed in 0..20 {
        let reopened = Bench::open(bench.fs.power_cut(seed), &small(), |options| {
            options.recovery_point = 60
        });
        let offsets = reopened.offsets();
        assert!(offsets == (0..25).collect::<Vec<_>>() || offsets == (0..26).collect::<Vec<_>>());
    }
}

#[test]
fn a_log_can_begin_anew_at_another_offset() {
    let mut bench = Bench::new(&small());
    for _ in 0..40 {
        bench.append(vec![batch(&[0; 100], 1)]);
    }
    bench.settle();
    bench.log.truncate_fully_and_start_at(1000, &mut bench.jobs);
    let mut next = batch(b"x", 1);
    next.assign(1000, 3);
    bench
        .log
        .append_replicated(vec![next], 1000, &mut bench.jobs)
        .unwrap();
    bench.settle();
    assert_eq!(
        (bench.log.log_start_offset(), bench.log.log_end_offset()),
        (1000, 1001)
    );
    bench.log.flush(&mut bench.jobs);
    bench.settle();
    let reopened = Bench::open(bench.fs.power_cut(3), &small(), |_| {});
    assert_eq!(reopened.offsets(), [1000]);
    assert_eq!(reopened.log.leader_epochs().entries(), [(3, 1000)]);
}

#[test]
fn retention_takes_whole_segments_below_the_high_watermark() {
    let config = LogConfig {
        retention_ms: Some(50),
        ..small()
    };
    let mut bench = Bench::new(&config);
    for number in 0..100 {
        bench.append(vec![batch(&[0; 100], number)]);
    }
    bench.settle();
    assert_eq!(bench.log.retain(100, 0, &mut bench.jobs), 0);
    let gone = bench.log.retain(100, 100, &mut bench.jobs);
    bench.settle();
    let start = bench.log.log_start_offset();
    assert!(gone > 0 && start <= 50 && start > 35, "start {start}");
    assert!(
        !bench
            .files()
            .iter()
            .any(|name| name.starts_with("00000000000000000000."))
    );
    let all = bench.log.segment_count();
    assert_eq!(bench.log.retain(1000, 100, &mut bench.jobs), all - 1);
    bench.settle();
    let last = bench.log.retain(1000, 100, &mut bench.jobs);
    assert_eq!(last, 1, "the segment that was active goes once it is sealed");
    bench.settle();
    assert_eq!(
        (bench.log.log_start_offset(), bench.log.log_end_offset()),
        (100, 100)
    );
    let reopened = Bench::open(bench.fs.kill(), &config, |_| {});
    assert_eq!(
        (reopened.log.log_start_offset(), reopened.log.log_end_offset()),
        (100, 100)
    );
}

#[test]
fn retention_by_size_keeps_the_limit_and_less_than_a_segment_more() {
    for limit in [0, 500, 5000] {
        let config = LogConfig {
            retention_ms: None,
            retention_bytes: Some(limit),
            ..small()
        };
        let mut bench = Bench::new(&config);
        let mut gone = 0;
        for number in 0..200 {
            bench.append(vec![batch(&[0; 100], 1)]);
            bench.settle();
            let before = bench.log.size_bytes();
            let deleted = bench.log.retain(1000, number + 1, &mut bench.jobs);
            bench.settle();
            let after = bench.log.size_bytes();
            assert!(
                after < limit + config.segment_bytes,
                "{after} bytes, limit {limit}"
            );
            if deleted == 0 {
                assert_eq!(after, before, "limit {limit}");
            } else {
                assert!(after >= limit, "{after} bytes are left, limit {limit}");
            }
            gone += deleted;
        }
        assert!(gone > 10, "limit {limit}: {gone} segments");
        let start = bench.log.log_start_offset();
        assert_eq!(bench.offsets(), (start..200).collect::<Vec<_>>(), "limit {limit}");
    }
}

#[test]
fn times_are_found_across_segments() {
    let mut bench = Bench::new(&small());
    for number in 0..60 {
        bench.append(vec![batch(&[0; 100], 1000 + (number / 2) * 10)]);
    }
    bench.settle();
    for ms in 990..1300 {
        let found = bench.log.find_by_timestamp(ms, 60).unwrap().run().unwrap();
        let step = (ms - 1000 + 9).div_euclid(10).max(0);
        let expected = (step < 30).then_some((step * 2, 1000 + step * 10));
        assert_eq!(
            found.map(|found| (found.offset, found.timestamp_ms)),
            expected,
            "ms {ms}"
        );
    }
    let max = bench
        .log
        .find(Lookup::MaxTimestamp, 60)
        .unwrap()
        .run()
        .unwrap()
        .unwrap();
    assert_eq!((max.offset, max.timestamp_ms), (58, 1290));
}

#[test]
fn deleted_records_are_out_of_range_and_their_segments_go() {
    let mut bench = Bench::new(&small());
    for _ in 0..60 {
        bench.append(vec![batch(&[0; 100], 1)]);
    }
    bench.settle();
    let before = bench.log.segment_count();
    assert_eq!(bench.log.delete_records_before(30, &mut bench.jobs), 30);
    bench.settle();
    assert!(bench.log.segment_count() < before);
    assert!(matches!(
        bench.log.read(29, 60, 100, true),
        Err(ReadError::OutOfRange { .. })
    ));
    assert_eq!(bench.offsets(), (30..60).collect::<Vec<_>>());
    let recovery_point = bench.log.recovery_point();
    bench.log.on_checkpointed(recovery_point, &mut bench.jobs);
    bench.settle();
    let reopened = Bench::open(bench.fs.kill(), &small(), |options| options.log_start_offset = 30);
    assert_eq!(reopened.offsets(), (30..60).collect::<Vec<_>>());
}

/// What a producer wrote last lies in segments that are gone: a snapshot from before would know it by an older
/// sequence, and refuse what it sends next.
#[test]
fn producers_of_deleted_records_are_known_as_they_were_or_not_at_all() {
    let mut bench = Bench::new(&small());
    for sequence in 0..30 {
        bench.append(vec![idempotent(7, 0, sequence, 1)]);
    }
    for sequence in 0..60 {
        bench.append(vec![idempotent(8, 0, sequence, 1)]);
    }
    bench.settle();
    bench.log.delete_records_before(80, &mut bench.jobs);
    bench.settle();
    let first = bench.log.segments.keys().next().copied().unwrap();
    assert!(first > 30, "all of the first producer is gone: {first}");
    // No checkpoint tells yet that anything is sound.
    let reopen = |fs: MemoryFs| Bench::open(fs, &small(), |options| options.log_start_offset = 80);
    let reopened = reopen(bench.fs.kill());
    let known = reopened.log.check_producer(idempotent(7, 0, 29, 1).header());
    assert!(
        matches!(known, Ok(ProducerCheck::Duplicate { base_offset: 29, .. })),
        "{known:?}"
    );
    for name in reopened.files().iter().filter(|name| name.ends_with(".snapshot")) {
        reopened.fs.remove(&Path::new(DIR).join(name)).unwrap();
    }
    let mut before = Producers::default();
    before.appended(idempotent(7, 0, 0, 1).header(), None);
    let path = Path::new(DIR).join(segment::file_name(1, SNAPSHOT));
    crate::sys::put(&reopened.fs, &path, before.snapshot(), true).unwrap();
    let reopened = reopen(reopened.fs.kill());
    let unknown = reopened.log.check_producer(idempotent(7, 0, 30, 1).header());
    assert_eq!(unknown, Ok(ProducerCheck::New));
}

#[test]
fn a_deleted_log_is_gone_and_its_readers_read_on() {
    let mut bench = Bench::new(&LogConfig::default());
    bench.append(vec![batch(&[9; 100], 1)]);
    bench.settle();
    bench.forget_tail();
    let Ok(Read::Job(job)) = bench.log.read(0, 1, 1000, true) else {
        panic!("not in the tail")
    };
    let extents = job.run().unwrap();
    bench
        .log
        .delete(PathBuf::from("/data/t-0.x-delete"), &mut bench.jobs);
    assert!(matches!(bench.log.read(0, 1, 1000, true), Err(ReadError::Gone)));
    bench.settle();
    assert!(bench.log.is_deleted());
    assert!(bench.fs.list_dir(Path::new("/data")).unwrap().is_empty());
    assert!(!extents.records.to_bytes().is_empty());
}

#[test]
fn a_log_made_again_inherits_nothing_from_its_namesake() {
    let mut bench = Bench::new(&small());
    for _ in 0..30 {
        bench.append(vec![batch(&[0; 100], 1)]);
    }
    bench.settle();
    let mut fs = bench.fs.kill();
    // The checkpoints still speak of the log that was deleted.
    for _ in 0..3 {
        let reopened = Bench::open(fs, &small(), |options| {
            options.recovery_point = 500;
            options.log_start_offset = 20;
        });
        assert_eq!(reopened.offsets(), (0..30).collect::<Vec<_>>());
        fs = reopened.fs.kill();
    }
    let mut bench = Bench::open(fs, &small(), |options| options.log_start_offset = 20);
    bench.log.on_checkpointed(30, &mut bench.jobs);
    bench.settle();
    let reopened = Bench::open(bench.fs.kill(), &small(), |options| options.log_start_offset = 20);
    assert_eq!(
        reopened.offsets(),
        (20..30).collect::<Vec<_>>(),
        "the checkpoints are this log's own again"
    );
}
