//! What a start makes of what it finds, case by case.

use std::path::Path;

use klamm_protocol::record::control::end_transaction;
use klamm_protocol::record::{BatchBuilder, Compression};

use super::crash_tests::machine;
use super::tests::{Bench, DIR, batch, small};
use super::*;
use crate::lane;
use crate::segment::{self, TXN_INDEX};
use crate::sys::memory::MemoryFs;

fn transactional(id: i64, sequence: i32) -> Batch {
    let mut builder = BatchBuilder::new(Compression::None);
    builder.producer(id, 0, sequence).transactional();
    builder.append(1000, None, Some(&[7; 100]));
    builder.finish()
}

/// A batch of an aborted transaction and its marker, after `before` other batches.
fn with_aborted(bench: &mut Bench, before: usize) {
    for _ in 0..before {
        bench.append(vec![batch(&[0; 100], 1)]);
    }
    bench.settle();
    bench.append(vec![transactional(7, 0)]);
    bench.append(vec![end_transaction(1000, 7, 0, false, 0)]);
    bench.settle();
}

fn flush(bench: &mut Bench) {
    bench.log.flush(&mut bench.jobs);
    bench.settle();
}

/// Opens the log with its end as the recovery point, and looks for the one aborted record.
fn hides_it(fs: MemoryFs, end: i64, clean: bool, others: usize, context: &str) {
    let mut bench = Bench::open(fs, &small(), |options| {
        (options.recovery_point, options.clean) = (end, clean);
    });
    assert_eq!(bench.log.log_end_offset(), end, "{context}");
    assert_eq!(bench.read_committed(0, end).len(), others, "{context}");
    // And it stays so: the end counts as durable now.
    flush(&mut bench);
    let fs = bench.fs.power_cut(end.unsigned_abs());
    let bench = Bench::open(fs, &small(), |options| options.recovery_point = end);
    assert_eq!(bench.read_committed(0, end).len(), others, "{context}: once more");
}

#[test]
fn a_power_cut_shows_no_aborted_record_below_the_recovery_point() {
    for before in [0, 1, 5, 11, 12, 13, 14, 25] {
        for seed in 0..12 {
            let context = format!("after {before}, seed {seed}");
            let mut bench = Bench::open(machine(), &small(), |_| {});
            with_aborted(&mut bench, before);
            flush(&mut bench);
            let end = bench.log.recovery_point();
            hides_it(bench.fs.power_cut(seed), end, false, before, &context);

            // The log was rolled since, and flushed again or not.
            let mut bench = Bench::open(machine(), &small(), |_| {});
            with_aborted(&mut bench, before);
            flush(&mut bench);
            let end = bench.log.recovery_point();
            for _ in 0..seed {
                bench.append(vec![batch(&[0; 100], 1)]);
            }
            bench.settle();
            if seed % 2 == 0 {
                flush(&mut bench);
            }
            let fs = bench.fs.power_cut(seed);
            let synced = bench.log.recovery_point();
            let reopened = Bench::open(fs, &small(), |options| {
                options.recovery_point = if seed % 3 == 0 { end } else { synced };
            });
            let context = format!("{context}, rolled");
            let committed = reopened.read_committed(0, i64::MAX);
            let all = reopened.offsets().len();
            assert_eq!(committed.len(), all - 2, "{context}");

            let mut bench = Bench::open(machine(), &small(), |_| {});
            with_aborted(&mut bench, before);
            bench.log.close(&mut bench.jobs);
            bench.settle();
            let end = bench.log.recovery_point();
            let context = format!("{context}, stopped");
            hides_it(bench.fs.power_cut(seed), end, seed % 2 == 0, before, &context);
        }
    }
}

