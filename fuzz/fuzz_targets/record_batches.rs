//! Record batches: heads, codecs, records, control records, what a producer may send, conversion to old formats.
#![no_main]

use klamm_fuzz::any_bytes;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| any_bytes::record_batches(input));
