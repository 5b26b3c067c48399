//! Subscriptions: options, identifiers, overlaps, retained messages, pending requests.

use midge_codec::{Packet, Publish, QoS, ReasonCode, RetainHandling, SubscriptionOptions};
use midge_core::Limits;

use crate::harness::{
    Access, Broker, V5, V31, V311, at_home, injection, message, numbered, retained, stays,
    subscription,
};

const PLAIN: SubscriptionOptions = SubscriptionOptions {
    qos: QoS::ExactlyOnce,
    no_local: false,
    retain_as_published: false,
    retain_handling: RetainHandling::Send,
};

#[test]
fn retain_handling_says_when_retained_messages_come() {
    let mut broker = Broker::new();
    let publisher = broker.connect("p", V5);
    broker.publish(publisher, retained("t", "x"));
    let client = broker.connect("c", V5);
    let seen = |broker: &mut Broker, retain_handling| {
        broker.subscribe_with(client, "t", SubscriptionOptions { retain_handling, ..PLAIN }, None);
        broker.read_publishes(client).iter().filter(|publish| publish.retain).count()
    };
    assert_eq!(seen(&mut broker, RetainHandling::DoNotSend), 0, "[MQTT-3.3.1-11]");
    assert_eq!(seen(&mut broker, RetainHandling::SendIfNew), 0, "[MQTT-3.3.1-10]");
    assert_eq!(seen(&mut broker, RetainHandling::Send), 1, "[MQTT-3.3.1-9]");
    broker.unsubscribe(client, "t");
    broker.read(client);
    assert_eq!(seen(&mut broker, RetainHandling::SendIfNew), 1, "[MQTT-3.3.1-10]");
}

#[test]
fn every_subscribe_of_3_gets_retained_messages() {
    for version in [V31, V311] {
        let mut broker = Broker::new();
        let client = broker.connect("c", version);
        broker.publish(client, retained("t", "x"));
        for _ in 0..2 {
            broker.subscribe(client, "t", QoS::AtMostOnce);
            let publishes = broker.read_publishes(client);
            assert_eq!(publishes.len(), 1, "3.1.1 [MQTT-3.8.4-3]");
            assert!(publishes[0].retain, "3.1.1 [MQTT-3.3.1-8]");
        }
    }
}

#[test]
fn an_empty_retained_message_is_delivered_and_deletes() {
    let mut broker = Broker::of_shards(2);
    let client = broker.connect("c", V5);
    broker.publish(client, retained("t", "x"));
    broker.subscribe(client, "t", QoS::AtMostOnce);
    assert_eq!(broker.read_payloads(client), ["x"]);
    broker.publish(client, retained("t", ""));
    assert_eq!(broker.read_payloads(client), [""], "[MQTT-3.3.1-6]");
    for prefix in ["d", "e", "f", "g"] {
        let newcomer = broker.connect(prefix, V5);
        broker.subscribe(newcomer, "t", QoS::AtMostOnce);
        assert!(broker.read_publishes(newcomer).is_empty(), "[MQTT-3.3.1-7]");
    }
    assert_eq!(broker.stats().retained, 0);
}

#[test]
fn no_local_keeps_a_clients_own_messages_from_it() {
    let mut broker = Broker::new();
    let client = broker.connect("c", V5);
    broker.subscribe_with(client, "t", SubscriptionOptions { no_local: true, ..PLAIN }, None);
    broker.publish(client, message("t", QoS::AtMostOnce, "own"));
    let other = broker.connect("o", V5);
    broker.publish(other, message("t", QoS::AtMostOnce, "other"));
    assert_eq!(broker.read_payloads(client), ["other"], "[MQTT-3.8.3-3]");
}

#[test]
fn retain_as_published_keeps_the_flag() {
    for (retain_as_published, clause) in [(false, "[MQTT-3.3.1-12]"), (true, "[MQTT-3.3.1-13]")] {
        let mut broker = Broker::new();
        let client = broker.connect("c", V5);
        let options = SubscriptionOptions { retain_as_published, ..PLAIN };
        broker.subscribe_with(client, "t", options, None);
        broker.publish(client, retained("t", "x"));
        broker.publish(client, message("t", QoS::AtMostOnce, "y"));
        let flags: Vec<bool> =
            broker.read_publishes(client).iter().map(|publish| publish.retain).collect();
        assert_eq!(flags, [retain_as_published, false], "{clause}");
    }
}

