//! Metadata records: what lies in `klamm-metadata/`, one decision per record.
//!
//! A record is the value of an ordinary record of an ordinary batch (base offset = Raft index - 1, leader epoch
//! = Raft term):
//!
//! | offset | bytes | field |
//! |---|---|---|
//! | 0 | 2 | type, big-endian; see [`MetadataRecord`] |
//! | 2 | 2 | version of that type, big-endian |
//! | 4 | rest | the struct below, in Kafka's flexible encoding |
//!
//! A decision is one record, so that it is applied whole or not at all. An unknown type or version is fatal: to
//! skip it would let this node's image drift from everyone else's.

use bytes::{BufMut, Bytes, BytesMut};
use klamm_protocol::derive::{Message, Struct};
use klamm_protocol::{DecodeError, Decoder, EncodeError, Encoder, Message as _, Str, Uuid};

/// The cluster is formed: committed once, by its first leader.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "data", versions = "0", flexible = "0+")]
pub struct ClusterFormed {
    /// The cluster id, 22 characters.
    pub cluster_id: Str,
    /// Who votes from the start.
    pub voters: Vec<VoterRecord>,
    /// Features and the levels they are finalized at.
    pub features: Vec<FeatureRecord>,
}

/// One voter of the metadata quorum.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct VoterRecord {
    /// Its Raft id: incarnation << 32 | node id + 1.
    pub raft_id: i64,
    /// Its node id.
    pub node_id: i32,
    /// The directory that holds its metadata log. Another directory under this id has lost its votes.
    pub directory_id: Uuid,
}

/// A finalized feature.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct FeatureRecord {
    /// Its name.
    pub name: Str,
    /// Its level.
    pub level: i16,
}

/// A broker is there, in a new incarnation.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "data", versions = "0", flexible = "0+")]
pub struct BrokerRegistered {
    /// Its node id.
    pub broker_id: i32,
    /// One run of its process.
    pub incarnation: Uuid,
    /// Grows with every registration: the Raft index of this record.
    pub epoch: i64,
    /// Where clients and other brokers reach it.
    pub endpoints: Vec<EndpointRecord>,
    /// Where it stands; null when nobody said.
    #[field(nullable = "0+", default = "null")]
    pub rack: Option<Str>,
    /// Its log directories.
    pub directory_ids: Vec<Uuid>,
    /// Whether its last run ended in order. Otherwise its logs may have lost their ends, and the partitions
    /// that it leads begin a new leader epoch (KIP-101), by which consumers notice.
    pub clean: bool,
}

/// A listener of a broker.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct EndpointRecord {
    /// The listener's name.
    pub name: Str,
    /// The advertised host.
    pub host: Str,
    /// The advertised port.
    pub port: i32,
    /// Kafka's number of the security protocol: 0 PLAINTEXT, 1 SSL, 2 SASL_PLAINTEXT, 3 SASL_SSL.
    pub security_protocol: i16,
}

/// A topic is there, with all its partitions and settings.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "data", versions = "0", flexible = "0+")]
pub struct TopicCreated {
    /// The topic.
    pub topic_id: Uuid,
    /// Its name.
    pub name: Str,
    /// Partitions 0 and up.
    pub partitions: Vec<PartitionRecord>,
    /// Settings that differ from the defaults.
    pub configs: Vec<ConfigRecord>,
}

/// Who holds a partition.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct PartitionRecord {
    /// Its replicas, the preferred leader first.
    pub replicas: Vec<i32>,
    /// Those of them that are in sync.
    pub isr: Vec<i32>,
    /// The leader.
    pub leader: i32,
    /// 0 for a partition that begins; snapshots carry what it has become.
    pub leader_epoch: i32,
    /// Likewise.
    pub partition_epoch: i32,
}

/// A setting and its value.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct ConfigRecord {
    /// Kafka's name of the setting.
    pub name: Str,
    /// The value as text; null takes the setting back to its default.
    #[field(nullable = "0+", default = "null")]
    pub value: Option<Str>,
}

/// A topic is gone, with its partitions and settings.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "data", versions = "0", flexible = "0+")]
pub struct TopicDeleted {
    /// The topic.
    pub topic_id: Uuid,
}

/// A topic has more partitions.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "data", versions = "0", flexible = "0+")]
pub struct PartitionsAdded {
    /// The topic.
    pub topic_id: Uuid,
    /// The partitions behind those there are.
    pub partitions: Vec<PartitionRecord>,
}

/// Settings of a topic or broker changed.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "data", versions = "0", flexible = "0+")]
pub struct ConfigsChanged {
    /// Kafka's number of the kind of resource: 2 TOPIC, 4 BROKER.
    pub resource_type: i8,
    /// The topic's name; the broker's id as text, empty for every broker.
    pub resource_name: Str,
    /// What changed.
    pub configs: Vec<ConfigRecord>,
}

/// A block of producer ids was given to a broker.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "data", versions = "0", flexible = "0+")]
pub struct ProducerIdsAllocated {
    /// Who asked.
    pub broker_id: i32,
    /// Which registration of it.
    pub broker_epoch: i64,
    /// The first id that is still free.
    pub next_producer_id: i64,
}

/// An entry of Raft's own: a new leader's first entry, or a change of the quorum.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "data", versions = "0", flexible = "0+")]
pub struct RaftEntry {
    /// 0 none, 1 and 2 the two forms of a membership change.
    pub entry_type: i8,
    /// The change, in Raft's encoding.
    pub data: Bytes,
}

