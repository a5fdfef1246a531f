//! Bytes that Kafka 4.4.0's own classes wrote, with what they read in them: `vectors.jsonl`, one set a line.

use bytes::Bytes;
use serde_json::Value;

use super::legacy::{self, DownConversion, Magic, UpRules, down_convert, up_convert};
use super::*;

const VECTORS: &str = include_str!("vectors.jsonl");

struct Vector {
    bytes: Bytes,
    batches: Vec<Value>,
}

fn vectors() -> impl Iterator<Item = Vector> {
    VECTORS.lines().map(|line| {
        let vector: Value = serde_json::from_str(line).unwrap();
        Vector {
            bytes: hex(&vector["hex"]).unwrap(),
            batches: vector["batches"].as_array().unwrap().clone(),
        }
    })
}

/// Null is no bytes.
fn hex(text: &Value) -> Option<Bytes> {
    let digit = |d: &u8| char::from(*d).to_digit(16).unwrap() as u8;
    text.as_str().map(|text| {
        text.as_bytes()
            .chunks(2)
            .map(|pair| digit(&pair[0]) << 4 | digit(&pair[1]))
            .collect()
    })
}

fn magic(batch: &Value) -> Option<Magic> {
    [Some(Magic::V0), Some(Magic::V1), None][batch["magic"].as_u64().unwrap() as usize]
}

fn records(batch: &Value) -> &[Value] {
    batch["records"].as_array().unwrap()
}

fn headers(record: &Value) -> Vec<(Str, Option<Bytes>)> {
    let headers = record["headers"].as_array().unwrap();
    headers
        .iter()
        .map(|h| (Str::from(h["key"].as_str().unwrap()), hex(&h["value"])))
        .collect()
}

#[test]
fn batches_of_kafka_are_read_as_kafka_reads_them() {
    let mut seen = 0;
    for vector in vectors().filter(|v| magic(&v.batches[0]).is_none()) {
        let batches: Vec<Batch> = Batches::new(vector.bytes).collect::<Result<_, _>>().unwrap();
        assert_eq!(batches.len(), vector.batches.len());
        for (batch, kafka) in batches.iter().zip(&vector.batches) {
            let header = batch.header();
            assert_eq!(header.base_offset, kafka["baseOffset"]);
            assert_eq!(header.last_offset(), kafka["lastOffset"]);
            assert_eq!(batch.size(), kafka["sizeInBytes"]);
            assert_eq!(header.crc, kafka["crc"]);
            assert_eq!(header.leader_epoch, kafka["partitionLeaderEpoch"]);
            assert_eq!(header.compression().unwrap().name(), kafka["compression"]);
            assert_eq!(header.max_timestamp_ms, kafka["maxTimestamp"]);
            assert_eq!(header.producer_id, kafka["producerId"]);
            assert_eq!(i64::from(header.producer_epoch), kafka["producerEpoch"]);
            assert_eq!(header.base_sequence, kafka["baseSequence"]);
            assert_eq!(header.last_sequence(), kafka["lastSequence"]);
            assert_eq!(header.is_transactional(), kafka["transactional"]);
            assert_eq!(header.is_control(), kafka["control"]);
            let ours: Vec<Record> = batch
                .records(INFLATE_LIMIT_BYTES)
                .unwrap()
                .collect::<Result<_, _>>()
                .unwrap();
            assert_eq!(ours.len(), records(kafka).len());
            for (ours, kafka) in ours.iter().zip(records(kafka)) {
                assert_eq!(header.base_offset + i64::from(ours.offset_delta), kafka["offset"]);
                assert_eq!(ours.timestamp_ms, kafka["timestamp"]);
                assert_eq!(ours.key, hex(&kafka["key"]));
                assert_eq!(ours.value, hex(&kafka["value"]));
                assert_eq!(ours.headers, headers(kafka));
                seen += 1;
            }
        }
    }
    assert!(seen > 20);
}

