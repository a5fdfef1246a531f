//! What a producer may send (Kafka: `LogValidator`). Every failure has a name; the broker gives it a code.

use thiserror::Error;

use super::header::NO_TIMESTAMP;
use super::reader::{RecordFields, RecordSlices};
use super::{Batch, BatchError, Batches, Compression, INFLATE_LIMIT_BYTES, RecordsError};

/// What depends on the request and on the topic.
#[derive(Clone, Copy, Debug)]
pub struct ProducedRules {
    /// The request is of a version whose clients know zstd: Produce 7 (KIP-110).
    pub zstd_allowed: bool,
    /// Look at every record of a compressed batch too. Plain batches are always walked.
    pub walk_compressed: bool,
    /// The topic is compacted: a record without a key has no place in it.
    pub key_required: bool,
    /// The most that a batch may inflate to.
    pub inflate_limit_bytes: usize,
}

impl Default for ProducedRules {
    fn default() -> ProducedRules {
        ProducedRules {
            zstd_allowed: true,
            walk_compressed: false,
            key_required: false,
            inflate_limit_bytes: INFLATE_LIMIT_BYTES,
        }
    }
}

/// How far timestamps may lie from the broker's clock (KIP-937).
#[derive(Clone, Copy, Debug)]
pub struct TimestampBounds {
    /// The broker's clock.
    pub now_ms: i64,
    /// `message.timestamp.before.max.ms`.
    pub before_max_ms: i64,
    /// `message.timestamp.after.max.ms`.
    pub after_max_ms: i64,
}

