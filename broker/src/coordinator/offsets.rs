//! OffsetCommit, OffsetFetch and OffsetDelete, and the expiry of offsets. Kafka: `OffsetMetadataManager`.

use klamm_protocol::messages::offset_commit::{
    OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitResponse,
};
use klamm_protocol::messages::offset_delete::{OffsetDeleteRequest, OffsetDeleteResponse};
use klamm_protocol::messages::offset_fetch::{
    OffsetFetchRequestGroup, OffsetFetchRequestTopics, OffsetFetchResponseGroup,
    OffsetFetchResponsePartitions, OffsetFetchResponseTopics,
};
use klamm_protocol::messages::txn_offset_commit::{TxnOffsetCommitRequest, TxnOffsetCommitResponse};
use klamm_protocol::{ErrorCode, Str, Uuid};

use super::group::{CommittedOffset, Group, State};
use super::interface::{Call, GroupResponse, Part, Reply, Topics, no_offset};
use super::outbox::StoredRecord;
use super::rebalance::Context;
use super::records;
use super::shard::GroupShard;

/// From this version of OffsetCommit and OffsetFetch on, topics are named by their ids.
pub(super) const FIRST_VERSION_WITH_TOPIC_IDS: i16 = 10;
/// From this version of TxnOffsetCommit on, too.
const FIRST_TXN_VERSION_WITH_TOPIC_IDS: i16 = 6;
/// From this version of OffsetCommit on, an unknown group is called that.
const FIRST_VERSION_WITH_GROUP_NOT_FOUND: i16 = 9;
/// In OffsetCommit 2 to 4: the broker decides how long the offset is kept.
const DEFAULT_RETENTION: i64 = -1;
/// In OffsetCommit 1: the broker decides what time it is.
const DEFAULT_TIMESTAMP: i64 = -1;

/// Names every topic of a request by name and id, and finds those that are not there.
///
/// The answer has the request's topics and partitions in the same order. Those with an error in it are not to
/// be committed.
pub(super) fn plan_commit(
    version: i16,
    request: &mut OffsetCommitRequest,
    topics: &dyn Topics,
) -> OffsetCommitResponse {
    use klamm_protocol::messages::offset_commit::{OffsetCommitResponsePartition, OffsetCommitResponseTopic};
    let by_id = version >= FIRST_VERSION_WITH_TOPIC_IDS;
    let mut answer = OffsetCommitResponse::default();
    for topic in &mut request.topics {
        let name = if by_id {
            topics.name_of(topic.topic_id)
        } else {
            Some(topic.name.clone())
        };
        if !by_id {
            topic.topic_id = topics.id_of(&topic.name).unwrap_or(Uuid::ZERO);
        }
        let partitions = topic.partitions.iter().map(|partition| {
            let index = partition.partition_index;
            let error_code = match &name {
                None => ErrorCode::UNKNOWN_TOPIC_ID,
                Some(name) if topics.has_partition(name, index) => ErrorCode::NONE,
                Some(_) => ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
            };
            OffsetCommitResponsePartition {
                partition_index: index,
                error_code,
            }
        });
        let partitions = partitions.collect();
        topic.name = name.unwrap_or_default();
        answer.topics.push(OffsetCommitResponseTopic {
            name: topic.name.clone(),
            topic_id: topic.topic_id,
            partitions,
        });
    }
    answer
}

/// As [`plan_commit`], for offsets in a transaction.
pub(crate) fn plan_transactional_commit(
    version: i16,
    request: &mut TxnOffsetCommitRequest,
    topics: &dyn Topics,
) -> TxnOffsetCommitResponse {
    use klamm_protocol::messages::txn_offset_commit::{
        TxnOffsetCommitResponsePartition, TxnOffsetCommitResponseTopic,
    };
    let by_id = version >= FIRST_TXN_VERSION_WITH_TOPIC_IDS;
    let mut answer = TxnOffsetCommitResponse::default();
    for topic in &mut request.topics {
        let name = if by_id {
            topics.name_of(topic.topic_id)
        } else {
            Some(topic.name.clone())
        };
        if !by_id {
            topic.topic_id = topics.id_of(&topic.name).unwrap_or(Uuid::ZERO);
        }
        let partitions = topic.partitions.iter().map(|partition| {
            let partition_index = partition.partition_index;
            let error_code = match &name {
                None => ErrorCode::UNKNOWN_TOPIC_ID,
                Some(name) if topics.has_partition(name, partition_index) => ErrorCode::NONE,
                Some(_) => ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
            };
            TxnOffsetCommitResponsePartition {
                partition_index,
                error_code,
            }
        });
        let partitions = partitions.collect();
        topic.name = name.unwrap_or_default();
        answer.topics.push(TxnOffsetCommitResponseTopic {
            name: topic.name.clone(),
            topic_id: topic.topic_id,
            partitions,
        });
    }
    answer
}

