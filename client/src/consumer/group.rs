//! Membership in a group by the classic protocol: join, sync, heartbeat, commit, leave.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use klamm_protocol::messages::heartbeat::HeartbeatRequest;
use klamm_protocol::messages::join_group::{JoinGroupRequest, JoinGroupRequestProtocol, JoinGroupResponse};
use klamm_protocol::messages::leave_group::{LeaveGroupRequest, MemberIdentity};
use klamm_protocol::messages::offset_commit::{
    OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use klamm_protocol::messages::sync_group::{SyncGroupRequest, SyncGroupRequestAssignment};
use klamm_protocol::{ErrorCode, Str};
use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio::time::sleep;

use super::assignment::{
    Partitions, Subscriber, assigned_partitions, encode_assignment, encode_subscription, range,
    subscribed_topics,
};
use crate::{Cluster, Error};

const CONSUMER: Str = Str::from_static("consumer");
const RANGE: Str = Str::from_static("range");

/// How a consumer is a member of a group.
#[derive(Clone, Debug)]
pub struct GroupOptions {
    /// The group.
    pub group: Str,
    /// An id of one's own: who comes back with it within the session timeout gets the same partitions (KIP-345).
    pub instance: Option<Str>,
    /// Without a heartbeat for so long, a member is taken for dead.
    pub session_timeout: Duration,
    /// Between two heartbeats.
    pub heartbeat_interval: Duration,
    /// How long the others wait for this one to join again, so the longest time between two polls.
    pub rebalance_timeout: Duration,
    /// How often positions are committed while polling; `None` leaves it to [`Consumer::commit`](super::Consumer::commit).
    pub auto_commit: Option<Duration>,
}

impl GroupOptions {
    /// Kafka's defaults for a group.
    pub fn new(group: Str) -> GroupOptions {
        GroupOptions {
            group,
            instance: None,
            session_timeout: Duration::from_secs(45),
            heartbeat_interval: Duration::from_secs(3),
            rebalance_timeout: Duration::from_secs(300),
            auto_commit: Some(Duration::from_secs(5)),
        }
    }
}

/// What the heartbeats have to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    Member,
    /// The group deals out anew.
    Rebalancing,
    /// The group goes on without this member.
    Lost,
    /// Another one came with the same instance id.
    Fenced,
}

/// A place in a group.
#[derive(Debug)]
pub(super) struct Membership {
    /// Connections of its own: a JoinGroup waits for the other members, and holds up whatever comes after it.
    cluster: Cluster,
    pub options: GroupOptions,
    topics: Vec<Str>,
    member: Str,
    generation: i32,
    standing: watch::Receiver<Standing>,
    heartbeats: Option<AbortHandle>,
}

/// One way through JoinGroup and SyncGroup.
enum Attempt {
    Assigned(Partitions),
    /// Again at once: the answer said how.
    Again,
}

impl Membership {
    pub fn new(cluster: &Cluster, options: GroupOptions, topics: Vec<Str>) -> Membership {
        Membership {
            cluster: cluster.sibling(),
            options,
            topics,
            member: Str::EMPTY,
            generation: -1,
            // Nobody is a member before joining.
            standing: watch::channel(Standing::Lost).1,
            heartbeats: None,
        }
    }

    /// Other connections from now on: a JoinGroup that nobody waits for any more still holds up its own.
    pub fn reconnect(&mut self) {
        self.cluster = self.cluster.sibling();
    }

    /// Whether partitions are to be given up and [`Membership::join`] to be called.
    pub fn must_join(&self) -> bool {
        *self.standing.borrow() != Standing::Member
    }

