//! Nodes, controllers, replication, metadata.

use super::reason;
use crate::config::setting::{Setting, boolean, int, int_or_null, list, long, string_or_null};

pub(super) const SETTINGS: &[Setting] = &[
    list("process.roles", "broker,controller")
        .words(&["broker", "controller"])
        .doc("What this process is: broker, controller, or both between commas."),
    int("node.id", "1")
        .at_least(0)
        .doc("Number of this node in the cluster."),
    int("broker.id", "-1").doc("Older name of node.id."),
    string_or_null("broker.rack")
        .doc("Where this broker stands. Clients that name the same rack may prefer it."),
    list("controller.quorum.voters", "").doc(
        "The controllers that vote, as id@host:port between commas. Only a single voter, this \
              node itself, is served so far.",
    ),
    list("controller.quorum.bootstrap.servers", "")
        .inert(reason::ONE_NODE)
        .doc("Addresses to find the controllers at."),
    boolean("controller.quorum.auto.join.enable", "false")
        .inert(reason::ONE_NODE)
        .doc("Whether a controller joins the voters by itself."),
    int("controller.quorum.append.linger.ms", "25")
        .at_least(0)
        .inert(reason::ONE_NODE)
        .doc("How long the leading controller gathers records, in milliseconds."),
    int("controller.quorum.election.timeout.ms", "1000")
        .at_least(0)
        .inert(reason::ONE_NODE)
        .doc("How long a candidate waits for votes, in milliseconds."),
    int("controller.quorum.election.backoff.max.ms", "1000")
        .at_least(0)
        .inert(reason::ONE_NODE)
        .doc("Longest pause before a new election, in milliseconds."),
    int("controller.quorum.fetch.timeout.ms", "2000")
        .at_least(0)
        .inert(reason::ONE_NODE)
        .doc("How long a voter goes without its leader before it stands for election, in milliseconds."),
    int("controller.quorum.fetch.max.bytes", "1048576")
        .at_least(1)
        .inert(reason::ONE_NODE)
        .doc("Most bytes that controllers fetch from each other at a time."),
    int("controller.quorum.fetch.snapshot.max.bytes", "1048576")
        .at_least(1)
        .inert(reason::ONE_NODE)
        .doc("Most bytes of a snapshot fetched at a time."),
    int("controller.quorum.request.timeout.ms", "2000")
        .at_least(0)
        .inert(reason::ONE_NODE)
        .doc("How long a request between controllers may take, in milliseconds."),
    int("controller.quorum.retry.backoff.ms", "20")
        .at_least(0)
        .inert(reason::ONE_NODE)
        .doc("Pause before such a request is tried again, in milliseconds."),
    int("controller.quota.window.num", "11")
        .at_least(1)
        .inert(reason::NO_QUOTAS)
        .doc("Samples kept for quotas on changes of topics."),
    int("controller.quota.window.size.seconds", "1")
        .at_least(1)
        .inert(reason::NO_QUOTAS)
        .doc("Length of each of these samples, in seconds."),
    int("controller.socket.timeout.ms", "30000")
        .inert(reason::ONE_NODE)
        .doc("How long the controller waits on a socket, in milliseconds."),
    long("controller.performance.sample.period.ms", "60000")
        .at_least(100)
        .inert(reason::METRICS)
        .internal()
        .doc("How often the controller reports its own times, in milliseconds."),
    long("controller.performance.always.log.threshold.ms", "2000")
        .at_least(0)
        .inert(reason::METRICS)
        .internal()
        .doc("Events of the controller that take longer are always logged, in milliseconds."),
    boolean("controlled.shutdown.enable", "true")
        .inert(reason::ONE_NODE)
        .doc("Whether a stopping broker hands its partitions over first."),
    int("broker.heartbeat.interval.ms", "2000")
        .inert(reason::ONE_NODE)
        .doc("How often a broker reports to the controller, in milliseconds."),
    int("broker.session.timeout.ms", "9000")
        .inert(reason::ONE_NODE)
        .doc("How long a silent broker counts as alive, in milliseconds."),
    int("initial.broker.registration.timeout.ms", "60000")
        .inert(reason::ONE_NODE)
        .doc("How long a starting broker may take to register, in milliseconds."),
    long("server.max.startup.time.ms", "9223372036854775807")
        .at_least(0)
        .inert(reason::NO_LIMIT)
        .internal()
        .doc("How long the start may take, in milliseconds."),
    boolean("auto.leader.rebalance.enable", "true")
        .inert(reason::ONE_NODE)
        .doc("Whether partitions go back to their preferred leader by themselves."),
    long("leader.imbalance.check.interval.seconds", "300")
        .at_least(1)
        .inert(reason::ONE_NODE)
        .doc("How often that is checked, in seconds."),
    string_or_null("metadata.log.dir").doc("Directory of the metadata log; unset, the first data directory."),
    int("metadata.log.segment.bytes", "1073741824")
        .at_least(8_388_608)
        .inert(reason::METADATA)
        .doc("Segment size of the metadata log, in bytes."),
    long("metadata.log.segment.ms", "604800000")
        .inert(reason::METADATA)
        .doc("Age at which a segment of the metadata log is closed, in milliseconds."),
    long("metadata.log.max.record.bytes.between.snapshots", "20971520")
        .at_least(1)
        .inert(reason::METADATA)
        .doc("Bytes of records after which a snapshot is taken."),
    long("metadata.log.max.snapshot.interval.ms", "3600000")
        .at_least(0)
        .inert(reason::METADATA)
        .doc("Longest time between snapshots, in milliseconds."),
    int("metadata.max.idle.interval.ms", "500")
        .at_least(0)
        .inert(reason::METADATA)
        .doc("How often an idle controller writes an empty record, in milliseconds."),
    long("metadata.max.retention.bytes", "104857600")
        .inert(reason::METADATA)
        .doc("Size at which old metadata segments and snapshots are deleted, in bytes."),
    long("metadata.max.retention.ms", "604800000")
        .inert(reason::METADATA)
        .doc("Age at which old metadata segments and snapshots are deleted, in milliseconds."),
    int_or_null("internal.metadata.log.segment.bytes")
        .inert(reason::METADATA)
        .internal()
        .doc("Segment size of the metadata log in tests, in bytes."),
    int("internal.metadata.max.batch.size.in.bytes", "8388608")
        .inert(reason::METADATA)
        .internal()
        .doc("Largest batch of the metadata log in tests, in bytes."),
    long("internal.metadata.delete.delay.millis", "60000")
        .inert(reason::METADATA)
        .internal()
        .doc("How long deleted metadata files stay in tests, in milliseconds."),
    int("num.replica.fetchers", "1")
        .at_least(1)
        .cluster_wide()
        .inert(reason::ONE_NODE)
        .doc("Threads that copy from each other broker."),
    int_or_null("num.replica.alter.log.dirs.threads")
        .inert(reason::THREADS)
        .doc("Threads that move replicas between data directories."),
    int("replica.fetch.backoff.ms", "1000")
        .at_least(0)
        .inert(reason::ONE_NODE)
        .doc("Pause after a failed fetch of a replica, in milliseconds."),
    int("replica.fetch.max.bytes", "1048576")
        .at_least(0)
        .inert(reason::ONE_NODE)
        .doc("Bytes a replica fetches of one partition at a time."),
    int("replica.fetch.min.bytes", "1")
        .inert(reason::ONE_NODE)
        .doc("Bytes a replica's fetch waits for."),
    int("replica.fetch.response.max.bytes", "10485760")
        .at_least(0)
        .inert(reason::ONE_NODE)
        .doc("Bytes of one answer to a replica."),
    int("replica.fetch.wait.max.ms", "500")
        .inert(reason::ONE_NODE)
        .doc("Longest wait of a replica's fetch, in milliseconds."),
    long("replica.high.watermark.checkpoint.interval.ms", "5000")
        .inert(reason::ONE_CHECKPOINT)
        .doc("How often the high watermarks are written down, in milliseconds."),
    long("replica.lag.time.max.ms", "30000")
        .inert(reason::ONE_NODE)
        .doc("How long a replica may lag before it is no longer in sync, in milliseconds."),
    string_or_null("replica.selector.class")
        .inert(reason::ONE_NODE)
        .doc("Java class that picks the replica a consumer reads from."),
    int("replica.socket.receive.buffer.bytes", "65536")
        .inert(reason::ONE_NODE)
        .doc("Receive buffer of a replica's connection, in bytes."),
    int("replica.socket.timeout.ms", "30000")
        .inert(reason::ONE_NODE)
        .doc("How long a replica waits on a socket, in milliseconds."),
    int("replication.quota.window.num", "11")
        .at_least(1)
        .inert(reason::ONE_NODE)
        .doc("Samples kept for the quota of replication."),
    int("replication.quota.window.size.seconds", "1")
        .at_least(1)
        .inert(reason::ONE_NODE)
        .doc("Length of each of these samples, in seconds."),
    int("alter.log.dirs.replication.quota.window.num", "11")
        .at_least(1)
        .inert(reason::NOT_YET)
        .doc("Samples kept for the quota of moves between data directories."),
    int("alter.log.dirs.replication.quota.window.size.seconds", "1")
        .at_least(1)
        .inert(reason::NOT_YET)
        .doc("Length of each of these samples, in seconds."),
    boolean("unstable.api.versions.enable", "false")
        .inert(reason::STABLE)
        .internal()
        .doc("Whether versions of the protocol that are not released are served."),
    boolean("unstable.feature.versions.enable", "false")
        .inert(reason::STABLE)
        .internal()
        .doc("Whether features that are not released can be switched on."),
];
