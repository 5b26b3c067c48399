//! Order: what one publisher sends to a topic arrives in that order.

use midge_codec::Packet;
use midge_tests::{Midge, Outgoing, QOS0, QOS1, QOS2, VERSIONS, message};

#[test]
fn messages_of_one_publisher_arrive_in_their_order_at_each_qos() {
    let midge = Midge::start("max_queued_messages 0");
    for version in VERSIONS {
        for qos in [QOS0, QOS1, QOS2] {
            let mut subscriber = midge.dial(version, "subscriber").connect();
            subscriber.subscribe("ordered/+", qos);
            let mut publisher = midge.dial(version, "publisher").connect();
            for number in 0..200 {
                let topic = format!("ordered/{}", number % 3);
                let publish = message(&topic, number.to_string()).qos(qos);
                publisher.publish(publish);
            }
            // [MQTT-4.6.0-5], [MQTT-4.6.0-6]
            for number in 0..200 {
                assert_eq!(subscriber.accept().said(), number.to_string(), "{version:?} {qos:?}");
            }
        }
    }
}

#[test]
fn a_queue_is_delivered_in_its_order_before_what_is_new() {
    let midge = Midge::start("max_inflight_messages 3");
    let mut subscriber = midge.v5("absent").persistent().connect();
    subscriber.subscribe("ordered", QOS1);
    subscriber.disconnect();
    let mut publisher = midge.client("publisher");
    for number in 0..50 {
        publisher.publish(message("ordered", number.to_string()).qos(QOS1));
    }
    let mut subscriber = midge.v5("absent").persistent().connect();
    for number in 50..60 {
        publisher.publish(message("ordered", number.to_string()).qos(QOS1));
    }
    for number in 0..60 {
        assert_eq!(subscriber.accept().said(), number.to_string());
    }
}

#[test]
fn messages_are_resent_in_the_order_they_were_sent_first() {
    let midge = Midge::start("");
    for version in VERSIONS {
        let name = format!("{version:?}");
        let mut subscriber = midge.dial(version, &name).persistent().connect();
        subscriber.subscribe("ordered", QOS2);
        let mut publisher = midge.client("publisher");
        let mut sent = Vec::new();
        for number in 0..10 {
            let qos = if number % 2 == 0 { QOS1 } else { QOS2 };
            publisher.publish(message("ordered", number.to_string()).qos(qos));
            sent.push(subscriber.message());
        }
        // An acknowledgement in between does not change the order of the rest.
        subscriber.acknowledge(&sent.remove(4));
        subscriber.ping();
        subscriber.vanish();
        let mut subscriber = midge.dial(version, &name).persistent().connect();
        for first in sent {
            let again = subscriber.message();
            // [MQTT-4.6.0-1]
            assert_eq!((again.said(), again.packet_id), (first.said(), first.packet_id));
            assert!(again.dup);
        }
    }
}

#[test]
fn acknowledgements_come_in_the_order_of_what_they_acknowledge() {
    let midge = Midge::start("");
    for version in VERSIONS {
        let mut publisher = midge.dial(version, "publisher").connect();
        let mut ids = Vec::new();
        for _ in 0..50 {
            ids.push(publisher.send_publish(message("t", "x").qos(QOS1)).expect("an id"));
        }
        let acknowledged: Vec<_> = publisher.pick_all(50, |packet| match packet {
            Packet::Puback(ack) => Some(ack.packet_id),
            _ => None,
        });
        // [MQTT-4.6.0-2]
        assert_eq!(acknowledged, ids);
        ids.clear();
        for _ in 0..50 {
            ids.push(publisher.send_publish(message("t", "x").qos(QOS2)).expect("an id"));
        }
        let received: Vec<_> = publisher.pick_all(50, |packet| match packet {
            Packet::Pubrec(ack) => Some(ack.packet_id),
            _ => None,
        });
        // [MQTT-4.6.0-3]
        assert_eq!(received, ids);
    }
}

#[test]
fn pubrels_come_in_the_order_of_the_pubrecs() {
    let midge = Midge::start("");
    for version in VERSIONS {
        let mut subscriber = midge.dial(version, "subscriber").connect();
        subscriber.subscribe("t", QOS2);
        let mut publisher = midge.client("publisher");
        for _ in 0..10 {
            publisher.publish(message("t", "x").qos(QOS2));
        }
        let mut ids: Vec<_> =
            (0..10).map(|_| subscriber.message().packet_id.expect("QoS 2")).collect();
        // Answered in another order than they came.
        ids.reverse();
        for packet_id in &ids {
            let reason = midge_codec::ReasonCode::Success;
            let ack = midge_codec::Ack { packet_id: *packet_id, reason, properties: None };
            subscriber.send(Packet::Pubrec(ack));
        }
        let released: Vec<_> = subscriber.pick_all(10, |packet| match packet {
            Packet::Pubrel(ack) => Some(ack.packet_id),
            _ => None,
        });
        // [MQTT-4.6.0-4]
        assert_eq!(released, ids);
    }
}

#[test]
fn many_publishers_keep_their_own_order_each() {
    let midge = Midge::start("max_queued_messages 0");
    let mut subscriber = midge.client("subscriber");
    subscriber.subscribe("from/#", QOS1);
    let publishers: Vec<_> = (0..8)
        .map(|publisher| {
            let mut client = midge.client(&format!("publisher{publisher}"));
            std::thread::spawn(move || {
                let topic = format!("from/{publisher}");
                for number in 0..100 {
                    client.publish(message(&topic, number.to_string()).qos(QOS1));
                }
            })
        })
        .collect();
    let mut next = [0; 8];
    for _ in 0..800 {
        let publish = subscriber.accept();
        let publisher: usize = publish.name()["from/".len()..].parse().expect("a number");
        assert_eq!(publish.said(), next[publisher].to_string(), "from {publisher}");
        next[publisher] += 1;
    }
    for publisher in publishers {
        publisher.join().expect("a publisher");
    }
}
