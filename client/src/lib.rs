//! A small Kafka client: what the command line and every platform part stand on.
//!
//! [`Cluster`] is the door: it knows the brokers, who leads what, and holds one [`Connection`] to each of them.
//! [`Admin`] asks and changes, [`Producer`] writes, [`Consumer`] reads, by assignment or as a member of a group.
//! Nothing here knows the broker's insides: it works with any Kafka from 2.4 on. What decides (correlation, the
//! choice of versions, batching, partitioning, assignment) is in types without sockets or clocks.
//!
//! Not here: TLS, SASL, transactions, the group protocol of KIP-848.

pub mod admin;
mod call;
mod cluster;
pub mod connection;
pub mod consumer;
mod error;
mod picture;
pub mod producer;

pub use admin::Admin;
pub use call::Call;
pub use cluster::{Cluster, Options};
pub use connection::Connection;
pub use consumer::Consumer;
pub use error::Error;
pub use picture::{BrokerAddress, Picture, PicturedPartition, PicturedTopic};
pub use producer::Producer;
