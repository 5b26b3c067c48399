//! Connectors by class and properties, with a Kafka inside the process.

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use midge_bridge::connect::plan::Worker;
use midge_bridge::connect::{Definitions, Herder, Properties, RunState, Runner, TargetState};
use midge_bridge::dev::{EmbeddedKafka, ProduceFault, StoredRecord};
use midge_codec::ReasonCode;
use midge_core::ShardId;
use support::{Broker, eventually, kafka, message, offer, settings};

const JSON: &str = "org.apache.kafka.connect.json.JsonConverter";
const STRING: &str = "org.apache.kafka.connect.storage.StringConverter";

struct Connect {
    broker: Arc<Broker>,
    bridge: Arc<midge_bridge::Bridge>,
    herder: Arc<Herder>,
}

fn connect(kafka: &EmbeddedKafka, broker: Arc<Broker>) -> Connect {
    connect_beside(kafka, broker, Vec::new())
}

/// The same beside connectors of the configuration.
fn connect_beside(
    kafka: &EmbeddedKafka,
    broker: Arc<Broker>,
    connectors: Vec<midge_config::Connector>,
) -> Connect {
    let bridge = broker.start(settings(kafka.bootstrap_servers(), connectors));
    let worker = Worker { local_ports: vec![1883], ..Worker::default() };
    let authenticate = Arc::new(|user: &midge_config::MqttUser| match user.name.as_str() {
        "ana" => Ok(()),
        _ => Err("user unknown".to_owned()),
    });
    let runner = Arc::new(Runner::new(Arc::clone(&bridge), worker, authenticate));
    let definitions = Definitions::in_memory();
    let herder = Herder::start(runner, definitions, "here:8083".to_owned(), BTreeMap::new());
    Connect { broker, bridge, herder: herder.expect("a thread") }
}

