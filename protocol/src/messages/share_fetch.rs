//! ShareFetch: acquires records for a member of a share group, and acknowledges others (KIP-932).

use crate::derive::{Message, Struct};
use crate::{ErrorCode, Records, Str, Uuid};

/// What to read and to acknowledge. Version 2 adds the acquire mode and renewals (KIP-1206, KIP-1222).
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "request", key = 78, versions = "0-2", flexible = "0+")]
pub struct ShareFetchRequest {
    /// The group.
    #[field(nullable = "0+", default = "null")]
    pub group_id: Option<Str>,
    /// The member.
    #[field(nullable = "0+")]
    pub member_id: Option<Str>,
    /// Counts the requests of the share session: 0 begins one, -1 ends it.
    pub share_session_epoch: i32,
    /// How long to wait for `min_bytes`, in milliseconds.
    pub max_wait_ms: i32,
    /// Answer as soon as there are so many bytes of records.
    pub min_bytes: i32,
    /// Most bytes of records in the answer; the first batch comes whole all the same.
    #[field(default = "0x7fffffff")]
    pub max_bytes: i32,
    /// Most records to acquire; exceeded to end with a batch, unless in record-limit mode.
    #[field(versions = "1+")]
    pub max_records: i32,
    /// How many records an acquired batch had best have.
    #[field(versions = "1+")]
    pub batch_size: i32,
    /// 0 whole batches, 1 not one record more than `max_records`.
    #[field(versions = "2+", default = "0", ignorable)]
    pub share_acquire_mode: i8,
    /// Whether an acknowledgement renews a lock.
    #[field(versions = "2+", default = "false")]
    pub is_renew_ack: bool,
    /// What to read; in a session only what is new or changed.
    pub topics: Vec<FetchTopic>,
    /// What to remove from the session.
    pub forgotten_topics_data: Vec<ForgottenTopic>,
}

/// What to read of a topic.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct FetchTopic {
    /// The topic.
    pub topic_id: Uuid,
    /// What to read, by partition.
    pub partitions: Vec<FetchPartition>,
}

/// What to read of a partition.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct FetchPartition {
    /// The partition.
    pub partition_index: i32,
    /// Most bytes of records from this partition; 0 to acknowledge only.
    #[field(versions = "0")]
    pub partition_max_bytes: i32,
    /// What to acknowledge.
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

/// What to remove from a session.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct ForgottenTopic {
    /// The topic.
    pub topic_id: Uuid,
    /// The partitions.
    pub partitions: Vec<i32>,
}

/// Records acquired.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "response", key = 78, versions = "0-2", flexible = "0+")]
pub struct ShareFetchResponse {
    /// How long the client is held back for a quota, in milliseconds.
    pub throttle_time_ms: i32,
    /// SHARE_SESSION_NOT_FOUND, INVALID_SHARE_SESSION_EPOCH, SHARE_SESSION_LIMIT_REACHED, GROUP_AUTHORIZATION_FAILED,
    /// INVALID_REQUEST.
    pub error_code: ErrorCode,
    /// The error in words, or null.
    #[field(nullable = "0+", default = "null")]
    pub error_message: Option<Str>,
    /// How long the records are locked for the member, in milliseconds.
    #[field(versions = "1+")]
    pub acquisition_lock_timeout_ms: i32,
    /// Answers by topic.
    pub responses: Vec<ShareFetchableTopicResponse>,
    /// Addresses of the leaders that `current_leader` names.
    pub node_endpoints: Vec<NodeEndpoint>,
}

/// A topic's answers.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct ShareFetchableTopicResponse {
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
    /// NOT_LEADER_OR_FOLLOWER, UNKNOWN_TOPIC_ID, UNKNOWN_TOPIC_OR_PARTITION, TOPIC_AUTHORIZATION_FAILED,
    /// KAFKA_STORAGE_ERROR, CORRUPT_MESSAGE.
    pub error_code: ErrorCode,
    /// The error in words, or null.
    #[field(nullable = "0+", default = "null")]
    pub error_message: Option<Str>,
    /// INVALID_RECORD_STATE, ... for what was acknowledged.
    pub acknowledge_error_code: ErrorCode,
    /// The error in words, or null.
    #[field(nullable = "0+", default = "null")]
    pub acknowledge_error_message: Option<Str>,
    /// Who leads the partition, with NOT_LEADER_OR_FOLLOWER.
    pub current_leader: LeaderIdAndEpoch,
    /// Record batches; empty for none.
    #[field(nullable = "0")]
    pub records: Option<Records>,
    /// Which of the records the member has acquired.
    pub acquired_records: Vec<AcquiredRecords>,
}

/// Who leads a partition.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct LeaderIdAndEpoch {
    /// The leader, -1 when unknown.
    pub leader_id: i32,
    /// Its epoch.
    pub leader_epoch: i32,
}

/// Records that the member has acquired.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct AcquiredRecords {
    /// The first.
    pub first_offset: i64,
    /// The last, included.
    pub last_offset: i64,
    /// How often they have been delivered, this time included.
    pub delivery_count: i16,
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
