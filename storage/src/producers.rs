//! What a log knows of the producers that wrote to it: the last five batches of each, so that a retry is found
//! again (KIP-98), and where transactions are open (Kafka: `ProducerStateManager`).
//!
//! Lies beside the log as `NNN.snapshot`, where NNN is the offset up to which it holds; the format is Kafka's,
//! big-endian. Kafka writes one entry for each producer, its last batch, and so forgets which batches before that
//! were no new ones. Here each batch of the window is an entry, oldest first: Kafka reads them as well, and keeps
//! the last.
//!
//! ```text
//!   0  2  version: 1
//!   2  4  CRC-32C of everything from byte 6 on
//!   6  4  number of entries, each of 46 bytes:
//!         8  producer id
//!         2  producer epoch
//!         4  sequence of the last record of a batch, -1 when there is none
//!         8  offset of that record
//!         4  last offset minus first offset of that batch
//!         8  the batch's max timestamp, milliseconds since 1970
//!         4  epoch of the transaction coordinator whose marker came last, -1 for none
//!         8  first offset of the open transaction, -1 for none
//! ```

use std::collections::{BTreeMap, BTreeSet};

use bytes::{Buf, BufMut, Bytes, BytesMut};
use klamm_protocol::record::control::ControlRecord;
use klamm_protocol::record::{BatchHeader, NO_PRODUCER_EPOCH, NO_SEQUENCE};
use thiserror::Error;

/// A retry is recognised among so many batches: as many as a producer may have in flight.
const WINDOW: usize = 5;
const SNAPSHOT_VERSION: i16 = 1;
const CRC_AT: usize = 2;
const ENTRIES_AT: usize = 6;
const ENTRY_BYTES: usize = 46;

/// What a batch is to the producer state, before it is appended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProducerCheck {
    /// Append it.
    New,
    /// It is in the log already: answer as if it had just been appended.
    Duplicate {
        /// Offset of its first record.
        base_offset: i64,
        /// Offset of its last record.
        last_offset: i64,
        /// The batch's max timestamp, milliseconds since 1970.
        timestamp_ms: i64,
    },
}

/// Why a producer's batch is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ProducerError {
    /// `OUT_OF_ORDER_SEQUENCE_NUMBER`: a batch is missing before this one, or it is an old one.
    #[error("out of order sequence number: {got} after {last}")]
    OutOfOrderSequence {
        /// The last sequence in the log.
        last: i32,
        /// The first sequence of the batch.
        got: i32,
    },
    /// `INVALID_PRODUCER_EPOCH`: a newer incarnation of the producer has written.
    #[error("producer epoch {got} is older than {current}")]
    InvalidEpoch {
        /// The newest epoch in the log.
        current: i16,
        /// The epoch of the batch.
        got: i16,
    },
    /// `INVALID_TXN_STATE`: a transaction is open and the batch is no part of one.
    #[error("a transaction of this producer is open")]
    TransactionOpen,
    /// `TRANSACTION_COORDINATOR_FENCED`: a marker of a coordinator that was replaced.
    #[error("coordinator epoch {got} is older than {current}")]
    CoordinatorFenced {
        /// The newest coordinator epoch in the log.
        current: i32,
        /// The epoch in the marker.
        got: i32,
    },
    /// The log is being cut and does not know its producers until that is done; ask again.
    #[error("the log is being truncated")]
    Truncating,
}

/// One of the remembered batches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Seen {
    last_sequence: i32,
    last_offset: i64,
    offset_delta: i32,
    timestamp_ms: i64,
}

impl Seen {
    const NONE: Seen = Seen {
        last_sequence: -1,
        last_offset: -1,
        offset_delta: 0,
        timestamp_ms: -1,
    };

    /// Sequences wrap: before 0 comes 2^31-1.
    fn first_sequence(&self) -> i32 {
        self.last_sequence.wrapping_sub(self.offset_delta) & i32::MAX
    }
}

/// What is known of one producer id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Producer {
    epoch: i16,
    seen: [Seen; WINDOW],
    seen_count: usize,
    coordinator_epoch: i32,
    last_timestamp_ms: i64,
    transaction_start: Option<i64>,
}

