//! From a Kafka record to MQTT publishes.

use std::sync::Arc;

use bytes::Bytes;

use super::error::{PipelineError, Stage};
use super::headers::HeaderConverter;
use crate::Refusal;
use crate::connect::{ConnectRecord, Header};
use crate::converter::{Answer, Converter, Question, RegistryOptions, Side, mqtt_payload};
use crate::headers::is_own;
use crate::kcql::Field;
use crate::projection::{Projection, text_of};
use crate::sink::{Outcome, Publish, Record, SinkRule};
use crate::transform::Chain;

/// What it says of itself where something is refused.
const CONNECTOR: &str = "io.lenses.streamreactor.connect.mqtt.sink.MqttSinkConnector";

/// The parts of a pipeline.
#[derive(Clone, Debug)]
pub struct SinkParts {
    /// `key.converter`.
    pub key: Converter,
    /// `value.converter`.
    pub value: Converter,
    /// `header.converter`.
    pub header: HeaderConverter,
    /// The transforms.
    pub chain: Chain,
    /// All of them that are about a record's topic publish it.
    pub statements: Vec<SinkStatement>,
}

/// What one statement of KCQL makes of a record.
#[derive(Clone, Debug)]
pub struct SinkStatement {
    /// The topic it is about; `None` is all topics.
    pub kafka_topic: Option<Arc<str>>,
    /// Topic, QoS, retain, tombstones and trail.
    pub rule: SinkRule,
    /// Where the MQTT topic comes from.
    pub target: SinkTarget,
    /// `SELECT` and `IGNORE`.
    pub projection: Projection,
}

/// Where a publish's topic comes from.
#[derive(Clone, Debug)]
pub enum SinkTarget {
    /// The rule's template.
    Rule,
    /// A field of the record, which must be text.
    Field(Field),
}

/// A pipeline from Kafka to MQTT. It remembers schemas, so each thread has its own.
#[derive(Clone, Debug)]
pub struct SinkPipeline {
    parts: SinkParts,
    /// Whether nothing of a record is changed before the rules see it, while its bytes are text.
    text_is_plain: bool,
    /// The same, whatever its bytes are.
    bytes_are_plain: bool,
}

impl SinkPipeline {
    /// A pipeline of these parts.
    #[must_use]
    pub fn new(parts: SinkParts) -> SinkPipeline {
        let SinkParts { key, value, header, chain, statements } = &parts;
        let unchanged = chain.is_empty()
            && matches!(header, HeaderConverter::Simple(_))
            && statements.iter().all(|statement| {
                statement.projection.is_everything() && matches!(statement.target, SinkTarget::Rule)
            });
        let plain = |bytes| unchanged && key.is_plain(bytes) && value.is_plain(bytes);
        let (text_is_plain, bytes_are_plain) = (plain(false), plain(true));
        SinkPipeline { parts, text_is_plain, bytes_are_plain }
    }

    /// The publishes of a record: one for each statement about its topic, none for a tombstone that
    /// is passed over or when a transform drops it.
    ///
    /// # Errors
    /// Why it can never be published, or not yet.
    pub fn publishes(
        &mut self,
        record: &Record<'_>,
        offset: i64,
        timestamp: Option<i64>,
    ) -> Result<Vec<Publish>, PipelineError> {
        let is_text =
            |bytes: Option<&[u8]>| bytes.is_none_or(|bytes| std::str::from_utf8(bytes).is_ok());
        let plain = self.bytes_are_plain
            || (self.text_is_plain && is_text(record.key) && is_text(record.value));
        if plain {
            return self.unchanged(record);
        }
        match self.record(record, offset, timestamp)? {
            Some(made) => self.of_record(&made, record.headers),
            None => Ok(Vec::new()),
        }
    }

    /// The publishes of a record that nothing changes.
    fn unchanged(&self, record: &Record<'_>) -> Result<Vec<Publish>, PipelineError> {
        let mut publishes = Vec::new();
        for statement in &self.parts.statements {
            if !statement.is_about(record.kafka_topic) {
                continue;
            }
            let outcome = statement.rule.publish(record);
            publishes.extend(published(outcome)?);
        }
        Ok(publishes)
    }

