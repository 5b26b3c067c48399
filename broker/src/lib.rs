//! Midge: an MQTT broker with the Kafka bridge inside, to run or to embed.
//!
//! [`Broker::start`] takes a [`Config`] and returns a [`Running`] broker with its own threads; see
//! `examples/embed.rs`. The sans-IO parts are crates of their own (`midge-codec`, `midge-core`);
//! here are sockets, threads, files, and the program `midge`.
//!
//! What this crate does not do: it decides nothing about MQTT. Sessions, routing and
//! acknowledgements are the shards' (`midge_core::Shard`), which workers only drive.

mod auth;
mod broker;
#[doc(hidden)]
pub mod cli;
mod connect;
mod connect_worker;
mod connectors;
mod episode;
mod generation;
mod hub;
#[doc(hidden)]
pub mod import;
mod listener;
mod logging;
mod policy;
mod reload;
pub mod storage;
mod sys;
mod throttle;
mod worker;

pub use broker::{Broker, Prepared, PublishError, Running, StartError};
pub use listener::bind::BindError;
pub use logging::Logging;
pub use midge_codec::QoS;
pub use midge_config::{Config, Sources, load};
pub use worker::report::Report;
