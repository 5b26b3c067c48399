//! Black-box tests: the real binary, real clients, a real Kafka.
//!
//! This library is the vocabulary the tests in `tests/` are written in: [`Midge`] is the program
//! under test with its files, [`Client`] speaks MQTT byte by byte, [`Publisher`] and
//! [`Subscriber`] are Mosquitto's own programs, [`Kafka`] is an Apache Kafka, [`Registry`] a schema
//! registry, [`Influx`] an InfluxDB, and a [`Shell`] takes a guide's commands.
//!
//! Invariant: nothing waits for a time. What is waited for is a condition, with [`DEADLINE`] as
//! the moment a test fails; every process is ended by its own id when its owner is dropped.

mod certificates;
mod client;
mod deadline;
mod dial;
mod influx;
mod kafka;
mod message;
mod midge;
mod mosquitto;
mod ports;
mod process;
mod raw;
mod registry;
mod rest;
mod shell;
mod tls;
mod token_server;

pub use certificates::{Authority, Certificate};
pub use client::Client;
pub use deadline::{DEADLINE, eventually, until};
pub use dial::Dial;
pub use influx::Influx;
pub use kafka::{Kafka, Records, kcat};
pub use message::{
    Outgoing, QOS0, QOS1, QOS2, VERSIONS, filter, message, options, text, topic, will,
};
pub use midge::{Daemon, Midge, Refusal, Setup};
pub use mosquitto::{Mosquitto, Publisher, Subscriber, mosquitto_passwd};
pub use ports::Port;
pub use process::{Output, binary, output, repository, run};
pub use raw::Raw;
pub use registry::Registry;
pub use rest::{rest, rest_as};
pub use shell::{Running, Shell};
pub use token_server::TokenServer;
