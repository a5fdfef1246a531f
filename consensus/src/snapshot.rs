//! The small files beside the metadata log: `image`, so that a start does not replay the log from its
//! beginning, and `quorum-state`, the vote.
//!
//! Both are replaced as a whole (written beside, synced, renamed, directory synced). Both are ordinary record
//! batches, so CRC and bounds are those of every log:
//!
//! | file | records |
//! |---|---|
//! | `quorum-state` | one: a version (int16) and [`QuorumState`] |
//! | `image` | a version (int16) and [`SnapshotHeader`]; then as many metadata records as it says, which give the image when they are replayed from nothing |

use bytes::{BufMut, Bytes, BytesMut};
use klamm_protocol::derive::Message;
use klamm_protocol::record::{BatchBuilder, Batches, Compression};
use klamm_protocol::{Decoder, Encoder, Message, Str};

use crate::core::MAX_RECORD_BYTES;
use crate::image::{ConfigResource, MetadataDelta, MetadataImage, Partition, Topic};
use crate::quorum::{Origin, Vote};
use crate::record::{
    BrokerRegistered, ClusterFormed, ConfigRecord, ConfigsChanged, EndpointRecord, FeatureRecord,
    MetadataRecord, PartitionRecord, ProducerIdsAllocated, TopicCreated, VoterRecord,
};
use crate::replay::replay;

/// Records of a snapshot lie in batches of about this size.
const BATCH_BYTES: usize = 1024 * 1024;
/// Bytes of the records of one batch: the largest record there can be, and what stands before it.
pub(crate) const MAX_BATCH_BYTES: usize = 2 * MAX_RECORD_BYTES;
const VERSION: i16 = 0;

/// The vote of a node.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "data", versions = "0", flexible = "0+")]
pub(crate) struct QuorumState {
    /// Raft id: whose vote it is.
    pub(crate) raft_id: i64,
    /// The highest term seen.
    pub(crate) term: i64,
    /// Who got the vote in it; 0 for nobody.
    pub(crate) candidate: i64,
    /// Entries up to this index were durable when it was written: should one of them be damaged or missing, the
    /// node must not start without it.
    pub(crate) durable_index: i64,
}

/// What a snapshot holds.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "data", versions = "0", flexible = "0+")]
pub(crate) struct SnapshotHeader {
    /// The last entry that went into it.
    pub(crate) index: i64,
    /// That entry's term.
    pub(crate) term: i64,
    /// Records behind this one.
    pub(crate) records: i64,
}

/// What makes such a file useless. It was written in one piece, so the disk has damaged it.
#[derive(Debug, thiserror::Error)]
#[error("{file}: {reason}")]
pub struct FileError {
    /// The file's name.
    pub file: &'static str,
    /// What is wrong with it.
    pub reason: String,
}

pub(crate) const STATE_FILE: &str = "quorum-state";
pub(crate) const IMAGE_FILE: &str = "image";

/// What `quorum-state` tells a start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SavedState {
    /// Whose it is.
    pub(crate) raft_id: u64,
    pub(crate) vote: Vote,
    /// The log holds at least the entries up to this index.
    pub(crate) durable_index: u64,
}

/// The content of `quorum-state`.
pub(crate) fn encode_state(state: SavedState) -> Bytes {
    let state = QuorumState {
        raft_id: state.raft_id.cast_signed(),
        term: state.vote.term.cast_signed(),
        candidate: state.vote.candidate.cast_signed(),
        durable_index: state.durable_index.cast_signed(),
    };
    let mut batch = BatchBuilder::new(Compression::None);
    batch.append(0, None, Some(&versioned(&state)));
    batch.finish().to_bytes()
}

/// What `quorum-state` holds.
///
/// # Errors
/// When it is damaged.
pub(crate) fn decode_state(content: Bytes) -> Result<SavedState, FileError> {
    let error = |reason: String| FileError {
        file: STATE_FILE,
        reason,
    };
    let values = values(content).map_err(error)?;
    let [value] = &values[..] else {
        return Err(error(format!("{} records instead of one", values.len())));
    };
    let state: QuorumState = unversioned(value).map_err(error)?;
    Ok(SavedState {
        raft_id: state.raft_id.cast_unsigned(),
        vote: Vote {
            term: state.term.cast_unsigned(),
            candidate: state.candidate.cast_unsigned(),
        },
        durable_index: state.durable_index.cast_unsigned(),
    })
}

/// The content of `image`.
pub(crate) fn encode_image(image: &MetadataImage, origin: Origin) -> Bytes {
    let records = records_of(image);
    let header = SnapshotHeader {
        index: origin.index.cast_signed(),
        term: origin.term.cast_signed(),
        records: i64::try_from(records.len()).unwrap_or(i64::MAX),
    };
    let mut out = BytesMut::new();
    let mut batch = BatchBuilder::new(Compression::None);
    let mut offset = 0;
    for value in std::iter::once(versioned(&header)).chain(records.iter().map(MetadataRecord::encode)) {
        if !batch.is_empty() && batch.size() + value.len() > BATCH_BYTES {
            let full = std::mem::replace(&mut batch, BatchBuilder::new(Compression::None)).finish();
            offset = full.header().last_offset() + 1;
            out.extend_from_slice(&full.to_bytes());
        }
        if batch.is_empty() {
            batch.at(offset, 0);
        }
        batch.append(0, None, Some(&value));
    }
    out.extend_from_slice(&batch.finish().to_bytes());
    out.freeze()
}

