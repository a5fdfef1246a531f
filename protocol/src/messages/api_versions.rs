//! ApiVersions: which APIs and features a broker has. The first thing most clients ask (KIP-35, KIP-511, KIP-584).

use crate::derive::{Message, Struct};
use crate::{ErrorCode, Str};

/// Asks what the broker speaks.
///
/// A broker that does not know the version answers with the body of version 0, error UNSUPPORTED_VERSION and
/// its list of keys, so that the client can ask again.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "request", key = 18, versions = "0-5", flexible = "3+")]
pub struct ApiVersionsRequest {
    /// Name of the client's library: letters, digits, `-` and `.`, neither first nor last. Anything else is
    /// answered with INVALID_REQUEST.
    #[field(versions = "3+", ignorable)]
    pub client_software_name: Str,
    /// Version of the client's library, under the same rule.
    #[field(versions = "3+", ignorable)]
    pub client_software_version: Str,
    /// The cluster that the client believes to reach; null when it does not know. Another one is answered with
    /// REBOOTSTRAP_REQUIRED (KIP-1242).
    #[field(versions = "5+", nullable = "5+", default = "null", ignorable)]
    pub cluster_id: Option<Str>,
    /// The node that the client believes to reach, -1 when it does not know; REBOOTSTRAP_REQUIRED as above.
    #[field(versions = "5+", default = "-1", ignorable)]
    pub node_id: i32,
}

/// What the broker speaks. Always sent with response header 0.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "response", key = 18, versions = "0-5", flexible = "3+")]
pub struct ApiVersionsResponse {
    /// UNSUPPORTED_VERSION, INVALID_REQUEST or REBOOTSTRAP_REQUIRED; the keys are listed all the same for the
    /// first of them.
    pub error_code: ErrorCode,
    /// Every API that the listener serves.
    pub api_keys: Vec<ApiVersion>,
    /// How long the client is held back for a quota, in milliseconds.
    #[field(versions = "1+", ignorable)]
    pub throttle_time_ms: i32,
    /// Features that this broker's software knows, with their ranges.
    #[field(versions = "3+", tag = 0, tagged = "3+", ignorable)]
    pub supported_features: Vec<SupportedFeatureKey>,
    /// Epoch of the finalized features: the higher, the later. -1 when unknown.
    #[field(versions = "3+", tag = 1, tagged = "3+", default = "-1", ignorable)]
    pub finalized_features_epoch: i64,
    /// Features that the cluster has switched on; void while the epoch is -1.
    #[field(versions = "3+", tag = 2, tagged = "3+", ignorable)]
    pub finalized_features: Vec<FinalizedFeatureKey>,
    /// Set by a KRaft controller of Kafka 3.x that is ready to take over from ZooKeeper (KIP-866).
    #[field(versions = "3+", tag = 3, tagged = "3+", default = "false", ignorable)]
    pub zk_migration_ready: bool,
}

/// The versions of an API.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct ApiVersion {
    /// Key of an API that this broker serves.
    pub api_key: i16,
    /// The lowest version served.
    pub min_version: i16,
    /// The highest version served.
    pub max_version: i16,
}

/// A feature that the broker knows.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct SupportedFeatureKey {
    /// Such as `metadata.version`.
    pub name: Str,
    /// The lowest level it can run at.
    pub min_version: i16,
    /// The highest level it can run at.
    pub max_version: i16,
}

/// A feature that the cluster runs with.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct FinalizedFeatureKey {
    /// Such as `metadata.version`.
    pub name: Str,
    /// The level the cluster runs at.
    pub max_version_level: i16,
    /// Kafka answers the same level as above, or 1.
    pub min_version_level: i16,
}
