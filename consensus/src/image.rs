//! The picture of the cluster that brokers answer from, and the difference between two of them.
//!
//! An image never changes: replay makes another one, which shares everything that stayed the same (persistent
//! maps, an `Arc` per topic, broker and set of settings). So a clone costs nothing, and a reader keeps a
//! consistent picture for as long as it likes.

use std::collections::BTreeMap;
use std::sync::Arc;

use klamm_protocol::ids::{BrokerId, TopicId};
use klamm_protocol::{Str, Uuid};
use rpds::RedBlackTreeMapSync;

/// Stands where a partition has no leader.
pub const NO_LEADER: BrokerId = BrokerId(-1);

/// Settings that differ from the defaults, by Kafka's names.
pub type Configs = BTreeMap<Str, Str>;

/// The cluster's metadata after some committed record.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct MetadataImage {
    /// 22 characters; empty until the first leader has formed the cluster.
    pub cluster_id: Str,
    /// Who votes in the metadata quorum, by Raft id.
    pub voters: Arc<Vec<Voter>>,
    /// Features and the levels they are finalized at.
    pub features: Arc<BTreeMap<Str, i16>>,
    /// The first producer id that nobody has yet.
    pub next_producer_id: i64,
    pub(crate) topics: RedBlackTreeMapSync<TopicId, Arc<Topic>>,
    pub(crate) topics_by_name: RedBlackTreeMapSync<Str, Arc<Topic>>,
    /// Names with a `.` or `_`, by the name that metrics would give them (`.` becomes `_`).
    pub(crate) names_by_metric: RedBlackTreeMapSync<Str, Str>,
    pub(crate) brokers: RedBlackTreeMapSync<BrokerId, Arc<Broker>>,
    pub(crate) configs: RedBlackTreeMapSync<ConfigResource, Arc<Configs>>,
}

/// A topic with all its partitions.
#[derive(Clone, Debug, PartialEq)]
pub struct Topic {
    /// Names it for ever.
    pub id: TopicId,
    /// Names it among those that exist.
    pub name: Str,
    /// Partition `i` stands at `i`; there is at least one.
    pub partitions: Vec<Partition>,
}

/// Who holds a partition.
#[derive(Clone, Debug, PartialEq)]
pub struct Partition {
    /// Its replicas, the preferred leader first.
    pub replicas: Vec<BrokerId>,
    /// Those of them that are in sync.
    pub isr: Vec<BrokerId>,
    /// The leader, or [`NO_LEADER`].
    pub leader: BrokerId,
    /// Grows with every leadership.
    pub leader_epoch: i32,
    /// Grows with every change of anything above.
    pub partition_epoch: i32,
}

/// A registered broker.
#[derive(Clone, Debug, PartialEq)]
pub struct Broker {
    /// Its node id.
    pub id: BrokerId,
    /// One run of its process.
    pub incarnation: Uuid,
    /// Grows with every registration.
    pub epoch: i64,
    /// Where it is reached.
    pub endpoints: Vec<Endpoint>,
    /// Where it stands.
    pub rack: Option<Str>,
    /// Its log directories.
    pub directory_ids: Vec<Uuid>,
    /// Fenced brokers lead nothing and are shown to no client.
    pub fenced: bool,
}

/// A listener of a broker, as advertised.
#[derive(Clone, Debug, PartialEq)]
pub struct Endpoint {
    /// The listener's name.
    pub name: Str,
    /// The advertised host.
    pub host: Str,
    /// The advertised port.
    pub port: u16,
    /// Kafka's number of the security protocol: 0 PLAINTEXT, 1 SSL, 2 SASL_PLAINTEXT, 3 SASL_SSL.
    pub security_protocol: i16,
}

/// A voter of the metadata quorum.
#[derive(Clone, Debug, PartialEq)]
pub struct Voter {
    /// Its node id.
    pub node_id: BrokerId,
    /// incarnation << 32 | node id + 1: a wiped disk never votes again under its old id.
    pub raft_id: u64,
    /// The directory that holds its metadata log.
    pub directory_id: Uuid,
}

/// What settings belong to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ConfigResource {
    /// A topic, by name.
    Topic(Str),
    /// One broker, or every broker (`None`): the cluster-wide default.
    Broker(Option<BrokerId>),
}

impl ConfigResource {
    /// Kafka's number of the kind of resource.
    pub fn resource_type(&self) -> i8 {
        match self {
            ConfigResource::Topic(_) => 2,
            ConfigResource::Broker(_) => 4,
        }
    }

    /// Its name as requests have it: empty for every broker.
    pub fn name(&self) -> Str {
        match self {
            ConfigResource::Topic(name) => name.clone(),
            ConfigResource::Broker(None) => Str::EMPTY,
            ConfigResource::Broker(Some(id)) => Str::from(id.to_string()),
        }
    }

