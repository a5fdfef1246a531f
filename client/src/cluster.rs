//! [`Cluster`]: the brokers, a connection to each, and who is responsible for what.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use klamm_protocol::messages::find_coordinator::FindCoordinatorRequest;
use klamm_protocol::messages::metadata::{MetadataRequest, MetadataRequestTopic};
use klamm_protocol::{ErrorCode, Str};
use tokio::time::{Instant, sleep};

use crate::{Call, Connection, Error, Picture};

const BACKOFF_FIRST: Duration = Duration::from_millis(50);
const BACKOFF_MAX: Duration = Duration::from_secs(1);

/// How a cluster is reached.
#[derive(Clone, Debug)]
pub struct Options {
    /// `HOST:PORT`, several separated by commas: the first that answers tells of all brokers.
    pub bootstrap: String,
    /// What the broker's logs and quotas call this client.
    pub client_id: Str,
    /// Longest wait for a connection and its greeting.
    pub connect_timeout: Duration,
    /// Longest wait for one answer.
    pub request_timeout: Duration,
    /// How long an operation is tried again while it may still succeed.
    pub retry_timeout: Duration,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            bootstrap: "127.0.0.1:9092".to_owned(),
            client_id: Str::from_static("klamm"),
            connect_timeout: Duration::from_secs(5),
            request_timeout: Duration::from_secs(30),
            retry_timeout: Duration::from_secs(30),
        }
    }
}

/// A cluster; clones share its connections and its picture.
#[derive(Clone, Debug)]
pub struct Cluster {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    options: Options,
    addresses: Vec<String>,
    picture: Mutex<Arc<Picture>>,
    /// By address, so that a broker which moves is connected to anew.
    connections: Mutex<BTreeMap<String, Connection>>,
}

impl Cluster {
    /// Connects to the first of the addresses that answers.
    ///
    /// # Errors
    /// [`Error::Address`], [`Error::Unreachable`], and those of a Metadata request.
    pub async fn connect(options: Options) -> Result<Cluster, Error> {
        let addresses = options
            .bootstrap
            .split(',')
            .map(str::trim)
            .filter(|address| !address.is_empty());
        let addresses: Vec<String> = addresses.map(checked_address).collect::<Result<_, _>>()?;
        if addresses.is_empty() {
            return Err(Error::Address(options.bootstrap));
        }
        let inner = Inner {
            options,
            addresses,
            picture: Mutex::default(),
            connections: Mutex::default(),
        };
        let cluster = Cluster {
            inner: Arc::new(inner),
        };
        cluster.refresh(Some(&[]), false).await?;
        Ok(cluster)
    }

    /// The same cluster with connections of its own, for whatever waits long for its answers: a broker answers one
    /// request of a connection after the other.
    pub fn sibling(&self) -> Cluster {
        let inner = Inner {
            options: self.inner.options.clone(),
            addresses: self.inner.addresses.clone(),
            picture: Mutex::new(self.picture()),
            connections: Mutex::default(),
        };
        Cluster {
            inner: Arc::new(inner),
        }
    }

    /// How it is reached.
    pub fn options(&self) -> &Options {
        &self.inner.options
    }

