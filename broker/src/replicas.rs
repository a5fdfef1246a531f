//! Which logs this broker has: it follows what the metadata says, one delta at a time.
//!
//! A partition that appears is opened by a job, one that goes is removed at once for everybody who looks at it,
//! and a log directory that fails takes its partitions with it and nothing else.

use std::collections::BTreeMap;
use std::sync::Arc;

use klamm_consensus::{ConfigResource, MetadataDelta, MetadataImage, Topic};
use klamm_protocol::ids::{BrokerId, TopicId};
use klamm_protocol::{ErrorCode, Str};
use klamm_storage::{LogConfig, LogKey, OpenError, OpenOptions};

use crate::config::TopicConfig;
use crate::groups;
use crate::hosting;
use crate::job::{Job, OpenLog, Opened, Trouble};
use crate::node::{Effect, Node, Phase, Waiter};
use crate::partition::Partition;
use crate::partitions::{Idle, Slot, Why};
use crate::waiting::Patience;
use crate::{LaneId, partition};

/// What is said of a log that cannot be trusted.
const OUT_OF_SERVICE: &str = "the log is damaged, and its partition out of service: restore its directory from a copy, \
                              or delete the topic";
/// Said of the first log, of perhaps many.
const NO_ROOM_TO_OPEN: &str = "there is no room to open the log: its partition, and others like it, are out of service \
                               until there is some";
/// The logs that creating topics makes at once.
const CREATED_AT_ONCE_MAX: usize = 128;

/// How long a request for a log that is not open yet waits for it.
pub(crate) const OPEN_TIMEOUT_MS: u64 = 5_000;

impl Node {
    /// Follows the metadata from one image to the next.
    pub(crate) fn apply(&mut self, image: Arc<MetadataImage>, delta: &MetadataDelta) {
        self.cluster.publish(image);
        if delta
            .configs
            .keys()
            .any(|resource| matches!(resource, ConfigResource::Broker(_)))
        {
            self.reconfigure_broker();
        }
        let deleted: Vec<_> = delta.deleted_topics().cloned().collect();
        for topic in &deleted {
            self.forget_topic(topic);
        }
        if !deleted.is_empty() {
            let names: Vec<_> = deleted.iter().map(|topic| topic.name.clone()).collect();
            groups::topics_deleted(self, &names);
            for name in &names {
                hosting::topic_is_gone(self, name);
            }
        }
        for topic in delta.created_topics() {
            self.host_topic(topic);
        }
        for (_, topic) in delta.changed_topics() {
            self.host_topic(topic);
        }
        for resource in delta.configs.keys() {
            if let ConfigResource::Topic(name) = resource
                && let Some(topic) = self.cluster.topic_by_name(name).cloned()
            {
                self.reconfigure_topic(&topic);
            }
        }
    }

    /// Opens the partitions of a topic that belong here, and lets those that serve know who leads them.
    pub(crate) fn host_topic(&mut self, topic: &Topic) {
        hosting::topic_is(self, &topic.name, topic.id, topic.partitions.len());
        let this = BrokerId(self.config.node_id);
        for (partition, index) in topic.partitions.iter().zip(0..) {
            if !partition.replicas.contains(&this) {
                continue;
            }
            let key = LogKey {
                topic_id: topic.id,
                partition: index,
            };
            match self.partitions.get_mut(&key) {
                Some(Slot::Online(online)) => {
                    online.lead(partition);
                }
                // An opened log takes its epoch from the image of that moment.
                Some(Slot::Idle(_) | Slot::Opening(_) | Slot::Failed(..)) => {}
                None => self.host(topic, key),
            }
        }
    }

