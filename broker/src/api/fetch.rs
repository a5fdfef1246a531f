//! Fetch (key 1): reads record batches, waiting for them if there are too few.
//!
//! A request is read through once when it comes. If that gives `min_bytes`, an error, or nothing may be waited
//! for, it is answered; else it is parked until enough bytes have come in, its time is over, or one of its
//! partitions goes away, and then read through a second time and answered with whatever is there.
//! What is not in memory is read by a job on a blocking thread; the answer waits for it. For clients from before
//! record batches another job makes message sets of what was read.

use klamm_protocol::messages::fetch::{
    self, EpochEndOffset, FetchRequest, FetchResponse, FetchableTopicResponse, LeaderIdAndEpoch,
    PartitionData,
};
use klamm_protocol::{ErrorCode, Records, Str, Uuid, ids::TopicId};
use klamm_storage::{AbortedJob, AbortedTransaction, Extents, LogKey, Read, ReadJob};

use crate::LaneId;
use crate::api::Caller;
use crate::api::old_fetch::OldRead;
use crate::config::TopicCompression;
use crate::fetch_session::{Asked, Context, Told, TopicRef, Wanted};
use crate::job::{ConvertDone, FindAborted, Job, ReadFailure};
use crate::node::Node;
use crate::old_clients::Conversion;
use crate::partition::Partition;
use crate::replicas::OPEN_TIMEOUT_MS;
use crate::waiting::Patience;

/// From this version on, topics are named by id (KIP-516).
const TOPIC_IDS_SINCE: i16 = 13;
/// From this version on, there are record batches; before it, message sets.
const BATCHES_SINCE: i16 = 4;
/// From this version on, clients know zstd (KIP-110).
const ZSTD_SINCE: i16 = 10;
/// From this version on, whoever asks the wrong broker is told the right one (KIP-951).
const HINTS_SINCE: i16 = 12;

const READ_COMMITTED: i8 = 1;

/// A Fetch on its way.
pub(crate) struct FetchCall {
    caller: Caller,
    context: Context,
    wanted: Vec<Wanted>,
    min_bytes: u64,
    max_bytes: usize,
    read_committed: bool,
    deadline_ms: u64,
    /// It waited already (or may not): the next reading is the answer.
    last: bool,
}

/// What the answer says about one partition.
struct Outcome {
    key: Option<LogKey>,
    error: ErrorCode,
    high_watermark: i64,
    last_stable_offset: i64,
    log_start_offset: i64,
    diverging: Option<(i32, i64)>,
    records: Records,
    /// The offset behind the records.
    next_offset: i64,
    /// Finds the aborted transactions among them.
    aborted_job: Option<AbortedJob>,
    aborted: Vec<AbortedTransaction>,
}

/// Handles a request.
pub(crate) fn handle(node: &mut Node, caller: Caller, request: FetchRequest) {
    let by_ids = caller.version >= TOPIC_IDS_SINCE;
    let asked = ask(&request, by_ids);
    let candidate = node.random.next() as u32;
    let now_ms = node.now.elapsed_ms;
    let (id, epoch) = (request.session_id, request.session_epoch);
    let (context, wanted) = match node.sessions.open(id, epoch, asked, candidate, now_ms) {
        Ok(opened) => opened,
        Err(error_code) => {
            node.answer(
                &caller,
                FetchResponse {
                    error_code,
                    ..FetchResponse::default()
                },
            );
            return;
        }
    };
    let max_wait_ms = u64::try_from(request.max_wait_ms).unwrap_or(0);
    let max_bytes = usize::try_from(request.max_bytes)
        .unwrap_or(0)
        .min(node.config.fetch_max_bytes);
    let call = FetchCall {
        caller,
        context,
        min_bytes: u64::try_from(request.min_bytes)
            .unwrap_or(0)
            .min(max_bytes as u64),
        max_bytes,
        read_committed: request.isolation_level == READ_COMMITTED,
        deadline_ms: now_ms.saturating_add(max_wait_ms),
        last: max_wait_ms == 0 || wanted.is_empty(),
        wanted,
    };
    let keys: Vec<LogKey> = call
        .wanted
        .iter()
        .filter_map(|wanted| key_of(node, wanted).ok())
        .collect();
    node.when_open(keys, max_wait_ms.max(OPEN_TIMEOUT_MS), move |node| {
        read(node, call)
    });
}

