//! A log directory: whose it is, which logs lie in it, and what its files say about them.
//!
//! ```text
//! meta.properties                     version=1, node.id, cluster.id, directory.id, klamm.format=1
//! .lock                               held while a process uses the directory
//! .kafka_cleanshutdown                {"version":0,"brokerEpoch":N}; there only after a clean shutdown
//! recovery-point-offset-checkpoint    up to where each log is durable            (see `checkpoint`)
//! log-start-offset-checkpoint         where each log starts, if behind its first segment's base
//! replication-offset-checkpoint       each log's high watermark
//! cleaner-offset-checkpoint           up to where each log is compacted; only where one is
//! klamm.reserve                       no bytes, but space on the disk: see [`LogDir::take_reserve`]
//! TOPIC-PARTITION/                    a log
//!   partition.metadata                version: 0, topic_id: its topic's id
//! TOPIC-PARTITION.ID-delete/          a log that is being deleted
//! TOPIC-PARTITION.ID-stray/           a log whose topic the cluster does not know
//! ```

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use klamm_protocol::Uuid;
use klamm_protocol::ids::{BrokerId, TopicId};
use thiserror::Error;
use tracing::{info, warn};

use crate::LogKey;
use crate::checkpoint::{self, CheckpointError, Offsets};
use crate::segment::absent_is_fine;
use crate::sys::{self, FileLock, Fs, Mode, is_no_room};

/// The layout of directories that this release writes. A directory of a newer one is refused.
pub const FORMAT: u32 = 1;

const META_FILE: &str = "meta.properties";
const LOCK_FILE: &str = ".lock";
const CLEAN_FILE: &str = ".kafka_cleanshutdown";
const RESERVE_FILE: &str = "klamm.reserve";
pub(crate) const PARTITION_FILE: &str = "partition.metadata";
/// What is wrong with a `meta.properties` of another program.
const NOT_OURS: &str = "not written by Klamm: name another directory in log.dirs";
const KAFKA_METADATA_DIR: &str = "__cluster_metadata-0";
const SMALL_FILE: usize = 64 * 1024;
/// So much must be writable for a disk to have room.
const TRIAL_BYTES: usize = 64 * 1024;

/// Which of a directory's checkpoints is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Checkpoint {
    /// Up to where each log is durable.
    RecoveryPoint,
    /// Where each log starts.
    LogStart,
    /// Each log's high watermark.
    Replication,
    /// Up to where each log is compacted.
    Cleaner,
}

impl Checkpoint {
    fn file(self) -> &'static str {
        match self {
            Checkpoint::RecoveryPoint => "recovery-point-offset-checkpoint",
            Checkpoint::LogStart => "log-start-offset-checkpoint",
            Checkpoint::Replication => "replication-offset-checkpoint",
            Checkpoint::Cleaner => "cleaner-offset-checkpoint",
        }
    }
}

/// Whose directory it is: the content of `meta.properties`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The broker.
    pub node_id: BrokerId,
    /// The cluster, once it is known.
    pub cluster_id: Option<String>,
    /// The directory itself (KIP-858).
    pub directory_id: Uuid,
}

/// Why a log directory cannot be used.
#[derive(Debug, Error)]
pub enum LogDirError {
    /// The disk does not give what lies there.
    #[error("{path}: {error}")]
    Io {
        /// Where.
        path: PathBuf,
        /// What the operating system says.
        error: io::Error,
    },
    /// Another process uses it.
    #[error(
        "data directory {0} is in use by another process: stop it, or name another directory in log.dirs"
    )]
    Locked(PathBuf),
    /// `meta.properties` cannot be understood, or is another broker's.
    #[error("{path}: {reason}")]
    Meta {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The directory of a KRaft broker or controller.
    #[error(
        "{0} holds a KRaft metadata log; Klamm keeps its own and does not take a Kafka directory over: \
         name another directory in log.dirs"
    )]
    Kraft(PathBuf),
}

/// A directory with a log, as its name tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundLog {
    /// The directory.
    pub path: PathBuf,
    /// The topic, by the name it had when the log was made.
    pub topic: String,
    /// The partition.
    pub partition: i32,
}

