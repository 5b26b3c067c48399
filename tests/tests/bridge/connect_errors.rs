//! What a Connect worker looks after beside its connectors: references, errors, progress, loggers.

use midge_tests::{Kafka, eventually, rest};
use serde_json::{Value, json};

use crate::connect::{JSON, SINK, STRING, is, publish, source, with_rest};

/// Providers of a worker's file, and secrets in the directory of the test.
const PROVIDERS: &str = "config.providers=file,env\n\
     config.providers.file.class=org.apache.kafka.common.config.provider.FileConfigProvider\n\
     config.providers.file.param.allowed.paths=@DIR@\n\
     config.providers.env.class=org.apache.kafka.common.config.provider.EnvVarConfigProvider\n\
     config.providers.env.param.allowlist.pattern=BRIDGE_.*\n";

#[test]
fn references_stand_for_secrets_that_are_neither_shown_nor_kept_nor_logged() {
    let midge = with_rest("worker_properties = \"@DIR@/worker.properties\"")
        .file("worker.properties", PROVIDERS)
        .file("secrets.properties", "filter=hush/+\nwrong=many-secrets\n")
        .file(
            "filed.properties",
            &format!(
                "name=filed-secret\nconnector.class={}\nconnect.mqtt.hosts=tcp://localhost:@PORT@\n\
                 connect.mqtt.kcql=INSERT INTO ${{env:BRIDGE_TOPIC}} SELECT * FROM `filed-secret/+`\n\
                 value.converter={STRING}\nkey.converter={STRING}\n",
                crate::connect::SOURCE
            ),
        )
        .argument("--connector")
        .argument("@DIR@/filed.properties")
        .environment("BRIDGE_TOPIC", "provided")
        .start();
    let file = midge.directory().join("secrets.properties");
    let reference = |key: &str| format!("${{file:{}:{key}}}", file.display());
    let mut made = source(&midge, "secretive", "unused");
    let kcql = format!("INSERT INTO ${{env:BRIDGE_TOPIC}} SELECT * FROM `{}`", reference("filter"));
    made["config"]["connect.mqtt.kcql"] = json!(kcql);
    let (status, answer) = rest(&midge, "POST", "/connectors", Some(&made));
    assert_eq!(status, 201, "{answer}");
    is(&midge, "secretive", "RUNNING");
    publish(&midge, "hush/1", "by REST");
    publish(&midge, "filed-secret/1", "by a file");
    let mut records = Kafka::shared().eventually_records("provided", "%s\n", 2);
    records.sort();
    assert_eq!(records, ["by REST", "by a file"]);

    let (_, config) = rest(&midge, "GET", "/connectors/secretive/config", None);
    assert_eq!(config["connect.mqtt.kcql"], json!(kcql));
    let (_, tasks) = rest(&midge, "GET", "/connectors/secretive/tasks", None);
    assert_eq!(tasks[0]["config"]["connect.mqtt.kcql"], json!(kcql));

    // A mistake tells where the text came from, not the text.
    made["config"]["tasks.max"] = json!(reference("wrong"));
    let (status, answer) =
        rest(&midge, "PUT", "/connectors/secretive/config", Some(&made["config"]));
    assert_eq!(status, 400, "{answer}");
    let told = answer["message"].as_str().expect("a message");
    assert!(told.contains(&reference("wrong")), "{told}");
    let validate = format!("/connector-plugins/{}/config/validate", crate::connect::SOURCE);
    let (status, rows) = rest(&midge, "PUT", &validate, Some(&made["config"]));
    assert_eq!(status, 200, "{rows}");
    for shown in [told, &rows.to_string(), &midge.log()] {
        assert!(!shown.contains("many-secrets") && !shown.contains("hush/+"), "{shown}");
    }

    // What a reference stands for may go: then the task says so, and comes back with it.
    std::fs::write(&file, "").expect("a file");
    let again = "/connectors/secretive/restart?includeTasks=true";
    assert_eq!(rest(&midge, "POST", again, None).0, 202);
    let failed =
        eventually("the connector fails", || {
            let (_, status) = rest(&midge, "GET", "/connectors/secretive/status", None);
            status["tasks"].as_array().into_iter().flatten().chain([&status["connector"]]).find_map(
                |one: &Value| (one["state"] == "FAILED").then(|| one["trace"].to_string()),
            )
        });
    assert!(failed.contains("provider file") && failed.contains("no such key"), "{failed}");
}

