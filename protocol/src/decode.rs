//! [`Decoder`]: reading under bounds.

use bytes::Bytes;

use crate::{Records, Str, Uuid};

/// Why bytes are not the message they are said to be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The bytes end too early; also a length that promises more than is left.
    #[error("{needed} bytes are needed at byte {at}, {left} are left")]
    Truncated {
        /// Position in the input.
        at: usize,
        /// Bytes asked for.
        needed: usize,
        /// Bytes there are.
        left: usize,
    },
    /// A length below -1, or an array over [`Decoder::MAX_ELEMENTS`], or more tagged fields than
    /// [`Decoder::MAX_TAGGED_FIELDS`].
    #[error("{length} is no length for what stands at byte {at}")]
    Length {
        /// Position after the length.
        at: usize,
        /// The length that was read.
        length: i64,
    },
    /// Null where the version has no null.
    #[error("{field} is null, which this version does not allow (byte {at})")]
    Null {
        /// Position after the null.
        at: usize,
        /// Kafka's name of the field, or of the kind of value inside an array.
        field: &'static str,
    },
    /// Text that is not UTF-8.
    #[error("the text at byte {at} is not UTF-8")]
    Utf8 {
        /// Position of the text.
        at: usize,
    },
    /// A variable-length number of more than five bytes.
    #[error("the number at byte {at} does not end")]
    Varint {
        /// Position of the number.
        at: usize,
    },
    /// A tagged field whose content is shorter or longer than its size says.
    #[error("tagged field {tag} does not end where its size says (byte {at})")]
    TaggedSize {
        /// Position after what was read.
        at: usize,
        /// The field's tag.
        tag: u32,
    },
    /// A version that the message never had.
    #[error("{message} has no version {version}")]
    Version {
        /// Name of the message.
        message: &'static str,
        /// The version asked for.
        version: i16,
    },
    /// An API key that stands for no known request.
    #[error("no request has API key {key}")]
    Key {
        /// The key.
        key: i16,
    },
}

/// Reads Kafka's primitive types, front to back, from shared bytes.
///
/// Every length is checked against what is left before anything is allocated, so memory is bounded by the
/// input's own size times the size of an array element. Text, bytes and records are slices of the input.
/// Once an error was returned the position is unspecified.
#[derive(Clone, Debug)]
pub struct Decoder {
    bytes: Bytes,
    at: usize,
}

impl Decoder {
    /// Longest array that is read, as in Kafka 4.4.
    pub const MAX_ELEMENTS: usize = 1_000_000;
    /// Elements for which an array makes room before it has seen them.
    pub const MAX_INITIAL_CAPACITY: usize = 1_000;
    /// Most tagged fields of one struct, as in Kafka 4.4.
    pub const MAX_TAGGED_FIELDS: u32 = 10_000;

    /// Starts at the first byte.
    pub fn new(bytes: Bytes) -> Decoder {
        Decoder { bytes, at: 0 }
    }

    /// Position of the next byte.
    pub fn position(&self) -> usize {
        self.at
    }

    /// Bytes not read yet.
    pub fn remaining(&self) -> usize {
        self.bytes.len() - self.at
    }

    /// All that is left, shared.
    pub fn rest(&mut self) -> Bytes {
        let rest = self.bytes.slice(self.at..);
        self.at = self.bytes.len();
        rest
    }

    /// One byte: 0 is false, anything else true.
    pub fn bool(&mut self) -> Result<bool, DecodeError> {
        Ok(self.i8()? != 0)
    }

    /// Eight bits, signed.
    pub fn i8(&mut self) -> Result<i8, DecodeError> {
        Ok(i8::from_be_bytes(self.array_of()?))
    }

    /// Big-endian, as all numbers of fixed size.
    pub fn i16(&mut self) -> Result<i16, DecodeError> {
        Ok(i16::from_be_bytes(self.array_of()?))
    }

    /// Big-endian, unsigned.
    pub fn u16(&mut self) -> Result<u16, DecodeError> {
        Ok(u16::from_be_bytes(self.array_of()?))
    }

    /// Big-endian.
    pub fn i32(&mut self) -> Result<i32, DecodeError> {
        Ok(i32::from_be_bytes(self.array_of()?))
    }

    /// Big-endian, unsigned.
    pub fn u32(&mut self) -> Result<u32, DecodeError> {
        Ok(u32::from_be_bytes(self.array_of()?))
    }

    /// Big-endian.
    pub fn i64(&mut self) -> Result<i64, DecodeError> {
        Ok(i64::from_be_bytes(self.array_of()?))
    }

    /// IEEE 754, big-endian.
    pub fn f64(&mut self) -> Result<f64, DecodeError> {
        Ok(f64::from_be_bytes(self.array_of()?))
    }

    /// 16 bytes.
    pub fn uuid(&mut self) -> Result<Uuid, DecodeError> {
        Ok(Uuid(self.array_of()?))
    }

