//! Connectors to another MQTT broker: Mosquitto, with a real Kafka at the other end.

use std::io::{Read, Write};
use std::net::TcpListener;

use midge_tests::{
    Authority, Kafka, Midge, Mosquitto, Publisher, Setup, Subscriber, eventually, mosquitto_passwd,
    rest,
};
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::bridged_to;
use crate::connect::{is, with_rest};

const SOURCE: &str = "com.datamountaineer.streamreactor.connect.mqtt.source.MqttSourceConnector";
const SINK: &str = "com.datamountaineer.streamreactor.connect.mqtt.sink.MqttSinkConnector";
const BYTES: &str = "org.apache.kafka.connect.converters.ByteArrayConverter";
const STRING: &str = "org.apache.kafka.connect.storage.StringConverter";

/// What keeps sessions over a restart of Mosquitto.
const KEPT: &str = "persistence true\npersistence_location @DIR@/\nmax_queued_messages 0\n";

/// A source of all below `NAME/` at another broker; `more` are options.
fn source(broker: u16, name: &str, kafka_topic: &str, more: &Value) -> Value {
    let mut config = json!({
        "connector.class": SOURCE,
        "connect.mqtt.hosts": format!("tcp://127.0.0.1:{broker}"),
        "connect.mqtt.client.id": name,
        "connect.mqtt.kcql": format!("INSERT INTO {kafka_topic} SELECT * FROM `{name}/#`"),
        "key.converter": STRING,
        "value.converter": BYTES,
    });
    set(&mut config, more);
    json!({"name": name, "config": config})
}

fn set(config: &mut Value, more: &Value) {
    for (option, value) in more.as_object().expect("options") {
        config[option] = value.clone();
    }
}

/// Makes a connector and waits until it runs.
#[track_caller]
fn make(midge: &Midge, connector: &Value) {
    let (status, answer) = rest(midge, "POST", "/connectors", Some(connector));
    assert_eq!(status, 201, "{answer}");
    is(midge, connector["name"].as_str().expect("a name"), "RUNNING");
}

/// Makes a source and waits until it has subscribed.
#[track_caller]
fn subscribe(midge: &Midge, mosquitto: &Mosquitto, connector: &Value) {
    make(midge, connector);
    let client_id = connector["config"]["connect.mqtt.client.id"].as_str().expect("it is said");
    mosquitto.says(&format!("Sending SUBACK to {client_id}"), 1);
}

#[track_caller]
fn publish(broker: u16, topic: &str, qos: &str, numbers: std::ops::Range<usize>) {
    let lines: Vec<String> = numbers.map(|number| format!("{number}\n")).collect();
    Publisher::to(broker).arguments(&["-q", qos, "-t", topic]).lines(lines.concat()).succeeds();
}

/// The numbers that a topic has when it has all of these, in the order in which they came.
#[track_caller]
fn numbers(kafka: &Kafka, topic: &str, all: std::ops::Range<usize>) -> Vec<usize> {
    eventually(&format!("{topic} has {all:?}"), || {
        let records = kafka.records(topic, "%s\n");
        let numbers: Vec<usize> =
            records.iter().map(|record| record.parse().expect("a number")).collect();
        all.clone().all(|number| numbers.contains(&number)).then_some(numbers)
    })
}

fn trace(midge: &Midge, name: &str) -> Option<String> {
    let (_, status) = rest(midge, "GET", &format!("/connectors/{name}/status"), None);
    status["tasks"][0]["trace"].as_str().map(str::to_owned)
}

#[test]
fn a_source_of_each_qos_takes_retained_messages_and_what_is_published_later_once() {
    let mosquitto = Mosquitto::start("");
    let midge = with_rest("").start();
    let kafka = Kafka::shared();
    for qos in ["0", "1", "2"] {
        let (name, topic) = (format!("far{qos}"), format!("remote-qos{qos}"));
        kafka.create_topic(&topic, 1);
        let mqtt_topic = format!("{name}/a");
        let retained = ["-q", qos, "-t", &mqtt_topic, "-m", "0", "-r"];
        Publisher::to(mosquitto.port()).arguments(&retained).succeeds();
        let more = json!({"connect.mqtt.service.quality": qos, "midge.headers": "true"});
        subscribe(&midge, &mosquitto, &source(mosquitto.port(), &name, &topic, &more));
        publish(mosquitto.port(), &mqtt_topic, qos, 1..60);
        assert_eq!(numbers(kafka, &topic, 0..60), (0..60).collect::<Vec<_>>());
        let records = kafka.records(&topic, "%h\n");
        let header = |retain| {
            format!(
                "mqtt.topic={mqtt_topic},mqtt.qos={qos},mqtt.retain={retain},midge.trail={name}"
            )
        };
        assert_eq!((&records[0], &records[1]), (&header("true"), &header("false")));
    }
}

