//! Produce (key 0): appends record batches and answers when they are acknowledged.
//!
//! The bytes are parsed and checked in the connection's task ([`ProduceCall::decode`]); what is left here is to
//! find the partition, assign offsets and wait. Each partition succeeds or fails on its own.

use bytes::Bytes;
use klamm_protocol::messages::produce::{
    BatchIndexAndErrorMessage, LeaderIdAndEpoch, PartitionProduceResponse, ProduceRequest, ProduceResponse,
    TopicProduceResponse,
};
use klamm_protocol::record::legacy::{self, LegacyError, UpRules};
use klamm_protocol::record::{Batch, BatchError, ProducedError, ProducedRules};
use klamm_protocol::{DecodeError, Decoder, ErrorCode, Message, Str, ids::TopicId};
use klamm_storage::LogKey;
use klamm_storage::bug::Bug;

use crate::api::Caller;
use crate::node::{Effect, Node};
use crate::preparation;
use crate::waiting::Patience;
use crate::{CloseReason, Now};

/// From this version on, there are record batches; before it, message sets.
pub(crate) const BATCHES_SINCE: i16 = 3;

/// A plain message set up to this size is converted at once.
const SHORT_SET_BYTES: usize = 32 << 10;

/// From this version on, clients know zstd (KIP-110).
const ZSTD_SINCE: i16 = 7;

/// From this version on, whoever asks the wrong broker is told the right one (KIP-951).
const HINTS_SINCE: i16 = 10;

/// A Produce request whose batches have been read and checked.
#[derive(Clone, Debug)]
pub struct ProduceCall {
    /// Set by transactional producers.
    pub transactional_id: Option<Str>,
    /// 0: no answer; 1: when the leader has it; -1: when every in-sync replica has it.
    pub acks: i16,
    /// How long the answer may wait for replicas.
    pub timeout_ms: i32,
    /// What to append, by topic.
    pub topics: Vec<ProduceTopic>,
}

/// What goes to one topic.
#[derive(Clone, Debug)]
pub struct ProduceTopic {
    /// The name, up to version 12.
    pub name: Str,
    /// The id, from version 13 on.
    pub id: TopicId,
    /// What goes to each partition.
    pub partitions: Vec<ProducePartition>,
}

/// What goes to one partition.
#[derive(Clone, Debug)]
pub struct ProducePartition {
    /// The partition.
    pub index: i32,
    /// What to append, if it may be as far as can be told without the topic. With the code NONE: nothing at all.
    pub batch: Result<Produced, Rejected>,
}

impl ProducePartition {
    /// The batch, if it is one and may be appended as far as is known.
    pub fn ready(&self) -> Option<&Batch> {
        match &self.batch {
            Ok(Produced::Batch(batch)) => Some(batch),
            Ok(Produced::Set(_)) | Err(_) => None,
        }
    }
}

/// What a partition is sent.
#[derive(Clone, Debug)]
pub enum Produced {
    /// One batch, checked.
    Batch(Batch),
    /// A message set of an old producer that takes too long to be converted in the connection's task: a job does it
    /// once its topic is known.
    Set(Bytes),
}

/// Why a batch is not appended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejected {
    /// The code that the client is told.
    pub code: ErrorCode,
    /// What is wrong, in words; left out where the code says it all.
    pub message: Option<String>,
    /// The record that is to blame, by its place in the batch (KIP-467).
    pub record: Option<i32>,
}

impl From<ErrorCode> for Rejected {
    fn from(code: ErrorCode) -> Self {
        Rejected {
            code,
            message: None,
            record: None,
        }
    }
}

