//! To a client: flow control, resending, packet size, aliases, expiry.

use std::time::Duration;

use midge_codec::{Packet, Publish, QoS, ReasonCode};
use midge_core::Limits;

use crate::harness::{
    Broker, V5, V311, ack, ack_of, expiring, id, message, numbered, retained, stays,
};

const QOS: [QoS; 3] = [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce];

fn puback(publish: &Publish) -> Packet {
    Packet::Puback(ack_of(publish))
}

#[test]
fn acknowledgements_out_of_order_before_a_smaller_window_do_no_harm() {
    let mut broker = Broker::new();
    let subscriber = broker.resume("s", V5);
    broker.subscribe(subscriber, "t", QoS::AtLeastOnce);
    let publisher = broker.connect("p", V5);
    // The first one fills the output, so that nothing behind it is looked at.
    let payloads = ["x".repeat(100_000), "2".to_owned(), "3".to_owned()];
    for (number, payload) in (1..).zip(&payloads) {
        broker.publish(publisher, numbered("t", QoS::AtLeastOnce, payload, number));
    }
    let sent = broker.read_publishes(subscriber);
    broker.send(subscriber, puback(&sent[1]));
    broker.lose(subscriber);
    let subscriber = broker.attach("s", V5, |connect| {
        stays(connect);
        connect.properties.receive_maximum = Some(1);
    });
    // Acknowledged before it can have been read: not fair, but possible.
    broker.send(subscriber, puback(&sent[0]));
    broker.connack(subscriber);
    let again = broker.read_publishes(subscriber);
    assert_eq!(again.len(), 2);
    assert!(again.iter().all(|publish| publish.dup), "[MQTT-3.3.1-1]");
    broker.send(subscriber, puback(&again[1]));
    assert!(broker.read(subscriber).is_empty());
    assert_eq!(broker.stats().inflight, 0);
}

#[test]
fn no_more_is_under_way_than_the_clients_receive_maximum() {
    let mut broker = Broker::new();
    let subscriber =
        broker.connect_with("s", V5, |connect| connect.properties.receive_maximum = Some(2));
    broker.subscribe(subscriber, "t", QoS::ExactlyOnce);
    let publisher = broker.connect("p", V5);
    for number in 1..=3 {
        broker.publish(publisher, numbered("t", QoS::ExactlyOnce, &number.to_string(), number));
        broker.send(publisher, Packet::Pubrel(ack(number)));
    }
    let sent = broker.read_publishes(subscriber);
    assert_eq!(sent.len(), 2, "[MQTT-3.3.4-9]");
    broker.publish(publisher, message("t", QoS::AtMostOnce, "free"));
    assert_eq!(broker.read_payloads(subscriber), ["free"], "QoS 0 costs nothing [MQTT-3.3.4-10]");
    broker.send(subscriber, Packet::Pubrec(ack_of(&sent[0])));
    assert!(broker.read_publishes(subscriber).is_empty(), "PUBREC does not end the exchange");
    broker.send(subscriber, Packet::Pubcomp(ack_of(&sent[0])));
    assert_eq!(broker.read_payloads(subscriber), ["3"]);
    let refused = midge_codec::Ack { reason: ReasonCode::UnspecifiedError, ..ack_of(&sent[1]) };
    broker.publish(publisher, numbered("t", QoS::AtLeastOnce, "4", 4));
    broker.send(subscriber, Packet::Pubrec(refused));
    assert_eq!(broker.read_payloads(subscriber), ["4"], "a refusing PUBREC ends it (4.9)");
}

