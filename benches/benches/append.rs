//! What a log costs: deciding on an append, writing batches to disk, reading from the tail and from segments.
//!
//! `cargo bench -p klamm-benches --bench append`

use std::path::Path;
use std::sync::Arc;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use klamm_protocol::record::{Batch, BatchBuilder, Compression};
use klamm_storage::sys::{Fs, RealFs};
use klamm_storage::{Log, LogConfig, LogKey, OpenFiles, OpenOptions, Read, Tail, lane};

/// Batches that one lane run finds queued.
const QUEUED: usize = 64;

fn batch(bytes: usize) -> Batch {
    let mut batch = BatchBuilder::new(Compression::None);
    while batch.size() < bytes {
        batch.append(1_700_000_000_000, None, Some(&[7; 100]));
    }
    batch.finish()
}

fn open(fs: &Arc<dyn Fs>, directory: &Path) -> Log {
    let options = OpenOptions {
        key: LogKey::default(),
        directory: directory.to_owned(),
        config: LogConfig {
            segment_bytes: 256 << 20,
            ..LogConfig::default()
        },
        tail: Tail::new(16 << 20),
        open_files: Arc::new(OpenFiles::new(100)),
        recovery_point: 0,
        log_start_offset: 0,
        compacted_to: 0,
        clean: false,
        now_ms: 0,
    };
    Log::open(fs, options).expect("the directory is fresh")
}

/// Runs jobs until none is left; old segments go, so that the disk does not fill.
fn settle(fs: &Arc<dyn Fs>, log: &mut Log, mut jobs: Vec<klamm_storage::LaneJob>) {
    let start = log.log_end_offset().saturating_sub(4_000_000);
    log.delete_records_before(start, &mut jobs);
    while !jobs.is_empty() {
        for done in lane::run(fs, std::mem::take(&mut jobs)) {
            log.on_done(done, &mut jobs);
        }
    }
}

fn append(c: &mut Criterion) {
    let fs: Arc<dyn Fs> = Arc::new(RealFs);
    let mut group = c.benchmark_group("append");
    for bytes in [200, 1 << 10, 16 << 10, 1 << 20] {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let mut log = open(&fs, &directory.path().join("t-0"));
        let batch = batch(bytes);
        group.throughput(Throughput::Bytes((batch.size() * QUEUED) as u64));
        group.bench_function(BenchmarkId::new("decide and write 64", batch.size()), |b| {
            b.iter(|| {
                let mut jobs = Vec::new();
                for _ in 0..QUEUED {
                    log.append(vec![batch.clone()], 0, 0, &mut jobs)
                        .expect("the log takes it");
                }
                settle(&fs, &mut log, jobs);
            });
        });
        group.bench_function(BenchmarkId::new("decide 64", batch.size()), |b| {
            b.iter_custom(|rounds| {
                let mut spent = std::time::Duration::ZERO;
                for _ in 0..rounds {
                    let mut jobs = Vec::new();
                    let start = std::time::Instant::now();
                    for _ in 0..QUEUED {
                        log.append(vec![batch.clone()], 0, 0, &mut jobs)
                            .expect("the log takes it");
                    }
                    spent += start.elapsed();
                    settle(&fs, &mut log, jobs);
                }
                spent
            });
        });
    }
    group.finish();
}

fn read(c: &mut Criterion) {
    let fs: Arc<dyn Fs> = Arc::new(RealFs);
    let directory = tempfile::tempdir().expect("a temporary directory");
    let mut log = open(&fs, &directory.path().join("t-0"));
    for _ in 0..8000 {
        let mut jobs = Vec::new();
        log.append(vec![batch(16 << 10)], 0, 0, &mut jobs)
            .expect("the log takes it");
        settle(&fs, &mut log, jobs);
    }
    let mut group = c.benchmark_group("read");
    group.throughput(Throughput::Bytes(1 << 20));
    let end = log.log_end_offset();
    for (name, from) in [("tail, 1 MiB", end - 9000), ("segment, 1 MiB", end / 2)] {
        group.bench_function(name, |b| {
            b.iter(|| match log.read(from, end, 1 << 20, true).expect("in range") {
                Read::Ready(extents) => extents,
                Read::Job(job) => job.run().expect("the segment is whole"),
            });
        });
    }
    group.finish();
}

criterion_group!(benches, append, read);
criterion_main!(benches);
