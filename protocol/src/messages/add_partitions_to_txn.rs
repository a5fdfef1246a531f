//! AddPartitionsToTxn: puts partitions into a transaction, or asks whether they are in it (KIP-98, KIP-890).

use crate::derive::{Message, Struct};
use crate::{ErrorCode, Str};

/// Partitions to add. Producers send versions up to 3 with one transaction; brokers send version 4 on.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "request", key = 24, versions = "0-5", flexible = "3+")]
pub struct AddPartitionsToTxnRequest {
    /// The transactions.
    #[field(versions = "4+")]
    pub transactions: Vec<AddPartitionsToTxnTransaction>,
    /// The transactional id.
    #[field(versions = "0-3")]
    pub v3_and_below_transactional_id: Str,
    /// The producer's id.
    #[field(versions = "0-3")]
    pub v3_and_below_producer_id: i64,
    /// The producer's epoch.
    #[field(versions = "0-3")]
    pub v3_and_below_producer_epoch: i16,
    /// The partitions by topic.
    #[field(versions = "0-3")]
    pub v3_and_below_topics: Vec<AddPartitionsToTxnTopic>,
}

/// A transaction.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct AddPartitionsToTxnTransaction {
    /// The transactional id.
    pub transactional_id: Str,
    /// The producer's id.
    pub producer_id: i64,
    /// The producer's epoch.
    pub producer_epoch: i16,
    /// Whether to ask only: the answer is TRANSACTION_ABORTABLE where a partition is not in the transaction.
    #[field(default = "false")]
    pub verify_only: bool,
    /// The partitions by topic.
    pub topics: Vec<AddPartitionsToTxnTopic>,
}

/// Partitions of a topic.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct AddPartitionsToTxnTopic {
    /// The topic.
    pub name: Str,
    /// The partitions.
    pub partitions: Vec<i32>,
}

/// What became of it.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "response", key = 24, versions = "0-5", flexible = "3+")]
pub struct AddPartitionsToTxnResponse {
    /// How long the client is held back for a quota, in milliseconds.
    pub throttle_time_ms: i32,
    /// CLUSTER_AUTHORIZATION_FAILED.
    #[field(versions = "4+", ignorable)]
    pub error_code: ErrorCode,
    /// Answers by transaction.
    #[field(versions = "4+")]
    pub results_by_transaction: Vec<AddPartitionsToTxnResult>,
    /// Answers by topic.
    #[field(versions = "0-3")]
    pub results_by_topic_v3_and_below: Vec<AddPartitionsToTxnTopicResult>,
}

/// A transaction's answers.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct AddPartitionsToTxnResult {
    /// The transactional id.
    pub transactional_id: Str,
    /// Answers by topic.
    pub topic_results: Vec<AddPartitionsToTxnTopicResult>,
}

/// A topic's answers.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct AddPartitionsToTxnTopicResult {
    /// The topic.
    pub name: Str,
    /// Answers by partition.
    pub results_by_partition: Vec<AddPartitionsToTxnPartitionResult>,
}

/// A partition's answer.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct AddPartitionsToTxnPartitionResult {
    /// The partition.
    pub partition_index: i32,
    /// INVALID_PRODUCER_ID_MAPPING, INVALID_PRODUCER_EPOCH, PRODUCER_FENCED (version 2), INVALID_TXN_STATE,
    /// CONCURRENT_TRANSACTIONS, OPERATION_NOT_ATTEMPTED, TRANSACTION_ABORTABLE (version 5), the authorizations,
    /// and those of the coordinator.
    pub partition_error_code: ErrorCode,
}