impl From<ProducedError> for Rejected {
    fn from(error: ProducedError) -> Self {
        let (code, record) = match &error {
            ProducedError::Batch(BatchError::Crc { .. }) => (ErrorCode::CORRUPT_MESSAGE, None),
            ProducedError::Codec { .. } => (ErrorCode::UNSUPPORTED_COMPRESSION_TYPE, None),
            ProducedError::LogAppendTime | ProducedError::Timestamp { .. } => {
                (ErrorCode::INVALID_TIMESTAMP, None)
            }
            ProducedError::OffsetDelta { index, .. } | ProducedError::NoKey { index } => {
                (ErrorCode::INVALID_RECORD, Some(*index))
            }
            ProducedError::Batch(_)
            | ProducedError::Empty
            | ProducedError::MoreThanOne { .. }
            | ProducedError::BaseOffset { .. }
            | ProducedError::Control
            | ProducedError::Count { .. }
            | ProducedError::Producer { .. }
            | ProducedError::DeleteHorizon
            | ProducedError::Records(_) => (ErrorCode::INVALID_RECORD, None),
        };
        Rejected {
            code,
            message: Some(error.to_string()),
            record,
        }
    }
}

impl From<LegacyError> for Rejected {
    fn from(error: LegacyError) -> Self {
        let code = match error {
            LegacyError::Truncated
            | LegacyError::Size { .. }
            | LegacyError::Crc { .. }
            | LegacyError::Fields => ErrorCode::CORRUPT_MESSAGE,
            LegacyError::Magic { magic } if !(0..=2).contains(&magic) => ErrorCode::CORRUPT_MESSAGE,
            LegacyError::Timestamp { .. } => ErrorCode::INVALID_TIMESTAMP,
            LegacyError::Magic { .. }
            | LegacyError::Codec { .. }
            | LegacyError::Inflate(_)
            | LegacyError::Wrapper
            | LegacyError::Empty
            | LegacyError::MoreThanOne
            | LegacyError::NoKey => ErrorCode::INVALID_RECORD,
        };
        Rejected {
            code,
            message: Some(error.to_string()),
            record: None,
        }
    }
}

impl ProduceCall {
    /// Reads a request and checks every batch: CRC, counts, codec, and the records where they are not compressed.
    /// The message sets of versions 0 to 2 become batches.
    ///
    /// # Errors
    /// What is no Produce request. Batches that may not be appended are no error of the request.
    pub fn decode(input: &mut Decoder, version: i16) -> Result<ProduceCall, DecodeError> {
        let frame_bytes = input.remaining();
        let request = ProduceRequest::decode(input, version)?;
        let topics = request.topic_data.into_iter().map(|topic| ProduceTopic {
            name: topic.name,
            id: TopicId(topic.topic_id),
            partitions: topic
                .partition_data
                .into_iter()
                .map(|partition| ProducePartition {
                    index: partition.index,
                    batch: read_batch(
                        partition.records.unwrap_or_default().to_bytes(),
                        frame_bytes,
                        version,
                    ),
                })
                .collect(),
        });
        Ok(ProduceCall {
            transactional_id: request.transactional_id,
            acks: request.acks,
            timeout_ms: request.timeout_ms,
            topics: topics.collect(),
        })
    }
}

fn read_batch(bytes: Bytes, frame_bytes: usize, version: i16) -> Result<Produced, Rejected> {
    if version < BATCHES_SINCE {
        if bytes.is_empty() {
            // Nothing to append was no error then: it is answered as that, without an offset.
            return Err(ErrorCode::NONE.into());
        }
        return Ok(match bytes.len() <= SHORT_SET_BYTES && legacy::is_plain(&bytes) {
            true => Produced::Batch(legacy::up_convert(bytes, &UpRules::default())?),
            false => Produced::Set(bytes),
        });
    }
    let rules = ProducedRules {
        zstd_allowed: version >= ZSTD_SINCE,
        ..ProducedRules::default()
    };
    let mut batch = Batch::parse_produced(bytes)?;
    batch.validate_produced(&rules)?;
    // The log keeps batches in memory for its readers: a small one must not keep a large frame there.
    Ok(Produced::Batch(if batch.size() < frame_bytes / 2 {
        batch.detached()
    } else {
        batch
    }))
}

