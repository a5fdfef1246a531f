//! What holds for every batch, over random ones. Each failure prints the seed that proptest needs to replay it.

use bytes::Bytes;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use super::*;

/// A record before it is in a batch: timestamp, key, value, headers.
type Draft = (
    i64,
    Option<Vec<u8>>,
    Option<Vec<u8>>,
    Vec<(String, Option<Vec<u8>>)>,
);

fn field() -> impl Strategy<Value = Option<Vec<u8>>> {
    // Half of the values repeat one byte, so that the codecs meet something to compress.
    let bytes = prop_oneof![
        vec(any::<u8>(), 0..300),
        (any::<u8>(), 0..3000usize).prop_map(|(b, n)| vec![b; n])
    ];
    option::of(bytes)
}

fn draft() -> impl Strategy<Value = Draft> {
    (
        -1i64..5_000_000_000_000,
        field(),
        field(),
        vec((".{0,8}", field()), 0..4),
    )
}

fn codec() -> impl Strategy<Value = Compression> {
    proptest::sample::select(Compression::ALL.to_vec())
}

fn build(codec: Compression, drafts: &[Draft]) -> Batch {
    let mut builder = BatchBuilder::new(codec);
    for (timestamp_ms, key, value, headers) in drafts {
        let headers: Vec<HeaderRef<'_>> = headers.iter().map(|(k, v)| (k.as_str(), v.as_deref())).collect();
        builder.append_with_headers(*timestamp_ms, key.as_deref(), value.as_deref(), &headers);
    }
    builder.finish()
}

fn expected(drafts: &[Draft]) -> Vec<Record> {
    let record = |(index, (timestamp_ms, key, value, headers)): (usize, &Draft)| Record {
        offset_delta: index as i32,
        timestamp_ms: *timestamp_ms,
        key: key.clone().map(Bytes::from),
        value: value.clone().map(Bytes::from),
        headers: headers
            .iter()
            .map(|(k, v)| (Str::from(k.as_str()), v.clone().map(Bytes::from)))
            .collect(),
    };
    drafts.iter().enumerate().map(record).collect()
}

fn read(batch: &Batch) -> Result<Vec<Record>, RecordsError> {
    batch.records(INFLATE_LIMIT_BYTES)?.collect()
}

const WALK: ProducedRules = ProducedRules {
    zstd_allowed: true,
    walk_compressed: true,
    key_required: false,
    inflate_limit_bytes: INFLATE_LIMIT_BYTES,
};

