//! Reading the records of a batch, one at a time, whatever the codec.
//!
//! ```text
//! length           varint   bytes of the record after this field
//! attributes       i8       unused
//! timestamp delta  varlong  to the batch's base timestamp
//! offset delta     varint   to the batch's base offset
//! key length       varint   -1: null
//! key
//! value length     varint   -1: null, a tombstone where the topic is compacted
//! value
//! header count     varint
//!   key length, key (UTF-8), value length or -1, value   for each
//! ```

use bytes::Bytes;
use thiserror::Error;

use super::compression::InflateError;
use super::header::BatchHeader;
use super::source::Source;
use super::varint::{VARINT_MAX, take_varint, take_varlong};
use super::{Compression, Record};
use crate::Str;

/// Why the records of a batch cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum RecordsError {
    /// One of the codec ids 5, 6, 7.
    #[error("codec {id} is unknown")]
    UnknownCodec {
        /// The id in the attributes.
        id: u8,
    },
    /// Inflating failed or went over the limit.
    #[error(transparent)]
    Inflate(#[from] InflateError),
    /// A record whose fields do not fit into its length, or whose numbers make no sense.
    #[error("record {index} is malformed: {what}")]
    Malformed {
        /// Which record of the batch, from 0.
        index: i32,
        /// What is wrong with it.
        what: &'static str,
    },
    /// The data ends before the record count of the head is reached.
    #[error("{found} records instead of the {declared} that the head declares")]
    Missing {
        /// The head's record count.
        declared: i32,
        /// Records there are.
        found: i32,
    },
    /// The headers of one record would take more memory than the batch may inflate to.
    #[error("record {index} has {count} headers, which take more than {limit_bytes} bytes of memory")]
    HeadersTooLarge {
        /// Which record of the batch, from 0.
        index: i32,
        /// How many headers it has.
        count: i32,
        /// The limit that was given.
        limit_bytes: usize,
    },
    /// Bytes are left after the last record.
    #[error("data goes on after the {declared} records that the head declares")]
    Trailing {
        /// The head's record count.
        declared: i32,
    },
}

/// Lends the records of a batch as slices, in order. What walks over records without keeping them uses this.
pub(super) struct RecordSlices {
    source: Source,
    declared: i32,
    index: i32,
}

impl RecordSlices {
    pub(super) fn new(header: &BatchHeader, body: Bytes, limit_bytes: usize) -> Result<Self, RecordsError> {
        let id = header.attributes.codec_id();
        let codec = Compression::from_id(id).ok_or(RecordsError::UnknownCodec { id })?;
        let source = Source::new(codec, body, limit_bytes)?;
        Ok(RecordSlices {
            source,
            declared: header.record_count,
            index: 0,
        })
    }

    /// The index of the record that `next` gave last.
    pub(super) fn last_index(&self) -> i32 {
        self.index - 1
    }

    /// The next record without its length field, `None` after as many as the head declares.
    pub(super) fn next(&mut self) -> Result<Option<&[u8]>, RecordsError> {
        if self.index >= self.declared {
            return if self.source.fill(1)? {
                Err(RecordsError::Trailing {
                    declared: self.declared,
                })
            } else {
                Ok(None)
            };
        }
        if !self.source.fill(1)? {
            return Err(RecordsError::Missing {
                declared: self.declared,
                found: self.index,
            });
        }
        let malformed = |what| RecordsError::Malformed {
            index: self.index,
            what,
        };
        self.source.fill(VARINT_MAX)?;
        let mut rest = self.source.rest();
        let before = rest.len();
        let length = take_varint(&mut rest).ok_or(malformed("its length is no varint"))?;
        let length = usize::try_from(length).map_err(|_| malformed("its length is negative"))?;
        let prefix = before - rest.len();
        self.source.advance(prefix);
        if !self.source.fill(length)? {
            return Err(malformed("it is longer than the batch"));
        }
        self.index += 1;
        Ok(Some(self.source.take(length)))
    }
}

/// A record as it lies there: the numbers and the places of the rest.
#[derive(Clone, Copy, Debug)]
pub(super) struct RecordFields<'a> {
    pub(super) timestamp_delta: i64,
    pub(super) offset_delta: i32,
    pub(super) key: Option<&'a [u8]>,
    pub(super) value: Option<&'a [u8]>,
    pub(super) header_count: i32,
    /// The headers, not looked at yet.
    pub(super) headers: &'a [u8],
}

