//! AlterShareGroupOffsets: sets where an empty share group begins (KIP-932).

use crate::derive::{Message, Struct};
use crate::{ErrorCode, Str, Uuid};

/// Where to begin.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "request", key = 91, versions = "0", flexible = "0+")]
pub struct AlterShareGroupOffsetsRequest {
    /// The group.
    pub group_id: Str,
    /// Offsets by topic.
    pub topics: Vec<AlterShareGroupOffsetsRequestTopic>,
}

/// Offsets of a topic.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct AlterShareGroupOffsetsRequestTopic {
    /// The topic.
    pub topic_name: Str,
    /// Offsets by partition.
    pub partitions: Vec<AlterShareGroupOffsetsRequestPartition>,
}

/// The offset of a partition.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct AlterShareGroupOffsetsRequestPartition {
    /// The partition.
    pub partition_index: i32,
    /// The first offset to read.
    pub start_offset: i64,
}

/// What became of it.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "response", key = 91, versions = "0", flexible = "0+")]
pub struct AlterShareGroupOffsetsResponse {
    /// How long the client is held back for a quota, in milliseconds.
    pub throttle_time_ms: i32,
    /// NON_EMPTY_GROUP, GROUP_ID_NOT_FOUND, INVALID_REQUEST, KAFKA_STORAGE_ERROR, GROUP_AUTHORIZATION_FAILED, and those
    /// of the coordinator.
    pub error_code: ErrorCode,
    /// The error in words, or null.
    #[field(nullable = "0+", default = "null")]
    pub error_message: Option<Str>,
    /// Answers by topic.
    pub responses: Vec<AlterShareGroupOffsetsResponseTopic>,
}

/// A topic's answers.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct AlterShareGroupOffsetsResponseTopic {
    /// The topic's name.
    pub topic_name: Str,
    /// The topic's id.
    pub topic_id: Uuid,
    /// Answers by partition.
    pub partitions: Vec<AlterShareGroupOffsetsResponsePartition>,
}

/// A partition's answer.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct AlterShareGroupOffsetsResponsePartition {
    /// The partition.
    pub partition_index: i32,
    /// UNKNOWN_TOPIC_OR_PARTITION, TOPIC_AUTHORIZATION_FAILED.
    pub error_code: ErrorCode,
    /// The error in words, or null.
    #[field(nullable = "0+", default = "null")]
    pub error_message: Option<Str>,
}
