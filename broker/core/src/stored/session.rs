//! What the store keeps of a session beside its messages.

use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use midge_codec::{
    QoS, RetainHandling, SubscriptionIdentifier, SubscriptionOptions, Text, TopicFilter, TopicName,
    Will, WillProperties,
};

use super::codec::{Damaged, Reader, put_blob};
use super::entry::{Entry, entry};
use super::key::Key;
use crate::Now;
use crate::commit::{Operation, QueueId};
use crate::message::{Message, Origin};

const LAYOUT: u8 = 1;
const USERNAME: u8 = 1;
const EXPIRES: u8 = 2;
const OFFLINE: u8 = 4;
const WILL: u8 = 8;
const UNCLAIMED: u8 = 16;

/// A session: who has it, how long it lives, its will.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionRecord {
    /// Its messages and all that is its own have this in their keys.
    pub queue: QueueId,
    /// Who made it.
    pub username: Option<Text>,
    /// Who made it is not known, as of one that another broker has left: it is for the first who
    /// comes under its client id. Until then access is not judged, since nobody gets anything.
    pub unclaimed: bool,
    /// Names the listener it was made at.
    pub listener: Text,
    /// How long it outlives its connection; `None`: for ever.
    pub expiry: Option<Duration>,
    /// Since when it has no connection, in milliseconds since 1970-01-01 UTC; `None`: it has one.
    pub offline_since: Option<u64>,
    /// What is to be published for it.
    pub will: Option<Will>,
}

impl SessionRecord {
    /// Stores the session of a client.
    pub fn put(&self, client_id: &Text, now: Now) -> Operation {
        let mut out = BytesMut::with_capacity(64);
        out.put_u8(LAYOUT);
        out.put_u64(self.queue.0);
        let flag = |set: bool, flag: u8| if set { flag } else { 0 };
        out.put_u8(
            flag(self.username.is_some(), USERNAME)
                | flag(self.expiry.is_some(), EXPIRES)
                | flag(self.offline_since.is_some(), OFFLINE)
                | flag(self.will.is_some(), WILL)
                | flag(self.unclaimed, UNCLAIMED),
        );
        if let Some(username) = &self.username {
            put_blob(&mut out, username.as_str().as_bytes());
        }
        put_blob(&mut out, self.listener.as_str().as_bytes());
        if let Some(expiry) = self.expiry {
            out.put_u64(u64::try_from(expiry.as_millis()).unwrap_or(u64::MAX));
        }
        if let Some(since) = self.offline_since {
            out.put_u64(since);
        }
        if let Some(will) = &self.will {
            out.put_u32(will.properties.will_delay_interval.unwrap_or(0));
            out.put_u32(will.properties.publish.message_expiry_interval.unwrap_or(u32::MAX));
            out.put_slice(&entry(&will_message(will), now));
        }
        let key = Key::Session(client_id.clone()).bytes();
        Operation::Put { key, version: None, value: out.freeze() }
    }

    /// Reads what [`SessionRecord::put`] wrote.
    ///
    /// # Errors
    /// When the bytes are something else.
    pub fn read(bytes: Bytes, now: Now) -> Result<SessionRecord, Damaged> {
        let mut reader = Reader::of_layout("stored session", bytes, LAYOUT)?;
        let queue = QueueId(reader.u64()?);
        let flags = reader.u8()?;
        let username = if flags & USERNAME != 0 { Some(reader.text()?) } else { None };
        let listener = reader.text()?;
        let millis = if flags & EXPIRES != 0 { Some(reader.u64()?) } else { None };
        let offline_since = if flags & OFFLINE != 0 { Some(reader.u64()?) } else { None };
        let will = if flags & WILL != 0 {
            let delay = reader.u32()?;
            let interval = reader.u32()?;
            let Entry(message) = Entry::read(reader.rest(), now)?;
            let mut publish = message.properties.map_or_else(Default::default, |found| *found);
            publish.message_expiry_interval = (interval != u32::MAX).then_some(interval);
            Some(Will {
                qos: message.qos,
                retain: message.retain,
                topic: message.topic,
                payload: message.payload,
                properties: WillProperties {
                    will_delay_interval: (delay > 0).then_some(delay),
                    publish,
                },
            })
        } else {
            None
        };
        let unclaimed = flags & UNCLAIMED != 0;
        let expiry = millis.map(Duration::from_millis);
        Ok(SessionRecord { queue, username, unclaimed, listener, expiry, offline_since, will })
    }
}

fn will_message(will: &Will) -> Message {
    Message::new(
        will.topic.clone(),
        will.payload.clone(),
        will.qos,
        will.retain,
        Some(Box::new(will.properties.publish.clone())),
        None,
        0,
        Origin::Broker,
        Vec::new(),
    )
}

