//! CONNECT and CONNACK: who is let in, and what both sides are told.

use midge_codec::{Auth, AuthProperties, Packet, ProtocolVersion, ReasonCode};
use midge_tests::{
    Midge, Outgoing, QOS0, QOS1, Setup, VERSIONS, eventually, message, mosquitto_passwd, text,
};

/// A CONNECT by its parts: protocol name, level, flags, then what follows the keep alive.
fn connect(name: &str, level: u8, flags: u8, rest: &[u8]) -> Vec<u8> {
    let mut body = vec![0, name.len() as u8];
    body.extend_from_slice(name.as_bytes());
    body.extend_from_slice(&[level, flags, 0, 60]);
    body.extend_from_slice(rest);
    let mut packet = vec![0x10, body.len() as u8];
    packet.extend_from_slice(&body);
    packet
}

#[test]
fn every_version_is_accepted_under_its_own_name() {
    let midge = Midge::start("");
    for (name, level, properties) in [("MQIsdp", 3, &[][..]), ("MQTT", 4, &[]), ("MQTT", 5, &[0])] {
        let mut raw = midge.raw();
        raw.send_bytes(&connect(name, level, 0x02, &[properties, &[0, 1, b'c']].concat()));
        let answer = raw.bytes(4);
        // [MQTT-3.1.4-5], [MQTT-3.2.2-1], [MQTT-3.2.2-2]: success, flags zero, nothing stored.
        assert_eq!((answer[0], answer[2], answer[3]), (0x20, 0, 0), "{name} {level}: {answer:?}");
    }
}

#[test]
fn a_foreign_protocol_name_is_not_served() {
    let midge = Midge::start("");
    for (name, level) in [("MQTX", 4), ("mqtt", 4), ("MQTX", 5), ("MQIsdp", 4), ("MQTT", 3)] {
        let mut raw = midge.raw();
        raw.send_bytes(&connect(name, level, 0x02, &[0, 0, 1, b'c']));
        let answer = raw.closed();
        // [MQTT-3.1.2-1]: a CONNACK is allowed, if it refuses.
        let refusal = matches!(answer[..], [0x20, _, 0, 0x01 | 0x84, ..]);
        assert!(answer.is_empty() || refusal, "{name} {level}: {answer:?}");
    }
}

#[test]
fn an_unknown_protocol_level_is_refused_with_its_code() {
    let midge = Midge::start("");
    for level in [0, 1, 2, 6, 7, 0x7f] {
        let mut raw = midge.raw();
        raw.send_bytes(&connect("MQTT", level, 0x02, &[0, 0, 1, b'c']));
        let answer = raw.closed();
        // [MQTT-3.1.2-2]: 0x01 for who knows 3.x, 0x84 for who knows 5.
        assert!(matches!(answer[..], [0x20, _, 0, 0x01 | 0x84, ..]), "level {level}: {answer:?}");
    }
}

#[test]
fn a_connection_that_begins_with_another_packet_is_closed() {
    let midge = Midge::start("");
    let pingreq = [0xc0, 0x00];
    let publish = [0x30, 0x04, 0x00, 0x01, b't', b'x'];
    let subscribe = [0x82, 0x06, 0x00, 0x01, 0x00, 0x01, b't', 0x00];
    for packet in [&pingreq[..], &publish, &subscribe, &[0xe0, 0x00], &[0x00, 0x00], &[0xf0, 0x00]]
    {
        let mut raw = midge.raw();
        raw.send_bytes(packet);
        // [MQTT-3.1.0-1], [MQTT-3.14.0-1]: no DISCONNECT either, there was no CONNACK.
        assert_eq!(raw.closed(), [0; 0], "{packet:02x?}");
    }
}

#[test]
fn a_second_connect_closes_the_connection() {
    let midge = Midge::start("");
    for version in VERSIONS {
        let dial = midge.dial(version, "twice");
        let again = dial.packet();
        let mut client = dial.connect();
        client.send(again);
        client.dropped(ReasonCode::ProtocolError);
    }
}

#[test]
fn client_identifiers_of_1_to_23_letters_and_digits_are_accepted() {
    let midge = Midge::start("");
    let all = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    for version in VERSIONS {
        for length in 1..=23 {
            midge.dial(version, &all[..length]).connect();
        }
        for start in 0..=all.len() - 23 {
            midge.dial(version, &all[start..start + 23]).connect();
        }
    }
}

