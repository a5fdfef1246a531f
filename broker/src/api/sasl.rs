//! SaslHandshake (key 17) and SaslAuthenticate (key 36): no listener asks for SASL, so there is nothing to agree on.
//!
//! A client that wants it is told ILLEGAL_SASL_STATE, as Kafka tells it on a listener without SASL; those who talk
//! version 0 of the handshake would send bare tokens next, and do not after this answer.

use klamm_protocol::messages::sasl_authenticate::SaslAuthenticateResponse;
use klamm_protocol::messages::sasl_handshake::SaslHandshakeResponse;
use klamm_protocol::{ErrorCode, Str};

/// The answer to a SaslHandshake of any mechanism.
pub(crate) fn no_handshake() -> SaslHandshakeResponse {
    SaslHandshakeResponse {
        error_code: ErrorCode::ILLEGAL_SASL_STATE,
        ..SaslHandshakeResponse::default()
    }
}

/// The answer to a SaslAuthenticate.
pub(crate) fn no_authentication() -> SaslAuthenticateResponse {
    SaslAuthenticateResponse {
        error_code: ErrorCode::ILLEGAL_SASL_STATE,
        error_message: Some(Str::from("This listener does not use SASL.")),
        ..SaslAuthenticateResponse::default()
    }
}
