//! DeleteRecords: moves log start offsets up (KIP-107).

use crate::derive::{Message, Struct};
use crate::{ErrorCode, Str};

/// Where logs are to begin.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "request", key = 21, versions = "0-2", flexible = "2+")]
pub struct DeleteRecordsRequest {
    /// What to delete, by topic.
    pub topics: Vec<DeleteRecordsTopic>,
    /// How long to wait for all replicas, in milliseconds.
    pub timeout_ms: i32,
}

/// What to delete of a topic.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct DeleteRecordsTopic {
    /// The topic.
    pub name: Str,
    /// What to delete, by partition.
    pub partitions: Vec<DeleteRecordsPartition>,
}

/// What to delete of a partition.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct DeleteRecordsPartition {
    /// The partition.
    pub partition_index: i32,
    /// The offset before which everything goes; -1 for the high watermark.
    pub offset: i64,
}

/// What became of it.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "response", key = 21, versions = "0-2", flexible = "2+")]
pub struct DeleteRecordsResponse {
    /// How long the client is held back for a quota, in milliseconds.
    pub throttle_time_ms: i32,
    /// Answers by topic.
    pub topics: Vec<DeleteRecordsTopicResult>,
}

/// A topic's answers.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct DeleteRecordsTopicResult {
    /// The topic.
    pub name: Str,
    /// Answers by partition.
    pub partitions: Vec<DeleteRecordsPartitionResult>,
}

/// A partition's answer.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct DeleteRecordsPartitionResult {
    /// The partition.
    pub partition_index: i32,
    /// The smallest log start offset of all replicas; -1 on an error.
    pub low_watermark: i64,
    /// OFFSET_OUT_OF_RANGE, UNKNOWN_TOPIC_OR_PARTITION, NOT_LEADER_OR_FOLLOWER, POLICY_VIOLATION (the topic is
    /// not retained by deletion), TOPIC_AUTHORIZATION_FAILED, REQUEST_TIMED_OUT, ...
    pub error_code: ErrorCode,
}
