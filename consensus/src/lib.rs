//! The cluster's metadata: which topics, partitions, brokers and settings there are.
//!
//! A request goes one way: [`controller`] decides it against the image into [`record`]s and an answer, Raft
//! puts the records into its log, `replay` applies them once they are committed, and the [`image`] that
//! comes out is published together with the difference to the one before. Nothing else changes an image.
//!
//! This room knows no clock, thread, socket or client; chance comes from one seeded source ([`random`]). Raft
//! (the `raft` crate) is fenced in here: nothing of it stands in a public signature.

pub mod controller;
pub mod image;
pub mod random;
pub mod record;
pub mod request;

mod core;
mod node;
mod quorum;
mod replay;
mod snapshot;

pub use crate::core::{MetadataFailure, Published};
pub use controller::{ConfigRules, TopicDefaults};
pub use image::{
    Broker, Change, ConfigResource, Endpoint, MetadataDelta, MetadataImage, NO_LEADER, Partition, Topic,
    Voter,
};
pub use node::{
    METADATA_LOG, MetadataNode, MetadataOptions, MetadataOutput, OpenError, QuorumReplica, QuorumState,
};
pub use replay::{ReplayError, replay};
pub use request::{
    BrokerRegistration, ConfigEdit, ConfigEdits, ConfigOp, ControllerRequest, ControllerResponse,
    CreatedTopic, DeletedTopic, NewPartitions, NewTopic, ProducerIdBlock, Refusal, TopicRef,
};

#[cfg(test)]
mod tests;
