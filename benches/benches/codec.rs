//! Messages to bytes and back: the ones that every record passes through, and a large one.
//!
//! `cargo bench -p klamm-benches --bench codec`

use std::hint::black_box;

use bytes::Bytes;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use klamm_protocol::messages::fetch::{FetchResponse, FetchableTopicResponse, PartitionData};
use klamm_protocol::messages::metadata::{
    MetadataResponse, MetadataResponsePartition, MetadataResponseTopic,
};
use klamm_protocol::messages::produce::{PartitionProduceData, ProduceRequest, TopicProduceData};
use klamm_protocol::{Decoder, Encoder, Message, Records, Uuid, frame};

const RECORDS_BYTES: usize = 16 * 1024;
const PARTITIONS: i32 = 10;

fn records() -> Records {
    Records::from(Bytes::from(vec![7; RECORDS_BYTES]))
}

fn produce(c: &mut Criterion) {
    let partition_data = |index| PartitionProduceData {
        index,
        records: Some(records()),
    };
    let request = ProduceRequest {
        acks: -1,
        timeout_ms: 30_000,
        topic_data: vec![TopicProduceData {
            name: "orders".into(),
            partition_data: (0..PARTITIONS).map(partition_data).collect(),
            ..Default::default()
        }],
        ..Default::default()
    };
    let frame = Bytes::from(
        frame::encode_request(0, 9, 7, None, &request)
            .expect("it is valid")
            .concat(),
    );
    c.bench_function("decode Produce 9, 10 partitions", |b| {
        b.iter(|| {
            let mut input = Decoder::new(frame.slice(4..));
            let header = frame::RequestHeader::decode(&mut input).expect("it is valid");
            (
                header,
                ProduceRequest::decode(&mut input, 9).expect("it is valid"),
            )
        });
    });
}

fn fetch(c: &mut Criterion) {
    let partition = |partition_index| PartitionData {
        partition_index,
        high_watermark: 1000,
        last_stable_offset: 1000,
        log_start_offset: 0,
        aborted_transactions: None,
        preferred_read_replica: -1,
        records: Some(records()),
        ..Default::default()
    };
    let response = FetchResponse {
        responses: vec![FetchableTopicResponse {
            topic: "orders".into(),
            partitions: (0..PARTITIONS).map(partition).collect(),
            ..Default::default()
        }],
        ..Default::default()
    };
    c.bench_function("encode Fetch 12, 10 partitions", |b| {
        b.iter(|| frame::encode_response(1, 12, 7, black_box(&response)).expect("it is valid"));
    });
}

fn metadata(c: &mut Criterion) {
    let partition = |partition_index| MetadataResponsePartition {
        partition_index,
        leader_id: 1,
        leader_epoch: 5,
        replica_nodes: vec![1, 2, 3],
        isr_nodes: vec![1, 2, 3],
        ..Default::default()
    };
    let topic = |n: i32| MetadataResponseTopic {
        name: Some(format!("a topic with the number {n}").into()),
        topic_id: Uuid([7; 16]),
        partitions: (0..PARTITIONS).map(partition).collect(),
        ..Default::default()
    };
    let response = MetadataResponse {
        topics: (0..1000).map(topic).collect(),
        ..Default::default()
    };
    let mut out = Encoder::new();
    response.encode(&mut out, 12).expect("it is valid");
    let bytes = out.finish_contiguous();
    let mut group = c.benchmark_group("Metadata 12, 1000 topics of 10 partitions");
    group.throughput(Throughput::Bytes(bytes.len() as u64));
    group.bench_function("encode", |b| {
        b.iter(|| {
            let mut out = Encoder::new();
            response.encode(&mut out, 12).expect("it is valid");
            out.finish()
        });
    });
    group.bench_function("decode", |b| {
        b.iter(|| MetadataResponse::decode(&mut Decoder::new(bytes.clone()), 12).expect("it is valid"));
    });
    group.finish();
}

criterion_group!(benches, produce, fetch, metadata);
criterion_main!(benches);
