//! Work that may block: what the core wants done on other threads, and what comes back.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use klamm_protocol::Str;
use klamm_storage::log_dir::{Checkpoint, FoundLog, LogDir};
use klamm_storage::sys::{Fs, Space, is_no_room};
use klamm_storage::{
    AbortedJob, AbortedTransaction, CompactJob, Compacted, Extents, Log, LogKey, LookupJob, OpenError,
    OpenOptions, ReadError, ReadJob,
};

use crate::api::old_fetch::{Converted, OldRead};
use crate::disks::{LogName, Points};
use crate::preparation::{Patient, Prepared, treat_all};
use crate::{ConnectionId, LaneId};

/// Something that may take long. It touches only the log directory of its lane.
pub enum Job {
    /// Open or recover a log.
    OpenLog(OpenLog),
    /// Read what is not in memory.
    Read(ReadLogs),
    /// Find the aborted transactions that a reader has to leave out.
    FindAborted(FindAborted),
    /// Look offsets up.
    LookUp(LookUpOffsets),
    /// Prepare produced batches for their topics.
    Prepare(PrepareBatches),
    /// Make message sets of batches.
    Convert(ConvertRecords),
    /// Write the checkpoints of a directory.
    WriteCheckpoints(WriteCheckpoints),
    /// Write into a directory which cluster it belongs to.
    Identify(LaneId, Arc<LogDir>, String),
    /// Compact a log's old segments.
    Compact(CompactLog),
    /// Look how much room there is in a directory, for what waits under this number.
    Measure(u64, LaneId, PathBuf),
    /// Put aside a log that no topic owns.
    SetStray(LaneId, Arc<LogDir>, FoundLog),
    /// Remove a log that is not open.
    RemoveLog(RemoveLog),
    /// Look whether a directory is still there, and has room.
    LookAfter(LookAfter),
    /// Give back the reserve of a directory, but for so many bytes.
    GiveReserve(LaneId, Arc<LogDir>, u64),
}

/// See [`Job::OpenLog`].
pub struct OpenLog {
    pub(crate) key: LogKey,
    pub(crate) name: LogName,
    pub(crate) lane: LaneId,
    pub(crate) dir: Arc<LogDir>,
    pub(crate) options: OpenOptions,
}

/// See [`Job::RemoveLog`].
pub struct RemoveLog {
    pub(crate) lane: LaneId,
    pub(crate) dir: Arc<LogDir>,
    pub(crate) name: LogName,
    pub(crate) key: LogKey,
}

/// See [`Job::LookAfter`].
pub struct LookAfter {
    pub(crate) lane: LaneId,
    pub(crate) dir: Arc<LogDir>,
    /// What is to be taken of the disk, if there is room.
    pub(crate) reserve: Option<Reserve>,
}

/// Bytes that are kept back on a disk.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reserve {
    /// So many are.
    pub held: u64,
    /// So many are to be.
    pub wanted: u64,
}

/// See [`Job::Compact`].
pub struct CompactLog {
    pub(crate) key: LogKey,
    pub(crate) lane: LaneId,
    pub(crate) job: CompactJob,
}

/// See [`Job::Read`].
pub struct ReadLogs {
    id: u64,
    lane: LaneId,
    reads: Vec<ReadJob>,
}

/// See [`Job::FindAborted`].
pub struct FindAborted {
    pub(crate) id: u64,
    pub(crate) lane: LaneId,
    pub(crate) jobs: Vec<AbortedJob>,
}

/// See [`JobDone::FoundAborted`].
pub struct FoundAborted {
    pub(crate) id: u64,
    pub(crate) results: Vec<Result<Vec<AbortedTransaction>, ReadFailure>>,
    pub(crate) troubles: Vec<(LogKey, Trouble)>,
}

/// See [`Job::LookUp`].
pub struct LookUpOffsets {
    id: u64,
    lane: LaneId,
    lookups: Vec<LookupJob>,
}

/// See [`Job::Prepare`].
pub struct PrepareBatches {
    id: u64,
    connection: ConnectionId,
    patients: Vec<Patient>,
}

/// See [`Job::Convert`].
pub struct ConvertRecords {
    id: u64,
    read: OldRead,
}

