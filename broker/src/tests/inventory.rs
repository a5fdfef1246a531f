//! What an operator asks about: disks, the quorum, users.

use klamm_protocol::ErrorCode;
use klamm_protocol::messages::alter_replica_log_dirs::{
    AlterReplicaLogDir, AlterReplicaLogDirTopic, AlterReplicaLogDirsRequest,
};
use klamm_protocol::messages::describe_client_quotas::{ComponentData, DescribeClientQuotasRequest};
use klamm_protocol::messages::describe_configs::{DescribeConfigsRequest, DescribeConfigsResource};
use klamm_protocol::messages::describe_log_dirs::{DescribeLogDirsRequest, DescribeLogDirsResult};
use klamm_protocol::messages::describe_quorum::{DescribeQuorumRequest, PartitionData, TopicData};
use klamm_protocol::messages::describe_user_scram_credentials::{
    DescribeUserScramCredentialsRequest, UserName,
};
use klamm_protocol::messages::elect_leaders::{ElectLeadersRequest, TopicPartitions};

use super::{Harness, answered};

fn log_dirs(harness: &mut Harness, version: i16) -> Vec<DescribeLogDirsResult> {
    let request = DescribeLogDirsRequest { topics: None };
    answered!(DescribeLogDirs, harness.ask(version, &request)).results
}

#[test]
fn the_room_on_each_disk_is_told_from_version_4_on() {
    let mut harness = Harness::new(&[]);
    harness.create_topic("t", 2, &[]);
    harness.disk.set_capacity(100 << 20);
    for dir in log_dirs(&mut harness, 4) {
        assert_eq!(dir.total_bytes, 100 << 20);
        assert!(
            dir.usable_bytes > 0 && dir.usable_bytes < dir.total_bytes,
            "{dir:?}"
        );
    }
    for dir in log_dirs(&mut harness, 3) {
        assert_eq!((dir.total_bytes, dir.usable_bytes), (-1, -1));
    }
}

#[test]
fn what_nobody_has_is_told_from_what_is_not_said() {
    let mut harness = Harness::new(&[]);
    harness.create_topic("t", 1, &[]);
    let mut quotas = |kind: &'static str, match_type| {
        let components = vec![ComponentData {
            entity_type: kind.into(),
            match_type,
            ..Default::default()
        }];
        let request = DescribeClientQuotasRequest {
            components,
            strict: false,
        };
        answered!(DescribeClientQuotas, harness.ask(1, &request)).error_code
    };
    assert_eq!(quotas("user", 1), ErrorCode::NONE);
    assert_eq!(quotas("user", 9), ErrorCode::INVALID_REQUEST);
    assert_eq!(quotas("", 1), ErrorCode::INVALID_REQUEST);
    assert_eq!(quotas("dog", 1), ErrorCode::UNSUPPORTED_VERSION);
    let mut elect = |election_type, partition| {
        let partitions = vec![partition];
        let request = ElectLeadersRequest {
            election_type,
            topic_partitions: Some(vec![TopicPartitions {
                topic: "t".into(),
                partitions,
            }]),
            ..Default::default()
        };
        let answer = answered!(ElectLeaders, harness.ask(2, &request));
        (
            answer.error_code,
            answer.replica_election_results[0].partition_result[0].error_code,
        )
    };
    assert_eq!(elect(0, 0), (ErrorCode::NONE, ErrorCode::ELECTION_NOT_NEEDED));
    assert_eq!(
        elect(1, 1),
        (ErrorCode::NONE, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)
    );
    assert_eq!(
        elect(2, 0),
        (ErrorCode::INVALID_REQUEST, ErrorCode::INVALID_REQUEST)
    );
}

