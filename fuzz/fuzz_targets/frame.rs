//! Frames: the header of a request or response, and the body that it announces.
#![no_main]

use std::sync::LazyLock;

use klamm_fuzz::any_bytes;
use klamm_fuzz::codecs::{self, Codec};
use libfuzzer_sys::fuzz_target;

static CODECS: LazyLock<Vec<Codec>> = LazyLock::new(codecs::all);

fuzz_target!(|input: &[u8]| any_bytes::frame_of(&CODECS, input));
