//! What a crash leaves: everything that was acknowledged, and nothing twice.

use std::time::Duration;

use midge_codec::{Packet, Publish, QoS, ReasonCode, SubscriptionOptions};
use midge_core::{Limits, QueueFull};

use crate::harness::*;

fn stored(shards: usize) -> Broker {
    Broker::of_shards(shards).with_store()
}

fn qos1(topic: &str, payload: &str, id: u16) -> Publish {
    numbered(topic, QoS::AtLeastOnce, payload, id)
}

fn qos2(topic: &str, payload: &str, id: u16) -> Publish {
    numbered(topic, QoS::ExactlyOnce, payload, id)
}

fn repeated(topic: &str, payload: &str, id: u16) -> Publish {
    Publish { dup: true, ..qos2(topic, payload, id) }
}

fn kept(topic: &str, payload: &str, id: u16) -> Publish {
    Publish { retain: true, ..qos1(topic, payload, id) }
}

/// Clients whose sessions are at home in different shards.
const NAMES: [&str; 6] = ["a", "b", "c", "d", "e", "f"];

#[test]
fn what_waits_for_a_session_survives() {
    for shards in [1, 3] {
        let mut broker = stored(shards);
        for name in NAMES {
            let peer = broker.resume(name, V5);
            broker.subscribe(peer, "t", QoS::AtLeastOnce);
            broker.lose(peer);
        }
        let publisher = broker.connect("publisher", V5);
        for number in 1..=5 {
            broker.publish(publisher, qos1("t", &number.to_string(), number));
        }
        assert_eq!(broker.read(publisher).len(), 5, "a PUBACK each");
        broker.crash();
        for name in NAMES {
            let peer = broker.resume(name, V5);
            assert_eq!(broker.read_payloads(peer), ["1", "2", "3", "4", "5"], "{name}");
        }
    }
}

#[test]
fn nothing_is_acknowledged_before_it_is_durable() {
    for shards in [1, 3] {
        let mut broker = stored(shards);
        let subscriber = broker.resume("subscriber", V5);
        broker.subscribe(subscriber, "t", QoS::ExactlyOnce);
        let publisher = broker.connect("publisher", V5);
        broker.store.waits = true;
        broker.publish(publisher, qos1("t", "one", 1));
        broker.publish(publisher, qos2("t", "two", 2));
        assert!(broker.read(publisher).is_empty());
        assert_eq!(broker.read_payloads(subscriber), ["one"], "QoS 1 goes out at once");
        broker.sync();
        assert_eq!(broker.read(publisher).len(), 2);
        assert_eq!(broker.read_payloads(subscriber), ["two"], "QoS 2 once it is stored");
    }
}

#[test]
fn what_was_not_acknowledged_is_with_all_or_none_after_a_crash() {
    let mut broker = stored(3);
    for name in NAMES {
        let peer = broker.resume(name, V5);
        broker.subscribe(peer, "t", QoS::ExactlyOnce);
        broker.lose(peer);
    }
    let publisher = broker.resume("publisher", V5);
    broker.store.waits = true;
    broker.publish(publisher, qos2("t", "x", 1));
    broker.crash();
    let publisher = broker.attach("publisher", V5, stays);
    broker.sync();
    broker.connack(publisher);
    broker.publish(publisher, repeated("t", "x", 1));
    broker.sync();
    assert_eq!(broker.read(publisher).len(), 1);
    broker.store.waits = false;
    for name in NAMES {
        let peer = broker.resume(name, V5);
        assert_eq!(broker.read_payloads(peer), ["x"], "{name}");
    }
}

#[test]
fn a_qos_2_message_that_was_taken_is_not_taken_again_after_a_crash() {
    for shards in [1, 3] {
        let mut broker = stored(shards);
        let subscriber = broker.resume("subscriber", V5);
        broker.subscribe(subscriber, "t", QoS::ExactlyOnce);
        broker.lose(subscriber);
        let publisher = broker.resume("publisher", V5);
        broker.publish(publisher, qos2("t", "x", 1));
        broker.crash();
        let publisher = broker.resume("publisher", V5);
        broker.publish(publisher, repeated("t", "x", 1));
        broker.send(publisher, Packet::Pubrel(ack(1)));
        let answers = broker.read(publisher);
        assert!(matches!(answers[..], [Packet::Pubrec(_), Packet::Pubcomp(_)]), "{answers:?}");
        broker.publish(publisher, qos2("t", "y", 1));
        broker.crash();
        let subscriber = broker.resume("subscriber", V5);
        assert_eq!(broker.read_payloads(subscriber), ["x", "y"]);
    }
}

