//! What goes into the coordinator and what comes out of it.

use klamm_protocol::messages::delete_groups::{
    DeletableGroupResult, DeleteGroupsRequest, DeleteGroupsResponse,
};
use klamm_protocol::messages::describe_groups::{
    DescribeGroupsRequest, DescribeGroupsResponse, DescribedGroup,
};
use klamm_protocol::messages::heartbeat::{HeartbeatRequest, HeartbeatResponse};
use klamm_protocol::messages::join_group::{JoinGroupRequest, JoinGroupResponse};
use klamm_protocol::messages::leave_group::{LeaveGroupRequest, LeaveGroupResponse};
use klamm_protocol::messages::list_groups::{ListGroupsRequest, ListGroupsResponse, ListedGroup};
use klamm_protocol::messages::offset_commit::{OffsetCommitRequest, OffsetCommitResponse};
use klamm_protocol::messages::offset_delete::{OffsetDeleteRequest, OffsetDeleteResponse};
use klamm_protocol::messages::offset_fetch::{
    OffsetFetchRequest, OffsetFetchResponse, OffsetFetchResponseGroup, OffsetFetchResponsePartitions,
};
use klamm_protocol::messages::sync_group::{SyncGroupRequest, SyncGroupResponse};
use klamm_protocol::messages::txn_offset_commit::{TxnOffsetCommitRequest, TxnOffsetCommitResponse};
use klamm_protocol::record::Batch;
use klamm_protocol::{ErrorCode, Str, Uuid};

use crate::{Now, RequestId};

/// A request to the group coordinator, as it came over the wire.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs, reason = "each is the request of its name")]
pub enum GroupRequest {
    JoinGroup(JoinGroupRequest),
    SyncGroup(SyncGroupRequest),
    Heartbeat(HeartbeatRequest),
    LeaveGroup(LeaveGroupRequest),
    OffsetCommit(OffsetCommitRequest),
    OffsetFetch(OffsetFetchRequest),
    OffsetDelete(OffsetDeleteRequest),
    TxnOffsetCommit(TxnOffsetCommitRequest),
    DescribeGroups(DescribeGroupsRequest),
    ListGroups(ListGroupsRequest),
    DeleteGroups(DeleteGroupsRequest),
}

/// The answer to the request of the same name, ready to be encoded in the version of the request.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs, reason = "each is the response of its name")]
pub enum GroupResponse {
    JoinGroup(JoinGroupResponse),
    SyncGroup(SyncGroupResponse),
    Heartbeat(HeartbeatResponse),
    LeaveGroup(LeaveGroupResponse),
    OffsetCommit(OffsetCommitResponse),
    OffsetFetch(OffsetFetchResponse),
    OffsetDelete(OffsetDeleteResponse),
    TxnOffsetCommit(TxnOffsetCommitResponse),
    DescribeGroups(DescribeGroupsResponse),
    ListGroups(ListGroupsResponse),
    DeleteGroups(DeleteGroupsResponse),
}

/// Who asks, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// Whom the answer goes to.
    pub id: RequestId,
    /// Version of the request, and so of the answer.
    pub version: i16,
    /// The client's name for itself; member ids begin with it.
    pub client_id: Str,
    /// Where the client is, as Kafka writes it: `/127.0.0.1`.
    pub client_host: Str,
}

/// A request's circumstances, for those who answer it.
#[derive(Clone, Debug)]
pub(super) struct Call {
    pub now: Now,
    pub id: RequestId,
    pub version: i16,
    pub client_id: Str,
    pub client_host: Str,
}

impl Call {
    pub fn waiter(&self) -> Waiter {
        Waiter {
            id: self.id,
            version: self.version,
        }
    }
}

/// What the coordinator has to know about topics, as of now.
pub trait Topics {
    /// The id of a topic.
    fn id_of(&self, name: &str) -> Option<Uuid>;
    /// The name of a topic.
    fn name_of(&self, id: Uuid) -> Option<Str>;
    /// Whether the topic exists and has the partition.
    fn has_partition(&self, name: &str, partition: i32) -> bool;
}

/// What the coordinator wants done.
#[derive(Clone, Debug)]
pub enum Output {
    /// Append this batch to the partition of `__consumer_offsets`. Report back with
    /// [`appended`](super::Coordinator::appended), in order for each partition, or with
    /// [`failed`](super::Coordinator::failed).
    Append {
        /// The partition.
        partition: i32,
        /// Its records; offsets are for the log to assign.
        batch: Batch,
    },
    /// Send this answer.
    Answer(RequestId, GroupResponse),
    /// What came of [`end_transaction`](super::Coordinator::end_transaction).
    Ended(u64, ErrorCode),
}

