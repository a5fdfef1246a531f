//! Random work on a log, a fault at every single call to the file system, and then: is what was promised there?
//!
//! One schedule is one seed: appends, transactions, cuts, flushes, checkpoints, restarts, with the lane's two queues
//! running whenever chance says. The model is a list of batches. After the fault the process is killed, or the machine,
//! and the log is opened again. Then it must hold a prefix of what was appended, with all that was acknowledged
//! (after a power cut: all that was synced), and every sidecar must agree with the batches.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use klamm_protocol::record::control::{ControlRecord, end_transaction};
use klamm_protocol::record::{Batch, BatchBuilder, Compression, INFLATE_LIMIT_BYTES};

use super::tests::{Bench, DIR, key};
use super::*;
use crate::index::{OffsetIndex, TimeIndex, TimestampOffset};
use crate::lane;
use crate::scan::Scanner;
use crate::segment::{self, INDEX, LOG, TXN_INDEX, absent_is_fine};
use crate::sys::Mode;
use crate::sys::memory::{Fault, MemoryFs, Random};
use crate::transactions;

/// What a schedule does at its end, and what it may expect then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Kill,
    PowerCut,
}

struct Schedule {
    seed: u64,
    random: Random,
    config: LogConfig,
    fs: MemoryFs,
    bench: Option<Bench>,
    writes: Vec<LaneJob>,
    flushes: Vec<LaneJob>,
    /// What the log holds, from its first base offset on.
    content: Vec<Batch>,
    /// What it held before a cut that is not through yet.
    before_cut: Option<Vec<Batch>>,
    acknowledged: i64,
    synced: i64,
    start: i64,
    checkpoint: (i64, i64),
    sequences: BTreeMap<i64, i32>,
    epoch: i32,
    unique: u32,
    /// The call that fails; for the message of a test that does.
    fault: Option<u64>,
}

impl Schedule {
    fn new(seed: u64) -> Schedule {
        let mut random = Random(seed);
        let config = LogConfig {
            segment_bytes: 1500,
            index_interval_bytes: 150,
            fsync_acknowledged: random.below(2) == 0,
            flush_messages: (random.below(3) == 0).then_some(4),
            ..LogConfig::default()
        };
        Schedule {
            seed,
            random,
            config,
            fs: machine(),
            bench: None,
            writes: Vec::new(),
            flushes: Vec::new(),
            content: Vec::new(),
            before_cut: None,
            acknowledged: 0,
            synced: 0,
            start: 0,
            checkpoint: (0, 0),
            sequences: BTreeMap::new(),
            epoch: 0,
            unique: 0,
            fault: None,
        }
    }

    fn fail(&mut self, call: u64, fault: Fault) {
        self.fault = Some(call);
        self.fs.fail_call(call, fault);
    }

    fn open(&mut self, clean: bool) -> Result<(), OpenError> {
        let (recovery_point, log_start_offset) = self.checkpoint;
        self.bench = None;
        self.writes.clear();
        self.flushes.clear();
        self.bench = Some(Bench::try_open(self.fs.clone(), &self.config, |options| {
            options.recovery_point = recovery_point;
            options.log_start_offset = log_start_offset;
            options.clean = clean;
        })?);
        Ok(())
    }

    /// Runs `steps` random steps; ends early when the fault has struck.
    fn run(&mut self, steps: usize) {
        for _ in 0..steps {
            let Some(bench) = &self.bench else { return };
            if bench.log.is_offline() || self.fs.is_stopped() {
                return;
            }
            match self.random.below(20) {
                0..=8 => self.append(),
                9..=13 => self.run_lane(),
                14 => self.with_log(|log, jobs| log.flush(jobs)),
                15 => self.truncate(),
                16 => self.with_log(|log, jobs| {
                    log.retain(1000, log.acknowledged_end(), jobs);
                }),
                17 => self.delete_records(),
                18 => self.take_checkpoint(),
                _ => self.restart(),
            }
            self.note_progress();
        }
    }

    fn with_log(&mut self, act: impl FnOnce(&mut Log, &mut Vec<LaneJob>)) {
        let bench = self.bench.as_mut().expect("the log is open");
        let mut jobs = Vec::new();
        act(&mut bench.log, &mut jobs);
        let (flushes, writes): (Vec<_>, Vec<_>) = jobs.into_iter().partition(|job| job.thread() > 0);
        self.writes.extend(writes);
        self.flushes.extend(flushes);
    }

    fn log(&self) -> &Log {
        &self.bench.as_ref().expect("the log is open").log
    }

