//! One partition that this broker leads: its log, its high watermark, and what may be read.
//!
//! Invariant: log start offset <= last stable offset <= high watermark <= log end offset.
//! With one replica the high watermark is the end of what the log acknowledges: written to the page cache,
//! or synced where the topic asks for it (`Log` decides which, by its durability class).

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use klamm_protocol::record::control::end_transaction;
use klamm_protocol::record::{Batch, BatchHeader, TimestampBounds};
use klamm_protocol::{ErrorCode, Str};
use klamm_storage::{
    AppendError, CompactJob, LaneDone, LaneJob, Log, LogKey, ProducerCheck, ProducerError, Progress, Read,
    ReadError,
};

use crate::LaneId;
use crate::api::produce::Rejected;
use crate::config::{TimestampType, TopicConfig};
use crate::disks::{LogName, Points};

pub(crate) struct Partition {
    /// The topic's name, for messages.
    pub topic: Str,
    /// The lane of the log directory that it lies in.
    pub lane: LaneId,
    pub leader_epoch: i32,
    /// How many replicas there are, and how many of them are in sync; this one included.
    pub replicas: usize,
    pub in_sync_replicas: usize,
    pub config: Arc<TopicConfig>,
    pub log: Log,
    /// A sync is due by the clock (`flush.ms`).
    pub flush_scheduled: bool,
    /// Producers whose transactions begin here, as their coordinator has said or will say.
    beginning: BTreeMap<i64, Beginning>,
    high_watermark: i64,
    /// What is appended and not yet below the high watermark: end offset and bytes, in order.
    unacknowledged: VecDeque<(i64, u64)>,
    /// The last stable offset that readers of committed records have been told of, and the bytes that came since.
    stable_seen: i64,
    unstable_bytes: u64,
}

/// A transaction of which nothing is in the log yet. A marker of its producer takes this away: what was confirmed
/// before that may not be appended after it, since nobody would end it (Kafka: `VerificationStateEntry`).
struct Beginning {
    epoch: i16,
    /// Of the batches that were asked about, the first sequence of the first. It has to be the first in the log.
    lowest_sequence: i32,
    since_ms: i64,
}

/// The end of a transaction, for one partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Marker {
    pub producer_id: i64,
    pub producer_epoch: i16,
    pub commit: bool,
    pub coordinator_epoch: i32,
    /// The epoch is above that of the transaction (KIP-890).
    pub epoch_bumped: bool,
}

/// What an append answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Placed {
    pub base_offset: i64,
    pub last_offset: i64,
    /// -1 where records keep the timestamps of their producer.
    pub log_append_time_ms: i64,
}

/// What a lane's report has changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Changed {
    pub advanced: Option<Advanced>,
    /// Appends from this offset on failed; their offsets will be given out again.
    pub lost_from: Option<i64>,
    /// The disk had no room for something.
    pub no_room: bool,
    /// The disk failed under the log, for this reason.
    pub offline: Option<String>,
}

/// How far the high watermark went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Advanced {
    pub high_watermark: i64,
    /// Bytes of the batches that became readable.
    pub bytes: u64,
    /// The same for readers of committed records.
    pub stable_bytes: u64,
}

impl Partition {
    /// Takes over a log that was just opened. All that recovery kept counts as committed: there is no other
    /// replica that could know better.
    pub fn new(
        topic: Str,
        lane: LaneId,
        holders: &klamm_consensus::Partition,
        config: Arc<TopicConfig>,
        log: Log,
    ) -> Self {
        let mut partition = Partition {
            topic,
            lane,
            leader_epoch: holders.leader_epoch,
            replicas: 0,
            in_sync_replicas: 0,
            config,
            high_watermark: log.log_end_offset(),
            log,
            flush_scheduled: false,
            beginning: BTreeMap::new(),
            unacknowledged: VecDeque::new(),
            stable_seen: -1,
            unstable_bytes: 0,
        };
        partition.lead(holders);
        partition
    }

