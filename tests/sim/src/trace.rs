//! What happened, as a hash: two runs of one seed must have the same.

use std::fmt::{self, Write};

/// FNV-1a over the text of every event; optionally the text itself, on standard error.
pub struct Trace {
    hash: u64,
    print: bool,
}

impl Trace {
    /// An empty trace; `print` shows the events as they come.
    pub fn new(print: bool) -> Trace {
        Trace {
            hash: 0xcbf2_9ce4_8422_2325,
            print,
        }
    }

    /// Adds what happened at a time.
    pub fn event(&mut self, now_us: u64, what: fmt::Arguments<'_>) {
        if self.print {
            eprintln!("{:>12.6} {what}", now_us as f64 / 1e6);
        }
        writeln!(self, "{now_us} {what}").expect("hashing does not fail");
    }

    /// The hash so far.
    pub fn hash(&self) -> u64 {
        self.hash
    }
}

impl Write for Trace {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for byte in text.bytes() {
            self.hash = (self.hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
        Ok(())
    }
}
