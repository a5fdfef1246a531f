//! ReadShareGroupState: a leader reads the state of share partitions from their coordinator (KIP-932).

use crate::derive::{Message, Struct};
use crate::{ErrorCode, Str, Uuid};

/// Partitions whose state is wanted.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "request", key = 84, versions = "0", flexible = "0+")]
pub struct ReadShareGroupStateRequest {
    /// The group.
    pub group_id: Str,
    /// Partitions by topic.
    pub topics: Vec<ReadStateData>,
}

/// Partitions of a topic.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct ReadStateData {
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
    /// Epoch of the partition's leader, who asks; an old one is FENCED_LEADER_EPOCH.
    pub leader_epoch: i32,
}

/// The states.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "response", key = 84, versions = "0", flexible = "0+")]
pub struct ReadShareGroupStateResponse {
    /// Answers by topic.
    pub results: Vec<ReadStateResult>,
}

/// A topic's answers.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct ReadStateResult {
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
    /// Everything before is done with; -1 when not decided yet.
    pub start_offset: i64,
    /// Records from the start offset on that are not simply available.
    pub state_batches: Vec<StateBatch>,
}

/// Records in one state.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct StateBatch {
    /// The first.
    pub first_offset: i64,
    /// The last, included.
    pub last_offset: i64,
    /// 0 available, 2 acknowledged, 4 archived.
    pub delivery_state: i8,
    /// How often they have been delivered.
    pub delivery_count: i16,
}
