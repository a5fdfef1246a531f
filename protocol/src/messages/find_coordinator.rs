//! FindCoordinator: which broker coordinates a group, a transactional id or a share partition.

use crate::derive::{Message, Struct};
use crate::{ErrorCode, Str};

/// Asks for coordinators. Version 4 asks for many at once (KIP-699), version 6 knows share groups (KIP-932).
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "request", key = 10, versions = "0-6", flexible = "3+")]
pub struct FindCoordinatorRequest {
    /// The group or transactional id.
    #[field(versions = "0-3")]
    pub key: Str,
    /// 0 group, 1 transactional id, 2 share partition (`group:topicId:partition`).
    #[field(versions = "1+", default = "0")]
    pub key_type: i8,
    /// The keys, all of one type.
    #[field(versions = "4+")]
    pub coordinator_keys: Vec<Str>,
}

/// The coordinators.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "response", key = 10, versions = "0-6", flexible = "3+")]
pub struct FindCoordinatorResponse {
    /// How long the client is held back for a quota, in milliseconds.
    #[field(versions = "1+", ignorable)]
    pub throttle_time_ms: i32,
    /// COORDINATOR_NOT_AVAILABLE, INVALID_REQUEST, GROUP_AUTHORIZATION_FAILED,
    /// TRANSACTIONAL_ID_AUTHORIZATION_FAILED.
    #[field(versions = "0-3")]
    pub error_code: ErrorCode,
    /// The error in words, or null.
    #[field(versions = "1-3", nullable = "1-3", ignorable)]
    pub error_message: Option<Str>,
    /// The broker; -1 on an error.
    #[field(versions = "0-3")]
    pub node_id: i32,
    /// Its host; empty on an error.
    #[field(versions = "0-3")]
    pub host: Str,
    /// Its port; -1 on an error.
    #[field(versions = "0-3")]
    pub port: i32,
    /// Answers by key.
    #[field(versions = "4+")]
    pub coordinators: Vec<Coordinator>,
}

/// The coordinator of a key.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct Coordinator {
    /// The group, transactional id or share partition that was asked about.
    pub key: Str,
    /// The broker; -1 on an error.
    pub node_id: i32,
    /// Its host; empty on an error.
    pub host: Str,
    /// Its port; -1 on an error.
    pub port: i32,
    /// COORDINATOR_NOT_AVAILABLE, INVALID_REQUEST, GROUP_AUTHORIZATION_FAILED,
    /// TRANSACTIONAL_ID_AUTHORIZATION_FAILED, TRANSACTION_ABORTABLE (version 5, KIP-890).
    pub error_code: ErrorCode,
    /// The error in words, or null.
    #[field(nullable = "4+", ignorable)]
    pub error_message: Option<Str>,
}
