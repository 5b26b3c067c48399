//! What Kafka does not take goes to the disk: with a Kafka inside the process and a real store.

mod support;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use midge_bridge::dev::ProduceFault;
use midge_bridge::{Bridge, Kept, MARK, State, Storage};
use midge_codec::ReasonCode;
use midge_config::{Ack, Connector, ConnectorKind, SourceConnector, SpoolFull};
use midge_core::{ShardId, TapId};
use midge_store::{
    DiskFiles, Durability, Journal, Operation, Settings as StoreSettings, Store, Transaction,
};
use support::proxy::Proxy;
use support::{
    Broker, eventually, kafka, message, numbers, offer, publish, settings, sink, source,
};

/// Opens what is in a directory, as the broker does at its start.
fn open(directory: &Path) -> Storage {
    let settings = StoreSettings {
        durability: Durability::Os,
        segment_bytes: 1 << 20,
        ..StoreSettings::default()
    };
    let files = DiskFiles(directory.to_owned());
    let (journal, report) = Journal::open(files, &settings).expect("a journal");
    assert!(report.is_clean(), "{report:?}");
    let kept = Kept::of(&journal).expect("it can be read");
    Storage { store: Store::start(journal).expect("threads"), kept }
}

/// Entries that wait in the bridge's queues, once nobody uses the directory.
fn waiting(directory: &Path) -> u64 {
    let Storage { store, kept } = open(directory);
    store.shutdown();
    kept.queues.iter().map(|(_, queue)| queue.entries).sum()
}

fn spooled(name: &str, topic: &str, change: impl FnOnce(&mut SourceConnector)) -> Connector {
    let mut connector = source(name, topic);
    let ConnectorKind::Source(rule) = &mut connector.kind else { unreachable!() };
    rule.ack = Ack::Spool;
    rule.spool.after = Duration::from_millis(200);
    change(rule);
    connector
}

/// Stops both; the directory is free then.
fn stop(bridge: Arc<Bridge>, store: Store) {
    bridge.shutdown(Duration::from_secs(5));
    drop(bridge);
    store.shutdown();
    drop(store);
}

#[test]
fn with_kafka_away_the_disk_acknowledges_and_after_a_restart_everything_arrives_in_order() {
    let directory = tempfile::tempdir().expect("a directory");
    let kafka = kafka();
    kafka.create_topic("all", 1).expect("a new topic");
    let connectors = || vec![spooled("s", "all", |_| ())];
    let settings = || settings(kafka.bootstrap_servers(), connectors());

    let broker = Broker::new();
    let storage = open(directory.path());
    let store = storage.store.clone();
    let bridge = broker.start_with(settings(), Some(storage));
    publish(&bridge, "a", 0..500);
    eventually("kafka keeps up", || {
        let status = bridge.status().remove(0);
        status.records_out == 500 && !status.spooling
    });
    kafka.go_away().expect("it goes");
    publish(&bridge, "a", 500..3_000);
    broker.wait("the disk's acknowledgements", |seen| seen.done.len() == 3_000);
    assert!(broker.lock().done.iter().all(|done| done.2 == ReasonCode::Success));
    let status = bridge.status().remove(0);
    assert!(status.spooling && status.log_depth == 2_500, "{status:?}");
    stop(bridge, store);
    assert_eq!(waiting(directory.path()), 2_500);

    // Kafka is still away at the next start, and comes back while more is published.
    let broker = Broker::new();
    let storage = open(directory.path());
    let store = storage.store.clone();
    let bridge = broker.start_with(settings(), Some(storage));
    assert_eq!(bridge.status()[0].log_depth, 2_500);
    publish(&bridge, "a", 3_000..3_500);
    broker.wait("the disk's acknowledgements", |seen| seen.done.len() == 500);
    kafka.come_back().expect("it comes");
    publish(&bridge, "a", 3_500..4_000);
    broker.wait("all duties", |seen| seen.done.len() == 1_000);
    eventually("all is done with", || bridge.status()[0].log_depth == 0);
    assert!(!bridge.status()[0].spooling, "in memory again");
    stop(bridge, store);
    assert_eq!(numbers(&kafka, "all", 4_000), (0..4_000).collect::<Vec<_>>());
    assert_eq!(waiting(directory.path()), 0, "the disk keeps nothing that Kafka has");
}

