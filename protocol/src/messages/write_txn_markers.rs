//! WriteTxnMarkers: a transaction coordinator has brokers write commit and abort markers (KIP-98).

use crate::derive::{Message, Struct};
use crate::{ErrorCode, Str};

/// Markers to write.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "request", key = 27, versions = "0-2", flexible = "1+")]
pub struct WriteTxnMarkersRequest {
    /// The markers.
    pub markers: Vec<WritableTxnMarker>,
}

/// A transaction's markers.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct WritableTxnMarker {
    /// The producer's id.
    pub producer_id: i64,
    /// The producer's epoch.
    pub producer_epoch: i16,
    /// Whether it is committed; else aborted.
    pub transaction_result: bool,
    /// The partitions by topic.
    pub topics: Vec<WritableTxnMarkerTopic>,
    /// Epoch of the coordinator; an older one is TRANSACTION_COORDINATOR_FENCED.
    pub coordinator_epoch: i32,
    /// Level of `transaction.version` that the transaction ran under; from 2 on the marker's epoch has to be
    /// above the producer's (KIP-1228).
    #[field(versions = "2+", default = "0", ignorable)]
    pub transaction_version: i8,
}

/// Partitions of a topic.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct WritableTxnMarkerTopic {
    /// The topic.
    pub name: Str,
    /// The partitions.
    pub partition_indexes: Vec<i32>,
}

/// What became of it.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "response", key = 27, versions = "0-2", flexible = "1+")]
pub struct WriteTxnMarkersResponse {
    /// Answers by transaction.
    pub markers: Vec<WritableTxnMarkerResult>,
}

/// A transaction's answers.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct WritableTxnMarkerResult {
    /// The producer's id.
    pub producer_id: i64,
    /// Answers by topic.
    pub topics: Vec<WritableTxnMarkerTopicResult>,
}

/// A topic's answers.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct WritableTxnMarkerTopicResult {
    /// The topic.
    pub name: Str,
    /// Answers by partition.
    pub partitions: Vec<WritableTxnMarkerPartitionResult>,
}

/// A partition's answer.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct WritableTxnMarkerPartitionResult {
    /// The partition.
    pub partition_index: i32,
    /// INVALID_PRODUCER_EPOCH, TRANSACTION_COORDINATOR_FENCED, UNKNOWN_TOPIC_OR_PARTITION,
    /// NOT_LEADER_OR_FOLLOWER, CLUSTER_AUTHORIZATION_FAILED, ...
    pub error_code: ErrorCode,
}
