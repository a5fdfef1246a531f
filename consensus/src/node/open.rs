//! Opening a metadata node: whose directory it is, what lies in it, and a first term.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use klamm_protocol::record::Batches;
use klamm_protocol::{Records, Str};
use klamm_storage::lane;
use klamm_storage::sys::{self, Fs};
use klamm_storage::{Log, LogConfig, OpenFiles, OpenOptions, Read, Tail};

use super::{METADATA_LOG, MetadataNode, MetadataOptions, index_before, offset_of};
use crate::controller::Controller;
use crate::core::{Core, Formation, MetadataFailure, Saved, StartError};
use crate::image::MetadataImage;
use crate::quorum::{LogEntry, Origin, QuorumError, Vote};
use crate::random::Random;
use crate::snapshot::{
    FileError, IMAGE_FILE, MAX_BATCH_BYTES, STATE_FILE, SavedState, decode_image, decode_state, encode_image,
    encode_state,
};

const DIRECTORY: &str = "klamm-metadata";
const KRAFT_DIRECTORY: &str = "__cluster_metadata-0";
/// A start that had to replay more entries than this writes a snapshot.
const SNAPSHOT_AFTER: usize = 10_000;
/// Whole segments go once a snapshot covers them, so they are small.
const SEGMENT_BYTES: u64 = 16 * 1024 * 1024;
/// The newest batches stay in memory for followers, which a quorum of one does not have.
const TAIL_BYTES: usize = 64 * 1024;
const OPEN_FILES: usize = 8;
const READ_BYTES: usize = 4 * 1024 * 1024;
const STATE_LIMIT: usize = 64 * 1024;
const IMAGE_LIMIT: usize = 4 * 1024 * 1024 * 1024;

