use super::*;

fn topic(name: &str) -> TopicName {
    TopicName::try_from(name).expect(name)
}

fn text(text: &str) -> Text {
    Text::try_from(text).expect(text)
}

fn rule(kafka_topic: &str, key: &str) -> SourceRule {
    SourceRule::new(Text::from_static("rule"), kafka_topic, key, true).expect(kafka_topic)
}

fn message(topic: &TopicName) -> Message<'_> {
    Message {
        topic,
        client_id: Some("sensor-1"),
        username: None,
        qos: QoS::AtLeastOnce,
        retain: false,
        properties: None,
        trail: &[],
    }
}

fn record(kafka_topic: &str, key: &str, name: &str) -> Result<(String, String), Refusal> {
    let mut buffer = RecordBuffer::default();
    rule(kafka_topic, key).record(&message(&topic(name)), &mut buffer)?;
    Ok((buffer.kafka_topic, buffer.key))
}

fn headers(rule: &SourceRule, message: &Message<'_>) -> Vec<(String, String)> {
    let mut all = Vec::new();
    rule.headers(message, |name, value| {
        all.push((name.to_owned(), String::from_utf8(value.to_vec()).expect("text")));
    });
    assert!(all.len() <= rule.headers_max(message));
    all
}

#[test]
fn the_dollar_target_is_the_whole_topic_with_underscores() {
    for (mqtt_topic, kafka_topic) in
        [("a/b/c", "a_b_c"), ("/a/b", "a_b"), ("a", "a"), ("//a", "_a"), ("a/", "a_")]
    {
        let expected = Ok((kafka_topic.to_owned(), mqtt_topic.to_owned()));
        assert_eq!(record("$", "${topic}", mqtt_topic), expected);
        assert_eq!(record("${topic}", "${topic}", mqtt_topic), expected);
    }
}

#[test]
fn levels_count_from_one_and_empty_ones_count() {
    assert_eq!(
        record("${topic[2]}-${topic[1]}", "${topic[3]}", "plant/line/m1"),
        Ok(("line-plant".into(), "m1".into()))
    );
    assert_eq!(record("t", "${topic[1]}|${topic[2]}", "/a"), Ok(("t".into(), "|a".into())));
}

#[test]
fn a_variable_without_value_refuses_the_message_and_is_named() {
    let refusal = record("${topic[4]}", "k", "a/b/c").expect_err("there is no fourth level");
    assert_eq!(
        refusal.to_string(),
        "the template of the kafka topic needs ${topic[4]}, which this message has not"
    );
    assert_eq!(refusal.reason_code(), midge_codec::ReasonCode::TopicNameInvalid);
    assert!(record("t", "${username}", "a").is_err(), "the publisher gave no user name");
}

#[test]
fn a_topic_that_kafka_does_not_know_refuses_the_message() {
    for illegal in ["a b", "ä", "a:b", "/", ".", "..", "x/\u{7f}"] {
        assert!(
            matches!(record("$", "k", illegal), Err(Refusal::KafkaTopic(_))),
            "{illegal} came through"
        );
    }
    assert!(record("$", "k", &"x".repeat(249)).is_ok());
    assert!(record("$", "k", &"x".repeat(250)).is_err());
}

#[test]
fn a_rule_whose_kafka_topic_can_never_be_legal_is_not_compiled() {
    for (kafka_topic, message) in [
        ("", "kafka topic: the kafka topic is empty, at least one character was expected"),
        ("..", "kafka topic: the kafka topic is \"..\", which kafka reserves"),
        (
            "a/${topic}",
            "kafka topic: the kafka topic \"a/\" holds '/', expected letters, digits, '.', '_' \
             or '-'",
        ),
        ("a$", "kafka topic: column 3: found the end, expected '{' after '$', or '$$' for a '$'"),
    ] {
        let error = SourceRule::new(Text::from_static("r"), kafka_topic, "", true)
            .expect_err("it can never be legal");
        assert_eq!(error.to_string(), message);
    }
}

#[test]
fn headers_tell_where_a_record_came_from() {
    let topic = topic("a/b");
    let properties = PublishProperties {
        user_properties: vec![
            (text("unit"), text("°C")),
            (text("mqtt.client.id"), text("somebody else")),
            (text("midge.trail"), text("rule")),
        ],
        ..PublishProperties::default()
    };
    let trail = [text("other")];
    let message =
        Message { retain: true, properties: Some(&properties), trail: &trail, ..message(&topic) };
    let expected = [
        ("mqtt.topic", "a/b"),
        ("mqtt.client.id", "sensor-1"),
        ("mqtt.qos", "1"),
        ("mqtt.retain", "true"),
        ("unit", "°C"),
        ("midge.trail", "other"),
        ("midge.trail", "rule"),
    ];
    let expected: Vec<_> =
        expected.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
    assert_eq!(headers(&rule("t", "k"), &message), expected);
}

#[test]
fn without_headers_a_record_still_carries_its_trail() {
    let rule = SourceRule::new(Text::from_static("rule"), "t", "k", false).expect("valid");
    let topic = topic("a");
    let expected = vec![("midge.trail".to_owned(), "rule".to_owned())];
    assert_eq!(headers(&rule, &message(&topic)), expected);
}

#[test]
fn a_message_that_passed_the_rule_is_refused() {
    let topic = topic("a");
    let own = [text("x"), text("rule")];
    let many: Vec<Text> = (0..TRAIL_MAX).map(|n| text(&format!("r{n}"))).collect();
    for trail in [&own[..], &many[..]] {
        let message = Message { trail, ..message(&topic) };
        assert_eq!(
            rule("t", "k").record(&message, &mut RecordBuffer::default()),
            Err(Refusal::Circle)
        );
    }
}
