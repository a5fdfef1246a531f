//! What clients from before record batches send and are given.

use std::path::Path;

use bytes::Bytes;
use klamm_protocol::messages::describe_cluster::DescribeClusterRequest;
use klamm_protocol::record::legacy::{self, DownConversion, Magic, down_convert};
use klamm_protocol::record::{BatchBuilder, Compression, control};
use klamm_protocol::{ErrorCode, Records};
use klamm_storage::LogKey;
use klamm_storage::sys::Mode;

use super::log::{append, fetch, fetched, partitions_of, produce, values};
use super::{CLIENT, Harness, batch};
use crate::job::JobKind;
use crate::router::Response;
use crate::{ConnectionId, Effect, Event};

/// A message set of format 1.
fn set(codec: Compression, values: &[&[u8]]) -> Bytes {
    let mut batch = BatchBuilder::new(codec);
    for value in values {
        batch.append(1_000, None, Some(value));
    }
    let how = DownConversion {
        magic: Magic::V1,
        from_offset: 0,
        most_bytes: usize::MAX,
        inflate_limit_bytes: 1 << 30,
    };
    down_convert([batch.finish()], &how).expect("a codec of that time")
}

fn send(harness: &mut Harness, set: Bytes) -> (ErrorCode, i64) {
    let answer = partitions_of(harness.ask(2, &produce(-1, &[(0, Records::from(set))])));
    (answer[0].error_code, answer[0].base_offset)
}

#[test]
fn clients_of_message_sets_are_served_what_others_wrote_and_the_other_way_round() {
    let mut harness = Harness::new(&[]);
    harness.create_topic("t", 1, &[]);
    append(&mut harness, &["a", "b"]);
    for (fetch_version, produce_version) in [(0, 0), (1, 1), (2, 2), (3, 2)] {
        let old = harness.send(fetch_version, &fetch(1, 0, 1));
        let set = harness.first_records(old);
        let messages = legacy::read(set.clone(), 1 << 20).expect("a message set");
        assert_eq!(messages[0].offset, 1, "what lies before is left out");
        assert_eq!(messages[0].value.as_deref(), Some(&b"b"[..]));
        let request = produce(-1, &[(0, Records::from(set))]);
        let answer = partitions_of(harness.ask(produce_version, &request));
        assert_eq!(answer[0].error_code, ErrorCode::NONE, "version {produce_version}");
    }
    let all = values(&fetched(harness.ask(11, &fetch(0, 0, 1))));
    assert_eq!(&all[..3], ["a", "b", "b"]);
}

/// Kafka answers with a message that is cut short, again and again, when there are many.
#[test]
fn a_consumer_is_not_stuck_before_records_that_it_is_not_shown() {
    let mut harness = Harness::new(&[]);
    harness.create_topic("t", 1, &[]);
    append(&mut harness, &["a"]);
    let topic_id = harness.node.cluster.topic_by_name("t").expect("it is there").id;
    let key = LogKey {
        topic_id,
        partition: 0,
    };
    let now_ms = harness.now.unix_ms;
    let mut jobs = Vec::new();
    let partition = harness.node.partitions.online(&key).expect("it is online");
    let lane = partition.lane;
    let marker = || control::end_transaction(1, 1, 0, true, 0);
    let markers = vec![marker(), marker(), marker()];
    partition
        .log
        .append(markers, 0, now_ms, &mut jobs)
        .expect("it takes what it is given");
    let done = klamm_storage::lane::run(&harness.fs, jobs);
    harness.event(Event::Lane(lane, done));
    append(&mut harness, &["b"]);
    for version in 0..=3 {
        for max_bytes in [1 << 20, 1] {
            let mut request = fetch(1, 0, 1);
            request.topics[0].partitions[0].partition_max_bytes = max_bytes;
            let asked = harness.send(version, &request);
            let messages = legacy::read(harness.first_records(asked), 1 << 20).expect("a message set");
            let found: Vec<_> = messages.iter().map(|m| (m.offset, m.value.as_deref())).collect();
            assert_eq!(
                found,
                [(4, Some(&b"b"[..]))],
                "version {version}, {max_bytes} bytes"
            );
        }
    }
    // Behind them there is nothing: who may wait does, and what comes is found.
    append(&mut harness, &["c"]);
    let waiting = harness.send(3, &fetch(6, 60_000, 1));
    append(&mut harness, &["d"]);
    let messages = legacy::read(harness.first_records(waiting), 1 << 20).expect("a message set");
    assert_eq!(messages[0].offset, 6);
}

