//! DeleteGroups: deletes groups without members, with their offsets (KIP-229).

use crate::derive::{Message, Struct};
use crate::{ErrorCode, Str};

/// Groups to delete.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "request", key = 42, versions = "0-3", flexible = "2+")]
pub struct DeleteGroupsRequest {
    /// The groups.
    pub groups_names: Vec<Str>,
}

/// What became of them.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "response", key = 42, versions = "0-3", flexible = "2+")]
pub struct DeleteGroupsResponse {
    /// How long the client is held back for a quota, in milliseconds.
    pub throttle_time_ms: i32,
    /// Answers by group.
    pub results: Vec<DeletableGroupResult>,
}

/// A group's answer.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct DeletableGroupResult {
    /// The group.
    pub group_id: Str,
    /// NON_EMPTY_GROUP, GROUP_ID_NOT_FOUND, INVALID_GROUP_ID, GROUP_AUTHORIZATION_FAILED, GROUP_DELETION_FAILED
    /// (version 3), and those of the coordinator.
    pub error_code: ErrorCode,
    /// The error in words, or null.
    #[field(versions = "3+", nullable = "3+", default = "null", ignorable)]
    pub error_message: Option<Str>,
}
