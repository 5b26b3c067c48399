//! Connectors at another MQTT broker, packet by packet, with a Kafka inside the process.

mod support;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use midge_bridge::connect::plan::Worker;
use midge_bridge::connect::{Definitions, Herder, Properties, RunState, Runner, TargetState};
use midge_bridge::dev::EmbeddedKafka;
use midge_codec::Packet;
use support::far::{Far, ack, publish};
use support::{Broker, eventually, kafka, numbers, settings};

const BYTES: &str = "org.apache.kafka.connect.converters.ByteArrayConverter";
const STRING: &str = "org.apache.kafka.connect.storage.StringConverter";

fn herder(kafka: &EmbeddedKafka) -> Arc<Herder> {
    herder_of(kafka, Worker::default())
}

fn herder_of(kafka: &EmbeddedKafka, worker: Worker) -> Arc<Herder> {
    let bridge = Broker::new().start(settings(kafka.bootstrap_servers(), Vec::new()));
    let authenticate = Arc::new(|_: &midge_config::MqttUser| Ok(()));
    let runner = Arc::new(Runner::new(bridge, worker, authenticate));
    let definitions = Definitions::in_memory();
    let herder = Herder::start(runner, definitions, "here:8083".to_owned(), BTreeMap::new());
    herder.expect("a thread")
}

fn put(herder: &Herder, far: &Far, more: &[(&str, &str)]) {
    let class = "com.datamountaineer.streamreactor.connect.mqtt.source.MqttSourceConnector";
    let hosts = format!("tcp://127.0.0.1:{}", far.port());
    let all = [
        ("name", "s"),
        ("connector.class", class),
        ("connect.mqtt.hosts", &hosts),
        ("connect.mqtt.kcql", "INSERT INTO numbers SELECT * FROM `plant/+`"),
        ("connect.mqtt.clean", "false"),
        ("key.converter", STRING),
        ("value.converter", BYTES),
    ];
    let pairs = all.iter().chain(more);
    let config: Properties =
        pairs.map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    herder.put("s", config).expect("nothing is wrong");
}

fn trace(herder: &Herder) -> Option<String> {
    herder.condition("s").expect("it is there").tasks.first()?.trace.clone()
}

#[test]
fn a_publish_is_acknowledged_when_kafka_has_it_and_on_no_other_connection() {
    let kafka = kafka();
    kafka.create_topic("numbers", 1).expect("a new topic");
    let (far, herder) = (Far::new(), herder(&kafka));
    // The first address answers nobody.
    let hosts = format!("tcp://127.0.0.1:1,tcp://127.0.0.1:{}", far.port());
    put(&herder, &far, &[("connect.mqtt.hosts", &hosts)]);
    let mut client = far.subscribed();
    client.send(&publish(1, false, "plant/a", "0"));
    assert_eq!(client.packet(), Packet::Puback(ack(1)));

    kafka.go_away().expect("it goes");
    client.send(&publish(2, false, "plant/a", "1"));
    drop(client);
    let (mut client, connect) = far.connected(true);
    assert!(!connect.clean_start);
    // A broker that was killed may have forgotten the subscription, though not the session.
    client.subscribes();
    kafka.come_back().expect("it comes");
    client.send(&publish(3, false, "plant/a", "2"));
    // Of the one before nothing is said, though Kafka has it by now.
    assert_eq!(client.packet(), Packet::Puback(ack(3)), "no PUBACK of 2");
    client.send(&publish(2, true, "plant/a", "1"));
    assert_eq!(client.packet(), Packet::Puback(ack(2)));
    assert_eq!(numbers(&kafka, "numbers", 3), [0, 1, 2], "once each");

    herder.delete("s").expect("it is there");
    assert!(matches!(client.packet(), Packet::Disconnect(_)), "and no UNSUBSCRIBE");
}

