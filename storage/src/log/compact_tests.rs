//! Compaction against a model: what is the newest record of each key.

use std::collections::BTreeMap;
use std::path::Path;

use klamm_protocol::record::control::end_transaction;
use klamm_protocol::record::{BatchBuilder, Compression};

use super::crash_tests::machine;
use super::tests::{Bench, DIR};
use super::*;
use crate::sys::Mode;
use crate::sys::memory::{Fault, Random};

const MEMORY: usize = 1 << 20;

fn compacted() -> LogConfig {
    LogConfig {
        segment_bytes: 1500,
        index_interval_bytes: 150,
        compact: true,
        delete: false,
        delete_retention_ms: 1000,
        ..LogConfig::default()
    }
}

type Records = Vec<(i64, Vec<u8>, Option<Vec<u8>>)>;

/// Every record of the log, from disk.
fn records(bench: &mut Bench) -> Records {
    bench.forget_tail();
    let start = bench.log.log_start_offset();
    records_of(&bench.read_all(start, i64::MAX, 1000).unwrap())
}

fn records_of(batches: &[Batch]) -> Records {
    let mut records = Vec::new();
    for batch in batches.iter().filter(|batch| !batch.header().is_control()) {
        for record in batch.records(1 << 20).unwrap() {
            let record = record.unwrap();
            let key = record.key.unwrap().to_vec();
            let offset = batch.header().base_offset + i64::from(record.offset_delta);
            records.push((offset, key, record.value.map(|value| value.to_vec())));
        }
    }
    records
}

/// Appends batches of up to three records with few keys; gives all of them.
fn fill(bench: &mut Bench, random: &mut Random, batches: usize) -> Records {
    let mut appended = Vec::new();
    for _ in 0..batches {
        let codec = if random.below(2) == 0 {
            Compression::None
        } else {
            Compression::Lz4
        };
        let mut builder = BatchBuilder::new(codec);
        let mut new = Vec::new();
        for _ in 0..1 + random.below(3) {
            let key = format!("key {}", random.below(12)).into_bytes();
            let tombstone = random.below(6) == 0;
            let value = (!tombstone).then(|| format!("{} of {}", "x".repeat(40), random.draw()).into_bytes());
            builder.append(1000, Some(&key), value.as_deref());
            new.push((key, value));
        }
        let at = bench.append(vec![builder.finish()]);
        for ((key, value), offset) in new.into_iter().zip(at.first_offset..) {
            appended.push((offset, key, value));
        }
    }
    bench.settle();
    bench.log.flush(&mut bench.jobs);
    bench.settle();
    appended
}

fn compact(bench: &mut Bench, now_ms: i64, memory: usize) -> bool {
    let end = bench.log.log_end_offset();
    let Some(job) = bench.log.compact(now_ms, end, memory) else {
        return false;
    };
    match job.run() {
        Ok(made) => bench.log.on_compacted(made, &mut bench.jobs),
        Err(_) => bench.log.on_compaction_failed(false),
    }
    bench.settle();
    true
}

/// Nothing was made up, nothing moved, and the newest record of every key is there.
fn check(found: &Records, appended: &Records, tombstones_stay: bool, context: &str) {
    let known: BTreeMap<i64, _> = appended.iter().map(|record| (record.0, record)).collect();
    assert!(
        found.iter().all(|record| known.get(&record.0) == Some(&record)),
        "{context}: an invented record"
    );
    let mut newest = BTreeMap::new();
    for record in appended {
        newest.insert(&record.1, record);
    }
    for record in newest.values() {
        let must_stay = record.2.is_some() || tombstones_stay;
        let is_there = found.contains(record);
        assert!(is_there || !must_stay, "{context}: {record:?} is gone");
    }
}

