//! How a broker starts: its directories are taken into use, the metadata log is opened, and then the logs of its
//! partitions, by jobs, while it already answers.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use klamm_consensus::{
    BrokerRegistration, ControllerRequest, ControllerResponse, Endpoint, MetadataNode, MetadataOptions,
    TopicDefaults,
};
use klamm_protocol::ids::BrokerId;
use klamm_protocol::{Str, Uuid};
use klamm_storage::log_dir::{Checkpoint, Identity, LogDir, LogDirError};
use klamm_storage::sys::Fs;
use klamm_storage::{OpenFiles, Tail};

use crate::api::api_versions::FEATURES;
use crate::api::refusal;
use crate::cluster::Cluster;
use crate::config::{BrokerConfig, SecurityProtocol};
use crate::disks::{Disk, Found, LogName, Points};
use crate::fetch_session::FetchSessions;
use crate::groups::Groups;
use crate::job::Job;
use crate::node::{Node, Phase};
use crate::old_clients::OldClients;
use crate::random::Random;
use crate::room::{NO_ROOM, Room};
use crate::rules::Rules;
use crate::schedule::Schedule;
use crate::transactions::Transactions;
use crate::waiting::{WaitForAll, WaitForBytes};
use crate::{LaneId, Now};

/// The newest batches of all logs that stay in memory for their readers.
const TAIL_BYTES: usize = 16 << 20;

/// How long the controller may take to register this broker before it is asked again.
const REGISTRATION_TIMEOUT_MS: u64 = 10_000;

/// Why a broker does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A log directory cannot be used.
    #[error(transparent)]
    LogDir(#[from] LogDirError),
    /// None of the log directories can be used; this is about the last of them.
    #[error("data directory {path} cannot be used: {error}{}", advice(error))]
    NoLogDir {
        /// The directory.
        path: PathBuf,
        /// What the operating system says.
        error: io::Error,
    },
    /// The metadata log cannot be opened.
    #[error("the metadata log cannot be opened: {0}")]
    Metadata(#[from] klamm_consensus::OpenError),
    /// A directory that belongs to another cluster.
    #[error(
        "{path} belongs to cluster {theirs} by its meta.properties, and this node to {ours}: name another directory in \
         log.dirs"
    )]
    OtherCluster {
        /// The directory.
        path: PathBuf,
        /// The cluster in its `meta.properties`.
        theirs: String,
        /// The cluster of the metadata log.
        ours: String,
    },
}

/// What to do about a directory that cannot be used.
fn advice(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::PermissionDenied => ". Let this user write there, or name another in log.dirs",
        io::ErrorKind::ReadOnlyFilesystem => {
            ". Mount the disk for writing, or name another directory in log.dirs"
        }
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            ". Make room, or name another disk in log.dirs"
        }
        _ => ". Name another in log.dirs",
    }
}

type PointsByName = BTreeMap<LogName, Points>;

