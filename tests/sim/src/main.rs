//! `klamm-sim`: runs seeds of the simulator, each twice, and says which line brings a failure back.

use std::ops::Range;
use std::process::ExitCode;
use std::time::Instant;

use clap::Parser;
use klamm_sim::checker::Counts;
use klamm_sim::run::{Options, Outcome, run};
use klamm_storage::bug::Bug;

/// Runs whole nodes on one thread, from one seed each.
#[derive(Parser)]
struct Arguments {
    /// The one seed to run.
    #[arg(long, conflicts_with = "seeds")]
    seed: Option<u64>,
    /// A range of seeds, A..B without B.
    #[arg(long, value_parser = range, default_value = "0..100")]
    seeds: Range<u64>,
    /// Events of the part of a run in which things break.
    #[arg(long, default_value_t = klamm_sim::run::STEPS)]
    steps: u64,
    /// Show every event.
    #[arg(long)]
    trace: bool,
    /// Run each seed once, without comparing two traces.
    #[arg(long)]
    once: bool,
    /// Gives the broker a deliberate bug and looks for the first seed that finds it.
    #[arg(long, value_parser = bug)]
    bug: Option<Bug>,
}

fn bug(name: &str) -> Result<Bug, String> {
    let names = Bug::ALL.map(|(name, _)| name).join(", ");
    let found = Bug::ALL.into_iter().find(|(known, _)| *known == name);
    found.map(|(_, bug)| bug).ok_or(format!("one of {names}"))
}

fn range(text: &str) -> Result<Range<u64>, String> {
    let (from, to) = text.split_once("..").ok_or("two numbers with .. between them")?;
    let number = |text: &str| text.parse::<u64>().map_err(|error| error.to_string());
    Ok(number(from)?..number(to)?)
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if arguments.trace {
        // What the broker says, between the events. Without a time: it would be the real one.
        tracing_subscriber::fmt()
            .without_time()
            .with_ansi(false)
            .with_writer(std::io::stderr)
            .init();
    }
    let seeds = arguments
        .seed
        .map_or(arguments.seeds.clone(), |seed| seed..seed + 1);
    match arguments.bug {
        Some(bug) => hunt(bug, seeds, &arguments),
        None => campaign(seeds, &arguments),
    }
}

/// Every seed has to hold, and to be the same twice.
fn campaign(seeds: Range<u64>, arguments: &Arguments) -> ExitCode {
    let started = Instant::now();
    let count = seeds.end - seeds.start;
    let mut counts = Counts::default();
    let mut boots = 0;
    for seed in seeds {
        let options = Options {
            seed,
            steps: arguments.steps,
            print: arguments.trace,
            bug: None,
        };
        let outcome = run(&options);
        if let Some(failure) = failure(&options, &outcome, arguments.once) {
            println!("seed {seed}: {failure}");
            println!("commit {}", commit());
            println!(
                "cargo run --release -p klamm-sim -- --seed {seed} --steps {}",
                arguments.steps
            );
            return ExitCode::FAILURE;
        }
        counts.add(&outcome.counts);
        boots += outcome.boots;
    }
    let Counts {
        acked,
        read,
        commits,
        topic_changes,
        generations,
        transactions,
    } = counts;
    println!(
        "{count} seeds hold in {:.1} s: {acked} records acknowledged, {read} read, {commits} offsets committed, \
         {topic_changes} topics created or deleted, {generations} assignments, {transactions} transactions, {boots} starts of the broker",
        started.elapsed().as_secs_f64()
    );
    ExitCode::SUCCESS
}

/// The first seed that finds a deliberate bug.
fn hunt(bug: Bug, seeds: Range<u64>, arguments: &Arguments) -> ExitCode {
    for (tried, seed) in (1..).zip(seeds) {
        let options = Options {
            seed,
            steps: arguments.steps,
            print: arguments.trace,
            bug: Some(bug),
        };
        if let Some(failure) = run(&options).failure {
            println!("{bug:?} is found after {tried} seeds: {failure}");
            return ExitCode::SUCCESS;
        }
    }
    println!("{bug:?} is not found");
    ExitCode::FAILURE
}

fn failure(options: &Options, outcome: &Outcome, once: bool) -> Option<String> {
    if let Some(failure) = &outcome.failure {
        return Some(failure.clone());
    }
    let again = if once {
        return None;
    } else {
        run(&Options {
            print: false,
            ..*options
        })
    };
    let (first, second) = (outcome.trace, again.trace);
    (first != second).then(|| format!("two runs differ: traces {first:016x} and {second:016x}"))
}

fn commit() -> String {
    let asked = std::process::Command::new("git")
        .args(["describe", "--always", "--dirty"])
        .output();
    asked
        .map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned())
        .unwrap_or_default()
}