/// Finds the topics and partitions of a request that are not there; the answer is as for [`plan_commit`].
pub(super) fn plan_delete(request: &OffsetDeleteRequest, topics: &dyn Topics) -> OffsetDeleteResponse {
    use klamm_protocol::messages::offset_delete::{OffsetDeleteResponsePartition, OffsetDeleteResponseTopic};
    let topics = request.topics.iter().map(|topic| {
        let partitions = topic.partitions.iter().map(|partition| {
            let index = partition.partition_index;
            let exists = topics.has_partition(&topic.name, index);
            let error_code = if exists {
                ErrorCode::NONE
            } else {
                ErrorCode::UNKNOWN_TOPIC_OR_PARTITION
            };
            OffsetDeleteResponsePartition {
                partition_index: index,
                error_code,
            }
        });
        OffsetDeleteResponseTopic {
            name: topic.name.clone(),
            partitions: partitions.collect(),
        }
    });
    OffsetDeleteResponse {
        topics: topics.collect(),
        ..OffsetDeleteResponse::default()
    }
}

impl GroupShard {
    /// OffsetCommit. `answer` is the plan for it, which lacks only what the group has to say.
    pub(super) fn commit(
        &mut self,
        call: &Call,
        request: OffsetCommitRequest,
        mut answer: OffsetCommitResponse,
    ) {
        let (groups, mut cx, _) = self.parts(call.now);
        let group = groups.get(&request.group_id);
        if let Err(error) = check_commit(group, call.version, &request) {
            let mut response = GroupResponse::OffsetCommit(answer);
            response.refuse(error);
            return cx.answer(call.waiter(), response);
        }
        let group_id = request.group_id.detached();
        let known = group.is_some();
        let group = groups
            .entry(group_id.clone())
            .or_insert_with(|| Group::empty(group_id.clone(), None));
        if matches!(group.state, State::Stable | State::PreparingRebalance) {
            // A consumer that commits lives.
            group.renew_session(&request.member_id.detached(), &mut cx);
        }
        let expire_timestamp_ms = (request.retention_time_ms != DEFAULT_RETENTION)
            .then(|| cx.now.unix_ms.saturating_add(request.retention_time_ms));
        for (topic, answer) in request.topics.into_iter().zip(&mut answer.topics) {
            let name = topic.name.detached();
            for (partition, answer) in topic.partitions.into_iter().zip(&mut answer.partitions) {
                if answer.error_code != ErrorCode::NONE {
                    continue;
                }
                let index = partition.partition_index;
                *cx.commits += 1;
                let offset = committed(partition, topic.topic_id, expire_timestamp_ms, &cx);
                answer.error_code = group.commit(&name, index, offset, &mut cx);
            }
        }
        if !known && group.is_blank() {
            groups.remove(&group_id);
        }
        cx.answer(call.waiter(), GroupResponse::OffsetCommit(answer));
    }

    /// TxnOffsetCommit: offsets that count once the transaction is committed.
    pub(super) fn commit_in_transaction(
        &mut self,
        call: &Call,
        request: TxnOffsetCommitRequest,
        mut answer: TxnOffsetCommitResponse,
    ) {
        let (groups, mut cx, producers) = self.transactional_parts(call.now);
        let group = groups.get(&request.group_id);
        if let Err(error) = check_transactional_commit(group, &request) {
            let mut response = GroupResponse::TxnOffsetCommit(answer);
            response.refuse(error);
            return cx.answer(call.waiter(), response);
        }
        let group_id = request.group_id.detached();
        let known = group.is_some();
        let group = groups
            .entry(group_id.clone())
            .or_insert_with(|| Group::empty(group_id.clone(), None));
        let producer = (request.producer_id, request.producer_epoch);
        for (topic, answer) in request.topics.into_iter().zip(&mut answer.topics) {
            let name = topic.name.detached();
            for (partition, answer) in topic.partitions.into_iter().zip(&mut answer.partitions) {
                if answer.error_code != ErrorCode::NONE {
                    continue;
                }
                *cx.commits += 1;
                let offset = CommittedOffset {
                    offset: partition.committed_offset,
                    leader_epoch: partition.committed_leader_epoch,
                    metadata: partition
                        .committed_metadata
                        .map(|text| text.detached())
                        .unwrap_or_default(),
                    commit_timestamp_ms: cx.now.unix_ms,
                    expire_timestamp_ms: None,
                    topic_id: topic.topic_id,
                    order: *cx.commits,
                };
                match group.offset_record(&name, partition.partition_index, &offset, &cx) {
                    Err(error) => answer.error_code = error,
                    Ok(record) => {
                        cx.outbox.transactional_record(producer, record);
                        group.set_pending(producer.0, name.clone(), partition.partition_index, offset);
                    }
                }
            }
        }
        if group.pending.contains_key(&producer.0) {
            producers.entry(producer.0).or_default().insert(group_id.clone());
        }
        if !known && group.is_blank() {
            groups.remove(&group_id);
        }
        cx.answer(call.waiter(), GroupResponse::TxnOffsetCommit(answer));
    }

