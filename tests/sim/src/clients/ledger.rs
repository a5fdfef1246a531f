//! Transactional producers, clients of before and since KIP-890 in turn, and the readers that see what they commit.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use klamm_protocol::messages::add_partitions_to_txn::{
    AddPartitionsToTxnRequest, AddPartitionsToTxnResponse, AddPartitionsToTxnTopic,
};
use klamm_protocol::messages::create_topics::{
    CreatableTopic, CreatableTopicConfig, CreateTopicsRequest, CreateTopicsResponse,
};
use klamm_protocol::messages::end_txn::{EndTxnRequest, EndTxnResponse};
use klamm_protocol::messages::fetch::{
    FetchPartition, FetchRequest, FetchResponse, FetchTopic, PartitionData,
};
use klamm_protocol::messages::find_coordinator::{FindCoordinatorRequest, FindCoordinatorResponse};
use klamm_protocol::messages::init_producer_id::{InitProducerIdRequest, InitProducerIdResponse};
use klamm_protocol::messages::list_offsets::{
    ListOffsetsPartition, ListOffsetsRequest, ListOffsetsResponse, ListOffsetsTopic,
};
use klamm_protocol::messages::produce::{
    PartitionProduceData, ProduceRequest, ProduceResponse, TopicProduceData,
};
use klamm_protocol::record::{BatchBuilder, Batches, Compression, INFLATE_LIMIT_BYTES};
use klamm_protocol::{ErrorCode, Records, Str};

use super::{Client, Lost};
use crate::checker::{Entry, Fate};

/// The topic that transactions are written to; the other clients leave it alone.
pub const LEDGER: &str = "ledger";
const PARTITIONS: i32 = 3;

/// Something went wrong: the producer has to begin anew.
struct Anew;

impl From<Lost> for Anew {
    fn from(_: Lost) -> Anew {
        Anew
    }
}

/// A producer as the coordinator knows it.
struct Identity {
    id: i64,
    epoch: i16,
    /// Its transactions end with another epoch (KIP-890).
    bumps: bool,
    next_sequence: BTreeMap<i32, i32>,
}

/// Writes transactions under this id until the world is calm; in the end none is open.
pub async fn write(mut client: Client, name: &'static str) {
    create(&mut client).await;
    loop {
        if client.random(|random| random.chance(50)) {
            // A process that takes its time to come back: what it left open stays open meanwhile.
            client.pause(0, 2000).await;
        }
        let mut identity = begin(&mut client, name).await;
        if client.is_calm() {
            return;
        }
        for _ in 0..client.random(|random| random.between(1, 8)) {
            if transaction(&mut client, name, &mut identity).await.is_err() {
                break;
            }
            client.pause(0, 100).await;
        }
    }
}

async fn create(client: &mut Client) {
    let config = |name: &str, value: &str| CreatableTopicConfig {
        name: name.into(),
        value: Some(value.into()),
    };
    let request = CreateTopicsRequest {
        topics: vec![CreatableTopic {
            name: LEDGER.into(),
            num_partitions: PARTITIONS,
            replication_factor: 1,
            configs: vec![config("segment.ms", "2000"), config("segment.bytes", "1048576")],
            ..Default::default()
        }],
        timeout_ms: 3000,
        validate_only: false,
    };
    loop {
        let answer: Result<CreateTopicsResponse, Lost> = client.call(6, &request).await;
        let code = answer
            .ok()
            .and_then(|answer| Some(answer.topics.first()?.error_code));
        if matches!(code, Some(ErrorCode::NONE | ErrorCode::TOPIC_ALREADY_EXISTS)) {
            return;
        }
        client.pause(50, 500).await;
    }
}

/// Becomes the producer of the id: whatever the one before left open is aborted by that.
async fn begin(client: &mut Client, name: &'static str) -> Identity {
    loop {
        if let Ok(identity) = try_begin(client, name).await {
            return identity;
        }
        client.pause(20, 300).await;
    }
}