impl Producer {
    const UNKNOWN: Producer = Producer {
        epoch: NO_PRODUCER_EPOCH,
        seen: [Seen::NONE; WINDOW],
        seen_count: 0,
        coordinator_epoch: -1,
        last_timestamp_ms: -1,
        transaction_start: None,
    };

    fn seen(&self) -> &[Seen] {
        &self.seen[..self.seen_count]
    }

    /// The batches that a snapshot keeps: those of the window, or none in a form of its own. The last one carries
    /// when the producer wrote last, be it a marker.
    fn window(&self) -> impl Iterator<Item = Seen> {
        let (older, last) = match self.seen().split_last() {
            Some((last, older)) => (older, *last),
            None => (&[][..], Seen::NONE),
        };
        let last = Seen {
            timestamp_ms: self.last_timestamp_ms,
            ..last
        };
        older.iter().copied().chain([last])
    }

    fn last_sequence(&self) -> i32 {
        self.seen().last().map_or(NO_SEQUENCE, |seen| seen.last_sequence)
    }

    fn state(&self, producer_id: i64) -> ProducerState {
        ProducerState {
            producer_id,
            producer_epoch: self.epoch,
            last_sequence: self.last_sequence(),
            last_timestamp_ms: self.last_timestamp_ms,
            coordinator_epoch: self.coordinator_epoch,
            transaction_start: self.transaction_start,
        }
    }

    fn enter_epoch(&mut self, epoch: i16) {
        if self.epoch != epoch {
            self.epoch = epoch;
            self.seen_count = 0;
        }
    }

    fn remember(&mut self, seen: Seen) {
        if self.seen_count == WINDOW {
            self.seen.copy_within(1.., 0);
            self.seen_count -= 1;
        }
        self.seen[self.seen_count] = seen;
        self.seen_count += 1;
        // A batch that compaction has emptied has no timestamp: its producer would be forgotten at once, and come back
        // with an older sequence when the batch is gone and the log is opened again.
        if seen.timestamp_ms >= 0 {
            self.last_timestamp_ms = seen.timestamp_ms;
        }
    }
}

/// A transaction that a marker has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct EndedTransaction {
    pub(crate) producer_id: i64,
    pub(crate) first_offset: i64,
    /// The offset of the marker.
    pub(crate) last_offset: i64,
    pub(crate) aborted: bool,
    /// No transaction is open below this offset once this one has ended.
    pub(crate) last_stable_offset: i64,
}

/// What a log knows of one of its producers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProducerState {
    /// The producer.
    pub producer_id: i64,
    /// Its newest incarnation.
    pub producer_epoch: i16,
    /// The sequence of its last record, -1 when there is none in this epoch.
    pub last_sequence: i32,
    /// When it last wrote, milliseconds since 1970.
    pub last_timestamp_ms: i64,
    /// The coordinator epoch of its last transaction marker, -1 when there is none.
    pub coordinator_epoch: i32,
    /// Where its open transaction begins.
    pub transaction_start: Option<i64>,
}

/// What has to be put back when an append fails: the producer as it was, or what it sent if it was not known.
pub(crate) type Undo = Option<(i64, Result<Producer, Expected>)>;

/// Epoch and sequence of a batch that was refused and will be sent again.
pub(crate) type Expected = (i16, i32);

/// Of so many producers it is remembered what was refused.
const MOST_EXPECTED: usize = 1000;

/// All producers of one log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Producers {
    entries: BTreeMap<i64, Producer>,
    /// What is to come first from producers that are not known. A log takes any sequence of those: a batch behind one
    /// that found no room would lie before it for ever.
    expected: BTreeMap<i64, Expected>,
    /// First offsets of open transactions.
    open: BTreeSet<i64>,
    /// First offset and marker of transactions that ended above the high watermark: still unstable.
    unreplicated: BTreeMap<i64, i64>,
}

