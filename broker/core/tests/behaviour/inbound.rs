//! From a client: acknowledgements, repetitions, aliases, receive maximum, refusals by version.

use std::num::NonZeroU16;

use midge_codec::{Ack, Disconnect, Packet, Publish, QoS, ReasonCode};
use midge_core::{Limits, TapId};

use crate::harness::{
    Access, Broker, Peer, V5, V31, V311, ack, id, injection, message, numbered, retained,
    waiting_tap,
};

fn publish_as(version: midge_codec::ProtocolVersion, qos: QoS) -> Vec<Packet> {
    let deny = Access { publish: |_, _| false, ..Access::default() };
    let mut broker = Broker::with(1, Limits::default(), deny, Vec::new(), usize::MAX);
    let client = broker.connect("c", version);
    broker.publish(client, message("t", qos, "x"));
    assert!(!broker.is_closed(client));
    assert_eq!(broker.stats().publish_denied, 1);
    broker.read(client)
}

fn disconnected(broker: &mut Broker, client: Peer, reason: ReasonCode) {
    let last = broker.read(client).pop();
    assert_eq!(last, Some(Packet::Disconnect(Disconnect { reason, properties: None })));
    assert!(broker.is_closed(client));
}

#[test]
fn a_denied_publish_is_answered_as_its_version_has_it() {
    let not_authorized = Ack { reason: ReasonCode::NotAuthorized, ..ack(1) };
    for version in [V31, V311] {
        assert_eq!(publish_as(version, QoS::AtMostOnce), []);
        let expected = [Packet::Puback(ack(1))];
        assert_eq!(publish_as(version, QoS::AtLeastOnce), expected, "3.1.1 [MQTT-3.3.5-2]");
        assert_eq!(publish_as(version, QoS::ExactlyOnce), [Packet::Pubrec(ack(1))]);
    }
    assert_eq!(publish_as(V5, QoS::AtMostOnce), []);
    assert_eq!(publish_as(V5, QoS::AtLeastOnce), [Packet::Puback(not_authorized.clone())]);
    assert_eq!(publish_as(V5, QoS::ExactlyOnce), [Packet::Pubrec(not_authorized)]);
}

#[test]
fn a_qos_2_publish_is_taken_once_until_it_is_released() {
    for version in [V311, V5] {
        let mut broker = Broker::new();
        let subscriber = broker.connect("s", V5);
        broker.subscribe(subscriber, "t", QoS::AtMostOnce);
        let client = broker.resume("c", version);
        broker.publish(client, message("t", QoS::ExactlyOnce, "x"));
        assert_eq!(broker.read(client), [Packet::Pubrec(ack(1))], "[MQTT-4.3.3-8]");
        broker.lose(client);
        let client = broker.resume("c", version);
        let again = Publish { dup: true, ..message("t", QoS::ExactlyOnce, "x") };
        broker.publish(client, again.clone());
        assert_eq!(broker.read(client), [Packet::Pubrec(ack(1))], "[MQTT-4.3.3-10]");
        assert_eq!(broker.read_payloads(subscriber), ["x"], "[MQTT-4.3.3-10]");
        broker.send(client, Packet::Pubrel(ack(1)));
        assert_eq!(broker.read(client), [Packet::Pubcomp(ack(1))], "[MQTT-4.3.3-11]");
        broker.publish(client, again);
        assert_eq!(broker.read_payloads(subscriber), ["x"], "a new message [MQTT-4.3.3-12]");
        broker.send(client, Packet::Pubrel(ack(1)));
        broker.send(client, Packet::Pubrel(ack(1)));
        let reason = match version {
            V5 => ReasonCode::PacketIdentifierNotFound,
            _ => ReasonCode::Success,
        };
        let last = Packet::Pubcomp(Ack { reason, ..ack(1) });
        assert_eq!(broker.read(client).pop(), Some(last), "[MQTT-4.3.3-11]");
    }
}

#[test]
fn a_publish_nobody_subscribes_to_says_so() {
    let mut broker = Broker::new();
    let client = broker.connect("c", V5);
    broker.publish(client, message("t", QoS::AtLeastOnce, "x"));
    let reason = ReasonCode::NoMatchingSubscribers;
    assert_eq!(broker.read(client), [Packet::Puback(Ack { reason, ..ack(1) })], "3.4.2.1");
}

