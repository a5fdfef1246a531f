//! AlterPartitionReassignments (key 45) and ListPartitionReassignments (key 46): a single node has nowhere to
//! move a replica to, so nothing is ever under way (KIP-455).

use klamm_protocol::messages::alter_partition_reassignments::{
    AlterPartitionReassignmentsRequest, AlterPartitionReassignmentsResponse, ReassignablePartitionResponse,
    ReassignableTopicResponse,
};
use klamm_protocol::messages::list_partition_reassignments::{
    ListPartitionReassignmentsRequest, ListPartitionReassignmentsResponse,
};
use klamm_protocol::{ErrorCode, Str};

use crate::api::Caller;
use crate::node::Node;

/// Handles AlterPartitionReassignments: whoever wants what is, has it; there is nothing to cancel.
pub(crate) fn alter(node: &mut Node, caller: Caller, request: AlterPartitionReassignmentsRequest) {
    let mut response = AlterPartitionReassignmentsResponse {
        allow_replication_factor_change: request.allow_replication_factor_change,
        error_message: None,
        ..Default::default()
    };
    let this = node.config.node_id;
    for topic in request.topics {
        let count = node
            .cluster
            .topic_by_name(&topic.name)
            .map_or(0, |topic| topic.partitions.len());
        let partitions = topic.partitions.into_iter().map(|partition| {
            let exists = usize::try_from(partition.partition_index).is_ok_and(|index| index < count);
            let refused = match partition.replicas {
                _ if !exists => Some((
                    ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
                    "No such topic or partition.",
                )),
                None => Some((
                    ErrorCode::NO_REASSIGNMENT_IN_PROGRESS,
                    "No reassignment is in progress.",
                )),
                Some(replicas) if replicas == [this] => None,
                Some(_) => Some((
                    ErrorCode::INVALID_REPLICA_ASSIGNMENT,
                    "This cluster has one node, which holds every partition.",
                )),
            };
            ReassignablePartitionResponse {
                partition_index: partition.partition_index,
                error_code: refused.map_or(ErrorCode::NONE, |(code, _)| code),
                error_message: refused.map(|(_, message)| Str::from(message)),
            }
        });
        let partitions = partitions.collect();
        response.responses.push(ReassignableTopicResponse {
            name: topic.name,
            partitions,
        });
    }
    node.answer(&caller, response);
}

/// Handles ListPartitionReassignments.
pub(crate) fn list(node: &mut Node, caller: Caller, _request: ListPartitionReassignmentsRequest) {
    let response = ListPartitionReassignmentsResponse {
        error_message: None,
        ..Default::default()
    };
    node.answer(&caller, response);
}
