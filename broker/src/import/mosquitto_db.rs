//! Mosquitto's `mosquitto.db`: sessions, subscriptions, messages and what is retained, as its
//! versions 1.6 and 2.x wrote them (format versions 5 and 6).
//!
//! Invariant: no input panics, and nothing is taken from outside the bytes given. Every length is
//! checked against its chunk, every chunk against the file. A damaged file is an error that says
//! where, never half a database.
//!
//! # The format
//!
//! The 15 bytes `00 B5 00 "mosquitto db"`, four bytes of a checksum that was never computed, four of
//! the version; then chunks to the end of the file, each `type: u32, length: u32` and a body. These
//! numbers and all others are big endian, but for those marked *native*, which lie there as they
//! were in memory. Texts have no terminator and follow the fixed part in the order of their lengths
//! unless said otherwise.
//!
//! | type | chunk | fixed part |
//! |---|---|---|
//! | 1 | configuration | `last_store_id: u64` native, `shutdown: u8`, `store_id_size: u8` = 8, padding to 16 bytes |
//! | 2 | message | `store_id: u64` native, `expiry_time: i64` native, `payload_length: u32`, `source_packet_id: u16`, `source_id_length: u16`, `source_username_length: u16`, `topic_length: u16`, `source_port: u16`, `qos: u8`, `retain: u8`; then source id, source user name, topic, payload, and MQTT 5 properties with their length if there are any |
//! | 3 | client message | `store_id: u64` native, `packet_id: u16`, `client_id_length: u16`, `qos: u8`, `state: u8`, `retain << 4 \| dup: u8`, `direction: u8`; then client id, and properties with their length if there are any (the Subscription Identifier) |
//! | 4 | retained | `store_id: u64` native |
//! | 5 | subscription | `identifier: u32`, `client_id_length: u16`, `filter_length: u16`, `qos: u8`, `options: u8`, 2 bytes of padding; then client id, filter |
//! | 6 | client | `session_expiry_time: i64` native, `session_expiry_interval: u32`, `last_packet_id: u16`, `client_id_length: u16`; version 6 adds `listener_port: u16`, `username_length: u16` and 4 bytes of padding; then client id, user name |
//!
//! Padding is the C compiler's. 32-bit x86 has none behind the configuration and the client, and its
//! configuration of 12 bytes tells so. A native time is a time in one byte order only.
//!
//! Messages stand before the clients that wait for them, a client's messages behind the client:
//! inbound, then outbound, those in flight before those queued. A reference to a message that is not
//! there is no damage: Mosquitto leaves out what expired and what is below `$SYS`.

mod chunk;
mod error;
mod properties;
mod reader;
#[cfg(test)]
mod tests;

use midge_codec::QoS;

pub use error::DatabaseError;

/// A whole database; its texts and payloads are slices of the file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Database<'f> {
    /// The version of the format, 5 or 6.
    pub version: u32,
    /// It was written when Mosquitto ended, not while it ran.
    pub saved_at_shutdown: bool,
    /// In the order of the file, client ids unique and never empty.
    pub sessions: Vec<Session<'f>>,
    /// What is queued, in flight or retained, each once; the newest may stand first.
    pub messages: Vec<StoredMessage<'f>>,
    /// Retained messages, as places in `messages`.
    pub retained: Vec<usize>,
    /// References left out because their message is not in the file, and inbound messages of QoS 0
    /// and 1, which a client sends again.
    pub left_out: usize,
}

/// A session, its client online or not when the file was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session<'f> {
    /// The client id.
    pub client_id: &'f str,
    /// The user name, in version 6. A hint and no more: Mosquitto 2.0.11 writes the name of another
    /// client here when this one has none.
    pub username: Option<&'f str>,
    /// The port of the listener it came by, in version 6.
    pub listener_port: Option<u16>,
    /// Seconds, as in MQTT 5; `u32::MAX` is never, and what persistent sessions of MQTT 3 have.
    pub session_expiry_interval: u32,
    /// When it expires, in seconds since 1970; `None` for never or because its client was online.
    pub expires_at: Option<i64>,
    /// The packet id last used toward the client.
    pub last_packet_id: u16,
    /// Its subscriptions.
    pub subscriptions: Vec<Subscription<'f>>,
    /// QoS 2 messages received from the client and not released by it, in order.
    pub inbound: Vec<Inbound>,
    /// Messages for the client, in order: those in flight, then those that wait.
    pub outbound: Vec<Outbound>,
}