#[test]
fn topic_aliases_stand_for_their_topic_and_unknown_ones_end_the_connection() {
    let alias = |topic_alias: u16, publish: Publish| Publish {
        topic_alias: NonZeroU16::new(topic_alias),
        ..publish
    };
    let nameless = Publish { topic: None, ..message("t", QoS::AtMostOnce, "by alias") };
    let mut broker = Broker::limited(Limits { topic_alias_maximum: 2, ..Limits::default() });
    let subscriber = broker.connect("s", V5);
    broker.subscribe(subscriber, "#", QoS::AtMostOnce);
    let client = broker.connect("c", V5);
    broker.publish(client, alias(2, message("a", QoS::AtMostOnce, "x")));
    broker.publish(client, alias(2, nameless.clone()));
    broker.publish(client, alias(2, message("b", QoS::AtMostOnce, "x")));
    broker.publish(client, alias(2, nameless.clone()));
    let topics: Vec<String> = broker
        .read_publishes(subscriber)
        .iter()
        .map(|publish| publish.topic.as_ref().unwrap().to_string())
        .collect();
    assert_eq!(topics, ["a", "a", "b", "b"], "3.3.2.3.4");
    broker.publish(client, alias(1, nameless.clone()));
    disconnected(&mut broker, client, ReasonCode::ProtocolError);
    let client = broker.connect("c", V5);
    broker.publish(client, alias(2, nameless));
    disconnected(&mut broker, client, ReasonCode::ProtocolError);
    let client = broker.connect("c", V5);
    broker.publish(client, alias(3, message("a", QoS::AtMostOnce, "x")));
    disconnected(&mut broker, client, ReasonCode::TopicAliasInvalid);
}

#[test]
fn what_a_connack_promised_holds_after_a_reload() {
    let generous = Limits { topic_alias_maximum: 5, receive_maximum: 3, ..Limits::default() };
    let mut broker = Broker::limited(generous.clone());
    let client = broker.connect("c", V5);
    let strict = Limits { topic_alias_maximum: 0, receive_maximum: 1, ..generous };
    broker.reload(&strict, Access::default());
    let topic_alias = NonZeroU16::new(5);
    broker.publish(client, Publish { topic_alias, ..message("t", QoS::AtMostOnce, "x") });
    for number in 1..=3 {
        broker.publish(client, numbered("t", QoS::ExactlyOnce, "x", number));
    }
    assert!(!broker.is_closed(client), "[MQTT-3.3.2-12], 4.9");
    broker.publish(client, numbered("t", QoS::ExactlyOnce, "x", 4));
    disconnected(&mut broker, client, ReasonCode::ReceiveMaximumExceeded);
}

#[test]
fn more_unacknowledged_publishes_than_our_receive_maximum_end_the_connection() {
    let mut broker = Broker::limited(Limits { receive_maximum: 2, ..Limits::default() });
    let client = broker.connect("c", V5);
    for number in 1..=2 {
        broker.publish(client, numbered("t", QoS::ExactlyOnce, "x", number));
    }
    // QoS 1 is acknowledged at once and a repetition is not another one.
    broker.publish(client, numbered("t", QoS::ExactlyOnce, "x", 2));
    broker.send(client, Packet::Pubrel(ack(1)));
    broker.publish(client, numbered("t", QoS::ExactlyOnce, "x", 3));
    assert!(!broker.is_closed(client));
    broker.publish(client, numbered("t", QoS::ExactlyOnce, "x", 4));
    disconnected(&mut broker, client, ReasonCode::ReceiveMaximumExceeded);
}

fn tapped(limits: Limits) -> Broker {
    Broker::with(1, limits, Access::default(), vec![waiting_tap("tap/#")], usize::MAX)
}

#[test]
fn an_acknowledgement_waits_for_the_rule_that_takes_the_message() {
    for version in [V311, V5] {
        let mut broker = tapped(Limits::default());
        let client = broker.connect("c", version);
        broker.publish(client, numbered("tap/x", QoS::AtLeastOnce, "one", 1));
        broker.publish(client, numbered("tap/x", QoS::ExactlyOnce, "two", 2));
        broker.publish(client, message("tap/x", QoS::AtMostOnce, "zero"));
        assert!(broker.read(client).is_empty());
        let duties: Vec<bool> =
            broker.offers.iter().map(|(_, offer)| offer.duty.is_some()).collect();
        assert_eq!(duties, [true, true, false]);
        broker.bridge_reports(ReasonCode::Success);
        let expected = [Packet::Puback(ack(1)), Packet::Pubrec(ack(2))];
        assert_eq!(broker.read(client), expected);
        assert_eq!(broker.shards[0].footprint().duties, 0);
    }
}