/// See [`Job::WriteCheckpoints`].
pub struct WriteCheckpoints {
    pub(crate) lane: LaneId,
    pub(crate) dir: Arc<LogDir>,
    /// What the checkpoints said about logs that are not open yet.
    pub(crate) unopened: Arc<BTreeMap<LogName, Points>>,
    /// What the open logs say of themselves: topic, partition and points.
    pub(crate) open: Vec<(Str, i32, Points)>,
    /// Logs that wait for their recovery point to be on the disk.
    pub(crate) bounded: Vec<(LogKey, i64)>,
    /// What the points say is durable only once the whole directory was synced.
    pub(crate) sync_first: bool,
    /// The broker epoch to leave behind in the marker of a clean shutdown.
    pub(crate) clean: Option<i64>,
}

/// What a job gave.
pub enum JobDone {
    /// A log was opened, or could not be.
    Opened(Box<Opened>),
    /// Records were read.
    Read(ReadDone),
    /// Aborted transactions were looked for.
    FoundAborted(FoundAborted),
    /// Offsets were looked up.
    LookedUp(LookUpDone),
    /// Batches are ready for their topics.
    Prepared(PrepareDone),
    /// Message sets for a consumer.
    Converted(ConvertDone),
    /// The checkpoints of a directory were written, or could not be.
    Checkpointed(LaneId, io::Result<Vec<(LogKey, i64)>>),
    /// A log's old segments were written anew, or could not be.
    Compacted(LogKey, io::Result<Compacted>),
    /// How much room there is in a directory.
    Measured(u64, LaneId, io::Result<Space>),
    /// A log that no topic owns was put aside, or could not be.
    PutAside(LaneId, FoundLog, io::Result<()>),
    /// The files of a log are gone, or could not be removed.
    LogRemoved(LaneId, LogName, io::Result<()>),
    /// A directory was looked after. Whether its reserve is taken, where that was asked for.
    LookedAfter(LaneId, Option<bool>, io::Result<()>),
    /// Part of a reserve was given back.
    ReserveGiven(LaneId, io::Result<()>),
    /// Something that nobody waits for was done, or could not be.
    Done(LaneId, io::Result<()>),
}

/// See [`JobDone::Prepared`].
pub struct PrepareDone {
    pub(crate) id: u64,
    pub(crate) connection: ConnectionId,
    pub(crate) prepared: Vec<Prepared>,
    took_us: u64,
}

/// See [`JobDone::Converted`].
pub struct ConvertDone {
    pub(crate) id: u64,
    pub(crate) results: Vec<Converted>,
    took_us: u64,
}

impl PrepareDone {
    /// How long it took, where somebody measured that.
    pub(crate) fn took_us(&self) -> u64 {
        self.took_us
    }
}

impl ConvertDone {
    /// How long it took, where somebody measured that.
    pub(crate) fn took_us(&self) -> u64 {
        self.took_us
    }
}

impl JobDone {
    /// Notes how long the job took: of conversions, somebody will ask.
    pub fn set_took_us(&mut self, us: u64) {
        match self {
            JobDone::Prepared(done) => done.took_us = us,
            JobDone::Converted(done) => done.took_us = us,
            _ => {}
        }
    }
}

/// Which jobs stand in for each other: of each kind only so many run at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum JobKind {
    /// Those that touch a log directory. One that stalls must not use up the threads that others need.
    Disk(LaneId),
    /// Those that only compute. Each may take some hundred MiB while it runs, and a processor for seconds.
    Compute,
}

/// See [`JobDone::Opened`].
pub struct Opened {
    pub(crate) key: LogKey,
    pub(crate) name: LogName,
    pub(crate) lane: LaneId,
    pub(crate) result: Result<Log, OpenError>,
    /// The job, where it can be done as soon as there is room.
    pub(crate) postponed: Option<OpenLog>,
}

/// See [`JobDone::Read`].
pub struct ReadDone {
    pub(crate) id: u64,
    pub(crate) results: Vec<Result<Extents, ReadFailure>>,
    pub(crate) troubles: Vec<(LogKey, Trouble)>,
}

/// What a read has found out about a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// It is damaged; where, and how.
    Damaged(String),
    /// Its disk does not give what lies there.
    Disk(String),
}

/// Why nothing was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ReadFailure {
    /// The log has changed under the read: whoever asks again gets something else.
    Gone,
    /// The disk does not give what lies there, or something else lies there.
    Disk,
}

