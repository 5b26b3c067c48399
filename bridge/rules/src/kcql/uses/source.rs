//! A statement as a source reads it: which MQTT messages it takes and the records they become.

use midge_codec::TopicFilter;

use super::{Findings, Use};
use crate::converter::{KeyPaths, SourceClass};
use crate::kcql::error::{KcqlError, Warning, shown};
use crate::kcql::path::{Field, Selection, Taken, dotted};
use crate::kcql::statement::{Clause, Statement};
use crate::template::{SourceVariable, Template};

/// What stands between the values of a key where KEYDELIMITER does not say it.
const DELIMITER: &str = ".";

/// MQTT to Kafka.
#[derive(Clone, Debug)]
pub struct Source {
    /// Which messages; it may be of a shared subscription.
    pub filter: TopicFilter,
    /// WITHREGEX: the whole MQTT topic must match it as well.
    pub regex: Option<TopicRegex>,
    /// The Kafka topic: a template as [`SourceRule::new`](crate::SourceRule::new) takes it, checked.
    pub kafka_topic: String,
    /// What becomes of a payload; nothing given: [`SourceClass::Bytes`].
    pub converter: SourceClass,
    /// The fields of the value that, joined, are the key, as paths with dots; none: the MQTT topic
    /// is.
    pub key: Vec<String>,
    /// Between those values.
    pub key_delimiter: String,
    /// SELECT and IGNORE, for payloads that are JSON or become structs.
    pub selection: Selection,
}

/// A regular expression that must match a whole MQTT topic.
#[derive(Clone, Debug)]
pub struct TopicRegex(regex::Regex);

/// The longest compiled regular expression, in bytes.
const REGEX_BYTES_MAX: usize = 1 << 20;

impl TopicRegex {
    fn new(pattern: &str) -> Result<TopicRegex, String> {
        // As Java's matches() has it: the whole topic.
        let whole = format!("^(?:{pattern})$");
        // The pattern alone first, so that a mistake is told in its own words.
        let _ = build(pattern)?;
        build(&whole).map(TopicRegex)
    }

    /// As it is told: "matches …".
    pub(in crate::kcql) fn pattern(&self) -> String {
        let written = self.0.as_str();
        let inner = written.strip_prefix("^(?:").and_then(|rest| rest.strip_suffix(")$"));
        format!("matches /{}/", inner.unwrap_or(written))
    }

    /// Whether it matches the whole topic.
    pub fn matches(&self, mqtt_topic: &str) -> bool {
        self.0.is_match(mqtt_topic)
    }
}

fn build(pattern: &str) -> Result<regex::Regex, String> {
    let regex = regex::RegexBuilder::new(pattern).size_limit(REGEX_BYTES_MAX).build();
    regex.map_err(|error| {
        // The last line says what is wrong, those before it draw the pattern.
        let error = error.to_string();
        error.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned()
    })
}

/// What WITHCONVERTER may name, for messages.
const CONVERTERS: &str = "BytesConverter, JsonSimpleConverter, JsonOptNullConverter, \
     JsonPassThroughConverter or AvroConverter, alone or in \
     io.lenses.streamreactor.connect.converters.source or \
     com.datamountaineer.streamreactor.connect.converters.source";

impl Source {
    /// The key as converters take it.
    #[must_use]
    pub fn key_paths(&self) -> KeyPaths {
        KeyPaths::new(self.key.iter().map(String::as_str), Some(&self.key_delimiter))
    }
}

impl Statement {
    /// What a source does with it, and what is worth a word; all mistakes otherwise.
    pub fn for_source(&self) -> Result<(Source, Vec<Warning>), Vec<KcqlError>> {
        let mut findings = Findings::new(self, Use::Source);
        let filter = match TopicFilter::try_from(self.source.text.as_str()) {
            Ok(filter) => Some(filter),
            Err(error) => {
                let expected = format!("an MQTT topic filter: {error}");
                findings.error(self.source.span, shown(&self.source.text), expected);
                None
            }
        };
        findings.source_topic();
        let converter = findings.converter();
        let regex = findings.regex();
        findings.source_columns();
        let key = findings.key();
        for (name, _) in &self.properties {
            findings.unknown_property(name, "no properties: those of a source are the connector's");
        }
        let source = filter.map(|filter| Source {
            filter,
            regex,
            kafka_topic: self.target.text.clone(),
            converter: converter.unwrap_or(SourceClass::Bytes),
            key,
            key_delimiter: self.key_delimiter.clone().unwrap_or_else(|| DELIMITER.to_owned()),
            selection: self.selection.clone(),
        });
        findings.done(source)
    }
}

impl Findings<'_> {
    fn source_topic(&mut self) {
        let target = self.statement.target.clone();
        if target.text != "$"
            && let Err(error) = Template::<SourceVariable>::parse(&target.text)
        {
            self.template(&target, error);
            return;
        }
        // The rule of the runtime has the last word on what is a topic.
        let name = midge_codec::Text::from_static("kcql");
        if let Err(error) = crate::SourceRule::new(name, &target.text, "", false) {
            let error = error.to_string();
            let error = error.strip_prefix("kafka topic: ").unwrap_or(&error).to_owned();
            self.error(target.span, shown(&target.text), format!("a Kafka topic: {error}"));
        }
    }

    fn converter(&mut self) -> Option<SourceClass> {
        let class = self.statement.converter.as_ref()?;
        let converter = SourceClass::named(&class.text).ok();
        if converter.is_none() {
            self.error(class.span, shown(&class.text), CONVERTERS);
        }
        converter
    }

    fn regex(&mut self) -> Option<TopicRegex> {
        let pattern = self.statement.regex.as_ref()?;
        match TopicRegex::new(&pattern.text) {
            Ok(regex) => Some(regex),
            Err(error) => {
                let expected = format!("a regular expression: {error}");
                self.error(pattern.span, shown(&pattern.text), expected);
                None
            }
        }
    }

    /// What a message has not before Kafka has it is no column.
    fn source_columns(&mut self) {
        for column in &self.statement.selection.columns {
            if let Taken::One { field: field @ (Field::Partition | Field::Offset), .. } =
                &column.taken
            {
                let expected = "no such column in a source: a message has none before Kafka has it";
                self.error(column.span, field.to_string(), expected);
            }
        }
    }

    fn key(&mut self) -> Vec<String> {
        let mut key = Vec::new();
        for (field, span) in &self.statement.key {
            match field {
                Field::Value(path)
                    if !path.is_empty() && !path.iter().any(|name| name.contains('.')) =>
                {
                    key.push(dotted(path));
                }
                Field::Value(path) if !path.is_empty() => {
                    let expected = "names without dots in them, since dots separate names here";
                    self.error(*span, shown(&dotted(path)), expected);
                }
                other => {
                    self.error(*span, other.to_string(), "a field of the value");
                }
            }
        }
        if let Some(span) = self.statement.place_of(Clause::KeyDelimiter)
            && key.len() < 2
        {
            self.warn(span, "KEYDELIMITER has no effect without two fields in WITHKEY");
        }
        key
    }
}
