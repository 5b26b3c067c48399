//! The packets, one type for all protocol versions; what a version cannot carry is simply empty.

use std::num::{NonZeroU16, NonZeroU32};

use bytes::Bytes;

use crate::{
    AckProperties, AuthProperties, ConnackProperties, ConnectProperties, DisconnectProperties,
    PublishProperties, ReasonCode, SubscribeProperties, Text, TopicFilter, TopicName,
    WillProperties,
};

/// Identifies an exchange of packets within one session and direction (2.2.1). Never zero.
pub type PacketId = NonZeroU16;

/// A Subscription Identifier, 1 to 268,435,455 (3.8.2.1.2).
pub type SubscriptionIdentifier = NonZeroU32;

/// Protocol versions, by their level on the wire (3.1.2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ProtocolVersion {
    /// MQTT 3.1 (`MQIsdp`, level 3).
    V31 = 3,
    /// MQTT 3.1.1 (`MQTT`, level 4).
    V311 = 4,
    /// MQTT 5 (`MQTT`, level 5).
    V5 = 5,
}

/// Quality of Service (4.3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum QoS {
    /// QoS 0.
    #[default]
    AtMostOnce = 0,
    /// QoS 1.
    AtLeastOnce = 1,
    /// QoS 2.
    ExactlyOnce = 2,
}

/// Any MQTT control packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Packet {
    /// 3.1
    Connect(Box<Connect>),
    /// 3.2
    Connack(Box<Connack>),
    /// 3.3
    Publish(Publish),
    /// 3.4
    Puback(Ack),
    /// 3.5
    Pubrec(Ack),
    /// 3.6
    Pubrel(Ack),
    /// 3.7
    Pubcomp(Ack),
    /// 3.8
    Subscribe(Subscribe),
    /// 3.9
    Suback(Suback),
    /// 3.10
    Unsubscribe(Unsubscribe),
    /// 3.11
    Unsuback(Suback),
    /// 3.12
    Pingreq,
    /// 3.13
    Pingresp,
    /// 3.14
    Disconnect(Disconnect),
    /// 3.15 (MQTT 5 only)
    Auth(Auth),
}

/// CONNECT (3.1). Its password is not shown by `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct Connect {
    /// Protocol name and level.
    pub version: ProtocolVersion,
    /// Bit 7 of the level, which Mosquitto's bridges set: publishes come back with their RETAIN
    /// flag as published and not to the bridge itself.
    pub bridge: bool,
    /// Clean Start (5), Clean Session (3.x).
    pub clean_start: bool,
    /// Seconds; 0 turns the keep alive off.
    pub keep_alive: u16,
    /// Empty in 3.x.
    pub properties: ConnectProperties,
    /// May be empty.
    pub client_id: Text,
    /// The Will Message.
    pub will: Option<Will>,
    /// User Name.
    pub username: Option<Text>,
    /// Password: binary data, despite its name.
    pub password: Option<Bytes>,
}

impl std::fmt::Debug for Connect {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connect")
            .field("version", &self.version)
            .field("bridge", &self.bridge)
            .field("clean_start", &self.clean_start)
            .field("keep_alive", &self.keep_alive)
            .field("properties", &self.properties)
            .field("client_id", &self.client_id)
            .field("will", &self.will)
            .field("username", &self.username)
            .field("password", &self.password.as_ref().map(|_| "hidden"))
            .finish()
    }
}

/// The Will Message of a CONNECT (3.1.2.5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Will {
    /// Will QoS.
    pub qos: QoS,
    /// Will Retain.
    pub retain: bool,
    /// Will Topic.
    pub topic: TopicName,
    /// Will Payload.
    pub payload: Bytes,
    /// Will Properties; empty in 3.x.
    pub properties: WillProperties,
}

/// CONNACK (3.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connack {
    /// Session Present.
    pub session_present: bool,
    /// In 3.x written as the Connect Return code that fits best, see
    /// [`ReasonCode::connect_return_code`].
    pub reason: ReasonCode,
    /// Empty in 3.x.
    pub properties: ConnackProperties,
}

/// PUBLISH (3.3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Publish {
    /// Set on a redelivery.
    pub dup: bool,
    /// Quality of Service.
    pub qos: QoS,
    /// RETAIN.
    pub retain: bool,
    /// `None`: empty on the wire, a Topic Alias stands for it (MQTT 5).
    pub topic: Option<TopicName>,
    /// Present exactly when `qos` is above 0.
    pub packet_id: Option<PacketId>,
    /// Topic Alias (3.3.2.3.4): apart from the other properties because it is never passed on.
    pub topic_alias: Option<NonZeroU16>,
    /// `None` when there are none: the usual case costs nothing.
    pub properties: Option<Box<PublishProperties>>,
    /// Application Message.
    pub payload: Bytes,
}

/// PUBACK, PUBREC, PUBREL or PUBCOMP (3.4 to 3.7).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ack {
    /// The id of the PUBLISH.
    pub packet_id: PacketId,
    /// Always [`ReasonCode::Success`] in 3.x.
    pub reason: ReasonCode,
    /// `None` when there are none.
    pub properties: Option<Box<AckProperties>>,
}

/// SUBSCRIBE (3.8).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscribe {
    /// Echoed by the SUBACK.
    pub packet_id: PacketId,
    /// Empty in 3.x.
    pub properties: SubscribeProperties,
    /// At least one, but for 3.1, which lets a request without any pass.
    pub subscriptions: Vec<(TopicFilter, SubscriptionOptions)>,
}

/// Subscription Options (3.8.3.1); 3.x knows the QoS alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SubscriptionOptions {
    /// Maximum QoS.
    pub qos: QoS,
    /// Nothing back to the client that published it.
    pub no_local: bool,
    /// Forward the RETAIN flag as it was published.
    pub retain_as_published: bool,
    /// When to send retained messages.
    pub retain_handling: RetainHandling,
}

/// Retain Handling (3.8.3.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum RetainHandling {
    /// 0: send retained messages at every SUBSCRIBE.
    #[default]
    Send = 0,
    /// 1: only if the subscription did not exist.
    SendIfNew = 1,
    /// 2: never.
    DoNotSend = 2,
}

/// SUBACK (3.9) or UNSUBACK (3.11).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suback {
    /// The id of the request.
    pub packet_id: PacketId,
    /// `None` when there are none.
    pub properties: Option<Box<AckProperties>>,
    /// One a filter, in its order. UNSUBACK of 3.x carries none on the wire.
    pub reasons: Vec<ReasonCode>,
}

/// UNSUBSCRIBE (3.10).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unsubscribe {
    /// Echoed by the UNSUBACK.
    pub packet_id: PacketId,
    /// User Properties (MQTT 5).
    pub user_properties: Vec<(Text, Text)>,
    /// At least one, but for 3.1, which lets a request without any pass.
    pub filters: Vec<TopicFilter>,
}

/// DISCONNECT (3.14).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disconnect {
    /// Always [`ReasonCode::Success`] (Normal disconnection) in 3.x.
    pub reason: ReasonCode,
    /// `None` when there are none.
    pub properties: Option<Box<DisconnectProperties>>,
}

/// AUTH (3.15).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Auth {
    /// Success, Continue authentication or Re-authenticate.
    pub reason: ReasonCode,
    /// Properties.
    pub properties: AuthProperties,
}
