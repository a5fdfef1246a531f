//! A consumer by assignment: reads every partition from where it stopped, and at times from anywhere again.

use std::collections::BTreeMap;
use std::ops::Range;

use klamm_protocol::messages::fetch::{
    FetchPartition, FetchRequest, FetchResponse, FetchTopic, PartitionData,
};
use klamm_protocol::record::{BatchError, Batches, INFLATE_LIMIT_BYTES};
use klamm_protocol::{ErrorCode, Uuid};

use super::topics::{EARLIEST, TopicInfo, all_topics, find_offset};
use super::{Client, Lost};
use crate::checker::{LeastStart, Ticket};

/// Where a reader is, by partition.
pub type Positions = BTreeMap<(Uuid, i32), Position>;

/// The offset that a reader wants next, and since when it knows that there are records before it.
#[derive(Clone, Debug)]
pub struct Position {
    /// The offset.
    pub offset: i64,
    since: Ticket,
    /// The offset is out of range, says the broker to somebody who knew so much of the log's beginning.
    lost: Option<LeastStart>,
    /// What was passed over since the beginning, where a topic is compacted.
    pub skipped: Vec<Range<i64>>,
}

impl Position {
    fn new(offset: i64, since: Ticket) -> Position {
        Position {
            offset,
            since,
            lost: None,
            skipped: Vec::new(),
        }
    }

    /// There is nothing before `offset` any more.
    fn pass_to(&mut self, offset: i64, since: Ticket) {
        if offset > self.offset {
            self.skipped.push(self.offset..offset);
        }
        self.offset = offset;
        self.since = since;
    }
}

/// Reads until the world is calm.
pub async fn run(mut client: Client) {
    let mut positions = Positions::new();
    while !client.is_calm() {
        let Ok(topics) = all_topics(&mut client).await else {
            continue;
        };
        for _ in 0..client.random(|random| random.between(1, 20)) {
            if client.random(|random| random.chance(3)) {
                wander(&client, &mut positions);
            }
            if poll(&mut client, &topics, &mut positions).await.is_err() {
                break;
            }
            client.pause(0, 40).await;
        }
    }
}

/// Goes back to any offset before where it is.
fn wander(client: &Client, positions: &mut Positions) {
    for position in positions.values_mut() {
        let furthest = position.offset.unsigned_abs();
        position.offset = client.random(|random| random.between(0, furthest)).cast_signed();
        position.skipped.clear();
    }
}

/// Looks for the beginning of the logs that begin behind a reader.
async fn find_beginnings(
    client: &mut Client,
    topics: &[TopicInfo],
    positions: &mut Positions,
) -> Result<(), Lost> {
    for topic in topics {
        for partition in 0..topic.partitions {
            let Some(position) = positions.get_mut(&(topic.id, partition)) else {
                continue;
            };
            let Some(least) = position.lost else { continue };
            let ticket = client.shared().borrow().checker.ticket();
            if let Some(start) = find_offset(client, topic, partition, EARLIEST).await? {
                let mut world = client.shared().borrow();
                world.checker.starts_at(topic.id, partition, start, least);
                if start <= position.offset {
                    world
                        .checker
                        .out_of_range(topic.id, partition, position.offset, position.since, least);
                }
                *position = Position::new(start, ticket);
            }
        }
    }
    Ok(())
}

