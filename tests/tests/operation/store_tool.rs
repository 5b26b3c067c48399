//! `midge store` looks into the store of a broker that does not run, and changes nothing in it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use midge_tests::{
    Midge, Outgoing, Output, QOS1, QOS2, Setup, binary, message, options, run, text,
};
use rustix::process::Signal;
use serde_json::Value;
use tempfile::TempDir;

use crate::persistence::{STORED, stored};

/// A broker with sessions, messages and retained messages, that has been stopped.
struct Stopped(Midge);

impl Stopped {
    fn new() -> Stopped {
        let mut midge = stored("").start();
        fill(&midge);
        midge.signal(Signal::TERM);
        midge.ended();
        Stopped(midge)
    }

    fn data(&self) -> PathBuf {
        self.0.directory().join("data")
    }

    fn journal(&self) -> PathBuf {
        self.data().join("midge-store")
    }

    /// `midge store WORDS DIRECTORY`, which must leave the directory as it is.
    #[track_caller]
    fn store(&self, words: &[&str]) -> Output {
        let journal = self.journal();
        let before = contents(&journal);
        let output = store(&[words, &[journal.to_str().expect("UTF-8")]].concat());
        assert_eq!(contents(&journal), before, "{words:?} has changed the store");
        output
    }

    /// What `midge store export` says, by type.
    #[track_caller]
    fn exported(&self, words: &[&str]) -> BTreeMap<String, Vec<Value>> {
        let output = self.store(&[&["export"], words].concat()).success();
        let mut lines: BTreeMap<String, Vec<Value>> = BTreeMap::new();
        for line in output.stdout.lines() {
            let value: Value = serde_json::from_str(line).expect("a line of JSON");
            let kind = value["type"].as_str().expect("a type").to_owned();
            lines.entry(kind).or_default().push(value);
        }
        lines
    }
}

fn store(words: &[&str]) -> Output {
    run(binary(), &[&["store"], words].concat())
}

fn fill(midge: &Midge) {
    let mut ann = midge.v5("ann").persistent().user_name("anna").connect();
    ann.subscribe_with("plant/#", options(QOS2), Some(7));
    ann.subscribe("$share/group/work", QOS1);
    ann.disconnect();
    let mut bob = midge.v311("bob").persistent().connect();
    bob.subscribe("plant/1", QOS1);
    bob.disconnect();
    let mut publisher = midge.client("publisher");
    for said in ["one", "two", "three"] {
        publisher.publish(message("plant/1", said).qos(QOS2));
    }
    publisher.publish(message("plant/2", [0xff, 0x00]).qos(QOS1).with(|properties| {
        properties.content_type = Some(text("application/octet-stream"));
        properties.message_expiry_interval = Some(3_600);
        properties.user_properties = vec![(text("k"), text("v"))];
    }));
    publisher.publish(message("state", "on").qos(QOS1).retained());
}

/// Every file with its bytes and the time it was last written.
fn contents(directory: &Path) -> BTreeMap<PathBuf, (Vec<u8>, std::time::SystemTime)> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(directory).expect("the directory") {
        let path = entry.expect("an entry").path();
        let metadata = path.metadata().expect("metadata");
        if metadata.is_dir() {
            found.extend(contents(&path));
        } else {
            let bytes = std::fs::read(&path).expect("a file");
            found.insert(path, (bytes, metadata.modified().expect("a time")));
        }
    }
    found
}

#[test]
fn inspect_shows_sessions_queues_and_segments() {
    let stopped = Stopped::new();
    let output = stopped.store(&["inspect", "--json"]).success();
    let found: Value = serde_json::from_str(&output.stdout).expect("JSON");
    assert_eq!((&found["retained"], &found["marks"]), (&1.into(), &0.into()));
    let sessions = found["sessions"].as_array().expect("sessions");
    let [ann, bob] = &sessions[..] else { panic!("{sessions:?}") };
    assert_eq!((&ann["client_id"], &ann["username"]), (&"ann".into(), &"anna".into()));
    assert_eq!((&ann["messages"], &ann["subscriptions"]), (&4.into(), &2.into()));
    assert_eq!(ann["session_expiry_interval"], 3_600);
    assert_eq!((&bob["client_id"], &bob["username"]), (&"bob".into(), &Value::Null));
    assert_eq!((&bob["messages"], &bob["subscriptions"]), (&3.into(), &1.into()));
    assert!(ann["oldest"].as_str().is_some_and(|at| at.starts_with("20") && at.ends_with('Z')));
    assert!(ann["offline_since"].is_string() && ann["bytes"].as_u64() > bob["bytes"].as_u64());
    let segments = found["segments"].as_array().expect("segments");
    assert!(segments.iter().any(|segment| segment["live_bytes"].as_u64() > Some(0)));

    let output = stopped.store(&["inspect"]).success();
    for part in [
        "2 sessions, 3 subscriptions, 7 queued messages, 1 retained",
        "CLIENT ID",
        "00000001.segment",
    ] {
        assert!(output.stdout.contains(part), "{part}: {}", output.all());
    }
    let row = output.stdout.lines().find(|line| line.starts_with("ann ")).expect("a row");
    let cells: Vec<&str> = row.split_whitespace().collect();
    assert_eq!(cells[..4], ["ann", "anna", "2", "4"]);
}

