//! The bridge with a real Kafka at its other end.
//!
//! Invariant: names of connectors and Kafka topics are used by one test alone. All share one Kafka,
//! and a consumer group is called after its connector: a broker that was killed would hold up the
//! next one of its group until its session has timed out there.

mod connect;
mod connect_errors;
mod connect_standalone;
mod connector_environment;
mod dev;
mod error_policy;
mod influx;
mod kafka_outage;
mod kafka_security;
mod kafka_to_mqtt;
mod loops;
mod mqtt_to_kafka;
mod nothing_passes_by;
mod remote;
mod two_workers;

use midge_tests::{Kafka, Setup};

/// A broker with these connectors, joined to the shared Kafka.
fn bridged(connectors: &str) -> Setup {
    bridged_to(Kafka::shared().bootstrap(), connectors)
}

/// A broker with these connectors, joined to a Kafka.
fn bridged_to(bootstrap: &str, connectors: &str) -> Setup {
    Setup::conf("log_type all\n")
        .bridge(&format!("[kafka]\nbootstrap_servers = \"{bootstrap}\"\n\n{connectors}"))
}