async fn try_begin(client: &mut Client, name: &'static str) -> Result<Identity, Anew> {
    let find = FindCoordinatorRequest {
        key: name.into(),
        key_type: 1,
        ..Default::default()
    };
    let found: FindCoordinatorResponse = client.call(3, &find).await?;
    if found.error_code != ErrorCode::NONE {
        return Err(Anew);
    }
    let request = InitProducerIdRequest {
        transactional_id: Some(name.into()),
        transaction_timeout_ms: 60_000,
        ..Default::default()
    };
    let answer: InitProducerIdResponse = client.call(4, &request).await?;
    match answer.error_code {
        ErrorCode::NONE => Ok(Identity {
            id: answer.producer_id,
            epoch: answer.producer_epoch,
            bumps: client.random(|random| random.chance(50)),
            next_sequence: BTreeMap::new(),
        }),
        ErrorCode::CONCURRENT_TRANSACTIONS
        | ErrorCode::COORDINATOR_LOAD_IN_PROGRESS
        | ErrorCode::COORDINATOR_NOT_AVAILABLE
        | ErrorCode::NOT_COORDINATOR => Err(Anew),
        code => {
            let broken = format!("{name}: InitProducerId is answered with {code:?}");
            client.shared().borrow().checker.fail(broken);
            Err(Anew)
        }
    }
}

async fn transaction(client: &mut Client, name: &'static str, identity: &mut Identity) -> Result<(), Anew> {
    let number = client.shared().borrow().checker.ledger.begin();
    let written = fill(client, name, identity, number).await;
    if written.is_err() {
        // Nobody will ever ask for its end.
        client
            .shared()
            .borrow()
            .checker
            .ledger
            .turned(number, Fate::Aborted);
        return Err(Anew);
    }
    let commit = client.random(|random| random.chance(60));
    let fate = if commit { Fate::Asked } else { Fate::Aborted };
    client.shared().borrow().checker.ledger.turned(number, fate);
    let request = EndTxnRequest {
        transactional_id: name.into(),
        producer_id: identity.id,
        producer_epoch: identity.epoch,
        committed: commit,
    };
    let version = if identity.bumps { 5 } else { 4 };
    for _ in 0..20 {
        let answer: EndTxnResponse = client.call(version, &request).await?;
        client.note(format_args!(
            "{name}: end of {number} ({commit}): {:?}",
            answer.error_code
        ));
        match answer.error_code {
            ErrorCode::NONE => {
                if commit {
                    client
                        .shared()
                        .borrow()
                        .checker
                        .ledger
                        .turned(number, Fate::Committed);
                }
                if identity.bumps {
                    (identity.id, identity.epoch) = (answer.producer_id, answer.producer_epoch);
                    identity.next_sequence.clear();
                }
                return Ok(());
            }
            ErrorCode::CONCURRENT_TRANSACTIONS
            | ErrorCode::COORDINATOR_LOAD_IN_PROGRESS
            | ErrorCode::NOT_COORDINATOR => client.pause(10, 200).await,
            // It took too long, by a clock that jumps, and was aborted.
            code if is_given_up(code) => {
                client
                    .shared()
                    .borrow()
                    .checker
                    .ledger
                    .turned(number, Fate::Aborted);
                return Err(Anew);
            }
            code => {
                let broken = format!("{name}: the end of {number} is answered with {code:?}");
                client.shared().borrow().checker.fail(broken);
                return Err(Anew);
            }
        }
    }
    Err(Anew)
}

/// Whether the coordinator has ended the transaction by itself.
fn is_given_up(code: ErrorCode) -> bool {
    matches!(
        code,
        ErrorCode::PRODUCER_FENCED
            | ErrorCode::INVALID_PRODUCER_EPOCH
            | ErrorCode::INVALID_TXN_STATE
            | ErrorCode::TRANSACTION_ABORTABLE
    )
}

/// Writes to some of the partitions, each record once.
async fn fill(
    client: &mut Client,
    name: &'static str,
    identity: &mut Identity,
    number: u64,
) -> Result<(), Anew> {
    let mut partitions = BTreeSet::new();
    for _ in 0..client.random(|random| random.between(1, 3)) {
        partitions.insert(client.random(|random| random.below(PARTITIONS as usize)) as i32);
    }
    if !identity.bumps {
        add(client, name, identity, &partitions).await?;
    }
    let mut places: BTreeMap<i32, u64> = BTreeMap::new();
    for _ in 0..client.random(|random| random.between(1, 3)) {
        for partition in &partitions {
            let count = client.random(|random| random.between(1, 4));
            let place = places.entry(*partition).or_default();
            let sequence = identity.next_sequence.entry(*partition).or_default();
            let mut batch = BatchBuilder::new(Compression::None);
            batch
                .producer(identity.id, identity.epoch, *sequence)
                .transactional();
            let now_ms = client.shared().borrow().unix_ms();
            for at in *place..*place + count {
                let value = [number.to_be_bytes(), at.to_be_bytes()].concat();
                batch.append(now_ms, None, Some(&value));
            }
            let request = ProduceRequest {
                transactional_id: Some(name.into()),
                acks: -1,
                timeout_ms: 3000,
                topic_data: vec![TopicProduceData {
                    name: LEDGER.into(),
                    partition_data: vec![PartitionProduceData {
                        index: *partition,
                        records: Some(Records::from_parts(Vec::<Bytes>::from(batch.finish().parts()))),
                    }],
                    ..Default::default()
                }],
            };
            produce(client, name, identity.bumps, &request).await?;
            client.pause(0, 30).await;
            *place += count;
            *sequence += count as i32;
            client
                .shared()
                .borrow()
                .checker
                .ledger
                .wrote(number, *partition, count);
        }
    }
    Ok(())
}

