//! The bridge's scenarios: MQTT to Kafka, Kafka to MQTT, both at once, and the way through Mosquitto
//! and Kafka Connect.
//!
//! Every record is read back from Kafka, and every message held against what was sent: each must be
//! there once, in its publisher's order, under its topic as the key.

use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::{Headers, Message};
use rdkafka::{Offset, TopicPartitionList};

use crate::kafka::server::Server;
use crate::kafka::{self, Loaded, Topic};
use crate::link::{self, PATIENCE};
use crate::load::{self, Figures, Shape};
use crate::loads;
use crate::options::Options;
use crate::peers::MOSQUITTO;
use crate::process::{Broker, Contender};
use crate::publish::Plan;
use crate::report::{Report, Series};
use crate::scenario::{self, Bench};
use crate::subscribe::Hears;
use crate::window::{Expected, Faults};
use crate::wire::Stamp;

mod worker;

pub(crate) use worker::Worker;

/// The connector's name, which is the trail in every record.
pub(crate) const CONNECTOR: &str = "bench";

/// Publishers at QoS 1, every acknowledgement waiting for Kafka's.
pub(crate) const SHAPE: Shape = Shape::Pairs;

/// Records of a run that reads them from Kafka, unless the options say how many.
const RECORDS: u64 = 600_000;

/// Messages a second that Mosquitto and a Connect worker keep up with on a small machine.
const WORKER_RATE: f64 = 10_000.0;

/// A Kafka for a scenario: the one of the command line, or one of its own.
pub(crate) struct Kafka {
    pub(crate) address: String,
    /// Ends with this value.
    _own: Option<Server>,
}

impl Kafka {
    /// `None`: the command line names neither, which the report says.
    pub(crate) fn reach(
        name: &str,
        bench: &Bench<'_>,
        report: &mut Report,
    ) -> io::Result<Option<Kafka>> {
        if let Some(address) = &bench.options.kafka {
            return Ok(Some(Kafka { address: address.clone(), _own: None }));
        }
        let Some(script) = &bench.options.kafka_script else {
            let why = format!("{name}, neither --kafka nor --kafka-script names a Kafka");
            report.skipped.push(why);
            return Ok(None);
        };
        let server = Server::start(script, &bench.directory.join("kafka-of-the-bridge"))?;
        Ok(Some(Kafka { address: server.address.clone(), _own: Some(server) }))
    }
}

/// Topics so far: each run has one of its own.
static TOPICS: AtomicU64 = AtomicU64::new(0);

/// Runs what has these names in every round, each time with the name of a new topic.
pub(crate) fn rounds(
    options: &Options,
    load: &str,
    names: &[&str],
    mut run: impl FnMut(usize, &str) -> io::Result<Figures>,
) -> Vec<Series> {
    let series = scenario::rounds(options.rounds, names, |place| {
        let number = TOPICS.fetch_add(1, Ordering::Relaxed);
        let topic = format!("midge-bench-{}-{number}", std::process::id());
        let figures = run(place, &topic)?;
        let (micros, speed) = (figures.cpu_micros, figures.per_second);
        eprintln!("{load}, {}: {micros:.2} µs a record, {speed:.0}/s", names[place]);
        Ok(figures)
    });
    series
        .into_iter()
        .map(|(broker, runs)| Series { load: load.to_owned(), broker, runs })
        .collect()
}

/// MQTT to Kafka: Midge and two bare producers, one that holds as much as Midge's publishers have
/// under way, and one that holds what librdkafka's queue takes.
pub(crate) fn to_kafka(bench: &Bench<'_>, report: &mut Report) -> io::Result<()> {
    let Some(kafka) = Kafka::reach("bridge", bench, report)? else { return Ok(()) };
    let options = bench.options;
    let under_way = options.window * SHAPE.publishers();
    let bounded = format!("rdkafka, {under_way} under way");
    let names = ["midge", bounded.as_str(), "rdkafka"];
    let series = rounds(options, "bridge, MQTT → Kafka", &names, |place, name| {
        let topic = Topic::create(&kafka.address, name)?;
        let (mut figures, sent) = match place {
            0 => {
                let broker = bridge(bench.midge, &topic, &source(&topic), bench.directory)?;
                publish(&broker, options, None)?
            }
            1 => kafka::produce(&topic, under_way, options)?,
            _ => kafka::produce(&topic, kafka::QUEUE_MESSAGES, options)?,
        };
        figures.faults.merge(read_back(&topic, &sent, true)?);
        Ok(figures)
    });
    report.add(loads::table("bridge").with(series));
    Ok(())
}

