//! [`Encoder`]: writing in one pass, large bytes by reference.

use bytes::Bytes;

use crate::{Records, Str, Uuid};

/// Why a value cannot be written in a version. Always a bug of the caller, never of a peer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EncodeError {
    /// A field holds something that the version cannot say, and that must not be lost.
    #[error("{field} is not at its default, and version {version} does not have it")]
    Field {
        /// Kafka's name of the field.
        field: &'static str,
        /// The version asked for.
        version: i16,
    },
    /// Null where the version has no null.
    #[error("{field} is null, which version {version} does not allow")]
    Null {
        /// Kafka's name of the field.
        field: &'static str,
        /// The version asked for.
        version: i16,
    },
    /// More bytes or elements than the length before them can say.
    #[error("{length} is too long for its length field")]
    Length {
        /// Bytes or elements.
        length: usize,
    },
    /// A version that the message never had.
    #[error("{message} has no version {version}")]
    Version {
        /// Name of the message.
        message: &'static str,
        /// The version asked for.
        version: i16,
    },
}

/// Collects a message: small values in one buffer, large bytes as references between its pieces.
///
/// One pass: nothing is measured beforehand. The size of a tagged field is put in front of its content
/// afterwards; within a tagged field everything is copied, so that its content is contiguous.
#[derive(Debug)]
pub struct Encoder {
    small: Vec<u8>,
    /// Bytes taken by reference, each with the position in `small` before which it stands. Ascending.
    large: Vec<(usize, Bytes)>,
    large_len: usize,
    tagged_depth: u32,
}

impl Encoder {
    /// Bytes from this length on are referred to instead of copied: below it the copy is cheaper than one more
    /// reference and one more piece in a vectored write.
    pub const MIN_REFERENCE_BYTES: usize = 2048;

    /// Room made at once: most messages are smaller.
    const INITIAL_BYTES: usize = 512;

    /// Nothing written yet.
    pub fn new() -> Encoder {
        let small = Vec::with_capacity(Encoder::INITIAL_BYTES);
        Encoder {
            small,
            large: Vec::new(),
            large_len: 0,
            tagged_depth: 0,
        }
    }

    /// Bytes written so far.
    pub fn len(&self) -> usize {
        self.small.len() + self.large_len
    }

    /// Whether nothing was written.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What was written, in order, to be sent one after the other; no part is empty.
    pub fn finish(self) -> Vec<Bytes> {
        let mut parts = Vec::with_capacity(2 * self.large.len() + 1);
        let mut rest = Bytes::from(self.small);
        let mut from = 0;
        for (position, bytes) in self.large {
            if position > from {
                parts.push(rest.split_to(position - from));
                from = position;
            }
            parts.push(bytes);
        }
        if !rest.is_empty() {
            parts.push(rest);
        }
        parts
    }

    /// As [`Encoder::finish`], copied into one piece where there is more than one.
    pub fn finish_contiguous(self) -> Bytes {
        if self.large.is_empty() {
            Bytes::from(self.small)
        } else {
            self.finish().concat().into()
        }
    }

    /// Writes a length of everything after the first four bytes into these, which were written as a place for it.
    pub(crate) fn set_frame_length(&mut self) -> Result<(), EncodeError> {
        let length = self.len() - 4;
        let value = i32::try_from(length).map_err(|_| EncodeError::Length { length })?;
        self.small[..4].copy_from_slice(&value.to_be_bytes());
        Ok(())
    }

    /// One byte, 1 for true.
    pub fn bool(&mut self, value: bool) {
        self.small.push(u8::from(value));
    }

    /// Eight bits.
    pub fn i8(&mut self, value: i8) {
        self.small.extend_from_slice(&value.to_be_bytes());
    }

    /// Big-endian, as all numbers of fixed size.
    pub fn i16(&mut self, value: i16) {
        self.small.extend_from_slice(&value.to_be_bytes());
    }

    /// Big-endian, unsigned.
    pub fn u16(&mut self, value: u16) {
        self.small.extend_from_slice(&value.to_be_bytes());
    }

