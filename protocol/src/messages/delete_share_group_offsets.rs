//! DeleteShareGroupOffsets: makes an empty share group forget topics (KIP-932).

use crate::derive::{Message, Struct};
use crate::{ErrorCode, Str, Uuid};

/// What to forget.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "request", key = 92, versions = "0", flexible = "0+")]
pub struct DeleteShareGroupOffsetsRequest {
    /// The group.
    pub group_id: Str,
    /// The topics.
    pub topics: Vec<DeleteShareGroupOffsetsRequestTopic>,
}

/// A topic to forget.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct DeleteShareGroupOffsetsRequestTopic {
    /// The topic.
    pub topic_name: Str,
}

/// What became of it.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "response", key = 92, versions = "0", flexible = "0+")]
pub struct DeleteShareGroupOffsetsResponse {
    /// How long the client is held back for a quota, in milliseconds.
    pub throttle_time_ms: i32,
    /// NON_EMPTY_GROUP, GROUP_ID_NOT_FOUND, INVALID_REQUEST, KAFKA_STORAGE_ERROR, GROUP_AUTHORIZATION_FAILED, and those
    /// of the coordinator.
    pub error_code: ErrorCode,
    /// The error in words, or null.
    #[field(nullable = "0+", default = "null")]
    pub error_message: Option<Str>,
    /// Answers by topic.
    pub responses: Vec<DeleteShareGroupOffsetsResponseTopic>,
}

/// A topic's answer.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct DeleteShareGroupOffsetsResponseTopic {
    /// The topic's name.
    pub topic_name: Str,
    /// The topic's id.
    pub topic_id: Uuid,
    /// UNKNOWN_TOPIC_OR_PARTITION, TOPIC_AUTHORIZATION_FAILED.
    pub error_code: ErrorCode,
    /// The error in words, or null.
    #[field(nullable = "0+", default = "null")]
    pub error_message: Option<Str>,
}
