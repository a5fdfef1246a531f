//! What consumers say to one another through JoinGroup and SyncGroup. An int16 version stands before each.
//!
//! A reader that knows fewer versions reads the fields it knows and leaves the rest. (Kafka: `ConsumerProtocol`.)

use bytes::Bytes;

use crate::Str;
use crate::derive::{Message, Struct};

/// What a consumer wants to read.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "data", versions = "0-3")]
pub struct ConsumerProtocolSubscription {
    /// The topics.
    pub topics: Vec<Str>,
    /// Data of the assignor.
    #[field(nullable = "0+", default = "null")]
    pub user_data: Option<Bytes>,
    /// What the consumer holds at present (KIP-429).
    #[field(versions = "1+", ignorable)]
    pub owned_partitions: Vec<TopicPartition>,
    /// Generation in which it got that, -1 when unknown (KIP-792).
    #[field(versions = "2+", default = "-1", ignorable)]
    pub generation_id: i32,
    /// Where it stands (KIP-881).
    #[field(versions = "3+", nullable = "3+", default = "null", ignorable)]
    pub rack_id: Option<Str>,
}

/// What a consumer is to read.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "data", versions = "0-3")]
pub struct ConsumerProtocolAssignment {
    /// The partitions.
    pub assigned_partitions: Vec<TopicPartition>,
    /// Data of the assignor.
    #[field(nullable = "0+", default = "null")]
    pub user_data: Option<Bytes>,
}

/// Partitions of a topic.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct TopicPartition {
    /// The topic.
    pub topic: Str,
    /// The partitions.
    pub partitions: Vec<i32>,
}