impl Producers {
    /// Every producer, by id.
    pub(crate) fn iter(&self) -> impl Iterator<Item = ProducerState> {
        self.entries.iter().map(|(id, producer)| producer.state(*id))
    }

    /// The last offset of each batch that is remembered.
    pub(crate) fn remembered(&self) -> BTreeSet<i64> {
        let seen = self.entries.values().flat_map(Producer::seen);
        seen.map(|seen| seen.last_offset).collect()
    }

    /// The producers of which no batch is remembered, with their epochs: markers tell of those.
    pub(crate) fn marked(&self) -> BTreeMap<i64, i16> {
        let marked = self
            .entries
            .iter()
            .filter(|(_, producer)| producer.seen_count == 0);
        marked.map(|(id, producer)| (*id, producer.epoch)).collect()
    }

    /// How many producer ids are known.
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether a client's batch may be appended (Kafka: `UnifiedLog.analyzeAndValidateProducerState`).
    pub(crate) fn check(&self, header: &BatchHeader) -> Result<ProducerCheck, ProducerError> {
        if !header.has_producer_id() {
            return Ok(ProducerCheck::New);
        }
        let (first, last) = (header.base_sequence, header.last_sequence());
        let Some(known) = self.entries.get(&header.producer_id) else {
            return match self.expected.get(&header.producer_id) {
                Some((epoch, expected)) if *epoch == header.producer_epoch && *expected != first => {
                    Err(ProducerError::OutOfOrderSequence {
                        last: expected - 1,
                        got: first,
                    })
                }
                _ => Ok(ProducerCheck::New),
            };
        };
        if known.epoch == header.producer_epoch && !header.is_control() {
            let same = |seen: &&Seen| seen.first_sequence() == first && seen.last_sequence == last;
            if let Some(seen) = known.seen().iter().find(same) {
                return Ok(ProducerCheck::Duplicate {
                    base_offset: seen.last_offset - i64::from(seen.offset_delta),
                    last_offset: seen.last_offset,
                    timestamp_ms: seen.timestamp_ms,
                });
            }
        }
        if header.producer_epoch < known.epoch {
            return Err(ProducerError::InvalidEpoch {
                current: known.epoch,
                got: header.producer_epoch,
            });
        }
        if header.is_control() {
            return Ok(ProducerCheck::New);
        }
        let last_known = known.last_sequence();
        let in_sequence = if known.epoch == NO_PRODUCER_EPOCH {
            true
        } else if known.epoch != header.producer_epoch {
            first == 0
        } else {
            Some(first) == last_known.checked_add(1) || (first == 0 && last_known == i32::MAX)
        };
        if !in_sequence {
            return Err(ProducerError::OutOfOrderSequence {
                last: last_known,
                got: first,
            });
        }
        if known.transaction_start.is_some() && !header.is_transactional() {
            return Err(ProducerError::TransactionOpen);
        }
        Ok(ProducerCheck::New)
    }

    /// Whether a transaction marker may be appended (Kafka: `ProducerAppendInfo.appendEndTxnMarker`).
    ///
    /// With `epoch_bumped` every transaction has an epoch of its own, below that of its marker (KIP-890): a marker
    /// that comes late must not end the transaction that follows (KIP-1228).
    pub(crate) fn check_marker(
        &self,
        producer_id: i64,
        producer_epoch: i16,
        coordinator_epoch: i32,
        epoch_bumped: bool,
    ) -> Result<(), ProducerError> {
        let Some(known) = self.entries.get(&producer_id) else {
            return Ok(());
        };
        let is_late = producer_epoch < known.epoch
            || (epoch_bumped && producer_epoch == known.epoch && known.transaction_start.is_some());
        if is_late {
            return Err(ProducerError::InvalidEpoch {
                current: known.epoch,
                got: producer_epoch,
            });
        }
        if known.coordinator_epoch > coordinator_epoch {
            return Err(ProducerError::CoordinatorFenced {
                current: known.coordinator_epoch,
                got: coordinator_epoch,
            });
        }
        Ok(())
    }

    /// What is known of one producer.
    pub(crate) fn get(&self, producer_id: i64) -> Option<ProducerState> {
        let producer = self.entries.get(&producer_id)?;
        Some(producer.state(producer_id))
    }

