//! Clients of Kafka that are stuck for good, and what the bridge does about it.

mod support;

use std::time::Duration;

use midge_bridge::State;
use midge_codec::ReasonCode;
use midge_config::Connector;
use support::proxy::Proxy;
use support::{Broker, eventually, kafka, numbers, publish, settings, source};

fn with(mut connector: Connector, properties: &[(&str, &str)]) -> Connector {
    for (name, value) in properties {
        connector.overrides.plain.insert((*name).to_owned(), (*value).to_owned());
    }
    connector
}

/// Kafka answers several metadata requests at once, without brokers: librdkafka then drops all of
/// its brokers, and if two of its threads meet unluckily, stops the timer that would bring them
/// back. That is tried until the client asks for nothing any more, or often enough.
fn lose_all_brokers(proxy: &Proxy) {
    for _ in 0..15 {
        let before = proxy.bare_answers();
        proxy.hide_brokers(true);
        eventually("a bare answer", || proxy.bare_answers() > before);
        // Those that were asked for meanwhile come with it.
        std::thread::sleep(Duration::from_millis(350));
        proxy.hide_brokers(false);
        let before = proxy.whole_answers();
        // Many times as long as the client takes to ask.
        std::thread::sleep(Duration::from_millis(500));
        if proxy.whole_answers() == before {
            return;
        }
    }
}

/// Asks all the time, but does not take what it knows for outdated at once.
const EAGER: &[(&str, &str)] =
    &[("topic.metadata.refresh.interval.ms", "20"), ("metadata.max.age.ms", "60000")];

#[test]
fn a_producer_that_has_lost_all_brokers_goes_on_without_loss_double_or_disorder() {
    let kafka = kafka();
    kafka.create_topic("all", 1).expect("a new topic");
    let proxy = Proxy::start(kafka.bootstrap_servers());
    let broker = Broker::new();
    let connector = with(source("s", "all"), EAGER);
    let bridge = broker.start(settings(&proxy.bootstrap_servers(), vec![connector]));
    publish(&bridge, "a", 0..100);
    broker.wait("the first duties", |seen| seen.done.len() == 100);
    lose_all_brokers(&proxy);
    publish(&bridge, "a", 100..200);
    broker.wait("all duties", |seen| seen.done.len() == 200);
    assert!(broker.lock().done.iter().all(|done| done.2 == ReasonCode::Success));
    eventually("kafka counts as back", || bridge.status()[0].state == State::Running);
    assert_eq!(proxy.producers(), 1, "it is the same producer");
    assert_eq!(numbers(&kafka, "all", 200), (0..200).collect::<Vec<_>>());
}

#[test]
fn a_producer_that_gets_nothing_through_though_kafka_serves_others_is_replaced() {
    let kafka = kafka();
    kafka.create_topic("all", 1).expect("a new topic");
    let proxy = Proxy::start(kafka.bootstrap_servers());
    let broker = Broker::new();
    // How long it may be stuck is how long Kafka may take for an answer.
    let connector = with(source("s", "all"), &[("request.timeout.ms", "1000")]);
    let bridge = broker.start(settings(&proxy.bootstrap_servers(), vec![connector]));
    publish(&bridge, "a", 0..100);
    broker.wait("the first duties", |seen| seen.done.len() == 100);
    proxy.swallow_first_producer();
    publish(&bridge, "a", 100..200);
    broker.wait("all duties", |seen| seen.done.len() == 200);
    assert!(broker.lock().done.iter().all(|done| done.2 == ReasonCode::Success));
    assert_eq!(proxy.producers(), 2);
    assert_eq!(numbers(&kafka, "all", 200), (0..200).collect::<Vec<_>>());
    publish(&bridge, "a", 200..300);
    broker.wait("more duties", |seen| seen.done.len() == 300);
}