    /// A partition belongs here: it gets a place, and its log is opened when somebody needs it.
    fn host(&mut self, topic: &Topic, key: LogKey) {
        let found = self.found.remove(&(topic.name.to_string(), key.partition));
        let lane = match &found {
            Some(found) => found.lane,
            None if self.registration.somewhere_else => {
                return self
                    .partitions
                    .insert(key, Slot::Failed(LaneId::METADATA, Why::Disk));
            }
            None => match self
                .disks
                .iter()
                .filter(|disk| !disk.failed)
                .min_by_key(|disk| (!disk.room.is_ample(), disk.partitions))
            {
                Some(disk) => disk.lane,
                None => {
                    return self
                        .partitions
                        .insert(key, Slot::Failed(LaneId::METADATA, Why::Disk));
                }
            },
        };
        let disk = self.disk_mut(lane);
        disk.partitions += 1;
        let points = found.map(|found| {
            disk.claimed(&found.log);
            disk.points(&(found.log.topic, found.log.partition))
        });
        if disk.failed {
            return self.partitions.insert(key, Slot::Failed(lane, Why::Disk));
        }
        self.partitions.insert(key, Slot::Idle(Idle { lane, points }));
        if hosting::is_coordinators(self, key) {
            self.begin_opening(&key);
            hosting::on_log(self, key);
        }
    }

    /// Whether a log of this broker is being opened; somebody needs it, so an idle one begins to be.
    pub(crate) fn begin_opening(&mut self, key: &LogKey) -> bool {
        match self.partitions.get(key) {
            Some(Slot::Opening(_)) => return true,
            Some(Slot::Idle(idle)) => {
                let idle = *idle;
                if let Some(topic) = self.cluster.topic_by_id(key.topic_id).cloned() {
                    self.open_log(&topic, *key, idle);
                }
            }
            _ => {}
        }
        matches!(self.partitions.get(key), Some(Slot::Opening(_)))
    }

    fn open_log(&mut self, topic: &Topic, key: LogKey, idle: Idle) {
        let lane = idle.lane;
        let config = self.topic_config(topic);
        let disk = self.disk_mut(lane);
        let Some(dir) = disk.dir.clone().filter(|_| !disk.failed) else {
            return self.partitions.insert(key, Slot::Failed(lane, Why::Disk));
        };
        let points = idle.points.unwrap_or_default();
        let options = OpenOptions {
            key,
            directory: dir.log_path(&topic.name, key.partition),
            config: self.log_config(&config),
            tail: self.tail.clone(),
            open_files: self.open_files.clone(),
            recovery_point: points.recovery_point,
            log_start_offset: points.log_start_offset,
            compacted_to: points.compacted_to,
            clean: dir.clean_epoch().is_some(),
            now_ms: self.now.unix_ms,
        };
        self.partitions.insert(key, Slot::Opening(lane));
        let name = (topic.name.to_string(), key.partition);
        self.open_by_job(
            idle.points.is_none(),
            OpenLog {
                key,
                name,
                lane,
                dir,
                options,
            },
        );
    }

    /// What a log has to know of its topic's settings.
    pub(crate) fn log_config(&self, config: &TopicConfig) -> LogConfig {
        let limit = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        LogConfig {
            segment_bytes: u64::from(config.segment_bytes),
            segment_ms: limit(config.segment_ms),
            segment_index_bytes: u64::from(config.segment_index_bytes),
            index_interval_bytes: u64::from(config.index_interval_bytes),
            delete: config.cleanup_delete,
            compact: config.cleanup_compact,
            retention_ms: config.retention_ms.map(limit),
            retention_bytes: config.retention_bytes,
            flush_messages: config.flush_messages.map(limit),
            flush_ms: config.flush_ms.map(limit),
            producer_expiration_ms: limit(self.config.producer_id_expiration_ms),
            fsync_acknowledged: config.sync_before_acknowledging(),
            min_dirty_percent: config.min_dirty_percent,
            min_compaction_lag_ms: limit(config.min_compaction_lag_ms),
            max_compaction_lag_ms: limit(config.max_compaction_lag_ms),
            delete_retention_ms: limit(config.delete_retention_ms),
        }
    }

