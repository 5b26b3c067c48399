//! CONNECT (3.1), always as the first packet.

use midge_codec::{InvalidTopic, Malformed, Text};

use super::{Bad, bad, not_utf8, truncated, wildcard};

pub(crate) fn connect() -> Vec<Bad> {
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
