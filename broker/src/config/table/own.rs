//! Settings that Kafka does not have.

use crate::config::setting::{Setting, boolean, long};

pub(super) const SETTINGS: &[Setting] = &[
    long("klamm.reserve.bytes", "8388608").between(0, 1 << 40).doc(
        "Bytes of its disk that each log directory keeps in reserve. When the disk is full, producers are refused, and \
         the reserve keeps metadata, deletions and the offsets of groups going until there is room again.",
    ),
    boolean("klamm.validate.compressed", "false").doc(
        "Whether every record of a compressed batch is looked at before it is stored, as Kafka does. Else it is \
         checked from its head: codec, checksum, record count, offsets, sequence, timestamps.",
    ),
];
