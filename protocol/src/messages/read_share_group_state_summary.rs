//! ReadShareGroupStateSummary: reads where share partitions begin (KIP-932).

use crate::derive::{Message, Struct};
use crate::{ErrorCode, Str, Uuid};

/// Partitions whose summary is wanted.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "request", key = 87, versions = "0-1", flexible = "0+")]
pub struct ReadShareGroupStateSummaryRequest {
    /// The group.
    pub group_id: Str,
    /// Partitions by topic.
    pub topics: Vec<ReadStateSummaryData>,
}

/// Partitions of a topic.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct ReadStateSummaryData {
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
    /// Epoch of the partition's leader, -1 to skip the check.
    pub leader_epoch: i32,
}

/// The summaries.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "response", key = 87, versions = "0-1", flexible = "0+")]
pub struct ReadShareGroupStateSummaryResponse {
    /// Answers by topic.
    pub results: Vec<ReadStateSummaryResult>,
}

/// A topic's answers.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct ReadStateSummaryResult {
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
    /// FENCED_LEADER_EPOCH, UNKNOWN_TOPIC_OR_PARTITION, GROUP_ID_NOT_FOUND, INVALID_REQUEST,
    /// CLUSTER_AUTHORIZATION_FAILED, and those of the coordinator.
    pub error_code: ErrorCode,
    /// The error in words, or null.
    #[field(nullable = "0+", default = "null")]
    pub error_message: Option<Str>,
    /// Counts how often the partition was initialised.
    pub state_epoch: i32,
    /// Epoch of the leader that wrote last.
    pub leader_epoch: i32,
    /// Everything before is done with; -1 when not decided yet.
    pub start_offset: i64,
    /// How many offsets from the start offset on are done with, -1 when unknown (KIP-1226).
    #[field(versions = "1+", default = "-1", ignorable)]
    pub delivery_complete_count: i32,
}
