//! Settings that Kafka does not have.

use crate::config::setting::{Setting, boolean};

pub(super) const SETTINGS: &[Setting] = &[boolean("klamm.validate.compressed", "false").doc(
    "Whether every record of a compressed batch is looked at before it is stored, as Kafka does. Else it is \
              checked from its head: codec, checksum, record count, offsets, sequence, timestamps.",
)];
