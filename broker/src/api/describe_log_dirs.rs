//! DescribeLogDirs (key 35): what lies in this broker's log directories (KIP-113), and how much room there is
//! (KIP-827).

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use klamm_protocol::messages::describe_log_dirs::{
    DescribeLogDirsPartition, DescribeLogDirsRequest, DescribeLogDirsResponse, DescribeLogDirsResult,
    DescribeLogDirsTopic,
};
use klamm_protocol::{ErrorCode, Str};
use klamm_storage::LogKey;
use klamm_storage::sys::Space;

use crate::LaneId;
use crate::api::Caller;
use crate::job::Job;
use crate::node::Node;
use crate::partitions::{Slot, Why};
use crate::replicas::OPEN_TIMEOUT_MS;

/// From this version on, the answer tells of the disks.
const SPACE_SINCE: i16 = 4;

/// A size or a lag that cannot be told (Kafka: `UNKNOWN_VOLUME_BYTES`, `INVALID_OFFSET_LAG`).
const UNKNOWN: i64 = -1;

/// A request that waits until every disk was looked at.
pub(crate) struct Measuring {
    caller: Caller,
    /// Topics and partitions that were asked for; `None` for all.
    asked: Option<BTreeSet<(Str, i32)>>,
    left: BTreeSet<LaneId>,
    measured: BTreeMap<LaneId, Space>,
}

/// Handles a request.
pub(crate) fn handle(node: &mut Node, caller: Caller, request: DescribeLogDirsRequest) {
    let asked: Option<BTreeSet<(Str, i32)>> = request.topics.map(|topics| {
        let pairs = topics.into_iter().flat_map(|topic| {
            let partitions = topic.partitions.into_iter();
            partitions.map(move |index| (topic.topic.clone(), index))
        });
        pairs.collect()
    });
    let lies_somewhere = |(key, slot): (&LogKey, &Slot)| match slot {
        Slot::Idle(idle) if idle.points.is_some() => Some(*key),
        Slot::Opening(_) => Some(*key),
        Slot::Idle(_) | Slot::Online(_) | Slot::Failed(..) => None,
    };
    let is_asked = |key: &LogKey| match (&asked, node.cluster.topic_by_id(key.topic_id)) {
        (Some(asked), Some(topic)) => asked.contains(&(topic.name.clone(), key.partition)),
        _ => true,
    };
    let keys = node.partitions.iter().filter_map(lies_somewhere).filter(is_asked);
    let keys: Vec<LogKey> = keys.collect();
    node.when_open(keys, OPEN_TIMEOUT_MS, move |node| measure(node, caller, asked));
}

fn measure(node: &mut Node, caller: Caller, asked: Option<BTreeSet<(Str, i32)>>) {
    let id = node.next_job_id();
    let mut left = BTreeSet::new();
    if caller.version >= SPACE_SINCE {
        let working: Vec<_> = node.disks.iter().filter(|disk| !disk.failed).collect();
        left.extend(working.iter().map(|disk| disk.lane));
        let jobs: Vec<_> = working
            .into_iter()
            .map(|disk| Job::Measure(id, disk.lane, disk.path.clone()))
            .collect();
        jobs.into_iter().for_each(|job| node.push_job(job));
    }
    let measuring = Measuring {
        caller,
        asked,
        left,
        measured: BTreeMap::new(),
    };
    go_on(node, id, measuring);
}

/// A disk was looked at.
pub(crate) fn on_measured(node: &mut Node, id: u64, lane: LaneId, space: io::Result<Space>) {
    let Some(mut measuring) = node.measuring.remove(&id) else {
        return;
    };
    measuring.left.remove(&lane);
    match space {
        Ok(space) => drop(measuring.measured.insert(lane, space)),
        Err(error) => tracing::warn!(%error, "it cannot be told how much room a log directory has"),
    }
    go_on(node, id, measuring);
}

fn go_on(node: &mut Node, id: u64, measuring: Measuring) {
    if !measuring.left.is_empty() {
        node.measuring.insert(id, measuring);
        return;
    }
    let response = describe(node, &measuring);
    node.answer(&measuring.caller, response);
}

fn describe(node: &Node, measuring: &Measuring) -> DescribeLogDirsResponse {
    let mut by_lane: BTreeMap<LaneId, BTreeMap<Str, Vec<DescribeLogDirsPartition>>> = BTreeMap::new();
    for (key, slot) in node.partitions.iter() {
        let (lane, partition_size, offset_lag) = match slot {
            Slot::Online(partition) => (partition.lane, number(partition.log.size_bytes()), 0),
            // Nothing was ever written to it.
            Slot::Idle(idle) if idle.points.is_none() => (idle.lane, 0, 0),
            // It lies there, and nobody knows more of it. Kafka has no such thing: there the directory goes.
            Slot::Failed(lane, Why::Damage | Why::Room) => (*lane, UNKNOWN, UNKNOWN),
            _ => continue,
        };
        let Some(topic) = node.cluster.topic_by_id(key.topic_id) else {
            continue;
        };
        let name = || (topic.name.clone(), key.partition);
        if measuring
            .asked
            .as_ref()
            .is_some_and(|asked| !asked.contains(&name()))
        {
            continue;
        }
        let described = DescribeLogDirsPartition {
            partition_index: key.partition,
            partition_size,
            offset_lag,
            ..DescribeLogDirsPartition::default()
        };
        let topics = by_lane.entry(lane).or_default();
        topics.entry(topic.name.clone()).or_default().push(described);
    }
    let results = node.disks.iter().map(|dir| {
        let topics = by_lane.remove(&dir.lane).unwrap_or_default().into_iter();
        let space = measuring.measured.get(&dir.lane);
        DescribeLogDirsResult {
            error_code: if dir.failed {
                ErrorCode::KAFKA_STORAGE_ERROR
            } else {
                ErrorCode::NONE
            },
            log_dir: dir.path.to_string_lossy().into_owned().into(),
            topics: topics
                .map(|(name, partitions)| DescribeLogDirsTopic { name, partitions })
                .collect(),
            total_bytes: space.map_or(UNKNOWN, |space| number(space.total)),
            usable_bytes: space.map_or(UNKNOWN, |space| number(space.usable)),
            ..DescribeLogDirsResult::default()
        }
    });
    DescribeLogDirsResponse {
        results: results.collect(),
        ..DescribeLogDirsResponse::default()
    }
}

fn number(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}
