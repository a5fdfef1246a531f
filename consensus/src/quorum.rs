//! Raft, fenced in: what the rest of this room sees of it are values to append, values that are committed, and
//! a vote to write down.
//!
//! Runs a quorum of one: it elects itself at start and sends no messages. It knows no disk either: whoever
//! drives it appends what [`Quorum::take_appends`] gives and reports how far the log is durable.

use std::collections::VecDeque;

use bytes::Bytes;
use raft::eraftpb::{ConfState, Entry, EntryType, HardState, Snapshot};
use raft::{Config, GetEntriesContext, RaftState, RawNode, StateRole, Storage, StorageError};

use crate::random::Random;
use crate::record::{MetadataRecord, RaftEntry};

/// Ticks without a leader before an election: between this and twice as many.
const ELECTION_TICKS: usize = 10;
const HEARTBEAT_TICKS: usize = 2;
/// Bytes of entries in one message to a follower, and of committed entries handed on at a time.
const MAX_MESSAGE_BYTES: u64 = 1024 * 1024;
const MAX_COMMITTED_BYTES: u64 = 16 * 1024 * 1024;
/// Applied entries are dropped from memory so many at a time.
const TRIM_ENTRIES: usize = 1024;

/// What a node must not forget across its restarts: a vote given twice elects two leaders.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Vote {
    /// The highest term seen.
    pub(crate) term: u64,
    /// Who got this node's vote in it, 0 for nobody.
    pub(crate) candidate: u64,
}

/// Where a log begins: the last entry before its first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Origin {
    pub(crate) index: u64,
    pub(crate) term: u64,
}

/// An entry of the log: the value of its record, as [`crate::record`] describes it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct LogEntry {
    pub(crate) index: u64,
    pub(crate) term: u64,
    pub(crate) value: Bytes,
}

/// Why Raft cannot start on what the disk holds.
#[derive(Debug, thiserror::Error)]
#[error("raft does not start: {0}")]
pub struct QuorumError(String);

/// One node's part in the quorum.
pub(crate) struct Quorum {
    raw: RawNode<Store>,
    random: Random,
    election_timeout: usize,
    /// What Raft waits for, oldest first.
    unsettled: VecDeque<Unsettled>,
    vote: Option<Vote>,
    appends: Vec<LogEntry>,
    committed: Vec<LogEntry>,
    durable_index: u64,
}

/// One step of Raft that counts once it is durable.
struct Unsettled {
    number: u64,
    last_index: u64,
    has_vote: bool,
}

impl Quorum {
    /// Starts from what the disk holds, and campaigns: nobody else could be elected. `entries` follow on
    /// `origin`, up to which everything is applied.
    ///
    /// # Errors
    /// When Raft refuses what the disk holds.
    pub(crate) fn start(
        raft_id: u64,
        vote: Vote,
        origin: Origin,
        entries: Vec<LogEntry>,
        random: Random,
    ) -> Result<Quorum, QuorumError> {
        let config = Config {
            applied: origin.index,
            election_tick: ELECTION_TICKS,
            heartbeat_tick: HEARTBEAT_TICKS,
            max_size_per_msg: MAX_MESSAGE_BYTES,
            max_committed_size_per_ready: MAX_COMMITTED_BYTES,
            check_quorum: true,
            pre_vote: true,
            ..Config::new(raft_id)
        };
        let durable_index = entries.last().map_or(origin.index, |entry| entry.index);
        let mut last = origin;
        for entry in &entries {
            if entry.index != last.index + 1 || entry.term < last.term {
                let (index, term) = (entry.index, entry.term);
                return Err(QuorumError(format!(
                    "entry {index} of term {term} follows on {last:?}"
                )));
            }
            last = Origin {
                index: entry.index,
                term: entry.term,
            };
        }
        let store = Store {
            hard_state: HardState {
                term: vote.term.max(last.term),
                vote: if vote.term >= last.term { vote.candidate } else { 0 },
                commit: origin.index,
            },
            conf_state: ConfState {
                voters: vec![raft_id],
                ..ConfState::default()
            },
            origin,
            entries: entries.into_iter().map(raft_entry).collect::<Result<_, _>>()?,
        };
        let refused = |error: raft::Error| QuorumError(error.to_string());
        let raw = RawNode::new(&config, store, &logger()).map_err(refused)?;
        let mut quorum = Quorum {
            raw,
            random,
            election_timeout: 0,
            unsettled: VecDeque::new(),
            vote: None,
            appends: Vec::new(),
            committed: Vec::new(),
            durable_index,
        };
        quorum.raw.campaign().map_err(refused)?;
        quorum.settle();
        Ok(quorum)
    }

    /// Whether this node leads, and may propose.
    pub(crate) fn is_leader(&self) -> bool {
        self.raw.raft.state == StateRole::Leader
    }