fn ask(request: &FetchRequest, by_ids: bool) -> Asked {
    let topic_ref = |name: &Str, id: Uuid| match by_ids {
        true => TopicRef::Id(TopicId(id)),
        false => TopicRef::Name(name.clone()),
    };
    let wanted = request.topics.iter().flat_map(|topic| {
        topic.partitions.iter().map(move |partition| Wanted {
            topic: topic_ref(&topic.topic, topic.topic_id),
            partition: partition.partition,
            offset: partition.fetch_offset,
            max_bytes: partition.partition_max_bytes,
            // Other than elsewhere, any below 0 is none.
            leader_epoch: partition.current_leader_epoch.max(-1),
            last_fetched_epoch: partition.last_fetched_epoch,
        })
    });
    let forgotten = request.forgotten_topics_data.iter().flat_map(|topic| {
        topic
            .partitions
            .iter()
            .map(move |partition| (topic_ref(&topic.topic, topic.topic_id), *partition))
    });
    Asked {
        wanted: wanted.collect(),
        forgotten: forgotten.collect(),
        by_ids,
    }
}

/// The request waits no longer: enough bytes came in, its time is over, or a partition went away.
pub(crate) fn resume(node: &mut Node, mut call: FetchCall) {
    call.last = true;
    read(node, call);
}

/// Reads all partitions through. What lies on the disk becomes a job; all else is decided at once.
fn read(node: &mut Node, call: FetchCall) {
    let mut outcomes = Vec::with_capacity(call.wanted.len());
    let mut budget = call.max_bytes;
    let mut any = false;
    let mut places = Vec::new();
    let mut jobs: Vec<ReadJob> = Vec::new();
    let mut lane = LaneId::METADATA;
    for wanted in &call.wanted {
        let limit = budget.min(usize::try_from(wanted.max_bytes).unwrap_or(0));
        let mut outcome = Outcome::failed(None, ErrorCode::NONE);
        match look_up(node, wanted) {
            Err(code) => outcome.error = code,
            Ok((key, partition)) => match begin(partition, key, wanted, &call, limit, !any) {
                Err(code) => outcome = Outcome::failed(Some(key), code),
                Ok((begun, read)) => {
                    outcome = begun;
                    match read {
                        None => {}
                        Some(Read::Ready(extents)) => {
                            any |= !extents.records.is_empty();
                            budget = budget.saturating_sub(extents.records.len());
                            outcome.take(extents);
                        }
                        Some(Read::Job(job)) => {
                            any = true;
                            budget = budget.saturating_sub(limit);
                            lane = partition.lane;
                            places.push(outcomes.len());
                            let converted = call.caller.version < BATCHES_SINCE;
                            jobs.push(if converted { job.copied() } else { job });
                        }
                    }
                }
            },
        }
        outcomes.push(outcome);
    }
    if jobs.is_empty() {
        return conclude(node, call, outcomes);
    }
    let id = node.next_job_id();
    let then = move |node: &mut Node, results| on_read(node, call, outcomes, &places, results);
    node.reads.insert(id, Box::new(then));
    node.push_job(Job::read(id, lane, jobs));
}

