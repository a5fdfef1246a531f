//! Record batches: how records travel and how they lie on disk, which is the same.
//!
//! A [`Batch`] is a head of 61 bytes and a body that nobody rewrites. Reading is bounded everywhere: what
//! comes from a client inflates up to a limit that the caller names, and lengths are checked against the
//! bytes that are there. What a producer may send is in `validate`; the formats of before 2017
//! are in [`legacy`]. Nothing here knows topics, configurations or error codes.
//!
//! Read on in `header` for the layout of a batch, in `reader` for that of a record.

mod batch;
mod builder;
mod compression;
pub mod control;
mod header;
pub mod legacy;
mod reader;
mod source;
mod validate;
mod varint;

#[cfg(test)]
mod tests;
#[cfg(test)]
mod vectors;

use bytes::Bytes;

pub use batch::{Batch, BatchError, Batches};
pub use builder::{BatchBuilder, HeaderRef};
pub use compression::{Compression, InflateError};
pub use header::{
    Attributes, BatchHeader, MAGIC_V2, NO_LEADER_EPOCH, NO_PRODUCER_EPOCH, NO_PRODUCER_ID, NO_SEQUENCE,
    NO_TIMESTAMP, add_sequence,
};
pub use reader::{RecordIter, RecordsError};
pub use validate::{ProducedError, ProducedRules, TimestampBounds};

use crate::Str;

/// The most that one batch may inflate to, unless a caller has reason for another limit: 128 MiB.
///
/// Kafka knows no such bound; with its default `message.max.bytes` of 1 MiB this leaves a ratio of 1:128.
pub const INFLATE_LIMIT_BYTES: usize = 128 * 1024 * 1024;

/// One record as it is read from a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Offset minus the batch's base offset.
    pub offset_delta: i32,
    /// Milliseconds since 1970, -1 for none; with log append time the batch's max timestamp.
    pub timestamp_ms: i64,
    /// What partitioning and compaction go by.
    pub key: Option<Bytes>,
    /// `None` deletes the key where the topic is compacted.
    pub value: Option<Bytes>,
    /// Keys may repeat and keep their order. What is not UTF-8 in a key is replaced, as Java does.
    pub headers: Vec<(Str, Option<Bytes>)>,
}