#[test]
fn what_the_disk_has_acknowledged_is_there_when_the_process_just_ends() {
    let (before, after) = (tempfile::tempdir().expect("one"), tempfile::tempdir().expect("two"));
    let kafka = kafka();
    kafka.create_topic("all", 1).expect("a new topic");
    kafka.go_away().expect("it goes");
    let connectors = || vec![spooled("s", "all", |_| ())];
    let settings = || settings(kafka.bootstrap_servers(), connectors());
    let broker = Broker::new();
    let storage = open(before.path());
    let store = storage.store.clone();
    let bridge = broker.start_with(settings(), Some(storage));
    publish(&bridge, "a", 0..1_000);
    broker.wait("the disk's acknowledgements", |seen| seen.done.len() == 1_000);
    // What another process would find now.
    for file in std::fs::read_dir(before.path()).expect("the store's files") {
        let file = file.expect("one of them");
        std::fs::copy(file.path(), after.path().join(file.file_name())).expect("it is copied");
    }
    stop(bridge, store);

    let broker = Broker::new();
    let storage = open(after.path());
    let store = storage.store.clone();
    let bridge = broker.start_with(settings(), Some(storage));
    kafka.come_back().expect("it comes");
    publish(&bridge, "a", 1_000..1_100);
    assert_eq!(numbers(&kafka, "all", 1_100), (0..1_100).collect::<Vec<_>>());
    stop(bridge, store);
}

#[test]
fn a_rule_that_waits_for_kafka_overflows_to_the_disk_and_still_waits() {
    let directory = tempfile::tempdir().expect("a directory");
    let kafka = kafka();
    kafka.create_topic("all", 1).expect("a new topic");
    kafka.go_away().expect("it goes");
    let connector = spooled("s", "all", |rule| {
        rule.ack = Ack::Kafka;
        rule.buffer_messages = 1_000;
    });
    let broker = Broker::new();
    let storage = open(directory.path());
    let store = storage.store.clone();
    let settings = settings(kafka.bootstrap_servers(), vec![connector]);
    let bridge = broker.start_with(settings, Some(storage));
    publish(&bridge, "a", 0..400);
    eventually("kafka counts as away", || bridge.status()[0].state == State::Waiting);
    assert!(!bridge.status()[0].spooling, "there is room in memory");
    publish(&bridge, "a", 400..900);
    eventually("the disk is used", || bridge.status()[0].spooling);
    assert!(broker.lock().done.is_empty() && broker.lock().full.is_empty());
    kafka.come_back().expect("it comes");
    broker.wait("all duties", |seen| seen.done.len() == 900);
    assert_eq!(numbers(&kafka, "all", 900), (0..900).collect::<Vec<_>>());
    stop(bridge, store);
}

#[test]
fn a_producer_that_breaks_while_the_spool_drains_is_replaced_and_order_holds() {
    let directory = tempfile::tempdir().expect("a directory");
    let kafka = kafka();
    kafka.create_topic("all", 1).expect("a new topic");
    let proxy = Proxy::start(kafka.bootstrap_servers());
    kafka.go_away().expect("it goes");
    let connector = spooled("s", "all", |rule| rule.buffer_messages = 2_000);
    let broker = Broker::new();
    let storage = open(directory.path());
    let store = storage.store.clone();
    let settings = settings(&proxy.bootstrap_servers(), vec![connector]);
    let bridge = broker.start_with(settings, Some(storage));
    for batch in 0..20 {
        publish(&bridge, "a", batch * 500..(batch + 1) * 500);
        let published = ((batch + 1) * 500) as usize;
        broker.wait("the disk's acknowledgements", |seen| seen.done.len() == published);
    }
    kafka.fail_produce(&[ProduceFault::Fenced]).expect("it is told");
    kafka.come_back().expect("it comes");
    eventually("all is done with", || bridge.status()[0].log_depth == 0);
    assert!(proxy.producers() >= 2, "it was replaced");
    // A real Kafka may have kept what the broken producer had under way: this one has not.
    assert_eq!(numbers(&kafka, "all", 10_000), (0..10_000).collect::<Vec<_>>());
    stop(bridge, store);
}

