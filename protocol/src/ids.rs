//! Identifiers as types of their own, so that they are not mistaken for one another.

use std::fmt;
use std::str::FromStr;

use crate::Uuid;

/// Names a topic for ever: a topic that is deleted and made again has another one (KIP-516).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TopicId(pub Uuid);

impl fmt::Display for TopicId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for TopicId {
    type Err = <Uuid as FromStr>::Err;

    fn from_str(text: &str) -> Result<TopicId, Self::Err> {
        text.parse().map(TopicId)
    }
}

/// Names a broker in its cluster (`node.id`); not negative where a broker is meant, -1 for none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BrokerId(pub i32);

impl fmt::Display for BrokerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