#[test]
fn a_message_that_several_statements_match_makes_one_record_of_each() {
    let mosquitto = Mosquitto::start("");
    let midge = with_rest("").start();
    let kafka = Kafka::shared();
    let topics = ["overlap-all", "overlap-one", "overlap-across"];
    topics.iter().for_each(|topic| kafka.create_topic(topic, 1));
    let statements = "INSERT INTO overlap-all SELECT * FROM `over/#`;\
                      INSERT INTO overlap-one SELECT * FROM `over/b`;\
                      INSERT INTO overlap-across SELECT * FROM `+/b`";
    let more = json!({"connect.mqtt.kcql": statements, "connect.mqtt.service.quality": "2"});
    subscribe(&midge, &mosquitto, &source(mosquitto.port(), "over", "none", &more));
    // What overlaps without covering has a session of its own.
    mosquitto.says("Sending SUBACK to over-1", 1);
    publish(mosquitto.port(), "over/b", "2", 0..50);
    for topic in topics {
        assert_eq!(numbers(kafka, topic, 0..50), (0..50).collect::<Vec<_>>(), "{topic}");
    }
}

#[test]
fn a_session_that_is_kept_loses_nothing_when_midge_is_killed_and_goes_on_after_a_stop() {
    let mosquitto = Mosquitto::start(KEPT);
    let mut midge = with_rest("").start();
    let kafka = Kafka::shared();
    kafka.create_topic("remote-killed", 1);
    let more = json!({"connect.mqtt.clean": "false"});
    subscribe(&midge, &mosquitto, &source(mosquitto.port(), "killed", "remote-killed", &more));
    publish(mosquitto.port(), "killed/a", "1", 0..100);
    midge.signal(Signal::KILL);
    midge.await_kill();
    publish(mosquitto.port(), "killed/a", "1", 100..200);
    midge.start_again();
    publish(mosquitto.port(), "killed/a", "1", 200..300);
    numbers(kafka, "remote-killed", 0..300);

    // A stop is no end of the session either.
    midge.signal(Signal::TERM);
    midge.ended();
    assert!(mosquitto.log().contains("Received DISCONNECT from killed"), "it says goodbye");
    publish(mosquitto.port(), "killed/a", "1", 300..400);
    midge.start_again();
    numbers(kafka, "remote-killed", 0..400);
    assert!(!mosquitto.log().contains("UNSUBSCRIBE"), "nobody may unsubscribe");
}

#[test]
fn a_source_connects_and_subscribes_again_to_a_broker_that_has_forgotten_it() {
    let mut mosquitto = Mosquitto::start("");
    let midge = with_rest("").start();
    let kafka = Kafka::shared();
    kafka.create_topic("remote-forgotten", 1);
    let more = json!({"connect.mqtt.clean": "false"});
    let made = source(mosquitto.port(), "forgotten", "remote-forgotten", &more);
    subscribe(&midge, &mosquitto, &made);
    publish(mosquitto.port(), "forgotten/a", "1", 0..10);
    numbers(kafka, "remote-forgotten", 0..10);
    mosquitto.stop();
    let why = eventually("the status says why", || trace(&midge, "forgotten"));
    assert!(why.starts_with(&format!("127.0.0.1:{}: ", mosquitto.port())), "{why}");
    mosquitto.start_again();
    mosquitto.says("Sending SUBACK to forgotten", 2);
    publish(mosquitto.port(), "forgotten/a", "1", 10..20);
    assert_eq!(numbers(kafka, "remote-forgotten", 0..20), (0..20).collect::<Vec<_>>());
    assert_eq!(trace(&midge, "forgotten"), None);
}

