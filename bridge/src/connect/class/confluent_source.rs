//! Confluent's MQTT source: topic filters to one Kafka topic, payloads as they are.

use midge_rules::options::Default::{Required, Text};
use midge_rules::options::Importance::{High, Low};
use midge_rules::options::{Accepted, Kind, OptionDef};

use super::broker::{KEEP_ALIVE_MAX, Names, Unit};
use super::evokly_source::bytes_rule;
use super::given::Given;
use super::source::{self, SourceOptions, Statement};
use super::{Class, Direction};
use crate::connect::plan::Task;

pub(super) static CLASS: Class = Class {
    names: &["io.confluent.connect.mqtt.MqttSourceConnector"],
    direction: Direction::Source,
    options: OPTIONS,
    own: source::OWN,
    idle: &[],
    connection: CONNECTION,
    page: "confluent-mqtt-source",
    tasks,
};

pub(super) static NAMES: Names = Names {
    hosts: "mqtt.server.uri",
    port: None,
    user: "mqtt.username",
    password: "mqtt.password",
    client_id: None,
    clean: "mqtt.clean.session.enabled",
    timeout: "mqtt.connect.timeout.seconds",
    keep_alive: "mqtt.keepalive.interval.seconds",
    unit: Unit::Seconds,
    tls: ["mqtt.ssl.trust.store.path", "mqtt.ssl.cert.path", "mqtt.ssl.key.store.path"],
    store_passwords: &[
        "mqtt.ssl.trust.store.password",
        "mqtt.ssl.key.store.password",
        "mqtt.ssl.key.password",
    ],
};

/// What does nothing inside the broker.
pub(super) const CONNECTION: &[&str] = &[
    "mqtt.clean.session.enabled",
    "mqtt.connect.timeout.seconds",
    "mqtt.keepalive.interval.seconds",
    "mqtt.ssl.trust.store.path",
    "mqtt.ssl.cert.path",
    "mqtt.ssl.key.store.path",
    "mqtt.ssl.trust.store.password",
    "mqtt.ssl.key.store.password",
    "mqtt.ssl.key.password",
];

/// Of both Confluent connectors.
pub(super) const SERVER: OptionDef = OptionDef::new(
    "mqtt.server.uri",
    Kind::List,
    Required,
    High,
    "The broker's addresses, tcp://HOST:PORT or ssl://HOST:PORT. This broker: a loopback address \
     with the port of a listener, or a name of `bridge.local_hosts`.",
)
.accepting(&[Accepted::NonEmptyList]);

pub(super) const USERNAME: OptionDef = OptionDef::new(
    "mqtt.username",
    Kind::String,
    Text(""),
    High,
    "The user name. Inside the broker the connector acts as this user: the password is checked and \
     the ACL applies.",
);

pub(super) const PASSWORD: OptionDef =
    OptionDef::new("mqtt.password", Kind::Password, Text(""), High, "That user's password.");

pub(super) const CLEAN: OptionDef = OptionDef::new(
    "mqtt.clean.session.enabled",
    Kind::Boolean,
    Text("true"),
    Low,
    "Whether the session ends with the connection.",
);

pub(super) const TIMEOUT: OptionDef = OptionDef::new(
    "mqtt.connect.timeout.seconds",
    Kind::Int,
    Text("30"),
    Low,
    "How long connecting may take, in seconds.",
)
.accepting(&[Accepted::AtLeast(1)]);

pub(super) const KEEP_ALIVE: OptionDef = OptionDef::new(
    "mqtt.keepalive.interval.seconds",
    Kind::Int,
    Text("60"),
    Low,
    "How long the connection may be silent, in seconds.",
)
.accepting(&[Accepted::Between(1, KEEP_ALIVE_MAX)]);

pub(super) const TRUST_STORE: OptionDef = OptionDef::new(
    "mqtt.ssl.trust.store.path",
    Kind::String,
    Text(""),
    High,
    "PEM file with the authorities that vouch for the broker; without it the system's. A Java key \
     store is refused.",
);

pub(super) const CERTIFICATE: OptionDef = OptionDef::new(
    "mqtt.ssl.cert.path",
    Kind::String,
    Text(""),
    High,
    "PEM file with our certificate; a Java key store would have it beside the key.",
);

pub(super) const KEY_STORE: OptionDef = OptionDef::new(
    "mqtt.ssl.key.store.path",
    Kind::String,
    Text(""),
    High,
    "PEM file with the key of our certificate. A Java key store is refused.",
);

/// Passwords of Java's key stores.
pub(super) const STORE_PASSWORDS: [OptionDef; 3] = [
    store_password("mqtt.ssl.trust.store.password"),
    store_password("mqtt.ssl.key.store.password"),
    store_password("mqtt.ssl.key.password"),
];

const fn store_password(name: &'static str) -> OptionDef {
    OptionDef::new(
        name,
        Kind::Password,
        Text(""),
        High,
        "Refused: files are in PEM, without a password.",
    )
}

static OPTIONS: &[OptionDef] = &[
    SERVER,
    OptionDef::new(
        "mqtt.topics",
        Kind::List,
        Required,
        High,
        "The topic filters, separated by commas.",
    )
    .accepting(&[Accepted::NonEmptyList]),
    OptionDef::new(
        "mqtt.qos",
        Kind::Int,
        Text("0"),
        Low,
        "The QoS subscribed with. Inside the broker messages keep their own; 0, where it is said, \
         lets publishers go on at once (`midge.ack=none`).",
    )
    .accepting(source::QOS),
    OptionDef::new(
        "kafka.topic",
        Kind::String,
        Text("mqtt"),
        High,
        "The Kafka topic, or a template of one.",
    ),
    USERNAME,
    PASSWORD,
    CLEAN,
    TIMEOUT,
    KEEP_ALIVE,
    TRUST_STORE,
    CERTIFICATE,
    KEY_STORE,
    STORE_PASSWORDS[0],
    STORE_PASSWORDS[1],
    STORE_PASSWORDS[2],
];

fn tasks(given: &mut Given<'_>) -> Option<Vec<Task>> {
    let options = SourceOptions {
        names: &NAMES,
        qos: "mqtt.qos",
        skip_unconvertible: false,
        one_task: false,
    };
    let filters = given.list("mqtt.topics");
    let rule = bytes_rule(given, "mqtt.topics", &filters);
    let statements = rule.map(|rule| vec![Statement { rule, text: None }]);
    let tasks = source::tasks(given, &options, None, statements);
    if !given.is_here && given.given("mqtt.qos").is_none() {
        given
            .notice("mqtt.qos: nobody says one: 0, so that messages may be lost on their way here");
    }
    tasks
}
