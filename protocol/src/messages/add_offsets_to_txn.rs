//! AddOffsetsToTxn: puts a group's offsets into a transaction (KIP-98).

use crate::derive::Message;
use crate::{ErrorCode, Str};

/// The group whose offsets TxnOffsetCommit is going to commit.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "request", key = 25, versions = "0-4", flexible = "3+")]
pub struct AddOffsetsToTxnRequest {
    /// The transactional id.
    pub transactional_id: Str,
    /// The producer's id.
    pub producer_id: i64,
    /// The producer's epoch.
    pub producer_epoch: i16,
    /// The group.
    pub group_id: Str,
}

/// What became of it.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "response", key = 25, versions = "0-4", flexible = "3+")]
pub struct AddOffsetsToTxnResponse {
    /// How long the client is held back for a quota, in milliseconds.
    pub throttle_time_ms: i32,
    /// INVALID_PRODUCER_ID_MAPPING, INVALID_PRODUCER_EPOCH, PRODUCER_FENCED (version 2), INVALID_TXN_STATE,
    /// CONCURRENT_TRANSACTIONS, TRANSACTION_ABORTABLE (4), the authorizations, and those of the coordinator.
    pub error_code: ErrorCode,
}
