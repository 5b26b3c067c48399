//! A Connect worker without a broker: between Mosquitto and a real Kafka, as a guide to evokly's
//! connector has it.

use midge_tests::{Kafka, Midge, Mosquitto, Publisher, Setup, Subscriber, eventually, rest};
use rustix::process::Signal;
use serde_json::{Value, json};

const SINK: &str = "com.datamountaineer.streamreactor.connect.mqtt.sink.MqttSinkConnector";

/// `connect-standalone.properties` as Apache Kafka ships it, without comments and with the line that
/// the guide adds.
const WORKER: &str = "\
key.converter=org.apache.kafka.connect.json.JsonConverter
value.converter=org.apache.kafka.connect.json.JsonConverter
key.converter.schemas.enable=true
value.converter.schemas.enable=true
offset.storage.file.filename=/tmp/connect.offsets
offset.flush.interval.ms=10000
value.converter=org.apache.kafka.connect.converters.ByteArrayConverter
rest.port=@PORT2@
";

fn worker(bootstrap: &str, more: &str) -> Setup {
    let text = format!("bootstrap.servers={bootstrap}\n{WORKER}{more}");
    Setup::arguments(&["connect-standalone", "@DIR@/worker.properties"])
        .file("worker.properties", &text)
        .listening(&[2])
}

/// The guide's `mqtt.properties`, with a topic for one test alone.
fn evokly(mosquitto: &Mosquitto, kafka_topic: &str) -> String {
    format!(
        "name=mqtt\nconnector.class=com.evokly.kafka.connect.mqtt.MqttSourceConnector\n\
         tasks.max=1\nkafka.topic={kafka_topic}\nmqtt.client_id=mqtt-kafka\n\
         mqtt.clean_session=true\nmqtt.connection_timeout=30\nmqtt.keep_alive_interval=60\n\
         mqtt.server_uris=tcp://localhost:{}\nmqtt.topic=hello-mqtt\nmqtt.user=mosquitto\n\
         mqtt.password=mosquitto\n",
        mosquitto.port()
    )
}

fn publish(mosquitto: &Mosquitto, payload: &str) {
    let arguments = ["-q", "1", "-t", "hello-mqtt", "-m", payload];
    Publisher::to(mosquitto.port()).arguments(&arguments).succeeds();
}

#[track_caller]
fn ends(midge: &mut Midge) {
    midge.signal(Signal::TERM);
    assert_eq!(midge.ended(), Some(0));
}

#[test]
fn a_guide_s_two_files_bring_messages_of_mosquitto_to_kafka() {
    let mosquitto = Mosquitto::start("");
    let kafka = Kafka::shared();
    kafka.create_topic("standalone-source", 1);
    let mut midge = worker(kafka.bootstrap(), "")
        .file("mqtt.properties", &evokly(&mosquitto, "standalone-source"))
        .argument("@DIR@/mqtt.properties")
        .start();
    mosquitto.says("Sending SUBACK to mqtt-kafka", 1);
    publish(&mosquitto, "Hello world!");
    let records = kafka.eventually_records("standalone-source", "%s\n", 1);
    assert_eq!(records, ["Hello world!"]);
    // What Mosquitto has handed over before the end is in Kafka after it.
    for number in 0..50 {
        publish(&mosquitto, &number.to_string());
    }
    mosquitto.says("Received PUBACK from mqtt-kafka", 51);
    ends(&mut midge);
    let records = kafka.records("standalone-source", "%s\n");
    assert_eq!(records.len(), 51, "{records:?}");
}

