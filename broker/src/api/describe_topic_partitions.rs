//! DescribeTopicPartitions (key 75): topics page by page, in the order of their names (KIP-966).

use std::collections::BTreeSet;

use klamm_consensus::{Partition, Topic};
use klamm_protocol::messages::describe_topic_partitions::{
    Cursor, DescribeTopicPartitionsRequest, DescribeTopicPartitionsResponse,
    DescribeTopicPartitionsResponsePartition, DescribeTopicPartitionsResponseTopic,
};
use klamm_protocol::{ErrorCode, Str};

use crate::api::Caller;
use crate::api::metadata::{TOPIC_OPERATIONS, is_offline, is_valid_name};
use crate::cluster::is_internal;
use crate::node::Node;

/// Handles a request.
pub(crate) fn handle(node: &mut Node, caller: Caller, request: DescribeTopicPartitionsRequest) {
    let limit = usize::try_from(request.response_partition_limit).unwrap_or(0);
    let mut left = limit.clamp(1, node.config.describe_partitions_max.max(1));
    let from = request
        .cursor
        .as_ref()
        .map(|cursor| (&*cursor.topic_name, cursor.partition_index));
    let names: BTreeSet<Str> = if request.topics.is_empty() {
        node.cluster
            .image()
            .topics()
            .map(|topic| topic.name.clone())
            .collect()
    } else {
        request.topics.iter().map(|topic| topic.name.clone()).collect()
    };
    let mut response = DescribeTopicPartitionsResponse::default();
    let elsewhere = |cursor: &Cursor| !request.topics.is_empty() && !names.contains(&cursor.topic_name);
    if request
        .cursor
        .as_ref()
        .is_some_and(|cursor| cursor.partition_index < 0 || elsewhere(cursor))
    {
        let refuse = |name| DescribeTopicPartitionsResponseTopic {
            error_code: ErrorCode::INVALID_REQUEST,
            name: Some(name),
            ..Default::default()
        };
        response.topics = names.into_iter().map(refuse).collect();
        return node.answer(&caller, response);
    }
    for name in names {
        if from.is_some_and(|(topic, _)| *name < *topic) {
            continue;
        }
        if left == 0 {
            response.next_cursor = Some(Cursor {
                topic_name: name,
                ..Cursor::default()
            });
            break;
        }
        let Some(topic) = node.cluster.topic_by_name(&name) else {
            response.topics.push(absent(name));
            continue;
        };
        let first = match from {
            Some((topic, partition)) if *topic == *name => usize::try_from(partition).unwrap_or(0),
            _ => 0,
        };
        let end = topic.partitions.len().min(first.saturating_add(left));
        response.topics.push(describe(node, topic, first, end));
        left -= end.saturating_sub(first);
        if end < topic.partitions.len() {
            let partition_index = i32::try_from(end).expect("partitions are counted in 32 bits");
            response.next_cursor = Some(Cursor {
                topic_name: name,
                partition_index,
            });
            break;
        }
    }
    node.answer(&caller, response);
}

fn absent(name: Str) -> DescribeTopicPartitionsResponseTopic {
    let error_code = match is_valid_name(&name) {
        true => ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
        false => ErrorCode::INVALID_TOPIC_EXCEPTION,
    };
    let is_internal = is_internal(&name);
    DescribeTopicPartitionsResponseTopic {
        error_code,
        name: Some(name),
        is_internal,
        topic_authorized_operations: TOPIC_OPERATIONS,
        ..Default::default()
    }
}

fn describe(node: &Node, topic: &Topic, first: usize, end: usize) -> DescribeTopicPartitionsResponseTopic {
    let partitions = topic.partitions.iter().zip(0..).take(end).skip(first);
    DescribeTopicPartitionsResponseTopic {
        name: Some(topic.name.clone()),
        topic_id: topic.id.0,
        is_internal: is_internal(&topic.name),
        partitions: partitions
            .map(|(partition, index)| {
                let offline = is_offline(node, topic.id, index).then_some(node.config.node_id);
                describe_partition(partition, index, offline)
            })
            .collect(),
        topic_authorized_operations: TOPIC_OPERATIONS,
        ..Default::default()
    }
}

fn describe_partition(
    partition: &Partition,
    partition_index: i32,
    offline: Option<i32>,
) -> DescribeTopicPartitionsResponsePartition {
    let leader_id = if offline == Some(partition.leader.0) {
        -1
    } else {
        partition.leader.0
    };
    DescribeTopicPartitionsResponsePartition {
        error_code: if leader_id < 0 {
            ErrorCode::LEADER_NOT_AVAILABLE
        } else {
            ErrorCode::NONE
        },
        partition_index,
        leader_id,
        leader_epoch: partition.leader_epoch,
        replica_nodes: partition.replicas.iter().map(|id| id.0).collect(),
        isr_nodes: partition.isr.iter().map(|id| id.0).collect(),
        eligible_leader_replicas: Some(Vec::new()),
        last_known_elr: Some(Vec::new()),
        offline_replicas: offline.into_iter().collect(),
    }
}
