//! Kafka to MQTT, against a Kafka inside the process.

mod support;

use midge_bridge::State;
use midge_bridge::dev::EmbeddedKafka;
use midge_codec::{QoS, ReasonCode, Text};
use midge_config::{ConnectorKind, MqttUser, Secret};
use midge_core::ShardId;
use std::time::Duration;
use support::{Broker, eventually, kafka, message, offer, settings, sink, source};

fn fill(kafka: &EmbeddedKafka, topic: &str, numbers: std::ops::Range<u64>) {
    for number in numbers {
        kafka
            .produce(topic, Some(b"k"), Some(number.to_string().as_bytes()), &[])
            .expect("kafka takes it");
    }
}

fn payloads(broker: &Broker) -> Vec<String> {
    let seen = broker.lock();
    let text = |payload: &[u8]| String::from_utf8(payload.to_vec()).expect("text");
    seen.injects.iter().map(|inject| text(&inject.payload)).collect()
}

fn numbers(range: std::ops::Range<u64>) -> Vec<String> {
    range.map(|number| number.to_string()).collect()
}

#[test]
fn a_record_becomes_a_publish_by_the_rule() {
    let kafka = kafka();
    kafka.create_topic("orders", 1).expect("a new topic");
    let headers: [(&str, &[u8]); 3] =
        [("unit", b"C"), ("midge.trail", b"somewhere"), ("mqtt.qos", b"2")];
    kafka.produce("orders", Some(b"m/1"), Some(b"hello"), &headers).expect("kafka takes it");
    kafka.produce("orders", Some(b"m/2"), None, &[]).expect("kafka takes it");
    let mut connector = sink("out", "orders", "factory/${key}");
    connector.user =
        Some(MqttUser { name: "ana".to_owned(), password: Some(Secret::new("secret")) });
    let broker = Broker::that_answers(ReasonCode::Success);
    let bridge = broker.start(settings(kafka.bootstrap_servers(), vec![connector]));
    assert!(bridge.taps().is_empty(), "a sink taps nothing");
    broker.wait("both", |seen| seen.injects.len() == 2);
    let seen = broker.lock();
    let first = &seen.injects[0];
    assert_eq!(first.topic.as_str(), "factory/m/1");
    assert_eq!(
        (&first.payload[..], first.qos, first.retain),
        (&b"hello"[..], QoS::AtLeastOnce, false)
    );
    assert_eq!(first.trail, [Text::from_static("somewhere"), Text::from_static("out")]);
    let properties = first.properties.as_ref().expect("a header");
    assert_eq!(properties.user_properties, [(Text::from_static("unit"), Text::from_static("C"))]);
    let client = first.client.as_ref().expect("it acts as a user");
    assert_eq!(client.username, Some(Text::from_static("ana")));
    assert_eq!(client.client_id, Text::from_static("out"));
    let tombstone = &seen.injects[1];
    assert!(tombstone.retain && tombstone.payload.is_empty(), "it clears");
}

#[test]
fn an_offset_is_committed_only_after_its_publish_was_routed() {
    let kafka = kafka();
    kafka.create_topic("t", 1).expect("a new topic");
    fill(&kafka, "t", 0..5);
    let broker = Broker::new();
    let bridge = broker.start(settings(kafka.bootstrap_servers(), vec![sink("s", "t", "a")]));
    broker.wait("all five", |seen| seen.injects.len() == 5);
    let tickets: Vec<_> =
        broker.lock().injects.iter().map(|inject| inject.ticket.expect("a ticket")).collect();
    let committed = || kafka.committed("group-s", "t", 0).expect("kafka answers");
    // All but the second: what lies above it must not be committed.
    for index in [0, 2, 3, 4] {
        bridge.injected(tickets[index], ReasonCode::NoMatchingSubscribers);
    }
    eventually("the first is committed", || committed() == Some(1));
    assert_eq!(bridge.status()[0].log_depth, 1);
    std::thread::sleep(Duration::from_millis(1_500));
    assert_eq!(committed(), Some(1), "over another commit interval");
    bridge.injected(tickets[1], ReasonCode::Success);
    eventually("all are committed", || committed() == Some(5));
    let status = &bridge.status()[0];
    assert_eq!((status.records_in, status.records_out, status.bytes_out), (5, 5, 5));
}

