//! ShareAcknowledge: acknowledges records of a share group without reading more (KIP-932).

use crate::derive::{Message, Struct};
use crate::{ErrorCode, Str, Uuid};

/// What to acknowledge. Version 2 adds renewals (KIP-1222).
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "request", key = 79, versions = "0-2", flexible = "0+")]
pub struct ShareAcknowledgeRequest {
    /// The group.
    #[field(nullable = "0+", default = "null")]
    pub group_id: Option<Str>,
    /// The member.
    #[field(nullable = "0+")]
    pub member_id: Option<Str>,
    /// Counts the requests of the share session; -1 ends it. 0 is INVALID_SHARE_SESSION_EPOCH.
    pub share_session_epoch: i32,
    /// Whether an acknowledgement renews a lock.
    #[field(versions = "2+", default = "false")]
    pub is_renew_ack: bool,
    /// What to acknowledge, by topic.
    pub topics: Vec<AcknowledgeTopic>,
}

/// What to acknowledge of a topic.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct AcknowledgeTopic {
    /// The topic.
    pub topic_id: Uuid,
    /// What to acknowledge, by partition.
    pub partitions: Vec<AcknowledgePartition>,
}

/// What to acknowledge of a partition.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct AcknowledgePartition {
    /// The partition.
    pub partition_index: i32,
    /// Records to acknowledge.
    pub acknowledgement_batches: Vec<AcknowledgementBatch>,
}

/// Records to acknowledge.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct AcknowledgementBatch {
    /// The first.
    pub first_offset: i64,
    /// The last, included.
    pub last_offset: i64,
    /// 0 there is no record, 1 accept, 2 release, 3 reject, 4 renew; one for all or one for each.
    pub acknowledge_types: Vec<i8>,
}

/// What became of it.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "response", key = 79, versions = "0-2", flexible = "0+")]
pub struct ShareAcknowledgeResponse {
    /// How long the client is held back for a quota, in milliseconds.
    pub throttle_time_ms: i32,
    /// SHARE_SESSION_NOT_FOUND, INVALID_SHARE_SESSION_EPOCH, GROUP_AUTHORIZATION_FAILED, INVALID_REQUEST.
    pub error_code: ErrorCode,
    /// The error in words, or null.
    #[field(nullable = "0+", default = "null")]
    pub error_message: Option<Str>,
    /// How long renewed records are locked for the member, in milliseconds.
    #[field(versions = "2+", ignorable)]
    pub acquisition_lock_timeout_ms: i32,
    /// Answers by topic.
    pub responses: Vec<ShareAcknowledgeTopicResponse>,
    /// Addresses of the leaders that `current_leader` names.
    pub node_endpoints: Vec<NodeEndpoint>,
}

/// A topic's answers.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct ShareAcknowledgeTopicResponse {
    /// The topic.
    pub topic_id: Uuid,
    /// Answers by partition.
    pub partitions: Vec<PartitionData>,
}

/// A partition's answer.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct PartitionData {
    /// The partition.
    pub partition_index: i32,
    /// INVALID_RECORD_STATE, NOT_LEADER_OR_FOLLOWER, UNKNOWN_TOPIC_ID, UNKNOWN_TOPIC_OR_PARTITION,
    /// TOPIC_AUTHORIZATION_FAILED, KAFKA_STORAGE_ERROR.
    pub error_code: ErrorCode,
    /// The error in words, or null.
    #[field(nullable = "0+", default = "null")]
    pub error_message: Option<Str>,
    /// Who leads the partition, with NOT_LEADER_OR_FOLLOWER.
    pub current_leader: LeaderIdAndEpoch,
}

/// Who leads a partition.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct LeaderIdAndEpoch {
    /// The leader, -1 when unknown.
    pub leader_id: i32,
    /// Its epoch.
    pub leader_epoch: i32,
}

/// Where a broker is reached.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct NodeEndpoint {
    /// The broker.
    pub node_id: i32,
    /// Host name or address.
    pub host: Str,
    /// TCP port.
    pub port: i32,
    /// Where it stands (`broker.rack`).
    #[field(nullable = "0+", default = "null")]
    pub rack: Option<Str>,
}
