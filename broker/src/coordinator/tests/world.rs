//! A coordinator with a log under it that the test holds in its hands.

use crate::coordinator::Sharded;
use std::collections::{BTreeMap, BTreeSet};

use klamm_protocol::record::{Batch, INFLATE_LIMIT_BYTES};
use klamm_protocol::{ErrorCode, Str, Uuid};

use crate::coordinator::records::{self, Stored};
use crate::coordinator::{
    Caller, Coordinator, CoordinatorConfig, GroupRequest, GroupResponse, Output, Topics,
};
use crate::{ConnectionId, Now, RequestId};

/// When the tests' clocks begin, in milliseconds of the epoch.
pub const START_UNIX_MS: i64 = 1_000_000;

/// Topics with three partitions each. Ids are made of the first letter of the name.
pub struct TestTopics(pub BTreeSet<String>);

impl TestTopics {
    pub fn id(name: &str) -> Uuid {
        Uuid([name.bytes().next().unwrap_or(0); 16])
    }
}

impl Topics for TestTopics {
    fn id_of(&self, name: &str) -> Option<Uuid> {
        self.0.contains(name).then(|| TestTopics::id(name))
    }

    fn name_of(&self, id: Uuid) -> Option<Str> {
        self.0
            .iter()
            .find(|name| TestTopics::id(name) == id)
            .map(|name| Str::from(name.as_str()))
    }

    fn has_partition(&self, name: &str, partition: i32) -> bool {
        self.0.contains(name) && (0..3).contains(&partition)
    }
}

/// The coordinator and its surroundings.
pub struct World {
    pub coordinator: Coordinator,
    pub now: Now,
    pub topics: TestTopics,
    /// The log of each partition.
    pub logs: BTreeMap<i32, Vec<Batch>>,
    /// How many batches of each log are committed.
    committed: BTreeMap<i32, usize>,
    /// Appends are taken, but not committed.
    pub held: bool,
    /// The next append fails.
    pub fails: bool,
    /// Answers that came out, oldest first.
    pub answers: Vec<(RequestId, GroupResponse)>,
    /// Ends of transactions that are written, or could not be.
    pub ended: Vec<(u64, ErrorCode)>,
    /// Requests that have no answer yet.
    pub unanswered: BTreeSet<RequestId>,
    config: CoordinatorConfig,
    next_sequence: u64,
}

impl World {
    pub fn new(config: CoordinatorConfig, seed: u64) -> World {
        let mut world = World {
            coordinator: Coordinator::new(config.clone(), seed),
            now: Now {
                elapsed_ms: 0,
                unix_ms: START_UNIX_MS,
            },
            topics: TestTopics(["t", "u"].map(String::from).into()),
            logs: (0..config.partitions)
                .map(|partition| (partition, Vec::new()))
                .collect(),
            committed: BTreeMap::new(),
            held: false,
            fails: false,
            answers: Vec::new(),
            ended: Vec::new(),
            unanswered: BTreeSet::new(),
            config,
            next_sequence: 0,
        };
        world.load_all();
        world
    }

    /// Asks as a client; the answer comes now or later.
    pub fn ask(&mut self, client: &str, version: i16, request: GroupRequest) -> RequestId {
        let id = RequestId {
            connection: ConnectionId(1),
            sequence: self.next_sequence,
        };
        self.next_sequence += 1;
        self.unanswered.insert(id);
        let caller = Caller {
            id,
            version,
            client_id: client.into(),
            client_host: "/10.0.0.1".into(),
        };
        self.coordinator.request(self.now, caller, request, &self.topics);
        self.settle();
        id
    }

    /// Lets time pass, and everything in it happen when it is due.
    pub fn advance(&mut self, ms: u64) {
        let end_ms = self.now.elapsed_ms + ms;
        while let Some(due_ms) = self
            .coordinator
            .next_deadline_ms()
            .filter(|due_ms| *due_ms <= end_ms)
        {
            self.set_time(due_ms.max(self.now.elapsed_ms));
            self.coordinator.tick(self.now);
            self.settle();
        }
        self.set_time(end_ms);
    }

    fn set_time(&mut self, elapsed_ms: u64) {
        self.now = Now {
            elapsed_ms,
            unix_ms: START_UNIX_MS + elapsed_ms as i64,
        };
    }

    /// Commits what was held.
    pub fn release(&mut self) {
        self.held = false;
        for (partition, log) in &self.logs {
            self.committed.insert(*partition, log.len());
            self.coordinator.committed(*partition, end_offset(log));
        }
        self.settle();
    }

    /// Drops the partitions and loads them from their logs, as after a crash or a failed append. What was not
    /// committed may be lost or not; here it is not.
    pub fn load_all(&mut self) {
        for partition in self.logs.keys().copied().collect::<Vec<_>>() {
            self.load(partition);
        }
    }

    /// All partitions lose what was not committed, and are loaded again.
    pub fn crash(&mut self) {
        for (partition, log) in &mut self.logs {
            log.truncate(self.committed.get(partition).copied().unwrap_or(0));
        }
        self.held = false;
        self.load_all();
    }

    /// Drops a partition and loads it from its log.
    pub fn load(&mut self, partition: i32) {
        let load = self.coordinator.start_loading(partition);
        let log = &self.logs[&partition];
        for batch in log {
            self.coordinator.load_batch(load, batch).unwrap();
        }
        self.coordinator.loaded(self.now, load, end_offset(log), 0);
        self.committed.insert(partition, log.len());
        self.coordinator.committed(partition, end_offset(log));
        self.settle();
    }

    /// A coordinator that knows only what the logs say.
    pub fn reloaded(&self) -> World {
        let mut other = World::new(self.config.clone(), 1);
        other.now = self.now;
        other.logs = self.logs.clone();
        other.load_all();
        other
    }

    /// Carries out what the coordinator wants, until it wants nothing.
    pub fn settle(&mut self) {
        loop {
            let outputs = self.coordinator.drain();
            if outputs.is_empty() {
                return;
            }
            for output in outputs {
                match output {
                    Output::Answer(id, response) => {
                        assert!(self.unanswered.remove(&id), "{id:?} is answered once");
                        self.answers.push((id, response));
                    }
                    Output::Ended(token, code) => self.ended.push((token, code)),
                    Output::Append { partition, .. } if self.fails => {
                        self.fails = false;
                        self.coordinator.failed(partition);
                        self.load(partition);
                    }
                    Output::Append { partition, batch } => self.append(partition, batch),
                }
            }
        }
    }

    fn append(&mut self, partition: i32, mut batch: Batch) {
        let log = self.logs.get_mut(&partition).unwrap();
        batch.assign(end_offset(log), 0);
        log.push(batch);
        let end = end_offset(log);
        self.coordinator.appended(partition, end - 1);
        if !self.held {
            self.committed.insert(partition, log.len());
            self.coordinator.committed(partition, end);
        }
    }

    /// All records of all logs, in order for each partition.
    pub fn records(&self) -> Vec<Stored> {
        let batches = self.logs.values().flatten();
        let records = batches.flat_map(|batch| batch.records(INFLATE_LIMIT_BYTES).unwrap());
        records
            .map(|record| {
                let record = record.unwrap();
                records::read(&record.key.unwrap(), record.value.as_ref()).unwrap()
            })
            .collect()
    }
}

fn end_offset(log: &[Batch]) -> i64 {
    log.last().map_or(0, |batch| batch.header().last_offset() + 1)
}