/// A job has read what was not in memory: `results` of the outcomes at `places`.
fn on_read(
    node: &mut Node,
    call: FetchCall,
    mut outcomes: Vec<Outcome>,
    places: &[usize],
    results: Vec<Result<Extents, ReadFailure>>,
) {
    for (&place, result) in places.iter().zip(results) {
        let outcome = &mut outcomes[place];
        match result {
            Ok(extents) => outcome.take(extents),
            // The log has changed meanwhile. No records are no lie, and the client asks again.
            Err(ReadFailure::Gone) => {}
            Err(ReadFailure::Disk) => {
                *outcome = Outcome::failed(outcome.key, ErrorCode::KAFKA_STORAGE_ERROR);
            }
        }
    }
    // What came in while the disk was read was credited to nobody.
    let stale = outcomes.iter().any(|outcome| {
        outcome.key.is_some_and(|key| {
            node.partitions
                .online(&key)
                .map_or(true, |now| now.high_watermark() != outcome.high_watermark)
        })
    });
    if stale && !call.last && is_short(&call, &outcomes) {
        return read(node, call);
    }
    conclude(node, call, outcomes);
}

fn key_of(node: &Node, wanted: &Wanted) -> Result<LogKey, ErrorCode> {
    let topic_id = match &wanted.topic {
        TopicRef::Id(id) => {
            node.cluster
                .topic_by_id(*id)
                .ok_or(ErrorCode::UNKNOWN_TOPIC_ID)?
                .id
        }
        TopicRef::Name(name) => {
            node.cluster
                .topic_by_name(name)
                .ok_or(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)?
                .id
        }
    };
    Ok(LogKey {
        topic_id,
        partition: wanted.partition,
    })
}

fn look_up<'a>(node: &'a Node, wanted: &Wanted) -> Result<(LogKey, &'a Partition), ErrorCode> {
    let key = key_of(node, wanted)?;
    let partition = node.partitions.get_online(&key).map_err(|absent| absent.code())?;
    Ok((key, partition))
}

/// Checks one partition and begins to read it.
fn begin(
    partition: &Partition,
    key: LogKey,
    wanted: &Wanted,
    call: &FetchCall,
    limit: usize,
    at_least_one: bool,
) -> Result<(Outcome, Option<Read>), ErrorCode> {
    partition.check_epoch(wanted.leader_epoch)?;
    if call.caller.version < ZSTD_SINCE && partition.config.compression == TopicCompression::Zstd {
        return Err(ErrorCode::UNSUPPORTED_COMPRESSION_TYPE);
    }
    let mut outcome = Outcome {
        key: Some(key),
        error: ErrorCode::NONE,
        high_watermark: partition.high_watermark(),
        last_stable_offset: partition.last_stable_offset(),
        log_start_offset: partition.log.log_start_offset(),
        aborted_job: None,
        ..Outcome::failed(None, ErrorCode::NONE)
    };
    if wanted.last_fetched_epoch >= 0 {
        let (epoch, end_offset) = partition
            .log
            .end_offset_for_epoch(wanted.last_fetched_epoch)
            .ok_or(ErrorCode::OFFSET_OUT_OF_RANGE)?;
        if epoch < wanted.last_fetched_epoch || end_offset < wanted.offset {
            outcome.diverging = Some((epoch, end_offset));
            return Ok((outcome, None));
        }
    }
    let bound = if call.read_committed {
        partition.last_stable_offset()
    } else {
        partition.high_watermark()
    };
    let read = partition.read(wanted.offset, bound, limit, at_least_one)?;
    if call.read_committed {
        let job = partition.log.aborted_transactions(wanted.offset, bound);
        // Made along with the read: what is deleted meanwhile is missed by the job, and not passed over.
        outcome.aborted_job = job.ok().filter(|job| !job.is_empty());
    }
    Ok((outcome, Some(read)))
}

fn is_short(call: &FetchCall, outcomes: &[Outcome]) -> bool {
    let bytes: usize = outcomes.iter().map(|outcome| outcome.records.len()).sum();
    (bytes as u64) < call.min_bytes
        && outcomes
            .iter()
            .all(|outcome| outcome.error == ErrorCode::NONE && outcome.diverging.is_none())
}

