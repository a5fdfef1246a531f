//! CreateTopics.

use crate::derive::{Message, Struct};
use crate::{ErrorCode, Str, Uuid};

/// Topics to create, each on its own: some may succeed while others fail.
///
/// From version 4 on -1 partitions and -1 replicas mean the broker's defaults (KIP-464).
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "request", key = 19, versions = "0-7", flexible = "5+")]
pub struct CreateTopicsRequest {
    /// The topics.
    pub topics: Vec<CreatableTopic>,
    /// How long to wait until the topics are there, in milliseconds.
    #[field(default = "60000")]
    pub timeout_ms: i32,
    /// Whether to check only.
    #[field(versions = "1+", default = "false")]
    pub validate_only: bool,
}

/// A topic to create.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct CreatableTopic {
    /// Its name.
    pub name: Str,
    /// Number of partitions; -1 for the default, or where replicas are assigned by hand.
    pub num_partitions: i32,
    /// Replicas of each partition; -1 likewise.
    pub replication_factor: i16,
    /// Replicas assigned by hand; empty to let the controller do it.
    pub assignments: Vec<CreatableReplicaAssignment>,
    /// Settings that differ from the defaults.
    pub configs: Vec<CreatableTopicConfig>,
}

/// Replicas of a partition.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct CreatableReplicaAssignment {
    /// The partition.
    pub partition_index: i32,
    /// Brokers, the preferred leader first.
    pub broker_ids: Vec<i32>,
}

/// A setting.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct CreatableTopicConfig {
    /// Its name.
    pub name: Str,
    /// Its value; null is INVALID_CONFIG.
    #[field(nullable = "0+")]
    pub value: Option<Str>,
}

/// What became of the topics.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "response", key = 19, versions = "0-7", flexible = "5+")]
pub struct CreateTopicsResponse {
    /// How long the client is held back for a quota, in milliseconds.
    #[field(versions = "2+", ignorable)]
    pub throttle_time_ms: i32,
    /// Answers by topic.
    pub topics: Vec<CreatableTopicResult>,
}

/// A topic's answer.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct CreatableTopicResult {
    /// Its name.
    pub name: Str,
    /// Its id (KIP-516).
    #[field(versions = "7+", ignorable)]
    pub topic_id: Uuid,
    /// TOPIC_ALREADY_EXISTS, INVALID_TOPIC_EXCEPTION, INVALID_PARTITIONS, INVALID_REPLICATION_FACTOR,
    /// INVALID_REPLICA_ASSIGNMENT, INVALID_CONFIG, INVALID_REQUEST (twice the same name), POLICY_VIOLATION,
    /// THROTTLING_QUOTA_EXCEEDED (version 6), NOT_CONTROLLER, ...
    pub error_code: ErrorCode,
    /// The error in words, or null.
    #[field(versions = "1+", nullable = "0+", ignorable)]
    pub error_message: Option<Str>,
    /// TOPIC_AUTHORIZATION_FAILED when the client may not see the settings (KIP-525).
    #[field(versions = "5+", tag = 0, tagged = "5+", ignorable)]
    pub topic_config_error_code: ErrorCode,
    /// Number of partitions; -1 when not told.
    #[field(versions = "5+", default = "-1", ignorable)]
    pub num_partitions: i32,
    /// Replicas of each partition; -1 when not told.
    #[field(versions = "5+", default = "-1", ignorable)]
    pub replication_factor: i16,
    /// All settings of the topic; null when not told.
    #[field(versions = "5+", nullable = "5+", ignorable)]
    pub configs: Option<Vec<CreatableTopicConfigs>>,
}

/// A setting of the topic as it is now.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct CreatableTopicConfigs {
    /// Its name.
    pub name: Str,
    /// Its value; null when sensitive.
    #[field(nullable = "5+")]
    pub value: Option<Str>,
    /// Whether it cannot be changed.
    pub read_only: bool,
    /// Where the value comes from; numbers as in DescribeConfigs.
    #[field(default = "-1", ignorable)]
    pub config_source: i8,
    /// Whether its value is a secret.
    pub is_sensitive: bool,
}
