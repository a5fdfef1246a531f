//! Settings of topics and brokers: replace, set, delete, append, subtract.

use klamm_protocol::{ErrorCode, Str};

use super::topics::check_topic_name;
use super::{Draft, MAX_CONFIG_VALUE_BYTES, invalid_request};
use crate::image::{ConfigResource, Configs};
use crate::record::{ConfigRecord, ConfigsChanged};
use crate::replay::apply_edits;
use crate::request::{ConfigEdit, ConfigEdits, ConfigOp, ControllerResponse, Refusal, repeated};

/// A setting, what to do with it, and the value.
type Step<'a> = (&'a Str, ConfigOp, Option<&'a Str>);

impl Draft<'_> {
    pub(super) fn alter_configs(&mut self, edits: Vec<ConfigEdits>) -> ControllerResponse {
        let twice = repeated(edits.iter().map(|e| e.resource.clone()));
        let mut results = Vec::with_capacity(edits.len());
        for ConfigEdits { resource, edit } in edits {
            let result = if twice.contains(&resource) {
                Err(invalid_request("Each resource must appear at most once."))
            } else {
                self.alter_config(&resource, &edit)
            };
            results.push((resource, result));
        }
        ControllerResponse::AlterConfigs(results)
    }

    fn alter_config(&mut self, resource: &ConfigResource, edit: &ConfigEdit) -> Result<(), Refusal> {
        let steps: Vec<Step<'_>> = match edit {
            ConfigEdit::Replace(all) => all.iter().map(|(n, v)| (n, ConfigOp::Set, v.as_ref())).collect(),
            ConfigEdit::Incremental(steps) => steps.iter().map(|(n, op, v)| (n, *op, v.as_ref())).collect(),
        };
        if !repeated(steps.iter().map(|(name, _, _)| *name)).is_empty() {
            return Err(invalid_request("Error due to duplicate config keys"));
        }
        let without: Vec<&str> = steps
            .iter()
            .filter(|(_, op, value)| *op != ConfigOp::Delete && value.is_none())
            .map(|(name, _, _)| &***name)
            .collect();
        if !without.is_empty() {
            let message = format!("Null value not supported for : {}", without.join(","));
            return Err(invalid_request(message));
        }
        self.check_resource(resource)?;

        let before: Configs = self
            .image
            .configs(resource)
            .map(|c| Configs::clone(c))
            .unwrap_or_default();
        let mut changes = Vec::new();
        for (name, op, value) in &steps {
            let value = self.step(resource, &before, name, *op, *value)?;
            changes.push(ConfigRecord {
                name: name.detached(),
                value,
            });
        }
        if matches!(edit, ConfigEdit::Replace(_)) {
            let kept = |name: &Str| steps.iter().any(|(n, _, _)| *n == name);
            changes.extend(before.keys().filter(|name| !kept(name)).map(|name| ConfigRecord {
                name: name.clone(),
                value: None,
            }));
        }
        changes.retain(|change| change.value.as_ref() != before.get(&change.name));
        let mut after = before;
        apply_edits(&mut after, &changes);
        let changed: Vec<&str> = changes.iter().map(|change| &*change.name).collect();
        self.check_configs(resource, &after, &changed)?;
        if !changes.is_empty() {
            self.record(ConfigsChanged {
                resource_type: resource.resource_type(),
                resource_name: resource.name().detached(),
                configs: changes,
            });
        }
        Ok(())
    }

    /// What a setting is to be after one step: `None` for its default.
    fn step(
        &self,
        resource: &ConfigResource,
        before: &Configs,
        name: &Str,
        op: ConfigOp,
        value: Option<&Str>,
    ) -> Result<Option<Str>, Refusal> {
        let (verb, value) = match (op, value) {
            (ConfigOp::Delete, _) | (_, None) => return Ok(None),
            (ConfigOp::Set, Some(value)) => return Ok(Some(value.detached())),
            (ConfigOp::Append, Some(value)) => ("APPEND", value),
            (ConfigOp::Subtract, Some(value)) => ("SUBTRACT", value),
        };
        if !self.rules.is_list(resource, name) {
            let message = format!("Can't {verb} to key {name} because its type is not LIST.");
            return Err(Refusal::new(ErrorCode::INVALID_CONFIG, message));
        }
        let present = match before.get(name) {
            Some(value) => value.to_string(),
            None => self.rules.default_value(resource, name).unwrap_or_default(),
        };
        let mut elements: Vec<&str> = present
            .split(',')
            .map(str::trim)
            .filter(|e| !e.is_empty())
            .collect();
        for element in value.split(',').map(str::trim).filter(|e| !e.is_empty()) {
            match op {
                ConfigOp::Append if !elements.contains(&element) => elements.push(element),
                ConfigOp::Subtract => elements.retain(|e| *e != element),
                _ => {}
            }
        }
        Ok(Some(Str::from(elements.join(","))))
    }

    fn check_resource(&self, resource: &ConfigResource) -> Result<(), Refusal> {
        match resource {
            ConfigResource::Topic(name) if name.is_empty() => {
                Err(invalid_request("Default topic resources are not allowed."))
            }
            ConfigResource::Topic(name) => {
                check_topic_name(name)?;
                if self.image.topic_by_name(name).is_none() {
                    let message = format!("The topic '{name}' does not exist.");
                    return Err(Refusal::new(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, message));
                }
                Ok(())
            }
            ConfigResource::Broker(Some(id)) if id.0 < 0 => {
                Err(invalid_request("Invalid negative broker ID."))
            }
            ConfigResource::Broker(Some(id)) if self.image.broker(*id).is_none() => {
                let message = format!("No node with id {id} found.");
                Err(Refusal::new(ErrorCode::BROKER_ID_NOT_REGISTERED, message))
            }
            ConfigResource::Broker(_) => Ok(()),
        }
    }

    /// Whether the resource may have these settings.
    pub(super) fn check_configs(
        &self,
        resource: &ConfigResource,
        configs: &Configs,
        changed: &[&str],
    ) -> Result<(), Refusal> {
        if changed.iter().any(|name| {
            configs
                .get(*name)
                .is_some_and(|v| v.len() > MAX_CONFIG_VALUE_BYTES)
        }) {
            let message = format!(
                "The configuration value cannot be added because it exceeds the maximum value size of \
                 {MAX_CONFIG_VALUE_BYTES} bytes."
            );
            return Err(Refusal::new(ErrorCode::INVALID_CONFIG, message));
        }
        self.rules.check(resource, configs, changed)
    }
}
