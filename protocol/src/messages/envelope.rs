//! Envelope: a broker forwards a client's request to the controller (KIP-590).

use bytes::Bytes;

use crate::ErrorCode;
use crate::derive::Message;

/// A request of somebody else.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "request", key = 58, versions = "0", flexible = "0+")]
pub struct EnvelopeRequest {
    /// The request with its header.
    pub request_data: Bytes,
    /// Who sent it: a `DefaultPrincipalData` with its int16 version before it; null for nobody.
    #[field(nullable = "0+")]
    pub request_principal: Option<Bytes>,
    /// Where it came from: 4 or 16 bytes.
    pub client_host_address: Bytes,
}

/// The answer to it.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "response", key = 58, versions = "0", flexible = "0+")]
pub struct EnvelopeResponse {
    /// The response with its header; null on an error.
    #[field(nullable = "0+", default = "null")]
    pub response_data: Option<Bytes>,
    /// NOT_CONTROLLER, UNSUPPORTED_VERSION, PRINCIPAL_DESERIALIZATION_FAILURE, CLUSTER_AUTHORIZATION_FAILED.
    pub error_code: ErrorCode,
}
