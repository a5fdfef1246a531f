//! Topics and what is read of them.

use super::reason;
use crate::config::setting::{Setting, boolean, class_or_null, int, long};

pub(super) const SETTINGS: &[Setting] = &[
    boolean("auto.create.topics.enable", "true")
        .doc("Whether a topic that does not exist is created when a client asks for it."),
    int("num.partitions", "1")
        .at_least(1)
        .doc("Partitions of a topic that is created without a number."),
    int("default.replication.factor", "1").doc("Replicas of a topic that is created without a number."),
    boolean("delete.topic.enable", "true").doc("Whether topics can be deleted."),
    int("min.insync.replicas", "1")
        .at_least(1)
        .cluster_wide()
        .doc("In-sync replicas that a write with acks=all needs."),
    boolean("unclean.leader.election.enable", "false")
        .cluster_wide()
        .inert(reason::ONE_NODE)
        .doc("Whether a replica that is not in sync may become leader, at the price of lost records."),
    long("unclean.leader.election.interval.ms", "300000")
        .at_least(1)
        .inert(reason::ONE_NODE)
        .internal()
        .doc("How often such elections are looked for, in milliseconds."),
    class_or_null("create.topic.policy.class.name")
        .refused(reason::NO_JAVA)
        .doc("Java class that may refuse the creation of a topic."),
    class_or_null("alter.config.policy.class.name")
        .refused(reason::NO_JAVA)
        .doc("Java class that may refuse a change of settings."),
    int("fetch.max.bytes", "57671680")
        .at_least(1024)
        .doc("Most bytes of records in one fetch answer."),
    int("max.incremental.fetch.session.cache.slots", "1000")
        .at_least(0)
        .doc("Fetch sessions that the broker keeps."),
    int("max.request.partition.size.limit", "2000")
        .at_least(1)
        .doc("Most partitions in one answer to DescribeTopicPartitions."),
    int("fetch.purgatory.purge.interval.requests", "1000")
        .inert(reason::NO_PURGATORY)
        .doc("After how many requests waiting fetches are cleaned up."),
    int("producer.purgatory.purge.interval.requests", "1000")
        .inert(reason::NO_PURGATORY)
        .doc("After how many requests waiting produces are cleaned up."),
    int("delete.records.purgatory.purge.interval.requests", "1")
        .inert(reason::NO_PURGATORY)
        .doc("After how many requests waiting deletions of records are cleaned up."),
    int("share.fetch.purgatory.purge.interval.requests", "1000")
        .inert(reason::NO_PURGATORY)
        .doc("After how many requests waiting share fetches are cleaned up."),
];
