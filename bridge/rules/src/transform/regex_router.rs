//! `RegexRouter`: gives another Kafka topic to records whose topic an expression matches.

use std::sync::Arc;

use super::predicate::VALID_REGEX;
use super::{Failure, Transform};
use crate::connect::ConnectRecord;
use crate::java::Regex;
use crate::java::regex::Replacement;
use crate::options::{Default, Importance, Kind, OptionDef, Options};

pub(super) const OPTIONS: &[OptionDef] = &[
    OptionDef::new(
        "regex",
        Kind::String,
        Default::Required,
        Importance::High,
        "Regular expression to use for matching.",
    )
    .accepting(&[VALID_REGEX]),
    OptionDef::new(
        "replacement",
        Kind::String,
        Default::Required,
        Importance::High,
        "Replacement string.",
    ),
];

#[derive(Debug)]
pub(super) struct RegexRouter {
    regex: Regex,
    replacement: Replacement,
}

impl RegexRouter {
    pub(super) fn new(options: &Options) -> Result<Self, String> {
        let regex = Regex::new(options.string("regex")).map_err(|error| error.to_string())?;
        let given = options.string("replacement");
        let replacement = regex.replacement(given).map_err(|error| {
            format!("Invalid value {given} for configuration replacement: {error}")
        })?;
        Ok(Self { regex, replacement })
    }
}

impl Transform for RegexRouter {
    fn apply(&self, mut record: ConnectRecord) -> Result<Option<ConnectRecord>, Failure> {
        let topic = &record.kafka_topic;
        let routed = self.regex.matches(topic).and_then(|matched| {
            matched.then(|| self.regex.replace_first(topic, &self.replacement)).transpose()
        });
        if let Some(routed) = routed.map_err(|error| Failure::connect(error.to_string()))? {
            record.kafka_topic = Arc::from(routed);
        }
        Ok(Some(record))
    }
}
