//! Opening a log: what lies in its directory is checked, cut to what is whole, and its sidecars rebuilt.
//!
//! Below the recovery point everything was synced: a damaged batch there is no torn write, and the log is refused
//! ([`OpenError::Corrupt`]) so that somebody looks. At and beyond it every batch is checked (CRC, offsets without
//! a gap, leader epochs that never fall), and the log ends before the first that is not right. Sidecars (indexes,
//! leader epochs, producer snapshots) can all be made again from the batches.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use klamm_protocol::record::BatchHeader;
use thiserror::Error;
use tracing::{info, warn};

use crate::bug::Bug;
use crate::checkpoint;
use crate::compaction::{self, COMPACTED_FILE};
use crate::epochs::LeaderEpochs;
use crate::files::{DOUBT_FILE, Directory};
use crate::index::{self, OffsetIndex, TimeIndex};
use crate::lane::{EPOCHS_FILE, RECOVERY_BOUND_FILE};
use crate::log::OpenOptions;
use crate::log_dir::{PARTITION_FILE, PartitionMetadata};
use crate::producers::Producers;
use crate::replay::{Damaged, newest_snapshot, replay, replay_while};
use crate::scan::{ScanError, Scanner};
use crate::segment::{
    self, CLEANED, DELETED, INDEX, LOG, SNAPSHOT, Segment, TIME_INDEX, TXN_INDEX, absent_is_fine,
};
use crate::sidecars::{Extent, READ_HEADS, Rebuilt, SegmentFacts, facts, sidecars_fit, start_position};
use crate::sys::{self, DirEntry, File, Fs, Mode};
use crate::transactions;

/// Read-ahead for looking at every byte.
const READ_ALL: usize = 256 * 1024;

/// Why a log cannot be opened. It concerns one partition, never the process.
#[derive(Debug, Error)]
pub enum OpenError {
    /// The disk does not give what lies there.
    #[error("{path}: {error}")]
    Io {
        /// The log's directory.
        path: PathBuf,
        /// What the operating system says.
        error: io::Error,
    },
    /// The directory belongs to another topic id.
    #[error("{path} belongs to topic id {found}")]
    OtherTopic {
        /// The log's directory.
        path: PathBuf,
        /// The id in its `partition.metadata`.
        found: klamm_protocol::ids::TopicId,
    },
    /// What was durable is damaged. Nothing was changed.
    #[error("{file}: offset {offset}, which was durable, is damaged: {reason}")]
    Corrupt {
        /// The file.
        file: PathBuf,
        /// The first offset that is not right.
        offset: i64,
        /// What is wrong with it, and where in the file.
        reason: String,
    },
}

impl OpenError {
    /// Whether the log can be opened as soon as the disk has room.
    pub fn is_no_room(&self) -> bool {
        matches!(self, OpenError::Io { error, .. } if sys::is_no_room(error))
    }
}

/// A log as it was found.
pub(crate) struct Recovered {
    /// Oldest first, never empty.
    pub(crate) segments: Vec<SegmentFacts>,
    pub(crate) log_start_offset: i64,
    pub(crate) log_end_offset: i64,
    /// Up to where everything is durable: the end, as recovery syncs what it checked.
    pub(crate) recovery_point: i64,
    pub(crate) epochs: LeaderEpochs,
    pub(crate) producers: Producers,
    /// There are producers, or a snapshot says who there was.
    pub(crate) had_producers: bool,
    /// Up to where it is compacted.
    pub(crate) compacted_to: i64,
    /// The bound on what the checkpoints say, if it is still needed.
    pub(crate) bound: Option<i64>,
    /// Nothing had to be made or mended: a shutdown left it so, and nothing was written to it since.
    pub(crate) is_settled: bool,
}

