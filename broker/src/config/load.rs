//! From what somebody wrote to a [`BrokerConfig`]: every property is checked, and all mistakes are told at once.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::broker_config::BrokerConfig;
use super::setting::{Dynamic, Setting, Support, split_list};
use super::table;
use super::topic_config::distance;
use super::values::{Assignment, Origin, Values};

/// A configuration that can be used, and what should be said about it.
#[derive(Debug)]
pub struct Loaded {
    /// The broker's settings.
    pub config: BrokerConfig,
    /// One sentence for every property that is known and changes nothing.
    pub notices: Vec<String>,
    /// One sentence for every property that is not known, or was meant differently.
    pub warnings: Vec<String>,
}

/// A property that keeps the broker from starting.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}{name}: {problem}", origin.as_ref().map(|origin| format!("{origin}: ")).unwrap_or_default())]
pub struct ConfigError {
    /// Where it was written; `None` where a default is at fault.
    pub origin: Option<Origin>,
    /// Name of the property.
    pub name: String,
    /// What is wrong and what is allowed.
    pub problem: String,
}

/// Checks properties, the later of two with the same name winning.
///
/// `hostname` stands in for a host that no listener names: the machine's name, as Kafka does it, or `None` to
/// tell clients the address they came in by.
///
/// # Errors
/// Every property that is at fault, in the order they were written.
pub fn load(assignments: &[Assignment], hostname: Option<&str>) -> Result<Loaded, Vec<ConfigError>> {
    let mut last: BTreeMap<&str, &Assignment> = BTreeMap::new();
    for assignment in assignments {
        last.insert(&assignment.name, assignment);
    }
    let mut errors = Vec::new();
    let mut notices = Vec::new();
    let mut warnings = Vec::new();
    let mut fixed = BTreeMap::new();
    for assignment in assignments.iter().filter(|assignment| {
        last.get(assignment.name.as_str())
            .is_some_and(|last| std::ptr::eq(*last, *assignment))
    }) {
        match verdict(assignment) {
            Verdict::Keep => {
                fixed.insert(assignment.name.clone(), assignment.value.trim().to_owned());
            }
            Verdict::KeepSaying(notice) => {
                fixed.insert(assignment.name.clone(), assignment.value.trim().to_owned());
                notices.push(notice);
            }
            Verdict::DropSaying(warning) => warnings.push(warning),
            Verdict::Wrong(problem) => errors.push(ConfigError {
                origin: Some(assignment.origin.clone()),
                name: assignment.name.clone(),
                problem,
            }),
        }
    }
    // As in Kafka, both names of this number are set once one is (Kafka: `KafkaConfig.populateSynonyms`).
    for (name, other) in [("node.id", "broker.id"), ("broker.id", "node.id")] {
        if let Some(id) = fixed.get(name).filter(|_| !fixed.contains_key(other)).cloned() {
            fixed.insert(other.to_owned(), id);
        }
    }
    let fault = |name: &str, problem: String| ConfigError {
        origin: last.get(name).map(|assignment| assignment.origin.clone()),
        name: name.to_owned(),
        problem,
    };
    let values = Values {
        fixed: Arc::new(fixed),
        ..Values::default()
    };
    errors.extend(
        contradictions(&values)
            .into_iter()
            .map(|(name, problem)| fault(name, problem)),
    );
    let config = match BrokerConfig::from_values(values, hostname) {
        Ok(config) => Some(config),
        Err(error) => {
            errors.push(fault(error.property, error.problem));
            None
        }
    };
    match config {
        Some(config) if errors.is_empty() => Ok(Loaded {
            config,
            notices,
            warnings,
        }),
        _ => Err(errors),
    }
}

enum Verdict {
    Keep,
    KeepSaying(String),
    DropSaying(String),
    Wrong(String),
}