#[test]
fn plain_batches_are_written_byte_for_byte_as_kafka_writes_them() {
    let mut seen = 0;
    for vector in vectors().filter(|v| magic(&v.batches[0]).is_none()) {
        for batch in Batches::new(vector.bytes) {
            let batch = batch.unwrap();
            let header = *batch.header();
            // Control records are written by functions of their own.
            if header.compression() != Some(Compression::None) || header.is_control() {
                continue;
            }
            let mut builder = BatchBuilder::new(Compression::None);
            builder.at(header.base_offset, header.leader_epoch);
            builder.producer(header.producer_id, header.producer_epoch, header.base_sequence);
            if header.is_transactional() {
                builder.transactional();
            }
            for record in batch.records(INFLATE_LIMIT_BYTES).unwrap() {
                let mut record = record.unwrap();
                if header.attributes.is_log_append_time() {
                    // The records keep what the producer said, although nobody sees it any more.
                    record.timestamp_ms = header.base_timestamp_ms + i64::from(record.offset_delta);
                }
                builder.append_record(&record);
            }
            let mut ours = builder.finish();
            if header.attributes.is_log_append_time() {
                ours.set_log_append_time(header.max_timestamp_ms);
            }
            assert_eq!(ours.to_bytes(), batch.to_bytes());
            seen += 1;
        }
    }
    assert!(seen > 3);
}

#[test]
fn transaction_markers_are_written_byte_for_byte_as_kafka_writes_them() {
    let mut seen = 0;
    for vector in vectors().filter(|v| v.batches[0]["control"] == true) {
        let theirs = Batch::parse(vector.bytes).unwrap();
        let header = theirs.header();
        let record = control::ControlRecord::of(&theirs).unwrap();
        let control::ControlRecord::EndTransaction {
            commit,
            coordinator_epoch,
        } = record
        else {
            panic!("{record:?}")
        };
        let kafka = &vector.batches[0]["records"][0]["control"];
        assert_eq!(if commit { "COMMIT" } else { "ABORT" }, kafka["type"]);
        assert_eq!(coordinator_epoch, kafka["coordinatorEpoch"]);
        let (id, epoch) = (header.producer_id, header.producer_epoch);
        let mut ours =
            control::end_transaction(header.max_timestamp_ms, id, epoch, commit, coordinator_epoch);
        ours.assign(header.base_offset, header.leader_epoch);
        assert_eq!(ours, theirs);
        seen += 1;
    }
    assert_eq!(seen, 2);
}

#[test]
fn message_sets_of_kafka_are_read_as_kafka_reads_them() {
    let mut seen = 0;
    for vector in vectors().filter(|v| magic(&v.batches[0]).is_some()) {
        let ours = legacy::read(vector.bytes.clone(), INFLATE_LIMIT_BYTES).unwrap();
        let kafka: Vec<&Value> = vector.batches.iter().flat_map(records).collect();
        assert_eq!(ours.len(), kafka.len());
        for (ours, kafka) in ours.iter().zip(&kafka) {
            assert_eq!(ours.offset, kafka["offset"]);
            assert_eq!(ours.timestamp_ms, kafka["timestamp"]);
            assert_eq!(ours.key, hex(&kafka["key"]));
            assert_eq!(ours.value, hex(&kafka["value"]));
            seen += 1;
        }
        let batch = up_convert(vector.bytes, &UpRules::default()).unwrap();
        assert_eq!(batch.header().record_count as usize, kafka.len());
        assert_eq!(
            batch.header().compression().unwrap().name(),
            vector.batches[0]["compression"]
        );
    }
    assert!(seen > 20);
}

#[test]
fn message_sets_are_written_as_kafka_writes_them() {
    let mut seen = 0;
    for vector in vectors() {
        let Some(magic) = magic(&vector.batches[0]) else {
            continue;
        };
        let mut offsets = vector
            .batches
            .iter()
            .flat_map(records)
            .map(|r| r["offset"].as_i64().unwrap());
        let first = offsets.next().unwrap();
        if !offsets.eq(first + 1..first + vector.batches.iter().flat_map(records).count() as i64) {
            // A producer's offsets mean nothing, so gaps do not survive the way up.
            continue;
        }
        let mut batch = up_convert(vector.bytes.clone(), &UpRules::default()).unwrap();
        let compressed = batch.header().compression() != Some(Compression::None);
        batch.assign(first, 0);
        let how = DownConversion {
            magic,
            from_offset: 0,
            most_bytes: usize::MAX,
            inflate_limit_bytes: INFLATE_LIMIT_BYTES,
        };
        let ours = down_convert([batch], &how).unwrap();
        if compressed {
            // Codecs of two makers differ in their bytes, never in what they inflate to; the wrapper is the same.
            let read = |bytes| legacy::read(bytes, INFLATE_LIMIT_BYTES).unwrap();
            assert_eq!(ours[..8], vector.bytes[..8], "the offset of the wrapper");
            assert_eq!(read(ours), read(vector.bytes));
        } else {
            assert_eq!(ours, vector.bytes);
        }
        seen += 1;
    }
    assert!(seen > 10);
}
