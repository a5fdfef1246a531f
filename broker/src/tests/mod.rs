//! The whole node on a file system in memory: events in, effects carried out at once and in order.

mod admin;
mod disk;
mod faults;
mod groups;
mod inventory;
mod log;
mod old_formats;
mod transactions;
mod versions;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use klamm_protocol::frame;
use klamm_protocol::messages::create_topics::{CreatableTopic, CreatableTopicConfig, CreateTopicsRequest};
use klamm_protocol::record::{BatchBuilder, Compression};
use klamm_protocol::{ErrorCode, Message, Records, Str};
use klamm_storage::lane;
use klamm_storage::sys::memory::MemoryFs;
use klamm_storage::sys::{self, Fs};

use crate::config::{Assignment, Origin, load};
use crate::router::{self, Response};
use crate::startup::StartError;
use crate::{CloseReason, ConnectionId, ConnectionInfo, Effect, Event, Job, LaneId, Node, Now, RequestId};

const CLIENT: ConnectionId = ConnectionId(1);

/// A node, and what became of the requests to it.
pub(crate) struct Harness {
    pub disk: MemoryFs,
    fs: Arc<dyn Fs>,
    settings: Vec<(String, String)>,
    pub node: Node,
    now: Now,
    sequence: u64,
    answers: BTreeMap<u64, Response>,
    /// The last answer as it goes onto the connection.
    encoded: Bytes,
    /// How often each request was answered.
    times_answered: BTreeMap<u64, usize>,
    pub closed: Vec<(ConnectionId, CloseReason)>,
    pub stopped: bool,
    /// Why the node cannot go on, if it cannot.
    pub failed: Option<String>,
    /// Lanes that do nothing at the moment, and what waits for them.
    stalled: BTreeMap<LaneId, Vec<klamm_storage::LaneJob>>,
    /// Logs that wait to be opened, where they are not opened at once.
    unopened: Option<Vec<Job>>,
}

impl Harness {
    /// A node that is up, on an empty disk.
    pub fn new(settings: &[(&str, &str)]) -> Harness {
        let settings = settings
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let mut harness = Harness::open(MemoryFs::new(), settings.collect(), None);
        harness.begin();
        harness
    }

    fn open(disk: MemoryFs, settings: Vec<(String, String)>, unopened: Option<Vec<Job>>) -> Harness {
        Harness::try_open(disk, settings, unopened).expect("nothing speaks against it")
    }

    /// A node on what lies on this disk; it may refuse to start.
    pub fn try_open(
        disk: MemoryFs,
        settings: Vec<(String, String)>,
        unopened: Option<Vec<Job>>,
    ) -> Result<Harness, StartError> {
        let fixed = [
            ("log.dirs", "/a,/b"),
            ("listeners", "PLAINTEXT://:9092"),
            ("node.id", "1"),
        ];
        let fixed = fixed.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let assignments: Vec<Assignment> = fixed
            .into_iter()
            .chain(settings.iter().cloned())
            .map(|(name, value)| Assignment {
                name,
                value,
                origin: Origin::CommandLine,
            })
            .collect();
        let config = load(&assignments, None)
            .expect("the settings of a test are right")
            .config;
        let fs = disk.shared();
        let now = Now {
            elapsed_ms: 1,
            unix_ms: 1_700_000_000_000,
        };
        let node = Node::open(&fs, config, 7 + disk.calls(), now.unix_ms)?;
        let mut harness = Harness {
            disk,
            fs,
            settings,
            node,
            now,
            sequence: 0,
            answers: BTreeMap::new(),
            times_answered: BTreeMap::new(),
            encoded: Bytes::new(),
            closed: Vec::new(),
            stopped: false,
            failed: None,
            stalled: BTreeMap::new(),
            unopened,
        };
        harness.connect(CLIENT);
        harness.tick();
        Ok(harness)
    }

    /// Opens what is not open yet.
    pub fn begin(&mut self) {
        self.open_logs();
        assert!(self.node.is_ready(), "a node alone is up at once");
    }

    /// The same, whatever comes of it.
    pub fn open_logs(&mut self) {
        for job in self.unopened.take().unwrap_or_default() {
            let done = job.run(&self.fs);
            self.event(Event::Job(done));
        }
    }

    /// The same disk under another process, after the first one was killed.
    pub fn restart(self) -> Harness {
        let mut harness = self.restart_slowly();
        harness.begin();
        harness
    }

