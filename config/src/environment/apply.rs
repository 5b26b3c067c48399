//! What the variables mean for the process: Kafka, the log, the disk.
//!
//! Invariant: what `MIDGE__…` has said stays, and so does the protection that a file has given.

use std::path::Path;

use super::{
    CLIENT_ID, CLIENT_SECRET, DB_PERSIST_PATH, KAFKA_BROKER, LOG_LVL, SASL_SSL, TOKEN_ENDPOINT,
    Variables,
};
use crate::draft::Draft;
use crate::error::Origin;
use crate::place::{Place, look};
use crate::resolved::LogTypes;
use crate::secret::Secret;
use crate::settings::quoted;

/// Whether a variable that begins with `MIDGE__` has said it.
fn is_said_before(draft: &Draft, key: &str) -> bool {
    matches!(draft.said.get(key), Some(Origin::Environment(_)))
}

fn say(draft: &mut Draft, key: &str, origin: &Origin) {
    draft.said.insert(key.to_owned(), origin.clone());
}

fn yields(draft: &mut Draft, origin: &Origin, name: &str, to: &str) {
    draft.notice(origin, format!("ignored: {name}: {to} goes first"));
}

pub(super) fn kafka(draft: &mut Draft, variables: &Variables) {
    if let Some((brokers, origin)) = variables.text(KAFKA_BROKER) {
        bootstrap(draft, brokers, origin);
    }
    let Some((word, origin)) = variables.text(SASL_SSL) else {
        return tell_idle_tokens(draft, variables);
    };
    match word {
        "false" => tell_idle_tokens(draft, variables),
        "true" => sasl(draft, variables, origin),
        _ => {
            let message = format!("found {}, expected true or false", quoted(word));
            draft.error(origin, SASL_SSL, message);
        }
    }
}

fn bootstrap(draft: &mut Draft, brokers: &str, origin: &Origin) {
    let is_address = |one: &str| {
        let rest = one.split_once("://").map_or(one, |(_, rest)| rest);
        let (host, port) = rest.rsplit_once(':').unwrap_or((rest, "9092"));
        let plain = |c: char| c.is_alphanumeric() || ".-_:[]%".contains(c);
        !host.is_empty() && host.chars().all(plain) && port.parse::<u16>().is_ok()
    };
    if let Some(wrong) = brokers.split(',').map(str::trim).find(|one| !is_address(one)) {
        let message = format!("found {}, expected HOST:PORT, several with commas", quoted(wrong));
        return draft.error(origin, KAFKA_BROKER, message);
    }
    for name in ["bootstrap.servers", "metadata.broker.list"] {
        if draft.kafka.properties.contains_key(name) {
            let to = format!("kafka.properties.\"{name}\"");
            return yields(draft, origin, KAFKA_BROKER, &to);
        }
    }
    if is_said_before(draft, "kafka.bootstrap_servers") {
        return yields(draft, origin, KAFKA_BROKER, "MIDGE__KAFKA__BOOTSTRAP_SERVERS");
    }
    draft.kafka.name("bootstrap.servers", brokers.to_owned());
    say(draft, "kafka.bootstrap_servers", origin);
}

/// OAUTHBEARER over TLS.
fn sasl(draft: &mut Draft, variables: &Variables, origin: &Origin) {
    for (property, key, value) in [
        ("security.protocol", "kafka.security_protocol", "SASL_SSL"),
        ("sasl.mechanism", "kafka.sasl_mechanism", "OAUTHBEARER"),
    ] {
        let said = draft.kafka.properties.get(property).or(draft.kafka.plain.get(property));
        match said.cloned() {
            Some(said) if !said.eq_ignore_ascii_case(value) => {
                let message =
                    format!("found true beside {key} {}, expected {value} there", quoted(&said));
                draft.error(origin, SASL_SSL, message);
            }
            Some(_) => {}
            None => {
                draft.kafka.name(property, value.to_owned());
                say(draft, key, origin);
            }
        }
    }
    for (name, key) in [
        (CLIENT_ID, "kafka.oauth.client_id"),
        (CLIENT_SECRET, "kafka.oauth.client_secret"),
        (TOKEN_ENDPOINT, "kafka.oauth.token_endpoint"),
    ] {
        let Some((value, at)) = variables.raw(name) else {
            if !draft.said.contains_key(key) {
                draft.error(origin, name, "is missing, expected one, for SASL_SSL is true");
                // Told once, by the name that people here know.
                fill(draft, name, "https://missing");
            }
            continue;
        };
        if is_said_before(draft, key) {
            yields(draft, at, name, key);
            continue;
        }
        fill(draft, name, value);
        say(draft, key, at);
    }
}

fn fill(draft: &mut Draft, name: &str, value: &str) {
    match name {
        CLIENT_ID => draft.oauth.client_id = Some(value.trim().to_owned()),
        CLIENT_SECRET => draft.oauth.client_secret = Some(Secret::new(value)),
        _ => draft.oauth.token_endpoint = Some(value.trim().to_owned()),
    }
}

fn tell_idle_tokens(draft: &mut Draft, variables: &Variables) {
    let names = [CLIENT_ID, CLIENT_SECRET, TOKEN_ENDPOINT];
    let given: Vec<&str> =
        names.into_iter().filter(|name| variables.text(name).is_some()).collect();
    if let Some((_, origin)) = given.first().and_then(|name| variables.text(name)) {
        let message = format!("ignored: {}: SASL_SSL is not true", given.join(", "));
        draft.notice(origin, message);
    }
}

pub(super) fn log(draft: &mut Draft, variables: &Variables) {
    let Some((level, origin)) = variables.text(LOG_LVL) else { return };
    let errors = LogTypes { error: true, ..LogTypes::NONE };
    let types = match level.to_ascii_lowercase().as_str() {
        "panic" | "fatal" | "error" => errors,
        "warn" => LogTypes { warning: true, ..errors },
        "info" => LogTypes { warning: true, notice: true, information: true, ..errors },
        "debug" | "trace" => LogTypes::ALL,
        _ => {
            let message = format!(
                "found {}, expected one of panic, fatal, error, warn, info, debug, trace",
                quoted(level)
            );
            return draft.error(origin, LOG_LVL, message);
        }
    };
    if is_said_before(draft, "log.types") {
        return yields(draft, origin, LOG_LVL, "MIDGE__LOG__TYPES");
    }
    draft.log.types = types;
    say(draft, "log.types", origin);
}

pub(super) fn persistence(draft: &mut Draft, variables: &Variables) {
    let Some((path, origin)) = variables.text(DB_PERSIST_PATH) else { return };
    let of_environment = is_said_before(draft, "persistence.enabled");
    if draft.persistence.enabled || of_environment {
        return yields(draft, origin, DB_PERSIST_PATH, "what says persistence.enabled");
    }
    match look(Path::new(path)) {
        Place::Usable => {}
        // As in the original. Nothing is lost by it: publishers wait for Kafka.
        Place::None(why) => {
            let message = format!("ignored: {DB_PERSIST_PATH}: {why}: what waits is in memory");
            return draft.notice(origin, message);
        }
        Place::Refused(why) => return draft.error(origin, DB_PERSIST_PATH, why),
    }
    draft.persistence.enabled = true;
    draft.persistence.directory = path.into();
    say(draft, "persistence.enabled", origin);
    say(draft, "persistence.directory", origin);
}
