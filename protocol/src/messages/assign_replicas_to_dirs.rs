//! AssignReplicasToDirs: a broker tells the controller which replica lies in which log directory (KIP-858).

use crate::derive::{Message, Struct};
use crate::{ErrorCode, Uuid};

/// Where replicas lie.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "request", key = 73, versions = "0", flexible = "0+")]
pub struct AssignReplicasToDirsRequest {
    /// The broker.
    pub broker_id: i32,
    /// Its epoch; an old one is STALE_BROKER_EPOCH.
    #[field(default = "-1")]
    pub broker_epoch: i64,
    /// Its directories.
    pub directories: Vec<DirectoryData>,
}

/// A directory.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct DirectoryData {
    /// Its id.
    pub id: Uuid,
    /// What lies in it, by topic.
    pub topics: Vec<TopicData>,
}

/// Partitions of a topic.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct TopicData {
    /// The topic.
    pub topic_id: Uuid,
    /// The partitions.
    pub partitions: Vec<PartitionData>,
}

/// A partition.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct PartitionData {
    /// The partition.
    pub partition_index: i32,
}

/// What became of it.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "response", key = 73, versions = "0", flexible = "0+")]
pub struct AssignReplicasToDirsResponse {
    /// How long the client is held back for a quota, in milliseconds.
    pub throttle_time_ms: i32,
    /// STALE_BROKER_EPOCH, NOT_CONTROLLER, CLUSTER_AUTHORIZATION_FAILED.
    pub error_code: ErrorCode,
    /// Answers by directory.
    pub directories: Vec<AssignedDirectoryData>,
}

/// A directory's answers.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct AssignedDirectoryData {
    /// Its id.
    pub id: Uuid,
    /// Answers by topic.
    pub topics: Vec<AssignedTopicData>,
}

/// A topic's answers.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct AssignedTopicData {
    /// The topic.
    pub topic_id: Uuid,
    /// Answers by partition.
    pub partitions: Vec<AssignedPartitionData>,
}

/// A partition's answer.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct AssignedPartitionData {
    /// The partition.
    pub partition_index: i32,
    /// UNKNOWN_TOPIC_ID, UNKNOWN_TOPIC_OR_PARTITION, NOT_LEADER_OR_FOLLOWER.
    pub error_code: ErrorCode,
}