/// Answers, or parks the request if there is too little and time left.
fn conclude(node: &mut Node, call: FetchCall, outcomes: Vec<Outcome>) {
    if call.last || node.now.elapsed_ms >= call.deadline_ms || !is_short(&call, &outcomes) {
        return answer(node, call, outcomes);
    }
    let bytes: usize = outcomes.iter().map(|outcome| outcome.records.len()).sum();
    let keys = outcomes.iter().filter_map(|outcome| outcome.key).collect();
    let patience = Patience {
        deadline_ms: Some(call.deadline_ms),
        connection: Some(call.caller.id.connection),
    };
    let missing = call.min_bytes - bytes as u64;
    let stable = call.read_committed;
    node.fetches.park(call, keys, missing, stable, patience);
}

/// Answers, once it is known what a reader of committed records has to leave out.
fn answer(node: &mut Node, call: FetchCall, mut outcomes: Vec<Outcome>) {
    let (mut jobs, mut places) = (Vec::new(), Vec::new());
    let mut lane = LaneId::METADATA;
    for (place, outcome) in outcomes.iter_mut().enumerate() {
        let job = outcome.aborted_job.take();
        if let Some(job) = job.filter(|_| !outcome.records.is_empty()) {
            let partition = outcome.key.and_then(|key| node.partitions.get_online(&key).ok());
            lane = partition.map_or(lane, |partition| partition.lane);
            jobs.push(job);
            places.push(place);
        }
    }
    if jobs.is_empty() {
        return answer_now(node, call, outcomes);
    }
    let id = node.next_job_id();
    node.aborted.insert(
        id,
        Box::new(move |node, results| {
            for (place, result) in places.into_iter().zip(results) {
                let outcome = &mut outcomes[place];
                match result {
                    Ok(found) => {
                        let next_offset = outcome.next_offset;
                        let within = found
                            .into_iter()
                            .filter(|aborted| aborted.first_offset < next_offset);
                        outcome.aborted = within.collect();
                    }
                    // The log has changed meanwhile: the client asks again.
                    Err(ReadFailure::Gone) => outcome.records = Records::default(),
                    Err(ReadFailure::Disk) => {
                        *outcome = Outcome::failed(outcome.key, ErrorCode::KAFKA_STORAGE_ERROR);
                    }
                }
            }
            answer_now(node, call, outcomes);
        }),
    );
    node.push_job(Job::FindAborted(FindAborted { id, lane, jobs }));
}

/// Answers, once old consumers have what they can read.
fn answer_now(node: &mut Node, call: FetchCall, mut outcomes: Vec<Outcome>) {
    let is_old = call.caller.version < BATCHES_SINCE;
    if !is_old || outcomes.iter().all(|outcome| outcome.records.is_empty()) {
        return deliver(node, call, outcomes);
    }
    let partitions = outcomes.iter_mut().zip(&call.wanted);
    let read = OldRead {
        version: call.caller.version,
        partitions: partitions
            .map(|(outcome, wanted)| (std::mem::take(&mut outcome.records), wanted.offset))
            .collect(),
        most_bytes: call.max_bytes,
    };
    let id = node.next_job_id();
    let then = move |node: &mut Node, done| on_converted(node, call, outcomes, done);
    node.conversions.insert(id, Box::new(then));
    node.push_job(Job::convert(id, read));
}

/// A job has made message sets of what was read.
fn on_converted(node: &mut Node, mut call: FetchCall, mut outcomes: Vec<Outcome>, done: ConvertDone) {
    let mut price = Conversion {
        us: done.took_us(),
        ..Conversion::default()
    };
    let mut skipped = false;
    for ((outcome, wanted), converted) in outcomes.iter_mut().zip(&mut call.wanted).zip(done.results) {
        price.add(converted.price);
        match converted.result {
            Ok(records) => {
                if records.is_empty() && converted.next_offset > wanted.offset {
                    wanted.offset = converted.next_offset;
                    skipped = true;
                }
                outcome.records = records;
            }
            Err(code) => *outcome = Outcome::failed(outcome.key, code),
        }
    }
    if let Some(used) = &call.caller.old_use {
        node.old_clients.converted(used, price);
    }
    let nothing = |outcome: &Outcome| outcome.records.is_empty() && outcome.error == ErrorCode::NONE;
    if skipped && outcomes.iter().all(nothing) {
        // Only what such a client is not shown (the ends of transactions): it would ask for the same again, for ever.
        return read(node, call);
    }
    deliver(node, call, outcomes);
}

