//! The settings of the bridge: `[kafka]`, `[kafka.oauth]`, `[bridge]` and `[connectors.NAME]`.
//!
//! A topic is always called by its side, `mqtt_` or `kafka_`.

use super::{Setting, Take};
use crate::draft::{BridgeDraft, ConnectorDraft, KafkaDraft, OauthDraft};
use crate::resolved::{Ack, OffsetReset, SpoolFull, Tombstones};

pub(crate) static KAFKA: &[Setting<KafkaDraft>] = &[
    Setting {
        key: "bootstrap_servers",
        directive: None,
        default: "localhost:9092",
        meaning: "Kafka brokers to begin with, `host:port`.",
        take: Take::List(|kafka, servers| kafka.name("bootstrap.servers", servers.join(","))),
    },
    Setting {
        key: "client_id",
        directive: None,
        default: "midge",
        meaning: "The name Kafka's logs and quotas know this client by.",
        take: Take::Text(|kafka, id| kafka.name("client.id", id)),
    },
    Setting {
        key: "security_protocol",
        directive: None,
        default: "PLAINTEXT; SSL with an `ssl_` option, SASL_SSL with `sasl_mechanism`",
        meaning: "How connections are protected.",
        take: Take::Choice(&["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"], |kafka, word| {
            kafka.name("security.protocol", word.to_owned());
        }),
    },
    Setting {
        key: "sasl_mechanism",
        directive: None,
        default: "none",
        meaning: "How the bridge logs in.",
        take: Take::Choice(
            &["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"],
            |kafka, word| kafka.name("sasl.mechanism", word.to_owned()),
        ),
    },
    Setting {
        key: "sasl_username",
        directive: None,
        default: "none",
        meaning: "The user of PLAIN and SCRAM.",
        take: Take::Text(|kafka, name| kafka.name("sasl.username", name)),
    },
    Setting {
        key: "sasl_password",
        directive: None,
        default: "none",
        meaning: "The password of PLAIN and SCRAM.",
        take: Take::Secret(|kafka, secret| kafka.secret("sasl.password", secret)),
    },
    Setting {
        key: "ssl_ca",
        directive: None,
        default: "the system's authorities",
        meaning: "PEM file with the authorities Kafka's certificate is checked against.",
        take: Take::Text(|kafka, path| kafka.name("ssl.ca.location", path)),
    },
    Setting {
        key: "ssl_certificate",
        directive: None,
        default: "none",
        meaning: "PEM file with the bridge's own certificate.",
        take: Take::Text(|kafka, path| kafka.name("ssl.certificate.location", path)),
    },
    Setting {
        key: "ssl_key",
        directive: None,
        default: "none",
        meaning: "PEM file with the key of that certificate.",
        take: Take::Text(|kafka, path| kafka.name("ssl.key.location", path)),
    },
    Setting {
        key: "ssl_key_password",
        directive: None,
        default: "none",
        meaning: "The password of that key.",
        take: Take::Secret(|kafka, secret| kafka.secret("ssl.key.password", secret)),
    },
    Setting {
        key: "properties",
        directive: None,
        default: "none",
        meaning: "Any property of librdkafka by its own name; wins over the options above. Those \
                  that would break the promise that an acknowledgement means safe are refused.",
        take: Take::Properties(|kafka, properties| kafka.properties.extend(properties)),
    },
];

pub(crate) static OAUTH: &[Setting<OauthDraft>] = &[
    Setting {
        key: "client_id",
        directive: None,
        default: "required for OAUTHBEARER",
        meaning: "The client id shown to the token endpoint.",
        take: Take::Text(|oauth, id| oauth.client_id = Some(id)),
    },
    Setting {
        key: "client_secret",
        directive: None,
        default: "required for OAUTHBEARER",
        meaning: "Its secret.",
        take: Take::Secret(|oauth, secret| oauth.client_secret = Some(secret)),
    },
    Setting {
        key: "token_endpoint",
        directive: None,
        default: "required for OAUTHBEARER",
        meaning: "Where tokens come from, an `https://` or `http://` address.",
        take: Take::Text(|oauth, address| oauth.token_endpoint = Some(address)),
    },
    Setting {
        key: "scope",
        directive: None,
        default: "none",
        meaning: "The scope asked for.",
        take: Take::Text(|oauth, scope| oauth.scope = Some(scope)),
    },
    Setting {
        key: "ca",
        directive: None,
        default: "the system's authorities",
        meaning: "PEM file with the authorities the endpoint's certificate is checked against.",
        take: Take::Text(|oauth, path| oauth.ca = Some(path.into())),
    },
];

