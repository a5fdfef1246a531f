//! Metadata (key 3): brokers, topics and who leads what, from the image alone.
//!
//! Naming a topic that does not exist creates it, if `auto.create.topics.enable` is on and the client allows it:
//! the answer says UNKNOWN_TOPIC_OR_PARTITION, as Kafka's does, and the client asks again.

use std::collections::BTreeSet;

use klamm_consensus::{ControllerRequest, ControllerResponse, NewTopic, Partition, Topic};
use klamm_protocol::ids::TopicId;
use klamm_protocol::messages::metadata::{
    MetadataRequest, MetadataRequestTopic, MetadataResponse, MetadataResponseBroker,
    MetadataResponsePartition, MetadataResponseTopic,
};
use klamm_protocol::{ErrorCode, Str};
use klamm_storage::LogKey;

use crate::api::{Caller, refusal};
use crate::cluster::{CONSUMER_OFFSETS, TRANSACTION_STATE, is_internal};
use crate::node::Node;
use crate::partitions::Slot;

/// What everybody may do with a topic where nothing is forbidden (KIP-430): READ, WRITE, CREATE, DELETE, ALTER,
/// DESCRIBE, DESCRIBE_CONFIGS and ALTER_CONFIGS, each at the bit of its number.
pub(crate) const TOPIC_OPERATIONS: i32 = 3576;

/// The same for the cluster: CREATE, ALTER, DESCRIBE, CLUSTER_ACTION, DESCRIBE_CONFIGS, ALTER_CONFIGS and
/// IDEMPOTENT_WRITE.
pub(crate) const CLUSTER_OPERATIONS: i32 = 8096;

/// Nobody asked what may be done.
pub(crate) const OPERATIONS_NOT_ASKED: i32 = i32::MIN;

/// From this version on, a topic can be asked for by its id alone.
const TOPIC_IDS_SINCE: i16 = 12;

/// Most topics that are being created by the way at a time. Who names more is told that they do not exist, as of
/// all, and asks again for those that are not there yet: so a single request never fills the metadata log.
const AUTO_CREATIONS_MAX: usize = 100;

/// How long a topic that is created by the way may take; nobody waits for it.
const AUTO_CREATE_TIMEOUT_MS: u64 = 30_000;

/// Handles a request.
pub(crate) fn handle(node: &mut Node, caller: Caller, request: MetadataRequest) {
    let topic_operations = match request.include_topic_authorized_operations {
        true => TOPIC_OPERATIONS,
        false => OPERATIONS_NOT_ASKED,
    };
    let mut missing = Vec::new();
    let asked = match request.topics {
        // Version 0 has no null: there, an empty list asks for all.
        Some(topics) if caller.version > 0 || !topics.is_empty() => Some(topics),
        _ => None,
    };
    let topics = match asked {
        None => node
            .cluster
            .image()
            .topics()
            .map(|topic| describe(node, topic, topic_operations))
            .collect(),
        Some(topics) => {
            let mut seen = BTreeSet::new();
            topics
                .into_iter()
                .filter(|topic| seen.insert((topic.topic_id, topic.name.clone())))
                .map(|topic| match find(node, &topic, caller.version) {
                    Ok(found) => describe(node, found, topic_operations),
                    Err(error_code) => {
                        if error_code == ErrorCode::UNKNOWN_TOPIC_OR_PARTITION {
                            missing.extend(topic.name.clone());
                        }
                        absent(topic, error_code, topic_operations, caller.version)
                    }
                })
                .collect()
        }
    };
    if node.config.auto_create_topics && request.allow_auto_topic_creation {
        for name in missing {
            auto_create(node, &name);
        }
    }
    let response = MetadataResponse {
        brokers: brokers(node, &caller),
        cluster_id: Some(node.cluster.image().cluster_id.clone()),
        controller_id: node.config.node_id,
        topics,
        cluster_authorized_operations: match request.include_cluster_authorized_operations {
            true => CLUSTER_OPERATIONS,
            false => OPERATIONS_NOT_ASKED,
        },
        ..MetadataResponse::default()
    };
    node.answer(&caller, response);
}

