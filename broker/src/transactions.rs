//! The transaction coordinator at work: requests and answers between it and the node, and partitions that are to be
//! in a transaction before they take its records. See [`crate::hosting`] for how it is loaded and how its records
//! are appended, and [`crate::markers`] for how a transaction ends.

use std::collections::BTreeMap;

use klamm_protocol::ErrorCode;
use klamm_protocol::messages::add_offsets_to_txn::AddOffsetsToTxnRequest;
use klamm_protocol::messages::add_partitions_to_txn::{
    AddPartitionsToTxnPartitionResult, AddPartitionsToTxnRequest, AddPartitionsToTxnTopic,
    AddPartitionsToTxnTopicResult, AddPartitionsToTxnTransaction,
};
use klamm_protocol::messages::txn_offset_commit::TxnOffsetCommitRequest;
use klamm_storage::LogKey;

use crate::RequestId;
use crate::api::{Caller, init_producer_id};
use crate::cluster::{CONSUMER_OFFSETS, TRANSACTION_STATE};
use crate::config::BrokerConfig;
use crate::coordinator::transactions::{
    AddPartitions, Enlist, Enlisted, Origin, Output, TransactionCoordinator, TransactionRequest,
    TransactionResponse, TransactionsConfig,
};
use crate::coordinator::{GroupRequest, partition_of_key};
use crate::groups;
use crate::hosting::{self, Host, Hosted};
use crate::markers::{self, Deliveries};
use crate::node::Node;
use crate::router::Response;

/// From this version of AddPartitionsToTxn on, there may be several transactions, and brokers send it.
const BATCHED_SINCE: i16 = 4;

/// From this version of TxnOffsetCommit on, the partition becomes part of the transaction by itself (KIP-890).
const OFFSETS_ADDED_SINCE: i16 = 5;

/// From this version of TxnOffsetCommit on, clients know TRANSACTION_ABORTABLE.
const OFFSETS_ABORTABLE_SINCE: i16 = 4;

/// The level of `transaction.version` at which every transaction has an epoch of its own.
pub(crate) const EPOCH_BUMP: i16 = 2;

/// What happens when the coordinator has said whether partitions are in a transaction.
type AfterEnlist = Box<dyn FnOnce(&mut Node, Enlisted) + Send>;

/// The coordinator, and what it takes to send its answers.
pub(crate) struct Transactions {
    pub host: Host<TransactionCoordinator>,
    config: TransactionsConfig,
    callers: BTreeMap<RequestId, Caller>,
    enlisting: BTreeMap<u64, AfterEnlist>,
    next_token: u64,
    pub deliveries: Deliveries,
}

impl Transactions {
    pub fn new(config: &BrokerConfig) -> Transactions {
        let config = TransactionsConfig::from(config);
        let coordinator = TransactionCoordinator::new(config.clone());
        Transactions {
            host: Host::new(coordinator, config.partitions),
            config,
            callers: BTreeMap::new(),
            enlisting: BTreeMap::new(),
            next_token: 0,
            deliveries: Deliveries::default(),
        }
    }
}

impl Hosted for TransactionCoordinator {
    const TOPIC: &'static str = TRANSACTION_STATE;

    fn host(node: &mut Node) -> &mut Host<TransactionCoordinator> {
        &mut node.transactions.host
    }

    fn renew(node: &mut Node, partitions: i32) -> TransactionCoordinator {
        let transactions = &mut node.transactions;
        transactions.config.partitions = partitions;
        TransactionCoordinator::new(transactions.config.clone())
    }

    fn follow(node: &mut Node) {
        while std::mem::take(&mut node.transactions.host.stirred) {
            for output in node.transactions.host.coordinator.drain() {
                match output {
                    Output::Answer(id, response) => {
                        if let Some(caller) = node.transactions.callers.remove(&id) {
                            node.answer(&caller, response);
                        }
                    }
                    Output::Append { partition, batch } => {
                        hosting::append::<TransactionCoordinator>(node, partition, batch);
                    }
                    Output::Enlisted(token, enlisted) => {
                        if let Some(then) = node.transactions.enlisting.remove(&token) {
                            then(node, enlisted);
                        }
                    }
                    Output::Markers(delivery) => markers::deliver(node, delivery),
                }
            }
        }
    }
}

