//! Schemas that lie in logs and files: what coordinators, transactions and producers leave behind.
//!
//! Only the schemas themselves. What stands before one in a log (a type, a version) is told in each file.

use crate::message::{Message, Schema};

pub mod consumer_protocol;
pub mod control;
pub mod offsets;
pub mod producers;

macro_rules! schemas {
    ($($module:ident $name:ident;)*) => {
        /// Every stored schema.
        pub const SCHEMAS: &[&Schema] = &[$(<$module::$name as Message>::SCHEMA),*];

        /// Calls `$visit!(path)` for the type of every stored schema.
        #[macro_export]
        macro_rules! for_each_stored {
            ($visit:ident) => {
                $($visit!($crate::stored::$module::$name);)*
            };
        }
    };
}

schemas! {
    offsets LegacyOffsetCommitKey;
    offsets LegacyOffsetCommitValue;
    offsets OffsetCommitKey;
    offsets OffsetCommitValue;
    offsets GroupMetadataKey;
    offsets GroupMetadataValue;
    consumer_protocol ConsumerProtocolSubscription;
    consumer_protocol ConsumerProtocolAssignment;
    producers ProducerSnapshot;
    producers AbortedTxn;
    producers EndTxnMarker;
    control ControlRecordTypeSchema;
    control LeaderChangeMessage;
    control SnapshotHeaderRecord;
    control SnapshotFooterRecord;
    control KRaftVersionRecord;
    control VotersRecord;
}
