//! The machine that the broker runs on: the real node, its connections, lanes and blocking jobs, on a simulated
//! disk and a simulated clock. It can be killed between any two calls to the disk, and lose its power.

use std::collections::{BTreeMap, VecDeque};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use bytes::{Buf, BytesMut};
use klamm_broker::config::BrokerConfig;
use klamm_broker::connection::Connection;
use klamm_broker::{
    ConnectionId, ConnectionInfo, Effect, Job, JobDone, LaneId, Node, Now, RequestId, router,
};
use klamm_storage::sys::Fs;
use klamm_storage::sys::memory::{Fault, MemoryFs};
use klamm_storage::{LaneDone, LaneJob, lane};

use crate::network::{LinkId, Segment};
use crate::settings;
use crate::world::{Event, Shared};

/// What the machine does, each for one boot of the broker.
pub enum HostEvent {
    /// The broker starts.
    Boot,
    /// A lane's writer (0) or a flusher takes what is queued.
    Lane(LaneId, usize),
    /// It comes back with what is done.
    LaneDone(LaneId, Vec<LaneDone>),
    /// A blocking job runs.
    Job(Box<Job>),
    /// It comes back.
    JobDone(JobDone),
    /// The time that the broker asked for has come.
    Tick(u64),
    /// A stop in good order takes too long.
    ShutdownOverdue,
}

/// How the broker ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The process is killed: what it wrote stays.
    Kill,
    /// The machine loses its power: what was synced stays, and some of the rest.
    PowerCut,
    /// The process ended by itself, in good order; then the power goes. Nothing may be missing.
    PowerCutAfterStop,
}

/// See the module.
pub struct Host {
    shared: Shared,
    config: BrokerConfig,
    fs: MemoryFs,
    boot: u64,
    running: Option<Running>,
    /// What happens when a fault that was armed stops the disk.
    armed: End,
    /// Faults of the disk that had struck when this boot began.
    struck: u64,
    /// The disk has hardly any room.
    full: bool,
    /// The disk takes its time.
    pub slow_disk: bool,
}

struct Running {
    node: Node,
    fs: Arc<dyn Fs>,
    started_us: u64,
    servers: BTreeMap<LinkId, Server>,
    lanes: BTreeMap<LaneId, [LaneQueue; lane::THREADS]>,
    tick_at_us: Option<u64>,
    /// Clients are let in.
    listening: bool,
    stopping: bool,
    stopped: bool,
    /// Its disk failed, and it said so.
    gave_up: bool,
}

/// The broker's end of a connection.
#[derive(Default)]
struct Server {
    core: Connection,
    received: BytesMut,
}

#[derive(Default)]
struct LaneQueue {
    jobs: Vec<LaneJob>,
    busy: bool,
}

impl Host {
    /// A machine with an empty disk; the broker is about to start.
    pub fn new(shared: Shared) -> Host {
        let host = Host {
            shared,
            config: settings::broker(),
            fs: MemoryFs::new(),
            boot: 0,
            running: None,
            armed: End::Kill,
            struck: 0,
            full: false,
            slow_disk: false,
        };
        host.schedule(0, HostEvent::Boot);
        host
    }

    /// Calls to the disk so far.
    pub fn disk_calls(&self) -> u64 {
        self.fs.calls()
    }

    /// Whether the broker runs.
    pub fn is_up(&self) -> bool {
        self.running.is_some()
    }

    /// How often the broker started.
    pub fn boots(&self) -> u64 {
        self.boot
    }

    /// Something happens on the machine; what was meant for an earlier boot is gone.
    pub fn happen(&mut self, boot: u64, event: HostEvent) {
        if boot != self.boot {
            return;
        }
        match event {
            HostEvent::Boot => self.start(),
            HostEvent::Lane(lane, thread) => self.run_lane(lane, thread),
            HostEvent::LaneDone(lane, dones) => self.tell(klamm_broker::Event::Lane(lane, dones)),
            HostEvent::Job(job) => {
                let Some(running) = &self.running else { return };
                let done = job.run(&running.fs);
                if !self.died() {
                    let after_us = self.thread_us();
                    self.schedule(after_us, HostEvent::JobDone(done));
                }
            }
            HostEvent::JobDone(done) => self.tell(klamm_broker::Event::Job(done)),
            HostEvent::Tick(at_us) => {
                let Some(running) = &mut self.running else { return };
                if running.tick_at_us == Some(at_us) {
                    running.tick_at_us = None;
                    self.tell(klamm_broker::Event::Tick);
                }
            }
            HostEvent::ShutdownOverdue => self.fail("the broker does not stop".to_owned()),
        }
    }

