//! Shared subscriptions (4.8.2): one member a message, and what happens when members go.

use std::time::Duration;

use midge_codec::{Packet, QoS, ReasonCode};
use midge_core::{Limits, Verdict};

use crate::harness::{
    Access, Broker, V5, ack, ack_of, at_home, expiring, message, numbered, retained, stays,
};

#[test]
fn each_message_goes_to_one_member_and_no_retained_message_to_any() {
    let mut broker = Broker::of_shards(2);
    let publisher = broker.connect("p", V5);
    broker.publish(publisher, retained("t", "old"));
    let members = [0, 1].map(|shard| broker.connect(&at_home("member", shard, 2), V5));
    for member in members {
        broker.subscribe(member, "$share/g/t", QoS::AtMostOnce);
        assert!(broker.read_publishes(member).is_empty());
    }
    for number in 0..10 {
        broker.publish(publisher, message("t", QoS::AtMostOnce, &number.to_string()));
    }
    let counts = members.map(|member| broker.read_publishes(member).len());
    assert_eq!(counts.iter().sum::<usize>(), 10);
    assert!(counts.iter().all(|count| *count > 0), "members take turns: {counts:?}");
}

#[test]
fn what_a_member_did_not_acknowledge_goes_to_another_when_its_session_ends() {
    for shards in [1, 2] {
        let mut broker = Broker::of_shards(shards);
        let last = shards as u8 - 1;
        let first = broker.connect(&at_home("first", 0, shards), V5);
        broker.subscribe(first, "$share/g/t", QoS::ExactlyOnce);
        let publisher = broker.connect("p", V5);
        broker.publish(publisher, numbered("t", QoS::AtLeastOnce, "one", 1));
        broker.publish(publisher, numbered("t", QoS::ExactlyOnce, "two", 2));
        assert_eq!(broker.read_publishes(first).len(), 2);
        let second = broker.connect(&at_home("second", last, shards), V5);
        broker.subscribe(second, "$share/g/t", QoS::ExactlyOnce);
        broker.disconnect(first, ReasonCode::Success);
        assert_eq!(broker.read_payloads(second), ["one"], "4.8.2, not QoS 2 [MQTT-4.8.2-5]");
        let stats = broker.stats();
        assert_eq!((stats.inflight, stats.shared_subscriptions), (1, 1));
    }
}

#[test]
fn an_expired_message_is_not_given_to_another_member() {
    let mut broker = Broker::new();
    let first = broker.connect("first", V5);
    broker.subscribe(first, "$share/g/t", QoS::AtLeastOnce);
    let publisher = broker.connect("p", V5);
    broker.publish(publisher, expiring("t", QoS::AtLeastOnce, "x", 5));
    assert_eq!(broker.read_publishes(first).len(), 1);
    let second = broker.connect("second", V5);
    broker.subscribe(second, "$share/g/t", QoS::AtLeastOnce);
    broker.pass(Duration::from_secs(6));
    broker.lose(first);
    assert!(broker.read_publishes(second).is_empty(), "[MQTT-3.3.2-5]");
    assert_eq!(broker.stats().dropped.expired, 1);
}

#[test]
fn a_message_under_way_to_a_member_that_leaves_goes_to_another() {
    let mut broker = Broker::of_shards(2);
    // The group's home is a shard; the member that is chosen lives in the other one.
    let share = (0..)
        .map(|number| format!("$share/g{number}/t"))
        .find(|share| midge_core::ShardId::home(share, 2) == midge_core::ShardId(0))
        .unwrap();
    let leaving = broker.connect(&at_home("leaving", 1, 2), V5);
    broker.subscribe(leaving, &share, QoS::AtLeastOnce);
    let publisher = broker.connect(&at_home("p", 0, 2), V5);
    broker.holds_links = true;
    broker.publish(publisher, message("t", QoS::AtLeastOnce, "x"));
    let staying = broker.connect(&at_home("staying", 0, 2), V5);
    broker.send(
        staying,
        crate::harness::subscription(
            &share,
            midge_codec::SubscriptionOptions { qos: QoS::AtLeastOnce, ..Default::default() },
            None,
        ),
    );
    broker.unsubscribe(leaving, &share);
    broker.deliver_all();
    assert!(broker.read_publishes(leaving).is_empty());
    assert_eq!(broker.read_payloads(staying), ["x"]);
    assert_eq!(broker.stats().dropped.total(), 0);
}

