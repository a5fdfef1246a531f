//! Transactions.

use super::reason;
use crate::config::setting::{Setting, boolean, int, short};

pub(super) const SETTINGS: &[Setting] = &[
    int("add.partitions.to.txn.retry.backoff.ms", "20")
        .at_least(1)
        .inert(reason::ONE_NODE)
        .doc("Pause before a partition is added to a transaction again, in milliseconds."),
    int("add.partitions.to.txn.retry.backoff.max.ms", "100")
        .at_least(0)
        .inert(reason::ONE_NODE)
        .doc("Longest such pause, in milliseconds."),
    int(
        "transaction.abort.timed.out.transaction.cleanup.interval.ms",
        "10000",
    )
    .at_least(1)
    .doc("How often transactions that took too long are looked for, in milliseconds."),
    int("transaction.max.timeout.ms", "900000")
        .at_least(1)
        .doc("Longest timeout a producer may ask for its transactions, in milliseconds."),
    boolean("transaction.partition.verification.enable", "true")
        .cluster_wide()
        .doc("Whether a partition is checked to be part of a transaction before it takes its records."),
    int(
        "transaction.remove.expired.transaction.cleanup.interval.ms",
        "3600000",
    )
    .at_least(1)
    .doc("How often unused transactional ids are looked for, in milliseconds."),
    int("transaction.state.log.load.buffer.size", "5242880")
        .at_least(1)
        .inert(reason::OWN_STEPS)
        .doc("Bytes read at a time when a coordinator loads its partition of __transaction_state."),
    int("transaction.state.log.min.isr", "2")
        .at_least(1)
        .doc("In-sync replicas that a write to __transaction_state needs."),
    int("transaction.state.log.num.partitions", "50")
        .at_least(1)
        .doc("Partitions of __transaction_state."),
    short("transaction.state.log.replication.factor", "3")
        .at_least(1)
        .doc("Replicas of __transaction_state."),
    int("transaction.state.log.segment.bytes", "104857600")
        .at_least(1)
        .doc("Segment size of __transaction_state, in bytes."),
    boolean("transaction.two.phase.commit.enable", "false")
        .inert(reason::NOT_YET)
        .doc("Whether transactions may wait for ever for an outside coordinator."),
    int("transactional.id.expiration.ms", "604800000")
        .at_least(1)
        .doc("How long an unused transactional id is remembered, in milliseconds."),
];
