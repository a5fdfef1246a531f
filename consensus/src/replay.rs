//! Applies committed records to the image. The same records give the same image, on every node and at every
//! start.

use std::collections::BTreeMap;
use std::sync::Arc;

use klamm_protocol::Str;
use klamm_protocol::ids::{BrokerId, TopicId};

use crate::image::{
    Broker, ConfigResource, Configs, Endpoint, MetadataDelta, MetadataImage, Partition, Topic, Voter,
    metric_name, note,
};
use crate::record::{
    BrokerRegistered, ClusterFormed, ConfigRecord, ConfigsChanged, MetadataRecord, PartitionRecord,
    PartitionsAdded, TopicCreated,
};

/// A committed record that contradicts the image. The log is damaged or this node is not what wrote it: it must
/// not go on.
#[derive(Debug, PartialEq, thiserror::Error)]
pub enum ReplayError {
    /// It names a topic that is not there.
    #[error("a record about topic {0}, which does not exist")]
    NoTopic(TopicId),
    /// It creates a topic that is there.
    #[error("a record creates topic {0}, which exists")]
    TopicExists(Str),
    /// Settings of something that has none.
    #[error("a record about settings of resource type {0}, name {1:?}")]
    Resource(i8, Str),
    /// A port that is none.
    #[error("a record about a broker with port {0}")]
    Port(i32),
    /// The cluster is formed twice.
    #[error("a record forms the cluster again")]
    FormedTwice,
}

/// Applies one record to the image and notes in `delta` what it changed.
///
/// # Errors
/// All of [`ReplayError`]; the image is then as it was.
pub fn replay(
    image: &mut MetadataImage,
    delta: &mut MetadataDelta,
    record: &MetadataRecord,
) -> Result<(), ReplayError> {
    match record {
        MetadataRecord::RaftEntry(_) => Ok(()),
        MetadataRecord::ClusterFormed(r) => form_cluster(image, delta, r),
        MetadataRecord::BrokerRegistered(r) => register_broker(image, delta, r),
        MetadataRecord::TopicCreated(r) => create_topic(image, delta, r),
        MetadataRecord::TopicDeleted(r) => delete_topic(image, delta, TopicId(r.topic_id)),
        MetadataRecord::PartitionsAdded(r) => add_partitions(image, delta, r),
        MetadataRecord::ConfigsChanged(r) => change_configs(image, delta, r),
        MetadataRecord::ProducerIdsAllocated(r) => {
            image.next_producer_id = r.next_producer_id;
            Ok(())
        }
    }
}

fn form_cluster(
    image: &mut MetadataImage,
    delta: &mut MetadataDelta,
    r: &ClusterFormed,
) -> Result<(), ReplayError> {
    if !image.cluster_id.is_empty() {
        return Err(ReplayError::FormedTwice);
    }
    image.cluster_id = r.cluster_id.detached();
    image.voters = Arc::new(
        r.voters
            .iter()
            .map(|v| Voter {
                node_id: BrokerId(v.node_id),
                raft_id: v.raft_id.cast_unsigned(),
                directory_id: v.directory_id,
            })
            .collect(),
    );
    image.features = Arc::new(r.features.iter().map(|f| (f.name.detached(), f.level)).collect());
    delta.formed = true;
    Ok(())
}

fn register_broker(
    image: &mut MetadataImage,
    delta: &mut MetadataDelta,
    r: &BrokerRegistered,
) -> Result<(), ReplayError> {
    let mut endpoints = Vec::with_capacity(r.endpoints.len());
    for e in &r.endpoints {
        endpoints.push(Endpoint {
            name: e.name.detached(),
            host: e.host.detached(),
            port: u16::try_from(e.port).map_err(|_| ReplayError::Port(e.port))?,
            security_protocol: e.security_protocol,
        });
    }
    let id = BrokerId(r.broker_id);
    let broker = Arc::new(Broker {
        id,
        incarnation: r.incarnation,
        epoch: r.epoch,
        endpoints,
        rack: r.rack.as_ref().map(Str::detached),
        directory_ids: r.directory_ids.clone(),
        fenced: false,
    });
    let before = image.brokers.get(&id).cloned();
    if before.is_some() && !r.clean {
        begin_leader_epochs(image, delta, id);
    }
    image.brokers.insert_mut(id, Arc::clone(&broker));
    note(&mut delta.brokers, id, before, Some(broker));
    Ok(())
}

/// A leader whose last run did not end in order may have lost the ends of its logs, and will give their
/// offsets to other records. A leader epoch of its own tells the two apart (KIP-101, KIP-320).
fn begin_leader_epochs(image: &mut MetadataImage, delta: &mut MetadataDelta, leader: BrokerId) {
    let led: Vec<Arc<Topic>> = image
        .topics()
        .filter(|topic| topic.partitions.iter().any(|p| p.leader == leader))
        .cloned()
        .collect();
    for topic in led {
        let mut changed = Topic::clone(&topic);
        for partition in changed.partitions.iter_mut().filter(|p| p.leader == leader) {
            partition.leader_epoch += 1;
            partition.partition_epoch += 1;
        }
        put_topic(image, delta, Some(topic), changed);
    }
}

