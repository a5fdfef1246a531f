//! DescribeCluster: name, nodes and controller (KIP-700).

use crate::derive::{Message, Struct};
use crate::{ErrorCode, Str};

/// Asks about the cluster.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "request", key = 60, versions = "0-2", flexible = "0+")]
pub struct DescribeClusterRequest {
    /// Whether to say what the client may do with the cluster.
    pub include_cluster_authorized_operations: bool,
    /// Which nodes to list: 1 brokers, 2 controllers (KIP-919). MISMATCHED_ENDPOINT_TYPE when the node asked is of
    /// the other kind.
    #[field(versions = "1+", default = "1")]
    pub endpoint_type: i8,
    /// Whether to list fenced brokers too (KIP-1073).
    #[field(versions = "2+")]
    pub include_fenced_brokers: bool,
}

/// The cluster.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "response", key = 60, versions = "0-2", flexible = "0+")]
pub struct DescribeClusterResponse {
    /// How long the client is held back for a quota, in milliseconds.
    pub throttle_time_ms: i32,
    /// MISMATCHED_ENDPOINT_TYPE, UNSUPPORTED_ENDPOINT_TYPE, UNSUPPORTED_VERSION.
    pub error_code: ErrorCode,
    /// The error in words, or null.
    #[field(nullable = "0+", default = "null")]
    pub error_message: Option<Str>,
    /// Which nodes are listed.
    #[field(versions = "1+", default = "1")]
    pub endpoint_type: i8,
    /// The cluster's name.
    pub cluster_id: Str,
    /// The active controller where controllers are listed, else a broker to send changes to; -1 for none.
    #[field(default = "-1")]
    pub controller_id: i32,
    /// The nodes.
    pub brokers: Vec<DescribeClusterBroker>,
    /// What the client may do with the cluster, a bit per operation; the smallest int32 when not asked.
    #[field(default = "-2147483648")]
    pub cluster_authorized_operations: i32,
}

/// A node.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct DescribeClusterBroker {
    /// Its id.
    pub broker_id: i32,
    /// Host name or address.
    pub host: Str,
    /// TCP port.
    pub port: i32,
    /// Where it stands (`broker.rack`).
    #[field(nullable = "0+", default = "null")]
    pub rack: Option<Str>,
    /// Whether it is fenced: registered, but not to be used.
    #[field(versions = "2+")]
    pub is_fenced: bool,
}
