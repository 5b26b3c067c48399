//! A connector's property file, as Kafka Connect's standalone worker takes it, into a draft.
//!
//! It runs inside the broker: what it says about reaching the broker must mean this broker, and
//! what is about the connection to it has no effect and is said to have none.

#[cfg(test)]
mod tests;

use std::path::Path;

use crate::draft::{ConnectorDraft, Draft, RemoteHost};
use crate::error::Origin;
use crate::nearest::did_you_mean;
use crate::properties::{self, Property};
use crate::resolved::{Ack, ConnectorFile};
use crate::secret::Secret;
use crate::settings::bridge::SOURCE;
use crate::settings::{by_key, quoted};

/// The connector classes answered to.
pub(crate) const CLASSES: &[&str] = &["com.evokly.kafka.connect.mqtt.MqttSourceConnector"];

/// One property of a connector file, for the reference page.
pub(crate) struct FileProperty {
    /// Its name.
    pub(crate) name: &'static str,
    /// The default.
    pub(crate) default: &'static str,
    /// What it does here.
    pub(crate) meaning: &'static str,
}

const fn property(
    name: &'static str,
    default: &'static str,
    meaning: &'static str,
) -> FileProperty {
    FileProperty { name, default, meaning }
}

/// What begins with this means the same as the key of a source in `midge.toml`.
const OWN_PREFIX: &str = "midge.";

const OWN: &str = "The broker's own: the same as the key of `[connectors.NAME]`.";

/// The properties of `com.evokly.kafka.connect.mqtt.MqttSourceConnector` and of Connect itself.
pub(crate) static PROPERTIES: &[FileProperty] = &[
    property("name", "required", "The connector's name."),
    property("connector.class", "required", "`com.evokly.kafka.connect.mqtt.MqttSourceConnector`."),
    property("tasks.max", "1", "Ignored: one connector uses all workers."),
    property(
        "key.converter",
        "Connect's",
        "`StringConverter` or `ByteArrayConverter`: the key is the topic either way.",
    ),
    property(
        "value.converter",
        "Connect's",
        "`ByteArrayConverter` or `StringConverter`: the value is the payload either way. Others are refused.",
    ),
    property("kafka.topic", "mqtt", "The Kafka topic."),
    property("mqtt.topic", "#", "The topic filter."),
    property(
        "mqtt.qos",
        "1",
        "0 lets publishers go on at once (`midge.ack=none`), 1 and 2 keep their acknowledgement back as `midge.ack` says.",
    ),
    property(
        "mqtt.user",
        "none",
        "The user it acts as: the password is checked and the ACL applies.",
    ),
    property("mqtt.password", "none", "That user's password."),
    property(
        "mqtt.server_uris",
        "tcp://localhost:1883",
        "Must name this broker: a loopback address or a listener's own host with the port of a listener, or a name of `bridge.local_hosts`.",
    ),
    property("midge.ack", "as in midge.toml", OWN),
    property("midge.buffer_bytes", "67108864", OWN),
    property("midge.buffer_messages", "100000", OWN),
    property("midge.producer_byte_rate", "0: no limit", OWN),
    property("midge.spool_max_bytes", "1073741824", OWN),
    property("midge.spool_max_age", "none", OWN),
    property("midge.spool_full", "push_back", OWN),
    property("midge.spool_after", "1s", OWN),
    property("mqtt.client_id", "none", "Ignored: there is no connection."),
    property("mqtt.clean_session", "true", "Ignored: there is no connection."),
    property("mqtt.connection_timeout", "30", "Ignored: there is no connection."),
    property("mqtt.keep_alive_interval", "60", "Ignored: there is no connection."),
    property("mqtt.ssl.ca_cert", "none", "Ignored: there is no connection."),
    property("mqtt.ssl.cert", "none", "Ignored: there is no connection."),
    property("mqtt.ssl.key", "none", "Ignored: there is no connection."),
];

/// Converters that leave key and value as they are.
const PLAIN_CONVERTERS: &[&str] = &[
    "org.apache.kafka.connect.storage.StringConverter",
    "org.apache.kafka.connect.converters.ByteArrayConverter",
];

