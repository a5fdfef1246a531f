//! Writing batches: what coordinators, the metadata log, the client and the conversion of old formats use.

use bytes::Bytes;

use super::batch::Batch;
use super::header::{
    Attributes, BatchHeader, MAGIC_V2, NO_LEADER_EPOCH, NO_PRODUCER_EPOCH, NO_PRODUCER_ID, NO_SEQUENCE,
    NO_TIMESTAMP,
};
use super::varint::{put_varint, put_varlong, varlong_len};
use super::{Compression, Record};
use crate::Str;

/// A header of a record, on its way into a batch: key and nullable value.
pub type HeaderRef<'a> = (&'a str, Option<&'a [u8]>);

/// Builds one batch, record by record.
///
/// ```
/// use klamm_protocol::record::{BatchBuilder, Compression};
/// let mut batch = BatchBuilder::new(Compression::Zstd);
/// batch.append(1_700_000_000_000, Some(b"key"), Some(b"value"));
/// let batch = batch.finish();
/// assert_eq!(batch.header().record_count, 1);
/// ```
pub struct BatchBuilder {
    header: BatchHeader,
    /// Records, not compressed yet.
    body: Vec<u8>,
    /// Where the next record is put together before its length is known.
    record: Vec<u8>,
}

impl BatchBuilder {
    /// An empty batch at offset 0, written by no idempotent producer.
    pub fn new(compression: Compression) -> BatchBuilder {
        let mut attributes = Attributes::default();
        attributes.set_compression(compression);
        BatchBuilder {
            header: BatchHeader {
                base_offset: 0,
                batch_length: 0,
                leader_epoch: NO_LEADER_EPOCH,
                magic: MAGIC_V2,
                crc: 0,
                attributes,
                last_offset_delta: -1,
                base_timestamp_ms: NO_TIMESTAMP,
                max_timestamp_ms: NO_TIMESTAMP,
                producer_id: NO_PRODUCER_ID,
                producer_epoch: NO_PRODUCER_EPOCH,
                base_sequence: NO_SEQUENCE,
                record_count: 0,
            },
            body: Vec::new(),
            record: Vec::new(),
        }
    }

    /// Makes it the batch of an idempotent producer.
    pub fn producer(&mut self, producer_id: i64, producer_epoch: i16, base_sequence: i32) -> &mut Self {
        self.header.producer_id = producer_id;
        self.header.producer_epoch = producer_epoch;
        self.header.base_sequence = base_sequence;
        self
    }

    /// Makes it part of its producer's transaction.
    pub fn transactional(&mut self) -> &mut Self {
        self.header.attributes.set_transactional(true);
        self
    }

    /// Makes it a batch that clients never see; see [`super::control`].
    pub fn control(&mut self) -> &mut Self {
        self.header.attributes.set_control(true);
        self
    }

    /// Fixes from when on tombstones and markers may go (KIP-534). Before the first record only: the
    /// horizon stands where the base timestamp stands otherwise.
    pub fn delete_horizon(&mut self, horizon_ms: i64) -> &mut Self {
        assert_eq!(
            self.header.record_count, 0,
            "the delete horizon is what timestamps are relative to"
        );
        self.header.attributes.set_delete_horizon(true);
        self.header.base_timestamp_ms = horizon_ms;
        self
    }

    /// Puts the batch at a place in the log; the broker's `assign` may still move it.
    pub fn at(&mut self, base_offset: i64, leader_epoch: i32) -> &mut Self {
        self.header.base_offset = base_offset;
        self.header.leader_epoch = leader_epoch;
        self
    }

    /// Adds a record without headers at the next offset.
    pub fn append(&mut self, timestamp_ms: i64, key: Option<&[u8]>, value: Option<&[u8]>) -> &mut Self {
        self.append_at(self.header.last_offset_delta + 1, timestamp_ms, key, value, &[])
    }

