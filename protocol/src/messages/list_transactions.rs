//! ListTransactions: transactional ids that a broker coordinates (KIP-664, KIP-994, KIP-1152).

use crate::derive::{Message, Struct};
use crate::{ErrorCode, Str};

/// Which transactional ids.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "request", key = 66, versions = "0-2", flexible = "0+")]
pub struct ListTransactionsRequest {
    /// States wanted, empty for all.
    pub state_filters: Vec<Str>,
    /// Producers wanted, empty for all.
    pub producer_id_filters: Vec<i64>,
    /// Only transactions that have run for so many milliseconds; negative for all.
    #[field(versions = "1+", default = "-1")]
    pub duration_filter: i64,
    /// Regular expression (RE2) for the transactional id; null or empty for all. INVALID_REGULAR_EXPRESSION.
    #[field(versions = "2+", nullable = "2+", default = "null")]
    pub transactional_id_pattern: Option<Str>,
}

/// The transactional ids.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "response", key = 66, versions = "0-2", flexible = "0+")]
pub struct ListTransactionsResponse {
    /// How long the client is held back for a quota, in milliseconds.
    pub throttle_time_ms: i32,
    /// COORDINATOR_LOAD_IN_PROGRESS, INVALID_REGULAR_EXPRESSION.
    pub error_code: ErrorCode,
    /// State filters that name no state.
    pub unknown_state_filters: Vec<Str>,
    /// The transactional ids that the client may see.
    pub transaction_states: Vec<TransactionState>,
}

/// The state of a transactional id.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct TransactionState {
    /// The transactional id.
    pub transactional_id: Str,
    /// The producer's id.
    pub producer_id: i64,
    /// The state; names as in DescribeTransactions.
    pub transaction_state: Str,
}
