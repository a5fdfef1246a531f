//! CreatePartitions (key 37): the controller decides; the answer leaves when the logs are open here.

use klamm_consensus::{ControllerRequest, ControllerResponse, NewPartitions, Refusal};
use klamm_protocol::ids::BrokerId;
use klamm_protocol::messages::create_partitions::{
    CreatePartitionsRequest, CreatePartitionsResponse, CreatePartitionsTopic, CreatePartitionsTopicResult,
};
use klamm_protocol::{ErrorCode, Str};

use crate::api::{Caller, refusal};
use crate::node::Node;

type Results = Vec<(Str, Result<(), Refusal>)>;

/// Handles a request.
pub(crate) fn handle(node: &mut Node, caller: Caller, request: CreatePartitionsRequest) {
    let names: Vec<Str> = request.topics.iter().map(|topic| topic.name.clone()).collect();
    let topics = request.topics.into_iter().map(new_partitions).collect();
    let timeout_ms = u64::try_from(request.timeout_ms).unwrap_or(0);
    let request = ControllerRequest::CreatePartitions {
        topics,
        validate_only: request.validate_only,
    };
    node.ask_controller(request, timeout_ms, move |node, answer| {
        let results: Results = match answer {
            Ok(ControllerResponse::CreatePartitions(results)) => results,
            other => {
                let refusal = refusal(other);
                names
                    .into_iter()
                    .map(|name| (name, Err(refusal.clone())))
                    .collect()
            }
        };
        let grown: Vec<_> = results
            .iter()
            .filter(|(_, result)| result.is_ok())
            .filter_map(|(name, _)| Some(node.cluster.topic_by_name(name)?.id))
            .collect();
        node.when_topics_open(&grown, timeout_ms, move |node| {
            self::answer(node, &caller, results)
        });
    });
}

fn new_partitions(topic: CreatePartitionsTopic) -> NewPartitions {
    let brokers = |ids: Vec<i32>| ids.into_iter().map(BrokerId).collect();
    let assignments = topic.assignments;
    NewPartitions {
        name: topic.name,
        count: topic.count,
        assignments: assignments.map(|all| all.into_iter().map(|each| brokers(each.broker_ids)).collect()),
    }
}

fn answer(node: &mut Node, caller: &Caller, results: Results) {
    let results = results.into_iter().map(|(name, result)| {
        let refusal = result.err();
        CreatePartitionsTopicResult {
            name,
            error_code: refusal.as_ref().map_or(ErrorCode::NONE, |refusal| refusal.code),
            error_message: refusal.and_then(|refusal| refusal.message),
        }
    });
    let response = CreatePartitionsResponse {
        results: results.collect(),
        ..CreatePartitionsResponse::default()
    };
    node.answer(caller, response);
}
