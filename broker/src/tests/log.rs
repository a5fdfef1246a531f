//! Produce, Fetch and ListOffsets.

use klamm_protocol::messages::delete_topics::{DeleteTopicState, DeleteTopicsRequest};
use klamm_protocol::messages::fetch::{FetchPartition, FetchRequest, FetchResponse, FetchTopic};
use klamm_protocol::messages::list_offsets::{ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic};
use klamm_protocol::messages::produce::{
    PartitionProduceData, PartitionProduceResponse, ProduceRequest, TopicProduceData,
};
use klamm_protocol::record::{BatchBuilder, BatchHeader, Batches, Compression};
use klamm_protocol::{ErrorCode, Records};

use super::{CLIENT, Harness, answered, batch};
use crate::partitions::Slot;
use crate::router::Response;
use crate::{CloseReason, Event};

pub(super) fn produce(acks: i16, partitions: &[(i32, Records)]) -> ProduceRequest {
    produce_to("t", acks, partitions)
}

pub(super) fn produce_to(topic: &'static str, acks: i16, partitions: &[(i32, Records)]) -> ProduceRequest {
    let partition = |(index, records): &(i32, Records)| PartitionProduceData {
        index: *index,
        records: Some(records.clone()),
    };
    ProduceRequest {
        acks,
        timeout_ms: 1_000,
        topic_data: vec![TopicProduceData {
            name: topic.into(),
            partition_data: partitions.iter().map(partition).collect(),
            ..Default::default()
        }],
        ..Default::default()
    }
}

pub(super) fn partitions_of(response: Response) -> Vec<PartitionProduceResponse> {
    answered!(Produce, response)
        .responses
        .remove(0)
        .partition_responses
}

pub(super) fn append(harness: &mut Harness, values: &[&str]) -> i64 {
    let answer = partitions_of(harness.ask(9, &produce(-1, &[(0, batch(values))])));
    assert_eq!(answer[0].error_code, ErrorCode::NONE);
    answer[0].base_offset
}

pub(super) fn delete_topic(harness: &mut Harness) {
    let state = DeleteTopicState {
        name: Some("t".into()),
        ..Default::default()
    };
    let request = DeleteTopicsRequest {
        topics: vec![state],
        timeout_ms: 1_000,
        ..Default::default()
    };
    let deleted = answered!(DeleteTopics, harness.ask(6, &request));
    assert_eq!(deleted.responses[0].error_code, ErrorCode::NONE);
}

pub(super) fn fetch(offset: i64, max_wait_ms: i32, min_bytes: i32) -> FetchRequest {
    FetchRequest {
        max_wait_ms,
        min_bytes,
        max_bytes: 1 << 20,
        topics: vec![FetchTopic {
            topic: "t".into(),
            partitions: vec![FetchPartition {
                fetch_offset: offset,
                partition_max_bytes: 1 << 20,
                ..Default::default()
            }],
            ..Default::default()
        }],
        ..Default::default()
    }
}

pub(super) fn fetched(response: Response) -> FetchResponse {
    answered!(Fetch, response)
}

pub(super) fn values(response: &FetchResponse) -> Vec<String> {
    let records = response.responses[0].partitions[0]
        .records
        .as_ref()
        .expect("records are never null");
    let batches = Batches::new(records.to_bytes()).map(|batch| batch.expect("whole batches"));
    batches
        .flat_map(|batch| batch.records(1 << 20).expect("readable").collect::<Vec<_>>())
        .map(|record| String::from_utf8(record.unwrap().value.unwrap().to_vec()).unwrap())
        .collect()
}

#[test]
fn what_is_produced_is_fetched_in_order_and_with_its_offsets() {
    let mut harness = Harness::new(&[]);
    harness.create_topic("t", 1, &[]);
    assert_eq!(append(&mut harness, &["a", "b"]), 0);
    assert_eq!(append(&mut harness, &["c"]), 2);
    let response = fetched(harness.ask(11, &fetch(0, 0, 1)));
    assert_eq!(response.responses[0].partitions[0].high_watermark, 3);
    assert_eq!(values(&response), ["a", "b", "c"]);
}

