//! What has to hold for any bytes: they are either understood or an error, without a panic, without an endless loop,
//! and within a bound of memory.
//!
//! The bodies are shared: the tests of `robustness` run them over random bytes, over Kafka's and over what fuzzing has
//! found interesting, and `fuzz/` includes this file and has a fuzzer look for bytes that break them.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use bytes::Bytes;
use klamm_protocol::frame::{self, RequestHeader};
use klamm_protocol::messages::api;
use klamm_protocol::record::control::ControlRecord;
use klamm_protocol::record::legacy::{self, DownConversion, Magic, UpRules};
use klamm_protocol::record::{Batch, BatchHeader, Batches, Compression, ProducedRules, Record, RecordsError};
use klamm_protocol::{Decoder, Encoder, Schema};

use super::codecs::Codec;

/// Most bytes that decoding may take: each element of an array takes at least a byte of input and at most this many
/// of memory (twice, while an array grows); and some arrays, one in another, may have made room for elements that
/// never came.
const MAX_ELEMENT_BYTES: usize = 600;
const MAX_NESTED_ARRAYS: usize = 6;

fn decode_bound(codec: &Codec, input: usize) -> usize {
    codec.size
        + 3 * MAX_ELEMENT_BYTES * (input + MAX_NESTED_ARRAYS * Decoder::MAX_INITIAL_CAPACITY.min(input))
}

/// A message: the first two bytes choose its type, the third its version, the others are the message.
pub fn message_of(codecs: &[Codec], input: &[u8]) {
    if let [high, low, version, bytes @ ..] = input {
        let codec = &codecs[usize::from(u16::from_be_bytes([*high, *low])) % codecs.len()];
        let versions = codec.schema.versions;
        let count = versions.max - versions.min + 1;
        message(codec, versions.min + i16::from(*version) % count, bytes);
    }
}

/// A message of a type in a version. What was understood is written in one way only.
pub fn message(codec: &Codec, version: i16, input: &[u8]) {
    let bytes = Bytes::copy_from_slice(input);
    let (decoded, peak) = measured(|| (codec.decode)(bytes.clone(), version));
    assert!(
        peak <= decode_bound(codec, input.len()),
        "{} {version} takes {peak} bytes for {bytes:?}",
        codec.name(),
    );
    if decoded.is_ok() {
        let (written, _) = (codec.round_trip)(bytes.clone(), version).expect("it decoded before");
        let again = (codec.round_trip)(written.clone(), version).expect("we wrote it");
        assert_eq!(again, (written, 0), "{} {version}: {bytes:?}", codec.name());
    }
}

/// A frame without its length. Key and version say how the rest is read: header and body of a request; and, taking
/// both for a correlation id, header and body of the answer to such a request.
pub fn frame_of(codecs: &[Codec], input: &[u8]) {
    let frame = Bytes::copy_from_slice(input);
    let mut request = Decoder::new(frame.clone());
    let (header, peak) = measured(|| RequestHeader::decode(&mut request));
    assert!(
        peak <= input.len(),
        "a header takes {peak} bytes of memory: {frame:?}"
    );
    let Ok(header) = header else {
        return;
    };
    let (key, version) = (header.api_key, header.api_version);
    header_comes_back(&header);
    let api = api(key).expect("the header of an unknown key is refused");
    message(codec_of(codecs, api.request), version, &request.rest());
    let mut answer = Decoder::new(frame);
    let has_tags = frame::response_header_version(key, version) == Some(1);
    if answer.i32().is_ok() && (!has_tags || answer.skip_tags().is_ok()) {
        message(codec_of(codecs, api.response), version, &answer.rest());
    }
}

fn header_comes_back(header: &RequestHeader) {
    let header_version = frame::request_header_version(header.api_key, header.api_version);
    let mut out = Encoder::new();
    header
        .encode_version(&mut out, header_version.expect("the key is known"))
        .expect("what was read can be written");
    let mut again = Decoder::new(out.finish_contiguous());
    assert_eq!(RequestHeader::decode(&mut again).as_ref(), Ok(header));
    assert_eq!(again.remaining(), 0, "{header:?}");
}

fn codec_of<'a>(codecs: &'a [Codec], schema: &Schema) -> &'a Codec {
    let found = codecs.iter().find(|codec| codec.name() == schema.body.name);
    found.expect("every schema is that of a type")
}

