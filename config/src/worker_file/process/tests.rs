use super::*;
use crate::error::ConfigError;
use crate::resolve::resolve;
use crate::resolved::{Config, RestAccess};

/// `connect-standalone.properties` as Apache Kafka 4 ships it, without its comments.
const SHIPPED: &str = "\
bootstrap.servers=localhost:9092
key.converter=org.apache.kafka.connect.json.JsonConverter
value.converter=org.apache.kafka.connect.json.JsonConverter
key.converter.schemas.enable=true
value.converter.schemas.enable=true
offset.storage.file.filename=/tmp/connect.offsets
# Flush much faster than normal, which is useful for testing/debugging
offset.flush.interval.ms=10000
#plugin.path=
";

fn try_read(text: &str, mode: WorkerMode, toml: &str) -> Result<Config, Vec<ConfigError>> {
    let mut draft = Draft::default();
    crate::midge_toml::parse(&mut draft, &[("midge.toml".into(), toml.to_owned())], []);
    parse(&mut draft, Path::new("worker.properties"), text.as_bytes(), mode);
    without_broker(&mut draft);
    resolve(draft, &[], false)
}

fn read_as(text: &str, mode: WorkerMode, toml: &str) -> Config {
    try_read(text, mode, toml).unwrap_or_else(|errors| panic!("{errors:?}"))
}

fn read(text: &str) -> Config {
    read_as(text, WorkerMode::Standalone, "")
}

fn errors(text: &str, toml: &str) -> String {
    let errors = try_read(text, WorkerMode::Standalone, toml).err().expect("a mistake");
    errors.iter().map(|error| format!("{error}\n")).collect()
}

fn notices(config: &Config) -> Vec<String> {
    config.notices.iter().map(ToString::to_string).collect()
}

fn passed(config: &Config) -> Vec<&str> {
    let properties = config.connect.worker_properties.as_ref().expect("a worker's file");
    properties.keys().map(String::as_str).collect()
}

#[test]
fn kafka_s_own_file_works_as_it_stands() {
    let config = read(SHIPPED);
    let rest = config.connect.rest.as_ref().expect("a REST interface");
    assert_eq!(rest.address.to_string(), "127.0.0.1:8083");
    assert!(matches!(rest.access, RestAccess::Open));
    assert_eq!(config.kafka.client.plain["bootstrap.servers"], "localhost:9092");
    assert_eq!(
        passed(&config),
        [
            "key.converter",
            "key.converter.schemas.enable",
            "value.converter",
            "value.converter.schemas.enable"
        ]
    );
    assert_eq!(
        notices(&config),
        [
            "worker.properties: ignored: offset.flush.interval.ms: offsets are committed as \
             records are done",
            "worker.properties: ignored: offset.storage.file.filename: sources of MQTT have no \
             offsets, those of sinks are in Kafka",
        ]
    );
    assert!(config.persistence.is_none());
}

#[test]
fn older_files_and_unknown_words_are_told() {
    let text = "internal.key.converter=org.apache.kafka.connect.json.JsonConverter\n\
                internal.key.converter.schemas.enable=false\nrest.port=8090\nplugin.pth=/opt\n\
                group.id=g\n";
    let config = read(text);
    assert_eq!(config.connect.rest.as_ref().unwrap().address.to_string(), "127.0.0.1:8090");
    let notices = notices(&config).join("\n");
    for expected in [
        "ignored: internal.key.converter, internal.key.converter.schemas.enable: Connect itself",
        "worker.properties:4: ignored: plugin.pth: unknown property, did you mean plugin.path?",
        "ignored: group.id: this worker is alone",
    ] {
        assert!(notices.contains(expected), "{expected}: {notices}");
    }
}

#[test]
fn a_worker_of_a_group_is_told_what_the_file_says_about_it() {
    let text = "group.id=g\nconfig.storage.topic=c\noffset.storage.file.filename=/tmp/x\n\
                status.storage.topic=s\noffset.storage.topic=o\n\
                offset.storage.replication.factor=1\n";
    let config = read_as(text, WorkerMode::Distributed, "");
    let group = config.connect.group.as_ref().expect("a group");
    assert_eq!((&*group.group_id, &*group.config.name), ("g", "c"));
    assert_eq!((&*group.offsets.name, group.offsets.replication_factor), ("o", 1));
    assert!(passed(&config).is_empty());
    let errors = try_read("group.id=g\n", WorkerMode::Distributed, "").err().expect("no topics");
    let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
    assert_eq!(errors.len(), 3, "{errors:?}");
    assert!(errors[0].starts_with("worker.properties: config.storage.topic: "), "{errors:?}");
    assert!(read("group.id=g\n").connect.group.is_none(), "a worker that is alone has none");
}

