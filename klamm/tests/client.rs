//! The client of our own against the running broker: everything that it offers, once.

#![allow(clippy::unwrap_used, reason = "a test may fail")]

mod running;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bytes::Bytes;
use klamm_client::admin::{ConfigChange, ConfigSource, NewTopic, Resource, TimeSpec};
use klamm_client::consumer::{ConsumedRecord, ConsumerOptions, GroupOptions, Start};
use klamm_client::producer::{ProducerOptions, ProducerRecord, partition_of_key};
use klamm_client::{Admin, Cluster, Consumer, Error, Options, Producer};
use klamm_protocol::record::Compression;
use klamm_protocol::{ErrorCode, Str};
use running::{Broker, PATIENCE};

/// Nobody else is waited for when a group begins.
const AT_ONCE: &[&str] = &["group.initial.rebalance.delay.ms=0"];

async fn cluster(broker: &Broker) -> Cluster {
    let options = Options {
        bootstrap: broker.address.to_string(),
        ..Default::default()
    };
    Cluster::connect(options).await.unwrap()
}

async fn create(admin: &Admin, name: &'static str, partitions: i32) -> Str {
    let topic = NewTopic {
        name: name.into(),
        partitions: Some(partitions),
        ..Default::default()
    };
    for (name, result) in admin.create_topics(&[topic], false).await.unwrap() {
        result.unwrap_or_else(|error| panic!("{name}: {error}"));
    }
    name.into()
}

/// Writes records "0", "1", ... with themselves as keys and timestamps, and waits for all of them.
async fn write(cluster: &Cluster, topic: &Str, count: usize, compression: Compression) {
    let options = ProducerOptions {
        compression,
        ..Default::default()
    };
    let producer = Producer::start(cluster.clone(), options);
    let mut deliveries = Vec::new();
    for n in 0..count {
        let text = Bytes::from(n.to_string());
        let record = ProducerRecord {
            topic: topic.clone(),
            key: Some(text.clone()),
            value: Some(text),
            headers: vec![("n".into(), None)],
            timestamp_ms: Some(i64::try_from(n).unwrap()),
            ..Default::default()
        };
        deliveries.push(producer.send(record).await.unwrap());
    }
    producer.flush().await.unwrap();
    for delivery in deliveries {
        assert!(delivery.written().await.unwrap().offset >= 0);
    }
}

/// Polls until there are so many records; then for a moment more, since there should be no others.
async fn read(consumer: &mut Consumer, count: usize) -> Vec<ConsumedRecord> {
    let mut records = Vec::new();
    while records.len() < count {
        let polled = consumer.poll(PATIENCE).await.unwrap();
        assert!(!polled.is_empty(), "{} of {count} records came", records.len());
        records.extend(polled);
    }
    records.extend(consumer.poll(Duration::from_millis(50)).await.unwrap());
    assert_eq!(records.len(), count);
    records
}

fn numbers(records: &[ConsumedRecord]) -> BTreeSet<usize> {
    let number =
        |record: &ConsumedRecord| String::from_utf8(record.value.as_ref().unwrap().to_vec()).unwrap();
    records
        .iter()
        .map(|record| number(record).parse().unwrap())
        .collect()
}

fn everywhere(topic: &Str, partitions: i32, start: Start) -> Vec<((Str, i32), Start)> {
    (0..partitions)
        .map(|partition| ((topic.clone(), partition), start))
        .collect()
}