    /// A job has opened a log, or could not.
    pub(crate) fn on_opened(
        &mut self,
        Opened {
            key,
            name,
            lane,
            result,
            postponed,
        }: Opened,
    ) {
        self.disk_mut(lane).opened(&name, result.is_ok());
        let Some(Slot::Opening(_)) = self.partitions.get(&key) else {
            // Deleted while it was being opened.
            match result {
                Ok(log) => self.delete_log(key, lane, name, log),
                Err(_) => self.remove_unopened(key, lane, name),
            }
            return self.go_on_stopping();
        };
        let topic = self.cluster.topic_by_id(key.topic_id).cloned();
        let place = topic.as_ref().and_then(|topic| {
            topic
                .partitions
                .get(usize::try_from(key.partition).ok()?)
                .map(|place| (topic, place))
        });
        match (result, place) {
            (Ok(log), Some((topic, place))) => {
                let config = self.topic_config(topic);
                let partition = Partition::new(topic.name.clone(), lane, place, config, log);
                let high_watermark = partition.high_watermark();
                self.partitions.insert(key, Slot::Online(Box::new(partition)));
                for waiter in self.acks.advance(key, high_watermark) {
                    self.finish(waiter);
                }
                match &mut self.phase {
                    Phase::Running => hosting::on_log(self, key),
                    Phase::Closing(keys) => {
                        keys.insert(key);
                        self.close_log(key);
                    }
                    _ => {}
                }
            }
            (Ok(_), None) => unreachable!("a partition that is being opened is in the image"),
            (Err(error), _) => {
                let topic_name = topic.as_ref().map_or("", |topic| &topic.name);
                match (error, postponed) {
                    (error, Some(job)) => {
                        self.take_out_of_service(key, lane, Why::Room);
                        let postponed = &mut self.disk_mut(lane).postponed;
                        if postponed.is_empty() {
                            tracing::error!(partition = %partition::name(topic_name, key), %error, NO_ROOM_TO_OPEN);
                        }
                        postponed.push(job);
                        self.on_no_room(lane);
                    }
                    (error @ OpenError::Io { .. }, None) => {
                        self.take_out_of_service(key, lane, Why::Disk);
                        self.on_disk_failed(lane, &error.to_string());
                    }
                    (error, None) => {
                        self.take_out_of_service(key, lane, Why::Damage);
                        tracing::error!(partition = %partition::name(topic_name, key), %error, OUT_OF_SERVICE);
                    }
                }
            }
        }
        self.go_on_stopping();
        self.wake_idle();
    }

    /// A partition stops serving; everything else goes on.
    fn take_out_of_service(&mut self, key: LogKey, lane: LaneId, why: Why) {
        self.partitions.insert(key, Slot::Failed(lane, why));
        self.not_served(key);
        self.abandon(key, ErrorCode::KAFKA_STORAGE_ERROR);
        self.on_maybe_closed(key);
    }

    /// What reads have found out about logs and disks.
    pub(crate) fn on_read_troubles(&mut self, troubles: Vec<(LogKey, Trouble)>) {
        for (key, trouble) in troubles {
            let Some(Slot::Online(partition)) = self.partitions.get(&key) else {
                continue;
            };
            let lane = partition.lane;
            match trouble {
                Trouble::Disk(reason) => self.on_disk_failed(lane, &reason),
                Trouble::Damaged(error) => {
                    let partition_name = partition::name(&partition.topic, key);
                    tracing::error!(partition = %partition_name, %error, OUT_OF_SERVICE);
                    let (name, points) = (partition.log_name(key), partition.points());
                    self.disk_mut(lane).closed(name, points);
                    self.take_out_of_service(key, lane, Why::Damage);
                }
            }
        }
    }

    /// A partition is not served here any more, nor are the groups in it.
    fn not_served(&mut self, key: LogKey) {
        hosting::not_served(self, key);
    }

