//! Retained messages: one a topic, for those who come later.

use midge_codec::{Packet, RetainHandling, SubscriptionOptions};
use midge_tests::{Midge, Outgoing, QOS0, QOS1, QOS2, VERSIONS, message, options};

#[test]
fn a_new_subscription_gets_the_last_retained_message_of_each_topic() {
    let midge = Midge::start("");
    for version in VERSIONS {
        let mut publisher = midge.dial(version, "publisher").connect();
        for (topic, payload) in [("r/a", "old"), ("r/a", "new"), ("r/b", "b"), ("s/c", "c")] {
            publisher.publish(message(topic, payload).retained().qos(QOS1));
        }
        let mut subscriber = midge.dial(version, "subscriber").connect();
        subscriber.subscribe("r/+", QOS1);
        let mut received: Vec<(String, String)> = Vec::new();
        for _ in 0..2 {
            let publish = subscriber.accept();
            // [MQTT-3.3.1-9], 3.1.1: [MQTT-3.3.1-6], [MQTT-3.3.1-8]
            assert!(publish.retain);
            received.push((publish.name().to_owned(), publish.said()));
        }
        received.sort();
        assert_eq!(received, [("r/a".into(), "new".into()), ("r/b".into(), "b".to_owned())]);
        assert_eq!(subscriber.unread(), []);
    }
}

#[test]
fn retain_is_not_set_on_what_an_established_subscription_gets() {
    let midge = Midge::start("");
    for version in VERSIONS {
        let mut subscriber = midge.dial(version, "subscriber").connect();
        subscriber.subscribe("live", QOS1);
        midge.client("publisher").publish(message("live", "x").retained().qos(QOS1));
        // [MQTT-3.3.1-12], 3.1.1: [MQTT-3.3.1-9]
        assert!(!subscriber.expect("live", "x").retain);
        midge.client("publisher").publish(message("live", "").retained().qos(QOS1));
        subscriber.expect("live", "");
    }
}

#[test]
fn retain_is_passed_on_as_published_where_the_subscription_asks() {
    let midge = Midge::start("");
    let mut subscriber = midge.client("subscriber");
    let as_published = SubscriptionOptions { retain_as_published: true, ..options(QOS1) };
    subscriber.subscribe_with("live", as_published, None);
    let mut publisher = midge.client("publisher");
    publisher.publish(message("live", "kept").retained().qos(QOS1));
    publisher.publish(message("live", "passing").qos(QOS1));
    // [MQTT-3.3.1-13]
    assert!(subscriber.expect("live", "kept").retain);
    assert!(!subscriber.expect("live", "passing").retain);
}

#[test]
fn an_empty_retained_message_removes_the_stored_one_and_is_delivered() {
    let midge = Midge::start("");
    for version in VERSIONS {
        let mut watcher = midge.dial(version, "watcher").connect();
        watcher.subscribe("r", QOS1);
        let mut publisher = midge.dial(version, "publisher").connect();
        publisher.publish(message("r", "stored").retained().qos(QOS1));
        publisher.publish(message("r", "").retained().qos(QOS1));
        watcher.expect("r", "stored");
        // [MQTT-3.3.1-6], [MQTT-3.3.1-7], 3.1.1: [MQTT-3.3.1-10], [MQTT-3.3.1-11]
        watcher.expect("r", "");
        let mut late = midge.dial(version, "late").connect();
        late.subscribe("r", QOS1);
        assert_eq!(late.unread(), []);
    }
}

#[test]
fn a_message_without_retain_leaves_the_stored_one_alone() {
    let midge = Midge::start("");
    for version in VERSIONS {
        let mut publisher = midge.dial(version, "publisher").connect();
        publisher.publish(message("r", "stored").retained().qos(QOS1));
        publisher.publish(message("r", "passing").qos(QOS1));
        publisher.publish(message("r", "").qos(QOS1));
        let mut late = midge.dial(version, "late").connect();
        late.subscribe("r", QOS1);
        // [MQTT-3.3.1-8], 3.1.1: [MQTT-3.3.1-12]
        late.expect("r", "stored");
    }
}

#[test]
fn a_retained_message_of_qos_0_replaces_the_stored_one() {
    let midge = Midge::start("");
    for version in VERSIONS {
        let mut publisher = midge.dial(version, "publisher").connect();
        publisher.publish(message("r", "one").retained().qos(QOS1));
        publisher.publish(message("r", "zero").retained());
        publisher.ping();
        let mut late = midge.dial(version, "late").connect();
        late.subscribe("r", QOS1);
        // [MQTT-3.3.1-5], 3.1.1: [MQTT-3.3.1-7]
        assert_eq!(late.expect("r", "zero").qos, QOS0);
    }
}

