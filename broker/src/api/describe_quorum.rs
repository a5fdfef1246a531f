//! DescribeQuorum (key 55): who keeps the cluster's metadata, and how far each of them has it (KIP-595, KIP-836).
//!
//! Clients ask for Kafka's own metadata topic and get the state of the log that stands for it here.

use klamm_protocol::ErrorCode;
use klamm_protocol::messages::describe_quorum::{
    DescribeQuorumRequest, DescribeQuorumResponse, Node as VoterNode, QuorumPartitionData, QuorumTopicData,
    ReplicaState,
};

use crate::api::Caller;
use crate::node::Node;

/// What Kafka calls the topic of the metadata log; its only partition is 0.
const CLUSTER_METADATA: &str = "__cluster_metadata";

/// From this version on, the answer names the voters.
const NODES_SINCE: i16 = 2;

/// Handles a request.
pub(crate) fn handle(node: &mut Node, caller: Caller, request: DescribeQuorumRequest) {
    let is_known = matches!(
        request.topics.as_slice(),
        [topic] if *topic.topic_name == *CLUSTER_METADATA
            && matches!(topic.partitions.as_slice(), [partition] if partition.partition_index == 0)
    );
    let topics = match is_known {
        true => vec![QuorumTopicData {
            topic_name: CLUSTER_METADATA.into(),
            partitions: vec![quorum(node)],
        }],
        false => request.topics.into_iter().map(nothing_of).collect(),
    };
    let mut response = DescribeQuorumResponse {
        error_message: None,
        topics,
        ..DescribeQuorumResponse::default()
    };
    if caller.version >= NODES_SINCE && is_known {
        // Voters have no listener that a client could use beside the brokers'.
        let voters = node.cluster.image().voters.iter();
        response.nodes = voters
            .map(|voter| VoterNode {
                node_id: voter.node_id.0,
                listeners: Vec::new(),
            })
            .collect();
    }
    node.answer(&caller, response);
}

fn quorum(node: &Node) -> QuorumPartitionData {
    let state = node.cluster.quorum();
    let replicas = state.voters.into_iter().map(|voter| {
        // The leader of a quorum has all it has at any time; of others, nobody keeps the time yet.
        let at_ms = match state.leader == Some(voter.node_id) {
            true => node.now.unix_ms,
            false => -1,
        };
        ReplicaState {
            replica_id: voter.node_id.0,
            replica_directory_id: voter.directory_id,
            log_end_offset: voter.log_end_offset.unwrap_or(-1),
            last_fetch_timestamp: at_ms,
            last_caught_up_timestamp: at_ms,
        }
    });
    let error_code = match state.leader {
        Some(_) => ErrorCode::NONE,
        None => ErrorCode::NOT_LEADER_OR_FOLLOWER,
    };
    QuorumPartitionData {
        partition_index: 0,
        error_code,
        error_message: state.leader.is_none().then(|| error_code.meaning().into()),
        leader_id: state.leader.map_or(-1, |leader| leader.0),
        leader_epoch: state.leader_epoch,
        high_watermark: state.high_watermark,
        current_voters: replicas.collect(),
        observers: Vec::new(),
    }
}

fn nothing_of(topic: klamm_protocol::messages::describe_quorum::TopicData) -> QuorumTopicData {
    let partitions = topic.partitions.into_iter().map(|partition| {
        let error_code = ErrorCode::UNKNOWN_TOPIC_OR_PARTITION;
        QuorumPartitionData {
            partition_index: partition.partition_index,
            error_code,
            error_message: Some(error_code.meaning().into()),
            ..QuorumPartitionData::default()
        }
    });
    QuorumTopicData {
        topic_name: topic.topic_name,
        partitions: partitions.collect(),
    }
}