#[test]
fn a_produce_is_answered_when_the_lane_has_written_it_and_not_before() {
    let mut harness = Harness::new(&[]);
    harness.create_topic("t", 1, &[]);
    harness.stall_lanes();
    for acks in [1, -1] {
        let request = harness.send(9, &produce(acks, &[(0, batch(&["a"]))]));
        assert!(harness.answer(request).is_none(), "acks={acks}");
        harness.resume_lanes();
        let answer = partitions_of(harness.answer(request).expect("written"));
        assert_eq!(answer[0].error_code, ErrorCode::NONE);
        harness.stall_lanes();
    }
}

#[test]
fn produces_wait_for_a_log_that_is_being_opened_and_are_appended_in_their_order() {
    let mut harness = Harness::new(&[]);
    harness.create_topic("t", 1, &[]);
    let mut harness = harness.restart_slowly();
    let requests = ["a", "b"].map(|value| harness.send(9, &produce(-1, &[(0, batch(&[value]))])));
    for request in requests {
        assert!(harness.answer(request).is_none(), "its log is not open");
    }
    harness.begin();
    let offsets = requests.map(|request| {
        let answer = partitions_of(harness.answer(request).expect("the log is open"));
        assert_eq!(answer[0].error_code, ErrorCode::NONE);
        answer[0].base_offset
    });
    assert_eq!(offsets, [0, 1]);
    let too_late = {
        let mut harness = harness.restart_slowly();
        let request = harness.send(9, &produce(-1, &[(0, batch(&["c"]))]));
        harness.pass_ms(1000);
        partitions_of(harness.answer(request).expect("its time is over"))
    };
    assert_eq!(too_late[0].error_code, ErrorCode::NOT_LEADER_OR_FOLLOWER);
}

#[test]
fn a_produce_that_is_not_written_in_time_is_told_so() {
    let mut harness = Harness::new(&[]);
    harness.create_topic("t", 2, &[]);
    harness.stall_lanes();
    let request = harness.send(9, &produce(-1, &[(0, batch(&["a"])), (1, batch(&["a"]))]));
    harness.pass_ms(999);
    assert!(harness.answer(request).is_none());
    harness.pass_ms(1);
    let answer = partitions_of(harness.answer(request).expect("its time is over"));
    assert!(
        answer
            .iter()
            .all(|partition| partition.error_code == ErrorCode::REQUEST_TIMED_OUT)
    );
}

#[test]
fn a_timeout_of_nothing_is_time_enough_for_the_write_itself() {
    let mut harness = Harness::new(&[]);
    harness.create_topic("t", 1, &[]);
    for timeout_ms in [0, -1] {
        harness.stall_lanes();
        let request = ProduceRequest {
            timeout_ms,
            ..produce(-1, &[(0, batch(&["a"]))])
        };
        let request = harness.send(9, &request);
        harness.pass_ms(500);
        assert!(harness.answer(request).is_none());
        harness.resume_lanes();
        let answer = partitions_of(harness.answer(request).expect("written"));
        assert_eq!(answer[0].error_code, ErrorCode::NONE);
    }
}

#[test]
fn acks_that_do_not_exist_are_refused_where_the_partition_exists() {
    let mut harness = Harness::new(&[]);
    harness.create_topic("t", 1, &[]);
    let request = produce(2, &[(0, batch(&["a"])), (7, batch(&["a"]))]);
    let codes = partitions_of(harness.ask(9, &request))
        .into_iter()
        .map(|answer| answer.error_code);
    assert_eq!(
        codes.collect::<Vec<_>>(),
        [
            ErrorCode::INVALID_REQUIRED_ACKS,
            ErrorCode::UNKNOWN_TOPIC_OR_PARTITION
        ]
    );
    let nothing = answered!(Produce, harness.ask(9, &produce(1, &[])));
    assert_eq!(nothing.responses, []);
}

#[test]
fn partitions_of_a_produce_fail_each_for_itself() {
    let mut harness = Harness::new(&[]);
    harness.create_topic("t", 1, &[]);
    let mut damaged = batch(&["a"]).to_bytes().to_vec();
    *damaged.last_mut().unwrap() ^= 1;
    let request = produce(
        -1,
        &[
            (0, batch(&["a"])),
            (1, batch(&["a"])),
            (0, Records::from(bytes::Bytes::from(damaged))),
        ],
    );
    let codes: Vec<_> = partitions_of(harness.ask(9, &request))
        .iter()
        .map(|partition| partition.error_code)
        .collect();
    let expected = [
        ErrorCode::NONE,
        ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
        ErrorCode::CORRUPT_MESSAGE,
    ];
    assert_eq!(codes, expected);
}