/// A log directory that is ours while this lives.
pub struct LogDir {
    fs: Arc<dyn Fs>,
    path: PathBuf,
    identity: Identity,
    clean_epoch: Option<i64>,
    _lock: Box<dyn FileLock>,
}

impl LogDir {
    /// Takes a directory into use: locks it, creates it if it is missing, and reads or writes its identity.
    /// `fresh` says who it is to be if it has no identity yet.
    ///
    /// The marker of a clean shutdown is taken away (see [`LogDir::clean_epoch`]), so that a crash from now on
    /// is seen as one. Directories of deleted logs are removed.
    ///
    /// # Errors
    /// All of [`LogDirError`].
    pub fn open(fs: &Arc<dyn Fs>, path: &Path, fresh: &Identity) -> Result<LogDir, LogDirError> {
        let io = |error| LogDirError::Io {
            path: path.to_owned(),
            error,
        };
        if !fs.exists(path).map_err(io)? {
            fs.create_dir(path).map_err(io)?;
        }
        // Always: a start that was killed may have left a name that is not durable yet.
        if let Some(parent) = path.parent() {
            fs.sync_dir(parent).map_err(io)?;
        }
        let lock = fs
            .lock(&path.join(LOCK_FILE))
            .map_err(|error| match error.kind() {
                io::ErrorKind::WouldBlock => LogDirError::Locked(path.to_owned()),
                _ => io(error),
            })?;
        if fs.exists(&path.join(KAFKA_METADATA_DIR)).map_err(io)? {
            return Err(LogDirError::Kraft(path.to_owned()));
        }
        let identity = match read_identity(&**fs, path)? {
            Some(identity) if identity.node_id != fresh.node_id => {
                let (theirs, ours) = (identity.node_id, fresh.node_id);
                let reason = format!(
                    "belongs to node {theirs}, and this is node {ours}: set node.id={theirs}, or name another \
                     directory in log.dirs"
                );
                return Err(LogDirError::Meta {
                    path: path.join(META_FILE),
                    reason,
                });
            }
            Some(identity) => identity,
            None => {
                write_identity(&**fs, path, fresh).map_err(io)?;
                fresh.clone()
            }
        };
        let clean_epoch = take_clean_marker(&**fs, path).map_err(io)?;
        let dir = LogDir {
            fs: Arc::clone(fs),
            path: path.to_owned(),
            identity,
            clean_epoch,
            _lock: lock,
        };
        dir.remove_deleted().map_err(io)?;
        Ok(dir)
    }

    /// The directory itself.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whose it is.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// The broker epoch under which the directory was last shut down cleanly (KIP-966); `None` after a crash.
    pub fn clean_epoch(&self) -> Option<i64> {
        self.clean_epoch
    }

    /// Writes the cluster's id down, once it is known. [`LogDir::identity`] goes on to tell what was there before.
    pub fn write_cluster_id(&self, cluster_id: &str) -> io::Result<()> {
        let identity = Identity {
            cluster_id: Some(cluster_id.to_owned()),
            ..self.identity.clone()
        };
        write_identity(&*self.fs, &self.path, &identity)
    }

    /// The logs that lie here. What has no log's name is left alone. There may be very many, so none of them is
    /// looked into: whose a log is, [`LogDir::topic_id`] says, and opening it.
    pub fn logs(&self) -> io::Result<Vec<FoundLog>> {
        let names = self.fs.list_names(&self.path)?;
        let logs = names
            .iter()
            .filter(|(_, is_dir)| *is_dir)
            .filter_map(|(name, _)| {
                let (topic, partition) = parse_name(name)?;
                Some(FoundLog {
                    path: self.path.join(name),
                    topic: topic.to_owned(),
                    partition,
                })
            });
        Ok(logs.collect())
    }

    /// The topic that a log belongs to, where its `partition.metadata` says so.
    pub fn topic_id(&self, log: &FoundLog) -> io::Result<Option<TopicId>> {
        Ok(match PartitionMetadata::read(&*self.fs, &log.path)? {
            Some(Ok(metadata)) => Some(metadata.topic_id),
            _ => None,
        })
    }

