//! CreateDelegationToken: issues a token that stands for a principal (KIP-48).

use bytes::Bytes;

use crate::derive::{Message, Struct};
use crate::{ErrorCode, Str};

/// Asks for a token.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "request", key = 38, versions = "0-3", flexible = "2+")]
pub struct CreateDelegationTokenRequest {
    /// Type of the principal that the token is for; null or empty for the one that asks (KIP-373).
    #[field(versions = "3+", nullable = "3+")]
    pub owner_principal_type: Option<Str>,
    /// Name of that principal.
    #[field(versions = "3+", nullable = "3+")]
    pub owner_principal_name: Option<Str>,
    /// Who else may renew it.
    pub renewers: Vec<CreatableRenewers>,
    /// How long it may live at most, in milliseconds; -1 for the broker's limit.
    pub max_lifetime_ms: i64,
}

/// A principal that may renew.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct CreatableRenewers {
    /// Type of the principal; only `User`.
    pub principal_type: Str,
    /// Its name.
    pub principal_name: Str,
}

/// The token.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "response", key = 38, versions = "0-3", flexible = "2+")]
pub struct CreateDelegationTokenResponse {
    /// DELEGATION_TOKEN_AUTH_DISABLED, DELEGATION_TOKEN_REQUEST_NOT_ALLOWED, DELEGATION_TOKEN_AUTHORIZATION_FAILED,
    /// INVALID_PRINCIPAL_TYPE.
    pub error_code: ErrorCode,
    /// Type of the owner.
    pub principal_type: Str,
    /// Name of the owner.
    pub principal_name: Str,
    /// Type of the principal that asked.
    #[field(versions = "3+")]
    pub token_requester_principal_type: Str,
    /// Name of the principal that asked.
    #[field(versions = "3+")]
    pub token_requester_principal_name: Str,
    /// When it was issued, in milliseconds since 1970.
    pub issue_timestamp_ms: i64,
    /// When it expires unless renewed, in milliseconds since 1970.
    pub expiry_timestamp_ms: i64,
    /// Until when it can be renewed, in milliseconds since 1970.
    pub max_timestamp_ms: i64,
    /// Its id: the name in SCRAM.
    pub token_id: Str,
    /// Its secret: the password in SCRAM, once in base64.
    pub hmac: Bytes,
    /// How long the client is held back for a quota, in milliseconds.
    pub throttle_time_ms: i32,
}
