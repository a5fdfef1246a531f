//! The broker's settings as code reads them. Units stand last in the names; `None` is "without limit".

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::listener::{Listener, ListenerError, listeners};
use super::topic_config::TopicConfig;
use super::values::Values;

/// Files of logs that stay open at a time, where the process may have so many and more.
const OPEN_FILES_MAX: usize = 4_096;

/// Everything that is settled about one broker.
#[derive(Clone, Debug)]
pub struct BrokerConfig {
    /// Where it all comes from; for DescribeConfigs and for the settings of topics.
    pub values: Values,
    /// Number of this node.
    pub node_id: i32,
    /// Where it stands.
    pub rack: Option<String>,
    /// The cluster's id where somebody chose one; else the first start makes one.
    pub cluster_id: Option<String>,
    /// Files of logs that stay open at a time; the rest open when they are needed. Not a setting: the process lowers it
    /// where it may not have so many.
    pub open_files_max: usize,
    /// Data directories; never empty.
    pub log_dirs: Vec<PathBuf>,
    /// Directory of the metadata log.
    pub metadata_log_dir: PathBuf,
    /// Addresses for clients; never empty.
    pub listeners: Vec<Listener>,
    /// Sockets and the memory of requests.
    pub network: NetworkConfig,
    /// Whether asking for a topic creates it.
    pub auto_create_topics: bool,
    /// Whether topics can be deleted.
    pub delete_topic_enable: bool,
    /// Partitions of a topic created without a number.
    pub num_partitions: i32,
    /// Replicas of a topic created without a number.
    pub default_replication_factor: i16,
    /// Most bytes of records in one fetch answer.
    pub fetch_max_bytes: usize,
    /// Fetch sessions that are kept.
    pub fetch_session_slots: usize,
    /// Most partitions in one answer to DescribeTopicPartitions.
    pub describe_partitions_max: usize,
    /// Whether every record of a compressed batch is looked at before it is stored.
    pub validate_compressed: bool,
    /// How long an idle idempotent producer is remembered.
    pub producer_id_expiration_ms: u64,
    /// The work on all logs.
    pub log: LogConfig,
    /// What a topic is like that sets nothing itself.
    pub topic_defaults: TopicConfig,
    /// Classic and consumer groups.
    pub group: GroupConfig,
    /// Committed offsets.
    pub offsets: OffsetsConfig,
    /// Transactions.
    pub transactions: TransactionConfig,
}

/// Sockets and the memory of requests.
#[derive(Clone, Debug)]
pub struct NetworkConfig {
    /// Largest request.
    pub request_max_bytes: usize,
    /// Memory of all requests that are read or handled.
    pub queued_max_request_bytes: usize,
    /// Connections that may wait to be accepted.
    pub backlog: u32,
    /// Idle time after which a connection is closed; `None` for never.
    pub connections_max_idle_ms: Option<u64>,
    /// Most connections.
    pub max_connections: usize,
    /// Most connections from one address.
    pub max_connections_per_ip: usize,
    /// Exceptions from that, by address or host name.
    pub max_connections_per_ip_overrides: BTreeMap<String, usize>,
}

/// The work on all logs of the broker.
#[derive(Clone, Debug)]
pub struct LogConfig {
    /// How often retention looks.
    pub retention_check_interval_ms: u64,
    /// Whether logs are compacted.
    pub cleaner_enable: bool,
    /// How often compaction looks.
    pub cleaner_backoff_ms: u64,
    /// Memory for the keys of a log that is compacted.
    pub cleaner_dedupe_buffer_bytes: usize,
    /// How often recovery points are written down.
    pub recovery_checkpoint_interval_ms: u64,
    /// `klamm.reserve.bytes`.
    pub reserve_bytes: u64,
}

/// Groups of consumers.
#[derive(Clone, Debug)]
pub struct GroupConfig {
    /// Shortest session timeout of a classic member.
    pub min_session_timeout_ms: i32,
    /// Longest session timeout of a classic member.
    pub max_session_timeout_ms: i32,
    /// How long the first rebalance of an empty classic group waits.
    pub initial_rebalance_delay_ms: i32,
    /// Most members of a classic group.
    pub max_size: usize,
}

/// Committed offsets and the topic they lie in.
#[derive(Clone, Debug)]
pub struct OffsetsConfig {
    /// Longest note that comes with an offset.
    pub metadata_max_bytes: usize,
    /// How long the offsets of an unused group are kept.
    pub retention_ms: u64,
    /// How often it is checked for offsets to forget.
    pub retention_check_interval_ms: u64,
    /// Partitions of `__consumer_offsets`.
    pub topic_num_partitions: i32,
    /// Replicas of `__consumer_offsets`.
    pub topic_replication_factor: i16,
    /// Segment size of `__consumer_offsets`.
    pub topic_segment_bytes: u32,
}

