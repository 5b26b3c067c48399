//! What a client can make the broker hold, and that nobody waits for ever because of it.

use std::time::Duration;

use midge_codec::{Packet, Publish, QoS, ReasonCode, SubscriptionOptions};
use midge_core::Limits;

use crate::harness::{
    Access, Broker, V5, V311, ack_of, at_home, id, injection, message, retained, stays,
    subscription, text, topic,
};

const MEMORY: usize = 1_000_000;

fn small(count: usize, limits: Limits) -> Broker {
    Broker::with(count, limits, Access::default(), Vec::new(), MEMORY)
}

fn large(name: &str, qos: QoS, number: u16) -> Publish {
    Publish {
        packet_id: (qos > QoS::AtMostOnce).then(|| id(number)),
        ..message(name, qos, &"x".repeat(50_000))
    }
}

#[test]
fn every_property_of_a_message_is_counted_as_memory() {
    let mut broker = Broker::new();
    let keeper = broker.resume("k", V5);
    broker.subscribe(keeper, "t", QoS::AtLeastOnce);
    broker.lose(keeper);
    let publisher = broker.connect("p", V5);
    let long = "x".repeat(60_000);
    let properties = midge_codec::PublishProperties {
        content_type: Some(text(&long)),
        response_topic: Some(topic(&long)),
        ..Default::default()
    };
    let properties = Some(Box::new(properties));
    broker.publish(publisher, Publish { properties, ..message("t", QoS::AtLeastOnce, "x") });
    assert!(broker.memory.used() > 120_000, "{} bytes", broker.memory.used());
}

#[test]
fn a_full_memory_costs_the_largest_queue_its_messages_and_publishers_go_on() {
    let mut broker = small(1, Limits { max_queued_messages: 0, ..Limits::default() });
    let keeper = broker.resume("k", V5);
    broker.subscribe(keeper, "t", QoS::AtLeastOnce);
    broker.lose(keeper);
    let publisher = broker.connect("p", V5);
    for _ in 0..95 {
        broker.publish(publisher, large("t", QoS::AtLeastOnce, 1));
        assert!(!broker.is_paused(publisher));
        assert!(broker.memory.used() <= MEMORY + 60_000);
    }
    assert!(broker.stats().dropped.memory > 0);
    assert!(broker.stats().queued > 0);
}

#[test]
fn queues_of_another_shard_make_room_for_publishers_of_this_one() {
    let mut broker = small(2, Limits { max_queued_messages: 0, ..Limits::default() });
    let keeper = broker.resume(&at_home("k", 1, 2), V5);
    broker.subscribe(keeper, "t", QoS::AtLeastOnce);
    broker.lose(keeper);
    let publisher = broker.connect(&at_home("p", 0, 2), V5);
    for number in 0..100 {
        if broker.is_paused(publisher) {
            broker.pass(Duration::from_millis(50));
        }
        assert!(!broker.is_paused(publisher), "still waiting after {number} messages");
        broker.publish(publisher, large("t", QoS::AtLeastOnce, 1));
        assert!(broker.memory.used() <= MEMORY + 60_000);
    }
    assert!(broker.stats().dropped.memory > 0);
}

#[test]
fn injected_messages_make_room_too() {
    let mut broker = small(2, Limits { max_queued_messages: 0, ..Limits::default() });
    for shard in 0..2 {
        let keeper = broker.resume(&at_home("k", shard, 2), V5);
        broker.subscribe(keeper, "t", QoS::AtLeastOnce);
        broker.lose(keeper);
    }
    for _ in 0..100 {
        broker.inject(injection("t", &[b'x'; 50_000], QoS::AtLeastOnce));
        assert!(broker.memory.used() <= MEMORY + 60_000);
    }
}

#[test]
fn retained_messages_never_take_the_memory_that_publishing_needs() {
    let mut broker = small(2, Limits::default());
    let publisher = broker.connect("p", V5);
    for number in 0..200 {
        let publish = Publish { retain: true, ..large(&format!("t{number}"), QoS::AtMostOnce, 1) };
        broker.publish(publisher, publish);
        assert!(!broker.is_paused(publisher), "after {number} retained messages");
    }
    let kept = broker.stats().retained;
    assert!(kept > 0);
    assert!(broker.memory.used() < MEMORY * 3 / 4);
    // What is there can still be replaced and deleted, and then there is room again.
    for number in 0..200 {
        broker.publish(publisher, retained(&format!("t{number}"), ""));
    }
    assert_eq!(broker.stats().retained, 0);
    broker.pass(Duration::from_secs(61));
    broker.publish(publisher, retained("t", "x"));
    assert_eq!(broker.stats().retained, 1);
}

#[test]
fn deleting_what_is_not_there_costs_no_memory_without_end() {
    let mut broker = small(2, Limits::default());
    let publisher = broker.connect("p", V5);
    for number in 0..20_000 {
        broker.publish(publisher, retained(&format!("{number}/{}", "x".repeat(500)), ""));
    }
    for shard in &broker.shards {
        let timers = shard.footprint().timers;
        assert!(timers < MEMORY / 500, "{timers} deletions are remembered");
    }
    broker.pass(Duration::from_secs(61));
    for shard in &broker.shards {
        assert_eq!(shard.footprint().timers, 0);
    }
}