    /// The directory of a log.
    pub fn log_path(&self, topic: &str, partition: i32) -> PathBuf {
        self.path.join(format!("{topic}-{partition}"))
    }

    /// The name that a log's directory bears while it is deleted: what [`Log::delete`](crate::Log::delete) wants.
    pub fn delete_path(&self, topic: &str, key: LogKey) -> PathBuf {
        self.path.join(doomed_name(topic, key, "-delete"))
    }

    /// Puts a log aside that no topic of the cluster owns; gives where it is now.
    pub fn set_stray(&self, log: &FoundLog) -> io::Result<PathBuf> {
        let key = LogKey {
            topic_id: self.topic_id(log)?.unwrap_or_default(),
            partition: log.partition,
        };
        // A log whose creation was interrupted has no id yet, and the same one may have been put aside before.
        let taken = self.fs.list_names(&self.path)?;
        let is_free = |name: &String| taken.iter().all(|(entry, _)| entry != name);
        let numbered = (2..).map(|number| format!("-{number}-stray"));
        let mut names = std::iter::once("-stray".to_owned())
            .chain(numbered)
            .map(|suffix| doomed_name(&log.topic, key, &suffix));
        let name = names.find(is_free).expect("not every number is taken");
        let target = self.path.join(name);
        self.fs.rename(&log.path, &target)?;
        self.fs.sync_dir(&self.path)?;
        Ok(target)
    }

    /// Removes a log that is not open.
    pub fn remove_log(&self, topic: &str, key: LogKey) -> io::Result<()> {
        let target = self.delete_path(topic, key);
        absent_is_fine(self.fs.rename(&self.log_path(topic, key.partition), &target))?;
        self.fs.sync_dir(&self.path)?;
        absent_is_fine(self.fs.remove_dir_all(&target))
    }

    /// Reads a checkpoint. A missing or damaged one is empty: for recovery points that means to check everything,
    /// for log starts that deleted records may be seen again, for high watermarks that they are found anew.
    pub fn read_checkpoint(&self, which: Checkpoint) -> io::Result<Offsets> {
        let path = self.path.join(which.file());
        match checkpoint::read_offsets(&*self.fs, &path) {
            Ok(offsets) => Ok(offsets),
            Err(CheckpointError::Io(error)) => Err(error),
            Err(error) => {
                warn!(path = %path.display(), %error, "going on without a damaged checkpoint");
                Ok(Offsets::new())
            }
        }
    }

    /// Replaces a checkpoint durably: topic, partition and offset of each log. Without anything to say, none is made.
    pub fn write_checkpoint<'a>(
        &self,
        which: Checkpoint,
        offsets: impl Iterator<Item = (&'a str, i32, i64)>,
    ) -> io::Result<()> {
        let path = self.path.join(which.file());
        let mut offsets = offsets.peekable();
        if which == Checkpoint::Cleaner && offsets.peek().is_none() && !self.fs.exists(&path)? {
            return Ok(());
        }
        checkpoint::write_offsets(&*self.fs, &path, offsets)
    }

    /// Makes everything durable that was written here.
    pub fn sync_all(&self) -> io::Result<()> {
        self.fs.sync_all(&self.path)
    }

    /// Leaves the marker of a clean shutdown: every log is closed and all checkpoints are written.
    pub fn mark_clean(&self, broker_epoch: i64) -> io::Result<()> {
        let text = format!("{{\"version\":0,\"brokerEpoch\":{broker_epoch}}}");
        sys::replace(&*self.fs, &self.path.join(CLEAN_FILE), text.into())
    }

    /// Looks whether the directory is still there.
    ///
    /// # Errors
    /// `NotFound` when somebody has taken it away under us.
    pub fn check(&self) -> io::Result<()> {
        if self.fs.exists(&self.path.join(META_FILE))? {
            return Ok(());
        }
        let what = format!("{META_FILE} is gone: the directory was removed, or its disk is not mounted");
        Err(io::Error::new(io::ErrorKind::NotFound, what))
    }

