//! The one binary: command line and composition root.
//!
//! `settings` gathers what the user wrote (file, environment, command line), `broker` puts the rooms together and
//! runs them, `memory` gives memory back, `print` shows tables. What a setting means stands in `klamm_broker::config`, nowhere here.

mod broker;
mod memory;
mod print;
mod settings;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand, ValueEnum};

/// A Kafka-compatible broker in one binary.
///
/// Without arguments it listens on port 9092, keeps its data in ./klamm-data and creates topics when clients
/// ask for them. Settings have Kafka's names; later ones win: FILE, KAFKA_* environment variables (as in Kafka's
/// container image: KAFKA_LOG_DIRS is log.dirs), --override.
#[derive(Debug, Parser)]
#[command(name = "klamm", version, args_conflicts_with_subcommands = true)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,

    #[command(flatten)]
    run: Run,
}

#[derive(Debug, clap::Args)]
struct Run {
    /// Settings, in the format of Kafka's server.properties.
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,

    /// One setting; may be given several times.
    #[arg(long = "override", value_name = "NAME=VALUE")]
    overrides: Vec<String>,

    /// How log lines are written. KLAMM_LOG sets what is written: error, warn, info (the default), debug, trace.
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t = LogFormat::Text)]
    log_format: LogFormat,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum LogFormat {
    /// For people.
    Text,
    /// One JSON object per line.
    Json,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show which versions of which APIs are served.
    ApiVersions,
    /// Show what settings there are, and what they mean.
    Settings {
        /// Only settings with this in their name.
        #[arg(value_name = "PART")]
        part: Option<String>,
        /// Settings of a topic, instead of the broker's.
        #[arg(long)]
        topic: bool,
    },
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let result = match cli.command {
        Some(Command::ApiVersions) => print::api_versions(),
        Some(Command::Settings { part, topic }) => print::settings(part.as_deref().unwrap_or(""), topic),
        None => broker::run(&cli.run),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            for line in problem.lines() {
                eprintln!("klamm: {line}");
            }
            ExitCode::FAILURE
        }
    }
}
