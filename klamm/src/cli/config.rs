//! `klamm config`: what is configured for topics, brokers and groups while they live.

use clap::Subcommand;
use klamm_client::admin::{ConfigChange, Resource};
use klamm_protocol::Str;
use serde_json::json;

use super::{At, Failure, Format, Shown, Table, assignment};

/// Arguments of `klamm config`.
#[derive(Debug, clap::Args)]
pub struct Config {
    #[command(flatten)]
    at: At,
    #[command(flatten)]
    shown: Shown,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Show configurations and where their values come from.
    Get {
        #[command(flatten)]
        of: Of,
        /// Only these; all without.
        #[arg(value_name = "NAME")]
        names: Vec<String>,
        /// Only those that were set here, so that they can be unset.
        #[arg(long)]
        own: bool,
    },
    /// Set configurations: all of them or none.
    Set {
        #[command(flatten)]
        of: Of,
        /// What to set.
        #[arg(value_name = "NAME=VALUE", required = true, value_parser = assignment)]
        configs: Vec<(String, String)>,
    },
    /// Unset configurations, so that what holds without them holds again.
    Unset {
        #[command(flatten)]
        of: Of,
        /// What to unset.
        #[arg(value_name = "NAME", required = true)]
        names: Vec<String>,
    },
}

/// Whose configurations.
#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
struct Of {
    /// Of a topic.
    #[arg(long)]
    topic: Option<String>,
    /// Of one broker.
    #[arg(long, value_name = "ID")]
    broker: Option<i32>,
    /// Of all brokers that say nothing of their own.
    #[arg(long)]
    all_brokers: bool,
    /// Of a group.
    #[arg(long)]
    group: Option<String>,
}

impl Of {
    fn resource(self) -> Resource {
        match (self.topic, self.broker, self.group) {
            (Some(topic), ..) => Resource::Topic(topic.into()),
            (_, Some(broker), _) => Resource::Broker(broker),
            (_, _, Some(group)) => Resource::Group(group.into()),
            _ => Resource::AllBrokers,
        }
    }
}

/// Carries out `klamm config`.
///
/// # Errors
/// What the cluster refuses.
pub async fn run(arguments: Config) -> Result<(), Failure> {
    let admin = arguments.at.admin().await?;
    let format = arguments.shown.format;
    let (resource, changes) = match arguments.verb {
        Verb::Get { of, names, own } => {
            let names: Vec<Str> = names.into_iter().map(Str::from).collect();
            let asked = (!names.is_empty()).then_some(&*names);
            return show(&admin, &of.resource(), asked, own, format).await;
        }
        Verb::Set { of, configs } => {
            let set = |(name, value): (String, String)| ConfigChange::Set(name.into(), value.into());
            (of.resource(), configs.into_iter().map(set).collect::<Vec<_>>())
        }
        Verb::Unset { of, names } => {
            let unset = |name: String| ConfigChange::Unset(name.into());
            (of.resource(), names.into_iter().map(unset).collect())
        }
    };
    admin.alter_configs(&resource, &changes).await?;
    // What holds now may be another value than the one that was set: a broker's own wins over one for all.
    let names: Vec<Str> = changes
        .into_iter()
        .map(|change| match change {
            ConfigChange::Set(name, _) | ConfigChange::Unset(name) => name,
            ConfigChange::Append(name, _) | ConfigChange::Subtract(name, _) => name,
        })
        .collect();
    show(&admin, &resource, Some(&names), false, format).await
}

async fn show(
    admin: &klamm_client::Admin,
    resource: &Resource,
    names: Option<&[Str]>,
    own: bool,
    format: Format,
) -> Result<(), Failure> {
    let mut entries = admin.configs(resource, names, false).await?;
    entries.retain(|entry| !own || entry.source.is_own());
    entries.sort_by(|a, b| a.name.cmp(&b.name));
    // Brokers leave names out that they do not know.
    let unknown = names
        .into_iter()
        .flatten()
        .find(|name| !own && entries.iter().all(|entry| entry.name != **name));
    if let Some(name) = unknown.filter(|_| !matches!(resource, Resource::AllBrokers)) {
        return Err(Failure::Said(format!(
            "there is no configuration {name} here\n`klamm config get` without a name shows all of them"
        )));
    }
    let mut table = Table::new(&["name", "value", "from"]);
    for entry in entries {
        let value = if entry.is_sensitive {
            json!("(not told)")
        } else {
            json!(entry.value.as_deref())
        };
        table.row([json!(&*entry.name), value, json!(entry.source.name())]);
    }
    Ok(table.show(format)?)
}