    /// The producer that a batch will change, as it is now.
    pub(crate) fn undo_for(&self, header: &BatchHeader) -> Undo {
        let id = header.producer_id;
        let known = self.entries.get(&id).copied();
        header
            .has_producer_id()
            .then(|| (id, known.ok_or((header.producer_epoch, header.base_sequence))))
    }

    /// A batch is refused that will be sent again.
    pub(crate) fn refused(&mut self, header: &BatchHeader) {
        if header.has_producer_id() && !self.entries.contains_key(&header.producer_id) {
            self.expect(header.producer_id, (header.producer_epoch, header.base_sequence));
        }
    }

    fn expect(&mut self, id: i64, refused: Expected) {
        let first = self.expected.entry(id).or_insert(refused);
        if first.0 < refused.0 {
            *first = refused;
        }
        if self.expected.len() > MOST_EXPECTED {
            // The producer that was made first.
            self.expected.pop_first();
        }
    }

    /// Takes note of a batch that lies in the log, whoever wrote it there. `control` is what a control batch says.
    pub(crate) fn appended(
        &mut self,
        header: &BatchHeader,
        control: Option<ControlRecord>,
    ) -> Option<EndedTransaction> {
        if !header.has_producer_id() {
            return None;
        }
        if header.is_control() {
            return match control? {
                ControlRecord::EndTransaction {
                    commit,
                    coordinator_epoch,
                } => self.end_transaction(header, commit, coordinator_epoch),
                ControlRecord::Other { .. } => None,
            };
        }
        let producer = self
            .entries
            .entry(header.producer_id)
            .or_insert(Producer::UNKNOWN);
        self.expected.remove(&header.producer_id);
        producer.enter_epoch(header.producer_epoch);
        producer.remember(Seen {
            last_sequence: header.last_sequence(),
            last_offset: header.last_offset(),
            offset_delta: header.last_offset_delta,
            timestamp_ms: header.max_timestamp_ms,
        });
        if header.is_transactional() && producer.transaction_start.is_none() {
            producer.transaction_start = Some(header.base_offset);
            self.open.insert(header.base_offset);
        }
        None
    }

    fn end_transaction(
        &mut self,
        header: &BatchHeader,
        commit: bool,
        coordinator_epoch: i32,
    ) -> Option<EndedTransaction> {
        let producer = self
            .entries
            .entry(header.producer_id)
            .or_insert(Producer::UNKNOWN);
        producer.enter_epoch(header.producer_epoch);
        producer.coordinator_epoch = coordinator_epoch;
        producer.last_timestamp_ms = header.max_timestamp_ms;
        // A marker without a transaction is a retry: nothing of its producer was open.
        let first_offset = producer.transaction_start.take()?;
        self.open.remove(&first_offset);
        let last_offset = header.last_offset();
        self.unreplicated.insert(first_offset, last_offset);
        let last_stable_offset = self.open.first().copied().unwrap_or(last_offset + 1);
        let producer_id = header.producer_id;
        Some(EndedTransaction {
            producer_id,
            first_offset,
            last_offset,
            aborted: !commit,
            last_stable_offset,
        })
    }

    /// Puts producers back as they were before appends that failed, the newest first.
    pub(crate) fn undo(&mut self, undos: impl Iterator<Item = Undo>, end_offset: i64) {
        for (id, before) in undos.flatten() {
            match before {
                Ok(producer) => {
                    self.entries.insert(id, producer);
                }
                Err(batch) => {
                    self.entries.remove(&id);
                    // A marker has no sequence.
                    if batch.1 != NO_SEQUENCE {
                        self.expect(id, batch);
                    }
                }
            }
        }
        self.unreplicated.retain(|_, marker| *marker < end_offset);
        self.open = self
            .entries
            .values()
            .filter_map(|producer| producer.transaction_start)
            .collect();
    }

