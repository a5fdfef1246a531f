//! Encoding and decoding what every record passes through, and a large picture of a cluster: our codec, and that of
//! the kafka-protocol crate for the same bytes.
//!
//! `benches/codec/run` prints the ratios.

use std::hint::black_box;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use criterion::measurement::{Measurement, ValueFormatter, WallTime};
use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use kafka_protocol::messages as theirs;
use kafka_protocol::protocol::{Decodable, Encodable};
use klamm_protocol::messages::fetch::{FetchResponse, FetchableTopicResponse, PartitionData};
use klamm_protocol::messages::metadata::{
    MetadataResponse, MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use klamm_protocol::messages::produce::{PartitionProduceData, ProduceRequest, TopicProduceData};
use klamm_protocol::{Decoder, Encoder, Message, Records, Uuid};

/// Versions that both have, and many clients use.
const PRODUCE: i16 = 9;
const FETCH: i16 = 12;
const METADATA: i16 = 12;

/// Partitions of a message, and the bytes of records in each.
const SHAPES: [(i32, usize); 3] = [(1, 200), (10, 16 << 10), (200, 1 << 10)];

fn records(bytes: usize) -> Option<Records> {
    Some(Records::from(Bytes::from(vec![7; bytes])))
}

fn produce_request(partitions: i32, bytes: usize) -> ProduceRequest {
    let partition_data = |index| PartitionProduceData {
        index,
        records: records(bytes),
    };
    ProduceRequest {
        acks: -1,
        timeout_ms: 30_000,
        topic_data: vec![TopicProduceData {
            name: "orders".into(),
            partition_data: (0..partitions).map(partition_data).collect(),
            ..Default::default()
        }],
        ..Default::default()
    }
}

fn fetch_response(partitions: i32, bytes: usize) -> FetchResponse {
    let partition = |partition_index| PartitionData {
        partition_index,
        high_watermark: 1000,
        last_stable_offset: 1000,
        log_start_offset: 0,
        records: records(bytes),
        ..Default::default()
    };
    FetchResponse {
        responses: vec![FetchableTopicResponse {
            topic: "orders".into(),
            partitions: (0..partitions).map(partition).collect(),
            ..Default::default()
        }],
        ..Default::default()
    }
}

/// A cluster of three brokers with 1,000 topics of 10 partitions.
fn metadata_response() -> MetadataResponse {
    let broker = |node_id| MetadataResponseBroker {
        node_id,
        host: format!("broker-{node_id}.example.org").into(),
        port: 9092,
        ..Default::default()
    };
    let partition = |partition_index| MetadataResponsePartition {
        partition_index,
        leader_id: 1 + partition_index % 3,
        leader_epoch: 5,
        replica_nodes: vec![1, 2, 3],
        isr_nodes: vec![1, 2, 3],
        ..Default::default()
    };
    let topic = |n: i32| MetadataResponseTopic {
        name: Some(format!("a-topic-with-the-number-{n}").into()),
        topic_id: Uuid([7; 16]),
        partitions: (0..10).map(partition).collect(),
        ..Default::default()
    };
    MetadataResponse {
        brokers: (1..=3).map(broker).collect(),
        topics: (0..1000).map(topic).collect(),
        ..Default::default()
    }
}

/// Measures a message in both codecs, after having seen that they agree on its bytes.
fn both<O: Message, T: Encodable + Decodable>(c: &mut Criterion<ProcessorTime>, name: &str, version: i16, message: &O) {
    let mut out = Encoder::new();
    message.encode(&mut out, version).expect("it fits its version");
    let bytes = out.finish_contiguous();
    let twin = T::decode(&mut bytes.clone(), version).expect("it is the same protocol");
    let mut written = BytesMut::new();
    twin.encode(&mut written, version).expect("it fits its version");
    assert_eq!(written, bytes, "{name}");

    let mut group = c.benchmark_group(name);
    group.bench_function(BenchmarkId::new("encode", "klamm"), |b| {
        b.iter(|| {
            let mut out = Encoder::new();
            black_box(message).encode(&mut out, version).expect("it fits its version");
            out.finish()
        });
    });
    group.bench_function(BenchmarkId::new("encode", "kafka-protocol"), |b| {
        b.iter(|| {
            // The size is given to it, so that its buffer never grows.
            let mut out = BytesMut::with_capacity(bytes.len());
            black_box(&twin).encode(&mut out, version).expect("it fits its version");
            out
        });
    });
    group.bench_function(BenchmarkId::new("decode", "klamm"), |b| {
        b.iter(|| O::decode(&mut Decoder::new(black_box(&bytes).clone()), version).expect("it is valid"));
    });
    group.bench_function(BenchmarkId::new("decode", "kafka-protocol"), |b| {
        b.iter(|| T::decode(&mut black_box(&bytes).clone(), version).expect("it is valid"));
    });
    group.finish();
}

fn codec(c: &mut Criterion<ProcessorTime>) {
    for (partitions, bytes) in SHAPES {
        let shape = format!("{partitions} x {bytes} B");
        let request = produce_request(partitions, bytes);
        both::<_, theirs::ProduceRequest>(c, &format!("Produce request {shape}"), PRODUCE, &request);
        let response = fetch_response(partitions, bytes);
        both::<_, theirs::FetchResponse>(c, &format!("Fetch response {shape}"), FETCH, &response);
    }
    let response = metadata_response();
    both::<_, theirs::MetadataResponse>(c, "Metadata response 10,000 partitions", METADATA, &response);
}

/// The time for which this thread had a processor.
struct ProcessorTime;

impl Measurement for ProcessorTime {
    type Intermediate = Duration;
    type Value = Duration;

    fn start(&self) -> Duration {
        let now = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
        Duration::try_from(now).expect("the clock counts from 0")
    }

    fn end(&self, start: Duration) -> Duration {
        self.start() - start
    }

    fn add(&self, one: &Duration, other: &Duration) -> Duration {
        *one + *other
    }

    fn zero(&self) -> Duration {
        Duration::ZERO
    }

    fn to_f64(&self, value: &Duration) -> f64 {
        WallTime.to_f64(value)
    }

    fn formatter(&self) -> &dyn ValueFormatter {
        WallTime.formatter()
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default().without_plots().with_measurement(ProcessorTime);
    targets = codec
}
criterion_main!(benches);