impl ReadFailure {
    fn of(error: &ReadError, key: LogKey, troubles: &mut Vec<(LogKey, Trouble)>) -> ReadFailure {
        match error {
            ReadError::Gone => return ReadFailure::Gone,
            ReadError::Damaged { .. } => troubles.push((key, Trouble::Damaged(error.to_string()))),
            // Some other time there may be a descriptor.
            ReadError::Io(io) if is_no_room(io) => {}
            ReadError::Io(_) => troubles.push((key, Trouble::Disk(error.to_string()))),
            ReadError::OutOfRange { .. } | ReadError::Offline(_) => {}
        }
        ReadFailure::Disk
    }
}

/// See [`JobDone::LookedUp`].
pub struct LookUpDone {
    pub(crate) id: u64,
    pub(crate) results: Vec<Result<FoundOffset, ReadFailure>>,
    pub(crate) troubles: Vec<(LogKey, Trouble)>,
}

/// An offset, and the timestamp and leader epoch of its record; -1 for what is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FoundOffset {
    pub timestamp_ms: i64,
    pub offset: i64,
    pub leader_epoch: i32,
}

impl FoundOffset {
    pub const NOTHING: FoundOffset = FoundOffset {
        timestamp_ms: -1,
        offset: -1,
        leader_epoch: -1,
    };
}

impl From<Option<klamm_storage::Found>> for FoundOffset {
    fn from(found: Option<klamm_storage::Found>) -> FoundOffset {
        found.map_or(FoundOffset::NOTHING, |found| FoundOffset {
            timestamp_ms: found.timestamp_ms,
            offset: found.offset,
            leader_epoch: found.leader_epoch,
        })
    }
}

impl Job {
    pub(crate) fn look_up(id: u64, lane: LaneId, lookups: Vec<LookupJob>) -> Job {
        Job::LookUp(LookUpOffsets { id, lane, lookups })
    }

    pub(crate) fn read(id: u64, lane: LaneId, reads: Vec<ReadJob>) -> Job {
        Job::Read(ReadLogs { id, lane, reads })
    }

    pub(crate) fn convert(id: u64, read: OldRead) -> Job {
        Job::Convert(ConvertRecords { id, read })
    }

    pub(crate) fn prepare(id: u64, connection: ConnectionId, patients: Vec<Patient>) -> Job {
        Job::Prepare(PrepareBatches {
            id,
            connection,
            patients,
        })
    }

    /// Whom it takes the place of.
    pub fn kind(&self) -> JobKind {
        JobKind::Disk(match self {
            Job::Prepare(_) | Job::Convert(_) => return JobKind::Compute,
            Job::OpenLog(OpenLog { lane, .. })
            | Job::Read(ReadLogs { lane, .. })
            | Job::LookUp(LookUpOffsets { lane, .. })
            | Job::FindAborted(FindAborted { lane, .. })
            | Job::WriteCheckpoints(WriteCheckpoints { lane, .. })
            | Job::Compact(CompactLog { lane, .. })
            | Job::RemoveLog(RemoveLog { lane, .. })
            | Job::LookAfter(LookAfter { lane, .. })
            | Job::GiveReserve(lane, ..)
            | Job::Measure(_, lane, _)
            | Job::Identify(lane, ..)
            | Job::SetStray(lane, ..) => *lane,
        })
    }

