//! evokly's MQTT source: one topic filter, one Kafka topic, payloads as they are.

use midge_codec::TopicFilter;
use midge_rules::SourceRule;
use midge_rules::converter::{KeyPaths, Side, SourceClass, SourceConverter};
use midge_rules::kcql::{Column, Selection, Span, Taken};
use midge_rules::options::Default::{Null, Text};
use midge_rules::options::Importance::{High, Low, Medium};
use midge_rules::options::{Accepted, Kind, OptionDef};
use midge_rules::pipeline::SourceParts;
use midge_rules::projection::{Missing, Projection};

use super::broker::{KEEP_ALIVE_MAX, Names, Unit};
use super::given::Given;
use super::source::{self, SourceOptions, Statement};
use super::{Class, Direction, converters};
use crate::connect::plan::{SourceRulePlan, Task};

pub(super) static CLASS: Class = Class {
    names: &["com.evokly.kafka.connect.mqtt.MqttSourceConnector"],
    direction: Direction::Source,
    options: OPTIONS,
    own: source::OWN,
    idle: &[],
    connection: &[
        "mqtt.client_id",
        "mqtt.clean_session",
        "mqtt.connection_timeout",
        "mqtt.keep_alive_interval",
        "mqtt.ssl.ca_cert",
        "mqtt.ssl.cert",
        "mqtt.ssl.key",
    ],
    page: "evokly-mqtt-source",
    tasks,
};

static NAMES: Names = Names {
    hosts: "mqtt.server_uris",
    port: None,
    user: "mqtt.user",
    password: "mqtt.password",
    client_id: Some("mqtt.client_id"),
    clean: "mqtt.clean_session",
    timeout: "mqtt.connection_timeout",
    keep_alive: "mqtt.keep_alive_interval",
    unit: Unit::Seconds,
    tls: ["mqtt.ssl.ca_cert", "mqtt.ssl.cert", "mqtt.ssl.key"],
    store_passwords: &[],
};

/// A line that says nothing is a mistake: a user who is none would be the operator.
const NAMED: &[Accepted] = &[Accepted::NonEmptyString];

static OPTIONS: &[OptionDef] = &[
    OptionDef::new(
        "kafka.topic",
        Kind::String,
        Text("mqtt"),
        High,
        "The Kafka topic, or a template of one.",
    )
    .accepting(NAMED),
    OptionDef::new("mqtt.topic", Kind::String, Text("#"), High, "The topic filter.")
        .accepting(NAMED),
    OptionDef::new(
        "mqtt.qos",
        Kind::Int,
        Text("1"),
        Medium,
        "The QoS subscribed with. Inside the broker messages keep their own: 0 lets publishers go \
         on at once (`midge.ack=none`), 1 and 2 keep their acknowledgement back as `midge.ack` \
         says.",
    )
    .accepting(source::QOS),
    OptionDef::new(
        "mqtt.server_uris",
        Kind::List,
        Text("tcp://localhost:1883"),
        High,
        "The broker's addresses, tcp://HOST:PORT or ssl://HOST:PORT. This broker: a loopback \
         address with the port of a listener, or a name of `bridge.local_hosts`.",
    ),
    OptionDef::new(
        "mqtt.user",
        Kind::String,
        Null,
        Medium,
        "The user name. Inside the broker the connector acts as this user: the password is checked \
         and the ACL applies.",
    )
    .accepting(NAMED),
    OptionDef::new("mqtt.password", Kind::Password, Null, Medium, "That user's password."),
    OptionDef::new(
        "mqtt.client_id",
        Kind::String,
        Null,
        Medium,
        "The client id; without it one is made of the connector's name.",
    )
    .accepting(NAMED),
    OptionDef::new(
        "mqtt.clean_session",
        Kind::Boolean,
        Text("true"),
        Low,
        "Whether the session ends with the connection.",
    ),
    OptionDef::new(
        "mqtt.connection_timeout",
        Kind::Int,
        Text("30"),
        Low,
        "How long connecting may take, in seconds.",
    )
    .accepting(&[Accepted::AtLeast(1)]),
    OptionDef::new(
        "mqtt.keep_alive_interval",
        Kind::Int,
        Text("60"),
        Low,
        "How long the connection may be silent, in seconds; 0 is for ever.",
    )
    .accepting(&[Accepted::Between(0, KEEP_ALIVE_MAX)]),
    OptionDef::new(
        "mqtt.ssl.ca_cert",
        Kind::String,
        Null,
        Low,
        "PEM file with the authorities that vouch for the broker; without it the system's.",
    )
    .accepting(NAMED),
    OptionDef::new("mqtt.ssl.cert", Kind::String, Null, Low, "PEM file with our certificate.")
        .accepting(NAMED),
    OptionDef::new("mqtt.ssl.key", Kind::String, Null, Low, "PEM file with its key.")
        .accepting(NAMED),
];

fn tasks(given: &mut Given<'_>) -> Option<Vec<Task>> {
    let options =
        SourceOptions { names: &NAMES, qos: "mqtt.qos", skip_unconvertible: false, one_task: true };
    let filter = given.text("mqtt.topic").unwrap_or_default();
    let rule = bytes_rule(given, "mqtt.topic", &[filter]);
    let statements = rule.map(|rule| vec![Statement { rule, text: None }]);
    source::tasks(given, &options, None, statements)
}

/// The one rule of a class without KCQL: payloads as they are, keys that are topics.
pub(super) fn bytes_rule(
    given: &mut Given<'_>,
    option: &str,
    filters: &[String],
) -> Option<SourceRulePlan> {
    let mut parsed = Vec::new();
    for filter in filters {
        match TopicFilter::try_from(filter.as_str()) {
            // Told as such already.
            Err(_) if filter.is_empty() => {}
            Ok(filter) => parsed.push(filter),
            Err(error) => given.wrong(option, filter, error),
        }
    }
    let kafka_topic = given.text("kafka.topic").unwrap_or_default();
    let rule = source::rule(given, "kafka.topic", &kafka_topic);
    let parts = bytes_parts(given, rule)?;
    (parsed.len() == filters.len()).then_some(SourceRulePlan { filters: parsed, parts })
}

/// What leaves payloads as they are, but for converters and transforms that somebody names.
pub(super) fn bytes_parts(given: &mut Given<'_>, rule: Option<SourceRule>) -> Option<SourceParts> {
    let shared = converters::shared(given, converters::STRING);
    let value = converters::converter(given, Side::Value, converters::BYTES);
    let (rule, shared, value) = (rule?, shared?, value?);
    let all = Column { taken: Taken::AllOfValue(Vec::new()), span: Span::default() };
    let everything = Selection { columns: vec![all], ignored: Vec::new() };
    let source = SourceConverter::new(SourceClass::Bytes, None).ok()?;
    Some(SourceParts {
        rule,
        regex: None,
        source,
        keys: KeyPaths::default(),
        projection: Projection::new(&everything, Missing::LeftOut),
        chain: shared.chain,
        key: shared.key,
        value,
        header: shared.header,
    })
}