/// Entries that reached the disk without their markers are of no transaction at all.
#[test]
fn an_aborted_transaction_that_is_not_in_the_log_leaves_no_entry() {
    for seed in 0..40 {
        let mut bench = Bench::open(machine(), &small(), |_| {});
        bench.append(vec![batch(&[0; 100], 1)]);
        bench.settle();
        flush(&mut bench);
        let durable = bench.log.recovery_point();
        with_aborted(&mut bench, 0);
        let mut bench = Bench::open(bench.fs.power_cut(seed), &small(), |options| {
            options.recovery_point = durable;
        });
        let found = bench.log.log_end_offset();
        // The same producer may write there, and commit.
        let sequence = i32::try_from(found - durable).unwrap().min(1);
        bench.append(vec![transactional(7, sequence)]);
        bench.append(vec![end_transaction(1000, 7, 0, found == durable + 2, 0)]);
        bench.settle();
        let committed = bench.read_committed(0, i64::MAX).len();
        let expected = if found == durable + 2 { 2 } else { 1 };
        assert_eq!(committed, expected, "seed {seed}, found {found}");
        let path = Path::new(DIR).join(segment::file_name(0, TXN_INDEX));
        let len = bench.fs.list_dir(Path::new(DIR)).unwrap();
        let len = len.iter().find(|file| path.ends_with(&file.name)).unwrap().len;
        assert_eq!(len, 34, "seed {seed}, found {found}");
    }
}

#[test]
fn a_damaged_index_of_aborted_transactions_is_made_again() {
    let whole = || {
        let mut bench = Bench::open(machine(), &small(), |_| {});
        with_aborted(&mut bench, 3);
        for _ in 0..30 {
            bench.append(vec![batch(&[0; 100], 1)]);
        }
        bench.settle();
        bench.log.close(&mut bench.jobs);
        bench.settle();
        bench
    };
    let path = Path::new(DIR).join(segment::file_name(0, TXN_INDEX));
    type Damage = fn(&mut Vec<u8>);
    let damages: [(&str, Damage); 6] = [
        ("short", |bytes| bytes.truncate(20)),
        ("with a rest", |bytes| bytes.push(0)),
        ("another version", |bytes| bytes[1] = 1),
        ("of an offset before the segment", |bytes| bytes[18] = 0x80),
        ("of an offset behind the segment", |bytes| bytes[24] = 1),
        ("twice", |bytes| bytes.extend_from_within(..)),
    ];
    for (what, damage) in damages {
        for clean in [false, true] {
            let bench = whole();
            let fs = bench.fs.kill();
            let mut bytes = crate::sys::read_all(&fs, &path, 1000).unwrap();
            assert_eq!(bytes.len(), 34);
            let right = bytes.clone();
            damage(&mut bytes);
            crate::sys::replace(&fs, &path, bytes.into()).unwrap();
            let end = bench.log.recovery_point();
            hides_it(fs.clone(), end, clean, 33, what);
            let made = crate::sys::read_all(&fs.kill(), &path, 1000).unwrap();
            assert_eq!(made, right, "{what}");
        }
    }
    // A missing one is not missed alone, as most segments have none.
    let bench = whole();
    let fs = bench.fs.kill();
    fs.remove(&path).unwrap();
    fs.remove(&path.with_extension("timeindex")).unwrap();
    hides_it(
        fs,
        bench.log.recovery_point(),
        true,
        33,
        "missing with another index",
    );
}

/// What lies in the log's directory.
fn content(fs: &MemoryFs) -> Vec<(String, Vec<u8>)> {
    let files = fs.list_dir(Path::new(DIR)).unwrap().into_iter();
    let read = |name: &String| crate::sys::read_all(fs, &Path::new(DIR).join(name), usize::MAX);
    files
        .map(|file| (file.name.clone(), read(&file.name).unwrap()))
        .collect()
}

