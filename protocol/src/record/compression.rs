//! The five codecs of record data: compressing into a buffer, and inflating as a stream that ends at a
//! named limit, so that nobody's few bytes become our gigabytes.
//!
//! | id | codec | what is on the wire |
//! |---|---|---|
//! | 0 | none | |
//! | 1 | gzip | one or more members |
//! | 2 | snappy | blocks in the framing of Java's xerial library; a bare block is read as well |
//! | 3 | lz4 | one LZ4 frame; we write independent blocks of 64 KiB, as Kafka does |
//! | 4 | zstd | frames without a content size, so they are always read as a stream |

use std::fmt;
use std::io::{self, Read, Write};

use bytes::{Buf, Bytes};
use thiserror::Error;

/// How the records of a batch are compressed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Compression {
    /// Records lie as they are.
    #[default]
    None,
    /// RFC 1952.
    Gzip,
    /// Snappy, in xerial's framing.
    Snappy,
    /// The LZ4 frame format.
    Lz4,
    /// Zstandard; Kafka's clients know it since Produce 7 and Fetch 10 (KIP-110).
    Zstd,
}

impl Compression {
    /// Every codec, by its id.
    pub const ALL: [Compression; 5] = [
        Compression::None,
        Compression::Gzip,
        Compression::Snappy,
        Compression::Lz4,
        Compression::Zstd,
    ];

    /// The number in the three low bits of a batch's attributes.
    pub fn id(self) -> u8 {
        self as u8
    }

    /// The codec of an id, `None` for the three ids nobody has given a meaning.
    pub fn from_id(id: u8) -> Option<Compression> {
        Compression::ALL.get(usize::from(id)).copied()
    }

    /// Kafka's name in `compression.type`.
    pub fn name(self) -> &'static str {
        match self {
            Compression::None => "none",
            Compression::Gzip => "gzip",
            Compression::Snappy => "snappy",
            Compression::Lz4 => "lz4",
            Compression::Zstd => "zstd",
        }
    }

    /// The codec of a name of `compression.type`; `None` for any other, `producer` and `uncompressed` too.
    pub fn from_name(name: &str) -> Option<Compression> {
        Compression::ALL.into_iter().find(|codec| codec.name() == name)
    }

    /// Compresses `input` at the codec's default level.
    pub fn compress(self, input: &[u8]) -> Vec<u8> {
        match self {
            Compression::None => input.to_vec(),
            Compression::Gzip => gzip(input),
            Compression::Snappy => snappy(input),
            Compression::Lz4 => lz4(input),
            Compression::Zstd => zstd(input),
        }
    }
}

impl fmt::Display for Compression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What can go wrong while inflating.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum InflateError {
    /// The bytes are not what the codec writes.
    #[error("{codec} data is broken: {reason}")]
    Broken {
        /// The codec that the batch named.
        codec: Compression,
        /// The codec's own words.
        reason: String,
    },
    /// The output would be longer than the caller allows. Nothing beyond the limit was kept.
    #[error("{codec} data inflates to more than {limit_bytes} bytes")]
    TooLarge {
        /// The codec that the batch named.
        codec: Compression,
        /// The limit that was given.
        limit_bytes: usize,
    },
}

const WRITING_TO_MEMORY: &str = "writing to memory does not fail";

fn gzip(input: &[u8]) -> Vec<u8> {
    let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    out.write_all(input).expect(WRITING_TO_MEMORY);
    out.finish().expect(WRITING_TO_MEMORY)
}

fn lz4(input: &[u8]) -> Vec<u8> {
    use lz4_flex::frame::{BlockMode, BlockSize, FrameEncoder, FrameInfo};
    let info = FrameInfo::new()
        .block_size(BlockSize::Max64KB)
        .block_mode(BlockMode::Independent);
    let mut out = FrameEncoder::with_frame_info(info, Vec::new());
    out.write_all(input).expect(WRITING_TO_MEMORY);
    out.finish().expect(WRITING_TO_MEMORY)
}