/// Opens or creates a log.
pub(crate) fn open(
    fs: &dyn Fs,
    directory: &Arc<Directory>,
    options: &OpenOptions,
) -> Result<Recovered, OpenError> {
    let path = directory.path();
    let in_path = |error| OpenError::Io {
        path: path.clone(),
        error,
    };
    let exists = |name: &str| fs.exists(&path.join(name)).map_err(in_path);
    // Amid a cut the disk may still have what the page cache has not, as after a sync that failed.
    let bound = recovery_bound(fs, &path).map_err(in_path)?;
    let amid_cut = !options.clean && bound.is_some_and(|bound| bound > 0);
    let in_doubt = exists(DOUBT_FILE)? || amid_cut;
    let gaps = options.config.compact || exists(COMPACTED_FILE)?;
    let recovery = Recovery {
        fs,
        directory,
        path: &path,
        options,
        interval: options.config.index_interval_bytes,
        gaps,
        clean: options.clean && !in_doubt,
        in_doubt,
    };
    recovery.run().map_err(|failure| match failure {
        Failure::Io(error) => {
            if !sys::is_no_room(&error) {
                directory.cast_doubt(fs);
            }
            OpenError::Io { path, error }
        }
        Failure::OtherTopic(found) => OpenError::OtherTopic { path, found },
        Failure::Corrupt { file, offset, reason } => OpenError::Corrupt { file, offset, reason },
    })
}

enum Failure {
    Io(io::Error),
    OtherTopic(klamm_protocol::ids::TopicId),
    Corrupt {
        file: PathBuf,
        offset: i64,
        reason: String,
    },
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Failure {
        match error.downcast::<Damaged>() {
            Ok(Damaged {
                file,
                base_offset,
                reason,
            }) => Failure::Corrupt {
                file,
                offset: base_offset,
                reason,
            },
            Err(error) => Failure::Io(error),
        }
    }
}

struct Recovery<'a> {
    fs: &'a dyn Fs,
    directory: &'a Arc<Directory>,
    path: &'a Path,
    options: &'a OpenOptions,
    interval: u64,
    /// Offsets without a record are no sign of damage.
    gaps: bool,
    /// Nothing is checked that need not be.
    clean: bool,
    /// What is not below the recovery point is written again: see [`DOUBT_FILE`], or the log was cut.
    in_doubt: bool,
}

/// What a look at the segments gave.
struct Checked {
    /// Those that remain.
    kept: Vec<Extent>,
    /// The log end offset.
    end: i64,
    /// From here on batches were checked.
    from: i64,
    /// Where the first segment begins of whose files one was missing or wrong.
    mended_from: i64,
}

