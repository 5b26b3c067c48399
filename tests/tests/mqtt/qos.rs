//! The exchanges of QoS 1 and 2, in both directions, whole and interrupted.

use std::num::NonZeroU16;

use midge_codec::{Ack, Packet, PacketId, ReasonCode};
use midge_tests::{Client, Midge, Outgoing, QOS0, QOS1, QOS2, VERSIONS, message};

fn id(number: u16) -> PacketId {
    NonZeroU16::new(number).expect("a packet id")
}

fn ack(packet_id: PacketId) -> Ack {
    Ack { packet_id, reason: ReasonCode::Success, properties: None }
}

fn refusing(packet_id: PacketId) -> Ack {
    Ack { packet_id, reason: ReasonCode::UnspecifiedError, properties: None }
}

fn pair(
    midge: &Midge,
    version: midge_codec::ProtocolVersion,
    qos: midge_codec::QoS,
) -> [Client; 2] {
    let mut subscriber = midge.dial(version, "subscriber").connect();
    subscriber.subscribe("t", qos);
    [midge.dial(version, "publisher").connect(), subscriber]
}

#[test]
fn a_message_is_delivered_at_the_lower_of_published_and_granted_qos() {
    let midge = Midge::start("");
    for version in VERSIONS {
        for granted in [QOS0, QOS1, QOS2] {
            let [mut publisher, mut subscriber] = pair(&midge, version, granted);
            for published in [QOS0, QOS1, QOS2] {
                publisher.publish(message("t", "x").qos(published));
                let publish = subscriber.accept();
                // [MQTT-3.8.4-8], 3.1.1: [MQTT-3.8.4-6]
                assert_eq!(publish.qos, published.min(granted), "{version:?}");
                // [MQTT-4.3.1-1], [MQTT-4.3.2-2], [MQTT-4.3.3-2], [MQTT-2.2.1-2]
                assert!(!publish.dup);
                assert_eq!(publish.packet_id.is_some(), publish.qos != QOS0);
            }
        }
    }
}

#[test]
fn each_qos_is_acknowledged_in_its_own_way_with_the_same_packet_id() {
    let midge = Midge::start("");
    for version in VERSIONS {
        let mut client = midge.dial(version, "publisher").connect();
        client.send_publish(message("t", "x"));
        client.send_publish(message("t", "x").qos(QOS1).id(0x1234));
        client.send_publish(message("t", "x").qos(QOS2).id(0xfedc));
        assert!(!client.puback(id(0x1234)).is_error());
        assert!(!client.pubrec(id(0xfedc)).is_error());
        client.send(Packet::Pubrel(ack(id(0xfedc))));
        // [MQTT-4.3.3-11], [MQTT-2.2.1-5]
        assert_eq!(client.pubcomp(id(0xfedc)), ReasonCode::Success);
        // Nothing was sent for QoS 0. [MQTT-3.3.4-1]
        assert_eq!(client.unread(), []);
    }
}

#[test]
fn packet_ids_may_be_used_again_once_acknowledged() {
    let midge = Midge::start("");
    for version in VERSIONS {
        let [mut publisher, mut subscriber] = pair(&midge, version, QOS2);
        for qos in [QOS1, QOS2] {
            for round in ["first", "second", "third"] {
                // [MQTT-4.3.2-5], [MQTT-4.3.3-12]: a new message each time, whatever DUP says.
                let publish = message("t", round).qos(qos).id(7);
                let publish = if round == "third" { publish.duplicate() } else { publish };
                publisher.publish(publish);
                subscriber.expect("t", round);
            }
        }
    }
}

#[test]
fn a_message_of_qos_2_sent_twice_before_its_pubrel_is_delivered_once() {
    let midge = Midge::start("");
    for version in VERSIONS {
        let [mut publisher, mut subscriber] = pair(&midge, version, QOS2);
        publisher.send_publish(message("t", "once").qos(QOS2).id(9));
        publisher.pubrec(id(9));
        publisher.send_publish(message("t", "once").qos(QOS2).id(9).duplicate());
        // [MQTT-4.3.3-10]
        publisher.pubrec(id(9));
        publisher.send(Packet::Pubrel(ack(id(9))));
        publisher.pubcomp(id(9));
        publisher.publish(message("t", "after").qos(QOS2));
        subscriber.expect("t", "once");
        subscriber.expect("t", "after");
    }
}

