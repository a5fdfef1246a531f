//! Message sets of formats 0 and 1: wrappers, nested ones, conversion to record batches and back.
#![no_main]

use klamm_fuzz::any_bytes;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| any_bytes::message_set(input));