#[test]
fn at_spool_max_bytes_publishers_are_held_back_or_messages_dropped() {
    let directory = tempfile::tempdir().expect("a directory");
    let kafka = kafka();
    kafka.create_topic("one", 1).expect("a new topic");
    kafka.create_topic("two", 1).expect("a new topic");
    kafka.go_away().expect("it goes");
    let small = |full| {
        move |rule: &mut SourceConnector| {
            rule.spool.max_bytes = 100_000;
            rule.spool.full = full;
        }
    };
    let connectors = vec![
        spooled("one", "one", small(SpoolFull::PushBack)),
        spooled("two", "two", small(SpoolFull::DropNewest)),
    ];
    let broker = Broker::new();
    let storage = open(directory.path());
    let store = storage.store.clone();
    let bridge = broker.start_with(settings(kafka.bootstrap_servers(), connectors), Some(storage));
    let offers = |tap, range: std::ops::Range<u64>| {
        let mut offers: Vec<_> = range
            .map(|number| offer(tap, message("a", format!("{number:<400}")), number))
            .collect();
        bridge.offer(ShardId(0), &mut offers);
    };
    for tap in 0..2 {
        offers(tap, 0..10);
        eventually("the disk is used", || bridge.status()[tap as usize].spooling);
        offers(tap, 10..300);
    }
    broker.wait("push back", |seen| seen.full == [(TapId(0), true)]);
    broker.wait("all duties", |seen| seen.done.len() == 600);
    let statuses = bridge.status();
    assert_eq!((statuses[0].log_depth, statuses[0].dropped), (300, 0));
    let dropped = statuses[1].dropped;
    assert!(dropped > 100 && statuses[1].log_bytes <= 100_000, "{:?}", statuses[1]);
    kafka.come_back().expect("it comes");
    broker.wait("it lets go", |seen| seen.full == [(TapId(0), true), (TapId(0), false)]);
    eventually("all is done with", || bridge.status().iter().all(|s| s.log_depth == 0));
    assert_eq!(kafka.records("one", 300).expect("they are there").len(), 300);
    let two = 300 - dropped as usize;
    assert_eq!(kafka.records("two", two).expect("they are there").len(), two);
    stop(bridge, store);
}

#[test]
fn a_spool_whose_connector_is_gone_is_kept_until_it_is_configured_again() {
    let directory = tempfile::tempdir().expect("a directory");
    let kafka = kafka();
    kafka.create_topic("all", 1).expect("a new topic");
    kafka.go_away().expect("it goes");
    let start = |connectors: Vec<Connector>| {
        let broker = Broker::new();
        let storage = open(directory.path());
        let store = storage.store.clone();
        let settings = settings(kafka.bootstrap_servers(), connectors);
        let bridge = broker.start_with(settings, Some(storage));
        (broker, bridge, store)
    };
    let (broker, bridge, store) = start(vec![spooled("s", "all", |_| ())]);
    publish(&bridge, "a", 0..20);
    broker.wait("the disk's acknowledgements", |seen| seen.done.len() == 20);
    stop(bridge, store);
    let (_, bridge, store) = start(vec![spooled("other", "all", |_| ())]);
    assert_eq!(bridge.status()[0].log_depth, 0);
    stop(bridge, store);
    assert_eq!(waiting(directory.path()), 20);
    // As the log says: what is not wanted any more goes by its age.
    let too_old = |rule: &mut SourceConnector| rule.spool.max_age = Some(Duration::from_secs(1));
    let (_, bridge, store) = start(vec![spooled("s", "all", too_old)]);
    eventually("they are dropped", || bridge.status()[0].dropped == 20);
    stop(bridge, store);
    assert_eq!(waiting(directory.path()), 0);
}

