//! The shell against a broker of a few lines on a socket of its own.

use std::time::Duration;

use klamm_protocol::messages::list_groups::{ListGroupsRequest, ListGroupsResponse, ListedGroup};
use klamm_protocol::{ErrorCode, frame};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::core::greeting_answer;
use super::{Connection, ConnectionError};

const PATIENCE: Duration = Duration::from_secs(30);

/// Listens, and runs `broker` on the first connection once it is greeted.
async fn connected<F>(broker: impl FnOnce(TcpStream) -> F + Send + 'static) -> Connection
where
    F: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        read_request(&mut stream).await;
        let answer = greeting_answer(ErrorCode::NONE, 4, 0, &[(16, 0, 5)]);
        stream
            .write_i32(i32::try_from(answer.len()).unwrap())
            .await
            .unwrap();
        stream.write_all(&answer).await.unwrap();
        broker(stream).await;
    });
    Connection::open(&address, "t".into(), PATIENCE).await.unwrap()
}

async fn read_request(stream: &mut TcpStream) {
    let length = stream.read_i32().await.unwrap();
    stream
        .read_exact(&mut vec![0; usize::try_from(length).unwrap()])
        .await
        .unwrap();
}

async fn answer_groups(stream: &mut TcpStream, correlation_id: i32, group: &'static str) {
    let group = ListedGroup {
        group_id: group.into(),
        ..Default::default()
    };
    let body = ListGroupsResponse {
        groups: vec![group],
        ..Default::default()
    };
    let frame = frame::encode_response(16, 5, correlation_id, &body)
        .unwrap()
        .concat();
    stream.write_all(&frame).await.unwrap();
}

#[tokio::test]
async fn calls_made_at_once_travel_together_and_each_gets_its_own_answer() {
    let connection = connected(|mut stream| async move {
        // No answer before both were asked: a client that waits in between would hang.
        read_request(&mut stream).await;
        read_request(&mut stream).await;
        answer_groups(&mut stream, 1, "first").await;
        answer_groups(&mut stream, 2, "second").await;
    })
    .await;
    let request = ListGroupsRequest::default();
    let (first, second) = tokio::join!(
        connection.call(&request, PATIENCE),
        connection.call(&request, PATIENCE)
    );
    assert_eq!(&*first.unwrap().groups[0].group_id, "first");
    assert_eq!(&*second.unwrap().groups[0].group_id, "second");
}

#[tokio::test]
async fn who_waits_when_the_broker_closes_is_told_and_so_is_every_later_call() {
    let connection = connected(|mut stream| async move { read_request(&mut stream).await }).await;
    for _ in 0..2 {
        let error = connection
            .call(&ListGroupsRequest::default(), PATIENCE)
            .await
            .unwrap_err();
        assert!(
            matches!(error, ConnectionError::Closed | ConnectionError::Socket(_)),
            "{error}"
        );
        assert!(error.retriable() && connection.is_broken());
    }
}

#[tokio::test]
async fn a_broker_that_does_not_answer_in_time_costs_the_connection() {
    let connection = connected(|mut stream| async move {
        read_request(&mut stream).await;
        stream.read_u8().await.unwrap_err();
    })
    .await;
    let within = Duration::from_millis(20);
    let error = connection
        .call(&ListGroupsRequest::default(), within)
        .await
        .unwrap_err();
    assert!(
        matches!(
            error,
            ConnectionError::Silent {
                what: "ListGroups",
                ..
            }
        ),
        "{error}"
    );
    assert!(connection.is_broken());
}

#[tokio::test]
async fn an_answer_to_another_question_costs_the_connection() {
    let connection = connected(|mut stream| async move {
        read_request(&mut stream).await;
        answer_groups(&mut stream, 7, "").await;
        stream.read_u8().await.unwrap_err();
    })
    .await;
    let error = connection
        .call(&ListGroupsRequest::default(), PATIENCE)
        .await
        .unwrap_err();
    assert!(
        matches!(
            error,
            ConnectionError::Closed | ConnectionError::Correlation { .. }
        ),
        "{error}"
    );
    assert!(connection.is_broken());
}
