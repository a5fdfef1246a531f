//! What decides in a producer: which records form a batch, which batches may leave, and what comes of them.
//!
//! Order holds because at most one batch of a partition is on its way: it is sent again under the same sequence until
//! the broker takes or refuses it, and only then does the next one get its sequence (KIP-98). Sequences therefore
//! never have gaps, whatever is lost on the way.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use klamm_protocol::record::{Batch, BatchBuilder, Compression, HeaderRef, add_sequence};
use klamm_protocol::{ErrorCode, Str};

use super::ProducerRecord;
use crate::Error;

/// Topic and partition.
pub type Place = (Str, i32);

/// Given by the broker, so that it can tell a repeated batch from another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Producer id.
    pub id: i64,
    /// Producer epoch.
    pub epoch: i16,
}

/// How batches are formed.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The codec.
    pub compression: Compression,
    /// A batch is closed before it grows beyond, as counted without compression.
    pub batch_bytes: usize,
    /// How long a batch that is not full waits for more.
    pub linger: Duration,
    /// How long after its first record a batch is given up.
    pub delivery_timeout: Duration,
    /// Pause before a batch is sent again.
    pub backoff: Duration,
}

/// What came of a batch.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// It is in the log from this offset on; -1 when the broker does not remember where.
    Written(i64),
    /// Not known, or not now: again.
    Again(Error),
    /// The broker refuses it.
    Refused(Error),
}

/// What a record's sender is told: the offset, or why there is none. `W` says who waits.
pub type Told<W> = (W, Result<i64, Error>);

struct Forming<W> {
    builder: BatchBuilder,
    waiting: Vec<W>,
    since: Duration,
}

struct Sending<W> {
    batch: Batch,
    waiting: Vec<W>,
    since: Duration,
    on_its_way: bool,
    not_before: Duration,
}

struct Queue<W> {
    sending: Option<Sending<W>>,
    /// In order; only the last one takes more records.
    forming: VecDeque<Forming<W>>,
    /// Under which identity the next batch gets which sequence.
    sequence: Option<(Identity, i32)>,
}

impl<W> Default for Queue<W> {
    fn default() -> Self {
        Queue {
            sending: None,
            forming: VecDeque::new(),
            sequence: None,
        }
    }
}

/// Records on their way. Times are what passed since the producer began.
pub struct Batches<W> {
    limits: Limits,
    identity: Option<Identity>,
    queues: BTreeMap<Place, Queue<W>>,
}

impl<W> Batches<W> {
    /// No record yet.
    pub fn new(limits: Limits) -> Batches<W> {
        Batches {
            limits,
            identity: None,
            queues: BTreeMap::new(),
        }
    }

    /// Adds a record to the batch of its partition.
    pub fn add(&mut self, place: Place, record: &ProducerRecord, unix_ms: i64, waiting: W, now: Duration) {
        let Limits {
            batch_bytes,
            compression,
            ..
        } = self.limits;
        let queue = self.queues.entry(place).or_default();
        let full = |batch: &&mut Forming<W>| batch.builder.size() + record.size_bytes() <= batch_bytes;
        if queue.forming.back_mut().filter(full).is_none() {
            queue.forming.push_back(Forming {
                builder: BatchBuilder::new(compression),
                waiting: Vec::new(),
                since: now,
            });
        }
        let batch = queue.forming.back_mut().expect("one was put there");
        let headers: Vec<HeaderRef<'_>> = record
            .headers
            .iter()
            .map(|(name, value)| (&**name, value.as_deref()))
            .collect();
        let timestamp_ms = record.timestamp_ms.unwrap_or(unix_ms);
        let (key, value) = (record.key.as_deref(), record.value.as_deref());
        batch
            .builder
            .append_with_headers(timestamp_ms, key, value, &headers);
        batch.waiting.push(waiting);
    }

    /// Whether batches could leave if only there were an identity.
    pub fn needs_identity(&self) -> bool {
        self.identity.is_none()
    }

    /// Batches from now on are sent under this identity; those that were sent before keep theirs.
    pub fn identify(&mut self, identity: Identity) {
        self.identity = Some(identity);
    }

    /// The partitions of which a batch may leave now. `hurry` does not wait for more records.
    pub fn ready(&self, now: Duration, hurry: bool) -> Vec<Place> {
        let ready = self
            .queues
            .iter()
            .filter(|(_, queue)| self.due(queue, hurry).is_some_and(|due| due <= now));
        ready.map(|(place, _)| place.clone()).collect()
    }

    /// When the next batch may leave.
    pub fn next_due(&self, hurry: bool) -> Option<Duration> {
        self.queues
            .values()
            .filter_map(|queue| self.due(queue, hurry))
            .min()
    }

