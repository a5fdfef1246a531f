//! AlterReplicaLogDirs: moves replicas between the log directories of a broker (KIP-113).

use crate::derive::{Message, Struct};
use crate::{ErrorCode, Str};

/// What to move where.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "request", key = 34, versions = "0-2", flexible = "2+")]
pub struct AlterReplicaLogDirsRequest {
    /// The directories to move into.
    pub dirs: Vec<AlterReplicaLogDir>,
}

/// A directory to move into.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct AlterReplicaLogDir {
    /// Its absolute path.
    pub path: Str,
    /// What to move there, by topic.
    pub topics: Vec<AlterReplicaLogDirTopic>,
}

/// Partitions of a topic.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct AlterReplicaLogDirTopic {
    /// The topic.
    pub name: Str,
    /// The partitions.
    pub partitions: Vec<i32>,
}

/// What became of it: the move has begun, not ended.
#[derive(Clone, Debug, PartialEq, Message)]
#[message(kind = "response", key = 34, versions = "0-2", flexible = "2+")]
pub struct AlterReplicaLogDirsResponse {
    /// How long the client is held back for a quota, in milliseconds.
    pub throttle_time_ms: i32,
    /// Answers by topic.
    pub results: Vec<AlterReplicaLogDirTopicResult>,
}

/// A topic's answers.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct AlterReplicaLogDirTopicResult {
    /// The topic.
    pub topic_name: Str,
    /// Answers by partition.
    pub partitions: Vec<AlterReplicaLogDirPartitionResult>,
}

/// A partition's answer.
#[derive(Clone, Debug, PartialEq, Struct)]
pub struct AlterReplicaLogDirPartitionResult {
    /// The partition.
    pub partition_index: i32,
    /// LOG_DIR_NOT_FOUND, REPLICA_NOT_AVAILABLE (applied once the replica exists), KAFKA_STORAGE_ERROR,
    /// INVALID_TOPIC_EXCEPTION, CLUSTER_AUTHORIZATION_FAILED.
    pub error_code: ErrorCode,
}