    /// Something reached the broker's end of a connection.
    pub fn receive(&mut self, link: LinkId, segment: Segment) {
        let Some(running) = self.running.as_mut().filter(|running| running.listening) else {
            // Nobody listens.
            if !matches!(segment, Segment::Close) {
                self.shared.borrow().send_to_client(link, Segment::Close);
            }
            return;
        };
        let id = ConnectionId(link.0);
        match segment {
            Segment::Open => {
                running.servers.insert(link, Server::default());
                let loopback = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
                let info = ConnectionInfo {
                    listener: "PLAINTEXT".into(),
                    peer: loopback(40_000),
                    local: loopback(9092),
                };
                self.shared.borrow().send_to_client(link, Segment::Open);
                self.tell(klamm_broker::Event::Connected(id, info));
            }
            Segment::Bytes(bytes) => {
                if let Some(server) = running.servers.get_mut(&link) {
                    server.received.extend_from_slice(&bytes);
                    self.serve(link);
                }
            }
            Segment::Close => {
                if running.servers.remove(&link).is_some() {
                    self.tell(klamm_broker::Event::Disconnected(id));
                }
            }
        }
    }

    /// The broker ends this moment.
    pub fn end(&mut self, how: End) {
        let Some(running) = self.running.take() else {
            return;
        };
        self.boot += 1;
        let mut world = self.shared.borrow();
        world.note(format_args!("broker: {how:?}"));
        world.checker.ended();
        for link in running.servers.into_keys() {
            world.send_to_client(link, Segment::Close);
        }
        self.fs = match how {
            End::Kill => self.fs.kill(),
            End::PowerCut | End::PowerCutAfterStop => self.fs.power_cut(world.random.draw()),
        };
        if how == End::PowerCut {
            world.checker.power_cut();
        }
        let down_us = world.random.between(1_000, 2_000_000);
        world.schedule(down_us, Event::Host(self.boot, Box::new(HostEvent::Boot)));
    }

    /// The broker ends at one of its next calls to the disk, a write perhaps in the middle.
    pub fn end_at_call(&mut self, how: End, calls: u64, torn: usize) {
        self.armed = how;
        self.fs.fail_call(self.fs.calls() + calls, Fault::Stop { torn });
    }

    /// One of the next calls to the disk gives an error; if it is a sync, what it was for is lost.
    pub fn fail_at_call(&mut self, calls: u64) {
        self.fs.fail_call(self.fs.calls() + calls, Fault::Io);
    }

    /// The next sync of a file gives an error, and what it was for is lost.
    pub fn fail_sync(&mut self) {
        self.fs.fail_sync();
    }

    /// The disk has only so much room left.
    pub fn fill_disk(&mut self, left: u64) {
        self.full = true;
        self.fs.set_capacity(self.fs.used() + left);
    }

    /// The disk has all the room that anybody wants.
    pub fn empty_disk(&mut self) {
        self.full = false;
        self.fs.set_capacity(u64::MAX);
    }

    /// Somebody mends the disk: what has not failed yet will not, and a broker that goes on without one of its
    /// directories starts again.
    pub fn mend(&mut self) {
        self.fs.clear_fault();
        self.empty_disk();
        if self.disk_failed() {
            self.end(End::Kill);
        }
    }

    /// The broker is asked to stop, and starts again afterwards.
    pub fn restart(&mut self) {
        if self.running.as_ref().is_some_and(|running| !running.stopping) {
            self.note(format_args!("broker: is asked to stop"));
            self.running.as_mut().expect("just seen").stopping = true;
            self.schedule(60_000_000, HostEvent::ShutdownOverdue);
            self.tell(klamm_broker::Event::Shutdown);
        }
    }

    fn start(&mut self) {
        let (seed, unix_ms) = {
            let mut world = self.shared.borrow();
            (world.random.draw(), world.unix_ms())
        };
        self.fs.set_now_ms(unix_ms);
        self.struck = self.fs.struck();
        let fs = self.fs.shared();
        let opened = Node::open(&fs, self.config.clone(), seed, unix_ms);
        let started_us = self.shared.borrow().now_us;
        match opened {
            Ok(node) => {
                self.note(format_args!(
                    "broker: starts, {} disk calls so far",
                    self.fs.calls()
                ));
                self.running = Some(Running {
                    node,
                    fs,
                    started_us,
                    servers: BTreeMap::new(),
                    lanes: BTreeMap::new(),
                    tick_at_us: None,
                    listening: false,
                    stopping: false,
                    stopped: false,
                    gave_up: false,
                });
                if !self.died() {
                    self.tell(klamm_broker::Event::Tick);
                }
            }
            Err(_) if self.fs.is_stopped() => self.end_while_starting(),
            // Whoever started it tries again.
            Err(error) if self.disk_failed() || self.full => {
                self.note(format_args!("broker: does not start: {error}"));
                self.armed = End::Kill;
                self.end_while_starting();
            }
            Err(error) => self.fail(format!("the broker does not start: {error}")),
        }
    }

