//! The newest batches of all logs, in memory: followers and consumers at the end of a log read the very bytes
//! that came in. One bound covers all logs together; the oldest batch of the whole process goes first.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use klamm_protocol::record::Batch;

/// What one entry costs beside its bytes, so that many tiny batches are bounded too.
const ENTRY_OVERHEAD_BYTES: usize = 160;

/// The memory for the newest batches, shared by all logs of a process.
pub struct Tail {
    limit_bytes: usize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    next_log: u64,
    bytes: usize,
    logs: BTreeMap<u64, VecDeque<Entry>>,
    /// One item for each entry ever put, oldest first; items whose entry is gone already are skipped.
    order: VecDeque<(u64, i64)>,
}

struct Entry {
    base_offset: i64,
    last_offset: i64,
    parts: [Bytes; 2],
}

impl Entry {
    fn size(&self) -> usize {
        self.parts[0].len() + self.parts[1].len()
    }

    fn cost(&self) -> usize {
        self.size() + ENTRY_OVERHEAD_BYTES
    }
}

impl Tail {
    /// Room for `limit_bytes` of batches, overhead included.
    pub fn new(limit_bytes: usize) -> Arc<Tail> {
        Arc::new(Tail {
            limit_bytes,
            state: Mutex::default(),
        })
    }

    /// Bytes held at the moment.
    pub fn bytes(&self) -> usize {
        self.state().bytes
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn forget(&mut self, entry: &Entry) {
        self.bytes -= entry.cost();
    }

    fn evict(&mut self, limit_bytes: usize) {
        // Entries that were cut or dropped leave their items in `order`; no more of those than entries fit.
        while (self.bytes > limit_bytes || self.order.len() > limit_bytes / ENTRY_OVERHEAD_BYTES)
            && let Some((log, base_offset)) = self.order.pop_front()
        {
            let Some(entries) = self.logs.get_mut(&log) else {
                continue;
            };
            if entries
                .front()
                .is_some_and(|entry| entry.base_offset == base_offset)
            {
                let entry = entries.pop_front().expect("there is a front");
                self.forget(&entry);
            }
        }
    }
}

/// One log's part of the tail: batches without a gap, up to the end of the log.
pub(crate) struct LogTail {
    tail: Arc<Tail>,
    log: u64,
}

/// What a read finds in the tail.
pub(crate) enum TailRead {
    /// The first offset asked for is not in memory.
    Miss,
    /// Whole batches, as many as fit; perhaps none.
    Hit {
        parts: Vec<Bytes>,
        /// The offset behind the last batch given.
        next_offset: i64,
    },
}

impl LogTail {
    pub(crate) fn new(tail: &Arc<Tail>) -> LogTail {
        let mut state = tail.state();
        let log = state.next_log;
        state.next_log += 1;
        state.logs.insert(log, VecDeque::new());
        drop(state);
        LogTail {
            tail: Arc::clone(tail),
            log,
        }
    }

    /// Takes the next batch of the log.
    pub(crate) fn push(&self, batch: &Batch) {
        let mut state = self.tail.state();
        let header = batch.header();
        let entry = Entry {
            base_offset: header.base_offset,
            last_offset: header.last_offset(),
            parts: batch.parts(),
        };
        state.bytes += entry.cost();
        state.order.push_back((self.log, entry.base_offset));
        state.logs.entry(self.log).or_default().push_back(entry);
        state.evict(self.tail.limit_bytes);
    }

    /// Drops what lies at or beyond `offset`.
    pub(crate) fn truncate(&self, offset: i64) {
        let mut state = self.tail.state();
        loop {
            let Some(entries) = state.logs.get_mut(&self.log) else {
                return;
            };
            if entries.back().is_none_or(|entry| entry.last_offset < offset) {
                return;
            }
            let entry = entries.pop_back().expect("there is a back");
            state.forget(&entry);
        }
    }

