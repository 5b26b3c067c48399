mod damage;
mod file;

use file::{File, Message};
use midge_codec::QoS;

use super::*;

/// Written by Mosquitto 2.0.11 of Debian 12 for amd64; `record-mosquitto-2.0.py` beside it tells how.
const RECORDED: &[u8] =
    include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/mosquitto-2.0.db"));

fn session<'d, 'f>(database: &'d Database<'f>, client_id: &str) -> &'d Session<'f> {
    let found = database.sessions.iter().find(|session| session.client_id == client_id);
    found.unwrap_or_else(|| panic!("{client_id} in {database:#?}"))
}

fn topics<'f>(database: &Database<'f>, places: impl IntoIterator<Item = usize>) -> Vec<&'f str> {
    places.into_iter().map(|place| database.messages[place].topic).collect()
}

fn outbound(message: usize, qos: QoS, state: OutboundState) -> Outbound {
    Outbound { message, qos, retain: false, dup: false, subscription_identifier: None, state }
}

#[test]
fn a_file_of_mosquitto_2_0_has_its_sessions_with_subscriptions_and_options() {
    let database = parse(RECORDED).expect("a database");
    assert_eq!((database.version, database.saved_at_shutdown), (6, true));
    assert_eq!(database.left_out, 0);
    let ids: Vec<_> = database.sessions.iter().map(|session| session.client_id).collect();
    assert_eq!(ids, ["gateway", "légacy", "uploader"]);
    let gateway = session(&database, "gateway");
    assert_eq!(gateway.username, Some("gw"));
    assert_eq!((gateway.session_expiry_interval, gateway.last_packet_id), (86_400, 3));
    assert_eq!(
        gateway.subscriptions,
        [
            Subscription {
                filter: "plant/+/temp",
                qos: QoS::AtLeastOnce,
                no_local: true,
                retain_as_published: true,
                identifier: Some(7),
            },
            Subscription {
                filter: "plant/#",
                qos: QoS::ExactlyOnce,
                no_local: false,
                retain_as_published: false,
                identifier: None,
            },
        ]
    );
    let legacy = session(&database, "légacy");
    assert_eq!((legacy.session_expiry_interval, legacy.expires_at), (u32::MAX, None));
    assert_eq!(legacy.subscriptions[0].filter, "jobs/+");
    assert_eq!(legacy.listener_port, gateway.listener_port);
    let port = legacy.listener_port.expect("a port");
    assert!(database.messages.iter().all(|message| message.source_port == Some(port)));
}

#[test]
fn memory_that_mosquitto_2_0_11_wrote_as_a_user_name_is_none() {
    let database = parse(RECORDED).expect("a database");
    assert_eq!(session(&database, "légacy").username, None);
    // The bytes are those of a name all the same; nothing shows that it is another client's.
    assert_eq!(session(&database, "uploader").username, Some("gw"));
}

#[test]
fn a_file_of_mosquitto_2_0_has_what_waits_for_a_client_in_order_and_in_its_state() {
    let database = parse(RECORDED).expect("a database");
    let legacy = session(&database, "légacy");
    let places = legacy.outbound.iter().map(|outbound| outbound.message);
    assert_eq!(topics(&database, places), ["jobs/1", "jobs/2", "jobs/3", "jobs/4", "jobs/5"]);
    let states: Vec<_> = legacy.outbound.iter().map(|outbound| outbound.state).collect();
    assert_eq!(
        states,
        [
            OutboundState::AwaitPubcomp { packet_id: 1 },
            OutboundState::AwaitPuback { packet_id: 2 },
            OutboundState::AwaitPubrec { packet_id: 3 },
            OutboundState::Queued,
            OutboundState::Queued,
        ]
    );
    let gateway = session(&database, "gateway");
    let places = gateway.outbound.iter().map(|outbound| outbound.message);
    assert_eq!(
        topics(&database, places),
        ["plant/a/temp", "plant/a/temp", "plant/b/state"],
        "once for each subscription"
    );
    let identifiers = gateway.outbound.iter().map(|outbound| outbound.subscription_identifier);
    assert_eq!(identifiers.collect::<Vec<_>>(), [Some(7), None, None]);
    let uploader = session(&database, "uploader");
    let [inbound] = uploader.inbound[..] else { panic!("{uploader:?}") };
    assert_eq!((inbound.packet_id, inbound.state), (513, InboundState::AwaitPubrel));
    let upload = &database.messages[inbound.message];
    assert_eq!((upload.topic, upload.payload), ("upload", &b"\x00\xff"[..]));
    assert_eq!((upload.source_id, upload.source_packet_id), (Some("uploader"), 513));
}