#[test]
fn the_newest_record_of_every_key_stays_where_it_was() {
    for seed in 0..8 {
        let mut random = Random(seed);
        let mut bench = Bench::open(machine(), &compacted(), |_| {});
        let mut appended = fill(&mut bench, &mut random, 80);
        let context = format!("seed {seed}");
        assert!(compact(&mut bench, 5000, MEMORY), "{context}");
        assert!(!compact(&mut bench, 5000, MEMORY), "{context}: nothing is new");
        let found = records(&mut bench);
        check(&found, &appended, true, &context);
        let active = bench.log.active().0;
        let sealed = found.iter().filter(|record| record.0 < active).count();
        assert!(sealed <= 12, "{context}: {sealed} records of 12 keys");
        // Again with more, with keys in memory for one batch at a time.
        appended.extend(fill(&mut bench, &mut random, 80));
        for _ in 0..20 {
            compact(&mut bench, 5000, 1);
        }
        let found = records(&mut bench);
        check(&found, &appended, true, &context);
        let mut reopened = Bench::open(bench.fs.power_cut(seed), &compacted(), |_| {});
        assert_eq!(records(&mut reopened), found, "{context}");
    }
}

#[test]
fn a_tombstone_goes_when_its_horizon_has_passed() {
    let mut random = Random(1);
    let mut bench = Bench::open(machine(), &compacted(), |_| {});
    let mut builder = BatchBuilder::new(Compression::None);
    builder.append(1000, Some(b"gone"), Some(b"value"));
    bench.append(vec![builder.finish()]);
    let mut builder = BatchBuilder::new(Compression::None);
    builder.append(1000, Some(b"gone"), None);
    bench.append(vec![builder.finish()]);
    fill(&mut bench, &mut random, 80);
    let tombstone = |bench: &mut Bench| records(bench).iter().any(|record| record.1 == b"gone");
    assert!(compact(&mut bench, 5000, MEMORY));
    assert_eq!(records(&mut bench)[0].0, 1, "the value goes, the tombstone stays");
    fill(&mut bench, &mut random, 80);
    assert!(compact(&mut bench, 5999, MEMORY));
    assert!(tombstone(&mut bench), "its horizon is 6000");
    fill(&mut bench, &mut random, 160);
    assert!(compact(&mut bench, 6000, MEMORY));
    assert!(!tombstone(&mut bench));
}

#[test]
fn aborted_records_go_and_producers_are_remembered() {
    let mut random = Random(2);
    let mut bench = Bench::open(machine(), &compacted(), |_| {});
    let transactional = |id, value: &[u8]| {
        let mut builder = BatchBuilder::new(Compression::None);
        builder
            .producer(id, 0, 0)
            .transactional()
            .append(1000, Some(b"t"), Some(value));
        builder.finish()
    };
    bench.append(vec![transactional(1, b"committed")]);
    bench.append(vec![end_transaction(1000, 1, 0, true, 0)]);
    bench.append(vec![transactional(2, b"aborted")]);
    assert_eq!(
        bench.log.last_stable_offset(3),
        0,
        "a marker counts once it is below the high watermark"
    );
    bench.log.on_high_watermark(3);
    assert_eq!(bench.log.last_stable_offset(3), 2);
    fill(&mut bench, &mut random, 40);
    assert!(
        !compact(&mut bench, 5000, MEMORY),
        "nothing above an open transaction is touched"
    );
    bench.append(vec![end_transaction(1000, 2, 0, false, 0)]);
    fill(&mut bench, &mut random, 40);
    let end = bench.log.log_end_offset();
    bench.log.on_high_watermark(end);
    assert!(compact(&mut bench, 5000, MEMORY));
    let of_t: Vec<_> = records(&mut bench)
        .into_iter()
        .filter(|record| record.1 == b"t")
        .collect();
    assert_eq!(of_t.len(), 1);
    assert_eq!(of_t[0].2.as_deref(), Some(&b"committed"[..]));
    let reopened = without_snapshots(&bench);
    for id in [1, 2] {
        let again = reopened.log.check_producer(transactional(id, b"x").header());
        assert!(
            matches!(again, Ok(ProducerCheck::Duplicate { .. })),
            "producer {id}: {again:?}"
        );
    }
}

