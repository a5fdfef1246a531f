//! OffsetCommit: stores how far a group has read.

use crate::derive::{Message, Struct};
use crate::{ErrorCode, Str, Uuid};

/// Offsets to store.
///
/// Version 0 once went to ZooKeeper; here it is stored as all others. Version 9 also serves groups of the
/// consumer protocol (KIP-848), version 10 names topics by id.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "request", key = 8, versions = "0-10", flexible = "8+")]
pub struct OffsetCommitRequest {
    /// The group.
    pub group_id: Str,
    /// Generation of a classic group, member epoch of the consumer protocol; -1 for a client that manages its
    /// partitions itself.
    #[field(versions = "1+", default = "-1", ignorable)]
    pub generation_id_or_member_epoch: i32,
    /// The member, empty outside of the group's management.
    #[field(versions = "1+", ignorable)]
    pub member_id: Str,
    /// Instance of a static member (KIP-345), null for a dynamic one.
    #[field(versions = "7+", nullable = "7+", default = "null")]
    pub group_instance_id: Option<Str>,
    /// How long to keep the offsets, in milliseconds; -1 for the broker's `offsets.retention.minutes`, which
    /// holds for all from version 5 on.
    #[field(versions = "2-4", default = "-1", ignorable)]
    pub retention_time_ms: i64,
    /// Offsets by topic.
    pub topics: Vec<OffsetCommitRequestTopic>,
}

/// Offsets of a topic.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct OffsetCommitRequestTopic {
    /// The topic's name.
    #[field(versions = "0-9", ignorable)]
    pub name: Str,
    /// The topic's id.
    #[field(versions = "10+", ignorable)]
    pub topic_id: Uuid,
    /// Offsets by partition.
    pub partitions: Vec<OffsetCommitRequestPartition>,
}

/// The offset of a partition.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct OffsetCommitRequestPartition {
    /// The partition.
    pub partition_index: i32,
    /// The next offset to read.
    pub committed_offset: i64,
    /// Leader epoch of the record before, -1 when unknown (KIP-320).
    #[field(versions = "6+", default = "-1", ignorable)]
    pub committed_leader_epoch: i32,
    /// When it was committed, in milliseconds since 1970; -1 for the broker's time.
    #[field(versions = "1", default = "-1")]
    pub commit_timestamp: i64,
    /// Text that the client keeps beside it, at most `offset.metadata.max.bytes`.
    #[field(nullable = "0+")]
    pub committed_metadata: Option<Str>,
}

/// What became of the offsets.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "response", key = 8, versions = "0-10", flexible = "8+")]
pub struct OffsetCommitResponse {
    /// How long the client is held back for a quota, in milliseconds.
    #[field(versions = "3+", ignorable)]
    pub throttle_time_ms: i32,
    /// Answers by topic.
    pub topics: Vec<OffsetCommitResponseTopic>,
}

/// A topic's answers.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct OffsetCommitResponseTopic {
    /// The topic's name.
    #[field(versions = "0-9", ignorable)]
    pub name: Str,
    /// The topic's id.
    #[field(versions = "10+", ignorable)]
    pub topic_id: Uuid,
    /// Answers by partition.
    pub partitions: Vec<OffsetCommitResponsePartition>,
}

/// A partition's answer.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct OffsetCommitResponsePartition {
    /// The partition.
    pub partition_index: i32,
    /// Of the group: GROUP_AUTHORIZATION_FAILED, NOT_COORDINATOR, COORDINATOR_NOT_AVAILABLE,
    /// COORDINATOR_LOAD_IN_PROGRESS, ILLEGAL_GENERATION, UNKNOWN_MEMBER_ID, REBALANCE_IN_PROGRESS,
    /// FENCED_INSTANCE_ID and FENCED_MEMBER_EPOCH (version 7), GROUP_ID_NOT_FOUND and STALE_MEMBER_EPOCH (9). Of the offset:
    /// OFFSET_METADATA_TOO_LARGE, INVALID_COMMIT_OFFSET_SIZE, TOPIC_AUTHORIZATION_FAILED, UNKNOWN_TOPIC_ID (10).
    pub error_code: ErrorCode,
}
