//! The controller answers as Kafka does. Codes and sentences were taken from a Kafka 4.4.0 of one node that was
//! asked the same.

use std::sync::Arc;

use klamm_consensus::controller::Controller;
use klamm_consensus::image::Configs;
use klamm_consensus::random::Random;
use klamm_consensus::{
    BrokerRegistration, ConfigEdit, ConfigEdits, ConfigOp, ConfigResource, ConfigRules, ControllerRequest,
    ControllerResponse, Endpoint, MetadataImage, NewPartitions, NewTopic, Refusal, TopicDefaults, TopicRef,
};
use klamm_protocol::ids::{BrokerId, TopicId};
use klamm_protocol::{ErrorCode, Str, Uuid};

/// A table of two settings.
struct Rules;

impl ConfigRules for Rules {
    fn is_list(&self, _: &ConfigResource, name: &str) -> bool {
        name == "cleanup.policy"
    }

    fn default_value(&self, _: &ConfigResource, name: &str) -> Option<String> {
        (name == "cleanup.policy").then(|| "delete".to_owned())
    }

    fn check(&self, _: &ConfigResource, configs: &Configs, changed: &[&str]) -> Result<(), Refusal> {
        for name in changed.iter().filter(|name| configs.contains_key(**name)) {
            if !["cleanup.policy", "retention.ms"].contains(name) {
                let message = format!("Unknown topic config name: {name}");
                return Err(Refusal::new(ErrorCode::INVALID_CONFIG, message));
            }
        }
        Ok(())
    }
}

struct World {
    controller: Controller,
    image: MetadataImage,
    random: Random,
    index: u64,
}

impl World {
    /// One broker, number 1.
    fn new() -> World {
        let defaults = TopicDefaults {
            partitions: 1,
            replication_factor: 1,
        };
        let mut world = World {
            controller: Controller::new(Arc::new(Rules), defaults),
            image: MetadataImage::default(),
            random: Random::new(1),
            index: 1,
        };
        world.ask(register(1, -1));
        world
    }

    fn ask(&mut self, request: ControllerRequest) -> ControllerResponse {
        let decision = self
            .controller
            .decide(&self.image, request, self.index, &mut self.random);
        self.index += decision.records.len() as u64;
        self.image = decision.image;
        decision.response
    }

    /// Creates topics; each answer as `name: code sentence`.
    fn create(&mut self, topics: Vec<NewTopic>) -> Vec<String> {
        let request = ControllerRequest::CreateTopics {
            topics,
            validate_only: false,
        };
        let ControllerResponse::CreateTopics(results) = self.ask(request) else {
            panic!("not the answer to CreateTopics");
        };
        results
            .into_iter()
            .map(|(name, result)| match result {
                Ok(created) => format!("{name}: {} x {}", created.partitions, created.replication_factor),
                Err(refusal) => format!("{name}: {}", told(&refusal)),
            })
            .collect()
    }

    fn create_one(&mut self, topic: NewTopic) -> String {
        self.create(vec![topic]).remove(0)
    }

    fn delete(&mut self, topics: Vec<TopicRef>) -> Vec<String> {
        let ControllerResponse::DeleteTopics(results) = self.ask(ControllerRequest::DeleteTopics { topics })
        else {
            panic!("not the answer to DeleteTopics");
        };
        let name = |name: Option<Str>| name.map_or("-".to_owned(), |n| n.to_string());
        results
            .into_iter()
            .map(|deleted| format!("{}: {}", name(deleted.name), outcome(deleted.result)))
            .collect()
    }

    fn add(&mut self, name: &str, count: i32, assignments: Option<Vec<Vec<i32>>>) -> String {
        let assignments = assignments.map(|all| {
            all.into_iter()
                .map(|b| b.into_iter().map(BrokerId).collect())
                .collect()
        });
        let topics = vec![NewPartitions {
            name: name.into(),
            count,
            assignments,
        }];
        let request = ControllerRequest::CreatePartitions {
            topics,
            validate_only: false,
        };
        let ControllerResponse::CreatePartitions(mut results) = self.ask(request) else {
            panic!("not the answer to CreatePartitions");
        };
        outcome(results.remove(0).1)
    }

    fn alter(&mut self, resource: ConfigResource, steps: &[(&str, ConfigOp, Option<&str>)]) -> String {
        let steps = steps
            .iter()
            .map(|(n, op, v)| (Str::from(*n), *op, v.map(Str::from)))
            .collect();
        self.edit(resource, ConfigEdit::Incremental(steps))
    }

