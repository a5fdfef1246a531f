//! Compaction and retention against a model, at random: keys, tombstones, transactions, DeleteRecords, retention,
//! crashes and restarts, while readers begin anywhere. One schedule is one seed (`KLAMM_SEED`, `KLAMM_SEEDS`).
//!
//! The model is everything that was ever appended. A reader may miss a record only where a rule says so: it lies
//! below the log start, a later committed record of a compacted offset has its key, it is a tombstone whose horizon
//! has passed, or its transaction was aborted. Nothing else is missing, made up, moved or changed. A reader of committed
//! records is given all of those that are there, and none that was aborted.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use klamm_protocol::record::control::end_transaction;
use klamm_protocol::record::{BatchBuilder, Compression};

use super::crash_tests::{machine, seeds};
use super::tests::{Bench, DIR};
use super::*;
use crate::sys::Fs;
use crate::sys::memory::Random;

const RETENTION_MS: i64 = 5_000;
const MIN_LAG_MS: i64 = 300;

/// What was appended at an offset.
#[derive(Debug)]
struct Appended {
    key: u8,
    /// `None` for a tombstone.
    value: Option<Vec<u8>>,
    producer: i64,
    /// `None` while its transaction is open.
    committed: Option<bool>,
    at_ms: i64,
    /// When a compaction first saw it.
    compacted_ms: Option<i64>,
}

struct Model {
    seed: u64,
    random: Random,
    config: LogConfig,
    bench: Bench,
    now_ms: i64,
    appended: BTreeMap<i64, Appended>,
    /// First offset of the open transaction of producers 1 and 2, and every producer's next sequence.
    open: BTreeMap<i64, i64>,
    sequences: BTreeMap<i64, i32>,
    checkpoint: (i64, i64, i64),
    compactions: usize,
    unique: u32,
}

impl Model {
    fn new(seed: u64) -> Model {
        let mut random = Random(seed);
        let config = LogConfig {
            segment_bytes: 1200,
            index_interval_bytes: 150,
            compact: true,
            delete: random.below(2) == 0,
            retention_ms: Some(60_000),
            delete_retention_ms: RETENTION_MS,
            min_compaction_lag_ms: if random.below(2) == 0 { 0 } else { MIN_LAG_MS },
            min_dirty_percent: [0, 20, 50][random.below(3)],
            ..LogConfig::default()
        };
        Model {
            seed,
            random,
            bench: Bench::open(machine(), &config, |_| {}),
            config,
            now_ms: 1_000,
            appended: BTreeMap::new(),
            open: BTreeMap::new(),
            sequences: BTreeMap::new(),
            checkpoint: (0, 0, 0),
            compactions: 0,
            unique: 0,
        }
    }

    fn run(&mut self) {
        for step in 0..200 {
            self.now_ms += self.random.below(100) as i64;
            match self.random.below(40) {
                0..20 => self.append(),
                20..25 => self.end_transaction(),
                25..30 => self.compact(),
                30 => self.delete_records(),
                31 => {
                    self.bench
                        .log
                        .retain(self.now_ms, self.bench.log.written_end(), &mut self.bench.jobs);
                }
                32 => self.restart(),
                33 => self.now_ms += RETENTION_MS,
                34 => self.note_checkpoint(),
                _ => self.bench.log.flush(&mut self.bench.jobs),
            }
            self.settle();
            if step % 4 != 0 {
                continue;
            }
            let context = format!("seed {}, at {} ms", self.seed, self.now_ms);
            let from = self.random.below(self.bench.log.log_end_offset() as usize + 1) as i64;
            self.check(from.max(self.bench.log.log_start_offset()), &context);
        }
        self.check(
            self.bench.log.log_start_offset(),
            &format!("seed {}, at the end", self.seed),
        );
    }

    fn settle(&mut self) {
        self.bench.settle();
        let end = self.bench.log.acknowledged_end();
        self.bench.log.on_high_watermark(end);
    }

