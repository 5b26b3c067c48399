use std::time::{Duration, Instant};

use midge_codec::{QoS, TopicName};
use midge_core::Origin;

use super::*;

mod model;
mod random;

use model::{Store, identity, limits, message, now, queue};

fn drain(spool: &mut Spool) -> Vec<Output> {
    std::iter::from_fn(|| spool.poll()).collect()
}

fn duty(number: u64) -> Option<Duty> {
    Some((ShardId(0), DutyId(number)))
}

fn dones(outputs: &[Output]) -> Vec<(u64, ReasonCode)> {
    let dones = outputs.iter().filter_map(|output| match output {
        Output::Done((_, DutyId(number)), reason) => Some((*number, *reason)),
        _ => None,
    });
    dones.collect()
}

fn notices(outputs: &[Output]) -> Vec<Notice> {
    let notices = outputs.iter().filter_map(|output| match output {
        Output::Notice(notice) => Some(*notice),
        _ => None,
    });
    notices.collect()
}

fn offer(spool: &mut Spool, start: Instant, numbers: std::ops::Range<u64>) {
    for number in numbers {
        spool.offer(now(start, 0), message(0, number, 10), duty(number)).expect("there is room");
    }
}

#[test]
fn what_kafka_leaves_for_too_long_is_acknowledged_by_the_disk_and_what_follows_goes_there_too() {
    let start = Instant::now();
    let mut spool = Spool::new(limits(), Some(queue(&Store::default(), 1)));
    offer(&mut spool, start, 0..3);
    spool.tick(now(start, 0));
    assert_eq!(drain(&mut spool), [], "nothing is to be done");
    assert_eq!(spool.deadline(), Some(start + Duration::from_secs(1)));
    let taken = spool.take(now(start, 0)).expect("the first");
    spool.tick(now(start, 1_000));
    let outputs = drain(&mut spool);
    assert!(spool.is_spooling() && dones(&outputs).is_empty(), "not durable yet: {outputs:?}");
    let [Output::Notice(Notice::Spilled { messages: 3, .. }), Output::Commit(operations)] =
        &outputs[..]
    else {
        panic!("one transaction with the whole prefix: {outputs:?}");
    };
    assert_eq!(operations.len(), 4, "the queue's state, then the entries");
    spool.offer(now(start, 1_000), message(0, 3, 10), duty(3)).expect("there is room");
    spool.tick(now(start, 1_000));
    assert!(matches!(&drain(&mut spool)[..], [Output::Commit(_)]));
    spool.durable(1);
    spool.tick(now(start, 1_001));
    let done = |number| (number, ReasonCode::Success);
    assert_eq!(dones(&drain(&mut spool)), [done(0), done(1), done(2)]);
    // Kafka is quicker than the disk for the last one: the duty is done once.
    assert_eq!(taken.1.payload[0], b'0');
    let rest: Vec<_> = std::iter::from_fn(|| spool.take(now(start, 1_001))).collect();
    assert_eq!(rest.iter().map(|(_, m)| m.payload[0] - b'0').collect::<Vec<_>>(), [1, 2, 3]);
    spool.report(now(start, 1_001), rest[2].0, Report::Delivered);
    assert_eq!(dones(&drain(&mut spool)), [done(3)]);
    spool.durable(2);
    spool.tick(now(start, 1_002));
    assert_eq!(dones(&drain(&mut spool)), []);
}

#[test]
fn with_ack_kafka_the_disk_is_used_for_want_of_memory_and_acknowledges_nothing() {
    let start = Instant::now();
    let limits = Limits { after: None, durable_is_enough: false, messages: 100, ..limits() };
    let mut spool = Spool::new(limits, Some(queue(&Store::default(), 1)));
    offer(&mut spool, start, 0..50);
    spool.tick(now(start, 60_000));
    assert!(!spool.is_spooling(), "time alone is no reason");
    offer(&mut spool, start, 50..60);
    spool.tick(now(start, 60_000));
    assert!(spool.is_spooling());
    spool.durable(1);
    spool.tick(now(start, 60_000));
    assert_eq!(dones(&drain(&mut spool)), []);
    assert!(spool.is_safe());
    let (position, _) = spool.take(now(start, 60_000)).expect("the first");
    spool.report(now(start, 60_000), position, Report::Delivered);
    assert_eq!(dones(&drain(&mut spool)), [(0, ReasonCode::Success)]);
}

#[test]
fn a_store_that_takes_nothing_leaves_back_pressure() {
    let start = Instant::now();
    let limits = Limits { messages: 10, ..limits() };
    let mut spool = Spool::new(limits, Some(queue(&Store::default(), 1)));
    spool.store_usable(false);
    offer(&mut spool, start, 0..10);
    spool.tick(now(start, 60_000));
    assert!(!spool.is_spooling());
    assert_eq!(drain(&mut spool), [Output::Pressure(true)]);
    spool.store_usable(true);
    spool.tick(now(start, 60_000));
    assert!(spool.is_spooling());
    spool.durable(1);
    spool.tick(now(start, 60_000));
    assert!(drain(&mut spool).contains(&Output::Pressure(false)), "memory is free again");
}

