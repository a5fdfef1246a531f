//! Keys and values of control batches.
//!
//! The key of a control record is an int16 version (0) and the type. The value of a transaction marker is in
//! `producers`; those here stand in metadata logs and snapshots (KIP-595, KIP-630, KIP-853). (Kafka:
//! `ControlRecordType`, `ControlRecordUtils`.)

use crate::derive::{Message, Struct};
use crate::{Str, Uuid};

/// Key of a control record.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "data", versions = "0")]
pub struct ControlRecordTypeSchema {
    /// 0 abort, 1 commit, 2 leader change, 3 snapshot header, 4 snapshot footer, 5 KRaft version, 6 voters.
    pub r#type: i16,
}

/// A leader's first record in its epoch.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "data", versions = "0-1", flexible = "0+")]
pub struct LeaderChangeMessage {
    /// The version of this very message.
    pub version: i16,
    /// The leader.
    pub leader_id: i32,
    /// All voters.
    pub voters: Vec<LeaderChangeVoter>,
    /// Those who voted for it.
    pub granting_voters: Vec<LeaderChangeVoter>,
}

/// A voter in an election.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct LeaderChangeVoter {
    /// The node.
    pub voter_id: i32,
    /// Its metadata directory.
    #[field(versions = "1+")]
    pub voter_directory_id: Uuid,
}

/// First record of a snapshot.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "data", versions = "0", flexible = "0+")]
pub struct SnapshotHeaderRecord {
    /// The version of this very record.
    pub version: i16,
    /// Timestamp of the last log record that it covers, in milliseconds since 1970.
    pub last_contained_log_timestamp: i64,
}

/// Last record of a snapshot: without it the snapshot is incomplete.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "data", versions = "0", flexible = "0+")]
pub struct SnapshotFooterRecord {
    /// The version of this very record.
    pub version: i16,
}

/// The `kraft.version` that holds from here on.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "data", versions = "0", flexible = "0+")]
pub struct KRaftVersionRecord {
    /// The version of this very record.
    pub version: i16,
    /// The `kraft.version`.
    #[field(name = "KRaftVersion")]
    pub kraft_version: i16,
}

/// The voters from here on.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "data", versions = "0", flexible = "0+")]
pub struct VotersRecord {
    /// The version of this very record.
    pub version: i16,
    /// The voters.
    pub voters: Vec<Voter>,
}

/// A voter of the quorum.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct Voter {
    /// The node.
    pub voter_id: i32,
    /// Its metadata directory.
    pub voter_directory_id: Uuid,
    /// Where it is reached.
    pub endpoints: Vec<Endpoint>,
    /// The versions of KRaft that it speaks.
    #[field(name = "KRaftVersionFeature")]
    pub kraft_version_feature: KRaftVersionFeature,
}

/// A listener of a voter.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct Endpoint {
    /// Name of the listener.
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