    fn append(&mut self) {
        let producer = self.random.below(4) as i64 - 1;
        let transactional = matches!(producer, 1 | 2);
        let codecs = [Compression::None, Compression::None, Compression::Lz4];
        let mut builder = BatchBuilder::new(codecs[self.random.below(3)]);
        let count = 1 + self.random.below(3) as i32;
        if producer >= 0 {
            let sequence = self.sequences.entry(producer).or_insert(0);
            builder.producer(producer, 0, *sequence);
            *sequence += count;
        }
        if transactional {
            builder.transactional();
        }
        let first = self.bench.log.log_end_offset();
        for offset in first..first + i64::from(count) {
            self.unique += 1;
            let key = self.random.below(10) as u8;
            let tombstone = self.random.below(5) == 0;
            let value = (!tombstone).then(|| {
                self.unique
                    .to_string()
                    .repeat(1 + self.random.below(20))
                    .into_bytes()
            });
            builder.append(self.now_ms, Some(&[key]), value.as_deref());
            self.appended.insert(
                offset,
                Appended {
                    key,
                    value,
                    producer,
                    committed: (!transactional).then_some(true),
                    at_ms: self.now_ms,
                    compacted_ms: None,
                },
            );
        }
        if transactional {
            self.open.entry(producer).or_insert(first);
        }
        self.place(builder.finish());
    }

    fn place(&mut self, batch: Batch) {
        let (log, jobs) = (&mut self.bench.log, &mut self.bench.jobs);
        log.append(vec![batch], 0, self.now_ms, jobs).unwrap();
    }

    fn end_transaction(&mut self) {
        let Some((producer, first)) = self.open.pop_first() else {
            return;
        };
        let commit = self.random.below(2) == 0;
        self.place(end_transaction(self.now_ms, producer, 0, commit, 0));
        for record in self.appended.range_mut(first..).map(|(_, record)| record) {
            if record.producer == producer {
                record.committed.get_or_insert(commit);
            }
        }
    }

    fn compact(&mut self) {
        let memory = [1, 400, 1 << 20][self.random.below(3)];
        let high_watermark = self.bench.log.acknowledged_end();
        let Some(job) = self.bench.log.compact(self.now_ms, high_watermark, memory) else {
            return;
        };
        self.compactions += 1;
        // It takes a while, and appends go on.
        let made = job.run().unwrap();
        for _ in 0..self.random.below(4) {
            self.append();
        }
        self.bench.log.on_compacted(made, &mut self.bench.jobs);
        self.settle();
        let compacted_to = self.bench.log.compacted_to();
        for record in self.appended.range_mut(..compacted_to).map(|(_, record)| record) {
            record.compacted_ms.get_or_insert(self.now_ms);
        }
        let ends = self.bench.log.last_stable_offset(high_watermark);
        assert!(
            compacted_to <= ends,
            "seed {}: above an open transaction",
            self.seed
        );
        if let Some((offset, young)) = self.appended.range(..compacted_to).last() {
            let age_ms = self.now_ms - young.at_ms;
            let lag_ms = self.config.min_compaction_lag_ms;
            assert!(
                age_ms >= lag_ms,
                "seed {}: offset {offset} is {age_ms} ms old",
                self.seed
            );
        }
    }

    fn delete_records(&mut self) {
        let (start, end) = (self.bench.log.log_start_offset(), self.bench.log.recovery_point());
        let offset = start + self.random.below((end - start).max(0) as usize / 4 + 1) as i64;
        self.bench.log.delete_records_before(offset, &mut self.bench.jobs);
    }

    fn note_checkpoint(&mut self) {
        let log = &self.bench.log;
        self.checkpoint = (log.recovery_point(), log.log_start_offset(), log.compacted_to());
    }

