//! Frames from a socket: four bytes of length, then a request. Nothing is allocated for what has not arrived.
//!
//! Small frames are read together into one buffer of the thread and copied out, each into memory of its own, so
//! that no request pins its neighbours and an idle connection has no buffer at all. Larger ones grow with what
//! arrives.

use std::cell::RefCell;
use std::io;
use std::sync::Arc;

use bytes::{BufMut, Bytes, BytesMut};
use tokio::net::TcpStream;
use tokio::sync::Notify;

use super::memory::{Charge, LARGE, LARGE_HEAD, Memory, Place, SMALL};

/// Bytes read at a time while it is not known how long the frame is.
const SCRATCH: usize = 64 << 10;

/// Room for a frame that has begun, before it is seen how fast it comes.
const BEGUN_MIN: usize = 1 << 10;

/// Fewest bytes of the budget that are worth a read.
const CHARGE_MIN: usize = 1 << 10;

/// Most bytes of a large frame that are read before other work of the connection is looked at.
const CHUNK: usize = 256 << 10;

thread_local! {
    static BUFFER: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// A whole frame, without its length, and what it holds of the budget.
pub(super) struct Received {
    pub(super) frame: Bytes,
    pub(super) charge: Charge,
}

/// What it takes to read on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wants {
    /// The socket may have more: come again.
    Again,
    /// The socket has nothing more for now.
    Readable,
    /// The connection has to have room for further requests.
    Room,
    /// Bytes of the budget, or the large slot. The waker given at the start is notified.
    Memory,
}

/// Why there will be no further frame.
#[derive(Debug, thiserror::Error)]
pub(super) enum ReadError {
    #[error("the client closed the connection")]
    Closed,
    #[error("the client closed the connection in the middle of a request")]
    Truncated,
    #[error("the first bytes announce a request of {0} bytes{hint}", hint = hint(*.0))]
    Length(i32),
    #[error("a request of {size} bytes is larger than socket.request.max.bytes ({limit}){hint}", hint = hint(*.size))]
    TooLarge { size: i32, limit: usize },
    #[error("{0}")]
    Io(#[from] io::Error),
}

/// What the "length" of something that is no Kafka request probably was.
fn hint(length: i32) -> &'static str {
    match length.to_be_bytes() {
        [0x16, 0x03, ..] => ": this looks like TLS, and the listener is plaintext",
        [b'G', b'E', b'T', b' '] | [b'P', b'O', b'S', b'T'] | [b'H', b'E', b'A', b'D'] => {
            ": this looks like HTTP"
        }
        _ => "",
    }
}

/// Reads the frames of one connection.
pub(super) struct FrameReader {
    memory: Arc<Memory>,
    wake: Arc<Notify>,
    limit: usize,
    /// Bytes that were read and not yet looked at, with what they hold of the budget.
    stash: Option<(Vec<u8>, Charge)>,
    partial: Option<Partial>,
    place: Option<Place>,
}

struct Partial {
    size: usize,
    bytes: BytesMut,
    charge: Charge,
}

impl FrameReader {
    /// `limit` is the largest frame; `wake` is notified when memory that was wanted is there.
    pub(super) fn new(memory: Arc<Memory>, limit: usize, wake: Arc<Notify>) -> FrameReader {
        FrameReader {
            memory,
            wake,
            limit,
            stash: None,
            partial: None,
            place: None,
        }
    }

    /// Whether a frame has begun and is not whole.
    pub(super) fn is_amid_frame(&self) -> bool {
        self.partial.is_some() || self.stash.is_some()
    }

    /// Bytes of the frame that has begun.
    pub(super) fn arrived(&self) -> usize {
        self.partial.as_ref().map_or(0, |partial| partial.bytes.len())
    }

    /// Whether the frame that has begun is more than a small one.
    pub(super) fn is_amid_large(&self) -> bool {
        self.partial.as_ref().is_some_and(|partial| partial.size > SMALL)
    }

    /// Whether others wait for what the frame that has begun holds: the large slot, or its part of the budget.
    pub(super) fn delays_others(&self) -> bool {
        self.partial
            .as_ref()
            .is_some_and(|partial| match partial.charge.slot() {
                Some(slot) => slot.is_wanted(),
                None => partial.charge.bytes() > SMALL && self.memory.is_short(),
            })
    }

    /// Reads once, and adds up to `room` whole frames to `frames`.
    ///
    /// # Errors
    /// Nothing more can come: the connection is to be closed, at once or (when it was closed in good order)
    /// after what waits is answered.
    pub(super) fn advance(
        &mut self,
        stream: &TcpStream,
        room: usize,
        frames: &mut Vec<Received>,
    ) -> Result<Wants, ReadError> {
        if room == 0 {
            return Ok(Wants::Room);
        }
        if self.partial.is_some() {
            return self.advance_partial(stream, frames);
        }
        match self.stash.take() {
            // Fewer than four bytes are the beginning of a length and take a read to go on.
            Some((bytes, charge)) if bytes.len() >= 4 => {
                self.take_frames(&bytes, charge, room, frames)?;
                Ok(Wants::Again)
            }
            stash => self.advance_scratch(stream, stash, room, frames),
        }
    }

