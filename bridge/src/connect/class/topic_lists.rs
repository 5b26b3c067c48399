//! Lists of MQTT topics and filters with the Kafka topic of each, as aiproshar's connector has them
//! in its environment; its options are those variables.
//!
//! Invariant: a message goes to one Kafka topic at most, to that of the first entry that matches it:
//! of `TOPIC_LIST` before any of `WILDCARD_TOPIC_LIST`.

use std::collections::BTreeMap;
use std::sync::Arc;

use midge_codec::{TopicFilter, TopicName};
use midge_rules::options::Default::{Null, Text};
use midge_rules::options::Importance::{High, Low, Medium};
use midge_rules::options::{Accepted, Kind, OptionDef};
use midge_rules::{FirstMatch, check_kafka_topic};

use super::broker::{KEEP_ALIVE_MAX, Names, Unit};
use super::evokly_source::bytes_parts;
use super::given::Given;
use super::source::{self, SourceOptions, Statement};
use super::{Class, Direction, Idle};
use crate::connect::plan::{SourceRulePlan, Task};

pub(super) static CLASS: Class = Class {
    names: &[midge_config::TOPIC_LISTS_CLASS],
    direction: Direction::Source,
    options: OPTIONS,
    own: source::OWN,
    idle: &[Idle {
        options: &["INVOKE_LATENCY_SEC", "INVOKE_MAX_GOROUTINE", "INVOKE_MIN_GOROUTINE"],
        why: "what waits for Kafka goes out as soon as Kafka takes it, in its order, by one producer",
    }],
    connection: &[
        "MQTT_CLIENT_ID",
        "MQTT_CLEAN_SESSION",
        "MQTT_CONNECT_TIMEOUT_SEC",
        "MQTT_KEEP_ALIVE_SEC",
        "MQTT_SSL_CA_CERT",
        "MQTT_SSL_CERT",
        "MQTT_SSL_KEY",
    ],
    page: "topic-lists-source",
    tasks,
};

static NAMES: Names = Names {
    hosts: "MQTT_BROKER_URL",
    port: Some("MQTT_BROKER_PORT"),
    user: "MQTT_USER_NAME",
    password: "MQTT_USER_PASSWORD",
    client_id: Some("MQTT_CLIENT_ID"),
    clean: "MQTT_CLEAN_SESSION",
    timeout: "MQTT_CONNECT_TIMEOUT_SEC",
    keep_alive: "MQTT_KEEP_ALIVE_SEC",
    unit: Unit::Seconds,
    tls: ["MQTT_SSL_CA_CERT", "MQTT_SSL_CERT", "MQTT_SSL_KEY"],
    store_passwords: &[],
};

const TOPIC_LIST: &str = "TOPIC_LIST";
const WILDCARD_TOPIC_LIST: &str = "WILDCARD_TOPIC_LIST";

/// A list that is longer was made by a mistake; each Kafka topic has a log of its own.
const ENTRIES_MAX: usize = 1_000;

const INVOKE: &str = "Of the original's database, from which it published again what had failed.";

static OPTIONS: &[OptionDef] = &[
    OptionDef::new(
        TOPIC_LIST,
        Kind::String,
        Null,
        High,
        "MQTT topics without wildcards and the Kafka topic of each: \
         `MQTT_TOPIC:KAFKA_TOPIC,…`. The last colon of an entry divides it.",
    ),
    OptionDef::new(
        WILDCARD_TOPIC_LIST,
        Kind::String,
        Null,
        High,
        "Topic filters and the Kafka topic of each: `FILTER:KAFKA_TOPIC,…`. A message that several \
         filters match goes to the first listed alone, with a warning; one whose topic `TOPIC_LIST` \
         names goes there.",
    ),
    OptionDef::new(
        "MQTT_BROKER_URL",
        Kind::String,
        Text("127.0.0.1"),
        High,
        "The broker's host, by name or address; `ssl://` before it connects with TLS. This broker: \
         a loopback address with the port of a listener, or a name of `bridge.local_hosts`.",
    ),
    OptionDef::new("MQTT_BROKER_PORT", Kind::Int, Text("1883"), High, "The broker's port.")
        .accepting(&[Accepted::Between(1, 65_535)]),
    OptionDef::new(
        "MQTT_USER_NAME",
        Kind::String,
        Null,
        Medium,
        "The user name. Inside the broker the connector acts as this user: the ACL applies, and \
         the password is checked where there is a password file.",
    ),
    OptionDef::new("MQTT_USER_PASSWORD", Kind::Password, Null, Medium, "That user's password."),
    OptionDef::new(
        "MQTT_CLIENT_ID",
        Kind::String,
        Null,
        Medium,
        "The client id; without it one is made of the connector's name.",
    ),
    OptionDef::new("INVOKE_LATENCY_SEC", Kind::Int, Null, Low, INVOKE),
    OptionDef::new("INVOKE_MAX_GOROUTINE", Kind::Int, Null, Low, INVOKE),
    OptionDef::new("INVOKE_MIN_GOROUTINE", Kind::Int, Null, Low, INVOKE),
    OptionDef::new(
        "MQTT_QOS",
        Kind::Int,
        Text("1"),
        Low,
        "Ours: the QoS subscribed with. Inside the broker messages keep their own: 0 lets \
         publishers go on at once (`midge.ack=none`), 1 and 2 keep their acknowledgement back as \
         `midge.ack` says.",
    )
    .accepting(source::QOS),
    OptionDef::new(
        "MQTT_CLEAN_SESSION",
        Kind::Boolean,
        Text("false"),
        Low,
        "Ours: whether the session ends with the connection. One that does not has what was \
         published meanwhile.",
    ),
    OptionDef::new(
        "MQTT_CONNECT_TIMEOUT_SEC",
        Kind::Int,
        Text("30"),
        Low,
        "Ours: how long connecting may take, in seconds.",
    )
    .accepting(&[Accepted::AtLeast(1)]),
    OptionDef::new(
        "MQTT_KEEP_ALIVE_SEC",
        Kind::Int,
        Text("30"),
        Low,
        "Ours: how long the connection may be silent, in seconds; 0 is for ever.",
    )
    .accepting(&[Accepted::Between(0, KEEP_ALIVE_MAX)]),
    OptionDef::new(
        "MQTT_SSL_CA_CERT",
        Kind::String,
        Null,
        Low,
        "Ours: PEM file with the authorities that vouch for the broker; without it the system's.",
    ),
    OptionDef::new("MQTT_SSL_CERT", Kind::String, Null, Low, "Ours: PEM file of our certificate."),
    OptionDef::new("MQTT_SSL_KEY", Kind::String, Null, Low, "Ours: PEM file with its key."),
];

