//! One partition of `__transaction_state` as a state machine: its transactional ids, and what is asked of them.

use std::collections::BTreeMap;
use std::sync::Arc;

use klamm_protocol::messages::add_offsets_to_txn::{AddOffsetsToTxnRequest, AddOffsetsToTxnResponse};
use klamm_protocol::messages::add_partitions_to_txn::{
    AddPartitionsToTxnResponse, AddPartitionsToTxnResult, AddPartitionsToTxnTopicResult,
};
use klamm_protocol::messages::describe_transactions::TransactionState;
use klamm_protocol::messages::end_txn::{EndTxnRequest, EndTxnResponse};
use klamm_protocol::messages::init_producer_id::{InitProducerIdRequest, InitProducerIdResponse};
use klamm_protocol::messages::list_transactions::{
    ListTransactionsRequest, TransactionState as ListedTransaction,
};
use klamm_protocol::record::{Batch, INFLATE_LIMIT_BYTES};
use klamm_protocol::{ErrorCode, Str};

use super::super::outbox::Outbox;
use super::super::shards::{LoadError, Shard};
use super::interface::{
    AddPartitions, Enlist, Enlisted, Markers, Origin, Part, Partitions, ProducerIdSource, Reply,
    TransactionResponse, added, no_producer_id, not_ended,
};
use super::records;
use super::runtime::TransactionsConfig;
use super::transaction::{EPOCH_BUMP_SINCE, End, NO_PRODUCER_ID, State, Transaction, topics_of};
use crate::Now;

/// Levels of `transaction.version` of the request versions that came with it.
const END_TXN_BUMPS_SINCE: i16 = 5;

/// The transactional ids of one partition.
#[derive(Debug)]
pub(crate) struct TransactionShard {
    config: Arc<TransactionsConfig>,
    pub(super) transactions: BTreeMap<Str, Transaction>,
    outbox: Outbox<Reply>,
    coordinator_epoch: i32,
    /// When transactions that took too long are looked for, and ids that nobody uses.
    time_out_ms: u64,
    expire_ms: u64,
}

impl TransactionShard {
    /// A shard that has not read its log yet.
    pub fn new(config: Arc<TransactionsConfig>) -> TransactionShard {
        TransactionShard {
            config,
            transactions: BTreeMap::new(),
            outbox: Outbox::default(),
            coordinator_epoch: -1,
            time_out_ms: u64::MAX,
            expire_ms: u64::MAX,
        }
    }

    fn answer(&mut self, to: Origin, response: TransactionResponse) {
        self.outbox.reply(Reply::Whole(to, response));
    }

    /// Writes the state of an id.
    ///
    /// # Errors
    /// UNKNOWN_SERVER_ERROR: the record does not fit into a batch. Nothing is changed then.
    fn store(&mut self, id: &Str, changed: Transaction, now: Now) -> Result<(), ErrorCode> {
        let record = records::record(now.unix_ms, id, Some(&changed.to_record()));
        if !record.fits(self.config.batch_bytes_max) {
            tracing::warn!(transactional_id = %&**id, bytes = record.size(), "too large to be stored");
            return Err(ErrorCode::UNKNOWN_SERVER_ERROR);
        }
        self.outbox.record(record);
        self.transactions.insert(id.detached(), changed);
        Ok(())
    }

    /// InitProducerId, checked as far as the id alone goes.
    pub(super) fn init(
        &mut self,
        now: Now,
        to: Origin,
        request: InitProducerIdRequest,
        ids: &mut dyn ProducerIdSource,
    ) {
        let id = request.transactional_id.clone().unwrap_or_default();
        let response = match self.try_init(now, &id, &request, ids) {
            Ok((producer_id, producer_epoch)) => InitProducerIdResponse {
                producer_id,
                producer_epoch,
                ..InitProducerIdResponse::default()
            },
            Err(error) => no_producer_id(error),
        };
        self.answer(to, TransactionResponse::InitProducerId(response));
    }

