//! A message of the database as one of the broker's.
//!
//! What MQTT does not allow is found before anything is made of it.

use std::time::Duration;

use bytes::Bytes;
use midge_codec::{PublishProperties, Text, TopicName};
use midge_core::{Client, Message, Now, Origin};

use super::Surroundings;
use crate::import::mosquitto_db::{Properties, StoredMessage};

/// The most that fits in a packet with its topic and properties, and some room (1.5.5).
const MOST_BYTES: usize = 268_000_000;

/// What becomes of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Taken,
    Expired,
    NotValid,
}

/// Judges a message.
pub(super) fn fate(stored: &StoredMessage<'_>, now: Now) -> Fate {
    if TopicName::try_from(stored.topic).is_err() || bytes(stored) > MOST_BYTES {
        return Fate::NotValid;
    }
    match stored.expires_at {
        Some(at) if millis_until(at, now) == 0 => Fate::Expired,
        _ => Fate::Taken,
    }
}

fn bytes(stored: &StoredMessage<'_>) -> usize {
    let properties = &stored.properties;
    let user_properties = properties.user_properties.iter();
    stored.payload.len()
        + properties.correlation_data.map_or(0, <[u8]>::len)
        + user_properties.map(|(name, value)| 5 + name.len() + value.len()).sum::<usize>()
}

fn millis_until(seconds: i64, now: Now) -> u64 {
    let at = u64::try_from(seconds).unwrap_or(0).saturating_mul(1_000);
    at.saturating_sub(now.unix_millis)
}

/// The message; `None`: it is none of [`Fate::Taken`].
pub(super) fn message(stored: &StoredMessage<'_>, around: &Surroundings) -> Option<Message> {
    let now = around.now;
    if fate(stored, now) != Fate::Taken {
        return None;
    }
    let left = stored.expires_at.map(|at| Duration::from_millis(millis_until(at, now)));
    let expires = left.and_then(|left| now.instant.checked_add(left));
    let origin = match stored.source_id.map(Text::try_from) {
        Some(Ok(client_id)) => Origin::Client(std::sync::Arc::new(Client {
            client_id,
            username: stored.source_username.and_then(|name| Text::try_from(name).ok()),
            listener: around.listener(stored.source_port),
            address: String::new(),
        })),
        _ => Origin::Broker,
    };
    Some(Message::new(
        TopicName::try_from(stored.topic).ok()?,
        Bytes::copy_from_slice(stored.payload),
        stored.qos,
        stored.retain,
        properties(&stored.properties),
        expires,
        now.unix_millis,
        origin,
        Vec::new(),
    ))
}

fn properties(found: &Properties<'_>) -> Option<Box<PublishProperties>> {
    let text = |text: &str| Text::try_from(text).ok();
    let pair = |(name, value): &(&str, &str)| Some((text(name)?, text(value)?));
    let properties = PublishProperties {
        payload_format_indicator: found.payload_format_indicator,
        // It is counted down from the time of arrival: see `Message::expires`.
        message_expiry_interval: None,
        response_topic: found.response_topic.and_then(|topic| TopicName::try_from(topic).ok()),
        correlation_data: found.correlation_data.map(Bytes::copy_from_slice),
        user_properties: found.user_properties.iter().filter_map(pair).collect(),
        subscription_identifiers: Vec::new(),
        content_type: found.content_type.and_then(text),
    };
    (properties != PublishProperties::default()).then(|| Box::new(properties))
}
