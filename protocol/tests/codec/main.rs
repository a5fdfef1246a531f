//! All messages at once: against their declarations, against Kafka, against bytes that are no message.
//!
//! | module | what it guards | needs |
//! |---|---|---|
//! | `schema` | declarations equal Kafka's definitions | `KLAMM_KAFKA_MESSAGES` |
//! | `oracle` | random values, both ways, byte for byte as Kafka's own classes | `KLAMM_KAFKA` |
//! | `vectors` | bytes that Kafka wrote, checked in | |
//! | `robustness` | no panic and no unbounded memory on any bytes; every value comes back | |
//! | `document` | `docs/protocol.md` is what the declarations say | |
//!
//! `KLAMM_UPDATE=1` has `document` and `oracle` write what they compare with.

mod any_bytes;
mod codecs;
mod document;
mod json;
mod oracle;
mod robustness;
mod schema;
mod vectors;
