//! What decodes must encode, and decode to the same.
//!
//! Input: the protocol level, a Maximum Packet Size, then what is on the wire.
#![no_main]

use bytes::BytesMut;
use libfuzzer_sys::fuzz_target;
use midge_codec::{Packet, ProtocolVersion, PublishFrame, decode, encode};

fuzz_target!(|input: &[u8]| {
    let [level, maximum, wire @ ..] = input else {
        return;
    };
    let version = match level {
        3 => ProtocolVersion::V31,
        4 => ProtocolVersion::V311,
        _ => ProtocolVersion::V5,
    };
    let Ok(Some(packet)) = decode(&mut BytesMut::from(wire), version, u32::MAX) else {
        return;
    };
    let mut out = BytesMut::new();
    encode(&packet, version, u32::MAX, &mut out).expect("it was no larger when it came");
    if let Packet::Publish(publish) = &packet {
        assert_eq!(PublishFrame::of(publish).encoded_len(version), out.len());
    }
    assert_eq!(decode(&mut out, version, u32::MAX).as_ref(), Ok(&Some(packet.clone())));
    assert!(out.is_empty());

    // What was dropped to fit leaves a valid packet of the same kind.
    if encode(&packet, version, u32::from(*maximum), &mut out).is_ok() {
        assert!(out.len() <= usize::from(*maximum));
        let fitted = decode(&mut out, version, u32::from(*maximum)).expect("valid").expect("whole");
        assert_eq!(std::mem::discriminant(&fitted), std::mem::discriminant(&packet));
    }
});