fn create_topic(
    image: &mut MetadataImage,
    delta: &mut MetadataDelta,
    r: &TopicCreated,
) -> Result<(), ReplayError> {
    let id = TopicId(r.topic_id);
    if image.topic(id).is_some() || image.topic_by_name(&r.name).is_some() {
        return Err(ReplayError::TopicExists(r.name.detached()));
    }
    let name = r.name.detached();
    let topic = Topic {
        id,
        name: name.clone(),
        partitions: r.partitions.iter().map(partition).collect(),
    };
    if let Some(metric) = metric_name(&name) {
        image.names_by_metric.insert_mut(Str::from(metric), name.clone());
    }
    put_topic(image, delta, None, topic);
    if !r.configs.is_empty() {
        edit_configs(image, delta, ConfigResource::Topic(name), &r.configs);
    }
    Ok(())
}

fn delete_topic(
    image: &mut MetadataImage,
    delta: &mut MetadataDelta,
    id: TopicId,
) -> Result<(), ReplayError> {
    let topic = image.topic(id).cloned().ok_or(ReplayError::NoTopic(id))?;
    image.topics.remove_mut(&id);
    image.topics_by_name.remove_mut(&topic.name);
    if let Some(metric) = metric_name(&topic.name) {
        image.names_by_metric.remove_mut(&*metric);
    }
    let resource = ConfigResource::Topic(topic.name.clone());
    if let Some(configs) = image.configs.get(&resource).cloned() {
        image.configs.remove_mut(&resource);
        note(&mut delta.configs, resource, Some(configs), None);
    }
    note(&mut delta.topics, id, Some(topic), None);
    Ok(())
}

fn add_partitions(
    image: &mut MetadataImage,
    delta: &mut MetadataDelta,
    r: &PartitionsAdded,
) -> Result<(), ReplayError> {
    let id = TopicId(r.topic_id);
    let topic = image.topic(id).cloned().ok_or(ReplayError::NoTopic(id))?;
    let mut changed = Topic::clone(&topic);
    changed.partitions.extend(r.partitions.iter().map(partition));
    put_topic(image, delta, Some(topic), changed);
    Ok(())
}

fn change_configs(
    image: &mut MetadataImage,
    delta: &mut MetadataDelta,
    r: &ConfigsChanged,
) -> Result<(), ReplayError> {
    let resource = ConfigResource::from_parts(r.resource_type, &r.resource_name.detached())
        .ok_or_else(|| ReplayError::Resource(r.resource_type, r.resource_name.detached()))?;
    edit_configs(image, delta, resource, &r.configs);
    Ok(())
}

fn edit_configs(
    image: &mut MetadataImage,
    delta: &mut MetadataDelta,
    resource: ConfigResource,
    edits: &[ConfigRecord],
) {
    let before = image.configs.get(&resource).cloned();
    let mut configs: Configs = before.as_deref().cloned().unwrap_or_else(BTreeMap::new);
    apply_edits(&mut configs, edits);
    let after = (!configs.is_empty()).then(|| Arc::new(configs));
    match &after {
        Some(configs) => image.configs.insert_mut(resource.clone(), Arc::clone(configs)),
        None => {
            image.configs.remove_mut(&resource);
        }
    }
    note(&mut delta.configs, resource, before, after);
}

/// Sets what has a value, removes what has none.
pub(crate) fn apply_edits(configs: &mut Configs, edits: &[ConfigRecord]) {
    for edit in edits {
        match &edit.value {
            Some(value) => configs.insert(edit.name.detached(), value.detached()),
            None => configs.remove(&*edit.name),
        };
    }
}

fn put_topic(image: &mut MetadataImage, delta: &mut MetadataDelta, before: Option<Arc<Topic>>, topic: Topic) {
    let topic = Arc::new(topic);
    image.topics.insert_mut(topic.id, Arc::clone(&topic));
    image
        .topics_by_name
        .insert_mut(topic.name.clone(), Arc::clone(&topic));
    note(&mut delta.topics, topic.id, before, Some(topic));
}

fn partition(r: &PartitionRecord) -> Partition {
    let brokers = |ids: &[i32]| ids.iter().copied().map(BrokerId).collect();
    Partition {
        replicas: brokers(&r.replicas),
        isr: brokers(&r.isr),
        leader: BrokerId(r.leader),
        leader_epoch: r.leader_epoch,
        partition_epoch: r.partition_epoch,
    }
}