/// What compressed bytes may inflate to here.
const INFLATE_LIMIT_BYTES: usize = 256 * 1024;
/// How many times its limit a conversion may take at once: messages, the batch that is built of them, the same
/// compressed, and vectors that double.
const CONVERSION_FACTOR: usize = 16;
/// Tables of the compressors.
const CODEC_BYTES: usize = 4 << 20;

fn conversion_bound(input: usize) -> usize {
    CODEC_BYTES + CONVERSION_FACTOR * (INFLATE_LIMIT_BYTES + input)
}

fn within_bound<T>(input: &[u8], work: impl FnOnce() -> T) -> T {
    let (result, peak) = measured(work);
    let bound = conversion_bound(input.len());
    assert!(peak <= bound, "{peak} bytes for {} of input", input.len());
    result
}

/// Record batches, as they lie in a Produce request or a segment. The first byte says how much of them is mended,
/// since no chance makes a CRC right: bit 0 the length and the CRC of the first batch; bits 1 to 3 the codec by which
/// its body is to be compressed first.
pub fn record_batches(input: &[u8]) {
    let Some((how, bytes)) = input.split_first() else {
        return;
    };
    let bytes = if how & 1 == 0 {
        Bytes::copy_from_slice(bytes)
    } else {
        mended_batch(bytes, how >> 1 & 7)
    };
    within_bound(&bytes, || {
        for batch in Batches::new(bytes.clone()).map_while(Result::ok) {
            assert_eq!(batch.header().encode(), bytes_of(&batch)[..BatchHeader::SIZE]);
            one_batch(batch);
        }
    });
}

fn bytes_of(batch: &Batch) -> Bytes {
    batch.to_bytes()
}

fn one_batch(batch: Batch) {
    let _ = ControlRecord::of(&batch);
    let read = |batch: &Batch| -> Result<Vec<Record>, RecordsError> {
        batch.records(INFLATE_LIMIT_BYTES)?.collect()
    };
    let records = read(&batch);
    if let Ok(records) = &records {
        assert_eq!(
            records.len(),
            usize::try_from(batch.header().record_count).unwrap_or(0)
        );
    }
    for magic in [Magic::V0, Magic::V1] {
        let converted = legacy::down_convert([batch.clone()], &down(magic));
        let Ok(set) = converted else { continue };
        let messages = legacy::read(set, 2 * INFLATE_LIMIT_BYTES).expect("we wrote it");
        if let Ok(records) = &records
            && !batch.header().is_control()
        {
            let known = records.iter().map(|record| (&record.key, &record.value));
            assert!(
                messages
                    .iter()
                    .map(|message| (&message.key, &message.value))
                    .eq(known)
            );
        }
    }
    let rules = ProducedRules {
        walk_compressed: true,
        inflate_limit_bytes: INFLATE_LIMIT_BYTES,
        ..Default::default()
    };
    let mut produced = batch;
    if produced.validate_produced(&rules).is_ok() {
        // The check takes no memory for headers, so it does not see how much they take.
        let records = read(&produced);
        let is_large = matches!(records, Err(RecordsError::HeadersTooLarge { .. }));
        assert!(
            records.is_ok() || is_large,
            "what is accepted can be read: {records:?}"
        );
        Batch::parse(produced.to_bytes()).expect("what is accepted is stored and has to be understood again");
    }
}

fn mended_batch(bytes: &[u8], codec: u8) -> Bytes {
    let mut bytes = bytes.to_vec();
    if bytes.len() < BatchHeader::SIZE {
        return bytes.into();
    }
    if let Some(codec) = Compression::from_id(codec).filter(|codec| *codec != Compression::None) {
        let body = codec.compress(&bytes[BatchHeader::SIZE..]);
        bytes.truncate(BatchHeader::SIZE);
        bytes.extend(body);
        bytes[22] = bytes[22] & !7 | codec.id();
    }
    let length = i32::try_from(bytes.len() - 12).expect("the input is short");
    bytes[8..12].copy_from_slice(&length.to_be_bytes());
    bytes[16] = 2;
    let crc = crc32c::crc32c(&bytes[21..]);
    bytes[17..21].copy_from_slice(&crc.to_be_bytes());
    bytes.into()
}

