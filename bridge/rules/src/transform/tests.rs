use std::collections::BTreeMap;
use std::sync::Arc;

use super::*;
use crate::connect::{Datum, Header, Map, Value};

const NOW: i64 = 1_700_000_000_000;

fn properties(lines: &[&str]) -> BTreeMap<String, String> {
    let pairs = lines.iter().map(|line| line.split_once('=').unwrap());
    pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
}

fn chain(lines: &[&str]) -> Chain {
    Chain::from_properties(&properties(lines), NOW).unwrap()
}

fn mistakes(lines: &[&str]) -> Vec<String> {
    let errors = Chain::from_properties(&properties(lines), NOW).unwrap_err();
    errors.into_iter().map(|error| error.message).collect()
}

fn map(entries: &[(&str, Value)]) -> Value {
    let entries = entries.iter().map(|(name, value)| (Value::string(*name), value.clone()));
    Value::Map(Map::from_iter(entries))
}

fn record(topic: &str, value: Value) -> ConnectRecord {
    ConnectRecord {
        kafka_topic: Arc::from(topic),
        value: Datum::schemaless(value),
        ..ConnectRecord::default()
    }
}

fn topic_of(chain: &Chain, record: ConnectRecord) -> Result<String, String> {
    let transformed = chain.apply(record).map_err(|error| error.to_string())?;
    Ok(transformed.expect("not dropped").kafka_topic.to_string())
}

#[test]
fn transforms_apply_in_the_order_of_their_aliases() {
    let chain = chain(&[
        "transforms=wrap, rename",
        "transforms.rename.type=ReplaceField$Value",
        "transforms.rename.renames=outer:envelope",
        "transforms.wrap.type=org.apache.kafka.connect.transforms.HoistField$Value",
        "transforms.wrap.field=outer",
    ]);
    let transformed = chain.apply(record("t", Value::Int64(1))).unwrap().unwrap();
    assert_eq!(transformed.value.value, map(&[("envelope", Value::Int64(1))]));
}

#[test]
fn a_predicate_says_which_records_a_transform_sees() {
    for (negate, dropped) in [("false", "sensors.hot"), ("true", "sensors.cold")] {
        let negate = format!("transforms.drop.negate={negate}");
        let chain = chain(&[
            "transforms=drop",
            "transforms.drop.type=Filter",
            "transforms.drop.predicate=hot",
            &negate,
            "predicates=hot",
            "predicates.hot.type=TopicNameMatches",
            r"predicates.hot.pattern=.*\.hot",
        ]);
        for topic in ["sensors.hot", "sensors.cold"] {
            let kept = chain.apply(record(topic, Value::Null)).unwrap().is_some();
            assert_eq!(kept, topic != dropped);
        }
    }
}

#[test]
fn a_failure_names_the_transform_and_the_exception_of_connect() {
    let chain =
        chain(&["transforms=n", "transforms.n.type=Cast$Value", "transforms.n.spec=a:int8"]);
    let error = chain.apply(record("t", map(&[("a", Value::string("x"))]))).unwrap_err();
    assert_eq!(error.exception, "org.apache.kafka.connect.errors.DataException");
    assert_eq!(
        error.to_string(),
        "transform n (org.apache.kafka.connect.transforms.Cast$Value): Value (x) was out of \
         range for requested data type"
    );
}

#[test]
fn every_mistake_of_a_property_file_is_told() {
    assert_eq!(
        mistakes(&[
            "transforms=a,b,c,c,d,e",
            "transforms.a.type=org.example.Unknown",
            "transforms.c.type=Cast$Value",
            "transforms.c.spec=x:int7",
            "transforms.c.spek=x:int8",
            "transforms.d.type=Filter",
            "transforms.d.negate=true",
            "transforms.e.type=Filter",
            "transforms.e.predicate=nobody",
        ]),
        [
            "Invalid value [a, b, c, c, d, e] for configuration transforms: Duplicate alias \
             provided.",
            "Invalid value org.example.Unknown for configuration transforms.a.type: Class \
             org.example.Unknown could not be found.",
            "Missing required configuration \"transforms.b.type\" which has no default value: it \
             is the class of a Transformation",
            "Unknown configuration 'transforms.c.spek': Cast$Value takes spec, \
             replace.null.with.default, predicate, negate",
            "Invalid type found in casting spec: x:int7".replace("x:", "").as_str(),
            "Config 'transforms.d.negate' was provided but there is no config \
             'transforms.d.predicate' defining a predicate to be negated.",
            "Invalid value nobody for configuration transforms.e.predicate: 'predicates' has no \
             such alias",
        ]
    );
}