#[test]
fn pubcomp_waits_until_the_packet_id_is_free_on_the_disk() {
    let mut broker = stored(1);
    let subscriber = broker.resume("subscriber", V5);
    broker.subscribe(subscriber, "t", QoS::ExactlyOnce);
    let publisher = broker.resume("publisher", V5);
    broker.publish(publisher, qos2("t", "x", 1));
    broker.read(publisher);
    broker.store.waits = true;
    broker.send(publisher, Packet::Pubrel(ack(1)));
    broker.send(publisher, Packet::Pubrel(ack(1)));
    assert!(broker.read(publisher).is_empty());
    broker.sync();
    assert_eq!(broker.read(publisher).len(), 1);
}

#[test]
fn a_receiver_that_has_a_qos_2_message_is_asked_to_release_it_after_a_crash() {
    let mut broker = stored(1);
    let subscriber = broker.resume("subscriber", V5);
    broker.subscribe(subscriber, "t", QoS::ExactlyOnce);
    let publisher = broker.connect("publisher", V5);
    for number in 1..=3 {
        broker.publish(publisher, qos2("t", &number.to_string(), number));
    }
    let ids: Vec<u16> =
        broker.read_publishes(subscriber).iter().map(|p| p.packet_id.unwrap().get()).collect();
    assert_eq!(ids, [1, 2, 3]);
    broker.store.waits = true;
    broker.send(subscriber, Packet::Pubrec(ack(2)));
    assert!(broker.read(subscriber).is_empty(), "PUBREL waits for the disk");
    broker.sync();
    assert_eq!(broker.read(subscriber), [Packet::Pubrel(ack(2))]);
    broker.store.waits = false;
    broker.crash();
    let subscriber = broker.resume("subscriber", V5);
    let packets = broker.read(subscriber);
    let kinds: Vec<String> = packets
        .iter()
        .map(|packet| match packet {
            Packet::Publish(p) => format!("PUBLISH {} dup {}", p.packet_id.unwrap(), p.dup),
            Packet::Pubrel(ack) => format!("PUBREL {}", ack.packet_id),
            other => format!("{other:?}"),
        })
        .collect();
    assert_eq!(kinds, ["PUBREL 2", "PUBLISH 1 dup true", "PUBLISH 3 dup true"]);
    for id in [1, 3] {
        broker.send(subscriber, Packet::Pubrec(ack(id)));
    }
    for id in [1, 2, 3] {
        broker.send(subscriber, Packet::Pubcomp(ack(id)));
    }
    broker.read(subscriber);
    broker.lose(subscriber);
    assert_eq!(broker.store.size().0, 0, "nothing waits any more");
}

#[test]
fn subscriptions_are_durable_when_they_are_acknowledged() {
    for shards in [1, 3] {
        let mut broker = stored(shards);
        let peer = broker.resume("c", V5);
        broker.subscribe_with(
            peer,
            "a/#",
            SubscriptionOptions { qos: QoS::AtLeastOnce, ..SubscriptionOptions::default() },
            Some(7),
        );
        broker.subscribe(peer, "b", QoS::ExactlyOnce);
        broker.subscribe(peer, "$share/g/s", QoS::AtLeastOnce);
        broker.unsubscribe(peer, "b");
        assert_eq!(broker.read(peer).len(), 1, "UNSUBACK");
        broker.store.waits = true;
        broker.subscribe_blindly(peer, "never");
        assert!(broker.read(peer).is_empty(), "SUBACK waits");
        broker.store.waits = false;
        broker.crash();
        let publisher = broker.connect("p", V5);
        for (number, topic) in (1..).zip(["a/1", "b", "s", "never"]) {
            broker.publish(publisher, qos1(topic, topic, number));
        }
        let peer = broker.resume("c", V5);
        let publishes = broker.read_publishes(peer);
        let topics: Vec<&str> =
            publishes.iter().map(|p| p.topic.as_ref().unwrap().as_str()).collect();
        assert_eq!(topics, ["a/1", "s"]);
        let identifiers = &publishes[0].properties.as_ref().unwrap().subscription_identifiers;
        assert_eq!(identifiers.iter().map(|id| id.get()).collect::<Vec<_>>(), [7]);
    }
}