#[test]
fn an_empty_client_identifier_gets_one_of_its_own_in_mqtt_5() {
    let midge = Midge::start("");
    let mut first = midge.v5("").connect();
    let mut second = midge.v5("").connect();
    let assigned = |client: &midge_tests::Client| {
        client.connack().properties.assigned_client_identifier.clone().expect("an assigned id")
    };
    assert_ne!(assigned(&first), assigned(&second));
    // Both stay connected: neither took the other's session.
    first.ping();
    second.ping();
    // The name given counts: with it the session is found again.
    let third = midge.v5("").resume().expiry(3600).connect();
    let name = assigned(&third).to_string();
    third.disconnect();
    let again = midge.v5(&name).resume().expiry(3600).connect();
    assert!(again.session_present());
    assert_eq!(again.connack().properties.assigned_client_identifier, None);
}

#[test]
fn an_empty_client_identifier_needs_a_clean_session_in_3_1_1() {
    let midge = Midge::start("");
    let mut first = midge.v311("").connect();
    let mut second = midge.v311("").connect();
    first.ping();
    second.ping();
    // [MQTT-3.1.3-8]
    assert_eq!(midge.v311("").resume().refused(), ReasonCode::ClientIdentifierNotValid);
}

#[test]
fn an_empty_client_identifier_is_refused_in_3_1() {
    let midge = Midge::start("");
    assert_eq!(midge.v31("").refused(), ReasonCode::ClientIdentifierNotValid);
}

#[test]
fn an_empty_client_identifier_is_refused_where_the_operator_forbids_it() {
    let midge = Midge::start("allow_zero_length_clientid false");
    for version in VERSIONS {
        let reason = midge.dial(version, "").refused();
        assert_eq!(reason, ReasonCode::ClientIdentifierNotValid, "{version:?}");
    }
}

#[test]
fn an_unknown_authentication_method_is_refused() {
    let midge = Midge::start("");
    let dial = midge.v5("scram").with(|properties| {
        properties.authentication_method = Some(text("SCRAM-SHA-1"));
    });
    // [MQTT-4.12.0-1]
    assert_eq!(dial.refused(), ReasonCode::BadAuthenticationMethod);
}

#[test]
fn an_auth_without_a_method_is_a_protocol_error() {
    let midge = Midge::start("");
    let mut client = midge.client("plain");
    // [MQTT-4.12.0-6]
    assert_eq!(client.connack().properties.authentication_method, None);
    client.send(Packet::Auth(Auth {
        reason: ReasonCode::Reauthenticate,
        properties: AuthProperties {
            authentication_method: Some(text("SCRAM-SHA-1")),
            ..AuthProperties::default()
        },
    }));
    client.dropped(ReasonCode::ProtocolError);
}

#[test]
fn what_follows_a_refused_connect_is_not_carried_out() {
    let setup = Setup::conf("allow_anonymous false\npassword_file @DIR@/passwords");
    mosquitto_passwd(&setup.directory().join("passwords"), "alice", "secret");
    let midge = setup.start();
    for version in VERSIONS {
        let mut watcher = midge.v5("watcher").user("alice", "secret").connect();
        watcher.subscribe("#", QOS0);
        let mut raw = midge.raw();
        let mut bytes = bytes::BytesMut::new();
        let intruder = midge.dial(version, "intruder").user("alice", "guess").packet();
        let publish = Packet::Publish(message("secret/door", "open"));
        for packet in [intruder, publish] {
            midge_codec::encode(&packet, version, u32::MAX, &mut bytes).expect("a packet");
        }
        raw.send_bytes(&bytes);
        raw.closed();
        // [MQTT-3.1.4-6], 3.1.1: [MQTT-3.1.4-5]
        watcher.publish(message("after", "that"));
        watcher.expect("after", "that");
    }
}

#[test]
fn packets_sent_before_the_connack_are_carried_out() {
    let midge = Midge::start("");
    let mut watcher = midge.client("watcher");
    watcher.subscribe("early", QOS0);
    for version in [ProtocolVersion::V311, ProtocolVersion::V5] {
        let mut bytes = bytes::BytesMut::new();
        let connect = midge.dial(version, "hasty").packet();
        for packet in [connect, Packet::Publish(message("early", "bird")), Packet::Pingreq] {
            midge_codec::encode(&packet, version, u32::MAX, &mut bytes).expect("a packet");
        }
        let mut raw = midge.raw();
        raw.send_bytes(&bytes);
        assert!(matches!(raw.packet(version), Some(Packet::Connack(_))));
        assert!(matches!(raw.packet(version), Some(Packet::Pingresp)));
        watcher.expect("early", "bird");
    }
}

#[test]
fn a_connack_announces_what_the_broker_limits() {
    let midge = Midge::start("max_packet_size 5000\nmax_keepalive 100\nmax_topic_alias 7\n");
    let client = midge.v5("curious").keep_alive(500).connect();
    let properties = &client.connack().properties;
    assert_eq!(properties.maximum_packet_size, Some(5000));
    // [MQTT-3.1.2-21]: ours, not the 500 asked for.
    assert_eq!(properties.server_keep_alive, Some(100));
    assert_eq!(properties.topic_alias_maximum, Some(7));
    assert_ne!(properties.receive_maximum, Some(0));
    // [MQTT-3.1.2-28]: it was not asked for.
    assert_eq!(properties.response_information, None);
}