#[test]
fn unacknowledged_publishes_and_pubrels_are_sent_again_in_order_after_reconnect() {
    for version in [V311, V5] {
        let mut broker = Broker::new();
        let subscriber = broker.resume("s", version);
        broker.subscribe(subscriber, "t", QoS::ExactlyOnce);
        let publisher = broker.connect("p", V5);
        for (number, qos) in [(1, QOS[1]), (2, QOS[2]), (3, QOS[2])] {
            broker.publish(publisher, numbered("t", qos, &number.to_string(), number));
        }
        let sent = broker.read_publishes(subscriber);
        broker.send(subscriber, Packet::Pubrec(ack_of(&sent[1])));
        broker.lose(subscriber);
        let subscriber = broker.resume("s", version);
        let again = broker.read(subscriber);
        let dup = |publish: &Publish| Packet::Publish(Publish { dup: true, ..publish.clone() });
        let pubrel = Packet::Pubrel(ack_of(&sent[1]));
        assert_eq!(again, [dup(&sent[0]), pubrel, dup(&sent[2])], "[MQTT-4.4.0-1], {version:?}");
    }
}

#[test]
fn a_message_sent_again_is_within_the_new_connections_maximum_packet_size() {
    for qos in [QoS::AtLeastOnce, QoS::ExactlyOnce] {
        let mut broker = Broker::new();
        let subscriber = broker.resume("s", V5);
        broker.subscribe(subscriber, "t", qos);
        let publisher = broker.connect("p", V5);
        broker.publish(publisher, numbered("t", qos, &"x".repeat(500), 1));
        broker.publish(publisher, numbered("t", qos, "small", 2));
        assert_eq!(broker.read_publishes(subscriber).len(), 2);
        broker.lose(subscriber);
        let subscriber = broker.connect_with("s", V5, |connect| {
            stays(connect);
            connect.properties.maximum_packet_size = Some(100);
        });
        assert_eq!(broker.read_payloads(subscriber), ["small"], "[MQTT-3.1.2-24]");
        assert_eq!(broker.stats().inflight, 1, "as if delivered [MQTT-3.1.2-25]");
        assert_eq!(broker.stats().dropped.too_large, 1);
    }
}

#[test]
fn what_waited_is_within_the_new_connections_maximum_packet_size() {
    let mut broker = Broker::new();
    let subscriber = broker.resume("s", V5);
    broker.subscribe(subscriber, "t", QoS::AtLeastOnce);
    broker.lose(subscriber);
    let publisher = broker.connect("p", V5);
    broker.publish(publisher, message("t", QoS::AtLeastOnce, &"x".repeat(500)));
    broker.publish(publisher, message("t", QoS::AtLeastOnce, "small"));
    let subscriber = broker.connect_with("s", V5, |connect| {
        stays(connect);
        connect.properties.maximum_packet_size = Some(100);
    });
    assert_eq!(broker.read_payloads(subscriber), ["small"], "[MQTT-3.1.2-24]");
    let stats = broker.stats();
    assert_eq!((stats.dropped.too_large, stats.inflight, stats.queued), (1, 1, 0));
}

#[test]
fn a_message_does_not_overtake_those_that_wait_when_the_output_has_room_again() {
    let limits = Limits { max_inflight: 0, output_bytes: 1_024, ..Limits::default() };
    let mut broker = Broker::limited(limits);
    let subscriber = broker.connect("s", V5);
    broker.subscribe(subscriber, "t", QoS::AtLeastOnce);
    let publisher = broker.connect("p", V5);
    let mut sent = Vec::new();
    while broker.stats().queued < 2 {
        let payload = format!("{:0100}", sent.len());
        broker.publish(publisher, message("t", QoS::AtLeastOnce, &payload));
        sent.push(payload);
    }
    // Part of the output is written: there is room, but what waits has not moved up yet.
    broker.take_some(subscriber, 500);
    assert!(broker.waiting_bytes(subscriber) < 1_024 && broker.stats().queued == 2);
    broker.publish(publisher, message("t", QoS::AtLeastOnce, "last"));
    sent.push("last".to_owned());
    assert_eq!(broker.read_payloads(subscriber), sent, "[MQTT-4.6.0-6]");
}

