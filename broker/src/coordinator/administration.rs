//! DescribeGroups, ListGroups and DeleteGroups.

use klamm_protocol::messages::delete_groups::DeletableGroupResult;
use klamm_protocol::messages::describe_groups::{DescribedGroup, DescribedGroupMember};
use klamm_protocol::messages::list_groups::{ListGroupsRequest, ListedGroup};
use klamm_protocol::{ErrorCode, Str};

use super::group::{Group, State};
use super::interface::{Call, Part, Reply};
use super::records;
use super::shard::GroupShard;
use super::timers::Timer;

/// What a group is called that is not there.
const DEAD: &str = "Dead";
/// The type of all groups here; others follow KIP-848, KIP-932 and KIP-1071.
const CLASSIC: &str = "classic";
/// From this version of DescribeGroups on, an unknown group is an error (KIP-1043).
const FIRST_VERSION_WITH_GROUP_NOT_FOUND: i16 = 6;
/// What one may do with a group: READ, DELETE, DESCRIBE, DESCRIBE_CONFIGS and ALTER_CONFIGS, as bits. Without
/// an authorizer everybody may.
const ALL_GROUP_OPERATIONS: i32 = 1 << 3 | 1 << 6 | 1 << 8 | 1 << 10 | 1 << 11;

impl GroupShard {
    /// DescribeGroups, as far as one group is concerned.
    pub(super) fn describe(&mut self, call: &Call, slot: usize, group_id: Str, with_operations: bool) {
        let (groups, cx, _) = self.parts(call.now);
        let mut described = match groups.get(&group_id) {
            Some(group) => group.describe(),
            None => unknown_group(group_id, call.version),
        };
        if with_operations && described.error_code == ErrorCode::NONE {
            described.authorized_operations = ALL_GROUP_OPERATIONS;
        }
        cx.outbox
            .reply(Reply::Part(call.id, slot, Part::Described(described)));
    }

    /// ListGroups, as far as this shard is concerned.
    pub(super) fn list(&mut self, call: &Call, slot: usize, request: &ListGroupsRequest) {
        let admits = |filter: &[Str], value: &str| {
            filter.is_empty() || filter.iter().any(|wanted| wanted.eq_ignore_ascii_case(value))
        };
        let (groups, cx, _) = self.parts(call.now);
        let listed = groups
            .values()
            .filter(|group| admits(&request.states_filter, group.state.name()));
        let listed = listed
            .filter(|_| admits(&request.types_filter, CLASSIC))
            .map(|group| ListedGroup {
                group_id: group.id.clone(),
                protocol_type: group.protocol_type.clone().unwrap_or_default(),
                group_state: Str::from_static(group.state.name()),
                group_type: Str::from_static(CLASSIC),
            });
        let part = Part::Listed(ErrorCode::NONE, listed.collect());
        cx.outbox.reply(Reply::Part(call.id, slot, part));
    }

    /// DeleteGroups, as far as one group is concerned: takes it out with all its offsets.
    pub(super) fn delete(&mut self, call: &Call, slot: usize, group_id: Str) {
        let (groups, mut cx, _) = self.parts(call.now);
        let error_code = match groups.get(&group_id).map(|group| group.state) {
            None => ErrorCode::GROUP_ID_NOT_FOUND,
            Some(State::Empty) => ErrorCode::NONE,
            Some(_) => ErrorCode::NON_EMPTY_GROUP,
        };
        if error_code == ErrorCode::NONE {
            let mut group = groups.remove(&group_id).expect("it was found above");
            for ((topic, partition), _) in std::mem::take(&mut group.pending).into_values().flatten() {
                group.write_offset_tombstone(&topic, partition, &mut cx);
            }
            for topic in group.offsets.keys().cloned().collect::<Vec<_>>() {
                for partition in group.partitions_of(&topic) {
                    group.forget_offset(&topic, partition, &mut cx);
                }
            }
            for member in std::mem::take(&mut group.pending_joins) {
                cx.timers.cancel(&Timer::Session {
                    group: group.id.clone(),
                    member,
                });
            }
            cx.outbox
                .record(records::group_tombstone(cx.now.unix_ms, &group.id));
        }
        let part = Part::Deleted(DeletableGroupResult {
            group_id,
            error_code,
            ..DeletableGroupResult::default()
        });
        cx.outbox.reply(Reply::Part(call.id, slot, part));
    }
}

fn unknown_group(group_id: Str, version: i16) -> DescribedGroup {
    let is_error = version >= FIRST_VERSION_WITH_GROUP_NOT_FOUND;
    DescribedGroup {
        error_code: if is_error {
            ErrorCode::GROUP_ID_NOT_FOUND
        } else {
            ErrorCode::NONE
        },
        error_message: is_error.then(|| Str::from(format!("Group {group_id} not found."))),
        group_id,
        group_state: Str::from_static(DEAD),
        ..DescribedGroup::default()
    }
}

impl Group {
    /// What the protocol carries is only told of a stable group: in others it is about to change.
    fn describe(&self) -> DescribedGroup {
        let protocol = self.protocol.as_ref().filter(|_| self.state == State::Stable);
        let members = self.members.iter().map(|(id, member)| DescribedGroupMember {
            member_id: id.clone(),
            group_instance_id: member.instance_id.clone(),
            client_id: member.client_id.clone(),
            client_host: member.client_host.clone(),
            member_metadata: protocol
                .map(|name| member.metadata(Some(name)))
                .unwrap_or_default(),
            member_assignment: member.assignment.clone(),
        });
        DescribedGroup {
            error_code: ErrorCode::NONE,
            group_id: self.id.clone(),
            group_state: Str::from_static(self.state.name()),
            protocol_type: self.protocol_type.clone().unwrap_or_default(),
            protocol_data: protocol.cloned().unwrap_or_default(),
            members: members.collect(),
            ..DescribedGroup::default()
        }
    }
}
