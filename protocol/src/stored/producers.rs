//! What a partition remembers of its producers: `.snapshot` files, `.txnindex` entries, transaction markers.

use crate::derive::{Message, Struct};

/// A `.snapshot` file: the producers of a partition at the offset in the file's name. An int16 version stands
/// before it; the CRC covers what follows it. (Kafka: `ProducerStateManager`.)
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "data", versions = "1")]
pub struct ProducerSnapshot {
    /// CRC-32C of the bytes from `producer_entries` on.
    pub crc: u32,
    /// The producers.
    pub producer_entries: Vec<ProducerEntry>,
}

/// A producer.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct ProducerEntry {
    /// Its id.
    pub producer_id: i64,
    /// Its epoch.
    pub epoch: i16,
    /// Sequence number of its last record.
    pub last_sequence: i32,
    /// Offset of its last record.
    pub last_offset: i64,
    /// Last minus first offset of its last batch.
    pub offset_delta: i32,
    /// Timestamp of its last batch, in milliseconds since 1970.
    pub timestamp: i64,
    /// Epoch of the coordinator that wrote its last transaction marker, -1 for none.
    pub coordinator_epoch: i32,
    /// First offset of its open transaction, -1 for none.
    pub current_txn_first_offset: i64,
}

/// An entry of a `.txnindex` file, all of 34 bytes with the int16 version before it. (Kafka: `TransactionIndex`.)
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "data", versions = "0")]
pub struct AbortedTxn {
    /// Who aborted.
    pub producer_id: i64,
    /// First offset of the transaction.
    pub first_offset: i64,
    /// Offset of its abort marker.
    pub last_offset: i64,
    /// Last stable offset once the marker was written.
    pub last_stable_offset: i64,
}

/// Value of a commit or abort marker. An int16 version stands before it.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "data", versions = "0")]
pub struct EndTxnMarker {
    /// Epoch of the coordinator that wrote it; an older one is refused.
    pub coordinator_epoch: i32,
}