#[test]
fn acknowledgements_that_wait_for_nothing_go_out_while_kafka_is_away() {
    let kafka = kafka();
    let (far, herder) = (Far::new(), herder(&kafka));
    put(&herder, &far, &[("midge.ack", "none")]);
    let mut client = far.subscribed();
    kafka.go_away().expect("it goes");
    client.send(&publish(1, false, "plant/a", "0"));
    assert_eq!(client.packet(), Packet::Puback(ack(1)));
}

#[test]
fn what_kafka_does_not_take_is_not_read_from_the_other_broker() {
    let kafka = kafka();
    kafka.create_topic("numbers", 1).expect("a new topic");
    let (far, herder) = (Far::new(), herder(&kafka));
    put(&herder, &far, &[("midge.buffer_bytes", "65536")]);
    let mut client = far.subscribed();
    kafka.go_away().expect("it goes");
    // Far more than sockets hold: whoever reads it all does not hold back.
    client.stream().set_write_timeout(Some(Duration::from_secs(3))).expect("a socket");
    let message = publish(0, false, "plant/a", vec![b'x'; 256 << 10]);
    let stopped = (0..512).find(|_| client.try_send(&message).is_err());
    assert!(stopped.is_some(), "128 MiB have been read");
    // A paused broker's client is alive: nobody has taken the silence for the end.
    drop(client);
    kafka.come_back().expect("it comes");
    let (mut client, _) = far.connected(false);
    client.subscribes();
    client.send(&publish(1, false, "plant/a", "0"));
    assert_eq!(client.packet(), Packet::Puback(ack(1)));
}

#[test]
fn a_broker_that_does_not_answer_is_left_and_connected_to_again() {
    let kafka = kafka();
    let (far, herder) = (Far::new(), herder(&kafka));
    let times = [("connect.mqtt.keep.alive", "1000"), ("connect.mqtt.timeout", "1000")];
    put(&herder, &far, &times);
    let (silent, _) = far.accept();
    let (mut client, _) = far.connected(false);
    drop(silent);
    client.subscribes();
    assert_eq!(client.raw_packet(), Packet::Pingreq);
    // No answer to that.
    let (_client, _) = far.connected(true);
    eventually("the status is well", || trace(&herder).is_none());
}

#[test]
fn a_status_has_no_host_that_a_reference_stood_for() {
    let kafka = kafka();
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(&file, "host=127.0.0.1\n").expect("its text");
    let class = "org.apache.kafka.common.config.provider.FileConfigProvider";
    let properties = [("config.providers", "file"), ("config.providers.file.class", class)];
    let properties = properties.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
    let herder = herder_of(&kafka, Worker { properties, ..Worker::default() });
    let reference = format!("${{file:{}:host}}", file.path().display());
    put(&herder, &Far::new(), &[("connect.mqtt.hosts", &format!("tcp://{reference}:1"))]);
    eventually("the broker is away", || trace(&herder).is_some());
    let trace = trace(&herder).expect("a trace");
    assert!(trace.starts_with(&format!("{reference}:1: ")), "{trace}");
}

#[test]
fn a_source_that_rests_reads_nothing_and_goes_on_where_it_was() {
    let kafka = kafka();
    kafka.create_topic("numbers", 1).expect("a new topic");
    let (far, herder) = (Far::new(), herder(&kafka));
    put(&herder, &far, &[]);
    let mut client = far.subscribed();
    client.send(&publish(1, false, "plant/a", "0"));
    assert_eq!(client.packet(), Packet::Puback(ack(1)));
    let is = |state| herder.condition("s").expect("it is there").tasks[0].state == state;
    herder.target("s", TargetState::Paused).expect("it is there");
    eventually("it rests", || is(RunState::Paused));
    client.send(&publish(2, false, "plant/a", "1"));
    drop(client);
    // What was lost on the way comes again; nobody has acknowledged it.
    let (mut client, _) = far.connected(true);
    client.subscribes();
    client.send(&publish(2, true, "plant/a", "1"));
    herder.target("s", TargetState::Running).expect("it is there");
    assert_eq!(client.packet(), Packet::Puback(ack(2)));
    assert_eq!(numbers(&kafka, "numbers", 2), [0, 1]);
}
