//! Which transactions were aborted: what a consumer with `read_committed` has to leave out (KIP-98).
//!
//! ```text
//! NNN.txnindex   34 bytes an entry, in the order of the markers; big-endian
//!   0  2  version: 0
//!   2  8  producer id
//!  10  8  first offset of the transaction
//!  18  8  last offset: that of the abort marker, which lies in this segment
//!  26  8  last stable offset: no transaction was open below it once this one had ended
//! ```

use std::io;

use bytes::Buf;

use crate::producers::EndedTransaction;
use crate::sys::{File, read_exact_at};

pub(crate) const TXN_ENTRY: u64 = 34;

/// A transaction whose records a consumer has to leave out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct AbortedTransaction {
    /// The first record of the transaction.
    pub first_offset: i64,
    /// Who wrote it.
    pub producer_id: i64,
}

/// Adds all entries of one segment.
pub(crate) fn read_all(file: &dyn File, into: &mut Vec<EndedTransaction>) -> io::Result<()> {
    let mut bytes = [0; TXN_ENTRY as usize];
    for number in 0..file.len()? / TXN_ENTRY {
        read_exact_at(file, number * TXN_ENTRY, &mut bytes)?;
        let mut entry = &bytes[2..];
        let producer_id = entry.get_i64();
        into.push(EndedTransaction {
            producer_id,
            first_offset: entry.get_i64(),
            last_offset: entry.get_i64(),
            aborted: true,
            last_stable_offset: entry.get_i64(),
        });
    }
    Ok(())
}

pub(crate) fn put_aborted(out: &mut Vec<u8>, ended: &EndedTransaction) {
    out.extend(0i16.to_be_bytes());
    for field in [
        ended.producer_id,
        ended.first_offset,
        ended.last_offset,
        ended.last_stable_offset,
    ] {
        out.extend(field.to_be_bytes());
    }
}

/// Collects the aborted transactions of one segment that touch `[from, until)`. Gives whether the search is over:
/// an entry says that nothing below its last stable offset is open, so none behind it reaches below `until`
/// (Kafka: `TransactionIndex.collectAbortedTxns`).
pub(crate) fn collect_aborted(
    file: &dyn File,
    from: i64,
    until: i64,
    found: &mut Vec<AbortedTransaction>,
) -> io::Result<bool> {
    let mut bytes = [0; TXN_ENTRY as usize];
    for number in 0..file.len()? / TXN_ENTRY {
        read_exact_at(file, number * TXN_ENTRY, &mut bytes)?;
        let mut entry = &bytes[2..];
        let producer_id = entry.get_i64();
        let (first_offset, last_offset, stable) = (entry.get_i64(), entry.get_i64(), entry.get_i64());
        if last_offset >= from && first_offset < until {
            found.push(AbortedTransaction {
                first_offset,
                producer_id,
            });
        }
        if stable >= until {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Bytes of the entries whose marker lies below `offset`: what remains when the log is cut there.
pub(crate) fn len_below(file: &dyn File, offset: i64) -> io::Result<u64> {
    let entries = file.len()? / TXN_ENTRY;
    let mut bytes = [0; 8];
    for number in 0..entries {
        read_exact_at(file, number * TXN_ENTRY + 18, &mut bytes)?;
        if i64::from_be_bytes(bytes) >= offset {
            return Ok(number * TXN_ENTRY);
        }
    }
    Ok(entries * TXN_ENTRY)
}
