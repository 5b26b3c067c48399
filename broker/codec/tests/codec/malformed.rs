//! Bytes that are no packet, at least one for every form the standards forbid.

use midge_codec::ProtocolVersion::{V5, V31, V311};
use midge_codec::{
    InvalidText, InvalidTopic, Malformed, Property, ProtocolVersion, ReasonCode, Text,
};

/// Bytes and what is wrong with them.
pub(crate) struct Bad {
    /// `None`: as the first packet of a connection.
    pub(crate) version: Option<ProtocolVersion>,
    pub(crate) wire: &'static str,
    pub(crate) malformed: Malformed,
    pub(crate) reason: u8,
}

fn bad(
    version: impl Into<Option<ProtocolVersion>>,
    wire: &'static str,
    malformed: Malformed,
    reason: u8,
) -> Bad {
    Bad { version: version.into(), wire, malformed, reason }
}

/// The most the tests that read these let a packet have.
pub(crate) const MAXIMUM_PACKET_SIZE: u32 = 1_000;

pub(crate) fn malformed() -> Vec<Bad> {
    let mut bad = fixed_header();
    bad.extend(connect());
    bad.extend(connack());
    bad.extend(publish());
    bad.extend(acks());
    bad.extend(subscribe());
    bad.extend(properties());
    bad.extend(others());
    bad
}

fn fixed_header() -> Vec<Bad> {
    let flags = |found, expected| Malformed::FixedHeaderFlags { found, expected };
    let mut all = vec![
        // 2.1.2
        bad(V311, "00", Malformed::ReservedPacketType { found: 0 }, 0x81),
        bad(V5, "0f", Malformed::ReservedPacketType { found: 0 }, 0x81),
        bad(None, "00", Malformed::ReservedPacketType { found: 0 }, 0x81),
        bad(V31, "f0 00", Malformed::ReservedPacketType { found: 15 }, 0x81),
        bad(V311, "f0 00", Malformed::ReservedPacketType { found: 15 }, 0x81),
        // [MQTT-3.1.0-1]: whatever else comes first, an HTTP request among it.
        bad(None, "30 06 0003 'a/b' 'x'", Malformed::ExpectedConnect, 0x82),
        bad(None, "'GET / HTTP/1.1'", Malformed::ExpectedConnect, 0x82),
        bad(None, "f0", Malformed::ExpectedConnect, 0x82),
        // 1.5.5: refused when the fourth byte asks for a fifth, before that one is there.
        bad(V311, "30 ffffffff", Malformed::VariableByteIntegerTooLong, 0x81),
        bad(V5, "82 80808080 01", Malformed::VariableByteIntegerTooLong, 0x81),
        bad(None, "10 ffffffff", Malformed::VariableByteIntegerTooLong, 0x81),
        // [MQTT-1.5.5-1]
        bad(V5, "c0 80 00", not_shortest(0, 2), 0x81),
        bad(V5, "30 87 80 00 0003 'a/b' 00 'x'", not_shortest(7, 3), 0x81),
        bad(None, "10 8e 00 0004 'MQTT' 05 02 003c 00 0001 'c'", not_shortest(14, 2), 0x81),
        // [MQTT-3.2.2-15]: refused by the header alone.
        bad(V311, "30 e6 07", Malformed::PacketTooLarge { bytes: 1_001, maximum: 1_000 }, 0x95),
        bad(
            V5,
            "30 ffffff7f",
            Malformed::PacketTooLarge { bytes: 268_435_460, maximum: 1_000 },
            0x95,
        ),
        bad(None, "10 e6 07", Malformed::PacketTooLarge { bytes: 1_001, maximum: 1_000 }, 0x95),
        // [MQTT-3.1.1 2.2.2-1]: of a CONNECT only once its version is known.
        bad(None, "11 0d 0004 'MQTT' 04 02 003c 0001 'c'", flags(1, 0), 0x81),
        bad(None, "18 0e 0004 'MQTT' 05 02 003c 00 0001 'c'", flags(8, 0), 0x81),
    ];
    // [MQTT-2.1.3-1], [MQTT-3.6.1-1], [MQTT-3.8.1-1], [MQTT-3.10.1-1], [MQTT-3.14.1-1]
    for version in [V311, V5] {
        all.push(bad(version, "21", flags(1, 0), 0x81));
        all.push(bad(version, "42", flags(2, 0), 0x81));
        all.push(bad(version, "58", flags(8, 0), 0x81));
        all.push(bad(version, "60", flags(0, 2), 0x81));
        all.push(bad(version, "6a", flags(10, 2), 0x81));
        all.push(bad(version, "71", flags(1, 0), 0x81));
        all.push(bad(version, "80", flags(0, 2), 0x81));
        all.push(bad(version, "8a", flags(10, 2), 0x81));
        all.push(bad(version, "91", flags(1, 0), 0x81));
        all.push(bad(version, "a0", flags(0, 2), 0x81));
        all.push(bad(version, "b4", flags(4, 0), 0x81));
        all.push(bad(version, "c1", flags(1, 0), 0x81));
        all.push(bad(version, "d8", flags(8, 0), 0x81));
        all.push(bad(version, "e1", flags(1, 0), 0x81));
    }
    // [MQTT-3.15.1-1]
    all.push(bad(V5, "f1", flags(1, 0), 0x81));
    all
}

