//! A byte that chooses a class, and arbitrary bytes as a property file for it.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| midge_bridge_fuzz::properties::try_file(input));