    /// The record as the statements see it; `None` when a transform drops it.
    pub(super) fn record(
        &mut self,
        record: &Record<'_>,
        offset: i64,
        timestamp: Option<i64>,
    ) -> Result<Option<ConnectRecord>, PipelineError> {
        let SinkParts { key, value, header, chain, .. } = &mut self.parts;
        let kafka_topic = record.kafka_topic;
        let datum = |side, converter: &mut Converter, bytes: Option<&[u8]>| {
            let bytes = bytes.map(Bytes::copy_from_slice);
            converter
                .to_connect(kafka_topic, bytes.as_ref())
                .map_err(|error| PipelineError::of_converter(side, converter.class(), error))
        };
        let key = datum(Side::Key, key, record.key)?;
        let value = datum(Side::Value, value, record.value)?;
        let mut headers = Vec::new();
        // The bridge's own have their say where the message is made.
        for (name, bytes) in record.headers.iter().filter(|(name, _)| !is_own(name)) {
            let bytes = bytes.map(Bytes::copy_from_slice);
            let datum = header.datum(kafka_topic, bytes.as_ref())?;
            headers.push(Header { name: Arc::from(*name), datum });
        }
        let record = ConnectRecord {
            kafka_topic: Arc::from(kafka_topic),
            partition: Some(record.partition),
            key,
            value,
            timestamp,
            headers,
            offset: Some(offset),
        };
        chain.apply(record).map_err(|error| PipelineError::of_transform(&error))
    }

    /// The publishes of a record as it has become; `own` are its headers as it came.
    fn of_record(
        &mut self,
        record: &ConnectRecord,
        own: &[(&str, Option<&[u8]>)],
    ) -> Result<Vec<Publish>, PipelineError> {
        let SinkParts { header, statements, .. } = &mut self.parts;
        let refused =
            |why: &dyn std::fmt::Display| PipelineError::of_task(Stage::TaskPut, CONNECTOR, why);
        let kafka_topic = &*record.kafka_topic;
        let mut headers = Vec::with_capacity(record.headers.len());
        for Header { name, datum } in &record.headers {
            headers.push((Arc::clone(name), header.bytes(kafka_topic, datum)?));
        }
        let own = own.iter().copied().filter(|(name, _)| is_own(name));
        let headers: Vec<(&str, Option<&[u8]>)> =
            headers.iter().map(|(name, value)| (&**name, value.as_deref())).chain(own).collect();
        let key = mqtt_payload(&record.key).map_err(|error| refused(&error))?;
        let mut publishes = Vec::new();
        for statement in statements.iter_mut().filter(|one| one.is_about(kafka_topic)) {
            let SinkStatement { rule, target, projection, .. } = statement;
            let value = projection
                .apply(record, kafka_topic)
                .map_err(|error| PipelineError::of_projection(Stage::TaskPut, CONNECTOR, &error))?;
            let payload = mqtt_payload(&value).map_err(|error| refused(&error))?;
            let seen = Record {
                kafka_topic,
                partition: record.partition.unwrap_or_default(),
                key: key.as_deref(),
                value: payload.as_deref(),
                headers: &headers,
            };
            let outcome = match target {
                SinkTarget::Rule => rule.publish(&seen),
                // A tombstone has no fields; where it would clear a topic, nobody can say which.
                SinkTarget::Field(Field::Value(_)) if payload.is_none() => Ok(Outcome::Skip),
                SinkTarget::Field(field) => {
                    let mqtt_topic = text_of(record, field).map_err(|why| refused(&why))?;
                    rule.publish_to(&mqtt_topic, &seen)
                }
            };
            publishes.extend(published(outcome)?);
        }
        Ok(publishes)
    }

    /// The schema registries it asks, by side.
    pub fn registries(&self) -> impl Iterator<Item = (Side, &RegistryOptions)> {
        let key = self.parts.key.registry().map(|options| (Side::Key, options));
        let value = self.parts.value.registry().map(|options| (Side::Value, options));
        key.into_iter().chain(value)
    }

    /// What a schema registry said to a question of this pipeline.
    pub fn answer(&mut self, side: Side, question: Question, answer: Result<Answer, String>) {
        match side {
            Side::Key => self.parts.key.answer(question, answer),
            Side::Value => self.parts.value.answer(question, answer),
        }
    }
}

impl SinkStatement {
    fn is_about(&self, kafka_topic: &str) -> bool {
        self.kafka_topic.as_ref().is_none_or(|topic| **topic == *kafka_topic)
    }
}

/// What a rule made of a record; nothing, when it passes it over.
fn published(outcome: Result<Outcome, Refusal>) -> Result<Option<Publish>, PipelineError> {
    match outcome {
        Ok(Outcome::Publish(publish)) => Ok(Some(publish)),
        Ok(Outcome::Skip) => Ok(None),
        Err(refusal) => Err(PipelineError::of_rule(Stage::TaskPut, CONNECTOR, &refusal)),
    }
}
