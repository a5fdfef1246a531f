//! A member of the one consumer group, by the classic protocol: joins, shares partitions out when it leads, keeps
//! its membership alive and commits offsets that only grow.

use std::collections::BTreeMap;

use bytes::{BufMut, Bytes, BytesMut};
use klamm_protocol::messages::find_coordinator::{FindCoordinatorRequest, FindCoordinatorResponse};
use klamm_protocol::messages::heartbeat::{HeartbeatRequest, HeartbeatResponse};
use klamm_protocol::messages::join_group::{JoinGroupRequest, JoinGroupRequestProtocol, JoinGroupResponse};
use klamm_protocol::messages::leave_group::{LeaveGroupRequest, LeaveGroupResponse, MemberIdentity};
use klamm_protocol::messages::offset_commit::{
    OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic, OffsetCommitResponse,
};
use klamm_protocol::messages::offset_fetch::{
    OffsetFetchRequest, OffsetFetchRequestGroup, OffsetFetchRequestTopics, OffsetFetchResponse,
};
use klamm_protocol::messages::sync_group::{SyncGroupRequest, SyncGroupRequestAssignment, SyncGroupResponse};
use klamm_protocol::{ErrorCode, Str, Uuid};

use super::topics::{CHURN, all_topics};
use super::{Client, Lost};

type Owned = (Uuid, i32);

const GROUP: &str = "group";
const SESSION_TIMEOUT_MS: i32 = 6_000;
const REBALANCE_TIMEOUT_MS: i32 = 5_000;

/// How a round of the group ends.
enum Round {
    /// The group changes: join again as the same member.
    Rejoin,
    /// The group does not know this member any more, or the member left it.
    Anew,
}

/// Takes part in the group for ever.
pub async fn run(mut client: Client) {
    let mut member_id = Str::default();
    loop {
        match round(&mut client, &mut member_id).await {
            Ok(Round::Rejoin) => {}
            Ok(Round::Anew) => member_id = Str::default(),
            Err(Lost) => client.pause(20, 300).await,
        }
    }
}

async fn round(client: &mut Client, member_id: &mut Str) -> Result<Round, Lost> {
    find_coordinator(client).await?;
    let ticket = client.shared().borrow().checker.group.ticket();
    let joined: JoinGroupResponse = client.call(5, &join_request(member_id)).await?;
    match joined.error_code {
        ErrorCode::NONE => {}
        ErrorCode::MEMBER_ID_REQUIRED => {
            *member_id = joined.member_id;
            return Ok(Round::Rejoin);
        }
        code => return refused(client, code).await,
    }
    *member_id = joined.member_id.clone();
    let generation = joined.generation_id;
    client.note(format_args!(
        "joined generation {generation} as {member_id}, {} members",
        joined.members.len()
    ));
    told(client, |group| group.joined(generation, &ticket));

    let shared_out = if joined.leader == joined.member_id {
        Some(partitions(client).await?)
    } else {
        None
    };
    let assignments = shared_out
        .as_ref()
        .map(|partitions| share_out(&joined, partitions))
        .unwrap_or_default();
    let ticket = client.shared().borrow().checker.group.ticket();
    let request = SyncGroupRequest {
        group_id: GROUP.into(),
        generation_id: generation,
        member_id: member_id.clone(),
        assignments,
        ..Default::default()
    };
    let synced: SyncGroupResponse = client.call(3, &request).await?;
    if synced.error_code != ErrorCode::NONE {
        return refused(client, synced.error_code).await;
    }
    let owned = read_assignment(&synced.assignment);
    client.note(format_args!(
        "owns {} partitions in generation {generation}",
        owned.len()
    ));
    told(client, |group| {
        group.assigned(generation, member_id, &owned, &ticket)
    });
    client.shared().borrow().checker.counts.generations += 1;
    membership(client, member_id, generation, &owned, shared_out).await
}

