//! `producer.override.*`, `consumer.override.*` and `admin.override.*`: properties of a connector's
//! own Kafka clients, laid over the worker's `producer.*`, `consumer.*` and `admin.*`.
//!
//! Invariant: each becomes a property of librdkafka that takes its value, or is refused, or told as
//! without effect.

use std::collections::BTreeMap;

use midge_config::{
    ClientProperties, JavaProperty, is_secret_client_property, java_property,
    sort_client_properties,
};

use super::Direction;
use super::given::Given;
use crate::connect::plan::DeadLetterClients;
use crate::kafka::{PropertyFault, check_property};

/// Those of a consumer that a sink reads itself.
const OF_READING: &[&str] = &["group.id", "auto.offset.reset", "max.poll.records"];

/// A property of a sink's consumer that is not librdkafka's business: the connector's, or else the
/// worker's.
pub(super) fn consumer(given: &Given<'_>, name: &str) -> Option<String> {
    let own = given.properties.get(&format!("consumer.override.{name}"));
    let of_worker = || given.worker.properties.get(&format!("consumer.{name}"));
    let found = own.or_else(of_worker)?.trim();
    (!found.is_empty()).then(|| found.to_owned())
}

/// Properties for the connector's own client, and for those of its dead letters.
pub(super) fn overrides(given: &mut Given<'_>) -> (ClientProperties, DeadLetterClients) {
    let topic = given.text("errors.deadletterqueue.topic.name").is_some();
    let factor = given.given("errors.deadletterqueue.topic.replication.factor").is_some();
    let made = topic && factor;
    // Dead letters of a source go the way of its records.
    let (own, others) = match given.class.direction {
        Direction::Source => ("producer", [("consumer", false), ("admin", made)]),
        Direction::Sink => ("consumer", [("producer", topic), ("admin", made)]),
    };
    let overrides = of_client(given, own);
    let [producer, admin] = others.map(|(client, is_obeyed)| {
        if is_obeyed {
            return of_client(given, client);
        }
        let (properties, prefix) = (given.properties, format!("{client}.override."));
        for name in properties.keys().filter(|key| key.starts_with(&prefix)) {
            let direction = given.class.direction.name();
            let why = format!("the client of a {direction} obeys {own}.override.*");
            given.notice(format!("ignored: {name}: {why}"));
        }
        ClientProperties::default()
    });
    (overrides, DeadLetterClients { producer, admin })
}

/// Properties of a client: the worker's, and the connector's over them.
fn of_client(given: &mut Given<'_>, client: &str) -> ClientProperties {
    let (obeyed, of_worker) = (format!("{client}.override."), format!("{client}."));
    let (properties, worker) = (given.properties, given.worker);
    let mut sorted = BTreeMap::new();
    // Under which name a property came.
    let mut from: BTreeMap<String, String> = BTreeMap::new();
    let of_worker = worker.properties.iter().map(|pair| (pair, &of_worker));
    let own = properties.iter().map(|pair| (pair, &obeyed));
    for ((key, value), prefix) in of_worker.chain(own) {
        let Some(name) = key.strip_prefix(prefix.as_str()) else { continue };
        if client == "consumer" && OF_READING.contains(&name) {
            continue;
        }
        match java_property(key, name, value) {
            JavaProperty::Is(pairs) => {
                for (name, value) in pairs {
                    if !is_taken(given, key, &name, &value, *prefix == obeyed) {
                        continue;
                    }
                    from.insert(name.clone(), key.clone());
                    sorted.insert(name, value);
                }
            }
            // Of the worker's that has been told once.
            JavaProperty::Idle(why) if *prefix == obeyed => {
                given.notice(format!("ignored: {key}: {why}"));
            }
            JavaProperty::Idle(_) => {}
            JavaProperty::Refused(message) => given.error(key, message),
        }
    }
    let (properties, refused) = sort_client_properties(sorted);
    for (name, reason) in refused {
        let key = from.get(&name).cloned().unwrap_or(name);
        given.error(&key, format!("{key}: is refused: {reason}"));
    }
    properties
}

/// Whether librdkafka takes a property; why not, is told where it is the connector's own. What is
/// wrong with the worker's has been told when its file was read.
fn is_taken(given: &mut Given<'_>, key: &str, name: &str, value: &str, is_own: bool) -> bool {
    match check_property(name, value, is_secret_client_property(name)) {
        Ok(()) => true,
        Err(PropertyFault::Unknown) if !protects(name) => {
            if is_own {
                given.notice(format!("ignored: {key}: {}", PropertyFault::Unknown));
            }
            false
        }
        // What would protect the way to Kafka is not passed over.
        Err(fault) => {
            if is_own {
                given.error(key, format!("{key}: {fault}"));
            }
            true
        }
    }
}

fn protects(name: &str) -> bool {
    ["sasl.", "ssl.", "security."].iter().any(|prefix| name.starts_with(prefix))
}
