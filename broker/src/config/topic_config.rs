//! The settings of one topic as code reads them: its own where it has any, the broker's for the rest.

use std::collections::BTreeMap;

use super::setting::{Invalid, Setting, Support, split_list};
use super::table;
use super::values::{Source, Values};

/// How batches are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TopicCompression {
    /// As the producer sent them.
    Producer,
    /// Uncompressed.
    Uncompressed,
    /// Compressed with gzip.
    Gzip,
    /// Compressed with snappy.
    Snappy,
    /// Compressed with lz4.
    Lz4,
    /// Compressed with zstd.
    Zstd,
}

/// Whose clock the records' times come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimestampType {
    /// The producer's.
    CreateTime,
    /// The broker's, at the append.
    LogAppendTime,
}

/// The settings of one topic. `None` is "without limit".
#[derive(Clone, Debug, PartialEq)]
pub struct TopicConfig {
    /// Old segments are deleted by retention.
    pub cleanup_delete: bool,
    /// Of each key the newest record is kept.
    pub cleanup_compact: bool,
    /// Codec of stored batches.
    pub compression: TopicCompression,
    /// Records between two syncs; 1 is "acknowledged once it is on the disk".
    pub flush_messages: Option<u64>,
    /// Longest wait for a sync.
    pub flush_ms: Option<u64>,
    /// Bytes between two index entries.
    pub index_interval_bytes: u32,
    /// Largest batch.
    pub max_message_bytes: u32,
    /// Largest decompressed batch, where one is decompressed.
    pub max_decompressed_bytes: u32,
    /// Whose clock counts.
    pub timestamp_type: TimestampType,
    /// How far behind the broker's clock a record may be.
    pub timestamp_before_max_ms: u64,
    /// How far ahead of the broker's clock a record may be.
    pub timestamp_after_max_ms: u64,
    /// How long a tombstone stays after the first compaction that sees it.
    pub delete_retention_ms: u64,
    /// Age below which a record is not compacted away.
    pub min_compaction_lag_ms: u64,
    /// Age from which on it is, whatever else there is to compact.
    pub max_compaction_lag_ms: u64,
    /// Share of the log that has to be new before it is compacted, in percent.
    pub min_dirty_percent: u8,
    /// Replicas that a write with acks=all needs.
    pub min_insync_replicas: u32,
    /// Largest size of a partition.
    pub retention_bytes: Option<u64>,
    /// Largest age of a record.
    pub retention_ms: Option<u64>,
    /// Largest size of a segment.
    pub segment_bytes: u32,
    /// Largest size of an offset index.
    pub segment_index_bytes: u32,
    /// Largest age of a segment.
    pub segment_ms: u64,
}

impl TopicConfig {
    /// The settings of a topic that sets `overrides` itself. Overrides that do not pass their check are left
    /// out: they were refused when somebody tried to set them.
    pub fn resolve(values: &Values, overrides: &BTreeMap<String, String>) -> TopicConfig {
        let view = View { values, overrides };
        let policies = view.text("cleanup.policy");
        TopicConfig {
            cleanup_delete: split_list(&policies).any(|policy| policy == "delete"),
            cleanup_compact: split_list(&policies).any(|policy| policy == "compact"),
            compression: match view.text("compression.type").as_str() {
                "uncompressed" => TopicCompression::Uncompressed,
                "gzip" => TopicCompression::Gzip,
                "snappy" => TopicCompression::Snappy,
                "lz4" => TopicCompression::Lz4,
                "zstd" => TopicCompression::Zstd,
                _ => TopicCompression::Producer,
            },
            flush_messages: view.limit("flush.messages"),
            flush_ms: view.limit("flush.ms"),
            index_interval_bytes: view.size("index.interval.bytes"),
            max_message_bytes: view.size("max.message.bytes"),
            max_decompressed_bytes: view.size("max.decompressed.message.bytes"),
            timestamp_type: match view.text("message.timestamp.type").as_str() {
                "LogAppendTime" => TimestampType::LogAppendTime,
                _ => TimestampType::CreateTime,
            },
            timestamp_before_max_ms: view.span("message.timestamp.before.max.ms"),
            timestamp_after_max_ms: view.span("message.timestamp.after.max.ms"),
            delete_retention_ms: view.span("delete.retention.ms"),
            min_compaction_lag_ms: view.span("min.compaction.lag.ms"),
            max_compaction_lag_ms: view.span("max.compaction.lag.ms"),
            min_dirty_percent: percent(&view.text("min.cleanable.dirty.ratio")),
            min_insync_replicas: view.size("min.insync.replicas"),
            retention_bytes: view.limit("retention.bytes"),
            retention_ms: view.limit("retention.ms"),
            segment_bytes: view.size("segment.bytes"),
            segment_index_bytes: view.size("segment.index.bytes"),
            segment_ms: view.span("segment.ms"),
        }
    }

