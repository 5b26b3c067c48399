//! Packets that are none, or that nobody may send: the connection is closed, the reason is told
//! where the version has words for it, and everybody else is served as before.

use midge_codec::{ProtocolVersion, ReasonCode};
use midge_tests::{Midge, QOS0, message};

const V311: ProtocolVersion = ProtocolVersion::V311;
const V5: ProtocolVersion = ProtocolVersion::V5;

/// What a client of MQTT 5 is told of a packet that breaks a rule of form; which of the two it is
/// the standard leaves open more than once.
const FORM: [ReasonCode; 2] = [ReasonCode::MalformedPacket, ReasonCode::ProtocolError];

/// Sends each packet over a connection of its own, which must be closed for it.
fn close(version: ProtocolVersion, reasons: &[ReasonCode], cases: &[(&str, &[u8])]) {
    let midge = Midge::start("");
    let mut witness = midge.client("witness");
    witness.subscribe("#", QOS0);
    for (what, bytes) in cases {
        let mut client = midge.dial(version, "offender").connect();
        client.send_bytes(bytes);
        println!("{what}: {bytes:02x?}");
        client.dropped_for(reasons);
    }
    witness.publish(message("still", "served"));
    // Nothing of what was sent was carried out.
    witness.expect("still", "served");
}

/// Sends each CONNECT, which must not be accepted.
fn refuse(version: ProtocolVersion, cases: &[(&str, &[u8])]) {
    let midge = Midge::start("");
    for (what, bytes) in cases {
        let mut raw = midge.raw();
        raw.send_bytes(bytes);
        let answer = raw.closed();
        println!("{what}: {bytes:02x?} answered by {answer:02x?}");
        match version {
            // A CONNACK that refuses is allowed.
            V5 => assert!(
                answer.is_empty() || matches!(answer[..], [0x20, _, 0, code, ..] if code >= 0x80)
            ),
            // [MQTT-3.1.4-1] of 3.1.1: none at all.
            _ => assert_eq!(answer, [0; 0]),
        }
    }
    midge.client("witness").ping();
}

#[test]
fn a_string_that_is_not_utf_8_closes_the_connection() {
    let publish: &[(&str, &[u8])] = &[
        ("a lone continuation byte", b"\x30\x04\0\x01\x80\0"),
        ("an overlong slash", b"\x30\x05\0\x02\xc0\xaf\0"),
        ("a surrogate", b"\x30\x06\0\x03\xed\xa0\x80\0"),
        ("beyond U+10FFFF", b"\x30\x07\0\x04\xf4\x90\x80\x80\0"),
        ("cut short", b"\x30\x05\0\x02\xe2\x82\0"),
    ];
    // [MQTT-1.5.4-1], 3.1.1: [MQTT-1.5.3-1]
    close(V5, &FORM, publish);
    close(V311, &FORM, publish);
}

#[test]
fn a_string_with_a_nul_closes_the_connection() {
    // [MQTT-1.5.4-2], [MQTT-4.7.3-2], 3.1.1: [MQTT-1.5.3-2]
    close(
        V5,
        &FORM,
        &[
            ("in a topic name", b"\x30\x06\0\x03a\0b\0"),
            ("in a filter", b"\x82\x09\0\x01\0\0\x03a\0b\0"),
            ("in a user property", b"\x30\x0c\0\x01t\x08\x26\0\x01\0\0\x02ab"),
        ],
    );
    close(
        V311,
        &FORM,
        &[
            ("in a topic name", b"\x30\x05\0\x03a\0b"),
            ("in a filter", b"\x82\x08\0\x01\0\x03a\0b\0"),
        ],
    );
}

#[test]
fn a_length_that_is_not_encoded_shortest_or_never_ends_closes_the_connection() {
    // [MQTT-1.5.5-1]
    close(
        V5,
        &FORM,
        &[
            ("five bytes of remaining length", b"\x30\xff\xff\xff\xff\x01"),
            (
                "a subscription identifier in two bytes for one",
                b"\x82\x0a\0\x01\x03\x0b\x81\0\0\x01t\0",
            ),
        ],
    );
    close(V311, &FORM, &[("five bytes of remaining length", b"\x30\xff\xff\xff\xff\x01")]);
}