    fn append(&mut self) {
        let mut batches = Vec::new();
        for _ in 0..1 + self.random.below(3) {
            let mut builder = BatchBuilder::new(Compression::None);
            let producer = self.random.below(7) as i64;
            let records = 1 + self.random.below(3) as i32;
            if producer > 3 && self.random.below(2) == 0 {
                let commit = self.random.below(2) == 0;
                let marker = end_transaction(i64::from(self.unique), producer, 0, commit, 0);
                if self.log().check_marker(producer, 0, 0, false).is_ok() {
                    batches.push(marker);
                }
                continue;
            }
            if producer > 0 && !self.log().is_truncating() {
                if producer > 3 {
                    builder.transactional();
                }
                let sequence = self.sequences.entry(producer).or_insert(0);
                builder.producer(producer, 0, *sequence);
                *sequence += records;
            }
            for _ in 0..records {
                self.unique += 1;
                let value = self.unique.to_string().repeat(1 + self.random.below(40));
                // Now and then a time far behind or ahead of the others.
                let ms = i64::from(self.unique) + [0, 0, 0, 30, 100][self.random.below(5)];
                builder.append(ms, None, Some(value.as_bytes()));
            }
            let batch = builder.finish();
            // What a leader would not append is not appended here: a producer whose records were deleted may
            // begin again at 0, and the log may still know it.
            if self.log().check_producer(batch.header()) == Ok(ProducerCheck::New) {
                batches.push(batch);
            }
        }
        self.append_batches(batches);
    }

    fn append_batches(&mut self, batches: Vec<Batch>) {
        let (epoch, mut placed) = (self.epoch, batches.clone());
        let mut next = self.log().log_end_offset();
        for batch in &mut placed {
            batch.assign(next, epoch);
            next = batch.header().last_offset() + 1;
        }
        self.with_log(|log, jobs| {
            log.append(batches, epoch, 1000, jobs).unwrap();
        });
        self.content.extend(placed);
    }

    fn run_lane(&mut self) {
        let flusher = self.random.below(2) == 0;
        let queue = if flusher {
            &mut self.flushes
        } else {
            &mut self.writes
        };
        let count = self.random.below(queue.len() + 1);
        let jobs: Vec<LaneJob> = queue.drain(..count).collect();
        let shared = self.bench.as_ref().expect("the log is open").shared.clone();
        for done in lane::run(&shared, jobs) {
            if self.fs.is_stopped() {
                return;
            }
            let mut progress = Progress::default();
            self.with_log(|log, jobs| progress = log.on_done(done, jobs));
            if let Some(lost_from) = progress.lost_from {
                self.lose(lost_from);
            }
        }
    }

    fn settle(&mut self) {
        loop {
            let idle = self.writes.is_empty() && self.flushes.is_empty();
            if idle || self.fs.is_stopped() || self.log().is_offline() {
                return;
            }
            self.run_lane();
            self.note_progress();
        }
    }

    fn lose(&mut self, from: i64) {
        self.content.retain(|batch| batch.header().last_offset() < from);
        self.forget_sequences();
    }

    /// Producers go on where the log has them.
    fn forget_sequences(&mut self) {
        self.sequences.clear();
        for batch in &self.content {
            let header = batch.header();
            if header.has_producer_id() && !header.is_control() {
                self.sequences
                    .insert(header.producer_id, header.last_sequence() + 1);
            }
        }
    }

    fn truncate(&mut self) {
        if self.log().is_truncating() || self.random.below(3) != 0 {
            return;
        }
        let Some(at) = self.content.len().checked_sub(1 + self.random.below(6)) else {
            return;
        };
        let offset = self.content[at].header().base_offset;
        if offset < self.start {
            return;
        }
        self.before_cut = Some(self.content.clone());
        self.content.truncate(at);
        self.forget_sequences();
        self.acknowledged = self.acknowledged.min(offset);
        self.synced = self.synced.min(offset);
        self.epoch += 1;
        self.with_log(|log, jobs| log.truncate_to(offset, jobs));
    }

    fn delete_records(&mut self) {
        if self.random.below(3) != 0 || self.log().is_truncating() {
            return;
        }
        let end = self.log().acknowledged_end().min(self.log().recovery_point());
        if let Some(batch) = self
            .content
            .iter()
            .find(|batch| batch.header().last_offset() >= self.start)
        {
            let offset = batch.header().last_offset() + 1;
            if offset <= end {
                self.with_log(|log, jobs| {
                    log.delete_records_before(offset, jobs);
                });
                self.start = self.log().log_start_offset();
            }
        }
    }

    fn take_checkpoint(&mut self) {
        let (recovery_point, start) = (self.log().recovery_point(), self.log().checkpointed_start());
        self.checkpoint = (recovery_point, start);
        self.with_log(|log, jobs| log.on_checkpointed(recovery_point, jobs));
    }

    fn restart(&mut self) {
        if self.random.below(6) != 0 {
            return;
        }
        self.with_log(|log, jobs| log.close(jobs));
        self.settle();
        if !self.fs.is_stopped() && !self.log().is_offline() {
            assert!(self.log().is_closed(), "nothing is left to wait for");
            self.checkpoint = (self.log().recovery_point(), self.log().checkpointed_start());
            match self.open(true) {
                Ok(()) => {}
                Err(OpenError::Io { .. }) => self.bench = None,
                Err(error) => panic!("seed {}: {error}", self.seed),
            }
        }
    }

