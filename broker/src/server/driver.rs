//! The one place where the core is called. Whoever has an event (a connection, a lane, a job, the timer) locks
//! the node briefly, and carries out afterwards what it wants done.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, Weak};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use klamm_storage::lane::Lane;
use klamm_storage::sys::Fs;
use tokio::sync::{Notify, watch};

use super::closing::Endings;
use super::memory::Memory;
use crate::config::{BrokerConfig, NetworkConfig};
use crate::job::JobKind;
use crate::router::Outbound;
use crate::{CloseReason, ConnectionId, ConnectionInfo, Effect, Event, Job, LaneId, Node, Now};

/// Jobs of one log directory that run at the same time: a directory that stalls must not use up the threads
/// that others need.
pub(super) const JOBS_PER_LANE: usize = 4;

/// Jobs that only compute run so many at once: each may take some hundred MiB, and all of a processor.
pub(super) const COMPUTE_JOBS: usize = 2;

/// Record data that may wait for one lane, in bytes.
const LANE_BYTES: usize = 64 << 20;

/// The core and everything around it that connections share.
pub(super) struct Driver {
    node: Mutex<Node>,
    pub(super) memory: Arc<Memory>,
    pub(super) endings: Endings,
    pub(super) network: NetworkConfig,
    /// The configuration that the node had last; changed limits are picked up from it.
    config: Mutex<Arc<BrokerConfig>>,
    mailboxes: Mutex<BTreeMap<ConnectionId, Arc<Mailbox>>>,
    next_connection: AtomicU64,
    lanes: OnceLock<Vec<Lane>>,
    /// Connections that wait until lanes have written.
    lane_waiters: Mutex<Vec<Arc<Notify>>>,
    fs: Arc<dyn Fs>,
    jobs: Mutex<BTreeMap<JobKind, JobQueue>>,
    runtime: tokio::runtime::Handle,
    /// When the timer rings next, in [`Now::elapsed_ms`].
    alarm_ms: AtomicU64,
    alarm: Notify,
    began: Instant,
    /// Whether clients may come in.
    registered: watch::Sender<bool>,
    /// How the core ended, once it has: in good order, or for this reason.
    end: watch::Sender<Option<Result<(), String>>>,
}

#[derive(Default)]
struct JobQueue {
    running: usize,
    waiting: VecDeque<Job>,
}

/// Where the answers of one connection arrive.
#[derive(Default)]
pub(super) struct Mailbox {
    /// Notified for answers, for memory, for lanes and for the end.
    pub(super) wake: Arc<Notify>,
    letters: Mutex<Letters>,
}

#[derive(Default)]
struct Letters {
    answers: Vec<(u64, Option<Outbound>)>,
    closing: Option<CloseReason>,
}

impl Mailbox {
    /// Takes the answers that have come, and whether the connection is to be closed.
    pub(super) fn take(&self) -> (Vec<(u64, Option<Outbound>)>, Option<CloseReason>) {
        let mut letters = lock(&self.letters);
        (std::mem::take(&mut letters.answers), letters.closing)
    }

    fn answer(&self, sequence: u64, answer: Option<Outbound>) {
        lock(&self.letters).answers.push((sequence, answer));
        self.wake.notify_one();
    }

    fn close(&self, reason: CloseReason) {
        lock(&self.letters).closing = Some(reason);
        self.wake.notify_one();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("nothing panics while it is held")
}

impl Driver {
    /// Starts the lanes of a node. Must be called inside a runtime.
    ///
    /// # Errors
    /// When the operating system gives no thread.
    pub(super) fn start(
        node: Node,
        fs: Arc<dyn Fs>,
        config: Arc<BrokerConfig>,
    ) -> std::io::Result<Arc<Driver>> {
        let driver = Arc::new(Driver {
            node: Mutex::new(node),
            memory: Memory::new(config.network.queued_max_request_bytes),
            endings: Endings::default(),
            network: config.network.clone(),
            mailboxes: Mutex::default(),
            next_connection: AtomicU64::new(0),
            lanes: OnceLock::new(),
            lane_waiters: Mutex::default(),
            fs,
            jobs: Mutex::default(),
            runtime: tokio::runtime::Handle::current(),
            alarm_ms: AtomicU64::new(u64::MAX),
            alarm: Notify::new(),
            began: Instant::now(),
            registered: watch::Sender::new(false),
            end: watch::Sender::new(None),
            config: Mutex::new(Arc::clone(&config)),
        });
        let names = std::iter::once("metadata".to_owned())
            .chain((0..config.log_dirs.len()).map(|index| format!("dir{index}")));
        let lanes = names
            .enumerate()
            .map(|(index, name)| {
                let lane = LaneId(u32::try_from(index).expect("nobody has four billion log directories"));
                let weak = Arc::downgrade(&driver);
                let report = move |dones| {
                    if let Some(driver) = Weak::upgrade(&weak) {
                        driver.bring(Event::Lane(lane, dones));
                        driver.wake_lane_waiters();
                    }
                };
                Lane::start(&name, Arc::clone(&driver.fs), LANE_BYTES, Box::new(report))
            })
            .collect::<std::io::Result<Vec<_>>>()?;
        assert!(driver.lanes.set(lanes).is_ok(), "a driver starts once");
        driver.bring(Event::Tick);
        Ok(driver)
    }

