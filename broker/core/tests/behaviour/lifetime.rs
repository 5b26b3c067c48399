//! Connections and sessions: takeover, expiry, keep alive, shutdown.

use std::time::Duration;

use midge_codec::{Disconnect, Packet, QoS, ReasonCode};
use midge_core::{In, Limits, ShardId};

use crate::harness::{Broker, Peer, V5, V31, V311, message, stays, subscription, will};

fn disconnected(broker: &mut Broker, client: Peer, reason: ReasonCode) {
    let last = broker.read(client).pop();
    assert_eq!(last, Some(Packet::Disconnect(Disconnect { reason, properties: None })));
    assert!(broker.is_closed(client));
}

#[test]
fn a_second_connection_takes_the_session_and_the_first_is_told() {
    let mut broker = Broker::new();
    for version in [V31, V311] {
        let first = broker.resume("c", version);
        broker.resume("c", V5);
        assert!(broker.is_closed(first));
        assert!(broker.read(first).is_empty(), "3.x is closed without a word");
    }
    let first = broker.resume("c", V5);
    let second = broker.resume("c", V5);
    disconnected(&mut broker, first, ReasonCode::SessionTakenOver);
    // What still comes from the first connection is nobody's.
    broker.send(first, Packet::Pingreq);
    broker.lose(first);
    assert!(!broker.is_closed(second));
    broker.send(second, Packet::Pingreq);
    assert_eq!(broker.read(second), [Packet::Pingresp], "[MQTT-3.12.4-1]");
    assert_eq!(broker.stats().clients_connected, 1);
}

#[test]
fn session_present_tells_whether_there_was_a_session() {
    for version in [V311, V5] {
        let mut broker = Broker::new();
        let client = broker.attach("c", version, stays);
        assert!(!broker.connack(client).session_present, "[MQTT-3.2.2-3]");
        broker.lose(client);
        let client = broker.attach("c", version, stays);
        assert!(broker.connack(client).session_present, "[MQTT-3.2.2-3]");
        broker.lose(client);
        let client = broker.attach("c", version, |_| {});
        assert!(!broker.connack(client).session_present, "[MQTT-3.2.2-2]");
        broker.lose(client);
        let client = broker.attach("c", version, stays);
        assert!(!broker.connack(client).session_present, "3.1.1 [MQTT-3.1.2-6]");
    }
}

#[test]
fn a_session_ends_when_its_expiry_interval_has_passed() {
    let mut broker = Broker::new();
    let ten = |connect: &mut midge_codec::Connect| {
        connect.clean_start = false;
        connect.properties.session_expiry_interval = Some(10);
    };
    let client = broker.attach("c", V5, ten);
    broker.connack(client);
    broker.lose(client);
    broker.pass(Duration::from_secs(9));
    let client = broker.attach("c", V5, ten);
    assert!(broker.connack(client).session_present, "[MQTT-3.1.2-23]");
    broker.pass(Duration::from_secs(60));
    broker.lose(client);
    broker.pass(Duration::from_secs(10));
    assert_eq!(broker.stats().clients_disconnected, 0);
    assert_eq!(broker.stats().clients_expired, 1);
    let client = broker.attach("c", V5, ten);
    assert!(!broker.connack(client).session_present, "[MQTT-4.1.0-2]");
}

#[test]
fn a_disconnect_may_change_the_expiry_interval_but_not_make_an_ending_session_stay() {
    let mut broker = Broker::new();
    let client = broker.resume("c", V5);
    broker.disconnect_expiring(client, 5);
    broker.pass(Duration::from_secs(5));
    assert_eq!(broker.stats().clients_disconnected, 0);
    let client = broker.resume("c", V5);
    broker.disconnect_expiring(client, 0);
    assert_eq!(broker.stats().clients_disconnected, 0);
    let client = broker.connect("c", V5);
    broker.disconnect_expiring(client, 5);
    disconnected(&mut broker, client, ReasonCode::ProtocolError);
    assert_eq!(broker.stats().clients_disconnected, 0);
}

#[test]
fn the_longest_expiry_interval_is_the_servers_and_is_told() {
    let limits = Limits {
        max_session_expiry: Some(Duration::from_secs(100)),
        max_keep_alive: 30,
        ..Limits::default()
    };
    let mut broker = Broker::limited(limits);
    let client = broker.attach("c", V5, stays);
    let properties = broker.connack(client).properties;
    assert_eq!(properties.session_expiry_interval, Some(100));
    assert_eq!(properties.server_keep_alive, Some(30));
    broker.lose(client);
    broker.pass(Duration::from_secs(100));
    assert_eq!(broker.stats().clients_disconnected, 0);
}

#[test]
fn silence_of_one_and_a_half_keep_alives_ends_the_connection() {
    for version in [V31, V311, V5] {
        let mut broker = Broker::new();
        let watcher = broker.connect("watcher", V5);
        broker.subscribe(watcher, "will", QoS::AtMostOnce);
        let client = broker.connect_with("c", version, |connect| {
            connect.keep_alive = 10;
            connect.will = will("will", "gone", None);
        });
        broker.pass(Duration::from_secs(14));
        broker.send(client, Packet::Pingreq);
        broker.pass(Duration::from_millis(14_900));
        assert!(!broker.is_closed(client), "{version:?}");
        broker.pass(Duration::from_millis(100));
        assert!(broker.is_closed(client), "[MQTT-3.1.2-22], {version:?}");
        assert_eq!(broker.read_payloads(watcher), ["gone"]);
        if version == V5 {
            disconnected(&mut broker, client, ReasonCode::KeepAliveTimeout);
        }
    }
}

