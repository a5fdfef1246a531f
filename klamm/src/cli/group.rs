//! `klamm group`.

use std::collections::{BTreeMap, BTreeSet};

use clap::{ArgGroup, Subcommand};
use klamm_client::Admin;
use klamm_client::admin::{Committed, Found, GroupDescription, TimeSpec};
use klamm_protocol::Str;
use serde_json::json;

use super::when::timestamp_ms;
use super::{At, Failure, Format, Sheet, Shown, Table, show_results};

/// Arguments of `klamm group`.
#[derive(Debug, clap::Args)]
pub struct Group {
    #[command(flatten)]
    at: At,
    #[command(flatten)]
    shown: Shown,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// List groups.
    List,
    /// Show a group's state and who is in it.
    Describe {
        /// Name of the group.
        group: String,
    },
    /// Show how far a group has read, and how much is left.
    Lag {
        /// Name of the group.
        group: String,
    },
    /// Move what a group has read, while nobody is in it.
    ResetOffsets(Reset),
    /// Delete groups that nobody is in, with all that they committed.
    Delete {
        /// Names of groups.
        #[arg(value_name = "GROUP", required = true)]
        groups: Vec<String>,
    },
}

#[derive(Debug, clap::Args)]
#[group(skip)]
#[command(group = ArgGroup::new("where").required(true)
    .args(["to_earliest", "to_latest", "to_offset", "to_timestamp"]))]
#[command(group = ArgGroup::new("what").required(true).args(["topics", "all_topics"]))]
struct Reset {
    /// Name of the group; one that is not there is made.
    group: String,
    /// A topic, or one partition of it; may be given several times.
    #[arg(long = "topic", id = "topics", value_name = "TOPIC[:PARTITION]", value_parser = topic_or_partition)]
    topics: Vec<(String, Option<i32>)>,
    /// Everything that the group has committed so far.
    #[arg(long)]
    all_topics: bool,
    /// To the first record that is there.
    #[arg(long)]
    to_earliest: bool,
    /// Behind the last record.
    #[arg(long)]
    to_latest: bool,
    /// To this offset, or the nearest that is there.
    #[arg(long, value_name = "OFFSET")]
    to_offset: Option<i64>,
    /// To the first record since a time: milliseconds since 1970, or how long ago: 90s, 15m, 2h, 7d.
    #[arg(long, value_name = "TIME", value_parser = timestamp_ms)]
    to_timestamp: Option<i64>,
    /// Only show what would be done.
    #[arg(long)]
    dry_run: bool,
}

type Place = (Str, i32);

/// Carries out `klamm group`.
///
/// # Errors
/// What the cluster refuses.
pub async fn run(arguments: Group) -> Result<(), Failure> {
    let admin = arguments.at.admin().await?;
    let format = arguments.shown.format;
    match arguments.verb {
        Verb::List => list(&admin, format).await,
        Verb::Describe { group } => describe(&admin, &group.into(), format).await,
        Verb::Lag { group } => lag(&admin, &group.into(), format).await,
        Verb::ResetOffsets(reset) => reset_offsets(&admin, reset, format).await,
        Verb::Delete { groups } => {
            let mut results = Vec::new();
            for group in groups {
                let deleted = admin.delete_group(&group.as_str().into()).await;
                results.push((group.into(), deleted.map(|()| "deleted")));
            }
            show_results(&["group", "result"], results, format)
        }
    }
}

async fn list(admin: &Admin, format: Format) -> Result<(), Failure> {
    let mut table = Table::new(&["group", "state", "type", "protocol"]);
    for group in admin.groups().await? {
        table.row([
            json!(&*group.group),
            json!(&*group.state),
            json!(&*group.kind),
            json!(&*group.protocol_type),
        ]);
    }
    Ok(table.show(format)?)
}

async fn existing(admin: &Admin, group: &Str) -> Result<GroupDescription, Failure> {
    let none = || format!("there is no group {group}\n`klamm group list` shows which groups there are");
    let described = admin.group(group).await?;
    described.ok_or_else(|| Failure::Said(none()))
}

async fn describe(admin: &Admin, group: &Str, format: Format) -> Result<(), Failure> {
    let described = existing(admin, group).await?;
    let mut sheet = Sheet::default();
    sheet.fact("group", &*described.group);
    sheet.fact("state", &*described.state);
    sheet.fact("coordinator", described.coordinator);
    sheet.fact("protocol", &*described.protocol_type);
    sheet.fact("assignor", &*described.assignor);
    let mut members = Table::new(&["member", "instance", "client", "host", "partitions"]);
    for member in described.members {
        let partitions = member.partitions.iter().flat_map(|(topic, partitions)| {
            partitions
                .iter()
                .map(move |partition| format!("{topic}:{partition}"))
        });
        members.row([
            json!(&*member.member),
            json!(member.instance.as_deref()),
            json!(&*member.client_id),
            json!(&*member.host),
            json!(partitions.collect::<Vec<_>>()),
        ]);
    }
    sheet.table("members", members);
    Ok(sheet.show(format)?)
}