impl Node {
    /// Takes the log directories into use and opens the metadata log. The node that comes out has elected itself
    /// where it is a quorum of one; its first effects come with the first event.
    ///
    /// This works on the disk: for a thread that may wait. Everything that is random comes from `seed`; `unix_ms`
    /// is the time.
    ///
    /// # Errors
    /// [`StartError`].
    pub fn open(fs: &Arc<dyn Fs>, config: BrokerConfig, seed: u64, unix_ms: i64) -> Result<Node, StartError> {
        let mut random = Random::new(seed);
        let mut disks = Vec::new();
        let mut found = BTreeMap::new();
        let mut doubles = Vec::new();
        let mut unusable = Vec::new();
        for (path, lane) in config.log_dirs.iter().zip((0..).map(LaneId::of_log_dir)) {
            let (mut disk, logs) = open_disk(fs, &config, lane, path, &mut random, &mut unusable)?;
            for log in logs {
                disk.found(&log.log);
                let name = (log.log.topic.clone(), log.log.partition);
                if let Some(other) = found.insert(name, log) {
                    doubles.push(other);
                }
            }
            disks.push(disk);
        }
        let in_use = |disk: &Disk| disk.dir.clone();
        let dirs: Vec<Arc<LogDir>> = disks.iter().filter_map(in_use).collect();
        if dirs.is_empty()
            && let Some((path, error)) = unusable.pop()
        {
            return Err(StartError::NoLogDir { path, error });
        }
        if let Some(at) = unusable
            .iter()
            .position(|(path, _)| path.starts_with(&config.metadata_log_dir))
        {
            let (path, error) = unusable.swap_remove(at);
            return Err(StartError::NoLogDir { path, error });
        }
        for (path, error) in &unusable {
            tracing::error!(path = %path.display(), %error, "going on without this log directory");
        }
        let (metadata_dir, directory_id) =
            match dirs.iter().find(|dir| *dir.path() == *config.metadata_log_dir) {
                Some(dir) => (None, dir.identity().directory_id),
                None => {
                    let dir = LogDir::open(fs, &config.metadata_log_dir, &identity(&config, &mut random))?;
                    let id = dir.identity().directory_id;
                    (Some(dir), id)
                }
            };
        let metadata = MetadataNode::open(
            fs,
            MetadataOptions {
                dir: config.metadata_log_dir.clone(),
                log_dirs: config.log_dirs.clone(),
                node_id: BrokerId(config.node_id),
                directory_id,
                cluster_id: config.cluster_id.as_deref().map(Str::from),
                features: FEATURES
                    .iter()
                    .map(|feature| (Str::from(feature.name), feature.max))
                    .collect(),
                rules: Arc::new(Rules::new(config.values.clone())),
                defaults: TopicDefaults {
                    partitions: config.num_partitions,
                    replication_factor: config.default_replication_factor,
                },
                seed: random.next(),
                now_ms: unix_ms,
            },
        )?;
        let cluster = Cluster::new(metadata);
        let strays = choose(&cluster, &dirs, &mut found, doubles).map_err(|error| LogDirError::Io {
            path: config.metadata_log_dir.clone(),
            error,
        })?;
        for dir in &dirs {
            let ours = &cluster.image().cluster_id;
            match &dir.identity().cluster_id {
                Some(theirs) if !ours.is_empty() && **theirs != **ours => {
                    let (path, theirs, ours) = (dir.path().to_owned(), theirs.clone(), ours.to_string());
                    return Err(StartError::OtherCluster { path, theirs, ours });
                }
                _ => {}
            }
        }
        let mut epochs = dirs.iter().map(|dir| dir.clean_epoch());
        let first = epochs.next().flatten();
        let previous_epoch = first
            .filter(|first| epochs.all(|epoch| epoch == Some(*first)))
            .unwrap_or(-1);
        let incarnation = uuid(&mut random);
        let open_files = Arc::new(OpenFiles::new(config.open_files_max));
        let mut node = Node {
            sessions: FetchSessions::new(config.fetch_session_slots),
            groups: Groups::new(&config, random.next()),
            transactions: Transactions::new(&config),
            config: Arc::new(config),
            now: Now {
                elapsed_ms: 0,
                unix_ms,
            },
            random,
            cluster,
            connections: BTreeMap::new(),
            partitions: Default::default(),
            topic_configs: BTreeMap::new(),
            fetches: WaitForBytes::new(),
            acks: WaitForAll::new(),
            reads: BTreeMap::new(),
            aborted: BTreeMap::new(),
            lookups: BTreeMap::new(),
            measuring: BTreeMap::new(),
            conversions: BTreeMap::new(),
            old_clients: OldClients::default(),
            producer_ids: Default::default(),
            creating: Default::default(),
            preparing: BTreeMap::new(),
            registration: Registration {
                incarnation,
                previous_epoch,
                asked: false,
                strays,
                lost: Vec::new(),
                somewhere_else: false,
            },
            broker_epoch: -1,
            disks,
            _metadata_dir: metadata_dir,
            found,
            removing: BTreeMap::new(),
            tail: Tail::new(TAIL_BYTES),
            open_files,
            schedule: Schedule::new(),
            phase: Phase::Running,
            has_dynamic_settings: false,
            out: Default::default(),
            next_job_id: 0,
        };
        node.adopt_dynamic_settings();
        node.registration.lost = node.lost_directories();
        node.registration.somewhere_else =
            !node.registration.lost.is_empty() || node.disks.iter().any(|disk| disk.failed);
        let topics: Vec<_> = node.cluster.image().topics().cloned().collect();
        for topic in topics {
            node.host_topic(&topic);
        }
        node.registration.somewhere_else = false;
        node.begin_waking();
        Ok(node)
    }

