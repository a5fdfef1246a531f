//! The messages of the `raft` crate, declared on prost so that no `protoc` is needed to build.
//!
//! Field numbers and types are facts of the wire format of raft-rs 0.7 (`eraftpb`). `raft` reads and writes
//! them through accessors and through the old `protobuf::Message` trait; both are in [`access`], and only as
//! far as `raft` calls them. Put in place of the published crate by `[patch.crates-io]`.

mod access;
pub mod eraftpb;

use eraftpb::{ConfChange, ConfChangeSingle, ConfChangeTransition, ConfChangeType, ConfChangeV2, ConfState};

/// What `raft::prelude` hands on.
pub mod prelude {
    pub use crate::eraftpb::{
        ConfChange, ConfChangeSingle, ConfChangeTransition, ConfChangeType, ConfChangeV2, ConfState, Entry,
        EntryType, HardState, Message, MessageType, Snapshot, SnapshotMetadata,
    };
}

/// One step of a membership change.
pub fn new_conf_change_single(node_id: u64, kind: ConfChangeType) -> ConfChangeSingle {
    ConfChangeSingle {
        change_type: kind as i32,
        node_id,
    }
}

/// Whether two configurations name the same members; their order means nothing.
pub fn conf_state_eq(left: &ConfState, right: &ConfState) -> bool {
    let same = |a: &[u64], b: &[u64]| {
        let (mut a, mut b) = (a.to_vec(), b.to_vec());
        a.sort_unstable();
        b.sort_unstable();
        a == b
    };
    same(&left.voters, &right.voters)
        && same(&left.learners, &right.learners)
        && same(&left.voters_outgoing, &right.voters_outgoing)
        && same(&left.learners_next, &right.learners_next)
        && left.auto_leave == right.auto_leave
}

/// A membership change in either of its two wire forms.
pub trait ConfChangeI {
    /// The change in the newer form.
    fn into_v2(self) -> ConfChangeV2;
    /// The newer form, borrowed where it is one already.
    fn as_v2(&self) -> std::borrow::Cow<'_, ConfChangeV2>;
    /// The older form, where it is one.
    fn as_v1(&self) -> Option<&ConfChange>;
}

impl ConfChangeI for ConfChange {
    fn into_v2(self) -> ConfChangeV2 {
        ConfChangeV2 {
            transition: ConfChangeTransition::Auto as i32,
            changes: vec![ConfChangeSingle {
                change_type: self.change_type,
                node_id: self.node_id,
            }],
            context: self.context,
        }
    }

    fn as_v2(&self) -> std::borrow::Cow<'_, ConfChangeV2> {
        std::borrow::Cow::Owned(self.clone().into_v2())
    }

    fn as_v1(&self) -> Option<&ConfChange> {
        Some(self)
    }
}

impl ConfChangeI for ConfChangeV2 {
    fn into_v2(self) -> ConfChangeV2 {
        self
    }

    fn as_v2(&self) -> std::borrow::Cow<'_, ConfChangeV2> {
        std::borrow::Cow::Borrowed(self)
    }

    fn as_v1(&self) -> Option<&ConfChange> {
        None
    }
}

impl ConfChangeV2 {
    /// Whether the change has to pass through a joint configuration, and if so whether it leaves it by itself.
    pub fn enter_joint(&self) -> Option<bool> {
        match self.get_transition() {
            // One step at a time needs no joint configuration: old and new majorities overlap.
            ConfChangeTransition::Auto if self.changes.len() <= 1 => None,
            ConfChangeTransition::Auto | ConfChangeTransition::Implicit => Some(true),
            ConfChangeTransition::Explicit => Some(false),
        }
    }

    /// Whether this is the change that ends a joint configuration: it names nothing.
    pub fn leave_joint(&self) -> bool {
        self.get_transition() == ConfChangeTransition::Auto && self.changes.is_empty()
    }
}

impl<V, L> From<(V, L)> for ConfState
where
    V: Into<Vec<u64>>,
    L: Into<Vec<u64>>,
{
    /// Voters and learners.
    fn from((voters, learners): (V, L)) -> ConfState {
        ConfState {
            voters: voters.into(),
            learners: learners.into(),
            ..ConfState::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::eraftpb::*;
    use super::*;
    use prost::Message as _;

    #[test]
    fn field_numbers_are_those_of_raft_rs() {
        let entry = Entry {
            entry_type: 2,
            term: 1,
            index: 3,
            data: vec![9],
            ..Entry::default()
        };
        assert_eq!(entry.encode_to_vec(), [0x08, 2, 0x10, 1, 0x18, 3, 0x22, 1, 9]);
        let message = Message {
            msg_type: 8,
            to: 1,
            commit_term: 4,
            priority: 5,
            ..Message::default()
        };
        assert_eq!(
            message.encode_to_vec(),
            [0x08, 8, 0x10, 1, 0x78, 4, 0x80, 0x01, 5]
        );
        let change = ConfChange {
            change_type: 1,
            node_id: 2,
            context: vec![],
            id: 3,
        };
        assert_eq!(change.encode_to_vec(), [0x08, 3, 0x10, 1, 0x18, 2]);
    }

    #[test]
    fn the_old_trait_reads_what_it_writes() {
        let mut change = ConfChangeV2::default();
        change.set_changes(vec![new_conf_change_single(7, ConfChangeType::AddLearnerNode)]);
        let bytes = protobuf::Message::write_to_bytes(&change).expect("no field is required");
        assert_eq!(bytes.len(), protobuf::Message::compute_size(&change) as usize);
        let mut read = ConfChangeV2::default();
        protobuf::Message::merge_from_bytes(&mut read, &bytes).expect("its own bytes");
        assert_eq!(read, change);
        assert!(protobuf::Message::merge_from_bytes(&mut read, &[0xff]).is_err());
    }

    #[test]
    fn a_change_of_two_steps_enters_a_joint_configuration() {
        let one = new_conf_change_single(1, ConfChangeType::AddNode);
        let change = |steps: usize| ConfChangeV2 {
            changes: vec![one; steps],
            ..ConfChangeV2::default()
        };
        assert_eq!(change(1).enter_joint(), None);
        assert_eq!(change(2).enter_joint(), Some(true));
        assert!(change(0).leave_joint());
    }
}