/// Hands a request to the coordinator.
pub(crate) fn request(node: &mut Node, caller: Caller, request: TransactionRequest) {
    let may_need_id = matches!(
        request,
        TransactionRequest::InitProducerId(_) | TransactionRequest::EndTxn(_)
    );
    if may_need_id {
        init_producer_id::with_ids(node, move |node| ask(node, caller, request));
    } else {
        ask(node, caller, request);
    }
}

fn ask(node: &mut Node, caller: Caller, request: TransactionRequest) {
    let to = Origin {
        id: caller.id,
        version: caller.version,
    };
    node.transactions.callers.insert(caller.id, caller);
    let host = &mut node.transactions.host;
    host.coordinator
        .request(node.now, to, request, &mut node.producer_ids);
    host.stirred = true;
}

/// AddPartitionsToTxn (key 24).
pub(crate) fn add_partitions(node: &mut Node, caller: Caller, request: AddPartitionsToTxnRequest) {
    let batched = caller.version >= BATCHED_SINCE;
    let transactions = if batched {
        request.transactions
    } else {
        vec![AddPartitionsToTxnTransaction {
            transactional_id: request.v3_and_below_transactional_id,
            producer_id: request.v3_and_below_producer_id,
            producer_epoch: request.v3_and_below_producer_epoch,
            verify_only: false,
            topics: request.v3_and_below_topics,
        }]
    };
    let transactions = transactions.into_iter().map(|transaction| {
        let partitions = transaction.topics.iter().map(|topic| {
            let indexes = topic.partitions.iter().copied();
            (topic.name.clone(), indexes.collect())
        });
        AddPartitions {
            enlist: Enlist {
                partitions: partitions.collect(),
                transactional_id: transaction.transactional_id,
                producer_id: transaction.producer_id,
                producer_epoch: transaction.producer_epoch,
                verify_only: transaction.verify_only,
                version: if batched { EPOCH_BUMP } else { 0 },
            },
            refused: unknown_partitions(node, &transaction.topics),
            topics: transaction.topics,
        }
    });
    let transactions = transactions.collect();
    self::request(node, caller, TransactionRequest::AddPartitions(transactions));
}

/// Where one of the partitions does not exist, none is added: what is answered then.
fn unknown_partitions(
    node: &Node,
    topics: &[AddPartitionsToTxnTopic],
) -> Option<Vec<AddPartitionsToTxnTopicResult>> {
    let mut any = false;
    let results = topics.iter().map(|topic| {
        let known = node.cluster.topic_by_name(&topic.name);
        let count = known.map_or(0, |topic| topic.partitions.len());
        let partitions = topic.partitions.iter().map(|index| {
            let exists = usize::try_from(*index).is_ok_and(|index| index < count);
            any |= !exists;
            AddPartitionsToTxnPartitionResult {
                partition_index: *index,
                partition_error_code: if exists {
                    ErrorCode::OPERATION_NOT_ATTEMPTED
                } else {
                    ErrorCode::UNKNOWN_TOPIC_OR_PARTITION
                },
            }
        });
        AddPartitionsToTxnTopicResult {
            results_by_partition: partitions.collect(),
            name: topic.name.clone(),
        }
    });
    let results = results.collect();
    any.then_some(results)
}

/// AddOffsetsToTxn (key 25).
pub(crate) fn add_offsets(node: &mut Node, caller: Caller, request: AddOffsetsToTxnRequest) {
    let partition = partition_of_key(&request.group_id, node.groups.host.partitions());
    self::request(node, caller, TransactionRequest::AddOffsets(request, partition));
}

/// Asks the coordinator whether partitions are in a transaction, or makes them be.
pub(crate) fn enlist(
    node: &mut Node,
    request: &Enlist,
    then: impl FnOnce(&mut Node, Enlisted) + Send + 'static,
) {
    let transactions = &mut node.transactions;
    let token = transactions.next_token;
    transactions.next_token += 1;
    transactions.enlisting.insert(token, Box::new(then));
    let host = &mut transactions.host;
    host.coordinator.enlist(node.now, token, request);
    host.stirred = true;
}

