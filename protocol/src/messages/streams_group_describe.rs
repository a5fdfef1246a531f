//! StreamsGroupDescribe: streams groups with their topology and members (KIP-1071).

use super::streams_group_heartbeat::{Endpoint, KeyValue, TaskIds, TaskOffset, TopicInfo};
use super::streams_group_topology_description_update::TopologyDescription;
use crate::derive::{Message, Struct};
use crate::{ErrorCode, Str};

/// Asks about groups that this broker coordinates.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "request", key = 89, versions = "0-1", flexible = "0+")]
pub struct StreamsGroupDescribeRequest {
    /// The groups.
    pub group_ids: Vec<Str>,
    /// Whether to say what the client may do with each.
    pub include_authorized_operations: bool,
    /// Whether to send the description that members pushed.
    #[field(versions = "1+", default = "false")]
    pub include_topology_description: bool,
}

/// The groups.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "response", key = 89, versions = "0-1", flexible = "0+")]
pub struct StreamsGroupDescribeResponse {
    /// How long the client is held back for a quota, in milliseconds.
    pub throttle_time_ms: i32,
    /// Answers by group.
    pub groups: Vec<DescribedGroup>,
}

/// A group.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct DescribedGroup {
    /// GROUP_ID_NOT_FOUND, INVALID_GROUP_ID, INVALID_REQUEST, the authorizations, and those of the coordinator.
    pub error_code: ErrorCode,
    /// The error in words, or null.
    #[field(nullable = "0+", default = "null")]
    pub error_message: Option<Str>,
    /// The group.
    pub group_id: Str,
    /// `Empty`, `NotReady`, `Assigning`, `Reconciling`, `Stable`, `Dead`; empty on an error.
    pub group_state: Str,
    /// Counts the changes of members and topology.
    pub group_epoch: i32,
    /// The group epoch that the target assignment was made for.
    pub assignment_epoch: i32,
    /// What the group computes; null on an error.
    #[field(nullable = "0+", default = "null")]
    pub topology: Option<Topology>,
    /// The members.
    pub members: Vec<Member>,
    /// What the client may do with the group, a bit per operation; the smallest int32 when not asked.
    #[field(default = "-2147483648")]
    pub authorized_operations: i32,
    /// The description, where its status is 3.
    #[field(versions = "1+", nullable = "1+", default = "null")]
    pub topology_description: Option<TopologyDescription>,
    /// 0 not asked for, 1 none is stored, 2 could not be read, 3 here it is.
    #[field(versions = "1+", default = "0")]
    pub topology_description_status: i8,
    /// The assignor that will be used next; null on an error.
    #[field(versions = "1+", nullable = "1+", default = "null", ignorable)]
    pub assignor_name: Option<Str>,
}

/// What a group computes.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct Topology {
    /// Counts the application's own changes.
    pub epoch: i32,
    /// Its parts; null while topics are missing or do not fit.
    #[field(nullable = "0+", default = "null")]
    pub subtopologies: Option<Vec<Subtopology>>,
}

/// A part of a topology, with regular expressions resolved.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct Subtopology {
    /// Its name.
    pub subtopology_id: Str,
    /// Topics that it reads.
    pub source_topics: Vec<Str>,
    /// Repartition topics that it writes.
    pub repartition_sink_topics: Vec<Str>,
    /// Changelogs of its state.
    pub state_changelog_topics: Vec<TopicInfo>,
    /// Repartition topics that it reads.
    pub repartition_source_topics: Vec<TopicInfo>,
}

/// A member.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct Member {
    /// Its id.
    pub member_id: Str,
    /// The epoch that it is in.
    pub member_epoch: i32,
    /// Its instance where it is static.
    #[field(nullable = "0+", default = "null")]
    pub instance_id: Option<Str>,
    /// Where it stands.
    #[field(nullable = "0+", default = "null")]
    pub rack_id: Option<Str>,
    /// Client id of its requests.
    pub client_id: Str,
    /// Where it connected from.
    pub client_host: Str,
    /// Epoch of the topology that it runs.
    pub topology_epoch: i32,
    /// Names its process.
    pub process_id: Str,
    /// Where its state can be queried, or null.
    #[field(nullable = "0+", default = "null")]
    pub user_endpoint: Option<Endpoint>,
    /// What assignments that know racks go by.
    pub client_tags: Vec<KeyValue>,
    /// How far the state of its tasks is.
    pub task_offsets: Vec<TaskOffset>,
    /// How far it could be.
    pub task_end_offsets: Vec<TaskOffset>,
    /// What it has.
    pub assignment: Assignment,
    /// What it is to have.
    pub target_assignment: Assignment,
    /// Whether it is of the classic protocol.
    pub is_classic: bool,
}

/// Tasks of a member.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct Assignment {
    /// Tasks that it runs.
    pub active_tasks: Vec<TaskIds>,
    /// Tasks whose state it keeps a copy of.
    pub standby_tasks: Vec<TaskIds>,
    /// Tasks whose state it is building up.
    pub warmup_tasks: Vec<TaskIds>,
}
