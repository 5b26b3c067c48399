//! What each use makes of a statement.

use super::*;
use crate::converter::{KeyPaths, SourceClass};

fn source(text: &str) -> Source {
    let resolved = parsed(text).sources();
    let mut resolved = resolved.unwrap_or_else(|errors| panic!("{text}: {errors:#?}"));
    resolved.statements.remove(0)
}

fn mqtt_sink(text: &str) -> MqttSink {
    let resolved = parsed(text).mqtt_sinks();
    let mut resolved = resolved.unwrap_or_else(|errors| panic!("{text}: {errors:#?}"));
    resolved.statements.remove(0)
}

fn drawn<T: std::fmt::Debug>(result: Result<Resolved<T>, Vec<KcqlError>>) -> Vec<String> {
    let errors = result.expect_err("a mistake");
    errors.iter().map(|error| error.drawn().to_string()).collect()
}

fn told<T: std::fmt::Debug>(result: Result<Resolved<T>, Vec<KcqlError>>) -> String {
    let errors = result.expect_err("a mistake");
    errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_source_is_a_filter_a_kafka_topic_a_converter_and_a_key() {
    let found = source(
        "INSERT INTO smap_telemetry_data SELECT * FROM telemetry/+/+ WITHCONVERTER=\
         `com.datamountaineer.streamreactor.connect.converters.source.JsonSimpleConverter` \
         WITHKEY(id, `a.b`) KEYDELIMITER='-' WITHREGEX=`telemetry/[a-z]+/.*`",
    );
    assert_eq!(found.filter.text().as_str(), "telemetry/+/+");
    assert_eq!(found.kafka_topic, "smap_telemetry_data");
    assert_eq!(found.converter, SourceClass::JsonSimple);
    assert_eq!(found.key, ["id", "a.b"]);
    assert_eq!(found.key_paths(), KeyPaths::new(["id", "a.b"], Some("-")));
    assert_eq!(found.key_delimiter, "-");
    let regex = found.regex.expect("given");
    assert!(regex.matches("telemetry/oven/1"));
    assert!(!regex.matches("telemetry/7/1") && !regex.matches("x/telemetry/oven/1"));
}

#[test]
fn a_source_has_the_defaults_of_upstream() {
    let found = source("INSERT INTO `$` SELECT * FROM $share/g/a/#");
    assert_eq!(found.converter, SourceClass::Bytes);
    assert_eq!((found.key.len(), found.key_delimiter.as_str()), (0, "."));
    assert_eq!((found.filter.share_name(), found.filter.filter()), (Some("g"), "a/#"));
    assert_eq!(found.kafka_topic, "$");
    assert_eq!(source("INSERT INTO a.${topic[1]} SELECT * FROM a").kafka_topic, "a.${topic[1]}");
}

#[test]
fn a_key_is_made_of_fields_of_the_value_alone() {
    for (key, expected) in [
        ("_topic", "found _topic, expected a field of the value"),
        ("_key.a", "found _key.a, expected a field of the value"),
        ("_value", "found _value, expected a field of the value"),
        (
            "a.`b.c`",
            "found \"a.b.c\", expected names without dots in them, since dots separate names here",
        ),
    ] {
        let text = format!("INSERT INTO t SELECT * FROM a WITHKEY({key})");
        let expected = format!("kcql, line 1, column 39: {expected}");
        assert_eq!(told(parsed(&text).sources()), expected);
    }
}

#[test]
fn all_mistakes_of_a_source_are_told_at_once_each_with_its_place() {
    let text = "INSERT INTO ok SELECT * FROM a/b#\n;\
                INSERT INTO a/b SELECT _offset FROM a PK x WITHCONVERTER=`x.Y` WITHREGEX=`(` \
                PROPERTIES('p'='q') WITHKEY(_key)";
    let expected = [
        "kcql, line 1, column 30: found \"a/b#\", expected an MQTT topic filter: '#' at byte 3, \
         expected alone in its level and last
    INSERT INTO ok SELECT * FROM a/b#
                                 ^^^^",
        "kcql, line 2, column 40: found PK, expected none in an MQTT source: WITHKEY makes a \
         record's key",
        "kcql, line 2, column 14: found \"a/b\", expected a Kafka topic: the kafka topic \"a/b\" \
         holds '/', expected letters, digits, '.', '_' or '-'",
        "kcql, line 2, column 59: found \"x.Y\", expected BytesConverter, JsonSimpleConverter, \
         JsonOptNullConverter, JsonPassThroughConverter or AvroConverter, alone or in \
         io.lenses.streamreactor.connect.converters.source or \
         com.datamountaineer.streamreactor.connect.converters.source",
        "kcql, line 2, column 75: found \"(\", expected a regular expression: unclosed group",
        "kcql, line 2, column 25: found _offset, expected no such column in a source: a message \
         has none before Kafka has it",
        "kcql, line 2, column 107: found _key, expected a field of the value",
        "kcql, line 2, column 90: found property \"p\", expected no properties: those of a source \
         are the connector's",
    ];
    let found = drawn(parsed(text).sources());
    assert_eq!(found.len(), expected.len(), "{found:#?}");
    for (found, expected) in found.iter().zip(expected) {
        assert!(found.starts_with(expected), "{found}\n{expected}");
    }
}

#[test]
fn a_mistake_of_a_template_is_told_at_its_place_inside_the_name() {
    let found = drawn(parsed("INSERT INTO `a-${payload}` SELECT * FROM t").sources());
    let expected = "\
kcql, line 1, column 18: found \"payload\", expected topic, topic[N] with N counted from 1, \
clientid or username between the braces
    INSERT INTO `a-${payload}` SELECT * FROM t
                     ^";
    assert_eq!(found, [expected]);
    let found = told(parsed("INSERT INTO /a/${topic[1]} SELECT * FROM t").mqtt_sinks());
    let expected = "kcql, line 1, column 18: found \"topic[1]\", expected topic, key, header.NAME \
                    or partition between the braces";
    assert_eq!(found, expected);
}

#[test]
fn an_mqtt_sink_has_a_literal_a_template_or_a_field_as_target() {
    let template = |text: &str| MqttTarget::Template(text.to_owned());
    let field = |text: &str| MqttTarget::Field(Field::Value(path(text)));
    let property = "PROPERTIES('mqtt.target.from.field'='true')";
    for (target, clause, expected) in [
        ("/datamountaineer/mqtt_topic", "", template("/datamountaineer/mqtt_topic")),
        ("_key", "", template("${key}")),
        ("_Topic", "", template("${topic}")),
        ("commands/${key}/${header.x}", "", template("commands/${key}/${header.x}")),
        ("mqtt.target", property, field("mqtt.target")),
        ("_key", property, template("${key}")),
        ("ignored", "WITHTARGET=a.b", field("a.b")),
        ("a.b", "PROPERTIES('mqtt.target.from.field'='FALSE')", template("a.b")),
    ] {
        let text = format!("INSERT INTO {target} SELECT * FROM kafka-topic {clause}");
        let sink = mqtt_sink(&text);
        assert_eq!(sink.target, expected, "{text}");
        assert_eq!(sink.kafka_topic, "kafka-topic");
    }
}

#[test]
fn all_mistakes_of_an_mqtt_sink_are_told_at_once() {
    let found = told(
        parsed(
            "INSERT INTO a/+ SELECT * FROM a/b WITHFORMAT avro WITHTAG(x) LIMIT 1 \
             PROPERTIES('mqtt.target.from.field'='yes', 'q'='1')",
        )
        .mqtt_sinks(),
    );
    let expected = "\
kcql, line 1, column 51: found WITHTAG, expected none in an MQTT sink: only points of InfluxDB have tags
kcql, line 1, column 62: found LIMIT, expected none in an MQTT sink: a stream has no last record
kcql, line 1, column 31: found \"a/b\", expected a Kafka topic: the kafka topic \"a/b\" holds '/', expected letters, digits, '.', '_' or '-'
kcql, line 1, column 106: found \"yes\", expected 'true' or 'false'
kcql, line 1, column 113: found property \"q\", expected 'mqtt.target.from.field'
kcql, line 1, column 13: found \"a/+\", expected an MQTT topic, _key or _topic: the mqtt topic came out as \"a/+\": wildcard '+' at byte 2, a Topic Name has none
kcql, line 1, column 46: found \"avro\", expected JSON, the one format of an MQTT sink";
    assert_eq!(found, expected);
}

#[test]
fn an_influx_sink_is_a_measurement_a_time_and_tags() {
    let text = "INSERT INTO influxMeasure SELECT x AS a, b.* FROM influx-topic IGNORE c \
                WITHTIMESTAMP ts TIMESTAMPUNIT=SECONDS WITHTAG(from, provider=DataMountaineer) \
                BATCH=100";
    let sink = parsed(text).influx_sinks().expect("right").statements.remove(0);
    assert_eq!(sink.kafka_topic, "influx-topic");
    assert_eq!(sink.measurement, Measurement::Literal("influxMeasure".to_owned()));
    assert_eq!(sink.timestamp, TimestampFrom::Field(Field::Value(path("ts"))));
    assert_eq!(sink.timestamp_unit, TimestampUnit::Seconds);
    assert_eq!((sink.tags.len(), sink.selection.columns.len()), (2, 2));
    assert_eq!(sink.batch.map(std::num::NonZeroU32::get), Some(100));

    let sink = parsed("INSERT INTO m SELECT * FROM t WITHTARGET=a.b").influx_sinks();
    let sink = sink.expect("right").statements.remove(0);
    assert_eq!(sink.measurement, Measurement::Field(Field::Value(path("a.b"))));
    assert_eq!(sink.timestamp, TimestampFrom::SystemTime);
    assert_eq!(sink.timestamp_unit, TimestampUnit::Milliseconds);
}

#[test]
fn what_has_no_effect_is_a_warning() {
    let warnings = |text: &str| -> Vec<String> {
        let resolved = parsed(text).sources().expect("right");
        resolved.warnings.iter().map(ToString::to_string).collect()
    };
    assert_eq!(
        warnings("UPSERT INTO t SELECT * FROM a BATCH=3 WITHKEY(a) KEYDELIMITER='-'"),
        [
            "kcql, line 1, column 1: UPSERT is the same as INSERT in an MQTT source",
            "kcql, line 1, column 31: BATCH has no effect in an MQTT source: batches form by \
             themselves, as fast as the other side is",
            "kcql, line 1, column 50: KEYDELIMITER has no effect without two fields in WITHKEY",
        ]
    );
    let text = "INSERT INTO t SELECT * FROM a TIMESTAMPUNIT=SECONDS";
    let warnings = parsed(text).influx_sinks().expect("right").warnings;
    assert_eq!(warnings.len(), 1);
}

#[test]
fn the_order_of_statements_is_kept_for_every_use() {
    let text = "INSERT INTO b SELECT * FROM x; INSERT INTO a SELECT * FROM x; \
                INSERT INTO b SELECT * FROM x";
    let kcql = parsed(text);
    let sources = kcql.sources().expect("right").statements;
    let topics: Vec<&str> = sources.iter().map(|source| source.kafka_topic.as_str()).collect();
    assert_eq!(topics, ["b", "a", "b"]);
    assert_eq!(kcql.mqtt_sinks().expect("right").statements.len(), 3);
    assert_eq!(kcql.influx_sinks().expect("right").statements.len(), 3);
}
