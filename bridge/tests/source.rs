//! MQTT to Kafka, against a Kafka inside the process.

mod support;

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use midge_bridge::dev::ProduceFault;
use midge_bridge::{Bridge, Event, State};
use midge_codec::{PublishProperties, ReasonCode, Text};
use midge_config::{Ack, ConnectorKind};
use midge_core::{DutyId, ShardId, TapId};
use support::{Broker, eventually, kafka, message, numbers, offer, publish, settings, source};

/// Java's murmur2, as its producers use it; checked against the vectors of Kafka's own tests.
fn murmur2(data: &[u8]) -> i32 {
    const M: u32 = 0x5bd1_e995;
    let mut hash = 0x9747_b28c_u32 ^ data.len() as u32;
    let mut words = data.chunks_exact(4);
    for word in &mut words {
        let mut k = u32::from_le_bytes([word[0], word[1], word[2], word[3]]);
        k = k.wrapping_mul(M);
        k ^= k >> 24;
        hash = hash.wrapping_mul(M) ^ k.wrapping_mul(M);
    }
    let rest = words.remainder();
    if !rest.is_empty() {
        for (index, byte) in rest.iter().enumerate() {
            hash ^= u32::from(*byte) << (8 * index);
        }
        hash = hash.wrapping_mul(M);
    }
    hash ^= hash >> 13;
    hash = hash.wrapping_mul(M);
    (hash ^ (hash >> 15)) as i32
}

#[test]
fn a_publish_becomes_a_record_with_key_headers_timestamp_and_javas_partition() {
    // From Kafka's UtilsTest.
    for (key, hash) in [
        ("21", -973_932_308),
        ("foobar", -790_332_482),
        ("a-little-bit-long-string", -985_981_536),
        ("a-little-bit-longer-string", -1_486_304_829),
        ("abc", 479_470_107),
    ] {
        assert_eq!(murmur2(key.as_bytes()), hash, "{key}");
    }
    let kafka = kafka();
    kafka.create_topic("plant", 7).expect("a new topic");
    let broker = Broker::new();
    let bridge =
        broker.start(settings(kafka.bootstrap_servers(), vec![source("devices", "${topic[1]}")]));
    let keys = ["plant/21", "plant/foobar", "plant/a", "plant/line/7/temperature", "plant/"];
    let mut offers = Vec::new();
    for (duty, topic) in keys.iter().enumerate() {
        let mut message = message(topic, *topic);
        message.properties = Some(Box::new(PublishProperties {
            user_properties: vec![(Text::from_static("unit"), Text::from_static("C"))],
            ..PublishProperties::default()
        }));
        message.trail = vec![Text::from_static("earlier")];
        offers.push(offer(0, message, duty as u64));
    }
    bridge.offer(ShardId(3), &mut offers);
    broker.wait("all duties", |seen| seen.done.len() == keys.len());
    assert!(broker.lock().done.iter().all(|done| done.0 == ShardId(3)));
    assert!(broker.lock().done.iter().all(|done| done.2 == ReasonCode::Success));
    for record in kafka.records("plant", keys.len()).expect("they are there") {
        let key = record.key.expect("a key");
        assert_eq!(record.value.as_ref(), Some(&key), "key and value are the topic here");
        assert_eq!(record.partition, (murmur2(&key) & 0x7fff_ffff) % 7);
        assert_eq!(record.timestamp, Some(1_700_000_000_123));
        let headers: Vec<_> = record
            .headers
            .iter()
            .map(|(name, value)| (name.as_str(), std::str::from_utf8(value).expect("text")))
            .collect();
        let topic = std::str::from_utf8(&key).expect("text");
        assert_eq!(
            headers,
            [
                ("mqtt.topic", topic),
                ("mqtt.client.id", "sensor-1"),
                ("mqtt.qos", "1"),
                ("mqtt.retain", "false"),
                ("unit", "C"),
                ("midge.trail", "earlier"),
                ("midge.trail", "devices"),
            ]
        );
    }
    let status = &bridge.status()[0];
    assert_eq!((status.records_in, status.records_out, status.errors), (5, 5, 0));
    assert_eq!((status.log_depth, status.log_bytes), (0, 0));
}