    fn try_init(
        &mut self,
        now: Now,
        id: &Str,
        request: &InitProducerIdRequest,
        ids: &mut dyn ProducerIdSource,
    ) -> Result<(i64, i16), ErrorCode> {
        let expected =
            (request.producer_id != NO_PRODUCER_ID).then_some((request.producer_id, request.producer_epoch));
        let mut transaction = match self.transactions.get(id) {
            Some(known) => known.clone(),
            None => {
                let producer_id = ids.take().ok_or(ErrorCode::COORDINATOR_LOAD_IN_PROGRESS)?;
                Transaction::new(producer_id, request.transaction_timeout_ms, now.unix_ms)
            }
        };
        if !transaction.is_expected(expected) {
            return Err(ErrorCode::PRODUCER_FENCED);
        }
        match transaction.state {
            State::PrepareCommit | State::PrepareAbort => Err(ErrorCode::CONCURRENT_TRANSACTIONS),
            State::Ongoing => {
                // The one before is fenced; who asks comes again when its transaction is aborted.
                self.fence(now, id, transaction, ids)?;
                Err(ErrorCode::CONCURRENT_TRANSACTIONS)
            }
            State::Empty | State::CompleteCommit | State::CompleteAbort => {
                let (timeout_ms, now_ms) = (request.transaction_timeout_ms, now.unix_ms);
                transaction.init(expected, timeout_ms, now_ms, || ids.take())?;
                let told = (transaction.producer_id, transaction.producer_epoch);
                self.store(id, transaction, now)?;
                Ok(told)
            }
        }
    }

    /// Aborts a transaction in the name of the coordinator. The epoch goes up, so that its producer is fenced.
    fn fence(
        &mut self,
        now: Now,
        id: &Str,
        mut transaction: Transaction,
        ids: &mut dyn ProducerIdSource,
    ) -> Result<(), ErrorCode> {
        transaction.prepare(false, EPOCH_BUMP_SINCE, false, now.unix_ms, || ids.take());
        self.decided(now, id, transaction)
    }

    /// Writes a decision; the markers follow when it is committed.
    fn decided(&mut self, now: Now, id: &Str, transaction: Transaction) -> Result<(), ErrorCode> {
        let markers = self.markers_of(id, &transaction);
        self.store(id, transaction, now)?;
        self.outbox.reply(Reply::Markers(markers));
        Ok(())
    }

    fn markers_of(&self, id: &Str, transaction: &Transaction) -> Markers {
        Markers {
            transactional_id: id.detached(),
            producer_id: transaction.producer_id,
            producer_epoch: transaction.producer_epoch,
            commit: transaction.state == State::PrepareCommit,
            coordinator_epoch: self.coordinator_epoch,
            version: transaction.version,
            partitions: transaction.partitions.clone(),
        }
    }

    /// AddPartitionsToTxn up to version 3.
    pub(super) fn add_partitions(&mut self, now: Now, to: Origin, request: &AddPartitions) {
        let topics = self.try_add_partitions(now, request);
        let response = AddPartitionsToTxnResponse {
            results_by_topic_v3_and_below: topics,
            ..AddPartitionsToTxnResponse::default()
        };
        self.answer(to, TransactionResponse::AddPartitions(response));
    }

    /// One transaction of AddPartitionsToTxn from version 4 on.
    pub(super) fn add_partitions_part(&mut self, now: Now, to: Origin, slot: usize, request: &AddPartitions) {
        let result = AddPartitionsToTxnResult {
            transactional_id: request.enlist.transactional_id.clone(),
            topic_results: self.try_add_partitions(now, request),
        };
        self.outbox.reply(Reply::Part(to, slot, Part::Added(result)));
    }

    fn try_add_partitions(
        &mut self,
        now: Now,
        request: &AddPartitions,
    ) -> Vec<AddPartitionsToTxnTopicResult> {
        if let Some(refused) = &request.refused {
            return refused.clone();
        }
        match self.try_enlist(now, &request.enlist) {
            Err(error) => added(&request.topics, |_, _| error),
            Ok(missing) => added(&request.topics, |topic, index| {
                let is_missing = missing.get(topic).is_some_and(|indexes| indexes.contains(&index));
                if is_missing {
                    ErrorCode::TRANSACTION_ABORTABLE
                } else {
                    ErrorCode::NONE
                }
            }),
        }
    }

    /// AddOffsetsToTxn: the partition of `__consumer_offsets` that keeps the group becomes part of it.
    pub(super) fn add_offsets(
        &mut self,
        now: Now,
        to: Origin,
        request: &AddOffsetsToTxnRequest,
        partition: i32,
    ) {
        let partitions = [(crate::cluster::CONSUMER_OFFSETS.into(), [partition].into())];
        let enlist = Enlist {
            transactional_id: request.transactional_id.clone(),
            producer_id: request.producer_id,
            producer_epoch: request.producer_epoch,
            partitions: partitions.into(),
            verify_only: false,
            version: 0,
        };
        let error_code = self.try_enlist(now, &enlist).err().unwrap_or(ErrorCode::NONE);
        let response = AddOffsetsToTxnResponse {
            error_code,
            ..AddOffsetsToTxnResponse::default()
        };
        self.answer(to, TransactionResponse::AddOffsets(response));
    }

    /// Somebody inside the broker has records of a transaction.
    pub(super) fn enlist(&mut self, now: Now, token: u64, request: &Enlist) {
        let result = self.try_enlist(now, request);
        self.outbox.reply(Reply::Enlisted(token, Enlisted { result }));
    }