    /// The same, but no log is open before [`begin`](Self::begin).
    pub fn restart_slowly(self) -> Harness {
        let Harness {
            disk, settings, node, ..
        } = self;
        drop(node);
        Harness::open(disk.kill(), settings, Some(Vec::new()))
    }

    pub fn connect(&mut self, id: ConnectionId) {
        let info = ConnectionInfo {
            listener: "PLAINTEXT".into(),
            peer: ([127, 0, 0, 1], 40_000).into(),
            local: ([127, 0, 0, 1], 9092).into(),
        };
        self.event(Event::Connected(id, info));
    }

    /// Hands in an event, and carries out what comes of it until nothing more does.
    pub fn event(&mut self, event: Event) {
        let mut effects = Vec::new();
        self.node.handle(self.now, event, &mut effects);
        let mut effects: std::collections::VecDeque<Effect> = effects.into();
        while let Some(effect) = effects.pop_front() {
            let back = match effect {
                Effect::Answer(id, outbound) => {
                    let encoded = router::encode(&outbound).expect("an answer fits its version");
                    self.encoded = Bytes::from(encoded.concat());
                    *self.times_answered.entry(id.sequence).or_default() += 1;
                    self.answers.insert(id.sequence, outbound.response);
                    continue;
                }
                Effect::NoAnswer(_) => continue,
                Effect::Close(id, reason) => {
                    self.closed.push((id, reason));
                    continue;
                }
                Effect::Stopped => {
                    self.stopped = true;
                    continue;
                }
                Effect::Failed(reason) => {
                    self.failed.get_or_insert(reason);
                    continue;
                }
                Effect::Lane(lane, jobs) => match self.stalled.get_mut(&lane) {
                    Some(waiting) => {
                        waiting.extend(jobs);
                        continue;
                    }
                    None => Event::Lane(lane, lane::run(&self.fs, jobs)),
                },
                Effect::Job(job @ Job::OpenLog(_)) if self.unopened.is_some() => {
                    self.unopened.as_mut().expect("it is some").push(job);
                    continue;
                }
                Effect::Job(job) => Event::Job(job.run(&self.fs)),
            };
            let mut more = Vec::new();
            self.node.handle(self.now, back, &mut more);
            effects.extend(more);
        }
    }

    pub fn tick(&mut self) {
        self.event(Event::Tick);
    }

    /// Lets time go on, with a tick whenever the node wants one.
    pub fn pass_ms(&mut self, ms: u64) {
        let end = self.now.elapsed_ms + ms;
        while let Some(deadline) = self.node.next_deadline_ms().filter(|deadline| *deadline <= end) {
            let step = deadline.saturating_sub(self.now.elapsed_ms);
            self.now.elapsed_ms += step;
            self.now.unix_ms += step as i64;
            self.tick();
            let next = self.node.next_deadline_ms();
            assert!(
                next.is_none_or(|next| next > self.now.elapsed_ms),
                "a tick does all that is due"
            );
        }
        self.now.unix_ms += (end - self.now.elapsed_ms) as i64;
        self.now.elapsed_ms = end;
    }

    /// From now on the lanes of all log directories do nothing.
    pub fn stall_lanes(&mut self) {
        for (lane, _) in self
            .node
            .lanes()
            .into_iter()
            .filter(|(lane, _)| *lane != LaneId::METADATA)
        {
            self.stalled.entry(lane).or_default();
        }
    }

    /// The lanes do what waits for them.
    pub fn resume_lanes(&mut self) {
        for (lane, jobs) in std::mem::take(&mut self.stalled) {
            let dones = lane::run(&self.fs, jobs);
            self.event(Event::Lane(lane, dones));
        }
    }

    /// Sends a request and gives its number.
    pub fn send<M: Message>(&mut self, version: i16, request: &M) -> u64 {
        self.send_as(CLIENT, "test", version, request)
    }

    pub fn send_as<M: Message>(
        &mut self,
        connection: ConnectionId,
        client_id: &'static str,
        version: i16,
        request: &M,
    ) -> u64 {
        let (id, inbound) = self.inbound(connection, client_id, version, request);
        self.event(Event::Request(id, inbound));
        id.sequence
    }

