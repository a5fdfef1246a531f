//! Walking over the batches of a segment with `pread`, for recovery, look-ups and replays. A mapping would turn a
//! bad disk into SIGBUS.

use std::io;

use bytes::Bytes;
use klamm_protocol::record::{BatchError, BatchHeader};
use thiserror::Error;

use crate::bug::Bug;
use crate::sys::{File, read_exact_at};

/// From here on the CRC of a batch counts.
const CRC_COVERS_FROM: usize = 21;

/// Why the walk ends before the end.
#[derive(Debug, Error)]
pub(crate) enum ScanError {
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The bytes are no batch, or not whole.
    #[error("at position {position}: {error}")]
    Batch { position: u64, error: BatchError },
}

/// Walks over the batches in `[position, end)` of one file.
pub(crate) struct Scanner<'a> {
    file: &'a dyn File,
    position: u64,
    end: u64,
    read_ahead: usize,
    buffer: Vec<u8>,
    buffer_at: u64,
}

impl<'a> Scanner<'a> {
    /// `read_ahead` bytes are read at a time: a few thousand to look at heads, more to look at everything.
    pub(crate) fn new(file: &'a dyn File, position: u64, end: u64, read_ahead: usize) -> Scanner<'a> {
        let read_ahead = read_ahead.max(BatchHeader::SIZE);
        Scanner {
            file,
            position,
            end,
            read_ahead,
            buffer: Vec::new(),
            buffer_at: 0,
        }
    }

    /// The head of the next batch and where it lies; then moves behind the batch. The batch lies wholly below the
    /// end; its CRC is not looked at.
    pub(crate) fn next_header(&mut self) -> Result<Option<(u64, BatchHeader)>, ScanError> {
        let at = self.position;
        if at >= self.end {
            return Ok(None);
        }
        let left = self.end - at;
        let wanted = usize::try_from(left).map_or(BatchHeader::SIZE, |left| left.min(BatchHeader::SIZE));
        let header = BatchHeader::decode(self.bytes(at, wanted)?);
        let header = header.map_err(|error| ScanError::Batch { position: at, error })?;
        if header.total_size() as u64 > left {
            let got_bytes = usize::try_from(left).unwrap_or(usize::MAX);
            let error = BatchError::Truncated {
                needed_bytes: header.total_size(),
                got_bytes,
            };
            return Err(ScanError::Batch { position: at, error });
        }
        self.position = at + header.total_size() as u64;
        Ok(Some((at, header)))
    }

    /// As [`Scanner::next_header`], and compares the CRC with the bytes.
    pub(crate) fn next_checked(&mut self) -> Result<Option<(u64, BatchHeader)>, ScanError> {
        let Some((at, header)) = self.next_header()? else {
            return Ok(None);
        };
        let end = at + header.total_size() as u64;
        let mut computed = 0;
        let mut from = at + CRC_COVERS_FROM as u64;
        while from < end {
            let wanted =
                usize::try_from(end - from).map_or(self.read_ahead, |left| left.min(self.read_ahead));
            let bytes = self.bytes(from, wanted)?;
            computed = crc32c::crc32c_append(computed, bytes);
            from += wanted as u64;
        }
        if computed != header.crc && !Bug::TornBatch.is_on() {
            let error = BatchError::Crc {
                stored: header.crc,
                computed,
            };
            return Err(ScanError::Batch { position: at, error });
        }
        Ok(Some((at, header)))
    }

    /// All bytes of a batch that was found at `at`.
    pub(crate) fn whole(&self, at: u64, header: &BatchHeader) -> io::Result<Bytes> {
        let mut bytes = vec![0; header.total_size()];
        read_exact_at(self.file, at, &mut bytes)?;
        Ok(bytes.into())
    }

    /// `len` bytes from `at` on, from the buffer; `len` is at most the read-ahead.
    fn bytes(&mut self, at: u64, len: usize) -> io::Result<&[u8]> {
        let inside = |scanner: &Self| {
            let from = usize::try_from(at.checked_sub(scanner.buffer_at)?).ok()?;
            (from + len <= scanner.buffer.len()).then_some(from)
        };
        let from = match inside(self) {
            Some(from) => from,
            None => {
                let left = usize::try_from(self.end - at).unwrap_or(usize::MAX);
                self.buffer.resize(self.read_ahead.min(left).max(len), 0);
                let read = self.file.read_at(at, &mut self.buffer)?;
                self.buffer.truncate(read);
                self.buffer_at = at;
                if read < len {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
                0
            }
        };
        Ok(&self.buffer[from..from + len])
    }
}
