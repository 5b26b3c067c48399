//! Passwords: who is let in.

use midge_codec::{ProtocolVersion, ReasonCode};
use midge_tests::{
    Midge, Publisher, QOS0, Setup, Subscriber, VERSIONS, binary, eventually, message,
    mosquitto_passwd, run,
};

const CONF: &str = "allow_anonymous false\npassword_file @DIR@/passwords\n";

/// A broker that knows alice (secret) and bob (password).
fn midge() -> Midge {
    let setup = Setup::conf(CONF);
    mosquitto_passwd(&setup.directory().join("passwords"), "alice", "secret");
    mosquitto_passwd(&setup.directory().join("passwords"), "bob", "password");
    setup.start()
}

fn assert_unauthorized(version: ProtocolVersion, reason: ReasonCode) {
    let listed = match version {
        ProtocolVersion::V5 => [ReasonCode::NotAuthorized, ReasonCode::BadUserNameOrPassword],
        _ => [ReasonCode::NotAuthorized, ReasonCode::NotAuthorized],
    };
    assert!(listed.contains(&reason), "{version:?}: {reason}");
}

#[test]
fn a_wrong_password_is_refused() {
    let midge = midge();
    for version in VERSIONS {
        for (user, password) in [
            ("alice", "password"),
            ("alice", ""),
            ("alice", "secret "),
            ("Alice", "secret"),
            ("carol", "secret"),
        ] {
            let dial = midge.dial(version, "client").user(user, password);
            // [MQTT-3.1.4-2]
            assert_unauthorized(version, dial.refused());
        }
        midge.dial(version, "client").user("alice", "secret").connect().ping();
        midge.dial(version, "client").user("bob", "password").connect().ping();
    }
}

#[test]
fn a_client_without_a_user_name_is_refused_where_nobody_is_anonymous() {
    let midge = midge();
    for version in VERSIONS {
        assert_unauthorized(version, midge.dial(version, "client").refused());
    }
}

#[test]
fn a_user_name_without_a_password_is_refused() {
    let midge = midge();
    for version in VERSIONS {
        assert_unauthorized(version, midge.dial(version, "client").user_name("alice").refused());
    }
}

#[test]
fn anonymous_clients_may_stand_beside_those_with_passwords() {
    let setup = Setup::conf("allow_anonymous true\npassword_file @DIR@/passwords\n");
    mosquitto_passwd(&setup.directory().join("passwords"), "alice", "secret");
    let midge = setup.start();
    for version in VERSIONS {
        midge.dial(version, "client").connect().ping();
        midge.dial(version, "client").user("alice", "secret").connect().ping();
        let wrong = midge.dial(version, "client").user("alice", "guess");
        assert_unauthorized(version, wrong.refused());
    }
}

#[test]
fn a_listener_without_authentication_lets_nobody_in() {
    let midge = Setup::exactly("listener @PORT@ 127.0.0.1\n").start();
    for version in VERSIONS {
        assert_unauthorized(version, midge.dial(version, "client").refused());
        assert_unauthorized(version, midge.dial(version, "client").user("alice", "x").refused());
    }
}

#[test]
fn every_format_of_password_files_is_read() {
    let setup = Setup::conf(CONF);
    let file = setup.directory().join("passwords");
    let path = file.to_str().expect("a path in UTF-8");
    // PBKDF2 of mosquitto_passwd, then ours.
    mosquitto_passwd(&file, "pbkdf2", "secret");
    for (user, options) in
        [("argon", &[][..]), ("iterated", &["-I", "1000"]), ("sha", &["-H", "sha512"])]
    {
        let arguments = [&["passwd", "-b"], options, &[path, user, "secret"]].concat();
        run(binary(), &arguments).success();
    }
    let midge = setup.start();
    let text = std::fs::read_to_string(&file).expect("the file");
    for (user, mark) in
        [("pbkdf2", "$7$"), ("argon", "$argon2id$"), ("iterated", "$7$1000$"), ("sha", "$6$")]
    {
        let line = text.lines().find(|line| line.starts_with(user)).expect("a line");
        assert!(line[user.len() + 1..].starts_with(mark), "{line}");
        midge.client_of(user, "secret").ping();
        let wrong = midge.v5("client").user(user, "guess").refused();
        assert_unauthorized(ProtocolVersion::V5, wrong);
    }
}

