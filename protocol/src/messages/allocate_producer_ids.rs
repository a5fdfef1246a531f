//! AllocateProducerIds: a broker gets a block of producer ids from the controller (KIP-730).

use crate::ErrorCode;
use crate::derive::Message;

/// The broker.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "request", key = 67, versions = "0", flexible = "0+")]
pub struct AllocateProducerIdsRequest {
    /// The broker.
    pub broker_id: i32,
    /// Its epoch; an old one is STALE_BROKER_EPOCH.
    #[field(default = "-1")]
    pub broker_epoch: i64,
}

/// The block.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "response", key = 67, versions = "0", flexible = "0+")]
pub struct AllocateProducerIdsResponse {
    /// How long the client is held back for a quota, in milliseconds.
    pub throttle_time_ms: i32,
    /// STALE_BROKER_EPOCH, BROKER_ID_NOT_REGISTERED, NOT_CONTROLLER, CLUSTER_AUTHORIZATION_FAILED.
    pub error_code: ErrorCode,
    /// The first id.
    pub producer_id_start: i64,
    /// How many there are.
    pub producer_id_len: i32,
}