    /// OffsetFetch, as far as one group is concerned.
    pub(super) fn fetch(
        &mut self,
        call: &Call,
        slot: usize,
        request: OffsetFetchRequestGroup,
        require_stable: bool,
        topics: &dyn Topics,
    ) {
        let by_id = call.version >= FIRST_VERSION_WITH_TOPIC_IDS;
        let names = topics;
        let (groups, cx, _) = self.parts(call.now);
        let group = groups.get(&request.group_id);
        let topics = match request.topics {
            Some(asked) => asked
                .into_iter()
                .map(|topic| fetch_topic(group, topic, by_id, topics))
                .collect(),
            None => group
                .map(|group| fetch_all(group, by_id, topics))
                .unwrap_or_default(),
        };
        let mut topics = topics;
        if let Some(group) = group.filter(|group| require_stable && !group.pending.is_empty()) {
            hide_unstable(group, &mut topics, by_id, names);
        }
        let group_id = request.group_id;
        let answer = OffsetFetchResponseGroup {
            group_id,
            topics,
            ..OffsetFetchResponseGroup::default()
        };
        cx.outbox.reply(Reply::Part(call.id, slot, Part::Fetched(answer)));
    }

    /// OffsetDelete. `answer` is the plan for it.
    pub(super) fn delete_offsets(&mut self, call: &Call, group_id: &Str, mut answer: OffsetDeleteResponse) {
        let (groups, mut cx, _) = self.parts(call.now);
        let group = groups
            .get_mut(group_id)
            .ok_or(ErrorCode::GROUP_ID_NOT_FOUND)
            .and_then(|group| {
                // Of other groups than consumers' it cannot be told what they use.
                let may_be_used = group.state != State::Empty && !group.has_consumers();
                if may_be_used {
                    Err(ErrorCode::NON_EMPTY_GROUP)
                } else {
                    Ok(group)
                }
            });
        match group {
            Err(error) => {
                answer = OffsetDeleteResponse {
                    error_code: error,
                    ..OffsetDeleteResponse::default()
                };
            }
            Ok(group) => {
                for topic in &mut answer.topics {
                    let subscribed = group.is_subscribed_to(&topic.name);
                    for partition in topic
                        .partitions
                        .iter_mut()
                        .filter(|p| p.error_code == ErrorCode::NONE)
                    {
                        if subscribed {
                            partition.error_code = ErrorCode::GROUP_SUBSCRIBED_TO_TOPIC;
                        } else {
                            group.forget_offset(&topic.name, partition.partition_index, &mut cx);
                        }
                    }
                }
            }
        }
        cx.answer(call.waiter(), GroupResponse::OffsetDelete(answer));
    }

    /// Forgets the offsets of topics that are gone.
    pub fn topics_deleted(&mut self, now: crate::Now, topics: &[Str]) {
        let (groups, mut cx, _) = self.parts(now);
        for group in groups.values_mut() {
            for topic in topics {
                for partition in group.partitions_of(topic) {
                    group.forget_offset(topic, partition, &mut cx);
                }
            }
        }
    }

    /// Forgets offsets that are too old, and groups that have nothing left.
    pub fn expire_offsets(&mut self, now: crate::Now) {
        let (groups, mut cx, _) = self.parts(now);
        groups.retain(|_, group| {
            for (topic, partition) in group.expired_offsets(&cx) {
                group.forget_offset(&topic, partition, &mut cx);
            }
            let is_over = group.state == State::Empty && group.is_blank();
            if is_over {
                cx.outbox
                    .record(records::group_tombstone(cx.now.unix_ms, &group.id));
            }
            !is_over
        });
    }
}

