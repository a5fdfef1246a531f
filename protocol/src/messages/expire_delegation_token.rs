//! ExpireDelegationToken: lets a token live less long (KIP-48).

use bytes::Bytes;

use crate::ErrorCode;
use crate::derive::Message;

/// A token to end.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "request", key = 40, versions = "0-2", flexible = "2+")]
pub struct ExpireDelegationTokenRequest {
    /// The token's secret.
    pub hmac: Bytes,
    /// In how many milliseconds from now on; negative for at once.
    pub expiry_time_period_ms: i64,
}

/// What became of it.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "response", key = 40, versions = "0-2", flexible = "2+")]
pub struct ExpireDelegationTokenResponse {
    /// As of RenewDelegationToken.
    pub error_code: ErrorCode,
    /// When it expires now, in milliseconds since 1970.
    pub expiry_timestamp_ms: i64,
    /// How long the client is held back for a quota, in milliseconds.
    pub throttle_time_ms: i32,
}
