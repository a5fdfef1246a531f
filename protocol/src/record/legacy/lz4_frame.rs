//! The header checksum of an LZ4 frame, right and wrong.
//!
//! ```text
//! magic 04 22 4d 18 | flags | block size | content size (8, if flag 3) | dictionary (4, if flag 0) | checksum
//! ```
//! The checksum is the second byte of xxHash32 over what stands between magic and checksum. Kafka's first LZ4
//! writer took the magic in as well (KAFKA-3160), and format 0 has kept it so for ever (KIP-57): Kafka writes the
//! wrong one there, and reads any.

use std::hash::Hasher;

use bytes::Bytes;
use twox_hash::XxHash32;

const FRAME_MAGIC: [u8; 4] = [0x04, 0x22, 0x4d, 0x18];
const CONTENT_SIZE_FLAG: u8 = 0x08;
const DICTIONARY_FLAG: u8 = 0x01;

/// The same frame with the right checksum. What is no frame is given back, for the decoder to refuse.
pub(super) fn mend(frame: Bytes) -> Bytes {
    match checksum_at(&frame) {
        Some(at) if frame[at] != checksum(&frame[FRAME_MAGIC.len()..at]) => {
            let mut mended = frame.to_vec();
            mended[at] = checksum(&frame[FRAME_MAGIC.len()..at]);
            Bytes::from(mended)
        }
        _ => frame,
    }
}

/// Puts the wrong checksum of format 0 into a frame.
pub(super) fn spoil(frame: &mut [u8]) {
    if let Some(at) = checksum_at(frame) {
        frame[at] = checksum(&frame[..at]);
    }
}

fn checksum_at(frame: &[u8]) -> Option<usize> {
    let flags = *frame.strip_prefix(&FRAME_MAGIC)?.first()?;
    let content_size = if flags & CONTENT_SIZE_FLAG != 0 { 8 } else { 0 };
    let dictionary = if flags & DICTIONARY_FLAG != 0 { 4 } else { 0 };
    let at = FRAME_MAGIC.len() + 2 + content_size + dictionary;
    (at < frame.len()).then_some(at)
}

fn checksum(bytes: &[u8]) -> u8 {
    let mut hash = XxHash32::with_seed(0);
    hash.write(bytes);
    (hash.finish() >> 8) as u8
}
