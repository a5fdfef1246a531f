//! What the user wrote: the file, the environment and the command line, in this order.

use std::io;
use std::path::Path;
use std::sync::Arc;

use java_properties::{LineContent, PropertiesIter};
use klamm_broker::config::{Assignment, Origin};

/// Environment variables that begin with `KAFKA_` and are for Kafka's scripts and Java, not for the broker.
const NOT_SETTINGS: &[&str] = &[
    "KAFKA_VERSION",
    "KAFKA_HOME",
    "KAFKA_DEBUG",
    "KAFKA_OPTS",
    "KAFKA_HEAP_OPTS",
    "KAFKA_GC_LOG_OPTS",
    "KAFKA_JVM_PERFORMANCE_OPTS",
    "KAFKA_JMX_OPTS",
    "KAFKA_JMX_PORT",
    "KAFKA_JMX_HOSTNAME",
    "KAFKA_LOG4J_OPTS",
    "KAFKA_LOG4J_LOGGERS",
    "KAFKA_LOG4J_ROOT_LOGLEVEL",
    "KAFKA_TOOLS_LOG4J_LOGLEVEL",
];

/// Reads a file in the format of `java.util.Properties`: `#` and `!` begin comments, `\` escapes and continues.
///
/// # Errors
/// A sentence with the name of the file, and the line where there is one.
pub fn from_file(path: &Path) -> Result<Vec<Assignment>, String> {
    let content = std::fs::read(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => format!("there is no file {}", path.display()),
        _ => format!("cannot read {}: {error}", path.display()),
    })?;
    parse(&path.display().to_string(), &content)
}

fn parse(name: &str, content: &[u8]) -> Result<Vec<Assignment>, String> {
    let file: Arc<str> = name.into();
    let mut assignments = Vec::new();
    for line in PropertiesIter::new(content) {
        let line = match line {
            Ok(line) => line,
            // The reader minds a wrong escape even where nobody else reads it.
            Err(error)
                if error
                    .line_number()
                    .is_some_and(|number| is_comment(content, number)) =>
            {
                continue;
            }
            Err(error) => {
                let place = error
                    .line_number()
                    .map_or(String::new(), |number| format!(":{number}"));
                return Err(format!(
                    "{name}{place}: a wrong escape: \\u takes four hexadecimal digits"
                ));
            }
        };
        let number = line.line_number();
        if let LineContent::KVPair(key, value) = line.consume_content() {
            let origin = Origin::File {
                file: Arc::clone(&file),
                line: number,
            };
            assignments.push(Assignment {
                name: key,
                value,
                origin,
            });
        }
    }
    Ok(assignments)
}

fn is_comment(content: &[u8], number: usize) -> bool {
    let line = content
        .split(|byte| *byte == b'\n')
        .nth(number - 1)
        .unwrap_or_default();
    matches!(line.trim_ascii_start().first(), Some(b'#' | b'!'))
}

/// Takes settings out of environment variables, by the rule of Kafka's container image: `KAFKA_` in front, then
/// the name in capitals with `_` for `.`, `__` for `_` and `___` for `-`. As there, `KAFKA_ADVERTISED_LISTENERS`
/// without `KAFKA_LISTENERS` opens the listeners that it names, on every address.
pub fn from_environment(variables: impl Iterator<Item = (String, String)>) -> Vec<Assignment> {
    let mut assignments: Vec<Assignment> = variables
        .filter(|(variable, _)| !NOT_SETTINGS.contains(&variable.as_str()))
        .filter_map(|(variable, value)| {
            let name = setting_name(variable.strip_prefix("KAFKA_")?);
            Some(Assignment {
                name,
                value,
                origin: Origin::Environment(variable),
            })
        })
        .collect();
    // The environment has no order of its own.
    assignments.sort_by(|left, right| left.name.cmp(&right.name));
    let set = |name: &str| {
        assignments
            .iter()
            .find(|set| set.name == name && !set.value.trim().is_empty())
    };
    if set("listeners").is_none()
        && let Some(advertised) = set("advertised.listeners")
    {
        let opened = Assignment {
            name: "listeners".to_owned(),
            value: on_every_address(&advertised.value),
            origin: advertised.origin.clone(),
        };
        assignments.push(opened);
    }
    assignments
}

/// `NAME://host:port` becomes `NAME://:port`; what has another form is left for the table of settings to refuse.
fn on_every_address(advertised: &str) -> String {
    let listeners = advertised.split(',').map(|listener| {
        let parts = listener.split_once("://").zip(listener.rsplit_once(':'));
        parts.map_or(listener.to_owned(), |((name, _), (_, port))| {
            format!("{name}://:{port}")
        })
    });
    listeners.collect::<Vec<_>>().join(",")
}

