//! Connectors by class and what converting costs: bytes, JSON with its schema and Avro, both ways,
//! beside Mosquitto with a Kafka Connect worker.
//!
//! Both do the same work on the same readings, as fast as they go, with the same registry. To Kafka a
//! publisher's window opens when its record was read from Kafka, so nothing piles up on the way; from
//! Kafka all records lie ready. A Java machine compiles while it begins, so every run has a long
//! beginning that is not measured.

use std::io;
use std::path::Path;
use std::time::Duration;

use crate::bridge::{self, CONNECTOR, Kafka, SHAPE, Worker};
use crate::kafka::{Loaded, Topic};
use crate::load::{self, Figures, Timing};
use crate::peers::MOSQUITTO;
use crate::process::{Broker, Contender};
use crate::publish::{Plan, Sends, Source};
use crate::report::Report;
use crate::scenario::Bench;
use crate::wire::reading;
use crate::{link, loads};

mod format;
mod reader;
mod registry;

use format::{Format, SCHEMA};
use reader::Reader;
use registry::Registry;

/// Records that lie ready, unless the options say how many.
const RECORDS: u64 = 400_000;
/// Messages of a publisher that Kafka may lack: enough for a worker that takes them by thousands.
const WINDOW: usize = 100;
/// The least that is not measured and that is.
const WARM_UP: Duration = Duration::from_secs(8);
const SECONDS: Duration = Duration::from_secs(4);

/// Midge with a connector of its own kind, which passes bytes on.
const OWN: &str = "midge, type = \"source\"";
/// The same to MQTT.
const OWN_SINK: &str = "midge, type = \"sink\"";
const WORKER: &str = "mosquitto + connect";

const CLASSES: &str = "io.lenses.streamreactor.connect";
const STRING: &str = "org.apache.kafka.connect.storage.StringConverter";

/// What one run works with.
struct Run<'a> {
    bench: &'a Bench<'a>,
    mosquitto: &'a Contender,
    kafka: &'a str,
    registry: &'a Registry,
    format: Format,
}

pub(crate) fn run(bench: &Bench<'_>, report: &mut Report) -> io::Result<()> {
    let Some(mosquitto) = bench.peers.iter().find(|peer| peer.name == MOSQUITTO) else {
        report.skipped.push("conversions, there is no mosquitto among the peers".into());
        return Ok(());
    };
    let Some(kafka) = Kafka::reach("conversions", bench, report)? else { return Ok(()) };
    let registry = &Registry::start(&bench.directory.join("registry"))?;
    for format in Format::ALL {
        let run = Run { bench, mosquitto, kafka: &kafka.address, registry, format };
        let load = format!("MQTT → Kafka, {}, {} bytes", format.name(), reading::BYTES);
        let names = run.names(OWN);
        let series = bridge::rounds(bench.options, &load, &names, |place, name| {
            run.to_kafka(names[place], name)
        });
        report.add(loads::table("conversions").with(series));
        let load = format!("Kafka → MQTT, {}, {} bytes", format.name(), reading::BYTES);
        let names = run.names(OWN_SINK);
        let series = bridge::rounds(bench.options, &load, &names, |place, name| {
            run.to_mqtt(names[place], name)
        });
        report.add(loads::table("conversions").with(series));
    }
    Ok(())
}