#[test]
fn a_restart_resumes_with_the_first_record_that_was_not_routed() {
    let kafka = kafka();
    kafka.create_topic("t", 1).expect("a new topic");
    fill(&kafka, "t", 0..6);
    let first = Broker::new();
    let bridge = first.start(settings(kafka.bootstrap_servers(), vec![sink("s", "t", "a")]));
    first.wait("all six", |seen| seen.injects.len() == 6);
    let tickets: Vec<_> =
        first.lock().injects.iter().map(|inject| inject.ticket.expect("a ticket")).collect();
    for index in [0, 1, 2, 4] {
        bridge.injected(tickets[index], ReasonCode::Success);
    }
    bridge.shutdown(Duration::from_millis(50));
    drop(bridge);
    assert_eq!(kafka.committed("group-s", "t", 0), Ok(Some(3)), "committed at the end");
    fill(&kafka, "t", 6..8);
    let second = Broker::that_answers(ReasonCode::Success);
    let _bridge = second.start(settings(kafka.bootstrap_servers(), vec![sink("s", "t", "a")]));
    second.wait("the rest", |seen| seen.injects.len() == 5);
    assert_eq!(payloads(&second), numbers(3..8));
}

#[test]
fn poison_is_counted_and_passed_and_never_stops_the_rest() {
    let kafka = kafka();
    kafka.create_topic("t", 1).expect("a new topic");
    let own: [(&str, &[u8]); 1] = [("midge.trail", b"s")];
    for (key, headers) in [
        (Some(&b"a/+"[..]), &[][..]),
        (Some(&[0xff, 0xfe][..]), &[][..]),
        (None, &[][..]),
        (Some(&b"$SYS/broker"[..]), &[][..]),
        (Some(&b"circle"[..]), &own[..]),
        (Some(&b"good"[..]), &[][..]),
    ] {
        kafka.produce("t", key, Some(b"v"), headers).expect("kafka takes it");
    }
    let broker = Broker::that_answers(ReasonCode::Success);
    let bridge = broker.start(settings(kafka.bootstrap_servers(), vec![sink("s", "t", "${key}")]));
    broker.wait("the good one", |seen| !seen.injects.is_empty());
    assert_eq!(broker.lock().injects[0].topic.as_str(), "good");
    eventually("all are committed", || kafka.committed("group-s", "t", 0) == Ok(Some(6)));
    let status = &bridge.status()[0];
    assert_eq!((status.records_in, status.errors), (6, 4), "a circle is no error: {status:?}");
    assert_eq!(status.state, State::Running);
}

#[test]
fn a_publish_that_access_control_refuses_is_counted_and_its_offset_advances() {
    let kafka = kafka();
    kafka.create_topic("t", 1).expect("a new topic");
    fill(&kafka, "t", 0..3);
    let broker = Broker::that_answers(ReasonCode::NotAuthorized);
    let bridge = broker.start(settings(kafka.bootstrap_servers(), vec![sink("s", "t", "a")]));
    eventually("all are committed", || kafka.committed("group-s", "t", 0) == Ok(Some(3)));
    let status = &bridge.status()[0];
    assert_eq!((status.records_out, status.errors), (0, 3));
    assert!(status.last_error.as_ref().is_some_and(|e| e.contains("Not authorized")), "{status:?}");
}

#[test]
fn records_under_way_are_bounded_and_fetching_goes_on_when_the_shards_do() {
    let kafka = kafka();
    kafka.create_topic("t", 1).expect("a new topic");
    fill(&kafka, "t", 0..50);
    let mut connector = sink("s", "t", "a");
    let ConnectorKind::Sink(limits) = &mut connector.kind else { unreachable!() };
    limits.max_inflight_messages = 10;
    let broker = Broker::new();
    let bridge = broker.start(settings(kafka.bootstrap_servers(), vec![connector]));
    broker.wait("ten", |seen| seen.injects.len() == 10);
    // Long enough for fetching to be paused.
    std::thread::sleep(Duration::from_millis(1_500));
    assert_eq!(broker.lock().injects.len(), 10);
    for round in 1..=5 {
        let tickets: Vec<_> = broker.lock().injects[(round - 1) * 10..]
            .iter()
            .map(|inject| inject.ticket.expect("a ticket"))
            .collect();
        for ticket in tickets {
            bridge.injected(ticket, ReasonCode::Success);
        }
        let expected = (round * 10 + 10).min(50);
        broker.wait("ten more", |seen| seen.injects.len() == expected);
    }
    assert_eq!(payloads(&broker), numbers(0..50));
}