impl Recovery<'_> {
    fn run(mut self) -> Result<Recovered, Failure> {
        let created = !self.fs.exists(self.path)?;
        if created {
            self.create()?;
        }
        self.check_topic()?;
        let mut segments = self.sweep()?;
        let bound = recovery_bound(self.fs, self.path)?;
        // What the checkpoints say beyond the bound may be about another log, or about this one before a cut.
        let believed = |offset: i64| offset.min(bound.unwrap_or(i64::MAX)).max(0);
        if segments.is_empty() {
            segments.push(self.fresh(believed(self.options.log_start_offset))?);
        }
        let trusted = if self.clean {
            i64::MAX
        } else {
            believed(self.options.recovery_point)
        };
        let mut checked = self.check_segments(segments.clone(), trusted)?;
        let recovery_point = self.options.recovery_point;
        if self.clean && !created && checked.end != recovery_point {
            // The last head alone has said so, and its offset lies outside the CRC.
            warn!(path = %self.path.display(), end = checked.end, recovery_point, "the log ends somewhere else");
            self.clean = false;
            checked = self.check_segments(segments, believed(recovery_point))?;
        }
        let end = checked.end;
        let first_base = checked.kept[0].segment.base_offset;
        let mut log_start_offset = believed(self.options.log_start_offset).max(first_base);
        if log_start_offset > end {
            // While a log is cut, the checkpoints may speak of what was there before.
            if bound.is_none() {
                return Err(Failure::Corrupt {
                    file: self.path.to_owned(),
                    offset: end,
                    reason: format!("the checkpoint says that the log starts at {log_start_offset}"),
                });
            }
            log_start_offset = end;
        }
        let (epochs, changed) = self.epochs(&checked, log_start_offset)?;
        if changed {
            // The recovery point is about to be the end: what lies below must not depend on this file's past.
            let text = checkpoint::epochs_text(epochs.entries());
            sys::replace(self.fs, &self.path.join(EPOCHS_FILE), text)?;
        }
        let (producers, has_snapshot) = self.producers(&checked)?;
        if !self.clean {
            self.fs.sync_dir(self.path)?;
        }
        let Checked { kept, from, .. } = checked;
        let had_producers = has_snapshot || producers.len() > 0;
        // Before a crash, the end may have been compacted further than it now reaches.
        let compacted_to = believed(self.options.compacted_to).min(end);
        let bound = if created {
            bound
        } else {
            self.settle_bound(bound, end)?
        };
        let facts = kept.iter().map(|extent| facts(self.fs, extent));
        let segments = facts.collect::<io::Result<Vec<_>>>()?;
        if self.in_doubt {
            absent_is_fine(self.fs.remove(&self.path.join(DOUBT_FILE)))?;
        }
        Ok(Recovered {
            segments,
            log_start_offset,
            log_end_offset: end,
            recovery_point: end,
            epochs,
            producers,
            had_producers,
            compacted_to,
            bound,
            is_settled: !created && !changed && from == i64::MAX,
        })
    }

    fn create(&self) -> io::Result<()> {
        self.fs.create_dir(self.path)?;
        // Empty means 0. The checkpoints may still speak of a log that had this name before.
        self.fs.open(&self.path.join(RECOVERY_BOUND_FILE), Mode::Create)?;
        self.fresh(self.options.log_start_offset.max(0))?;
        self.write_topic()
    }

    /// The file comes last, and after the directory's own name is durable: where it stands, the log was created.
    fn write_topic(&self) -> io::Result<()> {
        if let Some(parent) = self.path.parent() {
            self.fs.sync_dir(parent)?;
        }
        let topic_id = self.options.key.topic_id;
        PartitionMetadata { topic_id }.write(self.fs, self.path)
    }

    /// An empty segment whose names are durable.
    fn fresh(&self, base_offset: i64) -> io::Result<Extent> {
        let segment = Segment::new(self.directory, base_offset, true);
        segment.create(self.fs)?;
        self.fs.sync_dir(self.path)?;
        Ok(Extent {
            segment,
            size: 0,
            modified_ms: self.options.now_ms,
            version: 0,
        })
    }

    fn check_topic(&self) -> Result<(), Failure> {
        let wanted = self.options.key.topic_id;
        let damaged = |reason| Failure::Corrupt {
            file: self.path.join(PARTITION_FILE),
            offset: 0,
            reason,
        };
        match PartitionMetadata::read(self.fs, self.path)? {
            Some(Ok(metadata)) if metadata.topic_id == wanted => Ok(()),
            Some(Ok(metadata)) if metadata.is_damaged(wanted) => {
                let found = metadata.topic_id;
                Err(damaged(format!(
                    "topic id {found} is {wanted} with one character changed"
                )))
            }
            Some(Ok(metadata)) => Err(Failure::OtherTopic(metadata.topic_id)),
            Some(Err(reason)) => Err(damaged(reason)),
            // A crash while the log was created.
            None => {
                // The bound's name comes before any segment's, so it is missing only where they are.
                if !self
                    .fs
                    .list_dir(self.path)?
                    .iter()
                    .any(|entry| entry.name.ends_with(LOG))
                {
                    self.fs.open(&self.path.join(RECOVERY_BOUND_FILE), Mode::Create)?;
                }
                Ok(self.write_topic()?)
            }
        }
    }

    /// Removes what a crash left half done; gives the segments, oldest first.
    fn sweep(&self) -> io::Result<Vec<Extent>> {
        compaction::finish_swaps(self.fs, self.path)?;
        let entries = self.fs.list_dir(self.path)?;
        let base_offsets: Vec<i64> = entries
            .iter()
            .filter_map(|entry| segment::offset_of(&entry.name, LOG))
            .collect();
        let orphan = |name: &str| {
            [INDEX, TIME_INDEX, TXN_INDEX]
                .iter()
                .find_map(|suffix| segment::offset_of(name, suffix))
                .is_some_and(|offset| base_offsets.binary_search(&offset).is_err())
        };
        let half_done = |name: &str| {
            [DELETED, ".tmp", CLEANED]
                .iter()
                .any(|suffix| name.ends_with(suffix))
        };
        let mut segments = Vec::new();
        for DirEntry {
            name,
            is_dir,
            len,
            modified_ms,
        } in entries
        {
            if is_dir {
                continue;
            }
            if half_done(&name) || orphan(&name) {
                self.fs.remove(&self.path.join(&name))?;
            } else if let Some(base_offset) = segment::offset_of(&name, LOG) {
                // The names are synced before the log is used.
                let segment = Segment::new(self.directory, base_offset, true);
                segments.push(Extent {
                    segment,
                    size: len,
                    modified_ms,
                    version: 0,
                });
            }
        }
        Ok(segments)
    }

    /// All is durable up to `end`. The bound goes when the checkpoints say nothing any more that is wrong.
    fn settle_bound(&self, bound: Option<i64>, end: i64) -> io::Result<Option<i64>> {
        let Some(bound) = bound else { return Ok(None) };
        let path = self.path.join(RECOVERY_BOUND_FILE);
        if self.options.log_start_offset > bound {
            return Ok(Some(bound));
        }
        if self.options.recovery_point <= end {
            self.fs.remove(&path)?;
            return Ok(None);
        }
        sys::replace(self.fs, &path, format!("0\n{end}\n").into())?;
        Ok(Some(end))
    }

    /// Checks segments one after the other.
    fn check_segments(&self, segments: Vec<Extent>, trusted: i64) -> Result<Checked, Failure> {
        let mut kept: Vec<Extent> = Vec::with_capacity(segments.len());
        let (mut from, mut mended_from) = (i64::MAX, i64::MAX);
        let mut walk = Walk {
            end: segments[0].segment.base_offset,
            epoch: -1,
        };
        let mut rest = segments.into_iter().peekable();
        while let Some(mut extent) = rest.next() {
            let base_offset = extent.segment.base_offset;
            let next_base = rest.peek().map(|next| next.segment.base_offset);
            let gap = base_offset > walk.end && !self.gaps;
            if base_offset >= trusted && (gap || base_offset < walk.end) {
                warn!(path = %self.path.display(), base_offset, end = walk.end, "a segment does not follow");
                self.drop_segments(std::iter::once(extent).chain(rest.by_ref()))?;
                break;
            }
            walk.end = walk.end.max(base_offset);
            let is_checked = next_base.is_none_or(|next| next >= trusted);
            if is_checked && self.in_doubt {
                // On the disk they may be other than they look.
                for index in [&extent.segment.index, &extent.segment.time_index] {
                    index.close();
                    absent_is_fine(self.fs.remove(&index.path()))?;
                }
            }
            let fit = sidecars_fit(self.fs, &extent, self.interval)?;
            if !fit {
                mended_from = mended_from.min(base_offset);
            }
            // A recovery point right at the end may be older than the last entries of the indexes.
            if let Some(next) = next_base.filter(|_| !is_checked) {
                if !fit {
                    self.rebuild_indexes(&extent)?;
                }
                walk.end = next;
                kept.push(extent);
                continue;
            }
            let before = walk;
            if fit
                && self.clean_end(&extent, &mut walk)?
                && (self.clean || (walk.end == trusted && self.is_barely_indexed(&extent)?))
            {
                // All is durable: there is nothing to check and nothing to sync.
                kept.push(extent);
                continue;
            }
            walk = before;
            let whole = self.check_batches(&mut extent, fit, trusted, &mut walk, next_base.is_some())?;
            from = from.min(trusted.max(base_offset));
            kept.push(extent);
            if !whole {
                self.drop_segments(rest.by_ref())?;
                break;
            }
        }
        Ok(Checked {
            kept,
            end: walk.end,
            from,
            mended_from,
        })
    }

    /// From the newest down, so that a crash leaves a log without a gap.
    fn drop_segments(&self, segments: impl Iterator<Item = Extent>) -> io::Result<()> {
        let segments: Vec<Extent> = segments.collect();
        for extent in segments.iter().rev() {
            extent.segment.mark_deleted(self.fs)?;
            extent.segment.remove_deleted(self.fs)?;
        }
        Ok(())
    }

    /// After a clean shutdown the heads of the last segment are walked from its last index entry to its end. Gives
    /// whether that was possible.
    fn clean_end(&self, extent: &Extent, walk: &mut Walk) -> Result<bool, Failure> {
        let log = extent.segment.log.open(self.fs, Mode::Write)?;
        let start = start_position(self.fs, &extent.segment, &*log, extent.size, i64::MAX)?;
        let mut scanner = Scanner::new(&*log, start, extent.size, READ_HEADS);
        let mut follows = start == 0;
        loop {
            match scanner.next_header() {
                Ok(Some((_, header))) => {
                    if walk.step(&header, follows, self.gaps).is_err() {
                        return Ok(false);
                    }
                    follows = true;
                }
                Ok(None) => return Ok(true),
                Err(ScanError::Io(error)) => return Err(error.into()),
                Err(ScanError::Batch { .. }) => return Ok(false),
            }
        }
    }

    /// Whether the indexes have no entry but a last one, which was compared with its batch, and the time index tells
    /// of all batches that the other does: those of a segment that is appended to are not synced, and more of their
    /// entries may have holes after a power cut.
    fn is_barely_indexed(&self, extent: &Extent) -> Result<bool, Failure> {
        let segment = &extent.segment;
        let index = segment.index.open(self.fs, Mode::Write)?;
        let time_index = segment.time_index.open(self.fs, Mode::Write)?;
        if index.len()? > index::OFFSET_ENTRY || time_index.len()? > index::TIME_ENTRY {
            return Ok(false);
        }
        let last = TimeIndex::new(&*time_index, segment.base_offset)?.last()?;
        let Some(indexed) = OffsetIndex::new(&*index, segment.base_offset)?.last()? else {
            return Ok(true);
        };
        let log = segment.log.open(self.fs, Mode::Write)?;
        let mut scanner = Scanner::new(&*log, 0, extent.size, READ_HEADS);
        loop {
            match scanner.next_header() {
                Ok(Some((_, header))) if header.max_timestamp_ms > last.map_or(-1, |last| last.ms) => {
                    return Ok(false);
                }
                Ok(Some((position, _))) if position < indexed.position => {}
                Err(ScanError::Io(error)) => return Err(error.into()),
                Ok(_) | Err(ScanError::Batch { .. }) => return Ok(true),
            }
        }
    }

    /// Of a segment below the recovery point.
    fn rebuild_indexes(&self, extent: &Extent) -> Result<(), Failure> {
        info!(path = %self.path.display(), base_offset = extent.segment.base_offset, "rebuilding indexes");
        let mut walk = Walk {
            end: extent.segment.base_offset,
            epoch: -1,
        };
        self.check_batches(&mut extent.clone(), false, i64::MAX, &mut walk, true)?;
        Ok(())
    }

    /// Rebuilds the indexes, and checks the batches from `trusted` on, or all where an index did not `fit`; below that,
    /// their heads. Damage below `trusted` is refused; beyond it, the segment is cut. Gives whether nothing was cut.
    fn check_batches(
        &self,
        extent: &mut Extent,
        fit: bool,
        trusted: i64,
        walk: &mut Walk,
        sealed: bool,
    ) -> Result<bool, Failure> {
        let segment = &extent.segment;
        let log = segment.log.open(self.fs, Mode::Write)?;
        let mut rebuilt = Rebuilt::new(segment.base_offset);
        let mut trusting = fit && walk.end < trusted;
        let read_ahead = if trusting { READ_HEADS } else { READ_ALL };
        let mut scanner = Scanner::new(&*log, 0, extent.size, read_ahead);
        let (mut position, mut untrusted_from) = (0, None);
        let damage = loop {
            let next = if trusting {
                scanner.next_header()
            } else {
                scanner.next_checked()
            };
            let reason = match next {
                Ok(None) => break None,
                // A head that is wrong may say that it reaches as far.
                Ok(Some((at, header))) if trusting && header.last_offset() >= trusted - 1 => {
                    trusting = false;
                    scanner = Scanner::new(&*log, at, extent.size, READ_ALL);
                    continue;
                }
                Ok(Some((at, header))) => match walk.step(&header, true, self.gaps) {
                    Ok(()) => {
                        rebuilt.batch(&header, at, self.interval);
                        if header.last_offset() >= trusted {
                            untrusted_from.get_or_insert(at);
                        }
                        position = at + header.total_size() as u64;
                        continue;
                    }
                    Err(reason) => reason.to_owned(),
                },
                Err(ScanError::Io(error)) => return Err(error.into()),
                Err(ScanError::Batch { error, .. }) => error.to_string(),
            };
            break Some(reason);
        };
        if let Some(reason) = &damage {
            if walk.end < trusted {
                return Err(Failure::Corrupt {
                    file: segment.log.path(),
                    offset: walk.end,
                    reason: format!("at position {position}: {reason}"),
                });
            }
            let lost_bytes = extent.size - position;
            warn!(path = %self.path.display(), offset = walk.end, lost_bytes, reason, "cutting the log's end");
            log.set_len(position)?;
            extent.size = position;
        }
        if self.in_doubt {
            write_again(&*log, untrusted_from.unwrap_or(position), position)?;
        }
        log.sync_data()?;
        rebuilt.write(self.fs, segment, sealed && damage.is_none())?;
        Ok(damage.is_none())
    }

    fn epochs(&self, checked: &Checked, log_start_offset: i64) -> Result<(LeaderEpochs, bool), Failure> {
        let Checked {
            ref kept, end, from, ..
        } = *checked;
        let found = match checkpoint::read_epochs(self.fs, &self.path.join(EPOCHS_FILE)) {
            Ok(found) => found,
            Err(checkpoint::CheckpointError::Io(error)) => return Err(error.into()),
            Err(error) => {
                warn!(path = %self.path.display(), %error, "rebuilding leader epochs");
                None
            }
        };
        if let Some(entries) = found {
            let mut epochs = LeaderEpochs::from_entries(entries);
            let mut changed = epochs.truncate_from_end(end);
            let starts = epochs
                .entries()
                .first()
                .is_none_or(|first| first.1 <= log_start_offset);
            if starts && self.epochs_fit(&epochs, kept, log_start_offset, end.min(from))? {
                replay(self.fs, kept, from, |_, header, _| {
                    changed |= epochs.assign(header.leader_epoch, header.base_offset);
                    Ok(())
                })?;
                changed |= epochs.truncate_from_start(log_start_offset);
                return Ok((epochs, changed));
            }
            warn!(path = %self.path.display(), "leader epochs do not fit the log: rebuilding them");
        }
        let mut epochs = LeaderEpochs::default();
        replay(self.fs, kept, log_start_offset, |_, header, _| {
            epochs.assign(header.leader_epoch, header.base_offset.max(log_start_offset));
            Ok(())
        })?;
        let changed = !epochs.entries().is_empty();
        Ok((epochs, changed))
    }

    /// Whether the batches on both sides of each epoch's start, and the last one below `known_end`, are of the
    /// epochs that the file says. It has no checksum of its own.
    fn epochs_fit(
        &self,
        epochs: &LeaderEpochs,
        kept: &[Extent],
        log_start_offset: i64,
        known_end: i64,
    ) -> io::Result<bool> {
        let compact = self.gaps;
        let starts = epochs
            .entries()
            .iter()
            .map(|entry| entry.1)
            .filter(|start| *start > log_start_offset);
        let inside = starts.clone().chain([known_end]).map(|end| end - 1);
        for offset in starts
            .chain(inside)
            .filter(|offset| (log_start_offset..known_end).contains(offset))
        {
            let mut fits = true;
            replay_while(self.fs, kept, offset, |_, header, _| {
                // Where compaction has taken the batch, the next one may be of a later epoch.
                let gone = compact && header.base_offset > offset;
                fits = gone || epochs.epoch_of(offset) == Some(header.leader_epoch);
                Ok(false)
            })?;
            if !fits {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn producers(&self, checked: &Checked) -> io::Result<(Producers, bool)> {
        let Checked {
            ref kept, end, from, ..
        } = *checked;
        let bases: Vec<i64> = kept.iter().map(|extent| extent.segment.base_offset).collect();
        let mut snapshots = Vec::new();
        for entry in self.fs.list_dir(self.path)? {
            let Some(offset) = segment::offset_of(&entry.name, SNAPSHOT) else {
                continue;
            };
            if offset > end {
                self.fs.remove(&self.path.join(&entry.name))?;
            } else {
                snapshots.push(offset);
            }
        }
        // Of old snapshots those at the start of a segment remain, and the newest.
        for offset in snapshots
            .iter()
            .rev()
            .skip(1)
            .filter(|offset| bases.binary_search(offset).is_err())
        {
            self.fs
                .remove(&self.path.join(segment::file_name(*offset, SNAPSHOT)))?;
        }
        if Bug::LostSequence.is_on() {
            return Ok((Producers::default(), true));
        }
        let mended_from = self.transactions_unfit_from(checked)?.min(checked.mended_from);
        let rebuild = !self.clean || mended_from < i64::MAX;
        let (mut producers, from) = newest_snapshot(self.fs, self.path, kept, end.min(from))?;
        if mended_from < from {
            let (mut earlier, from) = newest_snapshot(self.fs, self.path, kept, mended_from)?;
            self.replay_transactions(kept, &mut earlier, from, true)?;
        }
        self.replay_transactions(kept, &mut producers, from, rebuild)?;
        producers.replicated(i64::MAX);
        if Bug::ForgottenTransaction.is_on() {
            producers.forget_transactions();
        }
        Ok((producers, !snapshots.is_empty()))
    }

    /// Where the first segment begins whose index of aborted transactions cannot be right.
    fn transactions_unfit_from(&self, checked: &Checked) -> io::Result<i64> {
        let nexts = checked.kept.iter().skip(1);
        let ends = nexts.map(|next| next.segment.base_offset).chain([checked.end]);
        for (extent, end) in checked.kept.iter().zip(ends) {
            let base_offset = extent.segment.base_offset;
            match extent.segment.txn_index.open(self.fs, Mode::Write) {
                Ok(file) if transactions::fit(&*file, base_offset..end)? => {}
                Ok(_) => return Ok(base_offset),
                Err(error) => absent_is_fine(Err(error))?,
            }
        }
        Ok(i64::MAX)
    }

    /// Replays the batches from a snapshot at `from` on. With `rebuild`, the indexes of aborted transactions are made
    /// again as far as they belong to these batches: below a snapshot everything is durable, but behind it the index
    /// of a segment that is appended to is not synced.
    fn replay_transactions(
        &self,
        kept: &[Extent],
        producers: &mut Producers,
        from: i64,
        rebuild: bool,
    ) -> io::Result<()> {
        let mut aborted: BTreeMap<i64, Vec<u8>> = BTreeMap::new();
        replay(self.fs, kept, from, |segment, header, control| {
            if let Some(ended) = producers.appended(header, control).filter(|ended| ended.aborted) {
                transactions::put_aborted(aborted.entry(segment.base_offset).or_default(), &ended);
            }
            Ok(())
        })?;
        let first = kept.partition_point(|extent| extent.segment.base_offset <= from);
        for extent in kept[first.saturating_sub(1)..].iter().filter(|_| rebuild) {
            let entries = aborted.remove(&extent.segment.base_offset).unwrap_or_default();
            self.rebuild_transactions(&extent.segment, from, &entries)?;
        }
        Ok(())
    }

    /// The file is replaced as a whole: one that a crash left half made could not be told from a right one.
    fn rebuild_transactions(&self, segment: &Segment, from: i64, entries: &[u8]) -> io::Result<()> {
        let file = match segment.txn_index.open(self.fs, Mode::Write) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound && entries.is_empty() => return Ok(()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                segment.txn_index.open(self.fs, Mode::Create)?
            }
            Err(error) => return Err(error),
        };
        let path = segment.txn_index.path();
        let found = sys::read_all(self.fs, &path, usize::MAX)?;
        let kept = if from <= segment.base_offset {
            0
        } else {
            usize::try_from(transactions::len_below(&*file, from)?).unwrap_or(usize::MAX)
        };
        let content = [&found[..kept], entries].concat();
        if content == found && !self.in_doubt {
            return file.sync_data();
        }
        segment.txn_index.close();
        sys::replace(self.fs, &path, content.into())
    }
}

/// The offset up to which the checkpoints count, when a truncation or the creation of the log has set one.
fn recovery_bound(fs: &dyn Fs, directory: &Path) -> io::Result<Option<i64>> {
    let content = match sys::read_all(fs, &directory.join(RECOVERY_BOUND_FILE), 100) {
        Ok(content) => content,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) if error.kind() == io::ErrorKind::InvalidData => return Ok(Some(0)),
        Err(error) => return Err(error),
    };
    // One that cannot be read bounds at 0: everything is checked.
    let text = String::from_utf8(content).unwrap_or_default();
    let offset = text
        .strip_prefix("0\n")
        .and_then(|rest| rest.trim_end().parse().ok());
    Ok(Some(offset.unwrap_or(0)))
}

