//! WriteShareGroupState: a leader stores the state of share partitions with their coordinator (KIP-932).

use crate::derive::{Message, Struct};
use crate::{ErrorCode, Str, Uuid};

/// States to store.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "request", key = 85, versions = "0-1", flexible = "0+")]
pub struct WriteShareGroupStateRequest {
    /// The group.
    pub group_id: Str,
    /// Partitions by topic.
    pub topics: Vec<WriteStateData>,
}

/// Partitions of a topic.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct WriteStateData {
    /// The topic.
    pub topic_id: Uuid,
    /// The partitions.
    pub partitions: Vec<PartitionData>,
}

/// A partition's state, or what changed of it.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct PartitionData {
    /// The partition.
    pub partition: i32,
    /// Counts how often the partition was initialised; an old one is FENCED_STATE_EPOCH.
    pub state_epoch: i32,
    /// Epoch of the partition's leader, who asks; an old one is FENCED_LEADER_EPOCH.
    pub leader_epoch: i32,
    /// Everything before is done with; -1 while unchanged.
    pub start_offset: i64,
    /// How many offsets from the start offset on are done with, -1 when unknown (KIP-1226).
    #[field(versions = "1+", default = "-1", ignorable)]
    pub delivery_complete_count: i32,
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

/// What became of it.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "response", key = 85, versions = "0-1", flexible = "0+")]
pub struct WriteShareGroupStateResponse {
    /// Answers by topic.
    pub results: Vec<WriteStateResult>,
}

/// A topic's answers.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct WriteStateResult {
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
    /// FENCED_STATE_EPOCH, FENCED_LEADER_EPOCH, UNKNOWN_TOPIC_OR_PARTITION, GROUP_ID_NOT_FOUND, INVALID_REQUEST,
    /// CLUSTER_AUTHORIZATION_FAILED, and those of the coordinator.
    pub error_code: ErrorCode,
    /// The error in words, or null.
    #[field(nullable = "0+", default = "null")]
    pub error_message: Option<Str>,
}
