//! Answers on their way out: parts of several answers leave in one vectored write.

use std::collections::VecDeque;
use std::io::{self, IoSlice};

use bytes::{Buf, Bytes};
use tokio::net::TcpStream;

/// Parts that one write takes.
const PARTS: usize = 64;

/// Bytes that are not yet in the socket.
#[derive(Default)]
pub(super) struct AnswerWriter {
    parts: VecDeque<Bytes>,
    bytes: usize,
}

impl AnswerWriter {
    /// Adds an answer.
    pub(super) fn push(&mut self, answer: Vec<Bytes>) {
        for part in answer.into_iter().filter(|part| !part.is_empty()) {
            self.bytes += part.len();
            self.parts.push_back(part);
        }
    }

    /// Bytes that wait.
    pub(super) fn waiting(&self) -> usize {
        self.bytes
    }

    /// Writes once; gives the number of bytes that the socket took, 0 when it takes none for now.
    ///
    /// # Errors
    /// The connection is broken.
    pub(super) fn write(&mut self, stream: &TcpStream) -> io::Result<usize> {
        if self.parts.is_empty() {
            return Ok(0);
        }
        let mut slices = [IoSlice::new(&[]); PARTS];
        let mut count = 0;
        for (slice, part) in slices.iter_mut().zip(&self.parts) {
            *slice = IoSlice::new(part);
            count += 1;
        }
        match stream.try_write_vectored(&slices[..count]) {
            Ok(written) => {
                self.advance(written);
                Ok(written)
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(0),
            Err(error) => Err(error),
        }
    }

    fn advance(&mut self, mut written: usize) {
        self.bytes -= written;
        while let Some(part) = self.parts.front_mut() {
            if written < part.len() {
                part.advance(written);
                return;
            }
            written -= part.len();
            self.parts.pop_front();
        }
        // An idle connection holds no memory for answers.
        self.parts = VecDeque::new();
    }
}
