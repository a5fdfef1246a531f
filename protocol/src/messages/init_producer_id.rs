//! InitProducerId: gives a producer its id and epoch, and fences the one before it.

use crate::derive::Message;
use crate::{ErrorCode, Str};

/// Asks for a producer id.
///
/// Kafka 4.4 holds version 6 (two-phase commit, KIP-939) to be unstable and does not advertise it.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "request", key = 22, versions = "0-6", flexible = "2+")]
pub struct InitProducerIdRequest {
    /// The transactional id; null for a producer that is idempotent only.
    #[field(nullable = "0+")]
    pub transactional_id: Option<Str>,
    /// After how many milliseconds the coordinator aborts a transaction that the producer left open. Only for a
    /// transactional id.
    pub transaction_timeout_ms: i32,
    /// The id that the producer has, to bump its epoch; -1 for none (KIP-360).
    #[field(versions = "3+", default = "-1")]
    pub producer_id: i64,
    /// The epoch that the producer has, -1 for none. An old one is fenced.
    #[field(versions = "3+", default = "-1")]
    pub producer_epoch: i16,
    /// Whether transactions are part of a two-phase commit: they never time out.
    #[field(versions = "6+", default = "false")]
    pub enable2_pc: bool,
    /// Whether a prepared transaction stays open instead of being aborted.
    #[field(versions = "6+", default = "false")]
    pub keep_prepared_txn: bool,
}

/// The producer id.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "response", key = 22, versions = "0-6", flexible = "2+")]
pub struct InitProducerIdResponse {
    /// How long the client is held back for a quota, in milliseconds.
    #[field(ignorable)]
    pub throttle_time_ms: i32,
    /// INVALID_TRANSACTION_TIMEOUT, CONCURRENT_TRANSACTIONS, INVALID_PRODUCER_EPOCH, PRODUCER_FENCED (version 4),
    /// TRANSACTION_ABORTABLE (5), TRANSACTIONAL_ID_AUTHORIZATION_FAILED, CLUSTER_AUTHORIZATION_FAILED,
    /// INVALID_REQUEST, and those of the coordinator.
    pub error_code: ErrorCode,
    /// The id; -1 on an error.
    #[field(default = "-1")]
    pub producer_id: i64,
    /// The epoch.
    pub producer_epoch: i16,
    /// Id in the transaction that stays open, -1 for none.
    #[field(versions = "6+", default = "-1")]
    pub ongoing_txn_producer_id: i64,
    /// Epoch in the transaction that stays open, -1 for none.
    #[field(versions = "6+", default = "-1")]
    pub ongoing_txn_producer_epoch: i16,
}
