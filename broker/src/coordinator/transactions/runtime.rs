//! [`TransactionCoordinator`]: the door of this room. It sends every request to the shard of its transactional id
//! and puts answers together that come from several.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use klamm_protocol::messages::add_partitions_to_txn::{AddPartitionsToTxnResponse, AddPartitionsToTxnResult};
use klamm_protocol::messages::describe_transactions::{
    DescribeTransactionsRequest, DescribeTransactionsResponse, TransactionState,
};
use klamm_protocol::messages::init_producer_id::InitProducerIdRequest;
use klamm_protocol::messages::list_transactions::{ListTransactionsRequest, ListTransactionsResponse};
use klamm_protocol::{ErrorCode, Str};
use regex::Regex;

use super::super::config::partition_of_key;
use super::super::shards::{Sharded, Shards, Slot};
use super::interface::{
    AddPartitions, Enlist, Enlisted, Markers, Origin, Output, Part, ProducerIdSource, Reply,
    TransactionRequest, TransactionResponse, added, no_producer_id, not_ended,
};
use super::shard::TransactionShard;
use super::transaction::State;
use crate::config::BrokerConfig;
use crate::{Now, RequestId};

/// From this version of AddPartitionsToTxn on, there may be several transactions.
const BATCHED_SINCE: i16 = 4;

/// Memory for a compiled pattern of ListTransactions.
const PATTERN_BYTES_MAX: usize = 1 << 20;

/// Settings of the transaction coordinator. Kafka's name of each stands beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TransactionsConfig {
    /// Partitions of `__transaction_state`. `transaction.state.log.num.partitions`.
    pub partitions: i32,
    /// The longest timeout that a producer may ask for. `transaction.max.timeout.ms`.
    pub timeout_max_ms: i32,
    /// How often transactions are looked for that took too long.
    /// `transaction.abort.timed.out.transaction.cleanup.interval.ms`.
    pub time_out_interval_ms: u64,
    /// Age at which an id is forgotten that nobody uses. `transactional.id.expiration.ms`.
    pub id_expiration_ms: i64,
    /// How often such ids are looked for. `transaction.remove.expired.transaction.cleanup.interval.ms`.
    pub expire_interval_ms: u64,
    /// The largest batch that `__transaction_state` takes (its `max.message.bytes`).
    pub batch_bytes_max: usize,
}

impl From<&BrokerConfig> for TransactionsConfig {
    fn from(broker: &BrokerConfig) -> TransactionsConfig {
        let transactions = &broker.transactions;
        TransactionsConfig {
            partitions: transactions.topic_num_partitions,
            timeout_max_ms: transactions.max_timeout_ms,
            time_out_interval_ms: transactions.time_out_interval_ms,
            id_expiration_ms: transactions.id_expiration_ms,
            expire_interval_ms: transactions.expire_interval_ms,
            batch_bytes_max: broker.topic_defaults.max_message_bytes as usize,
        }
    }
}

/// An answer of which parts are missing.
#[derive(Debug)]
struct Gather {
    to: Origin,
    response: TransactionResponse,
    parts: Vec<Option<Part>>,
    missing: usize,
}

/// The transaction coordinator of a broker, over all partitions of `__transaction_state` that it leads.
#[derive(Debug)]
pub(crate) struct TransactionCoordinator {
    config: Arc<TransactionsConfig>,
    shards: Shards<TransactionShard>,
    gathers: BTreeMap<RequestId, Gather>,
    outputs: VecDeque<Output>,
}

impl TransactionCoordinator {
    /// A coordinator of no partition yet.
    pub fn new(config: TransactionsConfig) -> TransactionCoordinator {
        TransactionCoordinator {
            config: Arc::new(config),
            shards: Shards::new(),
            gathers: BTreeMap::new(),
            outputs: VecDeque::new(),
        }
    }

    /// Takes a request. Its answer comes out of [`drain`](Self::drain) sooner or later, exactly one.
    pub fn request(
        &mut self,
        now: Now,
        to: Origin,
        request: TransactionRequest,
        ids: &mut dyn ProducerIdSource,
    ) {
        match request {
            TransactionRequest::InitProducerId(request) => self.init(now, to, request, ids),
            TransactionRequest::AddPartitions(transactions) => self.add_partitions(now, to, transactions),
            TransactionRequest::AddOffsets(request, partition) => {
                let refused = TransactionResponse::AddOffsets(Default::default());
                let id = request.transactional_id.clone();
                self.ask(to, &id, refused, |shard| {
                    shard.add_offsets(now, to, &request, partition);
                });
            }
            TransactionRequest::EndTxn(request) => {
                let refused = TransactionResponse::EndTxn(not_ended(ErrorCode::NONE));
                let id = request.transactional_id.clone();
                self.ask(to, &id, refused, |shard| shard.end(now, to, &request, ids));
            }
            TransactionRequest::Describe(request) => self.describe(to, request),
            TransactionRequest::List(request) => self.list(now, to, request),
        }
    }

