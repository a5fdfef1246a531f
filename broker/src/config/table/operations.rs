//! Metrics and quotas.

use super::reason;
use crate::config::setting::{Setting, int, list, long, string};

pub(super) const SETTINGS: &[Setting] = &[
    int("kafka.metrics.polling.interval.secs", "10")
        .at_least(1)
        .inert(reason::METRICS)
        .doc("How often metrics are collected, in seconds."),
    list("kafka.metrics.reporters", "")
        .inert(reason::METRICS)
        .doc("Java classes that report metrics of the old kind."),
    list("metric.reporters", "org.apache.kafka.common.metrics.JmxReporter")
        .cluster_wide()
        .inert(reason::METRICS)
        .doc("Java classes that report metrics."),
    int("metrics.num.samples", "2")
        .at_least(1)
        .inert(reason::METRICS)
        .doc("Samples kept for each metric."),
    string("metrics.recording.level", "INFO")
        .inert(reason::METRICS)
        .doc("How much is measured."),
    long("metrics.sample.window.ms", "30000")
        .at_least(1)
        .inert(reason::METRICS)
        .doc("Length of a metric's sample, in milliseconds."),
    int("telemetry.max.bytes", "1048576")
        .at_least(1)
        .inert(reason::METRICS)
        .doc("Largest message of client metrics, in bytes."),
    int("quota.window.num", "11")
        .at_least(1)
        .inert(reason::NO_QUOTAS)
        .doc("Samples kept for client quotas."),
    int("quota.window.size.seconds", "1")
        .at_least(1)
        .inert(reason::NO_QUOTAS)
        .doc("Length of each of these samples, in seconds."),
];
