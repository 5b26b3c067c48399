//! Every option of every table: another value makes another plan, or is told.

use midge_rules::options::{Accepted, Kind, OptionDef};

use super::*;

/// A connector of a class with nothing but what it needs.
fn base(class: &Class, host: &str) -> Properties {
    let class_name = class.names[0];
    let text = match class.page {
        "evokly-mqtt-source" => format!("mqtt.server_uris=tcp://{host}\n"),
        "lenses-mqtt-source" => {
            format!(
                "connect.mqtt.hosts=tcp://{host}\nconnect.mqtt.kcql=INSERT INTO k SELECT * FROM a\n"
            )
        }
        "lenses-mqtt-sink" => format!(
            "connect.mqtt.hosts=tcp://{host}\ntopics=k\n\
             connect.mqtt.kcql=INSERT INTO a SELECT * FROM k\n"
        ),
        "lenses-influx-sink" => "connect.influx.url=http://i:8086\nconnect.influx.db=d\ntopics=k\n\
                                 connect.influx.kcql=INSERT INTO a SELECT * FROM k\n"
            .to_owned(),
        "confluent-mqtt-source" => format!("mqtt.server.uri=tcp://{host}\nmqtt.topics=a\n"),
        "confluent-mqtt-sink" => format!("mqtt.server.uri=tcp://{host}\ntopics=k\n"),
        "topic-lists-source" => {
            let (host, port) = host.split_once(':').unwrap();
            format!("MQTT_BROKER_URL={host}\nMQTT_BROKER_PORT={port}\nTOPIC_LIST=a:k\n")
        }
        other => panic!("a base for {other}"),
    };
    file(&format!("name=base\nconnector.class={class_name}\n{text}"))
}

/// What an option needs beside it to mean something.
fn beside(option: &str) -> &'static str {
    match option {
        "errors.log.include.messages" => "errors.log.enable=true",
        "errors.deadletterqueue.topic.replication.factor"
        | "errors.deadletterqueue.context.headers.enable" => {
            "errors.deadletterqueue.topic.name=dead"
        }
        "mqtt.password" => "mqtt.user=u\nmqtt.username=u",
        "MQTT_USER_PASSWORD" => "MQTT_USER_NAME=u",
        "connect.mqtt.password" => "connect.mqtt.username=u",
        "connect.influx.password" => "connect.influx.username=u",
        "midge.influx.token" => "midge.influx.organization=o",
        "midge.influx.organization" => "midge.influx.token=t",
        "connect.mqtt.retry.interval" | "connect.mqtt.max.retries" => {
            "connect.mqtt.error.policy=RETRY"
        }
        "connect.influx.retry.interval" | "connect.influx.max.retries" => {
            "connect.influx.error.policy=RETRY"
        }
        _ => "",
    }
}

/// Another value than the default.
fn other(option: &OptionDef) -> String {
    let special = match option.name {
        "name" => "another",
        "connector.class" => return String::new(),
        "key.converter" | "value.converter" => {
            "org.apache.kafka.connect.converters.DoubleConverter"
        }
        "header.converter" => "org.apache.kafka.connect.storage.StringConverter",
        "transforms" => {
            "t\ntransforms.t.type=RegexRouter\ntransforms.t.regex=a\n\
                         transforms.t.replacement=b"
        }
        "predicates" => {
            "p\npredicates.p.type=RecordIsTombstone\ntransforms=t\n\
                         transforms.t.type=Filter\ntransforms.t.predicate=p"
        }
        "topics" => "k,l",
        "topics.regex" => "k.*",
        "exactly.once.support" => "required",
        "transaction.boundary" => "interval",
        "connect.mqtt.hosts" | "mqtt.server_uris" | "mqtt.server.uri" => "tcp://elsewhere:1884",
        "TOPIC_LIST" => "b:k",
        "WILDCARD_TOPIC_LIST" => "b/#:k",
        "connect.mqtt.kcql" => "INSERT INTO k SELECT * FROM b",
        "connect.influx.kcql" => "INSERT INTO b SELECT x FROM k",
        "connect.influx.url" => "https://other:1",
        "connect.converter.avro.schemas" => "a=/schema.avsc",
        "config.action.reload" => "none",
        "midge.ack" => "none",
        "midge.spool_max_age" | "midge.spool_after" => "3s",
        "connect.mqtt.keep.alive" => "30000",
        _ => "",
    };
    if !special.is_empty() {
        return special.to_owned();
    }
    for accepted in option.accepted {
        match accepted {
            Accepted::OneOf(names) | Accepted::OneOfAnyCase(names) => {
                let mut names = names.iter();
                let name = names.find(|name| Some(**name) != option.default_text());
                return (*name.unwrap()).to_owned();
            }
            _ => {}
        }
    }
    let default = option.default_text();
    match option.kind {
        Kind::Boolean => (default != Some("true")).to_string(),
        Kind::Short | Kind::Int | Kind::Long | Kind::Double => {
            let number: i64 = default.map_or(Ok(5), str::parse).unwrap();
            let other = if option.accepted.iter().any(|a| matches!(a, Accepted::Between(_, 2))) {
                (number + 1) % 3
            } else {
                number + 1_000
            };
            match option.name {
                "tasks.max" => "3".to_owned(),
                _ => other.to_string(),
            }
        }
        _ => "other".to_owned(),
    }
}

