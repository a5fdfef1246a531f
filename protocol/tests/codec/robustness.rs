//! Any bytes are either a message or an error: no panic, no endless loop, no memory beyond a bound.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use bytes::Bytes;
use klamm_protocol::Decoder;
use proptest::prelude::*;

use crate::codecs::{self, Codec};
use crate::json::{self, Random};
use crate::vectors;

/// Most bytes that decoding may allocate: each element of an array takes at least a byte of input and at most
/// this many of memory (twice, while an array grows); and some arrays, one in another, may have made room for
/// elements that never came.
const MAX_ELEMENT_BYTES: usize = 600;
const MAX_NESTED_ARRAYS: usize = 6;

fn allocation_bound(codec: &Codec, input: usize) -> usize {
    codec.size
        + 3 * MAX_ELEMENT_BYTES * (input + MAX_NESTED_ARRAYS * Decoder::MAX_INITIAL_CAPACITY.min(input))
}

/// The one body: what has to hold for any bytes in any version of a message.
fn check(codec: &Codec, version: i16, input: &[u8]) {
    let bytes = Bytes::copy_from_slice(input);
    let before = ALLOCATED.get();
    let decoded = (codec.decode)(bytes.clone(), version);
    let allocated = ALLOCATED.get() - before;
    assert!(
        allocated <= allocation_bound(codec, input.len()),
        "{} {version} allocates {allocated} bytes for {}",
        codec.name(),
        json::hex(input)
    );
    if decoded.is_ok() {
        let (written, _) = (codec.round_trip)(bytes, version).expect("it decoded before");
        let (again, left) = (codec.round_trip)(written.clone(), version).expect("we wrote it");
        assert_eq!(
            (again, left),
            (written, 0),
            "{} {version}: {}",
            codec.name(),
            json::hex(input)
        );
    }
}

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
            check(codec, version, &bytes);
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
                check(&codec, version, &bytes);
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
                check(&codec, version, &bytes);
            }
        }
    }
}

/// Counts what each thread allocates, so that bounds on memory can be tested.
struct Counting;

thread_local! {
    static ALLOCATED: Cell<usize> = const { Cell::new(0) };
}

#[global_allocator]
static COUNTING: Counting = Counting;

// SAFETY: everything is left to the system's allocator; counting touches a thread-local number that needs no
// allocation of its own.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATED.set(ALLOCATED.get() + layout.size());
        // SAFETY: the caller's promises are handed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promises are handed on.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATED.set(ALLOCATED.get() + size);
        // SAFETY: the caller's promises are handed on.
        unsafe { System.realloc(pointer, layout, size) }
    }
}
