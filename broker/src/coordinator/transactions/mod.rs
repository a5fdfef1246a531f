//! The transaction coordinator: which transactional id belongs to which producer, what is in its transaction, and
//! whether that is committed (KIP-98, KIP-360, KIP-890).
//!
//! A pure state machine as the group coordinator is one, with a shard for each partition of `__transaction_state`.
//! Kafka: `TransactionCoordinator`, `TransactionStateManager`, `TransactionMetadata`.
//!
//! ```text
//!            partitions are added           EndTxn, time is up, or
//!                                           a newer producer comes            all markers are written
//!  Empty ────────────────────────► Ongoing ────────────────────────► Prepare ────────────────────────► Complete
//!                                     ▲                          Commit / Abort                     Commit / Abort
//!                                     └───────────────────────────────────────────────────────────────────┘
//! ```
//! The decision falls with the record of Prepare: once that is committed, the markers go out, again and again
//! until every partition has its own.
//!
//! Kafka holds a state that is not committed yet in a field of its own and refuses requests meanwhile. Here the
//! state is the new one at once and answers wait: see the invariant in [`super`].

mod interface;
mod records;
mod runtime;
mod shard;
mod transaction;

pub(crate) use interface::{
    AddPartitions, Enlist, Enlisted, Markers, Origin, Output, ProducerIdSource, TransactionRequest,
    TransactionResponse, no_producer_id,
};
pub(crate) use runtime::{TransactionCoordinator, TransactionsConfig};
