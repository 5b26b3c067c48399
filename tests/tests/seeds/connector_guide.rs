//! The page of a connector that takes its configuration from the environment: its `docker run`, and
//! its `.env`.
//!
//! `docker` is a script that sets what stands behind `-e` and runs the image's own command, with the
//! file that is in it; `go run` runs Midge. The image's name is Midge's, and the ports are free ones. Where a test needs topics of its own, it says so.

use midge_tests::{Kafka, Port, Publisher, Running, Shell, eventually, repository};
use rustix::process::Signal;

use crate::listens;

const RUN: &str = r#"docker run --rm --net=host --name connector \
-e RUN_MODE=PRODUCTION \
-e MQTT_BROKER_URL=127.0.0.1 \
-e MQTT_BROKER_PORT=1883 \
-e MQTT_CLIENT_ID=arafat \
-e MQTT_USER_NAME=user \
-e MQTT_USER_PASSWORD=12345678 \
-e LOG_LVL=info \
-e TOPIC_LIST=default:default-kafka,custom:custom-kafka,dev_arafat:dev_arafat \
-e WILDCARD_TOPIC_LIST="default/+/mqtt:custom-kafka,default/kc/#:general" \
-e INVOKE_LATENCY_SEC=10 \
-e INVOKE_MAX_GOROUTINE=1000 \
-e INVOKE_MIN_GOROUTINE=50 \
-e KAFKA_BROKER=localhost:9092 \
-e SASL_SSL=false \
arafatkhan/connector"#;

const BROKER: &str = "docker run --rm --net=host --name mosquitto -p 1883:1883  -p 9001:9001 \
                      eclipse-mosquitto mosquitto -c /mosquitto-no-auth.conf";

/// What becomes of the arguments before an image's name; then the image's own command.
const DOCKER: &str = r#"shift
while :; do
    case $1 in
    --rm | --net=host) shift ;;
    --name | -p) shift 2 ;;
    -e) export "$2" && shift 2 ;;
    *) break ;;
    esac
done
image=$1
shift
case $image in
midge) exec @MIDGE@ -c mosquitto/config/mosquitto.conf ;;
eclipse-mosquitto) exec "$@" ;;
esac"#;

fn shell() -> Shell {
    let conf = std::fs::read_to_string(repository().join("deploy/mosquitto.conf")).expect("a file");
    Shell::new()
        .program("docker", DOCKER)
        .program("go", "exec @MIDGE@")
        .file("mosquitto/config/mosquitto.conf", &conf)
}

/// The command with the image's name, the MQTT broker's port and Kafka's address.
fn at(port: &Port, command: &str) -> String {
    command
        .replace("arafatkhan/connector", "midge")
        .replace("MQTT_BROKER_PORT=1883", &format!("MQTT_BROKER_PORT={}", port.number()))
        .replace("localhost:9092", Kafka::shared().bootstrap())
}

fn publish(port: &Port, topic: &str, payload: &str) {
    Publisher::to(port.number()).arguments(&["-q", "1", "-t", topic, "-m", payload]).succeeds();
}

/// Kafka topics of both lists, each with its records.
fn has(records: &[(&str, &[&str])]) {
    for (topic, expected) in records {
        let found = Kafka::shared().eventually_records(topic, "%s\n", expected.len());
        assert_eq!(found, *expected, "{topic}");
    }
}

#[test]
fn the_container_s_environment_carries_both_lists_and_the_first_match_wins() {
    let (shell, port) = (shell(), Port::take());
    let mut connector = shell.start(&at(&port, RUN), "connector.log");
    listens(&port);
    let messages = [
        ("default", "1"),
        ("custom", "2"),
        ("dev_arafat", "3"),
        ("default/oven/mqtt", "4"),
        ("default/kc/oven/1", "5"),
        // Both wildcards match.
        ("default/kc/mqtt", "6"),
        ("default/kc", "7"),
        ("nobody/s", "8"),
    ];
    for (topic, payload) in messages {
        publish(&port, topic, payload);
    }
    has(&[
        ("default-kafka", &["1"]),
        ("custom-kafka", &["2", "4", "6"]),
        ("dev_arafat", &["3"]),
        ("general", &["5", "7"]),
    ]);
    connector.says(&["default/kc/#"]);
    assert!(!connector.log().contains("12345678"), "{}", connector.log());
}

