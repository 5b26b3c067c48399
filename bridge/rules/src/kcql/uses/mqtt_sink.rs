//! A statement as an MQTT sink reads it: which records it takes and the messages they become.

use midge_codec::{QoS, Text};

use super::{Findings, Use};
use crate::kcql::error::{KcqlError, Warning, shown};
use crate::kcql::path::{Field, Selection};
use crate::kcql::statement::{Name, Statement};
use crate::sink::{InvalidSinkRule, SinkRule, Tombstone};

/// The one property of an MQTT sink's statements.
const TARGET_FROM_FIELD: &str = "mqtt.target.from.field";

/// Kafka to MQTT.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MqttSink {
    /// The records of this topic.
    pub kafka_topic: String,
    /// The MQTT topic.
    pub target: MqttTarget,
    /// SELECT and IGNORE.
    pub selection: Selection,
}

/// Where the MQTT topic of a record's message comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MqttTarget {
    /// A template as [`SinkRule::new`] takes it, checked; `_key` is `${key}` and `_topic` is
    /// `${topic}`.
    Template(String),
    /// A field, which must be text.
    Field(Field),
}

impl Statement {
    /// What an MQTT sink does with it, and what is worth a word; all mistakes otherwise.
    pub fn for_mqtt_sink(&self) -> Result<(MqttSink, Vec<Warning>), Vec<KcqlError>> {
        let mut findings = Findings::new(self, Use::MqttSink);
        let kafka_topic = findings.kafka_topic();
        let target = findings.mqtt_target();
        findings.format();
        let selection = self.selection.clone();
        findings.done(Some(MqttSink { kafka_topic, target, selection }))
    }
}

impl Findings<'_> {
    fn mqtt_target(&mut self) -> MqttTarget {
        let Statement { target, with_target, .. } = self.statement;
        let from_field = self.target_from_field();
        if let Some(field) = with_target {
            return MqttTarget::Field(field.clone());
        }
        let template = match target.text.to_ascii_lowercase().as_str() {
            "_key" => "${key}",
            "_topic" => "${topic}",
            _ if from_field => {
                let path: Vec<String> = target.text.split('.').map(str::to_owned).collect();
                if path.iter().any(String::is_empty) {
                    let expected = "names with dots between them";
                    self.error(target.span, shown(&target.text), expected);
                }
                return MqttTarget::Field(Field::Value(path));
            }
            _ => target.text.as_str(),
        };
        // The rule of the runtime has the last word on what is a topic.
        let name = Text::from_static("kcql");
        match SinkRule::new(name, template, QoS::AtMostOnce, false, Tombstone::Skip) {
            Ok(_) => {}
            Err(InvalidSinkRule::Template(error)) => self.template(target, error),
            Err(InvalidSinkRule::Topic(error)) => {
                let expected = format!("an MQTT topic, _key or _topic: {error}");
                self.error(target.span, shown(&target.text), expected);
            }
        }
        MqttTarget::Template(template.to_owned())
    }

    /// Whether the target is the path of a field.
    fn target_from_field(&mut self) -> bool {
        let mut from_field = false;
        for (name, value) in &self.statement.properties {
            if name.text != TARGET_FROM_FIELD {
                self.unknown_property(name, "'mqtt.target.from.field'");
                continue;
            }
            match value.text.to_ascii_lowercase().as_str() {
                "true" => from_field = true,
                "false" => from_field = false,
                _ => self.error(value.span, shown(&value.text), "'true' or 'false'"),
            }
        }
        from_field
    }

    fn format(&mut self) {
        let Some(Name { text, span, .. }) = &self.statement.format else { return };
        if !text.eq_ignore_ascii_case("JSON") {
            self.error(*span, shown(text), "JSON, the one format of an MQTT sink");
        }
    }
}
