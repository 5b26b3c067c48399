//! The end of the broker: clients are told, and it comes in time.

use midge_codec::{Packet, ReasonCode};
use midge_tests::{Midge, Outgoing, QOS0, QOS1, QOS2, Setup, VERSIONS, eventually, message, will};
use rustix::process::Signal;

#[test]
fn clients_are_told_that_the_broker_shuts_down() {
    for signal in [Signal::TERM, Signal::INT] {
        let mut midge = Midge::start("");
        let mut clients: Vec<_> = VERSIONS
            .iter()
            .map(|version| midge.dial(*version, &format!("{version:?}")).connect())
            .collect();
        midge.signal(signal);
        for client in &mut clients {
            client.dropped(ReasonCode::ServerShuttingDown);
        }
        assert_eq!(midge.ended(), Some(0), "{signal:?}");
    }
}

#[test]
fn what_was_acknowledged_to_a_publisher_reaches_its_subscriber_before_the_end() {
    let mut midge = Midge::start("max_inflight_messages 0\nmax_queued_messages 0");
    let mut subscriber = midge.client("subscriber");
    subscriber.subscribe("t", QOS0);
    let mut publisher = midge.client("publisher");
    for number in 0..500 {
        publisher.publish(message("t", number.to_string()).qos(QOS2));
    }
    midge.signal(Signal::TERM);
    let received: Vec<String> = subscriber
        .closed()
        .into_iter()
        .filter_map(|packet| match packet {
            Packet::Publish(publish) => Some(publish.said()),
            _ => None,
        })
        .collect();
    assert_eq!(received, (0..500).map(|number: u32| number.to_string()).collect::<Vec<_>>());
    midge.ended();
}

#[test]
fn clients_that_do_not_read_do_not_hold_it_up() {
    let mut midge = Midge::start("");
    let mut stuck = midge.client("stuck");
    stuck.subscribe("flood", QOS0);
    let mut publisher = midge.client("publisher");
    for _ in 0..200 {
        publisher.publish(message("flood", "x".repeat(100_000)).qos(QOS1));
    }
    midge.signal(Signal::TERM);
    assert_eq!(midge.ended(), Some(0));
    stuck.raw().end();
}

#[test]
fn the_port_is_free_for_the_next_one_at_once() {
    let mut midge = Midge::start("");
    let mut client = midge.v5("c").will(will("t", "x")).connect();
    midge.restart();
    client.closed();
    midge.client("c").ping();
}

#[test]
fn connections_that_have_not_said_anything_yet_do_not_hold_it_up() {
    let mut midge = Midge::start("");
    let silent: Vec<_> = (0..10).map(|_| midge.raw()).collect();
    midge.client("c").ping();
    midge.signal(Signal::TERM);
    assert_eq!(midge.ended(), Some(0));
    drop(silent);
}

#[test]
fn the_pid_file_is_there_while_it_runs_and_gone_afterwards() {
    let mut midge = Setup::conf("pid_file @DIR@/pid\n").start();
    let file = midge.directory().join("pid");
    let expected = format!("{}\n", midge.pid().as_raw_nonzero());
    eventually("the pid file names the process", || {
        let found = std::fs::read_to_string(&file).ok()?;
        (found == expected).then_some(())
    });
    midge.signal(Signal::TERM);
    midge.ended();
    assert!(!file.exists());
}
