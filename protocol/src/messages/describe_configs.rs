//! DescribeConfigs: settings of topics, brokers and other resources.

use crate::derive::{Message, Struct};
use crate::{ErrorCode, Str};

/// Asks for settings.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "request", key = 32, versions = "0-4", flexible = "4+")]
pub struct DescribeConfigsRequest {
    /// The topics, brokers and groups whose settings are asked for.
    pub resources: Vec<DescribeConfigsResource>,
    /// Whether to list where else each setting is set (KIP-226).
    #[field(versions = "1+", default = "false")]
    pub include_synonyms: bool,
    /// Whether to send the settings' documentation (KIP-569).
    #[field(versions = "3+", default = "false")]
    pub include_documentation: bool,
}

/// A resource.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct DescribeConfigsResource {
    /// 2 topic, 4 broker, 8 broker's loggers, 16 client metrics, 32 group.
    pub resource_type: i8,
    /// Its name; of a broker its id, or empty for the defaults of all brokers.
    pub resource_name: Str,
    /// The settings wanted; null (and, as Kafka has it, an empty list) for all.
    #[field(nullable = "0+")]
    pub configuration_keys: Option<Vec<Str>>,
}

/// The settings.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "response", key = 32, versions = "0-4", flexible = "4+")]
pub struct DescribeConfigsResponse {
    /// How long the client is held back for a quota, in milliseconds.
    pub throttle_time_ms: i32,
    /// Answers by resource.
    pub results: Vec<DescribeConfigsResult>,
}

/// A resource's settings.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct DescribeConfigsResult {
    /// UNKNOWN_TOPIC_OR_PARTITION, INVALID_TOPIC_EXCEPTION, INVALID_REQUEST, TOPIC_AUTHORIZATION_FAILED,
    /// CLUSTER_AUTHORIZATION_FAILED, ...
    pub error_code: ErrorCode,
    /// The error in words, or null.
    #[field(nullable = "0+")]
    pub error_message: Option<Str>,
    /// The kind of resource that was asked about, as in the request.
    pub resource_type: i8,
    /// Name of the resource, as in the request.
    pub resource_name: Str,
    /// Its settings, those that were asked for or all.
    pub configs: Vec<DescribeConfigsResourceResult>,
}

/// A setting.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct DescribeConfigsResourceResult {
    /// Its name.
    pub name: Str,
    /// Its value; null when unset or sensitive.
    #[field(nullable = "0+")]
    pub value: Option<Str>,
    /// Whether it cannot be changed.
    pub read_only: bool,
    /// Whether nobody has set it. Later versions say it with `config_source`.
    #[field(versions = "0")]
    pub is_default: bool,
    /// Where the value comes from: 1 topic, 2 this broker, 3 all brokers, 4 the broker's file, 5 default, 6 the
    /// broker's loggers, 7 client metrics, 8 group.
    #[field(versions = "1+", default = "-1", ignorable)]
    pub config_source: i8,
    /// Whether its value is a secret.
    pub is_sensitive: bool,
    /// Every place that sets it, the deciding one first.
    #[field(versions = "1+", ignorable)]
    pub synonyms: Vec<DescribeConfigsSynonym>,
    /// 0 unknown, 1 boolean, 2 string, 3 int, 4 short, 5 long, 6 double, 7 list, 8 class, 9 password.
    #[field(versions = "3+", default = "0", ignorable)]
    pub config_type: i8,
    /// What it does.
    #[field(versions = "3+", nullable = "0+", ignorable)]
    pub documentation: Option<Str>,
}

/// A place that sets a setting.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct DescribeConfigsSynonym {
    /// Its name there.
    pub name: Str,
    /// Its value there; null when sensitive.
    #[field(nullable = "0+")]
    pub value: Option<Str>,
    /// The place; numbers as `config_source`.
    pub source: i8,
}
