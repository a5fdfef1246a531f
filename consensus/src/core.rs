//! The metadata node without its disk: what is asked is decided, proposed, and answered once it is committed and
//! applied.
//!
//! Two images: `image` holds what is committed and is what brokers see; `decided` also holds what is proposed,
//! and is what the next request is decided against. A leader's proposals are committed in order or not at all,
//! so the one always becomes the other.

use std::collections::VecDeque;
use std::sync::Arc;

use klamm_protocol::ids::BrokerId;
use klamm_protocol::{ErrorCode, Str, Uuid};

use crate::controller::{Controller, Decision};
use crate::image::{MetadataDelta, MetadataImage};
use crate::quorum::{LogEntry, Origin, Quorum, QuorumError, Vote};
use crate::random::Random;
use crate::record::{ClusterFormed, FeatureRecord, MetadataRecord, RecordError, VoterRecord};
use crate::replay::{ReplayError, replay};
use crate::request::{ControllerRequest, ControllerResponse, Refusal};

/// Requests whose records are not committed yet.
const MAX_WAITING: usize = 10_000;
/// Bytes of one record. 10,000 partitions take 300 KB; only settings can be larger.
pub(crate) const MAX_RECORD_BYTES: usize = 4 * 1024 * 1024;

/// An image that is committed, and how it differs from the one published before it.
#[derive(Clone, Debug)]
pub struct Published {
    /// The image.
    pub image: Arc<MetadataImage>,
    /// What changed.
    pub delta: MetadataDelta,
    /// The Raft index of the last record in it.
    pub index: u64,
}

/// Why this node cannot go on. It must stop: its image would no longer be everyone's.
#[derive(Debug, thiserror::Error)]
pub enum MetadataFailure {
    /// A committed record that this node cannot read.
    #[error("entry {index} of the metadata log: {cause}")]
    Record {
        /// Where it stands.
        index: u64,
        /// What is wrong with it.
        cause: RecordError,
    },
    /// A committed record that contradicts those before it.
    #[error("entry {index} of the metadata log: {cause}")]
    Replay {
        /// Where it stands.
        index: u64,
        /// What is wrong with it.
        cause: ReplayError,
    },
    /// The metadata log cannot be written any more.
    #[error("metadata log: {0}")]
    Log(String),
}

/// How a cluster begins, should it not have begun yet.
#[derive(Clone, Debug)]
pub(crate) struct Formation {
    pub(crate) cluster_id: Option<Str>,
    pub(crate) node_id: BrokerId,
    pub(crate) raft_id: u64,
    pub(crate) directory_id: Uuid,
    pub(crate) features: Vec<(Str, i16)>,
}

/// What lies on the disk when the node starts.
#[derive(Debug, Default)]
pub(crate) struct Saved {
    pub(crate) vote: Vote,
    /// Where `image` stands in the log.
    pub(crate) origin: Origin,
    pub(crate) image: MetadataImage,
    /// The log behind `origin`.
    pub(crate) entries: Vec<LogEntry>,
}

pub(crate) struct Core {
    pub(crate) quorum: Quorum,
    controller: Controller,
    random: Random,
    image: Arc<MetadataImage>,
    decided: MetadataImage,
    applied: Origin,
    waiting: VecDeque<Waiting>,
    answers: Vec<(u64, ControllerResponse)>,
    published: Vec<Published>,
    failure: Option<MetadataFailure>,
    failed: bool,
}

/// An answer that leaves once `index` is applied.
struct Waiting {
    index: u64,
    token: u64,
    response: ControllerResponse,
}

