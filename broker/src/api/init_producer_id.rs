//! InitProducerId (key 22): ids for idempotent producers, handed out from blocks that the controller allocates. For a
//! transactional id the transaction coordinator decides.

use std::collections::VecDeque;

use klamm_consensus::{ControllerRequest, ControllerResponse, ProducerIdBlock};
use klamm_protocol::ErrorCode;
use klamm_protocol::ids::BrokerId;
use klamm_protocol::messages::init_producer_id::{InitProducerIdRequest, InitProducerIdResponse};

use crate::api::{Caller, refusal};
use crate::coordinator::transactions::{ProducerIdSource, TransactionRequest, no_producer_id};
use crate::node::Node;
use crate::transactions;

/// How long the controller may take for a block of ids.
const TIMEOUT_MS: u64 = 30_000;

/// Requests that may wait for a block; more are told to come again.
const MAX_WAITING: usize = 10_000;

/// The ids that this broker may hand out.
#[derive(Default)]
pub(crate) struct ProducerIds {
    next: i64,
    end: i64,
    /// What waits for a block: it goes on also where there is none.
    waiting: VecDeque<Then>,
}

type Then = Box<dyn FnOnce(&mut Node) + Send>;

impl ProducerIdSource for ProducerIds {
    fn take(&mut self) -> Option<i64> {
        let id = self.next;
        (id < self.end).then(|| {
            self.next += 1;
            id
        })
    }
}

/// Handles a request.
pub(crate) fn handle(node: &mut Node, caller: Caller, request: InitProducerIdRequest) {
    if (request.producer_id == -1) != (request.producer_epoch == -1) {
        return node.answer(&caller, no_producer_id(ErrorCode::INVALID_REQUEST));
    }
    if request.transactional_id.is_some() {
        let request = TransactionRequest::InitProducerId(request);
        return transactions::request(node, caller, request);
    }
    // A client that names its id wants it with a higher epoch. Without transactions a new id serves as well.
    with_ids(node, move |node| {
        let response = match node.producer_ids.take() {
            Some(producer_id) => InitProducerIdResponse {
                producer_id,
                producer_epoch: 0,
                ..InitProducerIdResponse::default()
            },
            None => no_producer_id(ErrorCode::COORDINATOR_LOAD_IN_PROGRESS),
        };
        node.answer(&caller, response);
    });
}

/// Goes on when there are producer ids, or when there will not be any soon.
pub(crate) fn with_ids(node: &mut Node, then: impl FnOnce(&mut Node) + Send + 'static) {
    let ids = &mut node.producer_ids;
    if ids.next < ids.end || ids.waiting.len() >= MAX_WAITING {
        return then(node);
    }
    ids.waiting.push_back(Box::new(then));
    if ids.waiting.len() == 1 {
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
            for then in std::mem::take(&mut node.producer_ids.waiting) {
                then(node);
            }
        }
    });
}

fn serve_waiting(node: &mut Node) {
    while node.producer_ids.next < node.producer_ids.end {
        let Some(then) = node.producer_ids.waiting.pop_front() else {
            return;
        };
        then(node);
    }
    if !node.producer_ids.waiting.is_empty() {
        allocate(node);
    }
}