/// Offsets of the markers and how many aborted transactions the log names.
fn markers(bench: &Bench) -> (Vec<i64>, usize) {
    let end = bench.log.log_end_offset();
    let batches = bench.read_all(bench.log.log_start_offset(), end, 1000).unwrap();
    let markers = batches.iter().filter(|batch| batch.header().is_control());
    let offsets = markers.map(|batch| batch.header().base_offset).collect();
    let named = bench.log.aborted_transactions(0, end).unwrap().run().unwrap();
    (offsets, named.len())
}

/// Kafka: `CleanedTransactionMetadata`; KIP-534.
#[test]
fn a_marker_goes_when_nothing_is_left_of_its_transaction_and_its_horizon_has_passed() {
    let config = LogConfig {
        producer_expiration_ms: 2_000,
        ..compacted()
    };
    let mut bench = Bench::open(machine(), &config, |_| {});
    let mut random = Random(11);
    let write = |id, key: &[u8]| {
        let mut builder = BatchBuilder::new(Compression::None);
        builder
            .producer(id, 0, 0)
            .transactional()
            .append(1000, Some(key), Some(b"v"));
        builder.finish()
    };
    for (id, key, commit) in [(1, b"key 1", true), (2, b"other", true), (3, b"key 1", false)] {
        bench.append(vec![write(id, key)]);
        bench.append(vec![end_transaction(1000, id, 0, commit, 0)]);
    }
    // No records lie before this one.
    bench.append(vec![end_transaction(1000, 4, 7, false, 0)]);
    let mut round = |bench: &mut Bench, now_ms| {
        fill(bench, &mut random, 80);
        let end = bench.log.log_end_offset();
        bench.log.on_high_watermark(end);
        assert!(compact(bench, now_ms, MEMORY));
        markers(bench)
    };
    // All of them may send what they sent again; of the last one its marker is all that is known.
    assert_eq!(round(&mut bench, 2_900), (vec![1, 3, 5, 6], 1));
    bench.log.retain(3_001, 0, &mut bench.jobs);
    assert_eq!(bench.log.producer_count(), 0);
    // Their batches go, which this compaction still finds; and for the last marker time begins to run.
    assert_eq!(round(&mut bench, 3_001), (vec![1, 3, 5, 6], 1));
    // Nothing is left that the aborted transaction's name would be good for.
    assert_eq!(round(&mut bench, 4_000), (vec![1, 3, 5, 6], 0));
    assert_eq!(round(&mut bench, 4_001), (vec![1, 3, 5], 0));
    assert_eq!(round(&mut bench, 4_999), (vec![1, 3, 5], 0));
    // What is committed, and still there, stays with its marker.
    assert_eq!(round(&mut bench, 5_000), (vec![3], 0));
    let others: Vec<_> = records(&mut bench)
        .into_iter()
        .filter(|record| record.1 == b"other")
        .collect();
    assert_eq!(others.len(), 1);
    // Who begins again under the id of the aborted one is heard.
    bench.append(vec![write(3, b"again")]);
    bench.append(vec![end_transaction(1000, 3, 0, true, 0)]);
    bench.settle();
    let end = bench.log.log_end_offset();
    let given = bench.read_committed(0, end);
    assert_eq!(
        given.last().map(|batch| batch.header().base_offset),
        Some(end - 2)
    );
}

fn transactional(id: i64, key: &[u8]) -> Batch {
    let mut builder = BatchBuilder::new(Compression::None);
    builder.producer(id, 0, 0).transactional();
    builder.append(1000, Some(key), Some(b"v"));
    builder.finish()
}

fn keyed(key: &[u8], value: Option<&[u8]>) -> Batch {
    let mut builder = BatchBuilder::new(Compression::None);
    builder.append(1000, Some(key), value);
    builder.finish()
}

