//! Why connections are closed: each reason is counted, and told in the log at most now and then for each peer.

#![allow(
    clippy::disallowed_types,
    reason = "the shell has a clock and shares its counters between threads"
)]

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::frames::ReadError;
use crate::CloseReason;
use crate::router::Refusal;

/// Lines about one peer are at least this far apart.
const QUIET: Duration = Duration::from_secs(10);

/// Peers that are remembered for that.
const PEERS_MAX: usize = 1024;

/// Why a connection ended.
#[derive(Debug, thiserror::Error)]
pub(super) enum Ending {
    #[error("{0}")]
    Read(#[from] ReadError),
    #[error("{0}")]
    Refused(Box<Refusal>),
    #[error("an answer could not be encoded")]
    Unencodable,
    #[error("sending failed: {0}")]
    Send(std::io::Error),
    #[error("no request came within connections.max.idle.ms")]
    Idle,
    #[error("a request that had begun did not go on for 30 s")]
    HalfFrame,
    #[error("a large request came slower than 64 KiB/s while others waited for memory")]
    SlowSender,
    #[error("an answer was not taken for 60 s")]
    SlowReader,
    #[error("there are already max.connections connections")]
    TooMany,
    #[error("there are already max.connections.per.ip connections from this address")]
    TooManyOfIp,
    #[error("a produce request with acks=0 failed")]
    UnacknowledgedProduceFailed,
    #[error("the broker shuts down")]
    Shutdown,
}

/// Names of the counters, by [`Ending::kind`].
const KINDS: [&str; 14] = [
    "by_client",
    "truncated",
    "bad_length",
    "io_error",
    "unsupported",
    "undecodable",
    "unencodable",
    "idle",
    "half_frame",
    "slow_sender",
    "slow_reader",
    "too_many",
    "acks_0_failed",
    "shutdown",
];

impl Ending {
    /// Index of its counter.
    fn kind(&self) -> usize {
        match self {
            Ending::Read(ReadError::Closed) => 0,
            Ending::Read(ReadError::Truncated) => 1,
            Ending::Read(ReadError::Length(_) | ReadError::TooLarge { .. }) => 2,
            Ending::Read(ReadError::Io(_)) | Ending::Send(_) => 3,
            Ending::Refused(refusal) if matches!(**refusal, Refusal::Unsupported { .. }) => 4,
            Ending::Refused(_) => 5,
            Ending::Unencodable => 6,
            Ending::Idle => 7,
            Ending::HalfFrame => 8,
            Ending::SlowSender => 9,
            Ending::SlowReader => 10,
            Ending::TooMany | Ending::TooManyOfIp => 11,
            Ending::UnacknowledgedProduceFailed => 12,
            Ending::Shutdown => 13,
        }
    }

    /// Clients come and go, and idle ones are sent away: nobody has to read about that.
    fn is_ordinary(&self) -> bool {
        matches!(self.kind(), 0 | 3 | 7 | 13)
    }
}

impl From<CloseReason> for Ending {
    fn from(reason: CloseReason) -> Ending {
        match reason {
            CloseReason::UnacknowledgedProduceFailed => Ending::UnacknowledgedProduceFailed,
            CloseReason::Shutdown => Ending::Shutdown,
        }
    }
}

/// Counts endings and writes the log lines about them.
#[derive(Default)]
pub(super) struct Endings {
    counts: [AtomicU64; KINDS.len()],
    peers: Mutex<BTreeMap<IpAddr, Peer>>,
}

struct Peer {
    told: Instant,
    untold: u64,
}

impl Endings {
    /// Takes note of the end of a connection.
    pub(super) fn note(&self, peer: IpAddr, ending: &Ending) {
        self.counts[ending.kind()].fetch_add(1, Ordering::Relaxed);
        if ending.is_ordinary() {
            tracing::debug!(%peer, "connection ended: {ending}");
        } else if let Some(untold) = self.may_tell(peer, Instant::now()) {
            let more = if untold > 0 {
                format!(" ({untold} more since the last line)")
            } else {
                String::new()
            };
            tracing::warn!("closed a connection from {peer}: {ending}{more}");
        }
    }

    /// Whether a line about this peer may be written now, and how many were left out since the last.
    fn may_tell(&self, peer: IpAddr, now: Instant) -> Option<u64> {
        let mut peers = self.peers.lock().expect("nothing panics while it is held");
        if let Some(known) = peers.get_mut(&peer) {
            if now.duration_since(known.told) < QUIET {
                known.untold += 1;
                return None;
            }
            known.told = now;
            return Some(std::mem::take(&mut known.untold));
        }
        if peers.len() >= PEERS_MAX {
            peers.retain(|_, known| now.duration_since(known.told) < QUIET);
            if peers.len() >= PEERS_MAX {
                return None;
            }
        }
        peers.insert(peer, Peer { told: now, untold: 0 });
        Some(0)
    }

    /// How many connections ended for each reason so far.
    pub(super) fn counts(&self) -> Vec<(&'static str, u64)> {
        let counts = self.counts.iter().map(|count| count.load(Ordering::Relaxed));
        KINDS.into_iter().zip(counts).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_is_told_about_once_in_ten_seconds_and_what_was_left_out_is_counted() {
        let endings = Endings::default();
        let (one, other) = ("192.0.2.1".parse().unwrap(), "192.0.2.2".parse().unwrap());
        let start = Instant::now();
        assert_eq!(endings.may_tell(one, start), Some(0));
        assert_eq!(endings.may_tell(one, start + Duration::from_secs(9)), None);
        assert_eq!(endings.may_tell(other, start), Some(0));
        assert_eq!(endings.may_tell(one, start + Duration::from_secs(10)), Some(1));
        endings.note(one, &Ending::Idle);
        assert!(endings.counts().contains(&("idle", 1)));
    }
}
