//! A statement as a source reads it: which MQTT messages it takes and the records they become.

use midge_codec::TopicFilter;

use super::{Findings, Use};
use crate::kcql::error::{KcqlError, Warning, shown};
use crate::kcql::path::{Field, Selection, Taken};
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
    /// What becomes of a payload; nothing given: [`SourceConverter::Bytes`].
    pub converter: SourceConverter,
    /// The fields whose values, joined, are the key; none: the MQTT topic is.
    pub key: Vec<Field>,
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

/// The converters of sources, by the names of their classes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SourceConverter {
    /// `BytesConverter`: the payload as it is.
    #[default]
    Bytes,
    /// `JsonSimpleConverter`: JSON to a struct with a schema.
    JsonSimple,
    /// `JsonPassThroughConverter`: JSON as it is, checked.
    JsonPassThrough,
    /// `JsonOptNullConverter`: JSON to a struct whose fields are all optional.
    JsonOptNull,
    /// `AvroConverter`: Avro to a struct, by the schema of the topic.
    Avro,
}

impl SourceConverter {
    /// All of them, with the last part of their class.
    pub const ALL: [(SourceConverter, &'static str); 5] = [
        (SourceConverter::Bytes, "BytesConverter"),
        (SourceConverter::JsonSimple, "JsonSimpleConverter"),
        (SourceConverter::JsonPassThrough, "JsonPassThroughConverter"),
        (SourceConverter::JsonOptNull, "JsonOptNullConverter"),
        (SourceConverter::Avro, "AvroConverter"),
    ];

    /// By the name of its class, of either family; both have had their converters in two places.
    pub fn by_class(class: &str) -> Option<SourceConverter> {
        let (package, simple) = class.rsplit_once('.')?;
        let path = package
            .strip_prefix("com.datamountaineer.streamreactor.")
            .or_else(|| package.strip_prefix("io.lenses.streamreactor."))?;
        if !matches!(path, "connect.converters.source" | "common.converters.source") {
            return None;
        }
        Self::ALL.into_iter().find(|(_, name)| *name == simple).map(|(converter, _)| converter)
    }

    /// The last part of its class.
    pub fn simple_name(self) -> &'static str {
        let mut all = Self::ALL.into_iter();
        all.find(|(converter, _)| *converter == self).map_or("", |(_, name)| name)
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
        findings.source_fields();
        for (name, _) in &self.properties {
            findings.unknown_property(name, "no properties: those of a source are the connector's");
        }
        let source = filter.map(|filter| Source {
            filter,
            regex,
            kafka_topic: self.target.text.clone(),
            converter: converter.unwrap_or_default(),
            key: self.key.iter().map(|(field, _)| field.clone()).collect(),
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

    fn converter(&mut self) -> Option<SourceConverter> {
        let class = self.statement.converter.as_ref()?;
        let converter = SourceConverter::by_class(&class.text);
        if converter.is_none() {
            let names = SourceConverter::ALL.map(|(_, name)| name).join(", ");
            let expected = format!(
                "io.lenses.streamreactor.connect.converters.source. or \
                 com.datamountaineer.streamreactor.connect.converters.source. and one of {names}"
            );
            self.error(class.span, shown(&class.text), expected);
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

    /// What a message has not before Kafka has it.
    fn source_fields(&mut self) {
        for column in &self.statement.selection.columns {
            if let Taken::One { field: field @ (Field::Partition | Field::Offset), .. } =
                &column.taken
            {
                let expected = "no such column in a source: a message has none before Kafka has it";
                self.error(column.span, field.to_string(), expected);
            }
        }
        for (field, span) in &self.statement.key {
            let expected = match field {
                Field::Partition | Field::Offset => {
                    "a field that a message has before Kafka has it"
                }
                Field::Key(_) => "a field of the value: the key is what is to be made",
                _ => continue,
            };
            self.error(*span, field.to_string(), expected);
        }
        let delimiter = self.statement.place_of(Clause::KeyDelimiter);
        if let Some(span) = delimiter
            && self.statement.key.len() < 2
        {
            let message = "KEYDELIMITER has no effect without two fields in WITHKEY";
            self.warn(span, message);
        }
    }
}