#[test]
fn a_retained_message_keeps_its_qos_up_to_the_granted_one() {
    let midge = Midge::start("");
    midge.client("publisher").publish(message("r", "x").retained().qos(QOS2));
    for version in VERSIONS {
        for granted in [QOS0, QOS1, QOS2] {
            let mut subscriber = midge.dial(version, "subscriber").connect();
            subscriber.subscribe("r", granted);
            // 3.1.1: [MQTT-3.3.1-5]
            assert_eq!(subscriber.expect("r", "x").qos, granted);
        }
    }
}

#[test]
fn retained_messages_are_sent_again_at_each_subscribe() {
    let midge = Midge::start("");
    midge.client("publisher").publish(message("r", "x").retained().qos(QOS1));
    for version in VERSIONS {
        let mut subscriber = midge.dial(version, "subscriber").connect();
        for _ in 0..3 {
            subscriber.subscribe("r", QOS1);
            // [MQTT-3.8.4-4], 3.1.1: [MQTT-3.8.4-3]
            subscriber.expect("r", "x");
        }
        assert_eq!(subscriber.unread(), []);
    }
}

#[test]
fn retained_messages_are_sent_to_new_subscriptions_only_where_asked() {
    let midge = Midge::start("");
    midge.client("publisher").publish(message("r", "x").retained().qos(QOS1));
    let mut subscriber = midge.client("subscriber");
    let if_new =
        SubscriptionOptions { retain_handling: RetainHandling::SendIfNew, ..options(QOS1) };
    subscriber.subscribe_with("r", if_new, None);
    // [MQTT-3.3.1-10]
    subscriber.expect("r", "x");
    subscriber.subscribe_with("r", if_new, None);
    assert_eq!(subscriber.unread(), []);
    subscriber.unsubscribe(&["r"]);
    subscriber.subscribe_with("r", if_new, None);
    subscriber.expect("r", "x");
}

#[test]
fn retained_messages_are_not_sent_where_not_wanted() {
    let midge = Midge::start("");
    let mut publisher = midge.client("publisher");
    publisher.publish(message("r", "x").retained().qos(QOS1));
    let mut subscriber = midge.client("subscriber");
    let never = SubscriptionOptions { retain_handling: RetainHandling::DoNotSend, ..options(QOS1) };
    subscriber.subscribe_with("r", never, None);
    // [MQTT-3.3.1-11]
    assert_eq!(subscriber.unread(), []);
    publisher.publish(message("r", "live").qos(QOS1));
    subscriber.expect("r", "live");
}

#[test]
fn retained_messages_outlive_sessions() {
    let midge = Midge::start("");
    for version in VERSIONS {
        let topic = format!("r/{version:?}");
        let mut publisher = midge.dial(version, "publisher").connect();
        publisher.publish(message(&topic, "left behind").retained().qos(QOS1));
        publisher.disconnect();
        // The session is gone, and another one of the same name is new.
        midge.dial(version, "publisher").connect().disconnect();
        let mut late = midge.dial(version, "late").connect();
        late.subscribe(&topic, QOS1);
        late.expect(&topic, "left behind");
    }
}

#[test]
fn overlapping_filters_get_their_retained_messages_each() {
    let midge = Midge::start("");
    midge.client("publisher").publish(message("r/a", "x").retained().qos(QOS1));
    let mut subscriber = midge.client("subscriber");
    let filters = ["r/+", "r/#", "r/a"];
    let filters = filters.map(|filter| (midge_tests::filter(filter), options(QOS1)));
    subscriber.subscribe_all(filters.into(), Default::default());
    // As if each had come in a SUBSCRIBE of its own: [MQTT-3.8.4-5], 3.1.1: [MQTT-3.8.4-4]
    for _ in 0..3 {
        subscriber.expect("r/a", "x");
    }
}

#[test]
fn wildcards_find_retained_messages_as_they_find_live_ones() {
    let midge = Midge::start("");
    let mut publisher = midge.client("publisher");
    for topic in ["a", "a/b", "a/b/c", "a//c", "/a", "b"] {
        publisher.publish(message(topic, topic).retained().qos(QOS1));
    }
    for (filter, expected) in [
        ("a/#", &["a", "a//c", "a/b", "a/b/c"][..]),
        ("a/+/c", &["a//c", "a/b/c"]),
        ("+", &["a", "b"]),
        ("+/a", &["/a"]),
        ("/+", &["/a"]),
        ("#", &["/a", "a", "a//c", "a/b", "a/b/c", "b"]),
    ] {
        let mut subscriber = midge.client("subscriber");
        subscriber.subscribe(filter, QOS0);
        let mut found: Vec<String> = subscriber
            .unread()
            .into_iter()
            .filter_map(|packet| match packet {
                Packet::Publish(publish) => Some(publish.name().to_owned()),
                _ => None,
            })
            .collect();
        found.sort();
        assert_eq!(found, expected, "{filter}");
    }
}