#[test]
fn an_outage_loses_nothing_and_keeps_the_order_of_each_topic() {
    let kafka = kafka();
    kafka.create_topic("all", 1).expect("a new topic");
    let broker = Broker::new();
    let bridge = broker.start(settings(kafka.bootstrap_servers(), vec![source("s", "all")]));
    publish(&bridge, "a", 0..500);
    kafka.go_away().expect("it goes");
    publish(&bridge, "a", 500..1_000);
    eventually("kafka counts as away", || bridge.status()[0].state == State::Waiting);
    publish(&bridge, "a", 1_000..1_500);
    kafka.come_back().expect("it comes");
    publish(&bridge, "a", 1_500..2_000);
    broker.wait("all duties", |seen| seen.done.len() == 2_000);
    eventually("kafka counts as back", || bridge.status()[0].state == State::Running);
    assert!(broker.lock().done.iter().all(|done| done.2 == ReasonCode::Success));
    // Idempotence leaves no duplicate either.
    assert_eq!(numbers(&kafka, "all", 2_000), (0..2_000).collect::<Vec<_>>());
}

#[test]
fn kafka_away_at_the_start_is_a_state_and_passes() {
    let kafka = kafka();
    kafka.create_topic("all", 1).expect("a new topic");
    kafka.go_away().expect("it goes");
    let broker = Broker::new();
    let bridge = broker.start(settings(kafka.bootstrap_servers(), vec![source("s", "all")]));
    eventually("kafka counts as away", || bridge.status()[0].state == State::Waiting);
    assert!(bridge.status()[0].last_error.is_some());
    publish(&bridge, "a", 0..10);
    kafka.come_back().expect("it comes");
    broker.wait("all duties", |seen| seen.done.len() == 10);
    assert_eq!(bridge.status()[0].state, State::Running);
    assert_eq!(numbers(&kafka, "all", 10), (0..10).collect::<Vec<_>>());
}

#[test]
fn an_idle_bridge_notices_that_kafka_is_back() {
    let kafka = kafka();
    kafka.go_away().expect("it goes");
    let broker = Broker::new();
    let bridge = broker.start(settings(kafka.bootstrap_servers(), vec![source("s", "all")]));
    eventually("kafka counts as away", || bridge.status()[0].state == State::Waiting);
    kafka.come_back().expect("it comes");
    eventually("kafka counts as back", || bridge.status()[0].state == State::Running);
}

#[test]
fn errors_that_pass_are_tried_again_in_order() {
    let kafka = kafka();
    kafka.create_topic("all", 1).expect("a new topic");
    let broker = Broker::new();
    let bridge = broker.start(settings(kafka.bootstrap_servers(), vec![source("s", "all")]));
    for round in 0..5 {
        use ProduceFault::{Disconnect, NotEnoughReplicas};
        kafka
            .fail_produce(&[NotEnoughReplicas, Disconnect, NotEnoughReplicas])
            .expect("it is told");
        publish(&bridge, "a", round * 200..(round + 1) * 200);
    }
    broker.wait("all duties", |seen| seen.done.len() == 1_000);
    assert_eq!(numbers(&kafka, "all", 1_000), (0..1_000).collect::<Vec<_>>());
    assert!(broker.lock().done.iter().all(|done| done.2 == ReasonCode::Success));
}

