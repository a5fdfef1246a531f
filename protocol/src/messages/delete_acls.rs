//! DeleteAcls: removes access rules (KIP-140). What the numbers mean stands in `describe_acls`.

use crate::derive::{Message, Struct};
use crate::{ErrorCode, Str};

/// Which rules to remove.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "request", key = 31, versions = "0-3", flexible = "2+")]
pub struct DeleteAclsRequest {
    /// Everything that matches one of them goes.
    pub filters: Vec<DeleteAclsFilter>,
}

/// A filter.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct DeleteAclsFilter {
    /// Resource type.
    pub resource_type_filter: i8,
    /// Name of the resource, null for any.
    #[field(nullable = "0+")]
    pub resource_name_filter: Option<Str>,
    /// Pattern type; literal before version 1.
    #[field(versions = "1+", default = "3")]
    pub pattern_type_filter: i8,
    /// Principal, null for any.
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

/// What was removed.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "response", key = 31, versions = "0-3", flexible = "2+")]
pub struct DeleteAclsResponse {
    /// How long the client is held back for a quota, in milliseconds.
    pub throttle_time_ms: i32,
    /// Answers in the order of the request.
    pub filter_results: Vec<DeleteAclsFilterResult>,
}

/// A filter's answer.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct DeleteAclsFilterResult {
    /// SECURITY_DISABLED, CLUSTER_AUTHORIZATION_FAILED, INVALID_REQUEST.
    pub error_code: ErrorCode,
    /// The error in words, or null.
    #[field(nullable = "0+")]
    pub error_message: Option<Str>,
    /// The rules that it matched.
    pub matching_acls: Vec<DeleteAclsMatchingAcl>,
}

/// A rule that matched.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct DeleteAclsMatchingAcl {
    /// Why it could not be removed.
    pub error_code: ErrorCode,
    /// The error in words, or null.
    #[field(nullable = "0+")]
    pub error_message: Option<Str>,
    /// Resource type.
    pub resource_type: i8,
    /// Name of the resource.
    pub resource_name: Str,
    /// Pattern type.
    #[field(versions = "1+", default = "3")]
    pub pattern_type: i8,
    /// Whom it was about.
    pub principal: Str,
    /// Where they came from.
    pub host: Str,
    /// Operation.
    pub operation: i8,
    /// Permission type.
    pub permission_type: i8,
}
