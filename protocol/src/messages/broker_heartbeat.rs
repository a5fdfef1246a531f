//! BrokerHeartbeat: a registered broker is alive, and asks to be unfenced or to stop (KIP-631).

use crate::derive::Message;
use crate::{ErrorCode, Uuid};

/// A sign of life.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "request", key = 63, versions = "0-2", flexible = "0+")]
pub struct BrokerHeartbeatRequest {
    /// The broker.
    pub broker_id: i32,
    /// Its epoch; an old one is STALE_BROKER_EPOCH.
    #[field(default = "-1")]
    pub broker_epoch: i64,
    /// Highest offset of the metadata log that it has applied.
    pub current_metadata_offset: i64,
    /// Whether it wants to be fenced.
    pub want_fence: bool,
    /// Whether it wants to stop, once its leaders have moved.
    pub want_shut_down: bool,
    /// Log directories that failed (KIP-858).
    #[field(versions = "1+", tag = 0, tagged = "1+")]
    pub offline_log_dirs: Vec<Uuid>,
    /// Log directories that take nothing new; null for no change (KIP-1066).
    #[field(versions = "2+", nullable = "2+", tag = 1, tagged = "2+", default = "null")]
    pub cordoned_log_dirs: Option<Vec<Uuid>>,
}

/// How the controller sees it.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "response", key = 63, versions = "0-2", flexible = "0+")]
pub struct BrokerHeartbeatResponse {
    /// How long the client is held back for a quota, in milliseconds.
    pub throttle_time_ms: i32,
    /// STALE_BROKER_EPOCH, BROKER_ID_NOT_REGISTERED, NOT_CONTROLLER, CLUSTER_AUTHORIZATION_FAILED.
    pub error_code: ErrorCode,
    /// Whether it has applied almost all metadata.
    #[field(default = "false")]
    pub is_caught_up: bool,
    /// Whether it is fenced.
    #[field(default = "true")]
    pub is_fenced: bool,
    /// Whether it may stop now.
    pub should_shut_down: bool,
}
