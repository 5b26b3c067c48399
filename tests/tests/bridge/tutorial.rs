//! The files and commands of a guide that joins Mosquitto and Kafka by a Connect worker, word for
//! word but for paths and ports: here one program does it.

use std::path::Path;
use std::process::Command;

use midge_tests::{Kafka, Midge, Setup, Subscriber, binary, eventually, output};

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

/// `mosquitto -c mosquitto.conf`, with the connector that Connect would run.
fn setup(properties: &str) -> Setup {
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
    let port = midge.port(1).to_string();
    let port = port.as_str();
    let subscriber = Subscriber::exactly(&[
        "-h",
        "localhost",
        "-p",
        port,
        "-v",
        "-t",
        "mosquitto_main_topic",
        "-u",
        "mosquitto",
        "-P",
        "mosquitto",
    ]);
    // A person would wait until the other terminal is ready, and try again when it was not.
    eventually("the message in the other terminal", || {
        let arguments = [
            "-h",
            "localhost",
            "-p",
            port,
            "-t",
            "mosquitto_main_topic",
            "-u",
            "mosquitto",
            "-P",
            "mosquitto",
            "-m",
            "Hello world!",
        ];
        midge_tests::run("mosquitto_pub", &arguments).success();
        subscriber.has_printed("mosquitto_main_topic Hello world!").then_some(())
    });
}

#[test]
fn the_files_as_printed_start_a_broker_that_says_what_cannot_pass() {
    let setup = setup(MQTT_PROPERTIES);
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
    // The topics that the guide's own commands use.
    let properties = MQTT_PROPERTIES
        .replace("mqtt.topic=hello-mqtt", "mqtt.topic=mosquitto_main_topic")
        .replace("kafka.topic=hello-mqtt-kafka", "kafka.topic=kafka_main_topic");
    let setup = setup(&properties);
    passwd(&mut Command::new("mosquitto_passwd"), setup.directory());
    let midge = setup.start();
    assert!(!midge.log().contains("nothing will pass"), "{}", midge.log());
    hello_world(&midge);
    assert_eq!(Kafka::shared().console_consumer("kafka_main_topic", 1), ["Hello world!"]);
}

#[test]
fn the_password_file_may_be_made_by_midge_as_well() {
    let properties = MQTT_PROPERTIES
        .replace("mqtt.topic=hello-mqtt", "mqtt.topic=mosquitto_main_topic")
        .replace("kafka.topic=hello-mqtt-kafka", "kafka.topic=kafka_midge_passwd");
    let setup = setup(&properties);
    passwd(Command::new(binary()).arg("passwd"), setup.directory());
    let midge = setup.start();
    hello_world(&midge);
    let records = Kafka::shared().eventually_records("kafka_midge_passwd", "%k %s\n", 1);
    assert_eq!(records[0], "mosquitto_main_topic Hello world!");
}

#[test]
fn a_connector_with_a_wrong_password_is_refused_at_start() {
    let setup = setup(&MQTT_PROPERTIES.replace("mqtt.password=mosquitto", "mqtt.password=guess"));
    passwd(&mut Command::new("mosquitto_passwd"), setup.directory());
    let refusal = setup.try_start().err().expect("did not start");
    let all = refusal.all();
    assert!(all.contains("mqtt.properties") && all.contains("mosquitto"), "{all}");
    assert!(!all.contains("guess"), "{all}");
}