#[test]
fn what_waits_for_kafka_is_not_acknowledged_and_joins_its_redelivery_after_a_reconnect() {
    let kafka = Kafka::own();
    let mut mosquitto = Mosquitto::start(KEPT);
    let midge = bridged_to(kafka.bootstrap(), "[connect]\nrest_listen = \"127.0.0.1:@PORT2@\"\n")
        .listening(&[1, 2])
        .start();
    for (name, qos) in [("waits1", "1"), ("waits2", "2")] {
        kafka.create_topic(name, 1);
        let more = json!({
            "connect.mqtt.clean": "false",
            "connect.mqtt.service.quality": qos,
            "midge.ack": "kafka",
        });
        subscribe(&midge, &mosquitto, &source(mosquitto.port(), name, name, &more));
        publish(mosquitto.port(), &format!("{name}/a"), qos, 0..1);
        numbers(&kafka, name, 0..1);
    }
    kafka.stop();
    publish(mosquitto.port(), "waits1/a", "1", 1..10);
    publish(mosquitto.port(), "waits2/a", "2", 1..10);
    // The last of each has come.
    mosquitto.says("Sending PUBLISH to waits1 (d0, q1, r0, m10", 1);
    mosquitto.says("Sending PUBLISH to waits2 (d0, q2, r0, m10", 1);
    mosquitto.stop();
    mosquitto.start_again();
    mosquitto.says("Sending PUBLISH to waits1 (d1, q1, r0, m10", 1);
    mosquitto.says("Sending PUBLISH to waits2 (d1, q2, r0, m10", 1);
    let log = mosquitto.log();
    assert!(!log.contains("Received PUBACK from waits1 (Mid: 2"), "Kafka does not have it");
    assert!(!log.contains("Received PUBREC from waits2 (Mid: 2"), "Kafka does not have it");
    kafka.resume();
    for name in ["waits1", "waits2"] {
        assert_eq!(numbers(&kafka, name, 0..10), (0..10).collect::<Vec<_>>());
    }
    mosquitto.says("Received PUBACK from waits1 (Mid: 10", 1);
    mosquitto.says("Received PUBCOMP from waits2 (Mid: 10", 1);
}

#[test]
fn a_source_over_tls_proves_who_it_is_and_trusts_nobody_else() {
    let authority = Authority::new("remote");
    let files = |directory: &std::path::Path| {
        std::fs::write(directory.join("ca.pem"), authority.pem()).expect("file");
        authority.server().write(directory, "server");
        authority.client("connector").write(directory, "client");
    };
    let mosquitto = Mosquitto::with_files(
        "cafile @DIR@/ca.pem\ncertfile @DIR@/server.crt\nkeyfile @DIR@/server.key\n\
         require_certificate true\nuse_identity_as_username true\n",
        files,
    );
    let midge = with_rest("").start();
    Kafka::shared().create_topic("remote-tls", 1);
    let file = |name: &str| mosquitto.directory().join(name).display().to_string();
    let mut made = source(
        mosquitto.port(),
        "locked",
        "remote-tls",
        &json!({
            "connect.mqtt.hosts": format!("ssl://localhost:{}", mosquitto.port()),
            "connect.mqtt.ssl.cert": file("client.crt"),
            "connect.mqtt.ssl.key": file("client.key"),
        }),
    );
    make(&midge, &made);
    let why = eventually("the status says why", || trace(&midge, "locked"));
    assert!(why.contains("certificate"), "{why}");

    set(&mut made["config"], &json!({"connect.mqtt.ssl.ca.cert": file("ca.pem")}));
    let config = Some(&made["config"]);
    assert_eq!(rest(&midge, "PUT", "/connectors/locked/config", config).0, 200);
    mosquitto.says("Sending SUBACK to locked", 1);
    let (ca, certificate, key) = (file("ca.pem"), file("client.crt"), file("client.key"));
    let arguments = ["--cafile", &ca, "--cert", &certificate, "--key", &key];
    let message = ["-q", "1", "-t", "locked/a", "-m", "0"];
    Publisher::to(mosquitto.port()).arguments(&arguments).arguments(&message).succeeds();
    numbers(Kafka::shared(), "remote-tls", 0..1);
}

