//! A connector's properties, read by the tables of its class.
//!
//! Invariant: every mistake found on the way is kept with the property it is about, and none ends
//! the reading; what an option has no value for, because the value was wrong, reads as nothing.

use midge_config::did_you_mean;
use midge_rules::options::{self, ConfigError, Judged, OptionDef, Value};

use super::{Class, Direction, common};
use crate::connect::definition::Properties;
use crate::connect::plan::Worker;

/// What a class is given.
pub(super) struct Given<'a> {
    pub(super) class: &'static Class,
    pub(super) name: &'a str,
    pub(super) properties: &'a Properties,
    pub(super) worker: &'a Worker,
    pub(super) errors: Vec<ConfigError>,
    pub(super) notices: Vec<String>,
    judged: Vec<Judged>,
    /// The broker is this one: what is about a connection has no effect.
    pub(super) is_here: bool,
}

/// Beginnings of names whose owners look after what follows.
const PREFIXES: &[&str] = &[
    "transforms.",
    "predicates.",
    "key.converter.",
    "value.converter.",
    "header.converter.",
    "producer.override.",
    "consumer.override.",
    "admin.override.",
    "topic.creation.",
];

impl<'a> Given<'a> {
    pub(super) fn new(
        class: &'static Class,
        name: &'a str,
        properties: &'a Properties,
        worker: &'a Worker,
    ) -> Given<'a> {
        let mut given = Given {
            class,
            name,
            properties,
            worker,
            errors: Vec::new(),
            notices: Vec::new(),
            judged: Vec::new(),
            is_here: false,
        };
        for table in class.tables() {
            for judged in options::judge(table, "", properties) {
                let told = judged.errors.iter();
                let name = judged.given.as_ref().unwrap_or(&judged.name);
                given.errors.extend(
                    told.map(|message| ConfigError {
                        name: name.clone(),
                        message: message.clone(),
                    }),
                );
                given.judged.push(judged);
            }
        }
        // The name that counts is the caller's, whatever the properties say.
        if let Err(message) = common::check_name("name", name) {
            given.error("name", message);
        }
        given.tell_spelt_twice();
        given
    }

    fn tell_spelt_twice(&mut self) {
        let mut told = Vec::new();
        for judged in &self.judged {
            let Some(given) = &judged.given else { continue };
            let others = judged.definition.spellings().filter(|other| other != given);
            for other in others.filter(|other| self.properties.contains_key(*other)) {
                let what = match self.properties.get(other) == self.properties.get(given) {
                    true => "the same",
                    false => "otherwise",
                };
                told.push(format!("ignored: {other}: {given} says {what}, and counts"));
            }
        }
        self.notices.extend(told);
    }

    /// What was found for every option.
    pub(super) fn judged(&self) -> &[Judged] {
        &self.judged
    }

    fn find(&self, name: &str) -> &Judged {
        let mut all = self.judged.iter();
        all.find(|judged| judged.definition.name == name).expect("an option of the class")
    }

    /// Whether the class has such an option.
    pub(super) fn has(&self, name: &str) -> bool {
        self.judged.iter().any(|judged| judged.definition.name == name)
    }

    /// The spelling by which an option was given; none when it was not.
    pub(super) fn given(&self, name: &str) -> Option<&str> {
        self.find(name).given.as_deref()
    }

    /// The spelling by which an option was given, or its name.
    pub(super) fn spelt(&self, name: &str) -> String {
        self.given(name).unwrap_or(name).to_owned()
    }

    /// Another spelling by which an option was given as well, with another text.
    pub(super) fn says_otherwise(&self, name: &str) -> Option<&'static str> {
        let counts = self.raw(name)?.trim();
        let given = self.given(name)?;
        let others = self.find(name).definition.spellings().filter(|other| *other != given);
        let says = |other: &&str| self.properties.get(*other).is_some_and(|t| t.trim() != counts);
        others.into_iter().find(says)
    }

    /// A text; one that is empty is none.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        match &self.find(name).value {
            Value::String(text) if !text.is_empty() => Some(text.clone()),
            _ => None,
        }
    }

    /// The text as it stands in the properties, blanks at its end and all.
    pub(super) fn raw(&self, name: &str) -> Option<&'a str> {
        let given = self.find(name).given.as_ref()?;
        self.properties.get(given).map(String::as_str).filter(|text| !text.is_empty())
    }

    pub(super) fn flag(&self, name: &str) -> bool {
        self.find(name).value == Value::Boolean(true)
    }

    /// A number; 0 when it has none, which then is a mistake already.
    pub(super) fn number(&self, name: &str) -> i64 {
        match self.find(name).value {
            Value::Number(number) => number,
            _ => 0,
        }
    }

    pub(super) fn list(&self, name: &str) -> Vec<String> {
        match &self.find(name).value {
            Value::List(items) => items.iter().filter(|item| !item.is_empty()).cloned().collect(),
            _ => Vec::new(),
        }
    }

    /// A mistake, in words that name the property.
    pub(super) fn error(&mut self, name: &str, message: impl Into<String>) {
        let error = ConfigError { name: name.to_owned(), message: message.into() };
        if !self.errors.contains(&error) {
            self.errors.push(error);
        }
    }

    /// A value of an option that is not what it should be, in the pattern of Connect's messages.
    pub(super) fn wrong(&mut self, name: &str, found: &str, why: impl std::fmt::Display) {
        let spelt = self.spelt(name);
        self.error(&spelt, format!("Invalid value {found} for configuration {spelt}: {why}"));
    }

    /// Something to be told, once.
    pub(super) fn notice(&mut self, message: impl Into<String>) {
        let message = message.into();
        if !self.notices.contains(&message) {
            self.notices.push(message);
        }
    }

    /// Says which options have been given and do nothing, a line for each reason.
    pub(super) fn tell_idle(&mut self) {
        let mut told = Vec::new();
        let of_reason = |names: &[&str], why: &str| {
            let given = names.iter().filter(|name| self.has(name)).filter_map(|n| self.given(n));
            let given: Vec<&str> = given.collect();
            (!given.is_empty()).then(|| format!("ignored: {}: {why}", given.join(", ")))
        };
        for idle in self.class.idle() {
            told.extend(of_reason(idle.options, idle.why));
        }
        if self.is_here {
            let why = "the connector runs inside the broker";
            told.extend(of_reason(self.class.connection, why));
        }
        for message in told {
            self.notice(message);
        }
    }

    /// Says which properties nobody knows. Connect warns of them and goes on.
    pub(super) fn tell_unknown(&mut self) {
        let known: Vec<&str> =
            self.class.tables().flatten().flat_map(OptionDef::spellings).collect();
        for name in self.properties.keys() {
            if known.contains(&name.as_str()) || PREFIXES.iter().any(|p| name.starts_with(p)) {
                continue;
            }
            let guess = did_you_mean(name, known.iter().copied());
            if name.starts_with("midge.") {
                // They are ours alone, so one that is none is no leftover of another worker.
                self.error(name, format!("{name}: unknown property{guess}"));
            } else if name.starts_with("confluent.") {
                self.notice(format!("ignored: {name}: no licence is needed"));
            } else {
                self.notice(format!("ignored: {name}: unknown property{guess}"));
            }
        }
        for name in self.properties.keys() {
            if name.starts_with("topic.creation.") && !known.contains(&name.as_str()) {
                let why = match self.class.direction {
                    Direction::Source => common::TOPICS_OF_KAFKA,
                    Direction::Sink => "a sink makes no topics",
                };
                self.notice(format!("ignored: {name}: {why}"));
            }
        }
    }
}
