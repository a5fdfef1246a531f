//! The shell around the core: sockets, connections, memory, lanes, blocking jobs and the clock.
//!
//! [`Bound`] opens the listeners, so that a port that is taken is found before anything else happens.
//! [`Server::start`] puts a [`Node`] behind them. Each connection is one task (`session`); requests are decoded
//! and answers encoded there, and the core is called directly, under one short lock (`driver`). No task touches a
//! disk.

#![allow(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "this is the shell: it has the clock, the threads and the tasks that the core must not have"
)]

mod accept;
mod answers;
mod closing;
mod driver;
mod frames;
mod memory;
mod session;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use klamm_storage::sys::Fs;
use tokio::task::JoinSet;

use accept::Gate;
pub use accept::{BindError, Bound};
use driver::{COMPUTE_JOBS, Driver, JOBS_PER_LANE};

use crate::Node;
use crate::config::BrokerConfig;

/// How long connections may take to send what they still have when the broker stops.
const GOODBYE: Duration = Duration::from_secs(1);

/// Threads for blocking jobs that a runtime for this broker should allow.
pub fn blocking_threads(config: &BrokerConfig) -> usize {
    JOBS_PER_LANE * (config.log_dirs.len() + 1) + COMPUTE_JOBS
}

/// A running broker.
pub struct Server {
    driver: Arc<Driver>,
    addresses: Vec<(String, SocketAddr)>,
    tasks: JoinSet<()>,
}

impl Server {
    /// Takes connections for a node from now on. Must be called inside a runtime.
    ///
    /// # Errors
    /// When the operating system gives no threads, or does not let a listener be used.
    pub fn start(
        bound: Bound,
        node: Node,
        fs: Arc<dyn Fs>,
        config: Arc<BrokerConfig>,
    ) -> std::io::Result<Server> {
        let addresses = bound.addresses();
        let driver = Driver::start(node, fs, config)?;
        let gate = Arc::new(Gate::default());
        let mut tasks = JoinSet::new();
        tasks.spawn(Arc::clone(&driver).keep_time());
        for (name, listener) in bound.into_listeners() {
            tasks.spawn(accept::accept(
                listener,
                name,
                Arc::clone(&driver),
                Arc::clone(&gate),
            ));
        }
        Ok(Server {
            driver,
            addresses,
            tasks,
        })
    }

    /// Names of the listeners and the addresses they are bound to.
    pub fn addresses(&self) -> &[(String, SocketAddr)] {
        &self.addresses
    }

    /// Bytes of requests that are being read or handled.
    pub fn request_bytes(&self) -> usize {
        self.driver.memory.used()
    }

    /// Open connections.
    pub fn connections(&self) -> usize {
        self.driver.connections()
    }

    /// How many connections have ended, by reason.
    pub fn ended_connections(&self) -> Vec<(&'static str, u64)> {
        self.driver.endings.counts()
    }

    /// How many requests were not served, by the name of their API; `unknown` where the key is none of Kafka's.
    pub fn refused_requests(&self) -> Vec<(&'static str, u64)> {
        self.driver.endings.refused()
    }

    /// Waits until the broker cannot go on, and says why.
    pub async fn failed(&self) -> String {
        match self.driver.ended().await {
            Err(why) => why,
            // Nobody but [`Server::stop`] ends it in good order.
            Ok(()) => std::future::pending().await,
        }
    }

    /// Stops in good order: waiting requests are answered, logs synced and closed, connections ended.
    ///
    /// # Errors
    /// Why this did not succeed. The next start recovers what was not closed.
    pub async fn stop(mut self) -> Result<(), String> {
        self.driver.stop();
        self.driver.ended().await?;
        self.tasks.abort_all();
        self.driver.close_all();
        let gone = async {
            while self.driver.connections() > 0 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        // Whoever does not take an answer for a second does not get it.
        let _ = tokio::time::timeout(GOODBYE, gone).await;
        Ok(())
    }
}