/// A subscription of a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscription<'f> {
    /// The topic filter, `$share/…` too, as the client wrote it.
    pub filter: &'f str,
    /// The QoS granted.
    pub qos: QoS,
    /// The No Local option.
    pub no_local: bool,
    /// The Retain As Published option.
    pub retain_as_published: bool,
    /// The Subscription Identifier.
    pub identifier: Option<u32>,
}

/// A message; sessions refer to it by its place in [`Database::messages`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredMessage<'f> {
    /// The topic.
    pub topic: &'f str,
    /// The payload.
    pub payload: &'f [u8],
    /// The QoS it was published with.
    pub qos: QoS,
    /// It was published with RETAIN.
    pub retain: bool,
    /// When it expires, in seconds since 1970.
    pub expires_at: Option<i64>,
    /// The client id of its publisher; `None` when it came from the broker or a bridge.
    pub source_id: Option<&'f str>,
    /// The user name of its publisher.
    pub source_username: Option<&'f str>,
    /// The packet id it was published with.
    pub source_packet_id: u16,
    /// The port of the listener it came by.
    pub source_port: Option<u16>,
    /// Its MQTT 5 properties.
    pub properties: Properties<'f>,
}

/// The properties of a PUBLISH (3.3.2.3) that a broker passes on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Properties<'f> {
    /// Payload Format Indicator.
    pub payload_format_indicator: Option<u8>,
    /// Content Type.
    pub content_type: Option<&'f str>,
    /// Response Topic.
    pub response_topic: Option<&'f str>,
    /// Correlation Data.
    pub correlation_data: Option<&'f [u8]>,
    /// Subscription Identifier.
    pub subscription_identifier: Option<u32>,
    /// User Properties, in their order.
    pub user_properties: Vec<(&'f str, &'f str)>,
}

/// A QoS 2 message from the client. Mosquitto delivers it at PUBREL: no subscriber has it yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Inbound {
    /// Its place in [`Database::messages`].
    pub message: usize,
    /// The packet id the client chose.
    pub packet_id: u16,
    /// What comes next.
    pub state: InboundState,
    /// The client sent it again.
    pub dup: bool,
}

/// What comes next for a QoS 2 message from the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InboundState {
    /// Our PUBREC: it was beyond what the client may have in flight.
    Queued,
    /// The client's PUBREL.
    AwaitPubrel,
}

/// A message for the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outbound {
    /// Its place in [`Database::messages`].
    pub message: usize,
    /// The QoS it is delivered with.
    pub qos: QoS,
    /// It is delivered with RETAIN.
    pub retain: bool,
    /// It was sent again already.
    pub dup: bool,
    /// The identifier of the subscription it matched.
    pub subscription_identifier: Option<u32>,
    /// What comes next.
    pub state: OutboundState,
}

/// What comes next for a message for the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutboundState {
    /// The first PUBLISH: the client has not seen it.
    Queued,
    /// The client's PUBACK; after a reconnect the PUBLISH again.
    AwaitPuback {
        /// The packet id it was sent with.
        packet_id: u16,
    },
    /// The client's PUBREC; after a reconnect the PUBLISH again.
    AwaitPubrec {
        /// The packet id it was sent with.
        packet_id: u16,
    },
    /// The client's PUBCOMP; after a reconnect the PUBREL again.
    AwaitPubcomp {
        /// The packet id it was sent with.
        packet_id: u16,
    },
}

/// Reads a database.
pub fn parse(file: &[u8]) -> Result<Database<'_>, DatabaseError> {
    chunk::database(file)
}
