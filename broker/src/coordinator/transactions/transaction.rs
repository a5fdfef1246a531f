//! One transactional id: its producer, its state, and how it gets from one state to the next.
//! Kafka: `TransactionMetadata`.

use klamm_protocol::stored::transactions::{PartitionsSchema, TransactionLogValue};
use klamm_protocol::{ErrorCode, Str};

use super::interface::Partitions;

pub(super) const NO_PRODUCER_ID: i64 = -1;
pub(super) const NO_EPOCH: i16 = -1;

/// From this level of `transaction.version` on, each transaction has an epoch of its own (KIP-890).
pub(super) const EPOCH_BUMP_SINCE: i16 = 2;

/// Where a transaction stands. The numbers are those of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i8)]
pub(super) enum State {
    Empty = 0,
    Ongoing = 1,
    PrepareCommit = 2,
    PrepareAbort = 3,
    CompleteCommit = 4,
    CompleteAbort = 5,
}

impl State {
    const ALL: [State; 6] = [
        State::Empty,
        State::Ongoing,
        State::PrepareCommit,
        State::PrepareAbort,
        State::CompleteCommit,
        State::CompleteAbort,
    ];

    /// What clients are told.
    pub fn name(self) -> &'static str {
        match self {
            State::Empty => "Empty",
            State::Ongoing => "Ongoing",
            State::PrepareCommit => "PrepareCommit",
            State::PrepareAbort => "PrepareAbort",
            State::CompleteCommit => "CompleteCommit",
            State::CompleteAbort => "CompleteAbort",
        }
    }

    /// Whether a client may mean a state by this. Two of Kafka's never show here.
    pub fn is_name(name: &str) -> bool {
        matches!(name, "Dead" | "PrepareEpochFence") || State::ALL.iter().any(|state| state.name() == name)
    }

    fn from_number(number: i8) -> Option<State> {
        State::ALL.into_iter().find(|state| *state as i8 == number)
    }
}

/// A transactional id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Transaction {
    pub producer_id: i64,
    /// The id before epochs ran out, -1 for none.
    pub previous_producer_id: i64,
    /// The id from the end of this transaction on, -1 for none.
    pub next_producer_id: i64,
    /// -1 before the first InitProducerId is through.
    pub producer_epoch: i16,
    /// The epoch before: a client that names it has not heard of the current one. Not in the log.
    pub last_epoch: i16,
    pub timeout_ms: i32,
    pub state: State,
    pub partitions: Partitions,
    /// Milliseconds since 1970.
    pub updated_ms: i64,
    /// Milliseconds since 1970, -1 for none.
    pub started_ms: i64,
    /// Level of `transaction.version` that its client goes by.
    pub version: i16,
}

/// What EndTxn comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// It is done already.
    Done,
    /// The transaction has to be ended; `empty`: nothing was in it.
    Begin { empty: bool },
}

impl Transaction {
    /// One that has no epoch yet.
    pub fn new(producer_id: i64, timeout_ms: i32, now_ms: i64) -> Transaction {
        Transaction {
            producer_id,
            previous_producer_id: NO_PRODUCER_ID,
            next_producer_id: NO_PRODUCER_ID,
            producer_epoch: NO_EPOCH,
            last_epoch: NO_EPOCH,
            timeout_ms,
            state: State::Empty,
            partitions: Partitions::new(),
            updated_ms: now_ms,
            started_ms: -1,
            version: 0,
        }
    }

    /// The next epoch would be the last there is: it is left for the markers.
    pub fn is_exhausted(&self) -> bool {
        self.producer_epoch >= i16::MAX - 1
    }

