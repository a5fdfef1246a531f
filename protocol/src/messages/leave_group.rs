//! LeaveGroup: members leave a classic group without waiting for their session to end.

use crate::derive::{Message, Struct};
use crate::{ErrorCode, Str};

/// Who leaves. Version 3 names many, also static members by their instance (KIP-345).
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "request", key = 13, versions = "0-5", flexible = "4+")]
pub struct LeaveGroupRequest {
    /// The group.
    pub group_id: Str,
    /// The member.
    #[field(versions = "0-2")]
    pub member_id: Str,
    /// The members.
    #[field(versions = "3+")]
    pub members: Vec<MemberIdentity>,
}

/// A member that leaves.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct MemberIdentity {
    /// Its id; may be empty for a static member.
    pub member_id: Str,
    /// Its instance where it is static.
    #[field(nullable = "3+", default = "null")]
    pub group_instance_id: Option<Str>,
    /// Why it leaves, for the broker's log (KIP-800).
    #[field(versions = "5+", nullable = "5+", default = "null", ignorable)]
    pub reason: Option<Str>,
}

/// The answer.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "response", key = 13, versions = "0-5", flexible = "4+")]
pub struct LeaveGroupResponse {
    /// How long the client is held back for a quota, in milliseconds.
    #[field(versions = "1+", ignorable)]
    pub throttle_time_ms: i32,
    /// UNKNOWN_MEMBER_ID before version 3, GROUP_AUTHORIZATION_FAILED, and those of the coordinator.
    pub error_code: ErrorCode,
    /// Answers by member.
    #[field(versions = "3+")]
    pub members: Vec<MemberResponse>,
}

/// A member's answer.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct MemberResponse {
    /// Its id.
    pub member_id: Str,
    /// Its instance where it is static.
    #[field(nullable = "3+")]
    pub group_instance_id: Option<Str>,
    /// UNKNOWN_MEMBER_ID, FENCED_INSTANCE_ID.
    pub error_code: ErrorCode,
}