proptest! {
    #[test]
    fn what_is_built_is_read_back(codec in codec(), drafts in vec(draft(), 1..20)) {
        let batch = build(codec, &drafts);
        let parsed = Batch::parse(batch.to_bytes()).unwrap();
        prop_assert_eq!(parsed.header(), batch.header());
        prop_assert_eq!(read(&parsed).unwrap(), expected(&drafts));
        prop_assert_eq!(parsed.header().max_timestamp_ms, drafts.iter().map(|d| d.0).max().unwrap());
        let mut checked = parsed.clone();
        prop_assert_eq!(checked.validate_produced(&WALK), Ok(()));
        prop_assert_eq!(checked, parsed, "a sound batch is left as it is");
    }

    #[test]
    fn a_place_in_the_log_leaves_the_crc_valid(codec in codec(), drafts in vec(draft(), 1..4), base: u32, epoch: u16) {
        let mut batch = build(codec, &drafts);
        let [_, body] = batch.parts();
        batch.assign(i64::from(base), i32::from(epoch));
        prop_assert_eq!(batch.parts()[1].as_ptr(), body.as_ptr(), "the body is not copied");
        let parsed = Batch::parse(batch.to_bytes()).unwrap();
        prop_assert_eq!(parsed.header().base_offset, i64::from(base));
        prop_assert_eq!(parsed.header().leader_epoch, i32::from(epoch));
        prop_assert_eq!(read(&parsed).unwrap(), expected(&drafts));
    }

    #[test]
    fn log_append_time_is_the_timestamp_of_every_record(codec in codec(), drafts in vec(draft(), 1..4), now: u32) {
        let mut batch = build(codec, &drafts);
        batch.set_log_append_time(i64::from(now));
        let parsed = Batch::parse(batch.to_bytes()).unwrap();
        prop_assert!(parsed.header().attributes.is_log_append_time());
        for record in read(&parsed).unwrap() {
            prop_assert_eq!(record.timestamp_ms, i64::from(now));
        }
    }

    /// Every byte from the magic on is either in the CRC's range, the CRC itself, or decides what is read at all.
    #[test]
    fn a_flipped_bit_is_never_taken_for_the_batch(
        codec in codec(), drafts in vec(draft(), 1..4), at: proptest::sample::Index, bit in 0..8u8
    ) {
        let batch = build(codec, &drafts);
        let mut bytes = batch.to_bytes().to_vec();
        let at = 8 + at.index(bytes.len() - 8);
        bytes[at] ^= 1 << bit;
        let outside_the_crc = (12..16).contains(&at);
        prop_assert_eq!(Batch::parse(bytes.into()).is_ok(), outside_the_crc);
    }

    /// The CRC is made right again, so that the mutation reaches everything behind it: any answer, no panic.
    #[test]
    fn mutated_records_are_read_or_refused(
        codec in codec(),
        drafts in vec(draft(), 1..6),
        mutations in vec((any::<proptest::sample::Index>(), any::<u8>()), 1..6),
        cut: Option<proptest::sample::Index>,
    ) {
        let mut bytes = build(codec, &drafts).to_bytes().to_vec();
        for (at, byte) in mutations {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        let _ = Batch::parse(bytes.clone().into());
        if bytes.len() < BatchHeader::SIZE {
            return Ok(());
        }
        bytes[16] = 2;
        let length = (bytes.len() - 12) as i32;
        bytes[8..12].copy_from_slice(&length.to_be_bytes());
        let crc = crc32c::crc32c(&bytes[21..]);
        bytes[17..21].copy_from_slice(&crc.to_be_bytes());
        let mut batch = Batch::parse(bytes.into()).unwrap();
        let limit_bytes = 64 * 1024;
        let mut inflated = 0;
        if let Ok(records) = batch.records(limit_bytes) {
            for record in records.map_while(Result::ok) {
                inflated += record.key.map_or(0, |key| key.len()) + record.value.map_or(0, |value| value.len());
            }
        }
        if batch.header().compression() != Some(Compression::None) {
            prop_assert!(inflated <= limit_bytes);
        }
        let _ = control::ControlRecord::of(&batch);
        let rules = ProducedRules { inflate_limit_bytes: limit_bytes, key_required: true, ..WALK };
        if batch.validate_produced(&rules).is_ok() {
            // What is accepted can be read by every consumer.
            prop_assert_eq!(read(&batch).unwrap().len(), batch.header().record_count as usize);
        }
    }

    #[test]
    fn batches_end_to_end_are_found_one_by_one(sizes in vec(1..4usize, 1..5), cut: proptest::sample::Index) {
        let draft: Draft = (1, None, Some(vec![7; 100]), vec![]);
        let batches: Vec<Batch> = sizes.iter().map(|&n| build(Compression::None, &vec![draft.clone(); n])).collect();
        let bytes: Bytes = batches.iter().flat_map(|b| b.to_bytes()).collect::<Vec<u8>>().into();
        prop_assert_eq!(Batches::new(bytes.clone()).collect::<Result<Vec<_>, _>>().unwrap(), batches.clone());
        let whole = Batches::new(bytes.slice(..cut.index(bytes.len()))).filter_map(Result::ok).count();
        prop_assert!(whole < batches.len(), "a batch cut short is not a batch");
    }
}

/// Two bytes of a record become a header of some seventy bytes in memory.
#[test]
fn headers_that_would_take_more_than_the_limit_are_refused_before_memory_is_taken() {
    let mut batch = BatchBuilder::new(Compression::Zstd);
    batch.append_with_headers(1, None, None, &vec![("", None); 10_000]);
    let batch = batch.finish();
    let limit_bytes = 100_000;
    let records: Result<Vec<Record>, _> = batch.records(limit_bytes).unwrap().collect();
    let too_large = RecordsError::HeadersTooLarge {
        index: 0,
        count: 10_000,
        limit_bytes,
    };
    assert_eq!(records, Err(too_large));
    assert_eq!(read(&batch).unwrap()[0].headers.len(), 10_000);
}