/// What an LZ4 frame begins with.
const LZ4_MAGIC: [u8; 4] = 0x184D_2204_u32.to_le_bytes();

fn zstd(input: &[u8]) -> Vec<u8> {
    let mut out = zstd::stream::write::Encoder::new(Vec::new(), zstd::DEFAULT_COMPRESSION_LEVEL)
        .expect("the default level exists");
    out.write_all(input).expect(WRITING_TO_MEMORY);
    out.finish().expect(WRITING_TO_MEMORY)
}

/// The first 16 bytes of xerial's framing: eight of magic, the version, the oldest version that can read it.
const XERIAL_HEADER: [u8; 16] = *b"\x82SNAPPY\0\0\0\0\x01\0\0\0\x01";
/// Only this much is compared: other writers put other versions behind it.
const XERIAL_MAGIC: &[u8] = XERIAL_HEADER.first_chunk::<8>().expect("the header is longer");
/// Input per snappy block, as Kafka's Java client writes it.
const XERIAL_BLOCK_BYTES: usize = 32 * 1024;

fn snappy(input: &[u8]) -> Vec<u8> {
    let mut encoder = snap::raw::Encoder::new();
    let mut out = XERIAL_HEADER.to_vec();
    for block in input.chunks(XERIAL_BLOCK_BYTES) {
        let block = encoder
            .compress_vec(block)
            .expect("a block of 32 KiB is far below snappy's 4 GiB");
        let len = u32::try_from(block.len()).expect("a block of 32 KiB stays small");
        out.extend_from_slice(&len.to_be_bytes());
        out.extend_from_slice(&block);
    }
    out
}

/// Inflates `input` as it is read, and no further than a limit.
pub(super) struct Inflate {
    codec: Compression,
    limit_bytes: usize,
    left_bytes: usize,
    source: Source,
}

enum Source {
    Plain(Bytes),
    Gzip(Box<flate2::bufread::MultiGzDecoder<bytes::buf::Reader<Bytes>>>),
    Snappy(SnappyBlocks),
    Lz4(Box<lz4_flex::frame::FrameDecoder<bytes::buf::Reader<Bytes>>>),
    Zstd(Box<zstd::stream::read::Decoder<'static, bytes::buf::Reader<Bytes>>>),
}

impl Inflate {
    pub(super) fn new(codec: Compression, input: Bytes, limit_bytes: usize) -> Result<Inflate, InflateError> {
        let source = match codec {
            Compression::None => Source::Plain(input),
            Compression::Gzip => Source::Gzip(Box::new(flate2::bufread::MultiGzDecoder::new(input.reader()))),
            Compression::Snappy => Source::Snappy(SnappyBlocks::new(input)),
            // A frame of the older kind, which Kafka does not read either, takes 16 MiB of memory whatever is in it.
            Compression::Lz4 if !input.is_empty() && !input.starts_with(&LZ4_MAGIC) => {
                return Err(InflateError::Broken {
                    codec,
                    reason: "not an LZ4 frame".to_owned(),
                });
            }
            Compression::Lz4 => Source::Lz4(Box::new(lz4_flex::frame::FrameDecoder::new(input.reader()))),
            Compression::Zstd => {
                let decoder = zstd::stream::read::Decoder::with_buffer(input.reader()).map_err(|e| {
                    InflateError::Broken {
                        codec,
                        reason: e.to_string(),
                    }
                })?;
                Source::Zstd(Box::new(decoder))
            }
        };
        Ok(Inflate {
            codec,
            limit_bytes,
            left_bytes: limit_bytes,
            source,
        })
    }

