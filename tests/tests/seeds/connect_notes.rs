//! Notes on Kafka Connect: curl commands for the sources of Confluent and Lenses.
//!
//! `docker exec` runs what follows the container's name. The worker's and the brokers' names stay as
//! they are: curl finds the worker here, and the brokers' names are names of this broker.

use midge_tests::{Kafka, Midge, Output, Port, Publisher, Shell, eventually};
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::{connect, listens, names, printed, publish, user};

/// The commands' worker, and that of the later ones.
const WORKERS: [&str; 2] = ["kafka-connect:8082", "ke-cp-kafka-connect.kafka:8083"];

const CONFLUENT: &str = r##"docker exec kafka-connect curl -s -X POST -H "Content-Type: application/json" --data '{"name": "smap-mqtt-source", "config": {"connector.class": "io.confluent.connect.mqtt.MqttSourceConnector", "tasks.max":"1", "mqtt.server.uri":"tcp://emqx:1883", "mqtt.topics":"telemetry/#", "kafka.topic": "smap_telemetry_data",  "mqtt.username":"zenatix_mqtt_client", "mqtt.password":"xitanez123"}}' http://kafka-connect:8082/connectors"##;

/// What the worker says of it when it starts.
const CONFLUENT_CONFIG: &str = "
errors.log.enable = false
errors.log.include.messages = false
errors.retry.delay.max.ms = 60000
errors.retry.timeout = 0
errors.tolerance = none
header.converter = null
key.converter = null
name = smap-mqtt-source
tasks.max = 1
transforms = []
value.converter = null
";

const LENSES: &str = r##"docker exec kafka-connect curl -s -X POST -H "Content-Type: application/json" --data '{"name": "smap-mqtt-source-lenses", "config": {"connector.class": "com.datamountaineer.streamreactor.connect.mqtt.source.MqttSourceConnector", "tasks.max":"1", "connect.mqtt.hosts":"tcp://emqx:1883", "connect.mqtt.username":"zenatix_mqtt_client", "connect.mqtt.password":"xitanez123", "connect.mqtt.service.quality":"1", "connect.mqtt.kcql":"INSERT INTO smap_telemetry_data SELECT * FROM telemetry/+/+ WITHCONVERTER=`com.datamountaineer.streamreactor.connect.converters.source.BytesConverter`"}}' http://kafka-connect:8082/connectors"##;

const VALIDATE: &str = r##"docker exec kafka-connect curl -s -X PUT -H "Content-Type: application/json" -d '{"name":"smap-mqtt-source","config": {"connector.class": "io.confluent.connect.mqtt.MqttSourceConnector", "tasks.max":"1", "mqtt.server.uri":"tcp://emqx:1883", "mqtt.username":"zenatix_mqtt_client", "mqtt.password":"xitanez123", "mqtt.topic":"smap_telemetry_data", "kafka.topic": "smap_telemetry_data"}}' http://kafka-connect:8082/connector-plugins/MqttSourceConnector/config/validate"##;

const CONNECTORS: &str =
    "docker exec kafka-connect curl -s -X GET http://kafka-connect:8082/connectors/";
const PLUGINS: &str =
    "docker exec kafka-connect curl -s -X GET http://kafka-connect:8082/connector-plugins/";
/// With a space before its last word, which curl takes for a second address.
const STATUS: &str = "docker exec kafka-connect curl -s -X GET \
                      http://kafka-connect:8082/connectors/smap-mqtt-source status";
const DELETE: &str = "docker exec kafka-connect curl -X DELETE \
                      http://kafka-connect:8082/connectors/smap-mqtt-source";

const UPDATE: &str = r##"curl -s -X PUT -H "Content-Type:application/json" --data '{"connector.class": "com.datamountaineer.streamreactor.connect.mqtt.source.MqttSourceConnector", "tasks.max":"1", "connect.mqtt.hosts":"tcp://mqtt.vernemq:1883", "connect.mqtt.username":"zenatix_mqtt_client", "connect.mqtt.password":"xitanez123", "connect.mqtt.service.quality":"1", "connect.mqtt.clean":"false", "connect.mqtt.kcql":"INSERT INTO smap_telemetry_data SELECT * FROM telemetry/+/+ WITHCONVERTER=`com.datamountaineer.streamreactor.connect.converters.source.BytesConverter`"}' http://ke-cp-kafka-connect.kafka:8083/connectors/smap-mqtt-source-lenses/config"##;

