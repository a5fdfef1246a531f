//! `__consumer_offsets`: groups of the consumer protocol (KIP-848). Framed as told in `offsets`.

use bytes::Bytes;

use crate::derive::{Message, Struct};
use crate::{Str, Uuid};

/// Names a group's epoch.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "data", key = 3, versions = "0")]
pub struct ConsumerGroupMetadataKey {
    /// The group.
    pub group_id: Str,
}

/// A group's epoch.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "data", key = 3, versions = "0", flexible = "0+")]
pub struct ConsumerGroupMetadataValue {
    /// Counts the changes of members, subscriptions and topics.
    pub epoch: i32,
    /// Hash over the topics that the group reads; 0 when not known.
    #[field(tag = 0, tagged = "0+", default = "0")]
    pub metadata_hash: i64,
}

/// Names the topics of a group, as of Kafka 4.0; later ones write the hash instead and remove these.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "data", key = 4, versions = "0")]
pub struct ConsumerGroupPartitionMetadataKey {
    /// The group.
    pub group_id: Str,
}

/// Topics of a group.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "data", key = 4, versions = "0", flexible = "0+")]
pub struct ConsumerGroupPartitionMetadataValue {
    /// The topics.
    pub topics: Vec<TopicMetadata>,
}

/// A topic.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct TopicMetadata {
    /// Its id.
    pub topic_id: Uuid,
    /// Its name.
    pub topic_name: Str,
    /// Number of partitions.
    pub num_partitions: i32,
    /// Racks of its partitions.
    pub partition_metadata: Vec<PartitionMetadata>,
}

/// Racks of a partition.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct PartitionMetadata {
    /// The partition.
    pub partition: i32,
    /// Racks of its replicas.
    pub racks: Vec<Str>,
}

/// Names a member.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "data", key = 5, versions = "0")]
pub struct ConsumerGroupMemberMetadataKey {
    /// The group.
    pub group_id: Str,
    /// The member.
    pub member_id: Str,
}

/// A member.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "data", key = 5, versions = "0", flexible = "0+")]
pub struct ConsumerGroupMemberMetadataValue {
    /// Its instance where it is static.
    #[field(nullable = "0+")]
    pub instance_id: Option<Str>,
    /// Where it stands.
    #[field(nullable = "0+")]
    pub rack_id: Option<Str>,
    /// Client id of its requests.
    pub client_id: Str,
    /// Where it connected from.
    pub client_host: Str,
    /// Topics that it wants to read.
    pub subscribed_topic_names: Vec<Str>,
    /// Regular expression for topics that it wants to read.
    #[field(nullable = "0+")]
    pub subscribed_topic_regex: Option<Str>,
    /// How long it may take to give up partitions, in milliseconds; -1 when unknown.
    #[field(default = "-1")]
    pub rebalance_timeout_ms: i32,
    /// The assignor that it wants, or null.
    #[field(nullable = "0+")]
    pub server_assignor: Option<Str>,
    /// What it told with JoinGroup; null, which is written out, for a member of the consumer protocol.
    #[field(nullable = "0+", tag = 0, tagged = "0+")]
    pub classic_member_metadata: Option<ClassicMemberMetadata>,
}

/// A member of the classic protocol in a consumer group.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct ClassicMemberMetadata {
    /// How long it may be silent, in milliseconds.
    pub session_timeout_ms: i32,
    /// Ways of assigning that it knows.
    pub supported_protocols: Vec<ClassicProtocol>,
}

/// A way of assigning.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct ClassicProtocol {
    /// Its name.
    pub name: Str,
    /// What the member told for it.
    pub metadata: Bytes,
}

/// Names the epoch of a target assignment.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "data", key = 6, versions = "0")]
pub struct ConsumerGroupTargetAssignmentMetadataKey {
    /// The group.
    pub group_id: Str,
}

/// The epoch of a target assignment.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "data", key = 6, versions = "0", flexible = "0+")]
pub struct ConsumerGroupTargetAssignmentMetadataValue {
    /// The group epoch that it was made for.
    pub assignment_epoch: i32,
    /// When it was made, in milliseconds since 1970; 0 when unknown.
    #[field(tag = 0, tagged = "0+", default = "0", ignorable)]
    pub assignment_timestamp: i64,
}

/// Names what a member is to have.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "data", key = 7, versions = "0")]
pub struct ConsumerGroupTargetAssignmentMemberKey {
    /// The group.
    pub group_id: Str,
    /// The member.
    pub member_id: Str,
}

/// What a member is to have.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "data", key = 7, versions = "0", flexible = "0+")]
pub struct ConsumerGroupTargetAssignmentMemberValue {
    /// Partitions by topic.
    pub topic_partitions: Vec<TopicPartition>,
}

/// Partitions of a topic.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct TopicPartition {
    /// The topic.
    pub topic_id: Uuid,
    /// The partitions.
    pub partitions: Vec<i32>,
}

/// Names what a member has.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "data", key = 8, versions = "0")]
pub struct ConsumerGroupCurrentMemberAssignmentKey {
    /// The group.
    pub group_id: Str,
    /// The member.
    pub member_id: Str,
}

/// What a member has.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "data", key = 8, versions = "0", flexible = "0+")]
pub struct ConsumerGroupCurrentMemberAssignmentValue {
    /// The epoch that it is in.
    pub member_epoch: i32,
    /// The epoch that it was in before, in case that the answer was lost.
    pub previous_member_epoch: i32,
    /// 0 stable, 1 gives up partitions, 2 waits for others to give up theirs, 127 unknown.
    pub state: i8,
    /// Partitions that it has.
    pub assigned_partitions: Vec<TopicPartitions>,
    /// Partitions that it has not given up yet.
    pub partitions_pending_revocation: Vec<TopicPartitions>,
}

/// Partitions of a topic, with the epochs since when the member has them.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct TopicPartitions {
    /// The topic.
    pub topic_id: Uuid,
    /// The partitions.
    pub partitions: Vec<i32>,
    /// An epoch for each partition; empty or null when unknown (KIP-1251).
    #[field(nullable = "0+", tag = 0, tagged = "0+")]
    pub assignment_epochs: Option<Vec<i32>>,
}

/// Names a regular expression that members subscribe to.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "data", key = 16, versions = "0")]
pub struct ConsumerGroupRegularExpressionKey {
    /// The group.
    pub group_id: Str,
    /// The expression.
    pub regular_expression: Str,
}

/// What a regular expression matches.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "data", key = 16, versions = "0", flexible = "0+")]
pub struct ConsumerGroupRegularExpressionValue {
    /// The topics.
    pub topics: Vec<Str>,
    /// Version of the metadata image that it was resolved against.
    pub version: i64,
    /// When it was resolved, in milliseconds since 1970.
    pub timestamp: i64,
}
