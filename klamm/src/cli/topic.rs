//! `klamm topic`.

use std::collections::BTreeMap;

use clap::{ArgGroup, Subcommand};
use klamm_client::admin::{ConfigChange, NewTopic, Resource, TimeSpec};
use klamm_client::{Admin, Error, PicturedTopic};
use klamm_protocol::{ErrorCode, Str};
use serde_json::json;

use super::{At, Failure, Format, Sheet, Shown, Table, assignment, show_results};

const RESULTS: &[&str; 2] = &["topic", "result"];

/// Arguments of `klamm topic`.
#[derive(Debug, clap::Args)]
pub struct Topic {
    #[command(flatten)]
    at: At,
    #[command(flatten)]
    shown: Shown,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Create topics.
    Create(Create),
    /// List topics.
    List {
        /// Also those that the cluster made for itself.
        #[arg(long)]
        internal: bool,
    },
    /// Show partitions, where they begin and end, and what is configured.
    Describe {
        /// Names of topics.
        #[arg(value_name = "TOPIC", required = true)]
        names: Vec<String>,
    },
    /// Add partitions, change configurations.
    Alter(Alter),
    /// Delete topics and all their records.
    Delete {
        /// Names of topics.
        #[arg(value_name = "TOPIC", required = true)]
        names: Vec<String>,
    },
}

#[derive(Debug, clap::Args)]
struct Create {
    /// Names of topics.
    #[arg(value_name = "TOPIC", required = true)]
    names: Vec<String>,
    /// Number of partitions; the broker's num.partitions without it.
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(i32).range(1..))]
    partitions: Option<i32>,
    /// Copies of each partition; the broker's default.replication.factor without it.
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(i16).range(1..))]
    replication_factor: Option<i16>,
    /// A configuration, such as retention.ms=3600000; may be given several times.
    #[arg(long = "config", value_name = "NAME=VALUE", value_parser = assignment)]
    configs: Vec<(String, String)>,
    /// A topic that is there already is left as it is.
    #[arg(long)]
    if_not_exists: bool,
}

#[derive(Debug, clap::Args)]
#[group(skip)]
#[command(group = ArgGroup::new("change").required(true).multiple(true).args(["partitions", "set", "unset"]))]
struct Alter {
    /// Name of the topic.
    #[arg(value_name = "TOPIC")]
    name: String,
    /// How many partitions it is to have; they can only become more. Keys then go to other partitions.
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(i32).range(1..))]
    partitions: Option<i32>,
    /// A configuration to set; may be given several times.
    #[arg(long = "config", id = "set", value_name = "NAME=VALUE", value_parser = assignment)]
    set: Vec<(String, String)>,
    /// A configuration to unset; may be given several times.
    #[arg(long, value_name = "NAME")]
    unset: Vec<String>,
}

/// Carries out `klamm topic`.
///
/// # Errors
/// What the cluster refuses.
pub async fn run(arguments: Topic) -> Result<(), Failure> {
    let admin = arguments.at.admin().await?;
    let format = arguments.shown.format;
    match arguments.verb {
        Verb::Create(create) => create_topics(&admin, create, format).await,
        Verb::List { internal } => list(&admin, internal, format).await,
        Verb::Describe { names } => describe(&admin, names, format).await,
        Verb::Alter(alter) => change(&admin, alter, format).await,
        Verb::Delete { names } => delete(&admin, names, format).await,
    }
}

async fn create_topics(admin: &Admin, create: Create, format: Format) -> Result<(), Failure> {
    let topic = |name: &String| NewTopic {
        name: name.as_str().into(),
        partitions: create.partitions,
        replication_factor: create.replication_factor,
        assignment: Vec::new(),
        configs: create
            .configs
            .iter()
            .map(|(name, value)| (name.as_str().into(), value.as_str().into()))
            .collect(),
    };
    let topics: Vec<NewTopic> = create.names.iter().map(topic).collect();
    let results = admin.create_topics(&topics, false).await?;
    let result = |result: Result<(), Error>| match result {
        Ok(()) => Ok("created"),
        Err(error) if create.if_not_exists && error.code() == Some(ErrorCode::TOPIC_ALREADY_EXISTS) => {
            Ok("was there")
        }
        Err(error) => Err(error),
    };
    let results = results.into_iter().map(|(name, created)| (name, result(created)));
    show_results(RESULTS, results, format)
}

