//! The core's loop: one event in, effects out.
//!
//! [`Node::handle`] is short: no disk, no decompression, nothing that looks at all partitions. Whoever drives
//! it holds it alone while it runs, carries the effects out afterwards, and comes back with what became of them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use klamm_consensus::{ControllerRequest, ControllerResponse};
use klamm_protocol::{ErrorCode, Str};
use klamm_storage::log_dir::LogDir;
use klamm_storage::sys::is_no_room;
use klamm_storage::{AbortedTransaction, Extents, LaneDone, LaneError, LaneJob, LogKey, OpenFiles, Tail};

use crate::api::init_producer_id::ProducerIds;
use crate::api::{self, Caller, describe_log_dirs, fetch, produce};
use crate::cluster::Cluster;
use crate::config::{BrokerConfig, TopicConfig};
use crate::disks::{Disk, Found, LogName, Removing};
use crate::fetch_session::FetchSessions;
use crate::groups::Groups;
use crate::hosting;
use crate::job::{ConvertDone, FoundOffset, Job, JobDone, ReadFailure};
use crate::markers::AfterMarker;
use crate::old_clients::OldClients;
use crate::outputs::Outputs;
use crate::partition::Advanced;
use crate::partitions::{Partitions, Slot};
use crate::preparation;
use crate::random::Random;
use crate::router::{Inbound, Outbound, Response};
use crate::schedule::Schedule;
use crate::startup::Registration;
use crate::transactions::Transactions;
use crate::waiting::{Patience, WaitForAll, WaitForBytes};
use crate::{CloseReason, ConnectionId, ConnectionInfo, LaneId, Now, RequestId};

/// Something that happened.
pub enum Event {
    /// A client connected.
    Connected(ConnectionId, ConnectionInfo),
    /// It is gone; nothing more is answered to it.
    Disconnected(ConnectionId),
    /// It asks.
    Request(RequestId, Inbound),
    /// A lane has done some of its work.
    Lane(LaneId, Vec<LaneDone>),
    /// A job has ended.
    Job(JobDone),
    /// The time of [`Node::next_deadline_ms`] has come.
    Tick,
    /// The broker is to stop, in good order: [`Effect::Stopped`] says when it has.
    Shutdown,
}

/// Something that is to be done.
pub enum Effect {
    /// Send this answer.
    Answer(RequestId, Outbound),
    /// This request has no answer (acks=0); the next may go on.
    NoAnswer(RequestId),
    /// Close this connection.
    Close(ConnectionId, CloseReason),
    /// Do this on a lane, in order.
    Lane(LaneId, Vec<LaneJob>),
    /// Run this on a thread that may block, and come back with what it gives.
    Job(Job),
    /// All is closed and synced: the process may end.
    Stopped,
    /// The broker cannot go on, for this reason: the process has to end.
    Failed(String),
}

/// What waits until offsets are acknowledged, or until logs are open (which is offset 0).
pub(crate) enum Waiter {
    Produce(Box<produce::Pending>),
    Then(Box<dyn FnOnce(&mut Node) + Send>),
    /// A marker; with what became of it.
    Appended(ErrorCode, AfterMarker),
}

/// Where a node is in its life.
pub(crate) enum Phase {
    Running,
    /// Stopping: these logs are not closed yet.
    Closing(BTreeSet<LogKey>),
    /// Stopping: the checkpoints and the markers of a clean shutdown are being written.
    Marking,
    Stopped,
}

impl Waiter {
    /// `key` will not get where it was waited for.
    fn fail(&mut self, key: LogKey, code: ErrorCode) {
        match self {
            Waiter::Produce(pending) => pending.fail(key, code),
            Waiter::Appended(outcome, _) => *outcome = code,
            Waiter::Then(_) => {}
        }
    }
}

/// What happens with what a job has read.
pub(crate) type AfterRead = Box<dyn FnOnce(&mut Node, Vec<Result<Extents, ReadFailure>>) + Send>;

/// What happens with the aborted transactions that a job has found.
pub(crate) type AfterAborted =
    Box<dyn FnOnce(&mut Node, Vec<Result<Vec<AbortedTransaction>, ReadFailure>>) + Send>;

/// What happens with what a job has looked up.
pub(crate) type AfterLookup = Box<dyn FnOnce(&mut Node, Vec<Result<FoundOffset, ReadFailure>>) + Send>;

