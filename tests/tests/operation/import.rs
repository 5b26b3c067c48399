//! What a Mosquitto has left in its database is there when Midge starts in its place.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use midge_codec::{Ack, Packet, PacketId, ProtocolVersion, Publish, ReasonCode};
use midge_tests::{
    Client, Midge, Outgoing, Publisher, QOS0, QOS1, QOS2, Setup, Subscriber, eventually, message,
    mosquitto_passwd, options,
};
use rustix::process::{Pid, Signal};

use crate::persistence::STORED;

/// A Mosquitto on the files and ports of a Midge that does not run.
struct Mosquitto<'m> {
    midge: &'m mut Midge,
    process: Child,
}

impl<'m> Mosquitto<'m> {
    /// Starts it with lines for `mosquitto.conf` that both understand.
    fn start(midge: &'m mut Midge, conf: &str) -> Mosquitto<'m> {
        midge.signal(Signal::TERM);
        midge.ended();
        std::fs::create_dir(midge.directory().join("data")).expect("the directory of its database");
        // Started as root it would become a user who may not write there.
        let user = if rustix::process::getuid().is_root() { "user root\n" } else { "" };
        let common = "persistence true\npersistence_location @DIR@/data/\n";
        let conf = format!("{user}{common}listener @PORT@ 127.0.0.1\n{conf}");
        midge.rewrite("mosquitto.conf", &conf);
        let mut command = match Path::new("/usr/sbin/mosquitto") {
            path if path.exists() => Command::new(path),
            _ => Command::new("mosquitto"),
        };
        command.arg("-c").arg(midge.directory().join("mosquitto.conf"));
        let log = std::fs::File::create(midge.directory().join("mosquitto.log")).expect("log");
        command.stdin(Stdio::null()).stdout(log.try_clone().expect("log")).stderr(log);
        let process = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let address = midge.address();
        let mosquitto = Mosquitto { midge, process };
        eventually("mosquitto takes connections", || std::net::TcpStream::connect(address).ok());
        mosquitto
    }

    fn dial(&self, version: ProtocolVersion, client_id: &str) -> midge_tests::Dial {
        self.midge.dial(version, client_id)
    }

    /// A session that stays, with this subscription.
    fn leaves(&self, version: ProtocolVersion, client_id: &str, name: &str, qos: midge_codec::QoS) {
        let mut client = self.dial(version, client_id).persistent().connect();
        client.subscribe(name, qos);
        client.disconnect();
    }

    /// Stops it, which saves its database; returns what that holds.
    fn stop(mut self) -> Vec<u8> {
        rustix::process::kill_process(Pid::from_child(&self.process), Signal::TERM).expect("TERM");
        self.process.wait().expect("state of the process");
        std::fs::read(database(self.midge)).expect("the database")
    }
}

impl Drop for Mosquitto<'_> {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn database(midge: &Midge) -> PathBuf {
    midge.directory().join("data/mosquitto.db")
}

fn idle() -> Midge {
    Midge::start("")
}

fn ack(packet_id: PacketId) -> Ack {
    Ack { packet_id, reason: ReasonCode::Success, properties: None }
}

#[track_caller]
fn nothing_more(client: &mut Client) {
    let unread = client.unread();
    assert!(!unread.iter().any(|packet| matches!(packet, Packet::Publish(_))), "{unread:?}");
}

const V5: ProtocolVersion = ProtocolVersion::V5;
const V311: ProtocolVersion = ProtocolVersion::V311;
const ANYBODY: &str = "allow_anonymous true\n";

