//! SUBSCRIBE and UNSUBSCRIBE: what is granted, what is delivered, what stops.

use std::num::NonZeroU16;

use midge_codec::{
    Packet, ProtocolVersion, ReasonCode, Subscribe, SubscribeProperties, SubscriptionOptions,
    Unsubscribe,
};
use midge_tests::{Midge, Outgoing, QOS0, QOS1, QOS2, VERSIONS, filter, message, options};

const GRANTED: [ReasonCode; 3] =
    [ReasonCode::Success, ReasonCode::GrantedQoS1, ReasonCode::GrantedQoS2];

#[test]
fn a_subscribe_is_answered_with_its_packet_id_and_a_reason_for_each_filter() {
    let midge = Midge::start("");
    for version in VERSIONS {
        let mut client = midge.dial(version, "client").connect();
        let qos = [QOS2, QOS0, QOS1, QOS2];
        let subscriptions: Vec<_> = ["a", "b/+", "c/#", "+"]
            .iter()
            .zip(qos)
            .map(|(name, qos)| (filter(name), options(qos)))
            .collect();
        let packet_id = NonZeroU16::new(0xabcd).expect("an id");
        let properties = SubscribeProperties::default();
        client.send(Packet::Subscribe(Subscribe { packet_id, properties, subscriptions }));
        let suback = client.pick("SUBACK", |packet| match packet {
            Packet::Suback(suback) => Some(suback.clone()),
            _ => None,
        });
        // [MQTT-3.8.4-2], [MQTT-3.8.4-6], [MQTT-3.9.3-1]
        assert_eq!(suback.packet_id, packet_id);
        assert_eq!(suback.reasons, qos.map(|qos| GRANTED[qos as usize]));
    }
}

#[test]
fn the_same_filter_again_replaces_the_subscription() {
    let midge = Midge::start("");
    for version in VERSIONS {
        let mut client = midge.dial(version, "client").connect();
        client.subscribe("a/+", QOS0);
        client.subscribe("a/+", QOS2);
        let mut publisher = midge.client("publisher");
        publisher.publish(message("a/b", "once").qos(QOS2));
        publisher.publish(message("a/b", "after").qos(QOS2));
        // [MQTT-3.8.4-3]: one copy, at the new QoS.
        assert_eq!(client.expect("a/b", "once").qos, QOS2);
        client.expect("a/b", "after");
    }
}

#[test]
fn overlapping_subscriptions_deliver_at_the_highest_qos_granted() {
    let midge = Midge::start("");
    for version in VERSIONS {
        let mut client = midge.dial(version, "client").connect();
        for (name, qos) in [("a/b", QOS0), ("a/+", QOS2), ("a/#", QOS1)] {
            client.subscribe(name, qos);
        }
        let mut publisher = midge.client("publisher");
        publisher.publish(message("a/b", "x").qos(QOS2));
        publisher.publish(message("a/b", "end").qos(QOS2));
        let mut highest = QOS0;
        loop {
            let publish = client.accept();
            if publish.said() == "end" {
                break;
            }
            highest = highest.max(publish.qos);
        }
        // [MQTT-3.3.4-2], 3.1.1: [MQTT-3.3.5-1]
        assert_eq!(highest, QOS2, "{version:?}");
    }
}

#[test]
fn messages_carry_the_identifiers_of_all_subscriptions_they_match() {
    let midge = Midge::start("");
    let mut client = midge.client("client");
    client.subscribe_with("a/b", options(QOS1), Some(1));
    client.subscribe_with("a/+", options(QOS1), Some(268_435_455));
    client.subscribe_with("a/#", options(QOS1), None);
    client.subscribe_with("other", options(QOS1), Some(3));
    let mut publisher = midge.client("publisher");
    publisher.publish(message("a/b", "x").qos(QOS1));
    publisher.publish(message("other", "end").qos(QOS1));
    let mut seen = Vec::new();
    loop {
        let publish = client.accept();
        if publish.said() == "end" {
            // [MQTT-3.3.4-3]
            assert_eq!(publish.subscription_identifiers(), [3]);
            break;
        }
        seen.extend(publish.subscription_identifiers());
    }
    seen.sort_unstable();
    // [MQTT-3.3.4-4], [MQTT-3.3.4-5]: one copy with both, or a copy each with its own.
    assert_eq!(seen, [1, 268_435_455]);
}

