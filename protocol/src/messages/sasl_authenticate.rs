//! SaslAuthenticate: carries the tokens of a SASL mechanism (KIP-152, KIP-368).

use bytes::Bytes;

use crate::derive::Message;
use crate::{ErrorCode, Str};

/// A token of the client.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "request", key = 36, versions = "0-2", flexible = "2+")]
pub struct SaslAuthenticateRequest {
    /// As the mechanism has it.
    pub auth_bytes: Bytes,
}

/// A token of the server.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "response", key = 36, versions = "0-2", flexible = "2+")]
pub struct SaslAuthenticateResponse {
    /// SASL_AUTHENTICATION_FAILED, ILLEGAL_SASL_STATE.
    pub error_code: ErrorCode,
    /// The error in words, or null.
    #[field(nullable = "0+")]
    pub error_message: Option<Str>,
    /// As the mechanism has it.
    pub auth_bytes: Bytes,
    /// After how many milliseconds the client has to authenticate again, 0 for never (KIP-368).
    #[field(versions = "1+", default = "0", ignorable)]
    pub session_lifetime_ms: i64,
}
