//! The task of a producer: carries batches to the brokers and tells what came of them.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use klamm_protocol::messages::init_producer_id::InitProducerIdRequest;
use klamm_protocol::messages::produce::{
    PartitionProduceData, PartitionProduceResponse, ProduceRequest, TopicProduceData,
};
use klamm_protocol::record::Batch;
use klamm_protocol::{ErrorCode, Records};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use super::batches::{Batches, Identity, Limits, Outcome, Place, Told};
use super::{Command, Waiting};
use crate::{Cluster, Error};

/// Batches of this many bytes go into one request, and at least one.
const REQUEST_BYTES_MAX: usize = 8 << 20;

/// Commands taken in one turn.
const COMMANDS_MAX: usize = 256;

/// What goes to one broker.
#[derive(Default)]
struct Request {
    bytes: usize,
    batches: Vec<(Place, Batch)>,
}

enum Finished {
    /// Which broker is free again, and what came of the batches sent to it.
    Sent(Option<i32>, Vec<(Place, Outcome)>),
    Identity(Result<Identity, Error>),
}

struct Delivering {
    cluster: Cluster,
    began: Instant,
    batches: Batches<Waiting>,
    jobs: JoinSet<Finished>,
    /// Brokers that have not answered yet; each gets one request at a time, which meanwhile fills up the next.
    busy: BTreeSet<Option<i32>>,
    asking: bool,
    /// After a refusal, not before then.
    ask_after: Duration,
    flushing: Vec<oneshot::Sender<()>>,
}

/// Runs until the producer is dropped.
pub(super) async fn run(cluster: Cluster, limits: Limits, mut commands: mpsc::Receiver<Command>) {
    let mut delivering = Delivering {
        cluster,
        began: Instant::now(),
        batches: Batches::new(limits),
        jobs: JoinSet::new(),
        busy: BTreeSet::new(),
        asking: false,
        ask_after: Duration::ZERO,
        flushing: Vec::new(),
    };
    let mut received = Vec::new();
    loop {
        delivering.send();
        let wake = delivering.wake();
        tokio::select! {
            count = commands.recv_many(&mut received, COMMANDS_MAX) => {
                if count == 0 {
                    return;
                }
                received.drain(..).for_each(|command| delivering.take(command));
            }
            Some(finished) = delivering.jobs.join_next() => match finished {
                Ok(finished) => delivering.finish(finished),
                Err(error) => std::panic::resume_unwind(error.into_panic()),
            },
            () = sleep_until(wake.unwrap_or_else(Instant::now)), if wake.is_some() => {}
        }
    }
}

impl Delivering {
    fn now(&self) -> Duration {
        self.began.elapsed()
    }

    fn take(&mut self, command: Command) {
        let now = self.now();
        match command {
            Command::Add(place, record, unix_ms, waiting) => {
                self.batches.add(place, &record, unix_ms, waiting, now)
            }
            Command::Flush(done) => self.flushing.push(done),
        }
    }

    /// When something is to be done that no command and no answer brings.
    fn wake(&self) -> Option<Instant> {
        let due = self.batches.next_due(!self.flushing.is_empty())?;
        // Due already, but a broker is busy or the identity is asked for: an answer brings us back.
        let now = self.now();
        let due = if due > now { due } else { self.ask_after.max(now) };
        (due > now).then(|| self.began + due)
    }

    fn send(&mut self) {
        if self.batches.is_empty() {
            for done in self.flushing.drain(..) {
                // Who no longer listens needs no answer.
                let _ = done.send(());
            }
            return;
        }
        let ready = self.batches.ready(self.now(), !self.flushing.is_empty());
        if ready.is_empty() {
            return;
        }
        if self.batches.needs_identity() {
            self.ask_for_identity();
        }
        let picture = self.cluster.picture();
        let mut requests: BTreeMap<Option<i32>, Request> = BTreeMap::new();
        for place in ready {
            let leader = picture.leader(&place.0, place.1);
            let request = requests.entry(leader).or_default();
            if self.busy.contains(&leader) || request.bytes >= REQUEST_BYTES_MAX {
                continue;
            }
            if let Some(batch) = self.batches.take(&place) {
                request.bytes += batch.size();
                request.batches.push((place, batch));
            }
        }
        for (leader, Request { batches, .. }) in requests {
            if batches.is_empty() {
                continue;
            }
            self.busy.insert(leader);
            let cluster = self.cluster.clone();
            self.jobs
                .spawn(async move { Finished::Sent(leader, produce(&cluster, leader, batches).await) });
        }
    }

    fn ask_for_identity(&mut self) {
        if self.asking || self.ask_after > self.now() {
            return;
        }
        self.asking = true;
        let cluster = self.cluster.clone();
        self.jobs
            .spawn(async move { Finished::Identity(identity(&cluster).await) });
    }

