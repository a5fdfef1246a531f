//! Where the value of a setting comes from: dynamic of this broker, dynamic of the cluster, what the
//! broker was started with, default. The first that has one wins.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use super::setting::{Setting, parse_boolean, split_list};
use super::table;

/// One property as somebody wrote it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assignment {
    /// Name of the property.
    pub name: String,
    /// Its value, not yet checked.
    pub value: String,
    /// Where it was written.
    pub origin: Origin,
}

/// Where a property was written; the beginning of an error message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A line of a file, counted from 1.
    File {
        /// The file as it was named on the command line.
        file: Arc<str>,
        /// Number of the line.
        line: usize,
    },
    /// An environment variable.
    Environment(String),
    /// The command line.
    CommandLine,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::File { file, line } => write!(f, "{file}:{line}"),
            Origin::Environment(variable) => write!(f, "environment variable {variable}"),
            Origin::CommandLine => f.write_str("command line"),
        }
    }
}

/// Which layer a value was found in. The discriminants are the codes DescribeConfigs answers with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(i8)]
pub enum Source {
    /// Set on the topic.
    Topic = 1,
    /// Set on this broker while it ran.
    Broker = 2,
    /// Set for all brokers while they ran.
    BrokerDefault = 3,
    /// What the broker was started with.
    Static = 4,
    /// Nobody set it.
    Default = 5,
}

/// The broker's settings in layers. Every value in it has passed its setting's check.
#[derive(Clone, Debug, Default)]
pub struct Values {
    pub(super) fixed: Arc<BTreeMap<String, String>>,
    pub(super) cluster: BTreeMap<String, String>,
    pub(super) own: BTreeMap<String, String>,
}

impl Values {
    /// The value in force, if there is one, and where it comes from.
    ///
    /// # Panics
    /// If the table has no such setting: names in the code are the table's.
    pub fn find(&self, name: &str) -> (Option<&str>, Source) {
        match self.set(name) {
            Some((value, source)) => (Some(value), source),
            None => (row(name).default, Source::Default),
        }
    }

    /// The value in force if somebody set it.
    pub fn set(&self, name: &str) -> Option<(&str, Source)> {
        let layers = [
            (&self.own, Source::Broker),
            (&self.cluster, Source::BrokerDefault),
            (&*self.fixed, Source::Static),
        ];
        layers
            .into_iter()
            .find_map(|(layer, source)| layer.get(name).map(|value| (value.as_str(), source)))
    }

    /// All values of a name from the strongest to the weakest layer, the default last.
    pub(super) fn layers(&self, name: &str) -> Vec<(String, Source)> {
        let layers = [
            (&self.own, Source::Broker),
            (&self.cluster, Source::BrokerDefault),
            (&*self.fixed, Source::Static),
        ];
        let set = layers
            .into_iter()
            .filter_map(|(layer, source)| Some((layer.get(name)?.clone(), source)));
        set.chain(row(name).default.map(|value| (value.to_owned(), Source::Default)))
            .collect()
    }

    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.find(name).0.map(str::trim)
    }

    pub(super) fn long(&self, name: &str) -> i64 {
        self.text(name)
            .and_then(|value| value.parse().ok())
            .expect("checked when it was set")
    }

    pub(super) fn int(&self, name: &str) -> i32 {
        self.text(name)
            .and_then(|value| value.parse().ok())
            .expect("checked when it was set")
    }

    /// A number that cannot be negative by its bounds.
    pub(super) fn count(&self, name: &str) -> usize {
        usize::try_from(self.long(name)).expect("its bounds begin at 0")
    }

    /// A duration or a size that cannot be negative by its bounds.
    pub(super) fn span(&self, name: &str) -> u64 {
        u64::try_from(self.long(name)).expect("its bounds begin at 0")
    }

    pub(super) fn boolean(&self, name: &str) -> bool {
        self.text(name)
            .and_then(parse_boolean)
            .expect("checked when it was set")
    }

    pub(super) fn list(&self, name: &str) -> Vec<String> {
        self.text(name)
            .map(|value| split_list(value).map(str::to_owned).collect())
            .unwrap_or_default()
    }
}

fn row(name: &str) -> &'static Setting {
    table::broker_setting(name).expect("the table has every setting that the code reads")
}