    /// Gives the id to a producer that begins, in no transaction. `expected` is what the producer believes to be.
    ///
    /// # Errors
    /// PRODUCER_FENCED: another one has come meanwhile. COORDINATOR_LOAD_IN_PROGRESS: there is no producer id.
    pub fn init(
        &mut self,
        expected: Option<(i64, i16)>,
        timeout_ms: i32,
        now_ms: i64,
        new_id: impl FnOnce() -> Option<i64>,
    ) -> Result<(), ErrorCode> {
        let expected_epoch = expected.map(|(_, epoch)| epoch);
        if self.is_exhausted() && expected_epoch.is_none_or(|epoch| epoch == self.producer_epoch) {
            let new_id = new_id().ok_or(ErrorCode::COORDINATOR_LOAD_IN_PROGRESS)?;
            self.previous_producer_id = self.producer_id;
            self.producer_id = new_id;
            self.last_epoch = expected_epoch.map_or(NO_EPOCH, |_| self.producer_epoch);
            self.producer_epoch = 0;
        } else {
            match expected_epoch {
                None => {
                    self.producer_epoch += 1;
                    self.last_epoch = NO_EPOCH;
                }
                Some(epoch) if self.producer_epoch == NO_EPOCH || epoch == self.producer_epoch => {
                    self.last_epoch = self.producer_epoch;
                    self.producer_epoch += 1;
                }
                // It asks again, since it did not hear the answer.
                Some(epoch) if epoch == self.last_epoch => {}
                Some(_) => return Err(ErrorCode::PRODUCER_FENCED),
            }
        }
        self.state = State::Empty;
        self.timeout_ms = timeout_ms;
        self.partitions.clear();
        self.started_ms = -1;
        self.updated_ms = now_ms;
        Ok(())
    }

    /// Whether a producer that says who it is may go on as the one of this id.
    pub fn is_expected(&self, expected: Option<(i64, i16)>) -> bool {
        expected.is_none_or(|(id, epoch)| {
            self.producer_epoch == NO_EPOCH
                || id == self.producer_id
                || (id == self.previous_producer_id && epoch >= i16::MAX - 1)
        })
    }

    /// Whether partitions may be added by this producer.
    ///
    /// # Errors
    /// INVALID_PRODUCER_ID_MAPPING, PRODUCER_FENCED, CONCURRENT_TRANSACTIONS.
    pub fn check_member(&self, producer_id: i64, producer_epoch: i16) -> Result<(), ErrorCode> {
        if self.producer_id != producer_id {
            Err(ErrorCode::INVALID_PRODUCER_ID_MAPPING)
        } else if self.producer_epoch != producer_epoch {
            Err(ErrorCode::PRODUCER_FENCED)
        } else if matches!(self.state, State::PrepareCommit | State::PrepareAbort) {
            Err(ErrorCode::CONCURRENT_TRANSACTIONS)
        } else {
            Ok(())
        }
    }

    /// Whether all of these are in the transaction already.
    pub fn holds(&self, partitions: &Partitions) -> bool {
        self.state == State::Ongoing && self.missing(partitions).is_empty()
    }

    /// Those of the partitions that are not in the transaction.
    pub fn missing(&self, partitions: &Partitions) -> Partitions {
        let mut missing = Partitions::new();
        for (topic, indexes) in partitions {
            let known = self.partitions.get(topic);
            let of_topic = indexes.iter().copied();
            let rest: std::collections::BTreeSet<i32> = of_topic
                .filter(|index| known.is_none_or(|known| !known.contains(index)))
                .collect();
            if !rest.is_empty() {
                missing.insert(topic.clone(), rest);
            }
        }
        missing
    }

    /// Adds partitions; the first ones begin the transaction.
    pub fn add(&mut self, partitions: &Partitions, version: i16, now_ms: i64) {
        if self.state != State::Ongoing {
            self.started_ms = now_ms;
            self.state = State::Ongoing;
        }
        for (topic, indexes) in partitions {
            self.partitions
                .entry(topic.detached())
                .or_default()
                .extend(indexes);
        }
        self.version = version;
        self.updated_ms = now_ms;
    }

