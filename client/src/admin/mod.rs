//! [`Admin`]: questions about a cluster, and changes to it.
//!
//! Operations on several topics or groups give one result each, in the order asked. What may succeed a moment later
//! (a leader that moves, a coordinator that loads) is tried again up to [`Options::retry_timeout`](crate::Options).

mod configs;
mod groups;
mod offsets;
mod topics;

use std::collections::BTreeMap;

use klamm_protocol::messages::api_versions::{ApiVersionsRequest, ApiVersionsResponse};
use klamm_protocol::messages::describe_cluster::{
    DescribeClusterRequest, DescribeClusterResponse, OldClients,
};
use klamm_protocol::messages::describe_log_dirs::{DescribeLogDirsRequest, DescribeLogDirsResult};

pub use self::configs::{ConfigChange, ConfigEntry, ConfigSource, Resource};
pub use self::groups::{Committed, GroupDescription, GroupListing, GroupMember};
pub use self::offsets::{Found, TimeSpec};
pub use self::topics::NewTopic;
use crate::{Cluster, Error};

/// Operations of administrators; clones share the cluster.
#[derive(Clone, Debug)]
pub struct Admin {
    cluster: Cluster,
}

impl Admin {
    /// Works on this cluster.
    pub fn new(cluster: Cluster) -> Admin {
        Admin { cluster }
    }

    /// Where it works.
    pub fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    /// Id, controller and brokers.
    ///
    /// # Errors
    /// Those of asking.
    pub async fn describe_cluster(&self) -> Result<DescribeClusterResponse, Error> {
        let answer = self.cluster.ask_any(&DescribeClusterRequest::default()).await?;
        let what = || "describing the cluster".to_owned();
        Error::check(what, answer.error_code, answer.error_message.as_ref())?;
        Ok(answer)
    }

    /// What each broker keeps in its log directories, by broker id.
    ///
    /// # Errors
    /// Those of asking; of a single directory its `error_code` tells.
    pub async fn log_dirs(&self) -> Result<BTreeMap<i32, Vec<DescribeLogDirsResult>>, Error> {
        let picture = self.cluster.refresh(Some(&[]), false).await?;
        let mut log_dirs = BTreeMap::new();
        for &broker in picture.brokers.keys() {
            let answer = self
                .cluster
                .ask(broker, &DescribeLogDirsRequest { topics: None })
                .await?;
            let what = || format!("the log directories of broker {broker}");
            Error::check(what, answer.error_code, None)?;
            log_dirs.insert(broker, answer.results);
        }
        Ok(log_dirs)
    }

    /// Who uses versions that Kafka 4.0 refuses, by broker id. Brokers that keep no such count are left out.
    ///
    /// # Errors
    /// Those of asking.
    pub async fn old_clients(&self) -> Result<BTreeMap<i32, OldClients>, Error> {
        let picture = self.cluster.refresh(Some(&[]), false).await?;
        let request = DescribeClusterRequest {
            include_old_clients: true,
            ..DescribeClusterRequest::default()
        };
        let mut old_clients = BTreeMap::new();
        for &broker in picture.brokers.keys() {
            let answer = self.cluster.ask(broker, &request).await?;
            let what = || format!("the old clients of broker {broker}");
            Error::check(what, answer.error_code, answer.error_message.as_ref())?;
            old_clients.extend(answer.old_clients.map(|seen| (broker, seen)));
        }
        Ok(old_clients)
    }

    /// Which versions of which APIs one of the brokers serves, and its features.
    ///
    /// # Errors
    /// Those of asking.
    pub async fn api_versions(&self) -> Result<ApiVersionsResponse, Error> {
        let request = ApiVersionsRequest {
            client_software_name: "klamm".into(),
            client_software_version: env!("CARGO_PKG_VERSION").into(),
            ..Default::default()
        };
        let answer = self.cluster.ask_any(&request).await?;
        Error::check(|| "asking for API versions".to_owned(), answer.error_code, None)?;
        Ok(answer)
    }
}

/// Partitions of topics, as most requests carry them: each topic once.
fn by_topic<P>(
    partitions: impl IntoIterator<Item = (klamm_protocol::Str, P)>,
) -> BTreeMap<klamm_protocol::Str, Vec<P>> {
    let mut topics: BTreeMap<_, Vec<P>> = BTreeMap::new();
    for (topic, partition) in partitions {
        topics.entry(topic).or_default().push(partition);
    }
    topics
}
