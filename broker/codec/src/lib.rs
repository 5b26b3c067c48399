//! MQTT 3.1, 3.1.1 and 5 packets to and from bytes.
//!
//! Owns the wire format: one [`Packet`] for all three protocol versions, [`decode`] from a buffer
//! that may hold part of a packet or several, and [`encode`]. Does no IO, keeps no state, and does
//! not judge behaviour over time (a second CONNECT, an unknown packet id): that is the shard's.
//!
//! Invariant: no input panics. Payloads, strings and binary values are slices of the buffer they
//! were read into ([`bytes::Bytes`]), never copies.

mod decode;
mod encode;
mod packet;
mod packet_type;
mod properties;
mod property;
mod reason;
mod text;
mod topic;

pub use decode::{DecodeError, Malformed, decode, decode_connect};
pub use encode::{PublishFrame, TooLarge, encode};
pub use packet::*;
pub use packet_type::PacketType;
pub use properties::*;
pub use property::Property;
pub use reason::ReasonCode;
pub use text::{InvalidText, Text};
pub use topic::{InvalidTopic, TopicFilter, TopicName};
