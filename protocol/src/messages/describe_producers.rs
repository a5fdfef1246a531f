//! DescribeProducers: what partitions know of their producers (KIP-664).

use crate::derive::{Message, Struct};
use crate::{ErrorCode, Str};

/// Asks for producers.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "request", key = 61, versions = "0", flexible = "0+")]
pub struct DescribeProducersRequest {
    /// Of which topics.
    pub topics: Vec<TopicRequest>,
}

/// A topic asked for.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct TopicRequest {
    /// The topic.
    pub name: Str,
    /// The partitions.
    pub partition_indexes: Vec<i32>,
}

/// The producers.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "response", key = 61, versions = "0", flexible = "0+")]
pub struct DescribeProducersResponse {
    /// How long the client is held back for a quota, in milliseconds.
    pub throttle_time_ms: i32,
    /// Answers by topic.
    pub topics: Vec<TopicResponse>,
}

/// A topic's answers.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct TopicResponse {
    /// The topic.
    pub name: Str,
    /// Answers by partition.
    pub partitions: Vec<PartitionResponse>,
}

/// A partition's answer.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct PartitionResponse {
    /// The partition.
    pub partition_index: i32,
    /// NOT_LEADER_OR_FOLLOWER, UNKNOWN_TOPIC_OR_PARTITION, INVALID_TOPIC_EXCEPTION, TOPIC_AUTHORIZATION_FAILED.
    pub error_code: ErrorCode,
    /// The error in words, or null.
    #[field(nullable = "0+", default = "null")]
    pub error_message: Option<Str>,
    /// The producers that have not expired.
    pub active_producers: Vec<ProducerState>,
}

/// A producer.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct ProducerState {
    /// Its id.
    pub producer_id: i64,
    /// Its epoch.
    pub producer_epoch: i32,
    /// Sequence number of its last record, -1 for none.
    #[field(default = "-1")]
    pub last_sequence: i32,
    /// Timestamp of its last batch in milliseconds since 1970, -1 for none.
    #[field(default = "-1")]
    pub last_timestamp: i64,
    /// Epoch of the coordinator that wrote its last transaction marker.
    pub coordinator_epoch: i32,
    /// First offset of its open transaction, -1 for none.
    #[field(default = "-1")]
    pub current_txn_start_offset: i64,
}