#[test]
fn a_clean_stop_puts_on_disk_what_nobody_was_promised() {
    let directory = tempfile::tempdir().expect("a directory");
    let kafka = kafka();
    kafka.create_topic("all", 1).expect("a new topic");
    kafka.go_away().expect("it goes");
    let connector = || spooled("s", "all", |rule| rule.ack = Ack::None);
    let broker = Broker::new();
    let storage = open(directory.path());
    let store = storage.store.clone();
    let settings = || settings(kafka.bootstrap_servers(), vec![connector()]);
    let bridge = broker.start_with(settings(), Some(storage));
    publish(&bridge, "a", 0..20);
    eventually("kafka counts as away", || bridge.status()[0].state == State::Waiting);
    stop(bridge, store);
    assert_eq!(waiting(directory.path()), 20);
    kafka.come_back().expect("it comes");
    let broker = Broker::new();
    let storage = open(directory.path());
    let store = storage.store.clone();
    let bridge = broker.start_with(settings(), Some(storage));
    assert_eq!(numbers(&kafka, "all", 20), (0..20).collect::<Vec<_>>());
    stop(bridge, store);
}

#[test]
fn a_busy_rule_keeps_its_rate_and_others_are_not_slowed() {
    let kafka = kafka();
    kafka.create_topic("busy", 1).expect("a new topic");
    kafka.create_topic("calm", 1).expect("a new topic");
    let mut busy = source("busy", "busy");
    let ConnectorKind::Source(rule) = &mut busy.kind else { unreachable!() };
    rule.producer_byte_rate = Some(20_000);
    let broker = Broker::new();
    let connectors = vec![busy, source("calm", "calm")];
    let bridge = broker.start(settings(kafka.bootstrap_servers(), connectors));
    let start = std::time::Instant::now();
    let offers = |tap, range: std::ops::Range<u64>| {
        let mut offers: Vec<_> = range
            .map(|number| offer(tap, message("a", format!("{number:<1000}")), number))
            .collect();
        bridge.offer(ShardId(0), &mut offers);
    };
    offers(0, 0..40);
    offers(1, 100..200);
    broker.wait("the calm rule", |seen| seen.done.iter().filter(|d| d.1.0 >= 100).count() == 100);
    broker.wait("the busy rule", |seen| seen.done.len() == 140);
    assert!(start.elapsed() >= Duration::from_secs(2), "its rate holds: {:?}", start.elapsed());
}

/// What the shards do with a mark: it goes to the disk with the message.
fn put(store: &Store, key: Bytes) {
    let (durable, wait) = std::sync::mpsc::channel();
    let submitter = store.submitter(Box::new(move |number| durable.send(number).unwrap_or(())));
    let put = Operation::Put { key, version: None, value: Bytes::new() };
    submitter.submit(vec![Transaction { operations: vec![put] }]);
    wait.recv_timeout(Duration::from_secs(20)).expect("it is durable");
}

fn marks(directory: &Path) -> usize {
    let Storage { store, kept } = open(directory);
    store.shutdown();
    kept.keyed.iter().filter(|(key, _)| key[0] == MARK).count()
}

