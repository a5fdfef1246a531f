//! Metadata, topics, settings.

use klamm_protocol::messages::api_versions::ApiVersionsRequest;
use klamm_protocol::messages::create_partitions::{CreatePartitionsRequest, CreatePartitionsTopic};
use klamm_protocol::messages::describe_configs::{DescribeConfigsRequest, DescribeConfigsResource};
use klamm_protocol::messages::describe_topic_partitions::{DescribeTopicPartitionsRequest, TopicRequest};
use klamm_protocol::messages::incremental_alter_configs::{
    AlterConfigsResource, AlterableConfig, IncrementalAlterConfigsRequest,
};
use klamm_protocol::messages::init_producer_id::InitProducerIdRequest;
use klamm_protocol::messages::metadata::{MetadataRequest, MetadataRequestTopic, MetadataResponse};
use klamm_protocol::{ErrorCode, Uuid};

use super::{Harness, answered};

fn metadata(harness: &mut Harness, version: i16, names: Option<&[&'static str]>) -> MetadataResponse {
    let topic = |name: &&'static str| MetadataRequestTopic {
        name: Some((*name).into()),
        ..Default::default()
    };
    let topics = names.map(|names| names.iter().map(topic).collect());
    let request = MetadataRequest {
        topics,
        ..Default::default()
    };
    answered!(Metadata, harness.ask(version, &request))
}

#[test]
fn version_0_has_an_empty_list_ask_for_all_and_later_ones_have_null() {
    let mut harness = Harness::new(&[]);
    harness.create_topic("t", 2, &[]);
    assert_eq!(metadata(&mut harness, 0, Some(&[])).topics.len(), 1);
    assert_eq!(metadata(&mut harness, 1, Some(&[])).topics.len(), 0);
    let all = metadata(&mut harness, 12, None);
    assert_eq!(all.topics[0].partitions.len(), 2);
    assert_eq!(
        (all.brokers[0].node_id, &*all.brokers[0].host, all.brokers[0].port),
        (1, "127.0.0.1", 9092)
    );
}

