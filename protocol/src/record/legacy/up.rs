//! A message set of an old producer becomes one record batch.

use bytes::Bytes;

use super::{Entries, Entry, LegacyError};
use crate::record::source::Source;
use crate::record::{Batch, BatchBuilder, Compression, INFLATE_LIMIT_BYTES, NO_TIMESTAMP};

/// What depends on the topic.
#[derive(Clone, Copy, Debug)]
pub struct UpRules {
    /// The topic is compacted: a message without a key has no place in it.
    pub key_required: bool,
    /// The most that a wrapper may inflate to. The batch that is built takes about as much, once.
    pub inflate_limit_bytes: usize,
}

impl Default for UpRules {
    fn default() -> UpRules {
        UpRules {
            key_required: false,
            inflate_limit_bytes: INFLATE_LIMIT_BYTES,
        }
    }
}

/// Checks what a partition of Produce 0 to 2 carries and makes a batch of it, with the codec that it had.
///
/// Offsets of producers mean nothing, so only the order is kept. Every CRC is checked; messages of format 0 have
/// no timestamp, and the records have none either. A wrapper that says it has log append time gives its own timestamp to
/// what is in it; else that claim is not minded.
///
/// # Errors
/// All of [`LegacyError`].
pub fn up_convert(bytes: Bytes, rules: &UpRules) -> Result<Batch, LegacyError> {
    let mut set = Entries::new(Source::new(Compression::None, bytes, 0)?);
    let first = set.next()?.ok_or(LegacyError::Empty)?;
    let codec = first.codec()?;
    let mut batch = BatchBuilder::new(codec);
    if codec == Compression::None {
        let magic = first.magic;
        let mut next = Some(first);
        while let Some(entry) = next {
            if entry.magic != magic {
                return Err(LegacyError::Magic {
                    magic: entry.magic.byte(),
                });
            }
            if entry.codec()? != Compression::None {
                return Err(LegacyError::MoreThanOne);
            }
            add(&mut batch, &entry, entry.message.timestamp_ms, rules)?;
            next = set.next()?;
        }
    } else {
        let of_all = first.is_log_append_time().then_some(first.message.timestamp_ms);
        let mut inner = first.unwrap(rules.inflate_limit_bytes)?;
        while let Some(entry) = inner.next()? {
            let timestamp_ms = of_all.unwrap_or(entry.message.timestamp_ms);
            add(&mut batch, &entry, timestamp_ms, rules)?;
        }
        if batch.is_empty() {
            return Err(LegacyError::Empty);
        }
        if set.next()?.is_some() {
            return Err(LegacyError::MoreThanOne);
        }
    }
    Ok(batch.finish())
}

fn add(
    batch: &mut BatchBuilder,
    entry: &Entry,
    timestamp_ms: i64,
    rules: &UpRules,
) -> Result<(), LegacyError> {
    if timestamp_ms < NO_TIMESTAMP {
        return Err(LegacyError::Timestamp { timestamp_ms });
    }
    let message = &entry.message;
    if rules.key_required && message.key.is_none() {
        return Err(LegacyError::NoKey);
    }
    batch.append(timestamp_ms, message.key.as_deref(), message.value.as_deref());
    Ok(())
}