    fn due(&self, queue: &Queue<W>, hurry: bool) -> Option<Duration> {
        match &queue.sending {
            Some(sending) if sending.on_its_way => None,
            Some(sending) => Some(sending.not_before),
            None => {
                let first = queue.forming.front()?;
                let closed = queue.forming.len() > 1 || first.builder.size() >= self.limits.batch_bytes;
                let linger = if closed || hurry {
                    Duration::ZERO
                } else {
                    self.limits.linger
                };
                Some(first.since + linger)
            }
        }
    }

    /// The batch of a partition that is ready, now on its way; `None` without an identity for it.
    pub fn take(&mut self, place: &Place) -> Option<Batch> {
        let identity = self.identity;
        let queue = self.queues.get_mut(place)?;
        if queue.sending.is_none() {
            let current = identity?;
            // Under another identity, sequences begin again.
            let (_, sequence) = queue
                .sequence
                .filter(|(known, _)| *known == current)
                .unwrap_or((current, 0));
            queue.sequence = Some((current, sequence));
            let mut forming = queue.forming.pop_front()?;
            forming.builder.producer(current.id, current.epoch, sequence);
            queue.sending = Some(Sending {
                batch: forming.builder.finish(),
                waiting: forming.waiting,
                since: forming.since,
                on_its_way: false,
                not_before: Duration::ZERO,
            });
        }
        let sending = queue.sending.as_mut()?;
        sending.on_its_way = true;
        Some(sending.batch.clone())
    }

    /// Takes what came of the batch of a partition, and says whom to tell what.
    pub fn done(&mut self, place: &Place, outcome: Outcome, now: Duration) -> Vec<Told<W>> {
        let Some(queue) = self.queues.get_mut(place) else {
            return Vec::new();
        };
        let Some(mut sending) = queue.sending.take() else {
            return Vec::new();
        };
        let error = match outcome {
            Outcome::Written(base_offset) => {
                if let Some((_, sequence)) = &mut queue.sequence {
                    *sequence = add_sequence(*sequence, sending.batch.header().record_count);
                }
                let offset = |i: i64| if base_offset < 0 { -1 } else { base_offset + i };
                if queue.forming.is_empty() {
                    // What is kept is the sequence alone.
                    queue.forming.shrink_to_fit();
                }
                return (0..)
                    .zip(sending.waiting)
                    .map(|(i, waiting)| (waiting, Ok(offset(i))))
                    .collect();
            }
            Outcome::Again(error) => {
                let after = now.saturating_sub(sending.since);
                if after < self.limits.delivery_timeout {
                    sending.on_its_way = false;
                    sending.not_before = now + self.limits.backoff;
                    queue.sending = Some(sending);
                    return Vec::new();
                }
                // Whether it was written nobody knows, so its sequence cannot be given to another batch.
                self.identity = None;
                Error::TimedOut {
                    after,
                    last: Box::new(error),
                }
            }
            Outcome::Refused(error) => {
                // Refused for its content, a batch leaves no trace and its sequence is free. Refused for its
                // sequence or its producer, nothing more can be said under this identity.
                if error.code().is_none_or(is_about_identity) {
                    self.identity = None;
                }
                error
            }
        };
        sending
            .waiting
            .into_iter()
            .map(|waiting| (waiting, Err(error.clone())))
            .collect()
    }

    /// Gives up what waits for an identity longer than it may.
    pub fn expire(&mut self, error: &Error, now: Duration) -> Vec<Told<W>> {
        let mut told = Vec::new();
        for queue in self.queues.values_mut() {
            while let Some(batch) = queue
                .forming
                .pop_front_if(|batch| now.saturating_sub(batch.since) >= self.limits.delivery_timeout)
            {
                told.extend(
                    batch
                        .waiting
                        .into_iter()
                        .map(|waiting| (waiting, Err(error.clone()))),
                );
            }
        }
        told
    }

    /// Whether every record was told of.
    pub fn is_empty(&self) -> bool {
        self.queues
            .values()
            .all(|queue| queue.sending.is_none() && queue.forming.is_empty())
    }
}

