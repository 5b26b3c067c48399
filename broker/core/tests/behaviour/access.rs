//! Access control: denials by version, per topic, and revocation on what is live, waiting, under
//! way and retained.

use midge_codec::{Packet, QoS, ReasonCode};
use midge_codec::{SubscriptionOptions, Text};
use midge_core::stored::{Retained, SessionRecord, SubscriptionRecord};
use midge_core::{Limits, QueueId, Verdict};

use crate::harness::{
    Access, Broker, V5, V31, V311, ack_of, at_home, filter, injection, message, numbered, retained,
    text,
};

const NOTHING: Access =
    Access { publish: |_, _| true, read: |_, _| false, subscribe: |_, _| Verdict::Never };

#[test]
fn a_denied_subscribe_is_answered_as_its_version_has_it() {
    let answers = [
        (V31, ReasonCode::GrantedQoS1),
        (V311, ReasonCode::UnspecifiedError),
        (V5, ReasonCode::NotAuthorized),
    ];
    for (version, reason) in answers {
        let mut broker = Broker::with(1, Limits::default(), NOTHING, Vec::new(), usize::MAX);
        let client = broker.connect("c", version);
        assert_eq!(broker.subscribe(client, "t", QoS::AtLeastOnce), reason, "{version:?}");
        broker.publish(client, message("t", QoS::AtMostOnce, "x"));
        assert!(broker.read_publishes(client).is_empty());
        assert_eq!(broker.stats().subscriptions, 0);
    }
}

#[test]
fn with_deny_subscribe_off_a_denied_subscription_is_granted_and_silent() {
    let limits = Limits { deny_subscribe: false, ..Limits::default() };
    let mut broker = Broker::with(1, limits, NOTHING, Vec::new(), usize::MAX);
    let client = broker.connect("c", V5);
    broker.publish(client, retained("t", "old"));
    assert_eq!(broker.subscribe(client, "t", QoS::AtLeastOnce), ReasonCode::GrantedQoS1);
    broker.publish(client, message("t", QoS::AtMostOnce, "x"));
    assert!(broker.read_publishes(client).is_empty());
}

#[test]
fn a_filter_wider_than_the_rights_brings_only_what_may_be_read() {
    let some = Access {
        read: |_, topic| topic == "open",
        subscribe: |_, _| Verdict::PerTopic,
        ..Access::default()
    };
    let mut broker = Broker::with(2, Limits::default(), some, Vec::new(), usize::MAX);
    let publisher = broker.connect(&at_home("p", 1, 2), V5);
    broker.publish(publisher, retained("open", "retained"));
    broker.publish(publisher, retained("closed", "retained"));
    for filter in ["#", "$share/g/#"] {
        let client = broker.connect(&at_home("c", 0, 2), V5);
        broker.subscribe(client, filter, QoS::AtMostOnce);
        broker.publish(publisher, message("closed", QoS::AtMostOnce, "secret"));
        broker.publish(publisher, message("open", QoS::AtMostOnce, "live"));
        let expected: &[&str] = if filter == "#" { &["retained", "live"] } else { &["live"] };
        assert_eq!(broker.read_payloads(client), expected, "{filter}");
    }
}

#[test]
fn a_reload_takes_live_subscriptions_away_and_gives_them_back() {
    let mut broker = Broker::of_shards(2);
    let client = broker.connect(&at_home("c", 0, 2), V5);
    broker.subscribe(client, "t", QoS::AtMostOnce);
    let publisher = broker.connect(&at_home("p", 1, 2), V5);
    broker.reload(&Limits::default(), NOTHING);
    broker.publish(publisher, message("t", QoS::AtMostOnce, "secret"));
    assert!(broker.read_publishes(client).is_empty());
    broker.reload(&Limits::default(), Access::default());
    broker.publish(publisher, message("t", QoS::AtMostOnce, "open"));
    assert_eq!(broker.read_payloads(client), ["open"]);
}

