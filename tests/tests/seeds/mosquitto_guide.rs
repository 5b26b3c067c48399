//! A guide, in Spanish, that joins Mosquitto and Kafka by a Connect worker with evokly's connector.
//!
//! Its files are those of its examples, its commands too: `mosquitto`, `connect-standalone.sh` and
//! Kafka's programs are scripts of those names. /etc and /var are the shell's directory, and ports are
//! free ones. The guide's examples have two pairs of topics: what is configured is "hello-mqtt", what
//! is published and read is "mosquitto_main_topic". The connector takes the second here, but for the
//! test that shows what the first leads to.

use std::path::Path;
use std::process::Command;

use midge_tests::{Kafka, Midge, Setup, Shell, Subscriber, binary, eventually, output};

const MOSQUITTO_CONF: &str = "\
  listener @PORT@ localhost
  persistence true
  persistence_location @DIR@/
  persistence_file mosquitto.db
  log_dest syslog
  log_dest stdout
  log_dest topic
  log_type error
  log_type warning
  log_type notice
  log_type information
  connection_messages true
  log_timestamp true
  allow_anonymous true
  password_file @DIR@/pwfile
  acl_file @DIR@/aclfile
";

const ACL_FILE: &str = "\
  user mosquitto
  topic mosquitto_main_topic
";

const MQTT_PROPERTIES: &str = "\
  name=mqtt
  connector.class=com.evokly.kafka.connect.mqtt.MqttSourceConnector
  tasks.max=1
  kafka.topic=hello-mqtt-kafka
  mqtt.client_id=mqtt-kafka
  mqtt.clean_session=true
  mqtt.connection_timeout=30
  mqtt.keep_alive_interval=60
  mqtt.server_uris=tcp://localhost:@PORT@
  mqtt.topic=hello-mqtt
  mqtt.user=mosquitto
  mqtt.password=mosquitto
";

/// Kafka's own `config/connect-standalone.properties` of that time, and the line that the guide adds.
const WORKER_PROPERTIES: &str = "\
bootstrap.servers=localhost:9092
key.converter=org.apache.kafka.connect.json.JsonConverter
value.converter=org.apache.kafka.connect.json.JsonConverter
key.converter.schemas.enable=true
value.converter.schemas.enable=true
internal.key.converter=org.apache.kafka.connect.json.JsonConverter
internal.value.converter=org.apache.kafka.connect.json.JsonConverter
internal.key.converter.schemas.enable=false
internal.value.converter.schemas.enable=false
offset.storage.file.filename=/tmp/connect.offsets
offset.flush.interval.ms=10000
value.converter=org.apache.kafka.connect.converters.ByteArrayConverter
";

const PASSWD: &str = "mosquitto_passwd -c /etc/mosquitto/pwfile mosquitto";
const CONNECT: &str = "cd $KAFKA_HOME
./bin/connect-standalone.sh config/connect-standalone.properties config/mqtt.properties";
const CONSUMER: &str = "./bin/kafka-console-consumer.sh --bootstrap-server 172.31.25.244:9092 \
                        --from-beginning --topic kafka_main_topic";
const SUBSCRIBE: &str =
    "mosquitto_sub -h localhost -p 1883 -v -t 'mosquitto_main_topic' -u mosquitto -P mosquitto";
const PUBLISH: &str = "mosquitto_pub -h localhost -p 1883  -t 'mosquitto_main_topic' \
                       -u mosquitto -P mosquitto -m 'Hello world!'";
const OFFSET: &str = "./bin/kafka-simple-consumer-shell.sh --broker-list localhost:9092 \
                      --topic kafka_main_topic --offset 2";

/// The connector's file with the topics that are published and read.
fn properties(kafka_topic: &str) -> String {
    MQTT_PROPERTIES
        .replace("mqtt.topic=hello-mqtt", "mqtt.topic=mosquitto_main_topic")
        .replace("kafka.topic=hello-mqtt-kafka", &format!("kafka.topic={kafka_topic}"))
}

/// `mosquitto -c mosquitto.conf`, with the connector that Connect would run.
fn with_connector(properties: &str) -> Setup {
    Setup::exactly(MOSQUITTO_CONF)
        .file("aclfile", ACL_FILE)
        .file("mqtt.properties", properties)
        .argument("--connector")
        .argument("@DIR@/mqtt.properties")
        .environment("MIDGE__KAFKA__BOOTSTRAP_SERVERS", Kafka::shared().bootstrap())
}

/// `mosquitto_passwd -c /etc/mosquitto/pwfile mosquitto`, the password typed twice.
fn passwd(program: &mut Command, directory: &Path) {
    program.arg("-c").arg(directory.join("pwfile")).arg("mosquitto");
    output(program, "mosquitto\nmosquitto\n").success();
}

/// The guide's two MQTT commands: subscribe in one terminal, publish in another.
fn hello_world(midge: &Midge) {
    let port = format!("-p {}", midge.port(1));
    let (subscribe, publish) =
        (SUBSCRIBE.replace("-p 1883", &port), PUBLISH.replace("-p 1883", &port));
    let words: Vec<&str> =
        subscribe.split(' ').skip(1).map(|word| word.trim_matches('\'')).collect();
    let subscriber = Subscriber::exactly(&words);
    let shell = Shell::new();
    // A person would wait until the other terminal is ready, and try again when it was not.
    eventually("the message in the other terminal", || {
        shell.run(&publish).success();
        subscriber.has_printed("mosquitto_main_topic Hello world!").then_some(())
    });
}

