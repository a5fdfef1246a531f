//! AlterClientQuotas: sets and removes quotas (KIP-546).

use crate::derive::{Message, Struct};
use crate::{ErrorCode, Str};

/// What to change.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "request", key = 49, versions = "0-1", flexible = "1+")]
pub struct AlterClientQuotasRequest {
    /// Changes by entity.
    pub entries: Vec<EntryData>,
    /// Whether to check only.
    pub validate_only: bool,
}

/// An entity's changes.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct EntryData {
    /// Whose quotas change: components such as a user and one of its client ids.
    pub entity: Vec<EntityData>,
    /// What changes, a quota each.
    pub ops: Vec<OpData>,
}

/// A component of an entity.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct EntityData {
    /// `user`, `client-id` or `ip`.
    pub entity_type: Str,
    /// Its name, null for the default.
    #[field(nullable = "0+")]
    pub entity_name: Option<Str>,
}

/// A change.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct OpData {
    /// Such as `producer_byte_rate`.
    pub key: Str,
    /// The limit to set: bytes or changes a second, or percent of a thread for `request_percentage`.
    pub value: f64,
    /// Whether to remove it instead.
    pub remove: bool,
}

/// What became of it.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "response", key = 49, versions = "0-1", flexible = "1+")]
pub struct AlterClientQuotasResponse {
    /// How long the client is held back for a quota, in milliseconds.
    pub throttle_time_ms: i32,
    /// Answers by entity.
    pub entries: Vec<AlteredEntryData>,
}

/// An entity's answer.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct AlteredEntryData {
    /// INVALID_REQUEST, CLUSTER_AUTHORIZATION_FAILED.
    pub error_code: ErrorCode,
    /// The error in words, or null.
    #[field(nullable = "0+")]
    pub error_message: Option<Str>,
    /// Whose quotas were to change, as in the request.
    pub entity: Vec<EntityData>,
}
