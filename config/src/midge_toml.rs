//! `midge.toml` and the environment over it: reads both into a draft.
//!
//! Files are read with the `toml` crate, which knows the line of every key; the `config` crate lays
//! later files and the environment over earlier ones, and every value keeps where it came from.

mod layers;
#[cfg(test)]
mod tests;

use std::path::PathBuf;

use config::{Config as Layers, Environment, Map, Value, ValueKind};
use layers::Origins;

use crate::draft::{ConnectorDraft, Draft, ListenerDraft};
use crate::error::{ConfigError, Origin};
use crate::nearest::did_you_mean;
use crate::settings::bridge::{BRIDGE, CONNECTOR, KAFKA, OAUTH, SINK, SOURCE};
use crate::settings::broker::{BROKER, LIMITS, LOG, LOG_DESTINATIONS, log_destination};
use crate::settings::connect::CONNECT;
use crate::settings::listener::{AUTHENTICATION, LISTENER};
use crate::settings::persistence::PERSISTENCE;
use crate::settings::{Setting, Take, by_key, kind_name, quoted};

/// What every variable of ours begins with.
const PREFIX: &str = "MIDGE__";

/// The sections of the file.
const SECTIONS: &[&str] = &[
    "broker",
    "limits",
    "persistence",
    "log",
    "authentication",
    "listeners",
    "kafka",
    "bridge",
    "connect",
    "connectors",
];

/// Reads files, each laid over the one before, and the environment over all of them.
pub(crate) fn parse(
    draft: &mut Draft,
    files: &[(PathBuf, String)],
    environment: impl IntoIterator<Item = (String, String)>,
) {
    let mut origins = Origins::default();
    let mut layers = Layers::builder();
    for (file, text) in files {
        draft.files.push(file.clone());
        layers = layers.add_source(origins.document(draft, file, text));
    }
    let variables = own_variables(draft, environment);
    let source = Environment::with_prefix("MIDGE").prefix_separator("__").separator("__");
    match layers.add_source(source.source(Some(variables))).build() {
        Ok(layers) => sections(draft, &origins, &layers.cache),
        Err(error) => draft.error(&Origin::Whole, "", error.to_string()),
    }
}

/// The variables that are ours and have a name that can be one of a setting.
fn own_variables(
    draft: &mut Draft,
    environment: impl IntoIterator<Item = (String, String)>,
) -> Map<String, String> {
    let mut own = Map::new();
    for (name, value) in environment {
        let upper = name.to_ascii_uppercase();
        let Some(path) = upper.strip_prefix(PREFIX) else { continue };
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        let well_formed = path.split("__").all(|part| !part.is_empty() && part.chars().all(plain));
        if well_formed && path.contains("__") {
            own.insert(name, value);
        } else {
            draft.error(&Origin::Environment(name), "", "expected a name MIDGE__SECTION__KEY");
        }
    }
    own
}

/// Reads the merged layers section by section.
fn sections(draft: &mut Draft, origins: &Origins, root: &Value) {
    let ValueKind::Table(root) = &root.kind else { return };
    for (name, value) in root {
        let ValueKind::Table(table) = &value.kind else {
            let message = format!("found {}, expected a table", kind_name(&value.kind));
            draft.error(&origins.of(name, value), name, message);
            continue;
        };
        let mut section = Section::new(name.clone(), origins);
        match name.as_str() {
            "broker" => section.read(table, &[BROKER], &mut draft.broker),
            "limits" => section.read(table, &[LIMITS], &mut draft.limits),
            "persistence" => section.read(table, &[PERSISTENCE], &mut draft.persistence),
            "log" => {
                section.read(table, &[LOG], &mut draft.log);
                section.log_destinations(draft);
            }
            "authentication" => section.read(table, &[AUTHENTICATION], &mut draft.authentication),
            "bridge" => section.read(table, &[BRIDGE], &mut draft.bridge),
            "connect" => section.read(table, &[CONNECT], &mut draft.connect),
            "kafka" => section.kafka(table, draft),
            "listeners" => {
                for (name, value, table) in section.named(table) {
                    listener(draft, origins, &name, value, table);
                }
            }
            "connectors" => {
                for (name, value, table) in section.named(table) {
                    connector(draft, origins, &name, value, table);
                }
            }
            _ => {
                let guess = did_you_mean(name, SECTIONS.iter().copied());
                let message = format!("unknown section{guess}; accepted: {}", SECTIONS.join(", "));
                section.error(name, &section.first_origin(table), message);
            }
        }
        for (key, origin) in section.read {
            draft.said.insert(format!("{name}.{key}"), origin);
        }
        draft.errors.append(&mut section.errors);
    }
}

