//! One group: who is in it, in which generation, and what it has committed.
//!
//! Here are the data and the questions to them; what moves a group from state to state is in `rebalance`.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use klamm_protocol::stored::offsets::{GroupMetadataValue, MemberMetadata};
use klamm_protocol::{ErrorCode, Str, Uuid};

use super::interface::Waiter;
use super::subscription;

/// The protocol type of consumers, whose subscriptions the coordinator can read.
pub(super) const CONSUMER_PROTOCOL_TYPE: &str = "consumer";

/// Where a group is in its life (Kafka: `ClassicGroupState`). A group that is gone is not there, which clients
/// are told as "Dead".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// No members; perhaps offsets.
    Empty,
    /// Waiting for everybody to join the next generation.
    PreparingRebalance,
    /// The generation stands; waiting for its leader to say who gets what.
    CompletingRebalance,
    /// Everybody knows what is theirs.
    Stable,
}

impl State {
    /// What clients are told.
    pub fn name(self) -> &'static str {
        match self {
            State::Empty => "Empty",
            State::PreparingRebalance => "PreparingRebalance",
            State::CompletingRebalance => "CompletingRebalance",
            State::Stable => "Stable",
        }
    }
}

/// A member of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Member {
    /// The name that a static member keeps over restarts (KIP-345).
    pub instance_id: Option<Str>,
    pub client_id: Str,
    pub client_host: Str,
    pub rebalance_timeout_ms: i32,
    pub session_timeout_ms: i32,
    /// What the member can work with, the best first: names and, for consumers, subscriptions.
    pub protocols: Vec<(Str, Bytes)>,
    /// What the leader has given to it in this generation.
    pub assignment: Bytes,
    /// It has not been in a generation yet, so it cannot send heartbeats.
    pub is_new: bool,
}

impl Member {
    /// What the member said along with a protocol; empty when it does not know the protocol.
    pub fn metadata(&self, protocol: Option<&Str>) -> Bytes {
        let found = self.protocols.iter().find(|(name, _)| Some(name) == protocol);
        found.map(|(_, metadata)| metadata.clone()).unwrap_or_default()
    }
}

/// The wait for more members that a group's first rebalance begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct InitialDelay {
    /// How long the current wait takes.
    pub delay_ms: u64,
    /// By how much it can be extended still.
    pub remaining_ms: u64,
}

/// An offset as committed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct CommittedOffset {
    pub offset: i64,
    /// Epoch of the last record consumed, -1 when the client did not say.
    pub leader_epoch: i32,
    pub metadata: Str,
    pub commit_timestamp_ms: i64,
    /// When it expires, if its client asked for that (OffsetCommit 2 to 4).
    pub expire_timestamp_ms: Option<i64>,
    /// The topic that it was committed for; zero in records of old brokers.
    pub topic_id: Uuid,
    /// Its place among all commits of the shard, as in the log: a commit that came later counts, also when it was
    /// in a transaction that ended earlier.
    pub order: u64,
}

/// Offsets of one transaction, by topic and partition.
pub(super) type PendingOffsets = BTreeMap<(Str, i32), CommittedOffset>;

/// A group.
#[derive(Clone, Debug)]
pub(super) struct Group {
    pub id: Str,
    pub state: State,
    /// When the state was entered, in milliseconds of the epoch; none in records of old brokers.
    pub state_since_ms: Option<i64>,
    pub generation: i32,
    pub protocol_type: Option<Str>,
    pub protocol: Option<Str>,
    pub leader: Option<Str>,
    pub members: BTreeMap<Str, Member>,
    /// Static members: instance id to member id.
    pub static_members: BTreeMap<Str, Str>,
    /// JoinGroup requests that wait for the next generation, by member.
    pub joins: BTreeMap<Str, Waiter>,
    /// SyncGroup requests that wait for the leader's, by member.
    pub syncs: BTreeMap<Str, Waiter>,
    /// Member ids given out and not used yet (KIP-394).
    pub pending_joins: BTreeSet<Str>,
    /// Members of this generation that have not asked for their assignment yet.
    pub pending_syncs: BTreeSet<Str>,
    /// Set while the first rebalance of an empty group waits for more members.
    pub initial_delay: Option<InitialDelay>,
    pub new_member_added: bool,
    /// Topics that its members subscribe to; none when that is not known.
    pub subscribed_topics: Option<BTreeSet<Str>>,
    /// By topic and partition. No topic is without partitions.
    pub offsets: BTreeMap<Str, BTreeMap<i32, CommittedOffset>>,
    /// Offsets that count once their transaction is committed, by producer id.
    pub pending: BTreeMap<i64, PendingOffsets>,
    /// How many members support each protocol.
    protocol_support: BTreeMap<Str, usize>,
}

