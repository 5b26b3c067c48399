//! What a statement does, in plain words, and who it was most likely written for.

use super::error::shown;
use super::path::{Column, Field, Selection, Taken, dotted};
use super::statement::{Clause, Statement, Tag, TimestampFrom, TimestampUnit};
use super::uses::{InfluxSink, Measurement, MqttSink, MqttTarget, Source, Use};
use crate::converter::SourceClass;

/// A line of an explanation: what it is about, and the words.
pub type Line = (&'static str, String);

impl Statement {
    /// Who it was most likely written for: the same text may be right for several.
    pub fn likely_use(&self) -> Use {
        let given = |clauses: &[Clause]| clauses.iter().any(|c| self.place_of(*c).is_some());
        let influx = [Clause::WithTag, Clause::WithTimestamp, Clause::TimestampUnit];
        let source =
            [Clause::WithConverter, Clause::WithKey, Clause::KeyDelimiter, Clause::WithRegex];
        if given(&source) || self.source.text.contains(['/', '+', '#']) {
            Use::Source
        } else if given(&influx) {
            Use::Influx
        } else {
            Use::MqttSink
        }
    }
}

impl Source {
    /// What it does, in plain words.
    pub fn explained(&self) -> Vec<Line> {
        let filter = self.filter.filter();
        let mut takes = match self.filter.has_wildcards() {
            true => format!("MQTT messages whose topic matches {filter}"),
            false => format!("MQTT messages of topic {filter}"),
        };
        if let Some(share) = self.filter.share_name() {
            takes.push_str(&format!(", shared with the other members of {share}"));
        }
        if let Some(regex) = &self.regex {
            takes.push_str(&format!(", and the whole of it {}", regex.pattern()));
        }
        let to = match self.kafka_topic.as_str() {
            "$" => "the Kafka topic named as the MQTT topic: no slash at its start, _ for the \
                    others"
                .to_owned(),
            template if template.contains('$') => {
                format!("the Kafka topic that {template} makes of the message")
            }
            topic => format!("Kafka topic {topic}"),
        };
        let key = match self.key.as_slice() {
            [] => "the MQTT topic".to_owned(),
            [field] => format!("field {field}, as text"),
            fields => format!(
                "fields {}, as text with {} between them",
                fields.join(", "),
                shown(&self.key_delimiter)
            ),
        };
        let mut lines = vec![("takes", takes), ("writes to", to), ("key", key)];
        let projected = !self.selection.is_everything();
        lines.push(("value", converted(self.converter, projected).to_owned()));
        lines.extend(selection(&self.selection));
        lines
    }
}

impl MqttSink {
    /// What it does, in plain words.
    pub fn explained(&self) -> Vec<Line> {
        let to = match &self.target {
            MqttTarget::Template(template) => match template.as_str() {
                "${key}" => "the MQTT topic that the record's key names".to_owned(),
                "${topic}" => "the MQTT topic named as the Kafka topic".to_owned(),
                template if template.contains('$') => {
                    format!("the MQTT topic that {template} makes of the record")
                }
                topic => format!("MQTT topic {topic}"),
            },
            MqttTarget::Field(field) => format!("the MQTT topic that {} names", of_value(field)),
        };
        let value = match self.selection.is_everything() {
            true => "text and bytes as they are, anything else as JSON",
            false => "JSON of the columns; text and bytes are read as JSON first",
        };
        let mut lines = vec![
            ("takes", format!("records of Kafka topic {}", self.kafka_topic)),
            ("publishes to", to),
            ("payload", value.to_owned()),
        ];
        lines.extend(selection(&self.selection));
        lines.push((
            "QoS",
            "the connector's: connect.mqtt.service.quality, 1 by default".to_owned(),
        ));
        lines
    }
}

impl InfluxSink {
    /// What it does, in plain words.
    pub fn explained(&self) -> Vec<Line> {
        let to = match &self.measurement {
            Measurement::Literal(name) => format!("measurement {name}"),
            Measurement::Field(field) => format!("the measurement that {} names", of_value(field)),
        };
        let mut lines = vec![
            ("takes", format!("records of Kafka topic {}", self.kafka_topic)),
            ("writes to", to),
        ];
        lines.extend(selection(&self.selection));
        if self.selection.is_everything() {
            lines.push(("fields", "all fields of the value".to_owned()));
        }
        let time = match &self.timestamp {
            TimestampFrom::SystemTime => "when the point is written".to_owned(),
            TimestampFrom::Field(field) => {
                let unit = match self.timestamp_unit {
                    TimestampUnit::Nanoseconds => "nanoseconds",
                    TimestampUnit::Microseconds => "microseconds",
                    TimestampUnit::Milliseconds => "milliseconds",
                    TimestampUnit::Seconds => "seconds",
                };
                let field = of_value(field);
                format!("{field}: integers are {unit}, text is ISO 8601; absent: when written")
            }
        };
        lines.push(("time", time));
        for tag in &self.tags {
            lines.push((
                "tag",
                match tag {
                    Tag::Constant { name, value } => format!("{name}, always {}", shown(value)),
                    Tag::Field { name, field } => format!("{name}, from {}", of_value(field)),
                },
            ));
        }
        if let Some(batch) = self.batch {
            lines.push(("batch", format!("at most {batch} points a write")));
        }
        lines
    }
}

fn converted(class: SourceClass, projected: bool) -> &'static str {
    match (class, projected) {
        (SourceClass::Bytes, false) => "the payload, byte for byte (BytesConverter)",
        (SourceClass::Bytes, true) => "JSON of the columns; the payload must be JSON",
        (SourceClass::JsonPassThrough, false) => {
            "the payload, which must be JSON (JsonPassThroughConverter)"
        }
        (SourceClass::JsonPassThrough, true) => {
            "JSON of the columns; the payload must be JSON (JsonPassThroughConverter)"
        }
        (SourceClass::JsonSimple, _) => {
            "a struct of optional fields, made of the JSON payload (JsonSimpleConverter)"
        }
        (SourceClass::JsonOptNull, _) => {
            "a struct whose nulls are optional, made of the JSON payload (JsonOptNullConverter)"
        }
        (SourceClass::Avro, _) => {
            "a struct, made of the Avro payload by the schema of its topic (AvroConverter)"
        }
    }
}

