//! Properties (2.2.2) of all packets.

use midge_codec::ProtocolVersion::V5;
use midge_codec::{Malformed, Property};

use super::{Bad, bad, not_shortest, not_utf8, truncated};

pub(crate) fn properties() -> Vec<Bad> {
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
