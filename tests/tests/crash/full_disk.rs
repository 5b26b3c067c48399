//! A disk without room, which is a small file system of its own.
//!
//! Invariant: no test is passed over. Where mounting is not allowed, the preload library refuses the
//! room instead, and the test says so.

use std::path::{Path, PathBuf};
use std::process::Command;

use midge_codec::ReasonCode;
use midge_tests::{Client, Midge, Outgoing, QOS1, QOS2, Setup, eventually, message, output};

use crate::preload;

const SIZE: usize = 12 << 20;
const PAYLOAD: usize = 20_000;
/// More than that cannot fit.
const ENOUGH: usize = SIZE / PAYLOAD;

/// A mounted tmpfs, unmounted with its owner.
struct Mount(PathBuf);

impl Mount {
    fn new(at: &Path) -> Result<Mount, String> {
        std::fs::create_dir_all(at).expect("a directory");
        let mut command = Command::new("mount");
        command.args(["-t", "tmpfs", "-o", &format!("size={SIZE}"), "midge-tests"]).arg(at);
        let outcome = output(&mut command, "");
        match outcome.code {
            Some(0) => Ok(Mount(at.to_owned())),
            _ => Err(outcome.all()),
        }
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        // Lazily: the broker may still be ending.
        output(Command::new("umount").arg("--lazy").arg(&self.0), "");
    }
}

/// A broker whose store has little room.
fn small() -> (Midge, Option<Mount>) {
    let setup = Setup::conf(
        "persistence true\npersistence_location @DIR@/data\nmax_queued_messages 0\n\
         max_inflight_messages 1000\nsys_interval 0\n",
    )
    .environment("MIDGE__PERSISTENCE__SEGMENT_SIZE", "1048576");
    match Mount::new(&setup.directory().join("data")) {
        Ok(mount) => (setup.start(), Some(mount)),
        Err(why) => {
            println!("mounting is not allowed ({why}): the preload library refuses room instead");
            let setup = preload::recorded(setup).environment("POWERCUT_ROOM", &SIZE.to_string());
            (setup.start(), None)
        }
    }
}

fn payload(number: usize) -> Vec<u8> {
    let mut text = format!("{number}:").into_bytes();
    text.resize(PAYLOAD, b'x');
    text
}

/// Publishes until a message is refused; returns the number of the next one.
#[track_caller]
fn fill(publisher: &mut Client, mut number: usize) -> usize {
    let first = number;
    loop {
        let qos = if number.is_multiple_of(2) { QOS1 } else { QOS2 };
        match publisher.publish(message("t", payload(number)).qos(qos)) {
            ReasonCode::Success => number += 1,
            ReasonCode::QuotaExceeded => return number,
            other => panic!("number {number}: {other}"),
        }
        assert!(number - first <= ENOUGH, "{number} messages of {PAYLOAD} bytes in {SIZE}");
    }
}

#[track_caller]
fn take(client: &mut Client, numbers: std::ops::Range<usize>) {
    for number in numbers {
        let came = client.accept();
        let said = came.said();
        assert_eq!(said.split(':').next(), Some(number.to_string().as_str()));
        assert_eq!(came.payload.len(), PAYLOAD);
    }
}

fn count(midge: &Midge, part: &str) -> usize {
    midge.log().lines().filter(|line| line.contains(part)).count()
}

#[test]
fn a_full_disk_refuses_what_is_to_be_kept_loses_nothing_and_recovers_alone() {
    let (mut midge, _mount) = small();
    let mut away = midge.v5("away").persistent().connect();
    away.subscribe("t", QOS2);
    away.disconnect();
    let mut publisher = midge.client("publisher");
    let full = fill(&mut publisher, 0);
    assert!(full > 10, "only {full} messages fitted");
    midge.says(&["what has to be stored is refused until", "bytes are free"]);

    // What is not to be kept goes on, and so do those who read.
    let mut here = midge.client("here");
    here.subscribe("elsewhere", QOS1);
    for _ in 0..20 {
        let reason = publisher.publish(message("elsewhere", "x").qos(QOS1));
        assert_eq!(reason, ReasonCode::Success);
        here.expect("elsewhere", "x");
    }
    let reason = publisher.publish(message("t", payload(full)).qos(QOS1).retained());
    assert_eq!(reason, ReasonCode::QuotaExceeded);
    assert_eq!(count(&midge, "what has to be stored is refused"), 1, "said once");

    // A crash with the disk full.
    midge.crash();
    let mut away = midge.v5("away").persistent().connect();
    assert!(away.session_present());
    take(&mut away, 0..full);
    let mut publisher = midge.client("publisher");
    eventually("a message is accepted again", || {
        let reason = publisher.publish(message("t", payload(full)).qos(QOS1));
        (reason == ReasonCode::Success).then_some(())
    });
    take(&mut away, full..full + 1);
    away.disconnect();

    // Again, and drained without a crash.
    let again = fill(&mut publisher, full + 1);
    assert!(again - full > 10, "only {} messages fitted", again - full);
    let mut away = midge.v5("away").persistent().connect();
    take(&mut away, full + 1..again);
    midge.says(&["what has to be stored is accepted again"]);
    eventually("a message is accepted again", || {
        let reason = publisher.publish(message("t", payload(again)).qos(QOS2));
        (reason == ReasonCode::Success).then_some(())
    });
    take(&mut away, again..again + 1);
}

#[test]
fn space_that_somebody_else_frees_is_used_at_once() {
    let (midge, mount) = small();
    let ballast = midge.directory().join("data/ballast");
    let Some(_mount) = mount else {
        // Only a real file system has others on it; the rest is in the test above.
        return midge_without_room(&midge);
    };
    std::fs::write(&ballast, vec![0; SIZE / 2]).expect("ballast");
    let mut away = midge.v5("away").persistent().connect();
    away.subscribe("t", QOS2);
    away.disconnect();
    let mut publisher = midge.client("publisher");
    let full = fill(&mut publisher, 0);
    midge.says(&["what has to be stored is refused until", "bytes are free"]);
    std::fs::remove_file(&ballast).expect("ballast");
    eventually("a message is accepted again", || {
        let reason = publisher.publish(message("t", payload(full)).qos(QOS1));
        (reason == ReasonCode::Success).then_some(())
    });
    midge.says(&["what has to be stored is accepted again"]);
    let mut away = midge.v5("away").persistent().connect();
    take(&mut away, 0..full + 1);
}

/// What can be shown of it without a file system of its own: it says that it is full, once.
fn midge_without_room(midge: &Midge) {
    let mut away = midge.v5("away").persistent().connect();
    away.subscribe("t", QOS2);
    away.disconnect();
    fill(&mut midge.client("publisher"), 0);
    midge.says(&["what has to be stored is refused until", "bytes are free"]);
    assert_eq!(count(midge, "what has to be stored is refused"), 1);
}