#[test]
fn a_member_whose_access_is_gone_gets_nothing_that_was_under_way() {
    let mut broker = Broker::of_shards(2);
    let share = (0..)
        .map(|number| format!("$share/g{number}/t"))
        .find(|share| midge_core::ShardId::home(share, 2) == midge_core::ShardId(0))
        .unwrap();
    let member = broker.connect(&at_home("member", 1, 2), V5);
    broker.subscribe(member, &share, QoS::AtLeastOnce);
    let publisher = broker.connect(&at_home("p", 0, 2), V5);
    let deny = Access { read: |_, _| false, subscribe: |_, _| Verdict::Never, ..Access::default() };
    broker.holds_links = true;
    // The member's shard knows the new rules, the group's does not yet.
    broker.reload_one(1, Limits::default(), deny);
    broker.publish(publisher, message("t", QoS::AtLeastOnce, "secret"));
    broker.deliver_all();
    assert!(broker.read_publishes(member).is_empty());
}

#[test]
fn members_that_are_connected_come_first() {
    let mut broker = Broker::new();
    let away = broker.resume("away", V5);
    broker.subscribe(away, "$share/g/t", QoS::AtLeastOnce);
    let here = broker.connect("here", V5);
    broker.subscribe(here, "$share/g/t", QoS::AtLeastOnce);
    broker.lose(away);
    let publisher = broker.connect("p", V5);
    for number in 1..=3 {
        broker.publish(publisher, numbered("t", QoS::AtLeastOnce, "x", number));
    }
    assert_eq!(broker.read_publishes(here).len(), 3);
    broker.disconnect(here, ReasonCode::Success);
    let away = broker.resume("away", V5);
    assert_eq!(broker.read_publishes(away).len(), 3, "what was not acknowledged waits for it");
}

#[test]
fn what_waits_for_a_member_that_goes_away_is_offered_to_the_others() {
    let mut broker = Broker::new();
    let slow = broker.connect_with("slow", V5, |connect| {
        stays(connect);
        connect.properties.receive_maximum = Some(1);
    });
    broker.subscribe(slow, "$share/g/t", QoS::AtLeastOnce);
    let publisher = broker.connect("p", V5);
    for number in 1..=3 {
        broker.publish(publisher, numbered("t", QoS::AtLeastOnce, &number.to_string(), number));
    }
    assert_eq!(broker.read_payloads(slow), ["1"]);
    let other = broker.connect("other", V5);
    broker.subscribe(other, "$share/g/t", QoS::AtLeastOnce);
    broker.lose(slow);
    assert_eq!(broker.read_payloads(other), ["2", "3"]);
    assert_eq!((broker.stats().queued, broker.stats().queued_bytes), (0, 0));
}

#[test]
fn a_negative_acknowledgement_settles_a_message_for_the_whole_group() {
    let mut broker = Broker::new();
    let first = broker.connect("first", V5);
    broker.subscribe(first, "$share/g/t", QoS::AtLeastOnce);
    let publisher = broker.connect("p", V5);
    broker.publish(publisher, message("t", QoS::AtLeastOnce, "x"));
    let publish = broker.read_publishes(first).remove(0);
    let second = broker.connect("second", V5);
    broker.subscribe(second, "$share/g/t", QoS::AtLeastOnce);
    let reason = ReasonCode::UnspecifiedError;
    broker.send(first, Packet::Puback(midge_codec::Ack { reason, ..ack_of(&publish) }));
    broker.lose(first);
    assert!(broker.read_publishes(second).is_empty(), "[MQTT-4.8.2-6]");
}

#[test]
fn each_member_gets_its_own_granted_qos() {
    let mut broker = Broker::new();
    let member = broker.connect("member", V5);
    broker.subscribe(member, "$share/g/t", QoS::AtMostOnce);
    let publisher = broker.connect("p", V5);
    broker.publish(publisher, message("t", QoS::ExactlyOnce, "x"));
    assert_eq!(broker.read_publishes(member)[0].qos, QoS::AtMostOnce, "[MQTT-4.8.2-3]");
    broker.send(publisher, Packet::Pubrel(ack(1)));
}
