//! JoinGroup: a member asks to be part of a classic group, and waits for the others.

use bytes::Bytes;

use crate::derive::{Message, Struct};
use crate::{ErrorCode, Str};

/// Joins, or joins again.
///
/// From version 4 on a first join without a member id is refused with MEMBER_ID_REQUIRED and an id to join with
/// (KIP-394); older ones get an id at once.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "request", key = 11, versions = "0-9", flexible = "6+")]
pub struct JoinGroupRequest {
    /// The group.
    pub group_id: Str,
    /// A member that is silent for so many milliseconds is out.
    pub session_timeout_ms: i32,
    /// How long the others may take to join again in a rebalance, in milliseconds; -1 (and version 0) for the
    /// session timeout.
    #[field(versions = "1+", default = "-1", ignorable)]
    pub rebalance_timeout_ms: i32,
    /// The member; empty at first.
    pub member_id: Str,
    /// Instance of a static member (KIP-345), null for a dynamic one.
    #[field(versions = "5+", nullable = "5+", default = "null")]
    pub group_instance_id: Option<Str>,
    /// `consumer`, `connect`, ...: members of one group agree on it.
    pub protocol_type: Str,
    /// Ways of assigning that the member knows, best first. One has to be known to all.
    pub protocols: Vec<JoinGroupRequestProtocol>,
    /// Why it joins, for the broker's log (KIP-800).
    #[field(versions = "8+", nullable = "8+", default = "null", ignorable)]
    pub reason: Option<Str>,
}

/// A way of assigning.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct JoinGroupRequestProtocol {
    /// Its name, such as `range`.
    pub name: Str,
    /// What the member tells the leader; consumers send a `ConsumerProtocolSubscription`.
    pub metadata: Bytes,
}

/// The generation that begins. The leader assigns and sends the result with SyncGroup; the others send an
/// empty one.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "response", key = 11, versions = "0-9", flexible = "6+")]
pub struct JoinGroupResponse {
    /// How long the client is held back for a quota, in milliseconds.
    #[field(versions = "2+", ignorable)]
    pub throttle_time_ms: i32,
    /// MEMBER_ID_REQUIRED (version 4), UNKNOWN_MEMBER_ID, INCONSISTENT_GROUP_PROTOCOL, INVALID_SESSION_TIMEOUT,
    /// GROUP_MAX_SIZE_REACHED, FENCED_INSTANCE_ID (5), INVALID_GROUP_ID, GROUP_AUTHORIZATION_FAILED,
    /// REBALANCE_IN_PROGRESS, and those of the coordinator.
    pub error_code: ErrorCode,
    /// The generation; -1 on an error.
    #[field(default = "-1")]
    pub generation_id: i32,
    /// The group's protocol type (KIP-559).
    #[field(versions = "7+", nullable = "7+", default = "null", ignorable)]
    pub protocol_type: Option<Str>,
    /// The way of assigning that was chosen; null, or empty before version 7, on an error.
    #[field(nullable = "7+")]
    pub protocol_name: Option<Str>,
    /// Member id of the leader.
    pub leader: Str,
    /// Whether the leader is to leave assignments as they are (KIP-814).
    #[field(versions = "9+", default = "false")]
    pub skip_assignment: bool,
    /// The member's own id.
    pub member_id: Str,
    /// All members, for the leader; empty for the others.
    pub members: Vec<JoinGroupResponseMember>,
}

/// A member.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct JoinGroupResponseMember {
    /// Its id.
    pub member_id: Str,
    /// Its instance where it is static.
    #[field(versions = "5+", nullable = "5+", default = "null", ignorable)]
    pub group_instance_id: Option<Str>,
    /// What it told, for the protocol that was chosen.
    pub metadata: Bytes,
}
