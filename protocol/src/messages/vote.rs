//! Vote: a KRaft voter asks for votes (KIP-595). Spoken between Kafka's controllers only.

use crate::derive::{Message, Struct};
use crate::{ErrorCode, Str, Uuid};

/// A candidate. Version 2 knows pre-votes (KIP-996).
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "request", key = 52, versions = "0-2", flexible = "0+")]
pub struct VoteRequest {
    /// The cluster, null when unknown; another one is INCONSISTENT_CLUSTER_ID.
    #[field(nullable = "0+", default = "null")]
    pub cluster_id: Option<Str>,
    /// The voter that is asked, -1 when unknown (KIP-853).
    #[field(versions = "1+", default = "-1", ignorable)]
    pub voter_id: i32,
    /// Always the metadata topic.
    pub topics: Vec<TopicData>,
}

/// The topic.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct TopicData {
    /// Its name.
    pub topic_name: Str,
    /// Its only partition.
    pub partitions: Vec<PartitionData>,
}

/// What the candidate has.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct PartitionData {
    /// The partition.
    pub partition_index: i32,
    /// Epoch of the candidate.
    pub replica_epoch: i32,
    /// The candidate.
    pub replica_id: i32,
    /// Directory of the candidate.
    #[field(versions = "1+", ignorable)]
    pub replica_directory_id: Uuid,
    /// Directory of the voter that is asked.
    #[field(versions = "1+", ignorable)]
    pub voter_directory_id: Uuid,
    /// Epoch of the last record in the candidate's log.
    pub last_offset_epoch: i32,
    /// End of the candidate's log.
    pub last_offset: i64,
    /// Whether it only asks how it would fare.
    #[field(versions = "2+")]
    pub pre_vote: bool,
}

/// The vote.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "response", key = 52, versions = "0-2", flexible = "0+")]
pub struct VoteResponse {
    /// INCONSISTENT_CLUSTER_ID, CLUSTER_AUTHORIZATION_FAILED.
    pub error_code: ErrorCode,
    /// Always the metadata topic.
    pub topics: Vec<VotedTopicData>,
    /// Where the leader is reached.
    #[field(versions = "1+", tag = 0, tagged = "1+")]
    pub node_endpoints: Vec<NodeEndpoint>,
}

/// The topic.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct VotedTopicData {
    /// Its name.
    pub topic_name: Str,
    /// Its only partition.
    pub partitions: Vec<VotedPartitionData>,
}

/// The vote for the partition.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct VotedPartitionData {
    /// The partition.
    pub partition_index: i32,
    /// FENCED_LEADER_EPOCH, INVALID_VOTER_KEY, ...
    pub error_code: ErrorCode,
    /// The leader that the voter knows, -1 for none.
    pub leader_id: i32,
    /// The epoch that the voter is in.
    pub leader_epoch: i32,
    /// Whether it votes for the candidate.
    pub vote_granted: bool,
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
