//! The broker as a library: requests in, answers out, and everything that decides in between.
//!
//! The core is [`Node`]: a state machine that takes [`Event`]s and returns [`Effect`]s. It holds no clock,
//! thread, socket or file; time is an argument, and what touches the world is an effect that somebody carries
//! out: the server for real, the simulator in tests.
//!
//! Read on in [`router`] (which APIs are served), [`node`] (the loop) and `api/` (one file per API).

pub mod api;
mod cluster;
pub mod config;
pub mod connection;
pub mod coordinator;
mod disks;
mod fetch_session;
mod groups;
mod hosting;
mod ids;
mod job;
mod markers;
pub mod node;
pub mod old_clients;
mod outputs;
mod partition;
mod partitions;
mod preparation;
mod random;
mod replicas;
mod room;
pub mod router;
mod rules;
mod schedule;
pub mod server;
mod shutdown;
mod startup;
mod transactions;
mod waiting;

pub use ids::{CloseReason, ConnectionId, ConnectionInfo, LaneId, Now, RequestId};
pub use job::{Job, JobDone};
pub use node::{Effect, Event, Node};
pub use startup::StartError;

#[cfg(test)]
mod tests;
