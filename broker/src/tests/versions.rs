//! Every API in every version of the table: what is answered can be said in the version that was asked in.
//!
//! The harness encodes every answer, so an answer that does not fit fails here.

use klamm_protocol::messages::*;
use klamm_protocol::{Message, Uuid};

use super::{Harness, batch};
use crate::router::{SERVED, Served, served};

/// Asks in every version; each request must be answered, sooner or later.
fn in_every_version<M: Message>(harness: &mut Harness, request: impl Fn(i16, Uuid) -> M) {
    let row = served(M::SCHEMA.key.unwrap()).expect("the API is served");
    for version in row.min..=row.max {
        let id = harness
            .node
            .cluster
            .topic_by_name("t")
            .expect("the topic is there")
            .id;
        let sequence = harness.send(version, &request(version, id.0));
        if harness.answer(sequence).is_none() {
            harness.pass_ms(60_000);
            assert!(harness.answer(sequence).is_some(), "{} {version}", row.name);
        }
    }
}

fn harness() -> Harness {
    let mut harness = Harness::new(&[("offsets.topic.num.partitions", "2")]);
    harness.create_topic("t", 2, &[("retention.ms", "1000")]);
    let find = find_coordinator::FindCoordinatorRequest {
        key: "g".into(),
        ..Default::default()
    };
    harness.ask(0, &find);
    harness
}

#[test]
fn logs_answer_in_every_version() {
    let mut harness = harness();
    let harness = &mut harness;
    for name in ["t", "missing"] {
        in_every_version(harness, |version, id| {
            let partition = |index| produce::PartitionProduceData {
                index,
                records: Some(batch(&["a"])),
            };
            let topic = produce::TopicProduceData {
                name: if version < 13 {
                    name.into()
                } else {
                    Default::default()
                },
                topic_id: if version < 13 || name == "missing" {
                    Uuid::ZERO
                } else {
                    id
                },
                partition_data: vec![partition(0), partition(9)],
            };
            let topic_data = vec![topic];
            produce::ProduceRequest {
                acks: -1,
                timeout_ms: 1_000,
                topic_data,
                ..Default::default()
            }
        });
        in_every_version(harness, |version, id| {
            let partition = |partition, fetch_offset| fetch::FetchPartition {
                partition,
                fetch_offset,
                partition_max_bytes: 1 << 20,
                ..Default::default()
            };
            let topic = fetch::FetchTopic {
                topic: if version < 13 {
                    name.into()
                } else {
                    Default::default()
                },
                topic_id: if version < 13 || name == "missing" {
                    Uuid::ZERO
                } else {
                    id
                },
                partitions: vec![partition(0, 0), partition(0, 1 << 40), partition(9, 0)],
            };
            fetch::FetchRequest {
                min_bytes: 1,
                isolation_level: i8::from(version >= 4),
                session_epoch: if version >= 7 { 0 } else { -1 },
                topics: vec![topic],
                ..Default::default()
            }
        });
        for timestamp in [-1, -2, -3, 0] {
            in_every_version(harness, |_, _| {
                let partition = |partition_index| list_offsets::ListOffsetsPartition {
                    partition_index,
                    timestamp,
                    ..Default::default()
                };
                let partitions = vec![partition(0), partition(9)];
                let topic = list_offsets::ListOffsetsTopic {
                    name: name.into(),
                    partitions,
                };
                list_offsets::ListOffsetsRequest {
                    topics: vec![topic],
                    ..Default::default()
                }
            });
        }
        in_every_version(harness, |_, _| {
            let partition = |partition| offset_for_leader_epoch::OffsetForLeaderPartition {
                partition,
                ..Default::default()
            };
            let partitions = vec![partition(0), partition(9)];
            let topic = offset_for_leader_epoch::OffsetForLeaderTopic {
                topic: name.into(),
                partitions,
            };
            offset_for_leader_epoch::OffsetForLeaderEpochRequest {
                topics: vec![topic],
                ..Default::default()
            }
        });
        in_every_version(harness, |_, _| {
            let partition = |partition_index| delete_records::DeleteRecordsPartition {
                partition_index,
                offset: -1,
            };
            let partitions = vec![partition(0), partition(9)];
            let topic = delete_records::DeleteRecordsTopic {
                name: name.into(),
                partitions,
            };
            delete_records::DeleteRecordsRequest {
                topics: vec![topic],
                timeout_ms: 1_000,
            }
        });
        in_every_version(harness, |_, _| {
            let topic = describe_producers::TopicRequest {
                name: name.into(),
                partition_indexes: vec![0, 9],
            };
            describe_producers::DescribeProducersRequest { topics: vec![topic] }
        });
    }
}