/// What happens with what a job has converted.
pub(crate) type AfterConversion = Box<dyn FnOnce(&mut Node, ConvertDone) + Send>;

/// The core of one broker.
pub struct Node {
    pub(crate) config: Arc<BrokerConfig>,
    pub(crate) now: Now,
    pub(crate) random: Random,
    pub(crate) cluster: Cluster,
    pub(crate) connections: BTreeMap<ConnectionId, ConnectionInfo>,
    pub(crate) partitions: Partitions,
    pub(crate) topic_configs: BTreeMap<klamm_protocol::ids::TopicId, Arc<TopicConfig>>,
    pub(crate) sessions: FetchSessions,
    pub(crate) fetches: WaitForBytes<fetch::FetchCall>,
    /// What happens when a job has read, by the job's number.
    pub(crate) reads: BTreeMap<u64, AfterRead>,
    /// What happens when a job has found aborted transactions.
    pub(crate) aborted: BTreeMap<u64, AfterAborted>,
    /// What happens when a job has looked up offsets.
    pub(crate) lookups: BTreeMap<u64, AfterLookup>,
    /// Questions about log directories that wait for their disks.
    pub(crate) measuring: BTreeMap<u64, describe_log_dirs::Measuring>,
    /// What happens when a job has made message sets.
    pub(crate) conversions: BTreeMap<u64, AfterConversion>,
    pub(crate) old_clients: OldClients,
    pub(crate) groups: Groups,
    pub(crate) transactions: Transactions,
    pub(crate) producer_ids: ProducerIds,
    pub(crate) registration: Registration,
    /// Of this broker's registration; -1 before it.
    pub(crate) broker_epoch: i64,
    pub(crate) disks: Vec<Disk>,
    /// Keeps the directory of the metadata log in use where that is not one of the log directories.
    pub(crate) _metadata_dir: Option<LogDir>,
    pub(crate) tail: Arc<Tail>,
    pub(crate) open_files: Arc<OpenFiles>,
    pub(crate) phase: Phase,
    /// AlterConfigs has set something for this broker or for all, since it started.
    pub(crate) has_dynamic_settings: bool,
    /// Logs that were found on the disks at the start and that no topic has claimed.
    pub(crate) found: BTreeMap<LogName, Found>,
    /// Logs that are being removed: their lanes still have work on them.
    pub(crate) removing: BTreeMap<LogKey, Removing>,
    /// Produce requests whose batches are being prepared, and those behind them.
    pub(crate) preparing: BTreeMap<ConnectionId, preparation::Queue>,
    /// Topics that are being created because somebody named them.
    pub(crate) creating: BTreeSet<Str>,
    pub(crate) out: Outputs,
    pub(crate) acks: WaitForAll<Waiter>,
    pub(crate) schedule: Schedule,
    pub(crate) next_job_id: u64,
}

