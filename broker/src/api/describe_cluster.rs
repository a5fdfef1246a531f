//! DescribeCluster (key 60): name, nodes and controller (KIP-700).

use klamm_protocol::messages::describe_cluster::{
    DescribeClusterBroker, DescribeClusterRequest, DescribeClusterResponse,
};
use klamm_protocol::{ErrorCode, Str};

use crate::api::Caller;
use crate::api::metadata::{CLUSTER_OPERATIONS, OPERATIONS_NOT_ASKED};
use crate::node::Node;

/// The kinds of endpoints: those that clients use, and those of the controllers.
const BROKERS: i8 = 1;
const CONTROLLERS: i8 = 2;

/// Handles a request.
pub(crate) fn handle(node: &mut Node, caller: Caller, request: DescribeClusterRequest) {
    let mut response = DescribeClusterResponse {
        endpoint_type: BROKERS,
        cluster_authorized_operations: OPERATIONS_NOT_ASKED,
        ..DescribeClusterResponse::default()
    };
    if request.endpoint_type != BROKERS {
        response.error_code = match request.endpoint_type {
            CONTROLLERS => ErrorCode::MISMATCHED_ENDPOINT_TYPE,
            _ => ErrorCode::UNSUPPORTED_ENDPOINT_TYPE,
        };
        response.error_message = Some(Str::from("This listener belongs to a broker."));
        return node.answer(&caller, response);
    }
    response.cluster_id = node.cluster.image().cluster_id.clone();
    response.controller_id = node.config.node_id;
    let brokers = node.reachable_brokers(caller.id.connection);
    response.brokers = brokers
        .map(|(broker_id, host, port, rack)| DescribeClusterBroker {
            broker_id,
            host,
            port,
            rack,
            ..DescribeClusterBroker::default()
        })
        .collect();
    if request.include_cluster_authorized_operations {
        response.cluster_authorized_operations = CLUSTER_OPERATIONS;
    }
    if request.include_old_clients {
        response.old_clients = Some(node.old_clients.listing());
    }
    node.answer(&caller, response);
}
