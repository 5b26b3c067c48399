//! `producer.override.*` and `consumer.override.*`: properties of a connector's own Kafka client.
//!
//! They are written for Kafka's Java clients, and the client here is librdkafka: most names are the
//! same, some have another, some have no meaning.
//!
//! Invariant: each becomes a property of librdkafka, or is refused, or told as without effect.

use std::collections::BTreeMap;

use midge_config::{ClientProperties, sort_client_properties};

use super::Direction;
use super::given::Given;

/// What a property of a Java client is here.
enum Here {
    /// The same under this name.
    Named(&'static str),
    /// Bytes, where librdkafka counts KiB.
    Kibibytes(&'static str),
    /// Nothing, because.
    Idle(&'static str),
    /// Not to be had, because.
    Refused(&'static str),
}

const CODEC: Here = Here::Idle("records are bytes when they come to the client");
const STORE: Here = Here::Refused(
    "expected PEM files, in ssl.ca.location, ssl.certificate.location and ssl.key.location",
);

/// Names that are other ones here; what is not listed keeps its own.
fn here(name: &str) -> Option<Here> {
    use Here::{Idle, Kibibytes, Named, Refused};
    Some(match name {
        "max.request.size" => Named("message.max.bytes"),
        "buffer.memory" => Kibibytes("queue.buffering.max.kbytes"),
        "receive.buffer.bytes" => Named("socket.receive.buffer.bytes"),
        "send.buffer.bytes" => Named("socket.send.buffer.bytes"),
        "fetch.max.wait.ms" => Named("fetch.wait.max.ms"),
        "metadata.max.age.ms" => Named("metadata.max.age.ms"),
        "ssl.endpoint.identification.algorithm" => Named("ssl.endpoint.identification.algorithm"),
        "max.block.ms" => Idle("the broker never waits for the client"),
        "partitioner.class" => Refused("keys choose partitions as Java's default does"),
        "key.serializer" | "value.serializer" | "key.deserializer" | "value.deserializer" => CODEC,
        "interceptor.classes" | "metric.reporters" => Refused("it names classes of Java"),
        "ssl.truststore.location"
        | "ssl.truststore.password"
        | "ssl.truststore.type"
        | "ssl.truststore.certificates"
        | "ssl.keystore.type"
        | "ssl.keystore.key"
        | "ssl.keystore.certificate.chain" => STORE,
        "sasl.login.callback.handler.class" | "sasl.client.callback.handler.class" => {
            Refused("it names a class of Java")
        }
        _ => return None,
    })
}

/// Those of a consumer that a sink reads itself.
const OF_READING: &[&str] = &["group.id", "auto.offset.reset", "max.poll.records"];

/// A property of a sink's consumer that is not librdkafka's business.
pub(super) fn consumer(given: &Given<'_>, name: &str) -> Option<String> {
    let found = given.properties.get(&format!("consumer.override.{name}"))?.trim();
    (!found.is_empty()).then(|| found.to_owned())
}

/// Properties for the connector's own client.
pub(super) fn overrides(given: &mut Given<'_>) -> ClientProperties {
    let (obeyed, others) = match given.class.direction {
        Direction::Source => ("producer.override.", ["consumer.override.", "admin.override."]),
        Direction::Sink => ("consumer.override.", ["producer.override.", "admin.override."]),
    };
    let properties = given.properties;
    for name in properties.keys().filter(|key| others.iter().any(|other| key.starts_with(other))) {
        let direction = given.class.direction.name();
        given.notice(format!("ignored: {name}: the client of a {direction} obeys {obeyed}*"));
    }
    let mut sorted = BTreeMap::new();
    // Under which of the connector's names a property came.
    let mut from: BTreeMap<String, String> = BTreeMap::new();
    for (key, value) in properties {
        let Some(name) = key.strip_prefix(obeyed) else { continue };
        if given.class.direction == Direction::Sink && OF_READING.contains(&name) {
            continue;
        }
        let mut put = |name: &str, value: String| {
            from.insert(name.to_owned(), key.clone());
            sorted.insert(name.to_owned(), value);
        };
        match (name, here(name)) {
            ("sasl.jaas.config", _) => match log_in(value) {
                Some((user, password)) => {
                    put("sasl.username", user);
                    put("sasl.password", password);
                }
                None => given.error(
                    key,
                    format!("{key}: found no username=\"…\" and password=\"…\", expected both"),
                ),
            },
            ("partition.assignment.strategy", _) => match strategies(value) {
                Some(names) => put(name, names),
                None => given.error(
                    key,
                    format!(
                        "{key}: found {value}, expected RangeAssignor, RoundRobinAssignor or \
                         CooperativeStickyAssignor"
                    ),
                ),
            },
            (_, None) => put(name, value.clone()),
            (_, Some(Here::Named(other))) => put(other, value.clone()),
            (_, Some(Here::Kibibytes(other))) => match value.trim().parse::<u64>() {
                Ok(bytes) => put(other, (bytes / 1024).max(1).to_string()),
                Err(_) => {
                    given.error(key, format!("{key}: found {value}, expected a number of bytes"));
                }
            },
            (_, Some(Here::Idle(why))) => given.notice(format!("ignored: {key}: {why}")),
            (_, Some(Here::Refused(why))) => given.error(key, format!("{key}: is refused: {why}")),
        }
    }
    let (properties, refused) = sort_client_properties(sorted);
    for (name, reason) in refused {
        let key = from.get(&name).cloned().unwrap_or(name);
        given.error(&key, format!("{key}: is refused: {reason}"));
    }
    properties
}

/// The name and the password of a log-in module's configuration.
fn log_in(jaas: &str) -> Option<(String, String)> {
    let value = |name: &str| {
        let at = jaas.find(&format!("{name}="))? + name.len() + 1;
        let quote = jaas[at..].chars().next().filter(|quote| matches!(quote, '"' | '\''))?;
        let inner = &jaas[at + 1..];
        Some(inner[..inner.find(quote)?].to_owned())
    };
    Some((value("username")?, value("password")?))
}

/// Classes of Java that share out partitions, as librdkafka calls them.
fn strategies(classes: &str) -> Option<String> {
    let names: Option<Vec<&str>> = classes
        .split(',')
        .map(|class| match class.trim().rsplit('.').next()? {
            "RangeAssignor" | "range" => Some("range"),
            "RoundRobinAssignor" | "roundrobin" => Some("roundrobin"),
            "CooperativeStickyAssignor" | "cooperative-sticky" => Some("cooperative-sticky"),
            _ => None,
        })
        .collect();
    Some(names?.join(","))
}
