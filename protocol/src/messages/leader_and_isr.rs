//! LeaderAndIsr: a ZooKeeper controller tells brokers which partitions they lead and follow.
//!
//! Gone with Kafka 4.0. Declared so that such a request can be recognised and told apart.

use crate::derive::{Message, Struct};
use crate::{ErrorCode, Str, Uuid};

/// Partitions whose leader or ISR changed.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "request", key = 4, versions = "0-7", flexible = "4+")]
pub struct LeaderAndIsrRequest {
    /// The controller.
    pub controller_id: i32,
    /// Whether it is a KRaft controller that leads a cluster on its way from ZooKeeper (KIP-866).
    #[field(versions = "7+", default = "false")]
    pub is_k_raft_controller: bool,
    /// Its epoch; an older one than the broker knows is STALE_CONTROLLER_EPOCH.
    pub controller_epoch: i32,
    /// The broker's epoch, -1 when unknown; an old one is STALE_BROKER_EPOCH (KIP-380).
    #[field(versions = "2+", default = "-1", ignorable)]
    pub broker_epoch: i64,
    /// 0 unknown, 1 some partitions, 2 all partitions of the broker.
    #[field(versions = "5+")]
    pub r#type: i8,
    /// The partitions.
    #[field(versions = "0-1")]
    pub ungrouped_partition_states: Vec<LeaderAndIsrPartitionState>,
    /// The partitions by topic.
    #[field(versions = "2+")]
    pub topic_states: Vec<LeaderAndIsrTopicState>,
    /// Brokers that lead one of the partitions.
    pub live_leaders: Vec<LeaderAndIsrLiveLeader>,
}

/// A topic.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct LeaderAndIsrTopicState {
    /// The topic's name.
    pub topic_name: Str,
    /// The topic's id.
    #[field(versions = "5+", ignorable)]
    pub topic_id: Uuid,
    /// Its partitions.
    pub partition_states: Vec<LeaderAndIsrPartitionState>,
}

/// A partition.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct LeaderAndIsrPartitionState {
    /// The topic's name, where partitions are not grouped by topic.
    #[field(versions = "0-1", ignorable)]
    pub topic_name: Str,
    /// The partition.
    pub partition_index: i32,
    /// Epoch of the controller that decided.
    pub controller_epoch: i32,
    /// The leader, -1 for none.
    pub leader: i32,
    /// Its epoch.
    pub leader_epoch: i32,
    /// Replicas in sync.
    pub isr: Vec<i32>,
    /// Counts the changes of the partition.
    pub partition_epoch: i32,
    /// All replicas.
    pub replicas: Vec<i32>,
    /// Replicas being added.
    #[field(versions = "3+", ignorable)]
    pub adding_replicas: Vec<i32>,
    /// Replicas being removed.
    #[field(versions = "3+", ignorable)]
    pub removing_replicas: Vec<i32>,
    /// Whether the replica did not exist before.
    #[field(versions = "1+", default = "false", ignorable)]
    pub is_new: bool,
    /// 1 while the leader recovers from an unclean election.
    #[field(versions = "6+", default = "0")]
    pub leader_recovery_state: i8,
}

/// A leader's address.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct LeaderAndIsrLiveLeader {
    /// The broker.
    pub broker_id: i32,
    /// Host name or address.
    pub host_name: Str,
    /// TCP port.
    pub port: i32,
}

/// What became of it.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "response", key = 4, versions = "0-7", flexible = "4+")]
pub struct LeaderAndIsrResponse {
    /// STALE_CONTROLLER_EPOCH, STALE_BROKER_EPOCH.
    pub error_code: ErrorCode,
    /// Answers by partition.
    #[field(versions = "0-4")]
    pub partition_errors: Vec<LeaderAndIsrPartitionError>,
    /// Answers by topic.
    #[field(versions = "5+")]
    pub topics: Vec<LeaderAndIsrTopicError>,
}

/// A topic's answers.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct LeaderAndIsrTopicError {
    /// The topic.
    pub topic_id: Uuid,
    /// Answers by partition.
    pub partition_errors: Vec<LeaderAndIsrPartitionError>,
}

/// A partition's answer.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct LeaderAndIsrPartitionError {
    /// The topic's name, where answers are not grouped by topic.
    #[field(versions = "0-4", ignorable)]
    pub topic_name: Str,
    /// The partition.
    pub partition_index: i32,
    /// KAFKA_STORAGE_ERROR, ...
    pub error_code: ErrorCode,
}