    fn note_progress(&mut self) {
        let Some(bench) = &self.bench else { return };
        self.acknowledged = self.acknowledged.max(bench.log.acknowledged_end());
        self.synced = self.synced.max(bench.log.recovery_point());
        if !bench.log.is_truncating() {
            self.before_cut = None;
        }
    }

    /// Ends the process or the machine, opens the log again and looks at everything.
    fn crash_and_check(&mut self, end: End) {
        let context = format!("seed {}, {end:?}, call {:?}", self.seed, self.fault);
        let must_hold = match end {
            End::Kill => self.acknowledged.max(self.synced),
            End::PowerCut if self.config.fsync_acknowledged => self.acknowledged.max(self.synced),
            End::PowerCut => self.synced,
        };
        self.fs = match end {
            End::Kill => self.fs.kill(),
            End::PowerCut => self.fs.power_cut(self.seed),
        };
        self.open(false)
            .unwrap_or_else(|error| panic!("{context}: {error}"));
        let bench = self.bench.as_ref().expect("just opened");
        let log = &bench.log;
        let found = bench
            .read_all(log.log_start_offset(), i64::MAX, 1000)
            .unwrap_or_else(|error| panic!("{context}: {error}"));
        let end_offset = log.log_end_offset();
        assert!(
            end_offset >= must_hold,
            "{context}: ends at {end_offset}, promised up to {must_hold}"
        );
        assert!(
            log.log_start_offset() <= self.start.max(self.checkpoint.1),
            "{context}: starts too late"
        );
        let prefix = |of: &Vec<Batch>| {
            let from = log.log_start_offset();
            let mut expected = of.iter().filter(|batch| batch.header().last_offset() >= from);
            found.iter().all(|batch| expected.next() == Some(batch))
        };
        let one_of_them = prefix(&self.content) || self.before_cut.as_ref().is_some_and(prefix);
        assert!(
            one_of_them,
            "{context}: {} batches that were never appended so",
            found.len()
        );
        check_sidecars(bench, &found, &context);
        self.content = found;
        self.before_cut = None;
        self.forget_sequences();
        self.acknowledged = end_offset;
        self.synced = end_offset;
        self.start = self.log().log_start_offset();
        self.epoch = self.epoch.max(self.log().leader_epochs().latest().unwrap_or(0));
    }
}

fn transactional(producer: i64) -> Batch {
    let mut builder = BatchBuilder::new(Compression::None);
    builder.producer(producer, 0, 0).transactional();
    builder.append(1, None, Some(b"of a transaction"));
    builder.finish()
}

/// Indexes, leader epochs and producers say what the batches say.
fn check_sidecars(bench: &Bench, found: &[Batch], context: &str) {
    check_answers(bench, found, context);
    check_committed(bench, found, context);
    check_indexes(bench, context);
}

/// What follows from sidecars is right, whatever stands in them.
fn check_answers(bench: &Bench, found: &[Batch], context: &str) {
    let log = &bench.log;
    for batch in found {
        let header = batch.header();
        let offset = header.base_offset.max(log.log_start_offset());
        assert_eq!(
            log.leader_epochs().epoch_of(offset),
            Some(header.leader_epoch),
            "{context}: {header}"
        );
    }
    let times: Vec<(i64, i64)> = found.iter().flat_map(times).collect();
    let start = log.log_start_offset();
    for batch in found {
        let ms = batch.header().max_timestamp_ms;
        let first = times.iter().find(|(offset, of)| *of >= ms && *offset >= start);
        let hit = log.find_by_timestamp(ms, i64::MAX).unwrap().run().unwrap();
        assert_eq!(
            hit.map(|hit| (hit.offset, hit.timestamp_ms)),
            first.copied(),
            "{context}: time {ms}"
        );
    }
    let mut last: BTreeMap<i64, BatchHeader> = BTreeMap::new();
    let of_producers = |batch: &&Batch| batch.header().has_producer_id() && !batch.header().is_control();
    for batch in found.iter().filter(of_producers) {
        last.insert(batch.header().producer_id, *batch.header());
    }
    for header in last.values() {
        let check = log.check_producer(header);
        let base_offset = header.base_offset;
        let duplicate =
            matches!(check, Ok(ProducerCheck::Duplicate { base_offset: at, .. }) if at == base_offset);
        assert!(duplicate, "{context}: {header} is {check:?}");
    }
}

/// Offset and time of each record.
fn times(batch: &Batch) -> Vec<(i64, i64)> {
    let base_offset = batch.header().base_offset;
    let records = batch.records(INFLATE_LIMIT_BYTES).unwrap();
    let time = |record: klamm_protocol::record::Record| {
        (base_offset + i64::from(record.offset_delta), record.timestamp_ms)
    };
    records.map(|record| time(record.unwrap())).collect()
}

/// Whether it ends a transaction, and how.
fn ends(batch: &Batch) -> Option<bool> {
    match ControlRecord::of(batch) {
        Ok(ControlRecord::EndTransaction { commit, .. }) => Some(commit),
        _ => None,
    }
}