#[test]
fn a_file_of_mosquitto_2_0_has_messages_with_properties_and_what_is_retained() {
    let database = parse(RECORDED).expect("a database");
    let message = |topic| database.messages.iter().find(|message| message.topic == topic);
    let temperature = message("plant/a/temp").expect("a message");
    assert_eq!(
        temperature.properties,
        Properties {
            payload_format_indicator: Some(1),
            content_type: Some("text/plain"),
            response_topic: Some("answer/here"),
            correlation_data: Some(b"\x00\x01"),
            subscription_identifier: None,
            user_properties: vec![("a", "1"), ("a", "2")],
        }
    );
    let gateway = session(&database, "gateway");
    let ends = (gateway.expires_at.expect("a time"), temperature.expires_at.expect("a time"));
    // Both lived from the same second or two on.
    assert!(((ends.0 - 86_400) - (ends.1 - 3_600)).abs() < 60, "{ends:?}");
    let state = message("plant/b/state").expect("a message");
    assert_eq!((state.payload, state.expires_at), (&[b'x'; 300][..], None));
    assert_eq!(state.source_id, Some("publisher"));
    let retained = |place: &usize| {
        let message = &database.messages[*place];
        (message.topic, message.payload, message.qos, message.retain)
    };
    let eight: [u8; 8] = [0, 1, 2, 3, 4, 5, 6, 7];
    assert_eq!(
        database.retained.iter().map(retained).collect::<Vec<_>>(),
        [
            ("state/on", &b"yes"[..], QoS::AtLeastOnce, true),
            ("state/off", &eight[..], QoS::AtMostOnce, true),
        ]
    );
}

/// In the year 2096, for a Mosquitto that is to read it too.
const LATER: u64 = 4_000_000_000;

/// Two sessions, four messages. Written by hand after the layout of version 5, for want of a
/// Mosquitto 1.6; Mosquitto 2.0.11, which reads that version, takes all of it from the file.
fn by_hand(mut file: File) -> Vec<u8> {
    file.configuration();
    file.message((1, 0), (2, 0), "a/1", b"one", b"");
    file.message((2, LATER + 60), (1, 0), "a/2", b"two", b"\x07\x26\x00\x01k\x00\x01v");
    file.message((3, 0), (1, 1), "kept", b"three", b"");
    file.message((4, 0), (2, 0), "in", b"four", b"");
    file.client("old", (0, u32::MAX), b"joe");
    let sent = |store_id, packet_id, qos, state| Message {
        store_id,
        packet_id,
        qos,
        state,
        retain_and_dup: 0x00,
        direction: 1,
    };
    let received =
        Message { store_id: 4, packet_id: 500, qos: 2, state: 7, retain_and_dup: 1, direction: 0 };
    file.client_message("old", received, b"");
    file.client_message("old", sent(1, 7, 2, 5), b"");
    file.client_message(
        "old",
        Message { retain_and_dup: 0x11, ..sent(2, 8, 1, 3) },
        b"\x02\x0b\x05",
    );
    file.client_message("old", sent(3, 9, 1, 11), b"");
    file.client("new", (LATER, 3600), b"");
    file.subscription("old", "a/+", (2, 0, 0));
    file.subscription("new", "/#", (1, 0x0c, 268_435_455));
    file.retained(3);
    file.bytes
}

fn check_by_hand(database: &Database<'_>) {
    let old = session(database, "old");
    assert_eq!((old.session_expiry_interval, old.expires_at), (u32::MAX, None));
    assert_eq!(old.last_packet_id, 321);
    let received =
        Inbound { message: 3, packet_id: 500, state: InboundState::AwaitPubrel, dup: true };
    assert_eq!(old.inbound, [received]);
    assert_eq!(
        old.outbound,
        [
            outbound(0, QoS::ExactlyOnce, OutboundState::AwaitPubrec { packet_id: 7 }),
            Outbound {
                retain: true,
                dup: true,
                subscription_identifier: Some(5),
                ..outbound(1, QoS::AtLeastOnce, OutboundState::AwaitPuback { packet_id: 8 })
            },
            outbound(2, QoS::AtLeastOnce, OutboundState::Queued),
        ]
    );
    let new = session(database, "new");
    assert_eq!((new.session_expiry_interval, new.expires_at), (3600, Some(LATER as i64)));
    let [subscription] = &new.subscriptions[..] else { panic!("{new:?}") };
    assert_eq!((subscription.filter, subscription.identifier), ("/#", Some(268_435_455)));
    assert!(subscription.no_local && subscription.retain_as_published);
    assert_eq!(database.retained, [2]);
    let two = &database.messages[1];
    assert_eq!((two.topic, two.expires_at), ("a/2", Some(LATER as i64 + 60)));
    assert_eq!(two.properties.user_properties, [("k", "v")]);
    assert_eq!((two.source_id, two.source_username), (Some("sensor"), Some("joe")));
    assert_eq!((two.source_port, two.source_packet_id), (Some(8883), 77));
}

#[test]
fn a_file_of_mosquitto_1_6_is_read_and_names_no_users() {
    let file = by_hand(File::new(5));
    let database = parse(&file).expect("a database");
    assert_eq!(database.version, 5);
    check_by_hand(&database);
    let old = session(&database, "old");
    assert_eq!((old.username, old.listener_port), (None, None));
}

#[test]
fn files_of_other_machines_are_read_alike() {
    for (unpadded, big_endian) in [(false, false), (true, false), (false, true)] {
        let mut file = File::new(6);
        (file.unpadded, file.big_endian) = (unpadded, big_endian);
        let file = by_hand(file);
        let database = parse(&file).expect("a database");
        check_by_hand(&database);
        let old = session(&database, "old");
        assert_eq!((old.username, old.listener_port), (Some("joe"), Some(1883)));
    }
}