    /// A clean stop, or a kill, and a start with what the checkpoint says.
    fn restart(&mut self) {
        let clean = self.random.below(2) == 0;
        if clean {
            self.bench.log.close(&mut self.bench.jobs);
            self.bench.settle();
            self.note_checkpoint();
        }
        let (recovery_point, log_start_offset, compacted_to) = self.checkpoint;
        self.bench = Bench::open(self.bench.fs.kill(), &self.config, |options| {
            options.recovery_point = recovery_point;
            options.log_start_offset = log_start_offset;
            options.compacted_to = compacted_to;
            options.clean = clean;
        });
    }

    fn check(&mut self, from: i64, context: &str) {
        self.bench.forget_tail();
        let found = self.read(from, context);
        self.check_committed(from, &found, context);
        let compacted_to = self.bench.log.compacted_to();
        let mut newest: BTreeMap<u8, i64> = BTreeMap::new();
        for (offset, record) in &self.appended {
            if record.committed == Some(true) && record.compacted_ms.is_some() {
                newest.insert(record.key, *offset);
            }
        }
        for (offset, record) in self.appended.range(from..) {
            if found.contains(offset) {
                continue;
            }
            let superseded = newest.get(&record.key).is_some_and(|newest| newest > offset);
            let horizon_ms = record.compacted_ms.map(|at_ms| at_ms + RETENTION_MS);
            let faded = record.value.is_none() && horizon_ms.is_some_and(|ms| ms <= self.now_ms);
            let aborted = record.committed == Some(false);
            assert!(
                aborted || record.compacted_ms.is_some() && (superseded || faded),
                "{context}, from {from}, compacted to {compacted_to}: offset {offset} is gone: {record:?}"
            );
        }
    }

    fn check_committed(&self, from: i64, found: &BTreeSet<i64>, context: &str) {
        let bound = self.bench.log.last_stable_offset(self.bench.log.written_end());
        let mut given = BTreeSet::new();
        for batch in self.bench.read_committed(from, bound) {
            let records = batch.records(1 << 20).unwrap().map(Result::unwrap);
            given.extend(records.map(|record| batch.header().base_offset + i64::from(record.offset_delta)));
        }
        for offset in found.range(..bound) {
            let committed = self.appended[offset].committed;
            let is_given = given.contains(offset);
            assert_eq!(
                Some(is_given),
                committed,
                "{context}, from {from}: offset {offset}, {:?}",
                self.appended[offset]
            );
        }
    }

    /// The offsets of all records from `from` on; each is what was appended there.
    fn read(&self, from: i64, context: &str) -> BTreeSet<i64> {
        let batches = self.bench.read_all(from, i64::MAX, 900).unwrap();
        let mut found = BTreeSet::new();
        for batch in batches.iter().filter(|batch| !batch.header().is_control()) {
            for record in batch.records(1 << 20).unwrap() {
                let record = record.unwrap();
                let offset = batch.header().base_offset + i64::from(record.offset_delta);
                let appended = self.appended.get(&offset);
                let same = appended.is_some_and(|appended| {
                    record.key.as_deref() == Some(&[appended.key])
                        && record.value.as_deref() == appended.value.as_deref()
                        && record.timestamp_ms == appended.at_ms
                        && batch.header().producer_id == appended.producer
                });
                assert!(
                    same,
                    "{context}: offset {offset} holds {record:?}, not {appended:?}"
                );
                found.insert(offset);
            }
        }
        found
    }

    /// With all there is compacted at once, no key is there twice below the compacted end.
    fn check_thoroughness(&mut self) {
        while self.bench.log.last_stable_offset(i64::MAX) != i64::MAX {
            self.end_transaction();
            self.settle();
        }
        self.now_ms += MIN_LAG_MS + 1;
        self.bench.log.flush(&mut self.bench.jobs);
        self.settle();
        self.config.min_dirty_percent = 0;
        self.bench.log.set_config(self.config.clone());
        let end = self.bench.log.acknowledged_end();
        if let Some(job) = self.bench.log.compact(self.now_ms, end, 1 << 20) {
            let made = job.run().unwrap();
            self.bench.log.on_compacted(made, &mut self.bench.jobs);
            self.settle();
        }
        let compacted_to = self.bench.log.compacted_to();
        let found = self.read(self.bench.log.log_start_offset(), "at the end");
        let mut seen = BTreeMap::new();
        for offset in found.range(..compacted_to) {
            if let Some(twice) = seen.insert(self.appended[offset].key, *offset) {
                panic!("seed {}: offsets {twice} and {offset} have one key", self.seed);
            }
        }
    }
}

