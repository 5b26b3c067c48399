//! Connectors that come, go and rest while the bridge runs.

mod support;

use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use midge_bridge::{Kept, Storage, transaction};
use midge_codec::ReasonCode;
use midge_config::{Ack, ConnectorKind};
use midge_core::{Operation, ShardId, TapId};
use midge_store::{DiskFiles, Durability, Journal, Settings as StoreSettings, Store};
use support::{
    Broker, eventually, kafka, message, numbers, offer, publish, settings, sink, source,
};

const GRACE: Duration = Duration::from_secs(5);

fn open(directory: &Path) -> Storage {
    let settings = StoreSettings { durability: Durability::Os, ..StoreSettings::default() };
    let files = DiskFiles(directory.to_owned());
    let (journal, _) = Journal::open(files, &settings).expect("a journal");
    let kept = Kept::of(&journal).expect("it can be read");
    Storage { store: Store::start(journal).expect("threads"), kept }
}

#[test]
fn a_connector_that_is_added_takes_messages_and_one_that_is_removed_takes_none() {
    let kafka = kafka();
    kafka.create_topic("one", 1).expect("a new topic");
    kafka.create_topic("two", 1).expect("a new topic");
    let broker = Broker::new();
    let bridge = broker.start(settings(kafka.bootstrap_servers(), vec![source("one", "one")]));
    let crew = bridge.add(&[source("two", "two")]).expect("it starts");
    assert_eq!(broker.lock().taps, [TapId(0), TapId(1)]);
    bridge.offer(ShardId(0), &mut vec![offer(1, message("a", "7"), 7)]);
    broker.wait("its acknowledgement", |seen| seen.done.len() == 1);
    assert_eq!(numbers(&kafka, "two", 1), [7]);

    bridge.remove(crew, GRACE);
    assert_eq!(broker.lock().taps, [TapId(0)]);
    assert_eq!(bridge.status().len(), 1);
    // A shard that had not heard of it yet.
    bridge.offer(ShardId(0), &mut vec![offer(1, message("a", "8"), 8)]);
    broker.wait("its refusal", |seen| seen.done.len() == 2);
    assert!(broker.lock().done[1].2.is_error());
    let again = bridge.add(&[source("two", "two")]).expect("it starts");
    assert_eq!(broker.lock().taps, [TapId(0), TapId(2)], "no number is used twice");
    bridge.remove(again, GRACE);
}

#[test]
fn a_connector_that_cannot_be_added_leaves_the_others_as_they_are() {
    let kafka = kafka();
    kafka.create_topic("one", 1).expect("a new topic");
    let broker = Broker::new();
    let bridge = broker.start(settings(kafka.bootstrap_servers(), vec![source("one", "one")]));
    let errors = bridge.add(&[source("two", "${nothing}")]).expect_err("a wrong template");
    assert!(errors[0].to_string().contains("nothing"), "{errors:?}");
    publish(&bridge, "a", 0..10);
    broker.wait("all duties", |seen| seen.done.len() == 10);
    assert_eq!(bridge.status().len(), 1);
}

#[test]
fn what_a_removed_connector_had_not_brought_to_kafka_is_brought_by_the_next_of_its_name() {
    let directory = tempfile::tempdir().expect("a directory");
    let kafka = kafka();
    kafka.create_topic("all", 1).expect("a new topic");
    let broker = Broker::new();
    let storage = open(directory.path());
    let store = storage.store.clone();
    let bridge = broker.start_with(settings(kafka.bootstrap_servers(), vec![]), Some(storage));
    let mut connector = source("s", "all");
    let ConnectorKind::Source(rule) = &mut connector.kind else { unreachable!() };
    rule.ack = Ack::Spool;
    rule.spool.after = Duration::from_millis(200);
    let crew = bridge.add(std::slice::from_ref(&connector)).expect("it starts");
    publish(&bridge, "a", 0..100);
    eventually("kafka has the first ones", || bridge.status()[0].records_out == 100);
    kafka.go_away().expect("it goes");
    publish(&bridge, "a", 100..1_000);
    broker.wait("the disk's acknowledgements", |seen| seen.done.len() == 1_000);
    bridge.remove(crew, Duration::from_millis(100));
    assert!(bridge.status().is_empty());

    kafka.come_back().expect("it comes");
    let crew = bridge.add(std::slice::from_ref(&connector)).expect("it starts");
    assert_eq!(numbers(&kafka, "all", 1_000), (0..1_000).collect::<Vec<_>>());
    assert!(broker.lock().done.iter().all(|(_, _, reason)| *reason == ReasonCode::Success));
    bridge.remove(crew, GRACE);
    drop(bridge);
    store.shutdown();
}

