//! Packets that come in pieces, or several at once.

use bytes::BytesMut;
use midge_codec::{Packet, decode, decode_connect, encode};
use proptest::prelude::*;

use crate::strategies::{packet, version, versioned_packet};
use crate::vectors::canonical;
use crate::wire::wire;

#[test]
fn part_of_a_packet_consumes_nothing() {
    for vector in canonical() {
        let bytes = wire(vector.wire);
        for length in 0..bytes.len() {
            let mut buffer = BytesMut::from(&bytes[..length]);
            assert_eq!(decode(&mut buffer, vector.version, u32::MAX), Ok(None), "{}", vector.wire);
            assert_eq!(buffer[..], bytes[..length], "{}", vector.wire);
            if matches!(vector.packet, Packet::Connect(_)) {
                assert_eq!(decode_connect(&mut buffer, u32::MAX), Ok(None), "{}", vector.wire);
                assert_eq!(buffer[..], bytes[..length], "{}", vector.wire);
            }
        }
    }
}

/// A claimed length reserves nothing.
#[test]
fn header_of_a_large_packet_allocates_nothing() {
    let mut buffer = BytesMut::from(&wire("30 ffffff7f 0001 'a'")[..]);
    let capacity = buffer.capacity();
    assert_eq!(decode(&mut buffer, midge_codec::ProtocolVersion::V311, u32::MAX), Ok(None));
    assert_eq!(buffer.capacity(), capacity);
}

#[test]
fn topic_and_payload_are_slices_of_the_buffer() {
    let mut buffer = BytesMut::from(&wire("30 0c 0003 'a/b' 'payload'")[..]);
    let start = buffer.as_ptr() as usize;
    let packet = decode(&mut buffer, midge_codec::ProtocolVersion::V311, u32::MAX);
    let Ok(Some(Packet::Publish(publish))) = packet else {
        panic!("{packet:?}");
    };
    let topic = publish.topic.expect("has one");
    assert_eq!(topic.text().as_bytes().as_ptr() as usize, start + 4);
    assert_eq!(publish.payload.as_ptr() as usize, start + 7);
}

proptest! {
    #[test]
    fn packet_in_two_pieces_is_the_same((version, packet) in versioned_packet()) {
        let mut bytes = BytesMut::new();
        encode(&packet, version, u32::MAX, &mut bytes).expect("no limit");
        for split in 0..bytes.len() {
            let mut buffer = BytesMut::from(&bytes[..split]);
            prop_assert_eq!(decode(&mut buffer, version, u32::MAX), Ok(None));
            buffer.extend_from_slice(&bytes[split..]);
            prop_assert_eq!(decode(&mut buffer, version, u32::MAX), Ok(Some(packet.clone())));
            prop_assert!(buffer.is_empty());
        }
    }

    #[test]
    fn packets_in_a_row_come_out_in_their_order(
        (version, packets) in version().prop_flat_map(|version| {
            prop::collection::vec(packet(version), 0..6).prop_map(move |all| (version, all))
        })
    ) {
        let mut buffer = BytesMut::new();
        for packet in &packets {
            encode(packet, version, u32::MAX, &mut buffer).expect("no limit");
        }
        let mut decoded = Vec::new();
        while let Some(packet) = decode(&mut buffer, version, u32::MAX).expect("valid") {
            decoded.push(packet);
        }
        prop_assert_eq!(decoded, packets);
        prop_assert!(buffer.is_empty());
    }
}
