//! One packet of each kind and version with its bytes, derived from the standards by hand.

// By path, so that the seeds of the fuzz targets can be made of this file too.
#[path = "vectors/build.rs"]
mod build;

use std::num::NonZeroU16;

use build::*;
use bytes::Bytes;
use midge_codec::ProtocolVersion::{V5, V31, V311};
use midge_codec::{
    Ack, Auth, AuthProperties, ConnackProperties, Connect, ConnectProperties, DisconnectProperties,
    Packet, ProtocolVersion, Publish, PublishProperties, QoS, ReasonCode, RetainHandling, Suback,
    Subscribe, SubscribeProperties, SubscriptionOptions, Will, WillProperties,
};

/// A packet and its bytes.
pub(crate) struct Vector {
    pub(crate) version: ProtocolVersion,
    pub(crate) wire: &'static str,
    pub(crate) packet: Packet,
}

fn vector(version: ProtocolVersion, wire: &'static str, packet: Packet) -> Vector {
    Vector { version, wire, packet }
}

/// Bytes that are the packet's only, or shortest, form: they decode to it and it encodes to them.
pub(crate) fn canonical() -> Vec<Vector> {
    let mut vectors = connects();
    vectors.extend(connacks());
    vectors.extend(publishes());
    vectors.extend(acks());
    vectors.extend(subscriptions());
    vectors.extend(others());
    vectors
}

fn connects() -> Vec<Vector> {
    vec![
        vector(V31, "10 0e 0006 'MQIsdp' 03 02 003c 0000", plain_connect(V31, "")),
        vector(V31, "10 0f 0006 'MQIsdp' 83 02 003c 0001 'b'", bridge_connect(V31)),
        vector(V311, "10 0d 0004 'MQTT' 04 02 003c 0001 'c'", plain_connect(V311, "c")),
        vector(V311, "10 0d 0004 'MQTT' 84 02 003c 0001 'b'", bridge_connect(V311)),
        vector(
            V311,
            "10 20 0004 'MQTT' 04 f6 003c 0003 'cid' 0003 'w/t' 0003 'bye' 0001 'u' 0002 00ff",
            Packet::Connect(Box::new(Connect {
                client_id: text("cid"),
                will: Some(Will {
                    qos: QoS::ExactlyOnce,
                    retain: true,
                    topic: topic("w/t"),
                    payload: Bytes::from_static(b"bye"),
                    properties: WillProperties::default(),
                }),
                username: Some(text("u")),
                password: Some(Bytes::from_static(&[0x00, 0xff])),
                ..connect(V311)
            })),
        ),
        vector(V5, "10 0e 0004 'MQTT' 05 02 003c 00 0001 'c'", plain_connect(V5, "c")),
        // 3.1.2.9: a password alone is allowed in MQTT 5.
        vector(
            V5,
            "10 11 0004 'MQTT' 05 42 003c 00 0001 'c' 0001 'p'",
            Packet::Connect(Box::new(Connect {
                client_id: text("c"),
                password: Some(Bytes::from_static(b"p")),
                ..connect(V5)
            })),
        ),
        vector(
            V5,
            "10 5d 0004 'MQTT' 05 06 003c
             28 1100000e10 210014 2700010000 22000a 1901 1700 26 0001 'k' 0001 'v'
                15 0005 'SCRAM' 16 0002 beef
             0001 'c'
             20 1800000005 020000003c 0101 08 0001 'r' 09 0002 0102 26 0001 'a' 0001 'b'
                03 0001 't'
             0001 'w' 0001 'p'",
            Packet::Connect(Box::new(full_connect())),
        ),
    ]
}

fn full_connect() -> Connect {
    Connect {
        client_id: text("c"),
        properties: ConnectProperties {
            session_expiry_interval: Some(3600),
            receive_maximum: Some(20),
            maximum_packet_size: Some(65_536),
            topic_alias_maximum: Some(10),
            request_response_information: Some(true),
            request_problem_information: Some(false),
            user_properties: vec![(text("k"), text("v"))],
            authentication_method: Some(text("SCRAM")),
            authentication_data: Some(Bytes::from_static(&[0xbe, 0xef])),
        },
        will: Some(Will {
            qos: QoS::AtMostOnce,
            retain: false,
            topic: topic("w"),
            payload: Bytes::from_static(b"p"),
            properties: WillProperties {
                will_delay_interval: Some(5),
                publish: PublishProperties {
                    payload_format_indicator: Some(1),
                    message_expiry_interval: Some(60),
                    response_topic: Some(topic("r")),
                    correlation_data: Some(Bytes::from_static(&[1, 2])),
                    user_properties: vec![(text("a"), text("b"))],
                    subscription_identifiers: vec![],
                    content_type: Some(text("t")),
                },
            },
        }),
        ..connect(V5)
    }
}

