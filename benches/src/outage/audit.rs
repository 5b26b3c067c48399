//! What Kafka has: the number of records while the load runs, and every single one in the end.
//!
//! Repetitions are counted and are no fault, since the promise is at least once; what is judged is
//! that each message is there, and that the first records of a topic's messages are in their order.

use std::io;
use std::time::Instant;

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaResult;
use rdkafka::message::Message;
use rdkafka::{Offset, TopicPartitionList};

use super::publish::mqtt_topic;
use super::{GLANCE, TOPICS};
use crate::kafka::{self, Topic};
use crate::link::PATIENCE;
use crate::window::{Expected, Faults};
use crate::wire::Stamp;

/// A look at the ends of the partitions.
pub(super) struct Watch {
    consumer: BaseConsumer,
    topic: String,
}

impl Watch {
    pub(super) fn new(topic: &Topic) -> io::Result<Self> {
        let consumer = kafka::client(topic).create().map_err(io::Error::other)?;
        Ok(Self { consumer, topic: topic.name.clone() })
    }

    /// Records so far. A Kafka that has just started may not lead its partitions yet.
    pub(super) fn records(&self) -> io::Result<u64> {
        let until = Instant::now() + PATIENCE;
        loop {
            match self.count() {
                Err(_) if Instant::now() < until => std::thread::sleep(GLANCE),
                counted => return counted.map_err(io::Error::other),
            }
        }
    }

    fn count(&self) -> KafkaResult<u64> {
        (0..kafka::PARTITIONS).try_fold(0, |sum, partition| {
            let (low, high) = self.consumer.fetch_watermarks(&self.topic, partition, PATIENCE)?;
            Ok(sum + (high - low) as u64)
        })
    }
}

/// What all records prove.
#[derive(Debug, Default)]
pub(super) struct Audit {
    pub(super) records: u64,
    pub(super) repeated: u64,
    pub(super) faults: Faults,
}

/// Reads the topic from its beginning and holds it against what was sent on each MQTT topic.
pub(super) fn read_back(topic: &Topic, watch: &Watch, sent: &[u64]) -> io::Result<Audit> {
    let consumer: BaseConsumer = kafka::client(topic).create().map_err(io::Error::other)?;
    let mut list = TopicPartitionList::new();
    for partition in 0..kafka::PARTITIONS {
        list.add_partition_offset(&topic.name, partition, Offset::Beginning)
            .map_err(io::Error::other)?;
    }
    consumer.assign(&list).map_err(io::Error::other)?;
    let mut reader = Reader::default();
    for _ in 0..watch.records()? {
        match consumer.poll(PATIENCE) {
            Some(Ok(record)) => reader.record(record.key(), record.payload()),
            Some(Err(error)) => return Err(io::Error::other(error)),
            None => return Err(io::Error::other("Kafka gave no more records before the end")),
        }
    }
    Ok(reader.finish(sent))
}

/// What has been read so far.
struct Reader {
    expected: Vec<Expected>,
    audit: Audit,
}

impl Default for Reader {
    fn default() -> Self {
        let expected = (0..TOPICS).map(|_| Expected::default()).collect();
        Self { expected, audit: Audit::default() }
    }
}

impl Reader {
    fn record(&mut self, key: Option<&[u8]>, payload: Option<&[u8]>) {
        self.audit.records += 1;
        let faults = &mut self.audit.faults;
        let stamp = match Stamp::read(payload.unwrap_or_default()) {
            Ok(stamp) => stamp,
            Err(error) => return faults.violation(format!("record: {error}")),
        };
        let topic = stamp.publisher as usize;
        let Some(expected) = self.expected.get_mut(topic) else {
            return faults.violation(format!("record of unknown topic {topic}"));
        };
        if key != Some(mqtt_topic(topic).as_bytes()) {
            faults.violation(format!("record of topic {topic} has another key"));
        }
        faults.count(&expected.arrive(stamp.sequence));
    }

    fn finish(mut self, sent: &[u64]) -> Audit {
        let faults = &mut self.audit.faults;
        faults.lost = self.expected.iter().zip(sent).map(|(e, sent)| e.lost(*sent)).sum();
        self.audit.repeated = std::mem::take(&mut faults.duplicated);
        self.audit
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn payload(topic: u32, sequence: u64) -> Vec<u8> {
        let mut payload = vec![crate::wire::FILLER; 64];
        Stamp { publisher: topic, sequence, sent_nanos: 0 }.write(&mut payload);
        payload
    }

    fn read(records: &[(u32, u64)]) -> Reader {
        let mut reader = Reader::default();
        for (topic, sequence) in records {
            let key = mqtt_topic(*topic as usize);
            reader.record(Some(key.as_bytes()), Some(&payload(*topic, *sequence)));
        }
        reader
    }

    #[test]
    fn a_repetition_in_order_is_counted_and_is_no_fault() {
        let audit = read(&[(0, 0), (0, 1), (7, 0), (0, 0), (0, 1), (0, 2)]).finish(&[3]);
        assert_eq!((audit.records, audit.repeated), (6, 2));
        assert!(audit.faults.is_clean(), "{:?}", audit.faults);
    }

    #[test]
    fn a_message_that_is_missing_overtaken_or_mislabelled_is_a_fault() {
        let mut reader = read(&[(0, 0), (0, 2), (0, 1), (1, 1)]);
        reader.record(Some(b"outage/2"), Some(&payload(3, 0)));
        reader.record(None, None);
        reader.record(Some(b"outage/100"), Some(&payload(TOPICS as u32, 0)));
        let faults = reader.finish(&[4, 2, 0, 1]).faults;
        assert_eq!((faults.lost, faults.reordered), (2, 1));
        assert_eq!(faults.violations.len(), 3);
    }
}
