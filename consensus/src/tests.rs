//! Random requests against a disk in memory that crashes: what was answered is never lost, and every way to an
//! image (as published, replayed from the log, from a snapshot and the log behind it) gives the same one.
//!
//! `KLAMM_SEED=n` runs that seed alone.

use std::sync::Arc;

use bytes::Bytes;
use klamm_protocol::ids::{BrokerId, TopicId};
use klamm_protocol::{Str, Uuid};

use crate::controller::{ConfigRules, Controller, TopicDefaults};
use crate::core::{Core, Formation, Published, Saved};
use crate::image::{ConfigResource, Configs, Endpoint, MetadataDelta, MetadataImage};
use crate::quorum::{LogEntry, Origin, Vote};
use crate::random::Random;
use crate::record::MetadataRecord;
use crate::replay::replay;
use crate::request::{
    BrokerRegistration, ConfigEdit, ConfigEdits, ConfigOp, ControllerRequest, ControllerResponse,
    NewPartitions, NewTopic, Refusal, TopicRef,
};
use crate::snapshot::{decode_image, encode_image};

/// Everything is allowed, and everything is a list.
pub(crate) struct AnyConfig;

impl ConfigRules for AnyConfig {
    fn is_list(&self, _: &ConfigResource, _: &str) -> bool {
        true
    }

    fn default_value(&self, _: &ConfigResource, _: &str) -> Option<String> {
        None
    }

    fn check(&self, _: &ConfigResource, _: &Configs, _: &[&str]) -> Result<(), Refusal> {
        Ok(())
    }
}

pub(crate) fn controller() -> Controller {
    let defaults = TopicDefaults {
        partitions: 2,
        replication_factor: 1,
    };
    Controller::new(Arc::new(AnyConfig), defaults)
}

/// The seeds to run: one that is asked for, or many.
pub(crate) fn seeds(many: u64) -> std::ops::Range<u64> {
    match std::env::var("KLAMM_SEED")
        .ok()
        .and_then(|seed| seed.parse().ok())
    {
        Some(seed) => seed..seed + 1,
        None => 0..many,
    }
}

/// A request of any kind about a handful of names.
pub(crate) fn any_request(random: &mut Random, image: &MetadataImage) -> ControllerRequest {
    let name = |random: &mut Random| {
        Str::from(["a", "b", "c.d", "c_d", "e", "", "f g"][usize::try_from(random.below(7)).unwrap()])
    };
    let validate_only = random.below(8) == 0;
    match random.below(8) {
        0 => register(
            u8::try_from(random.below(200)).unwrap(),
            i64::try_from(random.below(40)).unwrap() - 1,
        ),
        1 | 2 => {
            let topics = (0..1 + random.below(3)).map(|_| NewTopic {
                name: name(random),
                partitions: i32::try_from(random.below(4)).unwrap() - 1,
                replication_factor: i16::try_from(random.below(3)).unwrap() - 1,
                assignments: Vec::new(),
                configs: vec![("retention.ms".into(), Some(random.below(9).to_string().into()))],
            });
            ControllerRequest::CreateTopics {
                topics: topics.collect(),
                validate_only,
            }
        }
        3 => {
            let topics = (0..1 + random.below(2)).map(|_| match image.topic_by_name(&name(random)) {
                Some(topic) if random.below(2) == 0 => TopicRef {
                    name: None,
                    id: topic.id,
                },
                _ => TopicRef {
                    name: Some(name(random)),
                    id: TopicId::default(),
                },
            });
            ControllerRequest::DeleteTopics {
                topics: topics.collect(),
            }
        }
        4 => ControllerRequest::CreatePartitions {
            topics: vec![NewPartitions {
                name: name(random),
                count: i32::try_from(random.below(6)).unwrap(),
                assignments: None,
            }],
            validate_only,
        },
        5 | 6 => {
            let resource = match random.below(3) {
                0 => ConfigResource::Broker(None),
                1 => ConfigResource::Broker(Some(BrokerId(1))),
                _ => ConfigResource::Topic(name(random)),
            };
            let value = Some(Str::from(random.below(3).to_string()));
            let edit = match random.below(5) {
                4 => ConfigEdit::Replace(vec![(name(random), value)]),
                op => {
                    let op = ConfigOp::from_number(i8::try_from(op).unwrap()).unwrap();
                    ConfigEdit::Incremental(vec![(name(random), op, value)])
                }
            };
            ControllerRequest::AlterConfigs {
                edits: vec![ConfigEdits { resource, edit }],
                validate_only,
            }
        }
        _ => ControllerRequest::AllocateProducerIds {
            broker_id: BrokerId(1),
            broker_epoch: image.broker(BrokerId(1)).map_or(-1, |b| b.epoch),
        },
    }
}