/// The address stands in a paragraph of its own, behind the command.
const BENCH: &str = r##"curl -s -X POST -H "Content-Type: application/json" --data '{"name": "bench-test", "config": {"connector.class": "com.datamountaineer.streamreactor.connect.mqtt.source.MqttSourceConnector", "tasks.max":"1", "connect.mqtt.hosts":"tcp://mqtt.vernemq:1883", "connect.mqtt.username":"example_mqtt_client", "connect.mqtt.password":"xitanez123", "connect.mqtt.client.id":"bench-test-client-id", "connect.mqtt.service.quality":"1", "connect.mqtt.clean":"false", "connect.mqtt.kcql":"INSERT INTO bench_data SELECT * FROM bench/+ WITHCONVERTER=`com.datamountaineer.streamreactor.connect.converters.source.BytesConverter`"}}' http://ke-cp-kafka-connect.kafka:8083/connectors"##;

const CONFLUENT_SOURCE: &str = "io.confluent.connect.mqtt.MqttSourceConnector";
const LENSES_SOURCE: &str =
    "com.datamountaineer.streamreactor.connect.mqtt.source.MqttSourceConnector";

/// The broker that the commands call emqx and mqtt.vernemq, with their users, and a shell.
fn worker() -> (Midge, Shell) {
    let midge = connect("\n[bridge]\nlocal_hosts = [\"emqx\", \"mqtt.vernemq\"]\n").start();
    user(&midge, "zenatix_mqtt_client", "xitanez123");
    user(&midge, "example_mqtt_client", "xitanez123");
    let mut shell = Shell::new().program("docker", "shift 2\nexec \"$@\"");
    for worker in WORKERS {
        shell = shell.curl_finds(worker, midge.port(2));
    }
    (midge, shell)
}

/// A command's answer and its status code, which curl adds.
fn asked(shell: &Shell, command: &str) -> (String, Value) {
    let command = command.replacen("curl ", r"curl -w '\n%{http_code}' ", 1);
    let Output { stdout, .. } = shell.run(&command).success();
    let (body, status) = stdout.rsplit_once('\n').expect("a status");
    let body = match body {
        "" => Value::Null,
        body => body.parse().unwrap_or_else(|error| panic!("{error}: {body}")),
    };
    (status.to_owned(), body)
}

/// Waits until a connector and its only task run.
#[track_caller]
fn runs(shell: &Shell, name: &str) {
    let command = format!("curl -s http://{}/connectors/{name}/status", WORKERS[0]);
    eventually(&format!("{name} runs"), || {
        let status = printed(&shell.run(&command));
        let states = [&status["connector"]["state"], &status["tasks"][0]["state"]];
        states.iter().all(|state| *state == "RUNNING").then_some(())
    });
}

#[test]
fn the_curl_commands_make_show_change_and_delete_sources() {
    let (midge, shell) = worker();
    let kafka = Kafka::shared();

    let (status, made) = asked(&shell, CONFLUENT);
    assert_eq!(status, "201", "{made}");
    assert_eq!((&made["name"], &made["type"]), (&json!("smap-mqtt-source"), &json!("source")));
    assert_eq!(made["config"]["mqtt.topics"], "telemetry/#");
    runs(&shell, "smap-mqtt-source");
    publish(&midge, "telemetry/site/oven", "180.5");
    let records = kafka.eventually_records("smap_telemetry_data", "%k %s\n", 1);
    assert_eq!(records, ["telemetry/site/oven 180.5"]);
    // The same again, as a person does who has lost the first answer.
    let (status, refused) = asked(&shell, CONFLUENT);
    assert_eq!(status, "409");
    assert_eq!(
        refused,
        json!({"error_code": 409, "message": "Connector smap-mqtt-source already exists"})
    );

    let (status, made) = asked(&shell, LENSES);
    assert_eq!(status, "201", "{made}");
    runs(&shell, "smap-mqtt-source-lenses");
    let both = ["smap-mqtt-source", "smap-mqtt-source-lenses"];
    assert_eq!(names(&printed(&shell.run(CONNECTORS).success())), both.into());

    let plugins = printed(&shell.run(PLUGINS).success());
    for class in [CONFLUENT_SOURCE, LENSES_SOURCE] {
        let mut plugins = plugins.as_array().expect("a list").iter();
        let plugin = plugins.find(|plugin| plugin["class"] == class).expect("a plugin");
        assert_eq!(plugin["type"], "source");
    }

    // curl finds no host called "status", and says so by its exit code alone.
    let shown = printed(&shell.run(STATUS));
    assert_eq!(shown["name"], "smap-mqtt-source");
    assert_eq!(shown["tasks"], json!([{"connector": "smap-mqtt-source", "task": 0}]));
    runs(&shell, "smap-mqtt-source");

    shell.run(DELETE).success();
    let left = printed(&shell.run(CONNECTORS).success());
    assert_eq!(names(&left), ["smap-mqtt-source-lenses"].into());

    let (status, changed) = asked(&shell, UPDATE);
    assert_eq!(status, "200", "{changed}");
    assert_eq!(changed["config"]["connect.mqtt.hosts"], "tcp://mqtt.vernemq:1883");
    assert_eq!(changed["config"]["connect.mqtt.clean"], "false");
    runs(&shell, "smap-mqtt-source-lenses");
    publish(&midge, "telemetry/site/lamp", "on");
    // Three levels: "telemetry/+/+" has two behind its first one.
    publish(&midge, "telemetry/site/lamp/1", "nobody's");
    publish(&midge, "telemetry/site/lamp", "off");
    let records = kafka.eventually_records("smap_telemetry_data", "%s\n", 3);
    assert_eq!(records, ["180.5", "on", "off"]);

    let (status, made) = asked(&shell, BENCH);
    assert_eq!(status, "201", "{made}");
    runs(&shell, "bench-test");
    publish(&midge, "bench/1", "a bench's");
    assert_eq!(kafka.eventually_records("bench_data", "%k %s\n", 1), ["bench/1 a bench's"]);
}