    /// Seven bits a byte, lowest first; the top bit says that more follow.
    #[inline]
    pub fn unsigned_varint(&mut self) -> Result<u32, DecodeError> {
        // Most are lengths of names, or counts of no tagged fields.
        if let Some(&byte @ 0..0x80) = self.bytes.get(self.at) {
            self.at += 1;
            return Ok(u32::from(byte));
        }
        self.long_varint()
    }

    fn long_varint(&mut self) -> Result<u32, DecodeError> {
        let start = self.at;
        let mut value = 0u32;
        for shift in [0, 7, 14, 21, 28] {
            let [byte] = self.array_of()?;
            // Of a fifth byte Kafka keeps the four bits that fit, and so do we.
            value |= u32::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(DecodeError::Varint { at: start })
    }

    /// Text: int16 length, or an unsigned varint of length + 1 where `flexible`.
    pub fn string(&mut self, flexible: bool, field: &'static str) -> Result<Str, DecodeError> {
        self.nullable_string(flexible)?
            .ok_or(DecodeError::Null { at: self.at, field })
    }

    /// As [`Decoder::string`]; length -1 (compact: 0) is null.
    pub fn nullable_string(&mut self, flexible: bool) -> Result<Option<Str>, DecodeError> {
        let length = if flexible {
            self.compact_length()?
        } else {
            i64::from(self.i16()?)
        };
        let start = self.at;
        match self.take_nullable(length)? {
            None => Ok(None),
            Some(bytes) => Str::from_utf8(bytes)
                .map(Some)
                .ok_or(DecodeError::Utf8 { at: start }),
        }
    }

    /// Bytes: int32 length, or an unsigned varint of length + 1 where `flexible`.
    pub fn byte_string(&mut self, flexible: bool, field: &'static str) -> Result<Bytes, DecodeError> {
        self.nullable_byte_string(flexible)?
            .ok_or(DecodeError::Null { at: self.at, field })
    }

    /// As [`Decoder::byte_string`]; length -1 (compact: 0) is null.
    pub fn nullable_byte_string(&mut self, flexible: bool) -> Result<Option<Bytes>, DecodeError> {
        let length = self.long_length(flexible)?;
        self.take_nullable(length)
    }

    /// Record bytes, framed as bytes are.
    pub fn records(&mut self, flexible: bool, field: &'static str) -> Result<Records, DecodeError> {
        self.byte_string(flexible, field).map(Records::from)
    }

    /// As [`Decoder::records`], or null.
    pub fn nullable_records(&mut self, flexible: bool) -> Result<Option<Records>, DecodeError> {
        Ok(self.nullable_byte_string(flexible)?.map(Records::from))
    }

    /// Elements: int32 count, or an unsigned varint of count + 1 where `flexible`.
    pub fn array<T>(
        &mut self,
        flexible: bool,
        field: &'static str,
        element: impl FnMut(&mut Decoder) -> Result<T, DecodeError>,
    ) -> Result<Vec<T>, DecodeError> {
        self.nullable_array(flexible, element)?
            .ok_or(DecodeError::Null { at: self.at, field })
    }

    /// As [`Decoder::array`]; count -1 (compact: 0) is null. No element of any message is empty, so a count
    /// above the bytes left is refused.
    pub fn nullable_array<T>(
        &mut self,
        flexible: bool,
        mut element: impl FnMut(&mut Decoder) -> Result<T, DecodeError>,
    ) -> Result<Option<Vec<T>>, DecodeError> {
        let length = self.long_length(flexible)?;
        if length == -1 {
            return Ok(None);
        }
        let count = self.checked_length(length)?;
        if count > Decoder::MAX_ELEMENTS {
            return Err(DecodeError::Length { at: self.at, length });
        }
        let mut elements = Vec::with_capacity(count.min(Decoder::MAX_INITIAL_CAPACITY));
        for _ in 0..count {
            elements.push(element(self)?);
        }
        Ok(Some(elements))
    }

    /// What stands before a struct that may be null: a negative byte for null.
    pub fn is_present(&mut self) -> Result<bool, DecodeError> {
        Ok(self.i8()? >= 0)
    }

    /// The same in a tagged field, where Kafka writes 0 for null and not -1.
    pub fn is_present_tagged(&mut self) -> Result<bool, DecodeError> {
        Ok(self.unsigned_varint()? != 0)
    }

    /// How many tagged fields follow.
    pub fn tag_count(&mut self) -> Result<u32, DecodeError> {
        let count = self.unsigned_varint()?;
        if count > Decoder::MAX_TAGGED_FIELDS {
            return Err(DecodeError::Length {
                at: self.at,
                length: i64::from(count),
            });
        }
        Ok(count)
    }

    /// The tag of a field and the position at which its content has to end.
    pub fn tag(&mut self) -> Result<(u32, usize), DecodeError> {
        let tag = self.unsigned_varint()?;
        let size = i64::from(self.unsigned_varint()?);
        let size = self.checked_length(size)?;
        Ok((tag, self.at + size))
    }

    /// Passes over the content of a tagged field that nobody knows.
    pub fn skip_to(&mut self, end: usize) {
        self.at = end;
    }

    /// Checks that a tagged field took exactly its size.
    pub fn end_tag(&mut self, tag: u32, end: usize) -> Result<(), DecodeError> {
        if self.at == end {
            Ok(())
        } else {
            Err(DecodeError::TaggedSize { at: self.at, tag })
        }
    }

    /// Passes over all tagged fields of a struct that has none of its own.
    pub fn skip_tags(&mut self) -> Result<(), DecodeError> {
        for _ in 0..self.tag_count()? {
            let (_, end) = self.tag()?;
            self.skip_to(end);
        }
        Ok(())
    }

    fn array_of<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let Some(bytes) = self.bytes[self.at..].first_chunk::<N>() else {
            return Err(DecodeError::Truncated {
                at: self.at,
                needed: N,
                left: self.remaining(),
            });
        };
        self.at += N;
        Ok(*bytes)
    }

