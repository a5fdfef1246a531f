//! DescribeQuorum: leader, voters and observers of the metadata log (KIP-595, KIP-836).

use crate::derive::{Message, Struct};
use crate::{ErrorCode, Str, Uuid};

/// Asks about the quorum.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "request", key = 55, versions = "0-2", flexible = "0+")]
pub struct DescribeQuorumRequest {
    /// Always the metadata topic.
    pub topics: Vec<TopicData>,
}

/// The topic.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct TopicData {
    /// Its name, `__cluster_metadata`.
    pub topic_name: Str,
    /// Its only partition.
    pub partitions: Vec<PartitionData>,
}

/// The partition.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct PartitionData {
    /// The partition, 0.
    pub partition_index: i32,
}

/// The quorum.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "response", key = 55, versions = "0-2", flexible = "0+")]
pub struct DescribeQuorumResponse {
    /// CLUSTER_AUTHORIZATION_FAILED, ...
    pub error_code: ErrorCode,
    /// The error in words, or null.
    #[field(versions = "2+", nullable = "2+", ignorable)]
    pub error_message: Option<Str>,
    /// Always the metadata topic.
    pub topics: Vec<QuorumTopicData>,
    /// Where voters are reached (KIP-853).
    #[field(versions = "2+")]
    pub nodes: Vec<Node>,
}

/// The topic.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct QuorumTopicData {
    /// Its name.
    pub topic_name: Str,
    /// Its only partition.
    pub partitions: Vec<QuorumPartitionData>,
}

/// The state of the quorum.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct QuorumPartitionData {
    /// The partition.
    pub partition_index: i32,
    /// UNKNOWN_TOPIC_OR_PARTITION, NOT_LEADER_OR_FOLLOWER.
    pub error_code: ErrorCode,
    /// The error in words, or null.
    #[field(versions = "2+", nullable = "2+", ignorable)]
    pub error_message: Option<Str>,
    /// The leader, -1 for none.
    pub leader_id: i32,
    /// Its epoch.
    pub leader_epoch: i32,
    /// Records below it are committed.
    pub high_watermark: i64,
    /// Those who vote.
    pub current_voters: Vec<ReplicaState>,
    /// Those who only follow.
    pub observers: Vec<ReplicaState>,
}

/// A replica of the metadata log.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct ReplicaState {
    /// The node.
    pub replica_id: i32,
    /// Its metadata directory.
    #[field(versions = "2+")]
    pub replica_directory_id: Uuid,
    /// End of its log, -1 when unknown.
    pub log_end_offset: i64,
    /// When it last fetched, in milliseconds since 1970; -1 when unknown.
    #[field(versions = "1+", default = "-1", ignorable)]
    pub last_fetch_timestamp: i64,
    /// When it last had all that the leader had, in milliseconds since 1970; -1 when unknown.
    #[field(versions = "1+", default = "-1", ignorable)]
    pub last_caught_up_timestamp: i64,
}

/// A voter's addresses.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct Node {
    /// The node.
    pub node_id: i32,
    /// Its listeners.
    pub listeners: Vec<Listener>,
}

/// A listener.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct Listener {
    /// Name of the listener.
    pub name: Str,
    /// Host name or address.
    pub host: Str,
    /// TCP port.
    pub port: u16,
}
