//! ListGroups: all groups that a broker coordinates.

use crate::derive::{Message, Struct};
use crate::{ErrorCode, Str};

/// Asks for groups.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "request", key = 16, versions = "0-5", flexible = "3+")]
pub struct ListGroupsRequest {
    /// States wanted, in any case; empty for all (KIP-518).
    #[field(versions = "4+")]
    pub states_filter: Vec<Str>,
    /// Types wanted (`classic`, `consumer`, `share`, `streams`), in any case; empty for all (KIP-848).
    #[field(versions = "5+")]
    pub types_filter: Vec<Str>,
}

/// The groups.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "response", key = 16, versions = "0-5", flexible = "3+")]
pub struct ListGroupsResponse {
    /// How long the client is held back for a quota, in milliseconds.
    #[field(versions = "1+", ignorable)]
    pub throttle_time_ms: i32,
    /// COORDINATOR_LOAD_IN_PROGRESS, COORDINATOR_NOT_AVAILABLE.
    pub error_code: ErrorCode,
    /// The groups that the client may see.
    pub groups: Vec<ListedGroup>,
}

/// A group.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct ListedGroup {
    /// The group.
    pub group_id: Str,
    /// `consumer`, `connect`, ...; empty for a group that only stores offsets.
    pub protocol_type: Str,
    /// Its state.
    #[field(versions = "4+", ignorable)]
    pub group_state: Str,
    /// Its type.
    #[field(versions = "5+", ignorable)]
    pub group_type: Str,
}