#[test]
fn naming_a_topic_creates_it_where_that_is_allowed() {
    let mut harness = Harness::new(&[]);
    let first = metadata(&mut harness, 9, Some(&["t"]));
    assert_eq!(first.topics[0].error_code, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
    assert_eq!(
        metadata(&mut harness, 9, Some(&["t"])).topics[0].error_code,
        ErrorCode::NONE
    );
    let mut harness = Harness::new(&[("auto.create.topics.enable", "false")]);
    for _ in 0..2 {
        let answer = metadata(&mut harness, 9, Some(&["t"]));
        assert_eq!(answer.topics[0].error_code, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
    }
    let invalid = metadata(&mut harness, 9, Some(&["a b"]));
    assert_eq!(invalid.topics[0].error_code, ErrorCode::INVALID_TOPIC_EXCEPTION);
}

#[test]
fn one_request_creates_only_so_many_topics_and_the_next_one_goes_on() {
    let mut harness = Harness::new(&[]);
    let names: Vec<String> = (0..250).map(|n| format!("t{n}")).collect();
    let topic = |name: &String| MetadataRequestTopic {
        name: Some(name.as_str().to_owned().into()),
        ..Default::default()
    };
    let request = MetadataRequest {
        topics: Some(names.iter().map(topic).collect()),
        ..Default::default()
    };
    for exist in [0, 100, 200, 250] {
        let answer = answered!(Metadata, harness.ask(9, &request));
        let found = answer
            .topics
            .iter()
            .filter(|topic| topic.error_code == ErrorCode::NONE);
        assert_eq!(found.count(), exist);
    }
}

#[test]
fn what_may_be_done_is_told_to_those_who_ask() {
    let mut harness = Harness::new(&[]);
    harness.create_topic("t", 1, &[]);
    let request = MetadataRequest {
        topics: None,
        include_cluster_authorized_operations: true,
        include_topic_authorized_operations: true,
        ..Default::default()
    };
    let answer = answered!(Metadata, harness.ask(8, &request));
    assert_eq!(
        (
            answer.cluster_authorized_operations,
            answer.topics[0].topic_authorized_operations
        ),
        (8096, 3576)
    );
    let answer = metadata(&mut harness, 8, None);
    assert_eq!(answer.cluster_authorized_operations, i32::MIN);
    // Of a topic that is not there as well, unless it has no name.
    let by_name = MetadataRequestTopic {
        name: Some("a/b".into()),
        ..Default::default()
    };
    let by_id = MetadataRequestTopic {
        topic_id: Uuid([7; 16]),
        ..Default::default()
    };
    let request = MetadataRequest {
        topics: Some(vec![by_name, by_id]),
        include_topic_authorized_operations: true,
        ..Default::default()
    };
    let answer = answered!(Metadata, harness.ask(12, &request));
    let told = answer
        .topics
        .iter()
        .map(|topic| topic.topic_authorized_operations);
    assert_eq!(told.collect::<Vec<_>>(), [3576, i32::MIN]);
    let request = DescribeTopicPartitionsRequest {
        topics: vec![TopicRequest { name: "a/b".into() }],
        ..Default::default()
    };
    let answer = answered!(DescribeTopicPartitions, harness.ask(0, &request));
    assert_eq!(answer.topics[0].topic_authorized_operations, 3576);
}

#[test]
fn every_version_of_api_versions_and_metadata_is_answered() {
    let mut harness = Harness::new(&[]);
    harness.create_topic("t", 1, &[]);
    for version in 0..=5 {
        let request = ApiVersionsRequest {
            client_software_name: "t".into(),
            client_software_version: "1".into(),
            ..Default::default()
        };
        assert_eq!(
            answered!(ApiVersions, harness.ask(version, &request)).error_code,
            ErrorCode::NONE
        );
    }
    for version in 0..=13 {
        assert_eq!(
            metadata(&mut harness, version, Some(&["t"])).topics[0].error_code,
            ErrorCode::NONE
        );
    }
}

#[test]
fn a_topic_is_created_once_and_grows_but_never_shrinks() {
    let mut harness = Harness::new(&[]);
    harness.create_topic("t", 1, &[]);
    assert_eq!(
        harness.try_create_topic("t", 1, &[]),
        ErrorCode::TOPIC_ALREADY_EXISTS
    );
    assert_eq!(
        harness.try_create_topic("a b", 1, &[]),
        ErrorCode::INVALID_TOPIC_EXCEPTION
    );
    assert_eq!(
        harness.try_create_topic("u", 1, &[("no.such", "1")]),
        ErrorCode::INVALID_CONFIG
    );
    for (count, expected) in [(3, ErrorCode::NONE), (2, ErrorCode::INVALID_PARTITIONS)] {
        let topic = CreatePartitionsTopic {
            name: "t".into(),
            count,
            assignments: None,
        };
        let request = CreatePartitionsRequest {
            topics: vec![topic],
            timeout_ms: 1_000,
            ..Default::default()
        };
        let answer = answered!(CreatePartitions, harness.ask(3, &request));
        assert_eq!(answer.results[0].error_code, expected);
    }
    assert_eq!(metadata(&mut harness, 12, None).topics[0].partitions.len(), 3);
}

#[test]
fn a_setting_that_is_altered_is_described_and_obeyed() {
    let mut harness = Harness::new(&[]);
    harness.create_topic("t", 1, &[]);
    let config = AlterableConfig {
        name: "max.message.bytes".into(),
        config_operation: 0,
        value: Some("1234".into()),
    };
    let resource = AlterConfigsResource {
        resource_type: 2,
        resource_name: "t".into(),
        configs: vec![config],
    };
    let request = IncrementalAlterConfigsRequest {
        resources: vec![resource],
        ..Default::default()
    };
    let answer = answered!(IncrementalAlterConfigs, harness.ask(1, &request));
    assert_eq!(answer.responses[0].error_code, ErrorCode::NONE);
    let resource = DescribeConfigsResource {
        resource_type: 2,
        resource_name: "t".into(),
        configuration_keys: Some(vec!["max.message.bytes".into()]),
    };
    let request = DescribeConfigsRequest {
        resources: vec![resource],
        ..Default::default()
    };
    let answer = answered!(DescribeConfigs, harness.ask(4, &request));
    let config = &answer.results[0].configs[0];
    assert_eq!((config.value.as_deref(), config.config_source), (Some("1234"), 1));
    let key = harness
        .node
        .partitions
        .iter()
        .next()
        .map(|(key, _)| *key)
        .unwrap();
    assert_eq!(
        harness
            .node
            .partitions
            .get_online(&key)
            .unwrap()
            .config
            .max_message_bytes,
        1234
    );
}

/// The harness encodes every answer, so a field that a version lacks is noticed here.
#[test]
fn every_setting_of_a_topic_is_described_in_every_version() {
    let mut harness = Harness::new(&[]);
    harness.create_topic("t", 1, &[]);
    for version in 0..=4 {
        let request = DescribeConfigsRequest {
            resources: vec![DescribeConfigsResource {
                resource_type: 2,
                resource_name: "t".into(),
                configuration_keys: None,
            }],
            include_synonyms: version >= 1,
            include_documentation: version >= 3,
        };
        let answer = answered!(DescribeConfigs, harness.ask(version, &request));
        let configs = &answer.results[0].configs;
        let policy = configs
            .iter()
            .find(|config| *config.name == *"cleanup.policy")
            .unwrap();
        assert_eq!(policy.value.as_deref(), Some("delete"));
        assert_eq!(
            policy.is_default,
            version == 0,
            "told by the source from version 1 on"
        );
        assert_eq!(policy.config_source, 5);
    }
}

#[test]
fn producer_ids_are_given_out_once_even_over_a_restart() {
    let mut harness = Harness::new(&[]);
    let next = |harness: &mut Harness| {
        let request = InitProducerIdRequest {
            transactional_id: None,
            ..Default::default()
        };
        let answer = answered!(InitProducerId, harness.ask(4, &request));
        assert_eq!(answer.error_code, ErrorCode::NONE);
        answer.producer_id
    };
    let (first, second) = (next(&mut harness), next(&mut harness));
    assert_eq!(second, first + 1);
    let mut harness = harness.restart();
    assert!(next(&mut harness) > second);
}
