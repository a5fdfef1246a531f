//! DeleteTopics (key 20): by name, and from version 6 on by name or id. The name is free as soon as it is answered.

use klamm_consensus::{ControllerRequest, ControllerResponse, DeletedTopic, Refusal, TopicRef};
use klamm_protocol::ErrorCode;
use klamm_protocol::ids::TopicId;
use klamm_protocol::messages::delete_topics::{
    DeletableTopicResult, DeleteTopicsRequest, DeleteTopicsResponse,
};

use crate::api::{Caller, refusal};
use crate::node::Node;

/// Handles a request.
pub(crate) fn handle(node: &mut Node, caller: Caller, request: DeleteTopicsRequest) {
    let topics: Vec<TopicRef> = if caller.version >= 6 {
        let topics = request.topics.into_iter();
        topics
            .map(|topic| TopicRef {
                name: topic.name,
                id: TopicId(topic.topic_id),
            })
            .collect()
    } else {
        let names = request.topic_names.into_iter();
        names
            .map(|name| TopicRef {
                name: Some(name),
                ..TopicRef::default()
            })
            .collect()
    };
    if !node.config.delete_topic_enable {
        // Kafka: the code has no meaning for clients before version 3.
        let code = match caller.version {
            0..=2 => ErrorCode::INVALID_REQUEST,
            _ => ErrorCode::TOPIC_DELETION_DISABLED,
        };
        let refusal = Refusal::new(code, "Topic deletion is disabled.");
        return answer(node, &caller, refuse_all(topics, &refusal));
    }
    let timeout_ms = u64::try_from(request.timeout_ms).unwrap_or(0);
    let request = ControllerRequest::DeleteTopics {
        topics: topics.clone(),
    };
    node.ask_controller(request, timeout_ms, move |node, result| {
        let deleted = match result {
            Ok(ControllerResponse::DeleteTopics(deleted)) => deleted,
            other => refuse_all(topics, &refusal(other)),
        };
        answer(node, &caller, deleted);
    });
}

fn refuse_all(topics: Vec<TopicRef>, refusal: &Refusal) -> Vec<DeletedTopic> {
    let topics = topics.into_iter();
    topics
        .map(|topic| DeletedTopic {
            name: topic.name,
            id: topic.id,
            result: Err(refusal.clone()),
        })
        .collect()
}

fn answer(node: &mut Node, caller: &Caller, deleted: Vec<DeletedTopic>) {
    let responses = deleted.into_iter().map(|topic| {
        let refusal = topic.result.err();
        DeletableTopicResult {
            name: topic.name,
            topic_id: topic.id.0,
            error_code: refusal.as_ref().map_or(ErrorCode::NONE, |refusal| refusal.code),
            error_message: refusal.and_then(|refusal| refusal.message),
        }
    });
    let response = DeleteTopicsResponse {
        responses: responses.collect(),
        ..DeleteTopicsResponse::default()
    };
    node.answer(caller, response);
}
