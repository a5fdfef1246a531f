//! ControlledShutdown: a broker asks a ZooKeeper controller to move leaders away from it.
//!
//! Gone with Kafka 4.0. Version 0 is the one request without a client id in its header.

use crate::derive::{Message, Struct};
use crate::{ErrorCode, Str};

/// A broker that wants to stop.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "request", key = 7, versions = "0-3", flexible = "3+")]
pub struct ControlledShutdownRequest {
    /// The broker.
    pub broker_id: i32,
    /// Its epoch, -1 when unknown (KIP-380).
    #[field(versions = "2+", default = "-1", ignorable)]
    pub broker_epoch: i64,
}

/// What is left.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "response", key = 7, versions = "0-3", flexible = "3+")]
pub struct ControlledShutdownResponse {
    /// NOT_CONTROLLER, STALE_BROKER_EPOCH, ...
    pub error_code: ErrorCode,
    /// Partitions that the broker still leads; it may stop once there is none.
    pub remaining_partitions: Vec<RemainingPartition>,
}

/// A partition that the broker still leads.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct RemainingPartition {
    /// The topic.
    pub topic_name: Str,
    /// The partition.
    pub partition_index: i32,
}