    /// Appends at most `most_bytes` to `out`; 0 is the end of the data.
    pub(super) fn read_into(&mut self, out: &mut Vec<u8>, most_bytes: usize) -> Result<usize, InflateError> {
        // One byte more than allowed is asked for: whoever still has it is over the limit.
        let ask = most_bytes.min(self.left_bytes.saturating_add(1)).max(1);
        let start = out.len();
        out.resize(start + ask, 0);
        let read = match &mut self.source {
            Source::Plain(rest) => rest
                .clone()
                .reader()
                .read(&mut out[start..])
                .inspect(|&n| rest.advance(n)),
            Source::Gzip(reader) => reader.read(&mut out[start..]),
            Source::Snappy(blocks) => blocks.read(&mut out[start..], self.left_bytes),
            Source::Lz4(reader) => reader.read(&mut out[start..]),
            Source::Zstd(reader) => reader.read(&mut out[start..]),
        };
        let codec = self.codec;
        let read = match read {
            Ok(read) => read,
            Err(e) => {
                out.truncate(start);
                return Err(match e.kind() {
                    io::ErrorKind::OutOfMemory => self.too_large(),
                    _ => InflateError::Broken {
                        codec,
                        reason: e.to_string(),
                    },
                });
            }
        };
        out.truncate(start + read);
        match self.left_bytes.checked_sub(read) {
            Some(left) => self.left_bytes = left,
            None => return Err(self.too_large()),
        }
        Ok(read)
    }

    fn too_large(&self) -> InflateError {
        InflateError::TooLarge {
            codec: self.codec,
            limit_bytes: self.limit_bytes,
        }
    }
}

/// Snappy knows no streams: blocks are inflated one by one, each bounded before it is begun.
struct SnappyBlocks {
    rest: Bytes,
    framed: bool,
    block: Vec<u8>,
    taken: usize,
}

impl SnappyBlocks {
    fn new(input: Bytes) -> SnappyBlocks {
        let framed = input.len() >= XERIAL_HEADER.len() && input.starts_with(XERIAL_MAGIC);
        SnappyBlocks {
            rest: input,
            framed,
            block: Vec::new(),
            taken: 0,
        }
    }

    /// `left_bytes` bounds what a block may claim to inflate to; over it the error kind is `OutOfMemory`.
    fn read(&mut self, out: &mut [u8], left_bytes: usize) -> io::Result<usize> {
        while self.taken == self.block.len() {
            let Some(compressed) = self.next_block()? else {
                return Ok(0);
            };
            let claimed = snap::raw::decompress_len(&compressed).map_err(io::Error::other)?;
            if claimed > left_bytes {
                return Err(io::ErrorKind::OutOfMemory.into());
            }
            // Three bytes copy at most 64: a longer claim is a lie, found before memory is taken for it.
            if claimed / 32 > compressed.len() {
                return Err(io::Error::other(
                    "the block is too short for the length it claims",
                ));
            }
            self.block = snap::raw::Decoder::new()
                .decompress_vec(&compressed)
                .map_err(io::Error::other)?;
            self.taken = 0;
        }
        let n = out.len().min(self.block.len() - self.taken);
        out[..n].copy_from_slice(&self.block[self.taken..self.taken + n]);
        self.taken += n;
        Ok(n)
    }

