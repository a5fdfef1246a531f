//! Trims a topic by hand: deletes records up to some offset (KIP-107).

use klamm_protocol::ErrorCode;
use klamm_protocol::messages::delete_records::{
    DeleteRecordsPartition, DeleteRecordsRequest, DeleteRecordsResponse, DeleteRecordsTopic,
};

use super::topics::{TopicInfo, all_topics};
use super::{Client, Lost};

/// Trims until the world is calm.
pub async fn run(mut client: Client) {
    while !client.is_calm() {
        client.pause(100, 4000).await;
        let Ok(topics) = all_topics(&mut client).await else {
            continue;
        };
        for topic in topics {
            let promise = client.shared().borrow().checker.promise(topic.id);
            if promise.trimmed && trim(&mut client, &topic).await.is_err() {
                break;
            }
        }
    }
}

async fn trim(client: &mut Client, topic: &TopicInfo) -> Result<(), Lost> {
    let partition = 0;
    let (least, acked_end) = {
        let world = client.shared().borrow();
        let checker = &world.checker;
        (
            checker.least_start(topic.id, partition),
            checker.acked_end(topic.id, partition),
        )
    };
    let offset = client
        .random(|random| random.between(0, acked_end.unsigned_abs()))
        .cast_signed();
    let request = DeleteRecordsRequest {
        topics: vec![DeleteRecordsTopic {
            name: topic.name.as_str().into(),
            partitions: vec![DeleteRecordsPartition {
                partition_index: partition,
                offset,
            }],
        }],
        timeout_ms: 3000,
    };
    let answer: DeleteRecordsResponse = client.call(2, &request).await?;
    let Some(trimmed) = answer.topics.first().and_then(|topic| topic.partitions.first()) else {
        return Ok(());
    };
    let (start, error) = (trimmed.low_watermark, trimmed.error_code);
    client.note(format_args!("trim {} to {offset}: {error:?} {start}", topic.name));
    let mut world = client.shared().borrow();
    match error {
        ErrorCode::NONE => world
            .checker
            .starts_at(topic.id, partition, start, least.at(offset)),
        ErrorCode::OFFSET_OUT_OF_RANGE => world.checker.fail(format!(
            "{}: offset {offset} is acknowledged, and out of range",
            topic.name
        )),
        _ => {}
    }
    Ok(())
}
