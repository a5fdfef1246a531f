//! The order of one connection's requests and answers. No socket, no clock: the server and the simulator both
//! drive it with frames and answers, and ask what may begin and what may leave.
//!
//! Kafka handles one request of a connection at a time. Here a Produce may begin while only Produces are before
//! it; anything else begins once every answer before it has left. Answers leave in the order of the requests.

use std::collections::VecDeque;

use bytes::Bytes;

use crate::router::Outbound;

/// Most requests of one connection that are neither answered nor refused; then it is not read.
pub const WAITING_MAX: usize = 64;

/// The API key of Produce.
const PRODUCE: [u8; 2] = [0, 0];

/// Requests of one connection, from the arrival of their frames to the leaving of their answers.
#[derive(Debug, Default)]
pub struct Connection {
    /// Sequence of the front of `slots`.
    first: u64,
    slots: VecDeque<Slot>,
    /// How many slots from the front have begun.
    begun: usize,
}

#[derive(Debug)]
struct Slot {
    is_produce: bool,
    state: State,
}

#[derive(Debug)]
enum State {
    /// Not begun: the frame.
    Waiting(Bytes),
    /// Handed to the core.
    Begun,
    /// `None`: there is nothing to send (acks=0).
    Answered(Option<Outbound>),
}

impl Connection {
    /// How many further frames may be read.
    pub fn room(&self) -> usize {
        WAITING_MAX.saturating_sub(self.slots.len())
    }

    /// Bytes of requests that may not begin yet.
    pub fn waiting_bytes(&self) -> usize {
        let frames = self.slots.range(self.begun..).map(|slot| match &slot.state {
            State::Waiting(frame) => frame.len(),
            _ => 0,
        });
        frames.sum()
    }

    /// Whether a request has begun that no other may overlap: what is read now has to wait for its answer.
    pub fn is_blocked(&self) -> bool {
        self.slots.range(..self.begun).any(|slot| !slot.is_produce)
    }

    /// Whether a request has begun and its answer has not left.
    pub fn has_begun(&self) -> bool {
        self.begun > 0
    }

    /// Whether the next request that has not begun is a Produce.
    pub fn next_is_produce(&self) -> bool {
        self.slots.get(self.begun).is_some_and(|slot| slot.is_produce)
    }

    /// Whether nothing waits, neither a request nor an answer.
    pub fn is_idle(&self) -> bool {
        self.slots.is_empty()
    }

    /// Takes a frame (without its length).
    pub fn receive(&mut self, frame: Bytes) {
        let is_produce = frame.starts_with(&PRODUCE);
        self.slots.push_back(Slot {
            is_produce,
            state: State::Waiting(frame),
        });
    }

    /// The next request that may begin, with its sequence.
    pub fn begin(&mut self) -> Option<(u64, Bytes)> {
        let next = self.begun;
        let is_produce = self.slots.get(next)?.is_produce;
        let overlaps = is_produce && self.slots.range(..next).all(|slot| slot.is_produce);
        if next > 0 && !overlaps {
            return None;
        }
        self.begun += 1;
        match std::mem::replace(&mut self.slots[next].state, State::Begun) {
            State::Waiting(frame) => Some((self.first + next as u64, frame)),
            // Invariant: what lies behind `begun` waits.
            _ => unreachable!("a request begins once"),
        }
    }

    /// Takes the answer of a request; `None` when it has none. An answer that nobody waits for is dropped.
    pub fn answer(&mut self, sequence: u64, answer: Option<Outbound>) {
        let slot = sequence
            .checked_sub(self.first)
            .and_then(|at| self.slots.get_mut(usize::try_from(at).ok()?));
        if let Some(slot) = slot
            && matches!(slot.state, State::Begun)
        {
            slot.state = State::Answered(answer);
        }
    }

