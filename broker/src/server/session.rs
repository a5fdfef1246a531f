//! One connection: a task that reads frames, hands requests to the core in their order, and writes answers.
//!
//! All of it is one loop over what is possible without waiting; when nothing is, it sleeps until the socket,
//! an answer, memory or a deadline calls. A task holds no buffer while its connection is idle.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use klamm_protocol::Str;
use tokio::io::Interest;
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep};

use super::answers::AnswerWriter;
use super::closing::{Ending, Peer};
use super::driver::{Driver, Mailbox};
use super::frames::{FrameReader, ReadError, Wants};
use super::memory::Charge;
use crate::api::api_versions::is_software_name;
use crate::connection::Connection;
use crate::router::{self, Inbound, Outbound, Request};
use crate::{ConnectionId, ConnectionInfo, Event, RequestId};

/// A frame that has begun has to go on within this time.
const FRAME_PROGRESS: Duration = Duration::from_secs(30);

/// An answer has to be taken, bit by bit, within this time each.
const ANSWER_PROGRESS: Duration = Duration::from_secs(60);

/// Slowest pace of a frame while others wait for the memory or the slot it holds, and the time before it counts.
const LARGE_PACE_PER_SECOND: f64 = 65536.0;
const LARGE_GRACE: Duration = Duration::from_secs(1);

/// Bytes of requests that are read while an earlier one has to be answered first.
const READ_AHEAD: usize = 64 << 10;

/// Answers are gathered up to this many bytes before they are written; behind it, requests wait.
const GATHER: usize = 64 << 10;

/// How often the loop turns before other tasks of its thread have their turn.
const TURNS: usize = 64;

pub(super) struct Session {
    driver: Arc<Driver>,
    id: ConnectionId,
    stream: TcpStream,
    mailbox: Arc<Mailbox>,
    order: Connection,
    reader: FrameReader,
    writer: AnswerWriter,
    /// What each request that has not been answered holds of the memory, in order.
    charges: VecDeque<Charge>,
    max_idle: Option<Duration>,
    /// Name and version of the client's library, once it has told them.
    software: Option<Box<str>>,
    /// Set once no further request is taken: what is under way is answered first.
    ending: Option<Ending>,
    last_activity: Instant,
    /// When the frame that has begun went on last, or when `ending` was set.
    frame_progress: Instant,
    answer_progress: Instant,
    /// Since when others wait for what the frame that has begun holds, and how much had arrived by then.
    pace: Option<(Instant, usize)>,
}

/// So much of the name and version of a client's library is kept, each.
const SOFTWARE_MAX: usize = 64;

/// What an ApiVersions says of the client's library, for the log.
fn software(inbound: &Inbound) -> Option<Box<str>> {
    let Request::ApiVersions(request) = &inbound.request else {
        return None;
    };
    let told = |word: &Str| is_software_name(word).then(|| word[..word.len().min(SOFTWARE_MAX)].to_owned());
    let name = told(&request.client_software_name)?;
    let version = told(&request.client_software_version)?;
    Some(format!("{name} {version}").into())
}

/// Serves a connection until it ends, and tells the core of both.
pub(super) async fn serve(driver: Arc<Driver>, stream: TcpStream, info: ConnectionInfo) {
    let peer: SocketAddr = info.peer;
    let (id, mailbox) = driver.connect(info);
    let mut session = Session::new(Arc::clone(&driver), id, stream, mailbox);
    // Also when the task is dropped, or panics on what it read, the core hears of the end.
    let _goodbye = Goodbye {
        driver: Arc::clone(&driver),
        id,
    };
    let ending = session.run().await;
    let peer = Peer {
        address: peer,
        software: session.software.as_deref(),
    };
    driver.endings.note(&peer, &ending);
}

struct Goodbye {
    driver: Arc<Driver>,
    id: ConnectionId,
}

impl Drop for Goodbye {
    fn drop(&mut self) {
        self.driver.disconnect(self.id);
    }
}

impl Session {
    fn new(driver: Arc<Driver>, id: ConnectionId, stream: TcpStream, mailbox: Arc<Mailbox>) -> Session {
        let now = Instant::now();
        let memory = Arc::clone(&driver.memory);
        let reader = FrameReader::new(
            memory,
            driver.network.request_max_bytes,
            Arc::clone(&mailbox.wake),
        );
        Session {
            max_idle: driver.network.connections_max_idle_ms.map(Duration::from_millis),
            driver,
            id,
            stream,
            mailbox,
            order: Connection::default(),
            reader,
            writer: AnswerWriter::default(),
            charges: VecDeque::new(),
            software: None,
            ending: None,
            last_activity: now,
            frame_progress: now,
            answer_progress: now,
            pace: None,
        }
    }

