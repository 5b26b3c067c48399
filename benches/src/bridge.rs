//! MQTT to Kafka: what Midge's bridge costs beside a bare producer with the same settings.
//!
//! Every record is read back from Kafka: each message must be there once, in its publisher's order,
//! under its topic as the key.

use std::io;
use std::path::Path;

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::{Headers, Message};
use rdkafka::{Offset, TopicPartitionList};

use crate::kafka::{self, Topic};
use crate::link::PATIENCE;
use crate::load::{self, Figures, Shape};
use crate::options::Options;
use crate::process::Contender;
use crate::publish::Plan;
use crate::report::Series;
use crate::window::{Expected, Faults};
use crate::wire::Stamp;
use crate::{loads, scenario};

/// The connector's name, which is the trail in every record.
pub(crate) const CONNECTOR: &str = "bench";

/// Publishers at QoS 1, every acknowledgement waiting for Kafka's.
const SHAPE: Shape = Shape::Pairs;

/// Runs Midge and two bare producers: one that holds as much as Midge's publishers have under way,
/// and one that holds what librdkafka's queue takes.
pub(crate) fn run(
    options: &Options,
    midge: &Contender,
    address: &str,
    directory: &Path,
) -> io::Result<Vec<Series>> {
    let under_way = options.window * SHAPE.publishers();
    let bounded = format!("rdkafka, {under_way} under way");
    let load = "bridge, MQTT → Kafka".to_owned();
    let names = ["midge", bounded.as_str(), "rdkafka"];
    let mut number = 0;
    let series = scenario::rounds(options.rounds, &names, |place| {
        number += 1;
        let name = format!("midge-bench-{}-{number}", std::process::id());
        let topic = Topic::create(address, &name)?;
        let (mut figures, sent) = match place {
            0 => through_midge(options, midge, &topic, directory)?,
            1 => kafka::produce(&topic, under_way, options)?,
            _ => kafka::produce(&topic, kafka::QUEUE_MESSAGES, options)?,
        };
        figures.faults.merge(read_back(&topic, &sent)?);
        let (micros, speed) = (figures.cpu_micros, figures.per_second);
        eprintln!("{load}, {}: {micros:.2} µs a record, {speed:.0}/s", names[place]);
        Ok(figures)
    });
    Ok(series
        .into_iter()
        .map(|(broker, runs)| Series { load: load.clone(), broker, runs })
        .collect())
}

fn through_midge(
    options: &Options,
    midge: &Contender,
    topic: &Topic,
    directory: &Path,
) -> io::Result<(Figures, Vec<u64>)> {
    let file = directory.join("midge.toml");
    std::fs::write(&file, midge_toml(topic))?;
    let extra = ["--bridge".to_owned(), file.display().to_string()];
    let broker = midge.start(directory, &extra)?;
    let plan = Plan {
        qos: 1,
        window: options.window,
        payload_bytes: options.payload_bytes,
        rate: None,
        subscribed: false,
        timed: false,
    };
    load::drive(&broker, SHAPE.publishers(), Vec::new(), plan, loads::timing(options))
        .map_err(|error| broker.explain(&error.to_string()))
}

fn midge_toml(topic: &Topic) -> String {
    format!(
        "[kafka]\n\
         bootstrap_servers = {:?}\n\
         \n\
         [connectors.{CONNECTOR}]\n\
         type = \"source\"\n\
         mqtt_filters = [\"bench/#\"]\n\
         kafka_topic = {:?}\n\
         ack = \"kafka\"\n",
        topic.servers(),
        topic.name
    )
}

/// Reads the whole topic and holds it against what was sent.
fn read_back(topic: &Topic, sent: &[u64]) -> io::Result<Faults> {
    let consumer: BaseConsumer = kafka::client(topic).create().map_err(io::Error::other)?;
    let mut list = TopicPartitionList::new();
    let mut records = 0;
    for partition in 0..kafka::PARTITIONS {
        let (low, high) = consumer
            .fetch_watermarks(&topic.name, partition, PATIENCE)
            .map_err(io::Error::other)?;
        records += (high - low) as u64;
        list.add_partition_offset(&topic.name, partition, Offset::Beginning)
            .map_err(io::Error::other)?;
    }
    consumer.assign(&list).map_err(io::Error::other)?;
    let mut audit = Audit::new(sent.len());
    for _ in 0..records {
        match consumer.poll(PATIENCE) {
            Some(Ok(record)) => {
                let client_id = record.headers().and_then(|headers| {
                    headers.iter().find(|header| header.key == "mqtt.client.id")?.value
                });
                audit.record(record.key(), record.payload(), client_id);
            }
            Some(Err(error)) => return Err(io::Error::other(error)),
            None => return Err(io::Error::other("Kafka gave no more records before the end")),
        }
    }
    Ok(audit.finish(sent))
}

/// What the records of a topic prove.
struct Audit {
    expected: Vec<Expected>,
    faults: Faults,
}

impl Audit {
    fn new(publishers: usize) -> Self {
        let expected = (0..publishers).map(|_| Expected::default()).collect();
        Self { expected, faults: Faults::default() }
    }

    fn record(&mut self, key: Option<&[u8]>, payload: Option<&[u8]>, client_id: Option<&[u8]>) {
        let stamp = match Stamp::read(payload.unwrap_or_default()) {
            Ok(stamp) => stamp,
            Err(error) => return self.faults.violation(format!("record: {error}")),
        };
        let publisher = stamp.publisher as usize;
        let Some(expected) = self.expected.get_mut(publisher) else {
            return self.faults.violation(format!("record of unknown publisher {publisher}"));
        };
        if key != Some(format!("bench/{publisher}").as_bytes()) {
            self.faults.violation(format!("record of publisher {publisher} has another key"));
        }
        if client_id != Some(format!("publisher-{publisher}").as_bytes()) {
            self.faults.violation(format!("record of publisher {publisher} has another client id"));
        }
        self.faults.count(&expected.arrive(stamp.sequence));
    }

    fn finish(mut self, sent: &[u64]) -> Faults {
        self.faults.lost = self.expected.iter().zip(sent).map(|(e, sent)| e.lost(*sent)).sum();
        self.faults
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Template;

    fn payload(publisher: u32, sequence: u64) -> Vec<u8> {
        let mut out = Vec::new();
        let stamp = Stamp { publisher, sequence, sent_nanos: 0 };
        Template::new("", 0, 64).append(&mut out, 0, stamp);
        out.split_off(out.len() - 64)
    }

    #[test]
    fn audit_finds_what_is_missing_doubled_or_mislabelled() {
        let mut audit = Audit::new(2);
        for (publisher, sequence) in [(0, 0), (0, 2), (0, 1), (1, 0), (1, 0)] {
            let (key, client) = (format!("bench/{publisher}"), format!("publisher-{publisher}"));
            let payload = payload(publisher, sequence);
            audit.record(Some(key.as_bytes()), Some(&payload), Some(client.as_bytes()));
        }
        audit.record(Some(b"bench/0"), Some(&payload(1, 1)), Some(b"publisher-1"));
        audit.record(None, None, None);
        let faults = audit.finish(&[3, 4]);
        assert_eq!((faults.lost, faults.duplicated, faults.reordered), (2, 1, 1));
        assert_eq!(faults.violations.len(), 2);
    }
}