#[test]
fn at_the_bound_of_the_disk_the_policy_holds() {
    let start = Instant::now();
    let each = (message(0, 0, 1_000).bytes() + ENTRY_BYTES) as u64;
    for full in [SpoolFull::PushBack, SpoolFull::DropOldest, SpoolFull::DropNewest] {
        let limits = Limits { max_bytes: 10 * each, full, ..limits() };
        let mut spool = Spool::new(limits, Some(queue(&Store::default(), 1)));
        for number in 0..16 {
            let taken = spool.offer(now(start, 0), message(0, number, 1_000), duty(number));
            taken.expect("there is room");
            if number == 0 {
                spool.tick(now(start, 1_000));
            }
            spool.tick(now(start, 1_000));
        }
        let outputs = drain(&mut spool);
        let (notices, dones) = (notices(&outputs), dones(&outputs));
        assert!(notices.contains(&Notice::Full(true)), "{full:?}: {notices:?}");
        assert_eq!(notices.iter().filter(|n| **n == Notice::Full(true)).count(), 1);
        let dropped: u64 = notices
            .iter()
            .map(|notice| if let Notice::Dropped(_, count) = notice { *count } else { 0 })
            .sum();
        let left: Vec<u64> = std::iter::from_fn(|| spool.take(now(start, 1_000)))
            .map(|(_, message)| identity(&message).1)
            .collect();
        match full {
            SpoolFull::PushBack => {
                assert!(outputs.contains(&Output::Pressure(true)));
                assert_eq!((dropped, dones.len(), left.len()), (0, 0, 16));
            }
            SpoolFull::DropOldest => {
                assert_eq!(left, (6..16).collect::<Vec<_>>());
                assert_eq!((dropped, dones.len()), (6, 6));
            }
            SpoolFull::DropNewest => {
                assert_eq!(left, (0..10).collect::<Vec<_>>());
                assert_eq!((dropped, dones.len()), (6, 6));
            }
        }
    }
}

#[test]
fn what_is_older_than_it_may_be_is_dropped_unless_it_is_inside_the_producer() {
    let start = Instant::now();
    let limits = Limits { max_age: Some(Duration::from_secs(60)), ..limits() };
    let mut spool = Spool::new(limits, Some(queue(&Store::default(), 1)));
    offer(&mut spool, start, 0..5);
    let (first, _) = spool.take(now(start, 0)).expect("the first");
    spool.tick(now(start, 60_000));
    assert_eq!(spool.open(), 5);
    spool.tick(now(start, 60_001));
    assert!(notices(&drain(&mut spool)).contains(&Notice::Dropped(Drop::Aged, 4)));
    assert_eq!(spool.open(), 1);
    spool.report(now(start, 60_001), first, Report::Delivered);
    assert_eq!(spool.open(), 0);
}

#[test]
fn a_rate_is_kept_by_the_cursor_and_says_when_it_goes_on() {
    let start = Instant::now() + Duration::from_secs(1);
    let limits = Limits { byte_rate: Some(1_000), ..limits() };
    let mut spool = Spool::new(limits, None);
    offer(&mut spool, start, 0..10);
    spool.tick(now(start, 0));
    assert!(spool.take(now(start, 0)).is_some());
    assert!(spool.take(now(start, 0)).is_none(), "the rate is used up");
    spool.tick(now(start, 0));
    let due = spool.deadline().expect("it goes on");
    assert!(due > start && due < start + Duration::from_secs(1));
    let later = (due - start).as_millis() as u64 + 1;
    assert!(spool.take(now(start, later)).is_some());
}

#[test]
fn entries_that_cannot_be_read_back_are_counted_and_their_publishers_told() {
    let start = Instant::now();
    let limits = Limits { messages: 16, durable_is_enough: false, ..limits() };
    let mut store = Store::default();
    let mut spool = Spool::new(limits, Some(queue(&store, 1)));
    offer(&mut spool, start, 0..9);
    spool.tick(now(start, 1_000));
    store.take(drain(&mut spool));
    for number in store.sync(usize::MAX) {
        spool.durable(number);
    }
    spool.tick(now(start, 1_000));
    // Memory keeps two; what is loaded of the others is damaged or gone.
    let positions: Vec<Position> = store.entries.keys().copied().collect();
    store.entries.remove(&positions[5]);
    store.entries.insert(positions[6], (Bytes::new(), Bytes::from_static(b"x")));
    let mut came = Vec::new();
    for _ in 0..20 {
        while let Some((position, message)) = spool.take(now(start, 1_000)) {
            came.push(message.payload[0] - b'0');
            spool.report(now(start, 1_000), position, Report::Delivered);
        }
        spool.tick(now(start, 1_000));
        let outputs = drain(&mut spool);
        for (number, reason) in dones(&outputs) {
            let lost = number == 5 || number == 6;
            assert_eq!(reason.is_error(), lost, "{number} {reason}");
        }
        for load in store.take(outputs) {
            let mut loaded = store.load(&load);
            loaded.lost = u64::from(loaded.entries.iter().any(|e| e.position == positions[6]));
            spool.loaded(now(start, 1_000), Some(loaded));
        }
    }
    assert_eq!(came, [0, 1, 2, 3, 4, 7, 8]);
    assert_eq!((spool.open(), spool.bytes()), (0, 0));
}

