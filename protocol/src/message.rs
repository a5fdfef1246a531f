//! What a message is: the traits that the derives implement, and the [`Schema`] they emit.
//!
//! The attributes are Kafka's own notation. `versions` says in which versions a field is there, `nullable` in
//! which of them it may be null, `tagged` and `tag` in which of them it travels in the tagged section of a
//! flexible version. `default` is what a version without the field decodes to; without it that is zero,
//! empty or false. To encode another value into such a version is an error, unless the field is `ignorable`.
//! A field of a nested struct without `versions` is there whenever its struct is. A tagged field that Kafka does not
//! have is `own`: it is read and written, but is no part of the schema, which is Kafka's.

use std::fmt;

use crate::{DecodeError, Decoder, EncodeError, Encoder};

/// A whole message: request, response, header, or what lies in a log or file.
pub trait Message: Default + Sized {
    /// The message as data, for documentation, checks and tools.
    const SCHEMA: &'static Schema;

    /// Reads the message in a version; what stands after it is left in the decoder.
    ///
    /// # Errors
    /// When the bytes are not such a message, or the message never had the version.
    fn decode(input: &mut Decoder, version: i16) -> Result<Self, DecodeError>;

    /// Writes the message in a version.
    ///
    /// # Errors
    /// When the version cannot say what the message says, or the message never had it.
    fn encode(&self, out: &mut Encoder, version: i16) -> Result<(), EncodeError>;
}

/// A part of a message. `flexible` is a property of the message's version (KIP-482).
pub trait Struct: Default + Sized {
    /// The struct as data.
    const SCHEMA: &'static StructSchema;

    /// Reads the struct.
    ///
    /// # Errors
    /// When the bytes are not such a struct.
    fn decode(input: &mut Decoder, version: i16, flexible: bool) -> Result<Self, DecodeError>;

    /// Writes the struct.
    ///
    /// # Errors
    /// When the version cannot say what the struct says.
    fn encode(&self, out: &mut Encoder, version: i16, flexible: bool) -> Result<(), EncodeError>;
}

/// A message as data.
#[derive(Debug, PartialEq)]
pub struct Schema {
    /// What it is.
    pub kind: Kind,
    /// The API key of a request or response; the key that Kafka gives some stored schemas.
    pub key: Option<i16>,
    /// Every version ever released.
    pub versions: Versions,
    /// Versions with compact lengths and tagged fields.
    pub flexible: Versions,
    /// Name, description and fields.
    pub body: &'static StructSchema,
}

/// A struct as data.
#[derive(Debug, PartialEq)]
pub struct StructSchema {
    /// Its name.
    pub name: &'static str,
    /// What it is for.
    pub doc: &'static str,
    /// Its fields in wire order.
    pub fields: &'static [Field],
}

/// A field as data.
#[derive(Debug, PartialEq)]
pub struct Field {
    /// Kafka's name.
    pub name: &'static str,
    /// What it means.
    pub doc: &'static str,
    /// What it holds.
    pub ty: Type,
    /// Versions that have it, among those that have its struct.
    pub versions: Versions,
    /// Versions in which it may be null.
    pub nullable: Versions,
    /// Versions in which it is a tagged field.
    pub tagged: Versions,
    /// Its tag, where it has one.
    pub tag: Option<u32>,
    /// Its default in Kafka's notation; empty for zero, empty or false.
    pub default: &'static str,
    /// Whether its value may be dropped in a version without it.
    pub ignorable: bool,
}

/// What stands in a frame, a log or a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// From client to broker.
    Request,
    /// From broker to client.
    Response,
    /// In front of either.
    Header,
    /// In a log or file.
    Data,
}

/// The type of a field.
#[derive(Debug, PartialEq)]
pub enum Type {
    /// One byte, 0 or 1.
    Bool,
    /// Signed, one byte.
    Int8,
    /// Signed, two bytes. Error codes are of this type.
    Int16,
    /// Signed, four bytes.
    Int32,
    /// Signed, eight bytes.
    Int64,
    /// Unsigned, two bytes.
    Uint16,
    /// Unsigned, four bytes.
    Uint32,
    /// IEEE 754, eight bytes.
    Float64,
    /// UTF-8 text.
    String,
    /// Bytes.
    Bytes,
    /// 16 bytes.
    Uuid,
    /// Record batches or, in old versions, message sets.
    Records,
    /// Elements of one type.
    Array(&'static Type),
    /// Fields of their own.
    Struct(&'static StructSchema),
}

/// A range of versions, both ends included.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Versions {
    /// The first.
    pub min: i16,
    /// The last; [`i16::MAX`] for no end.
    pub max: i16,
}

impl Versions {
    /// Every version.
    pub const ALL: Versions = Versions {
        min: 0,
        max: i16::MAX,
    };
    /// No version.
    pub const NONE: Versions = Versions { min: 0, max: -1 };

    /// Whether the version is one of them.
    pub const fn contains(self, version: i16) -> bool {
        self.min <= version && version <= self.max
    }

    /// Whether there is none.
    pub const fn is_empty(self) -> bool {
        self.min > self.max
    }

    /// Versions in both.
    pub fn intersection(self, other: Versions) -> Versions {
        let both = Versions {
            min: self.min.max(other.min),
            max: self.max.min(other.max),
        };
        if both.is_empty() { Versions::NONE } else { both }
    }

    /// One after the other; no end when there is none.
    pub fn iter(self) -> impl Iterator<Item = i16> {
        self.min..=self.max
    }
}

impl fmt::Display for Versions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.min, self.max) {
            _ if self.is_empty() => write!(f, "none"),
            (min, i16::MAX) => write!(f, "{min}+"),
            (min, max) if min == max => write!(f, "{min}"),
            (min, max) => write!(f, "{min}-{max}"),
        }
    }
}

impl fmt::Debug for Versions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
