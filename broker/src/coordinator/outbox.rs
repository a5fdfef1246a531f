//! What a shard has said but may not have said yet: records on their way into the log, and answers that wait
//! until these are committed.
//!
//! Every answer waits for all that its shard produced before it, also an answer that only reads: so nobody is
//! ever told of a state that a crash takes back.

use std::collections::VecDeque;

use klamm_protocol::ErrorCode;
use klamm_protocol::record::BatchHeader;
use klamm_storage::bug::Bug;

use super::interface::{Part, Reply};
use super::records::StoredRecord;

/// Records and answers of one shard, in order.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    /// Produced, and not yet handed out for the log.
    fresh: Vec<StoredRecord>,
    /// Handed out, oldest first.
    flights: VecDeque<Flight>,
    /// Records ever produced, and how many of them are known to be committed. `committed <= produced`.
    produced: u64,
    committed: u64,
    high_watermark: i64,
    /// Answers, each with the number of records that it waits for; in order of both.
    replies: VecDeque<(u64, Reply)>,
}

/// A batch on its way into the log.
#[derive(Debug)]
struct Flight {
    /// How many records have been produced when it is committed.
    produced: u64,
    /// Where its last record lies; none while the log has not taken it.
    last_offset: Option<i64>,
}

impl Outbox {
    /// An outbox whose shard was loaded from records below `log_end_offset`, of which the last may not be
    /// committed yet.
    pub fn after_loading(log_end_offset: i64) -> Outbox {
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
        self.fresh.push(record);
    }

    /// Records ever produced: a mark to see whether there are more since.
    pub fn produced(&self) -> u64 {
        self.produced
    }

    /// Adds an answer that leaves when all records so far are committed.
    pub fn reply(&mut self, reply: Reply) {
        self.replies.push_back((self.produced, reply));
    }

    /// Takes as many of the fresh records as fit a batch of `bytes_max`; at least one, if there is any.
    pub fn take_records(&mut self, bytes_max: usize) -> Option<Vec<StoredRecord>> {
        let mut bytes = BatchHeader::SIZE;
        let fitting = self.fresh.iter().take_while(|record| {
            bytes += record.size();
            bytes <= bytes_max
        });
        let count = fitting.count().max(1).min(self.fresh.len());
        if count == 0 {
            return None;
        }
        let rest = self.fresh.split_off(count);
        let records = std::mem::replace(&mut self.fresh, rest);
        let produced = self.produced - self.fresh.len() as u64;
        self.flights.push_back(Flight {
            produced,
            last_offset: None,
        });
        Some(records)
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
    pub fn take_reply(&mut self) -> Option<Reply> {
        let (waits_for, _) = self.replies.front()?;
        if *waits_for > self.committed {
            return None;
        }
        self.replies.pop_front().map(|(_, reply)| reply)
    }

    /// Everything still waiting, as refused with `error`: what it waited for will not be committed here.
    pub fn refuse_all(self, error: ErrorCode) -> impl Iterator<Item = Reply> {
        self.replies.into_iter().map(move |(_, mut reply)| {
            match &mut reply {
                Reply::Whole(_, response) => response.refuse(error),
                Reply::Part(_, _, part) => Part::refuse(part, error),
            }
            reply
        })
    }
}
