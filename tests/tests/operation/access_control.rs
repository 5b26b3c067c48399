//! The ACL file: what each may publish and read, told on the wire as each version can.

use midge_codec::{Packet, ProtocolVersion, ReasonCode};
use midge_tests::{
    Midge, Outgoing, QOS0, QOS1, QOS2, Setup, VERSIONS, eventually, message, mosquitto_passwd, will,
};

const CONF: &str = "allow_anonymous true\npassword_file @DIR@/passwords\nacl_file @DIR@/acl\n";

const ACL: &str = "\
# Anonymous clients.
topic read public/#
topic write inbox

user alice
topic readwrite home/#
topic deny home/safe/#
topic read public/#

user bob
topic write home/door
topic read status
";

fn setup(acl: &str) -> Setup {
    let setup = Setup::conf(CONF).file("acl", acl);
    for user in ["alice", "bob", "watcher"] {
        mosquitto_passwd(&setup.directory().join("passwords"), user, "secret");
    }
    setup
}

/// A broker with this ACL, and one who may read everything.
fn watched(acl: &str) -> (Midge, midge_tests::Client) {
    let midge = setup(&format!("{acl}\nuser watcher\ntopic readwrite #\n")).start();
    let mut watcher = midge.client_of("watcher", "secret");
    watcher.subscribe("#", QOS2);
    (midge, watcher)
}

#[test]
fn a_denied_publish_is_answered_as_each_version_can_and_not_carried_out() {
    let (midge, mut watcher) = watched(ACL);
    for version in VERSIONS {
        let mut bob = midge.dial(version, "bob").user("bob", "secret").connect();
        let denied = match version {
            // The connection stays.
            ProtocolVersion::V5 => ReasonCode::NotAuthorized,
            // [MQTT-3.3.5-2] of 3.1.1: acknowledged as ever.
            _ => ReasonCode::Success,
        };
        assert_eq!(bob.publish(message("home/window", "x")), ReasonCode::Success);
        assert_eq!(bob.publish(message("home/window", "x").qos(QOS1)), denied, "{version:?}");
        assert_eq!(bob.publish(message("home/window", "x").qos(QOS2)), denied, "{version:?}");
        assert_eq!(
            bob.publish(message("home/door", "x").retained().qos(QOS2)),
            ReasonCode::Success
        );
        watcher.expect("home/door", "x");
    }
}

#[test]
fn a_denied_subscribe_is_answered_as_each_version_can() {
    let (midge, _watcher) = watched(ACL);
    for version in VERSIONS {
        let mut bob = midge.dial(version, "bob").user("bob", "secret").connect();
        let expected = match version {
            // 3.1 has no word for it.
            ProtocolVersion::V31 => ReasonCode::GrantedQoS1,
            ProtocolVersion::V311 => ReasonCode::UnspecifiedError,
            ProtocolVersion::V5 => ReasonCode::NotAuthorized,
        };
        let reason = bob.subscribe("home/door", QOS1);
        assert_eq!(reason, expected, "{version:?}");
        assert_eq!(bob.subscribe("status", QOS1), ReasonCode::GrantedQoS1);
        // One that may match something is granted.
        assert_eq!(bob.subscribe("#", QOS1), ReasonCode::GrantedQoS1);
        let mut watcher = midge.v5("another").user("watcher", "secret").connect();
        watcher.publish(message("home/door", "not for bob").qos(QOS1));
        watcher.publish(message("status", "for bob").qos(QOS1));
        bob.expect("status", "for bob");
    }
}

#[test]
fn a_subscribe_is_granted_where_the_operator_wants_it_so_and_delivers_nothing() {
    let setup = Setup::conf(&format!("{CONF}acl_deny_subscribe false\n")).file("acl", ACL);
    mosquitto_passwd(&setup.directory().join("passwords"), "alice", "secret");
    mosquitto_passwd(&setup.directory().join("passwords"), "bob", "secret");
    let midge = setup.start();
    for version in VERSIONS {
        let mut bob = midge.dial(version, "bob").user("bob", "secret").connect();
        assert_eq!(bob.subscribe("home/door", QOS1), ReasonCode::GrantedQoS1);
        midge.client_of("alice", "secret").publish(message("home/door", "x").qos(QOS1));
        assert_eq!(bob.unread(), [], "{version:?}");
    }
}

#[test]
fn delivery_is_filtered_by_the_right_to_read() {
    let (midge, mut watcher) = watched(ACL);
    for version in VERSIONS {
        let mut alice = midge.dial(version, "alice").user("alice", "secret").connect();
        alice.subscribe("home/#", QOS1);
        alice.subscribe("public/#", QOS1);
        for (topic, payload) in
            [("home/safe/code", "1234"), ("home/door", "open"), ("public/x", "y")]
        {
            watcher.publish(message(topic, payload).qos(QOS1));
        }
        alice.expect("home/door", "open");
        alice.expect("public/x", "y");
        // Retained messages are no way around it.
        watcher.publish(message("home/safe/key", "5678").retained().qos(QOS1));
        alice.subscribe("home/safe/#", QOS1);
        alice.subscribe("home/+/key", QOS1);
        watcher.publish(message("home/door", "shut").qos(QOS1));
        alice.expect("home/door", "shut");
        // And reading is not writing.
        alice.publish(message("public/x", "mine").qos(QOS1));
        alice.publish(message("home/safe/code", "0000").qos(QOS1));
        alice.publish(message("home/end", "x").qos(QOS1));
        alice.expect("home/end", "x");
    }
}