/// One Fetch over all partitions; tells the checker everything that comes.
pub async fn poll(client: &mut Client, topics: &[TopicInfo], positions: &mut Positions) -> Result<(), Lost> {
    let ticket = client.shared().borrow().checker.ticket();
    let mut known = BTreeMap::new();
    let mut request = FetchRequest {
        session_epoch: -1,
        ..Default::default()
    };
    let version = client.random(|random| {
        request.max_wait_ms = random.between(0, 300) as i32;
        request.min_bytes = random.between(0, 2000) as i32;
        request.max_bytes = random.between(1, 60_000) as i32;
        random.between(13, 18) as i16
    });
    for topic in topics {
        let mut partitions = Vec::new();
        for partition in 0..topic.partitions {
            let key = (topic.id, partition);
            let world = client.shared().borrow();
            let asked = Asked {
                acked_end: world.checker.acked_end(topic.id, partition),
                least_start: world.checker.least_start(topic.id, partition),
                ticket,
            };
            drop(world);
            known.insert(key, asked);
            partitions.push(FetchPartition {
                partition,
                fetch_offset: positions
                    .entry(key)
                    .or_insert_with(|| Position::new(0, ticket))
                    .offset,
                partition_max_bytes: client.random(|random| random.between(1, 20_000)) as i32,
                ..Default::default()
            });
        }
        request.topics.push(FetchTopic {
            topic_id: topic.id,
            partitions,
            ..Default::default()
        });
    }
    let answer: FetchResponse = client.call(version, &request).await?;
    for topic in &answer.responses {
        for partition in &topic.partitions {
            let key = (topic.topic_id, partition.partition_index);
            let Some((position, asked)) = positions.get_mut(&key).zip(known.get(&key)) else {
                client
                    .shared()
                    .borrow()
                    .checker
                    .fail(format!("{key:?} was not asked for"));
                continue;
            };
            take(client, topic.topic_id, partition, position, asked);
        }
    }
    find_beginnings(client, topics, positions).await
}

/// What was known of a partition when it was asked for.
struct Asked {
    acked_end: i64,
    least_start: LeastStart,
    ticket: Ticket,
}

fn take(client: &Client, topic: Uuid, answer: &PartitionData, position: &mut Position, asked: &Asked) {
    let ticket = asked.ticket;
    let index = answer.partition_index;
    let mut world = client.shared().borrow();
    match answer.error_code {
        ErrorCode::NONE => position.lost = None,
        ErrorCode::OFFSET_OUT_OF_RANGE => {
            position.lost = Some(asked.least_start);
            return;
        }
        ErrorCode::UNKNOWN_TOPIC_ID
        | ErrorCode::UNKNOWN_TOPIC_OR_PARTITION
        | ErrorCode::NOT_LEADER_OR_FOLLOWER
        | ErrorCode::LEADER_NOT_AVAILABLE
        | ErrorCode::KAFKA_STORAGE_ERROR => return,
        code => {
            return world
                .checker
                .fail(format!("a sound fetch is answered with {code:?}"));
        }
    }
    world
        .checker
        .high_watermark(topic, index, answer.high_watermark, asked.acked_end, ticket);
    let bytes = answer
        .records
        .as_ref()
        .map(klamm_protocol::Records::to_bytes)
        .unwrap_or_default();
    for batch in Batches::new(bytes) {
        let batch = match batch {
            Ok(batch) => batch,
            Err(BatchError::Truncated { .. }) => break,
            Err(error) => {
                return world
                    .checker
                    .fail(format!("{topic}-{index}: {error} in a fetched batch"));
            }
        };
        let header = *batch.header();
        if header.last_offset() >= answer.high_watermark {
            let beyond = header.last_offset();
            let high_watermark = answer.high_watermark;
            world.checker.fail(format!(
                "{topic}-{index}: offset {beyond} beyond high watermark {high_watermark}"
            ));
        }
        let records = batch
            .records(INFLATE_LIMIT_BYTES)
            .and_then(Iterator::collect::<Result<Vec<_>, _>>);
        let records = match records {
            Ok(records) => records,
            Err(error) => {
                return world
                    .checker
                    .fail(format!("{topic}-{index}: {error} in a fetched batch"));
            }
        };
        for record in records {
            let offset = header.base_offset + i64::from(record.offset_delta);
            if offset < position.offset {
                continue;
            }
            world.checker.polled(topic, index, position.offset, offset);
            position.pass_to(offset, ticket);
            position.offset += 1;
            let value = record
                .value
                .as_ref()
                .and_then(|value| value.first_chunk())
                .map(|b| u64::from_be_bytes(*b));
            match value {
                Some(value) => world.checker.read(topic, index, offset, value, ticket),
                None => world
                    .checker
                    .fail(format!("{topic}-{index} offset {offset} has no value")),
            }
        }
        let next = header.last_offset() + 1;
        if next > position.offset {
            world.checker.polled(topic, index, position.offset, next);
            position.pass_to(next, ticket);
        }
    }
}