#[test]
fn a_lower_maximum_qos_is_announced_and_held() {
    let midge = Midge::start("listener @PORT@ 127.0.0.1\nmax_qos 1");
    let mut client = midge.client("limited");
    // [MQTT-3.2.2-9]
    assert_eq!(client.connack().properties.maximum_qos, Some(1));
    // [MQTT-3.2.2-10]: any QoS may be asked for, what is granted is what can be had.
    let granted = client.subscribe("a", midge_tests::QOS2);
    assert!(!granted.is_error(), "{granted}");
    // [MQTT-3.2.2-11]
    client.send_publish(message("a", "x").qos(midge_tests::QOS2));
    client.dropped(ReasonCode::QoSNotSupported);
    // [MQTT-3.2.2-12]
    let mut will = midge_tests::will("a", "gone");
    will.qos = midge_tests::QOS2;
    assert_eq!(midge.v5("heir").will(will).refused(), ReasonCode::QoSNotSupported);
}

#[test]
fn retain_that_is_switched_off_is_announced_and_refused() {
    let midge = Midge::start("retain_available false");
    let mut client = midge.client("limited");
    assert_eq!(client.connack().properties.retain_available, Some(false));
    // [MQTT-3.2.2-14]
    client.send_publish(message("a", "x").retained().qos(QOS1));
    client.dropped(ReasonCode::RetainNotSupported);
    // [MQTT-3.2.2-13]
    let mut will = midge_tests::will("a", "gone");
    will.retain = true;
    assert_eq!(midge.v5("heir").will(will).refused(), ReasonCode::RetainNotSupported);
}

#[test]
fn a_client_with_the_same_identifier_takes_over() {
    let midge = Midge::start("");
    for old in VERSIONS {
        for new in VERSIONS {
            let mut first = midge.dial(old, "same").connect();
            let mut second = midge.dial(new, "same").connect();
            // [MQTT-3.1.4-3], 3.1.1: [MQTT-3.1.4-2]
            first.dropped(ReasonCode::SessionTakenOver);
            second.ping();
        }
    }
}

#[test]
fn a_client_of_another_user_does_not_inherit_the_session() {
    let setup = Setup::conf("allow_anonymous false\npassword_file @DIR@/passwords");
    mosquitto_passwd(&setup.directory().join("passwords"), "alice", "secret");
    mosquitto_passwd(&setup.directory().join("passwords"), "mallory", "secret");
    let midge = setup.start();
    let mut alice = midge.v5("device").user("alice", "secret").persistent().connect();
    alice.subscribe("private", QOS1);
    alice.disconnect();
    // Whatever is done with her request, what waits for alice must not reach her.
    let mut publisher = midge.v5("publisher").user("alice", "secret").connect();
    publisher.publish(message("private", "for alice").qos(QOS1));
    let (mut mallory, connack) =
        midge.v5("device").user("mallory", "secret").persistent().attempt();
    if connack.reason == ReasonCode::Success {
        let unread = mallory.unread();
        assert!(unread.iter().all(|packet| !matches!(packet, Packet::Publish(_))), "{unread:?}");
    }
}

#[test]
fn user_names_and_passwords_may_come_alone_in_mqtt_5() {
    let midge = Midge::start("");
    midge.v5("named").user_name("alice").connect();
    // The password alone: flags 0x40.
    let mut raw = midge.raw();
    raw.send_bytes(&connect("MQTT", 5, 0x42, &[0, 0, 1, b'c', 0, 1, b'p']));
    let answer = raw.bytes(4);
    assert_eq!((answer[0], answer[3]), (0x20, 0), "{answer:?}");
}

#[test]
fn a_broker_that_is_full_says_so_and_serves_those_inside() {
    let midge = Midge::start("listener @PORT@ 127.0.0.1\nmax_connections 2");
    let mut first = midge.client("first");
    let second = midge.client("second");
    let mut raw = midge.raw();
    raw.send(&midge.v5("third").packet(), ProtocolVersion::V5);
    let answer = raw.closed();
    // A CONNACK is possible, a success is not.
    assert!(!matches!(answer[..], [0x20, _, _, 0, ..]), "{answer:?}");
    first.ping();
    second.disconnect();
    eventually("there is room again", || {
        let mut raw = midge.raw();
        raw.send(&midge.v5("third").packet(), ProtocolVersion::V5);
        (raw.bytes(4).get(3) == Some(&0)).then_some(())
    });
}
