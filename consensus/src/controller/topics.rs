//! Topics and partitions: create, delete, add.

use std::collections::{BTreeMap, BTreeSet};

use klamm_protocol::ids::{BrokerId, TopicId};
use klamm_protocol::{ErrorCode, Str, Uuid};

use super::{Draft, MAX_PARTITIONS_PER_REQUEST, invalid_request};
use crate::image::{ConfigResource, Configs, MetadataImage};
use crate::record::{PartitionRecord, PartitionsAdded, TopicCreated, TopicDeleted};
use crate::request::{
    ControllerResponse, CreatedTopic, DeletedTopic, NewPartitions, NewTopic, Refusal, TopicRef, repeated,
};
use crate::snapshot::config_records;

/// Bytes of a topic's name: with a partition's number behind it, it has to be a file name.
const MAX_NAME_LENGTH: usize = 249;
const KRAFT_TOPIC: &str = "__cluster_metadata";

impl Draft<'_> {
    pub(super) fn create_topics(&mut self, topics: Vec<NewTopic>, validate_only: bool) -> ControllerResponse {
        let twice = repeated(topics.iter().map(|t| t.name.clone()));
        let once: Vec<NewTopic> = topics.into_iter().filter(|t| !twice.contains(&t.name)).collect();
        let mut results = Vec::with_capacity(once.len() + twice.len());
        let asked_for: i64 = once.iter().map(|t| i64::from(self.partitions_of(t))).sum();
        for topic in once {
            let result = if asked_for > MAX_PARTITIONS_PER_REQUEST {
                let message = "Excessively large number of partitions per request.";
                Err(Refusal::new(ErrorCode::POLICY_VIOLATION, message))
            } else {
                self.create_topic(&topic)
            };
            let result = result.map(|mut created| {
                // An id that was only tried is nobody's id.
                created.id = if validate_only {
                    TopicId::default()
                } else {
                    created.id
                };
                created
            });
            results.push((topic.name, result));
        }
        results.extend(
            twice
                .into_iter()
                .map(|name| (name, Err(invalid_request("Duplicate topic name.")))),
        );
        ControllerResponse::CreateTopics(results)
    }

    /// Partitions that a new topic asks for, before anything is checked.
    fn partitions_of(&self, topic: &NewTopic) -> i32 {
        match topic.partitions {
            _ if !topic.assignments.is_empty() => i32::try_from(topic.assignments.len()).unwrap_or(i32::MAX),
            -1 => self.defaults.partitions,
            partitions => partitions.max(0),
        }
    }

    fn create_topic(&mut self, topic: &NewTopic) -> Result<CreatedTopic, Refusal> {
        if topic.name == KRAFT_TOPIC {
            return Err(invalid_request(format!(
                "Creation of internal topic {KRAFT_TOPIC} is prohibited."
            )));
        }
        check_topic_name(&topic.name)?;
        let name = topic.name.detached();
        if self.image.topic_by_name(&name).is_some() {
            let message = format!("Topic '{name}' already exists.");
            return Err(Refusal::new(ErrorCode::TOPIC_ALREADY_EXISTS, message));
        }
        // Kafka lets two topics of one request collide with each other; that is what the rule is there to prevent.
        if let Some(other) = self.image.colliding_topic(&name) {
            let message = format!("Topic '{name}' collides with existing topic: {other}");
            return Err(Refusal::new(ErrorCode::INVALID_TOPIC_EXCEPTION, message));
        }
        let configs = self.check_new_configs(&name, &topic.configs)?;
        let partitions = self.place_new_topic(topic)?;
        let created = CreatedTopic {
            id: self.free_topic_id(),
            partitions: i32::try_from(partitions.len()).unwrap_or(i32::MAX),
            replication_factor: replication_factor(&partitions[0].replicas),
            configs,
        };
        self.record(TopicCreated {
            topic_id: created.id.0,
            name,
            partitions,
            configs: config_records(created.configs.iter()),
        });
        Ok(created)
    }

    fn check_new_configs(&self, name: &Str, configs: &[(Str, Option<Str>)]) -> Result<Configs, Refusal> {
        let without: Vec<&str> = configs
            .iter()
            .filter(|(_, v)| v.is_none())
            .map(|(n, _)| &**n)
            .collect();
        if !without.is_empty() {
            let message = format!(
                "Null value not supported for topic configs: {}",
                without.join(",")
            );
            return Err(Refusal::new(ErrorCode::INVALID_CONFIG, message));
        }
        // A setting that stands there twice has its last value.
        let configs: Configs = configs
            .iter()
            .filter_map(|(n, v)| Some((n.detached(), v.as_ref()?.detached())))
            .collect();
        let changed: Vec<&str> = configs.keys().map(|n| &**n).collect();
        self.check_configs(&ConfigResource::Topic(name.clone()), &configs, &changed)?;
        Ok(configs)
    }

    fn place_new_topic(&mut self, topic: &NewTopic) -> Result<Vec<PartitionRecord>, Refusal> {
        if !topic.assignments.is_empty() {
            return self.assigned_partitions(topic);
        }
        if topic.replication_factor < -1 || topic.replication_factor == 0 {
            let message = "Replication factor must be larger than 0, or -1 to use the default value.";
            return Err(Refusal::new(ErrorCode::INVALID_REPLICATION_FACTOR, message));
        }
        if topic.partitions < -1 || topic.partitions == 0 {
            let message = "Number of partitions was set to an invalid non-positive value.";
            return Err(Refusal::new(ErrorCode::INVALID_PARTITIONS, message));
        }
        let replication_factor = match topic.replication_factor {
            -1 => self.defaults.replication_factor,
            factor => factor,
        };
        self.place(self.partitions_of(topic), replication_factor)
    }

    /// The partitions that the client laid out by hand.
    fn assigned_partitions(&self, topic: &NewTopic) -> Result<Vec<PartitionRecord>, Refusal> {
        if topic.replication_factor != -1 {
            return Err(invalid_request(
                "A manual partition assignment was specified, but replication factor was not set to -1.",
            ));
        }
        if topic.partitions != -1 {
            return Err(invalid_request(
                "A manual partition assignment was specified, but numPartitions was not set to -1.",
            ));
        }
        let mut partitions = BTreeMap::new();
        let mut replication_factor = None;
        for (index, brokers) in &topic.assignments {
            if partitions.contains_key(index) {
                let message = format!("Found multiple manual partition assignments for partition {index}");
                return Err(bad_assignment(message));
            }
            check_assignment(&self.image, brokers, replication_factor)?;
            replication_factor = Some(brokers.len());
            partitions.insert(*index, assigned_partition(&self.image, *index, brokers)?);
        }
        if !partitions
            .keys()
            .copied()
            .eq(0..i32::try_from(partitions.len()).unwrap_or(i32::MAX))
        {
            return Err(bad_assignment(
                "partitions should be a consecutive 0-based integer sequence",
            ));
        }
        Ok(partitions.into_values().collect())
    }

    /// Spreads partitions over the brokers that are not fenced: each begins one broker further on.
    fn place(&mut self, partitions: i32, replication_factor: i16) -> Result<Vec<PartitionRecord>, Refusal> {
        let refuse = |message: &str| {
            let message =
                format!("Unable to replicate the partition {replication_factor} time(s): {message}");
            Err(Refusal::new(ErrorCode::INVALID_REPLICATION_FACTOR, message))
        };
        let registered = self.image.brokers().count();
        let usable: Vec<i32> = self
            .image
            .brokers()
            .filter(|b| !b.fenced)
            .map(|b| b.id.0)
            .collect();
        let copies = usize::try_from(replication_factor).unwrap_or(0);
        if usable.is_empty() {
            return refuse("All brokers are currently fenced, or have all their log directories cordoned.");
        }
        if copies > usable.len() {
            return refuse(&format!(
                "The target replication factor of {replication_factor} cannot be reached because only \
                 {registered} broker(s) are registered or some brokers have all their log directories cordoned."
            ));
        }
        let first = usize::try_from(self.random.below(usable.len() as u64)).unwrap_or(0);
        let partition = |index: usize| {
            let replicas: Vec<i32> = (0..copies)
                .map(|copy| usable[(first + index + copy) % usable.len()])
                .collect();
            new_partition(replicas.clone(), replicas)
        };
        Ok((0..usize::try_from(partitions).unwrap_or(0))
            .map(partition)
            .collect())
    }

    fn free_topic_id(&mut self) -> TopicId {
        loop {
            let id = TopicId(self.random.uuid());
            if self.image.topic(id).is_none() {
                return id;
            }
        }
    }

    pub(super) fn delete_topics(&mut self, topics: Vec<TopicRef>) -> ControllerResponse {
        let named = |t: &TopicRef| t.name.clone();
        let names_twice = repeated(topics.iter().filter_map(named));
        let ids_twice = repeated(topics.iter().map(|t| t.id).filter(|id| !id.0.is_zero()));
        let by_id: BTreeSet<TopicId> = topics
            .iter()
            .filter(|t| named(t).is_none())
            .map(|t| t.id)
            .collect();
        let mut answered = BTreeSet::new();
        let mut results = Vec::with_capacity(topics.len());
        for topic in topics {
            let (name, id) = (named(&topic), topic.id);
            if !answered.insert((name.clone(), id)) {
                continue;
            }
            let refused = |refusal| DeletedTopic {
                name: name.clone(),
                id,
                result: Err(refusal),
            };
            results.push(match &name {
                Some(_) if !id.0.is_zero() => refused(invalid_request(
                    "You may not specify both topic name and topic id.",
                )),
                None if id.0.is_zero() => {
                    refused(invalid_request("Neither topic name nor id were specified."))
                }
                Some(name) if names_twice.contains(name) => refused(invalid_request("Duplicate topic name.")),
                None if ids_twice.contains(&id) => refused(invalid_request("Duplicate topic id.")),
                Some(name) => self.delete_by_name(name, &by_id),
                None => self.delete_by_id(id),
            });
        }
        ControllerResponse::DeleteTopics(results)
    }

    fn delete_by_name(&mut self, name: &Str, by_id: &BTreeSet<TopicId>) -> DeletedTopic {
        let Some(id) = self.image.topic_by_name(name).map(|topic| topic.id) else {
            let message = "This server does not host this topic-partition.";
            let refusal = Refusal::new(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, message);
            return DeletedTopic {
                name: Some(name.clone()),
                id: TopicId(Uuid::ZERO),
                result: Err(refusal),
            };
        };
        let result = if by_id.contains(&id) {
            Err(invalid_request(
                "The provided topic name maps to an ID that was already supplied.",
            ))
        } else {
            self.record(TopicDeleted { topic_id: id.0 });
            Ok(())
        };
        DeletedTopic {
            name: Some(name.clone()),
            id,
            result,
        }
    }

    fn delete_by_id(&mut self, id: TopicId) -> DeletedTopic {
        let Some(name) = self.image.topic(id).map(|topic| topic.name.clone()) else {
            let refusal = Refusal::new(
                ErrorCode::UNKNOWN_TOPIC_ID,
                "This server does not host this topic ID.",
            );
            return DeletedTopic {
                name: None,
                id,
                result: Err(refusal),
            };
        };
        self.record(TopicDeleted { topic_id: id.0 });
        DeletedTopic {
            name: Some(name),
            id,
            result: Ok(()),
        }
    }

    pub(super) fn create_partitions(&mut self, topics: Vec<NewPartitions>) -> ControllerResponse {
        let twice = repeated(topics.iter().map(|t| t.name.clone()));
        let once: Vec<NewPartitions> = topics.into_iter().filter(|t| !twice.contains(&t.name)).collect();
        let added: i64 = once
            .iter()
            .filter_map(|t| {
                let present = i64::try_from(self.image.topic_by_name(&t.name)?.partitions.len()).ok()?;
                Some((i64::from(t.count) - present).max(0))
            })
            .sum();
        let mut results = Vec::with_capacity(once.len() + twice.len());
        for topic in once {
            let result = if added > MAX_PARTITIONS_PER_REQUEST {
                let message = "Excessively large number of additional partitions per request.";
                Err(Refusal::new(ErrorCode::POLICY_VIOLATION, message))
            } else {
                self.add_partitions(&topic)
            };
            results.push((topic.name, result));
        }
        results.extend(
            twice
                .into_iter()
                .map(|name| (name, Err(invalid_request("Duplicate topic name.")))),
        );
        ControllerResponse::CreatePartitions(results)
    }

    fn add_partitions(&mut self, request: &NewPartitions) -> Result<(), Refusal> {
        let topic = self
            .image
            .topic_by_name(&request.name)
            .cloned()
            .ok_or_else(|| Refusal::code(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION))?;
        let present = i32::try_from(topic.partitions.len()).unwrap_or(i32::MAX);
        let copies = topic.partitions[0].replicas.len();
        if request.count <= present {
            let message = if request.count == present {
                format!("Topic already has {present} partition(s).")
            } else {
                let (name, count) = (&request.name, request.count);
                format!(
                    "The topic {name} currently has {present} partition(s); {count} would not be an increase."
                )
            };
            return Err(Refusal::new(ErrorCode::INVALID_PARTITIONS, message));
        }
        let added = request.count - present;
        let partitions = match &request.assignments {
            None => self.place(added, replication_factor(&topic.partitions[0].replicas))?,
            Some(assignments) if i32::try_from(assignments.len()) != Ok(added) => {
                return Err(bad_assignment(format!(
                    "Attempted to add {added} additional partition(s), but only {} assignment(s) were specified.",
                    assignments.len()
                )));
            }
            Some(assignments) => {
                let mut partitions = Vec::with_capacity(assignments.len());
                for (index, brokers) in (present..).zip(assignments) {
                    check_assignment(&self.image, brokers, Some(copies))?;
                    partitions.push(assigned_partition(&self.image, index, brokers)?);
                }
                partitions
            }
        };
        self.record(PartitionsAdded {
            topic_id: topic.id.0,
            partitions,
        });
        Ok(())
    }
}