/// TxnOffsetCommit (key 28): first the partition that keeps the group has to be in the transaction.
pub(crate) fn commit_offsets(node: &mut Node, caller: Caller, request: TxnOffsetCommitRequest) {
    let (producer_id, producer_epoch) = (request.producer_id, request.producer_epoch);
    let partition = partition_of_key(&request.group_id, node.groups.host.partitions());
    let offsets = node.cluster.topic_by_name(CONSUMER_OFFSETS).map(|topic| topic.id);
    let key = offsets.map(|topic_id| LogKey { topic_id, partition });
    let known = key.and_then(|key| {
        let found = node.partitions.get_online(&key).ok()?;
        found.log.producer(producer_id)
    });
    let is_ongoing = known
        .is_some_and(|known| known.producer_epoch == producer_epoch && known.transaction_start.is_some());
    let adds = caller.version >= OFFSETS_ADDED_SINCE;
    if is_ongoing || (!adds && !node.config.transactions.verify) {
        return commit_enlisted(node, caller, request, key);
    }
    let enlist_request = Enlist {
        transactional_id: request.transactional_id.clone(),
        producer_id,
        producer_epoch,
        partitions: [(CONSUMER_OFFSETS.into(), [partition].into())].into(),
        verify_only: !adds,
        version: if adds { EPOCH_BUMP } else { 0 },
    };
    enlist(node, &enlist_request, move |node, enlisted| {
        let version = caller.version;
        let refusal = match enlisted.result {
            Ok(missing) if missing.is_empty() => return commit_enlisted(node, caller, request, key),
            Ok(_) if version >= OFFSETS_ABORTABLE_SINCE => ErrorCode::TRANSACTION_ABORTABLE,
            Ok(_) => ErrorCode::INVALID_TXN_STATE,
            Err(ErrorCode::PRODUCER_FENCED) => ErrorCode::INVALID_PRODUCER_EPOCH,
            Err(ErrorCode::CONCURRENT_TRANSACTIONS) if adds => ErrorCode::CONCURRENT_TRANSACTIONS,
            // Clients come again, as Kafka has them do.
            Err(
                ErrorCode::CONCURRENT_TRANSACTIONS
                | ErrorCode::NOT_COORDINATOR
                | ErrorCode::COORDINATOR_LOAD_IN_PROGRESS,
            ) => ErrorCode::COORDINATOR_NOT_AVAILABLE,
            Err(code) => code,
        };
        refuse_offsets(node, &caller, request, refusal);
    });
}

fn commit_enlisted(node: &mut Node, caller: Caller, request: TxnOffsetCommitRequest, key: Option<LogKey>) {
    // The log fences whoever was replaced; a coordinator's records are not checked any more when they are appended.
    let known = key.and_then(|key| {
        let found = node.partitions.get_online(&key).ok()?;
        found.log.producer(request.producer_id)
    });
    if known.is_some_and(|known| known.producer_epoch > request.producer_epoch) {
        return refuse_offsets(node, &caller, request, ErrorCode::INVALID_PRODUCER_EPOCH);
    }
    groups::request(node, caller, GroupRequest::TxnOffsetCommit(request));
}

fn refuse_offsets(node: &mut Node, caller: &Caller, mut request: TxnOffsetCommitRequest, code: ErrorCode) {
    // What is not there is told first.
    let mut response = groups::plan_transactional_commit(node, caller.version, &mut request);
    response.refuse(code);
    node.answer(caller, response);
}

impl From<TransactionResponse> for Response {
    fn from(response: TransactionResponse) -> Response {
        match response {
            TransactionResponse::InitProducerId(response) => response.into(),
            TransactionResponse::AddPartitions(response) => response.into(),
            TransactionResponse::AddOffsets(response) => response.into(),
            TransactionResponse::EndTxn(response) => response.into(),
            TransactionResponse::Describe(response) => response.into(),
            TransactionResponse::List(response) => response.into(),
        }
    }
}