#[test]
fn clients_that_never_acknowledge_do_not_keep_publishers_waiting_for_ever() {
    let mut broker = small(1, Limits { max_queued_messages: 0, ..Limits::default() });
    let deaf: Vec<_> = (0..3)
        .map(|number| {
            let client = broker.connect_with(&format!("deaf{number}"), V5, stays);
            broker.subscribe(client, &format!("t{number}"), QoS::AtLeastOnce);
            client
        })
        .collect();
    let publisher = broker.connect("p", V5);
    'fill: for _ in 0..20 {
        for (number, client) in deaf.iter().enumerate() {
            if broker.is_paused(publisher) {
                break 'fill;
            }
            broker.publish(publisher, large(&format!("t{number}"), QoS::AtLeastOnce, 1));
            broker.read(*client);
        }
    }
    assert!(broker.is_paused(publisher), "in flight is not dropped at once");
    for _ in 0..1_000 {
        broker.pass(Duration::from_millis(20));
    }
    assert!(!broker.is_paused(publisher));
    assert!(deaf.iter().any(|client| broker.is_closed(*client)));
}

#[test]
fn a_wait_for_memory_ends_when_there_is_memory_and_leaves_no_trace_of_those_who_left() {
    let mut broker = small(1, Limits { max_inflight: 0, ..Limits::default() });
    let reader = broker.connect("r", V5);
    broker.subscribe(reader, "t", QoS::AtLeastOnce);
    let publisher = broker.connect("p", V5);
    let mut unacknowledged = Vec::new();
    while !broker.is_paused(publisher) {
        broker.publish(publisher, large("t", QoS::AtLeastOnce, 1));
        unacknowledged.extend(broker.read_publishes(reader));
    }
    for number in 0..10 {
        let other = broker.connect(&format!("o{number}"), V311);
        broker.publish(other, message("u", QoS::AtMostOnce, "x"));
        broker.lose(other);
    }
    for publish in &unacknowledged {
        broker.send(reader, Packet::Puback(ack_of(publish)));
    }
    drop(unacknowledged);
    broker.pass(Duration::from_millis(50));
    assert!(!broker.is_paused(publisher));
    assert_eq!(broker.shards[0].footprint().timers, 0);
}

#[test]
fn a_client_that_never_reads_holds_little_and_is_not_read_from() {
    let limits = Limits { output_bytes: 4_096, max_queued_messages: 10, ..Limits::default() };
    let mut broker = Broker::limited(limits);
    let client = broker.connect("c", V5);
    broker.subscribe(client, "t", QoS::AtMostOnce);
    let publisher = broker.connect("p", V5);
    for _ in 0..1_000 {
        broker.publish(publisher, message("t", QoS::AtMostOnce, &"x".repeat(100)));
    }
    assert!(broker.waiting_bytes(client) < 5_000);
    assert_eq!(broker.stats().queued, 10);
    let mut pings = 0;
    while !broker.is_paused(client) && pings < 100_000 {
        broker.send(client, Packet::Pingreq);
        pings += 1;
    }
    assert!(broker.is_paused(client));
    assert!(broker.waiting_bytes(client) <= 4 * 4_096 + 2);
    broker.read(client);
    assert!(!broker.is_paused(client));
}

#[test]
fn a_client_does_not_pile_up_subscribes_that_wait_for_other_shards() {
    let mut broker = Broker::of_shards(2);
    let client = broker.connect(&at_home("c", 0, 2), V5);
    broker.holds_links = true;
    let mut sent = 0;
    while !broker.is_paused(client) && sent < 10_000 {
        sent += 1;
        let filter = format!("t{sent}");
        broker.send(client, subscription(&filter, SubscriptionOptions::default(), None));
    }
    assert!(sent <= 1_000, "{sent} requests wait");
    broker.deliver_all();
    assert!(!broker.is_paused(client));
    assert_eq!(broker.read(client).len(), sent);
}

#[test]
fn thousands_of_overlapping_subscriptions_give_one_copy_with_all_their_identifiers() {
    let mut broker = Broker::new();
    let client = broker.connect("c", V5);
    let levels = 12;
    for bits in 0..1_u32 << levels {
        let filter: Vec<&str> =
            (0..levels).map(|level| if bits & (1 << level) == 0 { "a" } else { "+" }).collect();
        let filter = filter.join("/");
        broker.subscribe_with(client, &filter, SubscriptionOptions::default(), Some(bits + 1));
    }
    broker.publish(client, message(&["a"; 12].join("/"), QoS::AtMostOnce, "x"));
    let publishes = broker.read_publishes(client);
    assert_eq!(publishes.len(), 1);
    let identifiers = &publishes[0].properties.as_ref().unwrap().subscription_identifiers;
    let distinct: std::collections::BTreeSet<_> = identifiers.iter().collect();
    assert_eq!(distinct.len(), 1 << levels, "[MQTT-3.3.4-4]");
}

