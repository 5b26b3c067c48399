//! The receiver's Maximum Packet Size, and ours.

use bytes::{Bytes, BytesMut};
use midge_codec::ProtocolVersion::{self, V5, V311};
use midge_codec::{
    Ack, AckProperties, Auth, AuthProperties, Connack, ConnackProperties, Disconnect,
    DisconnectProperties, Packet, PacketId, Publish, PublishFrame, PublishProperties, QoS,
    ReasonCode, Suback, TooLarge, TopicName, Unsubscribe, decode, encode,
};
use proptest::prelude::*;

use crate::strategies::{text, versioned_packet};
use crate::wire::wire;

fn bytes_of(packet: &Packet, maximum: u32) -> Result<BytesMut, TooLarge> {
    let mut out = BytesMut::new();
    encode(packet, V5, maximum, &mut out).map(|()| out)
}

/// Packets whose Reason String "why" and one User Property, in this order, may be left out, and
/// what they are without.
fn explained() -> Vec<(&'static str, Packet, &'static str)> {
    let reason_string = Some(text("why"));
    let user_properties = vec![(text("k"), text("v"))];
    let ack = |reason| Ack {
        packet_id: PacketId::MIN,
        reason,
        properties: Some(Box::new(AckProperties {
            reason_string: reason_string.clone(),
            user_properties: user_properties.clone(),
        })),
    };
    let denied = ReasonCode::NotAuthorized;
    let suback = Suback {
        packet_id: PacketId::MIN,
        properties: ack(denied).properties,
        reasons: vec![denied],
    };
    vec![
        ("[MQTT-3.4.2-2], [MQTT-3.4.2-3]", Packet::Puback(ack(denied)), "40 03 0001 87"),
        ("[MQTT-3.5.2-2], [MQTT-3.5.2-3]", Packet::Pubrec(ack(denied)), "50 03 0001 87"),
        ("[MQTT-3.6.2-2], [MQTT-3.6.2-3]", Packet::Pubrel(ack(ReasonCode::Success)), "62 02 0001"),
        ("[MQTT-3.7.2-2], [MQTT-3.7.2-3]", Packet::Pubcomp(ack(ReasonCode::Success)), "70 02 0001"),
        ("[MQTT-3.9.2-1], [MQTT-3.9.2-2]", Packet::Suback(suback.clone()), "90 04 0001 00 87"),
        ("[MQTT-3.11.2-1], [MQTT-3.11.2-2]", Packet::Unsuback(suback), "b0 04 0001 00 87"),
        (
            "[MQTT-3.2.2-19], [MQTT-3.2.2-20]",
            Packet::Connack(Box::new(Connack {
                session_present: false,
                reason: denied,
                properties: ConnackProperties {
                    receive_maximum: Some(9),
                    reason_string: reason_string.clone(),
                    user_properties: user_properties.clone(),
                    ..ConnackProperties::default()
                },
            })),
            "20 06 00 87 03 210009",
        ),
        (
            "[MQTT-3.14.2-3], [MQTT-3.14.2-4]",
            Packet::Disconnect(Disconnect {
                reason: denied,
                properties: Some(Box::new(DisconnectProperties {
                    reason_string: reason_string.clone(),
                    user_properties: user_properties.clone(),
                    ..DisconnectProperties::default()
                })),
            }),
            "e0 01 87",
        ),
        (
            "[MQTT-3.15.2-2], [MQTT-3.15.2-3]",
            Packet::Auth(Auth {
                reason: ReasonCode::ContinueAuthentication,
                properties: AuthProperties {
                    authentication_method: Some(text("m")),
                    reason_string,
                    user_properties,
                    ..AuthProperties::default()
                },
            }),
            "f0 06 18 04 15 0001 'm'",
        ),
    ]
}

#[test]
fn reason_string_and_user_properties_are_dropped_to_fit_the_receiver() {
    for (clauses, packet, least) in explained() {
        let least = wire(least);
        let full = bytes_of(&packet, u32::MAX).expect(clauses);
        assert_eq!(bytes_of(&packet, full.len() as u32), Ok(full.clone()), "{clauses}: it fits");
        let shorter = bytes_of(&packet, full.len() as u32 - 1).expect(clauses);
        let holds = |bytes: &[u8], part: &[u8]| bytes.windows(part.len()).any(|w| w == part);
        assert!(holds(&full, &wire("26 0001 'k' 0001 'v'")), "{clauses}");
        assert!(!holds(&shorter, &wire("26 0001 'k' 0001 'v'")), "{clauses}: user property first");
        assert!(holds(&shorter, &wire("1f 0003 'why'")), "{clauses}: reason string stays");
        let shortest = bytes_of(&packet, shorter.len() as u32 - 1).expect(clauses);
        assert_eq!(shortest[..], least[..], "{clauses}");
        let error = TooLarge { bytes: least.len(), maximum: least.len() - 1 };
        assert_eq!(bytes_of(&packet, least.len() as u32 - 1), Err(error), "{clauses}");
    }
}

