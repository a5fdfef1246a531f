//! Any bytes are either a message or an error: no panic, no endless loop, no memory beyond a bound.

use std::path::Path;

use bytes::Bytes;
use proptest::prelude::*;

use crate::any_bytes;
use crate::codecs;
use crate::json::{self, Random};
use crate::vectors;

#[test]
fn vectors_with_flipped_bytes_are_messages_or_errors() {
    let codecs = codecs::all();
    let mut random = Random(7);
    vectors::for_each_vector(|name, version, bytes| {
        let codec = codecs.iter().find(|c| c.name() == name).unwrap();
        for _ in 0..20 {
            let mut bytes = bytes.to_vec();
            for _ in 0..=random.below(3) {
                if !bytes.is_empty() {
                    let at = usize::try_from(random.below(bytes.len() as u64)).unwrap();
                    // Ends of ranges are more telling than any byte: lengths of -1, of 2^31 - 1, and the like.
                    bytes[at] = [0, 0xff, 0x7f, 0x80, random.next().to_le_bytes()[0]]
                        [usize::try_from(random.below(5)).unwrap()];
                }
            }
            any_bytes::message(codec, version, &bytes);
        }
    });
}

#[test]
fn every_version_but_its_own_is_refused() {
    for codec in codecs::all() {
        for version in [-1, i16::MIN, codec.schema.versions.max + 1, i16::MAX] {
            assert!(
                (codec.decode)(Bytes::from_static(&[0; 64]), version).is_err(),
                "{} {version}",
                codec.name()
            );
        }
    }
}

#[test]
fn random_messages_come_back() {
    for codec in codecs::all() {
        for version in codec.schema.versions.iter() {
            for seed in 0..10 {
                let value = json::random(codec.schema, version, &mut Random(seed));
                let bytes = json::write(codec.schema, version, &value);
                any_bytes::message(&codec, version, &bytes);
                assert!(
                    (codec.decode)(bytes, version).is_ok(),
                    "{} {version}, seed {seed}: {value}",
                    codec.name()
                );
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_are_a_message_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        for codec in codecs::all() {
            for version in codec.schema.versions.iter() {
                any_bytes::message(&codec, version, &bytes);
            }
        }
    }
}

/// One line of a corpus is one input, in hexadecimal.
#[test]
fn what_fuzzing_found_interesting_still_holds() {
    let codecs = codecs::all();
    for name in ["message", "frame", "record_batches", "message_set"] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../fuzz/corpus/{name}.txt"));
        let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        assert!(!text.is_empty(), "{} is empty", path.display());
        for line in text.lines() {
            let input = json::from_hex(line);
            match name {
                "message" => any_bytes::message_of(&codecs, &input),
                "frame" => any_bytes::frame_of(&codecs, &input),
                "record_batches" => any_bytes::record_batches(&input),
                _ => any_bytes::message_set(&input),
            }
        }
    }
}

/// A batch head, with a count and a codec that are likely, and records that may be some.
fn batch() -> impl Strategy<Value = Vec<u8>> {
    let head = prop::collection::vec(any::<u8>(), 62);
    let record = prop::collection::vec(prop_oneof![0u8..12, any::<u8>()], 1..40);
    (head, 0i32..4, prop::collection::vec(record, 0..4)).prop_map(|(mut bytes, count, records)| {
        // The first byte tells the body what to mend; attributes and deltas would hardly ever be right by chance.
        bytes[0] |= 1;
        bytes[1..9].fill(0);
        bytes[22] = 0;
        bytes[58..62].copy_from_slice(&count.to_be_bytes());
        bytes[24..28].copy_from_slice(&(count - 1).to_be_bytes());
        for record in records {
            // The length is a zigzag varint.
            bytes.push(record.len() as u8 * 2);
            bytes.extend(record);
        }
        bytes
    })
}

/// Messages whose sizes are right, with keys and values that mostly are.
fn set() -> impl Strategy<Value = Vec<u8>> {
    let field = prop::option::of(prop::collection::vec(any::<u8>(), 0..20));
    let message = (
        any::<i64>(),
        0u8..3,
        0u8..9,
        any::<i64>(),
        field.clone(),
        field,
        0..9,
    );
    (any::<u8>(), prop::collection::vec(message, 0..5)).prop_map(|(how, messages)| {
        let mut bytes = vec![how];
        for (offset, magic, attributes, timestamp_ms, key, value, cut) in messages {
            let mut message = vec![0, 0, 0, 0, magic, attributes & 8];
            if magic == 1 {
                message.extend(timestamp_ms.to_be_bytes());
            }
            for field in [key, value] {
                message.extend(
                    field
                        .as_ref()
                        .map_or(-1, |field| field.len() as i32)
                        .to_be_bytes(),
                );
                message.extend(field.unwrap_or_default());
            }
            message.truncate(message.len() - usize::from(cut == 0));
            bytes.extend(offset.to_be_bytes());
            bytes.extend((message.len() as i32).to_be_bytes());
            bytes.extend(message);
        }
        bytes
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_are_record_batches_or_an_error(bytes in prop_oneof![
        prop::collection::vec(any::<u8>(), 0..300),
        batch(),
    ]) {
        any_bytes::record_batches(&bytes);
    }

    #[test]
    fn any_bytes_are_a_message_set_or_an_error(bytes in prop_oneof![
        prop::collection::vec(any::<u8>(), 0..300),
        set(),
    ]) {
        any_bytes::message_set(&bytes);
    }
}
