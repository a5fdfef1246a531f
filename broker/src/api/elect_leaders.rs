//! ElectLeaders (key 43): with one replica everywhere, the one leader is the preferred one and stays it.

use klamm_protocol::messages::elect_leaders::{
    ElectLeadersRequest, ElectLeadersResponse, PartitionResult, ReplicaElectionResult,
};
use klamm_protocol::{ErrorCode, Str};

use crate::api::Caller;
use crate::node::Node;

/// The election of the preferred replica; 1 would be that of any (KIP-460).
const PREFERRED: i8 = 0;
const UNCLEAN: i8 = 1;

/// Handles a request.
pub(crate) fn handle(node: &mut Node, caller: Caller, request: ElectLeadersRequest) {
    let mut response = ElectLeadersResponse::default();
    if !matches!(request.election_type, PREFERRED | UNCLEAN) {
        response.error_code = ErrorCode::INVALID_REQUEST;
    }
    // Who asks about all partitions is told only of those that were elected: none needs to be.
    for topic in request.topic_partitions.unwrap_or_default() {
        let count = node
            .cluster
            .topic_by_name(&topic.topic)
            .map_or(0, |topic| topic.partitions.len());
        let results = topic.partitions.into_iter().map(|partition_id| {
            let exists = usize::try_from(partition_id).is_ok_and(|index| index < count);
            let (error_code, message) = match request.election_type {
                PREFERRED | UNCLEAN if !exists => (
                    ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
                    "No such topic or partition",
                ),
                PREFERRED => (
                    ErrorCode::ELECTION_NOT_NEEDED,
                    "The preferred replica is already the leader",
                ),
                UNCLEAN => (ErrorCode::ELECTION_NOT_NEEDED, "A valid leader is already there"),
                _ => (ErrorCode::INVALID_REQUEST, "There is no such election"),
            };
            PartitionResult {
                partition_id,
                error_code,
                error_message: Some(Str::from(message)),
            }
        });
        let partition_result = results.collect();
        response.replica_election_results.push(ReplicaElectionResult {
            topic: topic.topic,
            partition_result,
        });
    }
    node.answer(&caller, response);
}
