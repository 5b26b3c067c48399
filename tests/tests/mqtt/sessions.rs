//! Sessions: what outlives a connection, how long, and who gets it.

use midge_codec::{Packet, ReasonCode};
use midge_tests::{Midge, Outgoing, QOS0, QOS1, QOS2, VERSIONS, message};

#[test]
fn a_persistent_session_is_there_again() {
    let midge = Midge::start("");
    for version in VERSIONS {
        let name = format!("{version:?}");
        let mut client = midge.dial(version, &name).persistent().connect();
        assert!(!client.session_present(), "{version:?}");
        client.subscribe("kept", QOS1);
        client.disconnect();
        let mut publisher = midge.client("publisher");
        publisher.publish(message("kept", "while you were out").qos(QOS1));
        let mut client = midge.dial(version, &name).persistent().connect();
        // [MQTT-3.2.2-3], 3.1.1: [MQTT-3.2.2-2]; the byte is reserved in 3.1.
        assert_eq!(client.session_present(), version != VERSIONS[0], "{version:?}");
        client.expect("kept", "while you were out");
        // The subscription is still there, too.
        publisher.publish(message("kept", "and now").qos(QOS1));
        client.expect("kept", "and now");
    }
}

#[test]
fn a_clean_start_throws_the_old_session_away() {
    let midge = Midge::start("");
    for version in VERSIONS {
        let name = format!("{version:?}");
        let mut client = midge.dial(version, &name).persistent().connect();
        client.subscribe("thrown/away", QOS1);
        client.disconnect();
        let mut publisher = midge.client("publisher");
        publisher.publish(message("thrown/away", "old").qos(QOS1));
        // [MQTT-3.1.2-4], [MQTT-3.2.2-2]
        let mut client = midge.dial(version, &name).connect();
        assert!(!client.session_present(), "{version:?}");
        client.subscribe("other", QOS1);
        publisher.publish(message("thrown/away", "new").qos(QOS1));
        publisher.publish(message("other", "seen").qos(QOS1));
        client.expect("other", "seen");
        client.disconnect();
        // And that session ended with its connection.
        let client = midge.dial(version, &name).persistent().connect();
        assert!(!client.session_present(), "{version:?}");
    }
}

#[test]
fn a_session_without_an_expiry_interval_ends_with_its_connection() {
    let midge = Midge::start("");
    let mut client = midge.v5("brief").resume().connect();
    client.subscribe("a", QOS1);
    client.vanish();
    assert!(!midge.v5("brief").resume().connect().session_present());
}

#[test]
fn a_session_ends_when_its_expiry_interval_has_passed() {
    let midge = Midge::start("");
    let mut client = midge.v5("brief").resume().expiry(1).connect();
    client.subscribe("a", QOS1);
    client.disconnect();
    // Asking again and again with an interval of a second would keep it alive; the last will,
    // delayed beyond the end of the session, tells of that end.
    let mut watcher = midge.client("watcher");
    watcher.subscribe("obituary", QOS0);
    let mut will = midge_tests::will("obituary", "the session has ended");
    will.properties.will_delay_interval = Some(3600);
    midge.v5("brief").resume().expiry(1).will(will).connect().vanish();
    watcher.expect("obituary", "the session has ended");
    // [MQTT-4.1.0-2]
    assert!(!midge.v5("brief").resume().connect().session_present());
}

#[test]
fn a_session_with_the_longest_expiry_interval_is_kept() {
    let midge = Midge::start("");
    midge.v5("eternal").resume().expiry(u32::MAX).connect().disconnect();
    assert!(midge.v5("eternal").resume().expiry(u32::MAX).connect().session_present());
}

#[test]
fn a_disconnect_may_change_the_expiry_interval() {
    let midge = Midge::start("");
    let client = midge.v5("changing").resume().expiry(3600).connect();
    client.disconnect_with(ReasonCode::Success, Some(0));
    assert!(!midge.v5("changing").resume().expiry(5).connect().session_present());
    let client = midge.v5("changing").resume().expiry(5).connect();
    client.disconnect_with(ReasonCode::Success, Some(3600));
    assert!(midge.v5("changing").resume().connect().session_present());
}