/// The Kafka topics that REST says a connector uses.
fn topics(midge: &midge_tests::Midge, name: &str) -> Value {
    let (status, answer) = rest(midge, "GET", &format!("/connectors/{name}/topics"), None);
    assert_eq!(status, 200, "{answer}");
    answer[name]["topics"].clone()
}

#[test]
fn topics_in_use_are_listed_and_progress_is_said_for_each_in_both_directions() {
    let midge = with_rest("").start();
    let mut made = source(&midge, "counted", "unused");
    made["config"]["connect.mqtt.kcql"] = json!("INSERT INTO `$` SELECT * FROM `counted/+`");
    made["config"]["connect.progress.enabled"] = json!("true");
    let (status, answer) = rest(&midge, "POST", "/connectors", Some(&made));
    assert_eq!(status, 201, "{answer}");
    is(&midge, "counted", "RUNNING");
    assert_eq!(topics(&midge, "counted"), json!([]));
    publish(&midge, "counted/a", "1");
    midge.says(&["Delivered [1] records for [counted_a] since "]);
    publish(&midge, "counted/b", "2");
    eventually("both topics are listed", || {
        (topics(&midge, "counted") == json!(["counted_a", "counted_b"])).then_some(())
    });
    assert_eq!(rest(&midge, "PUT", "/connectors/counted/topics/reset", None).0, 202);
    assert_eq!(topics(&midge, "counted"), json!([]));

    let config = json!({
        "connector.class": crate::connect::SINK,
        "topics": "counted_a",
        "connect.mqtt.hosts": format!("tcp://localhost:{}", midge.port(1)),
        "connect.mqtt.kcql": "INSERT INTO nowhere SELECT * FROM counted_a",
        "key.converter": STRING,
        "value.converter": STRING,
        "connect.progress.enabled": "true",
        "consumer.override.auto.offset.reset": "earliest",
    });
    let (status, answer) = rest(&midge, "PUT", "/connectors/counting/config", Some(&config));
    assert_eq!(status, 201, "{answer}");
    midge.says(&["connector=counting", "Delivered [1] records for [counted_a] since "]);
    assert_eq!(topics(&midge, "counting"), json!(["counted_a"]));

    // What is made again under the name of another has used nothing yet.
    assert_eq!(rest(&midge, "DELETE", "/connectors/counting", None).0, 204);
    midge.says(&["connector=counting", "connector ended"]);
    assert_eq!(rest(&midge, "POST", "/connectors", Some(&made)).0, 409);
    assert_eq!(topics(&midge, "counting"), json!([]));
}

#[test]
fn a_worker_that_tracks_no_topics_says_so() {
    let midge = with_rest("worker_properties = \"@DIR@/worker.properties\"")
        .file("worker.properties", "topic.tracking.enable=false\n")
        .start();
    let (status, answer) = rest(&midge, "GET", "/connectors/any/topics", None);
    assert_eq!((status, &answer["message"]), (403, &json!("Topic tracking is disabled.")));
}

/// What a task that has failed says.
fn trace(midge: &midge_tests::Midge, name: &str) -> String {
    let status = eventually(&format!("the task of {name} fails"), || {
        let (_, status) = rest(midge, "GET", &format!("/connectors/{name}/status"), None);
        (status["tasks"][0]["state"] == "FAILED").then_some(status)
    });
    status["tasks"][0]["trace"].as_str().expect("a trace").to_owned()
}