#[test]
fn a_3_x_client_that_wants_a_longer_keep_alive_than_allowed_is_refused() {
    for version in [V31, V311] {
        let mut broker = Broker::limited(Limits { max_keep_alive: 30, ..Limits::default() });
        for keep_alive in [0, 31, u16::MAX] {
            let client = broker.attach("c", version, |c| c.keep_alive = keep_alive);
            let reason = broker.connack(client).reason;
            assert_eq!(reason, ReasonCode::ClientIdentifierNotValid, "{keep_alive}");
            assert!(broker.is_closed(client));
        }
        assert_eq!(broker.stats().connects, 0);
        let client = broker.connect_with("c", version, |c| c.keep_alive = 30);
        broker.pass(Duration::from_secs(44));
        assert!(!broker.is_closed(client));
    }
}

#[test]
fn a_client_that_is_not_listened_to_is_not_blamed_for_its_silence() {
    let taps = vec![crate::harness::waiting_tap("#")];
    let access = crate::harness::Access::default();
    let mut broker = Broker::with(1, Limits::default(), access, taps, usize::MAX);
    let client = broker.connect_with("c", V5, |connect| connect.keep_alive = 10);
    let tap = midge_core::TapId(1);
    broker.handle(client.shard, In::TapFull { tap, full: true });
    broker.publish(client, message("t", QoS::AtMostOnce, "x"));
    broker.pass(Duration::from_secs(60));
    assert!(!broker.is_closed(client));
    broker.handle(client.shard, In::TapFull { tap, full: false });
    broker.pass(Duration::from_secs(14));
    assert!(!broker.is_closed(client));
    broker.pass(Duration::from_secs(15));
    assert!(broker.is_closed(client));
}

#[test]
fn a_client_that_is_not_listened_to_is_given_up_in_the_end() {
    let taps = vec![crate::harness::waiting_tap("#")];
    let access = crate::harness::Access::default();
    let mut broker = Broker::with(1, Limits::default(), access, taps, usize::MAX);
    let watcher = broker.connect("watcher", V5);
    broker.subscribe(watcher, "will", QoS::AtMostOnce);
    let client = broker.connect_with("c", V5, |connect| {
        connect.keep_alive = 10;
        connect.will = will("will", "gone", None);
    });
    let tap = midge_core::TapId(1);
    broker.handle(client.shard, In::TapFull { tap, full: true });
    broker.publish(client, message("t", QoS::AtMostOnce, "x"));
    for _ in 0..149 {
        broker.pass(Duration::from_secs(1));
    }
    assert!(!broker.is_closed(client));
    broker.pass(Duration::from_secs(1));
    assert!(broker.is_closed(client), "ten times the silence allowed");
    assert_eq!(broker.read_payloads(watcher), ["gone"]);
    assert_eq!(broker.stats().clients_connected, 1);
}

#[test]
fn a_shutdown_tells_every_client_and_sends_wills() {
    let mut broker = Broker::new();
    let keeper = broker.resume("keeper", V311);
    broker.subscribe(keeper, "will", QoS::AtLeastOnce);
    let client = broker.connect_with("c", V5, |c| c.will = will("will", "gone", None));
    broker.handle(ShardId(0), In::Shutdown);
    disconnected(&mut broker, client, ReasonCode::ServerShuttingDown);
    assert!(broker.is_closed(keeper));
    assert_eq!(broker.stats().queued, 1, "the will waits for the session that stays");
    assert_eq!(broker.stats().clients_connected, 0);
}

#[test]
fn a_session_that_ends_leaves_nothing_behind() {
    let mut broker = Broker::of_shards(2);
    for version in [V31, V311, V5] {
        let client = broker.connect_with("c", version, |connect| {
            connect.keep_alive = 10;
            connect.will = will("will", "gone", Some(5));
        });
        let options =
            midge_codec::SubscriptionOptions { qos: QoS::ExactlyOnce, ..Default::default() };
        for filter in ["a/+/#", "t", "$share/g/+"] {
            broker.send(client, subscription(filter, options, None));
        }
        for qos in [QoS::AtLeastOnce, QoS::ExactlyOnce] {
            broker.publish(client, message("t", qos, "x"));
        }
        broker.lose(client);
    }
    for shard in &broker.shards {
        assert_eq!(shard.footprint(), midge_core::Footprint::default());
    }
    let stats = broker.stats();
    assert_eq!((stats.inflight, stats.queued, stats.queued_bytes), (0, 0, 0));
    assert_eq!(broker.memory.used(), 0);
}

#[test]
fn bytes_that_are_no_packet_end_the_connection_with_the_reason() {
    let mut broker = Broker::new();
    let client = broker.connect("c", V5);
    let (connection, reason) = (client.id, ReasonCode::MalformedPacket);
    broker.handle(client.shard, In::Malformed { connection, reason });
    disconnected(&mut broker, client, ReasonCode::MalformedPacket);
}