    /// Directories that this broker had and that are not here. They are remembered for good: their logs must not be
    /// made anew, empty, only because a disk is not mounted.
    fn lost_directories(&self) -> Vec<Uuid> {
        let known = self.cluster.image().broker(BrokerId(self.config.node_id));
        let known = known.map_or(&[][..], |broker| &broker.directory_ids);
        let dirs = self.disks.iter().filter_map(|disk| disk.dir.as_ref());
        let here: BTreeSet<Uuid> = dirs.map(|dir| dir.identity().directory_id).collect();
        let lost: Vec<Uuid> = known.iter().filter(|id| !here.contains(id)).copied().collect();
        for id in &lost {
            tracing::error!(
                directory_id = %id,
                "a log directory of this broker is missing: what lies in it is out of service"
            );
        }
        lost
    }

    /// Whether this broker is registered, so that Metadata names it: nobody is to be let in before.
    pub fn is_registered(&self) -> bool {
        self.broker_epoch >= 0
    }

    /// Whether this broker is registered and every log that it has is open or has failed.
    pub fn is_ready(&self) -> bool {
        self.is_registered() && self.partitions.opening() == 0
    }

    /// The lanes that this node hands work to, and the directories they work in.
    pub fn lanes(&self) -> Vec<(LaneId, PathBuf)> {
        let metadata = (LaneId::METADATA, self.config.metadata_log_dir.clone());
        let disks = self.disks.iter().map(|disk| (disk.lane, disk.path.clone()));
        std::iter::once(metadata).chain(disks).collect()
    }

    /// Registers this broker with the controller, until that has worked.
    pub(crate) fn register(&mut self) {
        if self.broker_epoch >= 0 || self.registration.asked {
            return;
        }
        self.registration.asked = true;
        let endpoints = self.config.listeners.iter().map(|listener| Endpoint {
            name: listener.name.as_str().into(),
            host: listener.advertised_host.as_deref().unwrap_or("localhost").into(),
            port: listener.advertised_port.unwrap_or(listener.port),
            security_protocol: match listener.protocol {
                SecurityProtocol::Plaintext => 0,
                SecurityProtocol::Ssl => 1,
                SecurityProtocol::SaslPlaintext => 2,
                SecurityProtocol::SaslSsl => 3,
            },
        });
        let dirs = self.disks.iter().filter_map(|disk| disk.dir.as_ref());
        let request = ControllerRequest::RegisterBroker(BrokerRegistration {
            id: BrokerId(self.config.node_id),
            incarnation: self.registration.incarnation,
            endpoints: endpoints.collect(),
            rack: self.config.rack.as_deref().map(Str::from),
            directory_ids: dirs
                .map(|dir| dir.identity().directory_id)
                .chain(self.registration.lost.iter().copied())
                .collect(),
            previous_epoch: self.registration.previous_epoch,
        });
        self.ask_controller(request, REGISTRATION_TIMEOUT_MS, |node, answer| {
            node.registration.asked = false;
            match answer {
                Ok(ControllerResponse::RegisterBroker(epoch)) => {
                    node.broker_epoch = epoch;
                    node.on_registered();
                }
                other => tracing::warn!(refusal = ?refusal(other), "not registered with the controller yet"),
            }
        });
    }

    /// Everything that the cluster had to say about this broker's logs is known by now.
    fn on_registered(&mut self) {
        let cluster_id = self.cluster.image().cluster_id.to_string();
        for disk in &self.disks {
            if let Some(dir) = &disk.dir
                && dir.identity().cluster_id.is_none()
            {
                self.out
                    .job(Job::Identify(disk.lane, dir.clone(), cluster_id.clone()));
            }
        }
        let unknown = std::mem::take(&mut self.found).into_values();
        for stray in std::mem::take(&mut self.registration.strays)
            .into_iter()
            .chain(unknown)
        {
            tracing::warn!(path = %stray.log.path.display(), "a log that no topic owns is put aside");
            if let Some(dir) = self.disk_mut(stray.lane).dir.clone() {
                self.push_job(Job::SetStray(stray.lane, dir, stray.log));
            }
        }
    }
}

/// What it takes to register this broker.
pub(crate) struct Registration {
    /// One run of this process.
    incarnation: Uuid,
    /// The broker epoch of the last run, if that ended in order; else -1.
    previous_epoch: i64,
    /// The controller has not answered yet.
    asked: bool,
    /// Logs that were found twice.
    strays: Vec<Found>,
    /// Ids of directories that this broker once had.
    lost: Vec<Uuid>,
    /// While the broker starts: a log that was not found lies in a directory that is not here.
    pub(crate) somewhere_else: bool,
}