#[test]
fn a_password_of_bytes_and_a_user_name_of_any_script_log_in() {
    let setup = Setup::conf(CONF);
    mosquitto_passwd(&setup.directory().join("passwords"), "Ünï🙂", "пароль: \"x\" $7$");
    let midge = setup.start();
    for version in VERSIONS {
        midge.dial(version, "client").user("Ünï🙂", "пароль: \"x\" $7$").connect().ping();
        let wrong = midge.dial(version, "client").user("Ünï🙂", "пароль").refused();
        assert_unauthorized(version, wrong);
    }
}

#[test]
fn a_line_that_is_no_hash_keeps_the_broker_from_starting() {
    for (lines, line) in [
        ("alice:secret\n", 1),
        ("# a comment\nalice\n", 2),
        ("alice:$7$101$c2FsdA==\n", 1),
        (":$6$c2FsdA==$aGFzaA==\n", 1),
        ("alice:$9$c2FsdA==$aGFzaA==\n", 1),
    ] {
        let setup = Setup::conf(CONF).file("passwords", lines);
        let refusal = setup.try_start().err().unwrap_or_else(|| panic!("started with {lines:?}"));
        assert_ne!(refusal.code, Some(0));
        assert!(
            refusal.all().contains(&format!("passwords:{line}")),
            "{lines:?}: {}",
            refusal.all()
        );
        // And a secret is never shown.
        assert!(!refusal.all().contains("secret"), "{}", refusal.all());
    }
}

#[test]
fn a_user_twice_keeps_the_broker_from_starting() {
    let setup = Setup::conf(CONF);
    let file = setup.directory().join("passwords");
    mosquitto_passwd(&file, "alice", "secret");
    let line = std::fs::read_to_string(&file).expect("the file");
    std::fs::write(&file, format!("{line}{line}")).expect("written");
    let refusal = setup.try_start().err().expect("did not start");
    assert!(refusal.all().contains("passwords:2"), "{}", refusal.all());
}

#[test]
fn a_changed_password_counts_after_sighup() {
    let midge = midge();
    let file = midge.directory().join("passwords");
    mosquitto_passwd(&file, "alice", "changed");
    mosquitto_passwd(&file, "carol", "new");
    midge.client_of("alice", "secret").ping();
    midge.reload();
    eventually("the new password is accepted", || {
        let (_, connack) = midge.v5("client").user("alice", "changed").attempt();
        (connack.reason == ReasonCode::Success).then_some(())
    });
    // The old one was remembered as good a moment ago.
    let old = midge.v5("client").user("alice", "secret").refused();
    assert_unauthorized(ProtocolVersion::V5, old);
    midge.client_of("carol", "new").ping();
}

#[test]
fn a_user_taken_out_is_disconnected_by_sighup() {
    let midge = midge();
    let mut alice = midge.client_of("alice", "secret");
    let mut bob = midge.client_of("bob", "password");
    let path = midge.directory().join("passwords");
    run("mosquitto_passwd", &["-D", path.to_str().expect("UTF-8"), "alice"]).success();
    midge.reload();
    // Or at least no longer served: nothing of hers is carried out.
    alice.closed();
    bob.ping();
}

#[test]
fn a_socket_opened_before_sighup_does_not_log_in_with_a_user_taken_out() {
    let midge = midge();
    // Accepted, and its handshake begun, under the old rules.
    let mut early = midge.raw();
    let packet = midge.v5("early").user("alice", "secret").packet();
    let mut bytes = bytes::BytesMut::new();
    midge_codec::encode(&packet, ProtocolVersion::V5, u32::MAX, &mut bytes).expect("a packet");
    early.send_bytes(&bytes[..1]);
    // The worker has taken it: it answers what came after.
    midge.client_of("bob", "password").ping();
    let mut alice = midge.client_of("alice", "secret");
    let path = midge.directory().join("passwords");
    run("mosquitto_passwd", &["-D", path.to_str().expect("UTF-8"), "alice"]).success();
    midge.reload();
    alice.closed();
    midge.says(&["configuration reloaded"]);
    early.send_bytes(&bytes[1..]);
    let answer = early.closed();
    assert_eq!(answer.first(), Some(&0x20), "{answer:?}");
    assert_eq!(answer.get(3), Some(&0x87), "{answer:?}");
}