/// A Produce whose offsets are assigned and not yet acknowledged.
pub(crate) struct Pending {
    caller: Caller,
    response: ProduceResponse,
    /// Where in `response` each partition stands.
    places: Vec<(LogKey, usize, usize)>,
}

impl Pending {
    /// `key` will not be acknowledged: its answer becomes `code`.
    pub fn fail(&mut self, key: LogKey, code: ErrorCode) {
        for (_, topic, partition) in self.places.iter().filter(|place| place.0 == key) {
            let answer = &mut self.response.responses[*topic].partition_responses[*partition];
            *answer = PartitionProduceResponse {
                index: answer.index,
                ..refusal(&code.into())
            };
        }
    }

    /// Everything is decided.
    pub fn answer(self, node: &mut Node) {
        node.answer(&self.caller, self.response);
    }
}

/// A write has at least so much time, whatever the request allows: Kafka counts from when its own log has the batches,
/// so there a timeout of 0 is enough for a topic with one replica.
const WRITE_MS_MIN: u64 = 1_000;

/// Handles a request: appends what it carries, at once or behind what is still being prepared for the same
/// connection.
pub(crate) fn handle(node: &mut Node, caller: Caller, call: ProduceCall) {
    if let Some((caller, call)) = preparation::prepare(node, caller, call) {
        commit(node, caller, call);
    }
}

/// Assigns offsets and appends, and answers when all is acknowledged.
pub(crate) fn commit(node: &mut Node, caller: Caller, call: ProduceCall) {
    let verified = preparation::is_verified(node, &caller);
    let mut response = ProduceResponse::default();
    let mut places = Vec::new();
    let mut conditions = Vec::new();
    let mut failed = false;
    // As in Kafka's answers, a topic without partitions is left out.
    let topics = call
        .topics
        .into_iter()
        .filter(|topic| !topic.partitions.is_empty());
    for (topic_at, topic) in topics.enumerate() {
        let found = resolve(node, &caller, &topic).map_err(Rejected::from);
        let mut answers = Vec::with_capacity(topic.partitions.len());
        for (partition_at, partition) in topic.partitions.into_iter().enumerate() {
            let appended = found.clone().and_then(|topic_id| {
                let key = LogKey {
                    topic_id,
                    partition: partition.index,
                };
                append(node, key, partition.batch, call.acks, verified).map(|appended| (key, appended))
            });
            answers.push(match appended {
                Ok((
                    key,
                    Done {
                        answer,
                        acknowledged_at,
                    },
                )) => {
                    if let Some(offset) = acknowledged_at {
                        conditions.push((key, offset));
                        places.push((key, topic_at, partition_at));
                    }
                    PartitionProduceResponse {
                        index: partition.index,
                        ..answer
                    }
                }
                Err(rejected) => {
                    failed |= rejected.code != ErrorCode::NONE;
                    let current_leader = match &found {
                        Ok(topic) if caller.version >= HINTS_SINCE => {
                            leader_hint(node, *topic, partition.index, rejected.code)
                        }
                        _ => LeaderIdAndEpoch::default(),
                    };
                    PartitionProduceResponse {
                        index: partition.index,
                        current_leader,
                        ..refusal(&rejected)
                    }
                }
            });
        }
        response.responses.push(TopicProduceResponse {
            name: topic.name,
            topic_id: topic.id.0,
            partition_responses: answers,
        });
    }
    if call.acks == 0 {
        node.push(match failed {
            true => Effect::Close(caller.id.connection, CloseReason::UnacknowledgedProduceFailed),
            false => Effect::NoAnswer(caller.id),
        });
    } else if conditions.is_empty() {
        node.answer(&caller, response);
    } else {
        let timeout_ms = u64::try_from(call.timeout_ms).unwrap_or(0).max(WRITE_MS_MIN);
        let patience = Patience {
            deadline_ms: Some(node.now.elapsed_ms.saturating_add(timeout_ms)),
            connection: Some(caller.id.connection),
        };
        node.wait_for_acks(
            Pending {
                caller,
                response,
                places,
            },
            conditions,
            patience,
        );
    }
}

