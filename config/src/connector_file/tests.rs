use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::error::ConfigError;
use crate::resolve::resolve;
use crate::resolved::{Config, ConnectorKind, SourceConnector, Spool, SpoolFull};

fn try_read(text: &str, toml: &str) -> Result<Config, Vec<ConfigError>> {
    let mut draft = Draft::default();
    crate::midge_toml::parse(&mut draft, &[("midge.toml".into(), toml.to_owned())], []);
    parse(&mut draft, Path::new("mqtt.properties"), text.as_bytes());
    resolve(draft, &[], false)
}

fn errors(text: &str, toml: &str) -> String {
    let errors = try_read(text, toml).err().expect("a mistake");
    errors.iter().map(|error| format!("{error}\n")).collect()
}

fn notices(config: &Config) -> Vec<String> {
    config.notices.iter().map(ToString::to_string).collect()
}

const WALKTHROUGH: &str = "  name=mqtt
  connector.class=com.evokly.kafka.connect.mqtt.MqttSourceConnector
  tasks.max=1
  kafka.topic=hello-mqtt-kafka
  mqtt.client_id=mqtt-kafka
  mqtt.clean_session=true
  mqtt.connection_timeout=30
  mqtt.keep_alive_interval=60
  mqtt.server_uris=tcp://localhost:1883
  mqtt.topic=hello-mqtt
  mqtt.user=mosquitto
  mqtt.password=mosquitto
";

#[test]
fn the_file_of_the_walkthrough_becomes_a_source() {
    let text = format!(
        "{WALKTHROUGH}value.converter=org.apache.kafka.connect.converters.ByteArrayConverter\n"
    );
    let config = try_read(&text, "").unwrap_or_else(|errors| panic!("{errors:?}"));
    let [connector] = &config.connectors[..] else { panic!("one connector") };
    assert_eq!(connector.name, "mqtt");
    assert_eq!(connector.origin.to_string(), "mqtt.properties:1");
    assert_eq!(
        connector.kind,
        ConnectorKind::Source(SourceConnector {
            mqtt_filters: vec!["hello-mqtt".to_owned()],
            kafka_topic: "hello-mqtt-kafka".to_owned(),
            key: "${topic}".to_owned(),
            headers: false,
            ack: Ack::Kafka,
            buffer_bytes: 64 << 20,
            buffer_messages: 100_000,
            spool: Spool::default(),
            producer_byte_rate: None,
        })
    );
    let user = connector.user.as_ref().expect("a user");
    assert_eq!(user.name, "mosquitto");
    assert_eq!(user.password.as_ref().map(Secret::expose), Some("mosquitto"));
    assert_eq!(
        notices(&config),
        [
            "mqtt.properties: ignored: mqtt.client_id, mqtt.clean_session, \
             mqtt.connection_timeout, mqtt.keep_alive_interval: the connector runs inside the \
             broker",
            "configuration: kafka.bootstrap_servers is not set: localhost:9092, as Kafka Connect \
             has it",
        ]
    );
}

#[test]
fn defaults_are_those_of_the_connector() {
    let text = "name=a\nconnector.class=com.evokly.kafka.connect.mqtt.MqttSourceConnector\n";
    let config = try_read(text, "").unwrap_or_else(|errors| panic!("{errors:?}"));
    let ConnectorKind::Source(source) = &config.connectors[0].kind else { panic!("a source") };
    assert_eq!(source.kafka_topic, "mqtt");
    assert_eq!(source.mqtt_filters, ["#"]);
    assert!(config.connectors[0].user.is_none());
    let config = try_read(&format!("{text}mqtt.qos=0\n"), "").unwrap_or_else(|_| panic!());
    let ConnectorKind::Source(source) = &config.connectors[0].kind else { panic!("a source") };
    assert_eq!(source.ack, Ack::None);
}

fn source(text: &str, toml: &str) -> SourceConnector {
    let config = try_read(text, toml).unwrap_or_else(|errors| panic!("{errors:?}"));
    let ConnectorKind::Source(source) = &config.connectors[0].kind else { panic!("a source") };
    source.clone()
}