/// A source of JSON payloads to Avro, whose registry nobody is.
fn without_registry(midge: &midge_tests::Midge, name: &str, more: &[(&str, &str)]) -> Value {
    let mut made = source(midge, name, name);
    let config = &mut made["config"];
    config["value.converter"] = json!("io.confluent.connect.avro.AvroConverter");
    // The port of the test's own MQTT listener: something is there, and it is no registry.
    let registry = format!("http://127.0.0.1:{}", midge.port(1));
    config["value.converter.schema.registry.url"] = json!(registry);
    for (key, value) in more {
        config[*key] = json!(value);
    }
    made
}

#[test]
fn a_registry_that_is_away_is_an_error_after_errors_retry_timeout_and_nothing_is_lost() {
    let midge = with_rest("").start();
    let made = without_registry(&midge, "retried", &[("errors.retry.timeout", "400")]);
    let (status, answer) = rest(&midge, "POST", "/connectors", Some(&made));
    assert_eq!(status, 201, "{answer}");
    publish(&midge, "retried/1", "kept");
    let told = trace(&midge, "retried");
    assert!(told.contains("schema registry") && told.contains("VALUE_CONVERTER"), "{told}");

    // The message waits for a definition that can do something with it.
    let mut config = made["config"].clone();
    config["value.converter"] = json!(STRING);
    let (status, answer) = rest(&midge, "PUT", "/connectors/retried/config", Some(&config));
    assert_eq!(status, 200, "{answer}");
    assert_eq!(Kafka::shared().eventually_records("retried", "%s\n", 1), ["kept"]);

    let tolerant = [
        ("errors.retry.timeout", "0"),
        ("errors.tolerance", "all"),
        ("errors.deadletterqueue.topic.name", "retried-dead"),
        ("errors.deadletterqueue.topic.replication.factor", "1"),
        ("errors.deadletterqueue.context.headers.enable", "true"),
    ];
    let made = without_registry(&midge, "tolerant", &tolerant);
    assert_eq!(rest(&midge, "POST", "/connectors", Some(&made)).0, 201);
    is(&midge, "tolerant", "RUNNING");
    publish(&midge, "tolerant/1", "dead");
    let records = Kafka::shared().eventually_records("retried-dead", "%s %h\n", 1);
    assert!(records[0].starts_with("dead "), "{records:?}");
    assert!(records[0].contains("__connect.errors.stage=VALUE_CONVERTER"), "{records:?}");
}

#[test]
fn a_dead_letter_topic_is_made_with_its_factor_or_the_task_fails_with_the_reason() {
    let midge = with_rest("").start();
    let kafka = Kafka::shared();
    let config = |name: &str, topic: &str, factor: &str| {
        json!({
            "connector.class": crate::connect::SINK,
            "topics": format!("{name}-in"),
            "connect.mqtt.hosts": format!("tcp://localhost:{}", midge.port(1)),
            "connect.mqtt.kcql": format!("INSERT INTO nowhere SELECT * FROM `{name}-in`"),
            "key.converter": STRING,
            "value.converter": crate::connect::JSON,
            "consumer.override.auto.offset.reset": "earliest",
            "errors.tolerance": "all",
            "errors.deadletterqueue.topic.name": topic,
            "errors.deadletterqueue.topic.replication.factor": factor,
        })
    };
    kafka.create_topic("lettered-in", 1);
    kafka.produce("lettered-in", "k:no JSON\n");
    let made = config("lettered", "lettered-dead", "1");
    let (status, answer) = rest(&midge, "PUT", "/connectors/lettered/config", Some(&made));
    assert_eq!(status, 201, "{answer}");
    midge.says(&["connector=lettered", "the dead-letter topic is there"]);
    assert_eq!(kafka.eventually_records("lettered-dead", "%s\n", 1), ["no JSON"]);

    kafka.create_topic("crowded-in", 1);
    let made = config("crowded", "crowded-dead", "30");
    let (status, answer) = rest(&midge, "PUT", "/connectors/crowded/config", Some(&made));
    assert_eq!(status, 201, "{answer}");
    let told = trace(&midge, "crowded");
    assert!(told.contains("Could not initialize dead letter queue"), "{told}");
    assert!(told.contains("found 30 replicas"), "{told}");
    let mut made = source(&midge, "crowded-up", "crowded-up");
    made["config"]["errors.tolerance"] = json!("all");
    made["config"]["errors.deadletterqueue.topic.name"] = json!("crowded-dead");
    made["config"]["errors.deadletterqueue.topic.replication.factor"] = json!("30");
    assert_eq!(rest(&midge, "POST", "/connectors", Some(&made)).0, 201);
    assert!(trace(&midge, "crowded-up").contains("found 30 replicas"));
}

