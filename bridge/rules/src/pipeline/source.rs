//! From an MQTT publish to a Kafka record.

use std::sync::Arc;

use bytes::Bytes;

use super::error::{PipelineError, Stage};
use super::headers::HeaderConverter;
use crate::connect::{ConnectRecord, Datum, Header, Kind, Schema, SchemaRef, Value};
use crate::converter::{
    Answer, Converter, KeyPaths, Question, RegistryOptions, Side, SourceClass, SourceConverter,
};
use crate::headers::TRAIL;
use crate::kafka_topic::check_kafka_topic;
use crate::kcql::TopicRegex;
use crate::projection::Projection;
use crate::source::{Message, RecordBuffer, SourceRule};
use crate::transform::Chain;

/// What it says of itself where something is refused.
const CONNECTOR: &str = "io.lenses.streamreactor.connect.mqtt.source.MqttSourceConnector";

/// The parts of a pipeline.
#[derive(Clone, Debug)]
pub struct SourceParts {
    /// Topic, key without `WITHKEY`, headers and trail.
    pub rule: SourceRule,
    /// `WITHREGEX`.
    pub regex: Option<TopicRegex>,
    /// What a payload is.
    pub source: SourceConverter,
    /// `WITHKEY`.
    pub keys: KeyPaths,
    /// `SELECT` and `IGNORE`.
    pub projection: Projection,
    /// The transforms.
    pub chain: Chain,
    /// `key.converter`.
    pub key: Converter,
    /// `value.converter`.
    pub value: Converter,
    /// `header.converter`.
    pub header: HeaderConverter,
}

/// A pipeline from MQTT to Kafka. It remembers schemas, so each thread has its own.
#[derive(Clone, Debug)]
pub struct SourcePipeline {
    parts: SourceParts,
    text: SchemaRef,
    buffer: RecordBuffer,
}

/// A record as Kafka takes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KafkaRecord {
    /// The topic, legal.
    pub kafka_topic: Arc<str>,
    /// The partition, when a transform has said one.
    pub partition: Option<i32>,
    /// The key.
    pub key: Option<Bytes>,
    /// The value; `None` is a tombstone.
    pub value: Option<Bytes>,
    /// Milliseconds since the epoch.
    pub timestamp: Option<i64>,
    /// The headers, in order.
    pub headers: Vec<(Arc<str>, Option<Bytes>)>,
}

impl SourcePipeline {
    /// A pipeline of these parts.
    #[must_use]
    pub fn new(parts: SourceParts) -> SourcePipeline {
        let text = Arc::new(Schema::new(Kind::String));
        SourcePipeline { parts, text, buffer: RecordBuffer::default() }
    }

    /// The record of a publish; `None` when it is not for this statement or a transform drops it.
    ///
    /// # Errors
    /// Why there is none, or none yet.
    pub fn record(
        &mut self,
        message: &Message<'_>,
        payload: &Bytes,
        received_unix_millis: i64,
    ) -> Result<Option<KafkaRecord>, PipelineError> {
        let SourceParts { rule, regex, source, keys, projection, chain, key, value, header } =
            &mut self.parts;
        let mqtt_topic = message.topic.as_str();
        if regex.as_ref().is_some_and(|regex| !regex.matches(mqtt_topic)) {
            return Ok(None);
        }
        if !rule.takes(message.topic) {
            return Ok(None);
        }
        let of_rule = |refusal| PipelineError::of_rule(Stage::TaskPoll, CONNECTOR, &refusal);
        rule.record(message, &mut self.buffer).map_err(of_rule)?;
        let (mut key_datum, value_datum) = source
            .convert(mqtt_topic, payload, keys)
            .map_err(|error| PipelineError::of_task(Stage::TaskPoll, CONNECTOR, error))?;
        if keys.is_empty() {
            key_datum.value = Value::string(self.buffer.key.as_str());
        }
        let mut headers = Vec::new();
        rule.headers(message, |name, bytes| {
            if name != TRAIL {
                let text = Value::string(&*String::from_utf8_lossy(bytes));
                let datum = Datum::with_schema(Arc::clone(&self.text), text);
                headers.push(Header { name: Arc::from(name), datum });
            }
        });
        let mut record = ConnectRecord {
            kafka_topic: Arc::from(self.buffer.kafka_topic.as_str()),
            partition: None,
            key: key_datum,
            value: value_datum,
            timestamp: Some(received_unix_millis),
            headers,
            offset: None,
        };
        if !projection.is_everything() {
            record.value = projection.apply(&record, mqtt_topic).map_err(|error| {
                PipelineError::of_projection(Stage::TaskPoll, CONNECTOR, &error)
            })?;
        }
        let Some(record) =
            chain.apply(record).map_err(|error| PipelineError::of_transform(&error))?
        else {
            return Ok(None);
        };
        let kafka_topic = record.kafka_topic;
        check_kafka_topic(&kafka_topic).map_err(|error| of_rule(error.into()))?;
        let bytes = |side, converter: &mut Converter, datum: &Datum| {
            converter
                .from_connect(&kafka_topic, datum)
                .map_err(|error| PipelineError::of_converter(side, converter.class(), error))
        };
        let key = match &record.key.value {
            // Its own key is text, and stays so whatever passes bytes on.
            Value::String(text) if key.is_plain(true) => {
                Some(Bytes::copy_from_slice(text.as_bytes()))
            }
            _ => bytes(Side::Key, key, &record.key)?,
        };
        let value = bytes(Side::Value, value, &record.value)?;
        let mut headers = Vec::with_capacity(record.headers.len() + 1 + message.trail.len());
        for Header { name, datum } in &record.headers {
            headers.push((Arc::clone(name), header.bytes(&kafka_topic, datum)?));
        }
        // Transforms may drop headers, and must not drop the guard against circles.
        let trail = message.trail.iter().chain([rule.name()]);
        headers.extend(
            trail.map(|name| (Arc::from(TRAIL), Some(Bytes::copy_from_slice(name.as_bytes())))),
        );
        let (partition, timestamp) = (record.partition, record.timestamp);
        Ok(Some(KafkaRecord { kafka_topic, partition, key, value, timestamp, headers }))
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

    /// The rule in it.
    #[must_use]
    pub fn rule(&self) -> &SourceRule {
        &self.parts.rule
    }

    /// The Kafka topic, when it is the same for all messages.
    #[must_use]
    pub fn constant_kafka_topic(&self) -> Option<&str> {
        self.parts.rule.constant_kafka_topic().filter(|_| self.parts.chain.is_empty())
    }

    /// Whether transforms may change a record's topic.
    #[must_use]
    pub fn has_transforms(&self) -> bool {
        !self.parts.chain.is_empty()
    }

    /// Whether it changes nothing: payloads stay as they are, keys are those of the rule.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        let SourceParts { regex, source, keys, projection, chain, key, value, header, .. } =
            &self.parts;
        regex.is_none()
            && source.class() == SourceClass::Bytes
            && keys.is_empty()
            && projection.is_everything()
            && chain.is_empty()
            && value.is_plain(true)
            && key.is_plain(false)
            && matches!(header, HeaderConverter::Simple(_))
    }
}