fn connect() -> Vec<Bad> {
    let level = |name, found| Malformed::ProtocolLevel { name, found };
    let name = |found| Malformed::ProtocolName { found: Text::from_static(found) };
    vec![
        // [MQTT-3.1.2-1]
        bad(None, "10 0d 0004 'mqtt' 04 02 003c 0001 'c'", name("mqtt"), 0x84),
        bad(None, "10 02 0000", name(""), 0x84),
        bad(None, "10 16 0014 'AMQPAMQPAMQPAMQPAMQP'", name("AMQPAMQPAMQPAMQP"), 0x84),
        // [MQTT-3.1.2-2]
        bad(None, "10 0d 0004 'MQTT' 03 02 003c 0001 'c'", level("MQTT", 3), 0x84),
        bad(None, "10 0d 0004 'MQTT' 06 02 003c 0001 'c'", level("MQTT", 6), 0x84),
        bad(None, "10 0d 0004 'MQTT' 85 02 003c 0001 'c'", level("MQTT", 0x85), 0x84),
        bad(None, "10 0f 0006 'MQIsdp' 04 02 003c 0001 'c'", level("MQIsdp", 4), 0x84),
        bad(None, "10 0f 0006 'MQIsdp' 05 02 003c 0001 'c'", level("MQIsdp", 5), 0x84),
        // [MQTT-3.1.2-3]
        bad(
            None,
            "10 0d 0004 'MQTT' 04 03 003c 0001 'c'",
            Malformed::ConnectFlagsReserved { found: 3 },
            0x81,
        ),
        // [MQTT-3.1.2-12]
        bad(
            None,
            "10 13 0004 'MQTT' 04 1e 003c 0001 'c' 0001 'w' 0001 'p'",
            Malformed::WillQoS,
            0x81,
        ),
        bad(
            None,
            "10 15 0006 'MQIsdp' 03 1e 003c 0001 'c' 0001 'w' 0001 'p'",
            Malformed::WillQoS,
            0x81,
        ),
        // [MQTT-3.1.2-11], [MQTT-3.1.2-13]
        bad(
            None,
            "10 0d 0004 'MQTT' 04 0a 003c 0001 'c'",
            Malformed::WillFlagsWithoutWill { found: 0x0a },
            0x81,
        ),
        bad(
            None,
            "10 0e 0004 'MQTT' 05 22 003c 00 0001 'c'",
            Malformed::WillFlagsWithoutWill { found: 0x22 },
            0x81,
        ),
        // 3.1.1 [MQTT-3.1.2-22]
        bad(
            None,
            "10 10 0004 'MQTT' 04 42 003c 0001 'c' 0001 'p'",
            Malformed::PasswordWithoutUserName,
            0x81,
        ),
        bad(
            None,
            "10 12 0006 'MQIsdp' 03 42 003c 0001 'c' 0001 'p'",
            Malformed::PasswordWithoutUserName,
            0x81,
        ),
        // [MQTT-3.1.3-3], [MQTT-3.1.2-9], [MQTT-3.1.2-17], [MQTT-3.1.2-19]: fields that are missing.
        bad(None, "10 00", truncated("protocol name", 2, 0), 0x81),
        bad(None, "10 04 0004 'MQ'", truncated("protocol name", 4, 2), 0x81),
        bad(None, "10 06 0004 'MQTT'", truncated("protocol level", 1, 0), 0x81),
        bad(None, "10 07 0004 'MQTT' 04", truncated("connect flags", 1, 0), 0x81),
        bad(None, "10 09 0004 'MQTT' 04 02 00", truncated("keep alive", 2, 1), 0x81),
        bad(None, "10 0a 0004 'MQTT' 05 02 003c", truncated("property length", 1, 0), 0x81),
        bad(None, "10 0a 0004 'MQTT' 04 02 003c", truncated("client identifier", 2, 0), 0x81),
        bad(None, "10 0d 0004 'MQTT' 04 06 003c 0001 'c'", truncated("will topic", 2, 0), 0x81),
        bad(
            None,
            "10 10 0004 'MQTT' 04 06 003c 0001 'c' 0001 'w'",
            truncated("will payload", 2, 0),
            0x81,
        ),
        bad(None, "10 0d 0004 'MQTT' 04 82 003c 0001 'c'", truncated("user name", 2, 0), 0x81),
        bad(
            None,
            "10 10 0004 'MQTT' 04 c2 003c 0001 'c' 0001 'u'",
            truncated("password", 2, 0),
            0x81,
        ),
        // [MQTT-3.1.2-16], [MQTT-3.1.2-18]: fields that nothing announced.
        bad(
            None,
            "10 10 0004 'MQTT' 04 02 003c 0001 'c' 0001 'u'",
            Malformed::TrailingBytes { bytes: 3 },
            0x81,
        ),
        // [MQTT-3.1.3-4], [MQTT-3.1.3-11], [MQTT-3.1.3-12]
        bad(None, "10 0d 0004 'MQTT' 04 02 003c 0001 ff", not_utf8("client identifier"), 0x81),
        bad(
            None,
            "10 13 0004 'MQTT' 04 06 003c 0001 'c' 0001 ff 0001 'p'",
            not_utf8("will topic"),
            0x81,
        ),
        bad(None, "10 10 0004 'MQTT' 04 82 003c 0001 'c' 0001 ff", not_utf8("user name"), 0x81),
        // [MQTT-4.7.1-1], [MQTT-4.7.3-1]
        bad(
            None,
            "10 13 0004 'MQTT' 04 06 003c 0001 'c' 0001 '#' 0001 'p'",
            Malformed::TopicName { field: "will topic", error: wildcard('#', 0) },
            0x90,
        ),
        bad(
            None,
            "10 12 0004 'MQTT' 04 06 003c 0001 'c' 0000 0001 'p'",
            Malformed::TopicName { field: "will topic", error: InvalidTopic::Empty },
            0x90,
        ),
        // 3.1.2.11.10
        bad(
            None,
            "10 12 0004 'MQTT' 05 02 003c 04 16 0001 ff 0001 'c'",
            Malformed::AuthenticationDataWithoutMethod,
            0x82,
        ),
    ]
}

