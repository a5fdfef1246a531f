//! Full disks, failing disks, damaged logs. `/a` holds the metadata log and partition 0 of `t`, `/b` partition 1.

use std::path::Path;

use klamm_protocol::messages::describe_log_dirs::DescribeLogDirsRequest;
use klamm_protocol::messages::fetch::FetchRequest;
use klamm_protocol::messages::metadata::{MetadataRequest, MetadataRequestTopic};
use klamm_protocol::messages::offset_commit::{
    OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use klamm_protocol::record::{BatchBuilder, Compression};
use klamm_protocol::{ErrorCode, Records};
use klamm_storage::sys::Fs;
use klamm_storage::sys::memory::Fault;

use super::log::{delete_topic, fetch, fetched, partitions_of, produce, values};
use super::{Harness, answered, batch};
use crate::Event;

const NONE: ErrorCode = ErrorCode::NONE;
const STORAGE: ErrorCode = ErrorCode::KAFKA_STORAGE_ERROR;

fn harness() -> Harness {
    let mut harness = Harness::new(&[
        ("klamm.reserve.bytes", "200000"),
        ("offsets.topic.num.partitions", "1"),
    ]);
    harness.create_topic("t", 2, &[("flush.messages", "1")]);
    harness
}

fn append(harness: &mut Harness, partition: i32, value: &str) -> ErrorCode {
    let answer = partitions_of(harness.ask(9, &produce(-1, &[(partition, batch(&[value]))])));
    answer[0].error_code
}

fn read(harness: &mut Harness, partition: i32) -> Result<Vec<String>, ErrorCode> {
    let mut request: FetchRequest = fetch(0, 0, 1);
    request.topics[0].partitions[0].partition = partition;
    let sequence = harness.send(11, &request);
    let response = fetched(harness.answer(sequence).expect("answered at once"));
    match response.responses[0].partitions[0].error_code {
        NONE => Ok(values(&response)),
        code => Err(code),
    }
}

/// Commits an offset of the topic `other`.
fn commit(harness: &mut Harness) -> ErrorCode {
    let partition = OffsetCommitRequestPartition {
        committed_offset: 1,
        ..Default::default()
    };
    let request = OffsetCommitRequest {
        group_id: "g".into(),
        generation_id_or_member_epoch: -1,
        topics: vec![OffsetCommitRequestTopic {
            name: "other".into(),
            partitions: vec![partition],
            ..Default::default()
        }],
        ..Default::default()
    };
    let answer = answered!(OffsetCommit, harness.ask(8, &request));
    answer.topics[0].partitions[0].error_code
}

/// Fills the disk until a record is refused; gives how many were not.
fn fill(harness: &mut Harness) -> usize {
    harness.disk.set_capacity(harness.disk.used() + 5_000);
    let taken = (0..1000).take_while(|_| append(harness, 0, &"x".repeat(500)) == NONE);
    let count = taken.count();
    assert!(
        (2..1000).contains(&count),
        "{count} records of 500 bytes fit into 5000 and what was reserved ahead"
    );
    count
}

#[test]
fn a_full_disk_refuses_records_and_serves_everything_else_until_there_is_room() {
    let mut harness = harness();
    harness.create_topic("__consumer_offsets", 1, &[("cleanup.policy", "compact")]);
    harness.create_topic("other", 1, &[]);
    append(&mut harness, 1, "b");
    let count = fill(&mut harness);
    assert_eq!(
        append(&mut harness, 0, "small"),
        STORAGE,
        "not even one that would fit"
    );
    assert_eq!(
        append(&mut harness, 1, "b"),
        NONE,
        "the other directory knows nothing of it yet"
    );
    harness.pass_ms(300);
    assert_eq!(read(&mut harness, 0).unwrap().len(), count);
    assert_eq!(commit(&mut harness), NONE);
    harness.create_topic("new", 1, &[]);
    harness.pass_ms(120_000);
    assert!(harness.failed.is_none() && harness.node.disks.iter().all(|disk| !disk.failed));
    assert_eq!(append(&mut harness, 0, "still"), STORAGE);
    harness.disk.set_capacity(u64::MAX);
    harness.pass_ms(1_000);
    assert_eq!(append(&mut harness, 0, "again"), NONE);
    let found = read(&mut harness, 0).unwrap();
    assert_eq!((found.len(), found[count].as_str()), (count + 1, "again"));
    let mut harness = harness.restart();
    assert_eq!(read(&mut harness, 0).unwrap().len(), count + 1);
}

/// A log that does not know a producer takes any sequence of it: the batch behind one that was refused would lie
/// before it for ever.
#[test]
fn a_batch_does_not_overtake_one_that_found_no_room() {
    let mut harness = harness();
    fill(&mut harness);
    let send = |harness: &mut Harness, epoch, sequence| {
        let mut batch = BatchBuilder::new(Compression::None);
        batch
            .producer(9, epoch, sequence)
            .append(1_700_000_000_000, None, Some(b"v"));
        let records = Records::from(batch.finish().to_bytes());
        partitions_of(harness.ask(9, &produce(-1, &[(0, records)])))[0].error_code
    };
    assert_eq!(send(&mut harness, 0, 0), STORAGE);
    assert_eq!(send(&mut harness, 0, 1), STORAGE);
    harness.disk.set_capacity(u64::MAX);
    harness.pass_ms(2_000);
    let out_of_order = ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER;
    assert_eq!(send(&mut harness, 0, 2), out_of_order);
    assert_eq!(send(&mut harness, 0, 1), out_of_order);
    assert_eq!(send(&mut harness, 0, 0), NONE);
    assert_eq!(send(&mut harness, 0, 1), NONE);
    // Who gives up what was refused begins a new epoch.
    fill(&mut harness);
    assert_eq!(send(&mut harness, 0, 2), STORAGE);
    harness.disk.set_capacity(u64::MAX);
    harness.pass_ms(2_000);
    assert_eq!(send(&mut harness, 1, 0), NONE);
}

#[test]
fn a_topic_is_deleted_on_a_full_disk_and_that_makes_room() {
    let mut harness = harness();
    let before = harness.disk.used();
    for _ in 0..1000 {
        assert_eq!(append(&mut harness, 0, &"x".repeat(1000)), NONE);
    }
    fill(&mut harness);
    harness.pass_ms(2_000);
    delete_topic(&mut harness);
    assert!(harness.disk.used() < before + 100_000, "its files are gone");
    harness.pass_ms(2_000);
    harness.create_topic("t", 2, &[]);
    assert_eq!(append(&mut harness, 0, "again"), NONE);
}

#[test]
fn when_the_reserve_runs_out_groups_stop_and_topics_can_still_be_deleted() {
    let mut harness = harness();
    harness.create_topic("__consumer_offsets", 1, &[("cleanup.policy", "compact")]);
    harness.create_topic("other", 1, &[]);
    fill(&mut harness);
    harness.pass_ms(300);
    let committed = (0..10_000).take_while(|_| commit(&mut harness) == NONE).count();
    assert!(
        (200..2000).contains(&committed),
        "{committed} commits in half of the reserve"
    );
    harness.pass_ms(1_000);
    assert_ne!(commit(&mut harness), NONE);
    delete_topic(&mut harness);
    harness.disk.set_capacity(u64::MAX);
    harness.pass_ms(1_000);
    assert_eq!(commit(&mut harness), NONE);
}

#[test]
fn a_broker_starts_on_a_full_disk_and_goes_on_when_there_is_room() {
    let mut harness = harness();
    let count = fill(&mut harness);
    harness.pass_ms(10_000);
    harness.disk.set_capacity(harness.disk.used());
    let mut harness = harness.restart();
    assert_eq!(read(&mut harness, 0).unwrap().len(), count);
    assert_eq!(append(&mut harness, 0, "refused"), STORAGE);
    harness.disk.set_capacity(u64::MAX);
    harness.pass_ms(1_000);
    assert_eq!(append(&mut harness, 0, "again"), NONE);
}

#[test]
fn a_topic_whose_logs_find_no_room_at_first_has_them_later() {
    let create = super::create_topic_request("new", 2, &[]);
    let calls = {
        let mut harness = harness();
        let before = harness.disk.calls();
        harness.send(7, &create);
        harness.disk.calls() - before
    };
    assert!(calls > 20, "two logs and the metadata");
    for call in 0..calls {
        let mut harness = harness();
        harness
            .disk
            .fail_call(harness.disk.calls() + call, Fault::NoSpace);
        harness.send(7, &create);
        harness.pass_ms(2_000);
        if harness.disk.struck_sync() {
            // Those are not tried again.
            continue;
        }
        let request = super::log::produce_to("new", -1, &[(0, batch(&["a"])), (1, batch(&["a"]))]);
        let answer = partitions_of(harness.ask(9, &request));
        let codes: Vec<_> = answer.iter().map(|partition| partition.error_code).collect();
        assert_eq!(codes, [NONE, NONE], "call {call}");
    }
}

#[test]
fn a_sync_that_fails_takes_its_directory_and_acknowledges_nothing() {
    let calls = {
        let mut harness = harness();
        let before = harness.disk.calls();
        append(&mut harness, 1, "b");
        harness.disk.calls() - before
    };
    assert!(calls >= 3, "create, write, sync");
    for call in 0..calls {
        let mut harness = harness();
        harness.disk.fail_call(harness.disk.calls() + call, Fault::Io);
        assert_eq!(append(&mut harness, 1, "b"), STORAGE, "call {call}");
        assert_eq!(
            append(&mut harness, 1, "b"),
            STORAGE,
            "call {call}: nothing is tried again"
        );
        assert_eq!(read(&mut harness, 1), Err(STORAGE), "call {call}");
        assert_eq!(
            append(&mut harness, 0, "a"),
            NONE,
            "call {call}: the other directory"
        );
        harness.pass_ms(120_000);
        assert!(harness.failed.is_none(), "call {call}");
        harness.create_topic("new", 2, &[]);
    }
}

#[test]
fn without_the_directory_of_the_metadata_log_the_process_ends() {
    let mut harness = harness();
    harness.disk.fail_call(harness.disk.calls(), Fault::Io);
    assert_eq!(append(&mut harness, 0, "a"), STORAGE);
    let reason = harness.failed.expect("the node cannot go on");
    assert!(reason.contains("/a,") && reason.contains("metadata"), "{reason}");
}

#[test]
fn a_directory_that_is_taken_away_is_noticed_and_the_other_serves_on() {
    let mut harness = harness();
    append(&mut harness, 1, "b");
    harness.disk.remove_dir_all(Path::new("/b")).unwrap();
    harness.pass_ms(5_000);
    assert_eq!(append(&mut harness, 1, "b"), STORAGE);
    assert_eq!(read(&mut harness, 1), Err(STORAGE));
    assert_eq!(append(&mut harness, 0, "a"), NONE);
    harness.create_topic("new", 2, &[]);
    assert!(harness.failed.is_none());
    harness.disk.remove_dir_all(Path::new("/a")).unwrap();
    harness.pass_ms(5_000);
    assert!(harness.failed.is_some());
}

/// Appends to both partitions, lets the checkpoints be written, and kills the broker.
fn with_durable_records() -> Harness {
    let mut harness = harness();
    for _ in 0..5 {
        append(&mut harness, 0, "a");
        append(&mut harness, 1, "b");
    }
    harness.pass_ms(120_000);
    harness
}

const LOG: &str = "/b/t-1/00000000000000000000.log";

/// Flips a bit in the records of one of five equal batches, and takes the index away: without one, recovery looks at
/// all of them. Gives the bit.
fn damage(harness: &Harness, batch: usize) -> usize {
    let bit = (harness.file_len(LOG) as usize / 5 * batch + 65) * 8;
    harness.disk.flip_bit(Path::new(LOG), bit).unwrap();
    harness.remove("/b/t-1/00000000000000000000.index");
    bit
}

fn claims_clean_shutdown(harness: &Harness, dir: &str) -> bool {
    harness
        .names(dir)
        .iter()
        .any(|name| name == ".kafka_cleanshutdown")
}

#[test]
fn a_damaged_batch_takes_its_partition_out_of_service_and_is_never_cut_off() {
    let mut harness = with_durable_records();
    let length = harness.file_len(LOG);
    let bit = damage(&harness, 2);
    for _ in 0..3 {
        harness = harness.restart();
        assert_eq!(read(&mut harness, 1), Err(STORAGE));
        assert_eq!(append(&mut harness, 1, "b"), STORAGE);
        assert_eq!(append(&mut harness, 0, "a"), NONE);
        harness.pass_ms(120_000);
        assert_eq!(harness.file_len(LOG), length, "nothing is cut off");
    }
    harness.disk.flip_bit(Path::new(LOG), bit).unwrap();
    let mut harness = harness.restart();
    assert_eq!(read(&mut harness, 1).unwrap().len(), 5, "the damage was mended");
}

#[test]
fn where_a_log_could_not_be_recovered_no_clean_shutdown_is_claimed() {
    let harness = with_durable_records();
    damage(&harness, 2);
    let mut harness = harness.restart();
    assert_eq!(read(&mut harness, 1), Err(STORAGE));
    harness.event(Event::Shutdown);
    assert!(harness.stopped);
    assert!(claims_clean_shutdown(&harness, "/a") && !claims_clean_shutdown(&harness, "/b"));
}

/// Leader, error and offline replicas.
type State = (i32, ErrorCode, Vec<i32>);

/// What Metadata says of partition 1, and what size and lag DescribeLogDirs tells of it in `/b`.
fn told(harness: &mut Harness) -> (State, Option<(i64, i64)>) {
    let request = MetadataRequest {
        topics: Some(vec![MetadataRequestTopic {
            name: Some("t".into()),
            ..Default::default()
        }]),
        ..Default::default()
    };
    let mut metadata = answered!(Metadata, harness.ask(12, &request));
    let partition = metadata.topics.remove(0).partitions.remove(1);
    let request = DescribeLogDirsRequest { topics: None };
    let dirs = answered!(DescribeLogDirs, harness.ask(4, &request)).results;
    assert_eq!((&*dirs[1].log_dir, dirs[1].error_code), ("/b", NONE));
    let lies_there = dirs[1].topics.iter().flat_map(|topic| &topic.partitions);
    let lies_there: Vec<_> = lies_there
        .map(|partition| (partition.partition_size, partition.offset_lag))
        .collect();
    let state = (
        partition.leader_id,
        partition.error_code,
        partition.offline_replicas,
    );
    (state, lies_there.first().copied())
}

#[test]
fn a_damaged_partition_has_no_leader_and_an_offline_replica_and_still_lies_in_its_directory() {
    let mut harness = with_durable_records();
    let length = harness.file_len(LOG) as i64;
    assert_eq!(told(&mut harness), ((1, NONE, vec![]), Some((length, 0))));
    damage(&harness, 2);
    let mut harness = harness.restart();
    let offline = (-1, ErrorCode::LEADER_NOT_AVAILABLE, vec![1]);
    assert_eq!(told(&mut harness), (offline, Some((-1, -1))));
}

#[test]
fn a_partition_that_waits_for_room_is_told_as_offline_until_it_has_some() {
    let mut harness = with_durable_records().restart_slowly();
    let of_partition_1 = harness.unopened.as_mut().expect("none is open").split_off(1);
    harness.open_logs();
    harness.disk.fail_call(harness.disk.calls(), Fault::NoSpace);
    harness.unopened = Some(of_partition_1);
    harness.open_logs();
    let offline = (-1, ErrorCode::LEADER_NOT_AVAILABLE, vec![1]);
    assert_eq!(told(&mut harness), (offline, Some((-1, -1))));
    assert_eq!(read(&mut harness, 1), Err(STORAGE));
    harness.pass_ms(2_000);
    let length = harness.file_len(LOG) as i64;
    assert_eq!(told(&mut harness), ((1, NONE, vec![]), Some((length, 0))));
}

#[test]
fn a_torn_tail_that_no_recovery_had_room_to_look_at_is_not_served_after_a_clean_shutdown() {
    let crashed = || {
        let mut harness = harness();
        for _ in 0..5 {
            assert_eq!(append(&mut harness, 1, "b"), NONE);
        }
        damage(&harness, 4);
        harness.restart_slowly()
    };
    let calls = {
        let mut harness = crashed();
        let before = harness.disk.calls();
        harness.begin();
        harness.disk.calls() - before
    };
    let mut postponed = 0;
    for call in 0..calls {
        let mut harness = crashed();
        let disk = harness.disk.clone();
        disk.fail_call(disk.calls() + call, Fault::NoSpace);
        harness.begin();
        postponed += usize::from(read(&mut harness, 1) == Err(STORAGE));
        harness.event(Event::Shutdown);
        let mut harness = harness.restart();
        assert_eq!(read(&mut harness, 1).unwrap().len(), 4, "call {call}");
    }
    assert!(postponed > 10, "{postponed}");
}

#[test]
fn a_flipped_bit_in_a_logs_topic_id_takes_its_partition_out_of_service() {
    let mut harness = with_durable_records();
    let file = "/b/t-1/partition.metadata";
    let mut refused = 0;
    for bit in 0..harness.file_len(file) as usize * 8 {
        harness.disk.flip_bit(Path::new(file), bit).unwrap();
        harness = harness.restart();
        match read(&mut harness, 1) {
            Ok(found) => assert_eq!(found.len(), 5, "bit {bit}"),
            Err(code) => {
                assert_eq!(code, STORAGE, "bit {bit}");
                refused += 1;
            }
        }
        harness.disk.flip_bit(Path::new(file), bit).unwrap();
    }
    assert!(refused > 300, "{refused}");
    let mut harness = harness.restart();
    assert_eq!(read(&mut harness, 1).unwrap().len(), 5, "the damage was mended");
}

#[test]
fn damage_that_a_reader_meets_takes_its_partition_out_of_service() {
    let mut harness = with_durable_records().restart();
    let length = harness.file_len(LOG);
    // The format of the second batch.
    let bit = (length as usize / 5 + 16) * 8;
    harness.disk.flip_bit(Path::new(LOG), bit).unwrap();
    let mut codes = Vec::new();
    for _ in 0..2 {
        codes.push(read(&mut harness, 1).unwrap_err());
    }
    assert_eq!(codes, [STORAGE, STORAGE]);
    assert_eq!(append(&mut harness, 1, "b"), STORAGE);
    assert_eq!(append(&mut harness, 0, "a"), NONE);
    harness.pass_ms(120_000);
    for _ in 0..2 {
        harness = harness.restart();
        harness.pass_ms(120_000);
        assert_eq!(harness.file_len(LOG), length, "nothing is cut off");
    }
    delete_topic(&mut harness);
    assert!(
        !harness.names("/b").iter().any(|name| name.starts_with("t-1")),
        "{:?}",
        harness.names("/b")
    );
}

#[test]
fn a_disk_that_cannot_be_read_takes_its_directory() {
    let mut harness = with_durable_records().restart();
    harness.disk.fail_call(harness.disk.calls(), Fault::Io);
    assert_eq!(read(&mut harness, 1), Err(STORAGE));
    assert_eq!(append(&mut harness, 1, "b"), STORAGE);
    assert_eq!(append(&mut harness, 0, "a"), NONE);
}

#[test]
fn logs_of_a_directory_that_is_not_there_are_not_made_anew_and_empty() {
    let harness = with_durable_records();
    // Not mounted: something else lies there.
    harness
        .disk
        .rename(Path::new("/b"), Path::new("/elsewhere"))
        .unwrap();
    let mut harness = harness.restart();
    for topic in ["new", "newer"] {
        assert_eq!(append(&mut harness, 1, "b"), STORAGE);
        assert_eq!(read(&mut harness, 1), Err(STORAGE));
        assert_eq!(append(&mut harness, 0, "a"), NONE);
        harness.create_topic(topic, 2, &[]);
        let request = super::log::produce_to(topic, -1, &[(0, batch(&["a"])), (1, batch(&["a"]))]);
        let answer = partitions_of(harness.ask(9, &request));
        assert!(
            answer.iter().all(|partition| partition.error_code == NONE),
            "{answer:?}"
        );
        harness = harness.restart();
    }
    harness.disk.remove_dir_all(Path::new("/b")).unwrap();
    harness
        .disk
        .rename(Path::new("/elsewhere"), Path::new("/b"))
        .unwrap();
    let mut harness = harness.restart();
    assert_eq!(read(&mut harness, 1).unwrap().len(), 5, "it is mounted again");
}