/// What comes before a batch that the consumer cannot read is given; the batch itself is refused.
#[test]
fn zstd_stops_an_old_consumer_where_it_begins() {
    let mut harness = Harness::new(&[]);
    harness.create_topic("t", 1, &[]);
    append(&mut harness, &["a"]);
    let mut batch = BatchBuilder::new(Compression::Zstd);
    batch.append(1_000, None, Some(b"b"));
    let records = Records::from(batch.finish().to_bytes());
    assert_eq!(
        partitions_of(harness.ask(9, &produce(-1, &[(0, records)])))[0].error_code,
        ErrorCode::NONE
    );
    let first = harness.send(3, &fetch(0, 0, 1));
    assert_eq!(
        legacy::read(harness.first_records(first), 1 << 20)
            .expect("a message set")
            .len(),
        1
    );
    let refused = fetched(harness.ask(3, &fetch(1, 0, 1)));
    let partition = &refused.responses[0].partitions[0];
    assert_eq!(partition.error_code, ErrorCode::UNSUPPORTED_COMPRESSION_TYPE);
}

/// What is lent from a file and then not given by the disk ends the process that looks into it.
#[test]
fn what_is_converted_is_copied_from_the_disk_and_not_lent() {
    let mut harness = Harness::new(&[]);
    harness.create_topic("t", 1, &[]);
    append(&mut harness, &["a"]);
    let mut harness = harness.restart();
    harness.pass_ms(1_000);
    let (id, inbound) = harness.inbound(CLIENT, "old", 3, &fetch(0, 0, 1));
    let mut event = Event::Request(id, inbound);
    let conversion = loop {
        let mut effects = Vec::new();
        harness.node.handle(harness.now, event, &mut effects);
        match effects.pop() {
            Some(Effect::Job(job)) if job.kind() == JobKind::Compute => break job,
            Some(Effect::Job(job)) => event = Event::Job(job.run(&harness.fs)),
            _ => panic!("a read, and then a conversion"),
        }
    };
    let log = Path::new("/a/t-0/00000000000000000000.log");
    let file = harness.fs.open(log, Mode::Write).expect("it is there");
    file.set_len(0).expect("nobody holds its bytes");
    harness.event(Event::Job(conversion.run(&harness.fs)));
    let messages = legacy::read(harness.first_records(id.sequence), 1 << 20).expect("a message set");
    assert_eq!(messages[0].value.as_deref(), Some(&b"a"[..]));
}

/// Memory: a set is inflated as a stream up to `max.decompressed.message.bytes`, and what it becomes is kept only if
/// it fits `max.message.bytes`. Time: in a job of the kind that computes, of which few run at once.
#[test]
fn a_bomb_is_refused_by_a_job_and_meanwhile_others_are_served() {
    let mut harness = Harness::new(&[]);
    harness.create_topic("t", 1, &[("max.decompressed.message.bytes", "1000000")]);
    let bomb = set(Compression::Gzip, &[&vec![0; 50_000_000]]);
    assert!(bomb.len() < 100_000);
    let request = produce(-1, &[(0, Records::from(bomb))]);
    let (id, inbound) = harness.inbound(CLIENT, "old", 2, &request);
    let mut effects = Vec::new();
    harness
        .node
        .handle(harness.now, Event::Request(id, inbound), &mut effects);
    let [Effect::Job(_)] = &effects[..] else {
        panic!("one job, and nothing else");
    };
    let Some(Effect::Job(job)) = effects.pop() else {
        unreachable!()
    };
    assert_eq!(job.kind(), JobKind::Compute);
    let other = ConnectionId(77);
    harness.connect(other);
    let request = produce(-1, &[(0, batch(&["meanwhile"]))]);
    let meanwhile = harness.send_as(other, "new", 9, &request);
    let answer = harness.answer(meanwhile).expect("this waits for nobody");
    assert_eq!(partitions_of(answer)[0].error_code, ErrorCode::NONE);
    let done = job.run(&harness.fs);
    harness.event(Event::Job(done));
    let answer = partitions_of(harness.answer(id.sequence).expect("it is answered by now"));
    assert_eq!(answer[0].error_code, ErrorCode::INVALID_RECORD);
}

