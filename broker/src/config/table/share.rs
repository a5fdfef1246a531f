//! Share groups and streams groups.

use super::reason;
use crate::config::setting::{Setting, boolean, class_or_null, int, list, long, short, string};

pub(super) const SETTINGS: &[Setting] = &[
    boolean("errors.deadletterqueue.auto.create.topics.enable", "false")
        .cluster_wide()
        .inert(reason::NO_SHARE)
        .doc("Whether dead-letter topics are created by themselves."),
    string("errors.deadletterqueue.topic.name.prefix", "dlq.")
        .cluster_wide()
        .inert(reason::NO_SHARE)
        .doc("What the names of dead-letter topics begin with."),
    int("group.share.assignment.interval.ms", "1000")
        .at_least(0)
        .cluster_wide()
        .inert(reason::NO_SHARE)
        .doc("Shortest time between two assignments of a share group, in milliseconds."),
    boolean("group.share.assignor.offload.enable", "true")
        .cluster_wide()
        .inert(reason::NO_SHARE)
        .internal()
        .doc("Whether share groups' assignments are computed on a thread of their own."),
    list("group.share.assignors", "simple")
        .inert(reason::NO_SHARE)
        .doc("Ways to assign partitions to a share group."),
    int("group.share.delivery.count.limit", "5")
        .between(2, 10)
        .inert(reason::NO_SHARE)
        .doc("How often a record is delivered before it is given up."),
    string(
        "group.share.dlq.manager.class.name",
        "org.apache.kafka.server.share.dlq.DefaultShareGroupDLQManager",
    )
    .inert(reason::NO_SHARE)
    .internal()
    .doc("Java class that writes dead letters."),
    int("group.share.heartbeat.interval.ms", "5000")
        .at_least(1)
        .inert(reason::NO_SHARE)
        .doc("How often members of a share group send a heartbeat, in milliseconds."),
    int("group.share.initialize.retry.interval.ms", "30000")
        .at_least(1)
        .inert(reason::NO_SHARE)
        .internal()
        .doc("Pause before a share partition is initialised again, in milliseconds."),
    int("group.share.max.assignment.interval.ms", "15000")
        .at_least(0)
        .inert(reason::NO_SHARE)
        .doc("Upper bound of the assignment interval a share group may set, in milliseconds."),
    int("group.share.max.delivery.count.limit", "10")
        .between(5, 25)
        .inert(reason::NO_SHARE)
        .doc("Upper bound of the delivery limit a share group may set."),
    int("group.share.max.heartbeat.interval.ms", "15000")
        .at_least(1)
        .inert(reason::NO_SHARE)
        .doc("Upper bound of the heartbeat interval a share group may set, in milliseconds."),
    int("group.share.max.partition.max.record.locks", "4000")
        .between(2000, 10_000)
        .inert(reason::NO_SHARE)
        .doc("Upper bound of the record locks a share group may set."),
    int("group.share.max.record.lock.duration.ms", "60000")
        .between(30_000, 3_600_000)
        .inert(reason::NO_SHARE)
        .doc("Upper bound of the lock duration a share group may set, in milliseconds."),
    int("group.share.max.session.timeout.ms", "60000")
        .at_least(1)
        .inert(reason::NO_SHARE)
        .doc("Upper bound of the session timeout a share group may set, in milliseconds."),
    int("group.share.max.share.sessions", "2000")
        .at_least(1)
        .inert(reason::NO_SHARE)
        .doc("Share sessions that a broker keeps."),
    int("group.share.max.size", "200")
        .between(1, 1000)
        .inert(reason::NO_SHARE)
        .doc("Most members of a share group."),
    int("group.share.min.assignment.interval.ms", "0")
        .at_least(0)
        .inert(reason::NO_SHARE)
        .doc("Lower bound of the assignment interval a share group may set, in milliseconds."),
    int("group.share.min.delivery.count.limit", "2")
        .between(2, 5)
        .inert(reason::NO_SHARE)
        .doc("Lower bound of the delivery limit a share group may set."),
    int("group.share.min.heartbeat.interval.ms", "5000")
        .at_least(1)
        .inert(reason::NO_SHARE)
        .doc("Lower bound of the heartbeat interval a share group may set, in milliseconds."),
    int("group.share.min.partition.max.record.locks", "100")
        .between(100, 2000)
        .inert(reason::NO_SHARE)
        .doc("Lower bound of the record locks a share group may set."),
    int("group.share.min.record.lock.duration.ms", "15000")
        .between(1000, 30_000)
        .inert(reason::NO_SHARE)
        .doc("Lower bound of the lock duration a share group may set, in milliseconds."),
    int("group.share.min.session.timeout.ms", "45000")
        .at_least(1)
        .inert(reason::NO_SHARE)
        .doc("Lower bound of the session timeout a share group may set, in milliseconds."),
    int("group.share.partition.max.record.locks", "2000")
        .between(100, 10_000)
        .inert(reason::NO_SHARE)
        .doc("Records of one share partition that may be locked at a time."),
    string(
        "group.share.persister.class.name",
        "org.apache.kafka.server.share.persister.DefaultStatePersister",
    )
    .inert(reason::NO_SHARE)
    .internal()
    .doc("Java class that stores the state of share groups."),
    int("group.share.record.lock.duration.ms", "30000")
        .between(1000, 3_600_000)
        .inert(reason::NO_SHARE)
        .doc("How long a consumer may hold a record of a share group, in milliseconds."),
    int("group.share.session.timeout.ms", "45000")
        .at_least(1)
        .inert(reason::NO_SHARE)
        .doc("Session timeout of a share group's members, in milliseconds."),
    int("share.coordinator.append.linger.ms", "-1")
        .at_least(-1)
        .inert(reason::NO_SHARE)
        .doc("How long the share coordinator gathers records, in milliseconds."),
    int("share.coordinator.cached.buffer.max.bytes", "1048588")
        .at_least(524_288)
        .cluster_wide()
        .inert(reason::NO_SHARE)
        .doc("Memory the share coordinator keeps for gathering records, in bytes."),
    int("share.coordinator.cold.partition.snapshot.interval.ms", "300000")
        .at_least(1)
        .inert(reason::NO_SHARE)
        .internal()
        .doc("How often share partitions without traffic are snapshotted, in milliseconds."),
    int("share.coordinator.load.buffer.size", "5242880")
        .at_least(1)
        .inert(reason::NO_SHARE)
        .doc("Bytes read at a time when a share coordinator loads its state."),
    int("share.coordinator.snapshot.update.records.per.snapshot", "500")
        .between(0, 500)
        .inert(reason::NO_SHARE)
        .doc("Updates between two snapshots of a share partition."),
    int("share.coordinator.state.topic.compression.codec", "0")
        .inert(reason::NO_SHARE)
        .doc("Codec of the records in __share_group_state, as a number."),
    short("share.coordinator.state.topic.min.isr", "2")
        .at_least(1)
        .inert(reason::NO_SHARE)
        .doc("In-sync replicas that a write to __share_group_state needs."),
    int("share.coordinator.state.topic.num.partitions", "50")
        .at_least(1)
        .inert(reason::NO_SHARE)
        .doc("Partitions of __share_group_state."),
    int("share.coordinator.state.topic.prune.interval.ms", "300000")
        .at_least(1)
        .inert(reason::NO_SHARE)
        .internal()
        .doc("How often old share state is pruned, in milliseconds."),
    short("share.coordinator.state.topic.replication.factor", "3")
        .at_least(1)
        .inert(reason::NO_SHARE)
        .doc("Replicas of __share_group_state."),
    int("share.coordinator.state.topic.segment.bytes", "104857600")
        .at_least(1)
        .inert(reason::NO_SHARE)
        .doc("Segment size of __share_group_state, in bytes."),
    int("share.coordinator.threads", "1")
        .at_least(1)
        .inert(reason::NO_SHARE)
        .doc("Threads of the share coordinator."),
    int("share.coordinator.write.timeout.ms", "5000")
        .at_least(1)
        .inert(reason::NO_SHARE)
        .doc("How long a write of share state may take, in milliseconds."),
    long("group.streams.acceptable.recovery.lag", "10000")
        .at_least(0)
        .inert(reason::NO_STREAMS)
        .internal()
        .doc("Lag at which a streams task counts as caught up."),
    int("group.streams.assignment.interval.ms", "1000")
        .at_least(0)
        .cluster_wide()
        .inert(reason::NO_STREAMS)
        .doc("Shortest time between two assignments of a streams group, in milliseconds."),
    boolean("group.streams.assignor.offload.enable", "true")
        .cluster_wide()
        .inert(reason::NO_STREAMS)
        .internal()
        .doc("Whether streams groups' assignments are computed on a thread of their own."),
    list("group.streams.assignors", "sticky")
        .inert(reason::NO_STREAMS)
        .doc("Ways to assign tasks to a streams group."),
    int("group.streams.heartbeat.interval.ms", "5000")
        .at_least(1)
        .inert(reason::NO_STREAMS)
        .doc("How often members of a streams group send a heartbeat, in milliseconds."),
    int("group.streams.initial.rebalance.delay.ms", "3000")
        .at_least(0)
        .inert(reason::NO_STREAMS)
        .doc("How long the first rebalance of a streams group waits for members, in milliseconds."),
    int("group.streams.max.assignment.interval.ms", "15000")
        .at_least(0)
        .inert(reason::NO_STREAMS)
        .doc("Upper bound of the assignment interval a streams group may set, in milliseconds."),
    int("group.streams.max.heartbeat.interval.ms", "15000")
        .at_least(1)
        .inert(reason::NO_STREAMS)
        .doc("Upper bound of the heartbeat interval a streams group may set, in milliseconds."),
    int("group.streams.max.session.timeout.ms", "60000")
        .at_least(1)
        .inert(reason::NO_STREAMS)
        .doc("Upper bound of the session timeout a streams group may set, in milliseconds."),
    int("group.streams.max.size", "2147483647")
        .at_least(1)
        .inert(reason::NO_STREAMS)
        .doc("Most members of a streams group."),
    int("group.streams.max.standby.replicas", "2")
        .at_least(0)
        .inert(reason::NO_STREAMS)
        .doc("Upper bound of the standby replicas a streams group may set."),
    int("group.streams.max.warmup.replicas", "20")
        .at_least(0)
        .inert(reason::NO_STREAMS)
        .internal()
        .doc("Upper bound of the warm-up replicas a streams group may set."),
    int("group.streams.min.assignment.interval.ms", "0")
        .at_least(0)
        .inert(reason::NO_STREAMS)
        .doc("Lower bound of the assignment interval a streams group may set, in milliseconds."),
    int("group.streams.min.heartbeat.interval.ms", "5000")
        .at_least(1)
        .inert(reason::NO_STREAMS)
        .doc("Lower bound of the heartbeat interval a streams group may set, in milliseconds."),
    int("group.streams.min.session.timeout.ms", "45000")
        .at_least(1)
        .inert(reason::NO_STREAMS)
        .doc("Lower bound of the session timeout a streams group may set, in milliseconds."),
    int("group.streams.min.task.offset.interval.ms", "15000")
        .at_least(1)
        .inert(reason::NO_STREAMS)
        .internal()
        .doc("Lower bound of the task offset interval a streams group may set, in milliseconds."),
    int("group.streams.num.standby.replicas", "0")
        .at_least(0)
        .inert(reason::NO_STREAMS)
        .doc("Standby replicas of each streams task."),
    int("group.streams.num.warmup.replicas", "2")
        .at_least(0)
        .inert(reason::NO_STREAMS)
        .internal()
        .doc("Warm-up replicas that move at a time."),
    list("group.streams.rack.aware.assignment.tags", "")
        .inert(reason::NO_STREAMS)
        .doc("Client tags that standby replicas are spread over."),
    int("group.streams.session.timeout.ms", "45000")
        .at_least(1)
        .inert(reason::NO_STREAMS)
        .doc("Session timeout of a streams group's members, in milliseconds."),
    int("group.streams.task.offset.interval.ms", "60000")
        .at_least(1)
        .inert(reason::NO_STREAMS)
        .internal()
        .doc("How often members report the offsets of their tasks, in milliseconds."),
    class_or_null("group.streams.topology.description.plugin.class")
        .inert(reason::NO_STREAMS)
        .doc("Java class that stores descriptions of topologies."),
];
