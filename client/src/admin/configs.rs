//! Configurations of topics, brokers and groups.

use klamm_protocol::Str;
use klamm_protocol::messages::describe_configs::{
    DescribeConfigsRequest, DescribeConfigsResource, DescribeConfigsResourceResult,
};
use klamm_protocol::messages::incremental_alter_configs::{
    AlterConfigsResource, AlterableConfig, IncrementalAlterConfigsRequest,
};

use super::Admin;
use crate::Error;

/// What has configurations.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Resource {
    /// A topic.
    Topic(Str),
    /// One broker.
    Broker(i32),
    /// What holds for every broker that says nothing of its own.
    AllBrokers,
    /// A group.
    Group(Str),
}

impl Resource {
    /// Type and name as they travel (Kafka: `ConfigResource.Type`).
    fn on_the_wire(&self) -> (i8, Str) {
        match self {
            Resource::Topic(name) => (2, name.clone()),
            Resource::Broker(id) => (4, id.to_string().into()),
            Resource::AllBrokers => (4, Str::EMPTY),
            Resource::Group(name) => (32, name.clone()),
        }
    }

    fn in_words(&self) -> String {
        match self {
            Resource::Topic(name) => format!("configurations of topic {name}"),
            Resource::Broker(id) => format!("configurations of broker {id}"),
            Resource::AllBrokers => "configurations of all brokers".to_owned(),
            Resource::Group(name) => format!("configurations of group {name}"),
        }
    }
}

/// Where a value comes from (Kafka: `ConfigEntry.ConfigSource`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConfigSource {
    /// Set on this topic.
    Topic,
    /// Set on this broker while it ran.
    Broker,
    /// Set for all brokers while they ran.
    AllBrokers,
    /// From the broker's file or command line.
    File,
    /// Nobody set it.
    Default,
    /// Set on this group.
    Group,
    /// Something newer than this client.
    Other,
}

impl ConfigSource {
    /// In a word or two.
    pub fn name(self) -> &'static str {
        match self {
            ConfigSource::Topic => "topic",
            ConfigSource::Broker => "broker",
            ConfigSource::AllBrokers => "all brokers",
            ConfigSource::File => "file",
            ConfigSource::Default => "default",
            ConfigSource::Group => "group",
            ConfigSource::Other => "other",
        }
    }

    /// Whether the resource itself has this value, so that it can be unset.
    pub fn is_own(self) -> bool {
        use ConfigSource::{AllBrokers, Broker, Group, Topic};
        matches!(self, Topic | Broker | AllBrokers | Group)
    }
}

/// One configuration.
#[derive(Clone, Debug, PartialEq)]
pub struct ConfigEntry {
    /// Its name.
    pub name: Str,
    /// `None` where it is not set, or is a secret.
    pub value: Option<Str>,
    /// Where the value comes from.
    pub source: ConfigSource,
    /// It cannot be changed this way.
    pub is_read_only: bool,
    /// Its value is not told.
    pub is_sensitive: bool,
    /// What it means, where that was asked for.
    pub documentation: Option<Str>,
}

/// A change of one configuration (KIP-339).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConfigChange {
    /// To this value.
    Set(Str, Str),
    /// Back to what holds without it.
    Unset(Str),
    /// One more in a list.
    Append(Str, Str),
    /// One less in a list.
    Subtract(Str, Str),
}

impl Admin {
    /// What is configured: these names, or all. `document` asks for their meaning as well.
    ///
    /// # Errors
    /// [`Error::Refused`], for instance for an unknown topic; those of asking.
    pub async fn configs(
        &self,
        resource: &Resource,
        names: Option<&[Str]>,
        document: bool,
    ) -> Result<Vec<ConfigEntry>, Error> {
        let (resource_type, resource_name) = resource.on_the_wire();
        let request = DescribeConfigsRequest {
            resources: vec![DescribeConfigsResource {
                resource_type,
                resource_name,
                configuration_keys: names.map(<[Str]>::to_vec),
            }],
            include_synonyms: false,
            include_documentation: document,
        };
        // What a broker was started with only that broker knows.
        let answer = match resource {
            Resource::Broker(id) => {
                self.cluster.refresh(Some(&[]), false).await?;
                self.cluster.ask(*id, &request).await?
            }
            _ => self.cluster.ask_any(&request).await?,
        };
        let mut entries = Vec::new();
        for result in answer.results {
            Error::check(
                || resource.in_words(),
                result.error_code,
                result.error_message.as_ref(),
            )?;
            entries.extend(result.configs.into_iter().map(entry));
        }
        Ok(entries)
    }

    /// Changes configurations: all of them or none.
    ///
    /// # Errors
    /// [`Error::Refused`], for instance for a value that is not allowed; those of asking.
    pub async fn alter_configs(&self, resource: &Resource, changes: &[ConfigChange]) -> Result<(), Error> {
        let (resource_type, resource_name) = resource.on_the_wire();
        let request = IncrementalAlterConfigsRequest {
            resources: vec![AlterConfigsResource {
                resource_type,
                resource_name,
                configs: changes.iter().map(alterable).collect(),
            }],
            validate_only: false,
        };
        let answer = match resource {
            Resource::Broker(id) => {
                self.cluster.refresh(Some(&[]), false).await?;
                self.cluster.ask(*id, &request).await?
            }
            _ => self.cluster.ask_any(&request).await?,
        };
        for result in answer.responses {
            Error::check(
                || resource.in_words(),
                result.error_code,
                result.error_message.as_ref(),
            )?;
        }
        Ok(())
    }
}

fn entry(config: DescribeConfigsResourceResult) -> ConfigEntry {
    let source = match config.config_source {
        1 => ConfigSource::Topic,
        2 => ConfigSource::Broker,
        3 => ConfigSource::AllBrokers,
        4 => ConfigSource::File,
        5 => ConfigSource::Default,
        8 => ConfigSource::Group,
        _ => ConfigSource::Other,
    };
    ConfigEntry {
        name: config.name,
        value: config.value,
        source,
        is_read_only: config.read_only,
        is_sensitive: config.is_sensitive,
        documentation: config.documentation,
    }
}

fn alterable(change: &ConfigChange) -> AlterableConfig {
    let (config_operation, name, value) = match change {
        ConfigChange::Set(name, value) => (0, name, Some(value)),
        ConfigChange::Unset(name) => (1, name, None),
        ConfigChange::Append(name, value) => (2, name, Some(value)),
        ConfigChange::Subtract(name, value) => (3, name, Some(value)),
    };
    AlterableConfig {
        name: name.clone(),
        config_operation,
        value: value.cloned(),
    }
}