#[test]
fn a_consumer_outlives_an_outage_without_losing_a_record() {
    let kafka = kafka();
    kafka.create_topic("t", 1).expect("a new topic");
    fill(&kafka, "t", 0..5);
    let broker = Broker::that_answers(ReasonCode::Success);
    let bridge = broker.start(settings(kafka.bootstrap_servers(), vec![sink("s", "t", "a")]));
    broker.wait("the first", |seen| seen.injects.len() == 5);
    kafka.go_away().expect("it goes");
    eventually("kafka counts as away", || bridge.status()[0].state == State::Waiting);
    kafka.come_back().expect("it comes");
    fill(&kafka, "t", 5..10);
    broker.wait("the rest", |seen| seen.injects.len() >= 10);
    eventually("kafka counts as back", || bridge.status()[0].state == State::Running);
    let mut all = payloads(&broker);
    all.dedup();
    assert_eq!(all, numbers(0..10));
}

#[test]
fn a_topic_made_after_the_start_is_found() {
    let kafka = kafka();
    let mut connector = sink("s", "^late-.*", "a");
    let refresh = "topic.metadata.refresh.interval.ms";
    connector.overrides.plain.insert(refresh.to_owned(), "200".to_owned());
    let broker = Broker::that_answers(ReasonCode::Success);
    let _bridge = broker.start(settings(kafka.bootstrap_servers(), vec![connector]));
    kafka.create_topic("late-1", 1).expect("a new topic");
    fill(&kafka, "late-1", 0..3);
    broker.wait("its records", |seen| seen.injects.len() == 3);
    assert_eq!(payloads(&broker), numbers(0..3));
}

#[test]
fn members_of_a_group_share_its_partitions_and_lose_nothing_when_one_comes_or_goes() {
    let kafka = kafka();
    kafka.create_topic("t", 2).expect("a new topic");
    let fill = |keys: std::ops::Range<u64>| {
        for key in keys {
            let key = key.to_string();
            kafka.produce("t", Some(key.as_bytes()), Some(key.as_bytes()), &[]).expect("taken");
        }
    };
    let seen = |brokers: &[&Broker]| {
        let mut all: Vec<u64> = brokers
            .iter()
            .flat_map(|broker| payloads(broker))
            .map(|payload| payload.parse().expect("a number"))
            .collect();
        // This Kafka takes no commit while a group forms anew, so the last records come twice.
        all.sort_unstable();
        all.dedup();
        all
    };
    let settings = || settings(kafka.bootstrap_servers(), vec![sink("s", "t", "a")]);
    let first = Broker::that_answers(ReasonCode::Success);
    let bridge = first.start(settings());
    fill(0..20);
    first.wait("all", |seen| seen.injects.len() == 20);
    let second = Broker::that_answers(ReasonCode::Success);
    let other = second.start(settings());
    let mut next = 20;
    eventually("the second has its share", || {
        fill(next..next + 10);
        next += 10;
        !second.lock().injects.is_empty()
    });
    bridge.shutdown(Duration::from_secs(1));
    fill(next..next + 10);
    next += 10;
    eventually("nothing is lost", || seen(&[&first, &second]) == (0..next).collect::<Vec<_>>());
    drop(other);
}

#[test]
fn a_message_goes_round_once_when_both_directions_meet() {
    let kafka = kafka();
    kafka.create_topic("loop", 1).expect("a new topic");
    let broker = Broker::that_answers(ReasonCode::Success);
    let connectors = vec![source("to", "loop"), sink("fro", "loop", "${key}")];
    let bridge = broker.start(settings(kafka.bootstrap_servers(), connectors));
    bridge.offer(ShardId(0), &mut vec![offer(0, message("a/b", "x"), 1)]);
    broker.wait("it comes round", |seen| seen.injects.len() == 1);
    // A shard would not offer it, since its trail names the tap; the rule refuses it all the same.
    let mut again = message("a/b", "x");
    again.trail = broker.lock().injects[0].trail.clone();
    assert_eq!(again.trail, [Text::from_static("to"), Text::from_static("fro")]);
    bridge.offer(ShardId(0), &mut vec![offer(0, again, 2)]);
    broker.wait("both duties", |seen| seen.done.len() == 2);
    assert_eq!(broker.lock().done[1].2, ReasonCode::ImplementationSpecificError);
    assert_eq!(kafka.records("loop", 1).expect("it is there").len(), 1);
}
