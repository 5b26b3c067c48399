//! Wills: published when a client is lost, not when it takes its leave.

use midge_codec::{ReasonCode, Text};
use midge_tests::{Midge, Outgoing, QOS0, QOS1, QOS2, VERSIONS, message, text, will};

#[test]
fn the_will_of_a_lost_client_is_published() {
    let midge = Midge::start("");
    let mut watcher = midge.client("watcher");
    watcher.subscribe("wills/#", QOS2);
    for version in VERSIONS {
        for qos in [QOS0, QOS1, QOS2] {
            let topic = format!("wills/{version:?}");
            let mut last = will(&topic, "farewell");
            last.qos = qos;
            midge.dial(version, "mortal").will(last).connect().vanish();
            let published = watcher.expect(&topic, "farewell");
            // [MQTT-3.1.2-8], [MQTT-3.1.2-14]
            assert_eq!((published.qos, published.retain), (qos, false));
        }
    }
}

#[test]
fn the_will_of_a_client_that_takes_its_leave_is_not_published() {
    let midge = Midge::start("");
    let mut watcher = midge.client("watcher");
    watcher.subscribe("wills/#", QOS0);
    for version in VERSIONS {
        let topic = format!("wills/{version:?}");
        midge.dial(version, "mortal").will(will(&topic, "farewell")).connect().disconnect();
        // [MQTT-3.14.4-3], [MQTT-3.1.2-10], 3.1.1: [MQTT-3.1.2-12]
        midge.dial(version, "mortal").connect().vanish();
        midge.client("after").publish(message("wills/after", "nothing came"));
        watcher.expect("wills/after", "nothing came");
    }
}

#[test]
fn a_client_may_take_its_leave_and_have_its_will_published() {
    let midge = Midge::start("");
    let mut watcher = midge.client("watcher");
    watcher.subscribe("wills/#", QOS0);
    for reason in [ReasonCode::DisconnectWithWill, ReasonCode::UnspecifiedError] {
        let client = midge.v5("mortal").will(will("wills/x", "farewell")).connect();
        client.disconnect_with(reason, None);
        watcher.expect("wills/x", "farewell");
    }
}

#[test]
fn a_retained_will_is_there_for_later_subscribers() {
    let midge = Midge::start("");
    for version in VERSIONS {
        let topic = format!("wills/{version:?}");
        let mut last = will(&topic, "offline");
        last.retain = true;
        let mut watcher = midge.client("watcher");
        watcher.subscribe(&topic, QOS0);
        midge.dial(version, "mortal").will(last).connect().vanish();
        assert!(!watcher.expect(&topic, "offline").retain);
        // [MQTT-3.1.2-15], 3.1.1: [MQTT-3.1.2-17]
        let mut late = midge.client("late");
        late.subscribe(&topic, QOS0);
        assert!(late.expect(&topic, "offline").retain);
    }
}

#[test]
fn the_will_of_a_client_that_broke_the_protocol_is_published() {
    let midge = Midge::start("");
    let mut watcher = midge.client("watcher");
    watcher.subscribe("wills/#", QOS0);
    for version in VERSIONS {
        let topic = format!("wills/{version:?}");
        let mut client = midge.dial(version, "mortal").will(will(&topic, "farewell")).connect();
        client.send_bytes(&[0x00, 0x00]);
        client.closed();
        watcher.expect(&topic, "farewell");
    }
}

#[test]
fn the_will_of_a_client_taken_over_is_published() {
    let midge = Midge::start("");
    let mut watcher = midge.client("watcher");
    watcher.subscribe("wills/#", QOS0);
    for version in VERSIONS {
        let topic = format!("wills/{version:?}");
        let mut first = midge.dial(version, "same").will(will(&topic, "farewell")).connect();
        let _second = midge.dial(version, "same").connect();
        first.closed();
        watcher.expect(&topic, "farewell");
    }
}

#[test]
fn a_delayed_will_is_not_published_when_the_client_is_back_in_time() {
    let midge = Midge::start("");
    let mut watcher = midge.client("watcher");
    watcher.subscribe("wills/#", QOS0);
    let mut last = will("wills/late", "too hasty");
    last.properties.will_delay_interval = Some(3600);
    midge.v5("mortal").persistent().will(last).connect().vanish();
    // [MQTT-3.1.3-9]
    let client = midge.v5("mortal").persistent().connect();
    assert!(client.session_present());
    client.disconnect();
    midge.client("after").publish(message("wills/after", "nothing came"));
    watcher.expect("wills/after", "nothing came");
}