#[test]
fn connack_waits_for_the_disk_and_says_what_is_there() {
    let mut broker = stored(3);
    broker.store.waits = true;
    let peer = broker.attach("c", V5, stays);
    assert!(broker.read(peer).is_empty());
    assert!(broker.is_paused(peer), "it is not read from either");
    broker.sync();
    assert!(!broker.connack(peer).session_present);
    broker.store.waits = false;
    broker.crash();
    let peer = broker.attach("c", V5, stays);
    assert!(broker.connack(peer).session_present);
    broker.lose(peer);
    let peer = broker.attach("c", V5, |_| {});
    assert!(!broker.connack(peer).session_present, "clean start");
    broker.lose(peer);
    broker.crash();
    assert_eq!(broker.store.size(), (0, 0));
}

#[test]
fn a_client_that_goes_or_comes_twice_before_its_connack_leaves_one_session() {
    let mut broker = stored(1);
    broker.store.waits = true;
    let first = broker.attach("c", V5, stays);
    let second = broker.attach("c", V5, stays);
    assert!(broker.is_closed(first));
    broker.lose(second);
    let third = broker.attach("c", V5, stays);
    broker.sync();
    assert!(broker.connack(third).session_present, "the others made it");
    assert_eq!(broker.stats().clients_connected, 1);
    broker.store.waits = false;
    broker.send(third, Packet::Pingreq);
    assert_eq!(broker.read(third), [Packet::Pingresp]);
}

#[test]
fn retained_messages_survive_and_deletions_too() {
    for shards in [1, 3] {
        let mut broker = stored(shards);
        let publisher = broker.connect("p", V5);
        for (number, topic) in (1..).zip(["a", "b", "c"]) {
            broker.publish(publisher, kept(topic, "old", number));
            broker.publish(publisher, kept(topic, topic, number + 10));
        }
        broker.publish(publisher, kept("b", "", 30));
        assert_eq!(broker.read(publisher).len(), 7);
        broker.crash();
        let reader = broker.connect("r", V5);
        broker.subscribe(reader, "#", QoS::AtMostOnce);
        assert_eq!(broker.read_payloads(reader), ["a", "c"]);
        let publisher = broker.connect("p", V5);
        broker.publish(publisher, kept("a", "new", 1));
        broker.crash();
        let reader = broker.connect("r", V5);
        broker.subscribe(reader, "#", QoS::AtMostOnce);
        assert_eq!(broker.read_payloads(reader), ["new", "c"]);
    }
}

#[test]
fn a_will_that_waits_survives_and_goes_out_when_it_is_due() {
    let mut broker = stored(1);
    let watcher = broker.resume("w", V5);
    broker.subscribe(watcher, "gone", QoS::AtLeastOnce);
    let peer = broker.connect_with("c", V5, |connect| {
        stays(connect);
        connect.will = will("gone", "late", Some(10));
    });
    broker.lose(peer);
    broker.pass(Duration::from_secs(4));
    broker.crash();
    let watcher = broker.resume("w", V5);
    broker.pass(Duration::from_secs(5));
    assert!(broker.read_payloads(watcher).is_empty());
    broker.pass(Duration::from_secs(2));
    assert_eq!(broker.read_payloads(watcher), ["late"]);
    broker.crash();
    broker.pass(Duration::from_secs(60));
    let watcher = broker.resume("w", V5);
    assert_eq!(broker.read_payloads(watcher), ["late"], "once, and not acknowledged yet");
}

