//! How a transaction ends in the partitions: each gets a marker, a control record that says whether what its
//! producer has written counts (KIP-98).
//!
//! What the coordinator has decided is delivered until every partition has its marker; where one cannot take it
//! now, it is tried again. A partition that is gone needs none.

use std::collections::{BTreeMap, BTreeSet};

use klamm_protocol::messages::write_txn_markers::{
    WritableTxnMarkerPartitionResult, WritableTxnMarkerResult, WritableTxnMarkerTopicResult,
    WriteTxnMarkersRequest, WriteTxnMarkersResponse,
};
use klamm_protocol::record::control::end_transaction;
use klamm_protocol::{ErrorCode, Str};
use klamm_storage::LogKey;

use crate::api::Caller;
use crate::cluster::CONSUMER_OFFSETS;
use crate::coordinator::transactions::Markers;
use crate::node::{Node, Waiter};
use crate::partition::Marker;
use crate::waiting::Patience;

/// The pause before a partition is tried again.
const RETRY_MS: u64 = 100;

/// What happens when a marker is written, or cannot be.
pub(crate) type AfterMarker = Box<dyn FnOnce(&mut Node, ErrorCode) + Send>;

/// Decisions of the coordinator on their way.
#[derive(Default)]
pub(crate) struct Deliveries {
    /// By number: a later decision about the same id, or the same one told again, takes the place of an earlier one,
    /// whose markers must not be written any more.
    under_way: BTreeMap<u64, Delivery>,
    by_id: BTreeMap<Str, u64>,
    next: u64,
    retries: BTreeSet<(u64, u64, Str, i32)>,
    /// Ends of transactions that the group coordinator is writing.
    ending: BTreeMap<u64, AfterMarker>,
    /// WriteTxnMarkers requests under way.
    asked: BTreeMap<u64, Asked>,
}

struct Delivery {
    markers: Markers,
    /// Partitions that have no marker yet.
    missing: BTreeSet<(Str, i32)>,
}

impl Deliveries {
    pub fn next_deadline_ms(&self) -> Option<u64> {
        self.retries.first().map(|(deadline_ms, ..)| *deadline_ms)
    }

    fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }
}

/// Delivers what the coordinator has decided.
pub(crate) fn deliver(node: &mut Node, markers: Markers) {
    let deliveries = &mut node.transactions.deliveries;
    let number = deliveries.number();
    if let Some(before) = deliveries.by_id.insert(markers.transactional_id.clone(), number) {
        deliveries.under_way.remove(&before);
    }
    let topics = markers.partitions.iter();
    let missing: BTreeSet<(Str, i32)> = topics
        .flat_map(|(topic, indexes)| indexes.iter().map(|index| (topic.clone(), *index)))
        .collect();
    let all: Vec<(Str, i32)> = missing.iter().cloned().collect();
    deliveries.under_way.insert(number, Delivery { markers, missing });
    for (topic, partition) in all {
        deliver_one(node, number, topic, partition);
    }
    finish(node, number);
}

fn deliver_one(node: &mut Node, number: u64, topic: Str, partition: i32) {
    let Some(delivery) = node.transactions.deliveries.under_way.get(&number) else {
        return;
    };
    let markers = &delivery.markers;
    let marker = Marker {
        producer_id: markers.producer_id,
        producer_epoch: markers.producer_epoch,
        commit: markers.commit,
        coordinator_epoch: markers.coordinator_epoch,
        epoch_bumped: markers.version >= crate::transactions::EPOCH_BUMP,
    };
    let name = topic.clone();
    let then = move |node: &mut Node, code| delivered(node, number, topic, partition, code);
    write(node, marker, &name, partition, Box::new(then));
}

fn delivered(node: &mut Node, number: u64, topic: Str, partition: i32, code: ErrorCode) {
    let now_ms = node.now.elapsed_ms;
    let deliveries = &mut node.transactions.deliveries;
    let Some(delivery) = deliveries.under_way.get_mut(&number) else {
        return;
    };
    match code {
        // Where the topic is gone, nobody waits for the end of the transaction.
        ErrorCode::NONE | ErrorCode::UNKNOWN_TOPIC_OR_PARTITION => {}
        // A newer producer or coordinator has been there: it has ended what was open.
        ErrorCode::INVALID_PRODUCER_EPOCH | ErrorCode::TRANSACTION_COORDINATOR_FENCED => {
            let id = &*delivery.markers.transactional_id;
            tracing::warn!(
                transactional_id = id,
                topic = &*topic,
                partition,
                ?code,
                "a marker came too late"
            );
        }
        _ => {
            let deadline_ms = now_ms.saturating_add(RETRY_MS);
            deliveries.retries.insert((deadline_ms, number, topic, partition));
            return;
        }
    }
    delivery.missing.remove(&(topic, partition));
    finish(node, number);
}

/// Tells the coordinator if every partition has its marker.
fn finish(node: &mut Node, number: u64) {
    let deliveries = &mut node.transactions.deliveries;
    let is_done = deliveries
        .under_way
        .get(&number)
        .is_some_and(|delivery| delivery.missing.is_empty());
    if !is_done {
        return;
    }
    let Some(Delivery { markers, .. }) = deliveries.under_way.remove(&number) else {
        return;
    };
    deliveries.by_id.remove(&markers.transactional_id);
    let host = &mut node.transactions.host;
    host.coordinator.markers_written(node.now, &markers);
    host.stirred = true;
}

