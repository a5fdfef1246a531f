//! DescribeShareGroupOffsets: where share groups begin (KIP-932).

use crate::derive::{Message, Struct};
use crate::{ErrorCode, Str, Uuid};

/// Which groups.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "request", key = 90, versions = "0-1", flexible = "0+")]
pub struct DescribeShareGroupOffsetsRequest {
    /// The groups.
    pub groups: Vec<DescribeShareGroupOffsetsRequestGroup>,
}

/// A group.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct DescribeShareGroupOffsetsRequestGroup {
    /// The group.
    pub group_id: Str,
    /// Which topics; null for all.
    #[field(nullable = "0+")]
    pub topics: Option<Vec<DescribeShareGroupOffsetsRequestTopic>>,
}

/// A topic.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct DescribeShareGroupOffsetsRequestTopic {
    /// The topic.
    pub topic_name: Str,
    /// The partitions.
    pub partitions: Vec<i32>,
}

/// The offsets.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "response", key = 90, versions = "0-1", flexible = "0+")]
pub struct DescribeShareGroupOffsetsResponse {
    /// How long the client is held back for a quota, in milliseconds.
    pub throttle_time_ms: i32,
    /// Answers by group.
    pub groups: Vec<DescribeShareGroupOffsetsResponseGroup>,
}

/// A group's answers.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct DescribeShareGroupOffsetsResponseGroup {
    /// The group.
    pub group_id: Str,
    /// Answers by topic.
    pub topics: Vec<DescribeShareGroupOffsetsResponseTopic>,
    /// GROUP_ID_NOT_FOUND, INVALID_REQUEST, GROUP_AUTHORIZATION_FAILED, and those of the coordinator.
    pub error_code: ErrorCode,
    /// The error in words, or null.
    #[field(nullable = "0+", default = "null")]
    pub error_message: Option<Str>,
}

/// A topic's answers.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct DescribeShareGroupOffsetsResponseTopic {
    /// The topic's name.
    pub topic_name: Str,
    /// The topic's id.
    pub topic_id: Uuid,
    /// Answers by partition.
    pub partitions: Vec<DescribeShareGroupOffsetsResponsePartition>,
}

/// A partition's answer.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct DescribeShareGroupOffsetsResponsePartition {
    /// The partition.
    pub partition_index: i32,
    /// Everything before is done with; -1 when not decided yet.
    pub start_offset: i64,
    /// Epoch of the leader that wrote last.
    pub leader_epoch: i32,
    /// How many records are still to be done, -1 when unknown (KIP-1226).
    #[field(versions = "1+", default = "-1", ignorable)]
    pub lag: i64,
    /// UNKNOWN_TOPIC_OR_PARTITION, TOPIC_AUTHORIZATION_FAILED.
    pub error_code: ErrorCode,
    /// The error in words, or null.
    #[field(nullable = "0+", default = "null")]
    pub error_message: Option<Str>,
}
