//! Arbitrary bytes in every version, whole and in two pieces.
//!
//! Input: the protocol level, where to cut, then what is on the wire.
#![no_main]

use bytes::BytesMut;
use libfuzzer_sys::fuzz_target;
use midge_codec::{DecodeError, Packet, ProtocolVersion, decode};

const MAXIMUM_PACKET_SIZE: u32 = 4_096;

fuzz_target!(|input: &[u8]| {
    let [level, cut, wire @ ..] = input else {
        return;
    };
    let version = match level {
        3 => ProtocolVersion::V31,
        4 => ProtocolVersion::V311,
        _ => ProtocolVersion::V5,
    };
    let (first, second) = wire.split_at(usize::from(*cut).min(wire.len()));

    let mut whole = BytesMut::from(wire);
    let expected = drain(&mut whole, version);

    let mut pieces = BytesMut::from(first);
    let (mut packets, early) = drain(&mut pieces, version);
    if early.is_none() {
        pieces.extend_from_slice(second);
        let (rest, error) = drain(&mut pieces, version);
        packets.extend(rest);
        assert_eq!((packets, error), expected);
        assert_eq!(pieces, whole);
    } else {
        assert_eq!((packets, early), expected);
    }
});

fn drain(buffer: &mut BytesMut, version: ProtocolVersion) -> (Vec<Packet>, Option<DecodeError>) {
    let mut packets = Vec::new();
    loop {
        let before = buffer.len();
        match decode(buffer, version, MAXIMUM_PACKET_SIZE) {
            Ok(Some(packet)) => {
                let taken = before - buffer.len();
                assert!((2..=MAXIMUM_PACKET_SIZE as usize).contains(&taken), "{taken} bytes");
                packets.push(packet);
            }
            Ok(None) => {
                assert_eq!(buffer.len(), before, "part of a packet consumes nothing");
                return (packets, None);
            }
            Err(error) => {
                assert!(error.reason().is_error() && !error.to_string().is_empty());
                return (packets, Some(error));
            }
        }
    }
}
