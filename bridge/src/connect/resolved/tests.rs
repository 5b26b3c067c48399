use std::fs;

use super::*;
use crate::connect::plan::{Broker, Work};

const CLASS: &str = "com.datamountaineer.streamreactor.connect.mqtt.source.MqttSourceConnector";

/// A worker with providers, and a file of secrets.
fn worker(directory: &std::path::Path) -> Worker {
    fs::write(directory.join("s.properties"), "user=ana\npw=hunter2-42\nport=99x\n").unwrap();
    let package = "org.apache.kafka.common.config.provider";
    let properties = [
        ("config.providers", "file,env".to_owned()),
        ("config.providers.file.class", format!("{package}.FileConfigProvider")),
        ("config.providers.env.class", format!("{package}.EnvVarConfigProvider")),
    ];
    Worker {
        properties: properties.map(|(key, value)| (key.to_owned(), value)).into(),
        local_ports: vec![1883],
        ..Worker::default()
    }
}

fn properties(directory: &std::path::Path, more: &[(&str, &str)]) -> Properties {
    let file = format!("${{file:{}/s.properties", directory.display());
    let mut properties = Properties::from(
        [
            ("name", "c"),
            ("connector.class", CLASS),
            ("connect.mqtt.hosts", "tcp://localhost:1883"),
            ("connect.mqtt.kcql", "INSERT INTO ${env:CARGO_PKG_NAME} SELECT * FROM a"),
            ("connect.mqtt.username", "@:user}"),
            ("connect.mqtt.password", "@:pw}"),
            ("value.converter", "org.apache.kafka.connect.converters.ByteArrayConverter"),
        ]
        .map(|(key, value)| (key.to_owned(), value.replace('@', &file))),
    );
    for (key, value) in more {
        properties.insert((*key).to_owned(), value.replace('@', &file));
    }
    properties
}

fn messages(result: Result<Plan, InvalidConfig>) -> Vec<String> {
    match result {
        Ok(_) => panic!("no mistake"),
        Err(InvalidConfig::Values(messages)) => messages,
        Err(InvalidConfig::Whole(message)) => vec![message],
    }
}

#[test]
fn references_count_as_what_they_stand_for_and_are_shown_as_they_were_said() {
    let directory = tempfile::tempdir().unwrap();
    let said = properties(directory.path(), &[("tasks.max", "1")]);
    let worker = worker(directory.path());
    let resolved = Resolved::new(&worker, &said);
    let plan = resolved.plan("c").unwrap_or_else(|error| panic!("{error}"));
    let Work::Source(work) = &plan.tasks[0].work else { panic!("a source") };
    let Broker::Here(Some(user)) = &work.broker else { panic!("a user") };
    assert_eq!(
        (user.name.as_str(), user.password.as_ref().map(Secret::expose)),
        ("ana", Some("hunter2-42"))
    );
    let kafka_topic = work.rules[0].parts.rule.constant_kafka_topic();
    assert_eq!(kafka_topic, Some("midge-bridge"));
    for (key, value) in &said {
        assert_eq!(plan.tasks[0].config.get(key), Some(value), "{key}");
    }
    let validation = resolved.validate().unwrap();
    for (_, value) in &validation.configs {
        let text = value.value.as_deref().unwrap_or_default();
        assert!(!text.contains("hunter2") && !text.contains("midge-bridge"), "{value:?}");
        assert_eq!(value.errors, [""; 0], "{value:?}");
    }
}

#[test]
fn converters_of_a_worker_are_judged_without_a_connector() {
    let directory = tempfile::tempdir().unwrap();
    let mut worker = worker(directory.path());
    let none = Properties::new();
    assert!(Resolved::new(&worker, &none).worker_mistakes().is_empty());
    let json = "org.apache.kafka.connect.json.JsonConverter";
    for (key, value) in [
        ("key.converter", "com.example.Foo"),
        ("value.converter", json),
        ("value.converter.schemas.enable", "${env:CARGO_PKG_NAME}"),
        ("header.converter", json),
    ] {
        worker.properties.insert(key.to_owned(), value.to_owned());
    }
    let mistakes = Resolved::new(&worker, &none).worker_mistakes();
    let names: Vec<&str> = mistakes.iter().map(|mistake| mistake.name.as_str()).collect();
    assert_eq!(names, ["key.converter"], "options count with a connector: {mistakes:?}");
    assert!(mistakes[0].message.contains("com.example.Foo"), "{mistakes:?}");
}

#[test]
fn a_changed_secret_counts_with_the_next_start() {
    let directory = tempfile::tempdir().unwrap();
    let said = properties(directory.path(), &[]);
    let worker = worker(directory.path());
    fs::write(directory.path().join("s.properties"), "user=bob\npw=other\n").unwrap();
    let plan = Resolved::new(&worker, &said).plan("c").unwrap_or_else(|error| panic!("{error}"));
    let Work::Source(work) = &plan.tasks[0].work else { panic!("a source") };
    assert!(matches!(&work.broker, Broker::Here(Some(user)) if user.name == "bob"));
}

#[test]
fn no_message_holds_what_a_reference_stood_for() {
    let directory = tempfile::tempdir().unwrap();
    let wrong = [("tasks.max", "@:port}"), ("connect.mqtt.kcql", "@:pw} INTO"), ("x.y", "@:pw}")];
    let said = properties(directory.path(), &wrong);
    let worker = worker(directory.path());
    let resolved = Resolved::new(&worker, &said);
    let messages = messages(resolved.plan("c"));
    assert!(messages.iter().any(|message| message.contains(":port}")), "{messages:?}");
    let validation = resolved.validate().unwrap();
    let shown = format!("{messages:?}{validation:?}{:?}", resolved.read("c").unwrap().notices);
    assert!(!shown.contains("hunter2") && !shown.contains("99x"), "{shown}");
}

#[test]
fn a_reference_that_stands_for_nothing_is_the_one_mistake_of_its_property() {
    let directory = tempfile::tempdir().unwrap();
    let said = properties(directory.path(), &[("tasks.max", "@:gone}")]);
    let worker = worker(directory.path());
    let resolved = Resolved::new(&worker, &said);
    let messages = messages(resolved.plan("c"));
    assert_eq!(messages.len(), 1, "{messages:?}");
    let path = directory.path().join("s.properties");
    let path = path.display();
    assert_eq!(
        messages[0],
        format!(
            "tasks.max: Could not resolve ${{file:{path}:gone}}: provider file, path \"{path}\", \
             key \"gone\": the file has no such key"
        )
    );
    let validation = resolved.validate().unwrap();
    let (_, row) =
        validation.configs.iter().find(|(_, value)| value.name == "tasks.max").expect("a row");
    assert_eq!(row.errors, messages);
}
