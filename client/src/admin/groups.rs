//! Consumer groups: list, describe, delete, and what they have committed.

use std::collections::BTreeMap;

use klamm_protocol::messages::delete_groups::DeleteGroupsRequest;
use klamm_protocol::messages::describe_groups::{DescribeGroupsRequest, DescribedGroupMember};
use klamm_protocol::messages::list_groups::ListGroupsRequest;
use klamm_protocol::messages::offset_commit::{
    OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use klamm_protocol::messages::offset_fetch::OffsetFetchRequest;
use klamm_protocol::{ErrorCode, Str};

use super::{Admin, by_topic};
use crate::Error;
use crate::consumer::assignment::assigned_partitions;

/// A group in a list.
#[derive(Clone, Debug, PartialEq)]
pub struct GroupListing {
    /// Its name.
    pub group: Str,
    /// `consumer` for consumers.
    pub protocol_type: Str,
    /// Such as `Stable`; empty with brokers of before 2.6.
    pub state: Str,
    /// Such as `classic`; empty with brokers of before 3.8.
    pub kind: Str,
}

/// A group.
#[derive(Clone, Debug, PartialEq)]
pub struct GroupDescription {
    /// Its name.
    pub group: Str,
    /// Such as `Stable`.
    pub state: Str,
    /// `consumer` for consumers.
    pub protocol_type: Str,
    /// How partitions are dealt out, such as `range`.
    pub assignor: Str,
    /// Broker id of the coordinator.
    pub coordinator: i32,
    /// Who is in it.
    pub members: Vec<GroupMember>,
}

/// A member of a group.
#[derive(Clone, Debug, PartialEq)]
pub struct GroupMember {
    /// Its id, given by the coordinator.
    pub member: Str,
    /// The id that it chose itself (KIP-345).
    pub instance: Option<Str>,
    /// Its client id.
    pub client_id: Str,
    /// Where it connects from.
    pub host: Str,
    /// What it reads, by topic; empty as well where it is no consumer.
    pub partitions: BTreeMap<Str, Vec<i32>>,
}

/// What a group committed for a partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Committed {
    /// The next offset to read.
    pub offset: i64,
    /// The leader epoch of the last record read, -1 when unknown.
    pub leader_epoch: i32,
    /// The consumer's own note.
    pub metadata: Str,
}

impl Admin {
    /// All groups, of every broker.
    ///
    /// # Errors
    /// Those of asking.
    pub async fn groups(&self) -> Result<Vec<GroupListing>, Error> {
        let picture = self.cluster.refresh(Some(&[]), false).await?;
        let mut groups = BTreeMap::new();
        for &broker in picture.brokers.keys() {
            let ask = async || {
                let answer = self.cluster.ask(broker, &ListGroupsRequest::default()).await?;
                Error::check(
                    || format!("listing the groups of broker {broker}"),
                    answer.error_code,
                    None,
                )?;
                Ok(answer.groups)
            };
            for group in self.cluster.retrying(ask).await? {
                let listing = GroupListing {
                    group: group.group_id.clone(),
                    protocol_type: group.protocol_type,
                    state: group.group_state,
                    kind: group.group_type,
                };
                groups.insert(group.group_id, listing);
            }
        }
        Ok(groups.into_values().collect())
    }

    /// One group; `None` when there is none of that name.
    ///
    /// # Errors
    /// [`Error::Refused`], also for groups that are not of the classic protocol; those of asking.
    pub async fn group(&self, group: &Str) -> Result<Option<GroupDescription>, Error> {
        let request = DescribeGroupsRequest {
            groups: vec![group.clone()],
            include_authorized_operations: false,
        };
        let ask = async || {
            let coordinator = self.cluster.coordinator(group).await?;
            let mut answer = self.cluster.ask(coordinator, &request).await?;
            let Some(described) = answer.groups.pop() else {
                return Ok(None);
            };
            if described.error_code == ErrorCode::GROUP_ID_NOT_FOUND {
                return Ok(None);
            }
            let what = || format!("describing group {group}");
            Error::check(what, described.error_code, described.error_message.as_ref())?;
            if &*described.group_state == "Dead" {
                return Ok(None);
            }
            Ok(Some(GroupDescription {
                group: described.group_id,
                state: described.group_state,
                protocol_type: described.protocol_type,
                assignor: described.protocol_data,
                coordinator,
                members: described.members.into_iter().map(member).collect(),
            }))
        };
        self.cluster.retrying(ask).await
    }

