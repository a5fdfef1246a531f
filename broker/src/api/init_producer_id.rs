//! InitProducerId (key 22): ids for idempotent producers, handed out from blocks that the controller allocates.
//!
//! Transactions are not served: a transactional id is refused with a code that its client takes as final.

use std::collections::VecDeque;

use klamm_consensus::{ControllerRequest, ControllerResponse, ProducerIdBlock};
use klamm_protocol::ErrorCode;
use klamm_protocol::ids::BrokerId;
use klamm_protocol::messages::init_producer_id::{InitProducerIdRequest, InitProducerIdResponse};

use crate::api::{Caller, refusal};
use crate::node::Node;

/// How long the controller may take for a block of ids.
const TIMEOUT_MS: u64 = 30_000;

/// Requests that may wait for a block; more are told to come again.
const MAX_WAITING: usize = 10_000;

/// The ids that this broker may hand out.
#[derive(Default)]
pub(crate) struct ProducerIds {
    next: i64,
    end: i64,
    waiting: VecDeque<Caller>,
}

/// Handles a request.
pub(crate) fn handle(node: &mut Node, caller: Caller, request: InitProducerIdRequest) {
    if let Some(id) = &request.transactional_id {
        // Kafka: an empty id is invalid; for the rest, clients end with "unexpected error".
        tracing::debug!(transactional_id = %&**id, "transactions are not served");
        return refuse(node, &caller, ErrorCode::INVALID_REQUEST);
    }
    // A client that names its id wants it with a higher epoch. Without transactions a new id serves as well.
    if node.producer_ids.next < node.producer_ids.end {
        return hand_out(node, &caller);
    }
    if node.producer_ids.waiting.len() >= MAX_WAITING {
        return refuse(node, &caller, ErrorCode::COORDINATOR_LOAD_IN_PROGRESS);
    }
    node.producer_ids.waiting.push_back(caller);
    if node.producer_ids.waiting.len() == 1 {
        allocate(node);
    }
}

fn allocate(node: &mut Node) {
    let broker_id = BrokerId(node.config.node_id);
    let request = ControllerRequest::AllocateProducerIds {
        broker_id,
        broker_epoch: node.broker_epoch,
    };
    node.ask_controller(request, TIMEOUT_MS, |node, answer| match answer {
        Ok(ControllerResponse::AllocateProducerIds(ProducerIdBlock { first, count })) => {
            node.producer_ids.next = first;
            node.producer_ids.end = first + i64::from(count);
            serve_waiting(node);
        }
        other => {
            let refusal = refusal(other);
            tracing::warn!(code = ?refusal.code, "no producer ids");
            for caller in std::mem::take(&mut node.producer_ids.waiting) {
                refuse(node, &caller, ErrorCode::COORDINATOR_LOAD_IN_PROGRESS);
            }
        }
    });
}

fn serve_waiting(node: &mut Node) {
    while node.producer_ids.next < node.producer_ids.end {
        let Some(caller) = node.producer_ids.waiting.pop_front() else {
            return;
        };
        hand_out(node, &caller);
    }
    if !node.producer_ids.waiting.is_empty() {
        allocate(node);
    }
}

fn hand_out(node: &mut Node, caller: &Caller) {
    let producer_id = node.producer_ids.next;
    node.producer_ids.next += 1;
    let response = InitProducerIdResponse {
        producer_id,
        producer_epoch: 0,
        ..InitProducerIdResponse::default()
    };
    node.answer(caller, response);
}

fn refuse(node: &mut Node, caller: &Caller, error_code: ErrorCode) {
    let response = InitProducerIdResponse {
        error_code,
        producer_epoch: -1,
        ..InitProducerIdResponse::default()
    };
    node.answer(caller, response);
}
