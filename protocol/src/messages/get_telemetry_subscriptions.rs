//! GetTelemetrySubscriptions: which metrics a client is asked to send (KIP-714).

use crate::derive::Message;
use crate::{ErrorCode, Str, Uuid};

/// The client.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "request", key = 71, versions = "0", flexible = "0+")]
pub struct GetTelemetrySubscriptionsRequest {
    /// Names the client's process; zero at first.
    pub client_instance_id: Uuid,
}

/// The metrics.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "response", key = 71, versions = "0", flexible = "0+")]
pub struct GetTelemetrySubscriptionsResponse {
    /// How long the client is held back for a quota, in milliseconds.
    pub throttle_time_ms: i32,
    /// THROTTLING_QUOTA_EXCEEDED when asked too soon.
    pub error_code: ErrorCode,
    /// The name that the client is to use.
    pub client_instance_id: Uuid,
    /// Names what is asked for; changes with it.
    pub subscription_id: i32,
    /// Compressions that are taken, best first: 0 none, 1 gzip, 2 snappy, 3 lz4, 4 zstd.
    pub accepted_compression_types: Vec<i8>,
    /// How often to send, in milliseconds.
    pub push_interval_ms: i32,
    /// Most bytes of one push.
    pub telemetry_max_bytes: i32,
    /// Whether to send differences; else sums.
    pub delta_temporality: bool,
    /// Prefixes of metrics' names; one that is empty for all, no one for none.
    pub requested_metrics: Vec<Str>,
}