impl Node {
    /// Takes one event, and adds to `effects` what is to be done about it.
    pub fn handle(&mut self, now: Now, event: Event, effects: &mut Vec<Effect>) {
        self.now = now;
        match event {
            Event::Connected(id, info) => {
                self.connections.insert(id, info);
            }
            Event::Disconnected(id) => {
                self.connections.remove(&id);
                self.old_clients.forget(id);
                self.preparing.remove(&id);
                self.acks.disconnect(id);
                self.fetches.disconnect(id);
            }
            Event::Request(id, inbound) => api::dispatch(self, id, inbound),
            Event::Lane(lane, dones) => self.on_lane(lane, dones),
            Event::Job(JobDone::Opened(opened)) => self.on_opened(*opened),
            Event::Job(JobDone::Read(done)) => {
                self.on_read_troubles(done.troubles);
                if let Some(then) = self.reads.remove(&done.id) {
                    then(self, done.results);
                }
            }
            Event::Job(JobDone::FoundAborted(done)) => {
                self.on_read_troubles(done.troubles);
                if let Some(then) = self.aborted.remove(&done.id) {
                    then(self, done.results);
                }
            }
            Event::Job(JobDone::LookedUp(done)) => {
                self.on_read_troubles(done.troubles);
                if let Some(then) = self.lookups.remove(&done.id) {
                    then(self, done.results);
                }
            }
            Event::Job(JobDone::Prepared(done)) => {
                let took_us = done.took_us();
                preparation::on_prepared(self, done.connection, done.id, took_us, done.prepared);
            }
            Event::Job(JobDone::Converted(done)) => {
                if let Some(then) = self.conversions.remove(&done.id) {
                    then(self, done);
                }
            }
            Event::Job(JobDone::Checkpointed(lane, result)) => self.on_checkpointed(lane, result),
            Event::Job(JobDone::Compacted(key, result)) => self.on_compacted(key, result),
            Event::Job(JobDone::Measured(id, lane, space)) => {
                describe_log_dirs::on_measured(self, id, lane, space);
            }
            Event::Job(JobDone::PutAside(lane, log, result)) => self.on_put_aside(lane, &log, result),
            Event::Job(JobDone::LogRemoved(lane, name, result)) => self.on_log_removed(lane, &name, result),
            Event::Job(JobDone::LookedAfter(lane, taken, result)) => {
                self.on_looked_after(lane, taken, result);
            }
            Event::Job(JobDone::ReserveGiven(lane, result)) => self.on_reserve_given(lane, result),
            Event::Job(JobDone::Done(lane, result)) => match result {
                Err(error) if is_no_room(&error) => self.on_no_room(lane),
                Err(error) => self.on_disk_failed(lane, &error.to_string()),
                Ok(()) => {}
            },
            Event::Tick => self.on_tick(),
            Event::Shutdown => self.on_shutdown(),
        }
        self.follow_cluster();
        hosting::follow(self);
        self.out.drain(effects);
    }

    /// Who uses what Kafka 4.0 removed, and what that costs.
    pub fn old_clients(&self) -> &OldClients {
        &self.old_clients
    }

    /// The settings as they are now: another `Arc` once AlterConfigs changed them.
    pub fn config(&self) -> &Arc<BrokerConfig> {
        &self.config
    }