    /// How many replicas have to be in sync for a write with acks=all: no more than there are
    /// (Kafka: `Partition.effectiveMinIsr`).
    pub fn in_sync_replicas_min(&self) -> usize {
        self.replicas.min(self.config.min_insync_replicas as usize)
    }

    /// Follows what the metadata says about who holds it: this broker leads it, in this epoch from now on.
    pub fn lead(&mut self, holders: &klamm_consensus::Partition) {
        self.leader_epoch = holders.leader_epoch;
        self.replicas = holders.replicas.len();
        self.in_sync_replicas = holders.isr.len();
        self.log.assign_leader_epoch(holders.leader_epoch);
    }

    /// What every in-sync replica has; readers see nothing beyond.
    pub fn high_watermark(&self) -> i64 {
        self.high_watermark
    }

    /// The bound of read_committed readers: nothing below it belongs to an open transaction.
    pub fn last_stable_offset(&self) -> i64 {
        self.log.last_stable_offset(self.high_watermark)
    }

    /// Checks the leader epoch that a client believes in (-1: it does not say).
    pub fn check_epoch(&self, believed: i32) -> Result<(), ErrorCode> {
        match believed {
            -1 => Ok(()),
            epoch if epoch < self.leader_epoch => Err(ErrorCode::FENCED_LEADER_EPOCH),
            epoch if epoch > self.leader_epoch => Err(ErrorCode::UNKNOWN_LEADER_EPOCH),
            _ => Ok(()),
        }
    }

    /// Appends a checked batch of a producer, unless it is the retry of one that is already in the log.
    pub fn append_produced(
        &mut self,
        mut batch: Batch,
        verified: bool,
        now_ms: i64,
        jobs: &mut Vec<LaneJob>,
    ) -> Result<Placed, Rejected> {
        if batch.size() > self.config.max_message_bytes as usize {
            return Err(ErrorCode::MESSAGE_TOO_LARGE.into());
        }
        let broker_time = self.config.timestamp_type == TimestampType::LogAppendTime;
        let log_append_time_ms = if broker_time {
            batch.set_log_append_time(now_ms);
            now_ms
        } else {
            batch.check_timestamps(&TimestampBounds {
                now_ms,
                before_max_ms: saturating(self.config.timestamp_before_max_ms),
                after_max_ms: saturating(self.config.timestamp_after_max_ms),
            })?;
            -1
        };
        match self.log.check_producer(batch.header()) {
            Ok(ProducerCheck::New) => {}
            Ok(ProducerCheck::Duplicate {
                base_offset,
                last_offset,
                timestamp_ms,
            }) => {
                return Ok(Placed {
                    base_offset,
                    last_offset,
                    log_append_time_ms: timestamp_ms,
                });
            }
            Err(error) => return Err(code_of(error).into()),
        }
        if verified && batch.header().is_transactional() {
            self.check_beginning(batch.header())?;
        }
        if batch.header().is_transactional() {
            self.beginning.remove(&batch.header().producer_id);
        }
        let placed = self.append(batch, now_ms, jobs)?;
        Ok(Placed {
            log_append_time_ms,
            ..placed
        })
    }

    /// Whether this batch would begin a transaction here, which its coordinator has to know of. If so, no other batch
    /// can get before it meanwhile.
    pub fn begins_transaction(&mut self, header: &BatchHeader, now_ms: i64) -> bool {
        if self.has_open_transaction(header) {
            return false;
        }
        let first = header.base_sequence;
        let beginning = self.beginning.entry(header.producer_id).or_insert(Beginning {
            epoch: header.producer_epoch,
            lowest_sequence: first,
            since_ms: now_ms,
        });
        if beginning.epoch < header.producer_epoch {
            beginning.epoch = header.producer_epoch;
            beginning.lowest_sequence = first;
        } else if beginning.epoch == header.producer_epoch {
            beginning.lowest_sequence = beginning.lowest_sequence.min(first);
        }
        true
    }