#[tokio::test]
async fn what_is_written_in_every_codec_is_read_back_in_order_with_key_headers_and_time() {
    let broker = Broker::start(AT_ONCE);
    let cluster = cluster(&broker).await;
    let admin = Admin::new(cluster.clone());
    use Compression::{Gzip, Lz4, None, Snappy, Zstd};
    for (name, codec) in [("a", None), ("b", Gzip), ("c", Snappy), ("d", Lz4), ("e", Zstd)] {
        let topic = create(&admin, name, 3).await;
        write(&cluster, &topic, 1000, codec).await;
        let mut consumer = Consumer::new(&cluster, ConsumerOptions::default());
        consumer.assign(everywhere(&topic, 3, Start::Time(TimeSpec::Earliest)));
        let records = read(&mut consumer, 1000).await;
        assert!(consumer.is_at_end());
        assert_eq!(numbers(&records), (0..1000).collect());
        let mut last = BTreeMap::new();
        for record in &records {
            let key = record.key.as_ref().unwrap();
            assert_eq!(record.partition, partition_of_key(key, 3));
            assert_eq!(record.headers, [("n".into(), Option::None)]);
            let before = last.insert(record.partition, (record.offset, record.timestamp_ms));
            let before = before.unwrap_or((-1, -1));
            assert_eq!(record.offset, before.0 + 1);
            assert!(record.timestamp_ms > before.1);
        }
    }
}

#[tokio::test]
async fn reading_begins_at_an_offset_or_a_time_and_at_the_end_where_no_record_is_so_late() {
    let broker = Broker::start(AT_ONCE);
    let cluster = cluster(&broker).await;
    let topic = create(&Admin::new(cluster.clone()), "t", 1).await;
    write(&cluster, &topic, 100, Compression::None).await;
    for (start, first) in [
        (Start::Offset(40), 40),
        (Start::Time(TimeSpec::Since(70)), 70),
        (Start::Time(TimeSpec::Since(1000)), 100),
        (Start::Time(TimeSpec::Latest), 100),
    ] {
        let mut consumer = Consumer::new(&cluster, ConsumerOptions::default());
        consumer.assign(everywhere(&topic, 1, start));
        let records = match 100 - first {
            0 => consumer.poll(Duration::from_millis(300)).await.unwrap(),
            count => read(&mut consumer, count).await,
        };
        assert_eq!(numbers(&records), (first..100).collect(), "{start:?}");
    }
}

#[tokio::test]
async fn a_reader_that_waits_gets_what_is_written_meanwhile() {
    let broker = Broker::start(AT_ONCE);
    let cluster = cluster(&broker).await;
    let topic = create(&Admin::new(cluster.clone()), "t", 2).await;
    let mut consumer = Consumer::new(&cluster, ConsumerOptions::default());
    consumer.assign(everywhere(&topic, 2, Start::Time(TimeSpec::Earliest)));
    assert!(consumer.poll(Duration::from_millis(10)).await.unwrap().is_empty());
    let (records, ()) = tokio::join!(
        read(&mut consumer, 10),
        write(&cluster, &topic, 10, Compression::None)
    );
    assert_eq!(numbers(&records), (0..10).collect());
}

fn member(cluster: &Cluster, topic: &Str) -> Consumer {
    let options = ConsumerOptions {
        start: TimeSpec::Earliest,
        ..Default::default()
    };
    let mut consumer = Consumer::new(cluster, options);
    let group = GroupOptions {
        heartbeat_interval: Duration::from_millis(100),
        ..GroupOptions::new("g".into())
    };
    consumer.subscribe(vec![topic.clone()], group);
    consumer
}

#[tokio::test]
async fn a_group_goes_on_where_it_committed_also_after_the_broker_started_again() {
    let mut broker = Broker::start(AT_ONCE);
    let data = {
        let cluster = cluster(&broker).await;
        let admin = Admin::new(cluster.clone());
        let topic = create(&admin, "t", 3).await;
        write(&cluster, &topic, 50, Compression::Lz4).await;
        let mut consumer = member(&cluster, &topic);
        assert_eq!(numbers(&read(&mut consumer, 50).await), (0..50).collect());
        consumer.commit().await.unwrap();
        let committed = admin.committed(&"g".into()).await.unwrap();
        let ends = committed.values().map(|committed| committed.offset).sum::<i64>();
        assert_eq!((committed.len(), ends), (3, 50));

        let group = admin.group(&"g".into()).await.unwrap().unwrap();
        assert_eq!(
            (&*group.state, &*group.assignor, group.members.len()),
            ("Stable", "range", 1)
        );
        assert_eq!(group.members[0].partitions[&topic], [0, 1, 2]);
        consumer.close().await.unwrap();
        let left = admin.group(&"g".into()).await.unwrap().unwrap();
        assert_eq!((&*left.state, left.members.len()), ("Empty", 0));
        broker.take_data()
    };
    broker.terminate();
    assert_eq!(broker.ended(), Some(0));
    let broker = Broker::start_in(data, AT_ONCE);
    let cluster = cluster(&broker).await;
    let topic = Str::from("t");
    let mut consumer = member(&cluster, &topic);
    assert!(
        consumer
            .poll(Duration::from_millis(500))
            .await
            .unwrap()
            .is_empty()
    );
    write(&cluster, &topic, 7, Compression::None).await;
    assert_eq!(numbers(&read(&mut consumer, 7).await), (0..7).collect());
    consumer.close().await.unwrap();
}