/// What a consumer with `read_committed` is to see of these batches, and from which offset on a transaction is open.
fn committed(batches: &[Batch]) -> (Vec<&Batch>, Option<i64>) {
    let (mut ended, mut open) = (BTreeMap::new(), BTreeMap::new());
    let mut seen = Vec::new();
    for batch in batches.iter().rev() {
        let header = batch.header();
        if let Some(commit) = ends(batch) {
            ended.insert(header.producer_id, commit);
        } else if !header.is_transactional() || ended.get(&header.producer_id) != Some(&false) {
            seen.push(batch);
        }
        if header.is_transactional() && !ended.contains_key(&header.producer_id) {
            open.insert(header.producer_id, header.base_offset);
        }
    }
    seen.reverse();
    (seen, open.into_values().min())
}

/// Nothing of an aborted transaction is given to consumers that want none of it, and all the rest.
fn check_committed(bench: &Bench, found: &[Batch], context: &str) {
    let log = &bench.log;
    let (start, end) = (log.log_start_offset(), log.log_end_offset());
    let (expected, open) = committed(found);
    let seen = bench.read_committed(start, end);
    assert!(
        seen.iter().eq(expected.iter().copied()),
        "{context}: {} committed batches instead of {}",
        seen.len(),
        expected.len()
    );
    let (stable, unstable) = (log.last_stable_offset(end), open.unwrap_or(end));
    // What a transaction has below the log start, no batch tells any more.
    assert!(
        stable == unstable || stable < start,
        "{context}: stable up to {stable}, and not {unstable}"
    );
}

fn check_indexes(bench: &Bench, context: &str) {
    let fs = &bench.fs;
    let active = *bench.log.segments.keys().next_back().unwrap();
    for entry in fs.list_dir(Path::new(DIR)).unwrap() {
        let Some(base_offset) = segment::offset_of(&entry.name, LOG) else {
            assert!(
                !entry.name.ends_with(".tmp") && !entry.name.ends_with(".deleted"),
                "{}",
                entry.name
            );
            continue;
        };
        let open = |suffix: &str| {
            let path = Path::new(DIR).join(segment::file_name(base_offset, suffix));
            fs.open(&path, Mode::Read).unwrap()
        };
        let (log, index, time_index) = (open(".log"), open(".index"), open(".timeindex"));
        let mut heads = BTreeMap::new();
        let (mut aborted, mut in_transaction) = (BTreeMap::new(), BTreeSet::new());
        let mut scanner = Scanner::new(&*log, 0, log.len().unwrap(), 4096);
        while let Some((position, header)) = scanner.next_checked().unwrap() {
            heads.insert(position, header);
            let batch = Batch::parse(scanner.whole(position, &header).unwrap()).unwrap();
            match ends(&batch) {
                None if header.is_transactional() => {
                    in_transaction.insert(header.producer_id);
                }
                None => {}
                Some(commit) => {
                    let of_this_segment = in_transaction.remove(&header.producer_id);
                    if !commit {
                        aborted.insert((header.last_offset(), header.producer_id), of_this_segment);
                    }
                }
            }
        }
        assert_eq!(
            (index.len().unwrap() % 8, time_index.len().unwrap() % 12),
            (0, 0),
            "{context}"
        );
        let index_entries = index.len().unwrap() / 8;
        let index = OffsetIndex::new(&*index, base_offset).unwrap();
        for number in 0..index_entries {
            let entry = index.entry(number).unwrap();
            let header = heads.get(&entry.position);
            assert_eq!(
                header.map(BatchHeader::last_offset),
                Some(entry.offset),
                "{context}: {entry:?}"
            );
        }
        let time_entries = time_index.len().unwrap() / 12;
        let time_index = TimeIndex::new(&*time_index, base_offset).unwrap();
        let mut largest = TimestampOffset::NONE;
        for number in 0..time_entries {
            let entry = time_index.entry(number).unwrap();
            assert!(
                entry.ms > largest.ms && entry.offset > largest.offset,
                "{context}: {entry:?} after {largest:?}"
            );
            largest = entry;
            let up_to_it = heads.values().filter(|head| head.last_offset() <= entry.offset);
            let has = |header: &BatchHeader| (header.last_offset(), header.max_timestamp_ms);
            let first = up_to_it.max_by_key(|head| (head.max_timestamp_ms, -head.last_offset()));
            assert_eq!(first.map(has), Some((entry.offset, entry.ms)), "{context}");
        }
        if base_offset < active {
            let times = heads.values().map(|head| head.max_timestamp_ms);
            assert_eq!(largest.ms, times.max().unwrap_or(-1), "{context}: {base_offset}");
        }
        let mut entries = Vec::new();
        let path = Path::new(DIR).join(segment::file_name(base_offset, TXN_INDEX));
        if let Ok(file) = fs.open(&path, Mode::Read) {
            assert_eq!(file.len().unwrap() % 34, 0, "{context}");
            transactions::read_all(&*file, &mut entries).unwrap();
        }
        let markers: Vec<_> = entries
            .iter()
            .map(|ended| (ended.last_offset, ended.producer_id))
            .collect();
        assert!(markers.is_sorted(), "{context}: {markers:?}");
        for marker in &markers {
            assert!(
                aborted.contains_key(marker),
                "{context}: {marker:?} of {base_offset}"
            );
        }
        for (marker, of_this_segment) in aborted {
            assert!(
                markers.contains(&marker) || !of_this_segment,
                "{context}: {marker:?} of {base_offset} is missing"
            );
        }
    }
}