/// The columns, unless they are all.
fn selection(selection: &Selection) -> Vec<Line> {
    let mut lines = Vec::new();
    let everything =
        |column: &Column| matches!(&column.taken, Taken::AllOfValue(p) if p.is_empty());
    if selection.columns.len() > 1 || !selection.columns.iter().all(everything) {
        lines.push(("columns", listed(selection.columns.iter().map(column))));
    }
    if !selection.ignored.is_empty() {
        lines.push(("left out", listed(selection.ignored.iter().map(|path| dotted(path)))));
    }
    lines
}

fn column(column: &Column) -> String {
    match &column.taken {
        Taken::AllOfValue(path) if path.is_empty() => "all fields of the value".to_owned(),
        Taken::AllOfValue(path) => format!("all fields of {}", dotted(path)),
        Taken::AllOfKey(path) if path.is_empty() => "all fields of the key".to_owned(),
        Taken::AllOfKey(path) => format!("all fields of {} of the key", dotted(path)),
        Taken::One { field, name } if field.to_string() == *name => name.clone(),
        Taken::One { field, name } => format!("{field} as {name}"),
    }
}

/// A field with where it is.
fn of_value(field: &Field) -> String {
    match field {
        Field::Value(path) if path.is_empty() => "the value".to_owned(),
        Field::Value(path) => format!("field {}", dotted(path)),
        Field::Key(path) if path.is_empty() => "the key".to_owned(),
        Field::Key(path) => format!("field {} of the key", dotted(path)),
        Field::Header(name) => format!("header {name}"),
        Field::Topic => "the topic".to_owned(),
        Field::Partition => "the partition".to_owned(),
        Field::Offset => "the offset".to_owned(),
        Field::Timestamp => "the record's timestamp".to_owned(),
    }
}

fn listed(words: impl Iterator<Item = String>) -> String {
    words.collect::<Vec<_>>().join(", ")
}
