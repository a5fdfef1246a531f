//! Every message type behind one face.

use bytes::Bytes;
use klamm_protocol::{DecodeError, Decoder, Encoder, Message, Schema, for_each_message, for_each_stored};

/// A message type.
pub struct Codec {
    pub schema: &'static Schema,
    /// Decodes bytes into the type and encodes that again; gives the bytes and how many were left over.
    pub round_trip: fn(Bytes, i16) -> Result<(Bytes, usize), DecodeError>,
    /// Only decodes.
    pub decode: fn(Bytes, i16) -> Result<(), DecodeError>,
    /// Size of the type in memory.
    pub size: usize,
}

impl Codec {
    fn of<M: Message + Clone + PartialEq + std::fmt::Debug>() -> Codec {
        Codec {
            schema: M::SCHEMA,
            round_trip: round_trip::<M>,
            decode: decode::<M>,
            size: size_of::<M>(),
        }
    }

    pub fn name(&self) -> &'static str {
        self.schema.body.name
    }
}

/// Every request, response and stored schema.
pub fn all() -> Vec<Codec> {
    let mut codecs = Vec::new();
    macro_rules! push {
        ($message:ty) => {
            codecs.push(Codec::of::<$message>())
        };
    }
    for_each_message!(push);
    for_each_stored!(push);
    codecs
}

fn round_trip<M: Message + PartialEq + std::fmt::Debug>(
    bytes: Bytes,
    version: i16,
) -> Result<(Bytes, usize), DecodeError> {
    let mut input = Decoder::new(bytes);
    let message = M::decode(&mut input, version)?;
    let mut out = Encoder::new();
    message.encode(&mut out, version).unwrap_or_else(|error| {
        panic!("what version {version} decoded cannot be encoded in it: {error}\n{message:?}")
    });
    Ok((out.finish_contiguous(), input.remaining()))
}

fn decode<M: Message>(bytes: Bytes, version: i16) -> Result<(), DecodeError> {
    M::decode(&mut Decoder::new(bytes), version).map(|_| ())
}
