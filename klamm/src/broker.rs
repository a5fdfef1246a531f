//! `klamm` without a subcommand: the broker, from its settings to its end.

use std::ffi::OsString;
use std::io::IsTerminal;
use std::sync::Arc;
use std::time::Duration;

use klamm_broker::Node;
use klamm_broker::config::{self, Assignment, BrokerConfig, Loaded};
use klamm_broker::server::{self, Bound, Server};
use klamm_storage::sys::{Fs, RealFs};
use tokio::signal::unix::{SignalKind, signal};

use crate::{LogFormat, Run, memory, settings};

/// Stack of a thread. Nothing here recurses deeply, and an idle broker should be small.
const STACK_BYTES: usize = 512 << 10;

/// Threads for connections and the core. They never touch a disk, so few are enough.
const WORKERS_MAX: usize = 4;

/// Signals that come within this time are one.
const SAME_SIGNAL: Duration = Duration::from_millis(500);

/// Runs the broker until it is told to stop.
///
/// # Errors
/// What keeps it from starting, one sentence a line.
pub fn run(arguments: &Run) -> Result<(), String> {
    start_logging(arguments.log_format)?;
    let container = Container::from_environment();
    let loaded = load(arguments, &container)?;
    for warning in &loaded.warnings {
        tracing::warn!("{warning}");
    }
    for notice in &loaded.notices {
        tracing::info!("{notice}");
    }
    let mut config = loaded.config;
    if let Some(limit) = raise_descriptor_limit() {
        config.open_files_max = config.open_files_max.min(for_logs(limit));
    }
    let config = Arc::new(config);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(
            std::thread::available_parallelism()
                .map_or(2, usize::from)
                .clamp(2, WORKERS_MAX),
        )
        .max_blocking_threads(server::blocking_threads(&config))
        .thread_stack_size(STACK_BYTES)
        .thread_name("klamm")
        .enable_io()
        .enable_time()
        .build()
        .map_err(|error| format!("cannot start threads: {error}"))?;
    runtime.block_on(serve(config, container.is_one()))
}

fn load(arguments: &Run, container: &Container) -> Result<Loaded, String> {
    let mut assignments = match &arguments.file {
        Some(file) => settings::from_file(file)?,
        None => Vec::new(),
    };
    assignments.extend(container.settings.iter().cloned());
    let file_or_environment = !assignments.is_empty();
    assignments.extend(settings::from_overrides(&arguments.overrides)?);
    let nobody_wrote_listeners = assignments
        .iter()
        .all(|set| !matches!(set.name.as_str(), "listeners" | "advertised.listeners"));
    // Kafka advertises the machine's name; who set up nothing wants to be reached where they connected to,
    // and who starts an image with nothing but a published port is on the container's host.
    let host = match &container.advertised_host {
        Some(host) if nobody_wrote_listeners => Some(host.clone()),
        _ => file_or_environment.then(hostname).flatten(),
    };
    let mut loaded = config::load(&assignments, host.as_deref()).map_err(|errors| {
        errors
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join("\n")
    })?;
    loaded.config.cluster_id.clone_from(&container.cluster_id);
    Ok(loaded)
}

/// What the environment says by the rules of Kafka's container image.
struct Container {
    /// From `KAFKA_*`.
    settings: Vec<Assignment>,
    /// `KLAMM_ADVERTISED_HOST`, which images set: what clients are told where nobody wrote listeners.
    advertised_host: Option<String>,
    /// `CLUSTER_ID`: any text, as `kafka-storage format` takes it. `None` outside of containers, where a variable
    /// of this name may be anybody's.
    cluster_id: Option<String>,
}

impl Container {
    fn from_environment() -> Container {
        let variable = |name| {
            std::env::var(name)
                .ok()
                .filter(|value: &String| !value.is_empty())
        };
        let mut container = Container {
            settings: settings::from_environment(unicode(std::env::vars_os())),
            advertised_host: variable("KLAMM_ADVERTISED_HOST"),
            cluster_id: None,
        };
        if container.is_one() {
            container.cluster_id = variable("CLUSTER_ID");
        }
        container
    }

    fn is_one(&self) -> bool {
        !self.settings.is_empty() || self.advertised_host.is_some()
    }
}

fn unicode(variables: impl Iterator<Item = (OsString, OsString)>) -> impl Iterator<Item = (String, String)> {
    variables.filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
}

fn hostname() -> Option<String> {
    let name = rustix::system::uname().nodename().to_str().ok()?.to_owned();
    (!name.is_empty()).then_some(name)
}