pub(crate) static BRIDGE: &[Setting<BridgeDraft>] = &[Setting {
    key: "local_hosts",
    directive: None,
    default: "[]",
    meaning: "Host names in connector files that mean this broker, beside loopback addresses and \
              the hosts of its listeners, each with its port.",
    take: Take::List(|bridge, hosts| bridge.local_hosts = hosts),
}];

pub(crate) static CONNECTOR: &[Setting<ConnectorDraft>] = &[
    Setting {
        key: "type",
        directive: None,
        default: "required",
        meaning: "`source` is MQTT to Kafka, `sink` is Kafka to MQTT.",
        take: Take::Choice(&["source", "sink"], |connector, word| {
            connector.sink = Some(word == "sink");
        }),
    },
    Setting {
        key: "mqtt_user",
        directive: None,
        default: "none: the operator, every topic is open to it",
        meaning: "The MQTT user the connector acts as: its password is checked and the ACL \
                  applies.",
        take: Take::Text(|connector, name| connector.mqtt_user = Some(name)),
    },
    Setting {
        key: "mqtt_password",
        directive: None,
        default: "none",
        meaning: "That user's password.",
        take: Take::Secret(|connector, secret| connector.mqtt_password = Some(secret)),
    },
    Setting {
        key: "properties",
        directive: None,
        default: "none",
        meaning: "Properties of librdkafka for this connector alone, laid over those of \
                  `[kafka]`.",
        take: Take::Properties(|connector, properties| connector.properties.extend(properties)),
    },
];

pub(crate) static SOURCE: &[Setting<ConnectorDraft>] = &[
    Setting {
        key: "mqtt_filters",
        directive: None,
        default: "required",
        meaning: "Topic filters of the messages to take; not `$share/…`, for a rule sees every message \
                  once as it is.",
        take: Take::List(|connector, filters| connector.mqtt_filters = filters),
    },
    Setting {
        key: "kafka_topic",
        directive: None,
        default: "required",
        meaning: "The Kafka topic, a literal or a template: `${topic}` (`/` becomes `_`), \
                  `${topic[1]}` (a level, from 1), `${clientid}`, `${username}`; `$$` is one `$`.",
        take: Take::Text(|connector, template| connector.kafka_topic = Some(template)),
    },
    Setting {
        key: "key",
        directive: None,
        default: "${topic}",
        meaning: "Template of the record's key, with the variables of `kafka_topic`; records with one \
                  key keep their order.",
        take: Take::Text(|connector, template| connector.key = Some(template)),
    },
    Setting {
        key: "headers",
        directive: None,
        default: "true",
        meaning: "Add headers: topic, client id, QoS, retain and MQTT 5 user properties. `midge.trail`, \
                  which guards against loops, is always there.",
        take: Take::Bool(|connector, on| connector.headers = on),
    },
    Setting {
        key: "ack",
        directive: None,
        default: "spool with persistence, kafka without",
        meaning: "What a publisher's acknowledgement waits for: `spool` until Kafka has the record \
                  or the disk has it, whichever is first (needs persistence), `kafka` until Kafka \
                  has the record, `none` for nothing, so that a record may be lost.",
        take: Take::Choice(&["spool", "kafka", "none"], |connector, word| {
            connector.ack = Some(match word {
                "spool" => Ack::Spool,
                "none" => Ack::None,
                _ => Ack::Kafka,
            });
        }),
    },
    Setting {
        key: "buffer_bytes",
        directive: None,
        default: "67108864",
        meaning: "Bytes of records that wait for Kafka before publishers are held back.",
        take: Take::Int(65_536..=i64::MAX, |connector, bytes| {
            connector.buffer_bytes = bytes as usize;
        }),
    },
    Setting {
        key: "buffer_messages",
        directive: None,
        default: "100000",
        meaning: "Records that wait for Kafka before publishers are held back.",
        take: Take::Int(1..=100_000_000, |connector, count| {
            connector.buffer_messages = count as usize;
        }),
    },
    Setting {
        key: "producer_byte_rate",
        directive: None,
        default: "0: no limit",
        meaning: "Bytes of records a second that are given to Kafka; what is more waits, as when \
                  Kafka is slow.",
        take: Take::Int(0..=i64::MAX, |connector, bytes| {
            connector.producer_byte_rate = (bytes > 0).then_some(bytes as u64);
        }),
    },
    Setting {
        key: "spool_max_bytes",
        directive: None,
        default: "1073741824",
        meaning: "Bytes of messages that wait on disk for Kafka.",
        take: Take::Int(1_048_576..=i64::MAX, |connector, bytes| {
            connector.spool.max_bytes = bytes as u64;
        }),
    },
    Setting {
        key: "spool_max_age",
        directive: None,
        default: "none: kept until Kafka has them",
        meaning: "Messages that have waited for longer are dropped and counted.",
        take: Take::Interval(|connector, age| connector.spool.max_age = Some(age)),
    },
    Setting {
        key: "spool_full",
        directive: None,
        default: "push_back",
        meaning: "What happens at `spool_max_bytes`: `push_back` holds publishers back until there \
                  is room, `drop_oldest` drops what has waited longest, `drop_newest` drops what \
                  comes. Drops are counted and logged.",
        take: Take::Choice(&["push_back", "drop_oldest", "drop_newest"], |connector, word| {
            connector.spool.full = match word {
                "drop_oldest" => SpoolFull::DropOldest,
                "drop_newest" => SpoolFull::DropNewest,
                _ => SpoolFull::PushBack,
            };
        }),
    },
    Setting {
        key: "spool_after",
        directive: None,
        default: "1s",
        meaning: "How long Kafka may leave a record unacknowledged before all that it has not \
                  acknowledged go to the disk, and what follows behind them.",
        take: Take::Interval(|connector, after| connector.spool.after = after),
    },
];

