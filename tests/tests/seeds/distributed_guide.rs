//! The "Distributed Mode" of the guides to Lenses' sinks: workers that are started with
//! `connect-avro-distributed.properties`, and a connector that is pushed to any of them.
//!
//! The file is the one that the guides have edited, at the addresses of here; its group and its topics
//! are this test's.

use midge_tests::{Kafka, Port, Registry, Shell, Subscriber, eventually};
use rustix::process::Signal;

use crate::avro_console_producer::produce;
use crate::connect_cli::shell;
use crate::listens;
use crate::mqtt_sink_guide::{JOHN, PRODUCER, PROPERTIES, RECORD};

const WORKER: &str = "\
bootstrap.servers=localhost:9092
group.id=connect-cluster
key.converter=io.confluent.connect.avro.AvroConverter
key.converter.schema.registry.url=http://localhost:8081
value.converter=io.confluent.connect.avro.AvroConverter
value.converter.schema.registry.url=http://localhost:8081
config.storage.topic=connect-configs
offset.storage.topic=connect-offsets
status.storage.topic=connect-statuses
config.storage.replication.factor=1
offset.storage.replication.factor=1
status.storage.replication.factor=1
internal.key.converter=org.apache.kafka.connect.json.JsonConverter
internal.value.converter=org.apache.kafka.connect.json.JsonConverter
internal.key.converter.schemas.enable=false
internal.value.converter.schemas.enable=false
plugin.path=plugins/streamreactor/libs
";

const START: &str =
    "bin/connect-distributed etc/schema-registry/connect-avro-distributed.properties";
const REST: &str = r#"export KAFKA_CONNECT_REST="http://myserver:myport""#;

/// A command of `connect-cli` for the worker at this port.
fn at(port: &Port, command: &str) -> String {
    let rest = REST.replace("myserver:myport", &format!("localhost:{}", port.number()));
    format!("{rest}\n{command}")
}

/// Writes the worker's file with its port for REST, and starts it.
fn start(shell: &Shell, port: &Port, name: &str) -> midge_tests::Running {
    let file = WORKER
        .replace("localhost:9092", Kafka::shared().bootstrap())
        .replace("http://localhost:8081", Registry::shared().url());
    let path = START.split(' ').nth(1).expect("a file");
    let path_of_one = path.replace("connect-avro", name);
    shell.write(&path_of_one, &format!("{file}rest.port={}\n", port.number()));
    let running = shell.start(&START.replace(path, &path_of_one), &format!("{name}.log"));
    listens(port);
    running
}

#[test]
fn a_connector_that_is_pushed_to_one_worker_is_everybody_s_and_moves_when_one_ends() {
    Kafka::shared().create_topic("kafka-topic-shared", 1);
    let there = Port::take();
    let conf = format!("listener {} 127.0.0.1\nallow_anonymous true\n", there.number());
    let file = PROPERTIES
        .replace("broker.mqttdashboard.com:1883", &format!("localhost:{}", there.number()))
        .replace("kafka-topic", "kafka-topic-shared")
        .replace("name=mqtt-sink", "name=mqtt-sink-shared");
    let shell = shell()
        .program("connect-distributed", "exec @MIDGE@ connect-distributed \"$@\"")
        .file("mosquitto.conf", &conf)
        .file("conf/mqtt-sink.properties", &file);
    let _mosquitto = shell.start("exec mosquitto -c mosquitto.conf", "mosquitto.log");
    listens(&there);
    let ports = [Port::take(), Port::take()];
    let workers = [start(&shell, &ports[0], "first"), start(&shell, &ports[1], "second")];

    let create = "bin/connect-cli create mqtt-sink-shared < conf/mqtt-sink.properties";
    shell.run(&at(&ports[0], create)).success();
    for port in &ports {
        eventually("every worker lists it", || {
            let listed = shell.run(&at(port, "bin/connect-cli ps"));
            (listed.stdout == "mqtt-sink-shared\n").then_some(())
        });
    }
    let subscriber = Subscriber::at(there.number(), &["-v", "-t", "/datamountaineer/mqtt_topic"]);
    let command = PRODUCER
        .replace("localhost:9092", Kafka::shared().bootstrap())
        .replace("kafka-topic", "kafka-topic-shared");
    produce(&shell, &command, RECORD);
    assert_eq!(subscriber.messages(1), [format!("/datamountaineer/mqtt_topic {JOHN}")]);

    // Whoever has the task: the other one has it then.
    let [first, second] = workers;
    let status = shell.run(&at(&ports[0], "bin/connect-cli status mqtt-sink-shared")).success();
    let task = status.stdout.split("taskId").nth(1).expect("a task").to_owned();
    let of_first = task.contains(&format!(":{}", ports[0].number()));
    let (running, left) = if of_first { (first, &ports[1]) } else { (second, &ports[0]) };
    running.signal(Signal::TERM);
    produce(&shell, &command, &RECORD.replace("John", "Jane"));
    assert_eq!(
        subscriber.messages(2)[1],
        format!("/datamountaineer/mqtt_topic {}", JOHN.replace("John", "Jane"))
    );
    let status = shell.run(&at(left, "bin/connect-cli status mqtt-sink-shared")).success().stdout;
    assert!(status.contains("RUNNING"), "{status}");
}
