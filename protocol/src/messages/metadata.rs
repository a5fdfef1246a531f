//! Metadata: brokers, topics, and who leads which partition.

use crate::derive::{Message, Struct};
use crate::{ErrorCode, Str, Uuid};

/// Asks for the cluster's brokers and for topics.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "request", key = 3, versions = "0-13", flexible = "9+")]
pub struct MetadataRequest {
    /// The topics; null for all. In version 0 an empty list means all, from version 1 on it means none.
    #[field(nullable = "1+")]
    pub topics: Option<Vec<MetadataRequestTopic>>,
    /// Whether unknown topics may be created, where the broker is set to do so. Versions before have always been
    /// allowed to.
    #[field(versions = "4+", default = "true")]
    pub allow_auto_topic_creation: bool,
    /// Whether to say what the client may do with the cluster (KIP-430); DescribeCluster does that now.
    #[field(versions = "8-10")]
    pub include_cluster_authorized_operations: bool,
    /// Whether to say what the client may do with each topic (KIP-430).
    #[field(versions = "8+")]
    pub include_topic_authorized_operations: bool,
}

/// A topic asked for.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct MetadataRequestTopic {
    /// The topic's id, zero to ask by name. Kafka answers by id from version 12 on.
    #[field(versions = "10+", ignorable)]
    pub topic_id: Uuid,
    /// The topic's name, null to ask by id.
    #[field(nullable = "10+")]
    pub name: Option<Str>,
}

/// The cluster as the broker sees it.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "response", key = 3, versions = "0-13", flexible = "9+")]
pub struct MetadataResponse {
    /// How long the client is held back for a quota, in milliseconds.
    #[field(versions = "3+", ignorable)]
    pub throttle_time_ms: i32,
    /// Brokers that are alive, at their addresses for this listener.
    pub brokers: Vec<MetadataResponseBroker>,
    /// Name of the cluster, null when unknown (KIP-78).
    #[field(versions = "2+", nullable = "2+", default = "null", ignorable)]
    pub cluster_id: Option<Str>,
    /// A broker to send changes to, -1 for none. Under KRaft it is any broker: all forward.
    #[field(versions = "1+", default = "-1", ignorable)]
    pub controller_id: i32,
    /// The topics.
    pub topics: Vec<MetadataResponseTopic>,
    /// What the client may do with the cluster, a bit per operation; the smallest int32 when not asked.
    #[field(versions = "8-10", default = "-2147483648")]
    pub cluster_authorized_operations: i32,
    /// For the request as a whole: REBOOTSTRAP_REQUIRED (KIP-1102).
    #[field(versions = "13+", ignorable)]
    pub error_code: ErrorCode,
}

/// A broker.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct MetadataResponseBroker {
    /// Its id.
    pub node_id: i32,
    /// Host name or address.
    pub host: Str,
    /// TCP port.
    pub port: i32,
    /// Where it stands (`broker.rack`).
    #[field(versions = "1+", nullable = "1+", default = "null", ignorable)]
    pub rack: Option<Str>,
}

/// A topic.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct MetadataResponseTopic {
    /// UNKNOWN_TOPIC_OR_PARTITION, UNKNOWN_TOPIC_ID, LEADER_NOT_AVAILABLE (being created), INVALID_TOPIC_EXCEPTION,
    /// TOPIC_AUTHORIZATION_FAILED, ...
    pub error_code: ErrorCode,
    /// Its name; null when asked by an id that is unknown.
    #[field(nullable = "12+")]
    pub name: Option<Str>,
    /// Its id; zero when unknown.
    #[field(versions = "10+", ignorable)]
    pub topic_id: Uuid,
    /// Whether the cluster keeps its own state in it.
    #[field(versions = "1+", default = "false", ignorable)]
    pub is_internal: bool,
    /// Its partitions.
    pub partitions: Vec<MetadataResponsePartition>,
    /// What the client may do with the topic, a bit per operation; the smallest int32 when not asked.
    #[field(versions = "8+", default = "-2147483648")]
    pub topic_authorized_operations: i32,
}

/// A partition.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct MetadataResponsePartition {
    /// LEADER_NOT_AVAILABLE, LISTENER_NOT_FOUND, REPLICA_NOT_AVAILABLE (versions 0 and 1 only).
    pub error_code: ErrorCode,
    /// The partition.
    pub partition_index: i32,
    /// The leader, -1 for none.
    pub leader_id: i32,
    /// Epoch of the leader (KIP-320).
    #[field(versions = "7+", default = "-1", ignorable)]
    pub leader_epoch: i32,
    /// Brokers with a replica, the preferred leader first.
    pub replica_nodes: Vec<i32>,
    /// Replicas in sync.
    pub isr_nodes: Vec<i32>,
    /// Replicas whose broker or disk is gone (KIP-112).
    #[field(versions = "5+", ignorable)]
    pub offline_replicas: Vec<i32>,
}