    /// Whether a record may be acknowledged only once it is on the disk.
    pub fn sync_before_acknowledging(&self) -> bool {
        self.flush_messages == Some(1)
    }
}

/// A share between 0 and 1, which the table has checked, in whole percent.
fn percent(share: &str) -> u8 {
    let share: f64 = share.trim().parse().unwrap_or(0.5);
    (share.clamp(0.0, 1.0) * 100.0).round() as u8
}

/// Checks the settings a topic is to have, for CreateTopics and AlterConfigs.
///
/// # Errors
/// One sentence that names the setting, its value, and what is allowed.
pub fn check_topic_configs(values: &Values, overrides: &BTreeMap<String, String>) -> Result<(), String> {
    for (name, value) in overrides {
        let setting = table::topic_setting(name).ok_or_else(|| unknown(name))?;
        setting
            .check(value)
            .map_err(|invalid| describe_invalid(setting, value, &invalid))?;
        if let Support::Refused(why) = setting.support
            && setting.default != Some(value.trim())
        {
            return Err(format!("{name} cannot be {value}: {why}"));
        }
    }
    let view = View { values, overrides };
    if view.span("min.compaction.lag.ms") > view.span("max.compaction.lag.ms") {
        return Err("min.compaction.lag.ms must not be greater than max.compaction.lag.ms".into());
    }
    Ok(())
}

fn unknown(name: &str) -> String {
    let near = table::TOPIC
        .iter()
        .map(|setting| (distance(setting.name, name), setting.name))
        .min()
        .filter(|(distance, _)| *distance <= 3);
    match near {
        Some((_, near)) => format!("there is no topic setting {name}; did you mean {near}?"),
        None => format!("there is no topic setting {name}"),
    }
}

fn describe_invalid(setting: &Setting, value: &str, invalid: &Invalid) -> String {
    format!("{value} is not a value of {}; {invalid}", setting.name)
}

/// How many letters two names differ by (Levenshtein), for "did you mean".
pub(super) fn distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().take(200).collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (i, a) in left.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, b) in right.iter().enumerate() {
            let substitute = diagonal + usize::from(a != *b);
            diagonal = row[j + 1];
            row[j + 1] = substitute.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[right.len()]
}

/// The value of a topic's setting where the topic itself says nothing, and the layer it comes from.
pub(super) fn inherited(setting: &Setting, values: &Values) -> (Option<String>, Source) {
    for name in setting.broker_names {
        if let Some((value, source)) = values.set(name) {
            return (Some(in_topic_units(name, value)), source);
        }
    }
    let default = setting.broker_names.iter().find_map(|name| {
        let default = table::broker_setting(name)?.default?;
        Some(in_topic_units(name, default))
    });
    (default.or(setting.default.map(str::to_owned)), Source::Default)
}

/// Broker settings in hours and minutes become milliseconds; a negative time is "for ever", -1.
fn in_topic_units(broker_name: &str, value: &str) -> String {
    let factor = if broker_name.ends_with(".hours") {
        3_600_000
    } else if broker_name.ends_with(".minutes") {
        60_000
    } else if broker_name == "log.retention.ms" {
        1
    } else {
        return value.trim().to_owned();
    };
    match value.trim().parse::<i64>() {
        Ok(number) if number < 0 => "-1".to_owned(),
        Ok(number) => number.saturating_mul(factor).to_string(),
        Err(_) => value.to_owned(),
    }
}

