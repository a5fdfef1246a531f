//! StreamsGroupHeartbeat: the one request of a member of a streams group (KIP-1071).

use crate::derive::{Message, Struct};
use crate::{ErrorCode, Str};

/// What the member is and has. A field that may be null is null while it has not changed.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "request", key = 88, versions = "0-1", flexible = "0+")]
pub struct StreamsGroupHeartbeatRequest {
    /// The group: the application's id.
    pub group_id: Str,
    /// The member; it chooses its id and keeps it.
    pub member_id: Str,
    /// The epoch that the member is in: 0 to join, -1 to leave, -2 to leave for a while as a static member.
    pub member_epoch: i32,
    /// The last epoch of endpoints that it got.
    pub endpoint_information_epoch: i32,
    /// Instance of a static member.
    #[field(nullable = "0+", default = "null")]
    pub instance_id: Option<Str>,
    /// Where it stands.
    #[field(nullable = "0+", default = "null")]
    pub rack_id: Option<Str>,
    /// How long it may take to give up tasks, in milliseconds; -1 while unchanged.
    #[field(default = "-1")]
    pub rebalance_timeout_ms: i32,
    /// What the application computes; only to join.
    #[field(nullable = "0+", default = "null")]
    pub topology: Option<Topology>,
    /// Tasks that it runs.
    #[field(nullable = "0+", default = "null")]
    pub active_tasks: Option<Vec<TaskIds>>,
    /// Tasks whose state it keeps a copy of.
    #[field(nullable = "0+", default = "null")]
    pub standby_tasks: Option<Vec<TaskIds>>,
    /// Tasks whose state it is building up in order to run them.
    #[field(nullable = "0+", default = "null")]
    pub warmup_tasks: Option<Vec<TaskIds>>,
    /// Names the process, which may have several members.
    #[field(nullable = "0+", default = "null")]
    pub process_id: Option<Str>,
    /// Where its state can be queried.
    #[field(nullable = "0+", default = "null")]
    pub user_endpoint: Option<Endpoint>,
    /// What assignments that know racks go by.
    #[field(nullable = "0+", default = "null")]
    pub client_tags: Option<Vec<KeyValue>>,
    /// How far the state of its tasks is, in offsets of all their changelogs together.
    #[field(nullable = "0+", default = "null")]
    pub task_offsets: Option<Vec<TaskOffset>>,
    /// How far it could be.
    #[field(nullable = "0+", default = "null")]
    pub task_end_offsets: Option<Vec<TaskOffset>>,
    /// Whether all members are to stop.
    #[field(default = "false")]
    pub shutdown_application: bool,
}

/// What an application computes.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct Topology {
    /// Counts the application's own changes; a lower one than the group's is STREAMS_TOPOLOGY_FENCED.
    pub epoch: i32,
    /// Parts that share no topic within the application.
    pub subtopologies: Vec<Subtopology>,
}

/// A part of a topology. Each of its partitions is a task.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct Subtopology {
    /// Its name, the same in all members.
    pub subtopology_id: Str,
    /// Topics that it reads.
    pub source_topics: Vec<Str>,
    /// Regular expressions for topics that it reads.
    pub source_topic_regex: Vec<Str>,
    /// Changelogs of its state; the broker creates them.
    pub state_changelog_topics: Vec<TopicInfo>,
    /// Repartition topics that it writes.
    pub repartition_sink_topics: Vec<Str>,
    /// Repartition topics that it reads; the broker creates them.
    pub repartition_source_topics: Vec<TopicInfo>,
    /// Topics that need the same number of partitions.
    pub copartition_groups: Vec<CopartitionGroup>,
}

/// A topic to be created.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct TopicInfo {
    /// Its name.
    pub name: Str,
    /// Number of partitions, 0 to derive it; always 0 for changelogs.
    pub partitions: i32,
    /// Replicas, 0 for the default.
    pub replication_factor: i16,
    /// Settings that differ from the defaults.
    pub topic_configs: Vec<KeyValue>,
}

/// Topics that need the same number of partitions, as positions in the lists of their subtopology.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct CopartitionGroup {
    /// Positions in `source_topics`.
    pub source_topics: Vec<i16>,
    /// Positions in `source_topic_regex`.
    pub source_topic_regex: Vec<i16>,
    /// Positions in `repartition_source_topics`.
    pub repartition_source_topics: Vec<i16>,
}

