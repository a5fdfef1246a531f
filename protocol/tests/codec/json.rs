//! Messages without their types: bytes to JSON in Kafka's form and back, by schema alone. And random ones.
//!
//! Kafka's form: names begin with a small letter, bytes and records in base64, uuids in Kafka's writing, fields
//! that the version lacks and tagged fields at their default left out.

use bytes::Bytes;
use klamm_protocol::{DecodeError, Decoder, Encoder, Field, Schema, Str, StructSchema, Type};
use serde_json::{Map, Value};

/// Reads a message; what follows it is left.
pub fn read(schema: &Schema, version: i16, input: &mut Decoder) -> Result<Value, DecodeError> {
    read_struct(schema.body, version, schema.flexible.contains(version), input)
}

/// Writes a message.
pub fn write(schema: &Schema, version: i16, value: &Value) -> Bytes {
    let mut out = Encoder::new();
    write_struct(
        schema.body,
        version,
        schema.flexible.contains(version),
        value,
        &mut out,
    );
    out.finish_contiguous()
}

fn read_struct(
    body: &StructSchema,
    version: i16,
    flexible: bool,
    input: &mut Decoder,
) -> Result<Value, DecodeError> {
    let mut object = Map::new();
    for field in body
        .fields
        .iter()
        .filter(|f| f.versions.contains(version) && !f.tagged.contains(version))
    {
        object.insert(json_name(field), read_field(field, version, flexible, input)?);
    }
    if flexible {
        for _ in 0..input.tag_count()? {
            let (tag, end) = input.tag()?;
            match body
                .fields
                .iter()
                .find(|f| f.tag == Some(tag) && f.tagged.contains(version))
            {
                Some(field) => {
                    object.insert(json_name(field), read_field(field, version, flexible, input)?);
                }
                None => input.skip_to(end),
            }
            input.end_tag(tag, end)?;
        }
    }
    Ok(Value::Object(object))
}

fn read_field(
    field: &Field,
    version: i16,
    flexible: bool,
    input: &mut Decoder,
) -> Result<Value, DecodeError> {
    let nullable = field.nullable.contains(version);
    match &field.ty {
        Type::Struct(body) if nullable => {
            let tagged = field.tagged.contains(version);
            let present = if tagged {
                input.is_present_tagged()?
            } else {
                input.is_present()?
            };
            if present {
                read_struct(body, version, flexible, input)
            } else {
                Ok(Value::Null)
            }
        }
        ty => read_value(ty, nullable, field.name, version, flexible, input),
    }
}

fn read_value(
    ty: &Type,
    nullable: bool,
    name: &'static str,
    version: i16,
    flexible: bool,
    input: &mut Decoder,
) -> Result<Value, DecodeError> {
    let value = match ty {
        Type::Bool => Value::from(input.bool()?),
        Type::Int8 => Value::from(input.i8()?),
        Type::Int16 => Value::from(input.i16()?),
        Type::Int32 => Value::from(input.i32()?),
        Type::Int64 => Value::from(input.i64()?),
        Type::Uint16 => Value::from(input.u16()?),
        Type::Uint32 => Value::from(input.u32()?),
        Type::Float64 => Value::from(input.f64()?),
        Type::Uuid => Value::from(input.uuid()?.to_string()),
        Type::String => input
            .nullable_string(flexible)?
            .map_or(Value::Null, |s| Value::from(s.as_str())),
        Type::Bytes | Type::Records => input
            .nullable_byte_string(flexible)?
            .map_or(Value::Null, |b| Value::from(base64(&b))),
        Type::Array(element) => input
            .nullable_array(flexible, |input| {
                read_value(element, false, name, version, flexible, input)
            })?
            .map_or(Value::Null, Value::from),
        Type::Struct(body) => read_struct(body, version, flexible, input)?,
    };
    if value.is_null() && !nullable {
        return Err(DecodeError::Null {
            at: input.position(),
            field: name,
        });
    }
    Ok(value)
}

