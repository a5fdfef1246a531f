//! Very many logs: what one costs that nobody uses, and what a start after a crash has to look at.

use klamm_protocol::record::Batch;

use super::LogConfig;
use super::tests::{Bench, batch, idempotent};
use crate::sys::Fs;
use crate::sys::memory::MemoryFs;

fn written(fs: MemoryFs, values: u8) -> Bench {
    let mut bench = Bench::open(fs, &LogConfig::default(), |_| {});
    for value in 0..values {
        bench.append(vec![batch(&[value], 1)]);
    }
    bench.settle();
    bench
}

#[test]
fn a_log_that_nobody_wrote_to_since_a_clean_start_is_closed_without_the_disk() {
    let mut bench = written(MemoryFs::new(), 3);
    bench.log.close(&mut bench.jobs);
    bench.settle();
    let open = |fs: &MemoryFs| {
        Bench::open(fs.kill(), &LogConfig::default(), |options| {
            (options.recovery_point, options.clean) = (3, true);
        })
    };
    let mut again = open(&bench.fs);
    again.log.close(&mut again.jobs);
    assert!(again.jobs.is_empty() && again.log.is_closed());
    let mut again = open(&again.fs);
    again.append(vec![batch(b"d", 1)]);
    again.settle();
    again.log.close(&mut again.jobs);
    assert!(!again.jobs.is_empty(), "what was written has to be synced");
}

#[test]
fn logs_that_are_closed_unsynced_are_durable_after_one_sync_of_everything() {
    for seed in 0..20 {
        let mut bench = written(MemoryFs::new(), 5);
        bench.log.close_unsynced(&mut bench.jobs);
        bench.settle();
        assert!(bench.log.is_closed());
        bench.fs.sync_all("/".as_ref()).unwrap();
        let recovery_point = bench.log.recovery_point();
        let again = Bench::open(bench.fs.power_cut(seed), &LogConfig::default(), |options| {
            options.clean = true;
            options.recovery_point = recovery_point;
        });
        assert_eq!(again.offsets(), [0, 1, 2, 3, 4], "seed {seed}");
    }
}

#[test]
fn a_log_that_ends_at_its_recovery_point_is_not_checked_after_a_crash() {
    let mut bench = written(MemoryFs::new(), 5);
    bench.log.flush(&mut bench.jobs);
    bench.settle();
    bench.log.on_checkpointed(5, &mut bench.jobs);
    bench.settle();
    let mut again = Bench::open(bench.fs.kill(), &LogConfig::default(), |options| {
        options.recovery_point = 5;
    });
    assert_eq!(again.offsets(), [0, 1, 2, 3, 4]);
    again.log.close(&mut again.jobs);
    assert!(
        again.jobs.is_empty(),
        "there is nothing to mend, and nothing to leave behind"
    );
    let mut bench = Bench::open(again.fs.kill(), &LogConfig::default(), |options| {
        options.recovery_point = 4;
    });
    bench.log.close(&mut bench.jobs);
    assert!(!bench.jobs.is_empty(), "what was checked leaves its trace");
}

#[test]
fn a_log_is_synced_before_much_of_it_is_not_durable() {
    let mut bench = Bench::new(&LogConfig::default());
    let large: Vec<Batch> = (0..70).map(|_| batch(&vec![7; 1 << 20], 1)).collect();
    for batch in large {
        bench.append(vec![batch]);
        bench.settle();
    }
    assert!(
        (60..70).contains(&bench.log.recovery_point()),
        "64 MiB are synced, and the rest waits: {}",
        bench.log.recovery_point()
    );
}

#[test]
fn a_forgotten_producer_does_not_come_back_with_an_old_sequence() {
    let mut bench = Bench::new(&LogConfig::default());
    let close = |bench: &mut Bench| {
        bench.log.close(&mut bench.jobs);
        bench.settle();
        let end = bench.log.recovery_point();
        Bench::open(bench.fs.kill(), &LogConfig::default(), |options| {
            (options.recovery_point, options.clean) = (end, true);
        })
    };
    bench.append(vec![idempotent(7, 0, 0, 1)]);
    bench.settle();
    let mut bench = close(&mut bench);
    bench.append(vec![idempotent(7, 0, 1, 1)]);
    bench.settle();
    bench.log.retain(i64::MAX / 2, 0, &mut bench.jobs);
    bench.settle();
    assert_eq!(bench.log.producer_count(), 0, "its time is over");
    let bench = close(&mut bench);
    assert_eq!(bench.log.producer_count(), 0, "and it stays so");
}
