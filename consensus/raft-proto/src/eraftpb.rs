//! Raft's messages. Names and field numbers are those of raft-rs; what the fields mean is told there.

use prost::{Enumeration, Message as Prost};

/// What an [`Entry`] carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Enumeration)]
#[repr(i32)]
pub enum EntryType {
    /// Data of the state machine, or nothing (a new leader's first entry).
    EntryNormal = 0,
    /// A [`ConfChange`].
    EntryConfChange = 1,
    /// A [`ConfChangeV2`].
    EntryConfChangeV2 = 2,
}

/// One entry of the replicated log.
#[derive(Clone, PartialEq, Prost)]
pub struct Entry {
    /// See [`EntryType`].
    #[prost(enumeration = "EntryType", tag = "1")]
    pub entry_type: i32,
    /// The term of the leader that made it.
    #[prost(uint64, tag = "2")]
    pub term: u64,
    /// Its place in the log, from 1.
    #[prost(uint64, tag = "3")]
    pub index: u64,
    /// Its content.
    #[prost(bytes = "vec", tag = "4")]
    pub data: Vec<u8>,
    /// Known to the proposer.
    #[prost(bytes = "vec", tag = "6")]
    pub context: Vec<u8>,
    /// Unused since raft-rs 0.5.
    #[prost(bool, tag = "5")]
    pub sync_log: bool,
}

/// Where a [`Snapshot`] stands.
#[derive(Clone, PartialEq, Prost)]
pub struct SnapshotMetadata {
    /// The members at `index`.
    #[prost(message, optional, tag = "1")]
    pub conf_state: Option<ConfState>,
    /// The last entry it holds.
    #[prost(uint64, tag = "2")]
    pub index: u64,
    /// That entry's term.
    #[prost(uint64, tag = "3")]
    pub term: u64,
}

/// The state machine at one index.
#[derive(Clone, PartialEq, Prost)]
pub struct Snapshot {
    /// The state, or its name.
    #[prost(bytes = "vec", tag = "1")]
    pub data: Vec<u8>,
    /// Where it stands.
    #[prost(message, optional, tag = "2")]
    pub metadata: Option<SnapshotMetadata>,
}

/// The kinds of [`Message`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Enumeration)]
#[repr(i32)]
#[allow(missing_docs, clippy::enum_variant_names)]
pub enum MessageType {
    MsgHup = 0,
    MsgBeat = 1,
    MsgPropose = 2,
    MsgAppend = 3,
    MsgAppendResponse = 4,
    MsgRequestVote = 5,
    MsgRequestVoteResponse = 6,
    MsgSnapshot = 7,
    MsgHeartbeat = 8,
    MsgHeartbeatResponse = 9,
    MsgUnreachable = 10,
    MsgSnapStatus = 11,
    MsgCheckQuorum = 12,
    MsgTransferLeader = 13,
    MsgTimeoutNow = 14,
    MsgReadIndex = 15,
    MsgReadIndexResp = 16,
    MsgRequestPreVote = 17,
    MsgRequestPreVoteResponse = 18,
}

/// What nodes send each other, and what a node tells itself.
#[derive(Clone, PartialEq, Prost)]
#[allow(missing_docs)]
pub struct Message {
    #[prost(enumeration = "MessageType", tag = "1")]
    pub msg_type: i32,
    #[prost(uint64, tag = "2")]
    pub to: u64,
    #[prost(uint64, tag = "3")]
    pub from: u64,
    #[prost(uint64, tag = "4")]
    pub term: u64,
    #[prost(uint64, tag = "5")]
    pub log_term: u64,
    #[prost(uint64, tag = "6")]
    pub index: u64,
    #[prost(message, repeated, tag = "7")]
    pub entries: Vec<Entry>,
    #[prost(uint64, tag = "8")]
    pub commit: u64,
    #[prost(uint64, tag = "15")]
    pub commit_term: u64,
    #[prost(message, optional, tag = "9")]
    pub snapshot: Option<Snapshot>,
    #[prost(uint64, tag = "13")]
    pub request_snapshot: u64,
    #[prost(bool, tag = "10")]
    pub reject: bool,
    #[prost(uint64, tag = "11")]
    pub reject_hint: u64,
    #[prost(bytes = "vec", tag = "12")]
    pub context: Vec<u8>,
    #[prost(uint64, tag = "14")]
    pub deprecated_priority: u64,
    #[prost(int64, tag = "16")]
    pub priority: i64,
}

