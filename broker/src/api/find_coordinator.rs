//! FindCoordinator (key 10): which broker keeps a group or a transactional id. Asking creates the topic that they lie
//! in if it is missing.

use klamm_protocol::messages::find_coordinator::{
    Coordinator, FindCoordinatorRequest, FindCoordinatorResponse,
};
use klamm_protocol::{ErrorCode, Str};

use crate::api::Caller;
use crate::api::metadata::auto_create;
use crate::cluster::{CONSUMER_OFFSETS, TRANSACTION_STATE};
use crate::coordinator::partition_of_key;
use crate::node::Node;

/// What a key names (Kafka: `FindCoordinatorRequest.CoordinatorType`); share groups are 2.
const GROUP: i8 = 0;
const TRANSACTION: i8 = 1;

/// From this version on, one request asks for several.
const BATCHED_SINCE: i16 = 4;

/// Handles a request.
pub(crate) fn handle(node: &mut Node, caller: Caller, request: FindCoordinatorRequest) {
    let mut response = FindCoordinatorResponse::default();
    if caller.version >= BATCHED_SINCE {
        let keys = request.coordinator_keys.into_iter();
        response.coordinators = keys
            .map(|key| find(node, &caller, request.key_type, key))
            .collect();
    } else {
        let found = find(node, &caller, request.key_type, request.key);
        response.error_code = found.error_code;
        // Kafka has said so since there is such a field.
        let message = found.error_message.filter(|message| !message.is_empty());
        response.error_message = message.or_else(|| Some("NONE".into()));
        response.node_id = found.node_id;
        response.host = found.host;
        response.port = found.port;
    }
    node.answer(&caller, response);
}

fn find(node: &mut Node, caller: &Caller, key_type: i8, key: Str) -> Coordinator {
    let refused = |key, error_code: ErrorCode, message: &'static str| Coordinator {
        key,
        node_id: -1,
        port: -1,
        error_code,
        error_message: Some(message.into()),
        ..Coordinator::default()
    };
    let topic_name = match key_type {
        GROUP => CONSUMER_OFFSETS,
        TRANSACTION => TRANSACTION_STATE,
        _ => {
            return refused(
                key,
                ErrorCode::INVALID_REQUEST,
                "this broker coordinates groups and transactions and nothing else",
            );
        }
    };
    let Some(topic) = node.cluster.topic_by_name(topic_name) else {
        auto_create(node, &topic_name.into());
        return refused(
            key,
            ErrorCode::COORDINATOR_NOT_AVAILABLE,
            "its topic is being created",
        );
    };
    let count = i32::try_from(topic.partitions.len()).expect("partitions are counted in 32 bits");
    let leader = node.cluster.leader_of(topic.id, partition_of_key(&key, count));
    let reachable = leader.and_then(|(leader, _)| {
        node.reachable_brokers(caller.id.connection)
            .find(|(id, ..)| *id == leader.0)
    });
    match reachable {
        Some((node_id, host, port, _)) => Coordinator {
            key,
            node_id,
            host,
            port,
            error_message: Some(Str::EMPTY),
            ..Coordinator::default()
        },
        None => refused(
            key,
            ErrorCode::COORDINATOR_NOT_AVAILABLE,
            "its broker is not available",
        ),
    }
}