#[test]
fn names_of_older_versions_are_taken_and_noted() {
    let chain = chain(&[
        "transforms=r",
        "transforms.r.type=ReplaceField$Value",
        "transforms.r.blacklist=a",
        "transforms.other.type=Filter",
    ]);
    let transformed =
        chain.apply(record("t", map(&[("a", Value::Null), ("b", Value::Null)]))).unwrap().unwrap();
    assert_eq!(transformed.value.value, map(&[("b", Value::Null)]));
    assert_eq!(
        chain.notes(),
        [
            "'transforms.r.blacklist' is called 'transforms.r.exclude' today",
            "'transforms.other.type' is without effect: 'transforms' does not name it",
        ]
    );
}

#[test]
fn a_topic_is_extracted_from_a_field_of_the_value() {
    let chain = chain(&[
        "transforms=t",
        "transforms.t.type=io.confluent.connect.transforms.ExtractTopic$Value",
        "transforms.t.field=to",
    ]);
    assert_eq!(topic_of(&chain, record("t", map(&[("to", Value::string("u"))]))).unwrap(), "u");
    for (value, why) in [
        (map(&[]), "the field 'to' of the value is missing"),
        (map(&[("to", Value::Null)]), "the field 'to' of the value is null"),
        (
            map(&[("to", Value::Int8(1))]),
            "the field 'to' of the value is a java.lang.Byte, expected a string",
        ),
        (
            map(&[("to", Value::string(""))]),
            "the field 'to' of the value is empty, expected the name of a topic",
        ),
        (Value::Null, "the field 'to' of the value is missing"),
        (
            Value::string("x"),
            "a field 'to' is looked for in a java.lang.String, expected a struct or a map",
        ),
    ] {
        assert!(topic_of(&chain, record("t", value)).unwrap_err().ends_with(why), "{why}");
    }
}

#[test]
fn a_topic_is_extracted_from_a_whole_key_a_path_or_a_header() {
    let mut given = record("t", map(&[("a", map(&[("b.c", Value::string("nested"))]))]));
    given.key = Datum::schemaless(Value::string("keyed"));
    for name in ["first", "last"] {
        let datum = Datum::schemaless(Value::string(name));
        given.headers.push(Header { name: Arc::from("route"), datum });
    }
    for (class, options, topic) in [
        ("Key", "field=", "keyed"),
        ("Value", "field=$.a['b.c']", "nested"),
        ("Header", "field=route", "last"),
    ] {
        let class = format!("transforms.t.type=ExtractTopic${class}");
        let options = format!("transforms.t.{options}");
        let mut lines = vec!["transforms=t", &class, &options];
        if options.contains('$') {
            lines.push("transforms.t.field.format=JSON_PATH");
        }
        assert_eq!(topic_of(&chain(&lines), given.clone()).unwrap(), topic);
    }
    let path = mistakes(&[
        "transforms=t",
        "transforms.t.type=ExtractTopic$Value",
        "transforms.t.field.format=JSON_PATH",
        "transforms.t.field=$.a[0]",
    ]);
    assert_eq!(
        path,
        ["Invalid value $.a[0] for configuration field: found '[0]', expected .name or ['name']"]
    );
}

#[test]
fn a_record_without_topic_to_extract_keeps_its_own_if_so_configured() {
    let chain = chain(&[
        "transforms=t",
        "transforms.t.type=ExtractTopic$Value",
        "transforms.t.field=to",
        "transforms.t.skip.missing.or.null=true",
    ]);
    for value in [map(&[]), map(&[("to", Value::Null)]), Value::Null] {
        assert_eq!(topic_of(&chain, record("t", value)).unwrap(), "t");
    }
}
