//! What a broker may do wrong, in words.
//!
//! After a fault the connection is at its end: what the broker means is not known any more.

use midge_codec::{DecodeError, Packet, PacketId, PacketType, ReasonCode};

/// Why a connection cannot go on.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Fault {
    /// What the CONNACK said.
    #[error("the broker refuses the connection: {}", .0.name())]
    Refused(ReasonCode),
    /// Bytes that are no packet, or a larger one than is taken.
    #[error("the broker sent what cannot be read: {0}")]
    Malformed(#[from] DecodeError),
    /// A packet that may not come.
    #[error("the broker sent {found}, expected {expected}")]
    Unexpected {
        /// What came.
        found: String,
        /// What may come.
        expected: &'static str,
    },
    /// No answer in time.
    #[error("the broker does not answer {to}")]
    Silent {
        /// To what.
        to: &'static str,
    },
}

pub(super) fn unexpected(found: &dyn std::fmt::Display, expected: &'static str) -> Fault {
    Fault::Unexpected { found: found.to_string(), expected }
}

pub(super) fn wrong_id(packet: PacketType, packet_id: PacketId, expected: &'static str) -> Fault {
    Fault::Unexpected { found: format!("{packet} {packet_id}"), expected }
}

/// A packet's name.
pub(super) fn name(packet: &Packet) -> String {
    let packet_type = match packet {
        Packet::Connect(_) => PacketType::Connect,
        Packet::Connack(_) => PacketType::Connack,
        Packet::Publish(_) => PacketType::Publish,
        Packet::Puback(_) => PacketType::Puback,
        Packet::Pubrec(_) => PacketType::Pubrec,
        Packet::Pubrel(_) => PacketType::Pubrel,
        Packet::Pubcomp(_) => PacketType::Pubcomp,
        Packet::Subscribe(_) => PacketType::Subscribe,
        Packet::Suback(_) => PacketType::Suback,
        Packet::Unsubscribe(_) => PacketType::Unsubscribe,
        Packet::Unsuback(_) => PacketType::Unsuback,
        Packet::Pingreq => PacketType::Pingreq,
        Packet::Pingresp => PacketType::Pingresp,
        Packet::Disconnect(_) => PacketType::Disconnect,
        Packet::Auth(_) => PacketType::Auth,
    };
    packet_type.to_string()
}