fn connack() -> Vec<Bad> {
    vec![
        // [MQTT-3.2.2-1]
        bad(V311, "20 02 02 00", Malformed::ConnackFlags { found: 2 }, 0x81),
        bad(V5, "20 03 80 00 00", Malformed::ConnackFlags { found: 0x80 }, 0x81),
        // [MQTT-3.2.2-6]
        bad(
            V5,
            "20 03 01 87 00",
            Malformed::SessionPresentOnRefusal { reason: ReasonCode::NotAuthorized },
            0x82,
        ),
        // [MQTT-3.2.2-8]
        bad(V31, "20 02 00 06", Malformed::ReasonCode { found: 6 }, 0x82),
        bad(V311, "20 02 00 87", Malformed::ReasonCode { found: 0x87 }, 0x82),
        bad(V5, "20 03 00 01 00", Malformed::ReasonCode { found: 1 }, 0x82),
        bad(V311, "20 01 00", truncated("connect return code", 1, 0), 0x81),
        bad(V5, "20 02 00 00", truncated("property length", 1, 0), 0x81),
        bad(V311, "20 03 00 00 00", Malformed::TrailingBytes { bytes: 1 }, 0x81),
        bad(V5, "20 04 00 00 00 00", Malformed::TrailingBytes { bytes: 1 }, 0x81),
    ]
}

