//! Statements in plain words.

use super::*;

fn said(lines: Vec<Line>) -> String {
    lines.into_iter().map(|(label, words)| format!("{label}: {words}\n")).collect()
}

#[test]
fn a_source_is_told_in_plain_words() {
    let text = "INSERT INTO `$` SELECT a, b.c AS d FROM $share/g/plant/+ IGNORE x.y WITHKEY(id, n.m) \
                KEYDELIMITER='|' WITHREGEX=`plant/[0-9]`";
    let sources = parsed(text).sources().expect("right").statements;
    assert_eq!(
        said(sources[0].explained()),
        "takes: MQTT messages whose topic matches plant/+, shared with the other members of g, \
         and the whole of it matches /plant/[0-9]/
writes to: the Kafka topic named as the MQTT topic: no slash at its start, _ for the others
key: fields id, n.m, as text with \"|\" between them
value: JSON of the columns; the payload must be JSON
columns: a, b.c as d
left out: x.y
"
    );
}

#[test]
fn an_mqtt_sink_is_told_in_plain_words() {
    let text = "INSERT INTO _key SELECT *, _topic, _key.a AS k FROM t";
    let sinks = parsed(text).mqtt_sinks().expect("right").statements;
    assert_eq!(
        said(sinks[0].explained()),
        "takes: records of Kafka topic t
publishes to: the MQTT topic that the record's key names
payload: JSON of the columns; text and bytes are read as JSON first
columns: all fields of the value, _topic, _key.a as k
QoS: the connector's: connect.mqtt.service.quality, 1 by default
"
    );
}

#[test]
fn an_influx_sink_is_told_in_plain_words() {
    let text = "INSERT INTO m SELECT * FROM t WITHTIMESTAMP ts WITHTAG(a.b AS c, k=v) BATCH=5";
    let sinks = parsed(text).influx_sinks().expect("right").statements;
    assert_eq!(
        said(sinks[0].explained()),
        "takes: records of Kafka topic t
writes to: measurement m
fields: all fields of the value
time: field ts: integers are milliseconds, text is ISO 8601; absent: when written
tag: c, from field a.b
tag: k, always \"v\"
batch: at most 5 points a write
"
    );
}

#[test]
fn the_likely_use_is_seen_from_clauses_and_topics() {
    for (text, expected) in [
        ("INSERT INTO t SELECT * FROM telemetry/+", Use::Source),
        ("INSERT INTO t SELECT * FROM a WITHKEY(x)", Use::Source),
        ("INSERT INTO /d/t SELECT * FROM kafka-topic", Use::MqttSink),
        ("INSERT INTO topicA SELECT * FROM topicA", Use::MqttSink),
        ("INSERT INTO m SELECT * FROM t WITHTIMESTAMP sys_time()", Use::Influx),
    ] {
        assert_eq!(one(text).likely_use(), expected, "{text}");
    }
}
