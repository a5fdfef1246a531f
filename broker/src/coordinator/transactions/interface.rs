//! What goes into the transaction coordinator and what comes out of it.

use std::collections::{BTreeMap, BTreeSet};

use klamm_protocol::messages::add_offsets_to_txn::{AddOffsetsToTxnRequest, AddOffsetsToTxnResponse};
use klamm_protocol::messages::add_partitions_to_txn::{
    AddPartitionsToTxnPartitionResult, AddPartitionsToTxnResponse, AddPartitionsToTxnResult,
    AddPartitionsToTxnTopic, AddPartitionsToTxnTopicResult,
};
use klamm_protocol::messages::describe_transactions::{
    DescribeTransactionsRequest, DescribeTransactionsResponse, TransactionState,
};
use klamm_protocol::messages::end_txn::{EndTxnRequest, EndTxnResponse};
use klamm_protocol::messages::init_producer_id::{InitProducerIdRequest, InitProducerIdResponse};
use klamm_protocol::messages::list_transactions::{
    ListTransactionsRequest, ListTransactionsResponse, TransactionState as ListedTransaction,
};
use klamm_protocol::record::Batch;
use klamm_protocol::{ErrorCode, Str};

use crate::RequestId;

/// Partitions by topic.
pub(crate) type Partitions = BTreeMap<Str, BTreeSet<i32>>;

/// A request to the transaction coordinator.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum TransactionRequest {
    InitProducerId(InitProducerIdRequest),
    /// AddPartitionsToTxn; in versions up to 3 it has one transaction.
    AddPartitions(Vec<AddPartitions>),
    /// With the partition of `__consumer_offsets` that keeps the group.
    AddOffsets(AddOffsetsToTxnRequest, i32),
    EndTxn(EndTxnRequest),
    Describe(DescribeTransactionsRequest),
    List(ListTransactionsRequest),
}

/// What one transaction is asked in AddPartitionsToTxn.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct AddPartitions {
    pub enlist: Enlist,
    /// What is known of its partitions already, because some of them do not exist: then nothing is added.
    pub refused: Option<Vec<AddPartitionsToTxnTopicResult>>,
    pub topics: Vec<AddPartitionsToTxnTopic>,
}

/// Partitions that are to be part of a transaction.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Enlist {
    pub transactional_id: Str,
    pub producer_id: i64,
    pub producer_epoch: i16,
    pub partitions: Partitions,
    /// Only ask whether they are.
    pub verify_only: bool,
    /// Level of `transaction.version` that the client goes by.
    pub version: i16,
}

/// What came of [`Enlist`].
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Enlisted {
    /// Partitions that are not in the transaction; or why nobody can say.
    pub result: Result<Partitions, ErrorCode>,
}

/// The answer to the request of the same name.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum TransactionResponse {
    InitProducerId(InitProducerIdResponse),
    AddPartitions(AddPartitionsToTxnResponse),
    AddOffsets(AddOffsetsToTxnResponse),
    EndTxn(EndTxnResponse),
    Describe(DescribeTransactionsResponse),
    List(ListTransactionsResponse),
}

/// Markers to be written; to be reported with
/// [`markers_written`](super::TransactionCoordinator::markers_written) when every partition has its own.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Markers {
    pub transactional_id: Str,
    pub producer_id: i64,
    /// Of the markers. Under transactions of version 2 it is above that of the records.
    pub producer_epoch: i16,
    pub commit: bool,
    pub coordinator_epoch: i32,
    /// Level of `transaction.version` that the transaction ran under.
    pub version: i16,
    pub partitions: Partitions,
}

/// What the coordinator wants done.
#[derive(Clone, Debug)]
pub(crate) enum Output {
    /// Append this batch to the partition of `__transaction_state`, and report back.
    Append { partition: i32, batch: Batch },
    /// Send this answer.
    Answer(RequestId, TransactionResponse),
    /// Somebody inside the broker has asked this.
    Enlisted(u64, Enlisted),
    /// Write these markers.
    Markers(Markers),
}

/// Whom an answer goes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Origin {
    pub id: RequestId,
    /// Version of the request.
    pub version: i16,
}

/// Where producer ids come from.
pub(crate) trait ProducerIdSource {
    /// One that nobody has; `None` if there is none just now.
    fn take(&mut self) -> Option<i64>;
}