async fn add(
    client: &mut Client,
    name: &'static str,
    identity: &Identity,
    partitions: &BTreeSet<i32>,
) -> Result<(), Anew> {
    let request = AddPartitionsToTxnRequest {
        v3_and_below_transactional_id: name.into(),
        v3_and_below_producer_id: identity.id,
        v3_and_below_producer_epoch: identity.epoch,
        v3_and_below_topics: vec![AddPartitionsToTxnTopic {
            name: LEDGER.into(),
            partitions: partitions.iter().copied().collect(),
        }],
        ..Default::default()
    };
    for _ in 0..20 {
        let answer: AddPartitionsToTxnResponse = client.call(3, &request).await?;
        let topics = answer.results_by_topic_v3_and_below.iter();
        let codes = topics.flat_map(|topic| &topic.results_by_partition);
        let failed = codes
            .map(|partition| partition.partition_error_code)
            .find(|code| *code != ErrorCode::NONE);
        match failed {
            None => return Ok(()),
            Some(
                ErrorCode::CONCURRENT_TRANSACTIONS
                | ErrorCode::COORDINATOR_LOAD_IN_PROGRESS
                | ErrorCode::NOT_COORDINATOR,
            ) => client.pause(10, 200).await,
            Some(code) if is_given_up(code) => return Err(Anew),
            Some(code) => {
                let broken = format!("{name}: AddPartitionsToTxn is answered with {code:?}");
                client.shared().borrow().checker.fail(broken);
                return Err(Anew);
            }
        }
    }
    Err(Anew)
}

/// Sends a batch until it is acknowledged.
async fn produce(client: &mut Client, name: &str, bumps: bool, request: &ProduceRequest) -> Result<(), Anew> {
    let version = if bumps { 12 } else { 11 };
    for _ in 0..20 {
        let answer: ProduceResponse = client.call(version, request).await?;
        let code = answer
            .responses
            .first()
            .and_then(|topic| Some(topic.partition_responses.first()?.error_code));
        match code {
            Some(ErrorCode::NONE) => return Ok(()),
            Some(
                ErrorCode::CONCURRENT_TRANSACTIONS
                | ErrorCode::NOT_ENOUGH_REPLICAS
                | ErrorCode::NOT_LEADER_OR_FOLLOWER
                | ErrorCode::UNKNOWN_TOPIC_OR_PARTITION
                | ErrorCode::REQUEST_TIMED_OUT
                | ErrorCode::KAFKA_STORAGE_ERROR,
            ) => client.pause(10, 200).await,
            Some(code) if is_given_up(code) => return Err(Anew),
            code => {
                let broken = format!("{name}: a batch of a transaction is answered with {code:?}");
                client.shared().borrow().checker.fail(broken);
                return Err(Anew);
            }
        }
    }
    Err(Anew)
}

/// Reads what is committed until the world is calm, every partition again and again from where it likes.
pub async fn read(mut client: Client) {
    let mut positions: BTreeMap<i32, Position> = BTreeMap::new();
    while !client.is_calm() {
        if client.random(|random| random.chance(10)) {
            positions.clear();
        }
        if poll(&mut client, &mut positions).await.is_err() {
            client.pause(20, 200).await;
        }
        client.pause(0, 60).await;
    }
}

