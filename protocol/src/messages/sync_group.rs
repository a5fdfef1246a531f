//! SyncGroup: the leader of a classic group hands in who gets what, every member gets its part.

use bytes::Bytes;

use crate::derive::{Message, Struct};
use crate::{ErrorCode, Str};

/// Asks for the member's assignment.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "request", key = 14, versions = "0-5", flexible = "4+")]
pub struct SyncGroupRequest {
    /// The group.
    pub group_id: Str,
    /// The generation that JoinGroup answered.
    pub generation_id: i32,
    /// The member.
    pub member_id: Str,
    /// Instance of a static member (KIP-345), null for a dynamic one.
    #[field(versions = "3+", nullable = "3+", default = "null")]
    pub group_instance_id: Option<Str>,
    /// Protocol type that JoinGroup answered; another is INCONSISTENT_GROUP_PROTOCOL (KIP-559).
    #[field(versions = "5+", nullable = "5+", default = "null", ignorable)]
    pub protocol_type: Option<Str>,
    /// Protocol that JoinGroup answered; likewise.
    #[field(versions = "5+", nullable = "5+", default = "null", ignorable)]
    pub protocol_name: Option<Str>,
    /// Who gets what; only the leader fills it.
    pub assignments: Vec<SyncGroupRequestAssignment>,
}

/// What a member gets.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct SyncGroupRequestAssignment {
    /// The member.
    pub member_id: Str,
    /// Its assignment; consumers send a `ConsumerProtocolAssignment`.
    pub assignment: Bytes,
}

/// The member's assignment.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "response", key = 14, versions = "0-5", flexible = "4+")]
pub struct SyncGroupResponse {
    /// How long the client is held back for a quota, in milliseconds.
    #[field(versions = "1+", ignorable)]
    pub throttle_time_ms: i32,
    /// REBALANCE_IN_PROGRESS: join again. UNKNOWN_MEMBER_ID, ILLEGAL_GENERATION, INCONSISTENT_GROUP_PROTOCOL
    /// (version 5), FENCED_INSTANCE_ID (3), GROUP_AUTHORIZATION_FAILED, and those of the coordinator.
    pub error_code: ErrorCode,
    /// The group's protocol type (KIP-559).
    #[field(versions = "5+", nullable = "5+", default = "null", ignorable)]
    pub protocol_type: Option<Str>,
    /// The group's protocol.
    #[field(versions = "5+", nullable = "5+", default = "null", ignorable)]
    pub protocol_name: Option<Str>,
    /// As the leader gave it; empty on an error.
    pub assignment: Bytes,
}