/// Why what a producer sent is refused. Kafka's code for each stands in brackets.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ProducedError {
    /// Not a batch, or not the bytes that were sent (CORRUPT_MESSAGE).
    #[error(transparent)]
    Batch(#[from] BatchError),
    /// The records data is empty (INVALID_RECORD).
    #[error("no batch at all")]
    Empty,
    /// More than one batch for a partition (INVALID_RECORD).
    #[error("{left_bytes} bytes follow the one batch that a partition may carry")]
    MoreThanOne {
        /// Bytes behind the first batch.
        left_bytes: usize,
    },
    /// Offsets are the broker's: a client counts from 0 (INVALID_RECORD).
    #[error("base offset {base_offset} instead of 0")]
    BaseOffset {
        /// The head's base offset.
        base_offset: i64,
    },
    /// Control records are the broker's (INVALID_RECORD).
    #[error("a client may not write control records")]
    Control,
    /// A record count below 1, or one that does not fit the offsets (INVALID_RECORD).
    #[error("{record_count} records do not fit a last offset delta of {last_offset_delta}")]
    Count {
        /// The head's record count.
        record_count: i32,
        /// The head's last offset delta.
        last_offset_delta: i32,
    },
    /// Producer id, epoch and sequence do not go together (INVALID_RECORD).
    #[error("producer id {producer_id} with epoch {producer_epoch} and sequence {base_sequence}")]
    Producer {
        /// The head's producer id.
        producer_id: i64,
        /// The head's producer epoch.
        producer_epoch: i16,
        /// The head's base sequence.
        base_sequence: i32,
    },
    /// A delete horizon is what only compaction sets (INVALID_RECORD).
    #[error("a client may not set a delete horizon")]
    DeleteHorizon,
    /// A codec id without meaning, or zstd from a client too old for it (UNSUPPORTED_COMPRESSION_TYPE).
    #[error("codec {id} may not be used")]
    Codec {
        /// The head's codec id.
        id: u8,
    },
    /// Log append time is the broker's to set (INVALID_TIMESTAMP).
    #[error("a client may not set log append time")]
    LogAppendTime,
    /// A timestamp too far from the broker's clock (INVALID_TIMESTAMP).
    #[error("timestamp {timestamp_ms} is out of bounds at {now_ms}")]
    Timestamp {
        /// The timestamp.
        timestamp_ms: i64,
        /// The broker's clock.
        now_ms: i64,
    },
    /// The records cannot be read (INVALID_RECORD).
    #[error(transparent)]
    Records(#[from] RecordsError),
    /// Offsets inside a batch count from 0 without a gap (INVALID_RECORD).
    #[error("record {index} has offset delta {offset_delta}")]
    OffsetDelta {
        /// Which record of the batch.
        index: i32,
        /// What it says.
        offset_delta: i32,
    },
    /// A record without a key for a compacted topic (INVALID_RECORD).
    #[error("record {index} has no key, the topic is compacted")]
    NoKey {
        /// Which record of the batch.
        index: i32,
    },
}

impl Batch {
    /// Reads what a partition of a Produce request carries: one batch and nothing else.
    ///
    /// # Errors
    /// [`ProducedError::Batch`], [`ProducedError::Empty`], [`ProducedError::MoreThanOne`].
    pub fn parse_produced(bytes: bytes::Bytes) -> Result<Batch, ProducedError> {
        let size = bytes.len();
        let batch = Batches::new(bytes).next().ok_or(ProducedError::Empty)??;
        match size - batch.size() {
            0 => Ok(batch),
            left_bytes => Err(ProducedError::MoreThanOne { left_bytes }),
        }
    }

    /// Checks what a producer sent: the head always, the records if they are plain or the rules ask for it, or if
    /// the max timestamp cannot be (sarama up to 1.38 leaves it out). A max timestamp that walked records do not
    /// have is corrected, as Kafka does.
    ///
    /// # Errors
    /// All of [`ProducedError`] but those of [`Batch::parse_produced`] and [`Batch::check_timestamps`].
    pub fn validate_produced(&mut self, rules: &ProducedRules) -> Result<(), ProducedError> {
        let codec = self.validate_head(rules)?;
        let no_max_timestamp = self.header().max_timestamp_ms < self.header().base_timestamp_ms;
        if codec == Compression::None || rules.walk_compressed || rules.key_required || no_max_timestamp {
            let max_timestamp_ms = self.walk(rules)?;
            self.set_max_timestamp(max_timestamp_ms);
        }
        Ok(())
    }

    /// Checks the timestamps of the head against the broker's clock. Not for topics with log append time.
    ///
    /// # Errors
    /// [`ProducedError::Timestamp`].
    pub fn check_timestamps(&self, bounds: &TimestampBounds) -> Result<(), ProducedError> {
        let TimestampBounds {
            now_ms,
            before_max_ms,
            after_max_ms,
        } = *bounds;
        for timestamp_ms in [self.header().base_timestamp_ms, self.header().max_timestamp_ms] {
            if timestamp_ms != NO_TIMESTAMP
                && (now_ms.saturating_sub(timestamp_ms) > before_max_ms
                    || timestamp_ms.saturating_sub(now_ms) > after_max_ms)
            {
                return Err(ProducedError::Timestamp { timestamp_ms, now_ms });
            }
        }
        Ok(())
    }

    fn validate_head(&self, rules: &ProducedRules) -> Result<Compression, ProducedError> {
        let header = self.header();
        let attributes = header.attributes;
        let codec = attributes
            .compression()
            .filter(|&codec| codec != Compression::Zstd || rules.zstd_allowed)
            .ok_or(ProducedError::Codec {
                id: attributes.codec_id(),
            })?;
        if header.base_offset != 0 {
            return Err(ProducedError::BaseOffset {
                base_offset: header.base_offset,
            });
        }
        if attributes.is_control() {
            return Err(ProducedError::Control);
        }
        if attributes.is_log_append_time() {
            return Err(ProducedError::LogAppendTime);
        }
        if attributes.has_delete_horizon() {
            return Err(ProducedError::DeleteHorizon);
        }
        let (record_count, last_offset_delta) = (header.record_count, header.last_offset_delta);
        if record_count < 1 || last_offset_delta != record_count - 1 {
            return Err(ProducedError::Count {
                record_count,
                last_offset_delta,
            });
        }
        let idempotent = header.has_producer_id();
        let numbered = header.base_sequence >= 0 && header.producer_epoch >= 0;
        if idempotent && !numbered || !idempotent && attributes.is_transactional() {
            return Err(ProducedError::Producer {
                producer_id: header.producer_id,
                producer_epoch: header.producer_epoch,
                base_sequence: header.base_sequence,
            });
        }
        Ok(codec)
    }

    /// Looks at every record and gives the largest timestamp.
    fn walk(&self, rules: &ProducedRules) -> Result<i64, ProducedError> {
        let base_timestamp_ms = self.header().base_timestamp_ms;
        let mut max_timestamp_ms = NO_TIMESTAMP;
        let mut records = RecordSlices::new(self.header(), self.body().clone(), rules.inflate_limit_bytes)?;
        let mut index = 0;
        while let Some(record) = records.next()? {
            let malformed = |what| RecordsError::Malformed { index, what };
            let fields = RecordFields::read(record).map_err(malformed)?;
            fields.for_each_header(|_, _| ()).map_err(malformed)?;
            if fields.offset_delta != index {
                return Err(ProducedError::OffsetDelta {
                    index,
                    offset_delta: fields.offset_delta,
                });
            }
            if rules.key_required && fields.key.is_none() {
                return Err(ProducedError::NoKey { index });
            }
            max_timestamp_ms = max_timestamp_ms.max(base_timestamp_ms.wrapping_add(fields.timestamp_delta));
            index += 1;
        }
        Ok(max_timestamp_ms)
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::record::{BatchBuilder, BatchHeader, InflateError};

    fn sound(codec: Compression) -> Batch {
        let mut batch = BatchBuilder::new(codec);
        batch
            .producer(7, 0, 3)
            .append(10, None, Some(b"a"))
            .append(20, Some(b"k"), Some(b"b"));
        batch.finish()
    }

    /// A sound batch with its head changed, length and CRC made right again.
    fn with_head(codec: Compression, change: impl FnOnce(&mut BatchHeader)) -> Batch {
        let batch = sound(codec);
        let mut header = *batch.header();
        change(&mut header);
        Batch::assemble(header, batch.body().clone())
    }

    fn refuse(mut batch: Batch) -> ProducedError {
        let rules = ProducedRules {
            walk_compressed: true,
            ..ProducedRules::default()
        };
        batch.validate_produced(&rules).unwrap_err()
    }

    #[test]
    fn a_head_that_no_client_may_send_is_refused_by_name() {
        use Compression::None;
        let refuse = |change: fn(&mut BatchHeader)| refuse(with_head(None, change));
        assert_eq!(
            refuse(|h| h.base_offset = 5),
            ProducedError::BaseOffset { base_offset: 5 }
        );
        assert_eq!(refuse(|h| h.attributes.set_control(true)), ProducedError::Control);
        assert_eq!(
            refuse(|h| h.attributes.set_log_append_time(true)),
            ProducedError::LogAppendTime
        );
        assert_eq!(
            refuse(|h| h.attributes.set_delete_horizon(true)),
            ProducedError::DeleteHorizon
        );
        for id in 5..8 {
            let mut batch = sound(None);
            let mut header = *batch.header();
            header.attributes.0 |= id;
            batch = Batch::assemble(header, batch.body().clone());
            let refused = batch.validate_produced(&ProducedRules::default());
            assert_eq!(refused, Err(ProducedError::Codec { id: id as u8 }));
        }
        let count = |record_count, last_offset_delta| ProducedError::Count {
            record_count,
            last_offset_delta,
        };
        assert_eq!(refuse(|h| h.record_count = 0), count(0, 1));
        assert_eq!(refuse(|h| h.record_count = -1), count(-1, 1));
        assert_eq!(refuse(|h| h.last_offset_delta = 2), count(2, 2));
        assert_eq!(
            refuse(|h| (h.record_count, h.last_offset_delta) = (i32::MIN, i32::MAX)),
            count(i32::MIN, i32::MAX)
        );
        let producer = |producer_id, producer_epoch, base_sequence| ProducedError::Producer {
            producer_id,
            producer_epoch,
            base_sequence,
        };
        assert_eq!(refuse(|h| h.base_sequence = -1), producer(7, 0, -1));
        assert_eq!(refuse(|h| h.producer_epoch = -1), producer(7, -1, 3));
        let transactional = refuse(|h| {
            h.producer_id = -1;
            h.attributes.set_transactional(true);
        });
        assert_eq!(transactional, producer(-1, 0, 3));
    }

    #[test]
    fn zstd_is_refused_from_clients_too_old_for_it() {
        let rules = ProducedRules {
            zstd_allowed: false,
            ..ProducedRules::default()
        };
        assert_eq!(
            sound(Compression::Zstd).validate_produced(&rules),
            Err(ProducedError::Codec { id: 4 })
        );
        assert_eq!(sound(Compression::Lz4).validate_produced(&rules), Ok(()));
    }

    #[test]
    fn records_that_do_not_fit_the_head_are_refused_whatever_the_codec() {
        for codec in Compression::ALL {
            let more = with_head(codec, |h| (h.record_count, h.last_offset_delta) = (3, 2));
            assert_eq!(
                refuse(more),
                RecordsError::Missing {
                    declared: 3,
                    found: 2
                }
                .into()
            );
            let fewer = with_head(codec, |h| (h.record_count, h.last_offset_delta) = (1, 0));
            assert_eq!(refuse(fewer), RecordsError::Trailing { declared: 1 }.into());
            let mut gap = BatchBuilder::new(codec);
            gap.append_at(0, 1, None, None, &[])
                .append_at(2, 1, None, None, &[]);
            let gap = gap.finish();
            let header = BatchHeader {
                last_offset_delta: 1,
                ..*gap.header()
            };
            let gap = Batch::assemble(header, gap.body().clone());
            assert_eq!(
                refuse(gap),
                ProducedError::OffsetDelta {
                    index: 1,
                    offset_delta: 2
                }
            );
        }
    }

    #[test]
    fn compressed_records_are_walked_on_request_only() {
        let wrong = || {
            with_head(Compression::Gzip, |h| {
                (h.record_count, h.last_offset_delta) = (3, 2)
            })
        };
        assert_eq!(wrong().validate_produced(&ProducedRules::default()), Ok(()));
        let rules = ProducedRules {
            walk_compressed: true,
            ..ProducedRules::default()
        };
        assert!(wrong().validate_produced(&rules).is_err());
        let rules = ProducedRules {
            key_required: true,
            ..ProducedRules::default()
        };
        assert_eq!(
            sound(Compression::Gzip).validate_produced(&rules),
            Err(ProducedError::NoKey { index: 0 })
        );
    }

    #[test]
    fn a_bomb_is_refused_at_the_limit() {
        for codec in [
            Compression::Gzip,
            Compression::Snappy,
            Compression::Lz4,
            Compression::Zstd,
        ] {
            let mut bomb = BatchBuilder::new(codec);
            bomb.append(1, None, Some(&vec![0; 10_000_000]));
            let limit_bytes = 100_000;
            let rules = ProducedRules {
                walk_compressed: true,
                inflate_limit_bytes: limit_bytes,
                ..Default::default()
            };
            let too_large = InflateError::TooLarge { codec, limit_bytes };
            let refused = bomb.finish().validate_produced(&rules);
            assert_eq!(refused, Err(RecordsError::Inflate(too_large).into()));
        }
    }

    #[test]
    fn a_wrong_max_timestamp_is_corrected() {
        let mut batch = with_head(Compression::None, |h| h.max_timestamp_ms = 99);
        batch.validate_produced(&ProducedRules::default()).unwrap();
        assert_eq!(batch, sound(Compression::None));
        assert!(
            Batch::parse(batch.to_bytes()).is_ok(),
            "the CRC is corrected with it"
        );
    }

    #[test]
    fn a_compressed_batch_without_a_max_timestamp_gets_that_of_its_records() {
        let mut batch = with_head(Compression::Gzip, |h| h.max_timestamp_ms = NO_TIMESTAMP);
        batch.validate_produced(&ProducedRules::default()).unwrap();
        assert_eq!(batch, sound(Compression::Gzip));
    }

    #[test]
    fn timestamps_too_far_from_the_clock_are_refused() {
        let bounds = |now_ms, before_max_ms, after_max_ms| TimestampBounds {
            now_ms,
            before_max_ms,
            after_max_ms,
        };
        let batch = sound(Compression::None);
        assert_eq!(batch.check_timestamps(&bounds(15, 5, 5)), Ok(()));
        let too_old = batch.check_timestamps(&bounds(15, 4, 5));
        assert_eq!(
            too_old,
            Err(ProducedError::Timestamp {
                timestamp_ms: 10,
                now_ms: 15
            })
        );
        let too_new = batch.check_timestamps(&bounds(15, 5, 4));
        assert_eq!(
            too_new,
            Err(ProducedError::Timestamp {
                timestamp_ms: 20,
                now_ms: 15
            })
        );
        assert_eq!(
            batch.check_timestamps(&bounds(i64::MAX, i64::MAX, i64::MAX)),
            Ok(())
        );
        let without = with_head(Compression::None, |h| {
            (h.base_timestamp_ms, h.max_timestamp_ms) = (-1, -1)
        });
        assert_eq!(without.check_timestamps(&bounds(1 << 40, 0, 0)), Ok(()));
    }

    #[test]
    fn a_partition_carries_one_batch_and_nothing_else() {
        let one = sound(Compression::None).to_bytes();
        assert!(Batch::parse_produced(one.clone()).is_ok());
        assert_eq!(Batch::parse_produced(Bytes::new()), Err(ProducedError::Empty));
        let two: Bytes = [&one[..], &one[..]].concat().into();
        assert_eq!(
            Batch::parse_produced(two),
            Err(ProducedError::MoreThanOne {
                left_bytes: one.len()
            })
        );
        let cut = BatchError::Truncated {
            needed_bytes: one.len(),
            got_bytes: one.len() - 1,
        };
        assert_eq!(Batch::parse_produced(one.slice(..one.len() - 1)), Err(cut.into()));
        let mut old = one.to_vec();
        old[16] = 1;
        assert_eq!(
            Batch::parse_produced(old.into()),
            Err(BatchError::Magic { magic: 1 }.into())
        );
    }
}