/// A pair.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct KeyValue {
    /// Its name.
    pub key: Str,
    /// Its value.
    pub value: Str,
}

/// Where a member's state can be queried.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct Endpoint {
    /// Host name or address.
    pub host: Str,
    /// TCP port.
    pub port: u16,
}

/// How far a task is.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct TaskOffset {
    /// The task's subtopology.
    pub subtopology_id: Str,
    /// The task's partition.
    pub partition: i32,
    /// The offset.
    pub offset: i64,
}

/// Tasks of a subtopology.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct TaskIds {
    /// The subtopology.
    pub subtopology_id: Str,
    /// The partitions.
    pub partitions: Vec<i32>,
}

/// What the member is to have.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "response", key = 88, versions = "0-1", flexible = "0+")]
pub struct StreamsGroupHeartbeatResponse {
    /// How long the client is held back for a quota, in milliseconds.
    pub throttle_time_ms: i32,
    /// UNKNOWN_MEMBER_ID, GROUP_ID_NOT_FOUND, FENCED_MEMBER_EPOCH, UNRELEASED_INSTANCE_ID, GROUP_MAX_SIZE_REACHED,
    /// STREAMS_INVALID_TOPOLOGY, STREAMS_INVALID_TOPOLOGY_EPOCH, STREAMS_TOPOLOGY_FENCED, INVALID_REQUEST, the
    /// authorizations, and those of the coordinator.
    pub error_code: ErrorCode,
    /// The error in words, or null.
    #[field(nullable = "0+", default = "null")]
    pub error_message: Option<Str>,
    /// The member.
    pub member_id: Str,
    /// The epoch that the member is in from here on.
    pub member_epoch: i32,
    /// When to send the next heartbeat, in milliseconds from now.
    pub heartbeat_interval_ms: i32,
    /// As `acceptable_recovery_lag`, which follows it.
    #[field(versions = "0")]
    pub acceptable_recovery_lag_legacy: i32,
    /// How often to send offsets of tasks, in milliseconds.
    pub task_offset_interval_ms: i32,
    /// How many offsets a state may be behind for its task to run there at once; -1 when the broker does not say.
    #[field(versions = "1+", default = "-1", ignorable)]
    pub acceptable_recovery_lag: i64,
    /// What is wrong or special with the group.
    #[field(nullable = "0+")]
    pub status: Option<Vec<Status>>,
    /// Tasks that it is to run; null while unchanged.
    #[field(nullable = "0+", default = "null")]
    pub active_tasks: Option<Vec<TaskIds>>,
    /// Tasks whose state it is to keep a copy of; null while unchanged.
    #[field(nullable = "0+", default = "null")]
    pub standby_tasks: Option<Vec<TaskIds>>,
    /// Tasks whose state it is to build up; null while unchanged.
    #[field(nullable = "0+", default = "null")]
    pub warmup_tasks: Option<Vec<TaskIds>>,
    /// Whether it is to send a description with StreamsGroupTopologyDescriptionUpdate.
    #[field(versions = "1+", default = "false")]
    pub topology_description_required: bool,
    /// Epoch of the endpoints.
    pub endpoint_information_epoch: i32,
    /// Where which partition's state can be queried: an entry a member; null while unchanged.
    #[field(nullable = "0+", default = "null")]
    pub partitions_by_user_endpoint: Option<Vec<EndpointToPartitions>>,
}

/// Something wrong or special with the group.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct Status {
    /// 0 stale topology, 1 missing source topics, 2 incorrectly partitioned topics, 3 missing internal topics, 4 the
    /// application shuts down, 5 assignment delayed, 6 missing client tags (version 1).
    pub status_code: i8,
    /// The same in words, with the topics or tags that it is about.
    pub status_detail: Str,
}

/// What can be queried at an endpoint.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct EndpointToPartitions {
    /// The endpoint.
    pub user_endpoint: Endpoint,
    /// Partitions read by tasks that run there.
    pub active_partitions: Vec<TopicPartition>,
    /// Partitions read by tasks of which it has a copy.
    pub standby_partitions: Vec<TopicPartition>,
}

/// Partitions of a topic.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct TopicPartition {
    /// The topic.
    pub topic: Str,
    /// The partitions.
    pub partitions: Vec<i32>,
}
