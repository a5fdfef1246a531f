//! ElectLeaders: has partitions led by their preferred replica, or by any (KIP-183, KIP-460).

use crate::derive::{Message, Struct};
use crate::{ErrorCode, Str};

/// Partitions to elect leaders for.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "request", key = 43, versions = "0-2", flexible = "2+")]
pub struct ElectLeadersRequest {
    /// 0 the preferred replica; 1 any replica, also one that lacks records, where there is no leader.
    #[field(versions = "1+")]
    pub election_type: i8,
    /// The partitions; null for all.
    #[field(nullable = "0+")]
    pub topic_partitions: Option<Vec<TopicPartitions>>,
    /// How long to wait for the elections, in milliseconds.
    #[field(default = "60000")]
    pub timeout_ms: i32,
}

/// Partitions of a topic.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct TopicPartitions {
    /// The topic.
    pub topic: Str,
    /// The partitions.
    pub partitions: Vec<i32>,
}

/// What became of it.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "response", key = 43, versions = "0-2", flexible = "2+")]
pub struct ElectLeadersResponse {
    /// How long the client is held back for a quota, in milliseconds.
    pub throttle_time_ms: i32,
    /// CLUSTER_AUTHORIZATION_FAILED, NOT_CONTROLLER; in version 0 it stands with each partition.
    #[field(versions = "1+")]
    pub error_code: ErrorCode,
    /// Answers by topic; where all partitions were asked for, without those that needed nothing.
    pub replica_election_results: Vec<ReplicaElectionResult>,
}

/// A topic's answers.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct ReplicaElectionResult {
    /// The topic.
    pub topic: Str,
    /// Answers by partition.
    pub partition_result: Vec<PartitionResult>,
}

/// A partition's answer.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct PartitionResult {
    /// The partition.
    pub partition_id: i32,
    /// ELECTION_NOT_NEEDED, PREFERRED_LEADER_NOT_AVAILABLE, ELIGIBLE_LEADERS_NOT_AVAILABLE,
    /// UNKNOWN_TOPIC_OR_PARTITION, ...
    pub error_code: ErrorCode,
    /// The error in words, or null.
    #[field(nullable = "0+")]
    pub error_message: Option<Str>,
}