#[test]
fn acks_0_has_no_answer_and_its_failure_closes_the_connection() {
    let mut harness = Harness::new(&[]);
    harness.create_topic("t", 1, &[]);
    let request = harness.send(9, &produce(0, &[(0, batch(&["a"]))]));
    assert!(harness.answer(request).is_none() && harness.closed.is_empty());
    harness.send(9, &produce(0, &[(7, batch(&["a"]))]));
    assert_eq!(
        harness.closed,
        [(CLIENT, CloseReason::UnacknowledgedProduceFailed)]
    );
}

#[test]
fn a_retried_batch_of_an_idempotent_producer_is_appended_once() {
    let mut harness = Harness::new(&[]);
    harness.create_topic("t", 1, &[]);
    let sequenced = |sequence| {
        let mut batch = BatchBuilder::new(Compression::None);
        batch
            .producer(9, 0, sequence)
            .append(1_700_000_000_000, None, Some(b"a"));
        Records::from(batch.finish().to_bytes())
    };
    for expected in [(0, 0), (0, 0), (1, 1)] {
        let answer = partitions_of(harness.ask(9, &produce(-1, &[(0, sequenced(expected.0))])));
        assert_eq!(
            (answer[0].error_code, answer[0].base_offset),
            (ErrorCode::NONE, expected.1)
        );
    }
    let answer = partitions_of(harness.ask(9, &produce(-1, &[(0, sequenced(5))])));
    assert_eq!(answer[0].error_code, ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER);
}

#[test]
fn a_topics_settings_bound_what_is_appended() {
    let mut harness = Harness::new(&[]);
    harness.create_topic(
        "t",
        1,
        &[
            ("max.message.bytes", "100"),
            ("message.timestamp.type", "LogAppendTime"),
        ],
    );
    let large = batch(&[&"x".repeat(100)]);
    let answer = partitions_of(harness.ask(9, &produce(-1, &[(0, large)])));
    assert_eq!(answer[0].error_code, ErrorCode::MESSAGE_TOO_LARGE);
    harness.pass_ms(5);
    let answer = partitions_of(harness.ask(9, &produce(-1, &[(0, batch(&["a"]))])));
    assert_eq!(answer[0].log_append_time_ms, 1_700_000_000_005);
}

#[test]
fn no_more_replicas_are_asked_for_than_there_are() {
    let mut harness = Harness::new(&[]);
    harness.create_topic("t", 1, &[("min.insync.replicas", "2")]);
    let answer = partitions_of(harness.ask(9, &produce(-1, &[(0, batch(&["a"]))])));
    assert_eq!(answer[0].error_code, ErrorCode::NONE);
}

#[test]
fn a_fetch_waits_for_min_bytes_and_then_answers_once() {
    let mut harness = Harness::new(&[]);
    harness.create_topic("t", 1, &[]);
    let one = batch(&["a"]).len() as i32;
    let request = harness.send(11, &fetch(0, 10_000, 2 * one));
    assert!(harness.answer(request).is_none());
    append(&mut harness, &["a"]);
    assert!(harness.answer(request).is_none(), "half is there");
    append(&mut harness, &["b"]);
    assert_eq!(
        values(&fetched(harness.answer(request).expect("enough is there"))),
        ["a", "b"]
    );
    append(&mut harness, &["c"]);
    assert!(harness.answer(request).is_none());
}

#[test]
fn a_fetch_whose_time_is_over_answers_with_what_there_is() {
    let mut harness = Harness::new(&[]);
    harness.create_topic("t", 1, &[]);
    append(&mut harness, &["a"]);
    let request = harness.send(11, &fetch(0, 500, 10_000));
    harness.pass_ms(499);
    assert!(harness.answer(request).is_none());
    harness.pass_ms(1);
    assert_eq!(
        values(&fetched(harness.answer(request).expect("its time is over"))),
        ["a"]
    );
}

