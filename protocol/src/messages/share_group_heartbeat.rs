//! ShareGroupHeartbeat: a member of a share group is alive, and hears what to read (KIP-932).
//!
//! Version 0 of the share groups' APIs was Kafka 3.9's and 4.0's early access; 4.1 begins with version 1.

use crate::derive::{Message, Struct};
use crate::{ErrorCode, Str, Uuid};

/// What the member wants. A field that may be null is null while it has not changed.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "request", key = 76, versions = "0-1", flexible = "0+")]
pub struct ShareGroupHeartbeatRequest {
    /// The group.
    pub group_id: Str,
    /// The member; it chooses its id and keeps it.
    pub member_id: Str,
    /// The epoch that the member is in: 0 to join, -1 to leave.
    pub member_epoch: i32,
    /// Where it stands.
    #[field(nullable = "0+", default = "null")]
    pub rack_id: Option<Str>,
    /// Topics that it wants to read.
    #[field(nullable = "0+", default = "null")]
    pub subscribed_topic_names: Option<Vec<Str>>,
}

/// What the member is to read.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "response", key = 76, versions = "0-1", flexible = "0+")]
pub struct ShareGroupHeartbeatResponse {
    /// How long the client is held back for a quota, in milliseconds.
    pub throttle_time_ms: i32,
    /// UNKNOWN_MEMBER_ID, GROUP_ID_NOT_FOUND, FENCED_MEMBER_EPOCH, GROUP_MAX_SIZE_REACHED, INVALID_REQUEST, the
    /// authorizations, and those of the coordinator.
    pub error_code: ErrorCode,
    /// The error in words, or null.
    #[field(nullable = "0+", default = "null")]
    pub error_message: Option<Str>,
    /// The member; null on an error.
    #[field(nullable = "0+", default = "null")]
    pub member_id: Option<Str>,
    /// The epoch that the member is in from here on.
    pub member_epoch: i32,
    /// When to send the next heartbeat, in milliseconds from now.
    pub heartbeat_interval_ms: i32,
    /// Partitions that it is to read; null while unchanged.
    #[field(nullable = "0+", default = "null")]
    pub assignment: Option<Assignment>,
}

/// What a member is to read.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct Assignment {
    /// Partitions by topic.
    pub topic_partitions: Vec<TopicPartitions>,
}

/// Partitions of a topic.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct TopicPartitions {
    /// The topic.
    pub topic_id: Uuid,
    /// The partitions.
    pub partitions: Vec<i32>,
}
