//! Producers: one kind numbers its batches and keeps several under way, the other just sends and retries.

use std::collections::BTreeMap;

use bytes::Bytes;
use klamm_protocol::messages::init_producer_id::{InitProducerIdRequest, InitProducerIdResponse};
use klamm_protocol::messages::produce::{
    PartitionProduceData, ProduceRequest, ProduceResponse, TopicProduceData,
};
use klamm_protocol::record::{Batch, BatchBuilder, Compression};
use klamm_protocol::{ErrorCode, Records, Uuid};

use super::topics::{TopicInfo, all_topics};
use super::{Asked, Client, Lost};
use crate::checker::{Sent, Ticket, Value, key_of};

/// What the broker keeps of a producer: so many batches may be under way.
const MOST_IN_FLIGHT: usize = 5;
/// Topic ids in place of names.
const VERSION: i16 = 13;

/// A batch that waits for its acknowledgement.
struct Pending {
    batch: Batch,
    values: Vec<Value>,
    idempotent: bool,
    /// When its producer began: a power cut since then may have taken what came before it.
    since: Ticket,
}

/// Where a batch goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Target {
    topic: Uuid,
    partition: i32,
}

/// Producer id, epoch, and the next sequence of each partition.
struct Identity {
    id: i64,
    epoch: i16,
    next_sequence: BTreeMap<Target, i32>,
    since: Ticket,
}

/// An idempotent producer, for as long as the world is not calm; then it sees its last batches through.
pub async fn idempotent(mut client: Client) {
    let mut identity = new_identity(&mut client).await;
    while !client.is_calm() {
        let Some(target) = choose(&mut client).await else {
            continue;
        };
        let count = client.random(|random| 1 + random.below(MOST_IN_FLIGHT));
        let pending = (0..count)
            .map(|_| make(&client, target, Some(&mut identity)))
            .collect();
        if !see_through(&mut client, target, pending).await || client.random(|random| random.chance(2)) {
            // Whatever became of the rest, it must not be sent again under other sequences.
            identity = new_identity(&mut client).await;
        }
        client.pause(0, 60).await;
    }
}

/// A producer without an id: after a lost answer it sends again, and a record may lie there twice.
pub async fn plain(mut client: Client) {
    while !client.is_calm() {
        let Some(target) = choose(&mut client).await else {
            continue;
        };
        let pending = make(&client, target, None);
        if client.random(|random| random.chance(10)) {
            let asked = send(&mut client, target, &pending.batch, 0).await;
            client.expect_no_answer(&asked);
        } else {
            see_through(&mut client, target, vec![pending]).await;
        }
        client.pause(0, 100).await;
    }
}

async fn new_identity(client: &mut Client) -> Identity {
    loop {
        let since = client.shared().borrow().checker.ticket();
        let request = InitProducerIdRequest {
            transactional_id: None,
            ..Default::default()
        };
        let answer: Result<InitProducerIdResponse, Lost> = client.call(4, &request).await;
        if let Ok(InitProducerIdResponse {
            error_code: ErrorCode::NONE,
            producer_id,
            producer_epoch,
            ..
        }) = answer
        {
            client.note(format_args!("producer id {producer_id}"));
            return Identity {
                id: producer_id,
                epoch: producer_epoch,
                next_sequence: BTreeMap::new(),
                since,
            };
        }
        client.pause(50, 500).await;
    }
}

async fn choose(client: &mut Client) -> Option<Target> {
    let topics: Vec<TopicInfo> = all_topics(client).await.ok()?;
    if topics.is_empty() {
        client.pause(50, 200).await;
        return None;
    }
    Some(client.random(|random| {
        let topic = &topics[random.below(topics.len())];
        let partition = random.below(usize::try_from(topic.partitions).unwrap_or(1).max(1));
        Target {
            topic: topic.id,
            partition: i32::try_from(partition).expect("few partitions"),
        }
    }))
}

fn make(client: &Client, target: Target, identity: Option<&mut Identity>) -> Pending {
    let mut world = client.shared().borrow();
    let codec = if world.random.chance(50) {
        0
    } else {
        1 + world.random.below(4)
    };
    let mut batch = BatchBuilder::new(Compression::ALL[codec]);
    let count = 1 + world.random.below(6);
    let sent = Sent {
        topic: target.topic,
        partition: target.partition,
        idempotent: identity.is_some(),
    };
    let idempotent = identity.is_some();
    let mut since = world.checker.ticket();
    if let Some(identity) = identity {
        since = identity.since;
        let next = identity.next_sequence.entry(target).or_insert(0);
        batch.producer(identity.id, identity.epoch, *next);
        *next += i32::try_from(count).expect("few records");
    }
    let mut values = Vec::new();
    let compacted = world.checker.promise(target.topic).compacted;
    for _ in 0..count {
        let value = world.checker.send(sent);
        let filler = match world.random.below(20) {
            0 => 20_000,
            _ => world.random.below(500),
        };
        let mut bytes = value.to_be_bytes().to_vec();
        bytes.resize(8 + filler, value as u8);
        let timestamp_ms = world.unix_ms();
        let key = if compacted { key_of(value) } else { value };
        batch.append(timestamp_ms, Some(&key.to_be_bytes()), Some(&bytes));
        values.push(value);
    }
    Pending {
        batch: batch.finish(),
        values,
        idempotent,
        since,
    }
}

