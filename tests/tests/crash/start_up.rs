//! The start with very much waiting.
//!
//! `CRASH_QUEUED` says how many messages (default 20,000). With a million, on a release build, it is
//! the measurement: `MIDGE_BIN=target/release/midge CRASH_QUEUED=1000000 cargo test --release ...`.

use std::time::{Duration, Instant};

use midge_codec::Packet;
use midge_tests::{Client, Midge, Outgoing, QOS1, Setup, message};

use crate::mix::from_environment;

const SESSIONS: usize = 10;
const PAYLOAD: usize = 256;
/// Unacknowledged publishes.
const WINDOW: usize = 500;

const LIMIT: Duration = Duration::from_secs(5);
const MEMORY_MB: u64 = 300;

fn payload(number: usize) -> Vec<u8> {
    let mut text = format!("{number}:").into_bytes();
    text.resize(PAYLOAD, b'x');
    text
}

fn publish(client: &mut Client, topic: &str, count: usize) {
    let settle = |client: &mut Client| {
        client.pick("PUBACK", |packet| matches!(packet, Packet::Puback(_)).then_some(()));
    };
    for number in 0..count {
        client.send_publish(message(topic, payload(number)).qos(QOS1));
        if number >= WINDOW {
            settle(client);
        }
    }
    (0..count.min(WINDOW)).for_each(|_| settle(client));
}

/// Megabytes that the process has in memory.
fn memory_mb(midge: &Midge) -> u64 {
    let path = format!("/proc/{}/status", midge.pid().as_raw_nonzero());
    let status = std::fs::read_to_string(path).expect("the process");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("VmHWM");
    let kilobytes: u64 = line.trim().trim_end_matches(" kB").parse().expect("a number");
    kilobytes / 1024
}

#[test]
fn a_start_with_very_much_waiting_takes_little_time_and_memory() {
    let queued = from_environment("CRASH_QUEUED", 20_000) as usize;
    let each = queued / SESSIONS;
    let mut midge = Setup::conf(
        "persistence true\npersistence_location @DIR@/data\nmax_queued_messages 0\n\
         max_inflight_messages 0\nsys_interval 0\n",
    )
    .start();
    for session in 0..SESSIONS {
        let mut away = midge.v5(&format!("away-{session}")).persistent().connect();
        away.subscribe(&format!("t/{session}"), QOS1);
        away.disconnect();
        publish(&mut midge.client("publisher"), &format!("t/{session}"), each);
    }
    midge.signal(rustix::process::Signal::KILL);
    midge.await_kill();
    let started = Instant::now();
    midge.start_again();
    // The CONNACK says that it is up.
    midge.client("first").ping();
    let took = started.elapsed();
    let memory = memory_mb(&midge);
    println!("{queued} messages queued: up after {} ms with {memory} MB", took.as_millis());
    assert!(took <= LIMIT, "{took:?}, expected {LIMIT:?}");
    assert!(memory <= MEMORY_MB, "{memory} MB, expected {MEMORY_MB} MB");

    let mut away = midge.v5("away-0").persistent().connect();
    for number in 0..each {
        let said = away.accept().said();
        assert_eq!(said.split(':').next(), Some(number.to_string().as_str()));
    }
    let memory = memory_mb(&midge);
    assert!(memory <= MEMORY_MB, "{memory} MB after one session was read, {MEMORY_MB} expected");
}