    /// The Raft id of the leader that this node knows, and the term.
    pub(crate) fn leader(&self) -> (Option<u64>, u64) {
        let raft = &self.raw.raft;
        let known = (raft.leader_id != raft::INVALID_ID).then_some(raft.leader_id);
        (known, raft.term)
    }

    /// The last index that the quorum has committed.
    pub(crate) fn committed_index(&self) -> u64 {
        self.raw.raft.raft_log.committed
    }

    /// How far a voter's log is known to agree with this one's: only a leader knows.
    pub(crate) fn matched_index(&self, raft_id: u64) -> Option<u64> {
        let progress = self.raw.raft.prs().get(raft_id).filter(|_| self.is_leader());
        progress.map(|progress| progress.matched)
    }

    /// The index that the next proposal gets.
    pub(crate) fn next_index(&self) -> u64 {
        self.raw.raft.raft_log.last_index() + 1
    }

    /// Proposes a record; false when it is not taken, because this node does not lead.
    pub(crate) fn propose(&mut self, value: &Bytes) -> bool {
        // A follower would forward the proposal, and nobody would know where it stands.
        let taken = self.is_leader() && self.raw.propose(Vec::new(), value.to_vec()).is_ok();
        self.settle();
        taken
    }

    /// Time goes on by one tick.
    pub(crate) fn tick(&mut self) {
        self.raw.tick();
        self.settle();
    }

    /// The vote to write down, if there is one; then [`Quorum::vote_is_durable`].
    pub(crate) fn vote(&self) -> Option<Vote> {
        self.vote
    }

    /// The vote will survive a crash.
    pub(crate) fn vote_is_durable(&mut self) {
        self.vote = None;
        for step in &mut self.unsettled {
            step.has_vote = false;
        }
        self.settle();
    }

    /// Entries to append to the log, in order; then [`Quorum::log_is_durable`].
    pub(crate) fn take_appends(&mut self) -> Vec<LogEntry> {
        std::mem::take(&mut self.appends)
    }

    /// Entries from `index` on that are in memory, for a log that failed to take them the first time.
    pub(crate) fn entries_from(&self, index: u64) -> Vec<LogEntry> {
        self.raw
            .store()
            .entries
            .iter()
            .filter(|e| e.index >= index)
            .map(log_entry)
            .collect()
    }

    /// The log up to `index` will survive a crash.
    pub(crate) fn log_is_durable(&mut self, index: u64) {
        self.durable_index = self.durable_index.max(index);
        self.settle();
    }

    /// Entries that the quorum has committed, in order. They count as applied from here on.
    pub(crate) fn take_committed(&mut self) -> Vec<LogEntry> {
        std::mem::take(&mut self.committed)
    }

    /// Carries everything out of Raft, and back into it what has become durable, until nothing moves.
    fn settle(&mut self) {
        loop {
            while self.raw.has_ready() {
                self.take_ready();
            }
            let durable = |step: &Unsettled| !step.has_vote && step.last_index <= self.durable_index;
            let Some(step) = self.unsettled.pop_front_if(|step| durable(step)) else {
                break;
            };
            self.raw.on_persist_ready(step.number);
        }
        // Raft draws its election timeouts from a source of its own, which no seed repeats.
        let raft = &mut self.raw.raft;
        if raft.randomized_election_timeout() != self.election_timeout {
            let more = usize::try_from(self.random.below(ELECTION_TICKS as u64)).unwrap_or(0);
            self.election_timeout = ELECTION_TICKS + more;
            raft.set_randomized_election_timeout(self.election_timeout);
        }
    }

    fn take_ready(&mut self) {
        let mut ready = self.raw.ready();
        assert!(
            ready.snapshot().is_empty(),
            "a quorum of one sends itself no snapshot"
        );
        let entries = ready.take_entries();
        let committed = ready.take_committed_entries();
        let known = self.raw.store().hard_state;
        let hard_state = ready.hs().copied().unwrap_or(known);
        let has_vote = (hard_state.term, hard_state.vote) != (known.term, known.vote);
        if has_vote {
            self.vote = Some(Vote {
                term: hard_state.term,
                candidate: hard_state.vote,
            });
        }
        self.appends.extend(entries.iter().map(log_entry));
        self.committed.extend(committed.iter().map(log_entry));
        self.unsettled.push_back(Unsettled {
            number: ready.number(),
            last_index: entries.last().map_or(0, |entry| entry.index),
            has_vote,
        });
        let store = self.raw.mut_store();
        store.hard_state = hard_state;
        store.append(entries);
        self.raw.advance_append_async(ready);
        self.raw.advance_apply();
        if let Some(applied) = committed.last() {
            self.raw.mut_store().trim(applied.index);
        }
    }
}