    fn next_block(&mut self) -> io::Result<Option<Bytes>> {
        if !self.framed {
            let whole = std::mem::take(&mut self.rest);
            return Ok(Some(whole).filter(|block| !block.is_empty()));
        }
        // Framed streams may be joined end to end; then the header stands between two blocks.
        while self.rest.len() >= XERIAL_HEADER.len() && self.rest.starts_with(XERIAL_MAGIC) {
            self.rest.advance(XERIAL_HEADER.len());
        }
        if self.rest.is_empty() {
            return Ok(None);
        }
        if self.rest.len() < 4 {
            return Err(io::Error::other("the length of a block is cut short"));
        }
        let len = self.rest.get_u32() as usize;
        if len > self.rest.len() {
            return Err(io::Error::other("a block is cut short"));
        }
        Ok(Some(self.rest.split_to(len)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inflate(codec: Compression, input: Vec<u8>, limit_bytes: usize) -> Result<Vec<u8>, InflateError> {
        let mut out = Vec::new();
        let mut inflate = Inflate::new(codec, input.into(), limit_bytes)?;
        while inflate.read_into(&mut out, 1000)? > 0 {}
        Ok(out)
    }

    fn text() -> Vec<u8> {
        (0..100_000u32)
            .flat_map(|n| (n / 7).to_string().into_bytes())
            .collect()
    }

    #[test]
    fn what_is_compressed_inflates_to_itself_and_exactly_to_the_limit() {
        for codec in Compression::ALL {
            for input in [vec![], vec![1], text()] {
                let compressed = codec.compress(&input);
                assert_eq!(
                    inflate(codec, compressed.clone(), input.len()).as_ref(),
                    Ok(&input),
                    "{codec}"
                );
                if !input.is_empty() {
                    let limit_bytes = input.len() - 1;
                    let refused = inflate(codec, compressed, limit_bytes);
                    assert_eq!(refused, Err(InflateError::TooLarge { codec, limit_bytes }));
                }
            }
        }
    }

    #[test]
    fn gzip_members_follow_one_another() {
        let members = [
            Compression::Gzip.compress(b"one"),
            Compression::Gzip.compress(b"two"),
        ]
        .concat();
        assert_eq!(inflate(Compression::Gzip, members, 100).unwrap(), b"onetwo");
    }

    #[test]
    fn snappy_is_read_in_both_framings() {
        let raw = snap::raw::Encoder::new().compress_vec(&text()).unwrap();
        assert_eq!(inflate(Compression::Snappy, raw, 1 << 20).unwrap(), text());
        let streams = [
            Compression::Snappy.compress(b"one"),
            Compression::Snappy.compress(b"two"),
        ]
        .concat();
        assert_eq!(inflate(Compression::Snappy, streams, 100).unwrap(), b"onetwo");
    }

    #[test]
    fn a_block_that_claims_more_than_it_can_hold_takes_no_memory() {
        // The varint says 64 MiB, four bytes follow.
        let liar = vec![0x80, 0x80, 0x80, 0x20, 1, 2, 3, 4];
        let refused = inflate(Compression::Snappy, liar, usize::MAX);
        assert!(matches!(refused, Err(InflateError::Broken { .. })), "{refused:?}");
    }

    #[test]
    fn lz4_of_linked_blocks_with_checksums_is_read() {
        use lz4_flex::frame::{BlockMode, FrameEncoder, FrameInfo};
        let info = FrameInfo::new()
            .block_mode(BlockMode::Linked)
            .block_checksums(true)
            .content_checksum(true);
        let mut frame = FrameEncoder::with_frame_info(info, Vec::new());
        frame.write_all(&text()).unwrap();
        assert_eq!(
            inflate(Compression::Lz4, frame.finish().unwrap(), 1 << 20).unwrap(),
            text()
        );
    }

    /// The frames of before 2013 have no header: a reader has to be ready for blocks of 8 MiB.
    #[test]
    fn lz4_of_the_legacy_kind_is_no_lz4() {
        let legacy = 0x184C_2102_u32.to_le_bytes();
        let frame = [&legacy[..], &[4, 0, 0, 0, 0x30, b'a', b'b', b'c']].concat();
        let opened = Inflate::new(Compression::Lz4, frame.into(), 1000);
        assert!(matches!(opened, Err(InflateError::Broken { .. })));
    }

    #[test]
    fn codecs_have_kafkas_ids_and_names() {
        let names = ["none", "gzip", "snappy", "lz4", "zstd"];
        for (id, name) in (0u8..).zip(names) {
            let codec = Compression::from_id(id).unwrap();
            assert_eq!((codec.id(), codec.name()), (id, name));
            assert_eq!(Compression::from_name(name), Some(codec));
        }
        assert_eq!(Compression::from_id(5), None);
    }
}
