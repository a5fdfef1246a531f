//! ConsumerGroupDescribe: consumer groups with their members (KIP-848).

use crate::derive::{Message, Struct};
use crate::{ErrorCode, Str, Uuid};

/// Asks about groups that this broker coordinates.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "request", key = 69, versions = "0-1", flexible = "0+")]
pub struct ConsumerGroupDescribeRequest {
    /// The groups.
    pub group_ids: Vec<Str>,
    /// Whether to say what the client may do with each.
    pub include_authorized_operations: bool,
}

/// The groups.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "response", key = 69, versions = "0-1", flexible = "0+")]
pub struct ConsumerGroupDescribeResponse {
    /// How long the client is held back for a quota, in milliseconds.
    pub throttle_time_ms: i32,
    /// Answers by group.
    pub groups: Vec<DescribedGroup>,
}

/// A group.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct DescribedGroup {
    /// GROUP_ID_NOT_FOUND, INVALID_GROUP_ID, INVALID_REQUEST, GROUP_AUTHORIZATION_FAILED, TOPIC_AUTHORIZATION_FAILED,
    /// and those of the coordinator.
    pub error_code: ErrorCode,
    /// The error in words, or null.
    #[field(nullable = "0+", default = "null")]
    pub error_message: Option<Str>,
    /// The group.
    pub group_id: Str,
    /// `Empty`, `Assigning`, `Reconciling`, `Stable`, `Dead`; empty on an error.
    pub group_state: Str,
    /// Counts the changes of members and subscriptions.
    pub group_epoch: i32,
    /// The group epoch that the target assignment was made for.
    pub assignment_epoch: i32,
    /// The assignor.
    pub assignor_name: Str,
    /// The members.
    pub members: Vec<Member>,
    /// What the client may do with the group, a bit per operation; the smallest int32 when not asked.
    #[field(default = "-2147483648")]
    pub authorized_operations: i32,
}

/// A member.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct Member {
    /// Its id.
    pub member_id: Str,
    /// Its instance where it is static.
    #[field(nullable = "0+", default = "null")]
    pub instance_id: Option<Str>,
    /// Where it stands.
    #[field(nullable = "0+", default = "null")]
    pub rack_id: Option<Str>,
    /// The epoch that it is in.
    pub member_epoch: i32,
    /// Client id of its requests.
    pub client_id: Str,
    /// Where it connected from.
    pub client_host: Str,
    /// Topics that it wants to read.
    pub subscribed_topic_names: Vec<Str>,
    /// Regular expression for topics that it wants to read, or null.
    #[field(nullable = "0+", default = "null")]
    pub subscribed_topic_regex: Option<Str>,
    /// What it has.
    pub assignment: Assignment,
    /// What it is to have.
    pub target_assignment: Assignment,
    /// 0 of the classic protocol, 1 of the consumer protocol, -1 unknown (KIP-1099).
    #[field(versions = "1+", default = "-1", ignorable)]
    pub member_type: i8,
}

/// What a member has, or is to have.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct Assignment {
    /// Partitions by topic.
    pub topic_partitions: Vec<TopicPartitions>,
}

/// Partitions of a topic.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct TopicPartitions {
    /// The topic's id.
    pub topic_id: Uuid,
    /// The topic's name.
    pub topic_name: Str,
    /// The partitions.
    pub partitions: Vec<i32>,
}
