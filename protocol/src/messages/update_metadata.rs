//! UpdateMetadata: a ZooKeeper controller tells brokers what they are to answer to Metadata.
//!
//! Gone with Kafka 4.0. Declared so that such a request can be recognised and told apart.

use crate::derive::{Message, Struct};
use crate::{ErrorCode, Str, Uuid};

/// Brokers, and partitions that changed.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "request", key = 6, versions = "0-8", flexible = "6+")]
pub struct UpdateMetadataRequest {
    /// The controller.
    pub controller_id: i32,
    /// Whether it is a KRaft controller that leads a cluster on its way from ZooKeeper (KIP-866).
    #[field(versions = "8+", default = "false")]
    pub is_k_raft_controller: bool,
    /// 0 unknown, 1 some partitions, 2 all partitions.
    #[field(versions = "8+", tag = 0, tagged = "8+", default = "0")]
    pub r#type: i8,
    /// The controller's epoch.
    pub controller_epoch: i32,
    /// The broker's epoch, -1 when unknown (KIP-380).
    #[field(versions = "5+", default = "-1", ignorable)]
    pub broker_epoch: i64,
    /// The partitions.
    #[field(versions = "0-4")]
    pub ungrouped_partition_states: Vec<UpdateMetadataPartitionState>,
    /// The partitions by topic.
    #[field(versions = "5+")]
    pub topic_states: Vec<UpdateMetadataTopicState>,
    /// Brokers that are alive.
    pub live_brokers: Vec<UpdateMetadataBroker>,
}

/// A topic.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct UpdateMetadataTopicState {
    /// The topic's name.
    pub topic_name: Str,
    /// The topic's id.
    #[field(versions = "7+", ignorable)]
    pub topic_id: Uuid,
    /// Its partitions.
    pub partition_states: Vec<UpdateMetadataPartitionState>,
}

/// A partition.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct UpdateMetadataPartitionState {
    /// The topic's name, where partitions are not grouped by topic.
    #[field(versions = "0-4", ignorable)]
    pub topic_name: Str,
    /// The partition.
    pub partition_index: i32,
    /// Epoch of the controller that decided.
    pub controller_epoch: i32,
    /// The leader, -1 for none, -2 while the topic is being deleted.
    pub leader: i32,
    /// Its epoch.
    pub leader_epoch: i32,
    /// Replicas in sync.
    pub isr: Vec<i32>,
    /// Version of the partition's node in ZooKeeper.
    pub zk_version: i32,
    /// All replicas.
    pub replicas: Vec<i32>,
    /// Replicas whose broker or disk is gone.
    #[field(versions = "4+", ignorable)]
    pub offline_replicas: Vec<i32>,
}

/// A broker.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct UpdateMetadataBroker {
    /// Its id.
    pub id: i32,
    /// Host name or address.
    #[field(versions = "0", ignorable)]
    pub v0_host: Str,
    /// TCP port.
    #[field(versions = "0", ignorable)]
    pub v0_port: i32,
    /// Its listeners.
    #[field(versions = "1+", ignorable)]
    pub endpoints: Vec<UpdateMetadataEndpoint>,
    /// Where it stands (`broker.rack`).
    #[field(versions = "2+", nullable = "0+", ignorable)]
    pub rack: Option<Str>,
}

/// A listener.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct UpdateMetadataEndpoint {
    /// TCP port.
    pub port: i32,
    /// Host name or address.
    pub host: Str,
    /// Name of the listener.
    #[field(versions = "3+", ignorable)]
    pub listener: Str,
    /// 0 PLAINTEXT, 1 SSL, 2 SASL_PLAINTEXT, 3 SASL_SSL.
    pub security_protocol: i16,
}

/// What became of it.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "response", key = 6, versions = "0-8", flexible = "6+")]
pub struct UpdateMetadataResponse {
    /// STALE_CONTROLLER_EPOCH, STALE_BROKER_EPOCH.
    pub error_code: ErrorCode,
}