/// A subscription of a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubscriptionRecord {
    /// Subscription Options.
    pub options: SubscriptionOptions,
    /// Subscription Identifier.
    pub identifier: Option<SubscriptionIdentifier>,
    /// How far the retained messages of the SUBSCRIBE have been sent.
    pub retained: Retained,
}

/// How far the retained messages of a subscription have been sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Retained {
    /// All of them, or none were wanted.
    #[default]
    Done,
    /// Up to this topic; `None`: none yet.
    After(Option<TopicName>),
}

impl SubscriptionRecord {
    /// Stores the subscription of the session with this queue.
    pub fn put(&self, queue: QueueId, filter: &TopicFilter) -> Operation {
        let options = self.options;
        let mut out = BytesMut::with_capacity(6);
        out.put_u8(LAYOUT);
        out.put_u8(
            options.qos as u8
                | u8::from(options.no_local) << 2
                | u8::from(options.retain_as_published) << 3
                | (options.retain_handling as u8) << 4,
        );
        out.put_u32(self.identifier.map_or(0, SubscriptionIdentifier::get));
        match &self.retained {
            Retained::Done => {}
            Retained::After(None) => out.put_u8(0),
            Retained::After(Some(topic)) => {
                out.put_u8(1);
                put_blob(&mut out, topic.as_str().as_bytes());
            }
        }
        let key = Key::Subscription(queue, filter.clone()).bytes();
        Operation::Put { key, version: None, value: out.freeze() }
    }

    /// Reads what [`SubscriptionRecord::put`] wrote.
    ///
    /// # Errors
    /// When the bytes are something else.
    pub fn read(bytes: Bytes) -> Result<SubscriptionRecord, Damaged> {
        let mut reader = Reader::of_layout("stored subscription", bytes, LAYOUT)?;
        let flags = reader.u8()?;
        let qos = match flags & 3 {
            0 => QoS::AtMostOnce,
            1 => QoS::AtLeastOnce,
            2 => QoS::ExactlyOnce,
            _ => return Err(reader.damaged("QoS 3")),
        };
        let retain_handling = match flags >> 4 & 3 {
            0 => RetainHandling::Send,
            1 => RetainHandling::SendIfNew,
            2 => RetainHandling::DoNotSend,
            _ => return Err(reader.damaged("retain handling 3")),
        };
        let options = SubscriptionOptions {
            qos,
            no_local: flags & 4 != 0,
            retain_as_published: flags & 8 != 0,
            retain_handling,
        };
        let identifier = SubscriptionIdentifier::new(reader.u32()?);
        let retained = match reader.is_empty() {
            true => Retained::Done,
            false => Retained::After(if reader.u8()? == 0 { None } else { Some(reader.topic()?) }),
        };
        Ok(SubscriptionRecord { options, identifier, retained })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use midge_codec::PublishProperties;

    use super::*;

    fn value(operation: Operation) -> Bytes {
        match operation {
            Operation::Put { value, .. } => value,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn sessions_come_back_as_they_went() {
        let now = Now { instant: Instant::now(), unix_millis: 1 };
        let will = Will {
            qos: QoS::AtLeastOnce,
            retain: true,
            topic: TopicName::try_from("gone").unwrap(),
            payload: Bytes::from_static(b"bye"),
            properties: WillProperties {
                will_delay_interval: Some(5),
                publish: PublishProperties {
                    message_expiry_interval: Some(9),
                    ..PublishProperties::default()
                },
            },
        };
        for will in [None, Some(will)] {
            for (expiry, offline_since) in
                [(None, Some(77)), (Some(Duration::from_secs(3_600)), None)]
            {
                let record = SessionRecord {
                    queue: QueueId(64),
                    username: expiry.map(|_| Text::from_static("anna")),
                    unclaimed: expiry.is_none(),
                    listener: Text::from_static("default"),
                    expiry,
                    offline_since,
                    will: will.clone(),
                };
                let bytes = value(record.put(&Text::from_static("c"), now));
                assert_eq!(SessionRecord::read(bytes, now), Ok(record));
            }
        }
    }

    #[test]
    fn subscriptions_come_back_as_they_went() {
        let filter = TopicFilter::try_from("a/#").unwrap();
        for flags in 0..8_u8 {
            let record = SubscriptionRecord {
                options: SubscriptionOptions {
                    qos: QoS::ExactlyOnce,
                    no_local: flags & 1 != 0,
                    retain_as_published: flags & 2 != 0,
                    retain_handling: RetainHandling::DoNotSend,
                },
                identifier: SubscriptionIdentifier::new(u32::from(flags & 4)),
                retained: match flags & 3 {
                    0 => Retained::Done,
                    1 => Retained::After(None),
                    _ => Retained::After(TopicName::try_from("a/b").ok()),
                },
            };
            let bytes = value(record.put(QueueId(1), &filter));
            assert_eq!(SubscriptionRecord::read(bytes), Ok(record));
        }
    }
}