async fn lag(admin: &Admin, group: &Str, format: Format) -> Result<(), Failure> {
    let described = existing(admin, group).await?;
    let committed = admin.committed(group).await?;
    let mut readers: BTreeMap<Place, Str> = BTreeMap::new();
    for member in described.members {
        for (topic, partitions) in member.partitions {
            readers.extend(
                partitions
                    .into_iter()
                    .map(|partition| ((topic.clone(), partition), member.client_id.clone())),
            );
        }
    }
    let places: BTreeSet<Place> = committed.keys().chain(readers.keys()).cloned().collect();
    let places = still_there(admin, places).await?;
    let ends = look_up(admin, &places, TimeSpec::Latest).await?;
    let mut table = Table::new(&["topic", "partition", "committed", "end", "lag", "client"]);
    for place in places {
        let committed = committed.get(&place).map(|committed| committed.offset);
        let end = ends.get(&place).and_then(|found| found.offset);
        let lag = committed
            .zip(end)
            .map(|(committed, end)| (end - committed).max(0));
        table.row([
            json!(&*place.0),
            json!(place.1),
            json!(committed),
            json!(end),
            json!(lag),
            json!(readers.get(&place).map(|client| &**client)),
        ]);
    }
    Ok(table.show(format)?)
}

async fn reset_offsets(admin: &Admin, reset: Reset, format: Format) -> Result<(), Failure> {
    let group = Str::from(reset.group.as_str());
    let committed = admin.committed(&group).await?;
    let places = if reset.all_topics {
        still_there(admin, committed.keys().cloned().collect()).await?
    } else {
        chosen(admin, &reset.topics).await?
    };
    if places.is_empty() {
        return Err(Failure::Said(format!(
            "group {group} has committed nothing\nname topics with --topic"
        )));
    }
    let after = targets(admin, &places, &reset).await?;
    if !reset.dry_run {
        admin.commit(&group, &after).await?;
    }
    show_reset(&committed, &after, format)
}

fn show_reset(
    before: &BTreeMap<Place, Committed>,
    after: &BTreeMap<Place, i64>,
    format: Format,
) -> Result<(), Failure> {
    let mut table = Table::new(&["topic", "partition", "before", "after"]);
    for (place, offset) in after {
        let before = before.get(place).map(|committed| committed.offset);
        table.row([json!(&*place.0), json!(place.1), json!(before), json!(offset)]);
    }
    Ok(table.show(format)?)
}

/// Where each partition is moved to: always an offset that is there, or the end.
async fn targets(
    admin: &Admin,
    places: &BTreeSet<Place>,
    reset: &Reset,
) -> Result<BTreeMap<Place, i64>, Failure> {
    let starts = look_up(admin, places, TimeSpec::Earliest).await?;
    let ends = look_up(admin, places, TimeSpec::Latest).await?;
    let since = match reset.to_timestamp {
        Some(ms) => look_up(admin, places, TimeSpec::Since(ms)).await?,
        None => BTreeMap::new(),
    };
    let offset = |found: &BTreeMap<Place, Found>, place: &Place| found.get(place)?.offset;
    let target = |place: &Place| {
        let (start, end) = (offset(&starts, place)?, offset(&ends, place)?);
        let target = match reset.to_offset {
            Some(wanted) => wanted.max(start).min(end),
            None if reset.to_earliest => start,
            None if reset.to_latest => end,
            None => offset(&since, place).unwrap_or(end),
        };
        Some((place.clone(), target))
    };
    Ok(places.iter().filter_map(target).collect())
}

/// The partitions that were named.
async fn chosen(admin: &Admin, topics: &[(String, Option<i32>)]) -> Result<BTreeSet<Place>, Failure> {
    let mut places = BTreeSet::new();
    for (name, partition) in topics {
        let name = Str::from(name.as_str());
        match partition {
            Some(partition) => drop(places.insert((name, *partition))),
            None => {
                let topic = admin.topic(&name).await?;
                places.extend(
                    topic
                        .partitions
                        .keys()
                        .map(|&partition| (name.clone(), partition)),
                );
            }
        }
    }
    Ok(places)
}

/// Groups remember topics that were deleted.
async fn still_there(admin: &Admin, places: BTreeSet<Place>) -> Result<BTreeSet<Place>, Failure> {
    let topics = admin.topics().await?;
    let is_there = |(topic, partition): &Place| {
        topics
            .get(topic)
            .is_some_and(|topic| topic.partitions.contains_key(partition))
    };
    Ok(places.into_iter().filter(is_there).collect())
}

async fn look_up(
    admin: &Admin,
    places: &BTreeSet<Place>,
    spec: TimeSpec,
) -> Result<BTreeMap<Place, Found>, Failure> {
    let wanted = places.iter().map(|place| (place.clone(), spec)).collect();
    Ok(admin.offsets(&wanted).await?)
}

/// `TOPIC` or `TOPIC:PARTITION`; no topic has a colon in its name.
fn topic_or_partition(text: &str) -> Result<(String, Option<i32>), String> {
    let Some((topic, partition)) = text.split_once(':') else {
        return Ok((text.to_owned(), None));
    };
    let number = partition.parse().ok().filter(|&number| number >= 0);
    let number = number.ok_or_else(|| format!("{partition} is no number of a partition"))?;
    Ok((topic.to_owned(), Some(number)))
}
