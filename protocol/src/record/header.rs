//! The head of a record batch, the same 61 bytes on the wire and on disk. All numbers are big-endian.
//!
//! ```text
//!  at  size  field
//!   0     8  base offset            where the batch begins; the broker assigns it
//!   8     4  batch length           bytes after this field: 49 + body
//!  12     4  partition leader epoch the broker assigns it; -1 from clients
//!  16     1  magic                  2
//!  17     4  crc                    CRC-32C of everything from byte 21 on
//!  21     2  attributes             see `Attributes`
//!  23     4  last offset delta      last offset - base offset; stays when compaction drops the last record
//!  27     8  base timestamp         milliseconds since 1970, or the delete horizon
//!  35     8  max timestamp          the largest of the records, or when the broker appended
//!  43     8  producer id            -1: not idempotent
//!  51     2  producer epoch
//!  53     4  base sequence          of the first record; wraps from 2^31-1 to 0
//!  57     4  record count
//!  61     -  records                compressed as one piece, or as they are
//! ```
//! Base offset and leader epoch lie before the CRC's range, so that assigning them leaves it valid.

use std::fmt;

use super::{BatchError, Compression};

pub(super) const BATCH_LENGTH_AT: usize = 8;
pub(super) const LEADER_EPOCH_AT: usize = 12;
pub(super) const MAGIC_AT: usize = 16;
pub(super) const CRC_AT: usize = 17;
/// From here on the CRC counts.
pub(super) const ATTRIBUTES_AT: usize = 21;
/// Base offset and batch length: what stands before the bytes that the length counts.
pub(super) const LOG_OVERHEAD: usize = 12;
/// The format that is read and written here.
pub const MAGIC_V2: i8 = 2;
/// A timestamp that is not there.
pub const NO_TIMESTAMP: i64 = -1;
/// The producer id of a batch that is not idempotent.
pub const NO_PRODUCER_ID: i64 = -1;
/// The producer epoch that belongs to [`NO_PRODUCER_ID`].
pub const NO_PRODUCER_EPOCH: i16 = -1;
/// The sequence that belongs to [`NO_PRODUCER_ID`].
pub const NO_SEQUENCE: i32 = -1;
/// The leader epoch of a batch that no leader has appended yet.
pub const NO_LEADER_EPOCH: i32 = -1;

/// The flags of a batch.
///
/// ```text
/// bit 0-2  codec              see `Compression`
///     3    timestamp type     0: the producer set the timestamps; 1: the broker did, when it appended
///     4    transactional
///     5    control            one record that clients never see (KIP-98)
///     6    delete horizon     the base timestamp is the horizon (KIP-534)
///     7-15 unused
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Attributes(pub i16);

impl Attributes {
    const CODEC: i16 = 0x07;
    const LOG_APPEND_TIME: i16 = 0x08;
    const TRANSACTIONAL: i16 = 0x10;
    const CONTROL: i16 = 0x20;
    const DELETE_HORIZON: i16 = 0x40;

    /// The codec's id as it stands there, known or not.
    pub fn codec_id(self) -> u8 {
        (self.0 & Self::CODEC) as u8
    }

    /// The codec, `None` where the id has no meaning.
    pub fn compression(self) -> Option<Compression> {
        Compression::from_id(self.codec_id())
    }

    /// The timestamp of every record is when the broker appended the batch: its max timestamp.
    pub fn is_log_append_time(self) -> bool {
        self.0 & Self::LOG_APPEND_TIME != 0
    }

    /// The batch belongs to a transaction of its producer id.
    pub fn is_transactional(self) -> bool {
        self.0 & Self::TRANSACTIONAL != 0
    }

    /// The batch carries a control record, written by brokers only.
    pub fn is_control(self) -> bool {
        self.0 & Self::CONTROL != 0
    }

    /// The base timestamp is the time from which tombstones and markers in the batch may go (KIP-534).
    pub fn has_delete_horizon(self) -> bool {
        self.0 & Self::DELETE_HORIZON != 0
    }

