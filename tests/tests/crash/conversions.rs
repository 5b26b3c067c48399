//! Connectors with converters under `kill -9` of Midge, of Kafka, of the schema registry and of all
//! three: Kafka → Avro → projection → MQTT and MQTT → JSON with its schema → Kafka at once.
//!
//! Records come in stages, each with an Avro schema that nobody has seen before, and some stages are
//! interrupted. Every message that was acknowledged has to be in Kafka with its value, for the first
//! time in its publisher's order; every record has to reach the stored session once, in the order of
//! its key, unless the broker says that it sends it again. `CRASH_CONVERSIONS` says how many
//! records go each way (default 20,000).

use std::collections::BTreeMap;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use midge_tests::{Kafka, Midge, Outgoing, QOS1, Registry, kcat, rest, until};
use serde_json::{Value, json};

use crate::mix;

mod ends;
mod records;

use ends::{PUBLISHERS, Progress};

const STAGES: u64 = 10;
const PARTITIONS: u32 = 3;
const KEYS: u64 = 12;
/// Until everything that is away has come back and caught up.
const PATIENCE: Duration = Duration::from_secs(180);

const CLASSES: &str = "io.lenses.streamreactor.connect.mqtt";
const STRING: &str = "org.apache.kafka.connect.storage.StringConverter";
const SOURCE_KCQL: &str = "INSERT INTO readings SELECT * FROM `up/+` WITHCONVERTER=\
                           `io.lenses.streamreactor.connect.converters.source.JsonSimpleConverter`";
const SINK_KCQL: &str = "INSERT INTO down/${key} SELECT id, reading.value, reading.unit, label, \
                         _partition AS partition, _offset AS offset FROM measured";

/// The run: what takes part in it, and how far it has come.
struct Run {
    midge: Midge,
    kafka: Kafka,
    registry: Registry,
    progress: Arc<Progress>,
    ends: Vec<JoinHandle<()>>,
    /// Of each way, in all.
    total: u64,
    /// Of each way, so far.
    begun: u64,
}

impl Run {
    fn start(total: u64) -> Run {
        let (kafka, registry) = (Kafka::own(), Registry::own());
        kafka.create_topic("readings", PARTITIONS);
        kafka.create_topic("measured", PARTITIONS);
        let bridge = format!(
            "[kafka]\nbootstrap_servers = \"{}\"\n[connect]\nrest_listen = \"127.0.0.1:@PORT2@\"\n",
            kafka.bootstrap()
        );
        let midge = mix::setup_with(100).bridge(&bridge).listening(&[1, 2]).start();
        let mut run = Run {
            midge,
            kafka,
            registry,
            progress: Arc::default(),
            ends: Vec::new(),
            total,
            begun: 0,
        };
        run.make_connectors();
        run.start_ends();
        run
    }

    fn make_connectors(&self) {
        let hosts = format!("tcp://localhost:{}", self.midge.port(1));
        let source = json!({
            "connector.class": format!("{CLASSES}.source.MqttSourceConnector"),
            "connect.mqtt.hosts": hosts,
            "connect.mqtt.kcql": SOURCE_KCQL,
            "key.converter": STRING,
            "value.converter": "org.apache.kafka.connect.json.JsonConverter",
            "value.converter.schemas.enable": "true",
        });
        let sink = json!({
            "connector.class": format!("{CLASSES}.sink.MqttSinkConnector"),
            "topics": "measured",
            "connect.mqtt.hosts": hosts,
            "connect.mqtt.kcql": SINK_KCQL,
            "key.converter": STRING,
            "value.converter": "io.confluent.connect.avro.AvroConverter",
            "value.converter.schema.registry.url": self.registry.url(),
            "consumer.override.auto.offset.reset": "earliest",
            // A consumer that was killed keeps its partitions for this long.
            "consumer.override.session.timeout.ms": "6000",
        });
        for (name, config) in [("up", source), ("down", sink)] {
            let path = format!("/connectors/{name}/config");
            let (status, answer) = rest(&self.midge, "PUT", &path, Some(&config));
            assert_eq!(status, 201, "{answer}");
        }
    }

    fn start_ends(&mut self) {
        let address = self.midge.address();
        let subscriber = || self.midge.v5("subscriber").persistent();
        subscriber().connect().subscribe("down/#", QOS1);
        let (connect, progress) = (subscriber().packet(), Arc::clone(&self.progress));
        let mut ends = vec![std::thread::spawn(move || ends::hear(address, &connect, &progress))];
        ends.extend((0..PUBLISHERS).map(|number| {
            let connect = self.midge.v5(&format!("publisher{number}")).packet();
            let progress = Arc::clone(&self.progress);
            std::thread::spawn(move || ends::publish(address, &connect, number, &progress))
        }));
        self.ends = ends;
    }

