//! A disk that is full, damaged, out of reach or somebody else's.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use midge_codec::{Packet, ReasonCode};
use midge_tests::{Midge, Outgoing, QOS1, Setup, eventually, message};
use rustix::process::{Signal, geteuid};

use crate::persistence::{STORED, stored};

fn store(midge: &Midge) -> PathBuf {
    midge.directory().join("data/midge-store")
}

fn persistence_of(directory: &Path) -> Setup {
    Setup::conf(&format!("persistence true\npersistence_location {}\n", directory.display()))
}

/// A client's offline session on `t`.
#[track_caller]
fn leave_session(midge: &Midge) {
    let mut away = midge.v5("away").persistent().connect();
    away.subscribe("t", QOS1);
    away.disconnect();
}

#[test]
fn a_second_process_is_refused_and_the_first_goes_on() {
    let midge = stored("").start();
    leave_session(&midge);
    let second = persistence_of(&midge.directory().join("data")).run();
    assert_eq!(second.code, Some(1), "{}", second.all());
    let directory = store(&midge).display().to_string();
    let holder = format!("in use by process {}", midge.pid().as_raw_nonzero());
    assert!(second.all().contains(&directory), "{}", second.all());
    assert!(second.all().contains(&holder), "{}", second.all());
    midge.client("publisher").publish(message("t", "x").qos(QOS1));
    midge.v5("away").persistent().connect().expect("t", "x");
}

#[test]
fn a_directory_of_another_version_or_program_is_refused_and_left_as_it_is() {
    let mut midge = stored("").start();
    leave_session(&midge);
    midge.signal(Signal::TERM);
    midge.ended();
    let marker = store(&midge).join("format");
    let written = fs::read_to_string(&marker).expect("a format file");
    for (text, said) in [
        (written.replacen(" 1 ", " 99 ", 1), "a journal of format 99"),
        ("something else\n".to_owned(), "another program"),
    ] {
        fs::write(&marker, &text).expect("a format file");
        let refused = persistence_of(&midge.directory().join("data")).run();
        assert_eq!(refused.code, Some(3), "{}", refused.all());
        assert!(refused.all().contains(said), "{}", refused.all());
        assert_eq!(fs::read_to_string(&marker).expect("a format file"), text);
    }
    fs::write(&marker, written).expect("a format file");
    midge.start_again();
    assert!(midge.v5("away").persistent().connect().session_present());
}

#[test]
fn a_directory_that_may_not_be_written_is_refused_with_its_name() {
    let setup = Setup::conf(&format!("{STORED}user nobody\n"));
    let directory = setup.directory().join("data");
    fs::create_dir(&directory).expect("a directory");
    let mut permissions = fs::metadata(&directory).expect("its mode").permissions();
    // Root writes everywhere, so it becomes somebody else; others are held by the mode.
    std::os::unix::fs::PermissionsExt::set_mode(&mut permissions, 0o500);
    fs::set_permissions(&directory, permissions).expect("its mode");
    let refused = setup.run();
    assert_eq!(refused.code, Some(1), "{}", refused.all());
    let place = directory.join("midge-store").display().to_string();
    assert!(refused.all().contains(&place), "{}", refused.all());
    assert!(refused.all().contains("Permission denied"), "{}", refused.all());
    if !geteuid().is_root() {
        let tested = setup.argument("--test-config").run();
        assert_eq!(tested.code, Some(3), "{}", tested.all());
        assert!(tested.all().contains(&place), "{}", tested.all());
    }
}

#[test]
fn a_check_of_the_configuration_makes_no_directory() {
    let setup = Setup::conf(STORED).argument("--test-config");
    let good = setup.run();
    assert_eq!(good.code, Some(0), "{}", good.all());
    assert!(!setup.directory().join("data").exists());
    let bad = Setup::conf("persistence true\npersistence_location @DIR@/mosquitto.conf/data\n");
    let bad = bad.argument("--test-config").run();
    assert_eq!(bad.code, Some(3), "{}", bad.all());
    assert!(bad.all().contains("found a file, expected a directory"), "{}", bad.all());
}

#[test]
fn a_check_of_the_configuration_does_not_mind_the_running_broker() {
    let midge = stored("").start();
    let conf = format!(
        "persistence true\npersistence_location {}\n",
        midge.directory().join("data").display()
    );
    let checked = Setup::conf(&conf).argument("--test-config").run();
    assert_eq!(checked.code, Some(0), "{}", checked.all());
}

