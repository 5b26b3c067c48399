//! Giving a client the addresses of Kafka again.
//!
//! A broker that shuts down may answer a metadata request with topics but without brokers.
//! librdkafka then drops every broker it knows, those it was configured with among them, and when
//! that answer also stops its own second bootstrap, it has nobody left to ask and stays silent for
//! ever (librdkafka issue 5301). Given its addresses again it goes on where it was, without a
//! double.

// librdkafka offers this only in C.
#![allow(unsafe_code)]

use std::ffi::CString;

use rdkafka::client::{Client, ClientContext};
use rdkafka::{ClientConfig, bindings};

/// The addresses a client was configured with.
#[derive(Clone, Debug)]
pub(super) struct Brokers(CString);

impl Brokers {
    pub(super) fn of(config: &ClientConfig) -> Brokers {
        // The second is librdkafka's older name of the first.
        let list = config.get("bootstrap.servers").or_else(|| config.get("metadata.broker.list"));
        Brokers(CString::new(list.unwrap_or_default()).unwrap_or_default())
    }

    /// Gives them to the client, which keeps those it has.
    pub(super) fn give<C: ClientContext>(&self, client: &Client<C>) {
        // SAFETY: the client is alive, and librdkafka copies the list.
        unsafe { bindings::rd_kafka_brokers_add(client.native_ptr(), self.0.as_ptr()) };
    }
}