#[test]
fn wrong_flags_of_the_fixed_header_close_the_connection() {
    // [MQTT-2.1.3-1], [MQTT-3.6.1-1], [MQTT-3.8.1-1], [MQTT-3.10.1-1], [MQTT-3.14.1-1],
    // [MQTT-3.15.1-1], 3.1.1: [MQTT-2.2.2-1], [MQTT-2.2.2-2]
    close(
        V5,
        &FORM,
        &[
            ("PUBACK", b"\x41\x02\0\x01"),
            ("PUBREC", b"\x52\x02\0\x01"),
            ("PUBREL", b"\x60\x02\0\x01"),
            ("PUBCOMP", b"\x71\x02\0\x01"),
            ("SUBSCRIBE", b"\x80\x07\0\x01\0\0\x01t\0"),
            ("UNSUBSCRIBE", b"\xa0\x06\0\x01\0\0\x01t"),
            ("PINGREQ", b"\xc1\0"),
            ("DISCONNECT", b"\xe1\0"),
            ("AUTH", b"\xf1\0"),
            ("a type that is reserved", b"\0\0"),
        ],
    );
    close(
        V311,
        &FORM,
        &[
            ("PUBACK", b"\x41\x02\0\x01"),
            ("PUBREC", b"\x52\x02\0\x01"),
            ("PUBREL", b"\x60\x02\0\x01"),
            ("PUBCOMP", b"\x71\x02\0\x01"),
            ("SUBSCRIBE", b"\x80\x06\0\x01\0\x01t\0"),
            ("UNSUBSCRIBE", b"\xa0\x05\0\x01\0\x01t"),
            ("PINGREQ", b"\xc1\0"),
            ("DISCONNECT", b"\xe1\0"),
            ("a type that is reserved", b"\0\0"),
            ("another type that is reserved", b"\xf0\0"),
        ],
    );
}

#[test]
fn packets_that_only_a_broker_sends_close_the_connection() {
    close(
        V5,
        &FORM,
        &[
            ("CONNACK", b"\x20\x03\0\0\0"),
            ("SUBACK", b"\x90\x04\0\x01\0\0"),
            ("UNSUBACK", b"\xb0\x04\0\x01\0\0"),
            ("PINGRESP", b"\xd0\0"),
        ],
    );
    close(
        V311,
        &FORM,
        &[
            ("CONNACK", b"\x20\x02\0\0"),
            ("SUBACK", b"\x90\x03\0\x01\0"),
            ("UNSUBACK", b"\xb0\x02\0\x01"),
            ("PINGRESP", b"\xd0\0"),
        ],
    );
}

#[test]
fn a_publish_against_its_form_closes_the_connection() {
    // [MQTT-3.3.1-2], [MQTT-3.3.1-4], [MQTT-2.2.1-3], [MQTT-4.7.3-1]
    close(
        V5,
        &FORM,
        &[
            ("DUP at QoS 0", b"\x38\x05\0\x01t\0x"),
            ("QoS 3", b"\x36\x07\0\x01t\0\x01\0x"),
            ("packet id 0", b"\x32\x06\0\x01t\0\0\0"),
            ("nothing at all", b"\x30\0"),
            ("a topic longer than the packet", b"\x30\x03\0\x05t"),
            ("no packet id", b"\x32\x03\0\x01t"),
            ("properties longer than the packet", b"\x30\x04\0\x01t\x05"),
        ],
    );
    close(
        V311,
        &FORM,
        &[
            ("DUP at QoS 0", b"\x38\x04\0\x01tx"),
            ("QoS 3", b"\x36\x06\0\x01t\0\x01x"),
            ("packet id 0", b"\x32\x05\0\x01t\0\0"),
            ("nothing at all", b"\x30\0"),
            ("an empty topic", b"\x30\x03\0\0x"),
            ("a topic longer than the packet", b"\x30\x03\0\x05t"),
            ("no packet id", b"\x32\x03\0\x01t"),
        ],
    );
}

#[test]
fn wildcards_in_a_topic_name_close_the_connection() {
    // [MQTT-3.3.2-2], [MQTT-4.7.0-1]
    let reasons =
        [ReasonCode::TopicNameInvalid, ReasonCode::MalformedPacket, ReasonCode::ProtocolError];
    close(
        V5,
        &reasons,
        &[
            ("a plus", b"\x30\x06\0\x03a/+\0"),
            ("a hash", b"\x30\x06\0\x03a/#\0"),
            ("in a response topic", b"\x30\x0a\0\x01t\x06\x08\0\x03a/#"),
        ],
    );
    close(V311, &reasons, &[("a plus", b"\x30\x05\0\x03a/+"), ("a hash", b"\x30\x05\0\x03a/#")]);
}