/// Whether the group takes offsets of a transaction from that member in that generation; who does not say which
/// member it is, is believed.
fn check_transactional_commit(
    group: Option<&Group>,
    request: &TxnOffsetCommitRequest,
) -> Result<(), ErrorCode> {
    let generation = request.generation_id_or_member_epoch;
    let instance_id = request.group_instance_id.as_deref();
    let Some(group) = group else {
        return match generation {
            ..0 => Ok(()),
            _ => Err(ErrorCode::ILLEGAL_GENERATION),
        };
    };
    if generation < 0
        && (group.state == State::Empty || (request.member_id.is_empty() && instance_id.is_none()))
    {
        return Ok(());
    }
    group.check_member(&request.member_id, instance_id)?;
    if generation == group.generation {
        Ok(())
    } else {
        Err(ErrorCode::ILLEGAL_GENERATION)
    }
}

/// Whether the group takes commits of that member in that generation.
fn check_commit(group: Option<&Group>, version: i16, request: &OffsetCommitRequest) -> Result<(), ErrorCode> {
    let generation = request.generation_id_or_member_epoch;
    let instance_id = request.group_instance_id.as_deref();
    let Some(group) = group else {
        // Without a generation it is somebody who manages partitions by itself, and needs no group for that.
        return match generation {
            ..0 => Ok(()),
            _ if version >= FIRST_VERSION_WITH_GROUP_NOT_FOUND => Err(ErrorCode::GROUP_ID_NOT_FOUND),
            _ => Err(ErrorCode::ILLEGAL_GENERATION),
        };
    };
    if generation < 0 && group.state == State::Empty {
        return Ok(());
    }
    if generation < 0 && request.member_id.is_empty() && instance_id.is_none() {
        return Err(ErrorCode::UNKNOWN_MEMBER_ID);
    }
    group.check_member(&request.member_id, instance_id)?;
    if generation != group.generation {
        Err(ErrorCode::ILLEGAL_GENERATION)
    } else if group.state == State::CompletingRebalance {
        Err(ErrorCode::REBALANCE_IN_PROGRESS)
    } else {
        Ok(())
    }
}

fn committed(
    partition: OffsetCommitRequestPartition,
    topic_id: Uuid,
    expire_timestamp_ms: Option<i64>,
    cx: &Context<'_>,
) -> CommittedOffset {
    let own_timestamp = partition.commit_timestamp != DEFAULT_TIMESTAMP;
    CommittedOffset {
        offset: partition.committed_offset,
        leader_epoch: partition.committed_leader_epoch,
        metadata: partition
            .committed_metadata
            .map(|text| text.detached())
            .unwrap_or_default(),
        commit_timestamp_ms: if own_timestamp {
            partition.commit_timestamp
        } else {
            cx.now.unix_ms
        },
        expire_timestamp_ms,
        topic_id,
        order: *cx.commits,
    }
}

fn fetch_topic(
    group: Option<&Group>,
    topic: OffsetFetchRequestTopics,
    by_id: bool,
    topics: &dyn Topics,
) -> OffsetFetchResponseTopics {
    let OffsetFetchRequestTopics {
        name,
        topic_id,
        partition_indexes,
    } = topic;
    let known = if by_id {
        topics.name_of(topic_id)
    } else {
        Some(name.clone())
    };
    let error_code = if known.is_some() {
        ErrorCode::NONE
    } else {
        ErrorCode::UNKNOWN_TOPIC_ID
    };
    let offsets = group
        .zip(known.as_ref())
        .and_then(|(group, name)| group.offsets.get(name));
    let partitions = partition_indexes.into_iter().map(|partition_index| {
        let offset = offsets.and_then(|offsets| offsets.get(&partition_index));
        // What was committed for a topic of the same name that is gone is not for this one.
        let is_other =
            |offset: &CommittedOffset| by_id && !offset.topic_id.is_zero() && offset.topic_id != topic_id;
        match offset.filter(|offset| !is_other(offset)) {
            Some(offset) => fetched(partition_index, offset),
            None => no_offset(partition_index, error_code),
        }
    });
    OffsetFetchResponseTopics {
        name,
        topic_id,
        partitions: partitions.collect(),
    }
}

fn fetch_all(group: &Group, by_id: bool, topics: &dyn Topics) -> Vec<OffsetFetchResponseTopics> {
    let all = group.offsets.iter().filter_map(|(name, partitions)| {
        let topic_id = topics.id_of(name);
        // Without an id it cannot be named.
        if by_id && topic_id.is_none() {
            return None;
        }
        Some(OffsetFetchResponseTopics {
            name: name.clone(),
            topic_id: topic_id.unwrap_or(Uuid::ZERO),
            partitions: partitions
                .iter()
                .map(|(index, offset)| fetched(*index, offset))
                .collect(),
        })
    });
    all.collect()
}