fn deliver(node: &mut Node, call: FetchCall, outcomes: Vec<Outcome>) {
    let told: Vec<(TopicRef, i32, Told)> = call
        .wanted
        .iter()
        .zip(&outcomes)
        .map(|(wanted, outcome)| (wanted.topic.clone(), wanted.partition, outcome.told()))
        .collect();
    let named = match node.sessions.select(call.context, &told) {
        Ok(named) => named,
        Err(error_code) => {
            node.answer(
                &call.caller,
                FetchResponse {
                    error_code,
                    ..FetchResponse::default()
                },
            );
            return;
        }
    };
    let session_id = match call.context {
        Context::Sessionless => 0,
        Context::Begun(session) | Context::Incremental { session, .. } => session,
    };
    let mut response = FetchResponse {
        session_id,
        ..FetchResponse::default()
    };
    let mut last: Option<&TopicRef> = None;
    for ((wanted, outcome), _) in call
        .wanted
        .iter()
        .zip(outcomes)
        .zip(named)
        .filter(|(_, named)| *named)
    {
        if last != Some(&wanted.topic) {
            let mut topic = FetchableTopicResponse::default();
            match &wanted.topic {
                TopicRef::Name(name) => topic.topic = name.clone(),
                TopicRef::Id(id) => topic.topic_id = id.0,
            }
            response.responses.push(topic);
            last = Some(&wanted.topic);
        }
        let data = outcome.into_data(node, wanted.partition, &call);
        response
            .responses
            .last_mut()
            .expect("a topic was just named")
            .partitions
            .push(data);
    }
    node.answer(&call.caller, response);
}

impl Outcome {
    fn failed(key: Option<LogKey>, error: ErrorCode) -> Outcome {
        Outcome {
            key,
            error,
            high_watermark: -1,
            last_stable_offset: -1,
            log_start_offset: -1,
            diverging: None,
            records: Records::default(),
            next_offset: -1,
            aborted_job: None,
            aborted: Vec::new(),
        }
    }

    fn take(&mut self, extents: Extents) {
        self.next_offset = extents.next_offset;
        self.records = extents.records;
    }

    fn told(&self) -> Told {
        Told {
            error: self.error,
            has_records: !self.records.is_empty(),
            diverges: self.diverging.is_some(),
            high_watermark: self.high_watermark,
            log_start_offset: self.log_start_offset,
        }
    }

    fn into_data(self, node: &Node, partition: i32, call: &FetchCall) -> PartitionData {
        let aborted = self.aborted.iter().map(|aborted| fetch::AbortedTransaction {
            producer_id: aborted.producer_id,
            first_offset: aborted.first_offset,
        });
        let aborted = aborted.collect();
        let mut data = PartitionData {
            partition_index: partition,
            error_code: self.error,
            high_watermark: self.high_watermark,
            last_stable_offset: self.last_stable_offset,
            log_start_offset: self.log_start_offset,
            // Null says that nobody asked; an empty list that nothing below the bound was aborted.
            aborted_transactions: call.read_committed.then_some(aborted),
            preferred_read_replica: -1,
            // Never null, also with an error: librdkafka takes null for a broken answer.
            records: Some(self.records),
            ..PartitionData::default()
        };
        if let Some((epoch, end_offset)) = self.diverging {
            data.diverging_epoch = EpochEndOffset { epoch, end_offset };
        }
        let fenced = [ErrorCode::NOT_LEADER_OR_FOLLOWER, ErrorCode::FENCED_LEADER_EPOCH];
        if let Some(key) = self.key
            && call.caller.version >= HINTS_SINCE
            && fenced.contains(&self.error)
            && let Some((leader, leader_epoch)) = node.cluster.leader_of(key.topic_id, key.partition)
        {
            data.current_leader = LeaderIdAndEpoch {
                leader_id: leader.0,
                leader_epoch,
            };
        }
        data
    }
}
