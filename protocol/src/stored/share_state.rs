//! `__share_group_state`: how far share groups are in each partition (KIP-932). Framed as told in `offsets`.

use crate::derive::{Message, Struct};
use crate::{Str, Uuid};

/// Names the whole state of a share partition.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "data", key = 0, versions = "0")]
pub struct ShareSnapshotKey {
    /// The group.
    pub group_id: Str,
    /// The topic.
    pub topic_id: Uuid,
    /// The partition.
    pub partition: i32,
}

/// The whole state of a share partition.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "data", key = 0, versions = "0", flexible = "0+")]
pub struct ShareSnapshotValue {
    /// Counts the snapshots of the partition.
    pub snapshot_epoch: i32,
    /// Counts how often the partition was initialised.
    pub state_epoch: i32,
    /// Epoch of the leader that wrote.
    pub leader_epoch: i32,
    /// Everything before is done with.
    pub start_offset: i64,
    /// How many offsets from the start offset on are done with, -1 when unknown.
    #[field(tag = 0, tagged = "0+", default = "-1")]
    pub delivery_complete_count: i32,
    /// When the first snapshot was written, in milliseconds since 1970.
    pub create_timestamp: i64,
    /// When this one was written, in milliseconds since 1970.
    pub write_timestamp: i64,
    /// Records from the start offset on that are not simply available.
    pub state_batches: Vec<StateBatch>,
}

/// Records in one state.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct StateBatch {
    /// The first.
    pub first_offset: i64,
    /// The last, included.
    pub last_offset: i64,
    /// 0 available, 2 acknowledged, 4 archived.
    pub delivery_state: i8,
    /// How often they have been delivered.
    pub delivery_count: i16,
}

/// Names a change of a share partition's state.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "data", key = 1, versions = "0")]
pub struct ShareUpdateKey {
    /// The group.
    pub group_id: Str,
    /// The topic.
    pub topic_id: Uuid,
    /// The partition.
    pub partition: i32,
}

/// A change of a share partition's state.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "data", key = 1, versions = "0", flexible = "0+")]
pub struct ShareUpdateValue {
    /// The snapshot that it builds on.
    pub snapshot_epoch: i32,
    /// Epoch of the leader that wrote.
    pub leader_epoch: i32,
    /// Everything before is done with; -1 while unchanged.
    pub start_offset: i64,
    /// How many offsets from the start offset on are done with, -1 when unknown.
    #[field(tag = 0, tagged = "0+", default = "-1")]
    pub delivery_complete_count: i32,
    /// What changed.
    pub state_batches: Vec<StateBatch>,
}