#[test]
fn a_session_expires_while_the_broker_is_down() {
    let mut broker = stored(1);
    let peer = broker.connect_with("c", V5, |connect| {
        stays(connect);
        connect.properties.session_expiry_interval = Some(10);
    });
    broker.subscribe(peer, "t", QoS::AtLeastOnce);
    broker.lose(peer);
    broker.now.instant += Duration::from_secs(11);
    broker.now.unix_millis += 11_000;
    broker.crash();
    broker.pass(Duration::from_millis(1));
    assert_eq!(broker.store.size(), (0, 0));
    let peer = broker.attach("c", V5, stays);
    assert!(!broker.connack(peer).session_present);
}

#[test]
fn a_long_queue_waits_on_the_disk_alone_and_comes_in_order() {
    let limits = Limits { max_queued_messages: 0, ..Limits::default() };
    let mut broker = Broker::limited(limits).with_store();
    let peer = broker.resume("c", V5);
    broker.subscribe(peer, "t", QoS::AtLeastOnce);
    broker.lose(peer);
    let publisher = broker.connect("p", V5);
    for number in 0..5_000_u32 {
        let id = (number % 1_000) as u16 + 1;
        broker.publish(publisher, qos1("t", &number.to_string(), id));
    }
    assert_eq!(broker.read(publisher).len(), 5_000);
    assert!(broker.memory.used() < 300 * 1_024, "{} bytes in memory", broker.memory.used());
    assert_eq!(broker.stats().queued, 5_000);
    for crash in [false, true] {
        if crash {
            broker.crash();
            assert_eq!(broker.memory.used(), 0);
            assert_eq!(broker.stats().queued, 5_000 - 1_000);
        }
        let peer = broker.resume("c", V5);
        let mut came: Vec<u32> = Vec::new();
        while came.len() < if crash { 4_000 } else { 1_000 } {
            let publishes = broker.read_publishes(peer);
            assert!(!publishes.is_empty(), "{} came", came.len());
            for publish in publishes {
                came.push(std::str::from_utf8(&publish.payload).unwrap().parse().unwrap());
                let id = publish.packet_id.unwrap().get();
                if came.len() <= if crash { 4_000 } else { 1_000 } {
                    broker.send(peer, Packet::Puback(ack(id)));
                }
            }
        }
        let first = if crash { 1_000 } else { 0 };
        let expected: Vec<u32> = (first..first + came.len() as u32).collect();
        assert_eq!(came, expected);
        broker.lose(peer);
    }
    assert_eq!(broker.store.size().0, 0);
    assert_eq!(broker.stats().queued, 0);
}

#[test]
fn the_oldest_on_the_disk_makes_room_when_that_is_the_policy() {
    let limits = Limits {
        max_queued_messages: 1_000,
        queue_full: QueueFull::DropOldest,
        ..Limits::default()
    };
    let mut broker = Broker::limited(limits).with_store();
    let peer = broker.resume("c", V5);
    broker.subscribe(peer, "t", QoS::AtLeastOnce);
    broker.lose(peer);
    let publisher = broker.connect("p", V5);
    for number in 0..2_000_u32 {
        broker.publish(publisher, qos1("t", &number.to_string(), number as u16 + 1));
        broker.read(publisher);
    }
    broker.crash();
    let peer = broker.resume("c", V5);
    let mut came: Vec<u32> = Vec::new();
    loop {
        let publishes = broker.read_publishes(peer);
        if publishes.is_empty() {
            break;
        }
        for publish in publishes {
            came.push(std::str::from_utf8(&publish.payload).unwrap().parse().unwrap());
            broker.send(peer, Packet::Puback(ack(publish.packet_id.unwrap().get())));
        }
    }
    assert_eq!(came.last(), Some(&1_999));
    assert_eq!(came.len(), 1_000);
    assert!(came.is_sorted());
}

#[test]
fn a_publisher_hears_of_a_full_queue_when_that_is_the_policy() {
    for (shards, durable) in [(1, false), (3, false), (1, true), (3, true)] {
        let limits =
            Limits { max_queued_messages: 2, queue_full: QueueFull::Refuse, ..Limits::default() };
        let mut broker = Broker::with(shards, limits, Access::default(), Vec::new(), usize::MAX);
        if durable {
            broker = broker.with_store();
        }
        let peer = broker.resume("c", V5);
        broker.subscribe(peer, "t", QoS::AtLeastOnce);
        broker.lose(peer);
        let publisher = broker.connect("p", V5);
        for number in 1..=3 {
            broker.publish(publisher, qos1("t", "x", number));
        }
        let reasons: Vec<ReasonCode> = broker
            .read(publisher)
            .iter()
            .map(|packet| match packet {
                Packet::Puback(ack) => ack.reason,
                other => panic!("{other:?}"),
            })
            .collect();
        let expected = [ReasonCode::Success, ReasonCode::Success, ReasonCode::QuotaExceeded];
        assert_eq!(reasons, expected, "{shards} shards, durable {durable}");
    }
}