#[test]
fn a_reload_takes_away_what_waits_and_what_was_sent_but_not_acknowledged() {
    let mut broker = Broker::new();
    let client = broker.connect_with("c", V5, |connect| {
        crate::harness::stays(connect);
        connect.properties.receive_maximum = Some(2);
    });
    broker.subscribe(client, "t", QoS::ExactlyOnce);
    let publisher = broker.connect("p", V5);
    for (number, qos) in [(1, QoS::AtLeastOnce), (2, QoS::ExactlyOnce), (3, QoS::AtLeastOnce)] {
        broker.publish(publisher, numbered("t", qos, "secret", number));
    }
    // The connection breaks before any of it is read.
    broker.lose(client);
    broker.reload(&Limits::default(), NOTHING);
    let client = broker.resume("c", V5);
    assert!(broker.read_publishes(client).is_empty());
    let stats = broker.stats();
    assert_eq!((stats.inflight, stats.queued, stats.queued_bytes), (0, 0, 0));
    assert_eq!(stats.dropped.access, 3);
}

#[test]
fn what_waited_for_a_shared_member_without_access_goes_to_another() {
    let mut broker = Broker::new();
    let first = broker.connect_with("first", V5, |c| c.properties.receive_maximum = Some(1));
    broker.subscribe(first, "$share/g/t", QoS::AtLeastOnce);
    let publisher = broker.connect("p", V5);
    for number in 1..=2 {
        broker.publish(publisher, numbered("t", QoS::AtLeastOnce, &number.to_string(), number));
    }
    assert_eq!(broker.read_payloads(first), ["1"]);
    let second = broker.connect("second", V5);
    broker.subscribe(second, "$share/g/t", QoS::AtLeastOnce);
    let not_first = Access {
        read: |client, _| client != "first",
        subscribe: |client, _| match client {
            "first" => Verdict::Never,
            _ => Verdict::Always,
        },
        ..Access::default()
    };
    broker.reload(&Limits::default(), not_first);
    assert_eq!(broker.read_payloads(second), ["2"]);
}

#[test]
fn retained_messages_of_a_publisher_without_rights_are_not_delivered() {
    let mut broker = Broker::new();
    let publisher = broker.connect("p", V5);
    broker.publish(publisher, retained("t", "x"));
    let deny = Access { publish: |client, _| client != "p", ..Access::default() };
    broker.reload(&Limits::default(), deny);
    let client = broker.connect("c", V5);
    broker.subscribe(client, "t", QoS::AtMostOnce);
    assert!(broker.read_publishes(client).is_empty());
}

#[test]
fn another_user_does_not_get_a_session_under_the_same_client_id() {
    let mut broker = Broker::new();
    let session = |username: &'static str| {
        move |connect: &mut midge_codec::Connect| {
            crate::harness::stays(connect);
            connect.username = Some(midge_codec::Text::from_static(username));
        }
    };
    let alice = broker.connect_with("c", V5, session("alice"));
    broker.subscribe(alice, "t", QoS::AtLeastOnce);
    broker.lose(alice);
    broker.inject(injection("t", b"for alice", QoS::AtLeastOnce));
    let mallory = broker.attach("c", V5, session("mallory"));
    assert!(!broker.connack(mallory).session_present);
    assert!(broker.read(mallory).is_empty());
    assert_eq!(broker.stats().queued, 0);
}

#[test]
fn a_rule_that_acts_as_a_user_gets_what_that_user_may_read() {
    let some = Access { read: |_, topic| topic == "tap/open", ..Access::default() };
    let reader = std::sync::Arc::new(midge_core::Client {
        client_id: midge_codec::Text::from_static("connector"),
        username: None,
        listener: midge_codec::Text::empty(),
        address: String::new(),
    });
    let tap = midge_core::Tap { reader: Some(reader), ..crate::harness::waiting_tap("tap/#") };
    let mut broker = Broker::with(1, Limits::default(), some, vec![tap], usize::MAX);
    let client = broker.connect("c", V5);
    broker.publish(client, message("tap/closed", QoS::AtLeastOnce, "x"));
    broker.publish(client, message("tap/open", QoS::AtMostOnce, "x"));
    assert_eq!(broker.offers.len(), 1);
    assert!(matches!(broker.read(client)[..], [Packet::Puback(_)]));
}