    /// Adds partitions, or gives those that are not there.
    fn try_enlist(&mut self, now: Now, request: &Enlist) -> Result<Partitions, ErrorCode> {
        let id = &request.transactional_id;
        let transaction = self
            .transactions
            .get(id)
            .ok_or(ErrorCode::INVALID_PRODUCER_ID_MAPPING)?;
        transaction.check_member(request.producer_id, request.producer_epoch)?;
        if request.verify_only {
            let missing = transaction.missing(&request.partitions);
            return Ok(missing);
        }
        if !transaction.holds(&request.partitions) {
            let mut transaction = transaction.clone();
            transaction.add(&request.partitions, request.version, now.unix_ms);
            self.store(id, transaction, now)?;
        }
        Ok(Partitions::new())
    }

    /// EndTxn.
    pub(super) fn end(
        &mut self,
        now: Now,
        to: Origin,
        request: &EndTxnRequest,
        ids: &mut dyn ProducerIdSource,
    ) {
        let response = match self.try_end(now, to.version, request, ids) {
            Ok((producer_id, producer_epoch)) => EndTxnResponse {
                producer_id,
                producer_epoch,
                ..EndTxnResponse::default()
            },
            Err(error) => not_ended(error),
        };
        self.answer(to, TransactionResponse::EndTxn(response));
    }

    fn try_end(
        &mut self,
        now: Now,
        request_version: i16,
        request: &EndTxnRequest,
        ids: &mut dyn ProducerIdSource,
    ) -> Result<(i64, i16), ErrorCode> {
        let id = &request.transactional_id;
        let version = if request_version >= END_TXN_BUMPS_SINCE {
            EPOCH_BUMP_SINCE
        } else {
            0
        };
        let known = self
            .transactions
            .get(id)
            .ok_or(ErrorCode::INVALID_PRODUCER_ID_MAPPING)?;
        let (producer_id, producer_epoch, commit) =
            (request.producer_id, request.producer_epoch, request.committed);
        match known.check_end(producer_id, producer_epoch, commit, version)? {
            End::Done => Ok((known.producer_id, known.producer_epoch)),
            End::Begin { empty } => {
                let mut transaction = known.clone();
                transaction.prepare(commit, version, empty, now.unix_ms, || ids.take());
                let told = transaction.coming_id();
                self.decided(now, id, transaction)?;
                Ok(told)
            }
        }
    }

    /// Every partition has its marker.
    pub(super) fn markers_written(&mut self, now: Now, written: &Markers) {
        let id = &written.transactional_id;
        let Some(transaction) = self.transactions.get(id) else {
            return;
        };
        let is_it = transaction.producer_id == written.producer_id
            && transaction.producer_epoch == written.producer_epoch
            && matches!(transaction.state, State::PrepareCommit | State::PrepareAbort);
        if is_it {
            let mut transaction = transaction.clone();
            transaction.complete(now.unix_ms);
            // It has become smaller.
            let stored = self.store(id, transaction, now);
            stored.expect("what fitted with partitions fits without");
        }
    }

    /// DescribeTransactions, one id.
    pub(super) fn describe(&mut self, to: Origin, slot: usize, id: &Str) {
        let state = match self.transactions.get(id) {
            None => TransactionState {
                transactional_id: id.clone(),
                error_code: match id.is_empty() {
                    true => ErrorCode::INVALID_REQUEST,
                    false => ErrorCode::TRANSACTIONAL_ID_NOT_FOUND,
                },
                ..TransactionState::default()
            },
            Some(transaction) => TransactionState {
                error_code: ErrorCode::NONE,
                transactional_id: id.clone(),
                transaction_state: transaction.state.name().into(),
                transaction_timeout_ms: transaction.timeout_ms,
                transaction_start_time_ms: transaction.started_ms,
                producer_id: transaction.producer_id,
                producer_epoch: transaction.producer_epoch,
                topics: match transaction.state {
                    State::Ongoing | State::PrepareCommit | State::PrepareAbort => {
                        topics_of(&transaction.partitions)
                    }
                    _ => Vec::new(),
                },
            },
        };
        self.outbox.reply(Reply::Part(to, slot, Part::Described(state)));
    }

