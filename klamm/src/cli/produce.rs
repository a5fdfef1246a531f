//! `klamm produce`: lines of standard input become records.

use std::io::{self, BufRead, Read};
use std::time::Duration;

use bytes::Bytes;
use klamm_client::Producer;
use klamm_client::producer::{Delivery, ProducerOptions, ProducerRecord};
use klamm_protocol::Str;
use klamm_protocol::record::Compression;
use tokio::sync::mpsc;

use super::{At, Failure, assignment};
use crate::broker::Stops;

/// The longest line, in bytes. Topics take batches of 1 MiB where nothing else is configured.
const LINE_BYTES_MAX: u64 = 1_000_000;

/// Lines that were read and not handed to the producer yet.
const LINES_AHEAD: usize = 64;

/// Records whose acknowledgement is waited for.
const UNACKNOWLEDGED_MAX: usize = 10_000;

/// Arguments of `klamm produce`.
#[derive(Debug, clap::Args)]
pub struct Produce {
    #[command(flatten)]
    at: At,
    /// Name of the topic; it is created where the broker allows that.
    topic: String,
    /// What stands between key and value in every line; without it, records have no key.
    #[arg(long, value_name = "TEXT", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    key_separator: Option<String>,
    /// A header of every record; may be given several times.
    #[arg(long = "header", value_name = "NAME=VALUE", value_parser = assignment)]
    headers: Vec<(String, String)>,
    /// How batches are compressed: none, gzip, snappy, lz4, zstd.
    #[arg(long, value_name = "CODEC", default_value = "none", value_parser = codec)]
    compression: Compression,
    /// The partition; without it, chosen by the key, or one after another.
    #[arg(long, value_name = "NUMBER")]
    partition: Option<i32>,
}

/// Carries out `klamm produce`: until the end of standard input or Ctrl-C, and until all is acknowledged.
///
/// # Errors
/// The first line that cannot be written. Those before it are.
pub async fn run(arguments: Produce) -> Result<(), Failure> {
    let mut stops = Stops::listen()?;
    let cluster = arguments.at.cluster().await?;
    let options = ProducerOptions {
        compression: arguments.compression,
        batch_bytes: usize::try_from(LINE_BYTES_MAX).unwrap_or(usize::MAX),
        delivery_timeout: Duration::from_secs(30),
        ..Default::default()
    };
    let producer = Producer::start(cluster, options);
    let mut lines = read_lines();
    let (deliveries, received) = mpsc::channel(UNACKNOWLEDGED_MAX);
    let mut acknowledged = tokio::spawn(acknowledge(received));
    let mut number = 0;
    let ended = loop {
        let line = tokio::select! {
            line = lines.recv() => line,
            () = stops.next() => None,
            // Only a failure ends it before its time.
            result = &mut acknowledged => return finished(result).map(drop),
        };
        let Some(line) = line else { break Ok(()) };
        number += 1;
        let sent = async {
            let record = record(&arguments, Bytes::from(line?), number)?;
            Ok::<_, Failure>(producer.send(record).await?)
        };
        tokio::select! {
            sent = sent => match sent {
                // Nobody takes it once something failed, which the next turn tells.
                Ok(delivery) => drop(deliveries.send(delivery).await),
                Err(failure) => break Err(failure),
            },
            () = stops.next() => break Err(stopped()),
        }
    };
    drop(deliveries);
    tokio::select! {
        flushed = producer.flush() => flushed?,
        () = stops.next() => return Err(stopped()),
    }
    let count = finished(acknowledged.await)?;
    ended?;
    println!("{count} {} written to {}", plural(count), arguments.topic);
    Ok(())
}

fn finished(result: Result<Result<u64, Failure>, tokio::task::JoinError>) -> Result<u64, Failure> {
    result.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()))
}

fn stopped() -> Failure {
    Failure::Said("stopped before everything was acknowledged".to_owned())
}

fn plural(count: u64) -> &'static str {
    if count == 1 { "record" } else { "records" }
}

/// Counts acknowledged records, up to the first that is not.
async fn acknowledge(mut deliveries: mpsc::Receiver<Delivery>) -> Result<u64, Failure> {
    let mut count = 0;
    while let Some(delivery) = deliveries.recv().await {
        delivery.written().await?;
        count += 1;
    }
    Ok(count)
}

fn record(arguments: &Produce, line: Bytes, number: u64) -> Result<ProducerRecord, Failure> {
    let (key, value) = match &arguments.key_separator {
        None => (None, line),
        Some(separator) => {
            let separator = separator.as_bytes();
            let at = line
                .windows(separator.len())
                .position(|window| window == separator);
            let at = at.ok_or_else(|| {
                let separator = String::from_utf8_lossy(separator).escape_debug().to_string();
                Failure::Said(format!(
                    "line {number} has no \"{separator}\" between key and value\nthe lines before it were written"
                ))
            })?;
            (Some(line.slice(..at)), line.slice(at + separator.len()..))
        }
    };
    let header = |(name, value): &(String, String)| {
        let value = Bytes::copy_from_slice(value.as_bytes());
        (Str::from(name.as_str()), Some(value))
    };
    Ok(ProducerRecord {
        topic: arguments.topic.as_str().into(),
        partition: arguments.partition,
        key,
        value: Some(value),
        headers: arguments.headers.iter().map(header).collect(),
        timestamp_ms: None,
    })
}

/// Lines without their ends, read on a thread of their own: nobody can be asked to stop reading a terminal.
fn read_lines() -> mpsc::Receiver<io::Result<Vec<u8>>> {
    let (sender, lines) = mpsc::channel(LINES_AHEAD);
    std::thread::spawn(move || {
        let mut input = io::stdin().lock();
        loop {
            let line = match read_line(&mut input) {
                Ok(None) => return,
                Ok(Some(line)) => Ok(line),
                Err(error) => Err(error),
            };
            let failed = line.is_err();
            if sender.blocking_send(line).is_err() || failed {
                return;
            }
        }
    });
    lines
}

fn read_line(input: &mut impl BufRead) -> io::Result<Option<Vec<u8>>> {
    let mut line = Vec::new();
    let read = input.take(LINE_BYTES_MAX + 1).read_until(b'\n', &mut line)?;
    if read == 0 {
        return Ok(None);
    }
    if line.last() == Some(&b'\n') {
        line.pop();
    } else if line.len() as u64 > LINE_BYTES_MAX {
        return Err(io::Error::other(format!(
            "a line is longer than {LINE_BYTES_MAX} bytes"
        )));
    }
    Ok(Some(line))
}

fn codec(name: &str) -> Result<Compression, String> {
    Compression::from_name(name).ok_or_else(|| "one of none, gzip, snappy, lz4, zstd is expected".to_owned())
}
