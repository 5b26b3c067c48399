//! Predicates: which records a transform sees.

use super::{Failure, Predicate};
use crate::connect::ConnectRecord;
use crate::java::Regex;
use crate::options::{Accepted, Default, Importance, Kind, OptionDef, Options, Value};

pub(super) const HEADER_OPTIONS: &[OptionDef] = &[OptionDef::new(
    "name",
    Kind::String,
    Default::Required,
    Importance::Medium,
    "The header name.",
)
.accepting(&[Accepted::NonEmptyString])];

pub(super) const TOPIC_OPTIONS: &[OptionDef] = &[OptionDef::new(
    "pattern",
    Kind::String,
    Default::Required,
    Importance::Medium,
    "A Java regular expression for matching against the name of a record's topic.",
)
.accepting(&[Accepted::NonEmptyString, VALID_REGEX])];

/// What an expression has to be.
pub(super) const VALID_REGEX: Accepted =
    Accepted::Check { check: valid_regex, says: "valid regex" };

fn valid_regex(name: &str, value: &Value) -> Result<(), String> {
    let invalid = |why: &dyn std::fmt::Display| {
        format!("Invalid value {value} for configuration {name}: Invalid regex: {why}")
    };
    match value {
        Value::String(text) => Regex::new(text).map(drop).map_err(|error| invalid(&error)),
        _ => Err(invalid(&"there is none")),
    }
}

/// Whether there is a header of a name.
#[derive(Debug)]
pub(super) struct HasHeaderKey {
    name: String,
}

impl HasHeaderKey {
    pub(super) fn new(options: &Options) -> Self {
        Self { name: options.string("name").to_owned() }
    }
}

impl Predicate for HasHeaderKey {
    fn test(&self, record: &ConnectRecord) -> Result<bool, Failure> {
        Ok(record.headers.iter().any(|header| *header.name == *self.name))
    }
}

/// Whether the value is null.
#[derive(Debug)]
pub(super) struct RecordIsTombstone;

impl Predicate for RecordIsTombstone {
    fn test(&self, record: &ConnectRecord) -> Result<bool, Failure> {
        Ok(record.value.value.is_null())
    }
}

/// Whether an expression matches all of the Kafka topic.
#[derive(Debug)]
pub(super) struct TopicNameMatches {
    pattern: Regex,
}

impl TopicNameMatches {
    pub(super) fn new(options: &Options) -> Result<Self, String> {
        let pattern = Regex::new(options.string("pattern")).map_err(|error| error.to_string())?;
        Ok(Self { pattern })
    }
}

impl Predicate for TopicNameMatches {
    fn test(&self, record: &ConnectRecord) -> Result<bool, Failure> {
        let matched = self.pattern.matches(&record.kafka_topic);
        matched.map_err(|error| Failure::connect(error.to_string()))
    }
}
