//! Transactions, from the first InitProducerId to what a reader of committed records is given.

use klamm_protocol::messages::add_offsets_to_txn::AddOffsetsToTxnRequest;
use klamm_protocol::messages::add_partitions_to_txn::{AddPartitionsToTxnRequest, AddPartitionsToTxnTopic};
use klamm_protocol::messages::describe_producers::{DescribeProducersRequest, TopicRequest};
use klamm_protocol::messages::describe_transactions::DescribeTransactionsRequest;
use klamm_protocol::messages::end_txn::EndTxnRequest;
use klamm_protocol::messages::fetch::FetchResponse;
use klamm_protocol::messages::find_coordinator::FindCoordinatorRequest;
use klamm_protocol::messages::init_producer_id::InitProducerIdRequest;
use klamm_protocol::messages::list_offsets::{ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic};
use klamm_protocol::messages::list_transactions::ListTransactionsRequest;
use klamm_protocol::messages::offset_fetch::{OffsetFetchRequest, OffsetFetchRequestTopic};
use klamm_protocol::messages::produce::ProduceRequest;
use klamm_protocol::messages::txn_offset_commit::{
    TxnOffsetCommitRequest, TxnOffsetCommitRequestPartition, TxnOffsetCommitRequestTopic,
};
use klamm_protocol::messages::write_txn_markers::{
    WritableTxnMarker, WritableTxnMarkerTopic, WriteTxnMarkersRequest,
};
use klamm_protocol::record::{BatchBuilder, Batches, Compression, INFLATE_LIMIT_BYTES};
use klamm_protocol::{ErrorCode, Records};

use klamm_storage::LogKey;
use klamm_storage::sys::memory::Fault;

use super::log::{fetch, partitions_of, produce};
use super::{Harness, answered};
use crate::cluster::TRANSACTION_STATE;
use crate::coordinator::partition_of_key;

/// Versions of requests that belong together: clients from before KIP-890, and since.
#[derive(Clone, Copy)]
struct Client {
    produce: i16,
    end: i16,
    commit: i16,
}

