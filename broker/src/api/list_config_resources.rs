//! ListConfigResources (key 74): what has settings (KIP-1142). Version 0 asks for client metrics, of which there
//! are none.

use klamm_protocol::ErrorCode;
use klamm_protocol::messages::list_config_resources::{
    ConfigResource, ListConfigResourcesRequest, ListConfigResourcesResponse,
};

use crate::api::Caller;
use crate::node::Node;

const TOPIC: i8 = 2;
const BROKER: i8 = 4;
const BROKER_LOGGER: i8 = 8;
const CLIENT_METRICS: i8 = 16;
const GROUP: i8 = 32;

/// Handles a request.
pub(crate) fn handle(node: &mut Node, caller: Caller, request: ListConfigResourcesRequest) {
    let mut response = ListConfigResourcesResponse::default();
    let all = [TOPIC, BROKER, BROKER_LOGGER, CLIENT_METRICS, GROUP];
    let types = match caller.version {
        0 => vec![CLIENT_METRICS],
        _ if request.resource_types.is_empty() => all.to_vec(),
        _ => request.resource_types,
    };
    if types.iter().any(|asked| !all.contains(asked)) {
        response.error_code = ErrorCode::UNSUPPORTED_VERSION;
        return node.answer(&caller, response);
    }
    let resource = |resource_type, resource_name| ConfigResource {
        resource_name,
        resource_type,
    };
    if types.contains(&TOPIC) {
        let topics = node.cluster.image().topics();
        response
            .config_resources
            .extend(topics.map(|topic| resource(TOPIC, topic.name.clone())));
    }
    for kind in [BROKER, BROKER_LOGGER] {
        if types.contains(&kind) {
            let brokers = node.cluster.image().brokers();
            let named = brokers.map(|broker| resource(kind, broker.id.to_string().into()));
            response.config_resources.extend(named);
        }
    }
    node.answer(&caller, response);
}
