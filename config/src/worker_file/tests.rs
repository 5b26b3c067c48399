use super::*;
use crate::error::ConfigError;
use crate::resolve::resolve;
use crate::resolved::{Config, RestAccess};

fn try_read(text: &str, toml: &str) -> Result<Config, Vec<ConfigError>> {
    let mut draft = Draft::default();
    crate::midge_toml::parse(&mut draft, &[("midge.toml".into(), toml.to_owned())], []);
    parse(&mut draft, Path::new("worker.properties"), text.as_bytes());
    resolve(draft, &[], false)
}

fn read(text: &str, toml: &str) -> Config {
    try_read(text, toml).unwrap_or_else(|errors| panic!("{errors:?}"))
}

fn errors(text: &str, toml: &str) -> String {
    let errors = try_read(text, toml).err().expect("a mistake");
    errors.iter().map(|error| format!("{error}\n")).collect()
}

fn listens(config: &Config) -> Option<String> {
    config.connect.rest.as_ref().map(|rest| rest.address.to_string())
}

fn bootstrap(config: &Config) -> Option<&str> {
    config.kafka.client.plain.get("bootstrap.servers").map(String::as_str)
}

#[test]
fn a_worker_s_file_says_converters_kafka_and_where_rest_is() {
    let config = read(
        "bootstrap.servers=kafka:9092\nrest.port=8084\n\
         key.converter=org.apache.kafka.connect.json.JsonConverter\n\
         key.converter.schemas.enable=false\noffset.flush.interval.ms=10000\n\
         plugin.path=/opt\n",
        "",
    );
    assert_eq!(bootstrap(&config), Some("kafka:9092"));
    assert_eq!(listens(&config).as_deref(), Some("127.0.0.1:8084"));
    assert!(
        config.connect.rest.as_ref().is_some_and(|rest| matches!(rest.access, RestAccess::Open))
    );
    let properties = config.connect.worker_properties.as_ref().expect("a worker's file");
    let keys: Vec<&str> = properties.keys().map(String::as_str).collect();
    assert_eq!(keys, ["key.converter", "key.converter.schemas.enable"]);
    let notices: Vec<String> = config.notices.iter().map(ToString::to_string).collect();
    assert_eq!(
        notices,
        ["worker.properties: ignored: offset.flush.interval.ms, plugin.path: there is no worker"]
    );
}

#[test]
fn our_own_file_goes_first() {
    let toml = "[kafka]\nbootstrap_servers = \"a:1\"\n[connect]\nrest_listen = \"[::1]:1\"\n";
    let config = read("bootstrap.servers=b:2\nlisteners=http://127.0.0.1:2\n", toml);
    assert_eq!(bootstrap(&config), Some("a:1"));
    assert_eq!(listens(&config).as_deref(), Some("[::1]:1"));
    let toml = "[kafka.properties]\n\"metadata.broker.list\" = \"c:3\"\n";
    assert_eq!(bootstrap(&read("bootstrap.servers=b:2\n", toml)), Some("c:3"));
}

#[test]
fn a_listener_that_others_reach_needs_a_token_and_the_line_is_named() {
    let text = "# standalone\nlisteners=HTTP://:8083\n";
    assert_eq!(
        errors(text, ""),
        "worker.properties:2: connect.rest_listen: found 0.0.0.0:8083, which other machines reach, \
         without rest_token or rest_user and rest_password, expected one of them, or a loopback \
         address\n"
    );
    let config = read(text, "[connect]\nrest_token = \"t\"\n");
    assert_eq!(listens(&config).as_deref(), Some("0.0.0.0:8083"));
    assert_eq!(
        errors("listeners=https://localhost:8443\n", ""),
        "worker.properties:1: listeners: found \"https://localhost:8443\", expected \
         http://HOST:PORT\n"
    );
}

#[test]
fn what_protects_the_way_to_kafka_is_not_passed_over() {
    assert_eq!(
        errors("security.protocol=SASL_SSL\nproducer.sasl.mechanism=PLAIN\n", ""),
        "worker.properties:1: security.protocol: is not taken from a worker's file: set it in \
         [kafka] instead\n\
         worker.properties:2: producer.sasl.mechanism: is not taken from a worker's file: set it \
         in [kafka] instead\n"
    );
}

const ENVIRONMENT: &str = "config.providers=env\n\
     config.providers.env.class=org.apache.kafka.common.config.provider.EnvVarConfigProvider\n";

#[test]
fn references_are_looked_up_where_they_count_and_kept_as_they_are_for_connectors() {
    let text = format!(
        "{ENVIRONMENT}bootstrap.servers=${{env:CARGO_PKG_NAME}}:9092\n\
         value.converter.x=${{env:CARGO_PKG_NAME}}\nproducer.linger.ms=5\n\
         topic.tracking.enable=false\n"
    );
    let config = read(&text, "");
    assert_eq!(bootstrap(&config), Some("midge-config:9092"));
    let properties = config.connect.worker_properties.as_ref().expect("a worker's file");
    assert_eq!(properties["value.converter.x"], "${env:CARGO_PKG_NAME}");
    assert_eq!(properties["producer.linger.ms"], "5");
    assert!(!config.connect.topic_tracking.enable && config.connect.topic_tracking.allow_reset);
    assert!(properties.contains_key("config.providers.env.class"));
    assert_eq!(config.notices.len(), 0);
}

#[test]
fn a_reference_or_a_provider_that_is_none_is_a_mistake_on_its_line() {
    assert_eq!(
        errors(&format!("{ENVIRONMENT}key.converter.x=${{env:NO_SUCH_VARIABLE}}\n"), ""),
        "worker.properties:3: key.converter.x: Could not resolve ${env:NO_SUCH_VARIABLE}: provider \
         env, path \"\", key \"NO_SUCH_VARIABLE\": the environment has no such variable\n"
    );
    assert_eq!(
        errors("# first\nconfig.providers=vault\n", ""),
        "worker.properties:2: config.providers.vault.class: is missing\n"
    );
    assert_eq!(
        errors("topic.tracking.allow.reset=no\n", ""),
        "worker.properties:1: topic.tracking.allow.reset: found \"no\", expected true or false\n"
    );
}
