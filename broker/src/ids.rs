//! Time, and the names of what the core talks about with its surroundings.

use std::net::SocketAddr;
use std::sync::Arc;

/// What time it is, as told by whoever drives the core.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Now {
    /// Monotonic milliseconds since the process began: what deadlines are measured in.
    pub elapsed_ms: u64,
    /// Milliseconds since the Unix epoch: what is written into records. It may jump.
    pub unix_ms: i64,
}

/// A client connection, never used again after it closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId(pub u64);

/// What the core has to know about a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectionInfo {
    /// The name of the listener that accepted it; decides which address the client is told.
    pub listener: Arc<str>,
    /// Where the client is.
    pub peer: SocketAddr,
    /// The address that the client came in by.
    pub local: SocketAddr,
}

/// One request of one connection: whom an answer goes to. Sequences count up from 0 per connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId {
    /// The connection that asked.
    pub connection: ConnectionId,
    /// Its how manieth request this is.
    pub sequence: u64,
}

/// A queue of disk work that is done in order: one for the metadata log, one for each log directory, so that
/// none of them waits for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LaneId(pub u32);

impl LaneId {
    /// The lane of the metadata log.
    pub const METADATA: LaneId = LaneId(0);

    /// The lane of the log directory at `index` in `log.dirs`.
    pub fn of_log_dir(index: usize) -> LaneId {
        LaneId(u32::try_from(index + 1).expect("nobody has four billion log directories"))
    }
}

/// Why the broker closes a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CloseReason {
    /// A request with `acks=0` failed: there is no answer that could say so (Kafka does the same).
    UnacknowledgedProduceFailed,
    /// The broker shuts down.
    Shutdown,
}