#[test]
fn an_empty_topic_without_an_alias_is_a_protocol_error() {
    close(
        V5,
        &[ReasonCode::ProtocolError],
        &[
            ("no alias", b"\x30\x04\0\0\0x"),
            ("an alias never given", b"\x30\x07\0\0\x03\x23\0\x01x"),
        ],
    );
}

#[test]
fn a_subscribe_against_its_form_closes_the_connection() {
    // [MQTT-3.8.3-2], [MQTT-3.8.3-5], 3.1.1: [MQTT-3.8.3-3], [MQTT-3.8.3-4]
    close(
        V5,
        &FORM,
        &[
            ("no filter", b"\x82\x03\0\x01\0"),
            ("packet id 0", b"\x82\x07\0\0\0\0\x01t\0"),
            ("QoS 3", b"\x82\x07\0\x01\0\0\x01t\x03"),
            ("retain handling 3", b"\x82\x07\0\x01\0\0\x01t\x30"),
            ("a reserved bit of the options", b"\x82\x07\0\x01\0\0\x01t\x40"),
            ("another reserved bit of the options", b"\x82\x07\0\x01\0\0\x01t\x80"),
            ("no options", b"\x82\x06\0\x01\0\0\x01t"),
            ("subscription identifier 0", b"\x82\x09\0\x01\x02\x0b\0\0\x01t\0"),
            ("two subscription identifiers", b"\x82\x0b\0\x01\x04\x0b\x01\x0b\x02\0\x01t\0"),
        ],
    );
    close(
        V311,
        &FORM,
        &[
            ("no filter", b"\x82\x02\0\x01"),
            ("packet id 0", b"\x82\x06\0\0\0\x01t\0"),
            ("QoS 3", b"\x82\x06\0\x01\0\x01t\x03"),
            ("a reserved bit of the options", b"\x82\x06\0\x01\0\x01t\x04"),
            ("no QoS", b"\x82\x05\0\x01\0\x01t"),
        ],
    );
}

#[test]
fn an_invalid_filter_is_not_granted() {
    // One way (SUBACK) or the other (DISCONNECT). [MQTT-4.7.1-1], [MQTT-4.7.1-2], [MQTT-4.7.3-1]
    let midge = Midge::start("");
    for version in [V311, V5] {
        for filter in ["a#", "a/#/b", "#/", "a+", "+a/b", "a/b+/c", "##", "++", ""] {
            let mut client = midge.dial(version, "client").connect();
            let mut body = vec![0, 1];
            if version == V5 {
                body.push(0);
            }
            body.extend_from_slice(&[0, filter.len() as u8]);
            body.extend_from_slice(filter.as_bytes());
            body.push(0);
            let mut packet = vec![0x82, body.len() as u8];
            packet.extend_from_slice(&body);
            client.send_bytes(&packet);
            let granted = client.closed_or(|packet| match packet {
                midge_codec::Packet::Suback(suback) => Some(suback.reasons.clone()),
                _ => None,
            });
            assert!(granted.is_none_or(|reasons| reasons[0].is_error()), "{version:?} {filter:?}");
        }
    }
}

#[test]
fn an_unsubscribe_against_its_form_closes_the_connection() {
    // [MQTT-3.10.3-2], [MQTT-3.10.3-1]
    close(
        V5,
        &FORM,
        &[
            ("no filter", b"\xa2\x03\0\x01\0"),
            ("packet id 0", b"\xa2\x06\0\0\0\0\x01t"),
            ("a filter that is not UTF-8", b"\xa2\x06\0\x01\0\0\x01\xff"),
        ],
    );
    close(
        V311,
        &FORM,
        &[
            ("no filter", b"\xa2\x02\0\x01"),
            ("packet id 0", b"\xa2\x05\0\0\0\x01t"),
            ("a filter that is not UTF-8", b"\xa2\x05\0\x01\0\x01\xff"),
        ],
    );
}