#[test]
fn sessions_of_mosquitto_go_on_and_get_everything_in_order() {
    let mut midge = idle();
    let mosquitto = Mosquitto::start(&mut midge, ANYBODY);
    let port = mosquitto.midge.port(1);
    let device = ["-i", "device", "-c", "-q", "2", "-t", "plant/#"];
    drop(Subscriber::at(port, &device));
    let five = &["-i", "five", "-V", "5", "-x", "3600", "-c", "-q", "1", "-t", "plant/#"];
    drop(Subscriber::at(port, five));
    mosquitto.leaves(V5, "none", "other/#", QOS1);
    let expected: Vec<String> = (0..100).map(|number| number.to_string()).collect();
    let publisher = Publisher::to(port).arguments(&["-t", "plant/a", "-q", "2"]);
    publisher.lines(expected.join("\n") + "\n").succeeds();
    let retained = |topic, said, qos| {
        Publisher::to(port).arguments(&["-r", "-t", topic, "-m", said, "-q", qos]).succeeds();
    };
    retained("state/on", "yes", "1");
    retained("state/off", "no", "0");
    // At QoS 0 nobody has said that it has arrived.
    Subscriber::at(port, &["-t", "state/+"]).messages(2);
    let before = mosquitto.stop();

    midge.start_again();
    midge.says(&["Imported", "mosquitto.db", "3 sessions", "3 subscriptions", "2 retained"]);
    let mut client = midge.v311("device").resume().connect();
    assert!(client.session_present());
    // Some are accepted, then Mosquitto's own program takes over.
    for said in &expected[..10] {
        client.expect("plant/a", said);
    }
    client.disconnect();
    assert_eq!(Subscriber::new(&midge, &device).messages(90), expected[10..]);
    assert_eq!(Subscriber::new(&midge, five).messages(100), expected);
    let mut none = midge.v5("none").persistent().connect();
    assert!(none.session_present());
    midge.client("publisher").publish(message("other/x", "new").qos(QOS1));
    none.expect("other/x", "new");
    nothing_more(&mut none);
    let mut reader = midge.client("reader");
    reader.subscribe("state/+", QOS1);
    let mut kept: Vec<_> = (0..2)
        .map(|_| {
            let publish = reader.accept();
            assert!(publish.retain);
            (publish.name().to_owned(), publish.said(), publish.qos as u8)
        })
        .collect();
    kept.sort();
    let kept: Vec<_> = kept.iter().map(|(name, said, qos)| (&**name, &**said, *qos)).collect();
    assert_eq!(kept, [("state/off", "no", 0), ("state/on", "yes", 1)]);

    none.disconnect();
    midge.restart();
    let mut none = midge.v5("none").persistent().connect();
    assert_eq!(midge.log().matches("Imported").count(), 1, "once is enough");
    assert!(none.session_present());
    nothing_more(&mut none);
    assert_eq!(std::fs::read(database(&midge)).expect("the database"), before);
}

#[test]
fn what_mosquitto_had_in_flight_is_completed_under_its_packet_ids() {
    let mut midge = idle();
    let mosquitto = Mosquitto::start(&mut midge, ANYBODY);
    let mut half = mosquitto.dial(V311, "half").persistent().connect();
    half.subscribe("work", QOS2);
    mosquitto.leaves(V5, "listener", "upload", QOS2);
    let mut publisher = mosquitto.dial(V5, "publisher").connect();
    for (said, qos) in [("done", QOS1), ("has it", QOS2), ("sent", QOS2), ("sent too", QOS1)] {
        publisher.publish(message("work", said).qos(qos));
    }
    half.expect("work", "done");
    let received = half.message();
    let received = received.packet_id.expect("a packet id");
    half.send(Packet::Pubrec(ack(received)));
    half.pubrel(received);
    let sent = [half.message(), half.message()];
    half.vanish();
    publisher.publish(message("work", "queued").qos(QOS1));
    // QoS 2 that is taken and not released.
    let mut uploader = mosquitto.dial(V5, "uploader").persistent().connect();
    let upload = message("upload", "once").qos(QOS2).retained().id(513);
    let upload_id = uploader.send_publish(upload.clone()).expect("a packet id");
    uploader.pubrec(upload_id);
    uploader.vanish();
    mosquitto.stop();

    midge.start_again();
    midge.says(&["Imported", "3 sessions", "1 queued", "3 in flight", "1 unreleased"]);
    let mut half = midge.v311("half").resume().connect();
    assert!(half.session_present());
    for before in &sent {
        let again = half.message();
        assert!(again.dup, "{again:?}");
        assert_eq!((again.packet_id, again.said()), (before.packet_id, before.said()));
        half.acknowledge(&again);
    }
    half.pubrel(received);
    half.send(Packet::Pubcomp(ack(received)));
    half.expect("work", "queued");
    nothing_more(&mut half);

    let mut uploader = midge.v5("uploader").persistent().connect();
    assert!(uploader.session_present());
    uploader.send_publish(upload.duplicate());
    uploader.pubrec(upload_id);
    uploader.send(Packet::Pubrel(ack(upload_id)));
    assert_eq!(uploader.pubcomp(upload_id), ReasonCode::Success);
    uploader.publish(message("upload", "next").qos(QOS2));
    let mut listener = midge.v5("listener").persistent().connect();
    listener.expect("upload", "once");
    listener.expect("upload", "next");
    nothing_more(&mut listener);
    let mut reader = midge.client("reader");
    reader.subscribe("upload", QOS0);
    assert!(reader.expect("upload", "once").retain);
}

