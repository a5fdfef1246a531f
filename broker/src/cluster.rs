//! What this broker knows of the cluster: the metadata node, the image that answers are questions to, and the
//! requests to the controller that wait for their answers.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use klamm_consensus::{
    ConfigResource, ControllerRequest, ControllerResponse, MetadataImage, MetadataNode, MetadataOutput,
    QuorumState, Topic,
};
use klamm_protocol::ErrorCode;
use klamm_protocol::ids::{BrokerId, TopicId};
use klamm_storage::LaneDone;

use crate::node::Node;

/// The topic that keeps groups and their offsets.
pub(crate) const CONSUMER_OFFSETS: &str = "__consumer_offsets";

/// The topic that keeps transactional ids.
pub(crate) const TRANSACTION_STATE: &str = "__transaction_state";

/// The topics that belong to the broker (Kafka: `Topic.INTERNAL_TOPICS`).
pub(crate) fn is_internal(name: &str) -> bool {
    matches!(name, CONSUMER_OFFSETS | TRANSACTION_STATE | "__share_group_state")
}

/// What happens with the controller's answer, or with the code that tells why there is none.
pub(crate) type Then = Box<dyn FnOnce(&mut Node, Result<ControllerResponse, ErrorCode>) + Send>;

struct Asked {
    then: Then,
    deadline_ms: u64,
}

/// The cluster as this broker sees it.
pub(crate) struct Cluster {
    metadata: MetadataNode,
    image: Arc<MetadataImage>,
    next_token: u64,
    asked: BTreeMap<u64, Asked>,
    by_deadline: BTreeSet<(u64, u64)>,
    /// Something happened since the last [`Cluster::drain`].
    stirred: bool,
}

impl Cluster {
    pub fn new(metadata: MetadataNode) -> Cluster {
        let image = metadata.image().clone();
        Cluster {
            metadata,
            image,
            next_token: 0,
            asked: BTreeMap::new(),
            by_deadline: BTreeSet::new(),
            stirred: true,
        }
    }

    /// The picture of the cluster as of now.
    pub fn image(&self) -> &Arc<MetadataImage> {
        &self.image
    }

    /// How the quorum of the metadata log stands.
    pub fn quorum(&self) -> QuorumState {
        self.metadata.quorum()
    }

    /// Answers are questions to this image from now on.
    pub fn publish(&mut self, image: Arc<MetadataImage>) {
        self.image = image;
    }

    pub fn topic_by_name(&self, name: &str) -> Option<&Arc<Topic>> {
        self.image.topic_by_name(name)
    }

    pub fn topic_by_id(&self, id: TopicId) -> Option<&Arc<Topic>> {
        self.image.topic(id)
    }

    /// Who leads a partition, and in which epoch.
    pub fn leader_of(&self, topic: TopicId, partition: i32) -> Option<(BrokerId, i32)> {
        let topic = self.image.topic(topic)?;
        let partition = topic.partitions.get(usize::try_from(partition).ok()?)?;
        Some((partition.leader, partition.leader_epoch))
    }

    /// The settings that a topic sets itself.
    pub fn topic_overrides(&self, name: &klamm_protocol::Str) -> BTreeMap<String, String> {
        let configs = self.image.configs(&ConfigResource::Topic(name.clone()));
        let pairs = configs.into_iter().flat_map(|configs| configs.iter());
        pairs
            .map(|(name, value)| (name.to_string(), value.to_string()))
            .collect()
    }

    /// Asks the controller; `then` gets its answer, or REQUEST_TIMED_OUT at the deadline.
    pub fn ask(&mut self, request: ControllerRequest, unix_ms: i64, deadline_ms: u64, then: Then) {
        let token = self.next_token;
        self.next_token += 1;
        self.asked.insert(token, Asked { then, deadline_ms });
        self.by_deadline.insert((deadline_ms, token));
        self.metadata.request(token, request, unix_ms);
        self.stirred = true;
    }

    /// What is to be done with the answer to `token`, unless it came too late.
    pub fn answered(&mut self, token: u64) -> Option<Then> {
        let asked = self.asked.remove(&token)?;
        self.by_deadline.remove(&(asked.deadline_ms, token));
        Some(asked.then)
    }

    /// Requests whose time is over.
    pub fn expire(&mut self, now_ms: u64) -> Vec<Then> {
        let due: Vec<u64> = self
            .by_deadline
            .range(..=(now_ms, u64::MAX))
            .map(|(_, token)| *token)
            .collect();
        due.into_iter().filter_map(|token| self.answered(token)).collect()
    }

    pub fn next_deadline_ms(&self) -> Option<u64> {
        self.by_deadline.first().map(|(deadline, _)| *deadline)
    }

    pub fn tick(&mut self) {
        self.metadata.tick();
        self.stirred = true;
    }

    pub fn on_done(&mut self, done: LaneDone) {
        self.metadata.on_done(done);
        self.stirred = true;
    }

    /// What the metadata node wants and has to say; `None` if nothing happened since it was last asked.
    pub fn drain(&mut self) -> Option<MetadataOutput> {
        std::mem::take(&mut self.stirred).then(|| self.metadata.drain())
    }
}