fn listener(draft: &mut Draft, origins: &Origins, name: &str, value: &Value, table: &Table) {
    let path = format!("listeners.{name}");
    let mut listener = ListenerDraft::new(origins.of(&path, value), path.clone());
    let mut section = Section::new(path, origins);
    // The keys of both tables stand in one section.
    let (shared, own): (Table, Table) = table
        .iter()
        .map(|(key, value)| (key.clone(), value.clone()))
        .partition(|(key, _)| by_key(AUTHENTICATION, key).is_some());
    section.read(&shared, &[AUTHENTICATION], &mut listener.authentication);
    section.also_known = AUTHENTICATION.iter().map(|row| row.key).collect();
    section.read(&own, &[LISTENER], &mut listener);
    listener.said.extend(section.read);
    draft.errors.append(&mut section.errors);
    draft.listeners.push(listener);
}

fn connector(draft: &mut Draft, origins: &Origins, name: &str, value: &Value, table: &Table) {
    let path = format!("connectors.{name}");
    let origin = origins.of(&path, value);
    let mut connector = ConnectorDraft::new(name, origin.clone());
    let mut section = Section::new(path, origins);
    let kind = table.get("type").map(|value| &value.kind);
    let (rows, other, other_type) = match kind {
        Some(ValueKind::String(word)) if word == "sink" => (SINK, SOURCE, "source"),
        _ => (SOURCE, SINK, "sink"),
    };
    let known_type =
        matches!(kind, Some(ValueKind::String(word)) if word == "sink" || word == "source");
    if kind.is_none() {
        section.error("type", &origin, "is missing, expected source or sink".to_owned());
    }
    let mut own = Table::new();
    for (key, value) in table {
        if by_key(rows, key).is_none() && by_key(other, key).is_some() {
            // Without a known type nothing can be said about the keys that depend on it.
            if known_type {
                let message = format!("belongs to connectors of type {other_type}");
                section.error(key, &section.origin(key, value), message);
            }
        } else {
            own.insert(key.clone(), value.clone());
        }
    }
    section.read(&own, &[CONNECTOR, rows], &mut connector);
    connector.said.extend(section.read);
    draft.errors.append(&mut section.errors);
    // A connector without a type has been reported; it cannot be resolved.
    if connector.sink.is_some() {
        draft.connectors.push(connector);
    }
}

type Table = Map<String, Value>;

/// One table being read.
struct Section<'o> {
    path: String,
    origins: &'o Origins,
    /// Keys read, and where they stand.
    read: Vec<(&'static str, Origin)>,
    /// Keys that stand in the same table and are read apart, for guesses.
    also_known: Vec<&'static str>,
    errors: Vec<ConfigError>,
}

impl<'o> Section<'o> {
    fn new(path: impl Into<String>, origins: &'o Origins) -> Self {
        Self {
            path: path.into(),
            origins,
            read: Vec::new(),
            also_known: Vec::new(),
            errors: Vec::new(),
        }
    }