#[test]
fn a_partition_stays_in_its_directory_and_nothing_is_said_to_have_moved() {
    let mut harness = Harness::new(&[]);
    harness.create_topic("t", 1, &[]);
    let dirs = log_dirs(&mut harness, 4);
    let (with, without): (Vec<_>, Vec<_>) = dirs.iter().partition(|dir| !dir.topics.is_empty());
    let (with, without) = (with[0].log_dir.clone(), without[0].log_dir.clone());
    let mut alter = |path: &str, topic: &'static str, partition| {
        let topics = vec![AlterReplicaLogDirTopic {
            name: topic.into(),
            partitions: vec![partition],
        }];
        let path = path.to_owned().into();
        let request = AlterReplicaLogDirsRequest {
            dirs: vec![AlterReplicaLogDir { path, topics }],
        };
        let answer = answered!(AlterReplicaLogDirs, harness.ask(2, &request));
        answer.results[0].partitions[0].error_code
    };
    assert_eq!(alter(&with, "t", 0), ErrorCode::NONE);
    assert_eq!(alter(&without, "t", 0), ErrorCode::UNSUPPORTED_VERSION);
    assert_eq!(alter("/nowhere", "t", 0), ErrorCode::LOG_DIR_NOT_FOUND);
    assert_eq!(alter(&with, "t", 1), ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
    assert_eq!(alter(&with, "u", 0), ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
}

#[test]
fn the_quorum_of_one_is_led_by_this_node_and_moves_with_what_is_decided() {
    let mut harness = Harness::new(&[]);
    let quorum = |harness: &mut Harness, topic: &'static str| {
        let request = DescribeQuorumRequest {
            topics: vec![TopicData {
                topic_name: topic.into(),
                partitions: vec![PartitionData { partition_index: 0 }],
            }],
        };
        let mut answer = answered!(DescribeQuorum, harness.ask(2, &request));
        let nodes: Vec<_> = answer.nodes.iter().map(|node| node.node_id).collect();
        let known = topic == "__cluster_metadata";
        assert_eq!(nodes, if known { vec![1] } else { vec![] });
        answer.topics[0].partitions.remove(0)
    };
    let before = quorum(&mut harness, "__cluster_metadata");
    assert_eq!((before.error_code, before.leader_id), (ErrorCode::NONE, 1));
    harness.create_topic("t", 1, &[]);
    let after = quorum(&mut harness, "__cluster_metadata");
    assert!(after.high_watermark > before.high_watermark);
    let [voter] = after.current_voters.as_slice() else {
        panic!("one voter")
    };
    assert_eq!(
        (voter.replica_id, voter.log_end_offset),
        (1, after.high_watermark)
    );
    let mut harness = harness.restart();
    let later = quorum(&mut harness, "__cluster_metadata");
    assert!(later.leader_epoch > after.leader_epoch, "another election");
    assert!(later.high_watermark > after.high_watermark);
    let other = quorum(&mut harness, "t");
    assert_eq!(other.error_code, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
}

#[test]
fn a_group_has_no_settings_and_other_holders_are_refused() {
    let mut harness = Harness::new(&[]);
    let mut describe = |resource_type, name: &'static str| {
        let resource = DescribeConfigsResource {
            resource_type,
            resource_name: name.into(),
            configuration_keys: None,
        };
        let request = DescribeConfigsRequest {
            resources: vec![resource],
            ..Default::default()
        };
        let mut answer = answered!(DescribeConfigs, harness.ask(4, &request));
        let result = answer.results.remove(0);
        (result.error_code, result.configs.len())
    };
    assert_eq!(describe(32, "g"), (ErrorCode::NONE, 0));
    assert_eq!(describe(32, ""), (ErrorCode::INVALID_REQUEST, 0));
    assert_eq!(describe(8, "1"), (ErrorCode::INVALID_REQUEST, 0));
}

#[test]
fn nobody_has_credentials_and_who_is_named_twice_is_told() {
    let mut harness = Harness::new(&[]);
    let mut ask = |names: &[&'static str]| {
        let user = |name: &&'static str| UserName { name: (*name).into() };
        let request = DescribeUserScramCredentialsRequest {
            users: Some(names.iter().map(user).collect()),
        };
        let answer = answered!(DescribeUserScramCredentials, harness.ask(0, &request));
        let code = |user: &klamm_protocol::messages::describe_user_scram_credentials::DescribeUserScramCredentialsResult| {
            user.error_code
        };
        answer.results.iter().map(code).collect::<Vec<_>>()
    };
    assert_eq!(ask(&[]), []);
    assert_eq!(
        ask(&["a", "b", "a"]),
        [ErrorCode::DUPLICATE_RESOURCE, ErrorCode::RESOURCE_NOT_FOUND]
    );
}