    fn advance_scratch(
        &mut self,
        stream: &TcpStream,
        stash: Option<(Vec<u8>, Charge)>,
        room: usize,
        frames: &mut Vec<Received>,
    ) -> Result<Wants, ReadError> {
        let Some(mut charge) = self.memory.charge(SCRATCH, CHARGE_MIN, true, &self.wake) else {
            self.stash = stash;
            return Ok(Wants::Memory);
        };
        BUFFER.with_borrow_mut(|buffer| {
            buffer.resize(SCRATCH, 0);
            let kept = stash.as_ref().map_or(0, |(bytes, _)| bytes.len());
            if let Some((bytes, _)) = &stash {
                buffer[..kept].copy_from_slice(bytes);
            }
            let end = SCRATCH.min(kept + charge.bytes());
            let read = match stream.try_read(&mut buffer[kept..end]) {
                Ok(0) if kept == 0 => return Err(ReadError::Closed),
                Ok(0) => return Err(ReadError::Truncated),
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.stash = stash;
                    return Ok(Wants::Readable);
                }
                Err(error) => return Err(error.into()),
            };
            charge.shrink(read);
            if let Some((_, kept)) = stash {
                charge.add(kept);
            }
            self.take_frames(&buffer[..kept + read], charge, room, frames)?;
            // A read that filled less than the buffer has emptied the socket, most likely.
            Ok(if kept + read < end {
                Wants::Readable
            } else {
                Wants::Again
            })
        })
    }

    /// Cuts frames out of bytes that were read; what is over waits in the stash or becomes the partial frame.
    fn take_frames(
        &mut self,
        mut bytes: &[u8],
        mut charge: Charge,
        room: usize,
        frames: &mut Vec<Received>,
    ) -> Result<(), ReadError> {
        let most = frames.len() + room;
        while let Some((length, rest)) = bytes.split_first_chunk::<4>() {
            if frames.len() == most {
                break;
            }
            let size = self.check(i32::from_be_bytes(*length))?;
            if rest.len() < size {
                let mut begun = BytesMut::with_capacity(size.min(BEGUN_MIN.max(2 * rest.len())));
                begun.put_slice(rest);
                self.partial = Some(Partial {
                    size,
                    bytes: begun,
                    charge,
                });
                return Ok(());
            }
            let (frame, rest) = rest.split_at(size);
            frames.push(Received {
                frame: Bytes::copy_from_slice(frame),
                charge: charge.split(size + 4),
            });
            bytes = rest;
        }
        if !bytes.is_empty() {
            self.stash = Some((bytes.to_vec(), charge));
        }
        Ok(())
    }

    fn check(&self, length: i32) -> Result<usize, ReadError> {
        let size = usize::try_from(length).map_err(|_| ReadError::Length(length))?;
        if size > self.limit {
            return Err(ReadError::TooLarge {
                size: length,
                limit: self.limit,
            });
        }
        Ok(size)
    }

    fn advance_partial(
        &mut self,
        stream: &TcpStream,
        frames: &mut Vec<Received>,
    ) -> Result<Wants, ReadError> {
        let Some(partial) = &mut self.partial else {
            return Ok(Wants::Again);
        };
        let arrived = partial.bytes.len();
        let mut chunk = (partial.size - arrived).min(CHUNK);
        if partial.charge.slot().is_none() {
            let needs_slot = partial.size > LARGE && arrived >= LARGE_HEAD;
            let charge = if needs_slot {
                None
            } else {
                let small = partial.size <= SMALL;
                self.memory
                    .charge(chunk, CHARGE_MIN.min(chunk), small, &self.wake)
            };
            match charge {
                Some(charge) => {
                    chunk = charge.bytes();
                    partial.charge.add(charge);
                }
                None => {
                    let (memory, wake) = (&self.memory, &self.wake);
                    let place = self.place.get_or_insert_with(|| memory.queue(wake));
                    if !place.is_slot() {
                        return Ok(Wants::Memory);
                    }
                }
            }
            // Whoever has the slot, or no longer needs it, leaves the queue.
            if let Some(place) = self.place.take()
                && place.is_slot()
            {
                partial.charge.use_slot(place);
            }
        }
        if partial.bytes.capacity() - arrived < chunk {
            let wanted = partial.size.min((2 * arrived).max(arrived + chunk));
            partial.bytes.reserve(wanted - arrived);
        }
        let read = stream.try_read_buf(&mut (&mut partial.bytes).limit(chunk));
        partial.charge.shrink(partial.bytes.len() + 4);
        match read {
            Ok(0) => Err(ReadError::Truncated),
            Ok(_) if partial.bytes.len() < partial.size => Ok(Wants::Again),
            Ok(_) => {
                if let Some(Partial { bytes, charge, .. }) = self.partial.take() {
                    frames.push(Received {
                        frame: bytes.freeze(),
                        charge,
                    });
                }
                Ok(Wants::Again)
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(Wants::Readable),
            Err(error) => Err(error.into()),
        }
    }
}