    /// Tells the core what happened, and does what it wants done.
    pub(super) fn bring(self: &Arc<Self>, event: Event) {
        if let Some(deadline) = self.handle(event)
            && self.alarm_ms.fetch_min(deadline, Ordering::AcqRel) > deadline
        {
            self.alarm.notify_one();
        }
    }

    /// The same; gives the core's next deadline instead of setting the alarm.
    fn handle(self: &Arc<Self>, event: Event) -> Option<u64> {
        let mut effects = Vec::new();
        let (deadline, changed, is_registered) = {
            // A node that panicked is in no state to go on: acknowledging from it could lose records.
            let Ok(mut node) = self.node.lock() else {
                std::process::abort()
            };
            node.handle(self.now(), event, &mut effects);
            // Disk work reaches its lane in the order in which the core decided it.
            effects.retain_mut(|effect| match effect {
                Effect::Lane(lane, jobs) => {
                    self.lane(*lane).submit(std::mem::take(jobs));
                    false
                }
                _ => true,
            });
            let changed = self.changed_config(node.config());
            (node.next_deadline_ms(), changed, node.is_registered())
        };
        if is_registered && !*self.registered.borrow() {
            self.registered.send_replace(true);
        }
        if let Some(config) = changed {
            *lock(&self.config) = config;
        }
        for effect in effects {
            self.carry_out(effect);
        }
        deadline
    }

    fn changed_config(&self, config: &Arc<BrokerConfig>) -> Option<Arc<BrokerConfig>> {
        (!Arc::ptr_eq(&lock(&self.config), config)).then(|| Arc::clone(config))
    }

    /// The settings as they are now.
    pub(super) fn config(&self) -> Arc<BrokerConfig> {
        Arc::clone(&lock(&self.config))
    }

    fn carry_out(self: &Arc<Self>, effect: Effect) {
        match effect {
            Effect::Answer(request, answer) => {
                if let Some(mailbox) = self.mailbox(request.connection) {
                    mailbox.answer(request.sequence, Some(answer));
                }
            }
            Effect::NoAnswer(request) => {
                if let Some(mailbox) = self.mailbox(request.connection) {
                    mailbox.answer(request.sequence, None);
                }
            }
            Effect::Close(connection, reason) => {
                if let Some(mailbox) = self.mailbox(connection) {
                    mailbox.close(reason);
                }
            }
            Effect::Job(job) => self.queue_job(job),
            Effect::Stopped => self.note_end(Ok(())),
            Effect::Failed(why) => self.note_end(Err(why)),
            // Taken out while the node was held.
            Effect::Lane(..) => {}
        }
    }

    fn now(&self) -> Now {
        let elapsed_ms = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        let unix_ms = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| i64::try_from(since.as_millis()).unwrap_or(i64::MAX));
        Now { elapsed_ms, unix_ms }
    }

    fn lane(&self, lane: LaneId) -> &Lane {
        let lanes = self.lanes.get().expect("lanes start before the first event");
        &lanes[usize::try_from(lane.0).expect("32 bits fit")]
    }

    // ---- connections

    /// Waits until clients may come in.
    pub(super) async fn registered(&self) {
        // The sender lives in `self`.
        let _ = self
            .registered
            .subscribe()
            .wait_for(|registered| *registered)
            .await;
    }

    /// A connection begins.
    pub(super) fn connect(self: &Arc<Self>, info: ConnectionInfo) -> (ConnectionId, Arc<Mailbox>) {
        let id = ConnectionId(self.next_connection.fetch_add(1, Ordering::Relaxed));
        let mailbox = Arc::new(Mailbox::default());
        lock(&self.mailboxes).insert(id, Arc::clone(&mailbox));
        self.bring(Event::Connected(id, info));
        (id, mailbox)
    }

