//! What DescribeConfigs answers, straight from the table and the layers.

use std::collections::BTreeMap;

use super::setting::{Dynamic, Setting};
use super::table;
use super::topic_config::inherited;
use super::values::{Source, Values};

/// One setting with its value and where that comes from.
#[derive(Clone, Debug)]
pub struct Described {
    /// The row of the table: name, type, documentation, whether it is sensitive.
    pub setting: &'static Setting,
    /// The value in force; always `None` for a sensitive one.
    pub value: Option<String>,
    /// Where it comes from.
    pub source: Source,
    /// Whether it takes a restart to change it.
    pub read_only: bool,
    /// All values that were considered, the strongest first.
    pub synonyms: Vec<Synonym>,
}

/// A value that was considered for a setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Synonym {
    /// The setting it was written under.
    pub name: String,
    /// The value; `None` for a sensitive one.
    pub value: Option<String>,
    /// Where it was written.
    pub source: Source,
}

/// Families of broker settings for the same thing: the earlier name wins over those behind it.
const FAMILIES: &[&[&str]] = &[
    &["log.roll.ms", "log.roll.hours"],
    &["log.roll.jitter.ms", "log.roll.jitter.hours"],
    &["log.flush.interval.ms", "log.flush.scheduler.interval.ms"],
    &["log.retention.ms", "log.retention.minutes", "log.retention.hours"],
];

/// The broker's settings in the order of their names, without those that are Kafka's own for its tests.
pub fn describe_broker(values: &Values) -> Vec<Described> {
    let mut described: Vec<Described> = table::broker_settings()
        .filter(|setting| !setting.internal)
        .map(|setting| {
            let (value, source) = values.find(setting.name);
            let family = FAMILIES.iter().find(|family| family.contains(&setting.name));
            let names = match family {
                Some(family) => {
                    let own = family
                        .iter()
                        .position(|name| *name == setting.name)
                        .unwrap_or_default();
                    &family[own..]
                }
                None => std::slice::from_ref(&setting.name),
            };
            Described {
                setting,
                value: value.filter(|_| !setting.is_sensitive()).map(str::to_owned),
                source,
                read_only: setting.dynamic == Dynamic::ReadOnly,
                synonyms: synonyms(names, values, setting.is_sensitive()),
            }
        })
        .collect();
    described.sort_by_key(|described| described.setting.name);
    described
}

/// The settings of a topic that sets `overrides` itself, in the order of their names.
pub fn describe_topic(values: &Values, overrides: &BTreeMap<String, String>) -> Vec<Described> {
    table::TOPIC
        .iter()
        .filter(|setting| !setting.internal)
        .map(|setting| {
            let mut considered = synonyms(setting.broker_names, values, false);
            let (value, source) = match overrides.get(setting.name) {
                Some(value) => {
                    let own = Synonym {
                        name: setting.name.to_owned(),
                        value: Some(value.clone()),
                        source: Source::Topic,
                    };
                    considered.insert(0, own);
                    (Some(value.clone()), Source::Topic)
                }
                None => inherited(setting, values),
            };
            Described {
                setting,
                value,
                source,
                read_only: false,
                synonyms: considered,
            }
        })
        .collect()
}

fn synonyms(names: &[&str], values: &Values, sensitive: bool) -> Vec<Synonym> {
    names
        .iter()
        .flat_map(|name| {
            values.layers(name).into_iter().map(|(value, source)| Synonym {
                name: (*name).to_owned(),
                value: Some(value).filter(|_| !sensitive),
                source,
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn a_topic_setting_names_every_place_it_could_come_from() {
        let fixed = BTreeMap::from([("log.retention.hours".to_owned(), "24".to_owned())]);
        let values = Values {
            fixed: Arc::new(fixed),
            ..Values::default()
        };
        let overrides = BTreeMap::from([("retention.ms".to_owned(), "1000".to_owned())]);
        let described = describe_topic(&values, &overrides);
        let retention = described
            .iter()
            .find(|described| described.setting.name == "retention.ms")
            .unwrap();
        assert_eq!(
            (retention.value.as_deref(), retention.source),
            (Some("1000"), Source::Topic)
        );
        let synonyms: Vec<_> = retention
            .synonyms
            .iter()
            .map(|synonym| {
                (
                    synonym.name.as_str(),
                    synonym.value.as_deref().unwrap(),
                    synonym.source,
                )
            })
            .collect();
        assert_eq!(
            synonyms,
            [
                ("retention.ms", "1000", Source::Topic),
                ("log.retention.hours", "24", Source::Static),
                ("log.retention.hours", "168", Source::Default),
            ]
        );
        let inherited = describe_topic(&values, &BTreeMap::new());
        let retention = inherited
            .iter()
            .find(|described| described.setting.name == "retention.ms")
            .unwrap();
        assert_eq!(
            (retention.value.as_deref(), retention.source),
            (Some("86400000"), Source::Static)
        );
    }

    #[test]
    fn a_password_is_never_shown() {
        let fixed = BTreeMap::from([("ssl.key.password".to_owned(), "hush".to_owned())]);
        let values = Values {
            fixed: Arc::new(fixed),
            ..Values::default()
        };
        let described = describe_broker(&values);
        let key = described
            .iter()
            .find(|described| described.setting.name == "ssl.key.password")
            .unwrap();
        assert_eq!(key.value, None);
        assert_eq!(key.synonyms[0].value, None);
        assert!(described.is_sorted_by_key(|described| described.setting.name));
    }
}