    fn finish(&mut self, finished: Finished) {
        let now = self.now();
        match finished {
            Finished::Identity(Ok(identity)) => {
                self.asking = false;
                self.batches.identify(identity);
            }
            Finished::Identity(Err(error)) => {
                self.asking = false;
                self.ask_after = now + Duration::from_millis(100);
                let told = self.batches.expire(&error, now);
                tell(told);
            }
            Finished::Sent(broker, outcomes) => {
                self.busy.remove(&broker);
                for (place, outcome) in outcomes {
                    tell(self.batches.done(&place, outcome, now));
                }
            }
        }
    }
}

fn tell(told: Vec<Told<Waiting>>) {
    for (waiting, result) in told {
        // Waiting for a delivery is optional.
        let _ = waiting.teller.send(result);
    }
}

async fn identity(cluster: &Cluster) -> Result<Identity, Error> {
    let request = InitProducerIdRequest {
        transactional_id: None,
        // Means nothing without a transactional id, but has to be positive.
        transaction_timeout_ms: i32::MAX,
        ..Default::default()
    };
    let answer = cluster.ask_any(&request).await?;
    Error::check(|| "asking for a producer id".to_owned(), answer.error_code, None)?;
    Ok(Identity {
        id: answer.producer_id,
        epoch: answer.producer_epoch,
    })
}

/// Sends one request, and gives an outcome for each of its batches.
async fn produce(
    cluster: &Cluster,
    leader: Option<i32>,
    batches: Vec<(Place, Batch)>,
) -> Vec<(Place, Outcome)> {
    let places: Vec<Place> = batches.iter().map(|(place, _)| place.clone()).collect();
    let again = |error: &Error| {
        places
            .iter()
            .map(|place| (place.clone(), outcome_of(error.clone())))
            .collect()
    };
    let Some(leader) = leader else {
        // Whoever leads is found by asking; the batches come round again.
        let mut outcomes = Vec::new();
        for place in &places {
            let error = match cluster.leader(&place.0, place.1).await {
                Ok(_) => Error::NoLeader {
                    topic: place.0.clone(),
                    partition: place.1,
                },
                Err(error) => error,
            };
            outcomes.push((place.clone(), outcome_of(error)));
        }
        return outcomes;
    };
    let mut topics: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for ((topic, index), batch) in batches {
        let records = Some(Records::from_parts(batch.parts().to_vec()));
        topics
            .entry(topic)
            .or_default()
            .push(PartitionProduceData { index, records });
    }
    let topic_data = topics.into_iter().map(|(name, partition_data)| TopicProduceData {
        name,
        partition_data,
        ..Default::default()
    });
    let timeout_ms = i32::try_from(cluster.options().request_timeout.as_millis()).unwrap_or(i32::MAX);
    let request = ProduceRequest {
        transactional_id: None,
        acks: -1,
        timeout_ms,
        topic_data: topic_data.collect(),
    };
    let answer = match cluster.ask(leader, &request).await {
        Ok(answer) => answer,
        Err(error) => {
            refresh(cluster, &places).await;
            return again(&error);
        }
    };
    let mut answered: BTreeMap<Place, Outcome> = BTreeMap::new();
    for topic in answer.responses {
        for partition in topic.partition_responses {
            let place = (topic.name.clone(), partition.index);
            let outcome = outcome(&place, &partition);
            answered.insert(place, outcome);
        }
    }
    let mut stale = Vec::new();
    let mut outcomes = Vec::new();
    for place in places {
        let unanswered = || {
            outcome_of(Error::NoLeader {
                topic: place.0.clone(),
                partition: place.1,
            })
        };
        let outcome = answered.remove(&place).unwrap_or_else(unanswered);
        if matches!(outcome, Outcome::Again(_)) {
            stale.push(place.clone());
        }
        outcomes.push((place, outcome));
    }
    refresh(cluster, &stale).await;
    outcomes
}

/// Asks who leads now. If nobody answers, the next attempt fails as this one did.
async fn refresh(cluster: &Cluster, places: &[Place]) {
    let topics: BTreeSet<_> = places.iter().map(|(topic, _)| topic.clone()).collect();
    if !topics.is_empty() {
        let topics: Vec<_> = topics.into_iter().collect();
        let _ = cluster.refresh(Some(&topics), false).await;
    }
}

fn outcome(place: &Place, answer: &PartitionProduceResponse) -> Outcome {
    let what = || format!("writing to {}-{}", place.0, place.1);
    match Error::check(what, answer.error_code, answer.error_message.as_ref()) {
        Ok(()) => Outcome::Written(answer.base_offset),
        // An earlier attempt arrived, and so much since that the broker forgot where.
        Err(_) if answer.error_code == ErrorCode::DUPLICATE_SEQUENCE_NUMBER => Outcome::Written(-1),
        Err(error) => outcome_of(error),
    }
}

fn outcome_of(error: Error) -> Outcome {
    if error.retriable() {
        Outcome::Again(error)
    } else {
        Outcome::Refused(error)
    }
}