/// Tries again where it is time to.
pub(crate) fn tick(node: &mut Node) {
    let now_ms = node.now.elapsed_ms;
    while let Some((deadline_ms, number, topic, partition)) =
        node.transactions.deliveries.retries.first().cloned()
        && deadline_ms <= now_ms
    {
        node.transactions.deliveries.retries.pop_first();
        deliver_one(node, number, topic, partition);
    }
}

/// Writes a marker into a partition; `then` is called once, when it is committed or cannot be.
fn write(node: &mut Node, marker: Marker, topic: &Str, partition: i32, then: AfterMarker) {
    let Some(topic_id) = node.cluster.topic_by_name(topic).map(|topic| topic.id) else {
        return then(node, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
    };
    let key = LogKey { topic_id, partition };
    let now_ms = node.now.unix_ms;
    node.begin_opening(&key);
    let found = match node.partitions.online(&key) {
        Ok(found) => found,
        Err(absent) => return then(node, absent.code()),
    };
    if let Err(code) = found.check_marker(&marker) {
        return then(node, code);
    }
    if **topic == *CONSUMER_OFFSETS {
        let batch = end_transaction(
            now_ms,
            marker.producer_id,
            marker.producer_epoch,
            marker.commit,
            marker.coordinator_epoch,
        );
        let deliveries = &mut node.transactions.deliveries;
        let token = deliveries.number();
        deliveries.ending.insert(token, then);
        let host = &mut node.groups.host;
        host.coordinator
            .end_transaction(partition, token, batch, marker.commit);
        host.stirred = true;
        return;
    }
    let jobs = node.out.lane(found.lane);
    match found.append_marker(&marker, now_ms, jobs) {
        Err(code) => then(node, code),
        Ok(placed) if placed.last_offset < found.high_watermark() => {
            then(node, ErrorCode::NONE);
        }
        Ok(placed) => node.acks.park(
            Waiter::Appended(ErrorCode::NONE, then),
            [(key, placed.last_offset + 1)],
            Patience {
                deadline_ms: None,
                connection: None,
            },
        ),
    }
}

/// The group coordinator has written the end of a transaction, or could not.
pub(crate) fn ended(node: &mut Node, token: u64, code: ErrorCode) {
    if let Some(then) = node.transactions.deliveries.ending.remove(&token) {
        then(node, code);
    }
}

/// WriteTxnMarkers (key 27): what another coordinator has decided, or an administrator who ends a transaction that
/// hangs (KIP-664).
pub(crate) fn handle(node: &mut Node, caller: Caller, request: WriteTxnMarkersRequest) {
    let number = node.transactions.deliveries.number();
    let mut response = WriteTxnMarkersResponse::default();
    let mut wanted = Vec::new();
    for (marker_at, asked) in request.markers.into_iter().enumerate() {
        let marker = Marker {
            producer_id: asked.producer_id,
            producer_epoch: asked.producer_epoch,
            commit: asked.transaction_result,
            coordinator_epoch: asked.coordinator_epoch,
            epoch_bumped: i16::from(asked.transaction_version) >= crate::transactions::EPOCH_BUMP,
        };
        let mut topics = Vec::new();
        for (topic_at, topic) in asked.topics.into_iter().enumerate() {
            let mut partitions = Vec::new();
            for (partition_at, partition_index) in topic.partition_indexes.into_iter().enumerate() {
                wanted.push((
                    marker,
                    topic.name.clone(),
                    partition_index,
                    [marker_at, topic_at, partition_at],
                ));
                partitions.push(WritableTxnMarkerPartitionResult {
                    partition_index,
                    error_code: ErrorCode::NONE,
                });
            }
            topics.push(WritableTxnMarkerTopicResult {
                name: topic.name,
                partitions,
            });
        }
        response.markers.push(WritableTxnMarkerResult {
            producer_id: asked.producer_id,
            topics,
        });
    }
    if wanted.is_empty() {
        return node.answer(&caller, response);
    }
    let asked = Asked {
        caller,
        response,
        missing: wanted.len(),
    };
    node.transactions.deliveries.asked.insert(number, asked);
    for (marker, topic, partition, place) in wanted {
        let then = move |node: &mut Node, code| written(node, number, place, code);
        write(node, marker, &topic, partition, Box::new(then));
    }
}

/// A WriteTxnMarkers of which some markers are not written yet.
struct Asked {
    caller: Caller,
    response: WriteTxnMarkersResponse,
    missing: usize,
}

fn written(node: &mut Node, number: u64, [marker, topic, partition]: [usize; 3], code: ErrorCode) {
    let Some(asked) = node.transactions.deliveries.asked.get_mut(&number) else {
        return;
    };
    asked.response.markers[marker].topics[topic].partitions[partition].error_code = code;
    asked.missing -= 1;
    if asked.missing == 0
        && let Some(Asked { caller, response, .. }) = node.transactions.deliveries.asked.remove(&number)
    {
        node.answer(&caller, response);
    }
}
