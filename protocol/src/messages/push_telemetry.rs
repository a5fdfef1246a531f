//! PushTelemetry: a client sends its metrics (KIP-714).

use bytes::Bytes;

use crate::derive::Message;
use crate::{ErrorCode, Uuid};

/// A client's metrics since its last push, or in all, as it was asked for.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "request", key = 72, versions = "0", flexible = "0+")]
pub struct PushTelemetryRequest {
    /// The name that GetTelemetrySubscriptions gave.
    pub client_instance_id: Uuid,
    /// What was asked for; UNKNOWN_SUBSCRIPTION_ID when it has changed.
    pub subscription_id: i32,
    /// Whether it is the last push.
    pub terminating: bool,
    /// 0 none, 1 gzip, 2 snappy, 3 lz4, 4 zstd.
    pub compression_type: i8,
    /// OpenTelemetry `MetricsData` in protobuf, compressed.
    pub metrics: Bytes,
}

/// What became of them.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "response", key = 72, versions = "0", flexible = "0+")]
pub struct PushTelemetryResponse {
    /// How long the client is held back for a quota, in milliseconds.
    pub throttle_time_ms: i32,
    /// UNKNOWN_SUBSCRIPTION_ID, TELEMETRY_TOO_LARGE, THROTTLING_QUOTA_EXCEEDED, UNSUPPORTED_COMPRESSION_TYPE,
    /// INVALID_RECORD, INVALID_REQUEST.
    pub error_code: ErrorCode,
}
