//! Properties that hold for every template and every message.

use midge_codec::{QoS, Text, TopicName};
use midge_rules::{
    Message, Outcome, Record, RecordBuffer, SinkRule, SourceRule, Tombstone, check_kafka_topic,
};
use proptest::prelude::*;

fn source_template() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        "[a-z$.{}_-]{0,4}",
        Just("${topic}".to_owned()),
        Just("${clientid}".to_owned()),
        Just("${username}".to_owned()),
        (0..5_u8).prop_map(|level| format!("${{topic[{level}]}}")),
    ];
    prop::collection::vec(part, 0..5).prop_map(|parts| parts.concat())
}

proptest! {
    #[test]
    fn a_record_that_is_made_has_a_topic_that_kafka_knows(
        kafka_topic in source_template(),
        key in source_template(),
        topic in "[a-zA-Z0-9/ _.é-]{1,40}",
        client_id in prop::option::of("[a-z:.]{1,6}"),
        username in prop::option::of("[a-z:.]{1,6}"),
    ) {
        let Ok(rule) = SourceRule::new(Text::from_static("r"), &kafka_topic, &key, true) else {
            return Ok(());
        };
        let topic = TopicName::try_from(topic.as_str()).expect("no wildcards");
        let message = Message {
            topic: &topic,
            client_id: client_id.as_deref(),
            username: username.as_deref(),
            qos: QoS::AtMostOnce,
            retain: false,
            properties: None,
            trail: &[],
        };
        let mut record = RecordBuffer::default();
        if rule.record(&message, &mut record).is_ok() {
            prop_assert_eq!(check_kafka_topic(&record.kafka_topic), Ok(()));
        }
    }

    #[test]
    fn text_without_a_dollar_is_its_own_template(text in "[a-zA-Z0-9._-]{3,60}", key in "[^$]*") {
        let rule = SourceRule::new(Text::from_static("r"), &text, &key, true).expect("legal");
        prop_assert_eq!(rule.constant_kafka_topic(), Some(text.as_str()));
        let topic = TopicName::try_from("t").expect("valid");
        let message = Message {
            topic: &topic, client_id: None, username: None, qos: QoS::AtMostOnce, retain: false,
            properties: None, trail: &[],
        };
        let mut record = RecordBuffer::default();
        rule.record(&message, &mut record).expect("nothing is missing");
        prop_assert_eq!(record.key, key);
    }

    #[test]
    fn no_record_and_no_template_panics(
        template in any::<String>(),
        kafka_topic in any::<String>(),
        key in prop::option::of(prop::collection::vec(any::<u8>(), 0..20)),
        value in prop::option::of(prop::collection::vec(any::<u8>(), 0..20)),
        header in prop::collection::vec(any::<u8>(), 0..8),
        name in any::<String>(),
    ) {
        let _ = SourceRule::new(Text::from_static("r"), &template, &template, true);
        for template in [template.as_str(), "${topic}/${key}/${header.x}"] {
            let rule = SinkRule::new(
                Text::from_static("r"), template, QoS::AtMostOnce, false, Tombstone::Clear,
            );
            let Ok(rule) = rule else { continue };
            let headers = [(name.as_str(), Some(header.as_slice())), ("x", Some(&header[..]))];
            let record = Record {
                kafka_topic: &kafka_topic,
                partition: 0,
                key: key.as_deref(),
                value: value.as_deref(),
                headers: &headers,
            };
            if let Ok(Outcome::Publish(publish)) = rule.publish(&record) {
                prop_assert!(!publish.topic.as_str().contains(['+', '#', '\0']));
            }
        }
    }
}
