//! One file per API: what a request is answered with.
//!
//! A handler takes the [`Node`], who asks, and the request. It answers through the node, at once or when what it
//! waits for has come. What goes wrong is a code in the answer, never an error of the handler.

pub(crate) mod acls;
pub(crate) mod alter_configs;
pub(crate) mod alter_replica_log_dirs;
pub mod api_versions;
pub(crate) mod create_partitions;
pub(crate) mod create_topics;
pub(crate) mod delete_records;
pub(crate) mod delete_topics;
pub(crate) mod describe_cluster;
pub(crate) mod describe_configs;
pub(crate) mod describe_log_dirs;
pub(crate) mod describe_producers;
pub(crate) mod describe_quorum;
pub(crate) mod describe_topic_partitions;
pub(crate) mod describe_users;
pub(crate) mod elect_leaders;
pub(crate) mod fetch;
pub(crate) mod find_coordinator;
pub(crate) mod init_producer_id;
pub(crate) mod list_config_resources;
pub(crate) mod list_offsets;
pub(crate) mod metadata;
pub(crate) mod offset_for_leader_epoch;
pub(crate) mod old_fetch;
pub(crate) mod partition_reassignments;
pub mod produce;
pub(crate) mod sasl;

use std::sync::Arc;

use klamm_consensus::{ControllerResponse, Refusal};
use klamm_protocol::frame::RequestHeader;
use klamm_protocol::{ErrorCode, Str};

use crate::coordinator::GroupRequest;
use crate::coordinator::transactions::TransactionRequest;
use crate::groups;
use crate::markers;
use crate::node::Node;
use crate::old_clients::Use;
use crate::router::{Inbound, Request, served};
use crate::transactions;
use crate::{ConnectionId, RequestId};

/// Who asks, and how: what it takes to answer.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    pub id: RequestId,
    pub version: i16,
    pub correlation_id: i32,
    /// How the client calls itself.
    pub client_id: Option<Str>,
    /// Where Kafka 4.0 would refuse the request: as what it was counted.
    pub old_use: Option<Arc<Use>>,
}