#[test]
fn entries_of_another_definition_of_the_rule_are_told_of_once() {
    let start = Instant::now();
    let mut store = Store::default();
    let mut spool = Spool::new(limits(), Some(queue(&store, 1)));
    offer(&mut spool, start, 0..2);
    spool.tick(now(start, 1_000));
    store.take(drain(&mut spool));
    store.sync(usize::MAX);
    let other = Queue { generation: Bytes::from_static(b"new"), ..queue(&store, 2) };
    let mut spool = Spool::new(limits(), Some(other));
    assert_eq!(spool.open(), 2);
    spool.tick(now(start, 0));
    for load in store.take(drain(&mut spool)) {
        spool.loaded(now(start, 0), Some(store.load(&load)));
    }
    assert_eq!(notices(&drain(&mut spool)), [Notice::OtherGeneration]);
    assert_eq!(spool.take(now(start, 0)).map(|(_, m)| m.payload[0]), Some(b'0'));
}

#[test]
fn a_load_that_fails_is_asked_for_again() {
    let start = Instant::now();
    let mut store = Store::default();
    store.entries.insert(7, (Bytes::new(), stored(0)));
    let mut spool = Spool::new(limits(), Some(queue(&store, 1)));
    spool.tick(now(start, 0));
    assert!(matches!(drain(&mut spool)[..], [Output::Load { .. }]));
    spool.loaded(now(start, 0), None);
    spool.tick(now(start, 0));
    assert_eq!(drain(&mut spool), [Output::Notice(Notice::LoadFailed)]);
    assert_eq!(spool.deadline(), Some(start + Duration::from_secs(1)));
    spool.tick(now(start, 1_000));
    let loads = store.take(drain(&mut spool));
    spool.loaded(now(start, 1_000), Some(store.load(&loads[0])));
    assert!(spool.take(now(start, 1_000)).is_some());
}

#[test]
fn a_message_larger_than_all_that_is_loaded_ahead_is_given_once_it_is_loaded() {
    let start = Instant::now();
    let mut store = Store::default();
    let limits = Limits { bytes: 100_000, ..limits() };
    let entry = midge_core::stored::entry(&message(0, 0, limits.bytes / 4), now(start, 0));
    store.entries.insert(7, (Bytes::new(), entry));
    store.entries.insert(8, (Bytes::new(), stored(1)));
    let mut spool = Spool::new(limits, Some(queue(&store, 1)));
    let mut given = Vec::new();
    for _ in 0..4 {
        spool.tick(now(start, 0));
        for load in store.take(drain(&mut spool)) {
            spool.loaded(now(start, 0), Some(store.load(&load)));
        }
        // Whoever loads lets the log do what is possible before the producer comes.
        spool.tick(now(start, 0));
        for load in store.take(drain(&mut spool)) {
            spool.loaded(now(start, 0), Some(store.load(&load)));
        }
        spool.tick(now(start, 0));
        given.extend(spool.take(now(start, 0)).map(|(position, _)| position));
    }
    assert_eq!(given, [7, 8]);
}

fn stored(number: u64) -> Bytes {
    midge_core::stored::entry(&message(0, number, 10), now(Instant::now(), 0))
}

/// A log of this many messages that nobody takes must not grow in memory.
#[test]
fn a_long_outage_stays_within_bounded_memory() {
    let start = Instant::now();
    let limits = Limits { messages: 1_000, ..limits() };
    let mut store = Store::default();
    let mut spool = Spool::new(limits, Some(queue(&store, 1)));
    let mut most = 0;
    for round in 0..1_000 {
        offer(&mut spool, start, round * 20..(round + 1) * 20);
        let time = now(start, round * 10);
        spool.tick(time);
        while spool.take(time).is_some() {}
        assert!(store.take(drain(&mut spool)).is_empty(), "memory is full enough");
        for number in store.sync(usize::MAX) {
            spool.durable(number);
        }
        spool.tick(time);
        for load in store.take(drain(&mut spool)) {
            spool.loaded(time, Some(store.load(&load)));
        }
        most = most.max(spool.resident().0);
    }
    assert_eq!(spool.open(), 20_000);
    assert!(most <= 700, "{most} messages were in memory");
}