/// Polls until the member has so many partitions.
async fn owns(consumer: &mut Consumer, count: usize) {
    let polling = async {
        while consumer.positions().len() != count {
            assert!(consumer.poll(Duration::from_millis(50)).await.unwrap().is_empty());
        }
    };
    let result = tokio::time::timeout(PATIENCE, polling).await;
    assert!(
        result.is_ok(),
        "{count} partitions, instead of {:?}",
        consumer.positions()
    );
}

#[tokio::test]
async fn a_start_after_a_crash_says_when_the_logs_are_recovered() {
    let mut broker = Broker::start(&[]);
    create(&Admin::new(cluster(&broker).await), "t", 3).await;
    let data = broker.take_data();
    drop(broker);
    let broker = Broker::start_in(data, &[]);
    let told = "recovered 3 logs in ";
    if !broker.log.iter().any(|line| line.contains(told)) {
        broker.next_line_with(told);
    }
}

#[tokio::test]
async fn members_of_a_group_share_the_partitions_and_one_that_leaves_hands_its_own_over() {
    let broker = Broker::start(AT_ONCE);
    let cluster = cluster(&broker).await;
    let topic = create(&Admin::new(cluster.clone()), "t", 4).await;
    let (mut first, mut second) = (member(&cluster, &topic), member(&cluster, &topic));
    tokio::join!(owns(&mut first, 2), owns(&mut second, 2));
    second.close().await.unwrap();
    owns(&mut first, 4).await;
    first.close().await.unwrap();
}

#[tokio::test]
async fn a_poll_ends_in_its_time_while_the_group_waits_for_a_member() {
    let broker = Broker::start(AT_ONCE);
    let cluster = cluster(&broker).await;
    let topic = create(&Admin::new(cluster.clone()), "t", 2).await;
    let mut first = member(&cluster, &topic);
    owns(&mut first, 2).await;
    // The group waits for the first one, which does not poll.
    let mut second = member(&cluster, &topic);
    let wait = Duration::from_millis(100);
    for _ in 0..3 {
        let polled = tokio::time::timeout(Duration::from_secs(20), second.poll(wait)).await;
        assert_eq!(polled.expect("in its time").unwrap(), []);
        assert!(second.positions().is_empty());
    }
    // Whoever waits can leave.
    let closed = tokio::time::timeout(Duration::from_secs(20), second.close()).await;
    closed.expect("at once").unwrap();
    let mut third = member(&cluster, &topic);
    tokio::join!(owns(&mut first, 1), owns(&mut third, 1));
}