#[test]
fn several_tasks_share_the_messages_of_another_broker() {
    let mosquitto = Mosquitto::start("");
    let midge = with_rest("").start();
    let kafka = Kafka::shared();
    kafka.create_topic("remote-shared", 1);
    let more = json!({"tasks.max": "3"});
    make(&midge, &source(mosquitto.port(), "parts", "remote-shared", &more));
    for task in 0..3 {
        mosquitto.says(&format!("Sending SUBACK to parts-{task}"), 1);
    }
    publish(mosquitto.port(), "parts/a", "1", 0..90);
    let mut all = numbers(kafka, "remote-shared", 0..90);
    all.sort_unstable();
    assert_eq!(all, (0..90).collect::<Vec<_>>());
    let log = mosquitto.log();
    for task in 0..3 {
        assert!(log.contains(&format!("Sending PUBLISH to parts-{task}")), "task {task} has none");
    }
}

#[test]
fn a_sink_of_each_qos_publishes_and_goes_on_after_a_restart_of_the_other_broker() {
    let mut mosquitto = Mosquitto::start(KEPT);
    let midge = with_rest("").start();
    let kafka = Kafka::shared();
    let subscriber = Subscriber::at(
        mosquitto.port(),
        &["-v", "-c", "-i", "reader", "-q", "2", "-t", "to0", "-t", "to1", "-t", "to2"],
    );
    for qos in ["0", "1", "2"] {
        let topic = format!("remote-sink{qos}");
        kafka.create_topic(&topic, 1);
        let config = json!({
            "connector.class": SINK,
            "topics": topic,
            "connect.mqtt.hosts": format!("tcp://localhost:{}", mosquitto.port()),
            "connect.mqtt.kcql": format!("INSERT INTO to{qos} SELECT * FROM `{topic}`"),
            "connect.mqtt.service.quality": qos,
            "connect.mqtt.clean": "false",
            "connect.mqtt.timeout": "60000",
            "key.converter": STRING,
            "value.converter": STRING,
            "consumer.override.auto.offset.reset": "earliest",
        });
        make(&midge, &json!({"name": format!("sink{qos}"), "config": config}));
        let lines: Vec<String> = (0..30).map(|number| format!("k:{number}\n")).collect();
        kafka.produce(&topic, &lines.concat());
    }
    let came = |messages: &[String], qos: &str| -> Vec<String> {
        let prefix = format!("to{qos} ");
        messages.iter().filter_map(|one| one.strip_prefix(&prefix)).map(str::to_owned).collect()
    };
    let first = subscriber.messages(90);
    let expected: Vec<String> = (0..30).map(|number| number.to_string()).collect();
    for qos in ["0", "1", "2"] {
        assert_eq!(came(&first, qos), expected, "QoS {qos}");
    }

    mosquitto.stop();
    eventually("the status says why", || trace(&midge, "sink1"));
    for qos in ["1", "2"] {
        let lines: Vec<String> = (30..60).map(|number| format!("k:{number}\n")).collect();
        kafka.produce(&format!("remote-sink{qos}"), &lines.concat());
    }
    mosquitto.start_again();
    let all = subscriber.messages(150);
    let expected: Vec<String> = (0..60).map(|number| number.to_string()).collect();
    for qos in ["1", "2"] {
        assert_eq!(came(&all, qos), expected, "QoS {qos}");
    }
    eventually("the status is well again", || trace(&midge, "sink1").is_none().then_some(()));
}

#[test]
fn a_wrong_password_is_told_in_the_status_and_tried_again() {
    let passwords = |directory: &std::path::Path| {
        mosquitto_passwd(&directory.join("passwords"), "ana", "secret");
    };
    let conf = "allow_anonymous false\npassword_file @DIR@/passwords\n";
    let mosquitto = Mosquitto::with_files(conf, passwords);
    let midge = with_rest("").start();
    Kafka::shared().create_topic("remote-password", 1);
    let more = json!({"connect.mqtt.username": "ana", "connect.mqtt.password": "wrong"});
    let mut made = source(mosquitto.port(), "ana", "remote-password", &more);
    make(&midge, &made);
    let why = eventually("the status says why", || trace(&midge, "ana"));
    assert!(why.ends_with("the broker refuses the connection: Not authorized"), "{why}");
    is(&midge, "ana", "RUNNING");
    midge.says(&["the mqtt broker is away", "Not authorized"]);
    mosquitto.says("Sending CONNACK to", 2);

    set(&mut made["config"], &json!({"connect.mqtt.password": "secret"}));
    let config = Some(&made["config"]);
    assert_eq!(rest(&midge, "PUT", "/connectors/ana/config", config).0, 200);
    mosquitto.says("Sending SUBACK to ana", 1);
    let sign = ["-u", "ana", "-P", "secret", "-q", "1", "-t", "ana/a", "-m", "0"];
    Publisher::to(mosquitto.port()).arguments(&sign).succeeds();
    numbers(Kafka::shared(), "remote-password", 0..1);
    assert_eq!(trace(&midge, "ana"), None);
}