/// A disk with the log directory on it.
pub(super) fn machine() -> MemoryFs {
    let fs = MemoryFs::new();
    fs.create_dir(Path::new("/data")).unwrap();
    fs.sync_dir(Path::new("/")).unwrap();
    fs
}

/// `KLAMM_SEED` runs one schedule, `KLAMM_SEEDS` multiplies their number.
pub(super) fn seeds(count: u64) -> std::ops::Range<u64> {
    let number = |name| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    match number("KLAMM_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..count * number("KLAMM_SEEDS").unwrap_or(1),
    }
}

/// How many calls a schedule makes when nothing goes wrong.
fn calls_of(seed: u64, steps: usize) -> u64 {
    let mut schedule = Schedule::new(seed);
    schedule.open(false).unwrap();
    schedule.run(steps);
    schedule.fs.calls()
}

#[test]
fn after_a_crash_at_any_call_all_that_was_promised_is_there() {
    let steps = 60;
    for seed in seeds(3) {
        for call in 0..calls_of(seed, steps) {
            for end in [End::Kill, End::PowerCut] {
                let mut schedule = Schedule::new(seed);
                let torn = Random(seed ^ call).below(200);
                schedule.fail(call, Fault::Stop { torn });
                if schedule.open(false).is_ok() {
                    schedule.run(steps);
                }
                schedule.crash_and_check(end);
                // And it goes on from there.
                schedule.run(20);
                schedule.crash_and_check(End::Kill);
            }
        }
    }
}

#[test]
fn many_crashes_in_a_row_lose_nothing_promised() {
    for seed in seeds(100) {
        let mut schedule = Schedule::new(seed);
        schedule.open(false).unwrap();
        for _ in 0..8 {
            let call = schedule.fs.calls() + schedule.random.below(150) as u64;
            let torn = schedule.random.below(300);
            schedule.fail(call, Fault::Stop { torn });
            schedule.run(40);
            schedule.fs.clear_fault();
            let end = if schedule.random.below(2) == 0 {
                End::Kill
            } else {
                End::PowerCut
            };
            schedule.crash_and_check(end);
        }
    }
}

#[test]
fn a_failing_disk_takes_the_log_offline_and_loses_nothing_promised() {
    let steps = 60;
    for seed in seeds(2) {
        for call in 0..calls_of(seed, steps) {
            let mut schedule = Schedule::new(seed);
            schedule.fail(call, Fault::Io);
            if schedule.open(false).is_ok() {
                schedule.run(steps);
            }
            let is_in_service = schedule
                .bench
                .as_ref()
                .is_some_and(|bench| !bench.log.is_offline());
            assert!(
                schedule.fs.struck() == 0 || !is_in_service,
                "seed {seed}, call {call}: the log goes on"
            );
            schedule.fs.clear_fault();
            let ends = [End::Kill, End::PowerCut];
            schedule.crash_and_check(ends[usize::from((seed + call) % 2 == 0)]);
            // The page cache still had what a failed sync has lost. It counts as durable now.
            schedule.run(20);
            schedule.crash_and_check(End::PowerCut);
        }
    }
}

/// The disk is full for some time, from any call on.
#[test]
fn a_log_takes_appends_again_as_soon_as_there_is_room() {
    let steps = 60;
    for seed in seeds(2) {
        for call in 0..calls_of(seed, steps) {
            let mut schedule = Schedule::new(seed);
            schedule.fail(call, Fault::Full);
            if schedule.open(false).is_ok() {
                schedule.run(steps);
            }
            let context = format!("seed {seed}, call {call}");
            schedule.fs.set_capacity(u64::MAX);
            if schedule.bench.as_ref().is_none_or(|bench| bench.log.is_offline()) {
                // It was being opened or closed, and nobody waits for room then.
                schedule.crash_and_check(End::Kill);
            }
            schedule.with_log(|log, jobs| log.retry(jobs));
            schedule.settle();
            schedule.append();
            schedule.settle();
            schedule.with_log(|log, jobs| log.flush(jobs));
            schedule.settle();
            let log = schedule.log();
            assert!(!log.is_offline() && !log.is_truncating(), "{context}");
            assert_eq!(log.recovery_point(), log.log_end_offset(), "{context}");
            schedule.crash_and_check(if call % 2 == 0 { End::Kill } else { End::PowerCut });
        }
    }
}