    async fn run(&mut self) -> Ending {
        let first_deadline = Instant::now() + self.max_idle.unwrap_or(FRAME_PROGRESS);
        let mut sleep = std::pin::pin!(tokio::time::sleep_until(first_deadline));
        loop {
            let mut wants = Wants::Again;
            let mut turns = 0;
            while wants == Wants::Again && turns < TURNS {
                wants = match self.turn() {
                    Ok(wants) => wants,
                    Err(ending) => return ending,
                };
                turns += 1;
            }
            if wants == Wants::Again {
                tokio::task::yield_now().await;
                continue;
            }
            if let Err(ending) = self.wait(wants, sleep.as_mut()).await {
                return ending;
            }
        }
    }

    /// Does what is possible at once.
    fn turn(&mut self) -> Result<Wants, Ending> {
        let mut progress = self.take_answers()?;
        progress |= self.begin_requests();
        if self.writer.waiting() > 0 {
            let written = self.writer.write(&self.stream).map_err(Ending::Send)?;
            if written > 0 {
                progress = true;
                self.answer_progress = Instant::now();
                self.last_activity = self.answer_progress;
            }
        }
        if self.ending.is_some() {
            if self.writer.waiting() == 0 && self.is_done() {
                return Err(self.ending.take().unwrap_or(Ending::Shutdown));
            }
            return Ok(if progress { Wants::Again } else { Wants::Room });
        }
        if progress { Ok(Wants::Again) } else { self.read() }
    }

    /// No further request is taken.
    fn end(&mut self, ending: Ending) {
        self.ending = Some(ending);
        self.frame_progress = Instant::now();
    }

    /// Whether all that has to be answered before the end is.
    fn is_done(&self) -> bool {
        match self.ending {
            // The client sends nothing more and waits for its answers.
            Some(Ending::Read(ReadError::Closed)) => self.order.is_idle(),
            _ => !self.order.has_begun(),
        }
    }

    /// Moves answers from the core to the socket's queue.
    fn take_answers(&mut self) -> Result<bool, Ending> {
        let (answers, closing) = self.mailbox.take();
        let mut progress = !answers.is_empty();
        for (sequence, answer) in answers {
            self.order.answer(sequence, answer);
        }
        while self.writer.waiting() < GATHER {
            let Some((_, answer)) = self.order.leave() else {
                break;
            };
            progress = true;
            self.charges.pop_front();
            if let Some(outbound) = answer {
                self.send(&outbound)?;
            }
        }
        match closing.map(Ending::from) {
            Some(Ending::Shutdown) if self.ending.is_none() => self.end(Ending::Shutdown),
            Some(Ending::Shutdown) | None => {}
            Some(ending) => return Err(ending),
        }
        Ok(progress)
    }

    fn send(&mut self, outbound: &Outbound) -> Result<(), Ending> {
        if self.writer.waiting() == 0 {
            self.answer_progress = Instant::now();
        }
        match router::encode(outbound) {
            Ok(parts) => self.writer.push(parts),
            Err(error) => {
                tracing::error!("an answer could not be encoded: {error}");
                return Err(Ending::Unencodable);
            }
        }
        Ok(())
    }

    /// Hands requests to the core whose turn has come.
    fn begin_requests(&mut self) -> bool {
        let mut progress = false;
        while matches!(self.ending, None | Some(Ending::Read(ReadError::Closed))) && !self.waits_for_lane() {
            let Some((sequence, frame)) = self.order.begin() else {
                break;
            };
            progress = true;
            match router::decode(frame) {
                Ok(inbound) => {
                    self.software = software(&inbound).or_else(|| self.software.take());
                    let request = RequestId {
                        connection: self.id,
                        sequence,
                    };
                    self.driver.bring(Event::Request(request, inbound));
                }
                Err(refusal) => {
                    self.order.answer(sequence, None);
                    self.end(Ending::Refused(Box::new(refusal)));
                }
            }
        }
        progress
    }

    /// Whether the next request has to wait because a log directory has more to write than it should.
    fn waits_for_lane(&self) -> bool {
        self.order.next_is_produce() && self.driver.must_wait_for_lanes(&self.mailbox.wake)
    }

    /// Whether enough waits for an answer that may take its time (a Fetch): who pipelines behind it must not
    /// hold much of the memory for so long.
    fn has_read_ahead(&self) -> bool {
        self.order.is_blocked() && (self.order.waiting_bytes() >= READ_AHEAD || self.reader.is_amid_large())
    }

