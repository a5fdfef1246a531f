//! [`Records`]: record bytes on their way through, unread.

use bytes::Bytes;

/// The bytes of record batches (or of a message set of old), in one or more shared parts.
///
/// Nothing here looks into them: [`crate::record`] does. Parts are never copied into one another, so a Fetch
/// answer hands out the very bytes that a log has mapped or received.
#[derive(Clone, Debug, Default)]
pub struct Records(Parts);

// One part is the common case, and costs no allocation.
#[derive(Clone, Debug)]
enum Parts {
    One([Bytes; 1]),
    Many(Vec<Bytes>),
}

impl Default for Parts {
    fn default() -> Parts {
        Parts::Many(Vec::new())
    }
}

impl Records {
    /// The records whose bytes are these parts, one after the other.
    pub fn from_parts(parts: Vec<Bytes>) -> Records {
        Records(Parts::Many(parts))
    }

    /// The parts, in order; none for no records.
    pub fn parts(&self) -> &[Bytes] {
        match &self.0 {
            Parts::One(part) => part,
            Parts::Many(parts) => parts,
        }
    }

    /// Bytes over all parts.
    pub fn len(&self) -> usize {
        self.parts().iter().map(Bytes::len).sum()
    }

    /// Whether there is no byte.
    pub fn is_empty(&self) -> bool {
        self.parts().iter().all(Bytes::is_empty)
    }

    /// All bytes in a row; copies only where there is more than one part.
    pub fn to_bytes(&self) -> Bytes {
        match self.parts() {
            [] => Bytes::new(),
            [one] => one.clone(),
            parts => parts.concat().into(),
        }
    }
}

impl From<Bytes> for Records {
    fn from(bytes: Bytes) -> Records {
        Records(Parts::One([bytes]))
    }
}

// How bytes are cut into parts is not part of what they say.
impl PartialEq for Records {
    fn eq(&self, other: &Records) -> bool {
        self.len() == other.len() && self.to_bytes() == other.to_bytes()
    }
}

impl Eq for Records {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equality_does_not_see_where_parts_are_cut() {
        let cut = Records::from_parts(vec![Bytes::from_static(b"ab"), Bytes::from_static(b"c")]);
        assert_eq!(cut, Records::from(Bytes::from_static(b"abc")));
        assert_ne!(cut, Records::from(Bytes::from_static(b"abd")));
        assert_eq!(cut.len(), 3);
        assert!(Records::default().is_empty());
    }
}
