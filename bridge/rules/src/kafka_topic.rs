//! What Kafka accepts as a topic, and how an MQTT topic becomes one.
//!
//! Only the slash of an MQTT topic is mapped. Every other character that Kafka does not know stays
//! and makes the name illegal: replacing it would put two devices into one topic in silence.

/// The longest name, in bytes.
pub const KAFKA_TOPIC_MAX: usize = 249;

/// Why a string is no Kafka topic.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidKafkaTopic {
    /// Nothing was left.
    #[error("the kafka topic is empty, at least one character was expected")]
    Empty,
    /// Reserved names.
    #[error("the kafka topic is {0:?}, which kafka reserves")]
    Dots(String),
    /// Too long.
    #[error("the kafka topic has {0} bytes, at most {KAFKA_TOPIC_MAX} were expected")]
    TooLong(usize),
    /// A character Kafka does not know.
    #[error("the kafka topic {name:?} holds {found:?}, expected letters, digits, '.', '_' or '-'")]
    Character {
        /// The whole name.
        name: String,
        /// The first illegal character.
        found: char,
    },
}

/// Whether Kafka accepts `name` as a topic.
pub fn check_kafka_topic(name: &str) -> Result<(), InvalidKafkaTopic> {
    if name.is_empty() {
        return Err(InvalidKafkaTopic::Empty);
    }
    if let Some(found) = name.chars().find(|c| !is_legal(*c)) {
        // A hostile topic of 65,535 bytes must not fill the log.
        let name = name.chars().take(KAFKA_TOPIC_MAX).collect();
        return Err(InvalidKafkaTopic::Character { name, found });
    }
    if name.len() > KAFKA_TOPIC_MAX {
        return Err(InvalidKafkaTopic::TooLong(name.len()));
    }
    if name == "." || name == ".." {
        return Err(InvalidKafkaTopic::Dots(name.to_owned()));
    }
    Ok(())
}

/// Whether a character may stand in a Kafka topic.
pub(crate) fn is_legal(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-')
}

/// Appends an MQTT topic as Kafka knows it: without its leading slash, the others as `_`.
pub(crate) fn push_mapped(mqtt_topic: &str, kafka_topic: &mut String) {
    let mut levels = mqtt_topic.strip_prefix('/').unwrap_or(mqtt_topic).split('/');
    kafka_topic.push_str(levels.next().unwrap_or_default());
    for level in levels {
        kafka_topic.push('_');
        kafka_topic.push_str(level);
    }
}
