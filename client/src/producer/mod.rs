//! [`Producer`]: writes records, in order and once each, as far as the broker can be reached.
//!
//! `batches` decides, `partitioner` chooses partitions, the task in here carries batches to the brokers.

mod batches;
mod delivery;
mod partitioner;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use klamm_protocol::Str;
use klamm_protocol::record::{BatchBuilder, BatchHeader, Compression};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

use self::batches::{Limits, Place};
pub use self::partitioner::{murmur2, partition_of_key};
use crate::cluster::known_topic;
use crate::{Cluster, Error};

/// Records handed over and not taken by the task yet.
const QUEUE_MAX: usize = 1024;

/// How records are written.
#[derive(Clone, Debug)]
pub struct ProducerOptions {
    /// The codec of batches.
    pub compression: Compression,
    /// How large a batch grows, as counted without compression. Together with the topic's `max.message.bytes` it
    /// bounds a single record.
    pub batch_bytes: usize,
    /// How long a batch that is not full waits for more records.
    pub linger: Duration,
    /// How long a record is tried to be written.
    pub delivery_timeout: Duration,
    /// Bytes of records that may be on their way; further ones wait in [`Producer::send`].
    pub buffer_bytes: u32,
    /// Whether a topic that does not exist is created by writing to it, where the broker allows that.
    pub create_topics: bool,
}

impl Default for ProducerOptions {
    fn default() -> ProducerOptions {
        ProducerOptions {
            compression: Compression::None,
            batch_bytes: 256 << 10,
            linger: Duration::from_millis(5),
            delivery_timeout: Duration::from_secs(120),
            buffer_bytes: 32 << 20,
            create_topics: true,
        }
    }
}

/// A record to be written.
#[derive(Clone, Debug, Default)]
pub struct ProducerRecord {
    /// Where to.
    pub topic: Str,
    /// `None`: chosen by the key; without a key, one partition after another is filled, a batch at a time.
    pub partition: Option<i32>,
    /// What partitioning and compaction go by.
    pub key: Option<Bytes>,
    /// `None` deletes the key where the topic is compacted.
    pub value: Option<Bytes>,
    /// Names may repeat.
    pub headers: Vec<(Str, Option<Bytes>)>,
    /// In milliseconds since 1970; `None` for now.
    pub timestamp_ms: Option<i64>,
}

impl ProducerRecord {
    /// Bytes in a batch, give or take a few.
    pub(crate) fn size_bytes(&self) -> usize {
        let headers = self
            .headers
            .iter()
            .map(|(name, value)| name.len() + value.as_ref().map_or(0, Bytes::len) + 10);
        BatchBuilder::record_size(self.key.as_deref(), self.value.as_deref()) + headers.sum::<usize>()
    }
}

/// Where a record lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Written {
    /// The partition.
    pub partition: i32,
    /// -1 when it was written by an earlier attempt whose answer got lost, and the broker no longer knows where.
    pub offset: i64,
}

/// A record on its way.
#[derive(Debug)]
pub struct Delivery {
    partition: i32,
    told: oneshot::Receiver<Result<i64, Error>>,
}

impl Delivery {
    /// Waits until the record is acknowledged by every in-sync replica.
    ///
    /// # Errors
    /// [`Error::Refused`], [`Error::TimedOut`], [`Error::Closed`] when the producer went away.
    pub async fn written(self) -> Result<Written, Error> {
        let partition = self.partition;
        let offset = self.told.await.map_err(|_| Error::Closed)??;
        Ok(Written { partition, offset })
    }
}

/// Who waits for a record, and the room it takes.
#[derive(Debug)]
struct Waiting {
    teller: oneshot::Sender<Result<i64, Error>>,
    _room: OwnedSemaphorePermit,
}

#[derive(Debug)]
enum Command {
    Add(Place, Box<ProducerRecord>, i64, Waiting),
    Flush(oneshot::Sender<()>),
}

/// Writes records. Records of one partition that one task sends keep their order.
#[derive(Debug)]
pub struct Producer {
    cluster: Cluster,
    options: ProducerOptions,
    commands: mpsc::Sender<Command>,
    room: Arc<Semaphore>,
    /// Without keys: where records go at present, and how many bytes went there.
    spread: Mutex<BTreeMap<Str, (usize, usize)>>,
    seed: AtomicU32,
}

impl Producer {
    /// Starts a producer; it ends when it is dropped, and what was not [flushed](Producer::flush) by then is lost.
    pub fn start(cluster: Cluster, options: ProducerOptions) -> Producer {
        let (commands, received) = mpsc::channel(QUEUE_MAX);
        let limits = Limits {
            compression: options.compression,
            batch_bytes: options.batch_bytes,
            linger: options.linger,
            delivery_timeout: options.delivery_timeout,
            backoff: Duration::from_millis(100),
        };
        tokio::spawn(delivery::run(cluster.clone(), limits, received));
        Producer {
            room: Arc::new(Semaphore::new(
                usize::try_from(options.buffer_bytes).unwrap_or(usize::MAX),
            )),
            cluster,
            options,
            commands,
            spread: Mutex::default(),
            seed: AtomicU32::new(0),
        }
    }