pub(crate) fn register(incarnation: u8, previous_epoch: i64) -> ControllerRequest {
    ControllerRequest::RegisterBroker(BrokerRegistration {
        id: BrokerId(1),
        incarnation: Uuid([incarnation; 16]),
        endpoints: vec![Endpoint {
            name: "PLAINTEXT".into(),
            host: "localhost".into(),
            port: 9092,
            security_protocol: 0,
        }],
        rack: Some("r".into()),
        directory_ids: vec![Uuid([9; 16])],
        previous_epoch,
    })
}

/// What a crash leaves, and what it may take away.
#[derive(Default)]
struct Disk {
    vote: Vote,
    entries: Vec<LogEntry>,
    durable: usize,
    snapshot: Option<Bytes>,
}

impl Disk {
    fn start(&self, seed: u64) -> Core {
        let (image, origin) = match &self.snapshot {
            Some(content) => decode_image(content.clone()).expect("its own bytes"),
            None => Default::default(),
        };
        let entries = self
            .entries
            .iter()
            .filter(|e| e.index > origin.index)
            .cloned()
            .collect();
        let saved = Saved {
            vote: self.vote,
            origin,
            image,
            entries,
        };
        let formation = Formation {
            cluster_id: None,
            node_id: BrokerId(1),
            raft_id: 2,
            directory_id: Uuid([9; 16]),
            features: vec![("transaction.version".into(), 2)],
        };
        Core::start(saved, formation, controller(), Random::new(seed)).expect("the disk is whole")
    }

    /// Takes what the node wants written, and makes some of it durable.
    fn write(&mut self, core: &mut Core, everything: bool, random: &mut Random) {
        if let Some(vote) = core.quorum.vote() {
            self.vote = vote;
            core.quorum.vote_is_durable();
        }
        self.entries.extend(core.quorum.take_appends());
        let undurable = (self.entries.len() - self.durable) as u64;
        let more = if everything {
            undurable
        } else {
            random.below(undurable + 1)
        };
        self.durable += usize::try_from(more).unwrap();
        if let Some(last) = self.durable.checked_sub(1) {
            core.log_is_durable(self.entries[last].index);
        }
    }

    /// The end that was not synced is lost, or some of it.
    fn crash(&mut self, random: &mut Random) {
        let undurable = (self.entries.len() - self.durable) as u64;
        self.durable += usize::try_from(random.below(undurable + 1)).unwrap();
        self.entries.truncate(self.durable);
    }

    /// The image after the entry at `index`, from nothing but the log.
    fn replayed(&self, index: u64) -> MetadataImage {
        let mut image = MetadataImage::default();
        for entry in self.entries.iter().filter(|e| e.index <= index) {
            let record = MetadataRecord::decode(entry.value.clone()).expect("it was encoded here");
            replay(&mut image, &mut MetadataDelta::default(), &record).expect("it was decided on this image");
        }
        image
    }
}

/// Follows the published differences, as a broker does.
fn follow(known: &mut Arc<MetadataImage>, published: Vec<Published>) {
    for Published { image, delta, .. } in published {
        let mut topics: Vec<_> = known.topics().cloned().collect();
        topics.retain(|t| !delta.topics.contains_key(&t.id));
        topics.extend(delta.created_topics().cloned());
        topics.extend(delta.changed_topics().map(|(_, after)| Arc::clone(after)));
        topics.sort_by(|a, b| a.name.cmp(&b.name));
        assert!(
            topics.iter().eq(image.topics()),
            "the difference leads from one image to the next"
        );
        for topic in delta.deleted_topics() {
            assert!(known.topic(topic.id).is_some() && image.topic(topic.id).is_none());
        }
        *known = image;
    }
}