#[test]
fn a_fetch_behind_the_end_is_out_of_range_at_once_and_carries_empty_records() {
    let mut harness = Harness::new(&[]);
    harness.create_topic("t", 1, &[]);
    let response = fetched(harness.ask(11, &fetch(5, 10_000, 1)));
    let partition = &response.responses[0].partitions[0];
    assert_eq!(partition.error_code, ErrorCode::OFFSET_OUT_OF_RANGE);
    assert!(partition.records.as_ref().is_some_and(Records::is_empty));
}

#[test]
fn at_least_one_batch_is_fetched_whatever_its_size() {
    let mut harness = Harness::new(&[]);
    harness.create_topic("t", 1, &[]);
    append(&mut harness, &["a"]);
    append(&mut harness, &["b"]);
    let mut request = fetch(0, 0, 1);
    request.max_bytes = 1;
    assert_eq!(values(&fetched(harness.ask(11, &request))), ["a"]);
}

#[test]
fn nothing_is_fetched_that_the_lane_has_not_written() {
    let mut harness = Harness::new(&[]);
    harness.create_topic("t", 1, &[]);
    harness.stall_lanes();
    harness.send(9, &produce(-1, &[(0, batch(&["a"]))]));
    let response = fetched(harness.ask(11, &fetch(0, 0, 1)));
    assert_eq!(values(&response), Vec::<String>::new());
    assert_eq!(response.responses[0].partitions[0].high_watermark, 0);
}