#[test]
fn a_broken_producer_is_replaced_and_everything_unfinished_comes_again_in_order() {
    let kafka = kafka();
    kafka.create_topic("all", 1).expect("a new topic");
    let broker = Broker::new();
    let bridge = broker.start(settings(kafka.bootstrap_servers(), vec![source("s", "all")]));
    publish(&bridge, "a", 0..100);
    broker.wait("the first duties", |seen| seen.done.len() == 100);
    kafka.fail_produce(&[ProduceFault::Fenced]).expect("it is told");
    publish(&bridge, "a", 100..300);
    broker.wait("all duties", |seen| seen.done.len() == 300);
    assert!(broker.lock().done.iter().all(|done| done.2 == ReasonCode::Success));
    let errors = bridge.status()[0].errors;
    assert_eq!(errors, 1, "the producer was replaced: {:?}", bridge.status()[0]);
    // A real Kafka may have kept what the broken producer had under way: this one has not.
    assert_eq!(numbers(&kafka, "all", 300), (0..300).collect::<Vec<_>>());
}

#[test]
fn the_log_pushes_back_at_its_limit_and_lets_go_at_half_of_it() {
    let kafka = kafka();
    kafka.create_topic("all", 1).expect("a new topic");
    kafka.go_away().expect("it goes");
    let mut connector = source("s", "all");
    let ConnectorKind::Source(limits) = &mut connector.kind else { unreachable!() };
    limits.buffer_messages = 100;
    let broker = Broker::new();
    let bridge = broker.start(settings(kafka.bootstrap_servers(), vec![connector]));
    publish(&bridge, "a", 0..99);
    assert_eq!(broker.lock().full, []);
    publish(&bridge, "a", 99..150);
    assert_eq!(broker.lock().full, [(TapId(0), true)], "said once");
    // What was under way when the brake was pulled still goes in.
    publish(&bridge, "a", 150..1_000);
    assert!(broker.lock().done.is_empty(), "nothing is refused");
    kafka.come_back().expect("it comes");
    broker.wait("it lets go", |seen| seen.full == [(TapId(0), true), (TapId(0), false)]);
    broker.wait("all duties", |seen| seen.done.len() == 1_000);
    assert!(broker.lock().done.iter().all(|done| done.2 == ReasonCode::Success));
    assert_eq!(numbers(&kafka, "all", 1_000), (0..1_000).collect::<Vec<_>>());
}

#[test]
fn a_record_that_can_never_be_produced_is_refused_and_harms_no_other() {
    let kafka = kafka();
    kafka.create_topic("ok", 1).expect("a new topic");
    let broker = Broker::new();
    let bridge = broker.start(settings(kafka.bootstrap_servers(), vec![source("s", "${topic}")]));
    let mut offers = vec![
        offer(0, message("ok", "1"), 1),
        offer(0, message("ok", vec![0; 1_100_000]), 2),
        offer(0, message("not legal", "3"), 3),
        offer(0, message("ok", "4"), 4),
    ];
    bridge.offer(ShardId(0), &mut offers);
    broker.wait("all duties", |seen| seen.done.len() == 4);
    let outcomes: HashMap<u64, ReasonCode> =
        broker.lock().done.iter().map(|(_, duty, reason)| (duty.0, *reason)).collect();
    let expected = HashMap::from([
        (1, ReasonCode::Success),
        (2, ReasonCode::PacketTooLarge),
        (3, ReasonCode::TopicNameInvalid),
        (4, ReasonCode::Success),
    ]);
    assert_eq!(outcomes, expected);
    assert_eq!(numbers(&kafka, "ok", 2), [1, 4]);
    let status = &bridge.status()[0];
    assert_eq!((status.errors, status.log_depth, status.state), (2, 0, State::Running));
}

#[test]
fn what_kafka_refuses_for_good_is_told_to_the_publisher_until_kafka_takes_it() {
    let kafka = kafka();
    kafka.create_topic("all", 1).expect("a new topic");
    let mut connector = source("s", "all");
    // The client remembers a missing right until it looks again.
    let refresh = "topic.metadata.refresh.interval.ms";
    connector.overrides.plain.insert(refresh.to_owned(), "100".to_owned());
    let broker = Broker::new();
    let bridge = broker.start(settings(kafka.bootstrap_servers(), vec![connector]));
    for (fault, reason) in [
        (ProduceFault::TooLarge, ReasonCode::PacketTooLarge),
        (ProduceFault::NotAuthorized, ReasonCode::NotAuthorized),
    ] {
        broker.lock().done.clear();
        kafka.fail_produce(&[fault]).expect("it is told");
        publish(&bridge, "a", 7..8);
        broker.wait("the duty", |seen| seen.done == [(ShardId(0), DutyId(7), reason)]);
        eventually("kafka takes it", || {
            broker.lock().done.clear();
            publish(&bridge, "a", 8..9);
            broker.wait("the next duty", |seen| seen.done.len() == 1);
            broker.lock().done[0].2 == ReasonCode::Success
        });
    }
}

