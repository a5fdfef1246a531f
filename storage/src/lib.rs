//! One partition's log: it knows batches and offsets, no replicas and no clients.
//!
//! [`Log`] is a core: appends and reads are decided in memory, and what the disk has to do leaves as
//! [`LaneJob`](lane::LaneJob)s for the log directory's [`lane`]. The files are Kafka's own; `docs/formats.md`
//! draws them. Every touch of a disk goes through [`sys`].
//!
//! Read on in [`log`], then in `recovery` for what a crash leaves and in [`log_dir`] for what lies around logs.

pub mod bug;
pub mod checkpoint;
mod compaction;
mod epochs;
mod files;
mod index;
pub mod lane;
pub mod log;
pub mod log_dir;
mod producers;
mod recovery;
mod replay;
mod scan;
mod segment;
mod sidecars;
pub mod sys;
mod tail;
mod transactions;

pub use compaction::{CompactJob, Compacted};
pub use epochs::LeaderEpochs;
pub use files::OpenFiles;
pub use lane::{LaneDone, LaneError, LaneJob};
pub use log::{
    AbortedJob, AppendError, Appended, Extents, Found, Log, LogConfig, Lookup, LookupJob, OpenOptions,
    Progress, Read, ReadError, ReadJob,
};
pub use producers::{ProducerCheck, ProducerError, ProducerState};
pub use recovery::OpenError;
pub use tail::Tail;
pub use transactions::AbortedTransaction;

use klamm_protocol::ids::TopicId;

/// Which log: what everything inside is keyed by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LogKey {
    /// The topic.
    pub topic_id: TopicId,
    /// The partition, from 0.
    pub partition: i32,
}

impl std::fmt::Display for LogKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}-{}", self.topic_id, self.partition)
    }
}