#[test]
fn a_subscription_identifier_is_replaced_with_its_subscription() {
    let midge = Midge::start("");
    let mut client = midge.client("client");
    client.subscribe_with("a", options(QOS1), Some(1));
    client.subscribe_with("a", options(QOS1), Some(2));
    let mut publisher = midge.client("publisher");
    publisher.publish(message("a", "x").qos(QOS1));
    assert_eq!(client.accept().subscription_identifiers(), [2]);
    client.subscribe_with("a", options(QOS1), None);
    publisher.publish(message("a", "x").qos(QOS1));
    assert_eq!(client.accept().subscription_identifiers(), [0; 0]);
}

#[test]
fn retained_messages_carry_the_identifier_of_the_subscription_that_asked() {
    let midge = Midge::start("");
    midge.client("publisher").publish(message("a", "x").retained().qos(QOS1));
    let mut client = midge.client("client");
    client.subscribe_with("a", options(QOS1), Some(77));
    assert_eq!(client.accept().subscription_identifiers(), [77]);
}

#[test]
fn no_local_keeps_a_clients_own_messages_from_it() {
    let midge = Midge::start("");
    let mut client = midge.client("client");
    let no_local = SubscriptionOptions { no_local: true, ..options(QOS1) };
    client.subscribe_with("a", no_local, None);
    client.subscribe("end", QOS1);
    let mut other = midge.client("other");
    client.publish(message("a", "mine").qos(QOS1));
    client.publish(message("end", "mine").qos(QOS1));
    // [MQTT-3.8.3-3]
    client.expect("end", "mine");
    other.publish(message("a", "another's").qos(QOS1));
    client.expect("a", "another's");
}

#[test]
fn no_local_on_a_shared_subscription_is_a_protocol_error() {
    let midge = Midge::start("");
    let mut client = midge.client("client");
    let no_local = SubscriptionOptions { no_local: true, ..options(QOS1) };
    let packet_id = client.fresh_id();
    client.send(Packet::Subscribe(Subscribe {
        packet_id,
        properties: SubscribeProperties::default(),
        subscriptions: vec![(filter("$share/group/a"), no_local)],
    }));
    // [MQTT-3.8.3-4]
    client.dropped(ReasonCode::ProtocolError);
}

#[test]
fn an_unsubscribe_is_answered_with_its_packet_id_and_a_reason_for_each_filter() {
    let midge = Midge::start("");
    for version in VERSIONS {
        let mut client = midge.dial(version, "client").connect();
        client.subscribe("a", QOS0);
        client.subscribe("b/#", QOS0);
        let packet_id = NonZeroU16::new(0x4321).expect("an id");
        let filters = ["never", "a", "b/+", "b/#"].map(filter).into();
        let user_properties = Vec::new();
        client.send(Packet::Unsubscribe(Unsubscribe { packet_id, user_properties, filters }));
        let unsuback = client.pick("UNSUBACK", |packet| match packet {
            Packet::Unsuback(unsuback) => Some(unsuback.clone()),
            _ => None,
        });
        // [MQTT-3.10.4-4], [MQTT-3.10.4-5]
        assert_eq!(unsuback.packet_id, packet_id);
        if version == ProtocolVersion::V5 {
            let (none, success) = (ReasonCode::NoSubscriptionExisted, ReasonCode::Success);
            // [MQTT-3.11.3-1], [MQTT-3.11.3-2], [MQTT-3.10.4-1]: character by character.
            assert_eq!(unsuback.reasons, [none, success, none, success]);
        }
    }
}

