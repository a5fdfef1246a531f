//! OffsetForLeaderEpoch: where leader epochs end, to find the point at which two logs part (KIP-101, KIP-320).

use crate::derive::{Message, Struct};
use crate::{ErrorCode, Str};

/// Asks for the ends of epochs.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "request", key = 23, versions = "0-4", flexible = "4+")]
pub struct OffsetForLeaderEpochRequest {
    /// The broker that follows, -1 for a consumer; -2 in versions that do not say.
    #[field(versions = "3+", default = "-2", ignorable)]
    pub replica_id: i32,
    /// Epochs by topic.
    pub topics: Vec<OffsetForLeaderTopic>,
}

/// Epochs of a topic.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct OffsetForLeaderTopic {
    /// The topic.
    pub topic: Str,
    /// Epochs by partition.
    pub partitions: Vec<OffsetForLeaderPartition>,
}

/// An epoch of a partition.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct OffsetForLeaderPartition {
    /// The partition.
    pub partition: i32,
    /// Leader epoch that the client knows, -1 for none; answered with FENCED_LEADER_EPOCH or UNKNOWN_LEADER_EPOCH.
    #[field(versions = "2+", default = "-1", ignorable)]
    pub current_leader_epoch: i32,
    /// The epoch whose end is wanted.
    pub leader_epoch: i32,
}

/// The ends.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "response", key = 23, versions = "0-4", flexible = "4+")]
pub struct OffsetForLeaderEpochResponse {
    /// How long the client is held back for a quota, in milliseconds.
    #[field(versions = "2+", ignorable)]
    pub throttle_time_ms: i32,
    /// Answers by topic.
    pub topics: Vec<OffsetForLeaderTopicResult>,
}

/// A topic's answers.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct OffsetForLeaderTopicResult {
    /// The topic.
    pub topic: Str,
    /// Answers by partition.
    pub partitions: Vec<EpochEndOffset>,
}

/// The end of an epoch.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct EpochEndOffset {
    /// UNKNOWN_TOPIC_OR_PARTITION, NOT_LEADER_OR_FOLLOWER, FENCED_LEADER_EPOCH, UNKNOWN_LEADER_EPOCH,
    /// TOPIC_AUTHORIZATION_FAILED, ...
    pub error_code: ErrorCode,
    /// The partition.
    pub partition: i32,
    /// The largest epoch in the log that is not above the one asked for; -1 for none.
    #[field(versions = "1+", default = "-1", ignorable)]
    pub leader_epoch: i32,
    /// First offset after that epoch; -1 for none.
    #[field(default = "-1")]
    pub end_offset: i64,
}