#[test]
fn a_rule_does_not_take_what_has_passed_it() {
    let taps = vec![crate::harness::waiting_tap("#")];
    let mut broker = Broker::with(1, Limits::default(), Access::default(), taps, usize::MAX);
    let injection = injection("t", b"x", QoS::AtMostOnce);
    let trail = vec![midge_codec::Text::from_static("rule")];
    broker.inject(midge_core::Inject { trail, ..injection });
    assert!(broker.offers.is_empty());
    assert_eq!(broker.injected, [ReasonCode::NoMatchingSubscribers]);
}

#[test]
fn an_injected_message_is_subject_to_its_clients_rights() {
    let deny = Access { publish: |client, _| client != "connector", ..Access::default() };
    let mut broker = Broker::with(1, Limits::default(), deny, Vec::new(), usize::MAX);
    let client = broker.connect("c", V5);
    broker.subscribe(client, "t", QoS::AtLeastOnce);
    let connector = std::sync::Arc::new(midge_core::Client {
        client_id: midge_codec::Text::from_static("connector"),
        username: None,
        listener: midge_codec::Text::empty(),
        address: String::new(),
    });
    let inject = injection("t", b"x", QoS::AtLeastOnce);
    broker.inject(midge_core::Inject { client: Some(connector), ..inject });
    assert_eq!(broker.injected, [ReasonCode::NotAuthorized]);
    broker.inject(injection("t", b"y", QoS::AtLeastOnce));
    let publish = broker.read_publishes(client).remove(0);
    assert_eq!(publish.payload, "y");
    broker.send(client, Packet::Puback(ack_of(&publish)));
}

#[test]
fn what_one_shared_member_may_not_read_any_more_does_not_go_to_one_not_yet_judged() {
    let mut broker = Broker::new();
    let first = broker.connect_with("first", V5, |c| c.properties.receive_maximum = Some(1));
    broker.subscribe(first, "$share/g/t", QoS::AtLeastOnce);
    let publisher = broker.connect("p", V5);
    for number in 1..=2 {
        broker.publish(publisher, numbered("t", QoS::AtLeastOnce, "secret", number));
    }
    assert_eq!(broker.read_payloads(first).len(), 1);
    let second = broker.connect("second", V5);
    broker.subscribe(second, "$share/g/t", QoS::AtLeastOnce);
    broker.reload(&Limits::default(), NOTHING);
    assert!(broker.read_publishes(second).is_empty());
    assert!(broker.read_publishes(first).is_empty());
    assert_eq!(broker.stats().queued, 0);
}

#[test]
fn a_session_of_an_unknown_user_is_for_the_first_who_comes_under_its_client_id() {
    let user = |username: &'static str| {
        move |connect: &mut midge_codec::Connect| {
            crate::harness::stays(connect);
            connect.username = Some(Text::from_static(username));
        }
    };
    let mut broker = Broker::of_shards(2).with_store();
    broker.access = Access {
        read: |_, topic| topic != "t/secret",
        subscribe: |_, _| Verdict::PerTopic,
        ..Access::default()
    };
    let session = SessionRecord {
        queue: QueueId(64),
        username: None,
        unclaimed: true,
        listener: Text::empty(),
        expiry: None,
        offline_since: Some(broker.now.unix_millis),
        will: None,
    };
    let options = SubscriptionOptions { qos: QoS::AtLeastOnce, ..SubscriptionOptions::default() };
    let subscription = SubscriptionRecord { options, identifier: None, retained: Retained::Done };
    broker.store.clear(vec![
        session.put(&text("c"), broker.now),
        subscription.put(QueueId(64), &filter("t/+")),
    ]);
    for number in [1, 2] {
        broker.crash();
        let publisher = broker.connect(&format!("p{number}"), V5);
        broker.publish(publisher, numbered("t/secret", QoS::AtLeastOnce, "secret", 1));
        broker.publish(publisher, numbered("t/open", QoS::AtLeastOnce, &number.to_string(), 2));
    }
    assert_eq!(broker.stats().queued, 4, "nobody is there to be judged");
    let bob = broker.attach("c", V5, user("bob"));
    assert!(broker.connack(bob).session_present);
    assert_eq!(broker.read_payloads(bob), ["1", "2"]);
    assert_eq!(broker.stats().dropped.access, 2);
    broker.lose(bob);
    broker.crash();
    let alice = broker.attach("c", V5, user("alice"));
    assert!(!broker.connack(alice).session_present, "it is bob's now");
}
