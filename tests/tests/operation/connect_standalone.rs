//! `midge connect-standalone`: a Connect worker without a broker, started as Kafka's is.

use midge_tests::{Midge, Setup, eventually, rest, rest_as};
use rustix::process::Signal;
use serde_json::{Value, json};

const SINK: &str = "com.datamountaineer.streamreactor.connect.mqtt.sink.MqttSinkConnector";

/// Nobody is there, and nobody has to be.
const NO_KAFKA: &str = "bootstrap.servers=127.0.0.1:9\n";

/// `connect-standalone.properties` as Apache Kafka ships it, but for its comments and its Kafka.
const SHIPPED: &str = "\
key.converter=org.apache.kafka.connect.json.JsonConverter
value.converter=org.apache.kafka.connect.json.JsonConverter
key.converter.schemas.enable=true
value.converter.schemas.enable=true
offset.storage.file.filename=/tmp/connect.offsets
offset.flush.interval.ms=10000
";

/// A connector of its class alone, whose MQTT broker is elsewhere.
const SOURCE: &str = "\
name=mqtt
connector.class=com.evokly.kafka.connect.mqtt.MqttSourceConnector
tasks.max=1
kafka.topic=hello-mqtt-kafka
mqtt.client_id=mqtt-kafka
mqtt.clean_session=true
mqtt.connection_timeout=30
mqtt.keep_alive_interval=60
mqtt.server_uris=tcp://localhost:@PORT3@
mqtt.topic=hello-mqtt
mqtt.user=mosquitto
mqtt.password=mosquitto
";

/// A worker with REST at the second port.
fn worker(properties: &str, connectors: &[&str]) -> Setup {
    let text = format!("{NO_KAFKA}{SHIPPED}{properties}");
    let mut setup = Setup::arguments(&["connect-standalone", "@DIR@/worker.properties"])
        .file("worker.properties", &text)
        .listening(&[2]);
    for (number, connector) in connectors.iter().enumerate() {
        let name = format!("connector-{number}.properties");
        setup = setup.file(&name, connector).argument(&format!("@DIR@/{name}"));
    }
    setup
}

fn sink() -> Value {
    json!({
        "connector.class": SINK,
        "topics": "k",
        "connect.mqtt.hosts": "tcp://127.0.0.1:9",
        "connect.mqtt.kcql": "INSERT INTO m SELECT * FROM k",
    })
}

#[track_caller]
fn ends_well(midge: &mut Midge, signal: Signal) {
    midge.signal(signal);
    assert_eq!(midge.ended(), Some(0), "{signal:?}");
}

#[test]
fn kafka_s_own_worker_file_and_a_connector_s_file_run_without_a_broker() {
    let mut midge = worker("rest.port=@PORT2@\n", &[SOURCE]).start();
    assert_eq!(rest(&midge, "GET", "/connectors", None), (200, json!(["mqtt"])));
    let (_, shown) = rest(&midge, "GET", "/connectors/mqtt", None);
    assert_eq!(shown["config"]["mqtt.server_uris"], format!("tcp://localhost:{}", midge.port(3)));
    assert_eq!(shown["type"], "source");
    midge.says(&["ignored: offset.storage.file.filename: sources of MQTT have no offsets"]);
    assert!(std::net::TcpStream::connect(midge.address()).is_err(), "no MQTT here");
    // A file's connector is the file's.
    assert_eq!(rest(&midge, "DELETE", "/connectors/mqtt", None).0, 409);
    ends_well(&mut midge, Signal::TERM);
}

#[test]
fn what_is_made_by_rest_is_kept_where_the_worker_s_file_says() {
    let more = "listeners=http://127.0.0.1:@PORT2@\nmidge.persistence.directory=@DIR@/kept\n";
    let mut midge = worker(more, &[]).start();
    let (status, answer) = rest(&midge, "PUT", "/connectors/made/config", Some(&sink()));
    assert_eq!(status, 201, "{answer}");
    midge.crash();
    let (status, shown) = rest(&midge, "GET", "/connectors/made", None);
    assert_eq!((status, &shown["config"]["topics"]), (200, &json!("k")));
    assert_eq!(rest(&midge, "PUT", "/connectors/made/stop", None).0, 204);
    eventually("it has stopped", || {
        let (_, status) = rest(&midge, "GET", "/connectors/made/status", None);
        (status["connector"]["state"] == "STOPPED").then_some(())
    });
    ends_well(&mut midge, Signal::INT);
}

#[test]
fn mistakes_of_all_files_are_told_with_their_lines_before_anything_runs() {
    let refusal = worker("ssl.truststore.location=/x.jks\nadmin.listeners=\n", &[SOURCE]).run();
    assert_eq!(refusal.code, Some(3), "{}", refusal.all());
    for expected in [
        "worker.properties:8: ssl.truststore.location: is refused: expected PEM files",
        "worker.properties:9: admin.listeners: found nothing",
    ] {
        assert!(refusal.stderr.contains(expected), "{expected}: {}", refusal.all());
    }
    let refusal = worker("security.protocol=PLAIN\n", &[SOURCE]).run();
    assert_eq!(refusal.code, Some(3), "{}", refusal.all());
    let expected = "worker.properties:8: security.protocol: found \"PLAIN\"";
    assert!(refusal.stderr.contains(expected), "{}", refusal.all());

    let wrong = format!("{SOURCE}mqtt.qos=9\n");
    let refusal = worker("rest.port=@PORT2@\n", &[&wrong]).run();
    assert_eq!(refusal.code, Some(3), "{}", refusal.all());
    assert!(refusal.all().contains("connector-0.properties:13: "), "{}", refusal.all());

    let nameless = SOURCE.replace("name=mqtt\n", "");
    let refusal = worker("rest.port=@PORT2@\n", &[&nameless]).run();
    assert!(refusal.stderr.contains("connector-0.properties: name: is missing"), "{refusal:?}");
}

#[test]
fn others_reach_rest_with_the_token_of_the_worker_s_file_only() {
    let open = "listeners=http://0.0.0.0:@PORT2@\n";
    let refusal = worker(open, &[]).run();
    assert_eq!(refusal.code, Some(3), "{}", refusal.all());
    assert!(refusal.stderr.contains("which other machines reach"), "{}", refusal.all());
    let midge = worker(&format!("{open}midge.rest.token=sesame\n"), &[]).start();
    assert_eq!(rest(&midge, "GET", "/connectors", None).0, 401);
    let header = "Authorization: Bearer sesame\r\n";
    assert_eq!(rest_as(&midge, header, "GET", "/connectors", None), (200, json!([])));
}

#[test]
fn a_command_line_without_a_worker_s_file_is_answered_with_the_usage() {
    let refusal = Setup::arguments(&["connect-standalone"]).run();
    assert_eq!(refusal.code, Some(1), "{}", refusal.all());
    assert!(refusal.stderr.contains("WORKER.PROPERTIES"), "{}", refusal.all());
    let refusal = Setup::arguments(&["connect-standalone", "/nowhere/w.properties"]).run();
    assert_eq!(refusal.code, Some(3), "{}", refusal.all());
    assert!(refusal.stderr.contains("/nowhere/w.properties: cannot be read"), "{refusal:?}");
    let help = Setup::arguments(&["connect-standalone", "--help"]).run();
    assert!(help.code == Some(0) && help.stdout.contains("-daemon"), "{help:?}");
}
