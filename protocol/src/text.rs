//! [`Str`]: text that shares the bytes it came in.

use std::borrow::Borrow;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::Deref;

use bytes::Bytes;

/// UTF-8 text as a slice of shared bytes, usually of a whole request frame.
///
/// Clones are cheap and keep the frame alive. Whatever outlives its request must be [detached](Str::detached),
/// or a topic name of ten bytes holds on to a frame of a megabyte.
#[derive(Clone, Default)]
pub struct Str(Bytes);

impl Str {
    /// The empty text.
    pub const EMPTY: Str = Str(Bytes::new());

    /// Text that lives as long as the program; nothing is copied.
    pub const fn from_static(text: &'static str) -> Str {
        Str(Bytes::from_static(text.as_bytes()))
    }

    /// Takes bytes over after checking them; `None` when they are not UTF-8.
    pub fn from_utf8(bytes: Bytes) -> Option<Str> {
        std::str::from_utf8(&bytes).ok()?;
        Some(Str(bytes))
    }

    /// The text itself.
    pub fn as_str(&self) -> &str {
        // SAFETY: every constructor takes a `str` or checks the bytes, and `Bytes` never change.
        unsafe { std::str::from_utf8_unchecked(&self.0) }
    }

    /// The bytes of the text, shared.
    pub fn bytes(&self) -> &Bytes {
        &self.0
    }

    /// A copy with memory of its own, which pins no frame.
    pub fn detached(&self) -> Str {
        Str(Bytes::copy_from_slice(&self.0))
    }
}

impl Deref for Str {
    type Target = str;

    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl AsRef<str> for Str {
    fn as_ref(&self) -> &str {
        self
    }
}

impl Borrow<str> for Str {
    fn borrow(&self) -> &str {
        self
    }
}

impl From<&str> for Str {
    fn from(text: &str) -> Str {
        Str(Bytes::copy_from_slice(text.as_bytes()))
    }
}

impl From<String> for Str {
    fn from(text: String) -> Str {
        Str(Bytes::from(text))
    }
}

// Order, equality and hash are those of `str`, so that maps keyed by `Str` answer to `&str`.
impl PartialEq for Str {
    fn eq(&self, other: &Str) -> bool {
        self.0 == other.0
    }
}

impl Eq for Str {}

impl PartialEq<str> for Str {
    fn eq(&self, other: &str) -> bool {
        self.as_str() == other
    }
}

impl PartialEq<&str> for Str {
    fn eq(&self, other: &&str) -> bool {
        self.as_str() == *other
    }
}

impl PartialOrd for Str {
    fn partial_cmp(&self, other: &Str) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Str {
    fn cmp(&self, other: &Str) -> std::cmp::Ordering {
        self.as_str().cmp(other.as_str())
    }
}

impl Hash for Str {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}

impl fmt::Debug for Str {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl fmt::Display for Str {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self.as_str(), f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn detached_text_does_not_share_its_frame() {
        let frame = Bytes::from(vec![b'a'; 100]);
        let text = Str::from_utf8(frame.slice(10..20)).unwrap();
        assert_eq!(text.bytes().as_ptr(), frame[10..].as_ptr());
        let own = text.detached();
        assert_eq!(own, text);
        assert_ne!(own.bytes().as_ptr(), text.bytes().as_ptr());
    }

    #[test]
    fn bytes_that_are_not_utf8_are_no_text() {
        assert_eq!(Str::from_utf8(Bytes::from_static(&[0xff])), None);
    }
}