#[test]
fn a_record_that_was_delivered_before_a_crash_is_not_delivered_again() {
    let directory = tempfile::tempdir().expect("a directory");
    let kafka = kafka();
    kafka.create_topic("t", 1).expect("a new topic");
    for number in 0..6 {
        kafka.produce("t", Some(b"k"), Some(number.to_string().as_bytes()), &[]).expect("taken");
    }
    let settings = || settings(kafka.bootstrap_servers(), vec![sink("s", "t", "a")]);
    let payloads = |broker: &Broker| -> Vec<u8> {
        broker.lock().injects.iter().map(|inject| inject.payload[0] - b'0').collect()
    };
    let first = Broker::new();
    let storage = open(directory.path());
    let store = storage.store.clone();
    let bridge = first.start_with(settings(), Some(storage));
    first.wait("all six", |seen| seen.injects.len() == 6);
    // Stored, and the process ends before the shards have said so: Kafka knows nothing.
    for index in [0, 1, 3] {
        let mark = first.lock().injects[index].mark.clone();
        put(&store, mark.expect("there is a store"));
    }
    bridge.shutdown(Duration::ZERO);
    drop(bridge);
    store.shutdown();
    drop(store);
    assert_eq!(marks(directory.path()), 3);
    assert_eq!(kafka.committed("group-s", "t", 0), Ok(None));

    let second = Broker::that_answers(ReasonCode::Success);
    let storage = open(directory.path());
    let store = storage.store.clone();
    let bridge = second.start_with(settings(), Some(storage));
    second.wait("the others", |seen| seen.injects.len() >= 3);
    eventually("all are committed", || kafka.committed("group-s", "t", 0) == Ok(Some(6)));
    assert_eq!(payloads(&second), [2, 4, 5]);
    let second_marks: Vec<Bytes> =
        second.lock().injects.iter().filter_map(|inject| inject.mark.clone()).collect();
    assert_eq!(second_marks.len(), 3);
    stop(bridge, store);
    assert_eq!(marks(directory.path()), 0, "Kafka knows the offsets now");
}

/// How many marks a crash at this moment would leave.
fn marks_after_a_crash(directory: &Path) -> usize {
    let copy = tempfile::tempdir().expect("a directory");
    for file in std::fs::read_dir(directory).expect("a directory") {
        let file = file.expect("a file");
        if file.file_type().expect("a type").is_file() {
            std::fs::copy(file.path(), copy.path().join(file.file_name())).expect("a copy");
        }
    }
    marks(copy.path())
}

#[test]
fn marks_go_while_a_sink_runs_once_kafka_knows_the_offsets() {
    let directory = tempfile::tempdir().expect("a directory");
    let kafka = kafka();
    kafka.create_topic("t", 1).expect("a new topic");
    kafka.produce("t", Some(b"k"), Some(b"v"), &[]).expect("taken");
    let broker = Broker::new();
    let storage = open(directory.path());
    let store = storage.store.clone();
    let settings = settings(kafka.bootstrap_servers(), vec![sink("s", "t", "a")]);
    let bridge = broker.start_with(settings, Some(storage));
    broker.wait("the record", |seen| seen.injects.len() == 1);
    let (mark, ticket) = {
        let inject = &broker.lock().injects[0];
        (inject.mark.clone().expect("there is a store"), inject.ticket.expect("it is a sink's"))
    };
    put(&store, mark);
    assert_eq!(marks_after_a_crash(directory.path()), 1);
    bridge.injected(ticket, ReasonCode::Success);
    eventually("it is committed", || kafka.committed("group-s", "t", 0) == Ok(Some(1)));
    eventually("the mark is gone", || marks_after_a_crash(directory.path()) == 0);
    stop(bridge, store);
}

#[test]
fn without_a_store_or_with_qos_0_nothing_is_marked() {
    let directory = tempfile::tempdir().expect("a directory");
    let kafka = kafka();
    kafka.create_topic("t", 1).expect("a new topic");
    kafka.produce("t", Some(b"k"), Some(b"v"), &[]).expect("taken");
    let mut quick = sink("quick", "t", "a");
    let ConnectorKind::Sink(rule) = &mut quick.kind else { unreachable!() };
    rule.qos = 0;
    let storage = open(directory.path());
    let store = storage.store.clone();
    let cases = [(sink("s", "t", "a"), None), (quick, Some(storage))];
    for (connector, storage) in cases {
        let broker: Arc<Broker> = Broker::that_answers(ReasonCode::Success);
        let settings = settings(kafka.bootstrap_servers(), vec![connector]);
        let bridge = broker.start_with(settings, storage);
        broker.wait("the record", |seen| seen.injects.len() == 1);
        assert_eq!(broker.lock().injects[0].mark, None);
        bridge.shutdown(Duration::from_secs(5));
    }
    store.shutdown();
}