fn connacks() -> Vec<Vector> {
    let refused = |reason| connack(false, reason, ConnackProperties::default());
    vec![
        // 3.1 has no Session Present.
        vector(V31, "20 02 00 00", refused(ReasonCode::Success)),
        vector(
            V311,
            "20 02 01 00",
            connack(true, ReasonCode::Success, ConnackProperties::default()),
        ),
        vector(V311, "20 02 00 01", refused(ReasonCode::UnsupportedProtocolVersion)),
        vector(V311, "20 02 00 02", refused(ReasonCode::ClientIdentifierNotValid)),
        vector(V311, "20 02 00 03", refused(ReasonCode::ServerUnavailable)),
        vector(V311, "20 02 00 04", refused(ReasonCode::BadUserNameOrPassword)),
        vector(V311, "20 02 00 05", refused(ReasonCode::NotAuthorized)),
        vector(V5, "20 03 00 84 00", refused(ReasonCode::UnsupportedProtocolVersion)),
        vector(
            V5,
            "20 42 01 00
             3f 1100000078 210400 2401 2500 2700100000 12 0003 'gen' 220010 1f 0002 'ok'
                26 0001 'k' 0001 'v' 2800 2900 2a01 13001e 1a 0001 'r' 1c 0001 's'
                15 0001 'm' 16 0001 ff",
            connack(
                true,
                ReasonCode::Success,
                ConnackProperties {
                    session_expiry_interval: Some(120),
                    receive_maximum: Some(1024),
                    maximum_qos: Some(1),
                    retain_available: Some(false),
                    maximum_packet_size: Some(1_048_576),
                    assigned_client_identifier: Some(text("gen")),
                    topic_alias_maximum: Some(16),
                    reason_string: Some(text("ok")),
                    user_properties: vec![(text("k"), text("v"))],
                    wildcard_subscription_available: Some(false),
                    subscription_identifiers_available: Some(false),
                    shared_subscription_available: Some(true),
                    server_keep_alive: Some(30),
                    response_information: Some(text("r")),
                    server_reference: Some(text("s")),
                    authentication_method: Some(text("m")),
                    authentication_data: Some(Bytes::from_static(&[0xff])),
                },
            ),
        ),
    ]
}

fn publishes() -> Vec<Vector> {
    let mut vectors = Vec::new();
    for version in [V31, V311] {
        vectors.push(vector(version, "30 06 0003 'a/b' 'x'", Packet::Publish(publish("x"))));
        vectors.push(vector(
            version,
            "3b 08 0003 'a/b' 000a 'x'",
            Packet::Publish(Publish {
                dup: true,
                qos: QoS::AtLeastOnce,
                retain: true,
                packet_id: Some(id(10)),
                ..publish("x")
            }),
        ));
        vectors.push(vector(
            version,
            "34 07 0003 'a/b' ffff",
            Packet::Publish(Publish {
                qos: QoS::ExactlyOnce,
                packet_id: Some(id(65_535)),
                ..publish("")
            }),
        ));
    }
    vectors.push(vector(V5, "30 07 0003 'a/b' 00 'x'", Packet::Publish(publish("x"))));
    vectors.push(vector(
        V5,
        "30 06 0000 03 230005",
        Packet::Publish(Publish { topic: None, topic_alias: NonZeroU16::new(5), ..publish("") }),
    ));
    vectors.push(vector(
        V5,
        "32 2d 0003 'a/b' 0001
         23 230001 020000000a 0101 08 0001 'r' 09 0001 00 26 0001 'k' 0000 03 0001 'c'
            0b01 0bffffff7f
         'hi'",
        Packet::Publish(Publish {
            qos: QoS::AtLeastOnce,
            packet_id: Some(id(1)),
            topic_alias: NonZeroU16::new(1),
            properties: Some(Box::new(PublishProperties {
                payload_format_indicator: Some(1),
                message_expiry_interval: Some(10),
                response_topic: Some(topic("r")),
                correlation_data: Some(Bytes::from_static(&[0])),
                user_properties: vec![(text("k"), text(""))],
                subscription_identifiers: [1, 268_435_455].map(identifier).to_vec(),
                content_type: Some(text("c")),
            })),
            ..publish("hi")
        }),
    ));
    vectors
}