/// The lists and the topics of a test of its own.
fn renamed(command: &str, prefix: &str) -> String {
    command
        .replace(":default-kafka", &format!(":{prefix}-default-kafka"))
        .replace(":custom-kafka", &format!(":{prefix}-custom-kafka"))
        .replace(":general", &format!(":{prefix}-general"))
}

#[test]
fn in_develop_mode_the_variables_stand_in_a_file_called_dot_env() {
    let (shell, port) = (shell(), Port::take());
    let command = renamed(&at(&port, RUN), "env");
    let variables = command.lines().filter_map(|line| line.strip_prefix("-e "));
    let lines: Vec<&str> = variables.map(|line| line.trim_end_matches(" \\")).collect();
    assert_eq!(lines.len(), 14);
    // "if this variable is not set then it will default to DEVELOP"
    let file: Vec<&str> = lines.into_iter().filter(|line| !line.starts_with("RUN_MODE=")).collect();
    shell.write(".env", &file.join("\n"));
    let _connector = shell.start("go run application.go", "connector.log");
    listens(&port);
    publish(&port, "default", "from a file");
    publish(&port, "default/oven/mqtt", "a wildcard's");
    has(&[("env-default-kafka", &["from a file"]), ("env-custom-kafka", &["a wildcard's"])]);
}

#[test]
fn beside_another_broker_it_is_a_client_as_the_guide_starts_it() {
    let (shell, port) = (shell(), Port::take());
    let no_auth = format!("listener {} 127.0.0.1\nallow_anonymous true\n", port.number());
    shell.write("mosquitto-no-auth.conf", &no_auth);
    let conf = format!("{}/mosquitto-no-auth.conf", shell.directory().display());
    let _broker = shell.start(&BROKER.replace("/mosquitto-no-auth.conf", &conf), "mosquitto.log");
    listens(&port);
    let mut connector = shell.start(&renamed(&at(&port, RUN), "beside"), "connector.log");
    // Until it has subscribed, nobody keeps its messages.
    eventually("a record", || {
        publish(&port, "default", "again");
        (!Kafka::shared().records("beside-default-kafka", "%s\n").is_empty()).then_some(())
    });
    publish(&port, "default/kc/mqtt", "both match");
    has(&[("beside-custom-kafka", &["both match"])]);
    connector.says(&["default/kc/#"]);
}

/// "when the application crashes or kafka cluster is offline, the messages are stored and published as
/// soon as the cluster comes online", with `DB_PERSIST_PATH`.
#[test]
fn what_kafka_does_not_take_is_kept_at_db_persist_path_through_a_crash() {
    let (shell, port) = (shell(), Port::take());
    let kafka = Kafka::own();
    let path = format!("{}/messages", shell.directory().display());
    let command = at(&port, &RUN.replace("localhost:9092", kafka.bootstrap()));
    let command = command.replace("midge", &format!("-e DB_PERSIST_PATH={path} midge"));
    let start = |log: &str| -> Running {
        let connector = shell.start(&command, log);
        listens(&port);
        connector
    };
    let connector = start("before.log");
    publish(&port, "default", "before");
    kafka.eventually_records("default-kafka", "%s\n", 1);
    kafka.stop();
    // Acknowledged: QoS 1 comes back from the disk.
    publish(&port, "default", "meanwhile");
    connector.signal(Signal::KILL);
    drop(connector);
    let _connector = start("after.log");
    kafka.resume();
    let mut records = kafka.eventually_records("default-kafka", "%s\n", 2);
    records.dedup();
    assert_eq!(records, ["before", "meanwhile"]);
}