#[test]
fn overlapping_subscriptions_give_one_copy_at_the_highest_qos_with_all_identifiers() {
    let mut broker = Broker::new();
    let client = broker.connect("c", V5);
    let filters = [("a/b", QoS::AtMostOnce, Some(1)), ("a/+", QoS::AtLeastOnce, Some(2))];
    for (filter, qos, identifier) in filters {
        broker.subscribe_with(client, filter, SubscriptionOptions { qos, ..PLAIN }, identifier);
    }
    broker.subscribe(client, "#", QoS::AtMostOnce);
    broker.publish(client, message("a/b", QoS::ExactlyOnce, "x"));
    let publishes = broker.read_publishes(client);
    assert_eq!(publishes.len(), 1);
    assert_eq!(publishes[0].qos, QoS::AtLeastOnce, "[MQTT-3.3.4-2]");
    let properties = publishes[0].properties.as_ref().unwrap();
    let mut identifiers: Vec<u32> =
        properties.subscription_identifiers.iter().map(|id| id.get()).collect();
    identifiers.sort_unstable();
    assert_eq!(identifiers, [1, 2], "[MQTT-3.3.4-4]");
}

#[test]
fn a_subscription_made_again_takes_the_place_of_the_first() {
    let mut broker = Broker::new();
    let client = broker.connect("c", V5);
    broker.subscribe_with(client, "t", PLAIN, Some(1));
    assert_eq!(broker.subscribe(client, "t", QoS::AtMostOnce), ReasonCode::Success);
    assert_eq!(broker.stats().subscriptions, 1);
    broker.publish(client, message("t", QoS::AtLeastOnce, "x"));
    let publish = broker.read_publishes(client).remove(0);
    assert_eq!((publish.qos, publish.properties), (QoS::AtMostOnce, None), "[MQTT-3.8.4-3]");
    broker.unsubscribe(client, "t");
    broker.publish(client, message("t", QoS::AtMostOnce, "y"));
    assert!(broker.read_publishes(client).is_empty(), "[MQTT-3.10.4-2]");
}

#[test]
fn wildcards_at_the_beginning_leave_out_topics_that_begin_with_a_dollar() {
    let mut broker = Broker::new();
    let client = broker.connect("c", V5);
    broker.publish(client, retained("$SYS/x", "retained"));
    broker.subscribe(client, "#", QoS::AtMostOnce);
    broker.subscribe(client, "+/x", QoS::AtMostOnce);
    broker.publish(client, message("$SYS/x", QoS::AtMostOnce, "live"));
    assert!(broker.read_publishes(client).is_empty(), "[MQTT-4.7.2-1]");
    broker.subscribe(client, "$SYS/#", QoS::AtMostOnce);
    assert_eq!(broker.read_payloads(client), ["retained"]);
}

#[test]
fn no_message_comes_at_a_qos_above_the_granted_one() {
    let mut broker = Broker::limited(Limits { max_qos: QoS::AtLeastOnce, ..Limits::default() });
    let client = broker.connect("c", V5);
    assert_eq!(broker.subscribe(client, "t", QoS::ExactlyOnce), ReasonCode::GrantedQoS1);
    broker.inject(injection("t", b"x", QoS::ExactlyOnce));
    assert_eq!(broker.read_publishes(client)[0].qos, QoS::AtLeastOnce, "[MQTT-3.8.4-8]");
}

#[test]
fn a_suback_waits_until_every_shard_knows_and_retained_messages_follow_it() {
    let mut broker = Broker::of_shards(2);
    let client = broker.connect(&at_home("c", 0, 2), V5);
    let publisher = broker.connect(&at_home("p", 1, 2), V5);
    broker.publish(publisher, retained("t", "old"));
    broker.holds_links = true;
    broker.send(client, subscription("t", PLAIN, None));
    assert!(broker.read(client).is_empty());
    broker.deliver_all();
    broker.publish(publisher, message("t", QoS::AtMostOnce, "new"));
    let packets = broker.read(client);
    assert!(matches!(packets[0], Packet::Suback(_)), "[MQTT-3.8.4-1]");
    assert!(matches!(&packets[1], Packet::Publish(publish) if publish.payload == "old"));
    assert!(matches!(&packets[2], Packet::Publish(publish) if publish.payload == "new"));
}

#[test]
fn unsubscribing_before_the_suback_leaves_nothing_to_come() {
    let mut broker = Broker::of_shards(2);
    let client = broker.connect(&at_home("c", 0, 2), V5);
    let publisher = broker.connect(&at_home("p", 1, 2), V5);
    broker.publish(publisher, retained("t", "old"));
    broker.holds_links = true;
    broker.send(client, subscription("t", PLAIN, None));
    broker.unsubscribe(client, "t");
    broker.deliver_all();
    broker.publish(publisher, retained("t", "new"));
    let packets = broker.read(client);
    let answers = packets.iter().filter(|packet| !matches!(packet, Packet::Publish(_))).count();
    assert_eq!((answers, packets.len()), (2, 2), "[MQTT-3.10.4-2]: {packets:?}");
    assert_eq!(broker.shards[0].footprint().requests, 0);
    assert_eq!(broker.shards[1].footprint().interest, 0);
}

