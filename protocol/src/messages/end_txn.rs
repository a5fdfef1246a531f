//! EndTxn: commits or aborts a transaction (KIP-98).

use crate::derive::Message;
use crate::{ErrorCode, Str};

/// The decision. With version 5 every transaction ends with a bump of the epoch (KIP-890).
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "request", key = 26, versions = "0-5", flexible = "3+")]
pub struct EndTxnRequest {
    /// The transactional id.
    pub transactional_id: Str,
    /// The producer's id.
    pub producer_id: i64,
    /// The producer's epoch.
    pub producer_epoch: i16,
    /// Whether to commit; else to abort.
    pub committed: bool,
}

/// What became of it.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "response", key = 26, versions = "0-5", flexible = "3+")]
pub struct EndTxnResponse {
    /// How long the client is held back for a quota, in milliseconds.
    pub throttle_time_ms: i32,
    /// INVALID_TXN_STATE, INVALID_PRODUCER_ID_MAPPING, INVALID_PRODUCER_EPOCH, PRODUCER_FENCED (version 2),
    /// CONCURRENT_TRANSACTIONS, TRANSACTION_ABORTABLE (4), TRANSACTIONAL_ID_AUTHORIZATION_FAILED, and those of the
    /// coordinator.
    pub error_code: ErrorCode,
    /// The producer's id from here on, -1 on an error.
    #[field(versions = "5+", default = "-1", ignorable)]
    pub producer_id: i64,
    /// The producer's epoch from here on, -1 on an error.
    #[field(versions = "5+", default = "-1", ignorable)]
    pub producer_epoch: i16,
}
