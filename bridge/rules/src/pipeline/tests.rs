use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use midge_codec::{QoS, Text, TopicName};

use super::*;
use crate::converter::{Converter, KeyPaths, Side, SourceConverter};
use crate::kcql::{Kcql, MqttTarget};
use crate::projection::{Missing, Projection};
use crate::sink::{Record, SinkRule, Tombstone};
use crate::source::{Message, SourceRule};
use crate::transform::Chain;

const BYTES: &str = "org.apache.kafka.connect.converters.ByteArrayConverter";
const STRING: &str = "org.apache.kafka.connect.storage.StringConverter";
const JSON: &str = "org.apache.kafka.connect.json.JsonConverter";

fn properties(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

fn converter(side: Side, properties: &BTreeMap<String, String>) -> Converter {
    let prefix = match side {
        Side::Key => "key.converter",
        Side::Value => "value.converter",
    };
    let pairs = properties.iter().map(|(key, value)| (key.as_str(), value.as_str()));
    Converter::from_options(side, prefix, pairs).unwrap()
}

fn source(kcql: &str, pairs: &[(&str, &str)]) -> SourcePipeline {
    let properties = properties(pairs);
    let statement = Kcql::parse(kcql).unwrap().sources().unwrap().statements.remove(0);
    let name = Text::from_static("rule");
    SourcePipeline::new(SourceParts {
        rule: SourceRule::new(name, &statement.kafka_topic, "${topic}", false).unwrap(),
        regex: statement.regex.clone(),
        source: SourceConverter::new(statement.converter, None).unwrap(),
        keys: KeyPaths::new(
            statement.key.iter().map(String::as_str),
            Some(&statement.key_delimiter),
        ),
        projection: Projection::new(&statement.selection, Missing::LeftOut),
        chain: Chain::from_properties(&properties, 0).unwrap(),
        key: converter(Side::Key, &properties),
        value: converter(Side::Value, &properties),
        header: HeaderConverter::from_options(
            properties.iter().map(|(key, value)| (key.as_str(), value.as_str())),
        )
        .unwrap(),
    })
}

fn sink(kcql: &str, pairs: &[(&str, &str)]) -> SinkPipeline {
    let properties = properties(pairs);
    let statements = Kcql::parse(kcql).unwrap().mqtt_sinks().unwrap().statements;
    let statement = |statement: crate::kcql::MqttSink| {
        let (template, target) = match statement.target {
            MqttTarget::Template(template) => (template, SinkTarget::Rule),
            MqttTarget::Field(field) => ("unused".to_owned(), SinkTarget::Field(field)),
        };
        let name = Text::from_static("rule");
        SinkStatement {
            kafka_topic: Some(Arc::from(statement.kafka_topic)),
            rule: SinkRule::new(name, &template, QoS::AtLeastOnce, false, Tombstone::Clear)
                .unwrap(),
            target,
            projection: Projection::new(&statement.selection, Missing::LeftOut),
        }
    };
    SinkPipeline::new(SinkParts {
        key: converter(Side::Key, &properties),
        value: converter(Side::Value, &properties),
        header: HeaderConverter::from_options([]).unwrap(),
        chain: Chain::from_properties(&properties, 0).unwrap(),
        statements: statements.into_iter().map(statement).collect(),
    })
}

fn made(
    pipeline: &mut SourcePipeline,
    topic: &str,
    payload: &str,
) -> Result<Option<KafkaRecord>, PipelineError> {
    let topic = TopicName::try_from(topic).unwrap();
    let message = Message {
        topic: &topic,
        client_id: Some("c"),
        username: None,
        qos: QoS::AtLeastOnce,
        retain: false,
        properties: None,
        trail: &[],
    };
    pipeline.record(&message, &Bytes::copy_from_slice(payload.as_bytes()), 1_000)
}

fn text(bytes: Option<&Bytes>) -> Option<&str> {
    bytes.map(|bytes| std::str::from_utf8(bytes).unwrap())
}

#[test]
fn a_statement_without_converter_passes_payloads_as_they_are() {
    let mut pipeline = source(
        "INSERT INTO `$` SELECT * FROM `plant/+/temperature`",
        &[("key.converter", STRING), ("value.converter", BYTES)],
    );
    assert!(pipeline.is_plain());
    let record = made(&mut pipeline, "plant/1/temperature", "{not json").unwrap().unwrap();
    assert_eq!(&*record.kafka_topic, "plant_1_temperature");
    assert_eq!(text(record.key.as_ref()), Some("plant/1/temperature"));
    assert_eq!(text(record.value.as_ref()), Some("{not json"));
    assert_eq!(record.timestamp, Some(1_000));
    assert_eq!(record.headers.len(), 1, "the guard against circles");
}

#[test]
fn a_payload_is_read_projected_transformed_and_written() {
    let kcql = "INSERT INTO k SELECT device.id AS id, temperature FROM `t/#` \
                WITHCONVERTER=`io.lenses.streamreactor.connect.converters.source.JsonSimpleConverter` \
                WITHKEY(device.id, zone) KEYDELIMITER='|'";
    let mut pipeline = source(
        kcql,
        &[
            ("key.converter", STRING),
            ("value.converter", JSON),
            ("value.converter.schemas.enable", "false"),
            ("transforms", "name"),
            ("transforms.name.type", "org.apache.kafka.connect.transforms.ReplaceField$Value"),
            ("transforms.name.renames", "temperature:celsius"),
        ],
    );
    assert!(!pipeline.is_plain());
    let payload = r#"{"device":{"id":"d7"},"zone":3,"temperature":21.5,"more":[1]}"#;
    let record = made(&mut pipeline, "t/1", payload).unwrap().unwrap();
    assert_eq!(text(record.key.as_ref()), Some("d7|3"));
    assert_eq!(text(record.value.as_ref()), Some(r#"{"id":"d7","celsius":21.5}"#));
}

#[test]
fn a_poisonous_payload_is_refused_with_its_stage() {
    let kcql = "INSERT INTO k SELECT * FROM `t/#` WITHCONVERTER=\
                `com.datamountaineer.streamreactor.connect.converters.source.JsonSimpleConverter`";
    let mut pipeline = source(kcql, &[("key.converter", STRING), ("value.converter", JSON)]);
    let error = made(&mut pipeline, "t/1", "{").unwrap_err();
    let PipelineError::Refused { stage, .. } = &error else { panic!("{error}") };
    assert_eq!(*stage, Stage::TaskPoll);
    assert!(error.to_string().starts_with("TASK_POLL: Failed to parse json message"), "{error}");
    assert!(made(&mut pipeline, "t/1", "{\"a\":1}").unwrap().is_some());
}

#[test]
fn a_transform_that_drops_leaves_no_record() {
    let mut pipeline = source(
        "INSERT INTO k SELECT * FROM `t/#`",
        &[
            ("key.converter", STRING),
            ("value.converter", BYTES),
            ("transforms", "drop"),
            ("transforms.drop.type", "org.apache.kafka.connect.transforms.Filter"),
            ("transforms.drop.predicate", "p"),
            ("predicates", "p"),
            (
                "predicates.p.type",
                "org.apache.kafka.connect.transforms.predicates.TopicNameMatches",
            ),
            ("predicates.p.pattern", "k"),
        ],
    );
    assert_eq!(made(&mut pipeline, "t/1", "x").unwrap(), None);
}

fn publishes(
    pipeline: &mut SinkPipeline,
    topic: &str,
    key: Option<&str>,
    value: Option<&str>,
) -> Result<Vec<(String, String, bool)>, PipelineError> {
    let headers: [(&str, Option<&[u8]>); 1] = [("unit", Some(b"C"))];
    let record = Record {
        kafka_topic: topic,
        partition: 3,
        key: key.map(str::as_bytes),
        value: value.map(str::as_bytes),
        headers: &headers,
    };
    let publishes = pipeline.publishes(&record, 7, Some(5))?;
    Ok(publishes
        .iter()
        .map(|publish| {
            let payload = String::from_utf8(publish.payload.to_vec()).unwrap();
            (publish.topic.as_str().to_owned(), payload, publish.retain)
        })
        .collect())
}

#[test]
fn every_statement_about_a_topic_publishes_its_records() {
    let kcql = "INSERT INTO /a/all SELECT * FROM k; INSERT INTO `_key` SELECT x AS y FROM k; \
                INSERT INTO other SELECT * FROM z";
    let pairs = [
        ("key.converter", STRING),
        ("value.converter", JSON),
        ("value.converter.schemas.enable", "false"),
    ];
    let mut pipeline = sink(kcql, &pairs);
    let found = publishes(&mut pipeline, "k", Some("from/key"), Some(r#"{"x":1,"z":2}"#)).unwrap();
    assert_eq!(
        found,
        [
            ("/a/all".to_owned(), r#"{"x":1,"z":2}"#.to_owned(), false),
            ("from/key".to_owned(), r#"{"y":1}"#.to_owned(), false),
        ]
    );
    // A tombstone clears where the topic is known.
    let found = publishes(&mut pipeline, "k", Some("from/key"), None).unwrap();
    assert_eq!(found.len(), 2);
    assert!(found.iter().all(|(_, payload, retain)| payload.is_empty() && *retain));
}

#[test]
fn a_field_may_be_the_topic_and_a_record_without_it_is_refused() {
    let kcql =
        "INSERT INTO device.topic SELECT * FROM k PROPERTIES('mqtt.target.from.field'='true')";
    let pairs = [
        ("key.converter", STRING),
        ("value.converter", JSON),
        ("value.converter.schemas.enable", "false"),
    ];
    let mut pipeline = sink(kcql, &pairs);
    let value = r#"{"device":{"topic":"a/b"},"v":1}"#;
    let found = publishes(&mut pipeline, "k", None, Some(value)).unwrap();
    assert_eq!(found[0].0, "a/b");
    let error = publishes(&mut pipeline, "k", None, Some(r#"{"device":{}}"#)).unwrap_err();
    assert!(error.to_string().contains("device.topic: the record has no such field"), "{error}");
    assert!(publishes(&mut pipeline, "k", None, None).unwrap().is_empty());
}

#[test]
fn bytes_that_are_no_json_are_refused_by_the_converter() {
    let pairs = [("key.converter", STRING), ("value.converter", JSON)];
    let mut pipeline = sink("INSERT INTO a SELECT * FROM k", &pairs);
    let error = publishes(&mut pipeline, "k", None, Some("nonsense")).unwrap_err();
    let PipelineError::Refused { stage, class, exception, .. } = error else { panic!("{error}") };
    assert_eq!((stage, class), (Stage::ValueConverter, JSON));
    assert!(exception.ends_with("DataException"));
}

/// What goes out is the same whether a transform that does nothing has the record taken apart and
/// put together again, or it goes straight to the rules.
#[test]
fn a_record_that_nothing_changes_goes_out_as_it_would_through_the_whole_pipeline() {
    let nothing = [
        ("transforms", "no"),
        ("transforms.no.type", "org.apache.kafka.connect.transforms.DropHeaders"),
        ("transforms.no.headers", "nobody-has-this"),
    ];
    let kcql = "INSERT INTO a SELECT * FROM k; INSERT INTO `_key` SELECT * FROM k; \
                INSERT INTO c SELECT * FROM z";
    let records: [(&[u8], Option<&[u8]>); 5] = [
        (b"b/1", Some(b"{\"x\": 1.0}")),
        (b"b/2", None),
        (b"b/3", Some(b"\xff\xfe")),
        (b"\xff", Some(b"text")),
        (b"b/#", Some(b"text")),
    ];
    for converter in [BYTES, STRING] {
        let plain = [("key.converter", converter), ("value.converter", converter)];
        let whole: Vec<_> = plain.iter().chain(&nothing).copied().collect();
        let (mut plain, mut whole) = (sink(kcql, &plain), sink(kcql, &whole));
        for (key, value) in records {
            let headers: [(&str, Option<&[u8]>); 3] =
                [("unit", Some(b" 1")), ("no text", Some(b"\xff")), ("null", None)];
            let record =
                Record { kafka_topic: "k", partition: 3, key: Some(key), value, headers: &headers };
            let shown = |made: Result<Vec<crate::Publish>, PipelineError>| format!("{made:?}");
            let straight = shown(plain.publishes(&record, 7, Some(5)));
            assert_eq!(straight, shown(whole.publishes(&record, 7, Some(5))), "{converter}");
        }
    }
}
