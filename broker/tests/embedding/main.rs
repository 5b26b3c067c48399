//! The broker as a library: started in this process, driven through its own API, seen from a
//! socket.

mod admission;
mod client;
mod reload;

use midge::{Broker, Config, PublishError, QoS, Running, Sources, load};

use client::Client;

/// The defaults on a free port of the loopback.
fn config() -> Config {
    let sources = Sources { ports: vec![0], ..Sources::default() };
    load(&sources).unwrap_or_else(|errors| panic!("{errors:?}"))
}

fn start(config: Config) -> Running {
    Broker::start(config).expect("a broker starts")
}

#[tokio::test]
async fn a_message_published_from_within_reaches_a_client() {
    let broker = start(config());
    let mut client = Client::connected(&broker, "inside");
    client.subscribe("greeting/#");
    broker.publish("greeting/one", "hello", QoS::AtLeastOnce, false).await.expect("published");
    assert_eq!(client.message(), ("greeting/one".to_owned(), b"hello".to_vec()));
    assert_eq!(broker.stats().await.shard.clients_connected, 1);
    broker.shutdown().await;
}

#[tokio::test]
async fn a_retained_message_from_within_waits_for_subscribers() {
    let broker = start(config());
    broker.publish("state", "on", QoS::ExactlyOnce, true).await.expect("published");
    let mut client = Client::connected(&broker, "late");
    client.subscribe("state");
    assert_eq!(client.message(), ("state".to_owned(), b"on".to_vec()));
    broker.shutdown().await;
}

#[tokio::test]
async fn a_topic_with_a_wildcard_is_not_published() {
    let broker = start(config());
    let refused = broker.publish("a/#", "", QoS::AtMostOnce, false).await;
    assert!(matches!(refused, Err(PublishError::Topic(_))), "{refused:?}");
    broker.shutdown().await;
}

#[tokio::test]
async fn clients_of_all_workers_meet() {
    let mut config = config();
    config.workers = 4;
    let broker = start(config);
    let mut clients: Vec<_> =
        (0..32).map(|number| Client::connected(&broker, &format!("client-{number}"))).collect();
    for client in &mut clients {
        client.subscribe("all");
    }
    broker.publish("all", "here", QoS::AtLeastOnce, false).await.expect("published");
    for client in &mut clients {
        assert_eq!(client.message(), ("all".to_owned(), b"here".to_vec()));
    }
    broker.shutdown().await;
}

#[tokio::test]
async fn a_shutdown_tells_clients_and_frees_the_port() {
    let broker = start(config());
    let addresses = broker.addresses();
    let mut client = Client::connected(&broker, "told");
    broker.shutdown().await;
    assert_eq!(client.reason_of_disconnect(), 0x8b);
    for address in addresses {
        std::net::TcpListener::bind(address).expect("the port is free");
    }
}

#[tokio::test]
async fn two_brokers_live_in_one_process() {
    let (one, two) = (start(config()), start(config()));
    let mut client = Client::connected(&two, "of-two");
    client.subscribe("#");
    one.publish("t", "of one", QoS::AtLeastOnce, false).await.expect("published");
    two.publish("t", "of two", QoS::AtLeastOnce, false).await.expect("published");
    assert_eq!(client.message(), ("t".to_owned(), b"of two".to_vec()));
    one.shutdown().await;
    two.shutdown().await;
}