#[test]
fn an_injected_publish_is_reported_when_the_rule_has_it_and_qos_0_at_once() {
    for outcome in [ReasonCode::Success, ReasonCode::QuotaExceeded] {
        let mut broker = tapped(Limits::default());
        broker.inject(injection("tap/x", b"one", QoS::AtLeastOnce));
        assert!(broker.injected.is_empty(), "nothing is safe yet");
        broker.bridge_reports(outcome);
        assert_eq!(broker.injected, [outcome]);
        broker.inject(injection("tap/x", b"zero", QoS::AtMostOnce));
        assert_eq!(broker.injected, [outcome, ReasonCode::Success]);
        broker.inject(injection("elsewhere", b"x", QoS::AtLeastOnce));
        assert_eq!(broker.injected[2], ReasonCode::NoMatchingSubscribers);
        assert_eq!(broker.shards[0].footprint().duties, 0);
    }
}

#[test]
fn a_repetition_while_its_duty_is_open_is_not_taken_again() {
    for qos in [QoS::AtLeastOnce, QoS::ExactlyOnce] {
        let mut broker = tapped(Limits::default());
        let client = broker.resume("c", V311);
        broker.publish(client, message("tap/x", qos, "x"));
        broker.lose(client);
        let client = broker.resume("c", V311);
        broker.publish(client, Publish { dup: true, ..message("tap/x", qos, "x") });
        assert_eq!(broker.offers.len(), 1, "it attaches to the duty under way");
        assert!(broker.read(client).is_empty());
        // Another message under the same id is one of its own.
        broker.publish(client, message("tap/x", qos, "other"));
        assert_eq!(broker.offers.len(), 2);
        broker.bridge_reports(ReasonCode::Success);
        assert_eq!(broker.read(client).len(), 1);
        assert_eq!(broker.shards[0].footprint().duties, 0);
    }
}

#[test]
fn a_refusal_by_the_bridge_is_told_to_5_and_closes_3() {
    for (qos, version) in [(QoS::AtLeastOnce, V5), (QoS::ExactlyOnce, V5), (QoS::AtLeastOnce, V311)]
    {
        let mut broker = tapped(Limits::default());
        let client = broker.resume("c", version);
        broker.publish(client, message("tap/x", qos, "x"));
        broker.bridge_reports(ReasonCode::QuotaExceeded);
        let refused = Ack { reason: ReasonCode::QuotaExceeded, ..ack(1) };
        match (version, qos) {
            (V5, QoS::AtLeastOnce) => assert_eq!(broker.read(client), [Packet::Puback(refused)]),
            (V5, _) => assert_eq!(broker.read(client), [Packet::Pubrec(refused)]),
            _ => {
                assert!(broker.is_closed(client));
                assert!(broker.read(client).is_empty());
            }
        }
    }
}

#[test]
fn a_3_1_1_client_waits_at_the_receive_maximum_and_goes_on_when_duties_are_met() {
    let mut broker = tapped(Limits { receive_maximum: 2, ..Limits::default() });
    let client = broker.resume("c", V311);
    for number in 1..=2 {
        broker.publish(client, numbered("tap/x", QoS::AtLeastOnce, "x", number));
    }
    assert!(broker.is_paused(client));
    // Back again, it repeats what it has, then sends another one.
    broker.lose(client);
    let client = broker.resume("c", V311);
    for number in 1..=2 {
        let publish = numbered("tap/x", QoS::AtLeastOnce, "x", number);
        broker.publish(client, Publish { dup: true, ..publish });
    }
    broker.publish(client, numbered("tap/x", QoS::AtLeastOnce, "x", 3));
    assert!(!broker.is_closed(client), "3.x knows no Receive Maximum");
    assert!(broker.is_paused(client));
    broker.bridge_reports(ReasonCode::Success);
    assert!(!broker.is_paused(client));
    assert_eq!(broker.read(client).len(), 3);
}

#[test]
fn publishers_to_a_full_rule_wait_until_it_can_take_more_or_is_gone() {
    for gone in [false, true] {
        let mut broker = tapped(Limits::default());
        let client = broker.connect("c", V5);
        let shard = client.shard;
        let tap = TapId(1);
        broker.handle(shard, midge_core::In::TapFull { tap, full: true });
        broker.publish(client, message("t", QoS::AtMostOnce, "elsewhere"));
        assert!(!broker.is_paused(client));
        broker.publish(client, message("tap/x", QoS::AtMostOnce, "x"));
        assert!(broker.is_paused(client));
        if gone {
            broker.handle(shard, midge_core::In::Taps(std::sync::Arc::default()));
        } else {
            broker.handle(shard, midge_core::In::TapFull { tap, full: false });
        }
        assert!(!broker.is_paused(client));
        broker.publish(client, message("tap/x", QoS::AtMostOnce, "x"));
        assert!(!broker.is_paused(client));
    }
}

