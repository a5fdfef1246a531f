//! [`Error`]: what the operations of this client can meet.

use std::time::Duration;

use klamm_protocol::{ErrorCode, Str};
use thiserror::Error;

use crate::connection::ConnectionError;

/// Why an operation is not done.
#[derive(Clone, Debug, Error)]
pub enum Error {
    /// The addresses given make no sense.
    #[error("{0:?} is no address of a broker: HOST:PORT is one, such as 127.0.0.1:9092")]
    Address(String),
    /// None of the addresses given answers.
    #[error("no broker answers at {addresses}: {reason}")]
    Unreachable {
        /// All that were tried.
        addresses: String,
        /// What the last one met.
        reason: ConnectionError,
    },
    /// The conversation with a broker failed.
    #[error("broker at {address}: {reason}")]
    Connection {
        /// Its address.
        address: String,
        /// How.
        reason: ConnectionError,
    },
    /// A broker refuses.
    #[error("{what}: {} ({code})", said(.message.as_deref(), *.code))]
    Refused {
        /// What was asked of it.
        what: String,
        /// With this.
        code: ErrorCode,
        /// In its own words, if it has any.
        message: Option<String>,
    },
    /// A topic that is not there.
    #[error("topic {topic} does not exist")]
    NoTopic {
        /// Its name.
        topic: Str,
    },
    /// A partition that is not there.
    #[error("topic {topic} has no partition {partition}: it has {count}, counted from 0")]
    NoPartition {
        /// The topic.
        topic: Str,
        /// The partition asked for.
        partition: i32,
        /// How many it has.
        count: usize,
    },
    /// Nobody leads a partition at present.
    #[error("partition {topic}-{partition} has no leader at present")]
    NoLeader {
        /// The topic.
        topic: Str,
        /// The partition.
        partition: i32,
    },
    /// A broker that the cluster does not know.
    #[error("broker {id} is not in the cluster")]
    NoBroker {
        /// Its id.
        id: i32,
    },
    /// It was tried again and again.
    #[error("given up after {after:?}: {last}")]
    TimedOut {
        /// For so long.
        after: Duration,
        /// What the last attempt met.
        last: Box<Error>,
    },
    /// A record that is larger than what may be buffered.
    #[error("a record of {size_bytes} bytes is more than the {limit_bytes} bytes that a batch may have")]
    RecordTooLarge {
        /// Of the record.
        size_bytes: usize,
        /// Allowed.
        limit_bytes: usize,
    },
    /// Fetched records cannot be read.
    #[error("records of {topic}-{partition} at offset {offset} cannot be read: {reason}")]
    Records {
        /// The topic.
        topic: Str,
        /// The partition.
        partition: i32,
        /// Where reading stopped.
        offset: i64,
        /// Why.
        reason: String,
    },
    /// The producer or consumer was closed.
    #[error("it was closed")]
    Closed,
}

impl Error {
    /// Turns a code in an answer into a result.
    ///
    /// # Errors
    /// [`Error::Refused`] for every code but NONE.
    pub fn check(what: impl FnOnce() -> String, code: ErrorCode, message: Option<&Str>) -> Result<(), Error> {
        if code.is_none() {
            return Ok(());
        }
        Err(Error::Refused {
            what: what(),
            code,
            message: message
                .map(|message| message.to_string())
                .filter(|message| !message.is_empty()),
        })
    }

    /// The code of a broker's refusal.
    pub fn code(&self) -> Option<ErrorCode> {
        match self {
            Error::Refused { code, .. } => Some(*code),
            _ => None,
        }
    }

    /// Whether the same may succeed later.
    pub fn retriable(&self) -> bool {
        match self {
            Error::Connection { reason, .. } => reason.retriable(),
            Error::Refused { code, .. } => code.retriable(),
            Error::NoLeader { .. } | Error::NoBroker { .. } => true,
            _ => false,
        }
    }
}

fn said(message: Option<&str>, code: ErrorCode) -> String {
    let said = message.unwrap_or(code.meaning());
    said.trim_end().trim_end_matches('.').to_owned()
}