/// Kafka to MQTT: Midge with one subscriber to everything, and a bare consumer.
pub(crate) fn to_mqtt(bench: &Bench<'_>, report: &mut Report) -> io::Result<()> {
    let Some(kafka) = Kafka::reach("bridge-back", bench, report)? else { return Ok(()) };
    let options = bench.options;
    let records = options.count.unwrap_or(RECORDS);
    for qos in options.qos.iter().copied().filter(|qos| *qos < 2) {
        let load = format!("bridge, Kafka → MQTT, QoS {qos}");
        let series = rounds(options, &load, &["midge", "rdkafka"], |place, name| {
            let values = kafka::stamped(options.payload_bytes);
            let loaded = Loaded::create(&kafka.address, name, records, values)?;
            if place == 1 {
                return kafka::consume(&loaded);
            }
            let sink = sink(&loaded.topic, "", qos);
            let broker = bridge(bench.midge, &loaded.topic, &sink, bench.directory)?;
            let subscriber = subscribe(&broker, "bench/+", qos)?;
            load::hear(&broker, subscriber, qos, &loaded.sent, load::share(records), || {
                loaded.show()
            })
            .map_err(|error| broker.explain(&error.to_string()))
        });
        report.add(loads::table("bridge").with(series));
    }
    Ok(())
}

/// Both at once: every message goes to Kafka, comes back, and counts when its subscriber has it.
pub(crate) fn both(bench: &Bench<'_>, report: &mut Report) -> io::Result<()> {
    let Some(kafka) = Kafka::reach("bridge-both", bench, report)? else { return Ok(()) };
    let options = bench.options;
    let series =
        rounds(options, "bridge, MQTT → Kafka → MQTT, QoS 1", &["midge"], |_, name| {
            let topic = Topic::create(&kafka.address, name)?;
            let connectors = source(&topic) + &sink(&topic, "back/", 1);
            let broker = bridge(bench.midge, &topic, &connectors, bench.directory)?;
            let subscriber = subscribe(&broker, "back/bench/+", 1)?;
            let plan = Plan { subscribed: true, ..plan(options, None) };
            let timing = loads::timing(options);
            load::drive(&broker, SHAPE.publishers(), subscriber, plan, timing)
                .map(|(figures, _)| figures)
                .map_err(|error| broker.explain(&error.to_string()))
        });
    report.add(loads::table("bridge").with(series));
    Ok(())
}

/// The whole way from MQTT to Kafka at one rate: Midge, and Mosquitto with a Connect worker behind
/// it; and Midge as fast as it goes.
pub(crate) fn connect(bench: &Bench<'_>, report: &mut Report) -> io::Result<()> {
    let Some(mosquitto) = bench.peers.iter().find(|peer| peer.name == MOSQUITTO) else {
        report.skipped.push("connect, there is no mosquitto among the peers".into());
        return Ok(());
    };
    let Some(kafka) = Kafka::reach("connect", bench, report)? else { return Ok(()) };
    let options = bench.options;
    let load = format!("whole path to Kafka, {WORKER_RATE}/s");
    let names = ["midge", "mosquitto + connect", "midge, as fast as it goes"];
    let series = rounds(options, &load, &names, |place, name| {
        let topic = Topic::create(&kafka.address, name)?;
        if place != 1 {
            let broker = bridge(bench.midge, &topic, &source(&topic), bench.directory)?;
            let rate = (place == 0).then_some(WORKER_RATE);
            let (mut figures, sent) = publish(&broker, options, rate)?;
            figures.faults.merge(read_back(&topic, &sent, true)?);
            return Ok(figures);
        }
        let mut broker = mosquitto.start(bench.directory, &[])?;
        let directory = bench.directory.join(name);
        let worker = Worker::start(&directory, &topic, &Worker::source(&topic, broker.port))?;
        broker.count_beside(worker.process);
        let (mut figures, sent) = publish(&broker, options, Some(WORKER_RATE))?;
        // What Mosquitto has acknowledged is not in Kafka yet.
        await_records(&topic, sent.iter().sum())?;
        figures.faults.merge(read_back(&topic, &sent, false)?);
        Ok(figures)
    });
    report.add(loads::table("bridge").with(series));
    Ok(())
}