fn verdict(assignment: &Assignment) -> Verdict {
    let Some(setting) = table::broker_setting(&assignment.name) else {
        return unknown(assignment);
    };
    let value = assignment.value.trim();
    // An empty value of a setting that is null by default is how files switch it off.
    if value.is_empty() && setting.default.is_none() {
        return Verdict::DropSaying(format!("{} is empty and counts as not set", setting.name));
    }
    if let Err(invalid) = setting.check(value) {
        let shown = if setting.is_sensitive() {
            "the value"
        } else {
            value
        };
        return Verdict::Wrong(format!("{shown} is not a value of it; {invalid}"));
    }
    let is_default = setting
        .default
        .is_some_and(|default| same(setting, default, value));
    match setting.support {
        Support::Served => Verdict::Keep,
        _ if is_default => Verdict::Keep,
        Support::Inert(why) => {
            Verdict::KeepSaying(format!("{} is set, but it changes nothing: {why}", setting.name))
        }
        Support::Refused(why) => Verdict::Wrong(format!("{why}. Remove the line to start without it")),
    }
}

/// Whether two spellings mean the same value.
fn same(setting: &Setting, left: &str, right: &str) -> bool {
    match setting.kind {
        super::setting::Kind::List => split_list(left).eq(split_list(right)),
        super::setting::Kind::Boolean => left.eq_ignore_ascii_case(right),
        super::setting::Kind::Double => left.parse::<f64>().ok() == right.parse::<f64>().ok(),
        _ => left == right,
    }
}

/// Names that are not in the table. What belongs to one listener (`listener.name.NAME.setting`) is known by its
/// last part; what asks for security there is refused as well.
fn unknown(assignment: &Assignment) -> Verdict {
    let name = assignment.name.as_str();
    if let Some(rest) = name.strip_prefix("listener.name.") {
        let refused = table::broker_settings()
            .filter(|setting| rest.ends_with(setting.name))
            .find_map(|setting| match setting.support {
                Support::Refused(why) => Some(why),
                _ => None,
            });
        if let Some(why) = refused {
            return Verdict::Wrong(format!("{why}. Remove the line to start without it"));
        }
        return Verdict::DropSaying(format!(
            "{name} is ignored: settings of one listener are not served yet"
        ));
    }
    let near = table::broker_settings()
        .map(|setting| (distance(setting.name, name), setting.name))
        .min()
        .filter(|(distance, _)| *distance <= 3);
    Verdict::DropSaying(match near {
        Some((_, near)) => {
            format!(
                "{}: there is no setting {name}; did you mean {near}?",
                assignment.origin
            )
        }
        None => format!("{}: there is no setting {name}; it is ignored", assignment.origin),
    })
}

/// Values that are right one by one and wrong together.
fn contradictions(values: &Values) -> Vec<(&'static str, String)> {
    let mut found = Vec::new();
    let roles = values.list("process.roles");
    if !["broker", "controller"]
        .iter()
        .all(|role| roles.iter().any(|given| given == role))
    {
        let problem = "only a node that is both is served so far: use broker,controller";
        found.push(("process.roles", problem.to_owned()));
    }
    let id = if values.set("node.id").is_some() {
        "node.id"
    } else {
        "broker.id"
    };
    if values.set("node.id").is_some()
        && values
            .set("broker.id")
            .is_some_and(|(value, _)| Some(value) != values.text("node.id"))
    {
        found.push((
            "broker.id",
            "it differs from node.id; remove one of them".to_owned(),
        ));
    }
    let node = values.set(id).map_or("1", |(value, _)| value).to_owned();
    if node.starts_with('-') {
        found.push((
            id,
            format!("{node} is not a value of it; allowed: a whole number of at least 0"),
        ));
    }
    if let Some(problem) = voters_problem(&values.list("controller.quorum.voters"), &node) {
        found.push(("controller.quorum.voters", problem));
    }
    for name in ["log.retention.ms", "log.retention.minutes", "log.retention.hours"] {
        if values.set(name).is_some_and(|(value, _)| value.trim() == "0") {
            found.push((
                name,
                "0 would delete everything at once; allowed: -1, or at least 1".to_owned(),
            ));
        }
    }
    let bounds = [
        ("group.min.session.timeout.ms", "group.max.session.timeout.ms"),
        (
            "group.consumer.min.session.timeout.ms",
            "group.consumer.session.timeout.ms",
        ),
        (
            "group.consumer.session.timeout.ms",
            "group.consumer.max.session.timeout.ms",
        ),
        (
            "group.consumer.min.heartbeat.interval.ms",
            "group.consumer.heartbeat.interval.ms",
        ),
        (
            "group.consumer.heartbeat.interval.ms",
            "group.consumer.max.heartbeat.interval.ms",
        ),
    ];
    for (low, high) in bounds {
        if values.long(low) > values.long(high) {
            found.push((low, format!("it must not be greater than {high}")));
        }
    }
    found
}