#[test]
fn options_identifiers_properties_and_queued_qos_0_come_along() {
    let mut midge = idle();
    let conf = "allow_anonymous true\nqueue_qos0_messages true\n";
    let mosquitto = Mosquitto::start(&mut midge, conf);
    let mut client = mosquitto.dial(V5, "c").persistent().connect();
    let mut wanted = options(QOS1);
    (wanted.no_local, wanted.retain_as_published) = (true, true);
    client.subscribe_with("t/#", wanted, Some(7));
    client.disconnect();
    let mut publisher = mosquitto.dial(V5, "publisher").connect();
    let with = |publish: Publish| {
        publish.with(|properties| {
            properties.content_type = Some(midge_tests::text("text/plain"));
            properties.message_expiry_interval = Some(3_600);
            properties.user_properties = vec![(midge_tests::text("k"), midge_tests::text("v"))];
        })
    };
    publisher.publish(with(message("t/1", "one").qos(QOS1).retained()));
    publisher.publish(with(message("t/0", "zero")));
    publisher.publish(with(message("t/2", "two").qos(QOS1)));
    publisher.ping();
    mosquitto.stop();

    midge.start_again();
    let mut client = midge.v5("c").persistent().connect();
    for (said, qos) in [("one", QOS1), ("zero", QOS0), ("two", QOS1)] {
        let publish = client.accept();
        assert_eq!((publish.said().as_str(), publish.qos), (said, qos));
        assert_eq!(publish.subscription_identifiers(), [7]);
        let properties = publish.properties.as_deref().expect("properties");
        assert_eq!(properties.content_type.as_deref(), Some("text/plain"));
        assert_eq!(properties.user_properties.len(), 1);
        let left = properties.message_expiry_interval.expect("an expiry");
        assert!((1..=3_600).contains(&left), "{left}");
        assert_eq!(publish.retain, said == "one", "Retain As Published");
    }
    client.publish(message("t/own", "x").qos(QOS1));
    midge.client("publisher").publish(message("t/3", "three").qos(QOS1));
    client.expect("t/3", "three");
    nothing_more(&mut client);
    // They are done with, also over the next start.
    client.disconnect();
    midge.restart();
    let mut client = midge.v5("c").persistent().connect();
    assert!(client.session_present());
    nothing_more(&mut client);
}

#[test]
fn a_session_is_for_the_user_who_comes_back_and_within_his_rights() {
    let mut midge = idle();
    let (passwords, acl) = (midge.directory().join("passwords"), midge.directory().join("rights"));
    mosquitto_passwd(&passwords, "ann", "a");
    mosquitto_passwd(&passwords, "bob", "b");
    std::fs::write(&acl, "user ann\ntopic read plant/#\nuser bob\ntopic readwrite #\n")
        .expect("ACL");
    let conf = "password_file @DIR@/passwords\nacl_file @DIR@/rights\nallow_anonymous false\n";
    let mosquitto = Mosquitto::start(&mut midge, conf);
    let mut ann = mosquitto.dial(V5, "device").user("ann", "a").persistent().connect();
    ann.subscribe("#", QOS1);
    ann.disconnect();
    let mut bob = mosquitto.dial(V5, "bob").user("bob", "b").connect();
    bob.publish(message("plant/1", "before").qos(QOS1));
    mosquitto.stop();

    midge.start_again();
    let mut bob = midge.v5("bob").user("bob", "b").connect();
    bob.publish(message("secret", "not for ann").qos(QOS1));
    bob.publish(message("plant/1", "after").qos(QOS1));
    let device = || midge.v5("device").persistent();
    let mut ann = device().user("ann", "a").connect();
    assert!(ann.session_present());
    ann.expect("plant/1", "before");
    ann.expect("plant/1", "after");
    nothing_more(&mut ann);
    ann.disconnect();
    let other = device().user("bob", "b").connect();
    assert!(!other.session_present(), "it is ann's now");
}

/// A Midge that would import what a test puts in its place.
fn before_the_first_start() -> Setup {
    let setup = Setup::conf(STORED);
    std::fs::create_dir(setup.directory().join("data")).expect("the directory");
    setup
}

