//! DeleteTopics.

use crate::derive::{Message, Struct};
use crate::{ErrorCode, Str, Uuid};

/// Topics to delete; version 6 also by id (KIP-516).
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "request", key = 20, versions = "0-6", flexible = "4+")]
pub struct DeleteTopicsRequest {
    /// The topics.
    #[field(versions = "6+")]
    pub topics: Vec<DeleteTopicState>,
    /// The topics by name.
    #[field(versions = "0-5", ignorable)]
    pub topic_names: Vec<Str>,
    /// How long to wait until the topics are gone, in milliseconds.
    pub timeout_ms: i32,
}

/// A topic to delete.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct DeleteTopicState {
    /// Its name, null to name it by id.
    #[field(nullable = "6+", default = "null")]
    pub name: Option<Str>,
    /// Its id, zero to name it by name. Both is INVALID_REQUEST.
    pub topic_id: Uuid,
}

/// What became of the topics.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "response", key = 20, versions = "0-6", flexible = "4+")]
pub struct DeleteTopicsResponse {
    /// How long the client is held back for a quota, in milliseconds.
    #[field(versions = "1+", ignorable)]
    pub throttle_time_ms: i32,
    /// Answers by topic.
    pub responses: Vec<DeletableTopicResult>,
}

/// A topic's answer.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct DeletableTopicResult {
    /// Its name; null when its id is unknown, or the client may not see it.
    #[field(nullable = "6+")]
    pub name: Option<Str>,
    /// Its id.
    #[field(versions = "6+", ignorable)]
    pub topic_id: Uuid,
    /// UNKNOWN_TOPIC_OR_PARTITION, UNKNOWN_TOPIC_ID (version 6), TOPIC_DELETION_DISABLED (3), INVALID_REQUEST,
    /// TOPIC_AUTHORIZATION_FAILED, THROTTLING_QUOTA_EXCEEDED (5), NOT_CONTROLLER, ...
    pub error_code: ErrorCode,
    /// The error in words, or null.
    #[field(versions = "5+", nullable = "5+", default = "null", ignorable)]
    pub error_message: Option<Str>,
}
