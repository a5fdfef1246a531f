//! ListConfigResources: the names of all that has settings (KIP-1142). Version 0 is ListClientMetricsResources
//! of KIP-714 and lists these only.

use crate::derive::{Message, Struct};
use crate::{ErrorCode, Str};

/// Asks for names.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "request", key = 74, versions = "0-1", flexible = "0+")]
pub struct ListConfigResourcesRequest {
    /// Types wanted, numbers as in DescribeConfigs; empty for all.
    #[field(versions = "1+")]
    pub resource_types: Vec<i8>,
}

/// The names.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "response", key = 74, versions = "0-1", flexible = "0+")]
pub struct ListConfigResourcesResponse {
    /// How long the client is held back for a quota, in milliseconds.
    pub throttle_time_ms: i32,
    /// CLUSTER_AUTHORIZATION_FAILED, UNSUPPORTED_VERSION (a type that is unknown).
    pub error_code: ErrorCode,
    /// The resources.
    pub config_resources: Vec<ConfigResource>,
}

/// A resource.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct ConfigResource {
    /// Its name.
    pub resource_name: Str,
    /// Its type; 16, client metrics, in version 0.
    #[field(versions = "1+", default = "16", ignorable)]
    pub resource_type: i8,
}