#[test]
fn a_bad_password_file_at_sighup_leaves_the_old_one_in_force() {
    let midge = midge();
    let path = midge.directory().join("passwords");
    std::fs::write(&path, "carol:plain\n\nbob\n").expect("written");
    midge.reload();
    // Every error, with its line.
    midge.says(&["passwords:1"]);
    midge.says(&["passwords:3"]);
    midge.client_of("alice", "secret").ping();
    let refused = midge.v5("client").user("carol", "plain").refused();
    assert_unauthorized(ProtocolVersion::V5, refused);
    std::fs::remove_file(&path).expect("removed");
    let before = midge.log().len();
    midge.reload();
    eventually("the missing file is complained about", || {
        midge.log().get(before..).is_some_and(|log| log.contains("passwords")).then_some(())
    });
    midge.client_of("bob", "password").ping();
}

#[test]
fn listeners_may_have_password_files_of_their_own() {
    let conf = "per_listener_settings true\n\
        listener @PORT@ 127.0.0.1\nallow_anonymous true\n\
        listener @PORT2@ 127.0.0.1\npassword_file @DIR@/passwords\n";
    let setup = Setup::conf(conf).listening(&[1, 2]);
    mosquitto_passwd(&setup.directory().join("passwords"), "alice", "secret");
    let midge = setup.start();
    midge.client("anonymous").ping();
    let second = midge.port(2);
    let refused = midge.v5("anonymous").at(second).refused();
    assert_unauthorized(ProtocolVersion::V5, refused);
    midge.v5("alice").at(second).user("alice", "secret").connect().ping();
}

#[test]
fn the_programs_of_mosquitto_log_in_and_are_refused() {
    let midge = midge();
    let subscriber = Subscriber::new(&midge, &["-u", "alice", "-P", "secret", "-t", "t"]);
    let publisher = || Publisher::new(&midge).arguments(&["-t", "t", "-m", "hello"]);
    publisher().arguments(&["-u", "bob", "-P", "password"]).succeeds();
    subscriber.prints("hello");
    let complaint = publisher().arguments(&["-u", "bob", "-P", "guess"]).fails();
    assert!(complaint.contains("not authori"), "{complaint}");
    let refused = Subscriber::exactly(&[
        "-h",
        "localhost",
        "-p",
        &midge.port(1).to_string(),
        "-t",
        "t",
        "-u",
        "alice",
        "-P",
        "x",
    ]);
    let complaint = refused.complains();
    assert!(complaint.contains("not authori"), "{complaint}");
}

#[test]
fn a_password_appears_in_no_log() {
    let setup = Setup::conf(&format!("{CONF}log_type all\n"));
    mosquitto_passwd(&setup.directory().join("passwords"), "alice", "correct-horse");
    let midge = setup.start();
    let mut alice = midge.client_of("alice", "correct-horse");
    alice.subscribe("t", QOS0);
    alice.publish(message("t", "x"));
    alice.expect("t", "x");
    midge.v5("client").user("alice", "battery-staple").refused();
    midge.says(&["alice"]);
    let log = midge.log();
    assert!(!log.contains("correct-horse") && !log.contains("battery-staple"), "{log}");
}

#[test]
fn who_is_disconnected_by_a_reload_gets_one_line_in_the_log() {
    let mut midge = midge();
    let mut alice = midge.client_of("alice", "secret");
    let passwords = std::fs::read_to_string(midge.directory().join("passwords")).expect("a file");
    let others: Vec<&str> = passwords.lines().filter(|line| !line.starts_with("alice")).collect();
    midge.rewrite("passwords", &others.join("\n"));
    midge.reload();
    alice.closed();
    midge.says(&["Client alice disconnected: no longer authorised."]);
    // What comes later in the log comes after all that is said of her.
    midge.client_of("bob", "password").ping();
    midge.says(&["as bob"]);
    let log = midge.log();
    let lines = log.lines().filter(|line| line.contains("alice") && line.contains("disconnected"));
    assert_eq!(lines.count(), 1, "{log}");
}