fn acks() -> Vec<Vector> {
    let mut vectors = Vec::new();
    for version in [V31, V311, V5] {
        let plain = ack(ReasonCode::Success);
        vectors.push(vector(version, "40 02 0007", Packet::Puback(plain.clone())));
        vectors.push(vector(version, "50 02 0007", Packet::Pubrec(plain.clone())));
        vectors.push(vector(version, "62 02 0007", Packet::Pubrel(plain.clone())));
        vectors.push(vector(version, "70 02 0007", Packet::Pubcomp(plain)));
    }
    let no_subscribers = ack(ReasonCode::NoMatchingSubscribers);
    vectors.push(vector(V5, "40 03 0007 10", Packet::Puback(no_subscribers)));
    let not_found = ack(ReasonCode::PacketIdentifierNotFound);
    vectors.push(vector(V5, "62 03 0007 92", Packet::Pubrel(not_found.clone())));
    vectors.push(vector(V5, "70 03 0007 92", Packet::Pubcomp(not_found)));
    let explained = Ack { properties: explanation("no"), ..ack(ReasonCode::NotAuthorized) };
    let wire = "50 10 0007 87 0c 1f 0002 'no' 26 0001 'k' 0001 'v'";
    vectors.push(vector(V5, wire, Packet::Pubrec(explained)));
    vectors
}

fn subscriptions() -> Vec<Vector> {
    let mut vectors = Vec::new();
    for version in [V31, V311] {
        vectors.push(vector(
            version,
            "82 0c 0001 0003 'a/#' 01 0001 '+' 02",
            subscribe(vec![
                (filter("a/#"), options(QoS::AtLeastOnce)),
                (filter("+"), options(QoS::ExactlyOnce)),
            ]),
        ));
        let reasons = [ReasonCode::Success, ReasonCode::GrantedQoS2, ReasonCode::UnspecifiedError];
        vectors.push(vector(version, "90 05 0001 00 02 80", Packet::Suback(suback(&reasons))));
        let wire = "a2 09 0001 0001 'a' 0002 'b/'";
        vectors.push(vector(version, wire, unsubscribe(&["a", "b/"], vec![])));
        // 3.11.3: no payload.
        vectors.push(vector(version, "b0 02 0001", Packet::Unsuback(suback(&[]))));
    }
    vectors.push(vector(
        V5,
        "82 20 0001 0a 0b8001 26 0001 'k' 0001 'v' 0003 'a/b' 2d 000a '$share/g/t' 12",
        Packet::Subscribe(Subscribe {
            packet_id: id(1),
            properties: SubscribeProperties {
                subscription_identifier: Some(identifier(128)),
                user_properties: vec![(text("k"), text("v"))],
            },
            subscriptions: vec![
                (
                    filter("a/b"),
                    SubscriptionOptions {
                        qos: QoS::AtLeastOnce,
                        no_local: true,
                        retain_as_published: true,
                        retain_handling: RetainHandling::DoNotSend,
                    },
                ),
                (
                    filter("$share/g/t"),
                    SubscriptionOptions {
                        retain_handling: RetainHandling::SendIfNew,
                        ..options(QoS::ExactlyOnce)
                    },
                ),
            ],
        }),
    ));
    let reasons = [
        ReasonCode::Success,
        ReasonCode::GrantedQoS1,
        ReasonCode::NotAuthorized,
        ReasonCode::SharedSubscriptionsNotSupported,
    ];
    vectors.push(vector(V5, "90 07 0001 00 00 01 87 9e", Packet::Suback(suback(&reasons))));
    let explained = Suback { properties: explanation("hi"), ..suback(&[ReasonCode::Success]) };
    let wire = "90 10 0001 0c 1f 0002 'hi' 26 0001 'k' 0001 'v' 00";
    vectors.push(vector(V5, wire, Packet::Suback(explained)));
    let user_properties = vec![(text("k"), text("v"))];
    let wire = "a2 0d 0001 07 26 0001 'k' 0001 'v' 0001 'a'";
    vectors.push(vector(V5, wire, unsubscribe(&["a"], user_properties)));
    let reasons = [ReasonCode::Success, ReasonCode::NoSubscriptionExisted];
    vectors.push(vector(V5, "b0 05 0001 00 00 11", Packet::Unsuback(suback(&reasons))));
    vectors
}