    /// A connection has ended.
    pub(super) fn disconnect(self: &Arc<Self>, id: ConnectionId) {
        lock(&self.mailboxes).remove(&id);
        self.bring(Event::Disconnected(id));
    }

    fn mailbox(&self, id: ConnectionId) -> Option<Arc<Mailbox>> {
        lock(&self.mailboxes).get(&id).cloned()
    }

    /// Closes all connections once what they have to be told has left.
    pub(super) fn close_all(&self) {
        for mailbox in lock(&self.mailboxes).values() {
            mailbox.close(CloseReason::Shutdown);
        }
    }

    /// How many connections there are.
    pub(super) fn connections(&self) -> usize {
        lock(&self.mailboxes).len()
    }

    /// Whether a lane has as much to write as it may have; then `wake` is notified once it has written.
    pub(super) fn must_wait_for_lanes(&self, wake: &Arc<Notify>) -> bool {
        let full = || {
            self.lanes
                .get()
                .is_some_and(|lanes| lanes.iter().any(Lane::is_full))
        };
        if !full() {
            return false;
        }
        lock(&self.lane_waiters).push(Arc::clone(wake));
        // A lane that wrote in between has woken nobody.
        full()
    }

    fn wake_lane_waiters(&self) {
        for wake in std::mem::take(&mut *lock(&self.lane_waiters)) {
            wake.notify_one();
        }
    }

    // ---- jobs

    fn queue_job(self: &Arc<Self>, job: Job) {
        let kind = job.kind();
        let at_once = match kind {
            JobKind::Disk(_) => JOBS_PER_LANE,
            JobKind::Compute => COMPUTE_JOBS,
        };
        let mut jobs = lock(&self.jobs);
        let queue = jobs.entry(kind).or_default();
        if queue.running < at_once {
            queue.running += 1;
            self.spawn_job(kind, job);
        } else {
            queue.waiting.push_back(job);
        }
    }

    fn spawn_job(self: &Arc<Self>, kind: JobKind, job: Job) {
        let driver = Arc::clone(self);
        self.runtime.spawn_blocking(move || {
            let mut next = Some(job);
            while let Some(job) = next {
                let began = Instant::now();
                let mut done = job.run(&driver.fs);
                done.set_took_us(u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX));
                driver.bring(Event::Job(done));
                next = driver.next_job(kind);
            }
        });
    }

    fn next_job(&self, kind: JobKind) -> Option<Job> {
        let mut jobs = lock(&self.jobs);
        let queue = jobs.entry(kind).or_default();
        let next = queue.waiting.pop_front();
        if next.is_none() {
            queue.running -= 1;
        }
        next
    }

    // ---- time

    /// Brings [`Event::Tick`] whenever the core has something to do by then. Runs for ever.
    pub(super) async fn keep_time(self: Arc<Self>) {
        loop {
            let alarm_ms = self.alarm_ms.load(Ordering::Acquire);
            let now_ms = self.now().elapsed_ms;
            if alarm_ms <= now_ms {
                // What is set from here on rings again.
                self.alarm_ms.store(u64::MAX, Ordering::Release);
                if let Some(deadline) = self.handle(Event::Tick) {
                    self.alarm_ms.fetch_min(deadline, Ordering::AcqRel);
                }
                continue;
            }
            let sleep = std::time::Duration::from_millis(alarm_ms - now_ms);
            tokio::select! {
                () = self.alarm.notified() => {}
                () = tokio::time::sleep(sleep), if alarm_ms != u64::MAX => {}
            }
        }
    }

    // ---- the end

    fn note_end(&self, end: Result<(), String>) {
        // The first word is the last.
        self.end
            .send_if_modified(|known| known.is_none().then(|| *known = Some(end)).is_some());
    }

    /// Asks the core to stop in good order.
    pub(super) fn stop(self: &Arc<Self>) {
        self.bring(Event::Shutdown);
    }

    /// Waits until the core has ended.
    ///
    /// # Errors
    /// Why it could not go on.
    pub(super) async fn ended(&self) -> Result<(), String> {
        let mut end = self.end.subscribe();
        // The sender lives in `self`.
        let known = end.wait_for(Option::is_some).await.map(|known| known.clone());
        known.ok().flatten().unwrap_or(Ok(()))
    }
}
