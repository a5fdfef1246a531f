//! The records of `__transaction_state`, in Kafka's own format.
//!
//! Key: type 0 as int16, then the transactional id. Value: version 1 as int16, then `TransactionLogValue`; null
//! deletes.

use bytes::Bytes;
use klamm_protocol::stored::transactions::{TransactionLogKey, TransactionLogValue};
use klamm_protocol::{DecodeError, Decoder, Message, Str};

use super::super::outbox::StoredRecord;
use super::super::records::{encode, read_value, take_version};

const TRANSACTION_KEY: i16 = 0;
const VALUE_VERSION: i16 = 1;

/// Writes the state of a transactional id, or with no value that it is gone.
pub(super) fn record(timestamp_ms: i64, id: &Str, value: Option<&TransactionLogValue>) -> StoredRecord {
    let key = TransactionLogKey {
        transactional_id: id.clone(),
    };
    StoredRecord {
        timestamp_ms,
        key: encode(&key, TRANSACTION_KEY, 0),
        value: value.map(|value| encode(value, VALUE_VERSION, VALUE_VERSION)),
    }
}

/// Reads a record; `None` for one of another type. What it gives shares nothing with the batch that it came in.
///
/// # Errors
/// When it is damaged.
pub(super) fn read(
    key: &Bytes,
    value: Option<&Bytes>,
) -> Result<Option<(Str, Option<TransactionLogValue>)>, DecodeError> {
    let mut key = Bytes::copy_from_slice(key);
    if take_version(&mut key)? != TRANSACTION_KEY {
        return Ok(None);
    }
    let key = TransactionLogKey::decode(&mut Decoder::new(key), 0)?;
    let value = value.map(|value| read_value(Bytes::copy_from_slice(value)));
    Ok(Some((key.transactional_id, value.transpose()?)))
}