/// The image that `image` holds, and where in the log it stands.
///
/// # Errors
/// When it is damaged.
pub(crate) fn decode_image(content: Bytes) -> Result<(MetadataImage, Origin), FileError> {
    let error = |reason: String| FileError {
        file: IMAGE_FILE,
        reason,
    };
    let values = values(content).map_err(error)?;
    let (first, rest) = values
        .split_first()
        .ok_or_else(|| error("it is empty".to_owned()))?;
    let header: SnapshotHeader = unversioned(first).map_err(error)?;
    if i64::try_from(rest.len()) != Ok(header.records) {
        return Err(error(format!(
            "{} records instead of {}",
            rest.len(),
            header.records
        )));
    }
    let mut image = MetadataImage::default();
    let mut delta = MetadataDelta::default();
    for value in rest {
        let record = MetadataRecord::decode(value.clone()).map_err(|e| error(e.to_string()))?;
        replay(&mut image, &mut delta, &record).map_err(|e| error(e.to_string()))?;
    }
    let origin = Origin {
        index: header.index.cast_unsigned(),
        term: header.term.cast_unsigned(),
    };
    Ok((image, origin))
}

fn versioned<M: Message>(message: &M) -> Bytes {
    let mut body = Encoder::new();
    message
        .encode(&mut body, VERSION)
        .expect("numbers fit everywhere");
    let mut value = BytesMut::with_capacity(2 + body.len());
    value.put_i16(VERSION);
    value.extend_from_slice(&body.finish_contiguous());
    value.freeze()
}

fn unversioned<M: Message>(value: &Bytes) -> Result<M, String> {
    let mut input = Decoder::new(value.clone());
    let version = input.i16().map_err(|e| e.to_string())?;
    M::decode(&mut input, version).map_err(|e| e.to_string())
}

/// The values of all records in a file.
fn values(content: Bytes) -> Result<Vec<Bytes>, String> {
    let mut values = Vec::new();
    for batch in Batches::new(content) {
        let batch = batch.map_err(|e| e.to_string())?;
        for record in batch.records(MAX_BATCH_BYTES).map_err(|e| e.to_string())? {
            let record = record.map_err(|e| e.to_string())?;
            values.push(record.value.ok_or("a record without a value")?);
        }
    }
    Ok(values)
}

/// Records that give the image when they are replayed from nothing.
pub(crate) fn records_of(image: &MetadataImage) -> Vec<MetadataRecord> {
    let mut records = Vec::with_capacity(1 + image.topic_count());
    if !image.cluster_id.is_empty() {
        records.push(formed(image).into());
    }
    records.extend(image.brokers().map(|broker| {
        MetadataRecord::from(BrokerRegistered {
            broker_id: broker.id.0,
            incarnation: broker.incarnation,
            epoch: broker.epoch,
            endpoints: broker
                .endpoints
                .iter()
                .map(|e| EndpointRecord {
                    name: e.name.clone(),
                    host: e.host.clone(),
                    port: i32::from(e.port),
                    security_protocol: e.security_protocol,
                })
                .collect(),
            rack: broker.rack.clone(),
            directory_ids: broker.directory_ids.clone(),
            clean: true,
        })
    }));
    records.extend(
        image
            .topics()
            .map(|topic| MetadataRecord::from(created(image, topic))),
    );
    for (resource, configs) in image.configured() {
        if matches!(resource, ConfigResource::Broker(_)) {
            records.push(
                ConfigsChanged {
                    resource_type: resource.resource_type(),
                    resource_name: resource.name(),
                    configs: config_records(configs.iter()),
                }
                .into(),
            );
        }
    }
    if image.next_producer_id > 0 {
        let next_producer_id = image.next_producer_id;
        records.push(
            ProducerIdsAllocated {
                broker_id: -1,
                broker_epoch: -1,
                next_producer_id,
            }
            .into(),
        );
    }
    records
}

fn formed(image: &MetadataImage) -> ClusterFormed {
    ClusterFormed {
        cluster_id: image.cluster_id.clone(),
        voters: image
            .voters
            .iter()
            .map(|v| VoterRecord {
                raft_id: v.raft_id.cast_signed(),
                node_id: v.node_id.0,
                directory_id: v.directory_id,
            })
            .collect(),
        features: image
            .features
            .iter()
            .map(|(name, level)| FeatureRecord {
                name: name.clone(),
                level: *level,
            })
            .collect(),
    }
}

fn created(image: &MetadataImage, topic: &Topic) -> TopicCreated {
    let configs = image.configs(&ConfigResource::Topic(topic.name.clone()));
    TopicCreated {
        topic_id: topic.id.0,
        name: topic.name.clone(),
        partitions: topic.partitions.iter().map(partition_record).collect(),
        configs: config_records(configs.into_iter().flat_map(|c| c.iter())),
    }
}

fn partition_record(partition: &Partition) -> PartitionRecord {
    PartitionRecord {
        replicas: partition.replicas.iter().map(|id| id.0).collect(),
        isr: partition.isr.iter().map(|id| id.0).collect(),
        leader: partition.leader.0,
        leader_epoch: partition.leader_epoch,
        partition_epoch: partition.partition_epoch,
    }
}

/// Settings as they stand in records.
pub(crate) fn config_records<'a>(configs: impl Iterator<Item = (&'a Str, &'a Str)>) -> Vec<ConfigRecord> {
    configs
        .map(|(name, value)| ConfigRecord {
            name: name.clone(),
            value: Some(value.clone()),
        })
        .collect()
}
