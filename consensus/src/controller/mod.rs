//! Decides: a request and the image give records and an answer. Codes and sentences are Kafka's
//! (`ReplicationControlManager`, `ConfigurationControlManager`, `ControllerApis` of 4.4).
//!
//! Nothing is changed here. A decision carries the image as it will be once its records are applied, so that
//! the next one can build on records that are not committed yet. Who may ask is the broker's business.

mod cluster;
mod configs;
mod topics;

use std::sync::Arc;

use klamm_protocol::ErrorCode;

use crate::image::{ConfigResource, Configs, MetadataDelta, MetadataImage};
use crate::random::Random;
use crate::record::MetadataRecord;
use crate::replay::replay;
use crate::request::{ControllerRequest, ControllerResponse, Refusal};

/// Partitions that one request may create (Kafka: MAX_RECORDS_PER_USER_OP).
pub const MAX_PARTITIONS_PER_REQUEST: i64 = 10_000;
/// Producer ids in a block (Kafka: ProducerIdsBlock.PRODUCER_ID_BLOCK_SIZE).
pub const PRODUCER_ID_BLOCK: i32 = 1_000;
/// Bytes of a setting's value.
pub const MAX_CONFIG_VALUE_BYTES: usize = 32_767;

/// What the broker's one table of settings says about those of topics and brokers.
pub trait ConfigRules: Send + Sync {
    /// Whether the setting holds a list, which alone can be appended to and subtracted from.
    fn is_list(&self, resource: &ConfigResource, name: &str) -> bool;

    /// The setting's value where the resource has none of its own, as text; `None` where there is none.
    fn default_value(&self, resource: &ConfigResource, name: &str) -> Option<String>;

    /// Whether the resource may have these settings. `changed` names those that are not what they were.
    ///
    /// # Errors
    /// What the client is told: INVALID_CONFIG for a topic, INVALID_REQUEST for a broker.
    fn check(&self, resource: &ConfigResource, configs: &Configs, changed: &[&str]) -> Result<(), Refusal>;
}

/// What a topic gets when nobody says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TopicDefaults {
    /// `num.partitions`.
    pub partitions: i32,
    /// `default.replication.factor`.
    pub replication_factor: i16,
}

/// What was decided.
#[derive(Debug)]
pub struct Decision {
    /// To be committed, in this order.
    pub records: Vec<MetadataRecord>,
    /// To be answered once they are.
    pub response: ControllerResponse,
    /// The image with the records applied.
    pub image: MetadataImage,
}

/// The deciding half of the metadata node.
pub struct Controller {
    rules: Arc<dyn ConfigRules>,
    defaults: TopicDefaults,
}

impl Controller {
    /// A controller with the broker's settings.
    pub fn new(rules: Arc<dyn ConfigRules>, defaults: TopicDefaults) -> Controller {
        Controller { rules, defaults }
    }

    /// Decides one request. `next_index` is the Raft index that the first record will have.
    pub fn decide(
        &self,
        image: &MetadataImage,
        request: ControllerRequest,
        next_index: u64,
        random: &mut Random,
    ) -> Decision {
        let mut draft = Draft {
            image: image.clone(),
            records: Vec::new(),
            rules: &*self.rules,
            defaults: self.defaults,
            random,
        };
        let (response, validate_only) = match request {
            ControllerRequest::RegisterBroker(registration) => {
                (draft.register_broker(registration, next_index), false)
            }
            ControllerRequest::CreateTopics {
                topics,
                validate_only,
            } => (draft.create_topics(topics, validate_only), validate_only),
            ControllerRequest::DeleteTopics { topics } => (draft.delete_topics(topics), false),
            ControllerRequest::CreatePartitions {
                topics,
                validate_only,
            } => (draft.create_partitions(topics), validate_only),
            ControllerRequest::AlterConfigs { edits, validate_only } => {
                (draft.alter_configs(edits), validate_only)
            }
            ControllerRequest::AllocateProducerIds {
                broker_id,
                broker_epoch,
            } => (draft.allocate_producer_ids(broker_id, broker_epoch), false),
        };
        if validate_only {
            return Decision {
                records: Vec::new(),
                response,
                image: image.clone(),
            };
        }
        Decision {
            records: draft.records,
            response,
            image: draft.image,
        }
    }
}

/// A decision in the making: each part of a request sees what the parts before it will have done.
struct Draft<'a> {
    image: MetadataImage,
    records: Vec<MetadataRecord>,
    rules: &'a dyn ConfigRules,
    defaults: TopicDefaults,
    random: &'a mut Random,
}

impl Draft<'_> {
    fn record(&mut self, record: impl Into<MetadataRecord>) {
        let record = record.into();
        replay(&mut self.image, &mut MetadataDelta::default(), &record)
            .expect("a record is decided against the very image it is applied to");
        self.records.push(record);
    }
}

fn invalid_request(message: impl Into<String>) -> Refusal {
    Refusal::new(ErrorCode::INVALID_REQUEST, message)
}