    /// A request as the core gets it.
    pub fn inbound<M: Message>(
        &mut self,
        connection: ConnectionId,
        client_id: &'static str,
        version: i16,
        request: &M,
    ) -> (RequestId, router::Inbound) {
        let key = M::SCHEMA.key.expect("a request has a key");
        let client_id = Str::from(client_id);
        let parts = frame::encode_request(key, version, 5, Some(&client_id), request)
            .expect("a request of a test fits its version");
        let frame = Bytes::from(parts.concat()).slice(4..);
        let inbound = router::decode(frame).expect("a request of a test is one");
        let sequence = self.sequence;
        self.sequence += 1;
        (RequestId { connection, sequence }, inbound)
    }

    /// The answer to a request, if there is one by now.
    pub fn answer(&mut self, sequence: u64) -> Option<Response> {
        let times = self.times_answered.get(&sequence).copied().unwrap_or(0);
        assert!(times <= 1, "a request is answered once");
        self.answers.remove(&sequence)
    }

    /// The records of the first partition that a Fetch was answered.
    pub fn first_records(&mut self, sequence: u64) -> Bytes {
        let Some(Response::Fetch(mut answer)) = self.answer(sequence) else {
            panic!("not answered, or otherwise");
        };
        let partition = answer.responses.remove(0).partitions.remove(0);
        assert_eq!(partition.error_code, ErrorCode::NONE);
        partition.records.expect("never null").to_bytes()
    }

    /// Sends a request that is answered at once.
    pub fn ask<M: Message>(&mut self, version: i16, request: &M) -> Response {
        let sequence = self.send(version, request);
        self.answer(sequence).expect("this is answered at once")
    }

    pub fn create_topic(&mut self, name: &str, partitions: i32, configs: &[(&str, &str)]) {
        let code = self.try_create_topic(name, partitions, configs);
        assert_eq!(code, ErrorCode::NONE);
    }

    pub fn try_create_topic(&mut self, name: &str, partitions: i32, configs: &[(&str, &str)]) -> ErrorCode {
        match self.ask(7, &create_topic_request(name, partitions, configs)) {
            Response::CreateTopics(response) => response.topics[0].error_code,
            other => panic!("{other:?}"),
        }
    }

    /// What stands in a small file.
    pub fn file(&self, path: &str) -> String {
        let bytes = sys::read_all(&*self.fs, Path::new(path), 1 << 20).expect("the file is there");
        String::from_utf8(bytes).expect("text")
    }

    /// The names in a directory.
    pub fn names(&self, path: &str) -> Vec<String> {
        let entries = self.fs.list_dir(Path::new(path)).expect("the directory is there");
        entries.into_iter().map(|entry| entry.name).collect()
    }

    /// Bytes of a file.
    pub fn file_len(&self, path: &str) -> u64 {
        let file = self.disk.open(Path::new(path), sys::Mode::Read);
        file.and_then(|file| file.len()).expect("the file is there")
    }

    pub fn remove(&self, path: &str) {
        self.disk.remove(Path::new(path)).expect("the file is there");
    }

    pub fn make_dir(&self, path: &str) {
        self.fs
            .create_dir(Path::new(path))
            .expect("a directory can be made");
    }
}

pub(crate) fn create_topic_request(
    name: &str,
    partitions: i32,
    configs: &[(&str, &str)],
) -> CreateTopicsRequest {
    let configs = configs.iter().map(|(name, value)| CreatableTopicConfig {
        name: (*name).to_owned().into(),
        value: Some((*value).to_owned().into()),
    });
    let topic = CreatableTopic {
        name: name.to_owned().into(),
        num_partitions: partitions,
        replication_factor: 1,
        configs: configs.collect(),
        ..CreatableTopic::default()
    };
    CreateTopicsRequest {
        topics: vec![topic],
        timeout_ms: 1_000,
        ..Default::default()
    }
}

/// Unwraps the answer of an API.
macro_rules! answered {
    ($api:ident, $response:expr) => {
        match $response {
            crate::router::Response::$api(response) => response,
            other => panic!("answered with something else: {other:?}"),
        }
    };
}
pub(crate) use answered;

/// The bytes of one batch with these values.
pub(crate) fn batch(values: &[&str]) -> Records {
    let mut batch = BatchBuilder::new(Compression::None);
    for value in values {
        batch.append(1_700_000_000_000, None, Some(value.as_bytes()));
    }
    Records::from(batch.finish().to_bytes())
}
