//! Fetch of versions 0 to 3 (key 1): what consumers from before record batches are given.
//!
//! Pure, and run in the connection's task: batches are inflated here and become message sets of format 0 (versions
//! 0 and 1) or 1 (2 and 3). Headers have no place in them and are dropped, as Kafka drops them.

use klamm_protocol::messages::fetch::{FetchResponse, PartitionData};
use klamm_protocol::record::legacy::{DownConversion, DownConvertError, Magic, down_convert};
use klamm_protocol::record::{Batches, INFLATE_LIMIT_BYTES};
use klamm_protocol::{ErrorCode, Records};

/// From this version on, message sets have timestamps.
const MAGIC_1_SINCE: i16 = 2;

/// The answer with message sets in place of batches. `offsets` are those asked for, in the order of the answer's
/// partitions.
pub(crate) fn convert(response: &FetchResponse, offsets: &[i64], version: i16) -> FetchResponse {
    let mut response = response.clone();
    let partitions = response
        .responses
        .iter_mut()
        .flat_map(|topic| &mut topic.partitions);
    for (partition, from_offset) in partitions.zip(offsets) {
        let records = partition.records.take().unwrap_or_default();
        match convert_records(&records, *from_offset, version) {
            Ok(converted) => partition.records = Some(converted),
            Err(error_code) => {
                *partition = PartitionData {
                    partition_index: partition.partition_index,
                    error_code,
                    high_watermark: -1,
                    records: Some(Records::default()),
                    ..PartitionData::default()
                };
            }
        }
    }
    response
}

fn convert_records(records: &Records, from_offset: i64, version: i16) -> Result<Records, ErrorCode> {
    let how = DownConversion {
        magic: if version >= MAGIC_1_SINCE {
            Magic::V1
        } else {
            Magic::V0
        },
        from_offset,
        most_bytes: records.len(),
        inflate_limit_bytes: INFLATE_LIMIT_BYTES,
    };
    let batches: Result<Vec<_>, _> = Batches::new(records.to_bytes()).collect();
    let batches = batches.map_err(|_| ErrorCode::CORRUPT_MESSAGE)?;
    match down_convert(batches, &how) {
        Ok(bytes) => Ok(Records::from(bytes)),
        Err(DownConvertError::Codec { .. }) => Err(ErrorCode::UNSUPPORTED_COMPRESSION_TYPE),
        Err(DownConvertError::TooLarge { .. }) => Err(ErrorCode::MESSAGE_TOO_LARGE),
        Err(DownConvertError::Records(_)) => Err(ErrorCode::CORRUPT_MESSAGE),
    }
}
