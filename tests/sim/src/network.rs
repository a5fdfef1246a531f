//! The network: connections that deliver in order, after a while, in pieces, and that break.
//!
//! A connection that breaks loses what is still on its way to the broker, or delivers it and loses the answer: a
//! client never knows which. What a broker had sent before it died still arrives.

use std::collections::BTreeMap;
use std::fmt;
use std::hash::{DefaultHasher, Hasher};

use bytes::{Bytes, BytesMut};

use crate::world::{ActorId, Event, World};

/// A connection, never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LinkId(pub u64);

/// What arrives at one end.
#[derive(Clone)]
pub enum Segment {
    /// The connection is there.
    Open,
    /// Some bytes.
    Bytes(Bytes),
    /// The other end is gone; there was nobody, if nothing came before.
    Close,
}

impl fmt::Debug for Segment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Segment::Open => f.write_str("open"),
            // Short, and yet no other bytes give the same trace.
            Segment::Bytes(bytes) => {
                let mut hasher = DefaultHasher::new();
                hasher.write(bytes);
                write!(f, "{} bytes {:016x}", bytes.len(), hasher.finish())
            }
            Segment::Close => f.write_str("close"),
        }
    }
}

/// How a connection looks from the client's end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkState {
    /// No answer yet.
    Connecting,
    /// Bytes may flow.
    Open,
    /// It is over.
    Closed,
}

struct Link {
    actor: ActorId,
    state: LinkState,
    received: BytesMut,
    /// When the last segment of each direction arrives: nothing overtakes it.
    server_at_us: u64,
    client_at_us: u64,
}

/// All connections that a client has not given up.
#[derive(Default)]
pub struct Network {
    links: BTreeMap<LinkId, Link>,
    next: u64,
    /// Added to every delay while the network is bad.
    pub slow_us: u64,
}

impl Network {
    /// Every connection that a client still holds.
    pub fn links(&self) -> Vec<LinkId> {
        self.links.keys().copied().collect()
    }

    /// Whose connection this is, unless it was given up.
    pub fn owner(&self, link: LinkId) -> Option<ActorId> {
        self.links.get(&link).map(|link| link.actor)
    }

    /// The client's end.
    pub fn state(&self, link: LinkId) -> LinkState {
        self.links.get(&link).map_or(LinkState::Closed, |link| link.state)
    }

    /// Takes the next whole frame that the client received, without its length.
    pub fn take_frame(&mut self, link: LinkId) -> Option<Bytes> {
        let received = &mut self.links.get_mut(&link)?.received;
        let length = u32::from_be_bytes(*received.first_chunk()?) as usize;
        if received.len() < 4 + length {
            return None;
        }
        Some(received.split_to(4 + length).freeze().slice(4..))
    }

    /// Something reached the client's end.
    pub fn arrive(&mut self, link: LinkId, segment: Segment) -> Option<ActorId> {
        let link = self.links.get_mut(&link)?;
        match segment {
            Segment::Open => link.state = LinkState::Open,
            Segment::Bytes(bytes) => link.received.extend_from_slice(&bytes),
            Segment::Close => link.state = LinkState::Closed,
        }
        Some(link.actor)
    }
}

impl World {
    fn delay_us(&mut self) -> u64 {
        // Mostly a tenth of a millisecond, at times a hundred times as long.
        let base = if self.random.chance(3) { 10_000 } else { 300 };
        self.network.slow_us + self.random.between(20, base)
    }

    /// A client connects.
    pub fn connect(&mut self, actor: ActorId) -> LinkId {
        let id = LinkId(self.network.next);
        self.network.next += 1;
        let link = Link {
            actor,
            state: LinkState::Connecting,
            received: BytesMut::new(),
            server_at_us: 0,
            client_at_us: 0,
        };
        self.network.links.insert(id, link);
        self.send_to_server(id, Segment::Open);
        id
    }

    /// A client closes its end and forgets the connection.
    pub fn hang_up(&mut self, link: LinkId) {
        self.send_to_server(link, Segment::Close);
        self.network.links.remove(&link);
    }

    /// The network breaks a connection: both ends learn it, each in its own time.
    pub fn cut(&mut self, link: LinkId) {
        self.send_to_server(link, Segment::Close);
        self.send_to_client(link, Segment::Close);
    }

    /// Bytes of a client, whole or in pieces.
    pub fn send_to_server(&mut self, link: LinkId, segment: Segment) {
        for piece in self.pieces(segment) {
            let mut at_us = self.now_us + self.delay_us();
            if let Some(link) = self.network.links.get_mut(&link) {
                at_us = at_us.max(link.server_at_us);
                link.server_at_us = at_us;
            }
            self.schedule_at(at_us, Event::ToServer(link, piece));
        }
    }

    /// Bytes of the broker, whole or in pieces.
    pub fn send_to_client(&mut self, link: LinkId, segment: Segment) {
        for piece in self.pieces(segment) {
            let mut at_us = self.now_us + self.delay_us();
            let Some(ends) = self.network.links.get_mut(&link) else {
                return;
            };
            at_us = at_us.max(ends.client_at_us);
            ends.client_at_us = at_us;
            self.schedule_at(at_us, Event::ToClient(link, piece));
        }
    }

    fn pieces(&mut self, segment: Segment) -> Vec<Segment> {
        let Segment::Bytes(mut bytes) = segment else {
            return vec![segment];
        };
        let mut pieces = Vec::new();
        while bytes.len() > 1 && pieces.len() < 4 && self.random.chance(15) {
            let at = 1 + self.random.below(bytes.len() - 1);
            pieces.push(Segment::Bytes(bytes.split_to(at)));
        }
        pieces.push(Segment::Bytes(bytes));
        pieces
    }
}
