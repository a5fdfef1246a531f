//! RemoveRaftVoter: makes a voter an observer (KIP-853).

use crate::derive::Message;
use crate::{ErrorCode, Str, Uuid};

/// The voter.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "request", key = 81, versions = "0", flexible = "0+")]
pub struct RemoveRaftVoterRequest {
    /// The cluster, null when unknown; another one is INCONSISTENT_CLUSTER_ID.
    #[field(nullable = "0+")]
    pub cluster_id: Option<Str>,
    /// The node.
    pub voter_id: i32,
    /// Its metadata directory.
    pub voter_directory_id: Uuid,
}

/// What became of it.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "response", key = 81, versions = "0", flexible = "0+")]
pub struct RemoveRaftVoterResponse {
    /// How long the client is held back for a quota, in milliseconds.
    pub throttle_time_ms: i32,
    /// VOTER_NOT_FOUND, NOT_LEADER_OR_FOLLOWER, REQUEST_TIMED_OUT, UNSUPPORTED_VERSION, INCONSISTENT_CLUSTER_ID, ...
    pub error_code: ErrorCode,
    /// The error in words, or null.
    #[field(nullable = "0+", ignorable)]
    pub error_message: Option<Str>,
}