/// The tail keeps batches for as long as there is memory.
#[test]
fn what_was_aborted_is_not_read_from_memory_once_its_name_is_gone() {
    let config = LogConfig {
        producer_expiration_ms: 1,
        ..compacted()
    };
    let mut bench = Bench::open(machine(), &config, |_| {});
    let mut random = Random(7);
    bench.append(vec![transactional(3, b"aborted")]);
    bench.append(vec![end_transaction(1000, 3, 0, false, 0)]);
    for now_ms in [5000, 5001] {
        fill(&mut bench, &mut random, 60);
        let end = bench.log.log_end_offset();
        bench.log.on_high_watermark(end);
        bench.log.retain(now_ms, 0, &mut bench.jobs);
        assert!(compact(&mut bench, now_ms, MEMORY));
    }
    let end = bench.log.log_end_offset();
    assert_eq!(bench.log.aborted_transactions(0, end).unwrap().run().unwrap(), []);
    let given = records_of(&bench.read_committed(0, end));
    assert!(!given.iter().any(|record| record.1 == b"aborted"));
}

#[test]
fn a_log_that_is_cut_while_it_is_compacted_stays_as_it_was_cut() {
    let mut bench = Bench::open(machine(), &compacted(), |_| {});
    fill(&mut bench, &mut Random(3), 80);
    let end = bench.log.log_end_offset();
    let made = bench.log.compact(5000, end, MEMORY).unwrap().run().unwrap();
    let third = bench.log.segment_times().nth(2).unwrap().0;
    bench.log.truncate_to(third + 4, &mut bench.jobs);
    bench.settle();
    let cut_at = bench.log.log_end_offset();
    for number in 0..40 {
        bench.append(vec![keyed(format!("new {number}").as_bytes(), Some(b"v"))]);
    }
    bench.settle();
    let before = records(&mut bench);
    bench.log.on_compacted(made, &mut bench.jobs);
    bench.settle();
    assert_eq!(records(&mut bench), before);
    assert!(bench.log.compacted_to() <= cut_at);
    assert!(!bench.files().iter().any(|name| name.ends_with(".cleaned")));
}

/// The tombstone may lie in a segment that can be put in place, and the value in one that cannot.
#[test]
fn a_key_that_was_deleted_does_not_come_back_while_segments_are_deleted() {
    let config = LogConfig {
        delete_retention_ms: 0,
        min_dirty_percent: 0,
        ..compacted()
    };
    let mut bench = Bench::open(machine(), &config, |_| {});
    let append = |bench: &mut Bench, key: String, value| {
        bench.append(vec![keyed(key.as_bytes(), value)]);
    };
    for number in 0..36 {
        append(&mut bench, format!("old {}", number % 12), Some(&[b'x'; 100]));
    }
    append(&mut bench, "key".to_owned(), Some(b"value"));
    for number in 0..60 {
        if number == 30 {
            append(&mut bench, "key".to_owned(), None);
        }
        append(&mut bench, format!("pad {number}"), Some(&[b'x'; 100]));
    }
    bench.settle();
    bench.log.flush(&mut bench.jobs);
    bench.settle();
    bench.log.set_config(LogConfig {
        segment_bytes: 8000,
        ..config
    });
    for now_ms in [5000, 5001] {
        let end = bench.log.log_end_offset();
        let Some(job) = bench.log.compact(now_ms, end, MEMORY) else {
            continue;
        };
        let made = job.run().unwrap();
        let second = bench.log.segment_times().nth(1).unwrap().0;
        bench.log.delete_records_before(second, &mut bench.jobs);
        bench.settle();
        bench.log.on_compacted(made, &mut bench.jobs);
        bench.settle();
    }
    let found = records(&mut bench);
    let last = found.iter().rfind(|record| record.1 == b"key");
    assert!(last.is_none_or(|record| record.2.is_none()), "{last:?}");
}

