//! Listeners: `NAME://host:port`, what they bind and what clients are told.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use super::setting::split_list;
use super::values::Values;

/// How connections of a listener are secured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SecurityProtocol {
    /// Not at all.
    Plaintext,
    /// TLS.
    Ssl,
    /// SASL without TLS.
    SaslPlaintext,
    /// SASL over TLS.
    SaslSsl,
}

impl SecurityProtocol {
    fn parse(word: &str) -> Option<SecurityProtocol> {
        match word.to_ascii_uppercase().as_str() {
            "PLAINTEXT" => Some(SecurityProtocol::Plaintext),
            "SSL" => Some(SecurityProtocol::Ssl),
            "SASL_PLAINTEXT" => Some(SecurityProtocol::SaslPlaintext),
            "SASL_SSL" => Some(SecurityProtocol::SaslSsl),
            _ => None,
        }
    }
}

/// One address to listen on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listener {
    /// Its name, in capitals.
    pub name: String,
    /// Host to bind; empty for every address of the machine.
    pub host: String,
    /// Port to bind; 0 for a free one.
    pub port: u16,
    /// How connections are secured.
    pub protocol: SecurityProtocol,
    /// Host that clients are told; `None` for the address their connection came in by.
    pub advertised_host: Option<String>,
    /// Port that clients are told; `None` for the port their connection came in by.
    pub advertised_port: Option<u16>,
}

impl Listener {
    /// Where a client of a connection with this local address is told to connect.
    pub fn advertised(&self, local: SocketAddr) -> (String, u16) {
        let host = self
            .advertised_host
            .clone()
            .unwrap_or_else(|| local.ip().to_canonical().to_string());
        (host, self.advertised_port.unwrap_or(local.port()))
    }
}

/// What is wrong with the listeners, and the property at fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListenerError {
    /// Property to look at.
    pub property: &'static str,
    /// The problem, as a sentence.
    pub problem: String,
}

fn error(property: &'static str, problem: impl Into<String>) -> ListenerError {
    ListenerError {
        property,
        problem: problem.into(),
    }
}

struct Endpoint {
    name: String,
    host: String,
    port: u16,
}

/// Splits `NAME://host:port`; the host may be an IPv6 address in brackets.
fn parse_endpoint(property: &'static str, text: &str) -> Result<Endpoint, ListenerError> {
    let wrong = || {
        let form = "NAME://host:port with a port up to 65535, for example PLAINTEXT://localhost:9092";
        error(property, format!("{text} is not of the form {form}"))
    };
    let (name, address) = text.split_once("://").ok_or_else(wrong)?;
    let (host, port) = address.rsplit_once(':').ok_or_else(wrong)?;
    let host = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'))
        .unwrap_or(host);
    let port = port.parse().map_err(|_| wrong())?;
    if name.is_empty() || host.contains(['/', '[', ']']) {
        return Err(wrong());
    }
    Ok(Endpoint {
        name: name.to_ascii_uppercase(),
        host: host.to_owned(),
        port,
    })
}

/// The broker's listeners, without those that belong to the controller.
///
/// `hostname` is what stands in for a host that nobody wrote: the machine's name, as Kafka does it, or `None`
/// for the address a connection came in by.
pub(super) fn listeners(values: &Values, hostname: Option<&str>) -> Result<Vec<Listener>, ListenerError> {
    let controllers = upper(values.list("controller.listener.names"));
    let protocols = protocol_map(values)?;
    let mut advertised = advertised(values)?;
    let mut listeners: Vec<Listener> = Vec::new();
    for text in values.list("listeners") {
        let endpoint = parse_endpoint("listeners", &text)?;
        let protocol = protocol_of(&endpoint.name, &protocols, controllers.contains(&endpoint.name))?;
        if listeners.iter().any(|listener| listener.name == endpoint.name) {
            return Err(error("listeners", format!("{} is listed twice", endpoint.name)));
        }
        let told = advertised.remove(&endpoint.name);
        if controllers.contains(&endpoint.name) {
            continue;
        }
        if protocol != SecurityProtocol::Plaintext {
            let problem = format!("{text} asks for TLS or SASL, which is not served yet: use PLAINTEXT");
            return Err(error("listeners", problem));
        }
        let (host, port) = match told {
            Some(told) => (Some(told.host), Some(told.port)),
            None if is_every_address(&endpoint.host) => (hostname.map(str::to_owned), Some(endpoint.port)),
            None => (Some(endpoint.host.clone()), Some(endpoint.port)),
        };
        listeners.push(Listener {
            name: endpoint.name,
            host: endpoint.host,
            port: endpoint.port,
            protocol,
            advertised_host: host.filter(|host| !host.is_empty()),
            advertised_port: port.filter(|port| *port != 0),
        });
    }
    if let Some(name) = advertised.keys().find(|name| !controllers.contains(name)) {
        return Err(error(
            "advertised.listeners",
            format!("there is no listener {name} in listeners"),
        ));
    }
    if listeners.is_empty() {
        return Err(error("listeners", "there is no listener for clients"));
    }
    refuse_shared_ports(&listeners)?;
    Ok(listeners)
}

fn advertised(values: &Values) -> Result<BTreeMap<String, Endpoint>, ListenerError> {
    let property = "advertised.listeners";
    let mut told = BTreeMap::new();
    for text in values.list(property) {
        let endpoint = parse_endpoint(property, &text)?;
        if matches!(endpoint.host.as_str(), "0.0.0.0" | "::") {
            let problem = format!("{text} cannot be advertised: name an address that clients can connect to");
            return Err(error(property, problem));
        }
        told.insert(endpoint.name.clone(), endpoint);
    }
    Ok(told)
}