    /// Waits until that changes; for ever when it cannot.
    pub async fn changed(&mut self) {
        if self.standing.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Joins, waits for the other members, and gives what this one is to read.
    ///
    /// # Errors
    /// [`Error::Refused`], for instance FENCED_INSTANCE_ID or INCONSISTENT_GROUP_PROTOCOL; [`Error::TimedOut`].
    pub async fn join(&mut self) -> Result<Partitions, Error> {
        if *self.standing.borrow() == Standing::Fenced {
            return Err(self.refused(ErrorCode::FENCED_INSTANCE_ID));
        }
        self.stop_heartbeats();
        let mut failures = 0;
        loop {
            match self.attempt().await {
                Ok(Attempt::Assigned(partitions)) => {
                    self.start_heartbeats();
                    return Ok(partitions);
                }
                Ok(Attempt::Again) => failures = 0,
                Err(error) if error.retriable() && failures < 30 => {
                    failures += 1;
                    sleep(Duration::from_millis(100).saturating_mul(failures)).await;
                }
                Err(error) => return Err(error),
            }
        }
    }

    async fn attempt(&mut self) -> Result<Attempt, Error> {
        let answer = self.join_group().await?;
        match answer.error_code {
            ErrorCode::NONE => {}
            // The id to come again with (KIP-394).
            ErrorCode::MEMBER_ID_REQUIRED => {
                self.member = answer.member_id.detached();
                return Ok(Attempt::Again);
            }
            ErrorCode::UNKNOWN_MEMBER_ID | ErrorCode::ILLEGAL_GENERATION => return Ok(self.forget()),
            code => return Err(self.refused(code)),
        }
        self.member = answer.member_id.detached();
        self.generation = answer.generation_id;
        let assignments = if answer.leader == answer.member_id && !answer.skip_assignment {
            self.deal(&answer).await?
        } else {
            Vec::new()
        };
        let request = SyncGroupRequest {
            group_id: self.options.group.clone(),
            generation_id: self.generation,
            member_id: self.member.clone(),
            group_instance_id: self.options.instance.clone(),
            protocol_type: Some(CONSUMER),
            protocol_name: answer.protocol_name,
            assignments,
        };
        let coordinator = self.cluster.coordinator(&self.options.group).await?;
        let answer = self
            .cluster
            .ask_within(coordinator, &request, self.patience())
            .await?;
        match answer.error_code {
            ErrorCode::NONE => {}
            ErrorCode::REBALANCE_IN_PROGRESS => return Ok(Attempt::Again),
            ErrorCode::UNKNOWN_MEMBER_ID | ErrorCode::ILLEGAL_GENERATION => return Ok(self.forget()),
            code => return Err(self.refused(code)),
        }
        let partitions = assigned_partitions(answer.assignment);
        partitions
            .map(Attempt::Assigned)
            .ok_or_else(|| self.refused(ErrorCode::INCONSISTENT_GROUP_PROTOCOL))
    }

    async fn join_group(&self) -> Result<JoinGroupResponse, Error> {
        let request = JoinGroupRequest {
            group_id: self.options.group.clone(),
            session_timeout_ms: millis(self.options.session_timeout),
            rebalance_timeout_ms: millis(self.options.rebalance_timeout),
            member_id: self.member.clone(),
            group_instance_id: self.options.instance.clone(),
            protocol_type: CONSUMER,
            protocols: vec![JoinGroupRequestProtocol {
                name: RANGE,
                metadata: encode_subscription(&self.topics),
            }],
            reason: None,
        };
        let coordinator = self.cluster.coordinator(&self.options.group).await?;
        self.cluster
            .ask_within(coordinator, &request, self.patience())
            .await
    }

    /// The other members may take their rebalance timeout, and the coordinator some time of its own.
    fn patience(&self) -> Duration {
        self.options.rebalance_timeout + self.cluster.options().request_timeout
    }

    /// As the leader: who reads what.
    async fn deal(&self, answer: &JoinGroupResponse) -> Result<Vec<SyncGroupRequestAssignment>, Error> {
        let members = answer.members.iter().map(|member| Subscriber {
            member: member.member_id.clone(),
            instance: member.group_instance_id.clone(),
            topics: subscribed_topics(member.metadata.clone()).unwrap_or_default(),
        });
        let members: Vec<Subscriber> = members.collect();
        let topics: BTreeSet<Str> = members
            .iter()
            .flat_map(|member| member.topics.iter().cloned())
            .collect();
        let topics: Vec<Str> = topics.into_iter().collect();
        let picture = self.cluster.refresh(Some(&topics), false).await?;
        let counts: BTreeMap<Str, i32> = topics
            .iter()
            .filter_map(|topic| {
                let count = picture.topics.get(topic)?.partitions.len();
                Some((topic.clone(), i32::try_from(count).ok()?))
            })
            .collect();
        let assignments = range(&members, &counts);
        let assignment = |(member_id, partitions): (&Str, &Partitions)| SyncGroupRequestAssignment {
            member_id: member_id.clone(),
            assignment: encode_assignment(partitions),
        };
        Ok(assignments.iter().map(assignment).collect())
    }

    /// Commits for this generation.
    ///
    /// # Errors
    /// [`Error::Refused`]: with REBALANCE_IN_PROGRESS, UNKNOWN_MEMBER_ID or ILLEGAL_GENERATION the partitions may
    /// belong to others by now.
    pub async fn commit(&self, offsets: &BTreeMap<(Str, i32), i64>) -> Result<(), Error> {
        let mut topics: BTreeMap<Str, Vec<OffsetCommitRequestPartition>> = BTreeMap::new();
        for ((topic, partition_index), offset) in offsets {
            topics
                .entry(topic.clone())
                .or_default()
                .push(OffsetCommitRequestPartition {
                    partition_index: *partition_index,
                    committed_offset: *offset,
                    committed_metadata: Some(Str::EMPTY),
                    ..Default::default()
                });
        }
        let topics = topics
            .into_iter()
            .map(|(name, partitions)| OffsetCommitRequestTopic {
                name,
                partitions,
                ..Default::default()
            });
        let request = OffsetCommitRequest {
            group_id: self.options.group.clone(),
            generation_id_or_member_epoch: self.generation,
            member_id: self.member.clone(),
            group_instance_id: self.options.instance.clone(),
            topics: topics.collect(),
            ..Default::default()
        };
        let ask = async || {
            let answer = self
                .cluster
                .ask_coordinator(&self.options.group, &request)
                .await?;
            for topic in answer.topics {
                for partition in topic.partitions {
                    let what = || {
                        let (group, partition) = (&self.options.group, partition.partition_index);
                        format!("committing {}-{partition} for group {group}", topic.name)
                    };
                    Error::check(what, partition.error_code, None)?;
                }
            }
            Ok(())
        };
        self.cluster.retrying(ask).await
    }

    /// Leaves, so that the others need not wait for the session timeout. A static member only stops: it may come back.
    ///
    /// # Errors
    /// Those of asking.
    pub async fn leave(&mut self) -> Result<(), Error> {
        self.stop_heartbeats();
        let member = std::mem::take(&mut self.member);
        if self.options.instance.is_some() || member.is_empty() {
            return Ok(());
        }
        let request = LeaveGroupRequest {
            group_id: self.options.group.clone(),
            members: vec![MemberIdentity {
                member_id: member,
                group_instance_id: None,
                reason: None,
            }],
            ..Default::default()
        };
        let answer = self
            .cluster
            .ask_coordinator(&self.options.group, &request)
            .await?;
        Error::check(
            || format!("leaving group {}", self.options.group),
            answer.error_code,
            None,
        )
    }

    fn forget(&mut self) -> Attempt {
        self.member = Str::EMPTY;
        self.generation = -1;
        Attempt::Again
    }

    fn refused(&self, code: ErrorCode) -> Error {
        Error::Refused {
            what: format!("joining group {}", self.options.group),
            code,
            message: None,
        }
    }

    fn start_heartbeats(&mut self) {
        let (standing, watched) = watch::channel(Standing::Member);
        self.standing = watched;
        let request = HeartbeatRequest {
            group_id: self.options.group.clone(),
            generation_id: self.generation,
            member_id: self.member.clone(),
            group_instance_id: self.options.instance.clone(),
        };
        let interval = self.options.heartbeat_interval;
        let beating = tokio::spawn(beat(self.cluster.clone(), Arc::new(request), interval, standing));
        self.heartbeats = Some(beating.abort_handle());
    }

    fn stop_heartbeats(&mut self) {
        if let Some(heartbeats) = self.heartbeats.take() {
            heartbeats.abort();
        }
    }
}

impl Drop for Membership {
    fn drop(&mut self) {
        self.stop_heartbeats();
    }
}

/// Beats until the membership ends. Also while the group deals out anew: this member may still be at work.
async fn beat(
    cluster: Cluster,
    request: Arc<HeartbeatRequest>,
    interval: Duration,
    standing: watch::Sender<Standing>,
) {
    loop {
        sleep(interval).await;
        let code = match cluster.ask_coordinator(&request.group_id, &*request).await {
            Ok(answer) => answer.error_code,
            // The coordinator may be back before the session ends; if not, it says so itself.
            Err(_) => continue,
        };
        let now = match code {
            ErrorCode::NONE => continue,
            ErrorCode::REBALANCE_IN_PROGRESS => Standing::Rebalancing,
            ErrorCode::UNKNOWN_MEMBER_ID | ErrorCode::ILLEGAL_GENERATION => Standing::Lost,
            ErrorCode::FENCED_INSTANCE_ID => Standing::Fenced,
            _ => continue,
        };
        let changed = standing.send_if_modified(|standing| std::mem::replace(standing, now) != now);
        if changed && now != Standing::Rebalancing {
            // Kept, so that whoever looks later still sees it.
            standing.closed().await;
            return;
        }
    }
}

fn millis(duration: Duration) -> i32 {
    i32::try_from(duration.as_millis()).unwrap_or(i32::MAX)
}