#[test]
fn topics_answer_in_every_version() {
    let mut harness = harness();
    let harness = &mut harness;
    for name in ["t", "missing"] {
        in_every_version(harness, |version, _| metadata::MetadataRequest {
            topics: Some(vec![metadata::MetadataRequestTopic {
                name: Some(name.into()),
                ..Default::default()
            }]),
            allow_auto_topic_creation: version < 4,
            include_cluster_authorized_operations: (8..=10).contains(&version),
            include_topic_authorized_operations: version >= 8,
        });
        in_every_version(harness, |_, _| {
            let topics = vec![describe_topic_partitions::TopicRequest { name: name.into() }];
            describe_topic_partitions::DescribeTopicPartitionsRequest {
                topics,
                ..Default::default()
            }
        });
        in_every_version(harness, |_, _| {
            let topic = create_partitions::CreatePartitionsTopic {
                name: name.into(),
                count: 1,
                assignments: None,
            };
            create_partitions::CreatePartitionsRequest {
                topics: vec![topic],
                timeout_ms: 1_000,
                ..Default::default()
            }
        });
        in_every_version(harness, |_, _| {
            let partitions = vec![0, 9];
            let topic = elect_leaders::TopicPartitions {
                topic: name.into(),
                partitions,
            };
            let topic_partitions = Some(vec![topic]);
            elect_leaders::ElectLeadersRequest {
                topic_partitions,
                ..Default::default()
            }
        });
        in_every_version(harness, |_, _| {
            let partition = alter_partition_reassignments::ReassignablePartition {
                replicas: Some(vec![1]),
                ..Default::default()
            };
            let partitions = vec![partition];
            let topic = alter_partition_reassignments::ReassignableTopic {
                name: name.into(),
                partitions,
            };
            let topics = vec![topic];
            alter_partition_reassignments::AlterPartitionReassignmentsRequest {
                topics,
                ..Default::default()
            }
        });
    }
    in_every_version(harness, |version, _| {
        let topic = create_topics::CreatableTopic {
            name: format!("made-in-{version}").into(),
            num_partitions: 1,
            replication_factor: 1,
            ..Default::default()
        };
        create_topics::CreateTopicsRequest {
            topics: vec![topic],
            timeout_ms: 1_000,
            ..Default::default()
        }
    });
    for prefix in ["made-in", "missing"] {
        in_every_version(harness, |version, _| {
            let name = format!("{prefix}-{version}");
            let state = delete_topics::DeleteTopicState {
                name: Some(name.clone().into()),
                ..Default::default()
            };
            delete_topics::DeleteTopicsRequest {
                topics: if version >= 6 { vec![state] } else { Vec::new() },
                topic_names: if version >= 6 {
                    Vec::new()
                } else {
                    vec![name.into()]
                },
                timeout_ms: 1_000,
            }
        });
    }
    in_every_version(harness, |_, _| {
        list_partition_reassignments::ListPartitionReassignmentsRequest::default()
    });
}