/// A message set of format 0 or 1. The first byte says how much is mended: bit 0 the CRCs; bits 1 and 2 the codec of
/// a wrapper around all of it; bit 3 the wrapper's format; bit 4 a second wrapper around that.
pub fn message_set(input: &[u8]) {
    let Some((how, bytes)) = input.split_first() else {
        return;
    };
    let mut set = bytes.to_vec();
    if how & 1 != 0 {
        mend_crcs(&mut set);
        let codec = Compression::from_id(how >> 1 & 3).expect("these four exist");
        let magic = i8::from(how & 8 != 0);
        for _ in 0..=(how >> 4 & 1) {
            if codec != Compression::None {
                set = wrapped(&set, codec, magic);
            }
        }
    }
    let set = Bytes::from(set);
    within_bound(&set, || one_set(&set));
}

fn one_set(set: &Bytes) {
    let messages = legacy::read(set.clone(), INFLATE_LIMIT_BYTES);
    let rules = UpRules {
        key_required: false,
        inflate_limit_bytes: INFLATE_LIMIT_BYTES,
    };
    let Ok(batch) = legacy::up_convert(set.clone(), &rules) else {
        return;
    };
    let messages = messages.expect("what a producer may send can be read");
    let batch = Batch::parse(batch.to_bytes()).expect("we wrote it");
    let down = legacy::down_convert([batch], &down(Magic::V1));
    // Around a small record there is more in the old formats.
    let Ok(down) = down else { return };
    let again = legacy::read(down, 2 * INFLATE_LIMIT_BYTES).expect("we wrote it");
    let without_offset =
        |message: &legacy::Message| (message.timestamp_ms, message.key.clone(), message.value.clone());
    assert!(
        again
            .iter()
            .map(without_offset)
            .eq(messages.iter().map(without_offset))
    );
}

fn down(magic: Magic) -> DownConversion {
    DownConversion {
        magic,
        from_offset: i64::MIN,
        most_bytes: INFLATE_LIMIT_BYTES,
        inflate_limit_bytes: INFLATE_LIMIT_BYTES,
    }
}

/// Offset and size stand before what the size counts, the CRC first.
fn mend_crcs(set: &mut [u8]) {
    let mut rest = set;
    while let Some((head, behind)) = rest.split_at_mut_checked(12) {
        let size = u32::from_be_bytes([head[8], head[9], head[10], head[11]]) as usize;
        let Some((message, next)) = behind.split_at_mut_checked(size).filter(|_| size >= 4) else {
            return;
        };
        let crc = crc32(&message[4..]);
        message[..4].copy_from_slice(&crc.to_be_bytes());
        rest = next;
    }
}

fn wrapped(set: &[u8], codec: Compression, magic: i8) -> Vec<u8> {
    let value = codec.compress(set);
    let mut message = vec![magic.cast_unsigned(), codec.id()];
    if magic == 1 {
        message.extend(7i64.to_be_bytes());
    }
    message.extend((-1i32).to_be_bytes());
    message.extend(
        i32::try_from(value.len())
            .expect("the input is short")
            .to_be_bytes(),
    );
    message.extend(value);
    let mut out = 99i64.to_be_bytes().to_vec();
    out.extend(
        i32::try_from(message.len() + 4)
            .expect("the input is short")
            .to_be_bytes(),
    );
    out.extend(crc32(&message).to_be_bytes());
    out.extend(message);
    out
}

fn crc32(bytes: &[u8]) -> u32 {
    let mut crc = flate2::Crc::new();
    crc.update(bytes);
    crc.sum()
}

/// Does something, and gives how much memory this thread had in use at most meanwhile, beyond what it had before.
fn measured<T>(work: impl FnOnce() -> T) -> (T, usize) {
    let before = IN_USE.get();
    PEAK.set(before);
    let result = work();
    (result, usize::try_from(PEAK.get() - before).unwrap_or(0))
}

/// Counts what each thread has in use, so that bounds on memory can be tested.
struct Counting;

thread_local! {
    static IN_USE: Cell<isize> = const { Cell::new(0) };
    static PEAK: Cell<isize> = const { Cell::new(0) };
}

fn count(bytes: usize, freed: usize) {
    let in_use = IN_USE.get() + bytes.cast_signed() - freed.cast_signed();
    IN_USE.set(in_use);
    PEAK.set(PEAK.get().max(in_use));
}

#[global_allocator]
static COUNTING: Counting = Counting;

// SAFETY: everything is left to the system's allocator; counting touches thread-local numbers that need no
// allocation of their own.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size(), 0);
        // SAFETY: the caller's promises are handed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(0, layout.size());
        // SAFETY: the caller's promises are handed on.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // Both exist for a moment.
        count(size, 0);
        count(0, layout.size());
        // SAFETY: the caller's promises are handed on.
        unsafe { System.realloc(pointer, layout, size) }
    }
}
