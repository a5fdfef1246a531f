//! ControllerRegistration: a KRaft controller makes itself known to the active one (KIP-919).

use crate::derive::{Message, Struct};
use crate::{ErrorCode, Str, Uuid};

/// The controller.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "request", key = 70, versions = "0", flexible = "0+")]
pub struct ControllerRegistrationRequest {
    /// Its id.
    pub controller_id: i32,
    /// Chosen at each start of the process.
    pub incarnation_id: Uuid,
    /// Whether it is set to take over from ZooKeeper (KIP-866).
    pub zk_migration_ready: bool,
    /// Where it is reached.
    pub listeners: Vec<Listener>,
    /// Features that it can run with.
    pub features: Vec<Feature>,
}

/// A listener.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct Listener {
    /// Its name.
    pub name: Str,
    /// Host name or address.
    pub host: Str,
    /// TCP port.
    pub port: u16,
    /// 0 PLAINTEXT, 1 SSL, 2 SASL_PLAINTEXT, 3 SASL_SSL.
    pub security_protocol: i16,
}

/// A feature with its range.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct Feature {
    /// Such as `metadata.version`.
    pub name: Str,
    /// The lowest level.
    pub min_supported_version: i16,
    /// The highest level.
    pub max_supported_version: i16,
}

/// What became of it.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "response", key = 70, versions = "0", flexible = "0+")]
pub struct ControllerRegistrationResponse {
    /// How long the client is held back for a quota, in milliseconds.
    pub throttle_time_ms: i32,
    /// NOT_CONTROLLER, UNSUPPORTED_VERSION, CLUSTER_AUTHORIZATION_FAILED.
    pub error_code: ErrorCode,
    /// The error in words, or null.
    #[field(nullable = "0+")]
    pub error_message: Option<Str>,
}
