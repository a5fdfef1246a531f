//! What a log asks of the disk, and who does it.
//!
//! A [`Log`](crate::Log) never touches the disk: it hands out [`LaneJob`]s and takes [`LaneDone`]s back, exactly
//! one for each. [`run`] executes jobs in order and decides nothing. Each log directory has one [`Lane`]: a writer
//! that takes everything queued and writes each file once, and flushers for all that may take long. The
//! simulator calls [`run`] itself, whenever it likes.

mod append;
mod threads;
mod upkeep;

pub(crate) use append::{AppendJob, IndexPart};
pub use threads::Lane;
pub(crate) use upkeep::{
    DeleteJob, EPOCHS_FILE, FlushJob, RECOVERY_BOUND_FILE, RemoveJob, TruncateJob, Truncated,
};

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use thiserror::Error;

use crate::LogKey;
use crate::compaction::{Merged, SwapJob};
use crate::files::Directory;
use crate::sys::{Fs, is_no_room};

/// Flushers of a lane. Where a disk is asked to sync many files at the same time, each waits little longer than it would
/// alone: `docs/performance.md` has what that comes to.
const FLUSHERS: usize = 8;

/// Threads of a lane: a writer and the flushers.
pub const THREADS: usize = 1 + FLUSHERS;

/// Something to be done on a disk for one log.
pub struct LaneJob {
    pub(crate) key: LogKey,
    pub(crate) generation: u64,
    pub(crate) work: Work,
}

pub(crate) enum Work {
    Append(AppendJob),
    Flush(FlushJob),
    Truncate(Box<TruncateJob>),
    Delete(DeleteJob),
    Remove(RemoveJob),
    Swap(SwapJob),
    /// The recovery point on disk is no longer wrong: the bound that a truncation set may go.
    Unbind(Arc<Directory>),
}

impl LaneJob {
    /// The log it is for.
    pub fn key(&self) -> LogKey {
        self.key
    }

    /// Bytes of record data that it holds in memory.
    pub fn bytes(&self) -> usize {
        match &self.work {
            Work::Append(job) => job.bytes(),
            _ => 0,
        }
    }

    /// Which thread of the lane does it, below [`THREADS`]: the writer (0), or the log's flusher when it may wait long
    /// for the disk, and nothing has to wait for it.
    pub fn thread(&self) -> usize {
        if matches!(self.work, Work::Append(_)) {
            return 0;
        }
        // The partitions of a topic are spread evenly.
        let topic = usize::from(self.key.topic_id.0.0[0]);
        let partition = usize::try_from(self.key.partition).unwrap_or_default();
        1 + (topic + partition) % FLUSHERS
    }

    /// Has the disk begin with a flush that is to be waited for later.
    pub(crate) fn start(&self, fs: &dyn Fs) {
        if let Work::Flush(job) = &self.work {
            job.start(fs);
        }
    }

    /// Whether it has to be alone: everything of its log before it is done, everything behind it waits. A swap need
    /// not: it comes between other work of the flusher, and appends do not touch its segments.
    pub(crate) fn is_barrier(&self) -> bool {
        matches!(self.work, Work::Truncate(_) | Work::Remove(_))
    }
}

/// What became of a [`LaneJob`].
#[derive(Debug)]
pub struct LaneDone {
    pub(crate) key: LogKey,
    pub(crate) generation: u64,
    pub(crate) outcome: Outcome,
}

#[derive(Debug)]
pub(crate) enum Outcome {
    /// The bytes up to `end_offset` are in the page cache; the segment has `size` bytes.
    Written {
        base_offset: i64,
        size: u64,
        end_offset: i64,
    },
    /// The bytes up to `end_offset` are durable.
    Synced {
        end_offset: i64,
        /// The largest offset whose producer snapshot was written, if any was.
        snapshots_to: Option<i64>,
    },
    Truncated(Box<Truncated>),
    Deleted,
    /// Compacted segments are in place, and whether these are all of them.
    Swapped(Vec<Merged>, bool),
    Removed,
    Unbound,
    /// There was no room on the disk. Nothing is wrong that doing it again, when there is, does not put right.
    PutOff {
        work: Work,
        error: LaneError,
    },
    Failed {
        task: Task,
        error: LaneError,
    },
}

/// Which kind of job failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Task {
    Append {
        /// The base offset of the segment.
        base_offset: i64,
    },
    Other,
}

impl std::fmt::Debug for Work {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Work::Append(_) => "append",
            Work::Flush(_) => "flush",
            Work::Truncate(_) => "truncate",
            Work::Delete(_) => "delete",
            Work::Remove(_) => "remove",
            Work::Swap(_) => "swap",
            Work::Unbind(_) => "unbind",
        })
    }
}

impl LaneDone {
    /// The log it is for.
    pub fn key(&self) -> LogKey {
        self.key
    }

    /// The error, when the job failed. [`LaneError::Disk`] is about the disk and not only about this log.
    pub fn error(&self) -> Option<&LaneError> {
        match &self.outcome {
            Outcome::Failed { error, .. } | Outcome::PutOff { error, .. } => Some(error),
            _ => None,
        }
    }
}

/// Why a job failed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum LaneError {
    /// No room on the disk, or no descriptor left: an append is not in the log, later ones may succeed; whatever
    /// else it was waits for [`Log::retry`](crate::Log::retry).
    #[error("no room: {0}")]
    NoRoom(String),
    /// An append before this one failed.
    #[error("an append before this one failed")]
    Predecessor,
    /// The disk does not do what it should. What was not synced may be lost; nothing is tried again.
    #[error("disk error: {0}")]
    Disk(String),
}

impl LaneError {
    pub(crate) fn of(error: &io::Error, path: &std::path::Path) -> LaneError {
        let text = format!("{}: {error}", path.display());
        if is_no_room(error) {
            LaneError::NoRoom(text)
        } else {
            LaneError::Disk(text)
        }
    }
}

/// Executes jobs in order, one answer for each, in order for each log. Appends to one file become one write.
pub fn run(fs: &Arc<dyn Fs>, jobs: Vec<LaneJob>) -> Vec<LaneDone> {
    let fs = &**fs;
    let mut dones = Vec::with_capacity(jobs.len());
    let mut appends: BTreeMap<(LogKey, i64), Vec<(u64, AppendJob)>> = BTreeMap::new();
    for LaneJob {
        key,
        generation,
        work,
    } in jobs
    {
        if let Work::Append(job) = work {
            appends
                .entry((key, job.base_offset()))
                .or_default()
                .push((generation, job));
            continue;
        }
        let earlier: Vec<_> = appends
            .extract_if((key, i64::MIN)..=(key, i64::MAX), |_, _| true)
            .collect();
        for (_, jobs) in earlier {
            append::run(fs, key, jobs, &mut dones);
        }
        let outcome = match work {
            Work::Append(_) => unreachable!("taken above"),
            work => upkeep::run(fs, work),
        };
        dones.push(LaneDone {
            key,
            generation,
            outcome,
        });
    }
    for ((key, _), jobs) in appends {
        append::run(fs, key, jobs, &mut dones);
    }
    dones
}