impl<'a> RecordFields<'a> {
    /// Reads everything before the headers. The error says what is wrong.
    pub(super) fn read(mut input: &'a [u8]) -> Result<RecordFields<'a>, &'static str> {
        let input = &mut input;
        input.split_off_first().ok_or("it has no attributes")?;
        let timestamp_delta = take_varlong(input).ok_or("its timestamp is no varint")?;
        let offset_delta = take_varint(input).ok_or("its offset is no varint")?;
        let key = take_nullable(input)?;
        let value = take_nullable(input)?;
        let header_count = take_varint(input).ok_or("its header count is no varint")?;
        // Each header takes two bytes at least: a larger count is refused before anything is built from it.
        if !usize::try_from(header_count).is_ok_and(|count| count <= input.len() / 2) {
            return Err("its header count is impossible");
        }
        Ok(RecordFields {
            timestamp_delta,
            offset_delta,
            key,
            value,
            header_count,
            headers: input,
        })
    }

    /// How many headers there are; each takes two bytes at least, and they are there.
    fn headers_len(&self) -> usize {
        usize::try_from(self.header_count).unwrap_or(0)
    }

    /// Gives every header to `each`: key and value. They have to fill the record to its last byte.
    pub(super) fn for_each_header(
        &self,
        mut each: impl FnMut(&'a [u8], Option<&'a [u8]>),
    ) -> Result<(), &'static str> {
        let mut input = self.headers;
        for _ in 0..self.header_count {
            let key = take_nullable(&mut input)?.ok_or("a header has no key")?;
            each(key, take_nullable(&mut input)?);
        }
        if input.is_empty() {
            Ok(())
        } else {
            Err("its length goes beyond its fields")
        }
    }
}

fn take_nullable<'a>(input: &mut &'a [u8]) -> Result<Option<&'a [u8]>, &'static str> {
    let length = take_varint(input).ok_or("a length is no varint")?;
    if length == -1 {
        return Ok(None);
    }
    let length = usize::try_from(length).map_err(|_| "a length is negative")?;
    input
        .split_off(..length)
        .map(Some)
        .ok_or("a field goes beyond its end")
}

/// Memory for one header of a [`Record`].
const HEADER_BYTES: usize = size_of::<(Str, Option<Bytes>)>();

/// The records of a batch, see [`super::Batch::records`].
pub struct RecordIter {
    slices: RecordSlices,
    base_timestamp_ms: i64,
    /// With log append time every record has this timestamp.
    append_time_ms: Option<i64>,
    /// Also what the headers of one record may take: two bytes of it become [`HEADER_BYTES`].
    limit_bytes: usize,
    ended: bool,
}

impl RecordIter {
    pub(super) fn new(
        header: &BatchHeader,
        body: Bytes,
        limit_bytes: usize,
    ) -> Result<RecordIter, RecordsError> {
        Ok(RecordIter {
            slices: RecordSlices::new(header, body, limit_bytes)?,
            base_timestamp_ms: header.base_timestamp_ms,
            append_time_ms: header
                .attributes
                .is_log_append_time()
                .then_some(header.max_timestamp_ms),
            limit_bytes,
            ended: false,
        })
    }

    fn read(&mut self) -> Result<Option<Record>, RecordsError> {
        let body = self.slices.source.plain().cloned();
        let Some(slice) = self.slices.next()? else {
            return Ok(None);
        };
        // A plain record shares the batch's memory; an inflated one gets its own.
        let owned = body.map_or_else(|| Bytes::copy_from_slice(slice), |body| body.slice_ref(slice));
        let share = |field: &[u8]| owned.slice_ref(field);
        let malformed = |what| RecordsError::Malformed {
            index: self.slices.last_index(),
            what,
        };
        let fields = RecordFields::read(&owned).map_err(malformed)?;
        if fields.headers_len().saturating_mul(HEADER_BYTES) > self.limit_bytes {
            return Err(RecordsError::HeadersTooLarge {
                index: self.slices.last_index(),
                count: fields.header_count,
                limit_bytes: self.limit_bytes,
            });
        }
        let mut headers = Vec::with_capacity(fields.headers_len());
        fields
            .for_each_header(|key, value| {
                let key = Str::from_utf8(share(key))
                    .unwrap_or_else(|| String::from_utf8_lossy(key).into_owned().into());
                headers.push((key, value.map(share)));
            })
            .map_err(malformed)?;
        Ok(Some(Record {
            offset_delta: fields.offset_delta,
            timestamp_ms: self
                .append_time_ms
                .unwrap_or(self.base_timestamp_ms.wrapping_add(fields.timestamp_delta)),
            key: fields.key.map(share),
            value: fields.value.map(share),
            headers,
        }))
    }
}

impl Iterator for RecordIter {
    type Item = Result<Record, RecordsError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let record = self.read();
        self.ended = !matches!(record, Ok(Some(_)));
        record.transpose()
    }
}
