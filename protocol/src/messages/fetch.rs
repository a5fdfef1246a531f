//! Fetch: reads record batches, for consumers and for followers.

use crate::derive::{Message, Struct};
use crate::{ErrorCode, Records, Str, Uuid};

/// Asks for records from given offsets on.
///
/// Versions 0 and 1 are answered with message sets of magic 0, versions 2 and 3 of magic 1, later ones with
/// record batches; zstd from version 10 on. Version 7 adds fetch sessions (KIP-227), version 13 names topics
/// by id (KIP-516), version 15 moves the replica into a tagged field (KIP-903).
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "request", key = 1, versions = "0-18", flexible = "12+")]
pub struct FetchRequest {
    /// The cluster that is meant; null when unknown. Checked by KRaft only.
    #[field(
        versions = "12+",
        nullable = "12+",
        tag = 0,
        tagged = "12+",
        default = "null",
        ignorable
    )]
    pub cluster_id: Option<Str>,
    /// The broker that follows; -1 for a consumer.
    #[field(versions = "0-14", default = "-1")]
    pub replica_id: i32,
    /// The broker that follows, from version 15 on.
    #[field(versions = "15+", tag = 1, tagged = "15+")]
    pub replica_state: ReplicaState,
    /// How long to wait for `min_bytes`, in milliseconds.
    pub max_wait_ms: i32,
    /// Answer as soon as there are so many bytes of records.
    pub min_bytes: i32,
    /// Most bytes of records in the answer; the first batch comes whole all the same (KIP-74).
    #[field(versions = "3+", default = "0x7fffffff", ignorable)]
    pub max_bytes: i32,
    /// 0 reads to the high watermark, 1 to the last stable offset and lists aborted transactions (KIP-98).
    #[field(versions = "4+", default = "0", ignorable)]
    pub isolation_level: i8,
    /// Fetch session; 0 for none yet.
    #[field(versions = "7+", default = "0", ignorable)]
    pub session_id: i32,
    /// Counts the requests of the session: 0 begins one, -1 ends it or asks without.
    #[field(versions = "7+", default = "-1", ignorable)]
    pub session_epoch: i32,
    /// What to read; in a session only what is new or changed.
    pub topics: Vec<FetchTopic>,
    /// What to remove from the session.
    #[field(versions = "7+")]
    pub forgotten_topics_data: Vec<ForgottenTopic>,
    /// Where the consumer stands, to be sent to a near replica (KIP-392).
    #[field(versions = "11+", default = "", ignorable)]
    pub rack_id: Str,
}

/// The follower that asks.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct ReplicaState {
    /// The broker, -1 for a consumer.
    #[field(default = "-1")]
    pub replica_id: i32,
    /// Its broker epoch, -1 when unknown; an old one must not enter the ISR (KIP-903).
    #[field(default = "-1")]
    pub replica_epoch: i64,
}

/// What to read of a topic.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct FetchTopic {
    /// The topic's name.
    #[field(versions = "0-12", ignorable)]
    pub topic: Str,
    /// The topic's id.
    #[field(versions = "13+", ignorable)]
    pub topic_id: Uuid,
    /// What to read, by partition.
    pub partitions: Vec<FetchPartition>,
}

/// What to read of a partition.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct FetchPartition {
    /// The partition.
    pub partition: i32,
    /// Leader epoch that the client knows, -1 for none: FENCED_LEADER_EPOCH or UNKNOWN_LEADER_EPOCH when it is
    /// not the broker's (KIP-320).
    #[field(versions = "9+", default = "-1", ignorable)]
    pub current_leader_epoch: i32,
    /// First offset wanted.
    pub fetch_offset: i64,
    /// Leader epoch of the last record that a follower has, -1 for none (KIP-595).
    #[field(versions = "12+", default = "-1")]
    pub last_fetched_epoch: i32,
    /// A follower's own log start offset; -1 from a consumer.
    #[field(versions = "5+", default = "-1", ignorable)]
    pub log_start_offset: i64,
    /// Most bytes of records from this partition; the first batch of the answer may exceed it.
    pub partition_max_bytes: i32,
    /// Directory of the follower's replica (KIP-853).
    #[field(versions = "17+", tag = 0, tagged = "17+", ignorable)]
    pub replica_directory_id: Uuid,
    /// High watermark that the follower knows, so that a leader answers at once when its own is higher
    /// (KIP-1166).
    #[field(
        versions = "18+",
        tag = 1,
        tagged = "18+",
        default = "9223372036854775807",
        ignorable
    )]
    pub high_watermark: i64,
}