    /// Reads every key of a table by the rows that know it.
    fn read<T>(&mut self, table: &Table, rows: &[&'static [Setting<T>]], target: &mut T) {
        for (key, value) in table {
            let origin = self.origin(key, value);
            let Some(row) = rows.iter().find_map(|rows| by_key(rows, key)) else {
                let known = || rows.iter().flat_map(|rows| rows.iter().map(|row| row.key));
                let mut accepted: Vec<_> = known().chain(self.also_known.iter().copied()).collect();
                accepted.sort_unstable();
                let guess = did_you_mean(key, accepted.iter().copied());
                let message = format!("unknown key{guess}; accepted: {}", accepted.join(", "));
                self.error(key, &origin, message);
                continue;
            };
            let result = match (&row.take, &value.kind) {
                (Take::Properties(_), ValueKind::Table(properties)) => {
                    row.take_toml(target, &property_names(properties))
                }
                (_, ValueKind::String(text)) if matches!(origin, Origin::Environment(_)) => {
                    row.take_text(target, text)
                }
                _ => row.take_toml(target, value),
            };
            match result {
                Ok(()) => self.read.push((row.key, origin)),
                Err(message) => self.error(key, &origin, message),
            }
        }
    }

    fn kafka(&mut self, table: &Table, draft: &mut Draft) {
        let mut own = table.clone();
        if let Some(value) = own.remove("oauth") {
            let mut section = Section::new("kafka.oauth", self.origins);
            match &value.kind {
                ValueKind::Table(oauth) => section.read(oauth, &[OAUTH], &mut draft.oauth),
                other => {
                    let message = format!("found {}, expected a table", kind_name(other));
                    self.error("oauth", &self.origin("oauth", &value), message);
                }
            }
            for (key, origin) in section.read {
                draft.said.insert(format!("kafka.oauth.{key}"), origin);
            }
            draft.errors.append(&mut section.errors);
        }
        self.also_known = vec!["oauth"];
        self.read(&own, &[KAFKA], &mut draft.kafka);
    }

    /// `destinations` has a grammar of its own.
    fn log_destinations(&mut self, draft: &mut Draft) {
        let Some(words) = draft.log.destination_words.take() else { return };
        let origin = self.read.iter().find(|(key, _)| *key == "destinations");
        let origin = origin.map_or(Origin::Whole, |(_, origin)| origin.clone());
        let mut destinations = Vec::new();
        for word in words {
            match log_destination(&word) {
                Some(Some(destination)) if !destinations.contains(&destination) => {
                    destinations.push(destination);
                }
                Some(_) => {}
                None => {
                    let message = format!("found {}, expected {LOG_DESTINATIONS}", quoted(&word));
                    self.error("destinations", &origin, message);
                }
            }
        }
        draft.log.destinations = Some(destinations);
    }

    /// The tables of a section that names its parts.
    fn named<'t>(&mut self, table: &'t Table) -> Vec<(String, &'t Value, &'t Table)> {
        let mut named = Vec::new();
        for (name, value) in table {
            match &value.kind {
                ValueKind::Table(inner) => named.push((name.clone(), value, inner)),
                other => {
                    let message = format!(
                        "found {}, expected a table [{}.NAME]",
                        kind_name(other),
                        self.path
                    );
                    self.error(name, &self.origin(name, value), message);
                }
            }
        }
        named.sort_by(|a, b| a.0.cmp(&b.0));
        named
    }

    fn origin(&self, key: &str, value: &Value) -> Origin {
        self.origins.of(&format!("{}.{key}", self.path), value)
    }

    /// Where a table that came from the environment alone begins.
    fn first_origin(&self, table: &Table) -> Origin {
        let first = table.iter().min_by_key(|(key, _)| key.as_str());
        first.map_or(Origin::Whole, |(key, value)| self.origin(key, value))
    }

    fn error(&mut self, key: &str, origin: &Origin, message: String) {
        let top = SECTIONS.contains(&key) || self.path == key;
        let key = if top { key.to_owned() } else { format!("{}.{key}", self.path) };
        self.errors.push(ConfigError { origin: origin.clone(), key, message });
    }
}

/// A variable cannot hold the dots of a property's name: `_` stands for them.
fn property_names(properties: &Table) -> Value {
    let from_environment = |value: &Value| value.origin() == Some("the environment");
    let named = properties.iter().map(|(name, value)| {
        let name = if from_environment(value) { name.replace('_', ".") } else { name.clone() };
        (name, value.clone())
    });
    // A variable lies over the file also when both write the name in their own way.
    let (variables, file): (Vec<_>, Vec<_>) = named.partition(|(_, value)| from_environment(value));
    Value::new(None, ValueKind::Table(file.into_iter().chain(variables).collect()))
}
