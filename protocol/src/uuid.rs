//! [`Uuid`] with Kafka's way of writing it.

use std::fmt;
use std::str::FromStr;

/// 16 bytes that name a topic, a log directory or an incarnation of a broker.
///
/// Written and read as Kafka does (`org.apache.kafka.common.Uuid`): 22 characters of url-safe base64 without
/// padding.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Uuid(pub [u8; 16]);

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
const TEXT_LENGTH: usize = 22;

impl Uuid {
    /// All zeros: no id.
    pub const ZERO: Uuid = Uuid([0; 16]);

    /// Whether this is [`Uuid::ZERO`].
    pub fn is_zero(&self) -> bool {
        *self == Uuid::ZERO
    }
}

impl fmt::Display for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bits = u128::from_be_bytes(self.0);
        let mut text = [0u8; TEXT_LENGTH];
        // 128 bits are 21 groups of six and a last one of two, which stand in its upper end.
        for (i, c) in text[..TEXT_LENGTH - 1].iter_mut().enumerate() {
            *c = ALPHABET[(bits >> (122 - 6 * i) & 63) as usize];
        }
        text[TEXT_LENGTH - 1] = ALPHABET[((bits & 3) << 4) as usize];
        f.pad(std::str::from_utf8(&text).expect("the alphabet is ASCII"))
    }
}

impl fmt::Debug for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What was to be a uuid is not 22 characters of url-safe base64.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a uuid is written as 22 characters of url-safe base64")]
pub struct ParseUuidError;

impl FromStr for Uuid {
    type Err = ParseUuidError;

    fn from_str(text: &str) -> Result<Uuid, ParseUuidError> {
        if text.len() != TEXT_LENGTH {
            return Err(ParseUuidError);
        }
        let mut bits = 0u128;
        for (i, c) in text.bytes().enumerate() {
            let six = ALPHABET.iter().position(|a| *a == c).ok_or(ParseUuidError)? as u128;
            bits = if i < TEXT_LENGTH - 1 {
                bits << 6 | six
            } else {
                bits << 2 | six >> 4
            };
        }
        Ok(Uuid(bits.to_be_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_that_of_kafka() {
        assert_eq!(Uuid::ZERO.to_string(), "AAAAAAAAAAAAAAAAAAAAAA");
        // Kafka's Uuid.METADATA_TOPIC_ID.
        let one = Uuid(1u128.to_be_bytes());
        assert_eq!(one.to_string(), "AAAAAAAAAAAAAAAAAAAAAQ");
        let id = Uuid([0xff, 0xfe, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 0xfe]);
        assert_eq!(id.to_string().parse(), Ok(id));
        assert_eq!("AAAA".parse::<Uuid>(), Err(ParseUuidError));
        assert_eq!("AAAAAAAAAAAAAAAAAAAA+Q".parse::<Uuid>(), Err(ParseUuidError));
    }
}
