//! Message sets: the formats 0 (until 0.9) and 1 (0.10) that came before record batches.
//!
//! ```text
//! offset        i64
//! size          i32   bytes after this field
//! crc           u32   CRC-32 (IEEE) of everything behind it
//! magic         i8    0 or 1
//! attributes    i8    bits 0-2: codec; bit 3, format 1: log append time
//! timestamp     i64   format 1 only; -1: none
//! key length    i32   -1: null
//! key
//! value length  i32   -1: null
//! value
//! ```
//! A compressed message is a wrapper: its value is a message set. In format 0 the inner offsets are absolute, in
//! format 1 they count from the first one on, and the wrapper has the offset of the last one. The LZ4 frames of
//! format 0 carry a header checksum that is computed over too much (KIP-57); see `lz4_frame`.
//!
//! Logs hold batches of format 2 alone: [`up_convert`] makes one of what an old producer sends,
//! [`down_convert`] makes message sets for an old consumer. Headers and control records have no place in them.

mod down;
mod lz4_frame;
mod up;

use bytes::{Buf, Bytes};
use thiserror::Error;

pub use down::{DownConversion, DownConvertError, down_convert};
pub use up::{UpRules, up_convert};

use super::compression::InflateError;
use super::source::Source;
use super::{Compression, NO_TIMESTAMP};

/// Offset and size: what stands before the bytes that the size counts.
const LOG_OVERHEAD: usize = 12;
const CODEC_MASK: i8 = 0x07;
const LOG_APPEND_TIME: i8 = 0x08;

/// One of the two old formats.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Magic {
    /// Without timestamps.
    V0,
    /// With timestamps and relative inner offsets.
    V1,
}

impl Magic {
    fn of(byte: i8) -> Option<Magic> {
        match byte {
            0 => Some(Magic::V0),
            1 => Some(Magic::V1),
            _ => None,
        }
    }

    fn byte(self) -> i8 {
        self as i8
    }

    /// The shortest that `size` can say: null key, null value.
    fn least_size(self) -> usize {
        match self {
            Magic::V0 => 14,
            Magic::V1 => 22,
        }
    }
}

/// Why bytes are not a message set, or not one that a client may send. Kafka's code stands in brackets.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum LegacyError {
    /// The bytes end inside a message (CORRUPT_MESSAGE).
    #[error("a message is cut short")]
    Truncated,
    /// A size that no message can have (CORRUPT_MESSAGE).
    #[error("message size {size} is impossible")]
    Size {
        /// What stands there.
        size: i32,
    },
    /// Neither format 0 nor 1 (CORRUPT_MESSAGE unless it is 2), or one of them inside the other (INVALID_RECORD).
    #[error("magic {magic} is out of place")]
    Magic {
        /// What stands there.
        magic: i8,
    },
    /// The bytes are not those that were written (CORRUPT_MESSAGE).
    #[error("CRC {computed:08x} instead of {stored:08x}")]
    Crc {
        /// What the message says.
        stored: u32,
        /// What the bytes give.
        computed: u32,
    },
    /// Key or value does not fit into the message (CORRUPT_MESSAGE).
    #[error("key or value does not fit into the message")]
    Fields,
    /// A codec id that these formats do not have: zstd and above (INVALID_RECORD).
    #[error("codec {id} may not be used")]
    Codec {
        /// What stands there.
        id: u8,
    },
    /// Inflating failed or went over the limit (INVALID_RECORD).
    #[error(transparent)]
    Inflate(#[from] InflateError),
    /// A wrapper in a wrapper, or one without a value (INVALID_RECORD).
    #[error("a compressed message holds plain messages")]
    Wrapper,
    /// No message at all, or none in a wrapper (INVALID_RECORD; a Produce without anything is answered without error).
    #[error("no message at all")]
    Empty,
    /// Something follows a compressed message (INVALID_RECORD).
    #[error("a compressed message is the only one of its set")]
    MoreThanOne,
    /// A time before 1970 that is not the -1 for none (INVALID_TIMESTAMP).
    #[error("{timestamp_ms} is no timestamp")]
    Timestamp {
        /// What stands there.
        timestamp_ms: i64,
    },
    /// A message without a key for a compacted topic (INVALID_RECORD).
    #[error("a message has no key, the topic is compacted")]
    NoKey,
}

/// One message, as a consumer sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Its place in the log.
    pub offset: i64,
    /// Milliseconds since 1970; -1 in format 0.
    pub timestamp_ms: i64,
    /// May be null.
    pub key: Option<Bytes>,
    /// May be null.
    pub value: Option<Bytes>,
}

/// Whether a set begins with a message that is not compressed, so that nothing of it inflates: a wrapper behind it is
/// refused by [`up_convert`].
pub fn is_plain(set: &[u8]) -> bool {
    let attributes = set.get(LOG_OVERHEAD + 5);
    attributes.is_none_or(|attributes| attributes.cast_signed() & CODEC_MASK == 0)
}

/// Reads all messages of a set, those in wrappers too, which inflate to `limit_bytes` at most.
///
/// A message cut short at the end is left out: Fetch answers of that time ended wherever they were full.
///
/// # Errors
/// All of [`LegacyError`] that concern reading.
pub fn read(bytes: Bytes, limit_bytes: usize) -> Result<Vec<Message>, LegacyError> {
    let mut messages = Vec::new();
    let mut left_bytes = limit_bytes;
    let mut entries = Entries::new(Source::new(Compression::None, bytes, 0)?);
    loop {
        match entries.next() {
            Ok(Some(entry)) if entry.codec()? == Compression::None => messages.push(entry.message),
            Ok(Some(entry)) => read_wrapper(entry, &mut left_bytes, &mut messages)?,
            Ok(None) | Err(LegacyError::Truncated) => return Ok(messages),
            Err(e) => return Err(e),
        }
    }
}