#[test]
fn the_way_to_kafka_is_that_of_the_file() {
    let jaas = "org.apache.kafka.common.security.scram.ScramLoginModule required username=\"a\" \
                password=\"s3cret \";";
    let text = format!(
        "security.protocol=SASL_SSL\nsasl.mechanism=SCRAM-SHA-512\nsasl.jaas.config={jaas}\n\
         ssl.ca.location=/ca.pem\nproducer.compression.type=zstd\n\
         consumer.auto.offset.reset=latest\n"
    );
    let config = read(&text);
    let plain = &config.kafka.client.plain;
    assert_eq!(plain["security.protocol"], "SASL_SSL");
    assert_eq!(plain["sasl.username"], "a");
    assert_eq!(plain["ssl.ca.location"], "/ca.pem");
    assert_eq!(config.kafka.client.secret["sasl.password"].expose(), "s3cret ");
    assert_eq!(passed(&config), ["consumer.auto.offset.reset", "producer.compression.type"]);
    let said = &config.connect.client_properties;
    let compression = said.iter().find(|said| said.key == "producer.compression.type");
    let compression = compression.expect("it is judged by the client");
    assert_eq!(compression.origin.to_string(), "worker.properties:5");
    assert_eq!((&*compression.name, compression.value.expose()), ("compression.type", "zstd"));
    assert!(said.iter().all(|said| said.is_secret == (said.name == "sasl.password")));
}

#[test]
fn what_would_not_be_obeyed_and_should_be_is_refused_where_it_stands() {
    let text = "ssl.truststore.location=/x.jks\nproducer.acks=1\n\
                connector.client.config.override.policy=None\nadmin.listeners=\n\
                rest.extension.classes=a.B\n";
    assert_eq!(
        errors(text, ""),
        "worker.properties:1: ssl.truststore.location: is refused: expected PEM files, in \
         ssl.ca.location, ssl.certificate.location and ssl.key.location\n\
         worker.properties:2: producer.acks: is refused: an acknowledged message must be on all \
         in-sync replicas; accepted: all\n\
         worker.properties:3: connector.client.config.override.policy: found \"None\": connectors \
         may override what their clients have\n\
         worker.properties:4: admin.listeners: found nothing: what changes log levels is reached as \
         all of REST is, by those who may\n\
         worker.properties:5: rest.extension.classes: found \"a.B\": it names classes of Java; \
         midge.rest.user and midge.rest.password, or midge.rest.token, say who may speak to REST\n"
    );
}

#[test]
fn others_reach_rest_with_a_token_only() {
    let open = "listeners=http://:8083\n";
    assert!(
        errors(open, "").starts_with("worker.properties:1: connect.rest_listen: found 0.0.0.0")
    );
    let config = read(&format!("{open}midge.rest.token=t\nmidge.persistence.directory=/var/w\n"));
    let rest = config.connect.rest.as_ref().unwrap();
    assert!(matches!(&rest.access, RestAccess::Token(token) if token.expose() == "t"));
    assert_eq!(config.persistence.as_ref().unwrap().directory, Path::new("/var/w"));
    assert_eq!(
        errors("midge.rest.user=\n", ""),
        "worker.properties:1: midge.rest.user: found nothing, expected a value\n"
    );
    for (text, expected) in [
        ("rest.port=abc\n", "rest.port: found \"abc\", expected a port"),
        ("rest.host.name=\n", "rest.host.name: found nothing, expected an address of this machine"),
    ] {
        let found = errors(text, "");
        assert!(found.starts_with(&format!("worker.properties:1: {expected}")), "{found}");
    }
    assert_eq!(
        errors("\nbootstrap.servers= \n", ""),
        "worker.properties:2: bootstrap.servers: found nothing, expected HOST:PORT, several with \
         commas\n"
    );
}

#[test]
fn what_is_a_broker_s_is_refused_or_told() {
    let toml = "[bridge]\nlocal_hosts = [\"a\"]\n[listeners.plain]\nport = 1\n[connectors.own]\n\
                type = \"source\"\nmqtt_filters = [\"#\"]\nkafka_topic = \"t\"\n";
    let found = errors("", toml);
    assert!(
        found.contains("connectors.own: found in a worker, expected a property file"),
        "{found}"
    );
    let toml = "[bridge]\nlocal_hosts = [\"a\"]\n[listeners.plain]\nport = 1\n";
    let config = read_as("", WorkerMode::Standalone, toml);
    assert!(config.local_hosts.is_empty());
    let notices = notices(&config).join("\n");
    assert!(notices.contains("ignored: bridge.local_hosts: there is no broker"), "{notices}");
    assert!(notices.contains("listeners.plain: there is no broker in a worker"), "{notices}");
}

#[test]
fn references_count_in_the_worker_and_stay_as_they_are_for_connectors() {
    let config = read(
        "config.providers=env\nconfig.providers.env.class=EnvVarConfigProvider\n\
         bootstrap.servers=${env:CARGO_PKG_NAME}:1\nproducer.client.id=${env:CARGO_PKG_NAME}\n\
         topic.tracking.allow.reset=false\n",
    );
    let bootstrap = config.kafka.client.plain.get("bootstrap.servers").map(String::as_str);
    assert_eq!(bootstrap, Some("midge-config:1"));
    let properties = config.connect.worker_properties.as_ref().expect("a worker's file");
    assert_eq!(properties["producer.client.id"], "${env:CARGO_PKG_NAME}");
    assert!(config.connect.topic_tracking.enable && !config.connect.topic_tracking.allow_reset);
}
