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

/// What was set for every broker at once, in the order of the names, and nothing else.
pub fn describe_all_brokers(values: &Values) -> Vec<Described> {
    let every = |source| source == Source::BrokerDefault;
    let mut described = describe_broker(values);
    described.retain(|described| every(described.source));
    for described in &mut described {
        described.synonyms.retain(|synonym| every(synonym.source));
    }
    described
}

/// The broker's settings in the order of their names, without those that are Kafka's own for its tests.
pub fn describe_broker(values: &Values) -> Vec<Described> {
    let mut described: Vec<Described> = table::broker_settings()
        .filter(|setting| !setting.internal)
        .map(|setting| {
            let synonyms = synonyms(setting.name, values, setting.is_sensitive());
            Described {
                setting,
                value: values
                    .find(setting.name)
                    .0
                    .filter(|_| !setting.is_sensitive())
                    .map(str::to_owned),
                source: synonyms.first().map_or(Source::Default, |first| first.source),
                read_only: setting.dynamic == Dynamic::ReadOnly,
                synonyms,
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
            let named = setting.broker_names.first();
            let mut considered = named.map_or_else(Vec::new, |name| synonyms(name, values, false));
            let value = match overrides.get(setting.name) {
                Some(value) => {
                    let own = Synonym {
                        name: setting.name.to_owned(),
                        value: Some(value.clone()),
                        source: Source::Topic,
                    };
                    considered.insert(0, own);
                    Some(value.clone())
                }
                None => inherited(setting, values).0,
            };
            Described {
                setting,
                value,
                source: considered.first().map_or(Source::Default, |first| first.source),
                read_only: false,
                synonyms: considered,
            }
        })
        .collect()
}

/// Kafka: `ConfigHelper.configSynonyms`. All values of a setting's family, layer by layer from the strongest to the
/// defaults, from the first on that was written under the name itself: clients are not told of one that counts only
/// because nothing was.
fn synonyms(name: &str, values: &Values, sensitive: bool) -> Vec<Synonym> {
    let family = FAMILIES.iter().find(|family| family.contains(&name));
    let names = family.map_or(std::slice::from_ref(&name), |family| family);
    let layers: Vec<_> = names.iter().map(|name| (*name, values.layers(name))).collect();
    let strongest_first = [
        Source::Broker,
        Source::BrokerDefault,
        Source::Static,
        Source::Default,
    ];
    let all = strongest_first.into_iter().flat_map(|wanted| {
        layers.iter().flat_map(move |(name, values)| {
            let of_layer = values.iter().filter(move |(_, source)| *source == wanted);
            of_layer.map(move |(value, source)| (*name, value, *source))
        })
    });
    all.skip_while(|(written_under, _, _)| *written_under != name)
        .map(|(name, value, source)| Synonym {
            name: name.to_owned(),
            value: (!sensitive).then(|| value.clone()),
            source,
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
        let mut values = Values {
            fixed: Arc::new(fixed),
            own: BTreeMap::from([("log.retention.ms".to_owned(), "7000".to_owned())]),
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
                ("log.retention.ms", "7000", Source::Broker),
                ("log.retention.hours", "24", Source::Static),
                ("log.retention.hours", "168", Source::Default),
            ]
        );
        // As Kafka answers: what counts under another name of the family shows in the value alone.
        values.own.clear();
        let inherited = describe_topic(&values, &BTreeMap::new());
        let retention = inherited
            .iter()
            .find(|described| described.setting.name == "retention.ms")
            .unwrap();
        assert_eq!(
            (retention.value.as_deref(), retention.source),
            (Some("86400000"), Source::Default)
        );
        assert_eq!(retention.synonyms, []);
    }

    #[test]
    fn of_all_brokers_only_what_was_set_for_all_of_them_is_told() {
        let fixed = BTreeMap::from([("log.retention.ms".to_owned(), "5".to_owned())]);
        let cluster = BTreeMap::from([("log.retention.ms".to_owned(), "6".to_owned())]);
        let values = Values {
            fixed: Arc::new(fixed),
            cluster,
            ..Values::default()
        };
        let described = describe_all_brokers(&values);
        let only = Synonym {
            name: "log.retention.ms".to_owned(),
            value: Some("6".to_owned()),
            source: Source::BrokerDefault,
        };
        let synonyms: Vec<_> = described
            .into_iter()
            .map(|described| described.synonyms)
            .collect();
        assert_eq!(synonyms, [[only]]);
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
