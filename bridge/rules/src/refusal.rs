//! Why a rule does not take a message.

use midge_codec::{InvalidTopic, ReasonCode};

use crate::headers::TRAIL_MAX;
use crate::kafka_topic::InvalidKafkaTopic;

/// Why a rule does not take a message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// A variable of a template has no value in this message.
    #[error("the template of the {template} needs {variable}, which this message has not")]
    Missing {
        /// Which template: `kafka topic`, `key`, `mqtt topic`.
        template: &'static str,
        /// The variable as it is written.
        variable: String,
    },
    /// A key or header that a template needs is no text.
    #[error("the template of the mqtt topic needs {variable}, which is not UTF-8 in this record")]
    NotText {
        /// The variable as it is written.
        variable: String,
    },
    /// The Kafka topic came out illegal.
    #[error(transparent)]
    KafkaTopic(#[from] InvalidKafkaTopic),
    /// The MQTT topic came out illegal.
    #[error("the mqtt topic came out as {mqtt_topic:?}: {error}")]
    MqttTopic {
        /// What came out, cut to a length that fits a log line.
        mqtt_topic: String,
        /// What is wrong with it.
        error: InvalidTopic,
    },
    /// The MQTT topic belongs to the broker.
    #[error("the mqtt topic came out as {mqtt_topic:?}, which belongs to the broker")]
    Reserved {
        /// What came out, cut to a length that fits a log line.
        mqtt_topic: String,
    },
    /// The rule, or the limit of rules, has been passed already.
    #[error("it has passed this rule already, or more than {TRAIL_MAX} rules: a circle")]
    Circle,
}

impl Refusal {
    /// What the publisher is told.
    pub fn reason_code(&self) -> ReasonCode {
        match self {
            Refusal::Missing { .. } | Refusal::KafkaTopic(_) => ReasonCode::TopicNameInvalid,
            Refusal::NotText { .. } | Refusal::MqttTopic { .. } => ReasonCode::TopicNameInvalid,
            Refusal::Reserved { .. } => ReasonCode::NotAuthorized,
            Refusal::Circle => ReasonCode::ImplementationSpecificError,
        }
    }
}