#[test]
fn a_last_write_that_is_torn_at_any_byte_leaves_the_batches_before_it() {
    // Batches and a marker, written at once; the calls are those of this write: of the log, and then of its indexes.
    let write = |seed, fault: Option<(u64, usize)>| {
        let mut schedule = Schedule::new(seed);
        schedule.config.segment_bytes = 1 << 20;
        schedule.config.index_interval_bytes = 60;
        schedule.open(false).unwrap();
        schedule.append();
        schedule.append_batches(vec![transactional(5)]);
        schedule.settle();
        let before = schedule.content.len();
        schedule.append();
        schedule.append_batches(vec![end_transaction(1, 5, 0, false, 0)]);
        let first = schedule.fs.calls();
        if let Some((call, torn)) = fault {
            schedule.fail(first + call, Fault::Stop { torn });
        }
        let jobs = std::mem::take(&mut schedule.writes);
        lane::run(&schedule.bench.as_ref().expect("open").shared, jobs);
        let calls = schedule.fs.calls() - first;
        (schedule, before, calls)
    };
    for seed in seeds(2) {
        let (schedule, before, calls) = write(seed, None);
        let sizes = |batches: &[Batch]| batches.iter().map(Batch::size).sum::<usize>();
        let (whole, size) = (
            sizes(&schedule.content[..before]),
            sizes(&schedule.content[before..]),
        );
        assert!(calls > 4, "the indexes are written too");
        for call in 0..calls {
            // An entry has 8, 12 or 34 bytes.
            for torn in 0..=(if call == 0 { size } else { 36 }) {
                let (mut schedule, ..) = write(seed, Some((call, torn)));
                assert!(schedule.fs.is_stopped());
                schedule.fs = schedule.fs.kill();
                let files = schedule.fs.list_dir(Path::new(DIR)).unwrap();
                let log = files.iter().find(|file| file.name.ends_with(LOG)).unwrap();
                let written = if call == 0 { torn } else { size };
                assert_eq!(log.len, (whole + written) as u64, "seed {seed}: call {call}");
                schedule.crash_and_check([End::Kill, End::PowerCut][torn % 2]);
            }
        }
    }
}

#[test]
fn a_cut_that_is_interrupted_at_any_call_leaves_one_log_or_the_other() {
    let prepare = |seed| {
        let mut schedule = Schedule::new(seed);
        schedule.open(false).unwrap();
        for _ in 0..6 {
            schedule.append();
        }
        schedule.settle();
        schedule.with_log(|log, jobs| log.flush(jobs));
        schedule.settle();
        schedule.take_checkpoint();
        schedule.settle();
        schedule
    };
    let cut = |schedule: &mut Schedule| {
        while !schedule.log().is_truncating() && !schedule.content.is_empty() {
            schedule.truncate();
        }
        schedule.append();
        schedule.settle();
        schedule.with_log(|log, jobs| log.flush(jobs));
        schedule.settle();
    };
    for seed in seeds(10) {
        let mut whole = prepare(seed);
        let first = whole.fs.calls();
        cut(&mut whole);
        for call in first..whole.fs.calls() {
            for (fault, end) in [
                (Fault::Stop { torn: 30 }, End::Kill),
                (Fault::Stop { torn: 70 }, End::PowerCut),
                (Fault::Io, End::PowerCut),
                // The page cache is what was meant, and the disk is not.
                (Fault::Io, End::Kill),
                (Fault::NoSpace, End::PowerCut),
            ] {
                let mut schedule = prepare(seed);
                schedule.fail(call, fault);
                cut(&mut schedule);
                schedule.note_progress();
                schedule.fs.clear_fault();
                schedule.crash_and_check(end);
                schedule.crash_and_check(End::PowerCut);
            }
        }
    }
}

/// What a start finds beside the segments.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Left {
    Nothing,
    Swap,
    Doubt,
}

/// A log after a power cut, with a torn batch at its end and what else may be there.
fn torn(seed: u64, left: Left) -> Schedule {
    let mut schedule = Schedule::new(seed);
    schedule.config.fsync_acknowledged = false;
    schedule.open(false).unwrap();
    schedule.run(30);
    schedule.settle();
    schedule.with_log(|log, jobs| log.flush(jobs));
    schedule.settle();
    if seed.is_multiple_of(2) {
        schedule.take_checkpoint();
    }
    schedule.append();
    schedule.append();
    schedule.settle();
    schedule.note_progress();
    schedule.fs = schedule.fs.power_cut(seed);
    schedule.bench = None;
    let (fs, dir) = (schedule.fs.clone(), Path::new(DIR));
    let files = fs.list_dir(dir).unwrap();
    let logs: Vec<_> = files.iter().filter(|file| file.name.ends_with(LOG)).collect();
    let file = fs
        .open(&dir.join(&logs.last().unwrap().name), Mode::Write)
        .unwrap();
    let half = schedule.content[0].to_bytes().slice(..40);
    file.write_at(file.len().unwrap(), &[half]).unwrap();
    match left {
        Left::Nothing => {}
        Left::Doubt => drop(
            fs.open(&dir.join(crate::files::DOUBT_FILE), Mode::Create)
                .unwrap(),
        ),
        Left::Swap => {
            // As a compaction that has found nothing to take away.
            let first = &logs[0].name;
            let bytes = crate::sys::read_all(&fs, &dir.join(first), usize::MAX).unwrap();
            let swap = dir.join(format!("{first}{}", segment::SWAP));
            let cleaned = dir.join(format!("{}{}", segment::file_name(0, INDEX), segment::CLEANED));
            if logs.len() > 1 {
                crate::sys::replace(&fs, &swap, bytes.into()).unwrap();
                crate::sys::replace(&fs, &cleaned, "half".into()).unwrap();
            }
        }
    }
    // What the power cut has taken nobody promises any more.
    schedule.acknowledged = schedule.synced;
    schedule
}