/// The snapshot where the log begins says that the transaction is open; all that said more is compacted away.
#[test]
fn a_transaction_of_which_nothing_is_left_is_not_open_after_a_restart() {
    let config = LogConfig {
        producer_expiration_ms: 1,
        delete_retention_ms: 0,
        min_dirty_percent: 0,
        ..compacted()
    };
    let mut bench = Bench::open(machine(), &config, |_| {});
    let mut random = Random(7);
    fill(&mut bench, &mut random, 30);
    let start = bench.append(vec![transactional(3, b"x")]).first_offset;
    fill(&mut bench, &mut random, 60);
    bench.append(vec![end_transaction(1000, 3, 0, false, 0)]);
    for now_ms in [5000, 5001, 5002] {
        fill(&mut bench, &mut random, 60);
        let end = bench.log.log_end_offset();
        bench.log.on_high_watermark(end);
        bench.log.retain(now_ms, 0, &mut bench.jobs);
        if now_ms == 5000 {
            let mut bases = bench.log.segment_times().map(|(base_offset, _)| base_offset);
            let first = bases.find(|base_offset| *base_offset > start).unwrap();
            drop(bases);
            bench.log.delete_records_before(first, &mut bench.jobs);
            bench.settle();
        }
        assert!(compact(&mut bench, now_ms, MEMORY));
    }
    assert_eq!(markers(&bench), (vec![], 0));
    let log_start = bench.log.log_start_offset();
    let reopened = Bench::open(bench.fs.kill(), &config, |options| {
        options.log_start_offset = log_start;
    });
    let end = reopened.log.log_end_offset();
    assert_eq!(reopened.log.last_stable_offset(end), end);
}

/// A compressed batch is checked by its head alone when it comes in.
#[test]
fn records_at_offsets_that_their_batch_does_not_have_are_damage() {
    let mut bench = Bench::open(machine(), &compacted(), |_| {});
    let mut builder = BatchBuilder::new(Compression::None);
    builder.append(1000, Some(b"key 1"), Some(b"v"));
    builder.append(1000, Some(b"other"), Some(b"v"));
    let mut bytes = builder.finish().to_bytes().to_vec();
    // The last offset delta, and the checksum.
    bytes[23..27].copy_from_slice(&0i32.to_be_bytes());
    let crc = crc32c::crc32c(&bytes[21..]);
    bytes[17..21].copy_from_slice(&crc.to_be_bytes());
    bench.append(vec![Batch::parse(bytes.into()).unwrap()]);
    fill(&mut bench, &mut Random(3), 60);
    let end = bench.log.log_end_offset();
    let made = bench.log.compact(5000, end, MEMORY).unwrap().run();
    assert_eq!(
        made.map(|_| ()).unwrap_err().kind(),
        std::io::ErrorKind::InvalidData
    );
}

#[test]
fn a_log_that_was_compacted_once_may_have_gaps_whatever_its_policy_is_now() {
    let mut bench = Bench::open(machine(), &compacted(), |_| {});
    fill(&mut bench, &mut Random(3), 80);
    assert!(compact(&mut bench, 5000, MEMORY));
    let found = records(&mut bench);
    let config = LogConfig {
        compact: false,
        delete: true,
        retention_ms: None,
        ..compacted()
    };
    let mut reopened = Bench::open(bench.fs.power_cut(1), &config, |_| {});
    assert_eq!(records(&mut reopened), found);
}

/// Kafka: `Cleaner.groupSegmentsBySize`.
#[test]
fn segments_that_fit_into_one_become_one() {
    let mut random = Random(12);
    let mut bench = Bench::open(machine(), &compacted(), |_| {});
    let mut appended = Records::new();
    for round in 0..12 {
        appended.extend(fill(&mut bench, &mut random, 40));
        assert!(compact(&mut bench, 5000, MEMORY), "round {round}");
        let found = records(&mut bench);
        check(&found, &appended, true, &format!("round {round}"));
        // What 12 keys take, what this round added and has shrunk meanwhile, and the active segment.
        assert!(
            bench.log.segment_count() <= 8,
            "round {round}: {:?}",
            bench.files()
        );
    }
    let files = bench.files();
    assert!(!files.iter().any(|name| name.ends_with(".deleted")), "{files:?}");
    let found = records(&mut bench);
    let reopen = |fs| Bench::open(fs, &compacted(), |options| options.recovery_point = i64::MAX);
    let mut killed = reopen(bench.fs.kill());
    assert_eq!(records(&mut killed), found);
    let mut cut = reopen(killed.fs.power_cut(3));
    assert_eq!(records(&mut cut), found);
}

