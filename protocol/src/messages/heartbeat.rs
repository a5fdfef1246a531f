//! Heartbeat: a member of a classic group is alive, and hears whether to join again.

use crate::derive::Message;
use crate::{ErrorCode, Str};

/// A sign of life.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "request", key = 12, versions = "0-4", flexible = "4+")]
pub struct HeartbeatRequest {
    /// The group.
    pub group_id: Str,
    /// The generation that the member is in.
    pub generation_id: i32,
    /// The member.
    pub member_id: Str,
    /// Instance of a static member (KIP-345), null for a dynamic one.
    #[field(versions = "3+", nullable = "3+", default = "null")]
    pub group_instance_id: Option<Str>,
}

/// The answer.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "response", key = 12, versions = "0-4", flexible = "4+")]
pub struct HeartbeatResponse {
    /// How long the client is held back for a quota, in milliseconds.
    #[field(versions = "1+", ignorable)]
    pub throttle_time_ms: i32,
    /// REBALANCE_IN_PROGRESS: join again. UNKNOWN_MEMBER_ID, ILLEGAL_GENERATION, FENCED_INSTANCE_ID (version 3),
    /// GROUP_AUTHORIZATION_FAILED, and those of the coordinator.
    pub error_code: ErrorCode,
}
