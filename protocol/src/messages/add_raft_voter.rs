//! AddRaftVoter: makes a controller a voter (KIP-853).

use crate::derive::{Message, Struct};
use crate::{ErrorCode, Str, Uuid};

/// The voter.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "request", key = 80, versions = "0-1", flexible = "0+")]
pub struct AddRaftVoterRequest {
    /// The cluster, null when unknown; another one is INCONSISTENT_CLUSTER_ID.
    #[field(nullable = "0+")]
    pub cluster_id: Option<Str>,
    /// How long to wait, in milliseconds.
    pub timeout_ms: i32,
    /// The node.
    pub voter_id: i32,
    /// Its metadata directory.
    pub voter_directory_id: Uuid,
    /// Where it is reached.
    pub listeners: Vec<Listener>,
    /// Whether to answer once the change is committed; else once the leader has written it (KIP-1186).
    #[field(versions = "1+", default = "true")]
    pub ack_when_committed: bool,
}

/// A listener.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct Listener {
    /// Its name.
    pub name: Str,
    /// Host name or address.
    pub host: Str,
    /// TCP port.
    pub port: u16,
}

/// What became of it.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "response", key = 80, versions = "0-1", flexible = "0+")]
pub struct AddRaftVoterResponse {
    /// How long the client is held back for a quota, in milliseconds.
    pub throttle_time_ms: i32,
    /// DUPLICATE_VOTER, NOT_LEADER_OR_FOLLOWER, REQUEST_TIMED_OUT, UNSUPPORTED_VERSION, INCONSISTENT_CLUSTER_ID, ...
    pub error_code: ErrorCode,
    /// The error in words, or null.
    #[field(nullable = "0+", ignorable)]
    pub error_message: Option<Str>,
}
