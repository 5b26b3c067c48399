use proptest::prelude::*;

use super::*;
use crate::error::ConfigError;
use crate::resolve::resolve;
use crate::resolved::Config;

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

const FILE: &str = "  name=mqtt \n# comment\n  connector.class=org.example.Other\n  \
                    kcql=INSERT INTO a SELECT * FROM b \n  tasks.max=1\n  tasks.max=2\n";

#[test]
fn a_file_is_taken_as_it_is_with_its_lines() {
    let config = try_read(FILE, "").unwrap_or_else(|errors| panic!("{errors:?}"));
    assert!(config.connectors.is_empty());
    let [file] = &config.connector_files[..] else { panic!("one file") };
    assert_eq!(file.name, "mqtt");
    assert_eq!(file.properties["kcql"], "INSERT INTO a SELECT * FROM b ");
    assert_eq!(file.properties["tasks.max"], "2");
    assert_eq!(file.origin("kcql").to_string(), "mqtt.properties:4");
    assert_eq!(file.origin("topics").to_string(), "mqtt.properties");
    let notices: Vec<String> = config.notices.iter().map(ToString::to_string).collect();
    assert_eq!(
        notices,
        [
            "mqtt.properties:5: tasks.max is replaced by the one on line 6",
            "configuration: kafka.bootstrap_servers is not set: localhost:9092, as Kafka Connect \
             has it",
        ]
    );
}

#[test]
fn what_every_file_needs_is_missed_where_it_should_stand() {
    assert_eq!(
        errors("mqtt.password=hunter2\\u12\nname=\n", ""),
        "mqtt.properties:1: found \\u, expected four hexadecimal digits after it\n\
         mqtt.properties:2: name: is missing\n\
         mqtt.properties: connector.class: is missing\n"
    );
}

#[test]
fn a_file_in_json_has_its_properties_alone_or_with_a_name_beside_them() {
    let alone =
        "{\"name\": \"mqtt\",\n\"connector.class\": \"C\",\n\n\"tasks.max\": 2, \"a\": null}";
    let body = "{\"name\": \"mqtt\", \"initial_state\": \"RUNNING\",\n\"config\": {\n\
                \"connector.class\": \"C\",\n\"tasks.max\": \"2\"}}";
    for text in [alone, body] {
        let config = try_read(text, "").unwrap_or_else(|errors| panic!("{errors:?}"));
        let [file] = &config.connector_files[..] else { panic!("one file") };
        assert_eq!(file.name, "mqtt");
        let properties = [("connector.class", "C"), ("name", "mqtt"), ("tasks.max", "2")];
        let found: Vec<_> = file.properties.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
        assert_eq!(found, properties);
        assert_eq!(file.origin("tasks.max").to_string(), "mqtt.properties:4");
    }
}

#[test]
fn what_is_wrong_in_json_is_told_with_its_line() {
    assert_eq!(
        errors("{\"name\": \"a\",\n\"connector.class\": [1],\n\"x\": {}}", ""),
        "mqtt.properties:2: connector.class: found an array, expected text\n\
         mqtt.properties:3: x: found an object, expected text\n"
    );
    assert_eq!(
        errors(
            "{\"name\": \"a\",\n\"config\": {\n\"name\": \"b\"},\"initial_state\": \"PAUSED\"}",
            ""
        ),
        "mqtt.properties:3: initial_state: found \"PAUSED\", expected RUNNING: a connector of a file \
         runs\n\
         mqtt.properties:3: name: found \"b\" in config, expected \"a\" as beside it\n"
    );
    assert_eq!(
        errors("\n{\"name\": \"a\",\n}", ""),
        "mqtt.properties:3: trailing comma at line 3 column 1\n"
    );
    assert_eq!(
        errors("{\"config\": {}}", ""),
        "mqtt.properties: connector.class: is missing\nmqtt.properties: name: is missing\n"
    );
}

#[test]
fn two_connectors_of_one_name_are_a_mistake() {
    let toml = "[connectors.mqtt]\ntype = \"sink\"\nkafka_topics = \"a\"\n";
    assert_eq!(
        errors(FILE, toml),
        "mqtt.properties:1: connector mqtt: found a second time, the first stands at midge.toml:1\n"
    );
}

proptest! {
    #[test]
    fn any_bytes_are_read_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let mut draft = Draft::default();
        parse(&mut draft, Path::new("f"), &bytes);
        let _ = resolve(draft, &[], false);
    }
}
