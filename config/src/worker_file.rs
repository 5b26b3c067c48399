//! The property file of a Kafka Connect worker, into a draft.
//!
//! What it says about converters, Kafka's clients and configuration providers is kept for the
//! connectors, references and all; where it listens and where Kafka is yields to what our own files
//! say. What would protect the way to Kafka is never passed over. Where the whole process is the
//! worker, [`process`] reads it.

mod options;
pub(crate) mod process;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::Path;

use crate::draft::Draft;
use crate::error::Origin;
use crate::java_client::{JavaProperty, java_property};
use crate::kafka_properties;
use crate::properties::{self, Property};
use crate::providers::Providers;
use crate::resolve::group;
use crate::resolved::ClientProperty;
use crate::secret::Secret;
use crate::settings::quoted;

/// What connectors take as their defaults.
const DEFAULTS: &[&str] = &[
    "key.converter",
    "value.converter",
    "header.converter",
    "producer",
    "consumer",
    "config.providers",
];

/// What a sink reads of the properties of its consumer, itself.
pub(crate) const OF_READING: &[&str] = &["group.id", "auto.offset.reset", "max.poll.records"];

/// Whether a property is for the connectors.
fn is_default(key: &str) -> bool {
    DEFAULTS.iter().any(|name| {
        key.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    })
}

/// Reads the file; after `midge.toml` and the environment.
pub(crate) fn parse(draft: &mut Draft, file: &Path, bytes: &[u8]) {
    draft.files.push(file.to_owned());
    draft.connect.worker_properties.get_or_insert_with(|| file.to_owned());
    let (found, malformed) = properties::parse(bytes);
    let origin = |line| Origin::Line { file: file.to_owned(), line };
    for line in malformed {
        draft.error(&origin(line.line), "", line.message);
    }
    let providers = providers(draft, &found, &origin);
    draft.said.insert(group::said(""), Origin::File(file.to_owned()));
    let mut idle = Vec::new();
    let mut rest = Rest::default();
    let replaced: Vec<Property> =
        properties::last(&found).map(|said| replaced(draft, &providers, said, &origin)).collect();
    for (property, said) in replaced.iter().zip(properties::last(&found)) {
        let (key, value) = (property.key.as_str(), property.value.trim());
        match key {
            "bootstrap.servers" => bootstrap(draft, property, &origin),
            "listeners" => rest.listeners = Some(property),
            "rest.host.name" => rest.host = Some(property),
            "rest.port" => rest.port = Some(property),
            "topic.tracking.enable" | "topic.tracking.allow.reset" => {
                tracking(draft, property, &origin);
            }
            _ if group::is_of_group(key) => {
                draft.connect.properties.insert(key.to_owned(), value.to_owned());
                draft.said.insert(group::said(key), origin(property.line));
            }
            _ if protects(key) => {
                let message = "is not taken from a worker's file: set it in [kafka] instead";
                draft.error(&origin(property.line), key, message);
            }
            _ if is_default(key) => {
                // References are looked up when a connector starts, and again with each start.
                draft.connect.properties.insert(key.to_owned(), said.value.trim().to_owned());
                let origin = origin(property.line);
                draft.connect.origins.insert(key.to_owned(), origin.clone());
                draft.connect.client_properties.extend(of_tasks(property, &said.value, &origin));
            }
            _ => idle.push(key),
        }
    }
    if !idle.is_empty() {
        let message = format!("ignored: {}: there is no worker", idle.join(", "));
        draft.notice(&Origin::File(file.to_owned()), message);
    }
    // Our own files go first.
    if draft.connect.rest_listen.is_none()
        && let Some((address, line)) = rest.address(draft, &origin)
    {
        draft.connect.rest_listen = Some(address);
        draft.said.insert("connect.rest_listen".to_owned(), origin(line));
    }
}

/// What references of this file and of connectors' properties stand for.
fn providers(
    draft: &mut Draft,
    found: &[Property],
    origin: &impl Fn(usize) -> Origin,
) -> Providers {
    let all: BTreeMap<String, String> =
        properties::last(found).map(|one| (one.key.clone(), one.value.clone())).collect();
    let (providers, wrong) = Providers::new(&all);
    for (key, message) in wrong {
        // What is missing stands where the providers are named.
        let line = |wanted: &str| properties::last(found).find(|one| one.key == wanted);
        let at = line(&key).or_else(|| line("config.providers"));
        draft.error(&at.map_or(Origin::Whole, |one| origin(one.line)), &key, message);
    }
    providers
}

/// A property with its references replaced; one that stands for nothing is told.
fn replaced(
    draft: &mut Draft,
    providers: &Providers,
    said: &Property,
    origin: &impl Fn(usize) -> Origin,
) -> Property {
    let mut property = said.clone();
    if !said.key.starts_with("config.providers") {
        match providers.replace(&said.value) {
            Ok(replaced) => property.value = replaced.text,
            Err(message) => draft.error(&origin(said.line), &said.key, message),
        }
    }
    property
}

