//! The metadata node: the core on its log.
//!
//! ```text
//! LOG DIR/klamm-metadata/             an ordinary log: offset = Raft index - 1, leader epoch = Raft term
//!   00000000000000000000.log ...      batches of metadata records (see `record`)
//!   quorum-state                      the vote, and how far the log is known to be durable
//!   image                             a snapshot, once there has been a reason for one
//! ```
//!
//! [`MetadataNode::open`] (in `open`) runs on a thread that may wait, and leaves a node that has elected itself
//! and applied everything. From then on it is a core: its effects are jobs for the lane of its log directory.

mod open;

use std::path::PathBuf;
use std::sync::Arc;

use klamm_protocol::ids::{BrokerId, TopicId};
use klamm_protocol::record::{Batch, BatchBuilder, Compression};
use klamm_protocol::{Str, Uuid};
use klamm_storage::{LaneDone, LaneJob, Log, LogKey};

use crate::controller::{ConfigRules, TopicDefaults};
use crate::core::{Core, MetadataFailure, Published};
use crate::image::MetadataImage;
use crate::quorum::LogEntry;
use crate::request::{ControllerRequest, ControllerResponse};

pub use open::OpenError;

/// What the lane calls the metadata log: the id of Kafka's own one (`Uuid.METADATA_TOPIC_ID`), which no topic has.
pub const METADATA_LOG: LogKey = LogKey {
    topic_id: TopicId(Uuid([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1])),
    partition: 0,
};

/// Bytes of one batch, unless a single entry is larger: entries that arrive together share it.
const BATCH_BYTES: usize = 1024 * 1024;

/// What a metadata node has to know.
pub struct MetadataOptions {
    /// The log directory that holds the metadata log.
    pub dir: PathBuf,
    /// Every log directory: one that holds partitions proves that there was a metadata log.
    pub log_dirs: Vec<PathBuf>,
    /// This node.
    pub node_id: BrokerId,
    /// The id of `dir`.
    pub directory_id: Uuid,
    /// The cluster that the node belongs to, where the operator or `meta.properties` says so; a first leader
    /// makes one up otherwise.
    pub cluster_id: Option<Str>,
    /// Features and the levels that a new cluster finalizes them at.
    pub features: Vec<(Str, i16)>,
    /// What settings topics and brokers may have.
    pub rules: Arc<dyn ConfigRules>,
    /// What a topic gets when nobody says.
    pub defaults: TopicDefaults,
    /// Names the sequence of everything that is left to chance: ids, placement. From the operating system for a
    /// real node, and another one at each start.
    pub seed: u64,
    /// Milliseconds since 1970.
    pub now_ms: i64,
}

/// What the node wants done and has to say since it was last asked. Publish before answering: whoever reads an
/// answer may look for what it says.
#[derive(Default)]
pub struct MetadataOutput {
    /// For the lane of [`MetadataOptions::dir`].
    pub jobs: Vec<LaneJob>,
    /// Images in the order they were committed.
    pub published: Vec<Published>,
    /// Answers by the token of their request, in the order of the requests.
    pub answers: Vec<(u64, ControllerResponse)>,
    /// The node cannot go on, and neither can the broker. Told once.
    pub failure: Option<MetadataFailure>,
}

/// The quorum of the metadata log (Kafka: `DescribeQuorum`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuorumState {
    /// Who leads, if this node knows.
    pub leader: Option<BrokerId>,
    /// Raft's term.
    pub leader_epoch: i32,
    /// Offsets below it are committed.
    pub high_watermark: i64,
    /// Who votes.
    pub voters: Vec<QuorumReplica>,
}

/// A voter's log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuorumReplica {
    /// The node.
    pub node_id: BrokerId,
    /// The directory that holds its log.
    pub directory_id: Uuid,
    /// Where its log ends, if this node knows.
    pub log_end_offset: Option<i64>,
}

/// This node's part in the cluster's metadata: log, quorum, controller and image.
pub struct MetadataNode {
    core: Core,
    node_id: BrokerId,
    log: Log,
    jobs: Vec<LaneJob>,
    now_ms: i64,
}

impl MetadataNode {
    /// Takes a request. Its answer leaves by [`MetadataNode::drain`] under `token`, once what it says is committed
    /// and applied; the node gives every request exactly one answer.
    pub fn request(&mut self, token: u64, request: ControllerRequest, now_ms: i64) {
        self.now_ms = self.now_ms.max(now_ms);
        self.core.request(token, request);
        self.append();
    }