/// Hands a request to its handler.
pub(crate) fn dispatch(node: &mut Node, id: RequestId, inbound: Inbound) {
    let header = inbound.header;
    let caller = Caller {
        id,
        version: header.api_version,
        correlation_id: header.correlation_id,
        old_use: note_use(node, id.connection, &header),
        client_id: header.client_id,
    };
    match inbound.request {
        Request::Produce(call) => produce::handle(node, caller, call),
        Request::Fetch(request) => fetch::handle(node, caller, request),
        Request::ListOffsets(request) => list_offsets::handle(node, caller, request),
        Request::Metadata(request) => metadata::handle(node, caller, request),
        Request::OffsetCommit(request) => group(node, caller, GroupRequest::OffsetCommit(request)),
        Request::OffsetFetch(request) => group(node, caller, GroupRequest::OffsetFetch(request)),
        Request::FindCoordinator(request) => find_coordinator::handle(node, caller, request),
        Request::JoinGroup(request) => group(node, caller, GroupRequest::JoinGroup(request)),
        Request::Heartbeat(request) => group(node, caller, GroupRequest::Heartbeat(request)),
        Request::LeaveGroup(request) => group(node, caller, GroupRequest::LeaveGroup(request)),
        Request::SyncGroup(request) => group(node, caller, GroupRequest::SyncGroup(request)),
        Request::DescribeGroups(request) => group(node, caller, GroupRequest::DescribeGroups(request)),
        Request::ListGroups(request) => group(node, caller, GroupRequest::ListGroups(request)),
        Request::ApiVersions(request) => {
            let image = node.cluster.image();
            let answer = api_versions::answer(&request, caller.version, image, node.config.node_id);
            if answer.error_code == ErrorCode::NONE {
                node.old_clients.introduce(id.connection, &request);
            }
            node.answer(&caller, answer);
        }
        Request::SaslHandshake(_) => node.answer(&caller, sasl::no_handshake()),
        Request::SaslAuthenticate(_) => node.answer(&caller, sasl::no_authentication()),
        Request::UnsupportedApiVersions => node.answer(&caller, api_versions::unsupported()),
        Request::CreateTopics(request) => create_topics::handle(node, caller, request),
        Request::DeleteTopics(request) => delete_topics::handle(node, caller, request),
        Request::DeleteRecords(request) => delete_records::handle(node, caller, request),
        Request::InitProducerId(request) => init_producer_id::handle(node, caller, request),
        Request::OffsetForLeaderEpoch(request) => offset_for_leader_epoch::handle(node, caller, request),
        Request::DescribeAcls(_) => node.answer(&caller, acls::describe()),
        Request::CreateAcls(request) => node.answer(&caller, acls::create(&request)),
        Request::DeleteAcls(request) => node.answer(&caller, acls::delete(&request)),
        Request::AddPartitionsToTxn(request) => transactions::add_partitions(node, caller, request),
        Request::AddOffsetsToTxn(request) => transactions::add_offsets(node, caller, request),
        Request::EndTxn(request) => transactions::request(node, caller, TransactionRequest::EndTxn(request)),
        Request::WriteTxnMarkers(request) => markers::handle(node, caller, request),
        Request::TxnOffsetCommit(request) => transactions::commit_offsets(node, caller, request),
        Request::DescribeTransactions(request) => {
            transactions::request(node, caller, TransactionRequest::Describe(request));
        }
        Request::ListTransactions(request) => {
            transactions::request(node, caller, TransactionRequest::List(request));
        }
        Request::DescribeConfigs(request) => describe_configs::handle(node, caller, request),
        Request::AlterConfigs(request) => alter_configs::replace(node, caller, request),
        Request::AlterReplicaLogDirs(request) => alter_replica_log_dirs::handle(node, caller, request),
        Request::DescribeLogDirs(request) => describe_log_dirs::handle(node, caller, request),
        Request::CreatePartitions(request) => create_partitions::handle(node, caller, request),
        Request::DeleteGroups(request) => group(node, caller, GroupRequest::DeleteGroups(request)),
        Request::ElectLeaders(request) => elect_leaders::handle(node, caller, request),
        Request::IncrementalAlterConfigs(request) => alter_configs::edit(node, caller, request),
        Request::AlterPartitionReassignments(request) => {
            partition_reassignments::alter(node, caller, request);
        }
        Request::ListPartitionReassignments(request) => partition_reassignments::list(node, caller, request),
        Request::OffsetDelete(request) => group(node, caller, GroupRequest::OffsetDelete(request)),
        Request::DescribeClientQuotas(request) => node.answer(&caller, describe_users::quotas(&request)),
        Request::DescribeUserScramCredentials(request) => {
            node.answer(&caller, describe_users::credentials(request));
        }
        Request::DescribeQuorum(request) => describe_quorum::handle(node, caller, request),
        Request::DescribeCluster(request) => describe_cluster::handle(node, caller, request),
        Request::DescribeProducers(request) => describe_producers::handle(node, caller, request),
        Request::ListConfigResources(request) => list_config_resources::handle(node, caller, request),
        Request::DescribeTopicPartitions(request) => describe_topic_partitions::handle(node, caller, request),
    }
}

/// Counts a request of before Kafka 4.0, and names its client in the log once an hour.
fn note_use(node: &mut Node, connection: ConnectionId, header: &RequestHeader) -> Option<Arc<Use>> {
    let (key, version) = (header.api_key, header.api_version);
    let client_id = header.client_id.as_ref();
    let noted = node
        .old_clients
        .note(connection, client_id, key, version, node.now)?;
    if noted.tell {
        let peer = node
            .connections
            .get(&connection)
            .map(|connection| connection.peer);
        tracing::info!(
            "client {:?} at {} sends {} version {version}, which Kafka 4 would refuse (told once an hour)",
            noted.used.client,
            peer.map(|peer| peer.to_string()).unwrap_or_default(),
            served(key).map_or("requests in", |row| row.name),
        );
    }
    Some(noted.used)
}

fn group(node: &mut Node, caller: Caller, request: GroupRequest) {
    groups::request(node, caller, request);
}

/// Why the controller did not do what it was asked.
pub(crate) fn refusal(answer: Result<ControllerResponse, ErrorCode>) -> Refusal {
    match answer {
        Ok(ControllerResponse::Refused(refusal)) => refusal,
        Err(code) => Refusal::code(code),
        Ok(other) => {
            tracing::error!(?other, "the controller answered another question");
            Refusal::code(ErrorCode::UNKNOWN_SERVER_ERROR)
        }
    }
}