    fn has_open_transaction(&self, header: &BatchHeader) -> bool {
        self.log.producer(header.producer_id).is_some_and(|known| {
            known.producer_epoch == header.producer_epoch && known.transaction_start.is_some()
        })
    }

    fn check_beginning(&self, header: &BatchHeader) -> Result<(), Rejected> {
        if self.has_open_transaction(header) {
            return Ok(());
        }
        match self.beginning.get(&header.producer_id) {
            Some(beginning) if beginning.epoch == header.producer_epoch => {
                let is_new = self.log.producer(header.producer_id).is_none();
                if is_new && header.base_sequence > beginning.lowest_sequence {
                    return Err(ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER.into());
                }
                Ok(())
            }
            _ => Err(Rejected {
                message: Some("the transaction was ended meanwhile".into()),
                ..ErrorCode::INVALID_TXN_STATE.into()
            }),
        }
    }

    /// Whether the end of a transaction may be appended.
    pub fn check_marker(&self, marker: &Marker) -> Result<(), ErrorCode> {
        // No producer has such an id or epoch, and the log would keep them for ever.
        if marker.producer_id < 0 || marker.producer_epoch < 0 {
            return Err(ErrorCode::INVALID_PRODUCER_EPOCH);
        }
        self.log
            .check_marker(
                marker.producer_id,
                marker.producer_epoch,
                marker.coordinator_epoch,
                marker.epoch_bumped,
            )
            .map_err(code_of)
    }

    /// Appends the end of a transaction that [`Partition::check_marker`] has let through.
    pub fn append_marker(
        &mut self,
        marker: &Marker,
        now_ms: i64,
        jobs: &mut Vec<LaneJob>,
    ) -> Result<Placed, ErrorCode> {
        let batch = end_transaction(
            now_ms,
            marker.producer_id,
            marker.producer_epoch,
            marker.commit,
            marker.coordinator_epoch,
        );
        self.beginning.remove(&marker.producer_id);
        self.append(batch, now_ms, jobs)
    }

    /// Appends a batch as it is: the broker's own records.
    pub fn append(
        &mut self,
        batch: Batch,
        now_ms: i64,
        jobs: &mut Vec<LaneJob>,
    ) -> Result<Placed, ErrorCode> {
        let bytes = batch.size() as u64;
        let appended = self
            .log
            .append(vec![batch], self.leader_epoch, now_ms, jobs)
            .map_err(|error| match error {
                AppendError::TooLarge { .. } => ErrorCode::RECORD_LIST_TOO_LARGE,
                AppendError::StaleEpoch { .. } | AppendError::Closed => ErrorCode::NOT_LEADER_OR_FOLLOWER,
                AppendError::Offline(_) | AppendError::OutOfOffsets => ErrorCode::KAFKA_STORAGE_ERROR,
                AppendError::DoesNotFollow { .. } => ErrorCode::UNKNOWN_SERVER_ERROR,
            })?;
        self.unacknowledged.push_back((appended.last_offset + 1, bytes));
        Ok(Placed {
            base_offset: appended.first_offset,
            last_offset: appended.last_offset,
            log_append_time_ms: -1,
        })
    }

    /// Takes a lane's report; returns what changed by it.
    pub fn on_done(&mut self, done: LaneDone, jobs: &mut Vec<LaneJob>) -> Changed {
        let Progress {
            lost_from,
            offline,
            no_room,
            ..
        } = self.log.on_done(done, jobs);
        let offline = self.log.offline_reason().filter(|_| offline).map(str::to_owned);
        if let Some(lost_from) = lost_from {
            while self
                .unacknowledged
                .back()
                .is_some_and(|(end, _)| *end > lost_from)
            {
                self.unacknowledged.pop_back();
            }
        }
        Changed {
            advanced: self.advance(),
            lost_from,
            no_room,
            offline,
        }
    }

