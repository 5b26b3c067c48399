use super::*;
use crate::cli::options::{KcqlMessage, KcqlRecord};

fn options(kcql: &str, reader: Option<Use>) -> KcqlOptions {
    KcqlOptions { kcql: kcql.to_owned(), reader, message: None, record: None }
}

fn with_message(kcql: &str, topic: &str, payload: &str) -> String {
    let message = KcqlMessage { topic: topic.to_owned(), payload: payload.to_owned() };
    let options = KcqlOptions { message: Some(message), ..options(kcql, Some(Use::Source)) };
    explained(&options).unwrap_or_else(|error| panic!("{error}")).0
}

fn with_record(kcql: &str, reader: Use, value: &str) -> String {
    let record = KcqlRecord {
        key: Some("dev7".to_owned()),
        value: value.to_owned(),
        headers: vec![("unit".to_owned(), "C".to_owned())],
    };
    let options = KcqlOptions { record: Some(record), ..options(kcql, Some(reader)) };
    explained(&options).unwrap_or_else(|error| panic!("{error}")).0
}

#[test]
fn a_message_is_followed_to_its_record() {
    let kcql = "INSERT INTO smap_telemetry_data SELECT * FROM telemetry/+/+ WITHCONVERTER=\
                `com.datamountaineer.streamreactor.connect.converters.source.BytesConverter`";
    assert_eq!(
        with_message(kcql, "telemetry/oven/1", "180.5"),
        "\
statement 1, for an MQTT source
  takes         MQTT messages whose topic matches telemetry/+/+
  writes to     Kafka topic smap_telemetry_data
  key           the MQTT topic
  value         the payload, byte for byte (BytesConverter)
  the sample
    Kafka topic   smap_telemetry_data
    key           telemetry/oven/1
    value         180.5
"
    );
    let kcql = "INSERT INTO `$` SELECT t.c AS celsius, id FROM plant/# WITHKEY(id, t.c) \
                WITHCONVERTER=JsonSimpleConverter";
    let text = with_message(kcql, "/plant/x", "{}");
    assert!(text.ends_with("    not taken     its topic does not match plant/#\n"), "{text}");
    let text = with_message(kcql, "plant/x", r#"{"id": "d", "t": {"c": 21, "f": 70}}"#);
    let expected = "    Kafka topic   plant_x\n    key           d.21\n    value         \
                    {\"celsius\":21,\"id\":\"d\"}\n";
    assert!(text.ends_with(expected), "{text}");
    let text = with_message(kcql, "plant/x", "no JSON");
    assert!(text.contains("    not taken     Failed to parse json message"), "{text}");
}

#[test]
fn a_record_is_followed_to_its_message() {
    let kcql = "INSERT INTO commands/${key}/${header.unit} SELECT firstName AS first, age, _key \
                FROM kafka-topic";
    let value = r#"{"firstName": "John", "lastName": "Smith", "age": 30}"#;
    let text = with_record(kcql, Use::MqttSink, value);
    let expected = "    MQTT topic    commands/dev7/C\n    payload       \
                    {\"first\":\"John\",\"age\":30,\"_key\":\"dev7\"}\n";
    assert!(text.ends_with(expected), "{text}");
    let text = with_record(
        "INSERT INTO x SELECT * FROM t WITHTARGET=to",
        Use::MqttSink,
        "{\"to\":\"a/$b\"}",
    );
    assert!(
        text.ends_with("    MQTT topic    a/$b\n    payload       {\"to\":\"a/$b\"}\n"),
        "{text}"
    );
    let text =
        with_record("INSERT INTO x SELECT * FROM t WITHTARGET=to", Use::MqttSink, "{\"to\":1}");
    assert!(
        text.ends_with("    refused       to: found a java.lang.Long, expected text\n"),
        "{text}"
    );
    let envelope =
        r#"{"schema":{"type":"struct","fields":[{"field":"a","type":"int32"}]},"payload":{"a":5}}"#;
    let text = with_record("INSERT INTO _topic SELECT a AS b FROM t", Use::MqttSink, envelope);
    assert!(text.ends_with("    MQTT topic    t\n    payload       {\"b\":5}\n"), "{text}");
}

#[test]
fn a_record_is_followed_to_its_point() {
    let kcql = "INSERT INTO influxMeasure SELECT company, latitude FROM influx-topic \
                WITHTIMESTAMP ts WITHTAG(from, to, provider=DataMountaineer)";
    let value = r#"{"company": "DM", "latitude": -49.8, "from": "a", "ts": 1500}"#;
    let text = with_record(kcql, Use::Influx, value);
    let sample = &text[text.find("  the sample\n").expect("a sample")..];
    assert_eq!(
        sample,
        "  the sample
    line          influxMeasure,from=a,provider=DataMountaineer company=\"DM\",latitude=-49.8
    no tag        to: the record has no to
    time          1500000000 ns
"
    );
    let text = with_record("INSERT INTO m SELECT nope FROM t", Use::Influx, "{}");
    assert!(
        text.ends_with("    refused       column nope: the record has no such field\n"),
        "{text}"
    );
}

#[test]
fn mistakes_and_warnings_are_drawn() {
    let error = explained(&options("INSERT INTO m SELECT * FROM t WITHTAGS(a)", None));
    assert_eq!(
        error.expect_err("a mistake"),
        "kcql, line 1, column 31: found \"WITHTAGS\", expected a clause; the nearest is WITHTAG
    INSERT INTO m SELECT * FROM t WITHTAGS(a)
                                  ^^^^^^^^"
    );
    let error = explained(&options("INSERT INTO a/b SELECT * FROM t LIMIT 1", Some(Use::Source)));
    assert_eq!(error.expect_err("mistakes").matches("\nError: kcql, line 1").count(), 1);

    let text = "INSERT INTO m SELECT x AS a, y AS b and z AS c FROM t";
    let (text, warnings) = explained(&options(text, None)).expect("right");
    assert!(text.starts_with("statement 1, for an MQTT sink\n"), "{text}");
    assert!(text.ends_with("reads it for another use\n"), "{text}");
    assert_eq!(warnings.len(), 1);
}

#[test]
fn a_sample_that_no_statement_reads_is_an_error() {
    let message = KcqlMessage { topic: "t".to_owned(), payload: String::new() };
    let sink = "INSERT INTO a SELECT * FROM b";
    let wrong = KcqlOptions { message: Some(message), ..options(sink, Some(Use::MqttSink)) };
    let expected = "--message is a sample for sources, and no statement is read as one";
    assert_eq!(explained(&wrong).map(|_| ()), Err(expected.to_owned()));
    let record = KcqlRecord { key: None, value: String::new(), headers: Vec::new() };
    let wrong = KcqlOptions { record: Some(record), ..options(sink, Some(Use::Source)) };
    let expected = "--record is a sample for sinks, and no statement is read as one";
    assert_eq!(explained(&wrong).map(|_| ()), Err(expected.to_owned()));
}