/// Lives as a member until something ends it. The leader looks whether there still are the partitions that it shared
/// out.
async fn membership(
    client: &mut Client,
    member_id: &Str,
    generation: i32,
    owned: &[Owned],
    shared_out: Option<Vec<Owned>>,
) -> Result<Round, Lost> {
    let mut positions = fetch_offsets(client, owned).await?;
    loop {
        client.pause(20, 500).await;
        if let Some(shared_out) = &shared_out
            && client.random(|random| random.chance(5))
            && partitions(client).await? != *shared_out
        {
            return Ok(Round::Rejoin);
        }
        let heartbeat = HeartbeatRequest {
            group_id: GROUP.into(),
            generation_id: generation,
            member_id: member_id.clone(),
            group_instance_id: None,
        };
        let answer: HeartbeatResponse = client.call(3, &heartbeat).await?;
        if answer.error_code != ErrorCode::NONE {
            return refused(client, answer.error_code).await;
        }
        // This says nothing of the generation: while a group is being loaded, every heartbeat is well, as in Kafka.
        // A commit that is taken does.
        if let Some(positions) = &mut positions
            && !positions.is_empty()
        {
            if let Some(code) = commit(client, member_id, generation, positions).await? {
                return refused(client, code).await;
            }
        } else {
            positions = fetch_offsets(client, owned).await?;
        }
        if client.is_calm() {
            continue;
        }
        match client.random(|random| random.below(40)) {
            0 => return leave(client, member_id).await,
            1 => {
                // As if the process stopped: the session runs out, or not quite.
                client.disconnect();
                client.pause(1000, 9000).await;
                return Ok(Round::Anew);
            }
            2 => client.pause(1000, 8000).await,
            _ => {}
        }
    }
}

fn told(client: &Client, tell: impl FnOnce(&mut crate::checker::GroupChecker) -> Result<(), String>) {
    let mut world = client.shared().borrow();
    if let Err(contradiction) = tell(&mut world.checker.group) {
        world.checker.fail(format!("group: {contradiction}"));
    }
}

async fn refused(client: &mut Client, code: ErrorCode) -> Result<Round, Lost> {
    client.note(format_args!("refused: {code:?}"));
    client.pause(5, 100).await;
    match code {
        ErrorCode::UNKNOWN_MEMBER_ID => Ok(Round::Anew),
        ErrorCode::REBALANCE_IN_PROGRESS
        | ErrorCode::ILLEGAL_GENERATION
        | ErrorCode::COORDINATOR_NOT_AVAILABLE
        | ErrorCode::COORDINATOR_LOAD_IN_PROGRESS
        | ErrorCode::NOT_COORDINATOR
        | ErrorCode::REQUEST_TIMED_OUT => Ok(Round::Rejoin),
        code => {
            client
                .shared()
                .borrow()
                .checker
                .fail(format!("a sound group request is answered with {code:?}"));
            Ok(Round::Anew)
        }
    }
}

async fn find_coordinator(client: &mut Client) -> Result<(), Lost> {
    let request = FindCoordinatorRequest {
        coordinator_keys: vec![GROUP.into()],
        ..Default::default()
    };
    loop {
        let answer: FindCoordinatorResponse = client.call(4, &request).await?;
        if answer
            .coordinators
            .first()
            .is_some_and(|found| found.error_code == ErrorCode::NONE)
        {
            return Ok(());
        }
        client.pause(20, 200).await;
    }
}

fn join_request(member_id: &Str) -> JoinGroupRequest {
    let protocol = JoinGroupRequestProtocol {
        name: "range".into(),
        metadata: Bytes::from_static(b"anything"),
    };
    JoinGroupRequest {
        group_id: GROUP.into(),
        session_timeout_ms: SESSION_TIMEOUT_MS,
        rebalance_timeout_ms: REBALANCE_TIMEOUT_MS,
        member_id: member_id.clone(),
        protocol_type: "consumer".into(),
        protocols: vec![protocol],
        ..Default::default()
    }
}

/// The partitions that the group is about.
async fn partitions(client: &mut Client) -> Result<Vec<Owned>, Lost> {
    let topics = all_topics(client).await?;
    let kept = topics.iter().filter(|topic| !topic.name.starts_with(CHURN));
    Ok(kept
        .flat_map(|topic| (0..topic.partitions).map(|partition| (topic.id, partition)))
        .collect())
}

/// The leader gives each partition to one member. What an assignment says is between the members; the broker
/// only carries it.
fn share_out(joined: &JoinGroupResponse, partitions: &[Owned]) -> Vec<SyncGroupRequestAssignment> {
    let mut shares = vec![BytesMut::new(); joined.members.len()];
    for (index, (topic, partition)) in partitions.iter().enumerate() {
        let share = &mut shares[index % joined.members.len()];
        share.put_slice(&topic.0);
        share.put_i32(*partition);
    }
    let members = joined.members.iter().zip(shares);
    let assignment = |(member, share): (
        &klamm_protocol::messages::join_group::JoinGroupResponseMember,
        BytesMut,
    )| {
        SyncGroupRequestAssignment {
            member_id: member.member_id.clone(),
            assignment: share.freeze(),
        }
    };
    members.map(assignment).collect()
}

fn read_assignment(assignment: &Bytes) -> Vec<Owned> {
    let owned = |share: &[u8]| {
        let id = share.first_chunk::<16>()?;
        let partition = share[16..].first_chunk::<4>()?;
        Some((Uuid(*id), i32::from_be_bytes(*partition)))
    };
    assignment.chunks(20).filter_map(owned).collect()
}

