//! UpdateFeatures: raises and lowers what the cluster may use (KIP-584).

use crate::derive::{Message, Struct};
use crate::{ErrorCode, Str};

/// Levels to set.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "request", key = 57, versions = "0-2", flexible = "0+")]
pub struct UpdateFeaturesRequest {
    /// How long to wait, in milliseconds.
    #[field(default = "60000")]
    pub timeout_ms: i32,
    /// The levels.
    pub feature_updates: Vec<FeatureUpdateKey>,
    /// Whether to check only.
    #[field(versions = "1+", default = "false")]
    pub validate_only: bool,
}

/// A feature's level.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct FeatureUpdateKey {
    /// The feature.
    pub feature: Str,
    /// The level; below 1 removes the feature.
    pub max_version_level: i16,
    /// Whether it may go down.
    #[field(versions = "0")]
    pub allow_downgrade: bool,
    /// 1 up only, 2 down where nothing is lost, 3 down whatever is lost (KIP-778).
    #[field(versions = "1+", default = "1")]
    pub upgrade_type: i8,
}

/// What became of it; all or nothing from version 2 on.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "response", key = 57, versions = "0-2", flexible = "0+")]
pub struct UpdateFeaturesResponse {
    /// How long the client is held back for a quota, in milliseconds.
    pub throttle_time_ms: i32,
    /// INVALID_UPDATE_VERSION, FEATURE_UPDATE_FAILED, INVALID_REQUEST, CLUSTER_AUTHORIZATION_FAILED, NOT_CONTROLLER.
    pub error_code: ErrorCode,
    /// The error in words, or null.
    #[field(nullable = "0+")]
    pub error_message: Option<Str>,
    /// Answers by feature.
    #[field(versions = "0-1", ignorable)]
    pub results: Vec<UpdatableFeatureResult>,
}

/// A feature's answer.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct UpdatableFeatureResult {
    /// The feature.
    pub feature: Str,
    /// NONE, or why this feature alone was not changed: INVALID_UPDATE_VERSION, FEATURE_UPDATE_FAILED, INVALID_REQUEST.
    pub error_code: ErrorCode,
    /// The error in words, or null.
    #[field(nullable = "0+")]
    pub error_message: Option<Str>,
}
