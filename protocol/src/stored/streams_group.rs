//! `__consumer_offsets`: streams groups (KIP-1071). Framed as told in `offsets`.

use crate::Str;
use crate::derive::{Message, Struct};

/// Names a group's epoch.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "data", key = 17, versions = "0")]
pub struct StreamsGroupMetadataKey {
    /// The group.
    pub group_id: Str,
}

/// A group's epoch.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "data", key = 17, versions = "0", flexible = "0+")]
pub struct StreamsGroupMetadataValue {
    /// Counts the changes of members, topology and topics.
    pub epoch: i32,
    /// Hash over the topics that the group reads.
    pub metadata_hash: i64,
    /// Epoch of the topology that was found to fit its topics, -1 for none.
    #[field(tag = 0, tagged = "0+", default = "-1")]
    pub validated_topology_epoch: i32,
    /// Settings that the last assignment was made with.
    #[field(nullable = "0+", tag = 1, tagged = "0+")]
    pub last_assignment_configs: Option<Vec<LastAssignmentConfig>>,
    /// Epoch of the topology whose description is stored, -1 for none.
    #[field(tag = 2, tagged = "0+", default = "-1")]
    pub stored_description_topology_epoch: i32,
    /// Epoch of the topology whose description could not be stored, -1 for none.
    #[field(tag = 3, tagged = "0+", default = "-1")]
    pub failed_description_topology_epoch: i32,
}

/// A setting of the assignor.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct LastAssignmentConfig {
    /// Its name.
    pub key: Str,
    /// Its value.
    pub value: Str,
}

/// Names a member.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "data", key = 19, versions = "0")]
pub struct StreamsGroupMemberMetadataKey {
    /// The group.
    pub group_id: Str,
    /// The member.
    pub member_id: Str,
}

/// A member.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "data", key = 19, versions = "0", flexible = "0+")]
pub struct StreamsGroupMemberMetadataValue {
    /// Its instance where it is static.
    #[field(nullable = "0+")]
    pub instance_id: Option<Str>,
    /// Where it stands.
    #[field(nullable = "0+")]
    pub rack_id: Option<Str>,
    /// Client id of its requests.
    pub client_id: Str,
    /// Where it connected from.
    pub client_host: Str,
    /// How long it may take to give up tasks, in milliseconds; -1 when unknown.
    #[field(default = "-1")]
    pub rebalance_timeout_ms: i32,
    /// Epoch of the topology that it runs.
    pub topology_epoch: i32,
    /// Names its process.
    pub process_id: Str,
    /// Where its state can be queried.
    #[field(nullable = "0+", default = "null")]
    pub user_endpoint: Option<Endpoint>,
    /// What assignments that know racks go by.
    pub client_tags: Vec<KeyValue>,
}

/// Where a member's state can be queried.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct Endpoint {
    /// Host name or address.
    pub host: Str,
    /// TCP port.
    pub port: u16,
}

/// A pair.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct KeyValue {
    /// Its name.
    pub key: Str,
    /// Its value.
    pub value: Str,
}

/// Names the epoch of a target assignment.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "data", key = 20, versions = "0")]
pub struct StreamsGroupTargetAssignmentMetadataKey {
    /// The group.
    pub group_id: Str,
}

/// The epoch of a target assignment.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "data", key = 20, versions = "0", flexible = "0+")]
pub struct StreamsGroupTargetAssignmentMetadataValue {
    /// The group epoch that it was made for.
    pub assignment_epoch: i32,
    /// When it was made, in milliseconds since 1970; 0 when unknown.
    #[field(tag = 0, tagged = "0+", default = "0", ignorable)]
    pub assignment_timestamp: i64,
}

/// Names what a member is to have.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "data", key = 21, versions = "0")]
pub struct StreamsGroupTargetAssignmentMemberKey {
    /// The group.
    pub group_id: Str,
    /// The member.
    pub member_id: Str,
}

/// What a member is to have.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "data", key = 21, versions = "0", flexible = "0+")]
pub struct StreamsGroupTargetAssignmentMemberValue {
    /// Tasks that it is to run.
    pub active_tasks: Vec<TargetTaskIds>,
    /// Tasks whose state it is to keep a copy of.
    pub standby_tasks: Vec<TargetTaskIds>,
    /// Tasks whose state it is to build up.
    pub warmup_tasks: Vec<TargetTaskIds>,
}

/// Tasks of a subtopology.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct TargetTaskIds {
    /// The subtopology.
    pub subtopology_id: Str,
    /// The partitions.
    pub partitions: Vec<i32>,
}

/// Names what a member has.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "data", key = 22, versions = "0")]
pub struct StreamsGroupCurrentMemberAssignmentKey {
    /// The group.
    pub group_id: Str,
    /// The member.
    pub member_id: Str,
}

/// What a member has.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "data", key = 22, versions = "0", flexible = "0+")]
pub struct StreamsGroupCurrentMemberAssignmentValue {
    /// The epoch that it is in.
    pub member_epoch: i32,
    /// The epoch that it was in before.
    pub previous_member_epoch: i32,
    /// 0 stable, 1 gives up tasks, 2 waits for others to give up theirs, 127 unknown.
    pub state: i8,
    /// Tasks that it runs.
    pub active_tasks: Vec<TaskIds>,
    /// Tasks whose state it keeps a copy of.
    pub standby_tasks: Vec<TaskIds>,
    /// Tasks whose state it is building up.
    pub warmup_tasks: Vec<TaskIds>,
    /// Tasks that it runs and has not given up yet.
    pub active_tasks_pending_revocation: Vec<TaskIds>,
    /// Copies that it has not given up yet.
    pub standby_tasks_pending_revocation: Vec<TaskIds>,
    /// States being built up that it has not given up yet.
    pub warmup_tasks_pending_revocation: Vec<TaskIds>,
}

/// Tasks of a subtopology, with the epochs since when the member has them.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct TaskIds {
    /// The subtopology.
    pub subtopology_id: Str,
    /// The partitions.
    pub partitions: Vec<i32>,
    /// An epoch for each partition; empty or null when unknown.
    #[field(nullable = "0+", tag = 0, tagged = "0+")]
    pub assignment_epochs: Option<Vec<i32>>,
}

/// Names what a group computes.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "data", key = 23, versions = "0")]
pub struct StreamsGroupTopologyKey {
    /// The group.
    pub group_id: Str,
}

/// What a group computes, as in StreamsGroupHeartbeat.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "data", key = 23, versions = "0", flexible = "0+")]
pub struct StreamsGroupTopologyValue {
    /// Counts the application's own changes.
    pub epoch: i32,
    /// Parts that share no topic within the application.
    pub subtopologies: Vec<Subtopology>,
}

/// A part of a topology.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct Subtopology {
    /// Its name.
    pub subtopology_id: Str,
    /// Topics that it reads.
    pub source_topics: Vec<Str>,
    /// Regular expressions for topics that it reads.
    pub source_topic_regex: Vec<Str>,
    /// Changelogs of its state.
    pub state_changelog_topics: Vec<TopicInfo>,
    /// Repartition topics that it writes.
    pub repartition_sink_topics: Vec<Str>,
    /// Repartition topics that it reads.
    pub repartition_source_topics: Vec<TopicInfo>,
    /// Topics that need the same number of partitions.
    pub copartition_groups: Vec<CopartitionGroup>,
}

/// A topic to be created.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct TopicInfo {
    /// Its name.
    pub name: Str,
    /// Number of partitions, 0 to derive it.
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