    fn init(&mut self, now: Now, to: Origin, request: InitProducerIdRequest, ids: &mut dyn ProducerIdSource) {
        let allowed_ms = 1..=self.config.timeout_max_ms;
        let check = if request.enable2_pc {
            // Kafka, where `transaction.two.phase.commit.enable` is off.
            Err(ErrorCode::TRANSACTIONAL_ID_AUTHORIZATION_FAILED)
        } else if request.keep_prepared_txn {
            Err(ErrorCode::UNSUPPORTED_VERSION)
        } else if !allowed_ms.contains(&request.transaction_timeout_ms) {
            Err(ErrorCode::INVALID_TRANSACTION_TIMEOUT)
        } else {
            Ok(())
        };
        let id = request.transactional_id.clone().unwrap_or_default();
        let mut refused = TransactionResponse::InitProducerId(no_producer_id(ErrorCode::NONE));
        match check {
            Err(error) if !id.is_empty() => {
                refused.refuse(error);
                self.let_out(Reply::Whole(to, refused));
            }
            _ => self.ask(to, &id, refused, |shard| shard.init(now, to, request, ids)),
        }
    }

    fn add_partitions(&mut self, now: Now, to: Origin, transactions: Vec<AddPartitions>) {
        if to.version < BATCHED_SINCE {
            for request in transactions.into_iter().take(1) {
                let refused = TransactionResponse::AddPartitions(AddPartitionsToTxnResponse {
                    results_by_topic_v3_and_below: added(&request.topics, |_, _| ErrorCode::NONE),
                    ..AddPartitionsToTxnResponse::default()
                });
                let id = request.enlist.transactional_id.clone();
                self.ask(to, &id, refused, |shard| {
                    shard.add_partitions(now, to, &request);
                });
            }
            return;
        }
        let response = TransactionResponse::AddPartitions(AddPartitionsToTxnResponse::default());
        self.gather(to, response, transactions.len());
        for (slot, request) in transactions.into_iter().enumerate() {
            let refused = Part::Added(AddPartitionsToTxnResult {
                transactional_id: request.enlist.transactional_id.clone(),
                topic_results: added(&request.topics, |_, _| ErrorCode::NONE),
            });
            let id = request.enlist.transactional_id.clone();
            self.ask_part(to, slot, &id, refused, |shard| {
                shard.add_partitions_part(now, to, slot, &request);
            });
        }
    }

    /// Somebody inside the broker has records of a transaction, or wants to know whether they belong to it. The
    /// answer is [`Output::Enlisted`].
    pub fn enlist(&mut self, now: Now, token: u64, request: &Enlist) {
        match self.active(&request.transactional_id) {
            Ok(shard) => shard.enlist(now, token, request),
            Err(error) => self.let_out(Reply::Enlisted(token, Enlisted { result: Err(error) })),
        }
    }

    /// Every partition has its marker.
    pub fn markers_written(&mut self, now: Now, markers: &Markers) {
        if let Ok(shard) = self.active(&markers.transactional_id) {
            shard.markers_written(now, markers);
        }
    }

    fn describe(&mut self, to: Origin, request: DescribeTransactionsRequest) {
        let response = TransactionResponse::Describe(DescribeTransactionsResponse::default());
        self.gather(to, response, request.transactional_ids.len());
        for (slot, id) in request.transactional_ids.into_iter().enumerate() {
            let refused = Part::Described(TransactionState {
                transactional_id: id.clone(),
                ..TransactionState::default()
            });
            self.ask_part(to, slot, &id, refused, |shard| shard.describe(to, slot, &id));
        }
    }

    fn list(&mut self, now: Now, to: Origin, mut request: ListTransactionsRequest) {
        let mut response = ListTransactionsResponse::default();
        request.state_filters.retain(|filter| {
            let is_state = State::is_name(filter);
            if !is_state {
                response.unknown_state_filters.push(filter.clone());
            }
            is_state
        });
        let pattern = request
            .transactional_id_pattern
            .take()
            .filter(|text| !text.is_empty());
        let pattern = match pattern.map(|text| whole_match(&text)).transpose() {
            Ok(pattern) => pattern,
            Err(_) => {
                response.error_code = ErrorCode::INVALID_REGULAR_EXPRESSION;
                return self.let_out(Reply::Whole(to, TransactionResponse::List(response)));
            }
        };
        if request.state_filters.is_empty() && !response.unknown_state_filters.is_empty() {
            // Nothing is in a state that there is not.
            return self.let_out(Reply::Whole(to, TransactionResponse::List(response)));
        }
        self.gather(to, TransactionResponse::List(response), self.shards.slots.len());
        let is_wanted = |id: &str| pattern.as_ref().is_none_or(|pattern| pattern.is_match(id));
        let mut loading = Vec::new();
        for (slot, shard) in self.shards.slots.values_mut().enumerate() {
            match shard {
                Slot::Active(shard) => shard.list(now, to, slot, &request, &is_wanted),
                Slot::Loading(..) => loading.push(slot),
            }
        }
        for slot in loading {
            let part = Part::Listed(ErrorCode::COORDINATOR_LOAD_IN_PROGRESS, Vec::new());
            self.let_out(Reply::Part(to, slot, part));
        }
    }

