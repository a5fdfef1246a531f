//! DescribeAcls: lists access rules (KIP-140).
//!
//! Numbers in all messages about access rules. Resource type: 1 any, 2 topic, 3 group, 4 cluster, 5 transactional id,
//! 6 delegation token, 7 user. Pattern type: 1 any, 2 match, 3 literal, 4 prefixed. Operation: 1 any, 2 all, 3 read,
//! 4 write, 5 create, 6 delete, 7 alter, 8 describe, 9 cluster action, 10 describe configs, 11 alter configs,
//! 12 idempotent write, 13 create tokens, 14 describe tokens, 15 two-phase commit. Permission type: 1 any, 2 deny,
//! 3 allow. 0 is unknown in all of them.

use crate::derive::{Message, Struct};
use crate::{ErrorCode, Str};

/// Which rules.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "request", key = 29, versions = "0-3", flexible = "2+")]
pub struct DescribeAclsRequest {
    /// Resource type.
    pub resource_type_filter: i8,
    /// Name of the resource, null for any.
    #[field(nullable = "0+")]
    pub resource_name_filter: Option<Str>,
    /// Pattern type; literal before version 1 (KIP-290).
    #[field(versions = "1+", default = "3")]
    pub pattern_type_filter: i8,
    /// Principal (`User:alice`), null for any.
    #[field(nullable = "0+")]
    pub principal_filter: Option<Str>,
    /// Host, null for any.
    #[field(nullable = "0+")]
    pub host_filter: Option<Str>,
    /// Operation.
    pub operation: i8,
    /// Permission type.
    pub permission_type: i8,
}

/// The rules.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "response", key = 29, versions = "0-3", flexible = "2+")]
pub struct DescribeAclsResponse {
    /// How long the client is held back for a quota, in milliseconds.
    pub throttle_time_ms: i32,
    /// SECURITY_DISABLED, CLUSTER_AUTHORIZATION_FAILED, INVALID_REQUEST.
    pub error_code: ErrorCode,
    /// The error in words, or null.
    #[field(nullable = "0+")]
    pub error_message: Option<Str>,
    /// Resources that have such rules.
    pub resources: Vec<DescribeAclsResource>,
}

/// A resource with its rules.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct DescribeAclsResource {
    /// Resource type.
    pub resource_type: i8,
    /// Its name.
    pub resource_name: Str,
    /// Pattern type.
    #[field(versions = "1+", default = "3")]
    pub pattern_type: i8,
    /// Its rules.
    pub acls: Vec<AclDescription>,
}

/// A rule.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct AclDescription {
    /// Whom it is about.
    pub principal: Str,
    /// Where they come from, `*` for anywhere.
    pub host: Str,
    /// Operation.
    pub operation: i8,
    /// Permission type.
    pub permission_type: i8,
}
