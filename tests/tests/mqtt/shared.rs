//! Shared subscriptions: each message to one member of the group.

use midge_codec::{Ack, Packet, ReasonCode};
use midge_tests::{Client, Midge, Outgoing, QOS0, QOS1, QOS2, VERSIONS, message};

fn members(midge: &Midge, count: usize, filter: &str, qos: midge_codec::QoS) -> Vec<Client> {
    let members = (0..count).map(|number| {
        let mut member = midge.v5(&format!("member{number}")).persistent().connect();
        assert!(!member.subscribe(filter, qos).is_error());
        member
    });
    members.collect()
}

fn payloads(packets: Vec<Packet>) -> Vec<String> {
    let said = packets.into_iter().filter_map(|packet| match packet {
        Packet::Publish(publish) => Some(publish.said()),
        _ => None,
    });
    said.collect()
}

#[test]
fn each_message_goes_to_one_member_and_every_member_gets_some() {
    let midge = Midge::start("max_inflight_messages 100");
    let mut group = members(&midge, 3, "$share/group/work/+", QOS1);
    let mut other = midge.client("other");
    other.subscribe("$share/another/work/#", QOS1);
    let mut publisher = midge.client("publisher");
    for number in 0..60 {
        publisher.publish(message(&format!("work/{number}"), number.to_string()).qos(QOS1));
    }
    let mut all: Vec<usize> = Vec::new();
    let mut shares = vec![0; 3];
    // What one has not received yet is on its way: count until everything has come.
    midge_tests::eventually("all messages arrive", || {
        for (member, share) in group.iter_mut().zip(&mut shares) {
            let received = payloads(member.unread());
            *share += received.len();
            all.extend(received.iter().map(|said| said.parse::<usize>().expect("a number")));
        }
        (all.len() >= 60).then_some(())
    });
    all.sort_unstable();
    assert_eq!(all, (0..60).collect::<Vec<_>>());
    assert!(shares.iter().all(|share| *share > 0), "{shares:?}");
    // Another group gets everything once more.
    for number in 0..60 {
        assert_eq!(other.accept().said(), number.to_string());
    }
}

#[test]
fn a_shared_subscription_is_delivered_at_the_qos_granted_to_the_member() {
    let midge = Midge::start("");
    for qos in [QOS0, QOS1, QOS2] {
        let mut group = members(&midge, 1, "$share/group/work", qos);
        midge.client("publisher").publish(message("work", "x").qos(QOS2));
        // [MQTT-4.8.2-3]
        assert_eq!(group[0].expect("work", "x").qos, qos);
        group.remove(0).disconnect_with(ReasonCode::Success, Some(0));
    }
}

#[test]
fn a_shared_subscription_gets_no_retained_messages() {
    let midge = Midge::start("");
    midge.client("publisher").publish(message("work", "x").retained().qos(QOS1));
    let mut group = members(&midge, 1, "$share/group/work", QOS1);
    assert_eq!(group[0].unread(), []);
}

#[test]
fn what_a_member_that_left_had_not_acknowledged_goes_to_another() {
    let midge = Midge::start("");
    let mut group = members(&midge, 2, "$share/group/work", QOS1);
    let mut publisher = midge.client("publisher");
    for number in 0..10 {
        publisher.publish(message("work", number.to_string()).qos(QOS1));
    }
    let mut staying = group.remove(0);
    // Its session ends with it, and it has acknowledged nothing.
    group.remove(0).disconnect_with(ReasonCode::Success, Some(0));
    let mut numbers: Vec<usize> =
        (0..10).map(|_| staying.accept().said().parse().expect("a number")).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (0..10).collect::<Vec<_>>());
}

#[test]
fn a_message_of_qos_2_stays_with_its_member() {
    let midge = Midge::start("");
    let mut group = members(&midge, 2, "$share/group/work", QOS2);
    midge.client("publisher").publish(message("work", "begun").qos(QOS2));
    let receiver = midge_tests::eventually("a member receives it", || {
        group.iter_mut().position(|member| payloads(member.unread()) == ["begun"])
    });
    // The connection breaks; the session goes on.
    let name = format!("member{receiver}");
    group.remove(receiver).vanish();
    assert_eq!(payloads(group[0].unread()), [""; 0]);
    let mut back = midge.v5(&name).persistent().connect();
    // [MQTT-4.8.2-4]
    let again = back.message();
    assert_eq!((again.said().as_str(), again.dup), ("begun", true));
    back.acknowledge(&again);
}

