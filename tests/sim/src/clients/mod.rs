//! The clients: small programs that speak the real protocol, one connection each, and tell the checker what they
//! were told. Each is an `async` function; what it waits for is time, or bytes on its connection.

pub mod admin;
pub mod auditor;
pub mod consumer;
pub mod janitor;
pub mod ledger;
pub mod member;
pub mod producer;
mod topics;

use std::collections::VecDeque;
use std::future::poll_fn;
use std::task::Poll;

use bytes::Bytes;
use klamm_protocol::{Decoder, Message, Str, frame};

use crate::network::{LinkId, LinkState, Segment};
use crate::random::Random;
use crate::world::{ActorId, Event, Shared};

/// The connection is gone, or the answer did not come in time: whether the request was carried out is unknown.
#[derive(Clone, Copy, Debug)]
pub struct Lost;

/// How long a client waits for an answer before it gives the connection up.
const PATIENCE_US: u64 = 8_000_000;

/// A request that is on its way.
#[derive(Debug)]
pub struct Asked {
    correlation_id: i32,
    key: i16,
    version: i16,
}

/// What a client program runs with.
pub struct Client {
    shared: Shared,
    actor: ActorId,
    name: Str,
    link: Option<LinkId>,
    next_correlation_id: i32,
    /// Requests without an answer yet, in the order in which answers have to come.
    waiting: VecDeque<i32>,
}

impl Client {
    /// A client that is not connected yet.
    pub fn new(shared: Shared, actor: ActorId, name: &str) -> Client {
        Client {
            shared,
            actor,
            name: name.into(),
            link: None,
            next_correlation_id: 0,
            waiting: VecDeque::new(),
        }
    }

    /// The world.
    pub fn shared(&self) -> &Shared {
        &self.shared
    }

    /// Draws from the world's chance.
    pub fn random<T>(&self, draw: impl FnOnce(&mut Random) -> T) -> T {
        draw(&mut self.shared.borrow().random)
    }

    /// Nothing is to be begun any more.
    pub fn is_calm(&self) -> bool {
        self.shared.borrow().calm
    }

    /// Writes into the trace.
    pub fn note(&self, what: std::fmt::Arguments<'_>) {
        self.shared.borrow().note(format_args!("{}: {what}", self.name));
    }

    /// Waits a random time, `low` to `high` milliseconds.
    pub async fn pause(&self, low_ms: u64, high_ms: u64) {
        let until_us = {
            let mut world = self.shared.borrow();
            let wait_us = world.random.between(low_ms * 1000, high_ms * 1000);
            world.schedule(wait_us, Event::Wake(self.actor));
            world.now_us + wait_us
        };
        poll_fn(|_| {
            if self.shared.borrow().now_us >= until_us {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        })
        .await;
    }

    /// Has a connection: the one there is, or a new one, for as long as it takes.
    pub async fn connected(&mut self) {
        loop {
            if let Some(link) = self.link {
                let state = poll_fn(|_| match self.shared.borrow().network.state(link) {
                    LinkState::Connecting => Poll::Pending,
                    state => Poll::Ready(state),
                });
                if state.await == LinkState::Open {
                    return;
                }
                self.disconnect();
                self.pause(20, 300).await;
            }
            self.link = Some(self.shared.borrow().connect(self.actor));
            self.waiting.clear();
        }
    }

    /// Gives the connection up, with all that was asked on it.
    pub fn disconnect(&mut self) {
        if let Some(link) = self.link.take() {
            self.shared.borrow().hang_up(link);
        }
        self.waiting.clear();
    }

    /// Sends a request without waiting for its answer.
    pub async fn send<M: Message>(&mut self, version: i16, body: &M) -> Asked {
        self.connected().await;
        let key = M::SCHEMA.key.expect("what is sent is a request");
        let correlation_id = self.next_correlation_id;
        self.next_correlation_id += 1;
        let parts = frame::encode_request(key, version, correlation_id, Some(&self.name), body)
            .expect("what a client says can be said in the version that it chose");
        let link = self.link.expect("just connected");
        let mut world = self.shared.borrow();
        world.send_to_server(link, Segment::Bytes(parts.concat().into()));
        self.waiting.push_back(correlation_id);
        Asked {
            correlation_id,
            key,
            version,
        }
    }

    /// Says that a request has no answer: acks=0.
    pub fn expect_no_answer(&mut self, asked: &Asked) {
        self.waiting.retain(|waiting| *waiting != asked.correlation_id);
    }

    /// Waits for the answer to the oldest request; answers come in the order of their requests.
    pub async fn receive<M: Message>(&mut self, asked: &Asked) -> Result<M, Lost> {
        let Asked {
            correlation_id,
            key,
            version,
        } = *asked;
        if self.waiting.front() != Some(&correlation_id) {
            return Err(Lost);
        }
        let Some(frame) = self.frame().await else {
            self.disconnect();
            return Err(Lost);
        };
        self.waiting.pop_front();
        let mut input = Decoder::new(frame);
        let answered = frame::decode_response_header::<M>(&mut input, key, version);
        let body = M::decode(&mut input, version);
        match (answered, body) {
            (Ok(answered), Ok(body)) if answered == correlation_id && input.remaining() == 0 => Ok(body),
            (answered, body) => {
                let broken = format!(
                    "{}: request {correlation_id} (key {key} version {version}) was answered with correlation id \
                     {answered:?}, {} bytes left, {body:?}",
                    self.name,
                    input.remaining(),
                    body = body.map(|_| "a sound body"),
                );
                self.shared.borrow().checker.fail(broken);
                Err(Lost)
            }
        }
    }

    /// Asks and waits.
    pub async fn call<Q: Message, A: Message>(&mut self, version: i16, body: &Q) -> Result<A, Lost> {
        let asked = self.send(version, body).await;
        self.receive(&asked).await
    }

    async fn frame(&mut self) -> Option<Bytes> {
        let link = self.link?;
        let deadline_us = {
            let mut world = self.shared.borrow();
            world.schedule(PATIENCE_US, Event::Wake(self.actor));
            world.now_us + PATIENCE_US
        };
        poll_fn(|_| {
            let mut world = self.shared.borrow();
            if let Some(frame) = world.network.take_frame(link) {
                return Poll::Ready(Some(frame));
            }
            if world.network.state(link) == LinkState::Closed || world.now_us >= deadline_us {
                return Poll::Ready(None);
            }
            Poll::Pending
        })
        .await
    }
}