#[test]
fn a_message_of_qos_2_sent_again_after_a_reconnect_is_delivered_once() {
    let midge = Midge::start("");
    for version in VERSIONS {
        let mut subscriber = midge.dial(version, "subscriber").connect();
        subscriber.subscribe("t", QOS2);
        let name = format!("publisher{version:?}");
        let mut publisher = midge.dial(version, &name).persistent().connect();
        publisher.send_publish(message("t", "once").qos(QOS2).id(9));
        publisher.pubrec(id(9));
        publisher.vanish();
        let mut publisher = midge.dial(version, &name).persistent().connect();
        publisher.send_publish(message("t", "once").qos(QOS2).id(9).duplicate());
        publisher.pubrec(id(9));
        publisher.vanish();
        let mut publisher = midge.dial(version, &name).persistent().connect();
        publisher.send(Packet::Pubrel(ack(id(9))));
        assert_eq!(publisher.pubcomp(id(9)), ReasonCode::Success);
        publisher.publish(message("t", "after").qos(QOS2));
        subscriber.expect("t", "once");
        subscriber.expect("t", "after");
    }
}

#[test]
fn a_pubrel_of_an_unknown_packet_id_is_answered() {
    let midge = Midge::start("");
    for version in VERSIONS {
        let mut client = midge.dial(version, "confused").connect();
        client.send(Packet::Pubrel(ack(id(77))));
        let expected = match version {
            midge_codec::ProtocolVersion::V5 => ReasonCode::PacketIdentifierNotFound,
            _ => ReasonCode::Success,
        };
        assert_eq!(client.pubcomp(id(77)), expected);
    }
}

#[test]
fn acknowledgements_of_nothing_harm_nobody() {
    let midge = Midge::start("");
    for version in VERSIONS {
        let [mut publisher, mut subscriber] = pair(&midge, version, QOS2);
        subscriber.send(Packet::Puback(ack(id(500))));
        subscriber.send(Packet::Pubcomp(ack(id(501))));
        subscriber.ping();
        publisher.publish(message("t", "x").qos(QOS2));
        subscriber.expect("t", "x");
    }
}

#[test]
fn unacknowledged_publish_is_resent_with_dup_after_reconnect() {
    let midge = Midge::start("");
    for version in VERSIONS {
        for qos in [QOS1, QOS2] {
            let name = format!("{version:?}{qos:?}");
            let mut subscriber = midge.dial(version, &name).persistent().connect();
            subscriber.subscribe("t", qos);
            let mut publisher = midge.client("publisher");
            publisher.publish(message("t", "again").qos(qos));
            let first = subscriber.message();
            assert!(!first.dup);
            // [MQTT-4.4.0-1]: not before a reconnect.
            assert_eq!(subscriber.unread(), []);
            subscriber.vanish();
            let mut subscriber = midge.dial(version, &name).persistent().connect();
            let second = subscriber.message();
            // [MQTT-3.3.1-1], [MQTT-4.3.2-3], [MQTT-4.3.3-3]
            assert!(second.dup, "{version:?} {qos:?}");
            assert_eq!(second.packet_id, first.packet_id);
            assert_eq!(second.payload, first.payload);
            subscriber.acknowledge(&second);
            subscriber.ping();
            subscriber.vanish();
            let mut subscriber = midge.dial(version, &name).persistent().connect();
            assert_eq!(subscriber.unread(), []);
        }
    }
}

#[test]
fn unacknowledged_pubrel_is_resent_after_reconnect_and_the_publish_is_not() {
    let midge = Midge::start("");
    for version in VERSIONS {
        let name = format!("{version:?}");
        let mut subscriber = midge.dial(version, &name).persistent().connect();
        subscriber.subscribe("t", QOS2);
        midge.client("publisher").publish(message("t", "x").qos(QOS2));
        let publish = subscriber.message();
        let packet_id = publish.packet_id.expect("QoS 2");
        subscriber.send(Packet::Pubrec(ack(packet_id)));
        // [MQTT-4.3.3-4]
        assert_eq!(subscriber.pubrel(packet_id), ReasonCode::Success);
        subscriber.vanish();
        let mut subscriber = midge.dial(version, &name).persistent().connect();
        // [MQTT-4.3.3-5], [MQTT-4.3.3-6]
        assert_eq!(subscriber.unread(), [Packet::Pubrel(ack(packet_id))], "{version:?}");
        subscriber.send(Packet::Pubcomp(ack(packet_id)));
        subscriber.ping();
        subscriber.vanish();
        let mut subscriber = midge.dial(version, &name).persistent().connect();
        assert_eq!(subscriber.unread(), []);
    }
}