    fn end_while_starting(&mut self) {
        let mut world = self.shared.borrow();
        world.note(format_args!("broker: {:?} while it starts", self.armed));
        self.boot += 1;
        self.fs = match self.armed {
            End::Kill => self.fs.kill(),
            _ => {
                world.checker.power_cut();
                self.fs.power_cut(world.random.draw())
            }
        };
        let down_us = world.random.between(1_000, 2_000_000);
        world.schedule(down_us, Event::Host(self.boot, Box::new(HostEvent::Boot)));
    }

    /// Whether the disk has failed in this boot: then the broker may end.
    fn disk_failed(&self) -> bool {
        self.fs.struck() > self.struck
    }

    /// Whether the disk call that was just made was the last one.
    fn died(&mut self) -> bool {
        let died = self.fs.is_stopped();
        if died {
            self.end(self.armed);
        }
        died
    }

    fn run_lane(&mut self, lane: LaneId, thread: usize) {
        let Some(running) = &mut self.running else { return };
        let queue = &mut running.lanes.entry(lane).or_default()[thread];
        // The writer takes all there is, a flusher one after the other.
        let count = if thread == 0 {
            queue.jobs.len()
        } else {
            1.min(queue.jobs.len())
        };
        let jobs: Vec<LaneJob> = queue.jobs.drain(..count).collect();
        let dones = lane::run(&running.fs, jobs);
        if self.died() {
            return;
        }
        let running = self.running.as_mut().expect("it has not died");
        let queue = &mut running.lanes.entry(lane).or_default()[thread];
        queue.busy = !queue.jobs.is_empty();
        let busy = queue.busy;
        let after_us = self.thread_us();
        self.schedule(after_us, HostEvent::LaneDone(lane, dones));
        if busy {
            // Not before its report: a thread's reports come in order.
            let disk_us = self.disk_us(thread);
            self.schedule(after_us + disk_us, HostEvent::Lane(lane, thread));
        }
    }

    /// How long a thread takes to take up work or to report.
    fn thread_us(&self) -> u64 {
        self.shared.borrow().random.between(1, 200)
    }

    fn disk_us(&self, thread: usize) -> u64 {
        let mut world = self.shared.borrow();
        let most = match (self.slow_disk, thread) {
            (false, 0) => 400,
            (false, _) => 8_000,
            (true, _) => 600_000,
        };
        world.random.between(10, most)
    }

    /// Frames that have come in are taken, as far as the connection has room, and begin when their turn comes.
    fn serve(&mut self, link: LinkId) {
        loop {
            let Some(server) = self
                .running
                .as_mut()
                .and_then(|running| running.servers.get_mut(&link))
            else {
                return;
            };
            while server.core.room() > 0
                && let Some(length) = server
                    .received
                    .first_chunk()
                    .map(|length| u32::from_be_bytes(*length) as usize)
                && server.received.len() >= 4 + length
            {
                server.received.advance(4);
                let frame = server.received.split_to(length).freeze();
                server.core.receive(frame);
            }
            let Some((sequence, frame)) = server.core.begin() else {
                return;
            };
            match router::decode(frame) {
                Ok(inbound) => {
                    let id = RequestId {
                        connection: ConnectionId(link.0),
                        sequence,
                    };
                    self.tell(klamm_broker::Event::Request(id, inbound));
                }
                Err(refusal) => return self.fail(format!("a sound request is refused: {refusal}")),
            }
        }
    }

    fn now(&self, running: &Running) -> Now {
        let world = self.shared.borrow();
        Now {
            elapsed_ms: (world.now_us - running.started_us) / 1000,
            unix_ms: world.unix_ms(),
        }
    }

