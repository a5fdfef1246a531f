//! Creates the topics, and goes on deleting and creating some of them.

use klamm_protocol::messages::create_topics::{
    CreatableTopic, CreatableTopicConfig, CreateTopicsRequest, CreateTopicsResponse,
};
use klamm_protocol::messages::delete_topics::{DeleteTopicState, DeleteTopicsRequest, DeleteTopicsResponse};
use klamm_protocol::{ErrorCode, Str};

use super::Client;
use super::topics::{CHURN, TopicInfo, all_topics};
use crate::checker::Promise;

/// Every topic there should be, and how many partitions it has.
const TOPICS: [(&str, i32); 5] = [
    ("durable-0", 2),
    ("cached-0", 2),
    ("churn-0", 1),
    ("trimmed-durable-0", 1),
    ("compacted-durable-0", 1),
];

/// Brings topics into being until the world is calm; in the end those that are not deleted by plan are all there.
pub async fn run(mut client: Client) {
    loop {
        let Ok(topics) = all_topics(&mut client).await else {
            continue;
        };
        let missing = TOPICS
            .iter()
            .find(|(name, _)| !topics.iter().any(|topic| topic.name == *name));
        if let Some((name, partitions)) = missing {
            create(&mut client, name, *partitions).await;
            continue;
        }
        if client.is_calm() {
            return;
        }
        client.pause(200, 3000).await;
        if client.random(|random| random.chance(20))
            && let Some(churn) = topics.iter().find(|topic| topic.name.starts_with(CHURN))
        {
            delete(&mut client, churn).await;
        }
    }
}

async fn create(client: &mut Client, name: &str, partitions: i32) {
    let promise = Promise::of(name);
    let config = |name: &str, value: &str| CreatableTopicConfig {
        name: name.into(),
        value: Some(value.into()),
    };
    // Logs roll while they are written and read.
    let mut configs = vec![config("segment.ms", "2000"), config("segment.bytes", "1048576")];
    if promise.durable {
        configs.push(config("flush.messages", "1"));
    }
    if promise.trimmed {
        configs.push(config("retention.bytes", "20000"));
    }
    if promise.compacted {
        configs.push(config("cleanup.policy", "compact"));
        configs.push(config("min.cleanable.dirty.ratio", "0.01"));
    }
    let topic = CreatableTopic {
        name: name.into(),
        num_partitions: partitions,
        replication_factor: 1,
        configs,
        ..Default::default()
    };
    let request = CreateTopicsRequest {
        topics: vec![topic],
        timeout_ms: 3000,
        validate_only: false,
    };
    let answer: Result<CreateTopicsResponse, _> = client.call(7, &request).await;
    let Some(topic) = answer.ok().and_then(|answer| answer.topics.into_iter().next()) else {
        return;
    };
    client.note(format_args!(
        "create {name}: {:?} {}",
        topic.error_code, topic.topic_id
    ));
    if topic.error_code == ErrorCode::NONE {
        client
            .shared()
            .borrow()
            .checker
            .topic_created(name, topic.topic_id);
    } else {
        client.pause(50, 500).await;
    }
}

async fn delete(client: &mut Client, topic: &TopicInfo) {
    client.shared().borrow().checker.topic_deletion_asked(topic.id);
    let state = DeleteTopicState {
        name: None::<Str>,
        topic_id: topic.id,
    };
    let request = DeleteTopicsRequest {
        topics: vec![state],
        timeout_ms: 3000,
        ..Default::default()
    };
    let answer: Result<DeleteTopicsResponse, _> = client.call(6, &request).await;
    let Some(result) = answer.ok().and_then(|answer| answer.responses.into_iter().next()) else {
        return;
    };
    client.note(format_args!(
        "delete {}: {:?} {}",
        topic.name, result.error_code, topic.id
    ));
    if result.error_code == ErrorCode::NONE {
        client.shared().borrow().checker.topic_deleted(topic.id);
    }
}
