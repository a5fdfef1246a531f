//! Deliberate bugs. The simulator switches one on and has to find it: what finds none of them proves nothing.
//!
//! Compiled for the simulator alone (feature `sim`); in a broker that is shipped, no hook exists.

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
}

impl Bug {
    /// Every bug, and what it is called on the command line.
    pub const ALL: [(&'static str, Bug); 5] = [
        ("early-ack", Bug::EarlyAck),
        ("torn-batch", Bug::TornBatch),
        ("lost-sequence", Bug::LostSequence),
        ("early-commit", Bug::EarlyCommit),
        ("early-publish", Bug::EarlyPublish),
    ];

    /// Whether this thread's broker has this bug.
    pub fn is_on(self) -> bool {
        CURRENT.get() == Some(self)
    }
}

thread_local! {
    static CURRENT: Cell<Option<Bug>> = const { Cell::new(None) };
}

/// Gives the broker that runs on this thread a bug, or none.
pub fn plant(bug: Option<Bug>) {
    CURRENT.set(bug);
}