/// Makes bytes and the length dirty, so that the next sync brings them to the disk: after one that failed, the page
/// cache takes them for clean.
fn write_again(log: &dyn File, start: u64, end: u64) -> io::Result<()> {
    let mut position = start;
    while position < end {
        let step = usize::try_from(end - position).map_or(READ_ALL, |left| left.min(READ_ALL));
        let mut bytes = vec![0; step];
        sys::read_exact_at(log, position, &mut bytes)?;
        log.write_at(position, &[bytes.into()])?;
        position += step as u64;
    }
    log.set_len(end)
}

/// What the next batch has to follow.
#[derive(Clone, Copy)]
struct Walk {
    end: i64,
    epoch: i32,
}

impl Walk {
    fn step(&mut self, header: &BatchHeader, follows: bool, gaps: bool) -> Result<(), &'static str> {
        if header.last_offset_delta < 0 || header.base_offset < 0 {
            return Err("its offsets make no sense");
        }
        // After a start in the middle the first batch holds an offset that is known to be there.
        if follows && (header.base_offset < self.end || (header.base_offset > self.end && !gaps)) {
            return Err("its offset does not follow");
        }
        if header.leader_epoch < self.epoch {
            return Err("its leader epoch is older than the one before");
        }
        self.epoch = header.leader_epoch;
        self.end = header.last_offset() + 1;
        Ok(())
    }
}
