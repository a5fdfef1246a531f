//! SaslHandshake: agrees on a SASL mechanism.
//!
//! After version 0 the mechanism's tokens follow bare, each with an int32 length; after version 1 they travel in
//! SaslAuthenticate (KIP-152).

use crate::derive::Message;
use crate::{ErrorCode, Str};

/// Asks for a mechanism.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "request", key = 17, versions = "0-1")]
pub struct SaslHandshakeRequest {
    /// Such as `PLAIN` or `SCRAM-SHA-256`.
    pub mechanism: Str,
}

/// The answer.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "response", key = 17, versions = "0-1")]
pub struct SaslHandshakeResponse {
    /// UNSUPPORTED_SASL_MECHANISM, ILLEGAL_SASL_STATE.
    pub error_code: ErrorCode,
    /// Mechanisms that the listener offers.
    pub mechanisms: Vec<Str>,
}