#[test]
fn what_a_member_had_is_anothers_in_the_same_moment() {
    for shards in [1, 3] {
        let mut broker = stored(shards);
        let peer = broker.resume("a", V5);
        broker.subscribe(peer, "$share/g/t", QoS::AtLeastOnce);
        broker.lose(peer);
        let publisher = broker.connect("p", V5);
        for number in 1..=600 {
            broker.publish(publisher, qos1("t", &number.to_string(), number));
        }
        broker.read(publisher);
        let other = broker.resume("b", V5);
        broker.subscribe(other, "$share/g/t", QoS::AtLeastOnce);
        broker.lose(other);
        // The first member leaves for good.
        let peer = broker.connect("a", V5);
        broker.lose(peer);
        broker.crash();
        let other = broker.resume("b", V5);
        let mut came = 0;
        loop {
            let publishes = broker.read_publishes(other);
            if publishes.is_empty() {
                break;
            }
            came += publishes.len();
            for publish in publishes {
                broker.send(other, Packet::Puback(ack(publish.packet_id.unwrap().get())));
            }
        }
        assert_eq!(came, 600, "{shards} shards");
    }
}

#[test]
fn a_full_store_refuses_what_would_have_to_be_stored_and_nothing_else() {
    for shards in [1, 3] {
        let mut broker = stored(shards);
        let peer = broker.resume("c", V5);
        broker.subscribe(peer, "stored", QoS::AtLeastOnce);
        let publisher = broker.connect("p", V5);
        broker.subscribe(publisher, "other", QoS::AtLeastOnce);
        broker.store_full(true);
        broker.publish(publisher, qos1("stored", "x", 1));
        broker.publish(publisher, qos1("other", "x", 2));
        broker.publish(publisher, kept("other", "x", 3));
        let reasons: Vec<ReasonCode> = broker
            .read(publisher)
            .iter()
            .filter_map(|packet| match packet {
                Packet::Puback(ack) => Some(ack.reason),
                _ => None,
            })
            .collect();
        let full = ReasonCode::QuotaExceeded;
        assert_eq!(reasons, [full, ReasonCode::Success, full]);
        assert_eq!(broker.subscribe(peer, "more", QoS::AtLeastOnce), full);
        broker.store.waits = true;
        broker.lose(peer);
        let peer = broker.attach("c", V5, stays);
        assert!(broker.connack(peer).session_present, "without waiting for room");
        let granted = broker.subscribe(peer, "stored", QoS::AtLeastOnce);
        assert_eq!(granted, ReasonCode::GrantedQoS1, "it has that");
        broker.store.waits = false;
        broker.sync();
        let new = broker.attach("new", V5, stays);
        assert_eq!(broker.connack(new).reason, full);
        broker.store_full(false);
        broker.publish(publisher, qos1("stored", "x", 1));
        assert_eq!(broker.read(publisher).len(), 1);
    }
}

#[test]
fn with_a_waiting_rule_a_qos_2_id_is_remembered_last() {
    let taps = vec![waiting_tap("t")];
    let mut broker =
        Broker::with(1, Limits::default(), Access::default(), taps, usize::MAX).with_store();
    let subscriber = broker.resume("s", V5);
    broker.subscribe(subscriber, "t", QoS::ExactlyOnce);
    let publisher = broker.resume("p", V5);
    broker.publish(publisher, qos2("t", "x", 1));
    assert!(broker.read(publisher).is_empty(), "the bridge has not reported");
    broker.crash();
    let publisher = broker.resume("p", V5);
    broker.publish(publisher, repeated("t", "x", 1));
    assert_eq!(broker.offers.len(), 1, "the bridge gets it again");
    broker.bridge_reports(ReasonCode::Success);
    assert_eq!(broker.read(publisher).len(), 1);
    let subscriber = broker.resume("s", V5);
    assert_eq!(broker.read_payloads(subscriber), ["x"]);
}

