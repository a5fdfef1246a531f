//! What the group coordinator can be told: Kafka's settings with Kafka's defaults.

use crate::config::BrokerConfig;

/// Settings of the group coordinator. Kafka's name of each stands beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CoordinatorConfig {
    /// Partitions of `__consumer_offsets`; decides which of them keeps a group, so it must be the count that
    /// the topic was created with. `offsets.topic.num.partitions`.
    pub partitions: i32,
    /// The shortest session that a member may ask for. `group.min.session.timeout.ms`.
    pub session_timeout_min_ms: i32,
    /// The longest session that a member may ask for. `group.max.session.timeout.ms`.
    pub session_timeout_max_ms: i32,
    /// How long an empty group waits for more members after its first. `group.initial.rebalance.delay.ms`.
    pub initial_rebalance_delay_ms: u64,
    /// The most members that a group may have. `group.max.size`.
    pub group_size_max: usize,
    /// How long a member that never was in a generation may wait for one: it cannot send heartbeats yet, and a
    /// client that gave up would be waited for in every rebalance. Five minutes, as in Kafka, no setting.
    pub new_member_join_timeout_ms: u64,
    /// Age at which an offset is forgotten that nobody uses. `offsets.retention.minutes`.
    pub offsets_retention_ms: i64,
    /// How often offsets are looked through for such. `offsets.retention.check.interval.ms`.
    pub offsets_retention_check_interval_ms: u64,
    /// The most characters (UTF-16 code units, as Java counts) of an offset's metadata.
    /// `offset.metadata.max.bytes`.
    pub offset_metadata_max: usize,
    /// The largest batch that `__consumer_offsets` takes (its `max.message.bytes`). It bounds the records, and
    /// so what a member may bring along in its subscription.
    pub batch_bytes_max: usize,
}

impl From<&BrokerConfig> for CoordinatorConfig {
    fn from(broker: &BrokerConfig) -> CoordinatorConfig {
        CoordinatorConfig {
            partitions: broker.offsets.topic_num_partitions,
            session_timeout_min_ms: broker.group.min_session_timeout_ms,
            session_timeout_max_ms: broker.group.max_session_timeout_ms,
            initial_rebalance_delay_ms: u64::try_from(broker.group.initial_rebalance_delay_ms).unwrap_or(0),
            group_size_max: broker.group.max_size,
            offsets_retention_ms: i64::try_from(broker.offsets.retention_ms).unwrap_or(i64::MAX),
            offsets_retention_check_interval_ms: broker.offsets.retention_check_interval_ms,
            offset_metadata_max: broker.offsets.metadata_max_bytes,
            batch_bytes_max: broker.topic_defaults.max_message_bytes as usize,
            ..CoordinatorConfig::default()
        }
    }
}

impl Default for CoordinatorConfig {
    fn default() -> CoordinatorConfig {
        CoordinatorConfig {
            partitions: 50,
            session_timeout_min_ms: 6_000,
            session_timeout_max_ms: 1_800_000,
            initial_rebalance_delay_ms: 3_000,
            group_size_max: i32::MAX as usize,
            new_member_join_timeout_ms: 300_000,
            offsets_retention_ms: 7 * 24 * 3_600_000,
            offsets_retention_check_interval_ms: 600_000,
            offset_metadata_max: 4_096,
            batch_bytes_max: 1_048_588,
        }
    }
}

/// The partition of `__consumer_offsets` that keeps a group, of `partitions` there are.
///
/// Kafka: `Utils.abs(groupId.hashCode()) % partitions`, with Java's hash over UTF-16 code units; the absolute value
/// of the smallest number is 0 there.
pub fn partition_of_key(group: &str, partitions: i32) -> i32 {
    let hash = group.encode_utf16().fold(0i32, |hash, unit| {
        hash.wrapping_mul(31).wrapping_add(i32::from(unit))
    });
    hash.checked_abs().unwrap_or(0) % partitions
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_those_of_the_broker() {
        assert_eq!(
            CoordinatorConfig::from(&BrokerConfig::default()),
            CoordinatorConfig::default()
        );
    }

    #[test]
    fn a_group_lies_where_kafka_looks_for_it() {
        // Read off a running Kafka 4.4 with 50 partitions. The hash of "simple" is below zero.
        for (group, partition) in [("g", 3), ("j", 6), ("", 0), ("simple", 26)] {
            assert_eq!(partition_of_key(group, 50), partition, "{group:?}");
        }
        // "polygenelubricants".hashCode() is i32::MIN in Java, whose absolute value is not a number.
        assert_eq!(partition_of_key("polygenelubricants", 50), 0);
    }
}
