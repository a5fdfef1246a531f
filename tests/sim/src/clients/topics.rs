//! What a client knows of the topics.

use klamm_protocol::messages::list_offsets::{
    ListOffsetsPartition, ListOffsetsRequest, ListOffsetsResponse, ListOffsetsTopic,
};
use klamm_protocol::messages::metadata::{MetadataRequest, MetadataResponse};
use klamm_protocol::{ErrorCode, Uuid};

use super::{Client, Lost};

/// A topic as the metadata shows it.
#[derive(Clone, Debug)]
pub struct TopicInfo {
    /// Its name.
    pub name: String,
    /// Its id.
    pub id: Uuid,
    /// Its partitions, counted from 0.
    pub partitions: i32,
}

/// Topics with this beginning are deleted and created again.
pub const CHURN: &str = "churn-";

/// Asks for the beginning of a log.
pub const EARLIEST: i64 = -2;

/// Asks for the end of a log.
pub const LATEST: i64 = -1;

/// The beginning or the end of a log; `None` when there is no answer yet.
pub async fn find_offset(
    client: &mut Client,
    topic: &TopicInfo,
    partition: i32,
    which: i64,
) -> Result<Option<i64>, Lost> {
    let asked = ListOffsetsPartition {
        partition_index: partition,
        timestamp: which,
        ..Default::default()
    };
    let request = ListOffsetsRequest {
        replica_id: -1,
        topics: vec![ListOffsetsTopic {
            name: topic.name.as_str().into(),
            partitions: vec![asked],
        }],
        ..Default::default()
    };
    let answer: ListOffsetsResponse = client.call(7, &request).await?;
    let found = answer.topics.first().and_then(|topic| topic.partitions.first());
    let error = found.map_or(ErrorCode::UNKNOWN_SERVER_ERROR, |found| found.error_code);
    if error != ErrorCode::NONE {
        client.note(format_args!("{}-{partition}: {error:?}", topic.name));
    }
    Ok(found
        .filter(|found| found.error_code == ErrorCode::NONE)
        .map(|found| found.offset))
}

/// Asks for all topics, and tells the checker what is shown.
pub async fn all_topics(client: &mut Client) -> Result<Vec<TopicInfo>, Lost> {
    let (owed, deleted) = client.shared().borrow().checker.metadata_owed();
    let everything = MetadataRequest {
        topics: None,
        allow_auto_topic_creation: false,
        ..Default::default()
    };
    let version = client.random(|random| 10 + random.below(4)) as i16;
    let answer: MetadataResponse = client.call(version, &everything).await?;
    let mut topics = Vec::new();
    let mut shown = Vec::new();
    for topic in &answer.topics {
        let Some(name) = topic
            .name
            .as_ref()
            .filter(|_| topic.error_code == ErrorCode::NONE)
        else {
            continue;
        };
        if **name == *super::ledger::LEDGER {
            continue;
        }
        shown.push((name.to_string(), topic.topic_id));
        if topic.is_internal {
            continue;
        }
        let partitions = i32::try_from(topic.partitions.len()).expect("few partitions");
        topics.push(TopicInfo {
            name: name.to_string(),
            id: topic.topic_id,
            partitions,
        });
    }
    let mut world = client.shared().borrow();
    for topic in &topics {
        world.checker.topic_exists(&topic.name, topic.id);
    }
    world.checker.metadata_shown(&shown, &owed, &deleted);
    Ok(topics)
}