fn is_about_identity(code: ErrorCode) -> bool {
    matches!(
        code,
        ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER
            | ErrorCode::UNKNOWN_PRODUCER_ID
            | ErrorCode::INVALID_PRODUCER_EPOCH
            | ErrorCode::INVALID_PRODUCER_ID_MAPPING
            | ErrorCode::PRODUCER_FENCED
            | ErrorCode::UNKNOWN_SERVER_ERROR
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const IDENTITY: Identity = Identity { id: 7, epoch: 0 };

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn batches() -> Batches<u32> {
        let mut batches = Batches::new(Limits {
            compression: Compression::None,
            batch_bytes: 200,
            linger: ms(5),
            delivery_timeout: ms(1000),
            backoff: ms(100),
        });
        batches.identify(IDENTITY);
        batches
    }

    fn place() -> Place {
        ("t".into(), 0)
    }

    fn record(size: usize) -> ProducerRecord {
        ProducerRecord {
            topic: "t".into(),
            value: Some(vec![b'x'; size].into()),
            ..Default::default()
        }
    }

    fn lost() -> Error {
        Error::NoLeader {
            topic: "t".into(),
            partition: 0,
        }
    }

    fn refused(code: ErrorCode) -> Outcome {
        Outcome::Refused(Error::check(String::new, code, None).unwrap_err())
    }

    #[test]
    fn a_batch_leaves_when_its_linger_is_over_or_another_one_has_begun_or_in_a_hurry() {
        let mut batches = batches();
        batches.add(place(), &record(10), 0, 1, ms(0));
        assert!(batches.ready(ms(4), false).is_empty());
        assert_eq!(batches.next_due(false), Some(ms(5)));
        assert_eq!(batches.ready(ms(5), false), [place()]);
        assert_eq!(batches.ready(ms(0), true), [place()]);
        batches.add(place(), &record(150), 0, 2, ms(1));
        assert_eq!(batches.ready(ms(1), false), [place()]);
        assert_eq!(batches.take(&place()).unwrap().header().record_count, 1);
    }

    #[test]
    fn one_batch_of_a_partition_is_on_its_way_and_it_is_sent_again_with_the_same_sequence() {
        let mut batches = batches();
        batches.add(place(), &record(10), 0, 1, ms(0));
        batches.add(place(), &record(10), 0, 2, ms(0));
        let first = batches.take(&place()).unwrap();
        assert_eq!((first.header().producer_id, first.header().base_sequence), (7, 0));
        batches.add(place(), &record(10), 0, 3, ms(6));
        assert!(
            batches.ready(ms(99), true).is_empty(),
            "the first one is on its way"
        );
        assert!(batches.done(&place(), Outcome::Again(lost()), ms(100)).is_empty());
        assert!(
            batches.ready(ms(199), true).is_empty(),
            "it waits before it is sent again"
        );
        assert_eq!(batches.ready(ms(200), true), [place()]);
        assert_eq!(batches.take(&place()).unwrap().to_bytes(), first.to_bytes());
        let told = batches.done(&place(), Outcome::Written(40), ms(210));
        let told: Vec<_> = told
            .into_iter()
            .map(|(who, offset)| (who, offset.unwrap()))
            .collect();
        assert_eq!(told, [(1, 40), (2, 41)]);
        assert_eq!(batches.take(&place()).unwrap().header().base_sequence, 2);
        assert!(!batches.is_empty());
        assert_eq!(
            batches.done(&place(), Outcome::Written(-1), ms(220))[0]
                .1
                .as_ref()
                .unwrap(),
            &-1
        );
        assert!(batches.is_empty());
    }

    #[test]
    fn a_sequence_is_free_again_when_the_batch_was_refused_for_its_content() {
        let mut batches = batches();
        batches.add(place(), &record(10), 0, 1, ms(0));
        batches.take(&place()).unwrap();
        assert!(
            batches.done(&place(), refused(ErrorCode::MESSAGE_TOO_LARGE), ms(1))[0]
                .1
                .is_err()
        );
        batches.add(place(), &record(10), 0, 2, ms(1));
        assert_eq!(batches.take(&place()).unwrap().header().base_sequence, 0);
    }

    #[test]
    fn after_an_unknown_end_or_a_lost_sequence_everything_goes_on_under_another_identity() {
        for (outcome, at) in [
            (Outcome::Again(lost()), ms(1000)),
            (refused(ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER), ms(1)),
        ] {
            let mut batches = batches();
            batches.add(place(), &record(10), 0, 1, ms(0));
            batches.take(&place()).unwrap();
            assert_eq!(batches.done(&place(), outcome, at).len(), 1);
            batches.add(place(), &record(10), 0, 2, at);
            assert!(batches.needs_identity() && batches.take(&place()).is_none());
            batches.identify(Identity { id: 8, epoch: 0 });
            let next = batches.take(&place()).unwrap();
            assert_eq!((next.header().producer_id, next.header().base_sequence), (8, 0));
        }
    }

    #[test]
    fn what_never_left_is_given_up_after_its_time() {
        let mut batches = batches();
        batches.add(place(), &record(10), 0, 1, ms(0));
        assert!(batches.expire(&lost(), ms(999)).is_empty());
        assert_eq!(batches.expire(&lost(), ms(1000)).len(), 1);
        assert!(batches.is_empty());
    }
}
