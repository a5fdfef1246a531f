//! Schemas that lie in logs and files: what coordinators, transactions and producers leave behind.
//!
//! Only the schemas themselves. What stands before one in a log (a type, a version) is told in each file.

use crate::message::{Message, Schema};

pub mod consumer_group;
pub mod consumer_protocol;
pub mod control;
pub mod kraft;
pub mod offsets;
pub mod producers;
pub mod remote_log;
pub mod share_group;
pub mod share_state;
pub mod streams_group;
pub mod transactions;

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
    consumer_group ConsumerGroupMetadataKey;
    consumer_group ConsumerGroupMetadataValue;
    consumer_group ConsumerGroupPartitionMetadataKey;
    consumer_group ConsumerGroupPartitionMetadataValue;
    consumer_group ConsumerGroupMemberMetadataKey;
    consumer_group ConsumerGroupMemberMetadataValue;
    consumer_group ConsumerGroupTargetAssignmentMetadataKey;
    consumer_group ConsumerGroupTargetAssignmentMetadataValue;
    consumer_group ConsumerGroupTargetAssignmentMemberKey;
    consumer_group ConsumerGroupTargetAssignmentMemberValue;
    consumer_group ConsumerGroupCurrentMemberAssignmentKey;
    consumer_group ConsumerGroupCurrentMemberAssignmentValue;
    consumer_group ConsumerGroupRegularExpressionKey;
    consumer_group ConsumerGroupRegularExpressionValue;
    share_group ShareGroupMemberMetadataKey;
    share_group ShareGroupMemberMetadataValue;
    share_group ShareGroupMetadataKey;
    share_group ShareGroupMetadataValue;
    share_group ShareGroupTargetAssignmentMetadataKey;
    share_group ShareGroupTargetAssignmentMetadataValue;
    share_group ShareGroupTargetAssignmentMemberKey;
    share_group ShareGroupTargetAssignmentMemberValue;
    share_group ShareGroupCurrentMemberAssignmentKey;
    share_group ShareGroupCurrentMemberAssignmentValue;
    share_group ShareGroupStatePartitionMetadataKey;
    share_group ShareGroupStatePartitionMetadataValue;
    streams_group StreamsGroupMetadataKey;
    streams_group StreamsGroupMetadataValue;
    streams_group StreamsGroupMemberMetadataKey;
    streams_group StreamsGroupMemberMetadataValue;
    streams_group StreamsGroupTargetAssignmentMetadataKey;
    streams_group StreamsGroupTargetAssignmentMetadataValue;
    streams_group StreamsGroupTargetAssignmentMemberKey;
    streams_group StreamsGroupTargetAssignmentMemberValue;
    streams_group StreamsGroupCurrentMemberAssignmentKey;
    streams_group StreamsGroupCurrentMemberAssignmentValue;
    streams_group StreamsGroupTopologyKey;
    streams_group StreamsGroupTopologyValue;
    share_state ShareSnapshotKey;
    share_state ShareSnapshotValue;
    share_state ShareUpdateKey;
    share_state ShareUpdateValue;
    transactions TransactionLogKey;
    transactions TransactionLogValue;
    producers ProducerSnapshot;
    producers AbortedTxn;
    producers EndTxnMarker;
    consumer_protocol ConsumerProtocolSubscription;
    consumer_protocol ConsumerProtocolAssignment;
    control ControlRecordTypeSchema;
    control LeaderChangeMessage;
    control SnapshotHeaderRecord;
    control SnapshotFooterRecord;
    control KRaftVersionRecord;
    control VotersRecord;
    kraft RegisterBrokerRecord;
    kraft UnregisterBrokerRecord;
    kraft TopicRecord;
    kraft PartitionRecord;
    kraft ConfigRecord;
    kraft PartitionChangeRecord;
    kraft FenceBrokerRecord;
    kraft UnfenceBrokerRecord;
    kraft RemoveTopicRecord;
    kraft DelegationTokenRecord;
    kraft UserScramCredentialRecord;
    kraft FeatureLevelRecord;
    kraft ClientQuotaRecord;
    kraft ProducerIdsRecord;
    kraft BrokerRegistrationChangeRecord;
    kraft AccessControlEntryRecord;
    kraft RemoveAccessControlEntryRecord;
    kraft NoOpRecord;
    kraft ZkMigrationStateRecord;
    kraft RemoveUserScramCredentialRecord;
    kraft BeginTransactionRecord;
    kraft EndTransactionRecord;
    kraft AbortTransactionRecord;
    kraft RemoveDelegationTokenRecord;
    kraft RegisterControllerRecord;
    kraft ClearElrRecord;
    kraft UnregisterControllerRecord;
    kraft QuorumStateData;
    kraft DefaultPrincipalData;
    remote_log RemoteLogSegmentMetadataRecord;
    remote_log RemoteLogSegmentMetadataUpdateRecord;
    remote_log RemotePartitionDeleteMetadataRecord;
    remote_log RemoteLogSegmentMetadataSnapshotRecord;
}
