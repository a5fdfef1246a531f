//! `__transaction_state`: transactional ids (KIP-98). Framed as told in `offsets`.

use crate::Str;
use crate::derive::{Message, Struct};

/// Names a transactional id.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "data", key = 0, versions = "0")]
pub struct TransactionLogKey {
    /// The transactional id.
    pub transactional_id: Str,
}

/// The state of a transactional id. Version 1 where `transaction.version` is at least 1 (KIP-890).
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "data", key = 0, versions = "0-1", flexible = "1+")]
pub struct TransactionLogValue {
    /// The producer's id.
    pub producer_id: i64,
    /// The id that it had in the last transaction that it committed, -1 for none.
    #[field(versions = "1+", tag = 0, tagged = "1+", default = "-1")]
    pub previous_producer_id: i64,
    /// The id that it will have, where epochs ran out; -1 for none.
    #[field(versions = "1+", tag = 1, tagged = "1+", default = "-1")]
    pub next_producer_id: i64,
    /// The producer's epoch.
    pub producer_epoch: i16,
    /// The epoch that goes with `next_producer_id`, -1 for none.
    #[field(versions = "1+", tag = 3, tagged = "1+", default = "-1")]
    pub next_producer_epoch: i16,
    /// After how many milliseconds a transaction is aborted.
    pub transaction_timeout_ms: i32,
    /// 0 empty, 1 ongoing, 2 to be committed, 3 to be aborted, 4 committed, 5 aborted, 6 dead, 7 to be fenced.
    pub transaction_status: i8,
    /// Partitions in the transaction, by topic; null for none.
    #[field(nullable = "0+")]
    pub transaction_partitions: Option<Vec<PartitionsSchema>>,
    /// When the state last changed, in milliseconds since 1970.
    pub transaction_last_update_timestamp_ms: i64,
    /// When the transaction began, in milliseconds since 1970; -1 for none.
    pub transaction_start_timestamp_ms: i64,
    /// Level of `transaction.version` that the client goes by.
    #[field(versions = "1+", tag = 2, tagged = "1+", default = "0")]
    pub client_transaction_version: i16,
}

/// Partitions of a topic.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct PartitionsSchema {
    /// The topic.
    pub topic: Str,
    /// The partitions.
    pub partition_ids: Vec<i32>,
}