#[test]
fn the_broker_s_own_settings_have_a_prefix() {
    let toml = "[persistence]\nenabled = true\n";
    let own = "midge.ack=spool\nmidge.spool_max_bytes=1048576\nmidge.spool_max_age=2d\n\
               midge.spool_full=drop_newest\nmidge.spool_after=3s\nmidge.producer_byte_rate=9\n\
               midge.buffer_bytes=65536\nmidge.buffer_messages=7\nmqtt.qos=0\n";
    let found = source(&format!("{WALKTHROUGH}{own}"), toml);
    let spool = Spool {
        max_bytes: 1 << 20,
        max_age: Some(Duration::from_secs(2 * 86_400)),
        full: SpoolFull::DropNewest,
        after: Duration::from_secs(3),
    };
    // What names the acknowledgement wins over a QoS.
    assert_eq!((found.ack, found.spool), (Ack::Spool, spool));
    assert_eq!((found.buffer_bytes, found.buffer_messages), (65_536, 7));
    assert_eq!(found.producer_byte_rate, Some(9));
    assert_eq!(source(&format!("{WALKTHROUGH}mqtt.qos=2\n"), toml).ack, Ack::Spool);
    assert_eq!(source(&format!("{WALKTHROUGH}mqtt.qos=0\n"), toml).ack, Ack::None);
    assert_eq!(
        errors(&format!("{WALKTHROUGH}midge.ack=spool\nmidge.spool_full=wait\n"), ""),
        "mqtt.properties:13: midge.ack: found spool without persistence, expected kafka or none, \
         or persistence enabled: the spool is on disk\n\
         mqtt.properties:14: midge.spool_full: found \"wait\", expected one of push_back, \
         drop_oldest, drop_newest\n"
    );
}

#[test]
fn hosts_must_be_this_broker() {
    let with = |uris: &str| WALKTHROUGH.replace("tcp://localhost:1883", uris);
    for local in ["tcp://127.0.0.1:1883", "tcp://[::1]:1883", "tcp://LOCALHOST", "tcp://localhost/"]
    {
        assert!(try_read(&with(local), "").is_ok(), "{local}");
    }
    let listener = "[listeners.a]\nhost = \"10.1.2.3\"\n";
    assert!(try_read(&with("tcp://10.1.2.3:1883"), listener).is_ok());
    let named = "[bridge]\nlocal_hosts = [\"emqx\"]\n";
    assert!(try_read(&with("tcp://emqx:1883,ssl://emqx"), named).is_ok());
    assert_eq!(
        errors(&with("tcp://localhost:1884,tcp://example.org:1883"), ""),
        "mqtt.properties:9: mqtt.server_uris: found example.org:1883, expected this broker: \
         localhost with port 1883, or a name of bridge.local_hosts; remote brokers are not \
         supported yet\n\
         mqtt.properties:9: mqtt.server_uris: found localhost:1884, expected this broker: \
         localhost with port 1883, or a name of bridge.local_hosts; remote brokers are not \
         supported yet\n"
    );
    assert_eq!(
        errors(&with("http://localhost:1883"), ""),
        "mqtt.properties:9: mqtt.server_uris: found \"http://localhost:1883\", expected \
         tcp://HOST:PORT or ssl://HOST:PORT\n"
    );
}

#[test]
fn all_mistakes_of_a_file_are_reported_at_once() {
    let found = errors(
        "connector.class=com.evokly.kafka.connect.mqtt.MqttSourceConnector\nkafka.topic=a b\nmqtt.topic=a/#/b\nmqtt.qos=3\n\
         value.converter=org.apache.kafka.connect.json.JsonConverter\ntransforms=a\n\
         transforms.a.type=x\nmqtt.password=hunter2\\u12\nname=x\n",
        "",
    );
    let begins = [
        "mqtt.properties:2: kafka.topic: ",
        "mqtt.properties:3: mqtt.topic: found \"a/#/b\": ",
        "mqtt.properties:4: mqtt.qos: found \"3\", expected 0, 1 or 2",
        "mqtt.properties:5: value.converter: not supported yet: \
         \"org.apache.kafka.connect.json.JsonConverter\", expected one of ",
        "mqtt.properties:6: transforms: not supported yet",
        "mqtt.properties:8: found \\u, expected four hexadecimal digits after it",
    ];
    let lines: Vec<&str> = found.lines().collect();
    assert_eq!(lines.len(), begins.len(), "{found}");
    for (line, begin) in lines.iter().zip(begins) {
        assert!(line.starts_with(begin), "{line}");
    }
    assert!(!found.contains("hunter2"));
    assert_eq!(
        errors("mqtt.qos=1\n", ""),
        "mqtt.properties: connector.class: is missing\nmqtt.properties: name: is missing\n"
    );
}