    /// Brings an event to the node and carries its effects out.
    fn tell(&mut self, event: klamm_broker::Event) {
        let Some(running) = &self.running else { return };
        let now = self.now(running);
        self.fs.set_now_ms(now.unix_ms);
        let running = self.running.as_mut().expect("just seen");
        let mut effects = Vec::new();
        running.node.handle(now, event, &mut effects);
        let mut freed = VecDeque::new();
        for effect in effects {
            self.carry_out(effect, &mut freed);
        }
        self.schedule_tick();
        if let Some(running) = self
            .running
            .as_mut()
            .filter(|running| !running.listening && running.node.is_ready())
        {
            running.listening = true;
            self.note(format_args!("broker: listens"));
        }
        for link in freed {
            self.serve(link);
        }
        if self.running.as_ref().is_some_and(|running| running.gave_up) {
            let power_too = self.shared.borrow().random.chance(30);
            return self.end(if power_too { End::PowerCut } else { End::Kill });
        }
        if self.running.as_ref().is_some_and(|running| running.stopped) {
            let power_too = self.shared.borrow().random.chance(30);
            // A directory that failed, or had no room, was not stopped in good order.
            self.end(match power_too {
                true if self.disk_failed() || self.full => End::PowerCut,
                true => End::PowerCutAfterStop,
                false => End::Kill,
            });
        }
    }

    fn carry_out(&mut self, effect: Effect, freed: &mut VecDeque<LinkId>) {
        let disk_failed = self.disk_failed();
        let Some(running) = &mut self.running else { return };
        match effect {
            Effect::Answer(id, outbound) => self.answer(id, Some(outbound), freed),
            Effect::NoAnswer(id) => self.answer(id, None, freed),
            Effect::Close(id, reason) => {
                let link = LinkId(id.0);
                running.servers.remove(&link);
                self.note(format_args!("broker: closes connection {}: {reason:?}", id.0));
                self.shared.borrow().send_to_client(link, Segment::Close);
            }
            Effect::Lane(lane, jobs) => {
                for job in jobs {
                    let thread = job.thread();
                    let running = self.running.as_mut().expect("just seen");
                    let queue = &mut running.lanes.entry(lane).or_default()[thread];
                    queue.jobs.push(job);
                    if !std::mem::replace(&mut queue.busy, true) {
                        let after_us = self.disk_us(thread);
                        self.schedule(after_us, HostEvent::Lane(lane, thread));
                    }
                }
            }
            Effect::Job(job) => {
                let after_us = self.disk_us(1);
                self.schedule(after_us, HostEvent::Job(Box::new(job)));
            }
            // Or there is no room to stop in good order: the next start recovers.
            Effect::Failed(why) if disk_failed || (self.full && running.stopping) => {
                self.note(format_args!("broker: gives up: {why}"));
                self.running.as_mut().expect("just seen").gave_up = true;
            }
            Effect::Failed(why) => self.fail(format!("the broker gives up: {why}")),
            Effect::Stopped => running.stopped = true,
        }
    }

    fn answer(&mut self, id: RequestId, answer: Option<router::Outbound>, freed: &mut VecDeque<LinkId>) {
        let link = LinkId(id.connection.0);
        let Some(server) = self
            .running
            .as_mut()
            .and_then(|running| running.servers.get_mut(&link))
        else {
            return;
        };
        server.core.answer(id.sequence, answer);
        let mut left = Vec::new();
        while let Some((_, answer)) = server.core.leave() {
            left.push(answer);
        }
        freed.push_back(link);
        for answer in left.into_iter().flatten() {
            match router::encode(&answer) {
                Ok(parts) => {
                    let bytes = Segment::Bytes(parts.concat().into());
                    self.shared.borrow().send_to_client(link, bytes);
                }
                Err(error) => self.fail(format!("an answer cannot be encoded: {error}: {answer:?}")),
            }
        }
    }

    fn schedule_tick(&mut self) {
        let Some(running) = &mut self.running else { return };
        let Some(deadline_ms) = running.node.next_deadline_ms() else {
            return;
        };
        let now_us = self.shared.borrow().now_us;
        // The millisecond in which a deadline falls has to be over.
        let at_us = (running.started_us + deadline_ms.saturating_mul(1000)).max(now_us + 10);
        if running
            .tick_at_us
            .is_none_or(|planned| planned > at_us || planned < now_us)
        {
            running.tick_at_us = Some(at_us);
            self.shared
                .borrow()
                .schedule_at(at_us, Event::Host(self.boot, Box::new(HostEvent::Tick(at_us))));
        }
    }

    fn schedule(&self, after_us: u64, event: HostEvent) {
        self.shared
            .borrow()
            .schedule(after_us, Event::Host(self.boot, Box::new(event)));
    }

    fn note(&self, what: std::fmt::Arguments<'_>) {
        self.shared.borrow().note(what);
    }

    fn fail(&self, what: String) {
        self.shared.borrow().checker.fail(what);
    }
}