fn brokers(node: &Node, caller: &Caller) -> Vec<MetadataResponseBroker> {
    let broker = |(node_id, host, port, rack)| MetadataResponseBroker {
        node_id,
        host,
        port,
        rack,
    };
    node.reachable_brokers(caller.id.connection).map(broker).collect()
}

fn find<'a>(node: &'a Node, asked: &MetadataRequestTopic, version: i16) -> Result<&'a Topic, ErrorCode> {
    if !asked.topic_id.is_zero() {
        // Versions 10 and 11 have the field and no meaning for it.
        if version < TOPIC_IDS_SINCE {
            return Err(ErrorCode::INVALID_REQUEST);
        }
        let found = node.cluster.topic_by_id(TopicId(asked.topic_id));
        return found.map(|topic| &**topic).ok_or(ErrorCode::UNKNOWN_TOPIC_ID);
    }
    let name = asked.name.as_deref().ok_or(ErrorCode::INVALID_REQUEST)?;
    match node.cluster.topic_by_name(name) {
        Some(topic) => Ok(topic),
        None if is_valid_name(name) => Err(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION),
        None => Err(ErrorCode::INVALID_TOPIC_EXCEPTION),
    }
}

/// Kafka: `Topic.validate`. 1 to 249 letters, digits, `.`, `_` and `-`, and not a directory's own name.
pub(crate) fn is_valid_name(name: &str) -> bool {
    !matches!(name, "" | "." | "..")
        && name.len() <= 249
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'))
}

fn absent(
    topic: MetadataRequestTopic,
    error_code: ErrorCode,
    operations: i32,
    version: i16,
) -> MetadataResponseTopic {
    let is_internal = topic.name.as_deref().is_some_and(is_internal);
    let name = match version >= TOPIC_IDS_SINCE {
        // Who asks by id has no say in the name.
        true => topic.name.filter(|_| topic.topic_id.is_zero()),
        false => Some(topic.name.unwrap_or(Str::EMPTY)),
    };
    MetadataResponseTopic {
        error_code,
        name,
        topic_id: topic.topic_id,
        is_internal,
        // As in Kafka, also of what is not there, if it is asked for by its name.
        topic_authorized_operations: match topic.topic_id.is_zero() {
            true => operations,
            false => OPERATIONS_NOT_ASKED,
        },
        ..MetadataResponseTopic::default()
    }
}

fn describe(node: &Node, topic: &Topic, operations: i32) -> MetadataResponseTopic {
    let partitions = topic.partitions.iter().zip(0..);
    MetadataResponseTopic {
        name: Some(topic.name.clone()),
        topic_id: topic.id.0,
        is_internal: is_internal(&topic.name),
        partitions: partitions
            .map(|(partition, index)| {
                let offline = is_offline(node, topic.id, index);
                describe_partition(partition, index, offline.then_some(node.config.node_id))
            })
            .collect(),
        topic_authorized_operations: operations,
        ..MetadataResponseTopic::default()
    }
}

fn describe_partition(partition: &Partition, index: i32, offline: Option<i32>) -> MetadataResponsePartition {
    let leader_id = if offline == Some(partition.leader.0) {
        -1
    } else {
        partition.leader.0
    };
    MetadataResponsePartition {
        error_code: if leader_id < 0 {
            ErrorCode::LEADER_NOT_AVAILABLE
        } else {
            ErrorCode::NONE
        },
        partition_index: index,
        leader_id,
        leader_epoch: partition.leader_epoch,
        replica_nodes: partition.replicas.iter().map(|id| id.0).collect(),
        isr_nodes: partition.isr.iter().map(|id| id.0).collect(),
        offline_replicas: offline.into_iter().collect(),
    }
}