#[test]
fn retained_messages_that_wait_for_a_client_take_no_memory_of_their_own() {
    let mut broker = Broker::limited(Limits { output_bytes: 1_024, ..Limits::default() });
    let publisher = broker.connect("p", V5);
    for number in 0..1_000 {
        broker.publish(publisher, retained(&format!("t/{number:04}"), &"x".repeat(100)));
    }
    let client = broker.connect("c", V5);
    for filter in ["#", "+/#", "t/#", "t/+", "+/+"] {
        broker.send(client, subscription(filter, SubscriptionOptions::default(), None));
    }
    assert!(broker.waiting_bytes(client) < 2_048);
    // What is deleted before its turn is not sent.
    for number in 500..1_000 {
        broker.publish(publisher, retained(&format!("t/{number:04}"), ""));
    }
    let sent = broker.read_publishes(client);
    let retained = sent.iter().filter(|publish| publish.retain).count();
    // Those that were in the output already make no difference: they are among the first.
    assert_eq!(retained, 5 * 500);
}

#[test]
fn sessions_beyond_the_limit_are_refused_and_known_ones_are_not() {
    let mut broker = Broker::limited(Limits { max_sessions: 1, ..Limits::default() });
    let client = broker.resume("c", V5);
    let other = broker.attach("o", V5, |_| {});
    assert_eq!(broker.connack(other).reason, ReasonCode::QuotaExceeded);
    assert!(broker.is_closed(other));
    broker.lose(client);
    broker.resume("c", V5);
}

#[test]
fn very_deep_filters_count_for_more_than_one_subscription() {
    let mut broker = Broker::limited(Limits { max_subscriptions: 100, ..Limits::default() });
    let client = broker.connect("c", V5);
    let deep = |number: usize| format!("{number}{}", "/+".repeat(180));
    let granted = (0..100)
        .filter(|number| !broker.subscribe(client, &deep(*number), QoS::AtMostOnce).is_error())
        .count();
    assert!((1..20).contains(&granted), "{granted} of them");
    for number in 0..granted {
        broker.unsubscribe(client, &deep(number));
    }
    broker.read(client);
    for number in 0..100 {
        let filter = format!("a/b/c/{number}/+/#");
        assert!(!broker.subscribe(client, &filter, QoS::AtMostOnce).is_error(), "{filter}");
    }
}

#[test]
fn very_long_filters_do_not_cost_what_as_many_ordinary_ones_would_not() {
    let mut broker = Broker::limited(Limits { max_subscriptions: 65_536, ..Limits::default() });
    let client = broker.connect("c", V5);
    let long = |number: usize| format!("{number}{}", "x".repeat(60_000));
    let mut granted = 0;
    while !broker.subscribe(client, &long(granted), QoS::AtMostOnce).is_error() {
        granted += 1;
    }
    let bytes = granted * 60_000;
    assert!((4_000_000..9_000_000).contains(&bytes), "{bytes} bytes of filters");
    let refused = broker.subscribe(client, &long(granted), QoS::AtMostOnce);
    assert_eq!(refused, ReasonCode::QuotaExceeded);
    // What is there may be subscribed to again, and what is given up makes room.
    assert!(!broker.subscribe(client, &long(0), QoS::AtLeastOnce).is_error());
    broker.unsubscribe(client, &long(0));
    broker.read(client);
    assert!(!broker.subscribe(client, &long(granted), QoS::AtMostOnce).is_error());
}

#[test]
fn the_bytes_in_flight_to_one_client_are_bounded() {
    let limits = Limits { max_inflight_bytes: 100_000, ..Limits::default() };
    let mut broker = Broker::limited(limits);
    let client = broker.connect("c", V5);
    broker.subscribe(client, "t", QoS::AtLeastOnce);
    let publisher = broker.connect("p", V5);
    let mut came = Vec::new();
    for _ in 0..5 {
        broker.publish(publisher, large("t", QoS::AtLeastOnce, 1));
        came.extend(broker.read_publishes(client));
    }
    assert_eq!(came.len(), 2, "of 50,000 bytes each");
    assert_eq!((broker.stats().inflight, broker.stats().queued), (2, 3));
    broker.send(client, Packet::Puback(ack_of(&came[0])));
    assert_eq!(broker.read_publishes(client).len(), 1);
}

#[test]
fn a_session_that_ends_early_takes_its_expiry_with_it() {
    let mut broker = Broker::new();
    let lasting = |connect: &mut midge_codec::Connect| {
        connect.properties.session_expiry_interval = Some(10);
    };
    let client = broker.connect_with("c", V5, lasting);
    broker.lose(client);
    assert_eq!(broker.shards[0].footprint().timers, 1);
    // A clean start ends the old session while its expiry is pending.
    let client = broker.connect("c", V5);
    assert_eq!(broker.shards[0].footprint().timers, 0);
    broker.pass(Duration::from_secs(11));
    assert!(!broker.is_closed(client));
    assert_eq!(broker.stats().clients_expired, 0);
    assert_eq!(broker.stats().clients_connected, 1);
}
