//! StopReplica: a ZooKeeper controller tells brokers to stop, and perhaps delete, replicas.
//!
//! Gone with Kafka 4.0. Declared so that such a request can be recognised and told apart.

use crate::derive::{Message, Struct};
use crate::{ErrorCode, Str};

/// Replicas to stop.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "request", key = 5, versions = "0-4", flexible = "2+")]
pub struct StopReplicaRequest {
    /// The controller.
    pub controller_id: i32,
    /// Whether it is a KRaft controller that leads a cluster on its way from ZooKeeper (KIP-866).
    #[field(versions = "4+", default = "false")]
    pub is_k_raft_controller: bool,
    /// Its epoch.
    pub controller_epoch: i32,
    /// The broker's epoch, -1 when unknown (KIP-380).
    #[field(versions = "1+", default = "-1", ignorable)]
    pub broker_epoch: i64,
    /// Whether to delete them as well.
    #[field(versions = "0-2")]
    pub delete_partitions: bool,
    /// The partitions.
    #[field(versions = "0")]
    pub ungrouped_partitions: Vec<StopReplicaPartitionV0>,
    /// The partitions by topic.
    #[field(versions = "1-2")]
    pub topics: Vec<StopReplicaTopicV1>,
    /// The partitions by topic, each with its epoch (KIP-570).
    #[field(versions = "3+")]
    pub topic_states: Vec<StopReplicaTopicState>,
}

/// A partition.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct StopReplicaPartitionV0 {
    /// The topic.
    pub topic_name: Str,
    /// The partition.
    pub partition_index: i32,
}

/// Partitions of a topic.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct StopReplicaTopicV1 {
    /// The topic.
    pub name: Str,
    /// The partitions.
    pub partition_indexes: Vec<i32>,
}

/// A topic.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct StopReplicaTopicState {
    /// The topic.
    pub topic_name: Str,
    /// Its partitions.
    pub partition_states: Vec<StopReplicaPartitionState>,
}

/// A partition with its epoch.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct StopReplicaPartitionState {
    /// The partition.
    pub partition_index: i32,
    /// The leader epoch, -1 when unknown; an old one is FENCED_LEADER_EPOCH.
    #[field(default = "-1")]
    pub leader_epoch: i32,
    /// Whether to delete it as well.
    pub delete_partition: bool,
}

/// What became of it.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "response", key = 5, versions = "0-4", flexible = "2+")]
pub struct StopReplicaResponse {
    /// STALE_CONTROLLER_EPOCH, STALE_BROKER_EPOCH.
    pub error_code: ErrorCode,
    /// Answers by partition.
    pub partition_errors: Vec<StopReplicaPartitionError>,
}

/// A partition's answer.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct StopReplicaPartitionError {
    /// The topic.
    pub topic_name: Str,
    /// The partition.
    pub partition_index: i32,
    /// FENCED_LEADER_EPOCH, KAFKA_STORAGE_ERROR, ...
    pub error_code: ErrorCode,
}
