//! TxnOffsetCommit: commits a group's offsets as part of a transaction (KIP-98).

use crate::derive::{Message, Struct};
use crate::{ErrorCode, Str, Uuid};

/// Offsets that count once the transaction is committed. Version 3 fences by the group's generation (KIP-447),
/// version 5 stands for transactions of version 2 (KIP-890), version 6 names topics by id.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "request", key = 28, versions = "0-6", flexible = "3+")]
pub struct TxnOffsetCommitRequest {
    /// The transactional id.
    pub transactional_id: Str,
    /// The group.
    pub group_id: Str,
    /// The producer's id.
    pub producer_id: i64,
    /// The producer's epoch.
    pub producer_epoch: i16,
    /// Generation or member epoch of the consumer, -1 for none.
    #[field(versions = "3+", default = "-1")]
    pub generation_id_or_member_epoch: i32,
    /// The consumer, empty for none.
    #[field(versions = "3+", default = "")]
    pub member_id: Str,
    /// Instance of a static member, null for a dynamic one.
    #[field(versions = "3+", nullable = "3+", default = "null")]
    pub group_instance_id: Option<Str>,
    /// Offsets by topic.
    pub topics: Vec<TxnOffsetCommitRequestTopic>,
}

/// Offsets of a topic.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct TxnOffsetCommitRequestTopic {
    /// The topic's name.
    #[field(versions = "0-5", ignorable)]
    pub name: Str,
    /// The topic's id.
    #[field(versions = "6+", ignorable)]
    pub topic_id: Uuid,
    /// Offsets by partition.
    pub partitions: Vec<TxnOffsetCommitRequestPartition>,
}

/// The offset of a partition.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct TxnOffsetCommitRequestPartition {
    /// The partition.
    pub partition_index: i32,
    /// The next offset to read.
    pub committed_offset: i64,
    /// Leader epoch of the record before, -1 when unknown.
    #[field(versions = "2+", default = "-1", ignorable)]
    pub committed_leader_epoch: i32,
    /// Text that the client keeps beside it.
    #[field(nullable = "0+")]
    pub committed_metadata: Option<Str>,
}

/// What became of it.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "response", key = 28, versions = "0-6", flexible = "3+")]
pub struct TxnOffsetCommitResponse {
    /// How long the client is held back for a quota, in milliseconds.
    pub throttle_time_ms: i32,
    /// Answers by topic.
    pub topics: Vec<TxnOffsetCommitResponseTopic>,
}

/// A topic's answers.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct TxnOffsetCommitResponseTopic {
    /// The topic's name.
    #[field(versions = "0-5", ignorable)]
    pub name: Str,
    /// The topic's id.
    #[field(versions = "6+", ignorable)]
    pub topic_id: Uuid,
    /// Answers by partition.
    pub partitions: Vec<TxnOffsetCommitResponsePartition>,
}

/// A partition's answer.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct TxnOffsetCommitResponsePartition {
    /// The partition.
    pub partition_index: i32,
    /// Of the producer: INVALID_PRODUCER_EPOCH, INVALID_PRODUCER_ID_MAPPING, PRODUCER_FENCED, INVALID_TXN_STATE,
    /// TRANSACTION_ABORTABLE (version 4), TRANSACTIONAL_ID_AUTHORIZATION_FAILED. Of the group:
    /// GROUP_AUTHORIZATION_FAILED, from version 3 on ILLEGAL_GENERATION, UNKNOWN_MEMBER_ID and FENCED_INSTANCE_ID,
    /// GROUP_ID_NOT_FOUND, STALE_MEMBER_EPOCH, and those of the coordinator. Of the offset:
    /// UNKNOWN_TOPIC_OR_PARTITION, TOPIC_AUTHORIZATION_FAILED, OFFSET_METADATA_TOO_LARGE, UNKNOWN_TOPIC_ID (6).
    pub error_code: ErrorCode,
}
