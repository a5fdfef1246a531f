//! CreatePartitions: gives topics more partitions (KIP-195).

use crate::derive::{Message, Struct};
use crate::{ErrorCode, Str};

/// Topics to grow.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "request", key = 37, versions = "0-3", flexible = "2+")]
pub struct CreatePartitionsRequest {
    /// The topics.
    pub topics: Vec<CreatePartitionsTopic>,
    /// How long to wait until the partitions are there, in milliseconds.
    pub timeout_ms: i32,
    /// Whether to check only.
    pub validate_only: bool,
}

/// A topic to grow.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct CreatePartitionsTopic {
    /// The topic.
    pub name: Str,
    /// Number of partitions it is to have; more than now.
    pub count: i32,
    /// Replicas of each partition that is added; null to let the controller assign them.
    #[field(nullable = "0+")]
    pub assignments: Option<Vec<CreatePartitionsAssignment>>,
}

/// Replicas of a partition that is added.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct CreatePartitionsAssignment {
    /// Brokers, the preferred leader first.
    pub broker_ids: Vec<i32>,
}

/// What became of it.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "response", key = 37, versions = "0-3", flexible = "2+")]
pub struct CreatePartitionsResponse {
    /// How long the client is held back for a quota, in milliseconds.
    pub throttle_time_ms: i32,
    /// Answers by topic.
    pub results: Vec<CreatePartitionsTopicResult>,
}

/// A topic's answer.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct CreatePartitionsTopicResult {
    /// The topic.
    pub name: Str,
    /// UNKNOWN_TOPIC_OR_PARTITION, INVALID_PARTITIONS, INVALID_REPLICA_ASSIGNMENT, INVALID_REQUEST,
    /// TOPIC_AUTHORIZATION_FAILED, REASSIGNMENT_IN_PROGRESS, THROTTLING_QUOTA_EXCEEDED (version 3),
    /// NOT_CONTROLLER, ...
    pub error_code: ErrorCode,
    /// The error in words, or null.
    #[field(nullable = "0+", default = "null")]
    pub error_message: Option<Str>,
}
