//! Bytes that Kafka's own classes wrote: a machine without Java still guards the codec.
//!
//! Each line of `vectors/*.txt` is a message's name, a version and bytes in hexadecimal; `oracle` makes them.

use std::collections::BTreeMap;
use std::path::PathBuf;

use klamm_protocol::Decoder;

use crate::codecs::{self, Codec};
use crate::json;

#[test]
fn bytes_of_kafka_decode_and_encode_to_the_same_bytes() {
    let codecs = by_name();
    let mut seen = BTreeMap::new();
    for_each_vector(|name, version, bytes| {
        let codec = codecs
            .get(name)
            .unwrap_or_else(|| panic!("no message is named {name}"));
        let at = || format!("{name} {version} {}", json::hex(&bytes));
        let (written, left) =
            (codec.round_trip)(bytes.clone(), version).unwrap_or_else(|e| panic!("{}: {e}", at()));
        assert_eq!(json::hex(&written), json::hex(&bytes), "{name} {version}");
        assert_eq!(left, 0, "{}", at());
        // Types and schema come from one declaration; that they say the same is checked nowhere else.
        let value = json::read(codec.schema, version, &mut Decoder::new(bytes.clone())).unwrap();
        assert_eq!(
            json::hex(&json::write(codec.schema, version, &value)),
            json::hex(&bytes),
            "{}",
            at()
        );
        *seen.entry((name.to_owned(), version)).or_insert(0) += 1;
    });
    for codec in codecs.values() {
        for version in codec.schema.versions.iter() {
            assert!(
                seen.contains_key(&(codec.name().to_owned(), version)),
                "no vector of {} {version}",
                codec.name()
            );
        }
    }
}

#[test]
fn no_part_of_a_message_is_a_message() {
    let codecs = by_name();
    for_each_vector(|name, version, bytes| {
        for length in 0..bytes.len() {
            let result = (codecs[name].decode)(bytes.slice(..length), version);
            assert!(
                result.is_err(),
                "{name} {version}: the first {length} bytes of {}",
                json::hex(&bytes)
            );
        }
    });
}

/// Calls back for every vector.
pub fn for_each_vector(mut visit: impl FnMut(&str, i16, bytes::Bytes)) {
    for kind in ["requests", "responses", "stored"] {
        let path = path(kind);
        let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        for line in text.lines() {
            let mut words = line.split(' ');
            let mut word = || {
                words
                    .next()
                    .unwrap_or_else(|| panic!("{}: {line}", path.display()))
            };
            let (name, version) = (word(), word());
            visit(
                name,
                version.parse().expect("a version is a number"),
                json::from_hex(word()),
            );
        }
    }
}

/// Fails when the file is not this text; writes it when told to update.
pub fn compare_or_update(kind: &str, text: &str) {
    let path = path(kind);
    if std::env::var_os("KLAMM_UPDATE").is_some() {
        std::fs::write(&path, text).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    }
    let old = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        old == text,
        "{} is not what Kafka writes; KLAMM_UPDATE=1 renews it",
        path.display()
    );
}

fn path(kind: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("tests/codec/vectors/{kind}.txt"))
}

fn by_name() -> BTreeMap<&'static str, Codec> {
    codecs::all()
        .into_iter()
        .map(|codec| (codec.name(), codec))
        .collect()
}