    /// Takes `bytes` of the disk, of which `held` are taken already, and keeps them until
    /// [`LogDir::reduce_reserve`]: with them a disk that is full can be cleared up. Gives whether there is room,
    /// which means a quarter more than that.
    ///
    /// # Errors
    /// Of the disk, as long as they are about something else than room.
    pub fn take_reserve(&self, held: u64, bytes: u64) -> io::Result<bool> {
        match self.try_take_reserve(held, bytes) {
            Ok(()) => Ok(true),
            Err(error) if is_no_room(&error) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Whether an earlier process has taken the reserve, and never given it back.
    pub fn holds_reserve(&self, bytes: u64) -> bool {
        let file = self.fs.open(&self.path.join(RESERVE_FILE), Mode::Write);
        file.is_ok_and(|file| bytes > 0 && file.reserve(0, bytes).is_ok())
    }

    fn try_take_reserve(&self, held: u64, bytes: u64) -> io::Result<()> {
        let trial = self.path.join(format!("{RESERVE_FILE}.tmp"));
        let tried = self.fs.open(&trial, Mode::Truncate).and_then(|file| {
            // Some file systems reserve nothing: on those, this tells.
            file.write_at(0, &[Bytes::from_static(&[0; TRIAL_BYTES])])?;
            file.reserve(0, bytes.saturating_sub(held) + bytes / 4)
        });
        absent_is_fine(self.fs.remove(&trial))?;
        tried?;
        let file = self.fs.open(&self.path.join(RESERVE_FILE), Mode::Create)?;
        if bytes == 0 {
            Ok(())
        } else {
            file.reserve(0, bytes)
        }
    }

    /// Gives back what is reserved, but for `bytes` of it.
    pub fn reduce_reserve(&self, bytes: u64) -> io::Result<()> {
        let file = match self.fs.open(&self.path.join(RESERVE_FILE), Mode::Write) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            file => file?,
        };
        file.set_len(0)?;
        if bytes == 0 {
            return Ok(());
        }
        match file.reserve(0, bytes) {
            // Somebody was quicker.
            Err(error) if is_no_room(&error) => Ok(()),
            reserved => reserved,
        }
    }

    fn remove_deleted(&self) -> io::Result<()> {
        for (name, is_dir) in self.fs.list_names(&self.path)? {
            if is_dir && name.ends_with("-delete") {
                info!(name, "removing the rest of a deleted log");
                self.fs.remove_dir_all(&self.path.join(&name))?;
            }
        }
        Ok(())
    }
}

/// `TOPIC.ID-SUFFIX`, where the id is hexadecimal and tells deleted namesakes apart. Names are at most 255 bytes.
fn doomed_name(topic: &str, key: LogKey, suffix: &str) -> String {
    let id: String = key
        .topic_id
        .0
        .0
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let tail = format!("-{}.{id}{suffix}", key.partition);
    let topic = &topic[..topic.floor_char_boundary(255 - tail.len())];
    format!("{topic}{tail}")
}

/// `orders-12` is partition 12 of `orders`.
fn parse_name(name: &str) -> Option<(&str, i32)> {
    let (topic, partition) = name.rsplit_once('-')?;
    let plain = !partition.is_empty() && partition.bytes().all(|byte| byte.is_ascii_digit());
    Some((topic, partition.parse().ok()?)).filter(|(topic, _)| plain && !topic.is_empty())
}

/// Takes the marker away for good; gives its broker epoch, -1 where it has none. Damaged is as if not there.
fn take_clean_marker(fs: &dyn Fs, path: &Path) -> io::Result<Option<i64>> {
    let file = path.join(CLEAN_FILE);
    let content = match sys::read_all(fs, &file, SMALL_FILE) {
        Ok(content) => content,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    fs.remove(&file)?;
    fs.sync_dir(path)?;
    let text = String::from_utf8(content).unwrap_or_default();
    let text = text.trim();
    if text.is_empty() {
        // Kafka before 3.9 left an empty file.
        return Ok(Some(-1));
    }
    let fields = text.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
    let epoch = fields.and_then(|fields| {
        let field = fields
            .split(',')
            .find_map(|field| field.trim().strip_prefix("\"brokerEpoch\":"))?;
        field.trim().parse().ok()
    });
    Ok(epoch)
}

fn read_identity(fs: &dyn Fs, path: &Path) -> Result<Option<Identity>, LogDirError> {
    let file = path.join(META_FILE);
    let wrong = |reason: &str| LogDirError::Meta {
        path: file.clone(),
        reason: reason.to_owned(),
    };
    let content = match sys::read_all(fs, &file, SMALL_FILE) {
        Ok(content) => String::from_utf8(content).map_err(|_| wrong("not UTF-8"))?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(LogDirError::Io { path: file, error }),
    };
    let lines = content
        .lines()
        .filter(|line| !line.trim_start().starts_with(['#', '!']));
    let value = |key: &str| {
        lines.clone().find_map(|line| {
            let (name, value) = line.split_once('=')?;
            (name.trim() == key).then(|| value.trim().to_owned())
        })
    };
    if value("version").as_deref() != Some("1") {
        return Err(wrong(NOT_OURS));
    }
    let format: u32 = value("klamm.format")
        .and_then(|value| value.parse().ok())
        .ok_or_else(|| wrong(NOT_OURS))?;
    if format > FORMAT {
        return Err(wrong("written by a newer release of Klamm: start that one"));
    }
    let number = |key: &str| value(key).and_then(|value| value.parse().ok());
    Ok(Some(Identity {
        node_id: BrokerId(number("node.id").ok_or_else(|| wrong("no node.id"))?),
        cluster_id: value("cluster.id"),
        directory_id: value("directory.id")
            .and_then(|value| value.parse().ok())
            .ok_or_else(|| wrong("no directory.id"))?,
    }))
}

fn write_identity(fs: &dyn Fs, path: &Path, identity: &Identity) -> io::Result<()> {
    let mut text = format!(
        "version=1\nnode.id={}\ndirectory.id={}\nklamm.format={FORMAT}\n",
        identity.node_id, identity.directory_id
    );
    if let Some(cluster_id) = &identity.cluster_id {
        text.push_str(&format!("cluster.id={cluster_id}\n"));
    }
    sys::replace(fs, &path.join(META_FILE), text.into())
}

/// What a log's `partition.metadata` says.
pub(crate) struct PartitionMetadata {
    pub(crate) topic_id: TopicId,
}

impl PartitionMetadata {
    /// `None` without a file; the inner error is what is wrong with it.
    pub(crate) fn read(fs: &dyn Fs, directory: &Path) -> io::Result<Option<Result<Self, String>>> {
        let content = match sys::read_all(fs, &directory.join(PARTITION_FILE), SMALL_FILE) {
            Ok(content) => String::from_utf8(content).unwrap_or_default(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let id = content.strip_prefix("version: 0\ntopic_id: ").map(str::trim_end);
        Ok(Some(match id.and_then(|id| id.parse().ok()) {
            Some(topic_id) => Ok(PartitionMetadata { topic_id }),
            None => Err(format!("{PARTITION_FILE} is damaged")),
        }))
    }

    /// Whether this is a topic's id with one character changed: that is no other topic, but a bit that has flipped.
    pub(crate) fn is_damaged(&self, wanted: TopicId) -> bool {
        let (found, wanted) = (self.topic_id.to_string(), wanted.to_string());
        let pairs = found.bytes().zip(wanted.bytes());
        found.len() == wanted.len() && pairs.filter(|(ours, theirs)| ours != theirs).count() == 1
    }

    pub(crate) fn write(&self, fs: &dyn Fs, directory: &Path) -> io::Result<()> {
        let text = format!("version: 0\ntopic_id: {}", self.topic_id);
        sys::replace(fs, &directory.join(PARTITION_FILE), Bytes::from(text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::memory::MemoryFs;

    fn identity() -> Identity {
        Identity {
            node_id: BrokerId(1),
            cluster_id: None,
            directory_id: Uuid([7; 16]),
        }
    }

    #[test]
    fn a_directory_that_a_killed_start_created_survives_a_power_cut() {
        for seed in 0..20 {
            let fs = MemoryFs::new();
            fs.create_dir(Path::new("/data")).unwrap();
            let fs = fs.kill();
            LogDir::open(&fs.shared(), Path::new("/data"), &identity()).unwrap();
            let fs = fs.power_cut(seed);
            assert!(fs.exists(Path::new("/data")).unwrap(), "seed {seed}");
        }
    }

    #[test]
    fn an_identity_stays_and_another_nodes_directory_is_refused() {
        let fs = MemoryFs::new();
        let path = Path::new("/data");
        let dir = LogDir::open(&fs.shared(), path, &identity()).unwrap();
        dir.write_cluster_id("c").unwrap();
        assert!(matches!(
            LogDir::open(&fs.shared(), path, &identity()),
            Err(LogDirError::Locked(_))
        ));
        drop(dir);
        let other = Identity {
            directory_id: Uuid([8; 16]),
            ..identity()
        };
        let dir = LogDir::open(&fs.shared(), path, &other).unwrap();
        assert_eq!(
            dir.identity(),
            &Identity {
                cluster_id: Some("c".to_owned()),
                ..identity()
            }
        );
        drop(dir);
        let stranger = Identity {
            node_id: BrokerId(2),
            ..identity()
        };
        assert!(matches!(
            LogDir::open(&fs.shared(), path, &stranger),
            Err(LogDirError::Meta { .. })
        ));
    }

    #[test]
    fn a_newer_format_refuses_to_start() {
        let fs = MemoryFs::new();
        let path = Path::new("/data");
        drop(LogDir::open(&fs.shared(), path, &identity()).unwrap());
        let meta = path.join(META_FILE);
        let text = String::from_utf8(sys::read_all(&fs, &meta, 1000).unwrap()).unwrap();
        sys::replace(
            &fs,
            &meta,
            text.replace("klamm.format=1", "klamm.format=2").into(),
        )
        .unwrap();
        assert!(matches!(
            LogDir::open(&fs.shared(), path, &identity()),
            Err(LogDirError::Meta { .. })
        ));
    }

    #[test]
    fn a_clean_shutdown_is_believed_once() {
        let fs = MemoryFs::new();
        let open = || LogDir::open(&fs.shared(), Path::new("/data"), &identity()).unwrap();
        assert_eq!(open().clean_epoch(), None);
        open().mark_clean(11).unwrap();
        let marker = sys::read_all(&fs, Path::new("/data/.kafka_cleanshutdown"), 100).unwrap();
        assert_eq!(marker, b"{\"version\":0,\"brokerEpoch\":11}");
        assert_eq!(open().clean_epoch(), Some(11));
        assert_eq!(open().clean_epoch(), None);
    }

    #[test]
    fn a_log_that_is_put_aside_again_takes_no_name_that_is_taken() {
        let memory = MemoryFs::new();
        let dir = LogDir::open(&memory.shared(), Path::new("/d"), &identity()).unwrap();
        let log = FoundLog {
            topic: "t".into(),
            partition: 1,
            path: dir.log_path("t", 1),
        };
        let mut targets = Vec::new();
        for _ in 0..3 {
            memory.create_dir(&log.path).unwrap();
            targets.push(dir.set_stray(&log).unwrap());
        }
        targets.sort();
        targets.dedup();
        assert_eq!(targets.len(), 3);
        let names = targets
            .iter()
            .map(|path| path.file_name().unwrap().to_str().unwrap());
        assert!(
            names.clone().all(|name| parse_name(name).is_none()),
            "nobody takes it for a log"
        );
    }

    #[test]
    fn names_tell_topic_and_partition() {
        assert_eq!(parse_name("a-b-12"), Some(("a-b", 12)));
        for name in [
            "klamm-metadata",
            "-1",
            "a",
            "a-",
            "a-+1",
            "a-0.0f-delete",
            "a-1-stray",
        ] {
            assert_eq!(parse_name(name), None, "{name}");
        }
        let key = LogKey {
            topic_id: TopicId(Uuid([255; 16])),
            partition: 3,
        };
        let doomed = doomed_name(&"t".repeat(249), key, "-delete");
        assert_eq!(doomed.len(), 255);
        assert!(doomed.ends_with("-3.ffffffffffffffffffffffffffffffff-delete"));
    }
}