#[test]
fn settings_and_the_cluster_answer_in_every_version() {
    let mut harness = harness();
    let harness = &mut harness;
    for (resource_type, name) in [(2, "t"), (2, "missing"), (4, "1"), (4, ""), (4, "9"), (8, "1")] {
        in_every_version(harness, |version, _| {
            let resource = describe_configs::DescribeConfigsResource {
                resource_type,
                resource_name: name.into(),
                configuration_keys: None,
            };
            describe_configs::DescribeConfigsRequest {
                resources: vec![resource],
                include_synonyms: version >= 1,
                include_documentation: version >= 3,
            }
        });
        in_every_version(harness, |_, _| {
            let resource = alter_configs::AlterConfigsResource {
                resource_type,
                resource_name: name.into(),
                configs: Vec::new(),
            };
            alter_configs::AlterConfigsRequest {
                resources: vec![resource],
                validate_only: true,
            }
        });
        in_every_version(harness, |_, _| {
            let config = incremental_alter_configs::AlterableConfig {
                name: "retention.ms".into(),
                config_operation: 7,
                value: None,
            };
            let resource = incremental_alter_configs::AlterConfigsResource {
                resource_type,
                resource_name: name.into(),
                configs: vec![config],
            };
            let resources = vec![resource];
            incremental_alter_configs::IncrementalAlterConfigsRequest {
                resources,
                validate_only: true,
            }
        });
    }
    in_every_version(harness, |_, _| {
        describe_cluster::DescribeClusterRequest::default()
    });
    in_every_version(harness, |_, _| {
        list_config_resources::ListConfigResourcesRequest::default()
    });
    in_every_version(harness, |_, _| {
        alter_replica_log_dirs::AlterReplicaLogDirsRequest {
            dirs: vec![alter_replica_log_dirs::AlterReplicaLogDir {
                path: "/a".into(),
                topics: vec![alter_replica_log_dirs::AlterReplicaLogDirTopic {
                    name: "t".into(),
                    partitions: vec![0, 9],
                }],
            }],
        }
    });
    in_every_version(harness, |_, _| describe_quorum::DescribeQuorumRequest {
        topics: vec![Default::default()],
    });
    in_every_version(harness, |_, _| describe_acls::DescribeAclsRequest::default());
    in_every_version(harness, |_, _| create_acls::CreateAclsRequest {
        creations: vec![Default::default()],
    });
    in_every_version(harness, |_, _| delete_acls::DeleteAclsRequest {
        filters: vec![Default::default()],
    });
    in_every_version(harness, |_, _| {
        describe_client_quotas::DescribeClientQuotasRequest {
            components: vec![Default::default()],
            ..Default::default()
        }
    });
    in_every_version(harness, |_, _| {
        describe_user_scram_credentials::DescribeUserScramCredentialsRequest {
            users: Some(vec![Default::default()]),
        }
    });
    in_every_version(harness, |_, _| describe_log_dirs::DescribeLogDirsRequest {
        topics: None,
    });
    in_every_version(harness, |_, _| sasl_handshake::SaslHandshakeRequest::default());
    in_every_version(harness, |_, _| {
        sasl_authenticate::SaslAuthenticateRequest::default()
    });
    in_every_version(harness, |_, _| init_producer_id::InitProducerIdRequest {
        transactional_id: Some("x".into()),
        ..Default::default()
    });
}

#[test]
fn groups_answer_in_every_version() {
    let mut harness = harness();
    let harness = &mut harness;
    for key_type in [0, 1] {
        in_every_version(harness, |version, _| find_coordinator::FindCoordinatorRequest {
            key: if version < 4 {
                "g".into()
            } else {
                Default::default()
            },
            key_type: if version < 1 { 0 } else { key_type },
            coordinator_keys: if version < 4 {
                Vec::new()
            } else {
                vec!["g".into(), "h".into()]
            },
        });
    }
    in_every_version(harness, |version, _| join_group::JoinGroupRequest {
        group_id: format!("join-{version}").into(),
        session_timeout_ms: 10_000,
        rebalance_timeout_ms: if version < 1 { -1 } else { 10_000 },
        protocol_type: "consumer".into(),
        protocols: vec![join_group::JoinGroupRequestProtocol {
            name: "range".into(),
            ..Default::default()
        }],
        ..Default::default()
    });
    in_every_version(harness, |_, _| sync_group::SyncGroupRequest {
        group_id: "g".into(),
        ..Default::default()
    });
    in_every_version(harness, |_, _| heartbeat::HeartbeatRequest {
        group_id: "g".into(),
        ..Default::default()
    });
    in_every_version(harness, |version, _| leave_group::LeaveGroupRequest {
        group_id: "g".into(),
        members: if version < 3 {
            Vec::new()
        } else {
            vec![Default::default()]
        },
        ..Default::default()
    });
    in_every_version(harness, |version, id| {
        let topic = offset_commit::OffsetCommitRequestTopic {
            name: if version < 10 {
                "t".into()
            } else {
                Default::default()
            },
            topic_id: if version < 10 { Uuid::ZERO } else { id },
            partitions: vec![Default::default()],
        };
        let topics = vec![topic];
        offset_commit::OffsetCommitRequest {
            group_id: "g".into(),
            topics,
            ..Default::default()
        }
    });
    in_every_version(harness, |version, id| {
        let topic = offset_fetch::OffsetFetchRequestTopics {
            name: if version < 10 {
                "t".into()
            } else {
                Default::default()
            },
            topic_id: if version < 10 { Uuid::ZERO } else { id },
            partition_indexes: vec![0],
        };
        let group = offset_fetch::OffsetFetchRequestGroup {
            group_id: "g".into(),
            topics: Some(vec![topic]),
            ..Default::default()
        };
        let old = offset_fetch::OffsetFetchRequestTopic {
            name: "t".into(),
            partition_indexes: vec![0],
        };
        offset_fetch::OffsetFetchRequest {
            group_id: if version < 8 {
                "g".into()
            } else {
                Default::default()
            },
            topics: if version < 8 {
                Some(vec![old])
            } else {
                Some(Vec::new())
            },
            groups: if version < 8 { Vec::new() } else { vec![group] },
            ..Default::default()
        }
    });
    in_every_version(harness, |_, _| describe_groups::DescribeGroupsRequest {
        groups: vec!["g".into(), "h".into()],
        ..Default::default()
    });
    in_every_version(harness, |_, _| list_groups::ListGroupsRequest::default());
    in_every_version(harness, |_, _| delete_groups::DeleteGroupsRequest {
        groups_names: vec!["h".into()],
    });
    in_every_version(harness, |_, _| offset_delete::OffsetDeleteRequest {
        group_id: "g".into(),
        ..Default::default()
    });
}

