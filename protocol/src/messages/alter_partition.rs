//! AlterPartition: a leader asks the controller to change the ISR (KIP-497). Version 2 names topics by id, version 3
//! names broker epochs (KIP-903).

use crate::derive::{Message, Struct};
use crate::{ErrorCode, Str, Uuid};

/// ISRs as leaders want them.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "request", key = 56, versions = "0-3", flexible = "0+")]
pub struct AlterPartitionRequest {
    /// The broker that leads.
    pub broker_id: i32,
    /// Its epoch; an old one is STALE_BROKER_EPOCH.
    #[field(default = "-1")]
    pub broker_epoch: i64,
    /// Partitions by topic.
    pub topics: Vec<TopicData>,
}

/// Partitions of a topic.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct TopicData {
    /// The topic's name.
    #[field(versions = "0-1", ignorable)]
    pub topic_name: Str,
    /// The topic's id.
    #[field(versions = "2+", ignorable)]
    pub topic_id: Uuid,
    /// The partitions.
    pub partitions: Vec<PartitionData>,
}

/// A partition.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct PartitionData {
    /// The partition.
    pub partition_index: i32,
    /// Epoch in which the broker leads; an old one is FENCED_LEADER_EPOCH.
    pub leader_epoch: i32,
    /// The ISR wanted.
    #[field(versions = "0-2")]
    pub new_isr: Vec<i32>,
    /// The ISR wanted, with the epochs that the leader knows of its members.
    #[field(versions = "3+")]
    pub new_isr_with_epochs: Vec<BrokerState>,
    /// 1 while the leader recovers from an unclean election, 0 once it has (KIP-704).
    #[field(versions = "1+", default = "0")]
    pub leader_recovery_state: i8,
    /// Version of the partition that the leader knows; another one is INVALID_UPDATE_VERSION.
    pub partition_epoch: i32,
}

/// A member of the ISR.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct BrokerState {
    /// The broker.
    pub broker_id: i32,
    /// Its epoch; an old one is INELIGIBLE_REPLICA. -1 skips the check.
    #[field(default = "-1")]
    pub broker_epoch: i64,
}

/// What became of it.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "response", key = 56, versions = "0-3", flexible = "0+")]
pub struct AlterPartitionResponse {
    /// How long the client is held back for a quota, in milliseconds.
    pub throttle_time_ms: i32,
    /// STALE_BROKER_EPOCH, NOT_CONTROLLER, CLUSTER_AUTHORIZATION_FAILED.
    pub error_code: ErrorCode,
    /// Answers by topic.
    pub topics: Vec<AlteredTopicData>,
}

/// A topic's answers.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct AlteredTopicData {
    /// The topic's name.
    #[field(versions = "0-1", ignorable)]
    pub topic_name: Str,
    /// The topic's id.
    #[field(versions = "2+", ignorable)]
    pub topic_id: Uuid,
    /// Answers by partition.
    pub partitions: Vec<AlteredPartitionData>,
}

/// A partition as it is now.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct AlteredPartitionData {
    /// The partition.
    pub partition_index: i32,
    /// FENCED_LEADER_EPOCH, INVALID_UPDATE_VERSION, INVALID_REQUEST, INELIGIBLE_REPLICA, NEW_LEADER_ELECTED,
    /// UNKNOWN_TOPIC_ID, ...
    pub error_code: ErrorCode,
    /// The leader.
    pub leader_id: i32,
    /// Its epoch.
    pub leader_epoch: i32,
    /// Replicas in sync.
    pub isr: Vec<i32>,
    /// 1 while the leader recovers from an unclean election, else 0.
    #[field(versions = "1+", default = "0", ignorable)]
    pub leader_recovery_state: i8,
    /// Version of the partition.
    pub partition_epoch: i32,
}