#[test]
fn a_damaged_segment_is_put_aside_and_what_is_around_it_is_delivered() {
    let mut midge = stored("").start();
    leave_session(&midge);
    let mut publisher = midge.client("publisher");
    for number in 0..20 {
        publisher.publish(message("t", format!("message number {number}!")).qos(QOS1));
    }
    drop(publisher);
    midge.signal(Signal::TERM);
    midge.ended();
    damage(&store(&midge), b"message number 10!");
    midge.start_again();
    midge.says(&["is lost", "quarantine"]);
    let aside = fs::read_dir(store(&midge).join("quarantine")).expect("a quarantine").count();
    assert_eq!(aside, 1);
    let mut away = midge.v5("away").persistent().connect();
    assert!(away.session_present());
    for number in (0..20).filter(|number| *number != 10) {
        away.expect("t", &format!("message number {number}!"));
    }
    midge.client("publisher").publish(message("t", "and on").qos(QOS1));
    away.expect("t", "and on");
}

/// Flips the bits of these bytes where they stand in a segment.
fn damage(store: &Path, bytes: &[u8]) {
    for entry in fs::read_dir(store).expect("the store") {
        let path = entry.expect("an entry").path();
        let mut content = fs::read(&path).expect("a file");
        let found = content.windows(bytes.len()).position(|window| window == bytes);
        if let Some(at) = found {
            content[at..at + bytes.len()].iter_mut().for_each(|byte| *byte ^= 0xff);
            fs::write(&path, content).expect("a file");
            return;
        }
    }
    panic!("{:?} stands in no segment", String::from_utf8_lossy(bytes));
}

#[test]
fn a_full_store_refuses_what_it_would_have_to_keep_and_recovers_by_itself() {
    let midge = stored("max_queued_messages 0\nmax_inflight_messages 1000\n")
        .environment("MIDGE__PERSISTENCE__MAX_SIZE", "4194304")
        .start();
    leave_session(&midge);
    let mut publisher = midge.client("publisher");
    let mut accepted = 0;
    while publisher.publish(message("t", vec![b'x'; 50_000]).qos(QOS1)) != ReasonCode::QuotaExceeded
    {
        accepted += 1;
        assert!(accepted < 200, "10 MB in a store of 4 MiB");
    }
    midge.says(&["the journal is full"]);
    midge.says(&["what has to be stored is refused until 2097152 bytes are free"]);
    // What is for nobody who is stored goes on.
    let mut here = midge.client("here");
    here.subscribe("other", QOS1);
    assert_eq!(publisher.publish(message("other", "x").qos(QOS1)), ReasonCode::Success);
    here.expect("other", "x");

    let mut away = midge.v5("away").persistent().connect();
    for _ in 0..accepted {
        assert_eq!(away.accept().payload.len(), 50_000);
    }
    midge.says(&["what has to be stored is accepted again"]);
    eventually("a message is accepted again", || {
        let reason = publisher.publish(message("t", "again").qos(QOS1));
        (reason == ReasonCode::Success).then_some(())
    });
    away.expect("t", "again");
}

#[test]
fn a_failed_write_ends_the_process_and_nothing_that_was_acknowledged_is_lost() {
    let mut midge = stored("max_queued_messages 0\n")
        // A file that may not grow further is an error then, instead of a signal.
        .through(&["env", "--ignore-signal=XFSZ"])
        .start();
    leave_session(&midge);
    let mut publisher = midge.client("publisher");
    publisher.publish(message("t", "first").qos(QOS1));
    let pid = midge.pid().as_raw_nonzero().to_string();
    let limit = Command::new("prlimit").args(["--fsize=524288", "--pid", &pid]).status();
    assert!(limit.expect("prlimit").success());
    let mut acknowledged = 0;
    loop {
        let id = publisher.send_publish(message("t", vec![b'x'; 50_000]).qos(QOS1));
        let answer = publisher.closed_or(|packet| match packet {
            Packet::Puback(ack) if Some(ack.packet_id) == id => Some(ack.reason),
            _ => None,
        });
        match answer {
            Some(reason) => assert_eq!(reason, ReasonCode::Success),
            None => break,
        }
        acknowledged += 1;
        assert!(acknowledged < 20, "1 MB in a file of 512 KiB");
    }
    assert_eq!(midge.ended(), Some(1));
    midge.says(&["nothing is acknowledged any more, the broker ends"]);
    midge.says(&["Error: store: "]);

    midge.start_again();
    let mut away = midge.v5("away").persistent().connect();
    away.expect("t", "first");
    for _ in 0..acknowledged {
        assert_eq!(away.accept().payload.len(), 50_000);
    }
}

#[test]
fn where_it_is_kept_counts_from_the_next_start() {
    let mut midge = stored("").start();
    let conf = "listener @PORT@ 127.0.0.1\nallow_anonymous true\npersistence true\n\
                persistence_location @DIR@/elsewhere\n";
    midge.rewrite("mosquitto.conf", conf);
    midge.reload();
    midge.says(&["persistence has changed, which counts from the next start"]);
    midge.says(&["configuration reloaded"]);
    assert!(!midge.directory().join("elsewhere").exists());
}