    pub(super) fn set_compression(&mut self, codec: Compression) {
        self.0 = self.0 & !Self::CODEC | i16::from(codec.id());
    }

    pub(super) fn set_log_append_time(&mut self, on: bool) {
        self.set(Self::LOG_APPEND_TIME, on);
    }

    pub(super) fn set_transactional(&mut self, on: bool) {
        self.set(Self::TRANSACTIONAL, on);
    }

    pub(super) fn set_control(&mut self, on: bool) {
        self.set(Self::CONTROL, on);
    }

    pub(super) fn set_delete_horizon(&mut self, on: bool) {
        self.set(Self::DELETE_HORIZON, on);
    }

    fn set(&mut self, flag: i16, on: bool) {
        self.0 = if on { self.0 | flag } else { self.0 & !flag };
    }
}

/// The head of a batch, field by field, in the order of the wire. See the module for the layout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchHeader {
    /// The offset of the first record that the batch was made with.
    pub base_offset: i64,
    /// Bytes after the length field itself.
    pub batch_length: i32,
    /// The epoch of the leader that appended the batch; -1 in what clients send.
    pub leader_epoch: i32,
    /// The format: always 2 here.
    pub magic: i8,
    /// CRC-32C of everything behind it.
    pub crc: u32,
    /// Codec, timestamp type and what kind of batch this is.
    pub attributes: Attributes,
    /// Last offset minus base offset.
    pub last_offset_delta: i32,
    /// What the records' timestamps are relative to, in milliseconds since 1970.
    pub base_timestamp_ms: i64,
    /// The largest timestamp of the records; with log append time the timestamp of all of them.
    pub max_timestamp_ms: i64,
    /// Who wrote the batch, -1 for a producer that is not idempotent.
    pub producer_id: i64,
    /// The incarnation of the producer id.
    pub producer_epoch: i16,
    /// The sequence of the first record.
    pub base_sequence: i32,
    /// How many records there are. Compaction leaves it smaller than the span of offsets.
    pub record_count: i32,
}

impl BatchHeader {
    /// Bytes that the head takes.
    pub const SIZE: usize = 61;

    /// Reads the head at the front of `bytes`. The CRC is not checked: that takes the whole batch.
    ///
    /// # Errors
    /// [`BatchError::Truncated`] for fewer than 61 bytes, [`BatchError::Magic`] for another format,
    /// [`BatchError::Length`] for a batch length that does not even cover the head.
    pub fn decode(bytes: &[u8]) -> Result<BatchHeader, BatchError> {
        // The magic stands at the same place in all formats: ask for it before asking for 61 bytes.
        if let Some(&magic) = bytes.get(MAGIC_AT)
            && magic.cast_signed() != MAGIC_V2
        {
            return Err(BatchError::Magic {
                magic: magic.cast_signed(),
            });
        }
        let Some(head) = bytes.first_chunk::<{ BatchHeader::SIZE }>() else {
            return Err(BatchError::Truncated {
                needed_bytes: BatchHeader::SIZE,
                got_bytes: bytes.len(),
            });
        };
        let header = BatchHeader {
            base_offset: i64::from_be_bytes(field(head, 0)),
            batch_length: i32::from_be_bytes(field(head, BATCH_LENGTH_AT)),
            leader_epoch: i32::from_be_bytes(field(head, LEADER_EPOCH_AT)),
            magic: i8::from_be_bytes(field(head, MAGIC_AT)),
            crc: u32::from_be_bytes(field(head, CRC_AT)),
            attributes: Attributes(i16::from_be_bytes(field(head, ATTRIBUTES_AT))),
            last_offset_delta: i32::from_be_bytes(field(head, 23)),
            base_timestamp_ms: i64::from_be_bytes(field(head, 27)),
            max_timestamp_ms: i64::from_be_bytes(field(head, 35)),
            producer_id: i64::from_be_bytes(field(head, 43)),
            producer_epoch: i16::from_be_bytes(field(head, 51)),
            base_sequence: i32::from_be_bytes(field(head, 53)),
            record_count: i32::from_be_bytes(field(head, 57)),
        };
        let least = BatchHeader::SIZE - LOG_OVERHEAD;
        if usize::try_from(header.batch_length).is_ok_and(|length| length >= least) {
            Ok(header)
        } else {
            Err(BatchError::Length {
                batch_length: header.batch_length,
            })
        }
    }

