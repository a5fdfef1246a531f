//! OffsetFetch: tells how far groups have read.

use crate::derive::{Message, Struct};
use crate::{ErrorCode, Str, Uuid};

/// Asks for committed offsets.
///
/// Version 0 once asked ZooKeeper; here it is answered as all others. Version 8 asks for many groups at once
/// (KIP-709), version 9 also serves members of the consumer protocol (KIP-848), version 10 names topics by id.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "request", key = 9, versions = "0-10", flexible = "6+")]
pub struct OffsetFetchRequest {
    /// The group.
    #[field(versions = "0-7")]
    pub group_id: Str,
    /// What to look up; null for all that the group has.
    #[field(versions = "0-7", nullable = "2-7")]
    pub topics: Option<Vec<OffsetFetchRequestTopic>>,
    /// The groups.
    #[field(versions = "8+")]
    pub groups: Vec<OffsetFetchRequestGroup>,
    /// Whether to answer UNSTABLE_OFFSET_COMMIT for a partition with offsets in an open transaction (KIP-447).
    #[field(versions = "7+", default = "false")]
    pub require_stable: bool,
}

/// A topic to look up.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct OffsetFetchRequestTopic {
    /// The topic.
    pub name: Str,
    /// The partitions.
    pub partition_indexes: Vec<i32>,
}

/// A group to look up.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct OffsetFetchRequestGroup {
    /// The group.
    pub group_id: Str,
    /// The member that asks; null for anybody else.
    #[field(versions = "9+", nullable = "9+", default = "null", ignorable)]
    pub member_id: Option<Str>,
    /// Its epoch, -1 for anybody else.
    #[field(versions = "9+", default = "-1", ignorable)]
    pub member_epoch: i32,
    /// What to look up; null for all that the group has.
    #[field(nullable = "8+")]
    pub topics: Option<Vec<OffsetFetchRequestTopics>>,
}

/// A topic of a group to look up.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct OffsetFetchRequestTopics {
    /// The topic's name.
    #[field(versions = "8-9", ignorable)]
    pub name: Str,
    /// The topic's id.
    #[field(versions = "10+", ignorable)]
    pub topic_id: Uuid,
    /// The partitions.
    pub partition_indexes: Vec<i32>,
}

/// The committed offsets.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "response", key = 9, versions = "0-10", flexible = "6+")]
pub struct OffsetFetchResponse {
    /// How long the client is held back for a quota, in milliseconds.
    #[field(versions = "3+", ignorable)]
    pub throttle_time_ms: i32,
    /// Offsets by topic.
    #[field(versions = "0-7")]
    pub topics: Vec<OffsetFetchResponseTopic>,
    /// For the group: GROUP_AUTHORIZATION_FAILED, NOT_COORDINATOR, COORDINATOR_NOT_AVAILABLE,
    /// COORDINATOR_LOAD_IN_PROGRESS, GROUP_ID_NOT_FOUND. Versions 0 and 1 say it with each partition.
    #[field(versions = "2-7", default = "0", ignorable)]
    pub error_code: ErrorCode,
    /// Offsets by group.
    #[field(versions = "8+")]
    pub groups: Vec<OffsetFetchResponseGroup>,
}

/// A topic's offsets.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct OffsetFetchResponseTopic {
    /// The topic.
    pub name: Str,
    /// Offsets by partition.
    pub partitions: Vec<OffsetFetchResponsePartition>,
}

/// A partition's offset.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct OffsetFetchResponsePartition {
    /// The partition.
    pub partition_index: i32,
    /// The next offset to read; -1 for none.
    pub committed_offset: i64,
    /// Leader epoch of the record before, -1 when unknown.
    #[field(versions = "5-7", default = "-1", ignorable)]
    pub committed_leader_epoch: i32,
    /// The text that was committed with it; empty for none.
    #[field(nullable = "0-7")]
    pub metadata: Option<Str>,
    /// UNKNOWN_TOPIC_OR_PARTITION, TOPIC_AUTHORIZATION_FAILED, UNSTABLE_OFFSET_COMMIT (version 7).
    pub error_code: ErrorCode,
}

/// A group's offsets.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct OffsetFetchResponseGroup {
    /// The group.
    pub group_id: Str,
    /// Offsets by topic.
    pub topics: Vec<OffsetFetchResponseTopics>,
    /// For the group, as above; also UNKNOWN_MEMBER_ID and STALE_MEMBER_EPOCH (version 9).
    #[field(default = "0")]
    pub error_code: ErrorCode,
}

/// A topic's offsets in a group.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct OffsetFetchResponseTopics {
    /// The topic's name.
    #[field(versions = "8-9", ignorable)]
    pub name: Str,
    /// The topic's id.
    #[field(versions = "10+", ignorable)]
    pub topic_id: Uuid,
    /// Offsets by partition.
    pub partitions: Vec<OffsetFetchResponsePartitions>,
}

/// A partition's offset in a group.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct OffsetFetchResponsePartitions {
    /// The partition.
    pub partition_index: i32,
    /// The next offset to read; -1 for none.
    pub committed_offset: i64,
    /// Leader epoch of the record before, -1 when unknown.
    #[field(default = "-1", ignorable)]
    pub committed_leader_epoch: i32,
    /// The text that was committed with it; empty for none.
    #[field(nullable = "8+")]
    pub metadata: Option<Str>,
    /// TOPIC_AUTHORIZATION_FAILED, UNSTABLE_OFFSET_COMMIT, UNKNOWN_TOPIC_ID (version 10).
    pub error_code: ErrorCode,
}