fn tasks(given: &mut Given<'_>) -> Option<Vec<Task>> {
    let options =
        SourceOptions { names: &NAMES, qos: "MQTT_QOS", skip_unconvertible: false, one_task: true };
    let statements = statements(given);
    source::tasks(given, &options, None, statements)
}

/// One entry of a list.
struct Entry<T> {
    mqtt: T,
    kafka_topic: String,
}

/// One rule for each Kafka topic; together they hold the order of the lists.
fn statements(given: &mut Given<'_>) -> Option<Vec<Statement>> {
    let named = entries(given, TOPIC_LIST, |text| match TopicName::try_from(text) {
        Err(_) if text.contains(['+', '#']) => Err(format!(
            "expected a topic without wildcards: a filter stands in {WILDCARD_TOPIC_LIST}"
        )),
        parsed => parsed.map_err(|error| error.to_string()),
    });
    let filters = entries(given, WILDCARD_TOPIC_LIST, |text| {
        TopicFilter::try_from(text).map_err(|error| error.to_string())
    });
    let (named, filters) = (named?, filters?);
    if named.is_empty() && filters.is_empty() {
        let why =
            format!("found no entry there and in {WILDCARD_TOPIC_LIST}, expected one or more");
        given.error(TOPIC_LIST, format!("{TOPIC_LIST}: {why}"));
        return None;
    }
    let mut targets: Vec<(String, Vec<TopicFilter>)> = Vec::new();
    let mut numbers: BTreeMap<String, usize> = BTreeMap::new();
    let mut target = |kafka_topic: &str, filter: TopicFilter| {
        let next = numbers.len();
        let number = *numbers.entry(kafka_topic.to_owned()).or_insert(next);
        if number == next {
            targets.push((kafka_topic.to_owned(), Vec::new()));
        }
        targets[number].1.push(filter);
        number
    };
    let mut listed = (Vec::new(), Vec::new());
    for Entry { mqtt, kafka_topic } in named {
        // A topic is a filter of itself.
        let filter = TopicFilter::try_from(mqtt.as_str()).ok()?;
        listed.0.push((mqtt, target(&kafka_topic, filter)));
    }
    for Entry { mqtt, kafka_topic } in filters {
        // Whoever shares a subscription, messages have topics without a share.
        let plain = TopicFilter::try_from(mqtt.filter()).ok()?;
        listed.1.push((plain, target(&kafka_topic, mqtt)));
    }
    let list = Arc::new(FirstMatch::new(listed.0, listed.1));
    let mut statements = Vec::new();
    for (number, (kafka_topic, filters)) in targets.into_iter().enumerate() {
        let rule = source::rule(given, TOPIC_LIST, &kafka_topic);
        let rule = rule.map(|rule| rule.among(Arc::clone(&list), number));
        let parts = bytes_parts(given, rule)?;
        statements.push(Statement { rule: SourceRulePlan { filters, parts }, text: None });
    }
    Some(statements)
}

/// The entries of a list, each MQTT topic or filter once; `None` when a mistake has been told.
fn entries<T>(
    given: &mut Given<'_>,
    option: &str,
    parse: impl Fn(&str) -> Result<T, String>,
) -> Option<Vec<Entry<T>>> {
    let text = given.text(option).unwrap_or_default();
    let count = text.split(',').count();
    if count > ENTRIES_MAX {
        let why = format!("found {count} entries, expected at most {ENTRIES_MAX}");
        given.error(option, format!("{option}: {why}"));
        return None;
    }
    let before = given.errors.len();
    let mut entries: BTreeMap<String, String> = BTreeMap::new();
    let mut parsed = Vec::new();
    for (place, entry) in text.split(',').map(str::trim).enumerate() {
        if entry.is_empty() {
            if !text.is_empty() {
                given.notice(format!("{option}: entry {} is empty, and left out", place + 1));
            }
            continue;
        }
        let Some((mqtt, kafka_topic)) = entry.rsplit_once(':') else {
            given.wrong(option, entry, "expected MQTT_TOPIC:KAFKA_TOPIC");
            continue;
        };
        if let Err(error) = check_kafka_topic(kafka_topic) {
            given.wrong(option, entry, error);
            continue;
        }
        match parse(mqtt) {
            Err(error) => given.wrong(option, entry, error),
            Ok(_) if entries.contains_key(mqtt) => {
                let first = &entries[mqtt];
                let message =
                    format!("{option}: {mqtt} is listed again, the first counts: {mqtt}:{first}");
                given.notice(message);
            }
            Ok(mqtt_parsed) => {
                entries.insert(mqtt.to_owned(), kafka_topic.to_owned());
                let kafka_topic = kafka_topic.to_owned();
                parsed.push(Entry { mqtt: mqtt_parsed, kafka_topic });
            }
        }
    }
    (given.errors.len() == before).then_some(parsed)
}
