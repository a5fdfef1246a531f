//! ConsumerGroupHeartbeat: the one request of a member of a consumer group (KIP-848).

use crate::derive::{Message, Struct};
use crate::{ErrorCode, Str, Uuid};

/// What the member wants and has. A field that may be null is null while it has not changed.
///
/// Version 1 knows subscriptions by regular expression, and lets members choose their own id (KIP-1082).
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "request", key = 68, versions = "0-1", flexible = "0+")]
pub struct ConsumerGroupHeartbeatRequest {
    /// The group.
    pub group_id: Str,
    /// The member, for as long as its process runs; in version 0 empty at first.
    pub member_id: Str,
    /// The epoch that the member is in: 0 to join, -1 to leave, -2 to leave for a while as a static member.
    pub member_epoch: i32,
    /// Instance of a static member.
    #[field(nullable = "0+", default = "null")]
    pub instance_id: Option<Str>,
    /// Where it stands.
    #[field(nullable = "0+", default = "null")]
    pub rack_id: Option<Str>,
    /// How long it may take to give up partitions, in milliseconds; -1 while unchanged.
    #[field(default = "-1")]
    pub rebalance_timeout_ms: i32,
    /// Topics that it wants to read.
    #[field(nullable = "0+", default = "null")]
    pub subscribed_topic_names: Option<Vec<Str>>,
    /// Regular expression (RE2) for topics that it wants to read; empty for none any more.
    #[field(versions = "1+", nullable = "1+", default = "null")]
    pub subscribed_topic_regex: Option<Str>,
    /// Assignor on the broker, such as `uniform` or `range`.
    #[field(nullable = "0+", default = "null")]
    pub server_assignor: Option<Str>,
    /// Partitions that it has.
    #[field(nullable = "0+", default = "null")]
    pub topic_partitions: Option<Vec<TopicPartitions>>,
}

/// Partitions of a topic.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct TopicPartitions {
    /// The topic.
    pub topic_id: Uuid,
    /// The partitions.
    pub partitions: Vec<i32>,
}

/// What the member is to have.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "response", key = 68, versions = "0-1", flexible = "0+")]
pub struct ConsumerGroupHeartbeatResponse {
    /// How long the client is held back for a quota, in milliseconds.
    pub throttle_time_ms: i32,
    /// UNKNOWN_MEMBER_ID, GROUP_ID_NOT_FOUND, FENCED_MEMBER_EPOCH, UNSUPPORTED_ASSIGNOR, UNRELEASED_INSTANCE_ID,
    /// FENCED_INSTANCE_ID, GROUP_MAX_SIZE_REACHED, INVALID_REGULAR_EXPRESSION (version 1), INVALID_REQUEST,
    /// GROUP_AUTHORIZATION_FAILED, TOPIC_AUTHORIZATION_FAILED, and those of the coordinator.
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
    /// Partitions that it is to have; null while unchanged.
    #[field(nullable = "0+", default = "null")]
    pub assignment: Option<Assignment>,
}

/// What a member is to have.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct Assignment {
    /// Partitions by topic.
    pub topic_partitions: Vec<TopicPartitions>,
}
