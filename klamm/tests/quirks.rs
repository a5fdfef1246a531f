//! What the protocol does in its own way in a few places, seen from a bare connection. Each was asked of Kafka 4.4.

mod running;

use std::io::Write;
use std::net::TcpStream;

use klamm_protocol::messages::api_versions::{ApiVersionsRequest, ApiVersionsResponse};
use klamm_protocol::messages::metadata::{MetadataRequest, MetadataResponse};
use klamm_protocol::messages::sasl_handshake::{SaslHandshakeRequest, SaslHandshakeResponse};
use klamm_protocol::{Decoder, ErrorCode, Message, Str, frame};
use running::{Broker, framed, header, is_closed, read_frame};

/// Sends a request, and gives what follows the length of its answer.
fn ask<M: Message>(stream: &mut TcpStream, version: i16, request: &M) -> Decoder {
    let key = M::SCHEMA.key.expect("a request has a key");
    let client_id = Str::from("quirks");
    let frame =
        frame::encode_request(key, version, 7, Some(&client_id), request).expect("it fits its version");
    stream.write_all(&frame.concat()).expect("the broker reads");
    Decoder::new(read_frame(stream).expect("an answer").into())
}

fn answer<M: Message>(mut frame: Decoder, version: i16) -> M {
    let key = M::SCHEMA.key.expect("a response has a key");
    let id = frame::decode_response_header::<M>(&mut frame, key, version).expect("a header");
    assert_eq!(id, 7);
    let answer = M::decode(&mut frame, version).expect("an answer in the version asked for");
    assert_eq!(frame.remaining(), 0);
    answer
}

fn introduction() -> ApiVersionsRequest {
    ApiVersionsRequest {
        client_software_name: "quirky-client".into(),
        client_software_version: "2.0.2".into(),
        ..Default::default()
    }
}

#[test]
fn api_versions_is_answered_with_header_0_in_every_version() {
    let broker = Broker::start(&[]);
    let mut stream = broker.connect();
    for version in 0..=5 {
        let request = if version < 3 {
            ApiVersionsRequest::default()
        } else {
            introduction()
        };
        let mut frame = ask(&mut stream, version, &request);
        assert_eq!(frame.i32(), Ok(7));
        // No tagged fields of a header: the body begins here.
        let body = ApiVersionsResponse::decode(&mut frame, version).expect("the body");
        assert_eq!(body.error_code, ErrorCode::NONE);
        assert_eq!(frame.remaining(), 0, "version {version}");
    }
}

#[test]
fn api_versions_of_the_future_is_answered_in_version_0_with_error_35_and_the_range_of_key_18() {
    let broker = Broker::start(&[]);
    let mut stream = broker.connect();
    for version in [6, 99, i16::MAX, -1] {
        let of_the_future = [header(18, version, 7), vec![0xff; 40]].concat();
        stream
            .write_all(&framed(&of_the_future))
            .expect("the broker reads");
        let expected = [0, 0, 0, 7, 0, 35, 0, 0, 0, 1, 0, 18, 0, 0, 0, 5];
        assert_eq!(
            read_frame(&mut stream).as_deref(),
            Some(&expected[..]),
            "version {version}"
        );
    }
    // The connection goes on.
    let known = answer::<ApiVersionsResponse>(ask(&mut stream, 5, &introduction()), 5);
    assert_eq!(known.error_code, ErrorCode::NONE);
}

#[test]
fn api_versions_5_sends_a_client_that_looks_for_another_cluster_or_node_back_to_its_bootstrap_servers() {
    let broker = Broker::start(&["node.id=3"]);
    let mut stream = broker.connect();
    let metadata = answer::<MetadataResponse>(ask(&mut stream, 12, &MetadataRequest::default()), 12);
    let cluster = metadata.cluster_id.expect("a cluster has an id");
    let other = Str::from("AAAAAAAAAAAAAAAAAAAAAA");
    for (cluster_id, node_id, expected) in [
        (None, -1, ErrorCode::NONE),
        (Some(cluster.clone()), 3, ErrorCode::NONE),
        (Some(cluster.clone()), 4, ErrorCode::REBOOTSTRAP_REQUIRED),
        (Some(other), 3, ErrorCode::REBOOTSTRAP_REQUIRED),
        (Some(cluster), -1, ErrorCode::INVALID_REQUEST),
        (None, 3, ErrorCode::INVALID_REQUEST),
    ] {
        let request = ApiVersionsRequest {
            cluster_id,
            node_id,
            ..introduction()
        };
        let answer = answer::<ApiVersionsResponse>(ask(&mut stream, 5, &request), 5);
        assert_eq!(answer.error_code, expected, "{request:?}");
    }
}

#[test]
fn a_sasl_handshake_is_refused_where_no_listener_uses_sasl_and_bare_tokens_are_no_request() {
    let broker = Broker::start(&[]);
    for version in [0, 1] {
        let mut stream = broker.connect();
        let request = SaslHandshakeRequest {
            mechanism: "PLAIN".into(),
        };
        let answer = answer::<SaslHandshakeResponse>(ask(&mut stream, version, &request), version);
        assert_eq!(answer.error_code, ErrorCode::ILLEGAL_SASL_STATE);
        assert_eq!(answer.mechanisms, Vec::<Str>::new());
        stream
            .write_all(&framed(b"\0user\0password"))
            .expect("the broker reads");
        assert!(is_closed(&mut stream));
    }
    broker.serves();
}

#[test]
fn a_request_that_is_not_served_closes_its_connection_with_one_line_that_says_whose_it_was() {
    let mut broker = Broker::start(&[]);
    let mut stream = broker.connect();
    let peer = stream.local_addr().expect("it is connected");
    ask(&mut stream, 5, &introduction());
    stream
        .write_all(&framed(&header(3, 99, 8)))
        .expect("the broker reads");
    assert!(is_closed(&mut stream));
    let line = broker.next_line_with("closed a connection");
    let expected = format!(
        "closed a connection from {peer}: Metadata version 99, API key 3 is not served, versions 0 to 13 are, \
         client id \"t\", quirky-client 2.0.2"
    );
    assert!(line.ends_with(&expected), "{line}");
    // The same again is counted, and not told again so soon; another API is.
    for (key, version) in [(3, 99), (3, -1), (3, 14), (4, 0)] {
        let mut stream = broker.connect();
        stream
            .write_all(&framed(&header(key, version, 8)))
            .expect("the broker reads");
        assert!(is_closed(&mut stream));
    }
    let line = broker.next_line_with("closed a connection");
    assert!(
        line.contains("LeaderAndIsr version 0, API key 4 is not served, client id"),
        "{line}"
    );
    broker.terminate();
    let line = broker.next_line_with("requests that are not served");
    assert!(
        line.ends_with("requests that are not served: Metadata 4, LeaderAndIsr 1"),
        "{line}"
    );
    assert_eq!(broker.ended(), Some(0));
}
