//! Logs: segments, retention, flushing, compaction.

use super::reason;
use crate::config::setting::{
    Setting, boolean, double, int, int_or_null, list, list_or_null, long, long_or_null, string,
};

pub(super) const SETTINGS: &[Setting] = &[
    list("log.dir", "./klamm-data").doc("The data directory, when log.dirs is not set."),
    list_or_null("log.dirs").doc(
        "Data directories, between commas. Partitions are spread over them; each is created if \
              need be.",
    ),
    int("log.segment.bytes", "1073741824")
        .at_least(1_048_576)
        .cluster_wide()
        .doc("A segment is closed and the next one begun when it would grow beyond this many bytes."),
    long_or_null("log.roll.ms").cluster_wide().doc(
        "A segment is closed when its first record is this many milliseconds old. Unset, \
              log.roll.hours holds.",
    ),
    int("log.roll.hours", "168").at_least(1).doc("The same in hours."),
    long_or_null("log.roll.jitter.ms")
        .cluster_wide()
        .inert(reason::NO_JITTER)
        .doc(
            "Up to this many milliseconds are taken off log.roll.ms at random, so that segments do \
              not all close at once. Unset, log.roll.jitter.hours holds.",
        ),
    int("log.roll.jitter.hours", "0")
        .at_least(0)
        .inert(reason::NO_JITTER)
        .doc("The same in hours."),
    long_or_null("log.retention.ms").cluster_wide().doc(
        "Closed segments whose newest record is older than this many milliseconds are deleted; -1 \
              keeps them for ever. Unset, log.retention.minutes holds, then log.retention.hours.",
    ),
    int_or_null("log.retention.minutes").doc("The same in minutes."),
    int("log.retention.hours", "168").doc("The same in hours."),
    long("log.retention.bytes", "-1").cluster_wide().doc(
        "A partition that is larger than this many bytes loses its oldest closed segments; -1 \
              sets no limit.",
    ),
    long("log.retention.check.interval.ms", "300000")
        .at_least(1)
        .doc("How often segments are looked through for what may be deleted, in milliseconds."),
    long("log.segment.delete.delay.ms", "60000")
        .at_least(0)
        .cluster_wide()
        .inert(reason::NO_DELAY)
        .doc("How long a deleted file lies renamed before it is removed, in milliseconds."),
    list("log.cleanup.policy", "delete")
        .words(&["compact", "delete"])
        .cluster_wide()
        .doc("What happens to old segments: delete, compact, or both between commas."),
    int("log.index.size.max.bytes", "10485760")
        .at_least(4)
        .cluster_wide()
        .doc("Largest size of an offset index, in bytes; a segment is closed when its index is full."),
    int("log.index.interval.bytes", "4096")
        .at_least(0)
        .cluster_wide()
        .doc("An index entry is written for about every this many bytes of records."),
    long("log.flush.interval.messages", "9223372036854775807")
        .at_least(1)
        .cluster_wide()
        .doc(
            "Records that may be appended to a partition before it is synced to the disk. 1 \
              acknowledges a record only once it is on the disk; unset, the operating system decides.",
        ),
    long_or_null("log.flush.interval.ms").cluster_wide().doc(
        "Longest time a record may wait to be synced to the disk, in milliseconds. Unset, the \
              operating system decides.",
    ),
    long("log.flush.scheduler.interval.ms", "9223372036854775807")
        .inert(reason::DEADLINES)
        .doc("How often it is checked whether something has to be synced, in milliseconds."),
    int("log.flush.offset.checkpoint.interval.ms", "60000")
        .at_least(0)
        .doc(
            "How often the recovery points are written down, in milliseconds. After a crash, recovery \
              begins there.",
        ),
    int("log.flush.start.offset.checkpoint.interval.ms", "60000")
        .at_least(0)
        .inert(reason::ONE_CHECKPOINT)
        .doc("How often the log start offsets are written down, in milliseconds."),
    boolean("log.preallocate", "false")
        .cluster_wide()
        .inert(reason::RESERVES)
        .doc("Whether the space of a segment is reserved when it is created."),
    string("log.message.timestamp.type", "CreateTime")
        .words(&["CreateTime", "LogAppendTime"])
        .cluster_wide()
        .doc(
            "Whether a record keeps the time its producer gave it (CreateTime) or gets the time it \
              was appended (LogAppendTime).",
        ),
    long("log.message.timestamp.before.max.ms", "9223372036854775807")
        .at_least(0)
        .cluster_wide()
        .doc(
            "How far a record's time may lie behind the broker's, in milliseconds; older records are \
              rejected. Counts for CreateTime only.",
        ),
    long("log.message.timestamp.after.max.ms", "3600000")
        .at_least(0)
        .cluster_wide()
        .doc(
            "How far a record's time may lie ahead of the broker's, in milliseconds. Counts for \
              CreateTime only.",
        ),
    long("log.dir.failure.timeout.ms", "30000")
        .at_least(1)
        .inert(reason::ONE_NODE)
        .doc(
            "How long a broker waits for the controller to hear of a failed data directory, in \
              milliseconds.",
        ),
    long("log.initial.task.delay.ms", "30000")
        .at_least(0)
        .inert(reason::DEADLINES)
        .internal()
        .doc("How long after the start the first background work on logs begins, in milliseconds."),
    list("cordoned.log.dirs", "")
        .per_broker()
        .inert(reason::NOT_YET)
        .doc("Data directories that get no further partitions."),
    int("num.recovery.threads.per.data.dir", "2")
        .at_least(1)
        .cluster_wide()
        .inert(reason::THREADS)
        .doc("Logs of one data directory that are opened and recovered at the same time."),
    int("message.max.bytes", "1048588")
        .at_least(0)
        .cluster_wide()
        .doc("Largest record batch that is accepted, in bytes, after compression."),
    int("max.decompressed.message.bytes", "2147483639")
        .between(1, 2_147_483_639)
        .cluster_wide()
        .doc(
            "Largest size to which a record batch may be decompressed where the broker has to look \
              inside, in bytes.",
        ),
    string("compression.type", "producer")
        .words(&["uncompressed", "zstd", "lz4", "snappy", "gzip", "producer"])
        .cluster_wide()
        .doc("Codec that batches are stored with; producer keeps what the producer chose."),
    int("compression.gzip.level", "-1")
        .either(-1, 1, 9)
        .cluster_wide()
        .inert(reason::OWN_LEVELS)
        .doc("Level of gzip, where batches are compressed here; -1 is the codec's own default."),
    int("compression.lz4.level", "9")
        .between(1, 17)
        .cluster_wide()
        .inert(reason::OWN_LEVELS)
        .doc("Level of lz4, where batches are compressed here."),
    int("compression.zstd.level", "3")
        .between(-131_072, 22)
        .cluster_wide()
        .inert(reason::OWN_LEVELS)
        .doc("Level of zstd, where batches are compressed here."),
    boolean("log.cleaner.enable", "true").doc("Whether compacted topics are compacted."),
    int("log.cleaner.threads", "1")
        .at_least(0)
        .cluster_wide()
        .inert(reason::OWN_COMPACTION)
        .doc("Threads that compact."),
    double("log.cleaner.io.max.bytes.per.second", "1.7976931348623157E308")
        .cluster_wide()
        .inert(reason::OWN_COMPACTION)
        .doc("Most bytes a second that compaction reads and writes."),
    long("log.cleaner.dedupe.buffer.size", "134217728")
        .cluster_wide()
        .doc("Memory for the keys that compaction has seen, in bytes; never more than 67108864."),
    int("log.cleaner.io.buffer.size", "524288")
        .at_least(0)
        .cluster_wide()
        .inert(reason::OWN_COMPACTION)
        .doc("Memory for reading and writing while compacting, in bytes."),
    double("log.cleaner.io.buffer.load.factor", "0.9")
        .cluster_wide()
        .inert(reason::OWN_COMPACTION)
        .doc("How full the table of keys may get."),
    long("log.cleaner.backoff.ms", "15000")
        .at_least(0)
        .cluster_wide()
        .doc("Pause when there is nothing to compact, in milliseconds."),
    double("log.cleaner.min.cleanable.ratio", "0.5")
        .fraction(0.0, 1.0)
        .cluster_wide()
        .doc("Share of a log that has to be new before it is compacted again."),
    long("log.cleaner.delete.retention.ms", "86400000")
        .at_least(0)
        .cluster_wide()
        .doc("How long the mark of a deleted key stays in a compacted topic, in milliseconds."),
    long("log.cleaner.min.compaction.lag.ms", "0")
        .at_least(0)
        .cluster_wide()
        .doc("A record is not compacted away before it is this many milliseconds old."),
    long("log.cleaner.max.compaction.lag.ms", "9223372036854775807")
        .at_least(1)
        .cluster_wide()
        .doc("A record is looked at by compaction once it is this many milliseconds old."),
    int("producer.id.expiration.ms", "86400000")
        .at_least(1)
        .cluster_wide()
        .doc(
            "How long the broker remembers the sequence numbers of an idempotent producer that sends \
              nothing, in milliseconds.",
        ),
    int("producer.id.expiration.check.interval.ms", "600000")
        .at_least(1)
        .inert(reason::DEADLINES)
        .internal()
        .doc("How often it looks for producers to forget, in milliseconds."),
];
