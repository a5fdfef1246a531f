//! Random histories: clients that join, work, restart and fall silent, over a log that is slow, fails and
//! crashes. What must hold is checked at every answer and at the end.

use std::collections::BTreeMap;

use bytes::Bytes;
use klamm_protocol::messages::heartbeat::HeartbeatRequest;
use klamm_protocol::messages::join_group::{JoinGroupRequest, JoinGroupRequestProtocol};
use klamm_protocol::messages::leave_group::{LeaveGroupRequest, MemberIdentity};
use klamm_protocol::messages::offset_commit::{
    OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use klamm_protocol::messages::offset_fetch::{
    OffsetFetchRequest, OffsetFetchRequestGroup, OffsetFetchRequestTopics,
};
use klamm_protocol::messages::sync_group::{SyncGroupRequest, SyncGroupRequestAssignment};
use klamm_protocol::{ErrorCode, Str};

use super::world::World;
use crate::RequestId;
use crate::coordinator::group::State;
use crate::coordinator::{CoordinatorConfig, GroupRequest, GroupResponse};
use crate::random::Random;

const STEPS: usize = 400;
const PARTITIONS: usize = 3;

#[test]
fn random_histories_keep_the_promises() {
    // `GROUP_SEED=n` runs that one alone.
    let seeds = match std::env::var("GROUP_SEED") {
        Ok(seed) => vec![seed.parse().unwrap()],
        Err(_) => (0..150).collect(),
    };
    for seed in seeds {
        let outcome = std::panic::catch_unwind(|| History::new(seed).run());
        assert!(outcome.is_ok(), "failed with GROUP_SEED={seed}");
    }
}

/// A client and what it knows.
#[derive(Default)]
struct Client {
    group: &'static str,
    instance: Option<Str>,
    version: i16,
    member_id: Str,
    generation: i32,
    /// When it leads: everybody in its generation.
    members: Vec<Str>,
}

/// What was asked, to check the answer.
enum Asked {
    Join(usize),
    /// By that client in that generation.
    Sync(usize, i32),
    Commit {
        group: &'static str,
        partition: i32,
        offset: i64,
    },
    /// When at least this offset had been acknowledged.
    Fetch {
        partition: i32,
        at_least: i64,
    },
    Other,
}

struct History {
    world: World,
    random: Random,
    clients: Vec<Client>,
    asked: BTreeMap<RequestId, Asked>,
    /// Who was told to own a partition of a group's topic in a generation.
    owners: BTreeMap<(&'static str, i32, u8), usize>,
    /// The last offset of each group and partition that was acknowledged.
    acknowledged: BTreeMap<(&'static str, i32), i64>,
    next_offset: i64,
}

impl History {
    fn new(seed: u64) -> History {
        let config = CoordinatorConfig {
            partitions: 2,
            initial_rebalance_delay_ms: seed % 3 * 1_500,
            group_size_max: 4,
            // Some batches have to be split.
            batch_bytes_max: 400,
            ..CoordinatorConfig::default()
        };
        let clients = (0..6).map(|index| Client {
            group: if index % 2 == 0 { "g" } else { "h" },
            instance: (index < 2).then(|| Str::from(format!("instance-{index}"))),
            version: if index < 2 { 9 } else { [1, 3, 5, 9][index % 4] },
            ..Client::default()
        });
        History {
            world: World::new(config, seed),
            random: Random::new(seed),
            clients: clients.collect(),
            asked: BTreeMap::new(),
            owners: BTreeMap::new(),
            acknowledged: BTreeMap::new(),
            next_offset: 0,
        }
    }

    fn run(mut self) {
        for _ in 0..STEPS {
            self.step();
            self.check_answers();
        }
        self.world.release();
        self.check_answers();
        // Sessions and rebalances end, so nobody waits for ever.
        self.world.advance(2_000_000);
        self.check_answers();
        assert!(self.world.unanswered.is_empty(), "every request is answered");
        self.check_reload();
    }

    fn below(&mut self, bound: u64) -> usize {
        (self.random.next() % bound) as usize
    }

    fn step(&mut self) {
        let client = self.below(6);
        match self.below(40) {
            0 => self.world.fails = true,
            1 => {
                self.world.crash();
                self.check_reload();
            }
            2 | 3 => self.world.held = true,
            4 | 5 => self.world.release(),
            6..=13 => {
                let ms = [1, 500, 3_000, 9_000][self.below(4)];
                self.world.advance(ms);
            }
            14 => self.clients[client].member_id = Str::EMPTY,
            15 => self.leave(client),
            16..=19 => self.heartbeat(client),
            20..=23 => self.commit(client),
            24..=26 => self.fetch(client),
            27..=32 => self.sync(client),
            _ => self.join(client),
        }
    }

    fn ask(&mut self, client: usize, version: i16, request: GroupRequest, asked: Asked) {
        let id = self.world.ask(&format!("c{client}"), version, request);
        self.asked.insert(id, asked);
    }

    fn join(&mut self, index: usize) {
        let names = [vec!["range", "sticky"], vec!["sticky", "range"], vec!["range"]];
        let names = &names[if self.below(8) == 0 { 1 } else { index % 3 }];
        let protocols = names.iter().map(|name| JoinGroupRequestProtocol {
            name: (*name).into(),
            metadata: Bytes::from_static(b"\0\0\0\0\0\x01\0\x01t\xff\xff\xff\xff"),
        });
        let client = &self.clients[index];
        let request = JoinGroupRequest {
            group_id: client.group.into(),
            session_timeout_ms: 10_000,
            rebalance_timeout_ms: 20_000,
            member_id: client.member_id.clone(),
            group_instance_id: client.instance.clone(),
            protocol_type: "consumer".into(),
            protocols: protocols.collect(),
            reason: None,
        };
        self.ask(
            index,
            client.version,
            GroupRequest::JoinGroup(request),
            Asked::Join(index),
        );
    }

    fn sync(&mut self, index: usize) {
        let client = &self.clients[index];
        let members = client.members.iter().enumerate();
        let assignments = members.map(|(place, member_id)| SyncGroupRequestAssignment {
            member_id: member_id.clone(),
            assignment: (0..PARTITIONS)
                .filter(|partition| partition % client.members.len() == place)
                .map(|partition| partition as u8)
                .collect(),
        });
        let request = SyncGroupRequest {
            group_id: client.group.into(),
            generation_id: client.generation,
            member_id: client.member_id.clone(),
            group_instance_id: client.instance.clone(),
            assignments: assignments.collect(),
            ..SyncGroupRequest::default()
        };
        let asked = Asked::Sync(index, client.generation);
        self.ask(index, 3, GroupRequest::SyncGroup(request), asked);
    }

    fn heartbeat(&mut self, index: usize) {
        let client = &self.clients[index];
        let request = HeartbeatRequest {
            group_id: client.group.into(),
            generation_id: client.generation,
            member_id: client.member_id.clone(),
            group_instance_id: client.instance.clone(),
        };
        self.ask(index, 4, GroupRequest::Heartbeat(request), Asked::Other);
    }

    fn leave(&mut self, index: usize) {
        let client = &self.clients[index];
        let identity = MemberIdentity {
            member_id: client.member_id.clone(),
            ..MemberIdentity::default()
        };
        let request = LeaveGroupRequest {
            group_id: client.group.into(),
            members: vec![identity],
            ..LeaveGroupRequest::default()
        };
        self.ask(index, 4, GroupRequest::LeaveGroup(request), Asked::Other);
    }

    fn commit(&mut self, index: usize) {
        let partition = self.below(PARTITIONS as u64) as i32;
        self.next_offset += 1;
        let offset = self.next_offset;
        let client = &self.clients[index];
        let request = OffsetCommitRequest {
            group_id: client.group.into(),
            generation_id_or_member_epoch: if client.generation == 0 {
                -1
            } else {
                client.generation
            },
            member_id: client.member_id.clone(),
            topics: vec![OffsetCommitRequestTopic {
                name: "t".into(),
                partitions: vec![OffsetCommitRequestPartition {
                    partition_index: partition,
                    committed_offset: offset,
                    ..OffsetCommitRequestPartition::default()
                }],
                ..OffsetCommitRequestTopic::default()
            }],
            ..OffsetCommitRequest::default()
        };
        let asked = Asked::Commit {
            group: client.group,
            partition,
            offset,
        };
        self.ask(index, 8, GroupRequest::OffsetCommit(request), asked);
    }

    fn fetch(&mut self, index: usize) {
        let partition = self.below(PARTITIONS as u64) as i32;
        let group = self.clients[index].group;
        let topics = vec![OffsetFetchRequestTopics {
            name: "t".into(),
            partition_indexes: vec![partition],
            ..OffsetFetchRequestTopics::default()
        }];
        let request = OffsetFetchRequest {
            groups: vec![OffsetFetchRequestGroup {
                group_id: group.into(),
                topics: Some(topics),
                ..OffsetFetchRequestGroup::default()
            }],
            ..OffsetFetchRequest::default()
        };
        let at_least = self.acknowledged.get(&(group, partition)).copied().unwrap_or(-1);
        self.ask(
            index,
            8,
            GroupRequest::OffsetFetch(request),
            Asked::Fetch { partition, at_least },
        );
    }

    fn check_answers(&mut self) {
        for (id, response) in std::mem::take(&mut self.world.answers) {
            let asked = self.asked.remove(&id).unwrap_or(Asked::Other);
            match (asked, response) {
                (Asked::Join(index), GroupResponse::JoinGroup(response)) => {
                    let client = &mut self.clients[index];
                    match response.error_code {
                        ErrorCode::NONE => {
                            client.member_id = response.member_id;
                            client.generation = response.generation_id;
                            let members = response.members.into_iter();
                            client.members = members.map(|member| member.member_id).collect();
                        }
                        ErrorCode::MEMBER_ID_REQUIRED => client.member_id = response.member_id,
                        ErrorCode::UNKNOWN_MEMBER_ID => client.member_id = Str::EMPTY,
                        _ => {}
                    }
                }
                (Asked::Sync(index, generation), GroupResponse::SyncGroup(response)) => {
                    let group = self.clients[index].group;
                    for partition in &response.assignment {
                        let owner = *self
                            .owners
                            .entry((group, generation, *partition))
                            .or_insert(index);
                        assert_eq!(
                            owner, index,
                            "partition {partition} of {group} has one owner in {generation}"
                        );
                    }
                }
                (
                    Asked::Commit {
                        group,
                        partition,
                        offset,
                    },
                    GroupResponse::OffsetCommit(response),
                ) if response.topics[0].partitions[0].error_code == ErrorCode::NONE => {
                    let last = self.acknowledged.entry((group, partition)).or_insert(-1);
                    *last = offset.max(*last);
                }
                (Asked::Fetch { partition, at_least }, GroupResponse::OffsetFetch(response)) => {
                    let group = &response.groups[0];
                    if group.error_code == ErrorCode::NONE {
                        let offset = group.topics[0].partitions[0].committed_offset;
                        assert!(
                            offset >= at_least,
                            "{partition}: {offset} after {at_least} was acknowledged"
                        );
                        assert!(
                            offset <= self.next_offset,
                            "{partition}: {offset} was never committed"
                        );
                    }
                }
                _ => {}
            }
        }
    }

    /// What is in memory is what the log tells, except for rebalances that are under way.
    fn check_reload(&self) {
        let reloaded = self.world.reloaded();
        let reloaded: BTreeMap<&Str, _> = reloaded
            .coordinator
            .groups()
            .map(|group| (&group.id, group))
            .collect();
        for group in self.world.coordinator.groups() {
            let other = reloaded[&group.id];
            assert_eq!(group.offsets, other.offsets, "offsets of {}", group.id);
            if matches!(group.state, State::Stable | State::Empty) {
                assert_eq!(group.state, other.state, "state of {}", group.id);
                assert_eq!(
                    group.to_record(),
                    other.to_record(),
                    "{} as it was assigned",
                    group.id
                );
                assert_eq!(
                    group.subscribed_topics, other.subscribed_topics,
                    "topics of {}",
                    group.id
                );
            }
        }
        assert_eq!(
            reloaded.len(),
            self.world.coordinator.groups().count(),
            "no group is only in the log"
        );
    }
}