#[test]
fn a_publish_of_just_the_maximum_packet_size_is_delivered() {
    // Header 2, topic 3, properties 1, payload 94.
    for aliases in [None, Some(5)] {
        let mut broker = Broker::new();
        let subscriber = broker.connect_with("s", V5, |connect| {
            connect.properties.maximum_packet_size = Some(100);
            connect.properties.topic_alias_maximum = aliases;
        });
        broker.subscribe(subscriber, "t", QoS::AtMostOnce);
        let publisher = broker.connect("p", V5);
        broker.publish(publisher, message("t", QoS::AtMostOnce, &"x".repeat(94)));
        broker.publish(publisher, message("t", QoS::AtMostOnce, &"x".repeat(95)));
        let publishes = broker.read_publishes(subscriber);
        assert_eq!(publishes.len(), 1, "[MQTT-3.1.2-25]");
        assert_eq!(publishes[0].payload.len(), 94);
        assert_eq!(publishes[0].topic_alias, None, "an alias would not have fitted");
        broker.publish(publisher, message("t", QoS::AtMostOnce, "x"));
        let publishes = broker.read_publishes(subscriber);
        assert_eq!(publishes[0].topic_alias.is_some(), aliases.is_some());
        assert!(publishes[0].topic.is_some(), "the first with the alias names the topic");
        assert_eq!(broker.stats().dropped.too_large, 1);
    }
}

#[test]
fn topic_aliases_are_used_as_far_as_the_client_allows_and_die_with_the_connection() {
    let mut broker = Broker::new();
    let allow = |connect: &mut midge_codec::Connect| {
        stays(connect);
        connect.properties.topic_alias_maximum = Some(1);
    };
    let subscriber = broker.connect_with("s", V5, allow);
    broker.subscribe(subscriber, "#", QoS::AtMostOnce);
    let publisher = broker.connect("p", V5);
    let seen = |broker: &mut Broker, subscriber| {
        for topic in ["a", "b", "a"] {
            broker.publish(publisher, message(topic, QoS::AtMostOnce, "x"));
        }
        let publishes = broker.read_publishes(subscriber).into_iter();
        publishes
            .map(|publish| {
                let topic = publish.topic.map(|topic| topic.to_string());
                (topic, publish.topic_alias.map(|alias| alias.get()))
            })
            .collect::<Vec<_>>()
    };
    let expected = [(Some("a".to_owned()), Some(1)), (Some("b".to_owned()), None), (None, Some(1))];
    assert_eq!(seen(&mut broker, subscriber), expected, "[MQTT-3.3.2-11]");
    broker.lose(subscriber);
    let subscriber = broker.connect_with("s", V5, allow);
    assert_eq!(seen(&mut broker, subscriber), expected, "[MQTT-3.3.2-7]");
}

#[test]
fn a_message_that_expires_while_it_waits_is_not_delivered() {
    let mut broker = Broker::new();
    let subscriber = broker.resume("s", V5);
    broker.subscribe(subscriber, "t", QoS::AtLeastOnce);
    broker.lose(subscriber);
    let publisher = broker.connect("p", V5);
    broker.publish(publisher, expiring("t", QoS::AtLeastOnce, "short", 5));
    broker.publish(publisher, expiring("t", QoS::AtLeastOnce, "long", 60));
    broker.pass(Duration::from_millis(10_500));
    let subscriber = broker.resume("s", V5);
    let publishes = broker.read_publishes(subscriber);
    assert_eq!(publishes.len(), 1, "[MQTT-3.3.2-5]");
    assert_eq!(publishes[0].payload, "long");
    let left = publishes[0].properties.as_ref().unwrap().message_expiry_interval;
    assert_eq!(left, Some(50), "[MQTT-3.3.2-6]");
    assert_eq!(broker.stats().dropped.expired, 1);
}