#[test]
fn deleting_a_topic_wakes_those_who_wait_for_it() {
    let mut harness = Harness::new(&[]);
    harness.create_topic("t", 1, &[]);
    let waiting = harness.send(11, &fetch(0, 10_000, 1));
    harness.stall_lanes();
    let producing = harness.send(9, &produce(-1, &[(0, batch(&["a"]))]));
    delete_topic(&mut harness);
    let response = fetched(harness.answer(waiting).expect("nothing more will come"));
    assert_eq!(
        response.responses[0].partitions[0].error_code,
        ErrorCode::UNKNOWN_TOPIC_OR_PARTITION
    );
    let answer = partitions_of(harness.answer(producing).expect("it will not be acknowledged"));
    assert_eq!(answer[0].error_code, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
    harness.resume_lanes();
    harness.create_topic("t", 1, &[]);
    assert_eq!(
        append(&mut harness, &["b"]),
        0,
        "a new topic of the name begins anew"
    );
}

#[test]
fn a_client_that_is_gone_leaves_nothing_that_waits() {
    let mut harness = Harness::new(&[]);
    harness.create_topic("t", 1, &[]);
    let request = harness.send(11, &fetch(0, 10_000, 1));
    harness.event(Event::Disconnected(CLIENT));
    harness.connect(CLIENT);
    append(&mut harness, &["a"]);
    assert!(harness.answer(request).is_none());
}

#[test]
fn a_session_tells_news_and_only_news() {
    let mut harness = Harness::new(&[]);
    harness.create_topic("t", 1, &[]);
    let full = FetchRequest {
        session_epoch: 0,
        ..fetch(0, 0, 1)
    };
    let begun = fetched(harness.ask(11, &full));
    assert_ne!(begun.session_id, 0);
    let next = |epoch| FetchRequest {
        session_id: begun.session_id,
        session_epoch: epoch,
        topics: Vec::new(),
        ..fetch(0, 0, 1)
    };
    assert!(fetched(harness.ask(11, &next(1))).responses.is_empty());
    append(&mut harness, &["a"]);
    assert_eq!(values(&fetched(harness.ask(11, &next(2)))), ["a"]);
    let stale = fetched(harness.ask(11, &next(2)));
    assert_eq!(stale.error_code, ErrorCode::INVALID_FETCH_SESSION_EPOCH);
}

#[test]
fn a_killed_broker_has_what_it_acknowledged() {
    let mut harness = Harness::new(&[]);
    harness.create_topic("t", 1, &[]);
    append(&mut harness, &["a", "b"]);
    let mut harness = harness.restart();
    assert_eq!(append(&mut harness, &["c"]), 2);
    assert_eq!(
        values(&fetched(harness.ask(11, &fetch(0, 0, 1)))),
        ["a", "b", "c"]
    );
}

#[test]
fn a_broker_that_stops_in_order_leaves_clean_logs_and_offsets_are_kept() {
    let mut harness = Harness::new(&[]);
    harness.create_topic("t", 3, &[]);
    append(&mut harness, &["a", "b"]);
    let waiting = harness.send(11, &fetch(2, 10_000, 1));
    harness.event(Event::Shutdown);
    assert!(harness.stopped, "all lanes work");
    assert!(harness.answer(waiting).is_some(), "nobody is left waiting");
    let answer = partitions_of(harness.ask(9, &produce(-1, &[(0, batch(&["late"]))])));
    assert_ne!(answer[0].error_code, ErrorCode::NONE);
    let mut harness = harness.restart();
    assert_eq!(append(&mut harness, &["c"]), 2);
}

#[test]
fn offsets_are_found_by_their_time_and_at_both_ends() {
    let mut harness = Harness::new(&[]);
    harness.create_topic("t", 1, &[]);
    for timestamp_ms in [1_000, 2_000, 3_000] {
        let mut batch = BatchBuilder::new(Compression::None);
        batch.append(timestamp_ms, None, Some(b"a"));
        let records = Records::from(batch.finish().to_bytes());
        partitions_of(harness.ask(9, &produce(-1, &[(0, records)])));
    }
    let mut look_up = |timestamp| {
        let partition = ListOffsetsPartition {
            timestamp,
            ..Default::default()
        };
        let topic = ListOffsetsTopic {
            name: "t".into(),
            partitions: vec![partition],
        };
        let request = ListOffsetsRequest {
            replica_id: -1,
            topics: vec![topic],
            ..Default::default()
        };
        let answer = answered!(ListOffsets, harness.ask(7, &request))
            .topics
            .remove(0)
            .partitions
            .remove(0);
        assert_eq!(answer.error_code, ErrorCode::NONE);
        (answer.offset, answer.timestamp)
    };
    assert_eq!(look_up(-1), (3, -1));
    assert_eq!(look_up(-2), (0, -1));
    assert_eq!(look_up(-3), (2, 3_000));
    assert_eq!(look_up(1_500), (1, 2_000));
    assert_eq!(look_up(9_000), (-1, -1));
}

/// Kafka: `UnifiedLog.legacyFetchOffsetsBefore`.
#[test]
fn version_0_is_told_where_segments_begin_by_when_they_were_written() {
    let mut harness = Harness::new(&[]);
    harness.create_topic("t", 1, &[("segment.bytes", "1048576")]);
    let began_ms = harness.now.unix_ms;
    let half = "x".repeat(600_000);
    for _ in 0..3 {
        append(&mut harness, &[&half]);
        harness.pass_ms(1_000);
    }
    let mut look_up = |timestamp, max_num_offsets| {
        let partition = ListOffsetsPartition {
            timestamp,
            max_num_offsets,
            ..Default::default()
        };
        let topic = ListOffsetsTopic {
            name: "t".into(),
            partitions: vec![partition],
        };
        let request = ListOffsetsRequest {
            replica_id: -1,
            topics: vec![topic],
            ..Default::default()
        };
        let mut answer = answered!(ListOffsets, harness.ask(0, &request));
        let partition = answer.topics.remove(0).partitions.remove(0);
        assert_eq!(partition.error_code, ErrorCode::NONE);
        partition.old_style_offsets
    };
    assert_eq!(look_up(-1, 1), [3]);
    assert_eq!(look_up(-1, 10), [3, 2, 1, 0]);
    assert_eq!(look_up(-2, 10), [0]);
    assert_eq!(look_up(began_ms - 1, 10), [], "nothing was written by then");
    assert_eq!(look_up(began_ms + 1_500, 10), [1, 0]);
    assert_eq!(look_up(began_ms + 60_000, 2), [3, 2]);
    assert_eq!(look_up(-1, 0), []);
    assert_eq!(look_up(-2, -1), []);
}

#[test]
fn a_failed_disk_takes_its_partitions_and_nothing_else() {
    let mut harness = Harness::new(&[]);
    harness.create_topic("t", 2, &[]);
    harness.stall_lanes();
    let request = harness.send(9, &produce(-1, &[(0, batch(&["a"])), (1, batch(&["a"]))]));
    let failed = harness
        .node
        .partitions
        .iter()
        .nth(1)
        .map(|(key, _)| *key)
        .unwrap();
    let lane = harness.node.partitions.get_online(&failed).unwrap().lane;
    let mut effects = Vec::new();
    harness.node.on_disk_failed(lane, "a test says so");
    harness.node.out.drain(&mut effects);
    harness.resume_lanes();
    let answer = partitions_of(harness.answer(request).expect("the other partition is written"));
    assert_eq!(answer[0].error_code, ErrorCode::NONE);
    assert_eq!(answer[1].error_code, ErrorCode::KAFKA_STORAGE_ERROR);
}

#[test]
fn a_topic_with_a_codec_of_its_own_stores_every_batch_with_it_and_in_the_order_sent() {
    let mut harness = Harness::new(&[]);
    harness.create_topic("t", 1, &[("compression.type", "lz4")]);
    append(&mut harness, &["a", "b"]);
    append(&mut harness, &["c"]);
    let response = fetched(harness.ask(11, &fetch(0, 0, 1)));
    assert_eq!(values(&response), ["a", "b", "c"]);
    let records = response.responses[0].partitions[0].records.clone().unwrap();
    let first = Batches::new(records.to_bytes()).next().unwrap().unwrap();
    assert_eq!(first.header().compression(), Some(Compression::Lz4));
}

#[test]
fn a_compacted_topic_takes_no_record_without_a_key() {
    let mut harness = Harness::new(&[]);
    harness.create_topic("t", 1, &[("cleanup.policy", "compact")]);
    let answer = partitions_of(harness.ask(9, &produce(-1, &[(0, batch(&["a"]))])));
    assert_eq!(answer[0].error_code, ErrorCode::INVALID_RECORD);
    assert_eq!(answer[0].record_errors[0].batch_index, 0);
}

#[test]
fn compressed_records_are_looked_at_where_somebody_asked_for_that() {
    let mut batch = BatchBuilder::new(Compression::Lz4);
    batch.append(1_700_000_000_000, None, Some(&[b'a'; 1000]));
    let mut bytes = batch.finish().to_bytes().to_vec();
    // No codec makes sense of this; the checksum, from its place at 17 on, covers what lies behind it.
    bytes.truncate(BatchHeader::SIZE);
    bytes.extend([0xff; 40]);
    let length = i32::try_from(bytes.len() - 12).unwrap();
    bytes[8..12].copy_from_slice(&length.to_be_bytes());
    let checksum = crc32c::crc32c(&bytes[21..]);
    bytes[17..21].copy_from_slice(&checksum.to_be_bytes());
    let request = produce(-1, &[(0, Records::from(bytes::Bytes::from(bytes)))]);
    let cases = [("false", ErrorCode::NONE), ("true", ErrorCode::INVALID_RECORD)];
    for (setting, code) in cases {
        let mut harness = Harness::new(&[("klamm.validate.compressed", setting)]);
        harness.create_topic("t", 1, &[]);
        let answer = partitions_of(harness.ask(9, &request));
        assert_eq!(answer[0].error_code, code, "klamm.validate.compressed={setting}");
    }
}

#[test]
fn what_is_not_in_memory_is_read_from_the_disk_and_waited_for_all_the_same() {
    let mut harness = Harness::new(&[]);
    harness.create_topic("t", 1, &[]);
    append(&mut harness, &["a"]);
    let mut harness = harness.restart();
    assert_eq!(values(&fetched(harness.ask(11, &fetch(0, 0, 1)))), ["a"]);
    let one = batch(&["a"]).len() as i32;
    let request = harness.send(11, &fetch(0, 10_000, 2 * one));
    assert!(harness.answer(request).is_none(), "the disk has too little");
    append(&mut harness, &["b"]);
    // The newest batch is in memory, the oldest is not: one answer gives what comes first.
    assert_eq!(values(&fetched(harness.answer(request).expect("enough")))[0], "a");
}

#[test]
fn a_topic_that_is_made_anew_has_nothing_of_the_one_before() {
    let mut harness = Harness::new(&[]);
    harness.create_topic("t", 1, &[]);
    append(&mut harness, &["a", "b"]);
    harness.pass_ms(120_000);
    delete_topic(&mut harness);
    harness.create_topic("t", 1, &[]);
    let points = harness.file("/a/recovery-point-offset-checkpoint")
        + &harness.file("/b/recovery-point-offset-checkpoint");
    assert!(
        !points.contains("t 0 2"),
        "a checkpoint still tells of the old log: {points:?}"
    );
    assert_eq!(append(&mut harness, &["c"]), 0);
    let mut harness = harness.restart();
    assert_eq!(values(&fetched(harness.ask(11, &fetch(0, 0, 1)))), ["c"]);
}

#[test]
fn a_topic_can_be_made_anew_while_the_old_log_is_still_going() {
    let mut harness = Harness::new(&[]);
    harness.create_topic("t", 1, &[]);
    append(&mut harness, &["a"]);
    harness.stall_lanes();
    delete_topic(&mut harness);
    let created = harness.send(7, &super::create_topic_request("t", 1, &[]));
    assert!(harness.answer(created).is_none(), "its directory is not free");
    harness.resume_lanes();
    answered!(CreateTopics, harness.answer(created).expect("free and open"));
    assert_eq!(append(&mut harness, &["b"]), 0);
}

#[test]
fn records_are_synced_when_flush_ms_is_over() {
    let mut harness = Harness::new(&[]);
    harness.create_topic("t", 1, &[("flush.ms", "500")]);
    append(&mut harness, &["a"]);
    let key = *harness.node.partitions.iter().next().unwrap().0;
    let point = |harness: &Harness| {
        harness
            .node
            .partitions
            .get_online(&key)
            .unwrap()
            .log
            .recovery_point()
    };
    harness.pass_ms(499);
    assert_eq!(point(&harness), 0);
    harness.pass_ms(1);
    assert_eq!(point(&harness), 1);
}

#[test]
fn old_records_go_when_their_time_is_over() {
    let mut harness = Harness::new(&[("log.retention.check.interval.ms", "1000")]);
    harness.create_topic("t", 1, &[("retention.ms", "5000")]);
    append(&mut harness, &["a"]);
    harness.pass_ms(4_000);
    assert_eq!(values(&fetched(harness.ask(11, &fetch(0, 0, 1)))), ["a"]);
    harness.pass_ms(3_000);
    let response = fetched(harness.ask(11, &fetch(0, 0, 1)));
    assert_eq!(
        response.responses[0].partitions[0].error_code,
        ErrorCode::OFFSET_OUT_OF_RANGE
    );
}

#[test]
fn a_log_that_no_topic_owns_is_put_aside() {
    let mut harness = Harness::new(&[]);
    harness.create_topic("t", 1, &[]);
    harness.make_dir("/b/stranger-0");
    harness.make_dir("/b/old-0.00000000000000000000000000000000-delete");
    for foreign in ["lost+found", "notes", "2024-backup"] {
        harness.make_dir(&format!("/b/{foreign}"));
    }
    let mut harness = harness.restart();
    append(&mut harness, &["a"]);
    let harness = harness.restart();
    let names = harness.names("/b");
    let is_there = |name: &str| names.iter().any(|found| found == name);
    assert!(!is_there("stranger-0"));
    assert_eq!(names.iter().filter(|name| name.ends_with("-stray")).count(), 1);
    assert!(!names.iter().any(|name| name.ends_with("-delete")));
    for foreign in ["lost+found", "notes", "2024-backup"] {
        assert!(is_there(foreign), "what is no log's directory is left alone");
    }
}

#[test]
fn of_a_compacted_topic_the_newest_record_of_a_key_stays() {
    let mut harness = Harness::new(&[]);
    let configs = [
        ("cleanup.policy", "compact"),
        ("segment.bytes", "1048576"),
        ("min.cleanable.dirty.ratio", "0"),
    ];
    harness.create_topic("t", 1, &configs);
    for number in 0..40u8 {
        let mut batch = BatchBuilder::new(Compression::None);
        batch.append(1_000, Some(b"key"), Some(&[number; 100_000]));
        let records = Records::from(batch.finish().to_bytes());
        let answer = partitions_of(harness.ask(9, &produce(-1, &[(0, records)])));
        assert_eq!(answer[0].error_code, ErrorCode::NONE);
    }
    // `log.cleaner.backoff.ms`
    harness.pass_ms(15_000);
    let mut harness = harness.restart();
    let (mut offset, mut found) = (0, Vec::new());
    while offset < 40 {
        let response = fetched(harness.ask(11, &fetch(offset, 0, 1)));
        let partition = &response.responses[0].partitions[0];
        assert_eq!(partition.error_code, ErrorCode::NONE);
        let records = partition.records.clone().expect("records are never null here");
        for batch in Batches::new(records.to_bytes()) {
            let batch = batch.expect("whole batches");
            offset = batch.header().last_offset() + 1;
            found.push(batch.header().base_offset);
        }
    }
    assert!(found.len() < 15 && found.last() == Some(&39), "{found:?}");
}

#[test]
fn a_topic_gets_its_log_also_where_a_strangers_directory_had_the_name() {
    let harness = Harness::new(&[]);
    for dir in ["/a/t-0", "/b/t-0"] {
        harness.make_dir(dir);
    }
    let mut harness = harness.restart();
    harness.create_topic("t", 1, &[]);
    assert_eq!(append(&mut harness, &["a"]), 0);
}

/// A topic of 20 partitions with a record in each.
fn many_logs() -> Harness {
    let mut harness = Harness::new(&[]);
    harness.create_topic("t", 20, &[]);
    let records: Vec<_> = (0..20).map(|index| (index, batch(&["a"]))).collect();
    let answers = partitions_of(harness.ask(9, &produce(-1, &records)));
    assert!(answers.iter().all(|answer| answer.error_code == ErrorCode::NONE));
    harness
}

fn idle(harness: &Harness) -> usize {
    let slots = harness.node.partitions.iter();
    slots.filter(|(_, slot)| matches!(slot, Slot::Idle(_))).count()
}

#[test]
fn after_a_clean_shutdown_a_log_is_opened_when_somebody_needs_it_and_later_anyway() {
    let mut harness = many_logs();
    harness.event(Event::Shutdown);
    assert!(harness.stopped);
    let mut harness = harness.restart();
    assert_eq!(idle(&harness), 20);
    assert_eq!(values(&fetched(harness.ask(11, &fetch(0, 0, 1)))), ["a"]);
    assert_eq!(idle(&harness), 19);
    harness.pass_ms(60_000);
    assert_eq!(idle(&harness), 0);
}

#[test]
fn where_logs_wait_for_recovery_no_clean_shutdown_is_claimed() {
    let mut harness = many_logs().restart_slowly();
    let waiting = idle(&harness);
    assert!(
        (1..20).contains(&waiting),
        "recovery goes on step by step: {waiting}"
    );
    harness.event(Event::Shutdown);
    harness.begin();
    assert!(harness.stopped && idle(&harness) == waiting);
    let marker = ".kafka_cleanshutdown".to_owned();
    let claims = |dir| harness.names(dir).contains(&marker);
    assert!(!claims("/a") || !claims("/b"));
    let mut harness = harness.restart();
    harness.pass_ms(1_000);
    assert_eq!(idle(&harness), 0, "after a crash all are recovered at once");
    harness.event(Event::Shutdown);
    assert!(
        ["/a", "/b"]
            .iter()
            .all(|dir| harness.names(dir).contains(&marker))
    );
}

#[test]
fn a_deleted_topics_log_is_put_aside_where_its_namesake_needs_the_directory() {
    let mut harness = Harness::new(&[]);
    harness.create_topic("t", 1, &[]);
    append(&mut harness, &["old"]);
    harness.stall_lanes();
    delete_topic(&mut harness);
    harness.send(7, &super::create_topic_request("t", 1, &[]));
    let mut harness = harness.restart();
    assert_eq!(append(&mut harness, &["new"]), 0);
    assert_eq!(values(&fetched(harness.ask(11, &fetch(0, 0, 1)))), ["new"]);
    let names = [harness.names("/a"), harness.names("/b")].concat();
    assert!(names.iter().any(|name| name.ends_with("-stray")), "{names:?}");
}