/// Why the core cannot start.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StartError {
    #[error(transparent)]
    Quorum(#[from] QuorumError),
    #[error(transparent)]
    Failure(#[from] MetadataFailure),
}

impl Core {
    /// Starts from what the disk holds. A cluster that has not begun is formed at once, by a record behind the
    /// leader's first entry.
    pub(crate) fn start(
        saved: Saved,
        formation: Formation,
        controller: Controller,
        mut random: Random,
    ) -> Result<Core, StartError> {
        // This node is going to lead and has every entry: all of them will be committed.
        let mut decided = saved.image.clone();
        for entry in &saved.entries {
            apply(&mut decided, &mut MetadataDelta::default(), entry)?;
        }
        let own = Random::new(random.draw());
        let quorum = Quorum::start(formation.raft_id, saved.vote, saved.origin, saved.entries, own)?;
        let mut core = Core {
            quorum,
            controller,
            random,
            image: Arc::new(saved.image),
            decided,
            applied: saved.origin,
            waiting: VecDeque::new(),
            answers: Vec::new(),
            published: Vec::new(),
            failure: None,
            failed: false,
        };
        if core.decided.cluster_id.is_empty() {
            core.form(formation);
        }
        Ok(core)
    }

    fn form(&mut self, formation: Formation) {
        let cluster_id = formation
            .cluster_id
            .unwrap_or_else(|| Str::from(self.random.uuid().to_string()));
        let record = MetadataRecord::from(ClusterFormed {
            cluster_id,
            voters: vec![VoterRecord {
                raft_id: formation.raft_id.cast_signed(),
                node_id: formation.node_id.0,
                directory_id: formation.directory_id,
            }],
            features: formation
                .features
                .into_iter()
                .map(|(name, level)| FeatureRecord { name, level })
                .collect(),
        });
        let applied = replay(&mut self.decided, &mut MetadataDelta::default(), &record);
        assert!(
            applied.is_ok() && self.quorum.propose(&record.encode()),
            "a quorum of one leads from the start"
        );
    }

    /// Takes a request; its answer bears the token.
    pub(crate) fn request(&mut self, token: u64, request: ControllerRequest) {
        let refusal = if self.failed {
            Refusal::new(
                ErrorCode::UNKNOWN_SERVER_ERROR,
                "The metadata log of this node has failed.",
            )
        } else if !self.quorum.is_leader() {
            Refusal::code(ErrorCode::NOT_CONTROLLER)
        } else if self.waiting.len() >= MAX_WAITING {
            Refusal::new(
                ErrorCode::REQUEST_TIMED_OUT,
                "Too many requests wait for the metadata log.",
            )
        } else {
            return self.decide(token, request);
        };
        self.answers.push((token, ControllerResponse::Refused(refusal)));
    }

    fn decide(&mut self, token: u64, request: ControllerRequest) {
        let next_index = self.quorum.next_index();
        let Decision {
            records,
            response,
            image,
        } = self
            .controller
            .decide(&self.decided, request, next_index, &mut self.random);
        let values: Vec<_> = records.iter().map(MetadataRecord::encode).collect();
        if values.iter().any(|value| value.len() > MAX_RECORD_BYTES) {
            let refusal = Refusal::new(
                ErrorCode::POLICY_VIOLATION,
                "The request asks for too much at once.",
            );
            self.answers.push((token, ControllerResponse::Refused(refusal)));
            return;
        }
        for value in &values {
            assert!(
                self.quorum.propose(value),
                "a leader without a limit on what waits takes every proposal"
            );
        }
        self.decided = image;
        // An answer without records depends on those before it all the same: "exists" must not be said of a
        // topic that a crash may still take away.
        self.waiting.push_back(Waiting {
            index: self.quorum.next_index() - 1,
            token,
            response,
        });
        self.apply_committed();
    }

    pub(crate) fn tick(&mut self) {
        self.quorum.tick();
        self.apply_committed();
    }

    /// The log up to `index` will survive a crash.
    pub(crate) fn log_is_durable(&mut self, index: u64) {
        self.quorum.log_is_durable(index);
        self.apply_committed();
    }

    fn apply_committed(&mut self) {
        let entries = self.quorum.take_committed();
        let Some(last) = entries.last().map(|e| Origin {
            index: e.index,
            term: e.term,
        }) else {
            return self.answer();
        };
        if self.failed {
            return;
        }
        let mut image = MetadataImage::clone(&self.image);
        let mut delta = MetadataDelta::default();
        for entry in &entries {
            if let Err(failure) = apply(&mut image, &mut delta, entry) {
                return self.fail(failure);
            }
        }
        self.applied = last;
        self.image = Arc::new(image);
        self.published.push(Published {
            image: Arc::clone(&self.image),
            delta,
            index: last.index,
        });
        self.answer();
    }

    fn answer(&mut self) {
        while let Some(done) = self.waiting.pop_front_if(|w| w.index <= self.applied.index) {
            self.answers.push((done.token, done.response));
        }
    }

    /// Ends it: nothing is decided or applied any more, and whoever waits is told that nobody knows.
    pub(crate) fn fail(&mut self, failure: MetadataFailure) {
        if self.failed {
            return;
        }
        let message = "The metadata log of this node has failed.";
        for waiting in std::mem::take(&mut self.waiting) {
            let refusal = Refusal::new(ErrorCode::UNKNOWN_SERVER_ERROR, message);
            self.answers
                .push((waiting.token, ControllerResponse::Refused(refusal)));
        }
        self.failed = true;
        self.failure = Some(failure);
    }

    pub(crate) fn image(&self) -> &Arc<MetadataImage> {
        &self.image
    }

    /// The image with everything that is proposed.
    pub(crate) fn decided(&self) -> &MetadataImage {
        &self.decided
    }

    /// The last entry in the image.
    pub(crate) fn applied(&self) -> Origin {
        self.applied
    }

    pub(crate) fn take_answers(&mut self) -> Vec<(u64, ControllerResponse)> {
        std::mem::take(&mut self.answers)
    }

    pub(crate) fn take_published(&mut self) -> Vec<Published> {
        std::mem::take(&mut self.published)
    }

    pub(crate) fn take_failure(&mut self) -> Option<MetadataFailure> {
        self.failure.take()
    }
}

fn apply(
    image: &mut MetadataImage,
    delta: &mut MetadataDelta,
    entry: &LogEntry,
) -> Result<(), MetadataFailure> {
    let index = entry.index;
    let record = MetadataRecord::decode(entry.value.clone())
        .map_err(|cause| MetadataFailure::Record { index, cause })?;
    replay(image, delta, &record).map_err(|cause| MetadataFailure::Replay { index, cause })
}
