//! Making the record of an entry, and handing it to librdkafka.

use midge_codec::ReasonCode;
use midge_core::Message;
use midge_rules::RecordBuffer;
use midge_rules::pipeline::KafkaRecord;
use rdkafka::error::RDKafkaErrorCode as Code;
use rdkafka::producer::{BaseProducer, Producer as _};

use super::context::Context;
use super::handover::{Headers, Parts, Topic};
use crate::kafka::verdict::{self, Verdict};
use crate::mapping::{Made, Mapping};
use crate::observer::{Event, Observer};
use crate::source::{Source, view};

/// Why a record is not inside librdkafka.
pub(super) enum Unsent {
    Refused(String, ReasonCode),
    Full,
    NoTopic,
    Broken(String),
    /// One of the dead-letter topic goes in its place.
    Letter(Box<KafkaRecord>),
    /// There is no record, and there never will be one.
    Nothing,
    /// A schema registry is asked; why it does not answer, if that is known.
    Wait(Option<String>),
    /// The task has failed.
    Failed,
}

/// Makes the record of an entry and hands it to librdkafka. `topic` is that of the last record.
pub(super) fn send(
    client: &BaseProducer<Context>,
    source: &Source,
    message: &Message,
    place: usize,
    record: &mut RecordBuffer,
    topic: &mut Option<Topic>,
) -> Result<(), Unsent> {
    if !source.takes(message) {
        return Err(Unsent::Nothing);
    }
    let rule = match &source.mapping {
        Mapping::Rule(rule) => rule,
        Mapping::Pipeline(piped) => {
            return match piped.make(message, std::thread::current()) {
                Made::Record(record) => hand_over(client, &record, place, topic),
                Made::Letter(letter) => Err(Unsent::Letter(letter)),
                Made::Nothing => Err(Unsent::Nothing),
                Made::Wait(why) => Err(Unsent::Wait(why)),
                Made::Failed => Err(Unsent::Failed),
            };
        }
    };
    let seen = view(message);
    rule.record(&seen, record)
        .map_err(|refusal| Unsent::Refused(refusal.to_string(), refusal.reason_code()))?;
    let client = client.client();
    let topic = match topic {
        Some(last) if last.name() == record.kafka_topic => last,
        last => last.insert(Topic::new(client, &record.kafka_topic).map_err(unsent)?),
    };
    let mut headers = Headers::with_capacity(rule.headers_max(&seen));
    rule.headers(&seen, |name, value| headers.add(name, Some(value)));
    let parts = Parts {
        partition: None,
        key: Some(record.key.as_bytes()),
        value: Some(&message.payload),
        // None, which librdkafka fills in, is better than one in another age.
        timestamp: i64::try_from(message.received_unix_millis).unwrap_or(0),
        headers,
        place,
    };
    // librdkafka checks the size against message.max.bytes here, before anything is promised.
    topic.produce(client, parts).map_err(unsent)
}

/// Hands a record to librdkafka that a pipeline has made. `topic` is that of the last record.
pub(super) fn hand_over(
    client: &BaseProducer<Context>,
    record: &KafkaRecord,
    place: usize,
    topic: &mut Option<Topic>,
) -> Result<(), Unsent> {
    let client = client.client();
    let topic = match topic {
        Some(last) if last.name() == &*record.kafka_topic => last,
        last => last.insert(Topic::new(client, &record.kafka_topic).map_err(unsent)?),
    };
    let mut headers = Headers::with_capacity(record.headers.len());
    for (name, value) in &record.headers {
        headers.add(name, value.as_deref());
    }
    let parts = Parts {
        partition: record.partition,
        key: record.key.as_deref(),
        value: record.value.as_deref(),
        // None, which librdkafka fills in.
        timestamp: record.timestamp.unwrap_or(0),
        headers,
        place,
    };
    topic.produce(client, parts).map_err(unsent)
}

fn unsent(code: Code) -> Unsent {
    if code == Code::QueueFull {
        return Unsent::Full;
    }
    match verdict::of_record(code) {
        Verdict::Refused(reason) => Unsent::Refused(code.to_string(), reason),
        Verdict::NoTopic => Unsent::NoTopic,
        Verdict::Again => Unsent::Broken(code.to_string()),
    }
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
    if source.mapping.rule().record(&view(message), &mut record).is_ok() {
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