#[test]
fn without_a_disk_the_publishers_of_what_is_left_hear_that_it_failed() {
    let kafka = kafka();
    kafka.create_topic("all", 1).expect("a new topic");
    let broker = Broker::new();
    let bridge = broker.start(settings(kafka.bootstrap_servers(), vec![]));
    let crew = bridge.add(&[source("s", "all")]).expect("it starts");
    kafka.go_away().expect("it goes");
    publish(&bridge, "a", 0..20);
    bridge.remove(crew, Duration::from_millis(50));
    broker.wait("all refusals", |seen| seen.done.len() == 20);
    assert!(broker.lock().done.iter().all(|(_, _, reason)| reason.is_error()));
}

#[test]
fn a_source_at_rest_keeps_what_comes_and_a_sink_at_rest_reads_nothing() {
    let kafka = kafka();
    kafka.create_topic("all", 1).expect("a new topic");
    kafka.create_topic("in", 1).expect("a new topic");
    let broker = Broker::that_answers(ReasonCode::Success);
    let connectors = vec![source("s", "all"), sink("k", "in", "out")];
    let bridge = broker.start(settings(kafka.bootstrap_servers(), connectors));
    kafka.produce("in", None, Some(b"1"), &[]).expect("kafka takes it");
    broker.wait("the first", |seen| seen.injects.len() == 1);

    assert!(bridge.pause("s", true) && bridge.pause("k", true));
    assert!(!bridge.pause("nobody", true));
    assert_eq!(bridge.taps().len(), 1, "messages do not pass it by");
    bridge.offer(ShardId(0), &mut vec![offer(0, message("a", "7"), 7)]);
    // What is under way when it is told may still come.
    eventually("it reads nothing", || {
        let before = broker.lock().injects.len();
        for _ in 0..5 {
            kafka.produce("in", None, Some(b"2"), &[]).expect("kafka takes it");
        }
        std::thread::sleep(Duration::from_millis(500));
        broker.lock().injects.len() == before
    });

    assert!(broker.lock().done.is_empty(), "and none is acknowledged without a disk");
    let before = broker.lock().injects.len();
    assert!(bridge.pause("s", false) && bridge.pause("k", false));
    broker.wait("its acknowledgement", |seen| seen.done.len() == 1);
    assert_eq!(numbers(&kafka, "all", 1), [7]);
    broker.wait("the others", |seen| seen.injects.len() >= before + 5);
}

#[test]
fn the_marks_of_sinks_that_start_later_stay_and_those_of_others_go() {
    // As a sink leaves them: its name, topic, partition and offset.
    let mark = |rule: &str| {
        let mut key = vec![midge_bridge::MARK];
        for text in [rule, "t"] {
            key.extend(u16::try_from(text.len()).expect("short").to_be_bytes());
            key.extend(text.as_bytes());
        }
        key.extend(0_i32.to_be_bytes());
        key.extend(7_i64.to_be_bytes());
        Bytes::from(key)
    };
    let directory = tempfile::tempdir().expect("a directory");
    let storage = open(directory.path());
    let put = |rule| Operation::Put { key: mark(rule), version: None, value: Bytes::new() };
    let operations = ["k-0", "k-1", "gone"].map(put).into();
    storage.store.submitter(Box::new(|_| {})).submit(vec![transaction(operations)]);
    storage.store.shutdown();
    drop(storage);

    let kafka = kafka();
    let mut settings = settings(kafka.bootstrap_servers(), Vec::new());
    settings.also_kept = vec!["k".to_owned()];
    let storage = open(directory.path());
    assert_eq!(storage.kept.keyed.len(), 3);
    let store = storage.store.clone();
    drop(Broker::new().start_with(settings, Some(storage)));
    store.shutdown();
    drop(store);

    let kept = open(directory.path()).kept;
    let keys: Vec<Bytes> = kept.keyed.into_iter().map(|(key, _)| key).collect();
    assert_eq!(keys, [mark("k-0"), mark("k-1")]);
}