const OLD: Client = Client {
    produce: 9,
    end: 3,
    commit: 3,
};
const NEW: Client = Client {
    produce: 12,
    end: 5,
    commit: 5,
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Producer {
    id: i64,
    epoch: i16,
}

fn broker() -> Harness {
    let mut harness = Harness::new(&[]);
    harness.create_topic("t", 2, &[]);
    for (key_type, key) in [(1, "x"), (0, "g")] {
        let request = FindCoordinatorRequest {
            key: key.into(),
            key_type,
            ..Default::default()
        };
        let found = answered!(FindCoordinator, harness.ask(2, &request));
        assert_eq!(found.error_code, ErrorCode::COORDINATOR_NOT_AVAILABLE);
        let found = answered!(FindCoordinator, harness.ask(2, &request));
        assert_eq!((found.error_code, found.node_id), (ErrorCode::NONE, 1));
    }
    harness
}

fn try_init(harness: &mut Harness, version: i16, known: Option<Producer>) -> Result<Producer, ErrorCode> {
    let mut request = InitProducerIdRequest {
        transactional_id: Some("x".into()),
        transaction_timeout_ms: 60_000,
        ..Default::default()
    };
    if let Some(known) = known {
        (request.producer_id, request.producer_epoch) = (known.id, known.epoch);
    }
    let answer = answered!(InitProducerId, harness.ask(version, &request));
    match answer.error_code {
        ErrorCode::NONE => Ok(Producer {
            id: answer.producer_id,
            epoch: answer.producer_epoch,
        }),
        code => Err(code),
    }
}

fn init(harness: &mut Harness) -> Producer {
    try_init(harness, 4, None).expect("nothing speaks against it")
}

fn add(harness: &mut Harness, producer: Producer, partitions: &[i32]) -> ErrorCode {
    let request = AddPartitionsToTxnRequest {
        v3_and_below_transactional_id: "x".into(),
        v3_and_below_producer_id: producer.id,
        v3_and_below_producer_epoch: producer.epoch,
        v3_and_below_topics: vec![AddPartitionsToTxnTopic {
            name: "t".into(),
            partitions: partitions.to_vec(),
        }],
        ..Default::default()
    };
    let answer = answered!(AddPartitionsToTxn, harness.ask(3, &request));
    answer.results_by_topic_v3_and_below[0].results_by_partition[0].partition_error_code
}

fn batch(producer: Producer, sequence: i32, value: &str) -> Records {
    let mut batch = BatchBuilder::new(Compression::None);
    batch
        .producer(producer.id, producer.epoch, sequence)
        .transactional()
        .append(1_700_000_000_000, None, Some(value.as_bytes()));
    Records::from_parts(batch.finish().parts().into())
}

fn transactional(partition: i32, records: Records) -> ProduceRequest {
    ProduceRequest {
        transactional_id: Some("x".into()),
        ..produce(-1, &[(partition, records)])
    }
}

fn append(
    harness: &mut Harness,
    client: Client,
    producer: Producer,
    (partition, sequence): (i32, i32),
    value: &str,
) -> ErrorCode {
    let request = transactional(partition, batch(producer, sequence, value));
    partitions_of(harness.ask(client.produce, &request))[0].error_code
}

fn try_end(
    harness: &mut Harness,
    client: Client,
    producer: Producer,
    commit: bool,
) -> Result<Producer, ErrorCode> {
    let request = EndTxnRequest {
        transactional_id: "x".into(),
        producer_id: producer.id,
        producer_epoch: producer.epoch,
        committed: commit,
    };
    let answer = answered!(EndTxn, harness.ask(client.end, &request));
    match answer.error_code {
        ErrorCode::NONE if client.end < 5 => Ok(producer),
        ErrorCode::NONE => Ok(Producer {
            id: answer.producer_id,
            epoch: answer.producer_epoch,
        }),
        code => Err(code),
    }
}

fn end(harness: &mut Harness, client: Client, producer: Producer, commit: bool) -> Producer {
    try_end(harness, client, producer, commit).expect("nothing speaks against it")
}

/// What a reader of committed records makes of an answer, as clients do (KIP-98).
fn committed_values(response: &FetchResponse) -> Vec<String> {
    let data = &response.responses[0].partitions[0];
    let mut aborted: Vec<_> = data.aborted_transactions.iter().flatten().cloned().collect();
    let mut dropping = std::collections::BTreeSet::new();
    let mut values = Vec::new();
    for batch in Batches::new(data.records.clone().unwrap_or_default().to_bytes()) {
        let batch = batch.expect("whole batches");
        let header = *batch.header();
        aborted.retain(|transaction| {
            let begins = transaction.first_offset <= header.last_offset();
            if begins {
                dropping.insert(transaction.producer_id);
            }
            !begins
        });
        if header.is_control() {
            dropping.remove(&header.producer_id);
        } else if !(header.is_transactional() && dropping.contains(&header.producer_id)) {
            let records = batch.records(INFLATE_LIMIT_BYTES).expect("it is plain");
            values.extend(records.map(|record| {
                let value = record.expect("a record").value.unwrap_or_default();
                String::from_utf8(value.to_vec()).expect("text")
            }));
        }
    }
    values
}

fn read(harness: &mut Harness, partition: i32, committed: bool) -> Vec<String> {
    let mut request = fetch(0, 0, 1);
    request.topics[0].partitions[0].partition = partition;
    request.isolation_level = i8::from(committed);
    let answer = answered!(Fetch, harness.ask(11, &request));
    assert_eq!(
        answer.responses[0].partitions[0].aborted_transactions.is_some(),
        committed
    );
    committed_values(&answer)
}

fn last_stable_offset(harness: &mut Harness, partition: i32) -> i64 {
    list_offset(harness, partition, -1)
}

fn list_offset(harness: &mut Harness, partition: i32, timestamp: i64) -> i64 {
    let request = ListOffsetsRequest {
        replica_id: -1,
        isolation_level: 1,
        topics: vec![ListOffsetsTopic {
            name: "t".into(),
            partitions: vec![ListOffsetsPartition {
                partition_index: partition,
                timestamp,
                ..Default::default()
            }],
        }],
        ..Default::default()
    };
    answered!(ListOffsets, harness.ask(7, &request)).topics[0].partitions[0].offset
}

fn state(harness: &mut Harness) -> String {
    let request = DescribeTransactionsRequest {
        transactional_ids: vec!["x".into()],
    };
    let answer = answered!(DescribeTransactions, harness.ask(0, &request));
    answer.transaction_states[0].transaction_state.to_string()
}

fn offset_commit(producer: Producer, offset: i64) -> TxnOffsetCommitRequest {
    TxnOffsetCommitRequest {
        transactional_id: "x".into(),
        group_id: "g".into(),
        producer_id: producer.id,
        producer_epoch: producer.epoch,
        topics: vec![TxnOffsetCommitRequestTopic {
            name: "t".into(),
            partitions: vec![TxnOffsetCommitRequestPartition {
                committed_offset: offset,
                ..Default::default()
            }],
            ..Default::default()
        }],
        ..Default::default()
    }
}

fn commit_offset(harness: &mut Harness, client: Client, producer: Producer, offset: i64) -> ErrorCode {
    let request = offset_commit(producer, offset);
    let answer = answered!(TxnOffsetCommit, harness.ask(client.commit, &request));
    answer.topics[0].partitions[0].error_code
}

fn committed_offset(harness: &mut Harness, require_stable: bool) -> Result<i64, ErrorCode> {
    let request = OffsetFetchRequest {
        group_id: "g".into(),
        require_stable,
        topics: Some(vec![OffsetFetchRequestTopic {
            name: "t".into(),
            partition_indexes: vec![0],
        }]),
        ..Default::default()
    };
    let answer = answered!(OffsetFetch, harness.ask(7, &request));
    let partition = &answer.topics[0].partitions[0];
    match partition.error_code {
        ErrorCode::NONE => Ok(partition.committed_offset),
        code => Err(code),
    }
}

#[test]
fn a_committed_transaction_is_read_whole_and_an_aborted_one_not_at_all() {
    let mut harness = broker();
    let producer = init(&mut harness);
    assert_eq!(producer.epoch, 0);
    assert_eq!(add(&mut harness, producer, &[0, 1]), ErrorCode::NONE);
    assert_eq!(append(&mut harness, OLD, producer, (0, 0), "a"), ErrorCode::NONE);
    assert_eq!(append(&mut harness, OLD, producer, (1, 0), "b"), ErrorCode::NONE);
    assert_eq!(state(&mut harness), "Ongoing");
    assert_eq!(last_stable_offset(&mut harness, 0), 0);
    assert!(
        read(&mut harness, 0, true).is_empty(),
        "nothing of an open transaction"
    );
    assert_eq!(read(&mut harness, 0, false), ["a"]);
    end(&mut harness, OLD, producer, true);
    assert_eq!(state(&mut harness), "CompleteCommit");
    assert_eq!(last_stable_offset(&mut harness, 0), 2);
    assert_eq!(
        (read(&mut harness, 0, true), read(&mut harness, 1, true)),
        (vec!["a".to_owned()], vec!["b".to_owned()])
    );

    assert_eq!(add(&mut harness, producer, &[0]), ErrorCode::NONE);
    assert_eq!(
        append(&mut harness, OLD, producer, (0, 1), "gone"),
        ErrorCode::NONE
    );
    end(&mut harness, OLD, producer, false);
    assert_eq!(add(&mut harness, producer, &[0]), ErrorCode::NONE);
    assert_eq!(append(&mut harness, OLD, producer, (0, 2), "c"), ErrorCode::NONE);
    end(&mut harness, OLD, producer, true);
    assert_eq!(read(&mut harness, 0, true), ["a", "c"]);
    assert_eq!(read(&mut harness, 0, false), ["a", "gone", "c"]);
    // The same from the disk, by a process that knows nothing of it.
    let mut harness = harness.restart();
    assert_eq!(read(&mut harness, 0, true), ["a", "c"]);
    assert_eq!(last_stable_offset(&mut harness, 0), 6);
}

#[test]
fn a_disk_that_fails_a_reader_of_committed_records_takes_its_directory() {
    let prepared = || {
        let mut harness = broker();
        let producer = init(&mut harness);
        for (sequence, commit) in [(0, false), (1, true)] {
            add(&mut harness, producer, &[1]);
            let appended = append(&mut harness, OLD, producer, (1, sequence), &commit.to_string());
            assert_eq!(appended, ErrorCode::NONE);
            end(&mut harness, OLD, producer, commit);
        }
        let mut harness = harness.restart();
        harness.pass_ms(1_000);
        harness
    };
    let mut request = fetch(0, 0, 1);
    request.topics[0].partitions[0].partition = 1;
    request.isolation_level = 1;
    let calls = {
        let mut harness = prepared();
        let before = harness.disk.calls();
        assert_eq!(read(&mut harness, 1, true), ["true"]);
        harness.disk.calls() - before
    };
    let mut failed = 0;
    for call in 0..calls {
        let mut harness = prepared();
        harness.disk.fail_call(harness.disk.calls() + call, Fault::Io);
        let answer = answered!(Fetch, harness.ask(11, &request));
        // An index that cannot be read is done without.
        if answer.responses[0].partitions[0].error_code == ErrorCode::NONE {
            assert_eq!(committed_values(&answer), ["true"], "call {call}");
            continue;
        }
        failed += 1;
        let records = [(1, super::batch(&["b"])), (0, super::batch(&["a"]))];
        let answer = partitions_of(harness.ask(9, &produce(-1, &records)));
        let codes: Vec<_> = answer.iter().map(|partition| partition.error_code).collect();
        assert_eq!(
            codes,
            [ErrorCode::KAFKA_STORAGE_ERROR, ErrorCode::NONE],
            "call {call}"
        );
    }
    assert!(failed * 2 > calls, "{failed} of {calls}");
}

#[test]
fn a_new_client_adds_partitions_by_writing_and_has_another_epoch_in_each_transaction() {
    let mut harness = broker();
    let first = init(&mut harness);
    assert_eq!(append(&mut harness, NEW, first, (0, 0), "a"), ErrorCode::NONE);
    assert_eq!(append(&mut harness, NEW, first, (0, 1), "b"), ErrorCode::NONE);
    let second = end(&mut harness, NEW, first, true);
    assert_eq!((second.id, second.epoch), (first.id, first.epoch + 1));
    // It asks again, since the answer was lost: it is the same one.
    assert_eq!(end(&mut harness, NEW, first, true), second);
    // What was sent in the first transaction and comes late is fenced.
    assert_eq!(
        append(&mut harness, NEW, first, (0, 2), "late"),
        ErrorCode::INVALID_PRODUCER_EPOCH
    );
    assert_eq!(append(&mut harness, NEW, second, (0, 0), "gone"), ErrorCode::NONE);
    assert_eq!(
        try_end(&mut harness, NEW, first, true),
        Err(ErrorCode::PRODUCER_FENCED)
    );
    let third = end(&mut harness, NEW, second, false);
    // Nothing is in this one; nothing that belongs to it can begin it any more.
    let fourth = end(&mut harness, NEW, third, false);
    assert_eq!(fourth.epoch, third.epoch + 1);
    assert_eq!(
        try_end(&mut harness, NEW, fourth, true),
        Err(ErrorCode::INVALID_TXN_STATE)
    );
    assert_eq!(read(&mut harness, 0, true), ["a", "b"]);
}

#[test]
fn a_batch_of_no_transaction_is_refused_as_the_client_understands_it() {
    let mut harness = broker();
    let producer = init(&mut harness);
    for (version, code) in [
        (3, ErrorCode::INVALID_TXN_STATE),
        (10, ErrorCode::INVALID_TXN_STATE),
        (11, ErrorCode::TRANSACTION_ABORTABLE),
    ] {
        let request = transactional(0, batch(producer, 0, "a"));
        assert_eq!(
            partitions_of(harness.ask(version, &request))[0].error_code,
            code,
            "version {version}"
        );
    }
    let stranger = Producer {
        id: producer.id + 1,
        ..producer
    };
    assert_eq!(
        append(&mut harness, NEW, stranger, (0, 0), "a"),
        ErrorCode::INVALID_PRODUCER_ID_MAPPING
    );
    let request = produce(-1, &[(0, batch(producer, 0, "a"))]);
    let code = partitions_of(harness.ask(9, &request))[0].error_code;
    assert_eq!(code, ErrorCode::TRANSACTIONAL_ID_AUTHORIZATION_FAILED);
    assert!(read(&mut harness, 0, false).is_empty());
}

#[test]
fn the_end_of_a_transaction_has_a_time_like_any_record() {
    let mut harness = broker();
    let producer = init(&mut harness);
    assert_eq!(append(&mut harness, NEW, producer, (0, 0), "a"), ErrorCode::NONE);
    harness.pass_ms(10);
    end(&mut harness, NEW, producer, true);
    const MAX_TIMESTAMP: i64 = -3;
    assert_eq!(list_offset(&mut harness, 0, MAX_TIMESTAMP), 1);
}

#[test]
fn a_transactional_batch_without_transaction_fails_the_whole_request() {
    let mut harness = broker();
    let producer = init(&mut harness);
    let request = produce(-1, &[(0, batch(producer, 0, "a")), (1, super::batch(&["b"]))]);
    for answer in partitions_of(harness.ask(9, &request)) {
        assert_eq!(
            answer.error_code,
            ErrorCode::TRANSACTIONAL_ID_AUTHORIZATION_FAILED
        );
    }
    assert!(read(&mut harness, 1, false).is_empty());
}

#[test]
fn offsets_for_what_is_not_there_are_refused_as_that_also_from_a_stranger() {
    let mut harness = broker();
    let stranger = Producer { id: 77, epoch: 0 };
    let mut request = offset_commit(stranger, 1);
    request.topics[0]
        .partitions
        .push(TxnOffsetCommitRequestPartition {
            partition_index: 9,
            ..Default::default()
        });
    let answer = answered!(TxnOffsetCommit, harness.ask(NEW.commit, &request));
    let codes: Vec<_> = answer.topics[0]
        .partitions
        .iter()
        .map(|partition| partition.error_code)
        .collect();
    assert_eq!(
        codes,
        [
            ErrorCode::INVALID_PRODUCER_ID_MAPPING,
            ErrorCode::UNKNOWN_TOPIC_OR_PARTITION
        ]
    );
}

#[test]
fn a_new_producer_fences_the_one_before_and_aborts_what_it_left_open() {
    let mut harness = broker();
    let old = init(&mut harness);
    assert_eq!(append(&mut harness, NEW, old, (0, 0), "gone"), ErrorCode::NONE);
    assert_eq!(
        try_init(&mut harness, 4, None),
        Err(ErrorCode::CONCURRENT_TRANSACTIONS)
    );
    let new = init(&mut harness);
    assert_eq!((new.id, new.epoch), (old.id, old.epoch + 2));
    assert_eq!(
        append(&mut harness, NEW, old, (0, 1), "late"),
        ErrorCode::INVALID_PRODUCER_EPOCH
    );
    assert_eq!(
        try_end(&mut harness, NEW, old, true),
        Err(ErrorCode::PRODUCER_FENCED)
    );
    assert_eq!(
        try_end(&mut harness, OLD, old, true),
        Err(ErrorCode::PRODUCER_FENCED)
    );
    let older = Client { end: 1, ..OLD };
    assert_eq!(
        try_end(&mut harness, older, old, true),
        Err(ErrorCode::INVALID_PRODUCER_EPOCH)
    );
    assert_eq!(
        try_init(&mut harness, 4, Some(old)),
        Err(ErrorCode::PRODUCER_FENCED)
    );
    assert_eq!(
        try_init(&mut harness, 3, Some(old)),
        Err(ErrorCode::INVALID_PRODUCER_EPOCH)
    );
    assert_eq!(append(&mut harness, NEW, new, (0, 0), "a"), ErrorCode::NONE);
    end(&mut harness, NEW, new, true);
    assert_eq!(read(&mut harness, 0, true), ["a"]);
    // The producer asks for another epoch after an error, and asks again when it has not heard (KIP-360).
    let current = Producer {
        epoch: new.epoch + 1,
        ..new
    };
    let next = try_init(&mut harness, 4, Some(current)).expect("it is the current one");
    assert_eq!(next.epoch, current.epoch + 1);
    assert_eq!(try_init(&mut harness, 4, Some(current)), Ok(next));
}

#[test]
fn offsets_of_a_transaction_count_once_it_is_committed() {
    for client in [OLD, NEW] {
        let mut harness = broker();
        let mut producer = init(&mut harness);
        for (offset, commit, then) in [(5, true, 5), (9, false, 5), (7, true, 7)] {
            if client.commit < 5 {
                assert_eq!(
                    commit_offset(&mut harness, client, producer, offset),
                    ErrorCode::INVALID_TXN_STATE
                );
                let request = AddOffsetsToTxnRequest {
                    transactional_id: "x".into(),
                    producer_id: producer.id,
                    producer_epoch: producer.epoch,
                    group_id: "g".into(),
                };
                let added = answered!(AddOffsetsToTxn, harness.ask(3, &request));
                assert_eq!(added.error_code, ErrorCode::NONE);
            }
            let before = committed_offset(&mut harness, false);
            assert_eq!(
                commit_offset(&mut harness, client, producer, offset),
                ErrorCode::NONE
            );
            assert_eq!(committed_offset(&mut harness, false), before);
            assert_eq!(
                committed_offset(&mut harness, true),
                Err(ErrorCode::UNSTABLE_OFFSET_COMMIT)
            );
            // Also a coordinator that was loaded meanwhile knows of it.
            harness = harness.restart();
            assert_eq!(
                committed_offset(&mut harness, true),
                Err(ErrorCode::UNSTABLE_OFFSET_COMMIT)
            );
            producer = end(&mut harness, client, producer, commit);
            assert_eq!(committed_offset(&mut harness, true), Ok(then));
            harness = harness.restart();
            assert_eq!(committed_offset(&mut harness, true), Ok(then));
        }
        let zombie = Producer {
            epoch: producer.epoch - 1,
            ..producer
        };
        let code = commit_offset(&mut harness, client, zombie, 99);
        assert_eq!(code, ErrorCode::INVALID_PRODUCER_EPOCH);
    }
}

#[test]
fn a_transaction_that_takes_too_long_is_aborted_and_its_producer_fenced() {
    let mut harness = broker();
    let producer = init(&mut harness);
    assert_eq!(
        append(&mut harness, NEW, producer, (0, 0), "gone"),
        ErrorCode::NONE
    );
    harness.pass_ms(50_000);
    assert_eq!(state(&mut harness), "Ongoing");
    harness.pass_ms(25_000);
    assert_eq!(state(&mut harness), "CompleteAbort");
    assert_eq!(last_stable_offset(&mut harness, 0), 2);
    assert!(read(&mut harness, 0, true).is_empty());
    assert_eq!(
        append(&mut harness, NEW, producer, (0, 1), "late"),
        ErrorCode::INVALID_PRODUCER_EPOCH
    );
    assert_eq!(
        try_end(&mut harness, OLD, producer, true),
        Err(ErrorCode::PRODUCER_FENCED)
    );
}

#[test]
fn a_decision_is_carried_out_by_the_next_process_if_the_first_one_ends() {
    let mut harness = broker();
    let producer = init(&mut harness);
    let lane_of = |harness: &Harness, topic: &str, partition| {
        let topic_id = harness.node.cluster.topic_by_name(topic).expect("it is there").id;
        let key = LogKey { topic_id, partition };
        harness.node.partitions.get_online(&key).expect("it is open").lane
    };
    // A partition on another disk than the one that keeps the id.
    let decides = lane_of(&harness, TRANSACTION_STATE, partition_of_key("x", 50));
    let partition = (0..2).find(|partition| lane_of(&harness, "t", *partition) != decides);
    let partition = partition.expect("the partitions of a topic lie on both disks");
    assert_eq!(
        append(&mut harness, NEW, producer, (partition, 0), "a"),
        ErrorCode::NONE
    );
    // The record of the decision is written, the marker in the partition is not.
    let lane = lane_of(&harness, "t", partition);
    harness.stalled.entry(lane).or_default();
    end(&mut harness, NEW, producer, true);
    assert_eq!(state(&mut harness), "PrepareCommit");
    assert!(read(&mut harness, partition, true).is_empty());
    let request = AddPartitionsToTxnRequest {
        v3_and_below_transactional_id: "x".into(),
        v3_and_below_producer_id: producer.id,
        v3_and_below_producer_epoch: producer.epoch + 1,
        v3_and_below_topics: vec![AddPartitionsToTxnTopic {
            name: "t".into(),
            partitions: vec![0],
        }],
        ..Default::default()
    };
    let answer = answered!(AddPartitionsToTxn, harness.ask(3, &request));
    let code = answer.results_by_topic_v3_and_below[0].results_by_partition[0].partition_error_code;
    assert_eq!(code, ErrorCode::CONCURRENT_TRANSACTIONS);
    let mut harness = harness.restart();
    // Where the log was not open yet it is tried again.
    harness.pass_ms(200);
    assert_eq!(state(&mut harness), "CompleteCommit");
    assert_eq!(read(&mut harness, partition, true), ["a"]);
}

#[test]
fn transactions_are_listed_by_state_producer_age_and_pattern() {
    let mut harness = broker();
    let producer = init(&mut harness);
    let mut listed = |request: ListTransactionsRequest| {
        let answer = answered!(ListTransactions, harness.ask(2, &request));
        (
            answer.error_code,
            answer.transaction_states.len(),
            answer.unknown_state_filters.len(),
        )
    };
    let all = ListTransactionsRequest::default;
    assert_eq!(listed(all()), (ErrorCode::NONE, 1, 0));
    let by_state = |names: &[&'static str]| ListTransactionsRequest {
        state_filters: names.iter().map(|name| (*name).into()).collect(),
        ..all()
    };
    assert_eq!(listed(by_state(&["Empty"])), (ErrorCode::NONE, 1, 0));
    assert_eq!(listed(by_state(&["Ongoing", "Odd"])), (ErrorCode::NONE, 0, 1));
    assert_eq!(listed(by_state(&["Odd"])), (ErrorCode::NONE, 0, 1));
    let by_producer = |id| ListTransactionsRequest {
        producer_id_filters: vec![id],
        ..all()
    };
    assert_eq!(listed(by_producer(producer.id)).1, 1);
    assert_eq!(listed(by_producer(producer.id + 1)).1, 0);
    let by_pattern = |pattern: &'static str| ListTransactionsRequest {
        transactional_id_pattern: Some(pattern.into()),
        ..all()
    };
    assert_eq!(listed(by_pattern("[wxy]")).1, 1);
    assert_eq!(listed(by_pattern("x.")).1, 0, "the whole id has to match");
    assert_eq!(listed(by_pattern("(")).0, ErrorCode::INVALID_REGULAR_EXPRESSION);
}

