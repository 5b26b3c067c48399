//! Making the record of an entry, and handing it to librdkafka.

use midge_codec::ReasonCode;
use midge_core::Message;
use midge_rules::RecordBuffer;
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord};

use super::context::Context;
use crate::kafka::verdict::{self, Verdict};
use crate::observer::{Event, Observer};
use crate::source::{Source, view};

/// Why a record is not inside librdkafka.
pub(super) enum Unsent {
    Refused(String, ReasonCode),
    Full,
    NoTopic,
    Broken(String),
}

/// Makes the record of an entry and hands it to librdkafka.
pub(super) fn send(
    client: &BaseProducer<Context>,
    source: &Source,
    message: &Message,
    place: usize,
    record: &mut RecordBuffer,
) -> Result<(), Unsent> {
    let seen = view(message);
    source
        .rule
        .record(&seen, record)
        .map_err(|refusal| Unsent::Refused(refusal.to_string(), refusal.reason_code()))?;
    let capacity = source.rule.headers_max(&seen);
    let mut headers = Some(OwnedHeaders::new_with_capacity(capacity));
    source.rule.headers(&seen, |key, value| {
        let header = Header { key, value: Some(value) };
        headers = headers.take().map(|headers| headers.insert(header));
    });
    let record = BaseRecord {
        topic: &record.kafka_topic,
        partition: None,
        payload: Some(&message.payload[..]),
        key: Some(record.key.as_str()),
        timestamp: i64::try_from(message.received_unix_millis).ok(),
        headers,
        delivery_opaque: place,
    };
    // librdkafka checks the size against message.max.bytes here, before anything is promised.
    client.send(record).map_err(|(error, _)| match error {
        KafkaError::MessageProduction(Code::QueueFull) => Unsent::Full,
        KafkaError::MessageProduction(code) => match verdict::of_record(code) {
            Verdict::Refused(reason) => Unsent::Refused(code.to_string(), reason),
            Verdict::NoTopic => Unsent::NoTopic,
            Verdict::Again => Unsent::Broken(code.to_string()),
        },
        error => Unsent::Refused(error.to_string(), ReasonCode::ImplementationSpecificError),
    })
}

pub(super) fn observe(
    observer: &Observer,
    source: &Source,
    message: &Message,
    partition: i32,
    offset: i64,
) {
    // Made again: nobody keeps topic and key of records under way, and only `midge dev` observes.
    let mut record = RecordBuffer::default();
    if source.rule.record(&view(message), &mut record).is_ok() {
        observer(Event::Produced {
            connector: source.health.name(),
            mqtt_topic: message.topic.as_str(),
            kafka_topic: &record.kafka_topic,
            partition,
            offset,
            key: &record.key,
            bytes: message.payload.len(),
        });
    }
}