    /// Big-endian.
    pub fn i32(&mut self, value: i32) {
        self.small.extend_from_slice(&value.to_be_bytes());
    }

    /// Big-endian, unsigned.
    pub fn u32(&mut self, value: u32) {
        self.small.extend_from_slice(&value.to_be_bytes());
    }

    /// Big-endian.
    pub fn i64(&mut self, value: i64) {
        self.small.extend_from_slice(&value.to_be_bytes());
    }

    /// IEEE 754, big-endian.
    pub fn f64(&mut self, value: f64) {
        self.small.extend_from_slice(&value.to_be_bytes());
    }

    /// 16 bytes.
    pub fn uuid(&mut self, value: Uuid) {
        self.small.extend_from_slice(&value.0);
    }

    /// Seven bits a byte, lowest first; the top bit says that more follow.
    #[inline]
    pub fn unsigned_varint(&mut self, value: u32) {
        // Most are lengths of names, or counts of no tagged fields.
        if value < 0x80 {
            return self.small.push(value.to_le_bytes()[0]);
        }
        let (bytes, length) = varint(value);
        self.small.extend_from_slice(&bytes[..length]);
    }

    /// Text: int16 length, or an unsigned varint of length + 1 where `flexible`.
    #[inline]
    pub fn string(&mut self, flexible: bool, text: &Str) -> Result<(), EncodeError> {
        let length = text.len();
        let Ok(short) = i16::try_from(length) else {
            return Err(EncodeError::Length { length });
        };
        if flexible {
            self.compact_length(Some(length))?
        } else {
            self.i16(short)
        }
        self.small.extend_from_slice(text.as_bytes());
        Ok(())
    }

    /// As [`Encoder::string`], or null.
    pub fn nullable_string(&mut self, flexible: bool, text: Option<&Str>) -> Result<(), EncodeError> {
        match text {
            Some(text) => self.string(flexible, text)?,
            None if flexible => self.compact_length(None)?,
            None => self.i16(-1),
        }
        Ok(())
    }

    /// Bytes: int32 length, or an unsigned varint of length + 1 where `flexible`.
    pub fn byte_string(&mut self, flexible: bool, bytes: &Bytes) -> Result<(), EncodeError> {
        self.length(flexible, Some(bytes.len()))?;
        self.raw(bytes);
        Ok(())
    }

    /// As [`Encoder::byte_string`], or null.
    pub fn nullable_byte_string(&mut self, flexible: bool, bytes: Option<&Bytes>) -> Result<(), EncodeError> {
        match bytes {
            Some(bytes) => self.byte_string(flexible, bytes),
            None => self.length(flexible, None),
        }
    }

    /// Record bytes, framed as bytes are.
    #[inline]
    pub fn records(&mut self, flexible: bool, records: &Records) -> Result<(), EncodeError> {
        self.length(flexible, Some(records.len()))?;
        for part in records.parts() {
            self.raw(part);
        }
        Ok(())
    }

    /// As [`Encoder::records`], or null.
    pub fn nullable_records(&mut self, flexible: bool, records: Option<&Records>) -> Result<(), EncodeError> {
        match records {
            Some(records) => self.records(flexible, records),
            None => self.length(flexible, None),
        }
    }

    /// The count in front of an array's elements (`None`: null), or the length in front of bytes.
    #[inline]
    pub fn length(&mut self, flexible: bool, length: Option<usize>) -> Result<(), EncodeError> {
        if flexible {
            return self.compact_length(length);
        }
        match length {
            None => self.i32(-1),
            Some(length) => self.i32(i32::try_from(length).map_err(|_| EncodeError::Length { length })?),
        }
        Ok(())
    }

    /// What stands before a struct that may be null.
    pub fn is_present(&mut self, present: bool) {
        self.i8(if present { 1 } else { -1 });
    }

    /// The same in a tagged field, where Kafka writes 0 for null and not -1.
    pub fn is_present_tagged(&mut self, present: bool) {
        self.i8(i8::from(present));
    }

