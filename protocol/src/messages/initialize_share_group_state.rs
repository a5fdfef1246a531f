//! InitializeShareGroupState: makes the share coordinator keep state of partitions (KIP-932).

use crate::derive::{Message, Struct};
use crate::{ErrorCode, Str, Uuid};

/// Partitions that a group begins to read.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "request", key = 83, versions = "0", flexible = "0+")]
pub struct InitializeShareGroupStateRequest {
    /// The group.
    pub group_id: Str,
    /// Partitions by topic.
    pub topics: Vec<InitializeStateData>,
}

/// Partitions of a topic.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct InitializeStateData {
    /// The topic.
    pub topic_id: Uuid,
    /// The partitions.
    pub partitions: Vec<PartitionData>,
}

/// A partition.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct PartitionData {
    /// The partition.
    pub partition: i32,
    /// Counts how often the partition was initialised; an old one is FENCED_STATE_EPOCH.
    pub state_epoch: i32,
    /// Where the group begins, -1 when not decided yet.
    pub start_offset: i64,
}

/// What became of it.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "response", key = 83, versions = "0", flexible = "0+")]
pub struct InitializeShareGroupStateResponse {
    /// Answers by topic.
    pub results: Vec<InitializeStateResult>,
}

/// A topic's answers.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct InitializeStateResult {
    /// The topic.
    pub topic_id: Uuid,
    /// Answers by partition.
    pub partitions: Vec<PartitionResult>,
}

/// A partition's answer.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct PartitionResult {
    /// The partition.
    pub partition: i32,
    /// FENCED_STATE_EPOCH, INVALID_REQUEST,
    /// CLUSTER_AUTHORIZATION_FAILED, and those of the coordinator.
    pub error_code: ErrorCode,
    /// The error in words, or null.
    #[field(nullable = "0+", default = "null")]
    pub error_message: Option<Str>,
}
