//! UpdateRaftVoter: a voter tells the leader its addresses and versions (KIP-853). Spoken between Kafka's
//! controllers only.

use crate::derive::{Message, Struct};
use crate::{ErrorCode, Str, Uuid};

/// The voter.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "request", key = 82, versions = "0", flexible = "0+")]
pub struct UpdateRaftVoterRequest {
    /// The cluster, null when unknown; another one is INCONSISTENT_CLUSTER_ID.
    #[field(nullable = "0+")]
    pub cluster_id: Option<Str>,
    /// Leader epoch that the voter knows, -1 for none.
    pub current_leader_epoch: i32,
    /// The node.
    pub voter_id: i32,
    /// Its metadata directory.
    pub voter_directory_id: Uuid,
    /// Where it is reached.
    pub listeners: Vec<Listener>,
    /// Versions of KRaft that it speaks.
    #[field(name = "KRaftVersionFeature")]
    pub kraft_version_feature: KRaftVersionFeature,
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

/// A range of `kraft.version`.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct KRaftVersionFeature {
    /// The lowest.
    pub min_supported_version: i16,
    /// The highest.
    pub max_supported_version: i16,
}

/// What became of it.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "response", key = 82, versions = "0", flexible = "0+")]
pub struct UpdateRaftVoterResponse {
    /// How long the client is held back for a quota, in milliseconds.
    pub throttle_time_ms: i32,
    /// VOTER_NOT_FOUND, NOT_LEADER_OR_FOLLOWER, FENCED_LEADER_EPOCH, UNSUPPORTED_VERSION, ...
    pub error_code: ErrorCode,
    /// The leader.
    #[field(tag = 0, tagged = "0+")]
    pub current_leader: CurrentLeader,
}

/// The leader and its address.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct CurrentLeader {
    /// The leader, -1 when unknown.
    #[field(default = "-1")]
    pub leader_id: i32,
    /// Its epoch, -1 when unknown.
    #[field(default = "-1")]
    pub leader_epoch: i32,
    /// Host name or address.
    pub host: Str,
    /// TCP port.
    pub port: i32,
}
