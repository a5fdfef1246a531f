//! AlterReplicaLogDirs (key 34): a partition stays in the log directory that it was made in (KIP-113). Whoever
//! wants it there has it; whoever wants it elsewhere is refused.

use klamm_protocol::ErrorCode;
use klamm_protocol::messages::alter_replica_log_dirs::{
    AlterReplicaLogDirPartitionResult, AlterReplicaLogDirTopicResult, AlterReplicaLogDirsRequest,
    AlterReplicaLogDirsResponse,
};
use klamm_storage::LogKey;

use crate::LaneId;
use crate::api::Caller;
use crate::node::Node;
use crate::partitions::Slot;

/// Handles a request. Kafka: `ReplicaManager.alterReplicaLogDirs`.
pub(crate) fn handle(node: &mut Node, caller: Caller, request: AlterReplicaLogDirsRequest) {
    let mut response = AlterReplicaLogDirsResponse::default();
    for dir in request.dirs {
        let disk = node
            .disks
            .iter()
            .find(|disk| *disk.path.to_string_lossy() == *dir.path);
        let target = match disk {
            None => Err(ErrorCode::LOG_DIR_NOT_FOUND),
            Some(disk) if disk.failed => Err(ErrorCode::KAFKA_STORAGE_ERROR),
            Some(disk) => Ok(disk.lane),
        };
        for topic in dir.topics {
            let topic_id = node.cluster.topic_by_name(&topic.name).map(|topic| topic.id);
            let partitions = topic.partitions.into_iter().map(|partition| {
                let key = topic_id.map(|topic_id| LogKey { topic_id, partition });
                let moved = target.and_then(|target| stay(node, key, target));
                AlterReplicaLogDirPartitionResult {
                    partition_index: partition,
                    error_code: moved.err().unwrap_or(ErrorCode::NONE),
                }
            });
            let partitions = partitions.collect();
            response.results.push(AlterReplicaLogDirTopicResult {
                topic_name: topic.name,
                partitions,
            });
        }
    }
    node.answer(&caller, response);
}

/// Whether a partition lies where it is wanted.
fn stay(node: &Node, key: Option<LogKey>, target: LaneId) -> Result<(), ErrorCode> {
    let key = key.ok_or(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)?;
    let lane = match node.partitions.get(&key) {
        None => return Err(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION),
        Some(Slot::Failed(..)) => return Err(ErrorCode::KAFKA_STORAGE_ERROR),
        Some(Slot::Idle(idle)) => idle.lane,
        Some(Slot::Opening(lane)) => *lane,
        Some(Slot::Online(partition)) => partition.lane,
    };
    match lane == target {
        true => Ok(()),
        false => Err(ErrorCode::UNSUPPORTED_VERSION),
    }
}
