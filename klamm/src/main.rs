//! The one binary: command line and composition root.
//!
//! `settings` gathers what the user wrote (file, environment, command line), `broker` puts the rooms together and
//! runs them, `memory` gives memory back, `print` shows settings, `cli` asks running clusters. What a setting means stands in `klamm_broker::config`, nowhere here.

mod broker;
mod cli;
mod memory;
mod print;
mod settings;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand, ValueEnum};

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

    /// How log lines are written. The environment variable KLAMM_LOG sets what is written: error, warn, info (the
    /// default), debug or trace, also for a module alone, as in info,klamm_storage=debug.
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
    /// Create, list, describe, alter and delete topics.
    Topic(cli::topic::Topic),
    /// Write lines of standard input to a topic.
    Produce(cli::produce::Produce),
    /// Read topics to standard output.
    Consume(cli::consume::Consume),
    /// List, describe, move and delete consumer groups.
    Group(cli::group::Group),
    /// Show and change configurations of topics, brokers and groups while they run.
    Config(cli::config::Config),
    /// Show brokers and their directories.
    Cluster(cli::cluster::Cluster),
    /// Show which versions of which APIs are served, by this binary or by a running broker.
    ApiVersions(cli::api_versions::ApiVersions),
    /// Write what a shell needs to complete command lines.
    Completions {
        /// Name of the shell.
        #[arg(value_enum)]
        shell: clap_complete::Shell,
    },
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
        Some(Command::Topic(arguments)) => cli::run(cli::topic::run(arguments)),
        Some(Command::Produce(arguments)) => cli::run(cli::produce::run(arguments)),
        Some(Command::Consume(arguments)) => cli::run(cli::consume::run(arguments)),
        Some(Command::Group(arguments)) => cli::run(cli::group::run(arguments)),
        Some(Command::Config(arguments)) => cli::run(cli::config::run(arguments)),
        Some(Command::Cluster(arguments)) => cli::run(cli::cluster::run(arguments)),
        Some(Command::ApiVersions(arguments)) => cli::run(cli::api_versions::run(arguments)),
        Some(Command::Completions { shell }) => print::completions(shell, &mut Cli::command()),
        Some(Command::Settings { part, topic }) => print::settings(part.as_deref().unwrap_or(""), topic),
        None => broker::run(&cli.run).map_err(|problem| match meant(&cli.run) {
            Some(command) => format!("{problem}\ndid you mean the command `klamm {command}`?"),
            None => problem,
        }),
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

/// The command that somebody meant who named a file that is not there, such as `topics`.
fn meant(run: &Run) -> Option<String> {
    let named = run.file.as_ref().filter(|file| !file.exists())?.to_str()?;
    let stem = named.trim_end_matches('s');
    let commands = Cli::command();
    let mut names = commands.get_subcommands().map(clap::Command::get_name);
    let alike = |name: &&str| !stem.is_empty() && (name.starts_with(stem) || stem.starts_with(*name));
    names.find(alike).map(str::to_owned)
}
