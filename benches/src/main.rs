//! Measurements that take minutes, of the disk alone and of logs on it: what single steps take at a steady rate, and
//! how many bytes a second go through. Each works in a temporary directory below DIRECTORY; what `docs/performance.md`
//! says comes from here.

mod disk;
mod log;
mod times;

use std::io;
use std::path::Path;
use std::time::Duration;

const USAGE: &str = "\
usage: klamm-benches writes DIRECTORY SECONDS   the disk alone, written at 100 MB/s in several ways, SECONDS each
       klamm-benches syncs DIRECTORY            the disk alone, many files made durable in several ways
       klamm-benches reads DIRECTORY            the disk alone, read in three ways
       klamm-benches paced DIRECTORY SECONDS    logs, appended to at a steady rate
       klamm-benches throughput DIRECTORY       logs, beside memcpy, write and pread";

fn main() -> io::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let seconds = |text: &str| text.parse().map(Duration::from_secs).map_err(io::Error::other);
    match arguments[..] {
        ["writes", directory, text] => disk::writes(Path::new(directory), seconds(text)?),
        ["syncs", directory] => disk::syncs(Path::new(directory)),
        ["reads", directory] => disk::reads(Path::new(directory)),
        ["paced", directory, text] => log::paced(Path::new(directory), seconds(text)?),
        ["throughput", directory] => log::throughput(Path::new(directory)),
        _ => Err(io::Error::other(USAGE)),
    }
}