    /// What a client's EndTxn comes to.
    ///
    /// # Errors
    /// INVALID_PRODUCER_ID_MAPPING, PRODUCER_FENCED, CONCURRENT_TRANSACTIONS, INVALID_TXN_STATE.
    pub fn check_end(
        &self,
        producer_id: i64,
        producer_epoch: i16,
        commit: bool,
        version: i16,
    ) -> Result<End, ErrorCode> {
        if version < EPOCH_BUMP_SINCE {
            return self.check_old_end(producer_id, producer_epoch, commit);
        }
        // The client did not hear that it has another id, or another epoch, since its last EndTxn.
        let missed_id = self.previous_producer_id == producer_id
            && producer_epoch == i16::MAX - 1
            && self.producer_epoch == 0;
        let missed_epoch = producer_epoch.checked_add(1) == Some(self.producer_epoch);
        let is_retry = missed_id || missed_epoch;
        if self.producer_id != producer_id && !missed_id {
            return Err(ErrorCode::INVALID_PRODUCER_ID_MAPPING);
        }
        let is_current = producer_epoch == self.producer_epoch;
        let is_known = match self.state {
            State::Empty | State::Ongoing => is_current,
            State::PrepareCommit | State::PrepareAbort => missed_epoch,
            State::CompleteCommit | State::CompleteAbort => is_retry || is_current,
        };
        if !is_known {
            return Err(ErrorCode::PRODUCER_FENCED);
        }
        match (self.state, commit) {
            (State::Ongoing, _) => Ok(End::Begin { empty: false }),
            (State::CompleteCommit, true) | (State::CompleteAbort, false) if is_retry => Ok(End::Done),
            (State::CompleteCommit, false) if is_retry => Err(ErrorCode::INVALID_TXN_STATE),
            // A transaction that nothing was written in: it is ended so that nothing that comes late begins it.
            (State::Empty | State::CompleteCommit | State::CompleteAbort, false) => {
                Ok(End::Begin { empty: true })
            }
            (State::PrepareCommit, true) | (State::PrepareAbort, false) => {
                Err(ErrorCode::CONCURRENT_TRANSACTIONS)
            }
            _ => Err(ErrorCode::INVALID_TXN_STATE),
        }
    }

    fn check_old_end(&self, producer_id: i64, producer_epoch: i16, commit: bool) -> Result<End, ErrorCode> {
        if self.producer_id != producer_id {
            return Err(ErrorCode::INVALID_PRODUCER_ID_MAPPING);
        }
        if self.producer_epoch != producer_epoch {
            return Err(ErrorCode::PRODUCER_FENCED);
        }
        match (self.state, commit) {
            (State::Ongoing, _) => Ok(End::Begin { empty: false }),
            (State::CompleteCommit, true) | (State::CompleteAbort, false) => Ok(End::Done),
            (State::PrepareCommit, true) | (State::PrepareAbort, false) => {
                Err(ErrorCode::CONCURRENT_TRANSACTIONS)
            }
            _ => Err(ErrorCode::INVALID_TXN_STATE),
        }
    }

    /// Decides. Under transactions of version 2 the epoch goes up, and the markers have the new one: whatever the
    /// producer sent in this transaction and comes late is fenced by them.
    pub fn prepare(
        &mut self,
        commit: bool,
        version: i16,
        empty: bool,
        now_ms: i64,
        new_id: impl FnOnce() -> Option<i64>,
    ) {
        if version >= EPOCH_BUMP_SINCE {
            self.next_producer_id = if self.is_exhausted() {
                // Without a new id the last epoch stays, and InitProducerId finds another id for it.
                new_id().unwrap_or(NO_PRODUCER_ID)
            } else {
                NO_PRODUCER_ID
            };
            self.last_epoch = self.producer_epoch;
            self.producer_epoch = self.producer_epoch.saturating_add(1);
        }
        if empty {
            self.started_ms = now_ms;
        }
        self.state = if commit {
            State::PrepareCommit
        } else {
            State::PrepareAbort
        };
        self.version = version;
        self.updated_ms = now_ms;
    }