#[test]
fn retained_messages_that_a_crash_kept_back_come_afterwards_and_none_twice() {
    for qos in [QoS::AtLeastOnce, QoS::ExactlyOnce] {
        let mut broker = stored(1);
        let publisher = broker.connect("p", V5);
        for number in 100..200 {
            let topic = format!("t/{number}");
            let publish = numbered(&topic, qos, &topic, number);
            broker.publish(publisher, Publish { retain: true, ..publish });
        }
        broker.read(publisher);
        let peer = broker.resume("c", V5);
        broker.subscribe(peer, "t/#", qos);
        let mut came = Vec::new();
        for crash in 0..6 {
            let peer = if crash == 0 { peer } else { broker.resume("c", V5) };
            let publishes = broker.read_publishes(peer);
            for publish in publishes.iter().take(18) {
                let id = publish.packet_id.unwrap().get();
                came.push(publish.topic.as_ref().unwrap().to_string());
                if qos == QoS::AtLeastOnce {
                    broker.send(peer, Packet::Puback(ack(id)));
                } else {
                    broker.send(peer, Packet::Pubrec(ack(id)));
                    broker.send(peer, Packet::Pubcomp(ack(id)));
                }
            }
            broker.crash();
        }
        let expected: Vec<String> = (100..200).map(|number| format!("t/{number}")).collect();
        assert_eq!(came, expected, "{qos:?}");
    }
}

#[test]
fn what_the_broker_says_of_itself_is_not_stored() {
    let mut broker = stored(1);
    let mut status = injection("$SYS/broker/uptime", b"1", QoS::AtLeastOnce);
    status.retain = true;
    broker.inject(status);
    assert_eq!(broker.injected.len(), 1);
    assert_eq!(broker.store.size(), (0, 0));
}

#[test]
fn what_a_member_was_sent_at_qos_2_before_a_crash_is_never_anothers() {
    for shards in [1, 3] {
        let mut broker = stored(shards);
        let first = broker.resume("first", V5);
        broker.subscribe(first, "$share/g/t", QoS::ExactlyOnce);
        let publisher = broker.connect("p", V5);
        for number in 1..=10 {
            broker.publish(publisher, qos2("t", &number.to_string(), number));
        }
        assert_eq!(broker.read_publishes(first).len(), 10);
        let second = broker.resume("second", V5);
        broker.subscribe(second, "$share/g/t", QoS::ExactlyOnce);
        broker.crash();
        let second = broker.resume("second", V5);
        // It comes back, and goes before more than two have been sent again [MQTT-4.8.2-4].
        let first = broker.connect_with("first", V5, |connect| {
            stays(connect);
            connect.properties.receive_maximum = Some(2);
        });
        assert_eq!(broker.read_payloads(first), ["1", "2"], "{shards} shards");
        broker.lose(first);
        assert!(broker.read_publishes(second).is_empty(), "{shards} shards");
        let first = broker.resume("first", V5);
        assert_eq!(broker.read_publishes(first).len(), 10, "{shards} shards");
    }
}

#[test]
fn what_was_acknowledged_behind_a_message_that_is_not_does_not_come_again() {
    let mut broker = stored(1);
    let subscriber = broker.resume("s", V5);
    broker.subscribe(subscriber, "t", QoS::ExactlyOnce);
    let publisher = broker.connect("p", V5);
    broker.publish(publisher, qos2("t", "two", 1));
    broker.publish(publisher, qos1("t", "one", 2));
    let publishes = broker.read_publishes(subscriber);
    assert_eq!(publishes.len(), 2);
    broker.send(subscriber, Packet::Pubrec(ack(1)));
    broker.send(subscriber, Packet::Puback(ack(2)));
    broker.crash();
    let subscriber = broker.resume("s", V5);
    assert_eq!(broker.read(subscriber), [Packet::Pubrel(ack(1))]);
}

