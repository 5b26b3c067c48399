//! Wills: when they go out, when they do not, and that access control sees them.

use std::time::Duration;

use midge_codec::{QoS, ReasonCode};
use midge_core::Limits;

use crate::harness::{Access, Broker, Peer, V5, V311, stays, will};

fn watcher(broker: &mut Broker) -> Peer {
    let watcher = broker.connect("watcher", V5);
    broker.subscribe(watcher, "will", QoS::AtLeastOnce);
    watcher
}

#[test]
fn a_will_goes_out_when_the_network_breaks_and_not_after_a_disconnect() {
    for version in [V311, V5] {
        let mut broker = Broker::new();
        let watcher = watcher(&mut broker);
        let client = broker.connect_with("c", version, |c| c.will = will("will", "gone", None));
        broker.disconnect(client, ReasonCode::Success);
        assert!(broker.is_closed(client));
        assert!(broker.read_payloads(watcher).is_empty(), "[MQTT-3.14.4-3]");
        let client = broker.connect_with("c", version, |c| c.will = will("will", "gone", None));
        broker.lose(client);
        assert_eq!(broker.read_payloads(watcher), ["gone"], "[MQTT-3.1.2-8]");
        broker.lose(client);
        assert!(broker.read_payloads(watcher).is_empty(), "once [MQTT-3.1.2-10]");
    }
}

#[test]
fn a_disconnect_with_will_message_sends_it() {
    let mut broker = Broker::new();
    let watcher = watcher(&mut broker);
    let client = broker.connect_with("c", V5, |c| c.will = will("will", "gone", None));
    broker.disconnect(client, ReasonCode::DisconnectWithWill);
    assert_eq!(broker.read_payloads(watcher), ["gone"], "3.14.2.1");
}

#[test]
fn a_will_waits_for_its_delay_or_the_end_of_its_session_whichever_is_first() {
    for (expiry, delay, due) in [(100, 10, 10), (10, 100, 10), (0, 100, 0)] {
        let mut broker = Broker::new();
        let watcher = watcher(&mut broker);
        let client = broker.connect_with("c", V5, |c| {
            c.properties.session_expiry_interval = Some(expiry);
            c.will = will("will", "gone", Some(delay));
        });
        broker.lose(client);
        if due > 0 {
            broker.pass(Duration::from_secs(due - 1));
            assert!(broker.read_payloads(watcher).is_empty());
            broker.pass(Duration::from_secs(1));
        }
        let at = format!("expiry {expiry}, delay {delay}");
        assert_eq!(broker.read_payloads(watcher), ["gone"], "3.1.3.2.2, {at}");
        broker.pass(Duration::from_secs(200));
        assert!(broker.read_payloads(watcher).is_empty(), "{at}");
        assert_eq!(broker.stats().clients_disconnected, 0);
    }
}

#[test]
fn a_client_that_is_back_before_the_delay_ends_keeps_its_will_to_itself() {
    let mut broker = Broker::new();
    let watcher = watcher(&mut broker);
    let delayed = |connect: &mut midge_codec::Connect| {
        stays(connect);
        connect.will = will("will", "gone", Some(10));
    };
    let client = broker.connect_with("c", V5, delayed);
    broker.lose(client);
    broker.pass(Duration::from_secs(5));
    let client = broker.connect_with("c", V5, delayed);
    broker.pass(Duration::from_secs(60));
    assert!(broker.read_payloads(watcher).is_empty(), "[MQTT-3.1.3-9]");
    // The same when the old connection was still there.
    let client_again = broker.connect_with("c", V5, delayed);
    assert!(broker.is_closed(client));
    broker.pass(Duration::from_secs(60));
    assert!(broker.read_payloads(watcher).is_empty(), "[MQTT-3.1.3-9]");
    // A new session is another matter: the old one has ended.
    broker.lose(client_again);
    broker.connect("c", V5);
    assert_eq!(broker.read_payloads(watcher), ["gone"], "[MQTT-3.1.2-8]");
}

#[test]
fn a_takeover_sends_a_will_without_delay() {
    let mut broker = Broker::new();
    let watcher = watcher(&mut broker);
    broker.connect_with("c", V5, |connect| {
        stays(connect);
        connect.will = will("will", "gone", None);
    });
    broker.resume("c", V5);
    assert_eq!(broker.read_payloads(watcher), ["gone"], "3.1.4");
}

#[test]
fn a_will_is_subject_to_access_control_when_it_goes_out() {
    let deny = Access { publish: |_, topic| topic != "$CONTROL/x", ..Access::default() };
    let mut broker = Broker::with(1, Limits::default(), deny, Vec::new(), usize::MAX);
    let watcher = broker.connect("watcher", V5);
    broker.subscribe(watcher, "$CONTROL/#", QoS::AtMostOnce);
    let client = broker.connect_with("c", V311, |c| c.will = will("$CONTROL/x", "evil", None));
    broker.lose(client);
    assert!(broker.read_payloads(watcher).is_empty());
    assert_eq!(broker.stats().publish_denied, 1);
}

#[test]
fn a_will_larger_than_a_message_may_be_is_refused_with_its_connect() {
    let mut broker = Broker::limited(Limits { max_payload: 10, ..Limits::default() });
    let client = broker.attach("c", V5, |c| c.will = will("will", "longer than ten", None));
    assert_eq!(broker.connack(client).reason, ReasonCode::QuotaExceeded);
    assert!(broker.is_closed(client));
}

#[test]
fn a_retained_will_is_retained() {
    let mut broker = Broker::new();
    let client = broker.connect_with("c", V5, |connect| {
        connect.will = will("will", "gone", None);
        connect.will.as_mut().unwrap().retain = true;
    });
    broker.lose(client);
    let watcher = watcher(&mut broker);
    let publishes = broker.read_publishes(watcher);
    assert!(publishes[0].retain, "[MQTT-3.1.2-15]");
    assert_eq!(publishes[0].payload, "gone");
}

#[test]
fn a_will_does_not_go_to_its_own_clients_place_in_a_shared_subscription() {
    let mut broker = Broker::new();
    let client = broker.connect_with("c", V5, |c| c.will = will("will", "gone", None));
    broker.subscribe(client, "$share/g/will", QoS::AtLeastOnce);
    let other = broker.connect("o", V5);
    broker.subscribe(other, "$share/g/will", QoS::AtLeastOnce);
    broker.lose(client);
    assert_eq!(broker.read_payloads(other), ["gone"], "[MQTT-3.1.2-8]");
}

#[test]
fn wills_that_wait_are_counted_as_memory() {
    let mut broker = Broker::new();
    let client = broker.connect_with("c", V5, |connect| {
        stays(connect);
        connect.will = will("will", &"x".repeat(50_000), Some(10));
    });
    assert!(broker.memory.used() > 50_000);
    broker.lose(client);
    assert!(broker.memory.used() > 50_000);
    broker.pass(Duration::from_secs(10));
    assert_eq!(broker.memory.used(), 0);
}
