//! The records of `__consumer_offsets`: how a group's state lies in the log, in Kafka's own formats.
//!
//! | key, after its type as int16 | value, after its version as int16; null deletes |
//! |---|---|
//! | 0 or 1: group, topic, partition | `OffsetCommitValue`; written in version 4, or 1 if it has its own expiry |
//! | 2: group | `GroupMetadataValue`; written in version 3 |
//!
//! Other types belong to other kinds of groups (KIP-848, KIP-932, KIP-1071) and are left alone.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use klamm_protocol::stored::offsets::{
    GroupMetadataKey, GroupMetadataValue, OffsetCommitKey, OffsetCommitValue,
};
use klamm_protocol::{DecodeError, Decoder, Encoder, Message, Str};

use super::group::CommittedOffset;
use super::outbox::StoredRecord;

/// Type of the keys of offsets in the oldest records; the same key as [`OFFSET_KEY`].
const OLD_OFFSET_KEY: i16 = 0;
const OFFSET_KEY: i16 = 1;
const GROUP_KEY: i16 = 2;

const OFFSET_VALUE_VERSION: i16 = 4;
/// The only version with an expiry of its own.
const EXPIRING_OFFSET_VALUE_VERSION: i16 = 1;
const GROUP_VALUE_VERSION: i16 = 3;

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
        order: 0,
    })
}

pub(super) fn read_value<M: Message>(mut value: Bytes) -> Result<M, DecodeError> {
    let version = take_version(&mut value)?;
    M::decode(&mut Decoder::new(value), version)
}

pub(super) fn take_version(bytes: &mut Bytes) -> Result<i16, DecodeError> {
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

pub(super) fn encode<M: Message>(message: &M, prefix: i16, version: i16) -> Bytes {
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

#[cfg(test)]
mod tests {
    use klamm_protocol::Uuid;
    use klamm_protocol::stored::offsets::MemberMetadata;

    use super::*;

    fn unhex(text: &str) -> Bytes {
        let digits: Vec<u8> = text.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
        let pairs = digits.chunks(2).map(|pair| std::str::from_utf8(pair).unwrap());
        pairs.map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect()
    }

    /// The bytes were read from the log of a Kafka 4.4.
    #[track_caller]
    fn check(record: StoredRecord, key: &str, value: Option<&str>, stored: Stored) {
        let (key, value) = (unhex(key), value.map(unhex));
        assert_eq!(record.key, key);
        assert_eq!(record.value, value);
        assert_eq!(read(&key, value.as_ref()), Ok(stored));
    }

    fn offset(expire_timestamp_ms: Option<i64>) -> CommittedOffset {
        CommittedOffset {
            offset: 5,
            leader_epoch: -1,
            metadata: "m".into(),
            commit_timestamp_ms: 0x01a2_10c6_f44e,
            expire_timestamp_ms,
            topic_id: match expire_timestamp_ms {
                Some(_) => Uuid::ZERO,
                None => "Qw5Sxm2eS3SqZGggvWgLKw".parse().unwrap(),
            },
            order: 0,
        }
    }

    #[test]
    fn offsets_lie_as_kafka_lays_them() {
        for (value, bytes) in [
            (
                Some(offset(None)),
                Some(
                    "0004 0000000000000005 ffffffff 026d 000001a210c6f44e
                     01 00 10 430e52c66d9e4b74aa646820bd680b2b",
                ),
            ),
            (
                Some(offset(Some(0x01a2_10d6_36b3))),
                Some("0001 0000000000000005 0001 6d 000001a210c6f44e 000001a210d636b3"),
            ),
            (None, None),
        ] {
            let record = offset_record(0, &"g".into(), &"t".into(), 1, value.as_ref());
            let stored = Stored::Offset {
                group: "g".into(),
                topic: "t".into(),
                partition: 1,
                value,
            };
            check(record, "0001 0001 67 0001 74 00000001", bytes, stored);
        }
    }

    #[test]
    fn groups_lie_as_kafka_lays_them() {
        let member_id = Str::from("probe-14e72495-7455-4ec0-a784-46e31efb94d4");
        let member = MemberMetadata {
            member_id: member_id.clone(),
            group_instance_id: None,
            client_id: "probe".into(),
            client_host: "/127.0.0.1".into(),
            rebalance_timeout: 60_000,
            session_timeout: 10_000,
            subscription: unhex("0001 00000001 0001 74 ffffffff 00000000"),
            assignment: Bytes::from_static(b"abc"),
        };
        let value = GroupMetadataValue {
            protocol_type: "consumer".into(),
            generation: 1,
            protocol: Some("range".into()),
            leader: Some(member_id),
            current_state_timestamp: 0x01a2_10c6_f5be,
            members: vec![member],
        };
        let id = "002a 70726f62652d31346537323439352d373435352d346563302d613738342d343665333165666239346434";
        let bytes = format!(
            "0003 0008 636f6e73756d6572 00000001 0005 72616e6765 {id} 000001a210c6f5be 00000001
             {id} ffff 0005 70726f6265 000a 2f3132372e302e302e31 0000ea60 00002710
             00000011 0001000000010001 74 ffffffff 00000000 00000003 616263"
        );
        let stored = Stored::Group {
            group: "j".into(),
            value: Some(value.clone()),
        };
        check(
            group_record(0, &"j".into(), &value),
            "0002 0001 6a",
            Some(&bytes),
            stored,
        );

        let empty = GroupMetadataValue {
            current_state_timestamp: 0x01a2_10c6_f58d,
            protocol: None,
            leader: None,
            ..GroupMetadataValue::default()
        };
        let bytes = "0003 0000 00000000 ffff ffff 000001a210c6f58d 00000000";
        let stored = Stored::Group {
            group: "j".into(),
            value: Some(empty.clone()),
        };
        check(
            group_record(0, &"j".into(), &empty),
            "0002 0001 6a",
            Some(bytes),
            stored,
        );

        let gone = Stored::Group {
            group: "j".into(),
            value: None,
        };
        check(group_tombstone(0, &"j".into()), "0002 0001 6a", None, gone);
    }

    #[test]
    fn records_of_other_groups_are_left_alone_and_damaged_ones_are_refused() {
        assert_eq!(
            read(&unhex("0003 0001 67"), Some(&unhex("0000"))),
            Ok(Stored::Other)
        );
        assert!(read(&unhex("00"), None).is_err());
        assert!(read(&unhex("0001 0001 67"), None).is_err());
        assert!(read(&unhex("0002 0001 67"), Some(&unhex("0003 00"))).is_err());
        assert!(read(&unhex("0002 0001 67"), Some(&unhex("0009 0000"))).is_err());
    }
}