#[test]
fn the_worker_says_what_the_notes_show_of_a_connector_s_configuration() {
    let (midge, shell) = worker();
    // Another topic, for all tests share one Kafka.
    let (status, made) = asked(&shell, &CONFLUENT.replace("smap_telemetry_data", "smap_shown"));
    assert_eq!(status, "201", "{made}");
    for line in CONFLUENT_CONFIG.lines().filter(|line| !line.is_empty()) {
        midge.says(&[line]);
    }
    assert!(!midge.log().contains("xitanez123"), "{}", midge.log());
}

#[test]
fn the_body_to_validate_is_taken_with_its_name_around_it_and_its_mistake_is_found() {
    let (_midge, shell) = worker();
    let (status, found) = asked(&shell, VALIDATE);
    assert_eq!(status, "200", "{found}");
    assert_eq!(found["name"], CONFLUENT_SOURCE);
    // Its "mqtt.topic" is "mqtt.topics" in fact, which has to be said.
    let wrong: Vec<(&str, &Value)> = found["configs"]
        .as_array()
        .expect("a list")
        .iter()
        .filter(|config| config["value"]["errors"] != json!([]))
        .map(|config| (config["value"]["name"].as_str().unwrap_or_default(), &config["value"]))
        .collect();
    let [("mqtt.topics", value)] = &wrong[..] else { panic!("{wrong:?}") };
    let missing = "Missing required configuration \"mqtt.topics\" which has no default value.";
    assert_eq!(value["errors"][0], missing);
    assert_eq!(found["error_count"], value["errors"].as_array().expect("a list").len());
    assert!(!found.to_string().contains("xitanez123"), "{found}");
}

#[test]
fn at_another_broker_the_session_keeps_what_comes_while_no_worker_is_there() {
    let there = Port::take();
    let conf = format!("listener {} 127.0.0.1\npassword_file pwfile\n", there.number());
    let mut shell = Shell::new().file("mosquitto.conf", &conf);
    shell.run("mosquitto_passwd -b -c pwfile example_mqtt_client xitanez123").success();
    // Mosquitto started as root reads it as its own user.
    shell.run("chmod a+rx . && chmod a+r pwfile mosquitto.conf").success();
    let _mosquitto = shell.start("exec mosquitto -c mosquitto.conf", "mosquitto.log");
    listens(&there);
    let mut midge = connect("").start();
    shell = shell.curl_finds(WORKERS[1], midge.port(2)).curl_finds(WORKERS[0], midge.port(2));
    let command = BENCH
        .replace("mqtt.vernemq:1883", &format!("localhost:{}", there.number()))
        .replace("bench_data", "bench_data_there");
    let (status, made) = asked(&shell, &command);
    assert_eq!(status, "201", "{made}");
    let publish = |payload: &str| {
        let user = ["-u", "example_mqtt_client", "-P", "xitanez123"];
        let message = ["-q", "1", "-t", "bench/1", "-m", payload];
        Publisher::to(there.number()).arguments(&user).arguments(&message).succeeds();
    };
    // Until it has subscribed for the first time, there is no session.
    let kafka = Kafka::shared();
    eventually("a record", || {
        publish("here");
        (!kafka.records("bench_data_there", "%s\n").is_empty()).then_some(())
    });
    midge.signal(Signal::KILL);
    midge.await_kill();
    publish("while away");
    midge.start_again();
    eventually("what came while it was away", || {
        let records = kafka.records("bench_data_there", "%s\n");
        records.contains(&"while away".to_owned()).then_some(())
    });
    runs(&shell, "bench-test");
}

/// The list of options of Lenses' source.
const OPTIONS: &str = "
    - connect.mqtt.ksql
    - connect.mqtt.hosts
    - connect.mqtt.service.quality (default - 1)
    - connect.mqtt.username
    - connect.mqtt.password
    - connect.mqtt.client.id
    - connect.mqtt.timeout (default - 3000ms)
    - connect.mqtt.clean (default - true)
    - connect.mqtt.keep.alive (default - 5000)
    - connect.mqtt.converter.throw.on.error (default - false)
    - connect.converter.avro.schemas
    - connect.progress.enabled
