//! The group coordinator: who is in which group, who gets which partitions, and what was consumed.
//!
//! Pure state machines. A [`Coordinator`] holds one shard for each partition of `__consumer_offsets` that this
//! broker leads; requests and time go in, batches to append and answers come out. It knows neither the log
//! nor connections nor clocks. Its groups are those of the classic protocol, as in Kafka 4.4
//! (`org.apache.kafka.coordinator.group.classic`).
//!
//! Read on in `rebalance` for the life of a group, in `outbox` for when answers leave, in `records` for what
//! lies in the log.
//!
//! Invariant: a shard changes its groups as soon as it produces a record, and nobody hears of it before the
//! record is committed. When that fails, the shard is dropped and loaded again from the log.

mod administration;
mod config;
mod gather;
mod group;
mod interface;
mod membership;
mod offsets;
mod outbox;
mod rebalance;
mod records;
mod runtime;
mod shard;
mod shards;
mod subscription;
mod timers;
pub(crate) mod transactions;

#[cfg(test)]
mod tests;

pub use config::{CoordinatorConfig, partition_of_key};
pub use interface::{Caller, GroupRequest, GroupResponse, Output, Topics};
pub(crate) use offsets::plan_transactional_commit;
pub use runtime::Coordinator;
pub(crate) use shards::{LoadId, Sharded};
