//! Comes when the world is calm: reads everything, and waits until the group has found together again.

use std::collections::BTreeMap;

use super::Client;
use super::consumer::{Positions, poll};
use super::topics::{CHURN, LATEST, TopicInfo, all_topics, find_offset};
use klamm_protocol::Uuid;

/// Ends when everything that is owed was found.
pub async fn run(mut client: Client, with_transactions: bool) {
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
            let skipped = &positions[&(*topic, *partition)].skipped;
            client
                .shared()
                .borrow()
                .checker
                .audited(*topic, *partition, *end, skipped);
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
    if with_transactions {
        super::ledger::audit(&mut client).await;
    }
    client.note(format_args!("all is found"));
}

/// The end of every partition; `None` when one of them has no answer yet.
async fn ends(client: &mut Client, topics: &[TopicInfo]) -> Option<BTreeMap<(Uuid, i32), i64>> {
    let mut ends = BTreeMap::new();
    for topic in topics {
        for partition in 0..topic.partitions {
            let end = find_offset(client, topic, partition, LATEST).await.ok()??;
            ends.insert((topic.id, partition), end);
        }
    }
    Some(ends)
}
