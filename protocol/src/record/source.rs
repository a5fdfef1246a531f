//! Bytes that are taken from the front, plain or inflated on the way.

use bytes::Bytes;

use super::Compression;
use super::compression::{Inflate, InflateError};

/// How much is inflated at a time.
const CHUNK_BYTES: usize = 16 * 1024;

/// Where records come from, whatever the codec.
pub(super) enum Source {
    /// Records as they lie in the batch.
    Plain { body: Bytes, at: usize },
    /// Records are inflated into `buffer`; what is before `at` has been lent already.
    Inflated {
        inflate: Inflate,
        buffer: Vec<u8>,
        at: usize,
    },
}

impl Source {
    pub(super) fn new(codec: Compression, input: Bytes, limit_bytes: usize) -> Result<Source, InflateError> {
        Ok(match codec {
            Compression::None => Source::Plain { body: input, at: 0 },
            codec => Source::Inflated {
                inflate: Inflate::new(codec, input, limit_bytes)?,
                buffer: Vec::new(),
                at: 0,
            },
        })
    }

    /// All the bytes, where they lie plain: what is taken is a part of them.
    pub(super) fn plain(&self) -> Option<&Bytes> {
        match self {
            Source::Plain { body, .. } => Some(body),
            Source::Inflated { .. } => None,
        }
    }

    /// Has at least `needed` bytes at hand; `false` if the data ends before. Memory grows with what really
    /// comes out of the codec, never with what a length field claims.
    pub(super) fn fill(&mut self, needed: usize) -> Result<bool, InflateError> {
        match self {
            Source::Plain { body, at } => Ok(body.len() - *at >= needed),
            Source::Inflated { inflate, buffer, at } => {
                if buffer.len() - *at >= needed {
                    return Ok(true);
                }
                buffer.drain(..*at);
                *at = 0;
                while buffer.len() < needed {
                    if inflate.read_into(buffer, CHUNK_BYTES)? == 0 {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
        }
    }

    pub(super) fn rest(&self) -> &[u8] {
        match self {
            Source::Plain { body, at } => &body[*at..],
            Source::Inflated { buffer, at, .. } => &buffer[*at..],
        }
    }

    pub(super) fn advance(&mut self, by: usize) {
        match self {
            Source::Plain { at, .. } | Source::Inflated { at, .. } => *at += by,
        }
    }

    pub(super) fn take(&mut self, length: usize) -> &[u8] {
        self.advance(length);
        match self {
            Source::Plain { body, at } => &body[*at - length..*at],
            Source::Inflated { buffer, at, .. } => &buffer[*at - length..*at],
        }
    }
}