/// What a node must not forget: a lost vote elects two leaders.
#[derive(Clone, Copy, PartialEq, Prost)]
pub struct HardState {
    /// The highest term seen.
    #[prost(uint64, tag = "1")]
    pub term: u64,
    /// Who got this node's vote in that term, 0 for nobody.
    #[prost(uint64, tag = "2")]
    pub vote: u64,
    /// The highest index known to be committed.
    #[prost(uint64, tag = "3")]
    pub commit: u64,
}

/// How a [`ConfChangeV2`] passes through its joint configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Enumeration)]
#[repr(i32)]
pub enum ConfChangeTransition {
    /// Joint only where more than one step asks for it, and left by itself.
    Auto = 0,
    /// Joint, left by itself.
    Implicit = 1,
    /// Joint, left by a second change.
    Explicit = 2,
}

/// The members.
#[derive(Clone, PartialEq, Prost)]
pub struct ConfState {
    /// Who votes.
    #[prost(uint64, repeated, tag = "1")]
    pub voters: Vec<u64>,
    /// Who only follows.
    #[prost(uint64, repeated, tag = "2")]
    pub learners: Vec<u64>,
    /// Who votes in the outgoing half of a joint configuration.
    #[prost(uint64, repeated, tag = "3")]
    pub voters_outgoing: Vec<u64>,
    /// Outgoing voters that become learners.
    #[prost(uint64, repeated, tag = "4")]
    pub learners_next: Vec<u64>,
    /// Whether the joint configuration is left by itself.
    #[prost(bool, tag = "5")]
    pub auto_leave: bool,
}

/// One step of a membership change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Enumeration)]
#[repr(i32)]
#[allow(clippy::enum_variant_names)]
pub enum ConfChangeType {
    /// Add a voter.
    AddNode = 0,
    /// Remove a member.
    RemoveNode = 1,
    /// Add a learner.
    AddLearnerNode = 2,
}

/// A membership change of one step, in the older form.
#[derive(Clone, PartialEq, Prost)]
pub struct ConfChange {
    /// See [`ConfChangeType`].
    #[prost(enumeration = "ConfChangeType", tag = "2")]
    pub change_type: i32,
    /// Whom it concerns.
    #[prost(uint64, tag = "3")]
    pub node_id: u64,
    /// Known to the proposer.
    #[prost(bytes = "vec", tag = "4")]
    pub context: Vec<u8>,
    /// Known to the proposer.
    #[prost(uint64, tag = "1")]
    pub id: u64,
}

/// One step of a [`ConfChangeV2`].
#[derive(Clone, Copy, PartialEq, Prost)]
pub struct ConfChangeSingle {
    /// See [`ConfChangeType`].
    #[prost(enumeration = "ConfChangeType", tag = "1")]
    pub change_type: i32,
    /// Whom it concerns.
    #[prost(uint64, tag = "2")]
    pub node_id: u64,
}

/// A membership change of any number of steps.
#[derive(Clone, PartialEq, Prost)]
pub struct ConfChangeV2 {
    /// See [`ConfChangeTransition`].
    #[prost(enumeration = "ConfChangeTransition", tag = "1")]
    pub transition: i32,
    /// The steps.
    #[prost(message, repeated, tag = "2")]
    pub changes: Vec<ConfChangeSingle>,
    /// Known to the proposer.
    #[prost(bytes = "vec", tag = "3")]
    pub context: Vec<u8>,
}
