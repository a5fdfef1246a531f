//! IncrementalAlterConfigs: changes single settings of a resource (KIP-339).

use crate::derive::{Message, Struct};
use crate::{ErrorCode, Str};

/// Settings to change; all others stay.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "request", key = 44, versions = "0-1", flexible = "1+")]
pub struct IncrementalAlterConfigsRequest {
    /// What to change, by resource.
    pub resources: Vec<AlterConfigsResource>,
    /// Whether to check only.
    pub validate_only: bool,
}

/// A resource's settings.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct AlterConfigsResource {
    /// 2 topic, 4 broker, 8 broker's loggers, 16 client metrics, 32 group.
    pub resource_type: i8,
    /// Its name; of a broker its id, or empty for the defaults of all brokers.
    pub resource_name: Str,
    /// The changes.
    pub configs: Vec<AlterableConfig>,
}

/// A change.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct AlterableConfig {
    /// The setting.
    pub name: Str,
    /// 0 set, 1 delete, 2 append to a list, 3 subtract from a list.
    pub config_operation: i8,
    /// The value; null only to delete.
    #[field(nullable = "0+")]
    pub value: Option<Str>,
}

/// What became of it.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "response", key = 44, versions = "0-1", flexible = "1+")]
pub struct IncrementalAlterConfigsResponse {
    /// How long the client is held back for a quota, in milliseconds.
    pub throttle_time_ms: i32,
    /// Answers by resource.
    pub responses: Vec<AlterConfigsResourceResponse>,
}

/// A resource's answer.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct AlterConfigsResourceResponse {
    /// INVALID_CONFIG, INVALID_REQUEST, UNKNOWN_TOPIC_OR_PARTITION, POLICY_VIOLATION, TOPIC_AUTHORIZATION_FAILED,
    /// CLUSTER_AUTHORIZATION_FAILED, ...
    pub error_code: ErrorCode,
    /// The error in words, or null.
    #[field(nullable = "0+")]
    pub error_message: Option<Str>,
    /// The kind of resource that was to be changed, as in the request.
    pub resource_type: i8,
    /// Name of the resource, as in the request.
    pub resource_name: Str,
}
