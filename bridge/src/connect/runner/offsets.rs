//! The offsets of a sink as REST shows them and as Kafka has them.

use serde_json::{Value, json};

use crate::connect::engine::{Offset, Offsets};
use crate::connect::plan::Reading;
use crate::kafka::group;

/// The topics that a sink reads, as far as they have names.
pub(super) fn named(reading: &Reading) -> Result<Vec<String>, String> {
    if reading.topics.iter().any(|topic| topic.starts_with('^')) {
        return Err("the offsets of topics.regex cannot be told: name the topics".to_owned());
    }
    Ok(reading.topics.clone())
}

/// An offset as Connect shows that of a sink.
pub(super) fn shown((topic, partition, offset): group::Place) -> Offset {
    let object = |value: Value| value.as_object().cloned().unwrap_or_default();
    (
        object(json!({ "kafka_topic": topic, "kafka_partition": partition })),
        Some(object(json!({ "kafka_offset": offset }))),
    )
}

/// Offsets as Connect shows those of a sink; one that is none is the partition's beginning.
pub(super) fn places(
    offsets: &Offsets,
    beginnings: impl FnOnce() -> Result<Vec<group::Place>, String>,
) -> Result<Vec<group::Place>, String> {
    let beginnings = match offsets.iter().any(|(_, offset)| offset.is_none()) {
        true => beginnings()?,
        false => Vec::new(),
    };
    let mut places = Vec::new();
    for (partition, offset) in offsets {
        let topic = partition.get("kafka_topic").and_then(Value::as_str);
        let number = partition.get("kafka_partition").and_then(Value::as_i64);
        let number = number.and_then(|number| i32::try_from(number).ok());
        let Some((topic, number)) = topic.zip(number) else {
            return Err("The partition for a sink connector offset must contain the keys \
                        'kafka_topic' and 'kafka_partition'"
                .to_owned());
        };
        let offset = match offset {
            None => {
                let mut beginnings = beginnings.iter();
                let found = beginnings.find(|(of, at, _)| of == topic && *at == number);
                found.map(|(_, _, low)| *low)
            }
            Some(offset) => offset.get("kafka_offset").and_then(Value::as_i64),
        };
        let offset = offset.filter(|offset| *offset >= 0).ok_or_else(|| {
            format!("The offset of {topic}-{number} must contain the key 'kafka_offset', a number")
        })?;
        places.push((topic.to_owned(), number, offset));
    }
    Ok(places)
}