/// What to remove from a session.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct ForgottenTopic {
    /// The topic's name.
    #[field(versions = "7-12", ignorable)]
    pub topic: Str,
    /// The topic's id.
    #[field(versions = "13+", ignorable)]
    pub topic_id: Uuid,
    /// The partitions.
    pub partitions: Vec<i32>,
}

/// Records read.
///
/// Version 6 adds KAFKA_STORAGE_ERROR, version 13 UNKNOWN_TOPIC_ID, version 14 OFFSET_MOVED_TO_TIERED_STORAGE.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "response", key = 1, versions = "0-18", flexible = "12+")]
pub struct FetchResponse {
    /// How long the client is held back for a quota, in milliseconds.
    #[field(versions = "1+", ignorable)]
    pub throttle_time_ms: i32,
    /// For the request as a whole: FETCH_SESSION_ID_NOT_FOUND, INVALID_FETCH_SESSION_EPOCH, ...
    #[field(versions = "7+", ignorable)]
    pub error_code: ErrorCode,
    /// The session to go on with, 0 for none.
    #[field(versions = "7+", default = "0")]
    pub session_id: i32,
    /// Answers by topic; in a session only where there is something to say.
    pub responses: Vec<FetchableTopicResponse>,
    /// Addresses of the leaders that `current_leader` names (KIP-951).
    #[field(versions = "16+", tag = 0, tagged = "16+")]
    pub node_endpoints: Vec<NodeEndpoint>,
}

/// A topic's answers.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct FetchableTopicResponse {
    /// The topic's name.
    #[field(versions = "0-12", ignorable)]
    pub topic: Str,
    /// The topic's id.
    #[field(versions = "13+", ignorable)]
    pub topic_id: Uuid,
    /// Answers by partition.
    pub partitions: Vec<PartitionData>,
}

/// A partition's answer.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct PartitionData {
    /// The partition.
    pub partition_index: i32,
    /// NONE, OFFSET_OUT_OF_RANGE, NOT_LEADER_OR_FOLLOWER, FENCED_LEADER_EPOCH, ...
    pub error_code: ErrorCode,
    /// Records below it are on all replicas in sync; -1 on an error.
    pub high_watermark: i64,
    /// No open transaction begins below it; -1 when unknown.
    #[field(versions = "4+", default = "-1", ignorable)]
    pub last_stable_offset: i64,
    /// First offset that the log still has, -1 when unknown.
    #[field(versions = "5+", default = "-1", ignorable)]
    pub log_start_offset: i64,
    /// Where the follower's log parts from the leader's: it truncates there (KIP-595).
    #[field(versions = "12+", tag = 0, tagged = "12+")]
    pub diverging_epoch: EpochEndOffset,
    /// Who leads the partition, with NOT_LEADER_OR_FOLLOWER and FENCED_LEADER_EPOCH.
    #[field(versions = "12+", tag = 1, tagged = "12+")]
    pub current_leader: LeaderIdAndEpoch,
    /// The snapshot to load where the log begins too late (KIP-630).
    #[field(versions = "12+", tag = 2, tagged = "12+")]
    pub snapshot_id: SnapshotId,
    /// Aborted transactions that reach into the records; null unless isolation level 1 was asked for.
    #[field(versions = "4+", nullable = "4+", ignorable)]
    pub aborted_transactions: Option<Vec<AbortedTransaction>>,
    /// The replica to read from instead, -1 for this one (KIP-392).
    #[field(versions = "11+", default = "-1")]
    pub preferred_read_replica: i32,
    /// Record batches. A partition without data or with an error carries *empty* records, the default here, not
    /// null: librdkafka takes null for a protocol failure.
    #[field(nullable = "0+")]
    pub records: Option<Records>,
}

/// The end of a leader epoch.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct EpochEndOffset {
    /// The largest epoch that both logs have, -1 for none.
    #[field(default = "-1")]
    pub epoch: i32,
    /// Where it ends in the leader's log.
    #[field(default = "-1")]
    pub end_offset: i64,
}

/// Who leads a partition.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct LeaderIdAndEpoch {
    /// The leader, -1 when unknown.
    #[field(default = "-1")]
    pub leader_id: i32,
    /// Its epoch, -1 when unknown.
    #[field(default = "-1")]
    pub leader_epoch: i32,
}

/// A snapshot's name.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct SnapshotId {
    /// First offset that the snapshot does not cover.
    #[field(default = "-1")]
    pub end_offset: i64,
    /// Leader epoch of the record before it.
    #[field(default = "-1")]
    pub epoch: i32,
}

/// An aborted transaction.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct AbortedTransaction {
    /// Whose records to leave out.
    pub producer_id: i64,
    /// From which offset on, until its abort marker.
    pub first_offset: i64,
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
    #[field(nullable = "16+", default = "null")]
    pub rack: Option<Str>,
}