impl Run<'_> {
    fn names(&self, own: &'static str) -> Vec<&'static str> {
        match self.format {
            Format::Bytes => vec!["midge", WORKER, own],
            Format::Json | Format::Avro => vec!["midge", WORKER],
        }
    }

    fn to_kafka(&self, contender: &str, name: &str) -> io::Result<Figures> {
        let topic = Topic::create(self.kafka, name)?;
        let reader = Reader::new(&topic, self.format, WINDOW)?;
        let options = self.bench.options;
        let timing = Timing {
            warm_up: options.warm_up.max(WARM_UP),
            seconds: options.seconds.max(SECONDS),
            count: options.count,
        };
        let (broker, _worker) = match contender {
            OWN => (self.own(&topic, &bridge::source(&topic))?, None),
            WORKER => self.worker(&topic, |port| self.worker_source(&topic, port))?,
            _ => (self.by_class(&topic, &self.class_source(&topic))?, None),
        };
        let open = |index| {
            let stream = link::open(broker.port, &format!("publisher-{index}"))?;
            Ok(Source { stream: stream.into(), sends: Sends::Readings })
        };
        let publishers = (0..SHAPE.publishers()).map(open).collect::<io::Result<_>>()?;
        let plan = Plan {
            qos: 1,
            window: WINDOW,
            payload_bytes: reading::BYTES,
            rate: None,
            subscribed: true,
            timed: false,
        };
        let receive = |shared: &_| reader.run(shared);
        load::drive_into(&broker, publishers, Some(receive), plan, timing)
            .map(|(figures, _)| figures)
            .map_err(|error| broker.explain(&error.to_string()))
    }

    fn to_mqtt(&self, contender: &str, name: &str) -> io::Result<Figures> {
        let records = self.bench.options.count.unwrap_or(RECORDS);
        let schema_id = match self.format {
            Format::Avro => self.registry.register(name, SCHEMA)?,
            Format::Bytes | Format::Json => 0,
        };
        let format = self.format;
        let values = Box::new(move |stamp, value: &mut _| format.write(stamp, schema_id, value));
        let loaded = Loaded::create(self.kafka, name, records, values)?;
        let topic = &loaded.topic;
        let (broker, _worker) = match contender {
            OWN_SINK => (self.own(topic, &bridge::sink(topic, "", 1))?, None),
            WORKER => self.worker(topic, |port| self.worker_sink(topic, port))?,
            _ => (self.by_class(topic, &self.class_sink(topic))?, None),
        };
        let subscriber = bridge::subscribe(&broker, "bench/+", 1)?;
        let interval = (records / 2, records - records / 10);
        load::hear(&broker, subscriber, 1, &loaded.sent, interval, || loaded.show())
            .map_err(|error| broker.explain(&error.to_string()))
    }

    /// Midge with connectors of `midge.toml`.
    fn own(&self, topic: &Topic, connectors: &str) -> io::Result<Broker> {
        bridge::bridge(self.bench.midge, topic, connectors, self.bench.directory)
    }

    /// Midge with a connector by class.
    fn by_class(&self, topic: &Topic, properties: &str) -> io::Result<Broker> {
        let directory = self.bench.directory;
        let (toml, connector) = (directory.join("midge.toml"), directory.join("class.properties"));
        let servers = topic.servers();
        std::fs::write(
            &toml,
            format!(
                "[bridge]\nlocal_hosts = [\"midge\"]\n[kafka]\nbootstrap_servers = {servers:?}\n"
            ),
        )?;
        std::fs::write(&connector, properties)?;
        let file = |path: &Path| path.display().to_string();
        let arguments = ["--bridge".into(), file(&toml), "--connector".into(), file(&connector)];
        self.bench.midge.start(directory, &arguments)
    }

    /// Mosquitto with a worker, which counts with it.
    fn worker(
        &self,
        topic: &Topic,
        properties: impl FnOnce(u16) -> String,
    ) -> io::Result<(Broker, Option<Worker>)> {
        let mut broker = self.mosquitto.start(self.bench.directory, &[])?;
        let directory = self.bench.directory.join(&topic.name);
        let worker = Worker::start(&directory, topic, &properties(broker.port))?;
        broker.count_beside(worker.process);
        Ok((broker, Some(worker)))
    }

    fn class_source(&self, topic: &Topic) -> String {
        let with = match self.format {
            Format::Bytes => "",
            Format::Json | Format::Avro => " WITHCONVERTER=`JsonSimpleConverter`",
        };
        format!(
            "name={CONNECTOR}\nconnector.class={CLASSES}.mqtt.source.MqttSourceConnector\n\
             connect.mqtt.hosts=tcp://midge:1883\nkey.converter={STRING}\n{}\
             connect.mqtt.kcql=INSERT INTO `{}` SELECT * FROM `bench/+`{with}\n",
            self.converter(Avro::Confluent),
            topic.name
        )
    }

    fn class_sink(&self, topic: &Topic) -> String {
        let columns = match self.format {
            Format::Bytes => "*",
            Format::Json | Format::Avro => "publisher, sequence, sent, note",
        };
        let name = &topic.name;
        format!(
            "name=back\nconnector.class={CLASSES}.mqtt.sink.MqttSinkConnector\ntopics={name}\n\
             connect.mqtt.hosts=tcp://midge:1883\nkey.converter={STRING}\n{}\
             connect.mqtt.kcql=INSERT INTO _key SELECT {columns} FROM `{name}`\n\
             consumer.override.group.id={name}\nconsumer.override.auto.offset.reset=earliest\n",
            self.converter(Avro::Confluent),
        )
    }

    fn worker_source(&self, topic: &Topic, mqtt_port: u16) -> String {
        let json = self.format != Format::Bytes;
        let converter = self.converter(Avro::Apicurio);
        format!("{}json={json}\n{converter}", Worker::source(topic, mqtt_port))
    }

    fn worker_sink(&self, topic: &Topic, mqtt_port: u16) -> String {
        let name = &topic.name;
        format!(
            "name=back\nconnector.class=MqttSink\ntasks.max=1\ntopics={name}\n\
             mqtt.uri=tcp://127.0.0.1:{mqtt_port}\nfields=publisher,sequence,sent,note\n{}\
             consumer.override.auto.offset.reset=earliest\n\
             consumer.override.isolation.level=read_committed\n",
            self.converter(Avro::Apicurio),
        )
    }

    /// `value.converter` and its options.
    fn converter(&self, avro: Avro) -> String {
        let connect = "org.apache.kafka.connect";
        let (class, options) = match (self.format, avro) {
            (Format::Bytes, _) => (format!("{connect}.converters.ByteArrayConverter"), vec![]),
            (Format::Json, _) => (
                format!("{connect}.json.JsonConverter"),
                vec![("schemas.enable", "true".to_owned())],
            ),
            (Format::Avro, Avro::Confluent) => (
                "io.confluent.connect.avro.AvroConverter".to_owned(),
                vec![("schema.registry.url", self.registry.url().to_owned())],
            ),
            (Format::Avro, Avro::Apicurio) => (
                "io.apicurio.registry.utils.converter.AvroConverter".to_owned(),
                vec![
                    ("apicurio.registry.url", self.registry.own_url()),
                    ("apicurio.registry.auto-register", "true".to_owned()),
                    ("apicurio.registry.headers.enabled", "false".to_owned()),
                    ("apicurio.registry.as-confluent", "true".to_owned()),
                    ("apicurio.registry.use-id", "contentId".to_owned()),
                ],
            ),
        };
        let mut text = format!("value.converter={class}\n");
        for (name, value) in options {
            text += &format!("value.converter.{name}={value}\n");
        }
        text
    }
}

/// Whose Avro converter it is. Confluent's own is not on Maven Central.
#[derive(Clone, Copy)]
enum Avro {
    Confluent,
    Apicurio,
}