    /// The resource of a number and a name; `None` when there is no such kind, or a broker's name is no id.
    pub fn from_parts(resource_type: i8, name: &Str) -> Option<ConfigResource> {
        match resource_type {
            2 => Some(ConfigResource::Topic(name.clone())),
            4 if name.is_empty() => Some(ConfigResource::Broker(None)),
            4 => name
                .parse()
                .ok()
                .map(|id| ConfigResource::Broker(Some(BrokerId(id)))),
            _ => None,
        }
    }
}

impl MetadataImage {
    /// A topic by id.
    pub fn topic(&self, id: TopicId) -> Option<&Arc<Topic>> {
        self.topics.get(&id)
    }

    /// A topic by name.
    pub fn topic_by_name(&self, name: &str) -> Option<&Arc<Topic>> {
        self.topics_by_name.get(name)
    }

    /// Every topic, by name.
    pub fn topics(&self) -> impl Iterator<Item = &Arc<Topic>> {
        self.topics_by_name.values()
    }

    /// How many topics there are.
    pub fn topic_count(&self) -> usize {
        self.topics.size()
    }

    /// A broker.
    pub fn broker(&self, id: BrokerId) -> Option<&Arc<Broker>> {
        self.brokers.get(&id)
    }

    /// Every registered broker, by id.
    pub fn brokers(&self) -> impl Iterator<Item = &Arc<Broker>> {
        self.brokers.values()
    }

    /// The settings of a resource that differ from the defaults; `None` when none does.
    pub fn configs(&self, resource: &ConfigResource) -> Option<&Arc<Configs>> {
        self.configs.get(resource)
    }

    /// Every resource that has settings of its own.
    pub fn configured(&self) -> impl Iterator<Item = (&ConfigResource, &Arc<Configs>)> {
        self.configs.iter()
    }

    /// The topic whose metrics could not be told from those of a topic called `name`.
    pub fn colliding_topic(&self, name: &str) -> Option<&Str> {
        self.names_by_metric.get(&*metric_name(name)?)
    }
}

/// What metrics make of a name with `.` or `_`; `None` for every other name, which collides with none.
pub(crate) fn metric_name(name: &str) -> Option<String> {
    name.contains(['.', '_']).then(|| name.replace('.', "_"))
}

/// How one thing changed from one image to the next. At least one of the two is there.
#[derive(Clone, Debug, PartialEq)]
pub struct Change<T> {
    /// `None`: it is new.
    pub before: Option<Arc<T>>,
    /// `None`: it is gone.
    pub after: Option<Arc<T>>,
}

/// What changed from one image to the next. A topic that came and went in between does not show.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct MetadataDelta {
    /// The cluster was formed.
    pub formed: bool,
    /// Topics, by id: a name that was given to another topic is one change for each.
    pub topics: BTreeMap<TopicId, Change<Topic>>,
    /// Brokers.
    pub brokers: BTreeMap<BrokerId, Change<Broker>>,
    /// Settings.
    pub configs: BTreeMap<ConfigResource, Change<Configs>>,
}

impl MetadataDelta {
    /// Topics that came.
    pub fn created_topics(&self) -> impl Iterator<Item = &Arc<Topic>> {
        self.topics
            .values()
            .filter(|c| c.before.is_none())
            .filter_map(|c| c.after.as_ref())
    }

    /// Topics that went.
    pub fn deleted_topics(&self) -> impl Iterator<Item = &Arc<Topic>> {
        self.topics
            .values()
            .filter(|c| c.after.is_none())
            .filter_map(|c| c.before.as_ref())
    }

    /// Topics that stayed, and are not what they were: before, after.
    pub fn changed_topics(&self) -> impl Iterator<Item = (&Arc<Topic>, &Arc<Topic>)> {
        self.topics
            .values()
            .filter_map(|c| c.before.as_ref().zip(c.after.as_ref()))
    }

    /// Whether nothing changed.
    pub fn is_empty(&self) -> bool {
        !self.formed && self.topics.is_empty() && self.brokers.is_empty() && self.configs.is_empty()
    }
}

/// Notes a change; what came back to what it was, or came and went, is no change.
pub(crate) fn note<K: Ord, T: PartialEq>(
    changes: &mut BTreeMap<K, Change<T>>,
    key: K,
    before: Option<Arc<T>>,
    after: Option<Arc<T>>,
) {
    let first = match changes.remove(&key) {
        Some(earlier) => earlier.before,
        None => before,
    };
    if first != after {
        changes.insert(key, Change { before: first, after });
    }
}