/// Why a value is not a metadata record this node can apply.
#[derive(Debug, PartialEq, thiserror::Error)]
pub enum RecordError {
    /// Shorter than type and version.
    #[error("a metadata record of {0} bytes")]
    TooShort(usize),
    /// A type from the future.
    #[error(
        "metadata record of unknown type {record_type}, version {version}: this node is too old for its log"
    )]
    UnknownType {
        /// The type.
        record_type: i16,
        /// Its version.
        version: i16,
    },
    /// The body does not hold what the type says.
    #[error("metadata record of type {record_type}: {cause}")]
    Body {
        /// The type.
        record_type: i16,
        /// What is wrong with it.
        cause: DecodeError,
    },
    /// The body ends before the value does.
    #[error("metadata record of type {record_type}: {bytes} bytes behind its end")]
    Trailing {
        /// The type.
        record_type: i16,
        /// How many.
        bytes: usize,
    },
}

/// Declares the record types once: their numbers, versions, decoding and encoding.
macro_rules! record_types {
    ($($number:literal v $version:literal $name:ident: $doc:literal;)*) => {
        /// A metadata record.
        #[derive(Clone, Debug, PartialEq)]
        pub enum MetadataRecord {
            $(#[doc = $doc] $name($name),)*
        }

        impl MetadataRecord {
            fn decode_body(record_type: i16, version: i16, body: &mut Decoder) -> Result<MetadataRecord, RecordError> {
                match (record_type, version) {
                    $(($number, 0..=$version) => $name::decode(body, version)
                        .map(MetadataRecord::$name)
                        .map_err(|cause| RecordError::Body { record_type, cause }),)*
                    _ => Err(RecordError::UnknownType { record_type, version }),
                }
            }

            fn encode_body(&self, out: &mut Encoder) -> Result<(i16, i16), EncodeError> {
                match self {
                    $(MetadataRecord::$name(body) => body.encode(out, $version).map(|()| ($number, $version)),)*
                }
            }
        }

        $(impl From<$name> for MetadataRecord {
            fn from(record: $name) -> MetadataRecord {
                MetadataRecord::$name(record)
            }
        })*
    };
}

record_types! {
    0 v 0 RaftEntry: "Raft's own.";
    1 v 0 ClusterFormed: "The cluster is formed.";
    2 v 0 BrokerRegistered: "A broker registered.";
    3 v 0 TopicCreated: "A topic was created.";
    4 v 0 TopicDeleted: "A topic was deleted.";
    5 v 0 PartitionsAdded: "A topic got more partitions.";
    6 v 0 ConfigsChanged: "Settings changed.";
    7 v 0 ProducerIdsAllocated: "Producer ids were given out.";
}

impl MetadataRecord {
    /// Reads the value of a record of the metadata log.
    ///
    /// # Errors
    /// All of [`RecordError`]; each means that this node must not go on.
    pub fn decode(value: Bytes) -> Result<MetadataRecord, RecordError> {
        let length = value.len();
        let mut input = Decoder::new(value);
        let (Ok(record_type), Ok(version)) = (input.i16(), input.i16()) else {
            return Err(RecordError::TooShort(length));
        };
        let record = MetadataRecord::decode_body(record_type, version, &mut input)?;
        match input.remaining() {
            0 => Ok(record),
            bytes => Err(RecordError::Trailing { record_type, bytes }),
        }
    }

    /// Writes the record as the value of a record of the metadata log.
    ///
    /// # Panics
    /// If a text or list is longer than its length can say: the controller bounds both far below.
    pub fn encode(&self) -> Bytes {
        let mut body = Encoder::new();
        let (record_type, version) = self
            .encode_body(&mut body)
            .expect("the controller bounds what it decides");
        let mut value = BytesMut::with_capacity(4 + body.len());
        value.put_i16(record_type);
        value.put_i16(version);
        for part in body.finish() {
            value.extend_from_slice(&part);
        }
        value.freeze()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layout_is_type_version_body() {
        let record = MetadataRecord::from(TopicDeleted {
            topic_id: Uuid([7; 16]),
        });
        let mut expected = vec![0, 4, 0, 0];
        expected.extend([7; 16]);
        expected.push(0); // no tagged fields
        assert_eq!(record.encode(), expected);
        assert_eq!(MetadataRecord::decode(record.encode()), Ok(record));
    }

    #[test]
    fn unknown_types_and_versions_are_errors() {
        let decode = |bytes: &'static [u8]| MetadataRecord::decode(Bytes::from_static(bytes));
        assert_eq!(
            decode(&[1, 0, 0, 0]),
            Err(RecordError::UnknownType {
                record_type: 256,
                version: 0
            })
        );
        assert_eq!(
            decode(&[0, 4, 0, 1]),
            Err(RecordError::UnknownType {
                record_type: 4,
                version: 1
            })
        );
        assert_eq!(decode(&[0, 4, 0]), Err(RecordError::TooShort(3)));
        assert!(matches!(
            decode(&[0, 4, 0, 0, 1]),
            Err(RecordError::Body { record_type: 4, .. })
        ));
        let mut long = MetadataRecord::from(TopicDeleted { topic_id: Uuid::ZERO })
            .encode()
            .to_vec();
        long.push(0);
        assert_eq!(
            MetadataRecord::decode(long.into()),
            Err(RecordError::Trailing {
                record_type: 4,
                bytes: 1
            })
        );
    }
}
