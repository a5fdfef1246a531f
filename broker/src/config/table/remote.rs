//! Tiered storage.

use super::reason;
use crate::config::setting::{Setting, boolean, double, int, long, string, string_or_null};

pub(super) const SETTINGS: &[Setting] = &[
    long("log.local.retention.bytes", "-2")
        .at_least(-2)
        .cluster_wide()
        .inert(reason::NO_TIERED)
        .doc("Bytes of a tiered topic that stay on this broker."),
    long("log.local.retention.ms", "-2")
        .at_least(-2)
        .cluster_wide()
        .inert(reason::NO_TIERED)
        .doc("How long records of a tiered topic stay on this broker, in milliseconds."),
    long("log.remote.copy.lag.bytes", "-1")
        .at_least(-1)
        .cluster_wide()
        .inert(reason::NO_TIERED)
        .doc("Bytes that have to follow a segment before it is copied to the remote tier."),
    long("log.remote.copy.lag.ms", "0")
        .at_least(-1)
        .cluster_wide()
        .inert(reason::NO_TIERED)
        .doc("Age of a segment before it is copied to the remote tier, in milliseconds."),
    boolean("follower.fetch.last.tiered.offset.enable", "false")
        .cluster_wide()
        .inert(reason::NO_TIERED)
        .doc("Whether an empty replica begins at the end of the remote tier."),
    int("remote.fetch.max.wait.ms", "500")
        .at_least(1)
        .cluster_wide()
        .inert(reason::NO_TIERED)
        .doc("How long a fetch waits for the remote tier, in milliseconds."),
    long("remote.list.offsets.request.timeout.ms", "30000")
        .at_least(1)
        .cluster_wide()
        .inert(reason::NO_TIERED)
        .doc("How long a look-up in the remote tier may take, in milliseconds."),
    long("remote.log.index.file.cache.total.size.bytes", "1073741824")
        .at_least(1)
        .cluster_wide()
        .inert(reason::NO_TIERED)
        .doc("Disk space for remote indexes, in bytes."),
    long("remote.log.index.file.cache.ttl.ms", "900000")
        .at_least(-1)
        .inert(reason::NO_TIERED)
        .internal()
        .doc("How long unused remote indexes are kept, in milliseconds."),
    int("remote.log.manager.copier.thread.pool.size", "10")
        .at_least(1)
        .cluster_wide()
        .inert(reason::NO_TIERED)
        .doc("Threads that copy segments to the remote tier."),
    long(
        "remote.log.manager.copy.max.bytes.per.second",
        "9223372036854775807",
    )
    .at_least(1)
    .cluster_wide()
    .inert(reason::NO_TIERED)
    .doc("Most bytes a second that are copied to the remote tier."),
    int("remote.log.manager.copy.quota.window.num", "11")
        .at_least(1)
        .inert(reason::NO_TIERED)
        .doc("Samples kept for that limit."),
    int("remote.log.manager.copy.quota.window.size.seconds", "1")
        .at_least(1)
        .inert(reason::NO_TIERED)
        .doc("Length of each of these samples, in seconds."),
    int("remote.log.manager.expiration.thread.pool.size", "10")
        .at_least(1)
        .cluster_wide()
        .inert(reason::NO_TIERED)
        .doc("Threads that delete remote segments."),
    long(
        "remote.log.manager.fetch.max.bytes.per.second",
        "9223372036854775807",
    )
    .at_least(1)
    .cluster_wide()
    .inert(reason::NO_TIERED)
    .doc("Most bytes a second that are read from the remote tier."),
    int("remote.log.manager.fetch.quota.window.num", "11")
        .at_least(1)
        .inert(reason::NO_TIERED)
        .doc("Samples kept for that limit."),
    int("remote.log.manager.fetch.quota.window.size.seconds", "1")
        .at_least(1)
        .inert(reason::NO_TIERED)
        .doc("Length of each of these samples, in seconds."),
    int("remote.log.manager.follower.thread.pool.size", "2")
        .at_least(1)
        .cluster_wide()
        .inert(reason::NO_TIERED)
        .doc("Threads that follow the remote tier's metadata."),
    long("remote.log.manager.task.interval.ms", "30000")
        .at_least(1)
        .inert(reason::NO_TIERED)
        .doc("How often work on the remote tier is looked for, in milliseconds."),
    long("remote.log.manager.task.retry.backoff.max.ms", "30000")
        .at_least(1)
        .inert(reason::NO_TIERED)
        .internal()
        .doc("Longest pause after failed work on the remote tier, in milliseconds."),
    long("remote.log.manager.task.retry.backoff.ms", "500")
        .at_least(1)
        .inert(reason::NO_TIERED)
        .internal()
        .doc("First pause after failed work on the remote tier, in milliseconds."),
    double("remote.log.manager.task.retry.jitter", "0.2")
        .fraction(0.0, 0.5)
        .inert(reason::NO_TIERED)
        .internal()
        .doc("Random share added to these pauses."),
    int("remote.log.manager.thread.pool.size", "2")
        .at_least(1)
        .inert(reason::NO_TIERED)
        .doc("Threads that plan work on the remote tier."),
    int("remote.log.metadata.custom.metadata.max.bytes", "128")
        .at_least(0)
        .inert(reason::NO_TIERED)
        .doc("Largest note that a storage plugin may keep with a segment, in bytes."),
    string(
        "remote.log.metadata.manager.class.name",
        "org.apache.kafka.server.log.remote.metadata.storage.TopicBasedRemoteLogMetadataManager",
    )
    .inert(reason::NO_TIERED)
    .doc("Java class that keeps the remote tier's metadata."),
    string_or_null("remote.log.metadata.manager.class.path")
        .inert(reason::NO_TIERED)
        .doc("Where that class lies."),
    string("remote.log.metadata.manager.impl.prefix", "rlmm.config.")
        .inert(reason::NO_TIERED)
        .doc("What the names of its own settings begin with."),
    string_or_null("remote.log.metadata.manager.listener.name")
        .inert(reason::NO_TIERED)
        .doc("Listener it connects to."),
    int("remote.log.reader.max.pending.tasks", "100")
        .at_least(1)
        .inert(reason::NO_TIERED)
        .doc("Reads from the remote tier that may wait."),
    int("remote.log.reader.threads", "10")
        .at_least(1)
        .cluster_wide()
        .inert(reason::NO_TIERED)
        .doc("Threads that read from the remote tier."),
    string_or_null("remote.log.storage.manager.class.name")
        .inert(reason::NO_TIERED)
        .doc("Java class that stores remote segments."),
    string_or_null("remote.log.storage.manager.class.path")
        .inert(reason::NO_TIERED)
        .doc("Where that class lies."),
    string("remote.log.storage.manager.impl.prefix", "rsm.config.")
        .inert(reason::NO_TIERED)
        .doc("What the names of its own settings begin with."),
    boolean("remote.log.storage.system.enable", "false")
        .refused(reason::NO_TIERED)
        .doc("Whether segments are also kept in a remote tier."),
];