/// A segment that retention would take may be on its way into the file of the one before.
#[test]
fn retention_waits_while_compacted_segments_are_put_in_place() {
    let mut bench = Bench::open(machine(), &compacted(), |_| {});
    fill(&mut bench, &mut Random(13), 80);
    let end = bench.log.log_end_offset();
    let made = bench.log.compact(5000, end, MEMORY).unwrap().run().unwrap();
    bench.log.on_compacted(made, &mut bench.jobs);
    let swap = std::mem::take(&mut bench.jobs);
    let second = bench.log.segment_times().nth(1).unwrap().0;
    assert_eq!(bench.log.delete_records_before(second, &mut bench.jobs), second);
    assert!(bench.jobs.is_empty(), "no segment goes");
    bench.jobs = swap;
    bench.settle();
    bench.log.retain(5000, end, &mut bench.jobs);
    bench.settle();
    let found = records(&mut bench);
    assert!(found.iter().all(|record| record.0 >= second));
    assert!(found.len() > 3, "{found:?}");
}

/// The log after a crash that leaves nothing of producers but the batches themselves.
fn without_snapshots(bench: &Bench) -> Bench {
    let fs = bench.fs.kill();
    for entry in fs.list_dir(Path::new(DIR)).unwrap() {
        if entry.name.ends_with(".snapshot") {
            fs.remove(&Path::new(DIR).join(&entry.name)).unwrap();
        }
    }
    Bench::open(fs, &compacted(), |_| {})
}

/// A producer whose five batches were written, and never answered, sends them again.
#[test]
fn every_batch_that_may_be_sent_again_is_known_after_compaction() {
    let mut bench = Bench::open(machine(), &compacted(), |_| {});
    let batch = |sequence| {
        let mut builder = BatchBuilder::new(Compression::None);
        builder
            .producer(7, 0, sequence)
            .append(1000, Some(b"k"), Some(b"v"));
        builder.finish()
    };
    for sequence in 0..6 {
        bench.append(vec![batch(sequence)]);
    }
    fill(&mut bench, &mut Random(4), 60);
    assert!(compact(&mut bench, 5000, MEMORY));
    let of_k = records(&mut bench);
    assert_eq!(of_k.iter().filter(|record| record.1 == b"k").count(), 1);
    let reopened = without_snapshots(&bench);
    for sequence in 1..6 {
        let again = reopened.log.check_producer(batch(sequence).header());
        assert!(
            matches!(again, Ok(ProducerCheck::Duplicate { .. })),
            "sequence {sequence}: {again:?}"
        );
    }
}