    fn compact_length(&mut self) -> Result<i64, DecodeError> {
        Ok(i64::from(self.unsigned_varint()?) - 1)
    }

    fn long_length(&mut self, flexible: bool) -> Result<i64, DecodeError> {
        if flexible {
            self.compact_length()
        } else {
            Ok(i64::from(self.i32()?))
        }
    }

    fn take_nullable(&mut self, length: i64) -> Result<Option<Bytes>, DecodeError> {
        if length == -1 {
            return Ok(None);
        }
        let length = self.checked_length(length)?;
        // A slice of nothing would pin the input all the same.
        let bytes = if length == 0 {
            Bytes::new()
        } else {
            self.bytes.slice(self.at..self.at + length)
        };
        self.at += length;
        Ok(Some(bytes))
    }

    /// A length that fits into what is left.
    fn checked_length(&self, length: i64) -> Result<usize, DecodeError> {
        let Ok(length) = usize::try_from(length) else {
            return Err(DecodeError::Length { at: self.at, length });
        };
        if length > self.remaining() {
            return Err(DecodeError::Truncated {
                at: self.at,
                needed: length,
                left: self.remaining(),
            });
        }
        Ok(length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoder(bytes: &[u8]) -> Decoder {
        Decoder::new(Bytes::copy_from_slice(bytes))
    }

    #[test]
    fn a_length_beyond_the_input_is_refused_before_anything_is_allocated() {
        let mut input = decoder(&[0x7f, 0xff, 0xff, 0xff, 1]);
        let result = input.array(false, "Topics", |_| -> Result<u8, DecodeError> {
            panic!("no element is read")
        });
        assert_eq!(
            result,
            Err(DecodeError::Truncated {
                at: 4,
                needed: 0x7fff_ffff,
                left: 1
            })
        );
        assert!(matches!(
            decoder(&[0, 9, 1]).string(false, "Name"),
            Err(DecodeError::Truncated { .. })
        ));
        assert!(matches!(
            decoder(&[0xff, 0xfe]).string(false, "Name"),
            Err(DecodeError::Length { .. })
        ));
    }

    #[test]
    fn an_array_of_more_than_a_million_elements_is_refused() {
        let mut bytes = vec![0; 2_000_000];
        bytes[..4].copy_from_slice(&1_000_001i32.to_be_bytes());
        assert!(matches!(
            decoder(&bytes).array(false, "A", Decoder::i8),
            Err(DecodeError::Length { .. })
        ));
    }

    #[test]
    fn null_is_an_error_only_where_it_is_not_allowed() {
        assert_eq!(decoder(&[0xff, 0xff]).nullable_string(false), Ok(None));
        assert_eq!(decoder(&[0]).nullable_string(true), Ok(None));
        assert_eq!(
            decoder(&[0]).string(true, "Name"),
            Err(DecodeError::Null { at: 1, field: "Name" })
        );
    }

    #[test]
    fn varints_end_after_five_bytes() {
        assert_eq!(
            decoder(&[0xff, 0xff, 0xff, 0xff, 0x0f]).unsigned_varint(),
            Ok(u32::MAX)
        );
        assert_eq!(
            decoder(&[0x80; 6]).unsigned_varint(),
            Err(DecodeError::Varint { at: 0 })
        );
        assert!(matches!(
            decoder(&[0x80]).unsigned_varint(),
            Err(DecodeError::Truncated { .. })
        ));
    }

    #[test]
    fn unknown_tagged_fields_are_passed_over() {
        let mut input = decoder(&[2, 5, 1, 9, 7, 0, 42]);
        input.skip_tags().unwrap();
        assert_eq!(input.i8(), Ok(42));
        assert!(decoder(&[1, 5, 3, 9]).skip_tags().is_err());
    }
}
