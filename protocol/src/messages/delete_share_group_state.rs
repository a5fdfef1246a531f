//! DeleteShareGroupState: makes the share coordinator forget partitions (KIP-932).

use crate::derive::{Message, Struct};
use crate::{ErrorCode, Str, Uuid};

/// Partitions to forget.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "request", key = 86, versions = "0", flexible = "0+")]
pub struct DeleteShareGroupStateRequest {
    /// The group.
    pub group_id: Str,
    /// Partitions by topic.
    pub topics: Vec<DeleteStateData>,
}

/// Partitions of a topic.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct DeleteStateData {
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
}

/// What became of it.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "response", key = 86, versions = "0", flexible = "0+")]
pub struct DeleteShareGroupStateResponse {
    /// Answers by topic.
    pub results: Vec<DeleteStateResult>,
}

/// A topic's answers.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct DeleteStateResult {
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
    /// FENCED_STATE_EPOCH, UNKNOWN_TOPIC_OR_PARTITION, GROUP_ID_NOT_FOUND, INVALID_REQUEST,
    /// CLUSTER_AUTHORIZATION_FAILED, and those of the coordinator.
    pub error_code: ErrorCode,
    /// The error in words, or null.
    #[field(nullable = "0+", default = "null")]
    pub error_message: Option<Str>,
}
