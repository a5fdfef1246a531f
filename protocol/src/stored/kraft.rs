//! `__cluster_metadata`: what Kafka's own controllers write, to be read when a cluster moves to us.
//!
//! Before each record stand three unsigned varints: frame version (1), the schema's key, and its version.
//! `QuorumStateData` is the file `quorum-state`, in JSON there. (Kafka: `MetadataRecordSerde`, `FileQuorumStateStore`.)

use bytes::Bytes;

use crate::derive::{Message, Struct};
use crate::{Str, Uuid};

/// A broker registered.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "data", key = 0, versions = "0-4", flexible = "0+")]
pub struct RegisterBrokerRecord {
    /// The broker.
    pub broker_id: i32,
    /// Whether it still runs with ZooKeeper.
    #[field(versions = "2+", default = "false")]
    pub is_migrating_zk_broker: bool,
    /// Names its process.
    pub incarnation_id: Uuid,
    /// Its epoch: the offset of this record.
    pub broker_epoch: i64,
    /// Where it is reached.
    pub end_points: Vec<RegisteredEndpoint>,
    /// Features that it can run with.
    pub features: Vec<RegisteredFeature>,
    /// Where it stands.
    #[field(nullable = "0+")]
    pub rack: Option<Str>,
    /// Whether it is fenced.
    #[field(default = "true")]
    pub fenced: bool,
    /// Whether it is about to stop.
    #[field(versions = "1+", default = "false")]
    pub in_controlled_shutdown: bool,
    /// Its log directories that work.
    #[field(versions = "3+", tag = 0, tagged = "3+")]
    pub log_dirs: Vec<Uuid>,
    /// Its log directories that take nothing new.
    #[field(versions = "4+", nullable = "4+", tag = 1, tagged = "4+", default = "null")]
    pub cordoned_log_dirs: Option<Vec<Uuid>>,
}

/// A listener of a node.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct RegisteredEndpoint {
    /// Its name.
    pub name: Str,
    /// Host name or address.
    pub host: Str,
    /// TCP port.
    pub port: u16,
    /// 0 PLAINTEXT, 1 SSL, 2 SASL_PLAINTEXT, 3 SASL_SSL.
    pub security_protocol: i16,
}

/// A feature of a node.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct RegisteredFeature {
    /// Such as `metadata.version`.
    pub name: Str,
    /// The lowest level.
    pub min_supported_version: i16,
    /// The highest level.
    pub max_supported_version: i16,
}

/// A broker was forgotten.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "data", key = 1, versions = "0", flexible = "0+")]
pub struct UnregisterBrokerRecord {
    /// The broker.
    pub broker_id: i32,
    /// Its epoch.
    pub broker_epoch: i64,
}

/// A topic was created.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "data", key = 2, versions = "0", flexible = "0+")]
pub struct TopicRecord {
    /// Its name.
    pub name: Str,
    /// Its id.
    pub topic_id: Uuid,
}

/// A partition was created.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "data", key = 3, versions = "0-2", flexible = "0+")]
pub struct PartitionRecord {
    /// The partition.
    #[field(default = "-1")]
    pub partition_id: i32,
    /// The topic.
    pub topic_id: Uuid,
    /// Its replicas, the preferred leader first.
    pub replicas: Vec<i32>,
    /// Replicas in sync.
    pub isr: Vec<i32>,
    /// Replicas being removed.
    pub removing_replicas: Vec<i32>,
    /// Replicas being added.
    pub adding_replicas: Vec<i32>,
    /// The leader, -1 for none.
    #[field(default = "-1")]
    pub leader: i32,
    /// 1 while the leader recovers from an unclean election.
    #[field(tag = 0, tagged = "0+", default = "0")]
    pub leader_recovery_state: i8,
    /// Counts the leaders.
    #[field(default = "-1")]
    pub leader_epoch: i32,
    /// Counts the changes.
    #[field(default = "-1")]
    pub partition_epoch: i32,
    /// Log directory of each replica.
    #[field(versions = "1+")]
    pub directories: Vec<Uuid>,
    /// Replicas that may lead without loss, though not in sync.
    #[field(versions = "2+", nullable = "2+", tag = 1, tagged = "2+", default = "null")]
    pub eligible_leader_replicas: Option<Vec<i32>>,
    /// Replicas that were eligible before an unclean shutdown.
    #[field(versions = "2+", nullable = "2+", tag = 2, tagged = "2+", default = "null")]
    pub last_known_elr: Option<Vec<i32>>,
}

