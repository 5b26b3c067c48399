//! A message as the store keeps it, and how one receiver gets it.
//!
//! The entry holds what was published, once for all receivers; the tag, a byte for most, what is
//! a receiver's own: QoS, RETAIN, Subscription Identifiers, the shared subscription it came by.

use std::sync::Arc;
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use midge_codec::{
    Packet, PacketId, ProtocolVersion, PublishFrame, QoS, SubscriptionIdentifier, Text,
    TopicFilter, decode,
};

use super::codec::{Damaged, Reader, put_blob};
use crate::Now;
use crate::commit::StoredEntry;
use crate::message::{Client, Memory, Message, Origin};
use crate::session::{Delivery, Identifiers, Shape};

const LAYOUT: u8 = 1;
const TAG_RETAIN: u8 = 4;
const TAG_SHARED: u8 = 8;

/// Tags of one byte, which most are.
static PLAIN_TAGS: [u8; 8] = [0, 1, 2, 3, 4, 5, 6, 7];

/// What an entry holds.
#[derive(Debug)]
pub struct Entry(
    /// The message, as published.
    pub Message,
);

/// A message's bytes in the store.
pub fn entry(message: &Message, now: Now) -> Bytes {
    let properties = message.properties.as_deref();
    let packet_id = (message.qos > QoS::AtMostOnce).then_some(PacketId::MIN);
    let frame = PublishFrame {
        dup: false,
        qos: message.qos,
        retain: message.retain,
        topic: message.topic.as_str(),
        packet_id,
        topic_alias: None,
        properties,
        message_expiry_interval: None,
        subscription_identifiers: &[],
        payload_bytes: message.payload.len(),
    };
    let mut out = BytesMut::with_capacity(64 + frame.encoded_len(ProtocolVersion::V5));
    out.put_u8(LAYOUT);
    out.put_u64(message.received_unix_millis);
    out.put_u64(message.expires.map_or(u64::MAX, |at| {
        let left = at.saturating_duration_since(now.instant).as_millis();
        now.unix_millis.saturating_add(u64::try_from(left).unwrap_or(u64::MAX)).min(u64::MAX - 1)
    }));
    match &message.origin {
        Origin::Broker => out.put_u8(0),
        Origin::Client(client) => {
            out.put_u8(1 + u8::from(client.username.is_some()));
            put_blob(&mut out, client.client_id.as_str().as_bytes());
            if let Some(username) = &client.username {
                put_blob(&mut out, username.as_str().as_bytes());
            }
            put_blob(&mut out, client.listener.as_str().as_bytes());
        }
    }
    out.put_u32(message.trail.len() as u32);
    for rule in &message.trail {
        put_blob(&mut out, rule.as_str().as_bytes());
    }
    frame.encode_head(ProtocolVersion::V5, &mut out);
    out.put_slice(&message.payload);
    out.freeze()
}

impl Entry {
    /// Reads what [`entry`] wrote.
    ///
    /// # Errors
    /// When the bytes are something else.
    pub fn read(bytes: Bytes, now: Now) -> Result<Entry, Damaged> {
        let mut reader = Reader::of_layout("stored message", bytes, LAYOUT)?;
        let received_unix_millis = reader.u64()?;
        let expires = match reader.u64()? {
            u64::MAX => None,
            at => {
                let left = Duration::from_millis(at.saturating_sub(now.unix_millis));
                Some(now.instant.checked_add(left).ok_or_else(|| reader.damaged("expiry"))?)
            }
        };
        let origin = match reader.u8()? {
            0 => Origin::Broker,
            kind @ (1 | 2) => Origin::Client(Arc::new(Client {
                client_id: reader.text()?,
                username: if kind == 2 { Some(reader.text()?) } else { None },
                listener: reader.text()?,
                address: String::new(),
            })),
            kind => return Err(reader.damaged(format!("origin {kind}, expected 0, 1 or 2"))),
        };
        let rules = reader.u32()?;
        let mut trail: Vec<Text> = Vec::new();
        for _ in 0..rules {
            trail.push(reader.text()?);
        }
        let damaged = |why: String| Damaged { what: "stored message", why };
        let mut packet = BytesMut::from(&reader.rest()[..]);
        let publish = match decode(&mut packet, ProtocolVersion::V5, u32::MAX) {
            Ok(Some(Packet::Publish(publish))) => publish,
            Ok(_) => return Err(damaged("no whole PUBLISH".to_owned())),
            Err(error) => return Err(damaged(error.to_string())),
        };
        let topic = publish.topic.ok_or_else(|| damaged("no topic".to_owned()))?;
        let (qos, retain, payload) = (publish.qos, publish.retain, publish.payload);
        let properties = publish.properties.filter(|found| **found != Default::default());
        Ok(Entry(Message::new(
            topic,
            payload,
            qos,
            retain,
            properties,
            expires,
            received_unix_millis,
            origin,
            trail,
        )))
    }
}

