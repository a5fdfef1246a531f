//! Control records: what brokers tell each other through a log. Consumers skip them.
//!
//! ```text
//! key    version i16, type i16
//! value  of type 0 (abort) and 1 (commit): version i16, coordinator epoch i32
//! ```
//! The types above 1 belong to the metadata log of KRaft, which Klamm does not write.

use bytes::{Buf, Bytes};
use thiserror::Error;

use super::{Batch, BatchBuilder, Compression, RecordsError};

/// What a control record says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ControlRecord {
    /// The end of a transaction of the batch's producer id and epoch (KIP-98).
    EndTransaction {
        /// Committed, or aborted.
        commit: bool,
        /// The epoch of the transaction coordinator that decided; older ones are refused.
        coordinator_epoch: i32,
    },
    /// A type that says nothing to a partition's log.
    Other {
        /// Its number.
        kind: i16,
    },
}

/// Why a control batch makes no sense.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ControlError {
    /// The record cannot be read.
    #[error(transparent)]
    Records(#[from] RecordsError),
    /// Not exactly one record, or the batch is no control batch.
    #[error("a control batch holds one control record")]
    NotOne,
    /// Key or value is too short or of a version below 0.
    #[error("the control record's {0} is malformed")]
    Malformed(&'static str),
}

/// A control record is this small: nobody inflates more for one.
const CONTROL_LIMIT_BYTES: usize = 4 * 1024;

impl ControlRecord {
    /// Reads the one record of a control batch.
    ///
    /// # Errors
    /// All of [`ControlError`].
    pub fn of(batch: &Batch) -> Result<ControlRecord, ControlError> {
        let mut records = batch.records(CONTROL_LIMIT_BYTES)?;
        let (Some(record), None) = (records.next().transpose()?, records.next().transpose()?) else {
            return Err(ControlError::NotOne);
        };
        if !batch.header().is_control() {
            return Err(ControlError::NotOne);
        }
        let kind = read_kind(record.key).ok_or(ControlError::Malformed("key"))?;
        if kind > 1 {
            return Ok(ControlRecord::Other { kind });
        }
        let coordinator_epoch =
            read_coordinator_epoch(record.value).ok_or(ControlError::Malformed("value"))?;
        Ok(ControlRecord::EndTransaction {
            commit: kind == 1,
            coordinator_epoch,
        })
    }
}

/// The marker that ends a transaction.
pub fn end_transaction(
    timestamp_ms: i64,
    producer_id: i64,
    producer_epoch: i16,
    commit: bool,
    coordinator_epoch: i32,
) -> Batch {
    let mut value = [0; 6];
    value[2..].copy_from_slice(&coordinator_epoch.to_be_bytes());
    let mut batch = BatchBuilder::new(Compression::None);
    batch
        .producer(producer_id, producer_epoch, super::NO_SEQUENCE)
        .transactional()
        .control()
        .append(timestamp_ms, Some(&[0, 0, 0, u8::from(commit)]), Some(&value));
    batch.finish()
}

fn read_kind(key: Option<Bytes>) -> Option<i16> {
    let mut key = key?;
    let version = key.try_get_i16().ok()?;
    key.try_get_i16().ok().filter(|_| version >= 0)
}

fn read_coordinator_epoch(value: Option<Bytes>) -> Option<i32> {
    let mut value = value?;
    let version = value.try_get_i16().ok()?;
    value.try_get_i32().ok().filter(|_| version >= 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transaction_marker_comes_back() {
        for commit in [false, true] {
            let batch = end_transaction(17, 4711, 3, commit, 9);
            let header = batch.header();
            assert!(header.is_control() && header.is_transactional());
            assert_eq!(
                (header.producer_id, header.producer_epoch, header.base_sequence),
                (4711, 3, -1)
            );
            let expected = ControlRecord::EndTransaction {
                commit,
                coordinator_epoch: 9,
            };
            assert_eq!(ControlRecord::of(&batch), Ok(expected));
        }
    }

    #[test]
    fn an_ordinary_batch_is_no_control_record() {
        let mut batch = BatchBuilder::new(Compression::None);
        batch.append(0, Some(&[0, 0, 0, 1]), Some(&[0; 6]));
        assert_eq!(ControlRecord::of(&batch.finish()), Err(ControlError::NotOne));
    }
}