    /// Where the first transaction begins that is open, or that ended at or beyond the high watermark. Below it
    /// everything is stable.
    pub(crate) fn first_unstable_offset(&self) -> Option<i64> {
        let open = self.open.first().copied();
        let ended = self.unreplicated.keys().next().copied();
        [open, ended].into_iter().flatten().min()
    }

    /// The high watermark has moved: transactions whose marker lies below it are stable.
    pub(crate) fn replicated(&mut self, high_watermark: i64) {
        if !self.unreplicated.is_empty() {
            self.unreplicated.retain(|_, marker| *marker >= high_watermark);
        }
    }

    /// See [`crate::bug::Bug::ForgottenTransaction`].
    pub(crate) fn forget_transactions(&mut self) {
        self.open.clear();
    }

    /// Of the open transactions those of these producers stay open.
    pub(crate) fn keep_open(&mut self, producer_ids: &BTreeSet<i64>) {
        for (id, producer) in &mut self.entries {
            if !producer_ids.contains(id)
                && let Some(start) = producer.transaction_start.take()
            {
                self.open.remove(&start);
            }
        }
    }

    /// Forgets producers that wrote nothing for `expiration_ms` and have no transaction open.
    pub(crate) fn expire(&mut self, now_ms: i64, expiration_ms: i64) {
        self.entries.retain(|_, producer| {
            producer.transaction_start.is_some()
                || now_ms.saturating_sub(producer.last_timestamp_ms) < expiration_ms
        });
    }

    /// The content of a snapshot file.
    pub(crate) fn snapshot(&self) -> Bytes {
        let count: usize = self
            .entries
            .values()
            .map(|producer| producer.seen_count.max(1))
            .sum();
        let mut out = BytesMut::with_capacity(ENTRIES_AT + 4 + count * ENTRY_BYTES);
        out.put_i16(SNAPSHOT_VERSION);
        out.put_u32(0);
        out.put_i32(i32::try_from(count).expect("fewer than 2^31 batches fit into memory"));
        for (id, producer) in &self.entries {
            for seen in producer.window() {
                out.put_i64(*id);
                out.put_i16(producer.epoch);
                out.put_i32(seen.last_sequence);
                out.put_i64(seen.last_offset);
                out.put_i32(seen.offset_delta);
                out.put_i64(seen.timestamp_ms);
                out.put_i32(producer.coordinator_epoch);
                out.put_i64(producer.transaction_start.unwrap_or(-1));
            }
        }
        let crc = crc32c::crc32c(&out[ENTRIES_AT..]);
        out[CRC_AT..ENTRIES_AT].copy_from_slice(&crc.to_be_bytes());
        out.freeze()
    }