impl Group {
    /// A group without members, offsets or history.
    pub fn empty(id: Str, state_since_ms: Option<i64>) -> Group {
        Group {
            id,
            state: State::Empty,
            state_since_ms,
            generation: 0,
            protocol_type: None,
            protocol: None,
            leader: None,
            members: BTreeMap::new(),
            static_members: BTreeMap::new(),
            joins: BTreeMap::new(),
            syncs: BTreeMap::new(),
            pending_joins: BTreeSet::new(),
            pending_syncs: BTreeSet::new(),
            initial_delay: None,
            new_member_added: false,
            subscribed_topics: None,
            offsets: BTreeMap::new(),
            pending: BTreeMap::new(),
            protocol_support: BTreeMap::new(),
        }
    }

    /// The group as a record of the log tells it, without offsets.
    pub fn from_record(id: Str, value: GroupMetadataValue) -> Group {
        let since = (value.current_state_timestamp >= 0).then_some(value.current_state_timestamp);
        let mut group = Group::empty(id, since);
        group.generation = value.generation;
        group.protocol_type = Some(value.protocol_type).filter(|text| !text.is_empty());
        group.protocol = value.protocol;
        group.leader = value.leader;
        let protocol = group.protocol.clone().unwrap_or_default();
        for member in value.members {
            let session_timeout_ms = member.session_timeout;
            let rebalance_timeout_ms = if member.rebalance_timeout == -1 {
                session_timeout_ms
            } else {
                member.rebalance_timeout
            };
            let loaded = Member {
                instance_id: member.group_instance_id,
                client_id: member.client_id,
                client_host: member.client_host,
                rebalance_timeout_ms,
                session_timeout_ms,
                protocols: vec![(protocol.clone(), member.subscription)],
                assignment: member.assignment,
                is_new: false,
            };
            group.add(member.member_id, loaded);
            group.state = State::Stable;
        }
        group.subscribed_topics = group.read_subscriptions();
        group
    }

    /// The group as its record in the log.
    pub fn to_record(&self) -> GroupMetadataValue {
        let members = self.members.iter().map(|(id, member)| MemberMetadata {
            member_id: id.clone(),
            group_instance_id: member.instance_id.clone(),
            client_id: member.client_id.clone(),
            client_host: member.client_host.clone(),
            rebalance_timeout: member.rebalance_timeout_ms,
            session_timeout: member.session_timeout_ms,
            subscription: member.metadata(self.protocol.as_ref()),
            assignment: member.assignment.clone(),
        });
        GroupMetadataValue {
            protocol_type: self.protocol_type.clone().unwrap_or_default(),
            generation: self.generation,
            protocol: self.protocol.clone(),
            leader: self.leader.clone(),
            current_state_timestamp: self.state_since_ms.unwrap_or(-1),
            members: members.collect(),
        }
    }

    pub fn is_leader(&self, member_id: &str) -> bool {
        self.leader.as_deref() == Some(member_id)
    }

    /// Whether every member, and every one that was promised an id, waits for the next generation.
    pub fn everybody_joined(&self) -> bool {
        self.members.len() == self.joins.len() && self.pending_joins.is_empty()
    }

    /// How long the group waits for its members to join: as long as the most patient of them.
    pub fn rebalance_timeout_ms(&self) -> u64 {
        let longest = self
            .members
            .values()
            .map(|member| member.rebalance_timeout_ms)
            .max();
        u64::try_from(longest.unwrap_or(0)).unwrap_or(0)
    }

    /// Whether the member shows that it lives, by a request of its that waits here.
    pub fn hears_from(&self, member_id: &Str) -> bool {
        let is_new = self.members.get(member_id).is_some_and(|member| member.is_new);
        !is_new && (self.joins.contains_key(member_id) || self.syncs.contains_key(member_id))
    }