#[test]
fn a_takeover_while_a_subscribe_is_pending_keeps_its_suback_from_the_new_connection() {
    let mut broker = Broker::of_shards(2);
    let name = at_home("c", 0, 2);
    let client = broker.resume(&name, V5);
    broker.holds_links = true;
    broker.send(client, subscription("t", PLAIN, None));
    let again = broker.resume(&name, V5);
    broker.deliver_all();
    assert!(broker.is_closed(client));
    assert!(!broker.read(client).iter().any(|packet| matches!(packet, Packet::Suback(_))));
    assert!(broker.read(again).is_empty());
    let publisher = broker.connect(&at_home("p", 1, 2), V5);
    broker.publish(publisher, message("t", QoS::AtMostOnce, "x"));
    assert_eq!(broker.read_payloads(again), ["x"], "the subscription is the session's");
    // With a clean session nothing of it is left.
    broker.holds_links = true;
    broker.send(again, subscription("u", PLAIN, None));
    let clean = broker.connect(&name, V5);
    broker.deliver_all();
    broker.publish(publisher, message("u", QoS::AtMostOnce, "x"));
    broker.publish(publisher, message("t", QoS::AtMostOnce, "x"));
    assert!(broker.read(clean).is_empty(), "[MQTT-3.1.2-4]");
    assert_eq!(broker.shards[0].footprint().requests, 0);
}

#[test]
fn access_taken_away_while_a_subscribe_is_pending_keeps_retained_messages_back() {
    let mut broker = Broker::of_shards(2);
    let client = broker.connect(&at_home("c", 0, 2), V5);
    let publisher = broker.connect(&at_home("p", 1, 2), V5);
    broker.publish(publisher, retained("t", "secret"));
    broker.holds_links = true;
    broker.send(client, subscription("t", PLAIN, None));
    let deny = Access {
        read: |_, _| false,
        subscribe: |_, _| midge_core::Verdict::Never,
        ..Access::default()
    };
    broker.reload(&Limits::default(), deny);
    broker.deliver_all();
    assert!(broker.read_publishes(client).is_empty());
}

#[test]
fn messages_of_one_publisher_keep_their_order_through_queue_and_shards() {
    let mut broker = Broker::of_shards(2);
    let client = broker.connect_with(&at_home("c", 0, 2), V5, |connect| {
        stays(connect);
        connect.properties.receive_maximum = Some(1);
    });
    broker.subscribe(client, "t", QoS::AtLeastOnce);
    let publisher = broker.connect(&at_home("p", 1, 2), V5);
    for number in 1..=5 {
        broker.publish(publisher, numbered("t", QoS::AtLeastOnce, &number.to_string(), number));
    }
    let mut seen = Vec::new();
    while let Some(publish) = broker.read_publishes(client).pop() {
        seen.push(publish.payload[0] - b'0');
        broker.send(client, Packet::Puback(crate::harness::ack_of(&publish)));
    }
    assert_eq!(seen, [1, 2, 3, 4, 5], "[MQTT-4.6.0-5]");
}

#[test]
fn subscriptions_beyond_the_limit_are_refused_and_the_others_stay() {
    let mut broker = Broker::limited(Limits { max_subscriptions: 2, ..Limits::default() });
    let client = broker.connect("c", V5);
    broker.subscribe(client, "a", QoS::AtMostOnce);
    broker.subscribe(client, "b", QoS::AtMostOnce);
    assert_eq!(broker.subscribe(client, "c", QoS::AtMostOnce), ReasonCode::QuotaExceeded);
    assert_eq!(broker.subscribe(client, "b", QoS::AtLeastOnce), ReasonCode::GrantedQoS1);
    let properties = Some(Box::new(midge_codec::PublishProperties {
        content_type: Some(crate::harness::text("text/plain")),
        response_topic: Some(crate::harness::topic("answer")),
        correlation_data: Some("7".into()),
        payload_format_indicator: Some(1),
        user_properties: vec![
            (crate::harness::text("k"), crate::harness::text("1")),
            (crate::harness::text("k"), crate::harness::text("2")),
        ],
        ..Default::default()
    }));
    let publish = Publish { properties, ..message("b", QoS::AtMostOnce, "x") };
    broker.publish(client, publish.clone());
    assert_eq!(broker.read_publishes(client), [publish], "passed on as it came (3.3.2.3)");
}

#[test]
fn a_subscription_that_is_not_made_is_told_to_3_1_1_and_granted_to_3_1() {
    for (version, reason) in [(V31, ReasonCode::GrantedQoS1), (V311, ReasonCode::UnspecifiedError)]
    {
        let mut broker = Broker::limited(Limits { max_subscriptions: 0, ..Limits::default() });
        let client = broker.connect("c", version);
        assert_eq!(broker.subscribe(client, "t", QoS::AtLeastOnce), reason);
        assert_eq!(broker.stats().subscriptions, 0);
    }
}
