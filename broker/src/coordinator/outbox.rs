//! What a shard has said but may not have said yet: records on their way into the log, and answers that wait
//! until these are committed.
//!
//! Every answer waits for all that its shard produced before it, also an answer that only reads: so nobody is
//! ever told of a state that a crash takes back.

use std::collections::VecDeque;

use bytes::Bytes;
use klamm_protocol::record::{Batch, BatchBuilder, BatchHeader, Compression, NO_SEQUENCE};
use klamm_storage::bug::Bug;

/// More than a record's lengths, deltas and attributes can take in a batch.
const RECORD_OVERHEAD_BYTES: usize = 32;

/// A record on its way into the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StoredRecord {
    pub timestamp_ms: i64,
    pub key: Bytes,
    pub value: Option<Bytes>,
}

impl StoredRecord {
    /// What it takes in a batch, at most.
    pub fn size(&self) -> usize {
        self.key.len() + self.value.as_ref().map_or(0, Bytes::len) + RECORD_OVERHEAD_BYTES
    }

    /// Whether a batch of that size can hold it.
    pub fn fits(&self, batch_bytes_max: usize) -> bool {
        BatchHeader::SIZE + self.size() <= batch_bytes_max
    }
}

/// A producer id and its epoch: whose transaction a record belongs to.
pub(super) type ProducerEpoch = (i64, i16);

/// What is to be appended.
#[derive(Debug)]
enum Fresh {
    /// A record, of a transaction or of none. Neighbours of the same kind share a batch.
    Record(Option<ProducerEpoch>, StoredRecord),
    /// The end of a transaction.
    Marker(Box<Batch>),
}

/// Records and answers of one shard, in order.
#[derive(Debug)]
pub(crate) struct Outbox<R> {
    /// Produced, and not yet handed out for the log.
    fresh: VecDeque<Fresh>,
    /// Handed out, oldest first.
    flights: VecDeque<Flight>,
    /// Records ever produced, and how many of them are known to be committed. `committed <= produced`.
    produced: u64,
    committed: u64,
    high_watermark: i64,
    /// Answers, each with the number of records that it waits for; in order of both.
    replies: VecDeque<(u64, R)>,
}

/// A batch on its way into the log.
#[derive(Debug)]
struct Flight {
    /// How many records have been produced when it is committed.
    produced: u64,
    /// Where its last record lies; none while the log has not taken it.
    last_offset: Option<i64>,
}

impl<R> Default for Outbox<R> {
    fn default() -> Outbox<R> {
        Outbox {
            fresh: VecDeque::new(),
            flights: VecDeque::new(),
            produced: 0,
            committed: 0,
            high_watermark: 0,
            replies: VecDeque::new(),
        }
    }
}

impl<R> Outbox<R> {
    /// An outbox whose shard was loaded from records below `log_end_offset`, of which the last may not be
    /// committed yet.
    pub fn after_loading(log_end_offset: i64) -> Outbox<R> {
        let last_offset = Some(log_end_offset - 1);
        Outbox {
            produced: 1,
            flights: [Flight {
                produced: 1,
                last_offset,
            }]
            .into(),
            ..Outbox::default()
        }
    }

    /// Adds a record to what is to be appended.
    pub fn record(&mut self, record: StoredRecord) {
        self.produced += 1;
        self.fresh.push_back(Fresh::Record(None, record));
    }

    /// Adds a record that counts once its transaction is committed.
    pub(super) fn transactional_record(&mut self, producer: ProducerEpoch, record: StoredRecord) {
        self.produced += 1;
        self.fresh.push_back(Fresh::Record(Some(producer), record));
    }

    /// Adds the end of a transaction.
    pub fn marker(&mut self, marker: Batch) {
        self.produced += 1;
        self.fresh.push_back(Fresh::Marker(Box::new(marker)));
    }

    /// Records ever produced: a mark to see whether there are more since.
    pub fn produced(&self) -> u64 {
        self.produced
    }

    /// Adds an answer that leaves when all records so far are committed.
    pub fn reply(&mut self, reply: R) {
        self.replies.push_back((self.produced, reply));
    }

    /// Takes a batch of fresh records: as many as fit into `bytes_max`, at least one; all of one transaction, or of
    /// none.
    pub fn take_batch(&mut self, bytes_max: usize) -> Option<Batch> {
        let batch = match self.fresh.pop_front()? {
            Fresh::Marker(marker) => *marker,
            Fresh::Record(producer, first) => self.take_records(producer, &first, bytes_max),
        };
        self.flights.push_back(Flight {
            produced: self.produced - self.fresh.len() as u64,
            last_offset: None,
        });
        Some(batch)
    }

    fn take_records(
        &mut self,
        producer: Option<ProducerEpoch>,
        first: &StoredRecord,
        bytes_max: usize,
    ) -> Batch {
        let mut batch = BatchBuilder::new(Compression::None);
        if let Some((producer_id, producer_epoch)) = producer {
            batch
                .producer(producer_id, producer_epoch, NO_SEQUENCE)
                .transactional();
        }
        let mut bytes = BatchHeader::SIZE + first.size();
        batch.append(first.timestamp_ms, Some(&first.key), first.value.as_deref());
        while let Some(Fresh::Record(of, record)) = self.fresh.front()
            && *of == producer
            && bytes + record.size() <= bytes_max
        {
            bytes += record.size();
            batch.append(record.timestamp_ms, Some(&record.key), record.value.as_deref());
            self.fresh.pop_front();
        }
        batch.finish()
    }

    /// The log has taken the oldest batch that it had not: its last record lies at `last_offset`.
    pub fn appended(&mut self, last_offset: i64) {
        let flight = self
            .flights
            .iter_mut()
            .find(|flight| flight.last_offset.is_none());
        flight.expect("the log takes only what it was given").last_offset = Some(last_offset);
        self.settle();
    }

    /// The high watermark is there now; it never falls.
    pub fn committed(&mut self, high_watermark: i64) {
        self.high_watermark = self.high_watermark.max(high_watermark);
        self.settle();
    }

    fn settle(&mut self) {
        while let Some(Flight {
            produced,
            last_offset: Some(last_offset),
        }) = self.flights.front()
        {
            if *last_offset >= self.high_watermark && !Bug::EarlyCommit.is_on() {
                break;
            }
            self.committed = *produced;
            self.flights.pop_front();
        }
    }

    /// Takes the next answer that may leave.
    pub fn take_reply(&mut self) -> Option<R> {
        let (waits_for, _) = self.replies.front()?;
        if *waits_for > self.committed {
            return None;
        }
        self.replies.pop_front().map(|(_, reply)| reply)
    }

    /// Everything still waiting: what it waited for will not be committed here.
    pub fn into_replies(self) -> impl Iterator<Item = R> {
        self.replies.into_iter().map(|(_, reply)| reply)
    }
}
