//! Arbitrary requests to Connect's REST interface, several one after the other.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| midge_bridge_fuzz::rest::try_requests(input));
