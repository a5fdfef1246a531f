//! DescribeLogDirs: what lies in a broker's log directories (KIP-113).

use crate::derive::{Message, Struct};
use crate::{ErrorCode, Str};

/// Asks for sizes.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "request", key = 35, versions = "0-5", flexible = "2+")]
pub struct DescribeLogDirsRequest {
    /// Of which topics; null for all.
    #[field(nullable = "0+")]
    pub topics: Option<Vec<DescribableLogDirTopic>>,
}

/// A topic.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct DescribableLogDirTopic {
    /// The topic.
    pub topic: Str,
    /// The partitions.
    pub partitions: Vec<i32>,
}

/// The directories.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "response", key = 35, versions = "0-5", flexible = "2+")]
pub struct DescribeLogDirsResponse {
    /// How long the client is held back for a quota, in milliseconds.
    pub throttle_time_ms: i32,
    /// CLUSTER_AUTHORIZATION_FAILED; older versions answer an empty list instead.
    #[field(versions = "3+", ignorable)]
    pub error_code: ErrorCode,
    /// Answers by directory.
    pub results: Vec<DescribeLogDirsResult>,
}

/// A directory.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct DescribeLogDirsResult {
    /// KAFKA_STORAGE_ERROR when it is offline.
    pub error_code: ErrorCode,
    /// Its absolute path.
    pub log_dir: Str,
    /// What lies in it.
    pub topics: Vec<DescribeLogDirsTopic>,
    /// Size of its file system in bytes, -1 when unknown (KIP-827).
    #[field(versions = "4+", default = "-1", ignorable)]
    pub total_bytes: i64,
    /// Free bytes of its file system, -1 when unknown.
    #[field(versions = "4+", default = "-1", ignorable)]
    pub usable_bytes: i64,
    /// Whether nothing new is to be put there (KIP-1066).
    #[field(versions = "5+", default = "false", ignorable)]
    pub is_cordoned: bool,
}

/// A topic in a directory.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct DescribeLogDirsTopic {
    /// The topic.
    pub name: Str,
    /// Its partitions.
    pub partitions: Vec<DescribeLogDirsPartition>,
}

/// A partition in a directory.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct DescribeLogDirsPartition {
    /// The partition.
    pub partition_index: i32,
    /// Bytes of its segments.
    pub partition_size: i64,
    /// How many offsets its end is behind: the high watermark, or the present log's end for one on the move.
    pub offset_lag: i64,
    /// Whether it is on its way into this directory.
    pub is_future_key: bool,
}