#[test]
fn an_acknowledgement_against_its_form_closes_the_connection() {
    // [MQTT-3.4.2-1], [MQTT-3.5.2-1], [MQTT-3.6.2-1], [MQTT-3.7.2-1]
    close(
        V5,
        &FORM,
        &[
            ("PUBACK without an id", b"\x40\0"),
            ("PUBACK of packet id 0", b"\x40\x02\0\0"),
            ("PUBACK with a code unknown", b"\x40\x03\0\x01\x55"),
            ("PUBREC with a code not its own", b"\x50\x03\0\x01\x92"),
            ("PUBREL with a code not its own", b"\x62\x03\0\x01\x80"),
            ("PUBCOMP with a code not its own", b"\x70\x03\0\x01\x80"),
            ("PUBREL of packet id 0", b"\x62\x02\0\0"),
            ("PUBACK with a property not its own", b"\x40\x07\0\x01\0\x03\x23\0\x01"),
        ],
    );
    close(
        V311,
        &FORM,
        &[
            ("PUBACK without an id", b"\x40\0"),
            ("PUBACK with more than an id", b"\x40\x03\0\x01\0"),
            ("PUBREL without an id", b"\x62\x01\0"),
        ],
    );
}

#[test]
fn properties_against_their_form_close_the_connection() {
    // [MQTT-3.3.4-6], [MQTT-1.5.7-1] and clauses without a number (2.2.2.2).
    close(
        V5,
        &FORM,
        &[
            ("an unknown property", b"\x30\x06\0\x01t\x02\x7f\0"),
            ("a property of another packet", b"\x30\x09\0\x01t\x05\x11\0\0\0\x01"),
            ("one twice that may come once", b"\x30\x08\0\x01t\x04\x01\0\x01\0"),
            ("a format beyond 1", b"\x30\x06\0\x01t\x02\x01\x02"),
            ("a subscription identifier from a client", b"\x30\x06\0\x01t\x02\x0b\x01"),
            ("a user property with a value cut short", b"\x30\x0a\0\x01t\x06\x26\0\x01a\0\x05"),
            ("a content type that is not UTF-8", b"\x30\x08\0\x01t\x04\x03\0\x01\xff"),
            ("a response topic that is not UTF-8", b"\x30\x08\0\x01t\x04\x08\0\x01\xff"),
        ],
    );
}

#[test]
fn a_disconnect_against_its_form_closes_the_connection() {
    // [MQTT-3.14.1-1], [MQTT-3.14.2-1]
    close(
        V5,
        &FORM,
        &[
            ("a code unknown", b"\xe0\x01\x55"),
            ("a property not its own", b"\xe0\x05\0\x03\x23\0\x01"),
        ],
    );
    close(V311, &FORM, &[("a body", b"\xe0\x01\0")]);
}

#[test]
fn an_auth_against_its_form_closes_the_connection() {
    // [MQTT-3.15.2-1], [MQTT-3.15.1-1]
    close(
        V5,
        &FORM,
        &[("a code not its own", b"\xf0\x02\x80\0"), ("no method", b"\xf0\x02\x18\0")],
    );
}

#[test]
fn a_connect_of_mqtt_5_against_its_form_is_refused() {
    // [MQTT-3.1.2-3] to [MQTT-3.1.2-19], [MQTT-3.1.3-1] to [MQTT-3.1.3-12], [MQTT-3.1.4-1]
    refuse(
        V5,
        &[
            ("a reserved flag", b"\x10\x0e\0\x04MQTT\x05\x03\0\x3c\0\0\x01c"),
            ("will QoS without a will", b"\x10\x0e\0\x04MQTT\x05\x0a\0\x3c\0\0\x01c"),
            ("will retain without a will", b"\x10\x0e\0\x04MQTT\x05\x22\0\x3c\0\0\x01c"),
            ("will QoS 3", b"\x10\x15\0\x04MQTT\x05\x1e\0\x3c\0\0\x01c\0\0\x01w\0\x01x"),
            ("a will without its fields", b"\x10\x0e\0\x04MQTT\x05\x06\0\x3c\0\0\x01c"),
            ("a user name announced and absent", b"\x10\x0e\0\x04MQTT\x05\x82\0\x3c\0\0\x01c"),
            ("a user name not announced", b"\x10\x11\0\x04MQTT\x05\x02\0\x3c\0\0\x01c\0\x01u"),
            ("a password announced and absent", b"\x10\x0e\0\x04MQTT\x05\x42\0\x3c\0\0\x01c"),
            (
                "a password not announced",
                b"\x10\x14\0\x04MQTT\x05\x82\0\x3c\0\0\x01c\0\x01u\0\x01p",
            ),
            ("no client identifier", b"\x10\x0b\0\x04MQTT\x05\x02\0\x3c\0"),
            (
                "a client identifier that is not UTF-8",
                b"\x10\x0e\0\x04MQTT\x05\x02\0\x3c\0\0\x01\xff",
            ),
            (
                "a user name that is not UTF-8",
                b"\x10\x11\0\x04MQTT\x05\x82\0\x3c\0\0\x01c\0\x01\xff",
            ),
            (
                "a will topic that is not UTF-8",
                b"\x10\x15\0\x04MQTT\x05\x06\0\x3c\0\0\x01c\0\0\x01\xff\0\x01x",
            ),
            (
                "a will topic with a wildcard",
                b"\x10\x15\0\x04MQTT\x05\x06\0\x3c\0\0\x01c\0\0\x01#\0\x01x",
            ),
            ("properties absent", b"\x10\x0a\0\x04MQTT\x05\x02\0\x3c"),
            (
                "a property twice",
                b"\x10\x14\0\x04MQTT\x05\x02\0\x3c\x06\x21\0\x01\x21\0\x01\0\x01c",
            ),
            ("maximum packet size 0", b"\x10\x13\0\x04MQTT\x05\x02\0\x3c\x05\x27\0\0\0\0\0\x01c"),
            ("wrong flags of the fixed header", b"\x11\x0e\0\x04MQTT\x05\x02\0\x3c\0\0\x01c"),
        ],
    );
}

