//! Properties of MQTT 5: passed on, obeyed, left out.

use bytes::Bytes;
use midge_codec::{Packet, PublishProperties, ReasonCode, Text};
use midge_tests::{Midge, Outgoing, QOS0, QOS1, VERSIONS, message, text, topic};

fn pairs(pairs: &[(&str, &str)]) -> Vec<(Text, Text)> {
    pairs.iter().map(|(name, value)| (text(name), text(value))).collect()
}

#[test]
fn the_properties_of_a_message_are_passed_on_unchanged() {
    let midge = Midge::start("");
    let mut subscriber = midge.client("subscriber");
    subscriber.subscribe("t", QOS1);
    let properties = PublishProperties {
        payload_format_indicator: Some(1),
        response_topic: Some(topic("answer/to/🌡")),
        correlation_data: Some(Bytes::from_static(&[0, 255, 1, 254])),
        // Names repeat, and their order counts. [MQTT-3.3.2-17], [MQTT-3.3.2-18]
        user_properties: pairs(&[("z", "1"), ("a", "2"), ("z", "1"), ("", ""), ("ü", "日本")]),
        content_type: Some(text("application/json; charset=utf-8")),
        ..PublishProperties::default()
    };
    let mut publisher = midge.client("publisher");
    for retained in [false, true] {
        let publish = message("t", "{}").qos(QOS1).with(|set| *set = properties.clone());
        publisher.publish(if retained { publish.retained() } else { publish });
        // [MQTT-3.3.2-4], [MQTT-3.3.2-15], [MQTT-3.3.2-16], [MQTT-3.3.2-20]
        assert_eq!(subscriber.accept().properties.as_deref(), Some(&properties));
    }
    let mut late = midge.client("late");
    late.subscribe("t", QOS1);
    assert_eq!(late.accept().properties.as_deref(), Some(&properties));
}

#[test]
fn a_message_with_properties_reaches_older_versions_without_them() {
    let midge = Midge::start("");
    for version in VERSIONS {
        let mut subscriber = midge.dial(version, "subscriber").connect();
        subscriber.subscribe("t", QOS1);
        let publish = message("t", "x").qos(QOS1);
        let publish = publish.with(|set| set.user_properties = pairs(&[("a", "b")]));
        midge.client("publisher").publish(publish);
        let received = subscriber.expect("t", "x");
        let has_properties = version == midge_codec::ProtocolVersion::V5;
        assert_eq!(received.properties.is_some(), has_properties);
    }
}

#[test]
fn a_waiting_message_loses_its_waiting_time() {
    let midge = Midge::start("");
    let mut subscriber = midge.v5("absent").persistent().connect();
    subscriber.subscribe("t", QOS1);
    subscriber.disconnect();
    let mut publisher = midge.client("publisher");
    let publish = |payload: &str, seconds| {
        message("t", payload).qos(QOS1).with(|set| set.message_expiry_interval = Some(seconds))
    };
    publisher.publish(publish("short", 1));
    publisher.publish(publish("long", 600));
    // The short one is due when a will that was delayed as long has been published.
    let mut watcher = midge.client("watcher");
    watcher.subscribe("clock", QOS0);
    let mut clock = midge_tests::will("clock", "a second and more");
    clock.properties.will_delay_interval = Some(2);
    midge.v5("clock").persistent().will(clock).connect().vanish();
    watcher.expect("clock", "a second and more");
    let mut subscriber = midge.v5("absent").persistent().connect();
    // [MQTT-3.3.2-5], [MQTT-3.3.2-6]
    let long = subscriber.expect("t", "long");
    let left = long.properties.and_then(|set| set.message_expiry_interval).expect("an expiry");
    assert!((500..600).contains(&left), "{left} seconds left of 600");
}

