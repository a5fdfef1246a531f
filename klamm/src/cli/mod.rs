//! The command line's questions to a running cluster, its own or any other that speaks Kafka's protocol.
//!
//! One file per noun. What they say over the wire stands in `klamm_client`; here are arguments, and answers for people
//! (`--format table`) and programs (`--format json`), both written by `sheet`.

pub mod api_versions;
pub mod cluster;
pub mod config;
pub mod consume;
mod failure;
pub mod group;
pub mod produce;
mod sheet;
pub mod topic;
mod when;

use std::pin::Pin;
use std::time::Duration;

use klamm_client::{Admin, Cluster, Error, Options};
use klamm_protocol::Str;
use serde_json::json;

pub use self::failure::Failure;
pub use self::sheet::{Format, Sheet, Table};

/// Where the cluster is.
#[derive(Debug, clap::Args)]
pub struct At {
    /// HOST:PORT of a broker, several separated by commas: the first that answers tells of all others.
    #[arg(
        long,
        global = true,
        visible_alias = "bootstrap-server",
        value_name = "HOST:PORT",
        env = "KLAMM_BOOTSTRAP",
        default_value = "127.0.0.1:9092"
    )]
    bootstrap: String,
}

impl At {
    /// Connects to it.
    async fn cluster(&self) -> Result<Cluster, Failure> {
        connect(&self.bootstrap).await
    }

    /// Connects to it, to ask and change.
    async fn admin(&self) -> Result<Admin, Failure> {
        Ok(Admin::new(self.cluster().await?))
    }
}

/// How the answer is written.
#[derive(Debug, clap::Args)]
pub struct Shown {
    /// How the answer is written.
    #[arg(long, global = true, value_name = "FORMAT", value_enum, default_value_t = Format::Table)]
    format: Format,
}

async fn connect(bootstrap: &str) -> Result<Cluster, Failure> {
    let options = Options {
        bootstrap: bootstrap.to_owned(),
        // Whoever waits at a terminal would rather know.
        retry_timeout: Duration::from_secs(10),
        ..Default::default()
    };
    Ok(Cluster::connect(options).await?)
}

/// Carries a command out. Whoever closes the pipe (`| head`) has seen enough: that is success.
///
/// # Errors
/// What went wrong, and what to do, one sentence a line.
pub fn run(command: impl Future<Output = Result<(), Failure>>) -> Result<(), String> {
    // The runtime is compiled once for all commands, and they once each: 0.7 MB less in the binary.
    let command: Pin<Box<dyn Future<Output = Result<(), Failure>>>> = Box::pin(command);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .build();
    let runtime = runtime.map_err(|error| format!("cannot start: {error}"))?;
    match runtime.block_on(command) {
        Err(failure) if !failure.is_closed_pipe() => Err(failure.in_words()),
        _ => Ok(()),
    }
}

/// Shows what went well, then fails with the first that did not.
fn show_results(
    columns: &'static [&'static str; 2],
    results: impl IntoIterator<Item = (Str, Result<&'static str, Error>)>,
    format: Format,
) -> Result<(), Failure> {
    let mut table = Table::new(columns);
    let mut failed = None;
    for (name, result) in results {
        match result {
            Ok(word) => table.row([json!(&*name), json!(word)]),
            Err(error) => failed = failed.or(Some(error)),
        }
    }
    if !table.is_empty() {
        table.show(format)?;
    }
    failed.map_or(Ok(()), |error| Err(error.into()))
}

/// `NAME=VALUE`; the value may be empty.
fn assignment(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("NAME=VALUE is expected".to_owned()),
    }
}