    /// Adds a member; the first one leads and decides on the protocol type.
    pub fn add(&mut self, member_id: Str, member: Member) {
        if let Some(instance_id) = &member.instance_id {
            self.static_members.insert(instance_id.clone(), member_id.clone());
        }
        self.leader.get_or_insert_with(|| member_id.clone());
        self.count_support(&member, true);
        self.pending_joins.remove(&member_id);
        self.members.insert(member_id, member);
    }

    /// Takes a member, or one that was only promised an id, out of the group, together with its requests that
    /// wait here. If it led, the next one does.
    pub fn remove(&mut self, member_id: &str) -> Vec<Waiter> {
        if let Some(member) = self.members.remove(member_id) {
            self.count_support(&member, false);
            if let Some(instance_id) = &member.instance_id {
                self.static_members.remove(instance_id);
            }
        }
        if self.is_leader(member_id) {
            self.leader = self.members.keys().next().cloned();
        }
        self.pending_joins.remove(member_id);
        self.pending_syncs.remove(member_id);
        [self.joins.remove(member_id), self.syncs.remove(member_id)]
            .into_iter()
            .flatten()
            .collect()
    }

    /// Gives a static member a new member id, under which it keeps its place (KIP-345). Requests that wait
    /// under the old one are handed back.
    pub fn replace_static(&mut self, old_id: &str, new_id: &Str) -> Vec<Waiter> {
        let Some(member) = self.members.remove(old_id) else {
            return Vec::new();
        };
        if let Some(instance_id) = &member.instance_id {
            self.static_members.insert(instance_id.clone(), new_id.clone());
        }
        if self.is_leader(old_id) {
            self.leader = Some(new_id.clone());
        }
        self.members.insert(new_id.clone(), member);
        [self.joins.remove(old_id), self.syncs.remove(old_id)]
            .into_iter()
            .flatten()
            .collect()
    }

    /// Changes what a member can work with.
    pub fn set_protocols(&mut self, member_id: &str, protocols: Vec<(Str, Bytes)>) {
        let Some(mut member) = self.members.remove_entry(member_id) else {
            return;
        };
        self.count_support(&member.1, false);
        member.1.protocols = protocols;
        self.count_support(&member.1, true);
        self.members.insert(member.0, member.1);
    }

    fn count_support(&mut self, member: &Member, joins: bool) {
        for (name, _) in &member.protocols {
            let count = self.protocol_support.entry(name.clone()).or_default();
            *count = if joins { *count + 1 } else { *count - 1 };
            if *count == 0 {
                self.protocol_support.remove(name);
            }
        }
    }

    fn is_supported_by_all(&self, protocol: &str) -> bool {
        self.protocol_support.get(protocol).copied().unwrap_or(0) == self.members.len()
    }

    /// Whether a member of this type and with these protocols has one in common with all others.
    pub fn supports(&self, protocol_type: &str, protocols: &[(Str, Bytes)]) -> bool {
        if self.state == State::Empty {
            return !protocol_type.is_empty() && !protocols.is_empty();
        }
        self.protocol_type.as_deref() == Some(protocol_type)
            && protocols.iter().any(|(name, _)| self.is_supported_by_all(name))
    }

    /// The protocol of the next generation: each member votes for the first in its list that all have. Where
    /// votes are equal (Kafka leaves this to chance), the leader's list decides.
    pub fn select_protocol(&self) -> Option<Str> {
        let mut votes: BTreeMap<&Str, usize> = BTreeMap::new();
        for member in self.members.values() {
            let vote = member
                .protocols
                .iter()
                .find(|(name, _)| self.is_supported_by_all(name));
            if let Some((name, _)) = vote {
                *votes.entry(name).or_default() += 1;
            }
        }
        let most = votes.values().copied().max()?;
        let leader = self.leader.as_ref().and_then(|leader| self.members.get(leader));
        let of_leader = leader
            .into_iter()
            .flat_map(|member| &member.protocols)
            .map(|(name, _)| name);
        of_leader
            .chain(votes.keys().copied())
            .find(|name| votes.get(name) == Some(&most))
            .cloned()
    }

