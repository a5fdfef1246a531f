//! Why connections are closed: each reason is counted, and told in the log at most now and then for each peer. Of
//! requests that nobody serves, each API is counted and told on its own.

#![allow(
    clippy::disallowed_types,
    reason = "the shell has a clock and shares its counters between threads"
)]

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use klamm_protocol::messages::APIS;

use super::frames::ReadError;
use crate::CloseReason;
use crate::router::Refusal;

/// Lines about one peer, or about one API that it asks for in vain, are at least this far apart.
const QUIET: Duration = Duration::from_secs(10);

/// Peers and their APIs that are remembered for that.
const SUBJECTS_MAX: usize = 1024;

/// Name of the counter of requests whose API key is none of Kafka's.
const UNKNOWN: &str = "unknown";

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

    /// Which counter of [`Endings::refused`] it is, when it is a request that nobody serves.
    fn refused_api(&self) -> Option<usize> {
        match self {
            Ending::Refused(refusal) => match **refusal {
                Refusal::Unsupported { key, .. } => {
                    let known = APIS.binary_search_by_key(&key, |api| api.key);
                    Some(known.unwrap_or(APIS.len()))
                }
                Refusal::Undecodable { .. } => None,
            },
            _ => None,
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

/// Who was at the other end.
pub(super) struct Peer<'a> {
    pub(super) address: SocketAddr,
    /// What its ApiVersions said of its software.
    pub(super) software: Option<&'a str>,
}

/// Counts endings and writes the log lines about them.
pub(super) struct Endings {
    counts: [AtomicU64; KINDS.len()],
    /// Requests that were not served, by index into [`APIS`]; the last are of unknown keys.
    refused: [AtomicU64; APIS.len() + 1],
    told: Mutex<BTreeMap<Subject, Told>>,
}

/// What lines are rare about.
type Subject = (IpAddr, Option<usize>);

struct Told {
    at: Instant,
    untold: u64,
}

impl Default for Endings {
    fn default() -> Endings {
        Endings {
            counts: std::array::from_fn(|_| AtomicU64::new(0)),
            refused: std::array::from_fn(|_| AtomicU64::new(0)),
            told: Mutex::default(),
        }
    }
}

impl Endings {
    /// Takes note of the end of a connection.
    pub(super) fn note(&self, peer: &Peer<'_>, ending: &Ending) {
        self.counts[ending.kind()].fetch_add(1, Ordering::Relaxed);
        let api = ending.refused_api();
        if let Some(api) = api {
            self.refused[api].fetch_add(1, Ordering::Relaxed);
        }
        let address = peer.address;
        if ending.is_ordinary() {
            tracing::debug!(peer = %address, "connection ended: {ending}");
        } else if let Some(untold) = self.may_tell((address.ip(), api), Instant::now()) {
            let software = peer
                .software
                .map(|software| format!(", {software}"))
                .unwrap_or_default();
            let more = match untold {
                0 => String::new(),
                untold => format!(" ({untold} more since the last line)"),
            };
            tracing::warn!("closed a connection from {address}: {ending}{software}{more}");
        }
    }

    /// Whether a line about this may be written now, and how many were left out since the last.
    fn may_tell(&self, subject: Subject, now: Instant) -> Option<u64> {
        let mut subjects = self.told.lock().expect("nothing panics while it is held");
        if let Some(known) = subjects.get_mut(&subject) {
            if now.duration_since(known.at) < QUIET {
                known.untold += 1;
                return None;
            }
            known.at = now;
            return Some(std::mem::take(&mut known.untold));
        }
        if subjects.len() >= SUBJECTS_MAX {
            subjects.retain(|_, known| now.duration_since(known.at) < QUIET);
            if subjects.len() >= SUBJECTS_MAX {
                return None;
            }
        }
        subjects.insert(subject, Told { at: now, untold: 0 });
        Some(0)
    }

    /// How many connections ended for each reason so far.
    pub(super) fn counts(&self) -> Vec<(&'static str, u64)> {
        let counts = self.counts.iter().map(|count| count.load(Ordering::Relaxed));
        KINDS.into_iter().zip(counts).collect()
    }

    /// How many requests of each API were not served so far, without those of which there were none.
    pub(super) fn refused(&self) -> Vec<(&'static str, u64)> {
        let names = APIS.iter().map(|api| api.name).chain([UNKNOWN]);
        let counts = self.refused.iter().map(|count| count.load(Ordering::Relaxed));
        names.zip(counts).filter(|(_, count)| *count > 0).collect()
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
        let may_tell = |ip, api, seconds| endings.may_tell((ip, api), start + Duration::from_secs(seconds));
        assert_eq!(may_tell(one, None, 0), Some(0));
        assert_eq!(may_tell(one, None, 9), None);
        assert_eq!(may_tell(other, None, 9), Some(0));
        assert_eq!(may_tell(one, Some(3), 9), Some(0), "an API is another matter");
        assert_eq!(may_tell(one, None, 10), Some(1));
    }

    #[test]
    fn whoever_comes_from_everywhere_fills_neither_the_log_nor_the_memory() {
        let endings = Endings::default();
        let now = Instant::now();
        let from = |n: u32| IpAddr::from(n.to_be_bytes());
        let told = (0..5000).filter(|n| endings.may_tell((from(*n), None), now).is_some());
        assert_eq!(told.count(), SUBJECTS_MAX);
        assert_eq!(endings.may_tell((from(9999), None), now + QUIET), Some(0));
    }

    #[test]
    fn requests_that_are_not_served_are_counted_by_api_and_unknown_keys_together() {
        let endings = Endings::default();
        let peer = Peer {
            address: ([192, 0, 2, 1], 4711).into(),
            software: None,
        };
        for key in [24, 24, 3, 9999, -1, i16::MAX] {
            let refusal = Refusal::Unsupported {
                key,
                version: 99,
                client_id: None,
            };
            endings.note(&peer, &Ending::Refused(Box::new(refusal)));
        }
        endings.note(&peer, &Ending::Idle);
        let expected = [("Metadata", 1), ("AddPartitionsToTxn", 2), (UNKNOWN, 3)];
        assert_eq!(endings.refused(), expected);
        assert!(endings.counts().contains(&("unsupported", 6)));
        assert!(endings.counts().contains(&("idle", 1)));
    }
}
