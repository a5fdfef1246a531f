//! Scripts: what clients do, and beneath it, indented, what comes of it.
//!
//! `join a` lets a client called `a` join; it remembers the member id that it is given, which is printed as
//! `a#1`, its next one as `a#2`. Words after that, `name=value`, change the request. What each command does
//! stands at its place below. With `UPDATE_SCRIPTS=1` the test writes what comes of it into the files.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};

use bytes::{BufMut, Bytes};
use klamm_protocol::messages::delete_groups::DeleteGroupsRequest;
use klamm_protocol::messages::describe_groups::DescribeGroupsRequest;
use klamm_protocol::messages::heartbeat::HeartbeatRequest;
use klamm_protocol::messages::join_group::{JoinGroupRequest, JoinGroupRequestProtocol, JoinGroupResponse};
use klamm_protocol::messages::leave_group::{LeaveGroupRequest, MemberIdentity};
use klamm_protocol::messages::list_groups::ListGroupsRequest;
use klamm_protocol::messages::offset_commit::{
    OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use klamm_protocol::messages::offset_delete::{
    OffsetDeleteRequest, OffsetDeleteRequestPartition, OffsetDeleteRequestTopic,
};
use klamm_protocol::messages::offset_fetch::{
    OffsetFetchRequest, OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics,
};
use klamm_protocol::messages::sync_group::{SyncGroupRequest, SyncGroupRequestAssignment};
use klamm_protocol::{ErrorCode, Str};

use super::world::{TestTopics, World};
use crate::RequestId;
use crate::coordinator::records::Stored;
use crate::coordinator::{CoordinatorConfig, GroupRequest, GroupResponse};

#[test]
fn scripts_come_out_as_they_say() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/coordinator/tests/scripts");
    let mut files: Vec<PathBuf> = std::fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    assert!(!files.is_empty(), "there are scripts");
    for file in files {
        let script = std::fs::read_to_string(&file).unwrap();
        let outcome = run(&script);
        if std::env::var_os("UPDATE_SCRIPTS").is_some() {
            std::fs::write(&file, outcome).unwrap();
        } else {
            let both = script.lines().zip(outcome.lines());
            let differing = both
                .enumerate()
                .find(|(_, (expected, actual))| expected != actual);
            if let Some((line, (expected, actual))) = differing {
                let (file, line) = (file.display(), line + 1);
                panic!("{file}:{line}:\n expected {expected:?}\n but saw  {actual:?}");
            }
            assert_eq!(
                script.len(),
                outcome.len(),
                "{} ends early or late",
                file.display()
            );
        }
    }
}

fn run(script: &str) -> String {
    let mut stage = Stage::new(CoordinatorConfig {
        partitions: 2,
        ..CoordinatorConfig::default()
    });
    let mut out = String::new();
    for line in script.lines().filter(|line| !line.starts_with("    ")) {
        writeln!(out, "{line}").unwrap();
        let words: Vec<&str> = line.split_whitespace().collect();
        if let [verb, rest @ ..] = words.as_slice()
            && !verb.starts_with('#')
        {
            for result in stage.play(verb, rest) {
                writeln!(out, "    {}", result.trim_end()).unwrap();
            }
        }
    }
    out
}

/// A client, as far as scripts know it.
#[derive(Default)]
struct Client {
    member_id: Str,
    generation: i32,
    instance: Option<Str>,
    /// Member ids that it was ever given.
    ids: u32,
}

struct Stage {
    world: World,
    config: CoordinatorConfig,
    clients: BTreeMap<String, Client>,
    /// Member ids as they are printed.
    names: BTreeMap<Str, String>,
    /// Who waits for what.
    asked: BTreeMap<RequestId, (String, String)>,
}

/// The words of a command: plain ones, and `name=value`.
struct Words<'a> {
    plain: Vec<&'a str>,
    named: BTreeMap<&'a str, &'a str>,
}

