//! Only benches: see `benches/codec.rs`.
