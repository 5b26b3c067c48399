//! PUBLISH and its acknowledgements (3.3 to 3.7).
//!
//! Invariant: a PUBLISH without properties costs no allocation, only references to its frame.

use super::reader::{Reader, invalid_topic_name};
use super::{Malformed, properties};
use crate::{Ack, PacketType, ProtocolVersion, Publish, QoS, ReasonCode, TopicName};

/// The flags have been checked by the header.
pub(super) fn publish(
    flags: u8,
    mut body: Reader,
    version: ProtocolVersion,
) -> Result<Publish, Malformed> {
    let qos = qos(flags >> 1).ok_or(Malformed::PublishQoS)?;
    let topic = body.text("topic name")?;
    let packet_id = match qos {
        QoS::AtMostOnce => None,
        QoS::AtLeastOnce | QoS::ExactlyOnce => Some(body.packet_id()?),
    };
    let (topic_alias, properties) = match version {
        ProtocolVersion::V5 => properties::publish(&mut body)?,
        ProtocolVersion::V31 | ProtocolVersion::V311 => (None, None),
    };
    let topic = match (topic.is_empty(), topic_alias) {
        (true, Some(_)) => None,
        (true, None) if version == ProtocolVersion::V5 => return Err(Malformed::TopicMissing),
        _ => Some(TopicName::new(topic).map_err(|error| invalid_topic_name("topic name", error))?),
    };
    Ok(Publish {
        // With QoS 0 only 3.1 lets it pass, where it means nothing.
        dup: flags & 0b1000 != 0 && qos != QoS::AtMostOnce,
        qos,
        retain: flags & 0b0001 != 0,
        topic,
        packet_id,
        topic_alias,
        properties,
        payload: body.rest(),
    })
}

/// PUBACK, PUBREC, PUBREL or PUBCOMP.
pub(super) fn ack(
    packet: PacketType,
    mut body: Reader,
    version: ProtocolVersion,
) -> Result<Ack, Malformed> {
    let packet_id = body.packet_id()?;
    let mut ack = Ack { packet_id, reason: ReasonCode::Success, properties: None };
    if version == ProtocolVersion::V5 {
        // 3.4.2.1: code and properties may be left out from the end.
        if !body.is_empty() {
            ack.reason = reason(&mut body, packet)?;
        }
        if !body.is_empty() {
            ack.properties = properties::ack(&mut body)?;
        }
    }
    body.finish()?;
    Ok(ack)
}

/// The two lower bits; `None` for 3.
pub(super) fn qos(bits: u8) -> Option<QoS> {
    match bits & 0b11 {
        0 => Some(QoS::AtMostOnce),
        1 => Some(QoS::AtLeastOnce),
        2 => Some(QoS::ExactlyOnce),
        _ => None,
    }
}

/// A Reason Code that `packet` may bear ([MQTT-3.4.2-1] and its likes).
pub(super) fn reason(body: &mut Reader, packet: PacketType) -> Result<ReasonCode, Malformed> {
    let found = body.u8("reason code")?;
    ReasonCode::from_byte(found)
        .filter(|reason| reason.is_valid_in(packet))
        .ok_or(Malformed::ReasonCode { found })
}