async fn send(client: &mut Client, target: Target, batch: &Batch, acks: i16) -> Asked {
    let partition = PartitionProduceData {
        index: target.partition,
        records: Some(Records::from_parts(Vec::<Bytes>::from(batch.parts()))),
    };
    let topic = TopicProduceData {
        topic_id: target.topic,
        partition_data: vec![partition],
        ..Default::default()
    };
    let request = ProduceRequest {
        transactional_id: None,
        acks,
        timeout_ms: 3000,
        topic_data: vec![topic],
    };
    client.send(VERSION, &request).await
}

/// What an answer means for a batch.
enum Verdict {
    /// It is there; where, is known unless the broker forgot.
    Acked(Option<i64>),
    /// Try again.
    Retry,
    /// Its sequence does not follow what the broker has.
    OutOfOrder(ErrorCode),
}

fn judge(client: &Client, pending: &Pending, answer: &ProduceResponse) -> Verdict {
    let partition = answer
        .responses
        .first()
        .and_then(|topic| topic.partition_responses.first());
    let Some(partition) = partition else {
        client
            .shared()
            .borrow()
            .checker
            .fail("a Produce answer without the partition".to_owned());
        return Verdict::Retry;
    };
    if partition.error_code != ErrorCode::NONE {
        client.note(format_args!(
            "{:?} for {}",
            partition.error_code,
            pending.batch.header()
        ));
    }
    match partition.error_code {
        ErrorCode::NONE => Verdict::Acked(Some(partition.base_offset).filter(|offset| *offset >= 0)),
        ErrorCode::DUPLICATE_SEQUENCE_NUMBER => Verdict::Acked(None),
        code @ (ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER
        | ErrorCode::UNKNOWN_PRODUCER_ID
        | ErrorCode::INVALID_PRODUCER_EPOCH) => Verdict::OutOfOrder(code),
        ErrorCode::UNKNOWN_TOPIC_ID
        | ErrorCode::UNKNOWN_TOPIC_OR_PARTITION
        | ErrorCode::NOT_LEADER_OR_FOLLOWER
        | ErrorCode::LEADER_NOT_AVAILABLE
        | ErrorCode::KAFKA_STORAGE_ERROR
        | ErrorCode::NOT_ENOUGH_REPLICAS
        | ErrorCode::REQUEST_TIMED_OUT => Verdict::Retry,
        code => {
            client
                .shared()
                .borrow()
                .checker
                .fail(format!("a sound batch is answered with {code:?}"));
            Verdict::Retry
        }
    }
}

/// Sends batches in order until each is acknowledged; `false` when the rest had to be given up.
async fn see_through(client: &mut Client, target: Target, mut pending: Vec<Pending>) -> bool {
    for tries in 1..=60 {
        let ticket = client.shared().borrow().checker.ticket();
        let mut asked = Vec::new();
        for (index, pending) in pending.iter().enumerate() {
            asked.push((index, send(client, target, &pending.batch, -1).await));
            // A client whose timer fires too early sends the same again.
            if client.random(|random| random.chance(3)) {
                asked.push((index, send(client, target, &pending.batch, -1).await));
            }
        }
        let mut acked = vec![false; pending.len()];
        let mut refused = false;
        for (index, asked) in asked {
            let Ok(answer) = client.receive::<ProduceResponse>(&asked).await else {
                break;
            };
            match judge(client, &pending[index], &answer) {
                Verdict::Acked(base_offset) => {
                    acked[index] = true;
                    let mut world = client.shared().borrow();
                    if let Some(base_offset) = base_offset {
                        let values = &pending[index].values;
                        world
                            .checker
                            .acked(target.topic, target.partition, base_offset, values, ticket);
                        world.told_done();
                    }
                }
                // What comes after a batch that failed is out of order, and only for that.
                Verdict::OutOfOrder(code) if acked[..index].iter().all(|acked| *acked) => {
                    refused = true;
                    forgotten(client, target, &pending[index], code);
                }
                Verdict::OutOfOrder(_) | Verdict::Retry => {}
            }
        }
        let mut acked = acked.into_iter();
        pending.retain(|_| !acked.next().unwrap_or(false));
        if pending.is_empty() {
            return true;
        }
        if refused || tries % 5 == 0 && is_gone(client, target).await {
            break;
        }
        client.pause(0, 50 * tries).await;
    }
    client.note(format_args!("gives {} batches up", pending.len()));
    false
}

/// Every batch before this one was acknowledged, and the broker does not know of it.
fn forgotten(client: &Client, target: Target, pending: &Pending, code: ErrorCode) {
    let mut world = client.shared().borrow();
    if pending.idempotent && world.checker.holds(target.topic, pending.since) {
        let Target { topic, partition } = target;
        let header = pending.batch.header();
        world.checker.fail(format!(
            "{topic}-{partition}: {code:?} for the next batch of its producer: {header}"
        ));
    }
}

async fn is_gone(client: &mut Client, target: Target) -> bool {
    all_topics(client)
        .await
        .is_ok_and(|topics| topics.iter().all(|topic| topic.id != target.topic))
}