fn config(pairs: &[(&str, &str)]) -> Properties {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

fn source(more: &[(&str, &str)]) -> Properties {
    let mut all = config(&[
        ("name", "s"),
        (
            "connector.class",
            "com.datamountaineer.streamreactor.connect.mqtt.source.MqttSourceConnector",
        ),
        ("connect.mqtt.hosts", "tcp://localhost:1883"),
        (
            "connect.mqtt.kcql",
            "INSERT INTO readings SELECT id, temperature AS celsius FROM `plant/+` WITHCONVERTER=\
             `com.datamountaineer.streamreactor.connect.converters.source.JsonSimpleConverter` \
             WITHKEY(id)",
        ),
        ("connect.mqtt.converter.throw.on.error", "true"),
        ("key.converter", STRING),
        ("value.converter", JSON),
        ("value.converter.schemas.enable", "false"),
    ]);
    all.extend(config(more));
    all
}

impl Connect {
    fn put(&self, config: Properties) {
        let name = config["name"].clone();
        self.herder.put(&name, config).expect("nothing is wrong");
    }

    fn is(&self, name: &str, state: RunState) -> bool {
        let condition = self.herder.condition(name).expect("it is there");
        let whole = condition.connector.state == state || state == RunState::Failed;
        let mut tasks = condition.tasks.iter();
        whole && !condition.tasks.is_empty() && tasks.all(|task| task.state == state)
    }

    fn publish(&self, tap: u32, topic: &str, payload: &str, duty: u64) {
        self.bridge.offer(ShardId(0), &mut vec![offer(tap, message(topic, payload), duty)]);
    }

    fn tap(&self) -> u32 {
        let seen = self.broker.lock();
        seen.taps.last().expect("a source").0
    }
}

fn texts(kafka: &EmbeddedKafka, topic: &str, count: usize) -> Vec<(String, String)> {
    let text = |bytes: Option<Vec<u8>>| String::from_utf8(bytes.unwrap_or_default()).expect("text");
    let records = kafka.records(topic, count).expect("they are there");
    records.into_iter().map(|record| (text(record.key), text(record.value))).collect()
}

#[test]
fn messages_become_records_by_statement_converter_and_transform() {
    let kafka = kafka();
    kafka.create_topic("readings", 1).expect("a new topic");
    let connect = connect(&kafka, Broker::new());
    connect.put(source(&[
        ("transforms", "more"),
        ("transforms.more.type", "org.apache.kafka.connect.transforms.InsertField$Value"),
        ("transforms.more.static.field", "unit"),
        ("transforms.more.static.value", "C"),
    ]));
    eventually("it runs", || connect.is("s", RunState::Running));
    let tap = connect.tap();
    connect.publish(tap, "plant/1", r#"{"id":"d7","temperature":21.5,"more":true}"#, 1);
    connect.broker.wait("its acknowledgement", |seen| seen.done.len() == 1);
    let record = ("d7".to_owned(), r#"{"id":"d7","celsius":21.5,"unit":"C"}"#.to_owned());
    assert_eq!(texts(&kafka, "readings", 1), [record]);
    let topics = connect.herder.topics("s").expect("it is there");
    assert_eq!(topics.into_iter().collect::<Vec<_>>(), ["readings"]);
}

#[test]
fn a_poisonous_message_fails_its_task_until_it_is_tolerated_and_a_dead_letter() {
    let kafka = kafka();
    kafka.create_topic("readings", 1).expect("a new topic");
    kafka.create_topic("dead", 1).expect("a new topic");
    let connect = connect(&kafka, Broker::new());
    connect.put(source(&[]));
    eventually("it runs", || connect.is("s", RunState::Running));
    connect.publish(connect.tap(), "plant/1", "{poison", 1);
    eventually("it fails", || connect.is("s", RunState::Failed));
    let condition = connect.herder.condition("s").expect("it is there");
    let trace = condition.tasks[0].trace.clone().expect("a trace");
    assert!(trace.contains("Failed to parse json message"), "{trace}");
    assert!(connect.broker.lock().done.is_empty(), "nobody is told that it is safe");

    connect.put(source(&[
        ("errors.tolerance", "all"),
        ("errors.deadletterqueue.topic.name", "dead"),
        ("errors.deadletterqueue.context.headers.enable", "true"),
    ]));
    // There is no disk to keep it on for the next start, so its publisher hears that it failed.
    connect.broker.wait("its refusal", |seen| seen.done.len() == 1);
    assert!(connect.broker.lock().done[0].2.is_error());
    eventually("it runs", || connect.is("s", RunState::Running));
    let tap = connect.tap();
    connect.publish(tap, "plant/1", "{poison", 2);
    connect.publish(tap, "plant/2", r#"{"id":"d8","temperature":1}"#, 3);
    connect.broker.wait("both acknowledgements", |seen| seen.done.len() == 3);
    assert!(connect.broker.lock().done[1..].iter().all(|done| done.2 == ReasonCode::Success));
    assert_eq!(texts(&kafka, "dead", 1), [("plant/1".to_owned(), "{poison".to_owned())]);
    let dead = kafka.records("dead", 1).expect("it is there").remove(0);
    let stage = dead.headers.iter().find(|(name, _)| name == "__connect.errors.stage");
    assert!(stage.is_some(), "{:?}", dead.headers);
    assert_eq!(texts(&kafka, "readings", 1)[0].0, "d8");
}

/// How many bytes of a value a dead letter does without.
fn omitted(letter: &StoredRecord) -> Option<usize> {
    let mut headers = letter.headers.iter();
    let (_, bytes) = headers.find(|(name, _)| name == "__connect.errors.value.omitted")?;
    String::from_utf8_lossy(bytes).parse().ok()
}

#[test]
fn a_dead_letter_that_is_too_large_goes_without_its_value_and_stops_nobody() {
    let kafka = kafka();
    kafka.create_topic("readings", 1).expect("a new topic");
    kafka.create_topic("dead", 1).expect("a new topic");
    let connect = connect(&kafka, Broker::new());
    connect
        .put(source(&[("errors.tolerance", "all"), ("errors.deadletterqueue.topic.name", "dead")]));
    eventually("it runs", || connect.is("s", RunState::Running));
    let tap = connect.tap();
    // The client has a bound of its own: one of the record, and one of the dead letter.
    let large = "x".repeat(1_500_000);
    connect.publish(tap, "plant/1", &format!(r#"{{"id":"{large}","temperature":1}}"#), 1);
    connect.publish(tap, "plant/2", &large, 2);
    connect.broker.wait("both acknowledgements", |seen| seen.done.len() == 2);
    let letters = kafka.records("dead", 2).expect("they are there");
    assert!(letters.iter().all(|letter| letter.value.is_none()));
    let lengths = letters.iter().filter_map(omitted).collect::<BTreeSet<_>>();
    assert_eq!(lengths, BTreeSet::from([1_500_000, 1_500_025]));

    // So has the topic: the record and its dead letter are refused.
    let small = r#"{"id":"d1","temperature":1}"#;
    kafka.fail_produce(&[ProduceFault::TooLarge; 2]).expect("it is told");
    connect.publish(tap, "plant/3", small, 3);
    connect.broker.wait("its acknowledgement", |seen| seen.done.len() == 3);
    assert_eq!(omitted(&kafka.records("dead", 3).expect("it is there")[2]), Some(small.len()));
    // Nothing is left that could be left out.
    kafka.fail_produce(&[ProduceFault::TooLarge; 3]).expect("it is told");
    connect.publish(tap, "plant/4", small, 4);
    connect.broker.wait("its acknowledgement", |seen| seen.done.len() == 4);
    connect.publish(tap, "plant/5", r#"{"id":"d5","temperature":1}"#, 5);
    connect.broker.wait("all acknowledgements", |seen| seen.done.len() == 5);
    assert!(connect.broker.lock().done.iter().all(|done| done.2 == ReasonCode::Success));
    assert_eq!(texts(&kafka, "readings", 1)[0].0, "d5");
    assert!(connect.is("s", RunState::Running));
}

#[test]
fn a_sink_goes_on_after_a_dead_letter_that_is_too_large() {
    let kafka = kafka();
    kafka.create_topic("orders", 1).expect("a new topic");
    kafka.create_topic("dead", 1).expect("a new topic");
    for value in ["poison", "more poison", r#"{"x":1}"#] {
        kafka.produce("orders", Some(b"k"), Some(value.as_bytes()), &[]).expect("it takes it");
    }
    // One goes not at all, the other without its value.
    kafka.fail_produce(&[ProduceFault::TooLarge; 3]).expect("it is told");
    let connect = connect(&kafka, Broker::that_answers(ReasonCode::Success));
    let class = "com.datamountaineer.streamreactor.connect.mqtt.sink.MqttSinkConnector";
    connect.put(config(&[
        ("name", "k"),
        ("connector.class", class),
        ("topics", "orders"),
        ("connect.mqtt.hosts", "tcp://localhost:1883"),
        ("connect.mqtt.kcql", "INSERT INTO all SELECT * FROM orders"),
        ("key.converter", STRING),
        ("value.converter", JSON),
        ("value.converter.schemas.enable", "false"),
        ("errors.tolerance", "all"),
        ("errors.deadletterqueue.topic.name", "dead"),
        ("consumer.override.auto.offset.reset", "earliest"),
    ]));
    connect.broker.wait("the last publish", |seen| seen.injects.len() == 1);
    assert!(connect.is("k", RunState::Running));
    kafka.produce("orders", None, Some(b"poison"), &[]).expect("it takes it");
    let letters = kafka.records("dead", 2).expect("they are there");
    assert_eq!((&letters[0].value, omitted(&letters[0])), (&None, Some("more poison".len())));
    assert_eq!((&letters[1].value, omitted(&letters[1])), (&Some(b"poison".to_vec()), None));
}

#[test]
fn records_become_messages_by_every_statement_and_a_stopped_sink_tells_its_offsets() {
    let kafka = kafka();
    kafka.create_topic("orders", 1).expect("a new topic");
    let connect = connect(&kafka, Broker::that_answers(ReasonCode::Success));
    for number in 0..3 {
        let value = format!(r#"{{"x":{number},"y":1}}"#);
        kafka.produce("orders", Some(b"k/1"), Some(value.as_bytes()), &[]).expect("it takes it");
    }
    kafka.produce("orders", None, Some(b"poison"), &[]).expect("it takes it");
    connect.put(config(&[
        ("name", "k"),
        (
            "connector.class",
            "com.datamountaineer.streamreactor.connect.mqtt.sink.MqttSinkConnector",
        ),
        ("topics", "orders"),
        ("connect.mqtt.hosts", "tcp://localhost:1883"),
        (
            "connect.mqtt.kcql",
            "INSERT INTO /all SELECT * FROM orders; INSERT INTO `_key` SELECT x AS z FROM orders",
        ),
        ("key.converter", STRING),
        ("value.converter", JSON),
        ("value.converter.schemas.enable", "false"),
        ("errors.tolerance", "all"),
        ("consumer.override.auto.offset.reset", "earliest"),
    ]));
    connect.broker.wait("all publishes", |seen| seen.injects.len() == 6);
    let seen: Vec<(String, String)> = {
        let seen = connect.broker.lock();
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("text");
        let publish =
            |inject: &midge_core::Inject| (inject.topic.as_str().to_owned(), text(&inject.payload));
        seen.injects.iter().map(publish).collect()
    };
    assert_eq!(seen[0], ("/all".to_owned(), r#"{"x":0,"y":1}"#.to_owned()));
    assert_eq!(seen[1], ("k/1".to_owned(), r#"{"z":0}"#.to_owned()));

    connect.herder.target("k", TargetState::Stopped).expect("it stops");
    eventually("it has stopped", || {
        connect.herder.condition("k").expect("it is there").connector.state == RunState::Stopped
    });
    // The one that is no JSON has been passed over.
    eventually("its offset", || {
        let offsets = connect.herder.offsets("k").expect("they are known");
        offsets.len() == 1
            && offsets[0].1.as_ref().is_some_and(|offset| offset["kafka_offset"] == 4)
    });
    connect.herder.target("k", TargetState::Running).expect("it runs");
    eventually("it runs", || connect.is("k", RunState::Running));
}

#[test]
fn a_user_who_may_not_log_in_fails_the_task_with_the_reason() {
    let kafka = kafka();
    let connect = connect(&kafka, Broker::new());
    connect.put(source(&[("connect.mqtt.username", "eve"), ("connect.mqtt.password", "x")]));
    eventually("it fails", || connect.is("s", RunState::Failed));
    let condition = connect.herder.condition("s").expect("it is there");
    assert_eq!(condition.tasks[0].trace.as_deref(), Some("MQTT user \"eve\": user unknown"));
    connect.put(source(&[("connect.mqtt.username", "ana"), ("connect.mqtt.password", "x")]));
    eventually("it runs", || connect.is("s", RunState::Running));
}

#[test]
fn a_connector_with_a_name_of_the_configuration_fails_and_the_other_goes_on() {
    let kafka = kafka();
    kafka.create_topic("own", 1).expect("a new topic");
    let connect = connect_beside(&kafka, Broker::new(), vec![support::source("s", "own")]);
    connect.put(source(&[]));
    eventually("it fails", || connect.is("s", RunState::Failed));
    let condition = connect.herder.condition("s").expect("it is there");
    assert_eq!(
        condition.tasks[0].trace.as_deref(),
        Some("another connector has the name \"s\" already")
    );
    connect.publish(connect.bridge.taps()[0].id.0, "a", "1", 1);
    connect.broker.wait("its acknowledgement", |seen| seen.done.len() == 1);
    assert_eq!(texts(&kafka, "own", 1)[0].1, "1");
}
