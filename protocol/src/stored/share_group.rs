//! `__consumer_offsets`: share groups (KIP-932). Framed as told in `offsets`.

use crate::derive::{Message, Struct};
use crate::{Str, Uuid};

/// Names a member.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "data", key = 10, versions = "0")]
pub struct ShareGroupMemberMetadataKey {
    /// The group.
    pub group_id: Str,
    /// The member.
    pub member_id: Str,
}

/// A member.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "data", key = 10, versions = "0", flexible = "0+")]
pub struct ShareGroupMemberMetadataValue {
    /// Where it stands.
    #[field(nullable = "0+")]
    pub rack_id: Option<Str>,
    /// Client id of its requests.
    pub client_id: Str,
    /// Where it connected from.
    pub client_host: Str,
    /// Topics that it wants to read.
    pub subscribed_topic_names: Vec<Str>,
}

/// Names a group's epoch.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "data", key = 11, versions = "0")]
pub struct ShareGroupMetadataKey {
    /// The group.
    pub group_id: Str,
}

/// A group's epoch.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "data", key = 11, versions = "0", flexible = "0+")]
pub struct ShareGroupMetadataValue {
    /// Counts the changes of members, subscriptions and topics.
    pub epoch: i32,
    /// Hash over the topics that the group reads.
    pub metadata_hash: i64,
}

/// Names the epoch of a target assignment.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "data", key = 12, versions = "0")]
pub struct ShareGroupTargetAssignmentMetadataKey {
    /// The group.
    pub group_id: Str,
}

/// The epoch of a target assignment.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "data", key = 12, versions = "0", flexible = "0+")]
pub struct ShareGroupTargetAssignmentMetadataValue {
    /// The group epoch that it was made for.
    pub assignment_epoch: i32,
    /// When it was made, in milliseconds since 1970; 0 when unknown.
    #[field(tag = 0, tagged = "0+", default = "0", ignorable)]
    pub assignment_timestamp: i64,
}

/// Names what a member is to read.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "data", key = 13, versions = "0")]
pub struct ShareGroupTargetAssignmentMemberKey {
    /// The group.
    pub group_id: Str,
    /// The member.
    pub member_id: Str,
}

/// What a member is to read.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "data", key = 13, versions = "0", flexible = "0+")]
pub struct ShareGroupTargetAssignmentMemberValue {
    /// Partitions by topic.
    pub topic_partitions: Vec<TopicPartitions>,
}

/// Partitions of a topic.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct TopicPartitions {
    /// The topic.
    pub topic_id: Uuid,
    /// The partitions.
    pub partitions: Vec<i32>,
}

/// Names what a member reads.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "data", key = 14, versions = "0")]
pub struct ShareGroupCurrentMemberAssignmentKey {
    /// The group.
    pub group_id: Str,
    /// The member.
    pub member_id: Str,
}

/// What a member reads.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "data", key = 14, versions = "0", flexible = "0+")]
pub struct ShareGroupCurrentMemberAssignmentValue {
    /// The epoch that it is in.
    pub member_epoch: i32,
    /// The epoch that it was in before.
    pub previous_member_epoch: i32,
    /// 0 stable, 127 unknown.
    pub state: i8,
    /// Partitions that it reads.
    pub assigned_partitions: Vec<TopicPartitions>,
}

/// Names what the share coordinator knows of a group.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "data", key = 15, versions = "0")]
pub struct ShareGroupStatePartitionMetadataKey {
    /// The group.
    pub group_id: Str,
}

/// What the share coordinator knows of a group.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "data", key = 15, versions = "0", flexible = "0+")]
pub struct ShareGroupStatePartitionMetadataValue {
    /// Partitions that it is being told of.
    pub initializing_topics: Vec<TopicPartitionsInfo>,
    /// Partitions that it keeps state of.
    pub initialized_topics: Vec<TopicPartitionsInfo>,
    /// Topics that it is being told to forget.
    pub deleting_topics: Vec<TopicInfo>,
}

/// Partitions of a topic.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct TopicPartitionsInfo {
    /// The topic's id.
    pub topic_id: Uuid,
    /// The topic's name.
    pub topic_name: Str,
    /// The partitions.
    pub partitions: Vec<i32>,
}

/// A topic.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct TopicInfo {
    /// The topic's id.
    pub topic_id: Uuid,
    /// The topic's name.
    pub topic_name: Str,
}