#[test]
fn the_producer_of_a_sinks_dead_letters_obeys_its_own_overrides() {
    let midge = with_rest("").start();
    let kafka = Kafka::shared();
    for topic in ["letters-small", "dead-small", "dead-whole"] {
        kafka.create_topic(topic, 1);
    }
    let value = "no JSON ".repeat(500);
    kafka.produce("letters-small", &format!("k:{value}\n"));
    let mut config = json!({
        "connector.class": SINK,
        "topics": "letters-small",
        "connect.mqtt.hosts": format!("tcp://localhost:{}", midge.port(1)),
        "connect.mqtt.kcql": "INSERT INTO nowhere SELECT * FROM `letters-small`",
        "key.converter": STRING,
        "value.converter": JSON,
        "consumer.override.auto.offset.reset": "earliest",
        "errors.tolerance": "all",
        "errors.deadletterqueue.topic.name": "dead-small",
        "producer.override.max.request.size": "1000",
    });
    let path = "/connectors/small-letters/config";
    assert_eq!(rest(&midge, "PUT", path, Some(&config)).0, 201);
    // It is too large for that: it goes without its value, and with the length of that.
    let letters = kafka.eventually_records("dead-small", "%S %h\n", 1);
    assert_eq!(letters, ["-1 __connect.errors.value.omitted=4000"]);
    config["producer.override.max.request.size"] = json!("100000");
    config["errors.deadletterqueue.topic.name"] = json!("dead-whole");
    let path = "/connectors/whole-letters/config";
    assert_eq!(rest(&midge, "PUT", path, Some(&config)).0, 201);
    let letters = kafka.eventually_records("dead-whole", "%s\n", 1);
    assert_eq!(letters[0].trim(), value.trim());
}

#[test]
fn a_level_set_by_rest_changes_what_is_logged() {
    let midge = with_rest("").start();
    let shown = |logger: &str| {
        let (status, shown) = rest(&midge, "GET", &format!("/admin/loggers/{logger}"), None);
        assert_eq!(status, 200, "{shown}");
        shown
    };
    // As its log_type says.
    assert_eq!(shown("root"), json!({ "level": "DEBUG", "last_modified": null }));
    let set = |level: &str| {
        let path = "/admin/loggers/org.apache.kafka.connect";
        let (status, answer) = rest(&midge, "PUT", path, Some(&json!({ "level": level })));
        assert_eq!(status, 200, "{answer}");
        let shown = shown("org.apache.kafka.connect");
        assert_eq!(shown["level"], level);
        assert!(shown["last_modified"].is_u64(), "{shown}");
    };
    let make = |name: &str| {
        let made = source(&midge, name, name);
        assert_eq!(rest(&midge, "POST", "/connectors", Some(&made)).0, 201);
        is(&midge, name, "RUNNING");
    };
    set("ERROR");
    make("unheard");
    set("INFO");
    make("heard");
    midge.says(&["SourceConnectorConfig values:", "connector=heard"]);
    assert!(!midge.log().contains("connector=unheard"), "{}", midge.log());
    // Another name of the same.
    let path = "/admin/loggers/midge_bridge";
    assert_eq!(rest(&midge, "PUT", path, Some(&json!({ "level": "warn" }))).0, 200);
    assert_eq!(shown("org.apache.kafka.connect")["level"], "WARN");
    assert_eq!(shown("root")["level"], "DEBUG");
}
