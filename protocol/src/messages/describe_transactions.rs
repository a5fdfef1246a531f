//! DescribeTransactions: states of transactional ids (KIP-664).

use crate::derive::{Message, Struct};
use crate::{ErrorCode, Str};

/// Asks about transactional ids that this broker coordinates.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "request", key = 65, versions = "0", flexible = "0+")]
pub struct DescribeTransactionsRequest {
    /// The transactional ids.
    pub transactional_ids: Vec<Str>,
}

/// The states.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "response", key = 65, versions = "0", flexible = "0+")]
pub struct DescribeTransactionsResponse {
    /// How long the client is held back for a quota, in milliseconds.
    pub throttle_time_ms: i32,
    /// Answers by transactional id.
    pub transaction_states: Vec<TransactionState>,
}

/// The state of a transactional id.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct TransactionState {
    /// TRANSACTIONAL_ID_NOT_FOUND, TRANSACTIONAL_ID_AUTHORIZATION_FAILED, and those of the coordinator.
    pub error_code: ErrorCode,
    /// The transactional id.
    pub transactional_id: Str,
    /// `Empty`, `Ongoing`, `PrepareCommit`, `PrepareAbort`, `CompleteCommit`, `CompleteAbort`, `Dead`,
    /// `PrepareEpochFence`.
    pub transaction_state: Str,
    /// After how many milliseconds it is aborted.
    pub transaction_timeout_ms: i32,
    /// When it began, in milliseconds since 1970; -1 for none.
    pub transaction_start_time_ms: i64,
    /// The producer's id.
    pub producer_id: i64,
    /// The producer's epoch.
    pub producer_epoch: i16,
    /// Partitions in the transaction, by topic.
    pub topics: Vec<TopicData>,
}

/// Partitions of a topic.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct TopicData {
    /// The topic.
    pub topic: Str,
    /// The partitions.
    pub partitions: Vec<i32>,
}
