//! What a peer may do before and at its CONNECT.

use std::time::Duration;

use midge_codec::ReasonCode;

use crate::client::Client;
use crate::{config, start};

#[tokio::test]
async fn a_peer_that_sends_no_connect_is_closed_at_the_deadline() {
    let mut config = config();
    config.limits.connect_timeout = Duration::from_millis(200);
    let broker = start(config);
    Client::silent(&broker).closed();
    broker.shutdown().await;
}

#[tokio::test]
async fn half_open_connections_of_one_address_are_limited_and_others_get_through_after() {
    let mut config = config();
    config.limits.max_half_open_connections = 4;
    let broker = start(config);
    let held = [Client::silent(&broker), Client::silent(&broker)];
    // Two of four are all that one address may hold.
    Client::silent(&broker).closed();
    drop(held);
    // The broker sees the end of those some time later.
    let admitted = (0..1_000).any(|_| {
        std::thread::sleep(Duration::from_millis(1));
        let mut client = Client::silent(&broker);
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| client.connect("late", None)))
            .is_ok_and(|reason| reason == ReasonCode::Success)
    });
    assert!(admitted);
    broker.shutdown().await;
}

#[tokio::test]
async fn a_full_broker_says_so_and_has_room_again_when_a_client_goes() {
    let mut config = config();
    config.limits.max_connections = Some(1);
    let broker = start(config);
    let first = Client::connected(&broker, "first");
    assert_eq!(Client::silent(&broker).connect("second", None), ReasonCode::QuotaExceeded);
    drop(first);
    let admitted = (0..1_000).any(|_| {
        std::thread::sleep(Duration::from_millis(1));
        Client::silent(&broker).connect("third", None) == ReasonCode::Success
    });
    assert!(admitted);
    broker.shutdown().await;
}

#[tokio::test]
async fn an_embedded_broker_gives_every_nameless_client_a_name_of_its_own() {
    let broker = start(config());
    let _one = Client::connected(&broker, "");
    let _two = Client::connected(&broker, "");
    assert_eq!(broker.stats().await.shard.clients_connected, 2);
    broker.shutdown().await;
}
