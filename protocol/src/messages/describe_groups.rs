//! DescribeGroups: classic groups with their members.

use bytes::Bytes;

use crate::derive::{Message, Struct};
use crate::{ErrorCode, Str};

/// Asks about groups that this broker coordinates.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "request", key = 15, versions = "0-6", flexible = "5+")]
pub struct DescribeGroupsRequest {
    /// The groups.
    pub groups: Vec<Str>,
    /// Whether to say what the client may do with each (KIP-430).
    #[field(versions = "3+")]
    pub include_authorized_operations: bool,
}

/// The groups.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "response", key = 15, versions = "0-6", flexible = "5+")]
pub struct DescribeGroupsResponse {
    /// How long the client is held back for a quota, in milliseconds.
    #[field(versions = "1+", ignorable)]
    pub throttle_time_ms: i32,
    /// Answers by group.
    pub groups: Vec<DescribedGroup>,
}

/// A group.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct DescribedGroup {
    /// GROUP_AUTHORIZATION_FAILED, GROUP_ID_NOT_FOUND (version 6, KIP-1043), and those of the coordinator. Before
    /// version 6 an unknown group is answered as a dead one, without error.
    pub error_code: ErrorCode,
    /// The error in words, or null.
    #[field(versions = "6+", nullable = "6+", default = "null")]
    pub error_message: Option<Str>,
    /// The group.
    pub group_id: Str,
    /// `PreparingRebalance`, `CompletingRebalance`, `Stable`, `Dead`, `Empty`; empty on an error.
    pub group_state: Str,
    /// `consumer`, `connect`, ...
    pub protocol_type: Str,
    /// The way of assigning; empty unless stable.
    pub protocol_data: Str,
    /// The members.
    pub members: Vec<DescribedGroupMember>,
    /// What the client may do with the group, a bit per operation; the smallest int32 when not asked.
    #[field(versions = "3+", default = "-2147483648")]
    pub authorized_operations: i32,
}

/// A member.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct DescribedGroupMember {
    /// Its id.
    pub member_id: Str,
    /// Its instance where it is static.
    #[field(versions = "4+", nullable = "4+", default = "null", ignorable)]
    pub group_instance_id: Option<Str>,
    /// Client id of its requests.
    pub client_id: Str,
    /// Where it connected from, as Java writes an address (`/127.0.0.1`).
    pub client_host: Str,
    /// What it told with JoinGroup; empty unless stable.
    pub member_metadata: Bytes,
    /// What it got with SyncGroup; empty unless stable.
    pub member_assignment: Bytes,
}
