//! Bytes to packets: finds where a packet ends, then reads it in place.
//!
//! Invariant: a packet is taken off the buffer whole or not at all, and nothing is allocated
//! because a length was claimed: only bytes that have arrived are read.

mod connect;
mod disconnect;
mod error;
mod header;
mod properties;
mod publish;
mod reader;
mod subscribe;

use bytes::{Buf, BytesMut};

pub use error::{DecodeError, Malformed};

use self::header::Header;
use self::reader::Reader;
use crate::{Connect, Packet, PacketType, ProtocolVersion};

/// Takes the first packet of a connection, which must be a CONNECT, off the front of `buffer`.
/// `Ok(None)`: more bytes are needed.
///
/// # Errors
/// When the bytes are no CONNECT of a version we speak, or one larger than `maximum_packet_size`,
/// which is known as soon as its header is.
pub fn decode_connect(
    buffer: &mut BytesMut,
    maximum_packet_size: u32,
) -> Result<Option<Box<Connect>>, DecodeError> {
    let Some(header) = Header::read(buffer, None, maximum_packet_size)? else {
        return Ok(None);
    };
    match take(buffer, &header) {
        None => Ok(None),
        Some(body) => connect::connect(header, body).map(Some),
    }
}

/// Takes one packet off the front of `buffer`. `Ok(None)`: more bytes are needed. Knows the packets
/// of both directions; which of them may come is for the caller to judge.
///
/// # Errors
/// When the bytes are no packet of this version, or one larger than `maximum_packet_size`, which is
/// known as soon as its header is.
pub fn decode(
    buffer: &mut BytesMut,
    version: ProtocolVersion,
    maximum_packet_size: u32,
) -> Result<Option<Packet>, DecodeError> {
    let Some(header) = Header::read(buffer, Some(version), maximum_packet_size)? else {
        return Ok(None);
    };
    let Some(body) = take(buffer, &header) else {
        return Ok(None);
    };
    let packet = match header.packet {
        PacketType::Connect => {
            return connect::connect(header, body).map(Packet::Connect).map(Some);
        }
        PacketType::Connack => {
            connect::connack(body, version).map(|connack| Packet::Connack(Box::new(connack)))
        }
        PacketType::Publish => publish::publish(header.flags, body, version).map(Packet::Publish),
        PacketType::Puback => publish::ack(header.packet, body, version).map(Packet::Puback),
        PacketType::Pubrec => publish::ack(header.packet, body, version).map(Packet::Pubrec),
        PacketType::Pubrel => publish::ack(header.packet, body, version).map(Packet::Pubrel),
        PacketType::Pubcomp => publish::ack(header.packet, body, version).map(Packet::Pubcomp),
        PacketType::Subscribe => subscribe::subscribe(body, version).map(Packet::Subscribe),
        PacketType::Suback => subscribe::suback(body, version).map(Packet::Suback),
        PacketType::Unsubscribe => subscribe::unsubscribe(body, version).map(Packet::Unsubscribe),
        PacketType::Unsuback => subscribe::unsuback(body, version).map(Packet::Unsuback),
        PacketType::Pingreq => body.finish().map(|()| Packet::Pingreq),
        PacketType::Pingresp => body.finish().map(|()| Packet::Pingresp),
        PacketType::Disconnect => disconnect::disconnect(body, version).map(Packet::Disconnect),
        PacketType::Auth => disconnect::auth(body).map(Packet::Auth),
    };
    packet
        .map(Some)
        .map_err(|malformed| DecodeError::new(Some(header.packet), Some(version), malformed))
}

/// Splits a whole packet off, its header cut away; `None`: it is not whole yet.
fn take(buffer: &mut BytesMut, header: &Header) -> Option<Reader> {
    if buffer.len() < header.packet_bytes() {
        return None;
    }
    let mut packet = buffer.split_to(header.packet_bytes()).freeze();
    packet.advance(header.bytes());
    Some(Reader::new(packet))
}