fn others() -> Vec<Vector> {
    let mut vectors = Vec::new();
    for version in [V31, V311, V5] {
        vectors.push(vector(version, "c0 00", Packet::Pingreq));
        vectors.push(vector(version, "d0 00", Packet::Pingresp));
        vectors.push(vector(version, "e0 00", disconnect(ReasonCode::Success, None)));
    }
    vectors.push(vector(V5, "e0 01 04", disconnect(ReasonCode::DisconnectWithWill, None)));
    vectors.push(vector(
        V5,
        "e0 16 8e 14 1100000000 1f 0001 'x' 26 0001 'k' 0001 'v' 1c 0001 's'",
        disconnect(
            ReasonCode::SessionTakenOver,
            Some(Box::new(DisconnectProperties {
                session_expiry_interval: Some(0),
                reason_string: Some(text("x")),
                user_properties: vec![(text("k"), text("v"))],
                server_reference: Some(text("s")),
            })),
        ),
    ));
    let plain = Auth { reason: ReasonCode::Success, properties: AuthProperties::default() };
    vectors.push(vector(V5, "f0 00", Packet::Auth(plain)));
    vectors.push(vector(
        V5,
        "f0 15 18 13 15 0001 'm' 16 0001 01 1f 0001 'r' 26 0001 'k' 0001 'v'",
        Packet::Auth(Auth {
            reason: ReasonCode::ContinueAuthentication,
            properties: AuthProperties {
                authentication_method: Some(text("m")),
                authentication_data: Some(Bytes::from_static(&[1])),
                reason_string: Some(text("r")),
                user_properties: vec![(text("k"), text("v"))],
            },
        }),
    ));
    vectors
}

/// Other bytes for the same packets: they decode, but are not what is written.
pub(crate) fn accepted() -> Vec<Vector> {
    let plain = ack(ReasonCode::Success);
    let mut vectors = vec![
        // 3.4.2.1, 3.14.2.1: what may be left out may also be there.
        vector(V5, "40 03 0007 00", Packet::Puback(plain.clone())),
        vector(V5, "40 04 0007 00 00", Packet::Puback(plain.clone())),
        vector(V5, "e0 01 00", disconnect(ReasonCode::Success, None)),
        vector(V5, "e0 02 00 00", disconnect(ReasonCode::Success, None)),
        // Properties in another order than ours.
        vector(
            V5,
            "50 10 0007 87 0c 26 0001 'k' 0001 'v' 1f 0002 'no'",
            Packet::Pubrec(Ack { properties: explanation("no"), ..ack(ReasonCode::NotAuthorized) }),
        ),
        // 3.1.1, 2.2.3 does not ask for the shortest Remaining Length.
        vector(V311, "c0 80 00", Packet::Pingreq),
        vector(V311, "10 8d 00 0004 'MQTT' 04 02 003c 0001 'c'", plain_connect(V311, "c")),
    ];
    // 3.1 knew fewer rules.
    vectors.extend([
        // Unused bits of the fixed header, DUP of a repeated PUBREL.
        vector(V31, "1f 0f 0006 'MQIsdp' 03 02 003c 0001 'c'", plain_connect(V31, "c")),
        vector(V31, "6a 02 0007", Packet::Pubrel(plain)),
        vector(V31, "8a 06 0001 0001 'a' 00", subscribe(vec![(filter("a"), options_0())])),
        // Connect flags: bit 0, will QoS and will retain without a will.
        vector(V31, "10 0f 0006 'MQIsdp' 03 3b 003c 0001 'c'", plain_connect(V31, "c")),
        // User name and password announced, but left out.
        vector(V31, "10 0f 0006 'MQIsdp' 03 c2 003c 0001 'c'", plain_connect(V31, "c")),
        // Session Present did not exist.
        vector(
            V31,
            "20 02 01 00",
            connack(false, ReasonCode::Success, ConnackProperties::default()),
        ),
        // DUP means nothing with QoS 0.
        vector(V31, "38 06 0003 'a/b' 'x'", Packet::Publish(publish("x"))),
        // Requests for nothing.
        vector(V31, "82 02 0001", subscribe(vec![])),
        vector(V31, "a2 02 0001", unsubscribe(&[], vec![])),
    ]);
    vectors
}