fn publish() -> Vec<Bad> {
    let mut all = vec![
        // [MQTT-3.3.1-2]
        bad(V311, "38", Malformed::DupWithQoS0, 0x81),
        bad(V5, "39", Malformed::DupWithQoS0, 0x81),
        // 3.3.2.1
        bad(V5, "30 03 0000 00", Malformed::TopicMissing, 0x82),
        // [MQTT-4.7.3-1]
        bad(V311, "30 03 0000 'x'", topic_name(InvalidTopic::Empty), 0x90),
        // [MQTT-3.3.2-14]
        bad(
            V5,
            "30 0a 0001 'a' 06 08 0003 'r/#'",
            Malformed::ResponseTopic { error: wildcard('#', 2) },
            0x82,
        ),
        bad(
            V5,
            "30 07 0001 'a' 03 08 0000",
            Malformed::ResponseTopic { error: InvalidTopic::Empty },
            0x82,
        ),
        bad(V5, "30 08 0001 'a' 04 08 0001 ff", not_utf8("Response Topic"), 0x81),
        // [MQTT-3.3.2-8]
        bad(V5, "30 07 0001 'a' 03 23 0000", Malformed::TopicAliasZero, 0x94),
        bad(V5, "30 03 0001 'a'", truncated("property length", 1, 0), 0x81),
        bad(V5, "30 05 0001 'a' 05 01", truncated("properties", 5, 1), 0x81),
    ];
    for version in [V31, V311, V5] {
        // [MQTT-3.3.1-4]
        all.push(bad(version, "36", Malformed::PublishQoS, 0x81));
        // [MQTT-3.3.2-2]
        let wire = if version == V5 { "30 06 0003 'a/+' 00" } else { "30 05 0003 'a/+'" };
        all.push(bad(version, wire, topic_name(wildcard('+', 2)), 0x90));
        // [MQTT-2.2.1-3]
        all.push(bad(version, "32 05 0001 'a' 0000", Malformed::PacketIdZero, 0x82));
        // [MQTT-3.3.2-1], [MQTT-1.5.4-1], [MQTT-1.5.4-2]
        all.push(bad(version, "30 05 0003 eda080", not_utf8("topic name"), 0x81));
        all.push(bad(version, "30 04 0002 c080", not_utf8("topic name"), 0x81));
        let nul = Malformed::Text { field: "topic name", error: InvalidText::Nul { at: 1 } };
        all.push(bad(version, "30 04 0002 'a' 00", nul, 0x81));
        all.push(bad(version, "30 00", truncated("topic name", 2, 0), 0x81));
        all.push(bad(version, "30 04 ffff 'ab'", truncated("topic name", 65_535, 2), 0x81));
        all.push(bad(version, "32 04 0001 'a' 00", truncated("packet identifier", 2, 1), 0x81));
    }
    all
}

fn acks() -> Vec<Bad> {
    let mut all = Vec::new();
    for wire in ["40 02 0000", "50 02 0000", "62 02 0000", "70 02 0000"] {
        for version in [V31, V311, V5] {
            all.push(bad(version, wire, Malformed::PacketIdZero, 0x82));
        }
    }
    // [MQTT-3.4.2-1], [MQTT-3.5.2-1], [MQTT-3.6.2-1], [MQTT-3.7.2-1]
    all.push(bad(V5, "40 03 0001 92", Malformed::ReasonCode { found: 0x92 }, 0x82));
    all.push(bad(V5, "50 03 0001 01", Malformed::ReasonCode { found: 1 }, 0x82));
    all.push(bad(V5, "62 03 0001 10", Malformed::ReasonCode { found: 0x10 }, 0x82));
    all.push(bad(V5, "70 03 0001 80", Malformed::ReasonCode { found: 0x80 }, 0x82));
    all.push(bad(V311, "40 01 00", truncated("packet identifier", 2, 1), 0x81));
    all.push(bad(V311, "40 03 0001 00", Malformed::TrailingBytes { bytes: 1 }, 0x81));
    all.push(bad(V31, "62 04 0001 00 00", Malformed::TrailingBytes { bytes: 2 }, 0x81));
    all.push(bad(V5, "40 05 0001 00 00 00", Malformed::TrailingBytes { bytes: 1 }, 0x81));
    all
}

