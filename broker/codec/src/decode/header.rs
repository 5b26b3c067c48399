//! The Fixed Header (2.1): how long a packet is, and whether it is worth waiting for.
//!
//! Invariant: what the bytes seen so far already forbid is refused now, not when the packet is
//! whole; a peer cannot make us wait for, or hold, what we would refuse.

use super::reader::VariableByteInteger;
use super::{DecodeError, Malformed};
use crate::{PacketType, ProtocolVersion};

/// The Fixed Header of a packet.
#[derive(Clone, Copy)]
pub(super) struct Header {
    pub(super) packet: PacketType,
    pub(super) flags: u8,
    pub(super) remaining_length: VariableByteInteger,
}

impl Header {
    /// The header at the front of `bytes`; `None`: it is not whole yet. Without a `version` the
    /// packet must be a CONNECT.
    pub(super) fn read(
        bytes: &[u8],
        version: Option<ProtocolVersion>,
        maximum_packet_size: u32,
    ) -> Result<Option<Header>, DecodeError> {
        let Some(first) = bytes.first() else {
            return Ok(None);
        };
        let packet = packet_type(*first, version)?;
        let at_fault = |malformed| DecodeError::new(Some(packet), version, malformed);
        let flags = first & 0x0F;
        check_flags(packet, flags, version).map_err(at_fault)?;
        let Some(remaining_length) = VariableByteInteger::read(&bytes[1..]).map_err(at_fault)?
        else {
            return Ok(None);
        };
        // CONNECT says its version later, see `connect`.
        if packet != PacketType::Connect && version == Some(ProtocolVersion::V5) {
            remaining_length.expect_shortest().map_err(at_fault)?;
        }
        let header = Header { packet, flags, remaining_length };
        let maximum = maximum_packet_size as usize;
        if header.packet_bytes() > maximum {
            let bytes = header.packet_bytes();
            return Err(at_fault(Malformed::PacketTooLarge { bytes, maximum }));
        }
        Ok(Some(header))
    }

    /// Bytes of the header itself.
    pub(super) fn bytes(&self) -> usize {
        1 + self.remaining_length.bytes
    }

    /// Bytes of the whole packet.
    pub(super) fn packet_bytes(&self) -> usize {
        self.bytes() + self.remaining_length.value as usize
    }
}

fn packet_type(first: u8, version: Option<ProtocolVersion>) -> Result<PacketType, DecodeError> {
    let reserved = Malformed::ReservedPacketType { found: first >> 4 };
    match (PacketType::from_first_byte(first), version) {
        (None, _) => Err(DecodeError::new(None, version, reserved)),
        // The type is new in MQTT 5.
        (Some(PacketType::Auth), Some(ProtocolVersion::V31 | ProtocolVersion::V311)) => {
            Err(DecodeError::new(None, version, reserved))
        }
        (Some(PacketType::Connect), _) => Ok(PacketType::Connect),
        // [MQTT-3.1.0-1]
        (packet, None) => Err(DecodeError::new(packet, None, Malformed::ExpectedConnect)),
        (Some(packet), Some(_)) => Ok(packet),
    }
}

fn check_flags(
    packet: PacketType,
    flags: u8,
    version: Option<ProtocolVersion>,
) -> Result<(), Malformed> {
    // In 3.1 these bits are unused, and DUP marks a repeated PUBREL, SUBSCRIBE or UNSUBSCRIBE; a
    // CONNECT says its version later, see `connect`.
    let is_lenient = version == Some(ProtocolVersion::V31);
    match packet.reserved_flags() {
        None if flags & 0b0110 == 0b0110 => Err(Malformed::PublishQoS),
        None if flags & 0b1110 == 0b1000 && !is_lenient => Err(Malformed::DupWithQoS0),
        Some(expected) if flags != expected && !is_lenient && packet != PacketType::Connect => {
            Err(Malformed::FixedHeaderFlags { found: flags, expected })
        }
        _ => Ok(()),
    }
}
