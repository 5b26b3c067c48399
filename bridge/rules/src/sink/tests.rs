use super::*;

type Headers<'a> = &'a [(&'a str, Option<&'a [u8]>)];

fn rule(mqtt_topic: &str) -> SinkRule {
    let name = Text::from_static("rule");
    SinkRule::new(name, mqtt_topic, QoS::AtLeastOnce, false, Tombstone::Skip).expect(mqtt_topic)
}

fn record<'a>(key: &'a [u8], headers: Headers<'a>) -> Record<'a> {
    Record { kafka_topic: "orders", partition: 3, key: Some(key), value: Some(b"v"), headers }
}

fn published(rule: &SinkRule, record: &Record<'_>) -> Publish {
    match rule.publish(record).expect("it maps") {
        Outcome::Publish(publish) => publish,
        Outcome::Skip => panic!("it was skipped"),
    }
}

#[test]
fn the_mqtt_topic_comes_from_topic_key_headers_and_partition() {
    let headers: Headers<'_> = &[("to", Some(b"first")), ("to", Some(b"last"))];
    let publish =
        published(&rule("k/${topic}/${key}/${header.to}/${partition}"), &record(b"m/1", headers));
    assert_eq!(publish.topic.as_str(), "k/orders/m/1/last/3");
    assert_eq!(publish.payload, "v");
}

#[test]
fn headers_that_are_text_become_user_properties() {
    let headers: Headers<'_> = &[
        ("unit", Some(b"C")),
        ("mqtt.topic", Some(b"a/b")),
        ("binary", Some(&[0xff])),
        ("nothing", None),
        ("midge.trail", Some(b"source")),
    ];
    let publish = published(&rule("a"), &record(b"k", headers));
    let properties = publish.properties.expect("there are some").user_properties;
    let properties: Vec<_> = properties.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
    assert_eq!(properties, [("unit", "C"), ("nothing", "")]);
    assert_eq!(publish.trail, [Text::from_static("source"), Text::from_static("rule")]);
}

#[test]
fn a_record_that_passed_the_rule_is_refused() {
    let own: Headers<'_> = &[("midge.trail", Some(b"rule"))];
    assert_eq!(rule("a").publish(&record(b"k", own)), Err(Refusal::Circle));
    let names: Vec<String> = (0..TRAIL_MAX).map(|n| n.to_string()).collect();
    let many: Vec<_> = names.iter().map(|n| ("midge.trail", Some(n.as_bytes()))).collect();
    assert_eq!(rule("a").publish(&record(b"k", &many)), Err(Refusal::Circle));
}

#[test]
fn a_topic_that_mqtt_does_not_know_is_refused() {
    for key in [&b""[..], b"a/+", b"#", b"a\0b"] {
        assert!(
            matches!(rule("${key}").publish(&record(key, &[])), Err(Refusal::MqttTopic { .. })),
            "{key:?} came through"
        );
    }
    let not_text = rule("${key}").publish(&record(&[0xff], &[]));
    assert_eq!(not_text, Err(Refusal::NotText { variable: "${key}".to_owned() }));
    let long = rule("${key}").publish(&record(&[b'x'; 70_000], &[]));
    assert!(long.expect_err("too long").to_string().len() < 300);
}

#[test]
fn a_record_cannot_speak_for_the_broker() {
    for key in ["$SYS/broker/uptime", "$SYS", "$share/g/a"] {
        let refusal = rule("${key}").publish(&record(key.as_bytes(), &[]));
        assert!(matches!(refusal, Err(Refusal::Reserved { .. })), "{key} came through");
    }
    assert_eq!(published(&rule("${key}"), &record(b"$other", &[])).topic.as_str(), "$other");
}

#[test]
fn a_record_without_what_the_template_needs_is_refused() {
    let keyless = Record { key: None, ..record(b"", &[]) };
    assert_eq!(
        rule("a/${key}").publish(&keyless).expect_err("no key").to_string(),
        "the template of the mqtt topic needs ${key}, which this message has not"
    );
    assert!(rule("a/${header.x}").publish(&keyless).is_err());
}

#[test]
fn a_tombstone_is_skipped_or_clears() {
    let tombstone = Record { value: None, ..record(b"k", &[]) };
    assert_eq!(rule("a").publish(&tombstone), Ok(Outcome::Skip));
    let name = Text::from_static("rule");
    let clear = SinkRule::new(name, "a", QoS::AtMostOnce, false, Tombstone::Clear).expect("valid");
    let publish = published(&clear, &tombstone);
    assert!(publish.payload.is_empty() && publish.retain);
    let empty = Record { value: Some(b""), ..tombstone };
    assert!(!published(&clear, &empty).retain, "an empty value is a value");
}

#[test]
fn a_rule_whose_mqtt_topic_can_never_be_legal_is_not_compiled() {
    let compile = |mqtt_topic| {
        let name = Text::from_static("rule");
        SinkRule::new(name, mqtt_topic, QoS::AtMostOnce, false, Tombstone::Skip)
    };
    for mqtt_topic in ["", "a/#", "${key}/+/x", "$$SYS/a", "$$SYS/${key}", "${key"] {
        assert!(compile(mqtt_topic).is_err(), "{mqtt_topic} was compiled");
    }
    assert!(compile("${key}$$SYS/a").is_ok(), "only what it begins with is reserved");
}
