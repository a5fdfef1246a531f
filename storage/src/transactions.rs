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
use std::ops::Range;

use bytes::Buf;

use crate::producers::EndedTransaction;
use crate::sys::{File, read_exact_at};

pub(crate) const TXN_ENTRY: u64 = ENTRY as u64;
const ENTRY: usize = 34;
/// Entries that are read at a time.
const PIECE: usize = 256;

/// A transaction whose records a consumer has to leave out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct AbortedTransaction {
    /// The first record of the transaction.
    pub first_offset: i64,
    /// Who wrote it.
    pub producer_id: i64,
}

/// Calls `with` for the version and the content of each entry, until it gives false.
fn walk(file: &dyn File, mut with: impl FnMut(i16, EndedTransaction) -> bool) -> io::Result<()> {
    let mut left = file.len()? / TXN_ENTRY;
    let mut position = 0;
    let mut bytes = [0; PIECE * ENTRY];
    while left > 0 {
        let count = usize::try_from(left).map_or(PIECE, |left| left.min(PIECE));
        let piece = &mut bytes[..count * ENTRY];
        read_exact_at(file, position, piece)?;
        for mut entry in piece.chunks_exact(ENTRY) {
            let version = entry.get_i16();
            let producer_id = entry.get_i64();
            let ended = EndedTransaction {
                producer_id,
                first_offset: entry.get_i64(),
                last_offset: entry.get_i64(),
                aborted: true,
                last_stable_offset: entry.get_i64(),
            };
            if !with(version, ended) {
                return Ok(());
            }
        }
        left -= count as u64;
        position += piece.len() as u64;
    }
    Ok(())
}

/// Adds all entries of one segment.
pub(crate) fn read_all(file: &dyn File, into: &mut Vec<EndedTransaction>) -> io::Result<()> {
    walk(file, |_, ended| {
        into.push(ended);
        true
    })
}

/// Whether the entries can be those of a segment with these offsets: whole, and with markers inside it that ascend.
pub(crate) fn fit(file: &dyn File, offsets: Range<i64>) -> io::Result<bool> {
    let mut fit = file.len()?.is_multiple_of(TXN_ENTRY);
    let mut marker = -1;
    walk(file, |version, ended| {
        fit &= version == 0
            && ended.producer_id >= 0
            && (0..ended.last_offset).contains(&ended.first_offset)
            && (0..=ended.last_offset + 1).contains(&ended.last_stable_offset)
            && offsets.contains(&ended.last_offset)
            && ended.last_offset > marker;
        marker = ended.last_offset;
        fit
    })?;
    Ok(fit)
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
    let mut is_over = false;
    walk(file, |_, ended| {
        if ended.last_offset >= from && ended.first_offset < until {
            found.push(AbortedTransaction {
                first_offset: ended.first_offset,
                producer_id: ended.producer_id,
            });
        }
        is_over = ended.last_stable_offset >= until;
        !is_over
    })?;
    Ok(is_over)
}

/// Bytes of the entries whose marker lies below `offset`: what remains when the log is cut there.
pub(crate) fn len_below(file: &dyn File, offset: i64) -> io::Result<u64> {
    let mut len = 0;
    walk(file, |_, ended| {
        let remains = ended.last_offset < offset;
        len += u64::from(remains) * TXN_ENTRY;
        remains
    })?;
    Ok(len)
}