#[test]
fn user_properties_of_publish_and_unsubscribe_are_never_dropped() {
    let user_properties = vec![(text("k"), text("v"))];
    let unsubscribe = Packet::Unsubscribe(Unsubscribe {
        packet_id: PacketId::MIN,
        user_properties: user_properties.clone(),
        filters: vec![midge_codec::TopicFilter::try_from("a").expect("valid")],
    });
    let properties = PublishProperties { user_properties, ..PublishProperties::default() };
    let publish = Packet::Publish(publish(Some(properties)));
    for packet in [unsubscribe, publish] {
        let full = bytes_of(&packet, u32::MAX).expect("no limit");
        let error = TooLarge { bytes: full.len(), maximum: full.len() - 1 };
        // [MQTT-3.3.2-17] for PUBLISH: they are passed on unchanged.
        assert_eq!(bytes_of(&packet, full.len() as u32 - 1), Err(error));
    }
}

#[test]
fn packet_of_exactly_the_maximum_passes_both_ways() {
    let bytes = wire("30 06 0003 'a/b' 'x'");
    let mut buffer = BytesMut::from(&bytes[..]);
    assert!(decode(&mut buffer.clone(), V311, 7).is_err(), "2.1.4: the header counts");
    let packet = decode(&mut buffer, V311, 8).expect("fits").expect("whole");
    let mut out = BytesMut::new();
    let error = TooLarge { bytes: 8, maximum: 7 };
    assert_eq!(encode(&packet, V311, 7, &mut out), Err(error));
    assert!(out.is_empty(), "nothing of it was written");
    assert_eq!(encode(&packet, V311, 8, &mut out), Ok(()));
    assert_eq!(out[..], bytes[..]);
}

/// 1.5.6: what an embedding program may hold is not always what a packet can.
#[test]
fn binary_value_of_more_than_65_535_bytes_is_an_error() {
    let properties = PublishProperties {
        correlation_data: Some(Bytes::from(vec![0; 65_536])),
        ..PublishProperties::default()
    };
    let error = Err(TooLarge { bytes: 65_536, maximum: 65_535 });
    assert_eq!(bytes_of(&Packet::Publish(publish(Some(properties))), u32::MAX), error);
    let auth = Packet::Auth(Auth {
        reason: ReasonCode::ContinueAuthentication,
        properties: AuthProperties {
            authentication_method: Some(text("m")),
            authentication_data: Some(Bytes::from(vec![0; 65_536])),
            ..AuthProperties::default()
        },
    });
    assert_eq!(bytes_of(&auth, u32::MAX), error);
}

#[test]
fn frame_writes_its_own_expiry_and_identifiers_instead_of_those_received() {
    let received = PublishProperties {
        message_expiry_interval: Some(100),
        subscription_identifiers: vec![1.try_into().expect("not 0")],
        content_type: Some(text("c")),
        ..PublishProperties::default()
    };
    let frame = PublishFrame {
        dup: true,
        qos: QoS::AtMostOnce,
        retain: true,
        topic: "t",
        packet_id: None,
        topic_alias: None,
        properties: Some(&received),
        message_expiry_interval: Some(40),
        subscription_identifiers: &[7.try_into().expect("not 0")],
        payload_bytes: 3,
    };
    let head = |version: ProtocolVersion| {
        let mut out = BytesMut::new();
        frame.encode_head(version, &mut out);
        assert_eq!(frame.encoded_len(version), out.len() + 3);
        out.to_vec()
    };
    // [MQTT-3.3.1-2]: DUP is 0 with QoS 0; [MQTT-3.3.2-6]: the seconds that remain.
    assert_eq!(head(V5), wire("31 12 0001 't' 0b 0200000028 03 0001 'c' 0b07"));
    assert_eq!(head(V311), wire("31 06 0001 't'"));
}

#[test]
#[should_panic(expected = "packet id")]
fn frame_with_qos_1_and_no_packet_id_is_a_mistake_of_ours() {
    let message = Publish { qos: QoS::AtLeastOnce, ..publish(None) };
    PublishFrame::of(&message).encode_head(V311, &mut BytesMut::new());
}

fn publish(properties: Option<PublishProperties>) -> Publish {
    Publish {
        dup: false,
        qos: QoS::AtMostOnce,
        retain: false,
        topic: Some(TopicName::try_from("t").expect("valid")),
        packet_id: None,
        topic_alias: None,
        properties: properties.map(Box::new),
        payload: Bytes::new(),
    }
}

proptest! {
    #[test]
    fn no_packet_exceeds_the_maximum((version, packet) in versioned_packet(), maximum in 0..200_u32) {
        let mut out = BytesMut::from(&b"before"[..]);
        match encode(&packet, version, maximum, &mut out) {
            Ok(()) => prop_assert!(out.len() - 6 <= maximum as usize, "[MQTT-3.1.2-24]"),
            Err(error) => {
                prop_assert!(error.bytes > error.maximum);
                prop_assert_eq!(&out[..], b"before");
            }
        }
    }
}