/// How one receiver gets a message.
pub fn tag(
    qos: QoS,
    retain: bool,
    identifiers: &[SubscriptionIdentifier],
    shared: Option<&TopicFilter>,
) -> Bytes {
    let flags = qos as u8 | if retain { TAG_RETAIN } else { 0 };
    if identifiers.is_empty() && shared.is_none() {
        return Bytes::from_static(&PLAIN_TAGS[usize::from(flags)..=usize::from(flags)]);
    }
    let mut out = BytesMut::new();
    out.put_u8(flags | if shared.is_some() { TAG_SHARED } else { 0 });
    if let Some(filter) = shared {
        put_blob(&mut out, filter.text().as_str().as_bytes());
    }
    for identifier in identifiers {
        out.put_u32(identifier.get());
    }
    out.freeze()
}

pub(crate) fn shape_tag(shape: &Shape) -> Bytes {
    tag(shape.qos, shape.retain, shape.identifiers.as_slice(), shape.shared.as_deref())
}

/// What [`tag`] wrote, for those who look at a store from outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tag {
    /// The QoS it is delivered with.
    pub qos: QoS,
    /// It is delivered with RETAIN.
    pub retain: bool,
    /// The Subscription Identifiers it carries.
    pub identifiers: Vec<SubscriptionIdentifier>,
    /// The shared subscription it came by.
    pub shared: Option<TopicFilter>,
}

impl Tag {
    /// Reads a tag.
    ///
    /// # Errors
    /// When the bytes are something else.
    pub fn read(bytes: Bytes) -> Result<Tag, Damaged> {
        let Shape { qos, retain, identifiers, shared } = read_tag(bytes)?;
        let shared = shared.map(|filter| TopicFilter::clone(&filter));
        Ok(Tag { qos, retain, identifiers: identifiers.as_slice().to_vec(), shared })
    }
}

fn read_tag(bytes: Bytes) -> Result<Shape, Damaged> {
    let mut reader = Reader::new("tag of a stored message", bytes);
    let flags = reader.u8()?;
    let qos = match flags & 3 {
        0 => QoS::AtMostOnce,
        1 => QoS::AtLeastOnce,
        2 => QoS::ExactlyOnce,
        _ => return Err(reader.damaged("QoS 3")),
    };
    let shared = match flags & TAG_SHARED {
        0 => None,
        _ => Some(Arc::new(reader.filter()?.detached())),
    };
    let mut identifiers = Identifiers::None;
    while !reader.is_empty() {
        let identifier = SubscriptionIdentifier::new(reader.u32()?);
        identifiers.add(Some(identifier.ok_or_else(|| reader.damaged("identifier 0"))?));
    }
    Ok(Shape { qos, retain: flags & TAG_RETAIN != 0, identifiers, shared })
}