fn subscribe() -> Vec<Bad> {
    let options = |found| Malformed::SubscriptionOptionsReserved { found };
    let filter = |error| Malformed::TopicFilter { error };
    vec![
        // [MQTT-3.8.3-2], [MQTT-3.10.3-2]
        bad(V311, "82 02 0001", Malformed::NoTopicFilter, 0x82),
        bad(V5, "82 03 0001 00", Malformed::NoTopicFilter, 0x82),
        bad(V311, "a2 02 0001", Malformed::NoTopicFilter, 0x82),
        bad(V5, "a2 03 0001 00", Malformed::NoTopicFilter, 0x82),
        // [MQTT-3.8.3-5], 3.1.1 [MQTT-3.8.3-4]
        bad(V31, "82 06 0001 0001 'a' 04", options(4), 0x81),
        bad(V311, "82 06 0001 0001 'a' 08", options(8), 0x81),
        bad(V5, "82 07 0001 00 0001 'a' 40", options(0x40), 0x81),
        bad(V5, "82 07 0001 00 0001 'a' 80", options(0x80), 0x81),
        // 3.8.3.1
        bad(V311, "82 06 0001 0001 'a' 03", Malformed::SubscriptionQoS, 0x82),
        bad(V5, "82 07 0001 00 0001 'a' 03", Malformed::SubscriptionQoS, 0x82),
        bad(V5, "82 07 0001 00 0001 'a' 30", Malformed::RetainHandling, 0x82),
        // [MQTT-3.8.3-4]
        bad(V5, "82 10 0001 00 000a '$share/g/t' 04", Malformed::NoLocalOnShared, 0x82),
        // 4.7.1, 4.7.3, 4.8.2
        bad(V311, "82 05 0001 0000 00", filter(InvalidTopic::Empty), 0x8F),
        bad(V5, "82 09 0001 00 0003 'a#b' 00", filter(InvalidTopic::MultiLevel { at: 1 }), 0x8F),
        bad(V5, "82 09 0001 00 0003 '#/a' 00", filter(InvalidTopic::MultiLevel { at: 0 }), 0x8F),
        bad(V5, "82 08 0001 00 0002 'a+' 00", filter(InvalidTopic::SingleLevel { at: 1 }), 0x8F),
        bad(V5, "82 0e 0001 00 0008 '$share/g' 00", filter(InvalidTopic::Share), 0x8F),
        bad(V5, "82 0f 0001 00 0009 '$share//a' 00", filter(InvalidTopic::Share), 0x8F),
        bad(V5, "a2 0b 0001 00 0006 '$share'", filter(InvalidTopic::Share), 0x8F),
        // [MQTT-3.8.3-1], [MQTT-3.10.3-1]
        bad(V311, "82 06 0001 0001 ff 00", not_utf8("topic filter"), 0x81),
        bad(V311, "a2 05 0001 0001 ff", not_utf8("topic filter"), 0x81),
        bad(V311, "82 05 0001 0001 'a'", truncated("subscription options", 1, 0), 0x81),
        bad(V311, "82 02 0000", Malformed::PacketIdZero, 0x82),
        bad(V311, "90 03 0000 00", Malformed::PacketIdZero, 0x82),
        bad(V311, "a2 02 0000", Malformed::PacketIdZero, 0x82),
        bad(V311, "b0 02 0000", Malformed::PacketIdZero, 0x82),
        // [MQTT-3.9.3-2], [MQTT-3.11.3-2]
        bad(V311, "90 03 0001 87", Malformed::ReasonCode { found: 0x87 }, 0x82),
        bad(V311, "90 03 0001 03", Malformed::ReasonCode { found: 3 }, 0x82),
        bad(V5, "90 04 0001 00 11", Malformed::ReasonCode { found: 0x11 }, 0x82),
        bad(V5, "b0 04 0001 00 01", Malformed::ReasonCode { found: 1 }, 0x82),
        bad(V311, "b0 03 0001 00", Malformed::TrailingBytes { bytes: 1 }, 0x81),
    ]
}