    /// Drops what lies below `offset`.
    pub(crate) fn forget_below(&self, offset: i64) {
        let mut state = self.tail.state();
        let State { logs, bytes, .. } = &mut *state;
        let entries = logs.entry(self.log).or_default();
        while let Some(entry) = entries.pop_front_if(|entry| entry.last_offset < offset) {
            *bytes -= entry.cost();
        }
    }

    /// The whole batches from the one that holds `from` on, none with an offset at or beyond `bound`.
    pub(crate) fn read(&self, from: i64, bound: i64, max_bytes: usize, at_least_one: bool) -> TailRead {
        let state = self.tail.state();
        let Some(entries) = state.logs.get(&self.log) else {
            return TailRead::Miss;
        };
        if entries.front().is_none_or(|entry| entry.base_offset > from) {
            return TailRead::Miss;
        }
        let first = entries.partition_point(|entry| entry.last_offset < from);
        let (mut parts, mut bytes, mut next_offset) = (Vec::new(), 0, from);
        for entry in entries.range(first..) {
            bytes += entry.size();
            let fits = bytes <= max_bytes || (at_least_one && parts.is_empty());
            if entry.last_offset >= bound || !fits {
                break;
            }
            parts.extend(entry.parts.iter().filter(|part| !part.is_empty()).cloned());
            next_offset = entry.last_offset + 1;
        }
        TailRead::Hit { parts, next_offset }
    }
}

impl Drop for LogTail {
    fn drop(&mut self) {
        let mut state = self.tail.state();
        for entry in state.logs.remove(&self.log).unwrap_or_default() {
            state.forget(&entry);
        }
        if state.bytes == 0 {
            state.order.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use klamm_protocol::record::{BatchBuilder, Compression};

    fn batch(base_offset: i64, size: usize) -> Batch {
        let mut builder = BatchBuilder::new(Compression::None);
        builder.at(base_offset, 0).append(0, None, Some(&vec![7; size]));
        builder.finish()
    }

    fn offsets(log: &LogTail, from: i64, bound: i64, max_bytes: usize, at_least_one: bool) -> Option<i64> {
        match log.read(from, bound, max_bytes, at_least_one) {
            TailRead::Miss => None,
            TailRead::Hit { next_offset, .. } => Some(next_offset),
        }
    }

    #[test]
    fn the_oldest_batch_of_all_logs_goes_first() {
        let tail = Tail::new(10_000);
        let (a, b) = (LogTail::new(&tail), LogTail::new(&tail));
        for offset in 0..100 {
            a.push(&batch(offset, 500));
            b.push(&batch(offset, 500));
            assert!(tail.bytes() <= 10_000);
        }
        assert_eq!(offsets(&a, 0, 100, usize::MAX, true), None);
        assert_eq!(offsets(&a, 98, 100, usize::MAX, true), Some(100));
        assert_eq!(offsets(&b, 98, 100, usize::MAX, true), Some(100));
        drop(a);
        drop(b);
        assert_eq!(tail.bytes(), 0);
    }

    #[test]
    fn a_read_gives_whole_batches_below_the_bound() {
        let tail = Tail::new(1 << 20);
        let log = LogTail::new(&tail);
        for offset in 5..15 {
            log.push(&batch(offset, 1000));
        }
        assert_eq!(offsets(&log, 4, 15, usize::MAX, true), None);
        assert_eq!(offsets(&log, 7, 9, usize::MAX, true), Some(9));
        assert_eq!(offsets(&log, 7, 15, 2500, false), Some(9));
        assert_eq!(offsets(&log, 7, 15, 10, false), Some(7));
        assert_eq!(offsets(&log, 7, 15, 10, true), Some(8));
        log.forget_below(7);
        assert_eq!(offsets(&log, 6, 15, usize::MAX, true), None);
        assert_eq!(offsets(&log, 7, 15, usize::MAX, true), Some(15));
        log.truncate(9);
        assert_eq!(offsets(&log, 8, 15, usize::MAX, true), Some(9));
        assert_eq!(offsets(&log, 9, 15, usize::MAX, true), Some(9));
    }
}