    /// If the leader has not joined again, another one that has leads. False if nobody has.
    pub fn elect_joined_leader(&mut self) -> bool {
        if self
            .leader
            .as_ref()
            .is_some_and(|leader| self.joins.contains_key(leader))
        {
            return true;
        }
        let Some(joined) = self.joins.keys().next().cloned() else {
            return false;
        };
        self.leader = Some(joined);
        true
    }

    /// Checks that the member is in the group and, if it is a static one, that nobody has taken its place.
    ///
    /// # Errors
    /// UNKNOWN_MEMBER_ID, FENCED_INSTANCE_ID.
    pub fn check_member(&self, member_id: &str, instance_id: Option<&str>) -> Result<(), ErrorCode> {
        if let Some(instance_id) = instance_id {
            let owner = self
                .static_members
                .get(instance_id)
                .ok_or(ErrorCode::UNKNOWN_MEMBER_ID)?;
            if *owner != member_id {
                return Err(ErrorCode::FENCED_INSTANCE_ID);
            }
        }
        if self.members.contains_key(member_id) {
            Ok(())
        } else {
            Err(ErrorCode::UNKNOWN_MEMBER_ID)
        }
    }

    /// Whether its members are consumers, so that their subscriptions can be read.
    pub fn has_consumers(&self) -> bool {
        self.protocol_type.as_deref() == Some(CONSUMER_PROTOCOL_TYPE)
    }

    /// Whether a topic is in use: subscribed to, or perhaps so, because subscriptions cannot be read.
    pub fn is_subscribed_to(&self, topic: &str) -> bool {
        self.subscribed_topics
            .as_ref()
            .map_or(self.has_consumers(), |topics| topics.contains(topic))
    }

    /// The topics that the members subscribe to; none when that cannot be told.
    pub fn read_subscriptions(&self) -> Option<BTreeSet<Str>> {
        if !self.has_consumers() {
            return None;
        }
        let mut topics = BTreeSet::new();
        for member in self.members.values() {
            topics.extend(subscription::topics(&member.metadata(self.protocol.as_ref()))?);
        }
        Some(topics)
    }

    /// Stores an offset.
    pub fn set_offset(&mut self, topic: Str, partition: i32, offset: CommittedOffset) {
        self.offsets.entry(topic).or_default().insert(partition, offset);
    }

    /// Forgets an offset. True if there was one.
    pub fn remove_offset(&mut self, topic: &str, partition: i32) -> bool {
        let Some(partitions) = self.offsets.get_mut(topic) else {
            return false;
        };
        let removed = partitions.remove(&partition).is_some();
        if partitions.is_empty() {
            self.offsets.remove(topic);
        }
        removed
    }

    /// Whether a transaction is open that commits an offset for this partition.
    pub fn is_unstable(&self, topic: &Str, partition: i32) -> bool {
        let key = (topic.clone(), partition);
        self.pending.values().any(|offsets| offsets.contains_key(&key))
    }

    /// Stores an offset that counts once the producer's transaction is committed.
    pub fn set_pending(&mut self, producer_id: i64, topic: Str, partition: i32, offset: CommittedOffset) {
        let offsets = self.pending.entry(producer_id).or_default();
        offsets.insert((topic, partition), offset);
    }

    /// A tombstone takes what is pending along.
    pub fn drop_pending(&mut self, topic: &Str, partition: i32) {
        let key = (topic.clone(), partition);
        self.pending.retain(|_, offsets| {
            offsets.remove(&key);
            !offsets.is_empty()
        });
    }

    /// A producer's transaction is over: what it has committed counts, unless something else was committed since.
    pub fn end_transaction(&mut self, producer_id: i64, commit: bool) {
        let pending = self.pending.remove(&producer_id).unwrap_or_default();
        for ((topic, partition), offset) in pending {
            let known = self
                .offsets
                .get(&topic)
                .and_then(|offsets| offsets.get(&partition));
            if commit && known.is_none_or(|known| known.order < offset.order) {
                self.set_offset(topic, partition, offset);
            }
        }
    }

    /// Whether this is no more than what a tombstone leaves: nothing to keep in memory.
    pub fn is_blank(&self) -> bool {
        self.members.is_empty()
            && self.pending_joins.is_empty()
            && self.offsets.is_empty()
            && self.pending.is_empty()
    }
}
