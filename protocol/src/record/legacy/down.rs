//! Record batches become a message set for an old consumer (Kafka: `RecordsUtil`).

use bytes::{BufMut, Bytes};
use thiserror::Error;

use super::{LOG_APPEND_TIME, LOG_OVERHEAD, Magic, crc32, lz4_frame};
use crate::record::{Batch, Compression, Record, RecordsError};

/// How far a conversion goes.
#[derive(Clone, Copy, Debug)]
pub struct DownConversion {
    /// The format that the consumer knows: 0 for Fetch 0 and 1, 1 for Fetch 2 and 3.
    pub magic: Magic,
    /// The offset that was asked for. Plain records before it are left out; what lies before it in a wrapper is
    /// left to the consumer, who has always had to skip it.
    pub from_offset: i64,
    /// No further batch is begun once there is so much output. The first one is always converted.
    pub most_bytes: usize,
    /// The most that one batch may inflate to, and the most that its messages may take: 34 bytes stand around
    /// each of them, so that small records grow.
    pub inflate_limit_bytes: usize,
}

/// Why batches cannot be given to an old consumer.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum DownConvertError {
    /// No consumer of format 0 or 1 knows this codec (UNSUPPORTED_COMPRESSION_TYPE).
    #[error("{codec} does not exist in the old formats")]
    Codec {
        /// The batch's codec.
        codec: Compression,
    },
    /// The messages of one batch take more than the limit (MESSAGE_TOO_LARGE).
    #[error("the messages of one batch take more than {limit_bytes} bytes")]
    TooLarge {
        /// The limit that was given.
        limit_bytes: usize,
    },
    /// The log holds what cannot be read (CORRUPT_MESSAGE).
    #[error(transparent)]
    Records(#[from] RecordsError),
}

/// Makes a message set of batches, keeping offsets, timestamps and codecs. Headers are dropped, and so are
/// control batches: the result may be empty although the log goes on, and then the caller has to read on,
/// because the consumer would ask for the same offset again.
///
/// # Errors
/// All of [`DownConvertError`].
pub fn down_convert(
    batches: impl IntoIterator<Item = Batch>,
    how: &DownConversion,
) -> Result<Bytes, DownConvertError> {
    let mut out = Vec::new();
    for batch in batches {
        if !out.is_empty() && out.len() >= how.most_bytes {
            break;
        }
        if !batch.header().is_control() {
            convert(&batch, how, &mut out)?;
        }
    }
    Ok(Bytes::from(out))
}

fn convert(batch: &Batch, how: &DownConversion, out: &mut Vec<u8>) -> Result<(), DownConvertError> {
    let header = batch.header();
    let id = header.attributes.codec_id();
    let codec = header.compression().ok_or(RecordsError::UnknownCodec { id })?;
    if codec == Compression::Zstd {
        return Err(DownConvertError::Codec { codec });
    }
    let append_time = if header.attributes.is_log_append_time() {
        LOG_APPEND_TIME
    } else {
        0
    };
    let plain = codec == Compression::None;
    let mut set = Vec::new();
    let mut last_delta = None;
    for record in batch.records(how.inflate_limit_bytes)? {
        let record = record?;
        let delta = i64::from(record.offset_delta);
        let offset = header.base_offset.saturating_add(delta);
        if plain && offset < how.from_offset {
            continue;
        }
        let relative = !plain && how.magic == Magic::V1;
        put(
            &mut set,
            how.magic,
            append_time,
            if relative { delta } else { offset },
            &record,
        );
        if set.len() > how.inflate_limit_bytes {
            return Err(DownConvertError::TooLarge {
                limit_bytes: how.inflate_limit_bytes,
            });
        }
        last_delta = Some(delta);
    }
    if plain {
        out.append(&mut set);
        return Ok(());
    }
    // Compaction may have left nothing in the batch.
    let Some(last_delta) = last_delta else {
        return Ok(());
    };
    let mut value = codec.compress(&set);
    if codec == Compression::Lz4 && how.magic == Magic::V0 {
        lz4_frame::spoil(&mut value);
    }
    let wrapper = Record {
        offset_delta: 0,
        timestamp_ms: header.max_timestamp_ms,
        key: None,
        value: Some(Bytes::from(value)),
        headers: Vec::new(),
    };
    let attributes = codec.id().cast_signed() | append_time;
    put(
        out,
        how.magic,
        attributes,
        header.base_offset.saturating_add(last_delta),
        &wrapper,
    );
    Ok(())
}

pub(super) fn put(out: &mut Vec<u8>, magic: Magic, attributes: i8, offset: i64, record: &Record) {
    let start = out.len();
    out.put_i64(offset);
    out.put_i32(0);
    out.put_u32(0);
    out.put_i8(magic.byte());
    match magic {
        // Format 0 knows no timestamps, so no type of them either.
        Magic::V0 => out.put_i8(attributes & !LOG_APPEND_TIME),
        Magic::V1 => {
            out.put_i8(attributes);
            out.put_i64(record.timestamp_ms);
        }
    }
    put_nullable(out, record.key.as_deref());
    put_nullable(out, record.value.as_deref());
    let size = length(out.len() - start - LOG_OVERHEAD);
    let crc = crc32(&out[start + LOG_OVERHEAD + 4..]);
    out[start + 8..start + 12].copy_from_slice(&size.to_be_bytes());
    out[start + 12..start + 16].copy_from_slice(&crc.to_be_bytes());
}

fn put_nullable(out: &mut Vec<u8>, field: Option<&[u8]>) {
    match field {
        None => out.put_i32(-1),
        Some(field) => {
            out.put_i32(length(field.len()));
            out.put_slice(field);
        }
    }
}

fn length(length: usize) -> i32 {
    i32::try_from(length).expect("a record comes from a batch, which is shorter than 2 GiB, within a limit")
}