#[test]
fn what_the_server_does_not_take_ends_the_connection_with_the_reason() {
    let limits = Limits { max_qos: QoS::AtLeastOnce, retain_available: false, ..Limits::default() };
    let mut broker = Broker::limited(limits);
    let client = broker.connect("c", V5);
    broker.publish(client, message("t", QoS::ExactlyOnce, "x"));
    disconnected(&mut broker, client, ReasonCode::QoSNotSupported);
    let client = broker.connect("c", V5);
    broker.publish(client, retained("t", "x"));
    disconnected(&mut broker, client, ReasonCode::RetainNotSupported);
}

#[test]
fn packets_only_a_server_sends_end_the_connection() {
    let suback = || midge_codec::Suback {
        packet_id: id(1),
        properties: None,
        reasons: vec![ReasonCode::Success],
    };
    let packets = [Packet::Pingresp, Packet::Suback(suback()), Packet::Unsuback(suback())];
    for packet in packets {
        let mut broker = Broker::new();
        let client = broker.connect("c", V5);
        broker.send(client, packet);
        disconnected(&mut broker, client, ReasonCode::ProtocolError);
    }
}

#[test]
fn a_publish_with_a_subscription_identifier_is_a_protocol_error() {
    let mut broker = Broker::new();
    let client = broker.connect("c", V5);
    let properties = midge_codec::PublishProperties {
        subscription_identifiers: vec![midge_codec::SubscriptionIdentifier::MIN],
        ..Default::default()
    };
    let properties = Some(Box::new(properties));
    broker.publish(client, Publish { properties, ..message("t", QoS::AtMostOnce, "x") });
    disconnected(&mut broker, client, ReasonCode::ProtocolError);
}

#[test]
fn a_topic_of_too_many_levels_is_refused() {
    let mut broker = Broker::limited(Limits { max_topic_levels: 3, ..Limits::default() });
    let client = broker.connect("c", V5);
    broker.publish(client, message("a/b/c", QoS::AtLeastOnce, "x"));
    broker.publish(client, message("a/b/c/d", QoS::AtLeastOnce, "x"));
    let refused = Ack { reason: ReasonCode::TopicNameInvalid, ..ack(1) };
    assert_eq!(broker.read(client).pop(), Some(Packet::Puback(refused)));
    assert_eq!(
        broker.subscribe(client, "a/b/c/#", QoS::AtMostOnce),
        ReasonCode::TopicFilterInvalid
    );
}

#[test]
fn a_3_1_1_client_waits_while_too_much_of_it_waits_for_others() {
    let mut broker = tapped(Limits { receive_maximum: 2, ..Limits::default() });
    let client = broker.connect("c", V311);
    broker.publish(client, numbered("tap/x", QoS::AtLeastOnce, "x", 1));
    for number in 2..=5 {
        broker.publish(client, numbered("elsewhere", QoS::ExactlyOnce, "x", number));
        assert!(!broker.is_paused(client), "nobody is waited for");
    }
    broker.publish(client, numbered("tap/x", QoS::ExactlyOnce, "x", 6));
    assert!(broker.is_paused(client));
    broker.bridge_reports(ReasonCode::Success);
    assert!(!broker.is_paused(client));
}

#[test]
fn a_3_x_client_may_use_all_packet_ids_before_it_releases_any() {
    for version in [V31, V311] {
        let mut broker = Broker::limited(Limits { receive_maximum: 20, ..Limits::default() });
        let client = broker.connect("c", version);
        for number in 1..=u16::MAX {
            broker.publish(client, numbered("t", QoS::ExactlyOnce, "x", number));
        }
        assert!(!broker.is_closed(client) && !broker.is_paused(client));
        assert_eq!(broker.stats().publish_received, u64::from(u16::MAX));
        assert_eq!(broker.read(client).len(), usize::from(u16::MAX), "a PUBREC each");
        for number in 1..=u16::MAX {
            broker.send(client, Packet::Pubrel(ack(number)));
        }
        assert_eq!(broker.read(client).len(), usize::from(u16::MAX), "a PUBCOMP each");
        assert!(!broker.is_closed(client));
    }
}