    /// The picture as it is now, without asking.
    pub fn picture(&self) -> Arc<Picture> {
        Arc::clone(&self.inner.picture.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Asks for brokers and these topics, or all of them, and gives the new picture.
    ///
    /// # Errors
    /// When no broker answers. What is wrong with single topics stands in the picture.
    pub async fn refresh(&self, topics: Option<&[Str]>, create: bool) -> Result<Arc<Picture>, Error> {
        let topic = |name: &Str| MetadataRequestTopic {
            name: Some(name.clone()),
            ..Default::default()
        };
        let request = MetadataRequest {
            topics: topics.map(|topics| topics.iter().map(topic).collect()),
            allow_auto_topic_creation: create,
            ..Default::default()
        };
        let answer = self.ask_any(&request).await?;
        let mut picture = self.inner.picture.lock().unwrap_or_else(PoisonError::into_inner);
        let mut after = picture.after(&answer);
        if topics.is_none() {
            let named = |name: &Str| {
                answer
                    .topics
                    .iter()
                    .any(|topic| topic.name.as_ref() == Some(name))
            };
            after.topics.retain(|name, _| named(name));
        }
        *picture = Arc::new(after);
        Ok(Arc::clone(&picture))
    }

    /// Asks whichever broker answers first, in the order of what is known.
    ///
    /// # Errors
    /// [`Error::Unreachable`] when none can be connected to; [`Error::Connection`] when one was and failed.
    pub async fn ask_any<C: Call>(&self, request: &C) -> Result<C::Answer, Error> {
        let picture = self.picture();
        let known = picture.brokers.values().map(|broker| &broker.address);
        let mut last = None;
        for address in known.chain(&self.inner.addresses) {
            match self.connection(address).await {
                Ok(connection) => {
                    return self
                        .call(address, &connection, request, self.options().request_timeout)
                        .await;
                }
                Err(error) => last = Some(error),
            }
        }
        match last {
            Some(Error::Connection { reason, .. }) => Err(Error::Unreachable {
                addresses: self.inner.addresses.join(", "),
                reason,
            }),
            Some(error) => Err(error),
            None => Err(Error::Address(self.inner.options.bootstrap.clone())),
        }
    }

    /// Asks one broker.
    ///
    /// # Errors
    /// [`Error::NoBroker`] when the picture does not have it, [`Error::Connection`].
    pub async fn ask<C: Call>(&self, broker: i32, request: &C) -> Result<C::Answer, Error> {
        self.ask_within(broker, request, self.options().request_timeout)
            .await
    }

    /// Asks one broker something that may take longer.
    ///
    /// # Errors
    /// Those of [`Cluster::ask`].
    pub async fn ask_within<C: Call>(
        &self,
        broker: i32,
        request: &C,
        within: Duration,
    ) -> Result<C::Answer, Error> {
        let picture = self.picture();
        let address = &picture
            .brokers
            .get(&broker)
            .ok_or(Error::NoBroker { id: broker })?
            .address;
        let connection = self.connection(address).await?;
        self.call(address, &connection, request, within).await
    }

    /// The broker that leads a partition, after asking for it where it is not known.
    ///
    /// # Errors
    /// [`Error::NoTopic`], [`Error::NoPartition`], [`Error::NoLeader`], and those of asking.
    pub async fn leader(&self, topic: &Str, partition: i32) -> Result<i32, Error> {
        if let Some(leader) = self.picture().leader(topic, partition) {
            return Ok(leader);
        }
        let picture = self.refresh(Some(std::slice::from_ref(topic)), false).await?;
        let pictured = known_topic(&picture, topic)?;
        if !pictured.partitions.contains_key(&partition) {
            return Err(Error::NoPartition {
                topic: topic.clone(),
                partition,
                count: pictured.partitions.len(),
            });
        }
        picture.leader(topic, partition).ok_or(Error::NoLeader {
            topic: topic.clone(),
            partition,
        })
    }

    /// The broker that coordinates a group.
    ///
    /// # Errors
    /// [`Error::Refused`], retriable while the coordinator is not there yet, and those of asking.
    pub async fn coordinator(&self, group: &Str) -> Result<i32, Error> {
        let request = FindCoordinatorRequest {
            key: group.clone(),
            ..Default::default()
        };
        let answer = self.ask_any(&request).await?;
        let what = || format!("the coordinator of group {group}");
        Error::check(what, answer.error_code, answer.error_message.as_ref())?;
        if !self.picture().brokers.contains_key(&answer.node_id) {
            self.refresh(Some(&[]), false).await?;
        }
        Ok(answer.node_id)
    }

    /// Asks the coordinator of a group.
    ///
    /// # Errors
    /// Those of [`Cluster::coordinator`] and [`Cluster::ask`].
    pub async fn ask_coordinator<C: Call>(&self, group: &Str, request: &C) -> Result<C::Answer, Error> {
        let coordinator = self.coordinator(group).await?;
        self.ask(coordinator, request).await
    }

    /// Repeats an attempt while it may still succeed, with growing pauses.
    ///
    /// # Errors
    /// Whatever cannot be mended by waiting, at once; [`Error::TimedOut`] around the last error else.
    pub async fn retrying<T>(&self, attempt: impl AsyncFn() -> Result<T, Error>) -> Result<T, Error> {
        let began = Instant::now();
        let mut backoff = BACKOFF_FIRST;
        loop {
            match attempt().await {
                Err(error) if error.retriable() => {
                    if began.elapsed() + backoff > self.options().retry_timeout {
                        return Err(Error::TimedOut {
                            after: began.elapsed(),
                            last: Box::new(error),
                        });
                    }
                }
                result => return result,
            }
            sleep(backoff).await;
            backoff = (backoff * 2).min(BACKOFF_MAX);
        }
    }

    async fn call<C: Call>(
        &self,
        address: &str,
        connection: &Connection,
        request: &C,
        within: Duration,
    ) -> Result<C::Answer, Error> {
        let answer = connection.call(request, within).await;
        answer.map_err(|reason| Error::Connection {
            address: address.to_owned(),
            reason,
        })
    }

    async fn connection(&self, address: &str) -> Result<Connection, Error> {
        let connections = || {
            self.inner
                .connections
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
        };
        if let Some(connection) = connections()
            .get(address)
            .filter(|connection| !connection.is_broken())
        {
            return Ok(connection.clone());
        }
        let options = self.options();
        let opened = Connection::open(address, options.client_id.clone(), options.connect_timeout).await;
        let opened = opened.map_err(|reason| Error::Connection {
            address: address.to_owned(),
            reason,
        })?;
        connections().insert(address.to_owned(), opened.clone());
        Ok(opened)
    }
}

/// The topic in a picture.
///
/// # Errors
/// [`Error::NoTopic`], and what the brokers say of it.
pub(crate) fn known_topic<'a>(picture: &'a Picture, topic: &Str) -> Result<&'a crate::PicturedTopic, Error> {
    let no_topic = || Error::NoTopic { topic: topic.clone() };
    let pictured = picture.topics.get(topic).ok_or_else(no_topic)?;
    match pictured.error {
        ErrorCode::UNKNOWN_TOPIC_OR_PARTITION => Err(no_topic()),
        code => {
            Error::check(|| format!("topic {topic}"), code, None)?;
            Ok(pictured)
        }
    }
}

fn checked_address(address: &str) -> Result<String, Error> {
    let port = address.rsplit_once(':').filter(|(host, _)| !host.is_empty());
    match port.map(|(_, port)| port.parse::<u16>()) {
        Some(Ok(1..)) => Ok(address.to_owned()),
        _ => Err(Error::Address(address.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_a_host_and_a_port() {
        for good in ["localhost:9092", "[::1]:1", "10.0.0.1:65535"] {
            assert!(checked_address(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "localhost",
            ":9092",
            "localhost:",
            "localhost:0",
            "localhost:99999",
            "http://x",
        ] {
            assert!(checked_address(bad).is_err(), "{bad}");
        }
    }
}
