//! SUBSCRIBE, SUBACK, UNSUBSCRIBE and UNSUBACK (3.8 to 3.11).
//!
//! Invariant: lists grow by what was read, never by what was announced.

use super::publish::{qos, reason};
use super::reader::Reader;
use super::{Malformed, properties};
use crate::{
    InvalidTopic, PacketType, ProtocolVersion, ReasonCode, RetainHandling, Suback, Subscribe,
    SubscribeProperties, SubscriptionOptions, TopicFilter, Unsubscribe,
};

pub(super) fn subscribe(
    mut body: Reader,
    version: ProtocolVersion,
) -> Result<Subscribe, Malformed> {
    let packet_id = body.packet_id()?;
    let properties = match version {
        ProtocolVersion::V5 => properties::subscribe(&mut body)?,
        ProtocolVersion::V31 | ProtocolVersion::V311 => SubscribeProperties::default(),
    };
    expect_filters(&body, version)?;
    let mut subscriptions = Vec::new();
    while !body.is_empty() {
        let filter = topic_filter(&mut body)?;
        let options = subscription_options(body.u8("subscription options")?, version)?;
        // [MQTT-3.8.3-4]
        if options.no_local && filter.share_name().is_some() {
            return Err(Malformed::NoLocalOnShared);
        }
        subscriptions.push((filter, options));
    }
    Ok(Subscribe { packet_id, properties, subscriptions })
}

pub(super) fn unsubscribe(
    mut body: Reader,
    version: ProtocolVersion,
) -> Result<Unsubscribe, Malformed> {
    let packet_id = body.packet_id()?;
    let user_properties = match version {
        ProtocolVersion::V5 => properties::unsubscribe(&mut body)?,
        ProtocolVersion::V31 | ProtocolVersion::V311 => Vec::new(),
    };
    expect_filters(&body, version)?;
    let mut filters = Vec::new();
    while !body.is_empty() {
        filters.push(topic_filter(&mut body)?);
    }
    Ok(Unsubscribe { packet_id, user_properties, filters })
}

pub(super) fn suback(mut body: Reader, version: ProtocolVersion) -> Result<Suback, Malformed> {
    let packet_id = body.packet_id()?;
    let properties = match version {
        ProtocolVersion::V5 => properties::ack(&mut body)?,
        ProtocolVersion::V31 | ProtocolVersion::V311 => None,
    };
    let mut reasons = Vec::new();
    while !body.is_empty() {
        let reason = reason(&mut body, PacketType::Suback)?;
        // 3.1.1 [MQTT-3.9.3-2]: of the failures only 0x80.
        if version != ProtocolVersion::V5 && reason > ReasonCode::UnspecifiedError {
            return Err(Malformed::ReasonCode { found: reason as u8 });
        }
        reasons.push(reason);
    }
    Ok(Suback { packet_id, properties, reasons })
}

pub(super) fn unsuback(mut body: Reader, version: ProtocolVersion) -> Result<Suback, Malformed> {
    let packet_id = body.packet_id()?;
    if version != ProtocolVersion::V5 {
        body.finish()?;
        return Ok(Suback { packet_id, properties: None, reasons: Vec::new() });
    }
    let properties = properties::ack(&mut body)?;
    let mut reasons = Vec::new();
    while !body.is_empty() {
        reasons.push(reason(&mut body, PacketType::Unsuback)?);
    }
    Ok(Suback { packet_id, properties, reasons })
}

/// [MQTT-3.8.3-2], [MQTT-3.10.3-2]; 3.1 does not say so.
fn expect_filters(body: &Reader, version: ProtocolVersion) -> Result<(), Malformed> {
    match body.is_empty() && version != ProtocolVersion::V31 {
        true => Err(Malformed::NoTopicFilter),
        false => Ok(()),
    }
}

fn topic_filter(body: &mut Reader) -> Result<TopicFilter, Malformed> {
    TopicFilter::new(body.text("topic filter")?).map_err(|error| match error {
        InvalidTopic::Text(error) => Malformed::Text { field: "topic filter", error },
        error => Malformed::TopicFilter { error },
    })
}

fn subscription_options(
    found: u8,
    version: ProtocolVersion,
) -> Result<SubscriptionOptions, Malformed> {
    let reserved = match version {
        ProtocolVersion::V5 => 0b1100_0000,
        ProtocolVersion::V31 | ProtocolVersion::V311 => 0b1111_1100,
    };
    if found & reserved != 0 {
        return Err(Malformed::SubscriptionOptionsReserved { found });
    }
    Ok(SubscriptionOptions {
        qos: qos(found).ok_or(Malformed::SubscriptionQoS)?,
        no_local: found & 0b0100 != 0,
        retain_as_published: found & 0b1000 != 0,
        retain_handling: match found >> 4 {
            0 => RetainHandling::Send,
            1 => RetainHandling::SendIfNew,
            2 => RetainHandling::DoNotSend,
            _ => return Err(Malformed::RetainHandling),
        },
    })
}
