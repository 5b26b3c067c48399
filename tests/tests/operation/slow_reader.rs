//! A subscriber that does not read costs its own bounded queue, nobody else anything.

use midge_tests::{Midge, Outgoing, QOS0, QOS1, message};

/// Kilobytes of memory the broker holds.
fn resident_kilobytes(midge: &Midge) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", midge.pid().as_raw_nonzero()));
    let status = status.expect("the process");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("VmRSS");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}

#[test]
fn others_receive_everything_while_one_does_not_read() {
    let midge = Midge::start("");
    for qos in [QOS0, QOS1] {
        let mut stuck = midge.client("stuck");
        stuck.subscribe("flood", qos);
        let mut reader = midge.client("reader");
        reader.subscribe("flood", qos);
        let mut publisher = midge.client("publisher");
        let payload = "x".repeat(10_000);
        for number in 0..3_000 {
            let said = format!("{number} {payload}");
            publisher.publish(message("flood", said.clone()).qos(qos));
            // One at a time, so that nothing is dropped for this one.
            assert_eq!(reader.accept().said(), said);
        }
        stuck.raw().end();
    }
}

#[test]
fn memory_stays_bounded_while_one_does_not_read() {
    let midge = Midge::start("");
    let mut stuck: Vec<_> = (0..5).map(|number| midge.client(&format!("stuck{number}"))).collect();
    for client in &mut stuck {
        client.subscribe("flood", QOS0);
    }
    let mut publisher = midge.client("publisher");
    let payload = "x".repeat(100_000);
    publisher.publish(message("flood", payload.clone()).qos(QOS1));
    let before = resident_kilobytes(&midge);
    for _ in 0..3_000 {
        // 300 MB, and five who take none of it.
        publisher.publish(message("flood", payload.clone()).qos(QOS1));
    }
    let grown = resident_kilobytes(&midge).saturating_sub(before);
    assert!(grown < 200_000, "{grown} kB more");
}

#[test]
fn what_is_dropped_is_counted_and_said_once() {
    let midge = Midge::start("sys_interval 1\nmax_queued_messages 10\nmax_inflight_messages 5");
    let mut stuck = midge.client("stuck");
    stuck.subscribe("flood", QOS1);
    let mut publisher = midge.client("publisher");
    for _ in 0..200 {
        publisher.publish(message("flood", "x").qos(QOS1));
    }
    // Named, with the reason, and once an episode, not once a message.
    midge.says(&["stuck", "drop"]);
    let log = midge.log();
    assert!(log.lines().filter(|line| line.contains("stuck") && line.contains("drop")).count() < 5);
    let mut watcher = midge.client("watcher");
    watcher.subscribe("$SYS/broker/publish/messages/dropped", QOS0);
    loop {
        let count: u64 = watcher.accept().said().trim().parse().expect("a number");
        if count >= 180 {
            break;
        }
    }
}

#[test]
fn one_who_reads_again_is_served_again() {
    let midge = Midge::start("max_queued_messages 100");
    let mut stuck = midge.client("stuck");
    stuck.subscribe("flood", QOS1);
    let mut publisher = midge.client("publisher");
    for number in 0..300 {
        publisher.publish(message("flood", number.to_string()).qos(QOS1));
    }
    // What was kept, in its order, without gaps that go backwards.
    let mut last = None;
    for _ in 0..100 {
        let number: u32 = stuck.accept().said().parse().expect("a number");
        assert!(last < Some(number), "{last:?} before {number}");
        last = Some(number);
    }
    stuck.subscribe("end", QOS0);
    publisher.publish(message("end", "x"));
    while stuck.accept().name() != "end" {}
}