    fn edit(&mut self, resource: ConfigResource, edit: ConfigEdit) -> String {
        let request = ControllerRequest::AlterConfigs {
            edits: vec![ConfigEdits { resource, edit }],
            validate_only: false,
        };
        let ControllerResponse::AlterConfigs(mut results) = self.ask(request) else {
            panic!("not the answer to AlterConfigs");
        };
        outcome(results.remove(0).1)
    }

    fn config(&self, topic: &str, name: &str) -> Option<String> {
        let configs = self.image.configs(&ConfigResource::Topic(topic.into()))?;
        configs.get(name).map(Str::to_string)
    }
}

fn register(id: i32, previous_epoch: i64) -> ControllerRequest {
    ControllerRequest::RegisterBroker(BrokerRegistration {
        id: BrokerId(id),
        incarnation: Uuid([u8::try_from(id).expect("small ids"); 16]),
        endpoints: vec![Endpoint {
            name: "PLAINTEXT".into(),
            host: "localhost".into(),
            port: 9092,
            security_protocol: 0,
        }],
        rack: None,
        directory_ids: vec![Uuid([9; 16])],
        previous_epoch,
    })
}

fn told(refusal: &Refusal) -> String {
    let message = refusal.message.as_ref().map_or("-".to_owned(), Str::to_string);
    format!("{} {message}", refusal.code.0)
}

fn outcome(result: Result<(), Refusal>) -> String {
    result.map_or_else(|refusal| told(&refusal), |()| "done".to_owned())
}

fn topic(name: &str, partitions: i32, replication_factor: i16) -> NewTopic {
    NewTopic {
        name: name.into(),
        partitions,
        replication_factor,
        ..NewTopic::default()
    }
}

fn assigned(name: &str, assignments: &[(i32, &[i32])]) -> NewTopic {
    NewTopic {
        assignments: assignments
            .iter()
            .map(|(p, brokers)| (*p, brokers.iter().copied().map(BrokerId).collect()))
            .collect(),
        ..topic(name, -1, -1)
    }
}

fn configured(name: &str, configs: &[(&str, Option<&str>)]) -> NewTopic {
    NewTopic {
        configs: configs
            .iter()
            .map(|(n, v)| ((*n).into(), v.map(Str::from)))
            .collect(),
        ..topic(name, 1, 1)
    }
}

fn on_topic(name: &str) -> ConfigResource {
    ConfigResource::Topic(name.into())
}

#[test]
fn names_of_topics() {
    let mut world = World::new();
    let long = "x".repeat(250);
    for (name, wrong) in [
        ("", "the empty string is not allowed".to_owned()),
        (".", "'.' is not allowed".to_owned()),
        ("..", "'..' is not allowed".to_owned()),
        (
            &long,
            format!("the length of '{long}' is longer than the max allowed length 249"),
        ),
        (
            "a b",
            "'a b' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'"
                .to_owned(),
        ),
    ] {
        assert_eq!(
            world.create_one(topic(name, 1, 1)),
            format!("{name}: 17 Topic name is invalid: {wrong}")
        );
    }
    assert_eq!(
        world.create_one(topic(&"x".repeat(249), 1, 1)),
        format!("{}: 1 x 1", "x".repeat(249))
    );
    assert_eq!(
        world.create_one(topic("__cluster_metadata", 1, 1)),
        "__cluster_metadata: 42 Creation of internal topic __cluster_metadata is prohibited."
    );
}

#[test]
fn names_that_exist_or_collide() {
    let mut world = World::new();
    assert_eq!(world.create_one(topic("a.b", 1, 1)), "a.b: 1 x 1");
    assert_eq!(
        world.create_one(topic("a.b", 1, 1)),
        "a.b: 36 Topic 'a.b' already exists."
    );
    assert_eq!(
        world.create_one(topic("a_b", 1, 1)),
        "a_b: 17 Topic 'a_b' collides with existing topic: a.b"
    );
    assert_eq!(
        world.create(vec![topic("c_d", 1, 1), topic("c.d", 1, 1)]),
        [
            "c_d: 1 x 1",
            "c.d: 17 Topic 'c.d' collides with existing topic: c_d"
        ]
    );
    assert_eq!(
        world.create(vec![topic("dup", 1, 1), topic("dup", 1, 1), topic("once", 1, 1)]),
        ["once: 1 x 1", "dup: 42 Duplicate topic name."]
    );
    world.delete(vec![TopicRef {
        name: Some("a.b".into()),
        ..TopicRef::default()
    }]);
    assert_eq!(world.create_one(topic("a_b", 1, 1)), "a_b: 1 x 1");
}

