//! The table of settings: every property of a Kafka 4.4 broker and of a topic, one row each. All that the
//! project says about a setting, in help, in errors, on the wire and in the documentation, comes from here.

mod cluster;
mod groups;
mod log;
mod network;
mod operations;
mod own;
mod reason;
mod remote;
mod security;
mod share;
mod topic;
mod topics;
mod transactions;

use super::setting::Setting;

/// The broker's settings in sections, each with its title.
pub const BROKER: &[(&str, &[Setting])] = &[
    ("Listeners and connections", network::SETTINGS),
    ("Logs", log::SETTINGS),
    ("Topics", topics::SETTINGS),
    ("Consumer groups", groups::SETTINGS),
    ("Nodes and metadata", cluster::SETTINGS),
    ("Transactions", transactions::SETTINGS),
    ("Share groups and streams groups", share::SETTINGS),
    ("Security", security::SETTINGS),
    ("Metrics and quotas", operations::SETTINGS),
    ("Tiered storage", remote::SETTINGS),
    ("Klamm's own", own::SETTINGS),
];

/// The settings of a topic.
pub const TOPIC: &[Setting] = topic::SETTINGS;

/// All of the broker's settings, section by section.
pub fn broker_settings() -> impl Iterator<Item = &'static Setting> {
    BROKER.iter().flat_map(|(_, settings)| settings.iter())
}

/// A broker's setting by its name.
pub fn broker_setting(name: &str) -> Option<&'static Setting> {
    broker_settings().find(|setting| setting.name == name)
}

/// A topic's setting by its name.
pub fn topic_setting(name: &str) -> Option<&'static Setting> {
    TOPIC.iter().find(|setting| setting.name == name)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_default_passes_its_own_check_and_every_row_is_explained() {
        for setting in broker_settings().chain(TOPIC) {
            if let Some(default) = setting.default {
                assert!(setting.check(default).is_ok(), "{} = {default}", setting.name);
            }
            assert!(setting.doc.ends_with('.'), "{} has no sentence", setting.name);
        }
    }

    #[test]
    fn names_are_unique_and_topics_point_at_brokers_settings() {
        let names: Vec<_> = broker_settings().map(|setting| setting.name).collect();
        assert_eq!(names.len(), names.iter().collect::<BTreeSet<_>>().len());
        for setting in TOPIC {
            for name in setting.broker_names {
                assert!(
                    broker_setting(name).is_some(),
                    "{} points at {name}",
                    setting.name
                );
            }
        }
    }

    /// Kafka 4.4 knows 379 settings of a broker and 38 of a topic.
    #[test]
    fn all_settings_of_kafka_4_4_are_here() {
        let own = |setting: &&Setting| setting.name.starts_with("klamm.");
        assert_eq!(broker_settings().filter(|setting| !own(setting)).count(), 379);
        assert_eq!(TOPIC.len(), 38);
    }
}