/// Transactions and the topic they lie in.
#[derive(Clone, Debug)]
pub struct TransactionConfig {
    /// Longest timeout of a transaction.
    pub max_timeout_ms: i32,
    /// How often transactions are looked for that took too long.
    pub time_out_interval_ms: u64,
    /// How long an unused transactional id is remembered.
    pub id_expiration_ms: i64,
    /// How often such ids are looked for.
    pub expire_interval_ms: u64,
    /// Whether a batch has to belong to a transaction that its coordinator knows.
    pub verify: bool,
    /// Partitions of `__transaction_state`.
    pub topic_num_partitions: i32,
    /// Replicas of `__transaction_state`.
    pub topic_replication_factor: i16,
    /// Least replicas in sync of `__transaction_state`.
    pub topic_min_isr: i32,
    /// Segment size of `__transaction_state`.
    pub topic_segment_bytes: u32,
}

/// Memory of requests where `queued.max.request.bytes` is -1.
const QUEUED_MAX_REQUEST_BYTES: usize = 32 << 20;

/// Least number of connections that may wait to be accepted.
const BACKLOG_MIN: u32 = 1024;

impl BrokerConfig {
    /// Reads all settings of checked values. `hostname` as in [`super::load`].
    ///
    /// # Errors
    /// If the listeners do not fit together.
    pub fn from_values(values: Values, hostname: Option<&str>) -> Result<BrokerConfig, ListenerError> {
        let listeners = listeners(&values, hostname)?;
        let log_dirs = log_dirs(&values);
        let metadata_log_dir = values
            .text("metadata.log.dir")
            .map(PathBuf::from)
            .unwrap_or_else(|| log_dirs[0].clone());
        Ok(BrokerConfig {
            node_id: node_id(&values),
            rack: values
                .text("broker.rack")
                .filter(|rack| !rack.is_empty())
                .map(str::to_owned),
            cluster_id: None,
            open_files_max: OPEN_FILES_MAX,
            log_dirs,
            metadata_log_dir,
            listeners,
            network: network(&values),
            auto_create_topics: values.boolean("auto.create.topics.enable"),
            delete_topic_enable: values.boolean("delete.topic.enable"),
            num_partitions: values.int("num.partitions"),
            default_replication_factor: short(&values, "default.replication.factor"),
            fetch_max_bytes: values.count("fetch.max.bytes"),
            fetch_session_slots: values.count("max.incremental.fetch.session.cache.slots"),
            describe_partitions_max: values.count("max.request.partition.size.limit"),
            validate_compressed: values.boolean("klamm.validate.compressed"),
            producer_id_expiration_ms: values.span("producer.id.expiration.ms"),
            log: log(&values),
            topic_defaults: TopicConfig::resolve(&values, &BTreeMap::new()),
            group: group(&values),
            offsets: offsets(&values),
            transactions: transactions(&values),
            values,
        })
    }

    /// The same broker after AlterConfigs: `cluster` holds what is set for all brokers, `own` for this one.
    /// Listeners and directories stay as they were at the start. Values that do not pass their check are left
    /// out: they were refused when somebody tried to set them.
    pub fn with_dynamic(
        &self,
        cluster: &BTreeMap<String, String>,
        own: &BTreeMap<String, String>,
    ) -> BrokerConfig {
        let valid = |layer: &BTreeMap<String, String>| -> BTreeMap<String, String> {
            let passes = |(name, value): &(&String, &String)| {
                super::table::broker_setting(name).is_some_and(|setting| setting.check(value).is_ok())
            };
            layer
                .iter()
                .filter(passes)
                .map(|(name, value)| (name.clone(), value.clone()))
                .collect()
        };
        let values = Values {
            fixed: self.values.fixed.clone(),
            cluster: valid(cluster),
            own: valid(own),
        };
        BrokerConfig {
            network: network(&values),
            log: log(&values),
            auto_create_topics: self.auto_create_topics,
            producer_id_expiration_ms: values.span("producer.id.expiration.ms"),
            topic_defaults: TopicConfig::resolve(&values, &BTreeMap::new()),
            transactions: transactions(&values),
            values,
            ..self.clone()
        }
    }

    /// The settings of a topic that sets `overrides` itself.
    pub fn topic(&self, overrides: &BTreeMap<String, String>) -> TopicConfig {
        TopicConfig::resolve(&self.values, overrides)
    }

    /// The listener of this name.
    pub fn listener(&self, name: &str) -> Option<&Listener> {
        self.listeners.iter().find(|listener| listener.name == name)
    }
}

impl Default for BrokerConfig {
    /// What `klamm` without arguments runs with.
    fn default() -> BrokerConfig {
        BrokerConfig::from_values(Values::default(), None).expect("the default listeners fit together")
    }
}

/// `broker.id` is the older name and counts where the newer one is not set.
fn node_id(values: &Values) -> i32 {
    let own = values.set("node.id").is_none() && values.set("broker.id").is_some();
    values.int(if own { "broker.id" } else { "node.id" })
}

fn log_dirs(values: &Values) -> Vec<PathBuf> {
    let several = values.list("log.dirs");
    let names = if several.is_empty() {
        values.list("log.dir")
    } else {
        several
    };
    let mut dirs: Vec<PathBuf> = Vec::new();
    for dir in names.into_iter().map(PathBuf::from) {
        if !dirs.contains(&dir) {
            dirs.push(dir);
        }
    }
    if dirs.is_empty() {
        vec![PathBuf::from("./klamm-data")]
    } else {
        dirs
    }
}

