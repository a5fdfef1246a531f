//! What must hold, whatever breaks. Clients tell what they were told; the first contradiction ends the run.
//!
//! - **No lost write**: what was acknowledged is read, at the offset that was acknowledged.
//! - **Offset agreement**: one offset of a partition has one value for ever, whoever reads it and when.
//! - **Polls without gaps**: a reader that goes on where it stopped misses no offset and sees none twice.
//! - **No duplicate**: what an idempotent producer sent lies at one offset at most.
//! - **Committed offsets stay**: a group's offset is the one committed last. Generations grow, and in each of them
//!   a partition has one owner.
//! - **Metadata stays**: a topic that was created exists until it is deleted, and then never again.
//! - **The beginning stays**: a log that was trimmed does not begin earlier again while the broker runs, and only
//!   what lies before its beginning is out of range.
//! - **The last of a key stays**, where a topic is compacted.
//! - **All or nothing**: readers of committed records see a transaction whole, in order and once, or not at all; of
//!   an open or aborted one nothing. Where transactions are written, the power stays on.
//! - A high watermark never lies below what was acknowledged before somebody asked for it.
//!
//! Killing the process takes nothing back. A power cut may take back what was not synced: then of topics that do
//! not ask for a sync before the acknowledgement, and of group offsets, only what comes after it counts. Topics
//! that do ask, and the metadata, owe everything.

mod groups;
mod ledger;
mod topics;

pub use groups::GroupChecker;
pub use ledger::{Entry, Fate, Ledger};
pub use topics::{LeastStart, Promise, Sent, Value, key_of};

use std::collections::{BTreeMap, BTreeSet};

use klamm_protocol::Uuid;

/// When something was asked for: an answer says nothing about what a power cut did after the question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticket {
    pub(crate) power_cuts: u64,
}

/// See the module.
#[derive(Default)]
pub struct Checker {
    failure: Option<String>,
    power_cuts: u64,
    /// How often the broker's process ended, in whatever way.
    ends: u64,
    topics: BTreeMap<Uuid, topics::Topic>,
    partitions: BTreeMap<(Uuid, i32), topics::Partition>,
    sent: BTreeMap<Value, Sent>,
    next_value: Value,
    /// Ids whose deletion was acknowledged.
    deleted: BTreeSet<Uuid>,
    /// The one group.
    pub group: GroupChecker,
    /// Transactions.
    pub ledger: Ledger,
    /// How much was checked: a run that does nothing proves nothing.
    pub counts: Counts,
}

/// What happened in a run.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counts {
    /// Records acknowledged.
    pub acked: u64,
    /// Records read, repeatedly ones each time.
    pub read: u64,
    /// Offsets committed.
    pub commits: u64,
    /// Topics created and deleted.
    pub topic_changes: u64,
    /// Rounds of the group that ended in an assignment.
    pub generations: u64,
    /// Transactions committed.
    pub transactions: u64,
}

impl Counts {
    /// Adds those of another run.
    pub fn add(&mut self, other: &Counts) {
        self.acked += other.acked;
        self.read += other.read;
        self.commits += other.commits;
        self.topic_changes += other.topic_changes;
        self.generations += other.generations;
        self.transactions += other.transactions;
    }
}

impl Checker {
    /// The first contradiction.
    pub fn failure(&self) -> Option<&str> {
        self.failure.as_deref()
    }

    /// Something does not hold.
    pub fn fail(&mut self, what: String) {
        self.failure.get_or_insert(what);
    }

    /// Taken before a question is asked.
    pub fn ticket(&self) -> Ticket {
        Ticket {
            power_cuts: self.power_cuts,
        }
    }

    /// The broker's process ended.
    pub fn ended(&mut self) {
        self.ends += 1;
    }

    /// The power went: forget what was not promised to be durable.
    pub fn power_cut(&mut self) {
        self.power_cuts += 1;
        for ((topic, _), partition) in &mut self.partitions {
            if !self.topics.get(topic).is_some_and(|topic| topic.promise.durable) {
                *partition = topics::Partition::default();
            }
        }
        self.group.power_cut();
    }

    fn is_current(&self, ticket: Ticket) -> bool {
        ticket.power_cuts == self.power_cuts
    }
}