/// Recorded from a Mosquitto 2.0: sessions that never expire, and one that has.
fn recorded() -> Vec<u8> {
    let path = midge_tests::repository().join("broker/tests/data/mosquitto-2.0.db");
    std::fs::read(path).expect("the recorded database")
}

fn names(directory: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(directory).expect("the directory");
    let name = |entry: std::io::Result<std::fs::DirEntry>| entry.expect("an entry").file_name();
    let mut names: Vec<_> =
        entries.map(|entry| name(entry).into_string().expect("UTF-8")).collect();
    names.sort();
    names
}

#[test]
fn a_damaged_database_stops_the_first_start_and_changes_nothing() {
    let setup = before_the_first_start();
    let data = setup.directory().join("data");
    let whole = recorded();
    let cut = &whole[..whole.len() - 5];
    std::fs::write(data.join("mosquitto.db"), cut).expect("written");
    let refusal = setup.run();
    assert_eq!(refusal.code, Some(3), "{}", refusal.all());
    for part in ["data/mosquitto.db: byte ", "found ", "expected ", "move the file away"] {
        assert!(refusal.stderr.contains(part), "{part}: {}", refusal.all());
    }
    assert!(refusal.stderr.contains("persistence_file"), "{}", refusal.all());
    assert_eq!(names(&data), ["mosquitto.db"]);
    assert_eq!(std::fs::read(data.join("mosquitto.db")).expect("the database"), cut);
    std::fs::rename(data.join("mosquitto.db"), data.join("aside.db")).expect("moved");
    let midge = setup.start();
    midge.client("client").ping();
    assert_eq!(names(&data), ["aside.db", "midge-store"]);
    assert!(!midge.log().contains("Imported"));
}

#[test]
fn a_damaged_database_is_found_by_test_config() {
    let setup = before_the_first_start().argument("--test-config");
    let data = setup.directory().join("data");
    std::fs::write(data.join("mosquitto.db"), recorded()).expect("written");
    setup.run().success();
    std::fs::write(data.join("mosquitto.db"), "no database").expect("written");
    let refusal = setup.run();
    assert_eq!(refusal.code, Some(3), "{}", refusal.all());
    assert!(refusal.stderr.contains("Mosquitto's mark"), "{}", refusal.all());
    assert_eq!(names(&data), ["mosquitto.db"]);
}

#[test]
fn an_import_that_was_cut_off_begins_again() {
    let setup = before_the_first_start();
    let data = setup.directory().join("data");
    std::fs::write(data.join("mosquitto.db"), recorded()).expect("written");
    let unfinished = data.join("midge-store.importing");
    std::fs::create_dir(&unfinished).expect("the directory");
    for name in ["lock", "format", "00000001.segment"] {
        std::fs::write(unfinished.join(name), "left by a crash").expect("written");
    }
    let mut midge = setup.start();
    let line = midge.says(&["Imported"]);
    assert!(line.contains("2 sessions") || line.contains("3 sessions"), "{line}");
    assert_eq!(names(&data), ["midge-store", "mosquitto.db"]);
    let mut legacy = midge.v311("légacy").resume().connect();
    assert!(legacy.session_present());
    let expected = ["jobs/2", "jobs/3", "jobs/4", "jobs/5"];
    assert_eq!(expected.map(|_| legacy.accept().name().to_owned()), expected);
    // It had this one already.
    let first = PacketId::MIN;
    legacy.pubrel(first);
    legacy.send(Packet::Pubcomp(ack(first)));
    legacy.disconnect();
    // Nothing of it is in the way of what comes later.
    midge.client("publisher").publish(message("jobs/6", "x").qos(QOS1));
    midge.restart();
    let mut legacy = midge.v311("légacy").resume().connect();
    legacy.expect("jobs/6", "x");
    nothing_more(&mut legacy);
}

#[test]
fn a_store_that_exists_is_not_imported_into() {
    let setup = before_the_first_start();
    let data = setup.directory().join("data");
    let mut midge = setup.start();
    midge.client("client").ping();
    std::fs::write(data.join("mosquitto.db"), "not even a database").expect("written");
    midge.restart();
    let mut reader = midge.client("reader");
    reader.subscribe("#", QOS0);
    nothing_more(&mut reader);
    assert!(!midge.log().contains("Imported"));
}