    /// Hands a record over, once there is room for it. Waiting for the returned delivery is optional.
    ///
    /// # Errors
    /// [`Error::RecordTooLarge`], [`Error::NoTopic`], [`Error::NoPartition`], and those of asking for the topic.
    pub async fn send(&self, record: ProducerRecord) -> Result<Delivery, Error> {
        let size = record.size_bytes();
        let limit_bytes = self.options.batch_bytes.saturating_sub(BatchHeader::SIZE);
        let room = u32::try_from(size)
            .ok()
            .filter(|&room| size <= limit_bytes && room <= self.options.buffer_bytes);
        let Some(room) = room else {
            return Err(Error::RecordTooLarge {
                size_bytes: size,
                limit_bytes,
            });
        };
        let partition = self.partition(&record, size).await?;
        let room = Arc::clone(&self.room)
            .acquire_many_owned(room)
            .await
            .map_err(|_| Error::Closed)?;
        let (teller, told) = oneshot::channel();
        let place = (record.topic.clone(), partition);
        let waiting = Waiting { teller, _room: room };
        let command = Command::Add(place, Box::new(record), unix_ms(), waiting);
        self.commands.send(command).await.map_err(|_| Error::Closed)?;
        Ok(Delivery { partition, told })
    }

    /// Waits until nothing is on its way any more, without lingering. What failed, the deliveries tell.
    ///
    /// # Errors
    /// [`Error::Closed`].
    pub async fn flush(&self) -> Result<(), Error> {
        let (done, waiting) = oneshot::channel();
        self.commands
            .send(Command::Flush(done))
            .await
            .map_err(|_| Error::Closed)?;
        waiting.await.map_err(|_| Error::Closed)
    }

    async fn partition(&self, record: &ProducerRecord, size: usize) -> Result<i32, Error> {
        let topic = &record.topic;
        let known = self.cluster.picture();
        let picture = match known_topic(&known, topic) {
            Ok(_) => known,
            Err(_) => self.ask_for(topic).await?,
        };
        let partitions = &known_topic(&picture, topic)?.partitions;
        let count = i32::try_from(partitions.len()).unwrap_or(i32::MAX);
        match (record.partition, &record.key) {
            (Some(partition), _) if partitions.contains_key(&partition) => Ok(partition),
            (Some(partition), _) => Err(Error::NoPartition {
                topic: topic.clone(),
                partition,
                count: partitions.len(),
            }),
            (None, Some(key)) if count > 0 => Ok(partition_of_key(key, count)),
            (None, None) if count > 0 => Ok(self.next_partition(topic, size, partitions.keys())),
            _ => Err(Error::NoLeader {
                topic: topic.clone(),
                partition: 0,
            }),
        }
    }

    /// Asks for a topic, and waits while it is being created.
    async fn ask_for(&self, topic: &Str) -> Result<Arc<crate::Picture>, Error> {
        let create = self.options.create_topics;
        let ask = async || {
            let picture = self
                .cluster
                .refresh(Some(std::slice::from_ref(topic)), create)
                .await?;
            match known_topic(&picture, topic) {
                // Being created: the broker said so by the answer before this one.
                Err(Error::NoTopic { .. }) if create => Error::check(
                    || format!("topic {topic}"),
                    klamm_protocol::ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
                    None,
                )?,
                Err(error) => return Err(error),
                Ok(_) => {}
            }
            Ok(picture)
        };
        match self.cluster.retrying(ask).await {
            Err(Error::TimedOut { last, .. })
                if last.code() == Some(klamm_protocol::ErrorCode::UNKNOWN_TOPIC_OR_PARTITION) =>
            {
                Err(Error::NoTopic { topic: topic.clone() })
            }
            result => result,
        }
    }

    /// Stays with a partition until a batch is full (KIP-480, KIP-794).
    fn next_partition<'a>(&self, topic: &Str, size: usize, partitions: impl Iterator<Item = &'a i32>) -> i32 {
        let partitions: Vec<i32> = partitions.copied().collect();
        let mut spread = self.spread.lock().unwrap_or_else(PoisonError::into_inner);
        if !spread.contains_key(topic) {
            // Where many producers begin, they should not all begin at partition 0.
            let start = self.seed.fetch_add(1, Ordering::Relaxed) ^ std::process::id();
            spread.insert(topic.clone(), (usize::try_from(start).unwrap_or(0), 0));
        }
        let (at, bytes) = spread.get_mut(topic).expect("it was put there");
        if *bytes + size > self.options.batch_bytes {
            *at = at.wrapping_add(1);
            *bytes = 0;
        }
        *bytes += size;
        partitions[*at % partitions.len()]
    }
}

fn unix_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
