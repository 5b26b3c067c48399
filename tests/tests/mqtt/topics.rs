//! Topic Names and Topic Filters: matched byte for byte, however strange.

use midge_codec::{Packet, ProtocolVersion, ReasonCode};
use midge_tests::{Midge, Outgoing, QOS0, QOS1, VERSIONS, message};

/// Subscribes to `filter`, publishes to `topics` and to the end; returns those that came.
fn matched(
    midge: &Midge,
    version: midge_codec::ProtocolVersion,
    filter: &str,
    topics: &[&str],
) -> Vec<String> {
    let mut subscriber = midge.dial(version, "subscriber").connect();
    subscriber.subscribe("end/of/the/test", QOS1);
    assert!(!subscriber.subscribe(filter, QOS1).is_error(), "{filter}");
    let mut publisher = midge.dial(version, "publisher").connect();
    for topic in topics {
        publisher.publish(message(topic, "x").qos(QOS1));
    }
    publisher.publish(message("end/of/the/test", "x").qos(QOS1));
    let mut found = Vec::new();
    loop {
        let publish = subscriber.accept();
        if publish.name() == "end/of/the/test" {
            return found;
        }
        found.push(publish.name().to_owned());
    }
}

#[test]
fn wildcards_match_levels() {
    let midge = Midge::start("");
    let topics = [
        "sport",
        "sport/",
        "/sport",
        "sport/tennis",
        "sport/tennis/p1",
        "sport/tennis/p1/score",
        "sport//p1",
        "/",
        "//",
        "a/sport",
    ];
    for version in VERSIONS {
        for (filter, expected) in [
            ("sport/tennis/+", &["sport/tennis/p1"][..]),
            ("sport/+", &["sport/", "sport/tennis"]),
            ("sport/+/p1", &["sport/tennis/p1", "sport//p1"]),
            ("+/+", &["sport/", "/sport", "sport/tennis", "/", "a/sport"]),
            ("/+", &["/sport", "/"]),
            ("+", &["sport"]),
            ("/#", &["/sport", "/", "//"]),
            ("sport/tennis/#", &["sport/tennis", "sport/tennis/p1", "sport/tennis/p1/score"]),
            ("+/tennis/#", &["sport/tennis", "sport/tennis/p1", "sport/tennis/p1/score"]),
            ("//", &["//"]),
        ] {
            // [MQTT-4.7.1-1], [MQTT-4.7.1-2]
            assert_eq!(matched(&midge, version, filter, &topics), expected, "{filter}");
        }
    }
}

#[test]
fn topics_are_compared_as_they_are_written() {
    let midge = Midge::start("");
    // The same letter composed and decomposed; spaces; a byte order mark; case. [MQTT-4.7.3-4]
    let topics = ["ångström", "a\u{30a}ngström", "Ångström", " ångström", "\u{feff}ångström"];
    for version in VERSIONS {
        for topic in topics {
            assert_eq!(matched(&midge, version, topic, &topics), [topic]);
        }
    }
}

#[test]
fn topics_of_any_script_arrive_byte_for_byte() {
    let midge = Midge::start("");
    let topics = [
        "температура/кухня",
        "温度/厨房",
        "حرارة/مطبخ",
        "🌡/🍳",
        "é",
        "\u{10fffd}/\u{fffd}",
        "ß$/%20",
        "a b/c d",
        "𝄞/+-#-".trim_end_matches("+-#-"),
    ];
    for version in VERSIONS {
        for topic in topics {
            let mut subscriber = midge.dial(version, "subscriber").connect();
            for filter in [topic, "#"] {
                subscriber.subscribe(filter, QOS0);
                midge.client("publisher").publish(message(topic, "payload in 日本語"));
                subscriber.expect(topic, "payload in 日本語");
                subscriber.unsubscribe(&[filter]);
            }
        }
    }
}

#[test]
fn a_byte_order_mark_is_kept() {
    let midge = Midge::start("");
    for version in VERSIONS {
        // [MQTT-1.5.4-3]
        let topic = "\u{feff}a\u{feff}";
        assert_eq!(matched(&midge, version, topic, &[topic, "a"]), [topic]);
    }
}

