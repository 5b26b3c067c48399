//! A sink rule: a Kafka record becomes an MQTT publish.
//!
//! Headers that are text become user properties, the bridge's own ones excepted; the trail of the
//! record becomes the trail of the message, this rule's name at its end.

use bytes::Bytes;
use midge_codec::{PublishProperties, QoS, Text, TopicName};

use crate::headers::{TRAIL, TRAIL_MAX, is_own};
use crate::refusal::Refusal;
use crate::template::{SinkVariable, Template, TemplateError, Variable};

/// Characters of an illegal topic that a message shows.
const SHOWN: usize = 100;

/// A compiled rule.
#[derive(Clone, Debug)]
pub struct SinkRule {
    name: Text,
    mqtt_topic: Template<SinkVariable>,
    qos: QoS,
    retain: bool,
    tombstone: Tombstone,
}

/// What happens to a record without a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tombstone {
    /// It is passed over.
    Skip,
    /// It is published empty and retained, which removes the retained message of its topic.
    Clear,
}

/// Why a sink rule cannot be compiled.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSinkRule {
    /// The template of the MQTT topic.
    #[error("mqtt topic: {0}")]
    Template(#[from] TemplateError),
    /// The literal text of the MQTT topic could never be legal.
    #[error("mqtt topic: {0}")]
    Topic(Refusal),
}

/// A Kafka record as a rule sees it.
#[derive(Clone, Copy, Debug)]
pub struct Record<'a> {
    /// The Kafka topic.
    pub kafka_topic: &'a str,
    /// The partition.
    pub partition: i32,
    /// The key.
    pub key: Option<&'a [u8]>,
    /// The value; `None` is a tombstone.
    pub value: Option<&'a [u8]>,
    /// The headers, in order; one without a value has `None`.
    pub headers: &'a [(&'a str, Option<&'a [u8]>)],
}

/// What becomes of a record.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// It is published.
    Publish(Publish),
    /// It is a tombstone, and the rule passes over those.
    Skip,
}

/// The publish that a record becomes.
#[derive(Clone, Debug, PartialEq)]
pub struct Publish {
    /// Topic Name.
    pub topic: TopicName,
    /// Application Message.
    pub payload: Bytes,
    /// QoS.
    pub qos: QoS,
    /// RETAIN.
    pub retain: bool,
    /// The user properties, when there are any.
    pub properties: Option<Box<PublishProperties>>,
    /// The rules it has passed, this one last.
    pub trail: Vec<Text>,
}

impl SinkRule {
    /// Compiles a rule.
    pub fn new(
        name: Text,
        mqtt_topic: &str,
        qos: QoS,
        retain: bool,
        tombstone: Tombstone,
    ) -> Result<SinkRule, InvalidSinkRule> {
        let mqtt_topic = Template::parse(mqtt_topic)?;
        let constant = mqtt_topic.constant().map(|text| (true, text));
        for (first, text) in constant.into_iter().chain(mqtt_topic.literals()) {
            match check_mqtt_topic(text) {
                // Reserved is what a topic begins with.
                Err(Refusal::Reserved { .. }) if !first => {}
                Err(refusal) => return Err(InvalidSinkRule::Topic(refusal)),
                Ok(_) => {}
            }
        }
        Ok(SinkRule { name, mqtt_topic, qos, retain, tombstone })
    }

    /// Its name in trails.
    pub fn name(&self) -> &Text {
        &self.name
    }

    /// Makes a publish of a record.
    pub fn publish(&self, record: &Record<'_>) -> Result<Outcome, Refusal> {
        if record.value.is_none() && self.tombstone == Tombstone::Skip {
            return Ok(Outcome::Skip);
        }
        let mut mqtt_topic = String::new();
        self.mqtt_topic.render(&mut mqtt_topic, |variable, out| push(variable, record, out))?;
        self.publish_to(&mqtt_topic, record)
    }

    /// The same with another MQTT topic than the template's.
    pub fn publish_to(&self, mqtt_topic: &str, record: &Record<'_>) -> Result<Outcome, Refusal> {
        let (payload, retain) = match (record.value, self.tombstone) {
            (Some(value), _) => (Bytes::copy_from_slice(value), self.retain),
            (None, Tombstone::Clear) => (Bytes::new(), true),
            (None, Tombstone::Skip) => return Ok(Outcome::Skip),
        };
        let trail = self.trail(record)?;
        let topic = check_mqtt_topic(mqtt_topic)?;
        let user_properties = user_properties(record);
        let properties = (!user_properties.is_empty())
            .then(|| Box::new(PublishProperties { user_properties, ..Default::default() }));
        Ok(Outcome::Publish(Publish { topic, payload, qos: self.qos, retain, properties, trail }))
    }

    fn trail(&self, record: &Record<'_>) -> Result<Vec<Text>, Refusal> {
        let mut trail = Vec::new();
        for (name, value) in record.headers {
            if *name != TRAIL {
                continue;
            }
            // Whatever else wrote this header has broken the loop guard: better no message than
            // one without end.
            let passed = text(value.unwrap_or_default()).ok_or(Refusal::Circle)?;
            if passed == self.name || trail.len() + 1 >= TRAIL_MAX {
                return Err(Refusal::Circle);
            }
            trail.push(passed);
        }
        trail.push(self.name.clone());
        Ok(trail)
    }
}

/// Headers that MQTT can carry: text, and not the bridge's own.
fn user_properties(record: &Record<'_>) -> Vec<(Text, Text)> {
    let mut properties = Vec::new();
    for (name, value) in record.headers {
        if is_own(name) {
            continue;
        }
        let (Some(name), Some(value)) = (text(name.as_bytes()), text(value.unwrap_or_default()))
        else {
            continue;
        };
        properties.push((name, value));
    }
    properties
}

fn text(bytes: &[u8]) -> Option<Text> {
    Text::from_bytes(Bytes::copy_from_slice(bytes)).ok()
}

/// Whether a publish to this topic may be made for a record.
fn check_mqtt_topic(mqtt_topic: &str) -> Result<TopicName, Refusal> {
    let shown = || mqtt_topic.chars().take(SHOWN).collect();
    // $SYS speaks for the broker, $share/… is no topic but a subscription's syntax.
    if matches!(mqtt_topic.split('/').next(), Some("$SYS" | "$share")) {
        return Err(Refusal::Reserved { mqtt_topic: shown() });
    }
    TopicName::try_from(mqtt_topic)
        .map_err(|error| Refusal::MqttTopic { mqtt_topic: shown(), error })
}

/// Appends the value of a variable.
fn push(variable: &SinkVariable, record: &Record<'_>, out: &mut String) -> Result<(), Refusal> {
    let value = match variable {
        SinkVariable::Topic => Some(record.kafka_topic.as_bytes()),
        SinkVariable::Key => record.key,
        SinkVariable::Header(name) => {
            let last = record.headers.iter().rev().find(|(header, _)| header == name);
            last.and_then(|(_, value)| *value)
        }
        SinkVariable::Partition => {
            out.push_str(&record.partition.to_string());
            return Ok(());
        }
    };
    let value = value
        .ok_or_else(|| Refusal::Missing { template: "mqtt topic", variable: variable.written() })?;
    let value = std::str::from_utf8(value)
        .map_err(|_| Refusal::NotText { variable: variable.written() })?;
    out.push_str(value);
    Ok(())
}

#[cfg(test)]
mod tests;
