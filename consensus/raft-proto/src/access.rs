//! How `raft` reads and writes its messages: accessors, and the part of `protobuf::Message` that it calls
//! (size, to bytes, from bytes). The rest of that trait is reflection and streams, which nobody calls.

use std::any::Any;
use std::sync::OnceLock;

use prost::Message as _;
use protobuf::reflect::MessageDescriptor;
use protobuf::{Clear, CodedInputStream, CodedOutputStream, ProtobufResult, UnknownFields};

use crate::eraftpb::*;

/// Accessors that copy: of numbers. (Those of enumerations come from prost, except for the name of the getter.)
macro_rules! copied {
    ($message:ty: $($get:ident = $read:expr => $type:ty),+ $(,)?) => {
        #[allow(missing_docs)]
        impl $message {
            $(pub fn $get(&self) -> $type {
                let read: fn(&$message) -> $type = $read;
                read(self)
            })+
        }
    };
}

/// Accessors of bytes and lists.
macro_rules! borrowed {
    ($message:ty: $field:ident: $type:ty, $get:ident, $set:ident, $mut:ident, $take:ident) => {
        #[allow(missing_docs)]
        impl $message {
            pub fn $get(&self) -> &$type {
                &self.$field
            }
            pub fn $set(&mut self, value: $type) {
                self.$field = value;
            }
            pub fn $mut(&mut self) -> &mut $type {
                &mut self.$field
            }
            pub fn $take(&mut self) -> $type {
                std::mem::take(&mut self.$field)
            }
        }
    };
}

/// Accessors of a nested message: an absent one reads as the default.
macro_rules! nested {
    ($message:ty: $field:ident: $type:ty, $get:ident, $set:ident, $mut:ident, $take:ident) => {
        #[allow(missing_docs)]
        impl $message {
            pub fn $get(&self) -> &$type {
                self.$field
                    .as_ref()
                    .unwrap_or_else(|| <$type as protobuf::Message>::default_instance())
            }
            pub fn $set(&mut self, value: $type) {
                self.$field = Some(value);
            }
            pub fn $mut(&mut self) -> &mut $type {
                self.$field.get_or_insert_with(Default::default)
            }
            pub fn $take(&mut self) -> $type {
                self.$field.take().unwrap_or_default()
            }
        }
    };
}

copied!(Entry: get_term = |e| e.term => u64, get_index = |e| e.index => u64,
    get_entry_type = |e| e.entry_type() => EntryType);
borrowed!(Entry: data: Vec<u8>, get_data, set_data, mut_data, take_data);
borrowed!(Entry: context: Vec<u8>, get_context, set_context, mut_context, take_context);

nested!(SnapshotMetadata: conf_state: ConfState, get_conf_state, set_conf_state, mut_conf_state, take_conf_state);
nested!(Snapshot: metadata: SnapshotMetadata, get_metadata, set_metadata, mut_metadata, take_metadata);

impl Snapshot {
    /// Whether there is none: no snapshot stands at index 0.
    pub fn is_empty(&self) -> bool {
        self.get_metadata().index == 0
    }
}

copied!(Message: get_msg_type = |m| m.msg_type() => MessageType);
impl Message {
    /// The index that the kind of message is about.
    pub fn get_index(&self) -> u64 {
        self.index
    }

    /// See [`Message::get_index`].
    pub fn set_index(&mut self, index: u64) {
        self.index = index;
    }

    /// The sender's commit index.
    pub fn set_commit(&mut self, commit: u64) {
        self.commit = commit;
    }
}

borrowed!(Message: entries: Vec<Entry>, get_entries, set_entries, mut_entries, take_entries);
borrowed!(Message: context: Vec<u8>, get_context, set_context, mut_context, take_context);
nested!(Message: snapshot: Snapshot, get_snapshot, set_snapshot, mut_snapshot, take_snapshot);

borrowed!(ConfState: voters: Vec<u64>, get_voters, set_voters, mut_voters, take_voters);
borrowed!(ConfState: learners: Vec<u64>, get_learners, set_learners, mut_learners, take_learners);
borrowed!(ConfState: voters_outgoing: Vec<u64>, get_voters_outgoing, set_voters_outgoing, mut_voters_outgoing,
    take_voters_outgoing);
borrowed!(ConfState: learners_next: Vec<u64>, get_learners_next, set_learners_next, mut_learners_next,
    take_learners_next);

copied!(ConfChangeSingle: get_change_type = |c| c.change_type() => ConfChangeType);
copied!(ConfChangeV2: get_transition = |c| c.transition() => ConfChangeTransition);
borrowed!(ConfChangeV2: changes: Vec<ConfChangeSingle>, get_changes, set_changes, mut_changes, take_changes);

const UNUSED: &str = "raft asks for sizes and whole messages, never for reflection or streams";

macro_rules! old_trait {
    ($($message:ty),+ $(,)?) => {
        $(
            impl Clear for $message {
                fn clear(&mut self) {
                    *self = <$message>::default();
                }
            }

            impl protobuf::Message for $message {
                fn compute_size(&self) -> u32 {
                    u32::try_from(self.encoded_len()).unwrap_or(u32::MAX)
                }

                fn write_to_bytes(&self) -> ProtobufResult<Vec<u8>> {
                    Ok(self.encode_to_vec())
                }

                fn merge_from_bytes(&mut self, bytes: &[u8]) -> ProtobufResult<()> {
                    self.merge(bytes).map_err(|e| std::io::Error::from(e).into())
                }

                fn is_initialized(&self) -> bool {
                    true
                }

                fn new() -> Self {
                    Self::default()
                }

                fn default_instance() -> &'static Self {
                    static EMPTY: OnceLock<$message> = OnceLock::new();
                    EMPTY.get_or_init(Default::default)
                }

                fn as_any(&self) -> &dyn Any {
                    self
                }

                fn descriptor(&self) -> &'static MessageDescriptor {
                    unreachable!("{UNUSED}")
                }

                fn merge_from(&mut self, _: &mut CodedInputStream<'_>) -> ProtobufResult<()> {
                    unreachable!("{UNUSED}")
                }

                fn write_to_with_cached_sizes(&self, _: &mut CodedOutputStream<'_>) -> ProtobufResult<()> {
                    unreachable!("{UNUSED}")
                }

                fn get_cached_size(&self) -> u32 {
                    unreachable!("{UNUSED}")
                }

                fn get_unknown_fields(&self) -> &UnknownFields {
                    unreachable!("{UNUSED}")
                }

                fn mut_unknown_fields(&mut self) -> &mut UnknownFields {
                    unreachable!("{UNUSED}")
                }
            }
        )+
    };
}

old_trait!(
    Entry,
    SnapshotMetadata,
    Snapshot,
    Message,
    HardState,
    ConfState,
    ConfChange,
    ConfChangeSingle,
    ConfChangeV2
);
