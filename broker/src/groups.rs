//! The group coordinator at work: requests and answers between it and the node. See [`crate::hosting`] for how it
//! is loaded and how its records are appended.

use std::collections::BTreeMap;

use klamm_consensus::MetadataImage;
use klamm_protocol::ids::TopicId;
use klamm_protocol::messages::txn_offset_commit::TxnOffsetCommitRequest;
use klamm_protocol::{Str, Uuid};

use crate::RequestId;
use crate::api::Caller;
use crate::cluster::CONSUMER_OFFSETS;
use crate::config::BrokerConfig;
use crate::coordinator::{self, Coordinator, CoordinatorConfig, GroupRequest, GroupResponse, Output, Topics};
use crate::hosting::{self, Host, Hosted};
use crate::markers;
use crate::node::Node;
use crate::router::Response;

/// The coordinator, and what it takes to send its answers.
pub(crate) struct Groups {
    pub host: Host<Coordinator>,
    config: CoordinatorConfig,
    seed: u64,
    callers: BTreeMap<RequestId, Caller>,
}

impl Groups {
    pub fn new(config: &BrokerConfig, seed: u64) -> Groups {
        let config = CoordinatorConfig::from(config);
        let coordinator = Coordinator::new(config.clone(), seed);
        Groups {
            host: Host::new(coordinator, config.partitions),
            config,
            seed,
            callers: BTreeMap::new(),
        }
    }
}

impl Hosted for Coordinator {
    const TOPIC: &'static str = CONSUMER_OFFSETS;

    fn host(node: &mut Node) -> &mut Host<Coordinator> {
        &mut node.groups.host
    }

    fn renew(node: &mut Node, partitions: i32) -> Coordinator {
        let groups = &mut node.groups;
        groups.config.partitions = partitions;
        Coordinator::new(groups.config.clone(), groups.seed)
    }

    fn follow(node: &mut Node) {
        while std::mem::take(&mut node.groups.host.stirred) {
            for output in node.groups.host.coordinator.drain() {
                match output {
                    Output::Answer(id, response) => {
                        if let Some(caller) = node.groups.callers.remove(&id) {
                            node.answer(&caller, response);
                        }
                    }
                    Output::Ended(token, code) => markers::ended(node, token, code),
                    Output::Append { partition, batch } => {
                        hosting::append::<Coordinator>(node, partition, batch);
                    }
                }
            }
        }
    }
}

/// What the coordinator may ask about topics.
struct Catalogue<'a>(&'a MetadataImage);

impl Topics for Catalogue<'_> {
    fn id_of(&self, name: &str) -> Option<Uuid> {
        self.0.topic_by_name(name).map(|topic| topic.id.0)
    }

    fn name_of(&self, id: Uuid) -> Option<Str> {
        self.0.topic(TopicId(id)).map(|topic| topic.name.clone())
    }

    fn has_partition(&self, name: &str, partition: i32) -> bool {
        let index = usize::try_from(partition).unwrap_or(usize::MAX);
        self.0
            .topic_by_name(name)
            .is_some_and(|topic| index < topic.partitions.len())
    }
}

/// Hands a request to the coordinator.
pub(crate) fn request(node: &mut Node, caller: Caller, request: GroupRequest) {
    let Some(info) = node.connections.get(&caller.id.connection) else {
        return;
    };
    let from = coordinator::Caller {
        id: caller.id,
        version: caller.version,
        client_id: caller.client_id.clone().unwrap_or_default(),
        client_host: format!("/{}", info.peer.ip().to_canonical()).into(),
    };
    node.groups.callers.insert(caller.id, caller);
    let image = node.cluster.image().clone();
    let host = &mut node.groups.host;
    host.coordinator
        .request(node.now, from, request, &Catalogue(&image));
    host.stirred = true;
}

/// The answer to a TxnOffsetCommit as far as topics decide it: the rest is NONE as yet.
pub(crate) fn plan_transactional_commit(
    node: &Node,
    version: i16,
    request: &mut TxnOffsetCommitRequest,
) -> GroupResponse {
    let catalogue = Catalogue(node.cluster.image());
    GroupResponse::TxnOffsetCommit(coordinator::plan_transactional_commit(
        version, request, &catalogue,
    ))
}

/// Topics are gone, and with them what was committed for them.
pub(crate) fn topics_deleted(node: &mut Node, names: &[Str]) {
    let host = &mut node.groups.host;
    host.coordinator.topics_deleted(node.now, names);
    host.stirred = true;
}

impl From<GroupResponse> for Response {
    fn from(response: GroupResponse) -> Response {
        match response {
            GroupResponse::JoinGroup(response) => response.into(),
            GroupResponse::SyncGroup(response) => response.into(),
            GroupResponse::Heartbeat(response) => response.into(),
            GroupResponse::LeaveGroup(response) => response.into(),
            GroupResponse::OffsetCommit(response) => response.into(),
            GroupResponse::OffsetFetch(response) => response.into(),
            GroupResponse::OffsetDelete(response) => response.into(),
            GroupResponse::TxnOffsetCommit(response) => response.into(),
            GroupResponse::DescribeGroups(response) => response.into(),
            GroupResponse::ListGroups(response) => response.into(),
            GroupResponse::DeleteGroups(response) => response.into(),
        }
    }
}