fn start_logging(format: LogFormat) -> Result<(), String> {
    let wanted = std::env::var("KLAMM_LOG").unwrap_or_default();
    let wanted = if wanted.trim().is_empty() {
        "info"
    } else {
        wanted.trim()
    };
    let filter = tracing_subscriber::EnvFilter::try_new(wanted).map_err(|_| {
        format!(
            "environment variable KLAMM_LOG: {wanted} is not a value of it; allowed: error, warn, info, debug or \
             trace, also for a module alone, as in info,klamm_storage=debug"
        )
    })?;
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    match format {
        LogFormat::Text => lines
            .with_target(false)
            .with_ansi(std::io::stderr().is_terminal())
            .init(),
        LogFormat::Json => lines.json().flatten_event(true).init(),
    }
    Ok(())
}

/// Connections, segments and indexes each need a descriptor; the limit that shells set is for other programs.
/// Gives how many there may be; `None` where nothing limits them.
fn raise_descriptor_limit() -> Option<u64> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    match setrlimit(Resource::Nofile, raised) {
        Ok(()) => limit.maximum,
        Err(error) => {
            tracing::warn!(
                "the number of open files stays limited to {:?}: {error}",
                limit.current
            );
            limit.current
        }
    }
}

/// Of so many descriptors, those that files of logs may take: connections need some too, and who finds none left
/// cannot tell that from a full disk.
fn for_logs(descriptors: u64) -> usize {
    usize::try_from(descriptors / 2).unwrap_or(usize::MAX)
}

async fn serve(config: Arc<BrokerConfig>, in_container: bool) -> Result<(), String> {
    let mut stops = Stops::listen().map_err(|error| format!("cannot listen for signals: {error}"))?;
    let bound = Bound::bind(&config).map_err(|error| error.to_string())?;
    let fs: Arc<dyn Fs> = Arc::new(RealFs);
    tracing::info!("klamm {}", env!("CARGO_PKG_VERSION"));
    for dir in &config.log_dirs {
        tracing::info!("data directory {}", dir.display());
    }
    let node = Node::open(&fs, (*config).clone(), seed(), unix_ms()).map_err(|error| error.to_string())?;
    let server = Server::start(bound, node, fs, config).map_err(|error| error.to_string())?;
    for (name, address) in server.addresses() {
        tracing::info!("listening on {name}://{address}");
    }
    if in_container {
        // Testcontainers waits for these words of Kafka's before it lets a test connect.
        tracing::info!("ready: Transitioning from RECOVERY to RUNNING");
    }
    tokio::spawn(memory::give_back());
    tokio::select! {
        () = stops.next() => {}
        why = server.failed() => return Err(why),
    }
    let refused = server.refused_requests();
    if !refused.is_empty() {
        let told: Vec<String> = refused
            .iter()
            .map(|(api, count)| format!("{api} {count}"))
            .collect();
        tracing::info!("requests that are not served: {}", told.join(", "));
    }
    tracing::info!("stopping; a second signal stops at once");
    tokio::select! {
        result = server.stop() => {
            tracing::info!("stopped");
            result
        }
        () = stops.again() => {
            tracing::warn!("stopped at once; the next start recovers the logs");
            std::process::exit(130);
        }
    }
}

/// Chance for ids and timeouts. The standard library's hasher is seeded by the operating system.
fn seed() -> u64 {
    use std::hash::{BuildHasher, Hasher};
    std::hash::RandomState::new().build_hasher().finish()
}

fn unix_ms() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |since| i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

/// SIGTERM and Ctrl-C.
pub struct Stops {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
}

impl Stops {
    /// From now on, they no longer end the process by themselves.
    pub fn listen() -> std::io::Result<Stops> {
        Ok(Stops {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    /// Waits for a signal that somebody sent because the first did not do. Whoever signals a process and its
    /// group sends the first one twice.
    async fn again(&mut self) {
        let began = tokio::time::Instant::now();
        while began.elapsed() < SAME_SIGNAL {
            self.next().await;
        }
    }

    /// Waits for one of them.
    pub async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What clients are told by an image, with these settings in the environment.
    fn told(variables: &[(&str, &str)]) -> Option<String> {
        let variables = variables
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let container = Container {
            settings: settings::from_environment(variables),
            advertised_host: Some("localhost".to_owned()),
            cluster_id: Some("any text".to_owned()),
        };
        let arguments = Run {
            file: None,
            overrides: Vec::new(),
            log_format: LogFormat::Text,
        };
        let loaded = load(&arguments, &container).unwrap();
        assert_eq!(loaded.config.cluster_id.as_deref(), Some("any text"));
        loaded.config.listeners[0].advertised_host.clone()
    }

    #[test]
    fn an_image_advertises_its_default_only_where_nobody_wrote_listeners() {
        assert_eq!(told(&[]).as_deref(), Some("localhost"));
        assert_eq!(told(&[("KAFKA_NODE_ID", "2")]).as_deref(), Some("localhost"));
        assert_eq!(told(&[("KAFKA_LISTENERS", "PLAINTEXT://:9092")]), hostname());
        let advertised = ("KAFKA_ADVERTISED_LISTENERS", "PLAINTEXT://kafka:19092");
        assert_eq!(told(&[advertised]).as_deref(), Some("kafka"));
    }
}