#[test]
fn a_message_of_qos_2_ends_with_the_session_of_its_member() {
    let midge = Midge::start("");
    let mut group = members(&midge, 2, "$share/group/work", QOS2);
    let mut publisher = midge.client("publisher");
    publisher.publish(message("work", "begun").qos(QOS2));
    let receiver = midge_tests::eventually("a member receives it", || {
        group.iter_mut().position(|member| payloads(member.unread()) == ["begun"])
    });
    group.remove(receiver).disconnect_with(ReasonCode::Success, Some(0));
    // [MQTT-4.8.2-5]: the next message of the group comes, not that one.
    publisher.publish(message("work", "next").qos(QOS2));
    group[0].expect("work", "next");
}

#[test]
fn a_message_a_member_refuses_goes_to_nobody_else() {
    let midge = Midge::start("");
    let mut group = members(&midge, 2, "$share/group/work", QOS1);
    let mut publisher = midge.client("publisher");
    publisher.publish(message("work", "refused").qos(QOS1));
    let mut refused = None;
    midge_tests::eventually("a member receives it", || {
        for (index, member) in group.iter_mut().enumerate() {
            for packet in member.unread() {
                if let Packet::Publish(publish) = packet {
                    refused = Some((index, publish.packet_id.expect("QoS 1")));
                }
            }
        }
        refused
    });
    let (index, packet_id) = refused.expect("received");
    let reason = ReasonCode::UnspecifiedError;
    group[index].send(Packet::Puback(Ack { packet_id, reason, properties: None }));
    group[index].ping();
    for number in 0..4 {
        publisher.publish(message("work", number.to_string()).qos(QOS1));
    }
    let mut all = Vec::new();
    midge_tests::eventually("the others arrive", || {
        all.extend(group.iter_mut().flat_map(|member| payloads(member.unread())));
        (all.len() >= 4).then_some(())
    });
    all.sort();
    // [MQTT-4.8.2-6]
    assert_eq!(all, ["0", "1", "2", "3"]);
}

#[test]
fn a_group_without_members_keeps_nothing() {
    let midge = Midge::start("");
    let mut group = members(&midge, 1, "$share/group/work", QOS1);
    group[0].unsubscribe(&["$share/group/work"]);
    let mut publisher = midge.client("publisher");
    publisher.publish(message("work", "to nobody").qos(QOS1));
    group[0].subscribe("$share/group/work", QOS1);
    publisher.publish(message("work", "to somebody").qos(QOS1));
    group[0].expect("work", "to somebody");
}

#[test]
fn a_shared_and_a_plain_subscription_are_two() {
    let midge = Midge::start("");
    let mut client = midge.client("both");
    client.subscribe("$share/group/work", QOS1);
    client.subscribe("work", QOS1);
    midge.client("publisher").publish(message("work", "x").qos(QOS1));
    client.expect("work", "x");
    client.expect("work", "x");
    client.unsubscribe(&["work"]);
    midge.client("publisher").publish(message("work", "y").qos(QOS1));
    client.expect("work", "y");
    assert_eq!(client.unread(), []);
}

#[test]
fn a_share_name_must_be_there_and_have_no_wildcards() {
    let midge = Midge::start("");
    for name in ["$share/", "$share//a", "$share/g", "$share/g/", "$share/g+/a", "$share/#/a"] {
        let mut client = midge.client("client");
        let mut body = vec![0, 1, 0, 0, name.len() as u8];
        body.extend_from_slice(name.as_bytes());
        body.push(0);
        let mut packet = vec![0x82, body.len() as u8];
        packet.extend_from_slice(&body);
        client.send_bytes(&packet);
        // [MQTT-4.8.2-1], [MQTT-4.8.2-2]: refused one way or the other.
        let refusal = client.closed_or(|packet| match packet {
            Packet::Suback(suback) => Some(suback.reasons.clone()),
            _ => None,
        });
        assert!(refusal.is_none_or(|reasons| reasons[0].is_error()), "{name}");
    }
}

#[test]
fn members_may_speak_any_version() {
    let midge = Midge::start("");
    let mut group: Vec<Client> = VERSIONS
        .iter()
        .map(|version| {
            let mut member = midge.dial(*version, &format!("{version:?}")).connect();
            member.subscribe("$share/group/work", QOS1);
            member
        })
        .collect();
    let mut publisher = midge.client("publisher");
    for number in 0..9 {
        publisher.publish(message("work", number.to_string()).qos(QOS1));
    }
    let mut all = Vec::new();
    midge_tests::eventually("all messages arrive", || {
        all.extend(group.iter_mut().flat_map(|member| payloads(member.unread())));
        (all.len() >= 9).then_some(())
    });
    all.sort();
    assert_eq!(all, (0..9).map(|number| number.to_string()).collect::<Vec<_>>());
}