/// Starts Midge with these connectors.
pub(crate) fn bridge(
    midge: &Contender,
    topic: &Topic,
    connectors: &str,
    directory: &Path,
) -> io::Result<Broker> {
    let file = directory.join("midge.toml");
    let servers = topic.servers();
    std::fs::write(&file, format!("[kafka]\nbootstrap_servers = {servers:?}\n\n{connectors}"))?;
    midge.start(directory, &["--bridge".to_owned(), file.display().to_string()])
}

pub(crate) fn source(topic: &Topic) -> String {
    let name = &topic.name;
    format!(
        "[connectors.{CONNECTOR}]\n\
         type = \"source\"\n\
         mqtt_filters = [\"bench/#\"]\n\
         kafka_topic = {name:?}\n\
         ack = \"kafka\"\n\n"
    )
}

pub(crate) fn sink(topic: &Topic, prefix: &str, qos: u8) -> String {
    let name = &topic.name;
    format!(
        "[connectors.back]\n\
         type = \"sink\"\n\
         kafka_topics = [{name:?}]\n\
         mqtt_topic = \"{prefix}${{key}}\"\n\
         qos = {qos}\n\
         group_id = {name:?}\n\
         offset_reset = \"earliest\"\n"
    )
}

/// One subscriber that hears every publisher.
pub(crate) fn subscribe(
    broker: &Broker,
    filter: &str,
    qos: u8,
) -> io::Result<Vec<(std::net::TcpStream, Hears)>> {
    let mut stream = link::open(broker.port, "subscriber")?;
    link::subscribe(&mut stream, filter, qos)?;
    Ok(vec![(stream, Hears { first: 0, count: SHAPE.publishers() })])
}

fn plan(options: &Options, rate: Option<f64>) -> Plan {
    Plan {
        qos: 1,
        window: options.window,
        payload_bytes: options.payload_bytes,
        rate,
        subscribed: false,
        timed: false,
    }
}

/// Publishes for a while; every acknowledgement counts.
fn publish(
    broker: &Broker,
    options: &Options,
    rate: Option<f64>,
) -> io::Result<(Figures, Vec<u64>)> {
    let (plan, timing) = (plan(options, rate), loads::timing(options));
    load::drive(broker, SHAPE.publishers(), Vec::new(), plan, timing)
        .map_err(|error| broker.explain(&error.to_string()))
}

/// How many records a topic has.
fn records(consumer: &BaseConsumer, topic: &Topic) -> io::Result<u64> {
    (0..kafka::PARTITIONS).try_fold(0, |sum, partition| {
        let ends = consumer.fetch_watermarks(&topic.name, partition, PATIENCE);
        let (low, high) = ends.map_err(io::Error::other)?;
        Ok(sum + (high - low) as u64)
    })
}

/// Waits until as many records are there as were sent; the audit judges what is missing.
fn await_records(topic: &Topic, sent: u64) -> io::Result<()> {
    let consumer: BaseConsumer = kafka::client(topic).create().map_err(io::Error::other)?;
    let mut last = (0, Instant::now());
    while last.0 < sent && last.1.elapsed() < PATIENCE {
        let found = records(&consumer, topic)?;
        if found > last.0 {
            last = (found, Instant::now());
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}

/// Reads the whole topic and holds it against what was sent; `headers`: with those of Midge.
fn read_back(topic: &Topic, sent: &[u64], headers: bool) -> io::Result<Faults> {
    let consumer: BaseConsumer = kafka::client(topic).create().map_err(io::Error::other)?;
    let mut list = TopicPartitionList::new();
    let records = records(&consumer, topic)?;
    for partition in 0..kafka::PARTITIONS {
        list.add_partition_offset(&topic.name, partition, Offset::Beginning)
            .map_err(io::Error::other)?;
    }
    consumer.assign(&list).map_err(io::Error::other)?;
    let mut audit = Audit::new(sent.len(), headers);
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
    headers: bool,
    faults: Faults,
}

impl Audit {
    fn new(publishers: usize, headers: bool) -> Self {
        let expected = (0..publishers).map(|_| Expected::default()).collect();
        Self { expected, headers, faults: Faults::default() }
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
        let publisher_id = self.headers.then(|| format!("publisher-{publisher}"));
        if client_id != publisher_id.as_ref().map(String::as_bytes) {
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
        let mut audit = Audit::new(2, true);
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