#[test]
fn a_start_that_is_interrupted_at_any_call_is_begun_again() {
    let (mut struck, mut cases) = (0, 0);
    for seed in seeds(2) {
        for left in [Left::Nothing, Left::Swap, Left::Doubt] {
            let mut whole = torn(seed, left);
            let first = whole.fs.calls();
            whole.open(false).unwrap();
            for call in first..whole.fs.calls() {
                let torn_at = Random(seed ^ call).below(60);
                let stop = Fault::Stop { torn: torn_at };
                let end = [End::Kill, End::PowerCut][usize::from(call % 2 == 0)];
                for fault in [stop, Fault::Io, Fault::NoSpace, Fault::Full] {
                    let mut schedule = torn(seed, left);
                    schedule.fail(call, fault);
                    if let Err(error) = schedule.open(false) {
                        let context = format!("seed {seed}, {left:?}, call {call}, {fault:?}");
                        assert!(matches!(error, OpenError::Io { .. }), "{context}: {error}");
                        struck += 1;
                    }
                    cases += 1;
                    schedule.fs.clear_fault();
                    schedule.fs.set_capacity(u64::MAX);
                    schedule.crash_and_check(end);
                    schedule.crash_and_check(End::PowerCut);
                }
            }
        }
    }
    assert!(struck * 2 > cases, "{struck} of {cases} starts failed");
}

#[test]
fn no_room_at_any_call_loses_nothing_promised() {
    let steps = 60;
    for seed in seeds(2) {
        for call in 0..calls_of(seed, steps) {
            let mut schedule = Schedule::new(seed);
            schedule.fail(call, Fault::NoSpace);
            if schedule.open(false).is_ok() {
                schedule.run(steps);
            }
            schedule.fs.clear_fault();
            let end = if call % 2 == 0 { End::Kill } else { End::PowerCut };
            schedule.crash_and_check(end);
        }
    }
}

fn read_all(fs: &MemoryFs, path: &Path) -> Option<Vec<u8>> {
    crate::sys::read_all(fs, path, usize::MAX).ok()
}

/// Whether the checksum of a batch covers a bit of a `.log` file.
fn is_in_crc(name: &str, bit: usize, content: &[Batch]) -> bool {
    let base_offset = segment::offset_of(&name[..24], LOG).unwrap();
    let mut position = 0;
    for batch in content
        .iter()
        .filter(|batch| batch.header().base_offset >= base_offset)
    {
        if bit / 8 < position + batch.size() {
            return bit / 8 >= position + 21;
        }
        position += batch.size();
    }
    false
}

#[test]
fn a_flipped_bit_in_what_a_compaction_left_never_gives_a_record_that_was_not_written() {
    let mut flipped = 0;
    for seed in seeds(60) {
        let mut schedule = torn(seed, Left::Swap);
        let files = schedule.fs.list_dir(Path::new(DIR)).unwrap();
        let half_done = [segment::SWAP, segment::CLEANED];
        let left = |name: &str| half_done.iter().any(|suffix| name.ends_with(suffix));
        // The swap file and the others in turn.
        let left: Vec<_> = files.iter().filter(|file| left(&file.name)).collect();
        if let Some(file) = left.get(flipped % left.len().max(1)) {
            flipped += 1;
            let bit = schedule.random.below(usize::try_from(file.len).unwrap() * 8);
            schedule
                .fs
                .flip_bit(&Path::new(DIR).join(&file.name), bit)
                .unwrap();
            let context = format!("seed {seed}, bit {bit} of {}", file.name);
            let is_swap = file.name.ends_with(segment::SWAP);
            match schedule.open(false) {
                Ok(()) => {
                    let bench = schedule.bench.as_ref().unwrap();
                    match bench.read_all(bench.log.log_start_offset(), i64::MAX, 1000) {
                        Ok(found) => {
                            let is_known = |batch: &Batch| {
                                schedule.content.iter().any(|known| known.body() == batch.body())
                            };
                            assert!(found.iter().all(is_known), "{context}: an invented batch");
                            // Beyond the recovery point a damaged batch is a torn write.
                            let end = bench.log.log_end_offset();
                            let promised = schedule.synced.min(schedule.checkpoint.0);
                            assert!(end >= promised, "{context}: ends at {end}");
                        }
                        Err(error) => assert!(is_swap, "{context}: {error}"),
                    }
                }
                Err(OpenError::Corrupt { .. }) => assert!(is_swap, "{context}"),
                Err(error) => panic!("{context}: {error}"),
            }
        }
    }
    assert!(flipped > 20);
}