/// A request that waits for something to happen in its group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Waiter {
    pub id: RequestId,
    pub version: i16,
}

/// An answer, or a part of one: some requests ask several groups, which may live in several shards.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Reply {
    Whole(Waiter, GroupResponse),
    /// Goes to that place of the answer that is being gathered.
    Part(RequestId, usize, Part),
    /// Tells whoever asked for it that a transaction's end is written.
    Ended(u64, ErrorCode),
}

/// What one shard has to say to a request that asks several groups.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Part {
    Fetched(OffsetFetchResponseGroup),
    Described(DescribedGroup),
    Deleted(DeletableGroupResult),
    Listed(ErrorCode, Vec<ListedGroup>),
}

impl Reply {
    /// Makes it say that nothing came of it.
    pub fn refuse(&mut self, error: ErrorCode) {
        match self {
            Reply::Whole(_, response) => response.refuse(error),
            Reply::Part(_, _, part) => part.refuse(error),
            Reply::Ended(_, code) => *code = error,
        }
    }
}

impl Part {
    /// Makes it say that nothing came of it.
    pub fn refuse(&mut self, error: ErrorCode) {
        match self {
            Part::Fetched(group) => {
                group.error_code = error;
                for partition in group.topics.iter_mut().flat_map(|topic| &mut topic.partitions) {
                    *partition = no_offset(partition.partition_index, error);
                }
            }
            Part::Described(group) => {
                *group = DescribedGroup {
                    error_code: error,
                    group_id: group.group_id.clone(),
                    ..DescribedGroup::default()
                };
            }
            Part::Deleted(group) => group.error_code = error,
            Part::Listed(code, groups) => {
                *code = error;
                groups.clear();
            }
        }
    }
}

impl GroupResponse {
    /// Makes it say that nothing came of it.
    pub(crate) fn refuse(&mut self, error: ErrorCode) {
        match self {
            GroupResponse::JoinGroup(response) => {
                *response = refused_join(Str::EMPTY, error);
            }
            GroupResponse::SyncGroup(response) => {
                *response = SyncGroupResponse {
                    error_code: error,
                    ..SyncGroupResponse::default()
                };
            }
            GroupResponse::Heartbeat(response) => response.error_code = error,
            GroupResponse::LeaveGroup(response) => {
                *response = LeaveGroupResponse {
                    error_code: error,
                    ..LeaveGroupResponse::default()
                };
            }
            GroupResponse::OffsetCommit(response) => {
                for partition in response.topics.iter_mut().flat_map(|topic| &mut topic.partitions) {
                    if partition.error_code == ErrorCode::NONE {
                        partition.error_code = error;
                    }
                }
            }
            GroupResponse::TxnOffsetCommit(response) => {
                for partition in response.topics.iter_mut().flat_map(|topic| &mut topic.partitions) {
                    if partition.error_code == ErrorCode::NONE {
                        partition.error_code = error;
                    }
                }
            }
            GroupResponse::OffsetDelete(response) => {
                *response = OffsetDeleteResponse {
                    error_code: error,
                    ..OffsetDeleteResponse::default()
                };
            }
            GroupResponse::OffsetFetch(_)
            | GroupResponse::DescribeGroups(_)
            | GroupResponse::ListGroups(_)
            | GroupResponse::DeleteGroups(_) => {
                unreachable!("it is gathered from parts, each refused by itself")
            }
        }
    }
}

/// OffsetFetch's way of saying that a partition has no offset.
pub(super) fn no_offset(partition_index: i32, error_code: ErrorCode) -> OffsetFetchResponsePartitions {
    OffsetFetchResponsePartitions {
        partition_index,
        committed_offset: -1,
        committed_leader_epoch: -1,
        metadata: Some(Str::EMPTY),
        error_code,
    }
}

/// A JoinGroup answer without a generation.
pub(super) fn refused_join(member_id: Str, error: ErrorCode) -> JoinGroupResponse {
    JoinGroupResponse {
        error_code: error,
        member_id,
        protocol_name: None,
        ..JoinGroupResponse::default()
    }
}

/// Says what the response says in a way that the version of the request can.
pub(super) fn fit_version(response: &mut GroupResponse, version: i16) {
    match response {
        // Versions before 7 cannot say that there is no protocol, and say it with an empty one.
        GroupResponse::JoinGroup(response) if version < 7 => {
            response.protocol_name.get_or_insert_default();
        }
        // Versions before 3 know of one member, which the response as a whole is about.
        GroupResponse::LeaveGroup(response) if version < 3 => {
            let member = response.members.drain(..).next();
            if response.error_code == ErrorCode::NONE {
                response.error_code = member.map_or(ErrorCode::NONE, |member| member.error_code);
            }
        }
        _ => {}
    }
}
