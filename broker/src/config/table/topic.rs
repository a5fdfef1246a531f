//! Settings of a topic. Where nobody sets them, they are what the broker's settings say.

use super::reason;
use crate::config::setting::{Setting, boolean, double, int, int_or_null, list, long, string};

pub(super) const SETTINGS: &[Setting] = &[
    list("cleanup.policy", "delete")
        .words(&["compact", "delete"])
        .broker_names(&["log.cleanup.policy"])
        .doc(
            "What happens to old segments: delete, compact, or both between commas. Empty keeps \
              everything.",
        ),
    string("compression.type", "producer")
        .words(&["uncompressed", "zstd", "lz4", "snappy", "gzip", "producer"])
        .broker_names(&["compression.type"])
        .doc("Codec that batches are stored with; producer keeps what the producer chose."),
    int("compression.gzip.level", "-1")
        .either(-1, 1, 9)
        .broker_names(&["compression.gzip.level"])
        .inert(reason::OWN_LEVELS)
        .doc("Level of gzip, where batches are compressed here; -1 is the codec's own default."),
    int("compression.lz4.level", "9")
        .between(1, 17)
        .inert(reason::OWN_LEVELS)
        .broker_names(&["compression.lz4.level"])
        .doc("Level of lz4, where batches are compressed here."),
    int("compression.zstd.level", "3")
        .between(-131_072, 22)
        .broker_names(&["compression.zstd.level"])
        .inert(reason::OWN_LEVELS)
        .doc("Level of zstd, where batches are compressed here."),
    long("delete.retention.ms", "86400000")
        .at_least(0)
        .broker_names(&["log.cleaner.delete.retention.ms"])
        .doc("How long the mark of a deleted key stays in a compacted topic, in milliseconds."),
    boolean("errors.deadletterqueue.group.enable", "false")
        .inert(reason::NO_SHARE)
        .doc("Whether this topic may hold the dead letters of share groups."),
    long("file.delete.delay.ms", "60000")
        .at_least(0)
        .broker_names(&["log.segment.delete.delay.ms"])
        .inert(reason::NO_DELAY)
        .doc("How long a deleted file lies renamed before it is removed, in milliseconds."),
    long("flush.messages", "9223372036854775807")
        .at_least(1)
        .broker_names(&["log.flush.interval.messages"])
        .doc(
            "Records that may be appended before the partition is synced to the disk. 1 acknowledges \
              a record only once it is on the disk.",
        ),
    long("flush.ms", "9223372036854775807")
        .at_least(0)
        .broker_names(&["log.flush.interval.ms", "log.flush.scheduler.interval.ms"])
        .doc("Longest time a record may wait to be synced to the disk, in milliseconds."),
    list("follower.replication.throttled.replicas", "")
        .replicas()
        .inert(reason::ONE_NODE)
        .doc("Replicas whose copying is slowed down on the follower's side; * for all."),
    int("index.interval.bytes", "4096")
        .at_least(0)
        .broker_names(&["log.index.interval.bytes"])
        .doc("An index entry is written for about every this many bytes of records."),
    int_or_null("internal.segment.bytes")
        .inert(reason::METADATA)
        .internal()
        .doc("Segment size in tests, in bytes."),
    list("leader.replication.throttled.replicas", "")
        .replicas()
        .inert(reason::ONE_NODE)
        .doc("Replicas whose copying is slowed down on the leader's side; * for all."),
    long("local.retention.bytes", "-2")
        .at_least(-2)
        .inert(reason::NO_TIERED)
        .broker_names(&["log.local.retention.bytes"])
        .doc("Bytes of a tiered topic that stay on this broker."),
    long("local.retention.ms", "-2")
        .at_least(-2)
        .inert(reason::NO_TIERED)
        .broker_names(&["log.local.retention.ms"])
        .doc("How long records of a tiered topic stay on this broker, in milliseconds."),
    long("max.compaction.lag.ms", "9223372036854775807")
        .at_least(1)
        .broker_names(&["log.cleaner.max.compaction.lag.ms"])
        .doc("A record is looked at by compaction once it is this many milliseconds old."),
    int("max.decompressed.message.bytes", "2147483639")
        .between(1, 2_147_483_639)
        .broker_names(&["max.decompressed.message.bytes"])
        .doc(
            "Largest size to which a record batch may be decompressed where the broker has to look \
              inside, in bytes.",
        ),
    int("max.message.bytes", "1048588")
        .at_least(0)
        .broker_names(&["message.max.bytes"])
        .doc("Largest record batch that is accepted, in bytes, after compression."),
    long("message.timestamp.after.max.ms", "3600000")
        .at_least(0)
        .broker_names(&["log.message.timestamp.after.max.ms"])
        .doc(
            "How far a record's time may lie ahead of the broker's, in milliseconds. Counts for \
              CreateTime only.",
        ),
    long("message.timestamp.before.max.ms", "9223372036854775807")
        .at_least(0)
        .broker_names(&["log.message.timestamp.before.max.ms"])
        .doc(
            "How far a record's time may lie behind the broker's, in milliseconds. Counts for \
              CreateTime only.",
        ),
    string("message.timestamp.type", "CreateTime")
        .words(&["CreateTime", "LogAppendTime"])
        .broker_names(&["log.message.timestamp.type"])
        .doc(
            "Whether a record keeps the time its producer gave it (CreateTime) or gets the time it \
              was appended (LogAppendTime).",
        ),
    double("min.cleanable.dirty.ratio", "0.5")
        .fraction(0.0, 1.0)
        .broker_names(&["log.cleaner.min.cleanable.ratio"])
        .doc("Share of the log that has to be new before it is compacted again."),
    long("min.compaction.lag.ms", "0")
        .at_least(0)
        .broker_names(&["log.cleaner.min.compaction.lag.ms"])
        .doc("A record is not compacted away before it is this many milliseconds old."),
    int("min.insync.replicas", "1")
        .at_least(1)
        .broker_names(&["min.insync.replicas"])
        .doc("In-sync replicas that a write with acks=all needs."),
    boolean("preallocate", "false")
        .inert(reason::RESERVES)
        .broker_names(&["log.preallocate"])
        .doc("Whether the space of a segment is reserved when it is created."),
    long("remote.copy.lag.bytes", "-1")
        .at_least(-1)
        .inert(reason::NO_TIERED)
        .broker_names(&["log.remote.copy.lag.bytes"])
        .doc("Bytes that have to follow a segment before it is copied to the remote tier."),
    long("remote.copy.lag.ms", "0")
        .at_least(-1)
        .inert(reason::NO_TIERED)
        .broker_names(&["log.remote.copy.lag.ms"])
        .doc("Age of a segment before it is copied to the remote tier, in milliseconds."),
    boolean("remote.log.copy.disable", "false")
        .inert(reason::NO_TIERED)
        .doc("Whether a tiered topic is read-only in the remote tier."),
    boolean("remote.log.delete.on.disable", "false")
        .inert(reason::NO_TIERED)
        .doc("Whether the remote segments go when tiering is switched off."),
    boolean("remote.storage.enable", "false")
        .refused(reason::NO_TIERED)
        .doc("Whether segments of this topic are also kept in a remote tier."),
    long("retention.bytes", "-1")
        .broker_names(&["log.retention.bytes"])
        .doc(
            "A partition that is larger than this many bytes loses its oldest closed segments; -1 \
              sets no limit.",
        ),
    long("retention.ms", "604800000")
        .at_least(-1)
        .broker_names(&["log.retention.ms", "log.retention.minutes", "log.retention.hours"])
        .doc(
            "Closed segments whose newest record is older than this many milliseconds are deleted; -1 \
              keeps them for ever.",
        ),
    int("segment.bytes", "1073741824")
        .at_least(1_048_576)
        .broker_names(&["log.segment.bytes"])
        .doc("A segment is closed and the next one begun when it would grow beyond this many bytes."),
    int("segment.index.bytes", "10485760")
        .at_least(4)
        .broker_names(&["log.index.size.max.bytes"])
        .doc("Largest size of an offset index, in bytes; a segment is closed when its index is full."),
    long("segment.jitter.ms", "0")
        .at_least(0)
        .broker_names(&["log.roll.jitter.ms", "log.roll.jitter.hours"])
        .inert(reason::NO_JITTER)
        .doc(
            "Up to this many milliseconds are taken off segment.ms at random, so that segments do not \
              all close at once.",
        ),
    long("segment.ms", "604800000")
        .at_least(1)
        .broker_names(&["log.roll.ms", "log.roll.hours"])
        .doc("A segment is closed when its first record is this many milliseconds old."),
    boolean("unclean.leader.election.enable", "false")
        .inert(reason::ONE_NODE)
        .broker_names(&["unclean.leader.election.enable"])
        .doc("Whether a replica that is not in sync may become leader, at the price of lost records."),
];