    /// Has the shard of an id answer, or answers for it.
    fn ask(
        &mut self,
        to: Origin,
        id: &Str,
        mut refused: TransactionResponse,
        ask: impl FnOnce(&mut TransactionShard),
    ) {
        let shard = if id.is_empty() {
            Err(ErrorCode::INVALID_REQUEST)
        } else {
            self.active(id)
        };
        match shard {
            Ok(shard) => ask(shard),
            Err(error) => {
                refused.refuse(error);
                self.let_out(Reply::Whole(to, refused));
            }
        }
    }

    fn ask_part(
        &mut self,
        to: Origin,
        slot: usize,
        id: &Str,
        mut refused: Part,
        ask: impl FnOnce(&mut TransactionShard),
    ) {
        match self.active(id) {
            Ok(shard) => ask(shard),
            Err(error) => {
                refused.refuse(error);
                self.let_out(Reply::Part(to, slot, refused));
            }
        }
    }

    fn active(&mut self, id: &str) -> Result<&mut TransactionShard, ErrorCode> {
        self.shards.active(partition_of_key(id, self.config.partitions))
    }

    fn gather(&mut self, to: Origin, response: TransactionResponse, parts: usize) {
        if parts == 0 {
            return self.let_out(Reply::Whole(to, response));
        }
        let gather = Gather {
            to,
            response,
            parts: vec![None; parts],
            missing: parts,
        };
        self.gathers.insert(to.id, gather);
    }

    fn put(&mut self, to: Origin, slot: usize, part: Part) {
        let gather = self
            .gathers
            .get_mut(&to.id)
            .expect("a part belongs to an answer that is gathered");
        gather.parts[slot] = Some(part);
        gather.missing -= 1;
        if gather.missing == 0 {
            let gather = self.gathers.remove(&to.id).expect("it was found above");
            self.let_out(Reply::Whole(gather.to, gather.finish()));
        }
    }

    /// Takes what the coordinator wants done, in order, as [`super::super::Coordinator::drain`] does.
    pub fn drain(&mut self) -> Vec<Output> {
        let (replies, batches) = self.shards.drain(self.config.batch_bytes_max);
        for reply in replies {
            self.let_out(reply);
        }
        let appends = batches
            .into_iter()
            .map(|(partition, batch)| Output::Append { partition, batch });
        self.outputs.drain(..).chain(appends).collect()
    }
}

impl Gather {
    /// The answer; parts stand in the order in which they were asked for.
    fn finish(mut self) -> TransactionResponse {
        for part in self.parts.into_iter().flatten() {
            match (&mut self.response, part) {
                (TransactionResponse::AddPartitions(response), Part::Added(result)) => {
                    response.results_by_transaction.push(result);
                }
                (TransactionResponse::Describe(response), Part::Described(state)) => {
                    response.transaction_states.push(state);
                }
                (TransactionResponse::List(response), Part::Listed(ErrorCode::NONE, listed)) => {
                    response.transaction_states.extend(listed);
                }
                // One that is not here any more has nothing to list.
                (_, Part::Listed(ErrorCode::NOT_COORDINATOR, _)) => {}
                (TransactionResponse::List(response), Part::Listed(error, _)) => response.error_code = error,
                _ => unreachable!("each request is answered by parts of its kind"),
            }
        }
        if let TransactionResponse::List(response) = &mut self.response
            && response.error_code != ErrorCode::NONE
        {
            response.transaction_states.clear();
        }
        self.response
    }
}

impl Sharded for TransactionCoordinator {
    type Shard = TransactionShard;

    fn shards(&mut self) -> &mut Shards<TransactionShard> {
        &mut self.shards
    }

    fn get_shards(&self) -> &Shards<TransactionShard> {
        &self.shards
    }

    fn new_shard(&mut self) -> TransactionShard {
        TransactionShard::new(self.config.clone())
    }

    fn let_out(&mut self, reply: Reply) {
        match reply {
            Reply::Whole(to, mut response) => {
                response.fit_version(to.version);
                self.outputs.push_back(Output::Answer(to.id, response));
            }
            Reply::Part(to, slot, part) => self.put(to, slot, part),
            Reply::Enlisted(token, enlisted) => self.outputs.push_back(Output::Enlisted(token, enlisted)),
            Reply::Markers(markers) => self.outputs.push_back(Output::Markers(markers)),
        }
    }
}

/// A pattern that has to match an id from its first character to its last.
fn whole_match(text: &str) -> Result<Regex, regex::Error> {
    regex::RegexBuilder::new(&format!("^(?:{text})$"))
        .size_limit(PATTERN_BYTES_MAX)
        .build()
}