#[test]
fn no_api_of_the_table_is_forgotten_here() {
    let tests = include_str!("versions.rs");
    let asked = |row: &&Served| tests.contains(&format!("{}Request", row.name));
    let forgotten: Vec<_> = SERVED
        .iter()
        .filter(|row| !asked(row))
        .map(|row| row.name)
        .collect();
    // Those two are asked in every version by tests of their own.
    assert_eq!(forgotten, ["ApiVersions"]);
}

#[test]
fn transactions_answer_in_every_version() {
    let mut harness = harness();
    let harness = &mut harness;
    let find = find_coordinator::FindCoordinatorRequest {
        key: "x".into(),
        key_type: 1,
        ..Default::default()
    };
    harness.ask(2, &find);
    in_every_version(harness, |_, _| init_producer_id::InitProducerIdRequest {
        transactional_id: Some("x".into()),
        transaction_timeout_ms: 1_000,
        ..Default::default()
    });
    in_every_version(harness, |version, _| {
        let topic = add_partitions_to_txn::AddPartitionsToTxnTopic {
            name: "t".into(),
            partitions: vec![0, 7],
        };
        let mut request = add_partitions_to_txn::AddPartitionsToTxnRequest::default();
        if version < 4 {
            request.v3_and_below_transactional_id = "x".into();
            request.v3_and_below_topics = vec![topic];
        } else {
            let transaction = |verify_only| add_partitions_to_txn::AddPartitionsToTxnTransaction {
                transactional_id: "x".into(),
                topics: vec![topic.clone()],
                verify_only,
                ..Default::default()
            };
            request.transactions = vec![transaction(false), transaction(true)];
        }
        request
    });
    in_every_version(harness, |_, _| add_offsets_to_txn::AddOffsetsToTxnRequest {
        transactional_id: "x".into(),
        group_id: "g".into(),
        ..Default::default()
    });
    in_every_version(harness, |_, _| end_txn::EndTxnRequest {
        transactional_id: "x".into(),
        ..Default::default()
    });
    in_every_version(harness, |version, id| {
        let mut topic = txn_offset_commit::TxnOffsetCommitRequestTopic {
            partitions: vec![Default::default()],
            ..Default::default()
        };
        if version < 6 {
            topic.name = "t".into();
        } else {
            topic.topic_id = id;
        }
        txn_offset_commit::TxnOffsetCommitRequest {
            transactional_id: "x".into(),
            group_id: "g".into(),
            topics: vec![topic],
            ..Default::default()
        }
    });
    in_every_version(harness, |_, _| write_txn_markers::WriteTxnMarkersRequest {
        markers: vec![write_txn_markers::WritableTxnMarker {
            topics: vec![write_txn_markers::WritableTxnMarkerTopic {
                name: "t".into(),
                partition_indexes: vec![0, 7],
            }],
            ..Default::default()
        }],
    });
    in_every_version(harness, |_, _| {
        describe_transactions::DescribeTransactionsRequest {
            transactional_ids: vec!["x".into(), "y".into()],
        }
    });
    in_every_version(harness, |_, _| {
        list_transactions::ListTransactionsRequest::default()
    });
}
