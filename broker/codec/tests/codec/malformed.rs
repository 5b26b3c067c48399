//! Bytes that are no packet, at least one for every form the standards forbid.

// By path, so that the seeds of the fuzz targets can be made of this file too.
#[path = "malformed/connect.rs"]
mod connect;
#[path = "malformed/properties.rs"]
mod properties;

use midge_codec::ProtocolVersion::{V5, V31, V311};
use midge_codec::{InvalidText, InvalidTopic, Malformed, ProtocolVersion, ReasonCode};

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
    bad.extend(connect::connect());
    bad.extend(connack());
    bad.extend(publish());
    bad.extend(acks());
    bad.extend(subscribe());
    bad.extend(properties::properties());
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