fn read_wrapper(wrapper: Entry, left_bytes: &mut usize, out: &mut Vec<Message>) -> Result<(), LegacyError> {
    let first = out.len();
    let mut inner = wrapper.unwrap(*left_bytes)?;
    while let Some(entry) = inner.next()? {
        *left_bytes = left_bytes.saturating_sub(entry.size);
        out.push(entry.message);
    }
    let last_inner_offset = out[first..].last().ok_or(LegacyError::Empty)?.offset;
    for message in &mut out[first..] {
        if wrapper.magic == Magic::V1 {
            message.offset = message
                .offset
                .wrapping_add(wrapper.message.offset.wrapping_sub(last_inner_offset));
        }
        if wrapper.is_log_append_time() {
            message.timestamp_ms = wrapper.message.timestamp_ms;
        }
    }
    Ok(())
}

/// A message with what is about it rather than in it.
struct Entry {
    magic: Magic,
    attributes: i8,
    /// Bytes it took.
    size: usize,
    message: Message,
}

impl Entry {
    fn codec(&self) -> Result<Compression, LegacyError> {
        let id = (self.attributes & CODEC_MASK).cast_unsigned();
        let codec = Compression::from_id(id).filter(|&codec| codec != Compression::Zstd);
        codec.ok_or(LegacyError::Codec { id })
    }

    fn is_log_append_time(&self) -> bool {
        self.magic == Magic::V1 && self.attributes & LOG_APPEND_TIME != 0
    }

    /// The messages in a wrapper.
    fn unwrap(&self, limit_bytes: usize) -> Result<Entries, LegacyError> {
        let codec = self.codec()?;
        let mut value = self.message.value.clone().ok_or(LegacyError::Wrapper)?;
        if codec == Compression::Lz4 && self.magic == Magic::V0 {
            value = lz4_frame::mend(value);
        }
        let mut inner = Entries::new(Source::new(codec, value, limit_bytes)?);
        inner.wrapper = Some(self.magic);
        Ok(inner)
    }
}

/// Takes messages from a source, one by one, each CRC checked.
struct Entries {
    source: Source,
    /// The format of the wrapper that the messages lie in.
    wrapper: Option<Magic>,
}

impl Entries {
    fn new(source: Source) -> Entries {
        Entries {
            source,
            wrapper: None,
        }
    }

    fn next(&mut self) -> Result<Option<Entry>, LegacyError> {
        if !self.source.fill(1)? {
            return Ok(None);
        }
        if !self.source.fill(LOG_OVERHEAD)? {
            return Err(LegacyError::Truncated);
        }
        let mut head = self.source.take(LOG_OVERHEAD);
        let (offset, size) = (head.get_i64(), head.get_i32());
        let size = usize::try_from(size)
            .ok()
            .filter(|&size| size >= Magic::V0.least_size())
            .ok_or(LegacyError::Size { size })?;
        if !self.source.fill(size)? {
            return Err(LegacyError::Truncated);
        }
        let plain = self.source.plain().cloned();
        let slice = self.source.take(size);
        let bytes = plain.map_or_else(|| Bytes::copy_from_slice(slice), |plain| plain.slice_ref(slice));
        let entry = read_entry(offset, bytes)?;
        if self.wrapper.is_some_and(|wrapper| wrapper != entry.magic) {
            return Err(LegacyError::Magic {
                magic: entry.magic.byte(),
            });
        }
        if self.wrapper.is_some() && entry.codec()? != Compression::None {
            return Err(LegacyError::Wrapper);
        }
        Ok(Some(entry))
    }
}

/// Reads what stands behind the size; `bytes` has the 14 bytes that the shortest message has.
fn read_entry(offset: i64, mut bytes: Bytes) -> Result<Entry, LegacyError> {
    let size = bytes.len();
    let stored = bytes.get_u32();
    let computed = crc32(&bytes);
    let byte = bytes.get_i8();
    let magic = Magic::of(byte).ok_or(LegacyError::Magic { magic: byte })?;
    if stored != computed {
        return Err(LegacyError::Crc { stored, computed });
    }
    if size < magic.least_size() {
        return Err(LegacyError::Fields);
    }
    let attributes = bytes.get_i8();
    let timestamp_ms = if magic == Magic::V1 {
        bytes.get_i64()
    } else {
        NO_TIMESTAMP
    };
    let key = take_nullable(&mut bytes)?;
    // What follows the value is nobody's, and Kafka never minded it.
    let value = take_nullable(&mut bytes)?;
    let message = Message {
        offset,
        timestamp_ms,
        key,
        value,
    };
    Ok(Entry {
        magic,
        attributes,
        size: LOG_OVERHEAD + size,
        message,
    })
}

fn take_nullable(bytes: &mut Bytes) -> Result<Option<Bytes>, LegacyError> {
    let length = bytes.try_get_i32().map_err(|_| LegacyError::Fields)?;
    // Any negative length is null, to Kafka as well.
    let Ok(length) = usize::try_from(length) else {
        return Ok(None);
    };
    if length > bytes.len() {
        return Err(LegacyError::Fields);
    }
    Ok(Some(bytes.split_to(length)))
}

fn crc32(bytes: &[u8]) -> u32 {
    let mut crc = flate2::Crc::new();
    crc.update(bytes);
    crc.sum()
}

#[cfg(test)]
mod tests;