/// A setting was changed.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "data", key = 4, versions = "0", flexible = "0+")]
pub struct ConfigRecord {
    /// Numbers as in DescribeConfigs.
    pub resource_type: i8,
    /// Name of the resource.
    pub resource_name: Str,
    /// The setting.
    pub name: Str,
    /// Its value, null when removed.
    #[field(nullable = "0+")]
    pub value: Option<Str>,
}

/// A partition was changed. What is null, or at its default, stays.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "data", key = 5, versions = "0-2", flexible = "0+")]
pub struct PartitionChangeRecord {
    /// The partition.
    #[field(default = "-1")]
    pub partition_id: i32,
    /// The topic.
    pub topic_id: Uuid,
    /// Replicas in sync.
    #[field(nullable = "0+", tag = 0, tagged = "0+", default = "null")]
    pub isr: Option<Vec<i32>>,
    /// The leader, -1 for none; -2 while unchanged.
    #[field(tag = 1, tagged = "0+", default = "-2")]
    pub leader: i32,
    /// Its replicas.
    #[field(nullable = "0+", tag = 2, tagged = "0+", default = "null")]
    pub replicas: Option<Vec<i32>>,
    /// Replicas being removed.
    #[field(nullable = "0+", tag = 3, tagged = "0+", default = "null")]
    pub removing_replicas: Option<Vec<i32>>,
    /// Replicas being added.
    #[field(nullable = "0+", tag = 4, tagged = "0+", default = "null")]
    pub adding_replicas: Option<Vec<i32>>,
    /// 1 while the leader recovers from an unclean election, 0 once it has; -1 while unchanged.
    #[field(tag = 5, tagged = "0+", default = "-1")]
    pub leader_recovery_state: i8,
    /// Log directory of each replica.
    #[field(versions = "1+", nullable = "1+", tag = 8, tagged = "1+", default = "null")]
    pub directories: Option<Vec<Uuid>>,
    /// Replicas that may lead without loss, though not in sync.
    #[field(versions = "2+", nullable = "2+", tag = 6, tagged = "2+", default = "null")]
    pub eligible_leader_replicas: Option<Vec<i32>>,
    /// Replicas that were eligible before an unclean shutdown.
    #[field(versions = "2+", nullable = "2+", tag = 7, tagged = "2+", default = "null")]
    pub last_known_elr: Option<Vec<i32>>,
}

/// A broker was fenced. Written by early versions only.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "data", key = 7, versions = "0", flexible = "0+")]
pub struct FenceBrokerRecord {
    /// The broker.
    pub id: i32,
    /// Its epoch.
    pub epoch: i64,
}

/// A broker was unfenced. Written by early versions only.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "data", key = 8, versions = "0", flexible = "0+")]
pub struct UnfenceBrokerRecord {
    /// The broker.
    pub id: i32,
    /// Its epoch.
    pub epoch: i64,
}

/// A topic was deleted.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "data", key = 9, versions = "0", flexible = "0+")]
pub struct RemoveTopicRecord {
    /// The topic.
    pub topic_id: Uuid,
}

/// A delegation token was issued or renewed.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "data", key = 10, versions = "0", flexible = "0+")]
pub struct DelegationTokenRecord {
    /// Whose it is.
    pub owner: Str,
    /// Who asked for it.
    pub requester: Str,
    /// Who may renew it.
    pub renewers: Vec<Str>,
    /// When it was issued, in milliseconds since 1970.
    pub issue_timestamp: i64,
    /// Until when it can be renewed, in milliseconds since 1970.
    pub max_timestamp: i64,
    /// When it expires, in milliseconds since 1970.
    pub expiration_timestamp: i64,
    /// Its id.
    pub token_id: Str,
}