#[test]
fn a_crash_at_any_call_of_a_compaction_loses_no_newest_record_and_shows_no_aborted_one() {
    // Every producer writes and aborts, then writes and commits; all of it is compacted, and again when it may go.
    let config = LogConfig {
        producer_expiration_ms: 1,
        ..compacted()
    };
    let run = |call: Option<(u64, Fault)>| {
        let mut random = Random(7);
        let mut bench = Bench::open(machine(), &config, |_| {});
        let mut appended = Records::new();
        for round in 0..2 {
            for (id, commit) in [(1, false), (2, true), (1, true)] {
                let mut builder = BatchBuilder::new(Compression::None);
                let value = format!("{id} {commit} {round}").into_bytes();
                builder.producer(id, round, 0).transactional();
                builder.append(1000, Some(b"t"), Some(&value));
                let at = bench.append(vec![builder.finish()]);
                if commit {
                    appended.push((at.first_offset, b"t".to_vec(), Some(value)));
                }
                bench.append(vec![end_transaction(1000, id, round, commit, 0)]);
            }
            appended.extend(fill(&mut bench, &mut random, 8));
            let end = bench.log.log_end_offset();
            bench.log.on_high_watermark(end);
        }
        let before = bench.fs.calls();
        if let Some((call, fault)) = call {
            bench.fs.fail_call(before + call, fault);
        }
        for now_ms in [5000, 5001, 6002] {
            // The last one finds nothing left of the producers that expire before the second.
            bench.log.retain(now_ms, 0, &mut bench.jobs);
            compact(&mut bench, now_ms, MEMORY / 2);
            bench.log.forget_compactions();
        }
        (bench.fs.calls() - before, bench, appended)
    };
    let (calls, bench, _) = run(None);
    assert!(calls > 100);
    assert!(markers(&bench).0.len() < 8, "some go");
    let stop = Fault::Stop { torn: 70 };
    // Every fault at every call, with one end or the other.
    let ends = [
        [(stop, "kill"), (stop, "power cut")],
        [(Fault::NoSpace, "goes on"), (Fault::NoSpace, "power cut")],
        [(Fault::Full, "kill"), (Fault::Full, "goes on")],
        [(Fault::Io, "power cut"), (Fault::Io, "kill")],
    ];
    for (call, ends) in (0..calls).flat_map(|call| ends.map(|ends| (call, ends))) {
        let (fault, then) = ends[usize::try_from(call % 2).unwrap()];
        let context = format!("call {call}, {fault:?}, {then}");
        let (_, mut bench, appended) = run(Some((call, fault)));
        let end = appended.last().unwrap().0 + 1;
        let check = |bench: &mut Bench| {
            assert_eq!(bench.log.log_end_offset(), end, "{context}");
            let committed = bench.read_committed(bench.log.log_start_offset(), end);
            check(&records_of(&committed), &appended, false, &context);
        };
        let struck = bench.fs.is_stopped() || bench.log.is_offline();
        assert!(!struck || fault != Fault::Full, "{context}");
        bench.fs.set_capacity(u64::MAX);
        if then == "goes on" && struck {
            continue;
        }
        if then == "goes on" {
            bench.log.retry(&mut bench.jobs);
            bench.settle();
            compact(&mut bench, 9000, MEMORY);
            assert!(!bench.log.is_offline(), "{context}");
            check(&mut bench);
        }
        let fs = if then == "kill" {
            bench.fs.kill()
        } else {
            bench.fs.power_cut(call)
        };
        let mut reopened = Bench::open(fs, &config, |options| options.recovery_point = end);
        check(&mut reopened);
        let left = reopened.files();
        let half_done = |name: &String| name.ends_with(".cleaned") || name.ends_with(".swap");
        assert!(!left.iter().any(half_done), "{context}: {left:?}");
        let path = Path::new(DIR).join("partition.metadata");
        assert!(reopened.fs.open(&path, Mode::Read).is_ok(), "{context}");
        // And a compaction goes on from there.
        reopened.log.retain(9000, 0, &mut reopened.jobs);
        compact(&mut reopened, 9000, MEMORY);
        check(&mut reopened);
    }
}

#[test]
fn what_is_aborted_far_behind_does_not_take_the_place_of_what_was_committed() {
    let mut random = Random(5);
    let mut bench = Bench::open(machine(), &compacted(), |_| {});
    let write = |producer_id, value: &[u8]| {
        let mut builder = BatchBuilder::new(Compression::None);
        builder
            .producer(producer_id, 0, 0)
            .transactional()
            .append(1000, Some(b"t"), Some(value));
        builder.finish()
    };
    bench.append(vec![write(1, b"committed")]);
    bench.append(vec![end_transaction(1000, 1, 0, true, 0)]);
    bench.append(vec![write(2, b"aborted")]);
    fill(&mut bench, &mut random, 40);
    // The marker lies in the active segment, which is not compacted.
    bench.append(vec![end_transaction(1000, 2, 0, false, 0)]);
    bench.settle();
    let end = bench.log.log_end_offset();
    bench.log.on_high_watermark(end);
    assert_eq!(bench.log.last_stable_offset(end), end);
    assert!(compact(&mut bench, 5000, MEMORY));
    let values: Vec<_> = records(&mut bench)
        .into_iter()
        .filter(|record| record.1 == b"t")
        .filter_map(|record| record.2)
        .collect();
    assert_eq!(values, [b"committed"]);
}
