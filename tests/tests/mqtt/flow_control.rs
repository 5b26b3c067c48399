//! Receive Maximum and the window of messages in flight.

use midge_codec::{Packet, ReasonCode};
use midge_tests::{Client, Midge, Outgoing, QOS0, QOS1, QOS2, message};

/// A subscriber that takes two messages at a time.
fn narrow(midge: &Midge) -> Client {
    let dial = midge.v5("narrow").with(|properties| properties.receive_maximum = Some(2));
    let mut client = dial.connect();
    client.subscribe("t", QOS2);
    client
}

fn publishes(packets: &[Packet]) -> usize {
    packets.iter().filter(|packet| matches!(packet, Packet::Publish(_))).count()
}

#[test]
fn no_more_messages_are_in_flight_than_the_client_takes() {
    let midge = Midge::start("");
    for qos in [QOS1, QOS2] {
        let mut subscriber = narrow(&midge);
        let mut publisher = midge.client("publisher");
        for number in 0..6 {
            publisher.publish(message("t", number.to_string()).qos(qos));
        }
        let mut received = 0;
        while received < 6 {
            let window = [subscriber.message(), subscriber.message()];
            // [MQTT-3.3.4-9], [MQTT-4.9.0-2]: no third one.
            assert_eq!(publishes(&subscriber.unread()), 0);
            for publish in &window {
                assert_eq!(publish.said(), received.to_string());
                received += 1;
                subscriber.acknowledge(publish);
            }
        }
    }
}

#[test]
fn a_full_window_holds_back_nothing_but_messages_of_qos_1_and_2() {
    let midge = Midge::start("");
    let mut subscriber = narrow(&midge);
    let mut publisher = midge.client("publisher");
    for number in 0..4 {
        publisher.publish(message("t", number.to_string()).qos(QOS1));
    }
    let first = subscriber.message();
    subscriber.message();
    // [MQTT-3.3.4-10], [MQTT-4.9.0-3]: its own requests are answered all the same.
    subscriber.ping();
    assert_eq!(subscriber.subscribe("other", QOS0), ReasonCode::Success);
    assert!(!subscriber.publish(message("elsewhere", "x").qos(QOS2)).is_error());
    publisher.publish(message("other", "urgent"));
    subscriber.expect("other", "urgent");
    // And one acknowledgement lets one more out.
    subscriber.acknowledge(&first);
    assert_eq!(subscriber.message().said(), "2");
}

#[test]
fn the_window_is_open_again_for_what_is_resent() {
    let midge = Midge::start("");
    let dial = || {
        let dial = midge.v5("narrow").persistent();
        dial.with(|properties| properties.receive_maximum = Some(2))
    };
    let mut subscriber = dial().connect();
    subscriber.subscribe("t", QOS1);
    let mut publisher = midge.client("publisher");
    for number in 0..3 {
        publisher.publish(message("t", number.to_string()).qos(QOS1));
    }
    subscriber.message();
    subscriber.message();
    subscriber.vanish();
    // [MQTT-4.9.0-1]: the quota begins anew with each connection.
    let mut subscriber = dial().connect();
    let again = [subscriber.message(), subscriber.message()];
    assert!(again.iter().all(|publish| publish.dup));
    assert_eq!(publishes(&subscriber.unread()), 0);
    subscriber.acknowledge(&again[0]);
    assert_eq!(subscriber.message().said(), "2");
}

#[test]
fn the_window_the_operator_sets_holds_for_every_version() {
    let midge = Midge::start("max_inflight_messages 1");
    for version in midge_tests::VERSIONS {
        let mut subscriber = midge.dial(version, "narrow").connect();
        subscriber.subscribe("t", QOS1);
        let mut publisher = midge.client("publisher");
        publisher.publish(message("t", "one").qos(QOS1));
        publisher.publish(message("t", "two").qos(QOS1));
        let one = subscriber.message();
        assert_eq!(publishes(&subscriber.unread()), 0, "{version:?}");
        subscriber.acknowledge(&one);
        subscriber.expect("t", "two");
    }
}

#[test]
fn a_receive_maximum_of_zero_is_a_protocol_error() {
    let midge = Midge::start("");
    let mut raw = midge.raw();
    raw.send_bytes(b"\x10\x11\0\x04MQTT\x05\x02\0\x3c\x03\x21\0\0\0\x01c");
    let answer = raw.closed();
    assert!(answer.is_empty() || matches!(answer[..], [0x20, _, 0, 0x82, ..]), "{answer:?}");
}
