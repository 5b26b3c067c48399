//! Packets survive the wire: by hand-made vectors, and by arbitrary packets of every version.

use bytes::{Bytes, BytesMut};
use midge_codec::{Packet, ProtocolVersion, PublishFrame, decode, decode_connect, encode};
use proptest::prelude::*;

use crate::strategies::{publish, version, versioned_packet};
use crate::vectors::{accepted, canonical};
use crate::wire::wire;

fn encoded(packet: &Packet, version: ProtocolVersion) -> BytesMut {
    let mut out = BytesMut::new();
    encode(packet, version, u32::MAX, &mut out).expect("no limit");
    out
}

#[test]
fn every_vector_decodes_to_its_packet() {
    for vector in canonical().into_iter().chain(accepted()) {
        let mut buffer = BytesMut::from(&wire(vector.wire)[..]);
        let packet = decode(&mut buffer, vector.version, u32::MAX);
        assert_eq!(packet, Ok(Some(vector.packet)), "{} of {:?}", vector.wire, vector.version);
        assert!(buffer.is_empty(), "{} of {:?}", vector.wire, vector.version);
    }
}

#[test]
fn every_packet_encodes_to_its_vector() {
    for vector in canonical() {
        let out = encoded(&vector.packet, vector.version);
        assert_eq!(out[..], wire(vector.wire)[..], "{} of {:?}", vector.wire, vector.version);
    }
}

#[test]
fn connect_vectors_decode_without_the_version_known() {
    for vector in canonical().into_iter().chain(accepted()) {
        if let Packet::Connect(connect) = vector.packet {
            let mut buffer = BytesMut::from(&wire(vector.wire)[..]);
            assert_eq!(decode_connect(&mut buffer, 1_000), Ok(Some(connect)), "{}", vector.wire);
        }
    }
}

/// The lengths at which the Remaining Length takes another byte (table 2-1).
#[test]
fn publishes_around_the_steps_of_the_remaining_length_round_trip() {
    for remaining_length in [127, 128, 16_383, 16_384, 2_097_151, 2_097_152] {
        for version in [ProtocolVersion::V31, ProtocolVersion::V311, ProtocolVersion::V5] {
            let head = if version == ProtocolVersion::V5 { 4 } else { 3 };
            let packet = Packet::Publish(midge_codec::Publish {
                dup: false,
                qos: midge_codec::QoS::AtMostOnce,
                retain: false,
                topic: Some(midge_codec::TopicName::try_from("t").expect("valid")),
                packet_id: None,
                topic_alias: None,
                properties: None,
                payload: Bytes::from(vec![0x5a; remaining_length - head]),
            });
            let mut out = encoded(&packet, version);
            let header = 1 + remaining_length.ilog2() as usize / 7 + 1;
            assert_eq!(out.len(), header + remaining_length);
            assert_eq!(decode(&mut out, version, u32::MAX), Ok(Some(packet)));
        }
    }
}

/// Property lengths take a second byte too.
#[test]
fn properties_of_more_than_127_bytes_round_trip() {
    let text = |length| midge_codec::Text::try_from("x".repeat(length)).expect("valid");
    for length in [123, 124, 125, 126, 127, 128, 16_379, 16_380, 16_381, 65_535] {
        let packet = Packet::Puback(midge_codec::Ack {
            packet_id: midge_codec::PacketId::MAX,
            reason: midge_codec::ReasonCode::NotAuthorized,
            properties: Some(Box::new(midge_codec::AckProperties {
                reason_string: Some(text(length)),
                user_properties: vec![],
            })),
        });
        let mut out = encoded(&packet, ProtocolVersion::V5);
        assert_eq!(decode(&mut out, ProtocolVersion::V5, u32::MAX), Ok(Some(packet)));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn what_was_encoded_decodes_to_the_same((version, packet) in versioned_packet()) {
        let mut out = encoded(&packet, version);
        prop_assert_eq!(decode(&mut out, version, u32::MAX), Ok(Some(packet)));
        prop_assert!(out.is_empty());
    }

    #[test]
    fn what_arbitrary_bytes_decode_to_survives_the_wire(
        version in version(),
        first in any::<u8>(),
        body in prop::collection::vec(prop_oneof![0..4_u8, any::<u8>()], 0..60),
    ) {
        let mut buffer = BytesMut::from(&[first, body.len() as u8][..]);
        buffer.extend_from_slice(&body);
        let mut connect = buffer.clone();
        let _ = decode_connect(&mut connect, u32::MAX);
        if let Ok(Some(packet)) = decode(&mut buffer, version, u32::MAX) {
            let mut out = encoded(&packet, version);
            prop_assert_eq!(decode(&mut out, version, u32::MAX), Ok(Some(packet)));
        }
    }

    #[test]
    fn arbitrary_bytes_are_no_panic(
        version in version(),
        bytes in prop::collection::vec(any::<u8>(), 0..100),
        maximum_packet_size in any::<u32>(),
    ) {
        let mut buffer = BytesMut::from(&bytes[..]);
        while let Ok(Some(_)) = decode(&mut buffer, version, maximum_packet_size) {}
        let _ = decode_connect(&mut BytesMut::from(&bytes[..]), maximum_packet_size);
    }

    #[test]
    fn publish_frame_is_as_long_as_it_says(
        (version, publish) in version()
            .prop_flat_map(|version| publish(version).prop_map(move |publish| (version, publish)))
    ) {
        let frame = PublishFrame::of(&publish);
        let mut out = BytesMut::new();
        frame.encode_head(version, &mut out);
        prop_assert_eq!(out.len() + publish.payload.len(), frame.encoded_len(version));
        out.extend_from_slice(&publish.payload);
        prop_assert_eq!(&out, &encoded(&Packet::Publish(publish.clone()), version));
        let packet = decode(&mut out, version, u32::MAX);
        prop_assert_eq!(packet, Ok(Some(Packet::Publish(publish))));
    }
}