#[test]
fn what_leaves_a_member_for_another_is_with_one_of_them_at_any_moment() {
    // The group is at home in one shard or another.
    for (group, written) in ["g", "h", "i"].iter().flat_map(|g| (0..12).map(move |w| (g, w))) {
        let filter = format!("$share/{group}/t");
        let mut broker = stored(3);
        let (first, second) = (at_home("first", 0, 3), at_home("second", 1, 3));
        let peer = broker.resume(&first, V5);
        broker.subscribe(peer, &filter, QoS::ExactlyOnce);
        broker.lose(peer);
        let publisher = broker.connect("publisher", V5);
        for number in 1..=5 {
            broker.publish(publisher, qos2("t", &number.to_string(), number));
        }
        assert_eq!(broker.read(publisher).len(), 5, "a PUBREC each");
        let peer = broker.resume(&second, V5);
        broker.subscribe(peer, &filter, QoS::ExactlyOnce);
        broker.lose(peer);
        // The first may not read them any more: they leave it, and its queue is empty.
        broker.store.waits = true;
        let read: fn(&str, &str) -> bool = |client, _| !client.starts_with("first");
        broker.reload(&Limits::default(), Access { read, ..Access::default() });
        broker.sync_some(written);
        broker.crash();
        broker.store.waits = false;
        let mut came = Vec::new();
        for name in [&first, &second] {
            let peer = broker.resume(name, V5);
            came.extend(broker.read_payloads(peer));
        }
        came.sort();
        assert_eq!(came, ["1", "2", "3", "4", "5"], "{group}, {written} written");
    }
}

#[test]
fn what_is_not_stored_yet_at_qos_2_is_not_moved_to_another_member() {
    for group in ["g", "h", "i"] {
        let filter = format!("$share/{group}/t");
        // A rule keeps the message from being stored.
        let taps = vec![waiting_tap("t")];
        let mut broker =
            Broker::with(3, Limits::default(), Access::default(), taps, usize::MAX).with_store();
        let members = [at_home("first", 0, 3), at_home("second", 1, 3)];
        let peers = members.each_ref().map(|name| broker.resume(name, V5));
        peers.iter().for_each(|peer| _ = broker.subscribe(*peer, &filter, QoS::ExactlyOnce));
        let publisher = broker.resume(&at_home("publisher", 2, 3), V5);
        broker.publish(publisher, qos2("t", "x", 1));
        peers.iter().for_each(|peer| broker.lose(*peer));
        broker.crash();
        let peers = members.each_ref().map(|name| broker.resume(name, V5));
        for peer in peers {
            assert!(broker.read_publishes(peer).is_empty(), "{group}: nobody took it over");
        }
    }
}

#[test]
fn messages_of_one_topic_are_stored_in_their_order_though_one_goes_a_longer_way() {
    for (group, arrived) in ["g", "h", "i"].iter().flat_map(|g| (0..40).map(move |n| (g, n))) {
        let mut broker = stored(3);
        let peer = broker.resume(&at_home("single", 0, 3), V5);
        broker.subscribe(peer, "t", QoS::AtLeastOnce);
        broker.lose(peer);
        // To some members the way leads over the shard of their group.
        for shard in 0..3 {
            let member = broker.resume(&at_home("member", shard, 3), V5);
            broker.subscribe(member, &format!("$share/{group}/t"), QoS::AtLeastOnce);
        }
        let publisher = broker.connect(&at_home("publisher", 0, 3), V5);
        broker.holds_links = true;
        for number in 1..=6 {
            broker.publish(publisher, qos1("t", &number.to_string(), number));
        }
        for _ in 0..arrived {
            broker.deliver_one();
        }
        let acknowledged: Vec<u16> = broker
            .read(publisher)
            .iter()
            .filter_map(|packet| match packet {
                Packet::Puback(ack) => Some(ack.packet_id.get()),
                _ => None,
            })
            .collect();
        broker.holds_links = false;
        broker.crash();
        let peer = broker.resume(&at_home("single", 0, 3), V5);
        let came = broker.read_payloads(peer);
        let expected: Vec<String> = (1..=came.len()).map(|number| number.to_string()).collect();
        assert_eq!(came, expected, "{group}, {arrived} letters, acknowledged {acknowledged:?}");
        assert!(came.len() >= acknowledged.len(), "{group}, {arrived} letters");
    }
}
