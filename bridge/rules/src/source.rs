//! A source rule: an MQTT publish becomes a Kafka record.
//!
//! The record's parts go into a [`RecordBuffer`] that is used again for the next message, so that
//! mapping costs no allocation once the buffers have grown.

use std::sync::Arc;

use midge_codec::{PublishProperties, QoS, Text, TopicName};

use crate::first_match::FirstMatch;
use crate::headers::{CLIENT_ID, QOS, RETAIN, TOPIC, TRAIL, TRAIL_MAX, is_own};
use crate::kafka_topic::{InvalidKafkaTopic, check_kafka_topic, is_legal, push_mapped};
use crate::refusal::Refusal;
use crate::template::{SourceVariable, Template, TemplateError, Variable};

/// A compiled rule.
#[derive(Clone, Debug)]
pub struct SourceRule {
    name: Text,
    kafka_topic: Template<SourceVariable>,
    key: Template<SourceVariable>,
    headers: bool,
    /// The list that it is one target of, and which.
    among: Option<(Arc<FirstMatch>, usize)>,
}

/// Why a source rule cannot be compiled.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSourceRule {
    /// The template of the Kafka topic.
    #[error("kafka topic: {0}")]
    KafkaTopic(TemplateError),
    /// The literal text of the Kafka topic could never be legal.
    #[error("kafka topic: {0}")]
    Name(#[from] InvalidKafkaTopic),
    /// The template of the key.
    #[error("key: {0}")]
    Key(TemplateError),
}

/// An MQTT publish as a rule sees it.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a> {
    /// Topic Name.
    pub topic: &'a TopicName,
    /// The publisher's client id; the broker's own messages have none.
    pub client_id: Option<&'a str>,
    /// The publisher's user name, when it gave one.
    pub username: Option<&'a str>,
    /// As published.
    pub qos: QoS,
    /// As published.
    pub retain: bool,
    /// As published.
    pub properties: Option<&'a PublishProperties>,
    /// The rules it has passed.
    pub trail: &'a [Text],
}

/// The parts of a record that a rule makes; the value is the payload as it is.
#[derive(Clone, Debug, Default)]
pub struct RecordBuffer {
    /// The Kafka topic, legal.
    pub kafka_topic: String,
    /// The key.
    pub key: String,
}

impl SourceRule {
    /// Compiles a rule.
    ///
    /// `kafka_topic` is a template whose `${topic}` is the MQTT topic with its leading slash
    /// stripped and the others as `_`, since Kafka knows no slash; `$` alone means the same. In
    /// `key` the MQTT topic stays as it is. Without `headers` a record carries only its trail.
    pub fn new(
        name: Text,
        kafka_topic: &str,
        key: &str,
        headers: bool,
    ) -> Result<SourceRule, InvalidSourceRule> {
        let kafka_topic = if kafka_topic == "$" { "${topic}" } else { kafka_topic };
        let kafka_topic = Template::parse(kafka_topic).map_err(InvalidSourceRule::KafkaTopic)?;
        match kafka_topic.constant() {
            Some(name) => check_kafka_topic(name)?,
            None => {
                for (_, text) in kafka_topic.literals() {
                    if let Some(found) = text.chars().find(|c| !is_legal(*c)) {
                        let name = text.to_owned();
                        return Err(InvalidKafkaTopic::Character { name, found }.into());
                    }
                }
            }
        }
        let key = Template::parse(key).map_err(InvalidSourceRule::Key)?;
        Ok(SourceRule { name, kafka_topic, key, headers, among: None })
    }

    /// The same rule as one target of a list: it takes the messages alone that meet it first.
    #[must_use]
    pub fn among(self, list: Arc<FirstMatch>, target: usize) -> SourceRule {
        SourceRule { among: Some((list, target)), ..self }
    }

    /// Whether a message of this topic is for this rule, and not for another of its list.
    #[must_use]
    pub fn takes(&self, mqtt_topic: &TopicName) -> bool {
        let Some((list, target)) = self.list() else { return true };
        list.meet(mqtt_topic).is_some_and(|met| met.target == target)
    }

    /// The list that it is one target of, and which.
    #[must_use]
    pub fn list(&self) -> Option<(&FirstMatch, usize)> {
        self.among.as_ref().map(|(list, target)| (&**list, *target))
    }

    /// Its name in trails.
    pub fn name(&self) -> &Text {
        &self.name
    }

    /// The Kafka topic, when it is the same for all messages.
    pub fn constant_kafka_topic(&self) -> Option<&str> {
        self.kafka_topic.constant()
    }

    /// Makes topic and key of a record. After an error the buffer's contents mean nothing.
    pub fn record(&self, message: &Message<'_>, record: &mut RecordBuffer) -> Result<(), Refusal> {
        if message.trail.len() >= TRAIL_MAX || message.trail.contains(&self.name) {
            return Err(Refusal::Circle);
        }
        record.kafka_topic.clear();
        self.kafka_topic.render(&mut record.kafka_topic, |variable, out| match variable {
            SourceVariable::Topic => {
                push_mapped(message.topic.as_str(), out);
                Ok(())
            }
            variable => push(variable, message, "kafka topic", out),
        })?;
        check_kafka_topic(&record.kafka_topic)?;
        record.key.clear();
        self.key.render(&mut record.key, |variable, out| push(variable, message, "key", out))
    }

    /// Gives each header of the record to `header`, in order.
    pub fn headers(&self, message: &Message<'_>, mut header: impl FnMut(&str, &[u8])) {
        if self.headers {
            header(TOPIC, message.topic.as_str().as_bytes());
            if let Some(client_id) = message.client_id {
                header(CLIENT_ID, client_id.as_bytes());
            }
            let qos: &[u8] = match message.qos {
                QoS::AtMostOnce => b"0",
                QoS::AtLeastOnce => b"1",
                QoS::ExactlyOnce => b"2",
            };
            header(QOS, qos);
            header(RETAIN, if message.retain { b"true" } else { b"false" });
            for (name, value) in message.properties.iter().flat_map(|p| &p.user_properties) {
                if !is_own(name) {
                    header(name, value.as_bytes());
                }
            }
        }
        for passed in message.trail {
            header(TRAIL, passed.as_bytes());
        }
        header(TRAIL, self.name.as_bytes());
    }

    /// How many headers [`SourceRule::headers`] gives at most.
    pub fn headers_max(&self, message: &Message<'_>) -> usize {
        let user = message.properties.map_or(0, |properties| properties.user_properties.len());
        message.trail.len() + 1 + if self.headers { 4 + user } else { 0 }
    }
}

/// Appends the value of a variable as it is.
fn push(
    variable: &SourceVariable,
    message: &Message<'_>,
    template: &'static str,
    out: &mut String,
) -> Result<(), Refusal> {
    let value = match variable {
        SourceVariable::Topic => Some(message.topic.as_str()),
        SourceVariable::Level(level) => message.topic.levels().nth(level.get() - 1),
        SourceVariable::ClientId => message.client_id,
        SourceVariable::Username => message.username,
    };
    match value {
        Some(value) => {
            out.push_str(value);
            Ok(())
        }
        None => Err(Refusal::Missing { template, variable: variable.written() }),
    }
}

#[cfg(test)]
mod tests;