    /// When [`Event::Tick`] has something to do next, in [`Now::elapsed_ms`].
    pub fn next_deadline_ms(&self) -> Option<u64> {
        [
            self.acks.next_deadline_ms(),
            self.fetches.next_deadline_ms(),
            self.cluster.next_deadline_ms(),
            hosting::next_deadline_ms(self),
            self.schedule.next_deadline_ms(),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    fn on_lane(&mut self, lane: LaneId, dones: Vec<LaneDone>) {
        for done in dones {
            if lane == LaneId::METADATA {
                if matches!(done.error(), Some(LaneError::NoRoom(_))) {
                    self.on_metadata_no_room();
                }
                self.cluster.on_done(done);
                continue;
            }
            let key = done.key();
            if self.removing.contains_key(&key) {
                self.on_removing(key, done);
                continue;
            }
            let Some(Slot::Online(partition)) = self.partitions.get_mut(&key) else {
                continue;
            };
            let durable = partition.log.recovery_point();
            let changed = partition.on_done(done, self.out.lane(lane));
            if partition.log.recovery_point() > durable {
                self.schedule.synced(self.now.elapsed_ms, self.partitions.len());
            }
            if let Some(lost_from) = changed.lost_from {
                self.on_lost(key, lost_from);
            }
            if let Some(advanced) = changed.advanced {
                self.on_advanced(key, advanced);
            }
            if changed.no_room {
                self.on_put_off(lane, key);
            }
            if let Some(reason) = changed.offline {
                self.on_disk_failed(lane, &reason);
            }
            self.on_maybe_closed(key);
        }
    }

    /// Appends from this offset on failed: nobody has seen them, and those who wait for them are told.
    fn on_lost(&mut self, key: LogKey, lost_from: i64) {
        let mark = |waiter: &mut Waiter| waiter.fail(key, ErrorCode::KAFKA_STORAGE_ERROR);
        for waiter in self.acks.fail_beyond(key, lost_from, mark) {
            self.finish(waiter);
        }
        hosting::on_lost(self, key);
    }

    /// More of a partition may be read and counts as acknowledged.
    fn on_advanced(&mut self, key: LogKey, advanced: Advanced) {
        hosting::committed(self, key, advanced.high_watermark);
        for waiter in self.acks.advance(key, advanced.high_watermark) {
            self.finish(waiter);
        }
        for call in self.fetches.credit(key, advanced.bytes, advanced.stable_bytes) {
            fetch::resume(self, call);
        }
    }

    pub(crate) fn finish(&mut self, waiter: Waiter) {
        match waiter {
            Waiter::Produce(pending) => pending.answer(self),
            Waiter::Then(then) => then(self),
            Waiter::Appended(code, then) => then(self, code),
        }
    }

    /// Nothing more comes from a partition: whoever waits for it is told.
    pub(crate) fn abandon(&mut self, key: LogKey, code: ErrorCode) {
        for waiter in self.acks.fail(key, |waiter| waiter.fail(key, code)) {
            self.finish(waiter);
        }
        for call in self.fetches.wake(key) {
            fetch::resume(self, call);
        }
    }

    fn on_tick(&mut self) {
        let now_ms = self.now.elapsed_ms;
        for (mut waiter, late) in self.acks.expire(now_ms) {
            for key in late {
                waiter.fail(key, ErrorCode::REQUEST_TIMED_OUT);
            }
            self.finish(waiter);
        }
        for call in self.fetches.expire(now_ms) {
            fetch::resume(self, call);
        }
        for then in self.cluster.expire(now_ms) {
            then(self, Err(ErrorCode::REQUEST_TIMED_OUT));
        }
        self.run_schedule();
    }

    /// Lets the metadata node go on, and follows what it publishes and answers.
    fn follow_cluster(&mut self) {
        while let Some(output) = self.cluster.drain() {
            self.out.lane(LaneId::METADATA).extend(output.jobs);
            if let Some(failure) = output.failure {
                tracing::error!(%failure, "this broker cannot go on");
                self.push(Effect::Failed(failure.to_string()));
            }
            // First what is, then what is said about it.
            for published in output.published {
                self.apply(published.image, &published.delta);
            }
            for (token, response) in output.answers {
                if let Some(then) = self.cluster.answered(token) {
                    then(self, Ok(response));
                }
            }
        }
    }

    /// Asks the controller; `then` gets its answer, or REQUEST_TIMED_OUT after `timeout_ms`.
    pub(crate) fn ask_controller(
        &mut self,
        request: ControllerRequest,
        timeout_ms: u64,
        then: impl FnOnce(&mut Node, Result<ControllerResponse, ErrorCode>) + Send + 'static,
    ) {
        let deadline_ms = self.now.elapsed_ms.saturating_add(timeout_ms);
        self.cluster
            .ask(request, self.now.unix_ms, deadline_ms, Box::new(then));
    }

    pub(crate) fn push(&mut self, effect: Effect) {
        self.out.push(effect);
    }

    pub(crate) fn answer(&mut self, caller: &Caller, response: impl Into<Response>) {
        let outbound = Outbound {
            version: caller.version,
            correlation_id: caller.correlation_id,
            response: response.into(),
        };
        self.out.push(Effect::Answer(caller.id, outbound));
    }

    pub(crate) fn next_job_id(&mut self) -> u64 {
        self.next_job_id += 1;
        self.next_job_id
    }

    /// The brokers that a client of this connection can reach: id, host, port, rack.
    pub(crate) fn reachable_brokers(
        &self,
        connection: ConnectionId,
    ) -> impl Iterator<Item = (i32, Str, i32, Option<Str>)> {
        let info = self.connections.get(&connection);
        self.cluster
            .image()
            .brokers()
            .filter(|broker| !broker.fenced)
            .filter_map(move |broker| {
                let info = info?;
                let (host, port) = if broker.id.0 == self.config.node_id {
                    let listener = self
                        .config
                        .listeners
                        .iter()
                        .find(|own| *own.name == *info.listener)?;
                    let (host, port) = listener.advertised(info.local);
                    (Str::from(host), port)
                } else {
                    let endpoint = broker
                        .endpoints
                        .iter()
                        .find(|endpoint| *endpoint.name == *info.listener)?;
                    (endpoint.host.clone(), endpoint.port)
                };
                Some((broker.id.0, host, i32::from(port), broker.rack.clone()))
            })
    }

    pub(crate) fn wait_for_acks(
        &mut self,
        pending: produce::Pending,
        conditions: Vec<(LogKey, i64)>,
        patience: Patience,
    ) {
        self.acks
            .park(Waiter::Produce(Box::new(pending)), conditions, patience);
    }
}