/// What is said of properties: the plan, or the mistakes; and the notices.
fn outcome(properties: &Properties) -> (String, Vec<String>) {
    let name = properties["name"].clone();
    let reading = read(&name, properties, &worker()).unwrap();
    let text = match &reading.plan {
        Some(plan) => shown_plan(plan),
        None => reading.errors.iter().map(|error| format!("{}\n", error.message)).collect(),
    };
    (text, reading.notices)
}

#[test]
fn no_option_is_passed_over_in_silence() {
    let mut tried = 0;
    for class in CLASSES {
        for option in class.tables().flatten().filter(|option| option.name != "connector.class") {
            let mut found = Vec::new();
            for host in ["localhost:1883", "elsewhere:1883"] {
                let mut with = base(class, host);
                with.extend(file(beside(option.name)));
                // What has to stand beside it is told where it is not known.
                with.retain(|key, _| {
                    class
                        .tables()
                        .flatten()
                        .any(|known| known.spellings().any(|spelling| spelling == key))
                });
                let without = outcome(&with);
                with.extend(file(&format!("{}={}\n", option.name, other(option))));
                let with = outcome(&with);
                let told = with
                    .1
                    .iter()
                    .any(|notice| notice.contains(option.name) && !without.1.contains(notice));
                found.push(with.0 != without.0 || told);
            }
            // Inside this broker or at another one: each says something of it.
            assert_eq!(found, [true, true], "{} of {}", option.name, class.page);
            tried += 1;
        }
    }
    assert!(tried > 150, "{tried}");
}

#[test]
fn every_spelling_means_the_same() {
    let mut tried = 0;
    for class in CLASSES {
        for option in class.tables().flatten() {
            for alias in option.aliases {
                let mut named = base(class, "elsewhere:1883");
                named.extend(file(beside(option.name)));
                let mut spelt = named.clone();
                named.insert(option.name.to_owned(), other(option));
                spelt.remove(option.name);
                spelt.insert((*alias).to_owned(), other(option));
                let said = |properties| outcome(properties).0.replace(option.name, alias);
                assert_eq!(said(&named), said(&spelt), "{alias} of {}", class.page);
                // Both at once: the name counts, and that is told.
                spelt.insert(option.name.to_owned(), other(option));
                let told = format!("ignored: {alias}: {} says the same, and counts", option.name);
                assert!(outcome(&spelt).1.contains(&told), "{alias} of {}", class.page);
                spelt.insert((*alias).to_owned(), format!("{} ", other(option)));
                let told = told.replace("the same", "otherwise");
                assert!(outcome(&spelt).1.contains(&told), "{alias} of {}", class.page);
                tried += 1;
            }
        }
    }
    assert!(tried >= 15, "{tried}");
}

#[test]
fn options_are_told_once_and_stand_in_one_table() {
    for class in CLASSES {
        let mut names: Vec<&str> =
            class.tables().flatten().flat_map(OptionDef::spellings).collect();
        let all = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), all, "{}", class.page);
        for name in class.idle().flat_map(|idle| idle.options).chain(class.connection) {
            let known = CLASSES
                .iter()
                .any(|class| class.tables().flatten().any(|option| option.name == *name));
            assert!(known, "{name} of {}", class.page);
        }
    }
}

#[test]
fn classes_are_found_by_full_names_and_by_simple_ones_that_are_clear() {
    for class in CLASSES {
        for name in class.names {
            assert_eq!(find(name).unwrap().page, class.page);
        }
    }
    assert_eq!(find(" InfluxSinkConnector ").unwrap().page, "lenses-influx-sink");
    assert_eq!(find("InfluxSink").unwrap().page, "lenses-influx-sink");
    let error = find("MqttSinkConnector").unwrap_err().to_string();
    assert!(
        error.starts_with("More than one connector matches alias MqttSinkConnector."),
        "{error}"
    );
    let error = find("FileStreamSource").unwrap_err().to_string();
    assert!(error.contains("which name matches FileStreamSource, available connectors"), "{error}");
    let nothing = plan("a", &file("a.password=p\nb=c\n"), &worker()).err().unwrap().to_string();
    assert_eq!(nothing, "Connector config {a.password=[hidden], b=c} contains no connector type");
}

#[test]
fn any_value_of_any_option_is_a_plan_or_a_mistake() {
    let long = "x".repeat(70_000);
    let deep = "(".repeat(5_000);
    let values = [
        "",
        " ",
        ",",
        ";",
        "=",
        "$",
        "${",
        "\0",
        "-1",
        "9223372036854775808",
        "1e9",
        "\u{fffd}ü",
        "*",
        "#/a",
        "$share/",
        "://",
        "tcp://",
        "tcp://[",
        "a=",
        "\\",
        "^",
        "`",
        &long,
        &deep,
    ];
    let worker = worker();
    for class in CLASSES {
        let tables = class.tables().flatten();
        let more = [
            "transforms.t.type",
            "predicates.t.type",
            "value.converter.schema.registry.url",
            "producer.override.acks",
            "consumer.override.sasl.jaas.config",
            "midge.x",
            "",
        ];
        for name in tables.map(|option| option.name).chain(more) {
            for value in values {
                let mut properties = base(class, "elsewhere:1883");
                properties.insert(name.to_owned(), value.to_owned());
                let shown = validate(&properties, &worker);
                match read(value, &properties, &worker) {
                    Ok(reading) => {
                        assert_eq!(reading.plan.is_none(), !reading.errors.is_empty(), "{name}");
                        assert!(shown.is_ok());
                    }
                    Err(InvalidConfig::Whole(_)) => assert_eq!(name, "connector.class"),
                    Err(error) => panic!("{name}: {error}"),
                }
            }
        }
    }
}