/// Why there is no metadata node. None of them changes what lies on the disk.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The disk does not give what lies there, or does not take what is to lie there.
    #[error("{path}: {error}")]
    Io {
        /// Where.
        path: PathBuf,
        /// What the operating system says.
        error: io::Error,
    },
    /// A directory of Kafka's.
    #[error(
        "{0} is the metadata log of a Kafka cluster. Klamm keeps its metadata elsewhere and does not read that one: \
         start it on an empty directory, and copy the topics over with a client"
    )]
    KraftDirectory(PathBuf),
    /// Partitions, but no metadata that tells whose they are.
    #[error(
        "{data} holds partitions, but there is no metadata log in {metadata}: it was lost, or the directory that \
         holds it is not mounted. Nothing was changed: mount it, or name an empty directory in log.dirs"
    )]
    MetadataLost {
        /// A directory with partitions.
        data: PathBuf,
        /// Where the metadata log should lie.
        metadata: PathBuf,
    },
    /// A metadata log without its vote, or shorter than it was.
    #[error("{path} is not what it was: {reason}. Restore it from a backup")]
    Damaged {
        /// The metadata log's directory.
        path: PathBuf,
        /// What is missing.
        reason: String,
    },
    /// The directory belongs to another node, cluster or directory id.
    #[error("{path} belongs to {found}, but this is {expected}")]
    OtherIdentity {
        /// The metadata log's directory.
        path: PathBuf,
        /// Whose it is.
        found: String,
        /// Who asked.
        expected: String,
    },
    /// The metadata log cannot be opened.
    #[error(transparent)]
    Log(#[from] klamm_storage::OpenError),
    /// One of the small files is damaged.
    #[error(transparent)]
    File(#[from] FileError),
    /// The log cannot be applied.
    #[error(transparent)]
    Failure(#[from] MetadataFailure),
    /// The log is none that Raft could have written.
    #[error(transparent)]
    Quorum(#[from] QuorumError),
}

impl From<StartError> for OpenError {
    fn from(error: StartError) -> OpenError {
        match error {
            StartError::Quorum(error) => error.into(),
            StartError::Failure(failure) => failure.into(),
        }
    }
}

impl MetadataNode {
    /// Opens the node, or forms its cluster where there is nothing yet. Afterwards it leads, everything in its log
    /// is applied, and the image has a cluster id.
    ///
    /// # Errors
    /// [`OpenError`]: the node must not start.
    pub fn open(fs: &Arc<dyn Fs>, options: MetadataOptions) -> Result<MetadataNode, OpenError> {
        let opening = Opening {
            fs,
            path: options.dir.join(DIRECTORY),
            options: &options,
        };
        opening.check_directories()?;
        let state = opening.read_state()?;
        let (image, origin) = opening.read_image()?;
        let existed = fs.exists(&opening.path).map_err(at(&opening.path))?;
        let log = opening.open_log(state, origin)?;
        if existed && state.is_none() {
            // A start before this one was killed, perhaps between making the directory and syncing its name.
            fs.sync_dir(&options.dir).map_err(at(&options.dir))?;
        }
        let entries = opening.read_entries(&log, origin)?;
        let replayed = entries.len();
        let vote = state.map_or_else(Vote::default, |state| state.vote);
        let formation = Formation {
            cluster_id: options.cluster_id.clone(),
            node_id: options.node_id,
            raft_id: opening.raft_id(),
            directory_id: options.directory_id,
            features: options.features.clone(),
        };
        let controller = Controller::new(Arc::clone(&options.rules), options.defaults);
        let saved = Saved {
            vote,
            origin,
            image,
            entries,
        };
        let core = Core::start(saved, formation, controller, Random::new(options.seed))?;
        let mut node = MetadataNode {
            core,
            node_id: options.node_id,
            log,
            jobs: Vec::new(),
            now_ms: options.now_ms,
        };
        opening.check_identity(node.core.decided())?;
        opening.lead(&mut node)?;
        if replayed > SNAPSHOT_AFTER {
            opening.write_snapshot(&mut node)?;
        }
        // Whoever opens a node reads its image, and learns of differences from here on.
        node.core.take_published();
        Ok(node)
    }
}

struct Opening<'a> {
    fs: &'a Arc<dyn Fs>,
    path: PathBuf,
    options: &'a MetadataOptions,
}

impl Opening<'_> {
    /// This node in its first incarnation, see [`crate::image::Voter::raft_id`].
    fn raft_id(&self) -> u64 {
        u64::try_from(self.options.node_id.0).unwrap_or(0) + 1
    }

    fn check_directories(&self) -> Result<(), OpenError> {
        let mut data = None;
        for dir in &self.options.log_dirs {
            for entry in absent_is_empty(self.fs.list_dir(dir)).map_err(at(dir))? {
                if entry.is_dir && entry.name == KRAFT_DIRECTORY {
                    return Err(OpenError::KraftDirectory(dir.join(entry.name)));
                }
                let number = entry
                    .name
                    .rsplit_once('-')
                    .map(|(_, number)| number.parse::<u32>());
                if entry.is_dir && matches!(number, Some(Ok(_))) {
                    data.get_or_insert_with(|| dir.clone());
                }
            }
        }
        // The vote is the first thing that is ever written.
        match data {
            Some(data) if !self.exists(STATE_FILE)? => Err(OpenError::MetadataLost {
                data,
                metadata: self.path.clone(),
            }),
            _ => Ok(()),
        }
    }

    fn exists(&self, file: &str) -> Result<bool, OpenError> {
        let path = self.path.join(file);
        self.fs.exists(&path).map_err(at(&path))
    }

    fn read_state(&self) -> Result<Option<SavedState>, OpenError> {
        let Some(content) = self.read_file(STATE_FILE, STATE_LIMIT)? else {
            return Ok(None);
        };
        let state = decode_state(content)?;
        if state.raft_id != self.raft_id() {
            let node = |raft_id: u64| format!("node {}", (raft_id & u64::from(u32::MAX)).saturating_sub(1));
            return Err(self.other_identity(node(state.raft_id), node(self.raft_id())));
        }
        Ok(Some(state))
    }

    fn read_image(&self) -> Result<(MetadataImage, Origin), OpenError> {
        match self.read_file(IMAGE_FILE, IMAGE_LIMIT)? {
            Some(content) => Ok(decode_image(content)?),
            None => Ok((MetadataImage::default(), Origin::default())),
        }
    }

    fn read_file(&self, name: &str, limit: usize) -> Result<Option<Bytes>, OpenError> {
        let path = self.path.join(name);
        match sys::read_all(&**self.fs, &path, limit) {
            Ok(content) => Ok(Some(content.into())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(OpenError::Io { path, error }),
        }
    }

    fn open_log(&self, state: Option<SavedState>, origin: Origin) -> Result<Log, OpenError> {
        let durable = state.map_or(0, |state| state.durable_index).max(origin.index);
        let config = LogConfig {
            segment_bytes: SEGMENT_BYTES,
            segment_ms: i64::MAX,
            delete: false,
            compact: false,
            retention_ms: None,
            fsync_acknowledged: true,
            ..LogConfig::default()
        };
        let log = Log::open(
            self.fs,
            OpenOptions {
                key: METADATA_LOG,
                directory: self.path.clone(),
                config,
                tail: Tail::new(TAIL_BYTES),
                open_files: Arc::new(OpenFiles::new(OPEN_FILES)),
                recovery_point: offset_of(durable) + 1,
                log_start_offset: 0,
                compacted_to: 0,
                clean: false,
                now_ms: self.options.now_ms,
            },
        )?;
        let end = index_before(log.log_end_offset());
        if end < durable {
            return Err(self.damaged(format!("its log ends at entry {end}, and held {durable}")));
        }
        if state.is_none() && end > 0 {
            return Err(self.damaged(format!("{STATE_FILE} is missing")));
        }
        if index_before(log.log_start_offset()) > origin.index {
            return Err(self.damaged(format!("entries up to {} are missing", log.log_start_offset())));
        }
        Ok(log)
    }

    /// The entries behind the snapshot.
    fn read_entries(&self, log: &Log, origin: Origin) -> Result<Vec<LogEntry>, OpenError> {
        let mut entries: Vec<LogEntry> = Vec::new();
        let mut next = origin.index + 1;
        while offset_of(next) < log.log_end_offset() {
            let read =
                entries_at(log, next).map_err(|reason| self.damaged(format!("entry {next}: {reason}")))?;
            next += read.len() as u64;
            entries.extend(read);
        }
        Ok(entries)
    }

    fn check_identity(&self, image: &MetadataImage) -> Result<(), OpenError> {
        if let Some(expected) = self
            .options
            .cluster_id
            .as_ref()
            .filter(|id| **id != image.cluster_id)
        {
            let cluster = |id: &Str| format!("cluster {id}");
            return Err(self.other_identity(cluster(&image.cluster_id), cluster(expected)));
        }
        let voter = image.voters.iter().find(|voter| voter.raft_id == self.raft_id());
        match voter {
            Some(voter) if voter.directory_id != self.options.directory_id => {
                let directory = |id| format!("directory {id}");
                Err(self.other_identity(
                    directory(voter.directory_id),
                    directory(self.options.directory_id),
                ))
            }
            _ => Ok(()),
        }
    }

    /// Writes down the vote for itself, then everything that the first term brings.
    fn lead(&self, node: &mut MetadataNode) -> Result<(), OpenError> {
        let vote = node.core.quorum.vote().expect("a campaign is a vote for oneself");
        let durable_index = index_before(node.log.log_end_offset());
        let state = SavedState {
            raft_id: self.raft_id(),
            vote,
            durable_index,
        };
        self.replace(STATE_FILE, encode_state(state))?;
        node.core.quorum.vote_is_durable();
        node.log
            .on_checkpointed(node.log.recovery_point(), &mut node.jobs);
        node.append();
        self.run_jobs(node)?;
        assert!(
            !node.core.image().cluster_id.is_empty(),
            "the first term commits what forms the cluster"
        );
        Ok(())
    }

    /// Executes what the log asks for, until nothing is left.
    fn run_jobs(&self, node: &mut MetadataNode) -> Result<(), OpenError> {
        while !node.jobs.is_empty() {
            for done in lane::run(self.fs, std::mem::take(&mut node.jobs)) {
                if let Some(error) = done.error() {
                    return Err(MetadataFailure::Log(error.to_string()).into());
                }
                node.on_done(done);
            }
            if let Some(failure) = node.core.take_failure() {
                return Err(failure.into());
            }
        }
        Ok(())
    }

    fn write_snapshot(&self, node: &mut MetadataNode) -> Result<(), OpenError> {
        let applied = node.core.applied();
        self.replace(IMAGE_FILE, encode_image(node.core.image(), applied))?;
        node.log
            .delete_records_before(offset_of(applied.index) + 1, &mut node.jobs);
        self.run_jobs(node)
    }

    fn replace(&self, name: &str, content: Bytes) -> Result<(), OpenError> {
        let path = self.path.join(name);
        sys::replace(&**self.fs, &path, content).map_err(at(&path))
    }

    fn damaged(&self, reason: String) -> OpenError {
        OpenError::Damaged {
            path: self.path.clone(),
            reason,
        }
    }

    fn other_identity(&self, found: String, expected: String) -> OpenError {
        OpenError::OtherIdentity {
            path: self.path.clone(),
            found,
            expected,
        }
    }
}

/// Some entries of the log from `index` on, at least one.
fn entries_at(log: &Log, index: u64) -> Result<Vec<LogEntry>, String> {
    let read = log
        .read(offset_of(index), log.log_end_offset(), READ_BYTES, true)
        .map_err(|e| e.to_string())?;
    let extents = match read {
        Read::Ready(extents) => extents,
        Read::Job(job) => job.run().map_err(|e| e.to_string())?,
    };
    let mut entries: Vec<LogEntry> = Vec::new();
    for batch in Batches::new(contiguous(&extents.records)) {
        let batch = batch.map_err(|e| e.to_string())?;
        let term = u64::try_from(batch.header().leader_epoch).map_err(|e| e.to_string())?;
        let first = index_before(batch.header().base_offset) + 1;
        for (at, record) in (first..).zip(batch.records(MAX_BATCH_BYTES).map_err(|e| e.to_string())?) {
            let value = record.map_err(|e| e.to_string())?.value.unwrap_or_default();
            // A snapshot may end inside a batch.
            if at >= index {
                entries.push(LogEntry {
                    index: at,
                    term,
                    value,
                });
            }
        }
    }
    match entries.first() {
        Some(first) if first.index == index => Ok(entries),
        _ => Err("it is not there".to_owned()),
    }
}

/// The bytes of a read in one piece. What comes from a file is in one piece already.
fn contiguous(records: &Records) -> Bytes {
    match records.parts() {
        [part] => part.clone(),
        parts => parts.concat().into(),
    }
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> OpenError {
    let path = path.to_owned();
    |error| OpenError::Io { path, error }
}

fn absent_is_empty<T>(result: io::Result<Vec<T>>) -> io::Result<Vec<T>> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        result => result,
    }
}