#[tokio::test]
async fn topics_are_created_described_enlarged_and_deleted() {
    let broker = Broker::start(AT_ONCE);
    let cluster = cluster(&broker).await;
    let admin = Admin::new(cluster.clone());
    let topic = create(&admin, "t", 2).await;
    let described = admin.topic(&topic).await.unwrap();
    assert_eq!(described.partitions.len(), 2);
    assert!(described.partitions[&0].leader >= 0);
    let again = NewTopic {
        name: topic.clone(),
        ..Default::default()
    };
    let results = admin.create_topics(&[again], false).await.unwrap();
    let code = results[0].1.as_ref().unwrap_err().code();
    assert_eq!(code, Some(ErrorCode::TOPIC_ALREADY_EXISTS));
    let checked = NewTopic {
        name: "u".into(),
        ..Default::default()
    };
    admin.create_topics(&[checked], true).await.unwrap()[0]
        .1
        .as_ref()
        .unwrap();

    admin.create_partitions(&topic, 5).await.unwrap();
    let fewer = admin.create_partitions(&topic, 1).await.unwrap_err();
    assert_eq!(fewer.code(), Some(ErrorCode::INVALID_PARTITIONS));
    assert_eq!(admin.topic(&topic).await.unwrap().partitions.len(), 5);
    assert_eq!(admin.topics().await.unwrap().keys().collect::<Vec<_>>(), [&topic]);

    let results = admin.delete_topics(&[topic.clone(), "v".into()]).await.unwrap();
    assert!(results[0].1.is_ok());
    assert!(matches!(results[1].1, Err(Error::NoTopic { .. })));
    assert!(matches!(admin.topic(&topic).await, Err(Error::NoTopic { .. })));
    assert!(admin.topics().await.unwrap().is_empty());
}

#[tokio::test]
async fn records_are_deleted_up_to_an_offset_and_readers_go_on_behind_it() {
    let broker = Broker::start(AT_ONCE);
    let cluster = cluster(&broker).await;
    let admin = Admin::new(cluster.clone());
    let topic = create(&admin, "t", 1).await;
    write(&cluster, &topic, 10, Compression::None).await;
    assert_eq!(admin.delete_records(&topic, 0, 4).await.unwrap(), 4);
    let beyond = admin.delete_records(&topic, 0, 11).await.unwrap_err();
    assert_eq!(beyond.code(), Some(ErrorCode::OFFSET_OUT_OF_RANGE));
    let options = ConsumerOptions {
        start: TimeSpec::Earliest,
        ..Default::default()
    };
    let mut consumer = Consumer::new(&cluster, options);
    consumer.assign(everywhere(&topic, 1, Start::Offset(0)));
    assert_eq!(numbers(&read(&mut consumer, 6).await), (4..10).collect());
    assert_eq!(admin.delete_records(&topic, 0, -1).await.unwrap(), 10);
}

#[tokio::test]
async fn configurations_are_set_read_with_their_source_and_unset() {
    let broker = Broker::start(AT_ONCE);
    let admin = Admin::new(cluster(&broker).await);
    let topic = create(&admin, "t", 1).await;
    let resource = Resource::Topic(topic);
    let name = Str::from("retention.ms");
    let change = ConfigChange::Set(name.clone(), "1234567".into());
    let read = async || {
        let names = [name.clone()];
        let mut entries = admin.configs(&resource, Some(&names), true).await.unwrap();
        let entry = entries.pop().unwrap();
        assert!(entry.documentation.is_some_and(|words| !words.is_empty()));
        (entry.value.unwrap().to_string(), entry.source)
    };
    let (default, source) = read().await;
    assert_eq!(source, ConfigSource::Default);
    admin.alter_configs(&resource, &[change]).await.unwrap();
    assert_eq!(read().await, ("1234567".into(), ConfigSource::Topic));
    admin
        .alter_configs(&resource, &[ConfigChange::Unset(name.clone())])
        .await
        .unwrap();
    assert_eq!(read().await, (default, ConfigSource::Default));

    let nonsense = ConfigChange::Set(name.clone(), "much".into());
    let refused = admin.alter_configs(&resource, &[nonsense]).await.unwrap_err();
    assert_eq!(refused.code(), Some(ErrorCode::INVALID_CONFIG));
    let none = admin.configs(&Resource::Topic("u".into()), None, false).await;
    assert_eq!(
        none.unwrap_err().code(),
        Some(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)
    );
    let id = *admin.cluster().picture().brokers.keys().next().unwrap();
    let of_broker = admin.configs(&Resource::Broker(id), None, false).await.unwrap();
    let listeners = of_broker
        .iter()
        .find(|entry| &*entry.name == "listeners")
        .unwrap();
    assert_eq!(listeners.source, ConfigSource::File);
}

