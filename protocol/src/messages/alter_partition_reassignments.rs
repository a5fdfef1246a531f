//! AlterPartitionReassignments: begins and cancels moves of replicas (KIP-455).

use crate::derive::{Message, Struct};
use crate::{ErrorCode, Str};

/// Where replicas are to be.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "request", key = 45, versions = "0-1", flexible = "0+")]
pub struct AlterPartitionReassignmentsRequest {
    /// How long to wait until the moves have begun, in milliseconds.
    #[field(default = "60000")]
    pub timeout_ms: i32,
    /// Whether the number of replicas may change; else that is INVALID_REPLICATION_FACTOR (KIP-860).
    #[field(versions = "1+", default = "true")]
    pub allow_replication_factor_change: bool,
    /// The moves, by topic.
    pub topics: Vec<ReassignableTopic>,
}

/// A topic's moves.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct ReassignableTopic {
    /// The topic.
    pub name: Str,
    /// The moves, by partition.
    pub partitions: Vec<ReassignablePartition>,
}

/// A partition's move.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct ReassignablePartition {
    /// The partition.
    pub partition_index: i32,
    /// Brokers, the preferred leader first; null to cancel the move under way.
    #[field(nullable = "0+", default = "null")]
    pub replicas: Option<Vec<i32>>,
}

/// What became of it.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "response", key = 45, versions = "0-1", flexible = "0+")]
pub struct AlterPartitionReassignmentsResponse {
    /// How long the client is held back for a quota, in milliseconds.
    pub throttle_time_ms: i32,
    /// Whether the number of replicas was allowed to change, as in the request.
    #[field(versions = "1+", default = "true", ignorable)]
    pub allow_replication_factor_change: bool,
    /// CLUSTER_AUTHORIZATION_FAILED, NOT_CONTROLLER, REQUEST_TIMED_OUT.
    pub error_code: ErrorCode,
    /// The error in words, or null.
    #[field(nullable = "0+")]
    pub error_message: Option<Str>,
    /// Answers by topic.
    pub responses: Vec<ReassignableTopicResponse>,
}

/// A topic's answers.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct ReassignableTopicResponse {
    /// The topic.
    pub name: Str,
    /// Answers by partition.
    pub partitions: Vec<ReassignablePartitionResponse>,
}

/// A partition's answer.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct ReassignablePartitionResponse {
    /// The partition.
    pub partition_index: i32,
    /// INVALID_REPLICA_ASSIGNMENT, INVALID_REPLICATION_FACTOR, NO_REASSIGNMENT_IN_PROGRESS,
    /// UNKNOWN_TOPIC_OR_PARTITION, ...
    pub error_code: ErrorCode,
    /// The error in words, or null.
    #[field(nullable = "0+")]
    pub error_message: Option<Str>,
}
