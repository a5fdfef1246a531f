//! From the bytes of a Fetch answer to records: a pure function.

use std::collections::BTreeSet;

use klamm_protocol::messages::fetch::AbortedTransaction;
use klamm_protocol::record::control::ControlRecord;
use klamm_protocol::record::{Batch, BatchError, Batches, INFLATE_LIMIT_BYTES};
use klamm_protocol::{Records, Str};

use super::ConsumedRecord;

/// What a partition gave.
#[derive(Debug, Default)]
pub(super) struct Fetched {
    /// In order of their offsets.
    pub records: Vec<ConsumedRecord>,
    /// Where to read on; `None` when there was nothing.
    pub next_offset: Option<i64>,
}

/// Reads what lies from `offset` on.
///
/// Answers begin with the batch that holds the offset, so earlier records are left out; they may end in the middle of a
/// batch. With `aborted`, what belongs to these transactions is left out, until the marker that ends each (KIP-98).
/// Control records are always left out, but read past.
///
/// # Errors
/// What is wrong with the records at the front. Those before a bad batch are given first, the error comes with the
/// next Fetch.
pub(super) fn read(
    topic: &Str,
    partition: i32,
    offset: i64,
    records: &Records,
    aborted: &[AbortedTransaction],
) -> Result<Fetched, String> {
    let mut aborted: Vec<(i64, i64)> = aborted.iter().map(|a| (a.first_offset, a.producer_id)).collect();
    aborted.sort_unstable();
    let mut upcoming = aborted.into_iter().peekable();
    let mut aborting = BTreeSet::new();
    let mut fetched = Fetched::default();
    for batch in Batches::new(records.to_bytes()) {
        let batch = match batch {
            Ok(batch) => batch,
            Err(BatchError::Truncated { .. }) if fetched.next_offset.is_some() => break,
            Err(error) if fetched.next_offset.is_none() => return Err(error.to_string()),
            Err(_) => break,
        };
        let header = batch.header();
        while let Some((_, producer)) = upcoming.next_if(|(first, _)| *first <= header.last_offset()) {
            aborting.insert(producer);
        }
        if header.is_control() {
            if let Ok(ControlRecord::EndTransaction { commit: false, .. }) = ControlRecord::of(&batch) {
                aborting.remove(&header.producer_id);
            }
        } else if !(header.is_transactional() && aborting.contains(&header.producer_id)) {
            match records_of(topic, partition, offset, &batch) {
                Ok(records) => fetched.records.extend(records),
                Err(error) if fetched.next_offset.is_none() => return Err(error),
                Err(_) => break,
            }
        }
        fetched.next_offset = Some(header.last_offset().saturating_add(1).max(offset));
    }
    Ok(fetched)
}

fn records_of(
    topic: &Str,
    partition: i32,
    offset: i64,
    batch: &Batch,
) -> Result<Vec<ConsumedRecord>, String> {
    let base_offset = batch.header().base_offset;
    let mut records = Vec::new();
    for record in batch
        .records(INFLATE_LIMIT_BYTES)
        .map_err(|error| error.to_string())?
    {
        let record = record.map_err(|error| error.to_string())?;
        let at = base_offset.saturating_add(i64::from(record.offset_delta));
        if at < offset {
            continue;
        }
        records.push(ConsumedRecord {
            topic: topic.clone(),
            partition,
            offset: at,
            timestamp_ms: record.timestamp_ms,
            key: record.key,
            value: record.value,
            headers: record.headers,
        });
    }
    Ok(records)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use klamm_protocol::record::{BatchBuilder, Compression, control};

    use super::*;

    fn batch(base_offset: i64, producer: Option<i64>, values: &[&str]) -> Bytes {
        let mut batch = BatchBuilder::new(Compression::None);
        batch.at(base_offset, 0);
        if let Some(producer) = producer {
            batch.producer(producer, 0, 0).transactional();
        }
        for value in values {
            batch.append(0, None, Some(value.as_bytes()));
        }
        batch.finish().to_bytes()
    }

    fn marker(base_offset: i64, producer: i64, commit: bool) -> Bytes {
        let mut batch = control::end_transaction(0, producer, 0, commit, 0);
        batch.assign(base_offset, 0);
        batch.to_bytes()
    }

    fn reads(offset: i64, parts: &[Bytes], aborted: &[(i64, i64)]) -> (String, Option<i64>) {
        let records = Records::from_parts(parts.to_vec());
        let aborted: Vec<_> = aborted
            .iter()
            .map(|&(producer_id, first_offset)| AbortedTransaction {
                producer_id,
                first_offset,
            })
            .collect();
        let fetched = read(&"t".into(), 0, offset, &records, &aborted).unwrap();
        let value = |record: &ConsumedRecord| {
            let value = String::from_utf8(record.value.clone().unwrap().to_vec()).unwrap();
            format!("{}{value}", record.offset)
        };
        (
            fetched.records.iter().map(value).collect::<Vec<_>>().join(" "),
            fetched.next_offset,
        )
    }

    #[test]
    fn records_before_the_offset_are_left_out_and_a_cut_batch_ends_it() {
        let cut = batch(3, None, &["d"]).slice(..65);
        let parts = [batch(0, None, &["a", "b", "c"]), cut];
        assert_eq!(reads(1, &parts, &[]), ("1b 2c".into(), Some(3)));
        assert_eq!(reads(0, &[], &[]), (String::new(), None));
    }

    #[test]
    fn an_aborted_transaction_is_left_out_up_to_its_marker_and_nobody_else_is() {
        let parts = [
            batch(0, Some(7), &["a"]),
            batch(1, Some(8), &["b"]),
            batch(2, None, &["c"]),
            marker(3, 7, false),
            marker(4, 8, true),
            batch(5, Some(7), &["d"]),
            marker(6, 7, true),
        ];
        assert_eq!(reads(0, &parts, &[(7, 0)]), ("1b 2c 5d".into(), Some(7)));
        assert_eq!(reads(0, &parts, &[]), ("0a 1b 2c 5d".into(), Some(7)));
    }

    #[test]
    fn a_bad_batch_is_an_error_once_everything_before_it_was_given() {
        let mut bad = batch(1, None, &["x"]).to_vec();
        *bad.last_mut().unwrap() ^= 1;
        let bad = Bytes::from(bad);
        assert_eq!(
            reads(0, &[batch(0, None, &["a"]), bad.clone()], &[]),
            ("0a".into(), Some(1))
        );
        let error = read(&"t".into(), 0, 1, &Records::from_parts(vec![bad]), &[]).unwrap_err();
        assert!(error.contains("CRC"), "{error}");
    }
}