    /// Lets the next stage's messages out and writes its records, which have a schema of their own.
    fn begin_stage(&mut self, stage: u64, schema_id: u32) {
        let numbers = self.begun..self.total * (stage + 1) / STAGES;
        self.begun = numbers.end;
        self.progress.allowed.store(numbers.end, Ordering::Relaxed);
        let mut bytes = Vec::new();
        for number in numbers {
            bytes.extend_from_slice(format!("k{}<is>", number % KEYS).as_bytes());
            bytes.extend_from_slice(&records::avro(number, stage, schema_id));
            bytes.extend_from_slice(b"<end>");
        }
        let file = self.midge.directory().join("records");
        std::fs::write(&file, bytes).expect("a file");
        // From a file: its values are no text. Idempotent, so that each is there once.
        let words = ["-P", "-t", "measured", "-K", "<is>", "-D", "<end>"];
        let mut command = Command::new("kcat");
        command.args(["-b", self.kafka.bootstrap(), "-X", "enable.idempotence=true"]).args(words);
        command.stdin(std::fs::File::open(file).expect("a file"));
        let output = command.output().expect("kcat");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    fn until(&self, what: &str, holds: impl Fn(&Run) -> bool) {
        until(PATIENCE, what, || {
            assert!(!self.ends.iter().any(JoinHandle::is_finished), "an end has given up");
            holds(self).then_some(())
        });
    }

    fn acknowledged(&self) -> u64 {
        self.progress.acknowledged.load(Ordering::Relaxed)
    }

    /// Until some of a stage has come through on either way, and most has not.
    fn get_going(&self, before: u64) {
        let few = self.total / STAGES / 10;
        self.until("the stage goes on", |run| {
            run.acknowledged() >= before + few || run.progress.heard() as u64 >= before + few
        });
    }

    /// Publishers are served, whoever is away.
    fn is_acknowledged(&self) {
        self.until("all that was published is acknowledged", |run| run.acknowledged() >= run.begun);
    }

    fn is_running(&self, name: &str) {
        self.until(&format!("{name} runs"), |run| {
            let (_, status) = rest(&run.midge, "GET", &format!("/connectors/{name}/status"), None);
            status["connector"]["state"] == "RUNNING" && status["tasks"][0]["state"] == "RUNNING"
        });
    }
}

#[test]
fn converted_records_all_arrive_though_midge_kafka_and_the_registry_are_killed() {
    let started = Instant::now();
    let mut run = Run::start(mix::from_environment("CRASH_CONVERSIONS", 20_000));
    let ids: Vec<u32> = (0..STAGES)
        .map(|stage| run.registry.register("measured-value", &records::schema(stage)))
        .collect();
    for (stage, id) in (0..STAGES).zip(ids) {
        let before = run.begun;
        // What is away before a stage begins is asked for a schema that nobody knows.
        if stage == 6 {
            run.registry.kill();
        }
        run.begin_stage(stage, id);
        run.get_going(before);
        match stage {
            2 => run.midge.crash(),
            4 => {
                run.kafka.kill();
                run.is_acknowledged();
                run.kafka.resume();
            }
            6 => {
                run.is_acknowledged();
                run.midge.says(&["down", "schema registry"]);
                assert!(run.progress.heard() as u64 <= before, "nobody knows the schema");
                run.registry.resume();
            }
            8 => {
                run.kafka.kill();
                run.registry.kill();
                run.midge.crash();
                run.is_acknowledged();
                run.registry.resume();
                run.kafka.resume();
            }
            _ => {}
        }
        run.is_running("up");
        run.is_running("down");
    }
    run.is_acknowledged();
    let total = run.total;
    let (again, redelivered) = (arrived_in_kafka(&run), heard(&run));
    let seconds = started.elapsed().as_secs();
    println!(
        "{total} records each way in {seconds} s, Midge, Kafka and the registry killed twice each: \
         none lost or altered, all in order; {again} came to Kafka again, {redelivered} were sent \
         again to the session"
    );
}

/// Waits until Kafka has every message, with its value; how many it has more than once.
fn arrived_in_kafka(run: &Run) -> u64 {
    let ends = |run: &Run| -> u64 {
        let partitions = (0..PARTITIONS).map(|partition| format!("readings:{partition}:-1"));
        let told = partitions.map(|place| {
            let told = kcat(run.kafka.bootstrap(), &["-Q", "-t", &place], "").success().stdout;
            told.trim().rsplit(' ').next().and_then(|end| end.parse().ok()).unwrap_or(0)
        });
        told.sum()
    };
    run.until("as many records in Kafka as messages", |run| ends(run) >= run.total);
    let mut missing = String::new();
    let mut again = 0;
    until(PATIENCE, "Kafka has every message", || {
        let lines = run.kafka.records("readings", "%k %s\n");
        let mut next: BTreeMap<u64, u64> = (0..PUBLISHERS).map(|it| (it, it)).collect();
        again = 0;
        for line in &lines {
            let (key, value) = line.split_once(' ').expect("a key and a value");
            let record: Value = value.parse().expect("JSON");
            let number = record["payload"]["id"].as_u64().expect("a number");
            assert_eq!(record, records::enveloped(number));
            let publisher = number % PUBLISHERS;
            assert_eq!(key, records::mqtt_topic(publisher));
            let next = next.get_mut(&publisher).expect("a publisher");
            assert!(number <= *next, "{key}: {number} came before {next}");
            let is_new = number == *next;
            *next += if is_new { PUBLISHERS } else { 0 };
            again += u64::from(!is_new);
        }
        let lacking = next.values().find(|next| **next < run.total);
        missing = lacking.map(u64::to_string).unwrap_or_default();
        missing.is_empty().then_some(())
    });
    again
}

/// Waits until the session has every record, with its value; how many were sent more than once.
fn heard(run: &Run) -> usize {
    // Of each key its records' places in their order, by Kafka's own account.
    let mut places: BTreeMap<String, Vec<(u64, u64)>> = BTreeMap::new();
    let mut ends: BTreeMap<u64, u64> = BTreeMap::new();
    let lines = run.kafka.records("measured", "%p %o %k\n");
    assert_eq!(lines.len() as u64, run.total);
    for line in lines {
        let mut words = line.split(' ');
        let mut number = || words.next().and_then(|word| word.parse().ok()).expect("a number");
        let (partition, offset) = (number(), number());
        ends.insert(partition, offset + 1);
        let key = words.next().expect("a key").to_owned();
        places.entry(key).or_default().push((partition, offset));
    }
    run.until("the session has as many messages as there are records", |run| {
        run.progress.heard() as u64 >= run.total
    });
    let mut redelivered = 0;
    until(PATIENCE, "the session has every record", || {
        let heard = run.progress.heard.lock().expect("what was heard");
        let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
        redelivered = 0;
        for publish in heard.iter() {
            let message: Value = publish.said().parse().expect("JSON");
            let of = |name: &str| message[name].as_u64().expect("a number");
            let (number, partition, offset) = (of("id"), of("partition"), of("offset"));
            let mut expected = records::projected(number);
            expected["partition"] = partition.into();
            expected["offset"] = offset.into();
            assert_eq!(message, expected);
            let key = publish.name().strip_prefix("down/").expect("the sink's topics");
            assert_eq!(key, format!("k{}", number % KEYS));
            // Records of a key were written in the order of their numbers.
            let turn = usize::try_from(number / KEYS).expect("a small number");
            assert_eq!(places[key][turn], (partition, offset), "record {number} of {key}");
            let seen = seen.entry(key).or_default();
            assert!(turn <= *seen, "{key}: its record {turn} came before {seen}");
            if turn == *seen {
                *seen += 1;
            } else {
                assert!(publish.dup, "record {number}: twice, and not sent again by MQTT");
                redelivered += 1;
            }
        }
        let all = places.iter().map(|(key, places)| (&**key, places.len()));
        seen.into_iter().eq(all).then_some(())
    });
    let offsets = || {
        let (_, told) = rest(&run.midge, "GET", "/connectors/down/offsets", None);
        let told = told["offsets"].as_array().cloned().unwrap_or_default();
        let of = |it: &Value| {
            let partition = it["partition"]["kafka_partition"].as_u64()?;
            Some((partition, it["offset"]["kafka_offset"].as_u64()?))
        };
        told.iter().filter_map(of).collect::<BTreeMap<u64, u64>>()
    };
    run.until("its offsets are behind the last records", |_| offsets() == ends);
    redelivered
}

impl Drop for Run {
    fn drop(&mut self) {
        self.progress.end.store(true, Ordering::Relaxed);
        for end in self.ends.drain(..) {
            // What was wrong with it has been told.
            let _ = end.join();
        }
    }
}