#[test]
fn a_log_that_ends_before_it_starts_is_refused_as_it_is() {
    for clean in [false, true] {
        let mut bench = Bench::open(machine(), &small(), |_| {});
        for _ in 0..40 {
            bench.append(vec![batch(&[0; 100], 1)]);
        }
        bench.log.close(&mut bench.jobs);
        bench.settle();
        let fs = bench.fs.kill();
        fs.remove(&Path::new(DIR).join(lane::RECOVERY_BOUND_FILE))
            .unwrap();
        let before = content(&fs);
        // Of 12, a digit has become another.
        let opened = Bench::try_open(fs.clone(), &small(), |options| {
            (options.recovery_point, options.log_start_offset, options.clean) = (40, 72, clean);
        });
        assert!(matches!(opened, Err(OpenError::Corrupt { offset: 40, .. })));
        assert_eq!(content(&fs), before);
        // While the log is being cut, the checkpoints may speak of what was there before.
        let bound = Path::new(DIR).join(lane::RECOVERY_BOUND_FILE);
        crate::sys::replace(&fs, &bound, "0\n60\n".into()).unwrap();
        let bench = Bench::open(fs, &small(), |options| {
            (options.recovery_point, options.log_start_offset, options.clean) = (90, 72, clean);
        });
        assert_eq!(
            (bench.log.log_start_offset(), bench.log.log_end_offset()),
            (40, 40)
        );
        assert_eq!(
            bench.log.segment_count(),
            before.iter().filter(|file| file.0.ends_with(".log")).count()
        );
    }
}

#[test]
fn the_checkpointed_start_never_passes_the_recovery_point() {
    let mut bench = Bench::open(machine(), &small(), |_| {});
    for _ in 0..30 {
        bench.append(vec![batch(&[0; 100], 1)]);
    }
    bench.settle();
    flush(&mut bench);
    assert_eq!(bench.log.checkpointed_start(), 0, "the first segment tells");
    bench.log.delete_records_before(7, &mut bench.jobs);
    bench.settle();
    assert_eq!(bench.log.checkpointed_start(), 7);
    for _ in 0..5 {
        bench.append(vec![batch(&[0; 100], 1)]);
    }
    bench.settle();
    bench.log.delete_records_before(35, &mut bench.jobs);
    bench.settle();
    assert_eq!(bench.log.log_start_offset(), 35);
    assert!(bench.log.checkpointed_start() <= bench.log.recovery_point());
    // Everything goes, and the log begins anew: before, meanwhile and after, and with a crash at any time.
    for offset in [1000, 500] {
        bench.log.truncate_fully_and_start_at(offset, &mut bench.jobs);
        assert!(bench.log.checkpointed_start() <= bench.log.recovery_point());
        bench.settle();
        assert_eq!(
            (bench.log.checkpointed_start(), bench.log.log_start_offset()),
            (0, offset)
        );
    }
}

#[test]
fn a_log_that_began_anew_is_flushed_segment_by_segment() {
    let mut bench = Bench::open(machine(), &small(), |_| {});
    bench.append(vec![batch(&[0; 100], 1)]);
    bench.settle();
    bench.log.truncate_fully_and_start_at(1000, &mut bench.jobs);
    bench.settle();
    for _ in 0..40 {
        bench.append(vec![batch(&[0; 100], 1)]);
        for _ in 0..20 {
            let jobs = std::mem::take(&mut bench.jobs);
            for done in lane::run(&bench.shared, jobs) {
                bench.log.on_done(done, &mut bench.jobs);
            }
        }
        assert!(bench.jobs.is_empty(), "a flush that never ends");
    }
    assert!(bench.log.segment_count() > 2);
}

/// Offsets lie outside the CRC: the last head alone would say where the log ends.
#[test]
fn an_end_that_is_not_the_recovery_point_is_not_believed_after_a_clean_stop() {
    for (end, bit) in (0..64).flat_map(|bit| [(39, bit), (40, bit)]) {
        let mut bench = Bench::open(machine(), &small(), |_| {});
        for _ in 0..end {
            bench.append(vec![batch(&[0; 100], 1)]);
        }
        bench.log.close(&mut bench.jobs);
        bench.settle();
        let fs = bench.fs.kill();
        fs.remove(&Path::new(DIR).join(lane::RECOVERY_BOUND_FILE))
            .unwrap();
        let files = content(&fs);
        let (name, bytes) = files.iter().rfind(|file| file.0.ends_with(".log")).unwrap();
        let last = bytes.len() - batch(&[0; 100], 1).size();
        fs.flip_bit(&Path::new(DIR).join(name), last * 8 + bit).unwrap();
        let opened = Bench::try_open(fs, &small(), |options| {
            (options.recovery_point, options.clean) = (end, true);
        });
        assert!(
            matches!(opened, Err(OpenError::Corrupt { .. })),
            "end {end}, bit {bit}"
        );
    }
}
