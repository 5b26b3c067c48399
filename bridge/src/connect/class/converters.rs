//! Converters and transforms of a connector.
//!
//! Invariant: a converter is the connector's with the connector's options, or the worker's with the
//! worker's options, never a mixture, as in Connect.

use std::collections::BTreeMap;

use midge_rules::converter::{Converter, InvalidOptions, Side};
use midge_rules::options::ConfigError;
use midge_rules::pipeline::HeaderConverter;
use midge_rules::transform::Chain;

use super::given::Given;
use crate::connect::definition::Properties;

pub(super) const BYTES: &str = "org.apache.kafka.connect.converters.ByteArrayConverter";
pub(super) const STRING: &str = "org.apache.kafka.connect.storage.StringConverter";
pub(super) const JSON: &str = "org.apache.kafka.connect.json.JsonConverter";

/// What every statement of a connector shares.
pub(super) struct Shared {
    pub(super) key: Converter,
    pub(super) header: HeaderConverter,
    pub(super) chain: Chain,
}

/// The converters of keys and headers, and the transforms.
pub(super) fn shared(given: &mut Given<'_>, key: &'static str) -> Option<Shared> {
    let key = converter(given, Side::Key, key);
    let header = header(given);
    let chain = chain(given);
    Some(Shared { key: key?, header: header?, chain: chain? })
}

/// The converter of keys or of values; `default` is the class where neither the connector nor its
/// worker names one.
pub(super) fn converter(
    given: &mut Given<'_>,
    side: Side,
    default: &'static str,
) -> Option<Converter> {
    let prefix = match side {
        Side::Key => "key.converter",
        Side::Value => "value.converter",
    };
    let unnamed: Properties = [(prefix.to_owned(), default.to_owned())].into();
    let (source, of_worker) = source(given, prefix, &unnamed);
    if !of_worker && !given.properties.contains_key(prefix) {
        given.notice(format!("{prefix}: nobody names one: {default}"));
    }
    let built = Converter::from_options(side, prefix, pairs(&source));
    let converter = told(given, prefix, of_worker, built)?;
    for notice in converter.notices() {
        given.notice(notice.clone());
    }
    Some(converter)
}

/// What is wrong with the converters that a worker itself names, each at its property. What is wrong
/// with their options is told of a connector that takes them.
pub(crate) fn of_worker(properties: &Properties) -> Vec<ConfigError> {
    let mut errors = Vec::new();
    for prefix in ["key.converter", "value.converter", "header.converter"] {
        let own = beginning_with(prefix, properties);
        if !own.contains_key(prefix) {
            continue;
        }
        let built = match prefix {
            "key.converter" => Converter::from_options(Side::Key, prefix, pairs(&own)).map(drop),
            "value.converter" => {
                Converter::from_options(Side::Value, prefix, pairs(&own)).map(drop)
            }
            _ => HeaderConverter::from_options(pairs(&own)).map(drop),
        };
        let messages = built.err().map(|InvalidOptions(messages)| messages);
        for message in messages.into_iter().flatten() {
            if message.strip_prefix(prefix).is_some_and(|rest| rest.starts_with(": ")) {
                errors.push(ConfigError { name: prefix.to_owned(), message });
            }
        }
    }
    errors
}

fn header(given: &mut Given<'_>) -> Option<HeaderConverter> {
    const PREFIX: &str = "header.converter";
    let none = Properties::new();
    let (source, of_worker) = source(given, PREFIX, &none);
    let built = HeaderConverter::from_options(pairs(&source));
    told(given, PREFIX, of_worker, built)
}

/// The properties that count for a converter, and whether they are the worker's.
fn source(given: &mut Given<'_>, prefix: &str, unnamed: &Properties) -> (Properties, bool) {
    let (properties, worker) = (given.properties, given.worker);
    let own = beginning_with(prefix, properties);
    if own.contains_key(prefix) {
        return (own, false);
    }
    for key in own.keys() {
        given
            .notice(format!("ignored: {key}: {prefix} is not named here, and the worker's counts"));
    }
    let workers = beginning_with(prefix, &worker.properties);
    match workers.contains_key(prefix) {
        true => (workers, true),
        false => (unnamed.clone(), false),
    }
}

/// A converter's class and options.
fn beginning_with(prefix: &str, properties: &Properties) -> Properties {
    let own = properties.iter().filter(|(key, _)| {
        key.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
            && !key.ends_with(".plugin.version")
    });
    own.map(|(key, value)| (key.clone(), value.clone())).collect()
}

fn pairs(properties: &BTreeMap<String, String>) -> impl Iterator<Item = (&str, &str)> + Clone {
    properties.iter().map(|(key, value)| (key.as_str(), value.as_str()))
}

/// Tells mistakes, each at the property that it begins with.
fn told<T>(
    given: &mut Given<'_>,
    prefix: &str,
    of_worker: bool,
    built: Result<T, InvalidOptions>,
) -> Option<T> {
    match built {
        Ok(built) => Some(built),
        Err(InvalidOptions(messages)) => {
            for message in messages {
                let name = message.split_once(": ").map_or(prefix, |(name, _)| name);
                let name = if of_worker || !name.starts_with(prefix) { prefix } else { name };
                let name = name.to_owned();
                let message = match of_worker {
                    true => format!("of the worker: {message}"),
                    false => message,
                };
                given.error(&name, message);
            }
            None
        }
    }
}

fn chain(given: &mut Given<'_>) -> Option<Chain> {
    let mut properties = given.properties.clone();
    properties.retain(|key, _| {
        let version = key.ends_with(".plugin.version")
            && (key.starts_with("transforms.") || key.starts_with("predicates."));
        if version {
            given.notice(format!("ignored: {key}: there is one version of each class"));
        }
        !version
    });
    match Chain::from_properties(&properties, given.worker.now_unix_millis) {
        Ok(chain) => {
            for note in chain.notes() {
                given.notice(note.clone());
            }
            Some(chain)
        }
        Err(errors) => {
            for error in errors {
                given.error(&error.name, error.message);
            }
            None
        }
    }
}
