//! What the controller is asked, and what it answers: plain types that know nothing of the wire.

use std::collections::BTreeMap;

use klamm_protocol::ids::{BrokerId, TopicId};
use klamm_protocol::{ErrorCode, Str, Uuid};

use crate::image::{ConfigResource, Configs, Endpoint};

/// A request to the controller.
#[derive(Clone, Debug, PartialEq)]
pub enum ControllerRequest {
    /// A broker's process has started.
    RegisterBroker(BrokerRegistration),
    /// Create topics, each for itself: one that is refused does not hold up the others.
    CreateTopics {
        /// The topics.
        topics: Vec<NewTopic>,
        /// Only say what would be answered.
        validate_only: bool,
    },
    /// Delete topics, each for itself.
    DeleteTopics {
        /// The topics.
        topics: Vec<TopicRef>,
    },
    /// Add partitions, to each topic for itself.
    CreatePartitions {
        /// The topics.
        topics: Vec<NewPartitions>,
        /// Only say what would be answered.
        validate_only: bool,
    },
    /// Change settings, of each resource for itself.
    AlterConfigs {
        /// The resources.
        edits: Vec<ConfigEdits>,
        /// Only say what would be answered.
        validate_only: bool,
    },
    /// Give a broker producer ids that nobody else gets.
    AllocateProducerIds {
        /// Who asks.
        broker_id: BrokerId,
        /// Which registration of it.
        broker_epoch: i64,
    },
}

/// A broker that wants to take part.
#[derive(Clone, Debug, PartialEq)]
pub struct BrokerRegistration {
    /// Its node id.
    pub id: BrokerId,
    /// Made at random when its process started.
    pub incarnation: Uuid,
    /// Its advertised listeners.
    pub endpoints: Vec<Endpoint>,
    /// Where it stands.
    pub rack: Option<Str>,
    /// Its log directories.
    pub directory_ids: Vec<Uuid>,
    /// The broker epoch that its last run wrote down when it shut down in order (`.kafka_cleanshutdown`,
    /// KIP-966); -1 when it did not.
    pub previous_epoch: i64,
}

/// A topic to create.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NewTopic {
    /// Its name.
    pub name: Str,
    /// How many partitions; -1 for `num.partitions`, and where `assignments` say it.
    pub partitions: i32,
    /// How many replicas; -1 for `default.replication.factor`, and where `assignments` say it.
    pub replication_factor: i16,
    /// Partition and its brokers, the preferred leader first; empty to let the controller choose.
    pub assignments: Vec<(i32, Vec<BrokerId>)>,
    /// Settings; a value may be missing on the wire, and is then refused.
    pub configs: Vec<(Str, Option<Str>)>,
}

/// A topic by name or by id; one of them, or the request is refused.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TopicRef {
    /// Its name.
    pub name: Option<Str>,
    /// Its id; zero for none.
    pub id: TopicId,
}

/// Partitions to add.
#[derive(Clone, Debug, PartialEq)]
pub struct NewPartitions {
    /// The topic.
    pub name: Str,
    /// How many it is to have in all.
    pub count: i32,
    /// The brokers of each partition that is added; `None` to let the controller choose.
    pub assignments: Option<Vec<Vec<BrokerId>>>,
}

/// Settings to change.
#[derive(Clone, Debug, PartialEq)]
pub struct ConfigEdits {
    /// Whose.
    pub resource: ConfigResource,
    /// What about them.
    pub edit: ConfigEdit,
}

/// How settings change.
#[derive(Clone, Debug, PartialEq)]
pub enum ConfigEdit {
    /// These alone remain (AlterConfigs).
    Replace(Vec<(Str, Option<Str>)>),
    /// One after the other (IncrementalAlterConfigs, KIP-339): setting, operation and value.
    Incremental(Vec<(Str, ConfigOp, Option<Str>)>),
}

/// What to do with one setting. The numbers are those of the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConfigOp {
    /// Give it the value.
    Set = 0,
    /// Take it back to the default; the value says nothing.
    Delete = 1,
    /// Add the elements that a list lacks.
    Append = 2,
    /// Take elements out of a list.
    Subtract = 3,
}

impl ConfigOp {
    /// The operation of a number on the wire.
    pub fn from_number(number: i8) -> Option<ConfigOp> {
        [
            ConfigOp::Set,
            ConfigOp::Delete,
            ConfigOp::Append,
            ConfigOp::Subtract,
        ]
        .into_iter()
        .find(|op| *op as i8 == number)
    }
}

/// What the controller answers. Lists are in the order of the request, except that what a request names twice is
/// answered once.
#[derive(Clone, Debug, PartialEq)]
pub enum ControllerResponse {
    /// The registration's broker epoch.
    RegisterBroker(i64),
    /// Each topic.
    CreateTopics(Vec<(Str, Result<CreatedTopic, Refusal>)>),
    /// Each topic.
    DeleteTopics(Vec<DeletedTopic>),
    /// Each topic.
    CreatePartitions(Vec<(Str, Result<(), Refusal>)>),
    /// Each resource.
    AlterConfigs(Vec<(ConfigResource, Result<(), Refusal>)>),
    /// The ids.
    AllocateProducerIds(ProducerIdBlock),
    /// The request as a whole: NOT_CONTROLLER, or what the kind of request says.
    Refused(Refusal),
}

/// A topic that is there now, or would be.
#[derive(Clone, Debug, PartialEq)]
pub struct CreatedTopic {
    /// Its id; zero where the request was only validated.
    pub id: TopicId,
    /// How many partitions.
    pub partitions: i32,
    /// How many replicas each.
    pub replication_factor: i16,
    /// Settings that differ from the defaults.
    pub configs: Configs,
}

/// A topic that is gone now, or why not.
#[derive(Clone, Debug, PartialEq)]
pub struct DeletedTopic {
    /// Its name; `None` when nothing has the id.
    pub name: Option<Str>,
    /// Its id; zero when nothing has the name.
    pub id: TopicId,
    /// Whether it is gone.
    pub result: Result<(), Refusal>,
}

/// Producer ids `first..first + count`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProducerIdBlock {
    /// The first.
    pub first: i64,
    /// How many.
    pub count: i32,
}

/// Why the controller did not do it: what the client is told.
#[derive(Clone, Debug, PartialEq)]
pub struct Refusal {
    /// The code.
    pub code: ErrorCode,
    /// A sentence; `None` where Kafka sends none.
    pub message: Option<Str>,
}

impl Refusal {
    /// A code and a sentence.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Refusal {
        Refusal {
            code,
            message: Some(Str::from(message.into())),
        }
    }

    /// A code alone.
    pub fn code(code: ErrorCode) -> Refusal {
        Refusal { code, message: None }
    }
}

/// Keys that stand in a list more than once.
pub(crate) fn repeated<K: Ord>(keys: impl Iterator<Item = K>) -> std::collections::BTreeSet<K> {
    let mut counts = BTreeMap::new();
    for key in keys {
        *counts.entry(key).or_insert(0u32) += 1;
    }
    counts
        .into_iter()
        .filter(|(_, count)| *count > 1)
        .map(|(key, _)| key)
        .collect()
}
