//! `__remote_log_metadata`: which segments lie in tiered storage (KIP-405). Before each stand two unsigned varints,
//! the schema's key and its version.

use bytes::Bytes;

use crate::derive::{Message, Struct};
use crate::{Str, Uuid};

/// A segment that is being copied.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "data", key = 0, versions = "0", flexible = "0+")]
pub struct RemoteLogSegmentMetadataRecord {
    /// The segment.
    pub remote_log_segment_id: RemoteLogSegmentIdEntry,
    /// Its first offset.
    pub start_offset: i64,
    /// Its last offset, included.
    pub end_offset: i64,
    /// The leader that copies it.
    pub broker_id: i32,
    /// Largest timestamp of its records, in milliseconds since 1970.
    pub max_timestamp_ms: i64,
    /// When this was written, in milliseconds since 1970.
    pub event_timestamp_ms: i64,
    /// Leader epochs of its records.
    pub segment_leader_epochs: Vec<SegmentLeaderEpochEntry>,
    /// Its size.
    pub segment_size_in_bytes: i32,
    /// Whatever the storage wants to be remembered.
    #[field(nullable = "0+", default = "null")]
    pub custom_metadata: Option<Bytes>,
    /// 0 copy started, 1 copy finished, 2 delete started, 3 delete finished.
    pub remote_log_segment_state: i8,
    /// Whether it has no aborted transactions.
    #[field(tag = 0, tagged = "0+")]
    pub txn_index_empty: bool,
}

/// A segment's name.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct RemoteLogSegmentIdEntry {
    /// The partition.
    pub topic_id_partition: TopicIdPartitionEntry,
    /// Names one copy of one segment.
    pub id: Uuid,
}

/// A partition.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct TopicIdPartitionEntry {
    /// The topic's name.
    pub name: Str,
    /// The topic's id.
    pub id: Uuid,
    /// The partition.
    pub partition: i32,
}

/// Where a leader epoch begins.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct SegmentLeaderEpochEntry {
    /// The epoch.
    pub leader_epoch: i32,
    /// Its first offset.
    pub offset: i64,
}

/// A change of a segment's state.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "data", key = 1, versions = "0", flexible = "0+")]
pub struct RemoteLogSegmentMetadataUpdateRecord {
    /// The segment.
    pub remote_log_segment_id: RemoteLogSegmentIdEntry,
    /// Who changed it.
    pub broker_id: i32,
    /// When, in milliseconds since 1970.
    pub event_timestamp_ms: i64,
    /// Whatever the storage wants to be remembered.
    #[field(nullable = "0+", default = "null")]
    pub custom_metadata: Option<Bytes>,
    /// 0 copy started, 1 copy finished, 2 delete started, 3 delete finished.
    pub remote_log_segment_state: i8,
}

/// A partition whose segments go.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "data", key = 2, versions = "0", flexible = "0+")]
pub struct RemotePartitionDeleteMetadataRecord {
    /// The partition.
    pub topic_id_partition: TopicIdPartitionEntry,
    /// Who deletes it.
    pub broker_id: i32,
    /// When, in milliseconds since 1970.
    pub event_timestamp_ms: i64,
    /// 0 marked, 1 started, 2 finished.
    pub remote_partition_delete_state: i8,
}

/// A segment in a snapshot file of the metadata.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "data", key = 3, versions = "0", flexible = "0+")]
pub struct RemoteLogSegmentMetadataSnapshotRecord {
    /// The segment's id; its partition is that of the file.
    pub segment_id: Uuid,
    /// Its first offset.
    pub start_offset: i64,
    /// Its last offset, included.
    pub end_offset: i64,
    /// The leader that copied it.
    pub broker_id: i32,
    /// Largest timestamp of its records, in milliseconds since 1970.
    pub max_timestamp_ms: i64,
    /// When this was written, in milliseconds since 1970.
    pub event_timestamp_ms: i64,
    /// Leader epochs of its records.
    pub segment_leader_epochs: Vec<SegmentLeaderEpochEntry>,
    /// Its size.
    pub segment_size_in_bytes: i32,
    /// Whatever the storage wants to be remembered.
    #[field(nullable = "0+", default = "null")]
    pub custom_metadata: Option<Bytes>,
    /// 0 copy started, 1 copy finished, 2 delete started, 3 delete finished.
    pub remote_log_segment_state: i8,
    /// Whether it has no aborted transactions.
    #[field(tag = 0, tagged = "0+")]
    pub txn_index_empty: bool,
}
