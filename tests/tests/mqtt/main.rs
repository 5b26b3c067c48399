//! The protocol on the wire, clause by clause; `conformance.toml` says which test holds which.

mod clients;
mod connect;
mod flow_control;
mod keep_alive;
mod malformed;
mod order;
mod properties;
mod qos;
mod retained;
mod sessions;
mod shared;
mod subscriptions;
mod topics;
mod wills;
