//! What the controller has to know about settings, answered from the one table.

use std::collections::BTreeMap;

use klamm_consensus::image::Configs;
use klamm_consensus::{ConfigResource, ConfigRules, Refusal};
use klamm_protocol::ErrorCode;

use crate::config::setting::{Kind, Setting};
use crate::config::{Values, check_broker_config, check_topic_configs, describe_topic, table};

/// The rules of a broker that was started with these settings.
pub(crate) struct Rules {
    values: Values,
}

impl Rules {
    pub fn new(values: Values) -> Rules {
        Rules { values }
    }
}

fn setting(resource: &ConfigResource, name: &str) -> Option<&'static Setting> {
    match resource {
        ConfigResource::Topic(_) => table::topic_setting(name),
        ConfigResource::Broker(_) => table::broker_setting(name),
    }
}

impl ConfigRules for Rules {
    fn is_list(&self, resource: &ConfigResource, name: &str) -> bool {
        setting(resource, name).is_some_and(|setting| setting.kind == Kind::List)
    }

    fn default_value(&self, resource: &ConfigResource, name: &str) -> Option<String> {
        setting(resource, name)?;
        match resource {
            ConfigResource::Topic(_) => {
                let all = describe_topic(&self.values, &BTreeMap::new());
                all.into_iter()
                    .find(|described| described.setting.name == name)?
                    .value
            }
            ConfigResource::Broker(_) => self.values.find(name).0.map(str::to_owned),
        }
    }

    fn check(&self, resource: &ConfigResource, configs: &Configs, changed: &[&str]) -> Result<(), Refusal> {
        match resource {
            ConfigResource::Topic(_) => {
                let overrides = configs
                    .iter()
                    .map(|(name, value)| (name.to_string(), value.to_string()))
                    .collect();
                check_topic_configs(&self.values, &overrides)
                    .map_err(|message| Refusal::new(ErrorCode::INVALID_CONFIG, message))
            }
            ConfigResource::Broker(broker) => {
                let changed = configs.iter().filter(|(name, _)| changed.contains(&&***name));
                for (name, value) in changed {
                    check_broker_config(name, value, broker.is_some())
                        .map_err(|message| Refusal::new(ErrorCode::INVALID_REQUEST, message))?;
                }
                Ok(())
            }
        }
    }
}