#[test]
fn a_retained_message_expires_too() {
    let midge = Midge::start("");
    let mut publisher = midge.client("publisher");
    let publish = message("t", "brief").retained().qos(QOS1);
    publisher.publish(publish.with(|set| set.message_expiry_interval = Some(1)));
    midge_tests::eventually("the retained message is gone", || {
        let mut late = midge.client("late");
        late.subscribe("t", QOS0);
        late.unread().is_empty().then_some(())
    });
}

#[test]
fn a_topic_alias_stands_for_its_topic() {
    let midge = Midge::start("");
    let mut subscriber = midge.client("subscriber");
    subscriber.subscribe("#", QOS1);
    let mut publisher = midge.client("publisher");
    // [MQTT-3.3.2-12]
    let highest = publisher.connack().properties.topic_alias_maximum.expect("aliases");
    publisher.publish(message("first/topic", "a").qos(QOS1).alias(1));
    publisher.publish(message("other/topic", "b").qos(QOS1).alias(highest));
    publisher.publish(message("x", "c").qos(QOS1).alias(1).nameless());
    publisher.publish(message("x", "d").alias(highest).nameless());
    // A name with a known alias gives it a new meaning.
    publisher.publish(message("new/topic", "e").qos(QOS1).alias(1));
    publisher.publish(message("x", "f").qos(QOS1).alias(1).nameless());
    for (topic, payload) in [
        ("first/topic", "a"),
        ("other/topic", "b"),
        ("first/topic", "c"),
        ("other/topic", "d"),
        ("new/topic", "e"),
        ("new/topic", "f"),
    ] {
        subscriber.expect(topic, payload);
    }
}

#[test]
fn a_topic_alias_ends_with_its_connection() {
    let midge = Midge::start("");
    let mut publisher = midge.v5("publisher").persistent().connect();
    publisher.publish(message("t", "x").qos(QOS1).alias(1));
    publisher.disconnect();
    let mut publisher = midge.v5("publisher").persistent().connect();
    publisher.send_publish(message("x", "x").qos(QOS1).alias(1).nameless());
    // [MQTT-3.3.2-7]
    publisher.dropped_for(&[ReasonCode::ProtocolError, ReasonCode::TopicAliasInvalid]);
}

#[test]
fn a_topic_alias_out_of_range_closes_the_connection() {
    let midge = Midge::start("max_topic_alias 3");
    let mut publisher = midge.client("publisher");
    assert_eq!(publisher.connack().properties.topic_alias_maximum, Some(3));
    publisher.send_publish(message("t", "x").alias(4));
    // [MQTT-3.2.2-17]
    publisher.dropped(ReasonCode::TopicAliasInvalid);
    let mut publisher = midge.client("publisher");
    // Alias 0. [MQTT-3.3.2-8]
    publisher.send_bytes(b"\x30\x08\0\x01t\x03\x23\0\0x");
    publisher.dropped(ReasonCode::TopicAliasInvalid);
}

#[test]
fn the_broker_uses_aliases_up_to_the_clients_maximum_only() {
    let midge = Midge::start("");
    for maximum in [None, Some(0), Some(2)] {
        let dial = midge.v5("subscriber").with(|set| set.topic_alias_maximum = maximum);
        let mut subscriber = dial.connect();
        subscriber.subscribe("some/topic/+", QOS1);
        let mut publisher = midge.client("publisher");
        let mut names = std::collections::HashMap::new();
        for number in 0..20 {
            let name = format!("some/topic/{}", number % 4);
            publisher.publish(message(&name, number.to_string()).qos(QOS1));
            let publish = subscriber.accept();
            // [MQTT-3.1.2-26], [MQTT-3.1.2-27], [MQTT-3.3.2-11]
            if let Some(alias) = publish.topic_alias {
                assert!(alias.get() <= maximum.unwrap_or(0), "alias {alias}");
                if publish.topic.is_some() {
                    names.insert(alias, publish.name().to_owned());
                }
            }
            let meant = match (&publish.topic, publish.topic_alias) {
                (Some(topic), _) => topic.to_string(),
                (None, Some(alias)) => names[&alias].clone(),
                (None, None) => panic!("neither topic nor alias"),
            };
            assert_eq!((meant, publish.said()), (name, number.to_string()));
        }
    }
}