/// Many small messages inflate to little more than they were, and take part in no bound but that of the bytes.
#[test]
fn a_million_messages_are_one_batch_and_are_given_back_as_they_came() {
    const COUNT: usize = 1_000_000;
    let mut harness = Harness::new(&[]);
    harness.create_topic("t", 1, &[("max.message.bytes", "4000000")]);
    let many = set(Compression::Gzip, &vec![&b""[..]; COUNT]);
    assert!(
        many.len() < 4_000_000,
        "{} bytes of a million messages",
        many.len()
    );
    assert_eq!(send(&mut harness, many), (ErrorCode::NONE, 0));
    let conversion = harness.node.old_clients().converted_on_produce;
    assert_eq!(conversion.records, COUNT as u64);
    // At least one batch is given, also where it is larger than what was asked for.
    let asked = harness.send(3, &fetch(0, 0, 1));
    let given = harness.first_records(asked);
    let messages = legacy::read(given, COUNT * 34).expect("a message set");
    assert_eq!(messages.len(), COUNT);
    assert_eq!(messages[COUNT - 1].offset, COUNT as i64 - 1);
}

/// What a topic's codec blows up is bounded by what a request may bring.
#[test]
fn sets_that_grow_are_refused_one_by_one() {
    let mut harness = Harness::new(&[]);
    let settings = [
        ("compression.type", "uncompressed"),
        ("max.message.bytes", "1000"),
    ];
    harness.create_topic("t", 1, &settings);
    let small = set(Compression::Gzip, &[&[0; 500]]);
    let large = set(Compression::Gzip, &[&[0; 2_000]]);
    assert!(large.len() < 1_000);
    assert_eq!(send(&mut harness, small), (ErrorCode::NONE, 0));
    assert_eq!(send(&mut harness, large).0, ErrorCode::MESSAGE_TOO_LARGE);
}

/// Nobody but `klamm cluster` asks for it: every other client is answered in Kafka's very bytes.
#[test]
fn old_clients_are_told_to_who_asks_and_nobody_else_sees_a_difference() {
    let mut harness = Harness::new(&[]);
    harness.create_topic("t", 1, &[]);
    append(&mut harness, &["a"]);
    let ask = |harness: &mut Harness, version, include_old_clients| {
        let request = DescribeClusterRequest {
            include_old_clients,
            ..DescribeClusterRequest::default()
        };
        let Response::DescribeCluster(answer) = harness.ask(version, &request) else {
            unreachable!()
        };
        (answer, harness.encoded.slice(4..))
    };
    for version in 0..=2 {
        let (_, before) = ask(&mut harness, version, false);
        harness.send(version, &fetch(0, 0, 1));
        let (_, plain) = ask(&mut harness, version, false);
        assert_eq!(plain, before);
        let (answer, told) = ask(&mut harness, version, true);
        assert_eq!(plain.last(), Some(&0), "no tagged field");
        assert!(
            told.starts_with(&plain[..plain.len() - 1]),
            "and then one, behind all of Kafka's"
        );
        let uses = answer.old_clients.expect("it was asked for").uses;
        assert!(
            uses.iter()
                .all(|used| used.client_id == "test" && used.api_key == 1)
        );
        assert!(
            uses.iter()
                .all(|used| used.requests == 1 && used.converted_records == 1)
        );
        assert_eq!(uses.len() as i16, version + 1);
    }
}

/// As Kafka 3.9 has it.
#[test]
fn nothing_to_append_is_no_error_to_an_old_producer() {
    let mut harness = Harness::new(&[]);
    harness.create_topic("t", 1, &[]);
    assert_eq!(send(&mut harness, Bytes::new()), (ErrorCode::NONE, -1));
    harness.send(2, &produce(0, &[(0, Records::default())]));
    assert_eq!(harness.closed, []);
    for version in 0..=2 {
        let answer = partitions_of(harness.ask(version, &produce(-1, &[(7, Records::default())])));
        let expected = ErrorCode::UNKNOWN_TOPIC_OR_PARTITION;
        assert_eq!(
            answer[0].error_code, expected,
            "there has to be a partition for it"
        );
        let answer = partitions_of(harness.ask(version, &produce(3, &[(0, Records::default())])));
        assert_eq!(answer[0].error_code, ErrorCode::INVALID_REQUIRED_ACKS);
    }
    let answer = partitions_of(harness.ask(3, &produce(-1, &[(0, Records::default())])));
    assert_eq!(answer[0].error_code, ErrorCode::INVALID_RECORD);
}
