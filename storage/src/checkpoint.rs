//! The small text files beside the logs, in Kafka's format of a version, a count, and one line an entry.
//!
//! ```text
//! 0                 version
//! 2                 number of lines that follow
//! orders 0 4711     topic, partition, offset      (recovery-point-, log-start-, replication-offset-checkpoint)
//! orders 1 12
//! ```
//! and with `epoch start-offset` on each line in a log's own `leader-epoch-checkpoint`.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::io;
use std::path::Path;

use bytes::Bytes;
use thiserror::Error;

use crate::sys::{self, Fs};

/// Larger than any checkpoint of ours: 100 000 partitions with the longest names take half of it.
const SIZE_LIMIT: usize = 64 * 1024 * 1024;

/// Why a checkpoint cannot be used.
#[derive(Debug, Error)]
pub enum CheckpointError {
    /// The disk does not give it.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// It is not written as a checkpoint is.
    #[error("malformed checkpoint: {0}")]
    Malformed(&'static str),
}

/// Offsets by topic name and partition.
pub type Offsets = BTreeMap<(String, i32), i64>;

/// Reads one of a log directory's offset checkpoints; a missing file holds nothing.
///
/// # Errors
/// [`CheckpointError`]. Every checkpoint can be done without; what that costs is up to the caller.
pub fn read_offsets(fs: &dyn Fs, path: &Path) -> Result<Offsets, CheckpointError> {
    let Some(content) = read(fs, path)? else {
        return Ok(Offsets::new());
    };
    let mut offsets = Offsets::new();
    for line in lines(&content)? {
        let mut words = line.split(' ');
        let (Some(topic), Some(partition), Some(offset), None) =
            (words.next(), words.next(), words.next(), words.next())
        else {
            return Err(CheckpointError::Malformed(
                "a line is not `topic partition offset`",
            ));
        };
        let partition = number(partition)?;
        offsets.insert((topic.to_owned(), partition), number(offset)?);
    }
    Ok(offsets)
}

/// Replaces one of a log directory's offset checkpoints, durably.
pub fn write_offsets<'a>(
    fs: &dyn Fs,
    path: &Path,
    offsets: impl Iterator<Item = (&'a str, i32, i64)>,
) -> io::Result<()> {
    let (mut lines, mut count) = (String::new(), 0);
    for (topic, partition, offset) in offsets {
        writeln!(lines, "{topic} {partition} {offset}").expect("writing to a String cannot fail");
        count += 1;
    }
    lines.insert_str(0, &format!("0\n{count}\n"));
    sys::replace(fs, path, lines.into())
}

/// Reads a log's leader epochs; `None` when there is no file.
pub(crate) fn read_epochs(fs: &dyn Fs, path: &Path) -> Result<Option<Vec<(i32, i64)>>, CheckpointError> {
    let Some(content) = read(fs, path)? else {
        return Ok(None);
    };
    let mut epochs: Vec<(i32, i64)> = Vec::new();
    for line in lines(&content)? {
        let (epoch, start) = line
            .split_once(' ')
            .ok_or(CheckpointError::Malformed("a line is not `epoch start-offset`"))?;
        let (epoch, start) = (number(epoch)?, number(start)?);
        if epochs
            .last()
            .is_some_and(|last| last.0 >= epoch || last.1 > start)
        {
            return Err(CheckpointError::Malformed("epochs do not ascend"));
        }
        epochs.push((epoch, start));
    }
    Ok(Some(epochs))
}

/// The content of a log's leader epoch checkpoint.
pub(crate) fn epochs_text(epochs: &[(i32, i64)]) -> Bytes {
    let mut text = format!("0\n{}\n", epochs.len());
    for (epoch, start) in epochs {
        writeln!(text, "{epoch} {start}").expect("writing to a String cannot fail");
    }
    text.into()
}

fn read(fs: &dyn Fs, path: &Path) -> Result<Option<String>, CheckpointError> {
    match sys::read_all(fs, path, SIZE_LIMIT) {
        Ok(bytes) => match String::from_utf8(bytes) {
            Ok(text) => Ok(Some(text)),
            Err(_) => Err(CheckpointError::Malformed("not UTF-8")),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// The entries' lines, after version and count were found right. An empty file, which Kafka makes too, has none.
fn lines(content: &str) -> Result<Vec<&str>, CheckpointError> {
    if content.is_empty() {
        return Ok(Vec::new());
    }
    let mut lines = content.lines();
    if lines.next() != Some("0") {
        return Err(CheckpointError::Malformed("the version is not 0"));
    }
    let count: usize = number(lines.next().unwrap_or_default())?;
    let lines: Vec<&str> = lines.collect();
    if lines.len() == count {
        Ok(lines)
    } else {
        Err(CheckpointError::Malformed("lines are missing"))
    }
}

fn number<T: std::str::FromStr>(text: &str) -> Result<T, CheckpointError> {
    text.parse()
        .map_err(|_| CheckpointError::Malformed("not a number"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::Mode;
    use crate::sys::memory::MemoryFs;

    #[test]
    fn offsets_come_back_in_kafkas_format() {
        let (fs, path) = (MemoryFs::new(), Path::new("/recovery-point-offset-checkpoint"));
        assert!(read_offsets(&fs, path).unwrap().is_empty());
        let offsets = Offsets::from([(("t".to_owned(), 0), 4000), (("a.b".to_owned(), 12), 0)]);
        let lines = offsets
            .iter()
            .map(|((topic, partition), offset)| (&**topic, *partition, *offset));
        write_offsets(&fs, path, lines).unwrap();
        assert_eq!(
            sys::read_all(&fs, path, 100).unwrap(),
            b"0\n2\na.b 12 0\nt 0 4000\n"
        );
        assert_eq!(read_offsets(&fs, path).unwrap(), offsets);
    }

    #[test]
    fn a_damaged_checkpoint_is_an_error_and_not_a_guess() {
        let fs = MemoryFs::new();
        for (number, content) in [
            "1\n0\n",
            "0\n2\nt 0 1\n",
            "0\nx\n",
            "0\n1\nt 0\n",
            "0\n1\nt 0 -\n",
            "0",
        ]
        .iter()
        .enumerate()
        {
            let path = format!("/c{number}");
            let file = fs.open(Path::new(&path), Mode::Create).unwrap();
            file.write_at(0, &[Bytes::from_static(content.as_bytes())])
                .unwrap();
            assert!(read_offsets(&fs, Path::new(&path)).is_err(), "{content:?}");
        }
    }
}