#[test]
fn a_disconnect_may_not_make_a_session_persistent() {
    let midge = Midge::start("");
    let mut client = midge.client("sly");
    client.send(Packet::Disconnect(midge_codec::Disconnect {
        reason: ReasonCode::Success,
        properties: Some(Box::new(midge_codec::DisconnectProperties {
            session_expiry_interval: Some(3600),
            ..Default::default()
        })),
    }));
    client.dropped(ReasonCode::ProtocolError);
}

#[test]
fn a_session_taken_over_goes_on_with_what_waited() {
    let midge = Midge::start("");
    let mut first = midge.v5("same").persistent().connect();
    first.subscribe("to/same", QOS1);
    let mut publisher = midge.client("publisher");
    publisher.publish(message("to/same", "one").qos(QOS1));
    let unacknowledged = first.message();
    let mut second = midge.v5("same").persistent().connect();
    assert!(second.session_present());
    let again = second.accept();
    assert_eq!(again.said(), "one");
    // [MQTT-4.4.0-1], [MQTT-3.3.1-1]
    assert_eq!((again.dup, again.packet_id), (true, unacknowledged.packet_id));
    publisher.publish(message("to/same", "two").qos(QOS1));
    second.expect("to/same", "two");
}

#[test]
fn messages_of_qos_1_and_2_wait_for_an_absent_session_and_qos_0_does_not() {
    let midge = Midge::start("");
    for version in VERSIONS {
        let name = format!("{version:?}");
        let mut client = midge.dial(version, &name).persistent().connect();
        client.subscribe("to/absent", QOS2);
        client.disconnect();
        let mut publisher = midge.client("publisher");
        publisher.publish(message("to/absent", "zero"));
        publisher.publish(message("to/absent", "one").qos(QOS1));
        publisher.publish(message("to/absent", "two").qos(QOS2));
        let mut client = midge.dial(version, &name).persistent().connect();
        client.expect("to/absent", "one");
        client.expect("to/absent", "two");
    }
}

#[test]
fn messages_of_qos_0_wait_too_where_the_operator_says_so() {
    let midge = Midge::start("queue_qos0_messages true");
    let mut client = midge.v5("absent").persistent().connect();
    client.subscribe("to/absent", QOS0);
    client.disconnect();
    midge.client("publisher").publish(message("to/absent", "zero"));
    let mut publisher = midge.client("publisher");
    publisher.ping();
    let mut client = midge.v5("absent").persistent().connect();
    client.expect("to/absent", "zero");
}

#[test]
fn the_queue_of_an_absent_session_is_bounded() {
    let midge = Midge::start("max_queued_messages 10\nmax_inflight_messages 5");
    let mut client = midge.v5("absent").persistent().connect();
    client.subscribe("to/absent", QOS1);
    client.disconnect();
    let mut publisher = midge.client("publisher");
    for number in 0..100 {
        publisher.publish(message("to/absent", number.to_string()).qos(QOS1));
    }
    let mut client = midge.v5("absent").persistent().connect();
    // The first ones are kept, as Mosquitto does: the newest is dropped.
    client.expect("to/absent", "0");
    let mut count = 1;
    loop {
        let unread = client.unread();
        let mut got = 0;
        for packet in unread {
            if let Packet::Publish(publish) = packet {
                assert_eq!(publish.said(), (count + got).to_string());
                client.acknowledge(&publish);
                got += 1;
            }
        }
        if got == 0 {
            break;
        }
        count += got;
    }
    assert!((10..=15).contains(&count), "{count} messages of 100 were kept");
    // What comes later is taken again.
    publisher.publish(message("to/absent", "later").qos(QOS1));
    client.expect("to/absent", "later");
}

#[test]
fn a_session_survives_the_loss_of_its_connection() {
    let midge = Midge::start("");
    for version in VERSIONS {
        let name = format!("{version:?}");
        let mut client = midge.dial(version, &name).persistent().connect();
        client.subscribe("kept", QOS1);
        client.vanish();
        midge.client("publisher").publish(message("kept", "still here").qos(QOS1));
        let mut client = midge.dial(version, &name).persistent().connect();
        client.expect("kept", "still here");
    }
}

#[test]
fn a_session_expires_at_the_time_the_operator_allows_at_most() {
    let midge = Midge::start("persistent_client_expiration 1h");
    let client = midge.v5("patient").resume().expiry(u32::MAX).connect();
    assert_eq!(client.connack().properties.session_expiry_interval, Some(3600));
}
