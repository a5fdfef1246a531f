//! DescribeDelegationToken: lists tokens (KIP-48).

use bytes::Bytes;

use crate::derive::{Message, Struct};
use crate::{ErrorCode, Str};

/// Asks for tokens.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "request", key = 41, versions = "0-3", flexible = "2+")]
pub struct DescribeDelegationTokenRequest {
    /// Whose; null for all that the client may see.
    #[field(nullable = "0+")]
    pub owners: Option<Vec<DescribeDelegationTokenOwner>>,
}

/// An owner.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct DescribeDelegationTokenOwner {
    /// Type of the principal.
    pub principal_type: Str,
    /// Its name.
    pub principal_name: Str,
}

/// The tokens.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "response", key = 41, versions = "0-3", flexible = "2+")]
pub struct DescribeDelegationTokenResponse {
    /// DELEGATION_TOKEN_AUTH_DISABLED, DELEGATION_TOKEN_REQUEST_NOT_ALLOWED.
    pub error_code: ErrorCode,
    /// The tokens.
    pub tokens: Vec<DescribedDelegationToken>,
    /// How long the client is held back for a quota, in milliseconds.
    pub throttle_time_ms: i32,
}

/// A token.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct DescribedDelegationToken {
    /// Type of the owner.
    pub principal_type: Str,
    /// Name of the owner.
    pub principal_name: Str,
    /// Type of the principal that asked for it (KIP-373).
    #[field(versions = "3+")]
    pub token_requester_principal_type: Str,
    /// Name of the principal that asked for it.
    #[field(versions = "3+")]
    pub token_requester_principal_name: Str,
    /// When it was issued, in milliseconds since 1970.
    pub issue_timestamp: i64,
    /// When it expires unless renewed, in milliseconds since 1970.
    pub expiry_timestamp: i64,
    /// Until when it can be renewed, in milliseconds since 1970.
    pub max_timestamp: i64,
    /// Its id.
    pub token_id: Str,
    /// Its secret.
    pub hmac: Bytes,
    /// Who else may renew it.
    pub renewers: Vec<DescribedDelegationTokenRenewer>,
}

/// A principal that may renew.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct DescribedDelegationTokenRenewer {
    /// Type of the principal.
    pub principal_type: Str,
    /// Its name.
    pub principal_name: Str,
}
