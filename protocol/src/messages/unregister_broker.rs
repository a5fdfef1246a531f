//! UnregisterBroker: forgets a broker that is gone for good (KIP-631).

use crate::derive::Message;
use crate::{ErrorCode, Str};

/// The broker.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "request", key = 64, versions = "0", flexible = "0+")]
pub struct UnregisterBrokerRequest {
    /// The broker.
    pub broker_id: i32,
}

/// What became of it.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "response", key = 64, versions = "0", flexible = "0+")]
pub struct UnregisterBrokerResponse {
    /// How long the client is held back for a quota, in milliseconds.
    pub throttle_time_ms: i32,
    /// BROKER_ID_NOT_REGISTERED, NOT_CONTROLLER, REQUEST_TIMED_OUT, CLUSTER_AUTHORIZATION_FAILED.
    pub error_code: ErrorCode,
    /// The error in words, or null.
    #[field(nullable = "0+")]
    pub error_message: Option<Str>,
}