/// A SCRAM credential was set. Mechanism: 1 SCRAM-SHA-256, 2 SCRAM-SHA-512.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "data", key = 11, versions = "0", flexible = "0+")]
pub struct UserScramCredentialRecord {
    /// The user.
    pub name: Str,
    /// The mechanism.
    pub mechanism: i8,
    /// Random bytes.
    pub salt: Bytes,
    /// What a client's proof is checked against.
    pub stored_key: Bytes,
    /// What the server signs with.
    pub server_key: Bytes,
    /// Rounds of hashing.
    pub iterations: i32,
}

/// A feature was finalized.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "data", key = 12, versions = "0", flexible = "0+")]
pub struct FeatureLevelRecord {
    /// The feature.
    pub name: Str,
    /// Its level; 0 removes it.
    pub feature_level: i16,
}

/// A quota was changed.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "data", key = 14, versions = "0", flexible = "0+")]
pub struct ClientQuotaRecord {
    /// Whose quota: components such as a user and one of its client ids.
    pub entity: Vec<EntityData>,
    /// Such as `producer_byte_rate`.
    pub key: Str,
    /// The limit: bytes or changes a second, or percent of a thread for `request_percentage`.
    pub value: f64,
    /// Whether it was removed instead.
    pub remove: bool,
}

/// A component of an entity.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct EntityData {
    /// `user`, `client-id` or `ip`.
    pub entity_type: Str,
    /// Its name, null for the default.
    #[field(nullable = "0+")]
    pub entity_name: Option<Str>,
}

/// A broker got a block of producer ids.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "data", key = 15, versions = "0", flexible = "0+")]
pub struct ProducerIdsRecord {
    /// The broker.
    pub broker_id: i32,
    /// Its epoch.
    #[field(default = "-1")]
    pub broker_epoch: i64,
    /// The first id after the block.
    pub next_producer_id: i64,
}

/// A broker's state was changed. What is at its default stays.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "data", key = 17, versions = "0-3", flexible = "0+")]
pub struct BrokerRegistrationChangeRecord {
    /// The broker.
    pub broker_id: i32,
    /// Its epoch.
    pub broker_epoch: i64,
    /// 1 fenced, -1 unfenced.
    #[field(tag = 0, tagged = "0+")]
    pub fenced: i8,
    /// 1 about to stop.
    #[field(versions = "1+", tag = 1, tagged = "1+")]
    pub in_controlled_shutdown: i8,
    /// Its log directories that work.
    #[field(versions = "2+", tag = 2, tagged = "2+")]
    pub log_dirs: Vec<Uuid>,
    /// Its log directories that take nothing new.
    #[field(versions = "3+", nullable = "3+", tag = 3, tagged = "3+", default = "null")]
    pub cordoned_log_dirs: Option<Vec<Uuid>>,
}

/// An access rule was added. Numbers as in DescribeAcls.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "data", key = 18, versions = "0", flexible = "0+")]
pub struct AccessControlEntryRecord {
    /// Names the rule.
    pub id: Uuid,
    /// Resource type.
    pub resource_type: i8,
    /// Name of the resource, or its prefix.
    pub resource_name: Str,
    /// Pattern type.
    pub pattern_type: i8,
    /// Whom it is about.
    pub principal: Str,
    /// Where they come from.
    pub host: Str,
    /// Operation.
    pub operation: i8,
    /// Permission type.
    pub permission_type: i8,
}

/// An access rule was removed.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "data", key = 19, versions = "0", flexible = "0+")]
pub struct RemoveAccessControlEntryRecord {
    /// The rule.
    pub id: Uuid,
}