#[test]
fn the_lines_before_any_user_are_for_anonymous_clients_alone() {
    let (midge, mut watcher) = watched(ACL);
    for version in VERSIONS {
        let mut anonymous = midge.dial(version, "somebody").connect();
        anonymous.subscribe("#", QOS1);
        watcher.publish(message("home/door", "not public").qos(QOS1));
        watcher.publish(message("public/news", "read me").qos(QOS1));
        watcher.expect("home/door", "not public");
        watcher.expect("public/news", "read me");
        anonymous.expect("public/news", "read me");
        anonymous.publish(message("public/news", "forged").qos(QOS1));
        anonymous.publish(message("inbox", "hello").qos(QOS1));
        watcher.expect("inbox", "hello");
        let mut bob = midge.dial(version, "bob").user("bob", "secret").connect();
        bob.publish(message("inbox", "bob has no such line").qos(QOS1));
        bob.publish(message("home/door", "but this one").qos(QOS1));
        watcher.expect("home/door", "but this one");
    }
}

#[test]
fn patterns_stand_for_user_and_client() {
    let (midge, mut watcher) =
        watched("pattern write from/%u/%c\npattern read to/%c/#\npattern deny from/bob/#\n");
    let mut alice = midge.v5("device").user("alice", "secret").connect();
    alice.publish(message("from/alice/other", "x").qos(QOS1));
    alice.publish(message("from/bob/device", "x").qos(QOS1));
    alice.publish(message("from/alice/device", "mine").qos(QOS1));
    watcher.expect("from/alice/device", "mine");
    assert_eq!(alice.subscribe("to/other/#", QOS0), ReasonCode::NotAuthorized);
    assert_eq!(alice.subscribe("to/device/#", QOS0), ReasonCode::Success);
    watcher.publish(message("to/device/x", "for you"));
    alice.expect("to/device/x", "for you");
    // An anonymous client has no user name that could stand there.
    let mut anonymous = midge.client("device2");
    anonymous.publish(message("from//device2", "x").qos(QOS1));
    anonymous.publish(message("from/alice/device2", "x").qos(QOS1));
    alice.publish(message("from/alice/device", "end").qos(QOS1));
    watcher.expect("to/device/x", "for you");
    watcher.expect("from/alice/device", "end");
}

#[test]
fn wildcards_in_a_client_identifier_widen_nothing() {
    let (midge, mut watcher) = watched("pattern readwrite box/%c\npattern readwrite all/%u\n");
    for name in ["+", "#", "a/#", "a/b"] {
        let mut sly = midge.v5(name).connect();
        sly.subscribe(&format!("box/{name}"), QOS1);
        sly.subscribe("box/#", QOS1);
        watcher.publish(message("box/victim", "private").qos(QOS1));
        watcher.expect("box/victim", "private");
        let unread = sly.unread();
        assert!(unread.iter().all(|packet| !matches!(packet, Packet::Publish(_))), "{unread:?}");
    }
}

#[test]
fn an_empty_acl_file_denies_everything() {
    let midge = setup("").start();
    for version in VERSIONS {
        let mut alice = midge.dial(version, "alice").user("alice", "secret").connect();
        alice.subscribe("a", QOS1);
        alice.publish(message("a", "x").qos(QOS1));
        assert_eq!(alice.unread(), []);
    }
}

#[test]
fn deny_beats_allow_wherever_it_stands() {
    let (midge, mut watcher) = watched(
        "user alice\ntopic deny a/b\ntopic readwrite a/#\nuser bob\ntopic readwrite a/#\ntopic deny a/b\n",
    );
    for user in ["alice", "bob"] {
        let mut client = midge.client_of(user, "secret");
        assert_eq!(client.publish(message("a/b", "x").qos(QOS1)), ReasonCode::NotAuthorized);
        assert_eq!(client.publish(message("a/c", user).qos(QOS1)), ReasonCode::Success);
        watcher.expect("a/c", user);
    }
}

#[test]
fn a_will_is_published_only_where_its_client_may() {
    let (midge, mut watcher) = watched(ACL);
    for version in VERSIONS {
        for (topic, allowed) in
            [("home/window", false), ("$SYS/broker/x", false), ("home/door", true)]
        {
            let dial = midge.dial(version, "bob").user("bob", "secret").will(will(topic, "gone"));
            let (client, connack) = dial.attempt();
            assert!(allowed <= (connack.reason == ReasonCode::Success), "{topic}: {connack:?}");
            if connack.reason == ReasonCode::Success {
                client.vanish();
            }
        }
        watcher.expect("home/door", "gone");
    }
}