    fn advance(&mut self) -> Option<Advanced> {
        let acknowledged = self.log.acknowledged_end();
        assert!(
            acknowledged <= self.log.log_end_offset(),
            "nothing is acknowledged beyond the log end offset"
        );
        if acknowledged <= self.high_watermark {
            return None;
        }
        self.high_watermark = acknowledged;
        self.log.on_high_watermark(acknowledged);
        let mut bytes = 0;
        while let Some(&(end, size)) = self.unacknowledged.front()
            && end <= acknowledged
        {
            bytes += size;
            self.unacknowledged.pop_front();
        }
        self.unstable_bytes += bytes;
        let last_stable_offset = self.last_stable_offset();
        let mut stable_bytes = 0;
        if last_stable_offset > self.stable_seen {
            // Of several open transactions only the first may have ended: then this is too much, and its readers
            // look once for nothing.
            self.stable_seen = last_stable_offset;
            stable_bytes = std::mem::take(&mut self.unstable_bytes);
        }
        Some(Advanced {
            high_watermark: acknowledged,
            bytes,
            stable_bytes,
        })
    }

    /// What checkpoints are to say of it.
    pub fn points(&self) -> Points {
        Points {
            recovery_point: self.log.recovery_point(),
            log_start_offset: self.log.checkpointed_start(),
            high_watermark: self.high_watermark,
            compacted_to: self.log.compacted_to(),
        }
    }

    /// What its log's directory is called.
    pub fn log_name(&self, key: LogKey) -> LogName {
        (self.topic.to_string(), key.partition)
    }

    /// Reads for a consumer, up to `bound`.
    pub fn read(
        &self,
        from: i64,
        bound: i64,
        max_bytes: usize,
        at_least_one: bool,
    ) -> Result<Read, ErrorCode> {
        self.log
            .read(from, bound, max_bytes, at_least_one)
            .map_err(|error| match error {
                ReadError::OutOfRange { .. } => ErrorCode::OFFSET_OUT_OF_RANGE,
                ReadError::Gone => ErrorCode::NOT_LEADER_OR_FOLLOWER,
                ReadError::Offline(_) | ReadError::Damaged { .. } | ReadError::Io(_) => {
                    ErrorCode::KAFKA_STORAGE_ERROR
                }
            })
    }

    /// Lets go of what is old enough, and syncs what has waited for long enough.
    pub fn retain(&mut self, now_ms: i64, jobs: &mut Vec<LaneJob>) {
        self.log.retain(now_ms, self.high_watermark, jobs);
        let expiration_ms = self.log.config().producer_expiration_ms;
        self.beginning
            .retain(|_, beginning| now_ms.saturating_sub(beginning.since_ms) < expiration_ms);
    }

    /// A compaction of the log, if its topic asks for that and it is due.
    pub fn compact(&mut self, now_ms: i64, memory_bytes: usize) -> Option<CompactJob> {
        self.log.compact(now_ms, self.high_watermark, memory_bytes)
    }
}

fn code_of(error: ProducerError) -> ErrorCode {
    match error {
        ProducerError::OutOfOrderSequence { .. } => ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER,
        ProducerError::InvalidEpoch { .. } => ErrorCode::INVALID_PRODUCER_EPOCH,
        ProducerError::TransactionOpen => ErrorCode::INVALID_TXN_STATE,
        ProducerError::CoordinatorFenced { .. } => ErrorCode::TRANSACTION_COORDINATOR_FENCED,
        ProducerError::Truncating => ErrorCode::NOT_LEADER_OR_FOLLOWER,
    }
}

fn saturating(ms: u64) -> i64 {
    i64::try_from(ms).unwrap_or(i64::MAX)
}

/// The name that log lines give a partition.
pub(crate) fn name(topic: &str, key: LogKey) -> String {
    format!("{topic}-{}", key.partition)
}