fn write_struct(body: &StructSchema, version: i16, flexible: bool, value: &Value, out: &mut Encoder) {
    for field in body
        .fields
        .iter()
        .filter(|f| f.versions.contains(version) && !f.tagged.contains(version))
    {
        write_field(field, version, flexible, &value[json_name(field)], out);
    }
    if !flexible {
        return;
    }
    let mut tagged: Vec<(u32, &Field, &Value)> = Vec::new();
    for field in body.fields.iter().filter(|f| f.tagged.contains(version)) {
        if let (Some(tag), Some(value)) = (field.tag, value.get(json_name(field))) {
            tagged.push((tag, field, value));
        }
    }
    tagged.sort_by_key(|(tag, ..)| *tag);
    out.unsigned_varint(u32::try_from(tagged.len()).expect("few fields are tagged"));
    for (tag, field, value) in tagged {
        out.tagged(tag, |out| {
            write_field(field, version, flexible, value, out);
            Ok(())
        })
        .expect("the value is short");
    }
}

fn write_field(field: &Field, version: i16, flexible: bool, value: &Value, out: &mut Encoder) {
    if let (Type::Struct(_), true) = (&field.ty, field.nullable.contains(version)) {
        if field.tagged.contains(version) {
            out.is_present_tagged(!value.is_null());
        } else {
            out.is_present(!value.is_null());
        }
        if value.is_null() {
            return;
        }
    }
    write_value(&field.ty, version, flexible, value, out);
}

fn write_value(ty: &Type, version: i16, flexible: bool, value: &Value, out: &mut Encoder) {
    let number = || value.as_i64().expect("a number");
    match ty {
        Type::Bool => out.bool(value.as_bool().expect("a truth value")),
        Type::Int8 => out.i8(i8::try_from(number()).expect("an int8")),
        Type::Int16 => out.i16(i16::try_from(number()).expect("an int16")),
        Type::Int32 => out.i32(i32::try_from(number()).expect("an int32")),
        Type::Int64 => out.i64(number()),
        Type::Uint16 => out.u16(u16::try_from(number()).expect("a uint16")),
        Type::Uint32 => out.u32(u32::try_from(number()).expect("a uint32")),
        Type::Float64 => out.f64(value.as_f64().expect("a number")),
        Type::Uuid => out.uuid(value.as_str().expect("a uuid").parse().expect("a uuid")),
        Type::String => {
            let text = value.as_str().map(Str::from);
            out.nullable_string(flexible, text.as_ref())
                .expect("the text is short");
        }
        Type::Bytes | Type::Records => {
            let bytes = value.as_str().map(from_base64);
            out.nullable_byte_string(flexible, bytes.as_ref())
                .expect("the bytes are few");
        }
        Type::Array(element) => {
            let elements = value.as_array();
            out.length(flexible, elements.map(Vec::len))
                .expect("the elements are few");
            for element_value in elements.into_iter().flatten() {
                write_value(element, version, flexible, element_value, out);
            }
        }
        Type::Struct(body) => write_struct(body, version, flexible, value, out),
    }
}

/// Random numbers from a seed (splitmix64).
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    /// A signed number of so many bits; often at the ends of its range, or small.
    fn signed(&mut self, bits: u32) -> i64 {
        let unused = 64 - bits;
        match self.below(8) {
            0 => 0,
            1 => -1,
            2 => i64::MAX >> unused,
            3 => i64::MIN >> unused,
            4 => self.below(100).cast_signed(),
            _ => self.next().cast_signed() >> unused,
        }
    }
}

/// A random message of a version, in Kafka's form. Tagged fields are sometimes left out.
pub fn random(schema: &Schema, version: i16, random: &mut Random) -> Value {
    random_struct(schema.body, version, random)
}

