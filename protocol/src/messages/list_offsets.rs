//! ListOffsets: finds offsets by timestamp, and the ends of logs.

use crate::derive::{Message, Struct};
use crate::{ErrorCode, Str};

/// Asks for the offset of the first record at or after a time, or for a named position.
///
/// Version 0 asks for a list of segment starts; from version 1 on it is a single offset.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "request", key = 2, versions = "0-11", flexible = "6+")]
pub struct ListOffsetsRequest {
    /// The broker that follows, -1 for a client.
    pub replica_id: i32,
    /// 0: "latest" is the high watermark; 1: it is the last stable offset (KIP-98).
    #[field(versions = "2+")]
    pub isolation_level: i8,
    /// What to look up, by topic.
    pub topics: Vec<ListOffsetsTopic>,
    /// How long looking into tiered storage may take, in milliseconds (KIP-1075).
    #[field(versions = "10+", ignorable)]
    pub timeout_ms: i32,
}

/// A topic to look up.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct ListOffsetsTopic {
    /// The topic.
    pub name: Str,
    /// What to look up, by partition.
    pub partitions: Vec<ListOffsetsPartition>,
}

/// A partition to look up.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct ListOffsetsPartition {
    /// The partition.
    pub partition_index: i32,
    /// Leader epoch that the client knows, -1 for none (KIP-320).
    #[field(versions = "4+", default = "-1", ignorable)]
    pub current_leader_epoch: i32,
    /// Milliseconds since 1970, or -1 latest, -2 earliest, -3 the record of the largest timestamp (version 7,
    /// KIP-734), -4 earliest on local disk (8, KIP-405), -5 last in tiered storage (9, KIP-1005), -6 earliest
    /// not uploaded yet (11, KIP-1023).
    pub timestamp: i64,
    /// How many offsets to list at most.
    #[field(versions = "0", default = "1")]
    pub max_num_offsets: i32,
}

/// The offsets found.
///
/// Version 5 adds OFFSET_NOT_AVAILABLE: a leader just elected does not know its high watermark yet.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "response", key = 2, versions = "0-11", flexible = "6+")]
pub struct ListOffsetsResponse {
    /// How long the client is held back for a quota, in milliseconds.
    #[field(versions = "2+", ignorable)]
    pub throttle_time_ms: i32,
    /// Answers by topic.
    pub topics: Vec<ListOffsetsTopicResponse>,
}

/// A topic's answers.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct ListOffsetsTopicResponse {
    /// The topic.
    pub name: Str,
    /// Answers by partition.
    pub partitions: Vec<ListOffsetsPartitionResponse>,
}

/// A partition's answer.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct ListOffsetsPartitionResponse {
    /// The partition.
    pub partition_index: i32,
    /// UNKNOWN_TOPIC_OR_PARTITION, NOT_LEADER_OR_FOLLOWER, FENCED_LEADER_EPOCH, OFFSET_NOT_AVAILABLE, ...
    pub error_code: ErrorCode,
    /// Starts of segments, latest first, and the log's end where "latest" was asked.
    #[field(versions = "0")]
    pub old_style_offsets: Vec<i64>,
    /// Timestamp of the record found; -1 for a named position or when there is none.
    #[field(versions = "1+", default = "-1")]
    pub timestamp: i64,
    /// The offset; -1 when no record is that late.
    #[field(versions = "1+", default = "-1")]
    pub offset: i64,
    /// Leader epoch of the record at the offset, -1 when unknown (KIP-320).
    #[field(versions = "4+", default = "-1")]
    pub leader_epoch: i32,
}