/// Reads everything when all transactions have ended, and has it checked.
pub async fn audit(client: &mut Client) {
    loop {
        let mut positions: BTreeMap<i32, Position> = BTreeMap::new();
        let Some(ends) = ends(client).await else {
            client.pause(50, 200).await;
            continue;
        };
        let mut tries = 0;
        let is_read = |positions: &BTreeMap<i32, Position>| {
            let at = |partition| {
                positions
                    .get(partition)
                    .map_or(0, |position: &Position| position.offset)
            };
            ends.iter().all(|(partition, end)| at(partition) >= *end)
        };
        while !is_read(&positions) && tries < 500 {
            tries += 1;
            if poll(client, &mut positions).await.is_err() {
                client.pause(20, 200).await;
            }
        }
        if is_read(&positions) {
            let read = positions
                .into_iter()
                .map(|(partition, position)| (partition, position.entries));
            let read = read.collect();
            let mut world = client.shared().borrow();
            if let Err(broken) = world.checker.ledger.audit(&read) {
                world.checker.fail(broken);
            }
            return;
        }
    }
}

/// The ends of the logs, markers included: no transaction is open then, so committed readers get there.
async fn ends(client: &mut Client) -> Option<BTreeMap<i32, i64>> {
    let request = ListOffsetsRequest {
        replica_id: -1,
        topics: vec![ListOffsetsTopic {
            name: LEDGER.into(),
            partitions: (0..PARTITIONS)
                .map(|partition_index| ListOffsetsPartition {
                    partition_index,
                    timestamp: -1,
                    ..Default::default()
                })
                .collect(),
        }],
        ..Default::default()
    };
    let answer: ListOffsetsResponse = client.call(7, &request).await.ok()?;
    let partitions = answer.topics.first()?.partitions.iter();
    partitions
        .map(|found| (found.error_code == ErrorCode::NONE).then_some((found.partition_index, found.offset)))
        .collect()
}

/// How far a reader is, and what it has been given since the beginning.
#[derive(Default)]
struct Position {
    offset: i64,
    entries: Vec<Entry>,
}

async fn poll(client: &mut Client, positions: &mut BTreeMap<i32, Position>) -> Result<(), Lost> {
    let max_bytes = client.random(|random| random.between(1, 3000)) as i32;
    let request = FetchRequest {
        session_epoch: -1,
        isolation_level: 1,
        max_wait_ms: 200,
        min_bytes: 1,
        max_bytes: 60_000,
        topics: vec![FetchTopic {
            topic: Str::from(LEDGER),
            partitions: (0..PARTITIONS)
                .map(|partition| FetchPartition {
                    partition,
                    fetch_offset: positions.entry(partition).or_default().offset,
                    partition_max_bytes: max_bytes,
                    ..Default::default()
                })
                .collect(),
            ..Default::default()
        }],
        ..Default::default()
    };
    let answer: FetchResponse = client.call(12, &request).await?;
    for data in answer.responses.iter().flat_map(|topic| &topic.partitions) {
        if data.error_code == ErrorCode::NONE {
            let position = positions.entry(data.partition_index).or_default();
            take(client, data, position);
        }
    }
    Ok(())
}

/// Leaves out what was aborted, as every client does (KIP-98).
fn take(client: &Client, data: &PartitionData, position: &mut Position) {
    let mut world = client.shared().borrow();
    let mut aborted: Vec<_> = data.aborted_transactions.iter().flatten().collect();
    let mut leaving_out = BTreeSet::new();
    for batch in Batches::new(data.records.clone().unwrap_or_default().to_bytes()) {
        let Ok(batch) = batch else { break };
        let header = *batch.header();
        aborted.retain(|transaction| {
            let begins = transaction.first_offset <= header.last_offset();
            if begins {
                leaving_out.insert(transaction.producer_id);
            }
            !begins
        });
        if header.is_control() {
            leaving_out.remove(&header.producer_id);
        } else if !leaving_out.contains(&header.producer_id) {
            let records = batch.records(INFLATE_LIMIT_BYTES).into_iter().flatten().flatten();
            for record in records {
                let offset = header.base_offset + i64::from(record.offset_delta);
                let value = record.value.unwrap_or_default();
                let (Some(number), Some(place)) = (value.first_chunk(), value.last_chunk()) else {
                    return world.checker.fail(format!("ledger offset {offset} has no value"));
                };
                let entry = (u64::from_be_bytes(*number), u64::from_be_bytes(*place));
                if offset < position.offset {
                    continue;
                }
                if let Err(broken) = world.checker.ledger.read(data.partition_index, offset, entry) {
                    return world.checker.fail(broken);
                }
                position.entries.push(entry);
            }
        }
        position.offset = position.offset.max(header.last_offset() + 1);
    }
}
