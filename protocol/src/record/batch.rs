//! One record batch: a head that the broker rewrites and a body that it never touches.

use bytes::{Bytes, BytesMut};
use thiserror::Error;

use super::header::{ATTRIBUTES_AT, BatchHeader, LOG_OVERHEAD, MAGIC_V2};
use super::reader::{RecordIter, RecordsError};

/// Why bytes are not a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum BatchError {
    /// The bytes end before the batch does. At the end of a Fetch answer that is ordinary.
    #[error("a batch needs {needed_bytes} bytes, {got_bytes} are there")]
    Truncated {
        /// Bytes of the whole batch, or of its head where the head itself is cut.
        needed_bytes: usize,
        /// Bytes there are.
        got_bytes: usize,
    },
    /// Another format than 2.
    #[error("magic {magic} instead of 2")]
    Magic {
        /// What stands there; 0 and 1 are the formats of before 2017.
        magic: i8,
    },
    /// A batch length that does not cover the head.
    #[error("batch length {batch_length} is less than a head")]
    Length {
        /// What stands there.
        batch_length: i32,
    },
    /// The bytes are not those that were written.
    #[error("CRC {computed:08x} instead of {stored:08x}")]
    Crc {
        /// What the head says.
        stored: u32,
        /// What the bytes give.
        computed: u32,
    },
}

/// A batch of format 2, its CRC checked.
///
/// It is held in two parts, so that assigning offsets costs 61 bytes and the body stays the very bytes that
/// came in: `parts()` goes to the log and to consumers without a copy.
#[derive(Clone, Debug)]
pub struct Batch {
    header: BatchHeader,
    head: Bytes,
    body: Bytes,
}

impl Batch {
    /// Reads the batch at the front of `bytes`; what is behind it is left alone, see [`Batch::size`].
    ///
    /// Checked are length, magic and CRC: that it is a batch. Whether a client may send it is
    /// [`Batch::validate_produced`].
    ///
    /// # Errors
    /// All of [`BatchError`].
    pub fn parse(bytes: Bytes) -> Result<Batch, BatchError> {
        let header = BatchHeader::decode(&bytes)?;
        let size = header.total_size();
        if size > bytes.len() {
            return Err(BatchError::Truncated {
                needed_bytes: size,
                got_bytes: bytes.len(),
            });
        }
        let computed = crc32c::crc32c(&bytes[ATTRIBUTES_AT..size]);
        if computed != header.crc {
            return Err(BatchError::Crc {
                stored: header.crc,
                computed,
            });
        }
        let head = bytes.slice(..BatchHeader::SIZE);
        let body = bytes.slice(BatchHeader::SIZE..size);
        Ok(Batch { header, head, body })
    }

    /// Puts a batch together: length and CRC of `header` are computed here.
    ///
    /// # Panics
    /// If the body is longer than a batch length can say (2 GiB).
    pub(super) fn assemble(mut header: BatchHeader, body: Bytes) -> Batch {
        let length = BatchHeader::SIZE - LOG_OVERHEAD + body.len();
        header.batch_length = i32::try_from(length).expect("a batch is shorter than 2 GiB");
        header.magic = MAGIC_V2;
        let mut batch = Batch {
            header,
            head: Bytes::new(),
            body,
        };
        batch.rewrite_head_and_crc();
        batch
    }

    /// The head as it is now.
    pub fn header(&self) -> &BatchHeader {
        &self.header
    }

    /// The bytes: head and body, in this order.
    pub fn parts(&self) -> [Bytes; 2] {
        [self.head.clone(), self.body.clone()]
    }

    /// The records as they lie there, compressed or not.
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    /// Bytes of head and body.
    pub fn size(&self) -> usize {
        self.head.len() + self.body.len()
    }

    /// Head and body in one piece: a copy.
    pub fn to_bytes(&self) -> Bytes {
        let mut whole = BytesMut::with_capacity(self.size());
        whole.extend_from_slice(&self.head);
        whole.extend_from_slice(&self.body);
        whole.freeze()
    }

    /// The same batch in memory of its own. A small batch that stays must not keep the large frame it came in.
    pub fn detached(&self) -> Batch {
        let whole = self.to_bytes();
        Batch {
            header: self.header,
            head: whole.slice(..BatchHeader::SIZE),
            body: whole.slice(BatchHeader::SIZE..),
        }
    }

    /// Gives the batch its place in the log. Both fields lie outside the CRC.
    pub fn assign(&mut self, base_offset: i64, leader_epoch: i32) {
        self.header.base_offset = base_offset;
        self.header.leader_epoch = leader_epoch;
        self.rewrite_head();
    }

    /// Makes `now_ms` the timestamp of every record, for a topic with `message.timestamp.type=LogAppendTime`.
    pub fn set_log_append_time(&mut self, now_ms: i64) {
        self.header.attributes.set_log_append_time(true);
        self.header.max_timestamp_ms = now_ms;
        self.rewrite_head_and_crc();
    }

    /// Corrects a max timestamp that the records do not have.
    pub(super) fn set_max_timestamp(&mut self, max_timestamp_ms: i64) {
        if self.header.max_timestamp_ms != max_timestamp_ms {
            self.header.max_timestamp_ms = max_timestamp_ms;
            self.rewrite_head_and_crc();
        }
    }

    /// The records, inflated as they are asked for and to no more than `limit_bytes` in all; the headers of one
    /// record may take as much memory again.
    ///
    /// Offsets and timestamps are absolute. After an error the iterator ends.
    ///
    /// # Errors
    /// [`RecordsError::UnknownCodec`], or a codec that cannot even start.
    pub fn records(&self, limit_bytes: usize) -> Result<RecordIter, RecordsError> {
        RecordIter::new(&self.header, self.body.clone(), limit_bytes)
    }

    fn rewrite_head(&mut self) {
        self.head = Bytes::copy_from_slice(&self.header.encode());
    }

    fn rewrite_head_and_crc(&mut self) {
        let head = self.header.encode();
        self.header.crc = crc32c::crc32c_append(crc32c::crc32c(&head[ATTRIBUTES_AT..]), &self.body);
        self.rewrite_head();
    }
}

impl PartialEq for Batch {
    fn eq(&self, other: &Batch) -> bool {
        self.head == other.head && self.body == other.body
    }
}

impl Eq for Batch {}

/// The batches that lie one after the other in `bytes`, as in a log segment or a Fetch answer.
///
/// The last one may be cut short: the iterator then ends with [`BatchError::Truncated`]. It ends after any error.
pub struct Batches {
    rest: Bytes,
}

impl Batches {
    /// Walks over `bytes`.
    pub fn new(bytes: Bytes) -> Batches {
        Batches { rest: bytes }
    }
}

impl Iterator for Batches {
    type Item = Result<Batch, BatchError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let batch = Batch::parse(self.rest.clone());
        match &batch {
            Ok(batch) => drop(self.rest.split_to(batch.size())),
            Err(_) => self.rest.clear(),
        }
        Some(batch)
    }
}