#[test]
fn a_missing_kafka_topic_is_waited_for_when_the_rule_has_but_one() {
    let kafka = kafka();
    for topic in ["late", "given"] {
        kafka.create_topic(topic, 1).expect("a new topic");
        kafka.deny_topic(topic, true).expect("it is denied");
    }
    let mut connectors = vec![source("one", "late"), source("many", "${topic}")];
    for connector in &mut connectors {
        let plain = &mut connector.overrides.plain;
        plain.insert("topic.metadata.propagation.max.ms".to_owned(), "0".to_owned());
        plain.insert("topic.metadata.refresh.interval.ms".to_owned(), "100".to_owned());
    }
    let broker = Broker::new();
    let bridge = broker.start(settings(kafka.bootstrap_servers(), connectors));
    bridge.offer(ShardId(0), &mut vec![offer(1, message("given", "x"), 1_000)]);
    publish(&bridge, "a", 0..20);
    let refused = (ShardId(0), DutyId(1_000), ReasonCode::ImplementationSpecificError);
    broker.wait("the refusal", |seen| seen.done == [refused]);
    eventually("it is said", || {
        let last_error = bridge.status()[0].last_error.clone();
        last_error.is_some_and(|error| error.contains("no topic \"late\""))
    });
    publish(&bridge, "a", 20..40);
    kafka.deny_topic("late", false).expect("it is admitted");
    broker.wait("all duties", |seen| seen.done.len() == 41);
    assert_eq!(numbers(&kafka, "late", 40), (0..40).collect::<Vec<_>>());
}

#[test]
fn connectors_with_equal_properties_share_a_producer_and_a_dead_one_starves_nobody() {
    let kafka = kafka();
    kafka.create_topic("one", 1).expect("a new topic");
    kafka.create_topic("two", 1).expect("a new topic");
    let mut other = source("other", "two");
    other.overrides.plain.insert("linger.ms".to_owned(), "1".to_owned());
    let connectors = vec![source("one", "one"), source("two", "two"), other];
    let broker = Broker::new();
    let bridge = broker.start(settings(kafka.bootstrap_servers(), connectors));
    let taps = bridge.taps();
    assert_eq!(taps.iter().map(|tap| tap.id.0).collect::<Vec<_>>(), [0, 1, 2]);
    assert!(taps.iter().all(|tap| tap.waits && tap.reader.is_none()));
    let mut offers: Vec<_> = [0, 1, 0, 2, 1]
        .iter()
        .zip(0..)
        .map(|(tap, number)| offer(*tap, message("t", number.to_string()), number))
        .collect();
    bridge.offer(ShardId(0), &mut offers);
    broker.wait("all duties", |seen| seen.done.len() == 5);
    assert_eq!(numbers(&kafka, "one", 2), [0, 2]);
    let mut two = numbers(&kafka, "two", 3);
    two.sort_unstable();
    assert_eq!(two, [1, 3, 4]);
}

#[test]
fn without_ack_nobody_waits_and_records_still_arrive() {
    let kafka = kafka();
    kafka.create_topic("all", 1).expect("a new topic");
    let mut connector = source("s", "all");
    let ConnectorKind::Source(rule) = &mut connector.kind else { unreachable!() };
    rule.ack = Ack::None;
    let broker = Broker::new();
    let bridge = broker.start(settings(kafka.bootstrap_servers(), vec![connector]));
    assert!(!bridge.taps()[0].waits);
    let mut offers = vec![offer(0, message("a", "1"), 0)];
    offers[0].duty = None;
    bridge.offer(ShardId(0), &mut offers);
    assert_eq!(numbers(&kafka, "all", 1), [1]);
    assert!(broker.lock().done.is_empty());
}

