//! `klamm consume`: records become lines of standard output.

use std::collections::BTreeMap;
use std::io::{self, BufWriter, Write};
use std::time::Duration;

use bytes::Bytes;
use clap::{ArgGroup, ValueEnum};
use klamm_client::admin::TimeSpec;
use klamm_client::consumer::{ConsumedRecord, ConsumerOptions, GroupOptions, Start};
use klamm_client::{Admin, Cluster, Consumer};
use klamm_protocol::Str;
use serde_json::{Map, Value, json};

use super::when::timestamp_ms;
use super::{At, Failure};
use crate::broker::Stops;

/// How long it is waited before looking whether everything was read.
const POLL: Duration = Duration::from_millis(200);

/// How long a group may take once somebody wants to stop.
const PATIENCE: Duration = Duration::from_secs(3);

/// Arguments of `klamm consume`.
#[derive(Debug, clap::Args)]
#[group(skip)]
#[command(group = ArgGroup::new("start").args(["from_beginning", "offset", "timestamp"]))]
pub struct Consume {
    #[command(flatten)]
    at: At,
    /// Names of topics.
    #[arg(value_name = "TOPIC", required = true)]
    topics: Vec<String>,
    /// Read as a member of this group: go on where it stopped, and commit what was written out.
    #[arg(long)]
    group: Option<String>,
    /// Begin at the first record; a group only where it has not committed anything.
    #[arg(long)]
    from_beginning: bool,
    /// Begin at this offset.
    #[arg(long, value_name = "OFFSET", conflicts_with = "group",
          value_parser = clap::value_parser!(i64).range(0..))]
    offset: Option<i64>,
    /// Begin at the first record since a time: milliseconds since 1970, or how long ago: 90s, 15m, 2h, 7d.
    #[arg(long, value_name = "TIME", value_parser = timestamp_ms)]
    timestamp: Option<i64>,
    /// Only this partition.
    #[arg(long, value_name = "NUMBER", conflicts_with = "group")]
    partition: Option<i32>,
    /// End after so many records.
    #[arg(long, value_name = "NUMBER")]
    max_messages: Option<u64>,
    /// End once everything was read that is there, instead of waiting for more.
    #[arg(long)]
    until_end: bool,
    /// How records are written.
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t = Written::Plain)]
    format: Written,
    /// With --format plain: write keys as well, and this between key and value.
    #[arg(long, value_name = "TEXT")]
    key_separator: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Written {
    /// The value and a line end, byte by byte.
    Plain,
    /// One JSON object per line; bytes that are not UTF-8 stand in key_hex and value_hex.
    Json,
}

/// Carries out `klamm consume`: until Ctrl-C, or as many records as wanted.
///
/// # Errors
/// What the cluster refuses.
pub async fn run(arguments: Consume) -> Result<(), Failure> {
    let mut stops = Stops::listen()?;
    let cluster = arguments.at.cluster().await?;
    let mut consumer = consumer(&arguments, &cluster).await?;
    let mut left = arguments.max_messages.unwrap_or(u64::MAX);
    let mut ended = Ok(());
    let mut stopped = false;
    while !stopped && left > 0 {
        let records = {
            let mut poll = std::pin::pin!(consumer.poll(POLL));
            tokio::select! {
                records = &mut poll => records?,
                () = stops.next() => {
                    stopped = true;
                    // Not cut short: what it has in its hands would be committed without having been written.
                    match tokio::time::timeout(PATIENCE, poll).await {
                        Ok(records) => records?,
                        Err(_) => return Ok(()),
                    }
                }
            }
        };
        let (written, result) = write(&records, left, &arguments);
        left = left.saturating_sub(u64::try_from(written).unwrap_or(u64::MAX));
        ended = result;
        stopped |= ended.is_err();
        rewind(&mut consumer, &records[written..]);
        stopped |= arguments.until_end && !consumer.positions().is_empty() && consumer.is_at_end();
    }
    tokio::select! {
        closed = consumer.close() => closed?,
        () = stops.next() => {}
    }
    Ok(ended?)
}