/// Whether a topic may have this name (Kafka: `Topic.validate`).
///
/// # Errors
/// INVALID_TOPIC_EXCEPTION.
pub(super) fn check_topic_name(name: &str) -> Result<(), Refusal> {
    let wrong = if name.is_empty() {
        "the empty string is not allowed".to_owned()
    } else if name == "." || name == ".." {
        format!("'{name}' is not allowed")
    } else if name.len() > MAX_NAME_LENGTH {
        format!("the length of '{name}' is longer than the max allowed length {MAX_NAME_LENGTH}")
    } else if !name
        .bytes()
        .all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
    {
        format!("'{name}' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'")
    } else {
        return Ok(());
    };
    let message = format!("Topic name is invalid: {wrong}");
    Err(Refusal::new(ErrorCode::INVALID_TOPIC_EXCEPTION, message))
}

fn bad_assignment(message: impl Into<String>) -> Refusal {
    Refusal::new(ErrorCode::INVALID_REPLICA_ASSIGNMENT, message)
}

/// Whether a partition may lie on these brokers; `copies` is what the partitions before it have.
fn check_assignment(
    image: &MetadataImage,
    brokers: &[BrokerId],
    copies: Option<usize>,
) -> Result<(), Refusal> {
    if brokers.is_empty() {
        return Err(bad_assignment(
            "The manual partition assignment includes an empty replica list.",
        ));
    }
    let mut sorted = brokers.to_vec();
    sorted.sort_unstable();
    for (i, broker) in sorted.iter().enumerate() {
        if image.broker(*broker).is_none() {
            return Err(bad_assignment(format!(
                "The manual partition assignment includes broker {broker}, but no such broker is registered."
            )));
        }
        if i > 0 && sorted[i - 1] == *broker {
            return Err(bad_assignment(format!(
                "The manual partition assignment includes the broker {broker} more than once."
            )));
        }
    }
    match copies {
        Some(copies) if copies != brokers.len() => Err(bad_assignment(format!(
            "The manual partition assignment includes a partition with {} replica(s), but this is not consistent \
             with previous partitions, which have {copies} replica(s).",
            brokers.len()
        ))),
        _ => Ok(()),
    }
}

/// A partition on checked brokers; those that are not fenced are in sync.
fn assigned_partition(
    image: &MetadataImage,
    index: i32,
    brokers: &[BrokerId],
) -> Result<PartitionRecord, Refusal> {
    let active = |id: &&BrokerId| image.broker(**id).is_some_and(|b| !b.fenced);
    let isr: Vec<i32> = brokers.iter().filter(active).map(|id| id.0).collect();
    if isr.is_empty() {
        return Err(bad_assignment(format!(
            "All brokers specified in the manual partition assignment for partition {index} are fenced or in \
             controlled shutdown."
        )));
    }
    Ok(new_partition(brokers.iter().map(|id| id.0).collect(), isr))
}

/// A partition that begins. The first replica in sync leads.
fn new_partition(replicas: Vec<i32>, isr: Vec<i32>) -> PartitionRecord {
    PartitionRecord {
        leader: isr[0],
        replicas,
        isr,
        leader_epoch: 0,
        partition_epoch: 0,
    }
}

fn replication_factor<T>(replicas: &[T]) -> i16 {
    i16::try_from(replicas.len()).unwrap_or(i16::MAX)
}
