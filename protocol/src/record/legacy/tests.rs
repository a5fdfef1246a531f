//! What holds for every message set. Each failure prints the seed that proptest needs to replay it.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use super::*;
use crate::record::{Batch, BatchBuilder, INFLATE_LIMIT_BYTES, Record, control};

type Draft = (i64, Option<Vec<u8>>, Option<Vec<u8>>);

fn draft() -> impl Strategy<Value = Draft> {
    let field = || option::of(vec(any::<u8>(), 0..200));
    (0i64..5_000_000_000_000, field(), field())
}

fn old_codec() -> impl Strategy<Value = Compression> {
    use Compression::{Gzip, Lz4, None, Snappy};
    proptest::sample::select(vec![None, Gzip, Snappy, Lz4])
}

fn old_magic() -> impl Strategy<Value = Magic> {
    proptest::sample::select(vec![Magic::V0, Magic::V1])
}

fn build(codec: Compression, base_offset: i64, drafts: &[Draft]) -> Batch {
    let mut batch = BatchBuilder::new(codec);
    batch.at(base_offset, 0);
    for (timestamp_ms, key, value) in drafts {
        let headers = [("dropped on the way", Some(b"x".as_slice()))];
        batch.append_with_headers(*timestamp_ms, key.as_deref(), value.as_deref(), &headers);
    }
    batch.finish()
}

fn how(magic: Magic) -> DownConversion {
    DownConversion {
        magic,
        from_offset: 0,
        most_bytes: usize::MAX,
        inflate_limit_bytes: INFLATE_LIMIT_BYTES,
    }
}

fn expected(magic: Magic, base_offset: i64, drafts: &[Draft]) -> Vec<Message> {
    let message = |(index, (timestamp_ms, key, value)): (usize, &Draft)| Message {
        offset: base_offset + index as i64,
        timestamp_ms: if magic == Magic::V0 {
            NO_TIMESTAMP
        } else {
            *timestamp_ms
        },
        key: key.clone().map(Bytes::from),
        value: value.clone().map(Bytes::from),
    };
    drafts.iter().enumerate().map(message).collect()
}

