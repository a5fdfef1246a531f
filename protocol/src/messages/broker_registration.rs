//! BrokerRegistration: a broker makes itself known to the controller (KIP-631).

use crate::derive::{Message, Struct};
use crate::{ErrorCode, Str, Uuid};

/// The broker.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "request", key = 62, versions = "0-4", flexible = "0+")]
pub struct BrokerRegistrationRequest {
    /// Its id.
    pub broker_id: i32,
    /// The cluster; another one is INCONSISTENT_CLUSTER_ID.
    pub cluster_id: Str,
    /// Chosen at each start of the process: a second process with the same broker id is told apart by it.
    pub incarnation_id: Uuid,
    /// Where it is reached.
    pub listeners: Vec<Listener>,
    /// Features that it can run with.
    pub features: Vec<Feature>,
    /// Where it stands (`broker.rack`).
    #[field(nullable = "0+")]
    pub rack: Option<Str>,
    /// Whether it still runs with ZooKeeper (KIP-866).
    #[field(versions = "1+", default = "false")]
    pub is_migrating_zk_broker: bool,
    /// Its log directories that work (KIP-858).
    #[field(versions = "2+", ignorable)]
    pub log_dirs: Vec<Uuid>,
    /// Broker epoch before a clean shutdown, -1 after an unclean one (KIP-966).
    #[field(versions = "3+", default = "-1", ignorable)]
    pub previous_broker_epoch: i64,
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

/// A feature with its range. From version 4 on the lowest level may be 0 (KIP-1022).
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
#[message(kind = "response", key = 62, versions = "0-4", flexible = "0+")]
pub struct BrokerRegistrationResponse {
    /// How long the client is held back for a quota, in milliseconds.
    pub throttle_time_ms: i32,
    /// DUPLICATE_BROKER_REGISTRATION, INCONSISTENT_CLUSTER_ID, UNSUPPORTED_VERSION, INVALID_REGISTRATION,
    /// NOT_CONTROLLER, CLUSTER_AUTHORIZATION_FAILED.
    pub error_code: ErrorCode,
    /// The broker's epoch from here on, -1 on an error.
    #[field(default = "-1")]
    pub broker_epoch: i64,
}
