//! `__consumer_offsets`: committed offsets and classic groups.
//!
//! A key begins with an int16 that says what it is (the schema's `key`), a value with an int16 that is its
//! version. A record without a value says that what the key names is gone. The schemas of the other group types
//! are in `consumer_group`, `share_group` and `streams_group`. (Kafka: `GroupCoordinatorRecordHelpers`.)

use bytes::Bytes;

use crate::derive::{Message, Struct};
use crate::{Str, Uuid};

/// Names a committed offset, in the first days of `__consumer_offsets`. Read, never written.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "data", key = 0, versions = "0")]
pub struct LegacyOffsetCommitKey {
    /// The group.
    pub group: Str,
    /// The topic.
    pub topic: Str,
    /// The partition.
    pub partition: i32,
}

/// A committed offset, in the first days of `__consumer_offsets`.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "data", key = 0, versions = "0")]
pub struct LegacyOffsetCommitValue {
    /// The next offset to read.
    pub offset: i64,
    /// Text that the client keeps beside it.
    pub metadata: Str,
    /// When it was committed, in milliseconds since 1970.
    pub commit_timestamp: i64,
}

/// Names a committed offset.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "data", key = 1, versions = "0")]
pub struct OffsetCommitKey {
    /// The group.
    pub group: Str,
    /// The topic.
    pub topic: Str,
    /// The partition.
    pub partition: i32,
}

/// A committed offset. Kafka writes version 1 for an offset with a retention of its own, else 3, and 4 where
/// topic ids are on.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "data", key = 1, versions = "0-4", flexible = "4+")]
pub struct OffsetCommitValue {
    /// The next offset to read.
    pub offset: i64,
    /// Leader epoch of the record before it, -1 when unknown.
    #[field(versions = "3+", default = "-1", ignorable)]
    pub leader_epoch: i32,
    /// Text that the client keeps beside it.
    pub metadata: Str,
    /// When it was committed, in milliseconds since 1970.
    pub commit_timestamp: i64,
    /// When it expires, in milliseconds since 1970; -1 for the broker's retention.
    #[field(versions = "1", default = "-1", ignorable)]
    pub expire_timestamp: i64,
    /// The topic's id, zero when unknown: an offset of a topic of the same name made anew is stale.
    #[field(versions = "4+", tag = 0, tagged = "4+", ignorable)]
    pub topic_id: Uuid,
}

/// Names a classic group.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "data", key = 2, versions = "0")]
pub struct GroupMetadataKey {
    /// The group.
    pub group: Str,
}

/// A classic group, as of the end of a rebalance. Kafka writes version 3.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "data", key = 2, versions = "0-4", flexible = "4+")]
pub struct GroupMetadataValue {
    /// `consumer`, `connect`, ...; empty for a group that only stores offsets.
    pub protocol_type: Str,
    /// The generation.
    pub generation: i32,
    /// The way of assigning; null for an empty group.
    #[field(nullable = "0+")]
    pub protocol: Option<Str>,
    /// Member id of the leader; null for an empty group.
    #[field(nullable = "0+")]
    pub leader: Option<Str>,
    /// Since when the group is in its state, in milliseconds since 1970; -1 when unknown.
    #[field(versions = "2+", default = "-1", ignorable)]
    pub current_state_timestamp: i64,
    /// The members; empty for an empty group.
    pub members: Vec<MemberMetadata>,
}

/// A member of a classic group.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct MemberMetadata {
    /// Its id.
    pub member_id: Str,
    /// Its instance where it is static.
    #[field(versions = "3+", nullable = "3+", default = "null", ignorable)]
    pub group_instance_id: Option<Str>,
    /// The client id of its requests.
    pub client_id: Str,
    /// Where it connected from, as Java writes an address (`/127.0.0.1`).
    pub client_host: Str,
    /// How long it may take to join again, in milliseconds; -1 when unknown.
    #[field(versions = "1+", default = "-1", ignorable)]
    pub rebalance_timeout: i32,
    /// How long it may be silent, in milliseconds.
    pub session_timeout: i32,
    /// What it told with JoinGroup, for the protocol that was chosen.
    pub subscription: Bytes,
    /// What it got with SyncGroup.
    pub assignment: Bytes,
}
