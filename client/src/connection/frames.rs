//! Cutting a stream of bytes into answers.

use bytes::{Buf, Bytes, BytesMut};

use super::ConnectionError;

/// The longest answer that is taken: 128 MiB. A Fetch asks for less, and a stranger's four bytes buy nothing.
pub const FRAME_BYTES_MAX: usize = 128 << 20;

/// The next answer of `received` without its length; `None` when it is not all there.
///
/// # Errors
/// [`ConnectionError::Length`] when the length is negative or above [`FRAME_BYTES_MAX`].
pub fn next_frame(received: &mut BytesMut) -> Result<Option<Bytes>, ConnectionError> {
    let Some(length) = received.first_chunk::<4>() else {
        return Ok(None);
    };
    let length_bytes = i32::from_be_bytes(*length);
    let length = usize::try_from(length_bytes)
        .ok()
        .filter(|&length| length <= FRAME_BYTES_MAX);
    let length = length.ok_or(ConnectionError::Length { length_bytes })?;
    if received.len() - 4 < length {
        return Ok(None);
    }
    received.advance(4);
    Ok(Some(received.split_to(length).freeze()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_come_out_whole_and_in_order_however_the_bytes_arrive() {
        let stream = [0, 0, 0, 2, b'a', b'b', 0, 0, 0, 0, 0, 0, 0, 1, b'c'];
        for cut in 0..stream.len() {
            let mut received = BytesMut::new();
            let mut frames = Vec::new();
            for part in [&stream[..cut], &stream[cut..]] {
                received.extend_from_slice(part);
                while let Some(frame) = next_frame(&mut received).unwrap() {
                    frames.push(frame);
                }
            }
            assert_eq!(frames, [&b"ab"[..], b"", b"c"], "cut at {cut}");
        }
    }

    #[test]
    fn a_length_beyond_the_bound_is_refused_before_anything_is_kept() {
        for length in [-1, i32::MAX] {
            let mut received = BytesMut::from(&length.to_be_bytes()[..]);
            assert!(matches!(
                next_frame(&mut received),
                Err(ConnectionError::Length { length_bytes }) if length_bytes == length
            ));
        }
    }
}