#[test]
fn expiry_does_not_end_a_qos_2_exchange_that_has_begun() {
    let mut broker = Broker::new();
    let subscriber = broker.resume("s", V5);
    broker.subscribe(subscriber, "t", QoS::ExactlyOnce);
    let publisher = broker.connect("p", V5);
    broker.publish(publisher, expiring("t", QoS::ExactlyOnce, "x", 1));
    let first = broker.read_publishes(subscriber).remove(0);
    broker.lose(subscriber);
    broker.pass(Duration::from_secs(10));
    let subscriber = broker.resume("s", V5);
    let again = broker.read_publishes(subscriber).remove(0);
    assert!(again.dup, "[MQTT-4.3.3-7]");
    assert_eq!(again.packet_id, first.packet_id);
    broker.send(subscriber, Packet::Pubrec(ack_of(&again)));
    let expected = [Packet::Pubrel(ack_of(&again))];
    assert_eq!(broker.read(subscriber), expected, "[MQTT-4.3.3-13]");
    broker.send(subscriber, Packet::Pubcomp(ack_of(&again)));
    assert_eq!(broker.stats().inflight, 0);
}

#[test]
fn expired_messages_do_not_keep_new_ones_out_of_a_full_queue() {
    let mut broker = Broker::limited(Limits { max_queued_messages: 3, ..Limits::default() });
    let subscriber = broker.resume("s", V5);
    broker.subscribe(subscriber, "t", QoS::AtLeastOnce);
    broker.lose(subscriber);
    let publisher = broker.connect("p", V5);
    broker.publish(publisher, message("t", QoS::AtLeastOnce, "kept"));
    for _ in 0..2 {
        broker.publish(publisher, expiring("t", QoS::AtLeastOnce, "expired", 5));
    }
    broker.publish(publisher, message("t", QoS::AtLeastOnce, "too many"));
    broker.pass(Duration::from_secs(6));
    for number in 1..=3 {
        broker.publish(publisher, message("t", QoS::AtLeastOnce, &format!("new {number}")));
    }
    assert_eq!(broker.stats().queued, 3);
    let subscriber = broker.resume("s", V5);
    assert_eq!(broker.read_payloads(subscriber), ["kept", "new 1", "new 2"], "[MQTT-3.3.2-5]");
    assert_eq!(broker.stats().dropped.expired, 2);
    assert_eq!(broker.stats().dropped.queue_full, 2);
    assert_eq!(broker.stats().queued_bytes, 0);
}

#[test]
fn a_retained_message_never_comes_after_a_later_message_of_its_topic() {
    let mut broker = Broker::limited(Limits { max_inflight: 1, ..Limits::default() });
    let publisher = broker.connect("p", V5);
    for name in ["a", "b"] {
        let publish = Publish { retain: true, ..message(name, QoS::AtLeastOnce, "old") };
        broker.publish(publisher, publish);
    }
    let subscriber = broker.connect("s", V5);
    broker.subscribe(subscriber, "#", QoS::AtLeastOnce);
    // "old" of "a" fills the window, "old" of "b" waits.
    let publish = Publish { retain: true, ..message("b", QoS::AtLeastOnce, "new") };
    broker.publish(publisher, publish);
    let mut payloads = Vec::new();
    loop {
        let publishes = broker.read_publishes(subscriber);
        let Some(publish) = publishes.first() else { break };
        if publish.topic.as_ref().unwrap().as_str() == "b" {
            payloads.push(String::from_utf8(publish.payload.to_vec()).unwrap());
        }
        broker.send(subscriber, puback(publish));
    }
    assert_eq!(payloads.last().map(String::as_str), Some("new"), "{payloads:?}");
}

