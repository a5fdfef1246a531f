//! DescribeUserScramCredentials: which users have SCRAM credentials (KIP-554). Mechanism: 1 SCRAM-SHA-256,
//! 2 SCRAM-SHA-512.

use crate::derive::{Message, Struct};
use crate::{ErrorCode, Str};

/// Which users.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "request", key = 50, versions = "0", flexible = "0+")]
pub struct DescribeUserScramCredentialsRequest {
    /// The users; null or empty for all.
    #[field(nullable = "0+")]
    pub users: Option<Vec<UserName>>,
}

/// A user.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct UserName {
    /// The user.
    pub name: Str,
}

/// The users.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "response", key = 50, versions = "0", flexible = "0+")]
pub struct DescribeUserScramCredentialsResponse {
    /// How long the client is held back for a quota, in milliseconds.
    pub throttle_time_ms: i32,
    /// CLUSTER_AUTHORIZATION_FAILED, ...
    pub error_code: ErrorCode,
    /// The error in words, or null.
    #[field(nullable = "0+")]
    pub error_message: Option<Str>,
    /// Answers by user.
    pub results: Vec<DescribeUserScramCredentialsResult>,
}

/// A user's answer.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct DescribeUserScramCredentialsResult {
    /// The user.
    pub user: Str,
    /// RESOURCE_NOT_FOUND, DUPLICATE_RESOURCE.
    pub error_code: ErrorCode,
    /// The error in words, or null.
    #[field(nullable = "0+")]
    pub error_message: Option<Str>,
    /// The user's credentials, without secrets.
    pub credential_infos: Vec<CredentialInfo>,
}

/// A credential.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct CredentialInfo {
    /// The mechanism.
    pub mechanism: i8,
    /// Rounds of hashing.
    pub iterations: i32,
}