#[test]
fn counts_of_partitions_and_replicas() {
    let mut world = World::new();
    let partitions = "37 Number of partitions was set to an invalid non-positive value.";
    let factor = "38 Replication factor must be larger than 0, or -1 to use the default value.";
    for (asked, answer) in [
        ((0, 1), partitions),
        ((-2, 1), partitions),
        ((1, 0), factor),
        ((1, -2), factor),
        (
            (1, 3),
            "38 Unable to replicate the partition 3 time(s): The target replication factor of 3 cannot be \
             reached because only 1 broker(s) are registered or some brokers have all their log directories \
             cordoned.",
        ),
        (
            (10_001, 1),
            "44 Excessively large number of partitions per request.",
        ),
        ((-1, -1), "1 x 1"),
    ] {
        assert_eq!(
            world.create_one(topic("t", asked.0, asked.1)),
            format!("t: {answer}"),
            "{asked:?}"
        );
    }
}

#[test]
fn assignments_by_hand() {
    let mut world = World::new();
    let both = NewTopic {
        replication_factor: 1,
        ..assigned("t", &[(0, &[1])])
    };
    assert_eq!(
        world.create_one(both),
        "t: 42 A manual partition assignment was specified, but replication factor was not set to -1."
    );
    let both = NewTopic {
        partitions: 1,
        ..assigned("t", &[(0, &[1])])
    };
    assert_eq!(
        world.create_one(both),
        "t: 42 A manual partition assignment was specified, but numPartitions was not set to -1."
    );
    type Case = (&'static [(i32, &'static [i32])], &'static str);
    let cases: &[Case] = &[
        (
            &[(0, &[1]), (0, &[1])],
            "39 Found multiple manual partition assignments for partition 0",
        ),
        (
            &[(1, &[1])],
            "39 partitions should be a consecutive 0-based integer sequence",
        ),
        (
            &[(0, &[])],
            "39 The manual partition assignment includes an empty replica list.",
        ),
        (
            &[(0, &[9])],
            "39 The manual partition assignment includes broker 9, but no such broker is registered.",
        ),
        (
            &[(0, &[1, 1])],
            "39 The manual partition assignment includes the broker 1 more than once.",
        ),
        (&[(1, &[1]), (0, &[1])], "2 x 1"),
    ];
    for (assignments, answer) in cases {
        assert_eq!(
            world.create_one(assigned("t", assignments)),
            format!("t: {answer}")
        );
    }
    world.ask(register(2, -1));
    assert_eq!(
        world.create_one(assigned("u", &[(0, &[1]), (1, &[2, 1])])),
        "u: 39 The manual partition assignment includes a partition with 2 replica(s), but this is not \
         consistent with previous partitions, which have 1 replica(s)."
    );
}

#[test]
fn settings_of_new_topics() {
    let mut world = World::new();
    let mut create = |configs: &[(&str, Option<&str>)]| world.create_one(configured("t", configs));
    assert_eq!(
        create(&[("foo", Some("1"))]),
        "t: 40 Unknown topic config name: foo"
    );
    assert_eq!(
        create(&[("retention.ms", None)]),
        "t: 40 Null value not supported for topic configs: retention.ms"
    );
    assert_eq!(
        create(&[("retention.ms", Some("1")), ("retention.ms", Some("2"))]),
        "t: 1 x 1"
    );
    assert_eq!(world.config("t", "retention.ms").as_deref(), Some("2"));
}

#[test]
fn validate_only_changes_nothing_and_gives_no_id() {
    let mut world = World::new();
    let before = world.image.clone();
    let request = ControllerRequest::CreateTopics {
        topics: vec![topic("t", 3, 1)],
        validate_only: true,
    };
    let ControllerResponse::CreateTopics(results) = world.ask(request) else {
        panic!("not the answer to CreateTopics");
    };
    let created = results[0].1.clone().expect("nothing is wrong with it");
    assert_eq!((created.partitions, created.id), (3, TopicId::default()));
    assert_eq!(world.image, before);
}