    /// Deletes a group that has no members, with what it committed.
    ///
    /// # Errors
    /// [`Error::Refused`]: NON_EMPTY_GROUP, GROUP_ID_NOT_FOUND; those of asking.
    pub async fn delete_group(&self, group: &Str) -> Result<(), Error> {
        let request = DeleteGroupsRequest {
            groups_names: vec![group.clone()],
        };
        let ask = async || {
            let answer = self.cluster.ask_coordinator(group, &request).await?;
            for result in answer.results {
                let message = result.error_message.as_ref();
                Error::check(|| format!("deleting group {group}"), result.error_code, message)?;
            }
            Ok(())
        };
        self.cluster.retrying(ask).await
    }

    /// What a group has committed, by topic and partition. A group that is not there has committed nothing.
    ///
    /// # Errors
    /// Those of asking.
    pub async fn committed(&self, group: &Str) -> Result<BTreeMap<(Str, i32), Committed>, Error> {
        let request = OffsetFetchRequest {
            group_id: group.clone(),
            topics: None,
            ..Default::default()
        };
        let ask = async || {
            let answer = self.cluster.ask_coordinator(group, &request).await?;
            let what = || format!("reading what group {group} committed");
            Error::check(what, answer.error_code, None)?;
            let mut committed = BTreeMap::new();
            for topic in answer.topics {
                for partition in topic.partitions {
                    Error::check(what, partition.error_code, None)?;
                    if partition.committed_offset < 0 {
                        continue;
                    }
                    let entry = Committed {
                        offset: partition.committed_offset,
                        leader_epoch: partition.committed_leader_epoch,
                        metadata: partition.metadata.unwrap_or_default(),
                    };
                    committed.insert((topic.name.clone(), partition.partition_index), entry);
                }
            }
            Ok(committed)
        };
        self.cluster.retrying(ask).await
    }

    /// Commits for a group that has no members.
    ///
    /// # Errors
    /// [`Error::Refused`]: UNKNOWN_MEMBER_ID while the group has members; those of asking.
    pub async fn commit(&self, group: &Str, offsets: &BTreeMap<(Str, i32), i64>) -> Result<(), Error> {
        let partitions = offsets.iter().map(|((topic, partition_index), offset)| {
            let partition = OffsetCommitRequestPartition {
                partition_index: *partition_index,
                committed_offset: *offset,
                committed_metadata: Some(Str::EMPTY),
                ..Default::default()
            };
            (topic.clone(), partition)
        });
        let request = OffsetCommitRequest {
            group_id: group.clone(),
            topics: by_topic(partitions)
                .into_iter()
                .map(|(name, partitions)| OffsetCommitRequestTopic {
                    name,
                    partitions,
                    ..Default::default()
                })
                .collect(),
            ..Default::default()
        };
        let ask = async || {
            let answer = self.cluster.ask_coordinator(group, &request).await?;
            for topic in answer.topics {
                for partition in topic.partitions {
                    let what = || {
                        let partition = partition.partition_index;
                        format!("committing {}-{partition} for group {group}", topic.name)
                    };
                    Error::check(what, partition.error_code, None)?;
                }
            }
            Ok(())
        };
        self.cluster.retrying(ask).await
    }
}

fn member(member: DescribedGroupMember) -> GroupMember {
    GroupMember {
        member: member.member_id,
        instance: member.group_instance_id,
        client_id: member.client_id,
        host: member.client_host,
        partitions: assigned_partitions(member.member_assignment).unwrap_or_default(),
    }
}