#[test]
fn nobody_writes_to_sys_whatever_the_file_says() {
    let (midge, mut watcher) = watched("user alice\ntopic readwrite $SYS/#\ntopic readwrite #\n");
    watcher.subscribe("$SYS/broker/forged", QOS1);
    let mut alice = midge.client_of("alice", "secret");
    assert_eq!(
        alice.publish(message("$SYS/broker/forged", "x").qos(QOS1)),
        ReasonCode::NotAuthorized
    );
    alice.publish(message("end", "x").qos(QOS1));
    watcher.expect("end", "x");
}

#[test]
fn a_right_taken_away_counts_at_once_for_live_subscriptions() {
    let mut midge = setup(&format!("{ACL}\nuser watcher\ntopic readwrite #\n")).start();
    let mut watcher = midge.client_of("watcher", "secret");
    let mut alice = midge.client_of("alice", "secret");
    alice.subscribe("home/#", QOS1);
    alice.subscribe("public/#", QOS1);
    watcher.publish(message("home/door", "before").qos(QOS1));
    alice.expect("home/door", "before");
    midge.rewrite("acl", "user watcher\ntopic readwrite #\nuser alice\ntopic read public/#\n");
    midge.reload();
    eventually("alice may no longer publish to home", || {
        let reason = alice.publish(message("home/probe", "x").qos(QOS1));
        (reason == ReasonCode::NotAuthorized).then_some(())
    });
    alice.unread();
    watcher.publish(message("home/door", "after").qos(QOS1));
    watcher.publish(message("public/x", "still").qos(QOS1));
    alice.expect("public/x", "still");
}

#[test]
fn a_right_taken_away_counts_for_queued_and_retained_messages() {
    let mut midge = setup(&format!("{ACL}\nuser watcher\ntopic readwrite #\n")).start();
    let mut watcher = midge.client_of("watcher", "secret");
    let mut alice = midge.v5("alice").user("alice", "secret").persistent().connect();
    alice.subscribe("home/#", QOS1);
    alice.subscribe("public/#", QOS1);
    alice.disconnect();
    watcher.publish(message("home/door", "queued").qos(QOS1));
    watcher.publish(message("home/lamp", "retained").retained().qos(QOS1));
    watcher.publish(message("public/x", "allowed").qos(QOS1));
    midge.rewrite("acl", "user watcher\ntopic read public/#\nuser alice\ntopic read public/#\n");
    midge.reload();
    eventually("the new rules are in force", || {
        let reason = watcher.publish(message("home/probe", "x").qos(QOS1));
        (reason == ReasonCode::NotAuthorized).then_some(())
    });
    let mut alice = midge.v5("alice").user("alice", "secret").persistent().connect();
    alice.expect("public/x", "allowed");
    alice.subscribe("home/#", QOS1);
    assert_eq!(alice.unread(), []);
}

#[test]
fn a_right_given_counts_at_once() {
    let mut midge = setup(&format!("{ACL}\nuser watcher\ntopic readwrite #\n")).start();
    let mut bob = midge.client_of("bob", "secret");
    // Granted for status alone so far.
    bob.subscribe("#", QOS1);
    midge.rewrite("acl", "user watcher\ntopic readwrite #\nuser bob\ntopic readwrite #\n");
    midge.reload();
    eventually("bob may publish", || {
        let reason = bob.publish(message("anything", "x").qos(QOS1));
        (reason != ReasonCode::NotAuthorized).then_some(())
    });
    bob.expect("anything", "x");
}

#[test]
fn a_bad_acl_file_at_sighup_leaves_the_old_one_in_force() {
    let mut midge = setup(&format!("{ACL}\nuser watcher\ntopic readwrite #\n")).start();
    midge.rewrite("acl", "user alice\ntopic readwrite #\ntopic sideways a\n\ntopic read a/#/b\n");
    midge.reload();
    // File, line, what was found, what was expected.
    let line = midge.says(&["acl:3", "sideways"]);
    assert!(line.contains("readwrite"), "{line}");
    midge.says(&["acl:5", "a/#/b"]);
    let mut alice = midge.client_of("alice", "secret");
    let reason = alice.publish(message("elsewhere", "x").qos(QOS1));
    assert_eq!(reason, ReasonCode::NotAuthorized);
    alice.subscribe("home/#", QOS1);
    alice.publish(message("home/x", "y").qos(QOS1));
    alice.expect("home/x", "y");
}

#[test]
fn a_bad_acl_file_keeps_the_broker_from_starting() {
    for (acl, line) in [
        ("topics a\n", 1),
        ("user alice\ntopic\n", 2),
        ("user alice\n\ntopic readwrite a/#/b\n", 3),
        ("topic read a b\ntopic a b\n", 2),
        ("user\n", 1),
    ] {
        let refusal =
            setup(acl).try_start().err().unwrap_or_else(|| panic!("started with {acl:?}"));
        assert_ne!(refusal.code, Some(0));
        assert!(refusal.all().contains(&format!("acl:{line}")), "{acl:?}: {}", refusal.all());
    }
}
