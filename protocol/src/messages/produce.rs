//! Produce: appends record batches to partitions.

use crate::derive::{Message, Struct};
use crate::{ErrorCode, Records, Str, Uuid};

/// Records to append, one batch a partition.
///
/// Versions 0 and 1 carry message sets of magic 0, version 2 of magic 1 (both may hold many messages), from
/// version 3 on it is one record batch of magic 2. zstd from version 7 on (KIP-110). With version 12 a
/// transactional client may leave out AddPartitionsToTxn (KIP-890), version 13 names topics by id (KIP-516).
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "request", key = 0, versions = "0-13", flexible = "9+")]
pub struct ProduceRequest {
    /// The transaction that the records belong to; null outside of transactions.
    #[field(versions = "3+", nullable = "3+", default = "null")]
    pub transactional_id: Option<Str>,
    /// When to answer: 0 never, 1 when the leader has written, -1 when all replicas in sync have. Anything else
    /// is INVALID_REQUIRED_ACKS.
    pub acks: i16,
    /// How long the replicas may take, in milliseconds, before REQUEST_TIMED_OUT.
    pub timeout_ms: i32,
    /// What to append, by topic.
    pub topic_data: Vec<TopicProduceData>,
}

/// What to append to a topic.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct TopicProduceData {
    /// The topic's name.
    #[field(versions = "0-12", ignorable)]
    pub name: Str,
    /// The topic's id.
    #[field(versions = "13+", ignorable)]
    pub topic_id: Uuid,
    /// What to append, by partition.
    pub partition_data: Vec<PartitionProduceData>,
}

/// What to append to a partition.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct PartitionProduceData {
    /// The partition.
    pub index: i32,
    /// The batch.
    #[field(nullable = "0+")]
    pub records: Option<Records>,
}

/// What became of the records. Not sent when acks was 0: the connection closes instead when something fails.
///
/// Version 4 adds KAFKA_STORAGE_ERROR, version 11 TRANSACTION_ABORTABLE (KIP-890), version 13 UNKNOWN_TOPIC_ID.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "response", key = 0, versions = "0-13", flexible = "9+")]
pub struct ProduceResponse {
    /// Answers by topic.
    pub responses: Vec<TopicProduceResponse>,
    /// How long the client is held back for a quota, in milliseconds.
    #[field(versions = "1+", default = "0", ignorable)]
    pub throttle_time_ms: i32,
    /// Addresses of the leaders that `current_leader` names (KIP-951).
    #[field(versions = "10+", tag = 0, tagged = "10+")]
    pub node_endpoints: Vec<NodeEndpoint>,
}

/// What became of a topic's records.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct TopicProduceResponse {
    /// The topic's name.
    #[field(versions = "0-12", ignorable)]
    pub name: Str,
    /// The topic's id.
    #[field(versions = "13+", ignorable)]
    pub topic_id: Uuid,
    /// Answers by partition.
    pub partition_responses: Vec<PartitionProduceResponse>,
}

/// What became of a partition's records.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct PartitionProduceResponse {
    /// The partition.
    pub index: i32,
    /// NONE, also for a batch that was appended before (then with the offset of that time).
    pub error_code: ErrorCode,
    /// Offset of the first record; -1 on an error.
    pub base_offset: i64,
    /// The broker's time that all records got, in milliseconds since 1970; -1 when they keep the producer's.
    #[field(versions = "2+", default = "-1", ignorable)]
    pub log_append_time_ms: i64,
    /// First offset that the log still has; -1 when unknown.
    #[field(versions = "5+", default = "-1", ignorable)]
    pub log_start_offset: i64,
    /// The records that made the batch fail (KIP-467).
    #[field(versions = "8+", ignorable)]
    pub record_errors: Vec<BatchIndexAndErrorMessage>,
    /// Why the batch failed, for people; null when there is nothing to add.
    #[field(versions = "8+", nullable = "8+", default = "null", ignorable)]
    pub error_message: Option<Str>,
    /// Who leads the partition, with NOT_LEADER_OR_FOLLOWER and FENCED_LEADER_EPOCH (KIP-951).
    #[field(versions = "10+", tag = 0, tagged = "10+")]
    pub current_leader: LeaderIdAndEpoch,
}

/// A record that was refused.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct BatchIndexAndErrorMessage {
    /// Position of the record in its batch, from 0.
    pub batch_index: i32,
    /// Why, for people.
    #[field(nullable = "8+", default = "null")]
    pub batch_index_error_message: Option<Str>,
}

/// Who leads a partition.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct LeaderIdAndEpoch {
    /// The leader, -1 when unknown.
    #[field(default = "-1")]
    pub leader_id: i32,
    /// Its epoch, -1 when unknown.
    #[field(default = "-1")]
    pub leader_epoch: i32,
}

/// Where a broker is reached.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct NodeEndpoint {
    /// The broker.
    pub node_id: i32,
    /// Host name or address.
    pub host: Str,
    /// TCP port.
    pub port: i32,
    /// Where it stands (`broker.rack`).
    #[field(nullable = "10+", default = "null")]
    pub rack: Option<Str>,
}