#[test]
fn an_administrator_ends_a_transaction_that_hangs_and_an_older_coordinator_does_not() {
    let mut harness = broker();
    let producer = init(&mut harness);
    assert_eq!(
        append(&mut harness, NEW, producer, (0, 0), "gone"),
        ErrorCode::NONE
    );
    harness.create_topic("u", 1, &[]);
    let mut write = |epoch, coordinator_epoch, topic: &'static str| {
        let request = WriteTxnMarkersRequest {
            markers: vec![WritableTxnMarker {
                producer_id: producer.id,
                producer_epoch: epoch,
                transaction_result: false,
                coordinator_epoch,
                topics: vec![WritableTxnMarkerTopic {
                    name: topic.into(),
                    partition_indexes: vec![0],
                }],
                ..Default::default()
            }],
        };
        let answer = answered!(WriteTxnMarkers, harness.ask(1, &request));
        answer.markers[0].topics[0].partitions[0].error_code
    };
    assert_eq!(write(-1, 3, "t"), ErrorCode::INVALID_PRODUCER_EPOCH);
    assert_eq!(
        write(-1, 3, "u"),
        ErrorCode::INVALID_PRODUCER_EPOCH,
        "nobody knows the producer there"
    );
    assert_eq!(write(0, 3, "nowhere"), ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
    assert_eq!(write(0, 3, "t"), ErrorCode::NONE);
    assert_eq!(write(0, 2, "t"), ErrorCode::TRANSACTION_COORDINATOR_FENCED);
    assert_eq!(last_stable_offset(&mut harness, 0), 2);
}