fn setting_name(variable: &str) -> String {
    let mut name = String::with_capacity(variable.len());
    let mut rest = variable;
    while let Some(at) = rest.find('_') {
        name.push_str(&rest[..at].to_ascii_lowercase());
        let run = rest[at..].len() - rest[at..].trim_start_matches('_').len();
        match run {
            1 => name.push('.'),
            2 => name.push('_'),
            3 => name.push('-'),
            more => name.extend(std::iter::repeat_n('_', more)),
        }
        rest = &rest[at + run..];
    }
    name.push_str(&rest.to_ascii_lowercase());
    name
}

/// Takes settings from `--override NAME=VALUE`.
///
/// # Errors
/// One that is not of this form.
pub fn from_overrides(overrides: &[String]) -> Result<Vec<Assignment>, String> {
    overrides
        .iter()
        .map(|text| match text.split_once('=') {
            Some((name, value)) if !name.trim().is_empty() => Ok(Assignment {
                name: name.trim().to_owned(),
                value: value.to_owned(),
                origin: Origin::CommandLine,
            }),
            _ => Err(format!("--override {text}: write it as NAME=VALUE")),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(assignments: &[Assignment]) -> Vec<(&str, &str, String)> {
        assignments
            .iter()
            .map(|set| (set.name.as_str(), set.value.as_str(), set.origin.to_string()))
            .collect()
    }

    #[test]
    fn a_file_is_read_as_java_reads_it_and_every_setting_knows_its_line() {
        let content = "# comment\n! comment\n\nnode.id=1\nlog.dirs = /a,\\\n    /b\n\
                       broker.rack:caf\\u00e9\n  num.partitions 3\nempty=\n";
        let assignments = parse("server.properties", content.as_bytes()).unwrap();
        assert_eq!(
            pairs(&assignments),
            [
                ("node.id", "1", "server.properties:4".into()),
                ("log.dirs", "/a,/b", "server.properties:5".into()),
                ("broker.rack", "caf\u{e9}", "server.properties:7".into()),
                ("num.partitions", "3", "server.properties:8".into()),
                ("empty", "", "server.properties:9".into()),
            ]
        );
    }

    #[test]
    fn a_wrong_escape_is_told_with_its_line_unless_it_is_in_a_comment() {
        let assignments = parse("f", b"# C:\\users\nnode.id=1\n").unwrap();
        assert_eq!(pairs(&assignments), [("node.id", "1", "f:2".into())]);
        assert!(parse("f", b"a=1\nb=\\users\n").unwrap_err().starts_with("f:2: "));
    }

    #[test]
    fn environment_variables_follow_the_rule_of_kafka_s_image() {
        let variables = [
            ("KAFKA_LOG_DIRS", "/a"),
            ("KAFKA_ADVERTISED_LISTENERS", "PLAINTEXT://localhost:9092"),
            ("KAFKA_LISTENERS", "PLAINTEXT://:9092"),
            ("KAFKA_A__B___C_D", "x"),
            ("KAFKA_HEAP_OPTS", "-Xmx1G"),
            ("PATH", "/bin"),
        ];
        let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let assignments = from_environment(variables.into_iter());
        let names: Vec<_> = assignments.iter().map(|set| set.name.as_str()).collect();
        assert_eq!(
            names,
            ["a_b-c.d", "advertised.listeners", "listeners", "log.dirs"]
        );
        assert_eq!(
            assignments[3].origin.to_string(),
            "environment variable KAFKA_LOG_DIRS"
        );
    }

    #[test]
    fn advertised_listeners_alone_open_the_listeners_they_name_on_every_address() {
        let listeners = |variables: &[(&str, &str)]| {
            let variables = variables
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
            let assignments = from_environment(variables);
            let last = assignments.iter().rfind(|set| set.name == "listeners");
            last.map(|set| set.value.clone())
        };
        let advertised = ("KAFKA_ADVERTISED_LISTENERS", "A://kafka:9092,B://[::1]:29092,c:1");
        assert_eq!(
            listeners(&[advertised]).as_deref(),
            Some("A://:9092,B://:29092,c:1")
        );
        let written = ("KAFKA_LISTENERS", "A://:1");
        assert_eq!(listeners(&[advertised, written]).as_deref(), Some("A://:1"));
        let empty = ("KAFKA_LISTENERS", "");
        assert_eq!(
            listeners(&[advertised, empty]),
            listeners(&[advertised]),
            "empty is not set"
        );
        assert_eq!(listeners(&[("KAFKA_ADVERTISED_LISTENERS", "")]), None);
        assert_eq!(listeners(&[("KAFKA_NODE_ID", "1")]), None);
    }

    #[test]
    fn an_override_needs_a_name_and_a_value() {
        assert!(
            from_overrides(&["node.id".into()])
                .unwrap_err()
                .contains("NAME=VALUE")
        );
        let set = from_overrides(&["a=b=c".into()]).unwrap();
        assert_eq!(pairs(&set), [("a", "b=c", "command line".into())]);
    }
}