#[test]
fn shutting_down_waits_for_kafka_within_its_grace() {
    let kafka = kafka();
    kafka.create_topic("all", 1).expect("a new topic");
    let broker = Broker::new();
    let bridge = broker.start(settings(kafka.bootstrap_servers(), vec![source("s", "all")]));
    publish(&bridge, "a", 0..1_000);
    bridge.shutdown(Duration::from_secs(15));
    assert_eq!(broker.lock().done.len(), 1_000);
    assert_eq!(bridge.status()[0].state, State::Stopped);
    let other = Broker::new();
    kafka.go_away().expect("it goes");
    let bridge = other.start(settings(kafka.bootstrap_servers(), vec![source("s", "all")]));
    publish(&bridge, "a", 0..10);
    bridge.shutdown(Duration::from_millis(100));
    assert!(other.lock().done.is_empty(), "nothing was acknowledged");
}

#[test]
fn an_observer_sees_each_record_with_its_offset() {
    let kafka = kafka();
    kafka.create_topic("all", 1).expect("a new topic");
    let seen = Arc::new(Mutex::new(Vec::new()));
    let mut settings = settings(kafka.bootstrap_servers(), vec![source("s", "all")]);
    settings.observer = Some(Arc::new({
        let seen = Arc::clone(&seen);
        move |event: Event<'_>| {
            if let Event::Produced { connector, mqtt_topic, kafka_topic, offset, key, .. } = event {
                let line = format!("{connector} {mqtt_topic} {kafka_topic}@{offset} {key}");
                seen.lock().expect("no panic").push(line);
            }
        }
    }));
    let broker = Broker::new();
    let bridge = broker.start(settings);
    publish(&bridge, "a/b", 0..2);
    broker.wait("all duties", |seen| seen.done.len() == 2);
    assert_eq!(*seen.lock().expect("no panic"), ["s a/b all@0 a/b", "s a/b all@1 a/b"]);
}

#[test]
fn mistakes_are_told_all_at_once_with_connector_and_origin() {
    let mut property = source("property", "t");
    property.overrides.plain.insert("linger.ms".to_owned(), "soon".to_owned());
    let connectors = vec![source("template", "a${b"), source("topic", "a b"), property];
    let errors = Bridge::start(settings("127.0.0.1:1", connectors), Broker::new(), None)
        .err()
        .expect("nothing may run");
    let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
    assert_eq!(errors.len(), 3, "{errors:#?}");
    assert_eq!(
        errors[0],
        "template.toml: connector \"template\": kafka topic: column 5: found the end, expected '}'"
    );
    assert!(errors[1].starts_with("topic.toml: connector \"topic\": kafka topic: "), "{errors:?}");
    assert!(
        errors[2].starts_with("property.toml: connector \"property\": property linger.ms: "),
        "{errors:?}"
    );
}

#[test]
fn a_batch_refused_as_too_large_costs_no_innocent_record() {
    let kafka = kafka();
    kafka.create_topic("all", 1).expect("a new topic");
    let mut connector = source("s", "all");
    // All of it in one batch.
    connector.overrides.plain.insert("linger.ms".to_owned(), "200".to_owned());
    let broker = Broker::new();
    let bridge = broker.start(settings(kafka.bootstrap_servers(), vec![connector]));
    kafka.fail_produce(&[ProduceFault::TooLarge; 3]).expect("it is told");
    publish(&bridge, "a", 0..100);
    broker.wait("all duties", |seen| seen.done.len() == 100);
    assert!(broker.lock().done.iter().all(|done| done.2 == ReasonCode::Success));
    assert_eq!(numbers(&kafka, "all", 100), (0..100).collect::<Vec<_>>());
    let status = &bridge.status()[0];
    assert_eq!((status.errors, status.state), (0, State::Running));
}
