//! EndQuorumEpoch: a KRaft leader steps down (KIP-595). Spoken between Kafka's controllers only.

use crate::derive::{Message, Struct};
use crate::{ErrorCode, Str, Uuid};

/// The leader that goes.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "request", key = 54, versions = "0-1", flexible = "1+")]
pub struct EndQuorumEpochRequest {
    /// The cluster, null when unknown; another one is INCONSISTENT_CLUSTER_ID.
    #[field(nullable = "0+", default = "null")]
    pub cluster_id: Option<Str>,
    /// Always the metadata topic.
    pub topics: Vec<TopicData>,
    /// Where the leader is reached.
    #[field(versions = "1+", ignorable)]
    pub leader_endpoints: Vec<LeaderEndpoint>,
}

/// The topic.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct TopicData {
    /// Its name.
    pub topic_name: Str,
    /// Its only partition.
    pub partitions: Vec<PartitionData>,
}

/// Who goes, and who should follow.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct PartitionData {
    /// The partition.
    pub partition_index: i32,
    /// The leader that goes.
    pub leader_id: i32,
    /// Its epoch.
    pub leader_epoch: i32,
    /// Voters that should follow, best first.
    #[field(versions = "0", ignorable)]
    pub preferred_successors: Vec<i32>,
    /// Voters that should follow, best first, with their directories (KIP-853).
    #[field(versions = "1+", ignorable)]
    pub preferred_candidates: Vec<ReplicaInfo>,
}

/// A voter that should follow.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct ReplicaInfo {
    /// The voter.
    pub candidate_id: i32,
    /// Its directory.
    pub candidate_directory_id: Uuid,
}

/// A listener of the leader.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct LeaderEndpoint {
    /// Name of the listener.
    pub name: Str,
    /// Host name or address.
    pub host: Str,
    /// TCP port.
    pub port: u16,
}

/// The answer.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "response", key = 54, versions = "0-1", flexible = "1+")]
pub struct EndQuorumEpochResponse {
    /// INCONSISTENT_CLUSTER_ID, CLUSTER_AUTHORIZATION_FAILED.
    pub error_code: ErrorCode,
    /// Always the metadata topic.
    pub topics: Vec<AnsweredTopicData>,
    /// Where the leader that the voter knows is reached.
    #[field(versions = "1+", tag = 0, tagged = "1+")]
    pub node_endpoints: Vec<NodeEndpoint>,
}

/// The topic.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct AnsweredTopicData {
    /// Its name.
    pub topic_name: Str,
    /// Its only partition.
    pub partitions: Vec<AnsweredPartitionData>,
}

/// What the voter knows.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct AnsweredPartitionData {
    /// The partition.
    pub partition_index: i32,
    /// FENCED_LEADER_EPOCH, INCONSISTENT_VOTER_SET, ...
    pub error_code: ErrorCode,
    /// The leader that the voter knows, -1 for none.
    pub leader_id: i32,
    /// The epoch that the voter is in.
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