fn log_entry(entry: &Entry) -> LogEntry {
    let value = if entry.entry_type == EntryType::EntryNormal as i32 && !entry.data.is_empty() {
        Bytes::copy_from_slice(&entry.data)
    } else {
        let entry_type = i8::try_from(entry.entry_type).expect("Raft has three types of entries");
        MetadataRecord::from(RaftEntry {
            entry_type,
            data: Bytes::copy_from_slice(&entry.data),
        })
        .encode()
    };
    LogEntry {
        index: entry.index,
        term: entry.term,
        value,
    }
}

fn raft_entry(entry: LogEntry) -> Result<Entry, QuorumError> {
    let LogEntry { index, term, value } = entry;
    let record = MetadataRecord::decode(value.clone()).map_err(|e| QuorumError(e.to_string()))?;
    let (entry_type, data) = match record {
        MetadataRecord::RaftEntry(own) => (i32::from(own.entry_type), own.data.to_vec()),
        _ => (EntryType::EntryNormal as i32, value.to_vec()),
    };
    Ok(Entry {
        entry_type,
        term,
        index,
        data,
        ..Entry::default()
    })
}

/// The entries that Raft may still ask for, in memory: those that are not applied, and a few more.
struct Store {
    hard_state: HardState,
    conf_state: ConfState,
    origin: Origin,
    /// Without a gap, from `origin.index + 1` on.
    entries: Vec<Entry>,
}

impl Store {
    fn append(&mut self, entries: Vec<Entry>) {
        if let Some(first) = entries.first() {
            assert_eq!(
                first.index,
                self.last() + 1,
                "nobody overwrites the log of a quorum of one"
            );
        }
        self.entries.extend(entries);
    }

    fn trim(&mut self, applied: u64) {
        let count = usize::try_from(applied.saturating_sub(self.origin.index)).unwrap_or(usize::MAX);
        if count >= TRIM_ENTRIES {
            let last = &self.entries[count - 1];
            self.origin = Origin {
                index: last.index,
                term: last.term,
            };
            self.entries.drain(..count);
        }
    }

    fn last(&self) -> u64 {
        self.entries.last().map_or(self.origin.index, |entry| entry.index)
    }

    /// Where an index stands in `entries`.
    fn place(&self, index: u64) -> raft::Result<usize> {
        let place = index
            .checked_sub(self.origin.index + 1)
            .ok_or(StorageError::Compacted)?;
        Ok(usize::try_from(place).map_err(|_| StorageError::Unavailable)?)
    }
}

impl Storage for Store {
    fn initial_state(&self) -> raft::Result<RaftState> {
        Ok(RaftState::new(self.hard_state, self.conf_state.clone()))
    }

    fn entries(
        &self,
        low: u64,
        high: u64,
        max_size: impl Into<Option<u64>>,
        _: GetEntriesContext,
    ) -> raft::Result<Vec<Entry>> {
        let range = self.place(low)?..self.place(high)?;
        let mut entries = self.entries.get(range).ok_or(StorageError::Unavailable)?.to_vec();
        raft::util::limit_size(&mut entries, max_size.into());
        Ok(entries)
    }

    fn term(&self, index: u64) -> raft::Result<u64> {
        if index == self.origin.index {
            return Ok(self.origin.term);
        }
        let entry = self
            .entries
            .get(self.place(index)?)
            .ok_or(StorageError::Unavailable)?;
        Ok(entry.term)
    }

    fn first_index(&self) -> raft::Result<u64> {
        Ok(self.origin.index + 1)
    }

    fn last_index(&self) -> raft::Result<u64> {
        Ok(self.last())
    }

    fn snapshot(&self, _: u64, _: u64) -> raft::Result<Snapshot> {
        // Only a follower that is far behind asks for one.
        Err(StorageError::SnapshotTemporarilyUnavailable.into())
    }
}

/// Raft logs through slog; its lines go where all others go.
fn logger() -> slog::Logger {
    slog::Logger::root(slog::Fuse(ToTracing), slog::o!())
}

struct ToTracing;

impl slog::Drain for ToTracing {
    type Ok = ();
    type Err = slog::Never;

    fn log(&self, record: &slog::Record<'_>, _: &slog::OwnedKVList) -> Result<(), slog::Never> {
        let message = record.msg();
        match record.level() {
            slog::Level::Critical | slog::Level::Error => tracing::error!(target: "raft", "{message}"),
            slog::Level::Warning => tracing::warn!(target: "raft", "{message}"),
            // What Raft takes for news is for those who look into it.
            slog::Level::Info | slog::Level::Debug => tracing::debug!(target: "raft", "{message}"),
            slog::Level::Trace => tracing::trace!(target: "raft", "{message}"),
        }
        Ok(())
    }
}