async fn list(admin: &Admin, internal: bool, format: Format) -> Result<(), Failure> {
    let mut table = Table::new(&["topic", "partitions", "replicas", "id"]);
    for (name, topic) in admin.topics().await? {
        if topic.is_internal && !internal {
            continue;
        }
        let replicas = topic
            .partitions
            .values()
            .map(|partition| partition.replicas.len());
        table.row([
            json!(&*name),
            json!(topic.partitions.len()),
            json!(replicas.max()),
            json!(topic.id.to_string()),
        ]);
    }
    Ok(table.show(format)?)
}

async fn describe(admin: &Admin, names: Vec<String>, format: Format) -> Result<(), Failure> {
    let mut sheets = Vec::new();
    for name in names {
        let name = Str::from(name);
        let topic = admin.topic(&name).await?;
        let mut sheet = Sheet::default();
        sheet.fact("topic", &*name);
        sheet.fact("id", topic.id.to_string());
        sheet.fact("internal", topic.is_internal);
        sheet.table("partitions", partitions(admin, &name, &topic).await?);
        let mut configs = Table::new(&["config", "value"]);
        for entry in admin.configs(&Resource::Topic(name), None, false).await? {
            if entry.source.is_own() {
                configs.row([json!(&*entry.name), json!(entry.value.as_deref())]);
            }
        }
        sheet.table("configurations_of_its_own", configs);
        sheets.push(sheet);
    }
    Ok(Sheet::show_all(sheets, format)?)
}

async fn partitions(admin: &Admin, name: &Str, topic: &PicturedTopic) -> Result<Table, Failure> {
    // Without a leader there is nobody to ask.
    let led = topic
        .partitions
        .iter()
        .filter(|(_, partition)| partition.leader >= 0);
    let wanted = |spec| -> BTreeMap<(Str, i32), TimeSpec> {
        led.clone()
            .map(|(&number, _)| ((name.clone(), number), spec))
            .collect()
    };
    let starts = admin.offsets(&wanted(TimeSpec::Earliest)).await?;
    let ends = admin.offsets(&wanted(TimeSpec::Latest)).await?;
    let mut table = Table::new(&["partition", "leader", "replicas", "in_sync", "first", "end"]);
    for (&number, partition) in &topic.partitions {
        let place = (name.clone(), number);
        let offset =
            |found: &BTreeMap<_, klamm_client::admin::Found>| found.get(&place).and_then(|f| f.offset);
        table.row([
            json!(number),
            json!((partition.leader >= 0).then_some(partition.leader)),
            json!(partition.replicas),
            json!(partition.isr),
            json!(offset(&starts)),
            json!(offset(&ends)),
        ]);
    }
    Ok(table)
}

async fn change(admin: &Admin, alter: Alter, format: Format) -> Result<(), Failure> {
    let name = Str::from(alter.name);
    // Tells of a topic that is not there in the same words, whatever was to be changed.
    admin.topic(&name).await?;
    let set = alter
        .set
        .into_iter()
        .map(|(name, value)| ConfigChange::Set(name.into(), value.into()));
    let unset = alter
        .unset
        .into_iter()
        .map(|name| ConfigChange::Unset(name.into()));
    let changes: Vec<_> = set.chain(unset).collect();
    if !changes.is_empty() {
        admin
            .alter_configs(&Resource::Topic(name.clone()), &changes)
            .await?;
    }
    if let Some(count) = alter.partitions {
        admin.create_partitions(&name, count).await?;
    }
    show_results(RESULTS, [(name, Ok("changed"))], format)
}

async fn delete(admin: &Admin, names: Vec<String>, format: Format) -> Result<(), Failure> {
    let names: Vec<Str> = names.into_iter().map(Str::from).collect();
    let results = admin.delete_topics(&names).await?.into_iter();
    let results = results.map(|(name, deleted)| (name, deleted.map(|()| "deleted")));
    show_results(RESULTS, results, format)
}
