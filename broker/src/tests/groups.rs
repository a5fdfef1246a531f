//! Groups, from finding a coordinator to offsets that survive a crash.

use klamm_protocol::ErrorCode;
use klamm_protocol::messages::find_coordinator::FindCoordinatorRequest;
use klamm_protocol::messages::offset_commit::{
    OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use klamm_protocol::messages::offset_fetch::{OffsetFetchRequest, OffsetFetchRequestTopic};

use super::{Harness, answered};

fn find_coordinator(harness: &mut Harness) -> ErrorCode {
    let request = FindCoordinatorRequest {
        key: "g".into(),
        ..Default::default()
    };
    answered!(FindCoordinator, harness.ask(2, &request)).error_code
}

fn commit(offset: i64) -> OffsetCommitRequest {
    let partition = OffsetCommitRequestPartition {
        committed_offset: offset,
        committed_metadata: Some("m".into()),
        ..Default::default()
    };
    OffsetCommitRequest {
        group_id: "g".into(),
        generation_id_or_member_epoch: -1,
        topics: vec![OffsetCommitRequestTopic {
            name: "t".into(),
            partitions: vec![partition],
            ..Default::default()
        }],
        ..Default::default()
    }
}

fn fetch_committed(harness: &mut Harness) -> Result<i64, ErrorCode> {
    let topic = OffsetFetchRequestTopic {
        name: "t".into(),
        partition_indexes: vec![0],
    };
    let request = OffsetFetchRequest {
        group_id: "g".into(),
        topics: Some(vec![topic]),
        ..Default::default()
    };
    let answer = answered!(OffsetFetch, harness.ask(5, &request));
    match answer.error_code {
        ErrorCode::NONE => Ok(answer.topics[0].partitions[0].committed_offset),
        code => Err(code),
    }
}

fn committed(harness: &mut Harness) -> i64 {
    fetch_committed(harness).expect("the coordinator serves")
}

#[test]
fn a_coordinator_whose_log_is_not_open_yet_is_loading() {
    let mut harness = Harness::new(&[("offsets.topic.num.partitions", "3")]);
    harness.create_topic("t", 1, &[]);
    find_coordinator(&mut harness);
    harness.ask(7, &commit(42));
    let mut harness = harness.restart_slowly();
    assert_eq!(
        find_coordinator(&mut harness),
        ErrorCode::NONE,
        "it is this broker"
    );
    assert_eq!(
        fetch_committed(&mut harness),
        Err(ErrorCode::COORDINATOR_LOAD_IN_PROGRESS)
    );
    harness.begin();
    assert_eq!(committed(&mut harness), 42);
}

#[test]
fn asking_for_a_coordinator_creates_its_topic() {
    let mut harness = Harness::new(&[("offsets.topic.num.partitions", "3")]);
    assert_eq!(
        find_coordinator(&mut harness),
        ErrorCode::COORDINATOR_NOT_AVAILABLE
    );
    assert_eq!(find_coordinator(&mut harness), ErrorCode::NONE);
}

#[test]
fn a_commit_is_answered_when_it_is_written_and_survives_a_crash() {
    let mut harness = Harness::new(&[("offsets.topic.num.partitions", "3")]);
    harness.create_topic("t", 1, &[]);
    find_coordinator(&mut harness);
    harness.stall_lanes();
    let request = harness.send(7, &commit(42));
    assert!(harness.answer(request).is_none(), "its record is not written");
    harness.resume_lanes();
    let answer = answered!(OffsetCommit, harness.answer(request).expect("written"));
    assert_eq!(answer.topics[0].partitions[0].error_code, ErrorCode::NONE);
    assert_eq!(committed(&mut harness), 42);
    let mut harness = harness.restart();
    assert_eq!(committed(&mut harness), 42);
}