#[test]
fn wildcards_at_the_front_leave_out_topics_that_begin_with_a_dollar() {
    let midge = Midge::start("sys_interval 1");
    for version in VERSIONS {
        let mut all = midge.dial(version, "all").connect();
        for filter in ["#", "+/#", "+/broker/#", "+/broker/version"] {
            all.subscribe(filter, QOS0);
        }
        let mut sys = midge.dial(version, "sys").connect();
        sys.subscribe("$SYS/#", QOS0);
        // Both retained ones and those that come as time goes by. [MQTT-4.7.2-1]
        for _ in 0..20 {
            assert!(sys.accept().name().starts_with("$SYS/"));
        }
        midge.client("publisher").publish(message("plain", "x"));
        all.expect("plain", "x");
    }
}

#[test]
fn other_topics_with_a_dollar_are_like_any_other_for_who_names_them() {
    let midge = Midge::start("");
    let topics = ["$mine/a", "$mine/b", "mine/a"];
    for version in VERSIONS {
        assert_eq!(matched(&midge, version, "$mine/+", &topics), ["$mine/a", "$mine/b"]);
        assert_eq!(matched(&midge, version, "+/a", &topics), ["mine/a"]);
    }
}

#[test]
fn nobody_publishes_under_sys() {
    let midge = Midge::start("");
    let mut watcher = midge.client("watcher");
    watcher.subscribe("$SYS/forged", QOS0);
    watcher.subscribe("end", QOS0);
    for version in VERSIONS {
        let mut forger = midge.dial(version, "forger").connect();
        forger.publish(message("$SYS/forged", "x").retained().qos(QOS1));
        forger.publish(message("end", "x"));
        watcher.expect("end", "x");
    }
}

#[test]
fn the_longest_topic_arrives() {
    let midge = Midge::start("");
    let topic = "t".repeat(65_535);
    for version in VERSIONS {
        let mut subscriber = midge.dial(version, "subscriber").connect();
        // [MQTT-4.7.3-3]
        assert!(!subscriber.subscribe(&topic, QOS0).is_error());
        midge.client("publisher").publish(message(&topic, "x"));
        subscriber.expect(&topic, "x");
    }
}

#[test]
fn very_deep_topics_overflow_nothing() {
    let midge = Midge::start("");
    let deep = "/".repeat(65_535);
    for version in VERSIONS {
        let mut client = midge.dial(version, "deep").connect();
        let mut witness = midge.client("witness");
        // Whether it is refused is the broker's to decide, but it goes on serving.
        client.send_publish(message(&deep, "x").retained());
        let packet_id = client.fresh_id();
        for filter in [&deep, &"+/".repeat(32_767), &format!("{}#", "a/".repeat(32_767))] {
            client.send(Packet::Subscribe(midge_codec::Subscribe {
                packet_id,
                properties: Default::default(),
                subscriptions: vec![(midge_tests::filter(filter), midge_tests::options(QOS0))],
            }));
        }
        witness.ping();
        witness.subscribe("#", QOS0);
        witness.publish(message("still/here", "x"));
        let mut seen = witness.accept();
        // The deep one may have been retained.
        if seen.retain {
            seen = witness.accept();
        }
        assert_eq!(seen.name(), "still/here");
    }
}

#[test]
fn a_filter_deeper_than_the_limit_is_refused_alone() {
    let midge = Midge::start("");
    for version in VERSIONS {
        let mut client = midge.dial(version, "deep").connect();
        let deep = "a/".repeat(5_000);
        let subscriptions = [deep.as_str(), "shallow"]
            .map(|filter| (midge_tests::filter(filter), midge_tests::options(QOS0)));
        let reasons = client.subscribe_all(subscriptions.into(), Default::default());
        // 3.1 has no failure code: granted, and silent.
        assert_eq!(reasons[0].is_error(), version > ProtocolVersion::V31, "{reasons:?}");
        assert_eq!(reasons[1], ReasonCode::Success);
        client.publish(message(&deep, "too deep"));
        client.publish(message("shallow", "x"));
        client.expect("shallow", "x");
    }
}
