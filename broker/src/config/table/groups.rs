//! Consumer groups and committed offsets.

use super::reason;
use crate::config::setting::{Setting, boolean, int, list, long, short, string};

pub(super) const SETTINGS: &[Setting] = &[
    int("group.min.session.timeout.ms", "6000")
        .doc("Shortest session timeout a member of a classic group may ask for, in milliseconds."),
    int("group.max.session.timeout.ms", "1800000")
        .doc("Longest session timeout a member of a classic group may ask for, in milliseconds."),
    int("group.initial.rebalance.delay.ms", "3000").doc(
        "How long the first rebalance of an empty classic group waits for further members, in \
              milliseconds.",
    ),
    int("group.max.size", "2147483647")
        .at_least(1)
        .doc("Most members of a classic group."),
    list(
        "group.coordinator.rebalance.protocols",
        "classic,consumer,streams",
    )
    .words(&["consumer", "classic", "share", "streams"])
    .inert(reason::CLASSIC_ONLY)
    .doc("Group protocols that are switched on."),
    int("group.coordinator.threads", "4")
        .at_least(1)
        .inert(reason::THREADS)
        .doc("Threads of the group coordinator."),
    int("group.coordinator.background.threads", "2")
        .at_least(1)
        .inert(reason::THREADS)
        .doc("Threads for the coordinator's work in the background."),
    int("group.coordinator.append.linger.ms", "-1")
        .at_least(-1)
        .inert(reason::NO_LINGER)
        .doc("How long the coordinator gathers records before it writes them, in milliseconds."),
    int("group.coordinator.cached.buffer.max.bytes", "1048588")
        .at_least(524_288)
        .cluster_wide()
        .inert(reason::NO_LINGER)
        .doc("Memory that the coordinator keeps for gathering records, in bytes."),
    int("group.consumer.session.timeout.ms", "45000")
        .at_least(1)
        .inert(reason::CLASSIC_ONLY)
        .doc("Session timeout of a consumer group's members, in milliseconds."),
    int("group.consumer.min.session.timeout.ms", "45000")
        .at_least(1)
        .inert(reason::CLASSIC_ONLY)
        .doc("Lower bound of that timeout when a group sets its own, in milliseconds."),
    int("group.consumer.max.session.timeout.ms", "60000")
        .at_least(1)
        .inert(reason::CLASSIC_ONLY)
        .doc("Upper bound of that timeout when a group sets its own, in milliseconds."),
    int("group.consumer.heartbeat.interval.ms", "5000")
        .at_least(1)
        .inert(reason::CLASSIC_ONLY)
        .doc("How often members of a consumer group send a heartbeat, in milliseconds."),
    int("group.consumer.min.heartbeat.interval.ms", "5000")
        .at_least(1)
        .inert(reason::CLASSIC_ONLY)
        .doc("Lower bound of that interval when a group sets its own, in milliseconds."),
    int("group.consumer.max.heartbeat.interval.ms", "15000")
        .at_least(1)
        .inert(reason::CLASSIC_ONLY)
        .doc("Upper bound of that interval when a group sets its own, in milliseconds."),
    int("group.consumer.max.size", "2147483647")
        .at_least(1)
        .inert(reason::CLASSIC_ONLY)
        .doc("Most members of a consumer group."),
    list("group.consumer.assignors", "uniform,range")
        .inert(reason::CLASSIC_ONLY)
        .doc(
            "Ways to assign partitions, best first: uniform spreads them evenly, range keeps \
              neighbouring partitions together.",
        ),
    string("group.consumer.migration.policy", "bidirectional")
        .words_any_case(&["DISABLED", "DOWNGRADE", "UPGRADE", "BIDIRECTIONAL"])
        .inert(reason::CLASSIC_ONLY)
        .doc(
            "Whether a group may change between the classic and the consumer protocol while it has \
              members.",
        ),
    int("group.consumer.regex.refresh.interval.ms", "600000")
        .at_least(10_000)
        .internal()
        .inert(reason::CLASSIC_ONLY)
        .doc("How often subscriptions by pattern are matched against the topics, in milliseconds."),
    boolean("group.consumer.assignor.offload.enable", "true")
        .cluster_wide()
        .inert(reason::THREADS)
        .internal()
        .doc("Whether assignments are computed on a thread of their own."),
    int("group.consumer.assignment.interval.ms", "1000")
        .at_least(0)
        .cluster_wide()
        .inert(reason::NOT_YET)
        .doc("Shortest time between two assignments of a consumer group, in milliseconds."),
    int("group.consumer.min.assignment.interval.ms", "0")
        .at_least(0)
        .inert(reason::NOT_YET)
        .doc("Lower bound of that time when a group sets its own, in milliseconds."),
    int("group.consumer.max.assignment.interval.ms", "15000")
        .at_least(0)
        .inert(reason::NOT_YET)
        .doc("Upper bound of that time when a group sets its own, in milliseconds."),
    int("offset.metadata.max.bytes", "4096")
        .doc("Longest note that may be stored with a committed offset, in bytes."),
    int("offsets.commit.timeout.ms", "5000")
        .at_least(1)
        .inert(reason::NO_COMMIT_TIMEOUT)
        .doc("How long a commit of offsets may wait until it is safely stored, in milliseconds."),
    int("offsets.load.buffer.size", "5242880")
        .at_least(1)
        .inert(reason::OWN_STEPS)
        .doc("Bytes read at a time when a coordinator loads its partition of __consumer_offsets."),
    int("offsets.retention.minutes", "10080")
        .at_least(1)
        .doc("How long committed offsets are kept once nobody uses the group, in minutes."),
    long("offsets.retention.check.interval.ms", "600000")
        .at_least(1)
        .doc("How often it is checked for offsets to forget, in milliseconds."),
    int("offsets.topic.num.partitions", "50")
        .at_least(1)
        .doc("Partitions of __consumer_offsets. It must not change once the topic exists."),
    short("offsets.topic.replication.factor", "3")
        .at_least(1)
        .doc("Replicas of __consumer_offsets; not more than there are brokers."),
    int("offsets.topic.segment.bytes", "104857600")
        .at_least(1)
        .doc("Segment size of __consumer_offsets, in bytes."),
    int("offsets.topic.compression.codec", "0")
        .inert(reason::PLAIN_COORDINATOR)
        .doc("Codec of the records in __consumer_offsets, as a number."),
];
