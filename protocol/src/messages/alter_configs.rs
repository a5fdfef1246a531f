//! AlterConfigs: replaces all settings of a resource. IncrementalAlterConfigs is the way since Kafka 2.3.

use crate::derive::{Message, Struct};
use crate::{ErrorCode, Str};

/// Settings to replace: what is not named goes back to its default.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "request", key = 33, versions = "0-2", flexible = "2+")]
pub struct AlterConfigsRequest {
    /// What to set, by resource.
    pub resources: Vec<AlterConfigsResource>,
    /// Whether to check only.
    pub validate_only: bool,
}

/// A resource's settings.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct AlterConfigsResource {
    /// 2 topic, 4 broker, and so on as in DescribeConfigs.
    pub resource_type: i8,
    /// Its name; of a broker its id, or empty for the defaults of all brokers.
    pub resource_name: Str,
    /// The settings.
    pub configs: Vec<AlterableConfig>,
}

/// A setting.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct AlterableConfig {
    /// Its name.
    pub name: Str,
    /// Its value; null is INVALID_REQUEST.
    #[field(nullable = "0+")]
    pub value: Option<Str>,
}

/// What became of it.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "response", key = 33, versions = "0-2", flexible = "2+")]
pub struct AlterConfigsResponse {
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