#[test]
fn readers_see_what_the_rules_of_compaction_and_retention_allow() {
    let mut compactions = 0;
    for seed in seeds(12) {
        let mut model = Model::new(seed);
        model.run();
        model.check_thoroughness();
        compactions += model.compactions;
        let left = model.bench.fs.list_dir(Path::new(DIR)).unwrap();
        assert!(
            !left.iter().any(|file| file.name.ends_with(".cleaned")),
            "seed {seed}"
        );
    }
    assert!(compactions > 0);
}

#[test]
fn appends_go_on_while_a_compaction_waits_for_the_disk() {
    let config = LogConfig {
        segment_bytes: 600,
        compact: true,
        min_dirty_percent: 0,
        ..LogConfig::default()
    };
    let mut bench = Bench::open(machine(), &config, |_| {});
    for _ in 0..30 {
        bench.append(vec![super::tests::batch(&[7; 100], 1)]);
    }
    bench.settle();
    bench.log.flush(&mut bench.jobs);
    bench.settle();
    let end = bench.log.log_end_offset();
    let made = bench.log.compact(1_000, end, 1 << 20).unwrap().run().unwrap();
    bench.log.on_compacted(made, &mut bench.jobs);
    let stuck = std::mem::take(&mut bench.jobs);
    assert_eq!(stuck.len(), 1, "the flusher has it, and is slow");
    bench.append(vec![super::tests::batch(&[8; 100], 1)]);
    bench.settle();
    assert_eq!(bench.log.acknowledged_end(), end + 1);
    bench.jobs = stuck;
    bench.settle();
    bench.forget_tail();
    let offsets = bench.offsets();
    assert_eq!(offsets.last(), Some(&end));
    assert!(offsets.len() < 12, "{offsets:?}");
}

#[test]
fn records_older_than_the_greatest_lag_are_compacted_however_few_they_are() {
    let config = LogConfig {
        segment_bytes: 100_000,
        compact: true,
        min_dirty_percent: 100,
        max_compaction_lag_ms: 1_000,
        ..LogConfig::default()
    };
    let mut bench = Bench::open(machine(), &config, |_| {});
    let append = |bench: &mut Bench, now_ms: i64| {
        let batch = super::tests::batch(b"v", now_ms);
        bench.log.append(vec![batch], 0, now_ms, &mut bench.jobs).unwrap();
        bench.settle();
    };
    for now_ms in [1_000, 1_500, 2_100] {
        append(&mut bench, now_ms);
    }
    assert_eq!(
        bench.log.segment_count(),
        2,
        "the active segment waits no longer either"
    );
    let end = bench.log.log_end_offset();
    assert!(
        bench
            .log
            .compact(1_900, end, 1 << 20)
            .is_none_or(|job| job.run().is_ok())
    );
    bench.log.on_compaction_failed(false);
    let made = bench
        .log
        .compact(2_100, end, 1 << 20)
        .expect("it is due")
        .run()
        .unwrap();
    bench.log.on_compacted(made, &mut bench.jobs);
    bench.settle();
    assert_eq!(bench.log.compacted_to(), 2);
    // A little that is new beside much that is not: not enough, before it is old.
    append(&mut bench, 3_200);
    let end = bench.log.log_end_offset();
    assert!(bench.log.compact(3_050, end, 1 << 20).is_none());
    assert!(bench.log.compact(3_200, end, 1 << 20).is_some());
}
