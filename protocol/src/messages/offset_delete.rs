//! OffsetDelete: deletes committed offsets of a group (KIP-496).

use crate::derive::{Message, Struct};
use crate::{ErrorCode, Str};

/// Offsets to delete.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "request", key = 47, versions = "0")]
pub struct OffsetDeleteRequest {
    /// The group.
    pub group_id: Str,
    /// Which offsets, by topic.
    pub topics: Vec<OffsetDeleteRequestTopic>,
}

/// Offsets of a topic to delete.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct OffsetDeleteRequestTopic {
    /// The topic.
    pub name: Str,
    /// The partitions.
    pub partitions: Vec<OffsetDeleteRequestPartition>,
}

/// A partition whose offset to delete.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct OffsetDeleteRequestPartition {
    /// The partition.
    pub partition_index: i32,
}

/// What became of them.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "response", key = 47, versions = "0")]
pub struct OffsetDeleteResponse {
    /// For the group: GROUP_ID_NOT_FOUND, NON_EMPTY_GROUP (not of consumers), GROUP_AUTHORIZATION_FAILED, and those
    /// of the coordinator.
    pub error_code: ErrorCode,
    /// How long the client is held back for a quota, in milliseconds.
    #[field(ignorable)]
    pub throttle_time_ms: i32,
    /// Answers by topic.
    pub topics: Vec<OffsetDeleteResponseTopic>,
}

/// A topic's answers.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct OffsetDeleteResponseTopic {
    /// The topic.
    pub name: Str,
    /// Answers by partition.
    pub partitions: Vec<OffsetDeleteResponsePartition>,
}

/// A partition's answer.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct OffsetDeleteResponsePartition {
    /// The partition.
    pub partition_index: i32,
    /// GROUP_SUBSCRIBED_TO_TOPIC, UNKNOWN_TOPIC_OR_PARTITION, TOPIC_AUTHORIZATION_FAILED.
    pub error_code: ErrorCode,
}