pub(crate) fn resolve(node: &Node, caller: &Caller, topic: &ProduceTopic) -> Result<TopicId, ErrorCode> {
    let found = if caller.version >= 13 {
        node.cluster
            .topic_by_id(topic.id)
            .ok_or(ErrorCode::UNKNOWN_TOPIC_ID)?
    } else {
        node.cluster
            .topic_by_name(&topic.name)
            .ok_or(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)?
    };
    // Kafka: only its own admin client may write into internal topics.
    if crate::cluster::is_internal(&found.name) && caller.client_id.as_deref() != Some("__admin_client") {
        return Err(ErrorCode::INVALID_TOPIC_EXCEPTION);
    }
    Ok(found.id)
}

struct Done {
    answer: PartitionProduceResponse,
    /// The high watermark at which the batch counts as acknowledged; `None` if it already does.
    acknowledged_at: Option<i64>,
}

fn append(
    node: &mut Node,
    key: LogKey,
    produced: Result<Produced, Rejected>,
    acks: i16,
    verified: bool,
) -> Result<Done, Rejected> {
    let Now { elapsed_ms, unix_ms } = node.now;
    let partition = node.partitions.online(&key).map_err(|absent| absent.code())?;
    if !matches!(acks, -1..=1) {
        return Err(ErrorCode::INVALID_REQUIRED_ACKS.into());
    }
    let Produced::Batch(batch) = produced? else {
        // It was not online when the request came, or the set would be a batch by now.
        return Err(ErrorCode::NOT_LEADER_OR_FOLLOWER.into());
    };
    let disk = node.disks.iter().find(|disk| disk.lane == partition.lane);
    if disk.is_some_and(|disk| !disk.room.is_ample()) {
        partition.log.refused(batch.header());
        return Err(ErrorCode::KAFKA_STORAGE_ERROR.into());
    }
    if acks == -1 && partition.in_sync_replicas < partition.in_sync_replicas_min() {
        return Err(ErrorCode::NOT_ENOUGH_REPLICAS.into());
    }
    let appended = partition.append_produced(batch, verified, unix_ms, node.out.lane(partition.lane))?;
    node.schedule.appended(key, partition, elapsed_ms);
    let high_watermark = partition.high_watermark();
    let is_acknowledged = appended.last_offset < high_watermark || Bug::EarlyAck.is_on();
    Ok(Done {
        answer: PartitionProduceResponse {
            base_offset: appended.base_offset,
            log_append_time_ms: appended.log_append_time_ms,
            log_start_offset: partition.log.log_start_offset(),
            ..PartitionProduceResponse::default()
        },
        acknowledged_at: (!is_acknowledged).then_some(appended.last_offset + 1),
    })
}

fn refusal(rejected: &Rejected) -> PartitionProduceResponse {
    let record_error = rejected.record.map(|index| BatchIndexAndErrorMessage {
        batch_index: index,
        batch_index_error_message: rejected.message.as_deref().map(Str::from),
    });
    PartitionProduceResponse {
        error_code: rejected.code,
        base_offset: -1,
        log_append_time_ms: -1,
        log_start_offset: -1,
        record_errors: record_error.into_iter().collect(),
        error_message: rejected.message.as_deref().map(Str::from),
        ..PartitionProduceResponse::default()
    }
}

/// Who leads, for a client that asked somebody else (KIP-951).
fn leader_hint(node: &Node, topic: TopicId, partition: i32, code: ErrorCode) -> LeaderIdAndEpoch {
    let known = match code {
        ErrorCode::NOT_LEADER_OR_FOLLOWER => node.cluster.leader_of(topic, partition),
        _ => None,
    };
    known.map_or_else(LeaderIdAndEpoch::default, |(leader_id, leader_epoch)| {
        LeaderIdAndEpoch {
            leader_id: leader_id.0,
            leader_epoch,
        }
    })
}