#[test]
fn deleting_topics() {
    let mut world = World::new();
    world.create(vec![topic("t", 1, 1), topic("u", 1, 1), topic("v", 1, 1)]);
    let id = |name: &str| world.image.topic_by_name(name).expect("it was created").id;
    let (u, v) = (id("u"), id("v"));
    let named = |name: &str| TopicRef {
        name: Some(name.into()),
        ..TopicRef::default()
    };
    let by_id = |id| TopicRef { name: None, id };
    let unknown = TopicId(Uuid([7; 16]));
    assert_eq!(
        world.delete(vec![
            named("nope"),
            named(""),
            by_id(unknown),
            by_id(TopicId::default())
        ]),
        [
            "nope: 3 This server does not host this topic-partition.",
            // Before version 6 an answer has no other way to say which topic it is about.
            ": 3 This server does not host this topic-partition.",
            "-: 100 This server does not host this topic ID.",
            "-: 42 Neither topic name nor id were specified.",
        ]
    );
    let both = TopicRef {
        name: Some("t".into()),
        id: u,
    };
    assert_eq!(
        world.delete(vec![both]),
        ["t: 42 You may not specify both topic name and topic id."]
    );
    assert_eq!(
        world.delete(vec![named("t"), named("t")]),
        ["t: 42 Duplicate topic name."]
    );
    assert_eq!(
        world.delete(vec![by_id(u), by_id(u)]),
        ["-: 42 Duplicate topic id."]
    );
    assert_eq!(
        world.delete(vec![named("v"), by_id(v), by_id(u), named("t")]),
        [
            "v: 42 The provided topic name maps to an ID that was already supplied.",
            "v: done",
            "u: done",
            "t: done",
        ]
    );
    assert_eq!(world.image.topic_count(), 0);
}

#[test]
fn adding_partitions() {
    let mut world = World::new();
    world.create(vec![topic("t", 2, 1)]);
    for (count, assignments, answer) in [
        (2, None, "37 Topic already has 2 partition(s)."),
        (
            1,
            None,
            "37 The topic t currently has 2 partition(s); 1 would not be an increase.",
        ),
        (2, Some(vec![]), "37 Topic already has 2 partition(s)."),
        (
            4,
            Some(vec![vec![1]]),
            "39 Attempted to add 2 additional partition(s), but only 1 assignment(s) were specified.",
        ),
        (
            3,
            Some(vec![vec![9]]),
            "39 The manual partition assignment includes broker 9, but no such broker is registered.",
        ),
        (
            3,
            Some(vec![vec![]]),
            "39 The manual partition assignment includes an empty replica list.",
        ),
        (
            20_001,
            None,
            "44 Excessively large number of additional partitions per request.",
        ),
        (3, Some(vec![vec![1]]), "done"),
        (5, None, "done"),
    ] {
        assert_eq!(world.add("t", count, assignments), answer, "{count}");
    }
    assert_eq!(
        world
            .image
            .topic_by_name("t")
            .expect("it is there")
            .partitions
            .len(),
        5
    );
    assert_eq!(world.add("nope", 3, None), "3 -");
}

#[test]
fn settings_one_by_one() {
    use ConfigOp::{Append, Delete, Set, Subtract};
    let mut world = World::new();
    world.create(vec![topic("t", 1, 1)]);
    for (topic, steps, answer) in [
        (
            "nope",
            vec![("retention.ms", Set, Some("1"))],
            "3 The topic 'nope' does not exist.",
        ),
        (
            "",
            vec![("retention.ms", Set, Some("1"))],
            "42 Default topic resources are not allowed.",
        ),
        (
            "t",
            vec![("foo", Set, Some("1"))],
            "40 Unknown topic config name: foo",
        ),
        (
            "t",
            vec![("retention.ms", Append, Some("1"))],
            "40 Can't APPEND to key retention.ms because its type is not LIST.",
        ),
        (
            "t",
            vec![("retention.ms", Subtract, Some("1"))],
            "40 Can't SUBTRACT to key retention.ms because its type is not LIST.",
        ),
        (
            "t",
            vec![("retention.ms", Set, None)],
            "42 Null value not supported for : retention.ms",
        ),
        (
            "t",
            vec![("retention.ms", Set, Some("1")), ("retention.ms", Set, Some("2"))],
            "42 Error due to duplicate config keys",
        ),
        ("t", vec![("nosuch", Delete, None)], "done"),
        ("t", vec![], "done"),
        (
            "t",
            vec![
                ("cleanup.policy", Append, Some("compact")),
                ("retention.ms", Set, Some("77")),
            ],
            "done",
        ),
    ] {
        assert_eq!(world.alter(on_topic(topic), &steps), answer, "{steps:?}");
    }
    // Appending begins with the default where nothing is set.
    assert_eq!(
        world.config("t", "cleanup.policy").as_deref(),
        Some("delete,compact")
    );
    world.alter(on_topic("t"), &[("cleanup.policy", Append, Some("delete"))]);
    assert_eq!(
        world.config("t", "cleanup.policy").as_deref(),
        Some("delete,compact")
    );
    world.alter(
        on_topic("t"),
        &[
            ("cleanup.policy", Subtract, Some("delete")),
            ("retention.ms", Delete, None),
        ],
    );
    assert_eq!(world.config("t", "cleanup.policy").as_deref(), Some("compact"));
    assert_eq!(world.config("t", "retention.ms"), None);
    let broker = ConfigResource::Broker(Some(BrokerId(9)));
    assert_eq!(
        world.alter(broker, &[("retention.ms", Set, Some("1"))]),
        "102 No node with id 9 found."
    );
    assert_eq!(
        world.alter(ConfigResource::Broker(None), &[("retention.ms", Set, Some("1"))]),
        "done"
    );
}

