//! The variable-length integers of record bodies: 7 bits a byte, low bits first, zigzag-coded, so that
//! small negative numbers stay short. (Flexible messages use unsigned ones; those live in the codec.)

/// The longest coding of an `i32`, in bytes.
pub(super) const VARINT_MAX: usize = 5;
/// The longest coding of an `i64`, in bytes.
pub(super) const VARLONG_MAX: usize = 10;

pub(super) fn put_varlong(out: &mut Vec<u8>, value: i64) {
    let mut rest = ((value << 1) ^ (value >> 63)).cast_unsigned();
    while rest >= 0x80 {
        out.push((rest & 0x7f) as u8 | 0x80);
        rest >>= 7;
    }
    out.push((rest & 0x7f) as u8);
}

pub(super) fn put_varint(out: &mut Vec<u8>, value: i32) {
    // The two codings agree on every value that an i32 can hold.
    put_varlong(out, i64::from(value));
}

/// How many bytes `put_varlong` writes.
pub(super) fn varlong_len(value: i64) -> usize {
    let zigzag = ((value << 1) ^ (value >> 63)).cast_unsigned();
    (64 - (zigzag | 1).leading_zeros() as usize).div_ceil(7)
}

/// Takes an `i32` from the front of `input`; `None` if it ends too early or is longer than five bytes.
#[inline]
pub(super) fn take_varint(input: &mut &[u8]) -> Option<i32> {
    let zigzag = take_unsigned(input, VARINT_MAX)?;
    let zigzag = u32::try_from(zigzag).ok()?;
    Some((zigzag >> 1).cast_signed() ^ -(zigzag & 1).cast_signed())
}

/// Takes an `i64` from the front of `input`; `None` if it ends too early or is longer than ten bytes.
#[inline]
pub(super) fn take_varlong(input: &mut &[u8]) -> Option<i64> {
    let zigzag = take_unsigned(input, VARLONG_MAX)?;
    Some((zigzag >> 1).cast_signed() ^ -(zigzag & 1).cast_signed())
}

#[inline]
fn take_unsigned(input: &mut &[u8], longest: usize) -> Option<u64> {
    // Most numbers of a record are small.
    if let [byte @ 0..0x80, rest @ ..] = *input {
        *input = rest;
        return Some(u64::from(*byte));
    }
    take_long(input, longest)
}

fn take_long(input: &mut &[u8], longest: usize) -> Option<u64> {
    let mut value = 0u64;
    for (at, &byte) in input.iter().enumerate().take(longest) {
        let bits = u64::from(byte & 0x7f);
        // The tenth byte has room for one bit only.
        if at == VARLONG_MAX - 1 && bits > 1 {
            return None;
        }
        value |= bits << (7 * at);
        if byte & 0x80 == 0 {
            *input = &input[at + 1..];
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_length_of_a_varint_comes_back() {
        for shift in 0..64 {
            for value in [
                1i64 << shift,
                (1i64 << shift).wrapping_sub(1),
                -(1i64 << shift).wrapping_add(1),
            ] {
                let mut bytes = Vec::new();
                put_varlong(&mut bytes, value);
                assert_eq!(bytes.len(), varlong_len(value), "{value}");
                let mut rest = bytes.as_slice();
                assert_eq!(take_varlong(&mut rest), Some(value));
                assert!(rest.is_empty());
                let as_int = take_varint(&mut bytes.as_slice());
                assert_eq!(as_int, i32::try_from(value).ok(), "{value}");
            }
        }
    }

    #[test]
    fn a_varint_that_ends_early_or_never_is_refused() {
        assert_eq!(take_varint(&mut [].as_slice()), None);
        assert_eq!(take_varint(&mut [0x80, 0x80].as_slice()), None);
        assert_eq!(
            take_varint(&mut [0xff, 0xff, 0xff, 0xff, 0x1f].as_slice()),
            None,
            "more than 32 bits"
        );
        assert_eq!(
            take_varint(&mut [0x80, 0x80, 0x80, 0x80, 0x80, 0x00].as_slice()),
            None
        );
        assert_eq!(take_varlong(&mut [0xff; 11].as_slice()), None);
    }
}