fn by_topic(owned: &[Owned]) -> BTreeMap<Uuid, Vec<i32>> {
    let mut topics: BTreeMap<Uuid, Vec<i32>> = BTreeMap::new();
    for (topic, partition) in owned {
        topics.entry(*topic).or_default().push(*partition);
    }
    topics
}

/// The committed offset of each partition, 0 where there is none; `None` when the coordinator cannot say yet.
async fn fetch_offsets(client: &mut Client, owned: &[Owned]) -> Result<Option<BTreeMap<Owned, i64>>, Lost> {
    let ticket = client.shared().borrow().checker.group.ticket();
    let topic = |(topic_id, partition_indexes)| OffsetFetchRequestTopics {
        topic_id,
        partition_indexes,
        ..Default::default()
    };
    let topics = by_topic(owned).into_iter().map(topic).collect();
    let group = OffsetFetchRequestGroup {
        group_id: GROUP.into(),
        topics: Some(topics),
        ..Default::default()
    };
    let request = OffsetFetchRequest {
        groups: vec![group],
        ..Default::default()
    };
    let answer: OffsetFetchResponse = client.call(10, &request).await?;
    let Some(group) = answer
        .groups
        .first()
        .filter(|group| group.error_code == ErrorCode::NONE)
    else {
        return Ok(None);
    };
    let mut positions = BTreeMap::new();
    for topic in &group.topics {
        for partition in &topic.partitions {
            if partition.error_code != ErrorCode::NONE {
                return Ok(None);
            }
            let key = (topic.topic_id, partition.partition_index);
            told(client, |group| {
                group.fetched(key, partition.committed_offset, &ticket)
            });
            positions.insert(key, partition.committed_offset.max(0));
        }
    }
    Ok(Some(positions))
}

/// Moves on in every partition and commits; gives the code that it was refused with.
async fn commit(
    client: &mut Client,
    member_id: &Str,
    generation: i32,
    positions: &mut BTreeMap<Owned, i64>,
) -> Result<Option<ErrorCode>, Lost> {
    for position in positions.values_mut() {
        *position += client.random(|random| random.between(1, 10)).cast_signed();
    }
    let ticket = client.shared().borrow().checker.group.ticket();
    let mut request = OffsetCommitRequest {
        group_id: GROUP.into(),
        generation_id_or_member_epoch: generation,
        member_id: member_id.clone(),
        ..Default::default()
    };
    let owned: Vec<Owned> = positions.keys().copied().collect();
    for (topic_id, partitions) in by_topic(&owned) {
        let partition = |partition_index: i32| OffsetCommitRequestPartition {
            partition_index,
            committed_offset: positions[&(topic_id, partition_index)],
            ..Default::default()
        };
        let partitions = partitions.into_iter().map(partition).collect();
        request.topics.push(OffsetCommitRequestTopic {
            topic_id,
            partitions,
            ..Default::default()
        });
    }
    for (key, offset) in positions.iter() {
        client.shared().borrow().checker.group.commit_asked(*key, *offset);
    }
    let answer: OffsetCommitResponse = client.call(10, &request).await?;
    let mut first_refusal = None;
    for topic in &answer.topics {
        for partition in &topic.partitions {
            let key = (topic.topic_id, partition.partition_index);
            let Some(offset) = positions.get(&key).copied() else {
                continue;
            };
            if partition.error_code == ErrorCode::NONE {
                let mut world = client.shared().borrow();
                world.checker.counts.commits += 1;
                world.told_done();
                drop(world);
                told(client, |group| {
                    group.committed(key, offset, generation, &ticket)?;
                    group.assigned(generation, member_id, &[key], &ticket)
                });
            } else {
                first_refusal.get_or_insert(partition.error_code);
                // The other codes may stand for an append of which nobody knows how it ended.
                if matches!(
                    partition.error_code,
                    ErrorCode::UNKNOWN_MEMBER_ID
                        | ErrorCode::ILLEGAL_GENERATION
                        | ErrorCode::REBALANCE_IN_PROGRESS
                ) {
                    client.shared().borrow().checker.group.refused(key, offset);
                }
            }
        }
    }
    Ok(first_refusal)
}

async fn leave(client: &mut Client, member_id: &Str) -> Result<Round, Lost> {
    let member = MemberIdentity {
        member_id: member_id.clone(),
        ..Default::default()
    };
    let request = LeaveGroupRequest {
        group_id: GROUP.into(),
        members: vec![member],
        ..Default::default()
    };
    let _: LeaveGroupResponse = client.call(4, &request).await?;
    client.pause(100, 3000).await;
    Ok(Round::Anew)
}