/// Reads one file.
pub(crate) fn parse(draft: &mut Draft, file: &Path, bytes: &[u8]) {
    draft.files.push(file.to_owned());
    let whole = Origin::File(file.to_owned());
    let (properties, malformed) = properties::parse(bytes);
    for line in malformed {
        draft.error(&Origin::Line { file: file.to_owned(), line: line.line }, "", line.message);
    }
    if properties::last(&properties)
        .any(|one| one.key == "connector.class" && !CLASSES.contains(&one.value.trim()))
    {
        return by_class(draft, file, &properties);
    }
    let mut reader = Reader {
        file,
        connector: ConnectorDraft {
            from_file: true,
            sink: Some(false),
            // The connector it stands for adds none.
            headers: false,
            ..ConnectorDraft::new("", whole.clone())
        },
        at_most_once: false,
        without_effect: Vec::new(),
        draft,
    };
    replaced(reader.draft, file, &properties);
    for property in properties::last(&properties) {
        reader.property(property);
    }
    reader.finish(&whole);
}

/// Takes a file as it is: the class that it names knows what it means.
fn by_class(draft: &mut Draft, file: &Path, properties: &[Property]) {
    replaced(draft, file, properties);
    let counts = || properties::last(properties);
    let found = ConnectorFile {
        name: counts().find(|one| one.key == "name").map_or("", |one| one.value.trim()).to_owned(),
        file: file.to_owned(),
        properties: counts().map(|one| (one.key.clone(), one.value.clone())).collect(),
        lines: counts().map(|one| (one.key.clone(), one.line)).collect(),
    };
    if found.name.is_empty() {
        return draft.error(&found.origin("name"), "name", "is missing");
    }
    draft.connector_files.push(found);
}

/// Says which properties were said twice.
fn replaced(draft: &mut Draft, file: &Path, properties: &[Property]) {
    for (index, property) in properties.iter().enumerate() {
        if let Some(later) = properties[index + 1..].iter().find(|p| p.key == property.key) {
            let origin = Origin::Line { file: file.to_owned(), line: property.line };
            let message = format!("{} is replaced by the one on line {}", property.key, later.line);
            draft.notice(&origin, message);
        }
    }
}

struct Reader<'d> {
    file: &'d Path,
    draft: &'d mut Draft,
    connector: ConnectorDraft,
    /// `mqtt.qos` is 0.
    at_most_once: bool,
    /// Names that mean nothing inside the broker.
    without_effect: Vec<&'static str>,
}