/// Whether this broker holds the partition and does not serve it.
pub(crate) fn is_offline(node: &Node, topic_id: TopicId, partition: i32) -> bool {
    match node.partitions.get(&LogKey { topic_id, partition }) {
        Some(Slot::Failed(..)) => true,
        Some(Slot::Online(partition)) => partition.log.is_offline(),
        Some(Slot::Idle(_) | Slot::Opening(_)) | None => false,
    }
}

/// Begins to create a topic that somebody asked for, unless that has begun already.
pub(crate) fn auto_create(node: &mut Node, name: &Str) {
    if node.creating.len() >= AUTO_CREATIONS_MAX || node.creating.contains(name) {
        return;
    }
    let name = name.detached();
    node.creating.insert(name.clone());
    let topic = if *name == *CONSUMER_OFFSETS {
        offsets_topic(node)
    } else if *name == *TRANSACTION_STATE {
        transactions_topic(node)
    } else {
        NewTopic {
            name: name.clone(),
            partitions: node.config.num_partitions,
            replication_factor: node.config.default_replication_factor,
            ..NewTopic::default()
        }
    };
    let request = ControllerRequest::CreateTopics {
        topics: vec![topic],
        validate_only: false,
    };
    node.ask_controller(request, AUTO_CREATE_TIMEOUT_MS, move |node, answer| {
        node.creating.remove(&name);
        let refused = match answer {
            Ok(ControllerResponse::CreateTopics(mut results)) => {
                results.pop().and_then(|(_, result)| result.err())
            }
            other => Some(refusal(other)),
        };
        if let Some(refusal) = refused.filter(|refusal| refusal.code != ErrorCode::TOPIC_ALREADY_EXISTS) {
            let (code, message) = (refusal.code, refusal.message);
            tracing::warn!(topic = %&*name, ?code, ?message, "a topic that was asked for is not created");
        }
    });
}

/// Kafka: `GroupCoordinatorService.groupMetadataTopicConfigs`.
fn offsets_topic(node: &Node) -> NewTopic {
    let offsets = &node.config.offsets;
    let segment_bytes = offsets.topic_segment_bytes.to_string();
    let configs = [
        ("cleanup.policy", "compact"),
        ("compression.type", "producer"),
        ("segment.bytes", segment_bytes.as_str()),
    ];
    internal_topic(
        node,
        CONSUMER_OFFSETS,
        offsets.topic_num_partitions,
        offsets.topic_replication_factor,
        &configs,
    )
}

/// Kafka: `TransactionCoordinator.transactionStateTopicConfigs`.
fn transactions_topic(node: &Node) -> NewTopic {
    let transactions = &node.config.transactions;
    let segment_bytes = transactions.topic_segment_bytes.to_string();
    let min_isr = transactions.topic_min_isr.to_string();
    let configs = [
        ("cleanup.policy", "compact"),
        ("compression.type", "uncompressed"),
        ("min.insync.replicas", min_isr.as_str()),
        ("segment.bytes", segment_bytes.as_str()),
        ("unclean.leader.election.enable", "false"),
    ];
    internal_topic(
        node,
        TRANSACTION_STATE,
        transactions.topic_num_partitions,
        transactions.topic_replication_factor,
        &configs,
    )
}

/// Where there are fewer brokers than replicas are asked for, there are as many replicas as brokers: a broker alone
/// has to serve groups as well.
fn internal_topic(
    node: &Node,
    name: &'static str,
    partitions: i32,
    replication_factor: i16,
    configs: &[(&str, &str)],
) -> NewTopic {
    let brokers = node.cluster.image().brokers().filter(|broker| !broker.fenced);
    let brokers = i16::try_from(brokers.count()).unwrap_or(i16::MAX);
    let configs = configs.iter();
    NewTopic {
        name: name.into(),
        partitions,
        replication_factor: replication_factor.min(brokers).max(1),
        configs: configs
            .map(|(name, value)| ((*name).into(), Some((*value).into())))
            .collect(),
        ..NewTopic::default()
    }
}