    /// Does it. This may block for as long as the disk does.
    pub fn run(self, fs: &Arc<dyn Fs>) -> JobDone {
        match self {
            Job::OpenLog(job) => {
                let (key, lane) = (job.key, job.lane);
                let result = job.open(fs);
                JobDone::Opened(Box::new(Opened {
                    key,
                    name: job.name.clone(),
                    lane,
                    postponed: matches!(&result, Err(error) if error.is_no_room()).then_some(job),
                    result,
                }))
            }
            Job::Read(job) => {
                let mut troubles = Vec::new();
                let reads = job.reads.into_iter();
                let results = reads.map(|read| {
                    let key = read.key();
                    read.run()
                        .map_err(|error| ReadFailure::of(&error, key, &mut troubles))
                });
                JobDone::Read(ReadDone {
                    id: job.id,
                    results: results.collect(),
                    troubles,
                })
            }
            Job::FindAborted(job) => {
                let mut troubles = Vec::new();
                let results = job.jobs.into_iter().map(|job| {
                    let key = job.key();
                    job.run()
                        .map_err(|error| ReadFailure::of(&error, key, &mut troubles))
                });
                JobDone::FoundAborted(FoundAborted {
                    id: job.id,
                    results: results.collect(),
                    troubles,
                })
            }
            Job::LookUp(job) => {
                let mut troubles = Vec::new();
                let results = job.lookups.into_iter().map(|lookup| {
                    let key = lookup.key();
                    lookup
                        .run()
                        .map(FoundOffset::from)
                        .map_err(|error| ReadFailure::of(&error, key, &mut troubles))
                });
                JobDone::LookedUp(LookUpDone {
                    id: job.id,
                    results: results.collect(),
                    troubles,
                })
            }
            Job::Prepare(job) => JobDone::Prepared(PrepareDone {
                id: job.id,
                connection: job.connection,
                prepared: treat_all(job.patients),
                took_us: 0,
            }),
            Job::Convert(job) => JobDone::Converted(ConvertDone {
                id: job.id,
                results: job.read.convert(),
                took_us: 0,
            }),
            Job::WriteCheckpoints(job) => JobDone::Checkpointed(job.lane, job.write()),
            Job::Compact(job) => JobDone::Compacted(job.key, job.job.run()),
            Job::Identify(lane, dir, cluster_id) => JobDone::Done(lane, dir.write_cluster_id(&cluster_id)),
            Job::Measure(id, lane, path) => JobDone::Measured(id, lane, fs.space(&path)),
            Job::SetStray(lane, dir, log) => {
                let result = dir.set_stray(&log).map(drop);
                JobDone::PutAside(lane, log, result)
            }
            Job::RemoveLog(job) => {
                let result = job.dir.remove_log(&job.name.0, job.key);
                JobDone::LogRemoved(job.lane, job.name, result)
            }
            Job::LookAfter(job) => {
                let looked = job.dir.check().and_then(|()| {
                    let reserve = job.reserve;
                    reserve
                        .map(|reserve| job.dir.take_reserve(reserve.held, reserve.wanted))
                        .transpose()
                });
                match looked {
                    Ok(taken) => JobDone::LookedAfter(job.lane, taken, Ok(())),
                    Err(error) => JobDone::LookedAfter(job.lane, None, Err(error)),
                }
            }
            Job::GiveReserve(lane, dir, bytes) => JobDone::ReserveGiven(lane, dir.reduce_reserve(bytes)),
        }
    }
}

impl OpenLog {
    /// Opens or creates the log. What lies there under its name may belong to a topic that is gone: then it is put
    /// aside first.
    fn open(&self, fs: &Arc<dyn Fs>) -> Result<Log, OpenError> {
        let (path, owner) = match Log::open(fs, self.options.clone()) {
            Err(OpenError::OtherTopic { path, found }) => (path, found),
            result => return result,
        };
        tracing::warn!(path = %path.display(), %owner, "a log that no topic owns is put aside");
        let found = FoundLog {
            path,
            topic: self.name.0.clone(),
            partition: self.name.1,
        };
        if let Err(error) = self.dir.set_stray(&found) {
            return Err(OpenError::Io {
                path: found.path,
                error,
            });
        }
        // What the checkpoints say is about the other one.
        let fresh = OpenOptions {
            recovery_point: 0,
            log_start_offset: 0,
            compacted_to: 0,
            ..self.options.clone()
        };
        Log::open(fs, fresh)
    }
}

impl WriteCheckpoints {
    /// Gives the recovery points that are on the disk now, of those who wait for it.
    fn write(self) -> io::Result<Vec<(LogKey, i64)>> {
        let unopened = self.unopened.iter();
        let unopened = unopened.map(|((topic, partition), points)| (topic.as_str(), *partition, points));
        let open = self.open.iter();
        let open = open.map(|(topic, partition, points)| (&**topic, *partition, points));
        let points = unopened.chain(open);
        let dir = &self.dir;
        if self.sync_first {
            dir.sync_all()?;
        }
        let which = |of: fn(&Points) -> i64| {
            let points = points.clone();
            points.map(move |(topic, partition, points)| (topic, partition, of(points)))
        };
        dir.write_checkpoint(Checkpoint::RecoveryPoint, which(|points| points.recovery_point))?;
        let starts = which(|points| points.log_start_offset).filter(|(_, _, offset)| *offset > 0);
        dir.write_checkpoint(Checkpoint::LogStart, starts)?;
        dir.write_checkpoint(Checkpoint::Replication, which(|points| points.high_watermark))?;
        let compacted = which(|points| points.compacted_to).filter(|(_, _, offset)| *offset > 0);
        dir.write_checkpoint(Checkpoint::Cleaner, compacted)?;
        if let Some(broker_epoch) = self.clean {
            dir.mark_clean(broker_epoch)?;
        }
        Ok(self.bounded)
    }
}
