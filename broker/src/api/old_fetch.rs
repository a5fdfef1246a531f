//! Fetch of versions 0 to 3 (key 1): what consumers from before record batches are given.
//!
//! A job inflates the batches that were read and makes message sets of format 0 (versions 0 and 1) or 1 (2 and 3).
//! Headers have no place in them and are dropped, as Kafka drops them.

use klamm_protocol::record::legacy::{DownConversion, DownConvertError, Magic, down_convert};
use klamm_protocol::record::{Batches, INFLATE_LIMIT_BYTES};
use klamm_protocol::{ErrorCode, Records};

use crate::old_clients::Conversion;

/// From this version on, message sets have timestamps.
const MAGIC_1_SINCE: i16 = 2;

/// What was read for an old consumer.
pub(crate) struct OldRead {
    /// Of its Fetch.
    pub version: i16,
    /// The batches of each partition, and the offset that was asked for.
    pub partitions: Vec<(Records, i64)>,
    /// No further partition is converted once there is so much; the consumer asks again.
    pub most_bytes: usize,
}

/// What one partition's batches have become.
pub(crate) struct Converted {
    pub result: Result<Records, ErrorCode>,
    /// Where to read on when nothing in the batches was for the consumer.
    pub next_offset: i64,
    pub price: Conversion,
}

impl OldRead {
    /// Takes as long as it takes to inflate it all.
    pub fn convert(self) -> Vec<Converted> {
        let mut left_bytes = self.most_bytes;
        let mut any = false;
        let converted = self.partitions.into_iter().map(|(records, from_offset)| {
            if records.is_empty() || (any && left_bytes == 0) {
                return Converted {
                    result: Ok(Records::default()),
                    next_offset: from_offset,
                    price: Conversion::default(),
                };
            }
            let how = DownConversion {
                magic: if self.version >= MAGIC_1_SINCE {
                    Magic::V1
                } else {
                    Magic::V0
                },
                from_offset,
                most_bytes: records.len().min(left_bytes),
                inflate_limit_bytes: INFLATE_LIMIT_BYTES,
            };
            let converted = convert(&records, &how);
            let bytes = converted.result.as_ref().map_or(0, Records::len);
            left_bytes = left_bytes.saturating_sub(bytes);
            any |= bytes > 0;
            converted
        });
        converted.collect()
    }
}

fn convert(records: &Records, how: &DownConversion) -> Converted {
    let mut converted = Converted {
        result: Ok(Records::default()),
        next_offset: how.from_offset,
        price: Conversion::default(),
    };
    let mut parts = Vec::new();
    let mut bytes = 0;
    for batch in Batches::new(records.to_bytes()) {
        if bytes >= how.most_bytes && bytes > 0 {
            break;
        }
        let down = batch.map_err(|_| ErrorCode::CORRUPT_MESSAGE).and_then(|batch| {
            let header = *batch.header();
            let down = down_convert([batch], how).map_err(|error| code_of(&error))?;
            Ok((header, down))
        });
        let (header, down) = match down {
            Ok(done) => done,
            // What comes before it can be read; whoever asks for the rest is told.
            Err(_) if bytes > 0 => break,
            Err(code) => {
                converted.result = Err(code);
                return converted;
            }
        };
        converted.next_offset = how.from_offset.max(header.last_offset().saturating_add(1));
        converted.price.records += u64::try_from(header.record_count).unwrap_or(0);
        converted.price.bytes += header.total_size() as u64;
        bytes += down.len();
        parts.push(down);
    }
    converted.result = Ok(Records::from_parts(parts));
    converted
}

fn code_of(error: &DownConvertError) -> ErrorCode {
    match error {
        DownConvertError::Codec { .. } => ErrorCode::UNSUPPORTED_COMPRESSION_TYPE,
        DownConvertError::TooLarge { .. } => ErrorCode::MESSAGE_TOO_LARGE,
        DownConvertError::Records(_) => ErrorCode::CORRUPT_MESSAGE,
    }
}
