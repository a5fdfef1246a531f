//! Deliberate bugs. The simulator switches one on and has to find it: what finds none of them proves nothing.
//!
//! They exist in the simulator's build alone (feature `sim`). In a broker that is shipped, [`Bug::is_on`] is `false`
//! to the compiler, and nothing is left of the hooks.

#[cfg(feature = "sim")]
use std::cell::Cell;

/// One bug.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bug {
    /// A Produce is answered as soon as its records have their offsets.
    EarlyAck,
    /// Recovery believes a batch whose CRC is wrong.
    TornBatch,
    /// Recovery forgets which sequences producers have reached.
    LostSequence,
    /// An offset commit is answered as soon as its record has an offset.
    EarlyCommit,
    /// Records count as acknowledged, and can be read, when only those before them are written.
    EarlyPublish,
    /// Who reads below the beginning of a log is given its first records.
    SkippedStart,
    /// Compaction takes the last record of a key too.
    LostKey,
    /// A sync that failed counts as one that did not.
    IgnoredSync,
    /// An append that found no room counts as written.
    IgnoredNoRoom,
    /// Recovery forgets which transactions are open.
    ForgottenTransaction,
}

impl Bug {
    /// Every bug, and what it is called on the command line.
    pub const ALL: [(&'static str, Bug); 10] = [
        ("early-ack", Bug::EarlyAck),
        ("torn-batch", Bug::TornBatch),
        ("lost-sequence", Bug::LostSequence),
        ("early-commit", Bug::EarlyCommit),
        ("early-publish", Bug::EarlyPublish),
        ("skipped-start", Bug::SkippedStart),
        ("lost-key", Bug::LostKey),
        ("ignored-sync", Bug::IgnoredSync),
        ("ignored-no-room", Bug::IgnoredNoRoom),
        ("forgotten-transaction", Bug::ForgottenTransaction),
    ];

    /// Whether this thread's broker has this bug.
    #[cfg(feature = "sim")]
    pub fn is_on(self) -> bool {
        CURRENT.get() == Some(self)
    }

    /// No: this is no simulator.
    #[cfg(not(feature = "sim"))]
    pub const fn is_on(self) -> bool {
        false
    }
}

#[cfg(feature = "sim")]
thread_local! {
    static CURRENT: Cell<Option<Bug>> = const { Cell::new(None) };
}

/// Gives the broker that runs on this thread a bug, or none.
#[cfg(feature = "sim")]
pub fn plant(bug: Option<Bug>) {
    CURRENT.set(bug);
}
