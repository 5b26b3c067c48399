//! Kafka stopped and started again while 20,000 messages are published: none is lost, each topic
//! keeps its order, and no acknowledgement comes before Kafka has the message.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use midge_codec::{Packet, ReasonCode};
use midge_tests::{Client, Kafka, Outgoing, QOS1, eventually, message, until};
use rustix::process::Signal;

use crate::bridged_to;

const PUBLISHERS: usize = 4;
const TOPICS_EACH: usize = 3;
const MESSAGES_EACH: usize = 5_000;
/// Unacknowledged messages of one publisher.
const WINDOW: usize = 200;
/// The whole of it: stopping, starting and catching up.
const PATIENCE: Duration = Duration::from_secs(180);

fn publish(client: &mut Client, publisher: usize, acknowledged: &AtomicUsize) {
    let mut outstanding = 0;
    let mut next = [0; TOPICS_EACH];
    let settle = |client: &mut Client, outstanding: &mut usize| {
        let reason = client.pick("PUBACK", |packet| match packet {
            Packet::Puback(ack) => Some(ack.reason),
            _ => None,
        });
        assert_eq!(reason, ReasonCode::Success);
        *outstanding -= 1;
        acknowledged.fetch_add(1, Ordering::Relaxed);
    };
    for number in 0..MESSAGES_EACH {
        let topic = number % TOPICS_EACH;
        let name = format!("outage/{publisher}/{topic}");
        client.send_publish(message(&name, next[topic].to_string()).qos(QOS1));
        next[topic] += 1;
        outstanding += 1;
        if outstanding == WINDOW {
            settle(client, &mut outstanding);
        }
    }
    while outstanding > 0 {
        settle(client, &mut outstanding);
    }
}

#[test]
fn no_message_is_lost_and_order_is_kept_while_kafka_is_stopped_and_started() {
    let kafka = Kafka::own();
    kafka.create_topic("outage", 4);
    let midge = bridged_to(
        kafka.bootstrap(),
        "[connectors.outage]\ntype = \"source\"\nmqtt_filters = \"outage/#\"\n\
         kafka_topic = \"outage\"\n",
    )
    .start();

    let acknowledged = Arc::new(AtomicUsize::new(0));
    let publishers: Vec<_> = (0..PUBLISHERS)
        .map(|publisher| {
            let mut client = midge.client(&format!("publisher{publisher}"));
            let acknowledged = Arc::clone(&acknowledged);
            client.patience(PATIENCE);
            std::thread::spawn(move || publish(&mut client, publisher, &acknowledged))
        })
        .collect();

    let total = PUBLISHERS * MESSAGES_EACH;
    let enough = || (acknowledged.load(Ordering::Relaxed) >= total / 10).then_some(());
    until(PATIENCE, "a tenth is through", enough);
    kafka.stop();
    let before = acknowledged.load(Ordering::Relaxed);
    assert!(before < total, "everything was through before Kafka stopped: publish more");

    // While it is away: said in the log, MQTT is served, and nothing is acknowledged.
    midge.says(&["outage", "kafka is slow or away"]);
    let mut witness = midge.client("witness");
    witness.patience(PATIENCE);
    witness.subscribe("elsewhere", QOS1);
    let held = witness.send_publish(message("outage/witness", "held").qos(QOS1)).expect("an id");
    for _ in 0..10 {
        witness.publish(message("elsewhere", "x").qos(QOS1));
        witness.expect("elsewhere", "x");
    }
    let unread = witness.unread();
    assert!(!unread.iter().any(|packet| matches!(packet, Packet::Puback(_))), "{unread:?}");
    assert!(acknowledged.load(Ordering::Relaxed) < total);

    kafka.resume();
    assert_eq!(witness.puback(held), ReasonCode::Success);
    for publisher in publishers {
        publisher.join().expect("a publisher");
    }
    midge.says(&["outage", "kafka is back"]);
    assert_eq!(acknowledged.load(Ordering::Relaxed), total);

    // Every acknowledgement has come, so every record is there now.
    let mut topics: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    let mut witnessed = 0;
    for record in kafka.records("outage", "%k %s\n") {
        let (key, value) = record.split_once(' ').expect("a key and a value");
        match value.parse() {
            Ok(number) => topics.entry(key.to_owned()).or_default().push(number),
            Err(_) => witnessed += 1,
        }
    }
    assert_eq!(witnessed, 1);
    assert_eq!(topics.len(), PUBLISHERS * TOPICS_EACH);
    for (topic, numbers) in topics {
        let index: usize = topic[topic.len() - 1..].parse().expect("a number");
        let expected: Vec<usize> = (0..(MESSAGES_EACH - index).div_ceil(TOPICS_EACH)).collect();
        // The producer is idempotent: neither gaps nor doubles nor one before its turn.
        assert!(numbers == expected, "{topic}: {} of {}", numbers.len(), expected.len());
    }
}

/// Nobody is there any more to hear of what Kafka takes at the last moment.
#[test]
fn a_stop_comes_to_its_end_though_kafka_answers_after_the_clients_are_gone() {
    let kafka = Kafka::own();
    kafka.create_topic("outage", 1);
    let mut midge = bridged_to(
        kafka.bootstrap(),
        "[connectors.outage]\ntype = \"source\"\nmqtt_filters = \"outage/#\"\n\
         kafka_topic = \"outage\"\n",
    )
    .start();
    let mut client = midge.client("publisher");
    assert_eq!(client.publish(message("outage/1", "taken").qos(QOS1)), ReasonCode::Success);
    kafka.freeze();
    for number in 0..10 {
        client.send_publish(message("outage/1", number.to_string()).qos(QOS1));
    }
    client.ping();
    midge.signal(Signal::TERM);
    client.closed();
    let threads = format!("/proc/{}/task", midge.pid().as_raw_nonzero());
    eventually("nobody serves clients any more", || {
        let threads = std::fs::read_dir(&threads).expect("its threads").flatten();
        let names = threads.flat_map(|thread| std::fs::read_to_string(thread.path().join("comm")));
        (!names.into_iter().any(|name| name.starts_with("worker-"))).then_some(())
    });
    kafka.go_on();
    assert_eq!(midge.ended(), Some(0));
    let records = kafka.records("outage", "%s\n");
    assert_eq!(records[0], "taken");
    assert_eq!(records[1..], (0..10).map(|number| number.to_string()).collect::<Vec<_>>());
}