#[test]
fn a_subscription_that_the_other_broker_refuses_fails_the_task() {
    let other = Setup::conf("acl_file @DIR@/acl\n").file("acl", "topic read open/#\n").start();
    let midge = with_rest("").start();
    let made = source(other.port(1), "refused", "remote-refused", &json!({}));
    assert_eq!(rest(&midge, "POST", "/connectors", Some(&made)).0, 201);
    let why = eventually("the task fails", || {
        let (_, status) = rest(&midge, "GET", "/connectors/refused/status", None);
        let task = &status["tasks"][0];
        (task["state"] == "FAILED").then(|| task["trace"].as_str().map(str::to_owned)).flatten()
    });
    assert!(why.contains("the broker refuses the subscription to \"refused/#\""), "{why}");
}

#[test]
fn a_peer_that_speaks_no_mqtt_is_told_of_and_harms_nobody() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("bound").port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.expect("a connection");
            let mut connect = [0; 2];
            // It may be gone, as far as this peer cares.
            let _ = stream.read_exact(&mut connect);
            let _ = stream.write_all(b"\x20\x02\x00\x00\x00\x00GET / HTTP/1.1\r\n");
        }
    });
    let midge = with_rest("").start();
    make(&midge, &source(port, "strange", "remote-strange", &json!({})));
    let why = eventually("the status says why", || trace(&midge, "strange"));
    assert!(why.contains("the broker sent what cannot be read"), "{why}");
    is(&midge, "strange", "RUNNING");
    assert_eq!(rest(&midge, "DELETE", "/connectors/strange", None).0, 204);
}

#[test]
fn a_sink_whose_broker_stays_away_fails_with_throw_and_loses_nothing_with_retry() {
    let mut mosquitto = Mosquitto::start(KEPT);
    let midge = with_rest("").start();
    let kafka = Kafka::shared();
    let subscriber = Subscriber::at(
        mosquitto.port(),
        &["-v", "-c", "-i", "patient", "-q", "1", "-t", "throw", "-t", "retry"],
    );
    for policy in ["throw", "retry"] {
        let topic = format!("away-{policy}");
        kafka.create_topic(&topic, 1);
        let config = json!({
            "connector.class": SINK,
            "topics": topic,
            "connect.mqtt.hosts": format!("tcp://localhost:{}", mosquitto.port()),
            "connect.mqtt.kcql": format!("INSERT INTO {policy} SELECT * FROM `{topic}`"),
            "connect.mqtt.timeout": "1000",
            "connect.mqtt.error.policy": policy.to_uppercase(),
            "connect.mqtt.retry.interval": "200",
            "connect.mqtt.max.retries": "100000",
            "key.converter": STRING,
            "value.converter": STRING,
            "consumer.override.auto.offset.reset": "earliest",
        });
        make(&midge, &json!({"name": topic, "config": config}));
        kafka.produce(&topic, "k:0\n");
        subscriber.prints(&format!("{policy} 0"));
    }
    mosquitto.stop();
    kafka.produce("away-throw", "k:1\nk:2\n");
    kafka.produce("away-retry", "k:1\nk:2\n");
    let why = eventually("the task fails", || {
        let (_, status) = rest(&midge, "GET", "/connectors/away-throw/status", None);
        let task = &status["tasks"][0];
        (task["state"] == "FAILED").then(|| task["trace"].as_str().map(str::to_owned)).flatten()
    });
    assert!(why.contains("Server unavailable"), "{why}");
    midge.says(&["away-retry[0]@1", "Server unavailable"]);
    mosquitto.start_again();
    let again = "/connectors/away-throw/restart?includeTasks=true&onlyFailed=true";
    assert_eq!(rest(&midge, "POST", again, None).0, 202);
    for policy in ["throw", "retry"] {
        subscriber.prints(&format!("{policy} 1"));
        subscriber.prints(&format!("{policy} 2"));
    }
    is(&midge, "away-throw", "RUNNING");
    is(&midge, "away-retry", "RUNNING");
}
