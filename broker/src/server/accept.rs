//! Listeners: binding them, and letting connections in.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket, TcpStream};

use super::closing::{Ending, Peer};
use super::driver::Driver;
use super::session;
use crate::ConnectionInfo;
use crate::config::{BrokerConfig, Listener, NetworkConfig};

/// Pause after the operating system had no descriptor or memory for a connection.
const EXHAUSTED_PAUSE: Duration = Duration::from_millis(100);

/// An address that cannot be listened on.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// Somebody else has the port.
    #[error("{address} is already in use: stop what listens there, or choose another port in listeners")]
    InUse {
        /// The address as it was written.
        address: String,
    },
    /// The port is not for everybody.
    #[error("no permission to listen on {address}: choose a port of at least 1024 in listeners")]
    NoPermission {
        /// The address as it was written.
        address: String,
    },
    /// The address is another machine's.
    #[error("{address} is no address of this machine: name one that is in listeners, or no host at all")]
    NotHere {
        /// The address as it was written.
        address: String,
    },
    /// The host is not known.
    #[error("the host {host} in listeners is not known here ({error}): name one that is, or no host at all")]
    UnknownHost {
        /// The host as it was written.
        host: String,
        /// What the resolver said.
        error: io::Error,
    },
    /// Anything else.
    #[error("cannot listen on {address}: {error}")]
    Other {
        /// The address as it was written.
        address: String,
        /// What the operating system said.
        error: io::Error,
    },
}

/// Listeners that are bound and listen; nobody is let in yet.
pub struct Bound {
    listeners: Vec<(String, SocketAddr, TcpListener)>,
}

impl Bound {
    /// Binds all listeners of a broker. Must be called inside a runtime.
    ///
    /// # Errors
    /// The first address that cannot be listened on.
    pub fn bind(config: &BrokerConfig) -> Result<Bound, BindError> {
        let mut listeners = Vec::with_capacity(config.listeners.len());
        for listener in &config.listeners {
            let bound = bind(listener, config.network.backlog)?;
            let address = bound.local_addr().map_err(|error| explain(listener, error))?;
            listeners.push((listener.name.clone(), address, bound));
        }
        Ok(Bound { listeners })
    }

    /// Names of the listeners and the addresses they are bound to.
    pub fn addresses(&self) -> Vec<(String, SocketAddr)> {
        self.listeners
            .iter()
            .map(|(name, address, _)| (name.clone(), *address))
            .collect()
    }

    pub(super) fn into_listeners(self) -> Vec<(String, TcpListener)> {
        self.listeners
            .into_iter()
            .map(|(name, _, listener)| (name, listener))
            .collect()
    }
}

fn bind(listener: &Listener, backlog: u32) -> Result<TcpListener, BindError> {
    if !listener.host.is_empty() {
        let address = resolve(listener)?;
        return bind_address(address, backlog).map_err(|error| explain(listener, error));
    }
    // IPv6 takes IPv4 in as well; a machine may have none.
    let everywhere = SocketAddr::from((Ipv6Addr::UNSPECIFIED, listener.port));
    match bind_address(everywhere, backlog) {
        Err(error) if !is_final(&error) => {
            let everywhere = SocketAddr::from((Ipv4Addr::UNSPECIFIED, listener.port));
            bind_address(everywhere, backlog).map_err(|error| explain(listener, error))
        }
        result => result.map_err(|error| explain(listener, error)),
    }
}

fn is_final(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::AddrInUse | io::ErrorKind::PermissionDenied
    )
}

fn resolve(listener: &Listener) -> Result<SocketAddr, BindError> {
    let unknown = |error| BindError::UnknownHost {
        host: listener.host.clone(),
        error,
    };
    let mut addresses: Vec<SocketAddr> = (listener.host.as_str(), listener.port)
        .to_socket_addrs()
        .map_err(unknown)?
        .collect();
    addresses.sort_by_key(SocketAddr::is_ipv6);
    let none = || unknown(io::Error::from(io::ErrorKind::NotFound));
    addresses.first().copied().ok_or_else(none)
}

fn bind_address(address: SocketAddr, backlog: u32) -> io::Result<TcpListener> {
    let socket = if address.is_ipv6() {
        TcpSocket::new_v6()?
    } else {
        TcpSocket::new_v4()?
    };
    // A port is free again at once after a restart.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(backlog)
}

fn explain(listener: &Listener, error: io::Error) -> BindError {
    let host = if listener.host.is_empty() {
        "port "
    } else {
        &listener.host
    };
    let colon = if listener.host.is_empty() { "" } else { ":" };
    let address = format!("{host}{colon}{}", listener.port);
    match error.kind() {
        io::ErrorKind::AddrInUse => BindError::InUse { address },
        io::ErrorKind::PermissionDenied => BindError::NoPermission { address },
        io::ErrorKind::AddrNotAvailable => BindError::NotHere { address },
        _ => BindError::Other { address, error },
    }
}