impl<'a> Words<'a> {
    fn new(words: &[&'a str]) -> Words<'a> {
        let named = words.iter().filter_map(|word| word.split_once('='));
        let plain = words.iter().filter(|word| !word.contains('='));
        Words {
            plain: plain.copied().collect(),
            named: named.collect(),
        }
    }

    fn number<T: TryFrom<i64>>(&self, name: &str, default: i64) -> T {
        let value = self
            .named
            .get(name)
            .map_or(default, |value| value.parse().unwrap());
        T::try_from(value).ok().expect("the number is in range")
    }

    fn text(&self, name: &str, default: &'static str) -> &str {
        self.named.get(name).copied().unwrap_or(default)
    }

    fn list(&self, name: &str, default: &'static str) -> Vec<&str> {
        self.text(name, default)
            .split(',')
            .filter(|word| !word.is_empty())
            .collect()
    }

    fn group(&self) -> Str {
        self.text("group", "g").into()
    }

    /// Words such as `t-0`, `t-0=5` and `t-0=5@2`: topic, partition, offset and leader epoch.
    fn partitions(&self, words: &[&'a str]) -> Vec<(&'a str, i32, i64, i32)> {
        let parsed = words.iter().filter_map(|word| {
            let (place, value) = word.split_once('=').unwrap_or((word, "-1"));
            let (topic, partition) = place.rsplit_once('-')?;
            let (offset, epoch) = value.split_once('@').unwrap_or((value, "-1"));
            Some((
                topic,
                partition.parse().ok()?,
                offset.parse().ok()?,
                epoch.parse().ok()?,
            ))
        });
        parsed.collect()
    }
}

impl Stage {
    fn new(config: CoordinatorConfig) -> Stage {
        let world = World::new(config.clone(), 7);
        Stage {
            world,
            config,
            clients: BTreeMap::new(),
            names: BTreeMap::new(),
            asked: BTreeMap::new(),
        }
    }

    fn play(&mut self, verb: &str, rest: &[&str]) -> Vec<String> {
        let words = Words::new(rest);
        let asks_as_client = ["join", "sync", "heartbeat", "leave", "commit", "restart"].contains(&verb);
        let name = words
            .plain
            .first()
            .filter(|_| asks_as_client)
            .copied()
            .unwrap_or("-")
            .to_string();
        match verb {
            // A new broker: `config initial_delay=0 max_size=2`.
            "config" => {
                let config = &mut self.config;
                config.initial_rebalance_delay_ms = words.number("initial_delay", 3_000);
                config.group_size_max = words.number("max_size", 1_000);
                config.batch_bytes_max = words.number("batch_bytes", 1_048_588);
                *self = Stage::new(config.clone());
            }
            // Milliseconds pass.
            "advance" => self.world.advance(rest[0].parse().unwrap()),
            // The client starts again and knows nothing of its member id.
            "restart" => self.clients.entry(name).or_default().member_id = Str::EMPTY,
            // Appends are not committed until `release`; the next append fails; the log is loaded again.
            "hold" => self.world.held = true,
            "release" => self.world.release(),
            "fail" => self.world.fails = true,
            "reload" => self.world.load_all(),
            "delete-topic" => {
                self.world
                    .coordinator
                    .topics_deleted(self.world.now, &[rest[0].into()]);
                self.world.topics.0.remove(rest[0]);
                self.world.settle();
            }
            "log" => {
                return self
                    .world
                    .records()
                    .iter()
                    .map(|record| self.show_record(record))
                    .collect();
            }
            _ => {
                let (version, request) = self.request(verb, &name, &words, rest);
                let id = self.world.ask(&name, version, request);
                self.asked.insert(id, (name, verb.to_string()));
            }
        }
        let answers = std::mem::take(&mut self.world.answers);
        for (id, response) in &answers {
            if let GroupResponse::JoinGroup(response) = response {
                let name = self.asked[id].0.clone();
                self.remember(&name, response);
            }
        }
        answers
            .into_iter()
            .map(|(id, response)| {
                let (name, verb) = self.asked.remove(&id).unwrap();
                format!("{name}: {verb} {}", self.show(response))
            })
            .collect()
    }

    fn request(&mut self, verb: &str, name: &str, words: &Words<'_>, rest: &[&str]) -> (i16, GroupRequest) {
        let client = self.clients.entry(name.to_string()).or_default();
        if let Some(instance) = words.named.get("instance") {
            client.instance = Some(Str::from(*instance));
        }
        let member_id = match words.named.get("id") {
            Some(id) => self
                .names
                .iter()
                .find(|(_, name)| name == id)
                .map_or(Str::from(*id), |(id, _)| id.clone()),
            None => client.member_id.clone(),
        };
        let generation = words.number("generation", i64::from(client.generation));
        match verb {
            "join" => (
                words.number("v", 9),
                join(words, member_id, client.instance.clone()),
            ),
            "sync" => (
                words.number("v", 5),
                self.sync(words, rest, name, member_id, generation),
            ),
            "heartbeat" => {
                let request = HeartbeatRequest {
                    group_id: words.group(),
                    generation_id: generation,
                    member_id,
                    group_instance_id: client.instance.clone(),
                };
                (4, GroupRequest::Heartbeat(request))
            }
            // `leave a b` in one request; `leave - instance=i` as an administrator does it.
            "leave" => (words.number("v", 5), self.leave(words)),
            // `commit a t-0=5@2`: offset 5, leader epoch 2. `commit - ...` without being a member.
            "commit" => {
                let version = words.number("v", 9);
                let generation = if name == "-" {
                    words.number("generation", -1)
                } else {
                    generation
                };
                (version, commit(version, words, rest, member_id, generation))
            }
            "fetch" => {
                let version = words.number("v", 9);
                (version, fetch(version, words, rest))
            }
            "delete-offsets" => (0, delete_offsets(words, rest)),
            "describe" => {
                let groups = if rest.is_empty() {
                    vec!["g"]
                } else {
                    words.plain.clone()
                };
                let groups = groups.into_iter().map(Str::from).collect();
                let request = DescribeGroupsRequest {
                    groups,
                    ..DescribeGroupsRequest::default()
                };
                (words.number("v", 6), GroupRequest::DescribeGroups(request))
            }
            "list" => {
                let texts = |name| words.list(name, "").into_iter().map(Str::from).collect();
                let request = ListGroupsRequest {
                    states_filter: texts("states"),
                    types_filter: texts("types"),
                };
                (5, GroupRequest::ListGroups(request))
            }
            "delete" => {
                let groups_names = words.plain.iter().map(|group| Str::from(*group)).collect();
                (
                    3,
                    GroupRequest::DeleteGroups(DeleteGroupsRequest { groups_names }),
                )
            }
            _ => panic!("no command is called {verb}"),
        }
    }

    fn sync(
        &self,
        words: &Words<'_>,
        rest: &[&str],
        name: &str,
        member_id: Str,
        generation: i32,
    ) -> GroupRequest {
        // `sync a a=x b=y`: the leader gives x to a and y to b.
        let given = rest.iter().filter_map(|word| word.split_once('='));
        let given = given.filter_map(|(name, bytes)| Some((self.clients.get(name)?, bytes)));
        let assignments = given.map(|(client, bytes)| SyncGroupRequestAssignment {
            member_id: client.member_id.clone(),
            assignment: Bytes::copy_from_slice(bytes.as_bytes()),
        });
        let assignments = assignments.collect();
        GroupRequest::SyncGroup(SyncGroupRequest {
            group_id: words.group(),
            generation_id: generation,
            member_id,
            group_instance_id: self.clients[name].instance.clone(),
            protocol_type: Some(words.text("type", "consumer").into()),
            protocol_name: Some(words.text("protocol", "range").into()),
            assignments,
        })
    }

    fn leave(&self, words: &Words<'_>) -> GroupRequest {
        let leaving = words
            .plain
            .iter()
            .filter_map(|name| self.clients.get(*name))
            .map(|client| MemberIdentity {
                member_id: client.member_id.clone(),
                group_instance_id: words
                    .named
                    .get("instance")
                    .map(|i| Str::from(*i))
                    .or(client.instance.clone()),
                reason: None,
            });
        let members: Vec<MemberIdentity> = leaving.collect();
        let member_id = members
            .first()
            .map(|member| member.member_id.clone())
            .unwrap_or_default();
        GroupRequest::LeaveGroup(LeaveGroupRequest {
            group_id: words.group(),
            member_id,
            members,
        })
    }

    /// A member id as scripts print it.
    fn member(&self, id: &Str) -> String {
        self.names
            .get(id)
            .cloned()
            .unwrap_or_else(|| format!("{:?}", id.as_str()))
    }

    fn show(&self, response: GroupResponse) -> String {
        match response {
            GroupResponse::TxnOffsetCommit(_) => unreachable!("no script asks for it"),
            GroupResponse::JoinGroup(response) => self.show_join(&response),
            GroupResponse::SyncGroup(response) if response.error_code == ErrorCode::NONE => {
                format!("assignment={}", String::from_utf8_lossy(&response.assignment))
            }
            GroupResponse::SyncGroup(response) => code(response.error_code),
            GroupResponse::Heartbeat(response) => code(response.error_code),
            GroupResponse::LeaveGroup(response) => {
                let members = response.members.iter();
                let members =
                    members.map(|m| format!("{}: {}", self.member(&m.member_id), code(m.error_code)));
                let members: Vec<String> = members.collect();
                format!("{} [{}]", code(response.error_code), members.join(", "))
            }
            GroupResponse::OffsetCommit(response) => {
                let topics = response.topics.iter().map(|topic| {
                    let name = if topic.name.is_empty() { "?" } else { &*topic.name };
                    topic
                        .partitions
                        .iter()
                        .map(move |p| (name, p.partition_index, code(p.error_code)))
                });
                show_partitions(topics.flatten())
            }
            GroupResponse::OffsetDelete(response) => {
                let topics = response.topics.iter().flat_map(|topic| {
                    topic
                        .partitions
                        .iter()
                        .map(|p| (&*topic.name, p.partition_index, code(p.error_code)))
                });
                format!("{} {}", code(response.error_code), show_partitions(topics))
            }
            GroupResponse::OffsetFetch(response) => show_fetch(&response),
            GroupResponse::DescribeGroups(response) => {
                let groups = response.groups.iter().map(|group| {
                    let members = group.members.iter().map(|member| {
                        let assignment = String::from_utf8_lossy(&member.member_assignment).into_owned();
                        format!("{}={assignment}", self.member(&member.member_id))
                    });
                    let (state, kind, protocol) =
                        (&group.group_state, &group.protocol_type, &group.protocol_data);
                    let members = members.collect::<Vec<_>>().join(" ");
                    let error = code(group.error_code);
                    format!(
                        "{}: {error} {state} type={kind} protocol={protocol} [{members}]",
                        group.group_id
                    )
                });
                groups.collect::<Vec<_>>().join("; ")
            }
            GroupResponse::ListGroups(response) => {
                let groups = response.groups.iter();
                let groups = groups.map(|g| {
                    format!(
                        "{} {} {} {}",
                        g.group_id, g.group_state, g.group_type, g.protocol_type
                    )
                });
                format!(
                    "{} [{}]",
                    code(response.error_code),
                    groups.collect::<Vec<_>>().join("; ")
                )
            }
            GroupResponse::DeleteGroups(response) => {
                let results = response
                    .results
                    .iter()
                    .map(|r| format!("{}: {}", r.group_id, code(r.error_code)));
                results.collect::<Vec<_>>().join("; ")
            }
        }
    }

    fn remember(&mut self, name: &str, response: &JoinGroupResponse) {
        let client = self.clients.get_mut(name).unwrap();
        let is_given_id = [ErrorCode::NONE, ErrorCode::MEMBER_ID_REQUIRED].contains(&response.error_code);
        if is_given_id && client.member_id != response.member_id {
            client.ids += 1;
            client.member_id = response.member_id.clone();
            self.names
                .insert(response.member_id.clone(), format!("{name}#{}", client.ids));
        }
        client.generation = response.generation_id.max(client.generation);
    }

    fn show_join(&self, response: &JoinGroupResponse) -> String {
        if response.error_code != ErrorCode::NONE {
            return format!(
                "{} id={}",
                code(response.error_code),
                self.member(&response.member_id)
            );
        }
        let members: Vec<String> = response
            .members
            .iter()
            .map(|member| self.member(&member.member_id))
            .collect();
        let protocol = response.protocol_name.clone().unwrap_or_default();
        let skip = if response.skip_assignment {
            " skip-assignment"
        } else {
            ""
        };
        format!(
            "id={} generation={} protocol={protocol} leader={} members=[{}]{skip}",
            self.member(&response.member_id),
            response.generation_id,
            self.member(&response.leader),
            members.join(" ")
        )
    }

    fn show_record(&self, record: &Stored) -> String {
        match record {
            Stored::Offset {
                group,
                topic,
                partition,
                value: Some(value),
            } => {
                let expires = value
                    .expire_timestamp_ms
                    .map(|ms| format!(" expires={ms}"))
                    .unwrap_or_default();
                let (offset, epoch, at) = (value.offset, value.leader_epoch, value.commit_timestamp_ms);
                let id = if value.topic_id == TestTopics::id(topic) {
                    " with id"
                } else {
                    ""
                };
                format!(
                    "{group} {topic}-{partition} = {offset}@{epoch} {:?} at={at}{expires}{id}",
                    &*value.metadata
                )
            }
            Stored::Offset {
                group,
                topic,
                partition,
                value: None,
            } => format!("{group} {topic}-{partition} deleted"),
            Stored::Group { group, value: None } => format!("{group} deleted"),
            Stored::Group {
                group,
                value: Some(value),
            } => {
                let members = value.members.iter().map(|member| {
                    let assignment = String::from_utf8_lossy(&member.assignment).into_owned();
                    format!("{}={assignment}", self.member(&member.member_id))
                });
                let members = members.collect::<Vec<_>>().join(" ");
                let leader = value
                    .leader
                    .as_ref()
                    .map_or("-".into(), |leader| self.member(leader));
                let (kind, generation, at) = (
                    &value.protocol_type,
                    value.generation,
                    value.current_state_timestamp,
                );
                let protocol = value.protocol.as_deref().unwrap_or("-");
                format!(
                    "{group} type={kind} generation={generation} protocol={protocol} leader={leader} at={at} [{members}]"
                )
            }
            Stored::Other => "other".into(),
        }
    }
}

fn code(error: ErrorCode) -> String {
    if error == ErrorCode::NONE {
        "ok".into()
    } else {
        error.name().to_string()
    }
}

fn show_partitions<'a>(partitions: impl Iterator<Item = (&'a str, i32, String)>) -> String {
    partitions
        .map(|(topic, p, text)| format!("{topic}-{p}={text}"))
        .collect::<Vec<_>>()
        .join(" ")
}

fn show_fetch(response: &klamm_protocol::messages::offset_fetch::OffsetFetchResponse) -> String {
    let partition = |error: ErrorCode, offset: i64, epoch: i32| match error {
        ErrorCode::NONE => format!("{offset}@{epoch}"),
        _ => code(error),
    };
    if response.groups.is_empty() {
        let topics = response.topics.iter().flat_map(|topic| {
            let each = topic.partitions.iter();
            each.map(|p| {
                let value = partition(p.error_code, p.committed_offset, p.committed_leader_epoch);
                (&*topic.name, p.partition_index, value)
            })
        });
        return format!("{} {}", code(response.error_code), show_partitions(topics));
    }
    let groups = response.groups.iter().map(|group| {
        let topics = group.topics.iter().flat_map(|topic| {
            let name = if topic.name.is_empty() { "?" } else { &*topic.name };
            let each = topic.partitions.iter();
            each.map(move |p| {
                let value = partition(p.error_code, p.committed_offset, p.committed_leader_epoch);
                (name, p.partition_index, value)
            })
        });
        format!(
            "{}: {} {}",
            group.group_id,
            code(group.error_code),
            show_partitions(topics)
        )
    });
    groups.collect::<Vec<_>>().join("; ").trim_end().to_string()
}

/// What a consumer says about itself: that it subscribes to topics, in version 0.
fn subscription(topics: &[&str]) -> Bytes {
    let mut bytes = Vec::new();
    bytes.put_i16(0);
    bytes.put_i32(topics.len() as i32);
    for topic in topics {
        bytes.put_i16(topic.len() as i16);
        bytes.put_slice(topic.as_bytes());
    }
    bytes.put_i32(-1);
    bytes.into()
}

fn join(words: &Words<'_>, member_id: Str, instance: Option<Str>) -> GroupRequest {
    let metadata = subscription(&words.list("topics", "t"));
    let protocols = words.list("protocols", "range").into_iter();
    let protocols = protocols.map(|name| JoinGroupRequestProtocol {
        name: name.into(),
        metadata: metadata.clone(),
    });
    GroupRequest::JoinGroup(JoinGroupRequest {
        group_id: words.group(),
        session_timeout_ms: words.number("session", 10_000),
        rebalance_timeout_ms: words.number("rebalance", 60_000),
        member_id,
        group_instance_id: instance,
        protocol_type: words.text("type", "consumer").into(),
        protocols: protocols.collect(),
        reason: None,
    })
}

fn commit(version: i16, words: &Words<'_>, rest: &[&str], member_id: Str, generation: i32) -> GroupRequest {
    let metadata = "m".repeat(words.number("metadata", 1));
    let topics = words
        .partitions(rest)
        .into_iter()
        .map(|(topic, index, offset, epoch)| OffsetCommitRequestTopic {
            name: if version < 10 { topic.into() } else { Str::EMPTY },
            topic_id: TestTopics::id(topic),
            partitions: vec![OffsetCommitRequestPartition {
                partition_index: index,
                committed_offset: offset,
                committed_leader_epoch: epoch,
                committed_metadata: Some(metadata.clone().into()),
                ..OffsetCommitRequestPartition::default()
            }],
        });
    GroupRequest::OffsetCommit(OffsetCommitRequest {
        group_id: words.group(),
        generation_id_or_member_epoch: generation,
        member_id,
        group_instance_id: words.named.get("instance").map(|instance| Str::from(*instance)),
        retention_time_ms: words.number("retention", -1),
        topics: topics.collect(),
    })
}

/// `fetch t-0 t-1` for these, `fetch` for all; `group=g,h` for several groups.
fn fetch(version: i16, words: &Words<'_>, rest: &[&str]) -> GroupRequest {
    let asked: Vec<_> = words.partitions(rest);
    if version < 8 {
        let topics = asked.iter().map(|(topic, index, ..)| OffsetFetchRequestTopic {
            name: (*topic).into(),
            partition_indexes: vec![*index],
        });
        let topics = (!asked.is_empty()).then(|| topics.collect());
        let request = OffsetFetchRequest {
            group_id: words.group(),
            topics,
            ..OffsetFetchRequest::default()
        };
        return GroupRequest::OffsetFetch(request);
    }
    let topics = asked.iter().map(|(topic, index, ..)| OffsetFetchRequestTopics {
        name: if version < 10 { (*topic).into() } else { Str::EMPTY },
        topic_id: TestTopics::id(topic),
        partition_indexes: vec![*index],
    });
    let topics: Option<Vec<_>> = (!asked.is_empty()).then(|| topics.collect());
    let groups = words
        .list("group", "g")
        .into_iter()
        .map(|group| OffsetFetchRequestGroup {
            group_id: group.into(),
            topics: topics.clone(),
            ..OffsetFetchRequestGroup::default()
        });
    GroupRequest::OffsetFetch(OffsetFetchRequest {
        groups: groups.collect(),
        ..OffsetFetchRequest::default()
    })
}

fn delete_offsets(words: &Words<'_>, rest: &[&str]) -> GroupRequest {
    let topics = words
        .partitions(rest)
        .into_iter()
        .map(|(topic, index, ..)| OffsetDeleteRequestTopic {
            name: topic.into(),
            partitions: vec![OffsetDeleteRequestPartition {
                partition_index: index,
            }],
        });
    GroupRequest::OffsetDelete(OffsetDeleteRequest {
        group_id: words.group(),
        topics: topics.collect(),
    })
}
