//! The properties of each packet (2.2.2), read into its own struct.
//!
//! Invariant: a property that the packet does not have, or has twice where once is the rule, never
//! passes.

mod block;

use std::num::NonZeroU16;

use self::block::{Block, once};
use super::Malformed;
use super::reader::Reader;
use crate::{
    AckProperties, AuthProperties, ConnackProperties, ConnectProperties, DisconnectProperties,
    Property, PublishProperties, SubscribeProperties, Text, WillProperties,
};

pub(super) fn connect(body: &mut Reader) -> Result<ConnectProperties, Malformed> {
    let mut found = ConnectProperties::default();
    let mut block = Block::read(body)?;
    while let Some(property) = block.next()? {
        match property {
            Property::SessionExpiryInterval => {
                once(&mut found.session_expiry_interval, property, block.u32(property)?)?;
            }
            Property::ReceiveMaximum => {
                once(&mut found.receive_maximum, property, block.non_zero_u16(property)?)?;
            }
            Property::MaximumPacketSize => {
                once(&mut found.maximum_packet_size, property, block.non_zero_u32(property)?)?;
            }
            Property::TopicAliasMaximum => {
                once(&mut found.topic_alias_maximum, property, block.u16(property)?)?;
            }
            Property::RequestResponseInformation => {
                once(&mut found.request_response_information, property, block.bool(property)?)?;
            }
            Property::RequestProblemInformation => {
                once(&mut found.request_problem_information, property, block.bool(property)?)?;
            }
            Property::UserProperty => found.user_properties.push(block.user_property()?),
            Property::AuthenticationMethod => {
                once(&mut found.authentication_method, property, block.text(property)?)?;
            }
            Property::AuthenticationData => {
                once(&mut found.authentication_data, property, block.binary(property)?)?;
            }
            _ => return Err(Malformed::PropertyNotAllowed { property }),
        }
    }
    // 3.1.2.11.10
    if found.authentication_data.is_some() && found.authentication_method.is_none() {
        return Err(Malformed::AuthenticationDataWithoutMethod);
    }
    Ok(found)
}

pub(super) fn will(body: &mut Reader) -> Result<WillProperties, Malformed> {
    let mut found = WillProperties::default();
    let mut block = Block::read(body)?;
    while let Some(property) = block.next()? {
        match property {
            Property::WillDelayInterval => {
                once(&mut found.will_delay_interval, property, block.u32(property)?)?;
            }
            _ => message(&mut found.publish, property, &mut block)?,
        }
    }
    Ok(found)
}

pub(super) fn connack(body: &mut Reader) -> Result<ConnackProperties, Malformed> {
    let mut found = ConnackProperties::default();
    let mut block = Block::read(body)?;
    while let Some(property) = block.next()? {
        match property {
            Property::SessionExpiryInterval => {
                once(&mut found.session_expiry_interval, property, block.u32(property)?)?;
            }
            Property::ReceiveMaximum => {
                once(&mut found.receive_maximum, property, block.non_zero_u16(property)?)?;
            }
            Property::MaximumQoS => {
                once(&mut found.maximum_qos, property, u8::from(block.bool(property)?))?;
            }
            Property::RetainAvailable => {
                once(&mut found.retain_available, property, block.bool(property)?)?;
            }
            Property::MaximumPacketSize => {
                once(&mut found.maximum_packet_size, property, block.non_zero_u32(property)?)?;
            }
            Property::AssignedClientIdentifier => {
                once(&mut found.assigned_client_identifier, property, block.text(property)?)?;
            }
            Property::TopicAliasMaximum => {
                once(&mut found.topic_alias_maximum, property, block.u16(property)?)?;
            }
            Property::ReasonString => {
                once(&mut found.reason_string, property, block.text(property)?)?;
            }
            Property::UserProperty => found.user_properties.push(block.user_property()?),
            Property::WildcardSubscriptionAvailable => {
                once(&mut found.wildcard_subscription_available, property, block.bool(property)?)?;
            }
            Property::SubscriptionIdentifiersAvailable => {
                let available = &mut found.subscription_identifiers_available;
                once(available, property, block.bool(property)?)?;
            }
            Property::SharedSubscriptionAvailable => {
                once(&mut found.shared_subscription_available, property, block.bool(property)?)?;
            }
            Property::ServerKeepAlive => {
                once(&mut found.server_keep_alive, property, block.u16(property)?)?;
            }
            Property::ResponseInformation => {
                once(&mut found.response_information, property, block.text(property)?)?;
            }
            Property::ServerReference => {
                once(&mut found.server_reference, property, block.text(property)?)?;
            }
            Property::AuthenticationMethod => {
                once(&mut found.authentication_method, property, block.text(property)?)?;
            }
            Property::AuthenticationData => {
                once(&mut found.authentication_data, property, block.binary(property)?)?;
            }
            _ => return Err(Malformed::PropertyNotAllowed { property }),
        }
    }
    Ok(found)
}