fn protocol_map(values: &Values) -> Result<BTreeMap<String, SecurityProtocol>, ListenerError> {
    let property = "listener.security.protocol.map";
    let mut map = BTreeMap::new();
    for entry in split_list(values.text(property).unwrap_or_default()) {
        let pair = entry.split_once(':').and_then(|(name, word)| {
            Some((
                name.trim().to_ascii_uppercase(),
                SecurityProtocol::parse(word.trim())?,
            ))
        });
        let Some((name, protocol)) = pair else {
            let protocols = "PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL";
            return Err(error(
                property,
                format!("{entry} is not NAME:PROTOCOL with {protocols}"),
            ));
        };
        map.insert(name, protocol);
    }
    Ok(map)
}

/// A controller's listener without an entry is plaintext, as in Kafka.
fn protocol_of(
    name: &str,
    map: &BTreeMap<String, SecurityProtocol>,
    is_controllers: bool,
) -> Result<SecurityProtocol, ListenerError> {
    let found = map.get(name).copied().or_else(|| SecurityProtocol::parse(name));
    let found = found.or(is_controllers.then_some(SecurityProtocol::Plaintext));
    found.ok_or_else(|| {
        let problem = format!("there is no entry for the listener {name}; add {name}:PLAINTEXT");
        error("listener.security.protocol.map", problem)
    })
}

fn refuse_shared_ports(listeners: &[Listener]) -> Result<(), ListenerError> {
    for (index, listener) in listeners.iter().enumerate() {
        let shares = |other: &&Listener| other.port == listener.port && other.host == listener.host;
        if listener.port != 0
            && let Some(other) = listeners[index + 1..].iter().find(shares)
        {
            let problem = format!("{} and {} ask for the same port", listener.name, other.name);
            return Err(error("listeners", problem));
        }
    }
    Ok(())
}

fn is_every_address(host: &str) -> bool {
    matches!(host, "" | "0.0.0.0" | "::")
}

fn upper(names: Vec<String>) -> Vec<String> {
    names.into_iter().map(|name| name.to_ascii_uppercase()).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn resolve(pairs: &[(&str, &str)], hostname: Option<&str>) -> Result<Vec<Listener>, ListenerError> {
        let fixed = pairs
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        listeners(
            &Values {
                fixed: Arc::new(fixed),
                ..Values::default()
            },
            hostname,
        )
    }

    fn told(listener: &Listener) -> (String, u16) {
        listener.advertised("192.0.2.7:4711".parse().unwrap())
    }

    #[test]
    fn a_connection_is_told_the_address_it_came_in_by_where_nobody_wrote_one() {
        let listeners = resolve(&[], None).unwrap();
        assert_eq!(listeners.len(), 1);
        assert_eq!(
            (listeners[0].name.as_str(), listeners[0].port),
            ("PLAINTEXT", 9092)
        );
        assert_eq!(told(&listeners[0]), ("192.0.2.7".into(), 9092));
        let listeners = resolve(&[], Some("box")).unwrap();
        assert_eq!(told(&listeners[0]), ("box".into(), 9092));
        let listeners = resolve(&[("listeners", "PLAINTEXT://127.0.0.1:0")], Some("box")).unwrap();
        assert_eq!(told(&listeners[0]), ("127.0.0.1".into(), 4711));
    }

    #[test]
    fn advertised_listeners_win_and_controllers_are_left_out() {
        let listeners = resolve(
            &[
                (
                    "listeners",
                    "PLAINTEXT://:9092,CONTROLLER://:9093, inside://[::1]:9094",
                ),
                ("advertised.listeners", "PLAINTEXT://kafka.example:19092"),
                (
                    "listener.security.protocol.map",
                    "PLAINTEXT:PLAINTEXT,INSIDE:PLAINTEXT",
                ),
                ("controller.listener.names", "CONTROLLER"),
            ],
            Some("box"),
        )
        .unwrap();
        let names: Vec<_> = listeners.iter().map(|listener| listener.name.as_str()).collect();
        assert_eq!(names, ["PLAINTEXT", "INSIDE"]);
        assert_eq!(told(&listeners[0]), ("kafka.example".into(), 19092));
        assert_eq!(told(&listeners[1]), ("::1".into(), 9094));
    }

    #[test]
    fn wrong_listeners_are_refused_with_the_property_at_fault() {
        type Pairs = &'static [(&'static str, &'static str)];
        let cases: &[(Pairs, &str, &str)] = &[
            (
                &[("listeners", "localhost:9092")],
                "listeners",
                "is not of the form",
            ),
            (
                &[("listeners", "PLAINTEXT://a:70000")],
                "listeners",
                "is not of the form",
            ),
            (
                &[("listeners", "INSIDE://a:1")],
                "listener.security.protocol.map",
                "add INSIDE:PLAINTEXT",
            ),
            (&[("listeners", "SSL://a:1")], "listeners", "not served yet"),
            (
                &[("listeners", "PLAINTEXT://a:1,PLAINTEXT://b:2")],
                "listeners",
                "twice",
            ),
            (
                &[("advertised.listeners", "PLAINTEXT://0.0.0.0:1")],
                "advertised.listeners",
                "cannot be",
            ),
            (
                &[("advertised.listeners", "X://a:1")],
                "advertised.listeners",
                "no listener X",
            ),
            (
                &[("listeners", "CONTROLLER://a:1")],
                "listeners",
                "no listener for clients",
            ),
            (
                &[("listener.security.protocol.map", "A:B")],
                "listener.security.protocol.map",
                "not NAME",
            ),
        ];
        for (pairs, property, words) in cases {
            let error = resolve(pairs, None).unwrap_err();
            assert_eq!(error.property, *property, "{pairs:?}");
            assert!(error.problem.contains(words), "{pairs:?}: {}", error.problem);
        }
    }
}
