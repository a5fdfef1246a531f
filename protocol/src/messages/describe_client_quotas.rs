//! DescribeClientQuotas: lists quotas of users, client ids and addresses (KIP-546).

use crate::derive::{Message, Struct};
use crate::{ErrorCode, Str};

/// Asks for the quotas of all entities that match.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "request", key = 48, versions = "0-1", flexible = "1+")]
pub struct DescribeClientQuotasRequest {
    /// What has to match, all of it.
    pub components: Vec<ComponentData>,
    /// Whether entities with further components are left out.
    pub strict: bool,
}

/// A component to match.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct ComponentData {
    /// `user`, `client-id` or `ip`.
    pub entity_type: Str,
    /// 0 the name in `match`, 1 the default, 2 any name.
    pub match_type: i8,
    /// The name; null unless the type is 0.
    #[field(nullable = "0+")]
    pub r#match: Option<Str>,
}

/// The quotas.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "response", key = 48, versions = "0-1", flexible = "1+")]
pub struct DescribeClientQuotasResponse {
    /// How long the client is held back for a quota, in milliseconds.
    pub throttle_time_ms: i32,
    /// INVALID_REQUEST, UNSUPPORTED_VERSION (a kind of entity that has no quotas), CLUSTER_AUTHORIZATION_FAILED.
    pub error_code: ErrorCode,
    /// The error in words, or null.
    #[field(nullable = "0+")]
    pub error_message: Option<Str>,
    /// Entities that match; null on an error.
    #[field(nullable = "0+")]
    pub entries: Option<Vec<EntryData>>,
}

/// An entity with its quotas.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct EntryData {
    /// What the quotas hold for: components such as a user and one of its client ids.
    pub entity: Vec<EntityData>,
    /// Its quotas.
    pub values: Vec<ValueData>,
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

/// A quota.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct ValueData {
    /// Such as `producer_byte_rate`.
    pub key: Str,
    /// The limit: bytes or changes a second, or percent of a thread for `request_percentage`.
    pub value: f64,
}
