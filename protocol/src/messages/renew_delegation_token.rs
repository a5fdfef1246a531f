//! RenewDelegationToken: lets a token live longer (KIP-48).

use bytes::Bytes;

use crate::ErrorCode;
use crate::derive::Message;

/// A token to renew.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "request", key = 39, versions = "0-2", flexible = "2+")]
pub struct RenewDelegationTokenRequest {
    /// The token's secret.
    pub hmac: Bytes,
    /// For how many milliseconds from now on; -1 for the broker's `delegation.token.expiry.time.ms`.
    pub renew_period_ms: i64,
}

/// What became of it.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "response", key = 39, versions = "0-2", flexible = "2+")]
pub struct RenewDelegationTokenResponse {
    /// DELEGATION_TOKEN_NOT_FOUND, DELEGATION_TOKEN_EXPIRED, DELEGATION_TOKEN_OWNER_MISMATCH,
    /// DELEGATION_TOKEN_AUTH_DISABLED, DELEGATION_TOKEN_REQUEST_NOT_ALLOWED.
    pub error_code: ErrorCode,
    /// When it expires now, in milliseconds since 1970.
    pub expiry_timestamp_ms: i64,
    /// How long the client is held back for a quota, in milliseconds.
    pub throttle_time_ms: i32,
}
