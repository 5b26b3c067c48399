//! PUBLISH as it is sent (3.3): the head apart from the payload.
//!
//! Invariant: the size a head announces is the size of what follows it.

use std::num::NonZeroU16;

use bytes::{BufMut, BytesMut};

use super::Detail;
use super::body::publish_flags;
use super::properties::{Properties, write_message};
use super::sink::{Sink, variable_byte_integer_len};
use crate::{
    PacketId, PacketType, Property, ProtocolVersion, Publish, PublishProperties, QoS,
    SubscriptionIdentifier,
};

/// A PUBLISH about to be sent, but for its payload: the head is encoded once for all receivers
/// that need the same one, the payload is shared.
#[derive(Clone, Copy, Debug)]
pub struct PublishFrame<'a> {
    /// DUP; not written with QoS 0 ([MQTT-3.3.1-2]).
    pub dup: bool,
    /// QoS.
    pub qos: QoS,
    /// RETAIN.
    pub retain: bool,
    /// Topic Name; empty when `topic_alias` stands for it.
    pub topic: &'a str,
    /// Present exactly when `qos` is above 0.
    pub packet_id: Option<PacketId>,
    /// Topic Alias.
    pub topic_alias: Option<NonZeroU16>,
    /// Passed on as received; its expiry and subscription identifiers are not used, the next two
    /// fields are.
    pub properties: Option<&'a PublishProperties>,
    /// Seconds that remain.
    pub message_expiry_interval: Option<u32>,
    /// Of the receiver's matching subscriptions.
    pub subscription_identifiers: &'a [SubscriptionIdentifier],
    /// Length of the payload that follows the head.
    pub payload_bytes: usize,
}

impl<'a> PublishFrame<'a> {
    /// A packet as it stands.
    pub fn of(publish: &'a Publish) -> PublishFrame<'a> {
        let properties = publish.properties.as_deref();
        PublishFrame {
            dup: publish.dup,
            qos: publish.qos,
            retain: publish.retain,
            topic: publish.topic.as_ref().map_or("", |topic| topic.as_str()),
            packet_id: publish.packet_id,
            topic_alias: publish.topic_alias,
            properties,
            message_expiry_interval: properties.and_then(|found| found.message_expiry_interval),
            subscription_identifiers: properties
                .map_or(&[], |found| &found.subscription_identifiers),
            payload_bytes: publish.payload.len(),
        }
    }

    /// Bytes of the whole packet, payload included.
    pub fn encoded_len(&self, version: ProtocolVersion) -> usize {
        let remaining_length = self.remaining_length(version, self.properties_len(version));
        1 + variable_byte_integer_len(remaining_length) + remaining_length
    }

    /// Appends all but the payload to `out`.
    ///
    /// # Panics
    /// When the topic or the correlation data has more than 65,535 bytes, which no packet read off
    /// the wire can have, or QoS and packet id do not go together.
    pub fn encode_head(&self, version: ProtocolVersion, out: &mut BytesMut) {
        assert_eq!(self.packet_id.is_some(), self.qos != QoS::AtMostOnce, "packet id with QoS 0");
        let properties_len = self.properties_len(version);
        let remaining_length = self.remaining_length(version, properties_len);
        out.reserve(1 + 4 + remaining_length - self.payload_bytes);
        let flags = publish_flags(self.dup, self.qos, self.retain);
        out.put_u8((PacketType::Publish as u8) << 4 | flags);
        out.variable_byte_integer(remaining_length);
        out.binary(self.topic.as_bytes());
        if let Some(packet_id) = self.packet_id {
            out.put_u16(packet_id.get());
        }
        if version == ProtocolVersion::V5 {
            out.variable_byte_integer(properties_len);
            self.write(Detail::Full, out);
        }
    }

    fn properties_len(&self, version: ProtocolVersion) -> usize {
        match version {
            ProtocolVersion::V5 => self.count(Detail::Full),
            ProtocolVersion::V31 | ProtocolVersion::V311 => 0,
        }
    }

    fn remaining_length(&self, version: ProtocolVersion, properties_len: usize) -> usize {
        let packet_id_len = if self.packet_id.is_some() { 2 } else { 0 };
        let properties_len = match version {
            ProtocolVersion::V5 => variable_byte_integer_len(properties_len) + properties_len,
            ProtocolVersion::V31 | ProtocolVersion::V311 => 0,
        };
        2 + self.topic.len() + packet_id_len + properties_len + self.payload_bytes
    }
}

impl Properties for PublishFrame<'_> {
    fn write<S: Sink>(&self, _detail: Detail, out: &mut S) {
        out.u16_property(Property::TopicAlias, self.topic_alias.map(NonZeroU16::get));
        out.u32_property(Property::MessageExpiryInterval, self.message_expiry_interval);
        if let Some(properties) = self.properties {
            write_message(properties, out);
        }
        for identifier in self.subscription_identifiers {
            out.property(Property::SubscriptionIdentifier);
            out.variable_byte_integer(identifier.get() as usize);
        }
    }
}