#[test]
fn nothing_new_comes_after_an_unsubscribe() {
    let midge = Midge::start("");
    for version in VERSIONS {
        let mut client = midge.dial(version, "client").connect();
        client.subscribe("a", QOS1);
        client.subscribe("A", QOS1);
        client.subscribe("end", QOS1);
        client.unsubscribe(&["a"]);
        let mut publisher = midge.client("publisher");
        publisher.publish(message("a", "unwanted").qos(QOS1));
        publisher.publish(message("A", "another filter").qos(QOS1));
        publisher.publish(message("end", "x").qos(QOS1));
        // [MQTT-3.10.4-2], [MQTT-3.10.4-1]
        client.expect("A", "another filter");
        client.expect("end", "x");
    }
}

#[test]
fn deliveries_already_begun_are_completed_after_an_unsubscribe() {
    let midge = Midge::start("");
    for version in VERSIONS {
        let name = format!("{version:?}");
        let mut client = midge.dial(version, &name).persistent().connect();
        client.subscribe("a", QOS2);
        let mut publisher = midge.client("publisher");
        publisher.publish(message("a", "one").qos(QOS1));
        publisher.publish(message("a", "two").qos(QOS2));
        let one = client.message();
        let two = client.message();
        client.unsubscribe(&["a"]);
        client.vanish();
        let mut client = midge.dial(version, &name).persistent().connect();
        // [MQTT-3.10.4-3]
        for begun in [one, two] {
            let again = client.accept();
            assert_eq!((again.said(), again.packet_id), (begun.said(), begun.packet_id));
        }
    }
}

#[test]
fn many_filters_in_one_packet_are_as_good_as_many_packets() {
    let midge = Midge::start("");
    for version in VERSIONS {
        let mut client = midge.dial(version, "client").connect();
        let names: Vec<String> = (0..100).map(|number| format!("many/{number}")).collect();
        let subscriptions = names.iter().map(|name| (filter(name), options(QOS1))).collect();
        let reasons = client.subscribe_all(subscriptions, SubscribeProperties::default());
        assert_eq!(reasons, [ReasonCode::GrantedQoS1; 100]);
        let mut publisher = midge.client("publisher");
        for name in [&names[0], &names[50], &names[99]] {
            publisher.publish(message(name, "x").qos(QOS1));
            client.expect(name, "x");
        }
        // [MQTT-3.10.4-6]
        client.unsubscribe(&names.iter().map(String::as_str).collect::<Vec<_>>());
        client.subscribe("end", QOS1);
        publisher.publish(message(&names[50], "x").qos(QOS1));
        publisher.publish(message("end", "x").qos(QOS1));
        client.expect("end", "x");
    }
}

#[test]
fn a_message_is_delivered_to_those_whose_filter_matches() {
    let midge = Midge::start("");
    let filters = ["a/b", "a/+", "a/#", "#", "+/b", "+/+", "a", "a/b/#", "a/b/+", "b/#", "+"];
    let mut clients: Vec<_> = filters
        .iter()
        .enumerate()
        .map(|(number, name)| {
            let version = VERSIONS[number % 3];
            let mut client = midge.dial(version, &format!("client{number}")).connect();
            client.subscribe(name, QOS1);
            client.subscribe("end/of/test", QOS1);
            client
        })
        .collect();
    let mut publisher = midge.client("publisher");
    publisher.publish(message("a/b", "x").qos(QOS1));
    publisher.publish(message("end/of/test", "x").qos(QOS1));
    for (client, name) in clients.iter_mut().zip(filters) {
        let matches = ["a/b", "a/+", "a/#", "#", "+/b", "+/+", "a/b/#"].contains(&name);
        let first = client.accept();
        // [MQTT-3.3.2-3]
        assert_eq!(first.name(), if matches { "a/b" } else { "end/of/test" }, "{name}");
    }
}
