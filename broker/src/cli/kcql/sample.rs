//! A sample on its way through one statement.

use std::sync::Arc;

use bytes::Bytes;
use midge_codec::{QoS, Text, TopicName};
use midge_rules::connect::{ConnectRecord, Datum, Header, Value};
use midge_rules::converter::{Converter, Side, SourceClass, SourceConverter, mqtt_payload};
use midge_rules::influx::PointRule;
use midge_rules::kcql::{InfluxSink, Line, MqttSink, MqttTarget, Source, Tag};
use midge_rules::projection::{Missing, Projection, text_of};
use midge_rules::{Message, Outcome, Record, RecordBuffer, SinkRule, SourceRule, Tombstone};

use crate::cli::options::{KcqlMessage, KcqlRecord};

/// What a sample's rules are called where a name is needed.
const NAME: &str = "kcql";

/// What an MQTT message becomes.
pub(super) fn of_source(source: &Source, message: &KcqlMessage) -> Vec<Line> {
    record_of(source, message).unwrap_or_else(|why| vec![("not taken", why)])
}

fn record_of(source: &Source, sample: &KcqlMessage) -> Result<Vec<Line>, String> {
    let topic = TopicName::try_from(sample.topic.as_str()).map_err(|error| error.to_string())?;
    if !source.filter.matches(&topic) {
        return Err(format!("its topic does not match {}", source.filter.filter()));
    }
    if source.regex.as_ref().is_some_and(|regex| !regex.matches(topic.as_str())) {
        return Err("its topic does not match WITHREGEX".to_owned());
    }
    if source.converter == SourceClass::Avro {
        return Err("an Avro payload needs the schema of its connector".to_owned());
    }
    let rule = SourceRule::new(Text::from_static(NAME), &source.kafka_topic, "${topic}", false);
    let rule = rule.map_err(text)?;
    let message = Message {
        topic: &topic,
        client_id: Some("sample"),
        username: None,
        qos: QoS::AtLeastOnce,
        retain: false,
        properties: None,
        trail: &[],
    };
    let mut parts = RecordBuffer::default();
    rule.record(&message, &mut parts).map_err(text)?;
    let mut converter = SourceConverter::new(source.converter, None).map_err(text)?;
    let payload = Bytes::copy_from_slice(sample.payload.as_bytes());
    let (key, value) =
        converter.convert(topic.as_str(), &payload, &source.key_paths()).map_err(text)?;
    let record = ConnectRecord {
        kafka_topic: Arc::from(parts.kafka_topic.as_str()),
        key,
        value,
        timestamp: Some(0),
        ..ConnectRecord::default()
    };
    let mut projection = Projection::new(&source.selection, Missing::LeftOut);
    let value = projection.apply(&record, topic.as_str()).map_err(text)?;
    Ok(vec![
        ("Kafka topic", parts.kafka_topic),
        ("key", shown(&record.key)?),
        ("value", shown(&value)?),
    ])
}

/// What a record becomes in MQTT.
pub(super) fn of_mqtt_sink(sink: &MqttSink, record: &KcqlRecord) -> Vec<Line> {
    message_of(sink, record).unwrap_or_else(|why| vec![("refused", why)])
}

fn message_of(sink: &MqttSink, sample: &KcqlRecord) -> Result<Vec<Line>, String> {
    let record = connect_record(&sink.kafka_topic, sample);
    let mut projection = Projection::new(&sink.selection, Missing::LeftOut);
    let value = projection.apply(&record, &sink.kafka_topic).map_err(text)?;
    let payload = mqtt_payload(&value).map_err(text)?;
    let template = match &sink.target {
        MqttTarget::Template(template) => template.clone(),
        // A field's text is no template.
        MqttTarget::Field(field) => text_of(&record, field)?.replace('$', "$$"),
    };
    let name = Text::from_static(NAME);
    let rule = SinkRule::new(name, &template, QoS::AtLeastOnce, false, Tombstone::Skip);
    let headers: Vec<(&str, Option<&[u8]>)> = sample
        .headers
        .iter()
        .map(|(name, value)| (name.as_str(), Some(value.as_bytes())))
        .collect();
    let seen = Record {
        kafka_topic: &sink.kafka_topic,
        partition: 0,
        key: sample.key.as_deref().map(str::as_bytes),
        value: payload.as_deref(),
        headers: &headers,
    };
    match rule.map_err(text)?.publish(&seen).map_err(text)? {
        Outcome::Publish(publish) => Ok(vec![
            ("MQTT topic", publish.topic.to_string()),
            ("payload", String::from_utf8_lossy(&publish.payload).into_owned()),
        ]),
        Outcome::Skip => Ok(vec![("passed over", "a record without a value".to_owned())]),
    }
}

/// What a record becomes in InfluxDB.
pub(super) fn of_influx_sink(sink: &InfluxSink, record: &KcqlRecord) -> Vec<Line> {
    point_of(sink, record).unwrap_or_else(|why| vec![("refused", why)])
}

fn point_of(sink: &InfluxSink, sample: &KcqlRecord) -> Result<Vec<Line>, String> {
    let record = connect_record(&sink.kafka_topic, sample);
    let point = PointRule::new(sink).point(&record).map_err(text)?;
    let Some(point) = point else {
        return Ok(vec![("passed over", "a record without a value".to_owned())]);
    };
    let mut lines = vec![("line", point.without_time())];
    for tag in &sink.tags {
        if let Tag::Field { name, field } = tag
            && !point.tags.iter().any(|(tag, _)| tag == name)
        {
            lines.push(("no tag", format!("{name}: the record has no {field}")));
        }
    }
    let now = || "when it is written".to_owned();
    lines.push(("time", point.time_ns.map_or_else(now, |time| format!("{time} ns"))));
    Ok(lines)
}

/// The sample as a sink's converters would make it of its bytes: JSON in Connect's envelope or
/// without, or else text.
fn connect_record(kafka_topic: &str, sample: &KcqlRecord) -> ConnectRecord {
    let bytes = Bytes::copy_from_slice(sample.value.as_bytes());
    let json = |schemas| {
        let options =
            [("value.converter", "JsonConverter"), ("value.converter.schemas.enable", schemas)];
        let converter = Converter::from_options(Side::Value, "value.converter", options);
        converter.ok()?.to_connect(kafka_topic, Some(&bytes)).ok()
    };
    let string = || Datum::schemaless(Value::string(sample.value.as_str()));
    let headers = sample.headers.iter().map(|(name, value)| Header {
        name: Arc::from(name.as_str()),
        datum: Datum::schemaless(Value::string(value.as_str())),
    });
    ConnectRecord {
        kafka_topic: Arc::from(kafka_topic),
        partition: Some(0),
        key: sample
            .key
            .as_deref()
            .map_or_else(Datum::default, |key| Datum::schemaless(Value::string(key))),
        value: json("true").or_else(|| json("false")).unwrap_or_else(string),
        timestamp: Some(0),
        headers: headers.collect(),
        offset: Some(0),
    }
}

/// A value as it would be in a payload.
fn shown(datum: &Datum) -> Result<String, String> {
    let bytes = mqtt_payload(datum).map_err(text)?;
    Ok(bytes
        .map_or_else(|| "null".to_owned(), |bytes| String::from_utf8_lossy(&bytes).into_owned()))
}

#[allow(clippy::needless_pass_by_value)] // as map_err wants it
fn text(error: impl ToString) -> String {
    error.to_string()
}
