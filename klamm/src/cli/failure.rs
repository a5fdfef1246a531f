//! [`Failure`]: why a command is not done, and what to do about it.

use std::io;

use klamm_client::Error;
use klamm_protocol::ErrorCode;

/// Why a command is not done.
#[derive(Debug)]
pub enum Failure {
    /// The cluster says no, or cannot be reached.
    Cluster(Error),
    /// Standard input or output.
    Stream(io::Error),
    /// What was asked for makes no sense; the whole sentence.
    Said(String),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        Failure::Cluster(error)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Failure {
        Failure::Stream(error)
    }
}

impl Failure {
    /// Whether nobody reads any more.
    pub fn is_closed_pipe(&self) -> bool {
        matches!(self, Failure::Stream(error) if error.kind() == io::ErrorKind::BrokenPipe)
    }

    /// What happened, and in a second line what helps, where that is known.
    pub fn in_words(&self) -> String {
        match self {
            Failure::Cluster(error) => match advice(error) {
                Some(advice) => format!("{error}\n{advice}"),
                None => error.to_string(),
            },
            Failure::Stream(error) => format!("cannot read or write: {error}"),
            Failure::Said(sentence) => sentence.clone(),
        }
    }
}

fn advice(error: &Error) -> Option<&'static str> {
    let code = match error {
        Error::Unreachable { .. } => {
            return Some("start a broker with `klamm`, or say where one is: --bootstrap HOST:PORT");
        }
        Error::NoTopic { .. } => return Some(NO_TOPIC),
        Error::NoLeader { .. } => return Some("its broker may be down: `klamm cluster` shows who is there"),
        Error::RecordTooLarge { .. } => return Some("split it, or keep the large part elsewhere"),
        Error::TimedOut { last, .. } => return advice(last),
        error => error.code()?,
    };
    Some(match code {
        ErrorCode::UNKNOWN_TOPIC_OR_PARTITION => NO_TOPIC,
        ErrorCode::TOPIC_ALREADY_EXISTS => {
            "`klamm topic describe` shows it, `klamm topic alter` changes it; --if-not-exists is content with it"
        }
        ErrorCode::INVALID_REPLICATION_FACTOR => {
            "there cannot be more copies than brokers: `klamm cluster` shows them"
        }
        ErrorCode::NON_EMPTY_GROUP | ErrorCode::UNKNOWN_MEMBER_ID => {
            "stop its members first: `klamm group describe` shows who they are"
        }
        ErrorCode::GROUP_ID_NOT_FOUND => "`klamm group list` shows which groups there are",
        ErrorCode::INVALID_CONFIG => {
            "`klamm settings NAME` shows what a broker's setting takes, `klamm settings --topic NAME` a topic's"
        }
        ErrorCode::MESSAGE_TOO_LARGE => "raise it: `klamm config set --topic TOPIC max.message.bytes=BYTES`",
        _ => return None,
    })
}

const NO_TOPIC: &str = "`klamm topic list` shows which there are, `klamm topic create` makes one";
