//! CreateAcls: adds access rules (KIP-140). What the numbers mean stands in `describe_acls`.

use crate::derive::{Message, Struct};
use crate::{ErrorCode, Str};

/// Rules to add.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "request", key = 30, versions = "0-3", flexible = "2+")]
pub struct CreateAclsRequest {
    /// The rules.
    pub creations: Vec<AclCreation>,
}

/// A rule.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct AclCreation {
    /// Resource type.
    pub resource_type: i8,
    /// Name of the resource, or its prefix.
    pub resource_name: Str,
    /// Pattern type, literal or prefixed (KIP-290).
    #[field(versions = "1+", default = "3")]
    pub resource_pattern_type: i8,
    /// Whom it is about (`User:alice`).
    pub principal: Str,
    /// Where they come from, `*` for anywhere.
    pub host: Str,
    /// Operation.
    pub operation: i8,
    /// Permission type, deny or allow.
    pub permission_type: i8,
}

/// What became of them.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "response", key = 30, versions = "0-3", flexible = "2+")]
pub struct CreateAclsResponse {
    /// How long the client is held back for a quota, in milliseconds.
    pub throttle_time_ms: i32,
    /// Answers in the order of the request.
    pub results: Vec<AclCreationResult>,
}

/// A rule's answer.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct AclCreationResult {
    /// SECURITY_DISABLED, CLUSTER_AUTHORIZATION_FAILED, INVALID_REQUEST.
    pub error_code: ErrorCode,
    /// The error in words, or null.
    #[field(nullable = "0+")]
    pub error_message: Option<Str>,
}
