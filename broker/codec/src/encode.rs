//! Packets to bytes.
//!
//! Invariant: a packet is appended whole or, when its receiver would not take it, not at all.

mod body;
mod properties;
mod publish;
mod sink;

use bytes::{BufMut, BytesMut};

pub use publish::PublishFrame;

use self::sink::{Count, MAXIMUM_VALUE_BYTES, Sink, variable_byte_integer_len};
use crate::{Packet, ProtocolVersion, Publish};

/// The largest packet the protocol has: a Remaining Length of four bytes (2.1.4) and its header.
const MAXIMUM_PACKET_BYTES: usize = 268_435_455 + 5;

/// The packet would exceed the receiver's Maximum Packet Size, or what the protocol itself can
/// carry: 268,435,460 bytes in a packet, 65,535 in one of its values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("packet of {bytes} bytes, the receiver takes at most {maximum}")]
pub struct TooLarge {
    /// Its size.
    pub bytes: usize,
    /// The receiver's Maximum Packet Size.
    pub maximum: usize,
}

/// How much of what only explains a reason is written.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Detail {
    /// Neither reason string nor user properties.
    Least,
    /// No user properties.
    ReasonString,
    /// All there is.
    Full,
}

/// Appends a packet to `out`. Where only a reason string or user properties make it exceed
/// `maximum_packet_size`, these are left out ([MQTT-3.4.2-2] and its likes), the user properties
/// first. What a version cannot carry is left out as well: in 3.x properties, the reasons of an
/// UNSUBACK, and AUTH altogether. A CONNECT is written in its own version.
///
/// # Errors
/// When the packet is too large even so; `out` is as it was.
///
/// # Panics
/// When QoS and packet id of a PUBLISH do not go together: a mistake of ours.
pub fn encode(
    packet: &Packet,
    version: ProtocolVersion,
    maximum_packet_size: u32,
    out: &mut BytesMut,
) -> Result<(), TooLarge> {
    let maximum = MAXIMUM_PACKET_BYTES.min(maximum_packet_size as usize);
    if let Packet::Publish(publish) = packet {
        return encode_publish(publish, version, maximum, out);
    }
    if matches!(packet, Packet::Auth(_)) && version != ProtocolVersion::V5 {
        return Ok(());
    }
    let mut detail = Detail::Full;
    loop {
        let mut count = Count::default();
        body::write(packet, version, detail, &mut count);
        let bytes = 1 + variable_byte_integer_len(count.bytes) + count.bytes;
        check_values(count.longest_value)?;
        if bytes <= maximum {
            let packet_type = body::packet_type(packet);
            out.reserve(bytes);
            out.put_u8((packet_type as u8) << 4 | packet_type.reserved_flags().unwrap_or(0));
            out.variable_byte_integer(count.bytes);
            body::write(packet, version, detail, out);
            return Ok(());
        }
        detail = match detail {
            Detail::Full => Detail::ReasonString,
            Detail::ReasonString => Detail::Least,
            Detail::Least => return Err(TooLarge { bytes, maximum }),
        };
    }
}

fn encode_publish(
    publish: &Publish,
    version: ProtocolVersion,
    maximum: usize,
    out: &mut BytesMut,
) -> Result<(), TooLarge> {
    let frame = PublishFrame::of(publish);
    let correlation_data = frame.properties.and_then(|found| found.correlation_data.as_ref());
    check_values(correlation_data.map_or(0, |data| data.len()))?;
    let bytes = frame.encoded_len(version);
    if bytes > maximum {
        return Err(TooLarge { bytes, maximum });
    }
    frame.encode_head(version, out);
    out.put_slice(&publish.payload);
    Ok(())
}

fn check_values(longest: usize) -> Result<(), TooLarge> {
    match longest > MAXIMUM_VALUE_BYTES {
        true => Err(TooLarge { bytes: longest, maximum: MAXIMUM_VALUE_BYTES }),
        false => Ok(()),
    }
}