#[test]
fn the_store_is_found_by_its_configuration_and_by_the_directory_above_it() {
    let stopped = Stopped::new();
    let expected = stopped.store(&["inspect", "--json"]).success().stdout;
    let conf = stopped.0.directory().join("mosquitto.conf");
    let by_conf = store(&["inspect", "--json", "-c", conf.to_str().expect("UTF-8")]).success();
    assert_eq!(by_conf.stdout, expected);
    let data = stopped.data();
    let above = store(&["inspect", "--json", data.to_str().expect("UTF-8")]).success();
    assert_eq!(above.stdout, expected);
}

#[test]
fn export_holds_everything_that_a_broker_would_find() {
    let stopped = Stopped::new();
    let lines = stopped.exported(&[]);
    let kinds: Vec<&str> = lines.keys().map(String::as_str).collect();
    assert_eq!(kinds, ["queued", "retained", "session", "subscription"], "{lines:?}");
    assert_eq!(lines["session"].len(), 2);
    let filters: Vec<_> = lines["subscription"].iter().map(|line| &line["filter"]).collect();
    assert_eq!(filters, ["$share/group/work", "plant/#", "plant/1"]);
    assert_eq!(lines["subscription"][1]["subscription_identifier"], 7);
    let of = |client_id: &str| -> Vec<&Value> {
        lines["queued"].iter().filter(|line| line["client_id"] == client_id).collect()
    };
    let said: Vec<_> = of("bob").into_iter().map(|line| (&line["payload"], &line["qos"])).collect();
    assert_eq!(
        said,
        [(&"one".into(), &1.into()), (&"two".into(), &1.into()), (&"three".into(), &1.into())]
    );
    let last = *of("ann").last().expect("a message");
    assert_eq!((&last["topic"], &last["payload_base64"]), (&"plant/2".into(), &"/wA=".into()));
    assert_eq!((&last["subscription_identifiers"][0], &last["packet_id"]), (&7.into(), &4.into()));
    assert_eq!(last["properties"]["content_type"], "application/octet-stream");
    assert_eq!(last["properties"]["user_properties"][0][1], "v");
    assert_eq!(last["publisher"]["client_id"], "publisher");
    assert!(last["expires"].as_str() > last["received"].as_str(), "{last}");
    let retained = &lines["retained"][0];
    assert_eq!((&retained["topic"], &retained["payload"]), (&"state".into(), &"on".into()));

    let bob = stopped.exported(&["--queue", "bob"]);
    assert_eq!((bob["session"].len(), bob["queued"].len()), (1, 3));
    assert!(!bob.contains_key("retained"));
    let nobody = stopped.store(&["export", "--queue", "nobody"]);
    assert_eq!(nobody.code, Some(1));
    assert!(nobody.stderr.contains("no session of client \"nobody\""), "{}", nobody.all());
}

#[test]
fn a_store_in_use_is_refused_with_the_brokers_process_id() {
    let midge = stored("").start();
    let mut client = midge.client("client");
    let journal = midge.directory().join("data/midge-store");
    for action in ["inspect", "verify", "export"] {
        let output = store(&[action, journal.to_str().expect("UTF-8")]);
        assert_eq!(output.code, Some(1), "{action}");
        let pid = format!("in use by process {}", midge.pid());
        assert!(output.stderr.contains(&pid), "{action}: {}", output.all());
    }
    // It has not noticed.
    client.ping();
}

#[test]
fn verify_finds_nothing_wrong_after_a_stop_and_after_a_crash() {
    let stopped = Stopped::new();
    let output = stopped.store(&["verify"]).success();
    assert!(output.stdout.contains("all of it can be read"), "{}", output.all());
    let mut midge = stored("").start();
    fill(&midge);
    midge.signal(Signal::KILL);
    midge.ended();
    let crashed = Stopped(midge);
    crashed.store(&["verify"]).success();
    assert_eq!(crashed.exported(&[])["queued"].len(), 7);
}

#[test]
fn verify_tells_where_a_segment_is_damaged() {
    let stopped = Stopped::new();
    let segment = stopped.journal().join("00000001.segment");
    let mut bytes = std::fs::read(&segment).expect("the segment");
    let place = bytes.windows(5).position(|window| window == b"three").expect("the payload");
    bytes[place] ^= 1;
    std::fs::write(&segment, bytes).expect("written");
    let output = stopped.store(&["verify"]);
    assert_eq!(output.code, Some(1), "{}", output.all());
    let damaged = output.stdout.lines().find(|line| line.starts_with("damaged: "));
    let damaged = damaged.unwrap_or_else(|| panic!("{}", output.all()));
    assert!(damaged.contains("00000001.segment") && damaged.contains("at byte"), "{damaged}");
    assert!(!stopped.journal().join("quarantine").exists());
    let inspected = stopped.store(&["inspect"]).success();
    assert!(inspected.stdout.contains("midge store verify"), "{}", inspected.all());
}

