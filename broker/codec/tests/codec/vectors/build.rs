//! What the vectors' packets are built of.

use std::num::{NonZeroU16, NonZeroU32};

use bytes::Bytes;
use midge_codec::{
    Ack, AckProperties, Connack, ConnackProperties, Connect, ConnectProperties, Disconnect,
    DisconnectProperties, Packet, PacketId, ProtocolVersion, Publish, QoS, ReasonCode, Suback,
    Subscribe, SubscribeProperties, SubscriptionOptions, Text, TopicFilter, TopicName, Unsubscribe,
};

pub(crate) fn plain_connect(version: ProtocolVersion, client_id: &str) -> Packet {
    Packet::Connect(Box::new(Connect { client_id: text(client_id), ..connect(version) }))
}

pub(crate) fn bridge_connect(version: ProtocolVersion) -> Packet {
    Packet::Connect(Box::new(Connect { client_id: text("b"), bridge: true, ..connect(version) }))
}

pub(crate) fn connect(version: ProtocolVersion) -> Connect {
    Connect {
        version,
        bridge: false,
        clean_start: true,
        keep_alive: 60,
        properties: ConnectProperties::default(),
        client_id: Text::empty(),
        will: None,
        username: None,
        password: None,
    }
}

pub(crate) fn connack(
    session_present: bool,
    reason: ReasonCode,
    properties: ConnackProperties,
) -> Packet {
    Packet::Connack(Box::new(Connack { session_present, reason, properties }))
}

pub(crate) fn publish(payload: &'static str) -> Publish {
    Publish {
        dup: false,
        qos: QoS::AtMostOnce,
        retain: false,
        topic: Some(topic("a/b")),
        packet_id: None,
        topic_alias: None,
        properties: None,
        payload: Bytes::from_static(payload.as_bytes()),
    }
}

pub(crate) fn ack(reason: ReasonCode) -> Ack {
    Ack { packet_id: id(7), reason, properties: None }
}

#[allow(clippy::unnecessary_wraps)] // As the packets have it.
pub(crate) fn explanation(reason_string: &str) -> Option<Box<AckProperties>> {
    Some(Box::new(AckProperties {
        reason_string: Some(text(reason_string)),
        user_properties: vec![(text("k"), text("v"))],
    }))
}

pub(crate) fn subscribe(subscriptions: Vec<(TopicFilter, SubscriptionOptions)>) -> Packet {
    let properties = SubscribeProperties::default();
    Packet::Subscribe(Subscribe { packet_id: id(1), properties, subscriptions })
}

pub(crate) fn options(qos: QoS) -> SubscriptionOptions {
    SubscriptionOptions { qos, ..SubscriptionOptions::default() }
}

pub(crate) fn options_0() -> SubscriptionOptions {
    options(QoS::AtMostOnce)
}

pub(crate) fn suback(reasons: &[ReasonCode]) -> Suback {
    Suback { packet_id: id(1), properties: None, reasons: reasons.to_vec() }
}

pub(crate) fn unsubscribe(filters: &[&str], user_properties: Vec<(Text, Text)>) -> Packet {
    let filters = filters.iter().map(|text| filter(text)).collect();
    Packet::Unsubscribe(Unsubscribe { packet_id: id(1), user_properties, filters })
}

pub(crate) fn disconnect(
    reason: ReasonCode,
    properties: Option<Box<DisconnectProperties>>,
) -> Packet {
    Packet::Disconnect(Disconnect { reason, properties })
}

pub(crate) fn id(id: u16) -> PacketId {
    NonZeroU16::new(id).expect("not 0")
}

pub(crate) fn identifier(identifier: u32) -> NonZeroU32 {
    NonZeroU32::new(identifier).expect("not 0")
}

pub(crate) fn text(text: &str) -> Text {
    Text::try_from(text).expect("a valid string")
}

pub(crate) fn topic(text: &str) -> TopicName {
    TopicName::try_from(text).expect("a valid topic name")
}

pub(crate) fn filter(text: &str) -> TopicFilter {
    TopicFilter::try_from(text).expect("a valid topic filter")
}