#[test]
fn the_files_as_printed_start_a_broker_that_says_what_cannot_pass() {
    let setup = with_connector(MQTT_PROPERTIES);
    passwd(&mut Command::new("mosquitto_passwd"), setup.directory());
    let midge = setup.start();
    // The guide lets the user read one topic and the connector take another: rule and line.
    let line = midge.says(&["mqtt.properties", "\"mqtt\"", "hello-mqtt", "aclfile"]);
    assert!(line.contains("nothing will pass"), "{line}");
    // Everything else works.
    hello_world(&midge);
}

#[test]
fn the_message_is_read_by_kafka_s_console_consumer() {
    let setup = with_connector(&properties("kafka_main_topic"));
    passwd(&mut Command::new("mosquitto_passwd"), setup.directory());
    let midge = setup.start();
    assert!(!midge.log().contains("nothing will pass"), "{}", midge.log());
    hello_world(&midge);
    assert_eq!(Kafka::shared().console_consumer("kafka_main_topic", 1), ["Hello world!"]);
}

#[test]
fn the_password_file_may_be_made_by_midge_as_well() {
    let setup = with_connector(&properties("kafka_midge_passwd"));
    passwd(Command::new(binary()).arg("passwd"), setup.directory());
    let midge = setup.start();
    hello_world(&midge);
    let records = Kafka::shared().eventually_records("kafka_midge_passwd", "%k %s\n", 1);
    assert_eq!(records[0], "mosquitto_main_topic Hello world!");
}

#[test]
fn a_connector_with_a_wrong_password_is_refused_at_start() {
    let wrong = MQTT_PROPERTIES.replace("mqtt.password=mosquitto", "mqtt.password=guess");
    let setup = with_connector(&wrong);
    passwd(&mut Command::new("mosquitto_passwd"), setup.directory());
    let refusal = setup.try_start().err().expect("did not start");
    let all = refusal.all();
    assert!(all.contains("mqtt.properties") && all.contains("mosquitto"), "{all}");
    assert!(!all.contains("guess"), "{all}");
}

/// As the guide has it: a broker, and a worker in a process of its own.
#[test]
fn a_broker_and_a_standalone_worker_run_by_the_guide_s_own_commands() {
    let kafka = Kafka::shared();
    let broker = Setup::exactly(MOSQUITTO_CONF).file("aclfile", ACL_FILE);
    let directory = broker.directory().to_str().expect("UTF-8").to_owned();
    let shell = Shell::new();
    let home = shell.directory().to_str().expect("UTF-8").to_owned();
    let simple_consumer = r#"exec kcat -C -q -e -b "$2" -t "$4" -o "$6""#;
    let shell = shell
        .program("connect-standalone.sh", "exec @MIDGE@ connect-standalone \"$@\"")
        .program(
            "kafka-console-consumer.sh",
            &kafka.program("org.apache.kafka.tools.consumer.ConsoleConsumer"),
        )
        .program("kafka-simple-consumer-shell.sh", simple_consumer)
        .variable("KAFKA_HOME", &home);
    let typed = "mosquitto\nmosquitto\n";
    shell.run_with(&PASSWD.replace("/etc/mosquitto", &directory), typed).success();
    // `mosquitto -c /etc/mosquitto/mosquitto.conf`; its third port is the worker's for REST.
    let broker = broker.start();
    let port = broker.port(1).to_string();

    let topic = "kafka_standalone_topic";
    shell.write("config/mqtt.properties", &properties(topic).replace("@PORT@", &port));
    let worker = WORKER_PROPERTIES.replace("localhost:9092", kafka.bootstrap());
    let rest = format!("listeners=http://localhost:{}\n", broker.port(3));
    shell.write("config/connect-standalone.properties", &format!("{worker}{rest}"));
    let mut running = shell.start(CONNECT, "connect.log");
    running.says(&["Connect worker runs"]);
    let status = format!("curl -s http://localhost:{}/connectors/mqtt/status", broker.port(3));
    eventually("the connector runs", || {
        (shell.run(&status).stdout.matches("RUNNING").count() == 2).then_some(())
    });

    let publish = PUBLISH.replace("-p 1883", &format!("-p {port}"));
    let consumer = CONSUMER
        .replace("172.31.25.244:9092", kafka.bootstrap())
        .replace("kafka_main_topic", topic);
    // Until the worker has subscribed, nobody keeps its messages: so it is with Connect.
    eventually("a record", || {
        shell.run(&publish).success();
        (!kafka.records(topic, "%s\n").is_empty()).then_some(())
    });
    let first = format!("{consumer} --max-messages 1 --timeout-ms 30000");
    assert_eq!(shell.run(&first).stdout, "Hello world!\n");
    for number in ["1", "2", "3"] {
        shell.run(&publish.replace("Hello world!", number)).success();
    }
    eventually("the last record", || (kafka.records(topic, "%s\n").last()? == "3").then_some(()));
    let all = kafka.records(topic, "%s\n");
    let offset = OFFSET.replace("localhost:9092", kafka.bootstrap());
    let rest = shell.run(&offset.replace("kafka_main_topic", topic)).success().stdout;
    assert_eq!(rest.lines().collect::<Vec<_>>(), all[2..]);
    // The worker's key converter is still JSON's.
    let key = r#"{"schema":{"type":"string","optional":false},"payload":"mosquitto_main_topic"}"#;
    let key: serde_json::Value = serde_json::from_str(key).expect("JSON");
    let found = kafka.records(topic, "%k\n");
    let found: serde_json::Value = serde_json::from_str(&found[0]).expect("JSON");
    assert_eq!(found["payload"], key["payload"]);
    assert_eq!(found["schema"]["type"], "string");
}