fn random_struct(body: &StructSchema, version: i16, random: &mut Random) -> Value {
    let mut object = Map::new();
    for field in body.fields.iter().filter(|f| f.versions.contains(version)) {
        let left_out = field.tagged.contains(version) && random.below(3) == 0;
        let null = field.nullable.contains(version) && random.below(5) == 0;
        if !left_out {
            let value = if null {
                Value::Null
            } else {
                random_value(&field.ty, version, random)
            };
            object.insert(json_name(field), value);
        }
    }
    Value::Object(object)
}

fn random_value(ty: &Type, version: i16, random: &mut Random) -> Value {
    match ty {
        Type::Bool => Value::from(random.below(2) == 1),
        Type::Int8 => Value::from(random.signed(8)),
        Type::Int16 => Value::from(random.signed(16)),
        Type::Int32 => Value::from(random.signed(32)),
        Type::Int64 => Value::from(random.signed(64)),
        Type::Uint16 => Value::from(random.next() & 0xffff),
        Type::Uint32 => Value::from(random.next() & 0xffff_ffff),
        // Few digits, so that no reader of JSON rounds them.
        Type::Float64 => Value::from(f64::from(i32::try_from(random.signed(24)).expect("24 bits")) / 16.0),
        Type::Uuid => {
            let halves = [random.next().to_be_bytes(), random.next().to_be_bytes()];
            Value::from(klamm_protocol::Uuid(halves.concat().try_into().expect("16 bytes")).to_string())
        }
        Type::String => {
            let letters: Vec<char> = "abXZ09._-/ \"\\\n\0é√😀".chars().collect();
            let length = if random.below(15) == 0 {
                120 + random.below(300)
            } else {
                random.below(10)
            };
            let text: String = (0..length)
                .map(|_| letters[index(random.below(letters.len() as u64))])
                .collect();
            Value::from(text)
        }
        Type::Bytes | Type::Records => {
            let length = random.below(200);
            let bytes: Vec<u8> = (0..length).map(|_| random.next().to_le_bytes()[0]).collect();
            Value::from(base64(&bytes))
        }
        Type::Array(element) => {
            let length = random.below(4);
            Value::from(
                (0..length)
                    .map(|_| random_value(element, version, random))
                    .collect::<Vec<_>>(),
            )
        }
        Type::Struct(body) => random_struct(body, version, random),
    }
}

fn index(number: u64) -> usize {
    usize::try_from(number).expect("an index is small")
}

pub fn json_name(field: &Field) -> String {
    let mut letters = field.name.chars();
    let first = letters.next().expect("a name has letters").to_ascii_lowercase();
    format!("{first}{}", letters.as_str())
}

pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

pub fn from_hex(text: &str) -> Bytes {
    let digit = |c: u8| char::from(c).to_digit(16).expect("a hexadecimal digit");
    let byte = |pair: &[u8]| u8::try_from(digit(pair[0]) << 4 | digit(pair[1])).expect("two digits");
    text.as_bytes().chunks(2).map(byte).collect::<Vec<u8>>().into()
}

const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

fn base64(bytes: &[u8]) -> String {
    let mut text = String::new();
    for three in bytes.chunks(3) {
        let bits = three.iter().fold(0u32, |bits, b| bits << 8 | u32::from(*b)) << (8 * (3 - three.len()));
        for i in 0..4 {
            let six = BASE64[(bits >> (18 - 6 * i) & 63) as usize];
            text.push(if i <= three.len() { char::from(six) } else { '=' });
        }
    }
    text
}

fn from_base64(text: &str) -> Bytes {
    let digits: Vec<u32> = text
        .bytes()
        .take_while(|c| *c != b'=')
        .map(|c| u32::try_from(BASE64.iter().position(|b| *b == c).expect("base64")).expect("six bits"))
        .collect();
    let mut bytes = Vec::new();
    for four in digits.chunks(4) {
        let bits = four.iter().fold(0, |bits, d| bits << 6 | d) << (6 * (4 - four.len()));
        bytes.extend_from_slice(&bits.to_be_bytes()[1..four.len()]);
    }
    bytes.into()
}