fn properties() -> Vec<Bad> {
    let duplicate = |property| Malformed::DuplicateProperty { property };
    let not_allowed = |property| Malformed::PropertyNotAllowed { property };
    let value = |property, found, expected| Malformed::PropertyValue { property, found, expected };
    vec![
        // 2.2.2.2: identifiers no packet has, and those of other packets.
        bad(V5, "40 05 0001 00 01 04", Malformed::UnknownProperty { found: 4 }, 0x81),
        bad(V5, "40 06 0001 00 02 8002", Malformed::UnknownProperty { found: 256 }, 0x81),
        bad(V5, "40 06 0001 00 02 9f00", not_shortest(0x1f, 2), 0x81),
        bad(V5, "40 06 0001 00 02 0101", not_allowed(Property::PayloadFormatIndicator), 0x81),
        bad(V5, "30 07 0001 'a' 03 210001", not_allowed(Property::ReceiveMaximum), 0x81),
        bad(V5, "82 08 0001 02 0101 0001 'a'", not_allowed(Property::PayloadFormatIndicator), 0x81),
        bad(V5, "a2 08 0001 02 0b01 0001 'a'", not_allowed(Property::SubscriptionIdentifier), 0x81),
        bad(V5, "e0 04 00 02 0b01", not_allowed(Property::SubscriptionIdentifier), 0x81),
        bad(V5, "f0 05 18 03 210001", not_allowed(Property::ReceiveMaximum), 0x81),
        bad(V5, "20 05 00 00 02 1701", not_allowed(Property::RequestProblemInformation), 0x81),
        bad(
            None,
            "10 10 0004 'MQTT' 05 02 003c 02 2401 0001 'c'",
            not_allowed(Property::MaximumQoS),
            0x81,
        ),
        bad(
            None,
            "10 16 0004 'MQTT' 05 06 003c 00 0001 'c' 02 0b01 0001 'w' 0001 'p'",
            not_allowed(Property::SubscriptionIdentifier),
            0x81,
        ),
        // 2.2.2.2: only User Property may stand more than once, and in PUBLISH the identifiers.
        bad(
            None,
            "10 14 0004 'MQTT' 05 02 003c 06 210001210001 0001 'c'",
            duplicate(Property::ReceiveMaximum),
            0x82,
        ),
        bad(V5, "20 07 00 00 04 2500 2500", duplicate(Property::RetainAvailable), 0x82),
        bad(V5, "30 08 0001 'a' 04 0100 0100", duplicate(Property::PayloadFormatIndicator), 0x82),
        bad(V5, "30 0a 0001 'a' 06 230001 230001", duplicate(Property::TopicAlias), 0x82),
        bad(V5, "40 0a 0001 00 06 1f0000 1f0000", duplicate(Property::ReasonString), 0x82),
        bad(
            V5,
            "82 0b 0001 04 0b01 0b02 0001 'a' 00",
            duplicate(Property::SubscriptionIdentifier),
            0x82,
        ),
        bad(V5, "e0 08 00 06 1c0000 1c0000", duplicate(Property::ServerReference), 0x82),
        bad(V5, "f0 08 18 06 150000 150000", duplicate(Property::AuthenticationMethod), 0x82),
        // Values: 3.1.2.11.3, 3.1.2.11.4, 3.1.2.11.6, 3.1.2.11.7, 3.2.2.3.4, 3.3.2.3.2, 3.8.2.1.2
        bad(
            None,
            "10 11 0004 'MQTT' 05 02 003c 03 210000 0001 'c'",
            value(Property::ReceiveMaximum, 0, "1 to 65,535"),
            0x82,
        ),
        bad(
            None,
            "10 13 0004 'MQTT' 05 02 003c 05 2700000000 0001 'c'",
            value(Property::MaximumPacketSize, 0, "1 to 4,294,967,295"),
            0x82,
        ),
        bad(
            None,
            "10 10 0004 'MQTT' 05 02 003c 02 1902 0001 'c'",
            value(Property::RequestResponseInformation, 2, "0 or 1"),
            0x82,
        ),
        bad(
            None,
            "10 10 0004 'MQTT' 05 02 003c 02 1702 0001 'c'",
            value(Property::RequestProblemInformation, 2, "0 or 1"),
            0x82,
        ),
        bad(V5, "20 05 00 00 02 2402", value(Property::MaximumQoS, 2, "0 or 1"), 0x82),
        bad(
            V5,
            "30 06 0001 'a' 02 0102",
            value(Property::PayloadFormatIndicator, 2, "0 or 1"),
            0x82,
        ),
        bad(
            V5,
            "82 09 0001 02 0b00 0001 'a' 00",
            value(Property::SubscriptionIdentifier, 0, "1 to 268,435,455"),
            0x82,
        ),
        bad(
            V5,
            "30 06 0001 'a' 02 0b00",
            value(Property::SubscriptionIdentifier, 0, "1 to 268,435,455"),
            0x82,
        ),
        // Values that reach beyond the properties.
        bad(V5, "30 09 0001 'a' 03 020000 0000", truncated("Message Expiry Interval", 4, 2), 0x81),
        bad(V5, "30 09 0001 'a' 05 26 0001 'k' 00", truncated("User Property value", 2, 1), 0x81),
        bad(V5, "30 05 0001 'a' 01 0b", truncated("Subscription Identifier", 1, 0), 0x81),
        bad(V5, "30 08 0001 'a' 04 80808080", Malformed::VariableByteIntegerTooLong, 0x81),
        // [MQTT-1.5.7-1]
        bad(V5, "30 0a 0001 'a' 06 26 0001 ff 0000", not_utf8("User Property name"), 0x81),
        bad(V5, "30 0a 0001 'a' 06 26 0000 0001 ff", not_utf8("User Property value"), 0x81),
    ]
}

