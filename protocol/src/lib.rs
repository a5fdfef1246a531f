//! Kafka's wire protocol: bytes to typed messages and record batches, and back.

pub mod record;
mod text;
pub use text::Str;