#[test]
fn a_message_of_qos_2_that_was_sent_does_not_expire() {
    let midge = Midge::start("");
    let mut subscriber = midge.v5("slow").persistent().connect();
    subscriber.subscribe("t", QOS2);
    let publish = message("t", "brief").qos(QOS2);
    let publish = publish.with(|set| set.message_expiry_interval = Some(1));
    midge.client("publisher").publish(publish);
    let first = subscriber.message();
    subscriber.vanish();
    // A will that is delayed longer than the message lives says when its time is over.
    let mut watcher = midge.client("watcher");
    watcher.subscribe("clock", QOS0);
    let mut clock = midge_tests::will("clock", "x");
    clock.properties.will_delay_interval = Some(2);
    midge.v5("clock").persistent().will(clock).connect().vanish();
    watcher.expect("clock", "x");
    let mut subscriber = midge.v5("slow").persistent().connect();
    // [MQTT-4.3.3-7], [MQTT-4.3.3-13]
    let again = subscriber.message();
    assert_eq!((again.packet_id, again.dup), (first.packet_id, true));
    subscriber.acknowledge(&again);
}

#[test]
fn a_puback_of_refusal_settles_the_message() {
    let midge = Midge::start("");
    let mut subscriber = midge.v5("picky").persistent().connect();
    subscriber.subscribe("t", QOS2);
    let mut publisher = midge.client("publisher");
    publisher.publish(message("t", "one").qos(QOS1));
    publisher.publish(message("t", "two").qos(QOS2));
    let one = subscriber.message();
    let two = subscriber.message();
    subscriber.send(Packet::Puback(refusing(one.packet_id.expect("QoS 1"))));
    // No PUBREL answers a PUBREC that refuses, and nothing is resent. [MQTT-4.4.0-2]
    subscriber.send(Packet::Pubrec(refusing(two.packet_id.expect("QoS 2"))));
    assert_eq!(subscriber.unread(), []);
    subscriber.vanish();
    let mut subscriber = midge.v5("picky").persistent().connect();
    assert_eq!(subscriber.unread(), []);
}

#[test]
fn dup_of_a_publisher_is_not_passed_on() {
    let midge = Midge::start("");
    for version in VERSIONS {
        let [mut publisher, mut subscriber] = pair(&midge, version, QOS1);
        publisher.publish(message("t", "x").qos(QOS1).duplicate());
        // [MQTT-3.3.1-3]
        assert!(!subscriber.accept().dup);
    }
}

#[test]
fn messages_in_flight_have_different_packet_ids_that_are_not_zero() {
    let midge = Midge::start("");
    let [mut publisher, mut subscriber] = pair(&midge, VERSIONS[2], QOS2);
    for number in 0..10 {
        let qos = if number % 2 == 0 { QOS1 } else { QOS2 };
        publisher.publish(message("t", "x").qos(qos));
    }
    let in_flight: Vec<_> = (0..10).map(|_| subscriber.message()).collect();
    let mut ids: Vec<_> = in_flight.iter().filter_map(|publish| publish.packet_id).collect();
    ids.sort_unstable();
    ids.dedup();
    // [MQTT-2.2.1-4]
    assert_eq!(ids.len(), 10);
}

#[test]
fn a_message_of_qos_2_reaches_every_subscriber_at_its_own_qos() {
    let midge = Midge::start("");
    let mut subscribers: Vec<Client> = Vec::new();
    for (number, qos) in [QOS0, QOS1, QOS2].into_iter().enumerate() {
        let mut subscriber = midge.client(&format!("subscriber{number}"));
        subscriber.subscribe("t", qos);
        subscribers.push(subscriber);
    }
    midge.client("publisher").publish(message("t", "to all").qos(QOS2));
    for (subscriber, qos) in subscribers.iter_mut().zip([QOS0, QOS1, QOS2]) {
        // [MQTT-4.5.0-1]
        assert_eq!(subscriber.expect("t", "to all").qos, qos);
    }
}

#[test]
fn repeated_publishes_of_qos_2_without_pubrel_are_bounded() {
    let midge = Midge::start("");
    let mut client = midge.client("careless");
    let allowed = client.connack().properties.receive_maximum.unwrap_or(u16::MAX);
    for number in 1..=allowed {
        client.send_publish(message("t", "x").qos(QOS2).id(number));
    }
    client.pubrec(id(allowed));
    client.send_publish(message("t", "x").qos(QOS2).id(allowed + 1));
    // [MQTT-3.3.4-7]
    client.dropped(ReasonCode::ReceiveMaximumExceeded);
}

#[test]
fn a_publish_to_nobody_may_say_so() {
    let midge = Midge::start("");
    let mut client = midge.client("lonely");
    for qos in [QOS1, QOS2] {
        let reason = client.publish(message("nobody/listens", "x").qos(qos));
        let listed = [ReasonCode::Success, ReasonCode::NoMatchingSubscribers];
        // [MQTT-3.4.2-1], [MQTT-3.5.2-1]
        assert!(listed.contains(&reason), "{reason}");
    }
}