async fn consumer(arguments: &Consume, cluster: &Cluster) -> Result<Consumer, Failure> {
    let start = match arguments.timestamp {
        Some(ms) => TimeSpec::Since(ms),
        None if arguments.from_beginning => TimeSpec::Earliest,
        None => TimeSpec::Latest,
    };
    let options = ConsumerOptions {
        start,
        ..Default::default()
    };
    let mut consumer = Consumer::new(cluster, options);
    let admin = Admin::new(cluster.clone());
    let mut places = BTreeMap::new();
    for name in &arguments.topics {
        let name = Str::from(name.as_str());
        let topic = admin.topic(&name).await?;
        let begin = arguments.offset.map_or(Start::Time(start), Start::Offset);
        let partitions = topic.partitions.into_keys();
        let chosen = partitions.filter(|number| arguments.partition.is_none_or(|chosen| chosen == *number));
        let before = places.len();
        places.extend(chosen.map(|partition| ((name.clone(), partition), begin)));
        if let Some(partition) = arguments.partition.filter(|_| places.len() == before) {
            return Err(Failure::Said(format!(
                "topic {name} has no partition {partition}\n`klamm topic describe {name}` shows which it has"
            )));
        }
    }
    match &arguments.group {
        Some(group) => {
            let topics = arguments.topics.iter().map(|name| name.as_str().into());
            consumer.subscribe(topics.collect(), GroupOptions::new(group.as_str().into()));
        }
        None => consumer.assign(places),
    }
    Ok(consumer)
}

/// Records that were not written are not done.
fn rewind(consumer: &mut Consumer, unwritten: &[ConsumedRecord]) {
    for record in unwritten.iter().rev() {
        consumer.seek(&record.topic, record.partition, record.offset);
    }
}

/// Writes records, `left` at most, and gives how many were.
fn write(records: &[ConsumedRecord], left: u64, arguments: &Consume) -> (usize, io::Result<()>) {
    let count = records.len().min(usize::try_from(left).unwrap_or(usize::MAX));
    let mut out = BufWriter::new(io::stdout().lock());
    let mut write = || -> io::Result<()> {
        for record in &records[..count] {
            match arguments.format {
                Written::Plain => write_plain(&mut out, record, arguments.key_separator.as_deref())?,
                Written::Json => {
                    serde_json::to_writer(&mut out, &in_json(record))?;
                    writeln!(out)?;
                }
            }
        }
        out.flush()
    };
    match write() {
        Ok(()) => (count, Ok(())),
        // How much of it arrived nobody knows: better twice than never.
        Err(error) => (0, Err(error)),
    }
}

fn write_plain(out: &mut impl Write, record: &ConsumedRecord, separator: Option<&str>) -> io::Result<()> {
    if let Some(separator) = separator {
        out.write_all(record.key.as_deref().unwrap_or_default())?;
        out.write_all(separator.as_bytes())?;
    }
    out.write_all(record.value.as_deref().unwrap_or_default())?;
    out.write_all(b"\n")
}

fn in_json(record: &ConsumedRecord) -> Value {
    let mut object = Map::new();
    object.insert("topic".to_owned(), json!(&*record.topic));
    object.insert("partition".to_owned(), json!(record.partition));
    object.insert("offset".to_owned(), json!(record.offset));
    object.insert("timestamp".to_owned(), json!(record.timestamp_ms));
    put(&mut object, "key", record.key.as_ref());
    put(&mut object, "value", record.value.as_ref());
    let headers = record.headers.iter().map(|(name, value)| {
        let mut header = Map::new();
        header.insert("name".to_owned(), json!(&**name));
        put(&mut header, "value", value.as_ref());
        Value::Object(header)
    });
    object.insert("headers".to_owned(), headers.collect());
    Value::Object(object)
}

fn put(object: &mut Map<String, Value>, name: &str, bytes: Option<&Bytes>) {
    let text = bytes.map(|bytes| std::str::from_utf8(bytes));
    match (text, bytes) {
        (Some(Err(_)), Some(bytes)) => {
            let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            object.insert(format!("{name}_hex"), json!(hex));
        }
        (text, _) => drop(object.insert(name.to_owned(), json!(text.and_then(Result::ok)))),
    }
}