#[test]
fn verify_tells_where_the_end_is_torn_and_claims_no_more() {
    let stopped = Stopped::new();
    let segment = stopped.journal().join("00000001.segment");
    let bytes = std::fs::read(&segment).expect("the segment");
    let end = bytes.iter().rposition(|byte| *byte != 0).expect("batches");
    std::fs::write(&segment, &bytes[..end - 4]).expect("written");
    let output = stopped.store(&["verify"]).success();
    let torn = output.stdout.lines().find(|line| line.starts_with("torn end: "));
    let torn = torn.unwrap_or_else(|| panic!("{}", output.all()));
    assert!(torn.contains("truncated or edited it may have been"), "{torn}");
    let last = output.stdout.lines().last().expect("a line");
    assert!(last.contains("the end is torn at 00000001.segment offset "), "{last}");
    assert!(!output.stdout.contains("all of it can be read"), "{}", output.all());
}

#[test]
fn a_directory_without_a_store_is_told_as_what_it_is() {
    let directory = TempDir::new().expect("temporary directory");
    let path = |name: &str| directory.path().join(name).to_str().expect("UTF-8").to_owned();
    std::fs::create_dir(path("empty")).expect("a directory");
    std::fs::create_dir(path("other")).expect("a directory");
    std::fs::write(path("other/format"), "someone-else 7\n").expect("written");
    std::fs::write(path("file"), "").expect("written");
    std::fs::write(path("none.conf"), "persistence false\n").expect("written");
    for (words, parts) in [
        (vec![path("missing")], ["found nothing", "expected the directory of a store"]),
        (vec![path("file")], ["found a file", "expected the directory of a store"]),
        (vec![path("empty")], ["found no format file", "expected a journal"]),
        (vec![path("other")], ["another program", "expected a journal"]),
        (vec!["-c".to_owned(), path("none.conf")], ["persistence is off", "no store"]),
        (vec!["-c".to_owned(), path("missing.conf")], ["missing.conf", ""]),
    ] {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let output = store(&[&["verify"], &words[..]].concat());
        assert_eq!(output.code, Some(1), "{words:?}: {}", output.all());
        for part in parts {
            assert!(output.stderr.contains(part), "{words:?}: {}", output.all());
        }
    }
    assert!(contents(&directory.path().join("empty")).is_empty());
    assert_eq!(contents(directory.path()).len(), 3);
    // What is no command at all.
    assert_eq!(store(&["look"]).code, Some(3));
}

#[test]
fn what_was_imported_shows_whose_it_will_be() {
    let setup = Setup::conf(STORED);
    let data = setup.directory().join("data");
    std::fs::create_dir(&data).expect("the directory");
    let recorded = midge_tests::repository().join("broker/tests/data/mosquitto-2.0.db");
    std::fs::copy(recorded, data.join("mosquitto.db")).expect("the recorded database");
    let mut midge = setup.start();
    midge.signal(Signal::TERM);
    midge.ended();
    let stopped = Stopped(midge);
    let output = stopped.store(&["inspect"]).success();
    let row = output.stdout.lines().find(|line| line.starts_with("légacy"));
    assert!(row.is_some_and(|row| row.contains("(first to come)")), "{}", output.all());
    let lines = stopped.exported(&["--queue", "légacy"]);
    assert_eq!(lines["session"][0]["unclaimed"], true);
    assert_eq!(lines["released"][0]["packet_id"], 1);
    let ids: Vec<_> = lines["queued"].iter().map(|line| &line["packet_id"]).collect();
    assert_eq!(ids, [2, 3, 4, 5]);
    assert_eq!(stopped.exported(&["--queue", "uploader"])["inbound"][0]["packet_id"], 513);
}

#[test]
fn what_waits_for_kafka_is_shown_with_its_connector() {
    // Nobody listens there.
    let toml = "[kafka]\nbootstrap_servers = [\"127.0.0.1:1\"]\n\
                [connectors.telemetry]\ntype = \"source\"\nmqtt_filters = [\"plant/#\"]\n\
                kafka_topic = \"plant\"\n";
    let mut midge = stored("").bridge(toml).start();
    let mut publisher = midge.client("publisher");
    for said in ["one", "two"] {
        // It is acknowledged from the spool.
        publisher.publish(message("plant/1", said).qos(QOS1));
    }
    midge.signal(Signal::KILL);
    midge.ended();
    let stopped = Stopped(midge);
    let output = stopped.store(&["inspect", "--json"]).success();
    let found: Value = serde_json::from_str(&output.stdout).expect("JSON");
    let spool = &found["spools"][0];
    assert_eq!((&spool["connector"], &spool["messages"]), (&"telemetry".into(), &2.into()));
    let output = stopped.store(&["inspect"]).success();
    assert!(output.stdout.contains("SPOOL") && output.stdout.contains("\ntelemetry "));
    let lines = stopped.exported(&[]);
    let said: Vec<_> =
        lines["spool"].iter().map(|line| (&line["connector"], &line["payload"])).collect();
    let telemetry = Value::from("telemetry");
    assert_eq!(said, [(&telemetry, &"one".into()), (&telemetry, &"two".into())]);
    stopped.store(&["verify"]).success();
}