";

#[test]
fn the_options_that_the_notes_list_have_the_defaults_that_they_list() {
    let (_midge, shell) = worker();
    let address = format!("http://{}/connector-plugins/{LENSES_SOURCE}/config", WORKERS[0]);
    let (_, options) = asked(&shell, &format!("curl -s {address}"));
    let options = options.as_array().expect("a list");
    for line in OPTIONS.lines().filter(|line| !line.is_empty()) {
        let line = line.trim_start_matches([' ', '-']);
        let (name, default) = match line.split_once(" (default - ") {
            Some((name, default)) => (name, Some(default.trim_end_matches(')'))),
            None => (line, None),
        };
        // A second spelling of an option is shown by the first.
        let name = name.replace("ksql", "kcql");
        let option = options.iter().find(|option| option["name"] == *name);
        let option = option.unwrap_or_else(|| panic!("{name}: {options:?}"));
        if let Some(default) = default {
            assert_eq!(option["default_value"], default.trim_end_matches("ms"), "{name}");
        }
    }
}

/// The lines of the list with a connector's name, task 0 and a body put in; they come twice in the
/// notes, with and without the method's meaning.
const CALLS: &str = "
- GET /connectors- return a list of active connectors
- POST /connectors- create a new connector; the request body should be a JSON object containing a stringnamefield and an objectconfigfield with the connector configuration parameters
- GET /connectors/{name}- get information about a specific connector
- GET /connectors/{name}/config- get the configuration parameters for a specific connector
- PUT /connectors/{name}/config- update the configuration parameters for a specific connector
- GET /connectors/{name}/status- get current status of the connector, including if it is running, failed, paused, etc., which worker it is assigned to, error information if it has failed, and the state of all its tasks
- GET /connectors/{name}/tasks- get a list of tasks currently running for a connector
- GET /connectors/{name}/tasks/{taskid}/status- get current status of the task, including if it is running, failed, paused, etc., which worker it is assigned to, and error information if it has failed
- PUT /connectors/{name}/pause- pause the connector and its tasks, which stops message processing until the connector is resumed
- PUT /connectors/{name}/resume- resume a paused connector (or do nothing if the connector is not paused)
- POST /connectors/{name}/restart- restart a connector (typically because it has failed)
- POST /connectors/{name}/tasks/{taskId}/restart- restart an individual task (typically because it has failed)
- DELETE /connectors/{name}- delete a connector, halting all tasks and deleting its configuration
";

#[test]
fn every_call_of_the_list_is_answered() {
    let (_midge, shell) = worker();
    let config = json!({
        "connector.class": CONFLUENT_SOURCE,
        "mqtt.server.uri": "tcp://emqx:1883",
        "mqtt.topics": "listed/#",
        "kafka.topic": "listed",
    });
    let made = json!({"name": "listed", "config": config}).to_string();
    let expected = [
        ("200", "[]"),
        ("201", r#""type":"source""#),
        ("200", r#""name":"listed""#),
        ("200", r#""kafka.topic":"listed""#),
        ("200", r#""type":"source""#),
        ("200", r#""worker_id""#),
        ("200", r#""task":0"#),
        ("200", r#""state":"RUNNING""#),
        ("202", "null"),
        ("202", "null"),
        ("204", "null"),
        ("204", "null"),
        ("204", "null"),
    ];
    let lines: Vec<&str> = CALLS.lines().filter(|line| !line.is_empty()).collect();
    assert_eq!(lines.len(), expected.len());
    for (line, (status, part)) in lines.iter().zip(expected) {
        let call =
            line.strip_prefix("- ").and_then(|line| line.split_once("- ")).expect("a call").0;
        let (method, path) = call.split_once(' ').expect("a method");
        let path =
            path.replace("{name}", "listed").replace("{taskid}", "0").replace("{taskId}", "0");
        let data = match method {
            "POST" if path == "/connectors" => made.clone(),
            "PUT" if path.ends_with("/config") => config.to_string(),
            _ => String::new(),
        };
        let command = format!(
            "curl -s -X {method} -H 'Content-Type: application/json' --data '{data}' http://{}{path}",
            WORKERS[0]
        );
        let (found, answer) = asked(&shell, &command);
        assert!(found == status && answer.to_string().contains(part), "{call}: {found} {answer}");
        // What is made or changed is brought about behind the answer.
        if !data.is_empty() {
            runs(&shell, "listed");
        }
    }
    let (_, left) = asked(&shell, &format!("curl -s http://{}/connectors", WORKERS[0]));
    assert_eq!(left, json!([]));
}
