//! Comes when the world is calm: reads everything, and waits until the group has found together again.

use std::collections::BTreeMap;

use super::Client;
use super::consumer::{Positions, poll};
use super::topics::{CHURN, all_topics};
use klamm_protocol::messages::list_offsets::{
    ListOffsetsPartition, ListOffsetsRequest, ListOffsetsResponse, ListOffsetsTopic,
};
use klamm_protocol::{ErrorCode, Str, Uuid};

/// Asks for the end of the log.
const LATEST: i64 = -1;

/// Ends when everything that is owed was found.
pub async fn run(mut client: Client) {
    let mut positions = Positions::new();
    loop {
        let Ok(topics) = all_topics(&mut client).await else {
            continue;
        };
        let Some(ends) = ends(&mut client, &topics).await else {
            client.pause(50, 200).await;
            continue;
        };
        while ends
            .iter()
            .any(|(key, end)| positions.get(key).is_none_or(|position| position.offset < *end))
        {
            if poll(&mut client, &topics, &mut positions).await.is_err() {
                break;
            }
        }
        if ends
            .iter()
            .any(|(key, end)| positions.get(key).is_none_or(|position| position.offset < *end))
        {
            continue;
        }
        for ((topic, partition), end) in &ends {
            client.shared().borrow().checker.audited(*topic, *partition, *end);
        }
        break;
    }
    let partitions = loop {
        match all_topics(&mut client).await {
            Ok(topics) => {
                let kept = topics.iter().filter(|topic| !topic.name.starts_with(CHURN));
                break kept
                    .map(|topic| usize::try_from(topic.partitions).unwrap_or(0))
                    .sum::<usize>();
            }
            Err(_) => continue,
        }
    };
    while client.shared().borrow().checker.group.owned_now().1 < partitions {
        client.pause(100, 200).await;
    }
    client.note(format_args!("all is found"));
}

/// The end of every partition; `None` when one of them has no answer yet.
async fn ends(
    client: &mut Client,
    topics: &[super::topics::TopicInfo],
) -> Option<BTreeMap<(Uuid, i32), i64>> {
    let mut request = ListOffsetsRequest {
        replica_id: -1,
        ..Default::default()
    };
    for topic in topics {
        let partition = |partition_index| ListOffsetsPartition {
            partition_index,
            timestamp: LATEST,
            ..Default::default()
        };
        let partitions = (0..topic.partitions).map(partition).collect();
        request.topics.push(ListOffsetsTopic {
            name: Str::from(topic.name.as_str()),
            partitions,
        });
    }
    let answer: ListOffsetsResponse = client.call(7, &request).await.ok()?;
    let mut ends = BTreeMap::new();
    for topic in &answer.topics {
        let id = topics.iter().find(|known| *topic.name == known.name)?.id;
        for partition in &topic.partitions {
            if partition.error_code != ErrorCode::NONE {
                let index = partition.partition_index;
                client.note(format_args!("{}-{index}: {:?}", topic.name, partition.error_code));
                return None;
            }
            ends.insert((id, partition.partition_index), partition.offset);
        }
    }
    Some(ends)
}