pub(crate) static SINK: &[Setting<ConnectorDraft>] = &[
    Setting {
        key: "kafka_topics",
        directive: None,
        default: "required",
        meaning: "Kafka topics to read; one that begins with `^` is a regular expression.",
        take: Take::List(|connector, topics| connector.kafka_topics = topics),
    },
    Setting {
        key: "group_id",
        directive: None,
        default: "midge-NAME",
        meaning: "The consumer group.",
        take: Take::Text(|connector, id| connector.group_id = Some(id)),
    },
    Setting {
        key: "mqtt_topic",
        directive: None,
        default: "${topic}",
        meaning: "The MQTT topic, a literal or a template: `${topic}` (the Kafka topic), `${key}`, \
                  `${header.NAME}`, `${partition}`; `$$` is one `$`.",
        take: Take::Text(|connector, template| connector.mqtt_topic = Some(template)),
    },
    Setting {
        key: "qos",
        directive: None,
        default: "1",
        meaning: "The QoS published with.",
        take: Take::Int(0..=2, |connector, qos| connector.qos = qos as u8),
    },
    Setting {
        key: "retain",
        directive: None,
        default: "false",
        meaning: "Publish as retained messages.",
        take: Take::Bool(|connector, on| connector.retain = on),
    },
    Setting {
        key: "tombstones",
        directive: None,
        default: "skip",
        meaning: "A record without a value: `skip` passes over it, `clear` publishes it empty and \
                  retained, which removes the topic's retained message.",
        take: Take::Choice(&["skip", "clear"], |connector, word| {
            let clear = word == "clear";
            connector.tombstones = if clear { Tombstones::Clear } else { Tombstones::Skip };
        }),
    },
    Setting {
        key: "offset_reset",
        directive: None,
        default: "earliest",
        meaning: "Where a group without offsets begins: at the oldest record or at the next one.",
        take: Take::Choice(&["earliest", "latest"], |connector, word| {
            let latest = word == "latest";
            connector.offset_reset =
                if latest { OffsetReset::Latest } else { OffsetReset::Earliest };
        }),
    },
    Setting {
        key: "max_inflight_messages",
        directive: None,
        default: "1000",
        meaning: "Records taken from Kafka and not routed yet.",
        take: Take::Int(1..=1_000_000, |connector, count| {
            connector.max_inflight_messages = count as usize;
        }),
    },
];
