//! Arbitrary first packets.
//!
//! Input: what is on the wire.
#![no_main]

use bytes::BytesMut;
use libfuzzer_sys::fuzz_target;
use midge_codec::{Packet, ProtocolVersion, decode, decode_connect};

const MAXIMUM_PACKET_SIZE: u32 = 4_096;

fuzz_target!(|wire: &[u8]| {
    let mut buffer = BytesMut::from(wire);
    let mut again = buffer.clone();
    match decode_connect(&mut buffer, MAXIMUM_PACKET_SIZE) {
        Ok(Some(connect)) => {
            for version in [ProtocolVersion::V311, ProtocolVersion::V5] {
                let mut again = again.clone();
                let packet = decode(&mut again, version, MAXIMUM_PACKET_SIZE);
                assert_eq!(packet, Ok(Some(Packet::Connect(connect.clone()))));
                assert_eq!(again, buffer);
            }
        }
        Ok(None) => assert_eq!(buffer, again, "part of a packet consumes nothing"),
        Err(error) => {
            assert!(error.reason().is_error() && !error.to_string().is_empty());
            // Whatever is no CONNECT is no second one either, except that other packets may be.
            if wire[0] >> 4 == 1 {
                let second = decode(&mut again, ProtocolVersion::V311, MAXIMUM_PACKET_SIZE);
                assert_eq!(second.map_err(|second| second.reason()), Err(error.reason()));
            }
        }
    }
});