proptest! {
    #[test]
    fn an_old_consumer_sees_offsets_timestamps_keys_and_values(
        codec in old_codec(), magic in old_magic(), base in 0i64..1 << 40, drafts in vec(draft(), 1..12)
    ) {
        let set = down_convert([build(codec, base, &drafts)], &how(magic)).unwrap();
        prop_assert_eq!(read(set, INFLATE_LIMIT_BYTES).unwrap(), expected(magic, base, &drafts));
    }

    #[test]
    fn an_old_producer_gets_one_batch_with_its_codec(
        codec in old_codec(), magic in old_magic(), drafts in vec(draft(), 1..12)
    ) {
        let set = down_convert([build(codec, 0, &drafts)], &how(magic)).unwrap();
        let batch = up_convert(set, &UpRules::default()).unwrap();
        prop_assert_eq!(batch.header().compression(), Some(codec));
        let records: Vec<Record> = batch.records(INFLATE_LIMIT_BYTES).unwrap().map(Result::unwrap).collect();
        let messages: Vec<Message> = records
            .into_iter()
            .map(|Record { offset_delta, timestamp_ms, key, value, .. }| {
                Message { offset: i64::from(offset_delta), timestamp_ms, key, value }
            })
            .collect();
        prop_assert_eq!(messages, expected(magic, 0, &drafts));
    }

    #[test]
    fn a_set_cut_anywhere_gives_its_whole_messages(
        magic in old_magic(), drafts in vec(draft(), 1..12), cut: proptest::sample::Index
    ) {
        let set = down_convert([build(Compression::None, 5, &drafts)], &how(magic)).unwrap();
        let cut = set.slice(..cut.index(set.len()));
        let messages = read(cut.clone(), INFLATE_LIMIT_BYTES).unwrap();
        prop_assert!(messages.len() < drafts.len());
        prop_assert_eq!(&messages, &expected(magic, 5, &drafts[..messages.len()]));
        let refused = up_convert(cut, &UpRules::default());
        prop_assert!(refused.is_err() || !messages.is_empty(), "a producer's set has to be whole");
    }

    /// CRCs are made right again, so that the mutation reaches what is behind them: any answer, no panic.
    #[test]
    fn mutated_sets_are_read_or_refused(
        codec in old_codec(),
        magic in old_magic(),
        drafts in vec(draft(), 1..6),
        mutations in vec((any::<proptest::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let mut bytes = down_convert([build(codec, 0, &drafts)], &how(magic)).unwrap().to_vec();
        for (at, byte) in mutations {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        let _ = read(bytes.clone().into(), 10_000);
        if codec != Compression::None {
            let size = (bytes.len() - LOG_OVERHEAD) as i32;
            bytes[8..12].copy_from_slice(&size.to_be_bytes());
        }
        let end = (LOG_OVERHEAD + i32::from_be_bytes(bytes[8..12].try_into().unwrap()) as usize).min(bytes.len());
        if end > 16 {
            let crc = crc32(&bytes[16..end]);
            bytes[12..16].copy_from_slice(&crc.to_be_bytes());
        }
        let limit_bytes = 10_000;
        let rules = UpRules { key_required: false, inflate_limit_bytes: limit_bytes };
        if let Ok(batch) = up_convert(bytes.clone().into(), &rules) {
            prop_assert!(batch.records(2 * limit_bytes).unwrap().all(|record| record.is_ok()));
        }
        if let Ok(messages) = read(bytes.into(), limit_bytes)
            && codec != Compression::None
        {
            let size = |field: &Option<Bytes>| field.as_ref().map_or(0, Bytes::len);
            prop_assert!(messages.iter().map(|m| size(&m.key) + size(&m.value)).sum::<usize>() <= limit_bytes);
        }
    }
}

fn plain(drafts: &[Draft]) -> Batch {
    build(Compression::None, 0, drafts)
}

#[test]
fn format_0_carries_the_wrong_lz4_checksum_and_format_1_the_right_one() {
    let batch = build(Compression::Lz4, 0, &[(1, None, Some(vec![1; 100]))]);
    let value = |magic| {
        let set = down_convert([batch.clone()], &how(magic)).unwrap();
        Entries::new(Source::new(Compression::None, set, 0).unwrap())
            .next()
            .unwrap()
            .unwrap()
            .message
            .value
            .unwrap()
    };
    let right = value(Magic::V1);
    assert_eq!(lz4_frame::mend(right.clone()), right);
    let wrong = value(Magic::V0);
    assert_ne!(lz4_frame::mend(wrong.clone()), wrong);
    // Kafka reads either in format 0, and so do we.
    for frame in [wrong.clone(), lz4_frame::mend(wrong)] {
        let wrapper = Record {
            offset_delta: 0,
            timestamp_ms: 0,
            key: None,
            value: Some(frame),
            headers: vec![],
        };
        let mut set = Vec::new();
        down::put(&mut set, Magic::V0, 3, 0, &wrapper);
        assert_eq!(read(set.into(), 1000).unwrap().len(), 1);
    }
}

#[test]
fn control_batches_are_dropped_and_the_limit_stops_between_batches() {
    let draft: Draft = (1, None, Some(vec![7; 50]));
    let marker = control::end_transaction(1, 1, 0, true, 0);
    let first = plain(std::slice::from_ref(&draft));
    let mut second = plain(&[draft]);
    second.assign(2, 0);
    let offsets = |most_bytes| {
        let how = DownConversion {
            most_bytes,
            ..how(Magic::V1)
        };
        let set = down_convert([first.clone(), marker.clone(), second.clone()], &how).unwrap();
        read(set, 1000)
            .unwrap()
            .iter()
            .map(|m| m.offset)
            .collect::<Vec<_>>()
    };
    assert_eq!(offsets(usize::MAX), [0, 2]);
    assert_eq!(offsets(1), [0], "the first batch is always given");
    assert_eq!(
        down_convert([marker.clone()], &how(Magic::V0)).unwrap(),
        Bytes::new()
    );
}

#[test]
fn plain_messages_before_the_asked_offset_are_left_out() {
    let drafts = vec![(1, None, None); 5];
    let how = DownConversion {
        from_offset: 3,
        ..how(Magic::V1)
    };
    let set = down_convert([plain(&drafts)], &how).unwrap();
    assert_eq!(
        read(set, 1000)
            .unwrap()
            .iter()
            .map(|m| m.offset)
            .collect::<Vec<_>>(),
        [3, 4]
    );
}

#[test]
fn zstd_is_for_no_old_consumer() {
    let batch = build(Compression::Zstd, 0, &[(1, None, None)]);
    let refused = down_convert([batch], &how(Magic::V1));
    assert_eq!(
        refused,
        Err(DownConvertError::Codec {
            codec: Compression::Zstd
        })
    );
}

#[test]
fn a_wrapper_that_inflates_too_far_is_refused() {
    let batch = build(Compression::Gzip, 0, &[(1, None, Some(vec![0; 1_000_000]))]);
    let set = down_convert([batch], &how(Magic::V1)).unwrap();
    let rules = UpRules {
        inflate_limit_bytes: 1000,
        ..UpRules::default()
    };
    let too_large = InflateError::TooLarge {
        codec: Compression::Gzip,
        limit_bytes: 1000,
    };
    assert_eq!(
        up_convert(set.clone(), &rules).unwrap_err(),
        LegacyError::Inflate(too_large.clone())
    );
    assert_eq!(read(set, 1000).unwrap_err(), LegacyError::Inflate(too_large));
    // 29 bytes a record in the batch, 34 in the message set.
    let batch = build(Compression::Gzip, 0, &vec![(1, None, None); 1000]);
    let how = DownConversion {
        inflate_limit_bytes: 31_000,
        ..how(Magic::V1)
    };
    assert_eq!(
        down_convert([batch], &how),
        Err(DownConvertError::TooLarge { limit_bytes: 31_000 })
    );
}

/// As Kafka reads them.
#[test]
fn negative_lengths_are_null_and_what_follows_the_value_is_left_out() {
    let mut rest = vec![0, 0];
    rest.extend((-7i32).to_be_bytes());
    rest.extend(1i32.to_be_bytes());
    rest.extend(b"vmore");
    let mut set = vec![0; 8];
    set.extend((rest.len() as i32 + 4).to_be_bytes());
    set.extend(crc32(&rest).to_be_bytes());
    set.extend(rest);
    let batch = up_convert(set.into(), &UpRules::default()).unwrap();
    let record = batch.records(1000).unwrap().next().unwrap().unwrap();
    assert_eq!((record.key, record.value.as_deref()), (None, Some(&b"v"[..])));
}

fn put_at(timestamp_ms: i64) -> Vec<u8> {
    let record = Record {
        offset_delta: 0,
        timestamp_ms,
        key: None,
        value: None,
        headers: vec![],
    };
    let mut set = Vec::new();
    down::put(&mut set, Magic::V1, 0, 0, &record);
    set
}

/// What Kafka's `LogValidator` refuses.
#[test]
fn what_no_old_producer_may_send_is_refused_by_name() {
    let message = |attributes, key: Option<&'static [u8]>, value: Option<Bytes>| {
        let key = key.map(Bytes::from_static);
        let record = Record {
            offset_delta: 0,
            timestamp_ms: 5,
            key,
            value,
            headers: vec![],
        };
        let mut set = Vec::new();
        down::put(&mut set, Magic::V1, attributes, 0, &record);
        set
    };
    let gzip = |set: &[u8]| Some(Bytes::from(Compression::Gzip.compress(set)));
    let ok = message(0, None, None);
    let wrapper = message(1, None, gzip(&ok));
    let refuse = |set: Vec<u8>| up_convert(set.into(), &UpRules::default()).map(drop).unwrap_err();

    assert!(up_convert(wrapper.clone().into(), &UpRules::default()).is_ok());
    assert_eq!(refuse(vec![]), LegacyError::Empty);
    assert_eq!(refuse(message(1, None, gzip(&[]))), LegacyError::Empty);
    assert_eq!(refuse(message(1, None, None)), LegacyError::Wrapper);
    assert_eq!(refuse(message(1, None, gzip(&wrapper))), LegacyError::Wrapper);
    assert_eq!(
        refuse([wrapper.clone(), ok.clone()].concat()),
        LegacyError::MoreThanOne
    );
    assert_eq!(refuse([ok.clone(), wrapper].concat()), LegacyError::MoreThanOne);
    let timestamp = |set: Vec<u8>| {
        up_convert(set.into(), &UpRules::default())
            .unwrap()
            .header()
            .max_timestamp_ms
    };
    assert_eq!(
        timestamp(message(8, None, None)),
        5,
        "the claim of log append time is not minded"
    );
    let early = put_at(-2);
    assert_eq!(refuse(early), LegacyError::Timestamp { timestamp_ms: -2 });
    assert_eq!(refuse(message(4, None, None)), LegacyError::Codec { id: 4 });
    assert_eq!(refuse(ok[..ok.len() - 1].to_vec()), LegacyError::Truncated);
    let v0 = down_convert([plain(&[(1, None, None)])], &how(Magic::V0)).unwrap();
    assert_eq!(
        refuse([ok.clone(), v0.to_vec()].concat()),
        LegacyError::Magic { magic: 0 }
    );
    assert_eq!(
        refuse(message(1, None, gzip(&v0))),
        LegacyError::Magic { magic: 0 }
    );
    let rules = UpRules {
        key_required: true,
        ..UpRules::default()
    };
    assert_eq!(up_convert(ok.into(), &rules).unwrap_err(), LegacyError::NoKey);
    assert!(up_convert(message(0, Some(b"k"), None).into(), &rules).is_ok());
}