#[tokio::test]
async fn a_group_is_listed_moved_while_nobody_is_in_it_and_deleted() {
    let broker = Broker::start(AT_ONCE);
    let cluster = cluster(&broker).await;
    let admin = Admin::new(cluster.clone());
    let topic = create(&admin, "t", 1).await;
    write(&cluster, &topic, 5, Compression::None).await;
    let group = Str::from("g");
    assert_eq!(admin.group(&group).await.unwrap(), None);
    let mut consumer = member(&cluster, &topic);
    read(&mut consumer, 5).await;
    let place = (topic.clone(), 0);
    let offsets = BTreeMap::from([(place.clone(), 3)]);
    let refused = admin.commit(&group, &offsets).await.unwrap_err();
    assert_eq!(refused.code(), Some(ErrorCode::UNKNOWN_MEMBER_ID));
    let refused = admin.delete_group(&group).await.unwrap_err();
    assert_eq!(refused.code(), Some(ErrorCode::NON_EMPTY_GROUP));
    consumer.close().await.unwrap();

    admin.commit(&group, &offsets).await.unwrap();
    assert_eq!(admin.committed(&group).await.unwrap()[&place].offset, 3);
    let listed = admin.groups().await.unwrap();
    assert_eq!(
        (&*listed[0].group, &*listed[0].state, listed.len()),
        ("g", "Empty", 1)
    );
    admin.delete_group(&group).await.unwrap();
    assert!(admin.groups().await.unwrap().is_empty());
    assert!(admin.committed(&group).await.unwrap().is_empty());
    let gone = admin.delete_group(&group).await.unwrap_err();
    assert_eq!(gone.code(), Some(ErrorCode::GROUP_ID_NOT_FOUND));
}

#[tokio::test]
async fn a_producer_creates_its_topic_only_where_it_may_and_knows_its_partitions() {
    let broker = Broker::start(&["num.partitions=2"]);
    let cluster = cluster(&broker).await;
    write(&cluster, &"made".into(), 3, Compression::None).await;
    let record = |topic: &str, partition| ProducerRecord {
        topic: topic.to_owned().into(),
        partition,
        ..Default::default()
    };
    let options = ProducerOptions {
        create_topics: false,
        ..Default::default()
    };
    let producer = Producer::start(cluster.clone(), options);
    assert!(matches!(
        producer.send(record("other", None)).await,
        Err(Error::NoTopic { .. })
    ));
    let beyond = producer.send(record("made", Some(2))).await;
    assert!(matches!(beyond, Err(Error::NoPartition { count: 2, .. })));
    let topics = Admin::new(cluster).topics().await.unwrap();
    assert_eq!(topics.keys().map(|name| &**name).collect::<Vec<_>>(), ["made"]);
}

#[tokio::test]
async fn who_serves_what_and_where_it_lies_is_told() {
    let broker = Broker::start(AT_ONCE);
    let admin = Admin::new(cluster(&broker).await);
    let described = admin.describe_cluster().await.unwrap();
    assert_eq!(described.brokers.len(), 1);
    assert_eq!(
        admin.cluster().picture().cluster_id.as_ref(),
        Some(&described.cluster_id)
    );
    create(&admin, "t", 3).await;
    let dirs = admin.log_dirs().await.unwrap();
    let dirs: Vec<_> = dirs.values().flatten().collect();
    let of_t = dirs
        .iter()
        .flat_map(|dir| &dir.topics)
        .find(|topic| &*topic.name == "t");
    assert_eq!(of_t.unwrap().partitions.len(), 3);
    let versions = admin.api_versions().await.unwrap();
    assert!(versions.api_keys.iter().any(|api| api.api_key == 18));
}

#[tokio::test]
async fn an_address_where_nobody_listens_is_told_at_once() {
    let free = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let options = Options {
        bootstrap: free.to_string(),
        ..Default::default()
    };
    let error = Cluster::connect(options).await.unwrap_err();
    assert!(matches!(error, Error::Unreachable { .. }), "{error}");
    assert!(
        error
            .to_string()
            .starts_with(&format!("no broker answers at {free}: ")),
        "{error}"
    );
}
