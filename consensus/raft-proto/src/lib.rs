//! The messages of the raft crate, declared on prost 0.14 so that no protoc is needed.