#[test]
fn an_unknown_pubrec_is_answered_so_that_the_client_can_end_its_exchange() {
    for (version, reason) in
        [(V311, ReasonCode::Success), (V5, ReasonCode::PacketIdentifierNotFound)]
    {
        let mut broker = Broker::new();
        let client = broker.connect("c", version);
        broker.send(client, Packet::Pubrec(ack(99)));
        let pubrel = midge_codec::Ack { reason, ..ack(99) };
        assert_eq!(broker.read(client), [Packet::Pubrel(pubrel)], "[MQTT-4.3.3-4], {version:?}");
        // Acknowledgements of nothing are passed over.
        broker.send(client, Packet::Puback(ack(99)));
        broker.send(client, Packet::Pubcomp(ack(99)));
        assert!(broker.read(client).is_empty());
        assert!(!broker.is_closed(client));
    }
}

#[test]
fn what_waits_for_a_session_without_connection_comes_in_order_and_qos_0_does_not_wait() {
    let mut broker = Broker::new();
    let subscriber = broker.resume("s", V311);
    broker.subscribe(subscriber, "t", QoS::ExactlyOnce);
    broker.disconnect(subscriber, ReasonCode::Success);
    let publisher = broker.connect("p", V5);
    for (number, qos) in [(1, QOS[1]), (2, QOS[0]), (3, QOS[2])] {
        let packet_id = (number != 2).then(|| id(number));
        broker.publish(publisher, Publish { packet_id, ..message("t", qos, &number.to_string()) });
    }
    let subscriber = broker.resume("s", V311);
    let publishes = broker.read_publishes(subscriber);
    let seen: Vec<_> = publishes.iter().map(|p| (&p.payload[..], p.qos, p.dup)).collect();
    assert_eq!(
        seen,
        [(&b"1"[..], QOS[1], false), (&b"3"[..], QOS[2], false)],
        "3.1.1 [MQTT-3.1.2-5]"
    );
}

#[test]
fn a_retained_message_tells_how_long_it_is_still_good_and_goes_when_it_is_not() {
    let mut broker = Broker::new();
    let publisher = broker.connect("p", V5);
    let publish = Publish { retain: true, ..expiring("t", QoS::AtMostOnce, "x", 10) };
    broker.publish(publisher, publish);
    broker.publish(publisher, retained("u", "for ever"));
    broker.pass(Duration::from_secs(4));
    let subscriber = broker.connect("s", V5);
    broker.subscribe(subscriber, "t", QoS::AtMostOnce);
    let publish = broker.read_publishes(subscriber).remove(0);
    assert_eq!(publish.properties.unwrap().message_expiry_interval, Some(6), "[MQTT-3.3.2-6]");
    broker.pass(Duration::from_secs(6));
    assert_eq!(broker.shards[0].footprint().retained, 1);
    assert_eq!(broker.stats().retained, 1);
    broker.subscribe(subscriber, "t", QoS::AtMostOnce);
    assert!(broker.read_publishes(subscriber).is_empty(), "[MQTT-3.3.2-5]");
}

#[test]
fn a_client_that_takes_next_to_nothing_is_sent_nothing_larger() {
    for (maximum, answers) in [(3, 0), (4, 1), (5, 2)] {
        let mut broker = Broker::new();
        let client = broker.attach("c", V5, |c| c.properties.maximum_packet_size = Some(maximum));
        broker.subscribe_blindly(client, "t");
        broker.publish(client, message("t", QoS::AtLeastOnce, "x"));
        broker.publish(client, message("nobody", QoS::AtLeastOnce, "x"));
        let packets = broker.read(client);
        assert_eq!(packets.len(), answers, "[MQTT-3.1.2-24]: {packets:?}");
    }
}

#[test]
fn a_retained_message_lives_no_longer_than_the_server_keeps_any() {
    let retain_expiry = Some(Duration::from_secs(10));
    let mut broker = Broker::limited(Limits { retain_expiry, ..Limits::default() });
    let publisher = broker.connect("p", V5);
    broker.publish(publisher, retained("t", "x"));
    broker.pass(Duration::from_secs(9));
    assert_eq!(broker.stats().retained, 1);
    broker.pass(Duration::from_secs(1));
    assert_eq!(broker.stats().retained, 0);
    assert_eq!(broker.memory.used(), 0);
}
