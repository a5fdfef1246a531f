//! What the broker does to every produced batch before it is appended: parse, CRC, validation, offsets.
//!
//! `cargo bench -p klamm-benches --bench record`

use std::hint::black_box;

use bytes::Bytes;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use klamm_protocol::record::{Batch, BatchBuilder, Compression, INFLATE_LIMIT_BYTES, ProducedRules};

/// A batch of the size that producers make by default, 16 KiB, or a large one.
fn batch(codec: Compression, record_bytes: usize, batch_bytes: usize) -> Bytes {
    // Half of each value is random-looking, so that codecs have work and success.
    let mut state = 1u64;
    let mut value = vec![b'a'; record_bytes];
    let mut batch = BatchBuilder::new(codec);
    while batch.size() < batch_bytes {
        for byte in &mut value[record_bytes / 2..] {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            *byte = (state >> 56) as u8;
        }
        batch.append(1_700_000_000_000, None, Some(&value));
    }
    batch.finish().to_bytes()
}

fn produced(c: &mut Criterion) {
    let mut group = c.benchmark_group("produced");
    let walk = ProducedRules {
        walk_compressed: true,
        ..ProducedRules::default()
    };
    let keep = ProducedRules::default();
    for (codec, rules, name) in [
        (Compression::None, keep, "plain"),
        (Compression::Lz4, keep, "lz4 kept"),
        (Compression::Lz4, walk, "lz4 walked"),
        (Compression::Zstd, walk, "zstd walked"),
        (Compression::Snappy, walk, "snappy walked"),
        (Compression::Gzip, walk, "gzip walked"),
    ] {
        for (record_bytes, batch_bytes) in [(100, 16 << 10), (1024, 64 << 10), (100, 1 << 20)] {
            let bytes = batch(codec, record_bytes, batch_bytes);
            let id = BenchmarkId::new(name, format!("{record_bytes} B in {} KiB", batch_bytes >> 10));
            group.throughput(Throughput::Bytes(batch_bytes as u64));
            group.bench_function(id, |b| {
                b.iter(|| {
                    let mut batch =
                        Batch::parse_produced(black_box(&bytes).clone()).expect("the batch is sound");
                    batch.validate_produced(&rules).expect("the batch is sound");
                    batch.assign(4711, 3);
                    batch.parts()
                });
            });
        }
    }
    group.finish();
}

fn records(c: &mut Criterion) {
    let mut group = c.benchmark_group("records");
    for codec in [Compression::None, Compression::Lz4] {
        let batch = Batch::parse(batch(codec, 100, 64 << 10)).expect("the batch is sound");
        group.throughput(Throughput::Elements(batch.header().record_count as u64));
        group.bench_function(codec.name(), |b| {
            b.iter(|| {
                let records = batch.records(INFLATE_LIMIT_BYTES).expect("the codec is known");
                records
                    .filter(|record| record.as_ref().is_ok_and(|r| black_box(r).value.is_some()))
                    .count()
            });
        });
    }
    group.finish();
}

criterion_group!(benches, produced, records);
criterion_main!(benches);