    /// Adds a record with headers at the next offset.
    pub fn append_with_headers(
        &mut self,
        timestamp_ms: i64,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: &[HeaderRef<'_>],
    ) -> &mut Self {
        self.append_at(
            self.header.last_offset_delta + 1,
            timestamp_ms,
            key,
            value,
            headers,
        )
    }

    /// Adds a record as it was read, at the offset delta that it had: what compaction does.
    pub fn append_record(&mut self, record: &Record) -> &mut Self {
        let headers: Vec<HeaderRef<'_>> = record
            .headers
            .iter()
            .map(|(key, value): &(Str, _)| (&**key, value.as_deref()))
            .collect();
        let (key, value) = (record.key.as_deref(), record.value.as_deref());
        self.append_at(record.offset_delta, record.timestamp_ms, key, value, &headers)
    }

    /// Adds a record at an offset delta of its own.
    ///
    /// # Panics
    /// If the offset does not grow.
    pub fn append_at(
        &mut self,
        offset_delta: i32,
        timestamp_ms: i64,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: &[HeaderRef<'_>],
    ) -> &mut Self {
        assert!(
            offset_delta > self.header.last_offset_delta,
            "offsets grow within a batch"
        );
        if self.header.record_count == 0 && !self.header.attributes.has_delete_horizon() {
            self.header.base_timestamp_ms = timestamp_ms;
        }
        self.record.clear();
        self.record.push(0);
        put_varlong(
            &mut self.record,
            timestamp_ms.wrapping_sub(self.header.base_timestamp_ms),
        );
        put_varint(&mut self.record, offset_delta);
        put_nullable(&mut self.record, key);
        put_nullable(&mut self.record, value);
        put_length(&mut self.record, headers.len());
        for (key, value) in headers {
            put_nullable(&mut self.record, Some(key.as_bytes()));
            put_nullable(&mut self.record, *value);
        }
        put_length(&mut self.body, self.record.len());
        self.body.extend_from_slice(&self.record);
        self.header.last_offset_delta = offset_delta;
        self.header.max_timestamp_ms = self.header.max_timestamp_ms.max(timestamp_ms);
        self.header.record_count += 1;
        self
    }

    /// Lets the batch span offsets up to `delta` although its last records are gone (compaction).
    pub fn last_offset_delta(&mut self, delta: i32) -> &mut Self {
        assert!(
            delta >= self.header.last_offset_delta,
            "the span covers every record"
        );
        self.header.last_offset_delta = delta;
        self
    }

    /// Records so far.
    pub fn len(&self) -> usize {
        usize::try_from(self.header.record_count).expect("records are counted from 0")
    }

    /// No record yet.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes of the batch so far, as if it were not compressed.
    pub fn size(&self) -> usize {
        BatchHeader::SIZE + self.body.len()
    }

    /// Bytes that a record adds to [`BatchBuilder::size`], give or take the few of its numbers.
    pub fn record_size(key: Option<&[u8]>, value: Option<&[u8]>) -> usize {
        let field = |field: Option<&[u8]>| {
            let len = field.map_or(0, <[u8]>::len);
            len + varlong_len(i64::try_from(len).unwrap_or(i64::MAX))
        };
        // Length, attributes, two deltas and the header count take 21 bytes at most.
        21 + field(key) + field(value)
    }

    /// Compresses the records and closes the batch.
    ///
    /// # Panics
    /// If the batch would not be shorter than 2 GiB, the longest that the format can say. Writers bound
    /// their batches far below, by [`BatchBuilder::size`].
    pub fn finish(self) -> Batch {
        let codec = self
            .header
            .compression()
            .expect("the builder was given a codec that exists");
        let body = match codec {
            Compression::None => self.body,
            codec => codec.compress(&self.body),
        };
        Batch::assemble(self.header, Bytes::from(body))
    }
}

fn put_nullable(out: &mut Vec<u8>, field: Option<&[u8]>) {
    match field {
        None => put_varint(out, -1),
        Some(field) => {
            put_length(out, field.len());
            out.extend_from_slice(field);
        }
    }
}

fn put_length(out: &mut Vec<u8>, length: usize) {
    put_varint(
        out,
        i32::try_from(length).expect("a field of a record is shorter than 2 GiB"),
    );
}
