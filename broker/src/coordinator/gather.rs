//! Answers about several groups, put together from what their shards say.

use klamm_protocol::ErrorCode;
use klamm_protocol::messages::delete_groups::DeleteGroupsResponse;
use klamm_protocol::messages::describe_groups::DescribeGroupsResponse;
use klamm_protocol::messages::list_groups::ListGroupsResponse;
use klamm_protocol::messages::offset_fetch::{
    OffsetFetchResponse, OffsetFetchResponseGroup, OffsetFetchResponsePartition, OffsetFetchResponseTopic,
};

use super::interface::{GroupResponse, Part, Reply, Waiter};

/// What is being gathered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Fetch,
    Describe,
    List,
    Delete,
}

/// An answer of which parts are missing.
#[derive(Debug)]
pub(super) struct Gather {
    waiter: Waiter,
    kind: Kind,
    parts: Vec<Option<Part>>,
    missing: usize,
}

impl Gather {
    pub fn new(waiter: Waiter, kind: Kind, parts: usize) -> Gather {
        Gather {
            waiter,
            kind,
            parts: vec![None; parts],
            missing: parts,
        }
    }

    /// Puts a part in its place. True when it was the last one missing.
    pub fn put(&mut self, slot: usize, part: Part) -> bool {
        assert!(self.parts[slot].is_none(), "each shard answers once");
        self.parts[slot] = Some(part);
        self.missing -= 1;
        self.missing == 0
    }

    /// The answer; parts stand in the order in which they were asked for.
    pub fn finish(self) -> Reply {
        let parts = self.parts.into_iter().flatten();
        let response = match self.kind {
            Kind::Fetch => GroupResponse::OffsetFetch(fetched(self.waiter.version, parts)),
            Kind::Describe => GroupResponse::DescribeGroups(DescribeGroupsResponse {
                groups: parts
                    .filter_map(|part| {
                        if let Part::Described(group) = part {
                            Some(group)
                        } else {
                            None
                        }
                    })
                    .collect(),
                ..DescribeGroupsResponse::default()
            }),
            Kind::Delete => GroupResponse::DeleteGroups(DeleteGroupsResponse {
                results: parts
                    .filter_map(|part| {
                        if let Part::Deleted(group) = part {
                            Some(group)
                        } else {
                            None
                        }
                    })
                    .collect(),
                ..DeleteGroupsResponse::default()
            }),
            Kind::List => GroupResponse::ListGroups(listed(parts)),
        };
        Reply::Whole(self.waiter, response)
    }
}

/// A shard that cannot tell spoils the list; one that is not here any more has no groups.
fn listed(parts: impl Iterator<Item = Part>) -> ListGroupsResponse {
    let mut response = ListGroupsResponse::default();
    for part in parts {
        match part {
            Part::Listed(ErrorCode::NONE, groups) => response.groups.extend(groups),
            Part::Listed(ErrorCode::NOT_COORDINATOR, _) => {}
            Part::Listed(error, _) => response.error_code = error,
            Part::Fetched(_) | Part::Described(_) | Part::Deleted(_) => {}
        }
    }
    if response.error_code != ErrorCode::NONE {
        response.groups.clear();
    }
    response
}

fn fetched(version: i16, parts: impl Iterator<Item = Part>) -> OffsetFetchResponse {
    let groups = parts.filter_map(|part| {
        if let Part::Fetched(group) = part {
            Some(group)
        } else {
            None
        }
    });
    // Versions 0 and 1 have no place for an error but the partitions.
    let mut groups: Vec<OffsetFetchResponseGroup> = groups.collect();
    for group in &mut groups {
        if version >= 2 && group.error_code != ErrorCode::NONE {
            group.topics.clear();
        }
    }
    if version >= 8 {
        return OffsetFetchResponse {
            groups,
            ..OffsetFetchResponse::default()
        };
    }
    let group = groups.pop().unwrap_or_default();
    let topics = group.topics.into_iter().map(|topic| OffsetFetchResponseTopic {
        name: topic.name,
        partitions: topic
            .partitions
            .into_iter()
            .map(|partition| OffsetFetchResponsePartition {
                partition_index: partition.partition_index,
                committed_offset: partition.committed_offset,
                committed_leader_epoch: partition.committed_leader_epoch,
                metadata: partition.metadata,
                error_code: partition.error_code,
            })
            .collect(),
    });
    OffsetFetchResponse {
        topics: topics.collect(),
        error_code: group.error_code,
        ..OffsetFetchResponse::default()
    }
}