#[test]
fn a_connect_of_mqtt_3_1_1_against_its_form_is_closed_without_a_word() {
    refuse(
        V311,
        &[
            ("a reserved flag", b"\x10\x0d\0\x04MQTT\x04\x03\0\x3c\0\x01c"),
            ("will QoS without a will", b"\x10\x0d\0\x04MQTT\x04\x0a\0\x3c\0\x01c"),
            ("will retain without a will", b"\x10\x0d\0\x04MQTT\x04\x22\0\x3c\0\x01c"),
            ("will QoS 3", b"\x10\x13\0\x04MQTT\x04\x1e\0\x3c\0\x01c\0\x01w\0\x01x"),
            ("a will without its fields", b"\x10\x0d\0\x04MQTT\x04\x06\0\x3c\0\x01c"),
            ("a user name announced and absent", b"\x10\x0d\0\x04MQTT\x04\x82\0\x3c\0\x01c"),
            ("a user name not announced", b"\x10\x10\0\x04MQTT\x04\x02\0\x3c\0\x01c\0\x01u"),
            ("a password announced and absent", b"\x10\x10\0\x04MQTT\x04\xc2\0\x3c\0\x01c\0\x01u"),
            ("a password not announced", b"\x10\x13\0\x04MQTT\x04\x82\0\x3c\0\x01c\0\x01u\0\x01p"),
            ("a password without a user name", b"\x10\x10\0\x04MQTT\x04\x42\0\x3c\0\x01c\0\x01p"),
            ("no client identifier", b"\x10\x0a\0\x04MQTT\x04\x02\0\x3c"),
            (
                "a client identifier that is not UTF-8",
                b"\x10\x0d\0\x04MQTT\x04\x02\0\x3c\0\x01\xff",
            ),
            ("a user name that is not UTF-8", b"\x10\x10\0\x04MQTT\x04\x82\0\x3c\0\x01c\0\x01\xff"),
            (
                "a will topic that is not UTF-8",
                b"\x10\x13\0\x04MQTT\x04\x06\0\x3c\0\x01c\0\x01\xff\0\x01x",
            ),
            ("wrong flags of the fixed header", b"\x11\x0d\0\x04MQTT\x04\x02\0\x3c\0\x01c"),
        ],
    );
}

#[test]
fn nothing_after_a_packet_that_broke_the_form_is_carried_out() {
    let midge = Midge::start("");
    let mut witness = midge.client("witness");
    witness.subscribe("#", QOS0);
    for version in [V311, V5] {
        let mut client = midge.dial(version, "offender").connect();
        let publish: &[u8] =
            if version == V5 { b"\x30\x05\0\x01t\0x" } else { b"\x30\x04\0\x01tx" };
        client.send_bytes(&[b"\x41\x02\0\x01", publish].concat());
        client.closed();
    }
    witness.publish(message("still", "served"));
    // [MQTT-4.13.1-1], [MQTT-4.13.2-1], 3.1.1: [MQTT-4.8.0-1]
    witness.expect("still", "served");
}
