//! ListPartitionReassignments: moves of replicas under way (KIP-455).

use crate::derive::{Message, Struct};
use crate::{ErrorCode, Str};

/// Asks for moves.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "request", key = 46, versions = "0", flexible = "0+")]
pub struct ListPartitionReassignmentsRequest {
    /// How long the controller may take, in milliseconds.
    #[field(default = "60000")]
    pub timeout_ms: i32,
    /// Of which partitions; null for all.
    #[field(nullable = "0+", default = "null")]
    pub topics: Option<Vec<ListPartitionReassignmentsTopics>>,
}

/// A topic asked for.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct ListPartitionReassignmentsTopics {
    /// The topic.
    pub name: Str,
    /// The partitions.
    pub partition_indexes: Vec<i32>,
}

/// The moves.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "response", key = 46, versions = "0", flexible = "0+")]
pub struct ListPartitionReassignmentsResponse {
    /// How long the client is held back for a quota, in milliseconds.
    pub throttle_time_ms: i32,
    /// CLUSTER_AUTHORIZATION_FAILED, NOT_CONTROLLER, REQUEST_TIMED_OUT.
    pub error_code: ErrorCode,
    /// The error in words, or null.
    #[field(nullable = "0+")]
    pub error_message: Option<Str>,
    /// Topics with moves.
    pub topics: Vec<OngoingTopicReassignment>,
}

/// A topic with moves.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct OngoingTopicReassignment {
    /// The topic.
    pub name: Str,
    /// Partitions with moves.
    pub partitions: Vec<OngoingPartitionReassignment>,
}

/// A partition on the move.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct OngoingPartitionReassignment {
    /// The partition.
    pub partition_index: i32,
    /// All its replicas at present.
    pub replicas: Vec<i32>,
    /// Those of them that are being added.
    pub adding_replicas: Vec<i32>,
    /// Those of them that go once the others are in sync.
    pub removing_replicas: Vec<i32>,
}