/// An open transaction may change these offsets: who wants to know for sure has to ask again (KIP-447).
fn hide_unstable(group: &Group, topics: &mut [OffsetFetchResponseTopics], by_id: bool, names: &dyn Topics) {
    for topic in topics {
        let name = if by_id {
            names.name_of(topic.topic_id).unwrap_or_default()
        } else {
            topic.name.clone()
        };
        for partition in &mut topic.partitions {
            if group.is_unstable(&name, partition.partition_index) {
                *partition = no_offset(partition.partition_index, ErrorCode::UNSTABLE_OFFSET_COMMIT);
            }
        }
    }
}

fn fetched(partition_index: i32, offset: &CommittedOffset) -> OffsetFetchResponsePartitions {
    OffsetFetchResponsePartitions {
        partition_index,
        committed_offset: offset.offset,
        committed_leader_epoch: offset.leader_epoch,
        metadata: Some(offset.metadata.clone()),
        error_code: ErrorCode::NONE,
    }
}

impl Group {
    fn commit(
        &mut self,
        topic: &Str,
        partition: i32,
        offset: CommittedOffset,
        cx: &mut Context<'_>,
    ) -> ErrorCode {
        match self.offset_record(topic, partition, &offset, cx) {
            Err(error) => error,
            Ok(record) => {
                cx.outbox.record(record);
                self.set_offset(topic.clone(), partition, offset);
                ErrorCode::NONE
            }
        }
    }

    fn offset_record(
        &self,
        topic: &Str,
        partition: i32,
        offset: &CommittedOffset,
        cx: &Context<'_>,
    ) -> Result<StoredRecord, ErrorCode> {
        if offset.metadata.encode_utf16().count() > cx.config.offset_metadata_max {
            return Err(ErrorCode::OFFSET_METADATA_TOO_LARGE);
        }
        let record = records::offset_record(cx.now.unix_ms, &self.id, topic, partition, Some(offset));
        if record.fits(cx.config.batch_bytes_max) {
            Ok(record)
        } else {
            Err(ErrorCode::INVALID_COMMIT_OFFSET_SIZE)
        }
    }

    /// Forgets an offset, here and in the log.
    pub fn forget_offset(&mut self, topic: &Str, partition: i32, cx: &mut Context<'_>) {
        self.drop_pending(topic, partition);
        if self.remove_offset(topic, partition) {
            self.write_offset_tombstone(topic, partition, cx);
        }
    }

    pub fn write_offset_tombstone(&self, topic: &Str, partition: i32, cx: &mut Context<'_>) {
        let record = records::offset_record(cx.now.unix_ms, &self.id, topic, partition, None);
        cx.outbox.record(record);
    }

    /// The partitions of a topic that have an offset.
    pub fn partitions_of(&self, topic: &str) -> Vec<i32> {
        self.offsets
            .get(topic)
            .map(|partitions| partitions.keys().copied().collect())
            .unwrap_or_default()
    }

    fn expired_offsets(&self, cx: &Context<'_>) -> Vec<(Str, i32)> {
        let now_ms = cx.now.unix_ms;
        let Some(last_use_ms) = self.last_use_of_offsets() else {
            return Vec::new();
        };
        let is_expired = |offset: &CommittedOffset| match offset.expire_timestamp_ms {
            Some(expire_timestamp_ms) => now_ms >= expire_timestamp_ms,
            None => now_ms.saturating_sub(last_use_ms(offset)) >= cx.config.offsets_retention_ms,
        };
        let pending = |topic: &Str, p: i32| !self.pending.is_empty() && self.is_unstable(topic, p);
        let unused = self
            .offsets
            .iter()
            .filter(|(topic, _)| !self.is_subscribed_to(topic));
        let each = unused
            .flat_map(|(topic, partitions)| partitions.iter().map(move |(p, offset)| (topic, p, offset)));
        each.filter(|(topic, p, offset)| is_expired(offset) && !pending(topic, **p))
            .map(|(topic, p, _)| (topic.clone(), *p))
            .collect()
    }

    /// From when on the age of an offset counts; none if no offset of the group may expire now (KIP-211).
    fn last_use_of_offsets(&self) -> Option<impl Fn(&CommittedOffset) -> i64 + use<>> {
        let empty_since_ms = match self.state {
            // Nobody ever joined: offsets of a client that manages partitions by itself.
            _ if self.protocol_type.is_none() => None,
            State::Empty => self.state_since_ms,
            State::Stable if self.has_consumers() && self.subscribed_topics.is_some() => None,
            _ => return None,
        };
        Some(move |offset: &CommittedOffset| empty_since_ms.unwrap_or(offset.commit_timestamp_ms))
    }
}