/// What a shard has to say, once it is committed.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Reply {
    Whole(Origin, TransactionResponse),
    /// Goes to that place of the answer that is being gathered.
    Part(Origin, usize, Part),
    Enlisted(u64, Enlisted),
    Markers(Markers),
}

/// What one shard has to say to a request that asks several.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Part {
    Added(AddPartitionsToTxnResult),
    Described(TransactionState),
    Listed(ErrorCode, Vec<ListedTransaction>),
}

impl Reply {
    /// Makes it say that nothing came of it. None if there is nobody to be told.
    pub fn refused(mut self, error: ErrorCode) -> Option<Reply> {
        match &mut self {
            Reply::Whole(_, response) => response.refuse(error),
            Reply::Part(_, _, part) => part.refuse(error),
            Reply::Enlisted(_, enlisted) => enlisted.result = Err(error),
            // Whoever loads the shard finds them again.
            Reply::Markers(_) => return None,
        }
        Some(self)
    }
}

impl Part {
    pub fn refuse(&mut self, error: ErrorCode) {
        match self {
            Part::Added(result) => refuse_all(&mut result.topic_results, error),
            Part::Described(state) => {
                *state = TransactionState {
                    transactional_id: std::mem::take(&mut state.transactional_id),
                    error_code: error,
                    ..TransactionState::default()
                };
            }
            Part::Listed(code, transactions) => {
                *code = error;
                transactions.clear();
            }
        }
    }
}

impl TransactionResponse {
    /// Makes it say that nothing came of it.
    pub fn refuse(&mut self, error: ErrorCode) {
        match self {
            TransactionResponse::InitProducerId(response) => *response = no_producer_id(error),
            TransactionResponse::AddPartitions(response) => {
                refuse_all(&mut response.results_by_topic_v3_and_below, error);
            }
            TransactionResponse::AddOffsets(response) => response.error_code = error,
            TransactionResponse::EndTxn(response) => *response = not_ended(error),
            TransactionResponse::Describe(_) | TransactionResponse::List(_) => {
                unreachable!("it is gathered from parts, each refused by itself")
            }
        }
    }

    /// Says it in a way that the version of the request can.
    pub fn fit_version(&mut self, version: i16) {
        let fenced_since = |code: &mut ErrorCode, since: i16| {
            if version < since && *code == ErrorCode::PRODUCER_FENCED {
                *code = ErrorCode::INVALID_PRODUCER_EPOCH;
            }
        };
        match self {
            TransactionResponse::InitProducerId(response) => fenced_since(&mut response.error_code, 4),
            TransactionResponse::AddPartitions(response) => {
                for topic in &mut response.results_by_topic_v3_and_below {
                    for partition in &mut topic.results_by_partition {
                        fenced_since(&mut partition.partition_error_code, 2);
                    }
                }
            }
            TransactionResponse::AddOffsets(response) => fenced_since(&mut response.error_code, 2),
            TransactionResponse::EndTxn(response) => fenced_since(&mut response.error_code, 2),
            TransactionResponse::Describe(_) | TransactionResponse::List(_) => {}
        }
    }
}

/// InitProducerId's way of saying that there is none.
pub(crate) fn no_producer_id(error_code: ErrorCode) -> InitProducerIdResponse {
    InitProducerIdResponse {
        error_code,
        producer_epoch: -1,
        ..InitProducerIdResponse::default()
    }
}

pub(super) fn not_ended(error_code: ErrorCode) -> EndTxnResponse {
    EndTxnResponse {
        error_code,
        ..EndTxnResponse::default()
    }
}

fn refuse_all(topics: &mut [AddPartitionsToTxnTopicResult], error: ErrorCode) {
    for partition in topics
        .iter_mut()
        .flat_map(|topic| &mut topic.results_by_partition)
    {
        partition.partition_error_code = error;
    }
}

/// Answers for all partitions of a request, in its order.
pub(super) fn added(
    topics: &[AddPartitionsToTxnTopic],
    code_of: impl Fn(&str, i32) -> ErrorCode,
) -> Vec<AddPartitionsToTxnTopicResult> {
    let topics = topics.iter().map(|topic| AddPartitionsToTxnTopicResult {
        name: topic.name.clone(),
        results_by_partition: topic
            .partitions
            .iter()
            .map(|index| AddPartitionsToTxnPartitionResult {
                partition_index: *index,
                partition_error_code: code_of(&topic.name, *index),
            })
            .collect(),
    });
    topics.collect()
}