    fn read(&mut self) -> Result<Wants, Ending> {
        // A client that does not take its answers, or whose data cannot be written, is not asked for more.
        if self.writer.waiting() >= GATHER || self.waits_for_lane() || self.has_read_ahead() {
            return Ok(Wants::Room);
        }
        let arrived = self.reader.arrived();
        let mut frames = Vec::new();
        let wants = match self.reader.advance(&self.stream, self.order.room(), &mut frames) {
            Ok(wants) => wants,
            Err(ReadError::Closed) => {
                self.end(ReadError::Closed.into());
                return Ok(Wants::Again);
            }
            Err(error) => return Err(error.into()),
        };
        if !frames.is_empty() {
            self.last_activity = Instant::now();
        }
        if !frames.is_empty() || self.reader.arrived() != arrived || wants == Wants::Memory {
            self.frame_progress = Instant::now();
        }
        let received = !frames.is_empty();
        for received in frames {
            self.charges.push_back(received.charge);
            self.order.receive(received.frame);
        }
        Ok(if received { Wants::Again } else { wants })
    }

    async fn wait(&mut self, wants: Wants, mut sleep: Pin<&mut Sleep>) -> Result<(), Ending> {
        let now = Instant::now();
        self.check_pace(wants, now)?;
        let deadline = self.deadline(wants, now);
        // A deadline that moved away is looked at again when the earlier one has passed.
        if deadline < sleep.deadline() || sleep.is_elapsed() {
            sleep.as_mut().reset(deadline);
        }
        let interest = match (wants == Wants::Readable, self.writer.waiting() > 0) {
            (true, true) => Some(Interest::READABLE | Interest::WRITABLE),
            (true, false) => Some(Interest::READABLE),
            (false, true) => Some(Interest::WRITABLE),
            (false, false) => None,
        };
        let wake = &self.mailbox.wake;
        let stream = &self.stream;
        tokio::select! {
            biased;
            () = wake.notified() => Ok(()),
            ready = async { match interest {
                Some(interest) => stream.ready(interest).await.map(|_| ()),
                None => std::future::pending().await,
            }} => ready.map_err(Ending::Send),
            () = sleep => self.check_deadlines(wants, Instant::now()),
        }
    }

    /// The next moment at which something may have to be given up.
    fn deadline(&self, wants: Wants, now: Instant) -> Instant {
        let far = now + Duration::from_secs(3600);
        let mut deadline = far;
        if self.writer.waiting() > 0 {
            deadline = deadline.min(self.answer_progress + ANSWER_PROGRESS);
        }
        if self.ending.is_some() {
            deadline = deadline.min(self.frame_progress + FRAME_PROGRESS);
        } else if self.reader.is_amid_frame() && wants == Wants::Readable {
            deadline = deadline.min(self.frame_progress + FRAME_PROGRESS);
            if self.pace.is_some() {
                deadline = deadline.min(now + LARGE_GRACE / 4);
            } else if self.reader.is_amid_large() {
                deadline = deadline.min(now + LARGE_GRACE);
            }
        } else if let Some(max_idle) = self.max_idle.filter(|_| self.is_idle()) {
            deadline = deadline.min(self.last_activity + max_idle);
        }
        deadline
    }

    fn is_idle(&self) -> bool {
        self.order.is_idle() && self.writer.waiting() == 0 && !self.reader.is_amid_frame()
    }

    fn check_deadlines(&mut self, wants: Wants, now: Instant) -> Result<(), Ending> {
        let is_late = now >= self.frame_progress + FRAME_PROGRESS;
        // Nobody may be there any more to take the answers.
        if let Some(ending) = self.ending.take_if(|_| is_late) {
            return Err(ending);
        }
        if self.writer.waiting() > 0 && now >= self.answer_progress + ANSWER_PROGRESS {
            return Err(Ending::SlowReader);
        }
        let stalls = self.reader.is_amid_frame() && wants == Wants::Readable;
        if stalls && is_late {
            return Err(Ending::HalfFrame);
        }
        if self.is_idle()
            && self
                .max_idle
                .is_some_and(|max_idle| now >= self.last_activity + max_idle)
        {
            return Err(Ending::Idle);
        }
        Ok(())
    }

    /// Whoever holds what others wait for has to be quick. Who is not being read cannot be, and is not judged.
    fn check_pace(&mut self, wants: Wants, now: Instant) -> Result<(), Ending> {
        if wants != Wants::Readable || !self.reader.delays_others() {
            self.pace = None;
            return Ok(());
        }
        let arrived = self.reader.arrived();
        let (since, before) = *self.pace.get_or_insert((now, arrived));
        let late = now.duration_since(since).saturating_sub(LARGE_GRACE);
        if ((arrived - before) as f64) < late.as_secs_f64() * LARGE_PACE_PER_SECOND {
            return Err(Ending::SlowSender);
        }
        Ok(())
    }
}