    /// Time goes on; to be called every 100 ms.
    pub fn tick(&mut self) {
        self.core.tick();
        self.log.retry(&mut self.jobs);
        self.append_again();
    }

    /// Takes the report of a job for [`METADATA_LOG`].
    pub fn on_done(&mut self, done: LaneDone) {
        let progress = self.log.on_done(done, &mut self.jobs);
        if progress.offline {
            let reason = self.log.offline_reason().unwrap_or_default().to_owned();
            return self.core.fail(MetadataFailure::Log(reason));
        }
        if progress.acknowledged {
            self.core
                .log_is_durable(index_before(self.log.acknowledged_end()));
            self.append();
        }
    }

    /// What there is to do and to say.
    pub fn drain(&mut self) -> MetadataOutput {
        MetadataOutput {
            jobs: std::mem::take(&mut self.jobs),
            published: self.core.take_published(),
            answers: self.core.take_answers(),
            failure: self.core.take_failure(),
        }
    }

    /// How the quorum stands, as far as this node knows.
    pub fn quorum(&self) -> QuorumState {
        let quorum = &self.core.quorum;
        let voters = &self.core.image().voters;
        let (leader, term) = quorum.leader();
        let leader = voters.iter().find(|voter| leader == Some(voter.raft_id));
        let replicas = voters.iter().map(|voter| QuorumReplica {
            node_id: voter.node_id,
            directory_id: voter.directory_id,
            log_end_offset: match voter.node_id == self.node_id {
                true => Some(self.log.log_end_offset()),
                false => quorum
                    .matched_index(voter.raft_id)
                    .map(|index| offset_of(index) + 1),
            },
        });
        QuorumState {
            leader: leader.map(|voter| voter.node_id),
            leader_epoch: i32::try_from(term).expect("2^31 elections never happen"),
            high_watermark: offset_of(quorum.committed_index()) + 1,
            voters: replicas.collect(),
        }
    }

    /// The image as of the last committed record.
    pub fn image(&self) -> &Arc<MetadataImage> {
        self.core.image()
    }

    fn append(&mut self) {
        // Entries that do not follow the log's end wait for `append_again`: what stood before them was lost.
        let entries = self.core.quorum.take_appends();
        if entries
            .first()
            .is_some_and(|first| first.index == index_before(self.log.log_end_offset()) + 1)
        {
            self.append_entries(&entries);
        }
    }

    /// A full disk takes entries out of the log again, but not out of Raft: they are appended until they stay.
    fn append_again(&mut self) {
        let end = index_before(self.log.log_end_offset());
        if end + 1 < self.core.quorum.next_index() {
            let entries = self.core.quorum.entries_from(end + 1);
            self.append_entries(&entries);
        }
        self.append();
    }

    fn append_entries(&mut self, entries: &[LogEntry]) {
        let batches = batches(entries, self.now_ms);
        if let Err(error) = self.log.append_replicated(batches, self.now_ms, &mut self.jobs) {
            self.core.fail(MetadataFailure::Log(error.to_string()));
        }
    }
}

/// The Raft index of the entry before an offset.
fn index_before(offset: i64) -> u64 {
    u64::try_from(offset).expect("offsets of the metadata log begin at 0")
}

/// The offset of an entry.
fn offset_of(index: u64) -> i64 {
    i64::try_from(index).expect("2^63 entries are never written") - 1
}

/// Entries as batches: one for each row of entries of the same term, unless that gets too large.
fn batches(entries: &[LogEntry], now_ms: i64) -> Vec<Batch> {
    let mut batches = Vec::new();
    let mut rest = entries;
    while let Some(first) = rest.first() {
        let mut batch = BatchBuilder::new(Compression::None);
        let term = i32::try_from(first.term).expect("2^31 elections never happen");
        batch.at(offset_of(first.index), term);
        let mut count = 0;
        for entry in rest.iter().take_while(|entry| entry.term == first.term) {
            if count > 0 && batch.size() + entry.value.len() > BATCH_BYTES {
                break;
            }
            batch.append(now_ms, None, Some(&entry.value));
            count += 1;
        }
        batches.push(batch.finish());
        rest = &rest[count..];
    }
    batches
}

const _: () = {
    const fn is_send<T: Send>() {}
    is_send::<MetadataNode>();
};

#[cfg(test)]
mod tests;
