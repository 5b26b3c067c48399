//! A worker's property file as the configuration of a process that is a worker and no broker.
//!
//! Invariant: every property of it is obeyed, refused, or told as without effect. What our own
//! environment says goes first.

use std::collections::BTreeMap;
use std::path::Path;

use super::options::{Meaning, OPTIONS, meaning};
use super::{OF_READING, Rest, bootstrap, client_properties, providers, replaced, tracking};
use crate::connector_file::tell_replaced;
use crate::draft::Draft;
use crate::error::Origin;
use crate::java_client::{JavaProperty, java_property};
use crate::kafka_properties;
use crate::load::WorkerMode;
use crate::nearest::did_you_mean;
use crate::properties::{self, Property};
use crate::resolve::group;
use crate::secret::Secret;
use crate::settings::quoted;

/// Where REST listens when nobody says it: Connect's own port, and nobody else's business.
const LISTEN: &str = "127.0.0.1:8083";

/// Reads the file of a worker.
pub(crate) fn parse(draft: &mut Draft, file: &Path, bytes: &[u8], mode: WorkerMode) {
    draft.files.push(file.to_owned());
    draft.connect.worker_properties = Some(file.to_owned());
    let (found, malformed) = properties::parse(bytes);
    for line in malformed {
        draft.error(&Origin::Line { file: file.to_owned(), line: line.line }, "", line.message);
    }
    tell_replaced(draft, file, &found);
    let origin = |line| Origin::Line { file: file.to_owned(), line };
    let providers = providers(draft, &found, &origin);
    let counts: Vec<Property> =
        properties::last(&found).map(|said| replaced(draft, &providers, said, &origin)).collect();
    draft.connect.distributed = mode == WorkerMode::Distributed;
    draft.said.insert(group::said(""), Origin::File(file.to_owned()));
    let mut reader = Reader { draft, file, mode, said: "", idle: BTreeMap::new() };
    let mut rest = Rest::default();
    for (property, said) in counts.iter().zip(properties::last(&found)) {
        reader.said = &said.value;
        match property.key.as_str() {
            "listeners" => rest.listeners = Some(property),
            "rest.host.name" => rest.host = Some(property),
            "rest.port" => rest.port = Some(property),
            _ => reader.property(property),
        }
    }
    let idle = std::mem::take(&mut reader.idle);
    for (why, keys) in idle {
        let message = format!("ignored: {}: {why}", keys.join(", "));
        draft.notice(&Origin::File(file.to_owned()), message);
    }
    if draft.connect.rest_listen.is_none() {
        match rest.address(draft, &origin) {
            Some((address, line)) => {
                draft.connect.rest_listen = Some(address);
                draft.said.insert("connect.rest_listen".to_owned(), origin(line));
            }
            None => draft.connect.rest_listen = Some(LISTEN.to_owned()),
        }
    }
}

/// Takes away what belongs to a broker, and says so.
pub(crate) fn without_broker(draft: &mut Draft) {
    for connector in std::mem::take(&mut draft.connectors) {
        let key = format!("connectors.{}", connector.name);
        let message = "found in a worker, expected a property file: it runs inside the broker";
        draft.error(&connector.origin, &key, message);
    }
    let why = "there is no broker in a worker";
    for listener in std::mem::take(&mut draft.listeners) {
        draft.notice(&listener.origin, format!("ignored: {}: {why}", listener.name));
    }
    if !std::mem::take(&mut draft.bridge.local_hosts).is_empty() {
        let origin = draft.said("bridge.local_hosts");
        draft.notice(&origin, format!("ignored: bridge.local_hosts: {why}"));
    }
}

struct Reader<'d> {
    draft: &'d mut Draft,
    file: &'d Path,
    mode: WorkerMode,
    /// The value of the property that is read, its references as they are.
    said: &'d str,
    /// Options without effect, by the reason.
    idle: BTreeMap<&'static str, Vec<String>>,
}

