//! The records of `__consumer_offsets`: how a group's state lies in the log, in Kafka's own formats.
//!
//! | key, after its type as int16 | value, after its version as int16; null deletes |
//! |---|---|
//! | 0 or 1: group, topic, partition | `OffsetCommitValue`; written in version 4, or 1 if it has its own expiry |
//! | 2: group | `GroupMetadataValue`; written in version 3 |
//!
//! Other types belong to other kinds of groups (KIP-848, KIP-932, KIP-1071) and are left alone.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use klamm_protocol::record::BatchHeader;
use klamm_protocol::stored::offsets::{
    GroupMetadataKey, GroupMetadataValue, OffsetCommitKey, OffsetCommitValue,
};
use klamm_protocol::{DecodeError, Decoder, Encoder, Message, Str};

use super::group::CommittedOffset;

/// Type of the keys of offsets in the oldest records; the same key as [`OFFSET_KEY`].
const OLD_OFFSET_KEY: i16 = 0;
const OFFSET_KEY: i16 = 1;
const GROUP_KEY: i16 = 2;

const OFFSET_VALUE_VERSION: i16 = 4;
/// The only version with an expiry of its own.
const EXPIRING_OFFSET_VALUE_VERSION: i16 = 1;
const GROUP_VALUE_VERSION: i16 = 3;

/// More than a record's lengths, deltas and attributes can take in a batch.
const RECORD_OVERHEAD_BYTES: usize = 32;

/// A record on its way into the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct StoredRecord {
    pub timestamp_ms: i64,
    pub key: Bytes,
    pub value: Option<Bytes>,
}

impl StoredRecord {
    /// What it takes in a batch, at most.
    pub fn size(&self) -> usize {
        self.key.len() + self.value.as_ref().map_or(0, Bytes::len) + RECORD_OVERHEAD_BYTES
    }

    /// Whether a batch of that size can hold it.
    pub fn fits(&self, batch_bytes_max: usize) -> bool {
        BatchHeader::SIZE + self.size() <= batch_bytes_max
    }
}

/// A record as read from the log.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Stored {
    Offset {
        group: Str,
        topic: Str,
        partition: i32,
        value: Option<CommittedOffset>,
    },
    Group {
        group: Str,
        value: Option<GroupMetadataValue>,
    },
    /// Of a kind that is not kept here.
    Other,
}

/// Writes the state of a group.
pub(super) fn group_record(timestamp_ms: i64, group: &Str, value: &GroupMetadataValue) -> StoredRecord {
    let value = encode(value, GROUP_VALUE_VERSION, GROUP_VALUE_VERSION);
    StoredRecord {
        timestamp_ms,
        key: group_key(group),
        value: Some(value),
    }
}

/// Writes that a group is gone.
pub(super) fn group_tombstone(timestamp_ms: i64, group: &Str) -> StoredRecord {
    StoredRecord {
        timestamp_ms,
        key: group_key(group),
        value: None,
    }
}

/// Writes an offset, or with no value that it is gone.
pub(super) fn offset_record(
    timestamp_ms: i64,
    group: &Str,
    topic: &Str,
    partition: i32,
    value: Option<&CommittedOffset>,
) -> StoredRecord {
    let key = OffsetCommitKey {
        group: group.clone(),
        topic: topic.clone(),
        partition,
    };
    let value = value.map(|offset| {
        let expires = offset.expire_timestamp_ms.is_some();
        let version = if expires {
            EXPIRING_OFFSET_VALUE_VERSION
        } else {
            OFFSET_VALUE_VERSION
        };
        let value = OffsetCommitValue {
            offset: offset.offset,
            leader_epoch: offset.leader_epoch,
            metadata: offset.metadata.clone(),
            commit_timestamp: offset.commit_timestamp_ms,
            expire_timestamp: offset.expire_timestamp_ms.unwrap_or(-1),
            topic_id: offset.topic_id,
        };
        encode(&value, version, version)
    });
    StoredRecord {
        timestamp_ms,
        key: encode(&key, OFFSET_KEY, 0),
        value,
    }
}

/// Reads a record. What it gives shares nothing with the batch that it came in.
///
/// # Errors
/// When the key is one of ours and the rest is not what it says.
pub(super) fn read(key: &Bytes, value: Option<&Bytes>) -> Result<Stored, DecodeError> {
    let mut key = Bytes::copy_from_slice(key);
    let value = value.map(|value| Bytes::copy_from_slice(value));
    let key_type = take_version(&mut key)?;
    match key_type {
        OLD_OFFSET_KEY | OFFSET_KEY => {
            let key = OffsetCommitKey::decode(&mut Decoder::new(key), 0)?;
            let value = value.map(read_offset).transpose()?;
            Ok(Stored::Offset {
                group: key.group,
                topic: key.topic,
                partition: key.partition,
                value,
            })
        }
        GROUP_KEY => {
            let key = GroupMetadataKey::decode(&mut Decoder::new(key), 0)?;
            let value = value.map(read_value::<GroupMetadataValue>).transpose()?;
            Ok(Stored::Group {
                group: key.group,
                value,
            })
        }
        _ => Ok(Stored::Other),
    }
}

fn read_offset(value: Bytes) -> Result<CommittedOffset, DecodeError> {
    let value = read_value::<OffsetCommitValue>(value)?;
    Ok(CommittedOffset {
        offset: value.offset,
        leader_epoch: value.leader_epoch,
        metadata: value.metadata,
        commit_timestamp_ms: value.commit_timestamp,
        expire_timestamp_ms: (value.expire_timestamp != -1).then_some(value.expire_timestamp),
        topic_id: value.topic_id,
    })
}

fn read_value<M: Message>(mut value: Bytes) -> Result<M, DecodeError> {
    let version = take_version(&mut value)?;
    M::decode(&mut Decoder::new(value), version)
}

fn take_version(bytes: &mut Bytes) -> Result<i16, DecodeError> {
    let left = bytes.len();
    bytes.try_get_i16().map_err(|_| DecodeError::Truncated {
        at: 0,
        needed: 2,
        left,
    })
}

fn group_key(group: &Str) -> Bytes {
    encode(&GroupMetadataKey { group: group.clone() }, GROUP_KEY, 0)
}

fn encode<M: Message>(message: &M, prefix: i16, version: i16) -> Bytes {
    let mut out = Encoder::new();
    // Texts and bytes came in a frame or a batch, so they are short enough for their length fields.
    message
        .encode(&mut out, version)
        .expect("the version has every field that is set");
    let parts = out.finish();
    let mut bytes = BytesMut::with_capacity(2 + parts.iter().map(Bytes::len).sum::<usize>());
    bytes.put_i16(prefix);
    for part in parts {
        bytes.put(part);
    }
    bytes.freeze()
}
