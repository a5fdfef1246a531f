//! FetchSnapshot: reads a KRaft snapshot piece by piece (KIP-630). Spoken between Kafka's nodes only.

use crate::derive::{Message, Struct};
use crate::{ErrorCode, Records, Str, Uuid};

/// Which piece.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "request", key = 59, versions = "0-1", flexible = "0+")]
pub struct FetchSnapshotRequest {
    /// The cluster, null when unknown; another one is INCONSISTENT_CLUSTER_ID.
    #[field(nullable = "0+", tag = 0, tagged = "0+", default = "null")]
    pub cluster_id: Option<Str>,
    /// The node that asks, -1 when unknown.
    #[field(default = "-1")]
    pub replica_id: i32,
    /// Most bytes of all pieces.
    #[field(default = "0x7fffffff")]
    pub max_bytes: i32,
    /// Always the metadata topic.
    pub topics: Vec<TopicSnapshot>,
}

/// The topic.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct TopicSnapshot {
    /// Its name.
    pub name: Str,
    /// Its only partition.
    pub partitions: Vec<PartitionSnapshot>,
}

/// The piece.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct PartitionSnapshot {
    /// The partition.
    pub partition: i32,
    /// Leader epoch that the node knows, -1 for none.
    pub current_leader_epoch: i32,
    /// The snapshot.
    pub snapshot_id: SnapshotId,
    /// First byte wanted.
    pub position: i64,
    /// Directory of the node that asks (KIP-853).
    #[field(versions = "1+", tag = 0, tagged = "1+", ignorable)]
    pub replica_directory_id: Uuid,
}

/// A snapshot's name.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct SnapshotId {
    /// First offset that it does not cover.
    pub end_offset: i64,
    /// Leader epoch of the record before.
    pub epoch: i32,
}

/// The piece.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "response", key = 59, versions = "0-1", flexible = "0+")]
pub struct FetchSnapshotResponse {
    /// How long the client is held back for a quota, in milliseconds.
    #[field(ignorable)]
    pub throttle_time_ms: i32,
    /// INCONSISTENT_CLUSTER_ID, ...
    pub error_code: ErrorCode,
    /// Always the metadata topic.
    pub topics: Vec<FetchedTopicSnapshot>,
    /// Where the leader is reached.
    #[field(versions = "1+", tag = 0, tagged = "1+")]
    pub node_endpoints: Vec<NodeEndpoint>,
}

/// The topic.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct FetchedTopicSnapshot {
    /// Its name.
    pub name: Str,
    /// Its only partition.
    pub partitions: Vec<FetchedPartitionSnapshot>,
}

/// A piece of a snapshot.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct FetchedPartitionSnapshot {
    /// The partition.
    pub index: i32,
    /// SNAPSHOT_NOT_FOUND, POSITION_OUT_OF_RANGE, FENCED_LEADER_EPOCH, UNKNOWN_LEADER_EPOCH, ...
    pub error_code: ErrorCode,
    /// The snapshot.
    pub snapshot_id: SnapshotId,
    /// Who leads, where it is not the node asked.
    #[field(tag = 0, tagged = "0+")]
    pub current_leader: LeaderIdAndEpoch,
    /// Bytes of the whole snapshot.
    pub size: i64,
    /// Position of the piece.
    pub position: i64,
    /// The piece; it may begin and end within a batch.
    pub unaligned_records: Records,
}

/// Who leads.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct LeaderIdAndEpoch {
    /// The leader, -1 when unknown.
    pub leader_id: i32,
    /// Its epoch.
    pub leader_epoch: i32,
}

/// Where a leader is reached.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct NodeEndpoint {
    /// The node.
    pub node_id: i32,
    /// Host name or address.
    pub host: Str,
    /// TCP port.
    pub port: u16,
}
