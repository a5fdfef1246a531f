//! DescribeTopicPartitions: topics page by page (KIP-966).

use crate::derive::{Message, Struct};
use crate::{ErrorCode, Str, Uuid};

/// Asks for topics.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "request", key = 75, versions = "0", flexible = "0+")]
pub struct DescribeTopicPartitionsRequest {
    /// The topics; empty for all.
    pub topics: Vec<TopicRequest>,
    /// Most partitions in the answer; the broker has a limit of its own.
    #[field(default = "2000")]
    pub response_partition_limit: i32,
    /// Where to go on; null for the beginning.
    #[field(nullable = "0+", default = "null")]
    pub cursor: Option<Cursor>,
}

/// A topic asked for.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct TopicRequest {
    /// The topic.
    pub name: Str,
}

/// A place between pages.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct Cursor {
    /// First topic of the page.
    pub topic_name: Str,
    /// First partition of the page.
    pub partition_index: i32,
}

/// A page.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "response", key = 75, versions = "0", flexible = "0+")]
pub struct DescribeTopicPartitionsResponse {
    /// How long the client is held back for a quota, in milliseconds.
    #[field(ignorable)]
    pub throttle_time_ms: i32,
    /// The topics, by name.
    pub topics: Vec<DescribeTopicPartitionsResponseTopic>,
    /// Where the next page begins; null at the end.
    #[field(nullable = "0+", default = "null")]
    pub next_cursor: Option<Cursor>,
}

/// A topic.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct DescribeTopicPartitionsResponseTopic {
    /// UNKNOWN_TOPIC_OR_PARTITION, TOPIC_AUTHORIZATION_FAILED, INVALID_TOPIC_EXCEPTION.
    pub error_code: ErrorCode,
    /// Its name.
    #[field(nullable = "0+")]
    pub name: Option<Str>,
    /// Its id.
    #[field(ignorable)]
    pub topic_id: Uuid,
    /// Whether the cluster keeps its own state in it.
    #[field(default = "false", ignorable)]
    pub is_internal: bool,
    /// Its partitions, as far as they are on this page.
    pub partitions: Vec<DescribeTopicPartitionsResponsePartition>,
    /// What the client may do with the topic, a bit per operation.
    #[field(default = "-2147483648")]
    pub topic_authorized_operations: i32,
}

/// A partition.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct DescribeTopicPartitionsResponsePartition {
    /// LEADER_NOT_AVAILABLE, LISTENER_NOT_FOUND.
    pub error_code: ErrorCode,
    /// The partition.
    pub partition_index: i32,
    /// The leader, -1 for none.
    pub leader_id: i32,
    /// Epoch of the leader.
    #[field(default = "-1", ignorable)]
    pub leader_epoch: i32,
    /// Brokers with a replica, the preferred leader first.
    pub replica_nodes: Vec<i32>,
    /// Replicas in sync.
    pub isr_nodes: Vec<i32>,
    /// Replicas that are not in sync, yet have everything below the high watermark; null when not kept.
    #[field(nullable = "0+", default = "null")]
    pub eligible_leader_replicas: Option<Vec<i32>>,
    /// Replicas that were eligible before the last unclean shutdown; null when not kept.
    #[field(nullable = "0+", default = "null")]
    pub last_known_elr: Option<Vec<i32>>,
    /// Replicas whose broker or disk is gone.
    #[field(ignorable)]
    pub offline_replicas: Vec<i32>,
}
