//! Which leader epoch began at which offset (KIP-101): how replicas find where their logs part ways.

/// The leader epochs of one log, ascending in epoch and in start offset.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LeaderEpochs {
    entries: Vec<(i32, i64)>,
}

impl LeaderEpochs {
    pub(crate) fn from_entries(entries: Vec<(i32, i64)>) -> LeaderEpochs {
        LeaderEpochs { entries }
    }

    /// `(epoch, start offset)`, oldest first.
    pub fn entries(&self) -> &[(i32, i64)] {
        &self.entries
    }

    /// The newest epoch that wrote, or was to write, to this log.
    pub fn latest(&self) -> Option<i32> {
        self.entries.last().map(|entry| entry.0)
    }

    /// The epoch of the record at `offset`, as far as it is known.
    pub fn epoch_of(&self, offset: i64) -> Option<i32> {
        let behind = self.entries.partition_point(|entry| entry.1 <= offset);
        behind.checked_sub(1).map(|index| self.entries[index].0)
    }

    /// Notes that `epoch` begins at `offset`; gives whether that was news. An epoch that wrote nothing gives way
    /// to the one that begins at the same offset (Kafka: `LeaderEpochFileCache.assign`).
    pub(crate) fn assign(&mut self, epoch: i32, offset: i64) -> bool {
        if epoch < 0 || self.latest().is_some_and(|latest| latest >= epoch) {
            return false;
        }
        while self.entries.last().is_some_and(|entry| entry.1 >= offset) {
            self.entries.pop();
        }
        self.entries.push((epoch, offset));
        true
    }

    /// Where `requested` ended: the largest known epoch at or below it, and the offset at which the next one
    /// begins. For the latest epoch that is `log_end_offset`. `None` when the log knows nothing so old, when
    /// `requested` is newer than all it knows, or when it is no epoch (Kafka: `LeaderEpochFileCache.endOffsetFor`).
    pub fn end_offset_for(&self, requested: i32, log_end_offset: i64) -> Option<(i32, i64)> {
        let latest = self.latest().filter(|_| requested >= 0)?;
        if requested == latest {
            return Some((latest, log_end_offset));
        }
        let higher = self.entries.partition_point(|entry| entry.0 <= requested);
        let next = self.entries.get(higher)?;
        Some(match higher.checked_sub(1) {
            // Everything known is newer: the epoch asked for ended before the log begins.
            None => (requested, next.1),
            Some(index) => (self.entries[index].0, next.1),
        })
    }

    /// Drops epochs that begin at or beyond `end_offset`; gives whether there were any.
    pub(crate) fn truncate_from_end(&mut self, end_offset: i64) -> bool {
        let before = self.entries.len();
        self.entries.retain(|entry| entry.1 < end_offset);
        before != self.entries.len()
    }

    /// Drops epochs that ended before `start_offset`; the one that spans it begins there from now on.
    pub(crate) fn truncate_from_start(&mut self, start_offset: i64) -> bool {
        let ended = self.entries.partition_point(|entry| entry.1 <= start_offset);
        let Some(spanning) = ended.checked_sub(1) else {
            return false;
        };
        let changed = spanning > 0 || self.entries[spanning].1 != start_offset;
        self.entries.drain(..spanning);
        self.entries[0].1 = start_offset;
        changed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn epochs(entries: &[(i32, i64)]) -> LeaderEpochs {
        LeaderEpochs::from_entries(entries.to_vec())
    }

    #[test]
    fn an_epoch_ends_where_the_next_begins() {
        let epochs = epochs(&[(2, 10), (4, 20), (7, 30)]);
        for (requested, expected) in [
            (-1, None),
            (1, Some((1, 10))),
            (2, Some((2, 20))),
            (3, Some((2, 20))),
            (5, Some((4, 30))),
            (7, Some((7, 99))),
            (8, None),
        ] {
            assert_eq!(
                epochs.end_offset_for(requested, 99),
                expected,
                "epoch {requested}"
            );
        }
        assert_eq!(LeaderEpochs::default().end_offset_for(0, 0), None);
        assert_eq!(
            [9, 10, 19, 20, 40].map(|offset| epochs.epoch_of(offset)),
            [None, Some(2), Some(2), Some(4), Some(7)]
        );
    }

    #[test]
    fn an_epoch_that_wrote_nothing_gives_way() {
        let mut epochs = epochs(&[(2, 10)]);
        assert!(epochs.assign(3, 20));
        assert!(!epochs.assign(3, 25));
        assert!(!epochs.assign(1, 25));
        assert!(epochs.assign(5, 20));
        assert_eq!(epochs.entries(), [(2, 10), (5, 20)]);
    }

    #[test]
    fn cutting_either_end_keeps_what_spans_the_cut() {
        let mut epochs = epochs(&[(2, 10), (4, 20), (7, 30)]);
        assert!(epochs.truncate_from_end(30));
        assert!(!epochs.truncate_from_end(21));
        assert!(epochs.truncate_from_start(15));
        assert_eq!(epochs.entries(), [(2, 15), (4, 20)]);
        assert!(epochs.truncate_from_start(20));
        assert_eq!(epochs.entries(), [(4, 20)]);
        assert!(!epochs.truncate_from_start(3));
    }
}