/// The Topic Alias apart; `None` where nothing else was.
#[allow(clippy::type_complexity)] // Two fields of the Publish, named there.
pub(super) fn publish(
    body: &mut Reader,
) -> Result<(Option<NonZeroU16>, Option<Box<PublishProperties>>), Malformed> {
    let mut block = Block::read(body)?;
    let mut topic_alias = None;
    let mut found: Option<Box<PublishProperties>> = None;
    while let Some(property) = block.next()? {
        match property {
            Property::TopicAlias => once(&mut topic_alias, property, block.topic_alias()?)?,
            Property::SubscriptionIdentifier => {
                let identifier = block.subscription_identifier()?;
                found.get_or_insert_default().subscription_identifiers.push(identifier);
            }
            _ => message(found.get_or_insert_default(), property, &mut block)?,
        }
    }
    Ok((topic_alias, found))
}

/// What PUBLISH and a will have in common.
fn message(
    found: &mut PublishProperties,
    property: Property,
    block: &mut Block,
) -> Result<(), Malformed> {
    match property {
        Property::PayloadFormatIndicator => {
            once(&mut found.payload_format_indicator, property, u8::from(block.bool(property)?))
        }
        Property::MessageExpiryInterval => {
            once(&mut found.message_expiry_interval, property, block.u32(property)?)
        }
        Property::ResponseTopic => {
            once(&mut found.response_topic, property, block.response_topic()?)
        }
        Property::CorrelationData => {
            once(&mut found.correlation_data, property, block.binary(property)?)
        }
        Property::UserProperty => {
            found.user_properties.push(block.user_property()?);
            Ok(())
        }
        Property::ContentType => once(&mut found.content_type, property, block.text(property)?),
        _ => Err(Malformed::PropertyNotAllowed { property }),
    }
}

pub(super) fn ack(body: &mut Reader) -> Result<Option<Box<AckProperties>>, Malformed> {
    let mut found: Option<Box<AckProperties>> = None;
    let mut block = Block::read(body)?;
    while let Some(property) = block.next()? {
        let found = found.get_or_insert_default();
        match property {
            Property::ReasonString => {
                once(&mut found.reason_string, property, block.text(property)?)?;
            }
            Property::UserProperty => found.user_properties.push(block.user_property()?),
            _ => return Err(Malformed::PropertyNotAllowed { property }),
        }
    }
    Ok(found)
}

pub(super) fn subscribe(body: &mut Reader) -> Result<SubscribeProperties, Malformed> {
    let mut found = SubscribeProperties::default();
    let mut block = Block::read(body)?;
    while let Some(property) = block.next()? {
        match property {
            Property::SubscriptionIdentifier => {
                let identifier = block.subscription_identifier()?;
                once(&mut found.subscription_identifier, property, identifier)?;
            }
            Property::UserProperty => found.user_properties.push(block.user_property()?),
            _ => return Err(Malformed::PropertyNotAllowed { property }),
        }
    }
    Ok(found)
}

pub(super) fn unsubscribe(body: &mut Reader) -> Result<Vec<(Text, Text)>, Malformed> {
    let mut user_properties = Vec::new();
    let mut block = Block::read(body)?;
    while let Some(property) = block.next()? {
        match property {
            Property::UserProperty => user_properties.push(block.user_property()?),
            _ => return Err(Malformed::PropertyNotAllowed { property }),
        }
    }
    Ok(user_properties)
}

pub(super) fn disconnect(
    body: &mut Reader,
) -> Result<Option<Box<DisconnectProperties>>, Malformed> {
    let mut found: Option<Box<DisconnectProperties>> = None;
    let mut block = Block::read(body)?;
    while let Some(property) = block.next()? {
        let found = found.get_or_insert_default();
        match property {
            Property::SessionExpiryInterval => {
                once(&mut found.session_expiry_interval, property, block.u32(property)?)?;
            }
            Property::ReasonString => {
                once(&mut found.reason_string, property, block.text(property)?)?;
            }
            Property::UserProperty => found.user_properties.push(block.user_property()?),
            Property::ServerReference => {
                once(&mut found.server_reference, property, block.text(property)?)?;
            }
            _ => return Err(Malformed::PropertyNotAllowed { property }),
        }
    }
    Ok(found)
}

pub(super) fn auth(body: &mut Reader) -> Result<AuthProperties, Malformed> {
    let mut found = AuthProperties::default();
    let mut block = Block::read(body)?;
    while let Some(property) = block.next()? {
        match property {
            Property::AuthenticationMethod => {
                once(&mut found.authentication_method, property, block.text(property)?)?;
            }
            Property::AuthenticationData => {
                once(&mut found.authentication_data, property, block.binary(property)?)?;
            }
            Property::ReasonString => {
                once(&mut found.reason_string, property, block.text(property)?)?;
            }
            Property::UserProperty => found.user_properties.push(block.user_property()?),
            _ => return Err(Malformed::PropertyNotAllowed { property }),
        }
    }
    // 3.15.2.2.2
    match found.authentication_method {
        Some(_) => Ok(found),
        None => Err(Malformed::AuthenticationMethodMissing),
    }
}
