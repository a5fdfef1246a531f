//! One partition's log: it knows batches and offsets, no replicas and no clients.

pub mod sys;
