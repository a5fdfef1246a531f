//! DescribeConfigs (key 32): every setting of a topic or of this broker, where it comes from and what it means.

use std::collections::BTreeMap;

use klamm_consensus::ConfigResource;
use klamm_protocol::messages::describe_configs::{
    DescribeConfigsRequest, DescribeConfigsResource, DescribeConfigsResourceResult, DescribeConfigsResponse,
    DescribeConfigsResult, DescribeConfigsSynonym,
};
use klamm_protocol::{ErrorCode, Str};

use crate::api::Caller;
use crate::api::metadata::is_valid_name;
use crate::config::{Described, Source, describe_all_brokers, describe_broker, describe_topic};
use crate::node::Node;

/// Kafka's number for a group as a holder of settings (KIP-848).
const GROUP: i8 = 32;

type Refused = (ErrorCode, String);

/// Handles a request.
pub(crate) fn handle(node: &mut Node, caller: Caller, request: DescribeConfigsRequest) {
    let (synonyms, documentation) = (request.include_synonyms, request.include_documentation);
    let results = request.resources.into_iter().map(|resource| {
        let asked = |name: &str| {
            resource
                .configuration_keys
                .as_ref()
                // No names at all ask for everything, as null does.
                .is_none_or(|keys| keys.is_empty() || keys.iter().any(|key| **key == *name))
        };
        let described = describe(node, &resource).map(|settings| {
            let settings = settings
                .into_iter()
                .filter(|described| asked(described.setting.name));
            settings
                .map(|described| result(described, caller.version, synonyms, documentation))
                .collect()
        });
        let (configs, error) = match described {
            Ok(configs) => (configs, None),
            Err(error) => (Vec::new(), Some(error)),
        };
        DescribeConfigsResult {
            error_code: error.as_ref().map_or(ErrorCode::NONE, |(code, _)| *code),
            error_message: Some(error.map(|(_, message)| message.into()).unwrap_or_default()),
            resource_type: resource.resource_type,
            resource_name: resource.resource_name,
            configs,
        }
    });
    let results = results.collect();
    node.answer(
        &caller,
        DescribeConfigsResponse {
            results,
            ..DescribeConfigsResponse::default()
        },
    );
}

/// The settings of a topic that sets `overrides` itself.
pub(crate) fn of_topic(node: &Node, overrides: &BTreeMap<String, String>) -> Vec<Described> {
    let mut described = describe_topic(&node.config.values, overrides);
    described.sort_by_key(|described| described.setting.name);
    described
}

fn describe(node: &Node, resource: &DescribeConfigsResource) -> Result<Vec<Described>, Refused> {
    let name = &resource.resource_name;
    let this = node.config.node_id;
    match ConfigResource::from_parts(resource.resource_type, name) {
        Some(ConfigResource::Topic(name)) => {
            if node.cluster.topic_by_name(&name).is_none() {
                return Err(match is_valid_name(&name) {
                    true => (ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, String::new()),
                    false => (
                        ErrorCode::INVALID_TOPIC_EXCEPTION,
                        format!("{name} is no topic's name"),
                    ),
                });
            }
            Ok(of_topic(node, &node.cluster.topic_overrides(&name)))
        }
        Some(ConfigResource::Broker(None)) => Ok(describe_all_brokers(&node.config.values)),
        Some(ConfigResource::Broker(Some(id))) if id.0 == this => Ok(describe_broker(&node.config.values)),
        // Classic groups, the only ones here, have no settings.
        None if resource.resource_type == GROUP && !name.is_empty() => Ok(Vec::new()),
        _ => Err((
            ErrorCode::INVALID_REQUEST,
            format!(
                "this is broker {this}, which describes topics, groups and itself, not resource {name:?} of type {}",
                resource.resource_type
            ),
        )),
    }
}

fn result(
    described: Described,
    version: i16,
    synonyms: bool,
    documentation: bool,
) -> DescribeConfigsResourceResult {
    let setting = described.setting;
    let synonyms = if synonyms { described.synonyms } else { Vec::new() };
    DescribeConfigsResourceResult {
        name: setting.name.into(),
        value: described.value.map(Str::from),
        read_only: described.read_only,
        // Version 0 says only this much about the source.
        is_default: version == 0 && described.source == Source::Default,
        config_source: described.source as i8,
        is_sensitive: setting.is_sensitive(),
        synonyms: synonyms
            .into_iter()
            .map(|synonym| DescribeConfigsSynonym {
                name: synonym.name.into(),
                value: synonym.value.map(Str::from),
                source: synonym.source as i8,
            })
            .collect(),
        config_type: setting.kind as i8,
        documentation: documentation.then(|| setting.doc.into()),
    }
}