fn others() -> Vec<Bad> {
    let mut all = vec![
        bad(V311, "e0 01 00", Malformed::TrailingBytes { bytes: 1 }, 0x81),
        bad(V5, "e0 03 00 00 00", Malformed::TrailingBytes { bytes: 1 }, 0x81),
        // [MQTT-3.14.2-1], [MQTT-3.15.2-1]
        bad(V5, "e0 01 01", Malformed::ReasonCode { found: 1 }, 0x82),
        bad(V5, "f0 02 04 00", Malformed::ReasonCode { found: 4 }, 0x82),
        // 3.15.2.2.2
        bad(V5, "f0 02 18 00", Malformed::AuthenticationMethodMissing, 0x82),
        bad(V5, "f0 01 18", truncated("property length", 1, 0), 0x81),
    ];
    for version in [V31, V311, V5] {
        all.push(bad(version, "c0 01 00", Malformed::TrailingBytes { bytes: 1 }, 0x81));
        all.push(bad(version, "d0 01 00", Malformed::TrailingBytes { bytes: 1 }, 0x81));
    }
    all
}

fn truncated(field: &'static str, expected: usize, found: usize) -> Malformed {
    Malformed::Truncated { field, expected, found }
}

fn not_utf8(field: &'static str) -> Malformed {
    Malformed::Text { field, error: InvalidText::NotUtf8 { valid_up_to: 0 } }
}

fn not_shortest(value: u32, bytes: usize) -> Malformed {
    Malformed::VariableByteIntegerNotShortest { value, bytes }
}

fn wildcard(wildcard: char, at: usize) -> InvalidTopic {
    InvalidTopic::Wildcard { wildcard, at }
}

fn topic_name(error: InvalidTopic) -> Malformed {
    Malformed::TopicName { field: "topic name", error }
}