#[test]
fn an_id_is_refused_that_no_producer_can_have() {
    let mut harness = broker();
    let mut ask = |id: &'static str, timeout_ms| {
        let request = InitProducerIdRequest {
            transactional_id: Some(id.into()),
            transaction_timeout_ms: timeout_ms,
            ..Default::default()
        };
        let answer = answered!(InitProducerId, harness.ask(4, &request));
        (answer.error_code, answer.producer_id, answer.producer_epoch)
    };
    assert_eq!(ask("", 1), (ErrorCode::INVALID_REQUEST, -1, -1));
    assert_eq!(ask("x", 0).0, ErrorCode::INVALID_TRANSACTION_TIMEOUT);
    assert_eq!(ask("x", 900_001).0, ErrorCode::INVALID_TRANSACTION_TIMEOUT);
    assert_eq!(ask("x", 900_000).0, ErrorCode::NONE);
    // A client that knows its id knows its epoch as well.
    for (producer_id, producer_epoch) in [(7, -1), (-1, 7)] {
        for transactional_id in [None, Some("x".into())] {
            let request = InitProducerIdRequest {
                transactional_id,
                transaction_timeout_ms: 1_000,
                producer_id,
                producer_epoch,
                ..Default::default()
            };
            let answer = answered!(InitProducerId, harness.ask(4, &request));
            assert_eq!(answer.error_code, ErrorCode::INVALID_REQUEST);
        }
    }
}

#[test]
fn producers_are_described_of_partitions_that_are_there() {
    let mut harness = broker();
    let mut describe = |name: &'static str, partition| {
        let topic = TopicRequest {
            name: name.into(),
            partition_indexes: vec![partition],
        };
        let request = DescribeProducersRequest { topics: vec![topic] };
        let answer = answered!(DescribeProducers, harness.ask(0, &request));
        answer.topics[0].partitions[0].error_code
    };
    assert_eq!(describe("t", 0), ErrorCode::NONE);
    assert_eq!(describe("t", 9), ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
    assert_eq!(describe("u", 0), ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
    assert_eq!(describe("a/b", 0), ErrorCode::INVALID_TOPIC_EXCEPTION);
}