    /// A tagged field: tag, size, and what `content` writes.
    pub fn tagged(
        &mut self,
        tag: u32,
        content: impl FnOnce(&mut Encoder) -> Result<(), EncodeError>,
    ) -> Result<(), EncodeError> {
        self.unsigned_varint(tag);
        let start = self.small.len();
        // Most contents are below 128 bytes: room for their size is made at once.
        self.small.push(0);
        self.tagged_depth += 1;
        let written = content(self);
        self.tagged_depth -= 1;
        written?;
        let length = self.small.len() - start - 1;
        let (size, size_len) = varint(u32::try_from(length).map_err(|_| EncodeError::Length { length })?);
        self.small[start] = size[0];
        if size_len > 1 {
            self.small
                .splice(start + 1..start + 1, size[1..size_len].iter().copied());
        }
        Ok(())
    }

    /// Bytes as they are, without a length.
    #[inline]
    pub fn raw(&mut self, bytes: &Bytes) {
        if bytes.len() < Encoder::MIN_REFERENCE_BYTES || self.tagged_depth > 0 {
            self.small.extend_from_slice(bytes);
        } else {
            self.large_len += bytes.len();
            self.large.push((self.small.len(), bytes.clone()));
        }
    }

    #[inline]
    fn compact_length(&mut self, length: Option<usize>) -> Result<(), EncodeError> {
        let value = match length {
            None => 0,
            // Readers hold lengths in an int32.
            Some(length) => {
                i32::try_from(length)
                    .map_err(|_| EncodeError::Length { length })?
                    .unsigned_abs()
                    + 1
            }
        };
        self.unsigned_varint(value);
        Ok(())
    }
}

impl Default for Encoder {
    fn default() -> Encoder {
        Encoder::new()
    }
}

/// The bytes of an unsigned varint, and how many of them count.
fn varint(mut value: u32) -> ([u8; 5], usize) {
    let mut bytes = [0; 5];
    let mut length = 0;
    loop {
        let low = value.to_le_bytes()[0] & 0x7f;
        value >>= 7;
        bytes[length] = if value == 0 { low } else { low | 0x80 };
        length += 1;
        if value == 0 {
            return (bytes, length);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Decoder;

    #[test]
    fn large_bytes_are_referred_to_and_keep_their_place() {
        let large = Bytes::from(vec![7; Encoder::MIN_REFERENCE_BYTES]);
        let mut out = Encoder::new();
        out.i8(1);
        out.byte_string(false, &large).unwrap();
        out.byte_string(false, &Bytes::from_static(b"small")).unwrap();
        let length = out.len();
        let parts = out.finish();
        assert_eq!(parts.len(), 3);
        assert_eq!(parts[1].as_ptr(), large.as_ptr());
        assert_eq!(parts.iter().map(Bytes::len).sum::<usize>(), length);
        let mut input = Decoder::new(parts.concat().into());
        assert_eq!(input.i8(), Ok(1));
        assert_eq!(input.byte_string(false, "large"), Ok(large));
        assert_eq!(
            input.byte_string(false, "small"),
            Ok(Bytes::from_static(b"small"))
        );
    }

    #[test]
    fn sizes_of_tagged_fields_stand_before_contents_of_any_length() {
        for length in [0, 1, 127, 128, 129, 16383, 16384, 3_000_000] {
            let mut out = Encoder::new();
            out.tagged(9, |out| {
                out.raw(&Bytes::from(vec![1; length]));
                Ok(())
            })
            .unwrap();
            let mut input = Decoder::new(out.finish_contiguous());
            let (tag, end) = input.tag().unwrap();
            assert_eq!((tag, end), (9, input.position() + length));
            assert_eq!(input.remaining(), length);
        }
    }

    #[test]
    fn text_beyond_an_int16_is_refused() {
        let text = Str::from("a".repeat(32768));
        assert_eq!(
            Encoder::new().string(false, &text),
            Err(EncodeError::Length { length: 32768 })
        );
        assert_eq!(
            Encoder::new().string(true, &text),
            Err(EncodeError::Length { length: 32768 })
        );
    }
}
