//! Keep alive: silence has a limit.

use std::time::{Duration, Instant};

use midge_codec::ReasonCode;
use midge_tests::{Midge, Outgoing, QOS0, VERSIONS, message, will};

#[test]
fn a_client_silent_for_one_and_a_half_times_its_keep_alive_is_dropped() {
    let midge = Midge::start("");
    let mut watcher = midge.client("watcher");
    watcher.subscribe("obituary/+", QOS0);
    for version in VERSIONS {
        let topic = format!("obituary/{version:?}");
        let started = Instant::now();
        let dial = midge.dial(version, "silent").keep_alive(1).will(will(&topic, "fell silent"));
        let mut client = dial.connect();
        // [MQTT-3.1.2-22], 3.1.1: [MQTT-3.1.2-24]: as if the network had failed, so with its will.
        client.dropped(ReasonCode::KeepAliveTimeout);
        assert!(started.elapsed() >= Duration::from_millis(1500), "{:?}", started.elapsed());
        watcher.expect(&topic, "fell silent");
    }
}

#[test]
fn a_client_that_pings_stays() {
    let midge = Midge::start("");
    for version in VERSIONS {
        let mut client = midge.dial(version, "alive").keep_alive(1).connect();
        let started = Instant::now();
        while started.elapsed() < Duration::from_secs(2) {
            // [MQTT-3.12.4-1]
            client.ping();
        }
    }
}

#[test]
fn any_packet_counts_as_a_sign_of_life() {
    let midge = Midge::start("");
    let mut client = midge.v5("alive").keep_alive(1).connect();
    let started = Instant::now();
    while started.elapsed() < Duration::from_secs(2) {
        client.publish(message("life", "sign").qos(midge_tests::QOS1));
    }
}

#[test]
fn what_is_sent_to_a_client_is_no_sign_of_its_life() {
    let midge = Midge::start("");
    let mut silent = midge.v5("silent").keep_alive(1).connect();
    silent.subscribe("noise", QOS0);
    let mut noisy = midge.client("noisy");
    let closed = std::thread::spawn(move || silent.dropped(ReasonCode::KeepAliveTimeout));
    while !closed.is_finished() {
        noisy.publish(message("noise", "x"));
        noisy.ping();
    }
    closed.join().expect("dropped");
}

#[test]
fn a_keep_alive_of_the_server_replaces_the_clients() {
    let midge = Midge::start("max_keepalive 1");
    for asked in [0, 600] {
        let mut client = midge.v5("slow").keep_alive(asked).connect();
        assert_eq!(client.connack().properties.server_keep_alive, Some(1));
        client.dropped(ReasonCode::KeepAliveTimeout);
    }
}