#[test]
fn unknown_properties_are_noticed_as_connect_does() {
    let text =
        format!("{WALKTHROUGH}mqtt.topics=x\nerrors.tolerance=all\nname=again\ntasks.max=4\n");
    let config = try_read(&text, "").unwrap_or_else(|errors| panic!("{errors:?}"));
    assert_eq!(config.connectors[0].name, "again");
    let notices = notices(&config);
    assert_eq!(
        notices[..4],
        [
            "mqtt.properties:1: name is replaced by the one on line 15",
            "mqtt.properties:3: tasks.max is replaced by the one on line 16",
            "mqtt.properties:13: ignored: mqtt.topics: unknown property, did you mean mqtt.topic?",
            "mqtt.properties:14: not supported yet: errors.tolerance",
        ]
    );
    assert!(notices[4].contains("tasks.max"));
}

#[test]
fn two_connectors_of_one_name_are_a_mistake() {
    let toml = "[connectors.mqtt]\ntype = \"sink\"\nkafka_topics = \"a\"\n";
    assert_eq!(
        errors(WALKTHROUGH, toml),
        "mqtt.properties:1: connector mqtt: found a second time, the first stands at midge.toml:1\n"
    );
}

#[test]
fn every_property_of_the_page_is_known() {
    for known in PROPERTIES {
        let mut draft = Draft::default();
        parse(&mut draft, Path::new("f"), format!("{}=1\n", known.name).as_bytes());
        let unknown = draft.notices.iter().any(|notice| notice.message.contains("unknown"));
        assert!(!unknown, "{}", known.name);
    }
}

proptest! {
    #[test]
    fn any_bytes_are_read_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let mut draft = Draft::default();
        parse(&mut draft, Path::new("f"), &bytes);
        let _ = resolve(draft, &[], false);
    }

    #[test]
    fn any_value_of_any_property_is_read_without_a_panic(
        lines in proptest::collection::vec((0..PROPERTIES.len(), ".{0,30}"), 0..8),
    ) {
        let text: String =
            lines.iter().map(|(row, value)| format!("{}={value}\n", PROPERTIES[*row].name)).collect();
        let _ = try_read(&text, "");
    }
}

#[test]
fn a_file_of_another_class_is_taken_as_it_is_with_its_lines() {
    let text = "name=lenses\n# comment\nconnector.class=org.example.Other\n\
                connect.mqtt.kcql=INSERT INTO a SELECT * FROM b \ntasks.max=1\ntasks.max=2\n";
    let config = try_read(text, "").unwrap_or_else(|errors| panic!("{errors:?}"));
    assert!(config.connectors.is_empty());
    let [file] = &config.connector_files[..] else { panic!("one file") };
    assert_eq!(file.name, "lenses");
    assert_eq!(file.properties["connect.mqtt.kcql"], "INSERT INTO a SELECT * FROM b ");
    assert_eq!(file.properties["tasks.max"], "2");
    assert_eq!(file.origin("connect.mqtt.kcql").to_string(), "mqtt.properties:4");
    assert_eq!(file.origin("topics").to_string(), "mqtt.properties");
    assert_eq!(
        notices(&config)[0],
        "mqtt.properties:5: tasks.max is replaced by the one on line 6"
    );
    assert_eq!(
        errors("connector.class=org.example.Other\n", ""),
        "mqtt.properties: name: is missing\n"
    );
    let toml = "[connectors.lenses]\ntype = \"sink\"\nkafka_topics = \"t\"\n";
    assert_eq!(
        errors(text, toml),
        "mqtt.properties:1: connector lenses: found a second time, the first stands at \
         midge.toml:1\n"
    );
}