fn identity(config: &BrokerConfig, random: &mut Random) -> Identity {
    Identity {
        node_id: BrokerId(config.node_id),
        cluster_id: config.cluster_id.clone(),
        directory_id: uuid(random),
    }
}

fn uuid(random: &mut Random) -> Uuid {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&random.next().to_be_bytes());
    bytes[8..].copy_from_slice(&random.next().to_be_bytes());
    // Version 4, variant 1 of RFC 9562: that also keeps it away from the few ids with a meaning of their own.
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    Uuid(bytes)
}

/// Takes a directory into use and looks at what lies there. One whose disk gives errors is left out; one that is
/// somebody else's ends the start.
fn open_disk(
    fs: &Arc<dyn Fs>,
    config: &BrokerConfig,
    lane: LaneId,
    path: &std::path::Path,
    random: &mut Random,
    unusable: &mut Vec<(PathBuf, io::Error)>,
) -> Result<(Disk, Vec<Found>), StartError> {
    let looked = LogDir::open(fs, path, &identity(config, random)).and_then(|dir| {
        let io = |error| LogDirError::Io {
            path: path.to_owned(),
            error,
        };
        let points = read_points(&dir).map_err(io)?;
        let logs = dir.logs().map_err(io)?;
        let reserve = config.log.reserve_bytes;
        let held = if dir.holds_reserve(reserve) { reserve } else { 0 };
        let room = if dir.take_reserve(held, reserve).map_err(io)? {
            Room::Ample { held: true }
        } else {
            // The start itself takes some room.
            dir.reduce_reserve(0).map_err(io)?;
            Room::Short { halves: 0 }
        };
        Ok((dir, points, logs, room))
    });
    match looked {
        Ok((dir, points, logs, room)) => {
            let names = logs
                .iter()
                .map(|log| (log.topic.clone(), log.partition))
                .collect();
            let found = logs.into_iter().map(|log| Found { lane, log }).collect();
            let mut disk = Disk::new(lane, path.to_owned(), Some(dir), points, &names);
            disk.room = room;
            if !room.is_ample() {
                tracing::error!(dir = %path.display(), "{NO_ROOM}");
            }
            Ok((disk, found))
        }
        Err(LogDirError::Io { path: at, error }) => {
            unusable.push((at, error));
            Ok((
                Disk::new(lane, path.to_owned(), None, PointsByName::new(), &BTreeSet::new()),
                Vec::new(),
            ))
        }
        Err(other) => Err(other.into()),
    }
}

/// Of logs in several directories that have one name, that of the topic stays; gives the others.
fn choose(
    cluster: &Cluster,
    dirs: &[Arc<LogDir>],
    found: &mut BTreeMap<LogName, Found>,
    doubles: Vec<Found>,
) -> io::Result<Vec<Found>> {
    let mut strays = Vec::new();
    for double in doubles {
        let owner = cluster.topic_by_name(&double.log.topic).map(|topic| topic.id);
        let dir = dirs.iter().find(|dir| double.log.path.starts_with(dir.path()));
        let id = dir.map_or(Ok(None), |dir| dir.topic_id(&double.log))?;
        if id.is_some() && id == owner {
            let name = (double.log.topic.clone(), double.log.partition);
            strays.extend(found.insert(name, double));
        } else {
            strays.push(double);
        }
    }
    Ok(strays)
}

fn read_points(dir: &LogDir) -> io::Result<PointsByName> {
    let mut points = PointsByName::new();
    for (name, offset) in dir.read_checkpoint(Checkpoint::RecoveryPoint)? {
        points.entry(name).or_default().recovery_point = offset;
    }
    for (name, offset) in dir.read_checkpoint(Checkpoint::LogStart)? {
        points.entry(name).or_default().log_start_offset = offset;
    }
    for (name, offset) in dir.read_checkpoint(Checkpoint::Replication)? {
        points.entry(name).or_default().high_watermark = offset;
    }
    for (name, offset) in dir.read_checkpoint(Checkpoint::Cleaner)? {
        points.entry(name).or_default().compacted_to = offset;
    }
    Ok(points)
}