#[test]
fn a_flipped_bit_never_gives_a_record_that_was_not_written() {
    for (seed, clean) in seeds(20).flat_map(|seed| [(seed, false), (seed, true)]) {
        let mut schedule = Schedule::new(seed);
        schedule.open(false).unwrap();
        schedule.run(80);
        schedule.settle();
        schedule.with_log(|log, jobs| log.flush(jobs));
        schedule.settle();
        schedule.take_checkpoint();
        if seed % 3 > 0 {
            // The checkpoint counts for all of the log once its bound is gone.
            schedule.settle();
        }
        schedule.fs = schedule.fs.kill();
        let files = schedule.fs.list_dir(Path::new(DIR)).unwrap();
        let is_bounded = files.iter().any(|file| file.name == lane::RECOVERY_BOUND_FILE);
        let content = schedule.content.clone();
        let durable: Vec<&Batch> = content
            .iter()
            .filter(|batch| batch.header().last_offset() >= schedule.start)
            .collect();
        for file in files.iter().filter(|file| file.len > 0) {
            let bit = schedule.random.below(usize::try_from(file.len).unwrap() * 8);
            let path = Path::new(DIR).join(&file.name);
            let is_log = file.name.ends_with(LOG);
            if is_log && is_bounded {
                // The checkpoint does not tell what of it was durable.
                continue;
            }
            if schedule.fs.flip_bit(&path, bit).is_err() {
                // Recovery from the flips before has removed or shortened it.
                continue;
            }
            let flipped = read_all(&schedule.fs, &path).unwrap();
            let context = format!("seed {seed}, clean {clean}, bit {bit} of {}", file.name);
            match schedule.open(clean) {
                Ok(()) => {
                    let bench = schedule.bench.as_ref().unwrap();
                    match bench.read_all(bench.log.log_start_offset(), i64::MAX, 1000) {
                        Ok(found) => {
                            let is_known =
                                |batch: &Batch| content.iter().any(|known| known.body() == batch.body());
                            assert!(found.iter().all(is_known), "{context}: an invented batch");
                            // Nobody compares what lies outside the CRC below the recovery point.
                            assert!(
                                found.len() >= durable.len()
                                    || (is_log && !is_in_crc(&file.name, bit, &content)),
                                "{context}: {} of {} batches",
                                found.len(),
                                durable.len()
                            );
                            if !is_log {
                                check_answers(bench, &found, &context);
                                assert_eq!(bench.log.log_end_offset(), schedule.synced, "{context}");
                            }
                            // An entry that could be right is believed, whatever transaction it names.
                            if !is_log && (!file.name.ends_with(TXN_INDEX) || bit % (34 * 8) < 16) {
                                check_committed(bench, &found, &context);
                            }
                        }
                        Err(error) => assert!(is_log, "{context}: {error}"),
                    }
                }
                Err(OpenError::Corrupt { .. }) => {
                    let named = is_log || file.name == "partition.metadata";
                    assert!(named, "{context}: a sidecar is no reason to refuse a log");
                }
                Err(error) => panic!("{context}: {error}"),
            }
            // What was not made again is mended for the next round.
            schedule.bench = None;
            if read_all(&schedule.fs, &path).as_ref() == Some(&flipped) {
                schedule.fs.flip_bit(&path, bit).unwrap();
            }
        }
    }
}

#[test]
fn missing_sidecars_are_made_again() {
    for seed in seeds(20) {
        let mut schedule = Schedule::new(seed);
        schedule.open(false).unwrap();
        schedule.run(80);
        schedule.settle();
        schedule.with_log(|log, jobs| log.flush(jobs));
        schedule.settle();
        schedule.take_checkpoint();
        schedule.note_progress();
        let files = schedule.fs.list_dir(Path::new(DIR)).unwrap();
        // Most segments have no index of aborted transactions: that one is missing is known by the others.
        let is_told = |name: &str| !name.ends_with(LOG) && !name.ends_with(TXN_INDEX);
        for file in files.iter().filter(|file| is_told(&file.name)) {
            schedule.fs = schedule.fs.kill();
            if !schedule.fs.exists(&Path::new(DIR).join(&file.name)).unwrap() {
                continue;
            }
            schedule.fs.remove(&Path::new(DIR).join(&file.name)).unwrap();
            if let Some(base_offset) = segment::offset_of(&file.name, INDEX) {
                let path = Path::new(DIR).join(segment::file_name(base_offset, TXN_INDEX));
                absent_is_fine(schedule.fs.remove(&path)).unwrap();
            }
            schedule.crash_and_check(End::Kill);
        }
        assert_eq!(schedule.log().key(), key());
    }
}