struct View<'a> {
    values: &'a Values,
    overrides: &'a BTreeMap<String, String>,
}

impl View<'_> {
    fn text(&self, name: &str) -> String {
        let setting = table::topic_setting(name).expect("the table has every setting that the code reads");
        if let Some(value) = self.overrides.get(name)
            && setting.check(value).is_ok()
        {
            return value.trim().to_owned();
        }
        inherited(setting, self.values).0.unwrap_or_default()
    }

    fn size(&self, name: &str) -> u32 {
        self.text(name)
            .parse()
            .expect("its bounds lie between 0 and 2147483647")
    }

    fn span(&self, name: &str) -> u64 {
        self.text(name).parse().expect("its bounds begin at 0")
    }

    /// A limit: negative and the largest number mean that there is none.
    fn limit(&self, name: &str) -> Option<u64> {
        let number: i64 = self.text(name).parse().expect("checked when it was set");
        if number == i64::MAX {
            None
        } else {
            u64::try_from(number).ok()
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn values(pairs: &[(&str, &str)]) -> Values {
        Values {
            fixed: Arc::new(map(pairs)),
            ..Values::default()
        }
    }

    fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect()
    }

    #[test]
    fn milliseconds_win_over_minutes_and_minutes_over_hours() {
        let retention = |pairs: &[(&str, &str)]| TopicConfig::resolve(&values(pairs), &map(&[])).retention_ms;
        assert_eq!(retention(&[]), Some(168 * 3_600_000));
        assert_eq!(retention(&[("log.retention.hours", "2")]), Some(7_200_000));
        assert_eq!(
            retention(&[("log.retention.hours", "2"), ("log.retention.minutes", "3")]),
            Some(180_000)
        );
        assert_eq!(
            retention(&[("log.retention.ms", "5"), ("log.retention.minutes", "3")]),
            Some(5)
        );
        assert_eq!(retention(&[("log.retention.hours", "-1")]), None);
        let roll = TopicConfig::resolve(&values(&[("log.roll.hours", "1")]), &map(&[]));
        assert_eq!(roll.segment_ms, 3_600_000);
    }

    #[test]
    fn what_a_topic_sets_wins_over_the_broker() {
        let config = TopicConfig::resolve(
            &values(&[("log.segment.bytes", "2000000"), ("message.max.bytes", "7")]),
            &map(&[
                ("segment.bytes", "1048576"),
                ("cleanup.policy", "compact, delete"),
            ]),
        );
        assert_eq!((config.segment_bytes, config.max_message_bytes), (1_048_576, 7));
        assert!(config.cleanup_compact && config.cleanup_delete);
        assert_eq!(config.flush_messages, None);
        assert!(!config.sync_before_acknowledging());
    }

    #[test]
    fn defaults_are_kafkas() {
        for setting in table::TOPIC {
            let inherited = inherited(setting, &Values::default()).0;
            assert_eq!(inherited.as_deref(), setting.default, "{}", setting.name);
        }
    }

    #[test]
    fn a_wrong_topic_setting_is_answered_with_what_is_allowed() {
        let check = |name, value| check_topic_configs(&Values::default(), &map(&[(name, value)]));
        assert_eq!(
            check("cleanup.policy", "wipe").unwrap_err(),
            "wipe is not a value of cleanup.policy; allowed: a list, between commas, of: compact, delete"
        );
        assert_eq!(
            check("retention.sm", "1").unwrap_err(),
            "there is no topic setting retention.sm; did you mean retention.ms?"
        );
        assert_eq!(
            check("remote.storage.enable", "true").unwrap_err(),
            "remote.storage.enable cannot be true: tiered storage is not served yet"
        );
        assert!(check("min.compaction.lag.ms", "9").is_ok());
        assert!(check("flush.messages", "1").is_ok());
    }
}