#[test]
fn a_message_larger_than_a_client_takes_is_left_out_for_it_alone() {
    let midge = Midge::start("");
    let dial = midge.v5("small").with(|set| set.maximum_packet_size = Some(100));
    let mut small = dial.connect();
    let mut large = midge.client("large");
    small.subscribe("t", QOS1);
    large.subscribe("t", QOS1);
    let mut publisher = midge.client("publisher");
    for _ in 0..100 {
        publisher.publish(message("t", "x".repeat(200)).qos(QOS1));
        assert_eq!(large.accept().payload.len(), 200);
    }
    publisher.publish(message("t", "fits").qos(QOS1));
    // [MQTT-3.1.2-24], [MQTT-3.1.2-25]: and its window is as wide as before.
    small.expect("t", "fits");
}

#[test]
fn a_packet_larger_than_the_broker_takes_closes_the_connection() {
    let midge = Midge::start("max_packet_size 1000");
    for version in VERSIONS {
        let mut client = midge.dial(version, "large").connect();
        // The length alone decides: the rest need not come. [MQTT-3.2.2-15]
        client.send_bytes(&[0x30, 0x80, 0x10, 0x00, 0x01, b't']);
        client.dropped(ReasonCode::PacketTooLarge);
    }
}

#[test]
fn a_payload_larger_than_the_broker_takes_is_refused() {
    let midge = Midge::start("message_size_limit 100");
    let mut watcher = midge.client("watcher");
    watcher.subscribe("t", QOS1);
    for version in VERSIONS {
        let mut client = midge.dial(version, "large").connect();
        client.send_publish(message("t", "x".repeat(101)).qos(QOS1));
        // Answered by a refusal or closed, but not passed on.
        let answer = client.closed_or(|packet| match packet {
            Packet::Puback(ack) => Some(ack.reason),
            _ => None,
        });
        if version == midge_codec::ProtocolVersion::V5 {
            assert!(answer.is_none_or(ReasonCode::is_error), "{answer:?}");
        }
        midge.client("fitting").publish(message("t", "x".repeat(100)).qos(QOS1));
        assert_eq!(watcher.accept().payload.len(), 100);
    }
}

#[test]
fn reasons_and_user_properties_are_left_out_where_not_wanted() {
    let midge = Midge::start("");
    let dial = midge.v5("terse").with(|set| {
        set.request_problem_information = Some(false);
        set.maximum_packet_size = Some(60);
    });
    let mut client = dial.connect();
    // Answers that have something to explain: none may say more than its code. [MQTT-3.1.2-29]
    client.send_publish(message("$SYS/forbidden", "x").qos(QOS1));
    client.subscribe("a", QOS0);
    client.unsubscribe(&["never/was"]);
    let answers = client.unread();
    for packet in &answers {
        match packet {
            Packet::Puback(ack) => assert_eq!(ack.properties, None),
            Packet::Publish(_) => {}
            other => panic!("{other:?}"),
        }
    }
    assert!(!answers.is_empty());
}

#[test]
fn user_properties_of_requests_are_accepted() {
    let midge = Midge::start("");
    let dial = midge.v5("chatty").with(|set| set.user_properties = pairs(&[("a", "b"); 50]));
    let mut client = dial.connect();
    let properties = midge_codec::SubscribeProperties {
        user_properties: pairs(&[("a", "b"), ("a", "b")]),
        ..Default::default()
    };
    let subscriptions = vec![(midge_tests::filter("t"), midge_tests::options(QOS0))];
    assert_eq!(client.subscribe_all(subscriptions, properties), [ReasonCode::Success]);
    client.publish(message("t", "x"));
    client.expect("t", "x");
}
