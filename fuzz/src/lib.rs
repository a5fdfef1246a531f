//! What the fuzz targets run: the bodies of the property tests, included as they are.

#[path = "../../protocol/tests/codec/any_bytes.rs"]
pub mod any_bytes;
#[path = "../../protocol/tests/codec/codecs.rs"]
pub mod codecs;
