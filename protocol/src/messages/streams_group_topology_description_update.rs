//! StreamsGroupTopologyDescriptionUpdate: a member describes what its application computes, for people (KIP-1331).

use crate::derive::{Message, Struct};
use crate::{ErrorCode, Str};

/// What a member has found its application to compute.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "request", key = 93, versions = "0", flexible = "0+")]
pub struct StreamsGroupTopologyDescriptionUpdateRequest {
    /// The group.
    pub group_id: Str,
    /// The member; UNKNOWN_MEMBER_ID when it is not, or no longer, in the group.
    pub member_id: Str,
    /// Epoch of the topology that is described.
    pub topology_epoch: i32,
    /// The nodes of the topology, and how they hang together.
    pub topology_description: TopologyDescription,
}

/// A topology in words.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct TopologyDescription {
    /// Its parts that are not connected with each other: each can run as tasks of its own.
    pub subtopologies: Vec<TopologyDescriptionSubtopology>,
    /// State that every member has whole.
    pub global_stores: Vec<TopologyDescriptionGlobalStore>,
}

/// A part of a topology.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct TopologyDescriptionSubtopology {
    /// Its name.
    pub subtopology_id: Str,
    /// Its sources, processors and sinks.
    pub nodes: Vec<TopologyDescriptionNode>,
}

/// A node of a topology.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct TopologyDescriptionNode {
    /// Its name.
    pub name: Str,
    /// 1 source, 2 processor, 3 sink.
    pub node_type: i8,
    /// Topics that a source reads; empty where they are found at run time.
    pub source_topics: Vec<Str>,
    /// Topic that a sink writes; null where it is chosen at run time.
    #[field(nullable = "0+", default = "null")]
    pub sink_topic: Option<Str>,
    /// State that a processor uses.
    pub stores: Vec<Str>,
    /// Nodes that come after it.
    pub successors: Vec<Str>,
}

/// State that every member has whole.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct TopologyDescriptionGlobalStore {
    /// Where it comes from.
    pub source: TopologyDescriptionNode,
    /// What fills it.
    pub processor: TopologyDescriptionNode,
}

/// What became of it.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "response", key = 93, versions = "0", flexible = "0+")]
pub struct StreamsGroupTopologyDescriptionUpdateResponse {
    /// How long the client is held back for a quota, in milliseconds.
    pub throttle_time_ms: i32,
    /// UNKNOWN_MEMBER_ID, GROUP_ID_NOT_FOUND, INVALID_REQUEST, STREAMS_TOPOLOGY_DESCRIPTION_UPDATE_FAILED,
    /// UNSUPPORTED_VERSION (no place to store it), GROUP_AUTHORIZATION_FAILED, and those of the coordinator.
    pub error_code: ErrorCode,
    /// The error in words, or null.
    #[field(nullable = "0+", default = "null")]
    pub error_message: Option<Str>,
}