/// Counts connections by address.
#[derive(Default)]
pub(super) struct Gate {
    inside: Mutex<Inside>,
}

#[derive(Default)]
struct Inside {
    all: usize,
    by_ip: BTreeMap<IpAddr, usize>,
}

impl Gate {
    /// Lets a connection in, unless there are too many.
    fn enter(self: &Arc<Self>, ip: IpAddr, limits: &NetworkConfig) -> Result<Pass, Ending> {
        let mut inside = self.inside.lock().expect("nothing panics while it is held");
        if inside.all >= limits.max_connections {
            return Err(Ending::TooMany);
        }
        let special = limits.max_connections_per_ip_overrides.get(&ip.to_string());
        let limit = special.copied().unwrap_or(limits.max_connections_per_ip);
        let of_ip = inside.by_ip.entry(ip).or_default();
        if *of_ip >= limit {
            return Err(Ending::TooManyOfIp);
        }
        *of_ip += 1;
        inside.all += 1;
        Ok(Pass {
            gate: Arc::clone(self),
            ip,
        })
    }
}

/// The place of one connection; free again when it is dropped.
struct Pass {
    gate: Arc<Gate>,
    ip: IpAddr,
}

impl Drop for Pass {
    fn drop(&mut self) {
        let mut inside = self.gate.inside.lock().expect("nothing panics while it is held");
        inside.all -= 1;
        if let Some(of_ip) = inside.by_ip.get_mut(&self.ip) {
            *of_ip -= 1;
            if *of_ip == 0 {
                inside.by_ip.remove(&self.ip);
            }
        }
    }
}

/// Lets connections of one listener in, for ever; until the broker is registered, they wait in the backlog.
pub(super) async fn accept(listener: TcpListener, name: String, driver: Arc<Driver>, gate: Arc<Gate>) {
    let name: Arc<str> = name.into();
    driver.registered().await;
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => admit(stream, peer, &name, &driver, &gate),
            Err(error) if is_of_the_client(&error) => {}
            Err(error) => {
                tracing::warn!("cannot accept connections for now: {error}");
                tokio::time::sleep(EXHAUSTED_PAUSE).await;
            }
        }
    }
}

/// The client gave up before it was let in.
fn is_of_the_client(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(
        error.kind(),
        ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted
    )
}

fn admit(stream: TcpStream, peer: SocketAddr, name: &Arc<str>, driver: &Arc<Driver>, gate: &Arc<Gate>) {
    let ip = peer.ip().to_canonical();
    let pass = match gate.enter(ip, &driver.config().network) {
        Ok(pass) => pass,
        Err(ending) => {
            let address = SocketAddr::new(ip, peer.port());
            let software = None;
            return driver.endings.note(&Peer { address, software }, &ending);
        }
    };
    // Both fail only when the client is gone already.
    let Ok(local) = stream.local_addr() else { return };
    if stream.set_nodelay(true).is_err() {
        return;
    }
    let info = ConnectionInfo {
        listener: Arc::clone(name),
        peer: SocketAddr::new(ip, peer.port()),
        local,
    };
    let driver = Arc::clone(driver);
    tokio::spawn(async move {
        let _pass = pass;
        session::serve(driver, stream, info).await;
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_are_limited_by_address_and_in_all() {
        let gate = Arc::new(Gate::default());
        let mut limits = BrokerConfig::default().network;
        limits.max_connections = 3;
        limits.max_connections_per_ip = 1;
        limits
            .max_connections_per_ip_overrides
            .insert("192.0.2.2".into(), 2);
        let [one, two, three] = [1, 2, 3].map(|last| IpAddr::from([192, 0, 2, last]));
        let first = gate.enter(one, &limits).unwrap();
        assert!(matches!(gate.enter(one, &limits), Err(Ending::TooManyOfIp)));
        let _second = gate.enter(two, &limits).unwrap();
        let _third = gate.enter(two, &limits).unwrap();
        assert!(matches!(gate.enter(three, &limits), Err(Ending::TooMany)));
        drop(first);
        assert!(gate.enter(three, &limits).is_ok());
    }

    #[tokio::test]
    async fn a_taken_port_says_what_to_do() {
        let mut config = BrokerConfig::default();
        config.listeners[0].host = "127.0.0.1".into();
        config.listeners[0].port = 0;
        let bound = Bound::bind(&config).unwrap();
        config.listeners[0].port = bound.addresses()[0].1.port();
        let message = Bound::bind(&config).err().unwrap().to_string();
        assert!(
            message.contains("already in use") && message.contains("127.0.0.1:"),
            "{message}"
        );
    }
}