fn short(values: &Values, name: &str) -> i16 {
    i16::try_from(values.int(name)).unwrap_or(i16::MAX)
}

fn network(values: &Values) -> NetworkConfig {
    let overrides = values.list("max.connections.per.ip.overrides");
    NetworkConfig {
        request_max_bytes: values.count("socket.request.max.bytes"),
        queued_max_request_bytes: usize::try_from(values.long("queued.max.request.bytes"))
            .ok()
            .filter(|bytes| *bytes > 0)
            .unwrap_or(QUEUED_MAX_REQUEST_BYTES),
        backlog: u32::try_from(values.int("socket.listen.backlog.size"))
            .unwrap_or(0)
            .max(BACKLOG_MIN),
        connections_max_idle_ms: u64::try_from(values.long("connections.max.idle.ms")).ok(),
        max_connections: values.count("max.connections"),
        max_connections_per_ip: values.count("max.connections.per.ip"),
        max_connections_per_ip_overrides: overrides
            .iter()
            .filter_map(|entry| entry.rsplit_once(':'))
            .filter_map(|(host, count)| Some((host.trim().to_owned(), count.trim().parse().ok()?)))
            .collect(),
    }
}

fn log(values: &Values) -> LogConfig {
    LogConfig {
        retention_check_interval_ms: values.span("log.retention.check.interval.ms"),
        cleaner_enable: values.boolean("log.cleaner.enable"),
        cleaner_backoff_ms: values.span("log.cleaner.backoff.ms"),
        cleaner_dedupe_buffer_bytes: usize::try_from(values.long("log.cleaner.dedupe.buffer.size"))
            .unwrap_or(0),
        reserve_bytes: values.span("klamm.reserve.bytes"),
        recovery_checkpoint_interval_ms: values.span("log.flush.offset.checkpoint.interval.ms"),
    }
}

fn group(values: &Values) -> GroupConfig {
    GroupConfig {
        min_session_timeout_ms: values.int("group.min.session.timeout.ms"),
        max_session_timeout_ms: values.int("group.max.session.timeout.ms"),
        initial_rebalance_delay_ms: values.int("group.initial.rebalance.delay.ms"),
        max_size: values.count("group.max.size"),
    }
}

fn offsets(values: &Values) -> OffsetsConfig {
    OffsetsConfig {
        metadata_max_bytes: usize::try_from(values.int("offset.metadata.max.bytes")).unwrap_or(0),
        retention_ms: values.span("offsets.retention.minutes") * 60_000,
        retention_check_interval_ms: values.span("offsets.retention.check.interval.ms"),
        topic_num_partitions: values.int("offsets.topic.num.partitions"),
        topic_replication_factor: short(values, "offsets.topic.replication.factor"),
        topic_segment_bytes: u32::try_from(values.int("offsets.topic.segment.bytes")).unwrap_or(u32::MAX),
    }
}

fn transactions(values: &Values) -> TransactionConfig {
    TransactionConfig {
        max_timeout_ms: values.int("transaction.max.timeout.ms"),
        time_out_interval_ms: values.span("transaction.abort.timed.out.transaction.cleanup.interval.ms"),
        id_expiration_ms: i64::from(values.int("transactional.id.expiration.ms")),
        expire_interval_ms: values.span("transaction.remove.expired.transaction.cleanup.interval.ms"),
        verify: values.boolean("transaction.partition.verification.enable"),
        topic_num_partitions: values.int("transaction.state.log.num.partitions"),
        topic_replication_factor: short(values, "transaction.state.log.replication.factor"),
        topic_min_isr: values.int("transaction.state.log.min.isr"),
        topic_segment_bytes: u32::try_from(values.int("transaction.state.log.segment.bytes"))
            .unwrap_or(u32::MAX),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect()
    }

    #[test]
    fn without_settings_it_is_a_broker_on_9092_that_creates_topics() {
        let config = BrokerConfig::default();
        assert_eq!(config.node_id, 1);
        assert_eq!(config.listeners[0].port, 9092);
        assert_eq!(config.log_dirs, [PathBuf::from("./klamm-data")]);
        assert_eq!(config.metadata_log_dir, config.log_dirs[0]);
        assert!(config.auto_create_topics);
        assert_eq!(config.network.queued_max_request_bytes, 32 << 20);
        assert_eq!(config.network.request_max_bytes, 100 << 20);
    }

    #[test]
    fn a_broker_s_own_dynamic_value_wins_over_the_cluster_s() {
        let config = BrokerConfig::default();
        let changed = config.with_dynamic(
            &map(&[
                ("message.max.bytes", "2000"),
                ("log.retention.ms", "7"),
                ("max.connections", "many"),
            ]),
            &map(&[("message.max.bytes", "3000")]),
        );
        assert_eq!(changed.topic_defaults.max_message_bytes, 3000);
        assert_eq!(changed.topic_defaults.retention_ms, Some(7));
        assert_eq!(changed.network.max_connections, config.network.max_connections);
    }
}
