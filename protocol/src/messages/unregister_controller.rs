//! UnregisterController: forgets a controller that is gone for good (Kafka 4.4).

use crate::derive::Message;
use crate::{ErrorCode, Str};

/// The controller.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "request", key = 94, versions = "0", flexible = "0+")]
pub struct UnregisterControllerRequest {
    /// The controller.
    pub controller_id: i32,
}

/// What became of it.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "response", key = 94, versions = "0", flexible = "0+")]
pub struct UnregisterControllerResponse {
    /// How long the client is held back for a quota, in milliseconds.
    pub throttle_time_ms: i32,
    /// CONTROLLER_ID_NOT_REGISTERED, NOT_CONTROLLER, CLUSTER_AUTHORIZATION_FAILED.
    pub error_code: ErrorCode,
    /// The error in words, or null.
    #[field(nullable = "0+")]
    pub error_message: Option<Str>,
}
