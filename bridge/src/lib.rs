//! The Kafka bridge: connectors that run inside the broker's process.
//!
//! A *source* connector taps the broker's routing: each [`midge_core::Offer`] goes into the
//! ordered log of its connector, in memory or on disk ([`spool`]), and a producer is the cursor on
//! that log. A *sink* connector reads
//! a consumer group's share of its topics and injects each record as a publish, or writes it to an
//! InfluxDB as points ([`influx`]).
//!
//! Invariants. An entry leaves the log only when Kafka has acknowledged its record, or when it was
//! refused for good, which is counted, logged and told to the publisher's duty. Records of one
//! connector reach the producer in the order of the log, and after a failure from the lowest
//! unacknowledged one on, so the order of each MQTT topic holds (while its key does not change).
//! An offset is committed only when every record below it has been taken or passed over. Kafka being
//! away is a state, never an error: the log fills, pushes back through [`Host::tap_full`], and
//! drains when Kafka is back.

mod bridge;
pub mod connect;
mod dead_letters;
mod delivery;
pub mod dev;
mod error_handling;
mod health;
mod host;
mod https;
mod influx;
mod kafka;
mod mapping;
mod marks;
mod observer;
mod offsets;
mod overlaps;
mod questions;
mod remote;
mod rule;
mod settings;
mod sink;
mod source;
pub mod spool;
mod storage;
mod usage;

pub use bridge::Bridge;
pub use health::{ConnectorStatus, Kind, State};
pub use host::Host;
pub use kafka::{
    PropertyFault, ca_bundle, check as check_client_properties, check_property, check_property_file,
};
pub use observer::{Event, Observer};
pub use settings::{BridgeError, Settings};
pub use storage::{Kept, MARK, Queues, STATE, Storage, transaction};