    /// Reads a snapshot file; `None` when it is damaged.
    pub(crate) fn from_snapshot(mut bytes: &[u8]) -> Option<Producers> {
        let content = bytes.get(ENTRIES_AT..)?;
        let version = bytes.try_get_i16().ok()?;
        let crc = bytes.try_get_u32().ok()?;
        if version != SNAPSHOT_VERSION || crc != crc32c::crc32c(content) {
            return None;
        }
        let count = usize::try_from(bytes.try_get_i32().ok()?).ok()?;
        if count.checked_mul(ENTRY_BYTES)? != bytes.len() {
            return None;
        }
        let mut producers = Producers::default();
        while bytes.has_remaining() {
            let id = bytes.get_i64();
            let producer = producers.entries.entry(id).or_insert(Producer::UNKNOWN);
            producer.enter_epoch(bytes.get_i16());
            let seen = Seen {
                last_sequence: bytes.get_i32(),
                last_offset: bytes.get_i64(),
                offset_delta: bytes.get_i32(),
                timestamp_ms: bytes.get_i64(),
            };
            producer.coordinator_epoch = bytes.get_i32();
            let transaction_start = bytes.get_i64();
            if seen.last_offset >= 0 {
                producer.remember(seen);
            }
            producer.last_timestamp_ms = seen.timestamp_ms;
            if transaction_start >= 0 {
                producer.transaction_start = Some(transaction_start);
                producers.open.insert(transaction_start);
            }
        }
        Some(producers)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use klamm_protocol::record::control::end_transaction;
    use klamm_protocol::record::{BatchBuilder, Compression};

    fn batch(id: i64, epoch: i16, sequence: i32, records: i32, base_offset: i64) -> BatchHeader {
        let mut builder = BatchBuilder::new(Compression::None);
        builder.producer(id, epoch, sequence).at(base_offset, 0);
        for _ in 0..records {
            builder.append(1000, None, Some(b"x"));
        }
        *builder.finish().header()
    }

    #[test]
    fn a_retry_is_found_among_the_last_five_batches() {
        let mut producers = Producers::default();
        for number in 0..7 {
            let header = batch(1, 0, number * 2, 2, i64::from(number) * 10);
            assert_eq!(producers.check(&header), Ok(ProducerCheck::New));
            producers.appended(&header, None);
        }
        for number in 2..7 {
            let base_offset = i64::from(number) * 10;
            let expected = ProducerCheck::Duplicate {
                base_offset,
                last_offset: base_offset + 1,
                timestamp_ms: 1000,
            };
            assert_eq!(producers.check(&batch(1, 0, number * 2, 2, 0)), Ok(expected));
        }
        let older = producers.check(&batch(1, 0, 2, 2, 0));
        assert_eq!(older, Err(ProducerError::OutOfOrderSequence { last: 13, got: 2 }));
        let part = producers.check(&batch(1, 0, 12, 1, 0));
        assert!(part.is_err(), "a part of a batch is no retry of it: {part:?}");
    }

    #[test]
    fn sequences_wrap_after_the_largest() {
        let mut producers = Producers::default();
        producers.appended(&batch(1, 0, i32::MAX - 1, 2, 0), None);
        assert_eq!(producers.check(&batch(1, 0, 0, 3, 0)), Ok(ProducerCheck::New));
        assert!(producers.check(&batch(1, 0, 1, 1, 0)).is_err());
        let across = batch(2, 0, i32::MAX - 1, 4, 50);
        producers.appended(&across, None);
        assert!(matches!(
            producers.check(&across),
            Ok(ProducerCheck::Duplicate { base_offset: 50, .. })
        ));
        assert_eq!(producers.check(&batch(2, 0, 2, 1, 0)), Ok(ProducerCheck::New));
    }

    #[test]
    fn an_epoch_begins_at_sequence_zero_and_fences_the_one_before() {
        let mut producers = Producers::default();
        producers.appended(&batch(1, 3, 40, 1, 0), None);
        let gap = producers.check(&batch(1, 4, 41, 1, 1));
        assert_eq!(gap, Err(ProducerError::OutOfOrderSequence { last: 40, got: 41 }));
        let next = batch(1, 4, 0, 1, 1);
        assert_eq!(producers.check(&next), Ok(ProducerCheck::New));
        producers.appended(&next, None);
        let fenced = producers.check(&batch(1, 3, 41, 1, 2));
        assert_eq!(fenced, Err(ProducerError::InvalidEpoch { current: 4, got: 3 }));
    }

    #[test]
    fn an_unknown_producer_may_begin_anywhere() {
        let mut producers = Producers::default();
        let header = batch(1, 3, 40, 1, 0);
        assert_eq!(producers.check(&header), Ok(ProducerCheck::New));
        producers.appended(&header, None);
        producers.expire(999, 1000);
        assert_eq!(producers.len(), 1);
        producers.expire(2000, 1000);
        assert_eq!(producers.len(), 0);
        assert_eq!(producers.check(&batch(1, 3, 77, 1, 0)), Ok(ProducerCheck::New));
    }

    #[test]
    fn no_batch_overtakes_one_that_was_undone_or_refused() {
        let mut producers = Producers::default();
        let (first, second) = (batch(1, 0, 40, 2, 7), batch(1, 0, 42, 1, 9));
        let undos = [&first, &second].map(|header| {
            let undo = producers.undo_for(header);
            producers.appended(header, None);
            undo
        });
        producers.undo(undos.into_iter().rev(), 7);
        producers.refused(&second);
        assert_eq!(
            producers.check(&second),
            Err(ProducerError::OutOfOrderSequence { last: 39, got: 42 })
        );
        assert_eq!(producers.check(&first), Ok(ProducerCheck::New));
        // Who gives up begins a new epoch.
        assert_eq!(producers.check(&batch(1, 1, 0, 1, 7)), Ok(ProducerCheck::New));
        producers.appended(&first, None);
        assert_eq!(producers.check(&second), Ok(ProducerCheck::New));
    }

    #[test]
    fn a_transaction_is_unstable_until_its_marker_is_replicated() {
        let mut producers = Producers::default();
        let transactional = |id, offset| {
            let mut builder = BatchBuilder::new(Compression::None);
            builder
                .producer(id, 0, 0)
                .at(offset, 0)
                .transactional()
                .append(1, None, None);
            *builder.finish().header()
        };
        producers.appended(&transactional(1, 10), None);
        producers.appended(&transactional(2, 11), None);
        assert_eq!(producers.first_unstable_offset(), Some(10));
        let plain = batch(1, 0, 1, 1, 12);
        assert_eq!(producers.check(&plain), Err(ProducerError::TransactionOpen));
        let before = producers.clone();
        let mut marker = end_transaction(2, 1, 0, false, 5);
        marker.assign(12, 0);
        let undo = producers.undo_for(marker.header());
        let ended = producers
            .appended(marker.header(), ControlRecord::of(&marker).ok())
            .unwrap();
        assert_eq!(
            (ended.first_offset, ended.last_offset, ended.aborted),
            (10, 12, true)
        );
        assert_eq!(ended.last_stable_offset, 11);
        assert_eq!(producers.first_unstable_offset(), Some(10));
        assert!(producers.check_marker(1, 0, 4, false).is_err());
        assert!(producers.check_marker(1, 0, 5, false).is_ok());
        let mut undone = producers.clone();
        undone.undo([undo].into_iter(), 12);
        assert_eq!(undone, before);
        producers.replicated(12);
        assert_eq!(producers.first_unstable_offset(), Some(10));
        producers.replicated(13);
        assert_eq!(producers.first_unstable_offset(), Some(11));
    }

    #[test]
    fn a_marker_that_comes_late_does_not_end_the_next_transaction() {
        let mut producers = Producers::default();
        let mut builder = BatchBuilder::new(Compression::None);
        builder.producer(1, 4, 0).transactional().append(1, None, None);
        producers.appended(builder.finish().header(), None);
        // The transaction before had epoch 3, and its marker epoch 4.
        assert!(producers.check_marker(1, 4, 0, true).is_err());
        assert!(producers.check_marker(1, 3, 0, false).is_err());
        assert!(producers.check_marker(1, 5, 0, true).is_ok());
        // Without a bump of the epoch it cannot be told.
        assert!(producers.check_marker(1, 4, 0, false).is_ok());
        let marker = end_transaction(2, 1, 5, true, 0);
        producers.appended(marker.header(), ControlRecord::of(&marker).ok());
        assert!(producers.check_marker(1, 5, 0, true).is_ok(), "the same again");
    }

    #[test]
    fn a_snapshot_comes_back_and_a_damaged_one_does_not() {
        let mut producers = Producers::default();
        for id in 0..20 {
            producers.appended(&batch(id, 2, 7, 3, id * 10), None);
        }
        // The window of one is full: whatever is retried is found again also after a restart.
        for n in 0..6 {
            producers.appended(&batch(3, 2, 10 + n, 1, 300 + i64::from(n)), None);
        }
        let bytes = producers.snapshot();
        assert_eq!(bytes.len(), 10 + (19 + WINDOW) * ENTRY_BYTES);
        let back = Producers::from_snapshot(&bytes).unwrap();
        assert_eq!(back, producers);
        for at in 0..bytes.len() {
            let mut damaged = bytes.to_vec();
            damaged[at] ^= 1;
            assert!(Producers::from_snapshot(&damaged).is_none(), "byte {at}");
            assert!(Producers::from_snapshot(&bytes[..at]).is_none(), "cut at {at}");
        }
    }
}
