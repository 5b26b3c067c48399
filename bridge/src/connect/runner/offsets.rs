//! The offsets of a sink as REST shows them and as Kafka has them.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use crate::connect::engine::{NotAltered, Offset, Offsets};
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

/// Offsets as Connect takes those of a sink; one that is none is the partition's beginning.
///
/// # Errors
/// What is wrong, in Connect's words, which takes numbers and the same as text.
pub(super) fn places(
    offsets: &Offsets,
    beginnings: impl FnOnce(&[String]) -> Result<Vec<group::Place>, NotAltered>,
) -> Result<Vec<group::Place>, NotAltered> {
    let mut places = Vec::new();
    let mut unset = Vec::new();
    for (partition, offset) in offsets {
        let (topic, number) = partition_of(partition)?;
        match offset {
            Some(offset) => places.push((topic, number, offset_of(offset)?)),
            None => unset.push((topic, number)),
        }
    }
    if unset.is_empty() {
        return Ok(places);
    }
    let topics: BTreeSet<String> = unset.iter().map(|(topic, _)| topic.clone()).collect();
    let beginnings = beginnings(&topics.into_iter().collect::<Vec<_>>())?;
    for (topic, number) in unset {
        let found = beginnings.iter().find(|(of, at, _)| *of == topic && *at == number);
        let low = found
            .ok_or_else(|| NotAltered::Wrong(format!("Topic {topic} has no partition {number}")))?;
        places.push((topic, number, low.2));
    }
    Ok(places)
}

fn partition_of(partition: &Map<String, Value>) -> Result<(String, i32), NotAltered> {
    let both = partition.get("kafka_topic").zip(partition.get("kafka_partition"));
    let (topic, number) = both.ok_or_else(|| {
        wrong(
            "The partition for a sink connector offset must contain the keys 'kafka_topic' and \
             'kafka_partition'",
        )
    })?;
    let parsed = text(number).parse().ok().filter(|number: &i32| *number >= 0);
    let number = parsed.ok_or_else(|| {
        let found = text(number);
        wrong(&format!(
            "Failed to parse the following Kafka partition value in the provided offsets: \
             '{found}'. Partition values for sink connectors need to be integers."
        ))
    })?;
    Ok((text(topic), number))
}

fn offset_of(offset: &Map<String, Value>) -> Result<i64, NotAltered> {
    let value = offset.get("kafka_offset").ok_or_else(|| {
        wrong(
            "The offset for a sink connector should either be null or contain the key \
             'kafka_offset'",
        )
    })?;
    let found = text(value);
    match found.parse::<i64>() {
        Ok(offset) if offset >= 0 => Ok(offset),
        Ok(_) => Err(wrong(&format!("found the kafka_offset {found}, expected 0 or more"))),
        Err(_) => Err(wrong(&format!(
            "Failed to parse the following Kafka offset value in the provided offsets: '{found}'. \
             Offset values for sink connectors need to be integers."
        ))),
    }
}

/// A value as text, without quotation marks.
fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn wrong(why: &str) -> NotAltered {
    NotAltered::Wrong(why.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(partition: Value, offset: Value) -> Result<Vec<group::Place>, NotAltered> {
        let object = |value: Value| value.as_object().cloned();
        let given = (object(partition).unwrap(), object(offset));
        places(&vec![given], |_| Ok(vec![("t".to_owned(), 0, 7)]))
    }

    #[test]
    fn offsets_are_read_as_connect_reads_them_and_refused_in_its_words() {
        let at = |number: Value| json!({ "kafka_topic": "t", "kafka_partition": number });
        let place = |offset| Ok(vec![("t".to_owned(), 0, offset)]);
        assert_eq!(read(at(json!(0)), json!({ "kafka_offset": 2 })), place(2));
        assert_eq!(read(at(json!("0")), json!({ "kafka_offset": "2" })), place(2));
        assert_eq!(read(at(json!(0)), Value::Null), place(7));
        for (partition, offset, said) in [
            (json!({ "kafka_topic": "t" }), json!({}), "must contain the keys 'kafka_topic' and"),
            (at(json!("x")), json!({}), "partition value in the provided offsets: 'x'"),
            (at(json!(0)), json!({ "x": 1 }), "either be null or contain the key 'kafka_offset'"),
            (at(json!(0)), json!({ "kafka_offset": "abc" }), "provided offsets: 'abc'"),
            (at(json!(0)), json!({ "kafka_offset": -5 }), "found the kafka_offset -5"),
            (at(json!(1)), Value::Null, "has no partition 1"),
        ] {
            match read(partition, offset) {
                Err(NotAltered::Wrong(why)) => assert!(why.contains(said), "{why}"),
                other => panic!("{other:?}"),
            }
        }
    }
}
