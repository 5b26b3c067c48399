//! What an error of a CONNECT tells of the version to answer in, and what the versions share.

use bytes::BytesMut;
use midge_codec::ProtocolVersion::{V5, V31, V311};
use midge_codec::{Packet, PacketType, ReasonCode, decode, decode_connect, encode};

use crate::wire::wire;

#[test]
fn refused_connect_tells_the_version_its_connack_is_to_be_in() {
    let cases = [
        // [MQTT-3.1.2-2]: 3.1.1 has CONNACK 0x01 for it, MQTT 5 has 0x84.
        ("10 0d 0004 'MQTT' 03 02 003c 0001 'c'", Some(V311)),
        ("10 0f 0006 'MQIsdp' 05 02 003c 0001 'c'", Some(V311)),
        ("10 0d 0004 'MQTT' 06 02 003c 0001 'c'", Some(V5)),
        ("10 0d 0004 'MQTT' 85 02 003c 0001 'c'", Some(V5)),
        // Level known, then something wrong.
        ("10 0f 0006 'MQIsdp' 03 02 003c 0001 ff", Some(V31)),
        ("10 0d 0004 'MQTT' 04 03 003c 0001 'c'", Some(V311)),
        ("10 0e 0004 'MQTT' 05 03 003c 00 0001 'c'", Some(V5)),
        // No MQTT: no answer.
        ("10 0d 0004 'HTTP' 04 02 003c 0001 'c'", None),
        ("10 00", None),
        ("'GET / '", None),
    ];
    for (bytes, version) in cases {
        let error = decode_connect(&mut BytesMut::from(&wire(bytes)[..]), 1_000).expect_err(bytes);
        assert_eq!(error.version(), version, "{bytes}");
    }
}

#[test]
fn unsupported_level_is_connack_0x01_in_3_1_1_and_0x84_in_5() {
    for (bytes, connack) in [
        ("10 0d 0004 'MQTT' 03 02 003c 0001 'c'", "20 02 00 01"),
        ("10 0d 0004 'MQTT' 06 02 003c 0001 'c'", "20 03 00 84 00"),
    ] {
        let error = decode_connect(&mut BytesMut::from(&wire(bytes)[..]), 1_000).expect_err(bytes);
        let version = error.version().expect("it is MQTT");
        let refusal = Packet::Connack(Box::new(midge_codec::Connack {
            session_present: true,
            reason: error.reason(),
            properties: midge_codec::ConnackProperties::default(),
        }));
        let mut out = BytesMut::new();
        encode(&refusal, version, u32::MAX, &mut out).expect("no limit");
        // [MQTT-3.2.2-6]: Session Present is 0 whatever was asked for.
        assert_eq!(out[..], wire(connack)[..], "{bytes}");
    }
}

#[test]
fn errors_after_connect_carry_packet_and_version_of_the_connection() {
    for version in [V31, V311, V5] {
        let mut buffer = BytesMut::from(&wire("c0 01 00")[..]);
        let error = decode(&mut buffer, version, 1_000).expect_err("PINGREQ with a body");
        assert_eq!((error.packet(), error.version()), (Some(PacketType::Pingreq), Some(version)));
    }
}

/// Judging it is the shard's: [MQTT-3.1.0-2].
#[test]
fn second_connect_decodes_whatever_the_version_of_the_connection() {
    for version in [V31, V311, V5] {
        let mut buffer = BytesMut::from(&wire("10 0d 0004 'MQTT' 04 02 003c 0001 'c'")[..]);
        let packet = decode(&mut buffer, version, 1_000).expect("valid").expect("whole");
        assert!(matches!(packet, Packet::Connect(connect) if connect.version == V311));
    }
}

#[test]
fn what_3_x_cannot_carry_is_left_out() {
    use crate::strategies::text;
    let reason = ReasonCode::NotAuthorized;
    let id = midge_codec::PacketId::MIN;
    let properties = || {
        Some(Box::new(midge_codec::AckProperties {
            reason_string: Some(text("why")),
            user_properties: vec![],
        }))
    };
    let ack = midge_codec::Ack { packet_id: id, reason, properties: properties() };
    let suback =
        midge_codec::Suback { packet_id: id, properties: properties(), reasons: vec![reason] };
    let disconnect = midge_codec::Disconnect { reason, properties: None };
    let auth = midge_codec::Auth {
        reason: ReasonCode::Reauthenticate,
        properties: midge_codec::AuthProperties::default(),
    };
    for (packet, bytes) in [
        (Packet::Puback(ack), "40 02 0001"),
        (Packet::Suback(suback.clone()), "90 03 0001 80"),
        (Packet::Unsuback(suback), "b0 02 0001"),
        (Packet::Disconnect(disconnect), "e0 00"),
        (Packet::Auth(auth), ""),
    ] {
        for version in [V31, V311] {
            let mut out = BytesMut::new();
            encode(&packet, version, u32::MAX, &mut out).expect("no limit");
            assert_eq!(out[..], wire(bytes)[..], "{packet:?}");
        }
    }
}

/// [MQTT-3.2.2-8], [MQTT-3.4.2-1], [MQTT-3.9.3-2] and their likes, all 256 bytes.
#[test]
fn reason_codes_are_valid_in_the_packets_the_standard_lists_them_for() {
    let listed = [
        (PacketType::Connack, 22),
        (PacketType::Puback, 9),
        (PacketType::Pubrec, 9),
        (PacketType::Pubrel, 2),
        (PacketType::Pubcomp, 2),
        (PacketType::Suback, 12),
        (PacketType::Unsuback, 7),
        (PacketType::Disconnect, 29),
        (PacketType::Auth, 3),
        (PacketType::Publish, 0),
        (PacketType::Pingreq, 0),
    ];
    for (packet, count) in listed {
        let valid = (0..=u8::MAX)
            .filter_map(ReasonCode::from_byte)
            .filter(|reason| reason.is_valid_in(packet))
            .count();
        assert_eq!(valid, count, "{packet}");
    }
    assert_eq!((0..=u8::MAX).filter_map(ReasonCode::from_byte).count(), 43);
}
