//! DescribeProducers (key 61): what partitions know of their producers (KIP-664).

use klamm_protocol::ErrorCode;
use klamm_protocol::messages::describe_producers::{
    DescribeProducersRequest, DescribeProducersResponse, PartitionResponse, ProducerState, TopicResponse,
};

use crate::api::Caller;
use crate::api::metadata::is_valid_name;
use crate::node::Node;
use crate::replicas::OPEN_TIMEOUT_MS;

/// Handles a request.
pub(crate) fn handle(node: &mut Node, caller: Caller, request: DescribeProducersRequest) {
    let named = request.topics.iter();
    let keys = node.logs_named(named.map(|topic| (&topic.name, topic.partition_indexes.iter().copied())));
    node.when_open(keys, OPEN_TIMEOUT_MS, move |node| respond(node, caller, request));
}

fn respond(node: &mut Node, caller: Caller, request: DescribeProducersRequest) {
    let topics = request.topics.into_iter().map(|topic| {
        let topic_id = match node.cluster.topic_by_name(&topic.name) {
            Some(topic) => Ok(topic.id),
            None if is_valid_name(&topic.name) => Err(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION),
            None => Err(ErrorCode::INVALID_TOPIC_EXCEPTION),
        };
        let partitions = topic.partition_indexes.into_iter().map(|partition_index| {
            let found = topic_id.and_then(|topic_id| node.partition_of(topic_id, partition_index));
            let mut response = PartitionResponse {
                partition_index,
                ..PartitionResponse::default()
            };
            match found {
                Err(code) => {
                    response.error_code = code;
                    response.error_message = Some(code.meaning().into());
                }
                Ok(partition) => {
                    response.active_producers = partition
                        .log
                        .producers()
                        .map(|producer| ProducerState {
                            producer_id: producer.producer_id,
                            producer_epoch: i32::from(producer.producer_epoch),
                            last_sequence: producer.last_sequence,
                            last_timestamp: producer.last_timestamp_ms,
                            coordinator_epoch: producer.coordinator_epoch,
                            current_txn_start_offset: producer.transaction_start.unwrap_or(-1),
                        })
                        .collect();
                }
            }
            response
        });
        TopicResponse {
            partitions: partitions.collect(),
            name: topic.name,
        }
    });
    let topics = topics.collect();
    node.answer(
        &caller,
        DescribeProducersResponse {
            topics,
            ..DescribeProducersResponse::default()
        },
    );
}
