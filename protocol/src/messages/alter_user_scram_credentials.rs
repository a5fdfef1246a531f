//! AlterUserScramCredentials: sets and removes SCRAM credentials (KIP-554). Mechanism: 1 SCRAM-SHA-256,
//! 2 SCRAM-SHA-512.

use bytes::Bytes;

use crate::derive::{Message, Struct};
use crate::{ErrorCode, Str};

/// What to change.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "request", key = 51, versions = "0", flexible = "0+")]
pub struct AlterUserScramCredentialsRequest {
    /// Credentials to remove.
    pub deletions: Vec<ScramCredentialDeletion>,
    /// Credentials to set.
    pub upsertions: Vec<ScramCredentialUpsertion>,
}

/// A credential to remove.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct ScramCredentialDeletion {
    /// The user.
    pub name: Str,
    /// The mechanism.
    pub mechanism: i8,
}

/// A credential to set.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct ScramCredentialUpsertion {
    /// The user.
    pub name: Str,
    /// The mechanism.
    pub mechanism: i8,
    /// Rounds of hashing, 4096 to 16384.
    pub iterations: i32,
    /// Random bytes that the client has chosen.
    pub salt: Bytes,
    /// The password after salting and hashing: the broker never sees it in clear.
    pub salted_password: Bytes,
}

/// What became of it.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "response", key = 51, versions = "0", flexible = "0+")]
pub struct AlterUserScramCredentialsResponse {
    /// How long the client is held back for a quota, in milliseconds.
    pub throttle_time_ms: i32,
    /// Answers by user.
    pub results: Vec<AlterUserScramCredentialsResult>,
}

/// A user's answer.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct AlterUserScramCredentialsResult {
    /// The user.
    pub user: Str,
    /// RESOURCE_NOT_FOUND, DUPLICATE_RESOURCE, UNACCEPTABLE_CREDENTIAL, UNSUPPORTED_SASL_MECHANISM,
    /// CLUSTER_AUTHORIZATION_FAILED, NOT_CONTROLLER.
    pub error_code: ErrorCode,
    /// The error in words, or null.
    #[field(nullable = "0+")]
    pub error_message: Option<Str>,
}