/// Nothing: it moves the high watermark.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "data", key = 20, versions = "0", flexible = "0+")]
pub struct NoOpRecord {}

/// How far the way from ZooKeeper is.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "data", key = 21, versions = "0", flexible = "0+")]
pub struct ZkMigrationStateRecord {
    /// 0 never with ZooKeeper, 1 before, 2 under way, 3 over, 4 still with ZooKeeper.
    pub zk_migration_state: i8,
}

/// A SCRAM credential was removed.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "data", key = 22, versions = "0", flexible = "0+")]
pub struct RemoveUserScramCredentialRecord {
    /// The user.
    pub name: Str,
    /// The mechanism.
    pub mechanism: i8,
}

/// Records from here on count only once `EndTransactionRecord` follows (KIP-868).
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "data", key = 23, versions = "0", flexible = "0+")]
pub struct BeginTransactionRecord {
    /// For people.
    #[field(nullable = "0+", tag = 0, tagged = "0+", default = "null")]
    pub name: Option<Str>,
}

/// Records of the transaction count.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "data", key = 24, versions = "0", flexible = "0+")]
pub struct EndTransactionRecord {}

/// Records of the transaction do not count.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "data", key = 25, versions = "0", flexible = "0+")]
pub struct AbortTransactionRecord {
    /// For people.
    #[field(nullable = "0+", tag = 0, tagged = "0+", default = "null")]
    pub reason: Option<Str>,
}

/// A delegation token is gone.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "data", key = 26, versions = "0", flexible = "0+")]
pub struct RemoveDelegationTokenRecord {
    /// The token.
    pub token_id: Str,
}

/// A controller registered.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "data", key = 27, versions = "0", flexible = "0+")]
pub struct RegisterControllerRecord {
    /// The controller.
    pub controller_id: i32,
    /// Names its process.
    pub incarnation_id: Uuid,
    /// Whether it is set to take over from ZooKeeper.
    pub zk_migration_ready: bool,
    /// Where it is reached.
    pub end_points: Vec<RegisteredEndpoint>,
    /// Features that it can run with.
    pub features: Vec<RegisteredFeature>,
}

/// The eligible leader replicas of a topic, or of all, were forgotten.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "data", key = 28, versions = "0", flexible = "0+")]
pub struct ClearElrRecord {
    /// The topic; empty for all.
    pub topic_name: Str,
}

/// A controller was forgotten.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "data", key = 29, versions = "0", flexible = "0+")]
pub struct UnregisterControllerRecord {
    /// The controller.
    pub controller_id: i32,
}

/// Kafka's file `quorum-state`: whom a node voted for. Ours of that name is another one, see `docs/formats.md`.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "data", versions = "0-1", flexible = "0+")]
pub struct QuorumStateData {
    /// The cluster.
    #[field(versions = "0")]
    pub cluster_id: Str,
    /// The leader that it knows, -1 for none.
    #[field(default = "-1")]
    pub leader_id: i32,
    /// The epoch that it is in.
    #[field(default = "-1")]
    pub leader_epoch: i32,
    /// Whom it voted for in that epoch, -1 for nobody.
    #[field(default = "-1")]
    pub voted_id: i32,
    /// Directory of that node.
    #[field(versions = "1+")]
    pub voted_directory_id: Uuid,
    /// Not used.
    #[field(versions = "0")]
    pub applied_offset: i64,
    /// The voters, where they are fixed.
    #[field(versions = "0", nullable = "0")]
    pub current_voters: Option<Vec<QuorumVoter>>,
}

/// A voter.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct QuorumVoter {
    /// The node.
    pub voter_id: i32,
}

/// Who sent a request that Envelope forwards. An int16 version stands before it.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "data", versions = "0", flexible = "0+")]
pub struct DefaultPrincipalData {
    /// Type of the principal, such as `User`.
    pub r#type: Str,
    /// Its name.
    pub name: Str,
    /// Whether it authenticated with a delegation token.
    pub token_authenticated: bool,
}