/// A single voter has to be this node. Several nodes are not served yet.
fn voters_problem(voters: &[String], node: &str) -> Option<String> {
    let id = |voter: &str| voter.split_once('@').map(|(id, _)| id.trim().to_owned());
    match voters {
        [] => None,
        [one] => match id(one) {
            None => Some(format!("{one} is not of the form id@host:port")),
            Some(id) if id == node => None,
            Some(id) => Some(format!("the voter is node {id}, but this is node {node}")),
        },
        several => Some(format!(
            "{} voters: clusters of several nodes are not served yet",
            several.len()
        )),
    }
}

/// Checks a broker setting that AlterConfigs wants to set, for one broker or for all.
///
/// # Errors
/// One sentence for the client.
pub fn check_broker_config(name: &str, value: &str, one_broker: bool) -> Result<(), String> {
    let setting = table::broker_setting(name).ok_or_else(|| format!("there is no broker setting {name}"))?;
    match setting.dynamic {
        Dynamic::ReadOnly => {
            return Err(format!(
                "{name} takes a restart: write it where the broker starts from"
            ));
        }
        Dynamic::PerBroker if !one_broker => {
            return Err(format!("{name} can only be set for one broker, not for all"));
        }
        _ => {}
    }
    setting
        .check(value)
        .map_err(|invalid| format!("{value} is not a value of {name}; {invalid}"))?;
    match setting.support {
        Support::Refused(why) => Err(format!("{name} cannot be set: {why}")),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::values::Source;
    use super::*;

    fn line(line: usize, name: &str, value: &str) -> Assignment {
        let origin = Origin::File {
            file: "server.properties".into(),
            line,
        };
        Assignment {
            name: name.into(),
            value: value.into(),
            origin,
        }
    }

    fn errors(lines: &[Assignment]) -> Vec<String> {
        load(lines, None)
            .unwrap_err()
            .iter()
            .map(ToString::to_string)
            .collect()
    }

    #[test]
    fn every_mistake_is_told_with_its_line_and_what_is_allowed() {
        let lines = [
            line(3, "num.partitions", "many"),
            line(7, "log.cleanup.policy", "wipe"),
            line(9, "node.id", "1"),
            line(11, "log.retention.hours", "0"),
        ];
        assert_eq!(
            errors(&lines),
            [
                "server.properties:3: num.partitions: many is not a value of it; \
                 allowed: a whole number of at least 1",
                "server.properties:7: log.cleanup.policy: wipe is not a value of it; \
                 allowed: a list, between commas, of: compact, delete",
                "server.properties:11: log.retention.hours: 0 would delete everything at once; \
                 allowed: -1, or at least 1",
            ]
        );
    }

    #[test]
    fn security_that_is_asked_for_and_not_there_keeps_the_broker_from_starting() {
        let cases = [
            (
                "authorizer.class.name",
                "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            ),
            ("ssl.keystore.location", "/etc/keys"),
            ("ssl.keystore.password", "hush"),
            ("sasl.enabled.mechanisms", "PLAIN"),
            ("listener.name.sasl_plain.plain.sasl.jaas.config", "org.apache"),
            ("listeners", "SASL_SSL://:9092"),
            ("remote.log.storage.system.enable", "true"),
        ];
        for (name, value) in cases {
            let message = errors(&[line(5, name, value)]).join("\n");
            assert!(
                message.contains(name) && message.contains(":5:"),
                "{name}: {message}"
            );
            assert!(!message.contains("hush"));
        }
        let defaults = [
            line(1, "authorizer.class.name", ""),
            line(2, "ssl.client.auth", "none"),
            line(3, "ssl.keystore.location", ""),
            line(4, "security.inter.broker.protocol", "PLAINTEXT"),
        ];
        assert!(load(&defaults, None).is_ok());
    }

    #[test]
    fn what_changes_nothing_is_said_once_and_unknown_names_are_no_error() {
        let lines = [
            line(1, "num.io.threads", "16"),
            line(2, "num.network.threads", "3"),
            line(3, "num.partition", "3"),
            line(4, "confluent.license.topic", "x"),
        ];
        let loaded = load(&lines, None).unwrap();
        assert_eq!(
            loaded.notices,
            ["num.io.threads is set, but it changes nothing: threads are not sized by hand here"]
        );
        assert_eq!(
            loaded.warnings,
            [
                "server.properties:3: there is no setting num.partition; did you mean num.partitions?",
                "server.properties:4: there is no setting confluent.license.topic; it is ignored",
            ]
        );
    }

    #[test]
    fn the_last_of_two_lines_wins() {
        let command_line = Assignment {
            name: "node.id".into(),
            value: "3".into(),
            origin: Origin::CommandLine,
        };
        let loaded = load(
            &[line(1, "node.id", "x"), line(2, "node.id", "2"), command_line],
            None,
        )
        .unwrap();
        assert_eq!(loaded.config.node_id, 3);
    }

    #[test]
    fn a_single_node_is_broker_controller_and_only_voter() {
        let quickstart = [
            line(1, "process.roles", "broker,controller"),
            line(2, "node.id", "1"),
            line(3, "controller.quorum.voters", "1@localhost:9093"),
            line(4, "listeners", "PLAINTEXT://:9092,CONTROLLER://:9093"),
            line(5, "inter.broker.listener.name", "PLAINTEXT"),
            line(
                6,
                "advertised.listeners",
                "PLAINTEXT://localhost:9092,CONTROLLER://localhost:9093",
            ),
            line(7, "controller.listener.names", "CONTROLLER"),
            line(8, "log.dirs", "/var/a, /var/b"),
            line(9, "offsets.topic.replication.factor", "1"),
        ];
        let config = load(&quickstart, Some("box")).unwrap().config;
        let id = config.values.find("broker.id");
        assert_eq!(id, (Some("1"), Source::Static), "an old name for node.id");
        assert_eq!(config.listeners.len(), 1);
        assert_eq!(config.listeners[0].advertised_host.as_deref(), Some("localhost"));
        assert_eq!(config.log_dirs.len(), 2);
        let several = [line(1, "controller.quorum.voters", "1@a:1,2@b:1,3@c:1")];
        assert!(errors(&several)[0].contains("not served yet"));
        assert!(errors(&[line(1, "process.roles", "controller")])[0].contains("broker,controller"));
        assert!(errors(&[line(1, "controller.quorum.voters", "2@a:1")])[0].contains("this is node 1"));
    }

    #[test]
    fn only_dynamic_settings_can_be_altered() {
        assert!(check_broker_config("message.max.bytes", "5", false).is_ok());
        assert!(
            check_broker_config("sasl.kerberos.kinit.cmd", "x", false)
                .unwrap_err()
                .contains("one broker")
        );
        assert!(
            check_broker_config("num.partitions", "5", true)
                .unwrap_err()
                .contains("restart")
        );
        assert!(
            check_broker_config("message.max.bytes", "x", true)
                .unwrap_err()
                .contains("at least 0")
        );
        assert!(
            check_broker_config("ssl.keystore.location", "x", true)
                .unwrap_err()
                .contains("TLS")
        );
    }
}