    fn forget_topic(&mut self, topic: &Topic) {
        self.topic_configs.remove(&topic.id);
        for index in 0..i32::try_from(topic.partitions.len()).unwrap_or(i32::MAX) {
            let key = LogKey {
                topic_id: topic.id,
                partition: index,
            };
            match self.partitions.remove(&key) {
                Some(Slot::Online(partition)) => {
                    self.disk_mut(partition.lane).partitions -= 1;
                    let name = (topic.name.to_string(), index);
                    self.delete_log(key, partition.lane, name, partition.log);
                }
                Some(Slot::Idle(idle)) => {
                    self.disk_mut(idle.lane).partitions -= 1;
                    if idle.points.is_some() {
                        self.remove_unopened(key, idle.lane, (topic.name.to_string(), index));
                    }
                }
                // What is being opened is removed when it comes.
                Some(Slot::Opening(lane)) => self.disk_mut(lane).partitions -= 1,
                // It never had a place.
                Some(Slot::Failed(LaneId::METADATA, _)) => {}
                Some(Slot::Failed(lane, _)) => {
                    self.disk_mut(lane).partitions -= 1;
                    self.remove_unopened(key, lane, (topic.name.to_string(), index));
                }
                None => continue,
            }
            self.not_served(key);
            self.abandon(key, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
            self.on_maybe_closed(key);
        }
    }

    /// A disk does not do what it should: all that lies on it stops serving, and nothing else.
    ///
    /// The process cannot go on without the directory of the metadata log, and has nothing to do without any.
    pub(crate) fn on_disk_failed(&mut self, lane: LaneId, reason: &str) {
        let disk = self.disk_mut(lane);
        if std::mem::replace(&mut disk.failed, true) {
            return;
        }
        let (dir, path) = (disk.path.display().to_string(), disk.path.clone());
        if path == self.config.metadata_log_dir {
            let why = format!("the log directory {dir}, which holds the metadata log, failed: {reason}");
            self.push(Effect::Failed(why));
        } else if self.disks.iter().all(|disk| disk.failed) {
            let why = format!("the last of the log directories, {dir}, failed: {reason}");
            self.push(Effect::Failed(why));
        } else {
            tracing::error!(
                dir,
                reason,
                "the log directory failed: what lies in it is out of service"
            );
        }
        for key in self.take_held(lane) {
            self.take_out_of_service(key, lane, Why::Disk);
        }
        let keys: Vec<LogKey> = self
            .partitions
            .iter()
            .filter(|(_, slot)| match slot {
                Slot::Online(partition) => partition.lane == lane,
                Slot::Idle(idle) => idle.lane == lane,
                Slot::Failed(failed, why) => *failed == lane && *why != Why::Disk,
                Slot::Opening(_) => false,
            })
            .map(|(key, _)| *key)
            .collect();
        for key in keys {
            self.take_out_of_service(key, lane, Why::Disk);
        }
        self.go_on_stopping();
    }

    /// The settings of a topic, resolved once and shared by its partitions.
    pub(crate) fn topic_config(&mut self, topic: &Topic) -> Arc<TopicConfig> {
        if let Some(config) = self.topic_configs.get(&topic.id) {
            return config.clone();
        }
        let overrides = self.cluster.topic_overrides(&topic.name);
        let config = Arc::new(TopicConfig::resolve(&self.config.values, &overrides));
        self.topic_configs.insert(topic.id, config.clone());
        config
    }

    fn reconfigure_topic(&mut self, topic: &Topic) {
        self.topic_configs.remove(&topic.id);
        let config = self.topic_config(topic);
        for index in 0..i32::try_from(topic.partitions.len()).unwrap_or(i32::MAX) {
            let key = LogKey {
                topic_id: topic.id,
                partition: index,
            };
            let log_config = self.log_config(&config);
            if let Ok(partition) = self.partitions.online(&key) {
                partition.config = config.clone();
                partition.log.set_config(log_config);
            }
        }
    }

    /// Takes over what AlterConfigs has set for this broker and for all.
    pub(crate) fn adopt_dynamic_settings(&mut self) {
        let (cluster, own) = self.dynamic_settings();
        if !cluster.is_empty() || !own.is_empty() || self.has_dynamic_settings {
            self.has_dynamic_settings = true;
            self.config = Arc::new(self.config.with_dynamic(&cluster, &own));
        }
    }

    /// What AlterConfigs has set for all brokers, and for this one.
    pub(crate) fn dynamic_settings(&self) -> (BTreeMap<String, String>, BTreeMap<String, String>) {
        let of = |resource| -> BTreeMap<String, String> {
            let configs = self.cluster.image().configs(&ConfigResource::Broker(resource));
            let pairs = configs.into_iter().flat_map(|configs| configs.iter());
            pairs
                .map(|(name, value)| (name.to_string(), value.to_string()))
                .collect()
        };
        (of(None), of(Some(BrokerId(self.config.node_id))))
    }

    /// Settings of this broker, or of all brokers, changed; topics inherit some of them.
    fn reconfigure_broker(&mut self) {
        self.adopt_dynamic_settings();
        let topics: Vec<Arc<Topic>> = self.cluster.image().topics().cloned().collect();
        for topic in topics {
            self.reconfigure_topic(&topic);
        }
    }

    /// Goes on once the logs of these topics that are here are open, or cannot be, or time is over: whoever was told
    /// "created" writes next. Of very many, each is made when it is written to.
    pub(crate) fn when_topics_open(
        &mut self,
        topics: &[TopicId],
        timeout_ms: u64,
        then: impl FnOnce(&mut Node) + Send + 'static,
    ) {
        let topics = topics.iter().filter_map(|id| self.cluster.topic_by_id(*id));
        let keys = topics.flat_map(|topic| {
            let partitions = 0..i32::try_from(topic.partitions.len()).unwrap_or(i32::MAX);
            let topic_id = topic.id;
            partitions.map(move |partition| LogKey { topic_id, partition })
        });
        let keys: Vec<LogKey> = keys.take(CREATED_AT_ONCE_MAX + 1).collect();
        let few = keys.len() <= CREATED_AT_ONCE_MAX;
        self.when_open(if few { keys } else { Vec::new() }, timeout_ms, then);
    }

    /// The logs of partitions that a request names, as far as there are such topics.
    pub(crate) fn logs_named<'a, P>(&self, topics: impl IntoIterator<Item = (&'a Str, P)>) -> Vec<LogKey>
    where
        P: IntoIterator<Item = i32>,
    {
        let mut keys = Vec::new();
        for (name, partitions) in topics {
            if let Some(topic_id) = self.cluster.topic_by_name(name).map(|topic| topic.id) {
                let partitions = partitions.into_iter();
                keys.extend(partitions.map(|partition| LogKey { topic_id, partition }));
            }
        }
        keys
    }

    /// Goes on once those of these logs that are not open yet are, or cannot be, or time is over.
    pub(crate) fn when_open(
        &mut self,
        keys: impl IntoIterator<Item = LogKey>,
        timeout_ms: u64,
        then: impl FnOnce(&mut Node) + Send + 'static,
    ) {
        let mut opening: Vec<LogKey> = keys.into_iter().collect();
        opening.retain(|key| self.begin_opening(key));
        if opening.is_empty() {
            return then(self);
        }
        let deadline_ms = Some(self.now.elapsed_ms.saturating_add(timeout_ms));
        self.acks.park(
            Waiter::Then(Box::new(then)),
            opening.into_iter().map(|key| (key, 0)),
            Patience {
                deadline_ms,
                connection: None,
            },
        );
    }

    /// A partition that serves, or the code that says why there is none.
    pub(crate) fn partition_of(&self, topic_id: TopicId, partition: i32) -> Result<&Partition, ErrorCode> {
        self.partitions
            .get_online(&LogKey { topic_id, partition })
            .map_err(|absent| absent.code())
    }

    pub(crate) fn push_job(&mut self, job: Job) {
        self.push(Effect::Job(job));
    }
}