/// What a property says of the clients of tasks, if it is one of theirs and has a place there.
fn of_tasks(property: &Property, said: &str, origin: &Origin) -> Vec<ClientProperty> {
    let key = property.key.as_str();
    let name =
        ["producer.", "consumer.", "admin."].iter().find_map(|prefix| key.strip_prefix(prefix));
    // One says where the worker itself listens.
    let is_of_client = |name: &&str| !OF_READING.contains(name) && key != "admin.listeners";
    let Some(name) = name.filter(is_of_client) else { return Vec::new() };
    match java_property(key, name, &property.value) {
        JavaProperty::Is(pairs) => client_properties(property, said, origin, &pairs),
        // The connectors tell it.
        JavaProperty::Idle(_) | JavaProperty::Refused(_) => Vec::new(),
    }
}

/// librdkafka's properties that a property of the file comes to, which is `said` with references.
fn client_properties(
    property: &Property,
    said: &str,
    origin: &Origin,
    pairs: &[(String, String)],
) -> Vec<ClientProperty> {
    let one = |(name, value): &(String, String)| ClientProperty {
        key: property.key.clone(),
        origin: origin.clone(),
        name: name.clone(),
        value: Secret::new(value.as_str()),
        is_secret: said != property.value || kafka_properties::is_secret(name),
    };
    pairs.iter().map(one).collect()
}

/// Whether the topics that connectors use are told, or forgotten.
fn tracking(draft: &mut Draft, property: &Property, origin: &impl Fn(usize) -> Origin) {
    let value = property.value.trim();
    let Ok(on) = value.to_ascii_lowercase().parse() else {
        let message = format!("found {}, expected true or false", quoted(value));
        return draft.error(&origin(property.line), &property.key, message);
    };
    match property.key.ends_with(".enable") {
        true => draft.connect.topic_tracking.enable = on,
        false => draft.connect.topic_tracking.allow_reset = on,
    }
}

/// Without what this says the way to Kafka would be more open than its owner wants.
fn protects(key: &str) -> bool {
    let key = ["producer.", "consumer.", "admin."]
        .iter()
        .find_map(|prefix| key.strip_prefix(prefix))
        .unwrap_or(key);
    key == "security.protocol" || key.starts_with("sasl.") || key.starts_with("ssl.")
}

fn bootstrap(draft: &mut Draft, property: &Property, origin: &impl Fn(usize) -> Origin) {
    let value = property.value.trim();
    if value.is_empty() {
        let message = "found nothing, expected HOST:PORT, several with commas";
        return draft.error(&origin(property.line), &property.key, message);
    }
    let said = draft.kafka.plain.contains_key("bootstrap.servers")
        || ["bootstrap.servers", "metadata.broker.list"]
            .iter()
            .any(|name| draft.kafka.properties.contains_key(*name));
    if !said {
        draft.kafka.name("bootstrap.servers", value.to_owned());
    }
}

/// Where the REST interface of a worker listens, in its newer and its older words.
#[derive(Default)]
struct Rest<'p> {
    listeners: Option<&'p Property>,
    host: Option<&'p Property>,
    port: Option<&'p Property>,
}

impl Rest<'_> {
    /// The address, and the line that says it.
    fn address(
        &self,
        draft: &mut Draft,
        origin: &impl Fn(usize) -> Origin,
    ) -> Option<(String, usize)> {
        if let Some(property) = self.listeners {
            let value = property.value.trim();
            let address = listener(value);
            if address.is_none() {
                let message = format!("found {}, expected http://HOST:PORT", quoted(value));
                draft.error(&origin(property.line), "listeners", message);
            }
            return address.map(|address| (address, property.line));
        }
        let said = self.port.or(self.host)?;
        let host = self.host.map_or("127.0.0.1", |host| host.value.trim());
        let port = self.port.map_or("8083", |port| port.value.trim());
        let is_address = host.eq_ignore_ascii_case("localhost") || host.parse::<IpAddr>().is_ok();
        let wrong = match (self.host.filter(|_| !is_address), self.port) {
            (Some(property), _) => Some((property, "an address of this machine, as 127.0.0.1")),
            (None, Some(property)) if port.parse::<u16>().is_err() => Some((property, "a port")),
            _ => None,
        };
        if let Some((property, expected)) = wrong {
            let message = format!("found {}, expected {expected}", quoted(property.value.trim()));
            draft.error(&origin(property.line), &property.key, message);
            return None;
        }
        let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
        Some((format!("{host}:{port}"), said.line))
    }
}

/// The address of `http://HOST:PORT`; without a host it is every address, as in Connect.
fn listener(value: &str) -> Option<String> {
    let (scheme, rest) = value.split_once("://")?;
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    let (host, port) = rest.rsplit_once(':')?;
    let one = !value.contains(',') && scheme.eq_ignore_ascii_case("http");
    let host = if host.is_empty() { "0.0.0.0" } else { host };
    one.then(|| format!("{host}:{port}"))
}
