//! Kafka's wire protocol: bytes to typed messages and record batches, and back.
//!
//! Everything here is a pure function of bytes. This crate knows no socket, file, clock, thread or broker.
//! A message is declared once, as a struct (see [`messages`] and [`stored`]); the derive makes its codec and
//! its [`Schema`] from it. Read [`message`] for what a declaration says, [`Decoder`] for the bounds that hold
//! on input, [`Encoder`] for how large bytes travel without being copied, [`frame`] for the way from a message
//! to what stands on a connection.

// The derive names its output by this crate's public paths, here as well as in other crates.
extern crate self as klamm_protocol;

pub mod error_code;
pub mod frame;
pub mod ids;
pub mod message;
pub mod messages;
pub mod record;
pub mod stored;

mod decode;
mod encode;
mod records;
mod text;
mod uuid;

pub use decode::{DecodeError, Decoder};
pub use encode::{EncodeError, Encoder};
pub use error_code::ErrorCode;
pub use message::{Field, Kind, Message, Schema, Struct, StructSchema, Type, Versions};
pub use records::Records;
pub use text::Str;
pub use uuid::Uuid;

/// Derives of [`Message`] and [`Struct`].
pub mod derive {
    pub use klamm_protocol_derive::{Message, Struct};
}