fn run(seed: u64) -> Vec<LogEntry> {
    let mut random = Random::new(seed);
    let mut disk = Disk::default();
    let mut core = disk.start(random.draw());
    let mut known = Arc::clone(core.image());
    let (mut asked, mut answered) = (0u64, 0u64);
    for _ in 0..120 {
        match random.below(10) {
            0..=5 => {
                let request = any_request(&mut random, &known);
                core.request(asked, request);
                asked += 1;
            }
            6..=7 => disk.write(&mut core, false, &mut random),
            8 => core.tick(),
            _ if random.below(4) > 0 => {}
            _ => {
                let promised = core.applied();
                if random.below(2) == 0 && core.applied().index > 0 {
                    disk.snapshot = Some(encode_image(core.image(), core.applied()));
                }
                disk.crash(&mut random);
                core = disk.start(random.draw());
                disk.write(&mut core, true, &mut random);
                assert!(
                    core.applied().index >= promised.index,
                    "seed {seed}: {promised:?} is lost"
                );
                // Whoever waited has to ask again.
                answered = asked;
                known = Arc::clone(core.image());
                core.take_published();
            }
        }
        for (token, response) in core.take_answers() {
            assert_eq!(
                token, answered,
                "seed {seed}: answers come in order, one for each request"
            );
            assert!(!matches!(&response, ControllerResponse::Refused(r) if r.code.0 == -1));
            answered += 1;
        }
        follow(&mut known, core.take_published());
        assert_eq!(known, *core.image(), "seed {seed}");
        assert_eq!(**core.image(), disk.replayed(core.applied().index), "seed {seed}");
        assert!(core.take_failure().is_none(), "seed {seed}");
    }
    disk.write(&mut core, true, &mut random);
    let content = encode_image(core.image(), core.applied());
    let (image, origin) = decode_image(content).expect("its own bytes");
    assert_eq!((&image, origin), (&**core.image(), core.applied()), "seed {seed}");
    disk.entries
}

#[test]
fn what_was_answered_survives_and_every_way_to_an_image_gives_the_same() {
    for seed in seeds(100) {
        assert_eq!(run(seed), run(seed), "seed {seed} is not deterministic");
    }
}

#[test]
fn nothing_is_answered_before_it_is_durable() {
    let mut disk = Disk::default();
    let mut random = Random::new(1);
    let mut core = disk.start(1);
    core.request(7, register(1, -1));
    disk.entries.extend(core.quorum.take_appends());
    assert!(core.take_answers().is_empty());
    core.quorum.vote_is_durable();
    assert!(core.take_answers().is_empty());
    disk.write(&mut core, true, &mut random);
    let answers = core.take_answers();
    assert_eq!(answers, [(7, ControllerResponse::RegisterBroker(3))]);
    // A refusal that rests on records still on their way waits for them, too.
    let create = || ControllerRequest::CreateTopics {
        topics: vec![NewTopic {
            name: "t".into(),
            partitions: 1,
            replication_factor: 1,
            ..NewTopic::default()
        }],
        validate_only: false,
    };
    core.request(8, create());
    core.request(9, create());
    assert!(core.take_answers().is_empty());
    disk.write(&mut core, true, &mut random);
    assert_eq!(core.take_answers().len(), 2);
}

#[test]
fn the_cluster_is_formed_once() {
    let mut disk = Disk::default();
    let mut random = Random::new(1);
    let mut core = disk.start(1);
    disk.write(&mut core, true, &mut random);
    let first = Arc::clone(core.image());
    assert_eq!(first.cluster_id.len(), 22);
    assert_eq!(first.voters[0].directory_id, Uuid([9; 16]));
    core = disk.start(2);
    disk.write(&mut core, true, &mut random);
    assert_eq!(**core.image(), *first);
    assert_eq!(core.applied(), Origin { index: 3, term: 2 });
}

#[test]
fn an_entry_from_the_future_stops_the_node() {
    let mut disk = Disk::default();
    disk.entries.push(LogEntry {
        index: 1,
        term: 1,
        value: Bytes::from_static(&[0x7f, 0, 0, 0]),
    });
    let saved = Saved {
        entries: disk.entries,
        ..Saved::default()
    };
    let formation = Formation {
        cluster_id: None,
        node_id: BrokerId(1),
        raft_id: 2,
        directory_id: Uuid::ZERO,
        features: Vec::new(),
    };
    let error = Core::start(saved, formation, controller(), Random::new(1))
        .err()
        .expect("it is unknown");
    assert!(error.to_string().contains("unknown type 32512"), "{error}");
}