    /// ListTransactions, of this partition.
    pub(super) fn list(
        &mut self,
        now: Now,
        to: Origin,
        slot: usize,
        request: &ListTransactionsRequest,
        is_wanted: &dyn Fn(&str) -> bool,
    ) {
        let filtered = self.transactions.iter().filter(|(id, transaction)| {
            let state = transaction.state.name();
            let age_ms = now.unix_ms.saturating_sub(transaction.started_ms);
            let by_state = request.state_filters.is_empty()
                || request.state_filters.iter().any(|filter| **filter == *state);
            let by_producer = request.producer_id_filters.is_empty()
                || request.producer_id_filters.contains(&transaction.producer_id);
            let by_age = request.duration_filter < 0 || age_ms > request.duration_filter;
            by_state && by_producer && by_age && is_wanted(id)
        });
        let listed = filtered.map(|(id, transaction)| ListedTransaction {
            transactional_id: id.clone(),
            producer_id: transaction.producer_id,
            transaction_state: transaction.state.name().into(),
        });
        let part = Part::Listed(ErrorCode::NONE, listed.collect());
        self.outbox.reply(Reply::Part(to, slot, part));
    }

    fn abort_timed_out(&mut self, now: Now) {
        let late = self
            .transactions
            .iter()
            .filter(|(_, t)| t.is_timed_out(now.unix_ms));
        let late: Vec<(Str, Transaction)> = late.map(|(id, t)| (id.clone(), t.clone())).collect();
        for (id, transaction) in late {
            tracing::info!(transactional_id = %&*id, "a transaction took too long and is aborted");
            // A record that is too large has been so before: it was never stored.
            let _ = self.fence(now, &id, transaction, &mut NoIds);
        }
    }

    fn forget_expired(&mut self, now: Now) {
        let (outbox, expiration_ms) = (&mut self.outbox, self.config.id_expiration_ms);
        self.transactions.retain(|id, transaction| {
            let is_expired = transaction.is_expired(now.unix_ms, expiration_ms);
            if is_expired {
                outbox.record(records::record(now.unix_ms, id, None));
            }
            !is_expired
        });
    }
}

/// Where a producer id would be of use and can be done without.
struct NoIds;

impl ProducerIdSource for NoIds {
    fn take(&mut self) -> Option<i64> {
        None
    }
}

impl Shard for TransactionShard {
    type Reply = Reply;

    fn replay(&mut self, batch: &Batch) -> Result<(), LoadError> {
        let header = batch.header();
        if header.is_control() {
            return Ok(());
        }
        let offset = header.base_offset;
        let records = batch
            .records(INFLATE_LIMIT_BYTES)
            .map_err(|source| LoadError::Batch { offset, source })?;
        for record in records {
            let record = record.map_err(|source| LoadError::Batch { offset, source })?;
            let Some(key) = &record.key else { continue };
            let offset = offset + i64::from(record.offset_delta);
            let read = records::read(key, record.value.as_ref());
            match read.map_err(|source| LoadError::Record { offset, source })? {
                None => {}
                Some((id, None)) => drop(self.transactions.remove(&id)),
                Some((id, Some(value))) => match Transaction::from_record(value) {
                    Some(transaction) => drop(self.transactions.insert(id, transaction)),
                    // Kafka's Dead and PrepareEpochFence never come into the log.
                    None => tracing::warn!(transactional_id = %&*id, offset, "a state that nobody knows"),
                },
            }
        }
        Ok(())
    }

    fn start(&mut self, now: Now, log_end_offset: i64, leader_epoch: i32) {
        self.outbox = Outbox::after_loading(log_end_offset);
        self.coordinator_epoch = leader_epoch;
        self.time_out_ms = now.elapsed_ms.saturating_add(self.config.time_out_interval_ms);
        self.expire_ms = now.elapsed_ms.saturating_add(self.config.expire_interval_ms);
        let decided = self
            .transactions
            .iter()
            .filter(|(_, transaction)| {
                matches!(transaction.state, State::PrepareCommit | State::PrepareAbort)
            })
            .map(|(id, transaction)| self.markers_of(id, transaction));
        for markers in decided.collect::<Vec<_>>() {
            self.outbox.reply(Reply::Markers(markers));
        }
    }

    fn next_deadline_ms(&self) -> Option<u64> {
        // Where there is nothing, nothing is due.
        (!self.transactions.is_empty()).then(|| self.time_out_ms.min(self.expire_ms))
    }

    fn tick(&mut self, now: Now) {
        if self.time_out_ms <= now.elapsed_ms {
            self.time_out_ms = now.elapsed_ms.saturating_add(self.config.time_out_interval_ms);
            self.abort_timed_out(now);
        }
        if self.expire_ms <= now.elapsed_ms {
            self.expire_ms = now.elapsed_ms.saturating_add(self.config.expire_interval_ms);
            self.forget_expired(now);
        }
    }

    fn outbox(&mut self) -> &mut Outbox<Reply> {
        &mut self.outbox
    }

    fn refuse_all(self, error: ErrorCode) -> Vec<Reply> {
        let replies = self.outbox.into_replies();
        replies.filter_map(|reply| reply.refused(error)).collect()
    }
}