/// An entry of a session's queue as a delivery to it.
pub(crate) fn delivery(
    stored: StoredEntry,
    now: Now,
    memory: &Arc<Memory>,
) -> Result<Delivery, Damaged> {
    let shape = read_tag(stored.tag)?;
    let Entry(message) = Entry::read(stored.entry, now)?;
    let mut delivery = shape.of(message.keep(memory));
    delivery.position = stored.position;
    Ok(delivery)
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use midge_codec::{PublishProperties, TopicName};

    use super::*;

    fn now() -> Now {
        Now { instant: Instant::now(), unix_millis: 1_700_000_000_000 }
    }

    fn message(expires: Option<Duration>, at: Now) -> Message {
        let properties = PublishProperties {
            payload_format_indicator: Some(1),
            message_expiry_interval: Some(30),
            response_topic: Some(TopicName::try_from("answers/here").unwrap()),
            correlation_data: Some(Bytes::from_static(&[0, 255, 7])),
            user_properties: vec![(Text::from_static("k"), Text::from_static("v"))],
            subscription_identifiers: Vec::new(),
            content_type: Some(Text::from_static("text/plain")),
        };
        Message::new(
            TopicName::try_from("plant/1").unwrap(),
            Bytes::from_static(b"21.5"),
            QoS::ExactlyOnce,
            true,
            Some(Box::new(properties)),
            expires.map(|life| at.instant + life),
            at.unix_millis,
            Origin::Client(Arc::new(Client {
                client_id: Text::from_static("sensor"),
                username: Some(Text::from_static("anna")),
                listener: Text::from_static("1883"),
                address: "127.0.0.1".to_owned(),
            })),
            vec![Text::from_static("rule")],
        )
    }

    #[test]
    fn a_message_comes_back_as_it_went() {
        let at = now();
        let went = message(Some(Duration::from_secs(30)), at);
        let Entry(came) = Entry::read(entry(&went, at), at).unwrap();
        assert_eq!((&came.topic, &came.payload), (&went.topic, &went.payload));
        assert_eq!((came.qos, came.retain), (went.qos, went.retain));
        assert_eq!(came.expires, went.expires);
        assert_eq!(came.received_unix_millis, went.received_unix_millis);
        assert_eq!(came.trail, went.trail);
        assert_eq!(came.origin.client_id(), went.origin.client_id());
        assert_eq!(came.origin.username(), went.origin.username());
        let mut properties = came.properties.unwrap();
        // What remains of its life is told when it is sent.
        properties.message_expiry_interval = Some(30);
        assert_eq!(Some(properties), went.properties);
    }

    #[test]
    fn expiry_goes_on_while_the_broker_is_down() {
        let at = now();
        let bytes = entry(&message(Some(Duration::from_secs(30)), at), at);
        let later = Now { instant: at.instant, unix_millis: at.unix_millis + 31_000 };
        assert!(Entry::read(bytes, later).unwrap().0.is_expired(later.instant));
    }

    #[test]
    fn damaged_entries_are_errors() {
        let at = now();
        let whole = entry(&message(None, at), at);
        for length in 0..whole.len() - 4 {
            assert!(Entry::read(whole.slice(..length), at).is_err(), "{length}");
        }
        let mut other = whole.to_vec();
        other[0] = 9;
        let error = Entry::read(other.into(), at).unwrap_err();
        assert_eq!(error.to_string(), "stored message: layout 9, expected 1");
    }

    #[test]
    fn tags_come_back_as_they_went() {
        let filter = TopicFilter::try_from("$share/g/a").unwrap();
        let one = SubscriptionIdentifier::new(1).unwrap();
        let many = SubscriptionIdentifier::new(268_435_455).unwrap();
        for (identifiers, shared) in [
            (vec![], None),
            (vec![one], None),
            (vec![one, many], None),
            (vec![many], Some(&filter)),
        ] {
            let bytes = tag(QoS::AtLeastOnce, true, &identifiers, shared);
            let shape = read_tag(bytes).unwrap();
            assert_eq!((shape.qos, shape.retain), (QoS::AtLeastOnce, true));
            assert_eq!(shape.identifiers.as_slice(), identifiers);
            assert_eq!(shape.shared.as_deref(), shared);
        }
        assert_eq!(tag(QoS::ExactlyOnce, false, &[], None).len(), 1);
    }
}
