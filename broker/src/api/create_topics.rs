//! CreateTopics (key 19): the controller decides; the answer leaves when the topics' logs are open here, so that
//! a client that was told "created" can write at once.

use std::collections::BTreeSet;

use klamm_consensus::{ControllerRequest, ControllerResponse, CreatedTopic, NewTopic, Refusal};
use klamm_protocol::ids::BrokerId;
use klamm_protocol::messages::create_topics::{
    CreatableTopic, CreatableTopicConfigs, CreatableTopicResult, CreateTopicsRequest, CreateTopicsResponse,
};
use klamm_protocol::{ErrorCode, Str};

use crate::api::{Caller, describe_configs, refusal};
use crate::node::Node;

/// Handles a request.
pub(crate) fn handle(node: &mut Node, caller: Caller, request: CreateTopicsRequest) {
    let names: BTreeSet<Str> = request.topics.iter().map(|topic| topic.name.clone()).collect();
    let topics = request.topics.into_iter().map(new_topic).collect();
    let validate_only = request.validate_only;
    let timeout_ms = u64::try_from(request.timeout_ms).unwrap_or(0);
    let request = ControllerRequest::CreateTopics {
        topics,
        validate_only,
    };
    node.ask_controller(request, timeout_ms, move |node, answer| {
        let results = match answer {
            Ok(ControllerResponse::CreateTopics(results)) => results,
            other => {
                let refusal = refusal(other);
                names
                    .into_iter()
                    .map(|name| (name, Err(refusal.clone())))
                    .collect()
            }
        };
        answer_when_open(node, caller, results, timeout_ms);
    });
}

fn new_topic(topic: CreatableTopic) -> NewTopic {
    let assignments = topic.assignments.into_iter();
    NewTopic {
        name: topic.name,
        partitions: topic.num_partitions,
        replication_factor: topic.replication_factor,
        assignments: assignments
            .map(|each| {
                (
                    each.partition_index,
                    each.broker_ids.into_iter().map(BrokerId).collect(),
                )
            })
            .collect(),
        configs: topic
            .configs
            .into_iter()
            .map(|config| (config.name, config.value))
            .collect(),
    }
}

fn answer_when_open(
    node: &mut Node,
    caller: Caller,
    results: Vec<(Str, Result<CreatedTopic, Refusal>)>,
    timeout_ms: u64,
) {
    let created: Vec<_> = results
        .iter()
        .filter_map(|(_, result)| Some(result.as_ref().ok()?.id))
        .collect();
    node.when_topics_open(&created, timeout_ms, move |node| {
        let topics = results
            .into_iter()
            .map(|(name, result)| match result {
                Ok(created) => describe(node, name, &created),
                Err(refusal) => refused(name, &refusal),
            })
            .collect();
        node.answer(
            &caller,
            CreateTopicsResponse {
                topics,
                ..CreateTopicsResponse::default()
            },
        );
    });
}

fn describe(node: &Node, name: Str, created: &CreatedTopic) -> CreatableTopicResult {
    let overrides = created
        .configs
        .iter()
        .map(|(name, value)| (name.to_string(), value.to_string()))
        .collect();
    let configs = describe_configs::of_topic(node, &overrides)
        .into_iter()
        .map(|config| CreatableTopicConfigs {
            name: config.setting.name.into(),
            value: config.value.map(Str::from),
            read_only: config.read_only,
            config_source: config.source as i8,
            is_sensitive: config.setting.is_sensitive(),
        });
    CreatableTopicResult {
        name,
        topic_id: created.id.0,
        error_code: ErrorCode::NONE,
        error_message: None,
        num_partitions: created.partitions,
        replication_factor: created.replication_factor,
        configs: Some(configs.collect()),
        ..CreatableTopicResult::default()
    }
}

fn refused(name: Str, refusal: &Refusal) -> CreatableTopicResult {
    CreatableTopicResult {
        name,
        error_code: refusal.code,
        error_message: refusal.message.clone(),
        num_partitions: -1,
        replication_factor: -1,
        configs: Some(Vec::new()),
        ..CreatableTopicResult::default()
    }
}
