//! One connection to one broker: a core that decides (`core`, `frames`) and this shell of two tasks around it.
//!
//! A connection lives until its first error; then every call on it fails, and whoever holds it makes another.

mod core;
mod frames;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use klamm_protocol::{DecodeError, EncodeError, ErrorCode, Str, Versions};
use thiserror::Error;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::{Notify, Semaphore, oneshot};
use tokio::task::AbortHandle;
use tokio::time::timeout;

pub use self::core::Served;
use self::core::{Core, Greeting};
pub use self::frames::FRAME_BYTES_MAX;
use crate::Call;

/// Requests that wait for their answers at once; further ones wait before they are sent.
const IN_FLIGHT_MAX: usize = 64;

/// Room made for what comes next from the socket.
const READ_BYTES: usize = 64 << 10;

/// Why a connection cannot be had, or is of no more use.
#[derive(Clone, Debug, Error)]
pub enum ConnectionError {
    /// Nobody listens, no route, no such name.
    #[error("cannot connect: {0}")]
    Connect(Arc<io::Error>),
    /// The socket failed.
    #[error("the connection failed: {0}")]
    Socket(Arc<io::Error>),
    /// The broker closed it.
    #[error("the broker closed the connection")]
    Closed,
    /// No answer in time. Later answers would be out of step, so the connection is given up.
    #[error("no answer to {what} within {within:?}")]
    Silent {
        /// What was asked.
        what: &'static str,
        /// How long it was waited for.
        within: Duration,
    },
    /// No version in common.
    #[error(
        "{api} is spoken here in versions {ours}, by the broker in {theirs}: it is too old, or not a Kafka broker"
    )]
    NotServed {
        /// Kafka's name of the API.
        api: &'static str,
        /// Spoken here.
        ours: Versions,
        /// Served there.
        theirs: Versions,
    },
    /// The broker refuses to say what it serves.
    #[error("the broker refuses the greeting: {code}")]
    Greeting {
        /// With this.
        code: ErrorCode,
    },
    /// An answer to another question than the oldest one.
    #[error("correlation id {got} instead of {expected}: not a Kafka broker?")]
    Correlation {
        /// Of the oldest question.
        expected: i32,
        /// Of the answer.
        got: i32,
    },
    /// An answer although nothing was asked.
    #[error("an answer with correlation id {got} that nobody asked for")]
    Unasked {
        /// Of the answer.
        got: i32,
    },
    /// A length that no answer has.
    #[error("an answer of {length_bytes} bytes is announced: not a Kafka broker?")]
    Length {
        /// What was announced.
        length_bytes: i32,
    },
    /// The answer is malformed.
    #[error("the answer cannot be read: {0}")]
    Decode(#[from] DecodeError),
    /// The version spoken cannot say what was asked.
    #[error("the request cannot be said: {0}")]
    Encode(#[from] EncodeError),
}

impl ConnectionError {
    /// Whether another connection may do better.
    pub fn retriable(&self) -> bool {
        use ConnectionError::{Closed, Connect, Silent, Socket};
        matches!(self, Connect(_) | Socket(_) | Closed | Silent { .. })
    }
}

type Answer = Result<Bytes, ConnectionError>;

/// A connection; clones share it. The socket closes when the last one goes.
#[derive(Clone, Debug)]
pub struct Connection {
    shared: Arc<Shared>,
    _tasks: Arc<Tasks>,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    to_write: Notify,
    in_flight: Semaphore,
}

#[derive(Debug)]
struct State {
    core: Core<oneshot::Sender<Answer>>,
    unwritten: VecDeque<Bytes>,
    broken: Option<ConnectionError>,
}

#[derive(Debug)]
struct Tasks([AbortHandle; 2]);

impl Drop for Tasks {
    fn drop(&mut self) {
        for task in &self.0 {
            task.abort();
        }
    }
}

impl Connection {
    /// Connects to `host:port` and asks what is served.
    ///
    /// # Errors
    /// All of [`ConnectionError`] but those of [`Connection::call`] alone; `Silent` covers the whole greeting.
    pub async fn open(
        address: &str,
        client_id: Str,
        within: Duration,
    ) -> Result<Connection, ConnectionError> {
        match timeout(within, Connection::greet(address, client_id)).await {
            Ok(result) => result,
            Err(_) => Err(ConnectionError::Silent {
                what: "the greeting",
                within,
            }),
        }
    }

    async fn greet(address: &str, client_id: Str) -> Result<Connection, ConnectionError> {
        let connect = |error| ConnectionError::Connect(Arc::new(error));
        let mut stream = TcpStream::connect(address).await.map_err(connect)?;
        // Requests are written whole: waiting for more to send would only delay them.
        stream.set_nodelay(true).map_err(connect)?;
        let mut core = Core::new(client_id);
        let mut received = BytesMut::new();
        let mut question = core.greet()?;
        loop {
            for part in &question {
                stream.write_all(part).await.map_err(socket)?;
            }
            let answer = loop {
                if let Some(frame) = frames::next_frame(&mut received)? {
                    break frame;
                }
                if stream.read_buf(&mut received).await.map_err(socket)? == 0 {
                    return Err(ConnectionError::Closed);
                }
            };
            match core.greeted(answer)? {
                Greeting::Ask(again) => question = again,
                Greeting::Done => break,
            }
        }
        let shared = Arc::new(Shared {
            state: Mutex::new(State {
                core,
                unwritten: VecDeque::new(),
                broken: None,
            }),
            to_write: Notify::new(),
            in_flight: Semaphore::new(IN_FLIGHT_MAX),
        });
        let (reader, writer) = stream.into_split();
        let reading = tokio::spawn(read(Arc::clone(&shared), reader, received));
        let writing = tokio::spawn(write(Arc::clone(&shared), writer));
        let tasks = Tasks([reading.abort_handle(), writing.abort_handle()]);
        Ok(Connection {
            shared,
            _tasks: Arc::new(tasks),
        })
    }

    /// Asks, and waits for the answer. Calls made at the same time travel together.
    ///
    /// # Errors
    /// All of [`ConnectionError`] but `Connect` and `Greeting`.
    pub async fn call<C: Call>(&self, request: &C, within: Duration) -> Result<C::Answer, ConnectionError> {
        let Ok(_permit) = self.shared.in_flight.acquire().await else {
            return Err(ConnectionError::Closed);
        };
        let (sender, receiver) = oneshot::channel();
        let version = {
            let mut state = self.shared.lock();
            if let Some(error) = &state.broken {
                return Err(error.clone());
            }
            let (version, parts) = state.core.request(request, sender)?;
            state.unwritten.extend(parts);
            version
        };
        self.shared.to_write.notify_one();
        match timeout(within, receiver).await {
            Ok(Ok(answer)) => core::decode::<C>(answer?, version),
            // Popped but never answered: what broke the connection says why.
            Ok(Err(_)) => Err(self
                .shared
                .lock()
                .broken
                .clone()
                .unwrap_or(ConnectionError::Closed)),
            Err(_) => {
                let silent = ConnectionError::Silent {
                    what: C::NAME,
                    within,
                };
                self.shared.fail(silent.clone());
                Err(silent)
            }
        }
    }

    /// What the broker serves.
    pub fn served(&self) -> Served {
        self.shared.lock().core.served().clone()
    }

    /// Whether every further call would fail.
    pub fn is_broken(&self) -> bool {
        self.shared.lock().broken.is_some()
    }
}

impl Shared {
    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells everybody who waits. The first error is the one that counts.
    fn fail(&self, error: ConnectionError) {
        let mut state = self.lock();
        for waiting in state.core.abandon() {
            // Who no longer listens needs no answer.
            let _ = waiting.send(Err(error.clone()));
        }
        state.unwritten.clear();
        state.broken.get_or_insert(error);
        drop(state);
        self.to_write.notify_one();
    }
}

fn socket(error: io::Error) -> ConnectionError {
    ConnectionError::Socket(Arc::new(error))
}

async fn write(shared: Arc<Shared>, mut writer: OwnedWriteHalf) {
    loop {
        let (parts, broken) = {
            let mut state = shared.lock();
            (std::mem::take(&mut state.unwritten), state.broken.is_some())
        };
        if broken {
            return;
        }
        for part in parts {
            if let Err(error) = writer.write_all(&part).await {
                return shared.fail(socket(error));
            }
        }
        shared.to_write.notified().await;
    }
}

async fn read(shared: Arc<Shared>, mut reader: OwnedReadHalf, mut received: BytesMut) {
    loop {
        match take_answers(&shared, &mut received) {
            Ok(()) => {}
            Err(error) => return shared.fail(error),
        }
        received.reserve(READ_BYTES);
        match reader.read_buf(&mut received).await {
            Ok(0) => return shared.fail(ConnectionError::Closed),
            Ok(_) => {}
            Err(error) => return shared.fail(socket(error)),
        }
    }
}

fn take_answers(shared: &Shared, received: &mut BytesMut) -> Result<(), ConnectionError> {
    while let Some(frame) = frames::next_frame(received)? {
        let waiting = shared.lock().core.answered(&frame)?;
        // Who no longer listens needs no answer.
        let _ = waiting.send(Ok(frame));
    }
    Ok(())
}
