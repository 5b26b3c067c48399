//! What each use makes of a statement, and which clauses it obeys.
//!
//! Invariant: for every clause and every use there is one answer in [`obedience`], and nothing is
//! passed over without a word.

mod influx;
mod mqtt_sink;
mod source;

pub use influx::{InfluxSink, Measurement};
pub use mqtt_sink::{MqttSink, MqttTarget};
pub use source::{Source, TopicRegex};

use super::error::{KcqlError, Span, Warning, shown};
use super::statement::{Clause, Mode, Name, Statement};
use crate::kafka_topic::check_kafka_topic;
use crate::template::TemplateError;

/// Who reads a statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    /// MQTT to Kafka.
    Source,
    /// Kafka to MQTT.
    MqttSink,
    /// Kafka to InfluxDB.
    Influx,
}

impl Use {
    /// As messages name it.
    pub fn named(self) -> &'static str {
        match self {
            Use::Source => "an MQTT source",
            Use::MqttSink => "an MQTT sink",
            Use::Influx => "an InfluxDB sink",
        }
    }
}

/// What a use does with a clause.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Obedience {
    /// What it says.
    Obeyed,
    /// Nothing, and the result is the same: a warning says why.
    NoEffect(&'static str),
    /// The result would not be what was asked for: an error says why.
    Refused(&'static str),
}

/// What a use does with a clause.
pub fn obedience(reader: Use, clause: Clause) -> Obedience {
    use Obedience::{NoEffect, Obeyed, Refused};
    match (clause, reader) {
        (Clause::Ignore | Clause::Properties, _) => Obeyed,
        (Clause::Limit, _) => Refused("a stream has no last record"),
        (Clause::Pk, Use::Influx) => Refused("a point is known by its tags and its time"),
        (Clause::Pk, Use::Source) => Refused("WITHKEY makes a record's key"),
        (Clause::Pk, Use::MqttSink) => Refused("a message has no key"),
        (Clause::PartitionBy, Use::Source) => {
            Refused("the key chooses the partition, and WITHKEY makes the key")
        }
        (Clause::PartitionBy, _) => Refused("MQTT and InfluxDB have no partitions"),
        (Clause::WithTarget, Use::Source) => {
            Refused("the Kafka topic stands behind INTO, as a name or a template")
        }
        (Clause::WithTarget, _) => Obeyed,
        (Clause::Batch, Use::Influx) => Obeyed,
        (Clause::Batch, _) => NoEffect("batches form by themselves, as fast as the other side is"),
        (Clause::WithTimestamp | Clause::TimestampUnit, Use::Influx) => Obeyed,
        (Clause::WithTimestamp | Clause::TimestampUnit, Use::Source) => {
            Refused("a record's time is when the broker received the message")
        }
        (Clause::WithTimestamp | Clause::TimestampUnit, Use::MqttSink) => {
            Refused("a message has no time")
        }
        (Clause::WithTag, Use::Influx) => Obeyed,
        (Clause::WithTag, _) => Refused("only points of InfluxDB have tags"),
        (Clause::WithFormat, Use::MqttSink) => {
            NoEffect("text and bytes stay as they are, anything else becomes JSON")
        }
        (Clause::WithFormat, Use::Source) => Refused("WITHCONVERTER says what a payload is"),
        (Clause::WithFormat, Use::Influx) => Refused("a point has one format"),
        (Clause::WithConverter, Use::Source) => Obeyed,
        (Clause::WithConverter, _) => Refused("value.converter says how a record is read"),
        (Clause::WithKey | Clause::KeyDelimiter, Use::Source) => Obeyed,
        (Clause::WithKey | Clause::KeyDelimiter, Use::MqttSink) => Refused("a message has no key"),
        (Clause::WithKey | Clause::KeyDelimiter, Use::Influx) => {
            Refused("a point is known by its tags, and WITHTAG makes them")
        }
        (Clause::WithRegex, Use::Source) => Obeyed,
        (Clause::WithRegex, _) => Refused("topics.regex chooses the topics"),
    }
}

/// Mistakes and warnings of one statement, gathered.
struct Findings<'a> {
    statement: &'a Statement,
    errors: Vec<KcqlError>,
    warnings: Vec<Warning>,
}

impl<'a> Findings<'a> {
    /// Begins with what the table says of the clauses.
    fn new(statement: &'a Statement, reader: Use) -> Findings<'a> {
        let mut findings = Findings { statement, errors: Vec::new(), warnings: Vec::new() };
        if statement.mode == Mode::Upsert {
            let end = statement.span.start + "UPSERT".len();
            let span = Span { start: statement.span.start, end };
            findings.warn(span, format!("UPSERT is the same as INSERT in {}", reader.named()));
        }
        for (clause, span) in &statement.given {
            let keyword = clause.keyword();
            match obedience(reader, *clause) {
                Obedience::Obeyed => {}
                Obedience::NoEffect(why) => {
                    let reader = reader.named();
                    findings.warn(*span, format!("{keyword} has no effect in {reader}: {why}"));
                }
                Obedience::Refused(why) => {
                    let expected = format!("none in {}: {why}", reader.named());
                    findings.error(*span, keyword.to_owned(), expected);
                }
            }
        }
        findings
    }

    fn error(&mut self, span: Span, found: impl Into<String>, expected: impl Into<String>) {
        self.errors.push(KcqlError::new(&self.statement.text, span, found, expected));
    }

    fn warn(&mut self, span: Span, message: impl Into<String>) {
        self.warnings.push(Warning::new(&self.statement.text, span, message));
    }

    /// The Kafka topic behind FROM.
    fn kafka_topic(&mut self) -> String {
        let Name { text, span, .. } = &self.statement.source;
        if let Err(error) = check_kafka_topic(text) {
            self.error(*span, shown(text), format!("a Kafka topic: {error}"));
        }
        text.clone()
    }

    /// A mistake of a template, at its place inside the name.
    fn template(&mut self, name: &Name, error: TemplateError) {
        let TemplateError { column, found, expected } = error;
        let written = &self.statement.text[name.span.start + name.quote..name.span.end];
        // Names of several parts have quotes inside; then the name is marked as a whole.
        let span = match written.starts_with(name.text.as_str()) {
            true => {
                let before = name.text.char_indices().nth(column - 1);
                let at = before.map_or(name.text.len(), |(at, _)| at);
                let start = name.span.start + name.quote + at;
                Span { start, end: start + 1 }
            }
            false => name.span,
        };
        self.error(span, found, expected);
    }

    /// A property that this use has not.
    fn unknown_property(&mut self, name: &Name, known: &str) {
        self.error(name.span, format!("property {}", shown(&name.text)), known);
    }

    fn done<T>(self, made: Option<T>) -> Result<(T, Vec<Warning>), Vec<KcqlError>> {
        match made {
            Some(made) if self.errors.is_empty() => Ok((made, self.warnings)),
            _ => Err(self.errors),
        }
    }
}
