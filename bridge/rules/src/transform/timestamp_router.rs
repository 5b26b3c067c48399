//! `TimestampRouter`: makes the Kafka topic of the topic and the record's time.

use std::sync::Arc;

use super::{Failure, Transform};
use crate::connect::ConnectRecord;
use crate::java::DateFormat;
use crate::options::{Default, Importance, Kind, OptionDef, Options};

pub(super) const OPTIONS: &[OptionDef] = &[
    OptionDef::new(
        "topic.format",
        Kind::String,
        Default::Text("${topic}-${timestamp}"),
        Importance::High,
        "Format string which can contain <code>${topic}</code> and <code>${timestamp}</code> as \
         placeholders for the topic and timestamp, respectively.",
    ),
    OptionDef::new(
        "timestamp.format",
        Kind::String,
        Default::Text("yyyyMMdd"),
        Importance::High,
        "Format string for the timestamp that is compatible with \
         <code>java.text.SimpleDateFormat</code>.",
    ),
];

#[derive(Debug)]
pub(super) struct TimestampRouter {
    topic: String,
    timestamp: DateFormat,
}

impl TimestampRouter {
    pub(super) fn new(options: &Options, now: i64) -> Result<Self, String> {
        let format = options.string("timestamp.format");
        let timestamp = DateFormat::new(format, now).map_err(|error| {
            format!("Invalid value {format} for configuration timestamp.format: {error}")
        })?;
        Ok(Self { topic: options.string("topic.format").to_owned(), timestamp })
    }
}

impl Transform for TimestampRouter {
    fn apply(&self, mut record: ConnectRecord) -> Result<Option<ConnectRecord>, Failure> {
        let Some(timestamp) = record.timestamp else {
            let topic = &record.kafka_topic;
            return Err(Failure::data(format!("Timestamp missing on record: of topic '{topic}'")));
        };
        let timestamp = self.timestamp.write(timestamp);
        let topic = self.topic.replace("${topic}", &record.kafka_topic);
        record.kafka_topic = Arc::from(topic.replace("${timestamp}", &timestamp));
        Ok(Some(record))
    }
}
