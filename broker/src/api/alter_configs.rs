//! AlterConfigs (key 33) and IncrementalAlterConfigs (key 44): the controller decides, the brokers follow what
//! it publishes.

use klamm_consensus::{
    ConfigEdit, ConfigEdits, ConfigOp, ConfigResource, ControllerRequest, ControllerResponse, Refusal,
};
use klamm_protocol::messages::{alter_configs, incremental_alter_configs};
use klamm_protocol::{ErrorCode, Str};

use crate::api::{Caller, refusal};
use crate::node::Node;

/// How long the controller may take; the request names no time of its own (Kafka: `request.timeout.ms`).
const TIMEOUT_MS: u64 = 30_000;

/// One resource on its way: what the wire calls it, and what is to be edited or why not.
struct Resource {
    resource_type: i8,
    name: Str,
    edit: Result<ConfigEdit, Refusal>,
}

/// What is answered about one resource.
struct Altered {
    resource_type: i8,
    name: Str,
    refusal: Option<Refusal>,
}

/// Handles AlterConfigs.
pub(crate) fn replace(node: &mut Node, caller: Caller, request: alter_configs::AlterConfigsRequest) {
    let resources = request.resources.into_iter().map(|resource| {
        let pairs = resource
            .configs
            .into_iter()
            .map(|config| (config.name, config.value))
            .collect();
        Resource {
            resource_type: resource.resource_type,
            name: resource.resource_name,
            edit: Ok(ConfigEdit::Replace(pairs)),
        }
    });
    alter(
        node,
        resources.collect(),
        request.validate_only,
        move |node, altered| {
            let responses = altered
                .into_iter()
                .map(|resource| alter_configs::AlterConfigsResourceResponse {
                    error_code: resource.code(),
                    error_message: resource.message(),
                    resource_type: resource.resource_type,
                    resource_name: resource.name,
                })
                .collect();
            let response = alter_configs::AlterConfigsResponse {
                responses,
                ..Default::default()
            };
            node.answer(&caller, response);
        },
    );
}

/// Handles IncrementalAlterConfigs.
pub(crate) fn edit(
    node: &mut Node,
    caller: Caller,
    request: incremental_alter_configs::IncrementalAlterConfigsRequest,
) {
    let resources = request.resources.into_iter().map(|resource| {
        let edits: Result<Vec<_>, i8> = resource
            .configs
            .into_iter()
            .map(|config| {
                let number = config.config_operation;
                let operation = ConfigOp::from_number(number).ok_or(number)?;
                Ok((config.name, operation, config.value))
            })
            .collect();
        let unknown = |number| {
            Refusal::new(
                ErrorCode::INVALID_REQUEST,
                format!("there is no operation {number} on a setting"),
            )
        };
        Resource {
            resource_type: resource.resource_type,
            name: resource.resource_name,
            edit: edits.map(ConfigEdit::Incremental).map_err(unknown),
        }
    });
    alter(
        node,
        resources.collect(),
        request.validate_only,
        move |node, altered| {
            let responses = altered
                .into_iter()
                .map(
                    |resource| incremental_alter_configs::AlterConfigsResourceResponse {
                        error_code: resource.code(),
                        error_message: resource.message(),
                        resource_type: resource.resource_type,
                        resource_name: resource.name,
                    },
                )
                .collect();
            let response = incremental_alter_configs::IncrementalAlterConfigsResponse {
                responses,
                ..Default::default()
            };
            node.answer(&caller, response);
        },
    );
}

fn alter(
    node: &mut Node,
    resources: Vec<Resource>,
    validate_only: bool,
    then: impl FnOnce(&mut Node, Vec<Altered>) + Send + 'static,
) {
    let mut altered = Vec::new();
    let mut edits = Vec::new();
    for Resource {
        resource_type,
        name,
        edit,
    } in resources
    {
        let edit = edit.and_then(|edit| {
            let resource = ConfigResource::from_parts(resource_type, &name).ok_or_else(|| {
                let message = format!("resource {name:?} of type {resource_type} has no settings here");
                Refusal::new(ErrorCode::INVALID_REQUEST, message)
            })?;
            Ok(ConfigEdits { resource, edit })
        });
        match edit {
            Ok(edit) => edits.push(edit),
            Err(refusal) => altered.push(Altered {
                resource_type,
                name,
                refusal: Some(refusal),
            }),
        }
    }
    if edits.is_empty() {
        return then(node, altered);
    }
    let asked: Vec<ConfigResource> = edits.iter().map(|edit| edit.resource.clone()).collect();
    let request = ControllerRequest::AlterConfigs { edits, validate_only };
    node.ask_controller(request, TIMEOUT_MS, move |node, answer| {
        let results = match answer {
            Ok(ControllerResponse::AlterConfigs(results)) => results,
            other => {
                let refusal = refusal(other);
                asked
                    .into_iter()
                    .map(|resource| (resource, Err(refusal.clone())))
                    .collect()
            }
        };
        altered.extend(results.into_iter().map(|(resource, result)| Altered {
            resource_type: resource.resource_type(),
            name: resource.name(),
            refusal: result.err(),
        }));
        then(node, altered);
    });
}

impl Altered {
    fn code(&self) -> ErrorCode {
        self.refusal
            .as_ref()
            .map_or(ErrorCode::NONE, |refusal| refusal.code)
    }

    fn message(&self) -> Option<Str> {
        self.refusal.as_ref().and_then(|refusal| refusal.message.clone())
    }
}