#[test]
fn a_delayed_will_is_published_when_its_time_has_come() {
    let midge = Midge::start("");
    let mut watcher = midge.client("watcher");
    watcher.subscribe("wills/#", QOS0);
    let mut last = will("wills/late", "in the end");
    last.properties.will_delay_interval = Some(1);
    let started = std::time::Instant::now();
    midge.v5("mortal").persistent().will(last).connect().vanish();
    watcher.expect("wills/late", "in the end");
    assert!(started.elapsed() >= std::time::Duration::from_secs(1), "{:?}", started.elapsed());
    // The session lives on.
    assert!(midge.v5("mortal").persistent().connect().session_present());
}

#[test]
fn a_delayed_will_is_published_when_the_session_ends_before() {
    let midge = Midge::start("");
    let mut watcher = midge.client("watcher");
    watcher.subscribe("wills/#", QOS0);
    let mut last = will("wills/late", "the session has ended");
    last.properties.will_delay_interval = Some(3600);
    midge.v5("mortal").persistent().will(last.clone()).connect().vanish();
    // A clean start ends it.
    midge.v5("mortal").connect().disconnect();
    watcher.expect("wills/late", "the session has ended");
    // So does a connection without expiry.
    midge.v5("mortal").will(last).connect().vanish();
    watcher.expect("wills/late", "the session has ended");
}

#[test]
fn the_properties_of_a_will_are_published_with_it_in_their_order() {
    let midge = Midge::start("");
    let mut watcher = midge.client("watcher");
    watcher.subscribe("wills/#", QOS0);
    let pairs: Vec<(Text, Text)> =
        [("b", "1"), ("a", "2"), ("b", "1")].map(|(name, value)| (text(name), text(value))).into();
    let mut last = will("wills/rich", "farewell");
    last.properties.publish.user_properties = pairs;
    last.properties.publish.content_type = Some(text("text/plain"));
    last.properties.publish.payload_format_indicator = Some(1);
    last.properties.publish.response_topic = Some(midge_tests::topic("answer/here"));
    last.properties.publish.correlation_data = Some(bytes::Bytes::from_static(&[0, 1, 255]));
    last.properties.publish.message_expiry_interval = Some(600);
    let expected = last.properties.publish.clone();
    midge.v5("mortal").will(last).connect().vanish();
    let published = watcher.expect("wills/rich", "farewell");
    let mut properties = *published.properties.expect("properties");
    assert!(properties.message_expiry_interval.is_some_and(|seconds| seconds <= 600));
    properties.message_expiry_interval = Some(600);
    // [MQTT-3.1.3-10]
    assert_eq!(properties, expected);
}

#[test]
fn an_empty_will_is_published_too() {
    let midge = Midge::start("");
    let mut watcher = midge.client("watcher");
    watcher.subscribe("wills/#", QOS0);
    for version in VERSIONS {
        midge.dial(version, "mortal").will(will("wills/empty", "")).connect().vanish();
        watcher.expect("wills/empty", "");
    }
}

#[test]
fn who_comes_speaks_and_takes_leave_in_one_write_has_done_so_though_the_next_one_takes_over() {
    const COUNT: usize = 300;
    let midge = Midge::start("");
    let mut watcher = midge.client("watcher");
    watcher.subscribe("#", QOS0);
    let string = |text: &str| [&(text.len() as u16).to_be_bytes()[..], text.as_bytes()].concat();
    // CONNECT of 3.1.1: clean session, a will at QoS 0, 60 seconds.
    let head = [&string("MQTT")[..], &[4, 0b0000_0110, 0, 60]].concat();
    let connect = [head, string("same"), string("will"), string("lost")].concat();
    for number in 0..COUNT {
        let publish = [string(&format!("said/{number}")), b"x".to_vec()].concat();
        let mut bytes = vec![0x10, connect.len() as u8];
        bytes.extend(&connect);
        bytes.extend([0x30, publish.len() as u8]);
        bytes.extend(&publish);
        bytes.extend([0xe0, 0]);
        midge.raw().send_bytes(&bytes);
    }
    // Connections are served in any order. [MQTT-3.14.4-3]: none of the clients is lost.
    let mut said: Vec<String> = (0..COUNT).map(|_| watcher.message().name().to_owned()).collect();
    said.sort_by_key(|topic| topic.strip_prefix("said/").and_then(|n| n.parse::<usize>().ok()));
    let expected: Vec<String> = (0..COUNT).map(|number| format!("said/{number}")).collect();
    assert_eq!(said, expected);
}