impl Reader<'_> {
    fn origin(&self, line: usize) -> Origin {
        Origin::Line { file: self.file.to_owned(), line }
    }

    fn property(&mut self, property: &Property) {
        let origin = self.origin(property.line);
        let value = property.value.trim();
        let known = PROPERTIES.iter().find(|known| known.name == property.key);
        if let Some(known) = known {
            self.connector.said.insert(known.name, origin.clone());
            if value.is_empty() && !known.name.ends_with("password") {
                return self.draft.error(&origin, known.name, "found nothing, expected a value");
            }
        }
        match property.key.as_str() {
            "name" => self.connector.name = value.to_owned(),
            // Another class has been taken apart before.
            "connector.class" => {}
            "tasks.max" if value == "1" => {}
            "tasks.max" => self.without_effect.push("tasks.max"),
            key @ ("key.converter" | "value.converter") if !PLAIN_CONVERTERS.contains(&value) => {
                let accepted = PLAIN_CONVERTERS.join(", ");
                let message =
                    format!("not supported yet: {}, expected one of {accepted}", quoted(value));
                self.draft.error(&origin, key, message);
            }
            "key.converter" | "value.converter" => {}
            "kafka.topic" => self.connector.kafka_topic = Some(value.to_owned()),
            "mqtt.topic" => self.connector.mqtt_filters = vec![value.to_owned()],
            "mqtt.qos" => match value {
                "0" => self.at_most_once = true,
                "1" | "2" => {}
                _ => {
                    let message = format!("found {}, expected 0, 1 or 2", quoted(value));
                    self.draft.error(&origin, "mqtt.qos", message);
                }
            },
            "mqtt.user" => self.connector.mqtt_user = Some(value.to_owned()),
            // Java keeps blanks at the end of a value, and a password may have them.
            "mqtt.password" => self.connector.mqtt_password = Some(Secret::new(&*property.value)),
            "mqtt.server_uris" => self.server_uris(&origin, value),
            key if known.is_some() && key.starts_with(OWN_PREFIX) => {
                self.own(&origin, key, value);
            }
            key if known.is_some() => {
                self.without_effect
                    .extend(known.map(|known| known.name).filter(|name| *name == key));
            }
            key => self.foreign(&origin, key),
        }
    }

    /// A setting that the connector it stands for does not have.
    fn own(&mut self, origin: &Origin, property: &str, value: &str) {
        let row = property.strip_prefix(OWN_PREFIX).and_then(|key| by_key(SOURCE, key));
        let row = row.expect("every property of ours is a setting of a source");
        match row.take_text(&mut self.connector, value) {
            Ok(()) => {
                self.connector.said.insert(row.key, origin.clone());
            }
            Err(message) => self.draft.error(origin, property, message),
        }
    }

    /// A property that is not one of the connector.
    fn foreign(&mut self, origin: &Origin, key: &str) {
        let changes_records = ["transforms", "predicates"];
        let of_converters =
            key.starts_with("key.converter.") || key.starts_with("value.converter.");
        if changes_records.contains(&key) {
            self.draft.error(
                origin,
                key,
                "not supported yet: records would not be what it makes them",
            );
        } else if changes_records.iter().any(|name| key.starts_with(name)) || of_converters {
            // Said by the line that names them.
        } else if ["errors.", "topic.creation.", "producer.override.", "header.converter"]
            .iter()
            .any(|name| key.starts_with(name))
        {
            self.draft.notice(origin, format!("not supported yet: {key}"));
        } else {
            // Connect warns of such keys and goes on.
            let guess = did_you_mean(key, PROPERTIES.iter().map(|known| known.name));
            self.draft.notice(origin, format!("ignored: {key}: unknown property{guess}"));
        }
    }

    /// `tcp://HOST:PORT`, several with commas between.
    fn server_uris(&mut self, origin: &Origin, value: &str) {
        const KEY: &str = "mqtt.server_uris";
        for uri in value.split(',').map(str::trim) {
            match host_and_port(uri) {
                Some((host, port)) => {
                    let origin = origin.clone();
                    self.draft.remote_hosts.push(RemoteHost { origin, key: KEY, host, port });
                }
                None => {
                    let message = format!(
                        "found {}, expected tcp://HOST:PORT or ssl://HOST:PORT",
                        quoted(uri)
                    );
                    self.draft.error(origin, KEY, message);
                }
            }
        }
    }

    fn finish(mut self, whole: &Origin) {
        for required in ["name", "connector.class"] {
            if !self.connector.said.contains_key(required) {
                self.draft.error(whole, required, "is missing");
            }
        }
        if !self.without_effect.is_empty() {
            let names = self.without_effect.join(", ");
            let message = format!("ignored: {names}: the connector runs inside the broker");
            self.draft.notice(whole, message);
        }
        let connector = &mut self.connector;
        connector.origin = connector.said("name");
        if self.at_most_once {
            connector.ack.get_or_insert(Ack::None);
        }
        connector.kafka_topic.get_or_insert_with(|| "mqtt".to_owned());
        if connector.mqtt_filters.is_empty() {
            connector.mqtt_filters.push("#".to_owned());
        }
        for (ours, theirs) in [
            ("mqtt_filters", "mqtt.topic"),
            ("kafka_topic", "kafka.topic"),
            ("mqtt_password", "mqtt.password"),
        ] {
            let origin = connector.said(theirs);
            connector.said.insert(ours, origin);
        }
        if !connector.name.is_empty() {
            self.draft.connectors.push(self.connector);
        }
    }
}

/// The parts of a URI as Eclipse Paho takes it; the port may be left out.
fn host_and_port(uri: &str) -> Option<(String, u16)> {
    let (scheme, rest) = uri.split_once("://")?;
    let default_port = match scheme {
        "tcp" | "mqtt" => 1883,
        "ssl" | "tls" | "mqtts" => 8883,
        _ => return None,
    };
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    let (host, port) = match rest.strip_prefix('[') {
        Some(bracketed) => {
            let (host, after) = bracketed.split_once(']')?;
            (host, after.strip_prefix(':').or(after.is_empty().then_some(""))?)
        }
        None => rest.split_once(':').unwrap_or((rest, "")),
    };
    let port = if port.is_empty() { default_port } else { port.parse().ok()? };
    let plain = |c: char| c.is_alphanumeric() || ".-_:%".contains(c);
    (!host.is_empty() && host.chars().all(plain)).then(|| (host.to_owned(), port))
}