#[test]
fn a_connector_s_file_may_be_json_and_its_mistakes_have_lines() {
    let mosquitto = Mosquitto::start("");
    let kafka = Kafka::shared();
    kafka.create_topic("standalone-json", 1);
    let properties = evokly(&mosquitto, "standalone-json");
    let config: serde_json::Map<String, Value> = properties
        .lines()
        .filter_map(|line| line.split_once('='))
        .map(|(key, value)| (key.to_owned(), value.into()))
        .collect();
    let body = json!({ "name": "mqtt", "config": config });
    let setup = |text: &str| {
        let setup = worker(kafka.bootstrap(), "").file("mqtt.json", text);
        setup.argument("@DIR@/mqtt.json")
    };
    let body = serde_json::to_string_pretty(&body).expect("JSON");
    let mut midge = setup(&body).start();
    mosquitto.says("Sending SUBACK to mqtt-kafka", 1);
    publish(&mosquitto, "Hello JSON!");
    let records = kafka.eventually_records("standalone-json", "%s\n", 1);
    assert_eq!(records, ["Hello JSON!"]);
    ends(&mut midge);

    let refusal = setup(&body.replace("\"60\"", "\"soon\"")).try_start().err().expect("a refusal");
    assert_eq!(refusal.code, Some(3), "{}", refusal.all());
    let line = body.lines().position(|line| line.contains("\"60\"")).expect("a line") + 1;
    let place = format!("mqtt.json:{line}: Invalid value soon for configuration");
    assert!(refusal.all().contains(&place), "{place} in {}", refusal.all());
}

#[test]
fn a_sink_made_by_rest_delivers_to_mosquitto_and_goes_on_where_it_was() {
    let mosquitto = Mosquitto::start("");
    let kafka = Kafka::shared();
    kafka.create_topic("standalone-sink", 1);
    let subscriber = Subscriber::at(mosquitto.port(), &["-v", "-q", "1", "-t", "from-kafka"]);
    let kept = "midge.persistence.directory=@DIR@/kept\n";
    let mut midge = worker(kafka.bootstrap(), kept).start();
    let config = json!({
        "connector.class": SINK,
        "topics": "standalone-sink",
        "connect.mqtt.hosts": format!("tcp://localhost:{}", mosquitto.port()),
        "connect.mqtt.kcql": "INSERT INTO from-kafka SELECT * FROM `standalone-sink`",
        "key.converter": "org.apache.kafka.connect.storage.StringConverter",
        "value.converter": "org.apache.kafka.connect.storage.StringConverter",
        "consumer.override.auto.offset.reset": "earliest",
    });
    let (status, answer) = rest(&midge, "PUT", "/connectors/to-mosquitto/config", Some(&config));
    assert_eq!(status, 201, "{answer}");
    kafka.produce("standalone-sink", "k:one\n");
    assert_eq!(subscriber.messages(1), ["from-kafka one"]);
    ends(&mut midge);

    kafka.produce("standalone-sink", "k:two\n");
    midge.start_again();
    // Its offset was committed: the first one does not come again.
    assert_eq!(subscriber.messages(2), ["from-kafka one", "from-kafka two"]);
    ends(&mut midge);
}

#[test]
fn the_worker_s_file_says_how_kafka_is_logged_in_to() {
    let kafka = Kafka::shared();
    let login = "org.apache.kafka.common.security.scram.ScramLoginModule";
    let of = |password: &str| {
        format!(
            "security.protocol=SASL_SSL\nsasl.mechanism=SCRAM-SHA-512\n\
             sasl.jaas.config={login} required username=\"alice\" password=\"{password}\";\n\
             ssl.ca.location=@DIR@/ca.pem\n"
        )
    };
    let start = |password: &str| {
        worker(&kafka.sasl(), &of(password)).file("ca.pem", kafka.authority().pem()).start()
    };
    let cluster = |midge: &Midge| {
        let (_, about) = rest(midge, "GET", "/", None);
        about["kafka_cluster_id"].clone()
    };
    let midge = start("alice-secret");
    eventually("Kafka has let it in", || cluster(&midge).is_string().then_some(()));
    let midge = start("wrong-secret");
    assert_eq!(cluster(&midge), Value::Null);
    assert!(!midge.log().contains("-secret"), "{}", midge.log());
}