impl Reader<'_> {
    fn property(&mut self, property: &Property) {
        let key = property.key.as_str();
        let value = property.value.trim();
        let clients = [("producer.", "producer"), ("consumer.", "consumer"), ("admin.", "admin")];
        // Of the worker itself.
        for (prefix, client) in clients.iter().filter(|_| key != "admin.listeners") {
            if let Some(name) = key.strip_prefix(prefix) {
                return self.of_tasks(property, name, client);
            }
        }
        match meaning(key) {
            Some(Meaning::Bootstrap) => {
                let file = self.file.to_owned();
                let origin = |line| Origin::Line { file: file.clone(), line };
                bootstrap(self.draft, property, &origin);
            }
            // Taken apart before.
            Some(Meaning::Rest) => {}
            Some(Meaning::Client) => self.client(property),
            Some(Meaning::Passed) => self.pass(property),
            Some(Meaning::OfGroup) if self.mode == WorkerMode::Distributed => {
                let origin = self.origin(property);
                self.draft.said.insert(group::said(key), origin);
                self.pass(property);
            }
            Some(Meaning::OfGroup) => self.idle(key, "this worker is alone"),
            Some(Meaning::OfOne) => {
                self.idle(key, "sources of MQTT have no offsets, those of sinks are in Kafka");
            }
            Some(Meaning::Tracking) => {
                let file = self.file.to_owned();
                let origin = |line| Origin::Line { file: file.clone(), line };
                tracking(self.draft, property, &origin);
            }
            Some(Meaning::Own) => self.own(property),
            Some(Meaning::Idle(why)) => self.idle(key, why),
            Some(Meaning::Only(accepted, why)) => {
                if !accepted.contains(&value) {
                    self.error(property, format!("found {}: {why}", quoted(value)));
                }
            }
            None => {
                let guess = did_you_mean(key, OPTIONS.iter().map(|row| row.0));
                let origin = self.origin(property);
                self.draft.notice(&origin, format!("ignored: {key}: unknown property{guess}"));
            }
        }
    }

    fn origin(&self, property: &Property) -> Origin {
        Origin::Line { file: self.file.to_owned(), line: property.line }
    }

    fn error(&mut self, property: &Property, message: impl Into<String>) {
        let origin = self.origin(property);
        self.draft.error(&origin, &property.key, message);
    }

    fn idle(&mut self, key: &str, why: &'static str) {
        self.idle.entry(why).or_default().push(key.to_owned());
    }

    /// Blanks at the end and all: it may be a password. References are looked up when a connector
    /// starts, and again with each start.
    fn pass(&mut self, property: &Property) {
        let origin = self.origin(property);
        self.draft.connect.origins.insert(property.key.clone(), origin);
        self.draft.connect.properties.insert(property.key.clone(), self.said.to_owned());
    }

    /// A property of the clients of tasks: judged now, obeyed by the connectors.
    fn of_tasks(&mut self, property: &Property, name: &str, client: &str) {
        if client == "consumer" && OF_READING.contains(&name) {
            return self.pass(property);
        }
        match java_property(&property.key, name, &property.value) {
            JavaProperty::Is(pairs) => {
                let (_, refused) = kafka_properties::sort(pairs.iter().cloned().collect());
                for (_, reason) in &refused {
                    self.error(property, format!("is refused: {reason}"));
                }
                if refused.is_empty() {
                    self.pass(property);
                    self.for_clients(property, &pairs);
                }
            }
            JavaProperty::Idle(why) => self.idle(&property.key, why),
            JavaProperty::Refused(message) => self.refused(property, &message),
        }
    }

    /// A property of every client.
    fn client(&mut self, property: &Property) {
        match java_property(&property.key, &property.key, &property.value) {
            JavaProperty::Is(pairs) => {
                let (_, refused) = kafka_properties::sort(pairs.iter().cloned().collect());
                for (_, reason) in refused {
                    self.error(property, format!("is refused: {reason}"));
                }
                self.for_clients(property, &pairs);
                for (name, value) in pairs {
                    self.of_kafka(property, name, value);
                }
            }
            JavaProperty::Idle(why) => self.idle(&property.key, why),
            JavaProperty::Refused(message) => self.refused(property, &message),
        }
    }

    fn for_clients(&mut self, property: &Property, pairs: &[(String, String)]) {
        let origin = self.origin(property);
        let said = client_properties(property, self.said, &origin, pairs);
        self.draft.connect.client_properties.extend(said);
    }

    fn of_kafka(&mut self, property: &Property, name: String, value: String) {
        let origin = self.origin(property);
        let draft = &mut *self.draft;
        let kafka = &draft.kafka;
        let said = kafka.plain.contains_key(name.as_str())
            || kafka.secret.contains_key(name.as_str())
            || kafka.properties.contains_key(&name);
        if said {
            return;
        }
        if name == "security.protocol" {
            draft.said.insert("kafka.security_protocol".to_owned(), origin);
        }
        draft.kafka.properties.insert(name, value);
    }

    fn refused(&mut self, property: &Property, message: &str) {
        let message = message.strip_prefix(&property.key).unwrap_or(message);
        self.error(property, message.trim_start_matches([':', ' ']));
    }

    fn own(&mut self, property: &Property) {
        let value = property.value.trim();
        if value.is_empty() {
            return self.error(property, "found nothing, expected a value");
        }
        let origin = self.origin(property);
        let draft = &mut *self.draft;
        let secret = || Secret::new(property.value.as_str());
        let (key, new) = match property.key.as_str() {
            "midge.rest.token" => {
                let new = draft.connect.rest_token.is_none();
                draft.connect.rest_token.get_or_insert_with(secret);
                ("connect.rest_token", new)
            }
            "midge.rest.user" => {
                let new = draft.connect.rest_user.is_none();
                draft.connect.rest_user.get_or_insert_with(|| value.to_owned());
                ("connect.rest_user", new)
            }
            "midge.rest.password" => {
                let new = draft.connect.rest_password.is_none();
                draft.connect.rest_password.get_or_insert_with(secret);
                ("connect.rest_password", new)
            }
            _ => {
                let new = !draft.persistence.enabled;
                if new {
                    draft.persistence.enabled = true;
                    draft.persistence.directory = value.into();
                }
                ("persistence.directory", new)
            }
        };
        if new {
            draft.said.insert(key.to_owned(), origin);
        }
    }
}

#[cfg(test)]
mod tests;
