use super::*;
use crate::connect::engine::{ConfigKey, ConfigValue, Validation};

fn found(text: &str) -> Validation {
    validate(&file(text), &worker()).unwrap()
}

fn row<'v>(validation: &'v Validation, name: &str) -> &'v (ConfigKey, ConfigValue) {
    let mut rows = validation.configs.iter();
    rows.find(|(key, _)| key.name == name).unwrap_or_else(|| panic!("no {name}"))
}

#[test]
fn every_mistake_of_a_plan_stands_at_its_option() {
    let text = format!(
        "name=a\nconnector.class={LENSES_SINK}\ntasks.max=zero\n\
         connect.mqtt.hosts=tcp://localhost:1883\nconnect.mqtt.ksql=INSERT a\n\
         transforms=t\ntransforms.t.type=RegexRouter\ntransforms.t.regex=(\n\
         transforms.t.replacement=a\ntransforms.t.other=b\npredicates=p\n\
         predicates.p.type=RecordIsTombstone\nconsumer.override.enable.auto.commit=true\n"
    );
    let validation = found(&text);
    let errors = |name: &str| row(&validation, name).1.errors.clone();
    assert_eq!(
        errors("tasks.max"),
        [
            "Invalid value zero for configuration tasks.max: Not a number of type INT",
            "Invalid value null for configuration tasks.max: Value must be non-null",
        ]
    );
    assert_eq!(errors("topics"), errors("topics.regex"));
    assert!(errors("connect.mqtt.kcql")[0].starts_with("connect.mqtt.ksql: kcql, line 1"));
    assert_eq!(errors("transforms.t.other").len(), 1, "no option, and told all the same");
    assert_eq!(errors("consumer.override.enable.auto.commit").len(), 1);
    assert_eq!(row(&validation, "tasks.max").1.value, None);
    assert_eq!(row(&validation, "errors.tolerance").1.value.as_deref(), Some("none"));
    assert_eq!(
        validation.groups,
        ["Common", "Transforms", "Predicates", "Error Handling", "Transforms: t", "Predicates: p"]
    );
    let planned: usize = super::errors(&text).len();
    let shown: usize = validation.configs.iter().map(|(_, value)| value.errors.len()).sum();
    assert_eq!(shown, planned);
}

#[test]
fn a_form_has_the_options_of_connect_first_and_the_class_s_last() {
    let text = format!("name=a\nconnector.class={EVOKLY}\nmqtt.user=u\nmqtt.password=p\n");
    let validation = found(&text);
    assert_eq!(validation.class, EVOKLY);
    let names: Vec<&str> = validation.configs.iter().map(|(key, _)| &*key.name).collect();
    assert_eq!(names[..4], ["name", "connector.class", "connector.plugin.version", "tasks.max"]);
    assert!(
        names.ends_with(&[
            "midge.buffer_bytes",
            "midge.buffer_messages",
            "midge.headers",
            "midge.producer_byte_rate",
            "midge.spool_after",
            "midge.spool_full",
            "midge.spool_max_age"
        ]),
        "{names:?}"
    );
    assert!(validation.configs.iter().all(|(_, value)| value.errors.is_empty()));
    assert_eq!(row(&validation, "mqtt.password").1.value.as_deref(), Some("[hidden]"));
    let (key, value) = row(&validation, "tasks.max");
    assert_eq!((key.kind, key.importance, key.width), ("INT", "HIGH", "SHORT"));
    assert_eq!((key.group.as_deref(), key.order_in_group), (Some("Common"), 4));
    assert_eq!(value.value.as_deref(), Some("1"));
}

#[test]
fn options_are_listed_by_the_names_of_connectors_transforms_and_predicates() {
    let names = |class: &str| -> Vec<String> {
        config_keys(class).expect(class).into_iter().map(|key| key.name).collect()
    };
    assert_eq!(names(CONFLUENT_SINK)[..2], ["mqtt.server.uri", "mqtt.qos"]);
    assert_eq!(names("InfluxSink")[0], "connect.influx.url");
    assert_eq!(names("org.apache.kafka.connect.transforms.RegexRouter"), ["regex", "replacement"]);
    assert_eq!(names("TopicNameMatches"), ["pattern"]);
    assert_eq!(config_keys("MqttSourceConnector"), None, "more than one is called so");
    assert_eq!(config_keys("NoSuch"), None);
}

#[test]
fn every_class_is_listed_once_connectors_first() {
    let plugins = plugins();
    let mut seen = std::collections::BTreeSet::new();
    assert!(plugins.iter().all(|plugin| seen.insert((plugin.class, plugin.kind))));
    let kinds: Vec<&str> = plugins.iter().map(|plugin| plugin.kind).collect();
    let connectors = kinds.iter().take_while(|kind| matches!(**kind, "source" | "sink")).count();
    assert_eq!(connectors, CLASSES.iter().map(|class| class.names.len()).sum::<usize>());
    for kind in ["transformation", "predicate", "converter", "header_converter"] {
        assert!(kinds[connectors..].contains(&kind), "{kind}");
    }
    for name in
        [EVOKLY, LENSES_SOURCE, LENSES_SINK, INFLUX, CONFLUENT_SOURCE, CONFLUENT_SINK, TOPIC_LISTS]
    {
        assert!(seen.iter().any(|(class, _)| *class == name), "{name}");
    }
}

#[test]
fn a_form_offers_classes_and_shows_the_worker_s_converters() {
    let mut worker = worker();
    worker.properties.insert("key.converter".to_owned(), converters::STRING.to_owned());
    let text = format!("name=a\nconnector.class={EVOKLY}\ntransforms=t\npredicates=p\n");
    let validation = validate(&file(&text), &worker).unwrap();
    let (_, key) = row(&validation, "key.converter");
    assert_eq!(key.value.as_deref(), Some(converters::STRING));
    assert!(key.recommended_values.contains(&converters::JSON.to_owned()));
    assert_eq!(row(&validation, "value.converter").1.value, None);
    let offered = |name: &str| row(&validation, name).1.recommended_values.join(" ");
    assert!(offered("header.converter").contains("SimpleHeaderConverter"));
    assert!(offered("transforms.t.type").contains("transforms.Cast$Value"));
    assert!(offered("predicates.p.type").contains("predicates.TopicNameMatches"));
    let (_, mqtt) = row(&validation, "mqtt.topic");
    assert_eq!(mqtt.recommended_values, Vec::<String>::new());
}