    /// The next request whose turn to be answered has come and that is: its sequence, and what to send.
    /// Once it is taken, the requests behind it may begin.
    pub fn leave(&mut self) -> Option<(u64, Option<Outbound>)> {
        if !matches!(self.slots.front()?.state, State::Answered(_)) {
            return None;
        }
        let slot = self.slots.pop_front()?;
        self.begun -= 1;
        self.first += 1;
        match slot.state {
            State::Answered(answer) => Some((self.first - 1, answer)),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::router::Response;
    use klamm_protocol::messages::api_versions::ApiVersionsResponse;

    fn frame(key: u16) -> Bytes {
        Bytes::copy_from_slice(&key.to_be_bytes())
    }

    fn outbound(correlation_id: i32) -> Option<Outbound> {
        let response = Response::ApiVersions(ApiVersionsResponse::default());
        Some(Outbound {
            version: 0,
            correlation_id,
            response,
        })
    }

    fn begin_all(connection: &mut Connection) -> Vec<u64> {
        std::iter::from_fn(|| connection.begin())
            .map(|(sequence, _)| sequence)
            .collect()
    }

    fn leave_all(connection: &mut Connection) -> Vec<u64> {
        std::iter::from_fn(|| connection.leave())
            .map(|(sequence, _)| sequence)
            .collect()
    }

    #[test]
    fn produces_overlap_and_everything_else_waits_its_turn() {
        let mut connection = Connection::default();
        for key in [0, 0, 1, 0, 0] {
            connection.receive(frame(key));
        }
        assert_eq!(begin_all(&mut connection), [0, 1]);
        connection.answer(0, outbound(0));
        assert_eq!(leave_all(&mut connection), [0]);
        assert_eq!(
            begin_all(&mut connection),
            [] as [u64; 0],
            "request 1 is not answered"
        );
        connection.answer(1, None);
        assert_eq!(leave_all(&mut connection), [1]);
        assert_eq!(
            begin_all(&mut connection),
            [2],
            "a Produce does not overtake a Fetch"
        );
        connection.answer(2, outbound(2));
        assert_eq!(
            begin_all(&mut connection),
            [] as [u64; 0],
            "the answer has not left yet"
        );
        assert_eq!(leave_all(&mut connection), [2]);
        assert_eq!(begin_all(&mut connection), [3, 4]);
    }

    #[test]
    fn answers_leave_in_the_order_of_the_requests() {
        let mut connection = Connection::default();
        for _ in 0..3 {
            connection.receive(frame(0));
        }
        begin_all(&mut connection);
        connection.answer(2, outbound(2));
        connection.answer(1, outbound(1));
        assert_eq!(leave_all(&mut connection), [] as [u64; 0]);
        connection.answer(0, outbound(0));
        assert_eq!(leave_all(&mut connection), [0, 1, 2]);
        assert!(connection.is_idle());
    }

    #[test]
    fn a_connection_with_64_waiting_requests_is_not_read() {
        let mut connection = Connection::default();
        for _ in 0..WAITING_MAX {
            assert!(connection.room() > 0);
            connection.receive(frame(3));
        }
        assert_eq!(connection.room(), 0);
        assert_eq!(begin_all(&mut connection), [0]);
        connection.answer(0, None);
        assert_eq!(connection.room(), 0);
        assert_eq!(leave_all(&mut connection), [0]);
        assert!(connection.room() > 0);
    }

    #[test]
    fn an_answer_that_nobody_waits_for_is_dropped() {
        let mut connection = Connection::default();
        connection.receive(frame(3));
        connection.answer(0, outbound(0));
        connection.answer(7, outbound(7));
        assert_eq!(
            leave_all(&mut connection),
            [] as [u64; 0],
            "request 0 has not begun"
        );
        begin_all(&mut connection);
        connection.answer(0, outbound(0));
        connection.answer(0, outbound(1));
        assert_eq!(
            connection
                .leave()
                .map(|(_, answer)| answer.unwrap().correlation_id),
            Some(0)
        );
        connection.answer(0, outbound(0));
        assert!(connection.is_idle());
    }
}