    /// All markers are written.
    pub fn complete(&mut self, now_ms: i64) {
        self.state = match self.state {
            State::PrepareCommit => State::CompleteCommit,
            _ => State::CompleteAbort,
        };
        if self.next_producer_id != NO_PRODUCER_ID {
            self.previous_producer_id = self.producer_id;
            self.producer_id = self.next_producer_id;
            self.producer_epoch = 0;
            self.next_producer_id = NO_PRODUCER_ID;
        }
        self.partitions.clear();
        self.updated_ms = now_ms;
    }

    /// The id and epoch that the client has from the end of the transaction on.
    pub fn coming_id(&self) -> (i64, i16) {
        if self.next_producer_id == NO_PRODUCER_ID {
            (self.producer_id, self.producer_epoch)
        } else {
            (self.next_producer_id, 0)
        }
    }

    /// As a record of the log tells it; `None` for a state that nobody knows.
    pub fn from_record(value: TransactionLogValue) -> Option<Transaction> {
        let topics = value.transaction_partitions.into_iter().flatten();
        Some(Transaction {
            producer_id: value.producer_id,
            previous_producer_id: value.previous_producer_id,
            next_producer_id: value.next_producer_id,
            producer_epoch: value.producer_epoch,
            last_epoch: NO_EPOCH,
            timeout_ms: value.transaction_timeout_ms,
            state: State::from_number(value.transaction_status)?,
            partitions: topics
                .map(|topic| (topic.topic, topic.partition_ids.into_iter().collect()))
                .collect(),
            updated_ms: value.transaction_last_update_timestamp_ms,
            started_ms: value.transaction_start_timestamp_ms,
            version: value.client_transaction_version,
        })
    }

    /// As its record in the log.
    pub fn to_record(&self) -> TransactionLogValue {
        let topics = self.partitions.iter().map(|(topic, indexes)| PartitionsSchema {
            topic: topic.clone(),
            partition_ids: indexes.iter().copied().collect(),
        });
        // Kafka writes null where there can be none.
        let partitions = (self.state != State::Empty).then(|| topics.collect());
        TransactionLogValue {
            producer_id: self.producer_id,
            previous_producer_id: self.previous_producer_id,
            next_producer_id: self.next_producer_id,
            producer_epoch: self.producer_epoch,
            transaction_timeout_ms: self.timeout_ms,
            transaction_status: self.state as i8,
            transaction_partitions: partitions,
            transaction_last_update_timestamp_ms: self.updated_ms,
            transaction_start_timestamp_ms: self.started_ms,
            client_transaction_version: self.version,
            ..TransactionLogValue::default()
        }
    }

    /// Whether it may be forgotten: its producer has not been heard of for `expiration_ms`.
    pub fn is_expired(&self, now_ms: i64, expiration_ms: i64) -> bool {
        let idle = matches!(
            self.state,
            State::Empty | State::CompleteCommit | State::CompleteAbort
        );
        idle && self.updated_ms.saturating_add(expiration_ms) <= now_ms
    }

    /// Whether it has been open for longer than its producer wanted.
    pub fn is_timed_out(&self, now_ms: i64) -> bool {
        self.state == State::Ongoing && self.started_ms.saturating_add(i64::from(self.timeout_ms)) < now_ms
    }
}

/// The topic's partitions as DescribeTransactions tells them.
pub(super) fn topics_of(
    partitions: &Partitions,
) -> Vec<klamm_protocol::messages::describe_transactions::TopicData> {
    let topics = partitions.iter().map(|(topic, indexes): (&Str, _)| {
        klamm_protocol::messages::describe_transactions::TopicData {
            topic: topic.clone(),
            partitions: indexes.iter().copied().collect(),
        }
    });
    topics.collect()
}