    /// The 61 bytes.
    pub fn encode(&self) -> [u8; BatchHeader::SIZE] {
        let mut head = [0; BatchHeader::SIZE];
        head[..8].copy_from_slice(&self.base_offset.to_be_bytes());
        head[BATCH_LENGTH_AT..12].copy_from_slice(&self.batch_length.to_be_bytes());
        head[LEADER_EPOCH_AT..16].copy_from_slice(&self.leader_epoch.to_be_bytes());
        head[MAGIC_AT] = self.magic.cast_unsigned();
        head[CRC_AT..21].copy_from_slice(&self.crc.to_be_bytes());
        head[ATTRIBUTES_AT..23].copy_from_slice(&self.attributes.0.to_be_bytes());
        head[23..27].copy_from_slice(&self.last_offset_delta.to_be_bytes());
        head[27..35].copy_from_slice(&self.base_timestamp_ms.to_be_bytes());
        head[35..43].copy_from_slice(&self.max_timestamp_ms.to_be_bytes());
        head[43..51].copy_from_slice(&self.producer_id.to_be_bytes());
        head[51..53].copy_from_slice(&self.producer_epoch.to_be_bytes());
        head[53..57].copy_from_slice(&self.base_sequence.to_be_bytes());
        head[57..61].copy_from_slice(&self.record_count.to_be_bytes());
        head
    }

    /// Bytes of the whole batch, this head included.
    pub fn total_size(&self) -> usize {
        LOG_OVERHEAD + usize::try_from(self.batch_length).expect("decode refuses a negative batch length")
    }

    /// The offset of the last record that the batch was made with.
    pub fn last_offset(&self) -> i64 {
        self.base_offset.saturating_add(i64::from(self.last_offset_delta))
    }

    /// The sequence of the last record, -1 without a producer id.
    pub fn last_sequence(&self) -> i32 {
        if self.base_sequence == NO_SEQUENCE {
            return NO_SEQUENCE;
        }
        add_sequence(self.base_sequence, self.last_offset_delta)
    }

    /// An idempotent producer wrote the batch.
    pub fn has_producer_id(&self) -> bool {
        self.producer_id > NO_PRODUCER_ID
    }

    /// See [`Attributes::is_control`].
    pub fn is_control(&self) -> bool {
        self.attributes.is_control()
    }

    /// See [`Attributes::is_transactional`].
    pub fn is_transactional(&self) -> bool {
        self.attributes.is_transactional()
    }

    /// The codec of the records, `None` where the id has no meaning.
    pub fn compression(&self) -> Option<Compression> {
        self.attributes.compression()
    }

    /// When tombstones and markers in this batch may go, if compaction has fixed that already (KIP-534).
    pub fn delete_horizon_ms(&self) -> Option<i64> {
        self.attributes
            .has_delete_horizon()
            .then_some(self.base_timestamp_ms)
    }
}

/// A sequence moved on by `by` records: after 2^31-1 comes 0 (Kafka: `DefaultRecordBatch.incrementSequence`).
pub fn add_sequence(sequence: i32, by: i32) -> i32 {
    sequence.wrapping_add(by) & i32::MAX
}

fn field<const N: usize>(head: &[u8; BatchHeader::SIZE], at: usize) -> [u8; N] {
    *head[at..]
        .first_chunk()
        .expect("every field lies inside the head")
}

impl fmt::Display for BatchHeader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "offsets {}..={} epoch {} records {} producer {}/{} sequence {}",
            self.base_offset,
            self.last_offset(),
            self.leader_epoch,
            self.record_count,
            self.producer_id,
            self.producer_epoch,
            self.base_sequence
        )
    }
}
