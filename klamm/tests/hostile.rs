//! What strangers may send: nothing of it disturbs others, and the memory comes back.

mod running;

use std::io::Write;
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

use klamm_protocol::messages::fetch::{FetchPartition, FetchRequest, FetchTopic};
use klamm_protocol::messages::metadata::{MetadataRequest, MetadataRequestTopic};
use klamm_protocol::messages::produce::{
    PartitionProduceData, ProduceRequest, ProduceResponse, TopicProduceData,
};
use klamm_protocol::record::{BatchBuilder, Compression};
use klamm_protocol::{Decoder, ErrorCode, Message, Records, frame};
use running::{Broker, PATIENCE, api_versions, correlation_id, framed, header, is_closed, read_frame};

const MIB: u64 = 1 << 20;

/// Random numbers from a seed (SplitMix64).
struct Chance(u64);

impl Chance {
    fn from_clock() -> Chance {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        let seed = u64::from(since.expect("it is after 1970").subsec_nanos());
        println!("seed {seed}");
        Chance(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

#[test]
fn nonsense_closes_its_own_connection_and_no_other() {
    let broker = Broker::start(&[]);
    let mut honest = broker.connect();
    let absurd_array = [header(3, 0, 1), i32::MAX.to_be_bytes().to_vec()].concat();
    let nonsense: &[(&str, Vec<u8>)] = &[
        ("a negative length", (-1i32).to_be_bytes().to_vec()),
        ("2 GiB announced", i32::MAX.to_be_bytes().to_vec()),
        (
            "more than socket.request.max.bytes",
            ((100i32 << 20) + 1).to_be_bytes().to_vec(),
        ),
        ("an empty frame", framed(&[])),
        ("three bytes", framed(&[0, 18, 0])),
        ("an unknown key", framed(&header(9999, 0, 1))),
        ("an unknown version", framed(&header(3, 999, 1))),
        ("a negative version", framed(&header(3, -1, 1))),
        ("a header without its end", framed(&header(18, 0, 1)[..9])),
        ("an absurd array", framed(&absurd_array)),
        ("HTTP", b"GET / HTTP/1.1\r\nHost: klamm\r\n\r\n".to_vec()),
        ("TLS", vec![0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01, 0xfc]),
    ];
    for (index, (name, bytes)) in nonsense.iter().enumerate() {
        let mut stranger = broker.connect();
        stranger.write_all(bytes).unwrap();
        assert!(is_closed(&mut stranger), "{name} is not closed");
        let id = i32::try_from(index).unwrap();
        honest.write_all(&api_versions(id)).unwrap();
        assert_eq!(
            correlation_id(&read_frame(&mut honest).unwrap()),
            id,
            "after {name}"
        );
    }
}

#[test]
fn random_bytes_are_survived_and_the_memory_comes_back() {
    let broker = Broker::start(&[]);
    broker.serves();
    let before = broker.anonymous_bytes();
    let mut chance = Chance::from_clock();
    for _ in 0..500 {
        let mut stranger = broker.connect();
        let length = usize::try_from(chance.next() % 20_000).unwrap();
        let mut bytes: Vec<u8> = (0..length).map(|_| chance.next().to_be_bytes()[0]).collect();
        if chance.next().is_multiple_of(2) {
            // A frame with a true length and a served key gets further in.
            let key = i16::try_from(chance.next() % 70).unwrap();
            let version = i16::try_from(chance.next() % 14).unwrap();
            bytes = framed(&[header(key, version, 1), bytes].concat());
        }
        // The broker may close before all of it is written.
        let _ = stranger.write_all(&bytes);
    }
    broker.serves();
    settles_at(&broker, before + 8 * MIB);
}

#[test]
fn a_request_may_come_byte_by_byte() {
    let broker = Broker::start(&[]);
    let mut stream = broker.connect();
    stream.set_nodelay(true).unwrap();
    for id in 0..3 {
        for byte in api_versions(id) {
            stream.write_all(&[byte]).unwrap();
        }
        assert_eq!(correlation_id(&read_frame(&mut stream).unwrap()), id);
    }
}

#[test]
fn more_requests_than_may_wait_are_answered_in_order() {
    let broker = Broker::start(&[]);
    let mut stream = broker.connect();
    let all: Vec<u8> = (0..1000).flat_map(api_versions).collect();
    stream.write_all(&all).unwrap();
    for id in 0..1000 {
        assert_eq!(correlation_id(&read_frame(&mut stream).unwrap()), id);
    }
}

#[test]
fn who_closes_the_sending_side_still_gets_the_answers() {
    let broker = Broker::start(&[]);
    let mut stream = broker.connect();
    stream
        .write_all(&[api_versions(1), api_versions(2)].concat())
        .unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    assert_eq!(correlation_id(&read_frame(&mut stream).unwrap()), 1);
    assert_eq!(correlation_id(&read_frame(&mut stream).unwrap()), 2);
    assert!(is_closed(&mut stream));
    // In the middle of a request there is nothing to answer.
    let mut stream = broker.connect();
    stream.write_all(&api_versions(1)[..7]).unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    assert!(is_closed(&mut stream));
}

#[test]
fn promises_cost_nothing_and_an_honest_giant_gets_through() {
    let broker = Broker::start(&[]);
    broker.serves();
    let before = broker.anonymous_bytes();
    let mut promise = (100i32 << 20).to_be_bytes().to_vec();
    promise.extend(header(18, 3, 1));
    promise.truncate(10);
    let strangers: Vec<_> = (0..400)
        .map(|_| {
            let mut stranger = broker.connect();
            stranger.write_all(&promise).unwrap();
            stranger
        })
        .collect();
    for _ in 0..20 {
        broker.serves();
    }
    assert!(
        broker.anonymous_bytes() < before + 24 * MIB,
        "promises are charged: {} KiB",
        (broker.anonymous_bytes() - before) >> 10
    );
    let mut honest = broker.connect();
    honest.write_all(&giant(100 << 20)).unwrap();
    assert_eq!(correlation_id(&read_frame(&mut honest).unwrap()), 1);
    drop(strangers);
    settles_at(&broker, before + 8 * MIB);
}

#[test]
fn several_giants_at_once_follow_each_other() {
    let broker = Broker::start(&[]);
    let before = broker.anonymous_bytes();
    let threads: Vec<_> = (0..6)
        .map(|_| {
            let mut stream = broker.connect();
            std::thread::spawn(move || {
                stream.write_all(&giant(30 << 20)).unwrap();
                read_frame(&mut stream).map(|frame| correlation_id(&frame))
            })
        })
        .collect();
    for thread in threads {
        assert_eq!(thread.join().unwrap(), Some(1));
    }
    settles_at(&broker, before + 8 * MIB);
}

#[test]
fn half_a_giant_does_not_keep_the_slot_from_others() {
    let broker = Broker::start(&[]);
    let frame = giant(8 << 20);
    let mut stalled = broker.connect();
    stalled.write_all(&frame[..2 << 20]).unwrap();
    stalled.set_read_timeout(Some(Duration::from_millis(1))).unwrap();
    let began = Instant::now();
    // Whichever of them gets the slot first: the stalled one does not keep it while others wait.
    while !is_closed(&mut stalled) {
        assert!(
            began.elapsed() < PATIENCE,
            "slower than 64 KiB/s, and nobody minds"
        );
        let mut honest = broker.connect();
        honest.write_all(&frame).unwrap();
        assert_eq!(correlation_id(&read_frame(&mut honest).unwrap()), 1);
    }
}

#[test]
fn halves_of_requests_that_fill_the_memory_make_room_for_others() {
    let broker = Broker::start(&["queued.max.request.bytes=2097152"]);
    let half = &giant(1 << 20)[..700_000];
    // Four of them need more than there is.
    let strangers: Vec<_> = (0..4)
        .map(|_| {
            let mut stranger = broker.connect();
            stranger.set_nonblocking(true).unwrap();
            // What does not fit into the socket is left out.
            let _ = stranger.write(half);
            stranger
        })
        .collect();
    for _ in 0..3 {
        let mut honest = broker.connect();
        honest.write_all(&giant(1 << 20)).unwrap();
        assert_eq!(correlation_id(&read_frame(&mut honest).unwrap()), 1);
        broker.serves();
    }
    drop(strangers);
}

#[test]
fn requests_behind_a_fetch_that_waits_hold_little_memory() {
    let broker = Broker::start(&["queued.max.request.bytes=4194304"]);
    let mut stream = broker.connect();
    assert_eq!(produce_to_new_topic(&mut stream, 100), ErrorCode::NONE);
    let waits_long = fetch(60_000);
    let strangers: Vec<_> = (0..20)
        .map(|_| {
            let mut stranger = broker.connect();
            stranger.write_all(&waits_long).unwrap();
            stranger.set_nonblocking(true).unwrap();
            let _ = stranger.write(&giant(1 << 20));
            stranger
        })
        .collect();
    for _ in 0..5 {
        assert_eq!(produce(&mut stream, 900_000), ErrorCode::NONE);
    }
    drop(strangers);
}

#[test]
fn thousands_of_idle_connections_leave_no_memory_behind() {
    let count = 8000;
    let broker = Broker::start(&[]);
    broker.serves();
    let before = broker.anonymous_bytes();
    let idle: Vec<_> = (0..count).map(|_| broker.connect()).collect();
    broker.serves();
    let each = broker.anonymous_bytes().saturating_sub(before) / count;
    assert!(each < 8 << 10, "{each} bytes for an idle connection");
    drop(idle);
    settles_at(&broker, before + 8 * MIB);
}

#[test]
fn connections_beyond_the_limit_are_closed_at_once() {
    let broker = Broker::start(&["max.connections=3"]);
    let mut inside: Vec<_> = (0..3).map(|_| broker.connect()).collect();
    for (id, stream) in (0..).zip(&mut inside) {
        stream.write_all(&api_versions(id)).unwrap();
        assert_eq!(correlation_id(&read_frame(stream).unwrap()), id);
    }
    assert!(is_closed(&mut broker.connect()));
    drop(inside.pop());
    let began = Instant::now();
    while began.elapsed() < PATIENCE {
        let mut stream = broker.connect();
        if stream.write_all(&api_versions(9)).is_ok() && read_frame(&mut stream).is_some() {
            return;
        }
    }
    panic!("a place that is free again is given to nobody");
}

#[test]
fn an_idle_connection_is_closed_after_its_time() {
    let broker = Broker::start(&["connections.max.idle.ms=200"]);
    let mut stream = broker.connect();
    stream.write_all(&api_versions(1)).unwrap();
    assert!(read_frame(&mut stream).is_some());
    let began = Instant::now();
    assert!(is_closed(&mut stream));
    assert!(
        began.elapsed() >= Duration::from_millis(150),
        "too early: {:?}",
        began.elapsed()
    );
}

#[test]
fn a_produce_of_almost_100_mib_is_accepted_where_the_topic_allows_it() {
    let broker = Broker::start(&["message.max.bytes=104857600"]);
    let before = broker.anonymous_bytes();
    let mut stream = broker.connect();
    assert_eq!(produce_to_new_topic(&mut stream, 100), ErrorCode::NONE);
    assert_eq!(produce(&mut stream, (100 << 20) - 200), ErrorCode::NONE);
    broker.serves();
    // The newest records stay in memory for their readers; a batch beyond that bound does not.
    settles_at(&broker, before + 24 * MIB);
}

#[test]
fn readers_that_do_not_take_their_answers_hold_no_memory_and_delay_nobody() {
    let broker = Broker::start(&[]);
    let mut stream = broker.connect();
    assert_eq!(produce_to_new_topic(&mut stream, 900_000), ErrorCode::NONE);
    for _ in 0..40 {
        assert_eq!(produce(&mut stream, 900_000), ErrorCode::NONE);
    }
    let before = broker.anonymous_bytes();
    let request = fetch_all();
    let readers: Vec<_> = (0..50)
        .map(|_| {
            let mut reader = broker.connect();
            for _ in 0..10 {
                reader.write_all(&request).unwrap();
            }
            reader
        })
        .collect();
    for _ in 0..20 {
        broker.serves();
        assert_eq!(produce(&mut stream, 100), ErrorCode::NONE);
    }
    let grown = broker.anonymous_bytes().saturating_sub(before);
    assert!(
        grown < 32 * MIB,
        "{} KiB for answers that nobody takes",
        grown >> 10
    );
    // One of them changes its mind.
    let mut reader = readers.into_iter().next().unwrap();
    for _ in 0..10 {
        assert!(read_frame(&mut reader).unwrap().len() > 30_000_000);
    }
    drop(reader);
    settles_at(&broker, before + 8 * MIB);
}

const TOPIC: &str = "giants";

/// Asks for the topic until it is there and takes a record.
fn produce_to_new_topic(stream: &mut TcpStream, size: usize) -> ErrorCode {
    let topics = vec![MetadataRequestTopic {
        name: Some(TOPIC.into()),
        ..MetadataRequestTopic::default()
    }];
    let request = MetadataRequest {
        topics: Some(topics),
        ..MetadataRequest::default()
    };
    let began = Instant::now();
    loop {
        send(stream, 3, 4, &request);
        read_frame(stream).expect("an answer");
        let code = produce(stream, size);
        if code == ErrorCode::NONE || began.elapsed() > PATIENCE {
            return code;
        }
    }
}

/// Produces one record with a value of this size, and gives the error code of the answer.
fn produce(stream: &mut TcpStream, size: usize) -> ErrorCode {
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .expect("it is after 1970");
    let mut batch = BatchBuilder::new(Compression::None);
    batch.append(
        i64::try_from(now.as_millis()).expect("not yet"),
        None,
        Some(&vec![b'v'; size]),
    );
    let records = Records::from_parts(batch.finish().parts().to_vec());
    let partition_data = vec![PartitionProduceData {
        index: 0,
        records: Some(records),
    }];
    let topic = TopicProduceData {
        name: TOPIC.into(),
        partition_data,
        ..TopicProduceData::default()
    };
    let request = ProduceRequest {
        acks: -1,
        timeout_ms: 30_000,
        topic_data: vec![topic],
        ..ProduceRequest::default()
    };
    send(stream, 0, 7, &request);
    let mut answer = Decoder::new(read_frame(stream).expect("an answer").into());
    frame::decode_response_header::<ProduceResponse>(&mut answer, 0, 7).expect("a header");
    let answer = ProduceResponse::decode(&mut answer, 7).expect("a Produce answer");
    answer.responses[0].partition_responses[0].error_code
}

/// A fetch of everything in the topic.
fn fetch_all() -> Vec<u8> {
    fetch(0)
}

/// A fetch that waits for so long, or for nothing.
fn fetch(max_wait_ms: i32) -> Vec<u8> {
    let partition = FetchPartition {
        partition_max_bytes: i32::MAX,
        ..FetchPartition::default()
    };
    let topic = FetchTopic {
        topic: TOPIC.into(),
        partitions: vec![partition],
        ..FetchTopic::default()
    };
    let request = FetchRequest {
        replica_id: -1,
        max_wait_ms,
        min_bytes: if max_wait_ms > 0 { i32::MAX } else { 1 },
        max_bytes: i32::MAX,
        topics: vec![topic],
        ..FetchRequest::default()
    };
    frame::encode_request(1, 4, 1, Some(&"t".into()), &request)
        .expect("it has a version 4")
        .concat()
}

fn send<M: Message>(stream: &mut TcpStream, key: i16, version: i16, request: &M) {
    let parts = frame::encode_request(key, version, 1, Some(&"t".into()), request).expect("a served version");
    for part in parts {
        stream.write_all(&part).expect("the broker reads");
    }
}

/// An ApiVersions request of this size, with a very long software name.
fn giant(size: usize) -> Vec<u8> {
    let mut body = header(18, 3, 1);
    body.push(0);
    let end = [2, b'1', 0];
    // The length of the name plus one, as a varint of four bytes.
    let name = size - body.len() - 4 - end.len();
    let mut rest = name + 1;
    for _ in 0..3 {
        body.push(u8::try_from(rest & 0x7f).expect("seven bits") | 0x80);
        rest >>= 7;
    }
    body.push(u8::try_from(rest).expect("seven bits"));
    body.resize(size - end.len(), b'a');
    body.extend(end);
    framed(&body)
}

/// Fails unless the anonymous memory goes down to this within some seconds.
fn settles_at(broker: &Broker, limit: u64) {
    let began = Instant::now();
    while broker.anonymous_bytes() > limit {
        assert!(
            began.elapsed() < PATIENCE,
            "{} KiB of anonymous memory instead of {} KiB",
            broker.anonymous_bytes() >> 10,
            limit >> 10
        );
        std::thread::yield_now();
    }
}