#[test]
fn settings_all_at_once_replace_those_there_were() {
    let mut world = World::new();
    world.create(vec![configured(
        "t",
        &[("retention.ms", Some("1")), ("cleanup.policy", Some("compact"))],
    )]);
    let replace = |all: &[(&str, Option<&str>)]| {
        ConfigEdit::Replace(all.iter().map(|(n, v)| ((*n).into(), v.map(Str::from))).collect())
    };
    assert_eq!(
        world.edit(on_topic("t"), replace(&[("retention.ms", None)])),
        "42 Null value not supported for : retention.ms"
    );
    assert_eq!(
        world.edit(on_topic("t"), replace(&[("retention.ms", Some("5"))])),
        "done"
    );
    assert_eq!(world.config("t", "retention.ms").as_deref(), Some("5"));
    assert_eq!(world.config("t", "cleanup.policy"), None);
    assert_eq!(world.edit(on_topic("t"), replace(&[])), "done");
    assert_eq!(world.image.configs(&on_topic("t")), None);
}

#[test]
fn an_unclean_restart_begins_leader_epochs_and_a_clean_one_does_not() {
    let mut world = World::new();
    world.create(vec![topic("t", 2, 1)]);
    let restart = |world: &mut World, incarnation: u8, previous_epoch: i64| {
        let ControllerRequest::RegisterBroker(mut registration) = register(1, previous_epoch) else {
            unreachable!("it is a registration");
        };
        registration.incarnation = Uuid([incarnation; 16]);
        world.ask(ControllerRequest::RegisterBroker(registration))
    };
    let epochs = |world: &World| -> Vec<i32> {
        world
            .image
            .topic_by_name("t")
            .expect("it is there")
            .partitions
            .iter()
            .map(|p| p.leader_epoch)
            .collect()
    };
    let ControllerResponse::RegisterBroker(epoch) = restart(&mut world, 2, -1) else {
        panic!("refused");
    };
    assert_eq!(epochs(&world), [1, 1]);
    // The same incarnation asks again: nothing happens.
    assert_eq!(
        restart(&mut world, 2, -1),
        ControllerResponse::RegisterBroker(epoch)
    );
    assert_eq!(epochs(&world), [1, 1]);
    restart(&mut world, 3, epoch);
    assert_eq!(epochs(&world), [1, 1]);
}

#[test]
fn producer_ids_come_in_blocks_that_never_overlap() {
    let mut world = World::new();
    let epoch = world.image.broker(BrokerId(1)).expect("it is registered").epoch;
    let mut allocate = |broker_id, broker_epoch| {
        world.ask(ControllerRequest::AllocateProducerIds {
            broker_id: BrokerId(broker_id),
            broker_epoch,
        })
    };
    for first in [0, 1000] {
        let ControllerResponse::AllocateProducerIds(block) = allocate(1, epoch) else {
            panic!("refused");
        };
        assert_eq!((block.first, block.count), (first, 1000));
    }
    for (broker, epoch) in [(1, epoch + 1), (2, epoch)] {
        let ControllerResponse::Refused(refusal) = allocate(broker, epoch) else {
            panic!("not refused");
        };
        assert_eq!(refusal.code, ErrorCode::STALE_BROKER_EPOCH);
    }
}
